"""Hidden Markov chains over many sequences at once: likelihood, posteriors, best and drawn paths.

A chain is a start and tables of moves, one a kind of step (`inputs` says which table leads into each step). What is
seen enters as *evidence*, a row of K numbers a step: how likely what stands there is in each state, up to a constant,
as it is or as its logarithm. Sequences are given one after another with their `lengths`, like a pile of pages; inside
they stand step by step, the longest first, so that one matrix product moves all of them and nothing is padded.

Numbers are scaled at every step (Rabiner, Proceedings of the IEEE 77, 1989); a sequence whose numbers vanish all the
same is reckoned again in logarithms, so that only what is truly impossible has the log-likelihood −inf.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import ModelError

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[Any]                # float32 or float64


NEAR = 1e-2             # how far from 1 the chances of a row may sum to before it is reckoned in logarithms


class Chain(NamedTuple):
    """States and how they follow each other: `start` float[K], `moves` float[J, K, K], every row summing to 1."""

    start: Reals
    moves: Reals


class Posterior(NamedTuple):
    """What evidence says of the states.

    `nats` (float64[B]) the log-likelihood of each sequence; `states` float[N, K] the chance of each state at each
    step; `starts` float64[K] and `moves` float64[J, K, K] how often each state is expected to begin and each move to
    be made, over all sequences.
    """

    nats: npt.NDArray[np.float64]
    states: Reals
    starts: npt.NDArray[np.float64]
    moves: npt.NDArray[np.float64]


class StepOrder(NamedTuple):
    """Sequences laid step by step: packed row r is row `rows[r]` of the pile; step t holds the packed rows from
    `begin[t]` to `begin[t + 1]`, of the sequences `order[:width of t]`. `owner[r]` is the sequence of a packed row, and
    `before` the packed row one step earlier of each that is not a first one."""

    order: Ints
    begin: Ints
    rows: Ints
    owner: Ints
    before: Ints


def step_order(lengths: npt.ArrayLike) -> StepOrder:
    """How sequences of these lengths (int[B], 0 too) are laid step by step.

    >>> step_order([1, 3]).rows.tolist()
    [1, 0, 2, 3]
    """
    lengths = np.asarray(lengths, np.int64).reshape(-1)
    if (lengths < 0).any():
        raise ModelError(f"the length of a sequence must be 0 or more; got {int(lengths.min())}")
    order = np.argsort(-lengths, kind="stable")
    ordered = lengths[order]
    first = (np.cumsum(lengths) - lengths)[order]
    longest = int(ordered[0]) if len(ordered) else 0
    widths = np.searchsorted(-ordered, -np.arange(longest), side="left")
    begin = np.append(0, np.cumsum(widths))
    step = np.repeat(np.arange(longest), widths)
    place = np.arange(int(begin[-1])) - begin[step]
    later = np.flatnonzero(step > 0)
    return StepOrder(order, begin, first[place] + step, order[place], begin[step[later] - 1] + place[later])


def posterior(chain: Chain, evidence: Reals, lengths: npt.ArrayLike, inputs: npt.ArrayLike | None = None,
              logs: bool = False) -> Posterior:
    """The forward-backward algorithm: what `evidence` (float[N, K]) says of the states of each sequence.

    `inputs` (int[N]) chooses the table that leads into each step; `logs` says that the evidence is logarithms.
    ModelError where a sequence is impossible.

    >>> chain = Chain(np.array([.5, .5]), np.array([[[.9, .1], [.1, .9]]]))
    >>> posterior(chain, np.array([[.9, .1], [.9, .1]]), [2]).states.round(3).tolist()
    [[0.976, 0.024], [0.976, 0.024]]
    """
    steps = step_order(lengths)
    seen, shift = _laid(chain, evidence, steps, logs)
    found = packed_posterior(chain, seen, steps, _kinds(chain, inputs, steps), shift)
    states = np.empty_like(found.states)
    states[steps.rows] = found.states
    lost = np.flatnonzero(~np.isfinite(found.nats))
    if len(lost):
        return _again_in_logs(chain, evidence, np.asarray(lengths, np.int64), inputs, logs, lost, states, found.nats)
    return found._replace(states=states)


def packed_posterior(chain: Chain, seen: Reals, steps: StepOrder, kinds: Ints, shift: Reals | float = 0.0) -> Posterior:
    """What `posterior` says of evidence that is packed as `steps` says, its states packed too.

    `shift` are the logarithms taken out of the rows. A sequence whose numbers vanish has −inf, and counts for nothing.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        ahead, scale = forward(chain, seen, steps, kinds)
        nats = _nats(scale, shift, steps)
        states, starts, moves = _backward(chain, seen, steps, kinds, ahead, scale)
        lost = np.flatnonzero(~(np.abs(states.sum(axis=1) - 1) < NEAR))
    if len(lost):       # where forward values vanished beside backward values beyond all bounds
        nats[steps.owner[lost]] = -np.inf
    return Posterior(nats, states, starts, moves)


