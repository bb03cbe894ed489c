"""Damaged kern and MuseScore files, thrown at their readers for a while: how many inputs ran, and how many did harm.

    python bench/fuzz_kern.py --seconds 120                                     # both readers, half of the time each
    python bench/fuzz_kern.py --seconds 120 --music /data/chopin_first_editions # the smallest files of a folder too

Every input must give a Score or one ReadError of one line, within a few seconds. Without words, as the runner of the
benches calls it, both run for a while and the faults are counted.
"""

from __future__ import annotations

import argparse
import collections
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import fuzzing

from partimento.formats import kern_read, mscx_read
from partimento.formats.reading import Reading

SLOW = 5.0

KERN = b"""!!!COM: Last, First
!!!OTL: A piece
!!!OMD: Allegro. [quarter]=120
**kern\t**kern\t**dynam\t**text
*part1\t*part1\t*part1\t*part1
*staff2\t*staff1\t*\t*
*>[A,A1,A,A2]\t*>[A,A1,A,A2]\t*\t*
*>A\t*>A\t*\t*
*clefF4\t*clefG2\t*\t*
*k[b-]\t*k[b-]\t*\t*
*d:\t*d:\t*\t*
*M3/4\t*M3/4\t*\t*
*MM90\t*MM90\t*\t*
4DD\t[4f;\tp\tla-
=1|:\t=1|:\t=1|:\t=1|:
*\t*^\t*\t*
2.D 2.A\t4f]\t8.dL\tff\t-la
.\t.\t16eJk\t.\t.
.\t8qqg\t.\t.\t.
.\t12gL\t2d#\t<\t_
.\t12a\t.\t.\t.
.\t12b-J\t.\t.\t.
.\t4r\t.\t.\t.
*\t*v\t*v\t*\t*
*>A1\t*>A1\t*\t*
!\t!LO:TX:a:t=rit.\t!\t!
=2:|!\t=2:|!\t=2:|!\t=2:|!
*>A2\t*>A2\t*\t*
2.D\t2.d\t.\t.
==\t==\t==\t==
*-\t*-\t*-\t*-
!!!RDF**kern: > = above
"""
MSCX3 = b"""<?xml version="1.0" encoding="UTF-8"?>
<museScore version="3.01"><Score><Division>480</Division><metaTag name="workTitle">A piece</metaTag>
<Part><Staff id="1"><bracket type="1" span="2"/></Staff><Staff id="2"><defaultClef>F</defaultClef></Staff>
<trackName>Piano</trackName><Instrument><longName>Piano</longName><transposeDiatonic>-1</transposeDiatonic>
<transposeChromatic>-2</transposeChromatic><Channel><program value="0"/></Channel></Instrument></Part>
<Staff id="1"><VBox><Text><style>Title</style><text>A <b>piece</b></text></Text></VBox>
<Measure len="1/4"><startRepeat/><voice><Clef><concertClefType>G</concertClefType></Clef><KeySig>
<accidental>2</accidental></KeySig><TimeSig><subtype>1</subtype><sigN>4</sigN><sigD>4</sigD></TimeSig><Tempo><tempo>1.5</tempo><text>Largo</text>
</Tempo><Dynamic><subtype>p</subtype><velocity>49</velocity></Dynamic><Chord><durationType>quarter</durationType><Lyrics>
<syllabic>begin</syllabic><text>la</text></Lyrics><Note><Spanner type="Tie"><Tie/><next><location>
<fractions>1/4</fractions></location></next></Spanner><pitch>70</pitch><tpc>12</tpc></Note></Chord></voice></Measure>
<Measure><endRepeat>3</endRepeat><voice><Spanner type="Volta"><Volta><endings>1, 2</endings></Volta><next><location>
<measures>1</measures></location></next></Spanner><Spanner type="Ottava"><Ottava><subtype>8va</subtype></Ottava><next>
<location><fractions>1/2</fractions></location></next></Spanner><Tuplet><normalNotes>2</normalNotes><actualNotes>3
</actualNotes></Tuplet><Chord><acciaccatura/><durationType>eighth</durationType><Note><pitch>71</pitch></Note></Chord>
<Chord><durationType>quarter</durationType><Note><Spanner type="Tie"><prev/></Spanner><pitch>70</pitch></Note></Chord>
<Rest><durationType>half</durationType></Rest><endTuplet/><location><fractions>1/4</fractions></location><Fermata/>
<Harmony><root>14</root><name>m7</name></Harmony><Chord><dots>1</dots><durationType>eighth</durationType><Note>
<pitch>60</pitch></Note></Chord></voice><voice><Rest><durationType>measure</durationType><duration>4/4</duration></Rest>
</voice></Measure><Measure><Jump><jumpTo>start</jumpTo><playUntil>fine</playUntil></Jump><voice><RepeatMeasure/><BarLine>
<subtype>end</subtype></BarLine></voice></Measure></Staff><Staff id="2"><Measure><voice><Rest><durationType>quarter
</durationType></Rest></voice></Measure></Staff></Score></museScore>
"""
MSCX2 = b"""<museScore version="2.06"><Score><Division>480</Division><Part><Staff id="1"/><trackName>Voice</trackName>
</Part><Staff id="1"><Measure number="1"><TimeSig><sigN>2</sigN><sigD>4</sigD></TimeSig><Tuplet id="1">
<normalNotes>2</normalNotes><actualNotes>3</actualNotes></Tuplet>
<Chord><Tuplet>1</Tuplet><durationType>quarter</durationType><Note><Tie id="2"/>
<pitch>60</pitch><tpc>14</tpc></Note></Chord><Ottava id="5"><subtype>8vb</subtype></Ottava><Chord><Tuplet>1</Tuplet>
<durationType>half</durationType><Note><endSpanner id="2"/><pitch>60</pitch></Note></Chord><tick>0</tick><Rest><track>1
</track><durationType>measure</durationType><duration z="2" n="4"/></Rest><endSpanner id="5"/></Measure></Staff></Score>
</museScore>
"""


