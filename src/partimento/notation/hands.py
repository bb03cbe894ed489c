"""Which hand plays each note of a keyboard part that does not say.

At each onset the new notes are split between the hands at every place, low notes to the left, and every split is
weighed with every way that is still open (a beam search). A hand spans about a tenth, moves little, keeps its rhythm
and what it repeats; the left stays below the right while both sound, but a single note may be played by either.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from partimento.errors import RequestError
from partimento.notation.voices import as_neighbours
from partimento.score import IntArray, Score

RIGHT, LEFT = 1, 2              # the staves
_BEAM = 6                       # ways that are kept open at a time
_MEMORY = 2.0                   # seconds for which a hand remembers the pitches that it played
_CALM = 1 / 3                   # seconds of rest after which a move costs half
_FOLLOW = 0.42                  # how far a hand's place goes to each new chord
_REST = (48.0, 72.0)            # where the hands are before they play
_SETTLE = 0.05                  # and how far where it has been for long
_BRIEF = 1e-3                   # seconds; the shortest length and rest
_SAME = 1e-9                    # seconds that no clock tells apart
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Costs:
    """What each thing costs that a hand may do; fitted to written piano parts."""

    wide: float                 # each semitone that a hand spans beyond ten
    wider: float                # and beyond fourteen
    many: float                 # each note of a hand beyond four
    more: float                 # and beyond five
    move: float                 # each semitone from its place to the middle of its notes, less after a rest
    jump: float                 # and each semitone beyond nine
    edge: float                 # each semitone from its last highest note to the next, and from the lowest
    home: float                 # each semitone from where it has been for long
    high: float                 # each semitone of the left hand's notes above middle C, of the right hand's below
    left: float                 # each note of the left hand
    alone: float                # a chord in one hand
    uneven: float               # each note that one hand has more than the other
    gap: float                  # each semitone, up to twelve, between the hands' notes in a chord
    part: float                 # a chord parted between notes of one length
    mixed: float                # notes of different lengths side by side in a hand
    hold: float                 # a note begun while the same hand holds another
    rest: float                 # each second, up to one, since the hand's last note ended
    pause: float                # any rest
    rhythm: float               # each doubling or halving of the length, up to three
    changed: float              # another length
    count: float                # each note more or fewer than in its last chord, up to three
    cross: float                # the left hand as high as the right
    cross_by: float             # and each semitone by which it is higher
    keep: float                 # each note that the other hand played last, less those that this hand did
    turn: float                 # a single note by the hand that did not play just before


_COSTS = _Costs(wide=0.35, wider=0.464, many=5.03, more=9.01, move=0.087, jump=0.059, edge=0.026, home=0.042,
                high=0.011, left=0.027, alone=0.761, uneven=0.127, gap=0.015, part=0.255, mixed=0.734, hold=0.492,
                rest=0.264, pause=0.135, rhythm=0.111, changed=0.067, count=0.249, cross=0.26, cross_by=1.99,
                keep=0.278, turn=0.013)


def hands(score: Score, track: int) -> IntArray:
    """Return the staff of each note of a track, in the order of the Score: 1 for the right hand, 2 for the left.

    Onsets and lengths are judged in seconds, so performed music serves as well as written. Notes of no length (grace
    notes) go with the nearest that begins where they stand. RequestError where there is no such track.

    >>> chord = Score.from_rows([(0, 480, pitch, 80, 0) for pitch in (36, 48, 64, 67, 72)])
    >>> hands(chord, 0).tolist()
    [2, 2, 1, 1, 1]
    """
    if not 0 <= track < len(score.tracks):
        raise RequestError(f"there must be a track {track}; this piece has {len(score.tracks)}, counted from 0")
    own = np.flatnonzero(score.track == track)
    found = np.zeros(len(own), np.int32)
    sounding = np.flatnonzero(score.duration[own] > 0)
    if len(sounding):
        notes = own[sounding]                               # by onset and pitch, as a Score has them
        begin = score.seconds(score.onset[notes])
        length = score.seconds(score.onset[notes].astype(np.int64) + score.duration[notes]) - begin
        found[sounding] = _beam(begin, length, score.pitch[notes].astype(np.int64))
    return as_neighbours(found, score.onset[own].astype(np.int64), score.pitch[own].astype(np.int64))


def _beam(begin: Floats, length: Floats, pitch: Ints) -> IntArray:
    """The staff of each note; notes are in the order of onset and pitch."""
    first = np.flatnonzero(np.concatenate([[True], begin[1:] != begin[:-1]])).tolist()
    ways, total = _Ways(), np.zeros(1)
    steps: list[tuple[int, list[int], list[int]]] = []
    for a, b in pairwise([*first, len(begin)]):
        chord = _Chord(float(begin[a]), length[a:b], pitch[a:b])
        costs = total[:, None] + chord.fixed + ways.costs(chord)
        best = np.argsort(costs, axis=None, kind="stable")[:_BEAM]
        back, split = np.divmod(best, b - a + 1)
        total = costs.flat[best] - costs.flat[best[0]]
        ways.go_on(chord, back, split)
        steps.append((a, back.tolist(), split.tolist()))
    staff = np.full(len(begin), RIGHT, np.int32)
    place = 0                                               # the best comes first
    for a, back_to, splits in reversed(steps):
        staff[a:a + splits[place]] = LEFT
        place = back_to[place]
    return staff


@lru_cache(maxsize=256)
def _splits(n: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Every way to part `n` notes: how many each hand plays, int[n + 1, 2], and which are its lowest and highest.

    Last, how many more one hand plays than the other.
    """
    left = np.arange(n + 1)
    size = np.stack([left, n - left], 1)
    low = np.stack([np.zeros_like(left), np.minimum(left, n - 1)], 1)
    high = np.stack([np.maximum(left - 1, 0), np.full_like(left, n - 1)], 1)
    return size, low, high, np.abs(n - 2 * left)


