"""The scales of a piano roll: which bars stand in which row, and how wide a tick and how high a semitone is."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.score import BoolArray, Score

MAX_SYSTEMS = 32            # rows of music in one picture
MAX_HEIGHT = 12_000         # of all rows together, in pixels
HEAD = 65                   # room over and under the panes of a row, in pixels
BARS_IN_A_ROW = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)

Ints = npt.NDArray[np.int64]


class Grid(NamedTuple):
    """Rows of bars and the scales of time and pitch that all of them share."""

    margin: int                            # pixels on every side
    rows: list[tuple[int, int]]            # first bar and the bar after the last, of each row
    starts: Ints                           # first tick of each shown bar, then the end
    left: float                            # x of each row's first tick
    per_tick: float                        # pixels
    low: int                               # lowest pitch; above `high` where no pitched pane is drawn
    high: int
    semitone: int                          # pixels
    drums: tuple[int, ...]                 # pitches of the drum lane, top first
    drum_row: int                          # pixels


def make_grid(score: Score, starts: Ints, pitch: npt.NDArray[np.int32], drum: BoolArray, width: int,
              margin: int) -> Grid:
    """The Grid of the bars that begin at `starts`, for notes of these pitches (`drum` says which are drums)."""
    drums = tuple(sorted(set(pitch[drum].tolist()), reverse=True))
    left = margin + (80 if drums else 52)
    rows, per_tick = _rows(score, starts, width - margin - left)
    low, high = 1, 0
    pitched = pitch[~drum]
    if len(pitched) or not drums:
        low, high = (int(pitched.min()) - 2, int(pitched.max()) + 2) if len(pitched) else (57, 76)
        spare = max(0, 19 - (high - low))
        low, high = low - spare // 2, high + spare - spare // 2
        low, high = (0, high - low) if low < 0 else (low - max(0, high - 127), min(high, 127))
    room = 340 if len(rows) == 1 else 290 if len(rows) <= 4 else 260
    semitone = min(10, max(5 if high - low < 64 else 4, room // (high - low + 1))) if high >= low else 0
    drum_row = 14 if high < low and len(drums) <= 12 else 12 if len(drums) <= 8 else 10 if len(drums) <= 16 else 8
    system = HEAD + (high - low + 1) * semitone + len(drums) * drum_row
    rows = rows[:max(1, MAX_HEIGHT // system)]
    starts = starts[:rows[-1][1] + 1]
    return Grid(margin, rows, starts, left, per_tick, low, high, semitone, drums, drum_row)


def _rows(score: Score, starts: Ints, room: float) -> tuple[list[tuple[int, int]], float]:
    """Bars of each row, as even as they go, and the pixels a tick takes."""
    count = len(starts) - 1
    quarter = score.ticks_per_quarter
    usual = max(1, int(np.median(np.diff(starts))))
    quarters = int(starts[-1]) / quarter
    aim = 40 if quarters <= 64 else 32 if quarters <= 160 else 24
    if score.chords:
        aim = max(aim, 32)
    fits = room * quarter / (aim * usual)
    full = count - (1 if score.has_pickup else 0)
    near = [n for n in BARS_IN_A_ROW if 0.66 * fits <= n <= 1.25 * fits] or [max(1, math.floor(fits))]
    most = max(near, key=lambda n: (full % n == 0, n))
    if full <= 1.25 * fits:
        most = max(full, 1)
    elif full % 4 and full <= 3 * most:
        most = math.ceil(full / math.ceil(full / most))
    rows: list[tuple[int, int]] = []
    first = 0
    while first < count and len(rows) < MAX_SYSTEMS:
        last = min(count, first + most + (1 if first == 0 and score.has_pickup else 0))
        reach = int(np.searchsorted(starts, starts[first] + 1.3 * (most + 0.1) * usual, side="right")) - 1
        last = max(first + 1, min(last, reach))
        rows.append((first, last))
        first = last
    longest = max(int(starts[b] - starts[a]) for a, b in rows)
    return rows, min(room / max(longest, 1), 110 / quarter)


def used_width(grid: Grid, width: int) -> int:
    """Width in pixels that the longest row needs: a short piece makes a narrow picture."""
    longest = max(int(grid.starts[b] - grid.starts[a]) for a, b in grid.rows)
    return min(width, max(math.ceil(grid.left + longest * grid.per_tick) + grid.margin, min(width, 620)))
