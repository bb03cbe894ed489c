"""ABC tunes written: the page of a Score, voice after voice, in ABC 2.1 as other programs read it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from partimento.formats.abc_fields import FREE, LETTERS, MeterSaid, altered_by
from partimento.formats.abc_page import AbcLine, AbcPage, inline
from partimento.formats.abc_signs import JUMP_SIGNS, Sign, annotation_of
from partimento.formats.abc_text import escaped
from partimento.formats.abc_tune import credit_of, headed
from partimento.notation.sheet_page import Event, NoteHead
from partimento.score import Key, Score

UNIT = Fraction(1, 2)                   # quarter notes of a bare letter: L:1/8
BARS_A_LINE, NOTES_A_LINE = 4, 40
_CLEFS = {"G2": "treble", "F4": "bass", "C3": "alto", "C4": "tenor", "C1": "soprano", "C2": "mezzosoprano",
          "F3": "bass3"}
_MAJORS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MINORS = ("Abm", "Ebm", "Bbm", "Fm", "Cm", "Gm", "Dm", "Am", "Em", "Bm", "F#m", "C#m", "G#m", "D#m", "A#m")
_SIGNS = {2: "^^", 1: "^", 0: "=", -1: "_", -2: "__"}
_LINES = {"": "|", "double": "||", "final": "|]", "dashed": ".|", "none": "[|]"}
_PREFIX = {"composer": "Music: ", "lyricist": "Words: ", "arranger": "Arr: ", "copyright": "copyright: "}


def dumps(score: Score) -> bytes:
    """Return a Score as one ABC tune, UTF-8: what `keep` says of it.

    >>> tune = Score(onset=[0, 480], duration=[480, 1440], pitch=[60, 64], velocity=[80, 80], track=[0, 0])
    >>> dumps(tune).decode().split("\\n")[-2]
    'C2 E6|]'
    """
    page = AbcPage(score)
    lines = [*_head(page)]
    for number, line in enumerate(page.lines):
        lines += _Writer(page, line, number).lines()
    for letter, text in _below(page):
        lines.append(f"{letter}:{escaped(text)}")
    return "\n".join([*lines, ""]).encode()


def keep(score: Score) -> Score:
    """Return what ABC keeps of a Score: ``parse(dumps(score)).score == keep(score)``.

    A page is kept: bars, voices, staves, spelling, note values, ties, tuplets, grace notes, keys, meters, tempos,
    repeats, chord symbols, lyrics, dynamics, fermatas, words. Lost are controllers, each note's own loudness (that of
    the last dynamic stands, or 80), transposed parts (they are written as they sound), what stands after the end, and
    of a voice that crosses staves all but its main staff. A key of no mode becomes major.
    """
    page = AbcPage(score)
    return headed(page.reading(), [(kind, text) for kind, text in page.heads], page.about).score


# --- fields ------------------------------------------------------------------------------------------------------


def _head(page: AbcPage) -> Iterator[str]:
    yield "%abc-2.1"
    yield "X:1"
    for kind, text in page.heads:
        if kind in ("title", "subtitle"):
            yield f"T:{escaped(text)}"
    for kind, text in page.heads:
        if kind in _PREFIX:
            yield f"C:{escaped(_credited(kind, text))}"
    for letter, text in page.about:
        yield f"{letter}:{escaped(text)}"
    yield f"M:{_meter(page.meter)}"
    yield "L:1/8"
    for line in page.lines:
        yield from (f"Q:{_tempo(*value)}" for kind, value in line.items.get(page.edges[0], ()) if kind == "tempo")
    named = [part for part in page.page.parts if inline(part.track.name)]
    if len(page.lines) > 1:
        yield f"%%score {_score(page)}"
    if len(page.lines) > 1 or named or _clef(page, page.lines[0]) != "treble":
        for number, line in enumerate(page.lines):
            part = page.page.parts[line.part]
            first = number == 0 or page.lines[number - 1].part != line.part
            name = f' name="{escaped(inline(part.track.name))}"' if first and inline(part.track.name) else ""
            short = f' snm="{escaped(inline(part.abbreviation))}"' if first and inline(part.abbreviation) else ""
            yield f"V:{number + 1} clef={_clef(page, line)}{name}{short}"
    yield f"K:{_key(page.key)}"


def _below(page: AbcPage) -> Iterator[tuple[str, str]]:
    first = True
    for kind, text in page.heads:
        if kind == "text":
            if not first:
                yield "W", ""
            first = False
            yield from (("W", line) for line in text.split("\n"))


def _credited(kind: str, text: str) -> str:
    if credit_of(text) == (kind, text):
        return text
    return _PREFIX[kind] + text


def _meter(meter: MeterSaid) -> str:
    if meter == FREE:
        return "none"
    return {"common": "C", "cut": "C|"}.get(meter.sign, f"{meter.numerator}/{meter.denominator}")


def _key(key: Key) -> str:
    """The name of a key; `page.key` has no mode where none is said at the beginning."""
    if not key.mode:
        return "none"
    return (_MINORS if key.mode == "minor" else _MAJORS)[key.fifths + 7]


def _tempo(bpm: float, words: str) -> str:
    return (f'"{escaped(words)}" ' if words else "") + f"1/4={bpm:.3f}".rstrip("0").rstrip(".")


def _score(page: AbcPage) -> str:
    """The voices of each part: those of one staff in ( ), staves in { }, groups of parts in [ ]."""
    opens = {group.first for group in page.page.groups if group.symbol == "bracket"}
    closes = {group.last for group in page.page.groups if group.symbol == "bracket"}
    out = []
    for part in page.page.parts:
        staves: dict[int, list[str]] = {}
        for number, line in enumerate(page.lines):
            if line.part == part.index:
                staves.setdefault(line.staff, []).append(str(number + 1))
        words = [f"({' '.join(own)})" if len(own) > 1 else own[0] for _, own in sorted(staves.items())]
        said = "{" + " | ".join(words) + "}" if len(words) > 1 else words[0]
        out.append(("[" if part.index in opens else "") + said + ("]" if part.index in closes else ""))
    return " ".join(out)


def _clef(page: AbcPage, line: AbcLine) -> str:
    """The word for the clef that a voice begins with."""
    first = next((sign.clef for sign in page.page.parts[line.part].bars[0].clefs
                  if sign.staff == line.staff and sign.tick == page.edges[0]), "G2")
    return "perc" if line.is_drum else _clef_word(first)


def _clef_word(clef: str) -> str:
    """The word for a clef; the 8 over or under it is left out, since not every program hears it."""
    return _CLEFS.get(re.sub(r"[_^]\d+$", "", clef), "treble")


# --- music -------------------------------------------------------------------------------------------------------


class _Writer:
    """One voice being written; it knows what the accidentals so far in the bar say."""

    def __init__(self, page: AbcPage, line: AbcLine, number: int) -> None:
        self.page, self.line, self.number = page, line, number
        self.key = altered_by(page.key.fifths)
        self.by_place: dict[int, int] = {}
        self.by_letter: dict[int, int] = {}
        self.tuplets: list[list[Any]] = []
        clefs = [clef for bar in page.page.parts[line.part].bars for clef in bar.clefs if clef.staff == line.staff]
        self.clefs = [] if line.is_drum else sorted(clefs, key=lambda clef: clef.tick)

    def lines(self) -> Iterator[str]:
        page, line = self.page, self.line
        part = page.page.parts[line.part]
        if len(page.lines) > 1:
            yield f"V:{self.number + 1}"
        if part.track.is_drum:
            yield "%%MIDI channel 10"
        if part.track.program:
            yield f"%%MIDI program {part.track.program}"
        if self.number and any(bar.meter is not None for bar in page.bars[1:]):     # what the voice before it changed
            yield f"M:{_meter(page.meter)}"
        if self.number and not line.is_drum and len(page.keys) > 1:
            yield f"K:{_key(page.key)}"
        start = 0
        for stop in self._breaks():
            yield from self._changes(start)
            yield "".join(self._bar(number) for number in range(start, stop))
            chords = [event for bar in line.bars[start:stop] for event in bar or () if not event.grace]
            sung = [verse for verse in line.verses if any(e.onset in line.verses[verse] for e in chords if e.heads)]
            for verse in range(1, max(sung, default=0) + 1):
                yield f"w:{self._verse(chords, verse)}"
            start = stop

    def _breaks(self) -> Iterator[int]:
        """After which bars a line of music ends: enough for one line, or before a change of meter or key."""
        line, page = self.line, self.page
        bars = notes = 0
        for number, bar in enumerate(line.bars):
            more = len(bar or ())
            changes = page.bars[number].meter is not None or self._key_at(number) is not None
            if bars and (changes or bars == BARS_A_LINE or notes + more > NOTES_A_LINE):
                yield number
                bars = notes = 0
            bars, notes = bars + 1, notes + more
        yield len(line.bars)

    def _key_at(self, number: int) -> Key | None:
        tick = self.page.edges[number]
        return next((value for kind, value in self.line.items.get(tick, ()) if kind == "key"), None)

    def _changes(self, number: int) -> Iterator[str]:
        """Meter and key that change at a bar, as lines of their own: not every program reads them in the music."""
        meter = self.page.bars[number].meter
        if meter is not None and number:
            yield f"M:{_meter(meter)}"
        key = self._key_at(number)
        if key is not None:
            self.key = altered_by(key.fifths)
            yield f"K:{_key(key)}"

    def _bar(self, number: int) -> str:
        page = self.page
        bar, events = page.bars[number], self.line.bars[number] or ()
        self.by_place, self.by_letter = {}, {}
        out = []
        if number == 0 and bar.left.start:
            out.append("|:")
        if bar.ending:
            out.append(f"[{bar.ending} ")
        graces: list[Event] = []
        for event in events:
            if event.grace:
                graces.append(event)
                continue
            beamed = bool(out) and not graces and event.beams[:1] in (("continue",), ("end",))
            out.append(("" if beamed or not out else " ") + self._event(event, graces))
            graces = []
        out.append(self._graces(graces))
        if self.number == 0:
            out += [self._jump(text) for at, kind, text in bar.items if kind == "sign" and at == bar.length]
        return "".join(out) + _bar_line(bar.right)

    def _jump(self, text: str) -> str:
        sign = JUMP_SIGNS[text]
        return f'"^{sign}"' if text == "to coda" else f"!{sign}!"

    def _event(self, event: Event, graces: list[Event]) -> str:
        items = self.line.items.get(event.onset, ())
        out = [*self._fields(event, items), self._graces(graces)]
        out += [f'"{"N.C." if value == "N" else value}"' for kind, value in items if kind == "chord"]
        out += [f'"{">" if annotation_of(value) else "^"}{escaped(value)}"' for kind, value in items if kind == "words"]
        for kind, value in items:
            if kind == "dynamic":
                out.append(f"!{value}!")
            elif kind == "sign":
                out.append('"^Coda"' if value == "coda" else f"!{'coda' if value == 'coda?' else value}!")
            elif kind == "fermata":
                out.append("!fermata!")
        nominal = self._tuplet(event, out)
        if not event.heads:
            out.append("z" + _length(nominal))
            return "".join(out)
        together = all(head.tie_start for head in event.heads)
        notes = [self._head(head) + ("-" if head.tie_start and not together else "") for head in event.heads]
        out.append(notes[0] + _length(nominal) if len(notes) == 1 else f"[{''.join(notes)}]{_length(nominal)}")
        if together:
            out.append("-")
        return "".join(out)

    def _fields(self, event: Event, items: Iterable[tuple[str, Any]]) -> Iterator[str]:
        for kind, value in items:
            if kind == "section":
                yield f"[P:{escaped(value)}]"
            elif kind == "tempo" and event.onset:
                yield f"[Q:{_tempo(*value)}]"
            elif kind == "key" and event.onset not in self.page.edge_set:
                self.key = altered_by(value.fifths)
                yield f"[K:{_key(value)}]"
        stop = event.onset + event.duration
        for clef in self.clefs:
            if event.onset <= clef.tick < stop and clef.tick > self.page.edges[0]:
                yield f"[K:clef={_clef_word(clef.clef)}]"

    def _tuplet(self, event: Event, out: list[str]) -> Fraction:
        """The length to write, in units; where tuplets begin they are said."""
        opened = [tuplet for tuplet in event.tuplets if tuplet.start]
        for tuplet in opened:
            count = self._count(event, tuplet.number)
            out.append(f"({tuplet.actual}:{tuplet.normal}:{count}")
            self.tuplets.append([Fraction(tuplet.normal, tuplet.actual), count])
        length = Fraction(event.duration, self.page.clock) / UNIT
        for tuplet_open in self.tuplets:
            length /= tuplet_open[0]
            tuplet_open[1] -= 1
        self.tuplets = [tuplet_open for tuplet_open in self.tuplets if tuplet_open[1] > 0]
        return length

    def _count(self, event: Event, number: int) -> int:
        """How many events are under a tuplet that begins here."""
        count = 0
        bar = self.line.bars[bisect_right(self.page.edges, event.onset) - 1] or ()
        for other in bar:
            if other.grace or other.onset < event.onset:
                continue
            count += 1
            if any(tuplet.number == number and tuplet.stop for tuplet in other.tuplets):
                return count
        return count

    def _graces(self, events: list[Event]) -> str:
        out = []
        for i, event in enumerate(events):
            slashed = event.grace > 100
            if i == 0 or slashed != (events[i - 1].grace > 100):
                out.append(("}" if i else "") + ("{/" if slashed else "{"))
            notes = [self._head(head) for head in event.heads]
            out.append(notes[0] if len(notes) == 1 else f"[{''.join(notes)}]")
        return "".join(out) + ("}" if events else "")

    def _head(self, head: NoteHead) -> str:
        """A note with the accidental that makes it read as it is meant, by octave or by letter."""
        step, alter, octave = self.page.spelled(head.note)
        letter = LETTERS.index(step)
        place = 7 * octave + letter
        usual = self.key[letter]
        carried = self.by_place.get(place, usual)
        needed = carried != alter or self.by_letter.get(letter, usual) != alter
        if head.tie_stop and alter != usual and place not in self.by_place:
            needed = True                           # not every program carries an accidental over a tie
        sign = ""
        if needed:
            sign = _SIGNS[alter]
            self.by_place[place] = self.by_letter[letter] = alter
        return sign + (step.lower() + "'" * (octave - 5) if octave > 4 else step + "," * (4 - octave))

    def _verse(self, chords: list[Event], verse: int) -> str:
        """The syllables of one verse under the chords of one line."""
        line, out = self.line, []
        holding = owed = False                  # a syllable goes on; its own sign is laid under the next chord
        for event in chords:
            if not event.heads:
                holding = False
                continue
            words = line.verses[verse].get(event.onset)
            if words is None:
                if not owed:
                    out.append("_" if holding else "*")
                owed = False
                continue
            words = self.page.syllable(line, verse, event.onset, words)
            holding = owed = words.endswith("_") and bool(words.rstrip("_"))
            goes_on = words.endswith("-") and bool(words.rstrip("-"))
            out.append(_lyric(words[:-1]) + words[-1] if goes_on or holding else _lyric(words))
        while out and out[-1] in ("_", "*"):
            out.pop()
        return " ".join(out).replace(" _", "_")


def _lyric(words: str) -> str:
    words = re.sub(r"([-_*|])", r"\\\1", escaped(words))
    return words.replace("~", r"\u007e").replace(" ", "~")


def _bar_line(sign: Sign) -> str:
    if sign.end and sign.start:
        return "::" if sign.end == 2 else ":" * (sign.end - 1) + "||:"
    if sign.end:
        return ":" * (sign.end - 1) + "|"
    if sign.start:
        return (_LINES[sign.look] + " " if sign.look else "") + "|:"
    return _LINES[sign.look]


def _length(units: Fraction) -> str:
    """A length in units as ABC writes it.

    >>> [_length(Fraction(n, d)) for n, d in ((1, 1), (3, 1), (1, 2), (3, 2), (1, 4))]
    ['', '3', '/', '3/2', '/4']
    """
    top = str(units.numerator) if units.numerator != 1 else ""
    if units.denominator == 1:
        return top
    return top + ("/" if units.denominator == 2 and not top else f"/{units.denominator}")
