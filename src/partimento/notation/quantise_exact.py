"""Beats whose onsets stand exactly on one division already, in a Score that was written."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt

from partimento.notation.quantise_beats import Beats
from partimento.score import IntArray, Score

FloatArray = npt.NDArray[np.float64]

_DIVISIONS = (1, 2, 4, 3, 8, 6, 5, 12, 16, 24)
_RARE = (10, 48, 7, 9, 11, 96)
_MOST = .9             # share of the onsets of a written score that stand so
_MOST_ENDS = .5        # share of the ends, without which none counts


def find_exact(score: Score, beats: Beats, written: bool) -> tuple[FloatArray, FloatArray, int]:
    """Return where onsets and ends stand exactly, in beats; NaN where they do not, or few do (float64[n] each).

    An onset counts only where all onsets of its beat stand on one division, as a single one may do so by chance,
    unless the whole Score is `written` so. The third is what 480 has to be multiplied with to have whole ticks there.
    """
    onset, need = _exact(score, beats, score.onset, written, not written)
    if np.isfinite(onset).mean() < _MOST:
        return np.full(len(score), np.nan), np.full(len(score), np.nan), 1
    end, need_end = _exact(score, beats, score.offset, written, False)
    if np.isfinite(end).mean() < _MOST_ENDS:
        return onset, np.full(len(score), np.nan), need
    return onset, end, math.lcm(need, need_end)


def _exact(score: Score, beats: Beats, ticks: IntArray, written: bool, together: bool) -> tuple[FloatArray, int]:
    """`find_exact` of some ticks; `together`: all of a beat or none. Rare divisions count in what is `written`."""
    place = beats.place(ticks)
    beat = np.floor(place + 1e-9).astype(np.int64).clip(0, len(beats.seconds) - 1)
    within = (place - beat) * np.diff(beats.start)[beat]         # in ticks as they are: a beat may be a partial one
    halved = 1 + beats.eighths[beat]
    unit, unit_new = score.ticks_per_quarter / halved, beats.ticks_per_quarter // halved
    found = np.full(len(ticks), np.nan)
    need = 1
    for most, division in itertools.product((1e-6, .5 + 1e-6), _DIVISIONS + _RARE * written):
        times = {7: 7, 9: 3, 11: 11}.get(division, 1)
        step = np.rint(within * division / unit)
        fits = (np.abs(within - step * unit / division) <= most) & (step * unit_new * times % division == 0)
        if together:
            fits &= np.bincount(beat[~fits], minlength=len(beats.seconds))[beat] == 0
        fits &= np.isnan(found)
        if fits.any():
            need = math.lcm(need, times)
            found[fits] = (beat + step / division * unit_new / np.diff(beats.new)[beat])[fits]
    return found, need
