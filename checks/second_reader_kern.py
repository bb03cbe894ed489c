"""Kern files read by two readers, ours and verovio's: which notes each has, and how many agree. Needs verovio.

    python checks/second_reader_kern.py FOLDER [FOLDER ...] [--count 50] [--seed 0] [--show]
    python checks/second_reader_kern.py FOLDER --judge partitura      # a third reader says who is right

From each folder a seeded choice of files is read. A note agrees where both have it with the same pitch, spelling, onset
and duration (to 1/50 of a quarter note); tied heads are joined in both; grace notes are compared by pitch and spelling.
A table says files, notes, those that only one of the two has, and those of another length; --show names each file
that differs, with the first differences and their lines.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
import warnings
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from partimento.formats import kern_read
from partimento.notation import names
from partimento.score import Score

CLOSE = 1 / 50
MEI = "{http://www.music-encoding.org/ns/mei}"
ID = "{http://www.w3.org/XML/1998/namespace}id"
DRAWING = re.compile(r"\*(?:X?(?:rep|tremolo|8[vb]a|15[mv]a|coll8[vb]a|cue|tuplet|ij|ped|brackettup|S/.*)|rscale:.*)")
ALTER = {"s": 1, "f": -1, "ss": 2, "x": 2, "ff": -2, "n": 0, "ns": 1, "nf": -1, "sss": 3, "tf": -3, "ts": 3}


class Note(NamedTuple):
    onset: float
    duration: float
    pitch: int
    spelling: int
    where: str = ""


class Both(NamedTuple):
    """How the notes of two readers go together."""

    same: int
    other_length: list[tuple[Note, Note]]
    only_first: list[Note]
    only_second: list[Note]
    graces_apart: int


def ours(text: bytes) -> tuple[list[Note], Counter[tuple[int, int]], Counter[str]]:
    reading = kern_read.parse(text)
    score: Score = reading.score
    clock = score.ticks_per_quarter
    grace = score.grace if score.grace is not None else [0] * len(score)
    spelling = score.spelling if score.spelling is not None else [-1] * len(score)
    notes, graces = [], Counter[tuple[int, int]]()
    for row in zip(score.onset, score.duration, score.pitch, spelling, grace, strict=True):
        onset, duration, pitch, spelled, order = map(int, row)
        if order:
            graces[pitch, spelled] += 1
        else:
            notes.append(Note(onset / clock, duration / clock, pitch, spelled))
    return notes, graces, Counter(dict(reading.repairs))


class Verovio:
    def __init__(self) -> None:
        import verovio

        verovio.enableLog(verovio.LOG_OFF)
        self._kit = verovio.toolkit()
        self._kit.setOptions({"expandNever": True})

    def read(self, text: str) -> tuple[list[Note], Counter[tuple[int, int]]]:
        """The notes of a file; those without length are left out of the first list, so that they take no time."""
        notes, _ = self._load(undrawn(text, graces=False))
        _, graces = self._load(undrawn(text, graces=True))
        return notes, graces

    def _load(self, text: str) -> tuple[list[Note], Counter[tuple[int, int]]]:
        if not self._kit.loadData(text):
            raise ValueError("verovio does not read it")
        mei = ET.fromstring(self._kit.getMEI({"noLayout": True}))
        on: dict[str, float] = {}
        off: dict[str, float] = {}
        for entry in self._kit.renderToTimemap():
            for name in entry.get("on", ()):
                on[name] = entry["qstamp"]
            for name in entry.get("off", ()):
                off[name] = entry["qstamp"]
        ties = {tie.get("startid", "#")[1:]: tie.get("endid", "#")[1:] for tie in mei.iter(f"{MEI}tie")}
        tied = set(ties.values())
        notes, graces = [], Counter[tuple[int, int]]()
        in_grace_chord = {id(note) for chord in mei.iter(f"{MEI}chord") if chord.get("grace") for note in chord.iter()}
        for note in mei.iter(f"{MEI}note"):
            name = note.get(ID, "")
            step, alter = note.get("pname", "c").upper(), _alter(note)
            octave = int(note.get("oct.ges") or note.get("oct", 4))
            pitch = 12 * (octave + 1) + {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[step] + alter
            spelled = names.spelling_of(step, alter)
            if note.get("grace") or id(note) in in_grace_chord:
                graces[pitch, spelled] += 1
                continue
            if name in tied or name not in on:
                continue
            last = name
            while last in ties and ties[last] in off:
                last = ties[last]
            notes.append(Note(on[name], off.get(last, on[name]) - on[name], pitch, spelled, name))
        return notes, graces


def _alter(note: ET.Element) -> int:
    signs = [note, *note.iter(f"{MEI}accid")]
    said = [sign.get(key) for key in ("accid.ges", "accid") for sign in signs]
    return ALTER[next((word for word in said if word), "n")]


def undrawn(text: str, graces: bool) -> str:
    """The text without what only says how to draw the page, so that every note is there with its own length."""
    out = []
    for line in text.splitlines():
        if line.startswith("!!LO") or line.startswith("!!!filter"):
            continue
        words = line.split("\t")
        if line.startswith("*"):
            words = ["*" if DRAWING.fullmatch(word.strip()) else word for word in words]
        elif line.startswith("!") and not line.startswith("!!"):
            continue
        elif not line.startswith(("!", "=")):
            words = [word.replace(":", "") if any(map(str.isdigit, word)) else word for word in words]
            if not graces:
                words = ["." if "q" in word and any(map(str.isdigit, word)) else word for word in words]
                if not any(re.search(r"\d.*[a-gA-Gr]", word) for word in words):
                    continue
        out.append("\t".join(words))
    return "\n".join(out) + "\n"


class Partitura:
    def read(self, text: str) -> tuple[list[Note], Counter[tuple[int, int]]]:
        import tempfile

        import partitura

        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            place = Path(folder, "one.krn")
            place.write_text(text, encoding="utf-8")
            score: Any = partitura.load_kern(str(place))
            notes, graces = [], Counter[tuple[int, int]]()
            for part in score.parts:
                beats = part.quarter_map
                for note in part.notes_tied:
                    spelled = names.spelling_of(note.step, int(note.alter or 0))
                    if isinstance(note, partitura.score.GraceNote):
                        graces[note.midi_pitch, spelled] += 1
                        continue
                    start = float(beats(note.start.t))
                    notes.append(Note(start, float(beats(note.start.t + note.duration_tied)) - start, note.midi_pitch,
                                      spelled))
        return notes, graces


def together(first: Iterable[Note], second: Iterable[Note], graces: tuple[Counter[Any], Counter[Any]]) -> Both:
    """Pair the notes of two readers by pitch and onset, those of equal length first."""
    theirs: defaultdict[tuple[int, int], list[Note]] = defaultdict(list)
    for note in second:
        theirs[note.pitch, note.spelling].append(note)
    same, lengths, only = 0, [], []
    left: list[Note] = []
    for exact in (True, False):
        for note in first if exact else left:
            there = theirs[note.pitch, note.spelling]
            found = next((other for other in there if abs(other.onset - note.onset) < CLOSE
                          and (not exact or abs(other.duration - note.duration) < CLOSE)), None)
            if found is not None:
                there.remove(found)
                if exact:
                    same += 1
                else:
                    lengths.append((note, found))
            else:
                (left if exact else only).append(note)
    rest = [note for there in theirs.values() for note in there]
    apart = sum(((graces[0] - graces[1]) + (graces[1] - graces[0])).values())
    return Both(same, lengths, only, rest, apart)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--judge", choices=("verovio", "partitura"), default="verovio")
    given = parser.parse_args()
    other = Verovio() if given.judge == "verovio" else Partitura()
    print(f"{'set':<24}{'files':>6}{'alike':>7}{'notes':>9}{'same':>9}{'length':>8}{'ours':>7}{'theirs':>8}"
          f"{'graces':>8}{'not read':>9}{'s':>7}")
    for folder in given.folders:
        files = sorted(folder.rglob("*.krn"))
        files = random.Random(given.seed).sample(files, min(given.count, len(files)))
        sums: Counter[str] = Counter()
        begun = time.monotonic()
        for place in files:
            data = place.read_bytes()
            mine, my_graces, _ = ours(data)
            sums["notes"] += len(mine)
            try:
                theirs, their_graces = other.read(data.decode("utf-8"))
            except Exception as error:
                sums["not read"] += 1
                if given.show:
                    print(f"{place.name}: {given.judge} fails: {type(error).__name__}: {error}")
                continue
            both = together(mine, theirs, (my_graces, their_graces))
            sums["same"] += both.same
            sums["length"] += len(both.other_length)
            sums["ours"] += len(both.only_first)
            sums["theirs"] += len(both.only_second)
            sums["graces"] += both.graces_apart
            apart = len(both.other_length) + len(both.only_first) + len(both.only_second) + both.graces_apart
            sums["alike"] += not apart
            if given.show and apart:
                print(f"{place.name}: {both.same} same, {len(both.other_length)} of another length, "
                      f"{len(both.only_first)} only ours, {len(both.only_second)} only theirs, "
                      f"{both.graces_apart} graces apart")
                for label, notes in (("ours", both.only_first), ("theirs", both.only_second)):
                    for note in sorted(notes)[:3]:
                        print(f"    only {label}: {note}")
                for one, two in sorted(both.other_length)[:3]:
                    print(f"    length: {one} {two.duration:g} {two.where}")
        print(f"{folder.name:<24}{len(files):>6}{sums['alike']:>7}{sums['notes']:>9}{sums['same']:>9}{sums['length']:>8}"
              f"{sums['ours']:>7}{sums['theirs']:>8}{sums['graces']:>8}{sums['not read']:>9}"
              f"{time.monotonic() - begun:>7.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
