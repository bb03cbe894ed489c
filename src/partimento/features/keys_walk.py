"""What sounds in each bar, and the likeliest way through the 24 keys over the bars."""

from __future__ import annotations

import numpy as np

from partimento.features.notes import FloatArray, IndexArray, bar_indices, pitched
from partimento.score import Score
from partimento.theory import KeyName, fifths

LONGEST = 4.0            # quarters from which on a longer note says no more
KEYS = tuple(KeyName(tonic, mode) for mode in ("major", "minor") for tonic in range(12))
_SIGNATURES = np.array([fifths(*key) for key in KEYS])
_APART = np.abs((_SIGNATURES[:, None] - _SIGNATURES + 6) % 12 - 6)


def bar_times(score: Score) -> tuple[IndexArray, FloatArray]:
    """Return the bars in which a pitched note begins (int64[k]), and what sounds of each pitch class (float64[k, 12]).

    In quarters, counted where a note begins, and of a note no more than four.

    >>> bar_times(Score(onset=[0], duration=[960], pitch=[61], velocity=[80], track=[0]))[1][0, :3].tolist()
    [0.0, 2.0, 0.0]
    """
    notes = np.flatnonzero(pitched(score))
    bars, row = np.unique(bar_indices(score, notes), return_inverse=True)
    quarters = np.minimum(np.maximum(score.duration[notes], 1) / score.ticks_per_quarter, LONGEST)
    place = row.reshape(-1) * 12 + score.pitch[notes] % 12
    return bars, np.bincount(place, quarters, len(bars) * 12).astype(np.float64).reshape(-1, 12)


def likeliest(evidence: FloatArray, change: float, fifth: float, enter: FloatArray | None = None) -> IndexArray:
    """Return the best path (int64[rows]) through the 24 keys: A. Viterbi, IEEE Trans. Information Theory 13 (1967).

    `evidence` (float64[rows, 24]) and costs are in nats: `change` of any change of key, `fifth` of each fifth between
    the signatures beyond the first, `enter` (float64[24]) what it costs more to come into a key or to begin in it.

    >>> likeliest(np.eye(24)[[7, 7, 0, 7]], 1.0, 0.5).tolist()
    [7, 7, 7, 7]
    """
    more = np.zeros(24) if enter is None else enter
    cost = change + fifth * np.maximum(_APART - 1, 0) + more
    np.fill_diagonal(cost, 0.0)
    cost = np.ascontiguousarray(cost.T)                     # [to, from]
    came_from = np.zeros(evidence.shape, np.int64)
    best = evidence[0] - more
    states = np.arange(24)
    for i in range(1, len(evidence)):
        reached = best - cost
        came_from[i] = source = reached.argmax(axis=1)
        best = reached[states, source] + evidence[i]
    return traced(came_from, best)


def traced(came_from: IndexArray, best: FloatArray) -> IndexArray:
    """Return the states (int64[rows]) that lead to the best of the last ones (float64[k]), each from which it came.

    `came_from` (int64[rows, k]) is the state before each; its first row says nothing.

    >>> traced(np.array([[0, 0], [1, 0], [0, 0]]), np.array([1.0, 2.0])).tolist()
    [1, 0, 1]
    """
    path = np.zeros(len(came_from), np.int64)
    path[-1] = best.argmax()
    for i in range(len(path) - 1, 0, -1):
        path[i - 1] = came_from[i, path[i]]
    return path