def log_likelihood(chain: Chain, evidence: Reals, lengths: npt.ArrayLike, inputs: npt.ArrayLike | None = None,
                   logs: bool = False) -> npt.NDArray[np.float64]:
    """float64[B]: the log-likelihood of each sequence in nats; −inf where it is impossible, 0 where it is empty.

    >>> chain = Chain(np.array([1.]), np.array([[[1.]]]))
    >>> log_likelihood(chain, np.array([[.5], [.25], [.5]]), [2, 0, 1]).round(3).tolist()
    [-2.079, 0.0, -0.693]
    """
    steps = step_order(lengths)
    seen, shift = _laid(chain, evidence, steps, logs)
    with np.errstate(invalid="ignore", divide="ignore"):
        nats = _nats(forward(chain, seen, steps, _kinds(chain, inputs, steps))[1], shift, steps)
    for one in np.flatnonzero(~np.isfinite(nats)):
        own, kinds = _own(chain, evidence, np.asarray(lengths, np.int64), inputs, logs, int(one))
        nats[one] = np.logaddexp.reduce(_log_forward(chain, own, kinds)[-1])
    return nats


def best_paths(chain: Chain, evidence: Reals, lengths: npt.ArrayLike, inputs: npt.ArrayLike | None = None,
               logs: bool = False) -> tuple[Ints, npt.NDArray[np.float64]]:
    """The likeliest states of every sequence (int64[N]) and the log-likelihood of each with its evidence (float64[B]).

    A. Viterbi, IEEE Transactions on Information Theory 13 (1967). Of equals the state of the lowest number is taken;
    an impossible sequence has −inf.

    >>> chain = Chain(np.array([.5, .5]), np.array([[[.9, .1], [.1, .9]]]))
    >>> best_paths(chain, np.array([[.9, .1], [.4, .6], [.9, .1]]), [3])[0].tolist()
    [0, 0, 0]
    """
    steps = step_order(lengths)
    kinds = _kinds(chain, inputs, steps)
    seen = _as_logs(_checked(chain, evidence, steps), logs)[steps.rows]
    moves, best = _as_logs(chain.moves, False), np.empty_like(seen)
    came = np.zeros(seen.shape, np.int64)
    for t, (low, high) in enumerate(_spans(steps)):
        if t == 0:
            best[low:high] = _as_logs(chain.start, False) + seen[low:high]
            continue
        before = best[steps.begin[t - 1]:steps.begin[t - 1] + high - low]
        reached = before[:, :, None] + moves[kinds[low:high]]
        came[low:high] = reached.argmax(axis=1)
        best[low:high] = np.take_along_axis(reached, came[low:high][:, None], 1)[:, 0] + seen[low:high]
    path, total = np.zeros(len(seen), np.int64), np.zeros(len(steps.order))
    for t in range(len(steps.begin) - 2, -1, -1):
        low, high = int(steps.begin[t]), int(steps.begin[t + 1])
        after = int(steps.begin[t + 2] - high) if t + 2 < len(steps.begin) else 0
        path[low + after:high] = best[low + after:high].argmax(axis=1)
        total[steps.order[after:high - low]] = best[low + after:high].max(axis=1)
        path[low:low + after] = came[np.arange(high, high + after), path[high:high + after]]
    out = np.empty_like(path)
    out[steps.rows] = path
    return out, total


