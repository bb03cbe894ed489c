"""The information fields of ABC in numbers: keys, meters, unit lengths, tempos, voices, clefs, the order of a score."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from partimento import theory
from partimento.errors import RequestError
from partimento.formats.tempo_words import usual_tempo

LETTERS = "CDEFGAB"
FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_MODES = {"": 0, "maj": 0, "ion": 0, "lyd": 1, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4,
          "loc": -5}
_SIGNS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
_ON_LINE = {letter: place for place, letter in enumerate("FCGDAEB")}
_KEY = re.compile(r"([A-G])([#b]?)\s*(?!clef|oct|mid|tra|sta|exp)([A-Za-z]*)")
_PIPES = re.compile(r"H[Pp]\b")
_ACCIDENTAL = re.compile(r"(\^\^|__|[\^_=])([A-Ga-g])")
_WORD = re.compile(r'([A-Za-z-]+)\s*=\s*("[^"]*"|\S+)|(\S+)')
_CLEFS = {"treble": "G2", "alto": "C3", "tenor": "C4", "bass": "F4", "soprano": "C1", "mezzosoprano": "C2",
          "baritone": "F3", "perc": "percussion", "G": "G2", "C": "C3", "F": "F4", "P": "percussion"}
_CLEF = re.compile(r"(treble|alto|tenor|bass|soprano|mezzosoprano|baritone|perc|[GCFP])(\d?)([+-](?:8|15))?")
_MAX = 10_000


class KeySaid(NamedTuple):
    """A K: field: sharps − flats and mode of its signature, and the alteration of each letter, C to B.

    `fifths` is None where no key is said, as in ``K:none`` or where the field names a clef only.
    """

    fifths: int | None
    mode: str
    altered: tuple[int, ...]


class MeterSaid(NamedTuple):
    """An M: field: beats, unit, and ``common`` or ``cut`` where a sign stands for them; 0/0 for free meter."""

    numerator: int
    denominator: int
    sign: str = ""


class TempoSaid(NamedTuple):
    """A Q: field: quarter notes a minute, or None where none is said, and its words."""

    bpm: float | None
    words: str


class ScoreSaid(NamedTuple):
    """A %%score: its parts, each of staves, each of voices; and brackets as first and last part."""

    parts: list[list[list[str]]]
    brackets: list[tuple[int, int]]


NO_KEY = KeySaid(None, "", (0,) * 7)
FREE = MeterSaid(0, 0)


@lru_cache(maxsize=256)
def key_said(text: str) -> KeySaid | None:
    """Return what a K: field says of the key; None where it says nothing of it, only of the clef.

    >>> key_said("Ador")[:2], key_said("F# minor")[:2], key_said("D =c")[1:]
    ((1, ''), (3, 'minor'), ('', (0, 0, 0, 1, 0, 0, 0)))
    """
    text = text.strip()
    if not text or re.match(r"none\b", text, re.IGNORECASE):
        return NO_KEY
    if _PIPES.match(text):
        return KeySaid(2, "", altered_by(2))
    found = _KEY.match(text)
    if found is None and not _ACCIDENTAL.match(text):
        return NO_KEY if text.startswith("perc") else None
    fifths, mode, altered, rest = 0, "", [0] * 7, text
    if found:
        word = found[3][:3].lower()
        if found[3] == "M":
            word = "maj"
        if word not in _MODES:
            word = "" if word in ("cle", "bas", "tre", "alt", "ten", "per", "exp") else "maj"
        fifths = FIFTHS[found[1]] + 7 * {"": 0, "#": 1, "b": -1}[found[2]] + _MODES[word]
        mode = {0: "major", -3: "minor"}.get(_MODES[word], "")
        altered = list(altered_by(fifths))
        rest = text[found.end(2):]
    if re.search(r"\bexp\b", text):
        altered = [0] * 7
    own = _ACCIDENTAL.findall(_WORD_OF_NAME.sub("", rest))
    for sign, letter in own:
        altered[LETTERS.index(letter.upper())] = _SIGNS[sign]
    if own or re.search(r"\bexp\b", text):
        fifths, mode = max(-7, min(7, sum(altered))), ""
    return KeySaid(fifths, mode, tuple(altered))


_WORD_OF_NAME = re.compile(r'\w+\s*=\s*("[^"]*"|[^\s=_^]+[,\']*)')


def altered_by(fifths: int) -> tuple[int, ...]:
    """Return the alteration of each letter from C to B under a key signature.

    >>> altered_by(2), altered_by(-1)
    ((1, 0, 0, 1, 0, 0, 0), (0, 0, 0, 0, 0, 0, -1))
    """
    return tuple((fifths + 6 - _ON_LINE[letter]) // 7 for letter in LETTERS)


def meter_said(text: str) -> MeterSaid | None:
    """Return what an M: field says; None where it cannot be understood.

    >>> meter_said("C|"), meter_said("2+3/8")[:2], meter_said("none")[:2]
    (MeterSaid(numerator=2, denominator=2, sign='cut'), (5, 8), (0, 0))
    """
    word = text.strip()
    if word.lower() in ("none", "free", ""):
        return FREE
    if word in ("C", "c"):
        return MeterSaid(4, 4, "common")
    if word in ("C|", "c|"):
        return MeterSaid(2, 2, "cut")
    found = re.match(r"\(?\s*(\d{1,3}(?:\s*\+\s*\d{1,3})*)\s*\)?\s*(?:/\s*(\d{1,3}))?", word)
    if found is None:
        return None
    beats = sum(int(number) for number in found[1].split("+"))
    unit = int(found[2] or 4)
    return MeterSaid(beats, unit) if 0 < beats < 256 and 0 < unit <= 128 else None


def unit_of(meter: MeterSaid) -> Fraction:
    """Return the length in quarter notes that a bare letter has where no L: is said (ABC 2.1, 3.1.7)."""
    return Fraction(1, 4) if meter.denominator and 4 * meter.numerator < 3 * meter.denominator else Fraction(1, 2)


def length_said(text: str) -> Fraction | None:
    """Return the quarter notes of an L: field; None where it cannot be understood.

    >>> length_said("1/8"), length_said("auto")
    (Fraction(1, 2), None)
    """
    found = re.match(r"\s*(\d{1,3})\s*(?:/\s*(\d{1,4}))?", text)
    if found is None or not int(found[1]) or not int(found[2] or 1):
        return None
    return Fraction(4 * int(found[1]), int(found[2] or 1))


def tempo_said(text: str, unit: Fraction) -> TempoSaid:
    """Return what a Q: field says; a number alone counts quarter notes, as players of ABC have it.

    >>> tempo_said('"Allegro" 3/8=80', Fraction(1)), tempo_said("120", Fraction(1, 2)).bpm
    (TempoSaid(bpm=120.0, words='Allegro'), 120.0)
    """
    words = " ".join(re.findall(r'"([^"]*)"', text)).strip()
    rest = re.sub(r'"[^"]*"', " ", text)
    left, equals, right = rest.partition("=")
    number = re.search(r"\d{1,5}(?:\.\d{1,3})?", right if equals else left)
    if number is None:
        if not words and re.search("[A-Za-z]{3}", rest):
            words = rest.strip()
        return TempoSaid(usual_tempo(words) if words else None, words)
    beat = Fraction(1)
    if equals:
        notes = re.findall(r"(\d{1,3})\s*/\s*(\d{1,3})", left)
        beat = sum((Fraction(4 * int(top), int(bottom)) for top, bottom in notes if int(bottom)), Fraction(0))
        if not beat:                                        # Q:C=120 and Q:C3=120 count in unit lengths
            beat = unit * int((re.search(r"\d{1,3}", left) or ["1"])[0] or 1)
    return TempoSaid(float(number[0]) * float(beat), words)


def named(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the ``name=value`` of a field and its other words.

    >>> named('clef=bass name="Violin 1" up')
    ({'clef': 'bass', 'name': 'Violin 1'}, ['up'])
    """
    values, words = {}, []
    for name, value, word in _WORD.findall(text):
        if name:
            values[name.lower()] = value.strip('"')
        else:
            words.append(word)
    return values, words


