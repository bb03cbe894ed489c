"""Near duplicates among 10,000 pieces of every set there is: their melody prints, and the search.

    python bench/run.py near_duplicates

Scores are read before the clock runs. The search is over prints as bytes have them, index and all.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from peers import Row, music, show
from pieces import EVERY, scores_of

from partimento.fingerprint import MelodyPrint, melody_print, near_duplicates

PIECES = 10_000


def prints() -> Iterator[tuple[bytes, float]]:
    """Give the print of each piece, as bytes, and the seconds that it took."""
    for name in EVERY:
        for _, score in scores_of(name):
            start = time.perf_counter()
            data = melody_print(score).to_bytes()
            yield data, time.perf_counter() - start


def main(argv: list[str]) -> list[Row]:
    """Return two rows: the search, and the search with the prints made."""
    for name in EVERY:
        music(name.partition("/")[0])
    made = list(prints())
    random.Random(0).shuffle(made)
    made = made[:PIECES]
    start = time.perf_counter()
    pairs = near_duplicates([MelodyPrint.from_bytes(data) for data, _ in made])
    search = time.perf_counter() - start
    both = search + sum(spent for _, spent in made)
    size = sum(len(data) for data, _ in made) / len(made)
    row: Row = {"peer": None, "ratio": None, "unit": "s", "n": len(made)}
    return [{**row, "name": "near-duplicate search", "ours": search, "target": "<= 60 s",
             "note": f"{len(pairs)} pairs found; a print has {size:,.0f} bytes"},
            {**row, "name": "melody prints and search", "ours": both, "target": "<= 60 s", "note": "from Scores"}]


if __name__ == "__main__":
    show(main)
