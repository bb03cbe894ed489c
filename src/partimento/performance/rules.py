"""The rules of performance: a table of what each does, by how much, and where it is from; and how a piece is heard.

Every rule is a function of the piece as heard (`Hearing`) and of its own parameters (`RULES`), and gives what it does
at quantity 1. The table is ``tables/rules.json``; the papers:

- A. Friberg, "Generative Rules for Music Performance", Computer Music Journal 15(2), 1991.
- A. Friberg, "Matching the rule parameters of Phrase Arch to performances of Träumerei", STL-QPSR 36(2-3), 1995.
- A. Friberg and J. Sundberg, "Does music performance allude to locomotion?", J. Acoust. Soc. Am. 105(3), 1999.
- A. Friberg, R. Bresin and J. Sundberg, "Overview of the KTH rule system for musical performance", Advances in
  Cognitive Psychology 2(2-3), 2006.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.resources import files
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from partimento import features
from partimento.features.meter import N_LEVELS, note_levels
from partimento.features.notes import FloatArray, IndexArray
from partimento.score import BoolArray, Score

TOGETHER_MS = 30.0      # onsets nearer than this are one moment: a chord as it is played
SHORTEST = 0.5          # no rule leaves less than this share of the time between two moments
JOINED = 0.1            # a note that ends this share of its length before the next, or nearer, is joined to it


class PerformanceRule(NamedTuple):
    """One rule: what it acts on, its quantity by default (0 is off, below 0 the contrary), and where it is from."""

    name: str
    acts_on: str
    quantity: float
    parameters: Mapping[str, Any]
    sentence: str
    source: str


def _table() -> dict[str, PerformanceRule]:
    rows = json.loads(files("partimento.performance").joinpath("tables", "rules.json").read_text(encoding="utf-8"))
    return {row["name"]: PerformanceRule(**row) for row in rows}


RULES = _table()


class Hearing:
    """What the rules see of a piece: which notes have a pitch, phrases, sections, and the moments at which notes begin.

    >>> rows = [(480 * i, 480, 60 + i, 80, 0) for i in range(4)]
    >>> heard = Hearing(Score.from_rows(rows))
    >>> heard.moments.tolist(), heard.intervals.tolist()
    ([0, 480, 960, 1440], [500.0, 500.0, 500.0, 500.0])
    """

    def __init__(self, score: Score) -> None:
        self.score = score
        self.pitched: BoolArray = features.pitched(score)

    def ms(self, ticks: Any) -> FloatArray:
        """Milliseconds from the start at which ticks fall, by the tempo written."""
        return 1000 * self.score.seconds(ticks)

    @cached_property
    def lengths(self) -> FloatArray:
        """Milliseconds that each note lasts (float[n])."""
        return self.ms(self.score.offset) - self.ms(self.score.onset)

    @cached_property
    def phrases(self) -> tuple[tuple[int, int], ...]:
        """First tick and last onset of each phrase: between the marks of phrases where there are two, else heard."""
        begins = sorted({mark.tick for mark in self.score.marks if mark.kind == "phrase"})
        if len(begins) > 1:
            return self._spans([*begins, self.score.end])
        return tuple(self._span(begin, end) for begin, end in features.phrases(self.score))

    @cached_property
    def sections(self) -> tuple[tuple[int, int], ...]:
        """First tick and last onset of each section: between their marks, else found in the bars; one says nothing."""
        begins = sorted({mark.tick for mark in self.score.marks if mark.kind == "section"})
        if len(begins) < 2:
            begins = [int(self.score.bar_starts[part.first]) for part in features.sections(self.score)]
        return self._spans([*begins, self.score.end]) if len(begins) > 1 else ()

    def _spans(self, edges: list[int]) -> tuple[tuple[int, int], ...]:
        return tuple(self._span(a, b) for a, b in pairwise(edges) if b > a)

    def _span(self, begin: int, end: int) -> tuple[int, int]:
        """A stretch up to the last moment in it."""
        at = int(np.searchsorted(self.moments, end)) - 1
        return begin, max(begin, int(self.moments[at])) if at >= 0 else begin

    @cached_property
    def moments(self) -> IndexArray:
        """The ticks at which pitched notes begin, those that are played together once (int64[m])."""
        onset = np.unique(self.score.onset[self.pitched]).astype(np.int64)
        at, kept, last = self.ms(onset), [], -np.inf
        for i, now in enumerate(at.tolist()):
            if now - last > TOGETHER_MS:
                kept.append(i)
                last = now
        return onset[kept]

    @cached_property
    def intervals(self) -> FloatArray:
        """Milliseconds from each moment to the next, the last one to the end of its notes (float[m])."""
        if not len(self.moments):
            return np.zeros(0)
        last = max(int(self.score.offset[self.pitched].max()), int(self.moments[-1]) + 1)
        return np.diff(self.ms(np.append(self.moments, last)))

    @cached_property
    def lead(self) -> FloatArray:
        """The pitch of the highest track at each moment where a note of it begins, else NaN (float[m])."""
        score, own = self.score, np.flatnonzero(self.pitched)
        pitch = np.full(len(self.moments), np.nan)
        if not len(own):
            return pitch
        count = np.bincount(score.track[own])
        height = np.bincount(score.track[own], score.pitch[own]) / np.maximum(count, 1)
        notes = own[score.track[own] == int(np.argmax(height))]
        at = np.searchsorted(self.moments, score.onset[notes], side="right") - 1
        top = np.full(len(pitch), -1.0)
        np.maximum.at(top, at, score.pitch[notes])
        return np.where(top >= 0, top, pitch)

    def arch(self, spans: tuple[tuple[int, int], ...], ticks: Any, start: float, end: float, turn: float, power: float,
             full_ms: float) -> FloatArray:
        """What a phrase arch gives at each tick: `start` at the begin of its span, 0 where it turns, `end` at its end.

        Outside of all spans it is 0. A span of one moment has no arch, one shorter than `full_ms` a smaller one.
        """
        at, now = np.asarray(ticks, np.int64), self.ms(ticks)
        found = np.zeros(at.shape)
        begins = np.array([span[0] for span in spans], np.int64)
        if not len(begins):
            return found
        lasts = np.array([span[1] for span in spans], np.int64)
        index = np.searchsorted(begins, at, side="right") - 1
        first, last = self.ms(begins)[index], self.ms(lasts)[index]
        place = (now - first) / np.maximum(last - first, 1e-9)
        inside = (index >= 0) & (last > first) & (place <= 1)
        x = np.clip(place, 0, 1)
        before = start * np.clip(1 - x / turn, 0, 1) ** power
        after = end * np.clip((x - turn) / (1 - turn), 0, 1) ** power
        size = np.minimum(1, (last - first) / full_ms)
        return np.where(inside, size * np.where(x < turn, before, after), found)


# --- loudness: dB of every note (float[n]), 0 for drums -----------------------------------------------------------


def high_loud(heard: Hearing, db: float, power: float) -> FloatArray:
    """The higher, the louder."""
    score, out = heard.score, np.zeros(len(heard.score))
    for track in np.unique(score.track[heard.pitched]).tolist():
        own = heard.pitched & (score.track == track)
        away = score.pitch[own] - score.pitch[own].mean()
        out[own] = db * np.sign(away) * np.abs(away) ** power
    return out


def metre_accent(heard: Hearing, db: float) -> FloatArray:
    """Strong places of the bar are louder."""
    level = note_levels(heard.score, np.ones(len(heard.score), bool))
    return np.where(heard.pitched, db * level / (N_LEVELS - 1), 0.0)


def phrase_loudness(heard: Hearing, start_db: float, end_db: float, turn: float, power: float, full_ms: float,
                    sections: float) -> FloatArray:
    """Phrases swell and fade."""
    shape = (heard.score.onset, start_db, end_db, turn, power, full_ms)
    arch = heard.arch(heard.phrases, *shape) + sections * heard.arch(heard.sections, *shape)
    return np.where(heard.pitched, -arch, 0.0)


def duration_contrast_loudness(heard: Hearing, points: list[list[float]]) -> FloatArray:
    """Short notes are softer."""
    return np.where(heard.pitched & (heard.lengths > 0), np.interp(heard.lengths, *np.transpose(points)), 0.0)


# --- timing: milliseconds added to the time from each moment to the next (float[m]) -------------------------------


def duration_contrast(heard: Hearing, points: list[list[float]]) -> FloatArray:
    """Short notes are shorter, but not those of a pair of 2 to 1, which another rule brings nearer to each other."""
    added = np.interp(heard.intervals, *np.transpose(points))
    short = _after_double(heard, RULES["double_duration"].parameters["longest_ms"])
    added[short] = 0
    added[short - 1] = 0
    return np.asarray(added)


def double_duration(heard: Hearing, share: float, longest_ms: float) -> FloatArray:
    """The short note of a pair of 2 to 1 is longer."""
    added = np.zeros(len(heard.intervals))
    short = _after_double(heard, longest_ms)
    more = share * heard.intervals[short]
    np.add.at(added, short, more)
    np.add.at(added, short - 1, -more)
    return added


def _after_double(heard: Hearing, longest_ms: float) -> IndexArray:
    """The moments whose interval is half of the one before and shorter than the one after."""
    time = heard.intervals
    middle = np.arange(1, max(len(time) - 1, 1))[:max(len(time) - 2, 0)]
    half = np.abs(2 * time[middle] - time[middle - 1]) < 0.04 * time[middle - 1]
    return middle[half & (time[middle + 1] > 1.02 * time[middle]) & (time[middle] < longest_ms)]


def leap_timing(heard: Hearing, ms: float, before_fall_ms: float, from_semitones: float) -> FloatArray:
    """Leaps take their time upward and lose it downward."""
    added, leap = np.zeros(len(heard.intervals)), np.diff(heard.lead, prepend=np.nan)
    for rising in (True, False):
        found = np.flatnonzero(leap >= from_semitones if rising else leap <= -from_semitones)
        root = np.sqrt(np.abs(leap[found]))
        np.add.at(added, found, (ms if rising else -ms) * root)
        np.add.at(added, found - 1, (-ms if rising else before_fall_ms) * root)
    return added


# --- length: milliseconds that each note ends earlier (float[n]) --------------------------------------------------


def leap_pause(heard: Hearing, ms: float, from_semitones: int, most_semitones: int, shortest_ms: float,
               at_shortest: float, by_ms: float) -> FloatArray:
    """A breath before a leap, where a track has one note at a time."""
    score, out = heard.score, np.zeros(len(heard.score))
    for own, after in _next_in_track(heard):
        leap = np.minimum(np.abs(score.pitch[after] - score.pitch[own]), most_semitones)
        length = heard.lengths[own]
        taken = (leap >= from_semitones) & (length > shortest_ms)
        out[own[taken]] = ms * leap[taken] * (at_shortest + by_ms * (length[taken] - shortest_ms))
    return out


def _next_in_track(heard: Hearing) -> list[tuple[IndexArray, IndexArray]]:
    """For every pitched track the notes that stand alone and are joined to one that stands alone, and that one."""
    score, out = heard.score, []
    for track in np.unique(score.track[heard.pitched]).tolist():
        notes = np.flatnonzero(heard.pitched & (score.track == track))
        begins, first, count = np.unique(score.onset[notes], return_index=True, return_counts=True)
        alone = np.flatnonzero((count[:-1] == 1) & (count[1:] == 1))
        own, after = notes[first[alone]], notes[first[alone + 1]]
        gap = begins[alone + 1] - score.offset[own]
        joined = np.abs(gap) <= JOINED * score.duration[own]
        out.append((own[joined], after[joined]))
    return out


def repeat_pause(heard: Hearing, ms: float) -> FloatArray:
    """A key must come up before it is struck again."""
    score, out = heard.score, np.zeros(len(heard.score))
    notes = np.flatnonzero(heard.pitched)
    lane = score.track[notes].astype(np.int64) * 128 + score.pitch[notes]
    order = np.lexsort((score.onset[notes], lane))
    notes, lane = notes[order], lane[order]
    gap = score.onset[notes[1:]] - score.offset[notes[:-1]]
    again = (lane[1:] == lane[:-1]) & (np.abs(gap) <= JOINED * score.duration[notes[:-1]])
    out[notes[:-1][again]] = ms
    return out


def phrase_pause(heard: Hearing, ms: float) -> FloatArray:
    """A breath after the last note of a phrase: the highest one that begins there."""
    score, out = heard.score, np.zeros(len(heard.score))
    lasts = np.array([span[1] for span in heard.phrases[:-1]], np.int64)
    notes = np.flatnonzero(heard.pitched & np.isin(score.onset, lasts))
    order = notes[np.lexsort((-score.pitch[notes], score.onset[notes]))]
    _, first = np.unique(score.onset[order], return_index=True)
    out[order[first]] = ms
    return out


LOUDNESS: dict[str, Callable[..., FloatArray]] = {
    "high_loud": high_loud, "metre_accent": metre_accent, "phrase_loudness": phrase_loudness,
    "duration_contrast_loudness": duration_contrast_loudness}
TIMING: dict[str, Callable[..., FloatArray]] = {
    "duration_contrast": duration_contrast, "double_duration": double_duration, "leap_timing": leap_timing}
LENGTH: dict[str, Callable[..., FloatArray]] = {
    "leap_pause": leap_pause, "repeat_pause": repeat_pause, "phrase_pause": phrase_pause}


def summed(kind: Mapping[str, Callable[..., FloatArray]], heard: Hearing, quantities: Mapping[str, float]) -> Any:
    """Return what the rules of a kind (`LOUDNESS`, `TIMING`, `LENGTH`) give together; 0.0 where all are off."""
    return sum((quantities[name] * rule(heard, **RULES[name].parameters) for name, rule in kind.items()
                if quantities[name]), start=np.float64(0.0))
