"""The random family: honest random notes that know nothing of music and still obey every fact.

Every grid step of every blank track is a chance for each legal pitch, and every length is a chance too. Before it
begins, each track draws a *mood* (how dense, how high, how long), so that among several candidates some come near
a wish. The likelihood is exact: the mixture over the moods. It is the baseline that every other family must beat.
"""

from __future__ import annotations

import dataclasses
import itertools
from bisect import bisect_right
from collections.abc import Sequence
from math import comb, log
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import ModelError
from partimento.models.base import Information, LogProb, Model, Rng, entropy_of
from partimento.request import Blanks, Region, Request
from partimento.sampling import Legal, draw
from partimento.score import BoolArray, IntArray, Score
from partimento.tokens.grid import snap, snapped_steps, to_steps, to_ticks

FloatArray = npt.NDArray[np.float64]
STRAY = 0.02  # the weight of a step off the sixteenths and of a pitch outside the mood's register


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomConfig:
    """`grid` steps a quarter; the moods a track draws from: notes a quarter, share of the range, length in steps."""

    grid: int = 12
    densities: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
    registers: tuple[tuple[float, float], ...] = ((0.0, 1.0), (0.0, 0.4), (0.3, 0.7), (0.6, 1.0))
    lengths: tuple[float, ...] = (3.0, 6.0, 12.0, 24.0)

    def __post_init__(self) -> None:
        for name in ("densities", "registers", "lengths"):  # JSON gives lists
            object.__setattr__(self, name, tuple(tuple(v) if isinstance(v, list) else v for v in getattr(self, name)))
        if not 1 <= self.grid <= 96:
            raise ModelError(f"grid must lie in 1..96 steps a quarter; got {self.grid}")
        if not (self.densities and self.registers and self.lengths):
            raise ModelError("the random family needs at least one density, one register and one length")
        if min(self.densities) <= 0 or min(self.lengths) < 1:
            raise ModelError("densities must be above 0 and lengths at least 1 step")


class Mood(NamedTuple):
    """How one track behaves: notes a quarter, a share of its range, mean length in steps."""

    density: float
    register: tuple[float, float]
    length: float


class Cells(NamedTuple):
    """The free cells of one region on the grid: `steps` (int[T]), `ticks` (int[T]), `free` (bool[T, 128])."""

    steps: npt.NDArray[np.int64]
    ticks: npt.NDArray[np.int64]
    free: BoolArray


class _Rows(NamedTuple):
    """Notes of one track by step and pitch: which of the Score, the cell's step, the pitch, the length in steps."""

    note: npt.NDArray[np.intp]
    step: npt.NDArray[np.int64]
    pitch: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]


