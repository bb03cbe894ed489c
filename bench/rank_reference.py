"""Writes src/partimento/judge/rank.json: what open music has of every order that `rank` hears.

    PARTIMENTO_DATA=... python bench/rank_reference.py

The pieces: one half, drawn by work, of the songs of openscore_lieder, of open_hymnal, openscore_quartets, polish_piano
and chopin_first_editions, and what the bundled model kept back from mutopia_midi. No piece taught that model; the other
halves stay for bench/tables/rank.py. Pieces of fewer than 8 bars or 64 pitched notes are left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from peers import music
from pieces import SUFFIXES, half_of

from partimento import checkpoint
from partimento.data.reading import read_one
from partimento.features import pitched
from partimento.judge.rank import REFERENCE, rank_reference
from partimento.sampling import generator
from partimento.score import Score

PLACE = Path(__file__).resolve().parent.parent / "src" / "partimento" / "judge" / REFERENCE
SETS = {"openscore_lieder": 60, "open_hymnal": 60, "openscore_quartets": 30, "polish_piano": 30,
        "chopin_first_editions": 20, "mutopia_midi": 40}         # at most so many of each
BARS, NOTES = 8, 64


def long_enough(score: Score) -> bool:
    """Whether a piece has 8 bars and 64 pitched notes."""
    return score.n_bars >= BARS and int(pitched(score).sum()) >= NOTES


def drawn(paths: Sequence[Path], most: int, seed: int = 0,
          made: Callable[[Score], Score] = lambda score: score) -> list[Score]:
    """Return pieces of some files, drawn by seed, each as `made` gives it and long enough."""
    out: list[Score] = []
    for index in np.argsort(generator(seed).random(len(paths)), kind="stable").tolist():
        score = read_one(paths[index])[1] if len(out) < most else None
        if score is not None and long_enough(piece := made(score)):
            out.append(piece)
    return out


def pieces_of(name: str, most: int, kept_back: frozenset[str]) -> list[Score]:
    """Return pieces of the first half of a set, or those of it with one of these sha256."""
    folder = music(name)
    found = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    if name == "mutopia_midi":
        found = [path for path in found if hashlib.sha256(path.read_bytes()).hexdigest() in kept_back]
    else:
        found = [path for path in found if half_of(name, path.relative_to(folder).as_posix()) == 0]
    return drawn(found, most)


def main() -> None:
    """Hear the pieces and write the file."""
    ledger = checkpoint.load(checkpoint.bundled()).ledger()
    kept_back = frozenset(entry.sha256 for entry in ledger if entry.used == "valid")
    pieces, counts = [], {}
    for name, most in SETS.items():
        own = pieces_of(name, most, kept_back)
        counts[name] = len(own)
        pieces += own
    found = rank_reference(pieces, "open music", most=len(pieces))
    prints = sorted(piece.content_hash for piece in pieces)
    record = {**found.as_dict(), "sets": counts, "licences": "CC0, public domain, CC BY",
              "fingerprint": hashlib.sha256("\n".join(prints).encode()).hexdigest(),
              "command": "python bench/rank_reference.py"}
    record["orders"] = {name: [round(x, 5) for x in pair] for name, pair in found.orders.items()}
    record["ranks"] = [round(float(x), 4) for x in np.quantile(found.ranks, np.linspace(0, 1, 101))]
    PLACE.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({"orders": record["orders"], "sets": counts}))


if __name__ == "__main__":
    main()
