"""The recurrent network over events in torch, for training; what it computes stands in `partimento.network`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from partimento.nets.stages import NONE, StageNetwork, multiplied_in
from partimento.network import Shape, init, sizes, table

_CORES: dict[str, Any] = {"tanh": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
_ROUND = 256            # choices of a stage are weighed in multiples of so many: kernels are made anew for every size


class Recurrent(StageNetwork):
    """A network of a shape that learns; its parameters have the names of `partimento.network.sizes`.

    It begins with the weights of `partimento.network.init`. `dropout` (0 to 1; in training only) is the share of units
    left out of each event's input, between layers, and of what the stages get from the past.
    """

    core: Any               # the cell

    def __init__(self, shape: Shape, *, dropout: float = 0.0, seed: int = 0) -> None:
        super().__init__(sizes(shape), core=_CORES[shape.cell](
            shape.width, shape.width, shape.layers, batch_first=True, dropout=dropout if shape.layers > 1 else 0.0))
        self.shape, self.dropout = shape, dropout
        self.load(init(shape, seed))

    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What each stage's choices cost in nats, summed over the batch: a scalar a stage, differentiable.

        B streams of T events, K tracks: ``index`` int64[B, T, INDEX], ``bits`` bool[B, T, BITS], ``tracks``
        int64[B, T, K, TRACK_INDEX]; what is legal: ``move_limit`` and ``pitch_limit`` int64[B, T] (the highest),
        ``track_ok`` bool[B, T, K]; and by the name of each stage its choices, int64[B, T], −1 where none is charged, as
        in what only pads a stream.
        """
        index, bits = batch["index"], batch["bits"]
        known = self._known(index, bits).flatten(0, 1)
        index, bits = index.flatten(0, 1), bits.flatten(0, 1)
        costs = {}
        for stage in self.shape.stages:
            target = batch[stage].flatten()
            at = torch.nonzero(target >= 0).squeeze(1)
            target = F.pad(target[at], (0, -len(at) % _ROUND), value=NONE)
            at = F.pad(at, (0, -len(at) % _ROUND))
            units = self._picked(stage, index[at], bits[at]) + known[at] @ self.get_parameter(f"{stage}.hidden")
            units = units + self.get_parameter(f"{stage}.bias")
            if stage == "track":
                logits = self.track_scores(units, batch["tracks"].flatten(0, 1)[at])
            else:
                logits = F.relu(units) @ self.get_parameter(f"{stage}.out") + self.get_parameter(f"{stage}.out_bias")
            costs[stage] = self.cost(batch, stage, logits, at, target)
        return costs

    def _known(self, index: Tensor, bits: Tensor) -> Tensor:
        """What is known before each event: float[B, T, width], 0 before the first."""
        x = self._picked("input", index.flatten(0, 1), bits.flatten(0, 1)) + self.get_parameter("input.bias")
        h = self.core(self._drop(x).reshape(*index.shape[:2], self.shape.width))[0]
        return F.pad(self._drop(h)[:, :-1], (0, 0, 1, 0))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)

    def _picked(self, name: str, index: Tensor, bits: Tensor) -> Tensor:
        """The sums of the rows that each event picks of a table: float[events, its width]."""
        where, rows = table(name), self.get_parameter(f"{name}.table")
        fields, sets = torch.split(rows, [where.first_bit, where.size - where.first_bit])
        picked = index[:, torch.from_numpy(where.columns)] + torch.from_numpy(where.starts).to(index.device)
        out = F.embedding_bag(picked, fields, mode="sum")
        if len(sets):
            out = out + bits[:, where.bits].to(multiplied_in(sets)) @ sets
        return out
