"""A stream of events one at a time: what may come next, and what a network is told before it says which.

The walk goes from one event to the next through all that is kept. Wherever more than one thing may come it asks its
pen; a pen draws, or takes what is given and weighs it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from partimento.events.blank import KEPT, SLOT, BlankPage, Waypoint
from partimento.events.fields import (
    BAR,
    BEGIN,
    BITS,
    DURATIONS,
    INDEX,
    LOUDNESSES,
    MAX_MOVE,
    MIDDLE,
    NO_PITCH,
    NONE,
    NOTE,
    PITCHES,
    PLACES,
    SEES,
    SKIP,
    SOON,
    TRACK_INDEX,
)
from partimento.events.page import NO_TIME, Bools, Ints, duration_class, lengths_of, time_class

_TIME: list[int] = time_class(np.arange(400)).tolist()
_LENGTH: list[int] = duration_class(np.arange(1, 400)).tolist()
_BITS = {field.name for field in BITS}


def _rows_of(stage: str) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Where each field that a stage sees begins in its table: index fields, and bits fields."""
    sizes = {field.name: field.size for field in (*INDEX, *BITS)}
    index: list[tuple[str, int]] = []
    bits: list[tuple[str, int]] = []
    at = 0
    for name in SEES[stage]:
        (bits if name in _BITS else index).append((name, at))
        at += sizes[name]
    return index, bits


_ROWS = {stage: _rows_of(stage) for stage in SEES}
_KEY_OFFSETS = np.cumsum([0, *(field.size for field in TRACK_INDEX)])[:-1].tolist()


class New(NamedTuple):
    """A note written: in steps, but for a slot (`source` ≥ 0), which keeps the times of its note in the Score."""

    step: int
    length: int
    pitch: int
    velocity: int
    track: int
    source: int = -1


class StreamPen(Protocol):
    """What a walk asks."""

    def push(self, walk: Walk) -> None:
        """An event is complete: ``walk.rows("input")`` tells it."""

    def choose(self, walk: Walk, stage: str, options: Ints) -> int:
        """One of two and more options of a stage, in rising order."""

    def length(self, walk: Walk, kind: int, lengths: range, round_one: int) -> int:
        """A length in steps inside a duration class."""

    def velocity(self, walk: Walk, kind: int) -> int:
        """A velocity inside a class of loudness."""


class _Player(NamedTuple):
    """What a track did last."""

    pitch: int = NO_PITCH
    before: int = NO_PITCH
    length: int = DURATIONS
    loudness: int = LOUDNESSES
    step: int = -1
    end: int = -1


