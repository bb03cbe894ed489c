"""What every family composes beside real music, by every set measure, as `evaluate` does.

    python bench/run.py --tables sets_measured
    python bench/tables/sets_measured.py --rows "groove_consistency;FMD" --limit 40      # by hand, some pieces
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from peers import remembered, rows_by_hand
from pieces import scores_of

import partimento
from partimento.judge import distances, embedding, evaluate, frechet, measures, structure
from partimento.judge.evaluate import evaluate_sets
from partimento.judge.measures import MEASURES
from partimento.models.base import Piece
from partimento.models.base import family as family_of
from partimento.score import Score

COMPOSED, BARS = 60, 16
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "random": ("random", {}), "rules": ("rules", {}), "markov": ("markov", {"product": False}),
    "markov product": ("markov", {"product": True}), "hmm": ("hmm", {})}
REFERENCES = ("mutopia_midi", "pop909")
JUDGES = (measures, structure, distances, embedding, frechet, evaluate)
PROTOCOL = (
    f"{COMPOSED} pieces of {BARS} bars that each family composed with seeds 1 to {COMPOSED}, nothing chosen and "
    "nothing asked: `random` and `rules`, which learn nothing (a piano's piece where no part is named), and `markov`, "
    "`markov product` (its viewpoints of pitch multiplied) and `hmm`, taught by one half of the works of the "
    "reference. They stand beside the other half, in stretches "
    f"of {BARS} bars; of pop909 the 909 songs, without their versions. A cell is the overlap of the distances within "
    "the music with those to the reference (1: alike), in brackets that of as many pieces of the reference "
    "with its others, lowest and highest of ten draws: real against real. For the Fréchet Music Distance (FMD) the "
    "distance, in brackets the same for real music; `infinite` is freed of the sets' size.")


def rows() -> list[str]:
    """Return the names of the rows."""
    return ["measures like real", *MEASURES, "FMD", "FMD infinite"]


def row(name: str, limit: int | None = None) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many pieces of each set."""
    return {f"{family} beside {reference}": cell(evaluated(family, reference, limit), name)
            for reference in REFERENCES for family in FAMILIES}


def cell(found: dict[str, Any], name: str) -> str | None:
    """Return what an evaluation says of a measure."""
    if name == "measures like real":
        return f"{sum(one['inside'] for one in found['measures'])} of {len(found['measures'])}"
    if name.startswith("FMD"):
        far = found["frechet"]
        value, band = ("corrected", "corrected_band") if "infinite" in name else ("value", "band")
        return f"{far[value]:.2f} ({far[band][0]:.2f}–{far[band][1]:.2f})"
    for one in found["measures"]:
        if one["name"] == name:
            return f"{one['overlap']:.2f} ({one['band'][0]:.2f}–{one['band'][1]:.2f})"
    return None


@functools.cache
def half(reference: str, which: int, limit: int | None) -> list[tuple[str, Score]]:
    """Return the name and the Score of each piece of one half of the works of a set."""
    found = [(place, score) for place, score in scores_of(reference, which)
             if reference != "pop909" or "/versions/" not in place]
    return found[:limit]


def composed(family: str, reference: str, limit: int | None) -> list[Score]:
    """Return what a family composes with the seeds from 1, taught by the first half where it learns."""
    name, settings = FAMILIES[family]
    model = family_of(name)(**settings)
    if model.learns:
        model.fit([Piece(score, place) for place, score in half(reference, 0, limit)])
    return [partimento.compose(model=model, bars=BARS, seed=seed)[0].score
            for seed in range(1, min(COMPOSED, limit or COMPOSED) + 1)]


def evaluated(family: str, reference: str, limit: int | None) -> dict[str, Any]:
    """Return the evaluation of composed pieces beside the second half of a reference."""

    def make() -> dict[str, Any]:
        real = [score for _, score in half(reference, 1, limit)]
        return evaluate_sets(composed(family, reference, limit), real, bars=BARS).as_dict()

    folder = Path(str(partimento.__file__)).parent
    found: dict[str, Any] = remembered(
        f"{family} {reference} {limit}", make, Path(__file__), *JUDGES,
        *sorted((folder / "models" / FAMILIES[family][0]).glob("*.py")), *sorted((folder / "counting").glob("*.py")))
    return found


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=";", limit=None)
