"""Structure indicators beside a slow reading of the definition, beside the published toolbox, and by hand."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from partimento.judge.structure import (
    best_fitness,
    chroma_similarity,
    fitness_scape,
    smooth_chroma,
    structure_indicators,
)
from partimento.score import Score, Tempo, Track

FloatArray = npt.NDArray[np.float64]


def similarity(count: int, seed: int, kept: float = .3) -> FloatArray:
    rng = np.random.default_rng(seed)
    table = rng.random((count, count))
    table = np.where(table > 1 - kept, table, -2.0)
    np.fill_diagonal(table, 1.0)
    return table


def slow_fitness(table: FloatArray, start: int, length: int) -> float:
    """Fitness by the book: a path family found cell by cell, followed back, counted."""
    own = table[:, start:start + length]
    count = len(own)
    best = np.full((count, length + 1), -math.inf)
    best[0, 0], best[0, 1] = 0.0, own[0, 0]
    for n in range(1, count):
        best[n, 0] = max(best[n - 1, 0], best[n - 1, length])
        best[n, 1] = best[n, 0] + own[n, 0]
        for m in range(2, length + 1):
            ways = [best[n - 1, m - 1], best[n - 1, m - 2]] + ([best[n - 2, m - 1]] if n > 1 else [])
            best[n, m] = own[n, m - 1] + max(ways)
    score = max(best[-1, 0], best[-1, length])
    n, m = count - 1, length if best[-1, length] >= best[-1, 0] else 0
    steps, rows = 0, set()
    while n >= 0:
        if m == 0:                              # no path runs here: one ended before, or none did
            n -= 1
            m = length if n >= 0 and best[n, length] > best[n, 0] else 0
            continue
        steps += 1
        first_row = n
        rows.add(n)
        if m == 1:
            if n == 0:
                break
            m = 0
            continue
        ways_back = [(n - 1, m - 1)]
        if n > 2:
            ways_back.append((n - 2, m - 1))
        if m > 2:
            ways_back.append((n - 1, m - 2))
        n, m = max(ways_back, key=lambda cell: best[cell])          # the first of the best
        rows.update(range(n, first_row))
    gained, covered = (score - length) / steps, (len(rows) - length) / count
    return 2 * gained * covered / (gained + covered) if gained + covered else 0.0


@pytest.mark.parametrize(("count", "seed"), [(9, 0), (14, 1), (18, 2)])
def test_fitness_is_that_of_the_book(count: int, seed: int) -> None:
    table = similarity(count, seed)
    found = fitness_scape(table)
    for length in range(1, count + 1):
        for start in range(count - length + 1):
            assert found[length - 1, start] == pytest.approx(slow_fitness(table, start, length), abs=1e-12)


def test_fitness_by_hand() -> None:
    # four frames that come back once: score 8 of which 4 are its own, 8 steps, 8 of 8 frames covered
    twice = np.kron(np.ones((2, 2)), 3 * np.eye(4) - 2)
    assert fitness_scape(twice)[3, 0] == pytest.approx(2 * .5 * .5 / (.5 + .5))
    thrice = np.kron(np.ones((3, 3)), 3 * np.eye(4) - 2)
    assert fitness_scape(thrice)[3, 4] == pytest.approx(2 / 3)
    alone = 3 * np.eye(8) - 2
    assert fitness_scape(alone).max() == 0
    assert fitness_scape(twice)[7, 0] == 0                          # the whole piece explains nothing but itself


@pytest.mark.parametrize("seed", range(4))
def test_what_is_left_out_of_the_search_was_not_the_best(seed: int) -> None:
    table = similarity(30, seed, .1 + .15 * seed)
    found = fitness_scape(table)
    for low, high in ((1, 5), (6, 16), (16, 60)):
        assert best_fitness(table, low, high) == found[low - 1:high].max()


def tune(seed: int, count: int, times: int = 1, quarters: float = 1) -> Score:
    """A random tune of `count` quarters, `times` times."""
    pitch = np.random.default_rng(seed).integers(55, 80, count)
    return Score.from_rows([(int(480 * quarters * i), int(480 * quarters), int(pitch[i % count]), 80, 0)
                            for i in range(count * times)])


def test_what_returns_is_found_at_its_length_and_what_does_not_is_not() -> None:
    short, long = structure_indicators(tune(1, 10, 8)), structure_indicators(tune(1, 32, 3))
    assert short is not None
    assert long is not None
    assert short.short is not None
    assert short.short > .7
    assert long.long is not None
    assert long.long > .5
    never = structure_indicators(tune(1, 96))
    assert never is not None
    assert never.long is not None
    assert never.short is not None
    assert never.long < .15
    assert never.short < .35
    halved = tune(1, 32, 3).replace(tempos=(Tempo(0, 250_000),))    # the same in 8 seconds
    quick = structure_indicators(halved)
    assert quick is not None
    assert quick.mid is not None
    assert quick.mid > .5


def test_key_clock_drums_and_velocity_change_nothing() -> None:
    score = tune(3, 24, 2)
    found = structure_indicators(score)
    moved = score.replace(pitch=score.pitch + 3, onset=score.onset * 2, duration=score.duration * 2, end=score.end * 2,
                          ticks_per_quarter=960, velocity=np.full(len(score), 30))
    drummed = score.with_notes_of(Score.from_rows([(240 * i, 60, 42, 90, 1) for i in range(90)])).replace(
        tracks=(Track(), Track("drums", 0, True)), end=score.end)
    assert structure_indicators(moved) == found
    assert structure_indicators(drummed) == found


def test_nothing_to_hear_and_too_short() -> None:
    assert structure_indicators(Score()) is None
    assert structure_indicators(Score.from_rows([(0, 480, 36, 80, 0)]).replace(tracks=(Track("d", 0, True),))) is None
    assert structure_indicators(Score.from_rows([(0, 480, 60, 80, 0)])) == (None, None, None)
    held = structure_indicators(Score.from_rows([(0, 480 * 20, 60, 80, 0)]))      # ten seconds of one note
    assert held is not None
    assert held.long is None
    assert held.short is not None
    assert 0 <= held.short <= 1
    assert smooth_chroma(Score.from_rows([(0, 0, 60, 80, 0)])).shape == (0, 12)


def test_a_longer_piece_is_looked_at_for_a_minute() -> None:
    long = tune(4, 400)
    assert len(chroma_similarity(long)) == 120
    assert structure_indicators(long) == structure_indicators(long.replace(
        pitch=np.where(long.onset > 480 * 125, 60, long.pitch)))


THEIRS = """
import sys
import matplotlib
matplotlib.use("Agg")
import numpy as np
import libfmp.c4
from libfmp.c4 import c4s3_thumbnail as book
given = np.load(sys.argv[1])
tempos = np.exp(np.linspace(np.log(.5), np.log(2), 7))
table, _ = libfmp.c4.compute_sm_ti(given["chroma"].T, given["chroma"].T, L=16, tempo_rel_set=tempos,
                                   shift_set=np.arange(12), direction=2)
