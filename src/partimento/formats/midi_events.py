"""A Standard MIDI File taken apart into the events of its tracks, with broken structure mended and counted."""

from __future__ import annotations

import itertools
from array import array
from collections import Counter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import ReadError
from partimento.score import MAX_TICK

SYSEX, ESCAPE, META = 0xF0, 0xF7, 0xFF
END_OF_TRACK, CHANNEL_PREFIX, PORT, DEVICE_NAME = 0x2F, 0x20, 0x21, 0x09
MAX_TRACKS = 0xFFFF
_BLOCK = 1 << 20
_EVENTS_A_NOTE = 6          # how many channel messages a piece may have for each note that it may have
_COMMON_DATA = {0xF1: 1, 0xF2: 2, 0xF3: 1}


class Extra(NamedTuple):
    """An event that is no channel message: `kind` is the meta type 0–127, or 0xF0 / 0xF7 for sysex.

    `channel` is the one that a channel prefix (meta 0x20) spoke of, −1 where none did.
    """

    tick: int
    channel: int
    kind: int
    data: bytes


class TrackEvents(NamedTuple):
    """One track chunk: `packed` uint64[n] is tick << 32 | port << 24 | status << 16 | data1 << 8 | data2."""

    packed: npt.NDArray[np.uint64]
    extras: list[Extra]
    end: int


class MidiFile(NamedTuple):
    """A file taken apart: its type 0–2, the raw 16-bit division, its tracks, and what was mended."""

    type: int
    division: int
    tracks: list[TrackEvents]
    repairs: Counter[str]


def take_apart(data: bytes, max_notes: int) -> MidiFile:
    """Return the events of every track chunk of a .mid or .rmi file; ReadError when it is none or was cut short."""
    repairs: Counter[str] = Counter()
    data = _unwrapped(data, repairs)
    header = int.from_bytes(data[4:8], "big")
    if len(data) < 14 or header < 6:
        raise ReadError("a MIDI header must have 14 bytes; this file ends or goes wrong inside its header")
    kind, announced, division = (int.from_bytes(data[i:i + 2], "big") for i in (8, 10, 12))
    if kind > 2:
        repairs["unknown file type, read as type 1"] += 1
        kind = 1
    if division & 0x7FFF == 0 or (division >> 15 and not division & 0xFF):
        raise ReadError("a MIDI clock must have at least 1 tick a quarter note or a frame; this file says 0")
    walk = _Walk(max_notes, repairs)
    tracks: list[TrackEvents] = []
    at = 8 + header if data[8 + header:12 + header] == b"MTrk" else max(data.find(b"MTrk", 8), 14)
    while at < len(data):
        name, size = data[at:at + 4], int.from_bytes(data[at + 4:at + 8], "big")
        if name == b"MTrk" and at + 8 <= len(data):
            if len(tracks) == MAX_TRACKS:
                raise ReadError(f"a MIDI file must have at most {MAX_TRACKS} tracks; this one has more")
            events, at = _track(data, at + 8, size, walk, len(tracks) + 1)
            tracks.append(events)
        elif _is_chunk(data, at):
            at += 8 + size
        else:
            following = data.find(b"MTrk", at + 1)
            if following < 0 and len(tracks) < announced and b"MTrk".startswith(name):
                raise ReadError(f"the file is cut short: {announced} tracks are announced and {len(tracks)} are "
                                "there; get the whole file")
            if data[at:following if following > 0 else None].strip(b"\0\r\n\x1a "):
                repairs["stray bytes between or after the tracks, skipped"] += 1
            at = following if following >= 0 else len(data)
    if not tracks:
        raise ReadError("a MIDI file must have at least one track; this one stops after its header")
    if len(tracks) < announced:
        repairs["tracks announced by the header and missing"] += announced - len(tracks)
    return MidiFile(kind, division, tracks, repairs)


