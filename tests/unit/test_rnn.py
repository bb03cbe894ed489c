"""The rnn family beyond its contract: what it learns, how it plays, what it refuses."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from exactness import CASES, total_chance

from partimento import checkpoint, generate
from partimento.errors import ModelError
from partimento.models.base import Piece
from partimento.models.random import Random
from partimento.models.rnn import Rnn
from partimento.network import Shape, init
from partimento.request import Blanks, Region, Request
from partimento.sampling import generator
from partimento.score import Meter, Score, Track
from partimento.testing import small_corpus, song

SMALL = {"layers": 1, "width": 40, "steps": 120, "batch": 8, "window": 96, "lr": 8e-3}


@pytest.fixture(scope="module")
def model():
    pytest.importorskip("torch", reason="learning needs torch: pip install partimento[train]")
    return Rnn(**SMALL).fit(small_corpus(), valid=small_corpus(62, 2), seed=3)


def test_settings_are_refused_in_a_sentence():
    for wrong, words in (({"cell": "lstn"}, "lstm"), ({"width": 2}, "width must lie in"), ({"kept": 2.0}, "kept"),
                         ({"weights": "int4"}, "int8"), ({"precision": "half"}, "precision")):
        with pytest.raises(ModelError, match=words):
            Rnn(**wrong)


def test_what_it_learnt_costs_fewer_bits_than_noise(model):
    own = song(3)
    noise = own.replace(pitch=(generator(1).random(len(own)) * 40 + 40).astype(int))
    assert model.log_prob(own).bits_per_note < 0.7 * model.log_prob(noise).bits_per_note


def test_a_kept_ending_is_heard_before_it_comes(model):
    """Given what follows a blank, what really stood there is no less likely than without."""
    scores = [song(seed) for seed in range(40, 48)]
    alone = kept = 0.0
    for score in scores:
        half = int(score.bar_starts[4])
        start = score.select(score.onset < half).replace(end=half)
        alone += model.log_prob(start).nats
        kept += model.log_prob(score, Blanks(tuple(Region(i, 0, half) for i in range(2)))).nats
    assert kept > alone - 0.15 * abs(alone)


def test_explain_names_the_chance_and_the_others(model):
    score = song(2)
    reason = model.explain(score, 5)
    assert 0 < reason.probability <= 1
    assert len(reason.alternatives) == 3
    assert "choice" in reason.text
    assert model.explain(score, len(score)) is None


def test_going_on_from_a_model_begins_where_it_stood(model):
    again = Rnn(**{**SMALL, "steps": 1, "lr": 1e-6}).fit(small_corpus(), start=model)
    assert again.log_prob(song(4)).nats == pytest.approx(model.log_prob(song(4)).nats, rel=0.02)
    with pytest.raises(ModelError, match="width must be that of the model to go on from"):
        Rnn(**{**SMALL, "width": 24}).fit(small_corpus(), start=model)
    with pytest.raises(ModelError, match="random"):
        Rnn(**SMALL).fit(small_corpus(), start=Random())


def test_nothing_to_learn_from_is_said():
    pytest.importorskip("torch")
    with pytest.raises(ModelError, match="at least one piece with notes"):
        Rnn(**SMALL).fit([Piece(Score(end=960), "silence")])


def test_playing_imports_no_torch(model, tmp_path):
    path = tmp_path / "small.partimento"
    checkpoint.save(model, path)
    code = ("import sys\nfrom partimento import checkpoint, generate\nfrom partimento.request import Request\n"
            "model = checkpoint.load(sys.argv[1]).model\n"
            "print(len(generate.generate(Request(bars=2, seed=1), model)[0].score), 'torch' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    notes, torch = done.stdout.split()
    assert int(notes) > 0
    assert torch == "False"


def test_few_notes_are_said_to_be_few(model):
    assert any("notes are few" in note for note in model.record()["notes"])


def test_weights_in_the_file_are_those_that_play(model, tmp_path):
    for how in ("bfloat16", "int8"):
        other = Rnn(**{**SMALL, "steps": 20, "weights": how}).fit(small_corpus())
        checkpoint.save(other, tmp_path / f"{how}.partimento")
        back = checkpoint.load(tmp_path / f"{how}.partimento").model
        assert back.log_prob(song(1)) == other.log_prob(song(1))


def test_a_prompt_longer_than_the_window_is_read_from_its_end(model):
    long = song(5, bars=60)
    result = generate.generate(Request(verb="continue", bars=2, seed=2), model, source=long)[0]
    assert result.new.any()
    assert any("notes were heard, from bar" in note for note in result.notes)
    assert (result.score.onset[result.new] >= long.end).all()


def test_a_page_of_many_tracks_and_ticks(model):
    rng = generator(5)
    rows = [(int(t), 1, 40 + int(rng.random() * 40), 64, int(rng.random() * 40)) for t in np.arange(0, 960, 2)]
    busy = Score.from_rows(rows, end=1920, ticks_per_quarter=240, tracks=tuple(Track(f"t{i}", i) for i in range(40)))
    result = generate.generate(Request(verb="infill", place="1", tracks=("t3",), seed=1), model, source=busy)[0]
    assert (result.score.track[result.new] == 3).all()


def untrained(**settings):
    """A network that has learnt nothing, and is none the less exact."""
    shape = Shape(layers=1, width=16, head=16, track=8)
    arrays = {name: array * 5 for name, array in init(shape, 1).items()}
    return Rnn(**settings).restore({"shape": dataclasses.asdict(shape), "tables": {}}, arrays)


@pytest.mark.parametrize(("rows", "pinned", "blank"), CASES)
def test_all_contents_of_a_blank_sum_to_one(rows, pinned, blank):
    assert total_chance(untrained(grid=1), rows, pinned, blank) == pytest.approx(1, abs=1e-5)


def test_pitches_alone_sum_to_one():
    model = untrained(grid=1)
    base = Score.from_rows([(0, 480, 60, 80, 0), (0, 480, 62, 80, 0), (480, 480, 61, 80, 0)], end=960,
                           meters=(Meter(0, 2, 4),), tracks=(Track("piano"),))
    blanks, request = Blanks((Region(0, 0, 960, "pitch"),)), Request(ranges={"piano": "C4-D4"})
    total = 0.0
    for low, high in ((60, 61), (60, 62), (61, 62)):
        for last in (60, 61, 62):
            score = base.with_rows([(0, 480, low, 80, 0), (0, 480, high, 80, 0), (480, 480, last, 80, 0)])
            total += float(np.exp(model.log_prob(score, blanks, request).nats))
    assert total == pytest.approx(1, abs=1e-5)
