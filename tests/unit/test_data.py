"""A folder of music read whole: what is used, repaired or skipped, and why."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from partimento import workers
from partimento.data import load, pool
from partimento.data.files import find
from partimento.data.reading import music_hash, read_one
from partimento.errors import ReadError, RequestError
from partimento.models.base import Progress
from partimento.score import Score

SRC = Path(__file__).resolve().parents[2] / "src"


def midi(*pitches: int, name: str = "", velocity: int = 80, closed: bool = True) -> bytes:
    """A MIDI file of quarter notes one after another; `closed` False leaves the last one without its end."""
    track = b"\x00\xff\x03" + bytes([len(name)]) + name.encode()
    for i, pitch in enumerate(pitches):
        track += bytes([0, 0x90, pitch, velocity])
        if closed or i < len(pitches) - 1:
            track += bytes([96, 0x80, pitch, 0])
    track += b"\x60\xff\x2f\x00"
    return b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk" + len(track).to_bytes(4, "big") + track


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven good files, three of them one piece, and one of each kind that cannot be used."""
    root = tmp_path / "songs"
    for name, data in {
        "a/one.mid": midi(60, 62, 64), "a/versions/one-v2.mid": midi(60, 62, 65), "a/one (1).mid": midi(60, 62, 66),
        "b/two.mid": midi(70, 71), "b/three.MID": midi(72, 74, 76), "four.midi": midi(40, 41), "five.mid": midi(50, 52),
        "copy.mid": midi(70, 71), "renamed.mid": midi(40, 41, name="other title"), "empty.mid": b"",
        "page.mid": b"\n<!DOCTYPE html><html><body>404</body></html>", "noise.mid": bytes(range(1, 200)),
        "silent.mid": midi(), "songs.zip": b"PK\3\4....", "hidden.mid": b"PK\3\4 a zip by content",
        "noname": midi(60), ".secret.mid": midi(61), "__MACOSX/five.mid": b"\0", "LICENSE": b"MIT License",
        "notes.txt": b"words",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def test_everything_is_reported(folder: Path) -> None:
    corpus = load(folder, workers=0)
    why = {entry.file: entry.why for entry in corpus.entries}
    assert why == {
        "a/one.mid": "", "a/versions/one-v2.mid": "", "a/one (1).mid": "", "b/two.mid": "", "b/three.MID": "",
        "copy.mid": "duplicate", "five.mid": "", "four.midi": "", "empty.mid": "empty", "page.mid": "html",
        "noise.mid": "not midi", "silent.mid": "no notes", "songs.zip": "zip", "hidden.mid": "zip",
        "noname": "unnamed", "renamed.mid": "duplicate"}
    assert corpus.counts == {"used": 7, "repaired": 0, "skipped": 9}
    assert corpus.summary().startswith("7 used, 0 repaired, 9 skipped (1 is an HTML page, 1 empty, 1 not MIDI, ")
    assert corpus.others == {".txt": 1, "hidden": 2, "no suffix": 1}
    assert "copy.mid: exact duplicate — the same bytes as b/two.mid" in corpus.skipped()
    assert "renamed.mid: exact duplicate — the same notes as four.midi" in corpus.skipped()
    assert [entry.file for entry in corpus.entries] == sorted(why)
    assert corpus.notes == sum(len(piece.score) for piece in (*corpus.train, *corpus.valid)) == 18
    assert corpus.licences == {"MIT": 7}


def test_repairs_are_counted(tmp_path: Path) -> None:
    (tmp_path / "open.mid").write_bytes(midi(60, 62, closed=False))
    corpus = load(tmp_path)
    assert corpus.counts == {"used": 1, "repaired": 1, "skipped": 0}
    assert sum(corpus.entries[0].repairs.values()) == 1
    assert len(corpus.train[0].score) == 2
    assert "1 repaired" in corpus.summary()
    assert "\nrepaired: " in corpus.summary()


def test_processes_give_what_one_gives(folder: Path) -> None:
    alone, many = load(folder, workers=0), load(folder, workers=2)
    assert alone.entries == many.entries
    assert [piece.score for piece in alone.train] == [piece.score for piece in many.train]
    assert alone.fingerprint == many.fingerprint


def test_pieces_may_be_gone_through_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = load(folder, workers=0)
    monkeypatch.setattr("partimento.data.shelf.Shelf.__init__.__defaults__", (5,))
    anew = load(folder, workers=0)
    assert list(held.train) == list(held.train) == list(anew.train) == list(anew.train)
    assert held.train[-1] == anew.train[-1]
    assert list(held.train[1:3]) == list(anew.train)[1:3]
    for place in folder.rglob("*.mid"):
        place.unlink()
    assert list(held.train) == list(anew.train)         # as they were when they were read


def test_change_is_applied_and_may_refuse(folder: Path) -> None:
    def up(score: Score) -> Score:
        if len(score) > 2:
            raise RequestError("only two notes, please")
        return score.replace(pitch=score.pitch + 1)

    corpus = load(folder, workers=0, change=up)
    assert corpus.reasons().endswith("4 refused")
    assert corpus.train[0].score.pitch.tolist() == [71, 72]
    assert list(load(folder, workers=2, change=up).train) == list(corpus.train)


def test_progress_and_cancel(folder: Path) -> None:
    seen: list[Progress] = []

    def report(progress: Progress) -> bool:
        seen.append(progress)
        return progress.done < 9

    corpus = load(folder, workers=0, progress=report)
    assert [p.done for p in seen] == list(range(1, 10))
    assert {(p.stage, p.total) for p in seen} == {("reading", 14)}
    assert "5 not read, stopped before" in corpus.reasons()
    assert len(corpus.train) >= 1


def test_too_many_notes(folder: Path) -> None:
    corpus = load(folder, workers=0, max_notes=2)
    assert "4 too long" in corpus.reasons()


@pytest.mark.parametrize("name", ["page.mid", "empty.mid", "noise.mid", "silent.mid", "absent.mid"])
def test_one_bad_file_is_one_sentence(folder: Path, name: str) -> None:
    with pytest.raises(ReadError) as caught:
        load(folder / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_folders_without_music(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="no other files and no music"):
        load(tmp_path)
    (tmp_path / "bad.mid").write_bytes(b"")
    (tmp_path / "bad2.mid").write_bytes(b"")
    with pytest.raises(ReadError, match=r"none of 2 files can \(2 empty\)"):
        load(tmp_path)


def test_one_song_alone(folder: Path) -> None:
    corpus = load(folder / "five.mid")
    assert (len(corpus.train), len(corpus.valid)) == (1, 0)
    assert corpus.entries[0].licence == "MIT"
    assert "too few pieces to keep one back" in corpus.summary()


def test_links_in_a_loop_end(folder: Path) -> None:
    try:
        (folder / "b" / "up").symlink_to(folder, target_is_directory=True)
        (folder / "lost.mid").symlink_to(folder / "nowhere.mid")
    except OSError:
        pytest.skip("this system makes no links without a special right")
    found = find(folder, (".mid",))
    assert len([file for file in found.files if file.endswith("two.mid")]) == 1
    assert [(file, kind) for file, kind, _ in found.refused if kind == "closed"] == [("lost.mid", "closed")]


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0,
                    reason="only where a file can be closed to its owner")
def test_closed_files_and_folders(folder: Path) -> None:
    (folder / "five.mid").chmod(0)
    (folder / "b").chmod(0)
    try:
        corpus = load(folder, workers=0)
    finally:
        (folder / "b").chmod(0o700)
    assert "2 cannot be opened" in corpus.reasons()


def test_names_that_are_not_text(tmp_path: Path) -> None:
    for name in (b"bad\xff.mid", b"esc\x1b[2J.mid", *(b"%d.mid" % i for i in range(8))):
        place = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))
        try:
            place.write_bytes(midi(*(letter % 128 for letter in name)))
        except (OSError, ValueError):
            pytest.skip("this system has only names that are text")
    (tmp_path / os.fsdecode(b"empty\xff.mid")).write_bytes(b"")
    corpus = load(tmp_path, workers=2)
    assert corpus.counts == {"used": 10, "repaired": 0, "skipped": 1}
    assert corpus.skipped() == ["empty�.mid: empty — the file has 0 bytes"]
    "\n".join([corpus.summary(), *corpus.ledger_lines()]).encode()


