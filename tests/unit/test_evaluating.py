"""Judging as one verb: what is a piece and what a set, pages, repair with its record, and the command."""

from __future__ import annotations

import json

import numpy as np
import pytest

from partimento import cli, formats, provenance, verbs
from partimento.errors import RequestError, WriteError
from partimento.evaluating import Evaluated, evaluate, heard_by, listening_test, repaired
from partimento.models.random import Random
from partimento.sampling import generator
from partimento.score import Score


def song(seed: int, bars: int = 12) -> Score:
    """A melody with a bass in C major, other notes for every seed."""
    rng = generator(seed)
    scale = np.array([60, 62, 64, 65, 67, 69, 71, 72])
    rows = []
    for bar in range(bars):
        rows += [(bar * 1920 + 480 * beat, 480, int(scale[int(rng.random() * 8)]), 80, 0) for beat in range(4)]
        rows.append((bar * 1920, 1920, [48, 53, 55, 48][bar % 4], 70, 1))
    rows.append((bars * 1920, 1920, 60, 80, 0))
    rows.append((bars * 1920, 1920, 48, 70, 1))
    return Score.from_rows(rows)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    for seed in range(12):
        formats.write(song(seed), folder / f"song{seed}.mid")
    return folder


@pytest.fixture
def shell(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = cli.main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err
    return run


def test_one_piece_beside_a_reference_says_faults_rank_and_what_it_borrows(real):
    found = evaluate(real / "song3.mid", real)
    (one,) = found.pieces
    assert (one.name, one.reference, found.evaluation) == ("song3.mid", real.name, None)
    assert one.originality.verdict == "borrows"
    assert one.originality.passages[0].source.startswith("song3")
    assert one.rank is not None
    assert set(one.spreads) >= {"range", "ending"}
    plain = json.loads(json.dumps(found.as_dict()))
    assert plain["pieces_found"][0]["originality"]["verdict"] == "borrows"
    assert found.text.startswith("song3.mid: 62 notes, 13 bars, beside")


def test_one_piece_alone_is_held_against_open_music():
    found = evaluate(song(1).replace(pitch=np.append(song(1).pitch[:-1], 5)))
    assert [fault.kind for fault in found.pieces[0].findings].count("range") == 1
    assert found.pieces[0].originality is None
    assert "beside open human music" in found.text


def test_a_set_needs_something_to_be_judged_by(real):
    with pytest.raises(RequestError, match="give --reference with a folder of real music, or --model"):
        evaluate(real)
    alone = evaluate([song(1), song(2)], model="random")
    assert (alone.evaluation, alone.bits.model, len(alone.bits.pieces)) == (None, "random", 2)
    with pytest.raises(RequestError, match="is a checkpoint: give it with --model"):
        evaluate("mine.partimento")


def test_a_reference_of_few_pieces_is_refused_in_a_sentence(tmp_path, real):
    formats.write(song(1), tmp_path / "one.mid")
    with pytest.raises(RequestError, match="a reference for one piece must have at least 10 pieces"):
        evaluate(real / "song3.mid", tmp_path)


def test_sets_become_a_page_and_tables(real, tmp_path):
    made = [result.score for result in verbs.compose(model="random", bars=6, tempo=240, seed=1, count=5)]
    found = evaluate(made, real, pieces=2, model="random")
    assert found.evaluation.pieces == 5
    assert [one.name for one in found.pieces] == ["piece 1", "piece 2"]
    page = found.write(tmp_path / "a.html").read_text(encoding="utf-8")
    assert "piece 2" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert json.loads(found.write(tmp_path / "a.json").read_text())["bits"]["model"] == "random"
    assert found.write(tmp_path / "a.tex").read_text().startswith("\\begin{tabular}")
    with pytest.raises(WriteError, match=r"an evaluation must be written as .html, .json"):
        found.write(tmp_path / "a.docx")
    with pytest.raises(WriteError, match="where sets are compared"):
        Evaluated("one", pieces=found.pieces).write(tmp_path / "a.csv")


def test_a_repaired_piece_has_fewer_faults_and_a_record_that_makes_it_again(tmp_path):
    bad = song(2).replace(pitch=np.append(song(2).pitch[:-2], [5, 61]))
    formats.write(bad, tmp_path / "bad.mid")
    found = evaluate(tmp_path / "bad.mid").pieces[0]
    assert found.findings
    done, written = repaired(tmp_path / "bad.mid", found, tmp_path / "good.mid", model="random", seed=3)
    assert sum(one.gone for one in done.faults) > len(done.new)
    assert written == [tmp_path / "good.mid"]
    assert provenance.verify(tmp_path / "good.mid").state == "unsigned"
    hands = provenance.read_record(tmp_path / "good.provenance.json").steps
    assert [step["by"] for step in hands] == ["imported", "composed"]
    assert np.array_equal(verbs.replay(tmp_path / "good.mid").score.notes(), done.score.notes())
    kept = done.score.select(~done.result.new).notes().tolist()
    assert {tuple(row) for row in kept} <= {tuple(row) for row in formats.read(tmp_path / "bad.mid").notes().tolist()}
    clean = evaluate(song(1))
    if not clean.pieces[0].findings:
        with pytest.raises(RequestError, match="a piece to repair must have a fault"):
            repaired(tmp_path / "bad.mid", clean.pieces[0], tmp_path / "x.mid")


def test_a_listening_test_and_its_answers(real, tmp_path, shell):
    for number, result in enumerate(verbs.compose(model="random", bars=4, tempo=120, seed=1, count=3)):
        formats.write(result.score, tmp_path / f"made{number}.mid")
    (tmp_path / "made").mkdir()
    for path in tmp_path.glob("made*.mid"):
        path.rename(tmp_path / "made" / path.name)
    page, key = listening_test(tmp_path / "made", real, tmp_path / "test.html", pairs=1)
    hidden = json.loads(key.read_text(encoding="utf-8"))
    text = page.read_text(encoding="utf-8")
    assert "made0" not in text
    assert {clip["set"] for clip in hidden["clips"].values()} >= {"made", real.name}
    answers = [{"trial": name, "choice": trial["clips"][0], "left": trial["clips"][0]}
               for name, trial in hidden["trials"].items()]
    with pytest.raises(RequestError):
        heard_by([], key)
    code, _, err = shell("evaluate", "--listening", "gone.json")
    assert (code, "must come with the key" in err) == (1, True)
    assert len(answers) == len(hidden["trials"])


def test_the_command_tells_of_a_piece_and_repairs_it(shell, tmp_path):
    bad = song(2).replace(pitch=np.append(song(2).pitch[:-2], [5, 61]))
    formats.write(bad, tmp_path / "bad.mid")
    code, out, err = shell("evaluate", "bad.mid", "--repair", "good.mid", "--with", "random", "--quiet")
    assert (code, err, out[-1]) == (0, "", "good.mid")
    assert any("faults mended" in line for line in out)
    code, out, err = shell("evaluate", "good.mid", "--json", "--quiet")
    assert json.loads(out[0])["pieces_found"][0]["piece"] == "good.mid"


@pytest.mark.parametrize(("words", "said"), [
    ((), "there must be something to judge"),
    (("songs", "--listening-page", "a.html"), "must compare two sets"),
    (("gone.mid",), "no such file"),
    (("empty.mid",), "must have notes"),
    (("songs", "--reference", "songs", "--repair", "x.mid"), "one piece at a time"),
])
def test_what_cannot_be_is_one_sentence(shell, tmp_path, words, said):
    (tmp_path / "songs").mkdir()
    for seed in range(4):
        formats.write(song(seed), tmp_path / "songs" / f"{seed}.mid")
    formats.write(Score(end=1920), tmp_path / "empty.mid")
    code, _, err = shell("evaluate", *words, "--quiet")
    assert code == 1
    assert err.count("\n") == 1
    assert said in err
    assert not (tmp_path / "x.mid").exists()


def test_random_music_ranks_below_a_song():
    random = verbs.compose(model="random", bars=12, tracks="flute,piano", seed=5)[0].score
    assert Random.family == "random"
    assert evaluate(song(1)).pieces[0].rank.value > evaluate(random).pieces[0].rank.value