def _unwrapped(data: bytes, repairs: Counter[str]) -> bytes:
    """The bytes from ``MThd`` on, out of a RIFF (.rmi) or MacBinary wrapping."""
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        at = 12
        while at + 8 <= len(data):
            size = int.from_bytes(data[at + 4:at + 8], "little")
            if data[at:at + 4] == b"data" and data[at + 8:at + 12] == b"MThd":
                if at + 8 + size > len(data):
                    repairs["RIFF wrapping with a wrong length"] += 1
                return data[at + 8:at + 8 + size]
            at += 8 + size + size % 2
        raise ReadError("a .rmi file must hold MIDI data; this one has none")
    if data[:4] != b"MThd" and data[128:132] == b"MThd":
        return data[128:]
    if data[:4] != b"MThd":
        raise ReadError(f"a MIDI file must begin with 'MThd'; {_looks_like(data)}")
    return data


def _looks_like(data: bytes) -> str:
    if not data:
        return "this one is empty (0 bytes): get it again"
    words = (data[:16].split() or [data])[0].decode("latin-1"), data[:4].decode("latin-1")
    shown = next((word for word in words if word.isprintable() and word.isascii()), data[:4].hex(" "))
    low = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if low.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<script")) or b"<html" in low:
        return f"this one begins with {shown!r} and looks like an HTML page: download the file itself"
    if low.startswith((b"pk\x03\x04", b"rar!", b"7z\xbc\xaf", b"\x1f\x8b")):
        return f"this one begins with {shown!r} and looks like an archive: unpack it first"
    if low.startswith(b"<?xml"):
        return f"this one begins with {shown!r} and looks like XML (MusicXML?): export it as MIDI"
    return f"this one begins with {shown!r}, so it is another kind of file"


def _is_chunk(data: bytes, at: int) -> bool:
    name = data[at:at + 4]
    return at + 8 <= len(data) and name.isascii() and name.strip().isalnum() and len(name.strip()) > 2 \
        and at + 8 + int.from_bytes(data[at + 4:at + 8], "big") <= len(data)


def _track(data: bytes, start: int, size: int, walk: _Walk, number: int) -> tuple[TrackEvents, int]:
    """The events of the chunk whose body begins at `start`, and where the next chunk is to be looked for."""
    said = start + size
    fits = said == len(data) or data[said:said + 4] == b"MTrk" or _is_chunk(data, said)
    following = data.find(b"MTrk", start)
    limit = said if fits else following if following >= 0 else len(data)
    found = walk.track(data, start, limit)
    used = found.used
    if not found.ended:
        if said > len(data) and limit == len(data):
            raise ReadError(f"the file is cut short: its track {number} announces {size:,} bytes and "
                            f"{len(data) - start:,} are there; get the whole file")
        walk.repairs["tracks without an end-of-track event"] += 1
    if not fits and used != said:
        walk.repairs["tracks with a wrong length"] += 1
    elif used < said:
        if data[used:used + 4] == b"MTrk":
            walk.repairs["tracks with a wrong length"] += 1
            return found.events, used
        walk.repairs["bytes after an end of track, skipped"] += said - used
        used = said
    return found.events, used


class _Found(NamedTuple):
    events: TrackEvents
    used: int
    ended: bool


