"""How a piece ends: whether it comes to rest at home, and which part of a page is its last bar."""

from __future__ import annotations

import numpy as np

from partimento.request import Blanks, Region
from partimento.score import Score

_THIRDS = (4, 3)                # of a major and a minor tonic


def unrest(score: Score, key: int) -> int:
    """How far the end of a Score is from rest in a key (0–23: tonic, + 12 where minor): 0 where it rests at home.

    Silence in the last bar costs 4, another lowest note than the tonic 2, a tone that is none of the tonic's chord 1,
    and a last sound shorter than a quarter, or one that is over before the last half of the bar, 1 each.

    >>> from partimento.score import Track
    >>> rows = [(0, 960, 48, 80, 0), (0, 960, 64, 80, 0)]
    >>> score = Score.from_rows(rows, tracks=(Track("piano"),), end=1920)
    >>> unrest(score, 0), unrest(score, 9 + 12)
    (1, 3)
    """
    drums = np.array([track.is_drum for track in score.tracks])
    tones = score.select(~drums[score.track]) if len(score) else score
    start, end = int(score.bar_starts[-2]), score.end
    offsets = tones.onset + tones.duration
    if not len(tones) or int(offsets.max()) <= start:
        return 4
    last, over = int(tones.onset.max()), int(offsets.max())
    sounding = tones.pitch[offsets > last]
    tonic, third = key % 12, _THIRDS[key // 12]
    strange = ~np.isin((sounding - tonic) % 12, (0, third, 7))
    return (2 * (int(sounding.min()) % 12 != tonic) + bool(strange.any())
            + (over - last < score.ticks_per_quarter) + (over <= (start + end) // 2))


def last_bar(score: Score, blanks: Blanks) -> Blanks:
    """Those of the blanks where tones may be written in the last bar; drums stay as they are."""
    start = int(score.bar_starts[-2])
    return Blanks(tuple(Region(region.track, max(region.start, start), region.end) for region in blanks.regions
                        if region.end > start and region.open == "all" and not score.tracks[region.track].is_drum))
