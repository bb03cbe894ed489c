"""The measures of papers on pieces worked out by hand, and what must not change them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

from partimento import formats
from partimento.errors import RequestError
from partimento.judge import distances
from partimento.judge.measures import MEASURES, entropy, steps_of, tonal_centroids
from partimento.score import Meter, Score, Track

DRUMS = Track("drums", 0, True)


def piece(rows: list[tuple[int, int, int, int]], bars: int = 2, tracks: tuple[Track, ...] = ()) -> Score:
    """Notes as (onset, duration, pitch, track), in quarters."""
    return Score.from_rows([(480 * o, 480 * d, p, 80, t) for o, d, p, t in rows], end=1920 * bars,
                           tracks=tracks or (Track("a"), Track("b"))[:max((t for *_, t in rows), default=0) + 1])


SCALE = [(i, 1, p, 0) for i, p in enumerate((60, 62, 64, 65, 67, 69, 71, 72))]
CHORDS = [(0, 4, 60, 0), (0, 4, 64, 0), (0, 4, 67, 0), (4, 2, 60, 1)]
BEAT = [(i, 1, 36, 0) for i in range(4)] + [(4, 1, 36, 0), (6, 1, 38, 0)]

BY_HAND = [
    ("pitch_class_entropy", SCALE, (), 2.75),                       # C twice of 8, six others once
    ("bar_pitch_class_entropy", SCALE, (), 2.0),                    # four different ones in either bar
    ("pitch_entropy", SCALE, (), 3.0),
    ("used_pitch_classes", SCALE, (), 4.0),
    ("used_pitch_classes", CHORDS, (), 2.0),                        # 3 in one bar, 1 in the other track's one
    ("scale_consistency", SCALE, (), 1.0),
    ("scale_consistency", [(0, 1, 60, 0), (1, 1, 61, 0), (2, 1, 62, 0), (3, 1, 63, 0)], (), .75),
    ("polyphony", CHORDS, (), 14 / 6),
    ("polyphony_rate", CHORDS, (), 4 / 6),
    ("polyphony_rate", [(0, 1, 60, 0), (0, 1, 64, 0)], (), 0.0),    # two are not more than two
    ("qualified_notes", SCALE, (), 1.0),
    ("empty_bars", CHORDS, (), .5),
    ("empty_bars", [(0, 8, 60, 0)], (), 0.0),
    ("onset_entropy", SCALE, (), 0.0),
    ("onset_entropy", [(0, 1, 60, 0), (1, 1, 60, 0), (3, 1, 60, 0)], (), 1.0),
    ("groove_consistency", BEAT, (DRUMS,), 1 - 2 / 96),
    ("grooving_similarity", BEAT, (DRUMS,), 1 - 2 / 96),
    ("drum_pattern", BEAT, (DRUMS,), 1.0),
    ("tonal_distance", [(0, 1, 60, 0), (0, 1, 72, 1)], (), 0.0),
    ("tonal_distance", [(0, 1, 60, 0), (0, 1, 66, 1)], (), 8 ** .5),    # opposite on two circles, the same on one
]


@pytest.mark.parametrize(("name", "rows", "tracks", "value"), BY_HAND)
def test_by_hand(name: str, rows: list[tuple[int, int, int, int]], tracks: tuple[Track, ...], value: float) -> None:
    assert MEASURES[name].measure(piece(rows, tracks=tracks)) == pytest.approx(value, abs=1e-9)


def test_every_measure_is_worked_by_hand_and_none_measures_nothing() -> None:
    by_hand_elsewhere = {"structure_short", "structure_mid", "structure_long"}          # test_structure.py
    assert {name for name, *_ in BY_HAND} | by_hand_elsewhere == set(MEASURES)
    for row in MEASURES.values():
        assert row.measure(Score()) is None, row.name
        assert row.meaning
        assert row.source


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_key_clock_and_order_of_tracks_change_nothing(name: str) -> None:
    rng = np.random.default_rng(3)
    rows = [(int(o), int(d), int(p), int(t)) for o, d, p, t in zip(
        np.sort(rng.integers(0, 30, 80)), rng.integers(1, 3, 80), rng.integers(48, 80, 80), rng.integers(0, 3, 80),
        strict=True)]
    score = piece(rows, 8, (Track("a"), Track("b"), DRUMS))
    there = score.track < 2
    moved = score.replace(pitch=np.where(there, score.pitch + 5, score.pitch), onset=score.onset * 2, end=score.end * 2,
                          duration=score.duration * 2, ticks_per_quarter=960)
    turned = score.replace(track=np.array([1, 0, 2])[score.track], velocity=np.full(len(score), 33))
    measure = MEASURES[name].measure
    assert measure(score) is not None
    assert measure(moved) == pytest.approx(measure(score))
    assert measure(turned) == pytest.approx(measure(score))


def test_opposite_of_a_third_is_where_the_circles_say() -> None:
    chroma = np.eye(12)
    away = np.linalg.norm(tonal_centroids(chroma)[0] - tonal_centroids(chroma), axis=-1)
    # angles on the three circles are 7, 9 and 4 twelfths of a turn a semitone
    turn = 2 * np.pi * np.arange(12)[:, None] * np.array([7, 9, 4]) / 12
    assert away == pytest.approx(np.sqrt(((2 * np.sin(turn / 2) * np.array([1, 1, .5])) ** 2).sum(1)))


def test_steps_round_and_last() -> None:
    score = Score(onset=[9, 11, 480], duration=[0, 5, 100], pitch=[60] * 3, velocity=[80] * 3, track=[0] * 3)
    found = steps_of(score)
    assert found.onset.tolist() == [0, 1, 24]
    assert found.end.tolist() == [1, 2, 29]
    assert entropy([0, 5]) == 0.0


# --- against a roll, cell by cell ----------------------------------------------------------------------------------


def band(seed: int) -> Score:
    """Three tracks of anything, one of them drums, in bars of 3 and 4 quarters; onsets anywhere."""
    rng = np.random.default_rng(seed)
    count = 90
    onset = np.sort(rng.integers(0, 480 * 26, count))
    onset[rng.random(count) < .6] //= 120
    onset[onset < 480 * 26 // 120] *= 120
    return Score(onset=onset, duration=rng.choice([20, 60, 120, 240, 480, 700], count),
                 pitch=rng.integers(40, 80, count), velocity=np.full(count, 80), track=rng.integers(0, 3, count),
                 end=480 * 28,
                 meters=(Meter(0, 4, 4), Meter(480 * 16, 3, 4)), tracks=(Track("a"), Track("b"), DRUMS))


def by_cells(score: Score) -> dict[str, float]:
    """The measures as their papers put them, from lists of notes and a roll of 24 steps a quarter."""
    lines = [round(tick / 20) for tick in score.bar_starts.tolist()]
    notes = [(round(o / 20 + 1e-9), max(round((o + d) / 20 + 1e-9), round(o / 20 + 1e-9) + 1), p, t)
             for o, d, p, _, t in score.notes()[:, [0, 1, 2, 3, 4]].tolist()]
    tones, beats = [n for n in notes if n[3] < 2], [n for n in notes if n[3] == 2]
    bars = list(pairwise(lines))
    used, silent = [], {0: 0, 1: 0, 2: 0}
    for track in (0, 1, 2):
        for low, high in bars:
            sounding = {p % 12 for o, e, p, t in notes if t == track and o < high and e > low}
            if not sounding:
                silent[track] += 1
            elif track < 2:
                used.append(len(sounding))

    def bits(items: list[int]) -> float:
        share = np.array(list(Counter(items).values())) / len(items)
        return float(-(share * np.log2(share)).sum())

    gaps = [b - a for track in (0, 1) for a, b in pairwise(sorted({o for o, _, _, t in tones if t == track}))]
    width = max(b - a for a, b in bars)
    grooves = [{o - low for o, *_ in notes if low <= o < high} for low, high in bars]
    alike = [1 - len(a ^ b) / width for a, b in combinations(grooves, 2)]
    near = [1 - len(a ^ b) / width for a, b in pairwise(grooves)]
    kept = [bits([p % 12 for o, _, p, _ in tones if low <= o < high]) for low, high in bars
            if any(low <= o < high for o, *_ in tones)]
    apart = []
    for beat in range(0, lines[-1], 24):
        centres = []
        for track in (0, 1):
            weight = np.zeros(12)
            for o, e, p, t in tones:
                weight[p % 12] += max(0, min(e, beat + 24) - max(o, beat)) * (t == track)
            if weight.any():
                angle = np.arange(12) * np.pi
                circles = [(1, 7 / 6), (1, 3 / 2), (.5, 2 / 3)]
                share = weight / weight.sum()
                centres.append(np.array([radius * (share @ wave(turn * angle)) for radius, turn in circles
                                         for wave in (np.sin, np.cos)]))
        if len(centres) == 2:
            apart.append(float(np.linalg.norm(centres[0] - centres[1])))
    return {"used_pitch_classes": float(np.mean(used)), "empty_bars": sum(silent.values()) / (3 * len(bars)),
            "qualified_notes": float(np.mean([e - o >= 3 for o, e, *_ in tones])), "onset_entropy": bits(gaps),
            "grooving_similarity": float(np.mean(alike)), "groove_consistency": float(np.mean(near)),
            "bar_pitch_class_entropy": float(np.mean(kept)), "tonal_distance": float(np.mean(apart)),
            "drum_pattern": max(float(np.mean([o % 6 == 0 for o, *_ in beats])),
                                float(np.mean([o % 8 == 0 for o, *_ in beats])))}


@pytest.mark.parametrize("seed", range(4))
def test_as_a_roll_has_them_cell_by_cell(seed: int) -> None:
    score = band(seed)
    for name, value in by_cells(score).items():
        assert MEASURES[name].measure(score) == pytest.approx(value, abs=1e-9), name


# --- sets ------------------------------------------------------------------------------------------------------------


def test_overlap_of_sets_alike_and_apart() -> None:
    rng = np.random.default_rng(0)
    same = distances.compare_sets(rng.normal(0, 1, 80), rng.normal(0, 1, 80))
    apart = distances.compare_sets(rng.normal(0, 1, 80), rng.normal(9, 1, 80))
    assert same.overlap > .85 > .2 > apart.overlap
    assert same.divergence < .2 < apart.divergence
    assert apart.reference_mean == pytest.approx(9, abs=.5)


def test_density_is_that_of_a_bell() -> None:
    at = np.linspace(-4, 4, 81)
    many = distances.kernel_density(np.random.default_rng(1).normal(0, 1, 20_000), at)
    assert np.abs(many - np.exp(-at ** 2 / 2) / np.sqrt(2 * np.pi)).max() < .02


def test_density_is_the_published_one() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(5)
    for sample in (rng.normal(3, 2, 40), np.abs(rng.normal(size=3000)), np.repeat([0.0, 1.0, 5.0], [50, 3, 1])):
        at = np.linspace(sample.min() - 1, sample.max() + 1, 300)
        theirs = stats.gaussian_kde(sample)(at)
        assert distances.kernel_density(sample, at) == pytest.approx(theirs, abs=2e-3 * theirs.max())


def test_sets_compare_as_in_the_published_toolbox() -> None:
    """Distances, kernels and the overlap of mgeval, and its divergence with both densities taken at one place."""
    stats, integrate = pytest.importorskip("scipy.stats"), pytest.importorskip("scipy.integrate")
    rng = np.random.default_rng(6)
    ours, theirs = rng.normal(0, 1, 25), rng.normal(.8, 1.5, 30)
    within = np.array([abs(a - b) for i, a in enumerate(ours) for k, b in enumerate(ours) if i != k])
    between = np.array([abs(a - b) for a in ours for b in theirs])
    one, other = stats.gaussian_kde(within), stats.gaussian_kde(between)
    low, high = min(within.min(), between.min()), max(within.max(), between.max())
    inside = integrate.quad(lambda x: min(one(x)[0], other(x)[0]), low, high, limit=200)[0]
    everywhere = integrate.quad(lambda x: min(one(x)[0], other(x)[0]), low - 3, high + 3, limit=200)[0]
    found = distances.compare_sets(ours, theirs)
    assert found.overlap == pytest.approx(everywhere, abs=.01)
    assert inside <= found.overlap <= inside + .12                  # what it loses below nought
    margin = np.std(np.concatenate([within, between]))
    at = np.linspace(low - margin, high + margin, 1000)
    assert found.divergence == pytest.approx(stats.entropy(one(at), other(at)), rel=.02)


def test_divergence_of_two_bells_is_the_formula() -> None:
    rng = np.random.default_rng(2)
    found, overlap = distances.divergence_and_overlap(rng.normal(0, 1, 4000), rng.normal(1, 1, 4000))
    assert found == pytest.approx(.5, abs=.08)                      # (mean difference)² / 2
    assert overlap == pytest.approx(.617, abs=.02)                  # 2 Φ(−½)


def test_too_few_pieces_are_refused() -> None:
    with pytest.raises(RequestError, match="two pieces in each"):
        distances.compare_sets(np.array([1.0]), np.array([1.0, 2.0]))
    with pytest.raises(RequestError, match="at least one value"):
        distances.bootstrap(np.zeros(0))


def test_an_interval_holds_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    held = 0
    for k in range(100):
        found = distances.bootstrap(rng.normal(3, 1, 40), seed=k, resamples=300)
        held += found.low <= 3 <= found.high
    assert 85 <= held <= 100


def test_parts_are_all_of_it() -> None:
    first, second = distances.parted(11, 4, seed=2)
    assert sorted([*first, *second]) == list(range(11))
    assert distances.parted(11, 4, seed=2)[0].tolist() == first.tolist()


# --- against the published implementation ----------------------------------------------------------------------------

THEIRS = """
import json, math, sys, muspy
music = muspy.read_midi(sys.argv[1])
music.adjust_resolution(24)
music.tracks = [track for track in music.tracks if track.notes]
found = {"pitch_class_entropy": muspy.pitch_class_entropy(music), "pitch_entropy": muspy.pitch_entropy(music),
         "scale_consistency": muspy.scale_consistency(music), "polyphony": muspy.polyphony(music),
         "polyphony_rate": muspy.polyphony_rate(music), "drum_pattern": muspy.drum_pattern_consistency(music)}
print(json.dumps({name: None if math.isnan(value) else float(value) for name, value in found.items()}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mutopia_midi/PD", "freedoom_midi"])
def test_as_muspy_has_them(name: str, music: Callable[[str], Path], tmp_path: Path) -> None:
    found = os.environ.get("PARTIMENTO_MUSPY", sys.executable)      # a Python that has it
    if subprocess.run([found, "-c", "import muspy"], capture_output=True, check=False).returncode:
        pytest.skip("muspy is not installed")
    files = sorted((music(name.split("/")[0]) / "/".join(name.split("/")[1:])).rglob("*.mid"))[:12]
    script = tmp_path / "theirs.py"
    script.write_text(THEIRS, encoding="utf-8")
    alike = total = 0
    for path in files:
        done = subprocess.run([found, "-W", "ignore", str(script), str(path)], capture_output=True, check=True,
                              encoding="utf-8")
        score = formats.read(path)
        for measure, value in json.loads(done.stdout).items():
            ours = MEASURES[measure].measure(score)
            total += 1
            alike += ours is None if value is None else ours == pytest.approx(value, abs=1e-9)
    assert alike / total > .85          # notes of no length, and notes that never end, are read otherwise there
