"""Memory that training takes as the music grows: peak resident size of a process that learns from so many files.

    python bench/memory.py                     # or: python bench/run.py memory; some minutes
    python bench/memory.py --files 3000 5321   # by hand, as many as are wanted (5,321 is all there are; long)
    python bench/memory.py --bits              # by hand: what the bound costs in bits a note

The files are of the sets below, in an order shuffled with seed 0, read one at a time. `markov` is the whole fit;
`rnn` what its training holds of the music (the loop takes windows of it). `note` says seconds, notes, what the
checkpoint's arrays take, and how many contexts are stored.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from peers import Missing, Row, music, show

SETS = ("mutopia_midi/PD", "mutopia_midi/CC-BY", "openscore_lieder", "openscore_quartets", "openscore_orchestra",
        "freedoom_midi", "groove", "open_hymnal", "chopin_first_editions", "polish_piano")
SUFFIXES = {".mid", ".mxl", ".abc", ".krn"}
FILES = (300, 1000)
TARGET = "<= 3000 MB"
SCORED = 60, 4000           # pieces and notes on which bits are measured
Found = dict[str, float]


def main(argv: list[str]) -> list[Row]:
    """Return a row a family and number of files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, nargs="+", default=FILES)
    parser.add_argument("--bits", action="store_true")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.child:
        family, count, most = args.child
        print(json.dumps(measured(family, int(count), int(most))))
        return []
    if sys.platform == "win32":
        raise Missing("the peak of a process is not had here")
    found = paths()
    if args.bits:
        return [bits(most) for most in (0, 1 << 40)]
    rows: list[Row] = []
    for family in ("markov", "rnn"):
        for count in args.files:
            got = child(family, min(count, len(found)))
            print(f"{family}, {count} files: {got}", file=sys.stderr, flush=True)     # all of it takes long
            note = f"{got['seconds']:.0f} s, {got['notes']:,.0f} notes"
            if family == "markov":
                note += f", arrays of {got['arrays']:.0f} MB, {got['contexts']:,.0f} contexts"
            rows.append({"name": f"{family}, {min(count, len(found)):,} files", "ours": got["peak"], "peer": None,
                         "ratio": None, "target": TARGET, "unit": "MB", "n": 1, "note": note})
    return rows


def paths() -> list[Path]:
    """Return all files of the sets that are here, in an order of their own; `Missing` where none is."""
    out: list[Path] = []
    for name in SETS:
        top, _, inside = name.partition("/")
        out += sorted(path for path in (music(top) / inside).rglob("*") if path.suffix in SUFFIXES)
    random.Random(0).shuffle(out)
    return out


def bits(most: int) -> Row:
    """Return the bits a note of what nine in ten files of mutopia's two free parts teach, on some of the others."""
    got = child("bits", 0, most)
    return {"name": f"mutopia, bound {'as it is' if not most else 'none'}", "ours": got["bits"], "peer": None,
            "ratio": None, "target": None, "unit": "bits/note", "n": 1,
            "note": f"{got['seconds']:.0f} s, {got['peak']:,.0f} MB, {got['contexts']:,.0f} contexts"}


def child(family: str, count: int, most: int = 0) -> Found:
    """Return what a process of its own measured."""
    words = [sys.executable, str(Path(__file__).resolve()), "--child", family, str(count), str(most)]
    source = str(Path(__file__).resolve().parents[1] / "src")
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": source}, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    found: Found = json.loads(done.stdout)
    return found


class Lazily:
    """The pieces of files, read anew each time they are gone through."""

    def __init__(self, files: list[Path]) -> None:
        self.files, self.notes = files, 0

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[object]:
        from partimento.data.reading import read_one
        from partimento.models.base import Piece

        for path in self.files:
            score = read_one(path)[1]
            if score is not None:
                self.notes += len(score)
                yield Piece(score, path.name)


def measured(family: str, count: int, most: int) -> Found:
    """Return the peak of this process in MB, and more of what it learnt."""
    import resource

    from partimento import training
    from partimento.counting.mixture import Mixture
    from partimento.events.library import Library
    from partimento.models.markov import Markov

    files = paths()[:count]
    if family == "bits":
        folder = music("mutopia_midi")
        files = sorted(path for part in ("PD", "CC-BY") for path in (folder / part).rglob("*.mid"))
        random.Random(0).shuffle(files)
        if most:
            (Mixture.__init__.__kwdefaults__ or {})["most"] = most
    taught = Lazily(files[:len(files) * 9 // 10] if family == "bits" else files)
    begin = time.perf_counter()
    out: Found = {}
    if family == "rnn":
        library = Library.of(taught, 12)  # type: ignore[arg-type]
        out["events"] = len(library)
        library.close()
    else:
        model = Markov().fit(taught)  # type: ignore[arg-type]
        out["contexts"] = sum(len(level.key) for mixture in model._stages.values() for level in mixture.levels)
    out["seconds"], out["notes"] = time.perf_counter() - begin, taught.notes
    out["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1024)
    if family != "rnn":
        out["arrays"] = sum(array.nbytes for array in model.state()[1].values()) / 1e6
    if family == "bits":
        others = list(islice(Lazily(files[len(taught):]), SCORED[0]))
        found = training.likelihood(model, others, notes=SCORED[1])  # type: ignore[arg-type]
        out["bits"] = found.bits_per_note if found else float("nan")
    return out


if __name__ == "__main__":
    show(main)
