"""The verdict-A sets as one corpus, more and more of them: what is used and left out, how long it takes, and memory.

    python bench/run.py --tables corpora
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from peers import music, rows_by_hand

from partimento.data import load
from partimento.models.base import Progress

PROTOCOL = ("the sets as folders of one folder, of mutopia_midi `PD` and `CC-BY`; two processes read, scores read "
            "before come from the cache; every score is gone through once at the end. MB are the peak resident memory "
            "of the main process by then: before anything is read, when all is read, when near duplicates are found, "
            "and when all scores were gone through")
SETS = ("mutopia_midi/PD", "mutopia_midi/CC-BY", "groove", "freedoom_midi", "open_hymnal", "openscore_lieder",
        "chopin_first_editions", "polish_piano", "openscore_quartets", "openscore_orchestra")
ROWS = {"2 folders": 2, "4 folders": 4, "7 folders": 7, "all": len(SETS)}


def rows() -> list[str]:
    """Return the names of the rows."""
    return list(ROWS)


def row(name: str) -> dict[str, Any]:
    """Return the cells of a row; run in a process of its own, for memory only ever rises."""
    seen: dict[str, int] = {}

    def watch(progress: Progress) -> bool:
        if progress.stage == "reading":
            seen["read"] = _peak()
        return True

    with tempfile.TemporaryDirectory() as folder:
        for place in SETS[:ROWS[name]]:
            top, _, below = place.partition("/")
            Path(folder, place.replace("/", "-")).symlink_to(music(top) / below, target_is_directory=True)
        start, begin = _peak(), time.perf_counter()
        corpus = load(folder, workers=2, progress=watch)
        seconds, loaded = time.perf_counter() - begin, _peak()
        begin = time.perf_counter()
        notes = sum(len(piece.score) for piece in chain(corpus.train, corpus.valid))
        through = time.perf_counter() - begin
    why = Counter(entry.why for entry in corpus.entries)
    counts = corpus.counts
    return {"files": len(corpus.entries), "used": counts["used"], "repaired": counts["repaired"],
            "left out": counts["skipped"], "exact duplicates": why["duplicate"],
            "near duplicates": why["near"], "notes": notes, "s": round(seconds, 1), "s, through": round(through, 1),
            "MB at first": start, "MB, read": seen["read"], "MB, compared": loaded, "MB, through": _peak()}


def _peak() -> int:
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) >> 10


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row)