def drawn_paths(chain: Chain, evidence: Reals, lengths: npt.ArrayLike, uniforms: npt.ArrayLike,
                inputs: npt.ArrayLike | None = None, logs: bool = False) -> Ints:
    """States drawn from their posterior, one path a sequence (int64[N]), by forward filtering and backward sampling.

    C. Carter and R. Kohn, Biometrika 81 (1994). `uniforms` (float[N] in [0, 1)) are one draw a step. ModelError where
    a sequence is impossible.

    >>> chain = Chain(np.array([.5, .5]), np.array([[[0., 1.], [1., 0.]]]))
    >>> drawn_paths(chain, np.ones((3, 2)), [3], [.1, .1, .1]).tolist()
    [0, 1, 0]
    """
    steps = step_order(lengths)
    seen, _ = _laid(chain, evidence, steps, logs)
    kinds = _kinds(chain, inputs, steps)
    with np.errstate(invalid="ignore", divide="ignore"):
        ahead, _ = forward(chain, seen, steps, kinds)
    uniforms = np.asarray(uniforms, np.float64)[steps.rows]
    path, fine = np.zeros(len(seen), np.int64), np.ones(len(steps.order), bool)
    for t in range(len(steps.begin) - 2, -1, -1):
        low, high = int(steps.begin[t]), int(steps.begin[t + 1])
        after = int(steps.begin[t + 2] - high) if t + 2 < len(steps.begin) else 0
        weights = ahead[low:high].astype(np.float64)
        if after:
            weights[:after] *= chain.moves[kinds[high:high + after], :, path[high:high + after]]
        path[low:high] = drawn_rows(np.nan_to_num(weights), uniforms[low:high])
        fine[:high - low] &= weights[np.arange(high - low), path[low:high]] > 0
    out = np.empty_like(path)
    out[steps.rows] = path
    lengths = np.asarray(lengths, np.int64).reshape(-1)
    first = np.cumsum(lengths) - lengths
    back = np.empty_like(uniforms)
    back[steps.rows] = uniforms
    for one in steps.order[~fine]:
        own, own_kinds = _own(chain, evidence, lengths, inputs, logs, int(one))
        span = slice(int(first[one]), int(first[one] + lengths[one]))
        out[span] = _drawn_in_logs(chain, own, own_kinds, back[span], int(one))
    return out


def free_paths(chain: Chain, lengths: npt.ArrayLike, uniforms: npt.ArrayLike,
               inputs: npt.ArrayLike | None = None) -> Ints:
    """States drawn from the chain alone, one path a sequence (int64[N]); `uniforms` (float[N]) are one draw a step.

    >>> chain = Chain(np.array([1., 0.]), np.array([[[0., 1.], [1., 0.]]]))
    >>> free_paths(chain, [3, 2], [.5] * 5).tolist()
    [0, 1, 0, 0, 1]
    """
    steps = step_order(lengths)
    kinds = _kinds(chain, inputs, steps)
    uniforms = np.asarray(uniforms, np.float64)[steps.rows]
    path = np.zeros(int(steps.begin[-1]), np.int64)
    running = np.cumsum(chain.moves.astype(np.float64), axis=2)
    running /= running[..., -1:]
    one_kind = running[0] if len(running) == 1 else None
    top = _last(chain.moves)
    for t, (low, high) in enumerate(_spans(steps)):
        if t == 0:
            start = np.broadcast_to(chain.start, (high - low, len(chain.start)))
            path[low:high] = drawn_rows(start, uniforms[low:high])
            continue
        before = path[steps.begin[t - 1]:steps.begin[t - 1] + high - low]
        rows = one_kind[before] if one_kind is not None else running[kinds[low:high], before]
        found = (rows <= uniforms[low:high, None]).sum(axis=1)
        path[low:high] = np.minimum(found, top[kinds[low:high], before])
    out = np.empty_like(path)
    out[steps.rows] = path
    return out


def drawn_rows(weights: Reals, uniforms: Reals) -> Ints:
    """int64[n]: what the inverse CDF of each row of `weights` (float[n, k] ≥ 0) gives for its draw; 0 where all are 0.

    >>> drawn_rows(np.array([[1., 0., 3.], [0., 2., 0.]]), np.array([.3, .9])).tolist()
    [2, 1]
    """
    running = np.cumsum(np.asarray(weights, np.float64), axis=1)
    found = (running <= (uniforms * running[:, -1])[:, None]).sum(axis=1)
    return np.asarray(np.minimum(found, _last(weights)), np.int64)


# --- the passes --------------------------------------------------------------------------------------------------


def forward(chain: Chain, seen: Reals, steps: StepOrder, kinds: Ints) -> tuple[Reals, Reals]:
    """Scaled forward values (float[N, K], each row summing to 1) and the scale of each row.

    `seen` and `kinds` are packed as `steps` says. Where a scale vanishes the rest of its sequence holds no numbers.
    """
    ahead, scale = np.empty_like(seen), np.empty(len(seen), seen.dtype)
    moves = chain.moves.astype(seen.dtype, copy=False)
    start = chain.start.astype(seen.dtype, copy=False)
    ones, column = np.ones((seen.shape[1], 1), seen.dtype), scale[:, None]
    for t, (low, high) in enumerate(_spans(steps)):
        here = ahead[low:high]
        if t == 0:
            np.multiply(seen[low:high], start, out=here)
        else:
            before = ahead[steps.begin[t - 1]:steps.begin[t - 1] + high - low]
            _moved(before, moves, kinds[low:high], here)
            here *= seen[low:high]
        np.divide(here, np.matmul(here, ones, out=column[low:high]), out=here)
    return ahead, scale


