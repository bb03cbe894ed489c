"""The part list of MusicXML: the names, instruments and groups of the parts, and what a drum on the page sounds."""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.etree.ElementTree import Element

from partimento import theory
from partimento.errors import RequestError
from partimento.score import Track

DRUM_CHANNEL = 10

# What stands where on a drum staff (step and octave as in a treble clef) by the usual kit: Weinberg, Standardized
# Drumset Notation, 1998; first with an ordinary head, then with a cross.
_KIT = {"D4": (44, 44), "E4": (35, 44), "F4": (36, 36), "G4": (41, 41), "A4": (43, 43), "B4": (45, 37), "C5": (38, 37),
        "D5": (47, 56), "E5": (48, 51), "F5": (50, 51), "G5": (42, 42), "A5": (49, 49), "B5": (57, 57)}
_WHOLE_KIT = re.compile(r"\b(?:drums|drum\W?set|drum\W?kit|kit|set|percussion|schlagzeug|batterie|battery)\b")
_CROSSES = ("x", "circle-x", "cross", "diamond", "triangle")
# Percussion that has a part of its own, by a word in its name.
_BY_WORD = (("bass drum", 36), ("gran cassa", 36), ("grosse caisse", 36), ("grosse trommel", 36), ("snare", 38),
            ("side drum", 38), ("tambour de", 54), ("tambourin", 54), ("tamburin", 54), ("military drum", 38),
            ("kleine trommel", 38), ("crash", 49), ("ride", 51), ("hi-hat", 42), ("hi hat", 42), ("triang", 81),
            ("cymbal", 49), ("piatti", 49), ("becken", 49), ("castanet", 75), ("claves", 75), ("wood block", 76),
            ("woodblock", 76), ("temple block", 77), ("cowbell", 56), ("tam-tam", 52), ("tamtam", 52), ("gong", 52),
            ("whip", 39), ("clap", 39), ("maraca", 70), ("cabasa", 69), ("guiro", 73), ("güiro", 73), ("bongo", 60),
            ("conga", 63), ("timbale", 65), ("agogo", 67), ("vibraslap", 58), ("whistle", 71), ("tom", 47),
            ("drum", 38))
# Words for instruments in the languages of scores, and parts of sound names, by GM program.
_BY_NAME = (("piano", 0), ("klavier", 0), ("pianoforte", 0), ("cembalo", 6), ("harpsichord", 6), ("clavecin", 6),
            ("celesta", 8), ("glockenspiel", 9), ("vibraphone", 11), ("marimba", 12), ("xylophon", 13), ("organ", 19),
            ("orgel", 19), ("orgue", 19), ("accordion", 21), ("guitar", 24), ("harp", 46), ("arpa", 46), ("harfe", 46),
            ("violoncello", 42), ("cello", 42), ("contrabass", 43), ("kontrabass", 43), ("double bass", 43),
            ("violon", 40), ("violin", 40), ("viola", 41), ("bratsche", 41), ("alto viola", 41), ("piccolo", 72),
            ("recorder", 74), ("flute", 73), ("flauto", 73), ("flauti", 73), ("flöte", 73), ("flûte", 73),
            ("bass clarinet", 71), ("clarinet", 71), ("klarinette", 71), ("english horn", 69), ("corno inglese", 69),
            ("cor anglais", 69), ("oboe", 68), ("hautbois", 68), ("oboi", 68), ("bassoon", 70), ("fagott", 70),
            ("basson", 70), ("contrafagott", 70), ("soprano sax", 64), ("alto sax", 65), ("tenor sax", 66),
            ("baritone sax", 67), ("sax", 65), ("trumpet", 56), ("tromba", 56), ("trombe", 56), ("trompete", 56),
            ("trompette", 56), ("cornet", 56), ("trombone", 57), ("tromboni", 57), ("posaune", 57), ("tuba", 58),
            ("horn", 60), ("corno", 60), ("corni", 60), ("cors", 60), ("timpani", 47), ("pauken", 47), ("timbales", 47),
            ("sopran", 52), ("mezzo", 52), ("contralto", 52), ("tenor", 52), ("baritone", 52), ("chor", 52),
            ("coro", 52), ("choir", 52), ("voice", 52), ("vocals", 52), ("voix", 52), ("canto", 52), ("gesang", 52),
            ("singstimme", 52), ("alto", 52), ("bass", 32))


class Instrument(NamedTuple):
    """One instrument of a part: GM `program` from 0 and MIDI key of a drum, −1 where the file does not say."""

    name: str
    sound: str
    program: int
    channel: int
    key: int


