"""What of a Score an ABC tune says: voices in bars, with everything that hangs on them, cleaned of what ABC has not."""

from __future__ import annotations

import dataclasses
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from partimento.formats.abc_bars import Barring, say_marks
from partimento.formats.abc_fields import FREE, MeterSaid, chord_symbol_of
from partimento.formats.abc_notes import AbcBar
from partimento.formats.abc_signs import DYNAMICS, JUMP_SIGNS, Sign
from partimento.formats.draft import Draft
from partimento.formats.loudness import LEVELS
from partimento.formats.reading import Reading
from partimento.notation.names import name_of
from partimento.notation.ready import ready
from partimento.notation.sheet import sheet
from partimento.notation.sheet_page import Event, SheetBar, SheetPart
from partimento.score import Key, Score, Text

_HEADS = ("composer", "lyricist", "arranger", "copyright")
_SIGNS = {"common": (4, 4), "cut": (2, 2)}      # the only meters that C and C| can be
_SHARPS = (("C", 0), ("C", 1), ("D", 0), ("D", 1), ("E", 0), ("F", 0), ("F", 1), ("G", 0), ("G", 1), ("A", 0),
           ("A", 1), ("B", 0))


def cleaned(text: str) -> str:
    """Return words on one line, in letters that can be written."""
    return " ".join(text.encode("utf-8", "replace").decode().split())


def inline(text: str) -> str:
    """Return words that may stand between brackets in the music, or between quotation marks."""
    return cleaned(text.replace("[", "(").replace("]", ")").replace('"', "'"))


class AbcLine:
    """One voice of a part: its events in each bar, and what is written at some ticks, by kind."""

    def __init__(self, part: int, staff: int, bars: list[tuple[Event, ...] | None], is_drum: bool) -> None:
        self.part, self.staff, self.bars, self.is_drum = part, staff, bars, is_drum
        self.items: defaultdict[int, list[tuple[str, Any]]] = defaultdict(list)
        self.verses: dict[int, dict[int, str]] = defaultdict(dict)     # verse -> tick -> syllable

    def sounding(self, tick: int) -> Event | None:
        """The chord that begins or sounds at a tick, no grace note."""
        for bar in self._bars_at(tick):
            for event in bar:
                if event.heads and not event.grace and event.onset <= tick < event.onset + event.duration:
                    return event
        return None

    def begins(self, tick: int) -> bool:
        """Whether a chord is struck at a tick."""
        event = self.sounding(tick)
        return event is not None and event.onset == tick and not all(head.tie_stop for head in event.heads)

    @cached_property
    def starts(self) -> list[int]:
        """Where the events of the voice begin, grace notes aside."""
        return [event.onset for bar in self.bars for event in bar or () if not event.grace]

    def begins_at(self, tick: int) -> bool:
        """Whether an event begins at a tick."""
        return self.before(tick) == tick

    def before(self, tick: int) -> int:
        """Where the event begins that a tick falls into."""
        return self.starts[max(0, bisect_right(self.starts, tick) - 1)]

    def _bars_at(self, tick: int) -> list[tuple[Event, ...]]:
        place = bisect_right(self._bar_starts, tick)
        return self._filled[max(0, place - 1):place]

    @cached_property
    def _filled(self) -> list[tuple[Event, ...]]:
        return [bar for bar in self.bars if bar]

    @cached_property
    def _bar_starts(self) -> list[int]:
        return [bar[0].onset for bar in self._filled]

    def cut(self) -> None:
        """Cut every event in two where something is written in the middle of it."""
        ticks = sorted(self.items)
        for number, bar in enumerate(self.bars):
            if bar and any(event.onset < tick < event.onset + event.duration
                           for event in bar for tick in ticks[bisect_right(ticks, event.onset):][:1]):
                self.bars[number] = tuple(piece for event in bar for piece in _cut(event, ticks))


def _cut(event: Event, ticks: list[int]) -> Iterable[Event]:
    stop = event.onset + event.duration
    inside = [tick for tick in ticks if event.onset < tick < stop] if event.duration else []
    edges = [event.onset, *inside, stop]
    for i, (start, end) in enumerate(pairwise(edges)):
        first, last = i == 0, i == len(inside)
        yield dataclasses.replace(
            event, onset=start, duration=end - start,
            heads=tuple(dataclasses.replace(head, tie_stop=head.tie_stop or not first,
                                            tie_start=head.tie_start or not last) for head in event.heads),
            tuplets=tuple(dataclasses.replace(t, start=t.start and first, stop=t.stop and last)
                          for t in event.tuplets))


