"""Products of experts: weights for the logarithms of several distributions, learnt by maximum likelihood.

A log-linear pool gives a symbol the product of what the experts give it, each raised to a power, and is scaled to sum
to 1 (G. E. Hinton, "Training products of experts by minimizing contrastive divergence", Neural Computation 2002; for
melodies, with powers from entropies, D. Conklin and I. H. Witten 1995 and M. T. Pearce 2005). The power of an expert is
its own number plus one for what it knows here, its *trust*, plus one for the kind of line, its *group*. In these
numbers the log-likelihood is concave, so there is one best set; L-BFGS finds it (J. Nocedal, "Updating quasi-Newton
matrices with limited storage", Mathematics of Computation 1980).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Logs = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Loss = Callable[[Floats], tuple[float, Floats]]

LEAN = 1.0                # how strongly the numbers lean on even ones, and the differences on none
LEAN_APART = 30.0
BASE = 1.5                # powers of the experts together where nothing has been learnt
_ROUNDS, _REMEMBERED = 60, 10


class Powers(NamedTuple):
    """The powers of experts: alone (float64[experts]), by trust ([experts, trusts]), by group ([groups, experts])."""

    alone: Floats
    trust: Floats
    group: Floats

    def at(self, trust: Ints, groups: npt.NDArray[Any]) -> Floats:
        """float64[rows, experts]: the power of each expert at rows of a trust (int[rows, experts]) and a group."""
        known = groups < len(self.group)
        own = np.where(known[:, None], self.group[np.where(known, groups, 0)], 0.0)
        return np.asarray(self.alone + self.trust[np.arange(len(self.alone)), trust] + own)


def even(experts: int, trusts: int) -> Powers:
    """The same power for all experts: what stands where nothing has been learnt."""
    return Powers(np.full(experts, BASE / max(experts, 1)), np.zeros((experts, trusts)), np.zeros((1, experts)))


def pooled(logs: npt.NDArray[Any], powers: Floats) -> Floats:
    """float64[rows, symbols]: the product of the experts as log-probabilities, from logs [rows, experts, symbols].

    >>> np.exp(pooled(np.log([[[0.5, 0.5], [0.8, 0.2]]]), np.array([[1.0, 0.5]]))).round(3).tolist()
    [[0.667, 0.333]]
    """
    score = np.matmul(powers[:, None, :].astype(logs.dtype), logs)[:, 0].astype(np.float64)
    score -= score.max(axis=1, keepdims=True)
    return np.asarray(score - np.log(np.exp(score).sum(axis=1, keepdims=True)))


def fit_powers(logs: Logs, trust: Ints, groups: Ints, symbols: Ints, trusts: int) -> Powers:
    """The powers that make symbols (int[rows]) likeliest, from logs [rows, experts, symbols] and trust [rows, experts].

    Each number pays a square for its distance from the even one: LEAN, and LEAN_APART for what trust and group add.
    """
    rows, experts, _ = logs.shape
    start = even(experts, trusts)
    n_groups = int(groups.max()) + 1 if rows else 1
    place = np.arange(rows)
    came = logs[place, :, symbols].astype(np.float64)
    cell = (trust + np.arange(experts) * trusts).ravel()

    def split(numbers: Floats) -> Powers:
        alone, rest = numbers[:experts], numbers[experts:]
        return Powers(alone, rest[:experts * trusts].reshape(experts, trusts),
                      rest[experts * trusts:].reshape(n_groups, experts))

    def loss(numbers: Floats) -> tuple[float, Floats]:
        powers = split(numbers)
        found = pooled(logs, powers.at(trust, groups))
        missed = np.matmul(logs, np.exp(found).astype(logs.dtype)[:, :, None])[:, :, 0] - came
        by_group = np.stack([missed[groups == g].sum(axis=0) for g in range(n_groups)])
        slope = Powers(missed.sum(axis=0) + 2 * LEAN * (powers.alone - start.alone),
                       np.bincount(cell, missed.ravel(), experts * trusts).reshape(experts, trusts)
                       + 2 * LEAN_APART * powers.trust, by_group + 2 * LEAN_APART * powers.group)
        cost = (-float(found[place, symbols].sum()) + LEAN * float(((powers.alone - start.alone) ** 2).sum())
                + LEAN_APART * float((powers.trust ** 2).sum() + (powers.group ** 2).sum()))
        return cost, np.concatenate([part.ravel() for part in slope])

    first = np.concatenate([start.alone, np.zeros(experts * (trusts + n_groups))])
    return split(lowest(loss, first))


def lowest(loss: Loss, start: Floats, rounds: int = _ROUNDS) -> Floats:
    """Where a smooth convex `loss` (its value and slope at a point) is lowest, from `start`, by L-BFGS.

    >>> lowest(lambda x: (float(((x - 3) ** 2).sum()), 2 * (x - 3)), np.zeros(2)).round(4).tolist()
    [3.0, 3.0]
    """
    point = start
    cost, slope = loss(point)
    steps: list[tuple[Floats, Floats, float]] = []
    for _ in range(rounds):
        way = slope.copy()
        shares = []
        for step, change, product in reversed(steps):
            share = float(step @ way) / product
            shares.append(share)
            way -= share * change
        if steps:
            way *= steps[-1][2] / float(steps[-1][1] @ steps[-1][1])
        else:
            way /= max(4.0 * float(np.abs(slope).max()), 1e-9)
        for (step, change, product), share in zip(steps, reversed(shares), strict=True):
            way += step * (share - float(change @ way) / product)
        length = 1.0
        while True:
            new_cost, new_slope = loss(point - length * way)
            if new_cost <= cost - 1e-4 * length * float(way @ slope):
                break
            length /= 2
            if length < 1e-6:
                return point
        step, change = -length * way, new_slope - slope
        if float(step @ change) > 1e-12:
            steps = [*steps, (step, change, float(step @ change))][-_REMEMBERED:]
        done = cost - new_cost <= 1e-7 * abs(cost)
        point, cost, slope = point + step, new_cost, new_slope
        if done:
            break
    return point
