"""Bach chorales on the 16th grid, by the rnn family from Scores: nats per voice token, lower is better.

    python bench/run.py --tables jsb_rnn
    python bench/tables/jsb_rnn.py --rows "lstm, augmented" --limit 5 --set '{"steps": 200}'     # by hand, some pieces
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[0]))
from jsb_markov import CLEAN, LEAKED, PUBLISHED, TEST, VALID, clean, read, to_score  # noqa: F401 (printed by run.py)
from jsb_markov import PROTOCOL as MARKOV_PROTOCOL

from partimento.models.base import Piece, Progress
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
    parts = read()
    begin = time.perf_counter()
    pieces = {part: [Piece(to_score(frames), str(i)) for i, frames in enumerate(parts[part])] for part in parts}
    given = {**SETTINGS, **ROWS[name], **settings}
    model = Rnn(**given).fit(pieces["train"], valid=pieces["valid"], report=_show)
    fitted = time.perf_counter() - begin
    apart = np.array(clean(parts["test"][:limit], parts["train"]))
    nats, tokens = {}, {}
    for part in ("valid", "test"):
        nats[part] = np.array([-model.log_prob(piece.score).nats for piece in pieces[part][:limit]])
        tokens[part] = np.array([4 * len(frames) for frames in parts[part][:limit]])

    def mean(part: str, which: Any = slice(None)) -> float | None:
        count = tokens[part][which].sum()
        return round(float(nats[part][which].sum() / count), 4) if count else None

    return {VALID: mean("valid"), TEST: mean("test"), CLEAN: mean("test", apart), LEAKED: mean("test", ~apart),
            "augmented": given.get("transpositions", 12) > 1, "clean of test": f"{apart.sum()} of {len(apart)}",
            "steps": model.record()["steps"], "fit, s": round(fitted, 1),
            "all, s": round(time.perf_counter() - begin, 1)}


def _show(progress: Progress) -> bool:
    if progress.stage == "training" and progress.done % 100 == 0:
        print(progress.done, progress.total, dict(progress.measures), file=sys.stderr, flush=True)
    return True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default=";".join(ROWS), help="with ; between")
    parser.add_argument("--limit", type=int, help="only so many pieces of each part")
    parser.add_argument("--set", default="{}", help="more settings, JSON")
    given = parser.parse_args()
    for wanted in given.rows.split(";"):
        print(json.dumps({"name": wanted, **row(wanted, given.limit, **json.loads(given.set))}), flush=True)
