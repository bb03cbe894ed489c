"""Drums: patterns by style, as tables of data, with fills where sections close and a crash where they open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from partimento.models.base import Rng
from partimento.models.rules.form import BeatBar
from partimento.models.rules.melody import bar_tick
from partimento.models.rules.sketch import Sketch, Written, rules_table
from partimento.sampling import draw

FOOT, KICK = 44, 36             # keys of the kit: the hi-hat by foot, which goes on through a fill; the bass drum
SIZES = {"4": 1.0, "2": 3.0, "1": 1.0, "c": 1.0}        # how often a fill at the end of a section has so many beats
SHORT = 0.35                    # of the other phrases, those that end with a fill of one beat
Hits = list[tuple[int, int, int]]


def drum_bar(bar: BeatBar, pattern: Mapping[str, Any], second: bool = False) -> Hits:
    """Return the hits of a pattern in one bar as (tick, key, velocity); `second` takes the variant of every other bar.

    >>> drum_bar(BeatBar(0, 480, ((0, 480),)), {"1": [[0, 36, 90], [0.5, 42, 60]]})
    [(0, 36, 90), (240, 42, 60)]
    """
    out: Hits = []
    at, beats = 0, len(bar.beats)
    while at < beats:
        stop = next((k for k in range(at, beats) if bar.in_threes(k)), beats) if "c" in pattern else beats
        left = stop - at
        if not left:
            size, rows = 1, pattern["c"]
        else:
            size = left if str(left) in pattern else next(
                n for n in (4, 3, 2, 1) if (str(n) in pattern and (n <= left and left - n != 1)) or n == 1)
            rows = pattern.get(f"{size}b", pattern[str(size)]) if second else pattern[str(size)]
        out += [(bar_tick(bar, at + place), key, velocity) for place, key, velocity in rows]
        at += size
    return sorted(hit for hit in out if hit[0] < bar.end)


def fill_of(bar: BeatBar, fills: Mapping[str, Any], sizes: Mapping[str, float], rng: Rng) -> Hits:
    """Return a fill drawn among those that fit the end of a bar, of at most half of it but for a whole bar's; none
    where none does.

    `sizes` weighs how many beats it takes. Where the last beat falls into three, only a fill made for that fits.

    >>> from partimento.sampling import generator
    >>> fill_of(BeatBar(0, 960, ((0, 480), (480, 480))), {"1": [[[0, 38, 90]]]}, {"1": 1}, generator(1))
    [(480, 38, 90)]
    """
    beats = len(bar.beats)
    threes = [bar.in_threes(k) for k in range(beats)]
    fits = [name for name in sizes if name in fills and (
        threes[-1] if name == "c" else not any(threes) and (2 * int(name) <= beats or int(name) in (beats, 1)))]
    if not fits:
        return []
    name = fits[draw([sizes[one] for one in fits], rng.random())]
    rows = fills[name][int(rng.random() * len(fills[name]))]
    first = beats - (1 if name == "c" else int(name))
    return [(bar_tick(bar, first + place), key, velocity) for place, key, velocity in rows]


def write_drums(sketch: Sketch, track: int, name: str, where: Sequence[tuple[int, int]]) -> list[Written]:
    """Return the notes of a drum part in the stretches `where` (ticks)."""
    pattern = rules_table("drums")[name]
    closing = pattern | {f"{size}b": pattern[f"{size}d"] for size in range(1, 5) if f"{size}d" in pattern}
    low, high = sketch.legal.ranges[track]
    rows: list[Written] = []
    length = sketch.around.ticks_per_quarter // 4
    loud = sketch.style["loud"] / 82
    opening: set[int] = set()
    for k, phrase in enumerate(sketch.phrases):
        again = phrase.repeats >= 0 and sketch.phrases[phrase.repeats].first_bar in opening
        if k == 0 or again or sketch.phrases[k - 1].label != phrase.label:
            opening.add(phrase.first_bar)
    ends = {p.first_bar + p.bars - 1 for p in sketch.phrases}
    big = {first - 1 for first in opening} | {len(sketch.bars) - 2 if sketch.closed else -1}
    for number, bar in enumerate(sketch.bars):
        if not bar.beats or not any(a < bar.end and b > bar.start for a, b in where):
            continue
        if sketch.closed and number == len(sketch.bars) - 1 and number > 0:
            hits = [(bar.start, KICK, min(pattern["ring"][1], 96)), (bar.start, *pattern["ring"])]
        else:
            hits = drum_bar(bar, closing if number in ends else pattern, number % 2 == 1 or number in ends)
            if number in opening and pattern["crash"]:
                hits = [(bar.start, pattern["crash"], pattern["ring"][1] - 4),
                        *(h for h in hits if (h[0], h[1]) != (bar.start, 42))]
            fill: Hits = []
            if number in big:
                fill = fill_of(bar, pattern["fills"], SIZES, sketch.rng)
            elif number in ends and sketch.rng.random() < SHORT:
                fill = fill_of(bar, pattern["fills"], {"1": 1.0, "c": 1.0}, sketch.rng)
            if fill:
                start = max(beat for beat, _ in bar.beats if beat <= fill[0][0])
                hits = [*(h for h in hits if h[0] < start or h[1] == FOOT), *fill]
        for tick, key, velocity in hits:
            if any(a <= tick < b for a, b in where) and low <= key <= high:
                wave = int(sketch.rng.random() * 7) - 3
                rows.append((tick, max(min(length, bar.end - tick), 1), key,
                             int(np.clip(round(velocity * (0.75 + 0.25 * loud)) + wave, 20, 124)), track))
    return sorted({(r[0], r[2]): r for r in rows}.values())
