"""MusicXML, plain or zipped, part by part or bar by bar, to a Score in the order of the page."""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby, zip_longest
from typing import Any
from xml.etree.ElementTree import Element

from partimento.errors import ReadError
from partimento.formats import xml_safe, zipped
from partimento.formats.draft import Draft, Time
from partimento.formats.musicxml_bar import Bar, Head, PartReader, length_of
from partimento.formats.musicxml_parts import PartNames, part_list, track_of, words
from partimento.formats.reading import DEFAULT_MAX_NOTES, Reading
from partimento.formats.tempo_words import returns_to_tempo

SUFFIXES = (".musicxml", ".xml")
MAX_PARTS = 1000
USUAL_VELOCITY = 80
MOST_TIES = 50                          # of one pitch that wait at a time for their other end
_AT_START = ("segno", "coda", "coda?")


def parse(data: bytes, *, max_notes: int = DEFAULT_MAX_NOTES) -> Reading:
    """Return the music of a MusicXML file, plain or zipped, whatever its name; ReadError in one sentence if none.

    Pitches and keys are those that sound; repeats stay marks; cue notes are left out and counted.

    >>> page = b'''<score-partwise><part-list><score-part id="P1"><part-name>Oboe</part-name></score-part></part-list>
    ... <part id="P1"><measure number="1"><attributes><divisions>2</divisions></attributes><note><pitch><step>A</step>
    ... <octave>4</octave></pitch><duration>8</duration></note></measure></part></score-partwise>'''
    >>> parse(page).score.notes().tolist(), parse(page).score.tracks[0].program
    ([[0, 1920, 69, 80, 0]], 68)
    """
    page = _Page(max_notes)
    for path in xml_safe.elements(zipped.score_in(data, SUFFIXES), ("measure", "part-list")):
        page.take(path)
    return page.reading()


