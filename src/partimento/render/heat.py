"""Tables as pictures: heat maps with named rows and columns, one beside and under another."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import WriteError
from partimento.formats.files import check_target, write_bytes
from partimento.models.base import Table
from partimento.render.font import shorten, text_width
from partimento.render.html import document, html_text, page_style
from partimento.render.png import png_bytes
from partimento.render.roll import DARK, LIGHT
from partimento.render.roll_words import pretty
from partimento.render.scene import Boxes, Label, Scene, box, boxes, pixels, svg

PAGES = (1480, 1640, 1800, 1960, 2120)  # widths that a picture may have, in pixels: of these the least paper
EDGE, GUTTER = 26, 40                   # its edge, and what parts two tables
ROW, LEAST_CELL, MOST_CELL = 21.0, 30.0, 96.0       # height of a row, widths of columns
WORDS, SMALL, TINY = 11.5, 10.5, 9.5    # sizes of letters
SHADES = 20
MOST_WORDS = 230.0                      # of the name of a row, in pixels
SHARP = ((12_000_000, 2.0), (24_000_000, 1.5))      # pictures of no more pixels are drawn so many times larger

Items = list[Boxes | Label]


class _Sizes(NamedTuple):
    """How a table is laid out: its title's lines, widths of the names of rows, of each column, of `seen`, in all."""

    about: tuple[str, ...]
    names: float
    cells: tuple[float, ...]
    seen: float
    width: float
    height: float


def heat_scene(tables: Sequence[Table], *, title: str = "", note: str = "") -> Scene:
    """Return the Scene of tables in their order, row by row of the picture; each cell says its number.

    Chances are shown in hundredths, darker where they are larger; of other numbers those below 0 have another colour.

    >>> coin = Table("coin", "the chance of each side", ("fair",), ("head", "tail"), ((0.5, 0.5),))
    >>> [item.text for item in heat_scene([coin]).items if isinstance(item, Label)][2:]
    ['head', 'tail', '50', '50', 'fair']
    """
    items: Items = []
    title, note = (shorten(" ".join(words.split()), size, PAGES[0] - 2 * EDGE, bold)
                   for words, size, bold in ((title, 21.0, True), (note, 12.5, False)))
    sizes = [_sizes(table) for table in tables]
    width, y = min((_flow(sizes, width)[1] * width, width) for width in PAGES)[1], float(EDGE)
    for words, size, role, bold in ((title, 21.0, "ink", True), (note, 12.5, "muted", False)):
        if words:
            y += size
            items.append(Label(EDGE, y - 3, words, size, role, bold))
            y += 7
    y += 10 if items else 0
    places, tall = _flow(sizes, width)
    for table, own, (left, top) in zip(tables, sizes, places, strict=True):
        items += _drawn(table, own, left, y + top)
    least = [left + own.width + EDGE for own, (left, _) in zip(sizes, places, strict=True)]
    least += [EDGE * 2 + text_width(note, 12.5)] if note else []
    across, down = math.ceil(max([*least, EDGE * 2 + text_width(title, 21.0, True)])), math.ceil(y + tall + EDGE)
    return Scene(across, down, (box("bg", 0, 0, across, down), *items), (),
                 f"{title or 'Tables'}: {', '.join(table.name for table in tables)}")


