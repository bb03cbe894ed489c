"""The first downbeat found from the notes, and the way of ``--input-downbeat auto`` to the bars."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento import checkpoint, cli, formats, verbs
from partimento.data.corpus import load, rebarring
from partimento.errors import RequestError
from partimento.formats import rebar
from partimento.formats.bars import find_bars
from partimento.formats.downbeat import downbeat
from partimento.formats.rebar import parse_input_meter
from partimento.score import Meter, Score, Track
from partimento.training import train

# (beat, length in beats, pitch above the root) of a bar: a long bass note on the first beat, chords after it.
PATTERNS = {
    (4, 4): [(0, 3.5, 0), (1, 0.9, 16), (1, 0.9, 19), (2, 0.5, 24), (2.5, 0.4, 26), (3, 0.9, 16), (3, 0.9, 19)],
    (3, 4): [(0, 2.8, 0), (1, 0.8, 16), (1, 0.8, 19), (1.5, 0.4, 28), (2, 0.8, 16), (2, 0.8, 19)],
    (2, 4): [(0, 1.9, 0), (0.5, 0.2, 19), (1, 0.9, 16), (1.5, 0.2, 19)],
    (6, 8): [(0, 2.5, 0), (1, 0.8, 16), (2, 0.8, 19), (3, 1.5, 12), (4, 0.8, 16), (5, 0.8, 19)],
    (2, 2): [(0, 1.9, 0), (0.5, 0.2, 19), (1, 0.9, 16), (1.5, 0.2, 19)],
}
ROOTS = (36, 41, 43, 38)
SAID = {meter: (Meter(0, *meter),) for meter in PATTERNS}


def song(meter=(4, 4), shift=0.0, bars=16, meters=None, loose=0, drums=False, seed=0):
    """`bars` bars of a pattern in `meter` whose first bar begins `shift` quarters after the start."""
    beat = 480 * 4 / meter[1]
    rows = [((bar * meter[0] + at) * beat + shift * 480, length * beat, ROOTS[bar % 4] + above)
            for bar in range(bars) for at, length, above in PATTERNS[meter]]
    onset, duration, pitch = np.round(np.array(rows).T).astype(int)
    onset = np.maximum(0, onset + np.random.default_rng(seed).integers(-loose, loose + 1, len(onset)))
    return Score(onset=onset, duration=duration, pitch=pitch, velocity=[80] * len(onset), track=[0] * len(onset),
                 meters=meters or (Meter(0, 1, 4),), tracks=(Track("kit", 0, True),) if drums else ())


@pytest.mark.parametrize("meter", PATTERNS)
@given(shift=st.integers(0, 1919))
def test_the_shift_of_a_song_is_found(meter, shift):
    bar = meter[0] * 4 / meter[1]
    found = downbeat(song(meter, shift / 480), *meter)
    assert 0 <= found < bar
    away = (found - shift / 480 + bar / 2) % bar - bar / 2
    assert abs(away) < 4 / meter[1] / 24 + 1e-6     # a beat that nearly is the file's own is left to it


@given(shift=st.floats(0.05, 3.95), seed=st.integers(0, 99))
def test_a_performance_is_found_too(shift, seed):
    found = downbeat(song(shift=shift, loose=20, seed=seed), 4, 4)
    assert abs((found - shift + 2) % 4 - 2) < 0.06


@pytest.mark.parametrize("meter", PATTERNS)
def test_a_song_that_is_right_stays(meter):
    score = song(meter, meters=SAID[meter])
    assert downbeat(score, *meter) == 0
    assert rebar(score, None, "auto") is score


def test_a_file_that_says_its_bars_is_believed_in_doubt():
    for bars in (1, 2, 12):
        assert downbeat(song(bars=bars, shift=1), 4, 4) == 1
        assert downbeat(song(bars=bars, shift=1, meters=SAID[4, 4]), 4, 4) == 0     # too few bars to be a proof
    assert downbeat(song(bars=32, shift=1, meters=SAID[4, 4]), 4, 4) == 1


def test_a_pickup_that_is_written_stays():
    for meters in ((Meter(0, 1, 4), Meter(480, 4, 4)), (Meter(0, 4, 4), Meter(480, 4, 4))):
        score = song(shift=1, meters=meters)
        assert downbeat(score, 4, 4) == 1
        assert rebar(score, None, "auto") is score


def test_nothing_can_be_told_of_silence_drums_or_free_playing():
    free = np.cumsum(np.random.default_rng(1).integers(40, 900, 300))
    notes = Score(onset=free, duration=[300] * 300, pitch=[60] * 300, velocity=[80] * 300, track=[0] * 300)
    assert downbeat(notes, 4, 4) == 0
    assert downbeat(Score(), 4, 4) == 0
    assert downbeat(song(shift=1.1, drums=True), 4, 4) == 0
    assert downbeat(song(shift=1.1).replace(duration=np.zeros(112, int)), 4, 4) == 0
    assert rebar(Score(), None, "auto").n_bars == 0


def test_odd_songs_give_a_place_inside_the_first_bar():
    far = Score(onset=[0, 2**31 - 2], duration=[1, 1], pitch=[0, 127], velocity=[1, 1], track=[0, 0],
                ticks_per_quarter=1)
    one = Score(onset=[1369], duration=[1], pitch=[60], velocity=[80], track=[0], meters=(Meter(0, 1, 4),))
    for score in (far, one, one.replace(ticks_per_quarter=1)):
        for meter in ((4, 4), (1, 4), (255, 128), (7, 8)):
            assert 0 <= downbeat(score, *meter) < meter[0] * 4 / meter[1]
    assert rebar(one, None, "auto").meters[0] == Meter(0, 4, 4)


def test_auto_reads_one_beat_a_bar_as_four():
    out = rebar(song(shift=0.6), None, "auto")
    assert out.meters == (Meter(0, 4, 4), Meter(288, 4, 4))
    assert out.bar_starts.tolist()[1:4] == [288, 288 + 1920, 288 + 3840]
    assert rebar(song((3, 4), 0.6), (3, 4), "auto").meters == (Meter(0, 3, 4), Meter(288, 3, 4))
    assert rebar(song((3, 4), 2.6, meters=SAID[3, 4]), None, "auto").meters == (Meter(0, 3, 4), Meter(1248, 3, 4))


def test_auto_leaves_a_file_whose_meter_changes_unless_a_meter_is_said():
    score = song(shift=0.6, meters=(Meter(0, 4, 4), Meter(3840, 3, 4)))
    assert rebar(score, None, "auto") is score
    assert rebar(score, (4, 4), "auto").meters == (Meter(0, 4, 4), Meter(288, 4, 4))


@pytest.mark.parametrize("word", ["Auto?", "", "1/4", "first"])
def test_other_words_are_refused_before_anything_is_read(word):
    with pytest.raises(RequestError, match="a number of quarter notes from the start, or auto"):
        rebarring(None, word)
    with pytest.raises(RequestError, match="a number of quarter notes from the start, or auto"):
        rebar(song(), None, word)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "songs"
    place.mkdir()
    for i, shift in enumerate((0.0, 0.6, 1.1, 2.25, 3.7)):
        formats.write(song(shift=shift), place / f"{i}.mid")
    return place


def test_every_file_of_a_folder_has_its_own(folder):
    corpus = load(folder, valid_share=0, near="keep", change=rebarring(None, "auto"))
    firsts = {piece.score.bar_starts[1] if piece.score.has_pickup else 0 for piece in corpus.train}
    assert firsts == {0, 288, 528, 1080, 1776}


def test_train_and_convert_take_it(folder, tmp_path, capsys):
    assert cli.main(["train", str(folder), "--input-downbeat", "auto", "-o", str(tmp_path / "a.partimento"),
                     "--quiet"]) == 0
    ours = train(folder, model="markov", out=tmp_path / "b.partimento", input_downbeat="auto")
    assert (tmp_path / "a.partimento").read_bytes() == (tmp_path / "b.partimento").read_bytes()
    assert ours.corpus is not None
    assert all(piece.score.meters[0] == Meter(0, 4, 4) for piece in ours.corpus.train)
    assert "auto" in str(checkpoint.about_checkpoint(tmp_path / "a.partimento"))
    assert cli.main(["convert", str(folder), "-o", str(tmp_path / "out"), "--input-downbeat", "auto"]) == 0
    assert formats.read(tmp_path / "out" / "2.mid").bar_starts.tolist()[1] == 528
    capsys.readouterr()


def test_a_verb_counts_bars_from_the_downbeat_found(folder, tmp_path, capsys):
    old = formats.read(folder / "1.mid")
    out = verbs.infill(folder / "1.mid", bars="2", model="random", seed=1, input_downbeat="auto")[0]
    assert out.score.bar_span(2) == (288 + 1920, 288 + 3840)
    outside = (out.score.onset < 288 + 1920) | (out.score.onset >= 288 + 3840)
    kept = (old.onset < 288 + 1920) | (old.onset >= 288 + 3840)
    assert out.score.select(outside).notes().tolist() == old.select(kept).notes().tolist()
    assert cli.main(["infill", str(folder / "1.mid"), "--bars", "2", "--model", "random", "--seed", "1",
                     "--input-downbeat", "auto", "-o", str(tmp_path / "x.mid"), "--quiet"]) == 0
    assert formats.read(tmp_path / "x.mid").notes().tolist() == formats.keep(out.score).notes().tolist()
    assert cli.main(["inspect", str(folder / "1.mid"), "--input-downbeat", "soon"]) == 1
    assert "or auto; got 'soon'" in capsys.readouterr().err


def test_the_beats_of_pop_songs_are_where_the_notation_of_each_has_them(music):
    wrong = []
    songs = sorted(place for place in music("pop909").iterdir() if (place / "beat_midi.txt").exists())[:60]
    for place in songs:
        score = formats.read_fast(place / f"{place.name}.mid")
        ticks = np.arange(0, score.end, 10)
        beats = np.loadtxt(place / "beat_midi.txt")[:, 0]
        beats = np.interp(beats[beats < score.seconds(score.end)], score.seconds(ticks), ticks) / 480
        away = np.angle(np.exp(2j * np.pi * (beats - downbeat(score, 4, 4))).mean()) / (2 * np.pi)
        if abs(away) > 1 / 8:
            wrong.append(place.name)
    assert len(songs) == 60
    assert len(wrong) <= 2, wrong


# --- every bar: --input-meter auto ---------------------------------------------------------------------------------


def played(meter=(4, 4), shift=0.0, bars=16):
    """A song whose bass notes are louder."""
    score = song(meter, shift, bars)
    return score.replace(velocity=np.where(np.arange(len(score)) % len(PATTERNS[meter]), 64, 96))


@pytest.mark.parametrize("meter", [(4, 4), (3, 4), (6, 8), (2, 2)])
@pytest.mark.parametrize("shift", [0.0, 0.6, 1.0, 2.4])
def test_meter_and_place_are_found(meter, shift):
    score = played(meter, shift)
    named = (4, 4) if meter == (2, 2) else meter        # in quarters the two are one
    out = rebar(score, "auto")
    assert out.meters == ((Meter(0, *named), Meter(round(shift * 480), *named)) if shift else (Meter(0, *named),))
    assert out.notes().tolist() == score.notes().tolist()
    assert rebar(score, "auto", "auto") == out


def test_a_bar_that_is_shorter_is_found():
    once = played()
    onset = np.append(once.onset, once.onset + 16 * 1920 + 960)
    score = Score(onset=onset, duration=np.tile(once.duration, 2), pitch=np.tile(once.pitch, 2),
                  velocity=np.tile(once.velocity, 2), track=[0] * len(onset), meters=(Meter(0, 1, 4),))
    bars = find_bars(score)
    assert {bar.quarters for bar in bars} == {2, 4}
    late = [bar.tick for bar in bars if bar.tick > 20 * 1920]
    assert late
    assert {(tick - 16 * 1920 - 960) % 1920 for tick in late} == {0}
    assert (2, 4) in {meter[1:] for meter in rebar(score, "auto").meters}


@pytest.mark.parametrize("meter", [(4, 4), (3, 4), (2, 4), (6, 8)])
def test_bars_that_are_right_stay_whatever_is_asked(meter):
    score = song(meter, meters=SAID[meter])
    assert rebar(score, "auto") is score
    assert rebar(score, "auto", "auto") is score


def test_meters_that_cannot_be_found_or_that_change_are_believed():
    for meters in ((Meter(0, 7, 8),), (Meter(0, 4, 4), Meter(3840, 3, 4))):
        score = song(shift=0.6, meters=meters)
        assert rebar(score, "auto") is score


def test_no_bars_are_found_where_there_are_too_few_notes_or_only_drums():
    few = Score(onset=[0, 480], duration=[1, 1], pitch=[0, 127], velocity=[1, 1], track=[0, 0])
    for score in (Score(), few, song(drums=True), song(bars=1).replace(meters=(Meter(0, 1, 4),))):
        assert len(find_bars(score)) < 2
        assert rebar(score, "auto").notes().tolist() == score.notes().tolist()
    assert rebar(song(drums=True), "auto").meters == song().meters


@given(onsets=st.lists(st.integers(0, 2**31 - 9), min_size=8, max_size=40), quarter=st.sampled_from([1, 24, 480, 960]))
def test_any_notes_are_barred_inside_the_piece(onsets, quarter):
    n = len(onsets)
    score = Score(onset=onsets, duration=[7] * n, pitch=[60] * n, velocity=[80] * n, track=[0] * n,
                  ticks_per_quarter=quarter, meters=(Meter(0, 1, 4),))
    for bar in find_bars(score):
        assert 0 <= bar.tick < score.end
        assert bar.quarters in (2, 3, 4, 5)
    assert all(meter.tick < score.end for meter in rebar(score, "auto").meters[1:])


def test_words_that_cannot_go_together_are_refused():
    with pytest.raises(RequestError, match=r"leave it out or say auto; got 1\.5"):
        rebar(song(), "auto", "1.5")
    with pytest.raises(RequestError, match="3/4 or 6/8, or auto; got 'waltz'"):
        rebar(song(), "waltz")
    with pytest.raises(RequestError, match="a number of quarter notes from the start, or auto"):
        rebar(song(), "auto", "soon")


def test_most_bars_of_pop_songs_are_where_the_notation_has_them(music):
    shares = []
    songs = sorted(place for place in music("pop909").iterdir() if (place / "beat_midi.txt").exists())[-40:]
    for place in songs:
        score = formats.read_fast(place / f"{place.name}.mid")
        marks = np.loadtxt(place / "beat_midi.txt", ndmin=2)
        halves = marks[marks[:, 1] > 0, 0]
        found = score.seconds(np.array([bar.tick for bar in find_bars(score)]))
        shares.append((np.abs(found[:, None] - halves).min(axis=1) < 0.07).mean())
    assert np.mean(shares) > 0.7


def test_a_meter_that_is_said_is_read_and_auto_is_let_through():
    assert rebar(played(), parse_input_meter("auto")) == rebar(played(), "auto")
    assert parse_input_meter("6/8") == (6, 8)
    assert parse_input_meter(None) is None
    with pytest.raises(RequestError):
        parse_input_meter("waltz")
