"""What stands between a model and a copy: cells, registries, streams, and what a Request and a Result say of it."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from partimento import formats, generate, verbs
from partimento.errors import ModelError, RequestError
from partimento.fingerprint.index import build_index, read_index
from partimento.fingerprint.registry import Match, Registry
from partimento.judge.guard import Guard, parts_in, whole_bars
from partimento.models.base import Model
from partimento.models.random import Random
from partimento.request import Blanks, Region, Request
from partimento.score import Score

WISH = Request(bars=8, tracks=("flute",), seed=4)


class Parrot(Model):
    """Composes one tune over and over, whatever it is asked."""

    family = "parrot"
    Config = Random.Config

    def fill(self, around, blanks, request, rngs):
        tune = [60, 64, 62, 67, 65, 59, 60, 57, 62, 55, 59, 60, 67, 64, 69, 62, 60, 65, 71, 68, 61, 63, 60, 55]
        notes = around.with_rows([(480 * i, 480, pitch, 80, 0) for i, pitch in enumerate(tune)])
        return [notes.select(blanks.inside(notes)) for _ in rngs]


def test_cells_are_whole_bars_of_the_tracks_touched_and_stay_in_their_blanks():
    score = Score(end=4 * 1920)
    assert whole_bars(score, [(1, 0, 1), (1, 1919, 1920), (0, 1920, 1921)]) == (
        Region(0, 1920, 3840), Region(1, 0, 1920))
    assert whole_bars(score, []) == ()
    blanks = Blanks((Region(0, 0, 100), Region(0, 500, 3000, "pitch"), Region(1, 0, 9000)))
    assert parts_in([Region(0, 0, 1920)], blanks) == (Region(0, 0, 100), Region(0, 500, 1920, "pitch"))
    assert parts_in([Region(2, 0, 1920)], blanks) == ()


def test_an_unguarded_piece_and_one_beside_an_index_of_other_music_are_the_same():
    plain = generate.generate(WISH, Random())[0]
    other = generate.generate(WISH.replace(seed=99), Random())[0]
    guarded = generate.generate(WISH, Random(), guard=Guard((read_index(build_index([("x", other.score)])),)))[0]
    assert guarded.score == plain.score
    assert guarded.rows[-1][:2] == ("originality", "normal")
    assert guarded.rows[-1].met is True
    assert plain.originality == {}
    assert guarded.originality["verdict"] == "original"


def test_off_leaves_a_copy_and_says_nothing():
    plain = generate.generate(WISH, Random())[0]
    guard = Guard((read_index(build_index([("x", plain.score)])),))
    same = generate.generate(WISH.replace(originality="off"), Random(), guard=guard)[0]
    assert (same.score, same.originality, same.rows) == (plain.score, {}, plain.rows)


def test_a_model_that_knows_one_tune_says_that_it_still_borrows():
    tune = generate.generate(WISH, Parrot())[0].score
    result = generate.generate(WISH, Parrot(), guard=Guard((read_index(build_index([("a tune", tune)])),)))[0]
    assert result.rows[-1].met is False
    assert any("still borrows" in note and "a tune" in note for note in result.notes)
    assert f"{generate.REWRITES} attempts more" in result.notes[-2]


def test_nothing_that_a_registry_has_is_written():
    tune = generate.generate(WISH, Parrot())[0].score
    registry = Registry.make([tune], note="its author", salt=bytes(16))
    with pytest.raises(ModelError, match="opted out by a registry"):
        generate.generate(WISH, Parrot(), guard=Guard(registry=registry))
    plain = generate.generate(WISH.replace(bars=32), Random())[0]
    mine = Registry.make([plain.score], salt=bytes(16))
    for strength in ("off", "normal", "strict"):
        wish = WISH.replace(bars=32, originality=strength)
        found = generate.generate(wish, Random(), guard=Guard(registry=mine))[0]
        assert mine.matches(plain.score)
        assert not mine.matches(found.score, found.new)
        assert any("matched a registry" in note for note in found.notes)


def test_a_stream_rests_where_it_would_match():
    tune = generate.generate(WISH, Parrot())[0].score
    registry = Registry.make([tune], salt=bytes(16))
    bars = generate.stream(WISH, Parrot(), guard=Guard(registry=registry))
    heard = list(bars)
    assert bars.result is not None
    assert not registry.matches(bars.result.score)
    assert 0 < sum(len(bar) for bar in heard) == len(bars.result.score) < len(tune)
    assert any("left empty" in note for note in bars.result.notes)


def test_kept_music_may_be_what_a_registry_has():
    tune = generate.generate(WISH, Parrot())[0].score
    registry = Registry.make([tune], salt=bytes(16))
    result = generate.generate(Request(verb="infill", place="8", seed=1), Random(), source=tune,
                               guard=Guard(registry=registry))[0]
    assert np.array_equal(result.score.select(~result.new).notes(), tune.select(tune.onset < 7 * 1920).notes())


def test_matches_of_several_tracks_are_cells_of_their_own():
    class Caught(Registry):
        def matches(self, score, new=None):
            return [Match("a", 0, 0, 10, 0), Match("b", 0, 1920, 1930, 1)]
    found = Guard(registry=Caught()).look(Score(end=3840), np.zeros(0, bool))
    assert found.cells == (Region(0, 0, 1920), Region(1, 1920, 3840))
    assert found.as_dict() == {"registry_matches": 2}


def test_a_registry_given_with_a_verb_is_named_in_the_settings_and_asked_for_again(tmp_path):
    tune = generate.generate(WISH, Parrot())[0].score
    registry = Registry.make([tune], salt=bytes(16))
    (tmp_path / "mine.registry").write_bytes(registry.to_bytes())
    result = verbs.compose(model="random", bars=4, seed=1, registries=[tmp_path / "mine.registry"])[0]
    assert result.request.registry == hashlib.sha256(registry.to_bytes()).hexdigest()
    formats.write(generate.stamped(result), tmp_path / "a.mid")
    with pytest.raises(RequestError, match="give it with --registry"):
        verbs.replay(tmp_path / "a.mid")
    assert verbs.replay(tmp_path / "a.mid", registries=[registry]).score == result.score
    formats.write(generate.stamped(verbs.compose(model="random", bars=4, seed=1)[0]), tmp_path / "b.mid")
    with pytest.raises(RequestError, match="no registry of its own"):
        verbs.replay(tmp_path / "b.mid", registries=[registry])


def test_a_strength_that_is_none_is_named():
    with pytest.raises(RequestError, match="no strength of originality named 'strickt'; did you mean 'strict'"):
        Request(originality="strickt")
