"""Clefs: what the file says, else what suits the instrument and the notes on the staff."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from partimento.score import IntArray, Track

_STEP = {"C": 0, "D": 1, "E": 2, "F": 3, "G": 4, "A": 5, "B": 6}
# The place of the lowest line of each clef on the ladder of naturals.
_BOTTOM = {"G2": 30, "F4": 18, "C3": 24, "C4": 22, "G2_8": 23, "F4_8": 11, "G2^8": 37}
_CHANGES = {"G2": ("F4",), "F4": ("G2",), "C3": ("G2",)}    # what a staff may change to
_CHANGE = 8.0                          # what a change of clef costs, in ledger lines beyond the second a bar
_MANY = 0.75                           # ledger lines beyond the second, the mean of a bar, that are worth a thought
_UNUSUAL = 0.25                        # what each bar in another clef than the usual one costs
_DEEP = 43                             # a bass whose notes lie below this is written an octave higher than it sounds
_OTHER = 5.0                           # what it costs to begin with another clef than the usual one


def clef_for(track: Track, pitches: IntArray, staff: int = 1, staves: int = 1) -> str:
    """Return the clef that suits an instrument and these pitches (as written) best.

    >>> clef_for(Track("Viola", 41), np.array([55, 60])), clef_for(Track("Cello", 42), np.array([40, 50]))
    ('C3', 'F4')
    """
    if track.is_drum:
        return "percussion"
    middle = float(np.median(pitches)) if len(pitches) else 0.0
    if staves > 1:
        if not len(pitches):
            return "G2" if staff == 1 else "F4"
        return "F4" if middle < (50 if staff == 1 else 64) else "G2"
    if not len(pitches):
        middle = {41: 60, 42: 48, 43: 40, 58: 40}.get(track.program, 45 if 32 <= track.program <= 39 else 70)
    name, program = track.name.lower(), track.program
    if program == 41 or "viola" in name.split():
        return "C3" if middle < 77 else "G2"
    if 24 <= program <= 31 and middle < 64:
        return "G2_8"
    if "tenor" in name and 52 <= program <= 54 and 48 <= middle < 67:
        return "G2_8"
    if (32 <= program <= 39 or program == 43) and middle < _DEEP:
        return "F4_8"
    if 32 <= program <= 39 or program in (42, 43, 57, 58, 70, 47):
        return "F4" if middle < 67 else "G2"
    return "G2" if middle >= 58 else "F4" if middle >= _DEEP - 6 else "F4_8"


def clef_changes(first: str, bars: Sequence[IntArray]) -> list[tuple[int, str]]:
    """Return (bar, clef): the clef of the first bar, then changes where many ledger lines would last for bars.

    `bars` holds the written pitches of each bar of one staff. `first` is the clef that suits the instrument.

    >>> clef_changes("F4", [np.array([48])] * 4 + [np.array([79])] * 12)
    [(0, 'F4'), (4, 'G2')]
    """
    if first not in _CHANGES:
        return [(0, first)]
    clefs = (first, *_CHANGES[first])
    cost = np.array([[_ledgers(pitches, clef) + _UNUSUAL * (clef != first and len(pitches) > 0) for clef in clefs]
                     for pitches in bars]).reshape(-1, len(clefs))
    total = np.array([0.0] + [_OTHER] * (len(clefs) - 1))
    back = np.zeros(cost.shape, np.int64)
    moves = _CHANGE * (1 - np.eye(len(clefs)))
    for i, row in enumerate(cost):
        ways = total[:, None] + (moves if i else np.where(moves > 0, np.inf, 0.0))
        back[i] = ways.argmin(axis=0)
        total = ways.min(axis=0) + row
    now = int(total.argmin())
    path: list[int] = []
    for i in range(len(cost) - 1, -1, -1):
        path.append(now)
        now = int(back[i, now])
    path.reverse()
    return [(i, clefs[clef]) for i, clef in enumerate(path) if i == 0 or clef != path[i - 1]] or [(0, first)]


def _ledgers(pitches: IntArray, clef: str) -> float:
    """Ledger lines that the notes of a bar need beyond the second, the mean; few of them count as none."""
    if not len(pitches):
        return 0.0
    bottom = _BOTTOM[clef]
    places = (np.asarray(pitches, np.float64) - 12) * 7 / 12
    lines = np.maximum(places - (bottom + 8), bottom - places) / 2
    beyond = float(np.maximum(0, lines - 2).mean())
    return beyond if beyond >= _MANY else 0.0


def diatonic(step: str, octave: int) -> int:
    """Return the place of a step on the ladder of naturals, C0 at 0.

    >>> diatonic("E", 4)
    30
    """
    return octave * 7 + _STEP[step]
