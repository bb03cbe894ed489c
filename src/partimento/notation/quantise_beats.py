"""The beats of a Score, as it has them and as they will be written: the frame in which `quantise` works."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from partimento.score import Score

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]

FINE = (96, 10, 14, 18, 22)     # parts of a quarter on which written notes stand: 64ths and triplets of 32nds, 5, 7, …


@dataclasses.dataclass(frozen=True)
class Beats:
    """The beats of a piece: quarter notes, or eighth notes where the meter counts in eighths or less.

    `start` is where each begins in ticks of the Score (float64[n + 1], the end of the last one too), `new` where it
    will begin in ticks at `ticks_per_quarter` (int64[n + 1]), `seconds` how long it lasts (float64[n]), `eighths`
    whether it is an eighth (bool[n]), `bar` the bar it is in (int64[n]); `bar_new` is where bars will begin
    (int64[n_bars + 2]). After the last bar stands one more beat, a bar of its own. `loose` says that the first beat
    is only partly inside the piece.
    """

    start: FloatArray
    new: IndexArray
    seconds: FloatArray
    eighths: npt.NDArray[np.bool_]
    bar: IndexArray
    bar_new: IndexArray
    ticks_per_quarter: int
    loose: bool

    def place(self, ticks: npt.ArrayLike) -> FloatArray:
        """Where ticks of the Score are, counted in beats from the first one (float64)."""
        return np.interp(np.asarray(ticks, np.float64), self.start, np.arange(len(self.start)))

    def new_ticks(self, places: FloatArray) -> FloatArray:
        """The new ticks of places counted in beats (float64)."""
        return np.interp(places, np.arange(len(self.new)), self.new)


def on_fine(position: npt.NDArray[np.integer], ticks_per_quarter: int,
            parts: tuple[int, ...] = FINE) -> npt.NDArray[np.bool_]:
    """bool[n]: which ticks, from the start of their bar, are the nearest to some part of a quarter."""
    position = np.asarray(position, np.int64)
    found = np.zeros(len(position), bool)
    for part in parts:
        step = (position * 2 * part + ticks_per_quarter) // (2 * ticks_per_quarter)
        found |= np.abs(position * part - step * ticks_per_quarter) * 2 <= part
        # the nearest tick to step · ticks_per_quarter / part is at most half a tick away from it
    return found


def in_bar(score: Score, ticks: npt.NDArray[np.integer]) -> IndexArray:
    """Ticks counted from the start of the bar they are in (int64)."""
    starts = score.bar_starts[:-1].astype(np.int64)
    bar = np.searchsorted(starts, ticks, side="right") - 1
    return np.asarray(ticks - starts[bar.clip(0)], np.int64)


def find_beats(score: Score, written: bool = False, finer: int = 1) -> Beats:
    """Return the beats of a Score, a partial one at either end of the piece made whole.

    A short bar keeps its length where that is `written` exactly, or is one of 16ths and triplets by itself.
    `finer` multiplies the ticks a quarter that they will have.
    """
    tpq = score.ticks_per_quarter
    out = new_ticks_per_quarter(score) * finer
    bars = score.bar_starts.astype(np.int64)
    ruling = np.searchsorted([m.tick for m in score.meters], bars[:-1], side="right") - 1
    numerator = np.array([m.numerator for m in score.meters], np.int64)[ruling]
    denominator = np.array([m.denominator for m in score.meters], np.int64)[ruling]
    eighths = denominator > 4
    unit = np.where(eighths, tpq / 2, float(tpq))
    unit_new = np.where(eighths, out // 2, out)
    whole, whole_new = numerator * 4 * tpq / denominator, numerator * 4 * out // denominator
    partial = np.diff(bars) < whole - 1
    partial[-1] = False                      # the last bar is made whole
    length = np.where(partial, np.diff(bars), whole)
    count = np.maximum(np.ceil(length / unit - 1e-6), 1).astype(np.int64)
    loose = False
    for short in np.flatnonzero(partial):
        beats, rest = divmod(length[short] / unit[short], 1)
        whole_beats = int(beats * unit_new[short])
        if on_fine(length[short:short + 1].astype(np.int64), tpq, FINE if written else (4, 6))[0]:
            whole_new[short] = whole_beats + round(rest * unit_new[short] / 5) * 5
        elif short == 0:
            loose = True
            whole_new[short] = min(count[short] * unit_new[short], whole_new[short])
        else:
            count[short] -= beats > 0 and rest < .25
            part = unit_new[short] // 2 if .25 <= rest < .75 or not beats else unit_new[short] if rest >= .75 else 0
            whole_new[short] = whole_beats + part
    bar = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(bar)) - np.repeat(np.cumsum(count) - count, count)
    bar_new = np.concatenate([[0], np.cumsum(whole_new)])
    start: FloatArray = (bars[bar] + within * unit[bar]).astype(np.float64)
    new = bar_new[bar] + within * unit_new[bar]
    if len(count) > 1 and partial[0]:        # the beats of a pick-up are counted from its end
        before = np.arange(count[0], 0, -1)
        start[:count[0]], new[:count[0]] = bars[1] - before * unit[0], bar_new[1] - before * unit_new[0]
        if not loose:
            start[0] = 0
        new[0] = 0
    end = bars[-2] + whole[-1]               # one beat more, for what is played at the very end
    start = np.append(start, [end, end + unit[-1]])
    new = np.append(new, [bar_new[-1], bar_new[-1] + unit_new[-1]])
    return Beats(start, new, np.diff(score.seconds(start)), np.append(eighths[bar], eighths[-1]),
                 np.append(bar, len(count)), np.append(bar_new, new[-1]), out, loose)


def new_ticks_per_quarter(score: Score) -> int:
    """The multiple of 480 that has whole ticks for the beats of every meter."""
    out = 480
    for meter in score.meters:
        out *= meter.denominator // math.gcd(meter.denominator, 4 * out)
    return out
