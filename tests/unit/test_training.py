"""From a folder of music to a checkpoint: what is learnt, told, recorded, and what a stop leaves behind."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pytest
from test_data import midi

from partimento import checkpoint
from partimento.data import load
from partimento.errors import ModelError, ReadError, WriteError
from partimento.models.base import Arrays, LogProb, Model, Piece, Progress, Report
from partimento.score import Meter, Score, Tempo
from partimento.training import beginning, likelihood, train


@dataclasses.dataclass(frozen=True, kw_only=True)
class PitchesConfig:
    """`extra` is added to the count of every pitch."""

    extra: float = 1.0


class Pitches(Model):
    """Counts pitches; the smallest family that learns."""

    Config: ClassVar[type] = PitchesConfig
    family: ClassVar[str] = "pitches"
    learns: ClassVar[bool] = True
    has_likelihood: ClassVar[bool] = True
    config: PitchesConfig

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        self.counts = np.zeros(128)

    @property
    def fitted(self) -> bool:
        return bool(self.counts.any())

    def fit(self, pieces: Iterable[Piece], *, report: Report | None = None, **_: Any) -> Self:
        self.counts = np.zeros(128)
        for done, piece in enumerate(pieces):
            self.counts += np.bincount(piece.score.pitch, minlength=128)
            if report and not report(Progress("learning", done + 1, 0)):
                break
        return self

    def fill(self, around: Any, blanks: Any, request: Any, rngs: Any) -> Any:
        return [around for _ in rngs]

    def log_prob(self, score: Score, blanks: Any = None, request: Any = None) -> LogProb:
        if 77 in score.pitch:
            raise ModelError("pitch 77 cannot be scored")
        weights = self.counts + self.config.extra
        return LogProb(float(np.log(weights / weights.sum())[score.pitch].sum()), len(score))

    def state(self) -> tuple[dict[str, Any], Arrays]:
        return {}, {"counts": self.counts}

    def restore(self, values: Mapping[str, Any], arrays: Arrays) -> Self:
        self.counts = arrays["counts"]
        return self


OWN = f"{__name__}:Pitches"


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    root = tmp_path / "songs"
    root.mkdir()
    for i in range(10):
        (root / f"s{i}.mid").write_bytes(midi(60, 62, 64, 60 + i))
    (root / "page.mid").write_bytes(b"<html>")
    return root


def test_a_folder_becomes_a_checkpoint(songs: Path, tmp_path: Path) -> None:
    out = tmp_path / "my.partimento"
    result = train(songs, model=OWN, settings={"extra": 0.5}, out=out, valid_share=0.2, seed=4, licence="mine",
                   workers=0)
    assert result.path == out
    assert result.corpus is not None
    assert (len(result.corpus.train), len(result.corpus.valid)) == (8, 2)
    assert result.likelihood is not None
    assert 0 < result.likelihood.bits_per_note < result.likelihood.random_bits_per_note
    assert (result.likelihood.pieces, result.likelihood.notes) == (2, 8)
    loaded = checkpoint.load(out)
    assert loaded.hash == result.hash
    assert isinstance(loaded.model, Pitches)
    assert loaded.model.config == PitchesConfig(extra=0.5)
    assert loaded.model.counts.sum() == 32
    assert loaded.ledger() == list(result.corpus.entries)
    record = loaded.record
    assert (record["used"], record["skipped"], record["repaired"], record["seed"]) == (10, 1, 0, 4)
    assert record["licences"] == {"mine": 10}
    assert record["fingerprint"] == result.corpus.fingerprint
    assert record["command"] == {"valid_share": 0.2}
    lines = result.summary().split("\n")
    assert lines[0] == "10 used, 0 repaired, 1 skipped (1 is an HTML page)"
    assert lines[-1] == str(out)
    assert any(line.startswith("on the beginnings of 2 unseen pieces: ") for line in lines)


def test_the_same_again_is_the_same_file(songs: Path, tmp_path: Path) -> None:
    hashes = [train(songs, model=OWN, out=tmp_path / name, workers=workers).hash
              for name, workers in (("a", 0), ("b", 2))]
    assert hashes[0] == hashes[1]


def test_one_song_is_enough(songs: Path) -> None:
    result = train(songs / "s1.mid", model=OWN)
    assert result.likelihood is None
    assert result.model.fitted
    assert "one piece alone" in result.summary()
    assert result.path is None


def test_pieces_and_a_corpus_will_do(songs: Path, tmp_path: Path) -> None:
    corpus = load(songs, workers=0)
    model = train(corpus, model=OWN).model
    assert isinstance(model, Pitches)
    scored = train(list(corpus.train), model=Pitches(), valid=list(corpus.valid)).likelihood
    assert scored == train(corpus, model=OWN).likelihood is not None
    result = train(list(corpus.train), model=Pitches(), out=tmp_path / "x")
    assert isinstance(result.model, Pitches)
    np.testing.assert_array_equal(result.model.counts, model.counts)
    assert (result.corpus, result.likelihood) == (None, None)
    assert checkpoint.load(tmp_path / "x").ledger() == []


def test_stopping_leaves_a_usable_model(songs: Path, tmp_path: Path) -> None:
    for stage, done, notes in (("reading", 4, "while reading"), ("learning", 2, "while learning")):
        def report(progress: Progress, stage: str = stage, done: int = done) -> bool:
            return not (progress.stage == stage and progress.done >= done)

        result = train(songs, model=OWN, out=tmp_path / stage, report=report, workers=0)
        assert result.stopped
        assert notes in result.summary()
        loaded = checkpoint.load(tmp_path / stage)
        assert loaded.model.fitted
        assert loaded.record["stopped"] is True


def test_a_target_that_cannot_be_written_is_told_first(songs: Path) -> None:
    def report(progress: Progress) -> bool:
        raise AssertionError("the music was read before the target was looked at")

    for out in (songs, songs / "s1.mid" / "x.partimento"):
        with pytest.raises(WriteError):
            train(songs, model=OWN, out=out, report=report, workers=0)
    assert len(list(songs.iterdir())) == 11


def test_what_cannot_be_scored_is_counted(songs: Path) -> None:
    corpus = load(songs, workers=0, valid_share=0.3)
    odd = Score(onset=[0], duration=[1], pitch=[77], velocity=[9], track=[0])
    valid = [*corpus.valid, Piece(odd, "odd")]
    found = likelihood(Pitches().fit(corpus.train), valid)
    assert found is not None
    assert (found.pieces, found.left_out) == (3, 1)
    assert likelihood(Pitches(), [Piece(odd, "odd")]) is None
    assert likelihood(Pitches(), []) is None


def test_only_some_notes_of_many_pieces_are_scored(songs: Path) -> None:
    corpus = load(songs, workers=0)
    found = likelihood(Pitches(), corpus.train, notes=9)
    assert found is not None
    assert (found.pieces, found.notes) == (3, 12)
    assert likelihood(Pitches(), corpus.train, notes=9) == found
    assert likelihood(Pitches(), corpus.train, notes=0) is None


def test_a_beginning_is_a_piece() -> None:
    score = Score(onset=[0, 480, 1000, 1440], duration=[480, 5000, 9, 480], pitch=[60, 62, 64, 65], velocity=[80] * 4,
                  track=[0] * 4, meters=(Meter(0, 3, 4), Meter(1440, 4, 4)), tempos=(Tempo(1440, 400_000),))
    first = beginning(score, 1)
    assert (first.end, first.n_bars, first.meters) == (1440, 1, (Meter(0, 3, 4),))
    assert first.duration.tolist() == [480, 960, 9]
    assert first.tempos == (Tempo(0, 500_000),)
    assert beginning(score, 99) is score


def test_a_family_that_does_not_learn_says_so(songs: Path) -> None:
    assert "does not learn" in train(songs, model="random", settings={"grid": 4}).summary()


def test_bars_can_be_said(songs: Path, tmp_path: Path) -> None:
    result = train(songs, model=OWN, input_meter="3/4", out=tmp_path / "x", workers=0)
    assert result.corpus is not None
    assert {piece.score.meters[0][1:] for piece in result.corpus.train} == {(3, 4)}
    assert checkpoint.load(tmp_path / "x").record["command"]["input_meter"] == "3/4"


@pytest.mark.parametrize(("wish", "error", "said"), [
    ({"model": "markvo"}, ModelError, "did you mean 'markov'"), ({"settings": {"xtra": 1}}, ModelError, "'extra'"),
    ({"settings": {"extra": "1"}}, ModelError, "extra must be a number"),
    ({"model": Pitches(), "settings": {"extra": 1}}, ModelError, "inside a model"),
    ({"music": "absent"}, ReadError, "cannot be opened"), ({"music": []}, ModelError, "at least one piece"),
    ({"valid_share": 1}, ValueError, "valid_share"), ({"input_meter": "4/5"}, ValueError, "4/5"),
    ({"out": "."}, WriteError, "folder")])
def test_wrong_wishes_are_one_sentence(songs: Path, wish: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        train(**{"music": songs, "model": OWN, "workers": 0} | wish)
    assert "\n" not in str(caught.value)


def test_settings_from_json_are_settings(songs: Path) -> None:
    result = train(songs / "s1.mid", model=OWN, settings=json.loads('{"extra": 2}'))
    assert result.model.config == PitchesConfig(extra=2.0)


def test_markov_learns_from_real_music(music: Callable[[str], Path], tmp_path: Path) -> None:
    corpus = load(music("freedoom_midi"), workers=0)
    result = train(corpus.train[:4], valid=corpus.valid, out=tmp_path / "f.partimento", scored_notes=100)
    assert result.likelihood is not None
    assert result.likelihood.bits_per_note < result.likelihood.random_bits_per_note
    assert checkpoint.load(tmp_path / "f.partimento").model.family == "markov"
