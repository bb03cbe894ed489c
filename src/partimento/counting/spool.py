"""Columns that grow longer than memory should hold: kept in memory while they are short, in a file that is no more than
theirs when they are long."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

import numpy as np
import numpy.typing as npt

Shorts = npt.NDArray[np.int16]

IN_MEMORY = 128 << 20      # bytes, of one spool
BLOCK = 1 << 16            # rows that are written at a time


class Spool(Mapping[str, Shorts]):
    """Named int16 columns, to which rows are added; a column is had whole, one at a time.

    Beyond IN_MEMORY bytes rows stand in a temporary file without a name, which ends with this object.

    >>> spool = Spool(["a", "b"])
    >>> spool.add({"a": np.array([1, 2]), "b": np.array([3, 4])})
    >>> spool["b"].tolist(), len(spool), spool.rows
    ([3, 4], 2, 2)
    """

    def __init__(self, names: Sequence[str], in_memory: int = IN_MEMORY) -> None:
        self.names, self.rows = tuple(names), 0
        self._place = {name: i for i, name in enumerate(self.names)}
        self._room = in_memory
        self._parts: list[Shorts] = []              # int16[columns, rows] each
        self._waiting = 0
        self._file: IO[bytes] | None = None
        self._blocks: list[tuple[int, int]] = []    # where in the file, in bytes, and how many rows

    def add(self, columns: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Take rows: one array a name, all of one length."""
        part = np.stack([np.asarray(columns[name]).astype(np.int16) for name in self.names])
        self._parts.append(part)
        self.rows += part.shape[1]
        self._waiting += part.shape[1]
        if self._waiting >= BLOCK and self.rows * 2 * len(self.names) > self._room:
            self._write()

    def _write(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as this object is)
        block = np.concatenate(self._parts, axis=1)
        self._blocks.append((self._file.tell(), block.shape[1]))
        self._file.write(block.tobytes())
        self._parts, self._waiting = [], 0

    def __getitem__(self, name: str) -> Shorts:
        place, out = self._place[name], np.empty(self.rows, np.int16)
        row = 0
        for start, length in self._blocks:
            assert self._file is not None
            self._file.seek(start + 2 * place * length)
            out[row:row + length] = np.frombuffer(self._file.read(2 * length), np.int16)
            row += length
        for part in self._parts:
            out[row:row + part.shape[1]] = part[place]
            row += part.shape[1]
        if self._file is not None:
            self._file.seek(0, 2)
        return out

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def clear(self) -> None:
        """Forget all rows and let the file go."""
        if self._file is not None:
            self._file.close()
        self.__init__(self.names, self._room)  # type: ignore[misc]
