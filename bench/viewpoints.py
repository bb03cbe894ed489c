"""A product of viewpoints: what it takes to learn, to compose and to meet kept notes, on one core.

    python bench/run.py viewpoints

It learns from the files of mutopia_midi in the public domain and under CC BY, reading included, in a process of its
own whose peak of memory is told; seconds are of its processor, so that what else runs does not count. The blanks are
two bars in the middle of melodies of chorale_melodies that it did not learn from, the rhythm open too: of each the
effective sample size of the candidates of its pitches, of 16.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from memory import Found, Lazily
from peers import Missing, Row, music, show

SETTINGS = {"product": True}
TRAINED, COMPOSED = "<= 60 s", "<= 500 ms"
FILLED, ROUNDS = 40, 8


def main(argv: list[str]) -> list[Row]:
    """Return the rows: time and memory to learn, time to compose, effective sample size."""
    if argv[:1] == ["--child"]:
        print(json.dumps(learnt()))
        return []
    if sys.platform == "win32":
        raise Missing("the peak of a process is not had here")
    files()
    words = [sys.executable, str(Path(__file__).resolve()), "--child"]
    found: Found = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    row: Row = {"peer": None, "ratio": None, "target": None}
    note = f"{found['files']:,.0f} files, {found['notes']:,.0f} notes, arrays of {found['arrays']:.0f} MB"
    sizes, spent = filled()
    return [{**row, "name": "train on mutopia_midi", "ours": found["seconds"], "target": TRAINED, "unit": "s", "n": 1,
             "note": note},
            {**row, "name": "its memory at most", "ours": found["peak"], "unit": "MB", "n": 1, "note": note},
            {**row, "name": "16 bars for flute", "ours": found["compose"] * 1000, "target": COMPOSED, "unit": "ms",
             "n": ROUNDS, "note": "the median, of the model of mutopia_midi"},
            {**row, "name": "effective sample size, 2 bars", "ours": median(sizes), "unit": "of 16", "n": len(sizes),
             "note": f"one in ten under {sorted(sizes)[len(sizes) // 10]:.1f}; {median(spent) * 1000:.0f} ms a blank"}]


def files() -> list[Path]:
    """Return the files of mutopia_midi that may be taught from."""
    folder = music("mutopia_midi")
    return sorted(path for part in ("PD", "CC-BY") for path in (folder / part).rglob("*.mid"))


def learnt() -> Found:
    """Return what it took to learn and to compose, and the peak of this process."""
    import resource

    from partimento import generate
    from partimento.models.markov import Markov
    from partimento.request import Request

    taught = Lazily(files())
    begin = time.process_time()
    model = Markov(**SETTINGS).fit(taught)  # type: ignore[arg-type]
    seconds = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)
    times = []
    for seed in range(ROUNDS):
        begin = time.process_time()
        generate.generate(Request(bars=16, seed=seed, tracks=("flute",)), model)
        times.append(time.process_time() - begin)
    arrays = sum(array.nbytes for array in model.state()[1].values())
    return {"seconds": seconds, "peak": peak, "compose": median(times), "arrays": arrays / 1e6,
            "files": float(len(taught)), "notes": float(taught.notes)}


def filled() -> tuple[list[float], list[float]]:
    """Return the effective sample size of each blank, and the seconds it took."""
    from tables.chorales_markov import read_kern

    from partimento.models.base import Piece
    from partimento.models.markov import Markov
    from partimento.request import Blanks, Region, Request
    from partimento.sampling import generator

    scores = [read_kern(path) for path in sorted(music("chorale_melodies").glob("*.krn"))]
    model = Markov(**SETTINGS).fit([Piece(score, str(i)) for i, score in enumerate(scores) if i % 4])
    sizes, spent = [], []
    for score in scores[::4][:FILLED]:
        middle = score.n_bars // 2
        blanks = Blanks((Region(0, score.bar_span(middle)[0], score.bar_span(middle + 1)[1]),))
        begin = time.process_time()
        model.fill(score.select(~blanks.inside(score)), blanks, Request(), [generator(0)])
        spent.append(time.process_time() - begin)
        sizes += model.effective
    return sizes, spent


if __name__ == "__main__":
    show(main)
