"""A page as verovio draws it, made over into a plain SVG that looks the same everywhere: text as outlines, no styles.

What is left is small: `<g>` with a transform or a colour, `<path>`, and `<use>` of the glyphs in `<defs>`. Lengths are
verovio's: hundredths of a millimetre before the page is scaled.
"""

from __future__ import annotations

import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from partimento.render.engrave_header import Words
from partimento.render.engrave_letters import INVISIBLE, Letter, Letters, Style

_HREF = "{http://www.w3.org/1999/xlink}href"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE]-?\d+)?")
_LINES = ("stroke-linecap", "stroke-linejoin", "stroke-dasharray")
_BOLD = {"ending", "fing", "reh", "tempo"}        # the rules of verovio's own style sheet
_ITALIC = {"dir", "dynam", "mNum"}
_LEFT_OUT = {"placeholder", "pgHead", "pgFoot"}
_ROUND = 0.5522847498                             # of a radius: where the control points of a quarter circle stand


_PLAIN = Style()


@dataclass(frozen=True)
class _Look:
    """How the text inside an element is set."""

    size: float = 0.0
    style: Style = _PLAIN
    anchor: str = "start"
    spacing: float = 0.0


@dataclass
class _Line:
    """Text from one place on, in pieces of one look."""

    x: float
    y: float
    anchor: str
    pieces: list[tuple[str, _Look]] = field(default_factory=list)


def plain_page(drawn: str, letters: Letters, *, scale: float, paper: tuple[float, float] | None = None,
               words: Sequence[Words] = (), title: str = "") -> str:
    """The page `drawn` by verovio as a plain SVG; at `scale` 1 its units are hundredths of a millimetre.

    `paper` is its width and height in mm; without, verovio's own. verovio's header and footer are left out; `words`
    are written in their place.
    """
    root = ET.fromstring(drawn)
    inner = next(element for element in root if _tag(element) == "svg")
    units = 100 / scale                           # in a millimetre of paper
    _, _, *sides = (float(number) for number in _NUMBER.findall(inner.get("viewBox", "")))
    width, height = (side * units for side in paper) if paper else sides
    glyphs = {f"#{glyph.get('id')}": _signs(glyph) for element in root if _tag(element) == "defs" for glyph in element}
    page = _Page(letters, glyphs)
    for element in inner:
        page.add(element, _Look())
    for line in words:
        page.write(_Line(line.x * units, line.y * units, line.anchor, [(line.text, _Look(line.size * units))]))
    size = f'width="{_n(width / units)}mm" height="{_n(height / units)}mm" viewBox="0 0 {_n(width)} {_n(height)}"'
    defined = "".join(f'<path id="{name}" d="{outline}"/>\n' for name, outline in sorted(page.used.items()))
    return "".join([
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1" ',
        size, ' color="#000" fill="currentColor" stroke="currentColor" stroke-width="0">\n',
        f"<title>{escape(''.join(each for each in title if each.isprintable()))}</title>\n" if title else "",
        f'<rect width="{_n(width)}" height="{_n(height)}" fill="#fff"/>\n<defs>\n', defined, "</defs>\n",
        *page.out, "</svg>\n"])


def words_width(text: str, size: float, letters: Letters) -> float:
    """How wide a text is in letters of a size of the text font, in the unit of that size."""
    return sum(letter.advance * size / em for letter, em in (letters.letter(each, Style()) for each in text))


class _Page:
    """The lines of the new page and the glyphs they use."""

    def __init__(self, letters: Letters, glyphs: dict[str, tuple[str, str]]) -> None:
        self.letters = letters
        self.glyphs = glyphs
        self.out: list[str] = []
        self.used: dict[str, str] = {}

    def add(self, element: ET.Element, look: _Look) -> None:
        tag = _tag(element)
        if tag in ("g", "svg"):
            self._group(element, look)
        elif tag == "use":
            name, outline = self.glyphs.get(element.get(_HREF) or element.get("href") or "", ("", ""))
            if outline:
                self.used[name] = outline
                x, y, across, down = [*_NUMBER.findall(element.get("transform", "0 0")), "1", "1"][:4]
                move = f"translate({x} {y})scale({across} {_negative(down)})"
                self.out.append(f'<use xlink:href="#{name}" transform="{move}"/>\n')
        elif tag == "text":
            self._text(element, look)
        elif outline := _outline(tag, element):
            self.out.append(f'<path d="{outline}"{_painted(element)}/>\n')

    def _group(self, element: ET.Element, look: _Look) -> None:
        classes = set(element.get("class", "").split())
        if classes & _LEFT_OUT or element.get("visibility") == "hidden":
            return
        look = _styled(element, look)
        kept = ""
        if transform := element.get("transform"):
            kept += f' transform="{" ".join(transform.replace(",", " ").split())}"'
        if colour := element.get("color") or element.get("fill"):
            kept += f" color={quoteattr(colour)}"
        start = len(self.out)
        for child in element:
            self.add(child, look)
        if kept and len(self.out) > start:
            self.out.insert(start, f"<g{kept}>\n")
            self.out.append("</g>\n")

    def _text(self, element: ET.Element, look: _Look) -> None:
        lines = [_Line(0.0, 0.0, "start")]
        _gather(element, look, lines)
        for line in lines:
            self.write(line)

    def write(self, line: _Line) -> None:
        pieces = [(self._placed(text, look), look) for text, look in line.pieces if look.size > 0]
        width = sum(end for (_, end), _ in pieces)
        x = line.x - {"middle": width / 2, "end": width}.get(line.anchor, 0.0)
        said = "".join(text for text, look in line.pieces if not look.style.music)
        said = said.replace(INVISIBLE, "").strip()
        start = len(self.out)
        for (placed, end), look in pieces:
            for em, letters in groupby(placed, lambda each: each[1]):
                scale = look.size / em
                uses = []
                for letter, _, place in letters:
                    if letter.outline:
                        self.used[letter.name] = letter.outline
                        uses.append(f'<use xlink:href="#{letter.name}" x="{_n(place / scale)}"/>')
                if uses:
                    move = f"translate({_n(x)} {_n(line.y)})scale({_n(scale, 5)} {_n(-scale, 5)})"
                    self.out.append(f'<g transform="{move}">{"".join(uses)}</g>\n')
            x += end
        if len(self.out) > start and said:
            self.out.insert(start, f"<g aria-label={quoteattr(said)}>\n")
            self.out.append("</g>\n")

    def _placed(self, text: str, look: _Look) -> tuple[list[tuple[Letter, float, float]], float]:
        """(glyph, units in its em, place) of every letter, and where the pen ends, both in units of the page."""
        x, placed = 0.0, []
        for character in unicodedata.normalize("NFC", text):
            letter, em = self.letters.letter(character, look.style)
            placed.append((letter, em, x))
            x += letter.advance * look.size / em + look.spacing
        return placed, x


