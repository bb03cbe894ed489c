"""The chords and rests of one track, bar by bar and voice by voice."""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from partimento.notation import names
from partimento.notation.sheet_accidentals import Accidentals
from partimento.notation.sheet_beams import beamed, beamed_graces
from partimento.notation.sheet_drums import drum_place
from partimento.notation.sheet_meter import Pulse
from partimento.notation.sheet_page import Event, KeySign, NoteHead, Syllable, Tuplet, VoiceBar
from partimento.notation.sheet_values import Span, UnwritableError, ValuedPiece, forced_apart, note_values, on_values
from partimento.score import Score


class BarFrame(NamedTuple):
    """One bar in ticks: where it begins and ends, its meter, and how far into a full bar its first tick is."""

    start: int
    stop: int
    pulse: Pulse
    offset: int


class Note(NamedTuple):
    """One note of a track: ticks from `onset` to `stop`, its voice, staff and written name."""

    place: int
    onset: int
    stop: int
    voice: int
    staff: int
    grace: int
    head: NoteHead


class VoiceLines:
    """The voices of one track, made of its notes and frames bar by bar; `snapped` counts what no values write."""

    def __init__(self, notes: Sequence[Note], frames: Sequence[BarFrame], staves: int, *,
                 forced: Iterable[int] = (), fermatas: Iterable[int] = (),
                 syllables: Mapping[int, Sequence[Syllable]] | None = None) -> None:
        self.frames, self.staves = frames, staves
        self.forced, self.fermatas = sorted(set(forced)), frozenset(fermatas)
        self.syllables = syllables or {}
        self.snapped = 0
        self.home = _homes(notes)
        self._starts = [frame.start for frame in frames]
        self._in_bar: list[defaultdict[int, list[Note]]] = [defaultdict(list) for _ in frames]
        for note in notes:
            first = self._bar(note.onset)
            last = self._bar(note.stop - 1) if note.stop > note.onset else first
            for bar in range(first, last + 1):
                self._in_bar[bar][note.voice].append(note)

    def _bar(self, tick: int) -> int:
        return max(0, bisect.bisect_right(self._starts, tick) - 1)

    def bar(self, number: int) -> tuple[VoiceBar, ...]:
        """The voices of one bar (from 0), by staff and number; a staff where nothing sounds has a rest for the bar."""
        frame, found = self.frames[number], self._in_bar[number]
        staff_of = {voice: _staff(notes) for voice, notes in found.items()}
        ranked = sorted(found, key=lambda voice: (staff_of[voice], voice))
        busy = {note.staff for notes in found.values() for note in notes}
        out: list[VoiceBar] = []
        for staff in range(1, self.staves + 1):
            own = [voice for voice in ranked if staff_of[voice] == staff]
            for place, voice in enumerate(own):
                stem = "" if len(own) == 1 else ("up", "down")[place % 2]
                out.append(VoiceBar(voice, staff, self._events(frame, staff, found[voice], place > 0, stem)))
            if staff not in busy:
                idle = [voice for voice, home in self.home.items() if home == staff and voice not in found]
                voice = min(idle, default=max(self.home, default=0) + staff)
                out.append(VoiceBar(voice, staff, self._events(frame, staff, [], False, "")))
        return self._sung(self._held(tuple(out)))

    # --- one voice of one bar ------------------------------------------------------------------------------

    def _events(self, frame: BarFrame, staff: int, notes: list[Note], second: bool, stem: str) -> tuple[Event, ...]:
        plain = [note for note in notes if not note.grace]
        graces = [note for note in notes if note.grace]
        edges = {frame.start, frame.stop, *(n.onset for n in notes), *(n.stop for n in plain)}
        forced = self.forced[bisect.bisect_left(self.forced, frame.start):bisect.bisect_left(self.forced, frame.stop)]
        edges.update(forced)
        row = sorted(edge for edge in edges if frame.start <= edge <= frame.stop)
        sounding = [[n for n in plain if n.onset <= a and n.stop >= b] for a, b in pairwise(row)]
        apart = {n.onset for n in graces} | set(forced)
        kept = [i for i in range(len(sounding)) if i == 0 or sounding[i] or sounding[i - 1] or row[i] in apart]
        cuts = [row[i] for i in kept] + [frame.stop]
        groups = [sounding[i] for i in kept]
        if groups == [[]] and not graces:
            return (Event(frame.start, frame.stop - frame.start, staff, kind="whole", whole_bar=True),)
        shift = frame.offset - frame.start
        spans = tuple(Span(a + shift, b + shift, not group)
                      for (a, b), group in zip(pairwise(cuts), groups, strict=True))
        for ways in (None, on_values, forced_apart):
            moved = ways(spans, frame.pulse) if ways else spans
            try:
                pieces = note_values(tuple(s for s in moved if s.start < s.stop), frame.pulse, frame.offset,
                                 frame.stop + shift)
                break
            except UnwritableError:
                continue
        self.snapped += sum(bool(group) and old != new for old, new, group in zip(spans, moved, groups, strict=True))
        return self._assembled(pieces, groups, moved, graces, frame, staff, second, stem, cuts)

    def _assembled(self, pieces: Sequence[ValuedPiece], groups: Sequence[list[Note]], spans: Sequence[Span],
                   graces: list[Note], frame: BarFrame, staff: int, second: bool, stem: str,
                   cuts: Sequence[int]) -> tuple[Event, ...]:
        filled = [span for span in range(len(spans)) if spans[span].start < spans[span].stop]
        rests = [not groups[filled[p.span]] for p in pieces]
        beams = beamed(pieces, rests, frame.pulse)
        struck = [i for i, rest in enumerate(rests) if not rest]
        first, last = (struck[0], struck[-1]) if struck else (len(pieces), -1)
        shift = frame.start - frame.offset
        before: defaultdict[int, list[Note]] = defaultdict(list)
        for note in graces:
            before[note.onset].append(note)
        ornate = set(before)
        out: list[Event] = []
        begun: set[int] = set()
        here = staff
        for i, piece in enumerate(pieces):
            source = filled[piece.span]
            group = groups[source]
            if source not in begun:
                for event in self._graces(before.pop(cuts[source], []), piece.start + shift, stem):
                    out.append(event)
            heads = tuple(dataclasses.replace(
                note.head, tie_stop=note.onset < cuts[source] or source in begun,
                tie_start=note.stop > cuts[source + 1] or (i + 1 < len(pieces) and pieces[i + 1].span == piece.span))
                for note in sorted(group, key=lambda n: (n.head.pitch, n.place)))
            begun.add(source)
            here = heads[0].staff if heads else here
            hidden = second and not heads and not (first < i < last or piece.tuplets or cuts[source] in ornate)
            out.append(Event(piece.start + shift, piece.stop - piece.start, here, heads, piece.kind, piece.dots,
                             _tuplets(piece, pieces, i, beams), beams[i], hidden=hidden, stem=stem))
        for at in sorted(before):
            out += self._graces(before[at], frame.stop, stem)
        return tuple(out)

    def _graces(self, notes: list[Note], at: int, stem: str) -> list[Event]:
        groups: defaultdict[int, list[Note]] = defaultdict(list)
        for note in notes:
            groups[note.grace % 100].append(note)
        kind = "eighth" if len(groups) == 1 else "16th"
        beams = beamed_graces([kind] * len(groups))
        out: list[Event] = []
        for hung, (_, group) in zip(beams, sorted(groups.items()), strict=True):
            heads = tuple(note.head for note in sorted(group, key=lambda n: (n.head.pitch, n.place)))
            slash = any(note.grace > 100 for note in group)
            out.append(Event(at, 0, heads[0].staff, heads, kind, 0, (), hung, grace=len(out) + (101 if slash else 1),
                             stem=stem))
        return out

    # --- what hangs on events ------------------------------------------------------------------------------

    def _held(self, voices: tuple[VoiceBar, ...]) -> tuple[VoiceBar, ...]:
        """Fermatas over what begins there, one a staff."""
        if not self.fermatas:
            return voices
        done: set[tuple[int, int]] = set()
        out = []
        for voice in voices:
            events = list(voice.events)
            for i, event in enumerate(events):
                if event.onset in self.fermatas and not event.grace and not event.hidden and \
                        (event.onset, voice.staff) not in done:
                    done.add((event.onset, voice.staff))
                    events[i] = dataclasses.replace(event, fermata=True)
            out.append(dataclasses.replace(voice, events=tuple(events)))
        return tuple(out)

    def _sung(self, voices: tuple[VoiceBar, ...]) -> tuple[VoiceBar, ...]:
        """Syllables under what begins there, those of one verse in the order of the voices; else under what is held."""
        if not self.syllables:
            return voices
        places: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        tied: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        silent: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for v, voice in enumerate(voices):
            for e, event in enumerate(voice.events):
                if event.onset in self.syllables and not event.grace and not event.hidden:
                    begins = any(not head.tie_stop for head in event.heads)
                    (places if begins else tied if event.heads else silent)[event.onset].append((v, e))
        given: defaultdict[tuple[int, int], list[Syllable]] = defaultdict(list)
        for tick, where in (dict(silent) | dict(tied) | dict(places)).items():
            used: defaultdict[int, int] = defaultdict(int)
            for syllable in self.syllables[tick]:
                given[where[min(used[syllable.verse], len(where) - 1)]].append(syllable)
                used[syllable.verse] += 1
        if not given:
            return voices
        return tuple(dataclasses.replace(voice, events=tuple(
            dataclasses.replace(event, syllables=tuple(given[v, e])) if (v, e) in given else event
            for e, event in enumerate(voice.events))) for v, voice in enumerate(voices))


