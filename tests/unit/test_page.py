"""The offline page: everything inside, nothing from outside, nothing that a title could break."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from partimento.errors import PartimentoError, WriteError
from partimento.render import audio
from partimento.render.page import Panel, page, score_html, write_page
from partimento.score import Meter, Score, Tempo, Track

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Reader(HTMLParser):
    """Tags with their attributes, the text of each element by tag, and whether all of them were closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def tune(bars: int = 2) -> Score:
    n = bars * 4
    return Score(onset=np.arange(n) * 480, duration=[480] * n, pitch=60 + np.arange(n) % 12, velocity=[90] * n,
                 track=[0] * n, tracks=(Track("Flute", 73),))


def panel(**changes: object) -> Panel:
    given: dict[str, object] = {
        "title": "Piece 1", "score": tune(), "asked_got": [("bars", 2, 2, True), ("density", 6, 4.1, False),
                                                           ("model", "markov", "markov", None)],
        "downloads": {"piece-1.mid": b"MThd\x00", "piece-1.wav": "sound/piece 1.wav"}, "audio": b"OggS\x01\x02",
        "note": "Seed 7."}
    return Panel(**(given | changes))  # type: ignore[arg-type]


def test_a_page_carries_everything() -> None:
    read = Reader(page([panel(), panel(title="Piece 2", audio=None)], title="Two pieces", intro="From nothing.",
                       settings={"seed": 7, "model": "markov"}))
    assert len(read.all("svg")) == 2
    (sound,) = read.all("audio")
    assert sound["src"] == "data:audio/ogg;base64," + base64.b64encode(b"OggS\x01\x02").decode()
    assert "controls" in sound                                      # so it plays with scripts off
    links = read.all("a")
    assert [a["download"] for a in links] == ["piece-1.mid", "piece-1.wav"] * 2
    assert links[0]["href"] == "data:audio/midi;base64," + base64.b64encode(b"MThd\x00").decode()
    assert links[1]["href"] == "./sound/piece%201.wav"
    assert [t.strip() for t in read.text["span"][:6]] == ["✓", "met", "✗", "not met", "·", "not checked"]
    assert read.text["h1"] == ["Two pieces"]
    assert read.text["h2"] == ["Piece 1", "Piece 2"]
    assert read.text["dd"] == ["7", "markov"]
    assert "Seed 7." in read.text["p"]


def test_nothing_comes_from_outside() -> None:
    html = page([panel()], title="x")
    assert not re.search(r"https?://|//[a-z]+\.|url\(|@import|<img|<iframe", html)
    read = Reader(html)
    for _, attrs in read.tags:
        for name in ("src", "href"):
            assert (attrs.get(name) or "data:").startswith(("data:", "./"))
    policy = next(m["content"] or "" for m in read.all("meta") if m.get("http-equiv"))
    assert "default-src 'none'" in policy


@pytest.mark.parametrize("nasty", ["<script>alert(1)</script>", "\"><img src=x onerror=f()>", "'&</title></style>"])
def test_all_words_are_escaped(nasty: str) -> None:
    clean = Reader(page([panel()], title="x", intro="y", settings={"a": "b"}))
    score = tune().replace(tracks=(Track(nasty),))
    read = Reader(page([panel(title=nasty, score=score, asked_got=[(nasty, nasty, nasty, True)] * 3, note=nasty,
                              downloads={nasty: b"", "b" + nasty: nasty}, audio_type=nasty)],
                       title=nasty, intro=nasty, settings={nasty: nasty}))
    assert [t for t, _ in read.tags if t != "rect"] == [t for t, _ in clean.tags if t != "rect"]
    assert not [a for _, attrs in read.tags for a in attrs if a.startswith("on")]
    assert "".join(read.text["h1"]) == nasty


def test_a_link_stays_in_its_folder() -> None:
    read = Reader(page([panel(downloads={"a": "javascript:alert(1)", "b": "http://x.org/y"})], title="x"))
    assert [a["href"] for a in read.all("a")] == ["./javascript%3Aalert%281%29", "./http%3A//x.org/y"]


