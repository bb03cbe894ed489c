"""Note values found again: known rhythms played loosely, what holds for any notes at all, and real files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento.formats import read, rebar
from partimento.notation.quantise import is_performed, quantise
from partimento.notation.quantise_beats import find_beats, in_bar, on_fine
from partimento.notation.quantise_onsets import find_chords, find_onsets
from partimento.score import Chord, Controls, Key, Mark, Meter, Score, Tempo, Text, Track

Q = 480
Value = tuple[Fraction | float, Fraction | float]     # onset and length, in quarters


def line(values: Sequence[Value], pitches: Sequence[int] = (60, 64, 67, 62, 65), track: int = 0) -> list[list[int]]:
    """Rows of a melody of (onset, length) in quarters."""
    return [[round(on * Q), round(long * Q), pitches[i % len(pitches)], 80, track]
            for i, (on, long) in enumerate(values)]  # fmt: skip


def repeated(bar: Sequence[Value], bars: int = 8, length: int = 4) -> list[Value]:
    """The same bar again and again."""
    return [(on + length * i, long) for i in range(bars) for on, long in bar]


def played(score: Score, milliseconds: float = 12, held: float = .85, seed: int = 1, tempo: int = 500_000) -> Score:
    """The score with Gaussian jitter of onsets and notes cut short."""
    rng = np.random.default_rng(seed)
    late = rng.normal(0, milliseconds / 1000, len(score)) * Q * 1e6 / tempo
    onset = np.maximum(np.rint(score.onset + late), 0)
    return score.replace(onset=onset, duration=np.maximum(np.rint(score.duration * held), 1),
                         tempos=(Tempo(0, tempo),))  # fmt: skip


RHYTHMS: dict[str, list[Value]] = {
    "quarters": repeated([(0, 1), (1, 1), (2, 1), (3, 1)]),
    "eighths": repeated([(i / 2, .5) for i in range(8)]),
    "sixteenths": repeated([(i / 4, .25) for i in range(16)]),
    "dotted": repeated([(0, .75), (.75, .25), (1, .75), (1.75, .25), (2, 1.5), (3.5, .5)]),
    "syncopation": repeated([(0, .5), (.5, 1), (1.5, 1), (2.5, 1), (3.5, .5)]),
    "triplets": repeated([(Fraction(i, 3), Fraction(1, 3)) for i in range(12)]),
    "sextuplets": repeated([(Fraction(i, 6), Fraction(1, 6)) for i in range(12)] + [(2, 1), (3, 1)]),
    "long notes": repeated([(0, 4)]),
    "triplets among quarters": repeated([(0, 1), (1, Fraction(1, 3)), (Fraction(4, 3), Fraction(1, 3)),
                                         (Fraction(5, 3), Fraction(1, 3)), (2, 1), (3, 1)]),
}  # fmt: skip


@pytest.mark.parametrize("name", RHYTHMS)
@pytest.mark.parametrize("seed", range(3))
def test_a_rhythm_played_loosely_is_written_as_it_was(name: str, seed: int) -> None:
    score = Score.from_rows(line(RHYTHMS[name]))
    found = quantise(played(score, 8 if "lets" in name else 14, seed=seed))
    assert found.notes().tolist() == score.notes().tolist()


def test_triplets_over_quarters_in_another_track_stay_triplets() -> None:
    upper = line(RHYTHMS["triplets"], track=0)
    lower = line(RHYTHMS["quarters"], pitches=(36, 43), track=1)
    score = Score.from_rows(upper + lower)
    assert quantise(played(score)).notes().tolist() == score.notes().tolist()


def test_eighths_are_found_however_late_the_playing_is() -> None:
    score = Score.from_rows(line(RHYTHMS["eighths"]))
    late = played(score, 4).replace(ticks_per_quarter=Q)
    late = late.replace(onset=late.onset + 45)
    assert quantise(late).onset.tolist() == score.onset.tolist()


def test_swing_is_written_straight_and_said() -> None:
    values = repeated([(i / 2, .5) for i in range(8)], bars=12)
    score = Score.from_rows(line(values))
    swung = score.replace(onset=[o + (50 if o % Q else 0) for o in score.onset.tolist()], duration=score.duration - 60)
    found = quantise(played(swung, 5, 1))
    assert found.onset.tolist() == score.onset.tolist()
    assert [t.text for t in found.texts if t.kind == "tempo"] == ["Swing"]


def test_uneven_eighths_among_many_triplets_are_triplets() -> None:
    third = Fraction(1, 3)
    values = repeated([(0, 2 * third), (2 * third, third), (1, third), (1 + third, third), (1 + 2 * third, third),
                       (2, third), (2 + third, third), (2 + 2 * third, third), (3, 2 * third), (3 + 2 * third, third)])
    found = quantise(played(Score.from_rows(line(values)), 6))
    assert found.onset.tolist() == [round(on * Q) for on, _ in values]
    assert not found.texts


def test_a_fast_piece_is_not_read_in_smaller_values() -> None:
    score = Score.from_rows(line(RHYTHMS["eighths"]))
    assert quantise(played(score, 14, tempo=270_000)).onset.tolist() == score.onset.tolist()


def test_staccato_quarters_are_quarters_or_eighths_and_never_less() -> None:
    score = Score.from_rows(line(RHYTHMS["quarters"]))
    for held in (.9, .75, .6, .5):
        assert set(quantise(played(score, held=held)).duration.tolist()) == {Q}
    assert set(quantise(played(score, held=.3)).duration.tolist()) <= {Q, Q // 2}


def test_a_real_rest_stays() -> None:
    score = Score.from_rows(line(repeated([(0, 1), (2, 1)])))
    assert quantise(played(score, held=.9)).duration.tolist() == score.duration.tolist()


def test_a_repeated_note_is_never_merged() -> None:
    score = Score.from_rows(line(repeated([(i / 8, .125) for i in range(32)], bars=2), pitches=(60,)))
    found = quantise(played(score, 3))
    assert found.onset.tolist() == score.onset.tolist()
    close = Score.from_rows([[480, 20, 60, 80, 0], [484, 20, 60, 80, 0], [490, 400, 60, 80, 0]])
    found = quantise(close)
    assert len(set(found.onset.tolist())) == 3
    assert not overlaps(found)


def test_a_rolled_chord_is_one_chord() -> None:
    rows = [[bar * 1920 + beat * Q + i * 12, 440, p, 80, 0] for bar in range(4) for beat in range(4)
            for i, p in enumerate((48, 55, 64))]  # fmt: skip
    found = quantise(Score.from_rows(rows))
    assert found.onset.tolist() == [Q * i for i in range(16) for _ in range(3)]
    assert set(found.duration.tolist()) == {Q}


def test_a_short_note_before_the_beat_is_a_grace_note_where_it_is_one() -> None:
    melody = line(RHYTHMS["quarters"])
    ornament = [3 * 1920 - 45, 40, melody[12][2] + 2, 80, 0]
    score = played(Score.from_rows(melody), 5)
    found = quantise(score.with_notes_of(Score.from_rows([ornament])))
    assert found.grace is not None
    where = np.flatnonzero(found.grace == 101)
    assert [(int(found.onset[i]), int(found.duration[i]), int(found.pitch[i])) for i in where] == [
        (3 * 1920, 0, ornament[2])]  # fmt: skip
    assert quantise(played(Score.from_rows(line(RHYTHMS["sixteenths"])), 5)).grace is None


def test_broken_chords_that_are_held_are_one_line_over_their_bass() -> None:
    rows = [[bar * 1920 + i * 240, 1700 - i * 240, p, 80, 0] for bar in range(8)
            for i, p in enumerate((36, 43, 48, 52, 48, 43, 48))]  # fmt: skip
    found = quantise(played(Score.from_rows(rows), 6, 1))
    assert set(found.duration[found.pitch != 36].tolist()) <= {240, 480}
    assert set(found.duration[found.pitch == 36].tolist()) == {1920}


def test_the_pedal_does_not_lengthen_and_the_frame_goes_along() -> None:
    score = played(Score.from_rows(line(RHYTHMS["quarters"]), tracks=(Track("piano"),)), 10)
    first = int(score.onset[4])
    score = score.replace(
        controls=Controls.of([(5, 0, 0xB0, 64, 127), (1915, 0, 0xB0, 64, 0)]), keys=(Key(0, 2, "major"),),
        chords=(Chord(first, "D"),), marks=(Mark(1920, "section", "A"),), texts=(Text(first, 0, "lyric", "la"),),
        meters=(Meter(0, 4, 4), Meter(3 * 1920, 4, 4)))  # fmt: skip
    found = quantise(score)
    assert set(found.duration.tolist()) == {Q}
    assert (found.keys, found.marks, found.meters) == (score.keys, score.marks, score.meters)
    assert (found.chords[0].tick, found.texts[0].tick) == (1920, 1920)
    assert np.abs(found.controls.tick - score.controls.tick).max() < 60
    assert found.tempos == score.tempos


def test_a_pick_up_of_odd_length_becomes_one_of_whole_beats() -> None:
    shift = 100
    score = played(Score.from_rows(line(RHYTHMS["quarters"])), 8)
    moved = score.replace(onset=score.onset + shift + Q, meters=(Meter(0, 4, 4), Meter(shift + Q, 4, 4)))
    found = quantise(moved)
    assert found.bar_starts[:2].tolist() == [Q, Q + 1920] or found.bar_starts[:3].tolist() == [0, Q, Q + 1920]
    assert found.has_pickup
    assert (found.onset % Q == 0).all()
    shift = 200
    moved = score.replace(onset=score.onset + shift + Q, meters=(Meter(0, 4, 4), Meter(shift + Q, 4, 4)))
    found = quantise(moved.with_notes_of(Score.from_rows([[84, 100, 72, 80, 0]])))
    assert int(found.bar_starts[1]) == 2 * Q
    assert int(found.onset[0]) < Q


def test_compound_and_odd_meters_have_their_own_beats() -> None:
    six = line([(on / 2, .5) for on in range(48)])
    score = Score.from_rows(six, meters=(Meter(0, 6, 8),))
    assert quantise(played(score)).notes().tolist() == score.notes().tolist()
    five = Score.from_rows(line([(on / 2, .5) for on in range(40)]), meters=(Meter(0, 5, 8),))
    assert quantise(played(five)).bar_starts.tolist() == five.bar_starts.tolist()


def test_drums_are_written_without_rests_inside_the_beat() -> None:
    rows = [[i * 240, 12, 42, 80, 0] for i in range(32)] + [[i * 960, 12, 36, 80, 0] for i in range(8)]
    found = quantise(played(Score.from_rows(rows, tracks=(Track("kit", 0, True),)), 8))
    assert set(found.duration.tolist()) == {240}


# --- what was written already -----------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [1, 2, 3, 4, 5, 6, 7, 8, 12, 16])
def test_a_written_score_comes_back_unchanged(part: int) -> None:
    quarter = 480 * (7 if part == 7 else 1)
    rows = [[i * quarter // part, quarter // part, 60 + i % 5, 80, 0] for i in range(4 * part)]
    score = Score.from_rows(rows, ticks_per_quarter=quarter)
    assert quantise(score) == score
    assert not is_performed(score)


def test_a_written_score_of_other_ticks_keeps_its_values() -> None:
    rows = [[round(i * 384 / 5), round((i + 1) * 384 / 5) - round(i * 384 / 5), 60, 80, 0] for i in range(20)]
    found = quantise(Score.from_rows(rows, ticks_per_quarter=384))
    assert found.ticks_per_quarter == 480
    assert found.notes()[:, :2].tolist() == [[96 * i, 96] for i in range(20)]


def test_a_score_with_voices_or_spelling_is_left_alone() -> None:
    score = Score.from_rows([[3, 111, 60, 80, 0]]).replace(voice=np.array([1]))
    assert quantise(score) == score
    assert not is_performed(score)


def test_an_empty_score_is_left_alone() -> None:
    assert quantise(Score()) == Score()
    assert not is_performed(Score())


# --- what holds for any notes -----------------------------------------------------------------------------------


def overlaps(score: Score) -> bool:
    """Whether a pitch of a track sounds twice at a time, notes struck at the very same tick apart."""
    order = np.lexsort((score.onset, score.pitch, score.track))
    lane = (score.track.astype(np.int64) * 128 + score.pitch)[order]
    onset, end = score.onset[order], score.offset[order]
    same = (lane[1:] == lane[:-1]) & (onset[1:] > onset[:-1])
    return bool((end[:-1][same] > onset[1:][same]).any())


note = st.tuples(st.integers(0, 6000), st.integers(0, 2500), st.integers(58, 64), st.integers(1, 127),
                 st.integers(0, 1))  # fmt: skip
meter = st.tuples(st.integers(1, 12), st.sampled_from([1, 2, 4, 8, 16, 32]))


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Any notes at all, in any bars."""
    first, second = draw(meter), draw(meter)
    turn = draw(st.integers(1, 5000))
    return Score.from_rows(
        draw(st.lists(note, max_size=40)), ticks_per_quarter=draw(st.sampled_from([24, 96, 384, 480, 960, 1000])),
        meters=(Meter(0, *first), Meter(turn, *second)), tempos=(Tempo(0, draw(st.integers(200_000, 1_500_000))),),
        tracks=(Track("a"), Track("b", 0, draw(st.booleans()))))  # fmt: skip


