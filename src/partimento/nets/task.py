"""What the families that read streams of events give to the training loop: windows of music, and the loss on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from partimento.events.library import Library, Window
from partimento.models.base import Model

VALID_WINDOWS = 64


class Network(Protocol):
    """A torch module that weighs a batch of streams."""

    def losses(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Nats of each stage, summed over the batch."""


class Streams:
    """Windows of a library, drawn anew for every step, and their nats under a network.

    `kept` is how often something is known ahead, `transpositions` how many keys a piece is heard in.
    """

    def __init__(self, network: torch.nn.Module, library: Library, valid: Library | None, *, seed: int, batch: int,
                 window: int, kept: float, transpositions: int,
                 snapshot: Callable[[Mapping[str, np.ndarray]], Model | None]) -> None:
        self.network, self.library, self.held_out = network, library, valid
        self.seed, self.size, self.window = seed, batch, window
        self.kept, self.transpositions = kept, transpositions
        self.snapshot = snapshot
        self._valid = valid.all_rows(window, VALID_WINDOWS) if valid is not None else []

    def rows(self, step: int) -> Sequence[Window]:
        """The windows of a step."""
        return self.library.rows(self.seed, step, self.size, self.window, self.transpositions)

    def valid(self) -> Sequence[Sequence[Window]]:
        """The windows to validate on."""
        return [self._valid[i:i + self.size] for i in range(0, len(self._valid), self.size)]

    def loss(self, rows: Sequence[Window], device: torch.device) -> tuple[torch.Tensor, float]:
        """Nats over the rows, and how many notes they charge; known-ahead scenes in training and validation alike."""
        library = self.library if self.network.training or self.held_out is None else self.held_out
        arrays, units = library.batch(rows, self.kept)
        batch: dict[str, Any] = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
        found: dict[str, torch.Tensor] = self.network.losses(batch)  # type: ignore[operator]
        return torch.stack(list(found.values())).sum(), units