def _backward(chain: Chain, seen: Reals, steps: StepOrder, kinds: Ints, ahead: Reals, scale: Reals,
              ) -> tuple[Reals, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The chance of every state at each packed row; expected starts and moves."""
    n_kinds, k, _ = chain.moves.shape
    turned = np.ascontiguousarray(chain.moves.astype(seen.dtype, copy=False).transpose(0, 2, 1))
    seen = seen / scale[:, None]            # from here on: evidence × backward value
    states = np.ones(seen.shape, seen.dtype)
    spans = _spans(steps)
    after = 0
    for (before, low), (_, high) in zip(spans[-2::-1], spans[:0:-1], strict=True):
        seen[low:low + after] *= states[low:low + after]
        after = high - low
        _moved(seen[low:high], turned, kinds[low:high], states[before:before + after])
    states *= ahead
    first = int(steps.begin[1]) if len(steps.begin) > 1 else 0
    moves = np.zeros((n_kinds, k, k))
    if len(seen) > first:
        earlier = ahead[steps.before]
        for kind in range(n_kinds):
            own = slice(None) if n_kinds == 1 else kinds[first:] == kind
            moves[kind] = earlier[own].T @ seen[first:][own]
    return states, states[:first].sum(axis=0, dtype=np.float64), moves * chain.moves


def _moved(rows: Reals, moves: Reals, kinds: Ints, out: Reals) -> None:
    """Every row through the table of its kind, into `out`."""
    if len(moves) == 1:
        np.matmul(rows, moves[0], out=out)
    elif len(rows) == 1:
        np.matmul(rows, moves[kinds[0]], out=out)
    else:
        for kind in np.unique(kinds):
            own = kinds == kind
            out[own] = rows[own] @ moves[kind]


def _spans(steps: StepOrder) -> list[tuple[int, int]]:
    return list(pairwise(steps.begin.tolist()))


def _nats(scale: Reals, shift: Reals | float, steps: StepOrder) -> npt.NDArray[np.float64]:
    """float64[B]: the log-likelihoods that scales and shifts add up to; −inf where a scale vanished."""
    nats = _summed(np.log(scale.astype(np.float64)) + shift, steps)
    small = np.flatnonzero(~(scale > np.finfo(scale.dtype).tiny * 1e6))
    nats[steps.owner[small]] = -np.inf
    return nats


def _summed(values: npt.NDArray[np.float64], steps: StepOrder) -> npt.NDArray[np.float64]:
    """float64[B]: the sum of the packed values of each sequence."""
    return np.bincount(steps.owner, values, len(steps.order)).astype(np.float64)


def _last(weights: Reals) -> Ints:
    """The last entry above 0 of each row, so that no rounding chooses what cannot be."""
    k = weights.shape[-1]
    return np.asarray(k - 1 - (weights[..., ::-1] > 0).argmax(axis=-1), np.int64)


# --- what is given -----------------------------------------------------------------------------------------------


def _checked(chain: Chain, evidence: Reals, steps: StepOrder) -> Reals:
    k = len(chain.start)
    if chain.moves.ndim != 3 or chain.moves.shape[1:] != (k, k):
        raise ModelError(f"the moves of a chain of {k} states must have the shape (kinds, {k}, {k}); "
                         f"got {chain.moves.shape}")
    if evidence.shape != (len(steps.rows), k):
        raise ModelError(f"evidence must have one row a step and a number a state, {(len(steps.rows), k)}; "
                         f"got {evidence.shape}")
    if np.isnan(evidence).any():
        raise ModelError("evidence must hold numbers; some of them are NaN")
    return evidence


def _laid(chain: Chain, evidence: Reals, steps: StepOrder, logs: bool) -> tuple[Reals, Reals | float]:
    """The evidence packed and linear, and the logarithm taken out of each row."""
    evidence = _checked(chain, evidence, steps)[steps.rows]
    if not logs:
        if len(evidence) and evidence.min() < 0:
            raise ModelError("evidence that is no logarithm must be 0 or more; say logs=True where it is one")
        return evidence, 0.0
    top = evidence.max(axis=1, initial=-np.inf)
    shift = np.where(np.isfinite(top), top, 0.0)
    return np.exp(evidence - shift[:, None]), shift


def _kinds(chain: Chain, inputs: npt.ArrayLike | None, steps: StepOrder) -> Ints:
    if inputs is None:
        return np.zeros(len(steps.rows), np.int64)
    kinds = np.asarray(inputs, np.int64).reshape(-1)
    if len(kinds) != len(steps.rows):
        raise ModelError(f"there must be one input a step, {len(steps.rows)}; got {len(kinds)}")
    if len(kinds) and not 0 <= kinds.min() <= kinds.max() < len(chain.moves):
        raise ModelError(f"inputs must lie in 0..{len(chain.moves) - 1}; got {int(kinds.min())}..{int(kinds.max())}")
    return kinds[steps.rows]


# --- in logarithms -----------------------------------------------------------------------------------------------


def _as_logs(values: Reals, already: bool) -> npt.NDArray[np.float64]:
    if already:
        return np.asarray(values, np.float64)
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(values, np.float64))


def _own(chain: Chain, evidence: Reals, lengths: Ints, inputs: npt.ArrayLike | None, logs: bool, one: int,
         ) -> tuple[npt.NDArray[np.float64], Ints]:
    """The evidence of one sequence in logarithms, and its inputs."""
    lengths = lengths.reshape(-1)
    first = int(lengths[:one].sum())
    span = slice(first, first + int(lengths[one]))
    kinds = np.zeros(int(lengths[one]), np.int64) if inputs is None else np.asarray(inputs, np.int64)[span]
    return _as_logs(evidence[span], logs), kinds


def _log_forward(chain: Chain, seen: npt.NDArray[np.float64], kinds: Ints) -> npt.NDArray[np.float64]:
    moves, out = _as_logs(chain.moves, False), np.empty_like(seen)
    for t, row in enumerate(seen):
        into = _as_logs(chain.start, False) if t == 0 else \
            np.logaddexp.reduce(out[t - 1][:, None] + moves[kinds[t]], axis=0)
        out[t] = into + row
    return out


def _again_in_logs(chain: Chain, evidence: Reals, lengths: Ints, inputs: npt.ArrayLike | None, logs: bool,
                   lost: Ints, states: Reals, nats: npt.NDArray[np.float64]) -> Posterior:
    """The posterior where the numbers of some sequences vanished: those in logarithms, the others as they were."""
    lengths = lengths.reshape(-1)
    there = np.repeat(~np.isin(np.arange(len(lengths)), lost), lengths)
    others = posterior(chain, evidence[there], np.delete(lengths, lost),
                       None if inputs is None else np.asarray(inputs)[there], logs)
    starts, moves = others.starts, others.moves
    log_moves = _as_logs(chain.moves, False)
    states[there] = others.states
    for one in lost.tolist():
        seen, kinds = _own(chain, evidence, lengths, inputs, logs, one)
        ahead = _log_forward(chain, seen, kinds)
        nats[one] = total = float(np.logaddexp.reduce(ahead[-1]))
        if not np.isfinite(total):
            raise ModelError(f"every sequence must be possible in the chain; number {one} is not: smooth its tables")
        behind = np.zeros_like(seen)
        for t in range(len(seen) - 1, 0, -1):
            into = log_moves[kinds[t]] + (seen[t] + behind[t])
            behind[t - 1] = np.logaddexp.reduce(into, axis=1)
            moves[kinds[t]] += np.exp(ahead[t - 1][:, None] + into - total)
        own = np.exp(ahead + behind - total)
        starts += own[0]
        first = int(lengths[:one].sum())
        states[first:first + len(own)] = own
    return Posterior(nats, states, starts, moves)


def _drawn_in_logs(chain: Chain, seen: npt.NDArray[np.float64], kinds: Ints, uniforms: Reals, number: int) -> Ints:
    ahead, moves = _log_forward(chain, seen, kinds), _as_logs(chain.moves, False)
    path = np.zeros(len(seen), np.int64)
    for t in range(len(seen) - 1, -1, -1):
        weights = ahead[t] + (moves[kinds[t + 1]][:, path[t + 1]] if t + 1 < len(seen) else 0.0)
        if not np.isfinite(weights.max()):
            raise ModelError(f"a path can only be drawn where the evidence is possible; that of sequence {number} "
                             "is not: smooth the tables")
        path[t] = drawn_rows(np.exp(weights - weights.max())[None], uniforms[t:t + 1])[0]
    return path
