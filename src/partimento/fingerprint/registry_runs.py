"""Runs of a melody long and rare enough to be known again, and the few of a piece that go into a registry."""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np
import numpy.typing as npt

from partimento.fingerprint.lines import RATIOS, WIDEST, PlacedLine, Symbols

# Fitted on one half of open_hymnal, nottingham, chorale_melodies and openscore_lieder; bench/tables/registry.py tests
# on the other. They are part of the file's version: another number here is another version there.
RUN_STEPS = 10          # steps in a run: eleven notes
SAYS = 39.0             # bits that a run must say, by the tables below
APART = 2               # steps at least between two runs of one line
LOOK = 4                # places among which the run that says most is taken
OVERLAP = 6             # steps in a row that no two runs may share

# How rare a step of a melody is, in bits: by its semitones up or down, and by its time ratio after the one before.
# Counted on mutopia_midi, openscore_lieder, openscore_quartets and open_hymnal, one half of each; at most 6.
_LEAP = np.array([0, 3.5, 2.8, 4.0, 4.7, 4.6, 6.0, 5.4, *[6.0] * 4, 5.9, *[6.0] * (WIDEST - 12)])
_TIME = np.array([[3.4, 0.8, 1.6], [3.8, 0.4, 2.5], [0.6, 2.0, 3.4]])
_FIRST_TIME = 1.3
_STEP = 2               # semitones; more is a leap
_LEAPS = 2.0            # what a leap after a leap says at most: broken chords are everywhere


def runs_of(symbols: Symbols) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.intp]]:
    """The runs of a line that say enough (uint8[k, 10], a step each), and the step at which each begins (int[k]).

    The time before the second note of a run does not count, so that a run is the same wherever it stands.

    >>> runs_of(np.full(12, 3 * 42 + 1, np.uint8))[1].tolist()          # a whole-tone scale says nothing new
    []
    """
    if len(symbols) < RUN_STEPS:
        return np.zeros((0, RUN_STEPS), np.uint8), np.zeros(0, np.intp)
    runs = np.lib.stride_tricks.sliding_window_view(symbols, RUN_STEPS).copy()
    runs[:, 0] -= runs[:, 0] % RATIOS
    place = np.flatnonzero(says(runs) >= SAYS)
    return runs[place], place


def says(runs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """How many bits each run says (float64[n]): the rarity of its steps.

    A leap after a leap says little, for broken chords are everywhere; two steps that came in the run before, nothing.

    >>> runs = (3 * (np.array([[2, -1, 3, -5, 4, 1, -2, 7, -3, 2], [2] * 10]) + WIDEST) + 1).astype(np.uint8)
    >>> runs[:, 0] -= 1
    >>> says(runs).round(1).tolist()
    [35.3, 6.9]
    """
    leap, time = np.abs(runs // RATIOS - np.int64(WIDEST)), runs % RATIOS
    bits = _LEAP[leap]
    bits[:, 1:][(leap[:, 1:] > _STEP) & (leap[:, :-1] > _STEP)] = _LEAPS
    bits[:, 1] += _FIRST_TIME
    bits[:, 2:] += _TIME[time[:, 1:-1], time[:, 2:]]
    pairs = runs[:, :-1].astype(np.int64) * 256 + runs[:, 1:]
    pairs[:, 0] += 256                                      # the first step has no ratio: it counts as an even one
    order = np.argsort(pairs, axis=1, kind="stable")
    ordered = np.take_along_axis(pairs, order, 1)
    known = np.zeros(pairs.shape, bool)
    np.put_along_axis(known, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], 1)
    bits[:, 1:][known] = 0
    return np.asarray(bits.sum(axis=1), np.float64)


def chosen_runs(lines: Sequence[PlacedLine], taken: set[bytes], held: Set[bytes] = frozenset()) -> list[bytes]:
    """The runs of a piece that go into a registry, few and far apart: 10 bytes each.

    Line by line, those of single tracks and staves first, which sing: of the next places at which a run
    says enough, the one that says most; then on from two steps after its end. No six steps in a row that touch a run
    stand in another one, of all pieces that share the set `taken`, which is added to; and no run has six notes that
    stand in earlier ones of its piece: so none leads to another. Runs that are `held` are taken as chosen before.
    """
    kept: list[bytes] = []
    used: set[tuple[int, int]] = set()
    found = [_Chooser(line, taken, used) for line in sorted(lines, key=lambda line: line.whole)]
    for line in found:
        line.take_held(held)
    for line in found:
        kept += line.choose()
    return kept


class _Chooser:
    """The runs of one line, what they say, and the notes and the steps in a row that they have."""

    def __init__(self, line: PlacedLine, taken: set[bytes], used: set[tuple[int, int]]) -> None:
        self._runs, self._place = runs_of(line.symbols)
        self._taken, self._used = taken, used
        notes = list(zip(line.begin.tolist(), line.pitch.tolist(), strict=True))
        self._notes = [set(notes[k:k + RUN_STEPS + 1]) for k in self._place]
        parts = np.lib.stride_tricks.sliding_window_view(line.symbols, OVERLAP).copy() if len(self._place) else \
            np.zeros((0, OVERLAP), np.uint8)
        parts[:, 0] -= parts[:, 0] % RATIOS
        self._parts = [part.tobytes() for part in parts]

    def take_held(self, held: Set[bytes]) -> None:
        for i, run in enumerate(self._runs):
            if run.tobytes() in held:
                self._take(i)

    def choose(self) -> list[bytes]:
        kept = []
        bits = says(self._runs)
        i, n = 0, len(self._place)
        while i < n:
            near = [k for k in range(i, min(i + LOOK, n)) if self._place[k] < self._place[i] + LOOK and self._free(k)]
            if near:
                best = max(near, key=lambda k: float(bits[k]))
                kept.append(self._runs[best].tobytes())
                self._take(best)
                i = int(np.searchsorted(self._place, self._place[best] + RUN_STEPS + APART))
            else:
                i += 1
        return kept

    def _free(self, i: int) -> bool:
        place = self._place[i]
        return len(self._notes[i] & self._used) < OVERLAP and self._taken.isdisjoint(
            self._parts[place:place + RUN_STEPS - OVERLAP + 1])

    def _take(self, i: int) -> None:
        place = self._place[i]
        self._taken.update(self._parts[max(0, place - OVERLAP + 1):place + RUN_STEPS])
        self._used |= self._notes[i]
