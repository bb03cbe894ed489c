"""JSB chorales on the 16th grid, nats per voice token, by the markov family from Scores.

    python bench/tables/jsb_markov.py [--data DIR] [--rows normalised,augmented,plain]

A token is one voice in one 16th frame (total nats / (4 × frames)), every token charged. The adapter merges equal
consecutive pitches of a voice into one note, rests (−1) are gaps, and goes back without loss (asserted). The frames
hold no meter and no key: bars are 16 frames from the first, and the key is summed over. Tracks are the four voices.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from partimento.models.base import Piece
from partimento.models.markov import Markov
from partimento.score import Score, Track

VOICES = tuple(Track(name, 52) for name in ("soprano", "alto", "tenor", "bass"))
ROWS = {
    "normalised": {},
    "augmented": {"normalise": False, "transpositions": 12},
    "plain": {"normalise": False},
}


def to_score(frames: np.ndarray) -> Score:
    """One note for each run of equal pitches in a voice; a 16th is 1 tick of 4 a quarter."""
    rows = []
    for voice in range(4):
        pitch = frames[:, voice]
        begins = np.flatnonzero(np.concatenate([[True], pitch[1:] != pitch[:-1]]))
        ends = np.append(begins[1:], len(pitch))
        rows += [(b, e - b, pitch[b], 80, voice) for b, e in zip(begins, ends, strict=True) if pitch[b] >= 0]
    onset, duration, pitch, velocity, track = np.array(rows).T
    return Score(onset=onset, duration=duration, pitch=pitch, velocity=velocity, track=track, ticks_per_quarter=4,
                 end=len(frames), tracks=VOICES)


def to_frames(score: Score) -> np.ndarray:
    frames = np.full((score.end, 4), -1)
    for onset, duration, pitch, _, track in score.notes().tolist():
        frames[onset:onset + duration, track] = pitch
    return frames


def soprano_grams(frames: np.ndarray) -> set[tuple[int, ...]]:
    """Interval 8-grams of the soprano: runs of eight successive intervals between notes."""
    pitch = frames[:, 0]
    notes = pitch[np.concatenate([[True], pitch[1:] != pitch[:-1]]) & (pitch >= 0)]
    steps = np.diff(notes).tolist()
    return {tuple(steps[i:i + 8]) for i in range(len(steps) - 7)}


def clean(test: list[np.ndarray], train: list[np.ndarray]) -> list[bool]:
    """Test pieces that share under half of their soprano interval 8-grams with any one training piece."""
    learnt = [soprano_grams(t) for t in train]
    return [max(len(own & other) for other in learnt) < 0.5 * len(own) if own else True
            for own in map(soprano_grams, test)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("/data/jsb_chorales"))
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--limit", type=int, default=None, help="only so many pieces of each part")
    parser.add_argument("--parts", default="valid,test")
    parser.add_argument("--set", default="{}", help="more settings, JSON")
    args = parser.parse_args()
    data = json.loads((args.data / "Jsb16thSeparated.json").read_text())
    parts = {name: [np.array(p) for p in pieces] for name, pieces in data.items()}
    for pieces in parts.values():
        for frames in pieces:
            if not np.array_equal(to_frames(to_score(frames)), frames):
                raise SystemExit("the adapter must go back without loss")
    train = [Piece(to_score(frames), str(i)) for i, frames in enumerate(parts["train"])]
    settings = {"grid": 4, "given": ("before",), "order": 5, **json.loads(args.set)}
    for row in args.rows.split(","):
        begin = time.perf_counter()
        model = Markov(**{**settings, **ROWS[row]}).fit(train)
        fitted = time.perf_counter() - begin
        for part in args.parts.split(","):
            pieces = parts[part][:args.limit]
            found = [model.log_prob(to_score(frames)) for frames in pieces]
            nats = np.array([-f.nats for f in found])
            tokens = np.array([4 * len(frames) for frames in pieces])
            out = {"row": row, "part": part, "pieces": len(pieces), "nats_per_token": round(nats.sum() / tokens.sum(), 4),
                   "parts": {k: round(-sum(f.parts[k] for f in found) / tokens.sum(), 4) for k in found[0].parts},
                   "fit_s": round(fitted, 1), "total_s": round(time.perf_counter() - begin, 1)}
            if part == "test":
                apart = np.array(clean(pieces, parts["train"]))
                out["clean"] = round(nats[apart].sum() / tokens[apart].sum(), 4)
                out["leaked"] = round(nats[~apart].sum() / tokens[~apart].sum(), 4) if (~apart).any() else None
                out["clean_pieces"] = int(apart.sum())
            print(json.dumps(out), flush=True)


if __name__ == "__main__":
    main()
