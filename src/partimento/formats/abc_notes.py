"""What a voice of ABC is read into: notes and bars, and words laid under the notes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from partimento.formats.abc_fields import MeterSaid
from partimento.formats.abc_signs import Sign
from partimento.formats.abc_text import unescaped

ONE = Fraction(1)
_SYLLABLE = re.compile(r"((?:\\.|[^\s\-_*|\\]|\\$)*)([\s\-_*|]?)")


class AbcHead:
    """One note: `place` counts letters from C of octave 0; `share` is its part of the length of its chord."""

    __slots__ = ("alter", "pitch", "place", "share", "spelling", "tied_from", "tied_to")

    def __init__(self, place: int, alter: int, pitch: int, spelling: int, tied_from: bool) -> None:
        self.place, self.alter, self.pitch, self.spelling = place, alter, pitch, spelling
        self.share, self.tied_from, self.tied_to = ONE, tied_from, False


class AbcNote:
    """A note, a chord or a rest (no heads) at a time of its bar, in quarter notes; `grace` is its place or 0."""

    __slots__ = ("at", "bar", "grace", "heads", "layer", "length", "verses")

    def __init__(self, at: Fraction, length: Fraction, heads: list[AbcHead], layer: int, grace: int, bar: int) -> None:
        self.at, self.length, self.heads, self.layer, self.grace, self.bar = at, length, heads, layer, grace, bar
        self.verses: dict[int, str] = {}


class AbcBar:
    """One bar: its notes, what else stands in it as (time, kind, text), and the signs at its two lines."""

    __slots__ = ("ending", "items", "left", "length", "meter", "notes", "right")

    def __init__(self) -> None:
        self.notes: list[AbcNote] = []
        self.items: list[tuple[Fraction, str, Any]] = []
        self.length = Fraction(0)
        self.meter: MeterSaid | None = None
        self.left = self.right = Sign()
        self.ending = ""


def slots(text: str) -> int:
    """Return how many notes a line of words needs.

    >>> slots("a-bide with me,__ *")
    7
    """
    return len(re.findall(r"[^\s\-_*|]+|[*_]", text))


def lay(text: str, verse: int, notes: Sequence[AbcNote]) -> int:
    """Lay the words of a verse under notes, a syllable a note; return how many syllables found none.

    A hyphen joins syllables, ``_`` holds one for another note, ``*`` leaves a note out, ``|`` goes on in the next bar,
    ``~`` is a space within a syllable (ABC 2.1, 5.1).
    """
    place, left_over = 0, 0
    bar = notes[0].bar if notes else 0
    last: AbcNote | None = None
    for found in _SYLLABLE.finditer(text.strip() + " "):
        word, stop = found.groups()
        if word:
            if place < len(notes):
                last = notes[place]
                last.verses[verse] = _syllable(word) + ("-" if stop == "-" else "")
            else:
                left_over += 1
        if stop == "|":
            bar = max(bar, notes[place - 1].bar if 0 < place <= len(notes) else bar) + 1
            while place < len(notes) and notes[place].bar < bar:
                place += 1
            continue
        if word:
            place += 1
        if stop in ("_", "-") and last is not None and last.verses[verse][-1:] not in ("-", "_"):
            last.verses[verse] += stop
        if stop in ("*", "_") or (stop == "-" and not word):
            place += 1
    return left_over


def _syllable(word: str) -> str:
    return unescaped(re.sub(r"\\([-_*|])", r"\1", word.replace("~", " ")))
