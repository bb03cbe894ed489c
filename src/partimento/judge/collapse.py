"""How composed music falls apart: one note for ever, one bar for ever, silence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from partimento.request import Blanks
from partimento.score import BoolArray, Score

ONE_NOTE, IN_A_ROW = 8, 16              # notes of one pitch in a track: all of them, or so many one after another
SAME_BARS, OF_BARS = 8, 12              # one bar so many times in a row, where so many were written
SILENT_BARS, IN_BARS = 4, 8             # bars without a sound, in a blank of so many
SHARE = 1 / 6                           # of the bars of such a blank that a part must sound in that is new
Ticks = npt.NDArray[np.int64]


def collapse(score: Score, new: BoolArray, blanks: Blanks, loop: bool = False) -> str:
    """Return how the new notes (bool[n]) in the blanks fell apart, in words; empty where they did not.

    Stuck on one note, on one bar, silent, or silent in one track; how long each must last stands at the head of this
    module. A `loop` may repeat a bar.

    >>> drone = Score.from_rows([(480 * i, 480, 60, 80, 0) for i in range(8)])
    >>> collapse(drone, np.ones(8, bool), Blanks.everything(drone))
    'fell to one note'
    """
    regions = [(r.start, r.end) for r in blanks.regions if r.open == "all"]
    if not new.any():
        return "fell silent" if any(end - start >= score.full_bar_ticks(start) for start, end in regions) else ""
    pitched = [i for i, track in enumerate(score.tracks) if not track.is_drum]
    if any(_one_note(score, new, i) for i in pitched):
        return "fell to one note"
    lines = score.bar_starts
    whole, long = np.zeros(len(lines) - 1, bool), np.zeros(len(lines) - 1, bool)
    for low, high in [(np.searchsorted(lines, a), np.searchsorted(lines, b, "right") - 1) for a, b in regions]:
        whole[low:high] = True
        long[low:high] |= high - low >= IN_BARS
    if not loop and whole.sum() >= OF_BARS:
        bars = _bars_by_kind(score.select(new & np.isin(score.track, pitched)))
        if _longest_run(np.where(whole, bars, -1)) >= SAME_BARS:
            return "repeated one bar"
    if _longest_run(np.where(long & ~_sounding(score, blanks.tracks()), 0, -1)) >= SILENT_BARS:
        return "fell silent"
    fresh = {r.track for r in blanks.regions if r.open == "all"} - set(score.track[~new].tolist())
    idle = any(_sounding(score, [track])[long].mean() < SHARE for track in fresh) if long.any() else False
    return "left a track silent" if idle else ""


def _one_note(score: Score, new: BoolArray, track: int) -> bool:
    own = score.track == track
    pitch, is_new = score.pitch[own], new[own]
    if is_new.sum() >= ONE_NOTE and len(np.unique(pitch[is_new])) == 1:
        return True
    _, first, count = np.unique(score.onset[own], return_index=True, return_counts=True)
    return _longest_run(np.where(is_new[first] & (count == 1), pitch[first], -1)) >= IN_A_ROW


def _bars_by_kind(score: Score) -> Ticks:
    """int64[bars]: equal numbers for bars of the same notes (velocity apart) and length, −1 for those without any."""
    lines = score.bar_starts.astype(np.int64)
    bar = np.searchsorted(lines, score.onset, "right") - 1
    rows = np.stack([score.onset - lines[bar], score.duration, score.pitch, score.track], axis=1)
    cuts = np.searchsorted(bar, np.arange(len(lines)))
    kinds: dict[tuple[int, bytes], int] = {}
    return np.array([kinds.setdefault((int(lines[i + 1] - lines[i]), rows[cuts[i]:cuts[i + 1]].tobytes()), i)
                     if cuts[i] < cuts[i + 1] else -1 for i in range(len(lines) - 1)], np.int64)


def _sounding(score: Score, tracks: Sequence[int]) -> BoolArray:
    """bool[bars]: whether a note of these tracks sounds there."""
    lines = score.bar_starts
    own = np.isin(score.track, tracks)
    change = np.zeros(len(lines) + 1, np.int64)
    np.add.at(change, np.searchsorted(lines, score.onset[own], "right") - 1, 1)
    np.add.at(change, np.searchsorted(lines, np.maximum(score.offset, score.onset + 1)[own], "left"), -1)
    return np.asarray(np.cumsum(change)[:len(lines) - 1] > 0)


def _longest_run(values: npt.NDArray[np.integer]) -> int:
    """How many equal values stand in a row at most; those below 0 do not count."""
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))[:len(values)]
    return int(np.diff(np.append(starts, len(values)))[values[starts] >= 0].max(initial=0))
