"""The sketch of a piece: its bars, phrases and harmonies, and what is written of it so far."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from partimento.models.base import Rng
from partimento.models.rules.form import BeatBar
from partimento.models.rules.lines import NOTHING, Bools, Floats, Ints, LinePage
from partimento.models.rules.plan import Phrase, RomanChord, scale_degrees
from partimento.sampling import Legal
from partimento.score import Score

TOP = 0.62              # of the piece: where its high point lies
SWELL = 6.0             # velocities by which it is louder about there
LIFT = {"B": 3.0, "C": 5.0, "V": -2.0}         # velocities by which a section is louder than the first
Written = tuple[int, int, int, int, int]        # onset, duration, pitch, velocity, track


@cache
def rules_table(name: str) -> dict[str, Any]:
    """Return one of the family's tables: ``styles``, ``figures``, ``drums``, ``melody``, ``harmony``.

    >>> "waltz" in rules_table("styles")
    True
    """
    text = files("partimento.models.rules").joinpath("tables", f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


class NoteSpan(NamedTuple):
    """A note that is to be: first tick and end, the scale steps from the one before that a motif asks for (NaN: none).

    `apart` says that it begins after a rest or with a phrase.
    """

    start: int
    end: int
    wish: float = float("nan")
    apart: bool = False


class Sketch:
    """What every part is written from, and the notes that stand so far (kept ones and those of parts done)."""

    def __init__(self, around: Score, bars: Sequence[BeatBar], phrases: Sequence[Phrase],
                 harmonies: Sequence[RomanChord], style: Mapping[str, Any], legal: Legal, rng: Rng,
                 temperature: float, top_p: float, closed: bool) -> None:
        self.around, self.bars, self.phrases, self.harmonies = around, list(bars), list(phrases), list(harmonies)
        self.style, self.legal, self.rng = style, legal, rng
        self.temperature, self.top_p, self.closed = temperature, top_p, closed
        self._harmony_starts = [h.start for h in self.harmonies]
        self._bar_starts = [bar.start for bar in self.bars]
        self._scales: dict[tuple[Any, ...], Bools] = {}
        self._levels: dict[int, int] = {}
        self.lines: dict[int, dict[int, tuple[int, int]]] = {}     # track: onset: lowest and highest pitch struck
        self.sounding: list[tuple[int, int, int, int]] = []        # onset, end, pitch, track of pitched notes
        self.rows: list[Written] = []
        self._listed: list[tuple[int, int, int, int]] = []         # what `_by_bar` was made of, and how much of it
        self._by_bar: dict[int, list[tuple[int, int, int, int]]] = {}
        self._count = 0

    # --- places ----------------------------------------------------------------------------------------------

    def harmony_at(self, tick: int) -> RomanChord:
        """The harmony that rules at a tick, the first before all."""
        return self.harmonies[max(bisect_right(self._harmony_starts, tick) - 1, 0)]

    def bar_at(self, tick: int) -> int:
        """The index of the bar in which a tick lies."""
        return max(bisect_right(self._bar_starts, tick) - 1, 0)

    def phrase_at(self, bar: int) -> int:
        """The index of the phrase in which a bar lies."""
        return max(bisect_right([p.first_bar for p in self.phrases], bar) - 1, 0)

    def level(self, tick: int) -> int:
        """How weak a place is: 0 a downbeat, 1 a beat, 2 half-way between beats, 3 any other."""
        if tick not in self._levels:
            bar = self.bars[self.bar_at(tick)]
            found = 0 if tick == bar.start else 3
            for start, length in bar.beats:
                if tick == start and found:
                    found = 1
                elif 2 * abs(tick - start - length / 2) <= length / 6:
                    found = min(found, 2)
            self._levels[tick] = found
        return self._levels[tick]

    def scale(self, harmony: RomanChord) -> Bools:
        """bool[12]: the pitch classes that go with a harmony: its key's, but for those its altered tones replace."""
        key = (harmony.tonic, harmony.mode, harmony.pitches)
        if key not in self._scales:
            out = np.zeros(12, bool)
            out[list(scale_degrees(harmony.tonic, harmony.mode))] = True
            for tone in harmony.pitches:
                if not out[tone]:
                    for near in ((tone + 1) % 12, (tone - 1) % 12):
                        if near not in harmony.pitches and out[near]:
                            out[near] = False
                            break
                    out[tone] = True
            self._scales[key] = out
        return self._scales[key]

    # --- notes -----------------------------------------------------------------------------------------------

    def add(self, rows: Sequence[Written], fresh: bool = True) -> None:
        """Take notes in; `fresh` ones are the part's new notes, others are kept already."""
        for onset, duration, pitch, velocity, track in rows:
            if not self.around.tracks[track].is_drum:
                struck = self.lines.setdefault(track, {})
                low, high = struck.get(onset, (pitch, pitch))
                struck[onset] = min(low, pitch), max(high, pitch)
                self.sounding.append((onset, onset + duration, pitch, track))
            if fresh:
                self.rows.append((onset, duration, pitch, velocity, track))

    def page(self, track: int, spans: Sequence[NoteSpan], low: int, high: int, weights: Mapping[str, Any]) -> LinePage:
        """A page for a line of `track`: harmony, scale, what is legal there and what other parts strike are in it."""
        page = LinePage.blank(low, high, len(spans))
        pitch = page.pitches
        cost = weights["dissonance"]
        quarter = self.around.ticks_per_quarter
        for row, span in enumerate(spans):
            harmony = self.harmony_at(span.start)
            tones = np.isin(pitch % 12, harmony.pitches)
            page.tones[row], page.tonic[row], page.wish[row] = tones, harmony.tonic, span.wish
            page.apart[row] = span.apart
            leading = (harmony.tonic + 11) % 12
            if row + 1 < len(spans) and harmony.function == "D" and leading in harmony.pitches:
                page.leads[row] = (pitch % 12 == leading) & (self.harmony_at(spans[row + 1].start).function == "T")
            if harmony.function == "D" and harmony.bass == leading:
                page.unary[row] += 2 * weights["leading_doubled"] * (pitch % 12 == leading)
            level = self.level(span.start)
            long = max((span.end - span.start) / quarter - 0.5, 0.0)
            page.unary[row] += ~tones * (cost[level] + weights["long_dissonance"] * long)
            page.unary[row] += ~(self.scale(harmony)[pitch % 12] | tones) * weights["outside"]
            legal = self.legal.pitches(track, span.start)[low:high + 1]
            if legal.any():
                page.unary[row] += ~legal * 60.0
            later = self.harmony_at(max(span.end - 1, span.start))
            if later is not harmony and span.end - later.start > quarter // 2:
                page.unary[row] += ~np.isin(pitch % 12, later.pitches) * weights["long_dissonance"]
        page.others = self._others(track, spans)
        for other in page.others:
            struck = other >= 0
            apart = np.abs(pitch[None, :] - other[:, None])
            page.unary += (struck[:, None] & (apart % 12 == 1) | struck[:, None] & (apart % 12 == 11)) \
                * weights["grate"] * ~page.tones
            page.unary += (struck[:, None] & (apart == 0)) * weights["unison"]
        return page

    def basses_under(self, spans: Sequence[NoteSpan]) -> Ints:
        """int64[1, n]: the bass of the harmony that each note begins over, as near as can be to the one before it."""
        out, last = np.zeros((1, len(spans)), np.int64), 48
        for row, span in enumerate(spans):
            last += (self.harmony_at(span.start).bass - last + 6) % 12 - 6
            last += 12 * (last < 36) - 12 * (last > 59)
            out[0, row] = last
        return out

    def _others(self, track: int, spans: Sequence[NoteSpan]) -> Ints:
        rows = []
        for other, struck in sorted(self.lines.items()):
            if other == track:
                continue
            low = [struck.get(s.start, (NOTHING, NOTHING))[0] for s in spans]
            high = [struck.get(s.start, (NOTHING, NOTHING))[1] for s in spans]
            rows.append(low)
            if high != low:
                rows.append(high)
        return np.array(rows, np.int64).reshape(len(rows), len(spans))

    def heard(self, start: int, end: int) -> list[tuple[int, int, int, int]]:
        """The notes (onset, end, pitch, track) of all parts that sound somewhere from one tick to another."""
        if self._listed is not self.sounding or self._count > len(self.sounding):
            self._listed, self._by_bar, self._count = self.sounding, {}, 0
        for note in self.sounding[self._count:]:
            for bar in range(self.bar_at(note[0]), self.bar_at(max(note[1] - 1, note[0])) + 1):
                self._by_bar.setdefault(bar, []).append(note)
        self._count = len(self.sounding)
        bars = range(self.bar_at(start), self.bar_at(max(end - 1, start)) + 1)
        return [note for bar in bars for note in self._by_bar.get(bar, ())
                if note[0] < end and note[1] > start and (bar == bars[0] or self.bar_at(note[0]) == bar)]

    def heights(self, track: int, start: int, end: int) -> tuple[int, int] | None:
        """The lowest and highest pitch that other parts sound from one tick to another; None where nothing does."""
        found = [p for _, _, p, t in self.heard(start, end) if t != track]
        return (min(found), max(found)) if found else None

    def struck_by_others(self, track: int, tick: int) -> dict[tuple[int, int], int]:
        """The lowest (0) and highest (1) pitch that each other part strikes at a tick, by (part, 0 or 1)."""
        return {(other, side): struck[tick][side] for other, struck in self.lines.items()
                if other != track and tick in struck for side in (0, 1)}

    def pitches_of_others(self, track: int, start: int, end: int) -> frozenset[int]:
        """The pitches that other parts sound from one tick to another."""
        return frozenset(p for _, _, p, t in self.heard(start, end) if t != track)


