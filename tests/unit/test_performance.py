"""Performing a piece: what stays, each rule against a hand-worked example, the drum feel, and the verb."""

from __future__ import annotations

import inspect
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import partimento
from partimento import cli, formats, output, provenance, verbs
from partimento.errors import RequestError
from partimento.notation.quantise import is_performed
from partimento.notation.ready import is_written, ready
from partimento.performance import rules, tempo
from partimento.performance.perform import humanize_score
from partimento.performance.rules import RULES, Hearing
from partimento.request import Request
from partimento.score import Key, Mark, Score, Tempo, Track
from partimento.testing import inputs, song

TIMELESS = dict.fromkeys((*rules.TIMING, *rules.LENGTH, "noise", "phrase_tempo", "final_ritard"), 0.0)
KIT = Track("drums", 0, True)


def line(pitches, lengths, velocity=80, **frame) -> Score:
    """One note after another; lengths in quarters."""
    onset = np.append(0, np.cumsum(lengths))[:-1] * 480
    rows = [(round(o), round(480 * d), p, velocity, 0) for o, d, p in zip(onset, lengths, pitches, strict=True)]
    return Score.from_rows(rows, **frame)


def beat(bars=4, velocity=80) -> Score:
    """A rock beat with a quiet snare between the beats."""
    hits = [(240 * e, 42) for e in range(8)] + [(0, 36), (1200, 36), (480, 38), (1440, 38), (840, 38)]
    rows = [(1920 * b + tick, 60, pitch, velocity, 0) for b in range(bars) for tick, pitch in hits]
    return Score.from_rows(rows, end=bars * 1920, tracks=(KIT,))


def flat(score: Score) -> Score:
    return score.replace(velocity=np.full(len(score), 80))


def perform(score: Score, *, strength=1.0, **wish) -> Score:
    return humanize_score(Request(verb="humanize", strength=strength, **wish), score)[0].score


# --- what stays --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [*inputs(), song(2), song(9, meter=(6, 8)), beat()], ids=str)
@pytest.mark.parametrize("seed", [0, 5])
def test_only_the_expression_changes(score, seed):
    done = perform(score, seed=seed)
    assert sorted(zip(done.track, done.pitch, strict=True)) == sorted(zip(score.track, score.pitch, strict=True))
    assert (done.tracks, done.texts, done.keys) == (score.tracks, score.texts, score.keys)
    by = done.ticks_per_quarter // score.ticks_per_quarter
    assert np.array_equal(done.bar_starts, score.bar_starts * by)
    assert [m[1:] for m in done.meters] == [m[1:] for m in score.meters]
    assert done.end == score.end * by
    assert done.velocity.min() >= 1
    assert done.velocity.max() <= 127
    assert (done.duration[done.duration == 0].size > 0) == (score.duration == 0).any()
    shift = np.sort(done.seconds(done.onset)) - np.sort(score.seconds(score.onset))
    assert np.abs(shift).max() < 0.2 * max(float(score.seconds(score.end)), 1)


@pytest.mark.parametrize("score", [*inputs(), song(2), beat()], ids=str)
def test_strength_0_gives_the_input_back(score):
    result = humanize_score(Request(verb="humanize", strength=0.0), score)[0]
    assert result.score == score
    assert result.notes == ()
    assert not result.new.any()
    assert formats.to_bytes(result.score) == formats.to_bytes(score)


@pytest.mark.parametrize("seed", range(4))
def test_what_began_earlier_in_a_track_still_does_and_no_pitch_overlaps_itself(seed):
    fast = line([60, 60, 61, 60, 60, 62] * 12, [1 / 12] * 72, tempos=(Tempo(0, 300_000),))
    for score in (fast, fast.replace(tracks=(KIT,))):
        done = perform(score, seed=seed, rules={"noise": 5.0})
        assert done.pitch.tolist() == score.pitch.tolist()
        assert (np.diff(done.onset) > 0).all()
        for pitch in (60, 61, 62):
            own = done.select(done.pitch == pitch)
            assert (own.offset[:-1] <= own.onset[1:]).all()


