"""Sets of pieces beside real ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from partimento import formats
from partimento.cli import main
from partimento.errors import RequestError, WriteError
from partimento.judge import evaluate as room
from partimento.judge.evaluate import evaluate_sets, evaluation_text, write_evaluation
from partimento.judge.measures import MEASURES
from partimento.score import Score, Tempo, Track


def tunes(count: int, seed: int, wild: bool = False) -> list[Score]:
    """Tunes of 8 bars in a scale, even and by step; or of any pitch and rhythm."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        if wild:
            onset = np.sort(rng.integers(0, 8 * 1920, 48))
            pitch = rng.integers(40, 90, 48)
        else:
            onset = np.arange(32) * 480 + np.where(rng.random(32) < .2, 240, 0)
            walk = np.abs(np.cumsum(rng.integers(-2, 3, 32))) % 14
            pitch = 60 + np.array([0, 2, 4, 5, 7, 9, 11])[walk % 7] + 12 * (walk // 7)
        out.append(Score(onset, np.full(len(onset), 240), pitch, np.full(len(onset), 80), np.zeros(len(onset), int),
                         end=8 * 1920))
    return out


def test_more_of_the_same_lies_inside_and_noise_apart() -> None:
    real, more, noise = tunes(60, 1), tunes(24, 2), tunes(24, 3, wild=True)
    alike, apart = evaluate_sets(more, real), evaluate_sets(noise, real)
    rows = {row.name: row for row in alike.rows}
    assert sum(row.inside for row in alike.rows) > .7 * len(alike.rows)
    assert sum(row.inside for row in apart.rows) < .5 * len(apart.rows)
    assert alike.bars == 8
    assert rows["scale_consistency"].mean.value == 1
    assert {row.name: row.mean for row in apart.rows}["scale_consistency"].high < .9
    assert all(row.mean.low <= row.mean.value <= row.mean.high for row in alike.rows)
    assert alike.frechet is not None
    assert apart.frechet is not None
    assert alike.frechet.value < 1.5 * alike.frechet.band[1]
    assert apart.frechet.value > 10 * apart.frechet.band[1]
    assert apart.frechet.corrected_low > apart.frechet.corrected_band[1]
    assert "24 pieces beside 60, stretches of 8 bars" in evaluation_text(alike)


def test_the_same_seed_gives_the_same_and_measures_without_enough_pieces_are_left_out() -> None:
    real, more = tunes(12, 1), tunes(6, 2)
    found = evaluate_sets(more, real, seed=5)
    assert found == evaluate_sets(more, real, seed=5)
    assert "drum_pattern" not in {row.name for row in found.rows}
    assert "fewer than 4 pieces of a set have them: drum_pattern" in "".join(found.remarks)


def test_what_was_measured_comes_with_it() -> None:
    real, more = tunes(9, 1), tunes(5, 2)
    found = evaluate_sets(more, [*real, Score()], bars=4)
    assert found.bars == 4
    assert set(found.values) == set(MEASURES)
    for row in found.rows:
        ours, theirs = found.values[row.name]
        assert (len(ours), len(theirs)) == (5, 9)
        assert row.mean.value == pytest.approx(ours.mean())
        assert row.reference.value == pytest.approx(theirs.mean())
    assert found.values["drum_pattern"][0].shape == (0,)
    assert [len(part) for part in found.stretches] == [5, 9]
    assert all(score.n_bars == 4 for part in found.stretches for score in part)
    assert found.values["scale_consistency"][0].tolist() == [
        MEASURES["scale_consistency"].measure(score) for score in found.stretches[0]]
    assert "values" not in found.as_dict()
    json.dumps(found.as_dict())


def test_a_stretch_keeps_its_tempo_and_does_not_hang_on_its_place_in_the_set() -> None:
    slow = [score.replace(tempos=(Tempo(0, 1_000_000), Tempo(1920, 2_000_000))) for score in tunes(6, 4)]
    found, turned = (evaluate_sets(pieces, tunes(6, 5), bars=2) for pieces in (slow, slow[::-1]))
    assert found.stretches[0] == turned.stretches[0][::-1]
    assert len({score.seconds(score.end).item() for score in found.stretches[0]} - {8.0, 12.0, 16.0}) == 0
    assert found.pieces == 6


def test_slow_measures_are_taken_of_some_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_SLOW", 5)
    found = evaluate_sets(tunes(7, 1), tunes(9, 2), bars=2)
    assert [len(part) for part in found.values["structure_short"]] == [5, 5]
    assert [len(part) for part in found.values["pitch_entropy"]] == [7, 9]


@pytest.mark.parametrize(("music", "reference", "said"), [
    ([], tunes(5, 1), "the music has 0"), (tunes(5, 1), [Score()] * 9, "the reference has 0"),
    (tunes(3, 1), tunes(5, 1), "the music has 3")])  # fmt: skip
def test_sets_too_small_are_refused(music: list[Score], reference: list[Score], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        evaluate_sets(music, reference)


def test_identical_sets_and_sets_of_copies_have_an_answer() -> None:
    pieces = tunes(8, 1)
    same = evaluate_sets(pieces[::-1], pieces)
    assert all(0 <= row.overlap <= 1.001 for row in same.rows)
    assert same.frechet is not None
    assert (same.frechet.value, same.frechet.corrected) == (0, 0)
    assert same.remarks[0] == "the two sets are identical: the same 8 pieces"
    copies = evaluate_sets(tunes(1, 1) * 5, pieces)
    assert copies.rows
    assert "5 of the 5 pieces of the music stand in the reference too, note for note" in copies.remarks
    assert "the music holds copies: 1 of its 5 pieces differ" in copies.remarks
    assert "the reference holds copies" in " ".join(evaluate_sets(pieces, tunes(1, 3) * 6).remarks)


def test_sets_of_drums_alone_have_an_answer() -> None:
    beats = [Score.from_rows([(240 * i, 60, 36 + 6 * ((i + k) % (2 + k % 3)), 80, 0) for i in range(64)]).replace(
        tracks=(Track("drums", 0, True),)) for k in range(6)]
    found = evaluate_sets(beats, tunes(6, 1))
    assert "the music is of drums alone" in found.remarks
    assert {row.name for row in found.rows} == {"empty_bars", "groove_consistency", "grooving_similarity"}
    assert found.frechet is not None
    assert np.isfinite(found.frechet.value)
    assert {row.name for row in evaluate_sets(beats, beats).rows} >= {"drum_pattern"}


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
    assert {row.split(",")[0] for row in rows[:-2]} <= set(MEASURES)
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pieces"] == 5
    assert told["frechet"]["embedding"] == "partimento-piece 1"
    found = evaluate_sets(*([formats.read(path) for path in sorted((tmp_path / name).iterdir())]
                            for name in ("ours", "real")))
    assert found.frechet is not None
    cells = {row.split(",")[0]: row.split(",") for row in rows}
    assert {len(row) for row in cells.values()} == {len(head.split(","))}
    distance = dict(zip(head.split(","), cells["frechet_music_distance"], strict=True))
    assert distance["unit"] == found.frechet.embedding
    assert float(distance["mean"]) == pytest.approx(found.frechet.value, rel=1e-4)
    assert float(distance["real_high"]) == pytest.approx(found.frechet.band[1], rel=1e-4)
    page = write_evaluation(found, tmp_path / "t.tex").read_text(encoding="utf-8")
    assert r"\begin{tabular}" in page
    assert {line.count("&") for line in page.splitlines() if line.endswith("\\\\")} == {4}
    with pytest.raises(WriteError, match=r"as .json, .csv, .tex"):
        write_evaluation(found, tmp_path / "t.xls")
    assert main(["evaluate", str(tmp_path / "none"), "--reference", str(tmp_path / "real")]) == 1
