"""Species counterpoint to a given line: what is to be written, on which side, and the line drawn for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from partimento import theory
from partimento.controls.modal import Mode
from partimento.controls.species import (
    FARTHEST,
    MOST_SEMITONES,
    LineNote,
    SpeciesPart,
    blank_parts,
    line_of,
    may_tie,
    mode_of,
)
from partimento.errors import ModelError
from partimento.models.base import Rng
from partimento.models.rules.sketch import rules_table
from partimento.models.rules.species_costs import SpeciesPage
from partimento.models.rules.species_draw import SpeciesChain
from partimento.models.rules.styles import track_roles
from partimento.request import Blanks, Request, parse_range
from partimento.score import Score

COOLEST = 0.2               # temperatures below draw as this one, so that no line falls out of the range of floats
MOST_NOTES = 1_000          # of a given line
FEWEST_PITCHES = 5          # to choose from
LEAST_ROOM = 9              # semitones that a line needs at least on its side
WORDS = {1: "first", 2: "second", 3: "third", 4: "fourth"}


class Exercise(NamedTuple):
    """A given line and what is wanted beside it: the track, the species, the mode, the side, the pitches it may take.

    `sides` holds for each side that will do, the better first: whether it is above, and lowest and highest pitch.
    """

    cantus: tuple[LineNote, ...]
    track: int
    species: int
    quarter: int
    mode: Mode
    sides: tuple[tuple[bool, int, int], ...]


def exercise_of(around: Score, blanks: Blanks, request: Request) -> Exercise | str:
    """What is to be written, or one sentence that says why it cannot be."""
    species = request.species or 1
    name = f"species counterpoint ({WORDS[species]} species)"
    for field, why in (("key", "the given line has its mode"), ("chords", "two lines make the harmony")):
        if getattr(request, field) is not None:
            return f"{name} takes no {field}, for {why}: leave it out"
    wanted = blanks.tracks()
    if len(wanted) != 1 or around.tracks[wanted[0]].is_drum:
        return f"{name} adds one line to a given one: name one pitched instrument, such as --tracks violin"
    if any(r.open != "all" or r.start > 0 for r in blanks.regions) or len(blanks.regions) > 1 or blanks.pinned:
        return f"{name} is written as a whole, from the beginning of the given line to its end"
    kept = sorted(set(np.unique(around.track[around.duration > 0]).tolist()) - set(wanted))
    if len(kept) != 1 or around.tracks[kept[0]].is_drum:
        return (f"{name} needs one given line; this piece has notes in {len(kept)} other tracks: give a piece with "
                "the line alone")
    cantus, fault = line_of(around, kept[0])
    if fault:
        return f"{name} needs a given line of one note after another; {fault}"
    if not 3 <= len(cantus) <= MOST_NOTES:
        return f"{name} needs a given line of 3 to {MOST_NOTES:,} notes; this one has {len(cantus):,}"
    there = {part.note for part in blank_parts(cantus, species, around.ticks_per_quarter)}
    for i, note in enumerate(cantus):
        if i not in there:
            return (f"{name} divides every note of the given line; one in bar {around.bar_number(note.start)} is too "
                    "short or too uneven for it: take a lower species, or longer notes")
    sides = _sides(around, wanted[0], request, cantus)
    if not sides:
        low, high = (theory.pitch_name(f(n.pitch for n in cantus)) for f in (min, max))
        return (f"{name} needs room above or below the given line ({low}-{high}); {around.tracks[wanted[0]].name} has "
                "too little there: name another instrument, or give it another --range")
    return Exercise(tuple(cantus), wanted[0], species, around.ticks_per_quarter, mode_of(around, cantus), sides)


def _sides(around: Score, track: int, request: Request, cantus: Sequence[LineNote],
           ) -> tuple[tuple[bool, int, int], ...]:
    """The sides with room for a line: first that of a bass's name, or where the middle of the range lies."""
    own = around.tracks[track]
    pinned = own.name in request.ranges
    low, high = parse_range(request.ranges[own.name], own.name) if pinned else theory.track_range(own)
    middle = float(np.average([n.pitch for n in cantus], weights=[n.end - n.start for n in cantus]))
    above = (low + high) / 2 >= middle
    named_bass = track_roles(around.tracks)[track] == "bass"
    order = [above, not above]
    if named_bass and not pinned:
        order = [False]
    pitches = [n.pitch for n in cantus]
    found = []
    for side in order:
        room = (high - max(pitches) if side else min(pitches) - low)
        if room >= LEAST_ROOM - (max(pitches) - min(pitches)) // 2 and high - low >= LEAST_ROOM:
            found.append((side, low, high))
    return tuple(found)


