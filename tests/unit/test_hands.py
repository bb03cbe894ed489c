"""Hands of a keyboard part that does not say: what a pianist would play with which, and what is promised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento import formats
from partimento.errors import RequestError
from partimento.notation.hands import LEFT, RIGHT, hands
from partimento.score import Score, Tempo, Track

Q = 480
BAR = 4 * Q
Notes = list[tuple[int, int, int]]                          # onset, duration, pitch


def of(notes: Notes, **frame: object) -> dict[tuple[int, int, int], int]:
    score = Score.from_rows([(*note, 80, 0) for note in notes], **frame)
    rows = zip(score.onset.tolist(), score.duration.tolist(), score.pitch.tolist(), strict=True)
    return dict(zip(rows, hands(score, 0).tolist(), strict=True))


def line(pitches: list[int], each: int, start: int = 0) -> Notes:
    return [(start + i * each, each, pitch) for i, pitch in enumerate(pitches)]


def staves(found: dict[tuple[int, int, int], int], notes: Notes) -> set[int]:
    return {found[note] for note in notes}


def test_melody_and_alberti_bass() -> None:
    melody, bass = line([72, 76, 79, 77, 76, 74, 72, 71], Q), line([48, 55, 52, 55] * 4, Q // 2)
    found = of(melody + bass)
    assert staves(found, melody) == {RIGHT}
    assert staves(found, bass) == {LEFT}


def test_both_hands_high_and_both_hands_low() -> None:
    for shift in (15, -17):
        upper, lower = line([76, 77, 79, 81, 79, 77, 76, 72], Q // 2), line([64, 60, 62, 60], Q)
        upper, lower = ([(onset, lasts, pitch + shift) for onset, lasts, pitch in part] for part in (upper, lower))
        found = of(upper + lower)
        assert staves(found, upper) == {RIGHT}
        assert staves(found, lower) == {LEFT}


def test_a_chord_that_no_hand_spans_is_parted_at_its_gap() -> None:
    found = of([(0, Q, pitch) for pitch in (36, 43, 48, 64, 67, 72)])
    assert list(found.values()) == [LEFT] * 3 + [RIGHT] * 3


def test_a_wide_arpeggio_is_handed_over_once() -> None:
    notes = line([36, 43, 48, 52, 55, 60, 64, 67, 72, 76], Q // 4)
    order = list(of(notes).values())
    assert order[0] == LEFT
    assert order[-1] == RIGHT
    assert order == sorted(order, reverse=True)


def test_bass_and_chords_in_the_left_hand_of_a_waltz() -> None:
    melody = [note for bar in range(4) for note in line([79, 76, 77], Q, 3 * Q * bar)]
    basses = [(3 * Q * bar, Q, 43) for bar in range(4)]
    chords = [(3 * Q * bar + beat * Q, Q, pitch) for bar in range(4) for beat in (1, 2) for pitch in (55, 59)]
    found = of(melody + basses + chords)
    assert staves(found, melody) == {RIGHT}
    assert staves(found, basses) == {LEFT}
    assert staves(found, chords) == {LEFT}


def test_a_hand_may_go_where_the_other_was() -> None:
    upper = line([67, 69, 71, 72], Q) + line([84, 86, 88, 91], Q, BAR)
    lower = line([43, 50, 47, 50], Q) + line([67, 72, 69, 72], Q, BAR)
    found = of(upper + lower)
    assert staves(found, upper) == {RIGHT}
    assert staves(found, lower) == {LEFT}


def test_performed_music_is_judged_in_seconds() -> None:
    melody, bass = line([72, 76, 79, 77, 76, 74, 72, 71], Q), line([48, 55, 52, 55] * 4, Q // 2)
    rng = np.random.default_rng(0)
    loose = [(max(0, onset + int(shift)), lasts, pitch) for (onset, lasts, pitch), shift in
             zip(melody + bass, rng.integers(-12, 13, len(melody + bass)), strict=True)]
    assert all(staff == (RIGHT if pitch > 60 else LEFT) for (_, _, pitch), staff in of(loose).items())
    twice = [(2 * onset, 2 * lasts, pitch) for onset, lasts, pitch in loose]
    assert list(of(twice, tempos=(Tempo(0, 250_000),)).values()) == list(of(loose).values())


def test_a_grace_note_goes_with_the_note_it_belongs_to() -> None:
    found = of([(0, Q, 48), (0, Q, 72), (0, 0, 74), (Q, Q, 50), (Q, Q, 74), (Q, 0, 49)])
    assert found[0, 0, 74] == RIGHT
    assert found[Q, 0, 49] == LEFT


def test_only_the_notes_of_the_track_are_answered() -> None:
    score = Score.from_rows([(0, Q, 40, 80, 0), (0, Q, 90, 80, 1), (0, Q, 72, 80, 0), (Q, Q, 90, 80, 1)])
    assert hands(score, 0).tolist() == [LEFT, RIGHT]
    assert len(hands(score, 1)) == 2
    assert hands(score.without_notes(), 0).tolist() == []
    with pytest.raises(RequestError, match="track 2"):
        hands(score, 2)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 16), st.integers(0, 127)), max_size=40))
def test_any_music_has_two_hands_parted_by_pitch_at_each_onset(notes: Notes) -> None:
    rows = [(120 * onset, 120 * lasts, pitch, 80, 0) for onset, lasts, pitch in notes]
    score = Score.from_rows(rows, tracks=(Track("piano"),))
    found = hands(score, 0)
    assert found.dtype == np.int32
    assert len(found) == len(notes)
    assert set(found.tolist()) <= {RIGHT, LEFT}
    assert np.array_equal(found, hands(score, 0))
    played = score.duration > 0
    for onset in np.unique(score.onset[played]):
        assert np.all(np.diff(found[played & (score.onset == onset)]) <= 0)     # low notes left, high notes right


def test_hands_of_real_songs_are_mostly_those_on_the_page(music: Callable[[str], Path]) -> None:
    folder = music("openscore_lieder")
    right = plain = every = 0
    for path in sorted(folder.rglob("*.mxl"))[:60:6]:
        score = formats.read(path)
        for track in range(len(score.tracks)):
            part = score.select((score.track == track) & (score.duration > 0))
            if part.staff is not None and set(part.staff.tolist()) == {1, 2}:
                right += int((hands(part, track) == part.staff).sum())
                plain += int(((part.pitch < 60) + 1 == part.staff).sum())
                every += len(part)
    assert every > 1000
    assert right > 0.85 * every
    assert right > plain
