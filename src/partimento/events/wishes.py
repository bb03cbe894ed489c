"""What a network can be told to aim at: classes of the controls of a whole page, from low to high."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from partimento.controls import CONTROLS
from partimento.events.fields import DRUMS
from partimento.events.page import Band, Bars, GridNotes, Ints
from partimento.sampling import generator
from partimento.score import Meter, Score, Track

BINS = 12                       # classes of a control between where 90 % of real music lies; BINS: nothing wished
_SILENT = 0.25                  # how often a window is told no wish at all
_MOST = 0.8                     # the most of its controls that another is told


def wish_class(name: str, value: float) -> int:
    """The class of a value of a control; what lies outside its usual range is in the first or the last.

    >>> wish_class("density", 1.2), wish_class("density", 17), wish_class("density", 99)
    (0, 5, 11)
    """
    control = CONTROLS[name]
    share = (value - control.low) / (control.high - control.low)
    return int(min(max(share * BINS, 0), BINS - 1))


def wished(names: Sequence[str], targets: Mapping[str, float], tracks: Sequence[Track]) -> list[int]:
    """The class of every control of `names` that `targets` (as of a Request) wish for the whole piece.

    A wish for one track counts where it is the only one.
    """
    out = [BINS] * len(names)
    for said, value in targets.items():
        track, _, name = said.rpartition(".")
        if name in names and (not track or len(tracks) == 1):
            out[names.index(name)] = wish_class(name, value)
    return out


def told(names: Sequence[str], notes: GridNotes, bars: Bars, band: Band, grid: int, seed: int) -> list[int]:
    """Classes that a window really has, of a few controls drawn by chance; the others are not told."""
    out = [BINS] * len(names)
    if not names or not len(notes.step):
        return out
    rng = generator(seed, 13)
    share = rng.random() * _MOST
    chosen = np.flatnonzero(rng.random(len(names)) < share) if rng.random() >= _SILENT else np.zeros(0, np.int64)
    if not len(chosen):
        return out
    score = _score(notes, bars, band, grid)
    for number in chosen.tolist():
        value = CONTROLS[names[number]].measure(score, None)
        if value is not None:
            out[number] = wish_class(names[number], value)
    return out


def _score(notes: GridNotes, bars: Bars, band: Band, grid: int) -> Score:
    """The notes of a window as a Score, a tick a step."""
    origin = int(bars.starts[0])
    whole = bars.whole.tolist()
    meters = [Meter(int(start) - origin, *_meter(whole[i], int(bars.pulse[i]), grid))
              for i, start in enumerate(bars.starts[:-1]) if not i or whole[i] != whole[i - 1]]
    rows: Ints = np.stack([notes.step - origin, np.maximum(notes.end - notes.step, 1), notes.pitch, notes.velocity,
                           notes.track], axis=1)
    tracks = tuple(Track("drums", 0, is_drum=True) if program == DRUMS else Track("", program)
                   for program in band.program.tolist())
    return Score.from_rows(rows, ticks_per_quarter=grid, end=int(bars.starts[-1]) - origin, meters=tuple(meters),
                           tracks=tracks)


def _meter(whole: int, pulse: int, grid: int) -> tuple[int, int]:
    """A meter whose bars have `whole` steps and beats of `pulse`."""
    if whole % grid == 0 and pulse != grid * 3 // 2:
        return max(1, whole // grid), 4
    return (max(1, whole * 2 // grid), 8) if whole * 2 % grid == 0 else (max(1, whole * 4 // grid), 16)
