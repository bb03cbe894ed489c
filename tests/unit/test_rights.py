"""Rights sheets, opt-out lists and near duplicates: what is left out, why, and what is said."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from test_archive import zipped
from test_data import midi

from partimento import checkpoint, cli, formats
from partimento.data import ledger, load, near, rights
from partimento.errors import PartimentoError, ReadError, RequestError
from partimento.score import Meter, Score
from partimento.training import train


def tune(seed: int, notes: int = 64) -> Score:
    """A melody of its own for every seed, long enough to be known again."""
    rng = np.random.default_rng(seed)
    length = rng.choice([240, 480, 480, 720, 960], notes)
    pitch = np.clip(np.cumsum(rng.integers(-5, 6, notes)) + 66, 48, 90)
    return Score(onset=np.cumsum(length) - length, duration=length, pitch=pitch, velocity=[80] * notes,
                 track=[0] * notes)


def engraved_otherwise(score: Score, up: int = 3) -> Score:
    """The same melody in another key, clock, meter and loudness, with a bass below."""
    bass = range(0, score.end, 1920)
    columns = {"onset": bass, "duration": [960] * len(bass), "pitch": [40] * len(bass), "velocity": [50] * len(bass),
               "track": [0] * len(bass)}
    both = {name: np.concatenate([getattr(score, name) + (up if name == "pitch" else 0), list(columns[name])])
            for name in columns}
    return Score(**{**both, "velocity": both["velocity"] - 20}, meters=(Meter(0, 3, 4),))


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Eight tunes under a CC0 licence; `t0` twice in other engravings, `t1` in three takes."""
    root = tmp_path / "songs"
    (root / "versions").mkdir(parents=True)
    (root / "LICENSE").write_text("CC0 1.0 Universal", "utf-8")
    for seed in range(8):
        formats.write(tune(seed), root / f"t{seed}.mid")
    formats.write(engraved_otherwise(tune(0)), root / "copy-of-t0.mid")
    formats.write(engraved_otherwise(tune(0), -4), root / "x.musicxml")
    for take in (1, 2):
        formats.write(engraved_otherwise(tune(1), take), root / "versions" / f"t1-v{take}.mid")
    return root


def why(root: Path, **given: object) -> dict[str, str]:
    corpus = load(root, workers=0, **given)             # type: ignore[arg-type]
    return {entry.file: entry.why for entry in corpus.entries if entry.why}


# --- near duplicates ----------------------------------------------------------------------------------------------

def test_of_near_duplicates_the_longest_is_used(songs: Path) -> None:
    corpus = load(songs, workers=0)
    left_out = {entry.file: entry.detail for entry in corpus.entries if entry.why == "near"}
    assert set(left_out) == {"t0.mid", "x.musicxml"}
    assert left_out["t0.mid"].startswith("the same melody as copy-of-t0.mid (")
    assert "2 near duplicates" in corpus.summary()
    assert corpus.skipped()[0].startswith("t0.mid: near duplicate — the same melody as")
    assert {(pair.first, pair.second) for pair in corpus.alike} >= {("copy-of-t0.mid", "t0.mid"),
                                                                    ("t1.mid", "versions/t1-v1.mid")}


def test_what_becomes_of_takes_may_be_said(songs: Path) -> None:
    assert why(songs, near="one").keys() == {"t0.mid", "x.musicxml", "t1.mid", "versions/t1-v2.mid"}
    assert not why(songs, near="keep")
    assert not why(songs, near="ignore")
    assert not load(songs, workers=0, near="ignore").alike
    with pytest.raises(RequestError, match="did you mean 'keep'"):
        load(songs, near="kep")


@pytest.mark.parametrize("seed", range(6))
def test_near_duplicates_are_never_on_both_sides(songs: Path, seed: int) -> None:
    corpus = load(songs, workers=0, near="keep", valid_share=0.4, seed=seed)
    side = {entry.file: entry.used for entry in corpus.entries}
    assert len({side[file] for file in ("t0.mid", "copy-of-t0.mid", "x.musicxml")}) == 1
    assert len({side[file] for file in ("t1.mid", "versions/t1-v1.mid", "versions/t1-v2.mid")}) == 1
    assert set(side.values()) == {"train", "valid"}