class Random(Model):
    """Random notes inside the facts, with an exact likelihood.

    >>> from partimento.sampling import generator
    >>> from partimento.score import Track
    >>> frame = Score(end=1920, tracks=(Track("piano"),))
    >>> Random().fill(frame, Blanks.everything(frame), Request(), [generator(1)])[0] == \\
    ... Random().fill(frame, Blanks.everything(frame), Request(), [generator(1)])[0]
    True
    """

    Config: ClassVar[type] = RandomConfig
    family: ClassVar[str] = "random"
    has_likelihood: ClassVar[bool] = True
    config: RandomConfig

    def fill(self, around: Score, blanks: Blanks, request: Request, rngs: Sequence[Rng]) -> list[Score]:
        """One candidate a generator; see the contract."""
        legal = Legal(around, request)
        regions = [(r, self._cells(around, r, legal)) for r in blanks.regions if r.open == "all"]
        rewritten = np.flatnonzero(blanks.rewritten(around))
        return [self._one(around, regions, rewritten, legal, rng) for rng in rngs]

    def log_prob(self, score: Score, blanks: Blanks | None = None, request: Request | None = None) -> LogProb:
        """Exact log-probability of what stands in the blanks; see the contract."""
        blanks = Blanks.everything(score) if blanks is None else blanks
        legal = Legal(score, request)
        rewritten = blanks.rewritten(score)
        new = rewritten & blanks.inside(score, "all")
        kept = score.select(~new)
        written = snap(score.select(new), self.config.grid)
        total = 0.0
        for track in blanks.tracks():
            regions = [(r, self._cells(kept, r, legal)) for r in blanks.regions
                       if r.track == track and r.open == "all"]
            if regions:
                own = written.select(written.track == track)
                scores = sum(self._region_scores(kept, own, r, cells, legal) for r, cells in regions)
                total += float(np.logaddexp.reduce(scores)) - log(len(self._moods()))
        settled = ~(rewritten & ~new)
        for chord in self._chords(score, np.flatnonzero(~settled)):
            free = self._chord_pitches(score, score.pitch, chord, settled, legal)
            settled[chord] = True
            if not free[score.pitch[chord]].all():
                total = -np.inf
            total -= log(comb(int(free.sum()), len(chord)) or 1)
        return LogProb(total, int(rewritten.sum()))

    def information(self, score: Score, request: Request | None = None) -> Information:
        """What every note tells, step by step: whether one begins, the lowest first; which; how long; see the contract.
        """
        legal, blanks = Legal(score, request), Blanks.everything(score)
        frame = score.without_notes()
        content = {stage: np.full(len(score), np.nan) for stage in ("rhythm", "pitch", "duration")}
        kept, step, end = snapped_steps(score, self.config.grid)
        for own in content.values():
            own[kept] = 0.0
        entropy = {stage: own.copy() for stage, own in content.items()}
        ends = np.zeros(2)
        for region in blanks.regions:
            cells = self._cells(frame, region, legal)
            mine = score.track[kept] == region.track
            tick = to_ticks(step[mine], score.ticks_per_quarter, self.config.grid)
            there = np.abs(cells.ticks[None, :] - tick[:, None]).argmin(axis=1)
            order = np.lexsort((score.pitch[kept[mine]], there))
            rows = _Rows(kept[mine][order], there[order], score.pitch[kept[mine]][order].astype(np.int64),
                         (end - step)[mine][order])
            ends += self._onset_information(frame, region, cells, legal, rows, content, entropy)
            self._length_information(score, rows, tick[order], content["duration"], entropy["duration"])
        return Information.from_nats(content, entropy, {"rhythm": (float(ends[0]), float(ends[1]))})

    def _onset_information(self, frame: Score, region: Region, cells: Cells, legal: Legal, rows: _Rows,
                           content: dict[str, FloatArray], entropy: dict[str, FloatArray]) -> FloatArray:
        """Add what the onsets and pitches of one track tell; what is told after the last of them comes back."""
        moods = [Mood(d, r, 1.0) for d, r in itertools.product(self.config.densities, self.config.registers)]
        chances = [self._chances(region, cells, legal, mood) for mood in moods]
        silent = np.stack([np.log1p(-own).sum(axis=1) for own in chances])          # [moods, steps]
        before = np.concatenate([np.zeros((len(moods), 1)), np.cumsum(silent, axis=1)], axis=1)
        weight, at, floor = np.full(len(moods), -log(len(moods))), 0, 0
        pending = np.zeros(2)
        for note, step, pitch in zip(*(column.tolist() for column in rows[:3]), strict=True):
            if step > at or not floor:
                pending += self._silence(weight, before, chances, at, step, floor)
                weight = weight + before[:, step] - before[:, at]
                if floor:
                    weight = weight - silent[:, at] + [np.log1p(-own[at, floor:]).sum() for own in chances]
                at, floor = step, 0
            begins = np.stack([own[step, floor:] * np.exp(np.append(0, np.cumsum(np.log1p(-own[step, floor:]))[:-1]))
                               for own in chances])
            weight = weight - np.logaddexp.reduce(weight)
            which = np.exp(weight) @ begins
            some = float(which.sum())
            pending += -log(some), float(entropy_of(np.array([some, 1 - some])))
            content["rhythm"][note], entropy["rhythm"][note] = pending
            content["pitch"][note] = -log(which[pitch - floor] / some)
            entropy["pitch"][note] = float(entropy_of(which / some))
            weight, floor = weight + np.log(begins[:, pitch - floor]), pitch + 1
            pending = np.zeros(2)
        return pending + self._silence(weight, before, chances, at, len(cells.ticks), floor)

    @staticmethod
    def _silence(weight: FloatArray, before: FloatArray, chances: list[FloatArray], at: int, stop: int,
                 floor: int) -> FloatArray:
        """Content and entropy of no note from step `at` (there above `floor`) to before `stop`, step by step."""
        if stop <= at:
            return np.zeros(2)
        gone = before[:, at + 1:stop + 1] - before[:, at:at + 1]
        if floor:
            rest = np.array([np.log1p(-own[at, floor:]).sum() for own in chances])
            gone = gone + (rest - gone[:, 0])[:, None]
        logs = np.logaddexp.reduce(weight[:, None] + np.concatenate([np.zeros((len(weight), 1)), gone], axis=1), axis=0)
        none = np.minimum(np.exp(np.diff(logs)), 1.0)
        return np.array([logs[0] - logs[-1], entropy_of(np.stack([none, 1 - none], axis=1)).sum()])

    def _length_information(self, score: Score, rows: _Rows, tick: npt.NDArray[np.int64], content: FloatArray,
                            entropy: FloatArray) -> None:
        """Add what the lengths of the notes of one track tell, in the order of their onsets."""
        fall = 1 - 1 / (np.array(self.config.lengths) + 1)
        weight = np.zeros(len(fall))
        frame = score.without_notes()
        by_pitch: dict[int, list[int]] = {}
        for when, pitch in zip(tick.tolist(), rows.pitch.tolist(), strict=True):
            by_pitch.setdefault(pitch, []).append(when)
        for note, pitch, length, when in zip(rows.note.tolist(), rows.pitch.tolist(), rows.length.tolist(),
                                             tick.tolist(), strict=True):
            same = by_pitch[pitch]
            gap = self._gap(frame, 0, when, pitch, same[bisect_right(same, when):][:1])
            steps = np.arange(gap)
            own = fall[:, None] ** steps * ((1 - fall) / (1 - fall ** gap))[:, None]
            weight = weight - np.logaddexp.reduce(weight)
            mixed = np.exp(weight) @ own
            taken = min(max(length, 1), gap) - 1
            content[note], entropy[note] = -log(mixed[taken]), float(entropy_of(mixed))
            weight = weight + np.log(own[:, taken])

    # --- notes in free cells ---------------------------------------------------------------------------------

    def _moods(self) -> list[Mood]:
        return [Mood(*m) for m in itertools.product(self.config.densities, self.config.registers, self.config.lengths)]

    def _cells(self, around: Score, region: Region, legal: Legal) -> Cells:
        """Where a new note may begin: on the grid, legal, and not where a kept note of that pitch sounds."""
        grid, tpq = self.config.grid, around.ticks_per_quarter
        low, high = (int(to_steps(np.array([t]), tpq, grid)[0]) for t in (region.start, region.end))
        steps = np.arange(low, high + 1)
        ticks = np.asarray(to_ticks(steps, tpq, grid), np.int64)
        inside = (ticks >= region.start) & (ticks < region.end)
        steps, ticks = steps[inside], ticks[inside]
        free = np.zeros((len(ticks), 128), bool)
        for row, tick in zip(free, ticks.tolist(), strict=True):
            row[:] = legal.pitches(region.track, tick)
        near = (around.track == region.track) & (around.onset < region.end) & (around.offset >= region.start)
        for i in np.flatnonzero(near):
            sounding = (ticks >= around.onset[i]) & (ticks < max(around.offset[i], around.onset[i] + 1))
            free[sounding, around.pitch[i]] = False
        return Cells(steps, ticks, free)

    def _chances(self, region: Region, cells: Cells, legal: Legal, mood: Mood) -> FloatArray:
        """float[T, 128]: the chance of a new note in each free cell."""
        grid = self.config.grid
        on_sixteenth = (cells.steps * 4) % grid == 0 if grid % 4 == 0 else np.ones(len(cells.steps), bool)
        rhythm = np.where(on_sixteenth, 1.0, STRAY)
        rhythm *= mood.density / (rhythm[: grid].sum() if len(rhythm) >= grid else max(rhythm.sum(), 1.0))
        low, high = legal.ranges[region.track]
        place = (np.arange(128) - low) / max(high - low, 1)
        pitch = np.where((place >= mood.register[0]) & (place <= mood.register[1]), 1.0, STRAY) * cells.free
        share = pitch / np.maximum(pitch.sum(axis=1, keepdims=True), 1e-300)
        return np.asarray(np.minimum(rhythm[:, None] * share, 0.98))

    def _one(self, around: Score, regions: list[tuple[Region, Cells]], rewritten: npt.NDArray[np.intp], legal: Legal,
             rng: Rng) -> Score:
        moods = self._moods()
        rows: list[tuple[int, int, int, int, int]] = []
        for track in sorted({region.track for region, _ in regions}):
            mood = moods[draw(np.ones(len(moods)), rng.random())]
            found = [(int(cells.ticks[t]), int(p)) for region, cells in regions if region.track == track
                     for t, p in np.argwhere(rng.random(cells.free.shape)
                                             < self._chances(region, cells, legal, mood))]
            ahead: dict[int, list[int]] = {}
            for tick, pitch in sorted(found):
                ahead.setdefault(pitch, []).append(tick)
            for tick, pitch in found:
                same = ahead[pitch]
                gap = self._gap(around, track, tick, pitch, same[bisect_right(same, tick):][:1])
                length = 1 + draw(self._length_weights(gap, mood), rng.random())
                velocity = 40 + int(rng.random() * 70)
                rows.append((tick, self._ticks(tick, length, around), pitch, velocity, track))
        settled, pitches = ~np.isin(np.arange(len(around)), rewritten), around.pitch.copy()
        for chord in self._chords(around, rewritten):
            free = np.flatnonzero(self._chord_pitches(around, pitches, chord, settled, legal))
            keys = rng.random(len(free))
            taken = np.sort(free[np.argsort(keys, kind="stable")[: len(chord)]])
            pitches[chord[: len(taken)]], settled[chord] = taken, True
            for note, pitch in zip(chord, taken, strict=False):
                rows.append((int(around.onset[note]), int(around.duration[note]), int(pitch),
                             int(around.velocity[note]), int(around.track[note])))
        return around.with_rows(rows)

    def _region_scores(self, kept: Score, own: Score, region: Region, cells: Cells, legal: Legal) -> FloatArray:
        """float[moods]: the log-probability of the notes that stand in one region, under every mood."""
        mine = own.select((own.onset >= region.start) & (own.onset < region.end))
        there = np.zeros(cells.free.shape, bool)
        there[np.abs(cells.ticks[None, :] - mine.onset[:, None]).argmin(axis=1), mine.pitch] = True
        begin, end = (to_steps(ticks, kept.ticks_per_quarter, self.config.grid) for ticks in (mine.onset, mine.offset))
        gaps = np.array([self._gap(kept, region.track, int(tick), int(pitch), self._later(own, int(tick), int(pitch)))
                         for tick, pitch in zip(mine.onset, mine.pitch, strict=True)], np.int64)
        taken = np.clip(end - begin, 1, gaps)
        scores = []
        known: dict[object, float] = {}
        for mood in self._moods():
            onsets, length = mood[:2], mood.length
            if onsets not in known:
                chances = self._chances(region, cells, legal, mood)
                with np.errstate(divide="ignore"):
                    known[onsets] = float(np.log(np.where(there, chances, 1 - chances)).sum())
            if length not in known:  # a geometric fall cut at the gap: its closed form
                fall = 1 - 1 / (length + 1)
                known[length] = float(np.sum((taken - 1) * log(fall) + log(1 - fall) - np.log1p(-(fall ** gaps))))
            scores.append(known[onsets] + known[length])
        return np.array(scores)

    @staticmethod
    def _later(own: Score, tick: int, pitch: int) -> list[int]:
        return [int(later) for later in own.onset[(own.pitch == pitch) & (own.onset > tick)][:1]]

    def _gap(self, around: Score, track: int, tick: int, pitch: int, later: list[int]) -> int:
        """How many steps a note may last: to the next note of its pitch in its track, or to the end of the piece."""
        same = (around.track == track) & (around.pitch == pitch) & (around.onset > tick)
        stop = min([around.end, *later, *around.onset[same].tolist()])
        at, end = to_steps(np.array([tick, stop]), around.ticks_per_quarter, self.config.grid)
        return max(int(end - at), 1)

    @staticmethod
    def _length_weights(gap: int, mood: Mood) -> FloatArray:
        """A geometric fall with the mood's mean, over 1..gap steps."""
        return np.asarray((1 - 1 / (mood.length + 1)) ** np.arange(gap))

    def _ticks(self, tick: int, length: int, around: Score) -> int:
        tpq, grid = around.ticks_per_quarter, self.config.grid
        step = int(to_steps(np.array([tick]), tpq, grid)[0])
        return max(1, int(to_ticks(np.array([step + length]), tpq, grid)[0]) - tick)

    # --- other pitches for given notes -----------------------------------------------------------------------

    @staticmethod
    def _chords(score: Score, notes: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
        """The notes grouped by track and onset, in the order of their pitch."""
        groups: dict[tuple[int, int], list[int]] = {}
        for i in notes:
            groups.setdefault((int(score.track[i]), int(score.onset[i])), []).append(int(i))
        return [np.array(group, np.intp) for group in groups.values()]

    @staticmethod
    def _chord_pitches(score: Score, pitches: IntArray, chord: npt.NDArray[np.intp], settled: BoolArray,
                       legal: Legal) -> BoolArray:
        """bool[128]: what the notes of one chord may become (distinct pitches, none that a settled note sounds)."""
        track, tick = int(score.track[chord[0]]), int(score.onset[chord[0]])
        free = legal.pitches(track, tick).copy()
        end = max(int(score.offset[chord].max()), tick + 1)
        sounding = settled & (score.track == track) & (score.onset < end) & (
            np.maximum(score.offset, score.onset + 1) > tick)
        free[pitches[sounding]] = False
        if free.sum() < len(chord):
            low, high = legal.ranges[track]
            free[low:high + 1] = True
        return free
