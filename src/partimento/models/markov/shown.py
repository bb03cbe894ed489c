"""What was counted, as tables for a person: chord after chord, degree after degree, length after length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.models.base import Arrays, Table
from partimento.models.markov.harmony import BEFORE, QUALITIES, chord_in_key
from partimento.models.markov.part import line_rank
from partimento.models.markov.sheet import ACCOMPANIMENT, BASS, DRUMS, ROLE_NAMES, Ints, Notes

Floats = npt.NDArray[np.float64]
CHORDS_SHOWN = 14           # of a mode, the most frequent; the others are one column
FEWEST_SEEN = 20            # of a role of a mode, below which it is not shown
DEGREE_NAMES = ("1", "b2", "2", "b3", "3", "4", "#4", "5", "b6", "6", "b7", "7")
CLASS_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
VALUES = ((1, 12), (1, 8), (1, 6), (1, 4), (1, 3), (1, 2), (2, 3), (3, 4), (1, 1), (3, 2), (2, 1), (3, 1), (4, 1))
VALUE_NAMES = (*(f"{n}/{d}" if d > 1 else str(n) for n, d in VALUES), "other")
MOVES = ("shown.chords", "shown.degrees", "shown.values")
NONE = "none"
_FLAT = ((1, 3, 8, 10), (1,))  # degrees over the tonic, by mode, whose chords are written with flats


class Moves(NamedTuple):
    """How often what followed what, counted bar by bar and in the outer line of each role.

    `chords` int64[mode, before, chord] are those of the bars, as `harmony` hears them; `degrees` int64[role, mode,
    before, degree] semitones over the tonic; `values` int64[role, before, value] the times from onset to onset, by
    their place in `VALUES` (the last is any other). The last `before` is none.
    """

    chords: Ints
    degrees: Ints
    values: Ints

    @classmethod
    def none(cls) -> Moves:
        """Nothing counted yet."""
        roles, some, all_chords = len(ROLE_NAMES), len(VALUE_NAMES), 12 * len(QUALITIES)
        return cls(*(np.zeros(shape, np.int64) for shape in
                     ((2, all_chords + 1, all_chords), (roles, 2, 13, 12), (roles, some + 1, some))))

    def add_chords(self, mode: int, chords: Sequence[int]) -> None:
        """Add the chords of the bars of a piece, −1 for silence: what follows it follows none."""
        for last, chord in zip([BEFORE, *chords], chords, strict=False):
            if chord != BEFORE:
                self.chords[mode, last, chord] += 1     # −1 is the last row

    def add(self, notes: Notes, roles: Sequence[int], keys: tuple[Ints, Ints], grid: int) -> None:
        """Add a piece: notes in tracks of such roles, and the keys (shift, mode) at every place."""
        lengths = {n * grid // d: i for i, (n, d) in enumerate(VALUES) if n * grid % d == 0}
        for track, role in enumerate(roles):
            own = notes.where(notes.track == track)
            order = np.lexsort((-own.pitch, own.onset))
            onsets, begins, sizes = np.unique(own.onset[order], return_index=True, return_counts=True)
            if not len(onsets):
                continue
            value = [lengths.get(gap, len(VALUES)) for gap in np.diff(onsets).tolist()]
            np.add.at(self.values[role], ([len(VALUE_NAMES), *value][:len(value)], value), 1)
            if role == DRUMS:
                continue
            outer = own.pitch[order][begins + line_rank(0, sizes, role in (BASS, ACCOMPANIMENT))]
            shift, mode = (column[onsets + 1] for column in keys)
            degree = (outer - shift - 9 * mode) % 12
            np.add.at(self.degrees[role], (mode, np.append(12, degree[:-1]), degree), 1)

    def less(self, other: Moves) -> Moves:
        """The counts without those of other pieces."""
        return Moves(*(own - its for own, its in zip(self, other, strict=True)))

    def state(self) -> Arrays:
        """The counts as small arrays."""
        return {name: table.astype(np.uint32) for name, table in zip(MOVES, self, strict=True)}

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Moves:
        """Take back what `state` gave."""
        return cls(*(arrays[name].astype(np.int64) for name in MOVES))


def markov_tables(learnt: Mapping[str, Any], moves: Moves | None, normalise: bool) -> list[Table]:
    """The tables of a fitted model: the chords of each mode, then the degrees and the rhythm of each role."""
    if moves is None:       # of an older checkpoint the harmony alone is known, and of that the commonest rows
        kept, few = Moves.none(), " (of the commonest successions)"
        for mode, _, _, last, chord, number in learnt["harmony"]:
            kept.chords[mode, last, chord] += number
    else:
        kept, few = moves, ""
    found = [_chords(kept.chords[mode], mode, few) for mode in (0, 1) if kept.chords[mode].any()]
    for role, name in enumerate(ROLE_NAMES):
        for mode in (0, 1):
            if kept.degrees[role, mode].sum() >= FEWEST_SEEN:
                found.append(_degrees(kept.degrees[role, mode], name, mode, normalise))
        if kept.values[role].sum() >= FEWEST_SEEN:
            found.append(_values(kept.values[role], name))
    return found


def untold(moves: Moves | None) -> str:
    """What an older checkpoint has not kept, as a sentence."""
    return "" if moves is not None else ("this checkpoint is older than the tables of degrees and rhythm and has not "
                                         "kept them: train it again to see them")


def _chords(counts: Ints, mode: int, few: str) -> Table:
    """The chance of a chord after a chord, bar by bar."""
    total = counts.sum(axis=0)
    shown = sorted(np.argsort(-total, kind="stable")[:min(CHORDS_SHOWN, int((total > 0).sum()))].tolist())
    table = counts[[BEFORE, *shown]]
    tonic, key = ((0, "C major"), (9, "A minor"))[mode]
    names = tuple(chord_in_key(chord, tonic, -5 if chord // len(QUALITIES) in _FLAT[mode] else 0) for chord in shown)
    others = table.sum(axis=1) - table[:, shown].sum(axis=1)
    table = np.concatenate([table[:, shown], others[:, None]], axis=1) if others.any() else table[:, shown]
    return _table(f"chords in {('major', 'minor')[mode]}",
                  f"the chance of each chord in the bar after each chord, written in {key}, as counted{few}",
                  (NONE, *names), (*names, "others") if others.any() else names, table)


def _degrees(counts: Ints, role: str, mode: int, normalise: bool) -> Table:
    names = DEGREE_NAMES if normalise else CLASS_NAMES
    key = ("major", "minor")[mode]
    what = f"degree of the {key} key" if normalise else "pitch class"
    return _table(f"pitches of the {role} in {key}" if normalise else f"pitches of the {role}",
                  f"the chance of each {what} after each, octaves together, as counted note by note in the outer line",
                  (*names, NONE), names, counts)


def _values(counts: Ints, role: str) -> Table:
    used = np.flatnonzero(counts.sum(axis=0)).tolist()
    names = [VALUE_NAMES[i] for i in used]
    return _table(f"rhythm of the {role}",
                  "the chance of each time from onset to onset, in quarters, after each, as counted",
                  (*names, NONE), tuple(names), counts[[*used, len(VALUE_NAMES)]][:, used])


def _table(name: str, about: str, rows: tuple[str, ...], columns: tuple[str, ...], counts: npt.NDArray[Any],
           ) -> Table:
    """Counts as chances; rows that were never met are left out."""
    met = np.flatnonzero(counts.sum(axis=1)).tolist()
    chances = counts[met] / counts[met].sum(axis=1, keepdims=True)
    return Table(name, about, tuple(rows[i] for i in met), columns, tuple(tuple(row) for row in chances.tolist()),
                 "distribution", "after", "comes", tuple(counts[met].sum(axis=1).tolist()))