def heat_page(tables: Sequence[Table], *, title: str, note: str = "") -> str:
    """Return an HTML page of the tables, each a picture of its own, that loads nothing from anywhere.

    >>> "https:" in heat_page([Table("t", "numbers", ("a",), ("b",), ((1.0,),))], title="One")
    False
    """
    style = (f"body {{ margin: 0; }}\n.pm-page {{ min-height: 100vh; padding: clamp(.7rem, 3vw, 2rem); }}\n"
             f".pm-tables {{ display: flex; flex-wrap: wrap; gap: 1.6rem; align-items: flex-start; }}\n"
             f".pm-tables figure {{ margin: 0; max-width: 100%; overflow-x: auto; }}\n{page_style()}")
    figures = []
    for table in tables:
        sizes = _sizes(table)
        across, down = math.ceil(sizes.width), math.ceil(sizes.height)
        scene = Scene(across, down, tuple(_drawn(table, sizes, 0.0, 0.0)), (), f"{table.name}: {table.about}")
        figures.append(f"<figure>{svg(scene, LIGHT, inline=True)}</figure>")
    said = f"<p>{html_text(note)}</p>" if note else ""
    body = f'<header><h1>{html_text(title)}</h1>{said}</header>\n<main class="pm-tables">{"".join(figures)}</main>'
    return document(title, style, body, classes="pm pm-page")


def write_heat(tables: Sequence[Table], path: str | os.PathLike[str], *, title: str = "", note: str = "",
               dark: bool = False) -> Path:
    """Write the tables to `path` (``.svg``, ``.png`` or ``.html``) and return the path.

    WriteError for another suffix, a place that cannot be written, or where there is no table.
    """
    target, palette = Path(path), DARK if dark else LIGHT
    suffix = target.suffix.lower()
    if suffix not in (".svg", ".png", ".html"):
        raise WriteError(f"tables must be written as .svg, .png or .html; got {target.name!r}")
    if not tables:
        raise WriteError(f"there must be a table to draw {target.name}; there is none")
    check_target(target)
    if suffix == ".html":
        data = heat_page(tables, title=title or target.stem, note=note).encode()
    else:
        scene = heat_scene(tables, title=title, note=note)
        scale = next((by for most, by in SHARP if scene.width * scene.height <= most), 1.0)
        data = svg(scene, palette).encode() if suffix == ".svg" else png_bytes(pixels(scene, palette, scale))
    write_bytes(target, data)
    return target


def _flow(sizes: Sequence[_Sizes], width: int) -> tuple[list[tuple[float, float]], float]:
    """Where each table lies, one beside another as long as there is room, and how tall all is."""
    places: list[tuple[float, float]] = []
    x, y, tallest = float(EDGE), 0.0, 0.0
    for own in sizes:
        if x > EDGE and x + own.width > width - EDGE:
            x, y, tallest = float(EDGE), y + tallest + GUTTER, 0.0
        places.append((x, y))
        x += own.width + GUTTER
        tallest = max(tallest, own.height)
    return places, y + tallest


# --- one table -------------------------------------------------------------------------------------------------------


def _name(words: str) -> str:
    """A row's or column's name as it is drawn: flats and sharps as signs."""
    return pretty(words) if len(words) <= 6 else words


def _sizes(table: Table) -> _Sizes:
    names = max([text_width(_name(name), WORDS) for name in table.rows] + [text_width(table.down, TINY)])
    names = min(names, MOST_WORDS) + 10
    cells = tuple(max(LEAST_CELL, min(8 + max(text_width(words, SMALL) for words in (
        _name(name), *(_number(row[i], table) for row in table.values))), MOST_CELL))
        for i, name in enumerate(table.columns))
    seen = max([text_width(f"{n:,}", TINY) for n in (*table.seen, *table.seen[:1])] + [text_width("seen", TINY)]) + 12
    seen = seen if table.seen else 0.0
    width = names + sum(cells) + seen
    wide = max(width, 300.0, text_width(table.name, 14.0, True) + 4)
    about = tuple(textwrap.wrap(table.about, max(int(wide / 5.6), 20)))
    width = max([wide, *(text_width(line, SMALL) for line in about)])
    return _Sizes(about, names, cells, seen, width, 20 + 14 * len(about) + 34 + ROW * len(table.rows))


def _number(value: float, table: Table) -> str:
    """What a cell says; nothing where it is next to nothing."""
    if table.kind == "number":
        return plain_number(value).replace("-", "−") if abs(value) >= 0.0005 else ""
    return "" if value < 0.005 else f"{100 * value:.0f}"


