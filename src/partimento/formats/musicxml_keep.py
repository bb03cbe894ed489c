"""What MusicXML keeps of a Score."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from partimento.formats import musicxml_write_sign as signs
from partimento.formats.draft import Draft
from partimento.formats.musicxml_harmony import harmony_of, symbol_of
from partimento.formats.musicxml_write_note import voice_names
from partimento.formats.tempo_words import returns_to_tempo
from partimento.notation.names import HIGHEST, LOWEST, spelling_of
from partimento.notation.ready import ready
from partimento.notation.sheet import Event, Sheet, SheetBar, SheetPart, SheetSign, sheet
from partimento.notation.sheet_voices import interval_fifths
from partimento.score import Score


def keep(score: Score) -> Score:
    """Return what MusicXML keeps of a Score: ``parse(dumps(score)).score == keep(score)``, found without the file.

    That is the Score as `ready` makes it, without controllers; without marks and texts of kinds that no page
    has (``cue``, ``instrument``, ``phrase``, ``text`` but on the whole piece), a second title, the program of
    drums and the keys of a piece for drums alone; of performed music without syllables that no note is near;
    without whatever stands at or after the end; without repeats that are not at a bar line. Markers become
    sections, directions on no track go to the first, words that say a tempo or a jump become that. Voices are
    counted anew, notes that no values write are snapped, `ticks_per_quarter` is the least multiple of 480 in
    which everything is whole, and of the extras only ``notation`` stays.

    >>> from partimento.score import Mark
    >>> s = Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0], marks=[Mark(0, "phrase", "1")])
    >>> keep(s).spelling.tolist(), [mark.kind for mark in keep(s).marks]
    ([15], ['barline'])
    """
    score = ready(score)
    return _Kept(score, sheet(score)).score()


class _Kept:
    """A page told to a Draft."""

    def __init__(self, score: Score, page: Sheet) -> None:
        self.original, self.page, self.draft = score, page, Draft()
        self.tempos: dict[int, float] = {}
        self.guesses: dict[int, float] = {}            # what words alone say, where no number does
        self.returns: dict[int, str] = {}

    def score(self) -> Score:
        """The Score that the page gives."""
        draft, page = self.draft, self.page
        for part in page.parts:
            track = part.track
            draft.part(signs.one_line(track.name), 0 if track.is_drum else track.program, track.is_drum)
        meter = None
        for bar in page.parts[0].bars:
            shape = (bar.meter.numerator, bar.meter.denominator)
            said = (shape != meter or bar.meter_shown) and signs.is_time(bar)
            meter = shape
            draft.bar(self._time(bar.length), shape if said else None)
            if said and not bar.meter_shown:
                draft.mark(self._time(bar.start), "meter", "hidden")
            elif said and bar.meter_sign:
                draft.mark(self._time(bar.start), "meter", bar.meter_sign)
        for number, part in enumerate(page.parts):
            self._part(number, part)
        self._keys()
        self._tempos()
        self._titles()
        notation = self.original.extras.get("notation")
        kept = draft.reading().score
        return kept.replace(extras={"notation": notation}) if notation else kept

    def _time(self, tick: int) -> Fraction:
        return Fraction(tick, self.page.ticks_per_quarter)

    def _part(self, number: int, part: SheetPart) -> None:
        names = voice_names(part)
        loud = signs.WrittenLoudness(part)
        for bar in part.bars:
            self._lines(bar)
            for sign in bar.signs:
                self._sign(number, bar, sign)
            for voice in bar.voices:
                for event in voice.events:
                    self._event(number, part, event, names[voice.voice], loud)

    def _lines(self, bar: SheetBar) -> None:
        start, stop = self._time(bar.start), self._time(bar.start + bar.length)
        if bar.ending_start:
            numbers = sorted({int(n) for n in bar.ending_start.split(",")})
            self.draft.mark(start, "repeat", "ending " + ",".join(map(str, numbers)))
        if bar.repeat_start:
            self.draft.mark(start, "repeat", "start")
        if bar.ending_stop:
            self.draft.mark(stop, "repeat", f"ending {bar.ending_stop}")
        if bar.repeat_end:
            self.draft.mark(stop, "repeat", "end" if bar.repeat_end == 2 else f"end {bar.repeat_end}")
        elif bar.barline:
            self.draft.mark(stop, "barline", bar.barline)

    def _sign(self, number: int, bar: SheetBar, sign: SheetSign) -> None:
        draft, at = self.draft, self._time(sign.tick)
        if sign.kind == "chord":
            draft.chord(at, symbol_of(*harmony_of(signs.one_line(sign.text))))
            return
        if sign.kind == "tempo" and not sign.text and not sign.shown:
            self.tempos.setdefault(sign.tick, float(signs.decimal(sign.bpm)))
            return
        found = signs.direction_said(sign)
        if found is None:
            return
        start, stop = self._time(bar.start), self._time(bar.start + bar.length)
        for text in found.jumps:
            draft.mark(start if text in ("segno", "coda") else stop, "repeat", text)
        if found.section:
            draft.mark(at, "section", found.section)
        if found.dynamic:
            draft.text(at, number, "dynamic", found.dynamic)
        if found.words:
            draft.text(at, -1 if found.tempo_words else number, "tempo" if found.tempo_words else "words", found.words)
        if found.tempo:
            self.tempos.setdefault(sign.tick, found.tempo)
        elif found.guess:
            self.guesses.setdefault(sign.tick, found.guess)
        elif found.tempo_words:
            self.returns.setdefault(sign.tick, returns_to_tempo(found.words))

    def _event(self, number: int, part: SheetPart, event: Event, voice: str, loud: signs.WrittenLoudness) -> None:
        draft, at = self.draft, self._time(event.onset)
        if event.fermata:
            draft.fermata(at, number)
        for said in event.syllables:
            end = "-" if said.syllabic in ("begin", "middle") else "_" if said.held else ""
            draft.text(at, number, "lyric" if said.verse == 1 else f"lyric {said.verse}",
                       (text + end) if (text := signs.one_line(said.text)) else "")
        shift = interval_fifths(part.transpose)
        for head in event.heads:
            spelling = -1
            if not head.unpitched:
                spelling = spelling_of(head.step, head.alter) + shift
                spelling += 12 * ((spelling < LOWEST) - (spelling > HIGHEST))
            draft.note(number, at, self._time(event.duration), head.pitch, voice=voice, staff=head.staff,
                       velocity=loud.at(event.onset) if head.tie_stop else int(self.original.velocity[head.note]),
                       spelling=spelling, grace=event.grace, tied_from=head.tie_stop, tied_to=head.tie_start)

    def _keys(self) -> None:
        """The keys by the vote of the parts, as they are said in each of them."""
        changes: dict[int, dict[int, tuple[int, str]]] = {}
        for number, part in enumerate(self.page.parts):
            shift = interval_fifths(part.transpose)
            for bar in part.bars:
                for sign in bar.keys:
                    fifths = sign.fifths + shift
                    fifths = (fifths + 5) % 12 - 5 if shift and abs(fifths) > 7 else fifths
                    changes.setdefault(sign.tick, {})[number] = (fifths, sign.mode)
        now: dict[int, tuple[int, str]] = {}
        for tick in sorted(changes):
            now |= changes[tick]
            votes = Counter(now[number] for number in sorted(now))
            self.draft.key(self._time(tick), *max(votes, key=lambda key: votes[key]))

    def _tempos(self) -> None:
        """The tempos: numbers, else those of the words, else the first or the last one again."""
        first = last = 0.0
        for tick in sorted({*self.tempos, *self.guesses, *self.returns}):
            bpm = self.tempos.get(tick) or self.guesses.get(tick) or (
                first if self.returns.get(tick) == "first" else last)
            if bpm:
                self.draft.tempo(self._time(tick), bpm)
                first, last = first or bpm, bpm

    def _titles(self) -> None:
        have: set[str] = set()
        for text in self.page.head:
            if text.kind not in ("title", "subtitle") or text.kind not in have:
                self.draft.text(0, -1, text.kind, signs.one_line(text.text))
            have.add(text.kind)
