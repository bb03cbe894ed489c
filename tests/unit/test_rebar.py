"""Bars moved under the notes, and the sentences about bars that look wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento.errors import RequestError
from partimento.formats import frame_notices, rebar
from partimento.score import Meter, Score

RNG = np.random.default_rng(5)


def song(onsets, meters=(), per_quarter=480):
    n = len(onsets)
    return Score(onset=onsets, duration=[100] * n, pitch=[60] * n, velocity=[80] * n, track=[0] * n, meters=meters,
                 ticks_per_quarter=per_quarter)


def test_one_meter_from_the_start():
    score = song([0, 3840], (Meter(0, 1, 4), Meter(960, 3, 4)))
    assert rebar(score, (4, 4)).meters == (Meter(0, 4, 4),)


def test_a_downbeat_leaves_a_partial_bar_numbered_nought():
    score = rebar(song([0, 3840]), (3, 4), 2)
    assert score.bar_starts.tolist()[:3] == [0, 960, 2400]
    assert score.has_pickup
    assert score.bar_number(0) == 0
    assert score.bar_number(960) == 1


def test_a_downbeat_several_bars_in_and_a_fraction():
    assert rebar(song([0, 9600]), (4, 4), 9.5).meters == (Meter(0, 4, 4), Meter(720, 4, 4))
    assert rebar(song([0, 9600]), (4, 4), 8).meters == (Meter(0, 4, 4),)


def test_a_downbeat_alone_keeps_the_meters():
    score = song([0, 9600], (Meter(0, 3, 4), Meter(4800, 2, 4)))
    assert rebar(score, None, 1).meters == (Meter(0, 3, 4), Meter(480, 3, 4), Meter(4800, 2, 4))


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=20), st.integers(1, 12), st.sampled_from([1, 2, 4, 8, 16]),
       st.floats(0, 1))
def test_no_note_moves_and_the_downbeat_is_one(onsets, numerator, denominator, share):
    score = song(onsets)
    downbeat = share * score.end / 480
    out = rebar(score, (numerator, denominator), downbeat)
    assert np.array_equal(out.notes(), score.notes())
    assert (out.tempos, out.end, out.tracks) == (score.tempos, score.end, score.tracks)
    assert round(downbeat * 480) in out.bar_starts.tolist()


@pytest.mark.parametrize(("meter", "downbeat", "says"), [
    ((4, 5), None, "got 4/5"), ((0, 4), None, "got 0/4"), ((4, 4), -1, "got -1"), ((4, 4), math.nan, "got nan"),
    ((4, 4), 1e9, "inside the piece"), ((4, 4), math.inf, "got inf")])
def test_no_meter_and_no_downbeat(meter, downbeat, says):
    with pytest.raises(RequestError, match=says):
        rebar(song([0, 960]), meter, downbeat)


def test_a_good_frame_has_no_notices():
    assert frame_notices(song(np.arange(100) * 120)) == []
    assert frame_notices(song(np.arange(100) * 160)) == []
    assert frame_notices(song(np.arange(100) * 480 + RNG.integers(0, 20, 100))) == []
    assert frame_notices(song(np.arange(100) * 1440, (Meter(0, 3, 4),))) == []
    assert frame_notices(Score()) == []


def test_a_meter_of_one_beat_is_told():
    (notice,) = frame_notices(song(np.arange(100) * 480, (Meter(0, 1, 4),)))
    assert "--input-meter 4/4" in notice


def test_notes_off_every_grid_are_told():
    (notice,) = frame_notices(song(np.cumsum(RNG.integers(50, 700, 300))))
    assert "--input-downbeat" in notice


def test_notes_beside_the_beats_are_told_and_the_command_mends_them():
    score = song(np.arange(100) * 240 + 100)
    (notice,) = frame_notices(score)
    downbeat = float(notice.rsplit(" ", 1)[1])
    starts = rebar(score, (4, 4), downbeat).bar_starts[1:-1]
    assert int(np.abs(starts[:, None] - score.onset).min(axis=1).max()) <= 1


def test_more_bars_than_anyone_can_work_on_are_told():
    (notice,) = frame_notices(song([0, 480 * 4 * 200_000], (Meter(0, 1, 128),)))[:1]
    assert "--input-meter" in notice
