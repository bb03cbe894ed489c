"""Counting what followed what: interpolated n-grams over several views, drawn from exactly, forwards and between pins.

A *view* is a list of context columns, the most telling first: ``h1`` is the last symbol of the line itself, ``h2``
the one before, ``h1-h2`` the interval between them, any other name is a column given from outside (where in the bar,
what the bass plays), and ``bass-h1`` its distance to the last symbol. Two names are the line's own memory: ``echo``
is what came after the last few symbols when they last came, ``match`` how many those are; two, ``chord`` and
``then``, are there only where chords are given. A view counts which symbol followed each context, at every depth from
no context at all to the whole list, and backs off from long to short as interpolated Kneser–Ney does (R. Kneser and
H. Ney, "Improved backing-off for m-gram language modeling", ICASSP 1995), with the strength that Y. W. Teh's
hierarchical Pitman–Yor view of it adds (ACL 2006):

    P(x | c) = (n(c, x) − d) / (n(c) + s) + (s + d·kinds(c)) / (n(c) + s) · P(x | shorter c)

where below the longest context n counts in how many longer contexts x was seen. A `Mixture` adds views with weights
learnt on pieces held out: a view's weight is what its kind of line gives it, times what the depth and the number of
sightings of the context it found are worth. They are learnt for each way of asking: with memory or *plain*, without
it, and with chords or without. What the plain views give is a conditional distribution of the next symbol given the
line's own last symbols, so everything about a line can be had exactly, and to keep that quick they look only `near`
symbols back: its probability, a draw of the next symbol, and, by backward values over the stored contexts, a draw of
a whole line that must meet pinned symbols.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from partimento.counting.linear import learn_weights
from partimento.counting.memory import OWN
from partimento.errors import ModelError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Shorter = npt.NDArray[np.int32]
Columns = Mapping[str, npt.NDArray[Any]]

NO_INTERVAL = 16384       # an interval one side of which is missing
CHORDS = ("chord", "then")
_PAD = 32767              # a view has no column this deep
SHIFT = 32768            # values are kept as value + SHIFT in 16 bits
_BLOCK = 1024             # rows handled at once
_SIGHTINGS = (1, 3, 10)   # a context seen so often is trusted more
_LISTENERS = 20_000       # at most so many rows held out teach the weights
_REMEMBERED = 1 << 25     # floats of remembered distributions
MOST_CONTEXTS = 600_000   # of a view: of a larger corpus those seen least are dropped


class Column(NamedTuple):
    """One context column: the symbol `lag` back (or the column `outside`), less the symbol `minus` back."""

    outside: str
    lag: int
    minus: int

    @property
    def reach(self) -> int:
        """How many of the line's own last symbols must be known."""
        return max(self.lag, self.minus)


def column(text: str) -> Column:
    """The column that a text names.

    >>> column("h2"), column("bass-h1")
    (Column(outside='', lag=2, minus=0), Column(outside='bass', lag=0, minus=1))
    """
    name, dash, minus = text.partition("-")
    if dash and not re.fullmatch(r"h\d+", minus):
        raise ModelError(f"a context column must be a name, h1 or NAME-h1; got {text!r}")
    own = re.fullmatch(r"h(\d+)", name)
    return Column("" if own else name, int(own[1]) if own else 0, int(minus[1:]) if dash else 0)


class View(NamedTuple):
    """Context columns, the most telling first; `relative` counts intervals from the last symbol, not symbols."""

    columns: tuple[str, ...]
    relative: bool = False


class _Level(NamedTuple):
    """All contexts of one depth, of all views: sorted keys (parent · 2^16 + value), and what followed each."""

    key: Ints           # [n]
    first: Ints         # [n + 1] where the entries of a context begin
    symbol: npt.NDArray[np.int32]   # [m]
    times: npt.NDArray[np.int32]    # [m]
    gain: Floats        # [m] what an entry adds
    rest: Floats        # [n] the share of the shorter context
    trust: npt.NDArray[np.int16]    # [n] depth and number of sightings in one number, which says how far to trust it


class Distribution(NamedTuple):
    """What a view says at one place: the deepest context seen, its depth, and the probabilities it gives."""

    depth: int
    context: int
    probabilities: Floats