class AbcPage:
    """The page of a Score as ABC has it: `lines` (voices), `bars` (signs and meters), `heads` and `about`."""

    def __init__(self, score: Score) -> None:
        score = _apart(ready(score))
        notation = {name: value for name, value in score.extras.get("notation", {}).items() if name != "transpose"}
        self.score = score = score.replace(extras={**score.extras, "notation": notation})
        self.page = sheet(score)
        self.clock = self.page.ticks_per_quarter
        self.scale = self.clock // score.ticks_per_quarter
        self.edges = [bar.start for bar in self.page.parts[0].bars]
        self.edge_set = frozenset(self.edges)
        self.end = self.edges[-1] + self.page.parts[0].bars[-1].length
        self.lines: list[AbcLine] = []
        self.carriers: list[AbcLine] = []           # of each part the voice that its signs stand in
        for part in self.page.parts:
            self._voices(part)
        self.pitched = [line for line in self.lines if not line.is_drum]
        self.key = Key(0, 0, "")
        self.meter: MeterSaid
        self.bars = self._bars(self.page.parts[0].bars)
        self._signs()
        self._lyrics()
        for line in self.lines:
            line.cut()
        self.heads = self._heads()
        riding = score.extras.get("abc", {})
        fields = riding.get("fields", []) if isinstance(riding, dict) else []
        self.about = [[str(letter), cleaned(str(text))] for letter, text in fields if len(str(letter)) == 1]

    def spelled(self, note: int) -> tuple[str, int, int]:
        """Step, alteration and octave of a note as it sounds; drums have sharps."""
        pitch = int(self.score.pitch[note])
        if self.score.tracks[int(self.score.track[note])].is_drum or self.score.spelling is None:
            step, alter = _SHARPS[pitch % 12]
            return step, alter, pitch // 12 - 1
        return name_of(pitch, int(self.score.spelling[note]))

    # --- what is on the page --------------------------------------------------------------------------------

    def _voices(self, part: SheetPart) -> None:
        """The voices of a part that have notes, and one for each staff that has none."""
        found: defaultdict[int, list[tuple[Event, ...] | None]] = defaultdict(lambda: [None] * len(part.bars))
        staves: defaultdict[int, Counter[int]] = defaultdict(Counter)
        for number, bar in enumerate(part.bars):
            for voice in bar.voices:
                heads = [head for event in voice.events for head in event.heads]
                found[voice.voice][number] = voice.events
                staves[voice.voice].update(head.staff for head in heads if not head.tie_stop)
        homes = {voice: max(count, key=lambda staff: (count[staff], -staff))
                 for voice, count in staves.items() if count}
        own = [AbcLine(part.index, homes[voice], found[voice], part.track.is_drum)
               for voice in sorted(homes, key=lambda voice: (homes[voice], voice))]
        for staff in range(1, part.staves + 1):
            if staff not in homes.values():
                own.append(AbcLine(part.index, staff, [None] * len(part.bars), part.track.is_drum))
        filled = next((line for line in own if any(line.bars)), own[0])
        own.sort(key=lambda line: line.staff)
        for line in own:                            # a rest for every bar that a voice leaves out
            line.bars = [events or (Event(bar.start, bar.length, line.staff, whole_bar=True),)
                         for bar, events in zip(part.bars, line.bars, strict=True)]
        self.lines += own
        self.carriers.append(filled)

    def _bars(self, bars: tuple[SheetBar, ...]) -> list[AbcBar]:
        """The signs of every bar, and its length in quarter notes."""
        out = []
        inside = False                              # an ending
        for number, bar in enumerate(bars):
            made = AbcBar()
            made.length = Fraction(bar.length, self.clock)
            if bar.meter_shown:
                shape = bar.meter.numerator, bar.meter.denominator
                made.meter = MeterSaid(*shape, bar.meter_sign if _SIGNS.get(bar.meter_sign) == shape else "")
            made.left = Sign(0, bar.repeat_start)
            made.ending = ",".join(sorted(re.findall(r"\d{1,2}", bar.ending_start), key=int))
            if bar.ending_start:
                inside = True
            look = bar.barline if bar.barline in ("double", "final", "dashed", "none") else ""
            after = bars[number + 1] if number + 1 < len(bars) else None
            if bar.ending_stop and not bar.repeat_end and after is not None and not after.ending_start \
                    and not after.repeat_start and look not in ("double", "final", "none"):
                look = "double"                     # only such a line says that an ending is over
            elif inside and not bar.ending_stop and not bar.repeat_end and look in ("double", "final", "none"):
                look = ""                           # and inside an ending none may
            inside = inside and not bar.ending_stop
            made.right = Sign(bar.repeat_end, after is not None and after.repeat_start, look)
            out.append(made)
        if out[0].meter is None and len(bars) > 1:  # a first bar that is too long hides the meter of the tune
            meter = bars[1].meter
            later = any(m.kind == "meter" and m.text == "hidden" and m.tick * self.scale > meter.tick
                        for m in self.score.marks)
            if bars[0].length > bars[1].length == 4 * self.clock * meter.numerator // meter.denominator and not later:
                out[0].meter = MeterSaid(meter.numerator, meter.denominator)
        self.meter = out[0].meter or FREE
        return out

    def _bar_at(self, tick: int) -> int:
        return bisect_right(self.edges, tick) - 1

    def _signs(self) -> None:
        score, scale = self.score, self.scale
        first = self.lines[0]
        keys: list[Key] = []
        for key in {key.tick: key for key in score.keys}.values() if self.pitched else ():
            key = Key(max(key.tick, 0), max(-7, min(7, key.fifths)), key.mode if key.mode == "minor" else "major")
            if not keys or keys[-1][1:] != key[1:]:
                keys.append(key)
        self.keys = [key for key in keys if key.tick * scale < self.end]
        for key in self.keys:
            if key.tick == 0:
                self.key = key
                continue
            for line in self.pitched:
                line.items[key.tick * scale].append(("key", key))
            if not first.is_drum:
                bar = self._bar_at(key.tick * scale)
                self.bars[bar].items.append((Fraction(key.tick * scale - self.edges[bar], self.clock), "key", key))
        for tick, bpm, words in self._tempos():
            self._put(self.lines, tick, "tempo", (bpm, words))
        pitched = next((i for i, line in enumerate(self.carriers) if not line.is_drum), 0)
        for chord in score.chords:
            symbol = chord_symbol_of(chord.symbol)
            if symbol:
                self._put(self._of_part(pitched), chord.tick, "chord", symbol)
            elif inline(chord.symbol):
                self._put(self._of_part(pitched), chord.tick, "words", inline(chord.symbol))
        for text in score.texts:
            if text.kind in ("words", "dynamic") and inline(text.text):
                kind = "dynamic" if text.kind == "dynamic" and text.text.strip() in DYNAMICS else "words"
                part = text.track if 0 <= text.track < len(self.carriers) else 0
                self._put(self._of_part(part), text.tick, kind, inline(text.text))
        self._marks()

    def _of_part(self, part: int) -> list[AbcLine]:
        """The voices of a part, the one that its signs stand in first."""
        first = self.carriers[part]
        return [first, *(line for line in self.lines if line.part == part and line is not first)]

    def _put(self, lines: list[AbcLine], tick: int, kind: str, value: Any) -> None:
        """Write something into the voice that has a note or rest there.

        Where none has, a chord symbol cuts a note in two; other signs go to the beginning of what they fall into.
        """
        tick *= self.scale
        if 0 <= tick < self.end:
            line = next((line for line in lines if line.begins_at(tick)), lines[0])
            place = tick if kind == "chord" else line.before(tick)
            if (kind, value) not in line.items[place]:
                line.items[place].append((kind, value))

    def _marks(self) -> None:
        onsets = defaultdict(set)
        for tick, track in zip(self.score.onset.tolist(), self.score.track.tolist(), strict=True):
            onsets[tick].add(track)
        ends = {self.end, *self.edges[1:]}
        codas = sum(mark.kind == "repeat" and mark.text == "coda" for mark in self.score.marks)
        for mark in dict.fromkeys(self.score.marks):
            tick = mark.tick * self.scale
            if mark.kind == "fermata" and 0 <= tick < self.end:
                named = {int(word) for word in mark.text.split() if word.isdecimal() and int(word) < len(self.carriers)}
                for part in sorted(named or onsets[mark.tick] or {0}):
                    self._put(self._of_part(part), mark.tick, "fermata", "")
            elif mark.kind in ("section", "marker") and 0 <= tick < self.end and inline(mark.text):
                tick = self.lines[0].before(tick)
                self.lines[0].items[tick].append(("section", inline(mark.text)))
                bar = self._bar_at(tick)
                self.bars[bar].items.append((Fraction(tick - self.edges[bar], self.clock), "section", ""))
            elif mark.kind == "repeat" and mark.text in ("segno", "coda") and tick in self.edge_set:
                self.lines[0].items[tick].append(("sign", "coda?" if mark.text == "coda" and codas == 1 else mark.text))
                self.bars[self._bar_at(tick)].items.append((Fraction(0), "sign", mark.text))
            elif mark.kind == "repeat" and mark.text in JUMP_SIGNS and tick in ends:
                bar = self._bar_at(tick - 1)
                self.bars[bar].items.append((self.bars[bar].length, "sign", mark.text))

    def _tempos(self) -> Iterable[tuple[int, float, str]]:
        """Tick, number and words of every tempo that a page shows, or that falls on a note of the first voice."""
        score = self.score
        words: defaultdict[int, list[str]] = defaultdict(list)
        for text in score.texts:
            if text.kind == "tempo" and inline(text.text):
                words[text.tick].append(inline(text.text))
        numbers = {tempo.tick: tempo for tempo in score.tempos}
        shown = {sign.tick // self.scale for bar in self.page.parts[0].bars for sign in bar.signs
                 if sign.kind == "tempo" and sign.shown}
        usual = len(numbers) == 1 and score.tempos[0].us_per_quarter == 500_000
        edges = {tick for line in self.lines for tick in line.starts}
        for tick in sorted({*words, *numbers}):
            if words.get(tick) or tick in shown or (tick == 0 and not usual) or (tick and tick * self.scale in edges):
                number = numbers[tick].bpm if tick in numbers else score.tempo_at(tick).bpm
                yield tick, float(f"{min(max(number, 1), 10_000):.3f}"), " ".join(words.get(tick, []))

    def _lyrics(self) -> None:
        for text in self.score.texts:
            found = re.fullmatch(r"lyric(?: (\d{1,3}))?", text.kind)
            words = cleaned(text.text)
            if not found or not words or not 0 <= text.track < len(self.carriers):
                continue
            if words[-1] in "-_":
                words = words[:-1].rstrip() + words[-1]
            verse, tick = int(found[1] or 1) or 1, text.tick * self.scale
            own = [line for line in self.lines if line.part == text.track and tick not in line.verses[verse]]
            home = next((line for line in own if line.begins(tick)), None) \
                or next((line for line in own if line.sounding(tick)), None)
            if home is not None:
                home.verses[verse][tick] = words
                home.items[tick].append(("syllable", ""))

    def _heads(self) -> list[tuple[str, str]]:
        """(kind, words) of what stands above and below the tune, in the order in which it is written."""
        texts = [text for text in self.score.texts if cleaned(text.text)]
        titles = [cleaned(text.text) for text in texts if text.kind == "title"]
        titles = titles[:1] + [cleaned(t.text) for t in texts if t.kind == "subtitle"] + titles[1:] if titles else \
            ["", *(cleaned(t.text) for t in texts if t.kind == "subtitle")]
        heads = [("title" if i == 0 else "subtitle", title) for i, title in enumerate(titles)]
        heads += [(text.kind, cleaned(text.text)) for text in texts if text.kind in _HEADS]
        heads += [("text", stanza) for text in texts if (stanza := _stanza(text))]
        return heads

    # --- what is read back ----------------------------------------------------------------------------------

    def reading(self) -> Reading:
        """What reading the written tune gives: notes and signs said to a Draft, with no text between."""
        draft = Draft(max_notes=len(self.score) + 1)
        for part in self.page.parts:
            draft.part(inline(part.track.name), part.track.program, part.track.is_drum)
        barring = Barring(draft)
        starts = [barring.bar(bar.length, bar.meter) for bar in self.bars]
        say_marks(draft, list(zip(self.bars, starts, strict=True)))
        if self.pitched:
            for key in self.keys:
                draft.key(self._quarters(key.tick * self.scale), key.fifths, key.mode)
        for line in self.lines:
            self._say_items(draft, line)
        levels: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for line in self.lines:
            levels[line.part] += sorted((tick, LEVELS[text]) for tick, items in line.items.items()
                                        for kind, text in items if kind == "dynamic" and text in LEVELS)
        for order, line in enumerate(self.lines):
            self._say_notes(draft, line, order, sorted(levels[line.part]))
        return draft.reading()

    def _quarters(self, tick: int) -> Fraction:
        return Fraction(tick, self.clock)

    def _say_notes(self, draft: Draft, line: AbcLine, order: int, levels: list[tuple[int, int]]) -> None:
        begun: dict[int, list[int]] = {}
        grace: dict[int, int] = {}
        for event in (event for bar in line.bars for event in bar or ()):
            for head in event.heads:
                begun.setdefault(head.note, [event.onset, 0])[1] += event.duration
                grace[head.note] = event.grace
        times = [tick for tick, _ in levels]
        spelling = self.score.spelling
        for note, (onset, duration) in begun.items():
            place = bisect_right(times, onset)
            draft.note(line.part, self._quarters(onset), self._quarters(duration), int(self.score.pitch[note]),
                       velocity=levels[place - 1][1] if place else 80, voice=order, staff=line.staff,
                       spelling=-1 if line.is_drum or spelling is None else int(spelling[note]), grace=grace[note])

    def _say_items(self, draft: Draft, line: AbcLine) -> None:
        for tick, items in line.items.items():
            at = self._quarters(tick)
            for kind, value in items:
                if kind == "tempo":
                    draft.tempo(at, value[0])
                    draft.text(at, -1, "tempo", value[1])
                elif kind == "chord":
                    draft.chord(at, value)
                elif kind in ("words", "dynamic"):
                    draft.text(at, line.part, kind, value)
                elif kind == "section":
                    draft.mark(at, "section", value)
                elif kind == "fermata":
                    draft.fermata(at, line.part)
        for verse, syllables in line.verses.items():
            for tick, text in syllables.items():
                draft.text(self._quarters(tick), line.part, "lyric" if verse == 1 else f"lyric {verse}",
                           self.syllable(line, verse, tick, text))

    def syllable(self, line: AbcLine, verse: int, tick: int, text: str) -> str:
        """The syllable as it can be written: held only where the next chord has no syllable of its own."""
        if not text.endswith("_") or not text.rstrip("_"):
            return text
        chords = [event for bar in line.bars for event in bar or () if event.heads and not event.grace]
        place = next(i for i, event in enumerate(chords) if event.onset == tick)
        if place + 1 < len(chords) and chords[place + 1].onset in line.verses[verse]:
            return text.rstrip("_")
        return text.rstrip("_") + "_"


