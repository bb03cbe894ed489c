"""The grid that tokens stand on: whole steps of a quarter note, and how a Score snaps to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from partimento.score import NOTE_COLUMNS, OPTIONAL_COLUMNS, Score

IndexArray = npt.NDArray[np.int64]

STEPS_PER_QUARTER = 12     # 16ths and triplet eighths both fall on it


def to_steps(ticks: npt.ArrayLike, ticks_per_quarter: int, steps_per_quarter: int = STEPS_PER_QUARTER) -> IndexArray:
    """Return the nearest grid step of each tick (int64, the shape of `ticks`); half-way goes up.

    >>> to_steps([0, 19, 20, 480], 480).tolist()
    [0, 0, 1, 12]
    """
    steps = np.array(ticks, np.int64)
    steps *= 2 * steps_per_quarter
    steps += ticks_per_quarter
    steps //= 2 * ticks_per_quarter
    return steps


def to_ticks(steps: npt.ArrayLike, ticks_per_quarter: int, steps_per_quarter: int = STEPS_PER_QUARTER) -> IndexArray:
    """Return the tick nearest to each grid step (int64, the shape of `steps`).

    Back through `to_steps` comes the same step wherever a quarter has at least as many ticks as steps.

    >>> to_ticks([0, 1, 4, 12], 1024).tolist()
    [0, 85, 341, 1024]
    """
    return (np.asarray(steps, np.int64) * (2 * ticks_per_quarter) + steps_per_quarter) // (2 * steps_per_quarter)


def step_of(tick: int, ticks_per_quarter: int, steps_per_quarter: int = STEPS_PER_QUARTER) -> int:
    """Return `to_steps` of one tick, as a plain number."""
    return (tick * 2 * steps_per_quarter + ticks_per_quarter) // (2 * ticks_per_quarter)


def tick_of(step: int, ticks_per_quarter: int, steps_per_quarter: int = STEPS_PER_QUARTER) -> int:
    """Return `to_ticks` of one step, as a plain number."""
    return (step * 2 * ticks_per_quarter + steps_per_quarter) // (2 * steps_per_quarter)


def last_step(end: int, ticks_per_quarter: int, steps_per_quarter: int = STEPS_PER_QUARTER) -> int:
    """Return the last grid step that does not lie after tick `end`.

    >>> last_step(1000, 480), last_step(990, 480)
    (25, 24)
    """
    step = step_of(end, ticks_per_quarter, steps_per_quarter)
    return step - (tick_of(step, ticks_per_quarter, steps_per_quarter) > end)


def snap(score: Score, steps_per_quarter: int = STEPS_PER_QUARTER) -> Score:
    """Return the Score with its notes on the grid and its frame as it was.

    Onsets and ends go to the nearest step, and a note lasts at least one. Notes of one pitch at one step of one
    track become one, as long as the longest, and each ends where the next of its pitch begins, so no note overlaps
    itself; none goes past the end of the piece. ``snap(snap(s)) == snap(s)``.

    >>> s = Score(onset=[3, 470], duration=[500, 5], pitch=[60, 60], velocity=[80, 80], track=[0, 0])
    >>> snap(s).notes()[:, :2].tolist()
    [[0, 440], [440, 40]]
    """
    tpq = score.ticks_per_quarter
    notes, onset, end = snapped_steps(score, steps_per_quarter)
    start = to_ticks(onset, tpq, steps_per_quarter)
    stop = np.maximum(to_ticks(end, tpq, steps_per_quarter), start + 1)
    columns: dict[str, Any] = {name: getattr(score, name)[notes] for name in NOTE_COLUMNS}
    columns |= {name: getattr(score, name)[notes] for name in OPTIONAL_COLUMNS if getattr(score, name) is not None}
    return score.replace(**columns | {"onset": start, "duration": stop - start})


def snapped_steps(score: Score, steps_per_quarter: int = STEPS_PER_QUARTER,
                  end: int | None = None) -> tuple[npt.NDArray[np.intp], IndexArray, IndexArray]:
    """Return what `snap` does, in steps: the notes kept, by onset, track and pitch, and their onsets and ends.

    `end` is the tick where the piece ends, `score.end` unless said.
    """
    tpq = score.ticks_per_quarter
    final = last_step(score.end if end is None else end, tpq, steps_per_quarter)
    last = final - 1
    while last > 0 and tick_of(last, tpq, steps_per_quarter) >= tick_of(final, tpq, steps_per_quarter):
        last -= 1     # a coarse clock has several steps on one tick
    onset = np.minimum(to_steps(score.onset, tpq, steps_per_quarter), max(last, 0))
    if tpq < steps_per_quarter:
        onset = to_steps(to_ticks(onset, tpq, steps_per_quarter), tpq, steps_per_quarter)
    stop = np.maximum(np.minimum(to_steps(score.offset, tpq, steps_per_quarter), final), onset + 1)
    lane = score.track * 128 + score.pitch
    cell = onset * (len(score.tracks) * 128) + lane
    notes = cell.argsort(kind="stable")
    cell, stop = cell[notes], stop[notes]
    first = changes(cell)
    if len(first) < len(notes):
        notes, stop = notes[first], np.maximum.reduceat(stop, first)
    onset, lane = onset[notes], lane[notes]
    # Within a lane the notes are in order of onset, so each ends at the latest where the next in its lane begins.
    by_lane = (lane.astype(np.uint16) if len(score.tracks) <= 512 else lane).argsort(kind="stable")
    lane, ends = lane[by_lane], stop[by_lane]
    np.minimum(ends[:-1], onset[by_lane[1:]], out=ends[:-1], where=lane[1:] == lane[:-1])
    stop[by_lane] = ends
    return notes, onset, stop


def changes(column: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Return the indices of the values that differ from the one before, the first of all among them.

    >>> changes(np.array([5, 5, 2, 2, 5])).tolist()
    [0, 2, 4]
    """
    new = np.empty(len(column), bool)
    new[:1] = True
    np.not_equal(column[1:], column[:-1], out=new[1:])
    return new.nonzero()[0]
