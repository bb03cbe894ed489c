"""Faults planted as the bench plants them are found where they were planted, in small music and in real pieces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bench_modules import bench
from test_faults import BAR, PIANO, SONG, VIOLIN, Q, line, made, song

from partimento.judge.faults import FAULTS, findings
from partimento.score import Key, Score, Track

PLANTS = bench("faults_planted").PLANTS
LONG = made([*song(44), *line([60, 64, 67, 64, 65, 69, 67, 64] * 44, 2, 0, 0.5)], VIOLIN, PIANO, Track("flute", 73),
            keys=(Key(0, 0, "major"),))
STRUMMED = made(song(), VIOLIN, Track("guitar", 24))
VOICES = made([(round(2 * Q * i), 2 * Q, pitch, 80, voice) for voice, part in enumerate((
    [72, 69, 71, 72, 74, 72, 71, 72] * 3, [52, 53, 50, 52, 53, 57, 50, 52] * 3,
    [48, 41, 43, 45, 46, 45, 43, 48] * 3)) for i, pitch in enumerate(part)], VIOLIN, Track("viola", 41),
    Track("cello", 42), keys=(Key(0, 0, "major"),))


def found(kind: str, planted: tuple[Score, int, int]) -> bool:
    score, begin, end = planted
    return any(one.kind == kind and one.start < end and begin < one.end for one in findings(score))


@pytest.mark.parametrize("kind", sorted(PLANTS))
def test_a_planted_fault_is_found_there(kind: str) -> None:
    pieces = {"frets": [STRUMMED], "parallel_fifths": [VOICES], "parallel_octaves": [VOICES], "leading_tone": [VOICES],
              "clash": [VOICES]}.get(kind, [LONG])
    made_ones = [planted for score in pieces for seed in range(6)
                 if (planted := PLANTS[kind](score, np.random.default_rng(seed))) is not None]
    assert made_ones
    hits = [found(kind, planted) for planted in made_ones]
    assert np.mean(hits) >= 0.8, hits


def test_plants_and_kinds_are_the_same() -> None:
    assert set(PLANTS) == set(FAULTS)


def test_what_cannot_be_planted_is_not() -> None:
    one = Score.from_rows([(0, BAR, 60, 80, 0)])
    for kind in ("off_harmony", "parallel_fifths", "frets", "clash", "frozen_rhythm", "repeated"):
        assert PLANTS[kind](one, np.random.default_rng(0)) is None
    assert findings(SONG) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(set(PLANTS) - {"frets", "leaps", "frozen_rhythm", "unrelated", "leading_tone"}))
def test_planted_in_hymns(kind: str, music: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTIMENTO_DATA", str(music("open_hymnal").parent))
    hymns = [score for _, score in bench("pieces").scores_of("open_hymnal", 0) if len(score)][:60]
    hits = [found(kind, planted) for number, score in enumerate(hymns)
            if (planted := PLANTS[kind](score, np.random.default_rng(number))) is not None]
    assert len(hits) >= 20
    assert np.mean(hits) >= 0.85