def clef_said(word: str) -> tuple[str, int] | None:
    """Return the clef that a word names and the octaves that its 8 adds; None for other words.

    >>> clef_said("treble-8"), clef_said("bass3"), clef_said("up")
    (('G2_8', -1), ('F3', 0), None)
    """
    found = _CLEF.fullmatch(word.strip('"'))
    if found is None:
        return None
    clef = _CLEFS[found[1]]
    if found[2] and clef != "percussion":
        clef = clef[0] + found[2]
    octaves = {None: 0, "+8": 1, "-8": -1, "+15": 2, "-15": -2}[found[3]]
    return clef + {0: "", 1: "^8", -1: "_8", 2: "^15", -2: "_15"}[octaves], octaves


def score_said(text: str) -> ScoreSaid:
    """Return the parts that %%score or %%staves names: ``(a b)`` one staff, ``{a b}`` one part of two staves.

    >>> score_said("[S A] {(R1 R2) | L}")
    ScoreSaid(parts=[[['S']], [['A']], [['R1', 'R2'], ['L']]], brackets=[(0, 1)])
    """
    said = ScoreSaid([], [])
    braced: list[list[str]] | None = None
    staff: list[str] | None = None
    opened: list[int] = []
    for word in re.findall(r"[()\[\]{}|*]|[^\s()\[\]{}|*]+", text):
        if word == "{":
            braced = []
            said.parts.append(braced)
        elif word == "}":
            braced = None
        elif word == "(":
            staff = []
            if braced is None:
                said.parts.append([staff])
            else:
                braced.append(staff)
        elif word == ")":
            staff = None
        elif word == "[":
            opened.append(len(said.parts))
        elif word == "]":
            first = opened.pop() if opened else 0
            if len(said.parts) - 1 > first:
                said.brackets.append((first, len(said.parts) - 1))
        elif word not in "|*":
            if staff is not None:
                staff.append(word)
            elif braced is not None:
                braced.append([word])
            else:
                said.parts.append([[word]])
    return ScoreSaid([kept for part in said.parts if (kept := [voices for voices in part if voices])], said.brackets)