class Walk:
    """One pass over a page; `new` is what was written, `now` the fields of the event in the making."""

    def __init__(self, page: BlankPage, pen: StreamPen) -> None:
        self.page, self.pen = page, pen
        self.new: list[New] = []
        self.now: dict[str, int] = {}
        self.sets: dict[str, list[int]] = {}
        self.step, self.bar = int(page.bars.starts[page.first_bar]), page.first_bar
        self.track, self.pitch = -1, -1                     # of the event before, where it was a note at this step
        self.here = self.step                               # where the event in the making stands
        self.now_track, self.now_pitch = -1, -1             # of the event in the making, once they are chosen
        self.next = 0                                       # the next waypoint
        self._starts: list[int] = page.bars.starts.tolist()
        self._points = page.waypoints
        self._players = [_Player()] * len(page.drums)
        self._sounding: list[tuple[int, int, int]] = []     # end, track, pitch: all that sounds
        self._own_new: list[list[tuple[int, int]]] = [[] for _ in page.drums]      # end, pitch: new notes that sound
        self._bars: dict[int, list[tuple[int, int, int]]] = {}  # step, track, pitch of what began in each bar
        self._around = LOUDNESSES
        self._frame_of = [page.bars.whole.tolist(), page.bars.pulse.tolist(), page.bars.left.tolist(),
                          page.bars.number.tolist(), page.bars.key.tolist(), page.bars.tempo.tolist()]
        self._columns = [(page.band.number[i].item(), page.band.program[i].item()) for i in range(len(page.drums))]
        self._widest = np.append(np.max(page.room, axis=0), 0) if page.room else np.zeros(page.end + 1, np.int64)
        kept = [i for i, point in enumerate(self._points) if i >= page.ahead and point.kind == KEPT]
        self._kept_ahead: dict[int | None, list[int]] = {None: kept}
        for track in range(len(page.drums)):
            self._kept_ahead[track] = [i for i in kept if self._points[i].track == track]

    def run(self) -> Iterator[int]:
        """Walk to the end of the last blank; yields the number of every bar that is left behind."""
        self._begin()
        while self.step <= self.page.stop and self.step < self.page.end:
            left = self._event()
            if left is not None:
                yield left

    # --- one event -------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._clear()
        self._place(self.step)
        self.now["kind"] = MIDDLE if self.page.first_bar else BEGIN
        self.now["move"] = 0
        self.pen.push(self)

    def _event(self) -> int | None:
        """Choose and push one event; the bar that it leaves, where it is a bar line."""
        self._clear()
        line, point = self.line(), self.coming_point()
        options = self._moves(line, point)
        move = int(options[0]) if len(options) == 1 else self.pen.choose(self, "move", options)
        self._place(self.step + move)
        self.now["move"] = move
        if self.here == line or (move == MAX_MOVE and self.here < line):
            return self._pass_time(line)
        if move:
            self.track = self.pitch = -1
        reached = point if point is not None and point.step == self.here else None
        options = self._tracks(reached)
        track = int(options[0]) if len(options) == 1 else self.pen.choose(self, "track", options)
        self._seat(track)
        if reached is not None and reached.track == track and reached.kind == SLOT:
            self._slots()
            return None
        there = reached if reached is not None and reached.track == track else None
        options = self._pitches(track, there)
        pitch = int(options[0]) if len(options) == 1 else self.pen.choose(self, "pitch", options)
        self._sound(track, pitch)
        if there is not None and pitch == there.pitch:
            self._push_note(there.end - there.step, there.velocity)
            self.next += 1
            return None
        gap = self.page.gap(track, self.here, pitch)
        kinds = np.arange(self._length_class(gap) + 1)
        kind = int(kinds[0]) if len(kinds) == 1 else self.pen.choose(self, "duration", kinds)
        lengths, round_one = lengths_of(kind, gap)
        length = round_one if len(lengths) == 1 else self.pen.length(self, kind, lengths, round_one)
        self.now["duration"] = kind
        velocity = self.pen.velocity(self, self.pen.choose(self, "loudness", np.arange(LOUDNESSES)))
        self.new.append(New(self.here, length, pitch, velocity, track))
        self._remember(track, self.here + length, pitch)
        self._push_note(length, velocity)
        return None

    def _remember(self, track: int, end: int, pitch: int) -> None:
        """A new note sounds until `end`."""
        self._own_new[track] = [note for note in self._own_new[track] if note[0] > self.here]
        self._own_new[track].append((end, pitch))

    def _pass_time(self, line: int) -> int | None:
        at_line = self.here == line
        self.now["kind"] = BAR if at_line else SKIP
        left = self.bar if at_line else None
        self.step = self.here
        if at_line and self.step < self.page.end:
            self.bar += 1
            self._place(self.here)
        self.track = self.pitch = -1
        self._sounding = [note for note in self._sounding if note[0] > self.step]
        if self.step < self.page.end:
            self.pen.push(self)
        return left

    def _slots(self) -> None:
        """The notes of one chord of which only the pitch is open, from below."""
        group = [point for point in self._points[self.next:self.next + PITCHES]
                 if point.kind == SLOT and point.step == self.here and point.track == self.now_track]
        masks = self._slot_masks(group)
        floor = -1
        for i, point in enumerate(group):
            if i:
                self._clear()
                self._place(self.here)
                self.now["move"] = 0
                self._seat(point.track)
            options = np.flatnonzero(masks)
            options = options[options > floor]
            options = options[:len(options) - (len(group) - 1 - i)]
            pitch = int(options[0]) if len(options) == 1 else self.pen.choose(self, "pitch", options)
            floor = pitch
            self._sound(point.track, pitch)
            self.new.append(New(point.step, point.end - point.step, pitch, point.velocity, point.track, point.source))
            self._remember(point.track, max(point.end, point.step + 1), pitch)
            self._push_note(point.end - point.step, point.velocity)
            self.next += 1

    def _slot_masks(self, group: Sequence[Waypoint]) -> Bools:
        track, end = group[0].track, max(point.end for point in group)
        mask = self.page.legal.pitches(track, int(self.page.ticks[self.here])).copy()
        kept = self.page.kept[track]
        mask[kept.pitch[(kept.step < end) & (np.maximum(kept.end, kept.step + 1) > self.here)]] = False
        mask[self._mine(track, self.here)] = False
        if mask.sum() < len(group):
            low, high = self.page.legal.ranges[track]
            mask[low:high + 1] = True
        if mask.sum() < len(group):
            mask[:] = True
        return mask

    def _push_note(self, length: int, velocity: int) -> None:
        track, pitch, end = self.now_track, self.now_pitch, self.here + length
        now, player = self.now, self._players[track]
        now["kind"], now["duration"], now["loudness"] = NOTE, self._length_class(length), velocity // 4
        self.pen.push(self)
        self.step, self.track, self.pitch = self.here, track, pitch
        self._players[track] = _Player(now["pitch"], player.pitch, now["duration"], now["loudness"], self.here,
                                       max(player.end, end))
        self._sounding = [note for note in self._sounding if note[0] > self.here]
        self._sounding.append((end, track, pitch))
        self._bars.setdefault(self.bar, []).append((self.here, track, pitch))
        self._around = now["loudness"]

    # --- what may come ---------------------------------------------------------------------------------------

    def _moves(self, line: int, point: Waypoint | None) -> Ints:
        """The legal moves, in rising order."""
        s = self.step
        furthest = min(line, s + MAX_MOVE, point.step if point is not None else line)
        busy = max((len(self._mine(track, s)) for track in range(len(self.page.drums))), default=0)
        legal = self._widest[s:furthest + 1] > busy
        for t in np.flatnonzero(~legal).tolist():
            legal[t] = self._any_free(s + t)
        legal[0] = any(True for _ in self._open_here(len(self.page.drums) - 1))
        if point is not None and point.step == furthest:
            legal[-1] = True
        if furthest in (line, s + MAX_MOVE):
            legal[-1] = True            # a bar line, or a skip
        return np.flatnonzero(legal)

    def _any_free(self, step: int) -> bool:
        """Whether some track may begin a new note at a later step."""
        if step >= self.page.end:
            return False
        return any(self._is_free(track, step) for track in range(len(self.page.drums)))

    def _is_free(self, track: int, step: int) -> bool:
        room = int(self.page.room[track][step])
        if room <= 0:
            return False
        return room > len(self._mine(track, step)) or bool(self._free_above(track, step, -1).any())

    def _mine(self, track: int, step: int) -> list[int]:
        """The pitches of new notes of a track that still sound at a step."""
        return [pitch for end, pitch in self._own_new[track] if end > step]

    def _free_above(self, track: int, step: int, floor: int) -> Bools:
        """bool[128]: the pitches above `floor` that a new note of a track may have at a step."""
        mask = self.page.free(track, step)
        mask[self._mine(track, step)] = False
        mask[:floor + 1] = False
        return mask

    def _open_here(self, highest: int) -> Iterator[int]:
        """The tracks up to `highest` where another new note may stand at this place, after the event before."""
        for track in range(max(self.track, 0), highest + 1):
            if track != self.track:
                if self._is_free(track, self.here):
                    yield track
            elif self.page.room[track][self.here] > 0 and self._free_above(track, self.here, self.pitch).any():
                yield track

    def _tracks(self, reached: Waypoint | None) -> Ints:
        """The legal tracks, in rising order."""
        if reached is None:
            return np.array(list(self._open_here(len(self.page.drums) - 1)))
        return np.array([*self._open_here(reached.track - 1), reached.track])

    def _pitches(self, track: int, there: Waypoint | None) -> Ints:
        floor = self.pitch if track == self.track else -1
        if not self.page.open[track][self.here]:
            assert there is not None
            return np.array([there.pitch])
        mask = self._free_above(track, self.here, floor)
        if there is not None:
            mask[there.pitch:] = False
            mask[there.pitch] = True
        return np.flatnonzero(mask)

    def still_ahead(self, passing: bool) -> int:
        """How many of the notes known ahead are still to come; `passing`: once this event is heard, itself not one."""
        kept = self._kept_ahead[None]
        count = len(kept) - bisect_left(kept, self.next)
        point = self.coming_point()
        reached = (passing and count > 0 and point is not None and self.next == kept[-count]
                   and (point.step, point.track, point.pitch) == (self.here, self.now_track, self.now_pitch))
        return count - reached

    def known_ahead(self) -> list[Waypoint]:
        """The kept notes that lie ahead of the first blank, in their order."""
        return [self._points[i] for i in self._kept_ahead[None]]

    def coming_point(self) -> Waypoint | None:
        """The next note that the walk must pass."""
        return self._points[self.next] if self.next < len(self._points) else None

    def line(self) -> int:
        """The step of the next bar line."""
        return self._starts[self.bar + 1]

    # --- what is told ----------------------------------------------------------------------------------------

    def rows(self, stage: str) -> list[int]:
        """The rows of a stage's table that tell it what it may see of the event in the making."""
        index, bits = _ROWS[stage]
        now = self.now
        out = [at + now[name] for name, at in index]
        for name, at in bits:
            out += [at + bit for bit in self.members(name)]
        return out

    def track_rows(self, options: Ints) -> Ints:
        """int64[tracks, fields]: the rows of the table of tracks, one line an option."""
        shift = self._echo_shift()
        heard = self._bars.get(self.bar - 1, ()) if shift else ()
        echo = {track for step, track, _ in heard if step == self.here - shift}
        known = {point.track for point in self._ahead(self.here, 0)}
        out = []
        for track in options.tolist():
            number, program = self._columns[track]
            player = self._players[track]
            played = player.step >= 0
            out.append([number, program, self._time(max(player.end - self.here, 0)),
                        self._time(self.here - player.step) if played else NO_TIME, player.pitch,
                        int(track in known), int(track in echo), int(track == self.track and self.step == self.here)])
        return np.asarray(np.array(out) + _KEY_OFFSETS)

    def _clear(self) -> None:
        now = self.now
        now.update(NONE)
        now["from_place"], now["from_bar"] = now.get("place", 0), now.get("bar", 0)
        coming = self._coming()
        wait = coming.step - self.step if coming is not None else NO_TIME * 1000
        now["from_wait"] = wait if wait <= MAX_MOVE else MAX_MOVE + 1
        self.now_track = -1
        self.here = self.step
        self.sets.clear()

    def _coming(self, track: int | None = None) -> Waypoint | None:
        """The next note known ahead, of one track or of any."""
        kept = self._kept_ahead[track]
        at = bisect_left(kept, self.next)
        return self._points[kept[at]] if at < len(kept) else None

    def _place(self, step: int) -> None:
        """Say where the event in the making stands."""
        now, bars = self.now, self.page.bars
        self.here = step
        place = step - self._starts[self.bar] + int(bars.lead[self.bar])
        now["place"] = min(place, PLACES - 1) if step < self.page.end else 0
        for name, column in zip(("bar", "pulse", "left", "hyper", "key", "tempo"), self._frame_of, strict=True):
            now[name] = column[self.bar]

    def _seat(self, track: int) -> None:
        """Say which track it is, and what that track did and will do."""
        now, player = self.now, self._players[track]
        self.now_track = track
        now["track"], now["program"] = self._columns[track]
        now["last"], now["before"] = player.pitch, player.before
        now["lasted"], now["louder"] = player.length, player.loudness
        now["below"] = player.pitch if player.step == self.here else NO_PITCH
        now["around"] = self._around
        coming = self._coming(track)
        if coming is not None:
            now["next"], now["wait"] = self._sound_of(track, coming.pitch), self._time(coming.step - self.here)

    def _sound(self, track: int, pitch: int) -> None:
        self.now_pitch = pitch
        self.now["pitch"] = self._sound_of(track, pitch)

    def _sound_of(self, track: int, pitch: int) -> int:
        return pitch + (PITCHES if self.page.drums[track] else 0)

    @staticmethod
    def _time(steps: int) -> int:
        return _TIME[min(steps, len(_TIME) - 1)]

    @staticmethod
    def _length_class(steps: int) -> int:
        return _LENGTH[min(max(steps, 1), len(_LENGTH)) - 1]

    def members(self, name: str) -> list[int]:
        """The members of a bits field, each once."""
        found = self.sets.get(name)
        if found is None:
            found = self.sets[name] = list(dict.fromkeys(getattr(self, f"_set_{name}")()))
        return found

    def _set_from_ends(self) -> Iterator[int]:
        return (end - self.step for end, _, _ in self._sounding if 0 < end - self.step <= MAX_MOVE)

    def _set_ends(self) -> Iterator[int]:
        return (end - self.here for end, _, _ in self._sounding if 0 < end - self.here <= MAX_MOVE)

    def _set_own(self) -> Iterator[int]:
        return self._sounds(True)

    def _set_others(self) -> Iterator[int]:
        return self._sounds(False)

    def _sounds(self, own: bool) -> Iterator[int]:
        drums = self.page.drums
        return (pitch for end, track, pitch in self._sounding
                if end > self.here and not drums[track] and (track == self.now_track) == own)

    def _ahead(self, origin: int, reach: int) -> Iterator[Waypoint]:
        kept = self._kept_ahead[None]
        for at in range(bisect_left(kept, self.next), len(kept)):
            point = self._points[kept[at]]
            if point.step > origin + reach:
                return
            yield point

    def _set_from_known(self) -> Iterator[int]:
        return (point.step - self.step for point in self._ahead(self.step, MAX_MOVE))

    def _set_onsets(self) -> Iterator[int]:
        return (point.step - self.here for point in self._ahead(self.here, MAX_MOVE))

    def _set_known(self) -> Iterator[int]:
        return (point.pitch for point in self._ahead(self.here, 0) if not self.page.drums[point.track])

    def _set_soon(self) -> Iterator[int]:
        return (point.pitch for point in self._ahead(self.here, SOON)
                if point.step > self.here and not self.page.drums[point.track])

    def _echo_shift(self) -> int:
        """How many steps lie between this bar's start and that of the bar before; 0 where there is none to hear."""
        if self.bar <= self.page.first_bar or self.here >= self.page.end:
            return 0
        return int(self._starts[self.bar] - self._starts[self.bar - 1])

    def _set_echo(self) -> Iterator[int]:
        shift = self._echo_shift()
        heard = self._bars.get(self.bar - 1, ()) if shift else ()
        return (pitch for step, track, pitch in heard if step == self.here - shift and track == self.now_track)

    def _set_from_echo(self) -> Iterator[int]:
        bar = self.bar
        if bar <= self.page.first_bar:
            return iter(())
        seen = self.step - (self._starts[bar] - self._starts[bar - 1])
        return (step - seen for step, _, _ in self._bars.get(bar - 1, ()) if 0 <= step - seen <= MAX_MOVE)
