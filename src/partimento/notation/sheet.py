"""The written page of a Score: its bars and what stands over, under and between the notes."""

from __future__ import annotations

import bisect
import dataclasses
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from partimento.notation import ready, sheet_clefs
from partimento.notation.sheet_accidentals import Accidentals
from partimento.notation.sheet_meter import grouping_heard, pulse_of
from partimento.notation.sheet_page import (
    NOTE_TYPES,
    ClefSign,
    Event,
    Group,
    KeySign,
    NoteHead,
    Sheet,
    SheetBar,
    SheetPart,
    SheetSign,
    Syllable,
    Tuplet,
    VoiceBar,
)
from partimento.notation.sheet_values import FINEST
from partimento.notation.sheet_voices import (
    BarFrame,
    Note,
    VoiceLines,
    interval_fifths,
    notes_of_track,
    with_accidentals,
)
from partimento.score import Score, Text

__all__ = [
    "NOTE_TYPES",
    "ClefSign",
    "Event",
    "Group",
    "KeySign",
    "NoteHead",
    "Sheet",
    "SheetBar",
    "SheetPart",
    "SheetSign",
    "Syllable",
    "Tuplet",
    "VoiceBar",
    "sheet",
]

BARLINES = ("double", "final", "dashed", "none")
HEAD_KINDS = ("title", "subtitle", "composer", "lyricist", "arranger", "copyright", "text")
_AT_START = ("segno", "coda")
_JUMPS = ("to coda", "fine", "da capo", "da capo al fine", "da capo al coda", "dal segno", "dal segno al fine",
          "dal segno al coda")


def sheet(score: Score) -> Sheet:
    """Return the written page of a Score, of what `ready` makes of it where something is missing.

    Ticks are at the `ticks_per_quarter` of the page, a multiple of the Score's and of 64.

    >>> page = sheet(Score(onset=[0, 480], duration=[480, 1440], pitch=[60, 64], velocity=[80, 80], track=[0, 0]))
    >>> [(event.kind, event.dots) for event in page.parts[0].bars[0].voices[0].events]
    [('quarter', 0), ('half', 1)]
    """
    score = ready.ready(score)
    return _Page(score).sheet()


