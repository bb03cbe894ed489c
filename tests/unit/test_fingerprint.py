"""Melody prints: what they do not hear, which pieces they find the same, and which they do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento.errors import ReadError
from partimento.fingerprint import MelodyPrint, likeness, melody_print, near_duplicates, same_as
from partimento.fingerprint.lines import melody_lines, usual_gaps
from partimento.fingerprint.search import ALIKE
from partimento.score import Meter, Score, Tempo, Track

LENGTHS = np.array([1, 1, 2, 2, 2, 4])          # in eighths


def later(score: Score, ticks: int) -> np.ndarray:
    """The notes of a Score, moved on."""
    rows: np.ndarray = score.notes()
    rows[:, 0] += ticks
    return rows


def tune(seed: int, notes: int = 64, clock: int = 480) -> Score:
    """A melody of its own, that moves by step more often than not."""
    random = np.random.default_rng(seed)
    steps = random.choice([-5, -4, -3, -2, -1, 1, 2, 3, 4, 7], notes)
    pitch = 67 + np.cumsum(steps)
    pitch = 60 + (pitch - 60) % 24
    length = random.choice(LENGTHS, notes) * (clock // 2)
    onset = np.cumsum(length) - length
    return Score(onset=onset, duration=length, pitch=pitch, velocity=np.full(notes, 80), track=np.zeros(notes),
                 ticks_per_quarter=clock)


def accompanied(seed: int, chords: int = 1) -> Score:
    """A tune over broken chords of another track; the chords are the same for one number."""
    above = tune(seed)
    roots = 36 + np.random.default_rng(1000 + chords).integers(0, 12, above.end // 960 + 1)
    onset = np.arange(4 * len(roots)) * 240
    pitch = (roots[:, None] + [0, 7, 4, 7]).ravel()
    below = Score(onset=onset, duration=np.full(len(onset), 240), pitch=pitch, velocity=np.full(len(onset), 70),
                  track=np.ones(len(onset)))
    below = below.select(below.onset < above.end)
    rows = np.concatenate([above.notes(), below.notes()])
    return Score(**dict(zip(("onset", "duration", "pitch", "velocity", "track"), rows.T, strict=True)),
                 tracks=(Track("tune"), Track("chords", 1)))


def drums(seed: int, bars: int = 8) -> Score:
    """A loop of two bars of sixteenths on a kit, played again and again with a fill in each fourth bar."""
    random = np.random.default_rng(seed)
    loop = [(step, int(kit)) for step in range(32) for kit in random.choice([36, 38, 42, 46, 49], 2)
            if random.random() < 0.5]
    rows = [(32 * again + step, kit) for again in range(bars // 2) for step, kit in loop]
    rows += [(64 * four + 48 + step, int(random.choice([41, 45, 48]))) for four in range(bars // 4)
             for step in range(16) if random.random() < 0.6]
    step, kit = np.array(sorted(set(rows))).T
    return Score(onset=step * 120, duration=np.full(len(step), 60), pitch=kit, velocity=np.full(len(step), 80),
                 track=np.zeros(len(step)), tracks=(Track("kit", 0, True),))


def test_a_line_is_worked_out_by_hand() -> None:
    score = Score(onset=[0, 480, 960, 1440, 1920], duration=[480] * 5, pitch=[60, 62, 62, 67, 66], velocity=[80] * 5,
                  track=[0] * 5)
    # the second D is taken as tied to the first
    assert melody_lines(score)[0][0].tolist() == [3 * 42 + 1, 3 * 45 + 2, 3 * 39 + 0]
    assert melody_lines(Score()) == ([], 0)


def test_the_usual_gap_is_that_in_which_most_time_passes() -> None:
    assert set(usual_gaps(np.array([0, 5, 100, 105, 200, 300])).tolist()) == {95.0}
    assert usual_gaps(np.array([7, 7])).tolist() == [0, 0]


@pytest.mark.parametrize("change", [
    lambda s: s.replace(pitch=s.pitch - 7),
    lambda s: s.replace(tempos=(Tempo(0, 900_000),), meters=(Meter(0, 3, 8), Meter(720, 5, 4))),
    lambda s: s.replace(onset=s.onset + 700, end=0),
    lambda s: s.replace(onset=s.onset * 2, duration=s.duration * 2),
    lambda s: s.replace(ticks_per_quarter=96, onset=s.onset // 5, duration=s.duration // 5, end=0),
    lambda s: s.replace(tracks=(Track("x", 73), Track("y", 40)), track=1 - s.track),
    lambda s: s.replace(velocity=np.arange(len(s)) % 127 + 1),
], ids=["key", "meter and tempo", "bar lines", "note values", "clock", "instruments and order", "loudness"])
def test_the_print_does_not_hear(change) -> None:  # type: ignore[no-untyped-def]
    score = accompanied(3)
    mine, theirs = melody_print(score), melody_print(change(score))
    assert likeness(mine, theirs) == 1.0
    assert sorted(np.diff(mine.ends, prepend=0)) == sorted(np.diff(theirs.ends, prepend=0))


def broken(score: Score) -> Score:
    """Every other note above an eighth as two that were tied."""
    long = (score.duration > 240) & (np.arange(len(score)) % 2 == 0)
    rows = score.notes()
    second = rows[long]
    rows[long, 1] = 240
    second[:, 0] += 240
    second[:, 1] -= 240
    return score.with_rows(np.concatenate([rows, second]))


def graced(score: Score) -> Score:
    """Every eighth note of the tune with a short note before it."""
    short = score.select((np.arange(len(score)) % 8 == 3) & (score.onset > 60)).notes()
    short[:, 0] -= 60
    short[:, 1], short[:, 2] = 60, short[:, 2] + 1
    return score.with_rows(np.concatenate([score.notes(), short]))


@pytest.mark.parametrize("change", [
    lambda s: s.replace(track=s.track * 0),
    lambda s: s.replace(duration=s.duration // 2),
    broken,
    graced,
    lambda s: s.select(np.arange(len(s)) % 21 != 20),
    lambda s: s.replace(pitch=s.pitch + 2 * (np.arange(len(s)) % 23 == 22)),
    lambda s: s.select(s.onset < s.end // 2).replace(end=0),
    lambda s: s.with_rows(np.concatenate([s.notes(), later(s, s.end)])),
    lambda s: s.with_rows(np.concatenate([s.notes(), later(tune(77), s.end)])),
    lambda s: s.select(s.track == 0),
], ids=["one track", "short notes", "ties broken", "grace notes", "notes left out", "notes changed", "half", "twice",
        "extended", "tune alone"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_copy_is_found(change, seed: int) -> None:  # type: ignore[no-untyped-def]
    score = accompanied(seed)
    assert likeness(melody_print(score), melody_print(change(score))) >= ALIKE


def test_distinct_pieces_are_not_found_though_they_have_one_accompaniment() -> None:
    pieces = [melody_print(accompanied(seed, chords=5)) for seed in range(40)]
    assert near_duplicates(pieces) == []


def scales(order: list[int]) -> Score:
    """A study of scales up and down from different notes."""
    degrees = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    pitch = np.concatenate([60 + start + (degrees if i % 2 else degrees[::-1]) for i, start in enumerate(order)])
    n = len(pitch)
    return Score(onset=np.arange(n) * 240, duration=np.full(n, 240), pitch=pitch, velocity=np.full(n, 80),
                 track=np.zeros(n))


def test_a_tune_with_a_scale_in_it_is_no_study_of_scales() -> None:
    study = scales([0, 2, 5, 7, 3, 1, 8, 4])
    for seed in range(10):
        other = tune(seed)
        with_scale = other.with_rows(np.concatenate([other.notes(), later(scales([0, 4]), other.end)]))
        assert likeness(melody_print(study), melody_print(with_scale)) < ALIKE


def test_drums_have_a_print_of_their_own() -> None:
    loops = [melody_print(drums(seed)) for seed in range(20)]
    assert all(one.drums for one in loops)
    assert near_duplicates(loops) == []
    score = drums(4)
    again = score.replace(ticks_per_quarter=960, tempos=(Tempo(0, 400_000),), duration=score.duration // 2)
    assert likeness(melody_print(score), melody_print(again)) == 1.0
    assert likeness(melody_print(score), melody_print(tune(4))) == 0.0


def test_pairs_are_found_among_many() -> None:
    pieces = [tune(seed) for seed in range(120)]
    copies = [piece.replace(pitch=piece.pitch + 5, ticks_per_quarter=96) for piece in pieces[:30]]
    found = near_duplicates([melody_print(piece) for piece in [*pieces, *copies]])
    assert [(a, b) for a, b, _ in found] == [(i, 120 + i) for i in range(30)]
    assert all(ALIKE <= pair.share <= 1 for pair in found)


def test_many_copies_of_one_piece_all_hang_together() -> None:
    one = tune(1)
    found = near_duplicates([melody_print(one.replace(pitch=one.pitch + i % 12 - 6)) for i in range(150)])
    assert {b for _, b, _ in found} == set(range(1, 150))
    assert len(found) <= 150 * 40


def test_listed_pieces_are_named() -> None:
    pieces = [melody_print(tune(seed)) for seed in range(10)]
    listed = [melody_print(tune(50)), melody_print(tune(3).replace(pitch=tune(3).pitch + 4)), melody_print(Score())]
    assert same_as(pieces, listed) == [None, None, None, 1, None, None, None, None, None, None]
    assert same_as(pieces, []) == [None] * 10
    assert same_as([], listed) == []


def test_too_little_music_is_the_same_as_nothing() -> None:
    short = melody_print(tune(1, notes=5))
    empty = melody_print(Score())
    assert near_duplicates([short, short, empty, empty]) == []
    assert near_duplicates([]) == []


@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 900), st.integers(0, 127), st.integers(0, 2)),
                max_size=60), st.booleans())
def test_any_notes_have_a_print_that_goes_to_bytes_and_back(rows: list[tuple[int, int, int, int]], kit: bool) -> None:
    table = np.array(rows, np.int64).reshape(-1, 4)
    score = Score(onset=table[:, 0], duration=table[:, 1], pitch=table[:, 2], velocity=np.full(len(rows), 64),
                  track=table[:, 3], tracks=(Track("", 0, kit), Track(), Track()))
    one = melody_print(score)
    back = MelodyPrint.from_bytes(one.to_bytes())
    assert back == one
    assert hash(back) == hash(one)
    assert 0.0 <= likeness(one, back) <= 1.0


def test_damaged_bytes_are_refused_with_a_reason() -> None:
    data = melody_print(accompanied(1)).to_bytes()
    for bad in (b"", b"MThd" + data[4:], data[:-1], data + b"x", data[:4] + b"\7" + data[5:], data[:10]):
        with pytest.raises(ReadError, match="make the print again"):
            MelodyPrint.from_bytes(bad)
    ends = bytearray(data)
    ends[17:21] = b"\xff\xff\xff\x7f"
    with pytest.raises(ReadError, match="end one after another"):
        MelodyPrint.from_bytes(bytes(ends))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_print_or_one_error(data: bytes) -> None:
    for given_ in (data, melody_print(tune(1, 12)).to_bytes()[:17] + data):
        try:
            MelodyPrint.from_bytes(given_).grams()
        except ReadError:
            continue


def test_where_no_leading_line_has_two_notes_the_first_line_is_the_melody() -> None:
    score = Score(onset=[0, 1], duration=[0, 0], pitch=[0, 1], velocity=[1, 1], track=[1, 1])
    one = melody_print(score)
    assert MelodyPrint.from_bytes(one.to_bytes()) == one
    assert (one.melodies, len(one.ends)) in {(1, 1), (0, 0)}
