"""The plan of a piece: which stretches of bars are the same, by letters, as musicians name them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from partimento.features.form import MOST_BARS, self_similarity
from partimento.features.notes import FloatArray
from partimento.score import Score

UNITS = (8, 4)         # bars: pieces are cut into such, into the longer where there are at least three of them
SAME, LIKE = 0.7, 0.4  # likeness from which on a unit is another one again, and from which on a variant of it
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class PlanSection(NamedTuple):
    """A stretch of bars, by index from 0, the last one left out, and its name: ``A``, ``B``, ``A'``."""

    first: int
    last: int
    name: str


def sections(score: Score) -> tuple[PlanSection, ...]:
    """Return the sections of a piece in order: units of 8 bars (4 in short pieces) that are alike share a letter.

    Two units are as alike as their bars are, one by one, on average (`self_similarity`). From 0.7 on they are the same,
    from 0.4 on the later one is a variant, with a prime. A pick-up belongs to the first unit, a rest of bars that make
    no unit to the last. A piece of fewer than two units, or of more than 5,000 bars, has none.

    >>> bar = [(0, 480, 60), (480, 480, 64), (960, 960, 67)]
    >>> tune = [(1920 * i + o, d, p + 12 * (4 <= i < 8), 80, 0) for i in range(12) for o, d, p in bar]
    >>> [section.name for section in sections(Score.from_rows(tune))]
    ['A', 'B', 'A']
    """
    start = int(score.has_pickup)
    bars = score.n_bars - start
    unit = next((u for u in UNITS if bars >= 3 * u), 0) or (UNITS[-1] if bars >= 2 * UNITS[-1] else 0)
    if not unit or score.n_bars > MOST_BARS:
        return ()
    alike = np.nan_to_num(self_similarity(score)[start:, start:])
    firsts = range(0, bars - unit + 1, unit)
    names: list[str] = []
    heads: list[int] = []                       # the first unit of each letter
    for first in firsts:
        found = [_likeness(alike, first, head, unit) for head in heads]
        best = int(np.argmax(found)) if found else -1
        if best >= 0 and found[best] >= LIKE:
            names.append(LETTERS[best % len(LETTERS)] + "'" * (found[best] < SAME))
        else:
            names.append(LETTERS[len(heads) % len(LETTERS)])
            heads.append(first)
    edges = [*(first + start for first in firsts), score.n_bars]
    edges[0] = 0
    return tuple(PlanSection(a, b, name) for a, b, name in zip(edges[:-1], edges[1:], names, strict=True))


def _likeness(alike: FloatArray, first: int, other: int, unit: int) -> float:
    """How alike two units are: the mean over their bars, one by one."""
    index = np.arange(unit)
    return float(alike[first + index, other + index].mean())
