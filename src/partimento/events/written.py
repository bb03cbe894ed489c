"""A stream of events all at once: its fields and its choices as arrays, for training and for likelihood.

`partimento.events.walk` says the same fields one event at a time; a test holds the two together.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from partimento.events.fields import (
    BAR,
    BEGIN,
    BITS,
    INDEX,
    MAX_MOVE,
    MIDDLE,
    NO_PITCH,
    NONE,
    NOTE,
    PITCHES,
    SKIP,
    SOON,
    TRACK_INDEX,
)
from partimento.events.page import NO_TIME, Band, Bars, Bools, GridNotes, Ints, duration_class, time_class

COLUMN = {field.name: i for i, field in enumerate(INDEX)}
TRACK_COLUMN = {field.name: i for i, field in enumerate(TRACK_INDEX)}
OFFSET = dict(zip((field.name for field in BITS), np.cumsum([0, *(field.size for field in BITS)]).tolist(),
                  strict=False))
BITS_SIZE = sum(field.size for field in BITS)
NEVER = 1 << 40


@dataclasses.dataclass(frozen=True, eq=False)
class Stream:
    """E events: `index` int64[E, INDEX], `bits` bool[E, BITS], `tracks` int64[E, T, TRACK_INDEX], and the choices.

    `note` is which note an event is (−1: none) and `step` where it stands. `choice` (int64[E, 5]) is what was chosen in
    each stage, −1 where nothing was to choose; `limit` (int64[E, 3]) the highest move, track and pitch that do not
    pass the next known note.
    """

    index: Ints
    bits: Bools
    tracks: Ints
    note: Ints
    step: Ints
    choice: Ints
    limit: Ints

    def cut(self, stop: int) -> Stream:
        """The first `stop` events."""
        return Stream(**{field.name: getattr(self, field.name)[:stop] for field in dataclasses.fields(self)})


def written(bars: Bars, band: Band, notes: GridNotes, known: Bools, begins: bool = True) -> Stream:
    """The stream of `notes` (in the order of events) in `bars`; `known` (bool[n]) are those kept ahead.

    `begins` says that the first bar is the first of the piece. GridNotes must lie within the bars.
    """
    step, note = _events(bars, notes)
    kind = np.full(len(step), NOTE)
    kind[note < 0] = SKIP
    kind[note == -2] = BAR
    kind[0] = BEGIN if begins else MIDDLE
    return _Writing(bars, band, notes, known, step, note, kind).stream()


def _events(bars: Bars, notes: GridNotes) -> tuple[Ints, Ints]:
    """Step of every event, and which note it is (−2: a bar line, −1: a skip or the start)."""
    lines = bars.starts[1:]
    step = np.concatenate([bars.starts[:1], lines, notes.step])
    note = np.concatenate([[-1], np.full(len(lines), -2), np.arange(len(notes.step))])
    order = np.argsort(step * 2 + (note >= 0), kind="stable")
    step, note = step[order], note[order]
    gap = np.diff(step)
    skips = gap // MAX_MOVE - ((note[1:] == -2) & (gap % MAX_MOVE == 0) & (gap > 0))
    if skips.any():
        at = np.repeat(np.arange(len(gap)), skips)
        nth = np.arange(len(at)) - np.repeat(np.cumsum(skips) - skips, skips) + 1
        new = step[at] + nth * MAX_MOVE
        step, note = np.insert(step, at + 1, new), np.insert(note, at + 1, -1)
    return step, note


def _spans(first: Ints, stop: Ints) -> tuple[Ints, Ints]:
    """For each range [first, stop), its number and each of its members, all in a row."""
    count = np.maximum(stop - first, 0)
    which = np.repeat(np.arange(len(count)), count)
    member = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count) + first[which]
    return which, member


class _Writing:
    """The work of `written`: one method a group of fields."""

    def __init__(self, bars: Bars, band: Band, notes: GridNotes, known: Bools, step: Ints, note: Ints,
                 kind: Ints) -> None:
        self.bars, self.band, self.notes, self.step, self.note, self.kind = bars, band, notes, step, note, kind
        count = len(step)
        self.event = np.flatnonzero(note >= 0)              # of each note
        self.ahead = np.flatnonzero(known)                  # known notes
        self.from_step = np.concatenate([step[:1], step[:-1]])
        self.bar = bars.of(step)
        self.from_bar = np.concatenate([self.bar[:1], self.bar[:-1]])
        self.index = np.zeros((count, len(INDEX)), np.int64)
        self.bits = np.zeros((count, BITS_SIZE), bool)
        self.tracks = np.zeros((count, len(band.number), len(TRACK_INDEX)), np.int64)
        self.drums = band.drums[notes.track] if len(notes.track) else np.zeros(0, bool)
        self.sound = notes.pitch + PITCHES * self.drums     # pitch fields tell drums apart
        self.of = np.where(note >= 0, notes.track[np.maximum(note, 0)] if len(notes.track) else 0, -1)

    def put(self, name: str, values: npt.ArrayLike, where: npt.NDArray[np.intp] | slice = slice(None)) -> None:
        self.index[where, COLUMN[name]] = values

    def set(self, name: str, event: Ints, bit: Ints) -> None:
        self.bits[event, OFFSET[name] + bit] = True

    def stream(self) -> Stream:
        self._frame()
        self._note_itself()
        self._own_past()
        self._sounding()
        self._known()
        self._echo()
        self._tracks()
        return Stream(self.index, self.bits, self.tracks, np.maximum(self.note, -1), self.step, self._choice(),
                      self._limit())

    def _frame(self) -> None:
        bars, bar, place = self.bars, self.bar, self.bars.places(self.step, self.bar)
        place[self.step >= bars.starts[-1]] = 0
        self.put("kind", self.kind)
        self.put("move", self.step - self.from_step)
        self.put("place", place)
        for name, column in (("bar", bars.whole), ("pulse", bars.pulse), ("left", bars.left), ("hyper", bars.number),
                             ("key", bars.key), ("tempo", bars.tempo)):
            self.put(name, column[bar])
        self.put("from_place", place[:-1], slice(1, None))
        self.put("from_bar", bars.whole[self.from_bar[1:]], slice(1, None))

    def _note_itself(self) -> None:
        for name, none in NONE.items():
            self.put(name, none)
        notes, at = self.notes, self.event
        self.put("track", self.band.number[notes.track], at)
        self.put("program", self.band.program[notes.track], at)
        self.put("pitch", self.sound, at)
        self.put("duration", duration_class(notes.end - notes.step), at)
        self.put("loudness", notes.velocity // 4, at)

    def _own_past(self) -> None:
        """What the same track played before, and how loud the note before was."""
        notes = self.notes
        self.put("around", notes.velocity[:-1] // 4, self.event[1:])
        by_track = np.argsort(notes.track, kind="stable")
        for back, names in ((1, ("last", "lasted", "louder")), (2, ("before",))):
            now, then = by_track[back:], by_track[:-back]
            same = notes.track[now] == notes.track[then]
            now, then = now[same], then[same]
            values = (self.sound, duration_class(notes.end - notes.step), notes.velocity // 4)
            for name, column in zip(names, values, strict=False):
                self.put(name, column[then], self.event[now])
            if back == 1:
                chord = notes.step[now] == notes.step[then]
                self.put("below", self.sound[then[chord]], self.event[now[chord]])

    def _sounding(self) -> None:
        """What sounds, and when it ends: of every note, the events that come while it sounds."""
        notes = self.notes
        last = np.searchsorted(self.step, notes.end, side="left") - 1
        j, i = _spans(self.event, last + 1)                 # note j sounds at the step of event i, once it is there
        d = notes.end[j] - self.step[i]
        near = (d <= MAX_MOVE) & (i + 1 < len(self.step))
        self.set("from_ends", i[near] + 1, d[near])
        later = i > self.event[j]
        j, i, d = j[later], i[later], d[later]
        near = d <= MAX_MOVE
        self.set("ends", i[near], d[near])
        pitched = ~self.drums[j]
        own = notes.track[j] == self.of[i]
        for name, which in (("own", pitched & own), ("others", pitched & ~own)):
            self.set(name, i[which], notes.pitch[j[which]])

    def _known(self) -> None:
        """What is kept ahead, from each event on."""
        notes, ahead = self.notes, self.ahead
        if not len(ahead):
            return
        at, when = self.event[ahead], notes.step[ahead]
        following = np.searchsorted(at, np.arange(len(self.step)))
        wait = np.append(when, NEVER)[following] - self.from_step
        self.put("from_wait", np.where(wait <= MAX_MOVE, wait, MAX_MOVE + 1))
        a, i = _spans(np.searchsorted(self.from_step, when - MAX_MOVE), at + 1)
        self.set("from_known", i, when[a] - self.from_step[i])
        a, i = _spans(np.searchsorted(self.step, when - MAX_MOVE), at + 1)
        d = when[a] - self.step[i]
        self.set("onsets", i, d)
        pitched = ~self.drums[ahead[a]]
        for name, which in (("known", pitched & (d == 0)), ("soon", pitched & (d > 0) & (d <= SOON))):
            self.set(name, i[which], notes.pitch[ahead[a[which]]])
        for track in np.unique(notes.track[ahead]).tolist():
            own = ahead[notes.track[ahead] == track]
            events = np.flatnonzero(self.of == track)
            upcoming = np.searchsorted(self.event[own], events)
            there = upcoming < len(own)
            events, coming = events[there], own[upcoming[there]]
            self.put("next", self.sound[coming], events)
            self.put("wait", time_class(notes.step[coming] - self.step[events]), events)
        a, i = _spans(np.searchsorted(self.step, when), at + 1)
        self.tracks[i, notes.track[ahead[a]], TRACK_COLUMN["t_known"]] = 1

    def _echo(self) -> None:
        """What began one bar ago: at the place moved to, and after the place moved from."""
        notes, starts = self.notes, self.bars.starts
        for bar, at, name in ((self.bar, self.step, "echo"), (self.from_bar, self.from_step, "from_echo")):
            some = np.flatnonzero((bar > 0) & (at < starts[bar + 1]))
            shift = starts[bar[some]] - starts[bar[some] - 1]
            seen = at[some] - shift
            low = np.searchsorted(notes.step, seen)
            here = np.minimum(seen + 1, starts[bar[some]])
            stop = here if name == "echo" else np.minimum(seen + MAX_MOVE + 1, starts[bar[some]])
            which, j = _spans(low, np.searchsorted(notes.step, stop))
            i = some[which]
            if name == "from_echo":
                self.set(name, i, notes.step[j] - seen[which])
                continue
            own = notes.track[j] == self.of[i]
            self.set(name, i[own], notes.pitch[j[own]])
            self.tracks[i, notes.track[j], TRACK_COLUMN["t_echo"]] = 1

    def _tracks(self) -> None:
        """What each track does at the place moved to."""
        count, n = self.tracks.shape[:2]
        notes, put = self.notes, TRACK_COLUMN
        self.tracks[:, :, put["t_track"]] = self.band.number
        self.tracks[:, :, put["t_program"]] = self.band.program
        latest = np.full((count, n), -1, np.int64)          # the note that each track began last, before the event
        end = np.full((count, n), -1, np.int64)             # and when all that it began is over
        after = self.event + 1
        inside = after < count
        latest[after[inside], notes.track[inside]] = np.flatnonzero(inside)
        end[after[inside], notes.track[inside]] = notes.end[inside]
        np.maximum.accumulate(latest, axis=0, out=latest)
        np.maximum.accumulate(end, axis=0, out=end)
        here = self.step[:, None]
        played = latest >= 0
        note = np.maximum(latest, 0)
        began = notes.step[note] if len(notes.step) else note
        sound = self.sound[note] if len(notes.step) else note
        self.tracks[:, :, put["t_rest"]] = time_class(np.maximum(end - here, 0))
        self.tracks[:, :, put["t_since"]] = np.where(played, time_class(here - began), NO_TIME)
        self.tracks[:, :, put["t_last"]] = np.where(played, sound, NO_PITCH)
        stays = np.flatnonzero((self.of[:-1] >= 0) & (self.step[1:] == self.step[:-1]))
        self.tracks[stays + 1, self.of[stays], put["t_same"]] = 1

    def _choice(self) -> Ints:
        choice = np.full((len(self.step), 5), -1, np.int64)
        choice[1:, 0] = (self.step - self.from_step)[1:]
        notes, at = self.notes, self.event
        fields = (notes.track, notes.pitch, duration_class(notes.end - notes.step), notes.velocity // 4)
        for stage, column in enumerate(fields, start=1):
            choice[at, stage] = column
        return choice

    def _limit(self) -> Ints:
        limit = np.full((len(self.step), 3), (MAX_MOVE, len(self.band.number) - 1, PITCHES - 1), np.int64)
        if not len(self.ahead):
            return limit
        notes, at = self.notes, self.event[self.ahead]
        following = np.searchsorted(at, np.arange(len(self.step)))
        some = np.flatnonzero(following < len(at))
        coming = self.ahead[following[some]]
        limit[some, 0] = np.minimum(notes.step[coming] - self.from_step[some], MAX_MOVE)
        there = notes.step[coming] == self.step[some]
        limit[some[there], 1] = notes.track[coming[there]]
        there &= notes.track[coming] == self.of[some]
        limit[some[there], 2] = notes.pitch[coming[there]]
        return limit
