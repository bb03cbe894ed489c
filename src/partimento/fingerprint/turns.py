"""Turns of a few notes of a piece: where they stand in an index, and how much each note says by them.

A turn is a note and the steps to those that follow it, as many as make it rare; ornaments may stand between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.fingerprint.index import STOP, STRIDE, SYMBOLS, Index, keys_at
from partimento.fingerprint.passages import DRUM, FEWEST, Thread

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LENGTHS = (3, 4, 5, 6, 8, 11, SYMBOLS)    # steps of a turn: as many as make it rare enough
COMMON = 400            # places of a turn; one that has more even at its longest is not followed
COMMON_SHORT = 700      # the same of a plain turn of three steps
COMMON_SKIPPED = 100    # the same of a turn with a note left out
FEW_TIMES = 8           # a turn that the piece has so often may have as many times fewer places
SKIPS = 4               # the first to the fourth note after the first of a turn may be left out: an ornament
LEAST_BITS = 0.3        # what any note says
PRIOR = 50_000          # turns of music at large that count beside those of the index: a small one can judge too
# Of the steps of strands in 1,000 pieces of four sets, by semitones modulo the octave; 12 to 15 stand for no step.
STEPS = np.array([58, 77, 135, 84, 58, 109, 15, 95, 59, 86, 147, 77, 1, 1, 1, 1]) / 1000
SCALE = 1 / 250         # of turns are four whole or half tones up, as many are down
RHYTHM = 1.2            # bits more that a note says where the time turns from shorter to longer or back
LONGER = 2 ** 0.5       # times as long
AGAIN = 0.1             # of what a turn says, where the strand had it
ALIKE = 0.5             # the same where it had one of the same steps, thirds and leaps
NOT_LONG_AGO = 64       # notes before
TURN = np.uint64(4 * (SYMBOLS - FEWEST + 1))    # bits of a key beyond its first four steps


class Query(NamedTuple):
    """The strands of a piece one after another, each closed as in the index; `weight` (bits) is what each note says,
    `ending` which turn ends in it (a number below 0 of its own where none does), `shape` the same of steps, thirds and
    leaps up or down only."""

    pitch: npt.NDArray[np.uint8]
    time: Ints
    note: Ints
    usual: Floats
    strand: Ints
    first: Ints
    weight: Floats
    ending: Ints
    shape: Ints


class Turns(NamedTuple):
    """Turns of the piece: where they begin, how many notes they reach over, their steps, and how many those are."""

    place: Ints
    over: Ints
    key: npt.NDArray[np.uint64]
    length: Ints


class Hits(NamedTuple):
    """Turns that were found: where they begin in the piece and the index, what each says, and which turn it is."""

    place: Ints
    source: Ints
    vote: Floats
    turn: Ints


def turns_found(found: Sequence[Thread], index: Index) -> tuple[Query, Turns, Hits]:
    """The strands of a piece with what their notes say, their turns, and where in the index those stand."""
    query = _laid(found)
    turns = _turns(query)
    query = _with_shapes(query, turns)
    query, hits = _looked_up(query, turns, index)
    return query, turns, hits


def _laid(found: Sequence[Thread]) -> Query:
    def closed(name: str, stop: int) -> npt.NDArray[np.generic]:
        return np.concatenate([part for strand in found for part in (getattr(strand, name), [stop])])

    size = [len(strand.note) + 1 for strand in found]
    return Query(closed("pitch", STOP).astype(np.uint8), closed("time", 1 << 40).astype(np.int64),
                  closed("note", -1).astype(np.int64), closed("usual", 1).astype(np.float64),
                  np.repeat(np.arange(len(found)), size), np.append(0, np.cumsum(size)), np.zeros(0),
                  -1 - np.arange(sum(size)), -1 - np.arange(sum(size)))


def _turns(query: Query) -> Turns:
    """The turns that begin at each note: the notes as they follow, and with one of them left out."""
    steps = np.arange(SYMBOLS + 1)
    kinds = np.stack([steps, *(steps + (steps >= skip) for skip in range(1, SKIPS + 1))])
    rows = np.arange(len(query.pitch))[:, None, None] + kinds[None]                     # [notes, kinds, steps]
    end = query.first[1:][query.strand][:, None, None]
    pitch = np.where(rows < end, query.pitch[np.minimum(rows, len(query.pitch) - 1)], STOP).astype(np.int16)
    drum = pitch[..., :1] >= DRUM
    alive = np.logical_and.accumulate(pitch != STOP, axis=-1)[..., 1:]
    step = np.where(drum, pitch[..., 1:] & 15, np.diff(pitch, axis=-1) % 12)
    step = np.where(alive, step, 15).astype(np.uint64)
    key = drum[..., 0].astype(np.uint64)
    for k in range(SYMBOLS):
        key = (key << np.uint64(4)) | step[..., k]
    length = alive.sum(-1)
    place, kind = np.nonzero(length >= FEWEST - 1)
    return Turns(place.astype(np.int64), np.where(kind > 0, FEWEST, FEWEST - 1), key[place, kind], length[place, kind])


def _with_shapes(query: Query, turns: Turns) -> Query:
    plain = turns.over == FEWEST - 1
    place = turns.place[plain]
    ending, shape = query.ending.copy(), query.shape.copy()
    ending[place + FEWEST - 1] = (turns.key[plain] >> TURN).astype(np.int64)
    pitch = query.pitch.astype(np.int64)
    shape[place + FEWEST - 1] = 0
    for k in range(FEWEST - 1):
        step = pitch[place + k + 1] - pitch[place + k]
        kind = np.where(pitch[place] >= DRUM, pitch[place + k], np.sign(step) * np.searchsorted((3, 5), np.abs(step)))
        kind = np.where((step > 0) & (pitch[place] < DRUM), kind + 5, kind + 2)
        shape[place + FEWEST - 1] = shape[place + FEWEST - 1] * 256 + kind
    return query._replace(ending=ending, shape=shape)


def _looked_up(query: Query, turns: Turns, index: Index) -> tuple[Query, Hits]:
    """Where the turns stand in the index, each as long as makes it rare enough; and the piece with its weights."""
    key, same, times = np.unique(turns.key, return_inverse=True, return_counts=True)
    low, high, taken, common = (np.zeros(len(key), np.int64) for _ in range(4))
    plain = turns.over == FEWEST - 1
    most, length = np.zeros(len(key), np.int64), np.zeros(len(key), np.int64)
    np.maximum.at(most, same, np.where(plain, COMMON, COMMON_SKIPPED))
    most = most // np.minimum(times, FEW_TIMES) + STRIDE
    length[same] = turns.length
    short = np.where(most > COMMON // 2, COMMON_SHORT, 0)
    left = np.arange(len(key))
    for steps in LENGTHS:
        left = left[length[left] >= steps]
        mask = np.uint64((1 << 4 * (SYMBOLS - steps)) - 1)
        least = key[left] & ~mask
        first = np.maximum(np.searchsorted(index.sample, least) - 1, 0) * STRIDE
        after = np.minimum(np.searchsorted(index.sample, least | mask, side="right") * STRIDE, len(index.places))
        if steps == FEWEST - 1:
            common[left] = after - first
        few = after - first <= (short if steps == LENGTHS[0] else most)[left]
        done = left[few]
        low[done], high[done], taken[done] = first[few], after[few], steps
        left = left[~few]
    size = high - low
    turn = np.repeat(np.arange(len(key)), size)
    entry = np.arange(len(turn)) + np.repeat(low - np.cumsum(size) + size, size)
    source = np.minimum(index.places[entry].astype(np.int64), len(index.pitch) - FEWEST)
    edge = np.flatnonzero((entry - low[turn] < STRIDE) | (high[turn] - entry <= STRIDE))    # may be of another turn
    good = np.ones(len(entry), bool)
    for steps in LENGTHS:
        some = edge[taken[turn[edge]] == steps]
        mask = ~np.uint64((1 << 4 * (SYMBOLS - steps)) - 1)
        good[some] = keys_at(index.pitch, source[some], steps) == key[turn[some]] & mask
    turn, source = turn[good], source[good]
    exact = np.bincount(turn, minlength=len(key))
    shorter = np.flatnonzero((taken < FEWEST - 1)[turn])
    whole = keys_at(index.pitch, source[shorter], FEWEST - 1) >> TURN == key[turn[shorter]] >> TURN
    count = np.where(taken == FEWEST - 1, exact, np.maximum(common - STRIDE, 1))
    few = (taken > 0) & (taken < FEWEST - 1)
    count = np.where(few, np.bincount(turn[shorter[whole]], minlength=len(key)), count)
    total = len(index.places)
    chance = PRIOR * _chance(key)
    says = np.log2((total + PRIOR) / (count + chance + 1))
    query = query._replace(weight=_weights(query, turns, plain, says[same]))
    # the places of each turn, once where several strands have it at once
    _, once = np.unique(np.stack([query.note[turns.place], same]), axis=1, return_index=True)
    own = same[once]
    begin = np.cumsum(exact) - exact
    size = exact[own]
    each = np.repeat(once, size)
    entry = np.arange(len(each)) + np.repeat(begin[own] - np.cumsum(size) + size, size)
    return query, Hits(turns.place[each], source[entry], np.log2(total / (exact + 1))[same[each]], each)


def _chance(key: npt.NDArray[np.uint64]) -> Floats:
    """How likely the first four steps of each turn are, were each drawn alone; of drums each one of eight. A piece of a
    scale is likelier than that."""
    out, up, down = np.ones(len(key)), np.ones(len(key), bool), np.ones(len(key), bool)
    drums = (key >> np.uint64(4 * SYMBOLS)) > 0
    for k in range(FEWEST - 1):
        step = (key >> np.uint64(4 * (SYMBOLS - 1 - k))) & np.uint64(15)
        out *= np.where(drums, 1 / 8, STEPS[step.astype(np.int64)])
        up &= (step == 1) | (step == 2)
        down &= (step == 10) | (step == 11)
    return np.where((up | down) & ~drums, SCALE, out)


def _weights(query: Query, turns: Turns, plain: Bools, says: Floats) -> Floats:
    """What each note says, in bits: a quarter of what the plain turns say that reach it, in the mean, and more where
    the time turns; less where its strand had the turn, or one of its shape, shortly before."""
    place, says = turns.place[plain], says[plain] / (FEWEST - 1)
    weight, many = np.zeros(len(query.pitch)), np.zeros(len(query.pitch))
    for k in range(1, FEWEST):
        weight += np.bincount(place + k, says, minlength=len(weight))
        many += np.bincount(place + k, minlength=len(weight))
    weight = np.maximum(weight / np.maximum(many, 1), LEAST_BITS)
    weight[1:-1] += RHYTHM * _turns_in_time(query.time)
    weight[_again(query, query.ending)] *= AGAIN
    weight[_again(query, query.shape)] *= ALIKE
    return np.asarray(weight)


def _turns_in_time(time: Ints) -> Bools:
    """Which notes but the first and the last (bool[n − 2]) are much nearer to the one on one side than on the other."""
    gap = np.maximum(np.diff(time), 1)
    return (gap[1:] > LONGER * gap[:-1]) | (gap[:-1] > LONGER * gap[1:])


def _again(query: Query, turn: Ints) -> Bools:
    """Which notes (bool[n]) end a turn that their strand had shortly before."""
    order = np.lexsort([np.arange(len(turn)), query.strand, turn])
    again = (np.diff(turn[order]) == 0) & (np.diff(query.strand[order]) == 0) & (np.diff(order) < NOT_LONG_AGO)
    out = np.zeros(len(turn), bool)
    out[order[1:][again]] = True
    return out


