"""Draws through the inverse CDF, temperature and top-p, and the legal mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento import theory
from partimento.request import Request
from partimento.sampling import Legal, draw, generator, shape, track_ranges
from partimento.score import Chord, Meter, Score, Track

WEIGHTS = st.lists(st.floats(0, 1e6) | st.just(0.0), min_size=1, max_size=20).filter(lambda w: sum(w) > 1e-9)
FRAME = Score(end=1920, tracks=(Track("violin", 40), Track("kit", 0, True)))


def test_the_same_seed_and_path_draw_the_same():
    golden = [0.923, 0.7204, 0.2664]
    assert generator(7, 1, 2).random(3).round(4).tolist() == golden
    assert generator(7, 1, 2).random() != generator(7, 2, 1).random()
    assert generator(2**63 - 1).random() < 1


@given(WEIGHTS, st.floats(0, 1, exclude_max=True))
def test_a_draw_is_possible_and_moves_up_with_the_uniform(weights, uniform):
    index = draw(weights, uniform)
    assert weights[index] > 0
    assert draw(weights, 0.0) <= index <= draw(weights, np.nextafter(1, 0))


def test_draws_come_as_often_as_their_weights():
    counts = np.bincount([draw([1, 0, 3], u) for u in (np.arange(1000) + 0.5) / 1000])
    assert counts.tolist() == [250, 0, 750]


@given(WEIGHTS, st.floats(0.05, 20), st.floats(0.001, 1))
def test_shape_keeps_the_order_and_what_is_impossible(weights, temperature, top_p):
    before = np.array(weights)
    after = shape(before, temperature, top_p)
    assert np.isfinite(after).all()
    assert after.max() > 0
    assert not after[before == 0].any()
    order = np.argsort(-before, kind="stable")
    assert (np.diff(after[order]) <= 1e-9 * max(after.max(), 1)).all()


def test_temperature_and_top_p_do_what_they_say():
    weights = np.array([0.5, 0.3, 0.2])
    assert shape(weights) is weights
    assert shape(weights, 0.5).round(3).tolist() == [1.0, 0.36, 0.16]
    assert shape(weights, top_p=0.5).tolist() == [0.5, 0, 0]
    assert shape(weights, top_p=0.51).tolist() == [0.5, 0.3, 0]
    assert shape(weights, top_p=0.001).tolist() == [0.5, 0, 0]


def test_every_pitch_is_legal_without_a_request():
    legal = Legal(FRAME, None)
    assert legal.pitches(0, 0).all()
    assert legal.ranges == [(0, 127)] * 2


def test_range_and_scale_hold_and_drums_are_free_of_the_key():
    legal = Legal(FRAME, Request(key="E minor", ranges={"violin": "G3-G4"}))
    found = np.flatnonzero(legal.pitches(0, 0))
    assert (found.min(), found.max()) == (55, 67)
    assert set(found % 12) <= theory.scale(4, "minor")
    assert np.flatnonzero(legal.pitches(1, 0)).tolist() == list(range(35, 82))


def test_on_a_beat_under_a_chord_only_its_tones_are_legal():
    around = FRAME.replace(chords=(Chord(0, "C"), Chord(960, "F#")), meters=(Meter(0, 6, 8),))
    legal = Legal(around, Request(key="C major", chords="C"))
    classes = {tick: set(np.flatnonzero(legal.pitches(0, tick)) % 12) for tick in (0, 100, 240, 960, 1000)}
    assert classes[0] == classes[240] == {0, 4, 7}
    assert classes[100] == set(theory.scale(0, "major"))
    assert classes[960] == {6, 10, 1}
    assert classes[1000] == set(theory.scale(0, "major")) | {6, 10, 1}
    assert set(np.flatnonzero(Legal(around, Request(key="C")).pitches(0, 960)) % 12) == set(theory.scale(0, "major"))


def test_the_mask_is_never_empty():
    legal = Legal(FRAME, Request(key="C major", ranges={"violin": "C#4-C#4"}))
    assert np.flatnonzero(legal.pitches(0, 0)).tolist() == [61]


@pytest.mark.parametrize("program", [0, 32, 40, 73, 127])
def test_a_track_without_a_range_has_that_of_its_instrument(program):
    around = Score(tracks=(Track("x", program),))
    assert track_ranges(around, Request()) == [theory.instrument_range(program)]
