"""Bad input for the families that know and count: music that obeys, or one clear sentence; no warning, no hang."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partimento import cli, explain, formats, theory, verbs
from partimento.errors import ModelError, PartimentoError, RequestError
from partimento.models.base import Model, Piece
from partimento.models.hmm import Hmm
from partimento.models.markov import Markov
from partimento.models.rules import Rules
from partimento.request import Result, parse_range
from partimento.score import Key, Meter, Score, Track
from partimento.testing import small_corpus, song

FAMILIES = ("rules", "markov", "product", "hmm")
LEARNERS = FAMILIES[1:]
MELODY = Track("melody", 73)


def fresh(name: str, **settings: Any) -> Model:
    """A family with nothing learnt yet."""
    kinds: dict[str, Callable[..., Model]] = {"rules": Rules, "product": Markov, "hmm": Hmm,
                                              "markov": lambda **more: Markov(product=False, **more)}
    return kinds[name](**({"batches": 30, "rounds": 2} if name == "hmm" else {}), **settings)


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    """One small model a family."""
    corpus = [*small_corpus(count=5), Piece(DRUMS, "drums")]
    return {name: fresh(name).fit(corpus) for name in FAMILIES}


def line(pitches: list[int], length: int = 240, **more: Any) -> Score:
    """A melody of equal notes."""
    rows = [(i * length, length, pitch, 80, 0) for i, pitch in enumerate(pitches)]
    return Score.from_rows(rows, tracks=(MELODY,), **more)


def parts(count: int, beats: int = 8) -> Score:
    """That many parts of other programs, all of which play."""
    rows = [(480 * i, 480, 40 + 2 * t, 80, t) for i in range(beats) for t in range(count)]
    return Score.from_rows(rows, tracks=tuple(Track(f"part {t + 1}", 6 * t) for t in range(count)))


def turning(bars: int, meter: tuple[int, int]) -> Score:
    """A melody to and fro in a meter."""
    notes = bars * meter[0] * 16 // meter[1]
    return line([60 + abs(i % 10 - 5) * 2 for i in range(max(notes // 2, 4))], meters=(Meter(0, *meter),))


DRUMS = Score.from_rows([(240 * i, 60, (36, 42, 38, 42)[i % 4], 90, 0) for i in range(16)], end=2 * 1920,
                        tracks=(Track("drums", 0, True),))
INPUTS = {
    "one note": Score.from_rows([(0, 480, 60, 80, 0)], end=1920, tracks=(MELODY,)),
    "one tick": Score.from_rows([(0, 1, 60, 80, 0)], end=1, tracks=(MELODY,)),
    "two notes": line([60, 62], 480, end=1920),
    "notes of no length": Score.from_rows([(0, 0, 60, 80, 0), (480, 0, 62, 80, 0)], end=960, tracks=(MELODY,)),
    "below every instrument": line([0, 1, 2, 3, 4, 5, 0, 1] * 2),
    "from end to end": line([0, 127] * 8),
    "one pitch": line([60] * 16),
    "every pitch at once": Score.from_rows([(480 * i, 480, p, 80, 0) for i in range(2) for p in range(128)]),
    "drums alone": DRUMS,
    "drums without a name": DRUMS.replace(pitch=np.where(DRUMS.pitch == 42, 3, 127)),
    "a note a tick": line([60, 61] * 30, 3),
    "1/4": turning(6, (1, 4)), "15/16": turning(2, (15, 16)), "3/2": turning(1, (3, 2)),
    "1/64": turning(64, (1, 64)),
    "other meters and keys on": line(
        [60 + i % 7 for i in range(32)], meters=(Meter(0, 4, 4), Meter(1920, 7, 8), Meter(3600, 1, 4)),
        keys=tuple(Key(960 * i, (i * 5) % 15 - 7, ("major", "minor")[i % 2]) for i in range(8))),
    "a clock of one tick": Score.from_rows([(i, 1, 60 + i % 5, 80, 0) for i in range(12)], ticks_per_quarter=1,
                                           tracks=(MELODY,)),
}
BOUND = ("infill", "infill of pitches", "vary")
TOLD_APART = ("one note", "notes of no length", "from end to end", "every pitch at once", "drums alone", "1/64")
VERBS: dict[str, Callable[[Score, Model], list[Result]]] = {
    "continue": lambda score, model: verbs.continue_(score, model=model, bars=1, seed=1),
    "infill": lambda score, model: verbs.infill(score, model=model, bars="1", seed=1),
    "infill of pitches": lambda score, model: verbs.infill(score, model=model, bars="1", open="pitch", seed=1),
    "harmonize": lambda score, model: verbs.harmonize(score, model=model, tracks="piano,bass", seed=1),
    "vary": lambda score, model: verbs.vary(score, model=model, seed=1),
}


def same_back(score: Score, folder: Path) -> None:
    """Expect that the score comes back from a MIDI file as it is."""
    formats.write(score, folder / "back.mid")
    back = formats.read(folder / "back.mid")
    assert np.array_equal(back.notes(), score.notes())
    assert [tuple(track) for track in back.tracks] == [tuple(track) for track in score.tracks]


def music_or_sentence(compose: Callable[[], Result]) -> Result | str:
    """The result, or what is said instead of it, which must be one sentence."""
    try:
        return compose()
    except PartimentoError as error:
        text = str(error)
    assert "\n" not in text
    assert 20 < len(text) < 300
    return text


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", FAMILIES)
def test_whatever_comes_there_is_music_or_a_sentence(models, name, verb, tmp_path):
    refused = set()
    with np.errstate(all="raise", under="ignore"):
        for what, score in INPUTS.items():
            if (name == "product" or (name == "markov" and verb in BOUND)) and what not in TOLD_APART:
                continue        # lines that meet what is kept take their time
            result = music_or_sentence(lambda score=score: VERBS[verb](score, models[name])[0])
            if isinstance(result, str):
                assert "they leave no way" in result or "keeps at least one track" in result, what
                refused.add(what)
                continue
            kept = {tuple(row) for row in result.score.notes()[~result.new].tolist()}
            assert kept <= {tuple(row) for row in score.notes().tolist()}, what
            assert not [row for row in result.rows if row.met is False], what
            if what in ("notes of no length", "from end to end", "drums without a name", "a note a tick"):
                same_back(result.score, tmp_path)
    assert refused <= {"every pitch at once"}


@pytest.mark.parametrize("name", ["rules", "markov", "hmm"])
def test_more_parts_than_midi_has_channels(models, name, tmp_path):
    score = parts(20, beats=4)
    for verb in ("continue", "harmonize"):
        result = VERBS[verb](score, models[name])[0]
        assert len(result.score.tracks) == 20 + 2 * (verb == "harmonize")
        same_back(result.score, tmp_path)
    made = verbs.compose(model=models[name], bars=1, tracks=[f"program:{6 * i}" for i in range(20)], seed=1)[0]
    assert len(made.score.tracks) == 20
    same_back(made.score, tmp_path)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_range_that_no_note_fits_is_refused(models, name):
    wish: dict[str, Any] = {"model": models[name], "seed": 1}
    with pytest.raises(RequestError, match="range of melody must hold a note of F# major; got C4-C4: widen it"):
        verbs.infill(INPUTS["one note"], bars="1", key="F# major", ranges={"melody": "C4-C4"}, **wish)
    with pytest.raises(RequestError, match="range of flute must hold a note of F#m; got C4-C4"):
        verbs.compose(bars=2, tracks="flute,drums", chords="Am F#m", ranges={"flute": "C4-C4", "drums": "G9-G9"},
                      **wish)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_range_beyond_the_instrument_is_kept_whatever_key_the_style_has(models, name):
    for span in ("C-1-D-1", "G9-G9", "B3-B3"):
        result = verbs.compose(model=models[name], bars=2, tracks="flute,piano", ranges={"flute": span}, seed=2)[0]
        own = result.score.pitch[result.score.track == 0]
        low, high = parse_range(span)
        assert not len(own) or (own.min() >= low and own.max() <= high)
        assert all(row.met for row in result.rows if row.name != "key")


@pytest.mark.parametrize("name", FAMILIES)
def test_chords_that_contradict_the_key_win_and_it_is_said(models, name):
    for compose in (lambda **wish: verbs.compose(bars=2, tracks="flute,bass", **wish),
                    lambda **wish: verbs.harmonize(song(2, bars=2, tracks=1), tracks="bass", **wish)):
        result = compose(model=models[name], key="C major", chords="F# B C# G#m", seed=1)[0]
        rows = {row.name: row for row in result.rows}
        assert rows["chords"].met is True
        assert rows["key"].met is False
        assert "the chords win" in rows["key"].got


CORPORA = {
    "one piece": [song(1, bars=4)], "one note": [INPUTS["one note"]], "one tick": [INPUTS["one tick"]],
    "drums alone": [DRUMS] * 2,
    "one pitch": [INPUTS["one pitch"]] * 3,
    "one pitch, held out too": [INPUTS["two notes"].replace(pitch=[60, 60])] * 11,
    "every pitch": [INPUTS["every pitch at once"]],
    "odd meters": [INPUTS[name] for name in ("1/4", "15/16", "3/2", "1/64")], "20 parts": [parts(20, beats=2)],
}


LEARNT = [(name, corpus) for name in LEARNERS for corpus in CORPORA
          if name != "product" or corpus in ("one piece", "one note", "drums alone", "one pitch")]


@pytest.mark.parametrize(("name", "corpus"), LEARNT)
def test_what_a_poor_corpus_teaches_composes(name, corpus):
    pieces = [Piece(score, f"{i}") for i, score in enumerate(CORPORA[corpus])]
    with np.errstate(all="raise", under="ignore"):
        model = fresh(name).fit(pieces)
        made = verbs.compose(model=model, bars=1, key="E minor", tracks="violin,drums", seed=1)[0]
        assert made.score.n_bars == 1
        tune = song(2, bars=2)
        assert np.isfinite(model.log_prob(tune).nats)
        assert VERBS["continue"](tune, model)[0].score.end > tune.end
        assert model.explain(tune, 3) is not None


@pytest.mark.parametrize("name", LEARNERS)
def test_a_corpus_of_nothing_is_refused(name):
    for pieces in ([], [Piece(Score(end=1920), "rests")]):
        with pytest.raises(ModelError, match="at least one piece with notes to learn from"):
            fresh(name).fit(pieces)


def test_more_states_than_there_is_to_tell_apart_and_settings_beyond_reach():
    for states in (1, 200):
        model = fresh("hmm", states=states).fit([Piece(INPUTS["one pitch"], "one pitch")])
        assert len(verbs.compose(model=model, bars=2, seed=1)[0].score)
    for name, setting in (("hmm", {"states": 0}), ("hmm", {"states": 201}), ("product", {"order": 9})):
        with pytest.raises(ModelError, match=r"must lie in .*; got"):
            fresh(name, **setting)


def test_drums_never_heard_are_said_to_be_guesswork():
    model = Markov().fit([Piece(song(1), "song")])
    told = verbs.compose(model=model, bars=2, tracks="flute,drums", seed=1)[0].notes
    assert any("heard no drums" in note for note in told)
    assert not any("drums" in note for note in verbs.compose(model=model, bars=2, tracks="flute", seed=1)[0].notes)


@pytest.mark.parametrize("name", FAMILIES)
def test_extremes_of_wishes_are_met(models, name, tmp_path):
    for wish in ({"meter": "1/4"}, {"meter": "15/16", "tempo": 4}, {"meter": "3/2", "tempo": 960}, {"meter": "1/64"},
                 {"temperature": 0.01, "top_p": 0.001}, {"chords": "N.C."}):
        asked = {"bars": 2, "tracks": "flute,drums", "key": "C major", **wish}
        result = verbs.compose(model=models[name], seed=1, **asked)[0]
        assert result.score.n_bars == 2
        assert all(row.met for row in result.rows if row.name in ("bars", "meter", "tempo", "tracks"))
        same_back(result.score, tmp_path)


@pytest.mark.parametrize("name", ["rules", "product", "hmm"])
def test_two_thousand_bars_are_read_and_gone_on_from(models, name):
    steps = [60 + (0, 2, 4, 5, 7, 5, 4, 2)[i % 8] + i // 64 % 3 for i in range(8000)]
    long = line(steps, 480)
    assert long.n_bars == 2000
    longer = verbs.continue_(long, model=models[name], bars=2, seed=1)[0]
    assert longer.score.n_bars == 2002
    if name == "rules":
        inside = verbs.infill(long, model=models[name], bars="1000", seed=1)[0]
        assert np.array_equal(inside.score.notes()[~inside.new],
                              long.select(long.onset // 1920 != 999).notes())


# --- reasons ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_reasons_of_odd_pieces(models, name):
    for what, score in INPUTS.items():
        if what == "every pitch at once":
            continue
        for one in explain(score.select(score.onset < 960), bars="1", model=models[name]):
            assert one.track in one.text
            if one.reason is not None:
                assert 0 <= one.reason.probability <= 1
    for score in (Score(), Score(end=1920), Score.from_rows([(0, 0, 60, 80, 0)], end=0)):
        with pytest.raises(RequestError, match="there must be a note to explain; this piece has none"):
            explain(score, bars="1", model=models[name])


def test_names_in_reasons_are_spelt_in_the_key_of_their_place(models):
    flat = line([70, 72, 73, 75, 77, 73, 72, 70] * 4, keys=(Key(0, -5, "minor"), Key(1920, 6, "major")))
    found = explain(flat, bars="1-2", model=models["markov"])
    assert [one.pitch for one in found[:4]] == ["Bb4", "C5", "Db5", "Eb5"]
    assert [one.pitch for one in found[8:12]] == ["A#4", "B#4", "C#5", "D#5"]
    names = {name for one in found for name, _ in one.reason.alternatives}
    assert all(theory.parse_pitch(name) for name in names)
    assert not any("#" in name for one in found[:8] for name in (one.pitch, *dict(one.reason.alternatives)))
    assert all(one.reason.text.startswith(one.pitch) for one in found)


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shelf(tmp_path_factory) -> Path:
    """A folder with two songs, odd files, and a checkpoint of each learner."""
    folder = tmp_path_factory.mktemp("shelf")
    (folder / "songs").mkdir()
    for i in range(2):
        formats.write(song(i, bars=4), folder / "songs" / f"{i}.mid")
    (folder / "one").mkdir()
    formats.write(song(1, bars=2), folder / "one" / "song.mid")
    (folder / "rests").mkdir()
    formats.write(Score(end=1920, tracks=(MELODY,)), folder / "rests" / "rests.mid")
    (folder / "head.abc").write_text("X:1\nK:C\n")
    (folder / "nobar.abc").write_text("X:1\nM:none\nK:Bb\nCDEFGABc CDEF\n")
    (folder / "nobar.krn").write_text("**kern\n4c\n4d\n4e\n4f\n4g\n*-\n")
    for name, words in (("markov", ["markov", "--set", "product=false"]), ("product", ["markov"]),
                        ("hmm", ["hmm", "--set", "batches=20", "--set", "rounds=1"])):
        done = cli.main(["train", str(folder / "songs"), "--model", *words, "-o", str(folder / f"{name}.partimento"),
                         "--workers", "1", "--quiet"])
        assert done == 0
    return folder


@pytest.mark.parametrize("name", FAMILIES)
def test_the_command_writes_whole_files_or_says_a_sentence(shelf, tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    model = "rules" if name == "rules" else str(shelf / f"{name}.partimento")
    wishes = (["continue", "--bars", "1"], ["infill", "--bars", "1"], ["harmonize", "--tracks", "piano"], ["vary"])
    for file, whole in (("head.abc", False), ("rests/rests.mid", False), ("nobar.abc", True), ("nobar.krn", True)):
        for verb, *more in wishes:
            code = cli.main([verb, str(shelf / file), *more, "--model", model, "--seed", "1", "-o", "out.mid",
                             "--quiet"])
            told = capsys.readouterr()
            assert (code == 0) == whole, told
            assert len(told.err.splitlines()) == (not whole)
            assert [path.name for path in tmp_path.glob("*.mid")] == ["out.mid"] * whole
            if whole:
                assert len(formats.read("out.mid"))
                Path("out.mid").unlink()
            else:
                assert "needs a piece with notes" in told.err
                assert not list(tmp_path.iterdir())
    code = cli.main(["compose", "--model", model, "--bars", "1", "--tracks", "flute", "--key", "Gb", "--range",
                     "flute=C4-C4", "-o", "out.mid"])
    assert code == 1
    assert "range of flute must hold a note of Gb" in capsys.readouterr().err
    assert not Path("out.mid").exists()


def test_training_on_one_piece_or_on_nothing(shelf, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["hmm", "--set", "batches=20", "--set", "rounds=1", "--set", "states=200"]
    assert cli.main(["train", str(shelf / "one"), "--model", *words, "-o", "m.partimento", "--workers", "1",
                     "--quiet"]) == 0
    assert cli.main(["compose", "--model", "m.partimento", "--bars", "2", "--tracks", "piano,drums", "--seed", "1",
                     "-o", "out.mid", "--quiet"]) == 0
    Path("m.partimento").unlink()
    capsys.readouterr()
    assert cli.main(["train", str(shelf / "rests"), "--model", *words, "-o", "m.partimento", "--workers", "1",
                     "--quiet"]) == 1
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert not Path("m.partimento").exists()


def test_what_a_bound_line_of_a_product_is_worth_is_told(shelf, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["infill", str(shelf / "songs" / "1.mid"), "--bars", "2", "--seed", "1", "-o", "out.mid"]
    for name, told in (("product", True), ("markov", False)):
        for json_too in (False, True):
            assert cli.main([*words, "--model", str(shelf / f"{name}.partimento"), *["--json"] * json_too]) == 0
            out = capsys.readouterr().out
            if json_too:
                notes = json.loads(out.splitlines()[0])["told"]
                assert any("effective sample size" in note for note in notes) == told
            else:
                assert ("effective sample size" in out) == told
