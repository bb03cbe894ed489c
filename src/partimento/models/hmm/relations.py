"""One choice among few symbols, given a context: a log-linear model of learnt relations, normalised over the symbols.

The chance of a symbol is proportional to exp of a sum of weights, one for each *relation*. A relation looks at some
columns of what is known, and has its own weights for every combination of their values that came often enough while
it learnt; any other says nothing. What a weight belongs to is the symbol itself, or its pitch class, or its interval
to a pitch that is known, so that what is learnt in one place holds in all. The weights make the symbols seen
likeliest, and each pays a square for its size (A. Berger, S. Della Pietra, V. Della Pietra, "A maximum entropy
approach to natural language processing", Computational Linguistics 22, 1996); the cost is convex, so there is one
best set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.counting.loglinear import lowest
from partimento.errors import ModelError
from partimento.models.hmm.page import Floats, Ints

Facts = Mapping[str, npt.NDArray[Any]]

CLASS = "class"           # the frame of pitch classes
UNKNOWN = -1              # the pitch of a symbol without one, and of a column where there is none
FARTHEST = 40             # semitones: intervals beyond count as this one
MOST_COLUMNS = 5          # of a relation: so many fit into one number
_RADIX = 1 << 12          # values of a column lie within ± half of it


class Symbols(NamedTuple):
    """What the choice is among: the `pitch` of each symbol (int[S], UNKNOWN without one) and its `kind` (int[S], from
    0), such as struck or held: symbols of the same pitch differ in it."""

    pitch: Ints
    kind: Ints

    @classmethod
    def labels(cls, number: int) -> Symbols:
        """Symbols that are mere names, so many.

        >>> Symbols.labels(3).pitch.tolist()
        [-1, -1, -1]
        """
        return cls(np.full(number, UNKNOWN), np.zeros(number, np.int64))


class Relation(NamedTuple):
    """Columns whose values together are a context, and the `frame` of its weights: "" for the symbol itself, CLASS for
    its pitch class, or else the name of the column of pitches to which its interval is meant."""

    columns: tuple[str, ...] = ()
    frame: str = ""


class _Frame(NamedTuple):
    """Relations of one frame: their numbers, and where in a row of their weights each symbol lies (int[S], or int[rows,
    S] by the intervals to a pitch; None: it is the row)."""

    members: list[int]
    slot: Ints | None


class Choice:
    """A log-linear model of one choice; `lean` is the price of a squared weight, `least` how often a context must come.

    >>> coin = Choice([Relation(), Relation(("before",))], Symbols.labels(2), lean=0.1)
    >>> came = np.array([0, 1] * 20)
    >>> coin.fit({"before": np.append(-1, came[:-1])}, came)
    >>> np.exp(coin.log_chances({"before": np.array([0, 1])})).round(1).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """

    def __init__(self, relations: Sequence[Relation], symbols: Symbols, lean: float = 1.0, least: int = 2) -> None:
        for relation in relations:
            if len(relation.columns) > MOST_COLUMNS:
                raise ModelError(f"a relation must have at most {MOST_COLUMNS} columns; got {relation.columns}")
        self.relations, self.symbols, self.lean, self.least = tuple(relations), symbols, lean, least
        self.size = len(symbols.pitch)
        self.kinds = int(symbols.kind.max()) + 1
        self.bare = np.flatnonzero(symbols.pitch < 0)          # symbols without a pitch have slots of their own
        self.contexts: list[Ints] = [np.zeros(0, np.int64) for _ in relations]
        self.weights: list[Floats] = [np.zeros((1, self._width(relation))) for relation in relations]

    @property
    def facts(self) -> list[str]:
        """The columns that must be known."""
        return sorted({name for relation in self.relations for name in (*relation.columns, relation.frame)}
                      - {"", CLASS})

    def fit(self, columns: Facts, came: npt.ArrayLike, rounds: int = 80) -> None:
        """Learn from what was known (a column a fact) and the symbols that came (int[rows])."""
        came = np.asarray(came, np.int64)
        if not len(came):
            raise ModelError("a choice must be learnt from at least one row; got none")
        rows, self.contexts = np.arange(len(came)), []
        for relation in self.relations:
            found, times = np.unique(_keys(relation.columns, columns, len(came)), return_counts=True)
            self.contexts.append(found[times >= self.least])
        places, frames = self._places(columns, len(came)), self._frames(columns)
        order = [np.argsort(place, kind="stable") for place in places]
        first = [np.flatnonzero(np.diff(place[by], prepend=-1)) for place, by in zip(places, order, strict=True)]
        shapes = [(len(found) + 1, self._width(relation))
                  for found, relation in zip(self.contexts, self.relations, strict=True)]
        bounds = np.cumsum([0, *(height * width for height, width in shapes)])

        def split(numbers: Floats) -> list[Floats]:
            return [numbers[bounds[r]:bounds[r + 1]].reshape(shape) for r, shape in enumerate(shapes)]

        def loss(numbers: Floats) -> tuple[float, Floats]:
            logs = self._logs(split(numbers), places, frames)
            miss = np.exp(logs)
            miss[rows, came] -= 1
            slope = self.lean * numbers
            tables = split(slope)
            for frame in frames:
                own = _framed(miss, frame.slot, shapes[frame.members[0]][1])
                for r in frame.members:
                    total = np.add.reduceat(own[order[r]], first[r], axis=0)
                    tables[r][places[r][order[r][first[r]]]] += total
                    tables[r][-1] = 0                   # an unknown context says nothing
            return -float(logs[rows, came].sum()) + self.lean / 2 * float(numbers @ numbers), slope

        self.weights = split(lowest(loss, np.zeros(bounds[-1]), rounds))

    def log_chances(self, columns: Facts) -> Floats:
        """float64[rows, S]: the log-probability of every symbol."""
        known = [columns[name] for name in self.facts] or list(columns.values())
        return self._logs(self.weights, self._places(columns, len(known[0]) if known else 1), self._frames(columns))

    def _logs(self, weights: list[Floats], places: list[Ints], frames: list[_Frame]) -> Floats:
        out = np.zeros((len(places[0]), self.size))
        for members, slot in frames:
            told = weights[members[0]][places[members[0]]]
            for r in members[1:]:
                told += weights[r][places[r]]
            if slot is None:
                out += told
            else:
                out += told[:, slot] if slot.ndim == 1 else np.take_along_axis(told, slot, axis=1)
        out -= out.max(axis=1, keepdims=True)
        out -= np.log(np.exp(out).sum(axis=1, keepdims=True))
        return out

    def _width(self, relation: Relation) -> int:
        if not relation.frame:
            return self.size
        return self.kinds * (12 if relation.frame == CLASS else 2 * FARTHEST + 1) + len(self.bare)

    def _places(self, columns: Facts, rows: int) -> list[Ints]:
        """The context of each row by relation; the last one, which says nothing, where it is none that was learnt."""
        out = []
        for relation, contexts in zip(self.relations, self.contexts, strict=True):
            key = _keys(relation.columns, columns, rows)
            at = np.searchsorted(contexts, key)
            known = np.append(contexts, -1)[at] == key
            if relation.frame not in ("", CLASS):
                known &= np.asarray(columns[relation.frame]) >= 0
            out.append(np.where(known, at, len(contexts)))
        return out

    def _frames(self, columns: Facts) -> list[_Frame]:
        named: dict[str, list[int]] = {}
        for r, relation in enumerate(self.relations):
            named.setdefault(relation.frame, []).append(r)
        return [_Frame(members, self._slots(name, columns) if name else None) for name, members in named.items()]

    def _slots(self, frame: str, columns: Facts) -> Ints:
        pitch, kind = self.symbols
        if frame == CLASS:
            wide, own = 12, pitch % 12
        else:
            wide, to = 2 * FARTHEST + 1, np.asarray(columns[frame], np.int64)
            own = np.clip(pitch - to[:, None], -FARTHEST, FARTHEST) + FARTHEST
        out = np.broadcast_to(kind * wide + own, own.shape).copy()
        out[..., self.bare] = self.kinds * wide + np.arange(len(self.bare))
        return out


def _keys(names: Sequence[str], columns: Facts, rows: int) -> Ints:
    """int64[rows]: one number for the values of some columns together."""
    out = np.zeros(rows, np.int64)
    for name in names:
        values = np.asarray(columns[name], np.int64)
        if len(values) and not -_RADIX // 2 <= values.min() <= values.max() < _RADIX // 2:
            raise ModelError(f"the column {name!r} must lie within ±{_RADIX // 2}; "
                             f"got {int(values.min())}..{int(values.max())}")
        out = out * _RADIX + values + _RADIX // 2
    return out


def _framed(miss: Floats, slot: Ints | None, width: int) -> Floats:
    """float64[rows, width]: what lies on each symbol (float64[rows, S]), summed where the weights of a frame lie."""
    if slot is None:
        return miss
    if slot.ndim == 1:
        return np.asarray(miss @ (slot[:, None] == np.arange(width)))
    flat = (np.arange(len(miss)) * width)[:, None] + slot
    total = np.bincount(flat.ravel(), miss.ravel(), len(miss) * width)
    return np.asarray(total.reshape(len(miss), width), np.float64)
