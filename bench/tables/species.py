"""Species counterpoint by the rules family to the lines of Fux and to sopranos of chorales: rules broken, and the time.

    python bench/run.py --tables species
    python bench/tables/species.py --rows "Fux, third" --seeds 1     # by hand
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))
from peers import music, rows_by_hand

from partimento import verbs
from partimento.controls.species import line_of, mode_of, species_breaks
from partimento.errors import ModelError
from partimento.formats import read
from partimento.score import Key, Score, Track
from partimento.theory import parse_pitch

PROTOCOL = (
    "`Fux`: the six given lines of the Gradus (1725), one a mode, in whole notes, each with a violin above and a bass "
    "below, 20 seeds. `sopranos`: the highest lines of the 184 files of chorale_melodies in their own note values, "
    "with a flute and with a cello, one seed. Each line is asked for by `harmonize` from a Score, with all that the "
    "verb does; `seconds` are of the whole call, and further seeds of one given line draw from what the first one "
    "worked out. A rule is broken where the judge (`species_breaks`) says so, which shares with the writer the modes, "
    "the kinds of intervals and how notes are divided. `steps`: moves by step, in percent; `suspended`: given notes "
    "over which one is held into dissonance, in percent. `refused`: a note of the given line is too short for the "
    "species. The costs were settled by hand with the lines of Fux and pages of a few of the sopranos in view.")
PUBLISHED: list[dict[str, Any]] = []
FUX = ("D4 F4 E4 D4 G4 F4 A4 G4 F4 E4 D4", "E4 C4 D4 C4 A3 A4 G4 E4 F4 E4", "F4 G4 A4 F4 D4 E4 F4 C5 A4 F4 G4 F4",
       "G3 C4 B3 G3 C4 E4 D4 G4 E4 C4 D4 B3 A3 G3", "A3 C4 B3 D4 C4 E4 F4 E4 D4 C4 B3 A3",
       "C4 E4 F4 G4 E4 A4 G4 E4 F4 E4 D4 C4")
SPECIES = {"first": 1, "second": 2, "third": 3, "fourth": 4}
SEEDS = 20


def rows() -> list[str]:
    """Return the names of the rows."""
    return [f"{of}, {name}" for of in ("Fux", "sopranos") for name in SPECIES]


def row(name: str, seeds: int = SEEDS, most: int = 0) -> dict[str, Any]:
    """Return the cells of a row; `most` takes the first so many given lines only."""
    of, _, word = name.partition(", ")
    species = SPECIES[word]
    broken: Counter[str] = Counter()
    seconds: list[float] = []
    refused = held = steps = moves = suspended = beats = 0
    seen: set[tuple[int, ...]] = set()
    given = list(_fux() if of == "Fux" else _sopranos())[:most or None]
    for number, score in enumerate(given):
        for track in ("violin", "bass") if of == "Fux" else ("flute", "cello"):
            for seed in range(1, seeds + 1 if of == "Fux" else 2):
                begin = time.perf_counter()
                try:
                    piece = verbs.harmonize(score, model="rules", species=species, tracks=track, seed=seed)[0]
                except ModelError:
                    refused += 1
                    continue
                seconds.append(time.perf_counter() - begin)
                (cantus, _), (line, _) = line_of(piece.score, 0), line_of(piece.score, 1)
                found = species_breaks(cantus, line, species, quarter=score.ticks_per_quarter,
                                       mode=mode_of(piece.score, cantus))
                broken.update(b.rule for b in found if b.hard)
                held += not any(b.hard for b in found)
                pitches = tuple(n.pitch for n in line)
                seen.add((number, *pitches))
                gaps = np.abs(np.diff(pitches))
                steps, moves = steps + int(((gaps == 1) | (gaps == 2)).sum()), moves + len(gaps)
                beats += len(cantus)
                suspended += sum(1 for n in cantus for m in line if m.start < n.start < m.end
                                 and abs(m.pitch - n.pitch) % 12 in (1, 2, 5, 6, 10, 11))
    return {"lines": len(seconds), "every rule kept": held, "broken": sum(broken.values()),
            "which": ", ".join(f"{rule} {count}" for rule, count in broken.most_common(4)), "refused": refused,
            "different": len(seen), "steps": round(100 * steps / max(moves, 1)),
            "suspended": round(100 * suspended / max(beats, 1)),
            "s, median": round(float(np.median(seconds)), 3), "s, slowest": round(max(seconds), 3)}


def _fux() -> Iterator[Score]:
    for text in FUX:
        pitches = [parse_pitch(word) for word in text.split()]
        yield Score.from_rows([(1920 * i, 1920, pitch, 80, 0) for i, pitch in enumerate(pitches)],
                              tracks=(Track("given", 52),), keys=(Key(0, 0, ""),))


def _sopranos() -> Iterator[Score]:
    for path in sorted(music("chorale_melodies").glob("*.krn")):
        score = read(path)
        means = [score.pitch[score.track == i].mean() if (score.track == i).any() else 0.0
                 for i in range(len(score.tracks))]
        top = int(np.argmax(means))
        own = score.select(score.track == top)
        yield own.replace(track=np.zeros(len(own), np.int32), tracks=(score.tracks[top],), texts=())


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=";", seeds=SEEDS, most=0)
