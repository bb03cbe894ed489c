"""One part of a piece, stage after stage: when it plays, how many notes at once, which pitches, how long, how loud."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.counting.memory import MISSING
from partimento.models.markov.sheet import (
    ACCOMPANIMENT,
    BASS,
    DEGREES,
    DRUMS,
    LINES,
    Around,
    Frame,
    Ints,
    Notes,
    Places,
)

Columns = dict[str, npt.NDArray[Any]]
SIZES = 32                # most notes at once
LONG = 8                  # quarters: the longest rhythm symbol, and the longest duration said in steps
N_LINES = 4               # kinds of line told apart: first, second, first inner, other inner


class Part(NamedTuple):
    """Which track is written, in what role, given what; `code` tells roles and situations apart, `known` is around."""

    track: int
    role: int
    code: int
    frame: Frame
    shift: Ints
    mode: Ints
    chord: Ints
    known: Notes

    @property
    def base(self) -> int:
        """What a degree is more than its pitch, before the shift; drums stay as they are."""
        return 0 if self.is_drum else 6

    @property
    def is_drum(self) -> bool:
        """Whether the part is a drum kit."""
        return self.role == DRUMS

    @property
    def bottom_first(self) -> bool:
        """Whether the lowest line of its chords is written first."""
        return self.role in (BASS, ACCOMPANIMENT)

    def degrees(self, pitch: npt.NDArray[Any], step: npt.NDArray[Any]) -> Ints:
        """Pitches at grid steps as degrees of the local key; what is missing stays missing."""
        if self.is_drum:
            return np.asarray(pitch, np.int64)
        return np.where(pitch < 0, MISSING, np.clip(pitch - self.shift[step + 1] + 6, 0, DEGREES - 1))

    def pitches(self, degree: npt.NDArray[Any], step: npt.NDArray[Any]) -> Ints:
        """Degrees back to pitches."""
        return np.asarray(degree if self.is_drum else degree + self.shift[step + 1] - 6, np.int64)


def at(places: Places, index: npt.NDArray[Any]) -> Columns:
    """The columns of some places, by place index."""
    return {name: column[index] for name, column in places.items()}


# Every stage has a column `group` besides its contexts: the weights of the views are learnt for each part apart, and
# near the end of the piece or the line apart from the rest of it.

# --- rhythm --------------------------------------------------------------------------------------------------------


def jumps(grid: int) -> Ints:
    """Places each rhythm symbol moves on: d is an onset d steps on, 0 none within the longest, the last the end."""
    out = np.arange(LONG * grid + 2)
    out[0], out[-1] = LONG * grid, 1 << 40
    return out


def rhythm_columns(part: Part, around: Around) -> Columns:
    """The context columns of the rhythm at every place."""
    near = part.frame.columns["left"] <= 4 * part.frame.grid
    return {**part.frame.columns, **around.columns, "part": np.full(part.frame.steps + 1, part.code),
            "group": part.code * 2 + near}


def rhythm_symbols(onsets: Ints, start: int, stop: int, grid: int) -> list[int]:
    """The symbols that lead from place `start` over the onsets (places, after `start`); past the last one, the end."""
    longest, out, place = LONG * grid, [], start
    for target in onsets.tolist():
        while target - place > longest:
            out.append(0)
            place += longest
        if target > place:
            out.append(target - place)
            place = target
    return out if place >= stop else [*out, longest + 1]


# --- how many notes, how long, how loud ------------------------------------------------------------------------------


def gaps(onsets: Ints, steps: int) -> tuple[Ints, Ints, Ints]:
    """Steps to the next onset (or the end), from the last (0 at the first), and the gap after the next (0: none)."""
    gap = np.diff(np.append(onsets, max(steps, int(onsets[-1]) + 1 if len(onsets) else 0)))
    before = np.append(0, gap[:-1])[:len(onsets)]
    return gap, before, np.append(gap[1:], 0)[:len(onsets)]


def onset_columns(part: Part, around: Around, onsets: Ints) -> Columns:
    """The context columns of every onset (steps) once the rhythm stands."""
    columns = {**at(part.frame.columns, onsets + 1), **at(around.columns, onsets + 1)}
    gap, before, after = gaps(onsets, part.frame.steps)
    cap = LONG * part.frame.grid
    columns |= {"gap": np.minimum(gap, cap), "before": np.minimum(before, cap), "after": np.minimum(after, cap),
                "part": np.full(len(onsets), part.code), "group": np.full(len(onsets), part.code * 2),
                "mode": part.mode[onsets + 1]}
    return columns


# --- lines of the chords -------------------------------------------------------------------------------------------


def line_rank(line: int, size: npt.NDArray[Any], bottom_first: bool) -> Ints:
    """The rank from the top (0) that a line has in chords of each size: outer lines first, then inner ones down."""
    if line > 1:
        return np.full(len(size), line - 1)
    return np.where((line == 0) != bottom_first, 0, size - 1)


def chords(notes: Notes) -> tuple[Ints, Ints, list[Ints]]:
    """Onsets (steps), how many notes at each, and the notes at each from the top down, as indices."""
    order = np.lexsort((-notes.pitch, notes.onset))
    onsets, begins, sizes = np.unique(notes.onset[order], return_index=True, return_counts=True)
    return onsets, sizes, np.split(order, begins[1:]) if len(onsets) else []


def pitch_columns(part: Part, around: Around, onset_cols: Columns, onsets: Ints, sizes: Ints, line: int, rows: Ints,
                  above: Ints, below: Ints) -> Columns:
    """The context columns of one line of a part; `rows` says at which onsets the line has a note, above and below are
    the nearest notes of the chord that stand already (pitches, or missing)."""
    step = onsets[rows]
    columns: Columns = {name: onset_cols[name][rows] for name in ("beat", "bar", "meter", "phrase", "left", "mode")}
    gap, before, after = gaps(step, part.frame.steps)
    cap = LONG * part.frame.grid
    columns |= {"gap": np.minimum(gap, cap), "before": np.minimum(before, cap), "after": np.minimum(after, cap)}
    columns["size"] = np.minimum(sizes[rows], 6)
    columns["last"] = np.minimum(np.arange(len(rows))[::-1], 4)
    columns["chord"] = part.chord[step + 1]
    columns["then"] = part.chord[np.minimum(step + gap, part.frame.steps - 1) + 1]
    columns["part"] = np.full(len(rows), part.code * N_LINES + min(line, N_LINES - 1))
    columns["group"] = columns["part"] * 2 + (columns["last"] < 3)
    columns["above"], columns["below"] = part.degrees(above, step), part.degrees(below, step)
    previous = np.append(-1, step[:-1])[:len(step)] + 1
    following = np.minimum(step + gap, part.frame.steps - 1) + 1
    ends = step + gap >= part.frame.steps
    for name in LINES:
        sounding = around.pitch[name]
        for prefix, places in (("", step + 1), ("p", step), ("q", previous), ("r", following)):
            degree = part.degrees(sounding[places], step)
            if prefix == "r":
                degree = np.where(ends, MISSING, degree)
            columns[prefix + name] = degree
            columns[prefix + name + "c"] = np.where(degree < 0, MISSING, degree % 12)
        columns["x" + name] = part.degrees(around.pitch["x" + name][step + 1], step)
    return columns


def within(part: Part, known: Notes, onsets: Ints, placed: list[tuple[Ints, Ints]]) -> Notes:
    """What is known once some lines of the part itself stand: each rings until the part's next onset."""
    gap, _, _ = gaps(onsets, part.frame.steps)
    own = [Notes(onsets[rows], (onsets + gap)[rows], pitch, np.full(len(rows), 64), np.full(len(rows), part.track))
           for rows, pitch in placed]
    return Notes.joined([known, *own])


