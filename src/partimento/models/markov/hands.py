"""Two hands at one piano: a keyboard of which nothing stands yet is written as two parts, and is one track again after.

Engraved and sequenced piano music has a track a hand; that is what the counts know. A piano asked for as one track
would be written as the one line that such tracks are by themselves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from partimento.models.markov.sheet import Ints
from partimento.request import Blanks
from partimento.score import Controls, Score, Track

PIANOS = range(8)          # General MIDI programs


def is_piano(track: Track) -> bool:
    """Whether two hands play a track.

    >>> is_piano(Track("piano")), is_piano(Track("flute", 73))
    (True, False)
    """
    return not track.is_drum and track.program in PIANOS


class Apart(NamedTuple):
    """A frame in which every piano to be written has a track a hand: and which track each was before (`back`)."""

    around: Score
    blanks: Blanks
    back: Ints


def hands_apart(around: Score, blanks: Blanks) -> Apart | None:
    """Return the frame with two tracks for each piano that is to be written and holds nothing; None where none is.

    >>> frame = Score(end=1920, tracks=(Track("piano"), Track("flute", 73)))
    >>> hands_apart(frame, Blanks.everything(frame)).back.tolist()
    [0, 0, 1]
    """
    kept = blanks.kept_tracks(around)
    own = {t: [region for region in blanks.regions if region.track == t] for t in blanks.tracks()}
    two = {t for t, regions in own.items() if is_piano(around.tracks[t]) and t not in kept
           and all(region.open == "all" for region in regions)}
    if not two:
        return None
    back = np.array([t for t in range(len(around.tracks)) for _ in range(1 + (t in two))], np.int64)
    first = np.searchsorted(back, np.arange(len(around.tracks)))
    apart = around.replace(track=first[around.track], tracks=tuple(around.tracks[t] for t in back), texts=(), marks=(),
                           controls=Controls.empty())
    regions = [region._replace(track=int(first[region.track]) + hand) for region in blanks.regions
               for hand in range(1 + (region.track in two))]
    return Apart(apart, Blanks(tuple(regions), blanks.pinned), back)


def hands_together(new: Score, back: Ints, around: Score) -> Score:
    """Return the new notes on the tracks of `around`: what both hands strike at once once, no key struck while held."""
    rows = new.notes().astype(np.int64)
    rows[:, 4] = back[rows[:, 4]]
    rows = rows[np.lexsort((-rows[:, 1], rows[:, 0], rows[:, 2], rows[:, 4]))]      # the longer of two first
    same = (rows[1:, 4] == rows[:-1, 4]) & (rows[1:, 2] == rows[:-1, 2])
    rows = rows[np.append(True, ~(same & (rows[1:, 0] == rows[:-1, 0])))[:len(rows)]]
    same = (rows[1:, 4] == rows[:-1, 4]) & (rows[1:, 2] == rows[:-1, 2])
    rows[:-1, 1] = np.where(same, np.minimum(rows[:-1, 1], rows[1:, 0] - rows[:-1, 0]), rows[:-1, 1])
    return around.without_notes().with_rows(rows)
