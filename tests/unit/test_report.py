"""The report: one page with everything inside, that says and shows what was measured, and nothing that breaks it."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

from partimento.errors import PartimentoError, RequestError, WriteError
from partimento.judge.distances import Interval
from partimento.judge.evaluate import Evaluation, MeasureRow
from partimento.judge.finding import Finding
from partimento.judge.frechet import Frechet
from partimento.judge.likelihood import NoteBits
from partimento.judge.listeners import Agreement, Duel, Listener, Preferences
from partimento.judge.originality import BarRow, Originality, Passage
from partimento.judge.rank import Rank, RankPart, RankReference
from partimento.models.random import Random
from partimento.render import report
from partimento.render.report import report_page, write_report
from partimento.render.report_piece import ReportPiece, place_words
from partimento.render.report_sets import measure_sentence, nice_ticks
from partimento.score import Score, Tempo, Track

FAR = Frechet(30, 25, 35, 20, 15, 25, (3, 9), (-1, 5), "an-embedding 1", 20, 40, "")
NASTY = "<script>alert(1)</script>\"'&"


class Reader(HTMLParser):
    """Tags with their attributes, all words, and whether every element was closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))

    def all(self, tag: str, **known: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag
                and all(attrs.get(key.rstrip("_")) == value for key, value in known.items())]


