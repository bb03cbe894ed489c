"""What is said beside the music: licence, source, style and piece, by tables (CSV), folder names, LICENSE files."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from partimento.data.ledger import NOT_STATED

MAX_TABLE_BYTES = 16 << 20
LICENCE_FILE = re.compile(r"(un)?licen[cs]e|copying", re.IGNORECASE)
LICENCE_FOLDER = re.compile(r"pd|public[-_ ]domain|cc[-_ ]?0|cc[-_ ]by([-_ ](sa|nc|nd|nc[-_ ]sa|nc[-_ ]nd))?"
                            r"([-_ ]\d\.\d)?|mit|gpl[-_ ]?\d?", re.IGNORECASE)
# First match names the licence; every phrase must occur in the first 4,000 characters, lower case, one space a gap.
PHRASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("AGPL-3.0", ("gnu affero general public license",)),
    ("LGPL", ("gnu lesser general public license",)),
    ("GPL-3.0", ("gnu general public license", "version 3")),
    ("GPL-2.0", ("gnu general public license", "version 2")),
    ("CC0 1.0", ("cc0 1.0",)), ("CC0 1.0", ("creative commons zero",)),
    ("CC BY-NC-SA", ("attribution-noncommercial-sharealike",)),
    ("CC BY-NC-ND", ("attribution-noncommercial-noderiv",)),
    ("CC BY-NC", ("attribution-noncommercial",)),
    ("CC BY-SA", ("attribution-sharealike",)), ("CC BY-ND", ("attribution-noderiv",)),
    ("CC BY", ("creative commons attribution",)),
    ("Apache-2.0", ("apache license", "version 2.0")),
    ("BSD-3-Clause", ("redistribution and use in source and binary forms", "neither the name")),
    ("BSD-2-Clause", ("redistribution and use in source and binary forms",)),
    ("MIT", ("permission is hereby granted, free of charge",)), ("MIT", ("mit license",)),
    ("Unlicense", ("this is free and unencumbered software",)),
    ("public domain", ("public domain",)),
)
DEED = re.compile(r"creativecommons\.org/(?:licenses/(by(?:-nc)?(?:-sa|-nd)?)/(\d\.\d)|"
                  r"publicdomain/(zero|mark)/1\.0)")
COLUMNS = {
    "licence": ("licence", "license", "rights"),
    "source": ("source", "url", "origin"),
    "style": ("style", "genre"),
    "piece": ("piece", "work", "group", "piece_id"),
}
_SAID = {name for options in COLUMNS.values() for name in options}


class Facts(NamedTuple):
    """What was found about one file; `piece` is empty where no table names it."""

    licence: str = NOT_STATED
    source: str = ""
    style: str = ""
    piece: str = ""


def facts_about(root: Path, files: Sequence[str], licence: str | None = None, *, name: str = "",
                sheet: Path | None = None) -> dict[str, Facts]:
    """What is said of every file below `root`, which is called `name` [its own]. `licence` by hand rules for all.

    In order: the table beside it, a folder on its path named after a licence (``PD``, ``CC-BY``), the LICENSE file in
    its folder or the nearest one above, up to `root`. A rights `sheet` is no such table.
    """
    tables = _tables(root, files, sheet)
    name = name or root.resolve().name
    found: dict[str, str] = {}
    out = {}
    for file in files:
        row = tables.get(file, {})
        parent = str(PurePosixPath(file).parent)
        if parent not in found:
            found[parent] = _of_folder(root, parent)
        out[file] = Facts(licence or row.get("licence") or found[parent], row.get("source") or name,
                          row.get("style", ""), row.get("piece", ""))
    return out


def name_licence(text: str) -> str | None:
    """The name of a licence by phrases of its text, or None where none is known.

    >>> name_licence("Permission is hereby granted, free of charge, to any person")
    'MIT'
    """
    plain = " ".join(text[:4000].lower().split())
    version = re.search(r"\b(\d\.\d) (?:international|generic)", plain)
    deed = DEED.search(plain)
    for name, phrases in PHRASES:
        if all(phrase in plain for phrase in phrases):
            number = (version[1] if version else deed[2] if deed else "") if name.startswith("CC BY") else ""
            return f"{name} {number or ''}".strip()
    if deed is None:
        return None
    return f"CC {deed[1].upper()} {deed[2]}" if deed[1] else "CC0 1.0" if deed[3] == "zero" else "public domain"


def _of_folder(root: Path, parent: str) -> str:
    parts = [] if parent == "." else parent.split("/")
    for part in reversed(parts):
        if LICENCE_FOLDER.fullmatch(part):
            return part
    for depth in range(len(parts), -1, -1):
        folder = root.joinpath(*parts[:depth])
        try:
            names = sorted(place.name for place in folder.iterdir() if LICENCE_FILE.match(place.name))
        except OSError:
            continue
        for name in names:
            try:
                with open(folder / name, encoding="utf-8", errors="replace") as file:
                    text = file.read(100_000)
            except OSError:
                continue
            return name_licence(text) or f"see {'/'.join((*parts[:depth], name))}"
    return NOT_STATED


def _tables(root: Path, files: Sequence[str], sheet: Path | None) -> dict[str, dict[str, str]]:
    """Rows of the CSV tables in `root` and its first folders, but the rights `sheet`, by the file they name."""
    known = set(files)
    folders = {"", *(file.split("/")[0] for file in files if "/" in file)}
    out: dict[str, dict[str, str]] = {}
    for folder in sorted(folders) if len(folders) <= 200 else [""]:
        try:
            places = sorted(place for place in (root / folder).glob("*.csv")
                            if place.is_file() and place != sheet)
        except OSError:
            continue
        for place in places:
            try:
                if place.stat().st_size <= MAX_TABLE_BYTES:
                    _read_table(place, folder, known, out)
            except (OSError, csv.Error):
                continue
    return out


def _read_table(place: Path, folder: str, known: set[str], out: dict[str, dict[str, str]]) -> None:
    with open(place, encoding="utf-8-sig", errors="replace", newline="") as table:
        head = table.readline(100_000)
        delimiter = max(",;\t", key=head.count)
        if not {word.strip().lower() for word in head.split(delimiter)} & _SAID:
            return                  # a table about something else
        table.seek(0)
        rows = list(csv.DictReader(table, delimiter=delimiter))
    if not rows:
        return
    names = {name: name.strip().lower() for name in rows[0] if name}
    stems = _by_stem(known)
    best: dict[int, str] = {}
    for name in names:
        hits = {i: hit for i, row in enumerate(rows) if (hit := _file_named(row.get(name), folder, known, stems))}
        if len(hits) > len(best):
            best = hits
    wanted = {field: next((name for option in options for name, plain in names.items() if plain == option), None)
              for field, options in COLUMNS.items()}
    if wanted["piece"] is None and any(_has_suffix(row.get(wanted["source"] or "")) for row in rows[:20]):
        wanted["piece"] = wanted["source"]      # several files made from one source file are one piece
    for i, file in best.items():
        out.setdefault(file, {field: (rows[i].get(name) or "").strip() for field, name in wanted.items() if name})


def _has_suffix(value: str | None) -> bool:
    return bool(value) and "://" not in str(value) and bool(PurePosixPath(str(value)).suffix)


def _by_stem(known: Iterable[str]) -> Mapping[str, str]:
    return {str(PurePosixPath(file).with_suffix("")): file for file in known}


def _file_named(value: str | None, folder: str, known: set[str], stems: Mapping[str, str]) -> str | None:
    if not value:
        return None
    name = value.strip().replace("\\", "/").removeprefix("./")
    for place in (f"{folder}/{name}" if folder else name, name):
        if place in known:
            return place
        if place in stems:
            return stems[place]
    return None
