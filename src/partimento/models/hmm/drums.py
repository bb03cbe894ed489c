"""A drummer stays with a groove: the first bar of a phrase is played on, with room for a fill every fourth bar."""

from __future__ import annotations

import numpy as np

from partimento.models.hmm.page import Ints, PageGrid

PHRASE, FILL = 8, 4        # bars that share a groove; each so many goes its own way, and the last does


def steadied(page: PageGrid, rows: Ints) -> Ints:
    """Rows of (step, pitch, length, velocity) with the first bar of each phrase in place of those that repeat it.

    Only bars as long as that one repeat it; the lengths of notes that cross a bar line are cut there.
    """
    bars = int(page.bar[-1]) + 1
    first = np.searchsorted(page.bar, np.arange(bars + 1))
    lengths = np.diff(first)
    bar = page.bar[rows[:, 0]]
    out = []
    for number in range(bars):
        home = number - number % PHRASE
        own = number % FILL == FILL - 1 or number == bars - 1 or lengths[number] != lengths[home]
        part = rows[bar == (number if own else home)].copy()
        part[:, 0] += 0 if own else first[number] - first[home]
        part[:, 2] = np.minimum(part[:, 2], first[number + 1] - part[:, 0])
        out.append(part)
    return np.concatenate(out)
