"""Hidden Markov models of symbols: counted where the states are known, learnt by Baum and Welch where they are not.

Each state says symbols by a table; several tables may stand beside each other, chosen by what is known of a step (its
place in the bar, say). Learning runs over all sequences at once, in float32 or float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.counting.hidden import (
    Chain,
    Ints,
    StepOrder,
    drawn_rows,
    free_paths,
    packed_posterior,
    posterior,
    step_order,
)
from partimento.errors import ModelError

Reals = npt.NDArray[Any]


class Observations(NamedTuple):
    """Sequences of symbols one after another: `symbols` int[N], `lengths` int[B], and what is known of every step.

    `moves` (int[N]) chooses the table that leads into a step, `tables` (int[N]) the one that says its symbol.
    """

    symbols: Ints
    lengths: Ints
    moves: Ints | None = None
    tables: Ints | None = None


class SymbolModel(NamedTuple):
    """A chain and what its states say: `says` float[I, K, S], each row summing to 1."""

    chain: Chain
    says: Reals

    def evidence(self, said: Observations) -> Reals:
        """float[N, K]: how likely each symbol is in each state."""
        symbols = np.asarray(said.symbols, np.int64)
        if len(symbols) and not 0 <= symbols.min() <= symbols.max() < self.says.shape[2]:
            raise ModelError(f"symbols must lie in 0..{self.says.shape[2] - 1}; "
                             f"got {int(symbols.min())}..{int(symbols.max())}")
        if len(self.says) == 1:
            return np.ascontiguousarray(self.says[0].T)[symbols]
        tables = np.zeros(len(symbols), np.int64) if said.tables is None else said.tables
        return np.ascontiguousarray(self.says.transpose(0, 2, 1))[tables, symbols]


def learn(said: Observations, states: int, size: int, *, seed: int = 0, iterations: int = 50, tolerance: float = 1e-4,
          prior: float = 0.0, dtype: type[Any] = np.float64, start: SymbolModel | None = None,
          report: Callable[[int, float], bool] | None = None) -> tuple[SymbolModel, list[float]]:
    """A model of `states` states for symbols 0…`size` − 1, and its log-likelihood (nats) before every iteration.

    L. Baum, T. Petrie, G. Soules and N. Weiss, Annals of Mathematical Statistics 41 (1970). It begins with tables near
    even ones drawn by `seed`, or with `start`, and ends where an iteration gains less than `tolerance` nats a symbol.
    `prior` is added to every expected count; `report(iteration, nats)` may stop it.

    >>> said = Observations(np.array([0, 1] * 20), np.array([40]))
    >>> model, curve = learn(said, 2, 2, iterations=200, tolerance=0.0)
    >>> curve[-1] > curve[0], bool(model.says.max() > .9)
    (True, True)
    """
    if states < 1 or size < 1:
        raise ModelError(f"a hidden Markov model must have at least one state and one symbol; got {states} and {size}")
    model = start or drawn_model(states, size, _count(said.moves), _count(said.tables), seed)
    model = SymbolModel(Chain(*(t.astype(dtype) for t in model.chain)), model.says.astype(dtype))
    pile, curve = Pile(said), list[float]()
    for iteration in range(iterations):
        better, nats = improved(model, pile, prior)
        curve.append(nats)
        if report is not None and not report(iteration, nats):
            break
        if iteration and nats - curve[-2] < tolerance * max(len(said.symbols), 1):
            break
        model = better
    return model, curve


class Pile:
    """Sequences of symbols laid out for learning once, however many iterations follow."""

    def __init__(self, said: Observations) -> None:
        self.said, self.steps = said, step_order(said.lengths)
        rows = self.steps.rows
        if len(np.asarray(said.symbols)) != len(rows):
            raise ModelError(f"the lengths of the sequences must add up to their symbols; {len(rows)} is not "
                             f"{len(np.asarray(said.symbols))}")
        none = np.zeros(len(rows), np.int64)
        self.kinds = none if said.moves is None else np.asarray(said.moves, np.int64)[rows]
        self.tables = None if said.tables is None else np.asarray(said.tables, np.int64)[rows]
        self.symbols = np.asarray(said.symbols, np.int64)[rows]
        table = none if self.tables is None else self.tables
        self.order = np.lexsort((self.symbols, table))
        change = np.append(True, (np.diff(self.symbols[self.order]) != 0) | (np.diff(table[self.order]) != 0))
        self.first = np.flatnonzero(change[:len(rows)])
        self.cell = table[self.order][self.first], self.symbols[self.order][self.first]

    def laid(self) -> tuple[Observations, StepOrder]:
        """The symbols in the order in which they are reckoned."""
        return Observations(self.symbols, self.said.lengths, self.kinds, self.tables), self.steps

    def expected(self, states: Reals, tables: int, size: int) -> npt.NDArray[np.float64]:
        """float64[I, K, S]: how often each state is expected to say each symbol, of packed chances float[N, K]."""
        out = np.zeros((tables, size, states.shape[1]))
        rows, ones = states[self.order], np.ones(len(states), states.dtype)
        ends = np.append(self.first[1:], len(states))
        for table, symbol, low, high in zip(*self.cell, self.first, ends, strict=True):
            out[table, symbol] = ones[low:high] @ rows[low:high]
        return np.ascontiguousarray(out.transpose(0, 2, 1))


def improved(model: SymbolModel, pile: Pile, prior: float = 0.0) -> tuple[SymbolModel, float]:
    """One iteration of Baum and Welch: the better model, and the log-likelihood in nats of the one it was made of.

    A state that is never expected keeps its rows. ModelError where a sequence is impossible in the model.
    """
    laid, steps = pile.laid()
    found = packed_posterior(model.chain, model.evidence(laid), steps, pile.kinds)
    if not np.isfinite(found.nats).all():       # numbers vanished: in logarithms
        said = pile.said
        found = posterior(model.chain, model.evidence(said), said.lengths, said.moves)
        found = found._replace(states=found.states[steps.rows])
    dtype = model.says.dtype
    says = pile.expected(found.states, model.says.shape[0], model.says.shape[2])
    chain = Chain(rows_of_one(found.starts, model.chain.start, prior).astype(dtype),
                  rows_of_one(found.moves, model.chain.moves, prior).astype(dtype))
    return SymbolModel(chain, rows_of_one(says, model.says, prior).astype(dtype)), float(found.nats.sum())


def counted(said: Observations, states: Ints, n_states: int, size: int, smooth: float = 0.0) -> SymbolModel:
    """The model of sequences whose states (int[N]) are known, `smooth` added to every count; empty rows are even.

    >>> model = counted(Observations(np.array([0, 0, 1]), np.array([3])), np.array([0, 1, 1]), 2, 2)
    >>> model.chain.moves.tolist(), model.says.tolist()
    ([[[0.0, 1.0], [0.0, 1.0]]], [[[1.0, 0.0], [0.5, 0.5]]])
    """
    states, lengths = np.asarray(states, np.int64), np.asarray(said.lengths, np.int64)
    if len(states) and not 0 <= states.min() <= states.max() < n_states:
        raise ModelError(f"states must lie in 0..{n_states - 1}; got {int(states.min())}..{int(states.max())}")
    first = (np.cumsum(lengths) - lengths)[lengths > 0]
    inside = np.ones(len(states), bool)
    inside[first] = False
    later = np.flatnonzero(inside)
    kinds = np.zeros(len(states), np.int64) if said.moves is None else np.asarray(said.moves, np.int64)
    moves = np.zeros((_count(said.moves), n_states, n_states))
    np.add.at(moves, (kinds[later], states[later - 1], states[later]), 1)
    tables = np.zeros(len(states), np.int64) if said.tables is None else np.asarray(said.tables, np.int64)
    says = np.zeros((_count(said.tables), n_states, size))
    np.add.at(says, (tables, states, np.asarray(said.symbols, np.int64)), 1)
    start = np.bincount(states[first], minlength=n_states).astype(float)
    return SymbolModel(Chain(rows_of_one(start, None, smooth), rows_of_one(moves, None, smooth)),
                       rows_of_one(says, None, smooth))


def drawn_model(states: int, size: int, moves: int = 1, tables: int = 1, seed: int = 0) -> SymbolModel:
    """A model with tables near even ones, to begin learning with: every entry between 0.5 and 1.5 before its row is
    brought to 1."""
    rng = np.random.Generator(np.random.PCG64(seed))
    start, step, says = (rng.random(shape) + 0.5 for shape in
                         ((states,), (moves, states, states), (tables, states, size)))
    return SymbolModel(Chain(rows_of_one(start), rows_of_one(step)), rows_of_one(says))


def walks(model: SymbolModel, lengths: npt.ArrayLike, rng: np.random.Generator, moves: Ints | None = None,
          tables: Ints | None = None) -> tuple[Ints, Ints]:
    """Symbols and states (int64[N] each) drawn freely, one sequence after another; uniform draws alone are taken.

    >>> model = counted(Observations(np.array([0, 1] * 4), np.array([8])), np.array([0, 1] * 4), 2, 2)
    >>> walks(model, [3, 2], np.random.Generator(np.random.PCG64(1)))[0].tolist()
    [0, 1, 0, 0, 1]
    """
    lengths = np.asarray(lengths, np.int64).reshape(-1)
    n = int(lengths.sum())
    states = free_paths(model.chain, lengths, rng.random(n), moves)
    uniforms = rng.random(n)
    if len(model.says) > 1:
        tables = np.zeros(n, np.int64) if tables is None else tables
        return drawn_rows(model.says[tables, states], uniforms), states
    symbols = np.empty(n, np.int64)
    running = np.cumsum(model.says[0], axis=1, dtype=np.float64)
    last = model.says.shape[2] - 1 - (model.says[0][:, ::-1] > 0).argmax(axis=1)
    for state in np.unique(states):
        own = np.flatnonzero(states == state)
        found = np.searchsorted(running[state], uniforms[own] * running[state, -1], side="right")
        symbols[own] = np.minimum(found, last[state])
    return symbols, states


def rows_of_one(counts: Reals, instead: Reals | None = None, prior: float = 0.0) -> Reals:
    """Counts (float[…, S] ≥ 0) with `prior` added, as chances; a row of zeros becomes that of `instead`, or even.

    >>> rows_of_one(np.array([[1., 3.], [0., 0.]])).tolist()
    [[0.25, 0.75], [0.5, 0.5]]
    """
    counts = counts + prior
    total = counts.sum(axis=-1, keepdims=True)
    if instead is None:
        instead = np.full(counts.shape, 1.0 / counts.shape[-1])
    return np.asarray(np.where(total > 0, counts / np.where(total > 0, total, 1), instead))


def _count(inputs: Ints | None) -> int:
    return 1 if inputs is None or not len(inputs) else int(np.max(inputs)) + 1
