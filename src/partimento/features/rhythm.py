"""Measures of rhythm: how many onsets, how varied, and where in the bar."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from partimento.features.notes import GRID, FloatArray, IndexArray, bar_count, bar_indices, grid_steps, notes_of
from partimento.score import Score


def density(score: Score, track: int | None = None) -> float | None:
    """Return how many notes begin in a bar, the mean over the piece; each note of a chord counts."""
    bars = bar_count(score)
    return int(notes_of(score, track).sum()) / bars if bars else None


def _lines(score: Score, track: int | None) -> tuple[IndexArray, IndexArray]:
    """Tracks and grid steps of the onsets, each (track, step) once, in that order."""
    mask = notes_of(score, track)
    step = grid_steps(score, score.onset[mask])
    width = int(step.max()) + 1 if len(step) else 1
    both = np.unique(score.track[mask].astype(np.int64) * width + step)
    return both // width, both % width


def rhythm_variety(score: Score, track: int | None = None) -> float | None:
    """Return the entropy in bits of the times from each onset to the next within a track: 0 is one even pulse."""
    tracks, step = _lines(score, track)
    gaps = np.diff(step)[np.diff(tracks) == 0]
    if not len(gaps):
        return None
    share = np.unique(gaps, return_counts=True)[1] / len(gaps)
    return float(-(share * np.log2(share)).sum()) + 0.0


def beats(numerator: int, denominator: int) -> int:
    """Return how many beats a bar has: a third of the numerator in compound meters (6/8, 9/8, 12/8), else all of it.

    >>> beats(4, 4), beats(6, 8)
    (4, 2)
    """
    return numerator // 3 if denominator >= 8 and numerator > 3 and numerator % 3 == 0 else numerator


def metric_levels(score: Score) -> npt.NDArray[np.int8]:
    """Return int8[steps]: the metric level of every grid step up to the end.

    5 first of a bar, 4 half of an even bar, 3 beat, 2 half of a beat (third, in compound meters), 1 quarter of a
    beat (or the thirds of a simple one), 0 finer: the tree of H. C. Longuet-Higgins and C. S. Lee, "The Rhythmic
    Interpretation of Monophonic Music", Music Perception 1 (1984).
    """
    starts = grid_steps(score, score.bar_starts)
    steps = np.arange(int(starts[-1]) + 1)
    index = np.clip(np.searchsorted(starts[:-1], steps, side="right") - 1, 0, None)
    place = steps - starts[index]
    levels = np.zeros(len(steps), np.int8)
    ticks = [m.tick for m in score.meters]
    meter_of_bar = np.searchsorted(ticks, score.bar_starts[:-1], side="right") - 1
    for i, meter in enumerate(score.meters):
        own = meter_of_bar[index] == i
        n_beats = beats(meter.numerator, meter.denominator)
        compound = n_beats != meter.numerator
        beat = meter.numerator * 4 * GRID / meter.denominator / n_beats
        units = [(1, beat / 6 if compound else beat / 4), (1, beat / 3), (2, beat / 3 if compound else beat / 2),
                 (3, beat)] + ([(4, beat * n_beats / 2)] if n_beats % 2 == 0 and n_beats > 2 else [])
        for level, unit in units:
            if unit >= 1:
                levels[own & (place % unit == 0)] = level
    levels[starts] = 5
    return levels


def syncopation(score: Score, track: int | None = None) -> float | None:
    """Return the share of onsets that are syncopated: weaker than a place that passes before the track's next onset.

    The places weigh as in `metric_levels`; each (track, place) counts once; the last onset of a track does not.
    """
    tracks, step = _lines(score, track)
    follows = np.diff(tracks) == 0
    if not follows.any():
        return None
    levels = metric_levels(score)
    here, following = step[:-1][follows], step[1:][follows]
    own = levels[np.minimum(here, len(levels) - 1)]
    syncopated = np.zeros(len(here), bool)
    for level in range(5):
        stronger = np.append(np.flatnonzero(levels > level), np.iinfo(np.int64).max)
        passed = stronger[np.searchsorted(stronger, here, side="right")]
        syncopated |= (own == level) & (passed < following)
    return float(syncopated.mean())


def onset_places(score: Score, track: int | None = None, steps_per_quarter: int = 4) -> FloatArray:
    """Return float64[steps of the longest bar]: the share of onsets at each place of the bar, the groove.

    >>> s = Score(onset=[0, 960], duration=[480, 480], pitch=[60, 60], velocity=[80, 80], track=[0, 0])
    >>> onset_places(s, steps_per_quarter=1).tolist()
    [0.5, 0.0, 0.5, 0.0]
    """
    longest = max(m.numerator * 4 / m.denominator for m in score.meters)
    width = max(1, int(np.ceil(longest * steps_per_quarter)))
    mask = notes_of(score, track)
    if not mask.any():
        return np.zeros(width)
    inside = score.onset[mask] - score.bar_starts[:-1][bar_indices(score, mask)]
    place = (inside.astype(np.int64) * 2 * steps_per_quarter + score.ticks_per_quarter) // (2 * score.ticks_per_quarter)
    return np.bincount(place % width, minlength=width) / len(place)
