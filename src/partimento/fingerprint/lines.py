"""Candidate melodies of a Score, each as one small number a note that no transposition, tempo or clock changes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.score import Score

Symbols = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

FINE = 0.3              # of the usual distance between onsets: nearer ones are one moment
COARSE = 0.6            # the same for the plain lines, in which ornaments and spread chords are one moment
AROUND = 24             # onsets before and after in which the usual distance is sought
STRIDE = 8              # onsets that share it
SPEAKS = 1 / 3          # of the notes of the fullest track or staff: the least of one that may have the melody
AHEAD = 16              # moments that a note is looked for that sounds on over others
LONGER = 2 ** 0.5       # times the distance before: longer; one over it: shorter; between the two: the same
WIDEST = 40             # semitones; a wider leap counts as this one
RATIOS = 3              # shorter, same, longer
KINDS = 85              # of sets of drums struck at one moment, so that a step is one byte


def melody_lines(score: Score) -> tuple[list[Symbols], int]:
    """The top line of everything, then of every track and staff, without drums; and how many may be the melody.

    A line is the highest note begun at each moment, notes of one pitch after another taken as one. A plain line
    beside each leaves out ornaments and what begins below a note that still sounds. One uint8 for each step from note
    to note: 3 · (semitones + 40) + (0, 1, 2: the time to the next note is shorter than, about equal to, longer than
    the time before). Lines that are equal stand once; a line of fewer than two notes is none. Those first in the list
    may be the melody: the line of everything, of the highest track, of the highest staff; the others accompany.

    >>> tune = Score(onset=[0, 480, 960, 1440], duration=[480] * 4, pitch=[60, 62, 62, 64], velocity=[80] * 4,
    ...              track=[0] * 4)
    >>> lines, melodies = melody_lines(tune)
    >>> lines[0].tolist(), melodies
    ([127, 128], 1)
    """
    lines = placed_lines(score)
    return [line.symbols for line in lines], sum(line.melody for line in lines) or min(1, len(lines))


class PlacedLine(NamedTuple):
    """One line of a Score as `melody_lines` gives it, with where it stands.

    `symbols` are its steps (uint8[n]); `begin` (int64[n + 1]) is the tick of each note and `pitch` (int64[n + 1]) its
    pitch. `melody` says that it may be the melody, `whole` that it is of all tracks together.
    """

    symbols: Symbols
    begin: Ints
    pitch: Ints
    melody: bool
    whole: bool


def placed_lines(score: Score) -> list[PlacedLine]:
    """The lines of `melody_lines`, each with the ticks and the pitches of its notes.

    >>> tune = Score(onset=[0, 480, 960], duration=[480] * 3, pitch=[60, 62, 64], velocity=[80] * 3, track=[0] * 3)
    >>> placed_lines(tune)[0].begin.tolist()
    [0, 480, 960]
    """
    keep = _sounding(score, drums=False)
    onset, pitch = score.onset[keep].astype(np.int64), score.pitch[keep].astype(np.int64)
    if not len(onset):
        return []
    offset, track = onset + score.duration[keep], score.track[keep].astype(np.int64)
    labels = [track]
    if score.staff is not None:
        labels.append(track * 64 + np.clip(score.staff[keep], 0, 63))
    highest, others = [np.arange(len(onset))], []
    for label in labels:
        order = np.argsort(label, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
        if len(parts) > 1:
            most = max(map(len, parts))
            first = max((part for part in parts if len(part) >= SPEAKS * most),
                        key=lambda part: float(pitch[part].mean()))
            highest.append(first)
            others += [part for part in parts if part is not first]
    usual = usual_gaps(onset)
    found: dict[bytes, PlacedLine] = {}
    for i, part in enumerate(highest + others):
        notes = onset[part], offset[part], pitch[part]
        for top, begin in (_tops(*notes, FINE * usual[part]), _plain(*notes, COARSE * usual[part])):
            new = np.flatnonzero(np.diff(top, prepend=-1))
            line = PlacedLine(_steps(top[new], begin[new]), begin[new], top[new], i < len(highest), not i)
            if len(line.symbols):
                found.setdefault(line.symbols.tobytes(), line)
    return list(found.values())


def drum_lines(score: Score) -> list[Symbols]:
    """The one line of the drums: what is struck at each moment, as a number below 85, and how the time goes on.

    One uint8 for each moment: 3 · (a hash of the pitches struck) + (0, 1, 2 as in `melody_lines`).
    """
    keep = _sounding(score, drums=True)
    onset, pitch = score.onset[keep].astype(np.int64), score.pitch[keep]
    if not len(onset):
        return []
    first = _moments(onset, FINE * usual_gaps(onset))
    if len(first) < 2:
        return []
    which = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(onset))))
    struck = np.zeros((len(first), 128), bool)
    struck[which, pitch] = True
    kinds = (struck @ (np.arange(1, 129, dtype=np.int64) * 2654435761 >> 7)) % KINDS
    return [(RATIOS * kinds[:-1] + _ratios(np.diff(onset[first]))).astype(np.uint8)]


def usual_gaps(onset: Ints) -> npt.NDArray[np.float64]:
    """The usual distance in ticks between onsets around each note (float64[n]): half of the time lies in longer ones.

    Onsets are sorted. One note or none, or all at once, has the distance 0.

    >>> usual_gaps(np.array([0, 10, 480, 485, 960, 1440]))[:2].tolist()
    [475.0, 475.0]
    """
    at, which = np.unique(onset, return_inverse=True)
    gaps = np.diff(at)
    if not len(gaps):
        return np.zeros(len(onset))
    centre = np.arange(0, len(at), STRIDE)
    near = centre[:, None] + np.arange(-AROUND, AROUND + STRIDE)
    near = np.sort(np.where((near >= 0) & (near < len(gaps)), gaps[np.clip(near, 0, len(gaps) - 1)], 0), axis=1)
    filled = np.cumsum(near, axis=1)
    usual = near[np.arange(len(near)), (2 * filled >= filled[:, -1:]).argmax(1)]
    return np.asarray(usual[which // STRIDE], np.float64)


def _sounding(score: Score, drums: bool) -> npt.NDArray[np.bool_]:
    """Which notes count (bool[n]): those of drum kits or of all else, without grace notes."""
    kit = np.array([track.is_drum for track in score.tracks], bool)
    keep = kit[score.track] == drums if len(score) else np.zeros(0, bool)
    return keep if score.grace is None else keep & (score.grace <= 0)


def _moments(onset: Ints, together: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """The index of the first note of every moment: onsets, which are sorted, at most so far from the first of it."""
    first = np.flatnonzero(np.diff(onset, prepend=onset[0] - 1))
    begin, apart = onset[first], together[first]
    if len(begin) > 1 and (np.diff(begin) <= apart[1:]).any():
        keep = [0]
        last = begin[0]
        for i, (tick, least) in enumerate(zip(begin[1:].tolist(), apart[1:].tolist(), strict=True), 1):
            if tick - last > least:
                keep.append(i)
                last = tick
        first = first[keep]
    return first


def _tops(onset: Ints, offset: Ints, pitch: Ints, together: npt.NDArray[np.float64]) -> tuple[Ints, Ints]:
    """The highest pitch of every moment and when it begins."""
    first = _moments(onset, together)
    return np.maximum.reduceat(pitch, first), onset[first]


def _plain(onset: Ints, offset: Ints, pitch: Ints, together: npt.NDArray[np.float64]) -> tuple[Ints, Ints]:
    """The same of the long notes, without ornaments and without moments that begin below a note that still sounds."""
    first = _moments(onset, together)
    which = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(onset))))
    rank = pitch + 128 * (offset - onset >= together)               # a long note before any short one
    best = np.lexsort([rank, which])[np.append(first[1:], len(onset)) - 1]
    top, begin, end = pitch[best], onset[best], offset[best]
    together = together[first]
    struck = 128 * which + pitch
    under = np.isin(128 * np.arange(-1, len(first) - 1) + top, struck)
    under[1:] &= top[1:] < np.maximum.reduceat(pitch, first)[:-1]
    for ahead in range(1, min(AHEAD, len(top))):
        under[ahead:] |= (top[:-ahead] > top[ahead:]) & (end[:-ahead] > (begin + together)[ahead:])
    return top[~under], begin[~under]


def _steps(top: Ints, begin: Ints) -> Symbols:
    """The steps of a line without repeated pitches, as `melody_lines` says."""
    step = np.clip(np.diff(top), -WIDEST, WIDEST)
    return (RATIOS * (step + WIDEST) + _ratios(np.diff(begin))).astype(np.uint8)


def _ratios(gaps: Ints) -> Ints:
    """0, 1, 2 for each distance that is shorter than, about equal to, longer than the one before; 1 for the first."""
    out = np.ones(len(gaps), np.int64)
    out[1:] += (gaps[1:] > LONGER * gaps[:-1]).astype(np.int64) - (gaps[1:] * LONGER < gaps[:-1])
    return out
