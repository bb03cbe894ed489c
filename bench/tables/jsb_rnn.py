"""Bach chorales on the 16th grid, by the rnn family from Scores: nats per voice token, lower is better.

    python bench/run.py --tables jsb_rnn
    python bench/tables/jsb_rnn.py --rows "lstm, augmented" --limit 5 --set '{"steps": 200}'     # by hand, some pieces
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
from jsb_markov import PROTOCOL as MARKOV_PROTOCOL
from jsb_markov import PUBLISHED, taught  # noqa: F401 (PUBLISHED is printed by run.py)
from peers import rows_by_hand

from partimento.models.rnn import Rnn

PROTOCOL = MARKOV_PROTOCOL.partition(" `augmented`")[0] + (
    " `augmented` hears each training piece in 12 keys; `plain` in its own. Weights are those best on the validation "
    "pieces. Two layers of 256 units, dropout 0.35 (plain 0.5). The likelihood is exact: each stage is renormalised "
    "over what is legal. The standard split leaks: `test clean` are the test pieces that share under half of their "
    "soprano interval 8-grams with any one training piece, `test leaked` the others.")
SETTINGS: dict[str, Any] = {"grid": 4, "keys": False, "kept": 0.0, "window": 400, "layers": 2, "width": 256,
                            "dropout": 0.35, "batch": 16, "lr": 3e-3, "patience": 0, "weights": "float32"}
ROWS: dict[str, dict[str, Any]] = {
    "lstm, augmented": {"cell": "lstm", "steps": 1800},
    "gru, augmented": {"cell": "gru", "steps": 1500},
    "tanh, augmented": {"cell": "tanh", "steps": 1500, "lr": 1e-3},
    "gru, plain": {"cell": "gru", "transpositions": 1, "dropout": 0.5, "steps": 800},
}


def rows() -> list[str]:
    """Return the names of the rows."""
    return list(ROWS)


def row(name: str, limit: int | None = None, **settings: Any) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many pieces of each part, `settings` change the Config."""
    given = {**SETTINGS, **ROWS[name], **settings}
    model = Rnn(**given)
    cells = taught(model, limit)
    return {**cells, "augmented": given.get("transpositions", 12) > 1, "steps": model.record()["steps"]}


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=";", limit=None)
