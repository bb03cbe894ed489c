"""What slow readers gave, kept beside the user's other caches, so that a folder of scores is parsed once."""

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

READERS = 1                         # counted up when a reader of notation reads something otherwise than before
_SIZE = struct.Struct("<I")


def folder() -> Path:
    """Where read Scores are kept: ``PARTIMENTO_CACHE``, else the user's cache folder; nothing else is there."""
    if said := os.environ.get("PARTIMENTO_CACHE"):
        return Path(said)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "partimento" / "scores"


def load(sha256: str) -> tuple[dict[str, Any], Score] | None:
    """What was kept for a file of that hash by these readers, or None; a damaged entry is as none."""
    try:
        data = _place(sha256).read_bytes()
        (size,) = _SIZE.unpack_from(data)
        head = json.loads(data[_SIZE.size:_SIZE.size + size])
        return head, packing.unpack(zlib.decompress(data[_SIZE.size + size:]))
    except (OSError, ValueError, KeyError, TypeError, struct.error, zlib.error):
        return None


def save(sha256: str, head: Mapping[str, Any], score: Score) -> None:
    """Keep a Score and words about it; where the folder cannot be written, nothing is kept and nothing said."""
    words = json.dumps(head).encode()
    body = zlib.compress(packing.pack(score, extras=False), 1)
    with contextlib.suppress(WriteError):
        write_bytes(_place(sha256), _SIZE.pack(len(words)) + words + body, parents=True)


def _place(sha256: str) -> Path:
    return folder() / f"{__version__}-{READERS}" / sha256[:2] / f"{sha256[2:]}.score"
