"""What inspecting a file or a folder tells, as a table and as text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from test_data import midi

from partimento import formats
from partimento.data import format_text, inspect, inspect_file, inspect_folder
from partimento.errors import PartimentoError
from partimento.score import Key, Meter, Score, Tempo, Track


@pytest.fixture
def waltz(tmp_path: Path) -> Path:
    """Eight bars of a scale in G over a bass, a 4/4 bar last, with a drum part."""
    scale = [67, 69, 71, 72, 74, 76, 78, 79] * 3
    onset = [480 * i for i in range(24)] + [1440 * i for i in range(8)] + [0, 11520]
    score = Score(
        onset=onset, duration=[480] * 24 + [1440] * 8 + [10, 10], pitch=scale + [43, 50] * 4 + [36, 38],
        velocity=[90] * 34, track=[0] * 24 + [1] * 8 + [2] * 2, end=13440,
        meters=(Meter(0, 3, 4), Meter(11520, 4, 4)), tempos=(Tempo(0, 500_000), Tempo(11520, 600_000)),
        keys=(Key(0, 1, "major"),), tracks=(Track("fiddle", 40), Track("", 32), Track("kit", 0, True)))
    formats.write(score, tmp_path / "waltz.mid")
    return tmp_path / "waltz.mid"


def test_a_file(waltz: Path) -> None:
    found = inspect_file(waltz)
    assert json.loads(json.dumps(found)) == found
    assert (found["notes"], found["bars"], found["pickup"]) == (34, 9, False)
    assert found["meters"] == [{"bar": 1, "meter": "3/4"}, {"bar": 9, "meter": "4/4"}]
    assert found["tempos"] == [{"bar": 1, "bpm": 120.0}, {"bar": 9, "bpm": 100.0}]
    assert found["keys_said"] == [{"bar": 1, "key": "G major"}]
    assert found["key_heard"] == "G major"
    assert found["seconds"] == pytest.approx(12 + 2.4)
    assert [(t["name"], t["instrument"], t["notes"], t["range"]) for t in found["tracks"]] == [
        ("fiddle", "Violin", 24, "G4–G5"), ("", "Acoustic Bass", 8, "G2–D3"), ("kit", "drums", 2, "")]
    assert found["features"]["density"] > 0
    assert found["tracks"][0]["features"]["register"] > found["tracks"][1]["features"]["register"]
    assert (found["repairs"], found["licence"]) == ({}, "not stated")


def test_a_file_as_text(waltz: Path) -> None:
    text = format_text(inspect_file(waltz, licence="mine"))
    for words in ("34 notes, 9 bars, 0:14, 480 ticks a quarter", "meter: 3/4, 4/4 from bar 9", "licence: mine",
                  "tempo: 120, 100 from bar 9 bpm", "key written: G major", "(no name)"):
        assert words in text
    assert max(map(len, text.split("\n")[1:])) <= 120


def test_doubtful_bars_come_with_what_to_type(tmp_path: Path) -> None:
    place = tmp_path / "one.mid"
    formats.write(Score(onset=[0, 480], duration=[480, 480], pitch=[60, 62], velocity=[80, 80], track=[0, 0],
                        meters=(Meter(0, 1, 4),)), place)
    assert any("--input-meter 4/4" in notice for notice in inspect(place)["notices"])
    found = inspect(place, input_meter="2/4")
    assert (found["notices"], found["meters"]) == ([], [{"bar": 1, "meter": "2/4"}])


def test_repairs_are_named(tmp_path: Path) -> None:
    (tmp_path / "open.mid").write_bytes(midi(60, 62, closed=False))
    found = inspect(tmp_path / "open.mid")
    assert sum(found["repairs"].values()) == 1
    assert "\nrepaired: " in format_text(found)


def test_a_folder(waltz: Path) -> None:
    folder = waltz.parent
    (folder / "empty.mid").write_bytes(b"")
    (folder / "again.mid").write_bytes(waltz.read_bytes())
    (folder / "open.mid").write_bytes(midi(60, 62, closed=False))
    found = inspect_folder(folder)
    assert json.loads(json.dumps(found)) == found
    assert inspect(folder) == found
    assert (found["used"], found["repaired"], found["skipped"]) == (2, 1, 2)
    assert found["meters"] == {"3/4": 1, "4/4": 2}
    assert found["keys_said"] == {"G major": 1, "not said": 1}
    assert found["instruments"]["Violin"] == 1
    assert found["notes_a_piece"]["most"] == 34
    assert [entry["why"] for entry in found["skipped_files"]] == ["empty", "duplicate"]
    assert [entry["file"] for entry in found["repaired_files"]] == ["open.mid"]
    text = format_text(found)
    for words in ("2 used, 1 repaired, 2 skipped (1 empty, 1 exact duplicate)", "waltz.mid is an exact duplicate",
                  "meters: 4/4 (2), 3/4 (1)", "median", "empty.mid is empty"):
        assert words in text


def test_keys_that_name_no_mode(tmp_path: Path) -> None:
    from partimento.data.overview import describe

    score = Score(onset=[0], duration=[480], pitch=[36], velocity=[80], track=[0], keys=(Key(0, -1, ""), Key(0, 2, "")),
                  tracks=(Track("kit", 0, True),))
    found = describe(score)
    assert [entry["key"] for entry in found["keys_said"]] == ["1 flat", "2 sharps"]
    assert found["key_heard"] is None
    assert "key written: 1 flat, 2 sharps from bar 1" in format_text(found)


@pytest.mark.parametrize("data", [b"", b"<html>", b"noise", b"MThd\0\0\0\6\0\0\0\1\0\x60", midi()])
def test_a_bad_file_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.mid").write_bytes(data)
    for place in (tmp_path / "x.mid", tmp_path, tmp_path / "absent"):
        with pytest.raises(PartimentoError) as caught:
            inspect(place)
        assert "\n" not in str(caught.value)


def test_every_freedoom_file(music: Callable[[str], Path]) -> None:
    for place in sorted(music("freedoom_midi").glob("*.mid"))[::10]:
        assert format_text(inspect(place)).count("\n") > 5
