"""Strands of a piece, the index of a corpus, and the passages that are found in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento.errors import ReadError
from partimento.fingerprint.index import (
    STOP,
    STRIDE,
    build_index,
    keys_at,
    open_index,
    read_index,
    with_borrowing,
)
from partimento.fingerprint.passages import DRUM, strands
from partimento.fingerprint.shared import shared_passages
from partimento.score import Meter, Score, Track


def tune(seed: int, notes: int = 48, clock: int = 480) -> Score:
    """A melody of its own in eighths, quarters and halves."""
    random = np.random.default_rng(seed)
    pitch = 60 + np.cumsum(random.choice([-5, -4, -3, -2, -1, 1, 2, 3, 4, 7], notes)) % 24
    length = random.choice([1, 1, 2, 2, 4], notes) * (clock // 2)
    return Score(onset=np.cumsum(length) - length, duration=length, pitch=pitch, velocity=np.full(notes, 80),
                 track=np.zeros(notes), ticks_per_quarter=clock)


CORPUS = [(f"tune {seed}", tune(seed, 200)) for seed in range(20)]


def part_of(score: Score, first: int, last: int) -> Score:
    """The notes from one number up to another, from tick 0 on."""
    part = score.select(np.arange(first, last))
    return part.replace(onset=part.onset - part.onset[0], end=0)


# --- strands ----------------------------------------------------------------------------------------------------------


def test_a_choral_of_one_track_has_its_outer_voices_and_one_between() -> None:
    chords = [(48, 55, 60, 64), (50, 57, 62, 65), (52, 59, 64, 67), (53, 60, 65, 69), (55, 62, 67, 71)]
    score = Score.from_rows([(480 * i, 480, high, 80, 0) for i, chord in enumerate(chords) for high in chord])
    assert [strand.pitch.tolist() for strand in strands(score)] == [
        [64, 65, 67, 69, 71], [48, 50, 52, 53, 55], [60, 62, 64, 65, 67]]
    assert strands(score)[0].time.tolist() == [0, 24, 48, 72, 96]


def test_repeated_notes_and_graces_count_once_or_not_at_all() -> None:
    pitch = [60, 60, 62, 64, 66, 65, 67]
    score = Score(onset=np.arange(7) * 480, duration=[480] * 7, pitch=pitch, velocity=[80] * 7, track=[0] * 7,
                  grace=[0, 0, 0, 0, 1, 0, 0])
    assert [strand.pitch.tolist() for strand in strands(score)] == [[60, 62, 64, 65, 67]]
    assert strands(score)[0].note.tolist() == [0, 2, 3, 5, 6]


def test_a_melody_over_a_held_chord_is_not_broken_by_what_moves_below_it() -> None:
    melody = [(960 * i, 960, high, 80, 0) for i, high in enumerate([72, 74, 76, 77, 79])]
    below = [(480 + 960 * i, 480, 60, 80, 0) for i in range(5)]
    assert strands(Score.from_rows(melody + below))[0].pitch.tolist() == [72, 74, 76, 77, 79]


def test_drums_are_one_strand_of_what_is_struck_at_once() -> None:
    rows = [(240 * i, 120, kit, 80, 0) for i in range(8) for kit in ([36, 42] if i % 4 == 0 else [42 + i % 3])]
    (strand,) = strands(Score.from_rows(rows, tracks=(Track("kit", 0, True),)))
    assert strand.drums
    assert (strand.pitch >= DRUM).all()
    assert (strand.pitch < STOP).all()


def test_a_long_silence_ends_a_strand() -> None:
    rows = [(480 * i + 20_000 * (i > 5), 480, 60 + i, 80, 0) for i in range(12)]
    assert [len(strand.note) for strand in strands(Score.from_rows(rows))] == [6, 6]


@pytest.mark.parametrize("notes", [0, 1, 4])
def test_too_few_notes_have_no_strand(notes: int) -> None:
    assert strands(part_of(tune(1), 0, notes) if notes else Score()) == []


# --- the index --------------------------------------------------------------------------------------------------------


def test_the_places_are_all_places_sorted_by_the_steps_that_follow() -> None:
    index = read_index(build_index(CORPUS))
    key = keys_at(index.pitch, index.places.astype(np.int64))
    assert (key[1:] >= key[:-1]).all()
    assert (key[::STRIDE] == index.sample).all()
    wanted = [i for i in range(len(index.pitch) - 4) if STOP not in index.pitch[i:i + 5].tolist()]
    assert sorted(index.places.tolist()) == wanted


def test_steps_as_numbers_by_hand() -> None:
    pitch = np.array([60, 62, 59, 71, STOP], np.uint8)
    assert hex(int(keys_at(pitch, np.array([0]))[0])) == "0x290" + "f" * 12
    assert hex(int(keys_at(pitch, np.array([0]), 2)[0])) == "0x29" + "0" * 13


def test_an_index_knows_names_times_and_bars() -> None:
    score = tune(3, 100).replace(meters=(Meter(0, 1, 4), Meter(480, 3, 4)))
    index = read_index(build_index([("first", tune(1)), ("zweites, ü", score)]))
    assert (index.pieces, index.notes, index.name(1)) == (2, 148, "zweites, ü")
    strand = np.flatnonzero(index.piece == 1)[:1]
    place = index.first[strand] + 7
    moved = strands(score, whole=False)[0]
    assert index.time_of(place, strand).tolist() == [moved.time[7]]
    assert [index.bar(1, time) for time in (0, 23, 24, 95, 96)] == [0, 0, 1, 1, 2]


def test_the_same_pieces_give_the_same_bytes_and_an_index_lies_anywhere_in_a_file(tmp_path: Path) -> None:
    data = build_index(CORPUS)
    assert data == build_index(iter(CORPUS))
    place = tmp_path / "some.bin"
    place.write_bytes(b"x" * 77 + data + b"more")
    index = open_index(place, 77, len(data))
    assert [index.name(i) for i in range(20)] == [name for name, _ in CORPUS]
    found = shared_passages(strands(part_of(CORPUS[4][1], 20, 60)), index)
    assert found[0].source == 4


def test_borrowing_is_kept_as_quantiles() -> None:
    data = build_index(CORPUS)
    assert not len(read_index(data).borrowing)
    kept = read_index(with_borrowing(data, [0.0, 0.5, 1.0])).borrowing
    assert kept[[0, 25, 50, 100]].tolist() == [0.0, 0.25, 0.5, 1.0]


@pytest.mark.parametrize(("data", "said"), [
    (b"", "must begin with PMX1"), (b"MThd" + bytes(100), "must begin with PMX1"),
    (build_index(CORPUS)[:-100], "should have"), (build_index(CORPUS) + b"x", "should have"),
    (b"PMX1" + bytes(4) + b"{}", "damaged"),
    (build_index(CORPUS).replace(b"tune 7", b"tune 8"), "do not fit together")])
def test_a_damaged_or_foreign_index_is_one_sentence(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.index").write_bytes(data or b"\0")
    with pytest.raises(ReadError, match=said) as caught:
        open_index(tmp_path / "a.index")
    assert "\n" not in str(caught.value)


def test_a_missing_index_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="must be a file that can be opened"):
        open_index(tmp_path / "none.index")


def test_any_damaged_byte_gives_an_index_or_one_clear_error() -> None:
    data = build_index(CORPUS[:2])
    random = np.random.default_rng(0)
    asked = strands(part_of(CORPUS[0][1], 10, 60))
    for _ in range(60):
        broken = bytearray(data)
        broken[int(random.integers(len(data)))] ^= 1 << int(random.integers(8))
        try:
            shared_passages(asked, read_index(bytes(broken)))
        except ReadError:
            continue


# --- passages ---------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(shift=st.integers(-11, 11), clock=st.sampled_from([96, 220, 480, 1024]), times=st.sampled_from([1, 2, 3]),
       seed=st.integers(0, 19), first=st.integers(0, 150))
def test_a_passage_is_found_in_any_key_at_any_tempo_and_clock(shift: int, clock: int, times: int, seed: int,
                                                               first: int) -> None:
    part = part_of(CORPUS[seed][1], first, first + 40)
    moved = part.replace(pitch=part.pitch + shift, onset=part.onset * times * clock // 480,
                         duration=part.duration * times * clock // 480, ticks_per_quarter=clock)
    best = shared_passages(strands(moved), read_index(build_index(CORPUS)))[0]
    assert best.source == seed
    assert best.shift == -shift % 12
    assert best.scale == pytest.approx(1 / times, rel=0.05)
    distinct = int((np.diff(part.pitch) != 0).sum()) + 1
    assert len(best.notes) >= 0.9 * distinct


def test_a_passage_by_hand() -> None:
    """Twelve notes of one tune between others: which notes, from where to where, and how much higher."""
    before, borrowed, after = tune(100, 30), part_of(CORPUS[7][1], 50, 70), tune(101, 30)
    rows = [before.notes(), borrowed.notes(), after.notes()]
    rows[1][:, 0] += before.end
    rows[1][:, 2] -= 3
    rows[2][:, 0] += before.end + borrowed.end
    score = Score.from_rows(np.concatenate(rows)[:, :5])
    index = read_index(build_index(CORPUS))
    best = shared_passages(strands(score), index)[0]
    assert (best.source, best.shift, best.scale) == (7, 3, 1.0)
    assert set(best.notes.tolist()) >= set(range(32, 48))
    assert set(best.notes.tolist()) <= set(range(28, 52))
    source = CORPUS[7][1]
    assert best.source_start == pytest.approx(int(source.onset[50]) / 20, abs=120)
    assert best.source_end == pytest.approx(int(source.onset[69]) / 20, abs=120)
    assert not [one for one in shared_passages(strands(score), index, without=[7]) if one.bits > 30]


@pytest.mark.parametrize("seed", range(6))
def test_a_passage_with_changed_notes_and_another_accompaniment_is_found(seed: int) -> None:
    random = np.random.default_rng(seed)
    part = part_of(CORPUS[seed][1], 30, 90)
    pitch = np.where(random.random(60) < 0.1, part.pitch + random.choice([-2, -1, 1, 2], 60), part.pitch)
    bass = [(960 * i, 960, int(high), 80, 1) for i, high in enumerate(random.integers(36, 50, part.end // 960))]
    score = Score.from_rows(np.concatenate([part.replace(pitch=pitch).notes()[:, :5], np.array(bass)]))
    best = shared_passages(strands(score), read_index(build_index(CORPUS)))[0]
    assert best.source == seed
    assert best.bits > 50


def test_other_tunes_share_next_to_nothing() -> None:
    index = read_index(build_index(CORPUS))
    most = [max([one.bits for one in shared_passages(strands(tune(seed, 60)), index)], default=0.0)
            for seed in range(200, 215)]
    assert max(most) < 30