def tune(bars: int = 4, bpm: int = 120, tracks: int = 1) -> Score:
    rows = [(480 * i, 480, 60 + 12 * t + i % 8, 80, t) for i in range(4 * bars) for t in range(tracks)]
    return Score.from_rows(rows, tracks=tuple(Track(f"part {t}", 0) for t in range(tracks)), end=1920 * bars,
                           tempos=(Tempo(0, 60_000_000 // bpm),))


def row(name: str = "pitch_class_entropy", inside: bool = False, **changes: object) -> MeasureRow:
    found = MeasureRow(name, "bits", 20, Interval(2.0, 1.9, 2.1), Interval(3.0, 2.8, 3.2), .5, .25, (.5, .75), inside)
    return found._replace(**changes)


def evaluation(**changes: object) -> Evaluation:
    rng = np.random.default_rng(0)
    rows = (row(), row("polyphony", True, unit="pitches at once"), row("scale_consistency", unit="share of notes"))
    given: dict[str, object] = {"rows": rows, "bars": 16, "pieces": 20, "reference_pieces": 40, "frechet": FAR,
                                "remarks": ("both sets hold <the> same",),
                                "values": {one.name: (rng.normal(2, .2, 20), rng.normal(3, .3, 40)) for one in rows}}
    return Evaluation(**(given | changes))  # type: ignore[arg-type]


def finding(**changes: object) -> Finding:
    given: dict[str, object] = {"kind": "stuck", "track": 0, "start": 1920, "end": 2400, "bars": (2, 2),
                                "text": "a note hangs", "value": 4.2, "unit": "bars", "spread": (0.0, 3.0),
                                "notes": (4,)}
    return Finding(**(given | changes))  # type: ignore[arg-type]


def ranked(value: float = -.5) -> Rank:
    parts = (RankPart("syntax", .1, -1.5, .2, .1), RankPart("close", None, None, .2, .1))
    return Rank(value, .25, parts, "open <music>", "markov")


def shared(verdict: str = "borrows", text: str = "borrows from Bach") -> Originality:
    passages = (Passage("Bach <BWV 1>", (2, 3), (7, 8), 12, 14, 61.0, 1, 0, 1.0, 1920, 5760, (0,), True),
                Passage("Haydn", (4, 4), (9, 9), 7, 9, 22.0, 6, 3, 1.0, 5760, 7680, (0,), False))
    bars = (BarRow(1, 0.0, -1), BarRow(2, .9, 0), BarRow(3, 1.0, 0), BarRow(4, .4, 1))
    return Originality(verdict, text, .6, (.01, .2), .99, passages, bars, (), 16, "normal")


def listeners() -> Preferences:
    half = Interval(.5, .3, .7)
    return Preferences((Duel("mine <b>", "real", 3, 1, 6, Interval(.35, .15, .62)),), {"mine": Interval(-.4, -.9, .1)},
                       (Agreement("rank", 9, Interval(.8, .6, .9), None), Agreement("polyphony", 9, half, half)),
                       (Listener("ab", 10, 1, 0, 1, 1, "some", False),), half, ("listener ab was not consistent",))


def piece(**changes: object) -> ReportPiece:
    given: dict[str, object] = {"name": "Piece 1", "score": tune(), "findings": (finding(),)}
    return ReportPiece(**(given | changes))  # type: ignore[arg-type]


def whole(sound: bool = False) -> str:
    bits = NoteBits("markov", Interval(9.87, 9.1, 10.2), None, True, (), ())
    reference = RankReference("open <music>", 3, {}, (-1.0, 0.0, 1.0), "markov", Random())
    return report_page("A report", evaluation=evaluation(), bits=(bits,), preferences=listeners(), sound=sound,
                       pieces=(piece(rank=ranked(), originality=shared()), piece(name="Piece 2", findings=())),
                       rank_reference=reference, intro="Of two pieces.")


# --- the whole page ------------------------------------------------------------------------------------------------


def test_a_report_says_what_was_measured() -> None:
    read = Reader(whole())
    for words in ("A report", "Of two pieces.", "1 of 3 measures lie as real music does", "20 pieces beside 40",
                  "stretches of 16 bars", "Both sets hold <the> same", "an-embedding 1", "9.87",
                  "bits a note under markov (9.1–10.2), 0 notes; at most", "1findings in 2 pieces",
                  "What listeners say", "35 % (15–62)", "mine <b> to real", "Listener ab was not consistent",
                  "The left of the two was preferred in 50 % (30–70)",
                  "Rank −0.50, above 25 % of the pieces of open <music>", "cannot be heard here",
                  "No fault found.", "Borrows from Bach. Pieces of the index share 1–20 %"):
        assert words in read.text, words
    assert re.search(r"20Fréchet Music Distance; real beside real −1 to 5", read.text)


def test_everything_is_inside_and_reads_without_a_script() -> None:
    html = whole()
    assert not re.search(r"https?://|//[a-z]+\.|url\(|@import|<img|<iframe", html)
    assert "default-src 'none'" in html
    read = Reader(html)
    for _, attrs in read.tags:
        for name in ("src", "href"):
            assert attrs.get(name, "#").startswith(("data:", "#"))
    places = {attrs["id"] for _, attrs in read.tags if "id" in attrs}
    for link in read.all("a"):
        assert link["href"] == "#" or link["href"][1:] in places           # every link leads somewhere
    assert len(places) == sum("id" in attrs for _, attrs in read.tags)
    assert not read.all("button")                                          # what sorts is made by the script
    assert "@media print" in html
    assert "prefers-color-scheme: dark" in html
    assert whole() == html


def test_parts_that_are_not_given_are_left_out() -> None:
    assert "<section" not in report_page("nothing")
    assert "<nav" not in report_page("sets alone", evaluation=evaluation())
    read = Reader(report_page("a piece", pieces=[piece()], sound=False))
    assert "listeners" not in read.text
    assert not read.all("table")                                           # one piece needs none
    assert "measures lie" not in read.text


def test_no_words_break_the_page() -> None:
    def clean(words: str) -> Reader:
        score = tune().replace(tracks=(Track(words),))
        known = evaluation(rows=(row(words, unit=words),), remarks=(words,), values={},
                           frechet=FAR._replace(embedding=words))
        loud = listeners()._replace(told=(words,), duels=(listeners().duels[0]._replace(first=words, second=words),),
                                    strengths={words: Interval(0, 0, 0)},
                                    agreements=(Agreement(words, 1, Interval(.5, .1, .9), None),))
        passage = shared().passages[0]._replace(source=words)
        return Reader(report_page(
            words, intro=words, evaluation=known, preferences=loud, sound=False,
            bits=(NoteBits(words, Interval(1, 1, 1), None, False, (), ()),),
            rank_reference=RankReference(words, 1, {}, (0.0, 1.0), words, Random()),
            pieces=[piece(name=words, score=score, findings=[finding(text=words, unit=words)],
                          rank=ranked()._replace(reference=words, parts=(RankPart(words, 0, 0, 0, 1),)),
                          originality=shared(words, words)._replace(passages=(passage,)))] * 2))

    calm, read = clean("calm"), clean(NASTY)
    assert [tag for tag, _ in read.tags] == [tag for tag, _ in calm.tags]
    assert not [name for _, attrs in read.tags for name in attrs if name.startswith("on")]
    assert read.text.count("<script>alert(1)") > 15


# --- sets ----------------------------------------------------------------------------------------------------------


def test_a_measure_in_a_sentence() -> None:
    assert measure_sentence(row()) == ("How evenly the pitch classes are used: 2 bits where the reference has 3, less; "
                                       "further from it than real music is.")
    near = row("scale_consistency", True, unit="share of notes", mean=Interval(.954, .9, 1),
               reference=Interval(.9, .85, .92))
    assert measure_sentence(near) == ("How many notes lie in the best scale: 95.4 % of notes where the reference has "
                                      "90, means that cannot be told apart; no further from it than real music is.")
    assert ", more;" in measure_sentence(row(mean=Interval(4, 3.5, 4.5)))


def test_overlaps_stand_where_they_are() -> None:
    html = report_page("x", evaluation=evaluation(rows=(row(),)))
    plot = html[html.index('<svg class="pr-share" viewBox="0 0 150 16"'):]
    band = re.search(r'<rect x="([\d.]+)" y="2" width="([\d.]+)"', plot)
    dot = re.search(r'<circle class="pr-out" cx="([\d.]+)"', plot)
    assert band
    assert dot
    assert (float(band[1]), float(band[2]), float(dot[1])) == (75, 37.5, 37.5)


def test_curves_stand_over_their_means() -> None:
    html = report_page("x", evaluation=evaluation(rows=(row(),)))
    peaks = {}
    for style in ("theirs", "ours"):
        found = re.search(rf'<polygon class="pr-{style}" points="([^"]+)"', html)
        assert found
        points = np.array([point.split(",") for point in found[1].split()], float)
        peaks[style] = points[points[:, 1].argmin(), 0]
        mean = re.search(rf'<circle class="pr-{style}" cx="([\d.]+)"', html)
        assert mean
        assert abs(float(mean[1]) - peaks[style]) < 30
        assert points[:, 1].max() == 84
    assert peaks["ours"] + 80 < peaks["theirs"]


def test_a_set_without_spread_is_seen() -> None:
    values = {"pitch_class_entropy": (np.full(20, 2.0), np.linspace(2, 4, 40))}
    html = report_page("x", evaluation=evaluation(rows=(row(mean=Interval(2, 2, 2)),), values=values))
    heights = []
    for style in ("ours", "theirs"):
        found = re.search(rf'<polygon class="pr-{style}" points="([^"]+)"', html)
        assert found
        points = np.array([point.split(",") for point in found[1].split()], float)
        heights.append(84 - points[:, 1].min())
    assert heights[0] == 78
    assert 10 < heights[1] < 40
    assert not re.search(r'[",\s]-?nan[",\s]', html)


def test_round_numbers_on_an_axis() -> None:
    assert nice_ticks(0, 100) == [0, 20, 40, 60, 80, 100]
    assert nice_ticks(-.013, .031) == [-.01, 0, .01, .02, .03]
    assert len(nice_ticks(1.2345, 1.2346)) in (3, 4, 5, 6)


# --- pieces --------------------------------------------------------------------------------------------------------


def test_findings_are_numbered_tied_to_their_places_and_their_notes_outlined() -> None:
    score = tune(4, bpm=96, tracks=2)
    found = (finding(start=0, end=480, bars=(1, 1), notes=(0, 1), track=1),
             finding(start=5760, end=6240, bars=(4, 4), notes=(24,), track=-1, spread=None, text="it breaks off"))
    html = report_page("x", pieces=[piece(score=score, findings=found)], sound=False)
    read = Reader(html)
    assert [item["value"] for item in read.all("li")] == ["1", "2"]
    links = [link for link in read.all("a") if "data-second" in link]
    assert [link["href"] for link in links] == ["#p1-m1", "#p1-m2"]
    assert [float(link["data-second"]) for link in links] == [0, float(score.seconds(5760))] == [0, 7.5]
    assert [link["href"] for link in read.all("a") if "data-at" in link] == ["#p1-f1", "#p1-f2"]
    assert "bar 1, part 1 a note hangs 4.2 bars; the reference 0–3" in read.text
    assert "bar 4 it breaks off 4.2 bars" in read.text
    outlined = re.findall(r'<g class="f-t\d s-mark note"[^>]*>(.*?)</g>', html, re.DOTALL)
    assert sum(group.count("<rect") for group in outlined) == 3
    badges = [float(x) for x in re.findall(r'aria-label="finding \d"><rect x="([\d.]+)"', html)]
    bars = [float(x) for x in re.findall(r'<text x="([\d.]+)" y="[\d.]+" font-size="11" class="f-muted"', html)]
    assert badges == pytest.approx([bars[0], bars[3]], abs=2)              # under the bars where they begin


def test_a_crowd_of_findings_is_folded_and_none_is_lost() -> None:
    many = [finding(start=40 * i, end=40 * i + 40, notes=()) for i in range(100)]
    html = report_page("x", pieces=[piece(findings=many)], sound=False)
    read = Reader(html)
    assert len(read.all("li")) == 100
    assert "70 more" in read.text
    width = float(re.findall(r'viewBox="0 0 (\d+)', html)[0])
    boxes = np.array(re.findall(r'"finding \d+"><rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"', html), float)
    assert (boxes[:, 0] + boxes[:, 2]).max() <= width
    for y in np.unique(boxes[:, 1]):
        line = boxes[boxes[:, 1] == y]
        assert (line[1:, 0] >= line[:-1, 0] + line[:-1, 2]).all()           # none over another


def test_a_finding_of_the_whole_piece_tints_nothing() -> None:
    long = report_page("x", pieces=[piece(findings=[finding(start=0, end=7680, notes=())])], sound=False)
    short = report_page("x", pieces=[piece(findings=[finding(start=0, end=960, notes=())])], sound=False)
    assert ('class="f-blank"' in short, 'class="f-blank"' in long) == (True, False)


def test_places_in_words() -> None:
    score = tune(tracks=2)
    assert place_words(score, finding(track=1, bars=(3, 4))) == "bars 3–4, part 1"
    assert place_words(score, finding(track=-1)) == "bar 2"


def test_what_is_shared_bar_by_bar() -> None:
    html = report_page("x", pieces=[piece(originality=shared())], sound=False)
    cells = re.findall(r'<i class="(.*?)" style="--s:([\d.]+)" title="(.*?)">(\d)</i>', html)
    assert [(cell[0], cell[1], cell[3]) for cell in cells] == [
        ("", "0.00", "1"), ("pr-taken", "0.90", "2"), ("pr-taken", "1.00", "3"), ("", "0.40", "4")]
    assert cells[1][2] == "bar 2: 90 % shared"
    read = Reader(html)
    assert "bars 2–3 12 of 14 notes as in bars 7–8 of Bach <BWV 1>" in read.text
    assert "Originality: original. Nothing is shared." in Reader(report_page("x", sound=False, pieces=[
        piece(originality=shared("original", "nothing is shared"))])).text


def test_sound_is_inside_and_small() -> None:
    html = report_page("x", pieces=[piece(score=tune(4, bpm=240))])
    (player,) = Reader(html).all("audio")
    data = base64.b64decode(player["src"].removeprefix("data:audio/ogg;base64,"))
    sound, rate = soundfile.read(io.BytesIO(data))
    assert rate == 48000
    assert 4 <= len(sound) / rate < 8
    assert '"bars":[0,1920,3840,5760]' in html


def test_a_long_piece_is_heard_from_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []

    def quick(score: Score, rate: int) -> np.ndarray:  # type: ignore[type-arg]
        heard.append(score.n_bars)
        return np.zeros((rate, 2), np.float32)

    monkeypatch.setattr(report, "render_audio", quick)
    monkeypatch.setattr(report, "SOUND_SECONDS", 330.0)
    html = report_page("x", pieces=[piece(score=tune(200)), piece(score=tune(200)), piece()])
    read = Reader(html)
    assert heard == [150, 15]                                              # of 2 seconds each
    assert "The sound is of the first 150 bars." in read.text
    assert "No sound: the sound of the pieces before has filled the page." in read.text


def test_a_report_is_not_lost_for_want_of_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(score: Score, rate: int) -> None:
        raise PartimentoError("no soundfont <here>")

    monkeypatch.setattr(report, "render_audio", broken)
    read = Reader(report_page("x", pieces=[piece(), piece(name="Piece 2")]))
    assert not read.all("audio")
    assert read.text.count("Nothing can be played here: no soundfont <here>.") == 1
    assert "Piece 2" in read.text


def test_many_pieces_stand_in_the_table() -> None:
    html = report_page("x", pieces=[piece(name=f"n{k}", score=tune(1), findings=()) for k in range(200)], sound=False)
    read = Reader(html)
    assert "The first 24 of 200 pieces are shown with their rolls; the others stand in the table only." in read.text
    assert len(read.all("tr")) == 201
    assert len(read.all("div", tabindex="0", role="group")) == 24
    assert len(html) < 2_000_000


def test_a_page_that_has_grown_shows_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "PAGE_BYTES", 10)
    read = Reader(report_page("x", pieces=[piece(), piece(name="two"), piece(name="three")], sound=False))
    assert "The first 1 of 3 pieces are shown" in read.text


def test_pieces_of_nothing() -> None:
    read = Reader(report_page("x", pieces=[ReportPiece("empty", Score()), ReportPiece("frame", Score(end=1920))]))
    assert read.text.count("No notes.") == 2
    assert not read.all("audio")
    drums = Score(onset=[0], duration=[10], pitch=[38], velocity=[90], track=[0], tracks=(Track("kit", 0, True),))
    Reader(report_page("x", pieces=[ReportPiece("one hit", drums, (finding(start=0, end=1, notes=(0, 99)),))],
                       sound=False))


def test_ranks_beside_real_ones() -> None:
    html = report_page("x", pieces=[piece(rank=ranked(-1)), piece(rank=ranked(1))], sound=False,
                       rank_reference=RankReference("real music", 2, {}, (0.0, 1.0), "markov", Random()))
    part = html[html.index('<figure class="pr-ranking">'):]
    ticks = {style: [float(x) for x in re.findall(rf'<line class="pr-{style}" x1="([\d.]+)"', part)]
             for style in ("ours", "theirs")}
    assert ticks == {"ours": [8, 992], "theirs": [500, 992]}
    assert "ranks above 25 % of the real ones" in Reader(html).text


def test_files(tmp_path: Path) -> None:
    place = write_report(tmp_path / "report.html", "Ångström ♯", pieces=[piece()], sound=False)
    assert place.read_text(encoding="utf-8") == report_page("Ångström ♯", pieces=[piece()], sound=False)
    with pytest.raises(WriteError, match=r"as \.html"):
        write_report(tmp_path / "report.pdf", "x")
    with pytest.raises(WriteError):
        write_report(tmp_path / "none" / "report.html", "x")
    with pytest.raises(RequestError, match="cancelled"):
        write_report(tmp_path / "other.html", "x", pieces=[piece()], report=lambda progress: False)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
