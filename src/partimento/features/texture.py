"""Measures of sounding time: how many notes at once, how long, how much silence."""

from __future__ import annotations

import numpy as np

from partimento.features.notes import FloatArray, IndexArray
from partimento.features.parts import PartMeasure, Parts, ratio, time_until


def _sounding(parts: Parts) -> tuple[IndexArray, IndexArray]:
    """Ticks of each part in which at least one pitched note sounds, and how long all of them sound there in sum."""
    onset = parts.score.onset[parts.tones].astype(np.int64)
    offset = parts.score.offset[parts.tones].astype(np.int64)
    total = np.diff(time_until(parts.edges, onset, offset))
    reached = np.append(np.int64(0), np.maximum.accumulate(offset))[:len(offset)]
    start = np.minimum(np.maximum(onset, reached), offset)          # what of each note no earlier one covers
    return np.diff(time_until(parts.edges, start, offset)), total


@PartMeasure
def polyphony(parts: Parts) -> FloatArray:
    """Return how many pitched notes sound at once, the mean over the time in which any sounds."""
    covered, total = _sounding(parts)
    return ratio(total, covered)


@PartMeasure
def rests(parts: Parts) -> FloatArray:
    """Return the share of the time in which no pitched note sounds, 0–1; None where there are only drums."""
    tracks = parts.score.tracks
    asked = tracks if parts.track is None else tracks[parts.track:parts.track + 1]
    if all(track.is_drum for track in asked):
        return np.full(parts.count, np.nan)
    return 1 - ratio(_sounding(parts)[0], np.diff(parts.edges))


@PartMeasure
def note_length(parts: Parts) -> FloatArray:
    """Return the mean length of the pitched notes in quarters."""
    stop = np.minimum(parts.score.offset, parts.edges[parts.part + 1]) if len(parts.score) else parts.score.offset
    length = (stop - parts.score.onset)[parts.tones]
    return parts.means(parts.tones, length) / parts.score.ticks_per_quarter
