"""The lead: motifs drawn by rhythm and contour, developed through a phrase, and set to the harmonies as one line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from partimento.models.base import Rng
from partimento.models.rules.form import BeatBar
from partimento.models.rules.lines import STEPS, LineRules, draw_line
from partimento.models.rules.plan import Phrase
from partimento.models.rules.sketch import TOP, NoteSpan, Sketch, arch, rules_table
from partimento.sampling import draw

NONE = float("nan")
RECOVERY = {"leap_after_leap": 2.6, "leap_steps_on": 1.6, "leap_goes_on": 4.0}      # nats: a leap is filled
JOIN = 0.5              # nats a semitone over a step by which a new line is away from what is kept beside it
CLIMAX = 0.9            # nats a semitone that the one high note of a piece lies under its height


class Motif(NamedTuple):
    """A figure of one bar: (start, end) of its notes as places in the bar's beats, and the scale steps between them."""

    rhythm: tuple[tuple[float, float], ...]
    steps: tuple[int, ...]


def draw_rhythm(bar: BeatBar, cells: Mapping[str, float], rng: Rng) -> tuple[tuple[float, float], ...]:
    """Return (start, end) of the notes of a bar in beats from its start, of cells drawn by their weights.

    A bar never stays empty: where only rests were drawn it gets a note on its first beat.
    """
    table = rules_table("melody")
    known, compound = table["cells"], table["compound"]
    notes: list[list[float]] = []
    at = 0
    while at < len(bar.beats):
        names = [n for n in sorted(cells) if known[n]["beats"] <= len(bar.beats) - at] or ["q"]
        name = names[draw([cells.get(n, 1.0) for n in names], rng.random())]
        cell = known[name]
        places = compound[name] if bar.in_threes(at) and name in compound else \
            [in_thirds(bar, at, place) for place in cell["at"]]
        if cell.get("rest") and notes:
            notes[-1][1] = min(notes[-1][1], float(at))
        for place in places:
            if notes and notes[-1][1] > at + place:
                notes[-1][1] = at + place
            notes.append([at + place, float(at + cell["beats"])])
        at += cell["beats"]
    return tuple((a, b) for a, b in notes) or ((0.0, float(len(bar.beats))),)


def bar_tick(bar: BeatBar, place: float) -> int:
    """Return the tick of a place in a bar, in beats from its start.

    >>> bar_tick(BeatBar(0, 1920, ((0, 480), (480, 480), (960, 480), (1440, 480))), 1.5)
    720
    """
    if place >= len(bar.beats) - 1e-6:
        return bar.end
    beat = int(place + 1e-9)
    start, length = bar.beats[beat]
    return start + round((place - beat) * length)


def in_thirds(bar: BeatBar, at: int, place: float) -> float:
    """Return a place counted from beat `at`, moved on to the next third where its beat falls into three.

    >>> six = BeatBar(0, 1440, ((0, 720), (720, 720)), True)
    >>> round(in_thirds(six, 0, 1.5), 3), round(in_thirds(six, 0, 0.25), 3), in_thirds(six, 0, 1)
    (1.667, 0.333, 1)
    """
    beat = int(place + 1e-6)
    if at + beat >= len(bar.beats) or not bar.in_threes(at + beat):
        return place
    return beat + min(math.ceil(3 * (place - beat) - 0.1), 2) / 3 if place > beat + 1e-6 else place


def draw_motif(bar: BeatBar, cells: Mapping[str, float], rng: Rng) -> Motif:
    """Return a motif of one bar: a rhythm of the cells, and steps that mostly go on the way they came."""
    table = rules_table("melody")["motif"]
    rhythm = draw_rhythm(bar, cells, rng)
    sizes = sorted(int(step) for step in table["steps"])
    steps: list[int] = []
    for _ in rhythm[1:]:
        weights = []
        for size in sizes:
            weight = table["steps"][str(size)]
            if steps and abs(steps[-1]) >= 3:
                weight *= 3.0 if -2 <= size * np.sign(steps[-1]) < 0 else 0.3
            elif steps and size * steps[-1] > 0:
                weight *= table["goes_on"]
            weights.append(weight)
        steps.append(sizes[draw(weights, rng.random())])
    return Motif(rhythm, tuple(steps))


