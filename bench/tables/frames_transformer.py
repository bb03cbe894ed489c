"""Polyphonic frames, by the transformer family, which says every key of a frame given those below it: nats a frame.

    python bench/run.py --tables frames_transformer
    python bench/tables/frames_transformer.py --rows "JSB" --set '{"steps": 100}'     # by hand
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
from frames_rnn import FILES, VALID, Frames, read
from peers import rows_by_hand, show_training

from partimento.models.base import Piece
from partimento.models.transformer import Transformer
from partimento.score import Score, Track

PROTOCOL = (
    "poly_frames, the standard splits (sequences: JSB 229, 76, 77; Nottingham 694, 173, 170). Every frame is a step "
    "and every key that sounds in it a note of one step: what the family gives for such a Score is the exact "
    "log-probability of all frames, silent ones and the first of each sequence too, autoregressive over the keys of a "
    "frame; all of it is charged, and divided by how many frames there are. No transposition, though the network "
    "hears intervals. Weights are those best on `valid`. Charged as the published numbers are not: they leave out the "
    "first frame, which costs more than others.")
TEST = "test"
PUBLISHED = [{"name": f"{name}, {data}", TEST: nats, "source": source} for data, name, nats, source in (
    ("JSB", "TCN", 8.10, "Bai et al. 2018"), ("Nottingham", "TCN", 3.07, "Bai et al. 2018"),
    ("JSB", "RNN-NADE", 5.56, "unverified"), ("Nottingham", "RNN-NADE", 2.31, "second hand"))]  # fmt: skip
FIRST_KEY = 21              # MIDI pitch of the first of the 88
SETTINGS: dict[str, Any] = {"grid": 1, "keys": False, "kept": 0.0, "wishes": False, "window": 420, "layers": 3,
                            "width": 192, "dropout": 0.25, "deafness": 0.8, "blindness": 0.2, "batch": 16,
                            "patience": 0, "weights": "float32"}
ROWS: dict[str, dict[str, Any]] = {"JSB": {"steps": 500},
                                   "Nottingham": {"steps": 900, "dropout": 0.1, "deafness": 0.5, "blindness": 0.1}}
assert list(ROWS) == list(FILES)


def rows() -> list[str]:
    """Return the names of the rows."""
    return list(ROWS)


def to_score(frames: Frames) -> Score:
    """Return a note of one tick, which is a quarter, for every key of every frame."""
    step, key = np.nonzero(frames)
    columns = [(int(s), 1, int(k) + FIRST_KEY, 80, 0) for s, k in zip(step, key, strict=True)]
    return Score.from_rows(columns, ticks_per_quarter=1, end=len(frames), tracks=(Track("piano"),))


def row(name: str, limit: int | None = None, **settings: Any) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many sequences of each part, `settings` change the Config."""
    parts = read(name)
    begin = time.perf_counter()
    scores = {part: [to_score(frames) for frames in sequences[:limit]] for part, sequences in parts.items()}
    pieces = {part: [Piece(score, str(i)) for i, score in enumerate(found)] for part, found in scores.items()}
    model = Transformer(**{**SETTINGS, **ROWS[name], **settings}).fit(pieces["train"], valid=pieces[VALID],
                                                                      report=show_training)
    fitted = time.perf_counter() - begin
    return {**{part: mean(model, scores[part]) for part in (VALID, TEST)}, "steps": model.record()["best step"],
            "parameters": sum(array.size for array in model.player.arrays.values()), "fit, s": round(fitted, 1),
            "all, s": round(time.perf_counter() - begin, 1)}


def mean(model: Transformer, scores: Sequence[Score]) -> float:
    """Return the nats that the frames of all scores cost, by frame."""
    nats = sum(-model.log_prob(score).nats for score in scores)
    return round(nats / sum(score.end for score in scores), 4)


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=";", limit=None)
