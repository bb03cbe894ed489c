"""What a model makes of every note: the numbers of the likelihood, entropies by listing all alternatives, as CSV."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from partimento import checkpoint, formats
from partimento.cli import main
from partimento.errors import ModelError, RequestError
from partimento.inspecting import is_model, note_rows
from partimento.models.base import LogProb, entropy_of, family
from partimento.request import Request
from partimento.score import Key, Meter, Score, Track
from partimento.testing import small_corpus, song

TUNE = Score.from_rows([(0, 240, 69, 80, 0), (240, 480, 62, 80, 0), (240, 480, 50, 80, 1), (960, 240, 70, 80, 0),
                        (2160, 240, 38, 80, 2)], tracks=(Track("flute"), Track("bass"), Track("drums", is_drum=True)),
                       meters=(Meter(0, 1, 8), Meter(240, 6, 8)), keys=(Key(0, -1, "minor"),))
SETTINGS = {"markov": {"order": 2, "grid": 4}, "markov sum": {"order": 2, "product": False},
            "hmm": {"states": 5, "batches": 60, "rounds": 3}}


@pytest.fixture(scope="module", params=SETTINGS)
def model(request):
    return family(request.param.split()[0])(**SETTINGS[request.param]).fit(small_corpus())


def line(pitches, keys=()):
    return Score.from_rows([(480 * i, 480, p, 80, 0) for i, p in enumerate(pitches)], end=480 * len(pitches),
                           ticks_per_quarter=480, meters=(Meter(0, 4, 4),), tracks=(Track("flute", 73),), keys=keys)


@pytest.mark.parametrize("keys", [(Key(0, 0, "major"),), ()])
def test_the_entropy_of_a_last_pitch_is_that_of_all_it_could_have_been(model, keys):
    """The chance of every pitch of the last note from as many likelihoods: content and entropy are what it says."""
    pitches, some = [60, 62, 64, 65, 67, 65, 64, 62], Request(ranges={"flute": "C4-C5"})
    nats = np.array([model.log_prob(line([*pitches, p], keys), None, some).parts["pitch"] for p in range(60, 73)])
    chances = np.exp(nats - np.logaddexp.reduce(nats))
    found = model.information(line([*pitches, 60], keys), some)
    assert found.content["pitch"][-1] == pytest.approx(-np.log2(chances[0]), abs=1e-5)
    assert found.entropy["pitch"][-1] == pytest.approx(-sum(p * np.log2(p) for p in chances if p > 0), abs=1e-5)


def test_the_first_note_after_silence_carries_the_silence(model):
    """What is told before a late first note, and after the last one, is the rhythm of it and of the end."""
    score = Score.from_rows([(8 * 1920, 480, 60, 80, 0), (8 * 1920, 480, 64, 80, 0)], end=16 * 1920,
                            ticks_per_quarter=480, tracks=(Track("piano"),))
    found = model.information(score)
    assert sorted((found.content["rhythm"] > 0).tolist()) == [False, True]      # one of the two speaks for both
    assert found.ends["rhythm"][0] > 0
    assert found.bits == pytest.approx(-model.log_prob(score).nats / np.log(2), rel=1e-6)


def test_the_random_family_is_reckoned_cell_by_cell():
    """Every cell's yes or no under the mixture of moods: what the cells tell adds up to what the notes tell."""
    model = family("random")(grid=1, densities=(0.5, 2.0), registers=((0.0, 1.0), (0.4, 0.6)), lengths=(2.0,))
    score = Score.from_rows([(480, 480, 64, 80, 0), (480, 960, 67, 80, 0), (1440, 480, 60, 80, 0)], end=1920,
                            ticks_per_quarter=480, tracks=(Track("piano"),))
    moods = [(d, r) for d in (0.5, 2.0) for r in ((0.0, 1.0), (0.4, 0.6))]
    weights, bits = np.full(4, 0.25), 0.0
    there = {(1, 64), (1, 67), (3, 60)}
    for step in range(4):
        for pitch in range(128):
            chance = np.array([_cell(mood, pitch) for mood in moods])
            own = chance if (step, pitch) in there else 1 - chance
            bits -= np.log2(weights @ own / weights.sum())
            weights = weights * own / (weights @ own)
    found = model.information(score)
    assert found.content["rhythm"].sum() + found.content["pitch"].sum() + found.ends["rhythm"][0] == pytest.approx(bits)


def _cell(mood, pitch):
    """The chance of a note in one cell of a grid of quarters, all pitches free."""
    density, (low, high) = mood
    share = [1.0 if low <= p / 127 <= high else 0.02 for p in range(128)]
    return min(density * share[pitch] / sum(share), 0.98)


