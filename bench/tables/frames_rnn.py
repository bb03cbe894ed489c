"""Polyphonic frames, by recurrent networks whose 88 keys are independent given the past: nats a frame, lower is better.

    python bench/run.py --tables frames_rnn
    python bench/tables/frames_rnn.py --rows "LSTM, JSB" --set '{"lr": 0.002}'     # by hand

It shows that the protocol is the published one and that the house's training loop reaches the published numbers; what
a family of the house gives on such frames is not in it, as no family says its keys independently.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

sys.path.append(str(Path(__file__).resolve().parents[1]))
from peers import music, peer, rows_by_hand

PROTOCOL = (
    "poly_frames, the standard splits (sequences: JSB 229, 76, 77; Nottingham 694, 173, 170). Frame t given the "
    "frames before it: minus the log-probability of its 88 keys, each a sigmoid of its own, summed over the keys; "
    "then the sum over all predicted frames of a part divided by how many they are (so a long piece counts for more), "
    "as the code of Bai et al. 2018 does. `valid` and `test` do as it does, too, in not charging the first frame of a "
    "sequence, of which nothing is known; in `test, first frame too` it is charged, given an empty frame, with the "
    "same weights. No transposition. Weights are those best on `valid`.")
VALID, TEST, FIRST = "valid", "test", "test, first frame too"
BAI = "Bai et al. 2018"
PUBLISHED = [{"name": f"{cell}, {data}", TEST: nats, "source": BAI} for data, cell, nats in (
    ("JSB", "LSTM", 8.45), ("JSB", "GRU", 8.43), ("JSB", "tanh", 8.91), ("JSB", "TCN", 8.10),
    ("Nottingham", "LSTM", 3.29), ("Nottingham", "GRU", 3.46), ("Nottingham", "tanh", 4.05),
    ("Nottingham", "TCN", 3.07))]  # fmt: skip
KEYS = 88
FILES = {"JSB": "JSB_Chorales.mat", "Nottingham": "Nottingham.mat"}
PARTS = {"train": "traindata", VALID: "validdata", TEST: "testdata"}
Frames = npt.NDArray[np.float32]


class Settings(NamedTuple):
    """What a row is trained with: the size of the network, its dropout, and the steps of the loop."""

    width: int = 200
    layers: int = 1
    dropout_input: float = 0.2
    dropout: float = 0.5    # between layers and before the output
    batch: int = 8          # sequences
    window: int = 10_000    # frames at most of a sequence in one step, from a drawn place
    steps: int = 2500
    lr: float = 1e-2
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.99
    valid_every: int = 50
    patience: int = 8


PRESETS = {
    "JSB": Settings(),
    "Nottingham": Settings(width=400, dropout_input=0.1, dropout=0.4, window=100, steps=4000, valid_every=500),
}
CHANGES: dict[str, dict[str, Any]] = {  # of rows or of cells: these take smaller steps than the LSTM
    "GRU": {"lr": 5e-3, "clip": 0.5, "dropout_input": 0.0, "dropout": 0.2},
    "tanh": {"lr": 1e-3, "clip": 0.3, "dropout_input": 0.0, "dropout": 0.2},
    "GRU, Nottingham": {"lr": 7e-4, "clip": 5.0, "dropout": 0.1, "width": 280, "batch": 4, "steps": 8000, "ema": 0.995},
}
CELLS = ("LSTM", "GRU", "tanh")


def rows() -> list[str]:
    """Return the names of the rows."""
    return [f"{cell}, {data}" for data in FILES for cell in CELLS]


def read(data: str) -> dict[str, list[Frames]]:
    """Return the sequences of each part, each [frames, 88] of 0 and 1."""
    matrix = peer("scipy.io").loadmat(music("poly_frames") / FILES[data])
    return {part: [frames.astype(np.float32) for frames in matrix[key][0]] for part, key in PARTS.items()}


def row(name: str, seed: int = 0, **settings: Any) -> dict[str, Any]:
    """Return the cells of a row; `settings` change those of its data and cell."""
    torch = peer("torch")
    from partimento.nets import loop

    cell, data = name.split(", ")
    chosen = PRESETS[data]._replace(**{**CHANGES.get(cell, {}), **CHANGES.get(name, {}), **settings})
    parts = read(data)
    torch.manual_seed(seed)
    task = FrameTask(network(cell, chosen), parts["train"], parts[VALID], chosen, seed)
    plan = loop.Plan(steps=chosen.steps, seconds=None, lr=chosen.lr, warmup=50, weight_decay=chosen.weight_decay,
                     betas=(0.9, 0.99), clip=chosen.clip, ema=chosen.ema, micro=chosen.batch,
                     valid_every=chosen.valid_every, patience=chosen.patience, precision="float32", seed=seed)
    begin = time.perf_counter()
    outcome = loop.run(task, plan)
    seconds = time.perf_counter() - begin
    task.network.load_state_dict({key: torch.from_numpy(array) for key, array in outcome.weights.items()})
    return {VALID: mean(task, parts[VALID]), TEST: mean(task, parts[TEST]), FIRST: mean(task, parts[TEST], first=True),
            "width": chosen.width, "layers": chosen.layers,
            "parameters": sum(p.numel() for p in task.network.parameters()),
            "best step": outcome.best_step, "train, s": round(seconds, 1)}


def network(cell: str, settings: Settings) -> Any:
    """Return a torch module from frames [batch, time, 88] to the logits of the frame after each."""
    torch = peer("torch")
    kind = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU, "tanh": torch.nn.RNN}[cell]

    class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            between = settings.dropout if settings.layers > 1 else 0.0
            self.core = kind(KEYS, settings.width, settings.layers, batch_first=True, dropout=between)
            self.out = torch.nn.Linear(settings.width, KEYS)
            self.before, self.after = torch.nn.Dropout(settings.dropout_input), torch.nn.Dropout(settings.dropout)

        def forward(self, frames: Any) -> Any:
            return self.out(self.after(self.core(self.before(frames))[0]))

    return Net()


class FrameTask:
    """Batches of sequences for the loop, a pass over all of them at a time in a shuffled order."""

    def __init__(self, net: Any, train: Sequence[Frames], valid: Sequence[Frames], settings: Settings,
                 seed: int) -> None:  # fmt: skip
        self.network, self.train, self.held, self.seed = net, train, valid, seed
        self.batch, self.window = settings.batch, settings.window

    def rows(self, step: int) -> Sequence[Frames]:
        """Return the sequences of a step: neighbours in length of those drawn, so that little is padded."""
        per_pass = len(self.train) // self.batch
        turn, place = divmod(step, per_pass)
        rng = np.random.default_rng((self.seed, turn))
        lengths = np.array([len(frames) for frames in self.train]) * rng.uniform(0.8, 1.25, len(self.train))
        bucket = int(rng.permutation(per_pass)[place])
        drawn = [self.train[i] for i in np.argsort(lengths)[bucket * self.batch:(bucket + 1) * self.batch]]
        starts = [int(rng.integers(max(0, len(frames) - self.window) + 1)) for frames in drawn]
        return [frames[start:start + self.window] for frames, start in zip(drawn, starts, strict=True)]

    def loss(self, rows: Sequence[Frames], device: Any, first: bool = False) -> tuple[Any, float]:
        """Return the nats of the predicted frames, and how many they are."""
        torch = peer("torch")
        longest = max(map(len, rows)) + first
        block = np.zeros((len(rows), longest, KEYS), np.float32)
        counts = np.array([len(frames) - (not first) for frames in rows])
        for i, frames in enumerate(rows):
            block[i, int(first):len(frames) + first] = frames
        frames = torch.from_numpy(block).to(device)
        charged = torch.from_numpy(np.arange(longest - 1)[None] < counts[:, None]).to(device)
        nats = torch.nn.functional.binary_cross_entropy_with_logits(
            self.network(frames[:, :-1]).float(), frames[:, 1:], reduction="none")
        return (nats.sum(2) * charged).sum(), float(counts.sum())

    def valid(self) -> Sequence[Sequence[Frames]]:
        """Return the held sequences, batched by length."""
        ordered = sorted(self.held, key=len)
        return [ordered[i:i + 32] for i in range(0, len(ordered), 32)]

    def snapshot(self, weights: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Return nothing: there is nothing to hear."""


def mean(task: FrameTask, sequences: Sequence[Frames], first: bool = False) -> float:
    """Return the nats a frame over all frames of some sequences, one sequence at a time."""
    torch = peer("torch")
    task.network.eval()
    with torch.inference_mode():
        found = [task.loss([frames], "cpu", first) for frames in sequences]
    return round(sum(float(nats) for nats, _ in found) / sum(count for _, count in found), 4)


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between="; ")
