"""What sounds on every beat: the view of a Score from which chords are heard."""

from __future__ import annotations

import dataclasses

import numpy as np

from partimento.features.meter import beats, missing_before
from partimento.features.notes import FloatArray, IndexArray, bar_meters, pitched
from partimento.features.parts import time_until
from partimento.score import BoolArray, Score

BASS_SHARE = 0.25      # of a beat: how long a note must sound there to be its bass
LATE = 16              # a note that begins within a 16th of a quarter after a beat begins on it


@dataclasses.dataclass(frozen=True, eq=False)
class BeatView:
    """The beats of a piece, in order; every column but `edges` has one row a beat.

    `edges` (int64[beats + 1]) are the ticks at which they begin, then the end. `place` is 0 on the first beat of a
    bar, 1 halfway through a bar with an even number of beats, 2 elsewhere; `bar` the index of the bar, `per_bar` how
    many beats a whole bar has. `sounding` (float64[beats, 12]) is the share of the beat in which each pitch class
    sounds, `bass` the lowest pitch and `struck` the pitch class of the highest note that begins there; −1 where none.
    """

    edges: IndexArray
    place: IndexArray
    bar: IndexArray
    per_bar: IndexArray
    sounding: FloatArray
    bass: IndexArray
    struck: IndexArray

    def __len__(self) -> int:
        return len(self.place)

    def select(self, rows: IndexArray | BoolArray) -> BeatView:
        """The beats where `rows` says so; `edges` is cut to those where they begin, and keeps no end."""
        return BeatView(self.edges[:-1][rows], *(getattr(self, field.name)[rows]
                                                 for field in dataclasses.fields(self)[1:]))


def beat_view(score: Score, notes: BoolArray | None = None) -> BeatView:
    """Return what sounds on every beat, of pitched notes (where `notes`, bool[n], says so).

    A beat is shorter than a half note: in 2/2 it is a quarter, in 6/8 a dotted quarter. A pick-up is the end of a bar.

    >>> s = Score(onset=[0, 480], duration=[480, 240], pitch=[60, 67], velocity=[80, 80], track=[0, 0])
    >>> view = beat_view(s)
    >>> view.edges.tolist(), view.sounding[:, 7].tolist(), view.bass.tolist()
    ([0, 480, 720], [0.0, 1.0], [60, 67])
    """
    edges, place, bar, per_bar = _beats(score)
    chosen = pitched(score) if notes is None else pitched(score) & notes
    onset, offset = score.onset[chosen].astype(np.int64), score.offset[chosen].astype(np.int64)
    pitch = score.pitch[chosen]
    length = np.maximum(np.diff(edges), 1)
    sounding, bass = np.zeros((len(length), 12)), np.full(len(length), -1, np.int64)
    for one in np.unique(pitch).tolist():
        own = pitch == one
        share = np.diff(time_until(edges, onset[own], offset[own])) / length
        sounding[:, one % 12] += share
        bass[(bass < 0) & (share >= BASS_SHARE)] = one
    struck = np.full(len(length), -1, np.int64)
    beat = np.searchsorted(edges, onset, side="right") - 1
    near = np.flatnonzero(beat < len(length))
    near = near[onset[near] - edges[beat[near]] <= score.ticks_per_quarter // LATE]
    np.maximum.at(struck, beat[near], pitch[near].astype(np.int64))
    struck[struck >= 0] %= 12
    return BeatView(edges, place, bar, per_bar, np.minimum(sounding, 1.0), bass, struck)


def _beats(score: Score) -> tuple[IndexArray, IndexArray, IndexArray, IndexArray]:
    """Where every beat begins (and the end), how strong its place is, its bar, and how many beats a whole bar has."""
    if not score.n_bars:
        none = np.zeros(0, np.int64)
        return np.zeros(1, np.int64), none, none, none
    starts = score.bar_starts.astype(np.int64)
    quarter = score.ticks_per_quarter
    units, counts = [], []
    for meter in score.meters:
        whole, count = meter.numerator * 4 * quarter / meter.denominator, beats(meter.numerator, meter.denominator)
        while whole / count >= 2 * quarter:
            count *= 2
        units.append(max(1.0, whole / count))
        counts.append(count)
    ruling = bar_meters(score)[:score.n_bars]
    lead = np.zeros(score.n_bars)
    missing = missing_before(score)
    if missing and score.n_bars > 1:
        ruling[0], lead[0] = ruling[1], missing
    unit, per_bar = np.array(units)[ruling], np.array(counts, np.int64)[ruling]
    first = np.floor(lead / unit + 1e-6).astype(np.int64)
    number = np.maximum(np.ceil((np.diff(starts) + lead) / unit - 1e-6).astype(np.int64) - first, 1)
    bar = np.repeat(np.arange(score.n_bars), number)
    place_in_bar = np.arange(len(bar)) - np.repeat(np.cumsum(number) - number, number) + first[bar]
    tick = np.rint(starts[:-1][bar] - lead[bar] + place_in_bar * unit[bar]).astype(np.int64)
    tick = np.maximum(tick, starts[:-1][bar])
    half = (per_bar[bar] % 2 == 0) & (place_in_bar * 2 == per_bar[bar])
    place = np.where(place_in_bar == 0, 0, np.where(half, 1, 2))
    return np.append(tick, starts[-1]), place, bar, per_bar[bar]
