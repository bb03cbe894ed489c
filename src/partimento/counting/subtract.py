"""Taking rows out of what was counted, so that what stays is what would have been counted without them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.counting.mixture import Columns, Ints, Mixture, count_view, find_context
from partimento.errors import ModelError

Bools = npt.NDArray[np.bool_]


class _Own(NamedTuple):
    """What the rows have at one depth of one view: where in the level each of their contexts lies (−1: it was dropped),
    whose context each entry is, its symbol, and how many times it came."""

    parent: Ints
    place: Ints
    owner: Ints
    symbol: Ints
    times: Ints


def subtract(mixture: Mixture, outside: Columns, history: npt.NDArray[Any],
             symbols: npt.NDArray[Any]) -> tuple[Mixture, int]:
    """A mixture without rows that it has counted (as `Mixture.fit` took them), and how many counts are in doubt.

    The weights and the number of sightings below which a view drops contexts stay as they are. At these settings what
    stays is what a count without the rows would be, wherever that number is 1 or 2: of a context that was dropped, seen
    once, the one sighting was that of the row. Above it cannot be told whether a dropped context was seen in other rows
    too: it is taken to have been seen in these alone, so that nothing stays that they alone brought; each count that
    hangs on it is in doubt, and may be lower than it should. ModelError where the rows were never counted.

    >>> from partimento.counting.mixture import View
    >>> song = np.array([0, 1, 0, 1, 2])
    >>> before = np.array([[-1], [0], [1], [0], [1]])
    >>> model = Mixture([View(("h1",))], size=3)
    >>> model.fit({}, before, song)
    >>> subtract(model, {}, before[3:], song[3:])[0].levels[1].times.tolist()
    [1, 1, 1]
    """
    out = mixture.copied()
    out.floors = floors = _floors(mixture)
    if not len(symbols):
        return out, 0
    left = [level.times.astype(np.int64) for level in mixture.levels]
    touched = [np.zeros(len(level.key), bool) for level in mixture.levels]
    doubts = 0
    used = np.flatnonzero(mixture.counted)
    values = mixture.values(outside, history)
    for v in used.tolist():
        seen = mixture.steps(history, symbols) if mixture.views[v].relative else symbols
        own = _own(mixture, v, values[v, :, :len(mixture.columns[v])], np.asarray(seen, np.int32))
        doubts += _take(mixture, own, left, touched, int(floors[v]))
    out.levels, unsure = _kept(mixture, left, touched, floors)
    return out, doubts + unsure


def _own(mixture: Mixture, v: int, values: npt.NDArray[np.int16], symbols: npt.NDArray[np.int32]) -> list[_Own]:
    """The contexts and entries of the rows in one view, depth by depth."""
    out: list[_Own] = []
    place = np.array([v])
    for depth, (parent, value, kinds, symbol, times) in enumerate(count_view(values, symbols, mixture.alphabet(v), 1,
                                                                             len(symbols) * values.shape[1])[0]):
        if depth:
            place = find_context(mixture.levels[depth].key, place[parent], value)
        out.append(_Own(parent, place, np.repeat(np.arange(len(parent)), kinds), symbol.astype(np.int64),
                        times.astype(np.int64)))
    return out


def _take(mixture: Mixture, own: list[_Own], left: list[Ints], touched: list[Bools], floor: int) -> int:
    """Subtract one view from the deepest contexts up; how many counts are in doubt."""
    doubts = 0
    going = doubtful = np.zeros(0, bool)
    below = own[-1]
    sightings = np.zeros(0, np.int64)
    for depth in range(len(own) - 1, -1, -1):
        here, level = own[depth], mixture.levels[depth]
        n, size = len(here.place), int(here.symbol.max()) + 1
        if here is below:
            taken, unsure = here.times, np.zeros(len(here.times), bool)
            sightings = np.bincount(here.owner, here.times, n).astype(np.int64)
        else:                       # an entry loses one for every longer context that loses the symbol
            entry = np.searchsorted(here.owner * size + here.symbol, below.parent[below.owner] * size + below.symbol)
            taken = np.bincount(entry[going], minlength=len(here.symbol)).astype(np.int64)
            unsure = np.bincount(entry[doubtful], minlength=len(here.symbol)) > 0
            sightings = np.bincount(below.parent, sightings, n).astype(np.int64)
        known = here.place[here.owner] >= 0
        at = _entries(level.first, level.symbol, here.place[here.owner[known]], here.symbol[known])
        if (at < 0).any() or (left[depth][at] < taken[known]).any():
            raise ModelError("only what was learnt can be forgotten; this music has what was never counted")
        left[depth][at] -= taken[known]
        touched[depth][here.place[here.place >= 0]] = True
        going = np.ones(len(here.symbol), bool)
        going[known] = left[depth][at] == 0
        doubtful = np.zeros(len(here.symbol), bool)
        doubtful[~known] = (floor > 2) & (sightings[here.owner[~known]] < floor - 1)
        doubtful[known] = unsure[known] & going[known]
        doubts += int((unsure & known).sum())
        below = here
    return doubts


def _entries(first: Ints, symbol: npt.NDArray[Any], context: Ints, wanted: Ints) -> Ints:
    """Where among the entries of a level each (context, symbol) stands; −1 where it does not."""
    low, high = first[context], first[context + 1]
    end = high.copy()
    while (open_rows := low < high).any():
        middle = (low + high) // 2
        less = open_rows & (symbol[np.minimum(middle, len(symbol) - 1)] < wanted)
        low = np.where(less, middle + 1, low)
        high = np.where(open_rows & ~less, middle, high)
    found = low < end
    found[found] = symbol[low[found]] == wanted[found]
    return np.where(found, low, -1)


def _kept(mixture: Mixture, left: list[Ints], touched: list[Bools], floors: Ints) -> tuple[list[Any], int]:
    """The levels of what is left, and how many contexts go that may have been seen often enough to stay."""
    doubts = 0
    seen = [np.zeros(0, np.int64)] * len(left)
    alive = [_per_context(np.repeat(np.arange(len(level.key)), np.diff(level.first)), times > 0, len(level.key))
             for level, times in zip(mixture.levels, left, strict=True)]
    views = [np.arange(len(mixture.views))]
    for level in mixture.levels[1:]:
        views.append(views[-1][level.key >> 16])
    for depth in range(len(left) - 1, -1, -1):      # every kind after a dropped context was a sighting, or more
        level = mixture.levels[depth]
        seen[depth] = _per_context(np.repeat(np.arange(len(level.key)), np.diff(level.first)), left[depth],
                                   len(level.key))
        if depth + 1 < len(left):
            parent = mixture.levels[depth + 1].key >> 16
            seen[depth] += _per_context(parent, seen[depth + 1] - alive[depth + 1], len(level.key))
    stays = np.ones(len(mixture.views), bool)
    number, out = np.arange(len(mixture.views)), []
    for depth, level in enumerate(mixture.levels):
        kinds = np.diff(level.first)
        if depth:
            parent = level.key >> 16
            few = touched[depth] & (seen[depth] < (floors[views[depth]] if depth > 1 else 1))
            deepest = np.array([len(columns) for columns in mixture.columns])[views[depth]] == depth
            doubts += int((few & (seen[depth] > 0) & (floors[views[depth]] > 2) & ~deepest).sum())
            stays = stays[parent] & ~few
            key = number[parent[stays]] << 16 | (level.key[stays] & 0xFFFF)
            number = np.cumsum(stays) - 1
        else:
            key = level.key
        entries = np.repeat(stays, kinds) & (left[depth] > 0)
        out.append(mixture.level(depth, key, alive[depth][stays], level.symbol[entries],
                                 left[depth][entries].astype(np.int32)))
    return out, doubts


def _per_context(owner: Ints, values: npt.NDArray[Any], contexts: int) -> Ints:
    return np.bincount(owner, values, contexts).astype(np.int64)


def _floors(mixture: Mixture) -> Ints:
    """How often a context of each view was seen at least to be kept; of an older model the least that is found."""
    if mixture.floors is not None:
        return mixture.floors
    out = np.full(len(mixture.views), mixture.prune)
    view = np.arange(len(mixture.views))
    for depth in range(1, mixture.depth + 1):
        level, above = mixture.levels[depth], mixture.levels[depth - 1]
        kinds = _per_context(level.key >> 16, np.diff(level.first), len(above.key))
        counted = np.add.reduceat(np.append(above.times, 0), above.first[:-1]) if len(above.key) else kinds
        dropped = np.bincount(view, (counted - kinds > 0) & (np.diff(above.first) > 0), len(out)) > 0
        view = view[level.key >> 16]
        for v in np.flatnonzero([len(columns) == depth for columns in mixture.columns]).tolist():
            own = np.flatnonzero(view == v)
            if depth > 1 and len(own) and dropped[v]:
                seen = np.add.reduceat(np.append(level.times, 0), level.first[:-1])[own]
                out[v] = max(mixture.prune, int(seen.min()))
    return out