@given(scores())
def test_nothing_is_lost_and_everything_can_be_written(score: Score) -> None:
    found = quantise(score)
    assert len(found) == len(score)
    lanes = [sorted(zip(s.track.tolist(), s.pitch.tolist(), s.velocity.tolist(), strict=True)) for s in (score, found)]
    assert lanes[0] == lanes[1]
    assert quantise(found) == found
    if found == score:
        return
    assert found.ticks_per_quarter % 480 == 0
    ordinary = np.ones(len(found), bool) if found.grace is None else found.grace == 0
    assert (found.duration[ordinary] > 0).all()
    assert not overlaps(found)
    assert on_fine(in_bar(found, found.onset), found.ticks_per_quarter).all()
    assert on_fine(in_bar(found, found.offset), found.ticks_per_quarter).all()


def test_a_note_ends_where_a_grace_note_strikes_its_pitch() -> None:
    played = Score(onset=[0, 0, 26, 39], duration=[0, 91, 0, 27], pitch=[58, 58, 58, 59], velocity=[1] * 4,
                   track=[0] * 4, ticks_per_quarter=384, meters=(Meter(0, 1, 1), Meter(1, 1, 8)),
                   tempos=(Tempo(0, 200_000),),
                   tracks=(Track("a"),))
    found = quantise(played)
    assert found.grace is not None
    assert found.grace.any()
    assert not overlaps(found)


