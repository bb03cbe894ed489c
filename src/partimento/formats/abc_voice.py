"""One voice of ABC: its letters read token by token into bars of notes, and words laid under them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

from partimento.formats.abc_fields import FREE, LETTERS, NO_KEY, KeySaid, MeterSaid, chord_symbol_of, shift_on_line
from partimento.formats.abc_notes import ONE, AbcBar, AbcHead, AbcNote, lay, slots
from partimento.formats.abc_signs import DYNAMICS, JUMPS, SHORT, Sign, annotation_of, sign_of
from partimento.formats.abc_text import unescaped
from partimento.notation.names import spelling_of

_LENGTH = r"\d{0,5}/{0,8}\d{0,5}"
_NOTE = rf"(?:\^\^|__|[\^_=]|[\^_]\d?/\d?)?[A-Ga-g][,']{{0,9}}{_LENGTH}"
_TOKEN = re.compile(
    rf"(?P<note>{_NOTE})|(?P<space>[ \t`\\$*]+)"
    r"|(?P<bar>\.?\[\|[|:\]]*|\.?:*\|[|:\]]*|::+|:(?=\s*\[?\d))(?P<first>\d[\d,\-]{0,20}|\[\"\d[^\"]{0,20}\")?"
    rf'|"(?P<quote>[^"]*)"|(?P<rest>[zx]{_LENGTH}|[ZX]\d{{0,5}})'
    r"|\[(?P<field>[A-Za-z]:[^\]]*)\]|\[(?P<ending>\d[\d,\-. ]{0,20})"
    rf"|\[(?P<chord>(?:\"[^\"]*\"|![^!\s|]*!|[^\]\[|:\"])*)\](?P<length>{_LENGTH})"
    r"|(?P<tie>\.?-[,']?)|(?P<broken><{1,4}|>{1,4})|\((?P<tuplet>\d{1,2}(?::\d{0,3}){0,2})"
    r"|(?P<slur>\.?\([,']?|\))|\{/?(?P<grace>[^}]*)\}|!(?P<sign>[^!\s|\"]{1,30})!|\+(?P<plus>[A-Za-z.()<>]{1,20})\+"
    r"|(?P<overlay>&)|(?P<skip>y\d{0,5}|!)|(?P<short>[.~H-Wh-w])|(?P<junk>.)", re.DOTALL)
_IN_CHORD = re.compile(rf'(?P<note>{_NOTE})(?P<tie>\.?-[,\']?)?|"(?P<quote>[^"]*)"|!(?P<sign>[^!]*)!|'
                       r"(?P<space>[ \t()`,'.]+)|(?P<short>[~H-Wh-w])|(?P<junk>.)", re.DOTALL)
_PARTS = re.compile(rf"(\^\^|__|[\^_=]|[\^_]\d?/\d?)?([A-Ga-g])([,']*)({_LENGTH})")
_PITCHES = (0, 2, 4, 5, 7, 9, 11)
_ALTERED = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
_SPELLINGS = [[spelling_of(letter, alter) for letter in LETTERS] for alter in (-2, -1, 0, 1, 2)]
_LONGEST_REST = 10_000


class AbcVoice:
    """A voice being read; `field` is called with what stands in ``[K:…]`` and its like."""

    def __init__(self, name: str, order: int, repairs: Counter[str], field: Callable[[str, str], None],
                 symbols: dict[str, str]) -> None:
        self.name, self.order, self.repairs, self.field, self.symbols = name, order, repairs, field, symbols
        self.title = self.short = ""
        self.program, self.is_drum = -1, False
        self.key: KeySaid = NO_KEY
        self.meter: MeterSaid = FREE
        self.unit = Fraction(1, 2)
        self.semitones = self.octaves = self.clef_octaves = 0
        self.on_line = 0
        self.propagate = "octave"
        self.drums: dict[int, int] = {}
        self.bars: list[AbcBar] = []
        self.bar = AbcBar()
        self.at = Fraction(0)
        self.layer = 0
        self._coming: MeterSaid | None = None   # the meter of the next bar
        self._length = Fraction(0)              # of the bar as far as other layers fill it
        self._altered: dict[int, int] = {}
        self._ties: dict[tuple[int, int], Fraction] = {}
        self._last: AbcNote | None = None
        self._broken = ONE
        self._tuplets: list[list[Any]] = []
        self._graces = 0
        self._signs: list[str] = []
        self._sung: list[list[AbcNote]] = [[]]  # of each line of music since the last words
        self._verse = 0
        self._goes_on = False                   # the line of music ended in a backslash
        self._lengths: dict[str, Fraction] = {}

    @property
    def shift(self) -> int:
        """Semitones from what is written to what sounds."""
        return self.semitones + 12 * (self.octaves + self.clef_octaves)

    @property
    def elapsed(self) -> Fraction:
        """Quarter notes since the beginning, as far as this voice has been read."""
        return sum((bar.length for bar in self.bars), max(self.at, self._length))

    def set_unit(self, unit: Fraction) -> None:
        """From here on a bare letter has that many quarter notes."""
        self.unit = unit
        self._lengths.clear()

    def transpose(self, semitones: int) -> None:
        """From here on it sounds that many semitones higher than it is written."""
        self.semitones, self.on_line = semitones, shift_on_line(semitones)

    def change_meter(self, meter: MeterSaid) -> None:
        """The meter changes at this bar line, or at the next."""
        self.meter = meter
        if self.at or self.layer:
            self._coming = meter
        else:
            self.bar.meter = meter

    # --- music ----------------------------------------------------------------------------------------------

    def read(self, line: str, switch: Callable[[str], AbcVoice]) -> None:
        """Read a line of music; at ``[V:…]`` it goes on in the voice that `switch` gives."""
        voice = self
        voice.begin()
        for found in _TOKEN.finditer(line):
            kind = found.lastgroup
            if kind == "note":
                voice._note(found[0])
            elif kind == "space":
                continue
            elif kind in ("bar", "first"):
                voice._bar_line(found["bar"], found["first"] or "")
            elif kind == "field" and found["field"][0] == "V":
                voice = switch(found["field"][2:])
                voice.begin()
            else:
                voice._other(str(kind), found)
        voice._goes_on = line.rstrip().endswith("\\")

    def begin(self) -> None:
        """A line of music begins: words that follow it are of its first verse."""
        if self._verse:
            self._verse = 0
            self._sung = []
        if not self._goes_on or not self._sung:
            self._sung.append([])

    def _other(self, kind: str, found: re.Match[str]) -> None:
        text = found[kind]
        if kind == "quote":
            self._quote(text)
        elif kind == "rest":
            self._rest(text)
        elif kind == "length":
            self._chord(found["chord"], text)
        elif kind == "tie":
            self._tie()
        elif kind == "broken":
            self._break(text)
        elif kind == "tuplet":
            self._tuplet(text)
        elif kind == "ending":
            self._ending(text)
        elif kind == "grace":
            self._grace(text, found[0].startswith("{/"))
        elif kind in ("sign", "plus"):
            self._signs.append(text)
        elif kind == "short":
            name = self.symbols.get(text) or SHORT.get(text)
            if name is None:
                self.repairs["characters that are no music left out"] += 1
            elif name.startswith('"'):
                self._quote(name.strip('"'))
            else:
                self._signs.append(name.strip("!+"))
        elif kind == "field":
            self.field(text[0], text[2:].strip())
        elif kind == "overlay":
            self._overlay()
        elif kind == "junk":
            self.repairs["characters that are no music left out"] += 1

    def _head(self, text: str) -> tuple[AbcHead, str]:
        """The note that a token writes, at this time, and its length as it is written."""
        sign, place, length = _written(text)
        altered = self._altered
        carried = place if self.propagate != "pitch" else place % 7
        alter = altered.get(carried, self.key.altered[place % 7])
        tied_from = False
        if sign is not None:
            if sign not in _ALTERED:
                self.repairs["quarter tones rounded"] += 1
            alter = _ALTERED.get(sign, 0)
            if self.propagate != "not":
                altered[carried] = alter
        if self._ties:
            if sign is None and self._ties.get((place, alter)) != self.at:      # a tie carries its accidental over
                alter = next((tied for (at, tied), end in self._ties.items() if at == place and end == self.at), alter)
            tied_from = self._ties.get((place, alter)) == self.at
            if tied_from:
                del self._ties[place, alter]
        alter = max(-2, min(2, alter))
        written = 12 * (place // 7 + 1) + _PITCHES[place % 7] + alter
        if self.is_drum:
            pitch = self.drums.get(written, written + 12 * self.octaves)
            return AbcHead(place, alter, pitch, -1, tied_from), length
        spelling = _SPELLINGS[alter + 2][place % 7] + self.on_line
        return AbcHead(place, alter, written + self.shift, spelling, tied_from), length

    def _span(self, text: str) -> Fraction:
        span = self._lengths.get(text)
        if span is None:
            span = self._lengths[text] = _times(text) * self.unit
            if not span:
                self.repairs["notes of no length given their unit"] += 1
                span = self._lengths[text] = self.unit
        return span

    def _note(self, text: str) -> None:
        head, length = self._head(text)
        self._sound([head], self._span(length))

    def _sound(self, heads: list[AbcHead], length: Fraction) -> None:
        """A note, chord or rest of that length, before tuplets and broken rhythm, and time goes on."""
        if self._tuplets:
            for tuplet in self._tuplets:
                length = length * tuplet[0]
                tuplet[1] -= 1
            self._tuplets = [tuplet for tuplet in self._tuplets if tuplet[1] > 0]
        if self._broken is not ONE:
            length = length * self._broken
            self._broken = ONE
        note = AbcNote(self.at, length, heads, self.layer, 0, len(self.bars))
        if self._signs:
            self._hang()
        self._graces = 0
        self.bar.notes.append(note)
        if heads and not self.layer:
            self._sung[-1].append(note)
        self._last = note
        self.at += length

    def _chord(self, text: str, length: str) -> None:
        heads: list[AbcHead] = []
        tied: list[AbcHead] = []
        written = []
        for found in _IN_CHORD.finditer(text):
            if found["note"]:
                head, own = self._head(found["note"])
                heads.append(head)
                written.append(self._span(own))
                if found["tie"]:
                    tied.append(head)
            elif found["quote"] is not None:
                self._quote(found["quote"])
            elif found["sign"] is not None:
                self._signs.append(found["sign"])
            elif found["short"]:
                name = self.symbols.get(found["short"]) or SHORT.get(found["short"])
                self._signs += [name.strip("!+")] if name else []
            elif found["junk"]:
                self.repairs["characters that are no music left out"] += 1
        if not heads:
            if text.strip():
                self.repairs["brackets without a note left out"] += 1
            return
        for head, said in zip(heads, written, strict=True):
            if said != written[0]:
                head.share = said / written[0]
        times = _times(length) or ONE
        self._sound(heads, written[0] if times == 1 else written[0] * times)
        for head in tied:
            self._tie_head(head)

    def _rest(self, text: str) -> None:
        if text[0] in "zx":
            self._sound([], self._span(text[1:]))
            return
        bars = int(text[1:] or 1)
        if bars > _LONGEST_REST:
            self.repairs[f"rests of over {_LONGEST_REST} bars shortened"] += 1
        full = Fraction(4 * self.meter.numerator, self.meter.denominator) if self.meter.denominator else Fraction(4)
        for bar in range(min(bars, _LONGEST_REST)):
            if bar:
                self._bar_line("|", "")
            self._tuplets, self._broken = [], ONE
            self._sound([], full)

    def _tie(self) -> None:
        if self._last is None or not self._last.heads:
            self.repairs["ties without a note left out"] += 1
            return
        for head in self._last.heads:
            self._tie_head(head)

    def _tie_head(self, head: AbcHead) -> None:
        assert self._last is not None
        head.tied_to = True
        end = self._last.at + self._last.length * head.share
        self._ties[head.place, head.alter] = end

    def _break(self, text: str) -> None:
        if self._last is None:
            self.repairs["broken rhythms without a note left out"] += 1
            return
        short = Fraction(1, 2 ** len(text))
        first, self._broken = (2 - short, short) if text[0] == ">" else (short, 2 - short)
        before = self._last.length
        self._last.length = before * first
        self.at += self._last.length - before
        for head in self._last.heads:
            if head.tied_to:
                self._tie_head(head)

    def _tuplet(self, text: str) -> None:
        said = [int(word) if word else 0 for word in text.split(":")] + [0, 0]
        count = said[0]
        beats = self.meter.numerator
        other = 3 if beats > 3 and beats % 3 == 0 else 2
        into = said[1] or {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(count, other)
        if not count:
            self.repairs["tuplets of nothing left out"] += 1
            return
        self._tuplets.append([Fraction(into, count), said[2] or count])

    def _grace(self, text: str, slashed: bool) -> None:
        inside = re.sub(r"[()\s.\-]", "", text)
        for found in re.finditer(rf"{_NOTE}|\[([^\]]*)\]{_LENGTH}|[<>]|.", inside):
            word = found[0]
            notes = [word] if _PARTS.fullmatch(word) else re.findall(_NOTE, word) if word[0] == "[" else []
            if not notes:
                self.repairs["characters that are no music left out"] += word not in "<>"
                continue
            self._graces += 1
            ties, self._ties = self._ties, {}
            heads = [self._head(note)[0] for note in notes]
            self._ties = ties
            place = min(self._graces, 99) + (100 if slashed else 0)
            self.bar.notes.append(AbcNote(self.at, Fraction(0), heads, self.layer, place, len(self.bars)))

    def _overlay(self) -> None:
        self._length = max(self._length, self.at)
        self.at, self.layer = Fraction(0), self.layer + 1
        self._tuplets, self._broken, self._last, self._altered = [], ONE, None, {}

    # --- words and signs ------------------------------------------------------------------------------------

    def say(self, kind: str, text: Any, at: Fraction | None = None) -> None:
        """Something other than a note stands at this time."""
        self.bar.items.append((self.at if at is None else at, kind, text))

    def _quote(self, text: str) -> None:
        text = unescaped(text).strip()
        if not text:
            return
        if text[0] in "^_<>@":
            jump = annotation_of(text[1:]) if text[0] in "^_" else ""
            if jump:
                self.say("sign", jump)
            else:
                self.say("words", re.sub(r"^@[-\d., ]*", "", text) if text[0] == "@" else text[1:])
            return
        symbol = chord_symbol_of(text)
        self.say("chord" if symbol else "words", symbol or text)

    def _hang(self) -> None:
        """The signs said so far belong to what begins now."""
        for name in self._signs:
            if name in DYNAMICS:
                self.say("dynamic", name)
            elif name in ("fermata", "invertedfermata"):
                self.say("fermata", "")
            elif name in JUMPS:
                self.say("sign", JUMPS[name])
        self._signs = []

    def _bar_line(self, text: str, ending: str) -> None:
        if self._signs:
            self._signs = [name for name in self._signs if name in JUMPS]
            self._hang()
        self.close(sign_of(text))
        if ending:
            self._ending(ending)

    def close(self, sign: Sign) -> None:
        """A bar line stands here; where no time has passed since the last one it is a part of that."""
        length = max(self._length, self.at)
        bar = self.bar
        if length:
            bar.length, bar.right = length, sign
            self.bars.append(bar)
            self.bar = AbcBar()
            self.bar.meter, self._coming = self._coming, None
            self._altered = {}
            self._tuplets, self._broken, self._last = [], ONE, None
            kept = {tie: end - length for tie, end in self._ties.items() if end >= length}
            self.repairs["ties to nowhere"] += len(self._ties) - len(kept)
            self._ties = kept
            self.at = self._length = Fraction(0)
            self.layer = 0
            late = [item for item in bar.items if item[0] >= length and item[1] not in ("sign", "fermata")]
            if late:                                        # what is said before a bar line belongs after it
                bar.items = [item for item in bar.items if item not in late]
                self.bar.items += [(item[0] - length, *item[1:]) for item in late]
            after = [note for note in bar.notes if note.grace and note.at >= length]
            if after:
                bar.notes = [note for note in bar.notes if note not in after]
                for note in after:
                    note.at -= length
                self.bar.notes += after
        elif self.bars:
            self.bars[-1].right = self.bars[-1].right.with_(sign)
        self.bar.left = self.bar.left.with_(sign)

    def _ending(self, text: str) -> None:
        if self.at or self.layer:
            self.close(Sign())
        self.bar.ending = ",".join(str(number) for number in _numbers(text))

    def finish(self) -> None:
        """The tune ends: what stands behind the last bar line is a bar too."""
        self._bar_line("|", "") if self.at or self.layer else self._bar_line("", "")
        self.repairs["ties to nowhere"] += len(self._ties)
        rest = self.bar
        if self.bars and (rest.items or rest.notes):
            last = self.bars[-1]
            for note in rest.notes:
                note.at += last.length
            last.notes += rest.notes
            last.items += [(at + last.length, kind, value) for at, kind, value in rest.items
                           if kind not in ("key", "clef", "meter")]

    # --- lyrics ---------------------------------------------------------------------------------------------

    def sing(self, text: str) -> None:
        """Lay a verse under the last line of music; a second one before new music is a second verse.

        Words far too many for that line are laid under the lines before it too, as far as these have no words.
        """
        if not self._verse:
            lines, notes = self._sung, self._sung[-1]
            while len(lines) > 1 and slots(text) > len(notes) + max(2, len(notes) // 4):
                lines = lines[:-1]
                notes = lines[-1] + notes
            self._sung = [notes]
        self._verse += 1
        left_over = lay(text, self._verse, self._sung[-1])
        if left_over:
            self.repairs["syllables without a note left out"] += left_over


@lru_cache(maxsize=16384)
def _written(text: str) -> tuple[str | None, int, str]:
    """Accidental, place (letters counted from C of octave 0) and length of a note as it is written."""
    found = _PARTS.fullmatch(text)
    assert found is not None
    sign, letter, octave, length = found.groups()
    place = LETTERS.index(letter.upper()) + (35 if letter.islower() else 28)
    return sign, place + 7 * (octave.count("'") - octave.count(",")), length


@lru_cache(maxsize=4096)
def _times(text: str) -> Fraction:
    """A length as it is written, ``3/2`` or ``//``, as a number; 0 where it makes none."""
    top, slashes, bottom = re.fullmatch(r"(\d*)(/*)(\d*)", text).groups()      # type: ignore[union-attr]
    if not slashes:
        return Fraction(int(top)) if top else ONE
    under = int(bottom) * 2 ** (len(slashes) - 1) if bottom else 2 ** len(slashes)
    return Fraction(int(top or 1), under) if under else Fraction(0)


def _numbers(text: str) -> list[int]:
    """The numbers that an ending names: ``1,3`` and ``1-3``."""
    out: set[int] = set()
    for first, last in re.findall(r"(\d{1,2})(?:-(\d{1,2}))?", text):
        out.update(range(int(first), int(last or first) + 1))
    return sorted(out - {0}) or [1]