class _Chord:
    """Notes that begin together and every way to split them: arrays [splits, 2], the left hand before the right."""

    def __init__(self, now: float, length: Floats, pitch: Ints) -> None:
        self.now, self.pitch = now, pitch
        n = len(pitch)
        self.size, low, high, uneven = _splits(n)
        self.plays = self.size > 0
        self.low, self.high = pitch[low].astype(np.float64), pitch[high].astype(np.float64)
        self.middle = (self.low + self.high) / 2
        self.fixed = _COSTS.left * self.size[:, 0] + _COSTS.high * (
            _below(np.maximum(pitch - 60, 0)) + _above(np.maximum(60 - pitch, 0)))
        if n == 1:
            self.length = np.full((2, 2), max(_BRIEF, float(length[0])))
            self.end = now + self.length
            return
        last, first = high[:, 0], low[:, 1]                 # of the left hand, of the right hand
        back = length[::-1]
        self.end = now + np.stack([np.maximum.accumulate(length)[last], np.maximum.accumulate(back)[::-1][first]], 1)
        self.length = np.maximum(_BRIEF, np.stack([np.minimum.accumulate(length)[last],
                                                   np.minimum.accumulate(back)[::-1][first]], 1))
        apart = np.abs(np.diff(length)) > _BRIEF
        changes = np.concatenate([[0], np.cumsum(apart)])
        self.fixed += _COSTS.mixed * (changes[last] + changes[-1] - changes[first]) + _COSTS.uneven * uneven
        self.fixed[[0, n]] += _COSTS.alone
        self.fixed[1:n] += _COSTS.gap * np.minimum(np.diff(pitch), 12) + _COSTS.part * ~apart
        if n > 4:
            self.fixed += _COSTS.many * np.maximum(self.size - 4, 0).sum(1)
            self.fixed += _COSTS.more * np.maximum(self.size - 5, 0).sum(1)


