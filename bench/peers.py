"""What every bench needs: music to run on, a peer or the reason it is missing, and one way to time two things."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))
import music_sets

from partimento.models.base import Progress

Row = dict[str, Any]


class Missing(Exception):
    """A peer or a set of music that is not here: the row is skipped, and says so."""


def peer(name: str) -> ModuleType:
    """Return the module of another program; `Missing` where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as fault:
        raise Missing(f"no {name} here ({fault}); see bench/requirements.txt") from fault


def version(module: ModuleType) -> str:
    """Return ``name version`` of a peer, as its distribution states it."""
    name = module.__name__.partition(".")[0]
    try:
        return f"{name} {installed(name)}"
    except PackageNotFoundError:
        return name


def music(name: str) -> Path:
    """Return the folder of a set of music, or `Missing`."""
    try:
        return music_sets.find(name)
    except LookupError as absent:
        raise Missing(str(absent)) from absent


def attempt(name: str, measure: Callable[[], Row]) -> Row:
    """Return what `measure` gives, or a row that says why it is skipped."""
    try:
        return measure()
    except Missing as reason:
        return {"name": name, "skipped": str(reason)}


def seconds(call: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the seconds that one call takes by a clock."""
    start = clock()
    call()
    return clock() - start


def median_seconds(call: Callable[[], Any], repeats: int = 5,
                   clock: Callable[[], float] = time.perf_counter) -> float:  # fmt: skip
    """Return the median seconds of a call, after one that warms it up."""
    return median([seconds(call, clock) for _ in range(repeats + 1)][1:])


def side_by_side(ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int = 5,
                 clock: Callable[[], float] = time.perf_counter) -> tuple[float, float]:  # fmt: skip
    """Return the median seconds of both, run in turn, so that a busy moment of the machine falls on both alike."""
    turns = [(seconds(ours, clock), seconds(theirs, clock)) for _ in range(repeats + 1)][1:]  # the first warms up
    return median(own for own, _ in turns), median(other for _, other in turns)


def show(main: Callable[[list[str]], list[Row]]) -> None:
    """Run one bench by hand, on one core, with the words of the command line: a row of JSON a line."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for row in main(sys.argv[1:]):
        print(json.dumps(row, default=float, ensure_ascii=False))


def remembered(what: str, make: Callable[[], Any], *code: Path | ModuleType) -> Any:
    """Return what several rows need, JSON-ready: made once and kept, in the folder for temporary files, by its `code`.

    `code` are the files and modules whose change makes it anew.
    """
    places = [Path(str(one.__file__)) if isinstance(one, ModuleType) else one for one in code]
    digest = hashlib.sha256(b"".join(place.read_bytes() for place in places) + what.encode()).hexdigest()[:16]
    kept = Path(tempfile.gettempdir(), f"partimento_bench_{digest}.json")
    if not kept.is_file():
        beside = kept.with_suffix(".part")
        beside.write_text(json.dumps(make()), encoding="utf-8")
        beside.replace(kept)
    return json.loads(kept.read_text(encoding="utf-8"))


def show_training(progress: Progress) -> bool:
    """Print how a training goes on, and let it go on."""
    if progress.stage == "training" and progress.done % 50 == 0:
        print(progress.done, progress.total, dict(progress.measures), file=sys.stderr, flush=True)
    return True


def rows_by_hand(about: str | None, rows: Sequence[str], row: Callable[..., Row], between: str = ",",
                 **numbers: int | None) -> None:  # fmt: skip
    """Run rows of a table by hand: those after ``--rows``, `between` between them, and print each as a line of JSON.

    `numbers` are more options of `row`, each a whole number with its default; ``--set`` gives settings as JSON.
    """
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("--rows", default=between.join(rows), help=f"names with {between!r} between")
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--set", default="{}", help="other settings, JSON")
    given = parser.parse_args()
    options = {name: getattr(given, name) for name in numbers}
    for wanted in given.rows.split(between):
        print(json.dumps({"name": wanted, **row(wanted, **options, **json.loads(given.set))}), flush=True)
