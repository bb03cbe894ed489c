"""Humdrum **kern in: every column of a file to a Score."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from collections import defaultdict
from fractions import Fraction

from partimento.formats import kern_words, musicxml_harmony, musicxml_values
from partimento.formats.draft import Draft
from partimento.formats.kern_parts import Staves, interval_of, staves_of
from partimento.formats.kern_repeats import Sign, barline_signs, section_signs, sections_of
from partimento.formats.kern_walk import WHOLE_PIECE, KernFile, Said
from partimento.formats.loudness import Loudness
from partimento.formats.reading import DEFAULT_MAX_NOTES, Reading
from partimento.formats.tempos import Tempos

LONGEST_GAP = 4                        # quarter notes between two notes with a tie over other notes
_DYNAMIC = re.compile(r"(?<![a-z])([pmf]{1,4}|[sr]?f{1,2}[zp]{0,2}|s?fp|fz|sffz?)(?![a-z])")
_TITLES = {"OTL": "title", "OPR": "subtitle", "OPS": "subtitle", "COM": "composer", "LYR": "lyricist",
           "LAR": "arranger", "YEC": "copyright", "YEM": "copyright"}
_CREDITS = ("ENC", "END", "EED", "EEV", "EST", "PPR", "PPP", "ONM", "AGN")


def parse(data: bytes, *, max_notes: int = DEFAULT_MAX_NOTES) -> Reading:
    """Return the music of a Humdrum file with its **kern columns; ReadError, in one sentence, where there is none.

    The part of a piano is one track; its staves count from the top. Repeats are marks, not played out. Of the other
    columns **dynam, **text and **silbe (lyrics) and **mxhm (chord symbols) are read; layout comments are words, records
    such as ``!!!COM`` texts. Pitches are sounding: *ITr says how a part is written, *Tr is undone. Of the Humdrum
    reference, https://www.humdrum.org/rep/kern.

    >>> reading = parse(b"**kern\\t**kern\\n*M2/4\\t*M2/4\\n4C\\t[4cc\\n4D\\t4cc]\\n==\\t==\\n*-\\t*-\\n")
    >>> reading.score.pitch.tolist(), reading.score.duration.tolist()
    ([72, 48, 50], [960, 480, 480])
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return _Reader(KernFile(text), Draft(max_notes)).reading()


