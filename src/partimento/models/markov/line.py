"""A whole line drawn or weighed with conditions: backward values over the stored contexts of a mixture of n-grams."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from partimento.counting.memory import MEMORY, MISSING, Memory, echoes
from partimento.counting.mixture import Bools, Columns, Floats, Ints, Mixture
from partimento.errors import ModelError
from partimento.models.markov.ahead import Ahead, places_back, where
from partimento.models.markov.taste import Taste, is_sharpened
from partimento.sampling import draw, shape

NO_WAY = ("what is kept, the range, the key and the chords must leave a pitch for every new note; here they leave no "
          "way to go on: widen the range, or let go of the key, the chords or more notes")


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

    def _met(self, ahead: Ahead, history: Sequence[int]) -> Floats:
        """float[size]: the chance that all conditions after the next symbol are met, for each next symbol."""
        width = self.mixture.size + 1
        out = ahead.floor.copy()
        packed, symbols = 0, np.arange(self.mixture.size)
        for d, (keys, chances) in enumerate(ahead.levels):
            if d:
                packed = packed * width + history[d - 1] + 1
            found = where(keys, (symbols + 1) * width ** d + packed)
            out[found >= 0] = chances[found[found >= 0]]
        return out

    @cached_property
    def _aheads(self) -> dict[int, Ahead]:
        """What lies ahead of every place from `start` to the last one with a condition."""
        width = self.mixture.size + 1
        waiting: dict[int, list[list[tuple[Ints, Floats, int]]]] = {}
        # What is known at a place is divided by exp of its log: long lines would underflow. The last is all beyond.
        logs, roots = np.full(self._last + 2, -np.inf), np.zeros(self._last + 2)
        logs[-1], roots[-1] = 0.0, 1.0
        out: dict[int, Ahead] = {}
        backwards = np.flatnonzero(self._reached[:self._last + 1])[::-1]
        told = places_back(self, backwards[:-1])
        for place in backwards.tolist():
            target = np.minimum(place + self._jump, self._last + 1)
            behind = logs[target] if self.allowed is None else np.where(self.allowed[place], logs[target], -np.inf)
            log = float(behind.max())
            log = log if np.isfinite(log) else 0.0
            floor = roots[target] * np.exp(behind - log)
            levels = []
            for parts in waiting.pop(place, []):
                keys = np.concatenate([k for k, _, _ in parts])
                order = np.argsort(keys)
                met = np.concatenate([c * np.exp(logs[at] - log) for _, c, at in parts])
                levels.append((keys[order], met[order]))
            out[place] = Ahead(floor, levels, log)
            if place == self.start:
                break
            nodes = next(told).values(out[place])
            largest = max(float(chances.max(initial=0.0)) for _, chances in nodes)
            if not largest > 0:
                continue
            logs[place] = log + np.log(largest)
            if not self.mixture.near:
                roots[place] = float(nodes[0][1][0]) / largest
                continue
            for d, (keys, chances) in enumerate(nodes):
                firsts = keys // width ** d - 1
                begins = np.flatnonzero(np.concatenate([[True], firsts[1:] != firsts[:-1]]))
                chances = chances / largest
                for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(keys)], strict=True):
                    origin = place - int(self._jump[firsts[begin]]) if firsts[begin] >= 0 else -1
                    if self.start <= origin:
                        bins = waiting.setdefault(origin, [])
                        while len(bins) <= d:
                            bins.append([])
                        bins[d].append((keys[begin:end], chances[begin:end], place))
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
    def given(self) -> Ints:
        """int64[views, places, depth]: the columns from outside at each place, of an interval what it is less from."""
        out = np.full((len(self.mixture.views), self.places, self.mixture.depth), MISSING, np.int64)
        for v, view in enumerate(self.mixture.columns):
            for i, one in enumerate(view):
                if one.outside:
                    out[v, :, i] = self.outside[one.outside]
        return out

    def preceded(self, origin: Ints, symbol: Ints) -> tuple[Bools, Ints]:
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
