"""Hidden chains against every path of tiny models, written out; and what cannot be."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from partimento.counting.hidden import (
    Chain,
    best_paths,
    drawn_paths,
    drawn_rows,
    free_paths,
    log_likelihood,
    posterior,
    step_order,
)
from partimento.errors import ModelError

LENGTHS = [3, 0, 1, 4, 2]


def chances(rng, *shape):
    rows = rng.random(shape) + 0.05
    return rows / rows.sum(axis=-1, keepdims=True)


def world(seed, states=3, kinds=2):
    rng = np.random.default_rng(seed)
    chain = Chain(chances(rng, states), chances(rng, kinds, states, states))
    n = sum(LENGTHS)
    return chain, rng.random((n, states)) + 0.01, rng.integers(0, kinds, n)


def paths_of(chain, evidence, inputs):
    """Every path of one sequence, and its probability: P(s_1) P(o_1 | s_1) · P(s_t | s_{t-1}) P(o_t | s_t) · …"""
    for path in itertools.product(range(len(chain.start)), repeat=len(evidence)):
        chance = 1.0
        for t, state in enumerate(path):
            chance *= chain.start[state] if t == 0 else chain.moves[inputs[t], path[t - 1], state]
            chance *= evidence[t, state]
        yield path, chance


def sequences(evidence, inputs):
    first = 0
    for length in LENGTHS:
        yield slice(first, first + length), evidence[first:first + length], inputs[first:first + length]
        first += length


@pytest.mark.parametrize("states", [1, 2, 3])
@pytest.mark.parametrize("logs", [False, True])
def test_everything_equals_the_sum_over_all_paths(states, logs):
    chain, evidence, inputs = world(states, states)
    given = np.log(evidence) if logs else evidence
    found = posterior(chain, given, LENGTHS, inputs, logs)
    nats = log_likelihood(chain, given, LENGTHS, inputs, logs)
    best, reached = best_paths(chain, given, LENGTHS, inputs, logs)
    starts, moves = np.zeros(states), np.zeros_like(chain.moves)
    for b, (span, seen, kinds) in enumerate(sequences(evidence, inputs)):
        every = list(paths_of(chain, seen, kinds))
        total = sum(chance for _, chance in every)
        assert nats[b] == pytest.approx(np.log(total)) == found.nats[b]
        expected = np.zeros((len(seen), states))
        for path, chance in every:
            for t, state in enumerate(path):
                expected[t, state] += chance / total
                if t:
                    moves[kinds[t], path[t - 1], state] += chance / total
            if path:
                starts[path[0]] += chance / total
        assert found.states[span] == pytest.approx(expected)
        path, chance = max(every, key=lambda one: one[1])
        assert tuple(best[span]) == path
        assert reached[b] == pytest.approx(np.log(chance) if path else 0.0)
    assert found.starts == pytest.approx(starts)
    assert found.moves == pytest.approx(moves)


def test_float32_gives_the_same_to_its_precision():
    chain, evidence, inputs = world(5)
    small = Chain(*(table.astype(np.float32) for table in chain))
    wide, narrow = (posterior(c, e, LENGTHS, inputs) for c, e in ((chain, evidence),
                                                                   (small, evidence.astype(np.float32))))
    assert narrow.states.dtype == np.float32
    assert narrow.states == pytest.approx(wide.states, abs=1e-5)
    assert narrow.nats == pytest.approx(wide.nats, rel=1e-5)


def test_paths_are_drawn_as_often_as_they_are_likely():
    chain, evidence, inputs = world(7, states=2)
    evidence, inputs = evidence[:3], inputs[:3]
    every = dict(paths_of(chain, evidence, inputs))
    total, times = sum(every.values()), 6000
    uniforms = np.random.default_rng(1).random(3 * times)
    drawn = drawn_paths(chain, np.tile(evidence, (times, 1)), [3] * times, uniforms, np.tile(inputs, times))
    rows, counts = np.unique(drawn.reshape(times, 3), axis=0, return_counts=True)
    for row, count in zip(rows, counts, strict=True):
        wanted = every[tuple(row)] / total
        assert count / times == pytest.approx(wanted, abs=4 * np.sqrt(wanted / times) + 1e-3)
    free = free_paths(chain, [3] * times, np.random.default_rng(2).random(3 * times), np.tile(inputs, times))
    plain = dict(paths_of(chain, np.ones((3, 2)), inputs))
    rows, counts = np.unique(free.reshape(times, 3), axis=0, return_counts=True)
    assert sum(plain.values()) == pytest.approx(1)
    for row, count in zip(rows, counts, strict=True):
        assert count / times == pytest.approx(plain[tuple(row)], abs=0.03)


def test_numbers_that_vanish_are_reckoned_in_logarithms():
    chain, evidence, inputs = world(9)
    logs = np.log(evidence)
    logs[:, 0] -= 900.0                         # state 0 is all but impossible beside the others …
    logs[4, 1:] = -np.inf                       # … and at one step the only one
    logs[7, 1:] = -np.inf
    n = len(logs)
    with np.errstate(all="raise", under="ignore"):
        found = posterior(chain, logs, LENGTHS, inputs, logs=True)
        drawn = drawn_paths(chain, logs, LENGTHS, np.full(n, 0.5), inputs, logs=True)
    expected = []
    for _, own, kinds in sequences(logs, inputs):
        every = [0.0 if not path else np.log(chain.start[path[0]]) + sum(own[t, s] for t, s in enumerate(path))
                 + sum(np.log(chain.moves[kinds[t], path[t - 1], path[t]]) for t in range(1, len(path)))
                 for path in itertools.product(range(3), repeat=len(own))]
        expected.append(np.logaddexp.reduce(every))
    assert found.nats == pytest.approx(expected)
    assert log_likelihood(chain, logs, LENGTHS, inputs, logs=True) == pytest.approx(expected)
    assert found.states.sum(axis=1) == pytest.approx(np.ones(n))
    assert found.states[4, 0] == found.states[7, 0] == 1
    assert drawn[4] == drawn[7] == 0
    assert found.moves.sum() == pytest.approx(sum(max(length - 1, 0) for length in LENGTHS))


def test_one_float32_underflow_is_not_called_impossible():
    chain = Chain(np.array([1, 0], np.float32), np.array([[[0.5, 0.5], [0.5, 0.5]]], np.float32))
    evidence = np.array([[1e-44, 1.0], [1.0, 1.0]], np.float32)
    assert posterior(chain, evidence, [2]).nats[0] == pytest.approx(np.log(float(evidence[0, 0])))


def test_what_is_impossible_says_so():
    chain = Chain(np.array([1.0, 0.0]), np.array([[[1.0, 0.0], [0.0, 1.0]]]))
    evidence = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    assert log_likelihood(chain, evidence, [2, 1]).tolist() == [-np.inf, 0.0]
    assert best_paths(chain, evidence, [2, 1])[1].tolist() == [-np.inf, 0.0]
    with pytest.raises(ModelError, match="number 0 is not"):
        posterior(chain, evidence, [2, 1])
    with pytest.raises(ModelError, match="sequence 0"):
        drawn_paths(chain, evidence, [2, 1], np.full(3, 0.5))


def test_nothing_at_all_is_no_fault():
    chain, evidence, _ = world(3)
    for lengths in ([], [0, 0]):
        found = posterior(chain, evidence[:0], lengths)
        assert found.states.shape == (0, 3)
        assert found.moves.sum() == found.starts.sum() == 0
        assert log_likelihood(chain, evidence[:0], lengths).tolist() == [0.0] * len(lengths)
        assert len(drawn_paths(chain, evidence[:0], lengths, [])) == 0
        assert len(best_paths(chain, evidence[:0], lengths)[0]) == 0
        assert len(free_paths(chain, lengths, [])) == 0


@pytest.mark.parametrize(("change", "words"), [
    ({"lengths": [3, -1]}, "0 or more"), ({"evidence": np.ones((2, 3))}, "one row a step"),
    ({"evidence": np.full((10, 3), np.nan)}, "NaN"), ({"evidence": -np.ones((10, 3))}, "logs=True"),
    ({"inputs": np.zeros(3, int)}, "one input a step"), ({"inputs": np.full(10, 7)}, r"0\.\.1"),
    ({"chain": Chain(np.ones(3) / 3, np.ones((3, 3)) / 3)}, "shape"),
])
def test_bad_input_is_refused_in_words(change, words):
    chain, evidence, inputs = world(4)
    given = {"chain": chain, "evidence": evidence, "lengths": LENGTHS, "inputs": inputs, **change}
    with pytest.raises(ModelError, match=words):
        posterior(**given)


def test_steps_lay_the_longest_first():
    steps = step_order([1, 3, 2])
    assert steps.order.tolist() == [1, 2, 0]
    assert steps.begin.tolist() == [0, 3, 5, 6]
    assert steps.rows.tolist() == [1, 4, 0, 2, 5, 3]


def test_no_draw_takes_what_cannot_be():
    weights = np.array([[0.0, 1.0, 0.0], [1e-300, 0.0, 1.0], [0.0, 0.0, 0.0]])
    for uniform in (0.0, 0.5, np.nextafter(1.0, 0.0)):
        assert drawn_rows(weights, np.full(3, uniform))[0] == 1
        assert drawn_rows(weights, np.full(3, uniform))[1] in (0, 2)
