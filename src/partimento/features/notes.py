"""Which notes count, in which bar they begin, and where on a grid that forgives a performance its deviations."""

from __future__ import annotations

import itertools

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


def bar_count(score: Score) -> float:
    """Return the length of the piece in bars, a partial bar counted as the part of a whole bar that it is."""
    total = 0.0
    for meter, following in itertools.zip_longest(score.meters, score.meters[1:]):
        stop = min(following.tick, score.end) if following else score.end
        bar = meter.numerator * 4 * score.ticks_per_quarter / meter.denominator
        total += max(0, stop - meter.tick) / bar
    return total


def bar_indices(score: Score, mask: BoolArray) -> IndexArray:
    """Return int64[k]: the index of the bar in which each note of `mask` begins."""
    return np.searchsorted(score.bar_starts[:-1], score.onset[mask], side="right").astype(np.int64) - 1


def grid_steps(score: Score, ticks: npt.ArrayLike) -> IndexArray:
    """Return the nearest grid step (12 a quarter) of each tick, int64."""
    tpq = score.ticks_per_quarter
    return (np.asarray(ticks, np.int64) * (2 * GRID) + tpq) // (2 * tpq)
