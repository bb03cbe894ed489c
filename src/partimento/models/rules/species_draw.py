"""A counterpoint drawn as a whole: forward filtering over pairs of pitches and what is remembered, then backward.

A line x has the chance exp(−cost(x) / temperature) / Z among all lines whose highest note is a given one; that one is
drawn first, by how much of all is under it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from partimento.controls.species import may_tie
from partimento.models.base import Rng
from partimento.models.rules.lines import Floats, Ints
from partimento.models.rules.species_costs import SpeciesPage
from partimento.models.rules.species_memory import memories
from partimento.sampling import draw, shape


class _Step(NamedTuple):
    """One place: `weights` [width, width, width] of its pitch and the two before, and the machines of what is
    remembered, each with the state that follows and the factor of every move, both [its states, width, width]."""

    weights: Floats
    machines: list[tuple[Ints, Floats]]


class _Message(NamedTuple):
    """What came to a place: `live`, the states in which anything did, and `mass` [here, live, before].

    A state is that of all machines together, and, `states` farther on, the same after the highest pitch has come.
    """

    live: Ints
    mass: Floats


class _Top(NamedTuple):
    """The messages under one highest pitch, from the second place on, the columns, and the log of all there is."""

    messages: list[_Message]
    columns: slice
    log: float


class SpeciesChain:
    """All lines of a page, weighed; `strict` lets none break a rule, else each break costs its price."""

    def __init__(self, page: SpeciesPage, widest: int, strict: bool) -> None:
        self.page, self.widest, self.strict = page, widest, strict
        self.first = np.exp(-page.single(0, strict) / page.temperature)
        self.steps = [self._step(k) for k in range(1, len(page.parts))]
        self.sizes = [len(after) for after, _ in self.steps[0].machines]
        self.states = int(np.prod(self.sizes))
        self._tops: dict[int, _Top | None] = {}
        self.shares = self._shares()

    @property
    def possible(self) -> bool:
        """Whether any line is left."""
        return any(self._top(int(c)) is not None for c in np.argsort(-self.shares, kind="stable") if self.shares[c] > 0)

    def line(self, rng: Rng, top_p: float = 1.0) -> list[int] | None:
        """One pitch a place, or None where there is no line."""
        shares = self.shares.copy()
        while shares.max(initial=0.0) > 0:
            top = draw(shares, rng.random())
            found = self._top(top)
            if found is not None:
                return self._backward(found, rng, top_p)
            shares[top] = 0.0
        return None

    # --- forward -------------------------------------------------------------------------------------------------

    def _step(self, k: int) -> _Step:
        page, strict = self.page, self.strict
        cost = page.pair(k, strict) + page.single(k, strict)[None, :]
        cost = page.triple(k, strict) + cost[None] if k > 1 else cost[None]
        least = cost.min()
        weights = np.exp(-(cost - (least if np.isfinite(least) else 0.0)) / page.temperature)
        machines = []
        for machine in memories(page, k):
            factor = np.where(machine.broken, self._price(machine.rule), 1.0)
            machines.append((machine.after, factor * np.exp(-machine.cost / page.temperature)))
        return _Step(weights, machines)

    def _price(self, rule: str) -> float:
        return 0.0 if self.strict else float(np.exp(-self.page.rules[rule]["price"]))

    def _shares(self) -> Floats:
        """How much of all lines lies under each highest pitch, what must be remembered left aside (float64[width])."""
        found = [self._forward(top, remember=False) for top in range(len(self.page.pitches))]
        logs = np.array([-np.inf if one is None else one.log for one in found])
        best = logs.max(initial=-np.inf)
        return np.exp(logs - best) if np.isfinite(best) else np.zeros(len(logs))

    def _top(self, top: int) -> _Top | None:
        if top not in self._tops:
            self._tops[top] = self._forward(top, remember=True)
        return self._tops[top]

    def _forward(self, top: int, remember: bool) -> _Top | None:
        low = int(np.searchsorted(self.page.pitches, self.page.pitches[top] - self.widest))
        columns = slice(low, top + 1)
        width = top + 1 - low
        if width < 2:
            return None
        first = self.first[columns] * np.append(np.ones(width - 1), self._edge)
        mass = np.zeros((width, 2, 1))                          # [here, not yet or once at the top, any before]
        mass[:-1, 0, 0], mass[-1, 1, 0] = first[:-1], first[-1]
        message = _Message(np.array([0, self.states if remember else 1]), mass)
        messages, log = [], 0.0
        for k in range(1, len(self.page.parts)):
            message = self._next(message, k, columns, remember)
            total = message.mass.sum()
            if not total > 0:
                return None
            message = message._replace(mass=message.mass / total)
            log += float(np.log(total))
            messages.append(message)
        done = message.mass[:, message.live >= (self.states if remember else 1)].sum()
        return _Top(messages, columns, log + float(np.log(done))) if done > 0 else None

    def _next(self, message: _Message, k: int, columns: slice, remember: bool) -> _Message:
        """The message at place `k` from that at the place before."""
        width, states = columns.stop - columns.start, self.states if remember else 1
        weights = self.steps[k - 1].weights[columns if k > 1 else slice(None), columns, columns]
        moved = np.matmul(message.mass, weights.transpose(1, 0, 2)).transpose(1, 0, 2)      # [live, here, next]
        flag, state = np.divmod(message.live, states)
        after, factor = self._moves(k, state, columns, columns) if remember else (np.int64(0), 1.0)
        here, there = np.arange(width)[None, :, None], np.arange(width)[None, None, :]
        flags, at_top = flag[:, None, None], there == width - 1
        moved = moved * factor * np.where(at_top & (flags == 1), self._again(k, width), 1.0)
        if k == self.page.last:
            moved = moved * np.where(at_top, self._edge, 1.0)
        index = (there * 2 + np.where(at_top, 1, flags)) * states + after
        flat = np.bincount((index * width + here).ravel(), moved.ravel(), width * 2 * states * width)
        full: Floats = flat.astype(np.float64).reshape(width, 2 * states, width)
        live = np.flatnonzero(full.any(axis=(0, 2)))
        return _Message(live, full[:, live])

    @property
    def _edge(self) -> float:
        return float(np.exp(-self.page.taste["climax_at_edge"] / self.page.temperature))

    def _again(self, k: int, width: int) -> Floats:
        """float64[1, width, 1]: the factor where the highest pitch, which has come, comes once more; held over it is
        the same note."""
        out = np.full(width, self._price("climax"))
        if self.page.species == 4 and may_tie(self.page.parts, k):
            out[-1] = 1.0
        return out[None, :, None]

    def _moves(self, k: int, states: Ints, rows: Any, columns: Any) -> tuple[Ints, Floats]:
        """Which state follows each of some at a place, and the factor, for moves from rows to columns."""
        after: Any = 0
        factor: Any = 1.0
        stride = self.states
        for size, (goes, weight) in zip(self.sizes, self.steps[k - 1].machines, strict=True):
            stride //= size
            own = states // stride % size
            after = after + goes[:, rows, columns][own].astype(np.int64) * stride
            factor = factor * weight[:, rows, columns][own]
        return after, factor

    # --- backward ------------------------------------------------------------------------------------------------

    def _backward(self, found: _Top, rng: Rng, top_p: float) -> list[int]:
        low, width = found.columns.start, found.columns.stop - found.columns.start
        last = found.messages[-1]
        ends = last.mass * (last.live >= self.states)[None, :, None]
        here, at, before = np.unravel_index(_take(ends.ravel(), rng, top_p), ends.shape)
        flag, state = divmod(int(last.live[at]), self.states)
        line = [int(here), int(before)]
        for k in range(self.page.last, 1, -1):
            b, c = line[-1], line[-2]
            message = found.messages[k - 2]
            flags, states = np.divmod(message.live, self.states)
            after, factor = self._moves(k, states, low + b, low + c)
            if c == width - 1:
                factor = factor * np.where(flags == 1, self._again(k, width)[0, b, 0], 1.0)
            else:
                factor = factor * (flags == flag)
            kernel = self.steps[k - 1].weights[found.columns, low + b, low + c]
            ways = message.mass[b] * (factor * (after == state))[:, None] * kernel[None, :]
            at, before = np.unravel_index(_take(ways.ravel(), rng, top_p), ways.shape)
            flag, state = int(flags[at]), int(states[at])
            line.append(int(before))
        return [int(self.page.pitches[low + i]) for i in reversed(line)]


def _take(weights: Floats, rng: Rng, top_p: float) -> int:
    return draw(shape(weights, 1.0, top_p) if top_p < 1 else weights, rng.random())
