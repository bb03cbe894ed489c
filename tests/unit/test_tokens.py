import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento.errors import RequestError
from partimento.score import Meter, Score, Tempo, Track
from partimento.tokens import grid
from partimento.tokens.remi import BAR, CUT, SKIP, STOP, Remi

CLOCKS = [1, 2, 5, 7, 12, 13, 24, 96, 100, 384, 480, 1024]


def random_score(seed, clocks=CLOCKS):
    """Any legal Score: odd clocks, meters in mid-bar, empty ends, notes of no length, overlaps, drums."""
    rng = np.random.default_rng(seed)
    tpq, n = int(rng.choice(clocks)), int(rng.integers(0, 40))
    span, count = int(rng.integers(1, tpq * 30 + 2)), int(rng.integers(1, 5))
    meters = [Meter(int(rng.integers(span)) * (i > 0), int(rng.integers(1, 20)), int(rng.choice([1, 2, 4, 8, 16, 64])))
              for i in range(int(rng.integers(0, 5)))]
    tempos = [Tempo(int(rng.integers(0, span)), int(rng.integers(10**5, 3 * 10**6))) for _ in range(rng.integers(0, 4))]
    tracks = [Track("x", int(rng.integers(128)), bool(rng.integers(2))) for _ in range(count)]
    return Score(rng.integers(0, span, n), rng.integers(0, tpq * 20 + 1, n), rng.integers(60, 64, n),
                 rng.integers(1, 128, n), rng.integers(0, count, n), ticks_per_quarter=tpq,
                 end=int(rng.integers(0, span * 2)), meters=tuple(meters), tempos=tuple(tempos), tracks=tuple(tracks))


def is_legal(score):
    """No note of no length, none past the end, none that begins while its pitch sounds in its track."""
    order = np.lexsort((score.onset, score.pitch, score.track))
    same = (np.diff(score.track[order]) == 0) & (np.diff(score.pitch[order]) == 0)
    apart = score.onset[order][1:] >= score.offset[order][:-1]
    return bool((score.duration > 0).all() and (score.offset <= score.end).all() and apart[same].all())


# --- the grid --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tpq", CLOCKS)
def test_ticks_and_steps_agree(tpq):
    ticks = np.arange(5 * tpq)
    steps = np.arange(60)
    if tpq >= 12:
        assert (grid.to_steps(grid.to_ticks(steps, tpq), tpq) == steps).all()
    else:
        assert (grid.to_ticks(grid.to_steps(ticks, tpq), tpq) == ticks).all()
    assert grid.to_steps(tpq, tpq) == 12
    assert grid.to_ticks(24, tpq) == 2 * tpq


def test_snap_by_hand():
    score = Score([7, 247, 250, 1000, 1000], [1, 5000, 100, 100, 300], [60, 62, 62, 64, 64], [50, 60, 70, 80, 90],
                  [0] * 5, end=2000)
    assert grid.snap(score).notes().tolist() == [
        [0, 40, 60, 50, 0], [240, 5000, 62, 60, 0], [1000, 320, 64, 80, 0]]


def test_a_note_stops_where_the_next_of_its_pitch_begins_in_its_track():
    score = Score([0, 480, 0], [1920, 480, 1920], [60, 60, 60], [80] * 3, [0, 0, 1])
    assert grid.snap(score).notes()[:, :2].tolist() == [[0, 480], [0, 1920], [480, 480]]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6))
def test_snapping_is_legal_and_done_once(seed):
    score = random_score(seed)
    once = grid.snap(score)
    assert grid.snap(once) == once
    assert once.meters == score.meters
    assert once.ticks_per_quarter == score.ticks_per_quarter
    if score.end:
        assert once.end == score.end
        assert is_legal(once)


def test_snap_keeps_the_optional_columns_beside_their_notes():
    score = Score([5, 5, 480], [100] * 3, [60, 60, 62], [80] * 3, [0] * 3, voice=[1, 1, 2])
    assert grid.snap(score).voice.tolist() == [1, 2]


# --- Remi ------------------------------------------------------------------------------------------------------

CONFIGS = [Remi(), Remi(steps_per_quarter=4, positions=7, velocities=8), Remi(steps_per_quarter=24, velocities=127),
           Remi(steps_per_quarter=8, positions=16, tempos=1, velocities=1)]


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 10**6), remi=st.sampled_from(CONFIGS))
def test_decoding_what_was_encoded_is_snapping(seed, remi):
    score = random_score(seed)
    ids = remi.encode(score)
    snapped = remi.snap(score)
    assert ids.dtype == np.int32
    assert len(ids) == 0 or (ids.min() >= 0 and ids.max() < remi.size)
    assert remi.decode(ids, score.ticks_per_quarter) == snapped
    assert is_legal(snapped) or not score.end
    if score.ticks_per_quarter >= remi.steps_per_quarter:
        assert remi.snap(snapped) == snapped
        assert (remi.encode(snapped) == ids).all()


