"""Which pieces are melodically the same: shared grams find the candidates, runs of grams in one order decide."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.fingerprint.grams import Grams
from partimento.fingerprint.melodyprint import MelodyPrint

ALIKE = 0.5             # from this likeness on two pieces are the same
ALIKE_DRUMS = 0.6
GAP = 12                # steps from one agreeing gram to the next in one run
OCCURRENCES = 8         # of one gram in one piece that are looked at
LOOKED_AT = 30_000      # entries of the index, those of the rarest grams of a piece, in which its candidates are sought
NEARLY = 0.5            # of the weight that two alike pieces share, what a candidate must share
MOST = 40               # candidates of one piece, those that share most
KEPT = 1024             # prints whose grams are kept at hand

# Fitted on one half of the verdict-A sets; bench/tables/duplicates.py says what was seen of the other.
RUN = 3                 # agreeing grams that make a run
RUN_DRUMS = 2
FULL = 0.15             # of the weight of a piece: a copy with ornaments, slips and cuts may keep no more of its grams
FULL_DRUMS = 1.0
ENOUGH = 3.0            # of weight that two pieces of one size must share, more where one is longer
ENOUGH_DRUMS = 32.0

_PIECE = np.uint64((1 << 24) - 1)       # the place of a piece's index in an entry of the index, below the hash
_Table = npt.NDArray[np.uint64]


class Likeness(NamedTuple):
    """Two pieces by their indices, first < second, and the share (0..1) of the shorter one that agrees."""

    first: int
    second: int
    share: float


def likeness(a: MelodyPrint, b: MelodyPrint) -> float:
    """The share (0..1) of a melody of the shorter piece that stands in the other one too, note after note.

    Runs of notes that agree are counted with the gaps of a few notes in them, on the line of the shorter piece where
    they cover most. The share is less where the grams in all those runs say little: under 15 % of what the shorter
    piece says (of drums: all of it), each gram counted once and by how much it says. And it counts for nothing much
    where they are few beside the length of the longer piece, since a few common turns stand in every long piece.
    From 0.5 on, of drums from 0.6 on, two pieces are the same.

    >>> from partimento.fingerprint import melody_print
    >>> from partimento.score import Score
    >>> pitch = [60, 64, 62, 67, 65, 59, 60, 57, 62, 55, 59, 60, 67, 64, 69, 62, 60]
    >>> n = len(pitch)
    >>> tune = Score(onset=range(0, n * 480, 480), duration=[480] * n, pitch=pitch, velocity=[80] * n, track=[0] * n)
    >>> likeness(melody_print(tune), melody_print(tune.replace(pitch=tune.pitch + 3, ticks_per_quarter=96)))
    1.0
    >>> likeness(melody_print(tune), melody_print(tune.replace(pitch=tune.pitch[::-1])))
    0.0
    """
    return _agreement(a.grams(), b.grams())


def near_duplicates(prints: Sequence[MelodyPrint]) -> list[Likeness]:
    """The pairs of prints that are melodically the same piece, in order of their indices.

    Where a piece stands there more than 40 times, not every pair is listed, but each copy with copies before it.

    >>> from partimento.fingerprint import melody_print
    >>> from partimento.score import Score
    >>> near_duplicates([melody_print(Score())] * 2)
    []
    """
    table, totals = _index(prints)
    grams = lru_cache(KEPT)(lambda i: prints[i].grams())
    found = []
    for second in range(len(prints)):
        own = grams(second)
        for first in _candidates(table, totals, own, second):
            share = _agreement(grams(first), own)
            if share >= (ALIKE_DRUMS if own.drums else ALIKE):
                found.append(Likeness(first, second, share))
    return sorted(found)


def same_as(prints: Sequence[MelodyPrint], listed: Sequence[MelodyPrint]) -> list[int | None]:
    """For each print the index of the listed print that it is most like, where the two are the same piece, or None.

    >>> from partimento.fingerprint import melody_print
    >>> from partimento.score import Score
    >>> same_as([melody_print(Score())], [])
    [None]
    """
    table, totals = _index(listed)
    grams = lru_cache(KEPT)(lambda i: listed[i].grams())
    found: list[int | None] = []
    for one in prints:
        own = one.grams()
        shares = [(_agreement(grams(i), own), -i) for i in _candidates(table, totals, own, len(listed))]
        share, best = max(shares, default=(0.0, 0))
        found.append(-best if share >= (ALIKE_DRUMS if own.drums else ALIKE) else None)
    return found


def _index(prints: Sequence[MelodyPrint]) -> tuple[_Table, npt.NDArray[np.float64]]:
    """Every gram of every print once, sorted: the upper bits of its hash, the print's index below. And the totals."""
    entries, totals = [np.zeros(0, np.uint64)], np.zeros(len(prints))
    for i, one in enumerate(prints):
        grams = one.grams()
        entries.append((grams.key[grams.once()] & ~_PIECE) | np.uint64(i))
        totals[i] = grams.total
    table = np.concatenate(entries)
    table.sort()
    return table, totals