def test_a_very_deep_folder(tmp_path: Path) -> None:
    deep = tmp_path
    try:
        for _ in range(120):
            deep = deep / "d"
            deep.mkdir()
        (deep / "x.mid").write_bytes(midi(60))
    except OSError:
        pytest.skip("this system has no folders so deep")
    assert find(tmp_path, (".mid",)).files == ("d/" * 120 + "x.mid",)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.mid")
    assert ("pipe.mid", "closed", "not a regular file") in find(folder, (".mid",)).refused


# --- processes that die ---------------------------------------------------------------------------------------

_FAULTY = """import sys, os, time; sys.path.insert(0, sys.argv[1]); from partimento import workers
from partimento.data import pool
real = pool.read_one
def faulty(path, max_notes):
    print("chatter")
    if "abort" in os.path.basename(path): os.abort()
    if "hang" in os.path.basename(path): time.sleep(3600)
    return real(path, max_notes)
pool.read_one = faulty
workers.serve(sys.argv[2])"""


def test_a_crash_or_a_hang_takes_only_its_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_START", _FAULTY)
    names = ["four.midi", "abort.mid", "five.mid", "hang.mid", "copy.mid", "abort2.mid"]
    answers = sorted(pool.read_all([folder / name for name in names], workers=2, max_notes=100, seconds_a_file=3))
    assert [answer.file.kind for answer in answers] == ["", "crashed", "", "slow", "", "crashed"]
    assert [not answer.score for answer in answers] == [False, True, False, True, False, True]


