"""One staff of a MuseScore file, bar by bar: what begins when, in quarter notes."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import defaultdict
from fractions import Fraction
from typing import NamedTuple, Protocol
from xml.etree.ElementTree import Element

from partimento.errors import ReadError
from partimento.formats import mscx_values as values

FINEST = 10**7
_ONE = Fraction(1)
_GRACES = {"acciaccatura": 101, "appoggiatura": 1, "grace4": 1, "grace16": 1, "grace32": 1, "grace8after": 1,
           "grace16after": 1, "grace32after": 1}
_OTTAVAS = {"8va": 12, "8vb": -12, "15ma": 24, "15mb": -24, "22ma": 36, "22mb": -36, "0": 12, "1": 24, "2": -12,
            "3": -24}


class StaffHead(NamedTuple):
    """One note head of a staff; `staff` is −1 on the staff above, 1 below; `velocity` is 0 where it has none itself."""

    onset: Fraction
    duration: Fraction
    pitch: int
    spelling: int
    voice: int
    staff: int
    velocity: int
    grace: int
    tied_from: bool
    tied_to: bool


class Far(NamedTuple):
    """A moment some way off: the number of its bar, and quarter notes from the beginning of that bar."""

    bar: int
    into: Fraction


class StaffPage(Protocol):
    """What a staff asks of the page, and tells it of all but notes."""

    division: int

    def place(self, far: Far) -> Fraction:
        """When that moment is."""

    def bar_at(self, index: int) -> tuple[Fraction, Fraction]:
        """Where a bar begins, and its length."""

    def sign(self, element: Element, at: Fraction, index: int) -> None:
        """Anything but notes and rests."""


class _Tuplet(NamedTuple):
    ratio: Fraction
    name: str


class Staff:
    """The music of one staff as its bars come in."""

    def __init__(self, page: StaffPage, repairs: defaultdict[str, int], version: int, max_notes: int) -> None:
        self.heads: list[StaffHead] = []
        self._page, self._repairs, self._version, self._max_notes = page, repairs, version, max_notes
        self._bars: list[int] = []                           # where the heads of each bar begin in `heads`
        self._ottavas: list[tuple[Fraction, Far, int]] = []  # from, to, semitones
        self._open_ottavas: dict[str, tuple[Fraction, int]] = {}             # of version 2, by name
        self._tuplets: dict[str, _Tuplet] = {}               # of version 2, by name
        self._after: dict[int, tuple[Fraction, int]] = {}    # voice -> where grace notes after a chord stand, how many
        self._ties: set[tuple[int, Fraction]] = set()        # of version 1, which does not say where they end

    def bar(self, measure: Element, index: int) -> None:
        """Take in a ``<Measure>``, which is the bar of that number from 0."""
        self._bars.append(len(self.heads))
        start, length = self._page.bar_at(index)
        voices = measure.findall("voice")
        if voices:
            for number, voice in enumerate(voices, 1):
                self._voice(list(voice), number, start, length, index)
            return
        self._voice_by_tick(measure, start, length, index)

    # --- the bars of versions 3 and 4: one element a voice ---------------------------------------------------

    def _voice(self, events: list[Element], voice: int, start: Fraction, length: Fraction, index: int) -> None:
        at = start
        ratios = [_ONE]
        graces: list[Element] = []
        for event in events:
            tag = event.tag
            if tag in ("Chord", "Rest"):
                if tag == "Chord" and _grace_kind(event):
                    graces.append(event)
                    continue
                quarters = self._length(event, length, ratios[-1])
                if tag == "Chord":
                    self._chord(event, graces, at, quarters, voice)
                self._page_signs(event, at, index)
                at = _tamed(at + quarters)
                graces = []
            elif tag == "Tuplet":
                ratios.append(_tamed(ratios[-1] * _ratio(event)))
            elif tag == "endTuplet":
                if len(ratios) > 1:
                    ratios.pop()
            elif tag == "location":
                at = max(start, _tamed(at + (values.fraction_of(event.findtext("fractions")) or 0)))
            elif tag in ("RepeatMeasure", "MeasureRepeat"):
                self._repeat(event, start, length, index)
                at = start + length
            elif tag == "Spanner" and event.get("type") == "Ottava":
                self._ottava(event, at, start, index)
            else:
                self._page.sign(event, at, index)
        self._left_over(graces, at, voice)
        if at > start + length:
            self._repairs["voices longer than their bar"] += 1

    # --- the bars of versions 1 and 2: voices one after the other, with ticks between them --------------------

    def _voice_by_tick(self, measure: Element, start: Fraction, length: Fraction, index: int) -> None:
        at = start
        graces: list[Element] = []
        for event in measure:
            tag = event.tag
            voice = max(values.whole_number(event.findtext("track")), 0) % 4 + 1
            if tag == "tick":
                at = Fraction(max(values.whole_number(event.text), 0), self._page.division)
            elif tag == "Tuplet":
                parent = self._tuplets.get((event.findtext("Tuplet") or "").strip())
                ratio = _tamed(_ratio(event) * (parent.ratio if parent else 1))
                self._tuplets[event.get("id", "")] = _Tuplet(ratio, event.get("id", ""))
            elif tag in ("Chord", "Rest"):
                if tag == "Chord" and _grace_kind(event):
                    graces.append(event)
                    continue
                tuplet = self._tuplets.get((event.findtext("Tuplet") or "").strip())
                quarters = self._length(event, length, tuplet.ratio if tuplet else _ONE)
                if tag == "Chord":
                    self._chord(event, graces, at, quarters, voice)
                self._page_signs(event, at, index)
                at = _tamed(at + quarters)
                graces = []
            elif tag == "RepeatMeasure":
                self._repeat(event, start, length, index)
                at = start + length
            elif tag == "Ottava":
                shift = _OTTAVAS.get((event.findtext("subtype") or "").strip(), 0)
                self._open_ottavas[event.get("id", "")] = at, shift
            elif tag == "endSpanner":
                if event.get("id", "") in self._open_ottavas:
                    begun, shift = self._open_ottavas.pop(event.get("id", ""))
                    self._ottavas.append((begun, Far(index, at - start), shift))
                self._page.sign(event, at, index)
            else:
                self._page.sign(event, at, index)
        self._left_over(graces, at, 1)

    # --- chords -----------------------------------------------------------------------------------------------

    def _length(self, event: Element, bar: Fraction, ratio: Fraction) -> Fraction:
        quarters = values.event_length(event, bar)
        if quarters is None:
            self._repairs["notes and rests without a length given a quarter note"] += 1
            quarters = _ONE
        return quarters if (event.findtext("durationType") or "").strip() == "measure" else quarters * ratio

    def _chord(self, chord: Element, graces: list[Element], at: Fraction, quarters: Fraction, voice: int) -> None:
        before = [grace for grace in graces if not _grace_kind(grace).endswith("after")]
        after = [grace for grace in reversed(graces) if _grace_kind(grace).endswith("after")]   # written last first
        stood, count = self._after.pop(voice, (at, 0))
        self._graces(before, at, voice, count if stood == at else 0)
        self._heads(chord, at, quarters, voice, 0)
        if after:
            self._graces(after, at + quarters, voice, 0)
            self._after[voice] = at + quarters, len(after)

    def _left_over(self, graces: list[Element], at: Fraction, voice: int) -> None:
        """Grace notes at the end of a bar, with no chord behind them in it."""
        if graces:
            stood, count = self._after.pop(voice, (at, 0))
            count = count if stood == at else 0
            self._graces(graces, at, voice, count)
            self._after[voice] = at, count + len(graces)

    def _graces(self, graces: list[Element], at: Fraction, voice: int, count: int) -> None:
        for place, grace in enumerate(graces, count + 1):
            slash = _GRACES[_grace_kind(grace)] - 1
            self._heads(grace, at, Fraction(0), voice, place + slash)

    def _heads(self, chord: Element, at: Fraction, quarters: Fraction, voice: int, grace: int) -> None:
        move = min(max(values.whole_number(chord.findtext("staffMove")) or values.whole_number(chord.findtext("move")),
                       -1), 1)
        for note in chord.iterfind("Note"):
            pitch = values.whole_number(note.findtext("pitch"), -1)
            if pitch < 0:
                self._repairs["notes without a pitch left out"] += 1
                continue
            spelling = values.whole_number(note.findtext("tpc"), -9) + 1
            if not 0 <= spelling <= 34 or (spelling - 15) * 7 % 12 != pitch % 12:
                spelling = -1
            tied_from, tied_to = _ties(note)
            if self._version < 2 and grace == 0:
                tied_from = (pitch, at) in self._ties
                if tied_to:
                    self._ties.add((pitch, at + quarters))
            own = values.whole_number(note.findtext("velocity"))
            absolute = self._version >= 4 or (note.findtext("veloType") or "").strip() == "user"
            self._put(StaffHead(at, quarters, pitch, spelling, voice, move, own if absolute else 0, grace,
                           tied_from and not grace, tied_to and not grace))

    def _page_signs(self, event: Element, at: Fraction, index: int) -> None:
        """What hangs on a chord or a rest: lyrics, fermatas of version 2, and the like."""
        for child in event:
            if child.tag in ("Lyrics", "Articulation", "Fermata", "Spanner"):
                self._page.sign(child, at, index)

    def _repeat(self, event: Element, start: Fraction, length: Fraction, index: int) -> None:
        """A bar repeat: the heads of the bar that is said again."""
        back = index - min(max(values.whole_number(event.findtext("subtype"), 1), 1), 4)
        if not 0 <= back < len(self._bars) - 1:
            self._repairs["bar repeats with nothing to repeat"] += 1
            return
        then, _ = self._page.bar_at(back)
        if len(self.heads) > self._bars[-1]:
            self._repairs["bar repeats beside other notes left out"] += 1
            return
        for head in self.heads[self._bars[back]:self._bars[back + 1]]:
            if head.onset - then < length:
                self._put(head._replace(onset=head.onset - then + start, tied_from=False, tied_to=False))

    def _put(self, head: StaffHead) -> None:
        if len(self.heads) >= self._max_notes:
            raise ReadError(f"a piece must have at most {self._max_notes} notes; this one has more: raise --max-notes")
        self.heads.append(head)

    # --- octave lines: what stands under them sounds higher or lower than the file says ------------------------

    def _ottava(self, spanner: Element, at: Fraction, start: Fraction, index: int) -> None:
        line, far = spanner.find("Ottava"), spanner.find("next/location")
        if line is None or far is None:
            return
        shift = _OTTAVAS.get((line.findtext("subtype") or "").strip(), 0)
        self._ottavas.append((at, far_from(far, at, index, start), shift))

    def sounding(self) -> list[StaffHead]:
        """The heads at the pitch at which they sound, octave lines taken in."""
        steps: defaultdict[Fraction, int] = defaultdict(int)
        for start, stop, shift in self._ottavas:
            if start < (end := self._page.place(stop)):
                steps[start] += shift
                steps[end] -= shift
        if not steps:
            return self.heads
        times = sorted(steps)
        shifts = [0, *itertools.accumulate(steps[time] for time in times)]
        return [head._replace(pitch=head.pitch + shifts[bisect_right(times, head.onset)]) for head in self.heads]


def far_from(location: Element, at: Fraction, index: int, start: Fraction) -> Far:
    """Where a ``<location>`` lies, seen from the moment `at` of the bar of that number, which begins at `start`."""
    bars = min(max(values.whole_number(location.findtext("measures")), -index), 100_000)
    return Far(index + bars, at - start + (values.fraction_of(location.findtext("fractions")) or 0))


def _grace_kind(chord: Element) -> str:
    return next((child.tag for child in chord if child.tag in _GRACES), "")


def _tamed(time: Fraction) -> Fraction:
    """The time itself, or the nearest of a fine grid where it is too fine for any real music."""
    return time if time.denominator <= FINEST else Fraction(round(time * FINEST), FINEST)


def _ratio(tuplet: Element) -> Fraction:
    normal, actual = (values.whole_number(tuplet.findtext(tag)) for tag in ("normalNotes", "actualNotes"))
    return Fraction(normal, actual) if 0 < normal < 1000 and 0 < actual < 1000 else _ONE


def _ties(note: Element) -> tuple[bool, bool]:
    """Whether a note is tied from the one before, and to the one after."""
    tied_from = tied_to = False
    for child in note:
        if child.tag == "Tie":
            tied_to = True
        elif child.tag == "endSpanner":
            tied_from = True
        elif child.tag == "Spanner" and child.get("type") == "Tie":
            tied_to = tied_to or child.find("next") is not None
            tied_from = tied_from or child.find("prev") is not None
    return tied_from, tied_to
