"""Chorale melodies, bits per pitch by 10-fold cross-validation, by the markov family from Scores.

    python bench/tables/chorales_markov.py [--data DIR] [--rows pitch,pitch+key,all]

Pitch given each note's own onset and duration; the alphabet is every semitone between the lowest and highest pitch of the
whole set (none is left out, so it is no smaller than the set's own), the first note is charged, and the figure is the
mean over three seeded foldings. Row `pitch` sees pitches alone, as they stand; `pitch+key` also lays each training melody on one key,
heard from its pitches, and sums over the 24 keys of an unseen one; `all` adds meter, rhythm and form.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from partimento.models.base import Piece
from partimento.models.markov import Markov
from partimento.request import Blanks, Region, Request
from partimento.score import Meter, Score, Track
from partimento.theory import pitch_name

TICKS = 48
ROWS = {
    "pitch": {"senses": ("memory",), "normalise": False, "order": 6},
    "pitch+key": {"senses": ("memory", "key"), "order": 6},
    "all": {"order": 6},
}
STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


def read_kern(path: Path) -> Score:
    """The last **kern spine of a file: its notes with ties merged, its first meter."""
    time_now, rows, tied, meter = Fraction(0), [], None, None
    for line in path.read_text(encoding="latin-1").splitlines():
        if not line or line.startswith("!"):
            continue
        token = line.split("\t")[-1]
        found = re.fullmatch(r"\*M(\d+)/(\d+)", token)
        if found:
            meter = meter or Meter(0, int(found[1]), int(found[2]))
        if token.startswith(("*", "=")):
            continue
        if token != "." and length(token):
            last = length(token)
            note = re.search(r"([a-gA-G])\1*", token)
            if note and "r" not in token and "q" not in token:
                letters = note[0]
                octave = 3 + len(letters) if letters[0].islower() else 4 - len(letters)
                pitch = 12 * (octave + 1) + STEPS[letters[0].lower()] + token.count("#") - token.count("-")
                if tied is not None and ("_" in token or "]" in token):
                    rows[-1][1] += last
                else:
                    rows.append([time_now, last, pitch])
                tied = True if "[" in token or "_" in token else None
            time_now += last
    onset = [int(r[0] * TICKS) for r in rows]
    return Score(onset=onset, duration=[int(r[1] * TICKS) for r in rows], pitch=[r[2] for r in rows],
                 velocity=[80] * len(rows), track=[0] * len(rows), ticks_per_quarter=TICKS,
                 meters=(meter,) if meter else (), tracks=(Track("melody", 73),))


def length(token: str) -> Fraction | None:
    """Quarters that a kern token lasts; None where it says none."""
    found = re.search(r"(\d+)(\.*)", token)
    if not found or token.startswith(("*", "=", "!")) or "q" in token:
        return None
    whole = Fraction(8) if found[1] == "0" else Fraction(4, int(found[1]))
    return whole * (2 - Fraction(1, 2 ** len(found[2])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("/data/chorale_melodies"))
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--foldings", type=int, default=3)
    parser.add_argument("--set", default="{}", help="more settings, JSON")
    args = parser.parse_args()
    scores = [read_kern(path) for path in sorted(args.data.glob("*.krn"))]
    low, high = min(int(s.pitch.min()) for s in scores), max(int(s.pitch.max()) for s in scores)
    request = Request(ranges={"melody": f"{pitch_name(low)}-{pitch_name(high)}"})
    for row in args.rows.split(","):
        begin, figures = time.perf_counter(), []
        for seed in range(args.foldings):
            order = np.random.default_rng(seed).permutation(len(scores))
            nats = notes = 0.0
            for fold in range(10):
                held = set(order[fold::10].tolist())
                train = [Piece(s, str(i)) for i, s in enumerate(scores) if i not in held]
                model = Markov(**{"grid": 24, "given": ("before",), **ROWS[row], **json.loads(args.set)}).fit(train)
                for i in sorted(held):
                    blank = Blanks((Region(0, 0, scores[i].end, "pitch"),))
                    found = model.log_prob(scores[i], blank, request)
                    nats, notes = nats - found.nats, notes + found.notes
            figures.append(nats / notes / np.log(2))
        print(json.dumps({"row": row, "melodies": len(scores), "pitches": int(notes), "alphabet": high - low + 1,
                          "bits_per_pitch": round(float(np.mean(figures)), 4),
                          "foldings": [round(f, 4) for f in figures],
                          "seconds": round(time.perf_counter() - begin, 1)}), flush=True)


if __name__ == "__main__":
    main()