def zipped(data: bytes) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("score.mscx", data)
    return out.getvalue()


READERS: dict[str, tuple[Callable[..., Reading], list[bytes], tuple[bytes, ...]]] = {
    "kern": (kern_read.parse, [KERN, b"**kern\n4c\n*-\n", b"!!! nothing\n", b""],
             (b"*^", b"*v", b"*x", b"*+", b"*-", b"\t", b"\n", b"=", b":|!", b"[", b"]", b"_", b"q", b"**kern", b"0",
              b"%7", b".", b"999999", b"*>[A,B,A]", b"*M0/4", b"*MM0", b"*k[", b"!!LO:TX:t=D.C.", b"-----", b"\0")),
    "musescore": (mscx_read.parse,
                  [MSCX3, MSCX3, MSCX3.replace(b'"3.01"', b'"4.20"'), MSCX2, MSCX2, zipped(MSCX3), b"<a/>"],
                  (b"<voice>", b"</voice>", b"<Chord>", b"</Chord>", b"<RepeatMeasure/>", b"<endTuplet/>",
                   b"<tick>9</tick>", b"1/999983", b"-1/8", b"99999999", b"nan", b"<Measure>", b"</Measure>",
                   b"<Staff id='2'>", b"</Staff>", b"<Score>", b"</Score>", b"&amp;",
                   b"<!DOCTYPE x [<!ENTITY e 'x'>]>", b"1e999", b"\0")),
}


ELEMENT = re.compile(rb"<(\w+)[^<>]*>[^<>]*</\1>|<\w+[^<>]*/>")
NUMBER = re.compile(rb"-?\d+(?:/\d+)?")
NUMBERS = (b"0", b"-1", b"1/7", b"3/999983", b"127", b"128", b"99999999", b"nan", b"", b"x", b"-9/4")


def mutations(numbers: random.Random, corpus: list[bytes], splices: tuple[bytes, ...]) -> Iterator[bytes]:
    """Damaged files without end."""
    while True:
        data = bytearray(numbers.choice(corpus))
        for _ in range(numbers.choice((1, 1, 2, 4, 16))):
            at = numbers.randrange(len(data) + 1)
            choice = numbers.randrange(9)
            if choice == 0 and at < len(data):
                data[at] = numbers.randrange(256)
            elif choice == 1:
                del data[at:at + numbers.randrange(1, 30)]
            elif choice in (2, 3):
                data[at:at] = numbers.choice(splices)
            elif choice == 4:
                size = numbers.randrange(1, 200)
                data[at:at] = data[at:at + size] * numbers.randrange(1, 4)
            elif choice == 5:
                lines = data.split(b"\n")
                numbers.shuffle(lines)
                data = bytearray(b"\n".join(lines)) if numbers.random() < 0.1 else data
            elif choice in (6, 7):
                _change_whole(numbers, data, ELEMENT if choice == 6 else NUMBER)
            else:
                other = numbers.choice(corpus)
                data[at:] = other[numbers.randrange(len(other) + 1):]
        yield bytes(data)


def _change_whole(numbers: random.Random, data: bytearray, pattern: re.Pattern[bytes]) -> None:
    """Drop, double or replace one element or one number, so that the file stays well formed."""
    found = list(pattern.finditer(bytes(data)))
    if not found:
        return
    one = numbers.choice(found)
    other = numbers.choice(NUMBERS) if pattern is NUMBER else numbers.choice(found)[0]
    data[one.start():one.end()] = numbers.choice((b"", one[0] * 2, other, other))


def check(parse: Callable[..., Reading], data: bytes) -> str:
    """What one input gave: ``score``, or the start of the ReadError; anything else that is raised is a fault."""
    reading, told = fuzzing.read_or_told(lambda: parse(data, max_notes=100_000))
    assert reading is None or reading.score.n_bars >= 0, "the bars cannot be counted"
    return told[:40] or "score"


def run(kind: str, seconds: float, seed: int, more: list[bytes]) -> collections.Counter[str]:
    """Run damaged inputs of a kind for so long; what each gave, counted."""
    parse, corpus, splices = READERS[kind]
    inputs = mutations(random.Random(seed), corpus + more, splices)
    return fuzzing.run(inputs, partial(check, parse), seconds, SLOW, f"fuzz_{kind}_fault.bin")


def main(argv: list[str]) -> list[dict[str, Any]]:
    """Return a row for each reader: the faults among the damaged inputs that it was given."""
    found = {kind: run(kind, fuzzing.SECONDS, 0, []) for kind in READERS}
    return [fuzzing.fuzz_row(f"damaged {kind} files", counts, counts["score"]) for kind, counts in found.items()]


def by_hand() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=sorted(READERS), action="append")
    parser.add_argument("--music", type=Path, help="a folder whose smallest files are damaged too")
    given = parser.parse_args()
    kinds = given.kind or sorted(READERS)
    for kind in kinds:
        more = []
        if given.music:
            suffixes = (".krn",) if kind == "kern" else (".mscx", ".mscz")
            files = sorted((p for p in given.music.rglob("*") if p.suffix in suffixes), key=lambda p: p.stat().st_size)
            more = [p.read_bytes() for p in files[:30]]
        seconds = given.seconds / len(kinds)
        fuzzing.tell(run(kind, seconds, given.seed, more), seconds, f"{kind}: ")


if __name__ == "__main__":
    by_hand()
