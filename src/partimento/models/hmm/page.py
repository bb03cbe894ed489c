"""What a page says before a note is written: its steps, beats and bars, its keys, and what each part is.

Time is whole steps of a grid. A *role* is what a part does among the others (lead, bass, ...): it is heard where there
are notes, and else told from names and instruments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.features import shift_of
from partimento.features.harmony_beats import beat_view
from partimento.score import Score, Track
from partimento.tokens.grid import last_step, snapped_steps, to_steps, to_ticks

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LEAD, CHORDS, KEYS, BASS, SUPPORT, INNER, DRUMS = range(7)      # in the order in which they are written
ROLE_NAMES = ("lead", "chords on top", "keyboard", "bass", "accompaniment", "inner part", "drums")
TOP_DOWN = frozenset((LEAD, CHORDS, KEYS, INNER))               # whose chords are written from the highest note down
NEAREST = ((INNER, CHORDS, KEYS, BASS), (KEYS, LEAD, SUPPORT), (CHORDS, LEAD, SUPPORT), (SUPPORT, INNER, LEAD),
           (BASS, KEYS, CHORDS), (LEAD, BASS, SUPPORT), ())     # what an unseen role is written like
BINARY, TERNARY, FINE = 1, 2, 3
FEWEST = 8                                                      # notes from which on a role is heard


class SteppedNotes(NamedTuple):
    """Notes in steps: onset, end, pitch, velocity, track (int64[n] each), by onset and pitch."""

    onset: Ints
    end: Ints
    pitch: Ints
    velocity: Ints
    track: Ints

    def where(self, mask: npt.NDArray[Any]) -> SteppedNotes:
        """The notes that `mask` (bool[n] or indices) says."""
        return SteppedNotes(*(column[mask] for column in self))

    @classmethod
    def joined(cls, parts: Sequence[SteppedNotes]) -> SteppedNotes:
        """The notes of several, in order."""
        columns = [np.concatenate(c) for c in zip(*parts, strict=True)]
        return cls(*columns).where(np.lexsort((columns[2], columns[0])))


def notes_on(score: Score, grid: int) -> tuple[SteppedNotes, Ints]:
    """The notes of a Score on the grid, by onset and pitch, and which note of the Score each is."""
    keep, onset, end = snapped_steps(score, grid)
    index = np.arange(len(score))[keep]
    order = np.lexsort((score.pitch[index], onset))
    rest = (getattr(score, name)[index].astype(np.int64) for name in ("pitch", "velocity", "track"))
    notes = SteppedNotes(onset, end, *rest)
    return notes.where(order), index[order]


class PageGrid:
    """The steps of a piece: int64[steps] columns, and int64[beats] ones.

    `tick` of every step; `beat` its number; `slot` where it lies in its beat (long beats have slots of their own);
    `strength` 0 on the first of a bar, 1 on a beat, 2 on the half of one, 3 elsewhere; `ago` the same place one bar
    before and `beat_ago` one beat before, −1 where there is none; `bar`, and `within` the steps since its first. Of a
    beat: `place` 0 on the first of a bar, 1 at its half, 2 elsewhere; `section` 0 in the first bar, 1–4 by the bar of
    a phrase of four, 5 in the last bar but one, 6 in the last.
    """

    def __init__(self, score: Score, grid: int, ends: bool = True) -> None:
        self.score, self.grid = score, grid
        tpq = score.ticks_per_quarter
        self.steps = max(last_step(score.end, tpq, grid), 1)
        self.tick = to_ticks(np.arange(self.steps), tpq, grid)
        view = beat_view(score.without_notes())
        edges = view.edges if len(view) else np.array([0, max(score.end, 1)])
        self.edges, self.beats = edges, len(edges) - 1
        place, beat_bar = (view.place, view.bar) if len(view) else (np.zeros(1, np.int64), np.zeros(1, np.int64))
        self.place = np.asarray(place, np.int64)
        self.beat = np.clip(np.searchsorted(edges, self.tick, side="right") - 1, 0, self.beats - 1)
        starts = score.bar_starts.astype(np.int64)
        self.bar = np.clip(np.searchsorted(starts[:-1], self.tick, side="right") - 1, 0, max(len(starts) - 2, 0))
        bar_steps = to_steps(starts, tpq, grid)
        self.within = np.arange(self.steps) - bar_steps[self.bar]
        first = np.searchsorted(self.beat, np.arange(self.beats))
        offset = np.arange(self.steps) - first[self.beat]
        long = np.diff(to_steps(edges, tpq, grid))[self.beat] > grid
        self.slot = np.minimum(offset + np.where(long, grid, 0), 3 * grid - 1)
        length = np.where(long, 3 * grid // 2, grid)
        half = np.where(long, offset * 3 % np.maximum(length, 1) == 0, offset * 2 == length)
        self.strength = np.where(offset == 0, np.where(self.place[self.beat] == 0, 0, 1), np.where(half, 2, 3))
        lengths = np.diff(bar_steps)
        before = np.maximum(self.bar - 1, 0)
        same = (self.bar > 0) & (lengths[before] == lengths[self.bar])
        same |= (self.bar > 0) & (self.within < lengths[before]) & (self.bar == len(lengths) - 1)
        self.ago = np.where(same, bar_steps[before] + self.within, -1)
        self.ago[self.ago >= np.arange(self.steps)] = -1
        sizes = np.bincount(self.beat, minlength=self.beats)
        own = sizes[self.beat]
        self.beat_ago = np.where((self.beat > 0) & (sizes[self.beat - 1] == own), np.arange(self.steps) - own, -1)
        number, last = beat_bar - int(score.has_pickup), int(beat_bar[-1])
        section = np.where(number <= 0, 0, 1 + number % 4)
        if ends and last > 1:
            section = np.where(beat_bar == last, 6, np.where(beat_bar == last - 1, 5, section))
        self.section = np.asarray(section, np.int64)

    def divisions(self) -> Ints:
        """How a page would show an onset at each step: 0 on a beat, `BINARY` on its quarters, `TERNARY` on its thirds,
        else `FINE`."""
        unit, offset = self.grid, self.slot - np.where(self.slot >= self.grid, self.grid, 0)
        binary, ternary = offset * 4 % unit == 0, offset * 3 % unit == 0
        long = self.slot >= self.grid                       # beats of three: eighths and sixteenths are their own
        return np.where(offset == 0, 0, np.where(binary, BINARY, np.where(ternary & ~long, TERNARY, FINE)))

    def keys(self, default: tuple[int, int] | None) -> tuple[Ints, Ints]:
        """Shift and mode (0 major, 1 minor) at every beat: `default`, or where that is None as written."""
        score = self.score
        if default is not None or not score.keys:
            shift, mode = default or (0, 0)
            return np.full(self.beats, shift), np.full(self.beats, mode)
        ticks = np.array([key.tick for key in score.keys])
        index = np.maximum(np.searchsorted(ticks, self.edges[:-1], side="right") - 1, 0)
        shifts = np.array([shift_of(key.fifths) for key in score.keys], np.int64)
        modes = np.array([int(key.mode == "minor") for key in score.keys], np.int64)
        return shifts[index], modes[index]


def tonic_of(shift: Ints, mode: Ints) -> Ints:
    """Pitch classes of the tonics of keys given by shift and mode.

    >>> tonic_of(np.array([0, 0, 2]), np.array([0, 1, 0])).tolist()
    [0, 9, 2]
    """
    return np.asarray((shift + 9 * mode) % 12, np.int64)


def roles_of(tracks: Sequence[Track], notes: SteppedNotes) -> list[int]:
    """The role of every track: heard where each pitched one has enough notes, else told from names."""
    pitched = [i for i, track in enumerate(tracks) if not track.is_drum]
    sizes = [int((notes.track == i).sum()) for i in range(len(tracks))]
    if pitched and all(sizes[i] >= FEWEST for i in pitched):
        return _heard(tracks, notes, pitched)
    return _named(tracks, pitched)


def signs_of(tracks: Sequence[Track]) -> list[str]:
    """What names, instruments and places say of every track, to look up what such tracks turned out to be."""
    pitched = [i for i, track in enumerate(tracks) if not track.is_drum]
    return [f"{role}/{min(pitched.index(i), 3) if i in pitched else 'd'}/{min(len(pitched), 4)}"
            for i, role in enumerate(_named(tracks, pitched))]


def _heard(tracks: Sequence[Track], notes: SteppedNotes, pitched: Sequence[int]) -> list[int]:
    out = [DRUMS] * len(tracks)
    height = {i: float(notes.pitch[notes.track == i].mean()) for i in pitched}
    many = {i: (own := notes.onset[notes.track == i]).size / len(np.unique(own)) > 1.3 for i in pitched}
    ranked = sorted(pitched, key=lambda i: -height[i])
    for place, i in enumerate(ranked):
        if many[i]:
            out[i] = KEYS if len(ranked) == 1 else CHORDS if place == 0 else SUPPORT
        else:
            out[i] = LEAD if place == 0 else BASS if place == len(ranked) - 1 else INNER
    return out


_MANY = frozenset([*range(32), 45, 46, *range(48, 56), *range(88, 96), *range(104, 109)])
_LOW = frozenset([*range(32, 40), 42, 43, 57, 58, 67, 70])


def _named(tracks: Sequence[Track], pitched: Sequence[int]) -> list[int]:
    out = [DRUMS] * len(tracks)
    voices = {"soprano": LEAD, "melody": LEAD, "vocal": LEAD, "lead": LEAD, "alto": INNER, "tenor": INNER, "bass": BASS}
    for i in pitched:
        said = [role for word, role in voices.items() if word in tracks[i].name.lower().split()]
        many, low = tracks[i].program in _MANY, tracks[i].program in _LOW
        if said:
            out[i] = said[0]
        elif len(pitched) == 1:
            out[i] = KEYS if many else LEAD
        elif low and BASS not in out:
            out[i] = BASS
        elif many:
            out[i] = CHORDS if i == pitched[0] and all(tracks[k].program in _MANY | _LOW for k in pitched) else SUPPORT
        else:
            out[i] = LEAD if LEAD not in out else INNER
    return out
