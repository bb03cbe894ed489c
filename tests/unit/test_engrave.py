"""Engraved pages: outlines only, whole scores on their pages, one clear sentence for what cannot be engraved."""

from __future__ import annotations

import importlib.util
import io
import re
import struct
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partimento.errors import ReadError, RequestError, WriteError
from partimento.render import engrave
from partimento.render.engrave_child import _join_directions
from partimento.render.engrave_header import Credits, Paper, credits_of, footer, header

_absent = [name for name in ("verovio", "fontTools", "brotli", "pypdfium2") if importlib.util.find_spec(name) is None]
needs_verovio = pytest.mark.skipif(bool(_absent), reason=f"without {', '.join(_absent)} nothing is engraved: "
                                   'pip install "partimento[scores]"')
A4 = Paper(210, 297, 15, 15, 14)


def note(step: str = "G", inside: str = "", staff: int = 0) -> str:
    place = f"<staff>{staff}</staff>" if staff else ""
    return (f"<note><pitch><step>{step}</step><octave>4</octave></pitch><duration>1</duration><voice>{max(1, staff)}"
            f"</voice><type>quarter</type>{place}{inside}</note>")


def score(bars: int = 2, parts: int = 1, *, notes: str | None = None, sign: str = "<sign>G</sign><line>2</line>",
          around: str = "", name: str = "Part") -> bytes:
    first = (f"<attributes><divisions>1</divisions><key><fifths>0</fifths></key><time><beats>4</beats><beat-type>4"
             f"</beat-type></time><clef>{sign}</clef></attributes>")
    bar = note() * 4 if notes is None else notes
    listed = "".join(f'<score-part id="P{p}"><part-name>{name} {p}</part-name><part-abbreviation>{name[:1]}{p}'
                     "</part-abbreviation></score-part>" for p in range(parts))
    written = "".join(f'<part id="P{p}">' + "".join(
        f'<measure number="{b + 1}">{"" if b else first}{bar}</measure>' for b in range(bars)) + "</part>"
        for p in range(parts))
    return (f'<score-partwise version="4.0">{around}<part-list>{listed}</part-list>{written}'
            "</score-partwise>").encode()


@pytest.fixture(scope="module")
def engraver() -> Iterator[engrave.Engraver]:
    with engrave.Engraver() as one:
        yield one


def labels(page: str) -> list[str]:
    return [element.get("aria-label", "") for element in ET.fromstring(page).iter() if element.get("aria-label")]


def staff_lines(page: str) -> int:
    """How many different staff lines a page has."""
    return len(set(re.findall(r'd="M-?\d+ (\d+) L-?\d+ \1" stroke-width="13"', page)))


@needs_verovio
def test_a_page_is_outlines_and_the_same_every_time(engraver: engrave.Engraver) -> None:
    words = "Żółć", "Größe", "Čeština", "Щука"
    data = score(notes="".join(note(inside=f"<lyric><text>{word}</text></lyric>") for word in words))
    (page,) = engraver.pages(data)
    names = {element.tag.rpartition("}")[2] for element in ET.fromstring(page).iter()}
    assert names == {"svg", "rect", "defs", "g", "path", "use"}
    assert "font" not in page
    assert [label for label in labels(page) if label in words] == list(words) * 2
    drawn = set(re.findall(r'<path id="(\w+)"', page))
    assert {f"r{ord(letter):04X}" for letter in "".join(words)} <= drawn
    assert engraver.pages(data) == [page] == engrave.pages(data)


@needs_verovio
def test_a_note_among_words_is_drawn_as_one(engraver: engrave.Engraver) -> None:
    (page,) = engraver.pages(score(notes=note(inside="<lyric><text>M. ♩=60</text></lyric>")))
    assert 'id="box"' not in page
    assert "BrECA5" in page or "LeECA5" in page


@needs_verovio
def test_pdf_and_png_show_the_same_pages(engraver: engrave.Engraver) -> None:
    import pypdfium2

    pages = engraver.pages(score(160))
    assert len(pages) > 1
    data = engrave.pdf(pages, title="Title")
    assert data == engrave.pdf(pages, title="Title")
    document = pypdfium2.PdfDocument(data)
    sizes = [document[number].get_size() for number in range(len(document))]
    document.close()
    assert sizes == [pytest.approx((595.28, 841.89), abs=0.02)] * len(pages)
    pictures = engrave.png(pages[:2], dpi=50)
    for picture in pictures:
        assert struct.unpack(">II", picture[16:24]) == (414, 585)
    assert [len(picture) > 3000 for picture in pictures] == [True, True]
    assert len(engrave.png(pages[:1])[0]) > len(pictures[0])


