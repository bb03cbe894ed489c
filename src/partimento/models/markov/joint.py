"""A line from a product of viewpoints: drawn forwards, or, where notes are pinned, chosen among lines so led.

A product sees the whole line so far, so how likely it is to meet what is pinned later cannot be had by backward values.
Those of the sum of the plain views, which can, lead the draws: each symbol has the chance that the product gives it,
times the chance that the sum gives to meeting the pins after it. CANDIDATES lines are so drawn side by side, each with
the weight that makes up for the lead, the product's chance of it over the chance it was drawn with; one of them is
chosen by it (sampling and importance resampling: D. B. Rubin, "Using the SIR algorithm to simulate posterior
distributions", Bayesian Statistics 3, 1988). How good that is says the effective sample size, (Σw)² / Σw²: where it
falls below half of the candidates on the way, they are drawn anew by their weights, and go on (N. J. Gordon,
D. J. Salmond and A. F. M. Smith, "Novel approach to nonlinear/non-Gaussian Bayesian state estimation", 1993).
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.counting.blend import Blend
from partimento.counting.memory import MEMORY, MISSING, OWN, THREADS, Memory, echoes, threaded
from partimento.counting.mixture import Bools, Columns, Floats, Ints, Mixture
from partimento.counting.shortterm import ShortTerm
from partimento.errors import ModelError
from partimento.models.markov.line import NO_WAY, Line
from partimento.models.markov.taste import Taste, anew, both, is_sharpened
from partimento.sampling import draw, generator, shape

CANDIDATES = 16           # lines drawn where notes are pinned, one of which is taken
WORN = 0.5                # share of them below which the effective sample size does not fall without drawing anew
COUNTED = 256             # ways to go on up to the last pin: up to so many are counted, of more the chance is estimated
ESTIMATED = 64            # from so many lines
SHORT = 24                # lines up to so long are weighed a symbol at a time


@dataclasses.dataclass
class Joint(Line):
    """A `Line` whose symbols a `Blend` multiplies; `ahead_of` are the context columns of the symbols in `before`.

    Without pins its probability is exact; with pins it is exact where there are no more than COUNTED ways up to the
    last of them, otherwise the chance of meeting them is estimated from ESTIMATED lines, always the same ones.
    `effective` is the least effective sample size on the way of the last bound line drawn.
    """

    ahead_of: Columns = dataclasses.field(default_factory=dict)
    effective: float = float("nan")

    def __post_init__(self) -> None:
        self.threads = {name: np.asarray(self.outside[name], np.int64) for name in self.mixture.names
                        if name in THREADS}
        super().__post_init__()
        assert isinstance(self.mixture, Blend)
        self.blend: Blend = self.mixture
        self.bare = self.kind >= 2
        unknown = np.full((self.places, max(self.blend.order, 1)), MISSING)
        self._recent = self.blend.recent.values(self.outside, unknown)

    # --- probability -----------------------------------------------------------------------------------------

    def log_prob(self, symbols: Sequence[int]) -> float:
        """Log-probability in nats of the whole line, given the conditions; −inf where it breaks one."""
        taken = self._taken(symbols)
        if self.allowed is not None and not self.allowed[np.arange(len(symbols)), symbols].all():
            return -np.inf
        return float(taken.sum()) - self.log_chance()

    def _taken(self, symbols: Sequence[int]) -> Floats:
        """float64[n]: the log-probability of each symbol of the beginning of a line, whatever is pinned."""
        n = len(symbols)
        if len(self.past) + n <= SHORT:
            return self._taken_one_by_one(symbols)
        return np.asarray(self._logs(symbols)[np.arange(n), symbols])

    def chances(self, symbols: Sequence[int]) -> Floats:
        """float64[n, size]: the chances of the legal symbols where each of these stands, whatever is pinned."""
        return np.exp(self._logs(symbols))

    def _logs(self, symbols: Sequence[int]) -> Floats:
        """Their logarithms."""
        begin, n = len(self.past), len(symbols)
        full, history, columns = self._columns(symbols)
        groups = np.append(np.zeros(begin, np.int64), self.outside["part"][:n])
        logs = self.blend.line(columns, history, full, groups, self.bare)[begin:]
        if self.legal is not None:
            logs = np.where(self.legal[:n], logs, -np.inf)
        return np.asarray(logs - np.logaddexp.reduce(logs, axis=1)[:, None])

    def _taken_one_by_one(self, symbols: Sequence[int]) -> Floats:
        """The same, a symbol at a time: quicker for short lines."""
        said, out = self.said(), np.empty(len(symbols))
        for place, symbol in enumerate(symbols):
            out[place] = said.at(place)[0][symbol]
            said.tell(place, int(symbol))
        with np.errstate(divide="ignore"):
            return np.log(out)

    def _columns(self, symbols: Sequence[int]) -> tuple[Ints, Ints, dict[str, Ints]]:
        """The symbols before the line and those given, and all that is known before each: history and columns."""
        begin, n = len(self.past), len(symbols)
        full = np.array([*self.past, *symbols], np.int64)
        order = max(self.blend.order, 1)
        line = np.append(np.full(order, MISSING), full)
        history = np.stack([line[order - j - 1:len(line) - j - 1] for j in range(order)], axis=1)
        columns = {name: np.append(np.asarray(self.ahead_of[name], np.int64)[:begin], column[:n])
                   for name, column in self.outside.items() if name not in OWN}
        columns |= dict(zip(MEMORY, echoes(full), strict=True)) | threaded(
            full, {name: np.append(np.asarray(self.ahead_of[name], np.int64)[:begin], which[:n])
                   for name, which in self.threads.items()})
        return full, history, columns

    def log_chance(self) -> float:
        """Log-probability that a line drawn without the conditions would meet them all; see the class."""
        if self._last < self.start:
            return 0.0
        assert self.allowed is not None
        upto = self._last + 1
        free = self.allowed[:upto] if self.legal is None else self.allowed[:upto] & self.legal[:upto]
        free = np.where(free.any(axis=1, keepdims=True), free, self.allowed[:upto])
        ways = 1
        for count in free.sum(axis=1).tolist():
            ways = min(ways * count, COUNTED + 1)
        if ways <= COUNTED:
            choices = [np.flatnonzero(row).tolist() for row in free]
            found = [float(self._taken(way).sum()) for way in itertools.product(*choices)]
        else:
            rng = generator(0)
            found = [self._led(rng, 1.0, 1.0, upto)[1] - np.log(ESTIMATED) for _ in range(ESTIMATED)]
        return float(np.logaddexp.reduce(found))

    # --- drawing ---------------------------------------------------------------------------------------------

    def draw(self, rng: np.random.Generator, temperature: float = 1.0, top_p: float = 1.0) -> list[int]:
        """A line drawn from the product, given the conditions; see the module.

        Where it is sharpened, so are the candidates, and the weights as the temperature says.
        """
        if self._last < self.start:
            return self._led(rng, temperature, top_p, self.places)[0]
        lines = [self.said()] * CANDIDATES        # those that have said the same are one as long as they do
        log, expected, self.effective = np.zeros(len(lines)), np.zeros(len(lines)), np.inf
        for place in range(self._last + 1):
            lines, found = self._stepped(lines, place, rng, temperature, top_p)
            log, expected = log + found[:, 0] - expected, found[:, 1]   # what the lead expected is made up for later
            weight = np.exp((log - log.max()) / temperature)
            size = float(weight.sum() ** 2 / (weight ** 2).sum())
            self.effective = min(self.effective, size)
            if size < WORN * len(lines) and place < self._last:
                chosen = _evenly(weight, rng.random())
                lines = [lines[i] for i in chosen]
                log, expected = np.zeros(len(lines)), expected[chosen]
        said = lines[draw(weight, rng.random())]
        for place in range(self._last + 1, self.places):
            self._step(said, place, rng, temperature, top_p)
        return said.full[len(self.past):]

    def _stepped(self, lines: Sequence[Telling], place: int, rng: np.random.Generator, temperature: float,
                 top_p: float) -> tuple[list[Telling], Floats]:
        """The candidates after the next symbol of each, and what `_step` gives of each (float64[candidates, 2])."""
        apart = list(dict.fromkeys(lines))
        nexts = {said: self._next(said, chances, place, temperature, top_p)
                 for said, chances in zip(apart, chances_at(apart, place)[0], strict=True)}
        drawn = [draw(nexts[said].weights, rng.random()) for said in lines]
        found = np.array([nexts[said].logs(symbol) for said, symbol in zip(lines, drawn, strict=True)])
        heirs: dict[tuple[Telling, int], Telling] = {}
        for said, symbol in zip(lines, drawn, strict=True):
            if (said, symbol) not in heirs:
                heirs[said, symbol] = said.copy() if any(said is other for other in heirs.values()) else said
        out = [heirs[said, symbol] for said, symbol in zip(lines, drawn, strict=True)]
        for (_, symbol), heir in heirs.items():
            heir.tell(place, symbol)
        return out, found

    def _led(self, rng: np.random.Generator, temperature: float, top_p: float, upto: int) -> tuple[list[int], float]:
        """The first symbols of a line drawn with the lead of the sum, and the log of what makes up for the lead."""
        said, log = self.said(), 0.0
        for place in range(upto):
            total, ahead = self._step(said, place, rng, temperature, top_p)
            log += total - ahead
        return said.full[len(self.past):], log

    def _step(self, said: Telling, place: int, rng: np.random.Generator, temperature: float, top_p: float,
              ) -> tuple[float, float]:
        """Draw and tell the next symbol of a line: logs of the sum over all, and of what its lead expects ahead of it.
        """
        found = self._next(said, said.at(place)[0], place, temperature, top_p)
        symbol = draw(found.weights, rng.random())
        said.tell(place, symbol)
        return found.logs(symbol)

    def _next(self, said: Telling, chances: Floats, place: int, temperature: float, top_p: float) -> _Next:
        """What the next symbol of a line is drawn from, given what the product says."""
        ahead = np.ones(self.blend.size)
        if place <= self._last:
            assert self.allowed is not None
            chances = chances * self.allowed[place]
            ahead = self._met(self._aheads[place], said.history)
        led = chances * ahead
        total = float(led.sum())
        if not total > 0:
            raise ModelError(NO_WAY)
        if self.taste is not None and is_sharpened(temperature, top_p):
            liked = led * self.taste(place, said.history)
            led = liked if liked.sum() > 0 else led
        return _Next(shape(led, temperature, top_p), total, ahead)

    def said(self, symbols: Sequence[int] = ()) -> Telling:
        """What the product says along this line, from its first place on or after some symbols."""
        out = Telling(self)
        for place, symbol in enumerate(symbols):
            out.tell(place, symbol)
        return out


class _Next(NamedTuple):
    """What a symbol is drawn from: weights (float64[size]), their sum unshaped, and what each expects ahead of it."""

    weights: Floats
    total: float
    ahead: Floats

    def logs(self, symbol: int) -> tuple[float, float]:
        """Logs of the sum, and of what a symbol expects."""
        return float(np.log(self.total)), float(np.log(self.ahead[symbol]))


class Telling:
    """What the product of a `Joint` says at each place, told the symbols one after another."""

    def __init__(self, line: Joint) -> None:
        self.line, self.full, self.history = line, list(line.past), line.before
        self.memory = Memory(line.past)
        self.short = ShortTerm(line.blend.recent.views, line.blend.size)
        self._place = -1            # the place of which the next two are
        self._known: dict[str, int] = {}
        self.own = line._recent[:, 0]
        if line.past:
            _, history, columns = line._columns(())
            values = line.blend.recent.values(columns, history)
            for i, symbol in enumerate(line.past):
                self.short.tell(values[:, i], symbol, int(history[i, 0]))

    def copy(self) -> Telling:
        """Another that has been told the same, to be told something else from here on."""
        out = copy.copy(self)
        out.full, out._known, out.own = list(self.full), dict(self._known), self.own.copy()
        out.memory, out.short = self.memory.copy(), self.short.copy()
        return out

    def at(self, place: int) -> tuple[Floats, Floats]:
        """Chances of the legal symbols (float64[size]) at the next place, and what each view adds to the logarithms.

        The second is float64[views, size], the long-term views first.
        """
        chances, experts = chances_at([self], place)
        return chances[0], experts[0]

    def values(self, place: int) -> npt.NDArray[np.int16]:
        """int16[views, depth]: the values of the context columns of the long-term views at the next place."""
        self._look(place)
        values = self.line._values[:, place].copy()
        self.line.blend.fill_own(values, self._known, self.history)
        return values

    def tell(self, place: int, symbol: int) -> None:
        """Take the symbol at that place."""
        self._look(place)
        self.short.tell(self.own, symbol, self.history[0] if self.history else MISSING)
        self.memory.tell(symbol)
        self.full.append(symbol)
        self.history = (symbol, *self.history[:-1]) if self.line.blend.order else ()

    def _look(self, place: int) -> None:
        """Know the columns of a place, the line's own among them."""
        if place == self._place:
            return
        line = self.line
        self._place = place
        self._known = {name: int(column[place]) for name, column in line.outside.items()} | self.memory.recall()
        for name, which in line.threads.items():
            self._known[name] = self.full[which[place]] if which[place] >= 0 else MISSING
        self.own = line._recent[:, place].copy()
        line.blend.recent.fill_own(self.own, self._known, self.history)