def _candidates(table: _Table, totals: npt.NDArray[np.float64], own: Grams, before: int) -> list[int]:
    """The indexed pieces before one index that share so much with a piece that they are worth a closer look."""
    once = own.once()
    key, weight = own.key[once] & ~_PIECE, own.weight[once]
    low, high = np.searchsorted(table, key), np.searchsorted(table, key | np.uint64(before))
    count = high - low
    order = np.argsort(count, kind="stable")
    order = order[:max(1, int(np.searchsorted(np.cumsum(count[order]), LOOKED_AT, side="right")))]
    low, count, weight = low[order], count[order], weight[order]
    entry = np.arange(count.sum()) + np.repeat(low - np.cumsum(count) + count, count)
    piece = (table[entry] & _PIECE).astype(np.int64)
    shared = np.bincount(piece, np.repeat(weight, count))
    full, run = (FULL_DRUMS, RUN_DRUMS) if own.drums else (FULL, RUN)
    seen = min(1.0, float(weight.sum()) / own.total) if own.total else 0.0
    least = NEARLY * ALIKE * full * seen * np.minimum(totals[:len(shared)], own.total)
    found = np.flatnonzero((shared > 0) & (shared >= least) & (np.bincount(piece) >= run))
    best = np.argsort(-shared[found], kind="stable")[:MOST]
    return [int(i) for i in found[best]]


def _agreement(x: Grams, y: Grams) -> float:
    """What `likeness` says, of the grams of two prints."""
    if x.drums != y.drums:
        return 0.0
    if x.total > y.total:
        x, y = y, x
    low, high = np.searchsorted(y.key, x.key, "left"), np.searchsorted(y.key, x.key, "right")
    count = np.minimum(high - low, OCCURRENCES)
    mine = np.repeat(np.arange(len(x.key)), count)
    if not len(mine) or not x.total:
        return 0.0
    theirs = np.arange(len(mine)) + np.repeat(low - np.cumsum(count) + count, count)
    place = x.place[mine].astype(np.int64)
    shift = y.place[theirs] - place
    order = np.argsort((shift << 32) + place, kind="stable")
    mine, place, shift = mine[order], place[order], shift[order]
    first = np.flatnonzero((np.diff(shift, prepend=shift[0] - 1) != 0) | (np.diff(place, prepend=place[0]) > GAP))
    size = np.diff(np.append(first, len(mine)))
    run, full, enough = (RUN_DRUMS, FULL_DRUMS, ENOUGH_DRUMS) if x.drums else (RUN, FULL, ENOUGH)
    whole = size >= run

    agreeing = np.unique(mine[np.repeat(whole, size)])
    _, once = np.unique(x.key[agreeing], return_index=True)
    weight = float(x.weight[agreeing[once]].sum())
    of = x.total if weight >= enough * np.sqrt(y.total / x.total) else y.total

    length = int(max(place.max() + x.steps, x.ends[-1])) + 1
    opened = np.bincount(place[first[whole]], minlength=length)
    closed = np.bincount(place[(first + size - 1)[whole]] + x.steps, minlength=length)
    inside = np.append(0, np.cumsum(np.cumsum(opened - closed) > 0))
    covered = float(((inside[x.ends] - inside[x.begins]) / (x.ends - x.begins)).max())
    return round(min(covered, weight / of / full), 4)
