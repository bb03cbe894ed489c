"""What the words of a Humdrum file say: instruments, tempos, directions and the records about the piece."""

from __future__ import annotations

import html
import re

from partimento.formats import musicxml_parts
from partimento.score import Track

# Humdrum's codes for instruments, as in *Ivioln, and for classes of them, as in *ICvox: General MIDI programs.
_PROGRAMS = {code: program for program, codes in {
    0: "piano forte klav clavi pf keyb", 6: "cemba hpsch", 7: "clavc", 8: "celst", 9: "glock", 11: "vibra", 12: "marim",
    13: "xylo", 14: "chime", 19: "organ", 20: "harmn", 21: "accor", 22: "armon", 24: "guitr lute liuto", 32: "bassb",
    40: "violn violin str", 41: "viola", 42: "cello vc", 43: "cbass violo", 46: "arpa", 47: "timpa",
    52: "soprn mezzo calto tenor barit bass choir coro canto alto feme male cant", 53: "vox voice",
    56: "tromp", 57: "tromb", 58: "tuba", 60: "cor", 61: "bras", 64: "saxS", 65: "saxA", 66: "saxT", 67: "saxB",
    68: "oboe", 69: "corng", 70: "fagot cfago", 71: "clars clara clarb clarp", 72: "picco", 73: "flt ww flts",
    74: "recrd flt_b", 105: "banjo", 109: "zampo", 110: "fiddle"}.items() for code in codes.split()}
_DRUMS = ("drum", "drmsp", "drmB", "tambn", "cymbl", "trngl", "bdrum", "sdrum", "gong", "idio", "batt", "castn")
_KEYBOARDS = ("piano", "forte", "klav", "clavi", "pf", "keyb", "cemba", "hpsch", "clavc", "organ", "harmn", "klavier")

_BEATS = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "sixteenth": 0.25, "𝅝": 4.0, "𝅗𝅥": 2.0, "♩": 1.0,
          "♪": 0.5}
_NUMBER = re.compile(r"\[?(whole|half|quarter|eighth|sixteenth|♩|♪|𝅗𝅥)(?:-?note)?(-dot|\.)?\]?"
                     r"\s*=\s*(\d{1,4}(?:[.,]\d{1,4})?)")
_JUMP = re.compile(r"(d\.?\s?c\b\.?|da\s?capo|d\.?\s?s\b\.?|dal\s?segno)")


def instrument_of(name: str, codes: list[str]) -> Track:
    """The track of a part with that name and those instrument codes, the most exact first.

    >>> instrument_of("Geige", ["violn", "str"]), instrument_of("Flute", [])
    (Track(name='Geige', program=40, is_drum=False), Track(name='Flute', program=73, is_drum=False))
    """
    for code in codes:
        if code in _PROGRAMS or code in _DRUMS:
            return Track(name, _PROGRAMS.get(code, 0), code in _DRUMS)
    return musicxml_parts.track_of(musicxml_parts.PartNames(name, "", {}), 1, 0)


def is_keyboard(codes: list[str], name: str = "") -> bool:
    """Whether instrument codes, or where there are none a name, mean a keyboard.

    >>> is_keyboard(["piano"]), is_keyboard([], "[Pianoforte]"), is_keyboard(["vox"])
    (True, True, False)
    """
    if codes:
        return any(code in _KEYBOARDS for code in codes)
    return bool(re.search(r"pian|forte|clav|orgel|organ", name.lower()))


def plain_words(text: str) -> str:
    """Words as a reader of the page sees them: entities, line breaks and signs for small letters resolved.

    >>> plain_words("1|ma &colon; volta")
    '1ma : volta'
    """
    text = html.unescape(text.replace("&colon;", ":")).replace("\\n", " ").replace("\xa0", " ")
    return " ".join(text.replace("|", "").split())


def tempo_number(text: str) -> float | None:
    """The quarter notes a minute that words say in a number; None where they say none.

    >>> tempo_number("Allegro. [half-dot]=40"), tempo_number("Allegro")
    (120.0, None)
    """
    found = _NUMBER.search(text)
    if not found:
        return None
    beat, dot, number = found.groups()
    return _BEATS[beat] * (1.5 if dot else 1.0) * float(number.replace(",", "."))


def jump_of(text: str) -> str:
    """The sign that words stand for, as a `repeat` mark says it: ``da capo al fine``, ``segno`` …; or nothing.

    >>> jump_of("D.C. al Fine"), jump_of("[segno]"), jump_of("Dal segno"), jump_of("Coda."), jump_of("con fuoco")
    ('da capo al fine', 'segno', 'dal segno', 'coda', '')
    """
    words = re.sub(r"[\[\]()]", "", text.lower()).strip(" .:")
    if words in ("segno", "coda", "fine"):
        return words
    if words in ("to coda", "al coda", "alla coda"):
        return "to coda"
    found = _JUMP.match(words)
    if not found or len(words) > 60:
        return ""
    kind = "da capo" if "c" in found[1].split("al ")[0] and not found[1].startswith("dal") else "dal segno"
    if re.search(r"\bfine\b", words):
        return kind + " al fine"
    return kind + (" al coda" if re.search(r"\bcoda\b", words) else "")


def person(name: str) -> str:
    """The name of a person as it stands on a page, from ``Last, First``.

    >>> person("Chopin, Fryderyk"), person("Anonim")
    ('Fryderyk Chopin', 'Anonim')
    """
    last, comma, first = name.partition(",")
    return name.strip() if not comma or "," in first else f"{first.strip()} {last.strip()}".strip()
