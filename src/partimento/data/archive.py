"""An archive of music (zip, tar, tar.gz, tar.bz2, tar.xz) unpacked safely, once, into the user's cache folder.

Only music, tables (.csv) and LICENSE files are unpacked. An archive is taken whole or refused in one sentence: where
it is damaged or encrypted, where a name in it leads out of it, or where it grows beyond all measure (MAX_RATIO). Links
and devices in it are left alone.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import json
import lzma
import os
import re
import shutil
import stat
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from partimento.data import cache
from partimento.data.about import LICENCE_FILE
from partimento.errors import ReadError, WriteError
from partimento.formats import SUFFIXES
from partimento.formats.files import MAX_BYTES
from partimento.models.base import Progress, Report

ARCHIVE_SUFFIXES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst")
MAX_MEMBERS = 2_000_000
SAFE_UNPACKED = 1 << 30             # below this size no ratio is too good to be true
MAX_RATIO = 200                     # of all that is unpacked to the archive; scores shrink to a thirtieth
MAX_HEADER = 16 << 20               # of one read that a tar asks for
BLOCK = 1 << 20
KEPT_DAYS = 30                      # since an unpacked archive was used last
_PLAIN: dict[str, Callable[[IO[bytes]], Any]] = {       # what the bytes of a tar are packed with
    "tar": contextlib.nullcontext, "gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
_MAGIC = {b"PK\x03\x04": "zip", b"PK\x05\x06": "zip", b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz",
          b"Rar!": "rar", b"7z\xbc\xaf": "7z", b"\x28\xb5\x2f\xfd": "zst"}
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError,
           NotImplementedError, KeyError, IndexError, ArithmeticError, MemoryError, OSError)
_ABOUT = "about.json"


class Unpacked(NamedTuple):
    """An archive on the disk: the folder, what was left alone by suffix, and the archives inside it, not opened."""

    root: Path
    others: dict[str, int]
    archives: tuple[str, ...]


def archive_kind(path: str | os.PathLike[str]) -> str:
    """Return ``zip``, ``tar``, ``gz``, ``bz2``, ``xz``, ``rar``, ``7z`` or ``zst`` by a file's first bytes, or nothing.

    A file with a suffix of music is none, whatever is in it; a folder, or what cannot be opened, neither.
    """
    place = Path(path)
    if place.suffix.lower() in SUFFIXES:
        return ""
    try:
        if not place.is_file():
            return ""
        with open(place, "rb") as file:
            head = file.read(512)
    except (OSError, ValueError):
        return ""
    if head[257:262] == b"ustar":
        return "tar"
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "")
    return kind or ("tar" if place.suffix.lower() == ".tar" else "")


def unpacked(path: str | os.PathLike[str], report: Report | None = None) -> Unpacked:
    """Unpack an archive into the user's cache folder, where that was not done before; ReadError, WriteError.

    The folder is named after the sha256 of the archive, and stays until it was not used for KEPT_DAYS. Where everything
    lies in one folder at the top, that is the root. `report` is called with the kilobytes, or files, done; when it
    returns False, KeyboardInterrupt ends it all and nothing is left.
    """
    place = Path(path)
    _known(place)
    shelf = cache.root() / "unpacked"
    try:
        home = shelf / _sha256(place)[:32]
        if (found := _read(home)) is not None:
            os.utime(home)
            return found
        shelf.mkdir(parents=True, exist_ok=True)
        _clear(shelf)
        beside = Path(tempfile.mkdtemp(prefix="unpacking-", dir=shelf))
        try:
            others, archives, files = unpack(place, beside / "music", report=report)
            words = {"others": others, "archives": archives, "files": files}
            (beside / _ABOUT).write_text(json.dumps(words), encoding="utf-8")
            if _read(home) is None:                                 # else another process was quicker
                shutil.rmtree(home, ignore_errors=True)
            with contextlib.suppress(OSError):
                beside.rename(home)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise _no_place(shelf, error) from None
    found = _read(home)
    if found is None:
        raise WriteError(f"{home}: what is unpacked must stay while it is read; it is gone again")
    return found


def unpack(path: Path, into: Path, *, wanted: Callable[[str], bool] | None = None,
           report: Report | None = None) -> tuple[dict[str, int], list[str], int]:
    """Unpack what is `wanted` of an archive into a new folder: (others by suffix, names of archives, files written).

    `wanted` is asked with the path of each file [music, tables and licences]. ReadError where the archive is not as it
    must be, WriteError where the disk is not.
    """
    kind = _known(path)
    with _disk(into):
        into.mkdir(parents=True)
    writer = _Writer(path, into)
    others: Counter[str] = Counter()
    archives: list[str] = []
    try:
        members = _zipped(path, report) if kind == "zip" else _tarred(path, kind, report)
        with contextlib.closing(members):
            for count, (name, file, why) in enumerate(members):
                if count >= MAX_MEMBERS:
                    raise ReadError(f"{path}: an archive must hold at most {MAX_MEMBERS:,} files; this one holds more")
                parts = _inside(name, path)
                suffix = PurePosixPath(parts[-1]).suffix.lower()
                if why or file is None:
                    others[why] += 1
                elif any(part.startswith(".") or part == "__MACOSX" for part in parts):
                    others["hidden"] += 1
                elif suffix in ARCHIVE_SUFFIXES:
                    archives.append("/".join(parts))
                elif wanted("/".join(parts)) if wanted else _is_wanted(parts[-1]):
                    writer.write(parts, file)
                elif suffix or wanted or not writer.write_midi(parts, file):
                    others[suffix or "no suffix"] += 1
    except _DAMAGE as error:
        raise ReadError(f"{path}: an archive must be whole; this one is damaged ({_short(error)}): fetch it again"
                        ) from None
    return dict(sorted(others.items())), sorted(archives), writer.files


def archive_stem(name: str) -> str:
    """The name of an archive without what says that it is one.

    >>> archive_stem("songs.tar.xz"), archive_stem("songs.zip"), archive_stem("v1.2.tgz")
    ('songs', 'songs', 'v1.2')
    """
    stem = re.sub(rf"({'|'.join(map(re.escape, ARCHIVE_SUFFIXES))})$", "", name, flags=re.IGNORECASE)
    return re.sub(r"\.tar$", "", stem, flags=re.IGNORECASE) or name


# --- members ------------------------------------------------------------------------------------------------------

Member = tuple[str, IO[bytes] | None, str]      # its name, its bytes, or why it is left alone


def _zipped(path: Path, report: Report | None) -> Generator[Member, None, None]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for done, info in enumerate(members):
            _tell(report, done, len(members))
            if info.is_dir():
                continue
            if info.flag_bits & 1:
                raise ReadError(f"{path}: an archive must be open to all; this one is encrypted: unpack it first")
            if stat.S_ISLNK(info.external_attr >> 16):
                yield info.filename, None, "link"
                continue
            with archive.open(info) as file:
                yield info.filename.replace("\\", "/"), file, ""


def _tarred(path: Path, kind: str, report: Report | None) -> Generator[Member, None, None]:
    size = path.stat().st_size
    with open(path, "rb") as packed, _PLAIN[kind](packed) as plain:
        guard: Any = _Guard(plain, path)
        if not guard.looks_like_tar():
            raise ReadError(f"{path}: an archive must be a zip or a tar (.tar, .tar.gz, .tar.bz2, .tar.xz); this is a "
                            "file of another kind, packed by itself: unpack it first")
        with tarfile.TarFile(fileobj=guard, mode="r") as archive:
            pile: Any = archive
            while (member := archive.next()) is not None:
                pile.members = []                   # they would pile up
                _tell(report, packed.tell() >> 10, size >> 10)
                if member.isdir():
                    continue
                if not member.isreg() or member.sparse is not None:
                    yield member.name, None, "link" if member.issym() or member.islnk() else "special file"
                    continue
                file = archive.extractfile(member)
                assert file is not None
                yield member.name, file, ""
            guard.seek(pile.offset)             # tarfile takes a damaged head for the end
            if guard.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("its end is missing")
            while guard.read(BLOCK):            # to the checksum of what it is packed with
                pass


class _Guard:
    """The plain bytes of a tar; ReadError where they grow absurd: a bomb."""

    def __init__(self, plain: IO[bytes], path: Path) -> None:
        self._plain, self._path = plain, path
        self._most = max(SAFE_UNPACKED, MAX_RATIO * path.stat().st_size)

    def looks_like_tar(self) -> bool:
        head = self._plain.read(tarfile.BLOCKSIZE)
        self._plain.seek(0)
        if not head.strip(b"\0"):
            return len(head) == tarfile.BLOCKSIZE           # a tar with nothing in it
        try:
            tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
        except tarfile.TarError:
            return False
        return True

    def read(self, size: int) -> bytes:
        if size > MAX_HEADER:
            raise ReadError(f"{self._path}: an archive must be of a sane shape; this one asks for {size:,} bytes of "
                            "words about one file")
        self._check(self._plain.tell())
        return self._plain.read(size)

    def seek(self, place: int) -> int:
        self._check(place)
        return self._plain.seek(place)

    def tell(self) -> int:
        return self._plain.tell()

    def _check(self, place: int) -> None:
        if place > self._most:
            raise _bomb(self._path, self._most)


class _Writer:
    """Files written below a folder, each under a name that every system can have, and counted."""

    def __init__(self, path: Path, into: Path) -> None:
        self._path, self._into = path, into
        self._most = max(SAFE_UNPACKED, MAX_RATIO * path.stat().st_size)
        self._written = self.files = 0
        self._again: Counter[str] = Counter()

    def write(self, parts: list[str], file: IO[bytes], head: bytes = b"") -> None:
        target = self._into.joinpath(*map(_portable, parts))
        with _disk(self._into):
            target.parent.mkdir(parents=True, exist_ok=True)
            out = self._new(target)
        with out:
            size = 0
            while block := head or file.read(BLOCK):
                head = b""
                size += len(block)
                self._written += len(block)
                if self._written > self._most:
                    raise _bomb(self._path, self._most)
                if size > MAX_BYTES:
                    raise ReadError(f"{self._path}: an archive of music must hold files under 1 GiB; "
                                    f"{_short('/'.join(parts))} is larger")
                with _disk(self._into):
                    out.write(block)
                    out.flush()
        self.files += 1

    def write_midi(self, parts: list[str], file: IO[bytes]) -> bool:
        """Write a file without a suffix where its first bytes say that it is MIDI."""
        head = file.read(4)
        if head == b"MThd":
            self.write(parts, file, head)
        return head == b"MThd"

    def _new(self, target: Path) -> IO[bytes]:
        """A new file; where one of that name stands already (here ``A`` may be ``a``), with a number behind it."""
        name = target
        while True:
            try:
                return open(name, "xb")
            except FileExistsError:
                self._again[str(target)] += 1
                name = target.with_name(f"{target.stem}~{self._again[str(target)] + 1}{target.suffix}")


def _inside(name: str, path: Path) -> list[str]:
    """The parts of a member's name; ReadError where it leads out of the archive."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:[\\/]", name) or not parts:
        raise ReadError(f"{path}: an archive must keep its files inside itself; {_short(name)!r} leads out of it: "
                        "do not use it, or unpack it by hand")
    return parts