def test_the_same_seed_gives_the_same_bytes_and_no_candidate_depends_on_how_many_were_asked_for():
    several = verbs.humanize(song(3), seed=4, count=3)
    alone = humanize_score(several[2].request)[0]
    assert formats.to_bytes(alone.score) == formats.to_bytes(several[2].score)
    assert len({one.score.content_hash for one in several}) == 3
    assert verbs.humanize(song(3), seed=4)[0].score == several[0].score
    assert verbs.humanize(song(3), seed=5)[0].score != several[0].score


def test_a_place_and_tracks_leave_all_else_as_it_is():
    score = song(2, bars=8)
    result = verbs.humanize(score, bars="3-4", tracks="melody", strength=1, seed=1)[0]
    inside = (score.track == 0) & (score.onset >= 3840) & (score.onset < 7680)
    kept = {tuple(row) for row in score.select(~inside).notes().tolist()}
    done = [tuple(row) for row in result.score.notes().tolist()]
    assert kept <= set(done)
    assert {row for row, new in zip(done, result.new, strict=True) if not new} == kept
    assert int(result.new.sum()) == int(inside.sum())
    assert result.score.tempos == score.tempos
    assert "the tempo stays as it is, since the tempo belongs to all tracks" in result.notes[0]


def test_the_tempo_outside_of_a_place_stays():
    score = song(2, bars=8)
    done = verbs.humanize(score, bars="3-4", strength=1, seed=1)[0].score
    assert len(done.tempos) > 4
    assert all(3840 <= t.tick <= 7680 for t in done.tempos[1:])
    for tick in (0, 3839, 7680, score.end - 1):
        assert done.tempo_at(tick).us_per_quarter == 500_000
    assert abs(float(done.seconds(done.end)) - float(score.seconds(score.end))) < 0.002


