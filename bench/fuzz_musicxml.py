"""Damaged MusicXML, plain and zipped, thrown at the reader for a while: how many inputs ran, and how many did harm.

    python bench/fuzz_musicxml.py --seconds 120
    python bench/fuzz_musicxml.py --seconds 120 --music FOLDER     # the smallest files of a folder are damaged too

Every input must give a Score or one ReadError of one line, within two seconds and within the memory that is granted.
Without words, as the runner of the benches calls it, it runs for half a minute and the faults are counted.
"""

from __future__ import annotations

import argparse
import collections
import io
import os
import random
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fuzzing

from partimento.formats import musicxml_read, zipped

SLOW = 2.0
MEMORY = 3 << 30
WORDS = ("", "0", "-1", "1", "3", "4", "7", "8", "16", "99", "480", "65536", "-99999", "1e9", "nan", "1/0", "0.5", "2.",
         "²", "1" * 40, "9" * 25, "yes", "no", "start", "stop", "C", "H", "P1", "begin", "none", "Allegro",
         "D.C. al Fine", "♯", "1,2,3", "+", "3+2")
WHOLE_SPLICES = (
    b"<chord/>", b"<grace/>", b"<cue/>", b"<backup><duration>7</duration></backup>", b"<rest/>",
    b"<tie type='start'/>", b"<tie type='stop'/>", b"</measure><measure>",
    b"<![CDATA[x]]>", b"<!-- -->", b"<?x y?>", b"<divisions>3</divisions>",
    b"<forward><duration>99999999999999</duration></forward>",
    b"<attributes><divisions>7</divisions></attributes>", b"<staff>2</staff>", b"<voice>x</voice>",
    b"<time><beats>7</beats><beat-type>16</beat-type></time>",
    b"<barline location='middle'><repeat direction='forward'/></barline>",
    b"<attributes><measure-style><measure-repeat type='start'>1</measure-repeat></measure-style></attributes>")
SPLICES = (*WHOLE_SPLICES, b"<note>", b"</note>", b"</part><part id='P1'>", b"&lt;", b"&x;", b"\xff\xfe", b"\0",
           b"<!DOCTYPE a [<!ENTITY x 'y'>]>", b"<a" * 40)
