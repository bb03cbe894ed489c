"""A page written in several passes, a track in each: the outer ones first, each given all that was written before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from partimento.events.page import Ints
from partimento.request import Blanks
from partimento.score import Score


class Pass(NamedTuple):
    """What one pass writes: a Score with blanks; `whole` is which note of the whole Score each of its notes is."""

    score: Score
    blanks: Blanks
    whole: Ints


def pass_order(tracks: Sequence[int], drums: Sequence[bool]) -> list[int]:
    """The order in which tracks are written: the first, the last, those between, then drums; `drums` is of all tracks.

    >>> pass_order([0, 1, 2, 3, 4], [False, False, False, False, True])
    [0, 3, 1, 2, 4]
    """
    pitched = [track for track in tracks if not drums[track]]
    return [*pitched[:1], *pitched[1:][-1:], *pitched[1:-1], *(track for track in tracks if drums[track])]


def passes(score: Score, blanks: Blanks) -> Iterator[Pass]:
    """The passes over a Score whose blanks hold what is to be weighed: in each, what later ones write is not there."""
    order = pass_order(blanks.tracks(), [track.is_drum for track in score.tracks])
    rewritten = blanks.rewritten(score)
    for number, track in enumerate(order):
        there = np.flatnonzero(~(rewritten & np.isin(score.track, order[number + 1:])))
        part = score.select(there)
        pinned = np.flatnonzero(np.isin(there, blanks.pinned) & (part.track == track))
        yield Pass(part, Blanks(tuple(region for region in blanks.regions if region.track == track),
                                tuple(pinned.tolist())), there)


def next_pass(score: Score, blanks: Blanks, track: int, written: Score) -> Pass:
    """The pass that writes a track of a Score after others: `written` are their new notes."""
    rewritten = blanks.rewritten(score)
    there = np.flatnonzero(~(rewritten & (score.track != track)))
    part = score.select(there)
    pinned = set(map(tuple, score.notes()[np.asarray(blanks.pinned, np.intp)].tolist()))
    whole = part.with_notes_of(written)
    rows = whole.notes().tolist()
    again = tuple(i for i, row in enumerate(rows) if tuple(row) in pinned and row[4] == track)
    return Pass(whole, Blanks(tuple(region for region in blanks.regions if region.track == track), again), there)
