"""What is heard in a piece, in words and as a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from partimento import data, output
from partimento.data.hearing import hearing, hearing_text
from partimento.errors import RequestError, WriteError
from partimento.features import sections
from partimento.formats import write
from partimento.render.portrait import portrait, write_portrait
from partimento.render.roll import LIGHT
from partimento.render.scene import svg
from partimento.score import Score, Track

TONIC, DOMINANT, HOME = (60, 64, 67, 64), (62, 65, 67, 71), (60, 64, 67, 72)
OTHER, LEADING = (69, 72, 76, 72), (68, 71, 76, 74)


def song(shift: int = 0) -> Score:
    """Sixteen bars in C major: eight, eight in A minor's chords, the first eight again, with a bass."""
    rows = []
    plan = ([TONIC, DOMINANT, TONIC, DOMINANT, TONIC, DOMINANT, DOMINANT, HOME],
            [OTHER, LEADING, OTHER, LEADING, OTHER, OTHER, LEADING, OTHER])
    for part, bars in enumerate((plan[0], plan[1], plan[0])):
        for bar, notes in enumerate(bars):
            start = 1920 * (8 * part + bar)
            rows += [(start + 480 * i, 480, p + shift, 80 + 10 * (i == 0), 0) for i, p in enumerate(notes)]
            rows.append((start, 1920, {DOMINANT: 43, OTHER: 45, LEADING: 40}.get(notes, 48) + shift, 70, 1))
    return Score.from_rows(rows, tracks=(Track("flute", 73), Track("cello", 42)))


def test_the_words_are_those_of_a_musician() -> None:
    words = hearing_text(hearing(song()))
    assert words[0].startswith("key heard: C major")
    assert words[1].startswith("chords heard: | C | ")
    assert "plan: A 1–8, B 9–16, A 17–24" in words
    assert any(line.startswith("rhythm: 5 notes a bar, ") and "most notes on 1, " in line for line in words)
    assert any("mf on average" in line or "mf throughout" in line for line in words)


def test_another_key_moves_the_words_and_nothing_else() -> None:
    here, there = hearing(song()), hearing(song(2))
    assert there["key"]["name"] == "D major"
    assert there["key"]["strength"] == pytest.approx(here["key"]["strength"], abs=1e-6)
    assert there["plan"] == here["plan"]
    assert there["phrases"] == here["phrases"]
    assert there["rhythm"] == here["rhythm"]


@pytest.mark.parametrize("score", [
    Score(), Score(end=1920), Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0]),
    Score(onset=np.arange(40) * 240, duration=[0] * 40, pitch=[36, 42] * 20, velocity=[90] * 40, track=[0] * 40,
          tracks=(Track("kit", 0, True),)),
])  # fmt: skip
def test_little_music_is_heard_and_drawn(score: Score) -> None:
    assert all(line for line in hearing_text(hearing(score)))
    assert "<svg" in svg(portrait(score, title="little"), LIGHT)


def test_sections_of_short_and_endless_pieces() -> None:
    assert sections(Score(end=1920)) == ()
    long = Score(onset=np.arange(6000) * 1920, duration=[480] * 6000, pitch=[60] * 6000, velocity=[80] * 6000,
                 track=[0] * 6000)
    assert sections(long) == ()
    assert "<svg" in svg(portrait(long), LIGHT)
    assert [(s.first, s.last) for s in sections(song())] == [(0, 8), (8, 16), (16, 24)]


def test_a_portrait_is_the_same_every_time_and_in_both_formats(tmp_path: Path) -> None:
    drawn = svg(portrait(song(), title="Song"), LIGHT)
    assert drawn == svg(portrait(song(), title="Song"), LIGHT)
    for words in ("Song", "C major", "phrases", "form: which bars are alike", "pitch classes, by time"):
        assert words in drawn
    assert write_portrait(song(), tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.png").stat().st_size > 10_000
    with pytest.raises(WriteError, match=r"as .svg or .png; got 'a.pdf'"):
        write_portrait(song(), tmp_path / "a.pdf")
    assert not (tmp_path / "a.pdf").exists()


def test_inspect_says_and_draws_it(tmp_path: Path) -> None:
    write(song(), tmp_path / "song.mid")
    text = data.format_text(data.inspect(tmp_path / "song.mid"))
    assert "key heard: C major" in text
    assert "plan: A 1–8" in text
    assert output.draw_portrait(tmp_path / "song.mid", tmp_path / "song.svg").exists()
    with pytest.raises(RequestError, match="is a folder: name a file in it"):
        output.draw_portrait(tmp_path, tmp_path / "x.svg")


def test_real_songs_are_heard_and_drawn(music: Callable[[str], Path], tmp_path: Path) -> None:
    for path in sorted(music("openscore_lieder").rglob("*.mxl"))[::400]:
        assert len(hearing_text(data.inspect(path)["heard"])) >= 4
        assert output.draw_portrait(path, tmp_path / "song.svg").stat().st_size > 5_000