class _Page:
    """Everything of a Score that is the same for all its parts."""

    def __init__(self, score: Score) -> None:
        self.score = score
        self.clock = math.lcm(score.ticks_per_quarter, FINEST)
        self.scale = self.clock // score.ticks_per_quarter
        self.edges = [int(tick) * self.scale for tick in score.bar_starts]
        notation = score.extras.get("notation", {})
        self.notation: Mapping[str, Any] = notation if isinstance(notation, Mapping) else {}
        self.frames, self.bars = self._frames()

    def sheet(self) -> Sheet:
        score = self.score
        leader = next((i for i, t in enumerate(score.tracks) if not t.is_drum and self._transpose(i) == (0, 0, 0)), 0)
        snapped = 0
        parts = []
        for index in range(len(score.tracks)):
            part, count = _PartWriter(self, index, leader).part()
            parts.append(part)
            snapped += count
        head = tuple(t for t in score.texts if t.kind in HEAD_KINDS and t.text.strip()
                     and (t.kind != "text" or (t.tick, t.track) == (0, -1)))
        groups = []
        for entry in self.notation.get("groups", ()):
            first, last, symbol, *name = entry
            if 0 <= first < last < len(parts):
                groups.append(Group(int(first), int(last), str(symbol), str(name[0]) if name else ""))
        return Sheet(self.clock, tuple(parts), head, tuple(groups), snapped)

    def _transpose(self, track: int) -> tuple[int, int, int]:
        found = self.notation.get("transpose", {}).get(str(track))
        if found:
            diatonic, chromatic, octaves = (int(x) for x in found)
            return diatonic, chromatic, octaves
        return 0, 0, 0

    # --- bars ----------------------------------------------------------------------------------------------

    def _frames(self) -> tuple[list[BarFrame], list[SheetBar]]:
        """Every bar as ticks and pulse, and with the signs that all parts show."""
        score, edges, scale = self.score, self.edges, self.scale
        meters = {m.tick * scale: m for m in score.meters}
        ticks = sorted(meters)
        signs = {m.tick * scale: m.text for m in score.marks if m.kind == "meter"}
        groupings = self._groupings()
        marks: defaultdict[int, list[str]] = defaultdict(list)
        lines: dict[int, str] = {}
        for mark in score.marks:
            if mark.kind == "repeat":
                marks[mark.tick * scale].append(mark.text)
            elif mark.kind == "barline" and mark.text in BARLINES:
                lines[mark.tick * scale] = mark.text
        frames: list[BarFrame] = []
        bars: list[SheetBar] = []
        number, ruling, ending = 0, (0, 0), ""
        before_short = 0
        for i, (start, stop) in enumerate(pairwise(edges)):
            meter = meters[ticks[bisect.bisect_right(ticks, start) - 1]]
            shape = (meter.numerator, meter.denominator)
            hidden = signs.get(start) == "hidden"
            pulse = pulse_of(*shape, self.clock, groupings.get(shape))
            length, full = stop - start, pulse.bar
            pickup = i == 0 and score.has_pickup
            rest = before_short and before_short + length == full
            offset = full - length if pickup or rest else 0
            number += not (pickup or rest)
            shown, ruling = not hidden and (shape != ruling or start in signs), shape
            frames.append(BarFrame(start, stop, pulse, offset))
            left, right = marks[start], marks[stop]
            begins = next((m[7:] for m in left if re.fullmatch(r"ending [1-9]\d?(,[1-9]\d?)*", m)), "")
            ending = begins or ending
            stops = next((m[7:] for m in right if m in ("ending stop", "ending open")), "") if ending else ""
            ends = next((m for m in right if re.fullmatch(r"end( [1-9]\d?)?", m)), "")
            bars.append(SheetBar(
                number, start, length, meter._replace(tick=start), bool(pickup or rest), shown,
                signs.get(start, "") if shown else "", repeat_start="start" in left,
                repeat_end=int(ends[4:] or 2) if ends else 0, ending_start=begins, ending_stop=stops, ending=ending,
                barline=lines.get(stop, "") if not ends else ""))
            ending = "" if stops else ending
            before_short = 0 if rest or pickup else length if length < full else 0
        return frames, bars

    def _groupings(self) -> dict[tuple[int, int], tuple[int, ...]]:
        """How the bars of each irregular meter are grouped, by where notes begin in them."""
        score = self.score
        shapes = {(m.numerator, m.denominator) for m in score.meters}
        odd = {shape for shape in shapes if grouping_heard(*shape, self.clock, ()) is not None}
        if not odd:
            return {}
        places: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        starts = score.bar_starts[:-1]
        bar = np.clip(np.searchsorted(starts, score.onset, side="right") - 1, 0, None)
        ticks = [m.tick for m in score.meters]
        for onset, start in zip(score.onset.tolist(), starts[bar].tolist(), strict=True):
            meter = score.meters[bisect.bisect_right(ticks, start) - 1]
            if (meter.numerator, meter.denominator) in odd:
                places[meter.numerator, meter.denominator].append((onset - start) * self.scale)
        found = {shape: grouping_heard(*shape, self.clock, places[shape]) for shape in odd}
        return {shape: sizes for shape, sizes in found.items() if sizes}


