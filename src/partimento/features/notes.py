"""Which notes count, in which bar they begin, and where on a grid that forgives a performance its deviations."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from partimento.score import BoolArray, Score

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]

GRID = 12              # steps a quarter on which rhythms are compared


def notes_of(score: Score, track: int | None = None) -> BoolArray:
    """Return bool[n]: the notes of one track, or all notes."""
    return np.ones(len(score), bool) if track is None else np.asarray(score.track == track)


def pitched(score: Score, track: int | None = None) -> BoolArray:
    """Return bool[n]: the notes whose pitch means a pitch, that is all but those on drum tracks.

    >>> pitched(Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0])).tolist()
    [True]
    """
    drums = np.array([t.is_drum for t in score.tracks] or [False])
    return np.asarray(notes_of(score, track) & ~drums[score.track])


def bars_before(score: Score, ticks: npt.ArrayLike) -> FloatArray:
    """Return how many bars pass before each tick, a partial bar counted as the part of a whole bar that it is."""
    at = np.asarray(ticks, np.float64)
    passed = np.zeros(at.shape)
    for meter, following in itertools.zip_longest(score.meters, score.meters[1:]):
        bar = meter.numerator * 4 * score.ticks_per_quarter / meter.denominator
        passed += np.clip(at - meter.tick, 0, following.tick - meter.tick if following else None) / bar
    return passed


def bar_count(score: Score) -> float:
    """Return the length of the piece in bars, a partial bar counted as the part of a whole bar that it is."""
    return float(bars_before(score, score.end))


def bar_indices(score: Score, notes: npt.NDArray[Any]) -> IndexArray:
    """Return int64[k]: the index of the bar in which each of these notes (a mask or indices) begins."""
    return np.asarray(np.searchsorted(score.bar_starts[:-1], score.onset[notes], side="right") - 1, np.int64)


def bar_meters(score: Score) -> IndexArray:
    """Return int64[n_bars]: the index of the meter that rules in each bar."""
    ticks = [meter.tick for meter in score.meters]
    return np.searchsorted(ticks, score.bar_starts[:-1], side="right").astype(np.int64) - 1


def grid_steps(score: Score, ticks: npt.ArrayLike) -> IndexArray:
    """Return the nearest grid step (12 a quarter) of each tick, int64."""
    tpq = score.ticks_per_quarter
    return (np.asarray(ticks, np.int64) * (2 * GRID) + tpq) // (2 * tpq)


def distinct(*columns: npt.NDArray[Any]) -> tuple[IndexArray, IndexArray]:
    """Return the order in which rows of these columns rise, and where in it each distinct row begins, both int64."""
    order = np.lexsort(columns[::-1])
    first = np.zeros(len(order), bool)
    first[:1] = True
    for column in columns:
        ordered = column[order]
        first[1:] |= ordered[1:] != ordered[:-1]
    return order, np.flatnonzero(first)
