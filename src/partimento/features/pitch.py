"""Measures of pitch: what sounds how long, how high, how far and how strange."""

from __future__ import annotations

import numpy as np

from partimento.features.notes import FloatArray, IndexArray, bar_indices, pitched
from partimento.features.parts import PartMeasure, Parts, ratio, time_until
from partimento.score import BoolArray, Score

OCTAVE = 12
_DIATONIC = np.array([[(tonic + step) % 12 in (0, 2, 4, 5, 7, 9, 11) for tonic in range(12)] for step in range(12)])


def pitch_classes(score: Score, track: int | None = None, notes: BoolArray | None = None) -> FloatArray:
    """Return float64[12]: the sounding time of each pitch class in quarters, of pitched notes (where `notes` says so).

    >>> s = Score(onset=[0, 480], duration=[480, 240], pitch=[60, 67], velocity=[80, 80], track=[0, 0])
    >>> pitch_classes(s)[[0, 7]].tolist()
    [1.0, 0.5]
    """
    mask = pitched(score, track) if notes is None else pitched(score, track) & notes
    time = np.bincount(score.pitch[mask] % 12, score.duration[mask].astype(np.float64), 12)
    return np.asarray(time / score.ticks_per_quarter)


def pitch_range(score: Score, track: int | None = None) -> tuple[int, int] | None:
    """Return the lowest and the highest pitch, or None where there is none.

    >>> pitch_range(Score(onset=[0, 9], duration=[9, 9], pitch=[60, 67], velocity=[80, 80], track=[0, 0]))
    (60, 67)
    """
    pitch = score.pitch[pitched(score, track)]
    return (int(pitch.min()), int(pitch.max())) if len(pitch) else None


@PartMeasure
def pitch_mean(parts: Parts) -> FloatArray:
    """Return the mean pitch of the notes, as a MIDI pitch."""
    return parts.means(parts.tones, parts.score.pitch[parts.tones])


@PartMeasure
def pitch_span(parts: Parts) -> FloatArray:
    """Return the distance from the lowest to the highest note in semitones."""
    pitch, part = parts.score.pitch[parts.tones], parts.part[parts.tones]
    out = np.full(parts.count, np.nan)
    first = np.flatnonzero(np.append(True, np.diff(part) > 0))[:len(part)]      # notes stand in order of onset
    if len(first):
        out[part[first]] = np.maximum.reduceat(pitch, first) - np.minimum.reduceat(pitch, first)
    return out


def _steps(parts: Parts) -> tuple[IndexArray, IndexArray]:
    """Semitones from each top note to the next of its track, within a part, and the part; upwards is above 0."""
    tracks, part = parts.score.track[parts.tones], parts.part[parts.tones]
    pitch, place = parts.score.pitch[parts.tones].astype(np.int64), parts.lines[parts.tones]
    order = np.argsort(place * 128 + pitch, kind="stable")
    top = order[np.append(np.diff(place[order]) > 0, True)[:len(order)]]
    follows = (np.diff(tracks[top]) == 0) & (np.diff(part[top]) == 0)
    return np.diff(pitch[top])[follows], part[top][1:][follows]


@PartMeasure
def melodic_step(parts: Parts) -> FloatArray:
    """Return the mean distance in semitones from each top note to the next within a track (the upper line)."""
    size, part = _steps(parts)
    return ratio(np.bincount(part, np.abs(size), parts.count), np.bincount(part, minlength=parts.count))


def interval_histogram(score: Score, track: int | None = None) -> FloatArray:
    """Return float64[25]: the shares of the steps of the upper line from −12 to 12 semitones; wider ones count as 12.

    All 0 where no note follows another.

    >>> s = Score(onset=[0, 480], duration=[480, 480], pitch=[60, 67], velocity=[80, 80], track=[0, 0])
    >>> int(interval_histogram(s).argmax()) - 12
    7
    """
    size = np.clip(_steps(Parts.whole(score, track))[0], -OCTAVE, OCTAVE)
    return np.bincount(size + OCTAVE, minlength=2 * OCTAVE + 1) / max(1, len(size))


@PartMeasure
def chromaticism(parts: Parts) -> FloatArray:
    """Return the share of sounding time outside the diatonic scale that fits best (12 are tried)."""
    score, tones = parts.score, parts.tones
    onset, offset = score.onset[tones].astype(np.int64), score.offset[tones].astype(np.int64)
    own = score.pitch[tones] % 12
    time = np.stack([np.diff(time_until(parts.edges, onset[own == c], offset[own == c])) for c in range(12)], axis=1)
    outside = time.sum(axis=1) - (time @ _DIATONIC).max(axis=1)
    return ratio(outside, time.sum(axis=1))


@PartMeasure
def pitch_variety(parts: Parts) -> FloatArray:
    """Return how many different pitch classes begin in a bar, the mean over the bars in which a note begins."""
    bar = bar_indices(parts.score, parts.tones)
    pairs = np.unique(bar * 12 + parts.score.pitch[parts.tones] % 12) // 12
    if not len(pairs):
        return np.full(parts.count, np.nan)
    first = parts.score.bar_starts[:-1].astype(np.int64)
    part = np.searchsorted(parts.edges[:-1], first, side="right") - 1
    return ratio(np.bincount(part[pairs], minlength=parts.count),
                 np.bincount(part[np.unique(pairs)], minlength=parts.count))
