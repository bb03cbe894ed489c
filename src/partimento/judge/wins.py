"""Choices between two counted: shares with their intervals, and strengths of many from who was preferred to whom."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from partimento.errors import RequestError
from partimento.judge.distances import Interval

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]
NORMAL = 1.959963984540054     # standard deviations that hold 95 % of a normal distribution
HALF_A_WIN = 0.5               # added either way between every two sets, so that one that never won has a strength
_ROUNDS = 5_000
_STILL = 1e-9


def wilson_interval(share: float, count: float) -> Interval:
    """Return a share of `count` choices with its 95 % interval by E. B. Wilson (JASA 22, 1927).

    `count` may be an effective one, no whole number. RequestError where it is not above 0.

    >>> [round(x, 4) for x in wilson_interval(0.8, 10)]
    [0.8, 0.4902, 0.9433]
    """
    if not count > 0:
        raise RequestError(f"a share needs at least one choice; got {count:g}")
    square = NORMAL ** 2 / count
    middle, scale = share + square / 2, 1 + square
    reach = NORMAL * math.sqrt(max(share * (1 - share), 0.0) / count + square / (4 * count))
    return Interval(share, max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale))


def share_of(choices: npt.ArrayLike, *groupings: npt.ArrayLike) -> Interval:
    """Return the mean of choices (float[n] in 0…1) with its interval; choices of one group are not independent.

    Each grouping is int[n]: the listener of every choice, the pair that it is of. The interval is Wilson's at the
    effective number of choices, n over the design effect of the worst grouping (E. L. Korn and B. I. Graubard, Survey
    Methodology 24, 1998). Where all choices are alike they count as many as the largest grouping has groups.

    >>> [round(x, 3) for x in share_of([1, 1, 1, 0], [0, 1, 2, 3])]
    [0.75, 0.301, 0.954]
    """
    said = np.asarray(choices, np.float64)
    count = len(said)
    if not count:
        raise RequestError("a share needs at least one choice; got none")
    groups = [np.unique(np.asarray(grouping), return_inverse=True)[1] for grouping in groupings]
    share = float(said.mean())
    spread = share * (1 - share)
    if spread == 0:
        return wilson_interval(share, max((int(group.max()) + 1 for group in groups), default=count))
    effect = 1.0
    for group in groups:
        sums = np.bincount(group, said - share)
        if len(sums) > 1:
            variance = len(sums) / (len(sums) - 1) * float((sums ** 2).sum()) / count ** 2
            effect = max(effect, variance * (count - 1) / spread)
    return wilson_interval(share, max(1.0, count / effect))


def bradley_terry(wins: npt.ArrayLike) -> FloatArray:
    """Return the logarithms of the strengths of k sets, of mean 0, from float[k, k]: how often i was preferred to j.

    The chance that i is preferred to j is s_i / (s_i + s_j) (R. A. Bradley and M. E. Terry, Biometrika 39, 1952); a tie
    counts half for either. Half a win either way is added between every two. Found by the rounds of D. R. Hunter,
    Annals of Statistics 32 (2004). Tables may be many, float[..., k, k].

    >>> bradley_terry([[0, 3, 3], [1, 0, 2], [1, 2, 0]]).round(3).tolist()
    [0.565, -0.282, -0.282]
    """
    table = np.asarray(wins, np.float64)
    k = table.shape[-1]
    if table.ndim < 2 or table.shape[-2] != k or k < 2:
        raise RequestError(f"wins must be a square table of at least 2 sets; got {list(table.shape)}")
    table = (table + HALF_A_WIN) * (1 - np.eye(k))
    won, met = table.sum(axis=-1), table + np.swapaxes(table, -1, -2)
    strength = np.ones(table.shape[:-1])
    for _ in range(_ROUNDS):
        renewed = won / (met / (strength[..., :, None] + strength[..., None, :])).sum(axis=-1)
        renewed /= np.exp(np.log(renewed).mean(axis=-1, keepdims=True))
        moved = float(np.abs(np.log(renewed / strength)).max())
        strength = renewed
        if moved < _STILL:
            break
    return np.asarray(np.log(strength))
