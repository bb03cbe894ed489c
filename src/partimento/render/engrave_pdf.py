"""Vector PDF from the plain SVG of engraved pages, with zlib alone (PDF 1.7, ISO 32000-1).

Every glyph is written once, as a form that all pages use. The same pages give the same bytes: no dates, no chance.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator, Sequence

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_NUMBERS = re.compile(_NUMBER)
_TOKENS = re.compile(f"[A-Za-z]|{_NUMBER}")
_TRANSFORMS = re.compile(r"(\w+)\s*\(([^)]*)\)")
_HREF = "{http://www.w3.org/1999/xlink}href"
_CAPS = {"butt": 0, "round": 1, "square": 2}
_JOINS = {"miter": 0, "round": 1, "bevel": 2}
_TAKES = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "Z": 0}
_POINTS_A_MM = 72 / 25.4

Piece = tuple[str, tuple[float, ...]]


def pdf(pages: Sequence[str], *, title: str = "") -> bytes:
    """Return a PDF file of engraved pages, with a title in its metadata.

    `pages` are the SVG pages that `engrave.pages` gives: other SVG may hold what this writer does not know.

    >>> pdf(['<svg xmlns="http://www.w3.org/2000/svg" width="210mm" height="297mm" viewBox="0 0 210 297"/>'])[:8]
    b'%PDF-1.7'
    """
    file = _File()
    tree = file.reserve()
    info = file.add(f"<</Title {_text(title)} /Producer (partimento)>>")
    catalog = file.add(f"<</Type /Catalog /Pages {tree} 0 R /ViewerPreferences <</DisplayDocTitle true>>>>")
    forms: dict[str, int] = {}
    numbers = []
    for page in pages:
        width, height, content, outlines = _drawn(page)
        for name, outline in outlines.items():
            if name not in forms:
                forms[name] = _form(file, outline)
        used = " ".join(f"/{name} {forms[name]} 0 R" for name in sorted(outlines))
        body = file.add("", content)
        numbers.append(file.add(
            f"<</Type /Page /Parent {tree} 0 R /MediaBox [0 0 {_n(width)} {_n(height)}] /Contents {body} 0 R "
            f"/Resources <</XObject <<{used}>>>>>>"))
    file.put(tree, f"<</Type /Pages /Count {len(numbers)} /Kids [{' '.join(f'{number} 0 R' for number in numbers)}]>>")
    return file.finish(catalog, info)


class _File:
    """The numbered objects of a PDF file."""

    def __init__(self) -> None:
        self._objects: list[bytes] = []

    def reserve(self) -> int:
        self._objects.append(b"")
        return len(self._objects)

    def put(self, number: int, words: str) -> None:
        self._objects[number - 1] = words.encode("ascii")

    def add(self, words: str, stream: bytes | None = None) -> int:
        number = self.reserve()
        self.put(number, words)
        if stream is not None:
            packed = zlib.compress(stream, 9)
            inner = words.removeprefix("<<").removesuffix(">>")
            head = f"<<{inner} /Filter /FlateDecode /Length {len(packed)}>>\nstream\n"
            self._objects[number - 1] = head.encode("ascii") + packed + b"\nendstream"
        return number

    def finish(self, catalog: int, info: int) -> bytes:
        out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        places = []
        for number, body in enumerate(self._objects, 1):
            places.append(len(out))
            out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
        start = len(out)
        out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
        out += b"".join(b"%010d 00000 n \n" % place for place in places)
        out += b"trailer\n<</Size %d /Root %d 0 R /Info %d 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (
            len(places) + 1, catalog, info, start)
        return bytes(out)


def _drawn(page: str) -> tuple[float, float, bytes, dict[str, str]]:
    """Width and height in points, what is drawn, and the outlines of the glyphs used, by name."""
    root = ET.fromstring(page)
    width, height = (_length(root.get(side, "")) for side in ("width", "height"))
    box = root.get("viewBox", f"0 0 {width} {height}")
    left, top, across, down = (float(number) for number in _NUMBERS.findall(box))
    outlines = {name: path.get("d", "") for path in root.iter() if _tag(path) == "path" and (name := path.get("id"))}
    used: dict[str, str] = {}
    x, y = width / across, height / down
    out = [f"{_n(x, 6)} 0 0 {_n(-y, 6)} {_n(-left * x)} {_n(height + top * y)} cm"]
    for element in root:
        if _tag(element) in ("g", "path", "use"):
            out += _draw(element, outlines, used)
    return width, height, "\n".join(out).encode("ascii"), used


def _draw(element: ET.Element, outlines: dict[str, str], used: dict[str, str]) -> Iterator[str]:
    tag = _tag(element)
    state = []
    if colour := element.get("color"):
        state += _colour(colour)
    for matrix in _matrices(element.get("transform", "")):
        state.append(" ".join([*(_n(number, 5) for number in matrix), "cm"]))
    inside: list[str] = []
    if tag == "g":
        inside = [operator for child in element for operator in _draw(child, outlines, used)]
    elif tag == "use":
        name = element.get(_HREF, "")[1:]
        if name not in outlines:
            return
        used[name] = outlines[name]
        if (x := element.get("x", "0")) != "0":
            state.append(f"1 0 0 1 {x} 0 cm")
        inside = [f"/{name} Do"]
    elif tag == "path":
        pieces = list(_pieces(element.get("d", "")))
        pen = _pen(element)
        filled = element.get("fill") != "none" and [kind for kind, _ in pieces] != ["m", "l"]
        state += pen
        inside = [_operators(pieces), "B" if pen and filled else "S" if pen else "f" if filled else "n"]
    if inside and state:
        yield "q " + " ".join(state)
    yield from inside
    if inside and state:
        yield "Q"


def _pen(element: ET.Element) -> list[str]:
    width = float(element.get("stroke-width", "0"))
    if not width:
        return []
    said = [f"{_n(width)} w"]
    if cap := _CAPS.get(element.get("stroke-linecap", "")):
        said.append(f"{cap} J")
    if join := _JOINS.get(element.get("stroke-linejoin", "")):
        said.append(f"{join} j")
    if dashes := _NUMBERS.findall(element.get("stroke-dasharray", "")):
        said.append(f"[{' '.join(dashes)}] 0 d")
    return said


def _form(file: _File, outline: str) -> int:
    """The number of a form that fills one glyph."""
    pieces = list(_pieces(outline))
    numbers = [numbers for _, numbers in pieces if numbers]
    across = [x for each in numbers for x in each[::2]] or [0.0]
    up = [y for each in numbers for y in each[1::2]] or [0.0]
    box = f"{math.floor(min(across))} {math.floor(min(up))} {math.ceil(max(across))} {math.ceil(max(up))}"
    return file.add(f"<</Type /XObject /Subtype /Form /BBox [{box}]>>", f"{_operators(pieces)}\nf".encode("ascii"))


def _operators(pieces: Sequence[Piece]) -> str:
    return "\n".join(" ".join([*(_n(number) for number in numbers), kind]) for kind, numbers in pieces)


def _pieces(outline: str) -> Iterator[Piece]:
    """The path operators of PDF (m, l, c, h) with absolute points, of an SVG path without arcs."""
    x = y = start_x = start_y = 0.0
    bend = 0.0, 0.0                                 # the last control point, which S and T mirror
    last = command = ""
    tokens = _TOKENS.findall(outline)
    place = 0
    while place < len(tokens):
        if tokens[place].isalpha():
            command = tokens[place]
            place += 1
        kind = command.upper()
        takes = _TAKES.get(kind)
        if takes is None or (takes == 0 and last == "Z") or place + takes > len(tokens):
            return
        numbers = [float(number) for number in tokens[place:place + takes]]
        place += takes
        if command.islower():
            shift = {"H": (x,), "V": (y,)}.get(kind, (x, y))
            numbers = [number + shift[i % len(shift)] for i, number in enumerate(numbers)]
        if kind == "Z":
            yield "h", ()
            x, y = start_x, start_y
        elif kind in "MLHV":
            x = numbers[0] if kind != "V" else x
            y = numbers[-1] if kind != "H" else y
            yield "m" if kind == "M" else "l", (x, y)
            if kind == "M":
                start_x, start_y = x, y
                command = "l" if command == "m" else "L"
        else:
            if kind in "ST":
                follows = last in ("CS" if kind == "S" else "QT")
                numbers = [*((2 * x - bend[0], 2 * y - bend[1]) if follows else (x, y)), *numbers]
            bend = numbers[-4], numbers[-3]
            if kind in "QT":                         # the same curve with two control points
                ends = numbers[-2:]
                numbers = [x + (bend[0] - x) * 2 / 3, y + (bend[1] - y) * 2 / 3,
                           ends[0] + (bend[0] - ends[0]) * 2 / 3, ends[1] + (bend[1] - ends[1]) * 2 / 3, *ends]
            x, y = numbers[-2:]
            yield "c", tuple(numbers)
        last = kind


def _matrices(transform: str) -> Iterator[tuple[float, ...]]:
    for kind, words in _TRANSFORMS.findall(transform):
        numbers = [float(number) for number in _NUMBERS.findall(words)]
        if kind == "translate":
            yield 1, 0, 0, 1, numbers[0], [*numbers, 0.0][1]
        elif kind == "scale":
            yield numbers[0], 0, 0, numbers[-1], 0, 0
        elif kind == "rotate":
            turn = math.radians(numbers[0])
            x, y = [*numbers[1:], 0.0, 0.0][:2]
            cos, sin = math.cos(turn), math.sin(turn)
            yield cos, sin, -sin, cos, x - cos * x + sin * y, y - sin * x - cos * y
        elif kind == "matrix" and len(numbers) == 6:
            yield tuple(numbers)


def _colour(text: str) -> list[str]:
    """The operators that set a colour for filling and drawing; black for one that is not written as #RGB or #RRGGBB."""
    digits = text.removeprefix("#")
    if len(digits) in (3, 4):
        digits = "".join(digit * 2 for digit in digits)
    if not re.fullmatch("[0-9A-Fa-f]{6,8}", digits):
        digits = "000000"
    levels = " ".join(_n(int(digits[place:place + 2], 16) / 255, 3) for place in (0, 2, 4))
    return [f"{levels} rg", f"{levels} RG"]


def _length(text: str) -> float:
    """Points in a length in millimetres."""
    found = _NUMBERS.match(text)
    return float(found[0]) * _POINTS_A_MM if found else 0.0


def _text(words: str) -> str:
    """A text string of PDF, as UTF-16 in hexadecimal digits."""
    return "<" + ("\ufeff" + words).encode("utf-16-be").hex().upper() + ">"


def _n(number: float, places: int = 2) -> str:
    return f"{number:.{places}f}".rstrip("0").rstrip(".") if number else "0"


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
