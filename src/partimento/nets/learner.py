"""A network while it learns: one flat gradient, AdamW, and the moving average of its weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np
import torch

from partimento.nets.keep import GROUPS, Floats


class Learner:
    """A network on its device with all that changes in a step; every parameter is learnt, and float32.

    `gradient` is that of all parameters in one row, into which backward adds; `ema` are the averaged weights.
    """

    def __init__(self, network: torch.nn.Module, device: torch.device, betas: tuple[float, float],
                 weight_decay: float) -> None:
        self.network = network.to(device).train()
        self.params = dict(network.named_parameters())
        self.gradient = torch.zeros(sum(param.numel() for param in self.params.values()), device=device)
        start = 0
        for param in self.params.values():
            param.grad = self.gradient[start:start + param.numel()].view_as(param)
            start += param.numel()
        self.ema = {name: param.detach().clone() for name, param in self.params.items()}
        self._optimizer = self._adamw(betas, weight_decay)
        self._moments = {name: self._optimizer.state[param] for name, param in self.params.items()}

    def _adamw(self, betas: tuple[float, float], weight_decay: float) -> torch.optim.AdamW:
        """AdamW before its first step, its moments in place; only matrices decay."""
        groups = [[param for param in self.params.values() if (param.dim() > 1) == deep] for deep in (False, True)]
        optimizer = torch.optim.AdamW(
            [{"params": group, "weight_decay": weight_decay * deep} for deep, group in enumerate(groups) if group],
            betas=betas, fused=self.gradient.device.type in ("cpu", "cuda"))
        for param in self.params.values():
            optimizer.state[param] = {"step": torch.zeros((), device=param.device),
                                      "exp_avg": torch.zeros_like(param), "exp_avg_sq": torch.zeros_like(param)}
        return optimizer

    def descend(self, lr: float, decay: float) -> None:
        """One step of AdamW down the gradient, and the average after it (weight `decay` on what it was)."""
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        self._optimizer.step()
        for name, param in self.params.items():
            self.ema[name].lerp_(param.detach(), 1 - decay)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """A stretch in which the network plays with the averaged weights, learns nothing and drops nothing out."""
        own = {name: param.detach().clone() for name, param in self.params.items()}
        self.put(self.ema)
        self.network.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.put(own)
            self.network.train()

    def put(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Put weights into the network."""
        with torch.no_grad():
            for name, param in self.params.items():
                param.copy_(weights[name])

    def tensors(self) -> dict[str, torch.Tensor]:
        """All that a step changes, itself and no copy, as ``group/parameter`` (groups of `partimento.nets.keep`)."""
        return {f"{group}/{name}": tensor for name, param in self.params.items()
                for group, tensor in zip(GROUPS, (param.detach(), self._moments[name]["exp_avg"],
                                                  self._moments[name]["exp_avg_sq"], self.ema[name]), strict=True)}

    def go_on(self, step: int) -> None:
        """Say that `step` steps were taken, after `tensors` have been filled with what they were then."""
        for moments in self._moments.values():
            moments["step"].fill_(step)

    def release(self) -> None:
        """Let go of the gradient, and leave the network ready to play."""
        self.network.zero_grad(set_to_none=True)
        self.network.eval()


def arrays(tensors: Mapping[str, torch.Tensor]) -> Floats:
    """Copies of tensors as float32 arrays."""
    return {name: np.array(tensor.detach().cpu().numpy(), np.float32) for name, tensor in tensors.items()}
