"""Voices of one staff: what a pianist would want to read, and what is promised of any music."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento import formats
from partimento.errors import RequestError
from partimento.notation.voices import MAX_VOICES, cut_lengths, voices

Q = 480
BAR = 4 * Q
Notes = list[tuple[int, int, int]]


def of(notes: Notes, bars: int | None = None, **options: int) -> list[int]:
    columns = np.array(notes, np.int64).reshape(-1, 3).T
    starts = None if bars is None else np.arange(bars) * BAR
    return voices(*columns, bar_starts=starts, **options).tolist()


def line(pitches: list[int], each: int, start: int = 0) -> Notes:
    return [(start + i * each, each, pitch) for i, pitch in enumerate(pitches)]


def cells(notes: Notes) -> set[tuple[int, int]]:
    return {(onset, onset + lasts) for onset, lasts, _ in notes if lasts > 0}


def at_once(spans: set[tuple[int, int]]) -> int:
    return max((sum(a <= now < b for a, b in spans) for now, _ in spans), default=0)


# --- what a page wants ------------------------------------------------------------------------------------------


def test_block_chords_are_one_voice() -> None:
    chords = [(i * Q, Q, pitch) for i in range(8) for pitch in (60, 64, 67)]
    assert of(chords, 2) == [1] * len(chords)
    assert of(chords) == [1] * len(chords)


def test_a_melody_alone_and_alberti_bass_are_one_voice() -> None:
    assert of(line([48, 55, 52, 55] * 4, Q // 2), 2) == [1] * 16


def test_a_two_voice_invention_keeps_its_two_lines() -> None:
    upper = line([72, 74, 76, 74, 72, 71, 69, 71], Q // 2)
    lower = line([60, 62, 57, 55], Q)
    assert of(upper + lower, 1) == [1] * 8 + [2] * 4


def test_a_held_melody_stands_over_the_moving_part_below_it() -> None:
    held, moving = [(0, BAR, 76)], line([60, 64, 67, 64] * 2, Q // 2)
    assert of(held + moving, 1) == [1] + [2] * 8


def test_a_held_bass_stands_under_the_moving_part_above_it() -> None:
    held, moving = [(0, BAR, 43)], line([60, 64, 67, 64] * 2, Q // 2)
    assert of(held + moving, 1) == [2] + [1] * 8


def test_an_inner_part_that_moves_between_held_notes_of_a_chord() -> None:
    chord, inner = [(0, BAR, 72), (0, BAR, 52)], line([60, 62, 64, 62], Q)
    found = of(chord + inner, 1)
    assert len(set(found[2:])) == 1
    assert found[2] not in found[:2]


def test_soprano_and_alto_of_a_hymn_part_only_where_their_rhythm_does() -> None:
    together = [(i * Q, Q, pitch) for i in range(4) for pitch in (67, 72)]
    apart = [(BAR, 2 * Q, 74), (BAR + 2 * Q, 2 * Q, 72), *line([67, 65, 64, 65], Q, BAR)]
    assert of(together + apart, 2) == [1] * 8 + [1, 1, 2, 2, 2, 2]


def test_the_voices_of_one_bar_do_not_spread_to_the_next() -> None:
    first = [(0, BAR, 76), *line([60, 64, 67, 64], Q)]
    then = [(BAR + i * Q, Q, pitch) for i in range(4) for pitch in (60, 64)]
    assert of(first + then, 2) == [1, 2, 2, 2, 2] + [1] * 8


def test_two_equal_notes_that_sound_together_go_apart_where_there_is_room() -> None:
    found = of([(0, Q, 60), (0, Q, 60), (Q, Q, 62), (Q, 2 * Q, 57), (2 * Q, Q, 64)], 1, chords=False)
    assert found[0] != found[1]


def test_a_grace_note_goes_with_what_begins_where_it_stands() -> None:
    notes = [(0, BAR, 76), *line([60, 64, 67, 64], Q), (Q, 0, 65), (0, 0, 77), (BAR, 0, 65)]
    assert of(notes, 1)[-3:] == [2, 1, 2]
    assert of([(0, 0, 60), (0, 0, 64)]) == [1, 1]


def test_five_lengths_at_once_are_four_voices_whose_notes_can_be_cut() -> None:
    found = of([(0, k * Q, 60 + 3 * k) for k in range(1, 6)], 1)
    assert sorted(set(found)) == [1, 2, 3, 4]
    held = [(k * Q, BAR - k * Q, 60 + 3 * k) for k in range(4)]
    assert len(set(of(held, 1))) == 4
    late = of([*held, (3 * Q + Q // 2, Q // 4, 50)], 1)
    assert set(late) == {1, 2, 3, 4}


def test_what_is_not_three_flat_columns_of_one_length_is_refused() -> None:
    with pytest.raises(RequestError, match="of one length"):
        voices([0, 1], [1], [60])
    with pytest.raises(RequestError, match="flat"):
        voices([[0]], [[1]], [[60]])
    with pytest.raises(RequestError, match="from 1 to 4"):
        voices([0], [1], [60], most=5)


def test_two_voices_can_be_asked_for() -> None:
    notes = [(0, BAR, 72), (0, 3 * Q, 48), *line([60, 62, 64], Q)]
    assert max(of(notes, 1)) == 3
    assert set(of(notes, 1, most=2)) == {1, 2}


# --- parts of an ensemble ---------------------------------------------------------------------------------------


def test_four_parts_in_one_rhythm_are_four_lines() -> None:
    parts = [[72, 74, 76, 77], [67, 67, 67, 69], [64, 62, 60, 60], [48, 47, 48, 41]]
    notes = [note for part in parts for note in line(part, Q)]
    assert of(notes, chords=False) == [voice for voice in (1, 2, 3, 4) for _ in range(4)]


def test_a_part_that_rests_comes_back_as_itself() -> None:
    soprano, bass = line([76, 77, 79, 77, 76, 74, 72, 74], Q), line([48, 50, 52, 50], Q)
    alto = [*line([67, 65], Q), *line([67, 65], Q, 6 * Q)]
    found = of(soprano + bass + alto, chords=False)
    assert found == [1] * 8 + [3] * 4 + [2] * 4


def test_as_many_lines_as_sound_together_and_four_at_most() -> None:
    assert set(of(line([60, 62, 64], Q), chords=False)) == {1}
    assert set(of([(0, Q, 60), (0, Q, 64)], chords=False)) == {1, 2}
    six = of([(0, Q, pitch) for pitch in (40, 47, 60, 64, 67, 72)], chords=False)
    assert sorted(set(six)) == [1, 2, 3, 4]
    assert six == sorted(six, reverse=True)


def test_a_cluster_of_hundreds_of_notes_is_split_without_trying_every_way() -> None:
    cluster = [(0, Q, pitch % 128) for pitch in range(300)]
    assert set(of(cluster, chords=False)) == {1, 2, 3, 4}
    apart = [(Q, k * Q, 30 * k) for k in range(1, 5)]
    assert len(of(cluster + apart, 2)) == 304


# --- promises of any music --------------------------------------------------------------------------------------

music_of_a_staff = st.lists(st.tuples(st.integers(0, 24), st.integers(0, 12), st.integers(36, 84)), max_size=40)


@given(music_of_a_staff, st.booleans(), st.booleans())
def test_a_voice_overlaps_itself_only_where_more_than_four_would_be_needed(
        notes: Notes, chords: bool, barred: bool) -> None:
    onset, lasts, pitch = np.array(notes, np.int64).reshape(-1, 3).T
    bars = np.arange(10) * 4 if barred else None
    found = voices(onset, lasts, pitch, bar_starts=bars, chords=chords)
    assert found.dtype == np.int32
    assert len(found) == len(notes)
    assert all(1 <= voice <= MAX_VOICES for voice in found.tolist())
    if at_once(cells(notes)) <= MAX_VOICES:
        for voice in set(found.tolist()):
            assert at_once(cells([note for note, own in zip(notes, found, strict=True) if own == voice])) <= 1


@given(music_of_a_staff, st.booleans(), st.integers(1, MAX_VOICES))
def test_what_is_cut_never_overlaps_in_its_voice(notes: Notes, chords: bool, most: int) -> None:
    onset, lasts, pitch = np.array(notes, np.int64).reshape(-1, 3).T
    found = voices(onset, lasts, pitch, chords=chords, most=most)
    short = cut_lengths(onset, lasts, found)
    assert found.max(initial=1) <= most
    assert np.all(short <= lasts)
    assert np.all((short > 0) == (lasts > 0))
    for voice in range(1, most + 1):
        own = zip(onset[found == voice], short[found == voice], pitch[found == voice], strict=True)
        assert at_once(cells([(int(a), int(b), int(c)) for a, b, c in own])) <= 1
    if at_once(cells(notes)) <= (most if chords else 0):
        assert np.array_equal(short, lasts)


@given(music_of_a_staff)
def test_a_bar_has_no_more_voices_than_sound_in_it_together(notes: Notes) -> None:
    found = voices(*np.array(notes, np.int64).reshape(-1, 3).T, bar_starts=np.arange(10) * 4)
    spans = cells(notes)
    for start in range(0, 40, 4):
        begun = {int(v) for v, (onset, lasts, _) in zip(found, notes, strict=True)
                 if start <= onset < start + 4 and lasts}
        inside = {(max(a, start), min(b, start + 4), a, b) for a, b in spans if a < start + 4 and b > start}
        most = max((sum(a <= now < b for a, b, *_ in inside) for now, *_ in inside), default=0)
        assert max(begun, default=0) <= max(most, 0)


@given(music_of_a_staff, st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_the_notes_and_the_clock_do_not_matter(notes: Notes, rng: random.Random, chords: bool) -> None:
    notes = sorted(set(notes))
    mixed = rng.sample(notes, len(notes))
    plain = dict(zip(notes, of(notes, chords=chords), strict=True))
    assert dict(zip(mixed, of(mixed, chords=chords), strict=True)) == plain
    slower = [(3 * onset, 3 * lasts, pitch) for onset, lasts, pitch in notes]
    assert of(slower, chords=chords) == [plain[note] for note in notes]


@given(music_of_a_staff)
def test_parts_are_single_lines_where_no_more_than_four_notes_sound(notes: Notes) -> None:
    found = of(notes, chords=False)
    sounding = [sum(onset <= now < onset + lasts for onset, lasts, _ in notes) for now in range(40)]
    if max(sounding) <= MAX_VOICES:
        for voice in set(found):
            own = [note for note, v in zip(notes, found, strict=True) if v == voice and note[1]]
            assert all(sum(onset <= now < onset + lasts for onset, lasts, _ in own) <= 1 for now in range(40))


def test_the_parts_of_real_quartets_are_mostly_found_again(music: Callable[[str], Path]) -> None:
    folder = music("openscore_quartets")
    right = every = 0
    for path in sorted(folder.rglob("*.mxl"))[:2]:
        score = formats.read(path)
        score = score.select((score.onset < score.bar_starts[min(24, score.n_bars)]) & (score.duration > 0))
        if len(score.tracks) != 4:
            continue
        found = voices(score.onset, score.duration, score.pitch, chords=False)
        right += int((found == score.track + 1).sum())
        every += len(score)
    assert right > 0.7 * every
