"""Where a network is trained: the device, whether it computes in bfloat16, its randomness, the processes together."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

import numpy as np
import torch
import torch.distributed as dist

from partimento.errors import ModelError


def find_device(name: str = "auto") -> torch.device:
    """The device of that name: ``auto`` (a GPU of CUDA where there is one), ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    Under torchrun each process takes the GPU of its local rank. ModelError where the device is absent.

    >>> find_device("cpu")
    device(type='cpu')
    """
    kind, colon, index = name.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (colon and not (kind == "cuda" and index.isdecimal())):
        raise ModelError(f"a device must be auto, cpu, cuda, cuda:1 (which of several) or mps; got {name!r}")
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "cpu" or (kind == "auto" and not cuda):
        return torch.device("cpu")
    number = int(index) if index else int(os.environ.get("LOCAL_RANK", "0"))
    if kind == "mps" and torch.backends.mps.is_available():
        return torch.device("mps")
    if kind == "mps" or number >= cuda:
        raise ModelError(f"a device must be there to be trained on; torch {torch.__version__} finds no {name} here: "
                         "take --device auto, or cpu")
    return torch.device("cuda", number)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware (a CPU: AVX512-BF16 or AMX), so that it is the faster one."""
    try:
        if device.type == "cuda":
            with torch.cuda.device(device):
                return torch.cuda.is_bf16_supported(including_emulation=False)
        known = torch.cpu.get_capabilities() if device.type == "cpu" else {}
        return any(known.get(name) for name in ("avx512_bf16", "amx_bf16")) and \
            bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError, TypeError):           # a torch that cannot say
        return False


@contextlib.contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """A stretch in which torch's random state is ours to seed; afterwards it is again what it was."""
    with contextlib.ExitStack() as stack:
        if device.type == "cuda":
            stack.enter_context(torch.cuda.device(device))
        elif device.type == "mps":
            stack.callback(torch.mps.set_rng_state, torch.mps.get_rng_state())
        stack.enter_context(torch.random.fork_rng([device.index] if device.type == "cuda" else [], device_type="cuda"))
        yield


def seed_torch(device: torch.device, *path: int) -> None:
    """Seed torch on the CPU and on `device` (inside `own_randomness`) from a path of whole numbers ≥ 0."""
    mixed = int(np.random.SeedSequence(path).generate_state(1, np.uint64)[0]) >> 1
    torch.default_generator.manual_seed(mixed)
    if device.type == "cuda":
        torch.cuda.manual_seed(mixed)
    elif device.type == "mps":
        torch.mps.manual_seed(mixed)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there was too little memory, on the CPU or on a GPU."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(
        words in said for words in ("not enough memory", "out of memory", "can't allocate memory", "alloc_failed")))


def give_back_memory(device: torch.device) -> None:
    """Give what torch holds of a GPU's memory, unused, back to it."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


class Ranks:
    """The processes that train together: this one alone, or all that torchrun started (as WORLD_SIZE says).

    A context: the group of processes is made on entering and left on leaving, unless it was there before.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device if device.type == "cuda" else torch.device("cpu")     # where they meet
        self.size = int(os.environ.get("WORLD_SIZE") or 1)
        self.rank = int(os.environ.get("RANK") or 0) if self.size > 1 else 0
        self._made = False

    def __enter__(self) -> Self:
        if self.size > 1 and not dist.is_initialized():
            # Its defaults hold the group there is when it is first imported, which an optimiser does: imported with a
            # group it would keep that group's threads beyond the end of Python, and they then end the process.
            importlib.import_module("torch.distributed.nn.functional")
            try:
                dist.init_process_group("nccl" if self._device.type == "cuda" else "gloo")
            except (ValueError, RuntimeError) as error:
                raise ModelError(f"WORLD_SIZE={self.size} says that processes train together, and they did not meet "
                                 f"({error}): start them with torchrun, or unset WORLD_SIZE") from None
            self._made = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._made:
            dist.destroy_process_group()

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes, reports and validates."""
        return self.rank == 0

    def sum(self, tensor: torch.Tensor) -> None:
        """Put into the tensor, in place, its sum over all processes."""
        if self.size > 1:
            dist.all_reduce(tensor)

    def share(self, tensors: Iterable[torch.Tensor]) -> None:
        """Put into each tensor, in place, what the first process has in it."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def total(self, *numbers: float) -> list[float]:
        """The sum of each number over all processes, in every process."""
        shared = torch.tensor(numbers, dtype=torch.float64)
        if self.size > 1:
            shared = shared.to(self._device)
            self.sum(shared)
        return [float(number) for number in shared.tolist()]

    def agree(self, *numbers: float) -> list[float]:
        """The numbers of the first process, in every process."""
        return self.total(*(number if self.first else 0.0 for number in numbers))
