"""Attributes, bar lines and directions as MusicXML, and how loud they say the notes are."""

from __future__ import annotations

import bisect
import re
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from partimento.formats.musicxml_direction import Direction, direction_of
from partimento.formats.musicxml_harmony import Root, harmony_of
from partimento.notation.sheet import ClefSign, KeySign, SheetBar, SheetPart, SheetSign

USUAL_VELOCITY = 80
_MAX_BEATS, _MAX_BEAT_TYPE = 999, 256
_DYNAMICS = {"p", "pp", "ppp", "pppp", "ppppp", "pppppp", "f", "ff", "fff", "ffff", "fffff", "ffffff", "mp", "mf",
             "sf", "sfp", "sfpp", "fp", "rf", "rfz", "sfz", "sffz", "fz", "n", "pf", "sfzp"}
_JUMPS = {"to coda": ("To Coda", 'tocoda="coda"'), "fine": ("Fine", 'fine="yes"'),
          "da capo": ("D.C.", 'dacapo="yes"'), "da capo al fine": ("D.C. al Fine", 'dacapo="yes"'),
          "da capo al coda": ("D.C. al Coda", 'dacapo="yes"'), "dal segno": ("D.S.", 'dalsegno="segno"'),
          "dal segno al fine": ("D.S. al Fine", 'dalsegno="segno"'),
          "dal segno al coda": ("D.S. al Coda", 'dalsegno="segno"')}
