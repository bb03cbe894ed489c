"""What single elements of MusicXML say: numbers, durations, pitches, meters, clefs, transpositions, syllables."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple
from xml.etree.ElementTree import Element

from partimento.formats.draft import Time
from partimento.notation.names import STEPS, spelling_of

Number = int | Fraction
_PITCH = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_QUARTERS = {"maxima": Fraction(32), "long": Fraction(16), "breve": Fraction(8), "whole": Fraction(4),
             "half": Fraction(2), "quarter": Fraction(1), "eighth": Fraction(1, 2), "16th": Fraction(1, 4),
             "32nd": Fraction(1, 8), "64th": Fraction(1, 16), "128th": Fraction(1, 32), "256th": Fraction(1, 64),
             "512th": Fraction(1, 128), "1024th": Fraction(1, 256)}
_ACCIDENTALS = {"sharp": 1, "flat": -1, "natural": 0, "double-sharp": 2, "sharp-sharp": 2, "flat-flat": -2,
                "natural-sharp": 1, "natural-flat": -1}
_DIATONIC = (0, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6, 6)       # steps of the usual interval of so many semitones


class Transposition(NamedTuple):
    """From written to sounding, as MusicXML says it."""

    diatonic: int = 0
    chromatic: int = 0
    octaves: int = 0

    @property
    def semitones(self) -> int:
        """Semitones up from written to sounding pitch."""
        return self.chromatic + 12 * self.octaves

    @property
    def fifths(self) -> int:
        """Places up on the line of fifths from written to sounding name."""
        return 7 * self.chromatic - 12 * self.diatonic


def number(text: str | None) -> int | Fraction | None:
    """The number a text says, whole where it can be; None where it says none.

    >>> number("12"), number("2.5"), number("much")
    (12, Fraction(5, 2), None)
    """
    if text is None or len(text) > 30:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = Fraction(text.strip()) if re.fullmatch(r"\s*[+-]?\d*\.?\d*\s*", text) else None
    except (ValueError, ZeroDivisionError):
        return None
    return whole(value) if value is not None else None


@lru_cache(maxsize=1 << 14)
def quarters(at: Number, divisions: Number) -> Time:
    """So many divisions as quarter notes, an int where whole."""
    return whole(Fraction(at) / divisions)


def whole(value: Number) -> Number:
    """The same number, an int where it is whole."""
    return value.numerator if value.denominator == 1 else value


def small(said: Element | str | None, default: int) -> int:
    """A small whole number from 0 of an element or attribute."""
    text = said.text if isinstance(said, Element) else said
    text = (text or "").strip()
    return int(text) if text.isdecimal() and len(text) < 5 else default


def look_of(note: Element) -> Fraction | None:
    """Quarter notes that a note lasts by its type, dots and tuplet."""
    changed = note.find("time-modification")
    actual = normal = ""
    if changed is not None:
        actual, normal = changed.findtext("actual-notes") or "", changed.findtext("normal-notes") or ""
    return _looks(note.findtext("type") or "", len(note.findall("dot")), actual, normal)


@lru_cache(maxsize=1 << 10)
def _looks(shown: str, dots: int, actual: str, normal: str) -> Fraction | None:
    """Quarter notes of a note type with dots in a tuplet; None where the type is unknown."""
    value = _QUARTERS.get(shown.strip())
    if value is None:
        return None
    value *= 2 - Fraction(1, 2 ** min(dots, 8))
    if actual.strip().isdecimal() and normal.strip().isdecimal() and int(actual) and int(normal):
        value *= Fraction(int(normal), int(actual))
    return value


def meter_of(element: Element) -> tuple[int, int] | None:
    """The numbers of a ``<time>``, several of them added up; None where they are no meter."""
    parts = [(sum(int(n) for n in re.findall(r"\d{1,4}", beats.text or "")), small(unit, 0))
             for beats, unit in zip(element.findall("beats"), element.findall("beat-type"), strict=False)]
    if not parts or any(not 0 < beats <= 999 or not 0 < unit <= 256 for beats, unit in parts):
        return None
    below = max(unit for _, unit in parts)
    whole = sum(Fraction(beats, unit) for beats, unit in parts) * below
    return (int(whole), below) if whole.denominator == 1 else None


def clef_of(element: Element) -> str:
    """A ``<clef>`` by its name, as ``G2`` or ``G2_8``; empty for one of another kind."""
    sign = (element.findtext("sign") or "").strip()
    if sign not in ("G", "F", "C"):
        return sign if sign in ("percussion", "TAB") else ""
    line = small(element.find("line"), {"G": 2, "F": 4, "C": 3}[sign])
    octaves = number(element.findtext("clef-octave-change")) or 0
    return f"{sign}{line}" + {-2: "_15", -1: "_8", 1: "^8", 2: "^15"}.get(int(octaves), "")


def transposition_of(element: Element) -> Transposition | None:
    """What a ``<transpose>`` says, with the usual steps where it says none that fit; None where it is no interval."""
    chromatic = number(element.findtext("chromatic")) or 0
    octaves = number(element.findtext("octave-change")) or 0
    said = number(element.findtext("diatonic"))
    if not all(isinstance(n, int) and abs(n) <= 48 for n in (chromatic, octaves, said or 0)):
        return None
    turns, rest = divmod(abs(int(chromatic)), 12)
    usual = (1 if chromatic >= 0 else -1) * (_DIATONIC[rest] + 7 * turns)
    moved = Transposition(int(said) if said is not None else usual, int(chromatic), int(octaves))
    return moved if abs(moved.fifths) <= 12 else moved._replace(diatonic=usual)


def near_key(fifths: int) -> int:
    """The key that sounds the same with at most seven accidentals."""
    return fifths if abs(fifths) <= 7 else (fifths + 5) % 12 - 5


def syllable_of(lyric: Element) -> str:
    """The text of a ``<lyric>``, with a sign behind it where its word goes on (``-``) or it is held (``_``)."""
    text = ""
    for child in lyric:
        if child.tag == "text":
            text += child.text or ""
        elif child.tag == "elision":
            text += (child.text or "").strip() or "‿"
    text = " ".join(text.split())
    syllabic = [child.text for child in lyric if child.tag == "syllabic"]
    if not text:
        return ""
    if syllabic and syllabic[-1] in ("begin", "middle"):
        return text + "-"
    held = lyric.find("extend")
    return text + "_" if held is not None and held.get("type") != "stop" else text


@lru_cache(maxsize=1 << 12)
def written_pitch(step: str | None, alter: str | None, octave: str | None) -> tuple[int, int] | None:
    """MIDI pitch and place on the line of fifths of a written pitch; quarter tones go to the nearest semitone."""
    step = (step or "").strip().upper()
    height = number(octave)
    altered: Number | None = number(alter) if alter else 0
    if step not in _PITCH or len(step) != 1 or not isinstance(height, int) or altered is None or not -4 <= altered <= 4:
        return None
    semitones = round(altered)
    return 12 * height + 12 + _PITCH[step] + semitones, spelling_of(step, semitones)


def on_line(place: int) -> int:
    """The spelling of the same pitch class that is in range."""
    while place < 0:
        place += 12
    while place > 34:
        place -= 12
    return place


class Alterations:
    """The alterations of a part that says none from some place on, though it shows accidentals: read as a player would.

    A note with an accidental and without ``<alter>`` begins such a stretch, one with ``<alter>`` ends it.
    """

    def __init__(self) -> None:
        self.fifths = 0                 # of the written key signature
        self.lost = False
        self._shown: dict[tuple[str, str], int] = {}
        self._last: dict[tuple[str, str], int] = {}

    def bar(self) -> None:
        """A new bar: accidentals of the one before hold no longer."""
        self._shown.clear()

    def of(self, step: str, octave: str, shown: str, tied: bool) -> str | None:
        """The alteration of a note without ``<alter>``, by what is `shown` before it; None where that is nothing."""
        accidental = _ACCIDENTALS.get(shown)
        self.lost = self.lost or bool(accidental)
        if not self.lost:
            return None
        place = (step, octave)
        if accidental is not None:
            self._shown[place] = accidental
        in_key = (1 if STEPS.index(step) < self.fifths else -1 if 6 - STEPS.index(step) < -self.fifths else 0) \
            if step in STEPS else 0
        alter = self._shown.get(place, self._last.get(place, in_key) if tied else in_key)
        self._last[place] = alter
        return str(alter) if alter else None

    def found(self) -> None:
        """A note says its alteration, so what says none has none."""
        self.lost = False
        self._last.clear()


def ties_of(note: Element, kids: dict[str, Element]) -> tuple[bool, bool]:
    """Whether a note is tied from the one before, and to the one after."""
    if "tie" in kids:
        kinds = {tie.get("type") for tie in note.iterfind("tie")}
    elif "notations" in kids:
        kinds = {tie.get("type") for tie in note.iterfind("notations/tied")}
    else:
        return False, False
    return "stop" in kinds, "start" in kinds


