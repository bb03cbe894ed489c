"""Words in a MIDI file: bytes to text by a guess that is the same every time, and text to the bytes it came from."""

from __future__ import annotations

import re
from collections.abc import Mapping

_KANA = re.compile("[\u3040-\u30ff]")
_KANJI = re.compile(rb"(?:[\x88-\x9f][\x40-\xfc]){2}")       # two common ones in a row; in Latin-1 these are no letters


def decode(data: bytes) -> str:
    """Return `data` as text: UTF-8 where it is, Shift-JIS where that gives Japanese, else Windows Latin or Latin-1.

    >>> decode("Frédéric".encode("latin-1")), decode("ピアノ".encode("shift-jis"))
    ('Frédéric', 'ピアノ')
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        text = data.decode("cp932")
        if _KANA.search(text) or _KANJI.search(data):
            return text
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def encode(text: str, known: Mapping[str, bytes]) -> bytes:
    """Return the bytes of `text`: those it was read from where `known` has them, else UTF-8."""
    raw = known.get(text)
    return raw if raw is not None and decode(raw) == text else text.encode("utf-8", "replace")
