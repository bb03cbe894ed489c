"""One file holds a model whole, and anything wrong with that file is one sentence."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento import checkpoint
from partimento.data.ledger import Entry, lines
from partimento.errors import CheckpointError, ModelError, PartimentoError, WriteError
from partimento.models.base import Arrays, Model
from partimento.models.random import Random
from partimento.settings import config_from_json, config_to_json


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner:
    """A config inside a config."""

    depth: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableConfig:
    """One field of every sort."""

    order: int = 2
    decay: float = 0.5
    name: str | None = None
    mode: Literal["a", "b"] = "a"
    pairs: tuple[tuple[int, float], ...] = ()
    inner: Inner = Inner()
    flags: Mapping[str, bool] = dataclasses.field(default_factory=dict)


class Table(Model):
    """A model of three arrays."""

    Config: ClassVar[type] = TableConfig
    family: ClassVar[str] = "table"
    learns: ClassVar[bool] = True

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        self.values: dict[str, Any] = {}
        self.arrays: Arrays = {}

    @property
    def fitted(self) -> bool:
        return bool(self.arrays)

    def fill(self, around: Any, blanks: Any, request: Any, rngs: Any) -> Any:
        return [around for _ in rngs]

    def state(self) -> tuple[dict[str, Any], Arrays]:
        return self.values, self.arrays

    def restore(self, values: Mapping[str, Any], arrays: Arrays) -> Self:
        self.values, self.arrays = dict(values), {name: arrays[name] for name in ("a", "b", "c")}
        return self


CONFIG = TableConfig(order=5, decay=0.25, name="é", mode="b", pairs=((1, 2.0), (3, 4.5)), inner=Inner(depth=3),
                     flags={"x": True})


def table() -> Table:
    model = Table(CONFIG)
    model.values = {"seen": [1, 2, {"deep": None}]}
    model.arrays = {"b": np.arange(6, dtype=np.uint8).reshape(2, 3), "a": np.array([], np.int64),
                    "c": np.array([0.1, -np.inf], np.float16)}
    return model


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    checkpoint.save(table(), tmp_path / "t.partimento", record={"seed": 3},
                    ledger_lines=lines([Entry(file="a.mid", sha256="1", used="train")]))
    return tmp_path / "t.partimento"


def test_all_comes_back(saved: Path) -> None:
    loaded = checkpoint.load(saved)
    model = loaded.model
    assert isinstance(model, Table)
    assert model.config == CONFIG
    assert model.values == table().values
    for name, array in table().arrays.items():
        assert model.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(model.arrays[name], array)
    assert loaded.record == {"seed": 3}
    assert loaded.hash == checkpoint.checkpoint_hash(saved)
    assert loaded.ledger() == [Entry(file="a.mid", sha256="1", used="train")]
    assert checkpoint.about_checkpoint(saved)["arrays"] == {"a": ["int64", [0]], "b": ["uint8", [2, 3]],
                                                            "c": ["float16", [2]]}
    text = checkpoint.about_text(checkpoint.about_checkpoint(saved))
    assert "name é, order 5, " in text
    assert text.endswith("seed: 3\narrays: 3 with 8 numbers")


def test_equal_models_give_equal_bytes(tmp_path: Path) -> None:
    hashes = {checkpoint.save(table(), tmp_path / name) for name in ("one", "two")}
    assert hashes == {checkpoint.checkpoint_hash(tmp_path / "one")}
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_it_loads_in_an_empty_folder_in_a_new_process(tmp_path: Path) -> None:
    checkpoint.save(Random(grid=24, densities=(0.25, 8.0), registers=((0.2, 0.9),)), tmp_path / "r.partimento")
    (tmp_path / "empty").mkdir()
    code = ("import sys; from partimento import checkpoint; m = checkpoint.load(sys.argv[1]).model; "
            "print(m.family, m.config.grid, m.config.densities, m.config.registers)")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, os.path.join("..", "r.partimento")], cwd=tmp_path / "empty",
                          env=env, capture_output=True, text=True, check=False, encoding="utf-8")
    assert done.stdout.strip() == "random 24 (0.25, 8.0) ((0.2, 0.9),)", done.stderr


# --- files that are wrong ---------------------------------------------------------------------------------------

def rebuilt(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Write the zip anew with its members changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def head(**changes: Any) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        plain = json.loads(members[checkpoint.HEAD])
        members[checkpoint.HEAD] = json.dumps({**plain, **changes}).encode()
    return change


def arrays(**changed: Any) -> Callable[[dict[str, bytes]], None]:
    from safetensors.numpy import save

    def change(members: dict[str, bytes]) -> None:
        kept = {name: array for name, array in {**table().arrays, **changed}.items() if array is not None}
        members[checkpoint.ARRAYS] = save(kept)
    return change


@pytest.mark.parametrize(("change", "said"), [
    (head(format=checkpoint.FORMAT + 1), "update partimento"),
    (head(format="x"), "another kind"), (head(format=None), "another kind"),
    (head(family="nosuch"), "knows"), (head(family="os:system"), "cannot be imported|knows"),
    (head(family="antigravity:fly"), "knows"), (head(family=3), "no good entry 'family'"),
    (head(config={"ordr": 1}), "did you mean 'order'"), (head(config={"order": "5"}), "order must be a whole number"),
    (head(config=[]), "no good entry 'config'"), (head(arrays={}), "'a' should be absent and is int64"),
    (head(arrays={"a": 5}), "no good entry 'arrays'"),
    (head(arrays={"a": ["int64", [1]]}), "should be int64 .1."), (head(values=None), "no good entry"),
    (arrays(b=None), "'b' should be uint8 .2, 3. and is absent"), (arrays(d=np.zeros(2)), "'d' should be absent"),
    (arrays(b=np.zeros((2, 3), np.int8)), "is int8"), (arrays(b=np.zeros((3, 2), np.uint8)), "is uint8 .3, 2."),
    (lambda members: members.update({checkpoint.ARRAYS: b"not tensors"}), "damaged"),
    (lambda members: members.update({checkpoint.ARRAYS: b"\xff" * 64}), "damaged"),
    (lambda members: members.pop(checkpoint.ARRAYS), "a zip without arrays.safetensors"),
    (lambda members: members.pop(checkpoint.HEAD), "another kind of zip"),
    (lambda members: members.update({checkpoint.HEAD: b"{"}), "no JSON"),
    (lambda members: members.update({checkpoint.HEAD: b"[" * 100_000}), "no JSON"),
    (lambda members: members.update({checkpoint.HEAD: b"\xff\xfe"}), "no JSON"),
    (lambda members: members.update({checkpoint.HEAD: b"[1]"}), "another kind"),
    (lambda members: members.update({checkpoint.HEAD: b" " * (checkpoint.MAX_BYTES[checkpoint.HEAD] + 1)}),
     "sane size"),
])
def test_wrong_inside_is_one_sentence(saved: Path, change: Callable[[dict[str, bytes]], None], said: str) -> None:
    rebuilt(saved, change)
    with pytest.raises(CheckpointError, match=said) as caught:
        checkpoint.load(saved)
    assert "\n" not in str(caught.value)
    assert saved.name in str(caught.value)


@pytest.mark.parametrize(("data", "said"), [
    (b"", "is empty"), (b"MThd\0\0\0\6", "is a MIDI file"), (b"PK\3\4 and so on", "cut short"),
    (b"<!doctype html>", "an HTML page"), (b"words", "no zip"), (bytes(range(256)) * 99, "no zip")])
def test_other_files_are_told_apart(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "x.partimento").write_bytes(data)
    for read in (checkpoint.load, checkpoint.about_checkpoint):
        with pytest.raises(CheckpointError, match=said):
            read(tmp_path / "x.partimento")


def test_absent_files_and_folders(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent"):
        with pytest.raises(CheckpointError, match="cannot"):
            checkpoint.load(place)
        with pytest.raises(CheckpointError, match="cannot"):
            checkpoint.checkpoint_hash(place)


def test_a_bomb_is_refused_unread(saved: Path) -> None:
    bomb = b"\0" * (checkpoint.SAFE_BYTES + 1)
    rebuilt(saved, lambda members: members.update({checkpoint.ARRAYS: bomb}))
    assert saved.stat().st_size < 1_000_000
    with pytest.raises(CheckpointError, match="sane size"):
        checkpoint.load(saved)


def test_two_members_of_one_name_are_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(checkpoint.HEAD, b"{}")
    with pytest.raises(CheckpointError, match="another kind of zip"):
        checkpoint.load(saved)


def test_every_truncation_is_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    for size in range(0, len(whole), 7):
        saved.write_bytes(whole[:size])
        with pytest.raises(CheckpointError):
            checkpoint.load(saved)


@given(st.data())
def test_a_changed_byte_never_crashes(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("c") / "t.partimento"
    checkpoint.save(table(), path, ledger_lines=["{}"])
    whole = bytearray(path.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=6)):
        whole[at] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    with contextlib.suppress(CheckpointError):
        checkpoint.load(path).ledger()


def test_a_damaged_ledger_is_told_when_it_is_read(saved: Path) -> None:
    rebuilt(saved, lambda members: members.update({checkpoint.LEDGER: b"words"}))
    with pytest.raises(CheckpointError, match="the ledger of a checkpoint"):
        checkpoint.load(saved).ledger()
    rebuilt(saved, lambda members: members.pop(checkpoint.LEDGER))
    assert checkpoint.load(saved).ledger() == []


def test_anyones_own_class_must_be_named_or_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_family.py").write_text(
        "from partimento.models.random import Random\nclass Theirs(Random):\n    family = 'theirs'\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    import importlib

    theirs = importlib.import_module("their_family")
    checkpoint.save(theirs.Theirs(grid=6), tmp_path / "t")
    assert checkpoint.load(tmp_path / "t").model.config.grid == 6
    monkeypatch.delitem(sys.modules, "their_family")
    with pytest.raises(CheckpointError, match="if you trust it"):
        checkpoint.load(tmp_path / "t")
    assert checkpoint.load(tmp_path / "t", family="their_family:Theirs").model.family == "theirs"


# --- writing ----------------------------------------------------------------------------------------------------

def test_what_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="must be fitted"):
        checkpoint.save(Table(), tmp_path / "x")
    model = table()
    model.values = {"x": object()}
    with pytest.raises(ModelError, match="JSON-ready"):
        checkpoint.save(model, tmp_path / "x")
    model = table()
    model.arrays["c"] = np.array(["words"])
    with pytest.raises(ModelError, match="plain numbers"):
        checkpoint.save(model, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_what_was_there(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("partimento.formats.files.os.replace", full)
    with pytest.raises(WriteError, match="No space left"):
        checkpoint.save(table(), saved, record={"other": 1})
    assert [(place, place.read_bytes()) for place in saved.parent.iterdir()] == [(saved, before)]


def test_bundled_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bundled").mkdir()
    (tmp_path / "bundled" / "markov.partimento").write_bytes(b"x")
    monkeypatch.setattr("importlib.resources.files", lambda _: tmp_path)
    assert checkpoint.bundled() == tmp_path / "bundled" / "markov.partimento"
    assert checkpoint.bundled_names() == ["markov"]
    for name in ("nosuch", "../bundled/markov", ""):
        with pytest.raises(CheckpointError, match=r"there are: markov"):
            checkpoint.bundled(name)


# --- settings ---------------------------------------------------------------------------------------------------

def test_a_config_goes_to_json_and_back() -> None:
    plain = json.loads(json.dumps(config_to_json(CONFIG)))
    assert config_from_json(TableConfig, plain) == CONFIG
    assert config_from_json(TableConfig, {}) == TableConfig()
    assert config_from_json(TableConfig, {"decay": 1}).decay == 1.0


@pytest.mark.parametrize(("settings", "said"), [
    ({"order": 2.0}, "order must be a whole number; got 2.0"), ({"order": True}, "order must be a whole number"),
    ({"decay": "x"}, "decay must be a number"), ({"decay": float("nan")}, "decay must be a number"),
    ({"name": 3}, "name must be text or nothing"), ({"mode": "c"}, "mode must be one of a, b"),
    ({"pairs": [[1, 2, 3]]}, "pairs must be a list"), ({"pairs": 3}, "pairs must be a list"),
    ({"inner": {"depht": 1}}, "did you mean 'depth'"), ({"flags": {"x": 1}}, "flags must be a table"),
    ({"odrer": 1}, "no setting named 'odrer'; did you mean 'order'")])
def test_a_wrong_setting_is_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        config_from_json(TableConfig, settings)


@given(st.binary(max_size=400))
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("c") / "x.partimento"
    path.write_bytes(data)
    with pytest.raises(PartimentoError):
        checkpoint.load(path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(checkpoint.HEAD, data)
    path.write_bytes(buffer.getvalue())
    with pytest.raises(PartimentoError):
        checkpoint.load(path)


def test_indexes_lie_as_they_are_and_aligned_and_a_registry_comes_back(tmp_path):
    index = bytes(range(256)) * 9
    checkpoint.save(table(), tmp_path / "t.partimento", record={"pieces": 3}, indexes=[index, b"other"],
                    registry=b"two" * 50)
    loaded = checkpoint.load(tmp_path / "t.partimento")
    assert loaded.indexes() == [index, b"other"]
    for (begin, size), data in zip(loaded.index_places(), loaded.indexes(), strict=True):
        assert (begin % checkpoint.ALIGNED, size) == (0, len(data))
        assert loaded.path.read_bytes()[begin:begin + size] == data
    assert loaded.registry() == b"two" * 50
    with zipfile.ZipFile(loaded.path) as archive:
        assert archive.testzip() is None
    checkpoint.save(table(), tmp_path / "u.partimento")
    other = checkpoint.load(tmp_path / "u.partimento")
    assert (other.index_places(), other.registry(), other.ledger_hash()) == ([], b"", "")
