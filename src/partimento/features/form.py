"""Measures of form: what returns."""

from __future__ import annotations

import numpy as np

from partimento.features.notes import bar_indices, grid_steps, notes_of
from partimento.score import Score

LOOK_BACK = 16         # bars that `repetition` looks back over


def repetition(score: Score, track: int | None = None) -> float | None:
    """Return how much bars repeat earlier bars, 0–1: the mean over bars of the best likeness to one of the 16 before.

    The likeness of two bars is the size of the intersection over that of the union of their sets of (track, place on
    the grid, pitch). Bars without onsets are left out.
    """
    mask = notes_of(score, track)
    if not mask.any():
        return None
    bar = bar_indices(score, mask)
    place = grid_steps(score, score.onset[mask] - score.bar_starts[:-1][bar])
    what = (score.track[mask].astype(np.int64) * (int(place.max()) + 1) + place) * 128 + score.pitch[mask]
    what = np.unique(what, return_inverse=True)[1].reshape(-1).astype(np.int64)
    width = int(what.max()) + 1
    cells = np.unique(bar * width + what)
    n_bars = score.n_bars
    size = np.bincount(cells // width, minlength=n_bars)
    best = np.zeros(n_bars)
    for lag in range(1, min(LOOK_BACK, n_bars - 1) + 1):
        found = np.searchsorted(cells, cells + lag * width)
        shared = cells[np.minimum(found, len(cells) - 1)] == cells + lag * width
        common = np.bincount(cells[shared] // width + lag, minlength=n_bars)
        union = size[lag:] + size[:-lag] - common[lag:]
        best[lag:] = np.maximum(best[lag:], common[lag:] / np.maximum(union, 1))
    filled = np.flatnonzero(size)[1:]
    return float(best[filled].mean()) if len(filled) else None
