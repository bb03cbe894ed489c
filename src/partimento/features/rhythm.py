"""Measures of rhythm: how many onsets, how varied, how long, and where in the bar."""

from __future__ import annotations

import itertools
import math

import numpy as np

from partimento.features.meter import metric_levels
from partimento.features.notes import GRID, FloatArray, IndexArray, bar_indices, bar_meters, notes_of, pitched
from partimento.features.parts import PartMeasure, Parts, ratio
from partimento.score import Score

# The lengths, in quarters, at which durations and times between onsets are counted.
NOTE_VALUES = (("1/8", 1 / 8), ("1/6", 1 / 6), ("1/4", 1 / 4), ("1/3", 1 / 3), ("1/2", 1 / 2), ("2/3", 2 / 3),
               ("3/4", 3 / 4), ("1", 1.0), ("3/2", 1.5), ("2", 2.0), ("3", 3.0), ("4", 4.0), ("6", 6.0), ("8", 8.0))


@PartMeasure
def density(parts: Parts) -> FloatArray:
    """Return how many notes begin in a bar, the mean over the piece; each note of a chord counts."""
    return ratio(parts.sums(parts.chosen), parts.lengths)


# --- where in the bar --------------------------------------------------------------------------------------------


def _lines(parts: Parts) -> tuple[IndexArray, IndexArray, IndexArray]:
    """The onsets of each track, each step once: the step, that of the next in the track and the part, and the part."""
    rows = np.flatnonzero(parts.chosen)
    rows = rows[np.unique(parts.lines[rows], return_index=True)[1]]
    step, part = parts.step[rows], parts.part[rows]
    follows = (np.diff(parts.score.track[rows]) == 0) & (np.diff(part) == 0)
    return step[:-1][follows], step[1:][follows], part[:-1][follows]


@PartMeasure
def syncopation(parts: Parts) -> FloatArray:
    """Return the share of onsets that are syncopated: weaker than a place that passes before the track's next onset.

    The places weigh as in `metric_levels`; each (track, place) counts once; the last onset of a track does not.
    """
    levels = metric_levels(parts.score)
    here, following, part = _lines(parts)
    own = levels[here]
    syncopated = np.zeros(len(here), bool)
    for level in range(5):
        stronger = np.append(np.flatnonzero(levels > level), np.iinfo(np.int64).max)
        passed = stronger[np.searchsorted(stronger, here, side="right")]
        syncopated |= (own == level) & (passed < following)
    return ratio(np.bincount(part, syncopated, parts.count), np.bincount(part, minlength=parts.count))


def bar_onsets(score: Score, track: int | None = None, steps_per_quarter: int = 4) -> IndexArray:
    """Return int64[n_bars, places of the longest bar]: how many notes begin at each place of each bar, the groove.

    >>> s = Score(onset=[0, 960], duration=[480, 480], pitch=[60, 60], velocity=[80, 80], track=[0, 0])
    >>> bar_onsets(s, steps_per_quarter=1).tolist()
    [[1, 0, 1, 0]]
    """
    mask = notes_of(score, track)
    bar = bar_indices(score, mask)
    ticks = score.onset[mask] - score.bar_starts[:-1][bar].astype(np.int64)
    place = (ticks * 2 * steps_per_quarter + score.ticks_per_quarter) // (2 * score.ticks_per_quarter)
    places = np.array([max(1, math.ceil(m.numerator * 4 * steps_per_quarter / m.denominator)) for m in score.meters])
    width = int(places.max())
    place %= places[bar_meters(score)][bar]         # what is early for the next bar line counts on the first beat
    size = max(score.n_bars, int(mask.any()))
    return np.bincount(bar * width + place, minlength=size * width).reshape(size, width)


def onset_places(score: Score, track: int | None = None, steps_per_quarter: int = 4) -> FloatArray:
    """Return float64[places of the longest bar]: the share of onsets at each place of the bar, the mean groove.

    >>> s = Score(onset=[0, 960], duration=[480, 480], pitch=[60, 60], velocity=[80, 80], track=[0, 0])
    >>> onset_places(s, steps_per_quarter=1).tolist()
    [0.5, 0.0, 0.5, 0.0]
    """
    count = bar_onsets(score, track, steps_per_quarter).sum(axis=0)
    return np.asarray(count / max(1, count.sum()))


# --- how long, how varied ----------------------------------------------------------------------------------------


