"""The grid that tokens stand on: whole steps of a quarter note, and how a Score snaps to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from partimento.score import NOTE_COLUMNS, OPTIONAL_COLUMNS, BoolArray, Score

IndexArray = npt.NDArray[np.int64]

STEPS_PER_QUARTER = 12     # 16ths and triplet eighths both fall on it


def to_steps(ticks: npt.ArrayLike, ticks_per_quarter: int, steps_per_quarter: int = STEPS_PER_QUARTER) -> IndexArray:
    """Return the nearest grid step of each tick (int64, the shape of `ticks`); half-way goes up.

    >>> to_steps([0, 19, 20, 480], 480).tolist()
    [0, 0, 1, 12]
    """
    return (np.asarray(ticks, np.int64) * (2 * steps_per_quarter) + ticks_per_quarter) // (2 * ticks_per_quarter)


def to_ticks(steps: npt.ArrayLike, ticks_per_quarter: int, steps_per_quarter: int = STEPS_PER_QUARTER) -> IndexArray:
    """Return the tick nearest to each grid step (int64, the shape of `steps`).

    Back through `to_steps` comes the same step wherever a quarter has at least as many ticks as steps.

    >>> to_ticks([0, 1, 4, 12], 1024).tolist()
    [0, 85, 341, 1024]
    """
    return (np.asarray(steps, np.int64) * (2 * ticks_per_quarter) + steps_per_quarter) // (2 * steps_per_quarter)


def last_step(end: int, ticks_per_quarter: int, steps_per_quarter: int = STEPS_PER_QUARTER) -> int:
    """Return the last grid step that does not lie after tick `end`.

    >>> last_step(1000, 480), last_step(990, 480)
    (25, 24)
    """
    step = int(to_steps(end, ticks_per_quarter, steps_per_quarter))
    return step - (int(to_ticks(step, ticks_per_quarter, steps_per_quarter)) > end)


def snap(score: Score, steps_per_quarter: int = STEPS_PER_QUARTER) -> Score:
    """Return the Score with its notes on the grid and its frame as it was.

    Onsets and ends go to the nearest step, and a note lasts at least one. Of the notes of one pitch at one step of
    one track the longest stays, and each ends where the next of its pitch begins, so no note overlaps itself; none
    goes past the end of the piece. ``snap(snap(s)) == snap(s)``.

    >>> s = Score(onset=[3, 470], duration=[500, 5], pitch=[60, 60], velocity=[80, 80], track=[0, 0])
    >>> snap(s).notes()[:, :2].tolist()
    [[0, 440], [440, 40]]
    """
    tpq = score.ticks_per_quarter
    keep, onset, end = snapped_steps(score, steps_per_quarter)
    start = to_ticks(onset, tpq, steps_per_quarter)
    stop = np.maximum(to_ticks(end, tpq, steps_per_quarter), start + 1)
    columns: dict[str, Any] = {name: getattr(score, name)[keep] for name in NOTE_COLUMNS}
    columns |= {name: getattr(score, name)[keep] for name in OPTIONAL_COLUMNS if getattr(score, name) is not None}
    return score.replace(**columns | {"onset": start, "duration": stop - start})


def snapped_steps(score: Score, steps_per_quarter: int = STEPS_PER_QUARTER,
                  end: int | None = None) -> tuple[BoolArray, IndexArray, IndexArray]:
    """Return what `snap` does, in steps: bool[n] notes kept, and onset and end step of each note that is kept.

    `end` is the tick where the piece ends, `score.end` unless said.
    """
    tpq = score.ticks_per_quarter
    final = last_step(score.end if end is None else end, tpq, steps_per_quarter)
    last = final - 1
    while last > 0 and to_ticks(last, tpq, steps_per_quarter) >= to_ticks(final, tpq, steps_per_quarter):
        last -= 1     # a coarse clock has several steps on one tick
    onset = np.minimum(to_steps(score.onset, tpq, steps_per_quarter), max(last, 0))
    if tpq < steps_per_quarter:
        onset = to_steps(to_ticks(onset, tpq, steps_per_quarter), tpq, steps_per_quarter)
    stop = np.maximum(np.minimum(to_steps(score.offset, tpq, steps_per_quarter), final), onset + 1)
    # Notes of one track and pitch together, by onset, the longest first.
    length = stop - onset
    lane = (score.track.astype(np.int64) * 128 + score.pitch) * (max(last, 0) + 1) + onset
    order = sorted_order(lane, int(length.max(initial=0)) - length)
    lane, begins = lane[order], onset[order]
    first = np.ones(len(order), bool)
    first[1:] = lane[1:] != lane[:-1]
    keep = np.ones(len(score), bool)
    if not first.all():
        keep[order[~first]] = False
        order, lane, begins = order[first], lane[first], begins[first]
    ahead = begins[1:] - begins[:-1]
    followed = ahead == lane[1:] - lane[:-1]      # by a note of the same track and pitch
    before = order[:-1][followed]
    stop[before] = np.minimum(stop[before], onset[before] + ahead[followed])
    return keep, onset[keep], stop[keep]


def sorted_order(key: IndexArray, then: IndexArray) -> npt.NDArray[np.intp]:
    """Return the order by `key`, `then` and place (int64[n], neither negative): one sort of packed numbers if they fit.

    >>> sorted_order(np.array([2, 1, 1]), np.array([0, 5, 4])).tolist()
    [2, 1, 0]
    """
    place_bits, then_bits = len(key).bit_length(), int(then.max(initial=0)).bit_length()
    if int(key.max(initial=0)).bit_length() + then_bits + place_bits > 63:
        return np.lexsort((then, key))
    packed = (((key << then_bits) | then) << place_bits) | np.arange(len(key))
    packed.sort()
    return packed & ((1 << place_bits) - 1)