@needs_verovio
@pytest.mark.parametrize(("options", "size"), [
    ({}, (210, 297)), ({"paper": "letter"}, (215.9, 279.4)), ({"landscape": True}, (297, 210)),
    ({"scale": 0.5}, (210, 297)), ({"paper": "letter", "scale": 1.5}, (215.9, 279.4)),
])
def test_paper_is_as_asked(engraver: engrave.Engraver, options: dict[str, Any], size: tuple[float, float]) -> None:
    (page, *_) = engraver.pages(score(), **options)
    found = re.search(r'width="([\d.]+)mm" height="([\d.]+)mm"', page)
    assert found
    assert (float(found[1]), float(found[2])) == pytest.approx(size, abs=0.1)


@needs_verovio
def test_a_larger_scale_takes_more_pages_and_an_example_is_cropped(engraver: engrave.Engraver) -> None:
    data = score(200, around="<work><work-title>Example</work-title></work>")
    assert len(engraver.pages(data, scale=0.5)) < len(engraver.pages(data, scale=1.5))
    (page,) = engraver.pages(score(3, around="<work><work-title>Example</work-title></work>"), cropped=True)
    assert "Example" not in labels(page)
    found = re.search(r'height="([\d.]+)mm"', page)
    assert found
    assert float(found[1]) < 60
    assert len(engraver.pages(data, cropped=True)) == 1


@needs_verovio
@pytest.mark.parametrize("parts", [1, 4, 10, 18, 40])
def test_every_staff_of_a_large_score_is_on_the_page(engraver: engrave.Engraver, parts: int) -> None:
    pages = engraver.pages(score(40, parts, around="<work><work-title>Symphony</work-title></work>"))
    for page in pages:
        assert staff_lines(page) >= 5 * parts
        height = float(re.findall(r'viewBox="0 0 [\d.]+ ([\d.]+)"', page)[0])
        lowest = max(int(y) for y in re.findall(r'd="M-?\d+ (\d+) L-?\d+ \1" stroke-width="13"', page))
        assert lowest < 0.95 * height
    assert ("Part 0" in labels(pages[0])) is (parts > 1)
    assert ("P0" in labels(pages[-1])) is (parts > 1 and len(pages) > 1)


@needs_verovio
def test_title_names_rights_and_page_numbers(engraver: engrave.Engraver) -> None:
    around = ("<work><work-title>Sonata</work-title></work><identification>"
              "<creator type='composer'>A. Composer</creator><creator type='lyricist'>B. Poet</creator>"
              "<rights>Public domain</rights></identification>")
    pages = engraver.pages(score(200, around=around))
    assert {"Sonata", "A. Composer", "B. Poet", "Public domain"} <= set(labels(pages[0]))
    assert not {"Sonata", "Public domain"} & set(labels(pages[1]))
    assert "2" in labels(pages[1])
    assert "<title>Sonata</title>" in pages[0]
    assert "<title>Other &lt;1&gt;</title>" in engraver.pages(score(around=around), title="Other\0 <1>")[0]


@needs_verovio
def test_percussion_rests_and_a_bar_without_notes_are_engraved(engraver: engrave.Engraver) -> None:
    drum = ("<note><unpitched><display-step>E</display-step><display-octave>4</display-octave></unpitched>"
            "<duration>4</duration><type>whole</type></note>")
    rest = "<note><rest measure='yes'/><duration>4</duration></note>"
    bare = re.sub(rb"<attributes>.*?</attributes>", b"", score(notes=rest))
    for data in (score(notes=drum, sign="<sign>percussion</sign>"), score(notes=rest), score(notes=""), bare):
        assert staff_lines(engraver.pages(data)[0]) == 5


@needs_verovio
@pytest.mark.parametrize(("data", "said"), [
    (b"", "well formed"), (b"<score-partwise>", "well formed"), (b"\x00\xff\xfe", "well formed"),
    (b"<html/>", "score-partwise"), (b"<score-timewise/>", "score-partwise"),
    (b"<score-partwise/>", "one bar"), (score(0), "one bar"),
    (b'<!DOCTYPE a [<!ENTITY b "c">]><score-partwise/>', "entities"),
])
def test_what_is_no_score_is_one_sentence(engraver: engrave.Engraver, data: bytes, said: str) -> None:
    with pytest.raises((ReadError, WriteError)) as caught:
        engraver.pages(data)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert engraver.pages(score())                                        # the next file is engraved all the same


