"""Where in its bar a note begins, and how strong that place is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from partimento.features.notes import GRID, IndexArray, bar_indices, grid_steps
from partimento.score import Score

BEAT = 3               # the metric level of a beat
N_LEVELS = 6


def beats(numerator: int, denominator: int) -> int:
    """Return how many beats a bar has: a third of the numerator in compound meters (6/8, 9/8, 12/8), else all of it.

    >>> beats(4, 4), beats(6, 8)
    (4, 2)
    """
    return numerator // 3 if denominator >= 8 and numerator > 3 and numerator % 3 == 0 else numerator


def missing_before(score: Score) -> int:
    """Return how many ticks a pick-up lacks to be a whole bar of the meter after it; 0 where the piece has none."""
    if len(score.meters) < 2 or score.meters[1].tick > score.full_bar_ticks(0):
        return 0
    return max(0, score.full_bar_ticks(score.meters[1].tick) - score.meters[1].tick)


def bar_steps(score: Score) -> IndexArray:
    """Return int64[bars + 1]: the grid step at which each bar begins, then that of the end; a bar is whole steps."""
    return np.append(0, np.cumsum(grid_steps(score, np.diff(score.bar_starts))))


def note_steps(score: Score, notes: npt.NDArray[Any]) -> IndexArray:
    """Return the grid step at which each of these notes (a mask or indices) begins, counted from its own bar line."""
    bar = bar_indices(score, notes)
    return np.asarray(bar_steps(score)[bar] + grid_steps(score, score.onset[notes] - score.bar_starts[:-1][bar]))


def metric_levels(score: Score) -> npt.NDArray[np.int8]:
    """Return int8[steps + 1]: the metric level of every grid step, and of the end.

    5 first of a bar, 4 half of an even bar, 3 beat, 2 half of a beat (third, in compound meters), 1 quarter of a
    beat (or the thirds of a simple one), 0 finer: the tree of H. C. Longuet-Higgins and C. S. Lee, "The Rhythmic
    Interpretation of Monophonic Music", Music Perception 1 (1984). A pick-up is the end of a bar.
    """
    starts = bar_steps(score)
    bar = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    place = np.arange(len(bar)) - starts[bar]
    lead = missing_before(score)
    place[:starts[1]] += int(grid_steps(score, lead))
    kinds, kind_of_meter = np.unique([m[1:] for m in score.meters], axis=0, return_inverse=True)
    ruling = np.searchsorted([m.tick for m in score.meters], score.bar_starts[:-1], side="right") - 1
    if lead:
        ruling[0] = 1
    kind = kind_of_meter.reshape(-1)[ruling][bar]
    levels = np.zeros(len(bar) + 1, np.int8)
    for i, (numerator, denominator) in enumerate(kinds.tolist()):
        n_beats = beats(numerator, denominator)
        compound = n_beats != numerator
        beat = numerator * 4 * GRID / denominator / n_beats
        units = [(1, beat / 6 if compound else beat / 4), (1, beat / 3), (2, beat / 3 if compound else beat / 2),
                 (BEAT, beat)] + ([(4, beat * n_beats / 2)] if n_beats % 2 == 0 and n_beats > 2 else [])
        own = kind == i
        for level, unit in units:
            if unit >= 1:
                levels[:-1][own & (place % unit == 0)] = level
    levels[starts[1 if lead else 0:]] = N_LEVELS - 1
    return levels


def note_levels(score: Score, notes: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    """Return int8: the metric level of the place at which each of these notes (a mask or indices) begins."""
    levels = metric_levels(score)
    return np.asarray(levels[np.minimum(note_steps(score, notes), len(levels) - 1)])