def test_the_rule_is_greedy_and_named() -> None:
    rows = [ledger.Entry(file=name, sha256=name, notes=notes) for name, notes in (("a", 5), ("b", 9), ("c", 7))]
    pairs = [near.Pair("a", "b", 0.9), near.Pair("a", "c", 0.8)]        # b and c are like a, not like each other
    kept = near.without_near(rows, pairs, {name: name for name in "abc"})
    assert [(row.file, row.detail) for row in kept if row.why] == [("a", "the same melody as b (90%)")]
    assert near.joined_pieces({"a": "1", "b": "2", "c": "3"}, pairs) == {"a": "1", "b": "1", "c": "1"}


def test_one_file_a_thousand_times(tmp_path: Path) -> None:
    for i in range(1000):
        (tmp_path / f"{i:03}.mid").write_bytes(midi(60, 62, 64, 65, 67))
    corpus = load(tmp_path, workers=0)
    assert corpus.counts == {"used": 1, "repaired": 0, "skipped": 999}
    assert "999 exact duplicates" in corpus.summary()
    assert "too few pieces to keep one back" in corpus.summary()


def test_the_shell_names_duplicates(songs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (songs / "t7 (1).mid").write_bytes((songs / "t7.mid").read_bytes())
    assert cli.main(["data", "duplicates", str(songs), "--quiet"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "t7.mid: the same bytes as t7 (1).mid"
    assert any(line.startswith("x.musicxml: the same melody as copy-of-t0.mid (") for line in said)
    assert cli.main(["data", "duplicates", str(songs), "--quiet", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == len(said)
    assert rows[0] == {"first": "t7 (1).mid", "second": "t7.mid", "share": 1.0, "exact": True}


# --- opt-out ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("line", ["t0.mid", "T0", "./t0.mid", '"t0.mid"', "{sha}", "{SHA}", "{path}"])
def test_what_is_listed_goes_with_its_melody(songs: Path, tmp_path: Path, line: str) -> None:
    elsewhere = tmp_path / "elsewhere.mid"
    formats.write(tune(0), elsewhere)
    digest = hashlib.sha256((songs / "t0.mid").read_bytes()).hexdigest()
    listed = tmp_path / "list.txt"
    listed.write_text("# not these\n\n" + line.format(sha=digest, SHA=digest.upper(), path="elsewhere.mid") +
                      "\nsomething-else.mid\n", "utf-8")
    corpus = load(songs, workers=0, opt_out=listed)
    out = {entry.file: entry.detail for entry in corpus.entries if entry.why == "opted out"}
    assert set(out) == {"t0.mid", "copy-of-t0.mid", "x.musicxml"}
    assert all(detail.startswith("the same melody as ") for file, detail in out.items() if file != "t0.mid")
    assert "3 opted out" in corpus.summary()
    assert "opt-out: 3 files left out; " in corpus.summary()


@pytest.mark.parametrize("kind", ["file", "folder", "zip"])
def test_music_itself_may_be_the_list(songs: Path, tmp_path: Path, kind: str) -> None:
    place = tmp_path / {"file": "mine.mid", "folder": "mine", "zip": "mine.zip"}[kind]
    if kind == "folder":
        place.mkdir()
    formats.write(engraved_otherwise(tune(5), 7), place / "a.mid" if kind == "folder" else tmp_path / "mine.mid")
    if kind == "zip":
        place.write_bytes(zipped({"a.mid": (tmp_path / "mine.mid").read_bytes()}))
    corpus = load(songs, workers=0, opt_out=place)
    assert [(entry.file, entry.detail) for entry in corpus.entries if entry.why == "opted out"] == [
        ("t5.mid", f"the same melody as {'mine.mid' if kind == 'file' else 'a.mid'}")]


def test_exact_copies_of_what_is_opted_out_go_too(tmp_path: Path) -> None:
    for name in ("a.mid", "b.mid"):
        (tmp_path / name).write_bytes(midi(60, 62))
    (tmp_path / "c.mid").write_bytes(midi(60, 62, name="other words"))
    (tmp_path / "d.mid").write_bytes(midi(70, 72))
    (tmp_path / "list").write_text("b.mid", "utf-8")
    corpus = load(tmp_path, workers=0, opt_out=tmp_path / "list")
    assert [entry.file for entry in corpus.entries if entry.why == "opted out"] == ["a.mid", "b.mid", "c.mid"]


def test_what_cannot_be_read_of_the_list_is_told(songs: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    formats.write(tune(5), mine / "a.mid")
    (mine / "b.mid").write_bytes(b"noise")
    (notice,) = load(songs, workers=0, opt_out=mine).notices
    assert notice.startswith("opt-out: 1 file left out; of 1 listed nothing but exact copies is known, for they cannot "
                             "be read (b.mid: ")


@pytest.mark.parametrize(("name", "data", "words"), [
    ("x.txt", b"", "is empty"), ("x.txt", b"\n# only words\n", "is empty"), ("x.txt", b"\xff\xfe\0\1", "neither"),
    ("x.txt", b"<html>\n</html>", "neither"), ("x.json", b'{"a": 1}', "neither"), ("x.txt", b"a" * 2000, "neither"),
    ("x.txt", b"Dear Sir or Madam,\nplease leave out my songs.\n", "in none of its 2 lines"),
    ("x.mid", b"", "none can"), ("x.mid", b"noise", "none can"), ("x.zip", zipped({"a.txt": b""}), "there is none"),
    ("absent.txt", None, "cannot be")])
def test_an_opt_out_list_that_is_none(songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str,
                                      data: bytes | None, words: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    assert cli.main(["train", str(songs), "--opt-out", str(tmp_path / name), "-o", str(tmp_path / "m.partimento"),
                     "--quiet"]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "m.partimento").exists()


# --- rights sheets ------------------------------------------------------------------------------------------------

def sheet(root: Path, change: Callable[[list[dict[str, str]]], None] = lambda rows: None) -> Path:
    """The rights sheet of a folder, written beside it, its rows changed."""
    place = root.with_name("songs.rights.csv")
    load(root, workers=0).write_rights(place)
    rows = list(csv.DictReader(io.StringIO(place.read_text("utf-8"))))
    change(rows)
    text = io.StringIO()
    table = csv.DictWriter(text, rights.SHEET_COLUMNS)
    table.writeheader()
    table.writerows(rows)
    place.write_text(text.getvalue(), "utf-8")
    return place


def row_of(rows: list[dict[str, str]], file: str) -> dict[str, str]:
    return next(row for row in rows if row["file"] == file)


def test_a_sheet_goes_out_and_in(songs: Path) -> None:
    before = load(songs, workers=0)
    place = sheet(songs)
    rows = {row["file"]: row for row in csv.DictReader(io.StringIO(place.read_text("utf-8")))}
    assert rows["t2.mid"] == {"file": "t2.mid", "source": "songs", "licence": "CC0 1.0", "used": "train", "why": "",
                              "sha256": hashlib.sha256((songs / "t2.mid").read_bytes()).hexdigest()}
    assert rows["t0.mid"]["used"] == "no"
    assert rows["t0.mid"]["why"].startswith("near duplicate: the same melody as copy-of-t0.mid")
    again = load(songs, workers=0)                          # found beside the folder
    assert again.entries == before.entries
    assert again.notices == ()


def test_a_sheet_rules_licences_and_sources(songs: Path) -> None:
    def change(rows: list[dict[str, str]]) -> None:
        row_of(rows, "t2.mid").update(licence="CC BY 4.0", source="a friend")
        row_of(rows, "t3.mid").update(licence="cc0")        # the same, spelt otherwise
        row_of(rows, "t4.mid").update(licence="")           # says nothing

    place = sheet(songs, change)
    for given in ({}, {"rights_sheet": place}):
        corpus = load(songs, workers=0, **given)            # type: ignore[arg-type]
        entry = next(entry for entry in corpus.entries if entry.file == "t2.mid")
        assert (entry.licence, entry.source) == ("CC BY 4.0", "a friend")
        assert corpus.licences == {"CC0 1.0": 8, "CC BY 4.0": 1, "cc0": 1}
        assert corpus.notices == ("songs.rights.csv: it says CC BY 4.0 for 1 file where the folder says CC0 1.0: the "
                                  "sheet holds",)
    assert set(load(songs, workers=0, licence="mine").licences) == {"mine"}


def test_nothing_is_used_that_the_sheet_contradicts(songs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def change(rows: list[dict[str, str]]) -> None:
        row_of(rows, "t2.mid")["sha256"] = "0" * 64
        rows.remove(row_of(rows, "t3.mid"))
        row_of(rows, "t4.mid").update(used="no", why="the composer asked")
        rows.append({**row_of(rows, "t5.mid"), "licence": "all rights reserved"})
        rows.append({**row_of(rows, "t6.mid"), "file": "gone.mid"})
        rows.append(dict(row_of(rows, "t6.mid")))           # twice the same is no contradiction

    sheet(songs, change)
    corpus = load(songs, workers=0)
    out = {entry.file: entry.detail for entry in corpus.entries if entry.why == "rights"}
    digest = hashlib.sha256((songs / "t2.mid").read_bytes()).hexdigest()
    assert out == {"t2.mid": f"it says sha256 000000000000…, the file has {digest[:12]}…", "t3.mid": "no row names it",
                   "t4.mid": "the composer asked", "t5.mid": "two rows disagree"}
    assert [notice.removeprefix("songs.rights.csv: ") for notice in corpus.notices] == [
        "1 left out, for the sha256 is not that of the file (t2.mid)",
        "1 left out, for no row names them (t3.mid): partimento data rights writes a new sheet",
        "1 left out, as it says (t4.mid)", "1 left out, for two rows disagree (t5.mid)",
        "1 of its files is not here (gone.mid)"]
    assert "4 left out by the rights sheet" in corpus.summary()
    assert cli.main(["inspect", str(songs), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "t4.mid is left out by the rights sheet (the composer asked)" in said
    assert all(notice in said for notice in corpus.notices)


def test_a_new_sheet_mends_what_contradicted_and_keeps_what_was_said(songs: Path) -> None:
    def change(rows: list[dict[str, str]]) -> None:
        row_of(rows, "t2.mid")["sha256"] = "0" * 64
        rows.remove(row_of(rows, "t3.mid"))
        row_of(rows, "t4.mid").update(used="no", why="the composer asked")
        row_of(rows, "t5.mid").update(licence="CC BY 4.0")

    place = sheet(songs, change)
    load(songs, workers=0).write_rights(place)
    corpus = load(songs, workers=0)
    assert {entry.file: entry.detail for entry in corpus.entries if entry.why == "rights"} == {
        "t4.mid": "the composer asked"}
    assert corpus.licences["CC BY 4.0"] == 1


def test_a_sheet_of_other_music_leaves_nothing(songs: Path, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("file;licence\nother.mid;CC0\n", "utf-8")
    with pytest.raises(ReadError, match=r"12 left out by the rights sheet"):
        load(songs, workers=0, rights_sheet=tmp_path / "s.csv")


@pytest.mark.parametrize("data", [b"", b"\0\1\2", b"name,licence\na.mid,CC0\n", b"file\na.mid\n", b"<html></html>"])
def test_a_sheet_that_is_none(songs: Path, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "s.csv").write_bytes(data)
    for place in (tmp_path / "s.csv", tmp_path / "absent.csv", tmp_path):
        with pytest.raises(PartimentoError, match="a rights sheet must be") as caught:
            load(songs, rights_sheet=place)
        assert "\n" not in str(caught.value)


def test_a_row_of_a_book_holds_for_its_tunes(tmp_path: Path) -> None:
    (tmp_path / "book.abc").write_text("X:1\nK:C\nCDEF|\n\nX:2\nK:C\nGABc|\n", "utf-8")
    (tmp_path / "rights.csv").write_text("file,licence,sha256\nbook.abc,PD,12\n", "utf-8")
    assert load(tmp_path, workers=0).licences == {"PD": 2}


def test_a_sheet_beside_an_archive(tmp_path: Path) -> None:
    (tmp_path / "songs.zip").write_bytes(zipped({"x/a.mid": midi(60, 62), "x/b.mid": midi(70, 61)}))
    (tmp_path / "songs.rights.csv").write_text("file,licence\na.mid,PD\nb.mid,MIT\n", "utf-8")
    assert load(tmp_path / "songs.zip", workers=0).licences == {"PD": 1, "MIT": 1}


@pytest.mark.parametrize(("one", "other", "alike"), [
    ("CC BY 4.0", "cc-by", True), ("CC BY 4.0", "CC-BY-3.0", False), ("PD", "public domain", True),
    ("CC0", "CC0 1.0", True), ("GPL-3.0", "GPL-2.0", False), ("MIT", "BSD-3-Clause", False),
    ("CC BY", "CC BY-SA", False)])
def test_names_of_one_licence(one: str, other: str, alike: bool) -> None:
    assert rights._alike(one, other) is rights._alike(other, one) is alike


def test_the_shell_writes_a_sheet(songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "rights", str(songs), "--quiet"]) == 0
    place = songs.with_name("songs.rights.csv")
    assert capsys.readouterr().out.splitlines() == [str(place.resolve())]
    assert len(rights.read(place).rows) == 12
    assert cli.main(["data", "rights", str(songs), "-o", str(tmp_path / "my.csv"), "--keep-duplicates", "--licence",
                     "mine", "--json"]) == 0
    rows = rights.read(tmp_path / "my.csv").rows
    assert {row.licence for row in rows.values()} == {"mine"}
    assert {row.used for row in rows.values()} == {"train", "valid"}


# --- private use --------------------------------------------------------------------------------------------------

def test_a_checkpoint_of_music_without_a_licence_says_so(songs: Path, tmp_path: Path,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    (songs / "LICENSE").unlink()
    (tmp_path / "list").write_text("t7.mid", "utf-8")
    target = tmp_path / "m.partimento"
    assert cli.main(["train", str(songs), "--model", "random", "-o", str(target), "--opt-out",
                     str(tmp_path / "list"), "--one-take"]) == 0
    assert "private: 7 files with no stated licence" in capsys.readouterr().out
    record = checkpoint.about_checkpoint(target)["record"]
    assert (record["rights"], record["near"], record["opted out"]) == ("private: 7 files with no stated licence", 4, 1)
    assert cli.main(["inspect", str(target)]) == 0
    assert "rights: private: 7 files with no stated licence" in capsys.readouterr().out
    assert {row.why for row in checkpoint.load(target).ledger()} == {"", "near", "opted out"}
    onwards = train(songs, licence="CC0", near="ignore", start=target, out=tmp_path / "n.partimento")
    assert checkpoint.about_checkpoint(tmp_path / "n.partimento")["record"].get("rights") is None
    assert onwards.corpus is not None
    other = tmp_path / "other"
    other.mkdir()
    formats.write(tune(99), other / "z.mid")
    train(other, licence="CC0", start=target, out=tmp_path / "o.partimento")
    assert checkpoint.about_checkpoint(tmp_path / "o.partimento")["record"]["rights"] == \
        "private: 7 files with no stated licence"


def test_chopin_editions_stay_together(music: Callable[[str], Path], tmp_path: Path) -> None:
    for place in music("chopin_first_editions").glob("00[1-4]*.krn"):
        (tmp_path / place.name).write_bytes(place.read_bytes())
    corpus = load(tmp_path, near="keep", valid_share=0.5)
    side = {entry.file: entry.used for entry in corpus.entries}
    assert len(corpus.alike) >= 5
    assert all(side[pair.first] == side[pair.second] for pair in corpus.alike)
