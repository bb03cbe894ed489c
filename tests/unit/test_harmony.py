"""Chords heard on the beats, and the measures of harmony, against music worked out by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento import features, formats, theory
from partimento.features import harmony_model
from partimento.features.harmony_beats import beat_view
from partimento.score import Chord, Key, Meter, Score, Track

CADENCE = (("C", (48, 64, 67, 72)), ("F", (41, 65, 69, 72)), ("G7", (43, 65, 71, 74)), ("C", (48, 64, 67, 72)))
TUNE = (60, 64, 67, 64, 65, 69, 72, 69, 67, 71, 74, 65, 64, 60, 60, 60)


def chorale(chords: tuple[tuple[str, tuple[int, ...]], ...] = CADENCE, length: int = 960, quarter: int = 480) -> Score:
    """Return block chords of equal length, one after another."""
    return Score.from_rows([(i * length, length, pitch, 80, 0) for i, (_, pitches) in enumerate(chords)
                            for pitch in pitches], ticks_per_quarter=quarter)


def melody(pitches: tuple[int, ...] = TUNE) -> Score:
    """Return quarter notes one after another."""
    return Score.from_rows([(i * 480, 480, pitch, 80, 0) for i, pitch in enumerate(pitches)])


def roots(score: Score) -> list[int]:
    """Return the roots of the chords heard."""
    return [theory.parse_chord(chord.symbol).root for chord in features.heard_chords(score)]


def test_a_cadence_is_heard_with_its_seventh() -> None:
    found = features.heard_chords(chorale())
    assert found == tuple(Chord(i * 960, symbol) for i, (symbol, _) in enumerate(CADENCE))


def test_inversions_are_heard_by_their_bass() -> None:
    score = chorale((("C", (48, 64, 67)), ("G/B", (47, 62, 67)), ("C", (48, 64, 67)), ("F/C", (48, 65, 69))))
    assert [chord.symbol for chord in features.heard_chords(score)] == ["C", "G/B", "C", "F/C"]


@pytest.mark.parametrize(("pitches", "symbol"), [
    ((48, 64, 67, 71), "Cmaj7"), ((45, 64, 67, 72), "Am7"), ((47, 62, 65, 69), "Bm7b5"), ((47, 62, 65, 68), "Bdim7"),
    ((47, 62, 65, 71), "Bdim"), ((40, 68, 71, 76), "E")])
def test_each_kind_of_chord_is_named(pitches: tuple[int, ...], symbol: str) -> None:
    score = chorale((CADENCE[0], CADENCE[1], (symbol, pitches), CADENCE[1], CADENCE[0]))
    assert features.heard_chords(score)[2] == Chord(2 * 960, symbol)


def test_an_augmented_triad_is_heard() -> None:
    score = chorale((CADENCE[0], ("Caug", (48, 64, 68, 72)), CADENCE[1], CADENCE[0]), length=1920)
    assert [chord.symbol for chord in features.heard_chords(score)] == ["C", "Caug", "F", "C"]


def test_notes_foreign_to_a_chord_do_not_change_it() -> None:
    rows = [(0, 1920, pitch, 80, 0) for pitch in (48, 55, 64)]
    rows += [(i * 240, 240, pitch, 80, 1) for i, pitch in enumerate((72, 74, 76, 77, 79, 77, 76, 74))]
    assert features.heard_chords(Score.from_rows(rows)) == (Chord(0, "C"),)


def test_a_melody_alone_gets_the_chords_of_its_tones() -> None:
    assert features.heard_chords(melody()) == (Chord(0, "C"), Chord(1920, "F"), Chord(3840, "G"), Chord(5760, "C"))


def test_silence_of_a_bar_is_no_chord_and_a_shorter_rest_is_the_chord_before() -> None:
    first, last = chorale(CADENCE[:1]).notes(), chorale(CADENCE[:1]).notes()
    last[:, 0] += 1920
    score = Score.from_rows(np.concatenate([first, last]))
    assert features.heard_chords(score) == (Chord(0, "C"),)
    last[:, 0] += 1920 * 2
    score = Score.from_rows(np.concatenate([first, last]))
    assert features.heard_chords(score) == (Chord(0, "C"), Chord(960, "N"), Chord(1920 * 3, "C"))


def test_nothing_and_drums_alone_have_no_chord() -> None:
    assert features.heard_chords(Score()) == ()
    drums = dataclasses.replace(melody(), tracks=(Track("drums", 0, True),))
    assert features.heard_chords(drums) == (Chord(0, "N"),)
    for measure in (features.chord_changes, features.chord_tones, features.consonance, features.dissonance):
        assert measure(Score()) is None
        assert measure(drums) is None


def test_chords_stand_on_beats_and_a_pickup_ends_a_bar() -> None:
    rows = [(0, 240, 67, 80, 0), *((240 + i * 720, 720, pitch, 80, 0) for i, pitch in enumerate((60, 64, 67, 72)))]
    view = beat_view(Score.from_rows(rows, meters=(Meter(0, 6, 8), Meter(240, 6, 8))))
    assert view.edges.tolist() == [0, 240, 960, 1680, 2400, 3120]
    assert view.place.tolist() == [1, 0, 1, 0, 1]
    assert view.bar.tolist() == [0, 1, 1, 2, 2]


def test_beats_of_two_two_are_quarters() -> None:
    assert beat_view(melody().replace(meters=(Meter(0, 2, 2),))).place.tolist() == [0, 2, 1, 2] * 4


@pytest.mark.parametrize(("key", "names"), [
    (("C", "major"), ("C", "F", "G7", "C")), (("Eb", "major"), ("Eb", "Ab", "Bb7", "Eb")),
    (("B", "major"), ("B", "E", "F#7", "B")), (("Db", "major"), ("Db", "Gb", "Ab7", "Db"))])
def test_chords_are_spelled_in_the_key_heard(key: tuple[str, str], names: tuple[str, ...]) -> None:
    score = chorale()
    moved = score.replace(pitch=score.pitch + theory.parse_key(" ".join(key)).tonic)
    assert tuple(chord.symbol for chord in features.heard_chords(moved)) == names


@given(st.integers(-12, 12), st.booleans())
def test_a_transposed_piece_has_the_same_chords_transposed(steps: int, alone: bool) -> None:
    score = melody() if alone else chorale()
    moved = score.replace(pitch=score.pitch + steps)
    assert roots(moved) == [(root + steps) % 12 for root in roots(score)]
    assert [chord.tick for chord in features.heard_chords(moved)] == \
        [chord.tick for chord in features.heard_chords(score)]
    for measure in (features.chord_changes, features.chord_tones, features.consonance, features.dissonance):
        assert measure(moved) == measure(score)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9), st.integers(0, 127)), max_size=30),
       st.sampled_from([(4, 4), (3, 8), (7, 8), (1, 4), (2, 2), (12, 8)]))
def test_any_notes_give_chords_that_can_be_read(rows: list[tuple[int, int, int]], meter: tuple[int, int]) -> None:
    score = Score.from_rows([(onset * 120, length * 120, pitch, 80, 0) for onset, length, pitch in rows],
                            meters=(Meter(0, *meter),))
    found = features.heard_chords(score)
    assert bool(found) == bool(score.end)
    edges = beat_view(score).edges.tolist()
    for one, chord in enumerate(found):
        theory.parse_chord(chord.symbol)
        assert chord.tick in edges
        assert one == 0 or (chord.tick > found[one - 1].tick and chord.symbol != found[one - 1].symbol)


def test_what_a_score_says_is_not_heard_and_the_clock_does_not_count() -> None:
    score = chorale()
    told = score.replace(keys=(Key(0, -5),), chords=(Chord(0, "Gbm"),), spelling=np.zeros(len(score), np.int32))
    assert features.heard_chords(told) == features.heard_chords(score)
    finer = chorale(length=1920, quarter=960)
    assert [chord.symbol for chord in features.heard_chords(finer)] == \
        [chord.symbol for chord in features.heard_chords(score)]
    assert features.chord_changes(finer) == features.chord_changes(score)


def test_chord_changes_a_bar() -> None:
    assert features.chord_changes(chorale()) == 3 / 2
    assert features.chord_changes(chorale((CADENCE[0],) * 4)) == 0
    assert features.chord_changes(melody()) == 3 / 4


def test_the_share_of_chord_tones() -> None:
    rows = [(0, 1920, pitch, 80, 0) for pitch in (48, 55, 64)] + [(480, 480, 65, 80, 1), (960, 480, 67, 80, 1)]
    score = Score.from_rows(rows)
    assert features.heard_chords(score) == (Chord(0, "C"),)
    assert features.chord_tones(score) == (3 * 4 + 1) / (3 * 4 + 2)
    assert features.chord_tones(score, 1) == 0.5
    assert features.chord_tones(score, 0) == 1


def test_consonance_and_dissonance_of_what_sounds_together() -> None:
    score = Score.from_rows([(0, 960, 60, 80, 0), (0, 480, 64, 80, 0), (480, 480, 61, 80, 0), (0, 960, 72, 80, 1)])
    assert features.consonance(score) == 0.5                          # a third, then a minor second; no octaves
    assert features.dissonance(score) == pytest.approx((1.428 - 0.386) / 2)
    assert features.consonance(score, 1) is None
    triad = chorale((CADENCE[0],))
    assert features.consonance(triad) == 1
    assert features.dissonance(triad) == pytest.approx(-(0.386 + 0.594 + 1.240) / 3)
    tritone = Score.from_rows([(0, 480, 60, 80, 0), (0, 480, 66, 80, 0)])
    assert features.consonance(tritone) == 0
    assert features.dissonance(tritone) == pytest.approx(0.453)


def test_what_was_learnt_are_chances() -> None:
    values = harmony_model.harmony_values()
    for name in ("tones", "bass", "changes", "line changes"):
        assert np.allclose(values[name].sum(axis=-1), 1, atol=0.01), name
    for name in ("moves", "line moves"):
        assert ((values[name] > 0) & (values[name] < 1)).all(), name
        assert values[name][0] == values[name].max(), name            # chords change on the first beat most often


def test_only_open_music_taught_it() -> None:
    from importlib.resources import files

    from partimento.data import ledger

    text = files("partimento.features").joinpath("harmony.jsonl").read_text(encoding="utf-8")
    _, taught = ledger.from_text(text)
    assert {entry.source for entry in taught} == {"open_hymnal", "openscore_lieder", "mutopia_midi"}
    assert not any("CC-BY-SA" in entry.file for entry in taught)


def test_symbols_of_lead_sheets(music: Callable[[str], Path]) -> None:
    right = whole = 0
    for path in sorted(music("openewld").rglob("*.mxl"))[:20]:
        score = formats.read(path)
        heard = features.heard_chords(score.replace(chords=(), keys=(), texts=(), spelling=None))
        for chord, following in zip(score.chords, (*score.chords[1:], Chord(score.end, "N")), strict=True):
            at = [one for one in heard if one.tick <= chord.tick][-1]
            own = theory.parse_chord(at.symbol).root == theory.parse_chord(chord.symbol).root
            right, whole = right + own * (following.tick - chord.tick), whole + following.tick - chord.tick
    assert right > 0.4 * whole
