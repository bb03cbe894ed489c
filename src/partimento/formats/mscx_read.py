"""MuseScore files in, .mscz and .mscx: parts, staves and everything on them to a Score."""

from __future__ import annotations

import re
from collections import defaultdict
from fractions import Fraction
from xml.etree.ElementTree import Element

from partimento.errors import ReadError
from partimento.formats import mscx_values as values
from partimento.formats import xml_safe, zipped
from partimento.formats.draft import Draft
from partimento.formats.loudness import Loudness
from partimento.formats.mscx_staff import Far, Staff, far_from
from partimento.formats.reading import DEFAULT_MAX_NOTES, Reading
from partimento.formats.tempos import Tempos

SUFFIXES = (".mscx",)
CUT = ("Part", "Measure", "VBox", "HBox", "TBox", "FBox", "Style")
WHOLE_PIECE = -1
_FRAMES = {"title": "title", "subtitle": "subtitle", "composer": "composer", "lyricist": "lyricist", "poet": "lyricist"}
_TAGS = {"workTitle": "title", "composer": "composer", "lyricist": "lyricist", "poet": "lyricist",
         "arranger": "arranger", "copyright": "copyright"}
_MARKERS = {"segno": "segno", "varsegno": "segno", "codab": "coda", "varcoda": "coda", "codetta": "coda",
            "fine": "fine", "coda": "to coda", "tocoda": "to coda", "tocodasym": "to coda", "da_coda": "to coda"}
_METRONOME = re.compile(r"\s*\(?(?:𝅗𝅥|♩|♪|𝅝)\s?\.?\s*=\s*[\d.,]+\)?")
_BARLINES = {"double": "double", "end": "final", "dashed": "dashed", "dotted": "dashed"}


def parse(data: bytes, *, max_notes: int = DEFAULT_MAX_NOTES) -> Reading:
    """Return the music of a MuseScore file, zipped or plain, of versions 1 to 4; ReadError, in one sentence, if none.

    Pitches and keys are those that sound. Repeats stay marks, bar repeats are written out. The parts that a file
    keeps beside its full score are left.

    >>> page = (b'<museScore version="3.01"><Score><Part><Staff id="1"/><trackName>Flute</trackName></Part>'
    ...         b'<Staff id="1"><Measure><voice><TimeSig><sigN>2</sigN><sigD>4</sigD></TimeSig><Chord>'
    ...         b'<durationType>half</durationType><Note><pitch>72</pitch><tpc>14</tpc></Note></Chord></voice>'
    ...         b'</Measure></Staff></Score></museScore>')
    >>> parse(page).score.notes().tolist(), parse(page).score.tracks[0].program
    ([[0, 960, 72, 80, 0]], 73)
    """
    page = _Page(max_notes)
    for path in xml_safe.elements(zipped.score_in(data, SUFFIXES), CUT):
        page.take(path)
    return page.reading()


