"""An ear that hears a walk through attention: what is pushed waits until something is asked, then is heard at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from partimento.attention import AttentionPlayer, Events, HeardSoFar
from partimento.events.blank import BlankPage
from partimento.events.fields import AHEAD, DRUMS, LOUDNESSES, NO_PITCH, NONE, PITCHES
from partimento.events.page import Ints, duration_class
from partimento.events.relative import (
    DRUM_FRAME,
    MIDDLE_C,
    NO_INTERVAL,
    REFERENCES,
    SETS,
    SIGHTS,
    around,
    degree,
    frame_of_ask,
    interval,
    register,
    seen_sets,
)
from partimento.events.walk import Walk
from partimento.network import Floats

_STARTS = {name: sight.starts for name, sight in SIGHTS.items()}


class AttentionEar:
    """One pass over a page. What stands before the first blank is heard all at once, when something is first asked."""

    def __init__(self, player: AttentionPlayer, page: BlankPage, wish: Floats | None = None) -> None:
        self.player, self.wish = player, wish
        self._memory: HeardSoFar | None = None
        self._page = page
        self._origin = int(page.bars.starts[page.first_bar])
        self._prev = NO_PITCH                       # the pitched note before
        self._rows: list[list[int]] = []            # of events that were pushed and not heard yet
        self._frames: list[float] = []
        self._times: list[float] = []
        self._ahead: list[int] = []
        self._hidden: Floats = np.zeros(0, np.float32)
        self._asked: Floats | None = None           # what was asked about the event in the making

    def push(self, walk: Walk) -> None:
        """Take an event to be heard."""
        pitch = walk.now["pitch"]
        frame = pitch if pitch < PITCHES else DRUM_FRAME if pitch < NO_PITCH else self._prev
        self._rows.append(self._told(walk, "input", frame))
        self._times.append(self._time(walk.here))
        self._ahead.append(walk.still_ahead(passing=True))
        self._frames.append(float(_place(frame, self._prev)))
        if pitch < PITCHES:
            self._prev = pitch
        self._asked = None

    def logits(self, walk: Walk, stage: str, options: Ints) -> Floats:
        """float32[options]: how well each fits."""
        self._hear(walk)
        if stage == "track":
            return self.player.track_scores(self._hidden, self._told(walk, stage, NO_PITCH), walk.track_rows(options))
        if stage == "move":
            return self.player.stage(stage, self._hidden, self._told(walk, stage, NO_PITCH))[options]
        if self._asked is None:
            self._asked = self._ask(walk)
        if stage == "pitch":
            return self._pitch(walk, self._asked)[options]
        frame = walk.now["pitch"] if stage == "duration" else NO_PITCH
        return self.player.stage(stage, self._asked, self._told(walk, stage, frame))[options]

    def _hear(self, walk: Walk) -> None:
        """Hear all that was pushed."""
        if self._memory is None:
            self._memory = HeardSoFar(self.player)
            self.player.know(self._memory, self._known(walk), self.wish)
        if self._rows:
            heard = Events(self._rows, self._frames, self._times, self._ahead)
            self._hidden = self.player.hear(self._memory, heard, self.wish)
            self._rows, self._frames, self._times, self._ahead = [], [], [], []

    def _ask(self, walk: Walk) -> Floats:
        """What is known about the event in the making, now that its place and its track are."""
        assert self._memory is not None
        frame = frame_of_ask(walk.now["program"], walk.now["last"], self._prev)
        return self.player.ask(self._memory, self._hidden, self._told(walk, "ask", frame),
                               float(_place(frame, self._prev)), self._time(walk.here), walk.still_ahead(passing=False),
                               self.wish)

    def _pitch(self, walk: Walk, asked: Floats) -> Floats:
        now, drums = walk.now, walk.now["program"] == DRUMS
        references = [self._prev if name == "prev" else now[name] for name in REFERENCES]
        sets = {name: walk.members(name) for name in seen_sets(SETS, drums)}
        return self.player.pitch(asked, references, sets, drums, plain=drums or now["last"] >= NO_PITCH)

    def _told(self, walk: Walk, name: str, frame: int) -> list[int]:
        """The rows of a sight's table that the event in the making picks."""
        sight, now = SIGHTS[name], walk.now
        columns = [now[field] for field in sight.plain]
        columns += [interval(self._prev if field == "prev" else now[field], frame) for field in sight.references]
        if sight.frame:
            columns += [degree(now["key"], frame), register(frame)]
        starts = _STARTS[name]
        rows = [start + value for start, value in zip(starts, columns, strict=False)]
        at = len(columns)
        for field in sight.bits:
            rows += [starts[at] + bit for bit in walk.members(field)]
            at += 1
        heard = seen_sets(sight.sets, drums=PITCHES <= frame < NO_PITCH)
        for field in sight.sets:
            if field in heard:
                rows += [starts[at] + bit for bit in around(walk.members(field), frame)]
            at += 1
        return rows

    def _time(self, step: int) -> float:
        return (step - self._origin) / self._page.grid

    def _known(self, walk: Walk) -> Events:
        """The known notes ahead, the last first."""
        page, prev = self._page, NO_PITCH
        rows, frames, times = [], [], []
        points = walk.known_ahead()
        for point in reversed(points):
            drums = page.drums[point.track]
            pitch = point.pitch + PITCHES * drums
            frame = DRUM_FRAME if drums else pitch
            rows.append(_ahead_rows(page, point.step, point.track, pitch, point.end - point.step, point.velocity,
                                    interval(prev, frame), frame))
            frames.append(float(_place(frame, prev)))
            times.append(self._time(point.step))
            prev = prev if drums else pitch
        return Events(rows, frames, times, list(range(len(rows))))


