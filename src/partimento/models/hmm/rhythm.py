"""The hidden chain of rhythm patterns of one role: one state a beat, learnt by Baum and Welch.

A state emits, step by step, whether notes begin there, given what the part did one bar and one beat ago and whether a
part written before strikes there too; and, note by note, whether a note lasts to the part's next onset. It is a product
over steps, so any part of a beat may be blank. What stands is evidence; what is new is drawn step after step, given
the path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.counting.hidden import Chain, posterior
from partimento.counting.symbols import rows_of_one
from partimento.models.hmm.page import Bools, Floats, Ints, PageGrid

ENTRIES = 4                # tables of moves: on the first of a bar and elsewhere, and both in the last bar
UNKNOWN, SILENT, STRUCK = range(3)
INPUTS = 18                # what was there one bar ago × what one beat ago × whether another part strikes
PRIOR = 2.0                # sightings that the wider table of a step weighs
MEMORIES = 6               # what is remembered of the note before
ECHOES = ("as one bar ago", "as one beat ago", "with the other parts")
CLEAR = 0.4                # how much more likely an onset is after one, for a state to be called an echo
SHARP = 0.8                # how clearly a state begins as one pattern that was seen often


class BeatRows(NamedTuple):
    """Beats to learn from: `cells` float32[beats, columns] of 0 and 1 (and counts), `kinds` of moves, `lengths`."""

    cells: npt.NDArray[Any]
    kinds: Ints
    lengths: list[int]


class Patterns(NamedTuple):
    """The chain, `strikes` float64[K, slot, input]: the chance of an onset, `full` float64[K, memory]: of a note that
    is held to the next onset."""

    chain: Chain
    strikes: Floats
    full: Floats

    def evidence(self, cells: npt.NDArray[Any]) -> Floats:
        """float64[beats, K]: the log-likelihood of beats laid out by `cells_of`."""
        k = len(self.full)
        held = np.stack([np.log(self.full), np.log1p(-self.full)], axis=-1).reshape(k, -1)
        on, off = np.log(self.strikes), np.log1p(-self.strikes)
        table = np.stack([off, on], axis=-1).reshape(k, -1)
        table = np.concatenate([table, held], axis=1)
        return np.asarray(cells @ table.T.astype(cells.dtype), np.float64)


def entries_of(page: PageGrid) -> Ints:
    """Which table of moves leads into each beat."""
    return np.where(page.place == 0, 0, 1) + np.where(page.section == 6, 2, 0)


def cells_of(page: PageGrid, steps: Ints, struck: Bools, ago: Ints, others: Bools, notes: Ints, full: Bools,
             memory: Ints) -> Floats:
    """Counts float[beats, columns] of what is seen.

    At `steps` whether there is an onset (`struck`), given what was there before (`ago`) and whether `others` strike;
    of notes at the steps `notes` whether they are `full`, given what is remembered of the one before (`memory_of`).
    """
    slots = 3 * page.grid
    out = np.zeros((page.beats, slots * INPUTS * 2 + 2 * MEMORIES))
    column = ((page.slot[steps] * 9 + ago) * 2 + others) * 2 + struck
    np.add.at(out, (page.beat[steps], column), 1)
    np.add.at(out, (page.beat[notes], slots * INPUTS * 2 + memory * 2 + ~full), 1)
    return out


def ago_of(page: PageGrid, struck: Bools, known: Bools) -> Ints:
    """3 × what is known to stand one bar before each step + what one beat before (int64[steps]): `UNKNOWN`, `SILENT`
    or `STRUCK`."""
    bar, beat = (np.where((there >= 0) & struck[there], STRUCK, np.where((there >= 0) & known[there], SILENT, UNKNOWN))
                 for there in (page.ago, page.beat_ago))
    return np.asarray(bar * 3 + beat, np.int64)


def memory_of(step: int, last: tuple[int, bool] | None) -> int:
    """What is remembered of the new note before (its step, and whether it was full): 0 nothing, 1 it was full, 2 not;
    3 more where it begins together with this one."""
    return 0 if last is None else (1 if last[1] else 2) + (3 if last[0] == step else 0)


def learn_patterns(beats: BeatRows, states: int, grid: int, rounds: int,
                   report: Callable[[], bool] = lambda: True) -> Patterns:
    """Patterns for one role by Baum and Welch, begun at the commonest patterns that were seen."""
    cells = beats.cells
    slots = 3 * grid
    marks = cells[:, :-2 * MEMORIES].reshape(len(cells), slots, INPUTS, 2).sum(axis=2)
    wide = _chances(cells.sum(axis=0, dtype=np.float64)[None], slots, np.full((1, slots), 0.1), 1.0)[0]
    wide = wide.mean(axis=-1)
    kinds, number = np.unique(marks[..., 1].astype(np.uint8), axis=0, return_counts=True)
    common = kinds[np.argsort(-number, kind="stable")[:max(states - len(ECHOES) * 2, states // 2)]].astype(np.float64)
    strikes = np.repeat((SHARP * common + (1 - SHARP) * wide)[:, :, None], INPUTS, axis=2)
    strikes = np.concatenate([strikes, _echoes(slots)])[:states]
    k = len(strikes)
    even = Chain(np.full(k, 1 / k), np.full((ENTRIES, k, k), 1 / k))
    model = Patterns(even, np.clip(strikes, 1e-4, 1 - 1e-4), np.full((k, MEMORIES), 0.9))
    for _ in range(rounds):
        found = posterior(model.chain, model.evidence(cells), beats.lengths, beats.kinds, logs=True)
        model = _better(model, found.states.T.astype(cells.dtype) @ cells, found.starts, found.moves, slots)
        if not report():
            break
    return model


def _echoes(slots: int) -> Floats:
    """float64[2 × echoes, slots, INPUTS]: states that begin as echoes of one bar ago, one beat ago, the other parts."""
    bar, beat, other = (part.ravel() for part in np.meshgrid(range(3), range(3), range(2), indexing="ij"))
    out = []
    for on, off in ((0.97, 0.02), (0.8, 0.1)):
        for there, silent in ((bar == STRUCK, bar == SILENT), (beat == STRUCK, beat == SILENT),
                              (other == 1, other == 0)):
            out.append(np.broadcast_to(np.where(there, on, np.where(silent, off, 0.1)), (slots, INPUTS)))
    return np.array(out)


def _better(model: Patterns, counts: npt.NDArray[Any], starts: Floats, moves: Floats, slots: int) -> Patterns:
    counts = counts.astype(np.float64)
    marks = counts[:, :-2 * MEMORIES].reshape(len(counts), slots, INPUTS, 2).sum(axis=2)
    everywhere = marks.sum(axis=0)
    wide = (everywhere[:, 1] + 0.05) / (everywhere.sum(axis=1) + 0.5)
    own = (marks[..., 1] + PRIOR * wide) / (marks.sum(axis=-1) + PRIOR)
    strikes = _chances(counts, slots, own, PRIOR)
    held = counts[:, -2 * MEMORIES:].reshape(len(counts), MEMORIES, 2)
    every = held.sum(axis=0)
    usual = (every[:, 0] + 0.9) / (every.sum(axis=1) + 1.0)
    full = (held[..., 0] + PRIOR * usual) / (held.sum(axis=-1) + PRIOR)
    pooled = rows_of_one(moves.sum(axis=0), None, 0.05)
    chain = Chain(rows_of_one(starts, None, 0.1), rows_of_one(moves + 4.0 * pooled))
    return Patterns(chain, np.clip(strikes, 1e-4, 1 - 1e-4), np.clip(full, 1e-3, 1 - 1e-3))


def _chances(counts: Floats, slots: int, wider: Floats, prior: float) -> Floats:
    """float64[K, slot, input]: the chance of an onset, leaning on a wider table [K, slot]."""
    marks = counts[:, :-2 * MEMORIES].reshape(len(counts), slots, INPUTS, 2)
    return np.asarray((marks[..., 1] + prior * wider[:, :, None]) / (marks.sum(axis=-1) + prior))


def pattern_name(patterns: Patterns, state: int, grid: int) -> str:
    """A state as a beat in writing: ``x`` an onset likelier than not, ``o`` a likely one, ``-`` held on, ``.`` silence.

    Onsets are shown where neither memory nor other parts speak: one sign each 12th, or grid step, of a quarter.
    """
    chance = patterns.strikes[state, :grid, 0]
    held = "-" if patterns.full[state, 0] >= 0.5 else "."
    out, on = [], False
    for value in chance.tolist():
        on = on or value >= 0.25
        out.append("x" if value >= 0.5 else "o" if value >= 0.25 else held if on else ".")
    shown = "".join(out)
    told = patterns.strikes[state, :grid].reshape(-1, 3, 3, 2)
    ends = (told[:, STRUCK].mean() - told[:, SILENT].mean(), told[:, :, STRUCK].mean() - told[:, :, SILENT].mean(),
            told[..., 1].mean() - told[..., 0].mean())
    best = int(np.argmax(ends))
    return f"{shown} {ECHOES[best]}" if ends[best] > CLEAR else shown
