"""Measures of form: what returns."""

from __future__ import annotations

import numpy as np

from partimento.errors import RequestError
from partimento.features.notes import FloatArray, IndexArray, bar_indices, grid_steps, notes_of
from partimento.score import Score

LOOK_BACK = 16         # bars that `repetition` and `groove` look back over
MOST_BARS = 5_000      # that `self_similarity` compares
_COLUMNS = 4_096       # of its table at a time


def _cells(score: Score, track: int | None, rhythm: bool = False) -> tuple[IndexArray, IndexArray]:
    """What begins in each bar: the bar, and a number for its (track, place on the grid, pitch), each once a bar.

    Of rhythm alone, without the pitch.
    """
    mask = notes_of(score, track)
    bar = bar_indices(score, mask)
    place = grid_steps(score, score.onset[mask] - score.bar_starts[:-1][bar])
    what = score.track[mask].astype(np.int64) * (int(place.max(initial=0)) + 1) + place
    what = what if rhythm else what * 128 + score.pitch[mask]
    what = np.unique(what, return_inverse=True)[1].reshape(-1).astype(np.int64)
    width = int(what.max(initial=0)) + 1
    cells = np.unique(bar * width + what)
    return cells // width, cells % width


def likeness_before(score: Score, track: int | None = None, rhythm: bool = False) -> FloatArray:
    """Return float64[n_bars]: how like each bar is to the one of the 16 before that it is most like, 0–1.

    The likeness of two bars is the size of the intersection over that of the union of their sets of (track, place on
    the grid, pitch), or of (track, place) where `rhythm`. NaN in bars without onsets and in the first with some.
    """
    bar, what = _cells(score, track, rhythm)
    n_bars = max(score.n_bars, 1)
    width = int(what.max(initial=0)) + 1
    cells = bar * width + what
    size = np.bincount(bar, minlength=n_bars)
    best = np.zeros(n_bars)
    for lag in range(1, min(LOOK_BACK, n_bars - 1) + 1 if len(cells) else 1):
        found = np.searchsorted(cells, cells + lag * width)
        shared = cells[np.minimum(found, len(cells) - 1)] == cells + lag * width
        common = np.bincount(bar[shared] + lag, minlength=n_bars)
        union = size[lag:] + size[:-lag] - common[lag:]
        best[lag:] = np.maximum(best[lag:], common[lag:] / np.maximum(union, 1))
    best[size == 0] = np.nan
    best[np.flatnonzero(size)[:1]] = np.nan
    return best[:score.n_bars]


def _mean(values: FloatArray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def repetition(score: Score, track: int | None = None) -> float | None:
    """Return how much bars repeat earlier bars, 0–1: the mean over bars of the best likeness to one of the 16 before.

    The likeness of two bars is the size of the intersection over that of the union of their sets of (track, place on
    the grid, pitch). Bars without onsets are left out.
    """
    return _mean(likeness_before(score, track))


def groove(score: Score, track: int | None = None) -> float | None:
    """Return how much bars repeat the rhythm of earlier bars, 0–1: as `repetition`, but of places without pitches."""
    return _mean(likeness_before(score, track, rhythm=True))


def self_similarity(score: Score, track: int | None = None) -> FloatArray:
    """Return float64[n_bars, n_bars]: how alike every two bars are, 0–1; NaN where one of them has no onset.

    It is the cosine between their onset vectors: 1 at each (track, place on the grid, pitch) at which a note begins.
    The matrix is that of J. Foote, "Visualizing Music and Audio using Self-Similarity", ACM Multimedia (1999), over
    bars in place of windows of sound. RequestError where there are more than 5,000 bars.

    >>> s = Score(onset=[0, 1920, 3840], duration=[480] * 3, pitch=[60, 60, 62], velocity=[80] * 3, track=[0] * 3)
    >>> self_similarity(s).tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    count = score.n_bars
    if count > MOST_BARS:
        raise RequestError(f"a piece whose bars are compared must have at most {MOST_BARS} of them; this one has "
                           f"{count}: cut it first")
    if not count:
        return np.zeros((0, 0))
    bar, what = _cells(score, track)
    order = np.argsort(what, kind="stable")
    bar, what = bar[order], what[order]
    common = np.zeros((count, count), np.float32)
    for first in range(0, int(what.max(initial=-1)) + 1, _COLUMNS):
        own = slice(*np.searchsorted(what, (first, first + _COLUMNS)))
        table = np.zeros((count, _COLUMNS), np.float32)
        table[bar[own], what[own] - first] = 1
        common += table @ table.T
    size = np.bincount(bar, minlength=count).astype(np.float64)
    size[size == 0] = np.nan
    return np.asarray(common / np.sqrt(np.outer(size, size)))
