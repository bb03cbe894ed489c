"""One ABC tune being read: its lines, its fields, and what becomes of its voices."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from partimento.formats.abc_bars import AbcBars
from partimento.formats.abc_fields import (
    FREE,
    NO_KEY,
    TempoSaid,
    clef_said,
    drum_said,
    key_said,
    length_said,
    meter_said,
    named,
    parts_played,
    score_said,
    tempo_said,
    transposition,
    unit_of,
)
from partimento.formats.abc_signs import Sign
from partimento.formats.abc_text import field_of, uncommented, unescaped
from partimento.formats.abc_voice import AbcVoice
from partimento.formats.draft import Draft
from partimento.formats.loudness import LEVELS
from partimento.formats.reading import Reading
from partimento.score import Text

_ABOUT = "ABDFGHNORSZ"                   # fields that tell of the tune and change nothing in it
_CREDITS = ((r"(?:words|lyrics|text)(?: by)?\s*:?", "lyricist"), (r"(?:music|melody|tune)(?: by)?\s*:?", "composer"),
            (r"(?:setting|arr(?:\.|anged|angement)?|harmony|harmonized)(?: by)?\s*:?", "arranger"),
            (r"copyright\s*:|(?=copyright|©|\(c\))", "copyright"))


def headed(reading: Reading, heads: Iterable[tuple[str, str]], about: list[list[str]]) -> Reading:
    """The same with what stands above and below a tune, (kind, words) in their order, and the fields about it."""
    score = reading.score
    texts = (*(Text(0, -1, kind, words) for kind, words in heads if words), *score.texts)
    extras = {**score.extras, "abc": {"fields": about}} if about else score.extras
    return Reading(score.replace(texts=texts, extras=extras), reading.repairs, reading.notices)


def credit_of(words: str) -> tuple[str, str]:
    """Return the kind of a C: field, by the words it begins with, and its text.

    >>> credit_of("Words: A. Nonym"), credit_of("trad.")
    (('lyricist', 'A. Nonym'), ('composer', 'trad.'))
    """
    for pattern, kind in _CREDITS:
        found = re.match(pattern, words, re.IGNORECASE)
        if found and (kind == "copyright" or found[0].endswith((":", "by", "."))) and words[found.end():].strip():
            return kind, words[found.end():].strip()
    return "composer", words


class AbcTune:
    """One tune being read: fields go where they belong, music to the voice that is in turn."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.repairs: Counter[str] = draft.repairs
        self.in_body = False
        self.voices: dict[str, AbcVoice] = {}
        self.voice: AbcVoice | None = None
        self.heads: list[tuple[str, str]] = []      # kind of Text and words
        self.about: list[list[str]] = []
        self.stanzas: list[list[str]] = []
        self.symbols: dict[str, str] = {}
        self.key, self.key_text = NO_KEY, ""        # what the head says for all voices
        self.meter, self.unit, self.unit_said = FREE, Fraction(1, 2), False
        self.tempos: list[str] = []
        self.propagate = "octave"
        self.midi: list[list[str]] = []
        self.places: dict[str, tuple[int, int]] = {}    # voice -> part, staff
        self.parts: list[list[list[str]]] = []
        self.brackets: list[tuple[int, int]] = []
        self.syncs: list[dict[str, int]] = []       # where voices stood when a new %%score brought them together
        self.programs: dict[int, int] = {}
        self.channels: dict[str, int] = {}
        self.last_field = ""

    # --- lines ----------------------------------------------------------------------------------------------

    def read(self, lines: Sequence[str]) -> Reading:
        """The tune of these lines."""
        block: list[str] | None = None
        skipping = False
        last_end = max((number for number, line in enumerate(lines) if line.startswith("%%end")), default=-1)
        for number, line in enumerate(lines):
            if line.startswith("%%begin"):
                if number < last_end:
                    block, skipping = [], not line.startswith("%%begintext")
                else:
                    self.repairs["blocks of text without an end"] += 1
            elif line.startswith("%%end"):
                if block and not skipping:
                    self.stanzas.append(block)
                block, skipping = None, False
            elif block is not None:
                block.append(unescaped(line.removeprefix("%%")).strip())
            elif line.startswith("%%"):
                self._directive(line[2:])
            elif line.startswith("%"):
                continue
            elif (field := field_of(line, self.in_body)) is not None:
                self._field(*field)
            elif line.strip():
                self._music(uncommented(line))
        return self._reading()

    def _music(self, line: str) -> None:
        if not self.in_body:
            if not re.search(r"[A-Ga-gz].*\|", line):
                self.repairs["lines that are no fields left out of the head"] += 1
                return
            self._keyless()
        self.last_field = ""
        self._current().read(line, self._switch)

    def _keyless(self) -> None:
        self.repairs["keys that are missing"] += 1
        self._begin("none")

    def _current(self) -> AbcVoice:
        if self.voice is None:
            self.voice = next(iter(self.voices.values()), None) or self._named("1")
        return self.voice

    def _named(self, name: str) -> AbcVoice:
        """The voice of that name, made where it is new."""
        voice = self.voices.get(name)
        if voice is None:
            voice = AbcVoice(name, len(self.voices), self.repairs, self._field, self.symbols)
            voice.propagate = self.propagate
            self.voices[name] = voice
            if self.in_body:
                self._set_up(voice)
            for words in self.midi:
                self._play(voice, words)
        return voice

    def _set_up(self, voice: AbcVoice) -> None:
        """Key, meter and unit of the head; the tune says them once, no voice says them again."""
        voice.key, voice.meter = self.key or NO_KEY, self.meter
        voice.set_unit(self.unit)
        self._describe(voice, self.key_text, key=True)

    def _switch(self, text: str) -> AbcVoice:
        """The voice that a V: field names, with what it says of it."""
        name, _, rest = text.strip().partition(" ")
        voice = self._named(name or "1")
        if rest.strip():
            self._describe(voice, rest)
        if self.in_body:
            self.voice = voice
        return voice

    # --- fields ---------------------------------------------------------------------------------------------

    def _field(self, letter: str, value: str) -> None:
        if letter == "+":
            letter = self.last_field
        if letter == "w":
            if self.in_body and self.voice is not None:
                self.voice.sing(value.removesuffix("\\"))
        elif letter == "V":
            self._switch(value)
        elif letter == "P" and not self.in_body:
            self._order(value)
        elif letter in "KLMPQ":
            self._frame(letter, value)
        elif letter == "I":
            self._directive(value)
        elif letter == "U":
            symbol, _, meaning = value.partition("=")
            if len(symbol.strip()) == 1:
                self.symbols[symbol.strip()] = meaning.strip()
        elif letter == "W":
            if not value:
                self.stanzas.append([])
            elif self.last_field == "W" and self.stanzas:
                self.stanzas[-1].append(unescaped(value))
            else:
                self.stanzas.append([unescaped(value)])
        elif letter == "T":
            self._title(unescaped(value))
        elif letter == "C":
            self.heads.append(credit_of(unescaped(value)))
        elif letter in _ABOUT:
            self.about.append([letter, unescaped(value)])
        elif letter == "m":
            self.repairs["macros not read"] += 1
        elif letter == "s":
            self.repairs["lines of symbols not read"] += 1
        elif letter not in "Xr":
            self.repairs["fields that ABC does not know left out"] += 1
        self.last_field = letter

    def _title(self, words: str) -> None:
        if self.in_body:
            if words:
                self._current().say("section", words)
        else:
            self.heads.append(("subtitle" if any(kind == "title" for kind, _ in self.heads) else "title", words))

    def _order(self, value: str) -> None:
        order = "".join(parts_played(value))
        if order and order != "".join(dict.fromkeys(order)):
            self.draft.notices.append(f"the parts are to be played in the order {order[:60]}; they stand here once "
                                      "each, as they are written")

    def _frame(self, letter: str, value: str) -> None:
        """Key, unit, meter, tempo or part: of the head, of every voice where none is in turn yet, or of that one."""
        said = self._understood(letter, value)
        if said is None and letter != "K":
            return
        if not self.in_body:
            if letter == "K":
                self._begin(value)
            elif letter == "L":
                self.unit, self.unit_said = said, True
            elif letter == "M":
                self.meter = said
            elif letter == "Q":
                self.tempos.append(said)
            return
        for voice in [self.voice] if self.voice is not None else list(self.voices.values()) or [self._current()]:
            if letter == "K":
                if said is not None:
                    voice.key = said
                    voice.say("key", said)
                self._describe(voice, value, key=True)
            elif letter == "L":
                voice.set_unit(said)
            elif letter == "M":
                voice.change_meter(said)
            elif letter == "Q":
                voice.say("tempo", tempo_said(said, voice.unit))
            else:
                voice.say("section", said)

    def _understood(self, letter: str, value: str) -> Any:
        """What a field of the frame says; None, counted, where it cannot be understood."""
        if letter == "K":
            return key_said(value)
        if letter in "PQ":
            return unescaped(value) or None
        said = length_said(value) if letter == "L" else meter_said(value)
        if said is None and value != "auto":
            self.repairs[f"{'unit lengths' if letter == 'L' else 'meters'} that cannot be understood left out"] += 1
        return said

    def _begin(self, key: str) -> None:
        """The K: that ends the head."""
        self.in_body = True
        self.key_text, self.key = key, key_said(key) or NO_KEY
        if not self.unit_said:
            self.unit = unit_of(self.meter)
        for voice in self.voices.values():
            self._set_up(voice)

    def _describe(self, voice: AbcVoice, text: str, key: bool = False) -> None:
        """What a V: or K: field says of a voice beside its name or key: clef, names, transposition."""
        values, words = named(text)
        clef = clef_said(values.get("clef", "")) or \
            next(filter(None, (clef_said(word) for word in words if len(word) > 2)), None)
        if clef:
            voice.say("clef", clef[0])
            voice.clef_octaves = clef[1]
            voice.is_drum = voice.is_drum or clef[0] == "percussion"
        if not key:
            voice.title = values.get("name", values.get("nm", voice.title))
            voice.short = values.get("subname", values.get("sname", values.get("snm", voice.short)))
        for name in ("transpose", "octave"):
            number = re.fullmatch(r"[-+]?\d{1,2}", values.get(name, ""))
            if number and name == "transpose":
                voice.transpose(int(number[0]))
            elif number:
                voice.octaves = int(number[0])

    def _directive(self, text: str) -> None:
        word, _, rest = text.strip().partition(" ")
        word, rest = word.rstrip("=").lower(), uncommented(rest).strip()
        if word in ("score", "staves"):
            self._score(rest)
        elif word == "midi":
            words = rest.replace("=", " ").split()
            if re.fullmatch(r"program \d{1,2} \d{1,3}", " ".join(words[:3])):
                self.programs[int(words[1])] = int(words[2])
            elif (voice := self.voice or next(reversed(self.voices.values()), None)) is not None:
                self._play(voice, words)
            else:
                self.midi.append(words)
        elif word == "propagate-accidentals" and rest in ("not", "octave", "pitch"):
            self.propagate = rest
            for voice in self.voices.values():
                voice.propagate = rest
        elif word == "text" and rest:
            self.stanzas.append([unescaped(rest)])

    def _play(self, voice: AbcVoice, words: list[str]) -> None:
        """What a %%MIDI line says of a voice: program, channel, transposition, or the key of a drum."""
        numbers = [int(word) for word in words[1:] if re.fullmatch(r"-?\d{1,3}", word)]
        kind = words[0].lower() if words else ""
        if not numbers:
            return
        if kind == "program":
            voice.program = numbers[0]
        elif kind == "channel":
            self.channels[voice.name] = numbers[0]
            voice.is_drum = numbers[0] == 10
        elif kind == "transpose":
            voice.transpose(numbers[0])
        elif kind == "drummap":
            voice.drums |= drum_said(words[1], numbers[-1])

    def _score(self, text: str) -> None:
        said = score_said(text)
        offset = len(self.parts)
        for part in said.parts:
            home = next((self.places[name][0] for staff in part for name in staff if name in self.places), None)
            if home is None:
                home = len(self.parts)
                self.parts.append([])
            for number, staff in enumerate(part):
                at = next((self.places[name][1] for name in staff if name in self.places), number + 1)
                for name in staff:
                    self.places.setdefault(name, (home, at))
        self.brackets += [(first + offset, last + offset) for first, last in said.brackets if not offset]
        if self.in_body and any(voice.elapsed for voice in self.voices.values()):
            self._meet()

    def _meet(self) -> None:
        """Bring the voices that have waited to where the others are."""
        voices = list(self.voices.values())
        far = max(voice.elapsed for voice in voices)
        ahead = [voice for voice in voices if voice.elapsed == far]
        if len({voice.at for voice in ahead}) > 1 or any(voice.layer for voice in voices):
            for voice in voices:
                voice.close(Sign())
        elif len(ahead) == len(voices):
            return
        for voice in voices:
            if voice not in ahead:
                voice.close(Sign())
                voice.at = ahead[0].at
        self.syncs.append({voice.name: len(voice.bars) for voice in voices})

    # --- what becomes of it ---------------------------------------------------------------------------------

    def _reading(self) -> Reading:
        draft = self.draft
        if not self.in_body:
            self._keyless()
        if not self.voices:
            self._current()
        for voice in self.voices.values():
            voice.finish()
        bars = AbcBars(list(self.voices.values()), self.syncs, draft, self.meter)
        for said in self.tempos:
            self._say_tempo(Fraction(0), tempo_said(said, self.unit))
        parts = self._make_parts()
        bars.say_signs()
        self._say_keys(bars)
        clefs = {}
        for voice in self.voices.values():
            part, staff = parts[voice.name]
            clefs.update({(at, part, staff): clef for at, clef in bars.items(voice, "clef")})
            levels = sorted((at, LEVELS[text]) for other in self.voices.values() if parts[other.name][0] == part
                            for at, text in bars.items(other, "dynamic") if text in LEVELS)
            self._say_notes(voice, part, staff, bars, levels)
            self._say_items(voice, part, bars)
        for (at, part, staff), clef in clefs.items():
            draft.clef(at, part, staff, clef)
        reading = draft.reading()
        stanzas = [("text", "\n".join(filter(None, stanza))) for stanza in self.stanzas if any(stanza)]
        return headed(reading, [*self.heads, *stanzas], self.about)

    def _make_parts(self) -> dict[str, tuple[int, int]]:
        """Part and staff of every voice, the parts made."""
        homes = dict(self.places)
        extra = len(self.parts)
        for name in self.voices:
            if name not in homes:
                homes[name] = (extra, 1)
                extra += 1
        used = sorted({homes[name][0] for name in self.voices})
        numbers: dict[int, int] = {}
        short: dict[str, str] = {}
        moved: dict[str, list[int]] = {}
        for home in used:
            own = [voice for name, voice in self.voices.items() if homes[name][0] == home]
            program = next((p for voice in own for p in (
                voice.program, self.programs.get(self.channels.get(voice.name, voice.order + 1), -1)) if p >= 0),
                self.programs.get(0, 0))
            names = dict.fromkeys(unescaped(voice.title) for voice in own if voice.title)
            numbers[home] = self.draft.part(" / ".join(names), program, any(voice.is_drum for voice in own))
            shorts = dict.fromkeys(unescaped(voice.short) for voice in own if voice.short)
            if shorts:
                short[str(numbers[home])] = " / ".join(shorts)
            semitones = own[0].semitones
            if semitones and not own[0].is_drum:
                moved[str(numbers[home])] = transposition(semitones)
        groups = [[numbers[first], numbers[last], "bracket", ""] for first, last in self.brackets
                  if first in numbers and last in numbers]
        for name, value in (("abbreviations", short), ("transpose", moved), ("groups", groups)):
            if value:
                self.draft.extras[name] = value
        return {name: (numbers[homes[name][0]], homes[name][1]) for name in self.voices}

    def _say_keys(self, bars: AbcBars) -> None:
        pitched = [voice for voice in self.voices.values() if not voice.is_drum] or list(self.voices.values())
        said: dict[Fraction, tuple[int, int, str]] = {}
        if self.key.fifths is not None:
            said[Fraction(0)] = pitched[0].order, self.key.fifths + pitched[0].on_line, self.key.mode
        for voice in pitched:
            for at, key in bars.items(voice, "key"):
                if key.fifths is not None and (at not in said or said[at][0] == voice.order):
                    said[at] = voice.order, key.fifths + voice.on_line, key.mode
        for at, (_, fifths, mode) in said.items():
            self.draft.key(at, fifths, mode)

    def _say_notes(self, voice: AbcVoice, part: int, staff: int, bars: AbcBars,
                  levels: list[tuple[Fraction, int]]) -> None:
        draft, loud = self.draft, 80
        times = [at for at, _ in levels]
        for bar, start in zip(voice.bars, bars.starts[voice.name], strict=True):
            for note in bar.notes:
                at = start + note.at if note.at else start
                if levels:
                    place = bisect_right(times, at)
                    loud = levels[place - 1][1] if place else 80
                for head in note.heads:
                    draft.note(part, at, note.length if head.share == 1 else note.length * head.share, head.pitch,
                               velocity=loud, voice=100 * voice.order + note.layer, staff=staff,
                               spelling=head.spelling, grace=note.grace, tied_from=head.tied_from,
                               tied_to=head.tied_to)
                for verse, text in note.verses.items():
                    draft.text(at, part, "lyric" if verse == 1 else f"lyric {verse}", text)

    def _say_items(self, voice: AbcVoice, part: int, bars: AbcBars) -> None:
        draft = self.draft
        for at, text in bars.items(voice, "chord"):
            draft.chord(at, text)
        for kind in ("words", "dynamic"):
            for at, text in bars.items(voice, kind):
                draft.text(at, part, kind, text)
        for at, _ in bars.items(voice, "fermata"):
            draft.fermata(at, part)
        for at, text in bars.items(voice, "section"):
            draft.mark(at, "section", text)
        for at, tempo in bars.items(voice, "tempo"):
            self._say_tempo(at, tempo)

    def _say_tempo(self, at: Fraction, tempo: TempoSaid) -> None:
        if tempo.bpm is not None:
            self.draft.tempo(at, tempo.bpm)
        self.draft.text(at, -1, "tempo", tempo.words)
