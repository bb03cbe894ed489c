"""Targets: how near one attempt and eight come to what was asked, by every control.

    python bench/run.py --tables aims
    python bench/tables/aims.py --rows "density; register" --count 6     # by hand

The transformer is the checkpoint that ships, or the file transformer.partimento in the folder PARTIMENTO_MODELS.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
from peers import rows_by_hand
from unseen import model_of

from partimento import generate
from partimento.controls import CONTROLS
from partimento.request import Request
from partimento.sampling import generator

PROTOCOL = (
    "Eight bars composed for the piano, the value asked drawn uniformly between where 90 % of real music lies. `met`: "
    "the share within the control's tolerance (at most 10 % of that range), of one attempt and of the best of eight; "
    "`rank`: Spearman's correlation of asked and got in one attempt; `error`: the mean distance in one attempt, as a "
    "share of the range.")
COUNT = 20


def rows() -> list[str]:
    """Return the names of the controls."""
    return list(CONTROLS)


def row(name: str, count: int = COUNT, tracks: tuple[str, ...] = ("piano",)) -> dict[str, Any]:
    """Return the cells of a control."""
    begin = time.perf_counter()
    model, control = model_of("transformer"), CONTROLS[name]
    asked = control.low + generator(0, 5).random(count) * (control.high - control.low)
    got: dict[int, list[float]] = {1: [], 8: []}
    for tries, found in got.items():
        for seed, value in enumerate(asked.tolist()):
            wish = Request(bars=8, tracks=tuple(tracks), targets={name: round(value, 4)}, tries=tries, seed=seed)
            measured = control.measure(generate.generate(wish, model)[0].score, None)
            found.append(np.nan if measured is None else measured)
    one = np.abs(np.array(got[1]) - asked)
    return {"met, 1": share(one, control.tolerance),
            "met, 8": share(np.abs(np.array(got[8]) - asked), control.tolerance),
            "rank, 1": round(float(np.corrcoef(ranks(asked), ranks(np.array(got[1])))[0, 1]), 3),
            "error, 1": round(float(np.nanmean(one)) / (control.high - control.low), 3), "n": count,
            "all, s": round(time.perf_counter() - begin, 1)}


def share(apart: Any, tolerance: float) -> float:
    """Return the share that is met, in percent."""
    return round(100 * float((apart <= tolerance).mean()), 1)


def ranks(values: Any) -> Any:
    """Return the place of each value among them; equal ones share theirs."""
    return np.array([(values < value).sum() + ((values == value).sum() - 1) / 2 for value in values])


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=";", count=COUNT)
