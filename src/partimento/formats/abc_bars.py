"""The bars of several ABC voices laid side by side, and the signs that hang on them."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction
from typing import Any

from partimento.formats.abc_fields import MeterSaid
from partimento.formats.abc_notes import AbcBar
from partimento.formats.abc_voice import AbcVoice
from partimento.formats.draft import SHORTEST_BAR, Draft

_AHEAD = 8                              # bars looked over to find where two voices meet again
UNLIKE = "bars of unlike length in the voices filled up"


class Barring:
    """AbcBars said to a Draft one after another: the meter written, or in free meter each bar's own, hidden."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._free = True
        self._last: tuple[int, int] | None = None

    def bar(self, length: Fraction, said: MeterSaid | None) -> Fraction:
        """Where the bar begins; `said` is the meter written at its beginning."""
        if said is not None and said.denominator:
            self._free = False
            start = Fraction(self.draft.bar(length, (said.numerator, said.denominator)))
            if said.sign:
                self.draft.mark(start, "meter", said.sign)
            return start
        if not self._free or not length:
            return Fraction(self.draft.bar(length))
        wholes = Fraction(-(-length // SHORTEST_BAR)) * SHORTEST_BAR / 4
        below = math.lcm(wholes.denominator, 4)
        own = int(wholes * below), below
        start = Fraction(self.draft.bar(length, own))
        if own != self._last:
            self.draft.mark(start, "meter", "hidden")
        self._last = own
        return start


class AbcBars:
    """Where each bar of each voice begins, in quarter notes from the beginning: `starts`; the bars are said to `draft`.

    Voices go bar by bar. Where one has a bar line less or more than the others its notes are laid by their time;
    a bar that is shorter in one voice than in the others is filled up. `first` is the meter of the head; `syncs` says
    how many bars each voice had where all of them were brought together.
    """

    def __init__(self, voices: list[AbcVoice], syncs: list[dict[str, int]], draft: Draft, first: MeterSaid) -> None:
        self.draft = draft
        self._barring = Barring(draft)
        self._first: MeterSaid | None = first
        self.starts: dict[str, list[Fraction]] = {voice.name: [] for voice in voices}
        self._items: dict[tuple[str, str], list[tuple[Fraction, Any]]] = defaultdict(list)
        self._leading: list[tuple[AbcBar, Fraction]] = []
        begin = dict.fromkeys(self.starts, 0)
        for sync in [*syncs, {voice.name: len(voice.bars) for voice in voices}]:
            end = {voice.name: sync.get(voice.name, 0) for voice in voices}
            self._segment([(voice, voice.bars[begin[voice.name]:end[voice.name]]) for voice in voices])
            begin = end
        for voice in voices:
            for bar, start in zip(voice.bars, self.starts[voice.name], strict=True):
                for at, kind, value in bar.items:
                    self._items[voice.name, kind].append((start + at, value))

    def items(self, voice: AbcVoice, kind: str) -> list[tuple[Fraction, Any]]:
        """What a voice says of one kind, each with its time."""
        return self._items.get((voice.name, kind), [])

    def _segment(self, voices: list[tuple[AbcVoice, list[AbcBar]]]) -> None:
        """Lay the bars of all voices from one meeting place to the next."""
        filled = [(voice, bars) for voice, bars in voices if bars]
        if not filled:
            return
        leader, leading = max(filled, key=lambda own: sum(bar.length for bar in own[1]))
        lengths = [bar.length for bar in leading]
        places = {}
        for voice, bars in filled:
            if voice is not leader:
                places[voice.name] = self._laid([bar.length for bar in bars], lengths)
        meters: dict[int, MeterSaid] = {}
        for voice, bars in [(leader, leading), *filled]:
            where = places.get(voice.name) or [(number, Fraction(0)) for number in range(len(bars))]
            for bar, (number, offset) in zip(bars, where, strict=True):
                if bar.meter is not None and not offset:
                    meters.setdefault(number, bar.meter)
        if self._first is not None:
            meters.setdefault(0, self._first)
            self._first = None
        starts = [self._barring.bar(length, meters.get(number)) for number, length in enumerate(lengths)]
        self.starts[leader.name] += starts[:len(leading)]
        for voice, _ in filled:
            if voice is not leader:
                self.starts[voice.name] += [starts[number] + offset for number, offset in places[voice.name]]
        signs = next(((voice, bars) for voice, bars in [(leader, leading), *filled]
                      if any(bar.left.start or bar.right.end or bar.ending for bar in bars)), (leader, leading))
        self._leading += zip(signs[1], self.starts[signs[0].name][-len(signs[1]):], strict=True)

    def _laid(self, own: list[Fraction], lengths: list[Fraction]) -> list[tuple[int, Fraction]]:
        """For each bar of a voice the number of the leader's bar and the time in it; `lengths` may be made longer."""
        out: list[tuple[int, Fraction]] = []
        i = j = 0
        while j < len(own):
            if i >= len(lengths):
                lengths.append(own[j])
            ahead, behind = _meeting(own, j, lengths, i)
            if not ahead:
                self.draft.repairs[UNLIKE] += 1
                lengths[i] = max(lengths[i], own[j])
                ahead = behind = 1
            at, number = Fraction(0), i
            for length in own[j:j + ahead]:
                while number < i + behind - 1 and at >= lengths[number]:
                    at -= lengths[number]
                    number += 1
                out.append((number, at))
                at += length
            i, j = i + behind, j + ahead
        return out

    def say_signs(self) -> None:
        """Repeats, endings, bar lines and jumps as marks."""
        say_marks(self.draft, self._leading)


def say_marks(draft: Draft, bars: list[tuple[AbcBar, Fraction]]) -> None:
    """Say repeats, endings, bar lines and jumps of bars, each with its beginning, as marks."""
    mark = draft.mark
    opened = -1                             # the bar at which an ending began
    before = 0                              # how many bars the ending before it had
    codas = sum(item[1:] == ("sign", "coda?") for bar, _ in bars for item in bar.items)
    gone = False
    for number, (bar, start) in enumerate(bars):
        end = start + bar.length
        if bar.left.start:
            mark(start, "repeat", "start")
        if bar.ending:
            mark(start, "repeat", f"ending {bar.ending}")
            opened = number
        if bar.right.end:
            mark(end, "repeat", f"end {bar.right.end}" if bar.right.end > 2 else "end")
        elif bar.right.look:
            mark(end, "barline", bar.right.look)
        if opened >= 0 and _ends(bars, number, opened, before):
            mark(end, "repeat", "ending stop" if bar.right.end or bar.right.look else "ending open")
            before, opened = number + 1 - opened, -1
        for at, kind, text in bar.items:
            if kind != "sign":
                continue
            if text == "coda?":             # of two such signs the first says where to leave
                text, gone = "coda" if gone or codas < 2 else "to coda", True
            first = not any(note.at < at for note in bar.notes) and any(note.at > at for note in bar.notes)
            if text in ("segno", "coda"):
                mark(end if at >= bar.length else start, "repeat", text)
            else:
                mark(start if first and start else end, "repeat", text)


def _ends(bars: list[tuple[AbcBar, Fraction]], number: int, opened: int, before: int) -> bool:
    """Whether the ending that began at bar `opened` ends with bar `number`."""
    bar = bars[number][0]
    if bar.right.closes or number + 1 == len(bars):
        return True
    after = bars[number + 1][0]
    if after.ending or after.left.start or any(kind == "section" and not at for at, kind, _ in after.items):
        return True
    closed = any(other.right.closes or other.left.start or other.ending for other, _ in bars[number + 1:])
    return not closed and bool(before) and number + 1 - opened >= before


def _meeting(own: list[Fraction], j: int, lengths: list[Fraction], i: int) -> tuple[int, int]:
    """How many bars from `j` of `own` are as long as how many from `i` of `lengths`; 0, 0 where they never meet."""
    a = b = 0
    ours = theirs = Fraction(0)
    while True:
        if ours == theirs and a:
            return a, b
        if ours <= theirs:
            if a == _AHEAD or j + a >= len(own):
                return 0, 0
            ours += own[j + a]
            a += 1
        else:
            if b == _AHEAD or i + b >= len(lengths):
                return 0, 0
            theirs += lengths[i + b]
            b += 1