def _is_wanted(name: str) -> bool:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in SUFFIXES or suffix == ".csv" or bool(LICENCE_FILE.match(name))


def _portable(part: str) -> str:
    """The part of a path as every system takes it: not too long, and on Windows without what cannot be in a name."""
    if os.name == "nt":
        part = re.sub(r'[<>:"|?*\x00-\x1f]', "_", part).rstrip(". ") or "_"
        if re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", part, re.IGNORECASE):
            part = f"_{part}"
    raw = os.fsencode(part)
    if len(raw) > 200:
        stem, suffix = os.path.splitext(part)
        part = f"{stem[:40]}-{hashlib.sha256(raw).hexdigest()[:8]}{suffix[:20]}"
    return part


def _known(path: Path) -> str:
    """The kind of an archive that can be unpacked here; ReadError for what is none."""
    kind = archive_kind(path)
    if kind not in ("zip", *_PLAIN):
        raise ReadError(f"{path}: an archive must be a zip or a tar (.tar, .tar.gz, .tar.bz2, .tar.xz); this is "
                        f"{f'a {kind} file' if kind else 'neither'}: unpack it first")
    return kind


def _read(home: Path) -> Unpacked | None:
    """What was unpacked before; None where it was not, or is no longer whole."""
    try:
        words = json.loads((home / _ABOUT).read_text(encoding="utf-8"))
        root = top = home / "music"
        if sum(len(files) for _, _, files in os.walk(root)) != words["files"]:
            return None
        inside = list(root.iterdir())
        if len(inside) == 1 and inside[0].is_dir():
            root = inside[0]
        above = "" if root == top else f"{root.name}/"
        return Unpacked(root, words["others"], tuple(name.removeprefix(above) for name in words["archives"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _clear(shelf: Path) -> None:
    """Take away what was not used for KEPT_DAYS."""
    for old in shelf.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > KEPT_DAYS * 86_400:
                shutil.rmtree(old, ignore_errors=True)


def _tell(report: Report | None, done: int, total: int) -> None:
    if report is not None and not report(Progress("unpacking", min(done, total), total)):
        raise KeyboardInterrupt


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def _disk(into: Path) -> Generator[None, None, None]:
    """What goes wrong with the disk as a WriteError, so that it is not taken for damage."""
    try:
        yield
    except OSError as error:
        raise _no_place(into, error) from None


def _no_place(folder: Path, error: OSError) -> WriteError:
    return WriteError(f"{folder}: there must be room to unpack an archive to; this cannot be written "
                      f"({error.strerror or error}): make room, or choose another place (set PARTIMENTO_CACHE for what "
                      "is kept by itself)")


def _bomb(path: Path, most: int) -> ReadError:
    return ReadError(f"{path}: an archive must unpack to a sane size; this one grows beyond {most:,} bytes, "
                     f"{MAX_RATIO} times its own size")


def _short(said: object) -> str:
    return " ".join(str(said).split())[:80] or type(said).__name__
