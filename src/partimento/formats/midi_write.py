"""A Score into the bytes of a Standard MIDI File of type 1, the same bytes every time."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.formats import midi_text
from partimento.formats.midi_events import DEVICE_NAME, END_OF_TRACK, ESCAPE, PORT, SYSEX
from partimento.formats.midi_keep import keep, riding
from partimento.formats.midi_read import (
    KEY,
    MARKER,
    METER,
    NAME,
    SEQUENCER,
    TEMPO,
    TEXT_KINDS,
    USUAL_RELEASE,
    usual_metronome,
)
from partimento.score import MAX_TICK, Score

DRUM_CHANNEL = 9
PITCHED_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)
MAX_DELTA = 2**28 - 1
_KIND_OF_TEXT = {name: kind for kind, name in TEXT_KINDS.items()}
_BANK_SELECT = (0, 32)
# The order of what stands at one tick: names first, notes that end, words and sysex, controllers, notes of no
# length (on, then off), and last the notes that begin.
_FIRST, _OFF, _WORDS, _CONTROL, _ZERO_ON, _ON = 0, 1, 2, 3, 4, 5


def dumps(score: Score) -> bytes:
    """Return the bytes of a MIDI file: type 1, the Score's own clock, the frame on track 0, one named track a part.

    Drums play on channel 10; past 15 pitched parts the others go to further ports. Parts that were read from a file
    keep its channels and ports. WriteError as in `keep`.

    >>> dumps(Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0]))[:4]
    b'MThd'
    """
    kept, extras = keep(score), riding(score)
    places = _places(kept, extras)
    playing = np.bincount(kept.track, minlength=len(places)) > 0
    others = _others(kept, extras, [port for port, _, _ in places], playing)
    notes = _by_track(kept.notes(), 4, len(places))
    controls = _by_track(kept.controls.rows(), 1, len(places))
    riders = _by_track(np.frombuffer(extras.get("riders", b""), "<i4").reshape(-1, 5), 1, len(places))
    release = _releases(extras)
    played: dict[int, set[int]] = {}                # of each port, the channels with notes
    for i in np.flatnonzero(playing).tolist():
        played.setdefault(places[i][0], set()).add(places[i][1])
    chunks = [_chunk([], others[0], kept.end)]
    for i, (port, channel, tick) in enumerate(places):
        rows = _with_program(controls[i], kept.tracks[i].program, tick, notes[i])
        messages = [_note_messages(notes[i], channel, release), _control_messages(rows, channel)]
        if playing[i]:
            messages.append(_rider_messages(riders[i], played[port], kept.end))
        chunks.append(_chunk(messages, others[i + 1], kept.end))
    numbers = ((6, 4), (1, 2), (len(chunks), 2), (kept.ticks_per_quarter, 2))
    return b"MThd" + b"".join(value.to_bytes(size, "big") for value, size in numbers) + b"".join(chunks)


def riff(midi: bytes) -> bytes:
    """Return a MIDI file wrapped as RIFF, the content of a .rmi file."""
    padded = midi + b"\0" * (len(midi) % 2)
    return (b"RIFF" + (len(padded) + 12).to_bytes(4, "little") + b"RMIDdata" + len(midi).to_bytes(4, "little")
            + padded)


def _places(score: Score, extras: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """(port, channel, tick of the program change or −1) of every track: as it was read, else the next one free."""
    given = list(extras.get("parts", ()))[:len(score.tracks)]
    places: list[tuple[int, int, int] | None] = [
        tuple(place) if (place[1] == DRUM_CHANNEL) == track.is_drum else None
        for place, track in zip(given, score.tracks, strict=False)]
    places += [None] * (len(score.tracks) - len(places))
    taken = {place[:2] for place in places if place}
    pitched = (at for port in range(128) for c in PITCHED_CHANNELS if (at := (port, c)) not in taken)
    drums = (at for port in range(128) if (at := (port, DRUM_CHANNEL)) not in taken)
    out = []
    for place, track in zip(places, score.tracks, strict=True):
        if place is None:                 # past the last port, parts share the channels of the first
            free = next(drums, (0, DRUM_CHANNEL)) if track.is_drum else next(pitched, (0, 0))
            place = (*free, -1)
        out.append(place)
    return out


def _by_track(rows: npt.NDArray[np.int32], column: int, count: int) -> list[npt.NDArray[np.int32]]:
    """The rows of each of `count` tracks, in the order given."""
    rows = rows[np.argsort(rows[:, column], kind="stable")]
    cuts = np.searchsorted(rows[:, column], np.arange(count + 1))
    return [rows[start:stop] for start, stop in itertools.pairwise(cuts.tolist())]


class _Others:
    """The events of one track that are no channel messages, in the order in which they were given."""

    def __init__(self) -> None:
        self.ticks: list[int] = []
        self.ranks: list[int] = []
        self.bodies: list[bytes] = []

    def add(self, tick: int, rank: int, body: bytes) -> None:
        self.ticks.append(tick)
        self.ranks.append(rank)
        self.bodies.append(body)

    def meta(self, tick: int, rank: int, kind: int, data: bytes) -> None:
        self.add(tick, rank, bytes((0xFF, kind)) + _number(len(data)) + data)

    def event(self, tick: int, body: bytes) -> None:
        """Give back an event that rode along: its kind, then its data."""
        if body[0] in (SYSEX, ESCAPE):
            self.add(tick, _WORDS, body[:1] + _number(len(body) - 1) + body[1:])
        else:
            self.meta(tick, _WORDS, body[0], body[1:])


def _number(value: int) -> bytes:
    """A variable-length number: seven bits a byte, all but the last with the high bit set."""
    out = [value & 127]
    while value := value >> 7:
        out.append(value & 127 | 128)
    return bytes(reversed(out))


def _others(score: Score, extras: Mapping[str, Any], ports: list[int], playing: npt.NDArray[np.bool_]
            ) -> list[_Others]:
    """Names, frame, words and what rode along: of the first track of the file, then of every part."""
    known = extras.get("raw", {})
    out = [_Others() for _ in range(len(ports) + 1)]
    frame, riders = out[0], extras.get("events", ())
    with_ports = any(ports) or any(body[0] == DEVICE_NAME for _, _, body in riders)      # a device name implies a port
    if extras.get("title"):
        frame.meta(0, _FIRST, NAME, midi_text.encode(extras["title"], known))
    metronome = {tick: clocks for tick, *clocks in extras.get("metronome", ())}
    for tempo in score.tempos:
        frame.meta(tempo.tick, _WORDS, TEMPO, tempo.us_per_quarter.to_bytes(3, "big"))
    for meter in score.meters:
        clocks = metronome.get(meter.tick) or usual_metronome(meter.numerator, meter.denominator)
        frame.meta(meter.tick, _WORDS, METER, bytes((meter.numerator, meter.denominator.bit_length() - 1, *clocks)))
    for key in score.keys:
        frame.meta(key.tick, _WORDS, KEY, bytes((key.fifths & 0xFF, key.mode == "minor")))
    for mark in score.marks:
        frame.meta(mark.tick, _WORDS, MARKER, midi_text.encode(mark.text, known))
    for part, track, port, plays in zip(out[1:], score.tracks, ports, playing.tolist(), strict=True):
        if with_ports:
            part.meta(0, _FIRST, PORT, bytes((port,)))
        if track.name or not plays:         # a part without notes is known as one by its name, even an empty one
            part.meta(0, _FIRST, NAME, midi_text.encode(track.name, known))
    for tick, i, body in riders:
        if 0 <= tick <= score.end and -1 <= i < len(ports):
            out[i + 1].event(tick, body)
    for text in score.texts:
        out[text.track + 1].meta(text.tick, _WORDS, _KIND_OF_TEXT[text.kind], midi_text.encode(text.text, known))
    return out


class _Messages(NamedTuple):
    """Channel messages as columns: when, the rank at that tick, the order inside it, and up to three bytes."""

    tick: npt.NDArray[np.int64]
    rank: npt.NDArray[np.int8]
    order: npt.NDArray[np.int64]
    body: npt.NDArray[np.uint8]


_NO_MESSAGES = _Messages(np.zeros(0, np.int64), np.zeros(0, np.int8), np.zeros(0, np.int64),
                         np.zeros((0, 3), np.uint8))


def _note_messages(notes: npt.NDArray[np.int32], channel: int, release: tuple[int, dict[tuple[int, ...], int]]
                   ) -> _Messages:
    n = len(notes)
    onset, pitch = notes[:, 0].astype(np.int64), notes[:, 2]
    finish = onset + notes[:, 1]
    zero = notes[:, 1] == 0
    body = np.empty((2 * n, 3), np.uint8)
    body[:n, 0], body[:n, 1], body[:n, 2] = 0x90 | channel, pitch, notes[:, 3]
    body[n:, 0], body[n:, 1], body[n:, 2] = 0x80 | channel, pitch, release[0]
    if release[1]:
        ended: Counter[tuple[int, ...]] = Counter()
        for i, row in enumerate(np.stack([notes[:, 4], finish, pitch], axis=1).tolist()):
            where = tuple(row)
            body[n + i, 2] = release[1].get((*where, ended[where]), release[0])
            ended[where] += 1
    order = np.arange(n)
    return _Messages(np.concatenate([onset, finish]),
                     np.concatenate([np.where(zero, _ZERO_ON, _ON), np.where(zero, _ZERO_ON, _OFF)]).astype(np.int8),
                     np.concatenate([2 * order, 2 * order + 1]), body)


def _control_messages(rows: npt.NDArray[np.int32], channel: int) -> _Messages:
    kind, number, value = rows[:, 2], rows[:, 3], rows[:, 4]
    bend, single = kind == 0xE0, (kind == 0xC0) | (kind == 0xD0)
    body = np.empty((len(rows), 3), np.uint8)
    body[:, 0] = kind | channel
    body[:, 1] = np.where(bend, (value + 8192) & 127, np.where(single, value, number))
    body[:, 2] = np.where(bend, (value + 8192) >> 7, value)
    return _Messages(rows[:, 0].astype(np.int64), np.full(len(rows), _CONTROL, np.int8), np.arange(len(rows)), body)


def _rider_messages(rows: npt.NDArray[np.int32], played: set[int], end: int) -> _Messages:
    """Messages that rode along with a track, on channels that still play nowhere."""
    rows = rows[~np.isin(rows[:, 2] & 15, list(played)) & (rows[:, 0] <= end)]
    return _Messages(rows[:, 0].astype(np.int64), np.full(len(rows), _CONTROL, np.int8),
                     np.arange(len(rows)) - MAX_TICK, rows[:, 2:].astype(np.uint8))


def _with_program(rows: npt.NDArray[np.int32], program: int, tick: int, notes: npt.NDArray[np.int32]
                  ) -> npt.NDArray[np.int32]:
    """Add the track's program change, behind the bank selects before its first note; none where it stands there."""
    first = int(notes[0, 0]) if len(notes) else MAX_TICK
    if ((rows[:, 2] == 0xC0) & (rows[:, 0] <= first)).any():
        return rows
    banks = np.flatnonzero((rows[:, 2] == 0xB0) & np.isin(rows[:, 3], _BANK_SELECT) & (rows[:, 0] <= first))
    last_bank = int(banks[-1]) if len(banks) else -1
    tick = tick if 0 <= tick <= first else 0
    tick = max(tick, int(rows[last_bank, 0])) if last_bank >= 0 else tick
    at = max(last_bank + 1, int(np.searchsorted(rows[:, 0], tick)))
    return np.insert(rows, at, (tick, rows[0, 1] if len(rows) else 0, 0xC0, 0, program), axis=0)