def write_species(around: Score, request: Request, exercise: Exercise, rngs: Sequence[Rng]) -> list[Score]:
    """One counterpoint a generator, as the new notes of `around`; ModelError where there is none at any price."""
    out = []
    for rng in rngs:
        chain = _chain(exercise, rng.random() < rules_table("species")["begins_with_rest"][str(exercise.species)],
                       _temperature(request))
        line = chain.line(rng, request.top_p or 1.0)
        if line is None:
            raise ModelError("a counterpoint must fit into the range of its instrument beside the given line; none "
                             "does: give it another --range, or name another instrument")
        out.append(around.with_rows(_rows(around, exercise, chain.page.parts, line)))
    return out


def what_gives_way(request: Request, exercise: Exercise) -> str:
    """A sentence where no line keeps every rule; empty where one does."""
    if _chain(exercise, False, _temperature(request)).strict:
        return ""
    rules = rules_table("species")["rules"]
    order = ", ".join(sorted(rules, key=lambda name: (rules[name]["price"], name)))
    return ("no counterpoint keeps every rule beside this line: as little as can be was given up, what comes first "
            f"in this order the soonest: {order}")


def _temperature(request: Request) -> float:
    return max(request.temperature or 1.0, COOLEST)


def _chain(exercise: Exercise, rest: bool, temperature: float) -> SpeciesChain:
    """All lines that keep every rule, begun with a rest or not as asked, else the other way; where there is none, all
    lines at their price."""
    chain = chain_for(exercise, rest, temperature)
    other = chain if chain.strict else chain_for(exercise, not rest, temperature)
    return other if other.strict else chain


@lru_cache(maxsize=2)                   # further attempts and candidates draw from the same lines
def chain_for(exercise: Exercise, rest: bool, temperature: float) -> SpeciesChain:
    """All lines for an exercise, on the first side where every rule can be kept; where none, the first at a price.

    On each side the line lies next to the given one, or where that will not do an octave farther off.
    """
    parts = blank_parts(exercise.cantus, exercise.species, exercise.quarter)
    parts = parts[rest and parts[0].of > 1:]
    pages = [page for side in exercise.sides for farther in (0, 1)
             if len((page := page_for(exercise, parts, side, temperature, farther)).pitches) >= FEWEST_PITCHES]
    given = [n.pitch for n in exercise.cantus]
    widest = max(MOST_SEMITONES, max(given) - min(given))
    for page in pages:
        chain = SpeciesChain(page, widest, True)
        if chain.possible:
            return chain
    return SpeciesChain(pages[0], widest, False)


def page_for(exercise: Exercise, parts: Sequence[SpeciesPart], side: tuple[bool, int, int], temperature: float,
             farther: int = 0) -> SpeciesPage:
    """The page of one side: the given line in the octave that is nearest to the range, or so many `farther`, and the
    pitches of the mode."""
    above, low, high = side
    mode, given = exercise.mode, [n.pitch for n in exercise.cantus]
    steps = mode.spelled(given)
    octaves = 0
    while above and max(given) + 12 * (octaves + 1) <= low + 5:
        octaves += 1
    while not above and min(given) + 12 * (octaves - 1) >= high - 5:
        octaves -= 1
    octaves += farther if above else -farther
    moved = [p + 12 * octaves for p in given]
    low, high = max(low, min(moved) - (0 if above else FARTHEST)), min(high, max(moved) + (FARTHEST if above else 0))
    altered = {pc for pc in (mode.final, mode.raised_seventh, mode.raised_sixth, mode.soft) if pc is not None}
    pitches = [p for p in range(low, high + 1)
               if (p - mode.home) % 12 in theory.MAJOR_SCALE or p % 12 in altered]
    notes = np.array([p.note for p in parts])
    return SpeciesPage(exercise.species, parts, np.array(moved)[notes], (np.array(steps) + 7 * octaves)[notes],
                       np.array(pitches, np.int64), mode, above, temperature)


def _rows(around: Score, exercise: Exercise, parts: Sequence[SpeciesPart], line: Sequence[int],
          ) -> list[tuple[int, int, int, int, int]]:
    """The notes of a line; in the fourth species a note off the beat is held over where the next is its own pitch."""
    velocity = int(np.median(around.velocity[around.track != exercise.track]))
    rows: list[tuple[int, int, int, int, int]] = []
    for k, (part, pitch) in enumerate(zip(parts, line, strict=True)):
        tied = exercise.species == 4 and may_tie(parts, k) and line[k - 1] == pitch
        start = rows.pop()[0] if tied else part.start
        rows.append((start, part.end - start, pitch, velocity, exercise.track))
    return rows
