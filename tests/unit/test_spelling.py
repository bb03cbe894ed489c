"""Pitch spelling: what every musician agrees on, what the function promises, and real scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento.formats import musicxml_read
from partimento.notation import spelling_net
from partimento.notation.names import HIGHEST, LOWEST, OFFSET, name_of, spelling_of
from partimento.notation.spelling import respelled, spell
from partimento.notation.spelling_view import view
from partimento.score import Key, Score, Track

MAJOR = [0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2, 0]
HARMONIC_MINOR = [0, 2, 3, 5, 7, 8, 11, 12, 11, 8, 7, 5, 3, 2, 0]


def parse(word: str) -> tuple[int, int]:
    """Pitch and spelling of a name such as F#4 or Bb3."""
    step, sign, octave = word[0], word[1:-1], int(word[-1])
    alter = sign.count("#") - sign.count("b")
    natural = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[step]
    return 12 * (octave + 1) + natural + alter, spelling_of(step, alter)


def written(text: str, fifths: int | None = None) -> Score:
    """Music as names: chords apart by spaces, their notes joined by commas, a quarter each; with their spelling."""
    rows, names = [], []
    for moment, chord in enumerate(text.split()):
        for pitch, name in sorted(map(parse, chord.split(","))):
            rows.append((480 * moment, 480, pitch, 80, 0))
            names.append(name)
    keys = () if fifths is None else (Key(0, fifths, ""),)
    return Score.from_rows(rows, keys=keys).replace(spelling=names)


def named(score: Score, found: np.ndarray) -> str:
    return " ".join(f"{step}{'#' * alter}{'b' * -alter}" for step, alter, _ in
                    (name_of(int(p), int(s)) for p, s in zip(score.pitch, found, strict=True)))


def melody(steps: list[int], tonic: int, fifths: int | None) -> Score:
    keys = () if fifths is None else (Key(0, fifths, ""),)
    return Score.from_rows([(240 * i, 240, tonic + step, 80, 0) for i, step in enumerate(steps)], keys=keys)


# --- scales in every key ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fifths", range(-7, 8))
def test_a_major_scale_needs_no_accidental_in_its_key(fifths: int) -> None:
    score = melody(MAJOR, 60 + fifths * 7 % 12, fifths)
    degrees = spell(score) - OFFSET - fifths
    assert degrees.tolist() == [0, 2, 4, -1, 1, 3, 5, 0, 5, 3, 1, -1, 4, 2, 0]


@pytest.mark.parametrize("fifths", range(-7, 8))
def test_the_leading_note_of_a_minor_scale_is_raised(fifths: int) -> None:
    score = melody(HARMONIC_MINOR, 57 + fifths * 7 % 12, fifths)
    degrees = spell(score) - OFFSET - fifths
    assert degrees.tolist() == [3, 5, 0, 2, 4, -1, 8, 3, 8, -1, 4, 2, 0, 5, 3]


@pytest.mark.parametrize("fifths", range(-4, 6))
def test_scales_are_heard_without_a_key(fifths: int) -> None:
    score = melody(MAJOR * 2, 60 + fifths * 7 % 12, None)
    assert (spell(score) - OFFSET - fifths).tolist() == [0, 2, 4, -1, 1, 3, 5, 0, 5, 3, 1, -1, 4, 2, 0] * 2


@pytest.mark.parametrize("fifths", [-6, 6])
def test_a_signature_decides_between_enharmonic_keys(fifths: int) -> None:
    score = melody(MAJOR, 66, fifths)
    found = spell(score) - OFFSET
    assert found.min() == fifths - 1
    assert found.max() == fifths + 5


# --- what chromatic notes are for ---------------------------------------------------------------------------------

