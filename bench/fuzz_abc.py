"""Damaged ABC, thrown at the reader and the writer for a while: how many inputs ran, and how many did harm.

    python bench/fuzz_abc.py --seconds 120
    python bench/fuzz_abc.py --seconds 120 --music FOLDER     # its smallest tunes are damaged too

Every input must give tunes that survive writing and reading, or one ReadError, within a few seconds. Without words, as
the runner of the benches calls it, it runs for a while and the faults are counted.
"""

from __future__ import annotations

import argparse
import collections
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fuzzing
import numpy as np

from partimento.formats import abc_read, abc_write

SLOW = 5.0
LONGEST_BAR = 100                       # quarter notes
SPLICES = (
    "|:", ":|", "::", "|1 ", "[2 ", "[V:2]", "\nV:1\n", "[M:3/8]", "[M:none]", "[K:Eb]", "\nK:", "(3", "(5:4:7", "{",
    "}", "{/gab}", "&", "-", ">", "<<", "!fermata!", "!D.C.alfine!", "!fine!", "!p!", '"Am7"', '"^dolce"', '"', "Z3",
    "z", "x4", "[CEG]2", "[C-E", "]", "w: a-b_c*|\n", "\nw:", "%%score (1 2) {1 2}\n", "%%MIDI channel 10\n", "^^",
    "_/", "'", ",,,,", "999999", "////", "0", "\\", "%", "\r\n", "\n\n", "X:2\n", "P:A\n", "[Q:1/4=0]", "é", "\x00",
    "[L:1/64]", "|]", "||", ".|", "[|]", "y", "$", "T:x\n", "transpose=-2", "clef=treble-8",
)
SEEDS = ("""X:1
T:A tune
C:Words: nobody
M:6/8
L:1/8
Q:"Allegro" 3/8=100
K:Dmix
|:A|"D"d2e fed|(3cBA {gf}^G2 A>B-|[1B3 !fermata!A2:|[2B6||
P:B
[M:3/4]!p![DFA]2- [DFA] z z2|Z2|!D.C.alfine!A6|]
w: one two- three * four_ ~ five
W:And then
W:
W:no more
""", """%%score (1 2) | {3 | 4} [5 6]
X:7
T:Voices
M:C|
L:1/4
V:1 clef=treble name="S"
V:2
V:3
V:4 clef=bass
V:5 transpose=-2
V:6 clef=perc
K:Bb
[V:1] c2 d2 | e4 & c2 B2 |]
w: la la la
w: do do do
[V:2] G2 F2 | G4 |]
[V:3] e2 f2 | g4 |]
[V:4] [Q:1/4=90] C,2 D,2 | E,4 |]
[V:5] d2 e2 | f4 |]
V:6
%%MIDI channel 10
C,,2 D,,2|^F,,4|]
""", r"""X:1
M:none
K:C
CDEFGAB|c2|

X:2
L:1/16
K:F#m
c'4d'2 (5abc'd'e'|\
 f'8-|f'8|]

free text

X:3
K:none
U:T=!p!
m:~n=n
TA _B =B ^c|
""")


def mutations(random_numbers: random.Random, corpus: list[bytes]) -> Iterator[bytes]:
    """Damaged files without end."""
    while True:
        data = bytearray(random_numbers.choice(corpus))
        for _ in range(random_numbers.choice((1, 1, 2, 4, 16))):
            at = random_numbers.randrange(len(data) + 1)
            choice = random_numbers.randrange(7)
            if choice == 0 and at < len(data):
                data[at] = random_numbers.randrange(256)
            elif choice == 1:
                del data[at:at + random_numbers.randrange(1, 9)]
            elif choice in (2, 3):
                data[at:at] = random_numbers.choice(SPLICES).encode()
            elif choice == 4:
                data[at:at] = random_numbers.randbytes(random_numbers.randrange(1, 9))
            elif choice == 5:
                piece = data[at:at + random_numbers.randrange(1, 40)]
                place = random_numbers.randrange(len(data) + 1)
                data[place:place] = piece
            else:
                other = random_numbers.choice(corpus)
                data[at:] = other[random_numbers.randrange(len(other) + 1):]
        yield bytes(data)


def check(data: bytes) -> str:
    """What one input gave: ``tunes``, or the start of the ReadError; anything else that is raised is a fault."""
    readings, told = fuzzing.read_or_told(lambda: abc_read.parse_all(data, max_notes=100_000))
    for reading in readings or ():
        score = reading.score
        longest = max(np.diff(score.bar_starts), default=0) / score.ticks_per_quarter
        if len(score) > 2000 or score.n_bars > 2000 or longest > LONGEST_BAR:
            continue                            # what no fuzzer has the time to write
        kept = abc_write.keep(score)
        again = abc_read.parse(abc_write.dumps(score))
        assert again.score == kept, "written and read back, it is not what ABC is said to keep"
        mended = set(again.repairs) - {"times finer than the clock rounded"}
        assert not mended, f"our own file had to be repaired: {mended}"
    return told[:24] or "tunes"


def run(seconds: float, seed: int, corpus: list[bytes]) -> collections.Counter[str]:
    """Run damaged inputs through `check` for so long; what each gave, counted."""
    return fuzzing.run(mutations(random.Random(seed), corpus), check, seconds, SLOW, "fuzz_abc_fault.abc")


def main(argv: list[str]) -> list[dict[str, Any]]:
    """Return one row: the faults among the damaged inputs; a fault ends the run, so that it is looked at."""
    found = run(fuzzing.SECONDS, 0, [seed.encode() for seed in SEEDS])
    return [fuzzing.fuzz_row("damaged ABC", found, found["tunes"], how=", written and read back")]


def by_hand() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--music", type=Path, help="a folder whose smallest tunes are damaged too")
    given = parser.parse_args()
    corpus = [seed.encode() for seed in SEEDS]
    if given.music:
        tunes = [tune for path in sorted(given.music.rglob("*.abc")) for tune in abc_read.tunes(path.read_bytes())]
        corpus += sorted(tunes, key=len)[:50]
    fuzzing.tell(run(given.seconds, given.seed, corpus), given.seconds)


if __name__ == "__main__":
    by_hand()
