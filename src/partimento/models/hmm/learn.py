"""From pieces to what is learnt: chords counted, beats and notes gathered, then the chains and weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from partimento import habits
from partimento.features import heard_key, written_key_fits
from partimento.models.hmm.details import Details, count_details
from partimento.models.hmm.harmony import Counts, count_harmony
from partimento.models.hmm.line import Surroundings, heard_notes
from partimento.models.hmm.page import (
    DRUMS,
    FEWEST,
    NEAREST,
    Ints,
    PageGrid,
    SteppedNotes,
    notes_on,
    roles_of,
    signs_of,
)
from partimento.models.hmm.pitch import BATCH, Lesson, Seen, Weights, fit_weights, lesson_of
from partimento.models.hmm.rhythm import BeatRows, Patterns, ago_of, cells_of, entries_of, learn_patterns
from partimento.sampling import generator
from partimento.score import Score

FACTS = {**habits.KEPT, "roles": 200, "reach": 8 * 128}
NOTES_A_PIECE = 1500       # of a longer piece so many notes teach the pitches, drawn evenly
PASSES = 8                 # over the notes at most, where they are few
BEATS_A_ROLE = 25_000
SPARSE = 1 / 4             # of the onsets of the busiest part: a part with fewer teaches nothing of its own
WIDTH = 15                 # relations of one note at most


class Gathered:
    """What the pieces give, piece after piece."""

    def __init__(self, grid: int, seed: int) -> None:
        self.grid, self.seed = grid, seed
        self.harmony, self.details = Counts.none(), Details.none(grid)
        self.beats: dict[int, list[tuple[npt.NDArray[np.uint8], Ints]]] = {}
        self.lessons: list[Lesson] = []
        self.tables: dict[str, Counter[Any]] = {name: Counter() for name in FACTS}
        self.pieces = 0

    def add(self, score: Score) -> None:
        """Take one piece with notes."""
        page = PageGrid(score, self.grid)
        notes, _ = notes_on(score, self.grid)
        filled = np.unique(notes.track).tolist()
        tracks = [score.tracks[i] for i in filled]
        notes = notes._replace(track=np.searchsorted(filled, notes.track))
        roles = roles_of(tracks, notes)
        default = None if written_key_fits(score) else heard_key(score) or (0, 0)
        keys = page.keys(default)
        chords = np.full(page.beats, -1, np.int64)
        drums_alone = all(track.is_drum for track in tracks)
        if not drums_alone:
            chords = count_harmony(self.harmony, page, score, *keys)
            habits.count(self.tables, score, (int(keys[0][0]), int(keys[1][0])), tracks)
        for sign, role in zip(signs_of(tracks), roles, strict=True):
            self.tables["roles"][sign, role] += 1
        busiest = max(int((notes.track == i).sum()) for i in range(len(tracks)))
        order = sorted(range(len(tracks)), key=lambda i: (roles[i], i))
        rng = generator(self.seed, 5, self.pieces)
        self.pieces += 1
        for place, i in enumerate(order):
            own = notes.where(notes.track == i)
            if len(own.onset) < min(FEWEST, busiest) or len(own.onset) < SPARSE * busiest:
                continue
            program = tracks[i].program
            if not tracks[i].is_drum:
                self.tables["span"].update((program, pitch) for pitch in own.pitch.tolist())
                self.tables["reach"].update((roles[i], pitch) for pitch in own.pitch.tolist())
            count_details(self.details, page, roles[i], own)
            before = notes.where(np.isin(notes.track, [t for t in order[:place] if roles[t] != DRUMS]))
            self._rhythm(page, roles[i], own, before)
            self._pitches(page, roles[i], program, own, before, keys, chords, rng)
            others = notes.where(np.isin(notes.track, [t for t in order if t != i and roles[t] != DRUMS]))
            if len(others.onset) > len(before.onset) and roles[i] != DRUMS:
                self._pitches(page, roles[i], program, own, others, keys, chords, rng)

    def _rhythm(self, page: PageGrid, role: int, own: SteppedNotes, others: SteppedNotes) -> None:
        struck = np.zeros(page.steps, bool)
        struck[np.minimum(own.onset, page.steps - 1)] = True
        everywhere = np.ones(page.steps, bool)
        onsets = np.append(np.flatnonzero(struck), page.steps)
        gap = onsets[np.minimum(np.searchsorted(onsets, own.onset, side="right"), len(onsets) - 1)] - own.onset
        steps = np.minimum(own.onset, page.steps - 1)
        full = own.end - own.onset >= gap
        memory = np.append(0, np.where(full[:-1], 1, 2) + 3 * (np.diff(own.onset) == 0))[:len(full)]
        cells = cells_of(page, np.arange(page.steps), struck, ago_of(page, struck, everywhere),
                         Surroundings(page, others).strikes, steps, full, memory)
        self.beats.setdefault(role, []).append((np.minimum(cells, 255).astype(np.uint8), entries_of(page)))

    def _pitches(self, page: PageGrid, role: int, program: int, own: SteppedNotes, others: SteppedNotes,
                 keys: tuple[Ints, Ints], chords: Ints, rng: np.random.Generator) -> None:
        rows = list(heard_notes(page, role, program, own, others, keys, _uniforms(rng)))
        if len(rows) > NOTES_A_PIECE:
            chosen = np.sort(np.argsort(rng.random(len(rows)), kind="stable")[:NOTES_A_PIECE])
            rows = [rows[i] for i in chosen.tolist()]
        seen: list[Seen] = [row[0] for row in rows]
        steps = [min(row[2], page.steps - 1) for row in rows]
        self.lessons.append(lesson_of(seen, [row[1] for row in rows], chords[page.beat[steps]].tolist(), WIDTH))

    def patterns(self, role: int, states: int, rounds: int, go_on: Callable[[], bool]) -> Patterns:
        """The patterns of one role; of very many beats a part is drawn, piece by piece."""
        parts = self.beats[role]
        order = np.argsort(generator(self.seed, 7, role).random(len(parts)), kind="stable").tolist()
        taken, total = [], 0
        for i in order:
            taken.append(i)
            total += len(parts[i][1])
            if total >= BEATS_A_ROLE:
                break
        cells = np.concatenate([parts[i][0] for i in sorted(taken)]).astype(np.float32)
        kinds = np.concatenate([parts[i][1] for i in sorted(taken)])
        return learn_patterns(BeatRows(cells, kinds, [len(parts[i][1]) for i in sorted(taken)]), states, self.grid,
                              rounds, go_on)

    def weights(self, rounds: int, go_on: Callable[[], bool]) -> Weights:
        """The weights of the pitches."""
        lesson = Lesson(*(np.concatenate(columns) for columns in zip(*self.lessons, strict=True)))
        return fit_weights(lesson, min(rounds, max(60, PASSES * len(lesson.pitch) // BATCH)), self.seed, go_on)

    def plain(self) -> dict[str, Any]:
        """The tables of facts, JSON-ready."""
        return habits.plain(self.tables, FACTS)


def _uniforms(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from rng.random(1024).tolist()


def stand_in(role: int, learnt: set[int]) -> int:
    """The learnt role that a role is written like: its own, or the nearest."""
    return next((r for r in (role, *NEAREST[role]) if r in learnt), min(learnt))
