"""How drums are performed: the feel learnt from drummers, and swing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from partimento import formats, verbs
from partimento.data import ledger
from partimento.performance import drums
from partimento.performance.perform import humanize_score
from partimento.request import Request
from partimento.score import Meter, Score, Tempo, Track
from partimento.testing import song

KIT = Track("drums", 0, True)


def line(pitches, lengths, **frame) -> Score:
    """One note after another; lengths in quarters."""
    onset = np.append(0, np.cumsum(lengths))[:-1] * 480
    rows = [(round(o), round(480 * d), p, 80, 0) for o, d, p in zip(onset, lengths, pitches, strict=True)]
    return Score.from_rows(rows, **frame)


def beat(bars=4) -> Score:
    """A rock beat with a quiet snare between the beats."""
    hits = [(240 * e, 42) for e in range(8)] + [(0, 36), (1200, 36), (480, 38), (1440, 38), (840, 38)]
    rows = [(1920 * b + tick, 60, pitch, 80, 0) for b in range(bars) for tick, pitch in hits]
    return Score.from_rows(rows, end=bars * 1920, tracks=(KIT,))


def perform(score: Score, *, strength=1.0, **wish) -> Score:
    return humanize_score(Request(verb="humanize", strength=strength, **wish), score)[0].score


# --- drums -------------------------------------------------------------------------------------------------------


def test_a_beat_is_struck_as_drummers_strike_it():
    score = beat()
    done = perform(score, seed=2)
    place = np.rint(done.onset / 120).astype(int) % 16
    hat, snare = done.pitch == 42, done.pitch == 38
    mean = {at: done.velocity[hat & (place == at)].mean() for at in range(0, 16, 2)}
    assert min(mean[at] for at in (0, 4, 8, 12)) > 1.5 * max(mean[at] for at in (2, 6, 10, 14))
    assert done.velocity[snare & np.isin(place, (4, 12))].min() > 1.5 * done.velocity[snare & (place == 7)].max()
    late = 1000 * (done.seconds(done.onset) - np.rint(done.onset / 120) * 0.125)
    assert 1 < np.abs(late).mean() < 30
    assert abs(late[score.onset > 0].mean()) < 6
    assert done.tempos == score.tempos


def test_accents_that_are_there_are_not_made_twice():
    once = perform(beat(), rules={"drum_feel": 1.0}, seed=2)
    twice = perform(once.replace(onset=beat().onset, duration=beat().duration), seed=2)
    assert twice.velocity.std() < 1.15 * once.velocity.std()


def test_what_is_seen_of_a_hit():
    score = Score.from_rows([(0, 60, 36, 80, 0), (360, 60, 42, 80, 0), (480, 60, 38, 80, 0), (480, 60, 42, 80, 0),
                             (1280, 60, 38, 80, 0), (1920, 60, 36, 80, 0)], end=3840, tracks=(KIT,))
    notes, places = drums.drum_places(score, 0)
    assert places.tolist() == [0, 9, 12, 12, 32, 48]
    same, view = drums.drum_view(score, 0)
    assert np.array_equal(notes, same)
    part, at = drums.kit_parts(score.pitch), places
    for i in range(len(at)):
        near = np.zeros((13, len(drums.KIT)))
        for j in range(len(at)):
            away = round((at[j] - at[i]) / 3)
            if abs(away) <= 6:
                near[6 + away, part[j]] = 1
        k = len(drums.KIT)
        row = view[i]
        assert row[:k].tolist() == np.eye(k)[part[i]].tolist()
        assert int(row[k:k + 12].argmax()) == at[i] % 12
        assert int(row[k + 12:k + 16].argmax()) == [0, 0, 1, 1, 2, 0][i]
        assert np.array_equal(row[k + 16:k + 16 + near.size].reshape(near.shape), near)
        assert row[-1] == 0


def test_the_feel_is_a_network_of_two_hidden_layers():
    score = beat(1)
    feel, weights = drums.drum_feel(score, 0), drums._weights()
    notes, view = drums.drum_view(score, 0)
    for i in (0, 5, 12):
        values = [float(v) for v in view[i]]
        for name in ("first", "second", "out"):
            matrix, bias = weights[name], weights[f"{name} bias"]
            values = [sum(v * matrix[r, c] for r, v in enumerate(values)) + bias[c] for c in range(len(bias))]
            values = values if name == "out" else [max(v, 0.0) for v in values]
        assert feel.velocity[i] == pytest.approx(min(max(127 * values[0], 1), 127))
        assert feel.delay_ms[i] == pytest.approx(drums.SCALE_MS * values[1])
    assert feel.notes.tolist() == notes.tolist()


def test_what_taught_the_drums_is_open_and_not_what_is_tested():
    entries = ledger.read(Path(drums.__file__).with_name("drums.jsonl"))[1]
    assert {(one.source, one.licence) for one in entries} == {("groove", "CC-BY-4.0")}
    used = [one.used for one in entries]
    assert (used.count("train"), used.count("valid")) == (804, 108)


def test_drums_are_like_those_of_drummers_who_taught_nothing(music):
    folder = music("groove")
    table = (folder / "info.csv").read_text(encoding="utf-8").splitlines()[1:]
    names = sorted(row.split(",")[7] for row in table if row.endswith(",test") and ",beat," in row)
    entries = ledger.read(Path(drums.__file__).with_name("drums.jsonl"))[1]
    assert not {one.file for one in entries} & set(names)
    played, ours = [], []
    for name in names[::9]:
        score = formats.read_fast(folder / name)
        feel = drums.drum_feel(score.replace(velocity=np.full(len(score), 80)), 0)
        played.append(score.velocity[feel.notes])
        ours.append(feel.velocity)
    a, b = np.concatenate(played), np.concatenate(ours)
    assert np.corrcoef(a, b)[0, 1] > 0.5
    assert np.abs(a - b).mean() < 0.85 * np.abs(a - a.mean()).mean()


# --- swing -------------------------------------------------------------------------------------------------------


def test_swing_divides_the_beat_as_asked_and_leaves_triplets():
    score = line([60] * 8 + [62] * 3 + [64], [0.5] * 8 + [1 / 3] * 3 + [3])
    done = verbs.humanize(score, strength=0, swing=2, seed=1)[0].score
    assert done.onset[:8].tolist() == [0, 320, 480, 800, 960, 1280, 1440, 1760]
    assert done.duration[:7].tolist() == [320, 160, 320, 160, 320, 160, 320]
    assert done.onset[8:].tolist() == score.onset[8:].tolist()
    assert np.array_equal(done.velocity, score.velocity)
    compound = line([60] * 12, [0.5] * 12, meters=(Meter(0, 6, 8),))
    assert perform(compound, strength=0.0, swing=2.0) == compound


@pytest.mark.parametrize(("bpm", "ratio"), [(120, 2.9019), (60, 3.1019), (250, 1.6019), (400, 1.0)])
def test_automatic_swing_is_less_the_faster(bpm, ratio):
    score = song(2).replace(tempos=(Tempo(0, round(60e6 / bpm)),))
    assert verbs.humanize(score, swing="auto", seed=1)[0].request.swing == pytest.approx(ratio, abs=1e-4)
