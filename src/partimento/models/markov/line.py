"""A whole line drawn or weighed with conditions: backward values over the stored contexts of a mixture of n-grams."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.counting.memory import MEMORY, MISSING, Memory, echoes
from partimento.counting.mixture import (
    NO_INTERVAL,
    SHIFT,
    Bools,
    Columns,
    Floats,
    Ints,
    Mixture,
    add_depth,
    find_context,
)
from partimento.errors import ModelError
from partimento.models.markov.taste import Taste, is_sharpened
from partimento.sampling import draw, shape

NO_WAY = ("what is kept, the range, the key and the chords must leave a pitch for every new note; here they leave no "
          "way to go on: widen the range, or let go of the key, the chords or more notes")


class _Ahead(NamedTuple):
    """Chance of meeting every condition later, by the symbol chosen now and those before it, divided by exp(`log`).

    `floor` (float[size]) is by the symbol alone; `levels[d]` holds sorted packed (symbol, last, …) of d + 1 symbols and
    their chances, which overrule the shallower ones.
    """

    floor: Floats
    levels: list[tuple[Ints, Floats]]
    log: float


class _Contexts(NamedTuple):
    """Of every view as far as it looks back no further than it may: how many columns it has (int64[views]), and of
    each its `reach`, `lag` and `minus` (int64[views, depth])."""

    width: Ints
    reach: Ints
    lag: Ints
    minus: Ints


@dataclasses.dataclass
class Line:
    """A line to be written at places 0…n − 1, from place `start` on, after the symbols `before` (the last one first).

    `outside` gives the context columns (int[n] each) and `groups` (int[n]) the weights at each place. A symbol moves
    on by `jump[symbol]` places, or by one where that is None; with jumps, all symbols that reach past the last place
    are one: the end. Symbols outside `legal` (bool[n, size]) cannot be and their chance goes to the others; symbols
    outside `allowed` (bool[n, size]) do not happen to come: the line is drawn given that, by the plain views alone.
    `taste` (of place and history, bool[size]) says what a sharpened draw takes as long as anything is left.
    """

    mixture: Mixture
    outside: Columns
    groups: npt.NDArray[Any]
    before: tuple[int, ...] = ()
    start: int = 0
    jump: Ints | None = None
    legal: Bools | None = None
    allowed: Bools | None = None
    taste: Taste | None = None

    def __post_init__(self) -> None:
        mixture = self.mixture
        self.places = len(self.groups)
        self.outside = {name: np.full(self.places, MISSING) if name in MEMORY else np.asarray(self.outside[name])
                        for name in mixture.names}
        self.past = tuple(self.before)[::-1]
        self.before = (tuple(self.before) + (MISSING,) * mixture.order)[:mixture.order]
        self._values = mixture.values(self.outside, np.full((self.places, max(mixture.order, 1)), MISSING))
        self._jump = np.ones(mixture.size, np.int64) if self.jump is None else self.jump
        bound = np.flatnonzero(~self.allowed.all(axis=1)) if self.allowed is not None else np.zeros(0, np.int64)
        self._last = int(bound[-1]) if len(bound) else -1
        self.plain = self.allowed is not None
        self.kind = int(self.plain) + (0 if "chord" in self.outside and (self.outside["chord"] >= 0).any() else 2)

    # --- probability -----------------------------------------------------------------------------------------

    def log_prob(self, symbols: Sequence[int]) -> float:
        """Log-probability in nats of the whole line, given the conditions; −inf where it breaks one."""
        places, _ = self._walk(symbols)
        chances = self.chances(symbols)
        if self.allowed is not None:
            chances = chances * self.allowed[places]
        picked = chances[np.arange(len(symbols)), np.asarray(symbols, np.intp)]
        if self.jump is not None and len(places):
            ends = places[-1] + self.jump >= self.places
            if ends[symbols[-1]]:
                picked[-1] = chances[-1, ends].sum()
        with np.errstate(divide="ignore"):
            total = float(np.log(picked).sum())
        return total - self.log_chance()

    def chances(self, symbols: Sequence[int]) -> Floats:
        """float64[n, size]: the chances of the legal symbols where each of these stands, after those before it."""
        places, history = self._walk(symbols)
        outside = {n: c[places] for n, c in self.outside.items()}
        if not self.plain:
            echo, match = echoes(np.array([*self.past, *symbols], np.int64))
            outside |= {"echo": echo[len(self.past):], "match": match[len(self.past):]}
        values = self.mixture.values(outside, history)
        values = self.mixture.nearer(values) if self.plain else values
        chances = self.mixture.mixed(values, history, self.groups[places], self.kind)
        if self.legal is None:
            return chances
        chances = chances * self.legal[places]
        return np.asarray(chances / chances.sum(axis=1, keepdims=True))

    def log_chance(self) -> float:
        """Log-probability that a line drawn without the conditions would meet them all; −inf where none can."""
        if self._last < self.start:
            return 0.0
        ahead = self._aheads[self.start]
        chances, legal_sum = self._here(self.start, self.before, {})
        with np.errstate(divide="ignore"):
            return ahead.log + float(np.log((chances * self._met(ahead, self.before)).sum() / legal_sum))

    def _walk(self, symbols: Sequence[int]) -> tuple[Ints, Ints]:
        order = max(self.mixture.order, 1)
        line = np.concatenate([np.array((self.before + (MISSING,) * order)[:order][::-1], np.int64),
                               np.asarray(symbols, np.int64)])
        history = np.stack([line[order - j - 1:len(line) - j - 1] for j in range(order)], axis=1)
        steps = self._jump[np.asarray(symbols, np.intp)]
        return self.start + np.append(0, np.cumsum(steps[:-1]))[:len(steps)], history

    # --- drawing ---------------------------------------------------------------------------------------------

    def draw(self, rng: np.random.Generator, temperature: float = 1.0, top_p: float = 1.0) -> list[int]:
        """A line drawn from the model, given the conditions; one uniform a symbol."""
        aheads = self._aheads if self._last >= self.start else {}
        place, history, out = self.start, self.before, []
        memory = None if self.plain or self.mixture.asked[1].all() else Memory(self.past)
        while place < self.places:
            chances, _ = self._here(place, history, memory.recall() if memory else {})
            if place in aheads:
                chances = chances * self._met(aheads[place], history)
            if not chances.sum() > 0:
                raise ModelError(NO_WAY)
            if self.taste is not None and is_sharpened(temperature, top_p):
                liked = chances * self.taste(place, history)
                chances = liked if liked.sum() > 0 else chances
            symbol = self._choose(chances, place, rng.random(), temperature, top_p)
            out.append(symbol)
            if memory:
                memory.tell(symbol)
            history = (symbol, *history[:-1]) if self.mixture.order else ()
            place += int(self._jump[symbol])
        return out

    def _choose(self, chances: Floats, place: int, uniform: float, temperature: float, top_p: float) -> int:
        """A symbol for a uniform draw.

        Near the last place the end keeps its own chance, however the rest is shaped: an end is rare at any one place,
        so a sharpened draw would never come to it. Further off a sharpened draw leaves the longest silences out.
        """
        if self.jump is None or (temperature >= 1 and top_p >= 1):
            return draw(shape(chances, temperature, top_p), uniform)
        if place + int(self._jump[0]) < self.places:
            sounding = np.where(self._jump < self._jump[0], chances, 0.0)
            chances = sounding if sounding.any() else chances
        else:
            ends = place + self._jump >= self.places
            chance = float(chances[ends].sum() / chances.sum())
            if uniform < chance or ends.all():
                return int(np.argmax(np.where(ends, chances, -1.0)))
            if chance:
                chances, uniform = np.where(ends, 0.0, chances), (uniform - chance) / (1.0 - chance)
        return draw(shape(chances, temperature, top_p), uniform)

    def at(self, place: int, history: Sequence[int], recalled: Mapping[str, int]) -> npt.NDArray[np.int16]:
        """int16[views, depth]: the values of the context columns at one place."""
        values = self._values[:, place].copy()
        self.mixture.fill_own(values, {n: int(c[place]) for n, c in self.outside.items()} | dict(recalled), history)
        return self.mixture.nearer(values) if self.plain else values

    def _here(self, place: int, history: Sequence[int], recalled: Mapping[str, int]) -> tuple[Floats, float]:
        """Chances (float[size]) of the legal and allowed symbols, and the sum over the legal ones."""
        chances = self.mixture.one(self.at(place, history, recalled), history, int(self.groups[place]), self.kind)
        if self.legal is not None:
            chances = chances * self.legal[place]
        total = float(chances.sum())
        return (chances if self.allowed is None else chances * self.allowed[place]), total

    # --- backward values -------------------------------------------------------------------------------------

    def _met(self, ahead: _Ahead, history: Sequence[int]) -> Floats:
        """float[size]: the chance that all conditions after the next symbol are met, for each next symbol."""
        width = self.mixture.size + 1
        out = ahead.floor.copy()
        packed, symbols = 0, np.arange(self.mixture.size)
        for d, (keys, chances) in enumerate(ahead.levels):
            if d:
                packed = packed * width + history[d - 1] + 1
            found = _where(keys, (symbols + 1) * width ** d + packed)
            out[found >= 0] = chances[found[found >= 0]]
        return out

    @cached_property
    def _aheads(self) -> dict[int, _Ahead]:
        """What lies ahead of every place from `start` to the last one with a condition."""
        width = self.mixture.size + 1
        waiting: dict[int, list[list[tuple[Ints, Floats, int]]]] = {}
        roots: dict[int, float] = {}
        logs: dict[int, float] = {}  # what is known at a place is divided by exp of this: long lines would underflow
        out: dict[int, _Ahead] = {}
        for place in range(self._last, self.start - 1, -1):
            if not self._reached[place]:
                continue
            target = place + self._jump
            behind = np.array([logs.get(int(t), -np.inf) if t <= self._last else 0.0 for t in target])
            if self.allowed is not None:
                behind[~self.allowed[place]] = -np.inf
            log = float(behind.max()) if np.isfinite(behind).any() else 0.0
            root_at = np.array([roots.get(int(t), 0.0) if t <= self._last else 1.0 for t in target])
            floor = root_at * np.exp(behind - log)
            levels = []
            for parts in waiting.pop(place, []):
                keys = np.concatenate([k for k, _, _ in parts])
                order = np.argsort(keys)
                met = np.concatenate([c * np.exp(logs[at] - log) for _, c, at in parts])
                levels.append((keys[order], met[order]))
            out[place] = _Ahead(floor, levels, log)
            if place == self.start:
                break
            root, nodes = self._values_at(place, out[place])
            largest = max([root, *(float(chances.max(initial=0.0)) for _, chances in nodes)])
            if not largest > 0:
                continue
            roots[place], logs[place] = root / largest, log + float(np.log(largest))
            for d, (keys, chances) in enumerate(nodes):
                firsts = keys // width ** d - 1
                begins = np.flatnonzero(np.concatenate([[True], firsts[1:] != firsts[:-1]]))
                for begin, end in zip(begins, np.append(begins[1:], len(keys)), strict=True):
                    origin = place - int(self._jump[firsts[begin]]) if firsts[begin] >= 0 else -1
                    if self.start <= origin:
                        bins = waiting.setdefault(origin, [])
                        while len(bins) <= d:
                            bins.append([])
                        bins[d].append((keys[begin:end], chances[begin:end] / largest, place))
        return out

    @cached_property
    def _free(self) -> Bools:
        """bool[places, size]: the symbols that are legal and allowed at each place."""
        masks = [mask for mask in (self.legal, self.allowed) if mask is not None]
        return np.logical_and.reduce(masks) if masks else np.ones((self.places, self.mixture.size), bool)

    @cached_property
    def _reached(self) -> Bools:
        """bool[places]: the places that some line comes to."""
        out = np.zeros(self.places, bool)
        out[self.start] = True
        for place in range(self.start, self.places):
            if out[place]:
                target = place + self._jump[self._free[place]]
                out[target[target < self.places]] = True
        return out

    @cached_property
    def _given(self) -> Ints:
        """int64[views, places, depth]: the columns from outside at each place, of an interval what it is less from."""
        out = np.full((len(self.mixture.views), self.places, self.mixture.depth), MISSING, np.int64)
        for v, view in enumerate(self.mixture.columns):
            for i, one in enumerate(view):
                if one.outside:
                    out[v, :, i] = self.outside[one.outside]
        return out

    @cached_property
    def _contexts(self) -> _Contexts:
        mixture = self.mixture
        width = [min(int((~beyond).sum()), len(view)) for beyond, view in zip(mixture.beyond, mixture.columns,
                                                                              strict=True)]
        out = _Contexts(np.array(width), *np.zeros((3, len(mixture.views), max(mixture.depth, 1)), np.int64))
        for v, view in enumerate(mixture.columns):
            for i, one in enumerate(view):
                out.reach[v, i], out.lag[v, i], out.minus[v, i] = one.reach, one.lag, one.minus
        return out

    def _before(self, origin: Ints, symbol: Ints) -> tuple[Bools, Ints]:
        """Which of n symbols (−1: none) can have led to n places, and whence; a step before the start is a place too.
        """
        whence = origin - np.where(origin > self.start, self._jump[symbol], 1)
        inside = (origin > self.start) & (symbol >= 0) & (whence >= self.start)
        out = inside.copy()
        out[inside] = self._reached[whence[inside]] & self._free[whence[inside], symbol[inside]]
        past = np.append(np.array(self.before, np.int64), MISSING)
        begun = origin <= self.start
        out[begun] = symbol[begun] == past[np.minimum(self.start - origin[begun], len(past) - 1)]
        return out, whence

    def _values_at(self, place: int, ahead: _Ahead) -> tuple[float, list[tuple[Ints, Floats]]]:
        """Chance of meeting all conditions from `place` on, for every stored history there, the shortest first.

        A history that no view and nothing ahead tells apart from a shorter one has that one's chance, so only the
        histories that do make a difference are kept: packed (last, last but one, …), one array a length.
        """
        mixture, width = self.mixture, self.mixture.size + 1
        weights = mixture.weights[self.kind, min(int(self.groups[place]), mixture.weights.shape[1] - 1)]
        kinds = [np.flatnonzero((weights > 0) & (mixture.relative == kind)) for kind in (False, True)]
        fronts = [_Front(mixture, self._contexts, views, weights[views], self._given[views, place])
                  for views in kinds if len(views)]
        packed, history, origin = np.zeros(1, np.int64), np.zeros((1, 0), np.int64), np.array([place])
        met = ahead.floor[None].copy()
        out: list[tuple[Ints, Floats]] = []
        root = 0.0
        for length in range(mixture.near + 1):
            if length:
                new = [np.arange(width)] if length == 1 else [
                    front.longer(length, packed, history, width) for front in fronts]
                if 1 < length < len(ahead.levels):
                    new.append(ahead.levels[length][0] % width ** length)
                keys = np.unique(np.concatenate(new))
                parent = _where(packed, keys // width)
                keys, parent = keys[parent >= 0], parent[parent >= 0]
                possible, whence = self._before(origin[parent], keys % width - 1)
                keys, parent, origin = keys[possible], parent[possible], whence[possible]
                if not len(keys):
                    break
                packed, history = keys, np.concatenate([history[parent], (keys % width - 1)[:, None]], axis=1)
                met = met[parent]
                for front in fronts:
                    front.take(parent)
            if length < len(ahead.levels):
                keys, chances = ahead.levels[length]
                node = _where(packed, keys % width ** length)
                met[node[node >= 0], (keys // width ** length - 1)[node >= 0]] = chances[node >= 0]
            for front in fronts:
                front.advance(length, history)
            if length == 0 and mixture.near:
                continue
            last = history[:, 0] if length else np.full(1, MISSING)
            chances, sums = np.zeros((len(packed), mixture.size)), np.zeros(len(packed))
            for front in fronts:
                weight = front.weights[:, None] * mixture.worth[self.kind, front.views[:, None], front.trust]
                sums += weight.sum(axis=0)
                chances += np.einsum("vn,vns->ns", weight, front.absolute(last))
            chances /= sums[:, None]
            if self.legal is not None:
                chances *= self.legal[place]
            total = chances.sum(axis=1)
            if self.allowed is not None:
                chances *= self.allowed[place]
            value = np.einsum("ij,ij->i", chances, met) / total
            if length:
                out.append((packed, value))
            else:
                root = float(value[0])
        return root, out


class _Front:
    """How far some views, all relative or none, have gone down their contexts at one place, for every history of the
    length reached: all views at once, a depth at a time."""

    def __init__(self, mixture: Mixture, contexts: _Contexts, views: Ints, weights: Floats, given: Ints) -> None:
        self.mixture, self.views, self.weights, self.given = mixture, views, weights, given
        self.wide, self.reach, self.lag, self.minus = (column[views] for column in contexts)
        self.done = np.zeros(len(views), np.int64)
        self.context = views[:, None].astype(np.int64)
        size = mixture.alphabet(int(views[0]))
        self.chances = np.full((len(views), 1, size), 1.0 / size)
        self._look(0, np.arange(len(views)))

    def _look(self, depth: int, which: Ints) -> None:
        """Interpolate what the contexts of some views say at a depth."""
        level = self.mixture.levels[depth]
        if not depth:
            self.trust = level.trust[self.context]
        here = self.context[which]
        row, node = np.nonzero(here >= 0)
        if not len(row):
            return
        found, width = here[row, node], self.context.shape[1]
        add_depth(self.chances.reshape(len(self.views) * width, -1), level, which[row] * width + node, found)
        self.trust[which[row], node] = level.trust[found]

    def _ready(self, depth: int, least: int, most: int) -> Ints:
        """The views whose next column is that of this depth and looks so far back."""
        reach = self.reach[:, min(depth, self.reach.shape[1] - 1)]
        return np.flatnonzero((self.done == depth) & (depth < self.wide) & (least <= reach) & (reach <= most))

    def longer(self, length: int, packed: Ints, history: Ints, width: int) -> Ints:
        """Packed histories one symbol longer that some view has stored after those reached."""
        out = [np.zeros(0, np.int64)]
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
            value = (key[np.arange(len(node)) + np.repeat(begin - (np.cumsum(count) - count), count)] & 0xFFFF) - SHIFT
            above = np.where(self.lag[view, depth] > 0, history[node, length - 2], self.given[view, depth])
            value = np.where(self.minus[view, depth] == 0, value,
                             np.where(value == NO_INTERVAL, MISSING, above - value))
            valid = (value >= MISSING) & (value < width - 1)
            out.append(packed[node[valid]] * width + value[valid] + 1)
        return np.concatenate(out)

    def take(self, parent: Ints) -> None:
        """Go on with longer histories, each after its parent."""
        self.context, self.chances, self.trust = (
            np.take(each, parent, axis=1) for each in (self.context, self.chances, self.trust))

    def advance(self, length: int, history: Ints) -> None:
        """Go down every column that a history of this length can answer."""
        past = history.T
        for depth in range(self.mixture.depth):
            which = self._ready(depth, 0, length)
            if not len(which):
                continue
            lag, minus = self.lag[which, depth], self.minus[which, depth]
            value = np.repeat(self.given[which, depth][:, None], len(history), axis=1)
            if lag.any():
                value = np.where(lag[:, None] > 0, past[np.maximum(lag - 1, 0)], value)
            if minus.any():
                less = past[np.maximum(minus - 1, 0)]
                apart = np.where((value < 0) | (less < 0), NO_INTERVAL, value - less)
                value = np.where(minus[:, None] > 0, apart, value)
            found = find_context(self.mixture.levels[depth + 1].key, self.context[which].ravel(), value.ravel())
            self.context[which] = found.reshape(value.shape)
            self.done[which] += 1
            self._look(depth + 1, which)

    def absolute(self, last: Ints) -> Floats:
        """float64[views, n, size]: what each view gives after each history, whose last symbols those are."""
        if not self.mixture.views[int(self.views[0])].relative:
            return self.chances
        rows = self.mixture.absolute(self.chances.reshape(-1, self.chances.shape[2]), np.tile(last, len(self.views)))
        return rows.reshape(len(self.views), len(last), -1)


def _where(ordered: Ints, wanted: Ints) -> Ints:
    """Where each wanted value stands in a sorted array, or −1."""
    if not len(ordered):
        return np.full(len(wanted), -1, np.int64)
    at = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    return np.where(ordered[at] == wanted, at, -1)
