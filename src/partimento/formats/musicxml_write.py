"""A Score to MusicXML: the written page, plain or zipped."""

from __future__ import annotations

import io
import zipfile

from partimento.formats import musicxml_write_note as notes
from partimento.formats import musicxml_write_sign as signs
from partimento.formats.musicxml_keep import keep
from partimento.notation.ready import ready
from partimento.notation.sheet import Event, NoteHead, Sheet, SheetBar, SheetPart, VoiceBar, sheet
from partimento.score import Score

__all__ = ["dumps", "dumps_mxl", "keep"]

_HEAD = ('<?xml version="1.0" encoding="UTF-8"?>\n'
         '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
         '"http://www.musicxml.org/dtds/partwise.dtd">\n<score-partwise version="4.0">\n')
_CONTAINER = ('<?xml version="1.0" encoding="UTF-8"?>\n<container>\n<rootfiles>\n'
              '<rootfile full-path="score.musicxml" media-type="application/vnd.recordare.musicxml+xml"/>\n'
              '</rootfiles>\n</container>\n')
_CREATORS = ("composer", "lyricist", "arranger")
_CREDITS = {"title": ' font-size="22" justify="center" valign="top"',
            "subtitle": ' font-size="14" justify="center" valign="top"',
            "composer": ' justify="right" valign="bottom"', "arranger": ' justify="right" valign="bottom"',
            "lyricist": ' justify="left" valign="bottom"', "copyright": ' font-size="8" justify="center"'}
DRUM_CHANNEL = 10


def dumps(score: Score) -> bytes:
    """Return a Score as MusicXML 4.0, one part after another; what is missing for a page is made by `ready`.

    >>> page = dumps(Score(onset=[0], duration=[1920], pitch=[61], velocity=[80], track=[0]))
    >>> b"<type>whole</type>" in page, b"<accidental>sharp</accidental>" in page
    (True, True)
    """
    score = ready(score)
    page = sheet(score)
    out = [_HEAD, *_header(page), _part_list(page)]
    for number, part in enumerate(page.parts):
        out.append(f'<part id="P{number + 1}">\n')
        out += _PartText(score, page, part, number).measures()
        out.append("</part>\n")
    out.append("</score-partwise>\n")
    return "".join(out).encode("utf-8")


