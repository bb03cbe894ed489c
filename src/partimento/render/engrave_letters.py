"""Letters and music signs as outlines, from the fonts that the verovio wheel carries; used in the engraving process.

The text font is Liberation Serif, as wide letter by letter as the Times that verovio reckons with, so that what is
drawn takes the room that the page has for it.
"""

from __future__ import annotations

import base64
import io
import re
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

from partimento.errors import WriteError

INVISIBLE = "\u200b"
_O_WIDTH = 0.5                 # em
_MUSIC_EM = 1000.0
_METRONOME = {chr(code) for code in range(0xECA0, 0xECC0)}
_METRONOME_EM = 1450.0         # the notes of metronome marks are drawn smaller than verovio has them, as high as words
_NOTE_AMONG_WORDS_EM = 900.0
_BOX = "M150 0h700v1300h-700zM230 80v1140h540v-1140z"
_SAME = {"‿": "\ue551", "𝄫": "\ue264", "𝄪": "\ue263", "𝄐": "\ue4c0", "ʻ": "‘", "♩": "\ueca5", "♪": "\ueca7",
         "\U0001d15d": "\ueca2", "\U0001d15e": "\ueca3", "\U0001d15f": "\ueca5", "\U0001d160": "\ueca7",
         "\U0001d161": "\ueca9"}       # what the fonts have in their place
_FACE = re.compile(r"@font-face\s*\{.*?base64,([A-Za-z0-9+/=]+).*?font-weight:\s*(\w+).*?font-style:\s*(\w+)", re.S)
_ADVANCE = re.compile(r'<g c="(\w+)"[^>]*?h-a-x="([\d.]+)"')
_PATH = re.compile(r' d="([^"]*)"')


class Letter(NamedTuple):
    """One glyph: its name, its outline (SVG path, y upwards), how far the pen moves on, all in units of the font."""

    name: str
    outline: str
    advance: float


class Style(NamedTuple):
    """How a piece of text looks: a music font's name or "" for the text font, bold, italic."""

    music: str = ""
    bold: bool = False
    italic: bool = False


def widened(text: str, letters: Letters) -> str:
    """The text, longer by what verovio thinks too little, which takes every letter beyond ASCII for as wide as an o."""
    wide = [letters.letter(character, Style()) for character in text if not character.isascii()]
    short = sum(letter.advance / em - _O_WIDTH for letter, em in wide)
    return text + INVISIBLE * round(max(0.0, short) / _O_WIDTH)


class Letters:
    """Every glyph asked for so far, read once; `folder` is where verovio keeps its fonts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fonts: dict[tuple[bool, bool], _TextFont] = {}
        self._sources: dict[tuple[bool, bool], bytes] = {}
        self._advances: dict[str, dict[str, float]] = {}
        self._known: dict[tuple[Style, str], tuple[Letter, float]] = {}

    def letter(self, character: str, style: Style) -> tuple[Letter, float]:
        """The glyph of one character and the units in its font's em; what no font has is drawn as an empty box."""
        key = (style, character)
        if key not in self._known:
            self._known[key] = self._find(character, style)
        return self._known[key]

    def _find(self, character: str, style: Style) -> tuple[Letter, float]:
        character = _SAME.get(character, character)
        if style.music and (sign := self._sign(style.music, character)):
            return sign, _METRONOME_EM if character in _METRONOME else _MUSIC_EM
        font = self._font(style.bold, style.italic)
        if font.has(character):
            return font.letter(character), font.em
        for music in ("Leipzig", "Bravura"):
            if sign := self._sign(music, character):
                return sign, _NOTE_AMONG_WORDS_EM if character in _METRONOME else _MUSIC_EM
        if unicodedata.category(character) in ("Mn", "Cf", "Cc", "Co"):
            return Letter("", "", 0.0), font.em
        plain = unicodedata.normalize("NFKD", character)[:1]
        return font.letter(plain) if font.has(plain) else Letter("box", _BOX, 1000.0), font.em

    def _sign(self, font: str, character: str) -> Letter | None:
        if not re.fullmatch(r"\w+", font):
            return None
        code = f"{ord(character):04X}"
        path = self._folder / font / f"{code}.xml"
        if not path.is_file():
            return None
        if font not in self._advances:
            table = (self._folder / f"{font}.xml").read_text(encoding="utf-8")
            self._advances[font] = {code: float(width) for code, width in _ADVANCE.findall(table)}
        outline = " ".join(_PATH.findall(path.read_text(encoding="utf-8")))
        return Letter(f"{font[:2]}{code}", outline, self._advances[font].get(code, 0.0))

    def _font(self, bold: bool, italic: bool) -> _TextFont:
        if not self._sources:
            path = self._folder / "Liberation.css"
            if path.is_file():
                for data, weight, slant in _FACE.findall(path.read_text(encoding="utf-8")):
                    self._sources[weight == "bold", slant == "italic"] = base64.b64decode(data)
            if len(self._sources) < 4:
                raise WriteError("this release of verovio carries no text font; pip install -U \"partimento[scores]\"")
        style = bold, italic
        if style not in self._fonts:
            self._fonts[style] = _TextFont("rbiz"[bold + 2 * italic], self._sources[style])
        return self._fonts[style]


class _TextFont:
    """One style of the text font."""

    def __init__(self, name: str, data: bytes) -> None:
        from fontTools.ttLib import TTFont

        self._name = name
        self._font: Any = TTFont(io.BytesIO(data))
        self._names: dict[int, str] = self._font.getBestCmap()
        self._glyphs: Any = self._font.getGlyphSet()
        self.em = float(self._font["head"].unitsPerEm)

    def has(self, character: str) -> bool:
        return ord(character) in self._names

    def letter(self, character: str) -> Letter:
        from fontTools.pens.svgPathPen import SVGPathPen

        glyph = self._glyphs[self._names[ord(character)]]
        pen = SVGPathPen(self._glyphs)
        glyph.draw(pen)
        return Letter(f"{self._name}{ord(character):04X}", pen.getCommands(), float(glyph.width))
