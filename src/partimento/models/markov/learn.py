"""From pieces to rows to count: every part of every piece, in its role, given the parts that stand before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from partimento.counting.blend import FOLDS, Blend
from partimento.counting.memory import MEMORY, MISSING, THREADS, echoes, threaded
from partimento.counting.mixture import Mixture
from partimento.counting.spool import Spool
from partimento.counting.subtract import subtract
from partimento.models.markov.part import (
    SIZES,
    Columns,
    Part,
    chords,
    duration_symbols,
    gaps,
    jumps,
    line_rank,
    note_columns,
    note_order,
    onset_columns,
    pitch_columns,
    rhythm_columns,
    rhythm_symbols,
    within,
)
from partimento.models.markov.sheet import (
    DRUMS,
    WRITTEN_IN_ORDER,
    Around,
    Frame,
    Ints,
    Notes,
)
from partimento.models.markov.threads import with_threads

STAGES = ("rhythm", "size", "pitch", "duration", "velocity")


class Rows:
    """Rows of one stage, piece by piece: context columns, the symbols before, the symbol."""

    def __init__(self, mixture: Mixture) -> None:
        self.mixture = mixture
        self.order = max(mixture.order, 1)
        self.names = sorted({*mixture.names, "part", "group"})
        self._own = [f"h{j + 1}" for j in range(self.order)]
        self.spool = Spool([*self.names, *self._own, "symbol", "piece", "thousands"])
        self.parts: set[int] = set()

    def add(self, columns: Columns, symbols: npt.NDArray[Any], piece: int) -> None:
        """Take one line: its columns and its symbols in order."""
        if set(MEMORY) & set(self.names):
            columns = {**columns, **dict(zip(MEMORY, echoes(symbols), strict=True))}
        columns = {**columns, **threaded(symbols, {n: columns[n] for n in THREADS if n in self.names})}
        line = np.concatenate([np.full(self.order, MISSING), symbols])
        history = {name: line[self.order - j - 1:len(line) - j - 1] for j, name in enumerate(self._own)}
        thousands, rest = divmod(piece, 1000)
        same = {"piece": np.full(len(symbols), rest), "thousands": np.full(len(symbols), thousands)}
        self.spool.add({**columns, **history, "symbol": symbols, **same})
        self.parts.update(np.unique(columns["part"]).tolist())

    def count(self, order: Sequence[int]) -> None:
        """Fit the mixture to all rows, which are let go; a tenth of the pieces in `order`, held out, teach the weights.

        Of an empty order nothing is learnt but the counts.
        """
        history = np.stack([self.spool[name] for name in self._own], axis=1)
        if not self.spool.rows:
            self.mixture.fit({name: np.zeros(0, int) for name in self.names}, history, np.zeros(0, int))
            return
        piece = self.spool["thousands"].astype(np.int32) * 1000 + self.spool["piece"]
        symbols, groups = self.spool["symbol"], self.spool["group"]
        if isinstance(self.mixture, Blend) and order:
            fold = np.empty(len(order), np.int64)
            fold[list(order)] = np.minimum(np.arange(len(order)) // (len(order) // FOLDS), FOLDS - 1)
            self.mixture.fit_apart(self.spool, history, symbols, groups, self.spool["part"], fold[piece])
        else:
            self.mixture.fit(self.spool, history, symbols, groups,
                             np.isin(piece, order[:len(order) // FOLDS]))
        self.spool.clear()

    def taken_out(self) -> tuple[Mixture, int]:
        """The mixture without these rows, all of which it has counted, and how many of its counts are in doubt."""
        history = np.stack([self.spool[name] for name in self._own], axis=1)
        return subtract(self.mixture, self.spool, history, self.spool["symbol"])


def parts_of(frame: Frame, notes: Notes, roles: Sequence[int], keys: tuple[Ints, Ints], chord: Ints,
             given: Sequence[str]) -> Iterator[Part]:
    """Every part of a piece given the parts written before it, and given all others where that is something else."""
    order = writing_order(roles, range(len(roles)))
    for i, track in enumerate(order):
        earlier, others = order[:i], [t for t in order if t != track]
        situations = [(0, earlier)] if "before" in given else []
        if "all" in given and (len(others) > len(earlier) or not situations):
            situations.append((1, others))
        for situation, known in situations:
            code = roles[track] * 2 + situation
            yield Part(track, roles[track], code, frame, *keys, chord, heard(notes, known, roles))


def writing_order(roles: Sequence[int], tracks: Sequence[int] | range) -> list[int]:
    """Tracks in the order in which they are written: by role, then as they stand."""
    return sorted(tracks, key=lambda t: (WRITTEN_IN_ORDER.index(roles[t]), t))


def heard(notes: Notes, tracks: Sequence[int], roles: Sequence[int]) -> Notes:
    """The notes of those tracks that say something about pitch."""
    return notes.where(np.isin(notes.track, [t for t in tracks if roles[t] != DRUMS]))


def add_part(rows: dict[str, Rows], part: Part, own: Notes, piece: int, transpositions: Sequence[int]) -> None:
    """Add every stage of one part of a piece."""
    frame = part.frame
    around = Around(frame, part.known)
    onsets, sizes, _ = chords(own)
    symbols = np.array(rhythm_symbols(onsets + 1, 0, frame.steps + 1, frame.grid), np.int64)
    places = np.append(0, np.cumsum(jumps(frame.grid)[symbols[:-1]]))
    columns = rhythm_columns(part, around)
    rows["rhythm"].add({name: column[places] for name, column in columns.items()}, symbols, piece)
    if not len(onsets):
        return
    at_onset = onset_columns(part, around, onsets)
    rows["size"].add(at_onset, np.minimum(sizes, SIZES) - 1, piece)
    for shift in transpositions:
        add_lines(rows["pitch"], part._replace(shift=part.shift - shift), around, at_onset, own, piece)
    order = note_order(own)
    own = own.where(order)
    at_note = note_columns(at_onset, onsets, sizes, own.onset)
    gap = gaps(onsets, frame.steps)[0][np.searchsorted(onsets, own.onset)]
    rows["duration"].add(at_note, duration_symbols(own.end - own.onset, gap, frame.grid), piece)
    rows["velocity"].add(at_note, own.velocity, piece)


def add_lines(rows: Rows, part: Part, around: Around, at_onset: Columns, own: Notes, piece: int) -> None:
    """Add the pitches of one part, line after line of its chords."""
    onsets, sizes, members = chords(own)
    begins = np.cumsum(sizes) - sizes
    pitch = own.pitch[np.concatenate(members)]      # onset by onset, from the top down
    placed: list[tuple[Ints, Ints]] = []
    for line in range(int(sizes.max())):
        here = np.flatnonzero(sizes > line)
        rank = line_rank(line, sizes[here], part.bottom_first)
        value = pitch[begins[here] + rank]
        above, below = np.full(len(here), -1), np.full(len(here), -1)
        if line == 1:
            first = pitch[begins[here] + line_rank(0, sizes[here], part.bottom_first)]
            above, below = (above, first) if part.bottom_first else (first, below)
        elif line > 1:
            above, below = pitch[begins[here] + rank - 1], pitch[begins[here] + sizes[here] - 1]
        if 0 < line < 3:
            around = Around(part.frame, within(part, part.known, onsets, placed))
        columns = pitch_columns(part, around, at_onset, onsets, sizes, line, here, above, below)
        columns = with_threads(columns, rows.names, part.frame, onsets[here])
        rows.add(columns, part.degrees(value, onsets[here]), piece)
        if line < 2:
            placed.append((here, value))