@needs_verovio
@pytest.mark.parametrize(("code", "said"), [
    ("import os; os._exit(3)", "broke off"), ("import os; os.abort()", "broke off"),
    ("import time; time.sleep(60)", "took too long"),
])
def test_a_process_that_dies_or_hangs_is_one_sentence(code: str, said: str, tmp_path: Path,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fake_engraver.py").write_text(f"def engrave(message):\n    {code}\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with engrave.Engraver("fake_engraver:engrave") as broken, pytest.raises(WriteError, match=said):
        broken.pages(score(), seconds=0.3 if "sleep" in code else 60)


def test_without_verovio_the_command_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WriteError, match=re.escape('pip install "partimento[scores]"')):
        engrave.pages(score())


@needs_verovio
def test_verovio_is_never_loaded_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "")
    with pytest.raises(WriteError, match="process of its own"):
        engrave.pages(score())


def test_wishes_that_cannot_be_met() -> None:
    with pytest.raises(RequestError, match="A4, letter"):
        engrave.pages(score(), paper="A0")
    with pytest.raises(RequestError, match="scale"):
        engrave.pages(score(), scale=0.01)
    with pytest.raises(RequestError, match="dpi"):
        engrave.png([], dpi=5)


def test_credits_are_the_typed_ones_else_titles_and_creators() -> None:
    typed = ET.fromstring(
        "<s><work><work-title>Work</work-title></work><credit page='1'><credit-type>title</credit-type><credit-words>"
        "A  title</credit-words></credit><credit page='2'><credit-type>composer</credit-type>"
        "<credit-words>No</credit-words></credit>"
        "<identification><creator type='poet'>P</creator><creator>C</creator></identification></s>")
    assert credits_of(typed) == Credits("A title", composer="C", lyricist="P")
    song = ET.fromstring("<s><work><work-title>Songs</work-title></work><movement-title>A song</movement-title></s>")
    assert credits_of(song) == Credits("A song", "Songs")
    ET.SubElement(song, "movement-number").text = "3"
    assert credits_of(song) == Credits("Songs", "3. A song")
    assert credits_of(ET.fromstring("<s/>")) == Credits()


def test_the_header_stays_inside_the_margins_however_long_the_words() -> None:
    def width(text: str, size: float) -> float:
        return len(text) * size / 2

    assert header(Credits(), A4, width) == ([], 0.0)
    lines, taken = header(Credits("long title " * 12, "subtitle", "A Composer", "A Poet", "An Arranger"), A4, width)
    for text, x, y, size, anchor in lines:
        left = x - {"start": 0, "middle": 0.5, "end": 1}[anchor] * width(text, size)
        assert A4.side - 1e-6 <= left <= left + width(text, size) <= A4.width - A4.side + 1e-6
        assert A4.top < y < A4.top + taken
    assert [line.text for line in lines][-3:] == ["A Poet", "A Composer", "arr. An Arranger"]
    small = footer(Credits(rights="CC0", composer="x" * 80), A4, width)
    assert [line.text for line in small] == [f"{'x' * 80} · CC0"]


def test_dynamics_and_words_at_one_place_become_one_direction() -> None:
    def direction(kind: str, sound: str = "") -> str:
        return f"<direction placement='below'><direction-type>{kind}</direction-type>{sound}</direction>"

    f, words = direction("<dynamics><f/></dynamics>"), direction("<words>cresc.</words>")
    tempo = direction("<words>Allegro</words>", "<sound tempo='120'/>")
    for inside, left in ((f + words, 1), (words + f, 1), (f + f, 2), (f + "<note/>" + words, 2), (f + tempo, 2),
                         (f + words.replace("below", "above"), 2), (f + words + f, 2)):
        measure = ET.fromstring(f"<measure>{inside}</measure>")
        kinds = inside.count("<direction-type>")
        _join_directions(measure)
        assert len(measure.findall("direction")) == left
        assert len(measure.findall("direction/direction-type")) == kinds


@needs_verovio
@pytest.mark.parametrize("name", ["openscore_lieder", "openscore_quartets", "openewld"])
def test_real_scores(name: str, music: Callable[[str], Path], engraver: engrave.Engraver) -> None:
    path = min(sorted(music(name).rglob("*.mxl"))[:40], key=lambda file: file.stat().st_size)
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        (member,) = [one for one in archive.namelist() if not one.startswith("META-INF") and one.endswith("xml")]
        pages = engraver.pages(archive.read(member))
    assert all("<text" not in page and staff_lines(page) >= 5 for page in pages)
    import pypdfium2

    document = pypdfium2.PdfDocument(engrave.pdf(pages))
    dark = [float(np.mean(document[number].render(scale=0.5).to_numpy() < 128)) for number in range(len(document))]
    document.close()
    assert len(dark) == len(pages)
    assert min(dark) > 0.001
