"""A drummer stays with a groove: the first bar of a phrase is played on, with room for a fill every fourth bar."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from partimento.models.hmm.page import Bools, Ints, PageGrid

PHRASE, FILL = 8, 4        # bars that share a groove; each so many goes its own way, and the last does
KICK, SNARE, HAT = 36, 38, 42
LOUD, SOFT = 92, 68        # velocities of beats, and of what lies between


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


def plain_beat(page: PageGrid, masks: Mapping[int, Bools]) -> Ints:
    """Rows of (step, pitch, length, velocity) of the plainest beat, where no drums were learnt.

    The kick begins each bar and falls in its middle where it has four beats; the snare answers on the second and
    fourth of four beats, or on those after the first; the hat is on every beat and half way to the next, or on the
    thirds of a dotted beat. What `masks` (legal pitches, by step) leaves out is not written.
    """
    rows = []
    beat = page.beat
    starts = np.flatnonzero(np.append(True, beat[1:] != beat[:-1]))
    ends = np.append(starts[1:], page.steps)
    bars = page.bar[starts]
    for start, end, bar in zip(starts.tolist(), ends.tolist(), bars.tolist(), strict=True):
        number, count = int(np.sum((bars == bar) & (starts < start))), int(np.sum(bars == bar))
        kick = number % 2 == 0 if count == 4 else number == 0
        parts = 3 if 2 * (end - start) == 3 * page.grid else 2
        between = [(start + (end - start) * part // parts, HAT, SOFT) for part in range(1, parts)]
        for step, pitch, velocity in [(start, KICK if kick else SNARE, LOUD), (start, HAT, LOUD), *between]:
            if start <= step < end and step in masks and masks[step][pitch]:
                rows.append((step, pitch, max((end - start) // parts, 1), velocity))
    return np.array(sorted(set(rows)), np.int64).reshape(-1, 4)