def motif_of(sketch: Sketch, notes: Sequence[tuple[int, int, int]]) -> dict[str, Motif]:
    """Return the motifs ``a`` and ``b`` of a melody that is there: its most usual bar by rhythm, and the one after it.

    `notes` are (onset, end, pitch), one at a time. Empty where there is no bar of at least two notes.
    """
    bars: dict[int, list[tuple[int, int, int]]] = {}
    for note in notes:
        bars.setdefault(sketch.bar_at(note[0]), []).append(note)
    found: dict[int, Motif] = {}
    for number, own in bars.items():
        bar = sketch.bars[number]
        if len(own) < 2 or not bar.beats:
            continue
        tonic = sketch.harmony_at(own[0][0]).tonic
        rhythm = tuple((_place_of(bar, a), _place_of(bar, min(b, bar.end))) for a, b, _ in own)
        degrees = [(p - tonic) // 12 * 7 + int(STEPS[(p - tonic) % 12]) for _, _, p in own]
        steps = tuple(b - a for a, b in pairwise(degrees))
        if 2 * sum(step != 0 for step in steps) >= len(steps):      # what only repeats a note is no motif
            found[number] = Motif(rhythm, steps)
    if not found:
        return {}
    shapes = [motif.rhythm for motif in found.values()]
    first = max(found, key=lambda n: (shapes.count(found[n].rhythm), n))
    second = next((n for n in sorted(found) if n > first), first)
    return {"a": found[first], "b": found[second]}


def _place_of(bar: BeatBar, tick: int) -> float:
    for number, (start, length) in enumerate(bar.beats):
        if tick < start + length:
            return round(number + (tick - start) / length, 6)
    return float(len(bar.beats))


def developed(motif: Motif, how: str, beats: int) -> Motif:
    """Return a motif inverted (``~``), broken into its first half twice (``f``), or in doubled values (``+``).

    >>> developed(Motif(((0, 1), (1, 2), (2, 4)), (1, -2)), "~", 4).steps
    (-1, 2)
    >>> developed(Motif(((0, 1), (1, 2), (2, 4)), (1, -2)), "f", 4).rhythm
    ((0, 1), (1, 2), (2.0, 3.0), (3.0, 4.0))
    """
    rhythm, steps = motif
    if how == "~":
        return Motif(rhythm, tuple(-s for s in steps))
    half = beats / 2 if beats % 2 == 0 else float(beats // 2)
    head = [(a, min(b, half)) for a, b in rhythm if a < half]
    if half < 1 or not head or how not in ("f", "+"):
        return motif
    inner = steps[:len(head) - 1]
    if how == "f":
        again = [(a + half, b + half) for a, b in head]
        if beats % 2:
            again[-1] = (again[-1][0], float(beats))
        return Motif((*head, *again), (*inner, 99, *inner))
    return Motif(tuple((2 * a, min(2 * b, float(beats))) for a, b in head), inner)


class Theme:
    """The motifs of every section, drawn when they are first needed, and the rhythm of every phrase by its bars.

    `given` are motifs that are there already: ``a`` and ``b`` of the piece, ``B.a`` that of a section by its label.
    """

    def __init__(self, style: Mapping[str, Any], rng: Rng, given: Mapping[str, Motif] | None = None) -> None:
        self.style, self.rng = style, rng
        self._motifs: dict[tuple[str, str, int], Motif] = {}
        self._given = dict(given or {})
        self._schemes: dict[str, str] = {}

    def _motif(self, label: str, name: str, bar: BeatBar) -> Motif:
        key = (label, name, len(bar.beats))
        if key not in self._motifs:
            given = self._given.get(f"{label}.{name}")
            if given is None and self._given:       # another section takes up the same motifs, the answer first
                other = {"a": "b", "b": "a"}.get(name, name)
                given = self._given.get(name if label == "A" else other)
            if given is not None and given.rhythm[-1][0] < len(bar.beats):
                self._motifs[key] = given
            else:
                cells = self.style["cells" if label in ("A", "V", "verse") else "cells_b"]
                used = {motif.rhythm for motif in self._motifs.values()}
                best = draw_motif(bar, cells, self.rng)
                for _ in range(8):      # a theme needs something to hold on to, and an answer another rhythm
                    if (name == "b" or len(best.rhythm) > 1) and best.rhythm not in used:
                        break
                    best = draw_motif(bar, cells, self.rng)
                self._motifs[key] = best
        return self._motifs[key]

    def scheme(self, label: str, second: bool, bars: int) -> list[str]:
        """The plan of a phrase of so many bars, a sign a bar: motifs, how they are developed, ``.`` for a close."""
        table = rules_table("melody")
        if label not in self._schemes:
            names = sorted(table["schemes"])
            weights = [table["schemes"][n]["weight"] for n in names]
            self._schemes[label] = names[draw(weights, self.rng.random())]
        name = table["second"][self._schemes[label]] if second else self._schemes[label]
        plan = list(table["schemes"][name]["bars"])
        if bars < 4:
            return [".", *()][:bars] if bars == 1 else [*plan[:bars - 1], "."]
        return [*(["a", "b"] * bars)[:bars - 4], *plan]

    def bar(self, label: str, sign: str, bar: BeatBar) -> Motif:
        """What one bar of a phrase has: the motif of its section, developed as the sign says."""
        motif = self._motif(label.rstrip("'"), "a" if sign[0] == "f" else sign[0], bar)
        how = "f" if sign == "f" else sign[1:]
        return developed(motif, how, len(bar.beats)) if how else motif


def phrase_spans(sketch: Sketch, theme: Theme, index: int, last: bool) -> list[NoteSpan]:
    """Return the notes of the lead in one phrase, without their pitches; `last`: the piece ends with it."""
    phrase = sketch.phrases[index]
    second = index > 0 and sketch.phrases[index - 1].label == phrase.label
    signs = theme.scheme(phrase.label.rstrip("'"), second, phrase.bars)
    spans: list[NoteSpan] = []
    for sign, number in zip(signs, range(phrase.first_bar, phrase.first_bar + phrase.bars), strict=True):
        bar = sketch.bars[number]
        if not bar.beats:
            continue
        beats = len(bar.beats)
        closes = sign == "." and (phrase.cadence not in ("", "?") or last)
        if closes:
            hold = beats if last else max(1, beats - (1 if beats > 1 else 0))
            motif = Motif(((0.0, float(hold)),), ())
            if not last and phrase.cadence == "HC" and beats > 2:
                motif = Motif(((0.0, 1.0), (1.0, float(hold))), (-1,))
        else:
            motif = theme.bar(phrase.label, "b" if sign == "." else sign, bar)
            if sign == "." and phrase.bars > 1 and beats > 1:       # a breath where no cadence closes
                motif = _breathing(motif, bar)
        steps = [NONE, *(float(s) if abs(s) < 90 else NONE for s in motif.steps)]
        for k, (a, b) in enumerate(motif.rhythm):
            start, end = bar_tick(bar, a), bar_tick(bar, b)
            if end > start:
                gap = bool(spans) and start - spans[-1].end >= sketch.around.ticks_per_quarter // 2
                spans.append(NoteSpan(start, end, steps[k] if k < len(steps) else NONE, not spans or gap))
    return spans


def _breathing(motif: Motif, bar: BeatBar) -> Motif:
    """The first half of a bar's motif, its last note held, and a rest before the next phrase."""
    beats = len(bar.beats)
    head = [note for note in motif.rhythm if note[0] < beats / 2] or [motif.rhythm[0]]
    end = in_thirds(bar, 0, max(head[-1][0] + 0.5, beats - (1.0 if beats > 2 else 0.5)))
    return Motif((*head[:-1], (head[-1][0], min(end, float(beats)))), motif.steps[:len(head) - 1])


def draw_lead(sketch: Sketch, track: int, spans: Sequence[NoteSpan], index: int, fixed: Mapping[int, int],
              before: tuple[int, int] | None, after: tuple[int, int] | None, span: tuple[int, int],
              like: Mapping[int, int]) -> list[int]:
    """Return the pitches of the lead in one phrase.

    `fixed` says which notes (by place) are settled, `before` and `after` the (onset, pitch) of the notes around,
    `span` the lowest and highest pitch, `like` the pitch that each place had when the phrase was heard before.
    """
    table = rules_table("melody")
    weights, phrase = table["place"], sketch.phrases[index]
    whole = list(spans)
    shift = 0
    if before is not None:
        whole.insert(0, NoteSpan(before[0], before[0] + 1))
        shift = 1
    if after is not None:
        whole.append(NoteSpan(after[0], after[0] + 1))
    known = [*fixed.values(), *(n[1] for n in (before, after) if n is not None)]
    low, high = min([span[0], *known]), max([span[1], *known])
    page = sketch.page(track, whole, low, high, weights)
    if not any(row[4] != track for row in sketch.rows):
        page.others = np.vstack([page.others, sketch.basses_under(whole)])
    pitch = page.pitches
    page.unary += ((pitch < span[0]) | (pitch > span[1])) * 80.0
    own = slice(shift, shift + len(spans))
    centre, height = _contour(sketch, phrase, spans, span)
    page.unary[own] += weights["contour"] * (pitch[None, :] - centre[:, None]) ** 2
    page.unary[own] += weights["above_peak"] * np.maximum(pitch[None, :] - height[:, None], 0)
    top = _climax(sketch, phrase, spans)
    if top >= 0:
        page.unary[shift + top] += CLIMAX * np.clip(np.round(height[top]) - pitch, 0, 6)
    _cadence(sketch, phrase, page.unary[own], pitch, spans, weights)
    for place, wanted in like.items():
        if after is not None and place >= len(spans) - 2:
            continue                            # what comes back gives way to what it has to lead into
        page.unary[shift + place] += weights["same_as_before"] * np.minimum(np.abs(pitch - wanted), 3)
        page.wish[shift + place] = NONE
    if before is not None:
        page.unary[shift] += JOIN * np.maximum(np.abs(pitch - before[1]) - 2, 0) * (not spans[0].apart)
        page.fix(0, before[1])
    if after is not None:
        page.unary[shift + len(spans) - 1] += JOIN * np.maximum(np.abs(pitch - after[1]) - 2, 0)
        page.fix(len(whole) - 1, after[1])
    for place, wanted in fixed.items():
        page.fix(shift + place, wanted)
    line = draw_line(page, LineRules({**table["line"], **RECOVERY}), sketch.rng, sketch.temperature, sketch.top_p)
    return line[own]


def _contour(sketch: Sketch, phrase: Phrase, spans: Sequence[NoteSpan], span: tuple[int, int],
             ) -> tuple[np.ndarray[Any, np.dtype[np.float64]], np.ndarray[Any, np.dtype[np.float64]]]:
    """Where the line should lie at each note, and over which pitch it should not go: one high point in the piece."""
    middle = (span[0] + span[1]) / 2
    width = min(span[1] - span[0], 19)
    top_bar = _top(sketch)
    start = sketch.bars[phrase.first_bar].start
    end = sketch.bars[phrase.first_bar + phrase.bars - 1].end
    places = np.array([(s.start - start) / max(end - start, 1) for s in spans])
    has_peak = start <= top_bar < end
    lift = {"A": 0.0, "B": 2.5, "C": 2.0}.get(phrase.label[:1].upper(), 1.0)
    centre = middle - 0.14 * width + lift + 0.3 * width * arch(places) * (1.25 if has_peak else 0.85)
    height = np.full(len(spans), middle + (0.5 if has_peak else 0.32) * width)
    return np.asarray(centre), height


def _top(sketch: Sketch) -> float:
    """The tick about which the high point of the piece lies."""
    return sketch.bars[0].start + TOP * (sketch.bars[-1].end - sketch.bars[0].start)


def _climax(sketch: Sketch, phrase: Phrase, spans: Sequence[NoteSpan]) -> int:
    """Which note of a phrase is the high point of the piece: the strongest and longest near its place, −1 for none."""
    start, end = sketch.bars[phrase.first_bar].start, sketch.bars[phrase.first_bar + phrase.bars - 1].end
    if not start <= _top(sketch) < end or phrase.bars < 2:
        return -1
    aim, beat = start + 0.6 * (end - start), sketch.around.ticks_per_quarter
    inner = range(1, len(spans) - 1)
    return min(inner, default=-1, key=lambda k: (
        abs(spans[k].start - aim) / (2 * beat) + sketch.level(spans[k].start) - 0.5 * (spans[k].end - spans[k].start)
        / beat, k))


def _cadence(sketch: Sketch, phrase: Phrase, unary: Any, pitch: Any, spans: Sequence[NoteSpan],
             weights: Mapping[str, Any]) -> None:
    """The last note of a phrase stands on the degree that its cadence asks for."""
    if not spans or phrase.cadence in ("", "?"):
        return
    start = sketch.bars[phrase.first_bar + phrase.bars - 1].start
    closing = [row for row, s in enumerate(spans) if s.start >= start]
    for row in closing[-1:]:
        over = (pitch - phrase.tonic) % 12
        third = 3 if phrase.mode == "minor" else 4
        if phrase.cadence in ("PAC", "PC"):
            unary[row] += weights["cadence"] * (over != 0)
        elif phrase.cadence in ("IAC", "DC"):
            unary[row] += weights["cadence"] * ~np.isin(over, (0, third, 7)) + weights["cadence_third"] * (over == 0)
        else:
            unary[row] += weights["cadence"] * ~np.isin(over, (2, 7, 11))
