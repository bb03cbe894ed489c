"""Scores put away as bytes: a little in memory, the rest in a temporary file, so that memory does not grow."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import weakref
import zlib

from partimento import packing
from partimento.data import cache
from partimento.errors import ReadError
from partimento.score import Score

BYTES_IN_MEMORY = 16 << 20          # some 3 million notes at 3 to 6 bytes each; beyond, the disk is as quick


def squeeze(score: Score) -> bytes:
    """The bytes of a Score as a `Shelf` takes them, without `extras`.

    >>> len(squeeze(Score())) > 0
    True
    """
    return zlib.compress(packing.pack(score, extras=False), 1)


def loosen(data: bytes) -> Score:
    """The Score that `squeeze` made bytes of.

    >>> loosen(squeeze(Score())) == Score()
    True
    """
    return packing.unpack(zlib.decompress(data))


class Shelf:
    """Scores by name, as bytes: up to `limit` bytes stay in memory, all of them in a temporary file beyond that.

    The file is gone when the Shelf is. Several threads may use it at a time.

    >>> shelf = Shelf()
    >>> shelf.put("one", squeeze(Score(onset=[0], duration=[1], pitch=[60], velocity=[80], track=[0])))
    >>> shelf.get("one").pitch.tolist(), "two" in shelf
    ([60], False)
    """

    def __init__(self, limit: int = BYTES_IN_MEMORY) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=limit, dir=_folder())       # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._places: dict[str, tuple[int, int]] = {}
        self._end = 0
        self._lock = threading.Lock()

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def put(self, name: str, data: bytes) -> None:
        """Keep what `squeeze` gave under `name`; what stands there already stays. ReadError where the disk is full."""
        if name in self._places:
            return
        try:
            with self._lock:
                self._file.seek(self._end)
                self._file.write(data)
                self._places[name] = (self._end, len(data))
                self._end += len(data)
        except OSError as error:
            raise ReadError(f"there must be room on the disk for the scores of a corpus, {self._end + len(data):,} "
                            f"bytes so far in {_folder() or tempfile.gettempdir()}; there is not "
                            f"({error.strerror or error}): make room, or set PARTIMENTO_CACHE to another folder"
                            ) from None

    def get(self, name: str) -> Score:
        """The Score put away under `name`; KeyError where there is none."""
        place, size = self._places[name]
        with self._lock:
            self._file.seek(place)
            data = self._file.read(size)
        return loosen(data)


def _folder() -> str | None:
    """The user's cache folder, which is on a disk (the system's temporary folder is often memory); else None."""
    place = cache.root()
    with contextlib.suppress(OSError):
        place.mkdir(parents=True, exist_ok=True)
        return str(place)
    return None
