"""The gallery: which faults are new, whose sentence is shown, which pieces stand first, where the music is from."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from partimento import formats, verbs
from partimento.judge.finding import Finding
from partimento.score import Score

CHECKS = Path(__file__).resolve().parents[2] / "checks"


def check(name: str) -> ModuleType:
    if str(CHECKS) not in sys.path:
        sys.path.append(str(CHECKS))
    return importlib.import_module(name)


def fault(kind: str = "clash", track: int = 0, start: int = 0, end: int = 480) -> Finding:
    return Finding(kind, track, start, end, (1, 1), "", 2.0, "quarters")


def piece(**said: object) -> dict[str, object]:
    return {"verb": "vary", "family": "markov", "seed": 3, "hash": "0123abcd", "bars": 8, "new_bars": 8, "about": "",
            "command": "partimento vary", "files": ["a.mid", "a.png"], "told": [], "faults": [], **said}


@pytest.mark.parametrize(("found", "added"), [
    (fault(), False),                               # it was there
    (fault(start=240, end=960), False),             # at the same time still
    (fault(start=480, end=960), True),              # the end of a fault is not in it
    (fault(track=1), True),
    (fault(kind="span"), True),
])
def test_a_fault_is_added_unless_its_like_stood_there(found: Finding, added: bool) -> None:
    assert check("gallery_pieces").is_added(found, [fault()]) is added


def test_every_fault_is_added_where_nothing_was_given() -> None:
    assert check("gallery_pieces").is_added(fault(), [])


def test_a_sentence_is_shown_only_with_the_notes_that_were_read() -> None:
    page = check("gallery_page")
    words = {"vary/markov/3": {"notes": "0123abcd", "says": "Bar 2 < bar 3."}}
    assert page.sentence(piece(), words) == "Bar 2 &lt; bar 3."
    assert page.sentence(piece(hash="ffffffff"), words) == page.UNREAD
    assert page.sentence(piece(seed=4), words) == page.UNREAD


def test_the_hash_stands_for_the_notes_alone() -> None:
    notes_hash = check("gallery_pieces").notes_hash
    score = Score.from_rows([(0, 480, 60, 80, 0), (480, 480, 62, 80, 0)])
    assert notes_hash(score) == notes_hash(score.replace(ticks_per_quarter=240))
    assert notes_hash(score) != notes_hash(Score.from_rows([(0, 480, 60, 80, 0), (480, 480, 63, 80, 0)]))


def test_failures_stand_first_then_the_five_worst_a_bar_and_never_random() -> None:
    page = check("gallery_page")
    new = {"kind": "clash", "text": "", "added": True}
    pieces = [piece(seed=seed, faults=[new] * seed) for seed in range(8)]
    short = piece(seed=20, faults=[new] * 2, new_bars=1)
    old = piece(seed=21, faults=[{**new, "added": False}] * 50)
    chance = piece(seed=22, family="random", faults=[new] * 50)
    failed = piece(seed=23, error="no")
    found = page.worst([*pieces, short, old, chance, failed])
    assert [one["seed"] for one in found] == [23, 20, 7, 6, 5, 4]


def test_the_summary_counts_faults_a_hundred_bars() -> None:
    new, old = {"added": True}, {"added": False}
    found = check("gallery_pieces").summary([
        {"faults": [new, new, old], "new_bars": 4, "source_bars": 16, "source_faults": 1, "seconds": 0.1},
        {"faults": [old], "new_bars": 6, "source_bars": 4, "source_faults": 1, "seconds": 0.3}])
    assert found == {"added": 20.0, "source": 10.0, "none": 0.5, "seconds": pytest.approx(0.2)}


def test_the_pages_name_every_piece_and_its_files(tmp_path: Path) -> None:
    new = {"kind": "clash", "text": "bar 3: a semitone", "added": True}
    cells = [{"pieces": [piece(faults=[new]), piece(seed=4)], "added": 6.25, "source": float("nan"), "none": 0.5,
              "seconds": 0.5, "real": {"pieces": [], "measures": 20, "inside": 12, "apart": ["x 1 (2)"],
                                       "frechet": [30.0, 5.0, 9.0]}}]
    index = check("gallery_page").write_pages(tmp_path, cells, {}).read_text(encoding="utf-8")
    assert "<td>6.2</td><td></td><td>50 %</td><td>12 of 20</td><td>30.0 (5.0–9.0)</td>" in index
    assert 'href="vary.html#vary/markov/3"' in index
    page = (tmp_path / "vary.html").read_text(encoding="utf-8")
    assert page.index('id="vary/markov/3"') < page.index('id="vary/markov/4"')
    assert "bar 3: a semitone" in page
    assert "no fault found" in page
    assert page.count('<img loading="lazy" src="a.png">') == 2


def test_the_first_part_alone_is_its_highest_line() -> None:
    two = verbs.compose(model="random", bars=1, tracks="flute,piano", seed=1)[0].score.tracks
    score = Score(onset=[0, 0, 0, 480, 960], duration=[960, 480, 480, 960, 480], pitch=[60, 67, 40, 65, 64],
                  velocity=[80] * 5, track=[0, 0, 1, 0, 0], tracks=two)
    line = check("gallery_sources").part_of(score, 0)
    assert line.notes()[:, :3].tolist() == [[0, 480, 67], [480, 480, 65], [960, 480, 64]]
    assert [track.name for track in line.tracks] == ["flute"]


def test_where_a_set_is_absent_small_music_is_made_and_it_says_so(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = check("gallery_sources")
    monkeypatch.setattr(sources.music_sets, "find", lambda name: (_ for _ in ()).throw(LookupError(name)))
    for verb, use in sources.USES.items():
        file, about = sources.source(verb, 1, tmp_path)
        score = formats.read(file)
        assert "is not here" in about
        assert score.n_bars == use.bars
        assert len(score.tracks) == (1 if use.first_part else 2)
        again = file.read_bytes()
        assert sources.source(verb, 1, tmp_path) == (file, about)
        assert file.read_bytes() == again


def test_no_made_music_stands_for_real_music(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = check("gallery_sources")
    monkeypatch.setattr(sources.music_sets, "find", lambda name: (_ for _ in ()).throw(LookupError(name)))
    for verb in check("gallery_pieces").VERBS:
        with pytest.raises(LookupError):
            next(sources.real(verb))


def test_a_piece_is_made_once_and_a_crash_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces, sources = check("gallery_pieces"), check("gallery_sources")
    monkeypatch.setattr(sources.music_sets, "find", lambda name: (_ for _ in ()).throw(LookupError(name)))
    monkeypatch.setattr(pieces.output, "render", lambda score, place: [place])
    made = pieces.make_piece(tmp_path, "infill", "rules", 1)
    score = formats.read(tmp_path / made["files"][1])
    assert made["hash"] == pieces.notes_hash(score)
    assert (made["bars"], made["new_bars"], made["source_bars"]) == (16, 4, 16)
    assert "infill" in made["command"]
    assert "--seed=1" in made["command"]
    monkeypatch.setattr(pieces.verbs, "infill", lambda *_, **__: 1 / 0)
    assert pieces.make_piece(tmp_path, "infill", "rules", 1) == made
    assert pieces.make_piece(tmp_path, "infill", "rules", 2)["error"].startswith("ZeroDivisionError")
    assert not pieces.piece_file(tmp_path, "infill", "rules", 2).exists()


def test_seeds_and_sentences_are_well_formed() -> None:
    gallery = check("gallery")
    assert [*gallery.numbers("7"), *gallery.numbers("2-4")] == [7, 2, 3, 4]
    words = json.loads(gallery.WORDS.read_text(encoding="utf-8"))
    for key, said in words.items():
        verb, family, seed = key.split("/")
        assert verb in (*gallery.VERBS, "read")
        assert family in (*gallery.FAMILIES, "written", "performed")
        assert int(seed) > 0
        assert len(said["notes"]) == 8
        assert said["says"].endswith(".")
