"""Measures of sounding time: how many notes at once, how long, how much silence."""

from __future__ import annotations

import numpy as np

from partimento.features.notes import pitched
from partimento.score import Score


def _sounding(score: Score, track: int | None) -> tuple[int, int]:
    """Ticks in which at least one pitched note sounds, and the sum of all their durations."""
    mask = pitched(score, track)
    onset = score.onset[mask].astype(np.int64)
    if not len(onset):
        return 0, 0
    reached = np.maximum.accumulate(onset + score.duration[mask])
    start = np.maximum(onset[1:], reached[:-1])
    covered = int(reached[0] - onset[0]) + int(np.maximum(0, reached[1:] - start).sum())
    return covered, int(score.duration[mask].astype(np.int64).sum())


def polyphony(score: Score, track: int | None = None) -> float | None:
    """Return how many pitched notes sound at once, the mean over the time in which any sounds."""
    covered, total = _sounding(score, track)
    return total / covered if covered else None


def rests(score: Score, track: int | None = None) -> float | None:
    """Return the share of the piece in which no pitched note sounds, 0–1."""
    if not score.end or not pitched(score, track).any():
        return None
    return max(0.0, 1 - _sounding(score, track)[0] / score.end)


def note_length(score: Score, track: int | None = None) -> float | None:
    """Return the mean length of the pitched notes in quarters."""
    duration = score.duration[pitched(score, track)]
    return float(duration.mean()) / score.ticks_per_quarter if len(duration) else None