BEATS = ((1,), (.5, .5), (.25, .25, .25, .25), (.5, .25, .25), (.75, .25))


@given(st.lists(st.sampled_from(BEATS), min_size=8, max_size=40), st.integers(0, 1000))
def test_lines_of_plain_beats_come_back(beats: list[tuple[float, ...]], seed: int) -> None:
    values = [value for beat in beats for value in beat]
    score = Score.from_rows(line(list(zip(np.cumsum([0, *values[:-1]]), values, strict=True))))
    assert quantise(played(score, 6, .9, seed)).onset.tolist() == score.onset.tolist()


# --- real files -------------------------------------------------------------------------------------------------


def test_written_midi_is_no_performance_and_keeps_its_onsets(music: Callable[[str], Path]) -> None:
    paths = sorted(music("mutopia_midi").rglob("*.mid"))[::120]
    for path in paths:
        score = read(path)
        found = quantise(score)
        assert not is_performed(score)
        assert len(found) == len(score)
        exact = on_fine(in_bar(score, score.onset), score.ticks_per_quarter, (24, 8))
        if exact.all():
            assert (found.onset * score.ticks_per_quarter == score.onset.astype(np.int64) * Q).all()


def test_performed_midi_gets_values_that_read_well(music: Callable[[str], Path]) -> None:
    for path in sorted(music("pop909").glob("*/*.mid"))[::400]:
        score = rebar(read(path), None, "auto")
        found = quantise(score)
        assert is_performed(score)
        assert not is_performed(found)
        assert len(found) == len(score)
        assert quantise(found) == found
        beats = find_beats(score)
        division = find_onsets(find_chords(score, beats, np.arange(len(score))), beats).division
        assert np.isin(division, (1, 2, 3, 4)).mean() > .85
        simple = np.isin(found.duration, (120, 160, 240, 320, 360, 480, 720, 960, 1440, 1920))
        assert simple.mean() > .85
