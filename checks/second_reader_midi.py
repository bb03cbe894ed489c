"""Our MIDI reader beside symusic: are the notes of 50 files of each set the same?

    python checks/second_reader_midi.py [--count 50] [--show]

A note is its onset, length and pitch in ticks and its place among the parts. With ``--show`` each file that differs is
named, with what symusic alone or we alone have.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
import music_sets
from symusic import Score as SymusicScore

from partimento import formats

SETS = ("mutopia_midi", "freedoom_midi", "groove")


def main() -> int:
    """Print a row a set; return 1 where a note differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--show", action="store_true")
    wish = parser.parse_args()
    unlike = 0
    print("| set | files | notes ours | notes symusic | alike | files that differ |\n|---|---|---|---|---|---|")
    for name in SETS:
        files = sorted(music_sets.find(name).rglob("*.mid"))
        files = random.Random(0).sample(files, min(wish.count, len(files)))
        ours = theirs = alike = different = 0
        for path in files:
            score, other = formats.read(path), SymusicScore(str(path))
            mine = Counter(zip(score.onset.tolist(), score.duration.tolist(), score.pitch.tolist(), strict=True))
            its = Counter((n.time, n.duration, n.pitch) for track in other.tracks for n in track.notes)
            ours, theirs, alike = ours + mine.total(), theirs + its.total(), alike + (mine & its).total()
            if mine != its:
                different += 1
                if wish.show:
                    print(f"{path.name}: ours alone {(mine - its).total()}, symusic alone {(its - mine).total()}")
        unlike += different
        print(f"| {name} | {len(files)} | {ours:,} | {theirs:,} | {alike:,} | {different} |")
    return 1 if unlike else 0


if __name__ == "__main__":
    sys.exit(main())
