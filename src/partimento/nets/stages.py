"""What the networks over events have in common in torch: weights by name, and what the choices of a stage cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from partimento.network import KEY_STARTS, check_arrays

NEVER = -1e9            # the logit of what is not legal
NONE = -1               # the choice of an event that is charged none


class StageNetwork(nn.Module):
    """A network whose weights have the names and shapes of `sizes`; those of a module that is there stay in it."""

    def __init__(self, sizes: Mapping[str, tuple[int, ...]], **modules: nn.Module) -> None:
        super().__init__()
        self.sizes = dict(sizes)
        for name, module in modules.items():
            self.add_module(name, module)
        for name, size in sizes.items():
            room, _, part = name.partition(".")
            if room in modules:
                continue
            if room not in self._modules:
                self.add_module(room, nn.Module())
            self.get_submodule(room).register_parameter(part, nn.Parameter(torch.empty(size)))

    def load(self, arrays: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Take these weights; CheckpointError where they are not those of this network."""
        check_arrays(self.sizes, arrays)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                parameter.copy_(torch.from_numpy(np.array(arrays[name], np.float32)))

    def weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """Copies of the weights, float32 by name, as a player takes them."""
        return {name: parameter.detach().float().cpu().numpy().copy() for name, parameter in self.named_parameters()}

    def cost(self, batch: Mapping[str, Tensor], stage: str, logits: Tensor, at: Tensor, target: Tensor) -> Tensor:
        """Nats of the choices `target` (NONE: not charged) of the events `at` of a batch, among what is legal there."""
        legal: Tensor | None = None
        if stage == "track":
            legal = batch["track_ok"].flatten(0, 1)[at]
        elif (limit := batch.get(f"{stage}_limit")) is not None:
            legal = torch.arange(logits.shape[1], device=logits.device) <= limit.flatten()[at, None]
        logits = logits.float()
        if legal is not None:
            logits = logits.masked_fill(~legal, NEVER)
        return F.cross_entropy(logits, target, reduction="sum", ignore_index=NONE)

    def track_scores(self, query: Tensor, tracks: Tensor) -> Tensor:
        """How well each of K tracks fits, before any mask: float[events, K]; `tracks` int64[events, K, TRACK_INDEX]."""
        rows = tracks + torch.from_numpy(KEY_STARTS).to(tracks.device)
        keys = F.embedding_bag(rows.flatten(0, 1), self.get_parameter("track.keys"), mode="sum")
        keys = keys.reshape(*tracks.shape[:2], query.shape[-1])
        return F.relu(keys + query[:, None]) @ self.get_parameter("track.out")


def multiplied_in(x: Tensor) -> torch.dtype:
    """The type in which autocast multiplies what is where x is, or that of x."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
