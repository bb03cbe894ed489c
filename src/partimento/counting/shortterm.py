"""A short-term model: what followed what in one line alone, counted while the line goes on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from partimento.counting.mixture import Floats, Ints, View

SIGHTINGS = (1, 2, 4, 8)      # how often a context was seen, told apart; also the share that a symbol never seen has
_EVEN = 1 / 32                # of the chance left over, whatever the size of the alphabet


class _Seen:
    """How often each symbol came in one context; never changed, so that copies of a model can share it."""

    __slots__ = ("_read", "counts", "sighted")

    def __init__(self, counts: dict[int, int]) -> None:
        self.counts = counts
        self.sighted = min(sum(counts.values()).bit_length(), len(SIGHTINGS)) - 1
        self._read: tuple[float, Ints, Floats] | None = None

    def with_one(self, symbol: int) -> _Seen:
        """The same and a symbol once more."""
        return _Seen({**self.counts, symbol: self.counts.get(symbol, 0) + 1})

    def read(self, discount: float, strength: float) -> tuple[float, Ints, Floats]:
        """The share of the shorter context, the symbols, and what each adds; always of the same discount and strength.
        """
        if self._read is None:
            counts = np.fromiter(self.counts.values(), np.float64, len(self.counts))
            whole = float(counts.sum()) + strength
            self._read = ((strength + discount * len(counts)) / whole,
                          np.fromiter(self.counts, np.int64, len(counts)), (counts - discount) / whole)
        return self._read


class ShortTerm:
    """Counts of one line for several views, read as `Mixture` reads them, empty at first.

    Each view interpolates from no context at all to its longest one seen in this line, with discounts as small counts
    want them. A symbol said over and over counts as said twice: a line must not fall asleep on a note. `ask` before a
    symbol and `tell` after it; both take the values of the views' columns there.

    >>> recent = ShortTerm([View(("h1",))], size=3)
    >>> for before, symbol in ((-1, 0), (0, 2), (2, 0)):
    ...     recent.tell(np.array([[before]]), symbol, before)
    >>> chances, trust = recent.ask(np.array([[0]]), 0)
    >>> int(chances[0].argmax()), int(trust[0])
    (2, 4)
    """

    def __init__(self, views: Sequence[View], size: int, discount: float = 0.5, strength: float = 0.5) -> None:
        self.views, self.size, self.discount, self.strength = tuple(views), size, discount, strength
        self._repeated = False
        self._seen: list[list[dict[bytes, _Seen]]] = [[{} for _ in range(len(view.columns) + 1)] for view in self.views]
        self._keys = [[2 * d for d in range(len(view.columns) + 1)] for view in self.views]

    def ask(self, values: npt.NDArray[np.generic], last: int) -> tuple[Floats, Ints]:
        """What each view gives every symbol (float64[views, size], not summing to 1), and its trust (int64[views]).

        `values` is [views, depth], `last` the symbol before (−1: none). Trust is 4 × depth + how often seen, of the
        longest context seen; a symbol never seen has what is left over.
        """
        out = np.empty((len(self.views), self.size))
        trust = np.zeros(len(self.views), np.int64)
        for v, view in enumerate(self.views):
            text = values[v].astype(np.int16).tobytes()
            found = np.full(2 * self.size - 1 if view.relative else self.size, _EVEN)
            for depth, table in enumerate(self._seen[v]):
                seen = table.get(text[:self._keys[v][depth]])
                if seen is None:
                    break
                rest, symbols, gains = seen.read(self.discount, self.strength)
                found *= rest
                found[symbols] += gains
                trust[v] = 4 * depth + seen.sighted
            start = self.size - 1 - self._origin(last) if view.relative else 0
            out[v] = found[start:start + self.size]
        return out, trust

    def copy(self) -> ShortTerm:
        """Another with the same counts."""
        out = ShortTerm(self.views, self.size, self.discount, self.strength)
        out._repeated = self._repeated
        out._seen = [[dict(table) for table in view] for view in self._seen]
        return out

    def tell(self, values: npt.NDArray[np.generic], symbol: int, last: int) -> None:
        """Take the next symbol; of one said over and over only the first repetition is counted."""
        told, self._repeated = not (symbol == last and self._repeated), symbol == last
        for v, view in enumerate(self.views if told else ()):
            text = values[v].astype(np.int16).tobytes()
            said = symbol - self._origin(last) + self.size - 1 if view.relative else symbol
            for depth in range(len(view.columns), -1, -1):
                key, table = text[:self._keys[v][depth]], self._seen[v][depth]
                seen = table.get(key)
                table[key] = _Seen({said: 1}) if seen is None else seen.with_one(said)
                if seen is not None and said in seen.counts:        # a shorter context counts kinds of longer ones
                    break

    def _origin(self, last: int) -> int:
        return last if last >= 0 else self.size // 2