@PartMeasure
def rhythm_variety(parts: Parts) -> FloatArray:
    """Return the entropy in bits of the times from each onset to the next within a track: 0 is one even pulse."""
    here, following, part = _lines(parts)
    if not len(here):
        return np.full(parts.count, np.nan)
    gaps = following - here
    width = int(gaps.max()) + 1
    kinds, counts = np.unique(part * width + gaps, return_counts=True)
    total = np.bincount(part, minlength=parts.count)
    share = counts / total[kinds // width]
    bits = np.bincount(kinds // width, -share * np.log2(share), parts.count)
    return np.where(total > 0, bits + 0.0, np.nan)


@PartMeasure
def articulation(parts: Parts) -> FloatArray:
    """Return how long notes last of the time to the next onset of their track, the mean: 1 legato, 0.5 staccato.

    At most 1 a note, and the time at most a bar, so that rests between phrases do not count as short notes. The last
    onset of a track does not count. It is the key overlap ratio of B. H. Repp, "Acoustics, Perception, and Production
    of Legato Articulation on a Digital Piano", JASA 97 (1995), turned so that no gap gives 1.
    """
    score = parts.score
    rows = np.flatnonzero(parts.tones)
    rows = rows[np.argsort(parts.lines[rows], kind="stable")]
    tracks, part, onset = score.track[rows], parts.part[rows], score.onset[rows].astype(np.int64)
    change = np.flatnonzero(np.append(True, np.diff(parts.lines[rows]) > 0))
    group = np.searchsorted(change, np.arange(len(rows)), side="right")
    following = np.append(change, len(rows))[group]
    known = following < len(rows)
    known[known] &= (tracks[following[known]] == tracks[known]) & (part[following[known]] == part[known])
    gap = onset[following[known]] - onset[known]
    full = np.array([4 * score.ticks_per_quarter * m.numerator / m.denominator for m in score.meters])
    bar = bar_meters(score)[bar_indices(score, rows[known])]
    share = np.minimum(score.duration[rows[known]] / np.minimum(gap, full[bar]), 1.0)
    return ratio(np.bincount(part[known], share, parts.count), np.bincount(part[known], minlength=parts.count))


def _shares(quarters: FloatArray) -> tuple[tuple[str, float], ...]:
    """The share of each of `NOTE_VALUES`, each time counted at the one whose ratio to it is nearest."""
    middle = np.sqrt(np.array([a * b for (_, a), (_, b) in itertools.pairwise(NOTE_VALUES)]))
    count = np.bincount(np.searchsorted(middle, quarters, side="right"), minlength=len(NOTE_VALUES))
    share = count / max(1, len(quarters))
    return tuple((name, value) for (name, _), value in zip(NOTE_VALUES, share.tolist(), strict=True))


def duration_histogram(score: Score, track: int | None = None) -> tuple[tuple[str, float], ...]:
    """Return (length in quarters, share) of the pitched notes from ``1/8`` to ``8``, each at the length it is nearest.

    >>> s = Score(onset=[0, 480], duration=[480, 250], pitch=[60, 67], velocity=[80, 80], track=[0, 0])
    >>> [(name, share) for name, share in duration_histogram(s) if share]
    [('1/2', 0.5), ('1', 0.5)]
    """
    return _shares(score.duration[pitched(score, track)] / score.ticks_per_quarter)


def inter_onset_histogram(score: Score, track: int | None = None) -> tuple[tuple[str, float], ...]:
    """Return (length in quarters, share) of the times from each onset to the next of its track, as for durations.

    >>> s = Score(onset=[0, 480], duration=[480, 240], pitch=[60, 67], velocity=[80, 80], track=[0, 0])
    >>> [(name, share) for name, share in inter_onset_histogram(s) if share]
    [('1', 1.0)]
    """
    here, following, _ = _lines(Parts.whole(score, track))
    return _shares((following - here) / GRID)


# --- swing -------------------------------------------------------------------------------------------------------


@PartMeasure
def swing(parts: Parts) -> FloatArray:
    """Return the swing ratio: how long the first of two eighths on a beat is to the second; 1 is straight, 2 triplets.

    It is the geometric mean over all pairs: an onset at most 1/8 quarter from a beat, the next onset of the track, and
    one after that as near to the next beat, the middle one 45–72 % of the way, so that dotted rhythms do not count.
    Onsets less than a grid step apart are one. Only meters whose beat is a quarter or a half have such pairs. After
    A. Friberg and A. Sundström, "Swing Ratios and Ensemble Timing in Jazz Performance", Music Perception 19 (2002).
    """
    first, middle, last, part = _pairs(parts)
    logs = np.log((middle - first) / np.maximum(last - middle, 1))
    return np.exp(ratio(np.bincount(part, logs, parts.count), np.bincount(part, minlength=parts.count)))


def _pairs(parts: Parts) -> tuple[IndexArray, IndexArray, IndexArray, IndexArray]:
    """Pairs of eighths: the onsets of both and the one after them in ticks, and the part."""
    score, quarter = parts.score, parts.score.ticks_per_quarter
    rows = np.flatnonzero(parts.chosen)
    rows = rows[np.argsort(score.track[rows], kind="stable")]
    tracks, onset = score.track[rows], score.onset[rows].astype(np.int64)
    new = np.append(True, (np.diff(onset) * GRID >= quarter) | (np.diff(tracks) != 0))[:len(rows)]
    rows, tracks, onset = rows[new], tracks[new], onset[new]
    bar = np.searchsorted(score.bar_starts[:-1], onset, side="right") - 1
    late = (onset - score.bar_starts[:-1][bar]) % quarter
    simple = np.array([meter.denominator in (2, 4) for meter in score.meters])[bar_meters(score)[bar]]
    on_beat = (np.minimum(late, quarter - late) * 8 <= quarter) & simple
    part = parts.part[rows]
    a, b, c = onset[:-2], onset[1:-1], onset[2:]
    found = (tracks[:-2] == tracks[2:]) & (part[:-2] == part[2:]) & on_beat[:-2] & on_beat[2:]
    found &= np.abs(c - a - quarter) * 4 <= quarter
    found &= (20 * (b - a) >= 9 * (c - a)) & (25 * (b - a) <= 18 * (c - a))
    return a[found], b[found], c[found], part[:-2][found]
