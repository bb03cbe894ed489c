"""The rules of part-writing as costs: what each row of ``tables/voice_leading.json`` says of chords and of steps.

Everything is worked out for many voicings at once: a rule of kind `chord` gives a cost for each, a rule of kind `step`
one for each pair of a voicing and the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.models.rules.plan import RomanChord, numeral

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]
Table = Mapping[str, Any]
Costs = Iterator[tuple[str, FloatArray]]

_CLASS = np.zeros(256, np.int8)                 # of an interval: 1 octave or unison, 2 fifth, 0 any other
_CLASS[(np.arange(256) - 128) % 12 == 0] = 1
_CLASS[(np.arange(256) - 128) % 12 == 7] = 2


class VoicePart(NamedTuple):
    """A voice: its name and the lowest and highest pitch that it may take."""

    name: str
    low: int
    high: int


class Moment(NamedTuple):
    """One chord as the rules need it: pitch classes by part of the chord, what must resolve, and the kept pitches."""

    harmony: RomanChord
    leading: int
    home: int
    seventh: int
    first: tuple[int, ...]       # a voice: the pitch kept there, −1 where it is free
    last: tuple[int, ...]


@cache
def voice_leading_table() -> Table:
    """Return the table of part-writing: each rule with its weight and its sentence.

    >>> voice_leading_table()["rules"]["fifths"]["rule"]
    'no two voices move in parallel fifths'
    """
    text = (Path(__file__).with_name("tables") / "voice_leading.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def moments_of(harmonies: Sequence[RomanChord], voices: int,
               kept: Mapping[int, Sequence[tuple[int, int]]]) -> list[Moment]:
    """Return each harmony as the rules need it, with the pitches kept there by voice."""
    out = []
    for t, harmony in enumerate(harmonies):
        said = numeral(harmony.degree, harmony.mode)
        leading = (said.leading + harmony.tonic) % 12 if said.leading >= 0 else -1
        seventh = harmony.pitches[3] if len(harmony.pitches) > 3 else -1
        pairs = [kept[v][t] if v in kept else (-1, -1) for v in range(voices)]
        out.append(Moment(harmony, leading if leading in harmony.pitches else -1, (said.home + harmony.tonic) % 12,
                           seventh, tuple(int(a) for a, _ in pairs), tuple(int(b) for _, b in pairs)))
    return out


# --- what the rules cost ------------------------------------------------------------------------------------------


def chord_sum(costs: Costs, n: int) -> FloatArray:
    """float64[n]: the sum over rules."""
    out = np.zeros(n)
    for _, cost in costs:
        out += cost
    return out


def _weight(rules: Table, name: str) -> float:
    value = rules["rules"][name]["weight"]
    return float(rules["never"]) if value == "never" else float(value)


def chord_costs(moment: Moment, rows: IndexArray, parts: Sequence[VoicePart], rules: Table) -> Costs:
    """What each rule of kind `chord` costs, float64[n] a rule."""
    gap = rows[:, :-1] - rows[:, 1:]
    yield "crossing", _weight(rules, "crossing") * (gap < 0).sum(axis=1)
    yield "unison", _weight(rules, "unison") * (gap == 0).sum(axis=1)
    yield "spacing", _weight(rules, "spacing") * (gap[:, :-1] > 12).sum(axis=1)
    yield "bass_spacing", _weight(rules, "bass_spacing") * np.maximum(gap[:, -1] - 19, 0)
    low = (rows[:, 1:] < 48) & (gap > 0) & (gap < 5)
    yield "low_third", _weight(rules, "low_third") * low.sum(axis=1)
    classes = rows % 12
    harmony = moment.harmony
    yield "wrong_bass", _weight(rules, "wrong_bass") * (classes[:, -1] != harmony.bass)
    counts = [(classes == tone).sum(axis=1) for tone in harmony.pitches]
    place = harmony.place
    kinds = ("missing_root", "missing_third", "missing_fifth", "missing_seventh")
    diminished = len(counts) > 2 and (harmony.pitches[2] - harmony.pitches[0]) % 12 == 6
    for index, count in enumerate(counts[:min(4, rows.shape[1] + 1)]):
        name = kinds[index]
        if index == 2 and (place or diminished):
            name = "missing_fifth_inverted"
        yield name, _weight(rules, name) * (count == 0) * {2: 0.1, 3: 0.4}.get(rows.shape[1], 1.0)
    if moment.leading >= 0:
        extra = np.maximum((classes == moment.leading).sum(axis=1) - 1, 0)
        yield "doubled_leading", _weight(rules, "doubled_leading") * extra
    if len(counts) > 3:
        yield "doubled_seventh", _weight(rules, "doubled_seventh") * np.maximum(counts[3] - 1, 0)
    if len(counts) > 2:
        third = (harmony.pitches[1] - harmony.pitches[0]) % 12
        if diminished:
            yield "diminished_root", _weight(rules, "diminished_root") * np.maximum(counts[0] - 1, 0)
        elif place == 0:
            yield "doubled_third", _weight(rules, "doubled_third") * np.maximum(counts[1] - 1, 0)
            yield "doubled_fifth", _weight(rules, "doubled_fifth") * np.maximum(counts[2] - 1, 0)
        elif place == 1 and third == 4:
            yield "doubled_bass_sixth", _weight(rules, "doubled_bass_sixth") * np.maximum(counts[1] - 1, 0)
        elif place == 2 and len(counts) == 3 < rows.shape[1]:
            yield "six_four_bass", _weight(rules, "six_four_bass") * (counts[2] < 2)
    free = np.array([pitch < 0 for pitch in moment.first])
    middle = np.array([(part.low + part.high) / 2 for part in parts])
    quarter = np.array([max((part.high - part.low) / 4, 2) for part in parts])
    out = np.maximum(np.abs(rows - middle) - quarter, 0) * free
    yield "register", _weight(rules, "register") * (out ** 2).sum(axis=1)


def step_sum(one: Moment, two: Moment, before: IndexArray, after: IndexArray, rules: Table) -> FloatArray:
    """float64[n, m]: what each step from a voicing to the next costs by all rules of kind `step`."""
    out = np.zeros((len(before), len(after)))
    for _, cost in step_costs(one, two, before, after, rules):
        out += cost
    return out


def step_costs(one: Moment, two: Moment, before: IndexArray, after: IndexArray, rules: Table) -> Costs:
    """What each rule of kind `step` costs, float64[n, m] a rule (or what broadcasts to it)."""
    voices = before.shape[1]
    leave = before.copy()                              # where a kept line stands when the next chord comes
    for v, pitch in enumerate(one.last):
        if pitch >= 0:
            leave[:, v] = pitch
    moves = [after[None, :, v] - leave[:, None, v] for v in range(voices)]
    moved = [move != 0 for move in moves]
    signs = [np.sign(move) for move in moves]
    fifths: Any = np.zeros((len(before), len(after)))
    octaves, contrary, beats, hidden, inner, unequal = (fifths.copy() for _ in range(6))
    weight = {name: _weight(rules, name) for name in rules["rules"]}
    changed = [v for v in range(voices) if one.last[v] >= 0 and one.last[v] != one.first[v]]
    for i, j in combinations(range(voices), 2):
        start, stop = _CLASS[leave[:, i] - leave[:, j] + 128], _CLASS[after[:, i] - after[:, j] + 128]
        if stop.any():
            same_way = signs[i] * signs[j] > 0
            if start.any():
                again = (start[:, None] == stop[None, :]) & (stop > 0)[None, :]
                both = again & moved[i] & moved[j]
                same = both & same_way
                fifths += same & (stop == 2)[None, :]
                octaves += same & (stop == 1)[None, :]
                contrary += both & ~same_way
            if i in changed or j in changed:
                first = _CLASS[before[:, i] - before[:, j] + 128]
                held = (first[:, None] == stop[None, :]) & (stop > 0)[None, :]
                beats += held & (after[None, :, i] != before[:, None, i]) & (after[None, :, j] != before[:, None, j])
            leap = np.abs(moves[i]) > 2
            into = same_way & leap & ((stop > 0)[None, :] & (start[:, None] != stop[None, :]))
            if (i, j) == (0, voices - 1):
                hidden += into
            else:
                inner += into & (np.abs(moves[j]) > 2)
        if j == voices - 1:
            flat = (leave[:, i] - leave[:, j]) % 12 == 6
            if flat.any():
                unequal += flat[:, None] & (stop == 2)[None, :] & (signs[i] * signs[j] > 0)
    yield "fifths", weight["fifths"] * fifths
    yield "octaves", weight["octaves"] * octaves
    yield "contrary", weight["contrary"] * contrary
    if changed:
        yield "beat_fifths", weight["beat_fifths"] * beats
    yield "unequal_fifths", weight["unequal_fifths"] * unequal
    yield "hidden", weight["hidden"] * hidden
    yield "hidden_inner", weight["hidden_inner"] * inner
    over = np.zeros((len(before), len(after)))
    for v in range(voices - 1):
        over += (after[None, :, v] < leave[:, None, v + 1]) | (after[None, :, v + 1] > leave[:, None, v])
    yield "overlap", weight["overlap"] * over
    yield from _tendencies(one, two, leave, after, moves, weight)
    yield from _motions(one, two, leave, after, moves, signs, rules)


def _tendencies(one: Moment, two: Moment, leave: IndexArray, after: IndexArray, moves: Sequence[IndexArray],
                weight: Mapping[str, float]) -> Costs:
    """Leading tones, sevenths, altered notes."""
    voices = leave.shape[1]
    tones = two.harmony.pitches
    if one.leading >= 0 and one.leading not in tones:
        outer, inner = np.zeros((len(leave), len(after))), np.zeros((len(leave), len(after)))
        close = one.harmony.place == 0 and two.harmony.degree in ("I", "i")
        falls = (one.leading + 11) % 12 in tones             # the leading tone sinks into the next dominant's seventh
        for v in range(voices):
            there = (leave[:, v] % 12 == one.leading)[:, None]
            wrong = there & (moves[v] != 1) & ~(falls & (moves[v] == -1))
            if one.home in tones or falls:
                if v in (0, voices - 1):
                    outer += wrong
                else:
                    inner += wrong * np.where((moves[v] == -4) & close, 0.3, 1.0)
        yield "leading_outer", weight["leading_outer"] * outer
        yield "leading_inner", weight["leading_inner"] * inner
    if one.seventh >= 0:
        held = np.zeros((len(leave), len(after)))
        for v in range(voices):
            there = (leave[:, v] % 12 == one.seventh)[:, None]
            held += there & (moves[v] != -1) & (moves[v] != -2) & ~((moves[v] == 0) & (one.seventh in tones))
        if one.harmony.root == two.harmony.root:             # the chord goes on: another voice may take its seventh
            held = held * 0.1
        yield "seventh_falls", weight["seventh_falls"] * held
    if two.seventh >= 0:
        sprung: Any = sum(((after[None, :, v] % 12 == two.seventh) & (np.abs(moves[v]) > 2)).astype(float)
                     for v in range(voices))
        yield "seventh_prepared", weight["seventh_prepared"] * sprung
    altered = [(x, y) for y in tones for x in ((y - 1) % 12, (y + 1) % 12)
               if x in one.harmony.pitches and x not in tones and y not in one.harmony.pitches
               and _altered(x, y, one.harmony, two.harmony)]
    for x, y in altered:
        cross = np.zeros((len(leave), len(after)))
        for v in range(voices):
            cross += (leave[:, v] % 12 == x)[:, None] & (after[None, :, v] % 12 != y)
        cross = np.minimum(cross, (after % 12 == y).any(axis=1)[None, :])
        yield "false_relation", weight["false_relation"] * cross


def _altered(x: int, y: int, one: RomanChord, two: RomanChord) -> bool:
    """Whether two pitch classes a semitone apart are one letter: one of them is outside the natural scale, no leading
    tone to the other."""
    said = numeral(two.degree, two.mode)
    raised = said.leading >= 0 and (said.leading + two.tonic) % 12 == y and x == (y - 1) % 12
    before = numeral(one.degree, one.mode)
    lowered = before.leading >= 0 and (before.leading + one.tonic) % 12 == x and y == (x - 1) % 12
    return raised or lowered


def _motions(one: Moment, two: Moment, leave: IndexArray, after: IndexArray, moves: Sequence[IndexArray],
             signs: Sequence[IndexArray], rules: Table) -> Costs:
    """How far and which way the voices go."""
    voices = leave.shape[1]
    row = rules["rules"]["motion"]
    weight = {name: _weight(rules, name) for name in ("augmented", "tritone", "wide", "together", "common_tone",
                                                      "repeated")}
    shape = (len(leave), len(after))
    motion, augmented, tritone, wide, tied = (np.zeros(shape) for _ in range(5))
    steps = _augmented(two.harmony) | _augmented(one.harmony)
    common = set(one.harmony.pitches) & set(two.harmony.pitches)
    for v in range(voices):
        if two.first[v] >= 0:
            continue                                     # a kept line is as it is
        size = np.minimum(np.abs(moves[v]), 12)
        motion += np.array(row["bass" if v == voices - 1 else "outer" if v == 0 else "inner"])[size]
        far = np.abs(moves[v])
        wide += (far == 10) | (far == 11) | (far > 12)
        tritone += far == 6
        for low, high in steps:
            up = (leave[:, v] % 12 == low)[:, None] & (after[None, :, v] % 12 == high) & (moves[v] == 3)
            down = (leave[:, v] % 12 == high)[:, None] & (after[None, :, v] % 12 == low) & (moves[v] == -3)
            augmented += up | down
        if 0 < v < voices - 1 and common:
            tied += np.isin(leave[:, v] % 12, list(common))[:, None] & (moves[v] != 0)
    yield "motion", float(row["weight"]) * motion
    yield "augmented", weight["augmented"] * augmented
    yield "tritone", weight["tritone"] * tritone
    yield "wide", weight["wide"] * wide
    yield "common_tone", weight["common_tone"] * tied
    if voices > 2:
        way = sum(signs)
        yield "together", weight["together"] * (np.abs(way) == voices)
    if two.first[-1] < 0 and one.harmony.degree != two.harmony.degree:
        yield "repeated", weight["repeated"] * (moves[-1] == 0)


def _augmented(harmony: RomanChord) -> set[tuple[int, int]]:
    """The augmented seconds that lurk in a key: in minor from the sixth degree up to the leading tone."""
    return {((harmony.tonic + 8) % 12, (harmony.tonic + 11) % 12)} if harmony.mode == "minor" else set()
