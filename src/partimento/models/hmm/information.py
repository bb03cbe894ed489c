"""How much every note tells: the hidden chains followed along the notes, each choice given all that was chosen before.

Parts are taken in the order of writing. Of each, all onsets come first, step by step; then how many begin at once,
which (the chords as likely as all notes before have made them, in this part and in those before it), then how long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from partimento.counting.hidden import Chain
from partimento.models.base import Information, entropy_of
from partimento.models.hmm.details import SIZES, Habits
from partimento.models.hmm.line import ChordLine, rekeyed
from partimento.models.hmm.page import Bools, Floats, Ints, SteppedNotes
from partimento.models.hmm.pitch import CLASSES, Weights
from partimento.models.hmm.rhythm import Patterns, ago_of, entries_of, memory_of
from partimento.models.hmm.sheet import HarmonySheet
from partimento.models.hmm.write import BlankPart, Pitched

_TOLD = ("rhythm", "size", "pitch", "duration")
Add = Callable[[str, int, float, float], None]


def hmm_information(sheet: HarmonySheet) -> Information:
    """What every note of a sheet tells, all of it to be weighed."""
    n = len(sheet.score)
    told = np.full((2, len(_TOLD), n), np.nan)
    told[:, :, sheet.index] = 0.0
    ends = np.zeros(2)

    def add(stage: str, place: int, content: float, entropy: float) -> None:
        told[:, _TOLD.index(stage), sheet.index[place]] += content, entropy

    _, _, _, keys = sheet.harmony(sheet.key)
    groups: list[list[tuple[Pitched, int]]] = []
    for part, role in sheet.parts(sheet.kept):
        patterns, habits = sheet.learnt.patterns[role], sheet.learnt.habits(role)
        given = sheet.given(part)
        of = {(int(sheet.content.onset[i]), int(sheet.content.pitch[i])): i for i in
              np.flatnonzero(sheet.content.track == part.track).tolist()}
        struck = part.standing.copy()
        struck[given.onset] = True
        _, pitched = part.weigh_pitches(habits, struck, given, keys)
        groups.append([(one, of[one.step, one.pitch]) for one in pitched])
        first: dict[int, int] = {}
        for one, place in groups[-1]:
            first.setdefault(one.step, place)
        ends += _rhythm(part, patterns, struck, first, add)
        _sizes(part, habits, struck, given, keys, first, add)
        _lengths(part, patterns, habits, struck, given, of, add)
        sheet.stand = SteppedNotes.joined([sheet.stand, sheet.content.where(sheet.content.track == part.track)])
    _pitches(sheet, groups, add)
    content, entropy = (dict(zip(_TOLD, own, strict=True)) for own in told)
    return Information.from_nats(content, entropy, {"rhythm": (float(ends[0]), float(ends[1]))})


def _rhythm(part: BlankPart, patterns: Patterns, struck: Bools, first: dict[int, int], add: Add) -> Floats:
    """Whether a note begins, step by step; what is told after the last onset comes back."""
    page = part.page
    chance = _onset_chances(part, patterns, struck)
    pending, weight, beat = np.zeros(2), patterns.chain.start, 0
    entries = entries_of(page)
    for step, (now, strikes) in enumerate(zip(page.beat.tolist(), struck.tolist(), strict=True)):
        while beat < now:
            beat += 1
            weight = weight @ patterns.chain.moves[entries[beat]]
        yes = float(weight @ chance[step])
        pending += -np.log(yes if strikes else 1 - yes), float(entropy_of(np.array([yes, 1 - yes])))
        weight = weight * (chance[step] if strikes else 1 - chance[step])
        weight = weight / weight.sum()
        if strikes:
            add("rhythm", first[step], *pending.tolist())
            pending = np.zeros(2)
    return pending


def _onset_chances(part: BlankPart, patterns: Patterns, struck: Bools) -> Floats:
    """float64[steps, K]: the chance of an onset at each step in each state."""
    page = part.page
    ago = ago_of(page, struck, np.ones(page.steps, bool))
    return np.asarray(patterns.strikes[:, page.slot, ago * 2 + part.around.strikes].T)


def _sizes(part: BlankPart, habits: Habits, struck: Bools, given: SteppedNotes, keys: tuple[Ints, Ints],
           first: dict[int, int], add: Add) -> None:
    """How many begin at once."""
    steps = np.flatnonzero(struck).tolist()
    line = ChordLine(part.page, part.role, part.kind.program, part.around, steps, keys)
    before = 0
    for step in steps:
        chances = part.size_chances(habits, line, step, before, 0)
        chord = line.ordered(given.pitch[given.onset == step].tolist())
        add("size", first[step], -float(np.log(chances[min(len(chord), SIZES) - 1])), float(entropy_of(chances)))
        line.stand(step, chord)
        before = len(chord)


def _lengths(part: BlankPart, patterns: Patterns, habits: Habits, struck: Bools, given: SteppedNotes,
             of: dict[tuple[int, int], int], add: Add) -> None:
    """Whether each note lasts to the next onset, as likely as all onsets and the notes before say; if not, how long."""
    page, chain, new = part.page, patterns.chain, list(zip(given.onset.tolist(), given.pitch.tolist(), strict=True))
    chance = _onset_chances(part, patterns, struck)
    logs = np.where(struck[:, None], np.log(chance), np.log1p(-chance))
    evidence = np.zeros((page.beats, len(patterns.full)))
    np.add.at(evidence, page.beat, logs)
    walk = _Following(chain, evidence, entries_of(page))
    last: tuple[int, bool] | None = None
    before: int | None = None
    for (step, pitch), (gap, most), end in zip(new, part.gaps(struck, new), given.end.tolist(), strict=True):
        length = min(max(end - step, 1), most)
        if most == 1:
            continue
        held, full = patterns.full[:, memory_of(step, last)], length == gap
        yes = float(walk.at(int(page.beat[step])) @ held)
        content, entropy = -np.log(yes if full else 1 - yes), float(entropy_of(np.array([yes, 1 - yes])))
        walk.take(np.log(held) if full else np.log1p(-held))
        if not full:
            chances = habits.detached(gap, most, before)
            content, entropy = content - np.log(chances[length]), entropy + float(entropy_of(chances))
        add("duration", of[step, pitch], float(content), entropy)
        last, before = (step, full), None if full else length


class _Following:
    """A chain followed beat by beat: its states given all of `evidence` (logarithms), and what was taken by now."""

    def __init__(self, chain: Chain, evidence: Floats, inputs: Ints) -> None:
        self.chain, self.inputs, self.beat = chain, inputs, 0
        seen = np.exp(evidence - evidence.max(axis=1, keepdims=True))
        self.seen, self.behind = seen, np.ones_like(seen)
        for beat in range(len(seen) - 2, -1, -1):
            row = chain.moves[inputs[beat + 1]] @ (seen[beat + 1] * self.behind[beat + 1])
            self.behind[beat] = row / row.sum()
        self.weight = chain.start * seen[0]

    def at(self, beat: int) -> Floats:
        """float64[K]: the chance of each state at a beat, none before the last one asked for."""
        while self.beat < beat:
            self.beat += 1
            self.weight = (self.weight @ self.chain.moves[self.inputs[self.beat]]) * self.seen[self.beat]
            self.weight /= self.weight.sum()
        found = self.weight * self.behind[beat]
        return np.asarray(found / found.sum())

    def take(self, logs: Floats) -> None:
        """Know at the beat asked for last what has these logarithms in each state."""
        self.weight = self.weight * np.exp(logs - logs.max())
        self.weight /= self.weight.sum()


# --- pitches ---------------------------------------------------------------------------------------------------------


def _pitches(sheet: HarmonySheet, groups: list[list[tuple[Pitched, int]]], add: Add) -> None:
    """Which pitch, from the mixture of all keys where none is known."""
    keys = [(sheet.key, 1.0)] if sheet.key_known else sheet.learnt.keys
    walks = [_KeyedPitches(sheet, key, not sheet.key_known) for key, _ in keys]
    logs = np.log([weight for _, weight in keys])
    for group in groups:
        pitches = np.array([one.pitch for one, _ in group], np.int64)
        weights, taken = logs[:, None], np.zeros((len(keys), len(group)))
        said = []
        for k, walk in enumerate(walks):
            said.append(np.array(list(walk.along([one for one, _ in group]))).reshape(-1, 128))
            with np.errstate(divide="ignore"):
                taken[k] = np.log(said[-1][np.arange(len(group)), pitches])
        weights = logs[:, None] + np.cumsum(taken, axis=1) - taken
        weights = np.exp(weights - np.logaddexp.reduce(weights, axis=0)) if len(group) else weights
        mixed = sum((weights[k, :, None] * said[k] for k in range(len(keys))), np.zeros((len(group), 128)))
        for (one, place), chances in zip(group, mixed, strict=True):
            add("pitch", place, -float(np.log(chances[one.pitch])), float(entropy_of(chances)))
        logs = logs + taken.sum(axis=1)


class _KeyedPitches:
    """The chain of harmony in one key, knowing all parts told so far."""

    def __init__(self, sheet: HarmonySheet, key: tuple[int, int] | None, other: bool) -> None:
        self.weights: Weights = sheet.learnt.weights
        self.chain, self.evidence, self.inputs, keys = sheet.harmony(key)
        self.keys = keys if other else None

    def along(self, pitched: list[Pitched]) -> Iterator[Floats]:
        """The chances (float64[128]) of the pitch of every note of a part, each told once the next is asked for."""
        walk = _Following(self.chain, self.evidence, self.inputs)
        known = self.evidence.copy()
        for one in pitched:
            seen = one.seen
            if self.keys is not None:
                seen = rekeyed(seen, int(self.keys[0][one.beat]), int(self.keys[1][one.beat]))
            base = np.where(one.legal, self.weights.base(seen), -np.inf)
            mass = np.exp(base - base.max())
            if seen.tonic < 0:
                yield mass / mass.sum()
                continue
            chord = np.exp(self.weights.by_state(seen))
            total = chord @ np.bincount(CLASSES, mass, 12)
            share = (walk.at(one.beat) / total) @ chord
            yield mass * share[CLASSES]
            logs = np.log(chord[:, one.pitch % 12] / total)
            walk.take(logs)
            known[one.beat] += logs
        self.evidence = known
