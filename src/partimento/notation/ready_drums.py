"""Drums as they are written: strokes on divisions of the beat, flams as grace notes, no rests between strokes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from partimento.notation.sheet_drums import is_foot
from partimento.score import IntArray, Score

_FEET = np.array([is_foot(key) for key in range(128)])
_DIVISIONS = ((4, 0.0), (3, 0.01), (6, 0.03), (8, 0.06))     # of a beat, and what each costs a stroke, in beats
_LOOSE = 0.8


def feet(pitch: IntArray) -> npt.NDArray[np.bool_]:
    """Return bool[n]: the drum sounds that the feet play.

    >>> feet(np.array([36, 38])).tolist()
    [True, False]
    """
    return np.asarray(_FEET[pitch])


def _straightened(score: Score, drums: list[int]) -> Score:
    """The strokes of loose drum tracks on the nearest division of each beat."""
    onset = score.onset.astype(np.int64)
    quarter, starts = score.ticks_per_quarter, score.bar_starts[:-1].astype(np.int64)
    for track in drums:
        own = np.flatnonzero(score.track == track)
        if not len(own):
            continue
        bar = starts[np.searchsorted(starts, onset[own], side="right") - 1]
        beat = bar + (onset[own] - bar) // quarter * quarter
        inside = (onset[own] - beat) / quarter
        on = [np.abs(inside * parts - np.rint(inside * parts)) * quarter < 1 for parts in (4, 3)]
        if (on[0] | on[1]).mean() >= _LOOSE:
            continue
        for first in np.unique(beat):
            here = beat == first
            ways = [(float(np.abs(inside[here] - np.rint(inside[here] * parts) / parts).mean()) + cost, parts)
                    for parts, cost in _DIVISIONS]
            parts = min(ways)[1]
            onset[own[here]] = first + np.rint(np.rint(inside[here] * parts) * quarter / parts).astype(np.int64)
    if np.array_equal(onset, score.onset):
        return score
    onset = np.minimum(onset, max(0, score.end - 1))
    return score.replace(onset=onset, duration=np.minimum(score.duration, np.maximum(score.end - onset, 1)))


def _with_flams(score: Score) -> Score:
    """A stroke of a drum just before another of the same drum, less than a 32nd, as its grace note."""
    drums = np.array([track.is_drum for track in score.tracks])[score.track]
    graces = np.zeros(len(score), np.int64) if score.grace is None else score.grace.astype(np.int64)
    onset, duration = score.onset.astype(np.int64), score.duration.astype(np.int64)
    order = np.lexsort((onset, score.pitch, score.track))
    before, after = order[:-1], order[1:]
    gap = onset[after] - onset[before]
    near = (gap >= 0) & (8 * gap < score.ticks_per_quarter) & (score.track[after] == score.track[before]) & \
        (score.pitch[after] == score.pitch[before]) & drums[before] & (graces[before] <= 0) & (graces[after] <= 0)
    near[1:] &= ~near[:-1]                              # the grace note of a grace note is none
    if not near.any():
        return score
    flams = before[near]
    onset[flams], duration[flams], graces[flams] = onset[after[near]], 0, 101
    return score.replace(onset=onset, duration=duration, grace=graces)


def drums_written(score: Score) -> Score:
    """Return the Score with its drum tracks as drums are written.

    Where fewer than four strokes in five stand on 16ths or triplets of eighths, the strokes of each beat go to the
    division of it that is nearest. A stroke just before another of the same drum becomes its grace note, and each
    stroke lasts to the next of its voice, at most to the end of its beat.

    >>> from partimento.score import Track
    >>> s = Score(onset=[0, 150, 240], duration=[9, 9, 9], pitch=[42, 42, 42], velocity=[80] * 3, track=[0] * 3,
    ...           tracks=(Track("Drums", 0, True),), end=480)
    >>> drums_written(s).notes()[:, :2].tolist()
    [[0, 120], [120, 120], [240, 240]]
    """
    drums = [i for i, track in enumerate(score.tracks) if track.is_drum]
    if not drums:
        return score
    score = _with_flams(_straightened(score, drums))
    graces = score.grace > 0 if score.grace is not None else np.zeros(len(score), bool)
    duration = score.duration.astype(np.int64)
    quarter = score.ticks_per_quarter
    starts = score.bar_starts[:-1]
    for track in drums:
        for below in (False, True):
            own = np.flatnonzero((score.track == track) & ~graces & (feet(score.pitch) == below))
            if not len(own):
                continue
            onset = score.onset[own].astype(np.int64)
            bar = starts[np.searchsorted(starts, onset, side="right") - 1]
            beat = bar + ((onset - bar) // quarter + 1) * quarter
            moments = np.unique(np.append(onset, score.end + quarter))
            following = moments[np.searchsorted(moments, onset, side="right")]
            duration[own] = np.minimum(np.minimum(following, beat), max(score.end, int(onset.max()) + 1)) - onset
    return score.replace(duration=duration)
