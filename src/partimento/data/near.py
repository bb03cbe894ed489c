"""Exact and near duplicates among the files of a corpus: which one is used, and which files are one piece."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from partimento.data.ledger import Entry
from partimento.data.reading import File
from partimento.errors import RequestError, nearest

NEAR = ("takes", "one", "keep", "ignore")


class Pair(NamedTuple):
    """Two files that are melodically one piece, and how much of the melody they share (0 to 1)."""

    first: str
    second: str
    share: float


def check_near(near: str) -> None:
    """RequestError where `near` is none of NEAR."""
    if near not in NEAR:
        raise RequestError(nearest(str(near), NEAR, "way with near duplicates"))


def without_copies(entries: Sequence[Entry], read_files: Mapping[str, File]) -> list[Entry]:
    """The entries with every exact duplicate left out but the first by name: the same bytes, or the same notes."""
    first: dict[str, str] = {}
    out = []
    for entry in entries:
        if not entry.why:
            bytes_like = first.setdefault(entry.sha256, entry.file)
            notes_like = first.setdefault(read_files[entry.file].music, entry.file)
            if bytes_like != entry.file:
                entry = dataclasses.replace(entry, why="duplicate", detail=f"the same bytes as {bytes_like}")
            elif notes_like != entry.file:
                entry = dataclasses.replace(entry, why="duplicate", detail=f"the same notes as {notes_like}")
        out.append(entry)
    return out


def find_pairs(entries: Iterable[Entry], melodies: Mapping[str, bytes]) -> list[Pair]:
    """Every two files, not left out so far, that are melodically one piece; `melodies` are prints by sha256."""
    good = [entry for entry in entries if not entry.why and melodies.get(entry.sha256)]
    if len(good) < 2:
        return []
    from partimento.fingerprint import MelodyPrint, near_duplicates

    found = near_duplicates([MelodyPrint.from_bytes(melodies[entry.sha256]) for entry in good])
    pairs = [(min(a, b), max(a, b), like.share) for like in found
             for a, b in [(good[like.first].file, good[like.second].file)]]
    return sorted(Pair(*pair) for pair in pairs)


def joined_pieces(pieces: Mapping[str, str], pairs: Sequence[Pair]) -> dict[str, str]:
    """The piece of every file, where the pieces of a pair are one, named as the first of them by name.

    >>> joined_pieces({"a": "a", "b": "b", "c": "c"}, [Pair("b", "c", 1.0)])
    {'a': 'a', 'b': 'b', 'c': 'b'}
    """
    above: dict[str, str] = {}

    def top(piece: str) -> str:
        while piece in above:
            piece = above[piece]
        return piece

    for pair in pairs:
        one, other = sorted((top(pieces[pair.first]), top(pieces[pair.second])))
        if one != other:
            above[other] = one
    return {file: top(piece) for file, piece in pieces.items()}


def without_near(entries: Sequence[Entry], pairs: Sequence[Pair], pieces: Mapping[str, str],
                 near: str = "takes") -> list[Entry]:
    """The entries with near duplicates left out, as `near` says.

    Files are taken from the one of most notes down, of equals by name; one that is melodically the same as a file
    taken before is left out. ``takes``: but not where `pieces` says that both are one piece anyway (versions and parts
    in folders and under names that say so): who lays out takes wants them. ``one``: nor then. ``keep``: nothing is
    left out.
    """
    if near in ("keep", "ignore"):
        return list(entries)
    like: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for first, second, share in pairs:
        if near == "one" or pieces[first] != pieces[second]:
            like[first].append((share, second))
            like[second].append((share, first))
    by_file = {entry.file: entry for entry in entries}
    taken: set[str] = set()
    why: dict[str, str] = {}
    for file in sorted(like, key=lambda file: (-by_file[file].notes, file)):
        same = [(-share, other) for share, other in like[file] if other in taken]
        if same:
            share, other = min(same)
            why[file] = f"the same melody as {other} ({-share:.0%})"
        else:
            taken.add(file)
    return [dataclasses.replace(entry, why="near", detail=why[entry.file]) if entry.file in why else entry
            for entry in entries]