def chances_at(lines: Sequence[Telling], place: int) -> tuple[Floats, Floats]:
    """What `Telling.at` gives of several tellings of one line at a place."""
    line = lines[0].line
    values = np.stack([said.values(place) for said in lines])
    logs, experts = line.blend.place(values, np.stack([said.own for said in lines]), [said.short for said in lines],
                                     [said.history for said in lines], int(line.outside["part"][place]), line.bare)
    if line.legal is not None:
        logs = np.where(line.legal[place], logs, -np.inf)
        if not line.legal[place].any():
            return np.zeros(logs.shape), experts
    chances = np.exp(logs - logs.max(axis=1, keepdims=True))
    return chances / chances.sum(axis=1, keepdims=True), experts


def _evenly(weight: Floats, uniform: float) -> list[int]:
    """As many indices as there are weights, in order, each as often as its weight says: at even steps from one draw."""
    below = np.cumsum(weight)
    places = (np.arange(len(weight)) + uniform) / len(weight) * below[-1]
    return [int(i) for i in np.minimum(np.searchsorted(below, places, side="right"), len(weight) - 1)]


def pitch_line(mixture: Mixture, columns: Columns, span: slice, before: Ints, legal: Bools,
               allowed: Bools | None, taste: Taste | None = None) -> Line:
    """The line of pitches at the places of `span`, after the symbols `before`; of a product where that is one.

    A product has more `taste`: it does not strike a note again as it would.
    """
    inside = {name: column[span] for name, column in columns.items()}
    past = tuple(before[::-1].tolist())
    if not isinstance(mixture, Blend):
        return Line(mixture, inside, columns["group"][span], past, legal=legal, allowed=allowed, taste=taste)
    again = None if taste is None else both(taste, anew(mixture.size))
    return Joint(mixture, inside, columns["group"][span], past, legal=legal, allowed=allowed, taste=again,
                 ahead_of={name: column[:span.start] for name, column in columns.items()})
