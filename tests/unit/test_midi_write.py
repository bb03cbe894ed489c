"""The MIDI writer: ``read(write(s)) == keep(s)``, the shape of the file, and nothing half-written."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento import formats
from partimento.errors import ReadError, WriteError
from partimento.formats import files, midi
from partimento.score import Chord, Controls, Key, Mark, Meter, Score, Tempo, Text, Track

TICKS = st.integers(0, 2000)
WORDS = st.text(st.characters(codec="utf-8"), max_size=6)


@st.composite
def scores(draw):
    """Any Score, also with things that MIDI does not keep."""
    count = draw(st.integers(0, 4))
    rows = draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40), st.integers(60, 62), st.integers(1, 127),
                                   st.integers(0, max(count - 1, 0))), max_size=25 if count else 0))
    table = np.array(rows, np.int32).reshape(-1, 5)
    controls = st.tuples(TICKS, st.integers(0, 4), st.sampled_from([0xA0, 0xB0, 0xC0, 0xD0, 0xE0]),
                         st.sampled_from([0, 1, 32, 64]), st.integers(-8192, 8191))
    tracks = draw(st.lists(st.builds(Track, WORDS, st.integers(0, 127), st.booleans()), min_size=count,
                           max_size=count))
    return Score(
        *table.T, voice=np.ones(len(table), np.int32) if draw(st.booleans()) else None,
        ticks_per_quarter=draw(st.sampled_from([1, 24, 480, 32767])), end=draw(st.integers(0, 1500)),
        meters=tuple(draw(st.lists(st.builds(Meter, TICKS, st.integers(1, 255), st.sampled_from([1, 2, 4, 8, 64])),
                                   max_size=3))),
        tempos=tuple(draw(st.lists(st.builds(Tempo, TICKS, st.integers(1, 2**24 + 5)), max_size=3))),
        keys=tuple(draw(st.lists(st.builds(Key, TICKS, st.integers(-7, 7), st.sampled_from(["major", "minor", ""])),
                                 max_size=3))),
        chords=tuple(draw(st.lists(st.just(Chord(0, "Am")), max_size=1))),
        marks=tuple(draw(st.lists(st.builds(Mark, TICKS, st.sampled_from(["marker", "section", "fermata"]), WORDS),
                                  max_size=3))),
        tracks=tuple(tracks), controls=Controls.of(draw(st.lists(controls, max_size=12))),
        texts=tuple(draw(st.lists(st.builds(Text, TICKS, st.integers(-1, 5), st.sampled_from(
            ["text", "lyric", "cue", "copyright", "instrument", "other"]), WORDS), max_size=4))))


@given(scores())
def test_what_is_read_back_is_what_the_format_keeps(score):
    kept = midi.keep(score)
    data = midi.dumps(score)
    reading = midi.parse(data)
    assert reading.repairs == {}
    assert reading.score == kept
    assert reading.score.end == score.end
    assert midi.keep(kept) == kept
    assert midi.dumps(score) == data
    assert midi.dumps(kept) == data


@given(scores())
def test_symusic_reads_the_same_notes_out_of_what_is_written(score):
    from partimento.formats.midi_fast import parse_fast

    kept = midi.keep(score)
    fast = parse_fast(midi.dumps(score))
    used = np.unique(kept.track)
    assert fast.notes()[:, :4].tolist() == kept.notes()[:, :4].tolist()
    assert used[fast.track].tolist() == kept.track.tolist()


def test_the_shape_of_the_file():
    score = Score(onset=[0, 0], duration=[480, 480], pitch=[60, 36], velocity=[80, 90], track=[0, 1], end=960,
                  tracks=(Track("violin", 40), Track("kit", 0, True)), texts=(Text(0, -1, "text", "seed 7"),))
    data = midi.dumps(score)
    assert data[:14] == b"MThd\0\0\0\6\0\1\0\3\1\xe0"
    _, frame, violin, kit = data.split(b"MTrk")
    assert b"\xff\x51\3\x07\xa1\x20" in frame
    assert b"\xff\x58\4\4\2\x18\x08" in frame
    assert b"\xff\1\6seed 7" in frame
    assert violin[4:] == b"\0\xff\3\6violin\0\xc0\x28\0\x90\x3c\x50\x83\x60\x80\x3c\x40\x83\x60\xff\x2f\0"
    assert b"\x99\x24\x5a" in kit


def test_past_fifteen_parts_channels_go_to_further_ports():
    n = 40
    score = Score(onset=[0] * n, duration=[10] * n, pitch=[60] * n, velocity=[64] * n, track=range(n),
                  tracks=tuple(Track(f"{i}", i, is_drum=i in (5, 6)) for i in range(n)))
    reading = midi.parse(midi.dumps(score))
    assert reading.score == score
    places = [place[:2] for place in reading.score.extras["midi"]["parts"]]
    assert len(set(places)) == n
    assert [channel == 9 for _, channel in places] == [track.is_drum for track in score.tracks]
    assert max(port for port, _ in places) == 2


def test_channels_read_from_a_file_are_kept_and_new_parts_take_free_ones():
    score = Score(onset=[0], duration=[10], pitch=[60], velocity=[64], track=[0], tracks=(Track("a"), Track("b")),
                  extras={"midi": {"parts": ((0, 3, -1),)}})
    assert midi.parse(midi.dumps(score)).score.extras["midi"]["parts"] == ((0, 3, 0), (0, 0, 0))


def test_the_program_stands_behind_the_bank_select():
    score = Score(onset=[100], duration=[10], pitch=[60], velocity=[64], track=[0], tracks=(Track("a", 9),),
                  controls=Controls.of([(20, 0, 0xB0, 0, 3), (20, 0, 0xB0, 32, 1), (20, 0, 0xB0, 7, 90)]))
    assert b"\x14\xb0\0\3\0\xb0\x20\1\0\xc0\x09\0\xb0\x07\x5a" in midi.dumps(score)


def test_gaps_longer_than_one_delta_time():
    score = Score(onset=[0, 2**30], duration=[5, 5], pitch=[60, 61], velocity=[64, 64], track=[0, 0], end=2**31 - 1)
    reading = midi.parse(midi.dumps(score))
    assert reading.score == score
    assert reading.repairs == {}


@pytest.mark.parametrize(("change", "says"), [
    ({"meters": (Meter(0, 4, 5),)}, "has 4/5"),
    ({"meters": (Meter(0, 300, 4),)}, "300/4")])
def test_what_midi_cannot_hold_is_said(change, says):
    with pytest.raises(WriteError, match=says):
        midi.dumps(Score(**change))


NOTE = Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0])


@pytest.mark.parametrize("suffix", midi.SUFFIXES)
def test_every_suffix_is_written_and_read(tmp_path, suffix):
    place = tmp_path / f"song{suffix.upper()}"
    formats.write(NOTE, place)
    assert formats.read(place) == formats.keep(NOTE, suffix)
    assert place.read_bytes() == formats.to_bytes(NOTE, suffix)
    assert formats.read_fast(place) == formats.read(place)
    assert [p.name for p in tmp_path.iterdir()] == [place.name]


@pytest.mark.parametrize("name", ["song.mp3", "song", "song.mdi"])
def test_a_suffix_that_no_writer_has(tmp_path, name):
    with pytest.raises(WriteError, match="no suffix to write named"):
        formats.write(NOTE, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_wrong_suffix_on_a_midi_file_is_no_hindrance(tmp_path):
    place = tmp_path / "song.bin"
    place.write_bytes(midi.dumps(NOTE))
    assert formats.read(place) == NOTE
    place.write_bytes(b"nothing")
    with pytest.raises(ReadError, match=r"song.bin: .*no suffix named '.bin'"):
        formats.read(place)


def test_reading_what_is_not_there(tmp_path):
    with pytest.raises(ReadError, match=r"no\.mid: there is no such file"):
        formats.read(tmp_path / "no.mid")
    with pytest.raises(ReadError, match="this is a folder"):
        formats.read(tmp_path)
    with pytest.raises(ReadError, match=r"cannot be opened|no such file"):
        formats.read("a\0b.mid")
    (tmp_path / "page.mid").write_text("<!DOCTYPE html><p>gone", encoding="utf-8")
    for read in (formats.read, formats.read_fast):
        with pytest.raises(ReadError, match=r"page\.mid: a MIDI file must begin with 'MThd'; .* download the file"):
            read(tmp_path / "page.mid")


def test_a_read_only_target_is_left_as_it_is(tmp_path):
    place = tmp_path / "song.mid"
    place.write_bytes(b"mine")
    place.chmod(0o444)
    with pytest.raises(WriteError, match=r"song\.mid: .*this one is read-only"):
        formats.write(NOTE, place)
    with pytest.raises(WriteError, match="this one is read-only"):
        files.check_target(place)
    assert place.read_bytes() == b"mine"
    place.chmod(0o644)
    files.check_target(place)
    assert place.read_bytes() == b"mine"
    assert [p.name for p in tmp_path.iterdir()] == ["song.mid"]


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(WriteError, match=r"there is no folder .*none: make it first"):
        formats.write(NOTE, tmp_path / "none" / "song.mid")
    (tmp_path / "folder.mid").mkdir()
    with pytest.raises(WriteError, match="this is a folder"):
        formats.write(NOTE, tmp_path / "folder.mid")


def test_a_full_disk_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    place = tmp_path / "song.mid"
    place.write_bytes(b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(WriteError, match="No space left"):
        formats.write(NOTE, place)
    assert place.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["song.mid"]


def test_an_interrupted_write_leaves_no_part(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        formats.write(NOTE, tmp_path / "song.mid")
    assert not list(tmp_path.iterdir())
