"""What lies in a folder: the files to read as music, what cannot be opened, and what is left alone."""

from __future__ import annotations

import os
import stat
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from partimento.errors import ReadError

SUFFIXLESS_HEAD = b"MThd"
ZIPS = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz")


class Found(NamedTuple):
    """A folder walked: `files` to read, `refused` (file, kind, detail), and `others` left alone, counted by suffix.

    All paths are relative to `root`, with ``/`` on every platform, and sorted. `size` is the bytes of all `files`.
    """

    root: Path
    files: tuple[str, ...]
    refused: tuple[tuple[str, str, str], ...]
    others: dict[str, int]
    size: int


def find(path: str | os.PathLike[str], suffixes: tuple[str, ...]) -> Found:
    """Every file under `path` (a folder or one file), sorted: to read, refused at the door, or left alone.

    Links are followed, each folder once, so that a loop of links ends. Hidden files and folders are left alone.
    A file given by itself is always read, whatever its name.
    """
    given = Path(path)
    try:
        mode = given.stat().st_mode
    except OSError as error:
        raise ReadError(f"the music must be a file or a folder; {given} cannot be opened "
                        f"({error.strerror or error})") from None
    if not stat.S_ISDIR(mode):
        if not stat.S_ISREG(mode):
            raise ReadError(f"the music must be a file or a folder; {given} is neither")
        return Found(given.parent, (given.name,), (), {}, given.stat().st_size)
    return _walk(given, suffixes)


def _walk(root: Path, suffixes: tuple[str, ...]) -> Found:
    files: list[str] = []
    refused: list[tuple[str, str, str]] = []
    others: Counter[str] = Counter()
    size, seen, base = 0, {os.path.realpath(root)}, os.fspath(root)

    def name(place: str) -> str:
        return os.path.relpath(place, base).replace(os.sep, "/")

    def unlisted(error: OSError) -> None:
        refused.append((name(error.filename or base), "closed", error.strerror or str(error)))

    for here, folders, names in os.walk(base, followlinks=True, onerror=unlisted):
        kept = []
        for folder in sorted(folders):
            real = os.path.realpath(os.path.join(here, folder))
            if folder.startswith(".") or folder == "__MACOSX":
                others["hidden"] += 1
            elif real not in seen:
                seen.add(real)
                kept.append(folder)
        folders[:] = kept
        for file in names:
            place = os.path.join(here, file)
            suffix = os.path.splitext(file)[1].lower()
            if file.startswith("."):
                others["hidden"] += 1
            elif suffix in suffixes:
                try:
                    status = os.stat(place)
                except OSError as error:
                    refused.append((name(place), "closed", error.strerror or str(error)))
                    continue
                if stat.S_ISREG(status.st_mode):
                    files.append(name(place))
                    size += status.st_size
                else:
                    refused.append((name(place), "closed", "not a regular file"))
            elif suffix in ZIPS:
                refused.append((name(place), "zip", "unpack it, then run this again"))
            elif not suffix and _is_midi(place):
                refused.append((name(place), "unnamed", "rename it so that it ends in .mid"))
            else:
                others[suffix or "no suffix"] += 1
    return Found(root, tuple(sorted(files)), tuple(sorted(refused)), dict(sorted(others.items())), size)


def _is_midi(place: str) -> bool:
    try:
        if not stat.S_ISREG(os.stat(place).st_mode):
            return False
        with open(place, "rb") as file:
            return file.read(4) == SUFFIXLESS_HEAD
    except OSError:
        return False
