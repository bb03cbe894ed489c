"""Drums: patterns by style, as tables of data, with fills where sections close and a crash where they open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from partimento.models.rules.form import BeatBar
from partimento.models.rules.melody import bar_tick
from partimento.models.rules.sketch import Sketch, Written, rules_table


def drum_bar(bar: BeatBar, pattern: Mapping[str, Any], second: bool = False) -> list[tuple[int, int, int]]:
    """Return the hits of a pattern in one bar as (tick, key, velocity); `second` takes the variant of every other bar.

    >>> drum_bar(BeatBar(0, 480, ((0, 480),)), {"1": [[0, 36, 90], [0.5, 42, 60]]})
    [(0, 36, 90), (240, 42, 60)]
    """
    out: list[tuple[int, int, int]] = []
    at, beats = 0, len(bar.beats)
    while at < beats:
        left = beats - at
        if bar.in_threes(at) and "c" in pattern:
            size, rows = 1, pattern["c"]
        else:
            size = left if str(left) in pattern else next(
                n for n in (4, 3, 2, 1) if (str(n) in pattern and (n <= left and left - n != 1)) or n == 1)
            rows = pattern.get(f"{size}b", pattern[str(size)]) if second else pattern[str(size)]
        out += [(bar_tick(bar, at + place), key, velocity) for place, key, velocity in rows]
        at += size
    return sorted(hit for hit in out if hit[0] < bar.end)


def write_drums(sketch: Sketch, track: int, name: str, where: Sequence[tuple[int, int]]) -> list[Written]:
    """Return the notes of a drum part in the stretches `where` (ticks)."""
    pattern = rules_table("drums")[name]
    fills = pattern["fill"]
    low, high = sketch.legal.ranges[track]
    rows: list[Written] = []
    length = sketch.around.ticks_per_quarter // 4
    loud = sketch.style["loud"] / 82
    opening = {p.first_bar for k, p in enumerate(sketch.phrases) if k == 0 or sketch.phrases[k - 1].label != p.label}
    closing = {p.first_bar - 1 for p in sketch.phrases if p.first_bar} | {len(sketch.bars) - 2 if sketch.closed else -1}
    big = {first - 1 for first in opening}
    for number, bar in enumerate(sketch.bars):
        if not bar.beats or not any(a < bar.end and b > bar.start for a, b in where):
            continue
        final = sketch.closed and number == len(sketch.bars) - 1 and number > 0
        size = str(len(bar.beats))
        if final:
            hits = [(bar.start, 36, 96), (bar.start, pattern["crash"] or 42, 84)]
        elif size in fills and number in closing and (number in big or sketch.rng.random() < 0.35):
            hits = drum_bar(bar, {size: fills[size]})
        else:
            hits = drum_bar(bar, pattern, number % 2 == 1)
            if number in opening and pattern["crash"]:
                hits = [(bar.start, pattern["crash"], 92), *(h for h in hits if (h[0], h[1]) != (bar.start, 42))]
        for tick, key, velocity in hits:
            if any(a <= tick < b for a, b in where) and low <= key <= high:
                wave = int(sketch.rng.random() * 7) - 3
                rows.append((tick, max(min(length, bar.end - tick), 1), key,
                             int(np.clip(round(velocity * (0.75 + 0.25 * loud)) + wave, 20, 124)), track))
    return sorted({(r[0], r[2]): r for r in rows}.values())
