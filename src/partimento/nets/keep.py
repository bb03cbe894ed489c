"""The state of a training on disk: one safetensors file from which a run goes on as if it had never stopped."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from partimento.errors import CheckpointError, ModelError
from partimento.formats.files import write_bytes
from partimento.settings import config_from_json, config_to_json

FORMAT = 1
HEAD = "partimento-training"
GROUPS = ("weights", "mean", "square", "ema")       # the network, the two moments of AdamW, the averaged network
BEST = "best"                                       # the best averaged network so far; absent before a validation
Floats = dict[str, npt.NDArray[np.float32]]


@dataclasses.dataclass
class Standing:
    """Where a training stands: `step` steps done of `steps` (None: not planned yet), after `seconds` of all its runs.

    `micro` rows fit in memory at once; `nats` over `units` were seen since the last validation, whose best was `best`
    at `best_step`, `since` validations ago, and copied by `excess` more than is usual; `curve` has a row (step, train,
    valid) a validation, in nats a unit, `copied` one (step, share of notes shared, the most that is usual).
    """

    micro: int
    step: int = 0
    steps: int | None = None
    seconds: float = 0.0
    nats: float = 0.0
    units: float = 0.0
    best: float | None = None
    best_step: int = 0
    excess: float = 0.0
    since: int = 0
    curve: list[tuple[int, float, float | None]] = dataclasses.field(default_factory=list)
    copied: list[tuple[int, float, float]] = dataclasses.field(default_factory=list)


def write(path: Path, fingerprint: str, standing: Standing, arrays: Mapping[str, npt.NDArray[np.float32]]) -> None:
    """Write a state whole or not at all; `arrays` are named ``group/parameter``. WriteError where it cannot be."""
    from safetensors.numpy import save as pack

    head = {"format": FORMAT, "fingerprint": fingerprint, "standing": config_to_json(standing)}
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_bytes(path, bytes(pack(plain, metadata={HEAD: json.dumps(head)})), parents=True)


def read(path: Path, fingerprint: str, shapes: Mapping[str, tuple[int, ...]]) -> tuple[Standing, Floats] | None:
    """The standing and the arrays of a state, or None where there is no such file.

    CheckpointError, one sentence, where the file is damaged or foreign, was left by a training with another
    `fingerprint`, or does not fit a network whose parameters have these `shapes`.
    """
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            standing, whose = _head((file.metadata() or {}).get(HEAD, ""))
            if whose != fingerprint:
                raise CheckpointError(f"a training goes on only with the music, settings and seed it began with; "
                                      f"{path} was left by another training: {_WHAT_TO_DO}")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, ValueError, RecursionError, ModelError) as error:
        raise CheckpointError(f"the state of a training must be whole; {path} is damaged or another kind of file "
                              f"({error}): {_WHAT_TO_DO}") from None
    groups = (*GROUPS, BEST) if standing.best is not None else GROUPS
    wanted = {f"{group}/{name}": shape for group in groups for name, shape in shapes.items()}
    if {name: array.shape for name, array in arrays.items()} != wanted or \
            any(array.dtype != np.float32 for array in arrays.values()):
        raise CheckpointError(f"the state of a training must fit its network; {path} is of another network: "
                              f"{_WHAT_TO_DO}")
    return standing, arrays


_WHAT_TO_DO = "delete it to begin again, or choose another -o"


def _head(text: str) -> tuple[Standing, Any]:
    """The standing and the fingerprint out of the JSON of a state; ValueError or ModelError where it is none."""
    head = json.loads(text) if text else None
    if not isinstance(head, dict) or not isinstance(head.get("standing"), dict):
        raise ValueError("no state of a training")
    if head.get("format") != FORMAT:
        raise ValueError(f"of format {head.get('format')}, where {FORMAT} is read")
    if "micro" not in head["standing"]:
        raise ValueError("no good entry micro")
    standing: Standing = config_from_json(Standing, head["standing"])
    if standing.micro < 1 or standing.step < 0:
        raise ValueError("numbers out of range")
    return standing, head.get("fingerprint")
