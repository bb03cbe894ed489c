"""What a counterpoint must remember for longer than three notes: small machines whose states stand beside the pitches.

Each machine says, for every state and every move from one pitch to the next at a place, the state that follows and
whether a rule is broken there. They are run side by side, as one machine whose states are all their combinations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from partimento.controls.species import MOST_ALIKE
from partimento.models.rules.lines import Bools, Floats, Ints
from partimento.models.rules.species_costs import BIG, SpeciesPage


class Machine(NamedTuple):
    """A machine at one place: `after` (int64[states, width, width]) and of the same shape where a rule is `broken`
    (bool), and what a move costs besides."""

    rule: str
    states: int
    after: Ints
    broken: Bools
    cost: Floats | float = 0.0


def memories(page: SpeciesPage, k: int) -> list[Machine]:
    """The machines of the species at place `k` (from 1 on); a line begins in state 0 of each."""
    makers: dict[int, list[Callable[[SpeciesPage, int], Machine]]] = {
        1: [_turns, _alike], 2: [_turns, _beats, _alike], 3: [_turns, _beats, _cambiata],
        4: [_tritone, _alike, _held]}
    made = [make(page, k) for make in makers[page.species]]
    return [machine._replace(after=machine.after.astype(np.uint8)) for machine in made]


def _blank(page: SpeciesPage, states: int) -> tuple[Ints, Bools]:
    width = len(page.pitches)
    after = np.broadcast_to(np.arange(states)[:, None, None], (states, width, width)).copy()
    return after, np.zeros((states, width, width), bool)


def _tritone(page: SpeciesPage, k: int) -> Machine:
    """States: 0 at first; 1 a run up, 2 down; 3 up from a note with an augmented fourth above it, 4 down from the upper
    one of the two; 5 and 6 the same where the fourth degree is flat."""
    pcs, mode = page.pitches % 12, page.mode
    low, high = pcs == (mode.home + 5) % 12, pcs == (mode.home + 11) % 12
    soft = -1 if mode.soft is None else mode.soft
    flat, over = pcs == soft, (pcs == (soft + 6) % 12) & (soft >= 0)
    after, broken = _blank(page, 7)
    up, down = page.gap > 0, page.gap < 0
    starts_up = np.where(low, 3, np.where(flat, 5, 1))[:, None] * np.ones_like(page.gap)
    starts_down = np.where(high, 4, np.where(over, 6, 2))[:, None] * np.ones_like(page.gap)
    for state in range(7):
        rising, falling = state in (1, 3, 5), state in (2, 4, 6)
        after[state] = np.where(up & (not rising), starts_up, np.where(down & (not falling), starts_down, state))
        turn = {3: high, 4: low, 5: over, 6: flat}.get(state)
        if turn is not None:
            broken[state] |= (down if rising else up) & turn[:, None]
            if k == page.last:
                broken[state] |= (up if rising else down) & turn[None, :]
    if k == page.last:
        ends = {3: high, 4: low, 5: over, 6: flat}
        for state, turn in ends.items():
            broken |= (after == state) & turn[None, None, :] & (page.gap != 0)[None]
    return Machine("tritone", 7, after, broken)


def _turns(page: SpeciesPage, k: int) -> Machine:
    """The machine of tritones twice over: from state 7 on the line has just turned by a step, and should not turn back.
    """
    runs = _tritone(page, k)
    up, down = page.gap > 0, page.gap < 0
    rising, falling = (np.isin(np.arange(7), states)[:, None, None] for states in ((1, 3, 5), (2, 4, 6)))
    turned = ((rising & down[None]) | (falling & up[None])) & page.by_step[None]
    after = runs.after + 7 * turned
    cost = np.concatenate([np.zeros(turned.shape), page.taste["to_and_fro"] * turned])
    return Machine("tritone", 14, np.concatenate([after, after]), np.concatenate([runs.broken, runs.broken]), cost)


def _beats(page: SpeciesPage, k: int) -> Machine:
    """States: the last beat had 1 a fifth, 2 an octave or unison, else 0; 0 at first."""
    after, broken = _blank(page, 3)
    first = page.parts[0].place == 0 and k == 1
    if first:
        kind = np.where(page.perfect[0] & (page.simple[0] == 4), 1, np.where(page.perfect[0], 2, 0))
        after[:] = kind[None, :, None]
    if page.parts[k].place == 0:
        kind = np.where(page.perfect[k] & (page.simple[k] == 4), 1, np.where(page.perfect[k], 2, 0))
        moved = page.given[k] != page.given[k - 1]
        for state in (1, 2):
            broken[state] = (kind == state)[None, :] & moved
        after[:] = kind[None, None, :]
    return Machine("beats", 3, after, broken)


def _alike(page: SpeciesPage, k: int) -> Machine:
    """States: 1 to 3 so many thirds in a row, 4 to 6 sixths, else 0; counted where notes are heard together."""
    after, broken = _blank(page, 2 * MOST_ALIKE + 1)

    def counted(j: int) -> bool:
        part = page.parts[j]
        return part.place == (part.of - 1 if page.species == 4 else 0)

    def kinds(j: int) -> Ints:
        good = page.consonant[j]
        return np.where(good & (page.simple[j] == 2), 1, np.where(good & (page.simple[j] == 5), MOST_ALIKE + 1, 0))

    if k == 1 and counted(0):
        after[0] = kinds(0)[:, None]
    if counted(k):
        here = kinds(k)[None, :]
        for state in range(2 * MOST_ALIKE + 1):
            was = after[state]                      # as the first place left it
            goes_on = (was > 0) & (here > 0) & ((was <= MOST_ALIKE) == (here <= MOST_ALIKE))
            full = goes_on & np.isin(was, (MOST_ALIKE, 2 * MOST_ALIKE))
            broken[state] = full
            after[state] = np.where(goes_on, np.where(full, was, was + 1), np.where(here > 0, here, 0))
    return Machine("alike", 2 * MOST_ALIKE + 1, after, broken)


def _cambiata(page: SpeciesPage, k: int) -> Machine:
    """States: 1 the third of a dissonance was just leapt to, so that two steps up must follow, 2 one step; else 0."""
    after, broken = _blank(page, 3)
    rises = page.by_step & (page.gap > 0)
    begins = np.zeros(page.gap.shape, bool)
    if page.parts[k - 1].place == 1:
        begins = page.dissonant[k - 1][:, None] & (page.stride == -2)
    after[0] = np.where(begins, 1, 0)
    after[1], after[2] = 2, 0
    broken[1], broken[2] = ~rises, ~rises
    return Machine("dissonance", 3, after, broken)


def _held(page: SpeciesPage, k: int) -> Machine:
    """States: the last move to another pitch was 1 a leap up, 2 down, 3 one up after which the line turns, 4 down."""
    after, broken = _blank(page, 5)
    size = np.abs(page.gap)
    way = np.where(page.gap > 0, 1, 2)
    kind = np.where(page.leap, np.where(size >= BIG, way + 2, way), 0)
    for state in range(5):
        after[state] = np.where(page.same, state, kind)
    up, down = page.gap > 0, page.gap < 0
    broken[1], broken[2] = page.leap & up, page.leap & down
    broken[3], broken[4] = up, down
    return Machine("leaps", 5, after, broken)