_STYLES = {"double": "light-light", "final": "light-heavy", "dashed": "dashed", "none": "none"}
_OCTAVES = {"_8": -1, "_15": -2, "^8": 1, "^15": 2}
# What XML 1.0 cannot hold, even xml_text.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """Return a text on one line as it stands between tags.

    >>> xml_text("Adam & Eve \\x01")
    'Adam &amp; Eve'
    """
    return escape(one_line(text))


def one_line(text: str) -> str:
    """Return a text on one line, without what XML cannot hold."""
    return " ".join(_NO_XML.sub("", text).split())


# --- attributes ------------------------------------------------------------------------------------------------


def key_xml(sign: KeySign) -> str:
    """Return a key signature."""
    mode = f"<mode>{sign.mode}</mode>" if sign.mode else ""
    return f"<key><fifths>{sign.fifths}</fifths>{mode}</key>"


def is_time(bar: SheetBar) -> bool:
    """Return whether the meter of a bar is one that readers take."""
    return bar.meter.numerator <= _MAX_BEATS and bar.meter.denominator <= _MAX_BEAT_TYPE


def time_xml(bar: SheetBar) -> str:
    """Return the time signature of a bar, one that is not printed where the bar shows none."""
    look = "" if bar.meter_shown else ' print-object="no"'
    symbol = f' symbol="{bar.meter_sign}"' if bar.meter_sign in ("common", "cut") else ""
    return (f"<time{symbol}{look}><beats>{bar.meter.numerator}</beats>"
            f"<beat-type>{bar.meter.denominator}</beat-type></time>")


def clef_xml(sign: ClefSign, staves: int) -> str:
    """Return a clef.

    >>> clef_xml(ClefSign(0, 1, "G2_8"), 1)
    '<clef><sign>G</sign><line>2</line><clef-octave-change>-1</clef-octave-change></clef>'
    """
    number = f' number="{sign.staff}"' if staves > 1 else ""
    found = re.fullmatch(r"([GFC])([1-5])(_8|_15|\^8|\^15)?", sign.clef)
    if not found:
        shape = "TAB" if sign.clef == "TAB" else "percussion" if sign.clef == "percussion" else "none"
        return f"<clef{number}><sign>{shape}</sign></clef>"
    octave = f"<clef-octave-change>{_OCTAVES[found[3]]}</clef-octave-change>" if found[3] else ""
    return f"<clef{number}><sign>{found[1]}</sign><line>{found[2]}</line>{octave}</clef>"


# --- bar lines -------------------------------------------------------------------------------------------------


def left_barline(bar: SheetBar) -> str:
    """Return the bar line at the left of a bar, or nothing where it is an ordinary one."""
    if not (bar.repeat_start or bar.ending_start):
        return ""
    style = f"<bar-style>{'heavy-light' if bar.repeat_start else 'regular'}</bar-style>"
    ending = f'<ending number="{bar.ending_start}" type="start"/>' if bar.ending_start else ""
    repeat = '<repeat direction="forward"/>' if bar.repeat_start else ""
    return f'<barline location="left">{style}{ending}{repeat}</barline>\n'


def right_barline(bar: SheetBar) -> str:
    """Return the bar line at the right of a bar, or nothing where it is an ordinary one."""
    shape = "light-heavy" if bar.repeat_end else _STYLES.get(bar.barline, "")
    if not (shape or bar.ending_stop):
        return ""
    style = f"<bar-style>{shape or 'regular'}</bar-style>"
    kind = "discontinue" if bar.ending_stop == "open" else "stop"
    ending = f'<ending number="{bar.ending}" type="{kind}"/>' if bar.ending_stop else ""
    times = f' times="{bar.repeat_end}"' if bar.repeat_end > 2 else ""
    repeat = f'<repeat direction="backward"{times}/>' if bar.repeat_end else ""
    return f'<barline location="right">{style}{ending}{repeat}</barline>\n'


# --- directions ------------------------------------------------------------------------------------------------


def direction_xml(sign: SheetSign, part: SheetPart, sings: bool) -> str:
    """Return the direction, chord symbol or sound that a sign is; `sings`: words stand below the part."""
    if sign.kind == "chord":
        return _harmony(sign.text)
    if sign.kind == "tempo" and not sign.text and not sign.shown:
        return f'<sound tempo="{decimal(sign.bpm)}"/>\n'
    inner, sound = _inside(sign)
    above = sign.kind != "dynamic" or sings
    staff = "<staff>1</staff>" if part.staves > 1 else ""
    return f'<direction placement="{"above" if above else "below"}">{inner}{staff}{sound}</direction>\n'


def direction_said(sign: SheetSign) -> Direction | None:
    """Return what a reader takes a sign to say, None where nothing; chord symbols apart."""
    inner, sound = _inside(sign)
    return direction_of(ElementTree.fromstring(f"<direction>{inner}{sound}</direction>"))


def _inside(sign: SheetSign) -> tuple[str, str]:
    """What stands in a direction, and the sound beside it."""
    text = xml_text(sign.text)
    sound = ""
    if sign.kind == "tempo":
        shown = f'<words font-weight="bold">{text}</words>' if text else _metronome(sign.bpm)
        sound = f'<sound tempo="{decimal(sign.bpm)}"/>' if sign.bpm else ""
    elif sign.kind == "dynamic":
        shown = f"<dynamics><{text}/></dynamics>" if text in _DYNAMICS else \
            f"<dynamics><other-dynamics>{text}</other-dynamics></dynamics>"
    elif sign.kind == "section":
        shown = f"<rehearsal>{text}</rehearsal>"
    elif sign.kind in ("segno", "coda"):
        shown, sound = f"<{sign.kind}/>", f'<sound {sign.kind}="{sign.kind}"/>'
    elif sign.kind == "jump":
        words, attribute = _JUMPS[sign.text]
        shown, sound = f"<words>{words}</words>", f"<sound {attribute}/>"
    else:
        shown = f'<words font-style="italic">{text}</words>'
    return f"<direction-type>{shown}</direction-type>", sound


def decimal(value: float) -> str:
    """Return a number with at most six places.

    >>> decimal(120.0), decimal(92.5)
    ('120', '92.5')
    """
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _metronome(bpm: float) -> str:
    return f"<metronome><beat-unit>quarter</beat-unit><per-minute>{decimal(round(bpm, 1))}</per-minute></metronome>"


def _harmony(symbol: str) -> str:
    found = harmony_of(one_line(symbol))
    root = _step("root", found.root) if found.root else '<root><root-step text="">C</root-step></root>'
    words = f" text={quoteattr(found.text)}" if found.text else ""
    degrees = "".join(f'<degree><degree-value>{value}</degree-value><degree-alter>{alter}'
                      f"</degree-alter><degree-type>{way}</degree-type></degree>"
                      for value, alter, way in found.degrees)
    bass = _step("bass", found.bass) if found.bass else ""
    return f'<harmony placement="above">{root}<kind{words}>{found.kind}</kind>{bass}{degrees}</harmony>\n'


def _step(tag: str, root: Root) -> str:
    alter = f"<{tag}-alter>{root[1]}</{tag}-alter>" if root[1] else ""
    return f"<{tag}><{tag}-step>{root[0]}</{tag}-step>{alter}</{tag}>"


class WrittenLoudness:
    """How loud the dynamics of a part say its notes are, as a reader takes them."""

    def __init__(self, part: SheetPart) -> None:
        found = [(sign.tick, told) for bar in part.bars for sign in bar.signs
                 if sign.kind in ("dynamic", "words") and (told := direction_said(sign))]
        levels = {tick: told.level for tick, told in found if told.level}
        self._ticks = sorted(levels)
        self._levels = [USUAL_VELOCITY, *(levels[tick] for tick in self._ticks)]
        self._accents = {tick: told.accent for tick, told in found if told.accent}

    def at(self, tick: int) -> int:
        """The velocity of a note that begins there."""
        return self._accents.get(tick) or self._levels[bisect.bisect_right(self._ticks, tick)]
