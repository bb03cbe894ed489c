"""What of a piece speaks of its key: how much each pitch class counts in it, seen in many ways."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from partimento.features.notes import FloatArray, IndexArray, bar_indices, pitched
from partimento.score import BoolArray, Score

LONGEST = 4.0            # quarters from which on a longer note says no more
HEARD = 0.015            # share of the sounding time from which on a pitch class is used at all
VIEWS = ("time", "root of time", "bass", "first of bars", "opening", "close", "last bass", "last top", "last chord",
         "first bass", "first top", "first chord", "first downbeat", "used", "line's ends of four bars",
         "line's long notes", *(f"line, {step} up" for step in range(12)))


def key_view(score: Score) -> FloatArray | None:
    """Return float64[28, 12]: for each of `VIEWS` how much each pitch class counts; None where no note has a pitch.

    Only notes and bars are seen, and of pitches which is lowest, which highest, and their pitch classes.

    >>> key_view(Score()) is None
    True
    """
    chosen = pitched(score)
    notes = np.flatnonzero(chosen if score.grace is None else chosen & (score.grace <= 0))
    if not len(notes):
        return None
    onset, pitch = score.onset[notes].astype(np.int64), score.pitch[notes].astype(np.int64)
    ticks = np.maximum(score.duration[notes], 1).astype(np.int64)
    offset, quarter, tone = onset + ticks, score.ticks_per_quarter, pitch % 12
    length = np.minimum(ticks / quarter, LONGEST)
    bar = bar_indices(score, notes)
    edge = int(np.clip((bar[-1] + 1) // 4, 2, 8))               # bars of the opening, and of the close
    down = onset - score.bar_starts[bar] < quarter / 4
    first, last = onset == onset[0], (onset == onset[-1]) | (offset > onset[-1])
    starts, low = _bass(onset, offset, pitch)
    time = _shares(tone, length)

    def part(which: BoolArray) -> FloatArray:
        return _shares(tone[which], length[which])

    order = np.lexsort((pitch, onset))
    top = order[np.append(onset[1:] != onset[:-1], True)]       # the highest note of each onset
    end = int(offset.max())
    return np.vstack([
        time, np.sqrt(time), _shares(low % 12, np.minimum(np.diff(np.append(starts, end)) / quarter, LONGEST)),
        part(down), part(bar < bar[0] + edge), part(bar > bar[-1] - edge),
        _only(pitch[last].min()), _only(pitch[last].max()), _shares(tone[last]),
        _only(pitch[first].min()), _only(pitch[first].max()), _shares(tone[first]),
        _only(pitch[onset == onset[down.argmax()]].min()) if down.any() else np.zeros(12),
        time > HEARD,
        *_line(tone[top], np.minimum(np.diff(np.append(onset[top], end)) / quarter, LONGEST),
               bar[top] - int(score.has_pickup))])


def _shares(tone: IndexArray, weight: FloatArray | None = None) -> FloatArray:
    """How much of the weight each pitch class has; 0 everywhere where there is none."""
    found = np.bincount(tone, weight, 12).astype(np.float64)
    return found / max(float(found.sum()), 1e-9)


def _only(pitch: int | np.integer[npt.NBitBase]) -> FloatArray:
    return np.asarray(np.arange(12) == pitch % 12, np.float64)


def _bass(onset: IndexArray, offset: IndexArray, pitch: IndexArray) -> tuple[IndexArray, IndexArray]:
    """The distinct onsets, and the lowest pitch that sounds from each."""
    starts, begin = np.unique(onset, return_inverse=True)
    end = np.searchsorted(starts, offset)
    low = np.zeros(len(starts), np.int64)
    order = np.argsort(-pitch, kind="stable")
    for a, b, p in zip(begin[order].tolist(), end[order].tolist(), pitch[order].tolist(), strict=True):
        low[a:b] = p
    return starts, low


def _line(tone: IndexArray, length: FloatArray, bar: IndexArray) -> list[FloatArray]:
    """Of the upper line: where it ends every fourth and eighth bar, its long notes, and its steps by size."""
    final = np.flatnonzero(np.append(bar[1:] != bar[:-1], True))
    ends = np.bincount(tone[final], (bar[final] % 4 == 3) * 1.0 + (bar[final] % 8 == 7), 12)
    long = length >= np.quantile(length, 0.85)
    steps = np.zeros((12, 12))
    np.add.at(steps, ((tone[1:] - tone[:-1]) % 12, tone[:-1]), np.minimum(length[1:], 2) + 0.25)
    return [ends / max(float(ends.sum()), 1.0), _shares(tone[long]), *(3 * steps / max(float(steps.sum()), 1e-9))]
