"""A page with blanks on the grid: what stands, what is to be written, and where a new note may begin."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from partimento.events.page import Band, Bars, Bools, GridNotes, Ints, band_of, bars_of, on_grid
from partimento.request import Blanks, Request
from partimento.sampling import Legal
from partimento.score import Key, Score
from partimento.tokens.grid import to_steps, to_ticks

SLOT, KEPT = range(2)


class Waypoint(NamedTuple):
    """A note that the stream must pass: `kind` KEPT as it stands, or SLOT, of which only the pitch is to be chosen."""

    step: int
    track: int
    kind: int
    pitch: int
    end: int
    velocity: int
    source: int         # which note of the Score


class BlankPage:
    """A Score with blanks, read once for any number of candidates.

    `waypoints` are the notes to pass, in order; those from number `ahead` on are known ahead, the others are history,
    of which the last `window` notes are read. `content` is what stands in the blanks (for likelihood), `first` and
    `stop` the steps between which something is to be written. `keys` are those it is told [those of the Score].
    """

    def __init__(self, grid: int, around: Score, blanks: Blanks, request: Request | None, window: int,
                 ends: bool = True, keys: tuple[Key, ...] | None = None) -> None:
        self.grid, self.around, self.blanks, self.ends = grid, around, blanks, ends
        self.bars: Bars = bars_of(around if keys is None else around.replace(keys=keys), grid, ends=ends)
        self.band: Band = band_of(around.tracks)
        self.drums: list[bool] = self.band.drums.tolist()
        self.end = int(self.bars.starts[-1])
        self.ticks = np.minimum(to_ticks(np.arange(self.end + 1), around.ticks_per_quarter, grid), around.end)
        self.legal = Legal(around, request)
        self.targets = {} if request is None else dict(request.targets)
        rewritten = blanks.rewritten(around)
        slots = rewritten & ~blanks.inside(around, "all")
        self.count = int(rewritten.sum())
        self.open = self._open()
        kept, kept_index = on_grid(around.select(~rewritten), grid)
        self.kept = [kept.where(kept.track == i) for i in range(len(self.drums))]
        slot, slot_index = on_grid(around.select(slots), grid)
        content, _ = on_grid(around.select(rewritten & ~slots), grid)
        self.content = self._into_open(content)
        points = [Waypoint(*row) for notes, index, kind in (
            (kept, np.flatnonzero(~rewritten)[kept_index], KEPT), (slot, np.flatnonzero(slots)[slot_index], SLOT))
            for row in zip(notes.step.tolist(), notes.track.tolist(), [kind] * len(notes.step), notes.pitch.tolist(),
                           notes.end.tolist(), notes.velocity.tolist(), index.tolist(), strict=True)]
        points.sort()
        places: list[int] = slot.step.tolist()
        for track in self.open:
            places += np.flatnonzero(track)[:1].tolist() + np.flatnonzero(track)[-1:].tolist()
        self.first: int = min(places, default=self.end)
        self.stop: int = max(places, default=-1)
        before = sum(point.step < self.first for point in points)
        self.first_bar = int(self.bars.of(points[before - window].step)) if before > window else 0
        origin = int(self.bars.starts[self.first_bar])
        self.waypoints = [point for point in points if point.step >= origin]
        self.ahead = before - (len(points) - len(self.waypoints))
        self.room = [self._room(track) for track in range(len(self.drums))]

    def _open(self) -> list[Bools]:
        """bool[steps] of each track: where new notes may begin."""
        grid, tpq = self.grid, self.around.ticks_per_quarter
        ticks = self.ticks[:-1]
        own = to_steps(to_ticks(np.arange(self.end), tpq, grid), tpq, grid) == np.arange(self.end)
        out = [np.zeros(self.end, bool) for _ in self.drums]
        for region in self.blanks.regions:
            if region.open == "all":
                out[region.track] |= own & (ticks >= region.start) & (ticks < region.end)
        return out

    def _into_open(self, notes: GridNotes) -> GridNotes:
        """The notes to be weighed, each where it may begin: a step outside its blank goes to the nearest inside."""
        step = notes.step.copy()
        for track, places in enumerate(self.open):
            where, own = np.flatnonzero(places), notes.track == track
            if own.any() and len(where):
                step[own] = where[np.abs(where - step[own, None]).argmin(axis=1)]
        moved = notes._replace(step=step, end=np.maximum(notes.end, step + 1))
        order = moved.order()
        moved = moved.where(order)
        same = np.zeros(len(order), bool)
        same[1:] = ((np.diff(moved.step) == 0) & (np.diff(moved.track) == 0) & (np.diff(moved.pitch) == 0))
        return moved.where(~same)

    def _room(self, track: int) -> Ints:
        """int64[steps]: how many legal pitches no kept note sounds, at each open step (0 elsewhere)."""
        out = np.zeros(self.end, np.int64)
        steps = np.flatnonzero(self.open[track])
        if not len(steps):
            return out
        if self.legal.changes:
            out[steps] = [self.free(track, step).sum() for step in steps.tolist()]
            return out
        legal = self.legal.pitches(track, 0)
        kept = self.kept[track].where(legal[self.kept[track].pitch])
        change = np.zeros(self.end + 1, np.int64)
        np.add.at(change, np.minimum(kept.step, self.end), 1)
        np.add.at(change, np.minimum(np.maximum(kept.end, kept.step + 1), self.end), -1)
        return np.where(self.open[track], int(legal.sum()) - np.cumsum(change)[:-1], 0)

    def free(self, track: int, step: int) -> Bools:
        """bool[128]: what a new note of `track` at `step` may be, as far as kept notes go."""
        mask = self.legal.pitches(track, int(self.ticks[step])).copy()
        kept = self.kept[track]
        mask[kept.pitch[(kept.step <= step) & (np.maximum(kept.end, kept.step + 1) > step)]] = False
        return mask

    def gap(self, track: int, step: int, pitch: int) -> int:
        """How many steps a new note may last: to the next kept one of its pitch in its track, or to the end."""
        kept = self.kept[track]
        same = kept.step[(kept.pitch == pitch) & (kept.step > step)]
        return max(1, (int(same.min()) if len(same) else self.end) - step)
