"""The text of ABC files: bytes to lines, accents behind backslashes, books cut into tunes."""

from __future__ import annotations

import html
import re
import unicodedata

from partimento.errors import ReadError

_ACCENTS = {"`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306", '"': "\u0308",
            "r": "\u030a", "H": "\u030b", "v": "\u030c", "c": "\u0327", ";": "\u0328", ".": "\u0307"}
_LETTERS = {"aa": "å", "AA": "Å", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "ss": "ß", "/o": "ø", "/O": "Ø",
            "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "/l": "ł", "/L": "Ł", "/d": "đ", "/D": "Đ"}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(aa|AA|ae|AE|oe|OE|ss|dh|DH|th|TH|/[oOlLdD])|"
                     r"([`'^~=\"rHvc;.u])([A-Za-z])|([%&\\]))|&(#?\w{2,8};)")
_LINES = re.compile(r"\r\n|\r|\n")
_COMMENT = re.compile(r"(?<!\\)%.*")
_FIELD = re.compile(r"([A-Za-z]|\+):(.*)", re.DOTALL)
_LIKE_MUSIC = re.compile(r"[|:\]]")             # `A:|` at the beginning of a line is music, no field A:
_MUSICAL = re.compile(r"^%|^[A-Za-z+]:|\|")
_BLOCK = re.compile(r"%%begin(text|ps|svg)\b")


def decoded(data: bytes) -> str:
    """Return the text of an ABC file: UTF-8 or UTF-16 where it is that, else Latin-1 as Windows has it."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    for encoding in ("utf-8", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def unescaped(text: str) -> str:
    r"""Return the words of a field with single spaces and their accents: ``\'e``, ``&eacute;``, ``\u00e9`` are all é.

    >>> unescaped(r"Caf\'e, na\"ive, \ss, 50\% &amp; &eacute;t\u00e9")
    'Café, naïve, ß, 50% & été'
    """
    return " ".join((_ESCAPE.sub(_letter, text) if "\\" in text or "&" in text else text).split())


def _letter(found: re.Match[str]) -> str:
    short, long, ligature, accent, letter, sign, entity = found.groups()
    if short or long:
        code = int(short or long, 16)
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else found[0]
    if ligature:
        return _LETTERS[ligature]
    if accent:
        made = unicodedata.normalize("NFC", letter + _ACCENTS[accent])
        return made if len(made) == 1 else found[0]
    return str(sign or html.unescape(f"&{entity}"))


def escaped(text: str) -> str:
    r"""Return words as a field says them: one line, nothing in them that is read as an accent or a comment.

    >>> escaped("50% & more"), unescaped(escaped(r"\'e &amp; %"))
    ('50\\% & more', "\\'e &amp; %")
    """
    text = " ".join(text.split()).replace("\\", "\\\\").replace("%", "\\%")
    return re.sub(r"&(?=#?\w{2,8};)", r"\\&", text)


def field_of(line: str, body: bool) -> tuple[str, str] | None:
    """Return letter and value of an information field, comment and outer spaces off; None for other lines.

    >>> field_of("T: A tune % of mine", False), field_of("A:|", True)
    (('T', 'A tune'), None)
    """
    found = _FIELD.match(line)
    if found is None or (body and found[1] in "ABCDEFGHabcdefgxyzZ" and _LIKE_MUSIC.match(found[2])):
        return None
    return found[1], uncommented(found[2]).strip()


def uncommented(line: str) -> str:
    """Return a line without what stands behind ``%``."""
    return _COMMENT.sub("", line) if "%" in line else line


def split_tunes(text: str) -> list[list[str]]:
    """Return the lines of each tune, what the file says for all of them before; ReadError where there is no tune.

    >>> [len(tune) for tune in split_tunes("M:3/4\\n\\nX:1\\nK:C\\nCDE|\\n\\nX:2\\nK:D\\nDEF|\\n")]
    [4, 4]
    """
    lines = _LINES.split(text)
    shared: list[str] = []
    tunes: list[list[str]] = []
    block, after_gap = "", False
    for line in lines:
        if line.startswith("X:"):
            tunes.append([*shared, line])
            block, after_gap = "", False
            continue
        if found := _BLOCK.match(line):
            block = found[1]
        elif line.startswith("%%end"):
            block = ""
        if tunes:
            if not line.strip():
                after_gap = True
            elif not after_gap or block or _MUSICAL.search(line):       # else free text between tunes
                tunes[-1].append(line)
        elif line.startswith("%%") or block or (_FIELD.match(line) and line[0] not in "+TKwWV"):
            shared.append(line)
    if tunes:
        return tunes
    if any(re.match(r"K:", line) for line in lines):
        return [[line for line in lines if line.strip()]]
    raise ReadError("an ABC file must have a tune with the lines X: (its number) and K: (its key); this one has none")
