"""Cold starts: what a person waits for, whole processes on one core.

    python bench/run.py startup

`import` is what is beyond an empty Python; the commands are timed whole. They write MIDI, sound, picture and page
unless the row says otherwise. The LSTM has learnt nothing, which takes it no less time.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from peers import Missing, Row, attempt, median_seconds, show

SRC = Path(__file__).resolve().parents[1] / "src"
REPEATS = 5
NETWORK = "network.partimento"
COMPOSE = ("-m", "partimento", "compose", "--bars", "16", "--seed", "1", "--quiet")
COMMANDS: dict[str, tuple[tuple[str, ...], str]] = {
    "import partimento": (("-c", "import partimento"), "<= 0.3 s"),
    "compose --bars 16": (COMPOSE, "<= 2 s"),
    "compose --bars 16 --format mid": ((*COMPOSE, "--format", "mid"), "<= 2 s"),
    "compose --bars 16 -n 4": ((*COMPOSE, "-n", "4"), "<= 8 s"),
    "compose --bars 16 --model random": ((*COMPOSE, "--model", "random"), "<= 2 s"),
    "compose --bars 16, an LSTM of 2 x 384": ((*COMPOSE, "--model", NETWORK, "--tracks", "violin,piano"), "<= 3 s"),
    "compose --bars 16 -n 4, the same": ((*COMPOSE, "-n", "4", "--model", NETWORK, "--tracks", "violin,piano"),
                                         "<= 8 s"),
}


def main(argv: list[str]) -> list[Row]:
    """Return a row a command; one that refuses in a sentence is skipped with it, one that breaks has failed."""
    empty = timed(("-c", "pass"))
    rows = []
    for name in COMMANDS:
        try:
            rows.append(attempt(name, lambda: measured(name, empty)))  # noqa: B023
        except RuntimeError as fault:
            print(f"{name}: {fault}", file=sys.stderr)
            rows.append({"name": name, "skipped": str(fault).splitlines()[-1], "failed": True})
    return rows


def measured(name: str, empty: float) -> Row:
    """Return one row."""
    words, target = COMMANDS[name]
    alone = name.startswith("import")
    return {"name": name, "ours": timed(words) - (empty if alone else 0.0), "peer": None, "ratio": None,
            "target": target, "unit": "s", "n": REPEATS,
            "note": "beyond an empty Python" if alone else f"of it an empty Python {empty:.3f}"}


@functools.cache
def network() -> Path:
    """Return the file of a network that has learnt nothing."""
    from partimento import checkpoint
    from partimento.models.rnn import Rnn
    from partimento.network import Shape, init, pack

    shape = Shape(cell="lstm", layers=2, width=384, head=256)
    path = Path(tempfile.mkdtemp(), NETWORK)
    values = {"shape": dataclasses.asdict(shape), "tables": {}, "record": {}}
    checkpoint.save(Rnn().restore(values, pack(init(shape, 0), "int8")), path)
    return path


def timed(words: tuple[str, ...]) -> float:
    """Return the median wall seconds of a Python process in an empty folder; `Missing` where it refuses to run."""
    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            if NETWORK in words:
                shutil.copy(network(), folder)
            done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, encoding="utf-8",
                                  env={**os.environ, "PYTHONPATH": str(SRC), "PYTHONIOENCODING": "utf-8"}, check=False)
        said = done.stderr.strip() or f"exit code {done.returncode}"
        if "Traceback" in said:
            raise RuntimeError(said)
        if done.returncode:
            raise Missing(said.splitlines()[-1])

    return median_seconds(run, REPEATS)


if __name__ == "__main__":
    show(main)