def plain_number(value: float) -> str:
    """A number with no more than two digits after its point, three where it is small.

    >>> plain_number(150.0), plain_number(0.604), plain_number(0.004), plain_number(-1e-9)
    ('150', '0.6', '0.004', '0')
    """
    digits = 2 if abs(value) >= 0.05 else 3
    return f"{round(value, digits) + 0.0:.{digits}f}".rstrip("0").rstrip(".")


def _drawn(table: Table, sizes: _Sizes, x: float, y: float) -> Items:
    """The items of a table whose upper left corner lies there."""
    items: Items = [Label(x, y + 13, table.name, 14.0, "ink", True)]
    y += 20
    for line in sizes.about:
        y += 14
        items.append(Label(x, y - 3, line, SMALL, "muted"))
    left, top = x + sizes.names, y + 34
    if table.across:
        items.append(Label(left, y + 13, table.across, TINY, "muted"))
    if table.down:
        items.append(Label(left - 6, top - 6, table.down, TINY, "muted", anchor="end"))
    edges = list(accumulate(sizes.cells, initial=left))
    for at, cell, name in zip(edges, sizes.cells, table.columns, strict=False):
        items.append(Label(at + cell / 2, top - 6, shorten(_name(name), SMALL, cell - 2), SMALL, "ink",
                           anchor="middle"))
    if table.seen:
        items.append(Label(edges[-1] + sizes.seen, top - 6, "seen", TINY, "muted", anchor="end"))
    items += _cells(table, np.array(edges), top)
    tops = accumulate([ROW] * (len(table.rows) - 1), initial=top)
    for i, (at, name) in enumerate(zip(tops, table.rows, strict=True)):
        items.append(Label(left - 6, at + ROW / 2 + 4, shorten(_name(name), WORDS, MOST_WORDS), WORDS, "ink",
                           anchor="end"))
        if table.seen:
            items.append(Label(edges[-1] + sizes.seen, at + ROW / 2 + 4, f"{table.seen[i]:,}", TINY, "muted",
                               anchor="end"))
    return items


def _cells(table: Table, edges: npt.NDArray[np.float64], top: float) -> Items:
    """The coloured cells and their numbers, between the edges of the columns."""
    values = np.array(table.values, np.float64)
    share = np.abs(values)
    if table.kind == "number":
        largest = share.max(axis=0, keepdims=True) if len(table.columns) > 1 and not table.across else share.max()
        share = share / np.maximum(largest, 1e-12)
    share = np.clip(share, 0.0, 1.0)
    items: Items = [box("pane", edges[0], top, edges[-1] - edges[0], ROW * values.shape[0])]
    wide = np.diff(edges)
    shade = np.where(share >= 0.001, np.ceil(share ** 0.6 * SHADES), 0).astype(np.int64)
    for sign, role in ((1, "t0"), (-1, "t1")):
        for level in range(1, SHADES + 1):
            row, column = np.nonzero((shade == level) & (values * sign > 0))
            if len(row):
                tips = [_tip(table, int(i), int(j)) for i, j in zip(row, column, strict=True)]
                items.append(boxes(role, edges[column], top + row * ROW, wide[column] - 1, ROW - 1,
                                   opacity=level / SHADES, tips=tips))
    for i, row_values in enumerate(table.values):
        for j, value in enumerate(row_values):
            words = _number(value, table)
            if words:
                role = "bg" if shade[i, j] > 0.55 * SHADES else "ink"
                middle = float(edges[j] + wide[j] / 2) - 0.5
                items.append(Label(middle, top + i * ROW + ROW / 2 + 3.5, words, SMALL, role, anchor="middle"))
    return items


def _tip(table: Table, row: int, column: int) -> str:
    value = table.values[row][column]
    said = f"{value:.4g}" if table.kind == "number" else f"{100 * value:.2g} %"
    return f"{table.down} {table.rows[row]}, {table.across} {table.columns[column]}: {said}".strip(", ")
