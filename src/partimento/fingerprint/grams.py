"""Runs of a few steps of the lines of a print, each as one hashed number with how much it says."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.fingerprint.lines import RATIOS, Symbols

STEPS = 6               # steps in a gram: seven notes
DRUM_STEPS = 3          # the same of drums: four moments
MAIN = 0.2              # a line has much to say that has this share of what the richest melody of its piece has

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


class Grams(NamedTuple):
    """The grams of a print, sorted by `key`, then by `place`.

    `key` (uint64[n]) is the hash, `place` (int32[n]) where the gram begins among the steps of the print, `weight`
    (float32[n], 0..1) how much it says. `total` is the weight of all grams, each counted once. `begins` and `ends`
    (int32[lines]) say where among the steps those lines stand that may be the melody and have much to say.
    """

    key: npt.NDArray[np.uint64]
    place: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float32]
    total: float
    begins: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    drums: bool

    @property
    def steps(self) -> int:
        """How many steps a gram has."""
        return DRUM_STEPS if self.drums else STEPS

    def once(self) -> npt.NDArray[np.bool_]:
        """Which grams (bool[n]) are the first of their hash."""
        return np.append(True, self.key[1:] != self.key[:-1])[:len(self.key)]


def grams_of(symbols: Symbols, ends: npt.NDArray[np.int32], melodies: int, drums: bool = False) -> Grams:
    """The grams of the lines that stand one after another in `symbols` and end at `ends`.

    A gram is `STEPS` steps of one line (`DRUM_STEPS` of drums); the time before its first note does not count. The
    first `melodies` lines may be the melody.
    """
    steps = DRUM_STEPS if drums else STEPS
    place = np.arange(max(len(symbols) - steps + 1, 0), dtype=np.int32)
    line = np.searchsorted(ends, place, side="right")
    whole = place + steps <= ends[line]
    place, line = place[whole], line[whole]
    windows = symbols[place[:, None] + np.arange(steps, dtype=np.int32)]
    windows[:, 0] -= windows[:, 0] % RATIOS
    key = np.full(len(place), np.uint64(drums), np.uint64)
    for i in range(steps):
        key = (key ^ windows[:, i]) * _FACTOR
        key ^= key >> _SHIFT
    order = np.argsort(key, kind="stable")
    weight = np.ones(len(key), np.float32) if drums else _variety(windows // RATIOS)
    said = np.bincount(line, weight, minlength=len(ends))
    main = (said >= MAIN * said[:melodies].max(initial=0.0)) & (np.arange(len(ends)) < melodies)
    grams = Grams(key[order], place[order], weight[order], 0.0, np.append(0, ends[:-1])[main].astype(np.int32),
                  ends[main], drums)
    return grams._replace(total=float(grams.weight[grams.once()].sum()))


def _variety(intervals: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """How much each gram says: 0 where its intervals are all one, as in a chromatic scale, 1 where none comes twice.

    The square of the share of intervals that are new: scales and broken chords, which are everywhere, say little.
    """
    ordered = np.sort(intervals, axis=1)
    new = (ordered[:, 1:] != ordered[:, :-1]).sum(1, dtype=np.float32)
    return np.asarray((new / (intervals.shape[1] - 1)) ** 2, np.float32)
