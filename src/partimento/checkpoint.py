"""A fitted model in one file: a zip of JSON, safetensors arrays and the ledger of what taught it.

``partimento.json`` holds the format number, the family, its config, what it learnt besides arrays, the record of its
training, and the name, dtype and shape of every array. ``arrays.safetensors`` holds the arrays, ``ledger.jsonl`` the
ledger (see ``partimento.data.ledger``). ``indexes/`` holds the indexes of the music that taught it (one, and those of
the models it went on from), stored as they are so that they can be mapped into memory where they lie, and
``opted-out.registry`` the registry of what had opted out. Names are sorted and dates fixed, so equal models give equal
bytes with one build of zlib; the sha256 of the file is its identity.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import struct
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from partimento import __version__
from partimento.data import ledger
from partimento.data.ledger import Entry
from partimento.errors import CheckpointError, ModelError, PartimentoError
from partimento.formats.files import write_bytes
from partimento.models import base
from partimento.models.base import Arrays, Model
from partimento.settings import config_from_json, config_to_json

FORMAT = 1
SUFFIX = ".partimento"
HEAD, ARRAYS, LEDGER = "partimento.json", "arrays.safetensors", "ledger.jsonl"
INDEXES, REGISTRY = "indexes/", "opted-out.registry"
MAX_BYTES = {HEAD: 64 << 20, ARRAYS: 16 << 30, LEDGER: 1 << 30, INDEXES: 64 << 30, REGISTRY: 1 << 30}
ALIGNED = 64                        # bytes: an index begins at a multiple of it
MAX_RATIO = 250                     # of a member over 64 MiB: real weights do not shrink so far
SAFE_BYTES = 64 << 20

_LOCAL = struct.Struct("<4s22xHH")    # the head of a member of a zip: lengths of its name and of what is added to it
_EXTRA = struct.Struct("<HH")       # what is added: its kind, its length
_PADDING = 0xD935                   # a kind that readers of zips skip: bytes that align what follows
# What a damaged or foreign file can make the standard readers raise.
_ZIP_ERRORS = (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError, MemoryError)


class Loaded(NamedTuple):
    """A model out of a file: the model, the record of its training, the sha256 of the file, and the file."""

    model: Model
    record: dict[str, Any]
    hash: str
    path: Path

    def ledger(self) -> list[Entry]:
        """The ledger rows inside the file, read now; one row a file that the training saw."""
        with _open(self.path) as archive:
            data = _member(archive, LEDGER, self.path) if LEDGER in archive.namelist() else b""
            try:
                return ledger.from_text(data.decode(), f"{LEDGER} of {self.path}")[1] if data else []
            except (PartimentoError, UnicodeError) as error:
                raise CheckpointError(f"the ledger of a checkpoint must be readable; {error}") from None

    def index_places(self) -> list[tuple[int, int]]:
        """Where in the file the indexes of originality lie: the byte each begins at, and how many it has."""
        with _open(self.path) as archive:
            found = sorted((info.filename, info) for info in archive.infolist() if info.filename.startswith(INDEXES))
        places = []
        with open(self.path, "rb") as file:
            for member, info in found:
                file.seek(info.header_offset)
                head = file.read(_LOCAL.size)
                if len(head) < _LOCAL.size or info.compress_type != zipfile.ZIP_STORED:
                    raise CheckpointError(f"a checkpoint must be whole; {member} in {self.path} is damaged: train it "
                                          "again")
                _, name, extra = _LOCAL.unpack(head)
                places.append((info.header_offset + _LOCAL.size + name + extra, info.file_size))
        return places

    def indexes(self) -> list[bytes]:
        """The indexes of originality, each as its bytes, read now."""
        with _open(self.path) as archive:
            return [_member(archive, name, self.path) for name in sorted(archive.namelist())
                    if name.startswith(INDEXES)]

    def registry(self) -> bytes:
        """The registry of what had opted out of the training, read now; empty where it has none."""
        with _open(self.path) as archive:
            return _member(archive, REGISTRY, self.path) if REGISTRY in archive.namelist() else b""

    def ledger_hash(self) -> str:
        """The sha256 (hex) of the ledger inside the file; empty where it has none."""
        with _open(self.path) as archive:
            data = _member(archive, LEDGER, self.path) if LEDGER in archive.namelist() else b""
        return hashlib.sha256(data).hexdigest() if data else ""


def save(model: Model, path: str | os.PathLike[str], *, record: Mapping[str, Any] | None = None,
         ledger_lines: Iterable[str] = (), indexes: Iterable[bytes] = (), registry: bytes = b"") -> str:
    """Write a fitted model to one file and return its sha256 (hex).

    `record` is whatever JSON-ready is to be known of the training; `ledger_lines` as ``Corpus.ledger_lines()`` gives
    them; `indexes` and `registry` are bytes as ``partimento.fingerprint`` makes them.
    WriteError where the file cannot be written, ModelError where the model cannot be saved; either way nothing
    half-written is left.

    >>> import tempfile
    >>> from partimento.models.random import Random
    >>> place = Path(tempfile.mkdtemp(), "chance.partimento")
    >>> save(Random(), place, record={"seed": 3}) == load(place).hash
    True
    """
    if not model.fitted:
        raise ModelError(f"a model must be fitted before it is saved; this {model.family} model has learnt nothing yet")
    values, arrays = model.state()
    arrays = {name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())}
    head = {
        "format": FORMAT, "partimento": __version__, "family": family_name(type(model)),
        "config": config_to_json(model.config), "values": values, "record": dict(record or {}),
        "arrays": {name: [array.dtype.name, list(array.shape)] for name, array in arrays.items()},
    }
    try:
        text = json.dumps(head, sort_keys=True, ensure_ascii=True, indent=1)
    except (TypeError, ValueError) as error:
        raise ModelError(f"what a model learnt must be JSON-ready values and arrays; this {model.family} model's is "
                         f"not ({error})") from None
    lines = "".join(f"{line}\n" for line in ledger_lines)
    members = {HEAD: text.encode(), ARRAYS: _pack(arrays, model.family), LEDGER: lines.encode()}
    members |= {f"{INDEXES}{k:04}.index": one for k, one in enumerate(indexes, 1)}
    members |= {REGISTRY: registry} if registry else {}
    data = _zip(members)
    write_bytes(path, data, parents=True)
    return hashlib.sha256(data).hexdigest()


def load(path: str | os.PathLike[str], *, family: str | None = None) -> Loaded:
    """Read a checkpoint back; CheckpointError, one sentence, whatever is wrong with the file.

    Only the families of FAMILIES are imported on a file's word. Anyone else's class must have been imported already, or
    be named here, as ``package.module:Class``.
    """
    place = Path(path)
    with _open(place) as archive:
        head = _head(archive, place)
        kind = _family(head, family, place)
        arrays = _unpack(_member(archive, ARRAYS, place), head["arrays"], place)
    try:
        model = kind(config_from_json(kind.Config, head["config"]))
        model = model.restore(head["values"], arrays)
        fitted = model.fitted
    except Exception as error:  # a family may fail in its own ways on what is not its own
        said = str(error) if isinstance(error, PartimentoError) else f"{type(error).__name__}: {error}"
        raise CheckpointError(f"a checkpoint must hold what its family needs; {place} does not fit the "
                              f"{head['family']} family of partimento {__version__} ({said})") from None
    if not fitted:
        raise CheckpointError(f"a checkpoint must hold a fitted model; the one in {place} has learnt nothing")
    return Loaded(model, head["record"], checkpoint_hash(place), place)


def about_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a checkpoint says of itself, no family imported: format, family, config, record and arrays."""
    with _open(Path(path)) as archive:
        head = _head(archive, Path(path))
    return {key: value for key, value in head.items() if key != "values"}


