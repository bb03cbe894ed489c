"""How far back each recurrent cell hears: bits a note with so many notes of history, lower is better.

    python bench/run.py --tables context_rnn
    python bench/tables/context_rnn.py --rows gru --set '{"steps": 50}'     # by hand
"""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from peers import music, peer, rows_by_hand

from partimento.data import load
from partimento.models.rnn import Rnn
from partimento.request import Blanks, Region
from partimento.score import Score
from partimento.training import beginning

HISTORY = (8, 16, 32, 64, 128, 256)
FIRST, BARS, PIECES = 12, 4, 100
PROTOCOL = (
    f"nottingham, whole tunes apart (seed 0). Bars {FIRST + 1} to {FIRST + BARS} of {PIECES} tunes not learnt "
    "from, each cut after them, are weighed given the last so many notes before them; onset, track, pitch and duration "
    "are charged, loudness is not. One layer of 192 units, 800 steps of 16 windows of 256 events, the same seed in "
    "every row. The field that tells what stood one bar ago is there whatever the cell. Tunes repeat after 8 bars, "
    "which is some 60 to 120 notes.")
SETTINGS: dict[str, Any] = {"layers": 1, "width": 192, "steps": 800, "batch": 16, "window": 256, "lr": 4e-3,
                            "patience": 0, "weights": "float32"}
ROWS: dict[str, dict[str, Any]] = {"lstm": {"cell": "lstm"}, "gru": {"cell": "gru"},
                                   "tanh": {"cell": "tanh", "lr": 2e-3}}


def rows() -> list[str]:
    """Return the names of the rows."""
    return list(ROWS)


def row(name: str, **settings: Any) -> dict[str, Any]:
    """Return the cells of a row; `settings` change the Config."""
    peer("torch")
    begin = time.perf_counter()
    corpus = load(music("nottingham"), valid_share=0.1, seed=0, near="ignore")
    model = Rnn(**{**SETTINGS, **ROWS[name], **settings}).fit(corpus.train, valid=corpus.valid)
    long = [piece.score for piece in corpus.valid if piece.score.n_bars >= FIRST + BARS]
    found: dict[str, Any] = {}
    for history in HISTORY:
        ear = Rnn(dataclasses.replace(model.config, window=history)).restore(*model.state())
        nats, notes = 0.0, 0
        for score in long[:PIECES]:
            cut = beginning(score, FIRST + BARS)
            got = ear.log_prob(cut, _last(cut))
            nats, notes = nats + got.nats, notes + got.notes
        found[f"{history} notes"] = round(-nats / notes / 0.6931471805599453, 4)
    return {**found, "notes weighed": notes, "all, s": round(time.perf_counter() - begin, 1)}


def _last(score: Score) -> Blanks:
    start = int(score.bar_starts[FIRST])
    return Blanks(tuple(Region(track, start, score.end) for track in range(len(score.tracks))))


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row)
