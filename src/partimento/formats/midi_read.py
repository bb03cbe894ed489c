"""A Standard MIDI File into a Score: parts, notes paired first in, first out, the frame, the words, and the rest."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import ReadError, RequestError
from partimento.formats import midi_events, midi_text
from partimento.formats.midi_events import Extra, MidiFile
from partimento.formats.reading import DEFAULT_MAX_NOTES, Reading
from partimento.formats.rebar import frame_notices
from partimento.score import MAX_TICK, Controls, Key, Mark, Meter, Score, Tempo, Text, Track

TEXT_KINDS = {1: "text", 2: "copyright", 4: "instrument", 5: "lyric", 7: "cue"}
NAME, MARKER, TEMPO, SMPTE_OFFSET, METER, KEY, SEQUENCER = 3, 6, 0x51, 0x54, 0x58, 0x59, 0x7F
NEVER_ENDED = "notes never ended, ended with their track"
NO_NOTE = "note-offs without a note, dropped"
_DAMAGED = "damaged tempos, meters or keys, dropped"
USUAL_RELEASE = 64

Int64 = npt.NDArray[np.int64]


def usual_metronome(numerator: int, denominator: int) -> tuple[int, int]:
    """MIDI clocks a metronome click and 32nds a quarter, as they are usually written for a meter."""
    beats = 3 if numerator % 3 == 0 and numerator > 3 and denominator >= 8 else 1
    return min(255, max(1, 96 * beats // denominator)), 8


def parse(data: bytes, *, max_notes: int = DEFAULT_MAX_NOTES) -> Reading:
    """Return the Reading of a whole MIDI file given as bytes (types 0, 1, 2, SMPTE clocks, RIFF wrapping).

    A part is one (track, channel, port) of the file. ReadError, in one sentence, for what is no MIDI file.
    """
    file = midi_events.take_apart(data, max_notes)
    notices: list[str] = []
    offsets = np.zeros(len(file.tracks), np.int64)
    if file.type == 2 and len(file.tracks) > 1:
        ends = np.cumsum([track.end for track in file.tracks])
        offsets[1:] = ends[:-1]
        notices.append(f"the file holds {len(file.tracks)} patterns (type 2); they stand one after the other here")
    end = int(max(track.end + int(offset) for track, offset in zip(file.tracks, offsets, strict=True)))
    if end > MAX_TICK:
        raise ReadError(f"a piece must end by tick {MAX_TICK}; this one ends at {end}")
    events, riders = _Events.of(file, offsets).tidied(file)
    words = _Words(file, events, offsets)
    per_quarter, tempos = file.division, words.tempos
    if file.division >> 15:
        per_quarter, us, frames = _smpte(file.division)
        tempos = [Tempo(0, us)]
        notices.append(f"the file counts time in film frames ({frames}), not beats: bars and beats are guesses at "
                       f"{60e6 / us:g} a minute, seconds are exact; say where the bars are with --input-meter and "
                       "--input-downbeat")
    notes, release = _pair(events, file, offsets)
    programs, program_ticks, kept = _programs(events, notes)
    tracks = tuple(Track(words.names[i], program, channel == 9)
                   for i, (program, channel) in enumerate(zip(programs, events.channels.tolist(), strict=True)))
    extras: dict[str, Any] = {
        "parts": tuple(zip(events.ports.tolist(), events.channels.tolist(), program_ticks, strict=True)),
        "events": tuple(words.events), "raw": words.raw, "riders": riders, **release,
        "metronome": tuple((tick, *clocks) for tick, (clocks, usual) in words.metronome.items() if clocks != usual)}
    if words.title:
        extras["title"] = words.title
    try:
        score = Score(**notes, ticks_per_quarter=per_quarter, end=end, meters=tuple(words.meters),
                      tempos=tuple(tempos), keys=tuple(words.keys), marks=tuple(words.marks), tracks=tracks,
                      controls=_controls(events, kept), texts=tuple(words.texts),
                      extras={"midi": {name: value for name, value in extras.items() if value}})
    except RequestError as error:
        raise ReadError(str(error)) from None
    notices += frame_notices(score)
    return Reading(score, {name: n for name, n in file.repairs.items() if n}, tuple(notices))


def _smpte(division: int) -> tuple[int, int, str]:
    """Ticks a quarter, microseconds a quarter that keep every second exact, and the clock in words."""
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if frames == 29:                      # 30000/1001 frames a second: 15 frames last 500,500 µs exactly
        return 15 * ticks, 500_500, f"29.97 a second, {ticks} ticks each"
    if frames not in (24, 25, 30):
        raise ReadError(f"a film clock must have 24, 25, 29 or 30 frames a second; this file says {frames}")
    a_second = frames * ticks
    words = f"{frames} a second, {ticks} ticks each"
    return (a_second // 2, 500_000, words) if a_second % 2 == 0 else (a_second, 1_000_000, words)


class _Events(NamedTuple):
    """All channel messages, sorted by part, in file order inside a part; and what each part is."""

    tick: Int64
    part: npt.NDArray[np.int32]
    status: npt.NDArray[np.uint8]
    one: npt.NDArray[np.uint8]
    two: npt.NDArray[np.uint8]
    chunks: npt.NDArray[np.int32]     # of each part: its track chunk, channel and port
    channels: npt.NDArray[np.int32]
    ports: npt.NDArray[np.int32]

    @classmethod
    def of(cls, file: MidiFile, offsets: Int64) -> _Events:
        """Gather the tracks of `file`, each moved by its offset in ticks."""
        packed = np.concatenate([track.packed for track in file.tracks])
        sizes = [len(track.packed) for track in file.tracks]
        tick = (packed >> np.uint64(32)).astype(np.int64)
        if offsets.any():
            tick += np.repeat(offsets, sizes)
        low = packed.astype(np.uint32)
        del packed
        key = np.repeat(np.arange(len(sizes), dtype=np.int64) << 12, sizes)
        key |= (low >> 8 & 0xF00) | low >> 24          # channel, then port
        parts, inverse = np.unique(key, return_inverse=True)
        part = inverse.astype(np.int32)
        del key, inverse
        status, one, two = ((low >> shift).astype(np.uint8) for shift in (16, 8, 0))
        if (np.diff(part) < 0).any():
            order = np.argsort(part, kind="stable")
            tick, part, status, one, two = tick[order], part[order], status[order], one[order], two[order]
        return cls(tick, part, (status & 0xF0).astype(np.uint8), one, two, (parts >> 12).astype(np.int32),
                   (parts >> 8 & 15).astype(np.int32), (parts & 0xFF).astype(np.int32))


    def tidied(self, file: MidiFile) -> tuple[_Events, bytes]:
        """Without the parts that play no note in a track that is not theirs, and what rides along instead.

        Messages on a channel that plays elsewhere go to the first part that plays there; those on a channel that
        plays nowhere ride along as int32 rows (tick, part, status, data1, data2). A track of its own, with a name
        and no notes at all, stays a part.
        """
        count = len(self.chunks)
        playing = np.zeros(count, bool)
        playing[self.part[(self.status == 0x90) & (self.two > 0)]] = True
        if playing.all():
            return self, b""
        host: dict[int, int] = {}                              # of a track chunk: its first part that plays
        player: dict[tuple[int, int], int] = {}                # of a (port, channel): the first part that plays on it
        places = list(zip(self.ports.tolist(), self.channels.tolist(), strict=True))
        for i in np.flatnonzero(playing).tolist():
            host.setdefault(int(self.chunks[i]), i)
            player.setdefault(places[i], i)
        named = {i for i, track in enumerate(file.tracks) if any(extra.kind == NAME for extra in track.extras)}
        goes, rides = np.arange(count), np.zeros(count, bool)
        for i in np.flatnonzero(~playing).tolist():
            chunk = int(self.chunks[i])
            alone = chunk not in host
            if alone and chunk and chunk in named:
                continue
            goes[i] = player.get(places[i], host.get(chunk, i))
            rides[i] = not alone and places[i] not in player
        stays = np.flatnonzero(goes == np.arange(count))
        part = np.searchsorted(stays, goes[self.part]).astype(np.int32)
        strays = ((self.status == 0x80) | (self.status == 0x90)) & ~playing[self.part]
        file.repairs[NO_NOTE] += int(np.count_nonzero(strays))
        aside = rides[self.part] & ~strays
        rows = np.stack([self.tick, part, self.status | self.channels[self.part], self.one, self.two], axis=1)[aside]
        order = np.lexsort((self.tick, part))
        order = order[~(aside | strays)[order]]
        moved = _Events(self.tick[order], part[order], self.status[order], self.one[order], self.two[order],
                        self.chunks[stays], self.channels[stays], self.ports[stays])
        return moved, rows.astype("<i4").tobytes()


def _pair(events: _Events, file: MidiFile, offsets: Int64) -> tuple[dict[str, Any], dict[str, Any]]:
    """The note columns, and the release velocities; first in, first out for overlapping notes of one pitch."""
    sounding = np.flatnonzero((events.status == 0x80) | (events.status == 0x90))
    group = events.part[sounding].astype(np.int64) << 7 | events.one[sounding]
    order = np.argsort(group, kind="stable")
    sounding, group = sounding[order], group[order]
    is_on = (events.status[sounding] == 0x90) & (events.two[sounding] > 0)
    is_on, group, sounding, strays = _without_strays(is_on, group, sounding)
    file.repairs[NO_NOTE] += strays
    on, off, on_group, off_group = sounding[is_on], sounding[~is_on], group[is_on], group[~is_on]
    rank = np.arange(len(on)) - np.searchsorted(on_group, on_group)
    first_off = np.searchsorted(off_group, on_group)
    partner = first_off + rank
    ended = partner < np.searchsorted(off_group, on_group, side="right")
    file.repairs[NEVER_ENDED] += int(np.count_nonzero(~ended))
    stop = np.array([track.end for track in file.tracks], np.int64) + offsets
    finish = stop[events.chunks[events.part[on]]]
    finish[ended] = events.tick[off[partner[ended]]]
    onset = events.tick[on]
    columns = {"onset": onset, "duration": finish - onset, "pitch": events.one[on], "velocity": events.two[on],
               "track": events.part[on]}
    return {name: column.astype(np.int32) for name, column in columns.items()}, _release(events, off)


def _without_strays(is_on: npt.NDArray[np.bool_], group: Int64, at: Int64) -> tuple[Any, Any, Any, int]:
    """Drop the note-offs that come when no note of their group sounds; return the columns kept and how many went."""
    if not len(group):
        return is_on, group, at, 0
    begins = np.flatnonzero(np.diff(group, prepend=-1))
    sizes = np.diff(np.append(begins, len(group)))
    balance = np.cumsum(np.where(is_on, 1, -1))
    base = np.append(0, balance[begins[1:] - 1])
    balance -= np.repeat(base, sizes)                       # notes sounding in the group, were nothing stray
    shift = np.repeat(np.arange(len(begins)) * -2 * (len(group) + 1), sizes)
    lowest = np.minimum.accumulate(np.minimum(balance, 0) + shift) - shift
    before = np.append(0, lowest[:-1])
    before[begins] = 0
    keep = is_on | (lowest == before)
    return is_on[keep], group[keep], at[keep], int(np.count_nonzero(~keep))


def _release(events: _Events, off: Int64) -> dict[str, Any]:
    """Release velocities where they are not all 64: the usual one, and of the others int32 rows (track, tick, pitch,
    which of the notes of that pitch that end there, velocity)."""
    speed = np.where(events.status[off] == 0x80, events.two[off], USUAL_RELEASE)
    if not len(off) or (speed == USUAL_RELEASE).all():
        return {}
    usual = int(np.bincount(speed).argmax())
    ends = np.stack([events.part[off], events.tick[off], events.one[off]], axis=1)
    new = (np.diff(ends, axis=0, prepend=-1) != 0).any(axis=1)
    place = np.arange(len(off))
    which = place - np.maximum.accumulate(np.where(new, place, 0))
    rows = np.column_stack([ends, which, speed])[speed != usual]
    return {"release": (usual, rows.astype("<i4").tobytes())}


def _programs(events: _Events, notes: dict[str, Any]) -> tuple[list[int], list[int], npt.NDArray[np.bool_]]:
    """Of each part its program at its first note, the tick where that was said (−1: nowhere), and which of all
    program changes are to stay in the controls: all but one alone that comes by the first note."""
    first = np.full(len(events.chunks), MAX_TICK, np.int64)
    np.minimum.at(first, notes["track"], notes["onset"])
    changes = np.flatnonzero(events.status == 0xC0)
    part, tick, program = events.part[changes], events.tick[changes], events.one[changes]
    by_first = tick <= first[part]
    said = np.bincount(part[by_first], minlength=len(first))
    # The program of a channel holds for every track chunk that plays on it, so a part without its own takes that.
    channel = events.ports.astype(np.int64) << 4 | events.channels
    moment = channel[part] << 32 | tick
    order = np.argsort(moment, kind="stable")
    latest = np.searchsorted(moment[order], channel << 32 | first, side="right") - 1
    of_channel = order[latest] if len(order) else latest
    found = (latest >= 0) if len(order) else np.zeros(len(first), bool)
    found[found] = channel[part[of_channel[found]]] == channel[found]
    programs, ticks = np.zeros(len(first), np.int64), np.full(len(first), -1, np.int64)
    programs[found] = program[of_channel[found]]
    programs[part[by_first]], ticks[part[by_first]] = program[by_first], tick[by_first]     # the last one counts
    keep = np.zeros(len(events.tick), bool)
    keep[changes[~(by_first & (said[part] == 1))]] = True
    return programs.tolist(), ticks.tolist(), keep


def _controls(events: _Events, programs_kept: npt.NDArray[np.bool_]) -> Controls:
    mask = (events.status != 0x80) & (events.status != 0x90) & ((events.status != 0xC0) | programs_kept)
    tick, part, kind = events.tick[mask], events.part[mask], events.status[mask].astype(np.int32)
    one, two = events.one[mask].astype(np.int32), events.two[mask].astype(np.int32)
    paired = (kind == 0xB0) | (kind == 0xA0)
    value = np.where(paired, two, np.where(kind == 0xE0, (two << 7 | one) - 8192, one))
    return Controls(tick.astype(np.int32), part, kind, np.where(paired, one, 0).astype(np.int32),
                    value.astype(np.int32))


class _Words:
    """Everything that is no channel message: the frame, names, words, and events that ride along."""

    def __init__(self, file: MidiFile, events: _Events, offsets: Int64) -> None:
        self.tempos: list[Tempo] = []
        self.meters: list[Meter] = []
        self.keys: list[Key] = []
        self.marks: list[Mark] = []
        self.texts: list[Text] = []
        self.events: list[tuple[int, int, bytes]] = []
        self.metronome: dict[int, tuple[tuple[int, int], tuple[int, int]]] = {}    # as written, as usual
        self.raw: dict[str, bytes] = {}
        self.title = ""
        self.names = [""] * len(events.chunks)
        self._repairs: Counter[str] = file.repairs
        self._channels = events.channels.tolist()
        self._known: set[Key] = set()
        parts: dict[int, list[int]] = {}
        for part, chunk in enumerate(events.chunks.tolist()):
            parts.setdefault(chunk, []).append(part)
        for chunk, track in enumerate(file.tracks):
            self._chunk(chunk, track.extras, parts.get(chunk, []), int(offsets[chunk]), file.type)
        self.texts.sort(key=lambda text: text[:2])
        self.events.sort(key=lambda event: event[:2])

    def _chunk(self, chunk: int, extras: list[Extra], parts: list[int], offset: int, file_type: int) -> None:
        home = parts[0] if parts and (chunk or len(parts) == 1) else -1
        title_here = chunk == 0 and (not parts or (file_type == 0 and len(parts) > 1))
        of_channel: dict[int, list[int]] = {}
        for part in parts:
            of_channel.setdefault(self._channels[part], []).append(part)
        named: set[int] = set()
        for extra in extras:
            tick = extra.tick + offset
            own = of_channel.get(extra.channel)
            place = own[0] if own else home
            if extra.kind == NAME:
                text = self._decode(extra.data)
                if title_here and not own and not self.title:
                    self.title = text
                elif text and (own or parts) and extra.channel not in named and (own or not title_here):
                    for part in own or parts:
                        self.names[part] = self.names[part] or text
                    named.add(extra.channel)
                elif text:
                    self.texts.append(Text(tick, place, "text", text))
            elif extra.kind in TEXT_KINDS:
                where = -1 if chunk == 0 and extra.kind == 2 else place
                self.texts.append(Text(tick, where, TEXT_KINDS[extra.kind], self._decode(extra.data)))
            elif extra.kind == MARKER:
                self.marks.append(Mark(tick, "marker", self._decode(extra.data)))
            elif extra.kind in (TEMPO, METER, KEY):
                if not self._frame(tick, extra.kind, extra.data):
                    self._repairs[_DAMAGED] += 1
            elif extra.data or extra.kind != SEQUENCER:
                self.events.append((tick, place, bytes((extra.kind,)) + extra.data))

    def _frame(self, tick: int, kind: int, data: bytes) -> bool:
        """Take a tempo, meter or key; False when it is damaged."""
        if kind == TEMPO:
            us = int.from_bytes(data[:3], "big")
            if len(data) < 3 or not us:
                return False
            self.tempos.append(Tempo(tick, us))
        elif kind == METER:
            if len(data) < 2 or not data[0] or data[1] > 7:
                return False
            self.meters.append(Meter(tick, data[0], 1 << data[1]))
            usual = usual_metronome(data[0], 1 << data[1])
            self.metronome[tick] = ((data[2], data[3]) if len(data) >= 4 else usual, usual)
        else:
            if len(data) < 2 or data[1] > 1 or not -7 <= (data[0] ^ 0x80) - 0x80 <= 7:
                return False
            key = Key(tick, (data[0] ^ 0x80) - 0x80, "minor" if data[1] else "major")
            if key not in self._known:         # often said once in every track
                self._known.add(key)
                self.keys.append(key)
        return True

    def _decode(self, data: bytes) -> str:
        text = midi_text.decode(data)
        if text.encode("utf-8") != data:
            self.raw.setdefault(text, data)
        return text
