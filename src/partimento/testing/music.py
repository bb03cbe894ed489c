"""Small made music for the contract suite: nothing is read or fetched."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from partimento import theory
from partimento.models.base import Piece
from partimento.sampling import generator
from partimento.score import Key, Meter, Score, Text, Track


def song(seed: int, base: int = 60, bars: int = 8, meter: tuple[int, int] = (4, 4), tracks: int = 2) -> Score:
    """A small made piece: a wandering melody over held thirds, diatonic to the pitch class of `base`."""
    rng = generator(seed, 77)
    beats = meter[0] * 4 // meter[1] if meter[1] <= 4 else meter[0] // 2
    bar = meter[0] * 4 * 480 // meter[1]
    steps = [0, 2, 4, 5, 7, 9, 11, 12]
    rows, degree = [], 0
    for b in range(bars):
        at = 0
        while at < beats * 480:
            length = (240, 480, 480, 960)[int(rng.random() * 4)]
            length = min(length, bar - at)
            degree = int(np.clip(degree + int(rng.random() * 5) - 2, 0, 7)) if b < bars - 1 else 0
            rows.append((b * bar + at, length, base + steps[degree], 60 + int(rng.random() * 40), 0))
            at += length
        if tracks > 1:
            root = (0, 3, 4, 0)[b % 4]
            rows += [(b * bar, bar, base - 12 + steps[root], 60, 1), (b * bar, bar, base - 12 + steps[root + 2], 60, 1)]
    names = (Track("melody", 73), Track("piano", 0), Track("bass", 33))[:tracks]
    return Score.from_rows(rows, end=bars * bar, meters=(Meter(0, *meter),), tracks=names,
                           keys=(Key(0, theory.fifths(base % 12, "major"), "major"),))


def small_corpus(base: int = 60, count: int = 8) -> list[Piece]:
    """A few small pieces around a pitch."""
    return [Piece(song(s, base, meter=((4, 4), (3, 4))[s % 2]), f"song{s}", "", "CC0-1.0") for s in range(count)]


def inputs() -> Iterator[Score]:
    """Pieces that hurt: one note, odd meter, a pick-up, a part-filled bar, an odd clock, drums, overlaps."""
    yield Score.from_rows([(0, 480, 64, 70, 0)], end=1920, tracks=(Track("solo", 40),))
    yield song(3, bars=3, meter=(7, 8), tracks=1)
    pickup = song(4, bars=4)
    yield pickup.replace(meters=(Meter(0, 4, 4), Meter(480, 4, 4)), end=pickup.end)
    part = song(5, bars=4)
    yield part.select(part.onset < 3 * 1920 + 700).replace(end=3 * 1920 + 960)
    odd = song(6, bars=3)
    yield odd.replace(ticks_per_quarter=1024, onset=odd.onset * 32 // 15, duration=odd.duration * 32 // 15,
                      end=odd.end * 32 // 15)
    beat = [(240 * i, 60, (36, 42, 38, 42)[i % 4], 90, 0) for i in range(32)]
    yield Score.from_rows(beat, end=4 * 1920, tracks=(Track("drums", 0, True),))
    overlapping = [(0, 1800, 60, 1, 0), (240, 960, 60, 127, 0), (240, 0, 67, 64, 0), (960, 5000, 72, 64, 1)]
    yield Score.from_rows(overlapping, end=4 * 1920, tracks=(Track("a", 0), Track("b", 48)),
                          texts=(Text(960, 0, "lyric", "la"),))


def rows_of(score: Score) -> list[tuple[int, ...]]:
    """The notes as sorted tuples."""
    return [tuple(row) for row in score.notes().tolist()]
