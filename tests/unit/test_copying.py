"""What a model copies while it learns, the index in its checkpoint, and what of both is carried on."""

from __future__ import annotations

import numpy as np
import pytest

from partimento import checkpoint, formats, training, verbs
from partimento.fingerprint.index import read_index
from partimento.fingerprint.registry import Registry
from partimento.judge.originality import originality
from partimento.models.base import Copied, Piece
from partimento.models.random import Random
from partimento.score import Score
from partimento.training import train


def tune(seed: int, notes: int = 64) -> Score:
    """A melody that no other seed has."""
    rng = np.random.default_rng(seed)
    pitch = np.clip(60 + np.cumsum(rng.integers(-5, 6, notes)), 40, 90)
    length = rng.choice([240, 480, 960], notes)
    return Score(onset=np.append(0, np.cumsum(length)[:-1]), duration=length, pitch=pitch,
                 velocity=np.full(notes, 80), track=np.zeros(notes, int))


@pytest.fixture(scope="module")
def pieces():
    return [Piece(tune(seed), f"tune {seed}", licence="mine") for seed in range(12)]


def test_a_checkpoint_carries_the_index_of_its_music_and_what_it_copies(pieces, tmp_path):
    done = train(pieces, model="markov", out=tmp_path / "m.partimento")
    loaded = checkpoint.load(tmp_path / "m.partimento")
    (data,) = loaded.indexes()
    index = read_index(data)
    assert index.pieces == 12
    assert originality(pieces[3].score, index).passages[0].source == "tune 3"
    copied = loaded.record["copied"]
    assert 0 <= copied["share"] <= 1
    assert 0 <= copied["usual"] <= 1
    assert any("stand in passages that this music has too" in note for note in done.notes)
    guard = verbs.choose_model(str(tmp_path / "m.partimento")).guard
    assert [one.pieces for one in guard.indexes] == [12]
    assert not guard.registry.deposits


def test_without_an_index_nothing_is_known_of_copies(pieces, tmp_path):
    train(pieces, model="markov", out=tmp_path / "m.partimento", index=False)
    loaded = checkpoint.load(tmp_path / "m.partimento")
    assert loaded.indexes() == []
    assert loaded.record["copied"] is None
    assert verbs.compose(model=str(tmp_path / "m.partimento"), bars=4, seed=1)[0].originality == {}


def test_a_model_that_goes_on_carries_the_indexes_and_registries_of_its_base(pieces, tmp_path, monkeypatch):
    folder = tmp_path / "songs"
    folder.mkdir()
    for piece in pieces[:6]:
        formats.write(piece.score, folder / f"{piece.id}.mid")
    away = Registry.make([pieces[0].score], note="an author", salt=bytes(16))
    (tmp_path / "away.registry").write_bytes(away.to_bytes())
    monkeypatch.chdir(tmp_path)
    first = train(folder, model="markov", out="a.partimento", opt_out="away.registry", workers=0, valid_share=0)
    assert first.corpus is not None
    assert [entry.why for entry in first.corpus.entries].count("opted out") == 1
    loaded = checkpoint.load("a.partimento")
    assert Registry.from_bytes(loaded.registry()) == away
    assert read_index(loaded.indexes()[0]).pieces == 5
    guard = verbs.choose_model("a.partimento").guard
    assert guard.registry == away
    base = training._base("a.partimento", None)
    built = training.CopyCheck(pieces[6:], 0, base.indexes)
    assert [read_index(data).pieces for data in built.indexes] == [6, 5]
    assert training._registry(None, base) == away.to_bytes()


def test_what_is_copied_is_the_share_beside_what_is_usual(pieces):
    built = training.CopyCheck(pieces, 0)

    class Thief(Random):
        def fill(self, around, blanks, request, rngs):
            rows = pieces[2].score.notes()
            return [around.with_rows(rows[rows[:, 0] < around.end]) for _ in rngs]

    found = built.copied(Thief())
    assert found is not None
    assert found.share > 0.9
    assert found.source == "tune 2"
    assert found.excess == pytest.approx(found.share - found.usual)
    assert built.copied(Random()).share < 0.5


def test_the_weights_that_copy_no_more_than_is_usual_are_kept():
    torch_training = pytest.importorskip("toy_training")
    shares = iter([0.1, 0.2, 0.9, 0.95])
    plain = torch_training.run(torch_training.Toy(), torch_training.PLAN)
    assert plain.copied == []
    found = torch_training.run(torch_training.Toy(), torch_training.PLAN,
                               copying=lambda model: Copied(next(shares), 0.3, "song12.mid"))
    assert [share for _, share, _ in found.copied] == [0.1, 0.2, 0.9, 0.95]
    valid = {step: nats for step, _, nats in found.curve}
    assert found.best_step == min((10, 20), key=lambda step: valid[step])
    assert found.curve == plain.curve
    assert any("began to copy at step 30, most of song12.mid" in note for note in found.notes)
    worst = iter([0.9, 0.5, 0.7, 0.8])
    assert torch_training.run(torch_training.Toy(), torch_training.PLAN,
                              copying=lambda model: Copied(next(worst), 0.3)).best_step == 20
