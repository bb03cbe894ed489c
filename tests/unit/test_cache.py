"""Scores of notation are read once: the same bytes come from the cache, a damaged entry is read anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from partimento.data import cache, reading
from partimento.score import Score

TUNE = "X:1\nT:One\nM:4/4\nL:1/4\nK:C\n{d}CDEF|G4|]\n"


@pytest.fixture
def tune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARTIMENTO_CACHE", str(tmp_path / "kept"))
    place = tmp_path / "one.abc"
    place.write_text(TUNE, encoding="utf-8")
    return place


def entries() -> list[Path]:
    return sorted(path for path in cache.folder().rglob("*") if path.is_file())


def test_the_second_reading_asks_no_reader(tune: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = reading.read_one(tune)
    assert len(entries()) == 1
    monkeypatch.setattr(reading, "_read", lambda *_: pytest.fail("read again"))
    assert reading.read_one(tune) == first


def test_a_damaged_entry_is_read_anew(tune: Path) -> None:
    first = reading.read_one(tune)
    (entry,) = entries()
    for damage in (b"", b"\x04\0\0\0null", entry.read_bytes()[:-9]):
        entry.write_bytes(damage)
        assert reading.read_one(tune) == first
        assert entry.stat().st_size > 100


def test_grace_notes_are_left_aside_and_told(tune: Path) -> None:
    file, score = reading.read_one(tune)
    assert score is not None
    assert score.pitch.tolist() == [60, 62, 64, 65, 67]
    assert file.notices[-1] == "1 grace notes are left aside: they take no time of their own"


def test_midi_is_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from partimento import formats

    monkeypatch.setenv("PARTIMENTO_CACHE", str(tmp_path / "kept"))
    formats.write(Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0]), tmp_path / "a.mid")
    file, score = reading.read_one(tmp_path / "a.mid")
    monkeypatch.setattr(reading, "_read", lambda *_: pytest.fail("read again"))
    again, same = reading.read_one(tmp_path / "a.mid")
    assert (again, same) == (file, score)


def test_without_a_place_to_write_all_goes_on(tune: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("PARTIMENTO_CACHE", str(tmp_path / "file" / "below"))
    file, score = reading.read_one(tune)
    assert (file.kind, score is not None) == ("", True)


def test_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARTIMENTO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/tmp/x")
    for platform, part in (("linux", "x"), ("darwin", "Caches"), ("win32", "partimento")):
        monkeypatch.setattr("sys.platform", platform)
        assert part in cache.folder().parts
