"""What a line may meet ahead: the chance that all its conditions are met, by the symbols before each place.

A history that no view and nothing further ahead tells apart from a shorter one has that one's chance, so only those
histories are kept that some view has stored. What a view gives after a history is what it gives after the shorter one,
scaled, and a few stored symbols more; so no distribution is written out beyond the first symbol: a chance of meeting
what is ahead is the sum over those few. Which contexts a history finds does not hang on what is ahead; they are looked
up for many places at once, and only the sums go place by place, backwards.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from partimento.counting.memory import MISSING
from partimento.counting.mixture import NO_INTERVAL, SHIFT, Bools, Floats, Ints, Mixture, add_depth, find_context

_ROOM = 150_000           # contexts looked up at once, about


class Ahead(NamedTuple):
    """Chance of meeting every condition later, by the symbol chosen now and those before it, divided by exp(`log`).

    `floor` (float[size]) is by the symbol alone; `levels[d]` holds sorted packed (symbol, last, …) of d + 1 symbols and
    their chances, which overrule the shallower ones.
    """

    floor: Floats
    levels: list[tuple[Ints, Floats]]
    log: float


class Bound(Protocol):
    """What is asked of a line: its mixture, its conditions, and its columns."""

    mixture: Mixture
    legal: Bools | None
    allowed: Bools | None
    kind: int
    groups: Ints

    @property
    def given(self) -> Ints:
        """int64[views, places, depth]: the columns from outside, of an interval what it is less from."""

    def preceded(self, origin: Ints, symbol: Ints) -> tuple[Bools, Ints]:
        """Which of n symbols can have led to n places, and whence."""


class _Contexts(NamedTuple):
    """Of every view as far as it looks back no further than it may: how many columns it has (int64[views]), and of
    each its `reach`, `lag` and `minus` (int64[views, depth])."""

    width: Ints
    reach: Ints
    lag: Ints
    minus: Ints

    @classmethod
    def of(cls, mixture: Mixture) -> _Contexts:
        """Those of a mixture."""
        width = [min(int((~beyond).sum()), len(view)) for beyond, view in zip(mixture.beyond, mixture.columns,
                                                                              strict=True)]
        out = cls(np.array(width, np.int64), *np.zeros((3, len(mixture.views), max(mixture.depth, 1)), np.int64))
        for v, view in enumerate(mixture.columns):
            for i, one in enumerate(view):
                out.reach[v, i], out.lag[v, i], out.minus[v, i] = one.reach, one.lag, one.minus
        return out


class _Entries(NamedTuple):
    """Stored symbols of some histories: whose (view and node), which symbol, and what each adds before scaling."""

    view: Ints
    node: Ints
    symbol: Ints
    gain: Floats

    @classmethod
    def joined(cls, parts: Sequence[_Entries]) -> _Entries:
        """Those of several."""
        if len(parts) == 1:
            return parts[0]
        none = np.zeros(0, np.int64)
        view, node, symbol = (np.concatenate([none, *(part[i] for part in parts)]) for i in range(3))
        return cls(view, node, symbol, np.concatenate([np.zeros(0), *(part.gain for part in parts)]))

    def where(self, mask: Bools | Ints) -> _Entries:
        """Those said."""
        return _Entries(self.view[mask], self.node[mask], self.symbol[mask], self.gain[mask])


class _Histories(NamedTuple):
    """The histories of one length at one place: packed (last, last but one, …) and sorted, each after its `parent`.

    `worth` (float[views, n]) is what each view counts for, `legal` (float[views, n]) what its stored symbols give the
    legal ones, and those stored that are allowed too are `row` (view · n + node), `node`, `symbol` and `gain`.
    """

    packed: Ints
    parent: Ints
    last: Ints
    worth: Floats
    legal: Floats
    row: Ints
    node: Ints
    symbol: Ints
    gain: Floats


@dataclasses.dataclass
class Place:
    """All that is known of a place before what is ahead of it: what the views say first, and its histories."""

    size: int
    near: int
    absolute: Floats                # [views, size]
    relative: Floats                # [views, 2 · size − 1], of intervals
    legal: Floats                   # [size]
    allowed: Floats                 # [size], of the legal ones
    histories: list[_Histories]      # by length, from 1 on; of length 0 alone where nothing is looked back at

    def values(self, ahead: Ahead) -> list[tuple[Ints, Floats]]:
        """Packed histories and the chance of meeting all conditions from here on after each, one pair a length."""
        width = self.size + 1
        met = _overruled(ahead.floor[None].copy(), np.zeros(1, np.int64), ahead, 0, width)
        out = []
        for length, own in enumerate(self.histories, 1 if self.near else 0):
            if length < 2:
                met = _overruled(met[own.parent], own.packed, ahead, length, width)
                wanted = met * self.allowed
                found, legal = self._first(own.last, wanted)
                stored = wanted[own.node, own.symbol]
            else:
                found, legal = found[:, own.parent], legal[:, own.parent]
                stored = wanted[own.parent[own.node], own.symbol]
            found = found + np.bincount(own.row, own.gain * stored, found.size).reshape(found.shape)
            legal = legal + own.legal
            out.append((own.packed, (own.worth * found).sum(axis=0) / (own.worth * legal).sum(axis=0)))
        return out

    def _first(self, last: Ints, wanted: Floats) -> tuple[Floats, Floats]:
        """What every view, no history known, gives what is wanted (float[n, size]), and the legal symbols."""
        found = np.empty((len(self.absolute) + len(self.relative), len(last)))
        legal, first = np.empty_like(found), len(self.absolute)
        found[:first] = self.absolute @ wanted.T
        legal[:first] = (self.absolute @ self.legal)[:, None]
        if len(self.relative):
            windows = np.lib.stride_tricks.sliding_window_view(self.relative, self.size, axis=1)
            seen = windows[:, _start(last, self.size)]
            found[first:] = np.einsum("vns,ns->vn", seen, wanted)
            legal[first:] = seen @ self.legal
        return found, legal


def _overruled(met: Floats, packed: Ints, ahead: Ahead, length: int, width: int) -> Floats:
    """The chances (float[n, size]) of meeting what is ahead, where those after a history of this length say more."""
    if length < len(ahead.levels):
        keys, chances = ahead.levels[length]
        node = where(packed, keys % width ** length)
        met[node[node >= 0], (keys // width ** length - 1)[node >= 0]] = chances[node >= 0]
    return met


def places_back(line: Bound, places: Ints) -> Iterator[Place]:
    """What is known of the places of a line, one after another, looked up many at once."""
    contexts = _Contexts.of(line.mixture)
    at, count = 0, 8
    groups = np.minimum(np.asarray(line.groups, np.int64), line.mixture.weights.shape[1] - 1)
    while at < len(places):
        block = places[at:at + count]
        other = np.flatnonzero(groups[block] != groups[block[0]])
        block = block[:int(other[0])] if len(other) else block
        found = _histories_at(line, contexts, block, int(groups[block[0]]))
        yield from found
        at += len(block)
        nodes = sum(len(own.packed) for place in found for own in place.histories)
        count = max(1, min(256, _ROOM * len(block) // max(nodes * len(line.mixture.views), 1)))


def _histories_at(line: Bound, contexts: _Contexts, places: Ints, group: int) -> list[Place]:
    """What is known of some places where the views weigh alike."""
    mixture = line.mixture
    width, near = mixture.size + 1, mixture.near
    weights = mixture.weights[line.kind, group]
    kinds = [np.flatnonzero((weights > 0) & (mixture.relative == kind)) for kind in (False, True)]
    owner = np.arange(len(places))
    legal = np.ones((len(places), mixture.size), bool) if line.legal is None else line.legal[places]
    free = legal if line.allowed is None else legal & line.allowed[places]
    fronts = [_Front(mixture, contexts, line.kind, views, weights[views], line.given[views][:, places], legal, free)
              for views in kinds if len(views)]
    packed, history, origin = np.zeros(len(places), np.int64), np.zeros((len(places), 0), np.int64), places
    none = np.zeros((0, 1))
    out = [Place(mixture.size, near, none, none, legal[p].astype(np.float64), free[p].astype(np.float64), [])
           for p in owner.tolist()]
    parent, begins = owner, owner
    for length in range(near + 1):
        if length:
            if length == 1:
                keys = np.arange(len(places) * width)
            else:
                one, value = (np.concatenate(each) for each in zip(
                    *(front.longer(length, history, width) for front in fronts), strict=True))
                keys = np.unique((owner[one] * width ** (length - 1) + packed[one]) * width + value + 1)
            whole = owner * width ** (length - 1) + packed
            parent = where(whole, keys // width)
            keys, parent = keys[parent >= 0], parent[parent >= 0]
            possible, whence = line.preceded(origin[parent], keys % width - 1)
            keys, parent, origin = keys[possible], parent[possible], whence[possible]
            if not len(keys):
                break
            history = np.concatenate([history[parent], (keys % width - 1)[:, None]], axis=1)
            packed, owner = keys % width ** length, owner[parent]
            for front in fronts:
                front.take(parent, history[:, 0])
        for front in fronts:
            front.advance(length, history)
        if length == 0:
            for front in fronts:
                front.first(out)
            if near:
                continue
        last = history[:, 0] if length else np.full(len(owner), MISSING)
        begins = _told(out, fronts, owner, packed, parent - begins[owner], last)
    return out


def _told(places: list[Place], fronts: Sequence[_Front], owner: Ints, packed: Ints, parent: Ints, last: Ints,
          ) -> Ints:
    """Give every place its histories of one length; where those of each place begin, for the next length."""
    ends = np.searchsorted(owner, np.arange(len(places) + 1))
    begins, count = ends[:-1], np.diff(ends)
    worth, legal = (np.concatenate(each) for each in zip(*(front.said() for front in fronts), strict=True))
    stored = _Entries.joined([entries._replace(view=entries.view + number) for front, number in zip(
        fronts, (0, len(fronts[0].views)), strict=False) for entries in front.entries])
    here = owner[stored.node].astype(np.int16)      # of such, sorting takes no comparisons
    if len(places) > 1:
        order = np.argsort(here, kind="stable")
        stored, here = stored.where(order), here[order]
    cuts = np.searchsorted(here, np.arange(len(places) + 1)).tolist()
    node = stored.node - begins[here]
    row = stored.view * count[here] + node
    for p, place in enumerate(places):
        own, some = slice(int(ends[p]), int(ends[p + 1])), slice(cuts[p], cuts[p + 1])
        if own.start < own.stop:
            place.histories.append(_Histories(packed[own], parent[own], last[own], worth[:, own], legal[:, own],
                                             row[some], node[some], stored.symbol[some], stored.gain[some]))
    return np.asarray(begins, np.int64)


class _Front:
    """How far some views, all relative or none, have gone down their contexts at some places, for every history of the
    length reached: all views at once, a depth at a time."""

    def __init__(self, mixture: Mixture, contexts: _Contexts, kind: int, views: Ints, weights: Floats, given: Ints,
                 legal: Bools, free: Bools) -> None:
        self.mixture, self.kind, self.views, self.weights, self.given = mixture, kind, views, weights, given
        self.fate = legal.astype(np.int8) + free    # of a symbol at a place: 0 is not legal, 2 is allowed too
        self.wide, self.reach, self.lag, self.minus = (column[views] for column in contexts)
        self.is_relative = bool(mixture.relative[views[0]])
        self.done = np.zeros(len(views), np.int64)
        shape = (len(views), given.shape[1])
        self.context = np.repeat(views[:, None].astype(np.int64), shape[1], axis=1)
        size = mixture.alphabet(int(views[0]))
        self.chances = np.full((*shape, size), 1.0 / size)
        self.scale = np.ones(shape)
        self.owner, self.start = np.arange(shape[1]), _start(np.full(shape[1], MISSING), mixture.size)
        self.entries: list[_Entries] = []
        self.mass, self.legal = np.zeros(shape), np.zeros(shape)
        self._look(0, np.arange(len(views)), dense=True)

    def _look(self, depth: int, which: Ints, dense: bool) -> None:
        """Interpolate what the contexts of some views say at a depth."""
        level = self.mixture.levels[depth]
        if not depth:
            self.trust = level.trust[self.context]
        row, node = np.nonzero(self.context[which] >= 0)
        if not len(row):
            return
        row = which[row]
        found = self.context[row, node]
        self.trust[row, node] = level.trust[found]
        if dense:
            add_depth(self.chances.reshape(self.context.size, -1), level, row * self.context.shape[1] + node, found)
            return
        self.scale[row, node] *= level.rest[found]
        scale, begin = self.scale[row, node], level.first[found]
        count = level.first[found + 1] - begin
        whose, entry = np.repeat(np.arange(len(row)), count), _ranges(begin, count)
        symbol = level.symbol[entry].astype(np.int64)
        if self.is_relative:
            symbol -= self.start[node][whose]
            inside = np.flatnonzero((symbol >= 0) & (symbol < self.mixture.size))
            whose, entry, symbol = whose[inside], entry[inside], symbol[inside]
            self.mass[row, node] += np.bincount(whose, level.gain[entry], len(row)) / scale
        fate = self.fate.ravel()[(self.owner[node] * self.mixture.size)[whose] + symbol]
        legal = np.flatnonzero(fate)
        whose, entry, symbol, fate = whose[legal], entry[legal], symbol[legal], fate[legal]
        gain = level.gain[entry]
        self.legal[row, node] += np.bincount(whose, gain, len(row)) / scale
        if not (fate > 1).all():
            free = np.flatnonzero(fate > 1)
            whose, symbol, gain = whose[free], symbol[free], gain[free]
        self.entries.append(_Entries(row[whose], node[whose], symbol, gain / scale[whose]))

    def _ready(self, depth: int, least: int, most: int) -> Ints:
        """The views whose next column is that of this depth and looks so far back."""
        reach = self.reach[:, min(depth, self.reach.shape[1] - 1)]
        return np.flatnonzero((self.done == depth) & (depth < self.wide) & (least <= reach) & (reach <= most))

    def longer(self, length: int, history: Ints, width: int) -> tuple[Ints, Ints]:
        """Histories one symbol longer that some view has stored after those reached: after which, and the symbol."""
        nodes, values = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for depth in np.unique(self.done).tolist():
            which = self._ready(depth, length, length)
            if not len(which):
                continue
            key = self.mixture.levels[depth + 1].key
            row, node = np.nonzero(self.context[which] >= 0)
            view, context = which[row], self.context[which[row], node]
            begin = np.searchsorted(key, context << 16)
            count = np.searchsorted(key, (context + 1) << 16) - begin
            view, node = np.repeat(view, count), np.repeat(node, count)
            value = (key[_ranges(begin, count)] & 0xFFFF) - SHIFT
            above = np.where(self.lag[view, depth] > 0, history[node, length - 2],
                             self.given[view, self.owner[node], depth])
            value = np.where(self.minus[view, depth] == 0, value,
                             np.where(value == NO_INTERVAL, MISSING, above - value))
            valid = (value >= MISSING) & (value < width - 1)
            nodes.append(node[valid])
            values.append(value[valid])
        return np.concatenate(nodes), np.concatenate(values)

    def take(self, parent: Ints, last: Ints) -> None:
        """Go on with longer histories, each after its parent; what is stored from here on is theirs alone."""
        for name in ("context", "scale", "trust", "mass"):
            setattr(self, name, np.take(getattr(self, name), parent, axis=1))
        self.owner, self.start = self.owner[parent], _start(last, self.mixture.size)
        self.entries, self.legal = [], np.zeros(self.context.shape)

    def advance(self, length: int, history: Ints) -> None:
        """Go down every column that a history of this length can answer."""
        past = history.T
        for depth in range(self.mixture.depth):
            which = self._ready(depth, 0, length)
            if not len(which):
                continue
            row, node = np.nonzero(self.context[which] >= 0)
            row = which[row]
            value = self.given[row, self.owner[node], depth]
            lag, minus = self.lag[row, depth], self.minus[row, depth]
            if lag.any():
                value = np.where(lag > 0, past[np.maximum(lag - 1, 0), node], value)
            if minus.any():
                less = past[np.maximum(minus - 1, 0), node]
                apart = np.where((value < 0) | (less < 0), NO_INTERVAL, value - less)
                value = np.where(minus > 0, apart, value)
            self.context[row, node] = find_context(self.mixture.levels[depth + 1].key, self.context[row, node], value)
            self.done[which] += 1
            self._look(depth + 1, which, dense=not length)

    def first(self, places: list[Place]) -> None:
        """Give every place what the views say before any history, and start from there."""
        for p, place in enumerate(places):
            if self.is_relative:
                place.relative = self.chances[:, p]
            else:
                place.absolute = self.chances[:, p]
        if self.is_relative:
            self.below = np.append(np.zeros((*self.chances.shape[:2], 1)), np.cumsum(self.chances, axis=2), axis=2)

    def said(self) -> tuple[Floats, Floats]:
        """What each view counts for after each history, and what is stored there of what is legal (float[views, n])."""
        worth = self.weights[:, None] * self.mixture.worth[self.kind, self.views[:, None], self.trust]
        if not self.is_relative:
            return worth * self.scale, self.legal
        view, start = np.arange(len(self.views))[:, None], self.start
        first = self.below[view, self.owner, start + self.mixture.size] - self.below[view, self.owner, start]
        return worth / (first + self.mass), self.legal


def _start(last: Ints, size: int) -> Ints:
    """Where the symbols begin among the intervals from the last ones."""
    return np.asarray(size - 1 - np.where(last < 0, size // 2, last), np.int64)


def _ranges(begin: Ints, count: Ints) -> Ints:
    """All of begin … begin + count − 1, one after another."""
    return np.asarray(np.arange(int(count.sum())) + np.repeat(begin - (np.cumsum(count) - count), count), np.int64)


def where(ordered: Ints, wanted: Ints) -> Ints:
    """Where each wanted value stands in a sorted array, or −1."""
    if not len(ordered):
        return np.full(len(wanted), -1, np.int64)
    at = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    return np.where(ordered[at] == wanted, at, -1)
