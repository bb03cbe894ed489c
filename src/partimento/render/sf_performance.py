"""From a Score to played notes: pedal, controllers, bends and programs worked out, in samples instead of ticks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from partimento.render.soundfont import FloatArray
from partimento.score import IntArray, Score

SHORTEST = 0.01  # seconds that any note sounds
BEND_RANGE = 2.0  # semitones, where a file does not say
CONTROLLER_DEFAULTS = {1: 0, 7: 100, 10: 64, 11: 127, 64: 0}
RESET = {1: 0, 11: 127, 64: 0}  # what controller 121, reset all controllers, sets back


@dataclasses.dataclass(frozen=True)
class Steps:
    """A value that jumps at some ticks and holds in between; the first entry stands at tick −1."""

    tick: npt.NDArray[np.int64]
    sample: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]

    def at(self, ticks: npt.ArrayLike, side: Literal["left", "right"] = "right") -> npt.NDArray[np.float64]:
        """The value at each tick, after (`right`) or before (`left`) what happens on the tick itself."""
        return np.asarray(self.value[np.maximum(np.searchsorted(self.tick, ticks, side=side) - 1, 0)])

    @property
    def moves(self) -> bool:
        """Whether the value ever changes."""
        return bool((self.value != self.value[0]).any())

    def during(self, start: int, n: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Where, counted from sample `start`, and to what the value jumps in the next `n` samples; first what ruled."""
        first = max(int(np.searchsorted(self.sample, start, side="right")) - 1, 0)
        last = max(int(np.searchsorted(self.sample, start + n, side="left")), first + 1)
        return self.sample[first:last] - start, self.value[first:last]

    def curve(self, start: int, n: int, glide: int) -> FloatArray:
        """The value at `n` samples from sample `start`, each jump spread over `glide` samples (float32[n])."""
        at, value = self.during(start - glide, n + glide)
        edges = np.clip(np.append(at, n + glide) - glide, 0, n)
        edges[0] = 0
        out = np.empty(n, np.float32)
        for i in range(len(at)):
            out[edges[i]:edges[i + 1]] = value[i]
            first, last = at[i] - glide, min(at[i], at[i + 1] - glide if i + 1 < len(at) else n)
            if i and first < last and value[i] != value[i - 1]:
                ramp = np.linspace(value[i - 1], value[i], last - first, endpoint=False, dtype=np.float32)
                out[max(first, 0):last] = ramp[max(-first, 0):][:max(0, n - max(first, 0))]
        return out


