"""A REMI-like tokeniser for several tracks: bars, places in the bar, tracks, pitches, velocities, durations.

The idea is that of Y.-S. Huang and Y.-H. Yang, "Pop Music Transformer" (2020), widened to tracks and changing meters.
A piece is written so:

    Program per track, then per bar: Bar [Numerator Denominator] ( Position [Tempo] ( Track ( Pitch Velocity Duration )* )* )*

Skip before a Position moves it on by the number of positions (bars longer than those). Cut at a Position ends the bar
there: a pick-up, a meter change in mid-bar, a piece that ends inside a bar. Numerator and Denominator stand where a
meter is said.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
import numpy.typing as npt

from partimento.errors import RequestError
from partimento.score import Meter, Score, Tempo, Track
from partimento.tokens.grid import IndexArray, snapped_steps, to_steps, to_ticks

TokenArray = npt.NDArray[np.int32]

PAD, START, STOP, BAR, CUT, SKIP = range(6)
_SINGLES = ("Pad", "Start", "Stop", "Bar", "Cut", "Skip")
DRUMS = 128                                     # the Program token of a drum kit
MAX_NUMERATOR, DENOMINATORS = 64, (1, 2, 4, 8, 16, 32, 64)
MAX_DECODED_STEPS = 1 << 24                     # what bars of any length may add up to when ids are decoded
DEFAULT_TICKS = 480


@dataclasses.dataclass(frozen=True, kw_only=True)
class Remi:
    """The tokeniser's settings; `encode`, `decode` and `snap` follow from them alone.

    `steps_per_quarter` is the grid, `positions` how many places of a bar have a token of their own (96: two 4/4
    bars' worth of quarters at 12 steps), `velocities` and `tempos` how many bins each has, `tracks` the most tracks.

    >>> remi = Remi()
    >>> s = Score(onset=[0, 480], duration=[480, 960], pitch=[60, 64], velocity=[80, 80], track=[0, 0])
    >>> remi.decode(remi.encode(s)) == remi.snap(s)
    True
    >>> [remi.names[i] for i in remi.encode(s)][:9]
    ['Program 0', 'Bar', 'Numerator 4', 'Denominator 4', 'Position 0', 'Tempo 120', 'Track 0', 'Pitch 60', 'Velocity 81']
    """

    steps_per_quarter: int = 12
    positions: int = 96
    velocities: int = 32
    tempos: int = 48
    tracks: int = 64

    def __post_init__(self) -> None:
        for name, low, high in (("steps_per_quarter", 1, 480), ("positions", 1, 4096), ("velocities", 1, 127),
                                ("tempos", 1, 256), ("tracks", 1, 1024)):
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise RequestError(f"{name} must be a whole number from {low} to {high}; got {value!r}")

    # --- the vocabulary ----------------------------------------------------------------------------------------

    @cached_property
    def duration_steps(self) -> IndexArray:
        """The durations that have a token, in steps: each one to four quarters, then coarser, to 32 quarters."""
        q = self.steps_per_quarter
        coarse = [np.arange(4 * q, 8 * q, max(1, q // 2)), np.arange(8 * q, 16 * q, q), np.arange(16 * q, 33 * q, 4 * q)]
        return np.unique(np.concatenate([np.arange(1, 4 * q), *coarse])).astype(np.int64)

    @cached_property
    def velocity_values(self) -> IndexArray:
        """The velocity that each Velocity token plays: the middle of its bin."""
        edges = np.arange(self.velocities + 1) * 127 // self.velocities + 1
        return ((edges[:-1] + edges[1:] - 1 + 1) // 2).astype(np.int64)

    @cached_property
    def tempo_values(self) -> IndexArray:
        """The microseconds a quarter of each Tempo token: even steps of ratio from 20 to 320 bpm, 120 among them."""
        bpm = 20.0 * 16.0 ** (np.arange(self.tempos) / max(1, self.tempos - 1))
        bpm[np.abs(np.log(bpm / 120)).argmin()] = 120
        return np.rint(60e6 / bpm).astype(np.int64)

    @cached_property
    def _blocks(self) -> dict[str, tuple[int, int]]:
        """First id and number of tokens of each kind, after the single ones."""
        sizes = {"Position": self.positions, "Numerator": MAX_NUMERATOR, "Denominator": len(DENOMINATORS),
                 "Tempo": self.tempos, "Program": DRUMS + 1, "Track": self.tracks, "Pitch": 128,
                 "Velocity": self.velocities, "Duration": len(self.duration_steps)}
        blocks, first = {}, len(_SINGLES)
        for kind, size in sizes.items():
            blocks[kind] = (first, size)
            first += size
        return blocks

    @property
    def size(self) -> int:
        """How many ids there are."""
        return sum(self._blocks["Duration"])

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of every id: its kind and its value (bpm, steps, velocity, General MIDI program)."""
        values: dict[str, list[int] | list[str]] = {
            kind: list(range(size)) for kind, (_, size) in self._blocks.items()}
        values["Numerator"] = list(range(1, MAX_NUMERATOR + 1))
        values["Denominator"] = list(DENOMINATORS)
        values["Tempo"] = [f"{60e6 / us:.4g}" for us in self.tempo_values]
        values["Program"] = [*map(str, range(DRUMS)), "drums"]
        values["Velocity"] = self.velocity_values.tolist()
        values["Duration"] = self.duration_steps.tolist()
        return _SINGLES + tuple(f"{kind} {value}" for kind in self._blocks for value in values[kind])

    # --- what is kept of a Score -------------------------------------------------------------------------------

    @cached_property
    def _duration_token(self) -> IndexArray:
        """Index of the longest duration token that is no longer than each number of steps (index 0 unused)."""
        steps = np.arange(int(self.duration_steps[-1]) + 1)
        return np.maximum(np.searchsorted(self.duration_steps, steps, side="right") - 1, 0).astype(np.int64)

    @cached_property
    def _velocity_token(self) -> IndexArray:
        edges = np.arange(self.velocities + 1) * 127 // self.velocities + 1
        return (np.searchsorted(edges[:-1], np.arange(128), side="right") - 1).clip(0).astype(np.int64)

    def snap(self, score: Score) -> Score:
        """Return what the tokens keep of a Score: notes on the grid, binned, in a frame of meters, tempos and programs.

        Notes go as in `grid.snap`, durations down to the nearest that has a token, velocities and tempos to their
        bins. Partial bars get a whole number of steps. Names, drum kits, keys, chords, marks, words and controllers are
        not kept. ``decode(encode(s), s.ticks_per_quarter) == snap(s)``, and ``snap(snap(s)) == snap(s)``.
        """
        return self.decode(self.encode(score), score.ticks_per_quarter)