table = libfmp.c4.threshold_matrix(table, thresh=.25, strategy="relative", scale=True, penalty=-2)
table = book.normalization_properties_ssm(table)
count = len(table)
scape = np.zeros((count, count))
for length in range(1, count + 1):
    for start in range(count - length + 1):
        best, score = book.compute_accumulated_score_matrix(table[:, start:start + length])
        scape[length - 1, start] = book.compute_fitness(book.compute_optimal_path_family(best), score, count)[0]
np.savez(sys.argv[2], table=table, scape=scape)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_as_the_toolbox_of_the_book_has_them(seed: int, tmp_path: Path) -> None:
    python = os.environ.get("PARTIMENTO_LIBFMP", sys.executable)        # a Python that has it
    if subprocess.run([python, "-c", "import libfmp.c4"], capture_output=True, check=False).returncode:
        pytest.skip("libfmp is not installed")
    score = tune(seed, 20, 2, .75)
    np.savez(tmp_path / "ours.npz", chroma=smooth_chroma(score))
    subprocess.run([python, "-W", "ignore", "-c", THEIRS, str(tmp_path / "ours.npz"), str(tmp_path / "theirs.npz")],
                   check=True)
    with np.load(tmp_path / "theirs.npz") as theirs:
        table = chroma_similarity(score)
        assert table == pytest.approx(theirs["table"], abs=1e-6)
        assert fitness_scape(table) == pytest.approx(theirs["scape"], abs=1e-6)