CASES = {
    "chromatic line up": (0, "C4,E4,G4 C5 C#5 D5 D#5 E5 F5 F#5 G5 G#5 A5 A#5 B5 C6 C4,E4,G4,C5"),
    "chromatic line down": (0, "C4,E4,G4 C6 B5 Bb5 A5 Ab5 G5 F#5 F5 E5 Eb5 D5 Db5 C5 G3,B3,F4,G4 C4,E4,G4,C5"),
    "dominant of the dominant": (0, "C3,E4,G4,C5 D3,F#4,A4,C5 G3,G4,B4,D5 C3,G4,C5,E5"),
    "dominant of the dominant, flats": (-4, "Ab2,Eb4,Ab4,C5 Bb2,D4,Ab4,F5 Eb3,G4,Bb4,Eb5 Ab2,Ab4,C5,Eb5"),
    "italian sixth": (-3, "C3,G4,C5,Eb5 Ab3,C4,C5,F#5 G3,B3,D5,G5 C3,G4,C5,Eb5"),
    "german sixth": (-3, "C3,G4,C5,Eb5 Ab3,C4,Eb4,F#5 G3,C4,Eb4,G5 G3,B3,D4,G5 C3,G4,C5,Eb5"),
    "neapolitan": (-3, "C3,G4,C5,Eb5 F3,F4,Ab4,Db5 G3,F4,G4,B4 C3,Eb4,G4,C5"),
    "diminished seventh of A minor": (0, "A3,C4,E4,A4 G#3,B3,D4,F4 A3,C4,E4,A4 G#3,B3,D4,F4 A3,C4,E4,A4"),
    "diminished seventh of C minor": (-3, "C4,Eb4,G4 B3,D4,F4,Ab4 C4,Eb4,G4 B3,D4,F4,Ab4 C4,Eb4,G4,C5"),
    "of the dominant, in C": (0, "C3,E4,G4,C5 F#3,Eb4,A4,C5 G3,D4,G4,B4 C3,E4,G4,C5"),
    "modulation to the dominant": (-1, "F3,A3,C4,F4 G3,Bb3,D4,G4 G3,B3,F4,G4 C3,C4,E4,G4 G3,B3,D4,G4 C3,C4,E4,G4"),
    "melodic minor": (1, "E4 F#4 G4 A4 B4 C#5 D#5 E5 D5 C5 B4 A4 G4 F#4 E4"),
    "neighbour notes": (2, "D4,F#4,A4 A4 G#4 A4 E4 D#4 E4 F#4 E#4 F#4 D4,F#4,A4"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("keys", [True, False])
def test_chromatic_notes(case: str, keys: bool) -> None:
    fifths, text = CASES[case]
    score = written(text, fifths)
    assert named(score, spell(score, keys=keys)) == named(score, score.spelling)


def test_octaves_in_other_parts_are_spelled_alike() -> None:
    rows = [(480 * i, 480, 60 + step + 12 * track, 80, track) for i, step in enumerate([0, 1, 2, 3, 4, 6, 7])
            for track in range(3)]
    score = Score.from_rows(rows)
    assert (np.ptp(spell(score).reshape(-1, 3), axis=1) == 0).all()


# --- what is promised ---------------------------------------------------------------------------------------------

NOTE = st.tuples(st.integers(0, 5000), st.integers(0, 2000), st.integers(0, 127), st.just(80), st.integers(0, 3))


@given(st.lists(NOTE, max_size=40), st.lists(st.tuples(st.integers(0, 4000), st.integers(-7, 7)), max_size=3),
       st.booleans())
def test_every_spelling_is_one_of_its_pitch_and_drums_have_none(
    notes: list[tuple[int, int, int, int, int]], keys: list[tuple[int, int]], with_keys: bool,
) -> None:
    tracks = (Track(), Track(), Track(), Track("kit", 0, True))
    score = Score.from_rows(notes, keys=tuple(Key(*key, "") for key in keys), tracks=tracks)
    found = spell(score, keys=with_keys)
    drums = score.track == 3
    assert (found[drums] == -1).all()
    spelled = found[~drums]
    assert ((spelled - OFFSET) * 7 % 12 == score.pitch[~drums] % 12).all()
    assert ((spelled >= LOWEST) & (spelled <= HIGHEST)).all()


def test_nothing_and_drums_alone() -> None:
    assert spell(Score()).shape == (0,)
    assert respelled(Score()).spelling is not None
    drums = Score(onset=[0], duration=[1], pitch=[38], velocity=[80], track=[0], tracks=(Track("", 0, True),))
    assert spell(drums).tolist() == [-1]
    assert respelled(drums).spelling.tolist() == [-1]


def test_grace_notes_are_moments_of_their_own() -> None:
    notes = {"onset": [0, 480, 480, 480, 960], "duration": [480, 0, 0, 480, 480], "pitch": [72, 70, 69, 74, 72],
             "velocity": [80] * 5, "track": [0] * 5}
    score = Score(**notes, grace=[0, 1, 2, 0, 0])
    assert view(score, np.ones(5, bool)).moment.tolist() == [0, 2, 1, 3, 4]     # the Score has them by pitch
    assert view(Score(**notes), np.ones(5, bool)).moment.tolist() == [0, 1, 1, 1, 2]


def test_spelling_moves_with_the_music() -> None:
    _, text = CASES["german sixth"]
    score = written(text, -3)
    for fifths in range(-2, 6):
        moved = score.replace(pitch=score.pitch + (7 * fifths + 6) % 12 - 6, keys=(Key(0, fifths - 3, ""),))
        assert (spell(moved) == score.spelling + fifths).all()


def test_a_long_piece_is_read_in_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    steps = np.array(MAJOR)[rng.integers(0, 15, 1500)] + 12 * rng.integers(0, 2, 1500) + (rng.random(1500) < 0.05)
    score = melody(steps.tolist(), 60, 0)
    whole = spell(score)
    monkeypatch.setattr(spelling_net, "_WINDOW", 200)
    monkeypatch.setattr(spelling_net, "_MARGIN", 150)
    assert (spell(score) == whole).mean() > 0.995


# --- what was said stays --------------------------------------------------------------------------------------------


def test_what_was_said_of_spelling_stays() -> None:
    score = written("C4,E4,G4 C#4,E4,A4 D4,F4,A4", 0)
    odd = score.replace(spelling=[*score.spelling[:3], OFFSET - 5, -1, -1, -1, -1, -1])
    assert respelled(odd).spelling[3] == OFFSET - 5
    assert (respelled(odd).spelling[4:] == score.spelling[4:]).all()
    assert respelled(score) == score
    assert (respelled(score.replace(spelling=None)).spelling == spell(score)).all()


def test_a_spelling_of_another_pitch_is_not_taken() -> None:
    score = written("C4,E4,G4 D4,F4,A4", 0)
    assert (respelled(score.replace(spelling=np.full(6, OFFSET + 1))).spelling == score.spelling).all()


def test_notes_follow_the_spelled_ones_around() -> None:
    flats = melody(MAJOR, 66, None)
    place = np.array([0, 2, 4, -1, 1, 3, 5, 0, 5, 3, 1, -1, 4, 2, 0])
    for tonic in (-6, 6):
        said = np.where(np.arange(15) % 3 == 0, place + tonic + OFFSET, -1)
        assert (respelled(flats.replace(spelling=said)).spelling == place + tonic + OFFSET).all()


# --- real music -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["openscore_lieder", "openscore_quartets"])
def test_real_scores(name: str, music: Callable[[str], Path]) -> None:
    paths = sorted(music(name).rglob("*.mxl"), key=lambda path: path.stat().st_size)
    right, total = np.zeros(2), 0
    for path in paths[len(paths) // 20::len(paths) // 6][:6]:
        score = musicxml_read.parse(path.read_bytes()).score
        right += [(spell(score, keys=keys) == score.spelling).sum() for keys in (True, False)]
        total += len(score)
    assert (right / total >= 0.985).all(), right / total
