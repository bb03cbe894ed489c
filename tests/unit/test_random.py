"""The random family: settings, density, exact likelihood where the pitch alone is open, and speed of growth."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from partimento.errors import ModelError, PartimentoError
from partimento.models.random import Random, RandomConfig
from partimento.request import Blanks, Region, Request
from partimento.sampling import generator
from partimento.score import Score, Track
from partimento.testing import song

FRAME = Score(end=8 * 1920, tracks=(Track("piano"),))


def fill(around: Score, blanks: Blanks, request: Request | None = None, seed: int = 0, **settings) -> Score:
    return Random(**settings).fill(around, blanks, request or Request(), [generator(seed)])[0]


@pytest.mark.parametrize(("settings", "says"), [
    ({"grid": 0}, "grid must lie in 1..96"), ({"grid": 97}, "grid must lie in 1..96"),
    ({"densities": ()}, "at least one density"), ({"densities": (0.0,)}, "densities must be above 0"),
    ({"lengths": (0.5,)}, "lengths at least 1 step"), ({"registers": ()}, "at least one"),
    ({"dense": 1}, "named 'dense'; did you mean 'densities'?")])
def test_settings_are_checked(settings, says):
    with pytest.raises(PartimentoError) as caught:
        Random(**settings)
    assert says in str(caught.value)


def test_the_constructor_keeps_its_config():
    config = RandomConfig(grid=4, densities=(1.0,))
    assert Random(config).config == config
    assert Random(grid=4, densities=(1.0,)).config == config
    with pytest.raises((ModelError, TypeError)):
        Random(config, grid=5)


@pytest.mark.parametrize("density", [0.5, 2.0, 4.0])
def test_the_density_asked_is_the_density_got(density):
    counts = [len(fill(FRAME, Blanks.everything(FRAME), seed=s, densities=(density,))) for s in range(20)]
    assert np.mean(counts) / 32 == pytest.approx(density, rel=0.15)  # notes a quarter over 32 quarters


def test_onsets_stand_on_the_grid_and_mostly_on_sixteenths():
    found = fill(FRAME, Blanks.everything(FRAME), densities=(4.0,))
    assert not (found.onset % 40).any()
    assert (found.onset % 120 == 0).mean() > 0.85


def test_a_new_note_never_begins_where_a_kept_one_of_its_pitch_sounds():
    kept = FRAME.with_rows([(0, 8 * 1920, p, 80, 0) for p in range(21, 108, 2)])
    found = fill(kept, Blanks((Region(0, 1920, 3840),)), densities=(4.0,))
    assert len(found)
    assert (found.pitch % 2 == 0).all()
    assert (found.onset >= 1920).all()
    assert (found.onset < 3840).all()


@pytest.mark.parametrize("tpq", [1, 5, 96, 480, 30_000])
def test_any_clock(tpq):
    around = Score(end=16 * tpq, ticks_per_quarter=tpq, tracks=(Track("piano"),))
    found = fill(around, Blanks.everything(around), densities=(2.0,), seed=3)
    assert len(found)
    assert (found.onset < around.end).all()
    assert (found.duration > 0).all()


def test_the_pitches_of_a_given_rhythm_sum_to_one():
    source = Score.from_rows([(0, 480, 60, 80, 0), (0, 480, 62, 80, 0), (240, 480, 61, 80, 0), (960, 480, 60, 80, 0)],
                             tracks=(Track("piano"),))
    request = Request(ranges={"piano": "C4-E4"})
    blanks = Blanks((Region(0, 0, 700, "pitch"),))
    model, total = Random(), 0.0
    for first, second in itertools.product(itertools.combinations(range(60, 65), 2), range(60, 65)):
        other = source.with_rows([(0, 480, first[0], 80, 0), (0, 480, first[1], 80, 0), (240, 480, second, 80, 0),
                                  (960, 480, 60, 80, 0)])
        total += np.exp(model.log_prob(other, blanks, request).nats)
    assert total == pytest.approx(1.0)


def test_what_it_draws_is_possible_under_its_likelihood():
    model, source = Random(densities=(1.0, 3.0)), song(3)
    for region in (Region(0, 1920, 5760), Region(0, 1920, 5760, "pitch")):
        blanks = Blanks((region,))
        inside = blanks.inside(source, "all")
        around = source.select(~inside)
        fresh = model.fill(around, blanks, Request(), [generator(4)])[0]
        rest = around.select(~blanks.rewritten(around))
        nats = model.log_prob(rest.with_notes_of(fresh), blanks, Request()).nats
        assert np.isfinite(nats)
        assert nats < 0


def test_a_denser_setting_finds_dense_music_likelier():
    busy = fill(FRAME, Blanks.everything(FRAME), densities=(4.0,), seed=2)
    sparse, dense = (Random(densities=(d,)).log_prob(busy).nats for d in (0.5, 4.0))
    assert dense > sparse