class _Reader:
    """What was found in a file, on its way into a Draft."""

    def __init__(self, walk: KernFile, draft: Draft) -> None:
        self._walk, self._draft = walk, draft
        draft.repairs.update(walk.repairs)
        self._facts: defaultdict[int, dict[str, str]] = defaultdict(dict)
        for said in walk.said:
            if said.kind == "interpretation":
                name, value = _fact(said.text)
                if name:
                    self._facts[said.spine].setdefault(name, value)
        self._staves: dict[int, Staves] = {}
        decoration = next((text for key, text in walk.records if key == "system-decoration"), "")
        transpose, short = {}, {}
        for part in staves_of([spine.number for spine in walk.spines], self._facts, decoration):
            number = draft.part(*kern_words.instrument_of(part.name, part.codes))
            for staff, spine in enumerate(part.spines, 1):
                self._staves[spine] = Staves(number, staff, len(part.spines))
            if part.written != (0, 0):
                diatonic, chromatic = part.written
                octaves = int(-chromatic / 12)
                transpose[str(number)] = [-diatonic - 7 * octaves, -chromatic - 12 * octaves, octaves]
            if part.short:
                short[str(number)] = part.short
        if transpose:
            draft.extras["transpose"] = transpose
        if short:
            draft.extras["abbreviations"] = short
        self._starts: list[int] = []
        self._placed: list[Fraction] = []
        self._at: dict[int, Fraction] = {}
        self._tempos = Tempos()

    def reading(self) -> Reading:
        """The Score and what was mended."""
        signs, meters = self._bars()
        for time, kind, text in signs:
            self._draft.mark(self._when(time), kind, text)
        for time, text in meters:
            self._draft.mark(self._when(time), "meter", text)
        self._interpretations()
        loud = self._words()
        self._notes(loud)
        self._records()
        return self._draft.reading()

    def _when(self, time: int) -> Fraction:
        """Quarter notes from the beginning, in the bars as the Draft has laid them out."""
        at = self._at.get(time)
        if at is None:
            index = max(bisect_right(self._starts, time) - 1, 0)
            past = time - self._starts[index] if self._starts else time
            base = self._placed[index] if self._starts else Fraction(0)
            at = self._at[time] = base + Fraction(past, self._walk.clock)
        return at

    def _bars(self) -> tuple[list[Sign], list[tuple[int, str]]]:
        """Lay out the bars; the marks of bar lines, sections and jumps, and how meters are drawn."""
        walk = self._walk
        meters: dict[int, tuple[int, int]] = {}
        drawn: dict[int, str] = {}
        labels: list[tuple[int, str]] = []
        order: list[str] = []
        for said in walk.said:
            if said.kind != "interpretation":
                continue
            if found := re.fullmatch(r"M(\d{1,3})/(\d{1,3})", said.text):
                if int(found[1]) and int(found[2]):
                    meters[said.time] = int(found[1]), int(found[2])
            elif said.text in ("met(c)", "met(c|)"):
                drawn[said.time] = "common" if said.text == "met(c)" else "cut"
            elif (found := re.fullmatch(r">\s*\[([^\]]*)\]", said.text)) and not order:
                order = [label.strip() for label in found[1].split(",") if label.strip()]
            elif found := re.fullmatch(r">([^\[\]]+?)\s*", said.text):
                labels.append((said.time, found[1]))
        edges = sorted({0, *(time for time, _ in walk.bars), *meters, walk.end})
        for start, stop in itertools.pairwise(edges):
            self._starts.append(start)
            self._placed.append(Fraction(self._draft.bar(Fraction(stop - start, walk.clock), meters.get(start))))
        self._starts.append(walk.end)
        self._placed.append(Fraction(self._draft.end))
        signs = [sign for time, word in walk.bars for sign in barline_signs(time, word)]
        signs += self._jumps(edges)
        more, notice = section_signs(sections_of(labels, walk.end), order, signs)
        if notice:
            self._draft.notices.append(notice)
        counted = {time for time, kind, text in more if text.startswith("end ") and text[4:].isdecimal()}
        signs = [sign for sign in signs if sign[2] != "end" or sign[0] not in counted]
        return signs + more, [(time, text) for time, text in drawn.items()
                              if meters.get(time) in ((4, 4), (2, 2))]

    def _jumps(self, edges: list[int]) -> list[Sign]:
        """The signs that words such as *D.C. al Fine* stand for, at the beginning or the end of their bar."""
        out: list[Sign] = []
        for said in self._walk.said:
            if said.kind != "words":
                continue
            sign = kern_words.jump_of(kern_words.plain_words(_layout(said.text)))
            if not sign:
                continue
            index = bisect_right(edges, said.time) - 1
            time = said.time if said.at_end else edges[index] if sign in ("segno", "coda") \
                else edges[min(index + 1, len(edges) - 1)]
            out.append((time, "repeat", sign))
        return list(dict.fromkeys(out))

    def _interpretations(self) -> None:
        """Clefs, keys, tempos."""
        top = max((spine for spine in self._staves if "k" in self._facts[spine] or "key" in self._facts[spine]),
                  default=None)
        fifths, mode, before = 0, "", None
        for said in self._walk.said:
            if said.kind != "interpretation":
                continue
            if clef := _clef(said.text):
                staff = self._staves[said.spine]
                self._draft.clef(self._when(said.time), staff.part, staff.staff, clef)
            elif said.spine == top and (found := re.fullmatch(r"k\[([^\]]*)\]", said.text)):
                fifths = found[1].count("#") - found[1].count("-") - self._undone(said.spine)
                if before != said.time:
                    mode = ""
                before = said.time
                self._draft.key(self._when(said.time), fifths, mode)
            elif said.spine == top and (found := re.fullmatch(r"([a-gA-G])([#-]{0,2}):", said.text)):
                mode = _mode(found[1], found[2], fifths + self._undone(said.spine))
                before = said.time
                self._draft.key(self._when(said.time), fifths, mode)
            elif found := re.fullmatch(r"MM(\d{1,4}(?:\.\d{1,6})?)", said.text):
                self._tempos.number(said.time, float(found[1]))

    def _undone(self, spine: int) -> int:
        """Fifths by which the keys of a column lie above the sounding ones, by *Tr."""
        diatonic, chromatic = interval_of(self._facts[spine].get("Tr", ""))
        return 7 * chromatic - 12 * diatonic

    def _words(self) -> dict[int, Loudness]:
        """Everything that is said in words; the velocities that dynamics ask for, by part and time."""
        draft = self._draft
        loud: defaultdict[int, Loudness] = defaultdict(Loudness)
        for said in self._walk.said:
            part = self._staves[said.spine].part if said.spine in self._staves else WHOLE_PIECE
            kind, _, place = said.kind.partition(" ")
            if kind in ("tempo", "words"):
                self._direction(said, part)
            elif kind == "dynam":
                for word in _DYNAMIC.findall(said.text):
                    draft.text(self._when(said.time), part, "dynamic", word)
                    loud[part].say(said.time, word)
            elif kind in ("text", "silbe"):
                draft.text(self._when(said.time), part, f"lyric {place}".strip(), _syllable(said.text))
            elif kind == "mxhm":
                symbol = _symbol(said.text)
                if symbol:
                    draft.chord(self._when(said.time), symbol)
        for time, bpm in self._tempos:
            draft.tempo(self._when(int(time)), bpm)
        return loud

    def _direction(self, said: Said, part: int) -> None:
        """Words over the page: a tempo where they are meant as one, else any direction."""
        words = kern_words.plain_words(said.text if said.kind == "tempo" else _layout(said.text))
        if kern_words.jump_of(words):
            return                                           # a mark says it
        number = kern_words.tempo_number(words)
        if number is not None:
            self._tempos.number(said.time, number)
        is_tempo = number is not None or self._tempos.words(said.time, words) or said.kind == "tempo"
        self._draft.text(self._when(said.time), WHOLE_PIECE if is_tempo else part,
                         "tempo" if is_tempo else "words", _readable(words))

    def _notes(self, loud: dict[int, Loudness]) -> None:
        """Note heads and fermatas."""
        walk, draft, when = self._walk, self._draft, self._when
        clock = walk.clock
        lengths: dict[int, Fraction] = {}
        moved = {spine: (interval_of(facts["Tr"])[1], self._undone(spine))
                 for spine, facts in self._facts.items() if "Tr" in facts}
        held = self._held()
        for index, (spine, time, ticks, pitch, spelling, voice, shift, grace, tied_from, tied_to) in \
                enumerate(walk.notes):
            ticks = held.get(index, ticks)
            staff = self._staves[spine]
            length = lengths.get(ticks)
            if length is None:
                length = lengths[ticks] = Fraction(ticks, clock)
            if spine in moved:
                semitones, fifths = moved[spine]
                pitch, spelling = pitch - semitones, musicxml_values.on_line(spelling - fifths)
            draft.note(staff.part, when(time), length, pitch,
                       velocity=loud[staff.part].at(time), voice=100 * staff.staff + voice,
                       staff=min(max(staff.staff + shift, 1), staff.of), spelling=spelling, grace=grace,
                       tied_from=tied_from, tied_to=tied_to)
        for spine, time in walk.fermatas:
            draft.fermata(when(time), self._staves[spine].part)

    def _held(self) -> dict[int, int]:
        """The ticks of notes tied to one that comes later, over other notes or rests, as in broken chords."""
        notes = self._walk.notes
        parts = {spine: staff.part for spine, staff in self._staves.items()}
        ends = {(parts[note.spine], note.pitch, note.time + note.ticks) for note in notes if note.tied_to}
        held: dict[int, int] = {}
        begun: dict[tuple[int, int], int] = {}               # part and pitch -> place in the notes
        for index, note in enumerate(notes):
            at = parts[note.spine], note.pitch
            if note.grace:
                continue
            if note.tied_from and (*at, note.time) not in ends and at in begun:
                before = notes[begun[at]]
                if 0 < note.time - before.time - before.ticks <= LONGEST_GAP * self._walk.clock:
                    held[begun[at]] = note.time - before.time
            if note.tied_to:
                begun[at] = index
            elif note.tied_from:
                begun.pop(at, None)
        return held

    def _records(self) -> None:
        """Title, people, licence and credits."""
        said: dict[str, str] = {}
        for key, text in self._walk.records:
            base = re.sub(r"(?:@.*|\d+)$", "", key)
            if not text or (base in said and base not in ("COM", "LYR", "YEC", "YEM", *_CREDITS)):
                continue
            if base in _TITLES:
                said[base] = text
                words = kern_words.plain_words(text)
                self._draft.text(0, WHOLE_PIECE, _TITLES[base],
                                 kern_words.person(words) if base in ("COM", "LYR", "LAR") else words)
            elif base in _CREDITS:
                said[base] = text
                self._draft.text(0, WHOLE_PIECE, "text", f"{base}: {kern_words.plain_words(text)}")


