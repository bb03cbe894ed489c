"""A Humdrum file read line by line: when everything in its **kern columns happens, in whole ticks."""

from __future__ import annotations

import copy
import re
from collections import Counter
from typing import NamedTuple

from partimento.errors import ReadError
from partimento.formats.kern_spines import Spine, Strand, Strands
from partimento.formats.kern_token import Token, Tokens
from partimento.score import MAX_TICK

COARSE_CLOCK = 720_720 * 64             # ticks a quarter note where the lengths of a file are too fine for any clock
MAX_COLUMNS = 1000
WHOLE_PIECE = -1                        # in the place of a spine: what belongs to all of them

_REFERENCE = re.compile(r"!!!([^!:\s][^:]*):(.*)")
_ABOVE = re.compile(r"!!!RDF\*\*kern:\s*(\S)\s*=\s*(above|below)\b")
_MANIPULATORS = ("*^", "*v", "*x", "*+", "*-")


class Sounding(NamedTuple):
    """One note head; `spine` is where its column stood when the file began, `shift` −1 for the staff above."""

    spine: int
    time: int
    ticks: int
    pitch: int
    spelling: int
    voice: int
    shift: int
    grace: int
    tied_from: bool
    tied_to: bool


class Said(NamedTuple):
    """A word of the file at a moment: of a column of another kind, a layout comment, or an interpretation.

    `kind` is the kind of the column (``dynam``), ``interpretation`` or ``words``; `at_end`: a bar line follows.
    """

    time: int
    spine: int
    kind: str
    text: str
    at_end: bool = False


