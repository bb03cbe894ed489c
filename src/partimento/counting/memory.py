"""A line's memory: what came after the last few symbols when they last came, and the notes that threads lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MISSING = -1              # a symbol or a column where there is nothing (before the first note, nothing sounds)
MEMORY = ("echo", "match")
THREADS = ("ofpiece", "ofphrase", "ofbar", "strong1", "strong2", "downbeat", "ending", "entry")
OWN = MEMORY + THREADS    # columns that say something of the line's own earlier symbols
MATCHES = (1, 2, 3, 4, 6, 8, 12, 16)   # lengths of match told apart; `match` is 0 for none, else 1 + the index here


def echoes(symbols: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """What a line's memory says before each of its symbols: `echo` and `match` (int64[n] each).

    One symbol said over and over is no match longer than itself: a line must not fall asleep on a note.

    >>> [column.tolist() for column in echoes(np.array([5, 6, 7, 5, 6, 7]))]
    [[-1, -1, -1, -1, 6, 7], [0, 0, 0, 0, 1, 2]]
    """
    symbols = np.asarray(symbols, np.int64)
    n = len(symbols)
    echo, match = np.full(n, MISSING, np.int64), np.zeros(n, np.int64)
    grams: dict[int, Ints] = {}
    place = np.arange(n)
    begin = np.maximum.accumulate(np.where(np.append(True, symbols[1:] != symbols[:-1])[:n], place, 0))
    run = place - begin + 1
    for k, length in enumerate(MATCHES):
        if length >= n:
            break
        if length == 1:
            ids = symbols
        else:
            longer = max(done for done in grams if done < length)
            ids = np.unique(grams[longer][:n - length + 1] * (n + 1000) + grams[length - longer][longer:],
                            return_inverse=True)[1]
        grams[length] = ids
        order = np.argsort(ids, kind="stable")
        same = ids[order][1:] == ids[order][:-1]
        later, earlier = order[1:][same] + length, order[:-1][same] + length   # the places after the grams
        inside = later < n
        inside[inside] = (run[later[inside] - 1] < length) | (length == 1)
        echo[later[inside]], match[later[inside]] = symbols[earlier[inside]], k + 1
    return echo, match


def threaded(symbols: npt.NDArray[Any], which: Mapping[str, npt.NDArray[Any]]) -> dict[str, Ints]:
    """The symbols that earlier places of a line have, a column a thread: `which` says the place, −1 for none.

    >>> threaded(np.array([60, 62, 64]), {"ofpiece": np.array([-1, 0, 0])})["ofpiece"].tolist()
    [-1, 60, 60]
    """
    symbols = np.append(np.asarray(symbols, np.int64), MISSING)
    return {name: symbols[np.asarray(place, np.int64)] for name, place in which.items()}


class Memory:
    """A line's memory while it is being written: tell it each symbol, ask what came last time."""

    def __init__(self, symbols: Sequence[int] = ()) -> None:
        self.symbols: list[int] = []
        self._after: list[dict[tuple[int, ...], int]] = [{} for _ in MATCHES]
        for symbol in symbols:
            self.tell(symbol)

    def copy(self) -> Memory:
        """Another that remembers the same."""
        out = Memory()
        out.symbols, out._after = list(self.symbols), [dict(after) for after in self._after]
        return out

    def tell(self, symbol: int) -> None:
        """Take the next symbol."""
        for length, after in zip(MATCHES, self._after, strict=True):
            if len(self.symbols) < length:
                break
            after[tuple(self.symbols[-length:])] = symbol
        self.symbols.append(symbol)

    def recall(self) -> dict[str, int]:
        """The columns `echo` and `match` before the next symbol.

        >>> Memory([5, 6, 7, 5, 6]).recall()
        {'echo': 7, 'match': 2}
        """
        for k in range(len(MATCHES) - 1, -1, -1):
            if len(self.symbols) >= MATCHES[k]:
                gram = tuple(self.symbols[-MATCHES[k]:])
                found = self._after[k].get(gram) if k == 0 or len(set(gram)) > 1 else None
                if found is not None:
                    return {"echo": found, "match": k + 1}
        return {"echo": MISSING, "match": 0}
