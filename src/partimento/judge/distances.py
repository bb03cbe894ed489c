"""How far two sets of pieces lie apart by one measure: densities, divergence, overlap, and intervals for all of it.

After L.-C. Yang and A. Lerch, "On the Evaluation of Generative Models in Music", Neural Computing and Applications 32
(2020): the distances within a set and those between two sets are made densities by Gaussian kernels; the sets are alike
where the two densities are. Every pair within a set counts from both its ends, as in their toolbox mgeval, which the
bandwidth depends on. Two things differ from it: it loses what the densities have outside the range of the distances,
so that sets alike have less than 1; and it takes the two densities of the divergence at different places.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import RequestError
from partimento.sampling import generator

FloatArray = npt.NDArray[np.float64]
POINTS = 1_000             # at which densities are compared
FINE = 32                  # places a bandwidth at which a sample is counted before the kernel spreads it
REACH = 8                  # bandwidths that the kernel spreads it
RESAMPLES = 1_000
FLOOR = 1e-12              # of a density, so that a logarithm exists


class Comparison(NamedTuple):
    """Two sets by one measure: means and deviations of both, then KL and overlap of their densities of distances."""

    mean: float
    deviation: float
    reference_mean: float
    reference_deviation: float
    divergence: float
    overlap: float


class Interval(NamedTuple):
    """A number and the 95 % interval of it."""

    value: float
    low: float
    high: float


def inner_distances(values: FloatArray) -> FloatArray:
    """Return the distances between every two of the values (float64[n] or [n, d]), each pair once.

    >>> inner_distances(np.array([0.0, 1.0, 3.0])).tolist()
    [1.0, 3.0, 2.0]
    """
    table = _table(values)
    first, second = np.triu_indices(len(table), 1)
    return np.asarray(np.linalg.norm(table[first] - table[second], axis=1))


def cross_distances(values: FloatArray, others: FloatArray) -> FloatArray:
    """Return the distances from every value to every one of the others (float64[n · m]).

    >>> cross_distances(np.array([0.0, 1.0]), np.array([3.0])).tolist()
    [3.0, 2.0]
    """
    return np.asarray(np.linalg.norm(_table(values)[:, None] - _table(others)[None], axis=-1).reshape(-1))


def _table(values: FloatArray) -> FloatArray:
    table = np.asarray(values, np.float64)
    return table[:, None] if table.ndim == 1 else table


def kernel_density(sample: FloatArray, at: FloatArray) -> FloatArray:
    """Return the Gaussian kernel density of a sample at some points, its bandwidth by Scott's rule n^(−1/5).

    A sample without spread has none of its own; it is given a thousandth of its size. The sample is counted on a grid
    of a 32nd of the bandwidth first, each value shared by its two neighbours, which is right to a thousandth.

    >>> kernel_density(np.array([-1.0, 1.0]), np.array([0.0, 1.0])).round(2).tolist()
    [0.23, 0.21]
    """
    sample = np.asarray(sample, np.float64)
    spread = float(sample.std(ddof=1)) if len(sample) > 1 else 0.0
    width = (spread or max(abs(float(sample.mean())), 1.0) / 1000) * len(sample) ** -0.2
    low = float(sample.min()) - REACH * width
    step = max(width / FINE, (float(sample.max()) + REACH * width - low) / 1_000_000)
    place = (sample - low) / step
    below = np.floor(place).astype(np.int64)
    size = int(below.max()) + 2 + math.ceil(REACH * width / step)
    count = np.bincount(below, 1 - (place - below), size) + np.bincount(below + 1, place - below, size)
    reach = np.arange(-math.ceil(REACH * width / step), math.ceil(REACH * width / step) + 1) * step / width
    kernel = np.exp(-0.5 * reach ** 2) / (len(sample) * width * np.sqrt(2 * np.pi))
    density = np.convolve(count, kernel, "same")
    return np.interp(at, low + step * np.arange(size), density, left=0.0, right=0.0)


def divergence_and_overlap(sample: FloatArray, other: FloatArray) -> tuple[float, float]:
    """Return KL(sample ‖ other) in nats and the overlapping area, 0–1, of the densities of two samples.

    Both densities are taken at 1,000 points over the range of both samples, a bandwidth more at either end.

    >>> same = np.linspace(0, 1, 50)
    >>> tuple(round(x, 6) for x in divergence_and_overlap(same, same))
    (0.0, 1.0)
    """
    both = np.concatenate([sample, other])
    margin = max(float(np.std(both)), 1e-6)
    at = np.linspace(float(both.min()) - margin, float(both.max()) + margin, POINTS)
    step = float(at[1] - at[0])
    p, q = (np.maximum(kernel_density(one, at), FLOOR) for one in (sample, other))
    p, q = p / (p.sum() * step), q / (q.sum() * step)
    return max(0.0, float((p * np.log(p / q)).sum() * step)), float(np.minimum(p, q).sum() * step)


def compare_sets(values: FloatArray, reference: FloatArray) -> Comparison:
    """Return how a set of values lies to a reference set: KL and overlap of the distances within it and between both.

    RequestError where either set has fewer than two values.

    >>> found = compare_sets(np.array([0.0, 1, 2, 3]), np.array([0.0, 1, 2, 3]))
    >>> found.mean, found.overlap > 0.7
    (1.5, True)
    """
    values, reference = np.asarray(values, np.float64), np.asarray(reference, np.float64)
    if min(len(values), len(reference)) < 2:
        raise RequestError(f"to compare sets there must be two pieces in each that can be measured; "
                           f"got {len(values)} and {len(reference)}")
    inner = np.repeat(inner_distances(values), 2)           # each pair from both its ends
    divergence, overlap = divergence_and_overlap(inner, cross_distances(values, reference))
    return Comparison(float(values.mean()), float(values.std()), float(reference.mean()), float(reference.std()),
                      divergence, overlap)


def bootstrap(values: FloatArray, statistic: Callable[[FloatArray], float] = lambda sample: float(sample.mean()), *,
              seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Return a statistic of the values with its 95 % interval by percentile bootstrap over the pieces.

    Only uniform draws are used, so that a seed gives the same interval everywhere.

    >>> found = bootstrap(np.arange(100.0))
    >>> found.value, found.low < 49.5 < found.high
    (49.5, True)
    """
    values = np.asarray(values, np.float64)
    if not len(values):
        raise RequestError("an interval needs at least one value; got none")
    rng = generator(seed)
    rows = (rng.random((resamples, len(values))) * len(values)).astype(np.int64)
    found = np.array([statistic(values[row]) for row in rows])
    return Interval(statistic(values), float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975)))


def parted(count: int, size: int, seed: int = 0) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the indices of `size` pieces of a set, drawn by `seed`, and of the others: real against real.

    >>> [len(part) for part in parted(5, 2)]
    [2, 3]
    """
    order = np.argsort(generator(seed).random(count), kind="stable").astype(np.int64)
    return np.sort(order[:size]), np.sort(order[size:])
