"""Forgetting: what stays is what would have been learnt without it, in the model, the ledger, the record, the index."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from test_training import OWN, Pitches

from partimento import checkpoint, formats
from partimento.cli.forget import forget_piece
from partimento.counting import subtract as subtracting
from partimento.counting.mixture import Mixture, View
from partimento.counting.subtract import subtract
from partimento.data import load
from partimento.data.reading import file_sha256
from partimento.errors import CheckpointError, ModelError, PartimentoError, ReadError, RequestError
from partimento.fingerprint.index import build_index, without_pieces
from partimento.forgetting import HIDDEN, forget
from partimento.models import markov
from partimento.models.base import Model, Piece
from partimento.models.markov import Markov
from partimento.request import Blanks, Request
from partimento.sampling import generator
from partimento.score import Score, Track
from partimento.testing import inputs, small_corpus, song
from partimento.training import train

VIEWS = [View(("a", "h1", "b", "h2")), View(("a", "h1-h2", "b"), relative=True), View(("b",)),
         View(("a", "b", "h1", "h2", "h3"))]


def saved(model: Model) -> list[Any]:
    """Everything that is saved of a model, to the byte."""
    values, arrays = model.state()
    return [json.dumps(values, sort_keys=True),
            *((name, array.dtype.str, array.shape, array.tobytes()) for name, array in sorted(arrays.items()))]


def rows(seed: int) -> tuple[dict[str, Any], Any, Any, Any]:
    """Rows to count: columns, history, symbols, and which of them go."""
    rng = np.random.default_rng(seed)
    n, size = int(rng.integers(30, 1500)), int(rng.integers(2, 12))
    line = rng.integers(0, size, n)
    history = np.stack([np.append(np.full(k, -1), line[:n - k]) for k in (1, 2, 3)], axis=1)
    gone = np.zeros(n, bool)
    gone[n // 3:n // 3 + n // 7] = True
    return {"a": rng.integers(-1, 4, n), "b": rng.integers(0, 6, n)}, history, line, gone


def counted(columns: Mapping[str, Any], history: Any, line: Any, some: Any, **settings: int) -> Mixture:
    mixture = Mixture(VIEWS, 12, **settings)
    mixture.fit({name: column[some] for name, column in columns.items()}, history[some], line[some])
    return mixture


def levels(mixture: Mixture) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in mixture.state().items() if name not in ("weights", "worth")}


# --- counts -------------------------------------------------------------------------------------------------------


def test_counts_by_hand() -> None:
    # After 0 came 1 twice and 2 once; without the last two rows, 1 once.
    line, before = np.array([0, 1, 0, 1, 0, 2]), np.array([[-1], [0], [1], [0], [1], [0]])
    mixture = Mixture([View(("h1",))], 3)
    mixture.fit({}, before, line)
    assert mixture.levels[1].times.tolist() == [1, 2, 1, 2]         # after nothing 0; after 0: 1, 2; after 1: 0
    left, doubts = subtract(mixture, {}, before[4:], line[4:])
    assert doubts == 0
    assert left.levels[1].times.tolist() == [1, 2, 1]
    assert left.levels[0].symbol.tolist() == [0, 1]
    assert left.levels[0].times.tolist() == [2, 1]                  # 0 came after nothing and after 1; 2 is gone
    assert mixture.levels[1].times.tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize("prune", [1, 2])
def test_subtracting_rows_is_never_having_counted_them(prune: int) -> None:
    for seed in range(12):
        columns, history, line, gone = rows(seed)
        whole = counted(columns, history, line, np.ones(len(line), bool), prune=prune)
        left, doubts = subtract(whole, {name: column[gone] for name, column in columns.items()}, history[gone],
                                line[gone])
        assert doubts == 0
        assert levels(left) == levels(counted(columns, history, line, ~gone, prune=prune))


def test_where_too_many_contexts_were_dropped_the_number_raised_stays() -> None:
    columns, history, line, gone = rows(7)

    def one_view(some: Any, **settings: int) -> Mixture:
        mixture = Mixture(VIEWS[3:], 12, **settings)
        mixture.fit({name: column[some] for name, column in columns.items()}, history[some], line[some])
        return mixture
    most = sum(len(level.key) for level in one_view(~gone).levels[2:])
    whole = one_view(np.ones(len(line), bool), most=most)
    assert [whole.floors, one_view(~gone, most=most).floors] == [[2], [1]]      # the rows alone made it too many
    left, doubts = subtract(whole, {name: column[gone] for name, column in columns.items()}, history[gone], line[gone])
    assert doubts == 0
    assert levels(left) == levels(one_view(~gone, prune=2))


def test_a_row_too_few_is_seen() -> None:
    columns, history, line, gone = rows(5)
    whole = counted(columns, history, line, np.ones(len(line), bool))
    short = np.flatnonzero(gone)[:-1]
    left, _ = subtract(whole, {name: column[short] for name, column in columns.items()}, history[short], line[short])
    assert levels(left) != levels(counted(columns, history, line, ~gone))


def test_of_contexts_dropped_above_two_sightings_nothing_stays_and_what_is_in_doubt_is_counted() -> None:
    doubted = 0
    for seed in range(12):
        columns, history, line, gone = rows(seed)
        whole = counted(columns, history, line, np.ones(len(line), bool), prune=4)
        left, doubts = subtract(whole, {name: column[gone] for name, column in columns.items()}, history[gone],
                                line[gone])
        wanted = counted(columns, history, line, ~gone, prune=4)
        assert doubts or levels(left) == levels(wanted)
        doubted += doubts > 0
        for ours, theirs in zip(left.levels[:2], wanted.levels[:2], strict=True):   # where no context is dropped
            counts = {(key, symbol): times for key, symbol, times in entries(theirs)}
            assert all(times <= counts[key, symbol] for key, symbol, times in entries(ours))
    assert doubted


def entries(level: Any) -> Iterable[tuple[int, int, int]]:
    owner = np.repeat(level.key, np.diff(level.first))
    return zip(owner.tolist(), level.symbol.tolist(), level.times.tolist(), strict=True)


def test_what_was_never_counted_cannot_be_subtracted() -> None:
    columns, history, line, _ = rows(1)
    half = np.arange(len(line)) < len(line) // 2
    mixture = counted(columns, history, line, half)
    before = levels(mixture)
    with pytest.raises(ModelError, match="only what was learnt can be forgotten"):
        subtract(mixture, {name: column[~half] for name, column in columns.items()}, history[~half], line[~half])
    assert levels(mixture) == before


def test_the_floors_of_an_older_model_are_found() -> None:
    for prune in (1, 3):
        columns, history, line, _ = rows(8)
        mixture = counted(columns, history, line, np.ones(len(line), bool), prune=prune)
        mixture.floors = None
        assert (subtracting._floors(mixture) >= prune).all()
        assert prune > 1 or (subtracting._floors(mixture) == 1).all()


# --- the family -----------------------------------------------------------------------------------------------------


def varied() -> list[Piece]:
    """Pieces in several meters, with drums, a pick-up, an odd clock."""
    return [*small_corpus(60, 5), *(Piece(score, f"in{i}") for i, score in enumerate(list(inputs())[-4:]))]


@pytest.mark.parametrize("settings", [{"order": 2}, {"transpositions": 3}, {"prune": 2},
                                      {"given": ("before",), "normalise": False}])
def test_markov_forgets_to_the_byte(settings: dict[str, Any]) -> None:
    music = varied()
    model = Markov(**settings).fit(music)
    values, arrays = model.state()
    model = Markov(**settings).restore(json.loads(json.dumps(values)), arrays)
    for gone in ((0,), (8,), (6, 2)):
        found = model.forget([music[i] for i in gone])
        rest = [piece for i, piece in enumerate(music) if i not in gone]
        assert found.unsure == ()
        assert found.chosen == ()
        assert saved(found.model) == saved(Markov(**settings).fit(rest))
    again = model.forget([music[1]]).model.forget([music[4]])       # type: ignore[union-attr]
    assert again is not None
    assert saved(again.model) == saved(Markov(**settings).fit([music[i] for i in (0, 2, 3, 5, 6, 7, 8)]))


def first_columns(weights: npt.NDArray[np.float64], groups: int) -> npt.NDArray[np.float64]:
    return np.ascontiguousarray(weights[:, :groups])


def fitted_with_the_weights_of(model: Markov, music: Sequence[Piece], monkeypatch: pytest.MonkeyPatch) -> Markov:
    """A fit that learns no weights but takes those of another."""
    with monkeypatch.context() as patch:
        patch.setattr(markov, "_order", lambda count, seed: [])
        made = Markov(model.config)
        stages = made._mixtures()
        for name, mixture in stages.items():
            patch.setattr(mixture, "_even", partial(first_columns, model._stages[name].weights))
        patch.setattr(made, "_mixtures", lambda: stages)
        made.fit(music)
    for name, mixture in stages.items():
        mixture.worth = model._stages[name].worth
    return made


def test_learnt_weights_stay_and_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    music = small_corpus(60, 11)
    model = Markov(order=2, product=False).fit(music)
    found = model.forget([music[4]])
    assert found.chosen == ("the weights of the views, learnt on a tenth of the pieces",)
    assert isinstance(found.model, Markov)
    rest = music[:4] + music[5:]
    assert saved(found.model) == saved(fitted_with_the_weights_of(model, rest, monkeypatch))
    around = song(50, bars=2).without_notes()
    drawn = [one.fill(around, Blanks.everything(around), Request(), [generator(3)])[0].notes().tolist()
             for one in (found.model, fitted_with_the_weights_of(model, rest, monkeypatch))]
    assert drawn[0] == drawn[1]


def test_what_was_learnt_twice_is_forgotten_twice() -> None:
    music = small_corpus(60, 4)
    model = Markov(order=2).fit([*music, music[1]])
    assert saved(model.forget([music[1]]).model) == saved(Markov(order=2).fit([music[0], *music[2:]]))


def test_what_cannot_be_forgotten_is_told() -> None:
    music = small_corpus(60, 3)
    model = Markov(order=2).fit(music)
    with pytest.raises(ModelError, match=r"only music that was learnt can be forgotten; song2 was not learnt as it is"):
        model.forget([music[2]._replace(score=music[2].score.replace(velocity=music[2].score.velocity + 1))])
    with pytest.raises(ModelError, match="must have learnt something else"):
        model.forget(music)
    with pytest.raises(ModelError, match="must be fitted"):
        Markov().forget(music)


def test_an_older_checkpoint_says_what_it_does_not_know() -> None:
    music = small_corpus(60, 5)
    model = Markov(order=2).fit(music)
    values, arrays = model.state()
    old = Markov(order=2).restore({"tables": values["tables"]},
                                  {name: array for name, array in arrays.items() if not name.endswith("floors")})
    found = old.forget([music[0]])
    assert found.unsure == ("which of equally frequent meters, tempos, keys, bands, roles and chords stands first",)
    wanted = Markov(order=2).fit(music[1:]).state()
    got = found.model.state()
    assert {name: array.tobytes() for name, array in got[1].items()} == \
        {name: array.tobytes() for name, array in wanted[1].items() if not name.startswith("told.")}
    assert {name: sorted(map(str, rows)) for name, rows in got[0]["tables"].items()} == \
        {name: sorted(map(str, rows)) for name, rows in wanted[0]["tables"].items()}


# --- the index --------------------------------------------------------------------------------------------------------


def test_an_index_without_a_piece_is_one_built_without_it() -> None:
    music = [(piece.id, piece.score) for piece in [*varied(), Piece(Score(), "empty")]]
    whole = build_index(music)
    for gone in ((0,), (9,), (3, 5, 7), tuple(range(10))):
        left = [pair for i, pair in enumerate(music) if i not in gone]
        assert without_pieces(whole, {music[i][0]: len(music[i][1]) for i in gone}) == build_index(left)
    assert without_pieces(whole, {"nobody": 9}) == whole


# --- the verb ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("songs")
    for i in range(12):
        formats.write(song(i), root / f"song{i:02}.mid")
    (root / "song03 copy.mid").write_bytes((root / "song03.mid").read_bytes())
    (root / "page.mid").write_bytes(b"<html>")
    return root


@pytest.fixture(scope="module")
def learnt(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model") / "mine.partimento"
    train(songs, settings={"order": 2}, out=out, valid_share=0.2, licence="mine", near="keep", workers=0)
    return out


def files_of(path: Path, used: str) -> list[str]:
    return [entry.file for entry in checkpoint.load(path).ledger() if entry.used == used]


def test_a_checkpoint_forgets_a_file(songs: Path, learnt: Path, tmp_path: Path) -> None:
    before = learnt.read_bytes()
    name = next(file for file in files_of(learnt, "train") if file != "song03 copy.mid")
    for piece, music in ((songs / name, None), (name, songs), (Path(name).stem, songs),
                         (file_sha256(songs / name), songs)):
        result = forget(learnt, [piece], out=tmp_path / "less.partimento", music=music, workers=0)
        assert result.forgotten == (name,)
        assert (result.how, result.exact) == ("subtracted", True)
        assert (result.alike is None) == (music is None)
    loaded, whole = checkpoint.load(tmp_path / "less.partimento"), checkpoint.load(learnt)
    piece = next(piece for piece in load(songs, near="keep", valid_share=0.2, workers=0).train if piece.id == name)
    assert saved(loaded.model) == saved(whole.model.forget([piece]).model)      # type: ignore[union-attr]
    assert {entry.file for entry in whole.ledger()} - {entry.file for entry in loaded.ledger()} == {name}
    old, new = whole.record, loaded.record
    assert (old["pieces"] - new["pieces"], old["train"] - new["train"], old["used"] - new["used"]) == (1, 1, 1)
    assert old["notes"] - new["notes"] == len(piece.score)
    assert new["licences"] == {"mine": old["licences"]["mine"] - 1}
    assert old["fingerprint"] != new["fingerprint"]
    row, = new["forgotten"]
    assert row["sha256"] == [file_sha256(songs / name)]
    assert (row["exact"], row["how"], row["from"]) == (True, "subtracted", whole.hash)
    assert "the weights of the views, learnt on a tenth of the pieces" in row["not_forgotten"]
    assert loaded.indexes() == [without_pieces(whole.indexes()[0], {name: len(piece.score)})] != whole.indexes()
    assert learnt.read_bytes() == before


def test_no_name_stays_behind(songs: Path, tmp_path: Path) -> None:
    out, less = tmp_path / "a.partimento", tmp_path / "b.partimento"
    train(songs, settings={"order": 1}, out=out, valid_share=0, near="keep", workers=0)
    assert any(entry.why == "duplicate" for entry in checkpoint.load(out).ledger())
    forget(out, ["song03 copy.mid"], out=less, music=songs, workers=0)
    with zipfile.ZipFile(less) as archive:
        assert not [name for name in archive.namelist() if b"song03" in archive.read(name)]
    near = tmp_path / "near"
    near.mkdir()
    formats.write(song(1, bars=16), near / "long.mid")
    formats.write(song(2), near / "other.mid")
    formats.write(song(1, bars=16).replace(pitch=song(1, bars=16).pitch + 3).select(
        song(1, bars=16).onset < 12 * 1920), near / "z short.mid")
    train(near, settings={"order": 1}, out=out, near="one", workers=0)
    named = [entry for entry in checkpoint.load(out).ledger() if entry.why == "near"]
    assert ["long.mid" in entry.detail for entry in named] == [True]
    forget(out, [near / "long.mid"], out=less)
    assert [HIDDEN in entry.detail for entry in checkpoint.load(less).ledger() if entry.why == "near"] == [True]
    assert not any("long" in str(entry) for entry in checkpoint.load(less).ledger())


def test_the_same_melody_is_named_and_may_go_too(songs: Path, tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for i in range(5):
        formats.write(song(i, bars=16), music / f"s{i}.mid")
    formats.write(song(2, 65, bars=16), music / "s2 in F.mid")
    out = tmp_path / "a.partimento"
    train(music, settings={"order": 1}, out=out, valid_share=0, near="keep", workers=0)
    one = forget(out, ["s2.mid"], music=music, workers=0)
    assert one.path == tmp_path / "a-forgot.partimento"
    assert one.alike == ("s2 in F.mid",)
    assert "still learnt from" in one.summary()
    both = forget(out, ["s2.mid"], music=music, also_alike=True, workers=0, out=tmp_path / "both.partimento")
    assert set(both.forgotten) == {"s2.mid", "s2 in F.mid"}
    rest = [piece for piece in load(music, near="keep", valid_share=0, workers=0).train if "s2" not in piece.id]
    assert saved(checkpoint.load(both.path).model) == saved(Markov(order=1).fit(rest))


def test_learning_again_is_a_fit_of_the_rest(songs: Path, learnt: Path, tmp_path: Path) -> None:
    gone = files_of(learnt, "train")[2]
    result = forget(learnt, [gone], out=tmp_path / "new.partimento", music=songs, refit=True, workers=0)
    assert (result.how, result.not_forgotten, result.unsure) == ("learnt again", (), ())
    assert result.likelihood is not None
    corpus = load(songs, near="keep", valid_share=0.2, workers=0)
    rest = [piece for piece in corpus.train if piece.id != gone]
    loaded = checkpoint.load(result.path)
    assert saved(loaded.model) == saved(Markov(order=2).fit(rest))
    assert loaded.record["likelihood"]["bits_per_note"] == result.likelihood.bits_per_note
    assert loaded.record["forgotten"][0]["how"] == "learnt again"


def test_a_family_that_cannot_forget_learns_again(songs: Path, tmp_path: Path) -> None:
    out = tmp_path / "pitches.partimento"
    train(songs, model=OWN, out=out, valid_share=0, near="keep", workers=0)
    with pytest.raises(RequestError, match="takes all the music that was learnt"):
        forget(out, [songs / "song05.mid"])
    with pytest.raises(RequestError, match=r"lacks 11 of 11 files"):
        forget(out, [songs / "song05.mid"], music=folder_with(tmp_path, songs / "song05.mid"), workers=0)
    result = forget(out, ["song05.mid"], music=songs, workers=0)
    loaded = checkpoint.load(result.path)
    assert isinstance(loaded.model, Pitches)
    rest = [piece for piece in load(songs, near="keep", valid_share=0, workers=0).train if piece.id != "song05.mid"]
    assert loaded.model.counts.tolist() == Pitches().fit(rest).counts.tolist()
    assert loaded.record["forgotten"][0]["how"] == "learnt again"


def folder_with(place: Path, file: Path) -> Path:
    folder = place / "few"
    folder.mkdir()
    (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_a_file_saved_anew_is_known_by_its_music(songs: Path, learnt: Path, tmp_path: Path) -> None:
    name = files_of(learnt, "train")[0]
    anew = tmp_path / name
    score = formats.read(songs / name)
    formats.write(score.replace(texts=()), anew)
    anew.write_bytes(anew.read_bytes() + b"XTRA\0\0\0\0")
    assert file_sha256(anew) != file_sha256(songs / name)
    assert forget(learnt, [anew], out=tmp_path / "x.partimento").forgotten == (name,)
    formats.write(score.replace(pitch=score.pitch + 1), anew)
    with pytest.raises(RequestError, match="no file of these bytes is"):
        forget(learnt, [anew], out=tmp_path / "y.partimento")
    assert not (tmp_path / "y.partimento").exists()


def test_bad_input_is_one_sentence_each(songs: Path, learnt: Path, tmp_path: Path) -> None:
    out = tmp_path / "none.partimento"
    trained = files_of(learnt, "train")
    stranger = tmp_path / "stranger.mid"
    formats.write(song(77), stranger)
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    cases: list[tuple[type[PartimentoError], str, dict[str, Any]]] = [
        (RequestError, "kept to check on: nothing was learnt", {"pieces": [songs / files_of(learnt, "valid")[0]]}),
        (RequestError, "was not used .is an HTML page", {"pieces": ["page.mid"]}),
        (RequestError, "no name and no sha256 in it", {"pieces": ["nobody"]}),
        (RequestError, "no name and no sha256 in it", {"pieces": ["0" * 64]}),
        (RequestError, "no file of these bytes is", {"pieces": [stranger]}),
        (ReadError, "must be music", {"pieces": [tmp_path / "broken.mid"]}),
        (RequestError, "can be told from its music alone", {"pieces": [trained[0]]}),
        (RequestError, "say its folder", {"pieces": [songs / trained[0]], "also_alike": True}),
        (RequestError, "at least one piece", {"pieces": []}),
        (ReadError, "must be a file or a folder", {"pieces": [trained[0]], "music": tmp_path / "nowhere"}),
        (ModelError, "must have learnt something else", {"pieces": [songs / name for name in trained]}),
    ]
    for kind, said, wish in cases:
        with pytest.raises(kind, match=said) as caught:
            forget(learnt, out=out, workers=0, **wish)
        assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="must be a file that can be opened"):
        forget(tmp_path / "nothing.partimento", ["x"])
    less = forget(learnt, [songs / trained[0]], out=tmp_path / "less.partimento").path
    with pytest.raises(RequestError, match="was forgotten before"):
        forget(less, [songs / trained[0]], out=out)
    train(songs, model="random", out=tmp_path / "r.partimento", workers=0)
    with pytest.raises(ModelError, match="does not learn"):
        forget(tmp_path / "r.partimento", ["song01.mid"])
    assert not out.exists()


def test_a_model_without_a_ledger_takes_the_file(tmp_path: Path) -> None:
    score = formats.parse(formats.to_bytes(song(1))).score
    music = [Piece(score, "one"), *small_corpus(60, 3)]
    checkpoint.save(Markov(order=1).fit(music), tmp_path / "bare.partimento", record={"pieces": 4})
    formats.write(song(1), tmp_path / "one.mid")
    with pytest.raises(RequestError, match="has no ledger"):
        forget(tmp_path / "bare.partimento", ["one"])
    loaded = checkpoint.load(forget(tmp_path / "bare.partimento", [tmp_path / "one.mid"]).path)
    assert loaded.record["pieces"] == 3
    assert saved(loaded.model) == saved(Markov(order=1).fit(music[1:]))


def test_the_command(songs: Path, learnt: Path, tmp_path: Path) -> None:
    name = files_of(learnt, "train")[1]
    done = CliRunner().invoke(forget_piece, [str(learnt), "--piece", str(songs / name), "-o",
                                             str(tmp_path / "c.partimento"), "--quiet"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[0] == f"forgot {name}"
    assert done.output.splitlines()[-1] == str(tmp_path / "c.partimento")
    as_json = CliRunner().invoke(forget_piece, [str(learnt), "--piece", str(songs / name), "-o",
                                                str(tmp_path / "d.partimento"), "--json"])
    said = json.loads(as_json.output.splitlines()[-1])
    assert (said["exact"], said["how"], said["forgotten"]) == (True, "subtracted", [name])
    assert (tmp_path / "c.partimento").read_bytes() == (tmp_path / "d.partimento").read_bytes()


# --- real music -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_on_real_music(music: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = sorted(music("mutopia_midi").rglob("*.mid"))[:200]
    for number, file in enumerate(files):
        (tmp_path / f"{number:03}.mid").symlink_to(file)
    pieces = list(load(tmp_path, valid_share=0).train)
    model = Markov(transpositions=2).fit(pieces)
    for gone in (33, 120):
        found = model.forget([pieces[gone]])
        assert found.unsure == ()
        rest = pieces[:gone] + pieces[gone + 1:]
        assert isinstance(found.model, Markov)
        assert saved(found.model) == saved(fitted_with_the_weights_of(model, rest, monkeypatch))


@pytest.mark.slow
def test_the_bundled_model_forgets_and_says_what_is_in_doubt(music: Callable[[str], Path], tmp_path: Path) -> None:
    place = checkpoint.bundled()
    entry = next(entry for entry in checkpoint.load(place).ledger() if entry.used == "train"
                 and not entry.file.startswith("groove"))
    folder = music("mutopia_midi")
    file = next((file for file in folder.rglob(Path(entry.file).name) if file_sha256(file) == entry.sha256), None)
    if file is None:
        pytest.skip("the set here is of another edition")
    result = forget(place, [file], out=tmp_path / "b.partimento")
    assert not result.exact
    assert result.seconds < 30
    less = checkpoint.load(result.path).model
    assert isinstance(less, Markov)
    frame = Score(end=7680, tracks=(Track("piano"),))
    assert len(less.fill(frame, Blanks.everything(frame), Request(top_p=0.9), [generator(1)])[0])