class PartNames(NamedTuple):
    """What the part list says of a part."""

    name: str
    abbreviation: str
    instruments: dict[str, Instrument]


def part_list(listed: Element) -> tuple[dict[str, PartNames], list[tuple[int, int, str, str]]]:
    """The parts by their id, in order, and the groups of them: first and last part, ``bracket`` or ``brace``, name."""
    parts: dict[str, PartNames] = {}
    groups: list[tuple[int, int, str, str]] = []
    begun: dict[str, tuple[int, str, str]] = {}
    for entry in listed:
        if entry.tag == "score-part":
            name = entry.get("id") or ""
            if name in parts:
                name = f"{name} ({len(parts)})"
            parts[name] = PartNames(words(entry.findtext("part-name")), words(entry.findtext("part-abbreviation")),
                                    dict(_instruments(entry)))
        elif entry.tag == "part-group":
            number = entry.get("number", "1")
            if entry.get("type") == "start":
                begun[number] = (len(parts), entry.findtext("group-symbol", "").strip(),
                                 words(entry.findtext("group-name")))
            elif number in begun:
                first, symbol, name = begun.pop(number)
                kind = {"brace": "brace", "bracket": "bracket", "square": "bracket"}.get(symbol)
                if kind and len(parts) - 1 >= first:
                    groups.append((first, len(parts) - 1, kind, name))
    return parts, sorted(groups, key=lambda group: (group[0], -group[1]))


def _instruments(part: Element) -> list[tuple[str, Instrument]]:
    out = []
    midi = {entry.get("id", ""): entry for entry in part.iter("midi-instrument")}
    for entry in part.iter("score-instrument"):
        name = entry.get("id", "")
        out.append((name, _instrument(words(entry.findtext("instrument-name")),
                                      words(entry.findtext("instrument-sound")), midi.pop(name, None))))
    return out + [(name, _instrument("", "", entry)) for name, entry in midi.items()]


def _instrument(name: str, sound: str, midi: Element | None) -> Instrument:
    def number(tag: str) -> int:
        text = (midi.findtext(tag, "") if midi is not None else "").strip()
        return int(text) if text.isdecimal() and len(text) < 6 else 0

    program, key = number("midi-program") - 1, number("midi-unpitched") - 1
    return Instrument(name, sound, program if 0 <= program <= 127 else -1, number("midi-channel"),
                      key if 0 <= key <= 127 else -1)


def words(text: str | None) -> str:
    """A text on one line."""
    return " ".join((text or "").split())


def track_of(part: PartNames, pitched: int, unpitched: int) -> Track:
    """The track of a part in which so many notes are pitched and so many not.

    >>> track_of(PartNames("Flauti", "Fl.", {}), 10, 0)
    Track(name='Flauti', program=73, is_drum=False)
    """
    name = part.name
    first = next(iter(part.instruments.values()), None)
    drum = unpitched > pitched
    if first is not None and first.channel == DRUM_CHANNEL and not pitched > unpitched > 0:
        drum = True
    if drum:
        return Track(name, 0, True)
    if first is not None and first.program >= 0:
        return Track(name, first.program)
    said = [first.sound.replace(".", " ").replace("-", " "), first.name, name] if first else [name]
    return Track(name, next((program for text in said if (program := _program(text)) is not None), 0))


def _program(text: str) -> int | None:
    text = text.casefold()
    try:
        found = theory.parse_instrument(text)
        return found.program
    except RequestError:
        return next((program for word, program in _BY_NAME if re.search(rf"\b{word}", text)), None)


def drum_key(part: PartNames, instrument: str, step: str, octave: str, head: str) -> int:
    """The MIDI key of a note without pitch: as its instrument says, else by a name, else by its place on the staff.

    >>> drum_key(PartNames("Triangle", "", {}), "", "E", "4", ""), drum_key(PartNames("Kit", "", {}), "", "C", "5", "")
    (81, 38)
    """
    own = part.instruments.get(instrument)
    if own is None and len(part.instruments) == 1:
        own = next(iter(part.instruments.values()))
    if own is not None and own.key >= 0:
        return own.key
    for text in ((own.sound.replace("-", " "), own.name, part.name) if own is not None else (part.name,)):
        text = text.casefold()
        if _WHOLE_KIT.search(text):
            break
        for word, key in _BY_WORD:
            if word in text:
                return key
    return _KIT.get(step.strip() + octave.strip(), (38, 37))[head in _CROSSES]
