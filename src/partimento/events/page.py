"""A page on the grid: the frame bar by bar, and the notes in the order of events, each kept or to be written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from partimento.events.fields import DRUMS, DURATIONS, HYPER, LEFT, MAX_MOVE, MAX_TRACKS, PLACES, TIMES
from partimento.features import beats
from partimento.score import Key, Score, Track
from partimento.tokens.grid import last_step, snapped_steps, to_steps

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_TIME_EDGES = np.array([*range(25), 30, 36, 42, 48, 60, 72, 84, 96, 120, 144, 192, 288, 384], np.int64)
NO_TIME = TIMES - 1
_COARSE = 12                                    # steps in a bin of durations over MAX_MOVE
_TEMPO_EDGES = np.array([40, 54, 66, 80, 92, 104, 116, 128, 140, 160, 190])
NO_KEY = 24
STRAY = 0.01                                    # weight of a length inside a bin that is not its round one


def time_class(steps: npt.ArrayLike) -> Ints:
    """The class of a stretch of time in steps (≥ 0): exact up to 24, then ever coarser; NO_TIME stands for none.

    >>> time_class([0, 7, 50, 9999]).tolist()
    [0, 7, 28, 37]
    """
    return np.searchsorted(_TIME_EDGES, np.asarray(steps), side="right") - 1


def duration_class(steps: npt.ArrayLike) -> Ints:
    """The class of a note's length in steps (≥ 1): exact up to MAX_MOVE, then bins of 12, then one for all above.

    >>> duration_class([1, 96, 97, 108, 109, 9999]).tolist()
    [0, 95, 96, 96, 97, 120]
    """
    length = np.asarray(steps, np.int64)
    coarse = MAX_MOVE + (length - MAX_MOVE - 1) // _COARSE
    return np.where(length <= MAX_MOVE, length - 1, np.minimum(coarse, DURATIONS - 1))


def lengths_of(kind: int, gap: int) -> tuple[range, int]:
    """The lengths in steps that a duration class stands for, none over `gap`, and the round one among them.

    >>> lengths_of(96, 400), lengths_of(96, 100)
    ((range(97, 109), 108), (range(97, 101), 100))
    """
    if kind < MAX_MOVE:
        return range(kind + 1, kind + 2), kind + 1
    low = MAX_MOVE + 1 + (kind - MAX_MOVE) * _COARSE
    high = gap if kind == DURATIONS - 1 else min(gap, low + _COARSE - 1)
    return range(low, high + 1), high


def tempo_class(bpm: float) -> int:
    """The class of a tempo in quarter notes a minute, 0–11."""
    return int(np.searchsorted(_TEMPO_EDGES, bpm, side="right"))


class GridNotes(NamedTuple):
    """Notes on the grid (int64[n] each): onset and end in steps, track, pitch, velocity."""

    step: Ints
    end: Ints
    track: Ints
    pitch: Ints
    velocity: Ints

    def where(self, mask: npt.NDArray[Any]) -> Self:
        """The notes that `mask` (bool[n] or indices) says."""
        return type(self)(*(column[mask] for column in self))

    def order(self) -> npt.NDArray[np.intp]:
        """The order of events: by step, track, pitch."""
        return np.lexsort((self.pitch, self.track, self.step))


@dataclasses.dataclass(frozen=True, eq=False)
class Bars:
    """The frame on the grid: first step of every bar, then the end (int64[n + 1]), and what is true in each (int64[n]).

    `lead` is how far into its meter a bar begins (a pick-up), `whole` the steps of a full bar, `pulse` the steps of a
    beat, `left` how many bars follow (classes of LEFT), `number` the bar's number in the piece, `key` 0–24, `tempo`
    a class.
    """

    starts: Ints
    lead: Ints
    whole: Ints
    pulse: Ints
    left: Ints
    number: Ints
    key: Ints
    tempo: Ints

    def __len__(self) -> int:
        return len(self.starts) - 1

    def part(self, first: int, stop: int) -> Bars:
        """Bars `first` to `stop` − 1; steps and numbers stay those of the piece."""
        columns = {f.name: getattr(self, f.name)[first:stop] for f in dataclasses.fields(self) if f.name != "starts"}
        return Bars(starts=self.starts[first:stop + 1], **columns)

    def of(self, steps: npt.ArrayLike) -> Ints:
        """Which bar each step lies in; the end counts to the last."""
        return np.clip(np.searchsorted(self.starts, steps, side="right") - 1, 0, len(self) - 1)

    def places(self, steps: Ints, bar: Ints) -> Ints:
        """How many steps into its bar each step lies, up to PLACES − 1."""
        return np.asarray(np.minimum(steps - self.starts[bar] + self.lead[bar], PLACES - 1))

    def transposed(self, shift: int) -> Bars:
        """The same with every key `shift` semitones higher."""
        mode, tonic = self.key // 12, self.key % 12
        return dataclasses.replace(self, key=np.where(self.key == NO_KEY, NO_KEY, (tonic + shift) % 12 + 12 * mode))


def bars_of(score: Score, grid: int, ends: bool = True) -> Bars:
    """The bars of a Score at `grid` steps a quarter; `ends` says that its end is one."""
    tpq = score.ticks_per_quarter
    ticks = score.bar_starts.astype(np.int64)
    last = max(last_step(int(ticks[-1]), tpq, grid), 1)
    starts = np.minimum(to_steps(ticks, tpq, grid), last)
    starts[-1] = last
    stay = np.append(np.diff(starts) > 0, True)
    first_ticks, starts = ticks[stay], starts[stay]
    n = len(starts) - 1
    whole, beat, key, tempo = (np.zeros(n, np.int64) for _ in range(4))
    for i, tick in enumerate(first_ticks[:-1].tolist()):
        meter = score.meter_at(tick)
        whole[i] = max(1, meter.numerator * 4 * grid // meter.denominator)
        beat[i] = max(1, whole[i] // beats(meter.numerator, meter.denominator))
        key[i] = _key_class(score.key_at(tick))
        tempo[i] = tempo_class(score.tempo_at(tick).bpm)
    lead = np.zeros(n, np.int64)
    if score.has_pickup:
        lead[0] = max(0, int(whole[min(1, n - 1)] - (starts[1] - starts[0])))
        whole[0] = whole[min(1, n - 1)]
    left = np.minimum(n - 1 - np.arange(n), LEFT - 2) if ends else np.full(n, LEFT - 1)
    number = np.arange(n) - int(score.has_pickup)
    return Bars(starts, lead, np.minimum(whole, PLACES), np.minimum(beat, 48), left, number % HYPER, key, tempo)


def _key_class(key: Key | None) -> int:
    """Tonic, and 12 more in minor; NO_KEY where nothing is said."""
    if key is None:
        return NO_KEY
    minor = key.mode == "minor"
    return (key.fifths * 7 + (9 if minor else 0)) % 12 + 12 * minor


class Band(NamedTuple):
    """The tracks of a piece: number and program of each (int64[n])."""

    number: Ints
    program: Ints

    @property
    def drums(self) -> Bools:
        """bool[n]: which are drum kits."""
        return np.asarray(self.program == DRUMS)


def band_of(tracks: Sequence[Track]) -> Band:
    """The numbers and programs of tracks."""
    program = np.array([DRUMS if track.is_drum else track.program for track in tracks], np.int64)
    return Band(np.minimum(np.arange(len(tracks)), MAX_TRACKS - 1), program)


def on_grid(score: Score, grid: int) -> tuple[GridNotes, Ints]:
    """The notes of a Score on the grid in the order of events, and which note of the Score each is."""
    index, onset, end = snapped_steps(score, grid)
    columns = (score.track, score.pitch, score.velocity)
    notes = GridNotes(onset, end, *(column[index].astype(np.int64) for column in columns))
    order = notes.order()
    return notes.where(order), index[order].astype(np.int64)
