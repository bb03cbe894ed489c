"""One part of a MusicXML file, bar after bar: where everything stands, counted from the beginning of its bar."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple
from xml.etree.ElementTree import Element

from partimento.errors import ReadError
from partimento.formats.draft import Time
from partimento.formats.musicxml_direction import Direction, barline_marks, chord_symbol, direction_of
from partimento.formats.musicxml_parts import PartNames, drum_key
from partimento.formats.musicxml_values import (
    Alterations,
    Number,
    Transposition,
    clef_of,
    look_of,
    meter_of,
    near_key,
    number,
    on_line,
    quarters,
    small,
    syllable_of,
    ties_of,
    transposition_of,
    whole,
    written_pitch,
)

MAX_MEASURES = 30_000


class Head(NamedTuple):
    """One note head; `onset` counts from its bar, `velocity` 0 where the dynamics say it."""

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


def length_of(meter: tuple[int, int]) -> Fraction:
    """Quarter notes of a bar in a meter."""
    return Fraction(4 * meter[0], meter[1])


class Bar:
    """What one bar of one part holds."""

    __slots__ = ("heads", "length", "meter", "rested", "ruling", "split")

    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.length: Time = 0          # how far notes and sounding rests go
        self.rested: Time = 0          # how far rests of a whole measure go
        self.meter: tuple[int, int] | None = None      # as it is said here
        self.ruling: tuple[int, int] | None = None     # the meter in force, where one was said
        self.split: tuple[Time, ...] = ()              # where a repeat sign stands inside the bar


class PartReader:
    """What a part says so far; `read` takes its measures in order."""

    def __init__(self, names: PartNames, repairs: Counter[str], room: Callable[[], None]) -> None:
        self.names = names
        self.bars: list[Bar] = []
        self.directions: list[tuple[int, Time, Direction]] = []
        self.marks: list[tuple[int, Time | None, str, str]] = []       # None is the end of the bar
        self.keys: list[tuple[int, Time, int, str]] = []
        self.clefs: list[tuple[int, Time, int, str]] = []
        self.chords: list[tuple[int, Time, str, bool]] = []      # the last: whether it was moved on the paper
        self.lyrics: list[tuple[int, Time, str, str]] = []
        self.fermatas: list[tuple[int, Time]] = []
        self.signatures: list[tuple[int, str]] = []
        self.repeated: dict[int, int] = {}      # bar that repeats -> how many bars back its music stands
        self.transposition = Transposition()
        self.first_transposition: Transposition | None = None
        self.pitched = self.unpitched = 0
        self.starts: list[Time] = []            # where the bars begin, once all parts are read
        self.end: Time = 0                      # and where the piece ends
        self.stretch: dict[int, Fraction] = {}  # bar -> factor that fits it to the other parts
        self.clashing: set[str] = set()         # voices whose name stands for another voice on each staff
        self._repairs = repairs
        self._room = room
        self._divisions: Number = 1
        self._at: Number = 0                    # in divisions from the beginning of the bar
        self._furthest: Number = 0
        self._onset: Number = 0                 # of the note before, for what is in a chord with it
        self._visited: set[Number] = {0}        # where notes of the bar begin and end
        self._drift: Number = 0                 # what rounded durations of the file lack up to here
        self._ruling: tuple[int, int] | None = None
        self._late_meter: tuple[int, int] | None = None
        self._measure = Element("measure")
        self._looked: bool | None = None        # whether rests last as they look, once that was found out
        self._graces: dict[str, int] = {}
        self._reached: dict[str, tuple[Time, int]] = {}
        self._moved: dict[int, Transposition] = {}
        self._silent: set[int] = set()
        self._repeating = 0
        self._last_ending = 0
        self._verses: dict[str, int] = {}
        self._alterations = Alterations()

    def read(self, measure: Element) -> None:
        """Take the next measure."""
        if len(self.bars) >= MAX_MEASURES:
            raise ReadError(f"a part must have at most {MAX_MEASURES} measures; this one has more")
        self.bars.append(Bar())
        self._at = self._furthest = self._onset = self._drift = 0
        self._visited = {0}
        self._reached.clear()
        self._alterations.bar()
        self._measure, self._looked = measure, None
        if self._late_meter is not None:
            self._say_meter(self._late_meter)
        for child in measure:
            take = _CHILDREN.get(child.tag)
            if take is not None:
                take(self, child)
        bar = self.bars[-1]
        bar.length = self._time(self._furthest)
        bar.ruling = self._ruling
        if self._repeating and not bar.heads:
            self.repeated[len(self.bars) - 1] = self._repeating

    def when(self, bar: int, at: Time) -> Time:
        """Where a place in a bar is in the piece."""
        return min(self.starts[bar] + (at * self.stretch[bar] if bar in self.stretch else at), self.end)

    @property
    def _bar(self) -> int:
        return len(self.bars) - 1

    def _time(self, at: Number) -> Time:
        return quarters(at, self._divisions)

    def _move(self, duration: Number) -> None:
        self._at += duration
        self._visited.add(self._at)
        if self._at > self._furthest:
            self._furthest = self._at

    def _jump(self, by: Number) -> None:
        """Go on or back; where durations were rounded, to where a note stands if the file means that."""
        self._at += by
        if self._drift:
            if self._at not in self._visited and self._at - self._drift in self._visited:
                self._at -= self._drift
            self._drift = 0

    def _duration(self, element: Element | None) -> Number:
        text = element.text if element is not None else None
        value = number(text)
        if value is None:
            self._repairs["durations that are no number"] += 1
            return 0
        if value < 0:
            self._repairs["negative durations"] += 1
            return 0
        return value

    # --- what a measure holds -------------------------------------------------------------------------------

    def _note(self, note: Element) -> None:
        kids = {child.tag: child for child in note}
        grace, in_chord = "grace" in kids, "chord" in kids
        duration: Number = 0
        if not grace:
            duration = self._lasting(note, kids)
        if in_chord:
            onset = self._onset
        else:
            onset = self._onset = self._at
        rest = kids.get("rest")
        if rest is not None and not in_chord and (rest.get("measure") == "yes" or self._fills(onset, duration)):
            end = self._time(onset + duration)
            bar = self.bars[-1]
            bar.rested = max(bar.rested, end)
            self._at += duration
        elif not in_chord:
            self._move(duration)
        elif onset + duration > self._furthest:
            self._furthest = onset + duration
        staff = small(kids.get("staff"), 1)
        voice = (kids["voice"].text or "").strip() if "voice" in kids else ""
        voice = voice or str(4 * staff - 3)
        place = self._time(onset)
        if "notations" in kids and note.find("notations/fermata") is not None:
            self.fermatas.append((self._bar, place))
        if "lyric" in kids and "cue" not in kids:
            self._lyrics(note, place)
        if rest is not None:
            self._graces.pop(voice, None)
            return
        if "cue" in kids:
            self._repairs["cue notes left out"] += 1
            return
        if staff in self._silent:
            self._repairs["notes of an ossia staff left out"] += 1
            return
        if grace:
            count = self._graces.get(voice, 0) + (not in_chord)
            self._graces[voice] = max(count, 1)
            turn = max(count, 1) + (100 if kids["grace"].get("slash") == "yes" else 0)
        else:
            turn = 0
            self._graces.pop(voice, None)
            if not in_chord:
                self._follow(voice, staff, place, self._time(onset + duration))
        found = self._pitch(note, kids, staff)
        if found is None:
            self._repairs["notes without pitch left out"] += 1
            return
        loud = note.get("dynamics")
        velocity = round(float(level) * 0.9) if loud and (level := number(loud)) is not None else 0
        tied_from, tied_to = ties_of(note, kids)
        self._room()
        self.bars[-1].heads.append(Head(place, 0 if grace else self._time(duration), found[0], min(velocity, 127),
                                        voice, staff, found[1], turn, tied_from, tied_to))

    def _lasting(self, note: Element, kids: dict[str, Element]) -> Number:
        """How long a note lasts, in divisions; counted where its look says otherwise."""
        looks = look_of(note) if "type" in kids else None
        if "duration" in kids:
            duration = self._duration(kids["duration"])
            if looks is not None and looks != self._time(duration) and duration:
                exact = whole(looks * self._divisions)
                if -1 < exact - duration < 1:            # no whole number of divisions: it was rounded
                    if "chord" not in kids:
                        self._drift += exact - duration
                    return exact
                if "rest" in kids:
                    return exact if self._rests_by_looks() else duration
                self._repairs["durations other than they look"] += 1
            return duration
        self._repairs["notes without duration"] += 1
        return (looks or 1) * self._divisions

    def _fills(self, onset: Number, duration: Number) -> bool:
        """Whether a rest is longer than a whole bar, as a whole rest may be that stands for any."""
        return onset == 0 and self._ruling is not None and self._time(duration) > length_of(self._ruling)

    def _rests_by_looks(self) -> bool:
        """Whether the rests of this bar fill its meter by their looks, and by their durations do not.

        Programs that let one part be in another meter than the rest may write its rests in the time of the others.
        """
        if self._looked is None:
            by_looks, by_duration = Fraction(), Fraction()
            for child in self._measure:
                if child.tag == "backup":
                    break
                if child.tag == "note" and child.find("chord") is None and child.find("grace") is None:
                    lasting = Fraction(number(child.findtext("duration")) or 0) / self._divisions
                    by_duration += lasting
                    by_looks += look_of(child) or lasting
            full = length_of(self._ruling) if self._ruling else 0
            self._looked = by_looks == full != by_duration
        return self._looked

    def _follow(self, voice: str, staff: int, start: Time, end: Time) -> None:
        """Notice a name of a voice that two staves use at the same time."""
        reached = self._reached.get(voice)
        if reached is not None and start < reached[0] and staff != reached[1]:
            self.clashing.add(voice)
        self._reached[voice] = (end, staff)

    def _pitch(self, note: Element, kids: dict[str, Element], staff: int) -> tuple[int, int] | None:
        """Sounding pitch and spelling of a note; None where the file gives none that can be."""
        pitch = kids.get("pitch")
        if pitch is None:
            drum = kids.get("unpitched")
            if drum is None:
                return None
            self.unpitched += 1
            instrument = kids["instrument"].get("id", "") if "instrument" in kids else ""
            head = (kids["notehead"].text or "").strip() if "notehead" in kids else ""
            return drum_key(self.names, instrument, drum.findtext("display-step") or "",
                            drum.findtext("display-octave") or "", head), -1
        step, alter, octave = pitch.findtext("step") or "", pitch.findtext("alter"), pitch.findtext("octave") or ""
        if alter is not None:
            self._alterations.found()
        elif "accidental" in kids or self._alterations.lost:
            shown = (kids["accidental"].text or "").strip() if "accidental" in kids else ""
            alter = self._alterations.of(step.strip(), octave.strip(), shown, ties_of(note, kids)[0])
            if alter is not None:
                self._repairs["alterations taken from accidentals and keys"] += 1
        written = written_pitch(step, alter, octave)
        if written is None:
            return None
        self.pitched += 1
        moved = self._moved.get(staff, self.transposition) if self._moved else self.transposition
        if self.first_transposition is None:
            self.first_transposition = moved
        if moved.semitones or moved.fifths:
            return written[0] + moved.semitones, on_line(written[1] + moved.fifths)
        return written

    def _lyrics(self, note: Element, place: Time) -> None:
        for lyric in note.iterfind("lyric"):
            if text := syllable_of(lyric):
                name = lyric.get("number") or lyric.get("name") or "1"
                found = re.search(r"\d+", name)
                verse = int(found[0][:3]) if found else self._verses.setdefault(name, len(self._verses) + 1)
                self.lyrics.append((self._bar, place, "lyric" if verse <= 1 else f"lyric {verse}", text))

    def _backup(self, element: Element) -> None:
        self._jump(-self._duration(element.find("duration")))
        if self._at < 0:
            self._repairs["steps back beyond the beginning of the bar"] += 1
            self._at = 0

    def _forward(self, element: Element) -> None:
        self._jump(self._duration(element.find("duration")))
        self._move(0)

    def _attributes(self, element: Element) -> None:
        for child in element:
            if child.tag == "divisions":
                value = number(child.text)
                if value is None or value <= 0:
                    self._repairs["divisions that are no number"] += 1
                    continue
                factor = Fraction(value) / self._divisions
                self._at, self._furthest, self._onset, self._drift = (
                    whole(x * factor) for x in (self._at, self._furthest, self._onset, self._drift))
                self._visited = {whole(x * factor) for x in self._visited}
                self._divisions = value
            elif child.tag == "key" and child.get("number", "1") == "1":
                self._key(child)
            elif child.tag == "time":
                self._meter(child)
            elif child.tag == "clef":
                self._clef(child)
            elif child.tag == "transpose":
                self._transpose(child)
            elif child.tag == "staff-details":
                if (child.findtext("staff-type") or "").strip() == "ossia":
                    self._silent.add(small(child.get("number"), 1))
            elif child.tag == "measure-style":
                repeat = child.find("measure-repeat")
                if repeat is not None:
                    self._repeating = small(repeat, 1) if repeat.get("type") == "start" else 0

    def _key(self, element: Element) -> None:
        said = number(element.findtext("fifths"))
        if not isinstance(said, int) or abs(said) > 20:
            if element.find("key-step") is not None:
                self._repairs["keys of their own kind left out"] += 1
            return
        mode = (element.findtext("mode") or "").strip().lower()
        self._alterations.fifths = said
        moved = self.transposition.fifths
        fifths = near_key(said + moved) if moved else said
        self.keys.append((self._bar, self._time(self._at), fifths, mode if mode in ("major", "minor") else ""))

    def _meter(self, element: Element) -> None:
        if element.find("senza-misura") is not None:
            return
        meter = meter_of(element)
        if meter is None:
            self._repairs["meters that are no meter"] += 1
        elif self._at > 0:
            self._late_meter = meter
        else:
            self._say_meter(meter)
            symbol = "hidden" if element.get("print-object") == "no" else element.get("symbol")
            if symbol in ("hidden", "common", "cut"):
                self.signatures.append((self._bar, symbol))

    def _say_meter(self, meter: tuple[int, int]) -> None:
        self.bars[-1].meter, self._late_meter = meter, None
        self._ruling = meter

    def _clef(self, element: Element) -> None:
        if clef := clef_of(element):
            self.clefs.append((self._bar, self._time(self._at), small(element.get("number"), 1), clef))

    def _transpose(self, element: Element) -> None:
        moved = transposition_of(element)
        if moved is None:
            self._repairs["transpositions that are no interval"] += 1
            return
        staff = element.get("number")
        if staff is not None:
            self._moved[small(staff, 1)] = moved
            return
        self._moved.clear()
        if self.keys and self.keys[-1][:2] == (self._bar, self._time(self._at)):
            bar, at, fifths, mode = self.keys.pop()      # <transpose> stands after the key that it moves
            self.keys.append((bar, at, near_key(fifths + moved.fifths - self.transposition.fifths), mode))
        self.transposition = moved

    def _direction(self, element: Element) -> None:
        found = direction_of(element)
        if found is None:
            return
        offset = number(element.findtext("offset")) or 0
        self.directions.append((self._bar, self._time(max(self._at + offset, 0)), found))

    def _sound(self, element: Element) -> None:
        offset = number(element.findtext("offset")) or 0
        wrapped = Element("direction")
        wrapped.append(element)
        found = direction_of(wrapped)
        if found is not None:
            self.directions.append((self._bar, self._time(max(self._at + offset, 0)), found))

    def _harmony(self, element: Element) -> None:
        symbol = chord_symbol(element)
        if symbol is None:
            self._repairs["chord symbols without a root left out"] += 1
            return
        offset = number(element.findtext("offset")) or 0
        moved = "relative-x" in element.attrib or "default-x" in element.attrib
        self.chords.append((self._bar, self._time(max(self._at + offset, 0)), symbol, moved))

    def _barline(self, element: Element) -> None:
        middle = element.get("location") == "middle" and self._at > 0
        for at_end, text, kind in barline_marks(element, self._last_ending):
            if text.startswith("ending ") and text[7:8].isdecimal():
                self._last_ending = int(re.findall(r"\d+", text)[-1][:4])
            if middle and kind == "repeat":
                self.bars[-1].split += (self._time(self._at),)
                self.marks.append((self._bar, self._time(self._at), kind, text))
            elif not middle:
                self.marks.append((self._bar, None if at_end else 0, kind, text))
        if element.find("fermata") is not None:
            self._repairs["fermatas over bar lines left out"] += 1


_CHILDREN: dict[str, Callable[[PartReader, Element], None]] = {
    "note": PartReader._note, "backup": PartReader._backup, "forward": PartReader._forward,
    "attributes": PartReader._attributes, "direction": PartReader._direction, "sound": PartReader._sound,
    "harmony": PartReader._harmony, "barline": PartReader._barline}
