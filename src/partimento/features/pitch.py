"""Measures of pitch: what sounds how long, how high, how far and how strange."""

from __future__ import annotations

import numpy as np

from partimento.features.notes import FloatArray, bar_indices, pitched
from partimento.score import BoolArray, Score


def pitch_classes(score: Score, track: int | None = None, notes: BoolArray | None = None) -> FloatArray:
    """Return float64[12]: the sounding time of each pitch class in quarters, of pitched notes (where `notes` says so).

    >>> s = Score(onset=[0, 480], duration=[480, 240], pitch=[60, 67], velocity=[80, 80], track=[0, 0])
    >>> pitch_classes(s)[[0, 7]].tolist()
    [1.0, 0.5]
    """
    mask = pitched(score, track) if notes is None else pitched(score, track) & notes
    time = np.bincount(score.pitch[mask] % 12, score.duration[mask].astype(np.float64), 12)
    return np.asarray(time / score.ticks_per_quarter)


def pitch_mean(score: Score, track: int | None = None) -> float | None:
    """Return the mean pitch of the notes, as a MIDI pitch."""
    pitch = score.pitch[pitched(score, track)]
    return float(pitch.mean()) if len(pitch) else None


def pitch_span(score: Score, track: int | None = None) -> float | None:
    """Return the distance from the lowest to the highest note in semitones."""
    pitch = score.pitch[pitched(score, track)]
    return float(pitch.max() - pitch.min()) if len(pitch) else None


def melodic_step(score: Score, track: int | None = None) -> float | None:
    """Return the mean distance in semitones from each top note to the next within a track (the upper line)."""
    mask = pitched(score, track)
    tracks, onset, pitch = score.track[mask], score.onset[mask], score.pitch[mask]
    order = np.lexsort((pitch, onset, tracks))
    tracks, onset, pitch = tracks[order], onset[order], pitch[order]
    top = np.ones(len(pitch), bool)
    top[:-1] = (tracks[1:] != tracks[:-1]) | (onset[1:] != onset[:-1])
    tracks, pitch = tracks[top], pitch[top]
    steps = np.abs(np.diff(pitch))[tracks[1:] == tracks[:-1]]
    return float(steps.mean()) if len(steps) else None


def chromaticism(score: Score, track: int | None = None) -> float | None:
    """Return the share of sounding time outside the diatonic scale that fits best (12 are tried)."""
    time = pitch_classes(score, track)
    if not time.sum():
        return None
    inside = max(time[[(tonic + step) % 12 for step in (0, 2, 4, 5, 7, 9, 11)]].sum() for tonic in range(12))
    return float(max(0.0, 1 - inside / time.sum()))


def pitch_variety(score: Score, track: int | None = None) -> float | None:
    """Return how many different pitch classes begin in a bar, the mean over the bars in which a note begins."""
    mask = pitched(score, track)
    if not mask.any():
        return None
    bar = bar_indices(score, mask)
    pairs = np.unique(bar * 12 + score.pitch[mask] % 12)
    return len(pairs) / len(np.unique(bar))
