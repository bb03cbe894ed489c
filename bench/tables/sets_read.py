"""Every file of the sets whose verdict is A, read to Scores or left out with its reason.

    python bench/run.py --tables sets_read
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from peers import music, rows_by_hand

from partimento.data import load

PROTOCOL = ("each set read whole by two processes, as `partimento train` reads it, with an empty cache, then again "
            "with the cache; exact duplicates are left out; grace notes are not counted among the notes")
SETS = ("mutopia_midi", "freedoom_midi", "groove", "openscore_lieder", "openscore_quartets", "openscore_orchestra",
        "open_hymnal", "chopin_first_editions", "polish_piano")


def rows() -> list[str]:
    """Return the names of the rows."""
    return list(SETS)


def row(name: str) -> dict[str, Any]:
    """Return the cells of a row."""
    folder = music(name)
    with tempfile.TemporaryDirectory() as kept:
        os.environ["PARTIMENTO_CACHE"] = kept
        begin = time.perf_counter()
        corpus = load(folder, workers=2, near="ignore")
        first = time.perf_counter()
        load(folder, workers=2, near="ignore")
        again = time.perf_counter()
    mended: Counter[str] = Counter()
    for entry in corpus.entries:
        mended.update(entry.repairs)
    counts = corpus.counts
    return {"files": len(corpus.entries), "used": counts["used"], "notes": corpus.notes, "repaired": counts["repaired"],
            "left out": counts["skipped"], "why left out": corpus.reasons() or "–",
            "what was repaired": "; ".join(f"{what} {n:,}" for what, n in mended.most_common()) or "–",
            "s": round(first - begin, 1), "s, cached": round(again - first, 1)}


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row)
