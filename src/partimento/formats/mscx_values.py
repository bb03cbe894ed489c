"""Words and numbers of MuseScore's files: lengths, clefs, keys, texts, instruments."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple
from xml.etree.ElementTree import Element

from partimento.formats import musicxml_parts
from partimento.score import Track

NO_INTERVAL = (0, 0)
_QUARTERS = {"long": Fraction(16), "breve": Fraction(8), "whole": Fraction(4), "half": Fraction(2),
             "quarter": Fraction(1), "eighth": Fraction(1, 2)} | {
    f"{2 ** n}{'nd' if n == 5 else 'th'}": Fraction(4, 2 ** n) for n in range(4, 11)} | {
    "512nd": Fraction(4, 512)}
_SIGNS = {"metNoteHalfUp": "𝅗𝅥", "metNoteQuarterUp": "♩", "metNote8thUp": "♪", "metNoteWhole": "𝅝",
          "metAugmentationDot": ".", "noteHalfUp": "𝅗𝅥", "noteQuarterUp": "♩", "note8thUp": "♪", "space": " ",
          "lyricsElision": "‿"} | {f"dynamic{name}": text for name, text in {
              "Piano": "p", "Forte": "f", "Mezzo": "m", "Sforzando": "s", "Z": "z", "Rinforzando": "r",
              "PP": "pp", "PPP": "ppp", "MP": "mp", "MF": "mf", "FF": "ff", "FFF": "fff"}.items()}
_CLEF = re.compile(r"([GFC])([1-5](?!\d))?(?:(8|15)([vm][ab]))?")
_FLAT_LETTERS = "FCGDAEB"


class PartSaid(NamedTuple):
    """What a ``<Part>`` says: its track, its short name, the ids of its staves with the clef each begins with, the
    bracket that begins there and over how many staves, and the interval from written to sounding."""

    track: Track
    short: str
    staves: tuple[tuple[str, str], ...]
    bracket: tuple[str, int]
    interval: tuple[int, int]           # diatonic, chromatic


def whole_number(text: str | None, default: int = 0) -> int:
    """A whole number of at most nine digits; `default` where the text is none.

    >>> whole_number(" -3 "), whole_number("x", 7)
    (-3, 7)
    """
    found = re.fullmatch(r"\s*([+-]?\d{1,9})(?:\.0*)?\s*", text or "", re.ASCII)
    return int(found[1]) if found else default


def fraction_of(text: str | None) -> Fraction | None:
    """Quarter notes of a part of a whole note such as ``3/4``; None where the text is none.

    >>> fraction_of("3/4"), fraction_of("-1/8"), fraction_of("4")
    (Fraction(3, 1), Fraction(-1, 2), None)
    """
    found = re.fullmatch(r"\s*(-?\d{1,6})/(\d{1,6})\s*", text or "", re.ASCII)
    return Fraction(4 * int(found[1]), int(found[2])) if found and int(found[2]) else None


def event_length(event: Element, bar: Fraction) -> Fraction | None:
    """Quarter notes of a chord or rest without its tuplets, in a bar of that length; None where it does not say.

    >>> from partimento.formats.xml_safe import tree
    >>> event_length(tree(b"<Rest><dots>1</dots><durationType>half</durationType></Rest>"), Fraction(4))
    Fraction(3, 1)
    """
    name = (event.findtext("durationType") or "").strip()
    if name == "measure":
        said = event.find("duration")
        if said is None:
            return bar
        found = fraction_of(f"{said.get('z')}/{said.get('n')}" if said.get("z") else said.text)
        return found if found is not None and found > 0 else bar
    actual = fraction_of(event.findtext("duration"))     # of one of two notes that a tremolo joins
    if actual is not None and actual > 0:
        return actual
    value = _QUARTERS.get(name)
    dots = min(max(whole_number(event.findtext("dots")), 0), 4)
    return value * (2 ** (dots + 1) - 1) / 2**dots if value is not None else None


def plain_text(element: Element | None) -> str:
    """The words of a text with its formatting taken off and its note signs as Unicode.

    >>> from partimento.formats.xml_safe import tree
    >>> plain_text(tree(b"<text><b>Largo</b> <sym>metNoteQuarterUp</sym> = 40</text>"))
    'Largo ♩ = 40'
    """
    if element is None:
        return ""
    out = [element.text or ""]
    for child in element:
        out.append(_SIGNS.get((child.text or "").strip(), "") if child.tag == "sym" else plain_text(child))
        out.append(child.tail or "")
    return " ".join("".join(out).split())


def is_hidden(element: Element) -> bool:
    """Whether an element is there but not shown."""
    return (element.findtext("visible") or "").strip() == "0"


def clef_name(text: str) -> str:
    """``G2_8`` for MuseScore's ``G8vb``; nothing for what is no clef.

    >>> [clef_name(name) for name in ("G", "F8vb", "C4", "PERC2", "G15ma", "TAB")]
    ['G2', 'F4_8', 'C4', 'percussion', 'G2^15', '']
    """
    text = text.strip()
    if text.startswith("PERC"):
        return "percussion"
    found = _CLEF.match(text)
    if not found:
        return ""
    sign, line, octaves, way = found.groups()
    octave = "" if not octaves else ("^" if way.endswith("a") else "_") + octaves
    return sign + (line or {"G": "2", "F": "4", "C": "3"}[sign]) + octave


def fifths_of(interval: tuple[int, int]) -> int:
    """The steps on the line of fifths of an interval of diatonic and chromatic steps: 2 for a major second up."""
    return 7 * interval[1] - 12 * interval[0]


def tonal_name(tpc: int) -> str:
    """Letter and signs of MuseScore's tonal pitch class, C at 14; nothing where it is none.

    >>> tonal_name(14), tonal_name(12), tonal_name(21), tonal_name(-9)
    ('C', 'Bb', 'C#', '')
    """
    if not -1 <= tpc <= 33:
        return ""
    letter, alter = _FLAT_LETTERS[(tpc - 13) % 7], (tpc - 13) // 7
    return letter + ("#" * alter if alter > 0 else "b" * -alter)


def said_of(part: Element) -> PartSaid:
    """What a ``<Part>`` says."""
    instrument = part.find("Instrument")
    empty = instrument is None
    inside = part if instrument is None else instrument
    name = plain_text(inside.find("longName")) or plain_text(part.find("trackName")) \
        or plain_text(inside.find("trackName"))
    clefs = {clef.get("staff", "1"): clef.text or "" for clef in inside.iterfind("clef")}
    staves = []
    bracket = ("", 1)
    for number, staff in enumerate(part.iterfind("Staff"), 1):
        clef = staff.findtext("defaultClef") or staff.findtext("defaultConcertClef") or clefs.get(str(number), "")
        staves.append((staff.get("id", ""), clef_name(clef) or "G2"))
        sign = staff.find("bracket")
        if sign is not None and number == 1:
            kind = {"0": "bracket", "1": "brace", "2": "bracket"}.get(sign.get("type", ""), "")
            bracket = (kind, whole_number(sign.get("span"), 1))
    is_drum = whole_number(inside.findtext("useDrumset")) == 1
    program = inside.find("Channel/program")
    value = whole_number(program.get("value"), -1) if program is not None else -1
    if 0 <= value <= 127 or is_drum:
        track = Track(name, 0 if is_drum else value, is_drum)
    else:
        track = musicxml_parts.track_of(musicxml_parts.PartNames(name, "", {}), 1, 0)
    interval = NO_INTERVAL if empty else (whole_number(inside.findtext("transposeDiatonic")),
                                          whole_number(inside.findtext("transposeChromatic")))
    if abs(interval[0]) > 60 or abs(interval[1]) > 96:
        interval = NO_INTERVAL
    return PartSaid(track, plain_text(inside.find("shortName")), tuple(staves), bracket, interval)