class KernFile:
    """What a file says, after all its lines were walked: lists in the order of the file.

    >>> walk = KernFile("**kern\\n4c\\n8d\\n=2\\n*-\\n")
    >>> walk.clock, [(note.time, note.ticks, note.pitch) for note in walk.notes], walk.end
    (2, [(0, 2, 60), (2, 1, 62)], 3)
    """

    def __init__(self, text: str) -> None:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        signs = {found[2]: found[1] for line in lines if line.startswith("!!!RDF") and (found := _ABOVE.match(line))}
        self._tokens = Tokens(signs.get("above", ""), signs.get("below", ""))
        clock = self._tokens.clock(word for line in lines if line and line[0] not in "!*=" for word in line.split())
        self.clock = clock or COARSE_CLOCK
        self.repairs: Counter[str] = Counter()
        self.notes: list[Sounding] = []
        self.fermatas: list[tuple[int, int]] = []            # spine, time
        self.said: list[Said] = []
        self.bars: list[tuple[int, str]] = []                # time and bar line
        self.records: list[tuple[str, str]] = []
        self.spines: list[Spine] = []                        # those of **kern, from the lowest
        self.end = 0
        self._strands = Strands()
        self._owners: dict[int, tuple[int, int]] = {}        # spine -> spine of its music, place among those of a kind
        self._time = 0
        self._waiting: list[tuple[int, str, str]] = []       # words that stand before the line they belong to
        self._held: set[tuple[int, int, int]] = set()        # grace notes tied to what follows: spine, time, pitch
        self._meter_ticks = 4 * self.clock
        self._lines = lines
        for number, line in enumerate(lines, 1):
            self._line(line, number)
        if not self.spines:
            raise ReadError("a kern file must have a **kern column; this one has none")
        self._flush(True)
        if self._strands.mixed:
            self.repairs["columns of different staves joined"] += self._strands.mixed
        if self._strands.now:
            self.repairs["columns without an end"] += len(self._strands.now)
        self.end = max([self._time, *(note.time + note.ticks for note in self.notes)])
        if self.end // self.clock > MAX_TICK // 480:
            raise ReadError(f"a piece must be under {MAX_TICK // 480} quarter notes long; this one is longer")

    def _line(self, line: str, number: int) -> None:
        if not line.strip():
            return
        if line.startswith("!!"):
            self._comment(line)
            return
        words = line.split("\t")
        if len(words) > MAX_COLUMNS:
            raise ReadError(f"a kern file must have at most {MAX_COLUMNS} columns; line {number} has {len(words)}")
        if line.startswith("**"):
            self._begin(words, number)
            return
        strands = self._strands.now
        if not strands:
            if line[0] not in "!*":
                raise ReadError(f"a kern file must name its columns (**kern) before its notes; line {number} has notes "
                                "of no column")
            return
        if len(words) != len(strands):
            words = self._fitted(words, line, number)
        if line[0] == "*":
            self._interpretations(words, number)
        elif line[0] == "=":
            self._barline(words, number)
        elif line[0] == "!":
            for strand, word in zip(strands, words, strict=True):
                if word.startswith("!LO:TX"):
                    self._waiting.append((self._owner(strand)[0], "words", word))
        else:
            self._data(words)

    def _fitted(self, words: list[str], line: str, number: int) -> list[str]:
        """The words of a line that has too many or too few of them, one a column."""
        count = len(self._strands.now)
        filled = [word for word in words if word]
        if len(filled) == count:
            return filled
        if line[0] == "*" and any(word in _MANIPULATORS for word in words):
            raise ReadError(f"a line of a kern file must have a word for each of its {count} columns; line {number} "
                            f"has {len(words)}")
        self.repairs["lines with a wrong number of columns"] += 1
        return (words + [{"*": "*", "!": "!", "=": words[0]}.get(line[0], ".")] * count)[:count]

    def _begin(self, words: list[str], number: int) -> None:
        if self._strands.now:
            if len(words) != len(self._strands.now):
                raise ReadError("the columns of a kern file must end (*-) before new ones begin; on line "
                                f"{number} they had not")
            self._interpretations(words, number)
            return
        self._strands.begin(words, self._time)
        self._enlist()

    def _enlist(self) -> None:
        """Take note of the columns that have come: which hold music, and to which of them the others belong."""
        music, owner = [], None
        known = {spine.number for spine in self.spines}
        counts: Counter[tuple[int, str]] = Counter()
        strands = self._strands.now
        first = next((strand.spine.number for strand in strands if strand.spine.kind == "kern"), WHOLE_PIECE)
        for strand in strands:
            spine = strand.spine
            if spine.kind == "kern":
                owner = spine.number
                if owner not in known and spine not in music:
                    music.append(spine)
            here = first if owner is None else owner
            if spine.kind != "kern" and spine.number not in self._owners:
                counts[here, spine.kind] += 1
                self._owners[spine.number] = here, counts[here, spine.kind]
        self.spines += music

    def _owner(self, strand: Strand) -> tuple[int, int]:
        spine = strand.spine
        return (spine.number, 1) if spine.kind == "kern" else self._owners.get(spine.number, (WHOLE_PIECE, 1))

    def _comment(self, line: str) -> None:
        if line.startswith("!!!"):
            found = _REFERENCE.fullmatch(line)
            if found:
                key, text = found[1].strip(), found[2].strip()
                if key == "OMD":
                    self._waiting.append((WHOLE_PIECE, "tempo", text))
                else:
                    self.records.append((key, text))
        elif line.startswith("!!LO:TX"):
            self._waiting.append((WHOLE_PIECE, "words", line[1:]))

    def _interpretations(self, words: list[str], number: int) -> None:
        changes = False
        for strand, word in zip(self._strands.now, words, strict=True):
            if word == "*":
                continue
            if word in _MANIPULATORS or word.startswith("**"):
                changes = True
            elif strand.spine.kind == "kern":
                self.said.append(Said(self._time, strand.spine.number, "interpretation", word[1:]))
                self._meter(word)
        if changes:
            self._strands.follow(words, self._time, number)
            if any(word == "*+" or word.startswith("**") for word in words):
                self._enlist()

    def _meter(self, word: str) -> None:
        found = re.match(r"\*M(\d{1,3})/(\d{1,3})$", word)
        if found and int(found[2]):
            self._meter_ticks = 4 * self.clock * int(found[1]) // int(found[2])

    def _flush(self, at_end: bool) -> None:
        """Put the words that were waiting where they belong: here."""
        for spine, kind, text in self._waiting:
            self.said.append(Said(self._time, spine, kind, text, at_end))
        self._waiting.clear()

    def _barline(self, words: list[str], number: int) -> None:
        """A bar line stands where the first voice ends; what sounds on in another goes over it, if nothing is there."""
        strands = self._strands.now
        late = {strand.until for strand in strands if strand.spine.kind == "kern" and strand.until > self._time}
        if late and (broken := self._interrupted(number)):
            self.repairs["bars whose voices end apart"] += 1
            due = (self.bars[-1][0] if self.bars else 0) + self._meter_ticks
            self._time = due if due in broken else max(broken)
        self._flush(True)
        word = words[next((i for i, strand in enumerate(strands) if strand.spine.kind == "kern"), 0)]
        if ";" in word:
            self.repairs["fermatas over bar lines left out"] += 1
        self.bars.append((self._time, word))

    def _interrupted(self, number: int) -> set[int]:
        """When the notes should have ended that sound where the line after line `number` has others in their voice."""
        ahead = copy.copy(self._strands)
        for at in range(number, len(self._lines)):
            line = self._lines[at]
            words = line.split("\t")
            if not line.strip() or line[0] == "!":
                continue
            if line[0] == "=" or len(words) != len(ahead.now) or line.startswith("**"):
                break
            if line[0] != "*":
                return {strand.until for strand, word in zip(ahead.now, words, strict=True)
                        if strand.until > self._time and strand.spine.kind == "kern" and word != "."
                        and self._tokens.parse(word).quarters is not None}
            if any(word in _MANIPULATORS for word in words):
                ahead.follow(words, self._time, at + 1)
        return set()

    def _data(self, words: list[str]) -> None:
        time, moved, waits = self._time, False, False
        if self._waiting:
            self._flush(False)
        strands = self._strands.now
        for strand, word in zip(strands, words, strict=True):
            if word == "." or not word:
                continue
            if strand.spine.kind != "kern":
                spine, place = self._owner(strand)
                kind = strand.spine.kind + (f" {place}" if place > 1 else "")
                self.said.append(Said(time, spine, kind, word))
                continue
            token = self._tokens.parse(word)
            if token.fault:
                self.repairs[token.fault] += 1
            if token.fermata:
                self.fermatas.append((strand.spine.number, time))
            if token.quarters is None:
                if token.grace:
                    strand.graces += 1
                    waits = waits or strand.until <= time
                    self._put(strand, token, 0, token.grace + strand.graces - 1)
                continue
            ticks = round(token.quarters * self.clock)
            if strand.until > time:
                self.repairs["notes that begin before the one before them ends"] += 1
            strand.until, strand.graces, moved = time + ticks, 0, True
            self._put(strand, token, ticks, 0)
        if moved and not waits:
            self._time = min((strand.until for strand in strands
                              if strand.until > time and strand.spine.kind == "kern"), default=time)

    def _put(self, strand: Strand, token: Token, ticks: int, grace: int) -> None:
        spine, voice, time = strand.spine.number, strand.voice, self._time
        whole = ticks
        for pitch, spelling, tied_from, tied_to, shift, quarters in token.heads:
            ticks = whole if quarters is None or grace else round(quarters * self.clock)
            if grace and tied_to:
                self._held.add((spine, time, pitch))
            elif tied_from and (spine, time, pitch) in self._held:
                tied_from = False                    # from a grace note, which has no length of its own
            self.notes.append(Sounding(spine, time, ticks, pitch, spelling, voice, shift, grace, tied_from, tied_to))
