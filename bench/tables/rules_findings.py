"""Faults told of pieces by the rules family in a hundred bars, beside the markov family's in the same frames.

    python bench/run.py --tables rules_findings
"""

from __future__ import annotations

import time
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import Any

from partimento import checkpoint, generate
from partimento.judge.faults.table import findings
from partimento.models.base import Model
from partimento.models.rules import Rules
from partimento.models.rules.sketch import rules_table
from partimento.request import Request
from partimento.score import Score

PROTOCOL = (
    "Every style of the rules family, 6 seeds each, 16 bars: band, meter, tempo and key as the style draws them. "
    "The bundled markov model composes in the same frames (meter, tempo, key, tracks) with the same seeds. Faults "
    "are those that `evaluate` tells with no reference, a hundred bars. `moved`: notes moved to hold the key, in "
    "percent. The costs were set by hand on seeds 0 to 12 and 100 to 105; those counted are 200 to 205.")
SEEDS = range(200, 206)
BARS = 16
PUBLISHED: list[dict[str, Any]] = []


def rows() -> list[str]:
    """Return the names of the rows: the styles, and all of them together."""
    return [*rules_table("styles"), "all"]


def row(name: str) -> dict[str, Any]:
    """Return the cells of a row."""
    styles = list(rules_table("styles")) if name == "all" else [name]
    ours: Counter[str] = Counter()
    theirs: Counter[str] = Counter()
    bars = notes = moved = 0
    seconds: list[float] = []
    for style in styles:
        for seed in SEEDS:
            made = _piece(style, seed)
            ours.update(made[0])
            theirs.update(made[1])
            seconds.append(made[2])
            notes, moved, bars = notes + made[3], moved + made[4], bars + BARS
    return {"bars": bars, "rules": round(100 * ours.total() / bars, 2), "markov": round(100 * theirs.total() / bars, 2),
            "rules by kind": dict(ours.most_common(3)), "markov by kind": dict(theirs.most_common(3)),
            "moved": round(100 * moved / notes, 2), "ms a piece": round(1000 * sum(seconds) / len(seconds))}


@cache
def _markov() -> Model:
    return checkpoint.load(str(files("partimento.models").joinpath("bundled", "markov.partimento"))).model


@cache
def _piece(style: str, seed: int) -> tuple[Counter[str], Counter[str], float, int, int]:
    """The faults of one piece by each family, the seconds that the rules took, their notes and how many were moved."""
    begin = time.perf_counter()
    made = generate.generate(Request(seed=seed, bars=BARS), Rules(style=style))[0]
    seconds = time.perf_counter() - begin
    asked = made.request
    other = generate.generate(Request(seed=seed, bars=BARS, meter=asked.meter, tempo=asked.tempo, key=asked.key,
                                      tracks=asked.tracks), _markov())[0]
    return _kinds(made.score), _kinds(other.score), seconds, len(made.score), made.moved


def _kinds(score: Score) -> Counter[str]:
    return Counter(found.kind for found in findings(score))
