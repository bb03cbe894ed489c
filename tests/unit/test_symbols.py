"""Hidden Markov models of symbols: counted, learnt, and drawn from."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from partimento.counting.hidden import Chain, log_likelihood
from partimento.counting.symbols import (
    Observations,
    Pile,
    SymbolModel,
    counted,
    drawn_model,
    improved,
    learn,
    rows_of_one,
    walks,
)
from partimento.errors import ModelError


def small(seed=0, tables=1, kinds=1):
    rng = np.random.default_rng(seed)
    lengths = np.array([4, 1, 0, 5])
    return Observations(rng.integers(0, 3, 10), lengths, rng.integers(0, kinds, 10) if kinds > 1 else None,
                rng.integers(0, tables, 10) if tables > 1 else None)


def expected_by_paths(model, said):
    """The re-estimated tables of one iteration, from every path of every sequence."""
    k = len(model.chain.start)
    start, moves, says = np.zeros(k), np.zeros_like(model.chain.moves), np.zeros_like(model.says)
    nats, first = 0.0, 0
    for length in said.lengths:
        at = range(first, first + length)
        first += length
        kinds = [0 if said.moves is None else said.moves[i] for i in at]
        tables = [0 if said.tables is None else said.tables[i] for i in at]
        symbols = [said.symbols[i] for i in at]
        found = []
        for path in itertools.product(range(k), repeat=length):
            chance = 1.0
            for t, s in enumerate(path):
                chance *= (model.chain.start[s] if t == 0 else model.chain.moves[kinds[t], path[t - 1], s])
                chance *= model.says[tables[t], s, symbols[t]]
            found.append((path, chance))
        total = sum(chance for _, chance in found)
        nats += np.log(total)
        for path, chance in found:
            for t, s in enumerate(path):
                says[tables[t], s, symbols[t]] += chance / total
                if t == 0:
                    start[s] += chance / total
                else:
                    moves[kinds[t], path[t - 1], s] += chance / total
    return start / start.sum(), rows_of_one(moves, model.chain.moves), rows_of_one(says, model.says), nats


@pytest.mark.parametrize(("states", "tables", "kinds"), [(1, 1, 1), (2, 1, 1), (2, 2, 2), (4, 1, 1)])
def test_an_iteration_equals_the_sum_over_all_paths(states, tables, kinds):
    said = small(states, tables, kinds)
    model = drawn_model(states, 3, kinds, tables, seed=1)
    better, nats = improved(model, Pile(said))
    start, moves, says, total = expected_by_paths(model, said)
    assert nats == pytest.approx(total)
    assert better.chain.start == pytest.approx(start)
    assert better.chain.moves == pytest.approx(moves)
    assert better.says == pytest.approx(says)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_likelihood_never_falls(dtype):
    rng = np.random.default_rng(3)
    said = Observations(rng.integers(0, 6, 300), np.array([100, 50, 150]))
    model, curve = learn(said, 4, 6, iterations=25, tolerance=0.0, dtype=dtype)
    assert (np.diff(curve) > -1e-3).all()
    assert curve[-1] > curve[0]
    assert model.says.dtype == dtype
    assert model.says.sum(axis=2) == pytest.approx(1, abs=1e-5)


def test_what_made_the_music_is_found_again():
    made = SymbolModel(Chain(np.array([1.0, 0.0]), np.array([[[0.9, 0.1], [0.2, 0.8]]])),
                       np.array([[[0.9, 0.1, 0.0], [0.0, 0.2, 0.8]]]))
    symbols, states = walks(made, [200] * 20, np.random.default_rng(5))
    said = Observations(symbols, np.full(20, 200))
    model, _ = learn(said, 2, 3, seed=2, iterations=100, tolerance=1e-7)
    order = np.argsort(-model.says[0, :, 0])
    assert model.says[0, order] == pytest.approx(made.says[0], abs=0.05)
    assert model.chain.moves[0][np.ix_(order, order)] == pytest.approx(made.chain.moves[0], abs=0.05)
    known = counted(said, states, 2, 3)
    assert known.says == pytest.approx(made.says, abs=0.03)
    assert known.chain.moves == pytest.approx(made.chain.moves, abs=0.03)


def test_counts_are_ratios():
    said = Observations(np.array([0, 1, 1, 2]), np.array([3, 1]), np.array([0, 1, 0, 0]), np.array([0, 0, 1, 1]))
    model = counted(said, np.array([0, 1, 0, 1]), 2, 3)
    assert model.chain.start.tolist() == [0.5, 0.5]
    assert model.chain.moves.tolist() == [[[0.5, 0.5], [1, 0]], [[0, 1], [0.5, 0.5]]]
    assert model.says[0, 0].tolist() == [1, 0, 0]
    assert model.says[1, 1].tolist() == [0, 0, 1]
    smooth = counted(said, np.array([0, 1, 0, 1]), 2, 3, smooth=1.0)
    assert smooth.says[0, 0] == pytest.approx([0.5, 0.25, 0.25])


def test_all_on_one_symbol_and_more_states_than_symbols():
    said = Observations(np.zeros(40, int), np.array([40]))
    for states, size in ((1, 1), (5, 1), (6, 2)):
        model, curve = learn(said, states, size, iterations=30)
        assert curve[-1] == pytest.approx(0.0, abs=1e-2)
        assert np.isfinite(model.chain.moves).all()
        assert model.says[0, :, 0].max() == pytest.approx(1, abs=1e-3)
        assert set(walks(model, [30], np.random.default_rng(1))[0].tolist()) <= set(range(size))


def test_a_state_that_is_never_met_keeps_its_rows():
    chain = Chain(np.array([1.0, 0.0]), np.array([[[1.0, 0.0], [0.3, 0.7]]]))
    model = SymbolModel(chain, np.array([[[0.5, 0.5], [0.2, 0.8]]]))
    better, _ = improved(model, Pile(Observations(np.array([0, 0, 1]), np.array([3]))))
    assert better.chain.moves[0, 1].tolist() == [0.3, 0.7]
    assert better.says[0, 1].tolist() == [0.2, 0.8]


def test_vanishing_chances_are_learnt_from_all_the_same():
    says = np.array([[[1e-30, 1 - 1e-30], [1 - 1e-30, 1e-30]]], np.float32)
    chain = Chain(np.array([1, 0], np.float32), np.array([[[1, 0], [0, 1]]], np.float32))
    model = SymbolModel(chain, says)
    better, nats = improved(model, Pile(Observations(np.zeros(6, int), np.array([6]))))
    assert nats == pytest.approx(6 * np.log(1e-30), rel=1e-4)
    assert better.says[0, 0, 0] == 1


def test_what_cannot_be_is_said():
    model = SymbolModel(Chain(np.array([1.0]), np.ones((1, 1, 1))), np.array([[[1.0, 0.0]]]))
    said = Observations(np.array([0, 1]), np.array([2]))
    assert log_likelihood(model.chain, model.evidence(said), said.lengths).tolist() == [-np.inf]
    with pytest.raises(ModelError, match="number 0 is not"):
        improved(model, Pile(said))
    with pytest.raises(ModelError, match=r"0\.\.1"):
        model.evidence(Observations(np.array([2]), np.array([1])))
    with pytest.raises(ModelError, match="at least one state"):
        learn(said, 0, 2)
    with pytest.raises(ModelError, match="add up"):
        Pile(Observations(np.array([0, 1]), np.array([3])))
    with pytest.raises(ModelError, match="states must lie"):
        counted(said, np.array([0, 2]), 2, 2)


def test_learning_ends_when_it_is_told_to_or_gains_nothing():
    said = Observations(np.array([0, 1] * 10), np.array([20]))
    seen = []
    learn(said, 2, 2, report=lambda at, nats: len(seen.append(nats) or seen) < 3)
    assert len(seen) == 3
    _, curve = learn(said, 1, 2, iterations=50)
    assert len(curve) <= 3
