"""Our reader of MusicXML beside partitura, note by note, and music21 as the judge where the two differ.

    python checks/second_reader_musicxml.py --count 50              # 50 files of each set, drawn by a seed
    python checks/second_reader_musicxml.py --count 5 --set openewld --show 20

Needs partitura and music21 (pip install partitura music21) and the sets unpacked under PARTIMENTO_DATA. A note is its
part, onset and duration in quarter notes, and sounding pitch; grace notes last nothing. Prints one row a set: files,
our notes, theirs, those that agree, then the differences by class, each with whom the judge sides.
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import music_sets

from partimento.formats import musicxml_read, zipped
from partimento.formats.reading import Reading
from partimento.score import Score

SETS = ("openscore_lieder", "openscore_quartets", "openscore_orchestra", "openewld")
OCTAVE = "octave-change of a transposition: partitura leaves it out"
NEAR = 0.03                             # quarter notes; files round the times of their tuplets


class Note(NamedTuple):
    """A note in quarter notes."""

    part: int
    pitch: int
    onset: float
    duration: float


def ours(score: Score) -> list[Note]:
    """The notes of our reader, drums left out as the other readers have no pitch for them."""
    clock = score.ticks_per_quarter
    return [Note(int(part), int(pitch), onset / clock, duration / clock)
            for onset, duration, pitch, _, part in score.notes() if not score.tracks[part].is_drum]


def by_partitura(path: Path) -> list[Note]:
    """The notes of partitura, at sounding pitch, ties joined."""
    import partitura
    from partitura.score import Transposition

    out = []
    for number, part in enumerate(partitura.load_musicxml(str(path)).parts):
        first = float(part.quarter_map(part.first_point.t))
        changes = sorted((t.start.t, t.chromatic) for t in part.iter_all(Transposition))
        for note in part.notes_tied:
            onset = float(part.quarter_map(note.start.t)) - first
            end = float(part.quarter_map(note.end_tied.t)) - first
            moved = next((chromatic for at, chromatic in reversed(changes) if at <= note.start.t), 0)
            out.append(Note(number, int(note.midi_pitch) + int(moved or 0), onset, end - onset))
    return out


def by_music21(path: Path) -> list[Note]:
    """The notes of music21, moved by the intervals of its own instruments, ties joined by `joined`."""
    import music21

    heads = []
    number, before = -1, ""
    for part in music21.converter.parse(str(path), format="musicxml", forceSource=True).parts:
        name, mark, staff = str(part.id).rpartition("-Staff")   # the staves of one part come as parts
        number += not (mark and staff != "1" and name == before)
        before = name
        flat = part.flatten()
        moves = [(float(i.offset), i.transposition.semitones if i.transposition else 0.0)
                 for i in flat.getElementsByClass("Instrument")]
        for element in flat.notes:
            if isinstance(element, music21.harmony.Harmony | music21.note.Unpitched):
                continue
            onset = float(element.offset)
            moved = next((semitones for at, semitones in reversed(moves) if at <= onset), 0)
            for note in getattr(element, "notes", [element]):
                if hasattr(note, "pitch"):
                    length = 0.0 if element.duration.isGrace else float(element.quarterLength)
                    heads.append((Note(number, round(note.pitch.ps + moved), onset, length),
                                  note.tie.type if note.tie else ""))
    return joined(heads)


def joined(heads: list[tuple[Note, str]]) -> list[Note]:
    """Notes with tied heads of one part and pitch that touch made one."""
    out: list[Note] = []
    waiting: dict[tuple[int, int, int], list[int]] = collections.defaultdict(list)
    for note, tie in sorted(heads):
        before = waiting[note.part, note.pitch, round(note.onset * 96)] if tie in ("stop", "continue") else []
        index = before.pop(0) if before else len(out)
        if index == len(out):
            out.append(note)
        else:
            out[index] = out[index]._replace(duration=note.onset + note.duration - out[index].onset)
        if tie in ("start", "continue") and note.duration:
            waiting[note.part, note.pitch, round((note.onset + note.duration) * 96)].append(index)
    return out


def unmatched(mine: list[Note], theirs: list[Note]) -> tuple[list[Note], list[Note]]:
    """The notes of each that have no equal in the other."""
    left: dict[tuple[int, int], list[Note]] = collections.defaultdict(list)
    for note in sorted(theirs):
        left[note.part, note.pitch].append(note)
    alone = []
    for note in sorted(mine):
        candidates = left[note.part, note.pitch]
        found = next((other for other in candidates if abs(other.onset - note.onset) < NEAR
                      and abs(other.duration - note.duration) < NEAR), None)
        if found is None:
            alone.append(note)
        else:
            candidates.remove(found)
    return alone, [note for notes in left.values() for note in notes]


def classes(mine: list[Note], theirs: list[Note]) -> list[tuple[str, Note | None, Note | None]]:
    """The unmatched notes in pairs where one is the other changed in one way, each with the name of its class."""
    out: list[tuple[str, Note | None, Note | None]] = []
    rules: list[tuple[str, Any]] = [
        ("other octave", lambda n: (n.part, n.pitch % 12, round(n.onset * 16), round(n.duration * 16))),
        ("other duration", lambda n: (n.part, n.pitch, round(n.onset * 16))),
        ("other pitch", lambda n: (n.part, round(n.onset * 16), round(n.duration * 16))),
        ("other onset", lambda n: (n.part, n.pitch, round(n.duration * 16))),
        ("other part", lambda n: (n.pitch, round(n.onset * 16), round(n.duration * 16)))]
    for name, key in rules:
        by_key = collections.defaultdict(list)
        for note in theirs:
            by_key[key(note)].append(note)
        rest = []
        for note in mine:
            if by_key[key(note)]:
                other = by_key[key(note)].pop(0)
                theirs.remove(other)
                out.append((name, note, other))
            else:
                rest.append(note)
        mine = rest
    return out + [("ours alone", note, None) for note in mine] + [("theirs alone", None, note) for note in theirs]


def verdict(judge: list[Note], mine: Note | None, theirs: Note | None) -> str:
    """Whom the judge sides with."""
    def has(note: Note | None) -> bool:
        return note is not None and any(n.part == note.part and n.pitch == note.pitch and
                                        abs(n.onset - note.onset) < NEAR and abs(n.duration - note.duration) < NEAR
                                        for n in judge)

    if mine is None:
        return "theirs" if has(theirs) else "ours"
    if theirs is None:
        return "ours" if has(mine) else "theirs"
    return {(True, False): "ours", (False, True): "theirs"}.get((has(mine), has(theirs)), "neither")


def judged(path: Path) -> list[Note]:
    """The notes of the judge; none, and a line about it, where it gives up."""
    try:
        return by_music21(path)
    except Exception as error:
        print(f"  {path.name}: music21 cannot judge ({type(error).__name__}: {error})")
        return []


def compare(path: Path, show: int) -> tuple[int, int, int, collections.Counter[str]]:
    """How many notes we read, partitura reads and both, and the differences by class and judgement."""
    text = zipped.score_in(path.read_bytes(), (".xml", ".musicxml"))
    reading = musicxml_read.parse(text)
    mine = ours(reading.score)
    with tempfile.TemporaryDirectory() as folder:       # partitura stumbles over some containers
        plain = Path(folder, "plain.musicxml")
        plain.write_bytes(text)
        theirs = by_partitura(plain)
    found: collections.Counter[str] = collections.Counter()
    here, there = unmatched(mine, theirs)
    if here or there:
        pairs = classes(here, there)
        causes = Causes(reading, text, pairs)
        named = [(causes.of(name, a, b), a, b) for name, a, b in pairs]
        judge = judged(path) if any(name != OCTAVE for name, _, _ in named) else []
        said = [(name, a, b, verdict(judge, a, b) if judge else "not asked") for name, a, b in named]
        found.update(f"{name}, judge: {side}" for name, _, _, side in said)
        print(f"  {path.relative_to(path.parents[2])}: {dict(found)}; mended: {dict(reading.repairs)}", flush=True)
        for name, a, b, side in said[:show]:
            print(f"      {name} ({side}): {a and tuple(a)} | {b and tuple(b)}")
    return len(mine), len(theirs), len(mine) - len(here), found


class Causes:
    """What is known of why notes differ, in one file."""

    def __init__(self, reading: Reading, text: bytes, pairs: list[tuple[str, Note | None, Note | None]]) -> None:
        self._cues = unmatched(ours(musicxml_read.parse(text.replace(b"<cue/>", b"")).score), ours(reading.score))[0]
        moves = reading.score.extras.get("notation", {}).get("transpose", {})
        self._octaves = {int(track) for track, interval in moves.items() if interval[2]}
        self._repairs = reading.repairs
        joined_ends = {(a.part, a.pitch, round((a.onset + a.duration) * 16)) for name, a, b in pairs
                       if a is not None and b is not None and name == "other duration" and a.duration > b.duration}
        alone = {(b.part, b.pitch, round((b.onset + b.duration) * 16)) for name, _, b in pairs
                 if b is not None and name == "theirs alone"}
        self._joined = joined_ends & alone

    def of(self, name: str, mine: Note | None, theirs: Note | None) -> str:
        """The class with its cause, where that is known."""
        note = mine or theirs
        assert note is not None
        if "bars of another meter fitted to the other parts" in self._repairs:
            return "parts in two meters at once: we fit their bars to each other, others let them drift apart"
        if name == "theirs alone" and any(
                cue.part == note.part and cue.pitch == note.pitch and cue.onset <= note.onset + NEAR
                and cue.onset + cue.duration >= note.onset + note.duration - NEAR for cue in self._cues):
            return "cue note, which is no sound: we leave it out"
        if name == "other octave" and note.part in self._octaves:
            return OCTAVE
        if name == "ours alone" and note.duration == 0:
            return "grace note tied to its note: partitura takes both for one"
        if "alterations taken from accidentals and keys" in self._repairs:
            return "no <alter> in the file though accidentals are shown: we carry them on, others do not"
        if (note.part, note.pitch, round((note.onset + note.duration) * 16)) in self._joined:
            return "tied over other notes, or two voices tied on one pitch: we join, partitura does not"
        return name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--set", choices=SETS, action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, help="how many differences of a file to print")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for name in given.set or SETS:
        files = sorted(music_sets.find(name).rglob("*.mxl"))
        files = sorted(random.Random(given.seed).sample(files, min(given.count, len(files))))
        total = [0, 0, 0]
        found: collections.Counter[str] = collections.Counter()
        failed: collections.Counter[str] = collections.Counter()
        begun, read = time.monotonic(), 0
        for path in files:
            try:
                *counts, differences = compare(path, given.show)
            except Exception as error:
                failed[type(error).__name__] += 1
                print(f"  {path}: not compared ({type(error).__name__}: {error})")
                continue
            read += 1
            total = [a + b for a, b in zip(total, counts, strict=True)]
            found += differences
        rows.append((name, read, *total, found, failed, time.monotonic() - begun))
    print(f"\n{'set':22}{'files':>6}{'ours':>9}{'theirs':>9}{'agree':>9}{'':>3}share")
    for name, read, mine, theirs, agree, found, failed, seconds in rows:
        print(f"{name:22}{read:>6}{mine:>9,}{theirs:>9,}{agree:>9,}   {agree / max(mine, 1):.3%}  ({seconds:.0f} s)")
        for what, count in found.most_common():
            print(f"    {count:>7,}  {what}")
        for what, count in failed.items():
            print(f"    {count:>7,}  files on which a reader gave up: {what}")


if __name__ == "__main__":
    main()
