"""Files in and out whole: bytes read with a clear error, bytes written beside and renamed into place."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from partimento.errors import ReadError, WriteError

MAX_BYTES = 1 << 30


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a file; ReadError in one sentence when it is absent, closed, a folder, or over 1 GiB."""
    place = Path(path)
    try:
        if place.is_dir():
            raise ReadError(f"{place}: a file of music must be given; this is a folder")
        size = place.stat().st_size
        if size > MAX_BYTES:
            raise ReadError(f"{place}: a file of music must be under 1 GiB; this one has {size:,} bytes")
        return place.read_bytes()
    except FileNotFoundError:
        raise ReadError(f"{place}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise ReadError(f"{place}: the file cannot be opened ({_why(error)})") from None


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file whole or not at all: the bytes go beside it, then are renamed into place.

    WriteError in one sentence when the folder is absent, the target is read-only or the disk is full; what stood
    there before is then untouched.
    """
    place = Path(path)
    try:
        if place.is_dir():
            raise WriteError(f"{place}: a file must be named; this is a folder")
        if place.exists() and not place.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
            raise WriteError(f"{place}: the file is read-only and was left as it is; choose another name")
        if not place.parent.is_dir():
            raise WriteError(f"{place}: the folder {place.parent} does not exist; make it first")
        beside = place.with_name(f".{place.name[:100]}.{os.getpid()}.part")
        try:
            with open(beside, "wb") as file:
                file.write(data)
            os.replace(beside, place)
        finally:
            beside.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise WriteError(f"{place}: the file cannot be written ({_why(error)}); nothing was changed") from None


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
