"""Written music through the whole program: mixed folders, books of tunes, read, write and read again."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from partimento import cli, conversion, data, formats, output, verbs
from partimento.errors import PartimentoError
from partimento.formats import musicxml_read, musicxml_write
from partimento.score import Score
from partimento.testing import song

KERN = "**kern\n*M4/4\n*k[]\n=1-\n4c\n4d\n4e\n4f\n=2\n1g\n==\n*-\n"
BOOK = "".join(f"X:{n}\nT:Tune {n}\nM:4/4\nL:1/4\nK:C\n|:{notes}|C4:|\n\n"
               for n, notes in enumerate(("CDEF", "EFGA", "GABc"), 1))


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder with a piece in each kind of file, and one of each that is broken."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for number, suffix in enumerate((".mid", ".musicxml", ".mxl")):
        formats.write(song(number), folder / f"song{number}{suffix}")
    (folder / "a.krn").write_text(KERN, encoding="utf-8")
    (folder / "book.abc").write_text(BOOK, encoding="utf-8")
    for name in ("broken.mid", "broken.mxl", "broken.krn", "broken.musicxml", "broken.mscz"):
        (folder / name).write_bytes(b"nothing of the kind")
    return folder


def test_training_says_what_came_of_each_kind(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", str(mixed), "-o", str(mixed.parent / "m.partimento")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("7 used, 0 repaired, 5 skipped")
    assert [line.split(";")[0].strip() for line in said if line.startswith("  ")][:5] == [
        "abc: 3 used, 0 repaired, 0 skipped", "kern: 1 used, 0 repaired, 1 skipped",
        "midi: 1 used, 0 repaired, 1 skipped", "musescore: 0 used, 0 repaired, 1 skipped",
        "musicxml: 2 used, 0 repaired, 2 skipped"]


def test_every_tune_of_a_book_is_a_piece(mixed: Path) -> None:
    corpus = data.load(mixed, workers=0)
    tunes = [entry for entry in corpus.entries if "book" in entry.file]
    assert [entry.file for entry in tunes] == ["book.abc#1", "book.abc#2", "book.abc#3"]
    assert len({entry.sha256 for entry in tunes}) == 3
    assert len({entry.piece for entry in tunes}) == 3
    assert data.load(mixed, workers=2).entries == corpus.entries


def test_a_tune_of_a_book_by_its_number(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert formats.read(f"{mixed}/book.abc#2").pitch.tolist() == [64, 65, 67, 69, 60]
    out = mixed.parent / "c.mid"
    assert cli.main(["continue", f"{mixed}/book.abc#3", "--bars", "1", "--model", "random", "-o", str(out)]) == 0
    assert cli.main(["inspect", f"{mixed}/book.abc#9"]) == 1
    assert "a book of 3 tunes must be asked for one of them; got number 9" in capsys.readouterr().err


@pytest.mark.parametrize("workers", [0, 2])
def test_a_folder_is_converted_by_one_or_several(mixed: Path, workers: int) -> None:
    out = mixed.parent / "out"
    done = conversion.convert(mixed, out, format="mxl", workers=workers)
    assert sorted(path.name for path in done.written) == [
        "a.mxl", "book-1.mxl", "book-2.mxl", "book-3.mxl", "song0.mxl", "song1.mxl", "song2.mxl"]
    assert len(done.skipped) == 5
    assert formats.read(out / "book-2.mxl").pitch.tolist() == [64, 65, 67, 69, 60]
    with pytest.raises(PartimentoError, match=r"a book of 3 tunes .*book\.abc#1"):
        conversion.convert(mixed / "book.abc", out / "one.mid")


def test_repeats_are_played_in_midi_and_stay_signs_on_the_page(mixed: Path) -> None:
    tune = f"{mixed}/book.abc#1"
    for suffix, pitches in ((".mid", [60, 62, 64, 65, 60] * 2), (".musicxml", [60, 62, 64, 65, 60]),
                            (".abc", [60, 62, 64, 65, 60])):
        conversion.convert(tune, mixed / f"x{suffix}")
        assert formats.read(mixed / f"x{suffix}").pitch.tolist() == pitches


def test_what_is_composed_to_a_page_keeps_the_page(tmp_path: Path) -> None:
    page = formats.keep(song(3), ".musicxml")
    formats.write(page, tmp_path / "a.musicxml")
    (result,) = verbs.harmonize(tmp_path / "a.musicxml", model="random", tracks="cello", seed=1)
    old = result.score.track < len(page.tracks)
    assert np.array_equal(result.score.select(old).notes(), page.notes())
    assert np.array_equal(result.score.voice[old], page.voice)
    assert np.array_equal(result.score.spelling[old], page.spelling)
    (path,) = output.write([result], tmp_path / "b.musicxml")
    assert output.compare(path, verbs.replay(path)) == output.SAME_BYTES


# --- real music -----------------------------------------------------------------------------------------------


def same_music(first: Score, second: Score) -> bool:
    """Whether every note and every bar is in both."""
    return np.array_equal(first.notes()[:, [0, 1, 2, 4]], second.notes()[:, [0, 1, 2, 4]]) and \
        np.array_equal(first.bar_starts, second.bar_starts)


def sample(folder: Path, pattern: str, count: int) -> list[Path]:
    found = sorted(folder.rglob(pattern))
    return random.Random(1).sample(found, min(count, len(found)))


def check_mxl(path: Path) -> None:
    first = formats.read(path)
    second = musicxml_read.parse(musicxml_write.dumps(first)).score
    assert same_music(first, second), path
    assert second == formats.keep(first, ".musicxml"), path


def check_abc(path: str) -> None:
    first = formats.read(path)
    second = formats.parse(formats.to_bytes(first, ".abc"), ".abc").score
    assert same_music(first, second), path
    assert second == formats.keep(first, ".abc"), path


@pytest.mark.parametrize("name", ["openscore_lieder", "openewld"])
def test_pages_keep_every_note_and_bar(music: Callable[[str], Path], name: str) -> None:
    for path in sample(music(name), "*.mxl", 5):
        check_mxl(path)


@pytest.mark.parametrize("name", ["open_hymnal", "nottingham"])
def test_tunes_keep_every_note_and_bar(music: Callable[[str], Path], name: str) -> None:
    for path in sample(music(name), "*.abc", 5):
        check_abc(formats.tunes_of(path)[0])


@pytest.mark.slow
def test_a_hundred_pages_keep_every_note_and_bar(music: Callable[[str], Path]) -> None:
    for name, count in (("openscore_lieder", 60), ("openewld", 30), ("openscore_quartets", 7),
                        ("openscore_orchestra", 3)):
        for path in sample(music(name), "*.mxl", count):
            check_mxl(path)


@pytest.mark.slow
def test_a_hundred_tunes_keep_every_note_and_bar(music: Callable[[str], Path]) -> None:
    hymns = [formats.tunes_of(path)[0] for path in sample(music("open_hymnal"), "*.abc", 50)]
    jigs = [tune for path in sorted(music("nottingham").rglob("*.abc")) for tune in formats.tunes_of(path)]
    for path in hymns + random.Random(1).sample(jigs, 50):
        check_abc(path)
