"""Sets of pieces beside real ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from partimento import formats
from partimento.cli import main
from partimento.errors import RequestError, WriteError
from partimento.judge.evaluate import evaluate, evaluate_sets, evaluation_text, write_evaluation
from partimento.judge.measures import MEASURES
from partimento.score import Score


def tunes(count: int, seed: int, wild: bool = False) -> list[Score]:
    """Tunes of 16 bars in a scale, even and by step; or of any pitch and rhythm."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        if wild:
            onset = np.sort(rng.integers(0, 16 * 1920, 96))
            pitch = rng.integers(40, 90, 96)
        else:
            onset = np.arange(64) * 480 + np.where(rng.random(64) < .2, 240, 0)
            walk = np.abs(np.cumsum(rng.integers(-2, 3, 64))) % 14
            pitch = 60 + np.array([0, 2, 4, 5, 7, 9, 11])[walk % 7] + 12 * (walk // 7)
        out.append(Score(onset, np.full(len(onset), 240), pitch, np.full(len(onset), 80), np.zeros(len(onset), int),
                         end=16 * 1920))
    return out


def test_more_of_the_same_lies_inside_and_noise_apart() -> None:
    real, more, noise = tunes(60, 1), tunes(24, 2), tunes(24, 3, wild=True)
    alike, apart = evaluate_sets(more, real), evaluate_sets(noise, real)
    rows = {row.name: row for row in alike.rows}
    assert sum(row.inside for row in alike.rows) > .7 * len(alike.rows)
    assert sum(row.inside for row in apart.rows) < .5 * len(apart.rows)
    assert alike.bars == 16
    assert rows["scale_consistency"].mean.value == 1
    assert {row.name: row.mean for row in apart.rows}["scale_consistency"].high < .9
    assert all(row.mean.low <= row.mean.value <= row.mean.high for row in alike.rows)
    assert "24 pieces beside 60, stretches of 16 bars" in evaluation_text(alike)


def test_the_same_seed_gives_the_same_and_measures_without_enough_pieces_are_left_out() -> None:
    real, more = tunes(12, 1), tunes(6, 2)
    assert evaluate_sets(more, real, seed=5) == evaluate_sets(more, real, seed=5)
    assert "drum_pattern" not in {row.name for row in evaluate_sets(more, real).rows}
    assert evaluate_sets(more, real, bars=4).bars == 4


@pytest.mark.parametrize(("music", "reference", "said"), [
    ([], tunes(5, 1), "the music has 0"), (tunes(5, 1), [Score()] * 9, "the reference has 0"),
    (tunes(3, 1), tunes(5, 1), "the music has 3")])  # fmt: skip
def test_sets_too_small_are_refused(music: list[Score], reference: list[Score], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        evaluate_sets(music, reference)


def test_identical_sets_and_sets_of_copies_have_an_answer() -> None:
    same = evaluate_sets(tunes(8, 1), tunes(8, 1))
    assert all(0 <= row.overlap <= 1.001 for row in same.rows)
    copies = evaluate_sets(tunes(1, 1) * 5, tunes(8, 1))
    assert copies.rows


def test_folders_and_tables_from_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, pieces in (("ours", tunes(5, 1)), ("real", tunes(6, 2))):
        for i, piece in enumerate(pieces):
            formats.write(piece, tmp_path / name / f"{i}.mid") if i else (tmp_path / name).mkdir()
            formats.write(piece, tmp_path / name / f"{i}.mid")
    words = ["evaluate", str(tmp_path / "ours"), "--reference", str(tmp_path / "real"), "--quiet", "--workers", "0"]
    assert main([*words, "-o", str(tmp_path / "t.csv")]) == 0
    assert "5 pieces beside 6" in capsys.readouterr().out
    head, *rows = (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()
    assert head.startswith("measure,unit,pieces,mean")
    assert {row.split(",")[0] for row in rows} <= set(MEASURES)
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pieces"] == 5
    found = evaluate(tmp_path / "ours", tmp_path / "real", workers=0)
    assert r"\begin{tabular}" in write_evaluation(found, tmp_path / "t.tex").read_text(encoding="utf-8")
    with pytest.raises(WriteError, match=r"as .json, .csv, .tex"):
        write_evaluation(found, tmp_path / "t.xls")
    assert main(["evaluate", str(tmp_path / "none"), "--reference", str(tmp_path / "real")]) == 1