class _Walk:
    """The walk over the events of one track after the other; counts notes and repairs over the whole file."""

    def __init__(self, max_notes: int, repairs: Counter[str]) -> None:
        self.max_notes, self.repairs = max_notes, repairs
        self.notes = self.messages = self.others = 0
        self.devices: dict[bytes, int] = {}

    def track(self, data: bytes, start: int, limit: int) -> _Found:
        """Walk one chunk body, data[start:limit], to its end-of-track event or as far as its bytes go."""
        packed = array("Q")
        extras: list[Extra] = []
        append = packed.append
        tick = seen = 0
        i = start
        head = size = 0          # of the running status: its packed bits, its data bytes (0: there is none yet)
        port, port_said, channel = 0, False, -1
        ended = False
        try:
            while i < limit and not ended:
                stop = min(limit, i + _BLOCK)
                while i < stop:
                    delta = data[i]
                    i += 1
                    if delta > 127:
                        delta, i = self._number(data, i - 1)
                        if tick + delta > MAX_TICK:
                            raise ReadError(f"a piece must end by tick {MAX_TICK}; this one has an event at tick "
                                            f"{tick + delta}, so its times are damaged")
                    tick += delta
                    status = data[i]
                    while status < 128 and not size:
                        self.repairs["stray bytes skipped"] += 1
                        i += 1
                        if i >= limit:
                            raise IndexError
                        status = data[i]
                    if status > 127:
                        i += 1
                        if status < SYSEX:
                            head = port | status << 16
                            size = 1 if 0xC0 <= status < 0xE0 else 2
                        elif status in (META, SYSEX, ESCAPE):
                            kind = status
                            if status == META:
                                kind = data[i]
                                i += 1
                            count, i = self._number(data, i)
                            if i + count > limit and kind != END_OF_TRACK:
                                raise IndexError
                            body = data[i:i + count]
                            i = min(i + count, limit)
                            if status == META and kind == END_OF_TRACK:
                                ended = True
                                break
                            if status == META and kind > 127:
                                self.repairs["stray bytes skipped"] += 1
                            elif kind == CHANNEL_PREFIX and count:
                                channel = body[0] & 15
                            elif kind == PORT and count:
                                port, port_said = body[0] << 24, True
                                head = head & 0xFFFFFF | port
                            else:
                                if kind == DEVICE_NAME and not port_said:
                                    port = min(self.devices.setdefault(body, len(self.devices)), 255) << 24
                                    head = head & 0xFFFFFF | port
                                extras.append(Extra(tick, channel, kind, body))
                            continue
                        else:
                            self.repairs["stray bytes skipped"] += 1
                            i += _COMMON_DATA.get(status, 0)
                            continue
                        channel = -1
                    if size == 2:
                        one = data[i]
                        two = data[i + 1]
                        i += 2
                        if one > 127 or two > 127:
                            self.repairs["data bytes above 127, taken as 127"] += 1
                            one, two = min(one, 127), min(two, 127)
                        append(tick << 32 | head | one << 8 | two)
                    else:
                        one = data[i]
                        i += 1
                        if one > 127:
                            self.repairs["data bytes above 127, taken as 127"] += 1
                            one = 127
                        append(tick << 32 | head | one << 8)
                seen = self._count(packed, seen, len(extras))
            if i > limit:
                packed.pop()
                raise IndexError
        except IndexError:
            self.repairs["events cut off by the end of their track, dropped"] += 1
            i = limit
        self._count(packed, min(seen, len(packed)), len(extras))
        self.messages += len(packed)
        self.others += len(extras)
        if tick > MAX_TICK:
            raise ReadError(f"a piece must end by tick {MAX_TICK}; this one ends at {tick}, so its times are damaged")
        events = np.frombuffer(packed, np.uint64) if packed else np.zeros(0, np.uint64)
        return _Found(TrackEvents(events, extras, tick), i, ended)

    def _number(self, data: bytes, i: int) -> tuple[int, int]:
        """A variable-length number of at most four bytes, and where it ends."""
        value = 0
        for _ in itertools.repeat(None, 4):
            byte = data[i]
            i += 1
            value = value << 7 | byte & 127
            if byte < 128:
                return value, i
        self.repairs["numbers longer than four bytes, cut"] += 1
        return value, i

    def _count(self, packed: array[int], seen: int, others: int) -> int:
        """Count the notes past `seen`; ReadError when the piece is larger than the caller allows."""
        new = np.frombuffer(packed, np.uint64, offset=8 * seen) if len(packed) > seen else np.zeros(0, np.uint64)
        self.notes += int(np.count_nonzero((new & 0xF00000 == 0x900000) & (new & 0x7F != 0)))
        for limit, count, name in ((self.max_notes, self.notes, "notes"),
                                   (self.max_notes, self.others + others, "texts and system events"),
                                   (_EVENTS_A_NOTE * self.max_notes, self.messages + len(packed), "channel messages")):
            if count > limit:
                raise ReadError(f"a piece must have at most {limit:,} {name}; this one has more: allow it with "
                                f"--max-notes {2 * self.max_notes}")
        return seen + len(new)
