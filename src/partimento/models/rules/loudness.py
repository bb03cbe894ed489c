"""How loud new parts are beside what is kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from partimento.models.rules.sketch import Written
from partimento.score import Score

SOME = 8                # kept notes that say how loud a part is
LEADS = 6               # velocities by which the lead stands out
SOFTEST, LOUDEST = 45, 96       # between which the middle velocity under a kept lead lies


def middle_loudness(kept: Score, roles: Sequence[str], else_: int) -> int:
    """Return the middle velocity of the parts around the lead: under what is kept of it, `else_` where little is.

    >>> middle_loudness(Score.from_rows([(480 * k, 480, 60, 86, 0) for k in range(8)]), ["lead"], 70)
    80
    """
    own = kept.velocity[np.isin(kept.track, [i for i, role in enumerate(roles) if role in ("lead", "keyboard")])]
    return int(np.clip(np.median(own) - LEADS, SOFTEST, LOUDEST)) if len(own) >= SOME else else_


def levelled(rows: Sequence[Written], kept: Score) -> list[Written]:
    """Return new notes, those of a part of which enough is kept moved to be about as loud as that.

    >>> levelled([(0, 480, 60, 70, 0)], Score.from_rows([(480 * k, 480, 60, 86, 0) for k in range(8)]))
    [(0, 480, 60, 86, 0)]
    """
    shift = {}
    for track in {row[4] for row in rows}:
        own = kept.velocity[kept.track == track]
        if len(own) >= SOME:
            shift[track] = round(float(np.median(own) - np.median([row[3] for row in rows if row[4] == track])))
    return [(a, d, p, min(max(v + shift.get(t, 0), 1), 127), t) for a, d, p, v, t in rows]