def test_a_clock_too_coarse_for_small_shifts_is_made_finer():
    score = song(4)
    coarse = score.replace(ticks_per_quarter=4, onset=score.onset // 120, duration=score.duration // 120,
                           end=score.end // 120)
    done = perform(coarse)
    assert done.ticks_per_quarter == 480
    assert np.array_equal(done.bar_starts, score.bar_starts)
    assert not np.array_equal(np.sort(done.onset), np.sort(score.onset))


# --- each rule, by hand ------------------------------------------------------------------------------------------


def test_every_rule_stands_in_the_table_with_its_sentence_and_source_and_takes_what_the_table_says():
    functions = {**rules.LOUDNESS, **rules.TIMING, **rules.LENGTH}
    for name, rule in RULES.items():
        assert rule.name == name
        assert rule.sentence.endswith(".")
        assert len(rule.source) > 20
        if name in functions:
            assert list(inspect.signature(functions[name]).parameters)[1:] == list(rule.parameters)
    assert set(functions) < set(RULES)


def test_high_loud_and_metre_accent():
    heard = Hearing(line([60, 64, 71, 65], [1, 1, 1, 1]))
    assert rules.high_loud(heard, 0.6, 0.5) == pytest.approx(
        [-0.6 * math.sqrt(5), -0.6 * math.sqrt(1), 0.6 * math.sqrt(6), 0.0])
    eighths = Hearing(line([60] * 8, [0.5] * 8))
    assert rules.metre_accent(eighths, 2.0) == pytest.approx([2.0, 0.8, 1.2, 0.8, 1.6, 0.8, 1.2, 0.8])


@pytest.mark.parametrize("ms", [40, 100, 200, 250, 399, 401, 500, 599, 600, 900])
def test_duration_contrast_is_the_function_of_friberg_1991(ms):
    if ms <= 200:
        unit = -11 / 170 * (ms - 30)
    elif ms <= 400:
        unit = -4 / 200 * (400 - ms) - 7
    else:
        unit = min(-7 / 200 * (600 - ms), 0)
    heard = Hearing(line([60] * 5, [ms / 500] * 5))
    parameters = RULES["duration_contrast"].parameters
    assert rules.duration_contrast(heard, **parameters)[1] == pytest.approx(1.5 * unit, abs=0.2)
    loud = RULES["duration_contrast_loudness"].parameters
    assert rules.duration_contrast_loudness(heard, **loud)[1] == pytest.approx(0.075 * unit, abs=0.01)


def test_double_duration_takes_from_the_long_note_and_no_contrast_acts_on_the_pair():
    heard = Hearing(line([60, 62, 64, 65], [0.5, 0.25, 0.5, 0.5]))     # 250, 125, 250, 250 ms
    assert rules.double_duration(heard, 0.12, 1000) == pytest.approx([-15, 15, 0, 0])
    contrast = rules.duration_contrast(heard, **RULES["duration_contrast"].parameters)
    assert contrast[:2].tolist() == [0, 0]
    assert contrast[2] == pytest.approx(1.5 * (-4 / 200 * 150 - 7))


def test_leaps():
    heard = Hearing(line([60, 69, 67, 60], [1, 1, 1, 1]))
    up, down = math.sqrt(9), math.sqrt(7)
    assert rules.leap_timing(heard, 4.2, 2.4, 3) == pytest.approx(
        [-4.2 * up, 4.2 * up, 2.4 * down, -4.2 * down])
    pause = rules.leap_pause(heard, **RULES["leap_pause"].parameters)
    assert pause == pytest.approx([8 * 9 * (0.3 / 600 * 400 + 0.3), 0, 8 * 7 * (0.3 / 600 * 400 + 0.3), 0])


def test_repeated_notes_and_the_ends_of_phrases_breathe():
    score = line([60, 60, 62, 60], [1, 1, 1, 1])
    assert rules.repeat_pause(Hearing(score), 35).tolist() == [35, 0, 0, 0]
    marked = line(list(range(60, 68)), [1] * 8, marks=(Mark(0, "phrase"), Mark(1920, "phrase")))
    heard = Hearing(marked)
    assert heard.phrases == ((0, 1440), (1920, 3360))
    assert rules.phrase_pause(heard, 80).tolist() == [0, 0, 0, 80, 0, 0, 0, 0]


def test_a_phrase_arch_swells_to_its_turn_and_fades():
    heard = Hearing(line([60] * 21, [0.5] * 21, marks=(Mark(0, "phrase"), Mark(21 * 240 - 1, "phrase"))))
    arch = heard.arch(heard.phrases[:1], heard.score.onset, 1.0, 2.0, 0.3, 2.0, 5000)
    assert arch[0] == 1.0
    assert arch[3] == pytest.approx(((0.3 - 0.15) / 0.3) ** 2)
    assert arch[6] == pytest.approx(0.0)
    assert arch[13] == pytest.approx(2 * (0.35 / 0.7) ** 2)
    assert arch[20] == 2.0
    assert rules.phrase_loudness(heard, 1.0, 2.0, 0.3, 2.0, 5000, 0.0)[20] == -2.0
    assert rules.phrase_loudness(heard, 1.0, 2.0, 0.3, 2.0, 10_000, 0.0)[20] == -1.0      # 5 of 10 s: half an arch


def test_loudness_is_in_decibels_of_which_40_are_a_velocity_ten_times_as_high():
    score = line([60, 64, 71, 65], [1, 1, 1, 1], velocity=60)
    done = perform(score, rules=TIMELESS | {name: 0.0 for name in rules.LOUDNESS if name != "high_loud"})
    db = rules.high_loud(Hearing(score), 0.6, 0.5)
    assert done.velocity.tolist() == np.rint(60 * 10 ** ((db - db.mean()) / 40)).astype(int).tolist()
    assert np.array_equal(done.onset, score.onset)


def test_timing_rules_leave_the_bar_lines_where_they_are():
    score = line([60, 62, 64, 72, 60, 67] * 8, [0.25, 0.25, 0.5, 1, 0.5, 1.5] * 8)
    done = perform(score, rules={"noise": 0.0, "phrase_tempo": 0.0, "final_ritard": 0.0})
    on_line = np.isin(score.onset, score.bar_starts)
    assert np.array_equal(done.onset[on_line], score.onset[on_line])
    moved = (done.onset - score.onset)[~on_line]
    assert 5 < np.abs(moved).max() < 60
    interval = np.diff(score.onset)
    longer = np.diff(done.onset) - interval
    assert longer[interval == 120].max() < 0
    assert longer[interval == 720].min() > 0


def test_notes_struck_together_stay_together_without_noise():
    rows = [(480 * i, 480, pitch, 80, t) for i in range(16) for t, pitch in ((0, 60 + i % 7 * 3), (0, 55), (1, 40))]
    rows += [(480 * i + 120, 60, 76, 80, 0) for i in range(0, 16, 3)]
    done = perform(Score.from_rows(rows), rules={"noise": 0.0})
    begins = {}
    for onset in done.onset.tolist():
        begins.setdefault(round(onset / 120), set()).add(onset)
    assert all(len(ticks) == 1 for ticks in begins.values())


# --- tempo -------------------------------------------------------------------------------------------------------


def test_a_tempo_curve_bends_the_time_and_keeps_its_sum():
    score = song(5, bars=16)
    tempos = tempo.tempo_curve(Hearing(score), 0, score.end, 1.0, 0.0)
    done = score.replace(tempos=tempos)
    assert float(done.seconds(done.end)) == pytest.approx(float(score.seconds(score.end)), abs=0.005)
    bpm = [t.bpm for t in tempos[1:]]
    assert 80 < min(bpm) < 110
    assert 121 < max(bpm) < 150
    assert tempos[0] == Tempo(0, 500_000)


@pytest.mark.parametrize("quantity", [0.4, 1.0])
def test_a_final_ritardando_is_a_runner_who_stops(quantity):
    score = line([60, 62] * 16, [0.5] * 32)
    tempos = tempo.tempo_curve(Hearing(score), 0, score.end, 0.0, quantity)
    done = score.replace(tempos=tempos)
    before = float(score.seconds(score.onset[-1])) - 1.3 * quantity
    v_end, x = 1 / (1 + 3 * quantity), (np.arange(100_000) + 0.5) / 100_000
    slowing = float(np.mean(1 / (1 + (v_end ** 3 - 1) * x) ** (1 / 3))) * 1.3 * quantity
    assert float(done.seconds(score.onset[-1])) == pytest.approx(before + slowing, abs=0.01)
    bpm = [t.bpm for t in tempos if t.tick < score.onset[-1]]
    assert all(a >= b for a, b in pairwise(bpm[-10:]))
    assert min(bpm) > 120 * v_end
    assert tempos[-1].bpm >= 120 * v_end * 0.999
    one_before, last = np.diff(done.seconds([score.onset[-2], score.onset[-1], score.end]))
    assert last >= one_before * (1.24 if quantity < 1 else 1)


def test_drums_keep_time_where_they_play_in_most_bars():
    score = song(5, bars=8)
    drums_of = beat(6).replace(end=score.end, tracks=(*score.tracks, KIT), track=np.full(len(beat(6)), 2))
    assert score.tracks[1].name == "piano"
    march = score.replace(tracks=(*score.tracks, KIT)).with_notes_of(drums_of.select(drums_of.onset < 3 * 1920))
    rock = score.replace(tracks=(*score.tracks, KIT)).with_notes_of(drums_of)
    assert len(perform(march).tempos) > 8
    assert perform(rock).tempos == rock.tempos
    assert len(perform(rock, rules={"phrase_tempo": 1.0}).tempos) > 8


def test_a_written_change_of_tempo_rules_on_within_the_curve():
    score = song(5, bars=8).replace(tempos=(Tempo(0, 500_000), Tempo(4 * 1920, 250_000)))
    done = perform(score)
    assert done.tempo_at(4 * 1920).us_per_quarter == 250_000
    assert np.median([t.bpm for t in done.tempos if t.tick < 4 * 1920]) == pytest.approx(120, rel=0.15)
    assert np.median([t.bpm for t in done.tempos if 4 * 1920 < t.tick < 7 * 1920]) == pytest.approx(240, rel=0.15)


# --- what is told, and what is refused ---------------------------------------------------------------------------


def test_a_performed_piece_is_told_of():
    rng = np.random.default_rng(1)
    score = song(2)
    loose = score.replace(onset=score.onset + rng.integers(0, 40, len(score)))
    said = verbs.humanize(loose, seed=1)[0].notes
    assert any("performed already (its notes stand off the grid and its velocities vary)" in one for one in said)
    assert not any("performed already" in one for one in verbs.humanize(flat(score), seed=1)[0].notes)


def test_the_smallest_pieces():
    one = verbs.humanize(line([60], [1]), seed=1)[0].score
    assert (len(one), one.pitch.tolist()) == (1, [60])
    hit = Score.from_rows([(0, 60, 36, 80, 0)], end=1920, tracks=(KIT,))
    assert len(verbs.humanize(hit, seed=1)[0].score) == 1
    unlasting = Score.from_rows([(0, 0, 60, 80, 0), (480, 0, 62, 80, 0)], end=960)
    assert verbs.humanize(unlasting, strength=1, seed=1)[0].score.duration.tolist() == [0, 0]
    with pytest.raises(RequestError, match="humanize needs a piece with notes"):
        verbs.humanize(Score(end=1920))


@pytest.mark.parametrize(("wish", "says"), [
    ({"rules": {"high_lout": 1}}, "no rule named 'high_lout'; did you mean 'high_loud'?"),
    ({"rules": {"noise": 9}}, "the quantity of noise must lie in -5..5 (1 is as published, 0 off); got 9"),
    ({"rules": {"noise": float("nan")}}, "the quantity of noise must lie"),
    ({"strength": 1.5}, "strength must lie in 0..1"),
    ({"swing": 9}, "swing must lie in 1..4"),
    ({"swing": "much"}, "swing must be a ratio from 1 to 4, or auto; got 'much'"),
    ({"bars": "40"}, "there is no bar 40"),
    ({"tracks": "flute"}, "no track named 'flute'"),
    ({"count": 0}, "count must lie in 1.."),
])
def test_what_cannot_be_performed_is_said(wish, says):
    with pytest.raises(RequestError) as caught:
        verbs.humanize(song(1), **wish)
    assert says in str(caught.value)


@pytest.mark.parametrize("wish", [{"key": "C"}, {"chords": "C"}, {"temperature": 1.0}, {"loop": True}, {"tries": 2}])
def test_what_is_of_notes_is_refused(wish):
    with pytest.raises(RequestError, match="humanize takes no "):
        humanize_score(Request(verb="humanize", **wish), song(1))


def test_no_model_performs(tmp_path):
    with pytest.raises(RequestError, match="must be of the verb humanize; got vary"):
        humanize_score(Request(verb="vary"), song(1))
    with pytest.raises(RequestError, match=r"use partimento\.humanize"):
        partimento.stream(song(1), verb="humanize", model="random")
    place = output.write(verbs.humanize(song(1), seed=1), tmp_path / "a.mid")[0]
    with pytest.raises(RequestError, match="no model made it"):
        verbs.replay(place, model="random")
    page = output.write(verbs.humanize(song(1), seed=1), tmp_path / "b.html")[0].read_text(encoding="utf-8")
    assert "<dd>None</dd>" not in page


# --- pages -------------------------------------------------------------------------------------------------------


def test_a_page_is_performed_as_it_is_played(tmp_path):
    tune = line([60, 62, 64, 65, 67, 65, 64, 62], [1] * 8, keys=(Key(0, 0),),
                marks=(Mark(1920, "repeat", "end"),))
    formats.write(tune, tmp_path / "page.musicxml")
    score = formats.read(tmp_path / "page.musicxml")
    grace = np.zeros(len(score), np.int32)
    grace[score.onset == 960] = 1
    duration = np.where(grace > 0, 0, score.duration)
    assert is_written(score)
    for page in (score, score.replace(grace=grace, duration=duration)):
        result = verbs.humanize(page, strength=1, seed=1)[0]
        assert result.score.pitch.tolist() == [60, 62, 64, 65] * 2 + [67, 65, 64, 62]
        assert not is_written(result.score)
        assert result.score.grace is None
        assert any("with its repeats taken" in one for one in result.notes)
        assert verbs.humanize(page, strength=0, seed=1)[0].score == page


@pytest.mark.parametrize("seed", range(6))
def test_the_page_of_a_performance_is_that_of_the_piece(seed):
    score = flat(song(seed, bars=8, meter=((4, 4), (3, 4))[seed % 2]))
    done = verbs.humanize(score, seed=seed)[0].score
    assert not np.array_equal(done.onset, score.onset)
    assert is_performed(done)
    pages = [ready(one) for one in (score, done)]
    rows = [sorted(zip(*(column.tolist() for column in (p.onset, p.pitch, p.track, p.duration)), strict=True))
            for p in pages]
    assert [row[:3] for row in rows[0]] == [row[:3] for row in rows[1]]
    same = sum(a == b for a, b in zip(*rows, strict=True))
    assert same >= 0.9 * len(score)
    assert pages[0].n_bars == pages[1].n_bars


# --- the verb ----------------------------------------------------------------------------------------------------


WISHES = [{}, {"strength": 0.3, "bars": "2-3", "tracks": "melody"}, {"swing": "2", "rule": {"noise": 0.0}},
          {"rule": {"phrase_tempo": 0.5, "high_loud": -1.0}}]


@pytest.mark.parametrize("wish", WISHES)
def test_python_the_command_line_and_a_replay_give_the_same_bytes(wish, tmp_path, capsys):
    path = tmp_path / "my song.mid"
    formats.write(song(2, bars=4), path)
    given = {name: value for name, value in wish.items() if name != "rule"}
    results = partimento.humanize(path, **given, rules=wish.get("rule"), seed=9, count=2)
    ours = output.write(results, tmp_path / "python", name=path.stem)
    options = [part for name, value in given.items() for part in (f"--{name}", str(value))]
    options += [part for name, value in wish.get("rule", {}).items() for part in ("--rule", f"{name}={value}")]
    line = ["humanize", str(path), *options, "--seed", "9", "-n", "2", "-o", str(tmp_path / "shell"), "--format", "mid"]
    assert cli.main(line) == 0
    said = capsys.readouterr().out.splitlines()
    assert "performed, 4 bars" in said[0]
    theirs = [Path(place) for place in said if place.endswith(".mid")]
    assert [p.name for p in ours] == [p.name for p in theirs]
    assert theirs[0].name.startswith("my-song-humanize-")
    assert [p.read_bytes() for p in ours] == [p.read_bytes() for p in theirs]
    for place in theirs:
        assert output.compare(place, verbs.replay(place)) == output.SAME_BYTES
        beside = provenance.sidecar_of(place)
        assert output.compare(beside, verbs.replay(beside)) == output.SAME_BYTES


def test_the_record_says_who_performed_what(tmp_path):
    composed = output.write(verbs.compose(model="random", bars=4, seed=1), tmp_path / "a.mid")[0]
    done = output.write(verbs.humanize(composed, bars="2-3", seed=1), tmp_path / "b.mid")[0]
    record = provenance.found_record(done)
    assert [step["by"] for step in record.steps] == ["composed", "performed"]
    assert record.steps[1]["verb"] == "humanize"
    assert [(run.first, run.last, run.steps) for run in record.hands[0].runs] == [
        (1, 1, (0,)), (2, 3, (0, 1)), (4, 4, (0,))]
    assert provenance.verify(done).ok


def test_the_rules_are_told(capsys):
    assert cli.main(["models", "--rules"]) == 0
    told = capsys.readouterr().out
    assert all(f"{name} " in told for name in RULES)
    assert "Friberg and Sundberg 1999" in told


@pytest.mark.parametrize("kind", ["musicxml", "abc", "mxl"])
def test_every_kind_of_file_is_performed(kind, tmp_path):
    formats.write(song(2, bars=4, tracks=1), tmp_path / f"tune.{kind}")
    result = verbs.humanize(tmp_path / f"tune.{kind}", seed=1)[0]
    places = output.write([result], tmp_path / "out", makes=("mid", "musicxml", "roll.png"))
    assert [p.suffix for p in places] == [".mid", ".musicxml", ".png"]
    assert result.score.n_bars == 4
