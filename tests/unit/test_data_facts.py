"""What is said beside the music, which files are one piece, the split, the ledger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_data import midi

from partimento.data import about, ledger, load, split
from partimento.data.ledger import Entry
from partimento.errors import ReadError, RequestError, WriteError

FILES = ["pd/x.mid", "CC-BY/y.mid", "own/z.mid", "own/deep/w.mid"]


def test_licences_in_order(tmp_path: Path) -> None:
    (tmp_path / "own" / "deep").mkdir(parents=True)
    (tmp_path / "LICENSE.txt").write_text("The MIT License\nPermission is hereby granted, free of charge", "utf-8")
    (tmp_path / "own" / "COPYING").write_text("strange terms", "utf-8")
    found = about.facts_about(tmp_path, FILES)
    assert [found[file].licence for file in FILES] == ["pd", "CC-BY", "see own/COPYING", "see own/COPYING"]
    assert {fact.licence for fact in about.facts_about(tmp_path, FILES, "mine").values()} == {"mine"}
    assert about.facts_about(tmp_path, ["top.mid"])["top.mid"].licence == "MIT"


def test_nothing_said_is_said_so(tmp_path: Path) -> None:
    assert about.facts_about(tmp_path, ["a.mid"])["a.mid"].licence == "not stated"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_names_files_and_licences(tmp_path: Path, delimiter: str) -> None:
    rows = [["split", "Midi_File", "License", "genre", "source"], ["train", "pd/x", "PD", "jazz", "x/x.ly"],
            ["test", "./own/z.mid", "CC0", "", "x/x.ly"], ["test", "gone.mid", "CC0", "", ""]]
    (tmp_path / "meta.csv").write_text("".join(delimiter.join(row) + "\n" for row in rows), "utf-8-sig")
    found = about.facts_about(tmp_path, FILES)
    assert found["pd/x.mid"] == about.Facts("PD", "x/x.ly", "jazz", "x/x.ly")
    assert found["own/z.mid"] == about.Facts("CC0", "x/x.ly", "", "x/x.ly")
    assert found["CC-BY/y.mid"] == about.Facts("CC-BY", tmp_path.name, "", "")


@pytest.mark.parametrize(("text", "name"), [
    ("Creative Commons Attribution 4.0 International License", "CC BY 4.0"),
    ("Creative Commons Attribution-ShareAlike 3.0 Generic", "CC BY-SA 3.0"),
    ("GNU GENERAL PUBLIC LICENSE\n   Version 3", "GPL-3.0"), ("CC0 1.0 Universal", "CC0 1.0"),
    ("License: https://creativecommons.org/licenses/by-nc-sa/4.0\nYou are free to", "CC BY-NC-SA 4.0"),
    ("Creative Commons Attribution, creativecommons.org/licenses/by/2.5/", "CC BY 2.5"),
    ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0 1.0"),
    ("creativecommons.org/publicdomain/mark/1.0", "public domain"),
    ("all rights reserved", None), ("", None)])
def test_licences_by_their_text(text: str, name: str | None) -> None:
    assert about.name_licence(text) == name


@pytest.mark.parametrize("data", [b"", b"\0\0\0", b"file\n", b'"open', b"file,licence\n" + b"x" * 200_000])
def test_odd_tables_do_no_harm(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "index.csv").write_bytes(data)
    assert about.facts_about(tmp_path, ["a.mid"])["a.mid"].licence == "not stated"


@pytest.mark.parametrize(("first", "second"), [
    ("001/001.mid", "001/versions/001-v3.mid"), ("MIDI/jigs1.mid", "MIDI/chords/jigs1.mid"), ("a-let.mid", "a-a4.mid"),
    ("song.mid", "song (2).mid"), ("x/suite_part1.mid", "x/suite_part12.mid"), ("t take 1.mid", "t take 2.mid")])
def test_one_piece_in_two_files(first: str, second: str) -> None:
    assert split.piece_of(first) == split.piece_of(second)


@pytest.mark.parametrize(("first", "second"), [
    ("song-1.mid", "song-2.mid"), ("a/01.mid", "b/01.mid"), ("-v2.mid", "-v3.mid"), ("jigs1.mid", "jigs11.mid")])
def test_two_pieces_in_two_files(first: str, second: str) -> None:
    assert split.piece_of(first) != split.piece_of(second)


def test_grouping_can_be_said() -> None:
    files = ["a/1.mid", "a/1-v2.mid", "b/2.mid"]
    assert len(set(split.pieces(files, {}).values())) == 2
    assert len(set(split.pieces(files, {}, "file").values())) == 3
    assert split.pieces(files, {}, "folder") == {"a/1.mid": "a", "a/1-v2.mid": "a", "b/2.mid": "b"}
    assert set(split.pieces(files, {}, lambda file: file[-1]).values()) == {"d"}
    assert split.pieces(files, {"b/2.mid": "a/1"})["b/2.mid"] == "a/1"
    with pytest.raises(RequestError, match="group must be one of"):
        split.pieces(files, {}, "album")


@given(st.sets(st.text(min_size=1), max_size=60), st.floats(0, 0.99), st.integers(0, 99))
def test_the_split_is_seeded_and_never_takes_all(names: set[str], share: float, seed: int) -> None:
    kept = split.choose(names, share, seed)
    assert kept == split.choose(sorted(names), share, seed)
    assert kept <= names
    assert not names or len(kept) < len(names)
    assert abs(len(kept) - share * len(names)) <= 1


def test_a_piece_keeps_its_rank_when_others_come() -> None:
    few, more = (split.choose(map(str, range(n)), 0.2, 3) for n in (100, 110))
    assert len(few & more) >= len(few) - 2
    assert split.choose(map(str, range(100)), 0.2, 4) != few


@pytest.mark.parametrize("share", [-0.1, 1.0, 2.0, float("nan")])
def test_the_share_has_bounds(share: float) -> None:
    with pytest.raises(RequestError, match="valid_share"):
        split.choose("abc", share, 0)


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    for i in range(20):
        for take in ("", "-v2"):
            (tmp_path / f"s{i}{take}.mid").write_bytes(midi(40 + i, 60 + len(take), 41 + i))
    return tmp_path


def test_the_split_is_by_piece_and_can_be_given_back(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    corpus = load(songs, seed=5, valid_share=0.25, workers=0)
    assert (len(corpus.train), len(corpus.valid)) == (30, 10)
    assert not {e.piece for e in corpus.train.entries} & {e.piece for e in corpus.valid.entries}
    out = tmp_path_factory.mktemp("out") / "split.json"
    corpus.write_split(out)
    again = load(songs, seed=6, given_split=out, workers=0)
    assert again.train.entries == corpus.train.entries
    assert again.valid.entries == corpus.valid.entries
    assert load(songs, seed=6, workers=0).valid.entries != corpus.valid.entries
    assert json.loads(out.read_text("utf-8"))["fingerprint"] == corpus.fingerprint


def test_a_given_split_may_hold_out(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("out") / "split.json"
    out.write_text('{"train": ["s1", "s2.mid"], "validation": ["s3"], "test": ["s4"]}', "utf-8")
    corpus = load(songs, given_split=out, workers=0)
    assert [entry.file for entry in corpus.train.entries] == ["s1.mid", "s2.mid"]
    assert [entry.file for entry in corpus.valid.entries] == ["s3.mid"]
    assert corpus.reasons() == "37 held out by the split given"
    for text in ("{}", "[1]", "x", '{"train": 3}', '{"train": [[1]]}'):
        out.write_text(text, "utf-8")
        with pytest.raises(ReadError, match="a split must"):
            load(songs, given_split=out, workers=0)


# --- the ledger -----------------------------------------------------------------------------------------------

def test_the_ledger_goes_out_and_in(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (songs / "bad.mid").write_bytes(b"")
    corpus = load(songs, licence="mine", source="my own", workers=0)
    out = tmp_path_factory.mktemp("out") / "deep" / "ledger.jsonl"
    corpus.write_ledger(out)
    head, rows = ledger.read(out)
    assert rows == list(corpus.entries)
    assert head == {"partimento_ledger": 1, "fingerprint": corpus.fingerprint, "used": 40, "repaired": 0, "skipped": 1,
                    "seed": 0, "valid_share": 0.1}
    assert {(row.licence, row.source) for row in rows} == {("mine", "my own")}
    assert [path.name for path in out.parent.iterdir()] == ["ledger.jsonl"]


def test_the_fingerprint_is_of_the_files_alone(songs: Path) -> None:
    before = load(songs, workers=0).fingerprint
    (songs / "s1.mid").rename(songs / "zz.mid")
    assert load(songs, seed=9, workers=0).fingerprint == before
    (songs / "zz.mid").write_bytes(midi(1, 2, 3))
    assert load(songs, workers=0).fingerprint != before


@pytest.mark.parametrize("text", [
    "", "\n", "x", "[]", '{"a": 1}', '{"partimento_ledger": 99}', '{"partimento_ledger": "x"}',
    '{"partimento_ledger": 1}\n[]', '{"partimento_ledger": 1}\n{"used": "no"}', '{"partimento_ledger": 1}\n7'])
def test_a_wrong_ledger_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "l.jsonl").write_text(text, "utf-8")
    with pytest.raises(ReadError, match="a ledger must"):
        ledger.read(tmp_path / "l.jsonl")
    with pytest.raises(ReadError, match="the ledger must"):
        ledger.read(tmp_path / "absent.jsonl")


def test_a_newer_ledger_may_say_more(tmp_path: Path) -> None:
    head, rows = ledger.from_text('{"partimento_ledger": 1, "new": 2}\n{"file": "a", "later": 3}')
    assert (head["new"], rows) == (2, [Entry(file="a")])


def test_a_ledger_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(WriteError, match="cannot be made"):
        ledger.write([Entry(file="a")], tmp_path / "file" / "ledger.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