class _PartWriter:
    """One track as a part."""

    def __init__(self, page: _Page, index: int, leader: int) -> None:
        self.page, self.index = page, index
        score, scale = page.score, page.scale
        self.first, self.leads = index == 0, index == leader
        self.transpose = page._transpose(index)
        notes = notes_of_track(score, index, scale, self.transpose)
        if not score.tracks[index].is_drum and any(note.head.octave < 0 for note in notes):
            self.transpose = (self.transpose[0], self.transpose[1], self.transpose[2] - 1)
            notes = notes_of_track(score, index, scale, self.transpose)
        self.notes = notes
        self.staves = max([note.staff for note in notes] +
                          [entry[2] for entry in page.notation.get("clefs", ()) if entry[1] == index] + [1])

    def part(self) -> tuple[SheetPart, int]:
        page, score = self.page, self.page.score
        syllables = self._syllables()
        over, forced = self._fermatas()
        forced |= set(syllables) - {note.onset for note in self.notes}
        lines = VoiceLines(self.notes, page.frames, self.staves, forced=forced, fermatas=over, syllables=syllables)
        keys, clefs, signs = self._keys(), self._clefs(), self._signs()
        first = keys[0].fifths if keys and keys[0].tick == 0 else 0
        staves = {staff: Accidentals(first) for staff in range(1, self.staves + 1)}
        bars = []
        for i, (bar, frame) in enumerate(zip(page.bars, page.frames, strict=True)):
            inside = [sign for sign in keys if frame.start <= sign.tick < frame.stop]
            voices = with_accidentals(lines.bar(i), staves, [key for key in inside if key.tick > 0])
            bars.append(dataclasses.replace(
                bar, keys=tuple(inside), voices=voices,
                clefs=tuple(sign for sign in clefs if frame.start <= sign.tick < frame.stop),
                signs=tuple(sign for sign in signs if frame.start <= sign.tick < frame.stop)))
        abbreviation = page.notation.get("abbreviations", {}).get(str(self.index), "")
        return SheetPart(self.index, score.tracks[self.index], str(abbreviation), self.staves, tuple(bars),
                    self.transpose), lines.snapped

    # --- what hangs on notes -------------------------------------------------------------------------------

    def _syllables(self) -> dict[int, list[Syllable]]:
        by_verse: defaultdict[int, list[Text]] = defaultdict(list)
        for text in self.page.score.texts:
            found = re.fullmatch(r"lyric(?: ([1-9]\d{0,2}))?", text.kind)
            if found and text.track == self.index and text.text.strip():
                by_verse[int(found[1] or 1)].append(text)
        out: defaultdict[int, list[Syllable]] = defaultdict(list)
        for verse, texts in sorted(by_verse.items()):
            inside = False
            for text in texts:
                words, held = text.text.strip(), False
                if re.search(r"[^\s_]_$", words):
                    words, held = words[:-1], True
                goes_on = not held and bool(re.search(r"[^\s-]-$", words))
                words = words[:-1] if goes_on else words
                syllabic = ("middle" if inside else "begin") if goes_on else "end" if inside else "single"
                inside = goes_on
                out[text.tick * self.page.scale].append(Syllable(verse, words, syllabic, held))
        return dict(out)

    def _fermatas(self) -> tuple[set[int], set[int]]:
        """Where this part has a fermata, and where something must be made to begin to carry it."""
        over, forced = set(), set()
        onsets = {note.onset for note in self.notes}
        anywhere = set(self.page.score.onset.tolist())
        for mark in self.page.score.marks:
            if mark.kind != "fermata":
                continue
            tick = mark.tick * self.page.scale
            named = str(self.index) in mark.text.split()
            lonely = not mark.text.split() and self.first and mark.tick not in anywhere
            if named or lonely or (not mark.text.split() and tick in onsets):
                over.add(tick)
                if tick not in onsets:
                    forced.add(tick)
        return over, forced

    # --- signs ---------------------------------------------------------------------------------------------

    def _keys(self) -> list[KeySign]:
        if self.page.score.tracks[self.index].is_drum:
            return []
        shift = interval_fifths(self.transpose)
        out: list[KeySign] = []
        for key in self.page.score.keys:
            fifths = key.fifths - shift
            fifths += 12 * ((fifths < -7) - (fifths > 7))
            mode = key.mode if key.mode in ("major", "minor") else ""
            sign = KeySign(key.tick * self.page.scale, fifths, mode)
            if not out or (out[-1].fifths, out[-1].mode) != (fifths, mode):
                out.append(sign)
        return out

    def _clefs(self) -> list[ClefSign]:
        page, track = self.page, self.page.score.tracks[self.index]
        said: list[ClefSign] = []
        for tick, part, staff, clef in page.notation.get("clefs", ()):
            if part == self.index and 1 <= staff <= self.staves and 0 <= tick * page.scale < page.edges[-1]:
                said.append(ClefSign(int(tick) * page.scale, int(staff), str(clef)))
        starts = [frame.start for frame in page.frames]
        for staff in range(1, self.staves + 1):
            if any(sign.staff == staff and sign.tick == 0 for sign in said):
                continue
            own = [note for note in self.notes if note.staff == staff]
            written = np.array([_sounding(note) for note in own], np.int32)
            first = sheet_clefs.clef_for(track, written, staff, self.staves)
            if any(sign.staff == staff for sign in said) or track.is_drum:
                said.append(ClefSign(0, staff, first))
                continue
            bars: list[list[int]] = [[] for _ in page.frames]
            for note, pitch in zip(own, written.tolist(), strict=True):
                bars[bisect.bisect_right(starts, note.onset) - 1].append(pitch)
            said += [ClefSign(starts[i], staff, clef) for i, clef in
                     sheet_clefs.clef_changes(first, [np.array(pitches, np.int32) for pitches in bars])]
        return sorted(said, key=lambda sign: (sign.tick, sign.staff))

    def _signs(self) -> list[SheetSign]:
        page, score = self.page, self.page.score
        out: list[tuple[int, SheetSign]] = []

        def add(tick: int, rank: int, kind: str, text: str, bpm: float = 0.0, shown: bool = True) -> None:
            out.append((rank, SheetSign(tick * page.scale, kind, " ".join(text.split()), bpm, shown)))

        if self.first:
            for tick, words, bpm, shown in _tempos(score):
                add(tick, 1, "tempo", words, bpm, shown)
            for mark in score.marks:
                if mark.kind in ("section", "marker") and mark.text.strip():
                    add(mark.tick, 0, "section", mark.text)
                elif mark.kind == "repeat" and mark.text in _AT_START:
                    add(mark.tick, 0, mark.text, "")
                elif mark.kind == "repeat" and mark.text in _JUMPS:
                    before = [edge for edge in page.edges[:-1] if edge < mark.tick * page.scale]
                    if before:
                        out.append((3, SheetSign(before[-1], "jump", mark.text)))
        if self.leads:
            for chord in score.chords:
                add(chord.tick, 2, "chord", chord.symbol)
        for text in score.texts:
            if text.kind in ("dynamic", "words") and (text.track == self.index or (text.track < 0 and self.first)) \
                    and text.text.strip():
                add(text.tick, 2, text.kind, text.text)
        return [sign for _, sign in sorted(out, key=lambda entry: (entry[1].tick, entry[0]))]