def velocity_at(sketch: Sketch, tick: int, loud: float, role: float = 1.0) -> int:
    """Return how loud a note is by rule: the metre's accents, an arch over each phrase, sections that stand against the
    first, a swell to the high point of the piece, and the end a little softer.

    `loud` is the style's middle velocity, `role` a share of it.
    """
    bar = sketch.bar_at(tick)
    phrase = sketch.phrases[sketch.phrase_at(bar)]
    first, last = sketch.bars[phrase.first_bar], sketch.bars[min(phrase.first_bar + phrase.bars, len(sketch.bars)) - 1]
    place = (tick - first.start) / max(last.end - first.start, 1)
    arch = 1.0 - (2.0 * min(max(place, 0.0), 1.0) - 1.1) ** 2
    whole = (tick - sketch.bars[0].start) / max(sketch.bars[-1].end - sketch.bars[0].start, 1)
    swell = LIFT.get(phrase.label[:1].upper(), 0.0) + SWELL * float(np.exp(-((whole - TOP) / 0.15) ** 2))
    return int(np.clip(round(loud * role + (5, 1, -4, -6)[sketch.level(tick)] + 7.0 * arch + swell), 12, 120))


def arch(places: Floats) -> Floats:
    """Return the curve of a phrase over places in 0..1: up to its height at two thirds, and down again.

    >>> arch(np.array([0.0, 0.65, 1.0])).round(2).tolist()
    [0.0, 1.0, 0.0]
    """
    rise, fall = places / 0.65, (1.0 - places) / 0.35
    return np.asarray(np.clip(np.sin(np.minimum(rise, fall) * np.pi / 2), 0.0, 1.0))