class _Page:
    """The score of a file as its elements come, and the Draft it becomes."""

    def __init__(self, max_notes: int) -> None:
        self.division = 480
        self._draft = Draft(max_notes)
        self._max_notes = max_notes
        self._repairs: defaultdict[str, int] = defaultdict(int)
        self._parts: list[values.PartSaid] = []
        self._homes: dict[str, tuple[int, int]] = {}         # id of a staff -> part and staff in it from 1
        self._staves: dict[str, Staff] = {}
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._starts: list[tuple[Fraction, Fraction]] = []   # where each bar begins and its length
        self._meter = (4, 4)
        self._new_meter: tuple[int, int] | None = None
        self._now = ""                                       # id of the staff that is being read
        self._loud: defaultdict[int, Loudness] = defaultdict(Loudness)
        self._keys: dict[str, list[tuple[Fraction, int, str]]] = defaultdict(list)
        self._clefs: defaultdict[str, set[Fraction]] = defaultdict(set)
        self._voltas: dict[str, tuple[Fraction, bool]] = {}
        self._titles: dict[str, str] = {}
        self._concert = False
        self._version = 3
        self._open: Element | None = None                    # the staff that is being read, and how many have been
        self._begun = 0
        self._tempos = Tempos()
        self._ends: list[tuple[Far, bool]] = []              # where brackets over endings end, and whether with a hook
        self._takes = {"Clef": self._clef, "KeySig": self._key, "Tempo": self._tempo, "Dynamic": self._dynamic,
                       "Fermata": self._fermata, "Articulation": self._articulation, "StaffText": self._words,
                       "SystemText": self._words, "Expression": self._words, "RehearsalMark": self._section,
                       "Lyrics": self._lyrics, "Harmony": self._harmony, "BarLine": self._barline,
                       "Spanner": self._spanner, "Volta": self._volta, "endSpanner": self._end_spanner}

    # --- what comes --------------------------------------------------------------------------------------------

    def take(self, path: tuple[Element, ...]) -> None:
        """An element of the file with those it stands in, root first."""
        root = path[0]
        if root.tag != "museScore":
            raise ReadError(f"a MuseScore file must begin with <museScore>; this one begins with <{root.tag[:40]}>")
        if [element.tag for element in path].count("Score") > 1:
            return                                           # a part that is kept beside the full score
        if not self._parts and not self._starts:
            found = re.match(r"\d", root.get("version", ""))
            self._version = int(found[0]) if found else 3
        element = path[-1]
        if element is root:
            self._tags(root)
        elif element.tag == "Part":
            self.division = max(values.whole_number(path[-2].findtext("Division"), self.division), 1)
            self._part(element)
        elif element.tag == "Style":
            self._concert = values.whole_number(element.findtext("concertPitch")) == 1
        elif path[-2].tag == "Staff":
            if element.tag == "Measure":
                self._bar(element, path[-2])
            elif element.tag == "VBox":
                self._frame(element)

    def _part(self, element: Element) -> None:
        said = values.said_of(element)
        self._parts.append(said)
        number = self._draft.part(*said.track)
        for staff, (name, _) in enumerate(said.staves, 1):
            self._homes[name or str(len(self._homes) + 1)] = number, staff

    def _bar(self, measure: Element, home: Element) -> None:
        if measure.find("multiMeasureRest") is not None:
            return                                           # several bars of rest shown as one; they follow it
        if home is not self._open:
            self._open = home
            self._begun += 1
        name = home.get("id") or str(self._begun)
        if name not in self._homes:
            self._repairs["bars of a staff without a part left out"] += 1
            return
        if name not in self._staves:
            self._staves[name] = Staff(self, self._repairs, self._version, self._max_notes)
        self._now = name
        index = self._counts[name]
        self._counts[name] += 1
        if index >= len(self._starts):
            self._new_bar(measure)
        self._staves[name].bar(measure, index)
        if self._first():
            self._repeats(measure, index)

    def _new_bar(self, measure: Element) -> None:
        if not self._first():
            self._repairs["bars that the first staff lacks"] += 1
        time = next((found for found in measure.iter("TimeSig")), None)
        meter = _meter(time) if time is not None else None
        if meter:
            self._meter = meter
        nominal = Fraction(4 * self._meter[0], self._meter[1])
        length = values.fraction_of(measure.get("len"))
        length = length if length is not None and 0 < length < 4000 else nominal
        start = Fraction(self._draft.bar(length, meter))
        self._starts.append((start, Fraction(self._draft.end) - start))
        if time is not None and meter:
            drawn = {"1": "common", "2": "cut"}.get((time.findtext("subtype") or "").strip(), "")
            if drawn and meter in ((4, 4), (2, 2)):
                self._draft.mark(start, "meter", drawn)

    def bar_at(self, index: int) -> tuple[Fraction, Fraction]:
        """Where the bar of that number from 0 begins, and its length; bars to come are taken to be as the last."""
        if index < len(self._starts):
            return self._starts[index]
        start, length = self._starts[-1]
        return start + length * (index - len(self._starts) + 1), length

    def place(self, far: Far) -> Fraction:
        """A moment said by its bar and the way into it."""
        return min(self.bar_at(far.bar)[0] + far.into, Fraction(self._draft.end))

    # --- signs -------------------------------------------------------------------------------------------------

    def sign(self, element: Element, at: Fraction, index: int) -> None:
        """Anything but notes and rests, in the bar of that number."""
        take = self._takes.get(element.tag)
        if take is not None:
            take(element, at, index)

    @property
    def _home(self) -> tuple[int, int]:
        return self._homes[self._now]

    def _first(self) -> bool:
        return len(self._staves) == 1

    def _clef(self, element: Element, at: Fraction, index: int) -> None:
        text = element.findtext("concertClefType") or element.findtext("transposingClefType") \
            or element.findtext("subtype") or ""
        if clef := values.clef_name(text):
            self._clefs[self._now].add(at)
            self._draft.clef(at, *self._home, clef)

    def _key(self, element: Element, at: Fraction, index: int) -> None:
        if element.find("custom") is not None and values.whole_number(element.findtext("custom")) != 0:
            return
        concert, written = element.findtext("concertKey"), element.findtext("accidental") or element.findtext("subtype")
        if concert is None and written is None:
            return
        fifths = values.whole_number(concert if concert is not None else written)
        if concert is None and not self._concert:
            fifths += values.fifths_of(self._parts[self._home[0]].interval)
        mode = (element.findtext("mode") or "").strip()
        self._keys[self._now].append((at, fifths, mode if mode in ("major", "minor") else ""))

    def _tempo(self, element: Element, at: Fraction, index: int) -> None:
        words = values.plain_text(element.find("text"))
        try:
            bpm = round(60 * float((element.findtext("tempo") or "").strip()[:20]), 3)
        except (ValueError, OverflowError):
            bpm = 0.0
        if bpm > 0:
            self._tempos.number(at, bpm)
        else:
            self._tempos.words(at, words)
        if not values.is_hidden(element):
            self._draft.text(at, WHOLE_PIECE, "tempo", _METRONOME.sub("", words))

    def _dynamic(self, element: Element, at: Fraction, index: int) -> None:
        name = (element.findtext("subtype") or "").strip()
        words = values.plain_text(element.find("text"))
        dynamic = words if name in ("", "other-dynamics", "other") else name
        self._loud[self._home[0]].say(at, dynamic, values.whole_number(element.findtext("velocity")))
        self._draft.text(at, self._home[0], "dynamic", dynamic)

    def _fermata(self, element: Element, at: Fraction, index: int) -> None:
        self._draft.fermata(at, self._home[0])

    def _articulation(self, element: Element, at: Fraction, index: int) -> None:
        if "fermata" in (element.findtext("subtype") or ""):
            self._draft.fermata(at, self._home[0])

    def _words(self, element: Element, at: Fraction, index: int) -> None:
        words = values.plain_text(element.find("text"))
        if self._tempos.words(at, words):
            self._draft.text(at, WHOLE_PIECE, "tempo", words)
        else:
            self._draft.text(at, self._home[0], "words", words)

    def _section(self, element: Element, at: Fraction, index: int) -> None:
        if words := values.plain_text(element.find("text")):
            self._draft.mark(at, "section", words)

    def _lyrics(self, element: Element, at: Fraction, index: int) -> None:
        text = values.plain_text(element.find("text"))
        verse = values.whole_number(element.findtext("no")) + 1
        held = values.whole_number(element.findtext("ticks")) > 0
        if text:
            text += "-" if element.findtext("syllabic") in ("begin", "middle") else "_" if held else ""
            self._draft.text(at, self._home[0], "lyric" if verse <= 1 else f"lyric {verse}", text)

    def _harmony(self, element: Element, at: Fraction, index: int) -> None:
        info = element.find("harmonyInfo")
        said = element if info is None else info
        name = (said.findtext("name") or "").strip()
        root, bass = (values.whole_number(said.findtext(tag), -99) for tag in ("root", "base"))
        if bass == -99:
            bass = values.whole_number(said.findtext("bass"), -99)
        shift = 0 if self._concert or self._version >= 4 else values.fifths_of(self._parts[self._home[0]].interval)
        letter = values.tonal_name(root + shift)
        if not letter:
            if name.upper().replace(".", "") in ("NC", "N"):
                self._draft.chord(at, "N")
            return
        low = values.tonal_name(bass + shift)
        self._draft.chord(at, letter + name + (f"/{low}" if low else ""))

    def _barline(self, element: Element, at: Fraction, index: int) -> None:
        start, length = self.bar_at(index)
        kind = _BARLINES.get((element.findtext("subtype") or "").strip(), "")
        if values.is_hidden(element):
            kind = "none"
        if self._first() and kind and at > start:
            self._draft.mark(start + length, "barline", kind)

    def _spanner(self, element: Element, at: Fraction, index: int) -> None:
        volta, far = element.find("Volta"), element.find("next/location")
        for line in ("TextLine", "HairPin"):
            words = values.plain_text(element.find(f"{line}/beginText"))
            if far is not None and words:
                self._draft.text(at, self._home[0], "words", words)
        if element.get("type") == "Volta" and volta is not None and far is not None and self._first():
            self._draft.mark(at, "repeat", _ending(volta))
            self._ends.append((far_from(far, at, index, self.bar_at(index)[0]), _is_closed(volta)))

    def _volta(self, element: Element, at: Fraction, index: int) -> None:
        if self._first():
            self._draft.mark(at, "repeat", _ending(element))
            self._voltas[element.get("id", "")] = at, _is_closed(element)

    def _end_spanner(self, element: Element, at: Fraction, index: int) -> None:
        if element.get("id", "") in self._voltas:
            _, closed = self._voltas.pop(element.get("id", ""))
            self._draft.mark(at, "repeat", "ending stop" if closed else "ending open")

    def _repeats(self, measure: Element, index: int) -> None:
        """Repeat signs, markers and jumps, which belong to a bar of the first staff as a whole."""
        start, length = self.bar_at(index)
        if measure.find("startRepeat") is not None:
            self._draft.mark(start, "repeat", "start")
        times = measure.find("endRepeat")
        if times is not None:
            count = values.whole_number(times.text, 2)
            self._draft.mark(start + length, "repeat", f"end {count}" if 2 < count < 100 else "end")
        for marker in measure.iter("Marker"):
            sign = _MARKERS.get((marker.findtext("label") or "").strip().lower(), "")
            if sign:
                self._draft.mark(start if sign in ("segno", "coda") else start + length, "repeat", sign)
        for jump in measure.iter("Jump"):
            kind = "da capo" if (jump.findtext("jumpTo") or "start").strip() == "start" else "dal segno"
            until = (jump.findtext("playUntil") or "").strip()
            on = " al fine" if until == "fine" else \
                " al coda" if until.startswith("coda") or (jump.findtext("continueAt") or "").strip() else ""
            self._draft.mark(start + length, "repeat", kind + on)

    # --- titles ------------------------------------------------------------------------------------------------

    def _frame(self, box: Element) -> None:
        for text in box.iterfind("Text"):
            kind = _FRAMES.get((text.findtext("style") or "").strip().lower(), "")
            words = values.plain_text(text.find("text"))
            if kind and words and kind not in self._titles:
                self._titles[kind] = words

    def _tags(self, root: Element) -> None:
        for tag in root.iter("metaTag"):
            kind, words = _TAGS.get(tag.get("name", ""), ""), " ".join((tag.text or "").split())
            if kind and words:
                self._titles.setdefault(kind, words)

    # --- the end -----------------------------------------------------------------------------------------------

    def reading(self) -> Reading:
        """The Score and what was mended."""
        draft = self._draft
        for name, staff in self._staves.items():
            part, own = self._homes[name]
            count = len(self._parts[part].staves)
            loud = self._loud[part]
            for head in staff.sounding():
                draft.note(part, head.onset, head.duration, head.pitch, velocity=head.velocity or loud.at(head.onset),
                           voice=100 * own + head.voice, staff=min(max(own + head.staff, 1), max(count, 1)),
                           spelling=head.spelling, grace=head.grace, tied_from=head.tied_from, tied_to=head.tied_to)
        for far, closed in self._ends:
            draft.mark(self.place(far), "repeat", "ending stop" if closed else "ending open")
        for kind, words in self._titles.items():
            draft.text(0, WHOLE_PIECE, kind, words)
        self._key_signatures()
        self._notation()
        for at, bpm in self._tempos:
            draft.tempo(at, bpm)
        for repair, count in self._repairs.items():
            draft.repairs[repair] += count
        return draft.reading()

    def _key_signatures(self) -> None:
        """The keys of the staff that is transposed least: of concert pitch, whatever the file says of the others."""
        def shift(name: str) -> int:
            return abs(values.fifths_of(self._parts[self._homes[name][0]].interval))

        pitched = [name for name in self._staves if not self._parts[self._homes[name][0]].track.is_drum]
        said = self._keys[min(pitched, key=lambda name: (not self._keys[name], shift(name)))] if pitched else []
        if pitched and not any(at == 0 for at, _, _ in said):
            self._draft.key(0, 0)                            # a staff that says nothing begins without a signature
        for at, fifths, mode in said:
            self._draft.key(at, fifths, mode)

    def _notation(self) -> None:
        """Clefs that staves begin with, short names, brackets, transposing parts."""
        draft = self._draft
        transpose, short, groups = {}, {}, []
        first_of = [sum(len(part.staves) for part in self._parts[:number]) for number in range(len(self._parts) + 1)]
        for number, part in enumerate(self._parts):
            for staff, (name, clef) in enumerate(part.staves, 1):
                if Fraction(0) not in self._clefs[name]:
                    draft.clef(0, number, staff, "percussion" if part.track.is_drum else clef)
            if part.short:
                short[str(number)] = part.short
            if part.interval != values.NO_INTERVAL and not part.track.is_drum:
                diatonic, chromatic = part.interval
                octaves = int(chromatic / 12)
                transpose[str(number)] = [diatonic - 7 * octaves, chromatic - 12 * octaves, octaves]
            kind, span = part.bracket
            last = max((other for other in range(number, len(self._parts))
                        if first_of[other] < first_of[number] + span), default=number)
            if kind and last > number:
                groups.append([number, last, kind, ""])
        for key, said in (("transpose", transpose), ("abbreviations", short), ("groups", groups)):
            if said:
                draft.extras[key] = said


def _meter(element: Element) -> tuple[int, int] | None:
    top = values.whole_number(element.findtext("sigN") or element.findtext("nom1"))
    bottom = values.whole_number(element.findtext("sigD") or element.findtext("den"))
    return (top, bottom) if 0 < top < 1000 and 0 < bottom < 1000 else None


def _ending(volta: Element) -> str:
    numbers = re.findall(r"\d{1,2}", volta.findtext("endings") or values.plain_text(volta.find("beginText")) or "1")
    return "ending " + ",".join(str(int(number)) for number in numbers or ["1"])


def _is_closed(volta: Element) -> bool:
    return values.whole_number(volta.findtext("endHookType")) != 0