class Channel:
    """The controllers, bends and programs of one track as Steps."""

    def __init__(self, score: Score, track: int, rate: int) -> None:
        rows = score.controls.rows()[score.controls.track == track].astype(np.int64)
        self.program = score.tracks[track].program
        self.is_drum = score.tracks[track].is_drum
        self.tick, _, kind, number, self.value = rows.T
        self.message = kind * 128 + np.where(kind == 0xB0, number, 0)
        self._score, self._rate = score, rate
        self._controllers: dict[int, Steps] = {}

    def _make(self, tick: npt.NDArray[np.int64], value: npt.NDArray[np.float64]) -> Steps:
        sample = np.round(self._score.seconds(np.maximum(tick, 0)) * self._rate).astype(np.int64)
        return Steps(tick, sample, value)

    def _steps(self, message: int, default: float, reset: float | None) -> Steps:
        own = self.message == message
        if reset is not None:
            own |= self.message == 0xB0 * 128 + 121
        value = np.where(self.message[own] == message, self.value[own], default if reset is None else reset)
        return self._make(np.append(-1, self.tick[own]), np.append(float(default), value))

    def controller(self, number: int) -> Steps:
        """The values, 0–127, of a controller."""
        if number not in self._controllers:
            self._controllers[number] = self._steps(0xB0 * 128 + number, CONTROLLER_DEFAULTS.get(number, 0),
                                                    RESET.get(number))
        return self._controllers[number]

    @cached_property
    def pan(self) -> Steps:
        """The place, −1 left to 1 right, by controller 10."""
        pan = self.controller(10)
        return Steps(pan.tick, pan.sample, np.clip((pan.value - 64) / 63, -1, 1))

    @cached_property
    def volume(self) -> Steps:
        """The amplitude, 0…1, by volume (7) and expression (11): the square of each, as General MIDI asks."""
        volume, expression = self.controller(7), self.controller(11)
        ticks = np.union1d(volume.tick, expression.tick)
        return self._make(ticks, (volume.at(ticks) * expression.at(ticks) / 127**2) ** 2)

    @cached_property
    def bend(self) -> Steps:
        """The pitch bend in cents, by the range that registered parameter 0 sets."""
        bend, coarse = self._steps(0xE0 * 128, 0, 0), self.controller(6)
        chosen = np.maximum(self.controller(101).at(coarse.tick), self.controller(100).at(coarse.tick)) == 0
        chosen &= (coarse.value > 0) & (coarse.value <= 96)
        span = self._make(np.append(-1, coarse.tick[chosen]), np.append(BEND_RANGE, coarse.value[chosen]))
        ticks = np.union1d(bend.tick, span.tick)
        return self._make(ticks, bend.at(ticks) / 8192 * span.at(ticks) * 100)

    @cached_property
    def vibrato(self) -> Steps:
        """How far, 0…1, modulation wheel (1) and channel pressure ask for vibrato."""
        wheel, pressure = self.controller(1), self._steps(0xD0 * 128, 0, 0)
        ticks = np.union1d(wheel.tick, pressure.tick)
        return self._make(ticks, np.minimum((wheel.at(ticks) + pressure.at(ticks)) / 127, 1))

    @cached_property
    def programs(self) -> Steps:
        """The program in force."""
        return self._steps(0xC0 * 128, self.program, None)

    def controllers_at(self, tick: int) -> Mapping[int, int]:
        """Every controller's value at a tick, the defaults of General MIDI where nothing was said."""
        seen = {int(m) - 0xB0 * 128 for m in np.unique(self.message) if 0 <= m - 0xB0 * 128 < 120}
        return {n: int(self.controller(n).at(tick)) for n in seen | set(CONTROLLER_DEFAULTS)}

    def pedalled(self, off: npt.NDArray[np.int64], end: int) -> npt.NDArray[np.int64]:
        """Where notes end that would end at `off`: at the pedal's next lift where it is down (int64[n]).

        A pedal pressed on the very tick where a note ends does not catch it, so that legato pedalling stays clear.
        """
        pedal = self.controller(64)
        if not pedal.moves:
            return off
        lifts = np.append(pedal.tick[pedal.value < 64], end)
        until = lifts[np.minimum(np.searchsorted(lifts, off, side="left"), len(lifts) - 1)]
        return np.where(pedal.at(off, "left") >= 64, np.maximum(off, until), off)


@dataclasses.dataclass(frozen=True)
class Performance:
    """Notes as they are played, one row a note in the Score's order: when, how long, and on which program."""

    score: Score
    rate: int
    channels: tuple[Channel, ...]
    start: npt.NDArray[np.int64]  # samples
    hold: npt.NDArray[np.int64]  # samples until the key, or the pedal, is let go
    program: IntArray

    @classmethod
    def of(cls, score: Score, rate: int) -> Performance:
        """Play `score`: pedal applied, and a key struck again lets go of what still sounded on it."""
        channels = tuple(Channel(score, i, rate) for i in range(len(score.tracks)))
        off = score.offset.astype(np.int64)
        program = np.zeros(len(score), np.int32)
        for i, channel in enumerate(channels):
            own = score.track == i
            off[own] = channel.pedalled(off[own], score.end)
            program[own] = channel.programs.at(score.onset[own])
        off = np.minimum(off, _next_same(score))
        start = np.round(score.seconds(score.onset) * rate).astype(np.int64)
        hold = np.round(score.seconds(off) * rate).astype(np.int64) - start
        return cls(score, rate, channels, start, np.maximum(hold, round(SHORTEST * rate)), program)


def _next_same(score: Score) -> npt.NDArray[np.int64]:
    """For each note the next onset, after its own, of the same pitch on the same track (int64[n])."""
    order = np.lexsort([score.onset, score.pitch, score.track])
    key = (score.track.astype(np.int64) * 128 + score.pitch)[order]
    onset = score.onset[order].astype(np.int64)
    fresh = np.append(True, (np.diff(key) != 0) | (np.diff(onset) != 0))[:len(order)]
    group = np.cumsum(fresh) - 1
    heads = np.flatnonzero(fresh)
    following = np.full(len(heads), np.iinfo(np.int64).max)
    if len(heads) > 1:
        following[:-1] = np.where(key[heads[1:]] == key[heads[:-1]], onset[heads[1:]], following[:-1])
    out = np.empty(len(order), np.int64)
    out[order] = following[group]
    return out
