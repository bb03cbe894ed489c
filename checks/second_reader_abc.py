"""ABC tunes read by two readers, ours and abc2midi's: which notes each plays, and how many agree. Needs abc2midi.

    python checks/second_reader_abc.py FOLDER [FOLDER ...] [--count 50] [--seed 0] [--show]
    python checks/second_reader_abc.py FOLDER --written         # the same of what our writer makes of the tunes

From each folder a seeded choice of tunes is read, ours unfolded by `played`. A note agrees where both have it with the
same pitch and onset (to 1/5 of a quarter note: abc2midi spreads chords); then lengths are compared. What abc2midi plays
and nobody writes is taken out of the text for both: the beat of hornpipes (R:), longer fermatas, chords of
accompaniment, grace notes, rolls, the order of parts in the head. --show names each tune that differs.

What differs, and who is right: a repeat whose beginning is not written starts for us where the one before it ended, for
abc2midi often nowhere, so that it is played once; where a bar is shorter in one voice, ours waits for the others and
abc2midi runs ahead; an accidental holds for its octave only with us (``%%propagate-accidentals octave``), with abc2midi
for all octaves.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import symusic

from partimento.errors import ReadError
from partimento.formats import abc_read, abc_write
from partimento.notation.play import played
from partimento.score import Score

CLOSE = 0.2
LENGTH = 0.15
UNWRITTEN = (r"(?m)^R:.*\n", r"!(?:fermata|invertedfermata|trill|arpeggio|roll)!", r"(?m)^P:[A-Za-z]{2,}.*\n",
             r"\{[^}]*\}", r"~(?=[A-Ga-g^_=])")
Notes = list[tuple[int, float, float]]          # pitch, onset, length in quarter notes


class Both(NamedTuple):
    """How the notes of two readers go together."""

    same: int
    other_length: int
    only_ours: Notes
    only_theirs: Notes


def bare(tune: bytes) -> bytes:
    """The tune without what abc2midi plays beyond what is written."""
    text = tune.decode()
    for pattern in UNWRITTEN:
        text = re.sub(pattern, "", text)
    return re.sub(r"(?m)^(K:.*)$", r"\1\n%%MIDI gchordoff", text, count=1).encode()


def ours(tune: bytes) -> tuple[Notes, Score]:
    score = abc_read.parse(tune).score
    return notes_of(played(score)), score


def notes_of(score: Score) -> Notes:
    clock = score.ticks_per_quarter
    return sorted((int(p), o / clock, d / clock) for p, o, d in
                  zip(score.pitch, score.onset.tolist(), score.duration.tolist(), strict=True))


def theirs(tune: bytes) -> Notes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "tune.abc"), Path(folder, "tune.mid")
        source.write_bytes(tune)
        subprocess.run(["abc2midi", str(source), "-o", str(target)], capture_output=True, timeout=60, check=False)
        found = [target] if target.exists() else sorted(Path(folder).glob("*.mid"))
        if not found:
            raise ReadError("abc2midi made no MIDI file")
        score = symusic.Score(str(found[0]))
    clock = score.tpq
    return sorted((note.pitch, note.time / clock, note.duration / clock)
                  for track in score.tracks for note in track.notes)


def compared(first: Notes, second: Notes) -> Both:
    """The notes of both laid side by side, pitch by pitch."""
    rows: defaultdict[int, tuple[Notes, Notes]] = defaultdict(lambda: ([], []))
    for side, notes in enumerate((first, second)):
        for note in notes:
            rows[note[0]][side].append(note)
    same = other = 0
    alone: tuple[Notes, Notes] = ([], [])
    for left, right in rows.values():
        i = j = 0
        while i < len(left) or j < len(right):
            if i < len(left) and j < len(right) and abs(left[i][1] - right[j][1]) <= CLOSE:
                close = abs(left[i][1] + left[i][2] - right[j][1] - right[j][2]) <= LENGTH
                same, other = same + close, other + (not close)
                i, j = i + 1, j + 1
            elif j == len(right) or (i < len(left) and left[i][1] < right[j][1]):
                alone[0].append(left[i])
                i += 1
            else:
                alone[1].append(right[j])
                j += 1
    return Both(same, other, sorted(alone[0], key=lambda n: n[1]), sorted(alone[1], key=lambda n: n[1]))


def chosen(folder: Path, count: int, seed: int) -> list[tuple[str, bytes]]:
    """A seeded choice of the tunes of a folder, books cut up."""
    tunes = []
    for path in sorted(folder.rglob("*.abc")):
        book = abc_read.tunes(path.read_bytes())
        tunes += [(f"{path.name}#{number + 1}" if len(book) > 1 else path.name, tune)
                  for number, tune in enumerate(book)]
    return sorted(random.Random(seed).sample(tunes, min(count, len(tunes))))


def without_graces(score: Score) -> Score:
    return score if score.grace is None else score.select(np.asarray(score.grace <= 0))


def main() -> int:
    """Print a row for each folder; return 1 where abc2midi is not here."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--written", action="store_true", help="compare what abc2midi reads of our own files")
    given = parser.parse_args()
    if shutil.which("abc2midi") is None:
        print("abc2midi is not on this machine: apt-get install abcmidi", file=sys.stderr)
        return 1
    print(f"{'set':20} tunes  alike   notes     same  other length  only ours  only theirs")
    for folder in given.folders:
        total = np.zeros(7, int)
        for name, tune in chosen(folder, given.count, given.seed):
            tune = bare(tune)
            own, score = ours(tune)
            if given.written:
                written = abc_write.dumps(without_graces(score))
                own, tune = notes_of(played(abc_write.keep(without_graces(score)))), bare(written)
            both = compared(own, theirs(tune))
            apart = len(both.only_ours) + len(both.only_theirs)
            total += (1, not apart, len(own), both.same, both.other_length, len(both.only_ours), len(both.only_theirs))
            if given.show and (apart or both.other_length):
                print(f"  {name}: {both.other_length} of another length, only ours "
                      f"{[(p, round(o, 2)) for p, o, _ in both.only_ours[:4]]} of {len(both.only_ours)}, only theirs "
                      f"{[(p, round(o, 2)) for p, o, _ in both.only_theirs[:4]]} of {len(both.only_theirs)}")
        print(f"{folder.name:20} {total[0]:5} {total[1]:6} {total[2]:7} {total[3]:8} {total[4]:13} {total[5]:10} "
              f"{total[6]:12}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