_FACTS = {name: re.compile(pattern) for name, pattern in {
    "part": r"part\s*(\d+)$", "name": r'I"(.*)', "short": r"I'(.*)", "class": r"IC(\w+)", "ITr": r"ITr(.*)",
    "Tr": r"Tr(d.*)", "code": r"I([a-z]\w*)", "clef": r"clef(.*)", "k": r"k(\[.*)",
    "key": r"([a-gA-G][#-]*):"}.items()}


def _fact(text: str) -> tuple[str, str]:
    """The name and the value of an interpretation that says something of a whole column; nothing for others."""
    for name, pattern in _FACTS.items():
        found = pattern.match(text)
        if found and found[1] != "empty":
            return name, found[1]
    return "", ""


def _clef(text: str) -> str:
    """``G2_8`` for ``clefGv2``; nothing for what is no clef."""
    found = re.fullmatch(r"clef([GFC])(v{0,2}|\^{0,2})([1-5])", text)
    if found:
        return found[1] + found[3] + {"": "", "v": "_8", "vv": "_15", "^": "^8", "^^": "^15"}[found[2]]
    return "percussion" if re.match(r"clefX", text) else ""


def _mode(step: str, signs: str, fifths: int) -> str:
    """``major`` or ``minor`` where a key and its signature agree, else nothing."""
    place = "FCGDAEB".index(step.upper()) - 1 + 7 * (signs.count("#") - signs.count("-"))
    if step.isupper():
        return "major" if place == fifths else ""
    return "minor" if place - 3 == fifths else ""


