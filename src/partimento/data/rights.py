"""The rights sheet: of every file of a corpus its source, its licence, its sha256, if it was used, and why not.

It is a CSV file in UTF-8, one row a file, with the columns of SHEET_COLUMNS, to be read and filled in with any
spreadsheet. Given to ``load``, or found as ``rights.csv`` in a folder or as ``NAME.rights.csv`` beside it, it rules
what licences hold, and nothing is used that it contradicts:

- a file whose bytes are not those of its sha256, that stands in no row, or in two that disagree, is left out;
- a file whose row says ``no`` under `used` is left out, unless the reason is one that reading finds again by itself;
- a row whose file is not there is told; one that names a book of tunes holds for each of them, its sha256 aside;
- a licence that is not the one the folder itself states (LICENSE file, table) holds, and is told.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from partimento.data.archive import archive_stem
from partimento.data.ledger import KINDS, NOT_STATED, Entry
from partimento.errors import ReadError
from partimento.formats.files import write_bytes

SHEET_COLUMNS = ("file", "source", "licence", "sha256", "used", "why")
SHEET_NAME = "rights.csv"
MAX_SHEET_BYTES = 1 << 28
_OTHER_NAMES = {"license": "licence", "path": "file", "sha-256": "sha256"}
_FOUND_AGAIN = {words[0] for kind, words in KINDS.items() if kind not in ("opted out", "refused")}
_ABSENT, _TORN, _HASH = "no row names it", "two rows disagree", "it says sha256 "


class RightsRow(NamedTuple):
    """What a sheet says of one file; what it does not say is empty."""

    source: str = ""
    licence: str = ""
    sha256: str = ""
    used: str = ""
    why: str = ""


class RightsSheet(NamedTuple):
    """A rights sheet as read: its rows by file, and the files of which two rows disagree."""

    path: Path
    rows: dict[str, RightsRow]
    torn: frozenset[str]


def write(entries: Iterable[Entry], path: str | os.PathLike[str]) -> None:
    """Write the rights sheet of a corpus; WriteError when it cannot be, with nothing half-written left.

    What an earlier sheet said by itself goes on: licences, sources, and the files not to use with their reasons. What
    contradicted it is mended: the new sheet names every file, with the sha256 it has now.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(SHEET_COLUMNS)
    for entry in sorted(entries, key=lambda entry: entry.file):
        own = entry.why == "rights" and entry.detail not in (_ABSENT, _TORN) and not entry.detail.startswith(_HASH)
        why = ": ".join(filter(None, [KINDS[entry.why][0] if entry.why and not own else "", entry.detail]))
        table.writerow([entry.file, entry.source, entry.licence, entry.sha256, entry.used, why])
    write_bytes(path, text.getvalue().encode("utf-8", "surrogateescape"), parents=True)


def read(path: str | os.PathLike[str]) -> RightsSheet:
    """Read a rights sheet; ReadError, in one sentence, for a file that is none."""
    place = Path(path)
    try:
        if place.stat().st_size > MAX_SHEET_BYTES:
            raise ReadError(f"a rights sheet must be under 256 MiB; {place} is larger")
        text = place.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise ReadError(f"a rights sheet must be a file that can be opened; {place} cannot be "
                        f"({error.strerror or error})") from None
    head = text.partition("\n")[0]
    names = [_OTHER_NAMES.get(name, name) for name in
             (word.strip().strip('"').lower() for word in head.split(_delimiter(head)))]
    if "\0" in text or not {"file", "licence"} <= set(names):
        raise ReadError(f"a rights sheet must be a table (CSV) with the columns {', '.join(SHEET_COLUMNS)}, of which "
                        f"file and licence must be there; {place} is none: partimento data rights writes one")
    rows: dict[str, RightsRow] = {}
    torn: set[str] = set()
    try:
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(head)):
            said = dict(zip(names, (cell.strip() for cell in cells), strict=False))
            file = said.get("file", "").replace("\\", "/").removeprefix("./")
            if not file or (said["file"].lower() in ("file", "path") and not rows):
                continue
            row = RightsRow(**{field: said.get(field, "") for field in RightsRow._fields})
            row = row._replace(sha256=row.sha256.lower(), licence="" if row.licence == NOT_STATED else row.licence)
            if rows.setdefault(file, row) != row:
                torn.add(file)
    except csv.Error as error:
        raise ReadError(f"a rights sheet must be a whole table (CSV); {place} is not ({error})") from None
    return RightsSheet(place, rows, frozenset(torn))