class _Page:
    """The parts of a file as they come, and the Score they make."""

    def __init__(self, max_notes: int) -> None:
        self._draft = Draft(max_notes)
        self._left, self._max = max_notes, max_notes
        self._names: dict[str, PartNames] = {}
        self._groups: list[tuple[int, int, str, str]] = []
        self._parts: dict[str, PartReader] = {}
        self._begun: dict[Element, PartReader] = {}
        self._root: Element | None = None
        self._measures = 0

    def take(self, path: tuple[Element, ...]) -> None:
        """An element of the file that is whole, after those that it stands in."""
        root, element = path[0], path[-1]
        if len(path) == 1:
            self._root = root
        if root.tag not in ("score-partwise", "score-timewise"):
            raise ReadError(f"a file of MusicXML must hold a score; this one holds <{root.tag[:40]}>")
        if element.tag == "part-list":
            self._names, self._groups = part_list(element)
        elif element.tag == "measure" and root.tag == "score-partwise" and len(path) == 3:
            self._part(path[1]).read(element)
        elif element.tag == "measure" and len(path) == 2:
            for part in element.iterfind("part"):
                reader = self._part(part, again=True)
                while len(reader.bars) < self._measures:        # measures in which this part is not named
                    reader.read(Element("measure"))
                reader.read(part)
            self._measures += 1

    def _room(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise ReadError(f"a piece must have at most {self._max} notes; this one has more: raise --max-notes")

    def _part(self, element: Element, again: bool = False) -> PartReader:
        """The part that measures of this element belong to; a second part of the same id is another part."""
        if element in self._begun:
            return self._begun[element]
        name = element.get("id") or ""
        if again and name in self._parts:
            return self._parts[name]
        if name not in self._names:
            self._draft.repairs["parts that the part list does not name"] += 1
        if name in self._parts:
            self._draft.repairs["parts with the name of another"] += 1
            name = f"{name} ({len(self._parts)})"
        if len(self._parts) >= MAX_PARTS:
            raise ReadError(f"a score must have at most {MAX_PARTS} parts; this one has more")
        reader = PartReader(self._names.get(name) or PartNames("", "", {}), self._draft.repairs, self._room)
        self._parts[name] = reader
        if not again:
            self._begun[element] = reader
        return reader

    # --- the whole ------------------------------------------------------------------------------------------

    def reading(self) -> Reading:
        """The Score of everything taken."""
        draft = self._draft
        order = [*self._names, *(name for name in self._parts if name not in self._names)]
        parts: list[PartReader] = []
        for name in order:
            part = self._parts.get(name) or PartReader(self._names[name], draft.repairs, self._room)
            parts.append(part)
            track = track_of(part.names, part.pitched, part.unpitched)
            draft.rename(draft.part(), track)
        starts, ends = _bars(draft, parts)
        for number, part in enumerate(parts):
            _say(draft, number, part, ends)
        _say_keys(draft, parts)
        _say_tempos(draft, parts)
        _say_jumps(draft, parts, starts, ends)
        if self._root is not None:
            _say_titles(draft, self._root)
        extras: dict[str, Any] = {
            "transpose": {str(i): list(part.first_transposition) for i, part in enumerate(parts)
                          if part.first_transposition is not None and any(part.first_transposition)},
            "abbreviations": {str(i): part.names.abbreviation for i, part in enumerate(parts)
                              if part.names.abbreviation},
            "groups": [list(group) for group in self._groups]}
        draft.extras |= {name: said for name, said in extras.items() if said}
        return draft.reading()


def _bars(draft: Draft, parts: list[PartReader]) -> tuple[list[Time], list[Time]]:
    """Say the bars; where each begins and ends."""
    starts: list[Time] = []
    ends: list[Time] = []
    meter = (4, 4)
    unsaid = _usual_meter(parts)
    if unsaid is not None:
        draft.repairs["meters taken from the length of the bars"] += 1
    for index in range(max((len(part.bars) for part in parts), default=0)):
        bars = [part.bars[index] for part in parts if index < len(part.bars)]
        said = next((bar.meter for bar in bars if bar.meter is not None), unsaid if not index else None)
        rulings = {bar.ruling for bar in bars if bar.ruling is not None}
        if len({length_of(ruling) for ruling in rulings}) > 1:
            common = _common(bars, rulings, meter if index else None)
            said = None if common == meter and index else common
            for part in parts:
                if index < len(part.bars) and _fitted(part, index, length_of(common)):
                    draft.repairs["bars of another meter fitted to the other parts"] += 1
        meter = said or meter
        full = length_of(meter)
        lengths = {bar.length for bar in bars if bar.length}
        rested = max(bar.rested for bar in bars)
        length: Time = max(lengths, default=0)
        length = max(length, min(rested, max(full, length))) if length else rested or full
        if len(lengths) > 1:
            draft.repairs["bars that end earlier in one part than in another"] += 1
        cuts = sorted(at for at in {at for bar in bars for at in bar.split} if at < length)
        start: Time = draft.end
        for begin, stop in zip([0, *cuts], [*cuts, length], strict=True):
            draft.bar(stop - begin, said if not begin else None)
        starts.append(start)
        ends.append(draft.end)
    for part in parts:
        part.starts, part.end = starts, draft.end
    return starts, ends


def _usual_meter(parts: list[PartReader]) -> tuple[int, int] | None:
    """The meter of the length that most bars have, where the file says none from its first bar on; None for 4/4."""
    lengths: Counter[Time] = Counter()
    for bars in zip_longest(*(part.bars for part in parts), fillvalue=Bar()):
        if any(bar.meter is not None for bar in bars):
            break
        lengths[max(bar.length or bar.rested for bar in bars)] += 1
    del lengths[0]
    usual = Fraction(max(lengths, key=lambda length: lengths[length], default=4)) / 4
    below = max(usual.denominator, 4)
    return None if usual == 1 or below > 32 or below & (below - 1) else (int(usual * below), below)


def _common(bars: list[Bar], rulings: set[tuple[int, int]], before: tuple[int, int] | None) -> tuple[int, int]:
    """The meter, of several that parts have at once, that the others are fitted to.

    What a rest of a whole measure lasts tells it, else it is what ruled before, else what the lowest part has.
    """
    rests = {bar.rested for bar in bars if bar.rested and not bar.length}
    by_rests = [ruling for ruling in rulings if length_of(ruling) in rests]
    candidates = [before, *(bar.ruling for bar in reversed(bars))]
    return next(ruling for ruling in candidates if ruling is not None and ruling in (by_rests or rulings))


def _fitted(part: PartReader, index: int, full: Fraction) -> bool:
    """Stretch a bar of a part, whose meter has another length, to `full`; whether that was so."""
    bar = part.bars[index]
    if bar.ruling is None or length_of(bar.ruling) == full:
        return False
    factor = full / length_of(bar.ruling)
    part.stretch[index] = factor
    bar.heads = [head._replace(onset=head.onset * factor, duration=head.duration * factor) for head in bar.heads]
    bar.length *= factor
    bar.split = tuple(at * factor for at in bar.split)
    return True


def _tied_over(heads: list[tuple[int, Time, Head]]) -> None:
    """Lengthen the notes of an arpeggio that are tied over other notes to the chord that they gather in.

    `heads` are of one part: bar, onset in the piece, head. Only a part on several staves is meant so; in others such
    ties are slips. Ties that lead on from a grace note are taken off.
    """
    tied = sorted((i for i, (_, _, head) in enumerate(heads) if head.tied_from or head.tied_to),
                  key=lambda i: (heads[i][1], heads[i][2].grace == 0))
    waiting: defaultdict[int, list[int]] = defaultdict(list)
    keyboard = any(head.staff > 1 for _, _, head in heads)
    for i in tied:
        bar, onset, head = heads[i]
        before = waiting[head.pitch]
        if head.tied_from and before:
            from_here = [j for j in before if heads[j][1] + heads[j][2].duration <= onset and heads[j][0] >= bar - 1]
            if from_here:
                j = max(from_here, key=lambda j: (heads[j][1] + heads[j][2].duration, heads[j][2].voice == head.voice))
                before.remove(j)
                _, begun, first = heads[j]
                if first.grace:
                    heads[i] = bar, onset, head._replace(tied_from=False)
                elif begun + first.duration < onset and keyboard:
                    heads[j] = heads[j][0], begun, first._replace(duration=onset - begun)
        if head.tied_to:
            before.append(i)
            del before[:-MOST_TIES]


def _spread(chords: list[tuple[Time, Time, str, bool]]) -> Iterator[tuple[Time, str]]:
    """Where each chord symbol stands, of (time, end of its bar, symbol, whether it was moved on the paper).

    Several that a file puts at one time, apart only on the paper, share the time up to the next one or the bar line.
    """
    ordered = sorted(chords, key=lambda chord: chord[0])
    groups = [list(group) for _, group in groupby(ordered, key=lambda chord: chord[0])]
    for group, after in zip_longest(groups, groups[1:]):
        onset, stop = group[0][:2]
        room = max(min(stop, after[0][0]) if after else stop, onset) - onset if any(c[3] for c in group) else 0
        for place, (_, _, symbol, _) in enumerate(group):
            yield onset + room * Fraction(place, len(group)), symbol


def _say(draft: Draft, number: int, part: PartReader, ends: list[Time]) -> None:
    """Say the notes of a part and what stands over them."""
    for index, back in part.repeated.items():
        if index >= back and part.bars[index - back].heads:
            part.bars[index].heads = part.bars[index - back].heads
            draft.repairs["repeated measures written out"] += 1
    when = part.when
    loudness = _Loudness(part)
    heads = [(index, start + head.onset, head)
             for index, (bar, start) in enumerate(zip(part.bars, part.starts, strict=False)) for head in bar.heads]
    _tied_over(heads)
    for _, onset, head in heads:
        voice = f"{head.voice}/{head.staff}" if head.voice in part.clashing else head.voice
        draft.note(number, onset, head.duration, head.pitch, velocity=head.velocity or loudness.at(onset),
                   voice=voice, staff=head.staff, spelling=head.spelling, grace=head.grace,
                   tied_from=head.tied_from, tied_to=head.tied_to)
    for index, at, staff, clef in part.clefs:
        draft.clef(when(index, at), number, staff, clef)
    for onset, symbol in _spread([(when(index, at), ends[index], symbol, moved)
                                 for index, at, symbol, moved in part.chords]):
        draft.chord(onset, symbol)
    for index, at, kind, text in part.lyrics:
        draft.text(when(index, at), number, kind, text)
    for index, at in part.fermatas:
        draft.fermata(when(index, at), number)
    for index, place, kind, text in part.marks:
        draft.mark(ends[index] if place is None else when(index, place), kind, text)
    for index, text in part.signatures:
        draft.mark(part.starts[index], "meter", text)
    for index, at, said in part.directions:
        onset = when(index, at)
        if said.section:
            draft.mark(onset, "section", said.section)
        if said.dynamic:
            draft.text(onset, number, "dynamic", said.dynamic)
        if said.words:
            draft.text(onset, -1 if said.tempo_words else number, "tempo" if said.tempo_words else "words",
                       said.words)


class _Loudness:
    """The velocity in force at any moment of a part."""

    def __init__(self, part: PartReader) -> None:
        levels = {part.when(bar, at): said.level for bar, at, said in part.directions if said.level}
        self._times = sorted(levels)
        self._levels = [USUAL_VELOCITY, *(levels[time] for time in self._times)]
        self._accents = {part.when(bar, at): said.accent for bar, at, said in part.directions if said.accent}

    def at(self, onset: Time) -> int:
        """The velocity of a note that begins there."""
        return self._accents.get(onset) or self._levels[bisect.bisect_right(self._times, onset)]


def _say_keys(draft: Draft, parts: list[PartReader]) -> None:
    """Say the key that most pitched parts are in wherever one of them changes; the upper part decides a tie."""
    changes: defaultdict[Time, dict[int, tuple[int, str]]] = defaultdict(dict)
    for number, part in enumerate(parts):
        if part.pitched or not part.unpitched:
            for bar, at, fifths, mode in part.keys:
                changes[part.when(bar, at)][number] = (fifths, mode)
    now: dict[int, tuple[int, str]] = {}
    for time in sorted(changes):
        now |= changes[time]
        votes = Counter(now[number] for number in sorted(now))
        draft.key(time, *max(votes, key=lambda key: votes[key]))


def _say_tempos(draft: Draft, parts: list[PartReader]) -> None:
    """Say the tempos: numbers where the file has them, else the usual ones of the words."""
    numbers: dict[Time, float] = {}
    guesses: dict[Time, float] = {}
    returns: dict[Time, str] = {}
    for part in parts:
        for bar, at, said in part.directions:
            time = part.when(bar, at)
            if said.tempo:
                numbers.setdefault(time, said.tempo)
            elif said.guess:
                guesses.setdefault(time, said.guess)
            elif said.tempo_words:
                returns.setdefault(time, returns_to_tempo(said.words))
    first = last = 0.0
    for time in sorted({*numbers, *guesses, *returns}):
        bpm = numbers.get(time) or guesses.get(time) or (first if returns.get(time) == "first" else last)
        if bpm:
            draft.tempo(time, bpm)
            first, last = first or bpm, bpm


def _say_jumps(draft: Draft, parts: list[PartReader], starts: list[Time], ends: list[Time]) -> None:
    """Say segno, coda, da capo and the like; of two coda signs that do not say which, the first sends to the other."""
    found: dict[tuple[Time, str], Time] = {}                # where it stands -> the end of its bar
    for part in parts:
        for bar, at, said in part.directions:
            for text in said.jumps:
                starts_here = text in _AT_START and part.when(bar, at) < ends[bar]
                found[starts[bar] if starts_here else ends[bar], text] = ends[bar]
    unsure = sorted(time for time, text in found if text == "coda?")
    sure = {text for _, text in found}
    for (time, text), end in found.items():
        if text != "coda?":
            draft.mark(time, "repeat", text)
        elif "to coda" in sure or time == unsure[-1]:
            draft.mark(time, "repeat", "coda")
        else:
            draft.mark(end, "repeat", "to coda")


def _say_titles(draft: Draft, root: Element) -> None:
    """Say what stands over the page: the movement is the title, its work the subtitle."""
    movement, work = words(root.findtext("movement-title")), words(root.findtext("work/work-title"))
    said = defaultdict(list)
    for credit in root.iterfind("credit"):
        kind = words(credit.findtext("credit-type"))
        said[kind].append(words(" ".join(child.text or "" for child in credit.iterfind("credit-words"))))
    title = movement or work or next(iter(said["title"]), "")
    subtitle = work if work != title else ""
    draft.text(0, -1, "title", title)
    draft.text(0, -1, "subtitle", subtitle or next(iter(said["subtitle"]), ""))
    kinds = {"composer": "composer", "lyricist": "lyricist", "poet": "lyricist", "arranger": "arranger"}
    have = set()
    for creator in root.iterfind("identification/creator"):
        kind = kinds.get((creator.get("type") or "").strip().lower(), "")
        if kind and words(creator.text):
            draft.text(0, -1, kind, words(creator.text))
            have.add(kind)
    for kind in ("composer", "lyricist", "arranger"):
        if kind not in have:
            draft.text(0, -1, kind, next(iter(said[kind]), ""))
    for rights in root.iterfind("identification/rights"):
        draft.text(0, -1, "copyright", words(rights.text))
    for field in root.iterfind("identification/miscellaneous/miscellaneous-field[@name='text']"):
        draft.text(0, -1, "text", words(field.text))


