"""Bits per note of any pieces under any family: the same content for all."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest

from partimento.errors import ModelError, PartimentoError, RequestError
from partimento.judge.likelihood import bits_per_note, note_bits_text, weighings
from partimento.models.base import LogProb, Model, Piece
from partimento.models.markov import Markov
from partimento.models.random import Random
from partimento.score import Score
from partimento.testing.music import small_corpus, song


@dataclass(frozen=True, kw_only=True)
class Settings:
    grid: int = 12


class Told(Model):
    """Two bits for every note below middle C and five for others, half a bit of expression; what it saw is kept."""

    Config: ClassVar[type] = Settings
    family: ClassVar[str] = "told"
    has_likelihood: ClassVar[bool] = True

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        self.seen: list[Score] = []

    def fill(self, *_: Any) -> list[Score]:
        raise NotImplementedError

    def log_prob(self, score: Score, blanks: Any = None, request: Any = None) -> LogProb | None:
        self.seen.append(score)
        bits = np.where(score.pitch < 60, 2.0, 5.0)
        return LogProb(-float(bits.sum()) * float(np.log(2)), len(score), expression=-0.5 * len(score) * np.log(2))


class Deaf(Told):
    has_likelihood: ClassVar[bool] = False


@dataclass
class Odd(Told):
    """It gives what it is told to give."""

    answer: Any = None
    config: Any = field(default_factory=Settings)

    def log_prob(self, score: Score, blanks: Any = None, request: Any = None) -> LogProb | None:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]


def notes(pitch: int, count: int) -> Score:
    return Score(np.arange(count) * 480, [480] * count, [pitch] * count, [80] * count, [0] * count)


def test_the_mean_is_over_notes_and_the_interval_over_pieces() -> None:
    found = bits_per_note([Piece(notes(48, 30), "low"), notes(72, 10)], Told())
    assert found.bits.value == pytest.approx((30 * 2 + 10 * 5) / 40)            # of pieces it would be 3.5
    assert (found.bits.low, found.bits.high) == (pytest.approx(2), pytest.approx(5))   # both draws of one piece alone
    assert found.expression is not None
    assert found.expression.value == pytest.approx(0.5)
    assert [(p.name, round(p.bits, 9), p.notes) for p in found.pieces] == [("low", 60, 30), ("piece 2", 50, 10)]
    assert found.notes == 40
    assert json.loads(json.dumps(found.as_dict()))["bits_per_note"]["value"] == pytest.approx(2.75)
    assert "2.750 bits a note (2.000–5.000) under the told family: 40 notes of 2 pieces" in note_bits_text(found)


def test_every_family_weighs_the_same_notes_on_the_same_grid() -> None:
    loose = Score([3, 470, 470], [500, 5, 7], [60, 60, 64], [80] * 3, [0] * 3, end=960)
    judge = Told()
    found = bits_per_note([loose], judge)
    assert judge.seen[0].notes()[:, :3].tolist() == [[0, 480, 60], [480, 40, 60], [480, 40, 64]]
    assert found.notes == 3
    pieces = small_corpus(count=4)
    model = Markov(order=2).fit(pieces)
    other = [piece._replace(score=piece.score.replace(onset=piece.score.onset + 2, end=piece.score.end + 2))
             for piece in pieces]
    ours, theirs = bits_per_note(pieces, model), bits_per_note(pieces, Random())
    assert [p.notes for p in ours.pieces] == [p.notes for p in theirs.pieces] == [len(p.score) for p in pieces]
    assert ours.bits.value < theirs.bits.value
    assert [len(piece.score) for piece, _ in weighings(other, model)] == [len(piece.score) for piece in pieces]


def test_it_is_the_families_own_number() -> None:
    score = song(3)
    exact = Random().log_prob(score)
    assert bits_per_note([score], Random()).bits.value == pytest.approx(exact.bits_per_note, rel=1e-12)
    assert bits_per_note([score, score], Random()).bits.value == pytest.approx(exact.bits_per_note, rel=1e-12)


def test_a_finer_grid_is_a_bound_and_another_is_refused() -> None:
    assert bits_per_note([notes(60, 4)], Told(grid=24)).bound
    assert not bits_per_note([notes(60, 4)], Told()).bound
    with pytest.raises(ModelError, match="12 steps a quarter; this told model hears 4"):
        bits_per_note([notes(60, 4)], Told(grid=4))


def test_what_cannot_be_weighed_is_left_out_and_said() -> None:
    found = bits_per_note([Score(), notes(50, 4)], Told())
    assert found.left_out == (("piece 1", "it has no notes"),)
    assert "left out: piece 1: it has no notes" in note_bits_text(found)
    for answer, said in ((None, "no likelihood of it"), (LogProb(-3.0, 3), "weighs 3 of its 4 notes"),
                         (LogProb(-np.inf, 4), "impossible"), (PartimentoError("too odd"), "too odd")):
        with pytest.raises(RequestError, match=f"got none; the first of 1 left out: piece 1: .*{said}"):
            bits_per_note([notes(60, 4)], Odd(answer=answer))
    with pytest.raises(RequestError, match="at least one piece"):
        bits_per_note([], Told())


def test_a_family_without_likelihood_and_one_that_has_not_learnt_say_so() -> None:
    with pytest.raises(ModelError, match="the told family has none"):
        bits_per_note([notes(60, 4)], Deaf())
    with pytest.raises(ModelError, match="this markov model has learnt nothing"):
        bits_per_note([notes(60, 4)], Markov())


def test_it_stops_where_it_is_told_to() -> None:
    found = bits_per_note([notes(60, 4)] * 5, Told(), report=lambda progress: progress.done < 2)
    assert len(found.pieces) == 2
