"""The key heard, and the way from key to key: known answers, what must not matter, and real music."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento import features, theory
from partimento.features.keys import HeardKey, key_chances, learnt_keys
from partimento.features.keys_view import VIEWS, key_view
from partimento.features.keys_walk import KEYS, bar_times, likeliest
from partimento.formats import read, tunes_of
from partimento.score import Chord, Key, Meter, Score, Tempo, Text, Track
from partimento.theory import KeyName

MAJOR = {"I": (0, 4, 7), "IV": (5, 9, 12), "V": (-5, -1, 2), "vi": (-3, 0, 4)}
MINOR = {"I": (0, 3, 7), "IV": (5, 8, 12), "V": (-5, -1, 2), "vi": (-4, 0, 3)}


def chords(key: KeyName, plan: str = "I IV V I vi IV V I", bars: int = 8, first: int = 0) -> list[list[int]]:
    """Rows of one triad a bar of 4/4, its root doubled in the bass, and a line through its tones."""
    triads = MINOR if key.mode == "minor" else MAJOR
    names = (plan.split() * bars)[:bars]
    rows = []
    for bar, name in enumerate(names, first):
        tones = [60 + key.tonic + step for step in triads[name]]
        rows += [[bar * 1920, 1920, pitch, 80, 0] for pitch in (tones[0] - 12, *tones)]
        rows += [[bar * 1920 + i * 480, 480, tones[i % 3] + 12, 80, 0] for i in range(4)]
    return rows


def cadences(key: KeyName, bars: int = 8) -> Score:
    """A piece that says its key as plainly as can be."""
    return Score.from_rows(chords(key, bars=bars))


def moved(score: Score, steps: int) -> Score:
    """The same, transposed; nothing else that could tell the key."""
    return score.replace(pitch=score.pitch + steps, spelling=None, keys=())


def up(key: KeyName, steps: int) -> KeyName:
    """A key, transposed."""
    return KeyName((key.tonic + steps) % 12, key.mode)


@pytest.mark.parametrize("key", KEYS)
def test_plain_cadences_say_their_key(key: KeyName) -> None:
    heard = features.find_key(cadences(key))
    assert heard is not None
    assert heard.key == key
    assert heard.second != key
    assert 0.3 < heard.strength <= 1
    assert features.key_path(cadences(key)) == ((0, key),)
    assert features.heard_key(cadences(key)) == (
        features.shift_of(theory.fifths(*key)), int(key.mode == "minor"))


def test_nothing_to_hear() -> None:
    few = Score.from_rows([[i * 480, 480, 60 + i, 80, 0] for i in range(7)])
    drums = cadences(KeyName(0)).replace(tracks=(Track("kit", 0, True),))
    for score in (Score(), few, drums):
        assert features.find_key(score) is None
        assert features.heard_key(score) is None
        assert features.key_path(score) == ()
    eight = Score.from_rows([[i * 480, 480, pitch, 80, 0] for i, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72))])
    assert features.find_key(eight) is not None
    assert [key for _, key in features.key_path(eight)] == [KeyName(0)]


def test_one_pitch_and_every_pitch_are_no_trouble() -> None:
    for pitches in ([60] * 12, range(60, 72), [0] * 12, [127] * 12):
        score = Score.from_rows([[i * 240, 0, pitch, 80, 0] for i, pitch in enumerate(pitches)])
        heard = features.find_key(score)
        assert heard is not None
        assert 0 <= heard.strength <= 1
        assert len(features.key_path(score)) == 1


NOTES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 8), st.integers(30, 90)), min_size=8, max_size=60)


def of(notes: list[tuple[int, int, int]]) -> Score:
    """A Score of (onset, duration, pitch) in quavers."""
    return Score.from_rows([[o * 240, d * 240, p, 80, 0] for o, d, p in notes])


@given(NOTES, st.integers(-20, 20))
def test_transposition_moves_every_chance(notes: list[tuple[int, int, int]], steps: int) -> None:
    here, there = key_view(of(notes)), key_view(moved(of(notes), steps))
    assert here is not None
    assert there is not None
    assert np.array_equal(np.roll(here, steps, axis=1), there)
    turned = np.roll(key_chances(here, learnt_keys()).reshape(2, 12), steps, axis=1).ravel()
    assert np.allclose(turned, key_chances(there, learnt_keys()), atol=1e-9)


def wandering() -> Score:
    """Sixteen bars of C, then sixteen of E major, then C again."""
    rows = [row for key, first in ((0, 0), (4, 16), (0, 32)) for row in chords(KeyName(key), bars=16, first=first)]
    return Score.from_rows(rows)


@pytest.mark.parametrize("steps", range(-6, 7))
def test_the_path_moves_with_the_music(steps: int) -> None:
    expected = ((0, KeyName(0)), (16 * 1920, KeyName(4)), (32 * 1920, KeyName(0)))
    assert features.key_path(moved(wandering(), steps)) == tuple((tick, up(key, steps)) for tick, key in expected)


def test_a_passing_chord_is_no_new_key() -> None:
    rows = chords(KeyName(0), bars=16)
    rows += [[12 * 1920, 1920, pitch, 80, 0] for pitch in (50, 66, 69)]           # one bar of D major on top
    assert features.key_path(Score.from_rows(rows)) == ((0, KeyName(0)),)


@pytest.mark.parametrize("score", [cadences(KeyName(9, "minor")), wandering()], ids=["stays", "wanders"])
def test_clock_tempo_drums_velocity_and_what_is_written_change_nothing(score: Score) -> None:
    heard, path = features.find_key(score), features.key_path(score)
    half = score.replace(onset=score.onset // 2, duration=score.duration // 2, end=score.end // 2,
                         ticks_per_quarter=240)
    beats = Score.from_rows([[i * 240, 120, 36 + i % 12, 100, 1] for i in range(score.end // 240)],
                            tracks=(Track(), Track("kit", 0, True)))
    same = [
        score.replace(tempos=(Tempo(0, 250_000), Tempo(960, 900_000))),
        score.replace(velocity=np.arange(len(score)) % 100 + 1),
        score.replace(tracks=(Track("Sonata in F sharp", 40),)),
        score.replace(keys=(Key(0, 6),), chords=(Chord(0, "F#"),), texts=(Text(0, -1, "title", "in F sharp major"),)),
        score.replace(spelling=np.full(len(score), 21)),
        score.replace(tracks=beats.tracks).with_notes_of(beats),
    ]
    for other in same:
        assert features.find_key(other) == heard
        assert features.key_path(other) == path
    assert features.find_key(half) == heard
    assert features.key_path(half) == tuple((tick // 2, key) for tick, key in path)


def test_tracks_and_their_order_change_nothing() -> None:
    score = wandering()
    two = score.replace(track=(score.pitch < 60).astype(np.int32))
    swapped = score.replace(track=(score.pitch >= 60).astype(np.int32))
    assert features.find_key(two) == features.find_key(swapped) == features.find_key(score)
    assert features.key_path(two) == features.key_path(swapped) == features.key_path(score)


def test_what_each_view_sees() -> None:
    rows = [[0, 480, 48, 80, 0], [0, 480, 64, 80, 0], [480, 480, 67, 80, 0], [960, 960, 43, 80, 0],
            [960, 960, 71, 80, 0], [1920, 1920, 48, 80, 0], [1920, 1920, 72, 80, 0]]
    found = key_view(Score.from_rows(rows))
    assert found is not None
    assert found.shape == (len(VIEWS), 12)
    seen = dict(zip(VIEWS, found, strict=True))
    assert np.allclose(seen["time"], np.bincount([0, 4, 7, 11], [9, 1, 3, 2], 12) / 15)
    assert np.allclose(seen["bass"], np.bincount([0, 7], [5, 3], 12) / 8)
    assert seen["last bass"].argmax() == seen["last top"].argmax() == 0
    assert seen["first bass"].argmax() == 0
    assert seen["first top"].argmax() == 4
    assert np.allclose(seen["first chord"], np.bincount([0, 4], minlength=12) / 2)


def test_bar_times_and_the_way_through_them() -> None:
    bars, times = bar_times(Score.from_rows([[0, 480, 60, 80, 0], [480, 960, 62, 80, 0], [5760, 9600, 64, 80, 0]]))
    assert bars.tolist() == [0, 3]
    assert times[:, [0, 2, 4]].tolist() == [[1, 2, 0], [0, 0, 4]]
    evidence = np.zeros((9, 24))
    evidence[:4, 0] = evidence[4:, 7] = 3.0
    assert likeliest(evidence, 5.0, 1.0).tolist() == [0] * 4 + [7] * 5
    assert likeliest(evidence, 50.0, 1.0).tolist() == [7] * 9
    unwelcome = np.where(np.arange(24) == 7, 10.0, 0.0)
    assert likeliest(evidence, 4.0, 1.0, unwelcome).tolist() == [0] * 4 + [7] * 5
    assert likeliest(evidence, 10.0, 1.0, unwelcome).tolist() == [0] * 9


def test_an_opera_of_three_thousand_bars_is_followed() -> None:
    rows = [row for act in range(3) for row in chords(KeyName(2 + 3 * act), bars=1000, first=1000 * act)]
    score = Score.from_rows(rows, meters=(Meter(0, 4, 4),))
    assert [(tick // 1920, key.tonic) for tick, key in features.key_path(score)] == [(0, 2), (1000, 5), (2000, 8)]


def test_folk_tunes_are_heard_in_the_key_of_their_field(music: Callable[[str], Path]) -> None:
    right = []                                  # a set that taught nothing
    for book in sorted((music("nottingham") / "ABC_cleaned").glob("*.abc")):
        for tune in tunes_of(book)[::8]:
            score = read(tune)
            heard = features.find_key(score.replace(keys=(), chords=(), texts=(), spelling=None))
            assert isinstance(heard, HeardKey)
            right.append(heard.key == theory.from_fifths(score.keys[0].fifths, score.keys[0].mode))
    assert len(right) > 100
    assert np.mean(right) >= 0.9


def test_only_open_music_taught_the_weights() -> None:
    from partimento.data import ledger

    with as_file(files("partimento.features").joinpath("keys.jsonl")) as path:
        entries = ledger.read(path)[1]
    assert {entry.source for entry in entries} == {
        "openscore_lieder", "openscore_quartets", "openscore_orchestra", "mutopia_midi", "polish_piano",
        "chopin_first_editions", "open_hymnal"}
    assert not any("CC-BY-SA" in entry.file for entry in entries)
    assert all(entry.sha256 and entry.licence for entry in entries)