def _sounding(note: Note) -> int:
    """The written pitch of a note, for the choice of a clef."""
    return sheet_clefs.diatonic(note.head.step, note.head.octave) * 12 // 7 + 12


def _tempos(score: Score) -> Iterable[tuple[int, str, float, bool]]:
    """(tick, words, bpm, whether a metronome mark is printed) of every tempo, in order.

    A number that words stand beside is not printed, nor the default at the beginning, nor the steps of a gradual
    change: those that last less than a bar, or change less than a fiftieth.
    """
    words: defaultdict[int, list[str]] = defaultdict(list)
    for text in score.texts:
        if text.kind == "tempo" and text.text.strip():
            words[text.tick].append(text.text)
    numbers: dict[int, Any] = {tempo.tick: tempo for tempo in score.tempos}
    printed = 0.0
    for tick in sorted({*words, *numbers}):
        said = words.get(tick, [])
        bpm = numbers[tick].bpm if tick in numbers else score.tempo_at(tick).bpm
        after = next((t.tick for t in score.tempos if t.tick > tick), score.end)
        lasts = tick == 0 or after - tick >= score.full_bar_ticks(tick)
        default = tick == 0 and numbers[tick].us_per_quarter == 500_000 and len(numbers) == 1
        shown = not said and lasts and not default and abs(bpm - printed) > printed / 50
        printed = bpm if shown or said else printed
        for word in said or [""]:
            yield tick, word, bpm, shown
