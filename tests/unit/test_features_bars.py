"""What every bar measures at once is what it measures when cut out, and what bars have in common."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento import features
from partimento.controls import CONTROLS
from partimento.errors import RequestError
from partimento.features.table import SOUNDING
from partimento.score import Meter, Score, Track

Q = 480
METERS = (
    (Meter(0, 4, 4),),
    (Meter(0, 7, 8),),
    (Meter(0, 5, 16),),                                                     # bars of no whole number of grid steps
    (Meter(0, 1, 4), Meter(Q, 4, 4)),                                       # a pick-up of one beat
    (Meter(0, 3, 8), Meter(Q * 3 // 2, 6, 8), Meter(Q * 3 // 2 + 6 * Q, 2, 2)),
    (Meter(0, 4, 4), Meter(5 * Q, 3, 4), Meter(8 * Q, 4, 4)),               # the second bar is cut short
)
TRACKS = (Track("flute", 73), Track("piano"), Track("kit", 0, True))


def bar_of(score, index, name):
    """The bar cut out by itself, with what rings into it where sounding time is measured."""
    return features.excerpt(score, index, index + 1, held=name in SOUNDING)


def assert_bars_agree(score, track=None):
    table = features.by_bar(score, track)
    assert set(table) == {*features.BAR_MEASURES, "repetition", "groove"}
    for name, measure in features.BAR_MEASURES.items():
        assert table[name].shape == (score.n_bars,)
        alone = [measure(bar_of(score, i, name), track) for i in range(score.n_bars)]
        wanted = np.array([np.nan if value is None else value for value in alone])
        assert table[name] == pytest.approx(wanted, nan_ok=True, abs=1e-9), name


@st.composite
def scores(draw):
    rows = draw(st.lists(st.tuples(
        st.integers(0, 60), st.sampled_from([0, 1, 3, 6, 12, 40]), st.integers(58, 66), st.integers(40, 90),
        st.integers(0, 2), st.sampled_from([0, 0, 0, 17, -13, 40])), max_size=40))
    notes = [(max(0, o * 120 + shift), d * 120, p, v, t) for o, d, p, v, t, shift in rows]
    return Score.from_rows(notes, meters=draw(st.sampled_from(METERS)), end=draw(st.integers(0, 20)) * Q, tracks=TRACKS)


@given(scores(), st.sampled_from([None, 0, 2]))
def test_bars_at_once_are_bars_one_by_one(score, track):
    assert_bars_agree(score, track)


def test_held_notes_sound_on_but_do_not_begin_again():
    score = Score.from_rows([(0, 8 * Q, 60, 80, 0), (2 * Q, 6 * Q, 64, 80, 0), (12 * Q, Q, 61, 80, 0)], end=16 * Q,
                            tracks=TRACKS[:1])
    table = features.by_bar(score)
    nan = np.nan
    assert table["density"].tolist() == [2, 0, 0, 1]
    assert table["polyphony"] == pytest.approx([1.5, 2, nan, 1], nan_ok=True)
    assert table["rests"].tolist() == [0, 0, 1, .75]
    assert table["register"] == pytest.approx([62, nan, nan, 61], nan_ok=True)
    assert table["note_length"] == pytest.approx([3, nan, nan, 1], nan_ok=True)     # as long as their bar lets them
    assert_bars_agree(score)


def test_a_pick_up_is_the_end_of_a_bar():
    rows = [(0, Q, 60, 80, 0), (Q, 4 * Q, 62, 80, 0)]
    score = Score.from_rows(rows, meters=(Meter(0, 1, 4), Meter(Q, 4, 4)))
    assert features.metric_levels(score)[[0, 6, 12, 24]].tolist() == [3, 2, 5, 3]
    assert np.isnan(features.by_bar(score)["accents"]).all()        # both notes are on beats
    assert features.accents(score.replace(onset=score.onset + np.array([Q // 2, 0]), velocity=[70, 80])) == 10
    assert_bars_agree(score)


def test_empty_pieces_have_empty_tables():
    for score in (Score(), Score([0], [0], [60], [80], [0])):
        assert {len(column) for column in features.by_bar(score).values()} == {0}
        assert features.self_similarity(score).shape == (0, 0)
    silent = features.by_bar(Score(end=4 * 4 * Q))
    assert silent["density"].tolist() == [0] * 4
    assert np.isnan(silent["register"]).all()
    assert np.isnan(features.self_similarity(Score(end=4 * Q))).all()


def test_bars_have_the_names_of_the_controls():
    assert set(features.by_bar(Score(end=Q))) <= set(CONTROLS)
    for name, measure in features.BAR_MEASURES.items():
        assert CONTROLS[name].measure is measure


def test_an_excerpt_keeps_its_bars():
    score = Score.from_rows([(0, 6 * Q, 60, 80, 0), (4 * Q, 8 * Q, 64, 80, 1)], tracks=TRACKS[:2],
                            meters=(Meter(0, 4, 4), Meter(8 * Q, 2, 4)), end=12 * Q)
    cut = features.excerpt(score, 1, 3)
    assert cut.notes().tolist() == [[0, 6 * Q, 64, 80, 1]]
    assert (cut.end, cut.meters, cut.tracks) == (6 * Q, (Meter(0, 4, 4), Meter(4 * Q, 2, 4)), score.tracks)
    assert features.excerpt(score, 1, 2, held=True).notes().tolist() == [[0, 2 * Q, 60, 80, 0], [0, 4 * Q, 64, 80, 1]]


# --- form ------------------------------------------------------------------------------------------------------------

A, B = [(0, 1, 60), (1, 1, 62), (2, 2, 64)], [(0, 1, 60), (1, 1, 65), (2, 1, 64), (3, 1, 62)]


def bars(*contents, track=0):
    return Score.from_rows([(i * 4 * Q + o * Q, d * Q, p, 80, track) for i, bar in enumerate(contents)
                            for o, d, p in bar], end=len(contents) * 4 * Q)


def test_bars_alike_by_hand():
    found = features.self_similarity(bars(A, B, [], A))
    two = 2 / np.sqrt(12)                               # two onsets of three and four are the same
    nan = np.nan
    wanted = np.array([[1, two, nan, 1], [two, 1, nan, two], [nan] * 4, [1, two, nan, 1]])
    assert found == pytest.approx(wanted, nan_ok=True)


def test_likeness_does_not_depend_on_how_the_table_is_cut(monkeypatch):
    rng = np.random.default_rng(0)
    score = Score.from_rows(np.stack([np.sort(rng.integers(0, 200, 300)) * 120, np.full(300, 120),
                                      rng.integers(60, 72, 300), np.full(300, 80), rng.integers(0, 3, 300)], axis=1))
    found = features.self_similarity(score)
    monkeypatch.setattr("partimento.features.form._COLUMNS", 7)
    assert features.self_similarity(score) == pytest.approx(found, nan_ok=True)
    assert np.array_equal(found, found.T, equal_nan=True)
    assert np.nanmin(found) >= 0


def test_form_of_one_track_and_of_too_many_bars():
    score = bars(A, B, A)
    both = score.with_notes_of(bars(B, B, A, track=1)).replace(tracks=(Track("a"), Track("b")))
    assert features.self_similarity(both, 0) == pytest.approx(features.self_similarity(score))
    assert features.self_similarity(both)[0, 1] == pytest.approx((2 + 4) / np.sqrt(7 * 8))
    with pytest.raises(RequestError, match="at most 5000 of them; this one has 5001"):
        features.self_similarity(Score(end=5001 * 4 * Q))


def test_likeness_of_rhythm_and_of_notes_to_bars_before():
    table = features.by_bar(bars(A, [(o, d, p + 1) for o, d, p in A], [], A, B))
    assert table["repetition"] == pytest.approx([np.nan, 0, np.nan, 1, 2 / 5], nan_ok=True)
    assert table["groove"] == pytest.approx([np.nan, 1, np.nan, 1, 3 / 4], nan_ok=True)


# --- histograms ------------------------------------------------------------------------------------------------------


def test_steps_of_the_upper_line_are_counted_with_their_direction():
    score = bars([(0, 1, 60), (0, 1, 72), (1, 1, 79), (2, 1, 60), (3, 1, 60)])
    found = features.interval_histogram(score)
    assert found.shape == (25,)
    assert found[[12 - 12, 12, 12 + 7]] == pytest.approx([1 / 3] * 3)           # 79 to 60 is wider than an octave
    assert not features.interval_histogram(Score()).any()
    assert features.pitch_range(score) == (60, 79)
    assert features.pitch_range(Score()) is None


def test_lengths_are_counted_at_the_nearest():
    score = bars([(0, .9, 60), (1, 1.1, 60), (2, .33, 60), (3, 40, 60)])
    assert [row for row in features.duration_histogram(score) if row[1]] == [("1/3", .25), ("1", .5), ("8", .25)]
    assert dict(features.inter_onset_histogram(score))["1"] == 1
    assert sum(share for _, share in features.duration_histogram(Score())) == 0
    assert [name for name, _ in features.duration_histogram(score)] == [name for name, _ in features.NOTE_VALUES]


def test_the_groove_of_bars():
    score = bars(A, B).replace(meters=(Meter(0, 4, 4), Meter(4 * Q, 2, 4)))
    places = features.bar_onsets(score, steps_per_quarter=1)
    assert places.tolist() == [[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0]]
    assert features.onset_places(score, steps_per_quarter=1) == pytest.approx([3 / 7, 3 / 7, 1 / 7, 0])
    early = Score([2 * Q - 10], [10], [60], [80], [0], meters=(Meter(0, 2, 4),), end=2 * Q)
    assert features.bar_onsets(early).tolist() == [[1, 0, 0, 0, 0, 0, 0, 0]]
    assert not features.onset_places(Score()).any()


def test_loudness_by_metrical_place():
    score = Score([0, 240, 480, 960], [240] * 4, [60] * 4, [100, 60, 80, 90], [0] * 4, end=4 * Q)
    profile = features.accent_profile(score)
    assert profile[[5, 4, 3, 2]].tolist() == [100, 90, 80, 60]
    assert np.isnan(profile[[0, 1]]).all()
    assert features.velocity_range(score) == (60, 100)
    assert features.velocity_range(Score()) is None


def test_drummers_swing_where_their_style_says_so(music):
    import csv

    from partimento.formats import read_fast

    folder = music("groove")
    found = {"swing": [], "rock": []}
    with (folder / "info.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            style = "swing" if "swing" in row["style"] or "shuffle" in row["style"] else row["style"]
            if style in found and row["beat_type"] == "beat" and row["time_signature"] == "4-4" and \
                    len(found[style]) < 15:
                value = features.swing(read_fast(folder / row["midi_filename"]))
                found[style] += [value] if value is not None else []
    assert np.median(found["swing"]) > 1.5
    assert .95 < np.median(found["rock"]) < 1.1
