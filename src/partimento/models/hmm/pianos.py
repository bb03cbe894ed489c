"""Two hands: a lone piano of which nothing stands yet is written as two parts, and is one track again after.

Where there are several piano tracks each is a hand already, as engraved and sequenced music has them.
"""

from __future__ import annotations

import numpy as np

from partimento.models.hmm.page import Ints
from partimento.request import Blanks
from partimento.score import Controls, Score


def two_hands(around: Score, blanks: Blanks) -> tuple[Score, Blanks, Ints, list[tuple[int, int]]] | None:
    """The frame with a track a hand where its only piano is empty and all blank, its blanks, whose each track was, and
    which two tracks are the hands. None where that is not so.

    >>> from partimento.score import Track
    >>> frame = Score(end=1920, tracks=(Track("piano"), Track("flute", 73)))
    >>> two_hands(frame, Blanks.everything(frame))[2].tolist()
    [0, 0, 1]
    """
    kept = blanks.kept_tracks(around)
    hands = {r.track for r in blanks.regions if r.open == "all"} - kept - {
        r.track for r in blanks.regions if r.open != "all"}
    pianos = {t for t, track in enumerate(around.tracks) if track.program < 8 and not track.is_drum}
    hands &= pianos
    if not hands or len(pianos) > 1:
        return None
    back = np.repeat(np.arange(len(around.tracks)), [1 + (t in hands) for t in range(len(around.tracks))])
    first = np.searchsorted(back, np.arange(len(around.tracks)))
    frame = around.replace(track=first[around.track], tracks=tuple(around.tracks[t] for t in back.tolist()), texts=(),
                           marks=(), controls=Controls.empty())
    regions = tuple(r._replace(track=int(first[r.track]) + hand) for r in blanks.regions
                    for hand in range(1 + (r.track in hands)))
    return frame, Blanks(regions, blanks.pinned), back, [(int(first[t]), int(first[t]) + 1) for t in sorted(hands)]


def hands_joined(new: Score, back: Ints, around: Score) -> Score:
    """The new notes on the tracks of `around`; a key that both hands strike is struck once, and let go when struck
    again."""
    rows = new.notes().astype(np.int64)
    rows[:, 4] = back[rows[:, 4]]
    best: dict[tuple[int, int, int], tuple[int, int]] = {}
    for onset, length, pitch, velocity, track in rows.tolist():
        key = (track, pitch, onset)
        best[key] = max(best.get(key, (0, 0)), (length, velocity))
    out, after = [], dict[tuple[int, int], int]()
    for (track, pitch, onset), (length, velocity) in sorted(best.items(), key=lambda one: -one[0][2]):
        length = min(length, after.get((track, pitch), onset + length) - onset)
        after[track, pitch] = onset
        out.append((onset, length, pitch, velocity, track))
    return around.without_notes().with_rows(out)
