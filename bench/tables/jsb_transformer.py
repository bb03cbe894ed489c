"""Bach chorales on the 16th grid, by the transformer family from Scores: nats per voice token, lower is better.

    python bench/run.py --tables jsb_transformer
    python bench/tables/jsb_transformer.py --rows "seed 1" --limit 5 --set '{"steps": 200}'     # by hand, some pieces
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
from jsb_markov import PROTOCOL as MARKOV_PROTOCOL
from jsb_markov import PUBLISHED, taught  # noqa: F401 (PUBLISHED is printed by run.py)
from peers import rows_by_hand

from partimento.models.transformer import Transformer

PROTOCOL = MARKOV_PROTOCOL.partition(" `augmented`")[0] + (
    " No transposition: the network hears intervals, so that a piece is to it the same in every key. Weights are those "
    "best on the validation pieces. The likelihood is exact: each stage is renormalised over what is legal. The "
    "standard split leaks: `test clean` are the test pieces that share under half of their soprano interval 8-grams "
    "with any one training piece, `test leaked` the others.")
SETTINGS: dict[str, Any] = {"grid": 4, "keys": False, "kept": 0.0, "wishes": False, "window": 400, "layers": 3,
                            "width": 192, "dropout": 0.25, "deafness": 0.8, "blindness": 0.2, "batch": 16,
                            "patience": 0, "weights": "float32", "steps": 560}
ROWS = {f"seed {seed}": seed for seed in (1, 2, 3)}


def rows() -> list[str]:
    """Return the names of the rows."""
    return list(ROWS)


def row(name: str, limit: int | None = None, **settings: Any) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many pieces of each part, `settings` change the Config."""
    model = Transformer(**{**SETTINGS, **settings})
    cells = taught(model, limit, seed=ROWS[name])
    return {**cells, "parameters": sum(array.size for array in model.player.arrays.values())}


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=";", limit=None)
