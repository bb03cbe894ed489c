"""What every bench needs: music to run on, a peer or the reason it is missing, and one way to time two things."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))
import music_sets


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


def side_by_side(ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int = 5) -> tuple[float, float]:
    """Return the median seconds of both, run in turn, so that a busy moment of the machine falls on both alike."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats + 1):
        for side, call in enumerate((ours, theirs)):
            start = time.perf_counter()
            call()
            if turn:  # the first turn warms both up
                seconds[side].append(time.perf_counter() - start)
    return median(seconds[0]), median(seconds[1])
