"""How pieces end: what counts as rest, and that a composed piece finds it."""

from __future__ import annotations

import numpy as np
import pytest

from partimento.events.closing import last_bar, unrest
from partimento.events.family import EventFamily
from partimento.models.rnn import Rnn
from partimento.request import Blanks, Region, Request
from partimento.sampling import generator
from partimento.score import Key, Score, Track
from partimento.testing import small_corpus

BAND = (Track("flute", 73), Track("piano"), Track("drums", 0, is_drum=True))
C_MAJOR, A_MINOR = 0, 9 + 12


def ending(*last: tuple[int, int, int, int]) -> Score:
    """Two bars of 4/4: a scale, and in the second these notes (onset in it, duration, pitch, track)."""
    rows = [(480 * i, 480, 60 + 2 * i, 80, 0) for i in range(4)]
    rows += [(1920 + onset, duration, pitch, 80, track) for onset, duration, pitch, track in last]
    return Score.from_rows(rows, end=3840, tracks=BAND, keys=(Key(0, 0),))


@pytest.mark.parametrize(("last", "key", "cost"), [
    (((0, 1920, 48, 1), (0, 1920, 67, 0)), C_MAJOR, 0),
    (((0, 1920, 45, 1), (0, 1920, 60, 0)), A_MINOR, 0),
    (((0, 1920, 48, 1), (0, 1920, 62, 0)), C_MAJOR, 1),             # a second over the tonic
    (((0, 1920, 43, 1), (0, 1920, 60, 0)), C_MAJOR, 2),             # a fourth over the fifth
    (((0, 1680, 48, 1), (1680, 240, 60, 0)), C_MAJOR, 1),           # the last sound is a quaver
    (((0, 960, 48, 1),), C_MAJOR, 1),                               # and half the bar is silent
    (((0, 240, 47, 1),), C_MAJOR, 5),
    ((), C_MAJOR, 4), (((0, 480, 36, 2),), C_MAJOR, 4)])            # a drum gives no rest
def test_rest_is_the_tonic_below_its_chord_long_enough(last: tuple[tuple[int, int, int, int], ...], key: int,
                                                       cost: int) -> None:
    assert unrest(ending(*last), key) == cost


def test_the_last_bar_of_the_blanks_is_that_of_the_tones() -> None:
    blanks = Blanks((Region(0, 0, 3840), Region(1, 0, 1920), Region(1, 2880, 3840), Region(2, 0, 3840),
                     Region(1, 2000, 2400, "pitch")))
    assert last_bar(ending(), blanks).regions == (Region(0, 1920, 3840), Region(1, 2880, 3840))


def plain(model: EventFamily, around: Score, blanks: Blanks, request: Request, seed: int) -> Score:
    """What is written in one pass."""
    return model._filled(model._page(around, blanks, request), request, generator(seed))


@pytest.mark.parametrize("order", ["time", "tracks"])
def test_a_piece_is_brought_home_and_nothing_but_its_last_bar_is_drawn_again(order: str) -> None:
    pytest.importorskip("torch")
    model = Rnn(layers=1, width=24, steps=2, batch=2, window=64, order=order).fit(small_corpus())
    around = ending().without_notes()
    blanks = Blanks(tuple(Region(track, 0, 3840) for track in range(3)))
    before, after = [], []
    for seed in range(6):
        one = plain(model, around, blanks, Request(), seed)
        (other,) = model.fill(around, blanks, Request(), [generator(seed)])
        stays, stayed = (score.select((score.onset < 1920) | (score.track == 2)) for score in (one, other))
        assert sorted(stays.notes().tolist()) == sorted(stayed.notes().tolist())
        before.append(unrest(one, C_MAJOR))
        after.append(unrest(other, C_MAJOR))
        assert after[-1] <= before[-1]
        assert (one.track == 2).any()
        streamed = list(model.stream(around, blanks, Request(), generator(seed)))
        assert sorted(np.concatenate([bar.notes() for bar in streamed]).tolist()) == sorted(other.notes().tolist())
    assert sum(after) < sum(before)


def test_draws_as_the_model_counts_loops_and_pieces_without_a_key_end_as_they_come() -> None:
    pytest.importorskip("torch")
    model = Rnn(layers=1, width=24, steps=2, batch=2, window=64).fit(small_corpus())
    blanks = Blanks((Region(0, 0, 3840), Region(1, 0, 3840)))
    around = ending().without_notes()
    for request, frame in ((Request(temperature=1.0, top_p=1.0), around), (Request(loop=True), around),
                           (Request(), around.replace(keys=())), (Request(chords="C F"), around)):
        (found,) = model.fill(frame, blanks, request, [generator(1)])
        assert found.notes().tolist() == plain(model, frame, blanks, request, 1).notes().tolist()
