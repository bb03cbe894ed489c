"""Why a note of a species counterpoint is there: the rule it stands by, and what else could have stood."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from partimento import theory
from partimento.controls.modal import Mode, interval_words
from partimento.controls.species import LineNote, SpeciesPart, line_of, mode_of, species_breaks, species_parts
from partimento.models.base import Reason
from partimento.models.rules.lines import Floats
from partimento.models.rules.sketch import rules_table
from partimento.models.rules.species import Exercise, page_for
from partimento.models.rules.species_costs import SpeciesPage
from partimento.score import Score

RIVALS, SLIGHT = 5, 0.005    # how many others are told, and how likely they are at least
GIVEN_WAY = 0.1             # of the notes: breaks that a counterpoint to an unkind line may have


class Counterpoint(NamedTuple):
    """What a piece is: its given line, the other's track and notes, the species with its parts, the mode."""

    cantus: list[LineNote]
    track: int
    line: list[LineNote]
    species: int
    parts: list[SpeciesPart]
    mode: Mode


@lru_cache(maxsize=2)                   # every note of a piece asks
def species_pair(score: Score) -> Counterpoint | None:
    """What a piece of two lines is, where the second goes to the first in the rhythm of a species and by its rules.

    None for any other music.
    """
    tracks = np.unique(score.track[score.duration > 0]).tolist()
    if len(tracks) != 2 or any(score.tracks[i].is_drum for i in tracks):
        return None
    lines = [line_of(score, i) for i in tracks]
    if any(fault or len(line) < 3 for line, fault in lines):
        return None
    for given, other in ((0, 1), (1, 0)):
        cantus, line = lines[given][0], lines[other][0]
        for species in (1, 2, 3, 4):
            parts = species_parts(cantus, line, species, score.ticks_per_quarter)
            if parts is None:
                continue
            mode = mode_of(score, cantus)
            broken = species_breaks(cantus, line, species, quarter=score.ticks_per_quarter, mode=mode)
            if sum(b.hard for b in broken) <= GIVEN_WAY * len(line):
                return Counterpoint(cantus, tracks[other], line, species, parts, mode)
    return None


def species_reason(score: Score, note: int) -> Reason | None:
    """Why a note of the second line of a species counterpoint is there; None for any other music, and the given line.

    The probability is that of its pitch among all others at its place, the notes around as they are.
    """
    tracks = set(score.track.tolist())
    pair = species_pair(score) if len(tracks) == 2 else None
    if pair is None or int(score.track[note]) != pair.track:
        return None
    parts = [p for p in pair.parts if p.pitch is not None]
    at = next((k for k, p in enumerate(parts) if p.start == int(score.onset[note]) and not p.tied), None)
    if at is None:
        return None
    page = _page(score, pair, parts)
    columns = [int(np.flatnonzero(page.pitches == p.pitch)[0]) if p.pitch in page.pitches else -1 for p in parts]
    if -1 in columns:
        return None
    chances = _chances(page, columns, at)
    table = rules_table("species")["kinds"]
    held = at + 1 < len(parts) and parts[at + 1].tied
    kind, said = _kind(page, columns, at, held)
    broken = [b.text for b in species_breaks(pair.cantus, pair.line, pair.species, quarter=score.ticks_per_quarter,
                                             mode=pair.mode) if b.hard and b.tick == parts[at].start]
    rule = f"{table['broken']} ({'; '.join(broken)})" if broken else table[kind]
    names = {k: _named(int(page.pitches[k]), pair.mode) for k in range(len(page.pitches))}
    order = [int(k) for k in np.argsort(-chances, kind="stable") if k != columns[at] and chances[k] >= SLIGHT]
    side = "above" if page.above else "below"
    given = _named(pair.cantus[parts[at].note].pitch, pair.mode)
    text = f"{names[columns[at]]}, {said} {side} the {given} of the given line{_moved(page, columns, at)}; {rule}"
    return Reason(text, float(chances[columns[at]]), f"counterpoint of species {pair.species} in {pair.mode.name}",
                  tuple((names[k], float(chances[k])) for k in order[:RIVALS]))