def _gather(element: ET.Element, look: _Look, lines: list[_Line]) -> None:
    look = _styled(element, look)
    if element.get("x") is not None or element.get("y") is not None:
        before = lines[-1]
        lines.append(_Line(float(element.get("x", before.x)), float(element.get("y", before.y)), look.anchor))
    for text, child in [(element.text, None), *((child.tail, child) for child in element)]:
        if child is not None and _tag(child) == "tspan":
            _gather(child, look, lines)
        if text:
            if not lines[-1].pieces:
                lines[-1].anchor = look.anchor
            lines[-1].pieces.append((text, look))


def _styled(element: ET.Element, look: _Look) -> _Look:
    classes = set(element.get("class", "").split())
    music, bold, italic = look.style
    bold, italic = bold or bool(classes & _BOLD), italic or bool(classes & _ITALIC)
    if "label" in classes:
        bold = False
    if weight := element.get("font-weight"):
        bold = weight in ("bold", "bolder", "600", "700", "800", "900")
    if slant := element.get("font-style"):
        italic = slant in ("italic", "oblique")
    if family := element.get("font-family"):
        music = "" if "Times" in family or "Liberation" in family else family.partition(",")[0].strip("'\" ")
    return replace(
        look, style=Style(music, bold, italic), anchor=element.get("text-anchor", look.anchor),
        size=_pixels(element.get("font-size"), look.size), spacing=_pixels(element.get("letter-spacing"), look.spacing))


def _outline(tag: str, element: ET.Element) -> str:
    """The path of any shape that verovio draws; empty for what is none."""
    if tag == "path":
        return element.get("d", "")
    if tag in ("polygon", "polyline"):
        numbers = _NUMBER.findall(element.get("points", ""))
        points = [f"{x} {y}" for x, y in zip(numbers[::2], numbers[1::2], strict=False)]
        return ("M" + " L".join(points) + ("Z" if tag == "polygon" else "")) if points else ""
    if tag == "rect":
        x, y, width, height = (float(element.get(name, 0)) for name in ("x", "y", "width", "height"))
        return f"M{_n(x)} {_n(y)} h{_n(width)} v{_n(height)} h{_n(-width)} Z"
    if tag in ("ellipse", "circle"):
        x, y, both = (float(element.get(name, 0)) for name in ("cx", "cy", "r"))
        a, b = float(element.get("rx", both)), float(element.get("ry", both))
        p, q = a * _ROUND, b * _ROUND
        quarters = ((0, -q, a - p, -b, a, -b), (p, 0, a, b - q, a, b),
                    (0, q, p - a, b, -a, b), (-p, 0, -a, q - b, -a, -b))
        return f"M{_n(x - a)} {_n(y)}" + "".join("c" + " ".join(map(_n, quarter)) for quarter in quarters) + "Z"
    return ""


def _painted(element: ET.Element) -> str:
    """How a shape is painted, in attributes: filled unless it says otherwise, outlined where the line has a width."""
    kept = []
    if element.get("fill") == "none" or element.get("fill-opacity") in ("0", "0.0", "0.000000"):
        kept.append(' fill="none"')
    width = _pixels(element.get("stroke-width"), 0.0)
    if width > 0:
        kept.append(f' stroke-width="{_n(width)}"')
        kept += [f' {name}="{value}"' for name in _LINES if (value := element.get(name))]
    return "".join(kept)


def _signs(glyph: ET.Element) -> tuple[str, str]:
    """Name and outline, y upwards, of a music sign as verovio defines it."""
    name = (glyph.get("id") or "").partition("-")[0]
    return f"m{name}", " ".join(path.get("d", "") for path in glyph.iter() if _tag(path) == "path")


def _pixels(text: str | None, otherwise: float) -> float:
    found = _NUMBER.search(text) if text else None
    return float(found[0]) if found else otherwise


def _negative(number: str) -> str:
    return number[1:] if number.startswith("-") else f"-{number}"


def _n(number: float, places: int = 2) -> str:
    return f"{number:.{places}f}".rstrip("0").rstrip(".") if number else "0"


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