def find_sheet(given: str | os.PathLike[str], root: Path) -> Path | None:
    """The rights sheet of the music in `root`, which was `given`: ``NAME.rights.csv`` beside it, or inside."""
    place = Path(given)
    if place.is_file() and place.resolve().parent == root.resolve():        # one file of music
        return None
    for sheet in (place.resolve().with_name(f"{archive_stem(place.resolve().name)}.{SHEET_NAME}"), root / SHEET_NAME):
        if sheet.is_file():
            return sheet
    return None


def rule(entries: Sequence[Entry], sheet: RightsSheet, licence: str | None = None) -> tuple[list[Entry], list[str]]:
    """The entries as the sheet rules, and a sentence for each kind of contradiction. `licence` by hand rules it too.

    >>> said = RightsSheet(Path("rights.csv"), {"a.mid": RightsRow(licence="CC0")}, frozenset())
    >>> ruled, notices = rule([Entry(file="a.mid", sha256="1"), Entry(file="b.mid", sha256="2")], said)
    >>> [(entry.licence, entry.why) for entry in ruled], len(notices)
    ([('CC0', ''), ('not stated', 'rights')], 1)
    """
    out = []
    faults: defaultdict[str, list[str]] = defaultdict(list)
    others: Counter[tuple[str, str]] = Counter()
    met: set[str] = set()
    for entry in entries:
        name, row = entry.file, sheet.rows.get(entry.file)
        book = re.fullmatch(r"(.*\.abc)#\d+", name, re.IGNORECASE)
        if row is None and book and book[1] in sheet.rows:
            name, row = book[1], sheet.rows[book[1]]._replace(sha256="")
        met.add(name)
        fault = _fault(entry, row, name in sheet.torn)
        if fault and not entry.why:
            faults[fault[0]].append(entry.file)
            entry = dataclasses.replace(entry, why="rights", detail=fault[1])
        if row is not None:
            if row.licence and not licence:
                if not entry.why and entry.licence != NOT_STATED and not _alike(row.licence, entry.licence):
                    others[row.licence, entry.licence] += 1
                entry = dataclasses.replace(entry, licence=row.licence)
            entry = dataclasses.replace(entry, source=row.source or entry.source)
        out.append(entry)
    name = sheet.path.name
    notices = [f"{name}: {_FAULTS[fault].format(n=len(files), files=_some(files))}" for fault, files in faults.items()]
    gone = sorted(set(sheet.rows) - met)
    if gone:
        notices.append(f"{name}: {len(gone):,} of its files {'is' if len(gone) == 1 else 'are'} not here "
                       f"({_some(gone)})")
    notices += [f"{name}: it says {said} for {count:,} file{'s' * (count > 1)} where the folder says {other}: the "
                "sheet holds" for (said, other), count in others.most_common()]
    return out, notices


_FAULTS = {
    "hash": "{n:,} left out, for the sha256 is not that of the file ({files})",
    "torn": "{n:,} left out, for two rows disagree ({files})",
    "absent": "{n:,} left out, for no row names them ({files}): partimento data rights writes a new sheet",
    "no": "{n:,} left out, as it says ({files})",
}


def _fault(entry: Entry, row: RightsRow | None, torn: bool) -> tuple[str, str] | None:
    """Why a sheet leaves a file out: the kind, and the detail for the ledger."""
    if row is None:
        return "absent", _ABSENT
    if torn:
        return "torn", _TORN
    if row.sha256 and row.sha256 != entry.sha256:
        return "hash", f"{_HASH}{row.sha256[:12]}…, the file has {entry.sha256[:12]}…"
    if row.used.lower() == "no" and row.why.partition(":")[0] not in _FOUND_AGAIN:
        return "no", row.why or "it says no"
    return None


def _some(files: Sequence[str]) -> str:
    return ", ".join(files[:3]) + (", …" if len(files) > 3 else "")


def _delimiter(head: str) -> str:
    return max(",;\t", key=head.count)


def _alike(one: str, other: str) -> bool:
    """Whether two names are of one licence, however they are spelt; a version counts where both say one."""
    (words, version), (more, second) = _plain(one), _plain(other)
    return words == more and (version == second or not (version and second))


def _plain(licence: str) -> tuple[str, str]:
    version = re.search(r"[-\s]v?(\d+(\.\d+)?)$", licence.strip())
    name = licence[:version.start()] if version else licence
    words = re.sub(r"[^a-z0-9]", "", name.lower())
    return ("publicdomain" if words == "pd" else words), (version[1].removesuffix(".0") if version else "")
