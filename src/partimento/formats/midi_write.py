"""A Score into a Standard MIDI File of type 1: what the format keeps, and its bytes, the same every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import WriteError
from partimento.formats import midi_text
from partimento.formats.midi_events import DEVICE_NAME, END_OF_TRACK, ESCAPE, MAX_TRACKS, PORT, SYSEX
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
from partimento.score import MAX_TICK, Controls, Mark, Score, Tempo, Text, Track

DRUM_CHANNEL = 9
PITCHED_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)
MAX_DELTA = 2**28 - 1
_KIND_OF_TEXT = {name: kind for kind, name in TEXT_KINDS.items()}
_BANK_SELECT = (0, 32)
# The order of what stands at one tick: names first, notes that end, words and sysex, controllers, notes of no
# length (on, then off), and last the notes that begin.
_FIRST, _OFF, _WORDS, _CONTROL, _ZERO_ON, _ON = 0, 1, 2, 3, 4, 5


def keep(score: Score) -> Score:
    """Return what a MIDI file keeps of a Score; ``parse(dumps(score)).score == keep(score)``.

    Lost are voice, staff, spelling, chord symbols, marks other than markers and sections, and whatever stands after
    the end. Overlapping notes of one pitch in one track end in the order in which they began. WriteError for a
    clock or meter that MIDI cannot hold.
    """
    if score.ticks_per_quarter > 32767:
        raise WriteError("a MIDI clock must have at most 32767 ticks a quarter note; this piece has "
                         f"{score.ticks_per_quarter}: write another format")
    if len(score.tracks) >= MAX_TRACKS:
        raise WriteError(f"a MIDI file must have fewer than {MAX_TRACKS} parts; this piece has {len(score.tracks)}")
    for meter in score.meters:
        if not (1 <= meter.numerator <= 255 and meter.denominator in (1, 2, 4, 8, 16, 32, 64, 128)):
            raise WriteError("a MIDI meter must be a count of 1 to 255 over a power of two up to 128; this piece has "
                             f"{meter.numerator}/{meter.denominator}")
    end, count = score.end, len(score.tracks)
    order = np.lexsort([score.onset, score.pitch, score.track])
    by_end = np.lexsort([score.offset, score.pitch, score.track])
    finish = np.empty(len(score), np.int32)
    finish[order] = score.offset[by_end]
    first = np.full(count, MAX_TICK, np.int64)
    np.minimum.at(first, score.track, score.onset)
    controls, programs = _kept_controls(score, first)
    known = _extras(score).get("raw", {})
    return score.replace(
        duration=finish - score.onset, voice=None, staff=None, spelling=None, chords=(), controls=controls,
        meters=tuple(m for m in score.meters if m.tick <= end),
        tempos=tuple(Tempo(t.tick, min(max(t.us_per_quarter, 1), 0xFFFFFF)) for t in score.tempos if t.tick <= end),
        keys=tuple(dict.fromkeys(k._replace(fifths=min(max(k.fifths, -7), 7), mode=k.mode or "major")
                                 for k in score.keys if 0 <= k.tick <= end)),
        marks=tuple(Mark(m.tick, "marker", _kept_text(m.text, known)) for m in score.marks
                    if m.kind in ("marker", "section") and 0 <= m.tick <= end),
        tracks=tuple(Track(_kept_text(t.name, known), program, t.is_drum)
                     for t, program in zip(score.tracks, programs, strict=True)),
        texts=tuple(sorted((Text(t.tick, t.track if 0 <= t.track < count else -1,
                                 t.kind if t.kind in _KIND_OF_TEXT else "text", _kept_text(t.text, known))
                            for t in score.texts if 0 <= t.tick <= end), key=lambda t: t[:2])))


def _kept_text(text: str, known: Mapping[str, bytes]) -> str:
    return midi_text.decode(midi_text.encode(text, known))


def _kept_controls(score: Score, first: npt.NDArray[np.int64]) -> tuple[Controls, list[int]]:
    """The channel messages as they are read back, and the program of every track."""
    rows = score.controls.rows()
    kinds = (0xA0, 0xB0, 0xC0, 0xD0, 0xE0)
    rows = rows[np.isin(rows[:, 2], kinds) & (rows[:, 1] >= 0) & (rows[:, 1] < len(first))
                & (rows[:, 0] >= 0) & (rows[:, 0] <= score.end)]
    rows = rows[np.lexsort([rows[:, 1], rows[:, 0]])]
    bends = rows[:, 2] == 0xE0
    rows[:, 4] = np.where(bends, np.clip(rows[:, 4], -8192, 8191), np.clip(rows[:, 4], 0, 127))
    rows[:, 3] = np.where((rows[:, 2] == 0xA0) | (rows[:, 2] == 0xB0), np.clip(rows[:, 3], 0, 127), 0)
    programs = [min(max(track.program, 0), 127) for track in score.tracks]
    early = np.flatnonzero((rows[:, 2] == 0xC0) & (rows[:, 0] <= first[rows[:, 1]]))
    said = np.bincount(rows[early, 1], minlength=len(first))
    for row in early:
        programs[rows[row, 1]] = int(rows[row, 4])
    return Controls.of(np.delete(rows, early[said[rows[early, 1]] == 1], axis=0).tolist()), programs


def dumps(score: Score) -> bytes:
    """Return the bytes of a MIDI file: type 1, the Score's own clock, the frame on track 0, one named track a part.

    Drums play on channel 10; past 15 pitched parts the others go to further ports. Parts that were read from a file
    keep its channels and ports. WriteError as in `keep`.

    >>> dumps(Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0]))[:4]
    b'MThd'
    """
    kept = keep(score)
    extras = _extras(score)
    places = _places(kept, extras)
    playing = np.bincount(kept.track, minlength=len(places)) > 0
    with_ports = any(port for port, _, _ in places)
    others = [_Others() for _ in range(len(places) + 1)]          # of the conductor's track, then of every part
    known = extras.get("raw", {})
    _frame(kept, extras, others[0])
    for i, (track, (port, _, _)) in enumerate(zip(kept.tracks, places, strict=True)):
        if with_ports:
            others[i + 1].meta(0, _FIRST, PORT, bytes((port,)))
        if track.name or not playing[i]:        # a part without notes is known as one by its name, even an empty one
            others[i + 1].meta(0, _FIRST, NAME, midi_text.encode(track.name, known))
    for tick, part, body in extras.get("events", ()):
        if 0 <= tick <= kept.end and -1 <= part < len(places) and not (with_ports and body[0] == DEVICE_NAME):
            others[part + 1].event(tick, body)
    for text in kept.texts:
        others[text.track + 1].meta(text.tick, _WORDS, _KIND_OF_TEXT[text.kind], midi_text.encode(text.text, known))
    rows = kept.controls.rows()
    rows = rows[np.argsort(rows[:, 1], kind="stable")]
    all_notes = kept.notes()[np.argsort(kept.track, kind="stable")]
    parts = np.arange(len(places) + 1)
    cut, note_cut = np.searchsorted(rows[:, 1], parts), np.searchsorted(all_notes[:, 4], parts)
    release = _releases(extras)
    riders = np.frombuffer(extras.get("riders", b""), "<i4").reshape(-1, 5)
    riders = riders[np.argsort(riders[:, 1], kind="stable")]
    rider_cut = np.searchsorted(riders[:, 1], parts)
    chunks = [_chunk(_messages([]), others[0], kept.end)]
    played: dict[int, set[int]] = {}                # of each port, the channels with notes
    for (port, channel, _), plays in zip(places, playing, strict=True):
        if plays:
            played.setdefault(port, set()).add(channel)
    for i, (port, channel, program_tick) in enumerate(places):
        notes = all_notes[note_cut[i]:note_cut[i + 1]]
        controls = _with_program(rows[cut[i]:cut[i + 1]], kept.tracks[i].program, program_tick, notes)
        beside = riders[rider_cut[i]:rider_cut[i + 1] if playing[i] else 0]
        messages = _messages([_note_messages(notes, channel, release), _control_messages(controls, channel),
                              _rider_messages(beside, played.get(port, set()), kept.end)])
        chunks.append(_chunk(messages, others[i + 1], kept.end))
    head = b"MThd" + b"".join(n.to_bytes(size, "big") for n, size in (
        (6, 4), (1, 2), (len(chunks), 2), (score.ticks_per_quarter, 2)))
    return head + b"".join(chunks)


def riff(midi: bytes) -> bytes:
    """Return a MIDI file wrapped as RIFF, the content of a .rmi file."""
    padded = midi + b"\0" * (len(midi) % 2)
    return (b"RIFF" + (len(padded) + 12).to_bytes(4, "little") + b"RMIDdata" + len(midi).to_bytes(4, "little")
            + padded)


def _extras(score: Score) -> Mapping[str, Any]:
    found = score.extras.get("midi", {})
    return found if isinstance(found, Mapping) else {}


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


def _frame(score: Score, extras: Mapping[str, Any], track: _Others) -> None:
    known = extras.get("raw", {})
    if extras.get("title"):
        track.meta(0, _FIRST, NAME, midi_text.encode(extras["title"], known))
    metronome = {tick: clocks for tick, *clocks in extras.get("metronome", ())}
    for tempo in score.tempos:
        track.meta(tempo.tick, _WORDS, TEMPO, tempo.us_per_quarter.to_bytes(3, "big"))
    for meter in score.meters:
        clocks = metronome.get(meter.tick) or usual_metronome(meter.numerator, meter.denominator)
        track.meta(meter.tick, _WORDS, METER, bytes((meter.numerator, meter.denominator.bit_length() - 1, *clocks)))
    for key in score.keys:
        track.meta(key.tick, _WORDS, KEY, bytes((key.fifths & 0xFF, key.mode == "minor")))
    for mark in score.marks:
        track.meta(mark.tick, _WORDS, MARKER, midi_text.encode(mark.text, known))


class _Messages(NamedTuple):
    """Channel messages as columns: when, the rank at that tick, the order inside it, and up to three bytes."""

    tick: npt.NDArray[np.int64]
    rank: npt.NDArray[np.int8]
    order: npt.NDArray[np.int64]
    body: npt.NDArray[np.uint8]


def _messages(parts: list[_Messages]) -> _Messages:
    """All of `parts` together."""
    empty = _Messages(np.zeros(0, np.int64), np.zeros(0, np.int8), np.zeros(0, np.int64), np.zeros((0, 3), np.uint8))
    return _Messages(*(np.concatenate(columns) for columns in zip(empty, *parts, strict=True)))


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


def _chunk(messages: _Messages, others: _Others, end: int) -> bytes:
    """One track chunk: everything sorted, with its delta times, and the end of the track at `end`."""
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
