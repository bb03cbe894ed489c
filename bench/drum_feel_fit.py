"""Learns the drum feel of `performance.drums` from the training split of groove; needs torch, minutes on one core.

    python bench/drum_feel_fit.py --out src/partimento/performance/drums.safetensors     # and its ledger beside it

Two hidden layers; the loss is the absolute error of the velocity and the squared error of the delay. The epoch with the
lowest loss on the validation split stands. `spread` is by how much a drummer differs from himself where he plays the
same a bar later, by part of the kit: 1.48 times the median of what changes in what is left over, over the root of 2.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent))
from peers import music, peer

from partimento import formats
from partimento.data import ledger
from partimento.performance.drums import KIT, SCALE_MS, STEPS, drum_places, drum_view, kit_parts
from partimento.score import Score

FAR = 90.0                          # ms: a hit further off its place was meant to be elsewhere; it teaches no delay
WIDTHS, EPOCHS, BATCH, RATE, DROP, DECAY = (256, 96), 40, 1024, 2e-3, 0.4, 5e-2
LOUD = 4.0                          # what the velocity counts beside the delay
BAR = 4 * STEPS


def performances(split: str) -> list[tuple[str, bytes, Score]]:
    """Return the files of a split of groove (``train``, ``validation``, ``test``): name, bytes and Score."""
    folder = music("groove")
    with open(folder / "info.csv", encoding="utf-8", newline="") as file:
        names = sorted(row["midi_filename"] for row in csv.DictReader(file) if row["split"] == split)
    return [(name, (folder / name).read_bytes(), formats.read_fast(folder / name)) for name in names]


def taught(score: Score) -> tuple[Any, Any, Any, Any]:
    """Return what is seen of the hits of a performance, what was done (velocity and delay, about 1), part and place."""
    notes, view = drum_view(score, 0)
    _, place = drum_places(score, 0)
    done = np.stack([score.velocity[notes] / 127, delays(score) / SCALE_MS], axis=1)
    return view, done.astype(np.float32), kit_parts(score.pitch[notes]), place


def delays(score: Score) -> Any:
    """Return the milliseconds by which each hit of a performance is behind its place."""
    notes, place = drum_places(score, 0)
    return 1000 * (score.seconds(score.onset[notes]) - score.seconds(place * score.ticks_per_quarter / STEPS))


def fit(train: list[Score], valid: list[Score]) -> dict[str, Any]:
    """Return the arrays of `performance.drums`, learnt from Scores and chosen on others."""
    torch = peer("torch")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    pieces = [taught(score) for score in train]
    x, y = (torch.from_numpy(np.concatenate([piece[k] for piece in pieces])) for k in (0, 1))
    vx, vy = (torch.from_numpy(np.concatenate(column)) for column in
              zip(*(taught(score)[:2] for score in valid), strict=True))
    sizes = (x.shape[1], *WIDTHS, 2)
    layers = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]
    drop = torch.nn.Dropout(DROP)

    def out(seen: Any, learning: bool) -> Any:
        for layer in layers[:-1]:
            seen = torch.relu(layer(seen))
            seen = drop(seen) if learning else seen
        return layers[-1](seen)

    def loss(seen: Any, done: Any, learning: bool = False) -> Any:
        off = out(seen, learning) - done
        near = (done[:, 1].abs() < FAR / SCALE_MS).float()
        return LOUD * off[:, 0].abs().mean() + (off[:, 1] ** 2 * near).mean()

    adam = torch.optim.AdamW([p for layer in layers for p in layer.parameters()], lr=RATE, weight_decay=DECAY)
    plan = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, total_steps=EPOCHS * -(-len(x) // BATCH))
    best, kept, left = float("inf"), {}, y.numpy()
    for epoch in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            value = loss(x[rows], y[rows], learning=True)
            adam.zero_grad()
            value.backward()
            adam.step()
            plan.step()
        with torch.no_grad():
            here = float(loss(vx, vy))
            off = (out(vx, False) - vy).abs().mean(0)
            print(f"epoch {epoch + 1}: {here:.4f}; velocity {127 * float(off[0]):.2f}, "
                  f"{SCALE_MS * float(off[1]):.2f} ms", file=sys.stderr)
            if here < best:
                best, left = here, (y - out(x, False)).numpy()
                kept = {name: (layer.weight.numpy().T.copy(), layer.bias.numpy().copy())
                        for name, layer in zip(("first", "second", "out"), layers, strict=True)}
    arrays = {"spread": spread(left, pieces)}
    for name, (weight, bias) in kept.items():
        arrays |= {name: weight, f"{name} bias": bias}
    return {name: np.array(value, np.float16, order="C") for name, value in arrays.items()}


def spread(left: Any, pieces: list[tuple[Any, Any, Any, Any]]) -> Any:
    """Return by how much drummers differ from themselves a bar later: float[parts, 2], in velocity and milliseconds."""
    changes: list[list[Any]] = [[] for _ in KIT]
    at = 0
    for _, done, part, place in pieces:
        own = left[at:at + len(done)] * [127, SCALE_MS]
        at += len(done)
        for kind in range(len(KIT)):
            rows = np.flatnonzero(part == kind)
            _, now, before = np.intersect1d(place[rows], place[rows] + BAR, return_indices=True)
            changes[kind].append(own[rows[now]] - own[rows[before]])
    return np.array([1.4826 * np.median(np.abs(np.concatenate(c)), axis=0) / np.sqrt(2) for c in changes])


def main() -> None:
    """Fit on the training split and write what was learnt, with its ledger beside it."""
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="where the weights go, with their ledger beside them")
    given = parser.parse_args()
    train, valid = performances("train"), performances("validation")
    save_file(fit([one[2] for one in train], [one[2] for one in valid]), given.out)
    rows = [(name, data, score, used) for pieces, used in ((train, "train"), (valid, "valid"))
            for name, data, score in pieces]
    ledger.write([ledger.Entry(file=name, source="groove", licence="CC-BY-4.0", sha256=hashlib.sha256(data).hexdigest(),
                               used=used, notes=len(score)) for name, data, score, used in rows],
                 given.out.with_suffix(".jsonl"), seed=0)
    print(f"{len(train)} performances taught; {given.out.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
