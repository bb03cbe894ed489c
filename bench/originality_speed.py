"""How long a piece takes to be judged beside 1,000 pieces, and how time and memory grow with the pieces of the index.

    python bench/run.py originality_speed
    python bench/originality_speed.py 1000000       # by hand, as far as that

The larger indexes are of pieces grown from real music: 24 bars each, every bar drawn from all bars of four sets, in a
key of its own, one note in five moved. The pieces that are judged are stretches of 16 bars of other human pieces.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent / "tables")]
from originality import pieces
from peers import Row, show

from partimento.fingerprint.index import Index, build_index, open_index, read_index, write_index
from partimento.judge.originality import originality
from partimento.score import Score

SIZES = (1_000, 10_000, 100_000)
BARS = 24               # of a grown piece
MOVED = 0.2             # of its notes
ASKED = 40              # stretches
CLOCK = 480
HERE = Path(__file__).resolve().parent


class Stock(NamedTuple):
    """All bars of some pieces: the notes of each from `first` up to the next (onset from the bar line, ...)."""

    first: np.ndarray
    notes: np.ndarray


def stock(found: list[tuple[str, Score]]) -> Stock:
    """Return the bars of 4/4 that have notes, drums left out, the tracks numbered 0 and 1."""
    first, notes, at = [0], [], 0
    for _, score in found:
        starts = score.bar_starts.astype(np.int64)
        bar = np.searchsorted(starts, score.onset, side="right") - 1
        drum = np.array([track.is_drum for track in score.tracks], bool)[score.track]
        whole = (np.diff(starts) == 4 * score.ticks_per_quarter)[np.minimum(bar, len(starts) - 2)]
        keep = ~drum & whole
        rows = np.stack([(score.onset - starts[bar]) * CLOCK // score.ticks_per_quarter,
                         np.maximum(score.duration.astype(np.int64) * CLOCK // score.ticks_per_quarter, 1),
                         score.pitch, score.velocity, np.minimum(score.track, 1)], axis=1)[keep]
        for part in np.split(rows, np.flatnonzero(np.diff(bar[keep])) + 1):
            if len(part):
                notes.append(part)
                at += len(part)
                first.append(at)
    return Stock(np.array(first), np.concatenate(notes))


def grown(bars: Stock, count: int) -> Iterator[tuple[str, Score]]:
    """Give so many pieces of bars drawn anew, the same for the same number."""
    for number in range(count):
        random = np.random.default_rng([7, number])
        drawn = random.integers(0, len(bars.first) - 1, BARS)
        size = bars.first[drawn + 1] - bars.first[drawn]
        rows = bars.notes[np.arange(size.sum()) + np.repeat(bars.first[drawn] - np.cumsum(size) + size, size)]
        which = np.repeat(np.arange(BARS), size)
        rows[:, 0] += which * 4 * CLOCK
        moved = (random.random(len(rows)) < MOVED) * random.integers(-4, 5, len(rows))
        rows[:, 2] = np.clip(rows[:, 2] + random.integers(-5, 7, BARS)[which] + moved, 0, 127)
        yield f"grown {number}", Score.from_rows(rows, ticks_per_quarter=CLOCK)


def stretches(found: list[tuple[str, Score]]) -> list[Score]:
    """Return 16 bars each of pieces that have so many."""
    out = []
    for _, score in found:
        if score.n_bars >= 16 and len(out) < ASKED:
            part = score.select(score.onset < int(score.bar_starts[16]))
            out += [part] if len(part) >= 64 else []
    return out


def main(argv: list[str]) -> list[Row]:
    """Return the rows: a query beside real pieces, and the curve; a number in `argv` is the largest size."""
    known, others = pieces()
    asked = stretches(others)
    index = read_index(build_index(known[:1000]))
    times = [spent(part, index) for part in asked for _ in range(2)][1::2]
    note = f"{np.median([len(part) for part in asked]):.0f} notes each; 9 of 10 in {np.quantile(times, 0.9):.1f} ms"
    rows: list[Row] = [
        {"name": "16 bars beside 1,000 real pieces", "ours": float(np.median(times)), "peer": None, "ratio": None,
         "target": "<= 50 ms", "unit": "ms", "n": len(asked), "note": note}]
    bars = stock(known)
    largest = int(argv[0]) if argv else max(SIZES)
    for size in (*(one for one in SIZES if one < largest), largest):
        with tempfile.TemporaryDirectory(dir=HERE) as folder:
            rows.append(point(bars, size, asked, Path(folder) / "grown.index"))
            print(rows[-1], flush=True)
    return rows


def spent(part: Score, index: Index) -> float:
    """Return the milliseconds of the processor that one query takes, all of it, on one core."""
    start = time.process_time()
    originality(part, index)
    return 1000 * (time.process_time() - start)


def point(bars: Stock, size: int, asked: list[Score], place: Path) -> Row:
    """Return one point of the curve: median time of a query beside so many grown pieces, and what the index takes."""
    start = time.perf_counter()
    with open(place, "wb") as out:
        write_index(grown(bars, size), out)
    built = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    index = open_index(place)
    times = [spent(part, index) for part in asked for _ in range(2)][1::2]
    drawn = dict(grown(bars, min(size, 20)))
    copies = [originality(score.select(score.onset < 16 * 4 * CLOCK), index) for score in drawn.values()]
    right = np.mean([bool(one.passages) and one.passages[0].source == name
                     for name, one in zip(drawn, copies, strict=True)])
    return {"name": f"16 bars beside {size:,} grown pieces", "ours": float(np.median(times)), "peer": None,
            "ratio": None, "target": None, "unit": "ms", "n": len(asked),
            "note": f"{index.notes:,} notes, index of {index.nbytes / 1e6:,.0f} MB ({index.nbytes / index.notes:.1f} "
                    f"bytes a note), built in {built:,.0f} s, {peak:,.0f} MB of memory at most so far; 9 of 10 in "
                    f"{np.quantile(times, 0.9):.0f} ms; {right:.0%} of copies of 16 bars found at their source"}


if __name__ == "__main__":
    show(main)
