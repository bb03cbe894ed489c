"""Faults of form: a rhythm that never changes, bars over and over, nothing that returns, sudden crowds of notes."""

from __future__ import annotations

import numpy as np

from partimento import features
from partimento.judge.faults.heard import Heard, IntColumn, runs
from partimento.judge.finding import Finding
from partimento.score import BoolArray

PERIODS = (1, 2, 3, 4)     # bars that may go round and round
AROUND = 4                 # bars before and after, to which the density of a bar is compared
FULL = 1.5                 # times the notes around: up to this no candidate
UNLIKE = 0.15              # bars less like all the 16 before than this return nothing


def _kinds(heard: Heard, *columns: IntColumn) -> IntColumn:
    """int64[n_bars]: equal numbers for bars whose notes have equal columns beside their place; −1 for empty bars."""
    step = features.grid_steps(heard.score, heard.onset - heard.starts[np.maximum(heard.bar, 0)])
    rows = np.unique(np.stack([heard.bar, step, *columns], axis=1), axis=0)
    cuts = np.searchsorted(rows[:, 0], np.arange(heard.n_bars + 1))
    kinds: dict[tuple[int, bytes], int] = {}
    lengths = np.diff(heard.starts)
    return np.array([kinds.setdefault((int(lengths[i]), rows[cuts[i]:cuts[i + 1], 1:].tobytes()), i)
                     if cuts[i] < cuts[i + 1] else -1 for i in range(heard.n_bars)], np.int64)


def _same(kinds: IntColumn, period: int) -> BoolArray:
    """Which bars are as the bar a period before."""
    out = np.zeros(len(kinds), bool)
    out[period:] = (kinds[period:] == kinds[:-period]) & (kinds[period:] >= 0)
    return out


def frozen_rhythm(heard: Heard) -> list[Finding]:
    """Stretches in which every bar has the same onsets, in all parts together; the measure is their bars."""
    return [heard.finding("frozen_rhythm", -1, int(heard.starts[first - 1]), int(heard.starts[stop]),
                          f"one rhythm for {stop - first + 1} bars", stop - first + 1, "bars")
            for first, stop in runs(_same(_kinds(heard, heard.track), 1)) if stop - first + 1 >= 3]


def repeated(heard: Heard) -> list[Finding]:
    """Stretches of one to four bars that go round and round, note for note; the measure is the bars that do."""
    kinds = _kinds(heard, heard.track, heard.pitch)
    covered = np.zeros(heard.n_bars, bool)
    found = []
    for period in PERIODS:
        for first, stop in runs(_same(kinds, period)):
            begin = first - period
            if stop - first >= 2 * period and not covered[begin:stop].all():
                covered[begin:stop] = True
                found.append(heard.finding("repeated", -1, int(heard.starts[begin]), int(heard.starts[stop]),
                                           f"the same {period} bar{'s' * (period > 1)} again and again, "
                                           f"{stop - begin} bars in all", stop - begin, "bars"))
    return found


def unrelated(heard: Heard) -> list[Finding]:
    """Stretches of bars of which none is like any of the 16 before it; the measure is their bars."""
    alike = features.likeness_before(heard.score)
    return [heard.finding("unrelated", -1, int(heard.starts[first]), int(heard.starts[stop]),
                          f"nothing returns for {stop - first} bars", stop - first, "bars")
            for first, stop in runs(alike < UNLIKE) if stop - first >= 4]


def crowded(heard: Heard) -> list[Finding]:
    """Bars with many times the notes of the fullest bars around them; the measure is how many times."""
    count = np.bincount(heard.bar[heard.bar >= 0], minlength=heard.n_bars)[:heard.n_bars].astype(np.float64)
    if heard.n_bars < 2 * AROUND:
        return []
    padded = np.pad(count, 2 * AROUND, mode="reflect")
    window = np.lib.stride_tricks.sliding_window_view(padded, 4 * AROUND + 1)
    usual = np.quantile(window, 0.75, axis=1)
    times = (count + 1) / (usual + 1)
    return [heard.finding("density", -1, int(heard.starts[first]), int(heard.starts[stop]),
                          f"{times[first:stop].max():.1f} times the notes of the bars around",
                          float(times[first:stop].max()), "times") for first, stop in runs(times > FULL)]


def silences(heard: Heard) -> list[Finding]:
    """Whole bars between the first note and the last in which nothing sounds; the measure is how many in a row."""
    change = np.zeros(heard.n_bars + 1, np.int64)
    last = np.searchsorted(heard.starts[:-1], np.maximum(heard.offset, heard.onset + 1), side="left")
    np.add.at(change, np.maximum(heard.bar, 0), 1)
    np.add.at(change, np.minimum(last, heard.n_bars), -1)
    silent = np.cumsum(change)[:-1] == 0
    sounding = np.flatnonzero(~silent)
    return [heard.finding("silence", -1, int(heard.starts[first]), int(heard.starts[stop]),
                          f"nothing sounds for {stop - first} bar{'s' * (stop - first > 1)}", stop - first, "bars")
            for first, stop in runs(silent) if len(sounding) and sounding[0] < first and stop <= sounding[-1]]