def dumps_mxl(score: Score) -> bytes:
    """Return a Score as zipped MusicXML (.mxl), the same bytes whenever it is made.

    >>> dumps_mxl(Score())[:2]
    b'PK'
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (("META-INF/container.xml", _CONTAINER.encode()), ("score.musicxml", dumps(score))):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return buffer.getvalue()


# --- what stands above the music -------------------------------------------------------------------------------


def _header(page: Sheet) -> list[str]:
    said: dict[str, list[str]] = {}
    for text in page.head:
        said.setdefault(text.kind, []).append(signs.xml_text(text.text))
    out = []
    title = said.get("title", [""])[0]
    if title:
        out.append(f"<work><work-title>{title}</work-title></work>\n<movement-title>{title}</movement-title>\n")
    out.append("<identification>\n")
    for kind in _CREATORS:
        out += [f'<creator type="{kind}">{name}</creator>\n' for name in said.get(kind, [])]
    out += [f"<rights>{text}</rights>\n" for text in said.get("copyright", [])]
    out.append('<encoding><software>partimento</software><supports element="accidental" type="yes"/>'
               '<supports element="beam" type="yes"/></encoding>\n')
    if "text" in said:
        fields = [f'<miscellaneous-field name="text">{text}</miscellaneous-field>' for text in said["text"]]
        out.append(f"<miscellaneous>{''.join(fields)}</miscellaneous>\n")
    out.append("</identification>\n")
    for kind, look in _CREDITS.items():
        for words in said.get(kind, [])[:1 if kind in ("title", "subtitle") else None]:
            named = "rights" if kind == "copyright" else kind
            out.append(f'<credit page="1"><credit-type>{named}</credit-type>'
                       f"<credit-words{look}>{words}</credit-words></credit>\n")
    return out


def _part_list(page: Sheet) -> str:
    out = ["<part-list>\n"]
    channels = [c for c in range(1, 17) if c != DRUM_CHANNEL]
    for number, part in enumerate(page.parts):
        for index, group in enumerate(page.groups):
            if group.first == number:
                name = f"<group-name>{signs.xml_text(group.name)}</group-name>" if group.name else ""
                out.append(f'<part-group type="start" number="{index + 1}">{name}'
                           f"<group-symbol>{group.symbol}</group-symbol>"
                           f"<group-barline>yes</group-barline></part-group>\n")
        track = part.track
        short = signs.xml_text(part.abbreviation)
        short = f"<part-abbreviation>{short}</part-abbreviation>" if short else ""
        out.append(f'<score-part id="P{number + 1}"><part-name>{signs.xml_text(track.name)}</part-name>{short}')
        channel = DRUM_CHANNEL if track.is_drum else channels[number % len(channels)]
        sounds = notes.instruments(part, number)
        for name, words, _ in sounds:
            out.append(f'<score-instrument id="{name}"><instrument-name>{signs.xml_text(words)}</instrument-name>'
                       "</score-instrument>")
        for name, _, key in sounds:
            drum = f"<midi-unpitched>{key + 1}</midi-unpitched>" if key >= 0 else ""
            out.append(f'<midi-instrument id="{name}"><midi-channel>{channel}</midi-channel>'
                       f"<midi-program>{1 if track.is_drum else track.program + 1}</midi-program>{drum}"
                       "</midi-instrument>")
        out.append("</score-part>\n")
        for index, group in reversed(list(enumerate(page.groups))):
            if group.last == number:
                out.append(f'<part-group type="stop" number="{index + 1}"/>\n')
    out.append("</part-list>\n")
    return "".join(out)


# --- the measures ----------------------------------------------------------------------------------------------


class _PartText:
    """One part as text."""

    def __init__(self, score: Score, page: Sheet, part: SheetPart, number: int) -> None:
        self.score, self.page, self.part, self.number = score, page, part, number
        self.voices = notes.voice_names(part)
        self.sings = any(event.syllables for bar in part.bars for voice in bar.voices for event in voice.events)
        self.loud = signs.WrittenLoudness(part)

    def measures(self) -> list[str]:
        out = []
        meter = None
        for index, bar in enumerate(self.part.bars):
            name = f"X{index}" if bar.implicit and index else str(bar.number)
            implicit = ' implicit="yes"' if bar.implicit else ""
            out.append(f'<measure number="{name}"{implicit}>\n')
            out.append(signs.left_barline(bar))
            shape = (bar.meter.numerator, bar.meter.denominator)
            told = (shape != meter or bar.meter_shown) and signs.is_time(bar)
            out.append(self._attributes(bar, first=index == 0, meter=told))
            meter = shape
            out += self._music(bar)
            out.append(signs.right_barline(bar))
            out.append("</measure>\n")
        return out

    def _attributes(self, bar: SheetBar, first: bool, meter: bool) -> str:
        keys = [key for key in bar.keys if key.tick == bar.start]
        clefs = [clef for clef in bar.clefs if clef.tick == bar.start]
        inner = f"<divisions>{self.page.ticks_per_quarter}</divisions>" if first else ""
        inner += "".join(signs.key_xml(key) for key in keys[-1:])
        if meter:
            inner += signs.time_xml(bar)
        if first and self.part.staves > 1:
            inner += f"<staves>{self.part.staves}</staves>"
        inner += "".join(signs.clef_xml(sign, self.part.staves) for sign in clefs)
        if first and any(self.part.transpose):
            diatonic, chromatic, octaves = self.part.transpose
            octave = f"<octave-change>{octaves}</octave-change>" if octaves else ""
            inner += (f"<transpose><diatonic>{diatonic}</diatonic><chromatic>{chromatic}</chromatic>{octave}"
                      "</transpose>")
        return f"<attributes>{inner}</attributes>\n" if inner else ""

    def _music(self, bar: SheetBar) -> list[str]:
        out: list[str] = []
        waiting = [sign for sign in bar.signs if sign.kind != "jump"]
        moving = [(key.tick, 1, f"<attributes>{signs.key_xml(key)}</attributes>\n") for key in bar.keys
                  if key.tick > bar.start]
        moving += [(clef.tick, clef.staff, f"<attributes>{signs.clef_xml(clef, self.part.staves)}</attributes>\n")
                   for clef in bar.clefs if clef.tick > bar.start]
        for place, voice in enumerate(bar.voices):
            if place:
                out.append(f"<backup><duration>{bar.length}</duration></backup>\n")
            for event in voice.events:
                for change in [c for c in moving if c[0] == event.onset and c[1] == voice.staff]:
                    out.append(change[2])
                    moving.remove(change)
                while not place and waiting and waiting[0].tick <= event.onset:
                    out.append(signs.direction_xml(waiting.pop(0), self.part, self.sings))
                out.append(self._event(event, voice))
                end = event.onset + event.duration
                while not place and waiting and waiting[0].tick < end:
                    sign = waiting.pop(0)
                    moving.append((sign.tick, 0, signs.direction_xml(sign, self.part, self.sings)))
        out += self._between(moving, bar)
        out += [signs.direction_xml(sign, self.part, self.sings) for sign in bar.signs if sign.kind == "jump"]
        return out

    @staticmethod
    def _between(moving: list[tuple[int, int, str]], bar: SheetBar) -> list[str]:
        """What stands where nothing begins, from the end of the bar back to each place and on again."""
        out = []
        at = bar.start + bar.length
        for tick, _, text in sorted(moving, key=lambda entry: entry[0]):
            step, way = abs(tick - at), "backup" if tick < at else "forward"
            out.append((f"<{way}><duration>{step}</duration></{way}>\n" if step else "") + text)
            at = tick
        if moving and (rest := bar.start + bar.length - at):
            out.append(f"<forward><duration>{rest}</duration></forward>\n")
        return out

    def _event(self, event: Event, voice: VoiceBar) -> str:
        name = self.voices[voice.voice]
        staff = event.staff if self.part.staves > 1 else 0
        if event.hidden:
            shown = f"<staff>{staff}</staff>" if staff else ""
            return f"<forward><duration>{event.duration}</duration><voice>{name}</voice>{shown}</forward>\n"
        if event.is_rest:
            return notes.rest_xml(event, name, staff)
        return notes.chord_xml(event, name, self.part, self.number, self.loudness)

    def loudness(self, head: NoteHead, onset: int) -> str:
        """The attribute that says how loud a note is, where the dynamics do not."""
        velocity = int(self.score.velocity[head.note])
        if head.tie_stop or velocity == self.loud.at(onset):
            return ""
        return f' dynamics="{velocity / 0.9:.2f}"'
