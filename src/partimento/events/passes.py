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
    for number, track in enumerate(order):
        yield _pass(score, blanks, track, order[number + 1:])


def next_pass(score: Score, blanks: Blanks, track: int, written: Score) -> tuple[Score, Blanks]:
    """The Score and the blanks of the pass that writes a track after others: `written` are their new notes."""
    own = _pass(score, blanks, track, [other for other in blanks.tracks() if other != track])
    pinned = set(map(tuple, own.score.notes()[np.asarray(own.blanks.pinned, np.intp)].tolist()))
    whole = own.score.with_notes_of(written)
    again = tuple(i for i, row in enumerate(whole.notes().tolist()) if tuple(row) in pinned)
    return whole, Blanks(own.blanks.regions, again)


def _pass(score: Score, blanks: Blanks, track: int, unwritten: Sequence[int]) -> Pass:
    """The pass that writes a track, where what is to be rewritten of the tracks `unwritten` is not there."""
    there = np.flatnonzero(~(blanks.rewritten(score) & np.isin(score.track, unwritten)))
    part = score.select(there)
    pinned = np.flatnonzero(np.isin(there, blanks.pinned) & (part.track == track))
    return Pass(part, Blanks(tuple(region for region in blanks.regions if region.track == track),
                             tuple(pinned.tolist())), there)