def test_the_cursor_knows_the_time_of_every_tick() -> None:
    score = tune(8).replace(tempos=(Tempo(0, 500_000), Tempo(1920, 1_000_000)), meters=(Meter(0, 4, 4),))
    html = page([panel(score=score)], title="x")
    (text,) = re.findall(r"<script type=\"application/json\">(.*?)</script>", html)
    data = json.loads(text)
    assert data["times"] == [[0, 0.0], [1920, 2.0], [score.end, 2.0 + (score.end - 1920) / 480]]
    assert data["bars"] == [1920 * k for k in range(8)]
    assert data["systems"][0][0] == 0
    assert data["systems"][-1][1] == score.end
    box = Reader(html).all("svg")[0]["viewbox"]
    assert box is not None
    width, height = (float(v) for v in box.split()[2:])
    for _, _, left, right, top, bottom in data["systems"]:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height


def test_a_thousand_tempos_make_a_short_table() -> None:
    score = tune(40).replace(tempos=tuple(Tempo(k, 500_000 + k) for k in range(10_000)))
    (text,) = re.findall(r"<script type=\"application/json\">(.*?)</script>", page([panel(score=score)], title="x"))
    times = np.array(json.loads(text)["times"])
    assert len(times) <= 2_000
    ticks = np.arange(0, score.end, 97)
    assert np.abs(np.interp(ticks, times[:, 0], times[:, 1]) - score.seconds(ticks)).max() < 0.01


def test_only_a_loop_has_a_loop_button() -> None:
    assert not Reader(page([panel()], title="x")).all("button")
    (button,) = Reader(page([panel(loop=True)], title="x")).all("button")
    assert "hidden" in button                                       # shown by the script that makes it work


def test_dark_and_print_are_provided_for() -> None:
    html = page([panel()], title="x")
    assert "@media screen and (prefers-color-scheme: dark)" in html
    assert "@media print" in html
    roles = set(re.findall(r'class="f-(\w+)', html))
    assert len(roles) > 5
    assert all(f".f-{role} {{ fill:" in html for role in roles)


def test_the_same_panels_give_the_same_page() -> None:
    assert page([panel()], title="x") == page([panel()], title="x")
    Reader(page([], title="nothing"))
    Reader(page([Panel("empty", Score())], title="empty"))


def test_files(tmp_path: Path) -> None:
    path = write_page([panel()], tmp_path / "index.html", title="Ångström ♯")
    assert path.read_text(encoding="utf-8") == page([panel()], title="Ångström ♯")
    with pytest.raises(WriteError):
        write_page([panel()], path / "index.html", title="x")
    assert [p.name for p in tmp_path.iterdir()] == ["index.html"]


# --- in a notebook ---------------------------------------------------------------------------------------------


def test_a_notebook_shows_and_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "audio_bytes", lambda score, format: b"OggS" + format.encode())
    read = Reader(score_html(tune()))
    assert read.all("audio")[0]["src"] == "data:audio/ogg;base64," + base64.b64encode(b"OggSogg").decode()
    assert len(read.all("svg")) == 1
    assert not read.all("html")


def test_a_notebook_shows_the_roll_where_sound_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(score: Score, format: str) -> bytes:
        raise PartimentoError("no soundfont <here>")

    monkeypatch.setattr(audio, "audio_bytes", broken)
    read = Reader(score_html(tune()))
    assert not read.all("audio")
    assert len(read.all("svg")) == 1
    assert "No sound here: no soundfont <here>" in "".join(read.text["p"])


def test_a_long_piece_stays_silent_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "audio_bytes", lambda score, format: b"OggS")
    read = Reader(score_html(tune(400)))
    assert not read.all("audio")
    assert "the piece is long" in "".join(read.text["p"])
    assert not Reader(score_html(Score())).all("p")
