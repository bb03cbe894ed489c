"""The engraving itself, done in a process of its own: verovio may end the whole process on input that it dislikes."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from functools import lru_cache
from pathlib import Path
from typing import Any

from partimento.errors import PartimentoError, ReadError
from partimento.formats import xml_safe
from partimento.render.engrave_header import Paper, credits_of, footer, header, page_number
from partimento.render.engrave_letters import Letters, widened
from partimento.render.engrave_shapes import plain_page, words_width
from partimento.workers import Message

INSTALL = 'pip install "partimento[scores]"'
PAPER = {"A4": (210.0, 297.0), "letter": (215.9, 279.4)}
_MARGINS = (15.0, 15.0, 14.0)                       # side, top, bottom in mm
_CROPPED = (3.0, 3.0, 3.0)
_TALLEST = 60000                                    # a page of verovio's, in its units
_SCALES = (0.92, 0.92, 0.88, 0.84, 0.78, 0.74, 0.72, 0.7)       # by staves in a system, up to seven
_TWO_SYSTEMS, _ONE_SYSTEM = 0.55, 0.8               # two of more staves where they can be so large, else one so large
_MM_A_STAFF = 19.5                                  # what a staff of a full score takes of the page's height at scale 1
_SMALLEST = 0.2
_ROW = 356                                          # height of a line of verovio's own header, in its units
_UNIT = 90                                          # and of the unit in which it counts distances
_STAFF_LINES = re.compile(r'd="M-?\d+ (-?\d+) L')
_JOINED = {"dynamics", "words"}
_AROUND = {"defaults", "credit", "work", "movement-title", "movement-number"}


def engrave(message: Message) -> Message:
    """The task of the process: words of the wish and a MusicXML score in; lengths of the pages and the pages out."""
    if message.head["pid"] == os.getpid():
        return Message({"error": "engraving needs a Python process of its own, and none can be started here"})
    try:
        drawn = [page.encode("utf-8") for page in _pages(message.body, message.head)]
    except PartimentoError as error:
        return Message({"error": str(error), "reading": isinstance(error, ReadError)})
    return Message({"lengths": [len(page) for page in drawn]}, b"".join(drawn))


@lru_cache(maxsize=1)
def _verovio() -> tuple[Any, Letters]:
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    return verovio, Letters(Path(verovio.__file__).parent / "data")


def _pages(data: bytes, wish: dict[str, Any]) -> list[str]:
    verovio, letters = _verovio()
    root = xml_safe.tree(data)
    if root.tag != "score-partwise":
        raise ReadError(f"a score to engrave must be MusicXML with <score-partwise> outermost; got <{root.tag[:40]}>")
    credits = credits_of(root)
    cropped = wish["cropped"]
    width, height = PAPER[wish["paper"]][::-1] if wish["landscape"] else PAPER[wish["paper"]]
    frame = Paper(width, height, *(_CROPPED if cropped else _MARGINS))

    def measure(text: str, size: float) -> float:
        return words_width(text, size, letters)

    over, taken = ([], 0.0) if cropped else header(credits, frame, measure)
    below = [] if cropped else footer(credits, frame, measure)
    room = frame.height - frame.top - frame.bottom
    scale = wish["scale"] or _first_scale(_staves(root), room - taken)
    rows = int(0.9 * taken * 100 / scale / _ROW)
    toolkit = verovio.toolkit()
    _set(toolkit, frame, scale, taken, rows, cropped)
    if not toolkit.loadData(_shown(root, rows, letters)):
        raise ReadError("verovio could not read this MusicXML; write it anew with partimento convert and try again")
    pages, needed = _drawn(toolkit)
    if not needed:
        raise ReadError("a score must have at least one bar to be engraved; got none")
    while not (wish["scale"] or cropped or scale <= _SMALLEST or needed * scale / 100 <= room):
        scale = max(_SMALLEST, scale * min(0.95, room / (needed * scale / 100)))      # a system is taller than the page
        _set(toolkit, frame, scale, taken, rows, cropped)
        toolkit.redoLayout()
        pages, needed = _drawn(toolkit)
    title = wish["title"] or credits.title
    return [plain_page(page, letters, scale=scale, title=title, paper=None if cropped else (width, height),
                       words=[] if cropped else [*over, *below] if number == 1 else page_number(number, frame))
            for number, page in enumerate(pages, 1)]


def _drawn(toolkit: Any) -> tuple[list[str], int]:
    """The pages as verovio draws them, and where the lowest line on any of them begins."""
    pages = [toolkit.renderToSVG(number) for number in range(1, toolkit.getPageCount() + 1)]
    return pages, max((int(y) for page in pages for y in _STAFF_LINES.findall(page)), default=0)


def _staves(root: ET.Element) -> int:
    """How many staves stand in a full system."""
    said = ([element.text or "" for element in part.iter("staves")] for part in root.iterfind("part"))
    return sum(max((int(text) for text in texts if text.isdecimal()), default=1) for texts in said) or 1


def _first_scale(staves: int, room: float) -> float:
    """The scale to begin with: the custom of chamber music; for more staves such that whole systems fill a page."""
    if staves < len(_SCALES):
        return _SCALES[staves]
    two = room / (2 * _MM_A_STAFF * staves)
    return max(_SMALLEST, min(_SCALES[-1], two) if two >= _TWO_SYSTEMS else min(_ONE_SYSTEM, 2 * two))


def _set(toolkit: Any, frame: Paper, scale: float, taken: float, rows: int, cropped: bool) -> None:
    """Tell verovio the page, and what to keep free under the `rows` of its own header so that ours has its room."""
    units = 10 / scale                             # of verovio's page in a millimetre
    toolkit.setOptions({
        "pageWidth": round(frame.width * units), "scale": 100,
        "pageHeight": _TALLEST if cropped else round(frame.height * units),
        "pageMarginLeft": round(frame.side * units), "pageMarginRight": round(frame.side * units),
        "pageMarginTop": round(frame.top * units), "pageMarginBottom": round(frame.bottom * units),
        "bottomMarginHeader": min(24.0, max(0.0, (taken * 10 * units - rows * _ROW) / _UNIT)),
        "header": "auto" if rows else "none", "footer": "none", "breaks": "auto",
        "adjustPageHeight": cropped, "adjustPageWidth": cropped, "justifyVertically": not cropped,
        "font": "Leland", "svgViewBox": True, "svgFormatRaw": True, "smuflTextFont": "none",
    })


def _shown(root: ET.Element, rows: int, letters: Letters) -> str:
    """The score for verovio: `rows` lines of header for the words around the music, directions that meet joined."""
    shown = ET.Element(root.tag, root.attrib)
    for _ in range(rows):
        credit = ET.SubElement(shown, "credit", page="1")
        ET.SubElement(credit, "credit-words", {"justify": "left", "valign": "top"}).text = "Xg"
    shown.extend(child for child in root if child.tag not in _AROUND)
    parts = root.find("part-list")
    if parts is not None and len(parts.findall("score-part")) == 1:       # a solo needs no name and no bracket
        for group in parts.findall("part-group"):
            parts.remove(group)
        for name in ("part-name", "part-abbreviation"):
            for element in parts.findall(f"score-part/{name}"):
                element.text = ""
    for first in root.iterfind("part/measure[1]"):
        if first.find("attributes") is None:       # verovio leaves out a part that begins without
            first.insert(0, ET.Element("attributes"))
    for measure in root.iterfind("part/measure"):
        _join_directions(measure)
    for tag in ("text", "part-name", "part-abbreviation"):
        for element in root.iter(tag):
            element.text = widened(element.text or "", letters)
    return ET.tostring(shown, encoding="unicode")


def _join_directions(measure: ET.Element) -> None:
    """Make one direction of dynamics and words at one place, which verovio would else write over each other."""
    before: ET.Element | None = None
    for child in list(measure):
        if child.tag != "direction":
            before = None
        elif before is not None and _place(before) == _place(child) and {_kind(before), _kind(child)} == _JOINED:
            for place, kind in enumerate(child.findall("direction-type"), len(before.findall("direction-type"))):
                before.insert(place, kind)
            measure.remove(child)
            before = None
        else:
            before = child


def _place(direction: ET.Element) -> tuple[str | None, ...]:
    return direction.get("placement"), direction.findtext("staff"), direction.findtext("offset")


def _kind(direction: ET.Element) -> str:
    """"dynamics" or "words", which the direction is alone; empty where it is a tempo, something else or both."""
    if direction.find("sound[@tempo]") is not None:
        return ""
    kinds = {kind.tag for kind in direction.iterfind("direction-type/*")} - {"dashes"}
    return kinds.pop() if len(kinds) == 1 and kinds <= _JOINED else ""
