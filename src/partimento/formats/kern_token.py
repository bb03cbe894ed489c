"""One token of a Humdrum **kern column: the length, the note heads, and the signs on it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from partimento.notation import names

_STEP_PITCH = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_LENGTH = re.compile(r"(\d{1,6})(?:%(\d{1,6}))?", re.ASCII)
_PLACE = re.compile(r"[a-gA-G][#n-]*[XYxyNi]*([<>])")
_GLUED = re.compile(r"([a-gA-G][#nXxyi/\\-]*)(?=\d+[%.\d]*[a-gA-G])")       # 4B/4e: a space is missing
_SIGNS = frozenset("().,{}[]<>&_:;/\\'\"`~^")               # of slurs, ties, articulations
_BINARY = ("1", "2", "4", "8", "16", "32", "64")
_QUARTER = Fraction(1)
MAX_DOTS = 4
MAX_SIGNS = 100                         # characters of a note that are looked at


class KernHead(NamedTuple):
    """One note head; `shift` is −1 where it stands on the staff above its own, 1 below; `quarters` is its length where
    it is not that of its token, as in a chord of different lengths."""

    pitch: int
    spelling: int
    tied_from: bool
    tied_to: bool
    shift: int
    quarters: Fraction | None = None


class Token(NamedTuple):
    """What a token says: `quarters` is None where it has no length of its own, as a grace note; `grace` is 1, 101
    with a slash, 0 for no grace note; `fault` is what had to be mended, in a plain name, or nothing."""

    quarters: Fraction | None
    grace: int
    heads: tuple[KernHead, ...]
    fermata: bool
    fault: str


class Tokens:
    """Tokens of one file, each text parsed once.

    `above` and `below` are the signs that the file itself declares for notes of another staff; empty where none.

    >>> token = Tokens().parse("[8.cc# 8.ee-;")
    >>> token.quarters, [(head.pitch, head.tied_to) for head in token.heads], token.fermata
    (Fraction(3, 4), [(73, True), (75, False)], True)
    """

    def __init__(self, above: str = "", below: str = "") -> None:
        self._shifts = {sign: shift for sign, shift in ((above, -1), (below, 1)) if sign}
        self._seen: dict[str, Token] = {}

    def parse(self, text: str) -> Token:
        """What a token says."""
        token = self._seen.get(text)
        if token is None:
            token = self._seen[text] = self._parse(text)
        return token

    def clock(self, texts: Iterable[str]) -> int:
        """Ticks a quarter note in which every length of these texts is whole; 0 where they are too fine for that."""
        clock = 1
        for found in {(number, of, text.count(".")) for text in set(texts) for number, of in _LENGTH.findall(text)}:
            quarters = _quarters(*found)
            clock = math.lcm(clock, quarters.denominator)
            if clock > 10**12:
                return 0
        return clock

    def _parse(self, text: str) -> Token:
        length: Fraction | None = None
        grace, fault, rest = 0, "", False
        first = ""
        heads: list[KernHead] = []
        parts = text.split(" ")
        if _GLUED.search(text):
            parts, fault = _GLUED.sub(r"\1 ", text).split(" "), "notes without a space between them taken apart"
        for part in parts:
            if not part:
                continue
            own = None
            if found := _LENGTH.search(part):
                own = _quarters(found[1], found[2], part.count("."))
                first = first or found[1]
                length = own if length is None else length
                if found[1] == first or found[1] not in _BINARY:
                    own = None                       # a dot forgotten or a digit mistyped, no length of its own
            if "q" in part and not grace:
                grace = 1 if "qq" in part else 101
            if "r" in part:
                rest = True
                continue
            letters = [char for char in part[:MAX_SIGNS] if char in "abcdefgABCDEFG"]
            if letters:
                if letters.count(letters[0]) < len(letters):
                    fault = "notes of two letters read as one"
                heads.append(self._head(part, letters, own))
            elif any(map(str.isdigit, part)):
                fault = fault or "tokens without a pitch read as rests"
                rest = True
            elif not set(part) <= _SIGNS:
                fault = fault or "tokens that are no notes passed over"
        if grace:
            length = None
        elif length is None and (heads or rest):
            length, fault = _QUARTER, "notes without a length given a quarter note"
        return Token(length, grace, tuple(heads), ";" in text, fault)

    def _head(self, part: str, letters: list[str], quarters: Fraction | None) -> KernHead:
        letter = max(letters, key=letters.count)     # a mistyped letter still counts for the octave
        step, count = letter.lower(), min(sum(other.isupper() == letter.isupper() for other in letters), 10)
        alter = min(max(part.count("#") - part.count("-"), -4), 4)
        octave = 4 + count if letter == step else 5 - count
        pitch = 12 * octave + _STEP_PITCH[step] + alter
        place = _PLACE.search(part)
        return KernHead(pitch, names.spelling_of(step.upper(), alter), "]" in part or "_" in part,
                    "[" in part or "_" in part, self._shifts.get(place[1], 0) if place else 0, quarters)


def _quarters(number: str, of: str | None, dots: int) -> Fraction:
    """The length of a recip in quarter notes: 4 is a quarter, 0 a breve, 00 a long, 3%2 two thirds of a whole note."""
    if not int(number):
        value = Fraction(4 * 2 ** min(len(number), 3))
    else:
        value = Fraction(4 * (int(of) if of else 1), int(number))
    dotted: int = 2 ** min(dots, MAX_DOTS)
    return value * Fraction(2 * dotted - 1, dotted)