class _Ways:
    """The ways still open, a row each, and of each hand in them (left, right) where it is and what it did last."""

    def __init__(self) -> None:
        # float[ways, 10, 2]: the highest and lowest pitch that it holds or held; its place, now and for long; the
        # highest and lowest pitch of its last chord; when that ends and began, how long and how many notes it is
        self.state = np.array([[*[_REST] * 6, (-1, -1), (-10, -10), (0.25, 0.25), (1, 1)]])
        self.hand = np.zeros((1, 128), np.int8)             # that played each pitch last: −1 left, 1 right
        self.when = np.full(128, -2 * _MEMORY)
        self.grip = self.root = np.zeros((1, 1, 2))         # the widest that each would hold after each split

    def costs(self, chord: _Chord) -> Floats:
        """What each split of a chord costs after each way: float[ways, splits]."""
        plays, now = chord.plays, chord.now
        high, low, place, home, top, bottom, end, began, length, size = self.state.transpose(1, 0, 2)[:, :, None]
        held = end > now + _SAME
        grip = np.where(plays, np.where(held, np.maximum(high, chord.high), chord.high), high)
        root = np.where(plays, np.where(held, np.minimum(low, chord.low), chord.low), low)
        moved = np.abs(chord.middle - place)
        each = (_COSTS.move * moved + _COSTS.jump * np.maximum(moved - 9, 0)
                + _COSTS.edge * (np.abs(chord.high - top) + np.abs(chord.low - bottom)))
        each /= 1 + np.maximum(now - began, 0) / _CALM
        each += _COSTS.home * np.abs(chord.middle - home)
        span = grip - root
        each += _COSTS.wide * np.maximum(span - 10, 0) + _COSTS.wider * np.maximum(span - 14, 0)
        rest = np.clip(now - end, 0, 1)
        each += np.where(held, _COSTS.hold, _COSTS.rest * rest + _COSTS.pause * (rest > _BRIEF))
        change = np.abs(np.log2(chord.length / length))
        each += _COSTS.rhythm * np.minimum(change, 3) + _COSTS.changed * (change > 0.05)
        each += _COSTS.count * np.minimum(np.abs(chord.size - size), 3)
        over = grip[:, :, 0] - root[:, :, 1]
        crossed = (over >= 0) & (plays | held).all(2)
        total = np.where(plays, each, 0).sum(2) + np.where(crossed, _COSTS.cross + _COSTS.cross_by * over, 0)
        last = self.hand[:, chord.pitch] * (now - self.when[chord.pitch] < _MEMORY)
        total += _COSTS.keep * (_below(last > 0) + _above(last < 0) - _below(last < 0) - _above(last > 0))
        if len(chord.pitch) == 1:
            ours, other = self.state[:, 7], self.state[:, 7, ::-1]
            total += _COSTS.turn * (other > ours)[:, ::-1] / (1 + 2 * (now - np.maximum(ours, other)))
        self.grip, self.root = grip, root
        return np.asarray(total)

    def go_on(self, chord: _Chord, back: Ints, split: Ints) -> None:
        """Keep these splits of the chord, each after the way `back`."""
        old, middle = self.state[back], chord.middle[split]
        held = old[:, 6] > chord.now + _SAME
        new = np.empty_like(old)
        new[:, 0], new[:, 1] = self.grip[back, split], self.root[back, split]
        new[:, 2] = old[:, 2] + _FOLLOW * (middle - old[:, 2])
        new[:, 3] = old[:, 3] + _SETTLE * (middle - old[:, 3])
        new[:, 4], new[:, 5] = chord.high[split], chord.low[split]
        new[:, 6] = np.where(held, np.maximum(old[:, 6], chord.end[split]), chord.end[split])
        new[:, 7], new[:, 8], new[:, 9] = chord.now, chord.length[split], chord.size[split]
        self.state = np.where(chord.plays[split][:, None], new, old)
        self.hand = self.hand[back]
        self.hand[:, chord.pitch] = np.where(np.arange(len(chord.pitch)) < split[:, None], -1, 1)
        self.when[chord.pitch] = chord.now


def _below(each: npt.NDArray[Any]) -> Floats:
    """The sum of the first k of each row, for every k from 0."""
    sums = np.zeros((*each.shape[:-1], each.shape[-1] + 1))
    each.cumsum(axis=-1, out=sums[..., 1:])
    return sums


def _above(each: npt.NDArray[Any]) -> Floats:
    """The sum of all but the first k of each row, for every k from 0."""
    sums = _below(each)
    return np.asarray(sums[..., -1:] - sums)
