"""Whether what a model gives to all contents of a blank sums to one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from partimento.models.base import Model
from partimento.request import Blanks, Region, Request
from partimento.score import Meter, Score, Track

# notes that stand, which of them are pinned, and the tracks that are open
CASES: list[tuple[Any, tuple[int, ...], tuple[int, ...]]] = [
    ([(0, 480, 64, 80, 0), (480, 480, 65, 80, 0)], (), (1,)),                   # under a melody
    ([(0, 960, 60, 80, 1)], (), (0,)),                                          # over a bass
    ([(480, 480, 60, 80, 0)], (0,), (0,)),                                      # a note in the midst that stays
    ([(0, 480, 61, 80, 0), (480, 480, 61, 80, 1)], (0, 1), (0, 1)),             # one in each of two tracks
]


def contents(kept: Score, cells: Any, end: int) -> Iterator[Score]:
    """Every way to put notes of a beat and more into (tick, pitch, track) cells beside what is kept."""
    for there in itertools.product((False, True), repeat=len(cells)):
        notes = [cell for cell, yes in zip(cells, there, strict=True) if yes]
        stops = []
        for tick, pitch, track in notes:
            later = [t for t, p, k in notes if (p, k) == (pitch, track) and t > tick]
            same = (kept.pitch == pitch) & (kept.track == track) & (kept.onset > tick)
            stops.append(range(480, min([end, *later, *kept.onset[same].tolist()]) - tick + 1, 480))
        for lengths in itertools.product(*stops):
            rows = [(t, d, p, 64, k) for (t, p, k), d in zip(notes, lengths, strict=True)]
            yield kept.with_notes_of(kept.with_rows(rows))


def total_chance(model: Model, rows: Any, pinned: tuple[int, ...], blank: tuple[int, ...]) -> float:
    """The probabilities of all that can stand in a blank of two beats and two pitches a track, added up."""
    base = Score(end=960, ticks_per_quarter=480, meters=(Meter(0, 2, 4),), tracks=(Track("flute", 73), Track("piano")))
    kept = base.with_rows(rows)
    regions = tuple(Region(track, 0, 960) for track in blank)
    sounding = {(t, int(kept.pitch[i]), int(kept.track[i])) for i in range(len(kept)) for t in (0, 480)
                if kept.onset[i] <= t < kept.offset[i]}
    cells = [(t, p, k) for t in (0, 480) for p in (60, 61) for k in blank if (t, p, k) not in sounding]
    request, total = Request(ranges={"flute": "C4-C#4", "piano": "C4-C#4"}), 0.0
    stays = {tuple(row) for row in kept.notes().tolist()}
    for score in contents(kept, cells, 960):
        pins = tuple(i for i, row in enumerate(score.notes().tolist()) if tuple(row) in stays) if pinned else ()
        total += float(np.exp(model.log_prob(score, Blanks(regions, pins), request).nats))
    return total
