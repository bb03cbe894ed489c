"""The Score: canonical order, bars, clocks, identity, and what it refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento.errors import RequestError
from partimento.score import Chord, Controls, Key, Mark, Meter, Score, Tempo, Text, Track

BAR = 1920
ROWS = st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 2000), st.integers(0, 127), st.integers(1, 127),
                          st.integers(0, 3)), max_size=30)


def full() -> Score:
    """A Score with something in every field."""
    return Score(
        onset=[960, 0, 0], duration=[480, 960, 0], pitch=[64, 60, 72], velocity=[80, 90, 1], track=[1, 0, 1],
        voice=[2, 1, -1], staff=[1, 1, 2], spelling=[0, -1, 3], ticks_per_quarter=480, end=2 * BAR,
        meters=(Meter(0, 3, 4),), tempos=(Tempo(0, 652_174), Tempo(960, 400_000)), keys=(Key(0, -3, "minor"),),
        chords=(Chord(0, "Cm"), Chord(1440, "G7/B")), marks=(Mark(480, "fermata"), Mark(0, "section", "A")),
        tracks=(Track("Flöte", 73), Track("kit", 0, True)), controls=Controls.of([(480, 0, 0xB0, 64, 127),
                                                                                 (0, 1, 0xE0, 0, -8192)]),
        texts=(Text(0, -1, "copyright", "© 1900"), Text(240, 0, "lyric", "la")), extras={"midi": {"raw": b"\x00\xff"}})


@given(ROWS, st.randoms(use_true_random=False))
def test_notes_stand_in_one_order_however_they_come(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    score, other = Score.from_rows(rows), Score.from_rows(shuffled)
    assert score == other
    assert score.content_hash == other.content_hash
    keys = [(r[0], r[4], r[2], r[1], r[3]) for r in score.notes().tolist()]
    assert keys == sorted(keys)
    assert score.end == max((r[0] + r[1] for r in rows), default=0)


def test_optional_columns_travel_with_their_notes():
    score = full()
    assert score.onset.tolist() == [0, 0, 960]
    assert score.voice.tolist() == [1, -1, 2]
    assert score.spelling.tolist() == [-1, 3, 0]
    assert score.select(score.track == 1).staff.tolist() == [2, 1]


@pytest.mark.parametrize(("meter", "bar"), [((4, 4), 1920), ((3, 4), 1440), ((7, 8), 1680), ((5, 4), 2400),
                                            ((6, 8), 1440), ((1, 4), 480), ((3, 2), 2880), ((5, 16), 600)])
def test_bars_of_every_meter(meter, bar):
    score = Score(end=5 * bar, meters=(Meter(0, *meter),))
    assert score.bar_starts.tolist() == [bar * i for i in range(6)]
    assert score.n_bars == 5
    assert score.full_bar_ticks(0) == bar
    assert score.bar_span(5) == (4 * bar, 5 * bar)


def test_bars_whose_length_is_no_whole_number_of_ticks_do_not_drift():
    score = Score(end=7 * 30, ticks_per_quarter=5, meters=(Meter(0, 3, 8),))  # 7.5 ticks a bar
    assert score.bar_starts.tolist() == [i * 15 // 2 for i in range(28)] + [210]


def test_changing_meters_and_a_meter_in_mid_bar_leave_partial_bars():
    score = Score(end=BAR + 1440 + 700 + 900, meters=(Meter(0, 4, 4), Meter(BAR, 3, 4), Meter(BAR + 1440 + 700, 6, 8)))
    assert score.bar_starts.tolist() == [0, BAR, BAR + 1440, BAR + 2140, BAR + 3040]
    assert score.n_bars == 4
    assert [score.bar_number(t) for t in (0, BAR - 1, BAR, BAR + 1440, 9_999_999)] == [1, 1, 2, 3, 4]
    assert not score.has_pickup
    assert score.meter_at(BAR - 1) == Meter(0, 4, 4)
    assert score.meter_at(BAR) == Meter(BAR, 3, 4)


def test_a_pick_up_is_bar_0():
    score = Score(end=480 + 2 * BAR, meters=(Meter(0, 4, 4), Meter(480, 4, 4)))
    assert score.has_pickup
    assert [score.bar_number(t) for t in (0, 479, 480, 480 + BAR)] == [0, 0, 1, 2]
    assert score.bar_span(0) == (0, 480)
    with pytest.raises(RequestError, match="bars 0 to 2; there is no bar 3"):
        score.bar_span(3)
    whole = Score(end=3 * BAR, meters=(Meter(0, 4, 4), Meter(BAR, 4, 4)))
    assert not whole.has_pickup
    with pytest.raises(RequestError, match="bars 1 to 3; there is no bar 0"):
        whole.bar_span(0)


def test_an_empty_score_has_no_bars():
    score = Score()
    assert (len(score), score.end, score.n_bars, score.bar_starts.tolist()) == (0, 0, 0, [0, 0])
    assert score.meters == (Meter(0, 4, 4),)
    assert score.tempos == (Tempo(0, 500_000),)
    assert "0 notes" in repr(score)


def test_seconds_follow_the_tempo_map():
    score = Score(end=4 * 480, tempos=(Tempo(0, 500_000), Tempo(480, 1_000_000), Tempo(960, 250_000)))
    assert score.seconds([0, 240, 480, 720, 960, 1440]).tolist() == pytest.approx([0, 0.25, 0.5, 1.0, 1.5, 1.75])
    assert float(score.seconds(1920)) == pytest.approx(2.0)
    assert score.tempo_at(959).bpm == 60
    assert score.tempo_at(960).bpm == 240


def test_of_two_meters_at_one_tick_the_later_said_rules():
    score = Score(end=BAR, meters=(Meter(0, 4, 4), Meter(0, 3, 4)), tempos=(Tempo(0, 1), Tempo(0, 2)))
    assert score.meters == (Meter(0, 3, 4),)
    assert score.tempos == (Tempo(0, 2),)


def test_the_content_hash_is_the_same_for_ever():
    golden = "dd47d0bf52b7e3f50726cf3e70dfa155dd9b9316d684e23b89a02aaa9daa9ee4"
    assert full().content_hash == golden


@pytest.mark.parametrize("change", [
    {"pitch": [64, 61, 72]}, {"velocity": [80, 91, 1]}, {"end": 2 * BAR + 1}, {"voice": None},
    {"meters": (Meter(0, 6, 8),)}, {"tempos": ()}, {"keys": ()}, {"chords": ()}, {"marks": ()}, {"texts": ()},
    {"tracks": (Track("Flute", 73), Track("kit", 0, True))}, {"controls": Controls.empty()}, {"ticks_per_quarter": 96},
])
def test_any_other_music_has_another_hash(change):
    assert full().replace(**change).content_hash != full().content_hash
    assert full().replace(**change) != full()


def test_the_hash_does_not_ask_what_kind_of_number_it_was():
    ours = Score(onset=[0], duration=[4], pitch=[60], velocity=[9], track=[0], meters=(Meter(0, 3, 4),))
    theirs = Score(onset=np.zeros(1, np.int64), duration=np.array([4.0]), pitch=np.array([60], np.uint8),
                   velocity=[9], track=[0], meters=(Meter(np.int64(0), np.int32(3), 4),))
    assert ours.content_hash == theirs.content_hash


def test_a_score_is_frozen():
    score, source = full(), np.array([0, 480])
    with pytest.raises(dataclasses.FrozenInstanceError):
        score.end = 5
    for name in ("onset", "pitch", "voice"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(score, name)[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        score.controls.tick[0] = 1
    kept = Score(onset=source, duration=[1, 1], pitch=[60, 60], velocity=[1, 1], track=[0, 0])
    source[0] = 99
    assert kept.onset.tolist() == [0, 480]


@pytest.mark.parametrize(("columns", "says"), [
    ({"pitch": [128]}, "pitch must lie in 0..127; got 128"),
    ({"pitch": [-1]}, "pitch must lie in 0..127; got -1"),
    ({"velocity": [0]}, "velocity must lie in 1..127; got 0"),
    ({"onset": [-5]}, "onset must lie in 0..2147483647; got -5"),
    ({"duration": [-1]}, "duration must lie in"),
    ({"track": [-1]}, "track must lie in"),
    ({"track": [2**31 - 1]}, "track must lie in"),
    ({"onset": [2**32 + 5]}, "onset must lie in .* got 4294967301"),
    ({"onset": [0.5]}, "onset must be a whole number"),
    ({"onset": [float("nan")]}, "onset must be a whole number"),
    ({"pitch": ["C4"]}, "pitch must be a whole number"),
    ({"voice": ["alto"]}, "voice must be a whole number"),
    ({"pitch": [60, 62]}, r"must hold 1 values; pitch has shape \(2,\)"),
    ({"staff": []}, "must hold 1 values; staff"),
    ({"onset": 0}, "onset has shape"),
    ({"onset": [2**31 - 2], "duration": [5]}, "must end by tick 2147483647"),
    ({"ticks_per_quarter": 0}, "ticks_per_quarter must be at least 1; got 0"),
    ({"meters": (Meter(0, 0, 4),)}, "a meter must be of numbers from 1; got 0/4"),
    ({"meters": (Meter(0, 4, 0),)}, "a meter must be of numbers from 1; got 4/0"),
    ({"tempos": (Tempo(0, 0),)}, "a tempo must be at least 1 microsecond"),
])
def test_bad_columns_are_refused_in_one_sentence(columns, says):
    good = {"onset": [0], "duration": [480], "pitch": [60], "velocity": [80], "track": [0]}
    with pytest.raises(RequestError, match=says) as caught:
        Score(**good | columns)
    assert "\n" not in str(caught.value)


def test_more_bars_than_can_be_worked_on_are_refused():
    with pytest.raises(RequestError, match=r"at most 1000000 bars.*--input-meter"):
        _ = Score(end=2**31 - 1, ticks_per_quarter=1, meters=(Meter(0, 1, 4),)).n_bars


def test_notes_of_others_are_added_and_the_frame_stays():
    score = full()
    other = Score(onset=[10], duration=[20], pitch=[50], velocity=[60], track=[0])
    both = score.with_notes_of(other)
    assert len(both) == 4
    assert both.voice.tolist() == [1, -1, -1, 2]  # the newcomer at tick 10 has no voice
    assert both.select(both.onset != 10) == score
    assert score.without_notes().with_notes_of(score) == score
    assert score.with_notes_of() == score


def test_replace_changes_only_what_is_named():
    score = full()
    moved = score.replace(end=9 * BAR)
    assert moved.end == 9 * BAR
    assert moved.replace(end=score.end) == score
    assert score.end == 2 * BAR
    with pytest.raises(TypeError):
        score.replace(length=3)
    rows = score.with_rows([(0, 1, 2, 3, 0)])
    assert rows.voice is None
    assert rows.controls.rows().tolist() == score.controls.rows().tolist()


def test_tracks_are_made_for_the_notes_that_need_them():
    assert Score.from_rows([(0, 1, 60, 80, 2)], tracks=(Track("a"),)).tracks == (Track("a"), Track(), Track())


def test_controls_are_sorted_by_tick_and_keep_their_order_of_arrival():
    controls = Controls.of([(5, 0, 0xB0, 1, 1), (0, 0, 0xB0, 2, 2), (5, 0, 0xB0, 3, 3)])
    assert controls.number.tolist() == [2, 1, 3]
    assert controls.select(controls.tick == 5).value.tolist() == [1, 3]
    assert len(Controls.empty()) == 0


def test_a_score_with_more_bars_than_can_be_counted_still_shows_itself():
    score = Score(onset=[0], duration=[9], pitch=[60], velocity=[80], track=[0], end=2**30,
                  meters=(Meter(0, 1, 1 << 20),))
    with pytest.raises(RequestError):
        score.n_bars  # noqa: B018
    assert repr(score).startswith("Score: 1 notes, over 1000000 bars of 1/1048576, 120 bpm, ")
    assert score._repr_html_() is None


def test_a_score_shows_itself():
    text = repr(full())
    assert "3 notes" in text
    assert "Flöte" in text
    assert "drums" in text
    assert "… and 16 more tracks" in repr(Score(tracks=(Track("x"),) * 40))
