"""The pieces of the sets of music with the work that each is of, for the benches of near duplicates."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from peers import music

from partimento.data.reading import read_one
from partimento.errors import PartimentoError
from partimento.formats import abc_read
from partimento.score import Score

VERDICT_A = ("mutopia_midi", "openscore_lieder", "openscore_quartets", "openscore_orchestra", "freedoom_midi", "groove",
             "open_hymnal", "chopin_first_editions", "polish_piano")
EVERY = (*VERDICT_A, "openewld", "nottingham/MIDI", "nottingham/ABC_cleaned", "js_fakes", "pop909")
SUFFIXES = (".mid", ".mxl", ".krn", ".abc")
CLOSED = "CC-BY-SA"             # the folder of mutopia_midi that is not of verdict A


def scores_of(name: str, half: int | None = None) -> Iterator[tuple[str, Score]]:
    """Give the path (below the set's folder) and the Score of each piece of a set, or of one half of its works."""
    first, _, below = name.partition("/")
    folder = music(first) / below
    found = folder.glob("*") if below else folder.rglob("*")
    for path in sorted(path for path in found if path.suffix in SUFFIXES):
        place = path.relative_to(folder).as_posix()
        if below and path.suffix == ".abc":
            for i, tune in enumerate(abc_read.tunes(path.read_bytes())):
                if half is None or half == half_of(name, f"{place}#{i + 1}"):
                    try:
                        yield f"{place}#{i + 1}", abc_read.parse(tune).score
                    except PartimentoError:
                        continue
        elif half is None or half == half_of(name, place):
            score = read_one(path)[1]
            if score is not None:
                yield place, score


def work_of(name: str, place: str) -> str:
    """Return the work that a piece is of, as its path says: what must not stand on both sides of a split.

    >>> work_of("chopin_first_editions", "010_1-6-1b-KI-004.krn"), work_of("pop909", "001/versions/001-v2.mid")
    ('010', '001')
    """
    parts, file = place.split("/"), Path(place).stem
    if name == "chopin_first_editions":
        return re.split("[-_]", file)[0]
    if name == "polish_piano":
        return str(file.split("--")[:2])
    if name == "mutopia_midi":
        return "/".join(parts[1:]).split("__")[0]
    if name in ("openscore_lieder", "openscore_quartets"):
        return "/".join(parts[:3])
    if name == "openscore_orchestra":
        return "/".join(parts[:2])
    if name == "open_hymnal":
        return parts[1]
    if name == "pop909":
        return parts[0]
    return place.split("_")[0] if name == "groove" else place


def half_of(name: str, place: str) -> int:
    """Return which half a piece is in, 0 (fitted on) or 1 (measured on), drawn by its work."""
    return hashlib.sha256(f"{name.partition('/')[0]}/{work_of(name, place)}".encode()).digest()[0] & 1