def about_text(about: Mapping[str, Any]) -> str:
    """The text for a terminal of what `about_checkpoint` gave."""
    config = ", ".join(f"{name} {value}" for name, value in about["config"].items())
    lines = [f"{about['family']} model, format {about['format']}, written by partimento {about.get('partimento', '?')}",
             f"settings: {config or 'none'}"]
    lines += [f"{name}: {json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value}"
              for name, value in about["record"].items() if value is not None]
    size = sum(math.prod(shape) for _, shape in about["arrays"].values())
    return ledger.shown("\n".join([*lines, f"arrays: {len(about['arrays'])} with {size:,} numbers"]))


def checkpoint_hash(path: str | os.PathLike[str]) -> str:
    """The sha256 (hex) of the file: its identity."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise CheckpointError(_unopened(Path(path), error)) from None
    return digest.hexdigest()


def bundled(name: str = "markov") -> Path:
    """The path of a checkpoint that comes with the package; CheckpointError with the names there are."""
    from importlib import resources

    folder = Path(str(resources.files("partimento.models"))) / "bundled"
    place = folder / f"{name}{SUFFIX}"
    if re.fullmatch(r"[\w.-]+", name) and place.is_file():
        return place
    raise CheckpointError(f"the package must carry the checkpoint; it has none named {name!r} "
                          f"(there are: {', '.join(bundled_names()) or 'none'}): train one with partimento train")


def bundled_names() -> list[str]:
    """The names of the checkpoints that come with the package, sorted."""
    from importlib import resources

    folder = Path(str(resources.files("partimento.models"))) / "bundled"
    return sorted(place.stem for place in folder.glob(f"*{SUFFIX}"))


def family_name(kind: type[Model]) -> str:
    """The name under which a class is found again: its family, or ``package.module:Class`` of anyone's own."""
    own = f"{kind.__module__}:{kind.__qualname__}"
    return next((name for name, target in base.FAMILIES.items() if target == own), own)


# --- the zip ----------------------------------------------------------------------------------------------------