def _layout(text: str) -> str:
    """The words of a layout comment such as ``!LO:TX:a:t=dolce``; nothing for a ``P``, which is a note to encoders."""
    values = dict(part.partition("=")[::2] for part in text.split(":")[2:])
    words = values.get("t", "").strip()
    return "" if words == "P" else words


def _readable(words: str) -> str:
    """Names of notes in brackets as signs of Unicode."""
    for name, sign in (("[half-dot]", "𝅗𝅥."), ("[half]", "𝅗𝅥"), ("[quarter-dot]", "♩."), ("[quarter]", "♩"),
                       ("[eighth-dot]", "♪."), ("[eighth]", "♪")):
        words = words.replace(name, sign)
    return words


def _syllable(text: str) -> str:
    """A syllable with a hyphen or a line behind it where its word goes on; nothing for what carries none."""
    text = text.strip()
    if set(text) <= set("-_|"):
        return ""
    return text.lstrip("-").replace("_", " ") if not text.endswith("_") else \
        text.lstrip("-").rstrip("_").replace("_", " ") + "_"


def _symbol(text: str) -> str:
    """The chord symbol of a word of a **mxhm column such as ``A- dominant/E-``."""
    found = re.fullmatch(r"([A-G])([#-]{0,2}) ?([\w-]*)(?:/([A-G])([#-]{0,2}))?", text.strip())
    if not found:
        return "N" if text.strip() in ("none", "N.C.") else ""
    step, signs, kind, bass, bass_signs = found.groups("")
    return musicxml_harmony.symbol_of((step, signs.count("#") - signs.count("-")), kind or "major",
                                      bass=(bass, bass_signs.count("#") - bass_signs.count("-")) if bass else None)
