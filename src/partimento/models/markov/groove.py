"""A drummer keeps a groove: one bar of what was drawn is played again and again, every fourth bar goes its own way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from partimento.request import Blanks
from partimento.score import Score

Rows = npt.NDArray[np.int64]

PHRASE, FILL = 8, 4        # bars that share a groove; each so many is a fill
FEWEST = 4                 # bars below which nothing can settle


def grooved(new: Score, around: Score, blanks: Blanks) -> Score:
    """Return the new notes with every drum part that is all new settled into grooves.

    In each phrase of 8 bars the bar of the first three that has most on its beats is repeated; every fourth bar stays
    as it was drawn, and so does the last. Parts that hold notes already stay as they are, and pieces whose bars differ.

    >>> from partimento.score import Track
    >>> kit = Score(end=4 * 1920, tracks=(Track("kit", 0, True),))
    >>> drawn = kit.with_rows([(0, 240, 36, 90, 0), (960, 240, 38, 90, 0), (2100, 240, 42, 60, 0)])
    >>> grooved(drawn, kit, Blanks.everything(kit)).onset.tolist()
    [0, 960, 1920, 2880, 3840, 4800]
    """
    starts = around.bar_starts.astype(np.int64)
    bars = around.n_bars
    if bars < FEWEST or len(set(np.diff(starts).tolist())) > 1:
        return new
    kept = blanks.kept_tracks(around)
    length, rows = int(starts[1] - starts[0]), new.notes().astype(np.int64)
    for track, kind in enumerate(around.tracks):
        if not kind.is_drum or not _is_blank(track, around, blanks) or track in kept:
            continue
        own = rows[:, 4] == track
        rows = np.concatenate([rows[~own], _settled(rows[own], bars, length, around.ticks_per_quarter)])
    return new.without_notes().with_rows(rows)


def _is_blank(track: int, around: Score, blanks: Blanks) -> bool:
    """Whether a track is to be written from end to end."""
    return any(region.track == track and region.open == "all" and region.start <= 0 and region.end >= around.end
               for region in blanks.regions)


def _settled(rows: Rows, bars: int, length: int, quarter: int) -> Rows:
    """The notes of one part (onset first) with the groove of each phrase in place of its bars."""
    bar = rows[:, 0] // length
    on_beat = np.bincount(bar[rows[:, 0] % quarter == 0], minlength=bars) * 100 + np.bincount(bar, minlength=bars)
    out = []
    for first in range(0, bars, PHRASE):
        groove = first + int(np.argmax(on_beat[first:min(first + FILL - 1, bars)]))
        for at in range(first, min(first + PHRASE, bars)):
            own = at % FILL == FILL - 1 or at == bars - 1
            part = rows[bar == (at if own else groove)].copy()
            part[:, 0] += (0 if own else at - groove) * length
            out.append(part)
    return np.concatenate(out) if out else rows
