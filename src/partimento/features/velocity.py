"""Measures of loudness."""

from __future__ import annotations

from partimento.features.notes import notes_of
from partimento.score import Score


def loudness(score: Score, track: int | None = None) -> float | None:
    """Return the mean velocity of the notes, 1–127."""
    velocity = score.velocity[notes_of(score, track)]
    return float(velocity.mean()) if len(velocity) else None


def dynamics(score: Score, track: int | None = None) -> float | None:
    """Return the standard deviation of the velocities."""
    velocity = score.velocity[notes_of(score, track)]
    return float(velocity.std()) if len(velocity) else None