def _releases(extras: Mapping[str, Any]) -> tuple[int, dict[tuple[int, ...], int]]:
    usual, rows = extras.get("release", (USUAL_RELEASE, b""))
    table = np.frombuffer(rows, "<i4").reshape(-1, 5)
    return usual, {tuple(row[:4]): row[4] for row in table.tolist()}


def _chunk(parts: list[_Messages], others: _Others, end: int) -> bytes:
    """One track chunk: everything sorted, with its delta times, and the end of the track at `end`."""
    messages = _Messages(*(np.concatenate(columns) for columns in zip(_NO_MESSAGES, *parts, strict=True)))
    count = len(messages.tick)
    bodies = [*others.bodies, bytes((0xFF, END_OF_TRACK, 0))]
    tick = np.concatenate([messages.tick, np.array([*others.ticks, end], np.int64)])
    rank = np.concatenate([messages.rank, np.array([*others.ranks, 127], np.int8)])
    order = np.concatenate([messages.order, np.arange(len(bodies))])
    sizes = np.concatenate([np.where((messages.body[:, 0] & 0xE0) == 0xC0, 2, 3),
                            np.array([len(body) for body in bodies])])
    sort = np.lexsort([order, rank, tick])
    delta = np.diff(tick[sort], prepend=0)
    for at in reversed(np.flatnonzero(delta > MAX_DELTA).tolist()):      # bridged by an empty sequencer event
        steps = [MAX_DELTA] * (int(delta[at]) // MAX_DELTA)
        delta[at] -= sum(steps)
        delta = np.insert(delta, at, steps)
        sort = np.insert(sort, at, [len(sizes)] * len(steps))
    sizes = np.append(sizes, 3)
    bodies.append(bytes((0xFF, SEQUENCER, 0)))
    lengths = 1 + (delta >= 1 << 7) + (delta >= 1 << 14) + (delta >= 1 << 21)
    ends = np.cumsum(lengths + sizes[sort])
    starts = ends - sizes[sort]
    out = np.zeros(int(ends[-1]), np.uint8)
    for back in range(4):
        has = lengths > back
        out[starts[has] - 1 - back] = (delta[has] >> 7 * back & 127) | (128 if back else 0)
    plain = sort < count
    for byte in range(3):
        has = plain & (sizes[sort] > byte)
        out[starts[has] + byte] = messages.body[sort[has], byte]
    for at in np.flatnonzero(~plain).tolist():
        body = bodies[sort[at] - count]
        out[starts[at]:starts[at] + len(body)] = np.frombuffer(body, np.uint8)
    return b"MTrk" + len(out).to_bytes(4, "big") + out.tobytes()