def shift_on_line(semitones: int) -> int:
    """Return the places on the line of fifths that a transposition moves a name: the nearest that there are.

    >>> shift_on_line(-2), shift_on_line(3), shift_on_line(12)
    (-2, -3, 0)
    """
    return (7 * semitones + 5) % 12 - 5


def transposition(semitones: int) -> list[int]:
    """Return steps, semitones and whole octaves of a transposition, as scores for transposing instruments say it.

    >>> transposition(-2), transposition(-14), transposition(3)
    ([-1, -2, 0], [-1, -2, -1], [2, 3, 0])
    """
    octaves = int(semitones / 12)
    rest = semitones - 12 * octaves
    fifths = shift_on_line(rest)
    return [4 * fifths - 7 * ((7 * fifths - rest) // 12), rest, octaves]


def drum_said(note: str, key: int) -> dict[int, int]:
    """Return which written pitch a %%MIDI drummap turns into which key; empty where it names no note.

    >>> drum_said("^g", 38), drum_said("snare", 38)
    ({80: 38}, {})
    """
    found = re.fullmatch(r"([_^=]?)([A-Ga-g])([,']*)", note)
    if not found:
        return {}
    octave = 5 + found[2].islower() + found[3].count("'") - found[3].count(",")
    natural = 12 * octave + theory.LETTERS[found[2].upper()]
    return {natural + {"_": -1, "^": 1}.get(found[1], 0): key}


_QUALITIES = {"min": "m", "mi": "m", "-": "m", "maj": "", "Maj": "", "M": "", "major": "", "minor": "m", "°": "dim",
              "o": "dim", "+": "aug", "ø": "m7b5", "d": "dim", "a": "aug", "sus": "sus4", "7sus": "7sus4", "Δ": "maj7",
              "M7": "maj7", "Maj7": "maj7", "j7": "maj7", "min7": "m7", "mi7": "m7", "-7": "m7", "o7": "dim7",
              "°7": "dim7", "ø7": "m7b5", "+7": "aug7", "a7": "aug7", "dom7": "7", "mmaj7": "m(maj7)", "mM7": "m(maj7)",
              "minmaj7": "m(maj7)", "m7-5": "m7b5"}
_CHORD = re.compile(r"([A-G])([#b♯♭]?)([^/\\]*)(?:[/\\]([A-Ga-g])([#b+♯♭]?))?")


@lru_cache(maxsize=4096)
def chord_symbol_of(text: str) -> str:
    """Return a chord symbol as it is written over a lead sheet; empty where the words name no chord.

    >>> chord_symbol_of("D/f+"), chord_symbol_of("Gmin7"), chord_symbol_of("(Bbd)"), chord_symbol_of("Refrain")
    ('D/F#', 'Gm7', 'Bbdim', '')
    """
    word = re.sub(r"\s+", "", text).strip("()")
    if word.upper() in ("N.C.", "NC", "N", "N.C"):
        return "N"
    found = _CHORD.fullmatch(word)
    if found is None:
        return ""
    root, sign, quality, bass, bass_sign = (group or "" for group in found.groups())
    sign = sign.translate({0x266F: "#", 0x266D: "b"})
    symbol = root + sign + _QUALITIES.get(quality, quality)
    if bass:
        symbol += "/" + bass.upper() + bass_sign.replace("+", "#").translate({0x266F: "#", 0x266D: "b"})
    try:
        theory.parse_chord(symbol)
    except RequestError:
        return ""
    return symbol


def parts_played(text: str) -> Iterator[str]:
    """Yield the letters of a P: field in the header in the order in which the parts are played, no more than some.

    >>> "".join(parts_played("A(AB)2C"))
    'AABABC'
    """
    words = re.findall(r"[A-Za-z]|\(|\)|\d{1,2}", text)
    stack: list[list[str]] = [[]]
    last: list[str] = []
    for word in words:
        if word == "(":
            stack.append([])
        elif word == ")" and len(stack) > 1:
            last = stack.pop()
            stack[-1] += last
        elif word.isdecimal():
            stack[-1] += (last * (int(word) - 1))[:_MAX]
        elif word.isalpha():
            last = [word]
            stack[-1].append(word)
        if sum(map(len, stack)) > _MAX:
            break
    yield from [letter for level in stack for letter in level][:_MAX]