class Mixture:
    """Views over one alphabet of symbols 0…size − 1, mixed with weights; `fit` counts, the rest asks.

    >>> song = np.array([0, 1, 2, 0, 1, 2, 0, 1, 3])
    >>> model = Mixture([View(("h1",)), View(("h1", "h2"))], size=4)
    >>> before = np.stack([np.append([-1], song[:-1]), np.append([-1, -1], song[:-2])], axis=1)
    >>> model.fit({}, before, song)
    >>> model.rows({}, np.array([[1, 0]]), np.zeros(1, int)).round(2).tolist()
    [[0.23, 0.13, 0.45, 0.2]]
    """

    ways: tuple[int, ...] = (0, 1)     # weights are learnt with memory, and plain

    def __init__(self, views: Sequence[View], size: int, *, discount: float = 0.8, strength: float = 1.0,
                 prune: int = 1, near: int = 2, most: int = MOST_CONTEXTS) -> None:
        self.views, self.size, self.discount, self.strength, self.prune = tuple(views), size, discount, strength, prune
        self.most = most
        self.columns = [[column(text) for text in view.columns] for view in self.views]
        self.order = max((c.reach for view in self.columns for c in view), default=0)
        self.depth = max((len(view) for view in self.columns), default=0)
        self.relative = np.array([view.relative for view in self.views], bool)
        if self.relative.any():
            self.order = max(self.order, 1)
        if size.bit_length() * (self.order + 1) > 62:
            raise ModelError(f"an alphabet of {size} symbols allows an order of at most "
                             f"{62 // size.bit_length() - 1}; got {self.order}")
        if not 0 <= near <= 2:
            raise ModelError(f"a line that is bound looks 0 to 2 symbols back; got {near}")
        self.near = min(near, self.order)
        self.beyond = np.array([[any(c.reach > near for c in view[:i + 1]) for i in range(self.depth)]
                                for view in self.columns], bool).reshape(len(self.views), self.depth)
        self.names = sorted({c.outside for view in self.columns for c in view if c.outside})
        self.levels: list[_Level] = []
        self.floors: Ints | None = None     # of each view: `prune`, raised where too many contexts would stay
        uses = [np.array([any(c.outside in names for c in view) for view in self.columns], bool)
                for names in (OWN, CHORDS)]
        self.asked = np.array([~(plain & uses[0] | bare & uses[1])
                               for bare in (False, True) for plain in (False, True)])
        self.weights = self._even(1)
        self.worth: Floats = np.ones((4, len(self.views), (self.depth + 1) * len(_SIGHTINGS)))
        self._own = [(v, i, c) for v, view in enumerate(self.columns) for i, c in enumerate(view)
                     if c.reach or c.outside in OWN]
        self._remembered: dict[tuple[int, int], Floats] = {}

    @property
    def counted(self) -> Bools:
        """bool[views]: which views are counted: those with a weight."""
        return np.asarray(self.weights.sum(axis=(0, 1)) > 0)

    def copied(self) -> Self:
        """Another of these with the same counts, for changing them."""
        out = copy.copy(self)
        out._remembered = {}
        return out

    # --- counting --------------------------------------------------------------------------------------------

    def fit(self, outside: Columns, history: npt.NDArray[Any], symbols: npt.NDArray[Any],
            groups: npt.NDArray[Any] | None = None, held_out: Bools | None = None) -> None:
        """Count symbols (int[n]) after their contexts: outside columns (int[n] each) and history (int[n, order]).

        `held_out` (bool[n]) marks rows that the first count leaves out and the weights are learnt on, one set of
        weights for each value of `groups` (int[n] ≥ 0); then all rows are counted.
        """
        self._learn(outside, history, symbols, groups, held_out)
        self._count(outside, history, symbols)

    def _learn(self, outside: Columns, history: npt.NDArray[Any], symbols: npt.NDArray[Any],
               groups: npt.NDArray[Any] | None, held_out: Bools | None) -> None:
        """Learn the weights; where they are learnt, the counts are those without the rows held out."""
        n_groups = int(groups.max()) + 1 if groups is not None and len(groups) else 1
        self.weights = self._even(n_groups)
        self.worth = np.ones((4, len(self.views), (self.depth + 1) * len(_SIGHTINGS)))
        if held_out is not None and held_out.any() and not held_out.all() and len(self.views) > 1:
            self._count(outside, history, symbols, np.flatnonzero(~held_out))
            apart = np.flatnonzero(held_out)
            apart = apart[::len(apart) // _LISTENERS + 1]
            learners = groups[apart] if groups is not None else np.zeros(len(apart), np.int64)
            values = self.values({name: np.asarray(outside[name])[apart] for name in self.names}, history[apart])
            for plain in self.ways:
                shown = self.nearer(values) if plain else values
                chances, trust = self._chances(shown, history[apart], np.asarray(symbols[apart], np.int64))
                for kind in (plain, plain + 2):
                    of = self.asked[kind]
                    if kind > 1 and (of == self.asked[plain]).all():
                        self.weights[kind], self.worth[kind] = self.weights[plain], self.worth[plain]
                    elif of.any():
                        self.weights[kind][:, of], self.worth[kind][of] = learn_weights(
                            chances[of], trust[of], learners, n_groups, self.worth.shape[2])

    def _even(self, n_groups: int) -> Floats:
        """float64[4, groups, views]: equal weights of the views asked in each way (see `kind`)."""
        out = np.repeat(self.asked[:, None, :].astype(np.float64), n_groups, axis=1)
        return np.asarray(out / np.maximum(out.sum(axis=2, keepdims=True), 1))

    def nearer(self, values: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """The values (int16[views, ..., depth]) with every view cut where it looks further back than `near`."""
        cut = self.beyond.reshape(len(self.views), *(1,) * (values.ndim - 2), self.depth)
        return np.where(cut, np.int16(_PAD), values)

    def values(self, outside: Columns, history: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
        """int16[views, rows, depth]: the value of every context column."""
        out = np.full((len(self.views), len(history), self.depth), _PAD, np.int16)
        for v, columns in enumerate(self.columns):
            out[v, :, :len(columns)] = self._view_values(v, outside, history)
        return out

    def _view_values(self, v: int, outside: Columns, history: npt.NDArray[Any],
                     rows: Ints | None = None) -> npt.NDArray[np.int16]:
        """int16[rows, columns of the view]: the values of one view, of all rows or of those said."""
        some: Any = slice(None) if rows is None else rows
        out = np.empty((len(history) if rows is None else len(rows), len(self.columns[v])), np.int16)
        for i, (name, lag, minus) in enumerate(self.columns[v]):
            found = np.asarray(outside[name])[some] if name else history[some, lag - 1]
            if minus:
                less = history[some, minus - 1]
                found = np.where((found < 0) | (less < 0), NO_INTERVAL, found.astype(np.int32) - less)
            out[:, i] = found
        return out

    def _count(self, outside: Columns, history: npt.NDArray[Any], symbols: npt.NDArray[Any],
               rows: Ints | None = None) -> None:
        """Count all rows, or those said, one view after another, so that no more than one is held at a time."""
        self.levels = []
        parts: list[list[tuple[Any, ...]]] = []
        self.floors = np.full(len(self.views), self.prune)
        used = self.counted
        for v in range(len(self.views)):
            some = rows if used[v] else np.zeros(0, np.int64)
            told: Any = slice(None) if some is None else some
            seen = self.steps(history[told], symbols[told]) if self.views[v].relative else symbols[told]
            part, self.floors[v] = count_view(self._view_values(v, outside, history, some), seen.astype(np.int32),
                                              self.alphabet(v), self.prune, self.most)
            parts.append(part)
        shift = np.arange(len(self.views))
        for depth in range(self.depth + 1):
            here = [(v, part[depth]) for v, part in enumerate(parts) if depth < len(part)]
            sizes = np.zeros(len(self.views), np.int64)
            keys, lengths, seen_symbols, counts = [], [], [], []
            for v, (parent, value, length, symbol, count) in here:
                keys.append(((parent + shift[v]) << 16) | (value.astype(np.int64) + SHIFT))
                lengths.append(length)
                seen_symbols.append(symbol)
                counts.append(count)
                sizes[v] = len(parent)
            self.levels.append(self.level(depth, _join(keys), _join(lengths), _join(seen_symbols, np.int32),
                                          _join(counts, np.int32)))
            shift = np.cumsum(sizes) - sizes
        self._remembered = {}

    def level(self, depth: int, key: Ints, length: Ints, symbol: npt.NDArray[Any], count: npt.NDArray[Any]) -> _Level:
        """The contexts of one depth: sorted keys, how many symbols followed each, and those with their counts."""
        first = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
        owner = np.repeat(np.arange(len(key)), length)
        total = np.bincount(owner, count, len(key)) + self.strength
        gain, rest = (count - self.discount) / total[owner], (self.strength + self.discount * length) / total
        trust = depth * len(_SIGHTINGS) + np.searchsorted(_SIGHTINGS, total - self.strength, side="right") - 1
        return _Level(key, first, symbol.astype(np.int32, copy=False), count.astype(np.int32, copy=False), gain, rest,
                      np.maximum(trust, 0).astype(np.int16))

    def alphabet(self, view: int) -> int:
        """How many symbols a view counts: all, or all intervals between two."""
        return 2 * self.size - 1 if self.views[view].relative else self.size

    def steps(self, history: npt.NDArray[Any], symbols: npt.NDArray[Any]) -> Ints:
        """The symbols as intervals from the last ones, from 0 up."""
        last = history[:, 0]
        return np.asarray(symbols, np.int64) - np.where(last < 0, self.size // 2, last) + self.size - 1

    # --- asking, many places at once ---------------------------------------------------------------------------

    def rows(self, outside: Columns, history: npt.NDArray[Any], groups: npt.NDArray[Any]) -> Floats:
        """float64[rows, size]: the distribution of the next symbol at each place."""
        return self.mixed(self.values(outside, history), history, groups)

    def mixed(self, values: npt.NDArray[np.int16], history: npt.NDArray[Any], groups: npt.NDArray[Any],
              kind: int = 0) -> Floats:
        """As `rows`, from the values of the context columns; `kind` is 1 without memory, + 2 without chords."""
        weights = self.weights[kind, np.minimum(groups, self.weights.shape[1] - 1)]
        out, total = np.zeros((len(history), self.size)), np.zeros(len(history))
        for begin in range(0, len(history), _BLOCK):
            rows = slice(begin, begin + _BLOCK)
            for v in range(len(self.views)):
                some = begin + np.flatnonzero(weights[rows, v])
                if len(some):
                    chances, trust = self.view_rows(v, values[v, some], history[some])
                    weight = weights[some, v] * self.worth[kind, v, trust]
                    out[some] += weight[:, None] * chances
                    total[some] += weight
        return out / total[:, None]

    def view_rows(self, v: int, values: npt.NDArray[np.int16], history: npt.NDArray[Any]) -> tuple[Floats, Ints]:
        """What one view gives (float64[rows, size]) and its trust there, from the values of its columns."""
        size = self.alphabet(v)
        trust = np.zeros(len(values), np.int64)
        chances = np.full((len(values), size), 1.0 / size)
        context = np.full(len(values), v, np.int64)
        for depth, level in enumerate(self.levels[:len(self.columns[v]) + 1]):
            if depth:
                context = find_context(level.key, context, values[:, depth - 1])
            alive = np.flatnonzero(context >= 0)
            if not len(alive):
                break
            add_depth(chances, level, alive, context[alive])
            trust[alive] = level.trust[context[alive]]
        return self.absolute(chances, history[:, 0]) if self.views[v].relative else chances, trust

    def absolute(self, chances: Floats, last: npt.NDArray[Any]) -> Floats:
        """Chances of intervals (rows, 2 · size − 1) as those of symbols (rows, size) after the last ones (rows)."""
        start = self.size - 1 - np.where(last < 0, self.size // 2, last)
        out: Floats = np.take_along_axis(chances, start[:, None] + np.arange(self.size), axis=1)
        return np.asarray(out / out.sum(axis=1, keepdims=True))

    def _chances(self, values: npt.NDArray[np.int16], history: npt.NDArray[Any],
                 symbols: npt.NDArray[Any]) -> tuple[Floats, Ints]:
        """What each view gave to the symbol that came, and its trust (float64 and int64[views, rows])."""
        out = np.zeros((len(self.views), len(symbols)))
        trust = np.zeros(out.shape, np.int64)
        for begin in range(0, len(symbols), _BLOCK):
            rows = slice(begin, begin + _BLOCK)
            at = np.arange(len(symbols[rows]))
            for v in range(len(self.views)):
                chances, trust[v, rows] = self.view_rows(v, values[v, rows], history[rows])
                out[v, rows] = chances[at, symbols[rows]]
        return out, trust

    # --- asking, one place -------------------------------------------------------------------------------------

    def one(self, values: npt.NDArray[np.int16], history: Sequence[int], group: int, kind: int = 0) -> Floats:
        """float64[size]: the distribution at one place; `values` int16[views, depth] with own columns filled in."""
        weights = self.weights[kind, min(group, self.weights.shape[1] - 1)]
        out, total = np.zeros(self.size), 0.0
        for v, found in enumerate(self.deepest(values, weights > 0)):
            if found is None:
                continue
            weight = weights[v] * self.worth[kind, v, self.levels[found.depth].trust[found.context]]
            total += weight
            if self.views[v].relative:
                last = history[0] if history and history[0] >= 0 else self.size // 2
                part = found.probabilities[self.size - 1 - last:2 * self.size - 1 - last]
                out += weight * part / part.sum()
            else:
                out += weight * found.probabilities
        return out / total

    def deepest(self, values: npt.NDArray[np.int16], wanted: Bools) -> list[Distribution | None]:
        """What each wanted view says at one place: its deepest context seen there and its probabilities.

        `values` may be of several places, one after another; then so is what is said.
        """
        n = len(self.views)
        contexts = [np.tile(np.arange(n), len(values) // n)]
        for depth in range(1, self.depth + 1):
            contexts.append(find_context(self.levels[depth].key, contexts[-1], values[:, depth - 1]))
        table = np.stack(contexts)
        depths = (table >= 0).sum(axis=0) - 1
        places = [(int(d), int(table[d, v])) for v, d in enumerate(depths)]
        return [Distribution(*place, self._remember(*place, v % n)) if wanted[v % n] else None
                for v, place in enumerate(places)]

    def _remember(self, depth: int, context: int, v: int) -> Floats:
        found = self._remembered.get((depth, context))
        if found is None:
            level = self.levels[depth]
            size = self.alphabet(v)
            shorter = self._remember(depth - 1, int(level.key[context] >> 16), v) if depth else np.full(size, 1 / size)
            found = level.rest[context] * shorter
            begin, end = level.first[context], level.first[context + 1]
            found[level.symbol[begin:end]] += level.gain[begin:end]
            if len(self._remembered) * self.size > _REMEMBERED:
                self._remembered.clear()
            self._remembered[depth, context] = found
        return found

    def fill_own(self, values: npt.NDArray[np.int16], outside: Mapping[str, int], history: Sequence[int]) -> None:
        """Put the columns that hang on the line's own last symbols into `values` (int16[views, depth])."""
        for v, i, (name, lag, minus) in self._own:
            found = outside[name] if name else history[lag - 1]
            if minus:
                less = history[minus - 1]
                found = NO_INTERVAL if found < 0 or less < 0 else found - less
            values[v, i] = found

    # --- saving ------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """What was counted, as small arrays: `restore` takes them back."""
        out: dict[str, npt.NDArray[Any]] = {"weights": self.weights, "worth": self.worth}
        if self.floors is not None:
            out["floors"] = self.floors.astype(np.int32)
        for depth, level in enumerate(self.levels):
            parents = len(self.levels[depth - 1].key) if depth else len(self.views)
            out[f"{depth}.children"] = _small(np.bincount(level.key >> 16, minlength=parents))
            out[f"{depth}.value"] = ((level.key & 0xFFFF) - SHIFT).astype(np.int16)
            out[f"{depth}.kinds"] = _small(np.diff(level.first))
            out[f"{depth}.symbol"] = _small(level.symbol)
            out[f"{depth}.count"] = _small(level.times)
        return out

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take back what `state` gave."""
        self.weights, self.worth = (np.asarray(arrays[name], np.float64) for name in ("weights", "worth"))
        self.levels = []
        for depth in range(self.depth + 1):
            children = arrays[f"{depth}.children"].astype(np.int64)
            key = np.repeat(np.arange(len(children)), children) << 16 | (
                arrays[f"{depth}.value"].astype(np.int64) + SHIFT)
            self.levels.append(self.level(depth, key, *(arrays[f"{depth}.{name}"].astype(np.int64)
                                                 for name in ("kinds", "symbol", "count"))))
        self.floors = np.asarray(arrays["floors"], np.int64) if "floors" in arrays else None
        self._remembered = {}


# --- counting one view -------------------------------------------------------------------------------------------


def count_view(values: npt.NDArray[np.int16], symbols: npt.NDArray[np.int32], size: int, prune: int,
               most: int) -> tuple[list[tuple[Ints, npt.NDArray[np.int16], Ints, Shorter, Shorter]], int]:
    """One tuple a depth: parent and value of each context, how many kinds followed it, the kinds and their counts.

    Contexts of two and more columns seen fewer than `prune` times are dropped; where more than `most` would stay, that
    number is raised until they do not, and comes back too.
    """
    rows, depth = values.shape
    order = np.lexsort((symbols.astype(np.int16 if size < 1 << 15 else np.int32), *values.T[::-1]))    # int16: by radix
    values, symbols = values[order], symbols[order]
    del order
    new = np.zeros(rows, bool)
    new[:1] = True
    begins = [np.zeros(1, np.int64)]                # of every context in the sorted rows, depth by depth
    nodes = [(np.zeros(1, np.int64), np.zeros(1, np.int16))]
    for d in range(depth):
        new[1:] |= values[1:, d] != values[:-1, d]
        begins.append(np.flatnonzero(new))
        nodes.append((np.searchsorted(begins[d], begins[-1], side="right") - 1, values[begins[-1], d]))
    new[1:] |= symbols[1:] != symbols[:-1]
    first = np.flatnonzero(new)
    context, kind = np.searchsorted(begins[-1], first, side="right") - 1, symbols[first].astype(np.int64)
    counts = _lengths(first, rows)
    del values, symbols, new, first
    sightings = [_lengths(begin, rows) for begin in begins]
    while sum(int((seen >= prune).sum()) for seen in sightings[2:]) > most:
        prune += 1
    keep = [seen >= (prune if d > 1 else 0) for d, seen in enumerate(sightings)]
    found = []
    for d in range(depth, -1, -1):                  # what stands under a shorter context: in how many longer ones
        stays = keep[d][context]
        found.append((context[stays], kind[stays], counts[stays]))
        if d:
            pairs = np.sort(nodes[d][0][context] * size + kind)
            at = np.flatnonzero(np.append(True, pairs[1:] != pairs[:-1])[:len(pairs)])
            context, kind, counts = pairs[at] // size, pairs[at] % size, _lengths(at, len(pairs))
    out, number = [], np.zeros(1, np.int64)
    for (parent, value), stay, (context, kind, counts) in zip(nodes, keep, found[::-1], strict=True):
        kinds = np.bincount(context, minlength=len(parent))
        out.append((number[parent[stay]], value[stay], kinds[stay], kind.astype(np.int32), counts.astype(np.int32)))
        number = np.cumsum(stay) - 1
    return out, prune


def _lengths(begins: Ints, rows: int) -> Ints:
    """How many rows each run has that begins there."""
    return np.asarray(np.diff(np.append(begins, rows)), np.int64)


def _join(parts: Sequence[npt.NDArray[Any]], kind: type = np.int64) -> npt.NDArray[Any]:
    return np.concatenate(parts).astype(kind, copy=False) if parts else np.zeros(0, kind)


def _small(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    high = int(values.max()) if len(values) else 0
    return values.astype(np.uint8 if high < 256 else np.uint16 if high < 65536 else np.int32)


def find_context(key: Ints, parent: Ints, value: npt.NDArray[Any]) -> Ints:
    """The context under each parent with that value, or −1."""
    wanted = (parent << 16) | (value.astype(np.int64) + SHIFT)
    if not len(key):
        return np.full(len(wanted), -1, np.int64)
    at = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    return np.where((key[at] == wanted) & (parent >= 0), at, -1)


def add_depth(chances: Floats, level: _Level, rows: Ints, context: Ints) -> None:
    """Interpolate one depth into the rows given (no row twice): scale what was there and add what was seen."""
    scale = np.ones(len(chances))
    scale[rows] = level.rest[context]
    chances *= scale[:, None]
    begin = level.first[context]
    length = level.first[context + 1] - begin
    entry = np.arange(int(length.sum())) + np.repeat(begin - (np.cumsum(length) - length), length)
    chances.reshape(-1)[np.repeat(rows * chances.shape[1], length) + level.symbol[entry]] += level.gain[entry]