_BETWEEN = re.compile(rb">([^<>]{0,40})</")
_VALUE = re.compile(rb"(?<!version)(?<!encoding)=['\"]([^'\"]{0,40})['\"]")
_OPENING = re.compile(rb"<[a-z]")
_ELEMENT = re.compile(rb"<([a-z-]+)(?: [^<>]*[^<>/])?>(?:[^<>]|<(?!/\1>)[^<>]*>)*?</\1>|<[a-z-]+[^<>]*/>")

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="4.0"><work><work-title>Damage</work-title></work><identification>
<creator type="composer">A</creator></identification><part-list><part-group number="1" type="start">
<group-symbol>brace</group-symbol></part-group><score-part id="P1"><part-name>Clarinet</part-name>
<score-instrument id="I1"><instrument-name>B</instrument-name></score-instrument><midi-instrument id="I1">
<midi-channel>1</midi-channel><midi-program>72</midi-program></midi-instrument></score-part><score-part id="P2">
<part-name>Drums</part-name></score-part><part-group number="1" type="stop"/></part-list><part id="P1">
<measure number="0" implicit="yes"><attributes><divisions>6</divisions><key><fifths>2</fifths><mode>major</mode>
</key><time symbol="common"><beats>4</beats><beat-type>4</beat-type></time><staves>2</staves><clef number="1">
<sign>G</sign><line>2</line><clef-octave-change>-1</clef-octave-change></clef><transpose><diatonic>-1</diatonic>
<chromatic>-2</chromatic></transpose></attributes><direction><direction-type><words>Allegro</words>
</direction-type><sound tempo="132"/></direction><note><grace slash="yes"/><pitch><step>D</step><octave>5
</octave></pitch><voice>1</voice></note><note dynamics="90"><pitch><step>C</step><alter>1</alter><octave>5
</octave></pitch><duration>6</duration><tie type="start"/><voice>1</voice><type>quarter</type><notations>
<fermata/></notations><lyric number="1"><syllabic>begin</syllabic><text>la</text><extend/></lyric></note>
</measure><measure number="1"><barline location="left"><repeat direction="forward"/>
<ending number="1" type="start"/></barline><harmony><root><root-step>G</root-step></root><kind text="7">dominant
</kind><degree><degree-value>9</degree-value><degree-alter>-1</degree-alter><degree-type>add</degree-type>
</degree><offset>3</offset></harmony><note><pitch><step>C</step><alter>1</alter><octave>5</octave></pitch>
<duration>4</duration><tie type="stop"/><voice>1</voice><type>quarter</type><time-modification><actual-notes>3
</actual-notes><normal-notes>2</normal-notes></time-modification></note><note><chord/><pitch><step>E</step>
<octave>5</octave></pitch><duration>4</duration><voice>1</voice></note><note><rest/><duration>20</duration>
<voice>1</voice></note><backup><duration>24</duration></backup><forward><duration>6</duration></forward><note>
<cue/><pitch><step>A</step><octave>3</octave></pitch><duration>18</duration><voice>5</voice><staff>2</staff>
</note><direction><direction-type><dynamics><fp/></dynamics></direction-type><offset>-2</offset></direction>
<barline location="right"><bar-style>light-heavy</bar-style><ending number="1" type="stop"/>
<repeat direction="backward" times="3"/></barline></measure></part><part id="P2"><measure number="0">
<attributes><divisions>2</divisions><time><beats>2</beats><beat-type>4</beat-type></time></attributes><note>
<unpitched><display-step>F</display-step><display-octave>4</display-octave></unpitched><duration>2</duration>
</note></measure><measure number="1"><direction><direction-type><coda/></direction-type><sound dacapo="yes"/>
</direction><note><rest measure="yes"/><duration>8</duration></note></measure></part></score-partwise>
"""


def seeds() -> list[bytes]:
    """A few small files that between them have every kind of element that the reader knows."""
    whole = PAGE.encode()
    timewise = re.sub(rb"<part id=.*</part>", b"", whole, flags=re.DOTALL).replace(b"partwise", b"timewise").replace(
        b"</score-t", b"<measure><part id='P1'><note><rest/><duration>4</duration></note></part></measure></score-t")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", "<container><rootfile full-path='a.xml'/></container>")
        archive.writestr("a.xml", whole)
    wide = PAGE.replace("UTF-8", "UTF-16").encode("utf-16")
    return [whole, whole, whole, timewise, timewise, buffer.getvalue(), wide, b"<a/>", b""]


def mutations(dice: random.Random, corpus: list[bytes]) -> Iterator[bytes]:
    """Damaged files without end: numbers and words exchanged, elements lost, doubled and moved, bytes broken."""
    while True:
        data = dice.choice(corpus)
        kinds = dice.choice((6, 7, 7, 11))               # most stay well formed
        for _ in range(dice.choice((1, 1, 2, 4, 16))):
            data = _damaged(dice, data, corpus, dice.randrange(kinds))
        yield data


def _damaged(dice: random.Random, data: bytes, corpus: list[bytes], choice: int) -> bytes:
    if choice < 3:
        found = list((_VALUE if choice == 2 else _BETWEEN).finditer(data))
        if found:
            start, stop = dice.choice(found).span(1)
            return data[:start] + dice.choice(WORDS).encode() + data[stop:]
    elif choice < 7:
        starts = [found.start() for found in _OPENING.finditer(data)][1:] or [0]
        at = dice.choice(starts)
        if choice == 6:
            return data[:at] + dice.choice(WHOLE_SPLICES) + data[at:]
        element = _ELEMENT.match(data, dice.choice(starts))
        if element:
            start, stop = element.span()
            if choice == 3:
                return data[:start] + data[stop:]
            if choice == 4:
                return data[:stop] + data[start:stop] * dice.choice((1, 1, 2, 50)) + data[stop:]
            return data[:at] + data[start:stop] + data[at:]
    at = dice.randrange(len(data) + 1)
    if choice == 10:
        return data[:at] + dice.choice(SPLICES) + data[at:]
    if choice == 7:
        return data[:at] + dice.randbytes(dice.randrange(1, 4)) + data[at + dice.randrange(4):]
    if choice == 8:
        return data[:at] + data[at + dice.randrange(1, 60):]
    other = dice.choice(corpus)
    return data[:at] + other[dice.randrange(len(other) + 1):]


def check(data: bytes) -> str:
    """What one input gave: ``score``, or the start of the ReadError; anything else that is raised is a fault."""
    reading, told = fuzzing.read_or_told(lambda: musicxml_read.parse(data, max_notes=100_000))
    if reading is not None:
        score = reading.score
        assert len(score.bar_starts) > score.n_bars - 1, "bars that cannot be counted"
        assert score.content_hash, "a Score that has no hash"
        assert all(count > 0 for count in reading.repairs.values()), "a repair that was not made"
    return told[:40] or "score"


def run(seconds: float, seed: int, corpus: list[bytes]) -> collections.Counter[str]:
    """Run damaged inputs through `check` for so long; what each gave, counted."""
    return fuzzing.run(mutations(random.Random(seed), corpus), check, seconds, SLOW, "fuzz_musicxml_fault.xml")


def limit_memory() -> None:
    """Grant the process so much memory and no more, where the system can do that."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def main(argv: list[str]) -> list[dict[str, Any]]:
    """Return the row of the reader: the faults among the damaged inputs; a fault ends the run, so that it is seen."""
    found = run(fuzzing.SECONDS, 0, seeds())
    return [fuzzing.fuzz_row("damaged MusicXML", found, found["score"])]


def by_hand() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--music", type=Path, help="a folder whose smallest MusicXML files are damaged too")
    given = parser.parse_args()
    corpus = seeds()
    if given.music:
        files = sorted((p for p in given.music.rglob("*.mxl")), key=lambda p: (p.stat().st_size, os.fspath(p)))
        corpus += [zipped.score_in(p.read_bytes(), musicxml_read.SUFFIXES) for p in files[:20]]
    limit_memory()
    fuzzing.tell(run(given.seconds, given.seed, corpus), given.seconds)


if __name__ == "__main__":
    by_hand()
