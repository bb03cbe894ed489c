"""The ledger: one row a file of a corpus, with where it came from, its licence, its hash, and whether it was used.

The file is JSON lines in UTF-8. The first line is the head, every other line one file, sorted by `base` and `file`::

    {"partimento_ledger": 1, "fingerprint": "9f…", "used": 201, "repaired": 7, "skipped": 4, "seed": 0}
    {"file": "a/b.mid", "source": "pop909", "licence": "MIT", "sha256": "07…", "used": "train", "why": "",
     "detail": "", "piece": "a/b", "style": "", "notes": 1204, "repairs": {"note never ended": 2}}

- `file`: path below the folder or archive given, with ``/`` on every platform; below an archive in a folder it begins
  with the path of that archive.
- `source`: where it came from: the `source` or `url` column of a table beside it, else the folder's name.
- `licence`: as said by hand, by the rights sheet (see ``partimento.data.rights``), by a table (CSV) beside it, by a
  folder named after a licence, by a LICENSE file in its folder or one above; else ``not stated``.
- `sha256`: of the file's bytes; empty where it could not be opened.
- `used`: ``train``, ``valid`` or ``no``. `why`: one kind of KINDS where not used. `detail`: the sentence.
- `piece`: files of one piece never stand on both sides of the split.
- `notes`: how many, as read. `repairs`: what was mended, by name, counted.
- `base`: only where a model went on from another: the sha256 of the checkpoint whose training saw the file.

The fingerprint is the sha256 over the sorted hashes of the used files, one a line: equal for equal files, whatever
their names and order.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from partimento.errors import ReadError
from partimento.formats.files import write_bytes

VERSION = 1
NOT_STATED = "not stated"

# kind: how one file, and how several, stand in a summary
KINDS: dict[str, tuple[str, str]] = {
    "html": ("is an HTML page", "are HTML pages"),
    "empty": ("empty", "empty"),
    "not midi": ("not MIDI", "not MIDI"),
    "not music": ("not what its name says", "not what their names say"),
    "no notes": ("has no notes", "have no notes"),
    "damaged": ("damaged", "damaged"),
    "too long": ("too long", "too long"),
    "duplicate": ("exact duplicate", "exact duplicates"),
    "near": ("near duplicate", "near duplicates"),
    "opted out": ("opted out", "opted out"),
    "rights": ("left out by the rights sheet", "left out by the rights sheet"),
    "closed": ("cannot be opened", "cannot be opened"),
    "zip": ("is an archive that cannot be read", "are archives that cannot be read"),
    "unnamed": ("is MIDI without the suffix .mid", "are MIDI without the suffix .mid"),
    "crashed": ("crashed the reader", "crashed the reader"),
    "slow": ("took too long to read", "took too long to read"),
    "held out": ("held out by the split given", "held out by the split given"),
    "not read": ("not read, stopped before", "not read, stopped before"),
    "refused": ("refused", "refused"),
}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One file of a corpus; the fields are told at the head of this module."""

    file: str
    source: str = ""
    licence: str = NOT_STATED
    sha256: str = ""
    used: str = "no"
    why: str = ""
    detail: str = ""
    piece: str = ""
    style: str = ""
    notes: int = 0
    repairs: Mapping[str, int] = dataclasses.field(default_factory=dict)
    base: str = ""


def fingerprint(rows: Iterable[Entry]) -> str:
    """The sha256 (hex) over the sorted file hashes of the used rows.

    >>> row = Entry(file="a.mid", sha256="1", used="train")
    >>> fingerprint([row]) == fingerprint([dataclasses.replace(row, file="b.mid")])
    True
    """
    hashes = sorted(row.sha256 for row in rows if row.used != "no")
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def counts(rows: Iterable[Entry]) -> dict[str, int]:
    """How many files were used, how many of those repaired, and how many skipped."""
    rows = list(rows)
    used = [row for row in rows if row.used != "no"]
    return {"used": len(used), "repaired": sum(bool(row.repairs) for row in used), "skipped": len(rows) - len(used)}


def lines(rows: Iterable[Entry], **head: Any) -> Iterator[str]:
    """The lines of a ledger: the head, with `head` added, then one line a row, sorted by base and file."""
    rows = sorted(rows, key=lambda row: (row.base, row.file))
    first = {"partimento_ledger": VERSION, "fingerprint": fingerprint(rows), **counts(rows), **head}
    yield json.dumps(first, ensure_ascii=True)
    for row in rows:
        said = dataclasses.asdict(row)
        yield json.dumps(said if row.base else {name: said[name] for name in said if name != "base"}, ensure_ascii=True)


def write(rows: Iterable[Entry], path: str | os.PathLike[str], **head: Any) -> None:
    """Write a ledger; WriteError when it cannot be, with nothing half-written left."""
    write_bytes(path, ("\n".join(lines(rows, **head)) + "\n").encode(), parents=True)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], list[Entry]]:
    """Head and rows of a ledger file; ReadError when it is none, or of a newer version."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ReadError(f"the ledger must be a readable file; {path} is not ({error})") from None
    return from_text(text, os.fspath(path))


def from_text(text: str, name: str = "this ledger") -> tuple[dict[str, Any], list[Entry]]:
    """Head and rows of a ledger's text; ReadError names the line that is wrong."""
    fields = {field.name for field in dataclasses.fields(Entry)}
    head: dict[str, Any] = {}
    rows: list[Entry] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            if not head:
                version = entry["partimento_ledger"]
                if not isinstance(version, int) or version > VERSION:
                    raise ReadError(f"a ledger must be of version {VERSION} or older; {name} is of version {version}: "
                                    f"update partimento")
                head = entry
            else:
                rows.append(Entry(**{key: value for key, value in entry.items() if key in fields}))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ReadError(f"a ledger must hold a head and then one JSON object a line; "
                            f"line {number} of {name} is another thing") from None
    if not head:
        raise ReadError(f"a ledger must begin with its head; {name} is empty")
    return head, rows


def private(files: int) -> str:
    """The sentence for music without a stated licence: what was learnt from it is for private use.

    >>> private(2)
    'private: 2 files with no stated licence'
    """
    return f"private: {files:,} file{'s' * (files != 1)} with no stated licence"


def shown(text: str) -> str:
    """The text with everything that would garble a terminal (controls, broken names) as ``�``; line ends stay.

    >>> shown("a\\x1b[2Jb")
    'a�[2Jb'
    """
    return "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)
