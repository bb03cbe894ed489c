"""Engraved pages as PDF: readable by another program, exact, small and the same every time."""

from __future__ import annotations

import importlib.util
import re
import zlib

import numpy as np
import pytest

from partimento.render.engrave_pdf import pdf

_HEAD = ('<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
         'width="100mm" height="50mm" viewBox="0 0 1000 500" color="#000" fill="currentColor" '
         'stroke="currentColor" stroke-width="0">')
needs_pdfium = pytest.mark.skipif(importlib.util.find_spec("pypdfium2") is None,
                                  reason='without pypdfium2 PDF is not read back: pip install "partimento[scores]"')


def page(inside: str, defs: str = "") -> str:
    return f"{_HEAD}<defs>{defs}</defs>{inside}</svg>"


def picture(*pages: str, number: int = 0) -> np.ndarray:
    """uint8[50, 100, 3]: one page at a pixel a millimetre."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf(pages))
    try:
        return np.array(document[number].render(scale=25.4 / 72, rev_byteorder=True).to_numpy())
    finally:
        document.close()


def content(*pages: str) -> str:
    streams = re.findall(rb"stream\n(.*?)\nendstream", pdf(pages), re.S)
    return "\n".join(zlib.decompress(stream).decode("ascii") for stream in streams)


@needs_pdfium
def test_another_program_reads_pages_size_and_title() -> None:
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf([page(""), page(""), page("")], title="Żółć (ü) \\"))
    try:
        assert len(document) == 3
        assert document[1].get_size() == pytest.approx((100 / 25.4 * 72, 50 / 25.4 * 72), abs=0.01)
        assert document.get_metadata_dict()["Title"] == "Żółć (ü) \\"
    finally:
        document.close()


@needs_pdfium
@pytest.mark.parametrize("shape", [
    '<path d="M200 100h400v200h-400z"/>',
    '<path d="M200 100 L600 100 L600 300 L200 300 Z"/>',
    '<path d="m200,100 400,0 0,200 -400,0z"/>',
    '<path d="M200 100H600V300H200Z"/>',
    '<path d="M200 100C300 100 600 100 600 100S600 200 600 300Q200 300 200 300T200 100"/>',
    '<path d="M200 200 L600 200" stroke-width="200"/>',
    '<g transform="translate(200 100) scale(2 4)"><path d="M0 0h200v50h-200z"/></g>',
    '<g transform="rotate(90 400 200)"><path d="M300 0h200v400h-200z"/></g>',
    '<g transform="matrix(0 1 1 0 0 0)"><path d="M100 200h200v400h-200z"/></g>',
    '<use xlink:href="#box" transform="translate(200 300)scale(4 -4)"/>',
    '<g transform="translate(100 300)scale(4 -4)"><use xlink:href="#box" x="25"/></g>',
])
def test_a_shape_stands_where_it_should(shape: str) -> None:
    seen = picture(page(shape, '<path id="box" d="M0 0h100v50h-100z"/>')).mean(axis=2) < 128
    wanted = np.zeros((50, 100), bool)
    wanted[10:30, 20:60] = True
    wrong = seen != wanted
    wrong[9:11, 19:61] = wrong[29:31, 19:61] = wrong[9:31, 19:21] = wrong[9:31, 59:61] = False     # soft edges
    assert not wrong.any()


@needs_pdfium
def test_colours_dashes_and_shapes_that_are_not_filled() -> None:
    square = '<path d="M100 100h300v300h-300z"/>'
    assert picture(page(f'<g color="#ff0000">{square}</g>'))[25, 25].tolist() == [255, 0, 0]
    assert picture(page(f'<g color="#0f0">{square}</g>'))[25, 25].tolist() == [0, 255, 0]
    assert picture(page(f'<g color="red herring">{square}</g>'))[25, 25].tolist() == [0, 0, 0]
    hollow = picture(page('<path d="M100 100h300v300h-300z" fill="none" stroke-width="20"/>'))
    assert hollow[25, 25].tolist() == [255, 255, 255]
    assert hollow[25, 10].max() < 128
    dashed = picture(page('<path d="M0 250 L1000 250" stroke-width="40" stroke-dasharray="100 100"/>'))
    assert dashed[25, 5].max() < 128 < dashed[25, 15].min()


def test_a_straight_line_is_only_drawn_and_a_slur_is_filled_and_drawn() -> None:
    assert content(page('<path d="M0 0 L9 9" stroke-width="13"/>')).split()[-2:] == ["S", "Q"]
    slur = '<path d="M0 0C1 1 2 2 3 3" stroke-width="9" stroke-linecap="round" stroke-linejoin="round"/>'
    assert "q 9 w 1 J 1 j" in content(page(slur))
    assert content(page(slur)).split()[-2:] == ["B", "Q"]


def test_a_glyph_is_written_once_for_all_pages_and_what_is_not_used_not_at_all() -> None:
    glyphs = '<path id="a" d="M0 0h9v9z"/><path id="b" d="M0 0h8v8z"/>'
    one = page('<use xlink:href="#a" x="3"/><use xlink:href="#a" x="30"/><use xlink:href="#gone"/>', glyphs)
    data = pdf([one] * 5)
    assert data.count(b"/Subtype /Form") == 1
    assert content(one).count("/a Do") == 2
    assert pdf([one] * 5) == data


def test_every_object_is_where_the_file_says() -> None:
    data = pdf([page('<path d="M0 0h9v9z"/>')])
    start = int(re.findall(rb"startxref\n(\d+)", data)[0])
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n", data[start:])]
    assert places
    assert all(data[place:].startswith(b"%d 0 obj" % number) for number, place in enumerate(places, 1))
