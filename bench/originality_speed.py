"""How long a piece takes to be judged beside 1,000 pieces, and how time and memory grow with the pieces of the index.

    python bench/run.py originality_speed
    python bench/originality_speed.py --pieces 1000000      # that row alone, kept among the others

The larger indexes are of pieces grown from real music: 24 bars each, every bar drawn from all bars of four sets, in a
key of its own, one note in five moved. Their strands are found in 24 pieces at once, one after another, and cut where a
piece ends. The pieces that are judged are stretches of 16 bars of other human pieces.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent / "tables")]
from originality import pieces
from peers import Row, show

from partimento.fingerprint.index import Index, Strung, build_index, open_index, read_index, write_strung
from partimento.fingerprint.passages import FEWEST, UNITS, Thread, strands
from partimento.judge.originality import originality
from partimento.score import Score

SIZES = (1_000, 10_000, 100_000)
LARGEST = 1_000_000     # not run with the others: it takes eleven minutes
BARS = 24               # of a grown piece
TOGETHER = 24           # grown pieces that are made at once
MOVED = 0.2             # of its notes
ASKED = 40              # stretches
CLOCK = 480
LONG = BARS * 4 * CLOCK  # a grown piece


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


def drawn(bars: Stock, number: int) -> np.ndarray:
    """Return the notes of as many grown pieces as are made at once, one after another; the same for the same number."""
    random = np.random.default_rng([7, number])
    chosen = random.integers(0, len(bars.first) - 1, TOGETHER * BARS)
    size = bars.first[chosen + 1] - bars.first[chosen]
    rows = bars.notes[np.arange(size.sum()) + np.repeat(bars.first[chosen] - np.cumsum(size) + size, size)]
    which = np.repeat(np.arange(TOGETHER * BARS), size)
    rows[:, 0] += which * 4 * CLOCK
    moved = (random.random(len(rows)) < MOVED) * random.integers(-4, 5, len(rows))
    rows[:, 2] = np.clip(rows[:, 2] + random.integers(-5, 7, TOGETHER * BARS)[which] + moved, 0, 127)
    return rows


def grown(bars: Stock, count: int) -> Iterator[Strung]:
    """Give so many pieces of bars drawn anew, the same for the same number."""
    for first in range(0, count, TOGETHER):
        rows = drawn(bars, first // TOGETHER)
        notes = np.bincount(rows[:, 0] // LONG, minlength=TOGETHER)
        lines: list[list[Thread]] = [[] for _ in range(TOGETHER)]
        score = Score.from_rows(rows, ticks_per_quarter=CLOCK)
        for strand in strands(score, whole=False):
            piece = score.onset[strand.note] // LONG
            cuts = [0, *(np.flatnonzero(np.diff(piece)) + 1).tolist(), len(piece)]
            for start, end in pairwise(cuts):
                own = lines[int(piece[start])]
                line = Thread(*(column[start:end] for column in strand))
                if end - start >= FEWEST and not any(np.array_equal(line.note, other.note) for other in own):
                    own.append(line._replace(time=line.time - int(piece[start]) * BARS * 4 * UNITS))
        for i in range(min(TOGETHER, count - first)):
            yield Strung(f"grown {first + i}", int(notes[i]), lines[i], np.array([[0, 4 * UNITS, 1]]))


def copy(bars: Stock, number: int) -> Score:
    """Return the first 16 bars of a grown piece."""
    rows = drawn(bars, number // TOGETHER)
    rows[:, 0] -= number % TOGETHER * LONG
    return Score.from_rows(rows[(rows[:, 0] >= 0) & (rows[:, 0] < 16 * 4 * CLOCK)], ticks_per_quarter=CLOCK)


def stretches(found: list[tuple[str, Score]]) -> list[Score]:
    """Return 16 bars each of pieces that have so many."""
    out = []
    for _, score in found:
        if score.n_bars >= 16 and len(out) < ASKED:
            part = score.select(score.onset < int(score.bar_starts[16]))
            out += [part] if len(part) >= 64 else []
    return out


def main(argv: list[str]) -> list[Row]:
    """Return the rows: a query beside real pieces, and the curve; or with ``--pieces`` one point of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pieces", type=int, help="one point of the curve: beside so many")
    wanted = parser.parse_args(argv).pieces
    known, others = pieces()
    asked, bars = stretches(others), stock(known)
    if wanted:
        found = point(bars, wanted, asked)
        keep_row(found)
        return [found]
    index = read_index(build_index(known[:1000]))
    times = [spent(part, index) for part in asked for _ in range(2)][1::2]
    note = f"{np.median([len(part) for part in asked]):.0f} notes each; 9 of 10 in {np.quantile(times, 0.9):.1f} ms"
    rows: list[Row] = [
        {"name": "16 bars beside 1,000 real pieces", "ours": float(np.median(times)), "peer": None, "ratio": None,
         "target": "<= 50 ms", "unit": "ms", "n": len(asked), "note": note}]
    rows += [point(bars, size, asked) for size in SIZES]
    return [*rows, {"name": named(LARGEST), "skipped": f"by hand: bench/originality_speed.py --pieces {LARGEST}"}]


def named(size: int) -> str:
    """Return the name of the row of an index of so many grown pieces."""
    return f"16 bars beside {size:,} grown pieces"


def keep_row(row: Row) -> None:
    """Put a row among those that earlier runs left."""
    from run import RESULTS, SEED, about, commit, keep, kept, machine

    name = Path(__file__).stem
    path = RESULTS / f"{name}.json"
    record = {"bench": name, "about": about(Path(__file__)), "command": f"python bench/run.py {name}",
              "machine": machine(), **kept(path)}
    others = [other for other in record.get("rows", []) if other["name"] != row["name"]]
    keep(path, {**record, "rows": [*others, {**row, "commit": commit(), "seed": SEED}]})


def spent(part: Score, index: Index) -> float:
    """Return the milliseconds of the processor that one query takes, all of it, on one core."""
    start = time.process_time()
    originality(part, index)
    return 1000 * (time.process_time() - start)


def point(bars: Stock, size: int, asked: list[Score]) -> Row:
    """Return one point of the curve: median time of a query beside so many grown pieces, and what the index takes."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        place = Path(folder, "grown.index")
        with open(place, "wb") as out:
            write_strung(grown(bars, size), out)
        built = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        index = open_index(place)
        times = [spent(part, index) for part in asked for _ in range(2)][1::2]
        found = [originality(copy(bars, number), index).passages for number in range(min(size, 20))]
        right = np.mean([bool(one) and one[0].source == f"grown {number}" for number, one in enumerate(found)])
        return {"name": named(size), "ours": float(np.median(times)), "peer": None, "ratio": None, "target": None,
                "unit": "ms", "n": len(asked),
                "note": f"{index.notes:,} notes, index of {index.nbytes / 1e6:,.0f} MB "
                        f"({index.nbytes / index.notes:.1f} bytes a note), built in {built:,.0f} s, {peak:,.0f} MB of "
                        f"memory at most so far, mapped files among it; 9 of 10 in {np.quantile(times, 0.9):.0f} ms; "
                        f"{right:.0%} of copies of 16 bars found at their source; strands of {TOGETHER} "
                        "pieces found at once"}


if __name__ == "__main__":
    show(main)
