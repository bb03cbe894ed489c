"""What lies in a folder: the files to read as music, what cannot be opened, and what is left alone."""

from __future__ import annotations

import os
import stat
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from partimento.errors import PartimentoError, ReadError
from partimento.formats import tunes_of

ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz")


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
    size, seen, folders = 0, {os.path.realpath(root)}, [(os.fspath(root), "")]
    while folders:
        here, above = folders.pop()
        try:
            with os.scandir(here) as listing:
                inside = list(listing)
        except OSError as error:
            refused.append((above.rstrip("/") or ".", "closed", error.strerror or str(error)))
            continue
        for entry in inside:
            name, suffix = above + entry.name, os.path.splitext(entry.name)[1].lower()
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                others["hidden"] += 1
            elif entry.is_dir():
                real = os.path.realpath(entry.path)
                if real not in seen:
                    seen.add(real)
                    folders.append((entry.path, f"{name}/"))
            elif suffix in suffixes:
                try:
                    status = entry.stat()
                except OSError as error:
                    refused.append((name, "closed", error.strerror or str(error)))
                    continue
                if stat.S_ISREG(status.st_mode):
                    files += _tunes(entry.path, name)
                    size += status.st_size
                else:
                    refused.append((name, "closed", "not a regular file"))
            elif suffix in ARCHIVES:
                refused.append((name, "zip", "unpack it, then run this again"))
            elif not suffix and _is_midi(entry):
                refused.append((name, "unnamed", "rename it so that it ends in .mid"))
            else:
                others[suffix or "no suffix"] += 1
    return Found(root, tuple(sorted(files)), tuple(sorted(refused)), dict(sorted(others.items())), size)


def _tunes(path: str, name: str) -> list[str]:
    """The file, or where it is a book of tunes each of them, named as `formats.read` knows them."""
    try:
        return [name + tune.removeprefix(path) for tune in tunes_of(path)]
    except PartimentoError:             # reading it will say why
        return [name]


def _is_midi(entry: os.DirEntry[str]) -> bool:
    try:
        if not stat.S_ISREG(entry.stat().st_mode):
            return False
        with open(entry.path, "rb") as file:
            return file.read(4) == b"MThd"
    except OSError:
        return False
