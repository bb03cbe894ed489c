"""The recurrent network over events in torch, for training; what it computes stands in `partimento.network`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from partimento.network import KEY_STARTS, Shape, check, init, sizes, table

_CORES: dict[str, Any] = {"tanh": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
_NEVER = -1e9           # the logit of what is not legal
_NONE = -1              # the choice of an event that is charged none
_ROUND = 256            # choices of a stage are weighed in multiples of so many: kernels are made anew for every size


class Recurrent(nn.Module):
    """A network of a shape that learns; its parameters have the names of `partimento.network.sizes`.

    It begins with the weights of `partimento.network.init`. `dropout` (0 to 1; in training only) is the share of units
    left out of each event's input, between layers, and of what the stages get from the past.
    """

    def __init__(self, shape: Shape, *, dropout: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        self.shape, self.dropout = shape, dropout
        self.core = _CORES[shape.cell](shape.width, shape.width, shape.layers, batch_first=True,
                                       dropout=dropout if shape.layers > 1 else 0.0)
        for room in ("input", *shape.stages):
            self.add_module(room, nn.Module())
        for name, size in sizes(shape).items():
            room, _, part = name.partition(".")
            if room != "core":
                self.get_submodule(room).register_parameter(part, nn.Parameter(torch.empty(size)))
        self.load(init(shape, seed))

    def load(self, arrays: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Take these weights; CheckpointError where they are not those of this shape."""
        check(self.shape, arrays)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                parameter.copy_(torch.from_numpy(np.array(arrays[name], np.float32)))

    def weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """Copies of the weights, float32 by name, as `partimento.network.Player` takes them."""
        return {name: parameter.detach().float().cpu().numpy().copy() for name, parameter in self.named_parameters()}

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
            target = F.pad(target[at], (0, -len(at) % _ROUND), value=_NONE)
            at = F.pad(at, (0, -len(at) % _ROUND))
            units = self._picked(stage, index[at], bits[at]) + known[at] @ self.get_parameter(f"{stage}.hidden")
            units = units + self.get_parameter(f"{stage}.bias")
            legal: Tensor | None = None
            if stage == "track":
                logits = self._scores(units, batch["tracks"].flatten(0, 1)[at])
                legal = batch["track_ok"].flatten(0, 1)[at]
            else:
                logits = F.relu(units) @ self.get_parameter(f"{stage}.out") + self.get_parameter(f"{stage}.out_bias")
                if (limit := batch.get(f"{stage}_limit")) is not None:
                    legal = torch.arange(logits.shape[1], device=logits.device) <= limit.flatten()[at, None]
            logits = logits.float()
            if legal is not None:
                logits = logits.masked_fill(~legal, _NEVER)
            costs[stage] = F.cross_entropy(logits, target, reduction="sum", ignore_index=_NONE)
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
            kind = index.device.type
            dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else sets.dtype
            out = out + bits[:, where.bits].to(dtype) @ sets
        return out

    def _scores(self, query: Tensor, tracks: Tensor) -> Tensor:
        """How well each track fits, before any mask: float[events, K]."""
        rows = tracks + torch.from_numpy(KEY_STARTS).to(tracks.device)
        keys = F.embedding_bag(rows.flatten(0, 1), self.get_parameter("track.keys"), mode="sum")
        keys = keys.reshape(*tracks.shape[:2], self.shape.track)
        return F.relu(keys + query[:, None]) @ self.get_parameter("track.out")