def _homes(notes: Iterable[Note]) -> dict[int, int]:
    """The staff on which most notes of each voice stand."""
    counts: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for note in notes:
        counts[note.voice][note.staff] += 1
    return {voice: max(staves, key=lambda s: (staves[s], -s)) for voice, staves in counts.items()}


def _staff(notes: Sequence[Note]) -> int:
    return next(iter(_homes(note._replace(voice=0) for note in notes).values()))


def _tuplets(piece: ValuedPiece, pieces: Sequence[ValuedPiece], i: int,
             beams: Sequence[tuple[str, ...]]) -> tuple[Tuplet, ...]:
    out = []
    for depth, (start, stop, actual, normal) in enumerate(piece.tuplets):
        inside = [j for j, other in enumerate(pieces) if start <= other.start and other.stop <= stop]
        joined = all(beams[j] for j in inside) and beams[inside[0]][0] == "begin" and beams[inside[-1]][0] == "end" \
            and all(beams[j][0] == "continue" for j in inside[1:-1])
        out.append(Tuplet(actual, normal, i == inside[0], i == inside[-1], depth + 1, not joined))
    return tuple(out)


def with_accidentals(voices: tuple[VoiceBar, ...], staves: Mapping[int, Accidentals],
                     keys: Sequence[KeySign]) -> tuple[VoiceBar, ...]:
    """Return the voices of a bar with the accidentals that must be shown; `staves` is carried from bar to bar."""
    for staff in staves.values():
        staff.new_bar()
    waiting = list(keys)

    def turn_keys(tick: float) -> None:
        while waiting and waiting[0].tick <= tick:
            key = waiting.pop(0)
            for staff in staves.values():
                staff.new_key(key.fifths)

    order = sorted(((event.onset, e, v) for v, voice in enumerate(voices) for e, event in enumerate(voice.events)
                    if event.heads), key=lambda place: (place[0], not voices[place[2]].events[place[1]].grace, place[2],
                                                        place[1]))
    shown: dict[tuple[int, int], Event] = {}
    for onset, e, v in order:
        turn_keys(onset)
        event, heads = voices[v].events[e], []
        for head in event.heads:
            sign, cautionary = ("", False) if head.unpitched else staves[head.staff].shown(
                head.step, head.alter, head.octave, head.tie_stop)
            heads.append(dataclasses.replace(head, accidental=sign, cautionary=cautionary) if sign else head)
        if any(head.accidental for head in heads):
            shown[v, e] = dataclasses.replace(event, heads=tuple(heads))
    turn_keys(math.inf)
    if not shown:
        return voices
    return tuple(dataclasses.replace(voice, events=tuple(shown.get((v, e), event)
                                                         for e, event in enumerate(voice.events)))
                 for v, voice in enumerate(voices))


