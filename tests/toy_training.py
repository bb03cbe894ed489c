"""A toy to train for the tests of the loop; as a program it trains in a process of its own."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from partimento.models.base import Model, Progress
from partimento.models.random import Random
from partimento.nets.loop import Outcome, Plan, run

SYMBOLS = 7
PLAN = Plan(steps=40, lr=0.05, warmup=5, ema=0.9, micro=32, valid_every=10, precision="float32", seed=3)


class Toy:
    """Rows are (a, b, next, units): the next symbol is mostly a + b; a row counts `units` times."""

    def __init__(self, *, dropout: float = 0.3, batch: int = 32, valid: int = 2, wait: float = 0.0) -> None:
        first = np.random.default_rng(0)
        self.network = torch.nn.Sequential(
            torch.nn.Embedding(SYMBOLS, 8), torch.nn.Flatten(), torch.nn.Linear(16, 24), torch.nn.ReLU(),
            torch.nn.Dropout(dropout), torch.nn.Linear(24, SYMBOLS))  # fmt: skip
        with torch.no_grad():
            for param in self.network.parameters():
                param.copy_(torch.from_numpy(0.3 * first.standard_normal(tuple(param.shape))))
        self.batch, self.wait = batch, wait
        self.batches = [self._rows(np.random.default_rng([9, index]), 50) for index in range(valid)]
        self.sizes: list[int] = []              # of all micro-batches asked for

    def _rows(self, rng: np.random.Generator, count: int) -> list[np.ndarray]:
        pairs = rng.integers(0, SYMBOLS, (count, 2))
        odd = rng.random(count) < 0.1
        following = (pairs.sum(1) + odd * rng.integers(0, SYMBOLS, count)) % SYMBOLS
        return list(np.column_stack([pairs, following, rng.integers(1, 4, count)]))

    def rows(self, step: int) -> Sequence[Any]:
        return self._rows(np.random.default_rng([1, step]), self.batch)

    def loss(self, rows: Sequence[Any], device: torch.device) -> tuple[torch.Tensor, float]:
        self.sizes.append(len(rows))
        time.sleep(self.wait)
        data = torch.from_numpy(np.stack(rows)).to(device)
        logits = self.network(data[:, :2]).float()
        nats = torch.nn.functional.cross_entropy(logits, data[:, 2], reduction="none")
        return (nats * data[:, 3]).sum(), float(data[:, 3].sum())

    def valid(self) -> Sequence[Sequence[Any]]:
        return self.batches

    def snapshot(self, weights: Mapping[str, np.ndarray]) -> Model | None:
        return Random() if weights else None


class Watch:
    """A report that notes everything, and says False at the given call."""

    def __init__(self, stop: Callable[[Progress], bool] = lambda progress: False) -> None:
        self.seen: list[Progress] = []
        self.stop = stop

    def __call__(self, progress: Progress) -> bool:
        self.seen.append(progress)
        return not self.stop(progress)


def plan(**change: Any) -> Plan:
    return dataclasses.replace(PLAN, **change)


def farthest(one: Outcome, other: Outcome) -> float:
    assert one.weights.keys() == other.weights.keys()
    return max(float(np.abs(one.weights[name] - other.weights[name]).max()) for name in one.weights)


def same(one: Outcome, other: Outcome) -> bool:
    return farthest(one, other) == 0 and (one.curve, one.best_step) == (other.curve, other.best_step)


PAIR: dict[str, Any] = {"steps": 30, "micro": 10, "patience": 100}


def main(kind: str, out: Path) -> None:
    """Train the toy, half the rows in each of two processes or keeping its state all the time, and write weights."""
    moments = iter(["", "it trains\n"])         # at the start, and after a step; then no more

    def tell(at: Progress) -> bool:
        print(next(moments, ""), end="", flush=True)
        return True

    kept = out.with_suffix(".state")
    if kind == "pair":
        found = run(Toy(dropout=0), dataclasses.replace(PLAN, **PAIR), keep=kept)
        names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
        if any("gloo" in name or "store" in name for name in names):    # seen on Linux alone
            sys.exit(f"the group of processes was left, and its threads are there: {names}")
    else:
        way = dataclasses.replace(PLAN, steps=2_500, save_seconds=0.0, valid_every=50)
        found = run(Toy(wait=0.001), way, keep=kept, report=tell)
    np.savez(out, **found.weights)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
