"""Strands of a Score: the lines of which passages are made, the same in any key and at any tempo but for two numbers.

A strand is the highest, the lowest or the second highest note begun at each moment in one track or staff, notes of one
pitch after another taken as one; drums are one strand, of what is struck together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.fingerprint.lines import FINE, usual_gaps
from partimento.score import Score

Ints = npt.NDArray[np.int64]

UNITS = 24              # of time in a quarter note
LONGEST = 250           # units from one note to the next in a strand; after a longer one another strand begins
SHORTEST = 8            # of these in a quarter note: what lies no further apart may be one moment
SPAN = 60_000           # units that a strand may last
FEWEST = 5              # notes in a strand
AHEAD = 16              # moments that a note is looked for that sounds on under others
DRUM = 128              # from here on a pitch is a set of drums
KINDS = 85              # of sets of drums


class Thread(NamedTuple):
    """One line: for each of its notes the index in the Score (int64[n]), when it begins (24ths of a quarter note), its
    pitch (from 128 on: what is struck of a drum kit), and the usual distance between onsets around it, in 24ths."""

    note: Ints
    time: Ints
    pitch: Ints
    usual: npt.NDArray[np.float64]

    @property
    def drums(self) -> bool:
        """Whether it is of drums."""
        return bool(self.pitch[0] >= DRUM)


def strands(score: Score, *, whole: bool = True) -> list[Thread]:
    """The strands of a Score, those of its tracks and staves in their order; grace notes do not count.

    With `whole` the strands of all tracks together come first, as if one player had them all.

    >>> tune = Score.from_rows([(480 * i, 480, pitch, 80, 0) for i, pitch in enumerate([60, 62, 62, 64, 65, 67])])
    >>> [strand.pitch.tolist() for strand in strands(tune)]
    [[60, 62, 64, 65, 67]]
    """
    if not len(score):
        return []
    kit = np.array([track.is_drum for track in score.tracks], bool)[score.track]
    counts = np.ones(len(score), bool) if score.grace is None else score.grace <= 0
    tuned, drums = np.flatnonzero(~kit & counts), np.flatnonzero(kit & counts)
    found: list[Thread] = []
    if len(tuned):
        label = score.track[tuned].astype(np.int64) * 64
        if score.staff is not None:
            label += np.clip(score.staff[tuned], 0, 63)
        usual = usual_gaps(score.onset[tuned].astype(np.int64))
        kinds = np.unique(label)
        groups = [tuned[label == one] for one in kinds] if len(kinds) > 1 else [tuned]
        if whole and len(kinds) > 1:
            groups.insert(0, tuned)
        seen = set()
        for group in groups:
            near = usual[np.searchsorted(tuned, group)]
            for strand in _lines(score, group, near):
                name = strand.pitch.tobytes() + strand.time.tobytes()
                if name not in seen:
                    seen.add(name)
                    found.append(strand)
    if len(drums):
        found += _beats(score, drums)
    return [part for strand in found for part in _parted(strand)]


def _lines(score: Score, group: Ints, usual: npt.NDArray[np.float64]) -> list[Thread]:
    """The highest, lowest and second highest notes of a group of notes (indices), repeated pitches once."""
    onset, pitch = score.onset[group].astype(np.int64), score.pitch[group].astype(np.int64)
    end = onset + score.duration[group]
    together = np.minimum(FINE * usual, score.ticks_per_quarter / SHORTEST)
    first = _moments(onset, together)
    size = np.diff(np.append(first, len(group)))
    moment = np.repeat(np.arange(len(first)), size)
    short = (end - onset < together).astype(np.int64)       # as ornaments are: they count where nothing longer begins
    order = np.lexsort([pitch - 128 * short, moment])
    last = first + size - 1
    low = np.lexsort([pitch + 128 * short, moment])[first]
    top = order[last]
    covered = [np.zeros(len(first), bool), np.zeros(len(first), bool)]      # a note beyond it still sounds
    for ahead in range(1, min(AHEAD, len(first))):
        for line, sign, hidden in zip((top, low), (1, -1), covered, strict=True):
            before, after = line[:-ahead], line[ahead:]
            hidden[ahead:] |= (sign * pitch[before] > sign * pitch[after]) & (
                end[before] > onset[after] + together[after])
    out = []
    for line in (top[~covered[0]], low[~covered[1]], order[last[size > 2] - 1]):
        line = line[np.diff(pitch[line], prepend=-1) != 0]
        out.append(Thread(group[line], _units(onset[line], score), pitch[line], usual[line] * UNITS
                          / score.ticks_per_quarter))
    return out


def _beats(score: Score, drums: Ints) -> list[Thread]:
    """The strand of the drums: at each moment a number for what is struck together."""
    onset, pitch = score.onset[drums].astype(np.int64), score.pitch[drums]
    usual = usual_gaps(onset)
    first = _moments(onset, np.minimum(FINE * usual, score.ticks_per_quarter / SHORTEST))
    which = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(onset))))
    struck = np.zeros((len(first), 128), bool)
    struck[which, pitch] = True
    kind = DRUM + (struck @ (np.arange(1, 129, dtype=np.int64) * 2654435761 >> 7)) % KINDS
    new = np.diff(kind, prepend=-1) != 0
    first = first[new]
    return [Thread(drums[first], _units(onset[first], score), kind[new], usual[first] * UNITS
                   / score.ticks_per_quarter)]


def _units(ticks: Ints, score: Score) -> Ints:
    return np.asarray(np.rint(ticks * (UNITS / score.ticks_per_quarter)), np.int64)


def _moments(onset: Ints, together: npt.NDArray[np.float64]) -> Ints:
    """The index of the first note of every moment: onsets, which are sorted, at most so far from the first of it."""
    first = np.flatnonzero(np.diff(onset, prepend=onset[0] - 1))
    begin, apart = onset[first], together[first]
    if len(begin) > 1 and (np.diff(begin) <= apart[1:]).any():
        keep, last = [0], begin[0]
        for i, (tick, least) in enumerate(zip(begin[1:].tolist(), apart[1:].tolist(), strict=True), 1):
            if tick - last > least:
                keep.append(i)
                last = tick
        first = first[keep]
    return first.astype(np.int64)


def _parted(strand: Thread) -> list[Thread]:
    """The strand in parts without long silences, those that have enough notes."""
    since = strand.time - strand.time[:1]
    cuts = np.flatnonzero((np.diff(strand.time) > LONGEST) | (np.diff(since // SPAN) > 0)) + 1
    if not len(cuts):
        return [strand] if len(strand.note) >= FEWEST else []
    parts = zip(*(np.split(column, cuts) for column in strand), strict=True)
    return [Thread(*part) for part in parts if len(part[0]) >= FEWEST]
