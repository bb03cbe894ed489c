"""Which files are one piece, and which pieces are kept for validation."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from partimento.errors import ReadError, RequestError

Group = str | Callable[[str], str]
GROUPS = ("auto", "file", "folder")
SIDES = ("train", "valid", "test")

# A folder of this name holds other takes or single parts of the pieces beside it.
PART_FOLDERS = frozenset((
    "versions", "version", "takes", "take", "variants", "alternatives", "parts", "part", "stems", "voices", "melody",
    "melodies", "chords", "bass", "drums", "accompaniment", "piano", "vocals", "full", "score", "solo"))
# An ending of a file's name that says: another take, version, part or paper size of the same piece.
ENDING = re.compile(r"(?:[-_. ](?:v|ver|version|take|alt|part|mvt)[-_. ]?\d*|[-_. ](?:a4|letter|let|lys|melody|chords|"
                    r"bass|drums|piano|solo|copy|remix)|[-_. ]?\(\d+\))$", re.IGNORECASE)


def piece_of(file: str) -> str:
    """The name of the piece that a file belongs to, by its path alone.

    Folders that hold takes or parts of the pieces beside them (``versions``, ``melody``, ...) are left out, and so are
    endings of the name that say the same (``-v2``, ``_take3``, ``-a4``, `` (1)``).

    >>> piece_of("001/versions/001-v2.mid"), piece_of("MIDI/melody/jigs1.mid"), piece_of("a/song-7.mid")
    ('001/001', 'MIDI/jigs1', 'a/song-7')
    """
    path = PurePosixPath(re.sub(r"\.abc#(?=\d+$)", "#", file, flags=re.IGNORECASE))      # a tune of a book
    folders = [part for part in path.parent.parts if part.lower() not in PART_FOLDERS]
    stem = path.stem
    while (shorter := ENDING.sub("", stem)) and shorter != stem:
        stem = shorter
    return "/".join((*folders, stem))


def pieces(files: Iterable[str], said: Mapping[str, str], group: Group = "auto") -> dict[str, str]:
    """The piece of every file: `group` is ``auto``, ``file``, ``folder``, or a function of the relative path.

    ``auto`` takes what a table beside the music says (`said`, file to piece), else `piece_of`; ``file`` takes every
    file by itself; ``folder`` takes all of one folder as one piece.
    """
    if callable(group):
        return {file: str(group(file)) for file in files}
    if group not in GROUPS:
        raise RequestError(f"group must be one of {', '.join(GROUPS)}, or a function of the path; got {group!r}")
    if group == "file":
        return {file: file for file in files}
    if group == "folder":
        return {file: str(PurePosixPath(file).parent) for file in files}
    return {file: said.get(file) or piece_of(file) for file in files}


def trusted(said: Mapping[str, str]) -> dict[str, str]:
    """`said`, or nothing where one name covers more than a tenth of 20 or more files: that is no name of a piece.

    >>> trusted({str(i): "IMSLP" for i in range(40)})
    {}
    """
    most = max(Counter(said.values()).values(), default=0)
    return {} if len(said) >= 20 and most > len(said) / 10 else dict(said)


def choose(names: Iterable[str], share: float, seed: int) -> set[str]:
    """The pieces kept for validation: the first round(share · n) by sha256 of seed and name.

    A piece keeps its rank when others come or go. From 5 pieces on at least one is kept; of fewer, none unless
    `share` says so; never all.

    >>> len(choose("abcdefghij", 0.2, 0)), choose("ab", 0.1, 0)
    (2, set())
    """
    if not 0 <= share < 1:
        raise RequestError(f"valid_share must lie in 0..1, 1 left out (the share of pieces kept); got {share:g}")
    def rank(name: str) -> bytes:
        return hashlib.sha256(f"{seed}:{name}".encode("utf-8", "surrogatepass")).digest()

    ranked = sorted(set(names), key=rank)
    count = min(round(share * len(ranked)), max(len(ranked) - 1, 0))
    if share and not count and len(ranked) >= 5:
        count = 1
    return set(ranked[:count])


def read_split(path: str | os.PathLike[str]) -> dict[str, str]:
    """Side by name out of a JSON file ``{"train": [...], "valid": [...], "test": [...]}``; names may lack a suffix."""
    try:
        plain = json.loads(Path(path).read_text(encoding="utf-8"))
        sides = {name: side for side in SIDES for name in plain.get("validation" if side == "valid" and
                 "valid" not in plain else side, ())}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ReadError(f'a split must be JSON such as {{"train": ["a.mid"], "valid": ["b.mid"]}}; '
                        f"{path} is not ({error})") from None
    if not sides:
        raise ReadError(f"a split must name files under train and valid; {path} names none")
    return sides


def side_of(file: str, sides: Mapping[str, str]) -> str | None:
    """Where a given split puts a file: by its path, its path without suffix, its name, or its name without suffix."""
    path = PurePosixPath(file)
    for name in (file, str(path.with_suffix("")), path.name, path.stem):
        if name in sides:
            return sides[name]
    return None


def split_json(train: Iterable[str], valid: Iterable[str], **head: Any) -> str:
    """The split written down: JSON with `head` and the files of both sides."""
    return json.dumps({"partimento_split": 1, **head, "train": sorted(train), "valid": sorted(valid)}, indent=1) + "\n"
