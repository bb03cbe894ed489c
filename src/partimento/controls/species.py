"""Species counterpoint judged: how a given line is divided, and every rule that a second voice breaks against it.

The rules are those of Fux's Gradus ad Parnassum (1725) as Jeppesen (Counterpoint, 1939) and Salzer and Schachter
(Counterpoint in Composition, 1969) teach them for two voices. The judge knows nothing of who wrote the line.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from partimento.controls.facts import Verdict
from partimento.controls.modal import (
    DISSONANT,
    IMPERFECT,
    PERFECT,
    Mode,
    interval_words,
    kind_of_interval,
    line_mode,
)
from partimento.score import BoolArray, Score

MOST_SEMITONES = 16             # of the range of a line, unless the given one has more: a tenth
FARTHEST = 19                   # semitones between the voices: a twelfth
LEAPS = {(2, 3), (2, 4), (3, 5), (4, 7), (7, 12)}       # steps and semitones that a voice may leap; up, a minor sixth
MOST_ALIKE = 3                  # thirds, or sixths, in a row


class LineNote(NamedTuple):
    """One note of a line: its first tick, its end, its pitch."""

    start: int
    end: int
    pitch: int


class SpeciesPart(NamedTuple):
    """A part of a note of the given line (its number in the line, `place` 0 to `of` − 1 in it) and what sounds there.

    It lasts from tick `start` to `end`. `pitch` is None for a rest; `tied` says that the note before goes on.
    """

    note: int
    place: int
    of: int
    start: int
    end: int
    pitch: int | None = None
    tied: bool = False


class SpeciesBreak(NamedTuple):
    """One broken rule: its name, the tick, a sentence, and whether it is a rule (`hard`) or only advice."""

    rule: str
    tick: int
    text: str
    hard: bool = True


def line_of(score: Score, track: int) -> tuple[list[LineNote], str]:
    """The notes of a track as one line, or why it is none (in words). Between notes it may rest.

    Notes that lie a little apart or overlap a little, as they are played, last to the next.
    """
    own = np.flatnonzero((score.track == track) & (score.duration > 0))
    rows = sorted((int(score.onset[i]), int(score.offset[i]), int(score.pitch[i])) for i in own)
    out: list[LineNote] = []
    slack = score.ticks_per_quarter // 4
    for k, (start, end, pitch) in enumerate(rows):
        ahead = rows[k + 1][0] if k + 1 < len(rows) else end
        if end - ahead > min(slack, (end - start) // 2) or ahead == start:
            return [], f"in bar {score.bar_number(start)} more than one note sounds at a time"
        out.append(LineNote(start, ahead if ahead - end <= min(slack, (ahead - start) // 2) else end, pitch))
    return out, ""


def divided(length: int, species: int, quarter: int, last: bool = False) -> int:
    """Into how many notes a species divides one of `length` ticks, dotted ones by threes; 0 where it cannot.

    >>> [divided(1920, species, 480) for species in (1, 2, 3, 4)], divided(1440, 2, 480), divided(120, 3, 480)
    ([1, 2, 4, 2], 3, 0)
    """
    dotted = length > 0 and math.log2(length / quarter / 3) % 1 == 0
    count = 1 if last else {1: 1, 2: 3 if dotted else 2, 3: 6 if dotted else 4, 4: 2}[species]
    return count if count == 1 or (length % count == 0 and 8 * length >= count * quarter) else 0


def blank_parts(cantus: Sequence[LineNote], species: int, quarter: int) -> list[SpeciesPart]:
    """The parts that a species divides a given line into, nothing in them yet.

    The last note is not divided, nor one before a rest; of a note too short for the species there is no part.

    >>> [part.place for part in blank_parts([LineNote(0, 960, 62), LineNote(960, 1920, 60)], 2, 480)]
    [0, 1, 0]
    """
    parts = []
    for i, note in enumerate(cantus):
        closes = i + 1 == len(cantus) or cantus[i + 1].start > note.end
        count = divided(note.end - note.start, species, quarter, closes)
        ticks = (note.end - note.start) // max(count, 1)
        parts += [SpeciesPart(i, j, count, note.start + ticks * j, note.start + ticks * (j + 1)) for j in range(count)]
    return parts


def may_tie(parts: Sequence[SpeciesPart], k: int) -> bool:
    """Whether the note before part `k` may be held over into it, as the fourth species does."""
    return parts[k].place == 0 and parts[k].of > 1 and k > 0 and parts[k - 1].end == parts[k].start


def species_parts(cantus: Sequence[LineNote], line: Sequence[LineNote], species: int, quarter: int,
                  ) -> list[SpeciesPart] | None:
    """The parts that a species divides a given line into, with what the other line sounds in each.

    None where the other line does not go in the rhythm of the species. It may begin with a rest (not in the first).
    """
    begins = {note.start: note for note in line}
    empty = blank_parts(cantus, species, quarter)
    if len({part.note for part in empty}) < len(cantus):
        return None
    parts: list[SpeciesPart] = []
    used, rings = 0, -1                     # to which tick the note before is held over
    for k, part in enumerate(empty):
        note = begins.get(part.start)
        if note is not None:
            used += 1
            tie = species == 4 and note.end > part.end and k + 1 < len(empty) and may_tie(empty, k + 1)
            rings = empty[k + 1].end if tie else -1
            if note.end != (rings if tie else part.end):
                return None
            parts.append(part._replace(pitch=note.pitch))
        elif rings == part.end:
            parts.append(part._replace(pitch=parts[-1].pitch, tied=True))
        elif k == 0 and species > 1:
            parts.append(part)
        else:
            return None
    return parts if used == len(line) else None


def species_breaks(cantus: Sequence[LineNote], line: Sequence[LineNote], species: int, *, quarter: int = 480,
                   mode: Mode | None = None) -> list[SpeciesBreak]:
    """The rules that a line breaks as counterpoint of a species (1 to 4) to a given line, in the order of time.

    `quarter` is the ticks of a quarter note, `mode` that of the given line (by default what `line_mode` finds).

    >>> given = [LineNote(1920 * i, 1920 * (i + 1), p) for i, p in enumerate([62, 65, 64, 62])]
    >>> good, bad = ([LineNote(n.start, n.end, p) for n, p in zip(given, pitches)]
    ...              for pitches in ([69, 69, 73, 74], [69, 72, 71, 69]))
    >>> [b.rule for b in species_breaks(given, good, 1)], sorted({b.rule for b in species_breaks(given, bad, 1)})
    ([], ['ending', 'leading', 'parallel'])
    """
    mode = mode or line_mode([n.pitch for n in cantus], [n.end - n.start for n in cantus])
    parts = species_parts(cantus, line, species, quarter)
    if parts is None:
        tick = line[0].start if line else 0
        return [SpeciesBreak("rhythm", tick, "the line does not go in the rhythm of the species")]
    sounding = [part for part in parts if part.pitch is not None]
    if len(sounding) < 2:
        return [SpeciesBreak("rhythm", 0, "there is no line")]
    judge = _Judge([n.pitch for n in cantus], sounding, species, mode)
    found = [*judge.harmony(), *judge.together(), *judge.melody(), *judge.frame()]
    return sorted(found, key=lambda b: (b.tick, b.rule))


def species_holds(score: Score, species: int, new: BoolArray) -> Verdict:
    """Whether the new notes (bool[n]) are counterpoint of a species to the line that was there, and what breaks it."""
    mine = np.unique(score.track[new]).tolist()
    given = np.unique(score.track[~new]).tolist()
    if len(mine) != 1 or len(given) != 1 or mine == given:
        return Verdict(False, "there must be one given line and one new one")
    (cantus, fault), (line, own_fault) = line_of(score, given[0]), line_of(score, mine[0])
    if fault or own_fault:
        return Verdict(False, fault or own_fault)
    hard = [b for b in species_breaks(cantus, line, species, quarter=score.ticks_per_quarter,
                                      mode=mode_of(score, cantus)) if b.hard]
    said = "; ".join(dict.fromkeys(f"bar {score.bar_number(b.tick)}: {b.text}" for b in hard[:4]))
    more = f"; and {len(hard) - 4} more" if len(hard) > 4 else ""
    return Verdict(not hard, said + more if hard else "")


def mode_of(score: Score, cantus: Sequence[LineNote]) -> Mode:
    """The mode of a line of a score: its signature, where it keeps to it."""
    last = cantus[-1].start
    signs = [key.fifths for key in score.keys if key.tick <= last][-1:]
    return line_mode([n.pitch for n in cantus], [n.end - n.start for n in cantus], signs[0] if signs else None)


class _Judge:
    """The rules, a method a kind; every one reads the parts in order and yields what is broken."""

    def __init__(self, given: Sequence[int], parts: Sequence[SpeciesPart], species: int, mode: Mode) -> None:
        self.species, self.mode, self.parts = species, mode, parts
        self.last = len(given) - 1
        self.pitch = [p.pitch or 0 for p in parts]
        self.step = mode.spelled(self.pitch)
        steps = mode.spelled(given)
        base = [given[p.note] for p in parts]
        self.given = base
        self.given_step = [steps[p.note] for p in parts]
        self.above = sum(self.pitch) >= sum(self.given)
        sign = 1 if self.above else -1
        self.apart = [sign * (p - g) for p, g in zip(self.pitch, self.given, strict=True)]
        self.width = [sign * (s - g) for s, g in zip(self.step, self.given_step, strict=True)]
        self.kind = [kind_of_interval(w, a) if w >= 0 else DISSONANT
                     for w, a in zip(self.width, self.apart, strict=True)]
        self.far = FARTHEST + max(0, min(self.apart) // 12 * 12)    # another register: counted from the octave there

    def _broken(self, rule: str, k: int, text: str, hard: bool = True) -> SpeciesBreak:
        return SpeciesBreak(rule, self.parts[k].start, text, hard)

    def _move(self, k: int) -> tuple[int, int]:
        """Steps and semitones from part `k` − 1 to part `k`."""
        return self.step[k] - self.step[k - 1], self.pitch[k] - self.pitch[k - 1]

    def _by_step(self, k: int) -> int:
        """1 or −1 where part `k` is reached by a step, else 0."""
        if not 0 < k < len(self.parts):
            return 0
        steps, semitones = self._move(k)
        return int(math.copysign(1, steps)) if abs(steps) == 1 and 0 < abs(semitones) <= 2 else 0

    # --- each moment ---------------------------------------------------------------------------------------------

    def harmony(self) -> Iterator[SpeciesBreak]:
        """Dissonances, crossings, unisons within, voices too far apart."""
        for k, part in enumerate(self.parts):
            if self.apart[k] < 0:
                yield self._broken("crossing", k, "the voices cross")
            elif self.kind[k] == DISSONANT and not self._dissonance_stands(k):
                yield self._broken("dissonance", k, f"the {interval_words(self.width[k])} is a dissonance that "
                                                    f"{self._wants(part)}")
            if self.apart[k] > self.far:
                yield self._broken("apart", k, "the voices are more than a twelfth apart")
            inner = 0 < k < len(self.parts) - 1 and 0 < part.note < self.last
            if self.apart[k] == 0 and inner and part.place == 0 and not part.tied:
                yield self._broken("unison", k, "the voices meet in a unison on the beat")

    def _wants(self, part: SpeciesPart) -> str:
        if self.species == 1 or (part.place == 0 and self.species < 4):
            return "may not stand there"
        return {2: "must pass by step", 3: "must pass or return by step", 4: "must be held over and fall by step"}[
            self.species]

    def _dissonance_stands(self, k: int) -> bool:
        part = self.parts[k]
        inside = 0 < k < len(self.parts) - 1
        if self.species == 1 or not inside:
            return False
        before, after = self._by_step(k), self._by_step(k + 1)
        clear = self.kind[k - 1] != DISSONANT and self.kind[k + 1] != DISSONANT
        if part.place == 0:
            good = (self.width[k] % 7 in (1, 3, 6) and self.width[k] != 1) if self.above else self.width[k] % 7 in (
                1, 3, 4)                # 4-3, 7-6, 9-8 above; 2-3, 4-5, diminished 5-6 below
            return self.species == 4 and part.tied and clear and after == -1 and good
        if self.species in (2, 4):
            turns = part.of == 3 and before == -after != 0
            return clear and (before == after != 0 or turns)
        return (before != 0 and after != 0 and clear) or self._cambiata(k)

    def _cambiata(self, k: int) -> bool:
        """Whether part `k` is the second note of a cambiata: down a step, down a third, up a step, up a step."""
        if not 0 < k < len(self.parts) - 3 or self.parts[k].place != 1:
            return False
        return (self._by_step(k) == -1 and self._move(k + 1)[0] == -2 and self._by_step(k + 2) == 1
                and self._by_step(k + 3) == 1 and self.kind[k - 1] != DISSONANT and self.kind[k + 1] != DISSONANT)

    # --- two voices moving ---------------------------------------------------------------------------------------

    def together(self) -> Iterator[SpeciesBreak]:
        """Parallel and direct fifths and octaves, next to each other and from beat to beat; too much of one kind."""
        for k in range(1, len(self.parts)):
            if self.kind[k] != PERFECT or self.given[k] == self.given[k - 1] or self.parts[k].tied:
                continue
            name = interval_words(self.width[k] % 7 or 7)
            same_way = (self.pitch[k] - self.pitch[k - 1]) * (self.given[k] - self.given[k - 1]) > 0
            if self.kind[k - 1] == PERFECT and self.width[k - 1] % 7 == self.width[k] % 7 and (
                    self.pitch[k] != self.pitch[k - 1]):
                yield self._broken("parallel", k, f"parallel {name}s")
            elif same_way:
                yield self._broken("direct", k, f"both voices go the same way into the {name}")
        if self.species > 1:
            yield from self._beats()
        yield from self._alike()

    def _beats(self) -> Iterator[SpeciesBreak]:
        """Fifths and octaves that a note between does not hide: from beat to beat, and from just before one to it.

        In the fourth species tied fifths may follow each other on the beats, for the ears hear the sixths between.
        """
        beats = [k for k, part in enumerate(self.parts) if part.place == 0]
        for before, k in itertools.pairwise(beats):
            same = self.width[before] % 7 == self.width[k] % 7 and self.given[before] != self.given[k]
            if k - before > 1 and same and self.kind[before] == self.kind[k] == PERFECT:
                name = interval_words(self.width[k] % 7 or 7)
                tied = self.parts[before].tied and self.parts[k].tied and name == "fifth"
                if not tied:
                    yield self._broken("beats", k, f"{name}s on two beats in a row")
        for k in beats:
            near = self.species == 3 and k >= 2 and self.given[k - 2] != self.given[k]
            if near and self.kind[k] == PERFECT == self.kind[k - 2] and self.width[k] % 7 == self.width[k - 2] % 7:
                name = interval_words(self.width[k] % 7 or 7)
                yield self._broken("beats", k, f"{name}s with one note between")
        if self.species == 4:
            weak = [k for k, part in enumerate(self.parts) if part.place == part.of - 1 > 0]
            for before, k in itertools.pairwise(weak):
                same = self.kind[before] == self.kind[k] == PERFECT and self.given[before] != self.given[k]
                if same and k - before == 2 and self.width[before] % 7 == self.width[k] % 7:
                    name = interval_words(self.width[k] % 7 or 7)
                    yield self._broken("beats", k, f"{name}s on two weak beats in a row")

    def _alike(self) -> Iterator[SpeciesBreak]:
        if self.species == 3:
            return
        place = [k for k, part in enumerate(self.parts)
                 if (part.place == part.of - 1 if self.species == 4 else part.place == 0)]
        count = 0
        for before, k in zip([None, *place], place, strict=False):
            same = before is not None and self.width[before] % 7 == self.width[k] % 7
            count = (count + 1 if same else 1) if self.kind[k] == IMPERFECT else 0
            if count == MOST_ALIKE + 1:
                yield self._broken("alike", k, f"more than three {interval_words(self.width[k] % 7)}s in a row")

    # --- one voice -----------------------------------------------------------------------------------------------

    def melody(self) -> Iterator[SpeciesBreak]:
        """Intervals that are not sung, leaps that go on, repeated notes, an outlined tritone, too wide a range."""
        order = [k for k, part in enumerate(self.parts) if not part.tied]
        moves: list[tuple[int, int, int]] = []          # to which part, by how many steps and semitones
        for before, k in itertools.pairwise(order):
            steps, semitones = self.step[k] - self.step[before], self.pitch[k] - self.pitch[before]
            size = abs(steps), abs(semitones)
            if semitones == 0:
                stays = self.species == 1 and (len(moves) < 1 or moves[-1][2] != 0)
                if not stays:
                    yield self._broken("repeated", k, "a note is repeated")
            elif not (size in ((1, 1), (1, 2)) or size in LEAPS or (steps, semitones) == (5, 8)):
                yield self._broken("interval", k, f"{self._named(size)} is not sung")
            moves.append((k, steps, semitones))
        moving = [m for m in moves if m[2]]
        for (_, steps, semitones), (k, after_steps, after) in itertools.pairwise(moving):
            leap, second = abs(steps) >= 2, abs(after_steps) >= 2
            on = semitones * after > 0
            if abs(semitones) >= 8 and on:
                yield self._broken("recovery", k, "after a sixth or an octave the line must turn back")
            elif leap and second and on:
                whole = abs(steps + after_steps), abs(semitones + after)
                if (abs(steps) >= 3 and abs(after_steps) >= 3) or whole not in LEAPS | {(5, 8), (5, 9), (4, 7)}:
                    yield self._broken("leaps", k, "two leaps the same way, too wide together")
        yield from self._tritones(moving)
        wide = max(self.pitch) - min(self.pitch)
        if wide > max(MOST_SEMITONES, max(self.given) - min(self.given)):
            yield self._broken("range", self.pitch.index(max(self.pitch)), "the line has a range of more than a tenth")
        tops = [k for k in order if self.pitch[k] == max(self.pitch)]
        if len(tops) > 1:
            yield self._broken("climax", tops[1], "the highest note comes more than once", hard=False)

    @staticmethod
    def _named(size: tuple[int, int]) -> str:
        steps, semitones = size
        if size in ((5, 8), (5, 9)):
            return "a sixth, unless minor and up,"
        if steps <= 1:
            return "a chromatic step or an augmented second"
        return "a tritone" if semitones == 6 else f"an augmented or diminished {interval_words(steps)}" if (
            steps in (2, 3, 4, 7)) else f"a {interval_words(steps)}"

    def _tritones(self, moving: Sequence[tuple[int, int, int]]) -> Iterator[SpeciesBreak]:
        """A run from turn to turn that spans an augmented fourth."""
        steps = span = 0
        for n, (k, step, semitones) in enumerate(moving):
            going = n > 0 and moving[n - 1][2] * semitones > 0
            steps, span = (steps + step, span + semitones) if going else (step, semitones)
            turns = n + 1 == len(moving) or moving[n + 1][2] * semitones < 0
            if turns and (abs(steps), abs(span)) == (3, 6) and abs(step) < 3:
                yield self._broken("tritone", k, "the line outlines a tritone")

    # --- how it begins and ends ----------------------------------------------------------------------------------

    def frame(self) -> Iterator[SpeciesBreak]:
        """The first and last intervals, the clausula, and notes that the mode alters."""
        last, penult = len(self.parts) - 1, len(self.parts) - 2
        opens = (0, 4) if self.above else (0,)
        if self.kind[0] != PERFECT or self.width[0] % 7 not in opens:
            yield self._broken("opening", 0, "it begins with neither unison, octave" + (
                " nor fifth" if self.above else ""))
        if self.kind[last] != PERFECT or self.width[last] % 7:
            yield self._broken("ending", last, "it ends with neither octave nor unison")
        moved = self.given_step[last] - self.given_step[penult]
        if abs(moved) == 1 and not self._by_step(last):
            yield self._broken("clausula", last, "the last note is not reached by step")
        raised = self.mode.raised_seventh
        for k in range(last):
            at_close = self.parts[k].note >= self.last - 1
            if raised is not None and self.pitch[k] % 12 == raised:
                if not at_close or (k != penult and self.pitch[k] != self.pitch[penult]):
                    yield self._broken("altered", k, "the raised seventh belongs before the last note")
            elif self.mode.raised_sixth is not None and self.pitch[k] % 12 == self.mode.raised_sixth and (
                    not at_close or self.pitch[k + 1] % 12 != raised):
                yield self._broken("altered", k, "the raised sixth belongs before the raised seventh")
        if self.pitch[last] % 12 == self.mode.final and raised is not None and self._by_step(last) == 1 and (
                self.pitch[penult] % 12 != raised):
            yield self._broken("leading", penult, "the seventh is not raised before the last note")
        elif self.pitch[last] % 12 != self.mode.final:
            yield self._broken("leading", last, "it does not close on the final")