def _stanza(text: Text) -> str:
    """Words that stand below a tune; the settings that a composed piece carries are none."""
    if text.kind != "text" or "{" in text.text:
        return ""
    return "\n".join(filter(None, map(cleaned, text.text.splitlines())))


def _apart(score: Score) -> Score:
    """The same with notes that double one of their voice in a voice of their own: ABC has one tie a pitch."""
    if score.voice is None or score.staff is None:
        return score
    voice = score.voice.copy()
    plain = np.flatnonzero(score.duration > 0)
    most = {track: int(voice[score.track == track].max(initial=0)) for track in range(len(score.tracks))}
    fresh: dict[tuple[int, int, int], int] = {}
    ends: dict[tuple[int, int, int], int] = {}
    for note in plain.tolist():
        track, staff, pitch = int(score.track[note]), int(score.staff[note]), int(score.pitch[note])
        onset, level = int(score.onset[note]), 0
        while ends.get((track, int(voice[note]), pitch), 0) > onset:
            level += 1
            if (track, staff, level) not in fresh:
                most[track] += 1
                fresh[track, staff, level] = most[track]
            voice[note] = fresh[track, staff, level]
        ends[track, int(voice[note]), pitch] = onset + int(score.duration[note])
    return score.replace(voice=voice) if fresh else score
