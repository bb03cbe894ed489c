"""A REMI-like tokeniser for several tracks: bars, places in the bar, tracks, pitches, velocities, durations.

The idea is that of Y.-S. Huang and Y.-H. Yang, "Pop Music Transformer" (2020), widened to tracks and changing meters.
A piece is written so:

    Program per track, then per bar:
    Bar [Numerator Denominator] ( Position Tempo | Position ( Track ( Pitch Velocity Duration )* )* )*

Skip before a Position moves it on by the number of positions (bars longer than those). Cut at a Position ends the bar
there: a pick-up, a meter change in mid-bar, a piece that ends inside a bar. Numerator and Denominator stand where a
meter is said.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import RequestError
from partimento.score import MAX_BARS, MAX_TICK, Meter, Score, Tempo, Track
from partimento.tokens.grid import (
    IndexArray,
    changes,
    last_step,
    snap,
    snapped_steps,
    step_of,
    tick_of,
    to_steps,
    to_ticks,
)

TokenArray = npt.NDArray[np.int32]

PAD, START, STOP, BAR, CUT, SKIP = range(6)
_SINGLES = ("Pad", "Start", "Stop", "Bar", "Cut", "Skip")
DRUMS = 128                                     # the Program token of a drum kit
MAX_NUMERATOR, DENOMINATORS = 64, (1, 2, 4, 8, 16, 32, 64)
DEFAULT_TICKS = 480
MAX_STEP = np.iinfo(np.int64).max


@dataclasses.dataclass(frozen=True, kw_only=True)
class Remi:
    """The tokeniser's settings; `encode`, `decode` and `snap` follow from them alone.

    `steps_per_quarter` is the grid, `positions` how many places of a bar have a token of their own (96: two 4/4
    bars' worth of quarters at 12 steps), `velocities` and `tempos` how many bins each has, `tracks` the most tracks.

    >>> remi = Remi()
    >>> s = Score(onset=[0, 480], duration=[480, 960], pitch=[60, 64], velocity=[80, 80], track=[0, 0])
    >>> remi.decode(remi.encode(s)) == remi.snap(s)
    True
    >>> " ".join(remi.names[i] for i in remi.encode(s)[:9])
    'Program 0 Bar Numerator 4 Denominator 4 Position 0 Tempo 120 Position 0 Track 0 Pitch 60'
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
        spans = ((1, 4 * q, 1), (4 * q, 8 * q, max(1, q // 2)), (8 * q, 16 * q, q), (16 * q, 33 * q, 4 * q))
        return np.unique(np.concatenate([np.arange(*span, dtype=np.int64) for span in spans]))

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

    @cached_property
    def _first(self) -> dict[str, int]:
        return {kind: first for kind, (first, _) in self._blocks.items()}

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

    @cached_property
    def _duration_token(self) -> TokenArray:
        """Index of the longest duration token no longer than each number of steps, up to the longest there is."""
        steps = np.arange(int(self.duration_steps[-1]) + 1)
        return np.maximum(np.searchsorted(self.duration_steps, steps, side="right") - 1, 0).astype(np.int32)

    @cached_property
    def _velocity_token(self) -> TokenArray:
        """Index of the bin of each velocity 0–127."""
        edges = np.arange(self.velocities) * 127 // self.velocities + 1
        return np.maximum(np.searchsorted(edges, np.arange(128), side="right") - 1, 0).astype(np.int32)

    @cached_property
    def _tempo_edges(self) -> npt.NDArray[np.float64]:
        """Minus the microseconds at which one tempo bin ends and the next, faster, begins."""
        return -np.sqrt(self.tempo_values[1:].astype(np.float64) * self.tempo_values[:-1])

    # --- Score to ids ------------------------------------------------------------------------------------------

    def snap(self, score: Score) -> Score:
        """Return what the tokens keep of a Score: notes on the grid, binned, in a frame of meters, tempos and programs.

        Notes go as in `grid.snap`, durations down to the nearest that has a token, velocities and tempos to their
        bins; partial bars get a whole number of steps. Names, kinds of drum kit, keys, chords, marks, words and
        controllers are not kept. ``decode(encode(s), s.ticks_per_quarter) == snap(s)``.
        """
        parts = self._parts(score)
        tpq = score.ticks_per_quarter
        onset = self._ticks(parts.step, tpq)
        stop = self._ticks(parts.step + self.duration_steps[parts.duration], tpq)
        return Score(
            _int32(onset), _int32(np.maximum(stop - onset, 1)), parts.pitch,
            _int32(self.velocity_values[parts.velocity]), parts.track,
            ticks_per_quarter=tpq, end=parts.frame.end, meters=parts.frame.meters,
            tempos=tuple(Tempo(tick, us) for tick, us in zip(
                self._ticks(parts.tempo_step, tpq).tolist(), self.tempo_values[parts.tempo].tolist(), strict=True)),
            tracks=tuple(Track("", 0 if t.is_drum else t.program, t.is_drum) for t in score.tracks))

    def _ticks(self, steps: npt.ArrayLike, ticks_per_quarter: int) -> IndexArray:
        return to_ticks(steps, ticks_per_quarter, self.steps_per_quarter)

    def _steps(self, ticks: npt.ArrayLike, ticks_per_quarter: int) -> IndexArray:
        return to_steps(ticks, ticks_per_quarter, self.steps_per_quarter)

    def _parts(self, score: Score) -> _Parts:
        """The notes and tempos of a Score as steps and token indices, in the order in which they are written."""
        if len(score.tracks) > self.tracks:
            raise RequestError(f"a Score to tokenise must have at most {self.tracks} tracks; got {len(score.tracks)}: "
                               "merge tracks, or build the tokeniser with more")
        frame = self._frame(score)
        notes, step, stop = snapped_steps(score, self.steps_per_quarter, frame.end)
        longest = len(self._duration_token) - 1
        duration = self._duration_token[np.minimum(stop - step, longest)]
        tempo_step, tempo = self._tempos(score, frame)
        return _Parts(frame, step, score.track[notes], score.pitch[notes], self._velocity_token[score.velocity[notes]],
                      duration, tempo_step, tempo)

    def _tempos(self, score: Score, frame: _Frame) -> tuple[IndexArray, IndexArray]:
        """Steps and bins of the tempos inside the piece: the last said at each step, where it changes."""
        if not frame.end:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        token = self._tempo_edges.searchsorted([-t.us_per_quarter for t in score.tempos])
        if len(token) == 1:
            return np.zeros(1, np.int64), token
        final = max(0, last_step(frame.end, score.ticks_per_quarter, self.steps_per_quarter) - 1)
        step = np.minimum(self._steps([t.tick for t in score.tempos], score.ticks_per_quarter), final)
        last_said = len(step) - 1 - changes(step[::-1])[::-1]
        new = last_said[changes(token[last_said])]
        return step[new], token[new]

    def _frame(self, score: Score) -> _Frame:
        """Meters, bar starts and end as the tokens can say them: partial bars get a whole number of steps."""
        tpq, tick, bar = score.ticks_per_quarter, 0, 0
        end = score.end or min(1, len(score))
        meters: list[Meter] = []
        starts: list[IndexArray] = []
        said, cuts = [], []
        for i, meter in enumerate(score.meters):
            stop = min(end, score.meters[i + 1].tick) if i + 1 < len(score.meters) else end
            if stop <= meter.tick:
                break
            denominator = meter.denominator if meter.denominator in DENOMINATORS else min(
                DENOMINATORS, key=lambda d: (abs(d - meter.denominator), d))
            number = _Number(min(max(meter.numerator, 1), MAX_NUMERATOR), denominator)
            count, cut = self._bars(number, stop - meter.tick, tpq)
            meters.append(Meter(tick, *number))
            said.append(bar)
            starts.append(tick + number.ticks(np.arange(count + (cut > 0)), tpq))
            bar += len(starts[-1])
            tick += number.tick(count, tpq)
            if cut:
                tick += max(1, tick_of(cut, tpq, self.steps_per_quarter))
                cuts.append((bar, cut))
        all_starts = starts[0] if len(starts) == 1 else np.concatenate([*starts, np.zeros(0, np.int64)])
        return _Frame(tuple(meters), tick, all_starts, np.array(said, np.intp),
                      np.array(cuts, np.int64).reshape(-1, 2))

    def _bars(self, number: _Number, length: int, tpq: int) -> tuple[int, int]:
        """How many whole bars lie in `length` ticks, and of how many steps the partial bar after them is (0: none)."""
        count = length * number.denominator // max(number.numerator * 4 * tpq, number.denominator)
        while number.tick(count + 1, tpq) <= length:
            count += 1
        rest = length - number.tick(count, tpq)
        if rest <= 0:
            return count, 0
        cut = max(1, step_of(rest, tpq, self.steps_per_quarter))
        whole = number.tick(count + 1, tpq) - number.tick(count, tpq)
        return (count + 1, 0) if max(1, tick_of(cut, tpq, self.steps_per_quarter)) >= whole else (count, cut)

    def encode(self, score: Score) -> TokenArray:
        """Return the ids of a Score, int32[length]; RequestError where it has more tracks than the tokeniser.

        >>> len(Remi().encode(Score(onset=[0], duration=[1920], pitch=[60], velocity=[80], track=[0])))
        11
        """
        parts, base = self._parts(score), self._first
        frame, step, n = parts.frame, parts.step, len(parts.step)
        programs = [base["Program"] + (DRUMS if t.is_drum else t.program) for t in score.tracks]
        bar_step = self._steps(frame.starts, score.ticks_per_quarter)
        new_step, new_track = changes(step), changes(step * len(programs) + parts.track)
        bar_before = np.concatenate([step.searchsorted(bar_step), [n]])
        bar_of = bar_step.repeat(bar_before[1:] - bar_before[:-1])
        skips, position = self._position(step[new_step] - bar_of[new_step])
        tempo_bar = bar_step[bar_step.searchsorted(parts.tempo_step, side="right") - 1]
        tempo_skips, tempo_position = self._position(parts.tempo_step - tempo_bar)
        note_length = np.full(n, 3)
        note_length[new_track] = 4
        note_length[new_step] = skips + 5
        # Between the notes stand bars, each after the Cut of the one before (the last Cut alone), and tempos.
        bar_length = np.ones(len(bar_step) + 1, np.int64)
        bar_length[frame.said] = 3
        bar_length[-1] = 0
        cut_bar, cut = frame.cuts.T
        item_step = np.concatenate([bar_step, [MAX_STEP], parts.tempo_step])
        item_length = np.concatenate([bar_length, tempo_skips + 2])
        cut_skips, cut_position = self._position(cut)
        item_length[cut_bar] += cut_skips + 2
        order = item_step.argsort(kind="stable")
        item_length = item_length[order]
        before = np.concatenate([bar_before, step.searchsorted(parts.tempo_step)])[order]
        notes_before = np.zeros(n + 1, np.int64)
        note_length.cumsum(out=notes_before[1:])
        item_end = np.empty(len(order), np.int64)
        item_length[0] += len(programs)
        between = item_length.cumsum()
        item_end[order] = notes_before[before] + between
        note_end = notes_before[1:] + between[:-1].repeat(before[1:] - before[:-1])
        bar_end, tempo_end = item_end[:len(bar_length)], item_end[len(bar_length):]
        out = np.full(bar_end[-1], SKIP, np.int32)
        out[:len(programs)] = programs
        bar_end -= bar_length
        out[bar_end[cut_bar] - 2] = base["Position"] + cut_position
        out[bar_end[cut_bar] - 1] = CUT
        out[bar_end[:-1]] = BAR
        out[bar_end[frame.said] + 1] = [base["Numerator"] + m.numerator - 1 for m in frame.meters]
        out[bar_end[frame.said] + 2] = [base["Denominator"] + DENOMINATORS.index(m.denominator) for m in frame.meters]
        out[tempo_end - 2] = base["Position"] + tempo_position
        out[tempo_end - 1] = base["Tempo"] + parts.tempo
        out[note_end[new_step] - 5] = base["Position"] + position
        out[note_end[new_track] - 4] = base["Track"] + parts.track[new_track]
        note_end -= 3
        out[note_end] = base["Pitch"] + parts.pitch
        out[1:][note_end] = base["Velocity"] + parts.velocity
        out[2:][note_end] = base["Duration"] + parts.duration
        return out

    def _position(self, place: IndexArray) -> tuple[IndexArray, IndexArray]:
        """How many Skips and which Position say each place in a bar."""
        skips = place // self.positions
        return skips, place - skips * self.positions

    # --- ids to Score ------------------------------------------------------------------------------------------

    def decode(self, ids: npt.ArrayLike, ticks_per_quarter: int = DEFAULT_TICKS) -> Score:
        """Return the Score that ids say, at `ticks_per_quarter`; any whole numbers give a legal one.

        What is out of place is passed over or gets what was last said: ids that do not exist, what follows Stop, a
        Velocity or Duration without a Pitch. Notes end with the piece and where the next of their pitch begins.

        >>> Remi().decode([7, 7, -3, 10**9, BAR, 400, 300]).end
        1920
        """
        every = np.asarray(ids, np.int64).reshape(-1)
        every = every[(every >= 0) & (every < self.size)]
        if (every == STOP).any():
            every = every[:int((every == STOP).argmax())]
        said = _Said(every, self._blocks)
        programs = said.value["Program"][:self.tracks].tolist()
        tracks = tuple(Track("", 0 if p == DRUMS else p, p == DRUMS) for p in programs)
        bar_of = np.maximum(np.cumsum(every == BAR) - 1, 0)
        notes, tempo_at = said.at["Pitch"], said.at["Tempo"]
        n_bars = max(int((every == BAR).sum()), int(len(notes) > 0 or len(tempo_at) > 0))
        if not n_bars:
            return Score(ticks_per_quarter=ticks_per_quarter, tracks=tracks)
        place = self._places(every, said)
        meters, starts = self._decoded_frame(every, said, bar_of, place, n_bars, ticks_per_quarter)
        end, n_bars = int(starts[-1]), len(starts) - 1
        bar_step = self._steps(starts[:-1], ticks_per_quarter)
        final = last_step(end, ticks_per_quarter, self.steps_per_quarter)
        room = np.maximum(np.append(bar_step[1:], final) - bar_step, 1) - 1
        notes, tempo_at = notes[bar_of[notes] < n_bars], tempo_at[bar_of[tempo_at] < n_bars]
        step_of = {kind: bar_step[bar_of[at]] + np.minimum(place[at], room[bar_of[at]])
                   for kind, at in (("note", notes), ("tempo", tempo_at))}
        track = np.clip(said.last("Track", notes, 0), 0, max(0, len(tracks) - 1))
        velocity = said.last("Velocity", np.where(said.after("Velocity", notes, 1), notes + 1, notes), -1)
        default = int(self._velocity_token[80])
        late = said.after("Velocity", notes, 1) & said.after("Duration", notes, 2)
        soon = said.after("Duration", notes, 1)
        duration = np.full(len(notes), int(self._duration_token[self.steps_per_quarter]))
        duration[late] = said.which[notes[late] + 2]
        duration[soon] = said.which[notes[soon] + 1]
        onset = self._ticks(step_of["note"], ticks_per_quarter)
        onset = np.minimum(onset, end - 1)
        stop = self._ticks(step_of["note"] + self.duration_steps[duration], ticks_per_quarter)
        stop = np.clip(stop, onset + 1, end)
        velocity = self.velocity_values[np.where(velocity < 0, default, velocity)]
        score = Score(
            _int32(onset), _int32(stop - onset), _int32(said.which[notes]), _int32(velocity), _int32(track),
            ticks_per_quarter=ticks_per_quarter, end=end, meters=meters, tracks=tracks,
            tempos=tuple(Tempo(tick, us) for tick, us in zip(
                self._ticks(step_of["tempo"], ticks_per_quarter).tolist(),
                self.tempo_values[said.which[tempo_at]].tolist(), strict=True)))
        return snap(score, self.steps_per_quarter)

    def _places(self, every: IndexArray, said: _Said) -> IndexArray:
        """The place in its bar, in steps, that rules at each id."""
        marks = np.flatnonzero((every == BAR) | (said.kind == said.kinds.index("Position")))
        skipped = np.cumsum(every == SKIP)
        value = np.where(every[marks] == BAR, 0, said.which[marks])
        value = value + np.where(every[marks] == BAR, 0, np.diff(skipped[marks], prepend=0)) * self.positions
        index = np.searchsorted(marks, np.arange(len(every)), side="right") - 1
        return np.where(index >= 0, value[np.maximum(index, 0)] if len(marks) else 0, 0)

    def _decoded_frame(self, every: IndexArray, said: _Said, bar_of: IndexArray, place: IndexArray, n_bars: int,
                       tpq: int) -> tuple[tuple[Meter, ...], IndexArray]:
        """Meters, and the start tick of every bar with the end of the last."""
        ends = np.searchsorted(bar_of, np.arange(n_bars), side="right") - 1      # the last id of each bar
        numerator = said.last("Numerator", ends, 3) + 1
        denominator = np.array(DENOMINATORS, np.int64)[said.last("Denominator", ends, 2)]
        new = np.zeros(n_bars, bool)
        new[0] = True
        for kind in ("Numerator", "Denominator"):
            new[bar_of[said.at[kind]]] = True
        cut = np.zeros(n_bars, np.int64)
        cut_at = np.flatnonzero((every == CUT) & (place > 0))
        cut[bar_of[cut_at]] = place[cut_at]
        new[1:] |= cut[:-1] > 0
        first = np.maximum.accumulate(np.where(new, np.arange(n_bars), 0))
        k = np.arange(n_bars) - first
        whole = np.maximum(numerator * 4 * tpq, denominator)
        length = (k + 1) * whole // denominator - k * whole // denominator
        shorter = np.maximum(1, self._ticks(cut, tpq))
        length = np.where((cut > 0) & (shorter < length), shorter, length)
        starts = np.concatenate([[0], np.cumsum(length)])
        starts = starts[:min(int(np.searchsorted(starts, MAX_TICK, side="right")), MAX_BARS + 1)]
        rows = np.flatnonzero(new[:len(starts) - 1])
        return tuple(Meter(*row) for row in np.stack(
            [starts[rows], numerator[rows], denominator[rows]], 1).tolist()), starts


class _Number(NamedTuple):
    """A meter without its place."""

    numerator: int
    denominator: int

    def tick(self, bar: int, tpq: int) -> int:
        """The tick at which bar number `bar` (from 0) begins; a bar is at least a tick long."""
        return bar * max(self.numerator * 4 * tpq, self.denominator) // self.denominator

    def ticks(self, bars: IndexArray, tpq: int) -> IndexArray:
        """The tick at which each bar begins."""
        return bars * max(self.numerator * 4 * tpq, self.denominator) // self.denominator


class _Frame(NamedTuple):
    """Meters and end in ticks; start tick of each bar, the bars where a meter is said, (bar after, steps) of cuts."""

    meters: tuple[Meter, ...]
    end: int
    starts: IndexArray
    said: npt.NDArray[np.intp]
    cuts: IndexArray


class _Parts(NamedTuple):
    """Notes (by step, track, pitch) and tempos as steps and token indices."""

    frame: _Frame
    step: IndexArray
    track: npt.NDArray[Any]
    pitch: npt.NDArray[Any]
    velocity: TokenArray
    duration: TokenArray
    tempo_step: IndexArray
    tempo: IndexArray


def _int32(column: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    return column.astype(np.int32)


class _Said:
    """Ids taken apart: of which kind each is, and which of its kind."""

    def __init__(self, ids: IndexArray, blocks: dict[str, tuple[int, int]]) -> None:
        self.kinds = list(blocks)
        firsts = np.array([first for first, _ in blocks.values()])
        self.kind = np.searchsorted(firsts, ids, side="right") - 1
        self.which = np.where(self.kind >= 0, ids - firsts[np.maximum(self.kind, 0)], ids)
        self.at = {kind: np.flatnonzero(self.kind == i) for i, kind in enumerate(self.kinds)}
        self.value = {kind: self.which[at] for kind, at in self.at.items()}

    def last(self, kind: str, where: npt.NDArray[Any], default: int) -> IndexArray:
        """The last value of a kind said up to each index of `where`."""
        if not len(self.at[kind]):
            return np.full(len(where), default, np.int64)
        index = np.searchsorted(self.at[kind], where, side="right") - 1
        return np.where(index >= 0, self.value[kind][np.maximum(index, 0)], default)

    def after(self, kind: str, where: npt.NDArray[Any], by: int) -> npt.NDArray[np.bool_]:
        """Whether the id `by` places after each index of `where` is of a kind."""
        index = where + by
        inside = index < len(self.kind)
        return np.asarray(inside & (self.kind[np.where(inside, index, 0)] == self.kinds.index(kind)))