def test_entropy_of_rows():
    assert entropy_of(np.full(8, 1 / 8)) == pytest.approx(np.log(8))
    assert entropy_of(np.array([[0.9, 0.1], [0.0, 1.0]])).tolist() == pytest.approx(
        [-(0.9 * np.log(0.9) + 0.1 * np.log(0.1)), 0.0])


# --- rows ------------------------------------------------------------------------------------------------------------


def test_every_note_has_its_row_where_the_page_has_it():
    found = note_rows(TUNE, model="random")
    assert found.columns[:6] == ("track", "bar", "beat", "tick", "pitch", "name")
    assert [row[:6] for row in found.rows] == [
        ("flute", 0, 1.0, 0, 69, "A4"), ("flute", 1, 1.0, 240, 62, "D4"), ("bass", 1, 1.0, 240, 50, "D3"),
        ("flute", 1, 4.0, 960, 70, "Bb4"), ("drums", 2, 3.0, 2160, 38, "Acoustic Snare")]


def test_stages_add_up_to_the_likelihood(model):
    score = song(40, bars=4)
    found = note_rows(score, model=model)
    assert {"pitch_ic", "pitch_entropy", "ic", "entropy"} <= set(found.columns)
    for row in found.as_dicts():
        stages = [name for name in row if name.endswith("_ic")]
        assert sum(row[name] for name in stages) == pytest.approx(row["ic"], abs=1e-3)
    bits = sum(row["ic"] for row in found.as_dicts()) + found.ends[0]
    assert bits == pytest.approx(-model.log_prob(score).nats / np.log(2), abs=1e-2)


def test_notes_that_fall_together_have_no_numbers(model):
    score = song(41, bars=2)
    twice = score.with_rows(np.concatenate([score.notes(), score.notes()[:1]]))
    found = note_rows(twice, model=model)
    assert sum(row[-1] is None for row in found.rows) == 1
    assert found.csv().count(",,") >= 1


def test_the_command_writes_csv(tmp_path, capsys):
    path = tmp_path / "song.mid"
    formats.write(song(42, bars=4), path)
    assert main(["inspect", str(path), "--model", "random", "--csv"]) == 0
    said = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert len(rows) == len(song(42, bars=4))
    assert float(rows[0]["ic"]) > 0
    assert "nothing more comes" in said.err
    out = tmp_path / "song.csv"
    assert main(["inspect", str(path), "--model", "random", "--csv", "-o", str(out), "--quiet"]) == 0
    assert capsys.readouterr() == (f"{out}\n", "")
    assert list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8")))) == rows
    assert main(["inspect", str(path), "--model", "random", "--csv", "--json", "--quiet"]) == 0
    assert [json.loads(one)["pitch"] for one in capsys.readouterr().out.splitlines()] == [int(r["pitch"]) for r in rows]


def test_the_bundled_model_is_meant_where_none_is_named(tmp_path, capsys):
    formats.write(song(43, bars=2), tmp_path / "song.mid")
    assert main(["inspect", str(tmp_path / "song.mid"), "--csv", "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("ic,entropy")


def test_bad_wishes_are_one_clear_sentence(tmp_path, capsys, monkeypatch):
    with pytest.raises(ModelError, match="needs a family with a likelihood; the rules family has none"):
        note_rows(TUNE, model="rules")
    with pytest.raises(ModelError, match="has learnt nothing"):
        note_rows(TUNE, model=family("markov")())
    with pytest.raises(RequestError, match="the piece has none"):
        note_rows(Score(), model="random")

    class Whole(family("random")):
        def information(self, score, request=None):
            return None

        def log_prob(self, score, blanks=None, request=None):
            return LogProb(-1.0, len(score))

    with pytest.raises(ModelError, match="cannot tell its notes apart"):
        note_rows(TUNE, model=Whole())
    monkeypatch.chdir(tmp_path)
    formats.write(song(44, bars=2), tmp_path / "song.mid")
    for words, said in ((["song.mid", "--model", "random"], "ask for that with --csv"),
                        (["song.mid", "--table", "chords"], "--table is of a model"),
                        (["song.mid", "--csv", "--model", "random", "-o", "song.txt"], "must be written as .csv"),
                        (["rules", "--csv"], "are of a piece"), (["nothing.partimento"], "checkpoint")):
        assert main(["inspect", *words]) == 1
        assert said in capsys.readouterr().err


def test_a_file_goes_before_a_family_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_model("random")
    (tmp_path / "random").mkdir()
    assert not is_model("random")
    assert is_model("any.partimento")


def test_a_checkpoint_weighs_as_its_model(tmp_path, model):
    checkpoint.save(model, tmp_path / "m.partimento", record={})
    from_file = note_rows(song(45, bars=2), model=str(tmp_path / "m.partimento"))
    assert np.allclose([row[-1] for row in from_file.rows], [row[-1] for row in note_rows(song(45, bars=2),
                                                                                          model=model).rows], atol=1e-3)
