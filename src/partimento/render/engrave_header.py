"""What stands over and under the music of an engraved page: title, names, page number, rights."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

_LONG = 60                     # a name with more letters is a note on the edition: it goes to the foot of the page
_NAMES = ("composer", "lyricist", "arranger", "rights")
_GAP = 3.0                     # between these words and the first system
_TITLE_SIZES = (7.0, 6.0, 5.0)
_MM_A_LINE = 1.25              # of the size of its letters


@dataclass(frozen=True)
class Credits:
    """The words around the music; empty where a score has none."""

    title: str = ""
    subtitle: str = ""
    composer: str = ""
    lyricist: str = ""
    arranger: str = ""
    rights: str = ""


class Words(NamedTuple):
    """One line of words: its place, the size of its letters and which end of it is at `x`; all in millimetres."""

    text: str
    x: float
    y: float
    size: float
    anchor: str


class Paper(NamedTuple):
    """A page and its margins in millimetres: left and right alike, top, bottom."""

    width: float
    height: float
    side: float
    top: float
    bottom: float


Width = Callable[[str, float], float]          # of a text in letters of that size


def credits_of(root: ET.Element) -> Credits:
    """Return the words around the music of a MusicXML score: its typed credits, else its titles and creators."""
    said: dict[str, str] = {}
    for credit in root.iterfind("credit"):
        kind = _words(credit.findtext("credit-type")).lower()
        if kind and kind not in said and credit.get("page", "1") == "1":
            said[kind] = _words(" ".join(words.text or "" for words in credit.iterfind("credit-words")))
    for creator in root.iterfind("identification/creator"):
        kind = {"poet": "lyricist", "": "composer"}.get(creator.get("type", ""), creator.get("type", ""))
        said.setdefault(kind, _words(creator.text))
    said.setdefault("rights", _words(root.findtext("identification/rights")))
    work, movement = _words(root.findtext("work/work-title")), _words(root.findtext("movement-title"))
    number = _words(root.findtext("movement-number"))
    if number and work and movement and work != movement:
        titles = work, movement if movement.startswith(number) else f"{number}. {movement}"
    else:
        titles = movement or work, work if movement else ""
    title = said.get("title") or titles[0]
    subtitle = said.get("subtitle") or ("" if said.get("title") else titles[1])
    return Credits(title, "" if subtitle == title else subtitle, **{name: said.get(name, "") for name in _NAMES})


def header(credits: Credits, frame: Paper, width: Width) -> tuple[list[Words], float]:
    """Return the lines over the first system, and how many millimetres they take from the top margin on."""
    room = frame.width - 2 * frame.side
    middle, right = frame.width / 2, frame.width - frame.side
    lines: list[Words] = []
    y = frame.top
    largest = next((size for size in _TITLE_SIZES if width(credits.title, size) <= room), _TITLE_SIZES[-1])
    for text, size in [*((text, largest) for text in _wrapped(credits.title, largest, room, width)),
                       *((text, 4.2) for text in _wrapped(credits.subtitle, 4.2, room, width))]:
        y += size * _MM_A_LINE
        lines.append(Words(text, middle, y - 0.3 * size, size, "middle"))
    arranger = _short(credits.arranger)
    if arranger and not arranger.lower().startswith("arr"):
        arranger = f"arr. {arranger}"
    columns = ([_short(credits.lyricist)], frame.side, "start"), ([_short(credits.composer), arranger], right, "end")
    below = [[(text, x, anchor) for name in names for text in _wrapped(name, 3.6, room * 0.48, width)]
             for names, x, anchor in columns]
    rows = max(map(len, below))
    if rows and lines:
        y += 1.5
    for column in below:
        for row, (text, x, anchor) in enumerate(column, rows - len(column) + 1):
            lines.append(Words(text, x, y + row * 3.6 * _MM_A_LINE - 1, 3.6, anchor))
    y += rows * 3.6 * _MM_A_LINE
    return lines, y - frame.top + _GAP if lines else 0.0


def footer(credits: Credits, frame: Paper, width: Width) -> list[Words]:
    """Return the small print in the bottom margin of the first page, at most two lines."""
    said = [text for text in (credits.lyricist, credits.composer, credits.arranger) if len(text) > _LONG]
    small = " · ".join(filter(None, [*said, credits.rights]))
    rows = _wrapped(small, 2.4, frame.width - 2 * frame.side, width)[:2]
    bottom = frame.height - frame.bottom
    return [Words(text, frame.width / 2, bottom + 4.5 + 3 * row, 2.4, "middle") for row, text in enumerate(rows)]


def page_number(number: int, frame: Paper) -> list[Words]:
    """Return the number of a page, over its outer corner."""
    x, anchor = (frame.width - frame.side, "end") if number % 2 else (frame.side, "start")
    return [Words(str(number), x, frame.top - 3, 3.4, anchor)]


def _wrapped(text: str, size: float, room: float, width: Width) -> list[str]:
    rows: list[str] = []
    for word in text.split():
        if rows and width(f"{rows[-1]} {word}", size) <= room:
            rows[-1] += f" {word}"
        else:
            rows.append(word)
    return rows


def _short(text: str) -> str:
    return text if len(text) <= _LONG else ""


def _words(text: str | None) -> str:
    return " ".join((text or "").split())
