"""What lies in a folder or an archive: the files to read as music, what cannot be opened, what is left alone."""

from __future__ import annotations

import os
import stat
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from partimento.data import archive
from partimento.errors import PartimentoError, ReadError
from partimento.formats import tunes_of
from partimento.models.base import Report


class Found(NamedTuple):
    """Music found: `files` to read, `refused` (file, kind, detail), and `others` left alone, counted by suffix.

    All paths are relative to what was given, with ``/`` on every platform, and sorted. `name` is what it is called.
    `places` are the folders that hold it: under the empty name the folder itself, and under the path of each archive
    in it the folder that the archive was unpacked to. `size` is the bytes of all `files`.
    """

    name: str
    places: dict[str, Path]
    files: tuple[str, ...]
    refused: tuple[tuple[str, str, str], ...]
    others: dict[str, int]
    size: int

    @property
    def root(self) -> Path:
        """The folder that holds everything outside archives."""
        return self.places[""]

    def holder(self, file: str) -> str:
        """The path of the archive that holds a file; empty where none does."""
        at = file.find("/") if len(self.places) > 1 else -1
        while at > 0:
            if file[:at] in self.places:
                return file[:at]
            at = file.find("/", at + 1)
        return ""

    def path(self, file: str) -> Path:
        """Where a file of `files` lies on the disk."""
        holder = self.holder(file)
        return self.places[holder] / (file[len(holder) + 1:] if holder else file)


def find(path: str | os.PathLike[str], suffixes: tuple[str, ...], report: Report | None = None) -> Found:
    """Every file under `path` (a folder, an archive or one file), sorted: to read, refused at the door, or left alone.

    Links are followed, each folder once, so that a loop of links ends. Hidden files and folders are left alone.
    Archives in a folder are looked into, archives in an archive are not. A file given by itself is always read,
    whatever its name. `report` is called while archives are unpacked.
    """
    given = Path(path)
    try:
        mode = given.stat().st_mode
    except OSError as error:
        raise ReadError(f"the music must be a file or a folder; {given} cannot be opened "
                        f"({error.strerror or error})") from None
    if stat.S_ISDIR(mode):
        walk = _Walk(suffixes, report)
        walk.folder(given)
        return walk.found(given.resolve().name, given)
    if not stat.S_ISREG(mode):
        raise ReadError(f"the music must be a file or a folder; {given} is neither")
    if archive.archive_kind(given):
        inside = archive.unpacked(given, report)
        walk = _Walk(suffixes, report)
        walk.archive(inside)
        return walk.found(archive.archive_stem(given.name), inside.root)
    return Found(given.resolve().parent.name, {"": given.parent}, (given.name,), (), {}, given.stat().st_size)


class _Walk:
    """What is found on the way through a folder and the archives in it."""

    def __init__(self, suffixes: tuple[str, ...], report: Report | None) -> None:
        self._suffixes, self._report = suffixes, report
        self._files: list[str] = []
        self._refused: list[tuple[str, str, str]] = []
        self._others: Counter[str] = Counter()
        self._places: dict[str, Path] = {}
        self._size = 0

    def found(self, name: str, root: Path) -> Found:
        return Found(name, {"": root, **dict(sorted(self._places.items()))}, tuple(sorted(self._files)),
                     tuple(sorted(self._refused)), dict(sorted(self._others.items())), self._size)

    def archive(self, inside: archive.Unpacked, above: str = "") -> None:
        """All that was unpacked of an archive, its paths begun with `above`."""
        self._others.update(inside.others)
        self._refused += [(above + name, "zip", "an archive inside an archive: unpack it, then run this again")
                          for name in inside.archives]
        self.folder(inside.root, above)

    def folder(self, root: Path, above: str = "") -> None:
        """All that lies in a folder, its paths begun with `above`."""
        seen, folders = {os.path.realpath(root)}, [(os.fspath(root), above)]
        while folders:
            here, above = folders.pop()
            try:
                with os.scandir(here) as listing:
                    inside = list(listing)
            except OSError as error:
                self._refused.append((above.rstrip("/") or ".", "closed", error.strerror or str(error)))
                continue
            for entry in inside:
                name = above + entry.name
                if entry.name.startswith(".") or entry.name == "__MACOSX":
                    self._others["hidden"] += 1
                elif entry.is_dir():
                    real = os.path.realpath(entry.path)
                    if real not in seen:
                        seen.add(real)
                        folders.append((entry.path, f"{name}/"))
                else:
                    self._file(entry, name)

    def _file(self, entry: os.DirEntry[str], name: str) -> None:
        suffix = os.path.splitext(entry.name)[1].lower()
        if suffix in self._suffixes:
            try:
                status = entry.stat()
            except OSError as error:
                self._refused.append((name, "closed", error.strerror or str(error)))
                return
            if stat.S_ISREG(status.st_mode):
                self._files += _tunes(entry.path, name)
                self._size += status.st_size
            else:
                self._refused.append((name, "closed", "not a regular file"))
        elif suffix in archive.ARCHIVE_SUFFIXES:
            try:
                inside = archive.unpacked(entry.path, self._report)
            except ReadError as error:
                self._refused.append((name, "zip", str(error).removeprefix(f"{entry.path}: ")))
            else:
                self._places[name] = inside.root
                self.archive(inside, f"{name}/")
        elif not suffix and _is_midi(entry):
            self._refused.append((name, "unnamed", "rename it so that it ends in .mid"))
        else:
            self._others[suffix or "no suffix"] += 1


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