def _zip(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            if name.startswith(INDEXES):
                info.compress_type = zipfile.ZIP_STORED
                gap = -(out.tell() + _LOCAL.size + len(name) + _EXTRA.size) % ALIGNED
                info.extra = _EXTRA.pack(_PADDING, gap) + bytes(gap)
            archive.writestr(info, members[name], compresslevel=6)
    return out.getvalue()


def _open(place: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(place)
    except OSError as error:
        raise CheckpointError(_unopened(place, error)) from None
    except _ZIP_ERRORS:
        raise CheckpointError(_no_checkpoint(place, _what(place))) from None
    try:
        names = archive.namelist()
        if HEAD not in names or len(set(names)) != len(names):
            raise CheckpointError(_no_checkpoint(place, "another kind of zip"))
        for info in archive.infolist():
            _check_size(info, place)
    except BaseException:
        archive.close()
        raise
    return archive


def _check_size(info: zipfile.ZipInfo, place: Path) -> None:
    limit = MAX_BYTES.get(INDEXES if info.filename.startswith(INDEXES) else info.filename)
    swollen = info.file_size > SAFE_BYTES and info.file_size > MAX_RATIO * info.compress_size
    if limit is not None and (info.file_size > limit or swollen):
        raise CheckpointError(f"a checkpoint must unpack to a sane size; {info.filename} in {place} says that "
                              f"{info.compress_size:,} bytes become {info.file_size:,}")


def _member(archive: zipfile.ZipFile, name: str, place: Path) -> bytes:
    try:
        with archive.open(name) as file:
            return file.read()
    except KeyError:
        raise CheckpointError(_no_checkpoint(place, f"a zip without {name}")) from None
    except Exception as error:  # zlib.error, BadZipFile, RuntimeError for encryption, ... all mean the same here
        raise CheckpointError(f"a checkpoint must be whole; {name} in {place} is damaged ({error}): "
                              f"copy or train it again") from None


def _unopened(place: Path, error: OSError) -> str:
    return f"the checkpoint must be a file that can be opened; {place} cannot ({error.strerror or error})"


def _no_checkpoint(place: Path, what: str) -> str:
    return f"a checkpoint must be a file that partimento train wrote; {place} is {what}"


def _what(place: Path) -> str:
    with open(place, "rb") as file:
        start = file.read(512)
    if not start:
        return "empty"
    if start.startswith(b"MThd") or start[8:12] == b"RMID":
        return "a MIDI file: give it as the input, or train on it"
    if start.startswith(b"PK"):
        return "a zip cut short or damaged: copy or train it again"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "an HTML page"
    return "no zip at all"


# --- what is inside ---------------------------------------------------------------------------------------------

def _head(archive: zipfile.ZipFile, place: Path) -> dict[str, Any]:
    try:
        head = json.loads(_member(archive, HEAD, place).decode())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"a checkpoint must be whole; {HEAD} in {place} is no JSON ({error})") from None
    number = head.get("format") if isinstance(head, dict) else None
    if not isinstance(number, int):
        raise CheckpointError(_no_checkpoint(place, "a zip with another kind of partimento.json"))
    if number > FORMAT:
        raise CheckpointError(f"a checkpoint must be of format {FORMAT} or older; {place} is of format {number}: "
                              f"update partimento (pip install -U partimento)")
    for name, kind in (("family", str), ("config", dict), ("values", dict), ("record", dict), ("arrays", dict)):
        if not isinstance(head.get(name), kind) or (name == "arrays" and not all(map(_is_shape, head[name].values()))):
            raise CheckpointError(f"a checkpoint must be whole; {HEAD} in {place} has no good entry {name!r}")
    return dict(head)


def _family(head: Mapping[str, Any], given: str | None, place: Path) -> type[Model]:
    name = head["family"]
    module, _, kind = name.partition(":")
    mine = isinstance(getattr(sys.modules.get(module), kind, None), type)
    if name not in base.FAMILIES and name != given and not mine:
        known = ", ".join(sorted(base.FAMILIES))
        raise CheckpointError(f"a checkpoint must be of a family that this partimento knows ({known}); {place} is of "
                              f"{name!r}: update partimento, or import that class first if you trust it")
    try:
        return base.family(name)
    except ModelError as error:
        raise CheckpointError(f"a checkpoint must be of a family that can be imported; {place}: {error}") from None


def _pack(arrays: Arrays, family: str) -> bytes:
    from safetensors import SafetensorError
    from safetensors.numpy import save as pack

    try:
        return bytes(pack(arrays))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"arrays of a model must hold plain numbers; one of the {family} model does not "
                         f"({error})") from None


def _unpack(data: bytes, said: Mapping[str, Any], place: Path) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.numpy import load as unpack

    try:
        arrays: Arrays = dict(unpack(data))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"a checkpoint must be whole; {ARRAYS} in {place} is damaged ({error})") from None
    got = {name: [array.dtype.name, list(array.shape)] for name, array in arrays.items()}
    for name in sorted({*got, *said}):
        if got.get(name) != said.get(name):
            raise CheckpointError(f"a checkpoint must hold the arrays that it lists; in {place} {name!r} should be "
                                  f"{_shape(said.get(name))} and is {_shape(got.get(name))}")
    return arrays


def _is_shape(entry: Any) -> bool:
    return isinstance(entry, list) and [type(part) for part in entry] == [str, list] \
        and all(type(size) is int for size in entry[1])


def _shape(entry: Any) -> str:
    return "absent" if entry is None else f"{entry[0]} {entry[1]}"