# --- durations and velocities --------------------------------------------------------------------------------------


def note_order(notes: Notes) -> Ints:
    """Notes by onset, in a chord from the top down: the order in which durations and velocities are written."""
    return np.lexsort((-notes.pitch, notes.onset))


def note_columns(onset_cols: Columns, onsets: Ints, sizes: Ints, onset: Ints) -> Columns:
    """The context columns of notes in `note_order`, from those of their onsets."""
    index = np.searchsorted(onsets, onset)
    return {**{name: column[index] for name, column in onset_cols.items()}, "size": np.minimum(sizes[index], 6)}


def longest(notes: Notes, steps: int) -> Ints:
    """The longest each note of one part may be: to its pitch's next onset in the part, or the end of the piece."""
    order = np.lexsort((notes.onset, notes.pitch))
    onset, pitch = notes.onset[order], notes.pitch[order]
    stop = np.full(len(onset), steps)
    same = pitch[1:] == pitch[:-1]
    stop[:-1][same] = onset[1:][same]
    out = np.empty(len(onset), np.int64)
    out[order] = np.maximum(stop - onset, 1)
    return out


def duration_symbols(length: Ints, gap: Ints, grid: int) -> Ints:
    """Symbol 0: until the part's next onset; d: d steps; the last one: longer than all that."""
    return np.where(length == gap, 0, np.minimum(length, LONG * grid + 1))


def duration_legal(gap: Ints, most: Ints, grid: int) -> npt.NDArray[np.bool_]:
    """bool[n, symbols]: which duration symbols each note may take."""
    symbols = np.arange(LONG * grid + 2)
    legal = (symbols <= most[:, None]) & (symbols != gap[:, None])
    legal[:, 0] = gap <= most
    legal[:, -1] = long_choices(gap, most, grid) > 0
    return np.asarray(legal)


def long_choices(gap: Ints, most: Ints, grid: int) -> Ints:
    """How many lengths the last duration symbol stands for."""
    longest_said = LONG * grid
    return np.maximum(most - longest_said, 0) - ((gap > longest_said) & (gap <= most))
