"""Repair: the cells of faults are written anew, all else stays, and no piece comes out with more faults."""

from __future__ import annotations

import numpy as np
import pytest
from test_faults import BAR, PIANO, SONG, VIOLIN, Q, line, made, row, song

from partimento.errors import ModelError, RequestError
from partimento.judge.faults import findings
from partimento.models.base import Model
from partimento.models.markov import Markov
from partimento.models.random import Random
from partimento.repair import Repair, repair, repair_text
from partimento.request import Blanks
from partimento.score import Controls, Key, Score, Tempo


def kept_alike(before: Score, after: Repair) -> bool:
    """Whether each note outside the cells written stands in the piece as it was, and the frame too."""
    written = tuple(region for step in after.steps for region in step.regions)
    stays = before.select(~Blanks(written).inside(before))
    rest = after.score.select(~Blanks(written).inside(after.score))
    frame = ("tracks", "meters", "tempos", "keys", "end", "ticks_per_quarter", "texts")
    return bool(np.array_equal(stays.notes(), rest.notes())) and all(
        getattr(before, name) == getattr(after.score, name) for name in frame)


FAULTY = made([*song(), row(8, 32, 59, 1), row(21, 1, 40, 0)], VIOLIN, PIANO, keys=(Key(0, 0, "major"),),
              tempos=(Tempo(0, 600_000),), controls=Controls.of([(0, 0, 0xB0, 7, 100)]))


def test_faults_are_mended_and_the_rest_stays() -> None:
    found = findings(FAULTY)
    assert {one.kind for one in found} == {"stuck", "range"}
    told: list[str] = []
    mended = repair(FAULTY, found, Random(), seed=1, report=told.append)
    assert findings(mended.score) == list(mended.new) == []
    assert all(one.gone for one in mended.faults)
    assert kept_alike(FAULTY, mended)
    assert mended.score != FAULTY
    changed = {FAULTY.bar_number(region.start) for step in mended.steps for region in step.regions}
    assert changed == {3, 6}                              # where the stuck note begins, and the low one
    assert told == ["bar 3, piano: written anew", "bar 6, violin: written anew"]
    assert repair_text(mended).splitlines()[-1] == "2 of 2 faults mended, 0 new"
    assert "bar 6, violin: E2 is 15 semitones below what it can play: mended" in repair_text(mended)


def test_the_same_seed_mends_alike() -> None:
    found = findings(FAULTY)
    one, again = (repair(FAULTY, found, Random(), seed=3).score for _ in range(2))
    assert one == again


def test_only_the_faults_that_are_given_are_mended() -> None:
    found = findings(FAULTY)
    (low,) = (one for one in found if one.kind == "range")
    mended = repair(FAULTY, [low], Random(), seed=1)
    assert [one.finding for one in mended.faults] == [low]
    assert {one.kind for one in findings(mended.score)} == {"stuck"}
    assert kept_alike(FAULTY, mended)


class Worse(Random):
    """A family that makes things worse: each note it writes is far below any violin or piano."""

    def fill(self, *args: object, **kwargs: object) -> list[Score]:
        return [made.replace(pitch=np.full(len(made), 127), duration=np.full(len(made), 1))
                for made in super().fill(*args, **kwargs)]  # type: ignore[arg-type]


def test_a_piece_never_comes_out_with_more_faults() -> None:
    for seed in range(4):
        random = np.random.default_rng(seed)
        rows = [row(int(place) / 4, float(length), int(pitch), int(part)) for place, length, pitch, part in zip(
            random.integers(0, 240, 90), random.integers(1, 9, 90) / 4, random.integers(30, 90, 90),
            random.integers(0, 2, 90), strict=True)]
        score = made(rows, VIOLIN, PIANO)
        found = findings(score)
        assert found
        for model in (Random(), Worse()):
            after = repair(score, found, model, seed=seed, tries=2)
            assert len(findings(after.score)) <= len(found)
            assert kept_alike(score, after)


def test_what_cannot_be_mended_is_left_and_said() -> None:
    class Nothing(Random):
        """A family that writes a hole."""

        def fill(self, *args: object, **kwargs: object) -> list[Score]:
            return [score.select(np.zeros(len(score), bool)) for score in super().fill(*args, **kwargs)]  # type: ignore[arg-type]

    hole = made([one for one in song() if not 5 * BAR <= one[0] < 8 * BAR], VIOLIN, PIANO)
    after = repair(hole, findings(hole), Nothing(), tries=2)
    assert after.score == hole
    assert [one.gone for one in after.faults] == [False]
    assert after.notes == ("bars 6-8: left as it was, none of 2 candidates has fewer faults",)
    assert "nothing sounds for 3 bars: still there" in repair_text(after)
    assert all(one.gone for one in repair(hole, findings(hole), Random(), seed=1).faults)


def test_tracks_of_one_name_or_none_are_told_apart() -> None:
    twins = made([*line([60, 62, 64, 65] * 2, 0), *line([60, 62, 64, 65] * 2, 1), row(9, 1, 30, 1), row(10, 1, 60, 1)],
                 VIOLIN, VIOLIN)
    after = repair(twins, findings(twins), Random(), seed=2)
    assert after.score.tracks == twins.tracks
    assert np.array_equal(after.score.select(after.score.track == 0).notes(), twins.select(twins.track == 0).notes())
    assert findings(after.score) == []


def test_nothing_to_mend_and_bad_wishes() -> None:
    after = repair(SONG, [], Random())
    assert (after.score, after.faults, after.steps) == (SONG, (), ())
    assert repair(Score(), [], Random()).score == Score()
    with pytest.raises(RequestError, match="tries must be at least 1"):
        repair(FAULTY, findings(FAULTY), Random(), tries=0)
    unfit: Model = Markov()
    with pytest.raises(ModelError, match="has learnt nothing"):
        repair(FAULTY, findings(FAULTY), unfit)


def test_a_fault_in_a_pickup_is_mended_there() -> None:
    from partimento.score import Meter

    rows = [row(0, 1, 40), *line([60, 62, 64, 65, 67, 65, 64, 62], start=1)]
    score = made(rows, VIOLIN, meters=(Meter(0, 1, 4), Meter(Q, 4, 4)))
    after = repair(score, findings(score), Random(), seed=1)
    assert findings(after.score) == []
    assert kept_alike(score, after)
