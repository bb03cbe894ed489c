"""What was worked out of files, kept beside the user's other caches by sha256, so that each is read once."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from partimento import __version__, packing
from partimento.errors import WriteError
from partimento.formats.files import write_bytes
from partimento.score import Score

READERS = 1                         # counted up when a reader reads something otherwise than before
PRINTS = 1                          # counted up when a melody print is made otherwise than before
_SIZE = struct.Struct("<I")


def root() -> Path:
    """Where everything kept is: ``PARTIMENTO_CACHE``, else the user's cache folder; it may be deleted."""
    if said := os.environ.get("PARTIMENTO_CACHE"):
        return Path(said)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "partimento"


def folder() -> Path:
    """Where read Scores are kept, and what was made of them."""
    return root() / "scores"


def load(sha256: str) -> tuple[dict[str, Any], Score] | None:
    """What was kept for a file of that hash by these readers, or None; a damaged entry is as none."""
    try:
        data = _place(sha256, "score").read_bytes()
        (size,) = _SIZE.unpack_from(data)
        head = json.loads(data[_SIZE.size:_SIZE.size + size])
        return head, packing.unpack(zlib.decompress(data[_SIZE.size + size:]))
    except (OSError, ValueError, KeyError, TypeError, struct.error, zlib.error):
        return None


def save(sha256: str, head: Mapping[str, Any], score: Score) -> None:
    """Keep a Score and words about it; where the folder cannot be written, nothing is kept and nothing said."""
    words = json.dumps(head).encode()
    body = zlib.compress(packing.pack(score, extras=False), 1)
    save_bytes(sha256, "score", _SIZE.pack(len(words)) + words + body)


def load_bytes(sha256: str, kind: str) -> bytes | None:
    """What `save_bytes` kept for a file of that hash, or None."""
    try:
        return _place(sha256, kind).read_bytes()
    except OSError:
        return None


def save_bytes(sha256: str, kind: str, data: bytes) -> None:
    """Keep bytes of a kind (a word, such as ``print1``) for a file of that hash; nothing where that cannot be."""
    with contextlib.suppress(WriteError):
        write_bytes(_place(sha256, kind), data, parents=True)


def _place(sha256: str, kind: str) -> Path:
    return folder() / f"{__version__}-{READERS}" / sha256[:2] / f"{sha256[2:]}.{kind}"