def notes_of_track(score: Score, track: int, scale: int, transpose: tuple[int, int, int]) -> list[Note]:
    """Return the notes of a track with their written heads; ticks are multiplied by `scale`."""
    drum = score.tracks[track].is_drum
    fifths = interval_fifths(transpose)
    semitones = transpose[1] + 12 * transpose[2]
    ticks = [key.tick for key in score.keys]
    centres = [key.fifths for key in score.keys]
    out = []
    for i in np.flatnonzero(score.track == track).tolist():
        onset, duration, pitch = int(score.onset[i]), int(score.duration[i]), int(score.pitch[i])
        staff = max(1, int(score.staff[i])) if score.staff is not None else 1
        if drum:
            step, octave, notehead = drum_place(pitch)
            head = NoteHead(pitch, step, 0, octave, staff, i, notehead=notehead, unpitched=True)
        else:
            place = int(score.spelling[i]) if score.spelling is not None else -1
            if place < 0 or (place * 7 - 15 * 7 - pitch) % 12:
                at = bisect.bisect_right(ticks, onset) - 1
                middle = names.OFFSET + 2 + (centres[at] if at >= 0 else 0)
                place = min(names.spellings_of(pitch), key=lambda s: (abs(s - middle), s))
            place -= fifths
            place += 12 * ((place < names.LOWEST) - (place > names.HIGHEST))
            step, alter, octave = names.name_of(pitch - semitones, place)
            head = NoteHead(pitch, step, alter, octave, staff, i)
        out.append(Note(i, onset * scale, (onset + duration) * scale,
                        max(1, int(score.voice[i])) if score.voice is not None else 1, staff,
                        max(0, int(score.grace[i])) if score.grace is not None else 0, head))
    return out


def interval_fifths(transpose: tuple[int, int, int]) -> int:
    """Return how far an interval (diatonic steps, semitones, octaves) moves along the line of fifths.

    >>> interval_fifths((-1, -2, 0)), interval_fifths((-2, -3, 0)), interval_fifths((0, 0, -1))
    (-2, 3, 0)
    """
    diatonic, chromatic, _ = transpose
    ways = [f for f in range(-12, 13) if (7 * f - chromatic) % 12 == 0]
    return min(ways, key=lambda f: ((4 * f - diatonic) % 7 != 0, abs(f)))
