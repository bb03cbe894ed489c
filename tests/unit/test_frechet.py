"""The Fréchet Music Distance: its formula, what size does to it, and the space it is measured in."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from partimento import features, formats
from partimento.errors import RequestError
from partimento.judge.embedding import EMBEDDING, FACTS, embed, piece_facts, sounding_slices
from partimento.judge.frechet import (
    corrected_distance,
    frechet,
    frechet_distance,
    frechet_of,
    frechet_text,
    places_of,
)
from partimento.notation.play import played
from partimento.score import Meter, Score, Tempo, Track

FloatArray = npt.NDArray[np.float64]


# --- the formula ---------------------------------------------------------------------------------------------------


def published(places: FloatArray, others: FloatArray) -> float:
    """The formula as it is published, with the root of the product of the covariances."""
    linalg = pytest.importorskip("scipy.linalg")
    one, other = np.cov(places, rowvar=False), np.cov(others, rowvar=False)
    root = np.real(linalg.sqrtm(one @ other))
    apart = places.mean(axis=0) - others.mean(axis=0)
    return float(apart @ apart + np.trace(one) + np.trace(other) - 2 * np.trace(root))


@pytest.mark.parametrize(("count", "others", "axes"), [(60, 200, 12), (25, 30, 20), (200, 40, 3)])
def test_the_distance_is_the_published_one(count: int, others: int, axes: int) -> None:
    rng = np.random.default_rng(count)
    one = rng.normal(size=(count, axes)) @ rng.normal(size=(axes, axes))
    other = 1 + rng.normal(size=(others, axes)) @ rng.normal(size=(axes, axes))
    assert frechet_distance(one, other) == pytest.approx(published(one, other), rel=1e-6)
    assert frechet_distance(other, one) == pytest.approx(frechet_distance(one, other), rel=1e-9)


def test_by_hand_on_one_axis_and_on_two() -> None:
    one = np.array([[-1.0], [1.0]])                                 # mean 0, variance 2
    assert frechet_distance(one, 5 + 3 * one) == pytest.approx(25 + 2 + 18 - 2 * 6)
    flat = np.array([[0.0, 0.0], [2.0, 0.0]])                       # no spread on the second axis
    turned = np.array([[0.0, 0.0], [0.0, 2.0]])                     # none on the first: the product is nought
    assert frechet_distance(flat, turned) == pytest.approx(2 + 2 + 2)
    assert frechet_distance(flat, flat) == pytest.approx(0, abs=1e-12)


def test_fewer_pieces_than_axes_are_no_trouble() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(5, 20)), rng.normal(size=(7, 20))
    found = frechet_distance(one, other)
    eps = 1e-5 * np.eye(20)
    linalg = pytest.importorskip("scipy.linalg")
    covariances = [np.cov(table, rowvar=False) + eps for table in (one, other)]
    apart = one.mean(axis=0) - other.mean(axis=0)
    near = apart @ apart + sum(map(np.trace, covariances)) - 2 * np.trace(np.real(linalg.sqrtm(
        covariances[0] @ covariances[1])))
    assert found == pytest.approx(near, abs=.05)
    with pytest.raises(RequestError, match="two places in each set; got 1 and 7"):
        frechet_distance(one[:1], other)


def test_the_corrected_number_is_that_of_many_pieces() -> None:
    axes, shift = 8, np.array([1.5, *[0.0] * 7])
    spread = np.array([2.0, *[1.0] * 7])
    truth = 1.5 ** 2 + (2 - 1) ** 2
    plain, freed = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        one, other = shift + spread * rng.normal(size=(60, axes)), rng.normal(size=(150, axes))
        plain.append(frechet_distance(one, other))
        freed.append(corrected_distance(one, other, seed=1000 + seed, draws=6))
    assert np.mean(plain) > truth + .3
    assert np.mean(freed) == pytest.approx(truth, abs=.35)
    assert abs(np.mean(freed) - truth) < abs(np.mean(plain) - truth) / 2


def test_the_corrected_number_is_that_of_the_published_way_where_the_reference_is_large() -> None:
    rng = np.random.default_rng(3)
    one, other = .5 + rng.normal(size=(800, 6)), rng.normal(size=(6000, 6))
    counts = np.linspace(200, 800, 15).astype(int)
    theirs = [frechet_distance(one[rng.integers(0, 800, count)], other) for count in counts]
    assert corrected_distance(one, other) == pytest.approx(float(np.polyfit(1 / counts, theirs, 1)[1]), abs=.1)
    assert corrected_distance(one, other) == pytest.approx(6 * .25, abs=.15)


def test_intervals_hold_what_they_should() -> None:
    held = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        found = frechet_of(1 + rng.normal(size=(40, 4)), rng.normal(size=(90, 4)), seed=1000 + seed)
        held += found.corrected_low <= 4 <= found.corrected_high
        assert found.low <= found.value <= found.high
        assert found.band[1] < found.value
    assert held >= 4


# --- music ---------------------------------------------------------------------------------------------------------


def tunes(count: int, seed: int, bars: int = 8, wrong: float = 0, leaps: int = 2) -> list[Score]:
    """Tunes in two voices in a scale; a share of the pitches may be put wrong."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        walk = np.abs(np.cumsum(rng.integers(-leaps, leaps + 1, 4 * bars))) % 14
        pitch = 60 + np.array([0, 2, 4, 5, 7, 9, 11])[walk % 7] + 12 * (walk // 7)
        bass = 36 + np.array([0, 5, 7, 9])[rng.integers(0, 4, bars)]
        rows = [(480 * i, 480, int(p), 80, 0) for i, p in enumerate(pitch)]
        rows += [(1920 * i, 1920, int(p), 80, 1) for i, p in enumerate(bass)]
        table = np.array(rows)
        put = rng.random(len(table)) < wrong
        table[put, 2] += rng.integers(1, 7, int(put.sum())) * rng.choice([-1, 1], int(put.sum()))
        out.append(Score.from_rows(table, end=1920 * bars))
    return out


def test_the_more_is_wrong_the_further() -> None:
    real, more = tunes(40, 1), tunes(40, 2)
    far = [frechet_distance(places_of(tunes(40, 2, wrong=wrong)), places_of(real)) for wrong in (0, .1, .3, .8)]
    assert far[0] == frechet_distance(places_of(more), places_of(real))
    assert far[1] > 1.3 * far[0]
    assert far == sorted(far)
    assert frechet_distance(places_of(tunes(40, 3, leaps=6)), places_of(real)) > 2 * far[0]


def test_key_clock_tempo_velocity_names_and_tracks_change_nothing() -> None:
    score = tunes(1, 5)[0]
    place = embed(score)
    others = [
        score.replace(pitch=score.pitch + 0, velocity=np.full(len(score), 20), tempos=(Tempo(0, 900_000),)),
        score.replace(onset=score.onset * 2, duration=score.duration * 2, end=score.end * 2, ticks_per_quarter=960),
        score.replace(tracks=(Track("Cembalo", 6), Track("Bass", 32))),
        score.replace(track=np.zeros(len(score), int), tracks=(Track("piano"),)),
        Score.from_rows(np.vstack([score.notes()[:, :5], [(0, 480, int(score.pitch[score.onset == 0].max()), 60, 1)]]),
                        end=score.end)]                             # a note doubled in another track
    for other in others:
        assert embed(other) == pytest.approx(place, abs=1e-9)
    facts, moved = piece_facts(score), piece_facts(score.replace(pitch=score.pitch + 5))
    assert facts is not None
    assert moved is not None
    same = np.isclose(facts, moved, equal_nan=True)
    assert np.count_nonzero(~same) == 3                             # how high it lies: the mean, the bass, the top
    assert set(FACTS[~same]) == {"texture"}


@pytest.mark.parametrize("suffix", [".mid", ".musicxml", ".abc"])
def test_the_same_music_from_a_page_and_from_midi_lies_at_one_place(suffix: str, tmp_path: Path) -> None:
    for number, score in enumerate(tunes(3, 8)):
        path = tmp_path / f"{number}{suffix}"
        formats.write(score, path)
        assert embed(played(formats.read(path))) == pytest.approx(embed(score), abs=1e-6)


def test_facts_by_hand() -> None:
    lines = sounding_slices(np.array([0, 0, 12]), np.array([24, 12, 24]), np.array([60, 64, 67]))
    assert lines.place.tolist() == [0, 12, 24]
    assert lines.bass.tolist() == [60, 60]
    assert lines.top.tolist() == [64, 67]
    assert np.flatnonzero(lines.chroma[1]).tolist() == [0, 7]
    triads = Score.from_rows([(960 * i, 960, 48 + p + 5 * (i % 2), 80, 0) for i in range(4) for p in (0, 4, 7)])
    facts = piece_facts(triads)
    assert facts is not None
    assert len(facts) == len(FACTS)
    harmony = facts[FACTS == "harmony"]
    assert (harmony[:12] ** 2).sum() == pytest.approx(1)
    assert harmony[:12][[0, 4, 5, 7, 9]] ** 2 == pytest.approx([1 / 3, 1 / 6, 1 / 6, 1 / 6, 1 / 6])
    assert harmony[13:25] ** 2 == pytest.approx([.5, 0, 0, 0, 0, .5, 0, 0, 0, 0, 0, 0])      # bass on C and F
    assert harmony[25:37][[0, 4, 7]] ** 2 == pytest.approx([1 / 3] * 3)                      # root, third, fifth above
    assert harmony[43:] == pytest.approx(np.eye(10)[6])                                      # major and minor triads
    assert np.isnan(facts[FACTS == "drums"][1:]).all()


def test_pieces_of_nothing_of_one_note_and_of_drums() -> None:
    assert embed(Score()) is None
    one = embed(Score.from_rows([(0, 480, 60, 80, 0)]))
    drums = embed(Score.from_rows([(240 * i, 60, 36 + 6 * (i % 2), 80, 0) for i in range(32)]).replace(
        tracks=(Track("drums", 0, True),)))
    blip = embed(Score.from_rows([(0, 0, 60, 80, 0)]))
    odd = embed(Score.from_rows([(100 * i, 30, 50 + i, 80, 0) for i in range(40)], meters=(Meter(0, 7, 8),)))
    for place in (one, drums, blip, odd):
        assert place is not None
        assert np.isfinite(place).all()


def test_identical_sets_few_pieces_and_no_notes() -> None:
    pieces = tunes(6, 1)
    same = frechet(pieces, pieces[::-1])
    assert (same.value, same.corrected, same.low, same.high) == (0, 0, 0, 0)
    assert same.embedding == EMBEDDING
    assert re.search(r" \d+$", EMBEDDING)
    assert "rough with 6 pieces, of 60" in same.warning
    assert (same.pieces, same.reference_pieces) == (6, 6)
    assert EMBEDDING in frechet_text(same)
    copies = frechet([pieces[0]] * 5, tunes(8, 2))
    assert np.isfinite(copies.value)
    assert copies.value > copies.band[0] / 2
    with pytest.raises(RequestError, match="at least 4 pieces with notes in each set; the reference has 1"):
        frechet(pieces, pieces[:1])
    with pytest.raises(RequestError, match="the music has 0"):
        frechet([Score()] * 9, pieces)
    assert frechet(pieces, tunes(7, 2), seed=3) == frechet(pieces, tunes(7, 2), seed=3)


def test_only_open_music_taught_the_axes() -> None:
    from partimento.data import ledger

    with as_file(files("partimento.judge").joinpath("embedding.jsonl")) as path:
        entries = ledger.read(path)[1]
    assert {entry.source for entry in entries} == {
        "openscore_lieder", "openscore_quartets", "openscore_orchestra", "mutopia_midi", "polish_piano",
        "chopin_first_editions", "open_hymnal", "freedoom_midi", "groove"}
    assert not any("CC-BY-SA" in entry.file for entry in entries)
    assert all(entry.sha256 and entry.licence for entry in entries)


@pytest.mark.slow
def test_real_sets_lie_apart_and_halves_of_one_do_not(music: Callable[[str], Path]) -> None:
    sets = []
    for name in ("nottingham/MIDI", "pop909"):
        first, _, below = name.partition("/")
        found = sorted((music(first) / below).rglob("*.mid"))[::7][:120]
        pieces = [formats.read(path) for path in found]
        sets.append(places_of([features.excerpt(piece, 0, min(16, piece.n_bars)) for piece in pieces]))
    tune, song = sets
    halves = corrected_distance(song[::2], song[1::2])
    assert abs(halves) < 2
    assert corrected_distance(tune, song) > 10