def _page(score: Score, pair: Counterpoint, parts: Sequence[SpeciesPart]) -> SpeciesPage:
    pitches = [n.pitch for n in pair.line]
    above = np.mean(pitches) >= np.mean([n.pitch for n in pair.cantus])
    side = (bool(above), max(min(pitches) - 7, 0), min(max(pitches) + 7, 127))
    exercise = Exercise(tuple(pair.cantus), pair.track, pair.species, score.ticks_per_quarter, pair.mode, (side,))
    return page_for(exercise, parts, side, 1.0)


def _chances(page: SpeciesPage, columns: Sequence[int], at: int) -> Floats:
    """float64[width]: the chance of each pitch of the note at a place, all of it where it is held over; others stay."""
    width = len(page.pitches)
    tied = (at + 1 < len(columns) and page.species == 4 and page.parts[at].place > 0
            and columns[at + 1] == columns[at])
    places = [at, at + 1] if tied else [at]
    cost = np.zeros(width)
    for c in range(width):
        line = list(columns)
        for k in places:
            line[k] = c
        for k in places:
            cost[c] += page.single(k, False)[c]
    reach = range(max(places[0], 1), min(places[-1] + 3, len(columns)))
    pairs = {k: page.pair(k, False) for k in reach if k <= places[-1] + 1}
    triples = {k: page.triple(k, False) for k in reach if k > 1}
    for c in range(width):
        line = list(columns)
        for k in places:
            line[k] = c
        cost[c] += sum(table[line[k - 1], line[k]] for k, table in pairs.items())
        cost[c] += sum(table[line[k - 2], line[k - 1], line[k]] for k, table in triples.items())
    weights = np.exp(-(cost - cost.min()))
    weights /= weights.sum()
    return np.asarray(weights)


def _kind(page: SpeciesPage, columns: Sequence[int], at: int, held: bool) -> tuple[str, str]:
    """Which rule of the table a note stands by, and its interval in words."""
    column, last = columns[at], page.last
    width = int(page.width[at, column])
    words = f"the {interval_words(width)}"
    if at == 0:
        return "opening", words
    if at == last:
        return "ending", words
    if at == last - 1 and abs(int(page.steps[columns[last]] - page.steps[column])) == 1:
        return ("leading" if columns[last] > column else "clausula"), words
    if held:
        over = page.dissonant[at + 1, column]
        next_words = interval_words(int(page.width[at + 1, column]))
        if over:
            down = interval_words(int(page.width[at + 2, columns[at + 2]])) if at + 2 <= last else ""
            return "suspension", f"{words}, then held as the {next_words} that resolves to the {down},"
        return "held", f"{words}, then held as the {next_words},"
    if page.dissonant[at, column]:
        before, after = columns[at - 1], columns[at + 1]
        if abs(int(page.stride[column, after])) == 2:
            return "cambiata", words
        return ("neighbour" if before == after else "passing"), words
    if page.parts[at].place > 0:
        return "off_beat", words
    return ("perfect" if page.perfect[at, column] else "imperfect"), words


def _moved(page: SpeciesPage, columns: Sequence[int], at: int) -> str:
    if at == 0:
        return ""
    gap, steps = int(page.gap[columns[at - 1], columns[at]]), abs(int(page.stride[columns[at - 1], columns[at]]))
    if gap == 0:
        return ", repeated"
    return f", reached by {'step' if steps <= 1 else 'leap'} {'up' if gap > 0 else 'down'}"


def _named(pitch: int, mode: Mode) -> str:
    """The name of a pitch as the mode spells it, with its octave."""
    step = mode.step_of(pitch)
    octave, degree = divmod(step, 7)
    natural = mode.home + 12 * octave + theory.MAJOR_SCALE[degree]
    fifths = theory.fifths(mode.home)
    letter = theory.pitch_name(natural, fifths).rstrip("-0123456789")
    number = theory.pitch_name(natural, fifths)[len(letter):]
    if pitch == natural:
        return letter + number
    if pitch > natural:
        return (letter[:-1] if letter.endswith("b") else letter + "#") + number
    return (letter[:-1] if letter.endswith("#") else letter + "b") + number
