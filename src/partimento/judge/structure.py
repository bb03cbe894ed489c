"""Structure indicators: how well some stretch of a piece, of some seconds, explains the rest by returning in it.

After S.-L. Wu and Y.-H. Yang, "The Jazz Transformer on the Front Line", ISMIR 2020, with the numbers of its toolkit
MusDr; the fitness of a stretch is that of M. Müller, N. Jiang and P. Grosche, "A Robust Fitness Measure for Capturing
Repetitions in Music Recordings with Applications to Audio Thumbnailing", IEEE TASLP 21 (2013). Theirs hear a recording;
here the pitch classes of the notes are taken from the page, so numbers are of the same kind but not those of a
recording of the piece.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento import features
from partimento.score import Score

FloatArray = npt.NDArray[np.float64]

FRAMES, SMOOTH, EVERY = 10, 21, 5       # a second; frames of the mean; of the means, one in so many is kept
RATE = FRAMES // EVERY                  # of the frames that are compared, a second
FILTER = 16                             # frames over which likeness is averaged along a path
TEMPOS = np.exp(np.linspace(np.log(.5), np.log(2), 7))
KEPT, PENALTY = .25, -2.0               # the share of the likest pairs of frames; what the others count
LONGEST = 60                            # seconds of a piece that are looked at
SCALES = {"short": (3, 8), "mid": (8, 15), "long": (15, 128)}      # seconds
_PACK = 4_096


class Structure(NamedTuple):
    """The best fitness, 0–1, of stretches of 3 to 8, of 8 to 15 and of over 15 seconds; None where none is so long."""

    short: float | None
    mid: float | None
    long: float | None


@functools.lru_cache(maxsize=16)
def structure_indicators(score: Score) -> Structure | None:
    """Return the structure indicators of the pitched notes, SI of Wu and Yang; None where there is nothing to hear.

    Of a longer piece its first 60 seconds count, in its own tempo. 0: nothing returns. A piece that is too short for
    a scale has none there.

    >>> tune = [(480 * k, 480, 60 + 5 * (k % 12) % 12, 80, 0) for k in range(48)]
    >>> structure_indicators(Score.from_rows(tune)).short > .8
    True
    """
    similarity = chroma_similarity(score)
    if not len(similarity):
        return None
    return Structure(*(best_fitness(similarity, low * RATE, high * RATE) if low * RATE <= len(similarity) else None
                       for low, high in SCALES.values()))


def structure_short(score: Score) -> float | None:
    """Return the structure indicator of stretches of 3 to 8 seconds, 0–1 [W20]."""
    found = structure_indicators(score)
    return found and found.short


def structure_mid(score: Score) -> float | None:
    """Return the structure indicator of stretches of 8 to 15 seconds, 0–1 [W20]."""
    found = structure_indicators(score)
    return found and found.mid


def structure_long(score: Score) -> float | None:
    """Return the structure indicator of stretches of over 15 seconds, 0–1 [W20]."""
    found = structure_indicators(score)
    return found and found.long


# --- what is like what ---------------------------------------------------------------------------------------------


def smooth_chroma(score: Score) -> FloatArray:
    """Return float64[n, 12]: the pitch classes that sound about every half second, each row of length 1.

    Each of ten frames a second holds how long each pitch class sounds in it, made a row of length 1; two rows a second
    are kept of means over 21. Silence is a row of equal numbers.
    """
    mask = features.pitched(score)
    begin, end = (np.minimum(score.seconds(ticks[mask]), LONGEST) * FRAMES for ticks in (score.onset, score.offset))
    if not len(begin) or not end.max() > 0:
        return np.zeros((0, 12))
    count = int(np.ceil(end.max() - 1e-6))
    edges = np.arange(count + 1)
    table = np.zeros((count, 12))
    tone = score.pitch[mask] % 12
    for one in np.unique(tone).tolist():
        own = tone == one
        sounded = (np.maximum(edges[:, None] - begin[own], 0) - np.maximum(edges[:, None] - end[own], 0)).sum(axis=1)
        table[:, one] = np.maximum(np.diff(sounded), 0)
    table = _unit(table, 1e-9)
    passed = np.vstack([np.zeros(12), np.cumsum(table, axis=0)])
    middle = np.arange(0, count, EVERY)
    half = SMOOTH // 2
    mean = (passed[np.minimum(middle + half + 1, count)] - passed[np.maximum(middle - half, 0)]) / SMOOTH
    return _unit(mean, 1e-3)


def _unit(rows: FloatArray, least: float) -> FloatArray:
    size = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(size > least, rows / np.maximum(size, least), 12 ** -.5)


def chroma_similarity(score: Score) -> FloatArray:
    """Return float64[n, n]: how like the music is at every two half seconds, in any transposition and tempo.

    The likest quarter of the pairs lie between 0 and 1, the others are −2, the diagonal is 1.
    """
    rows = smooth_chroma(score)
    if len(rows) < 2:
        return np.ones((len(rows), len(rows)))
    shifts = np.stack([np.roll(rows, shift, axis=1) for shift in range(12)])
    likeness = np.einsum("snc,mc->snm", shifts, rows)
    found = functools.reduce(np.maximum, (_along_paths(likeness, tempo) for tempo in TEMPOS)).round(9)
    below = round(found.size * (1 - KEPT))
    found = np.where(found < np.sort(found, axis=None)[below], 0.0, found)
    low, high = float(found[found > 0].min()), float(found.max())
    if high > low:
        found = np.where(found > 0, (found - low) / (high - low), PENALTY)
    np.fill_diagonal(found, 1.0)
    return found


def _along_paths(likeness: FloatArray, tempo: float) -> FloatArray:
    """The likeness (float64[12, n, n]), averaged over 16 frames onwards or backwards, whichever is more, at a tempo.

    Of the twelve transpositions that which is likest.
    """
    count = likeness.shape[1]
    width = int(np.ceil(count / tempo))
    total = np.zeros((12, count + 2 * FILTER, width + 2 * FILTER))
    total[:, FILTER:-FILTER, FILTER:-FILTER] = likeness[:, :, _stretched(count, width)]
    step = 1
    while step < FILTER:                    # sums of 2, 4, 8 and 16
        total[:, :-step, :-step] += total[:, step:, step:]
        step *= 2
    onwards = total[:, FILTER:FILTER + count, FILTER:FILTER + width]
    backwards = total[:, 1:1 + count, 1:1 + width]
    return np.asarray(np.maximum(onwards, backwards)[:, :, _stretched(width, count)].max(axis=0) / FILTER)


def _stretched(count: int, wanted: int) -> npt.NDArray[np.int64]:
    """int64[wanted]: which of `count` frames stands at each of `wanted` places of the same time."""
    return np.maximum(np.around(np.arange(1, wanted + 1) / wanted * count) - 1, 0).astype(np.int64)


# --- fitness ---------------------------------------------------------------------------------------------------------


def fitness_scape(similarity: FloatArray) -> FloatArray:
    """Return float64[n, n]: the fitness, 0–1, of the stretch of each length (row: length − 1) from each frame on.

    Fitness is the harmonic mean of how well the paths of the stretch through the piece score, a step, and how much of
    the piece they cover, both without the stretch itself.

    >>> fitness_scape(np.kron(np.ones((2, 2)), 3 * np.eye(4) - 2))[3, 0].round(3).item()
    0.5
    """
    count = len(similarity)
    out = np.zeros((count, count))
    for length in range(1, count + 1):
        windows = _windows(similarity, length)
        out[length - 1, :windows.shape[1]] = _fitness(windows, *_families(windows))
    return out


def best_fitness(similarity: FloatArray, shortest: int, longest: int) -> float:
    """Return the highest fitness, 0–1, of all stretches from a shortest to a longest length in frames.

    A stretch whose score alone says that it cannot be fitter than one before is not looked at further.

    >>> best_fitness(np.kron(np.ones((2, 2)), 3 * np.eye(4) - 2), 4, 4)
    0.5
    """
    best, count = 0.0, len(similarity)
    for length in range(shortest, min(longest, count) + 1):
        windows = _windows(similarity, length)
        score = _families(windows, told=False)[0]
        most = _harmonic((score - length) / np.maximum(score, 1), np.full(len(score), (count - length) / count))
        fit = most > best
        if fit.any():
            some = windows[:, fit]
            best = max(best, float(_fitness(some, *_families(some)).max()))
    return best


def _windows(similarity: FloatArray, length: int) -> FloatArray:
    """float64[n, starts, length]: the columns of the similarity that belong to the stretch of each start."""
    return np.lib.stride_tricks.sliding_window_view(similarity, length, axis=1)


def _harmonic(one: FloatArray, other: FloatArray) -> FloatArray:
    return np.asarray(2 * one * other / (one + other + 1e-16))


def _fitness(windows: FloatArray, score: FloatArray, packed: npt.NDArray[np.int32]) -> FloatArray:
    count, _, length = windows.shape
    return _harmonic((score - length) / np.maximum(packed % _PACK, 1), (packed // _PACK - length) / count)


def _families(windows: FloatArray, told: bool = True) -> tuple[FloatArray, npt.NDArray[np.int32]]:
    """The score of the best family of paths of each stretch, and what they are.

    That is packed in one number, where `told`: how many frames they cover, times 4096, and how many steps they have.
    Frame after frame, the best score of families that reach each place of the stretch by then; place 0 is before it,
    where no path runs. Steps go on by one frame and one place, or by two of either. That a path may leave out the first
    place, and then counts as if it had not, is as in the published toolbox.
    """
    count, starts, length = windows.shape
    best = [np.full((starts, length + 1), -np.inf) for _ in range(3)]
    ways = [np.zeros((starts, length + 1), np.int32) for _ in range(3)]
    best[0][:, 0], best[0][:, 1], ways[0][:, 1] = 0.0, windows[0, :, 0], 1
    better = np.zeros((starts, length - 1), bool)
    for n in range(1, count):
        now, before, earlier = (best[(n - back) % 3] for back in range(3))
        np.maximum(before[:, 0], before[:, -1], out=now[:, 0])
        np.add(now[:, 0], windows[n, :, 0], out=now[:, 1])
        score, straight, over, along = now[:, 2:], before[:, 1:-1], earlier[:, 1:-1], before[:, :-2]
        np.maximum(straight, over, out=score)
        if told:
            way, way_before, way_earlier = (ways[(n - back) % 3] for back in range(3))
            way[:, 0] = np.where(before[:, -1] > before[:, 0], way_before[:, -1] + n * _PACK, way_before[:, 0])
            way[:, 1] = way[:, 0] + (1 - n * _PACK)
            packed = way[:, 2:]
            np.copyto(packed, way_before[:, 1:-1])
            np.greater(over, straight, out=better)
            if n == 2:
                better[:, :1] = False
            np.copyto(packed, way_earlier[:, 1:-1], where=better)
            np.greater(along, score, out=better)
            better[:, :1] = False
            np.copyto(packed, way_before[:, :-2], where=better)
            packed += 1
        np.maximum(score, along, out=score)
        score += windows[n, :, 1:]
    now, way = best[(count - 1) % 3], ways[(count - 1) % 3]
    ends = now[:, -1] >= now[:, 0]
    return np.maximum(now[:, 0], now[:, -1]), np.where(ends, way[:, -1] + count * _PACK, way[:, 0])
