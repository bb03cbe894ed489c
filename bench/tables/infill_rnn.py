"""What follows a blank, heard in two ways by an LSTM: nats a note that is to be written there, lower is better.

    python bench/run.py --tables infill_rnn
    python bench/tables/infill_rnn.py --rows "from the right" --set '{"steps": 50}'     # by hand
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))
from peers import music, peer, rows_by_hand

from partimento.data import load
from partimento.events.fields import BITS, MAX_MOVE, NONE, NOTE
from partimento.events.library import Library, Window
from partimento.events.written import COLUMN, OFFSET, TRACK_COLUMN
from partimento.network import Shape, init

PROTOCOL = (
    "400 pieces of pop909 to learn from, 60 others to be measured on (whole songs apart). Windows of 128 events in "
    "which something is kept ahead: what follows some bar, whole tracks, or notes here and there. Charged are the "
    "notes to be written, each stage renormalised over what does not pass the next kept note, loudness too. The same "
    "LSTM (1 x 192), seed and steps in every row. `on the page`: each event is told the next kept pitch of its track, "
    "when it comes, and what is kept here and soon. `from the right`: instead, a GRU of 128 units reads the kept "
    "notes from the end backwards, and what it knows joins what the LSTM knows. `both`, and `neither`.")
SETTINGS: dict[str, Any] = {"steps": 500, "batch": 16, "window": 128, "width": 192, "lr": 4e-3, "pieces": 400}
ROWS = {"on the page": (True, False), "from the right": (False, True), "both": (True, True), "neither": (False, False)}
BACK = 128


def rows() -> list[str]:
    """Return the names of the rows."""
    return list(ROWS)


def row(name: str, **settings: Any) -> dict[str, Any]:
    """Return the cells of a row; `settings` change SETTINGS."""
    peer("torch")
    import torch

    from partimento.nets.loop import Plan, run

    given = {**SETTINGS, **settings}
    page, right = ROWS[name]
    begin = time.perf_counter()
    corpus = load(music("pop909"), valid_share=0.1, seed=0, near="ignore")
    train, valid = Library.of(corpus.train[:given["pieces"]], 12), Library.of(corpus.valid[:60], 12)
    shape = Shape(cell="lstm", layers=1, width=given["width"], head=given["width"], track=64)
    torch.manual_seed(0)
    task = task_of(shape, train, valid, page, right, given)
    plan = Plan(steps=given["steps"], lr=given["lr"], warmup=50, ema=0.99, micro=given["batch"],
                valid_every=max(given["steps"] // 5, 1))
    done = run(task, plan, device="cpu")
    train.close()
    valid.close()
    return {"valid": round(min(held for _, _, held in done.curve if held is not None), 4), "steps": done.step,
            "parameters": sum(array.size for array in done.weights.values()),
            "all, s": round(time.perf_counter() - begin, 1)}


def task_of(shape: Shape, train: Library, valid: Library, page: bool, right: bool, given: Mapping[str, Any]) -> Any:
    """Return the task for the loop."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    from partimento.nets.recurrent import Recurrent
    from partimento.nets.task import Streams

    class Network(Recurrent):
        def __init__(self) -> None:
            super().__init__(shape, dropout=0.1)
            if right:
                self.back_table = nn.Parameter(torch.from_numpy(
                    init(Shape(width=BACK, layers=1), 1)["input.table"]))
                self.back = nn.GRU(BACK, BACK, batch_first=True)
                self.joined = nn.Parameter(torch.zeros(BACK, shape.width))

        def load(self, arrays: Mapping[str, Any]) -> None:
            own = {n: p for n, p in self.named_parameters() if not n.startswith(("back", "joined"))}
            with torch.no_grad():
                for n, p in own.items():
                    p.copy_(torch.from_numpy(np.array(arrays[n], np.float32)))

        def losses(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            self.heard = batch
            return super().losses(batch)

        def _known(self, index: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
            known = super()._known(index, bits)
            if not right:
                return known
            rows = self.heard["back_rows"]                  # from the right, 0 where there is none: row 0 is padding
            b, n, f = rows.shape
            x = F.embedding_bag(rows.reshape(b * n, f), self.back_table, mode="sum").reshape(b, n, BACK)
            out = F.pad(self.back(x)[0], (0, 0, 1, 0))      # state before any is 0
            at = self.heard["back_count"]                   # how many kept notes are not yet passed, at each event
            read = torch.gather(out, 1, at[..., None].expand(-1, -1, BACK))
            return known + read @ self.joined

    class Task(Streams):
        def loss(self, rows: Sequence[Window], device: torch.device) -> tuple[torch.Tensor, float]:
            library = self.library if self.network.training else self.held_out
            arrays, units = library.batch(rows, 1.0)
            if right:
                arrays |= backwards(library, rows, arrays["index"].shape[1])
            if not page:
                unsaid(arrays)
            batch = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
            found = self.network.losses(batch)
            return torch.stack(list(found.values())).sum(), units

    return Task(Network(), train, valid, seed=0, batch=given["batch"], window=given["window"], kept=1.0,
                transpositions=12, snapshot=lambda weights: None)


def unsaid(arrays: dict[str, Any]) -> None:
    """Leave off the page what is kept ahead."""
    for field in ("next", "wait", "from_wait"):
        arrays["index"][..., COLUMN[field]] = NONE[field]
    sizes = {field.name: field.size for field in BITS}
    for field in ("from_known", "known", "soon", "onsets"):
        arrays["bits"][..., OFFSET[field]:OFFSET[field] + sizes[field]] = False
    arrays["tracks"][..., TRACK_COLUMN["t_known"]] = 0


def backwards(library: Library, rows: Sequence[Window], length: int) -> dict[str, Any]:
    """Return the kept notes of each window from the right, as rows of a table, and how many each event has ahead."""
    from partimento.network import table

    where = table("input")
    offsets = [where.offset[name] for name in ("pitch", "track", "program", "duration", "place")]
    columns = [COLUMN[name] for name in ("pitch", "track", "program", "duration", "place")]
    found = [library.drill(row, 1.0)[:2] for row in rows]
    most = max([1, *(int(known.sum()) for _, known in found)])
    back = np.zeros((len(rows), most, len(columns) + 1), np.int64)
    count = np.zeros((len(rows), length), np.int64)
    for b, (stream, known) in enumerate(found):
        at = np.flatnonzero(known & (stream.index[:, COLUMN["kind"]] == NOTE))[::-1]
        gap = np.minimum(-np.diff(stream.step[at], prepend=stream.step[at[:1]]), MAX_MOVE)
        back[b, :len(at), :-1] = stream.index[at][:, columns] + offsets
        back[b, :len(at), -1] = where.offset["move"] + gap
        count[b] = np.searchsorted(-at, -np.arange(length), side="right")
    return {"back_rows": back, "back_count": count}


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row)