class GuidedEar:
    """Two ears on one page, one told a wish and one not: what the wish makes likelier is made likelier still.

    Classifier-free guidance (Ho and Salimans 2022): logits + `guidance` · (logits − those without the wish).
    """

    def __init__(self, told: AttentionEar, untold: AttentionEar, guidance: float) -> None:
        self.told, self.untold, self.guidance = told, untold, guidance

    def push(self, walk: Walk) -> None:
        """Take an event to be heard."""
        self.told.push(walk)
        self.untold.push(walk)

    def logits(self, walk: Walk, stage: str, options: Ints) -> Floats:
        """float32[options]: how well each fits."""
        told = self.told.logits(walk, stage, options)
        return told + np.float32(self.guidance) * (told - self.untold.logits(walk, stage, options))


def _place(frame: int, prev: int) -> int:
    """Where a frame lies in pitch: drums lie where the note before does, what has none at middle C."""
    frame = prev if PITCHES <= frame < NO_PITCH else frame
    return frame if frame < PITCHES else MIDDLE_C


def _ahead_rows(page: BlankPage, step: int, track: int, pitch: int, length: int, velocity: int, before: int,
                frame: int) -> list[int]:
    """The rows of the input's table that a known note picks before it comes; `before` is the interval behind it."""
    bars = page.bars
    bar = int(bars.of(step))
    place: npt.NDArray[np.int64] = bars.places(np.array([step]), np.array([bar]))
    said = {**NONE, "kind": AHEAD, "track": int(page.band.number[track]), "program": int(page.band.program[track]),
            "duration": int(duration_class(max(length, 1))), "loudness": min(velocity // 4, LOUDNESSES - 1),
            "place": int(place[0]), "bar": int(bars.whole[bar]), "pulse": int(bars.pulse[bar]),
            "left": int(bars.left[bar]), "hyper": int(bars.number[bar]), "tempo": int(bars.tempo[bar])}
    sight, starts = SIGHTS["input"], _STARTS["input"]
    columns = [said.get(name, 0) for name in sight.plain]
    columns += [interval(pitch, frame) if name == "pitch" else before if name == "prev" else NO_INTERVAL
                for name in sight.references]
    columns += [degree(int(bars.key[bar]), frame), register(frame)]
    return [start + value for start, value in zip(starts, columns, strict=False)]
