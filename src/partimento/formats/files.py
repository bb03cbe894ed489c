"""Files in and out whole: bytes read with a clear error, written beside and renamed into place. Every writer's room."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from partimento.errors import ReadError, WriteError

MAX_BYTES = 1 << 30


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a file; ReadError in one sentence when it is absent, closed, no plain file, or over 1 GiB."""
    place = Path(path)
    try:
        if place.is_dir():
            raise ReadError(f"{place}: a file of music must be given; this is a folder")
        if place.exists() and not place.is_file():
            raise ReadError(f"{place}: a file of music must be a plain file; this is a device or a pipe: save it first")
        size = place.stat().st_size
        if size > MAX_BYTES:
            raise ReadError(f"{place}: a file of music must be under 1 GiB; this one has {size:,} bytes")
        return place.read_bytes()
    except FileNotFoundError:
        raise ReadError(f"{place}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise ReadError(f"{place}: the file cannot be opened ({_why(error)})") from None


def write_bytes(path: str | os.PathLike[str], data: bytes, *, parents: bool = False) -> None:
    """Write a file whole or not at all: the bytes go beside it, then are renamed into place.

    With `parents` its folder is made first. WriteError in one sentence when the folder is absent, the target is
    read-only or the disk is full; what stood there before is then untouched.
    """
    with _beside(path, parents) as (place, beside):
        with open(beside, "wb") as file:
            file.write(data)
        os.replace(beside, place)


def check_target(path: str | os.PathLike[str], *, parents: bool = False) -> None:
    """Raise now, before long work, the WriteError that `write_bytes` would raise after it."""
    with _beside(path, parents) as (_, beside), open(beside, "wb"):
        pass


def make_folder(folder: str | os.PathLike[str]) -> Path:
    """Return the folder, made where it was not there, and those above it; WriteError where it cannot be."""
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise WriteError(f"{place}: the target must be a folder that can be written; it cannot be made "
                         f"({_why(error)}): choose another place") from None
    return place


@contextlib.contextmanager
def _beside(path: str | os.PathLike[str], parents: bool) -> Iterator[tuple[Path, Path]]:
    """The target, and a name beside it to write to, which is gone afterwards; every failure as a WriteError."""
    place = Path(path)
    beside = None
    try:
        if place.is_dir():
            raise WriteError(f"{place}: the target must be a file; this is a folder: name a file in it")
        if place.exists() and not place.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
            raise WriteError(f"{place}: the target must be a file that may be changed; this one is read-only and was "
                             "left as it is: choose another name")
        if parents:
            make_folder(place.parent)
        elif not place.parent.is_dir():
            raise WriteError(f"{place}: the target must be in a folder that exists; there is no folder "
                             f"{place.parent}: make it first")
        beside = place.with_name(f".{place.name[:100]}.{os.getpid()}.part")
        yield place, beside
    except (OSError, ValueError) as error:
        raise WriteError(f"{place}: the target must be a file that can be written; it cannot ({_why(error)}), and "
                         "what was there is untouched: choose another place, or make room") from None
    finally:
        if beside is not None:
            with contextlib.suppress(OSError, ValueError):
                beside.unlink(missing_ok=True)


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
