"""Phrases: where they begin and end, heard from the notes alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from partimento.features.meter import missing_before
from partimento.features.notes import GRID, IndexArray, distinct, grid_steps, pitched
from partimento.score import Score

# What speaks for a new phrase before a note, and what against it, fitted by bench/tables/phrases.py on half of the
# chorales of J. S. Bach against their fermatas, and of openscore_lieder against the punctuation of what is sung; it
# tests on the other halves. Lengths are compared in doublings.
STILL = 3.9            # the time before in which nothing begins in any part, against the mean one
SHRINK = 0.35          # the note before, against this one
REST = 27.0            # the rest before, as far as the notes of this line are not detached anyway, up to a mean note
MOVE = 2.8             # the interval in octaves, up to one
SHORT = 1.0            # against: the note before is shorter than the mean one
START = 2.0            # against: that a phrase begins at all
PLACE = 0.5            # against: elsewhere in the bar than the other phrases; again, elsewhere in the half bar
LENGTH = 3.0           # against: the phrase lasts longer or shorter than the usual one
BAR, HALF = 1.0, 5.5   # against: it does not last whole bars; it does not last whole half bars
USUAL = 8              # mean notes in a phrase, as in Temperley's Grouper
LONGEST = 64           # notes that a phrase may have
PLACES = 16            # places of the bar that are tried as the one where phrases begin


class _Line(NamedTuple):
    """The upper line: onset, end and pitch of its notes, and the time before each in which nothing begins; in ticks."""

    onset: IndexArray
    end: IndexArray
    pitch: IndexArray
    still: IndexArray


def phrases(score: Score, track: int | None = None) -> tuple[tuple[int, int], ...]:
    """Return the first tick and the end tick of each phrase of the upper line of a piece, or of one track.

    A phrase is what D. Temperley's Grouper looks for ("The Cognition of Basic Musical Structures", 2001): it ends
    with a long note or a rest, has about eight notes, and begins where in the bar the others do. Here it counts too
    that all parts stand still at its end, and that it lasts whole bars or half bars. The phrases with the best sum
    are found by dynamic programming. Drums have none; between two phrases there may be a rest.

    >>> onset = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14]
    >>> length = [1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2]
    >>> tune = Score([480 * t for t in onset], [480 * t for t in length], [60] * 14, [80] * 14, [0] * 14)
    >>> phrases(tune)
    ((0, 3840), (3840, 7680))
    """
    line = _upper_line(score, track)
    if len(line.onset) < 2:
        return tuple(zip(line.onset.tolist(), line.end.tolist(), strict=True))
    first = _first_notes(score, line)
    last = np.append(first[1:], len(line.onset)) - 1
    return tuple(zip(line.onset[first].tolist(), line.end[last].tolist(), strict=True))


def _upper_line(score: Score, track: int | None) -> _Line:
    """The top note of each onset unless a higher one sounds on over it; each ends where the next begins."""
    own = np.flatnonzero(pitched(score, track) & (score.duration > 0))
    order, first = distinct(score.onset[own], -score.pitch[own])
    order = own[order[first]]
    order = order[np.append(True, np.diff(score.onset[order]) > 0)[:len(order)]]
    kept, until, height = [], -1, -1
    for note, onset, pitch, end in zip(order.tolist(), score.onset[order].tolist(), score.pitch[order].tolist(),
                                       score.offset[order].tolist(), strict=True):
        if onset >= until or pitch >= height:
            kept.append(note)
            until, height = end, pitch
    onset = score.onset[kept].astype(np.int64)
    end = np.minimum(score.offset[kept], np.append(onset[1:], score.end)[:len(kept)]).astype(np.int64)
    begins = np.unique(score.onset[own]).astype(np.int64)
    still = onset - begins[np.searchsorted(begins, onset) - 1]
    return _Line(onset, end, score.pitch[kept].astype(np.int64), still)


def _first_notes(score: Score, line: _Line) -> IndexArray:
    """Which notes of the line begin phrases (int64, the first is 0): the best sum over phrases, place by place."""
    count = len(line.onset)
    gap = np.append(np.diff(line.onset), max(1, line.end[-1] - line.onset[-1]))
    silent = 1 - (line.end - line.onset)[:-1] / gap[:-1]
    mean, rest = _mean(gap[:-1]), gap[:-1] * np.maximum(0, silent - np.median(silent))
    worth = np.full(count, -START)
    worth[1:] += (STILL * np.log2(line.still[1:] / _mean(line.still[1:])) + SHRINK * np.log2(gap[:-1] / gap[1:])
                  + REST * np.minimum(1, rest / mean) + MOVE * np.minimum(1, np.abs(np.diff(line.pitch)) / 12)
                  - SHORT * (gap[:-1] < 0.8 * mean))
    place, bar = _places(score, line.onset)
    half = bar // 2 if bar % (2 * GRID) == 0 else bar
    kinds, often = np.unique(place, return_counts=True)
    tried = kinds[np.argsort(-often, kind="stable")][:PLACES, None]
    own = worth - PLACE * ((place != tried) + 1.0 * (place % half != tried % half))        # places tried × notes
    steps = grid_steps(score, np.append(line.onset, line.end[-1]))
    best = np.full((len(tried), count + 1), -np.inf)       # the best sum when a phrase begins at each note, or the end
    best[:, 0] = 0
    came = np.zeros((len(tried), count + 1), np.int64)
    for here in range(1, count + 1):
        low = max(0, here - LONGEST)
        length = steps[here] - steps[low:here]
        against = (LENGTH * np.abs(np.log2((line.end[here - 1] - line.onset[low:here]) / (USUAL * mean)))
                   + BAR * (length % bar != 0) + HALF * (length % half != 0))
        sums = best[:, low:here] - against
        chosen = sums.argmax(axis=1)
        best[:, here] = sums[np.arange(len(tried)), chosen] + (own[:, here] if here < count else 0)
        came[:, here] = low + chosen
    path = came[int(best[:, count].argmax())]
    found = [int(path[count])]
    while found[-1]:
        found.append(int(path[found[-1]]))
    return np.array(found[::-1], np.int64)


def _mean(ticks: IndexArray) -> float:
    """The geometric mean."""
    return float(np.exp(np.log(ticks).mean()))


def _places(score: Score, onset: IndexArray) -> tuple[IndexArray, int]:
    """The grid step within its bar of each onset, and the steps of the bar that most notes have."""
    starts = score.bar_starts[:-1]
    index = np.searchsorted(starts, onset, side="right") - 1
    place = onset - starts[index] + np.where(index == 0, missing_before(score), 0)
    ruling = np.searchsorted([m.tick for m in score.meters], onset, side="right") - 1
    meter = score.meters[int(np.bincount(ruling).argmax())]
    return grid_steps(score, place), max(1, int(grid_steps(score, score.full_bar_ticks(meter.tick))))
