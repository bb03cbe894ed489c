"""Bach chorales on the 16th grid, by the markov family from Scores: nats per voice token, lower is better.

    python bench/run.py --tables jsb_markov
    python bench/tables/jsb_markov.py --rows plain --limit 5 --set '{"order": 4}'     # by hand, some pieces
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.append(str(Path(__file__).resolve().parents[1]))
from peers import music, rows_by_hand, show_training

from partimento.models.base import Model, Piece
from partimento.models.markov import Markov
from partimento.score import Score, Track

PROTOCOL = (
    "jsb_chorales, the standard split (229, 76, 77 pieces). A token is one voice in one 16th frame: total nats / "
    "(4 × frames), every token charged. Frames become Scores without loss (asserted): a run of equal pitches in a "
    "voice is one note, −1 is a gap. The frames hold no meter and no key: bars are 16 frames from the first, and the "
    "key is summed over. `augmented` counts each training piece in 12 keys; `normalised` counts degrees of the key "
    "that is heard; `plain` does neither; `product` is `normalised` with the viewpoints of pitch multiplied. The "
    "standard split leaks: `test clean` are the test pieces that share under half of their soprano interval 8-grams "
    "with any one training piece, `test leaked` the others.")
VALID, TEST, CLEAN, LEAKED = "valid", "test", "test clean", "test leaked"
PUBLISHED = [
    {"name": "Markov, order 4", VALID: 0.834, TEST: 0.869, "augmented": False, "source": "measured before"},
    {"name": "back-off counts", VALID: 0.554, TEST: 0.576, "augmented": True, "source": "measured before"},
    {"name": "RoPE / PoPE Transformer", TEST: "0.508 / 0.489", "source": "paper, augmentation not stated"},
    {"name": "HoPE / DaRoPE", TEST: "0.457 / 0.4547", "source": "paper, augmentation not stated"},
    {"name": "Transformer / Music Transformer", VALID: "0.417 / 0.335", "source": "second-hand"},
    {"name": "CoCoNet, chronological", VALID: 0.436, "augmented": False, "source": "unverified"},
    {"name": "RoPE Transformer, 4.8 M", VALID: 0.397, TEST: 0.406, CLEAN: 0.431, LEAKED: 0.367, "augmented": True,
     "source": "measured before, with 29 pieces called leaked"},
]
VOICES = tuple(Track(name, 52) for name in ("soprano", "alto", "tenor", "bass"))
SETTINGS = {"grid": 4, "given": ("before",), "order": 5, "product": False}
ROWS: dict[str, dict[str, Any]] = {
    "augmented": {"normalise": False, "transpositions": 12},
    "normalised": {},
    "plain": {"normalise": False},
    "product": {"product": True},
}
Frames = npt.NDArray[np.int64]


def rows() -> list[str]:
    """Return the names of the rows."""
    return list(ROWS)


def row(name: str, limit: int | None = None, **settings: Any) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many pieces of each part, `settings` change the Config."""
    parts = read()
    begin = time.perf_counter()
    train = [Piece(to_score(frames), str(i)) for i, frames in enumerate(parts["train"])]
    model = Markov(**{**SETTINGS, **ROWS[name], **settings}).fit(train)
    fitted = time.perf_counter() - begin
    return {**weighed(model, parts, limit), "augmented": ROWS[name].get("transpositions", 1) > 1,
            "fit, s": round(fitted, 1), "all, s": round(time.perf_counter() - begin, 1)}


def taught(model: Model, limit: int | None, seed: int = 0) -> dict[str, Any]:
    """Return the cells of a model that learns from the training pieces by steps, checked on the validation pieces."""
    parts = read()
    begin = time.perf_counter()
    pieces = {part: [Piece(to_score(frames), str(i)) for i, frames in enumerate(parts[part])]
              for part in ("train", "valid")}
    model.fit(pieces["train"], valid=pieces["valid"], seed=seed, report=show_training)
    fitted = time.perf_counter() - begin
    return {**weighed(model, parts, limit), "steps": model.record()["best step"], "fit, s": round(fitted, 1),
            "all, s": round(time.perf_counter() - begin, 1)}


def weighed(model: Model, parts: Mapping[str, list[Frames]], limit: int | None) -> dict[str, Any]:
    """Return nats per voice token of the pieces that were not learnt from, and how many of the test are clean."""
    apart = np.array(clean(parts["test"][:limit], parts["train"]))
    nats, tokens = {}, {}
    for part in ("valid", "test"):
        pieces = parts[part][:limit]
        nats[part] = np.array([-model.log_prob(to_score(frames)).nats for frames in pieces])
        tokens[part] = np.array([4 * len(frames) for frames in pieces])

    def mean(part: str, which: Any = slice(None)) -> float | None:
        count = tokens[part][which].sum()
        return round(float(nats[part][which].sum() / count), 4) if count else None

    return {VALID: mean("valid"), TEST: mean("test"), CLEAN: mean("test", apart), LEAKED: mean("test", ~apart),
            "clean of test": f"{apart.sum()} of {len(apart)}"}


def read() -> dict[str, list[Frames]]:
    """Return the frames of each part of the split; SystemExit where they do not come back from a Score."""
    data = json.loads((music("jsb_chorales") / "Jsb16thSeparated.json").read_text(encoding="utf-8"))
    parts = {name: [np.array(frames) for frames in pieces] for name, pieces in data.items()}
    if not all(np.array_equal(to_frames(to_score(frames)), frames) for pieces in parts.values() for frames in pieces):
        raise SystemExit("frames must become Scores and come back without loss")
    return parts


def to_score(frames: Frames) -> Score:
    """Return one note for each run of equal pitches in a voice; a 16th is 1 tick of 4 a quarter."""
    notes = []
    for voice in range(4):
        pitch = frames[:, voice]
        begins = np.flatnonzero(np.concatenate([[True], pitch[1:] != pitch[:-1]]))
        ends = np.append(begins[1:], len(pitch))
        notes += [(b, e - b, pitch[b], 80, voice) for b, e in zip(begins, ends, strict=True) if pitch[b] >= 0]
    return Score.from_rows(notes, ticks_per_quarter=4, end=len(frames), tracks=VOICES)


def to_frames(score: Score) -> Frames:
    """Return the frames of a Score of four voices."""
    frames = np.full((score.end, 4), -1)
    for onset, duration, pitch, _, track in score.notes().tolist():
        frames[onset:onset + duration, track] = pitch
    return frames


def soprano_grams(frames: Frames) -> set[tuple[int, ...]]:
    """Return the interval 8-grams of the soprano: runs of eight successive intervals between notes."""
    pitch = frames[:, 0]
    notes = pitch[np.concatenate([[True], pitch[1:] != pitch[:-1]]) & (pitch >= 0)]
    steps = np.diff(notes).tolist()
    return {tuple(steps[i:i + 8]) for i in range(len(steps) - 7)}


def clean(test: list[Frames], train: list[Frames]) -> list[bool]:
    """Return which test pieces share under half of their soprano interval 8-grams with any one training piece."""
    learnt = [soprano_grams(frames) for frames in train]
    return [max(len(own & other) for other in learnt) < 0.5 * len(own) if own else True
            for own in map(soprano_grams, test)]


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, limit=None)
