"""Measures of loudness: how loud, how varied, and where in the bar."""

from __future__ import annotations

import numpy as np

from partimento.features.meter import BEAT, N_LEVELS, metric_levels, note_levels
from partimento.features.notes import FloatArray, notes_of
from partimento.features.parts import PartMeasure, Parts, ratio
from partimento.score import Score


@PartMeasure
def loudness(parts: Parts) -> FloatArray:
    """Return the mean velocity of the notes, 1–127."""
    return parts.means(parts.chosen, parts.score.velocity[parts.chosen])


@PartMeasure
def dynamics(parts: Parts) -> FloatArray:
    """Return the standard deviation of the velocities."""
    velocity = parts.score.velocity[parts.chosen]
    mean = parts.means(parts.chosen, velocity)
    return np.sqrt(parts.means(parts.chosen, (velocity - mean[parts.part[parts.chosen]]) ** 2))


@PartMeasure
def accents(parts: Parts) -> FloatArray:
    """Return how much louder the notes on the beats are than those between them, in velocity; below 0 if softer.

    A note is on a beat where its place has the metric level 3 or more (see `metric_levels`). None where all notes, or
    none, are on beats.
    """
    on_beat = metric_levels(parts.score)[parts.step] >= BEAT
    velocity = parts.score.velocity
    on, off = parts.chosen & on_beat, parts.chosen & ~on_beat
    return parts.means(on, velocity[on]) - parts.means(off, velocity[off])


def accent_profile(score: Score, track: int | None = None) -> FloatArray:
    """Return float64[6]: the mean velocity at each metric level (5 first of the bar … 0), NaN where no note is.

    >>> s = Score(onset=[0, 480], duration=[480, 480], pitch=[60, 60], velocity=[90, 70], track=[0, 0])
    >>> accent_profile(s)[[5, 3]].tolist()
    [90.0, 70.0]
    """
    mask = notes_of(score, track)
    level = note_levels(score, mask)
    return ratio(np.bincount(level, score.velocity[mask], N_LEVELS), np.bincount(level, minlength=N_LEVELS))


def velocity_range(score: Score, track: int | None = None) -> tuple[int, int] | None:
    """Return the lowest and the highest velocity, or None where there is no note.

    >>> velocity_range(Score(onset=[0, 9], duration=[9, 9], pitch=[60, 67], velocity=[70, 90], track=[0, 0]))
    (70, 90)
    """
    velocity = score.velocity[notes_of(score, track)]
    return (int(velocity.min()), int(velocity.max())) if len(velocity) else None