def test_a_process_that_cannot_start_is_done_without(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_START", "raise SystemExit(1)")
    assert load(folder, workers=2).entries == load(folder, workers=0).entries


def test_closing_early_ends_the_processes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_START", _FAULTY)
    answers = pool.read_all([folder / name for name in ("five.mid", "hang.mid", "hang2.mid")], workers=3, max_notes=9)
    assert next(answers)[0] == 0
    answers.close()


def test_a_plain_script_may_call_it(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(SRC)!r})\nfrom partimento.data import load\n"
                      f"print(len(load({str(folder)!r}, workers=2).entries))\n", encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("16\n", "")


# --- identity -------------------------------------------------------------------------------------------------

def test_music_hash_knows_notes_and_not_names() -> None:
    score = Score(onset=[0, 480], duration=[480, 480], pitch=[60, 62], velocity=[80, 80], track=[0, 0])
    assert music_hash(score) == music_hash(score.replace(extras={"midi": 1}))
    assert music_hash(score) != music_hash(score.replace(pitch=score.pitch + 1))
    assert music_hash(score) != music_hash(score.replace(ticks_per_quarter=240))
    assert music_hash(score) != music_hash(score.replace(velocity=np.array([80, 81])))


def test_the_reader_says_its_file_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.mid").write_bytes(midi(60))

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("partimento.formats.read_report", broken)
    file, score = read_one(tmp_path / "x.mid")
    assert (file.kind, file.detail, score) == ("damaged", "the reader failed (ZeroDivisionError: oh)", None)


# --- real music -----------------------------------------------------------------------------------------------

def test_mutopia(music: Callable[[str], Path]) -> None:
    corpus = load(music("mutopia_midi"))
    why = Counter(entry.why for entry in corpus.entries)
    assert why[""] + why["near"] >= 1100
    assert why[""] >= 900
    assert corpus.licences["PD"] >= 500
    assert all(entry.licence != "not stated" for entry in corpus.entries)
    train, valid = ({entry.piece for entry in side.entries} for side in (corpus.train, corpus.valid))
    assert not train & valid
    arban = {entry.used for entry in corpus.entries if "Arban_first" in entry.file}
    assert len(arban - {"no"}) == 1


def test_freedoom(music: Callable[[str], Path]) -> None:
    corpus = load(music("freedoom_midi"))
    assert corpus.counts["used"] == 100
    assert corpus.licences == {"BSD-3-Clause": 100}
    assert corpus.reasons() == "1 exact duplicate"