@settings(max_examples=200, deadline=None)
@given(ids=st.lists(st.one_of(st.integers(-3, 600), st.integers(0, 10), st.sampled_from([BAR, CUT, SKIP, 2**40]))),
       clock=st.sampled_from(CLOCKS), seed=st.integers(0, 10**6))
def test_any_ids_give_a_legal_score(ids, clock, seed):
    remi = Remi(positions=12)
    more = np.random.default_rng(seed).integers(0, remi.size, 80)
    for wild in (ids, np.concatenate([ids, more])):
        score = remi.decode(wild, clock)
        assert is_legal(score)
        assert score.n_bars >= 0
        if clock >= remi.steps_per_quarter:
            assert remi.decode(remi.encode(score), clock) == remi.snap(score)


def test_ids_that_would_never_end_are_cut_short():
    remi = Remi()
    longest = [remi.names.index(name) for name in ("Numerator 64", "Denominator 1")]
    score = remi.decode([BAR, *longest] + [BAR] * 60_000)
    assert score.end < 2**31
    assert score.n_bars > 10_000


def test_what_is_kept_of_the_frame():
    score = Score([0, 500, 1450], [480] * 3, [60, 62, 36], [1, 64, 127], [0, 1, 2], end=4000,
                  meters=(Meter(0, 1, 4), Meter(480, 3, 4), Meter(2000, 7, 8)), tempos=(Tempo(0, 650_000),),
                  tracks=(Track("piano", 0), Track("violin", 40), Track("kit", 8, True)))
    kept = Remi().snap(score)
    assert kept.tracks == (Track("", 0), Track("", 40), Track("", 0, True))
    assert kept.meters == (Meter(0, 1, 4), Meter(480, 3, 4), Meter(2000, 7, 8))
    assert kept.n_bars == score.n_bars
    assert kept.end == 4000
    assert abs(kept.tempos[0].bpm / score.tempos[0].bpm - 1) < 0.04
    assert np.abs(kept.velocity - [1, 64, 127]).max() <= 3


def test_the_words_of_a_small_piece():
    remi = Remi()
    score = Score([0, 0, 960], [480, 1920, 960], [67, 60, 64], [80] * 3, [0, 0, 1], end=2400,
                  tracks=(Track("a"), Track("b", 40)))
    assert [remi.names[i] for i in remi.encode(score)] == [
        "Program 0", "Program 40", "Bar", "Numerator 4", "Denominator 4", "Position 0", "Tempo 120",
        "Position 0", "Track 0", "Pitch 60", "Velocity 82", "Duration 48", "Pitch 67", "Velocity 82", "Duration 12",
        "Position 24", "Track 1", "Pitch 64", "Velocity 82", "Duration 24", "Bar", "Position 12", "Cut"]


def test_long_bars_skip_and_stop_stops():
    remi = Remi(positions=12)
    score = Score([0, 1440], [480, 480], [60, 62], [80, 80], [0, 0])
    ids = remi.encode(score)
    assert (ids == SKIP).sum() == 3
    assert remi.decode(ids) == remi.snap(score)
    assert len(remi.decode([*ids[:13], STOP, *ids[13:]])) == 1


def test_the_vocabulary():
    remi = Remi()
    assert len(remi.names) == len(set(remi.names)) == remi.size
    assert np.diff(remi.velocity_values).min() > 0
    assert remi.velocity_values.min() >= 1
    assert remi.velocity_values.max() <= 127
    assert 500_000 in remi.tempo_values
    assert np.diff(remi.duration_steps).min() > 0
    assert remi.duration_steps[[0, -1]].tolist() == [1, 384]
    for bad in ({"steps_per_quarter": 0}, {"velocities": 128}, {"positions": 1.5}):
        with pytest.raises(RequestError, match="must be a whole number from"):
            Remi(**bad)
    with pytest.raises(RequestError, match="at most 2 tracks"):
        Remi(tracks=2).encode(Score(tracks=(Track(),) * 3))


@pytest.mark.parametrize("name", ["pop909", "mutopia_midi", "freedoom_midi", "groove", "nottingham"])
def test_real_music_keeps_its_notes(music, name):
    from partimento.formats import read_fast

    files = sorted(music(name).rglob("*.mid"))
    remi, before, after = Remi(), 0, 0
    for path in files[::max(1, len(files) // 12)]:
        score = read_fast(path)
        snapped = remi.snap(score)
        assert remi.decode(remi.encode(score), score.ticks_per_quarter) == snapped
        before, after = before + len(score), after + len(snapped)
        assert snapped.n_bars == score.n_bars
    assert after > 0.97 * before
