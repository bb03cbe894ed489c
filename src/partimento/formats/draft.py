"""What a reader of notation finds, until it is a Score: bars, ties, voices and the clock settled once."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from partimento.errors import ReadError
from partimento.formats.reading import DEFAULT_MAX_NOTES, Reading
from partimento.score import MAX_TICK, Chord, Key, Mark, Meter, Score, Tempo, Text, Track

Time = int | Fraction                  # quarter notes from the beginning of the piece

CLOCK = 480                            # a written Score ticks in multiples of this a quarter note
FINEST_CLOCK = 100_000
ROUNDED_CLOCK = CLOCK * 3 * 7          # where what the music needs is finer than that, or makes the piece too long
MAX_QUARTERS = MAX_TICK // ROUNDED_CLOCK
SHORTEST_BAR = Fraction(1, 32)         # the length of a bar is a multiple of this


class Written(NamedTuple):
    """One note head as it stands on the page; tied heads become one note."""

    part: int
    onset: Time
    duration: Time
    pitch: int
    velocity: int
    voice: str
    staff: int
    spelling: int
    grace: int
    tied_from: bool
    tied_to: bool


class Draft:
    """A Score in the making: a reader says what it finds, `reading` puts it together.

    Times are quarter notes as ints or Fractions. Bars are said in order, notes and everything else in any order.

    >>> draft = Draft()
    >>> violin, start = draft.part("Violin", 40), draft.bar(4, (4, 4))
    >>> draft.note(violin, start, Fraction(1, 3), 69)
    >>> draft.reading().score.duration.tolist()
    [160]
    """

    def __init__(self, max_notes: int = DEFAULT_MAX_NOTES) -> None:
        self.repairs: Counter[str] = Counter()
        self.notices: list[str] = []
        self.extras: dict[str, Any] = {}
        self._max_notes = max_notes
        self._parts: list[Track] = []
        self._notes: list[Written] = []
        self._bars: list[tuple[Time, Time, tuple[int, int] | None]] = []
        self._end: Time = 0
        self._keys: list[tuple[Time, int, str]] = []
        self._tempos: list[tuple[Time, float]] = []
        self._chords: list[tuple[Time, str]] = []
        self._marks: list[tuple[Time, str, str]] = []
        self._texts: list[tuple[Time, int, str, str]] = []
        self._fermatas: defaultdict[Time, set[int]] = defaultdict(set)
        self._clefs: list[tuple[Time, int, int, str]] = []

    # --- what a reader says ---------------------------------------------------------------------------------

    def part(self, name: str = "", program: int = 0, is_drum: bool = False) -> int:
        """The number of a new part; `program` is a General MIDI program 0–127."""
        self._parts.append(Track(name, min(max(program, 0), 127), is_drum))
        return len(self._parts) - 1

    def rename(self, part: int, track: Track) -> None:
        """Say what a part is once more, when the file tells it late."""
        self._parts[part] = track

    def bar(self, length: Time, meter: tuple[int, int] | None = None) -> Time:
        """Where a new bar of `length` quarter notes begins; `meter` where one is written at its beginning.

        A length that no note values fill is made up to the next 128th, and counted.
        """
        start = self._end
        if length <= 0:
            return start
        whole = -(-length // SHORTEST_BAR) * SHORTEST_BAR
        if whole != length:
            self.repairs["bars of odd length filled up"] += 1
        self._end = start + whole
        if self._end > MAX_QUARTERS:
            raise ReadError(f"a piece must be under {MAX_QUARTERS} quarter notes long; this one is longer")
        self._bars.append((start, whole, meter))
        return start

    @property
    def end(self) -> Time:
        """Where the bars said so far end."""
        return self._end

    def note(self, part: int, onset: Time, duration: Time, pitch: int, *, velocity: int = 80, voice: str | int = 1,
             staff: int = 1, spelling: int = -1, grace: int = 0, tied_from: bool = False,
             tied_to: bool = False) -> None:
        """A note head: `tied_from` the one before, `tied_to` the one after of the same part and pitch.

        `voice` is the file's own name for it. A pitch outside 0–127 is left out and counted. ReadError where there
        are more notes than may be read.
        """
        if not 0 <= pitch <= 127:
            self.repairs["notes outside the range of MIDI left out"] += 1
            return
        if len(self._notes) >= self._max_notes:
            raise ReadError(f"a piece must have at most {self._max_notes} notes; this one has more: raise --max-notes")
        self._notes.append(Written(part, onset, 0 if grace > 0 else duration, pitch, min(max(velocity, 1), 127),
                                   str(voice), max(staff, 1), spelling, grace, tied_from, tied_to))

    def key(self, onset: Time, fifths: int, mode: str = "") -> None:
        """A key signature of concert pitch; its range is −7 to 7, and what lies beyond is counted and wrapped."""
        if not -7 <= fifths <= 7:
            self.repairs["keys of more than seven accidentals respelled"] += 1
            fifths = (fifths + 5) % 12 - 5
        self._keys.append((onset, fifths, mode))

    def tempo(self, onset: Time, bpm: float) -> None:
        """A tempo in quarter notes a minute; one outside 1–10,000 is left out and counted."""
        if 1 <= bpm <= 10_000:
            self._tempos.append((onset, bpm))
        else:
            self.repairs["impossible tempos left out"] += 1

    def chord(self, onset: Time, symbol: str) -> None:
        """A chord symbol."""
        self._chords.append((onset, symbol))

    def mark(self, onset: Time, kind: str, text: str = "") -> None:
        """A sign, as `Mark` names them; fermatas have a call of their own."""
        self._marks.append((onset, kind, text))

    def fermata(self, onset: Time, part: int) -> None:
        """A fermata in a part over what begins at `onset`."""
        self._fermatas[onset].add(part)

    def text(self, onset: Time, part: int, kind: str, text: str) -> None:
        """Words, as `Text` names them; empty ones are nothing."""
        if text := " ".join(text.split()):
            self._texts.append((onset, part, kind, text))

    def clef(self, onset: Time, part: int, staff: int, clef: str) -> None:
        """A clef from `onset` on, named as ``G2``, ``F4``, ``C3``, ``G2_8`` or ``percussion``."""
        self._clefs.append((onset, part, staff, clef))

    # --- what becomes of it ---------------------------------------------------------------------------------

    def reading(self) -> Reading:
        """The Score and what was mended; ReadError where the file has no part at all."""
        if not self._parts:
            raise ReadError("a score must have a part; this file has none")
        notes = _joined(self._notes, self.repairs)
        end = max((note.onset + note.duration for note in notes), default=0)
        if end > self._end:
            if self._bars:
                self.repairs["notes beyond the last bar"] += 1
            self._end = end
        clock = self._clock(notes)

        @cache
        def tick(time: Time) -> int:
            return round(time * clock)

        marks = [Mark(tick(at), kind, text) for at, kind, text in self._marks]
        meters = self._meters(tick, marks)
        starts = defaultdict(set)
        for note in notes:
            starts[note.onset].add(note.part)
        for at, parts in self._fermatas.items():
            text = "" if parts >= starts[at] and len(parts) >= len(starts[at]) and starts[at] \
                else " ".join(map(str, sorted(parts)))
            marks.append(Mark(tick(at), "fermata", text if len(self._parts) > 1 else ""))
        table = np.array([(tick(n.onset), tick(n.onset + n.duration) - tick(n.onset), n.pitch, n.velocity, n.part,
                           n.staff, n.spelling, n.grace) for n in notes], np.int64).reshape(-1, 8)
        columns: dict[str, Any] = dict(zip(
            ("onset", "duration", "pitch", "velocity", "track", "staff", "spelling", "grace"), table.T, strict=True))
        columns["voice"] = _voices(notes)
        for name, nothing in (("spelling", -1), ("grace", 0)):
            if (columns[name] == nothing).all():
                del columns[name]
        clefs = [[tick(at), part, staff, clef] for at, part, staff, clef in self._clefs]
        notation = {**self.extras, "clefs": sorted(clefs)} if clefs else self.extras
        score = Score(
            **columns, ticks_per_quarter=clock, end=tick(self._end), meters=tuple(meters),
            tempos=tuple(Tempo(tick(at), round(60e6 / bpm)) for at, bpm in self._tempos),
            keys=_changes(Key(tick(at), fifths, mode) for at, fifths, mode in self._keys),
            chords=tuple(dict.fromkeys(sorted(Chord(tick(at), symbol) for at, symbol in self._chords))),
            marks=tuple(dict.fromkeys(sorted(marks))), tracks=tuple(self._parts),
            texts=tuple(dict.fromkeys(sorted(Text(tick(at), part, kind, text)
                                             for at, part, kind, text in self._texts))),
            extras={"notation": notation} if notation else {})
        return Reading(score, +self.repairs, tuple(self.notices))

    def _clock(self, notes: list[Written]) -> int:
        """Ticks a quarter note in which every time said is whole; 480 times a whole number, or rounded if too fine."""
        times: list[Time] = [self._end, *(bar[0] for bar in self._bars)]
        for said in (self._keys, self._tempos, self._chords, self._marks, self._texts, self._clefs):
            times += [entry[0] for entry in said]
        times += self._fermatas
        times += [note.onset for note in notes] + [note.duration for note in notes]
        clock = CLOCK
        for part in {time.denominator for time in times}:
            clock = math.lcm(clock, part)
            if clock > FINEST_CLOCK or clock * self._end > MAX_TICK:
                self.repairs["times finer than the clock rounded"] += 1
                return ROUNDED_CLOCK
        return clock

    def _meters(self, tick: Any, marks: list[Mark]) -> list[Meter]:
        """The meters that give back every bar: restated after a short bar, replaced by its own length over a long one.

        Marks that hide what no page would print are added to `marks`.
        """
        meters: list[Meter] = []
        now, due = (4, 4), False        # the meter in force; whether it has to be said again
        hidden = False                  # whether what is in force for the Score is no meter of the page
        shown: tuple[int, int] | None = None
        for start, length, said in self._bars:
            at = tick(start)
            fresh = said is not None and (said != now or not meters)
            now = said or now
            full = Fraction(4 * now[0], now[1])
            if length > full:
                meters.append(Meter(at, *_as_meter(length, now[1])))
                marks.append(Mark(at, "meter", "hidden"))
                due = hidden = True
                continue
            if fresh or due:
                meters.append(Meter(at, *now))
                if hidden and not fresh and now == shown:
                    marks.append(Mark(at, "meter", "hidden"))
                shown = now
            hidden, due = False, length < full
        return meters


def _as_meter(length: Time, denominator: int) -> tuple[int, int]:
    """A meter of exactly `length` quarter notes, in notes of 1/`denominator` where that can be."""
    wholes = Fraction(length) / 4
    below = math.lcm(wholes.denominator, denominator) if denominator & (denominator - 1) == 0 else wholes.denominator
    return int(wholes * below), below


def _joined(notes: list[Written], repairs: Counter[str]) -> list[Written]:
    """The notes with tied heads made one; a tie that leads nowhere is counted, and its notes stay."""
    out: list[Written] = []
    waiting: defaultdict[tuple[int, int, Time], list[int]] = defaultdict(list)     # by part, pitch, end -> in `out`
    for note in sorted(notes, key=lambda n: (n.onset, n.grace == 0)):
        before = waiting.get((note.part, note.pitch, note.onset)) if note.tied_from and note.duration else None
        if before:
            index = next((i for i in before if out[i].voice == note.voice), before[0])
            before.remove(index)
            out[index] = out[index]._replace(duration=note.onset + note.duration - out[index].onset)
        else:
            repairs["ties from nowhere"] += bool(note.tied_from and note.duration)
            index = len(out)
            out.append(note)
        if note.tied_to and note.duration:
            waiting[note.part, note.pitch, note.onset + note.duration].append(index)
    return out


def _voices(notes: Iterable[Written]) -> list[int]:
    """The voices counted from 1 in each part, in order of their staff, then of their name in the file."""
    staves: defaultdict[tuple[int, str], Counter[int]] = defaultdict(Counter)
    for note in notes:
        staves[note.part, note.voice][note.staff] += 1
    ranked = sorted(staves, key=lambda at: (at[0], max(staves[at], key=lambda s: (staves[at][s], -s)),
                                            (0, int(at[1]), "") if at[1].isdecimal() else (1, 0, at[1])))
    seen: Counter[int] = Counter()
    number = {}
    for part, voice in ranked:
        seen[part] += 1
        number[part, voice] = seen[part]
    return [number[note.part, note.voice] for note in notes]


def _changes(keys: Iterable[Key]) -> tuple[Key, ...]:
    """The keys in order, one a moment, none that says again what rules already."""
    out: list[Key] = []
    for key in sorted({key.tick: key for key in keys}.values()):
        if not out or out[-1][1:] != key[1:]:
            out.append(key)
    return tuple(out)
