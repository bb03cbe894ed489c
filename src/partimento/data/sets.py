"""Open sets of music by name, declared as data (``sets.json``), and fetched with their rights beside them.

A set is a JSON object: ``title``, ``address`` (of an archive, pinned to one commit), ``licence``, ``citation``,
``verdict`` (SHIP, RESEARCH or TEST), ``files`` and ``without`` (patterns of the paths to take and to leave below the
archive's folder), ``size`` and ``sha256`` of the archive, null until it was fetched first: what came then is written
down in the user's state folder, and checked from then on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from partimento.data import archive, fetch, files, ledger, rights
from partimento.data.about import LICENCE_FILE
from partimento.data.reading import file_sha256
from partimento.errors import ReadError, WriteError, nearest
from partimento.formats import SUFFIXES
from partimento.formats.files import make_folder, write_bytes
from partimento.models.base import Report

SETS = Path(__file__).with_name("sets.json")
ABOUT_SET = "set.json"
VERDICTS = {
    "ship": "weights learnt from it may be shipped",
    "research": "for research: what is learnt from it is not to be shipped",
    "test": "for tests: made by a machine, so nothing is to be learnt from it",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class MusicSet:
    """A set of music as it is declared; the fields are told at the head of this module."""

    name: str
    title: str
    address: str
    licence: str
    citation: str
    verdict: str
    files: tuple[str, ...] = ("*",)
    without: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None


def declared(path: str | os.PathLike[str] | None = None) -> dict[str, MusicSet]:
    """The sets that a JSON file declares [those that come with the package], by name; ReadError where it does not.

    >>> declared()["openscore_lieder"].licence
    'CC0 1.0'
    """
    place = Path(path) if path is not None else SETS
    try:
        plain = json.loads(place.read_text(encoding="utf-8"))
        return {str(name): _set(str(name), said) for name, said in plain.items()}
    except OSError as error:
        raise ReadError(f"sets of music must be declared in a file that can be opened; {place} cannot be "
                        f"({error.strerror or error})") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ReadError(f"sets of music must be declared as JSON, a name and its title, address, licence, citation and "
                        f"verdict each; {place} does otherwise ({error})") from None


def describe_set(one: MusicSet) -> dict[str, Any]:
    """What is known of a set, JSON-ready, with the size and sha256 of its first fetch where it was fetched."""
    return {**dataclasses.asdict(one), **_known(one), "may": VERDICTS[one.verdict]}


def get(name: str, folder: str | os.PathLike[str] = ".", *, sets: str | os.PathLike[str] | None = None,
        report: Report | None = None) -> Path:
    """Fetch a set into the new folder FOLDER/NAME, whole or not at all, and return it.

    Beside the music stand ``rights.csv``, with source, licence and sha256 of every file, and ``set.json``, which says
    what to cite. A fetch that was cut goes on when it is called again; a set that stands there already is left as it
    is. `sets` is a JSON file that declares others. ReadError where the archive cannot be had or is not the one
    written down, WriteError where the place cannot be written.
    """
    known = declared(sets)
    if name not in known:
        raise ReadError(nearest(name, known, "set of music"))
    one = known[name]
    place = make_folder(folder) / name
    if place.exists():
        if _address_of(place) == one.address:
            return place
        raise WriteError(f"{place}: the place of a set must be free; something else stands there: choose another "
                         "folder, or take it away")
    packed = place.with_name(f".{name}.archive")
    beside = place.with_name(f".{name}.unpacking")
    expected = _known(one)
    try:
        size, sha256 = fetch.fetch(one.address, packed, size=expected["size"], sha256=expected["sha256"],
                                   report=report)
    except ReadError as error:
        first = not one.sha256 and expected["sha256"]
        raise ReadError(f"{error} (the first fetch is written down in {_state()})" if first and "written down" in
                        str(error) else str(error)) from None
    try:
        shutil.rmtree(beside, ignore_errors=True)
        archive.unpack(packed, beside, wanted=lambda path: _is_wanted(path, one), report=report)
        inside = list(beside.iterdir())
        root = inside[0] if len(inside) == 1 and inside[0].is_dir() else beside
        found = files.find(root, SUFFIXES)
        if not found.files:
            raise ReadError(f"the archive of a set must hold music ({', '.join(one.files)}); what came from "
                            f"{one.address} holds none")
        rights.write([ledger.Entry(file=file, source=one.address, licence=one.licence, used="",
                                   sha256=file_sha256(found.path(file))) for file in found.files],
                     root / rights.SHEET_NAME)
        words = dataclasses.asdict(one) | {"size": size, "sha256": sha256}
        write_bytes(root / ABOUT_SET, (json.dumps(words, indent=1, ensure_ascii=False) + "\n").encode())
        _write_down(one, size, sha256)
        root.rename(place)
    except ReadError as error:
        raise ReadError(str(error).replace(str(packed), one.address)) from None
    except OSError as error:
        raise WriteError(f"{place}: there must be room for the music; it cannot be written "
                         f"({error.strerror or error}): make room, then run this again") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        packed.unlink(missing_ok=True)
    return place


def _is_wanted(path: str, one: MusicSet) -> bool:
    below = path.partition("/")[2] or path              # an archive of a repository has one folder at its top
    name = PurePosixPath(path).name
    if LICENCE_FILE.match(name) or name.lower().startswith("readme"):
        return True
    return any(fnmatch.fnmatch(below, pattern) for pattern in one.files) and \
        not any(fnmatch.fnmatch(below, pattern) for pattern in one.without)


def _set(name: str, said: Mapping[str, Any]) -> MusicSet:
    known = {field.name for field in dataclasses.fields(MusicSet)} - {"name"}
    for key in said:
        if key not in known:
            raise ValueError(f"{name}: {nearest(key, known, 'field')}")
    lists = {key: tuple(map(str, said[key])) for key in ("files", "without") if key in said}
    one = MusicSet(name=name, **{**said, **lists})
    if one.verdict not in VERDICTS:
        raise ValueError(f"{name}: {nearest(str(one.verdict), VERDICTS, 'verdict')}")
    if PurePosixPath(name).name != name or "\\" in name or name.startswith("."):
        raise ValueError(f"{name!r} is not the name of a folder")
    return one


# --- what was fetched first ---------------------------------------------------------------------------------------

def _state() -> Path:
    """Where first fetches are written down: in ``PARTIMENTO_STATE``, else the user's folder for such things."""
    if said := os.environ.get("PARTIMENTO_STATE"):
        return Path(said) / "fetched.json"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "partimento" / "fetched.json"


def _written_down() -> dict[str, Any]:
    place = _state()
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("no JSON object")
        return found
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ReadError(f"what was fetched before must stand as JSON in {place}; it does not ({error}): mend it, or "
                        "take it away to begin anew") from None


def _known(one: MusicSet) -> dict[str, Any]:
    """Size and sha256 that the archive must have, where known."""
    before = _written_down().get(one.address)
    before = before if isinstance(before, dict) else {}
    return {"size": one.size if one.size is not None else before.get("size"),
            "sha256": one.sha256 or before.get("sha256")}


def _write_down(one: MusicSet, size: int, sha256: str) -> None:
    if one.sha256 is None:
        found = _written_down() | {one.address: {"size": size, "sha256": sha256}}
        write_bytes(_state(), (json.dumps(found, indent=1, sort_keys=True) + "\n").encode(), parents=True)


def _address_of(place: Path) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((place / ABOUT_SET).read_text(encoding="utf-8"))["address"])
    return ""
