"""How a family that reads events learns: pieces to a library, a network as large as they can teach, and the loop."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sized
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from partimento.errors import ModelError
from partimento.events.library import Library
from partimento.models.base import Copying, Model, Piece, Report
from partimento.nets.loop import Plan, run
from partimento.nets.task import Streams
from partimento.settings import config_to_json

FEW = 2_000                 # notes under which a network has little to learn from
VALID_EVERY = 0.02          # of the planned steps
PASSES, FEWEST, MOST = 40, 300, 20_000      # over the corpus, in steps, where neither steps nor a budget is said


class Learnt(NamedTuple):
    """What a fit gave."""

    shape: Any
    weights: dict[str, np.ndarray]
    tables: dict[str, Any]
    record: dict[str, Any]


class Started(Protocol):
    """A network to go on from: its shape, and its weights by name."""

    shape: Any
    arrays: dict[str, Any]


class NetworkKind(Protocol):
    """A kind of network: which of its settings its shape answers to, how large it is, how it is made and learns."""

    settings: tuple[str, ...]
    ema: float
    weight_decay: float

    def shape_for(self, config: Any, events: int) -> Any:
        """The network for so many notes: as `config` says, and where it does not, as large as they can teach."""

    def network(self, shape: Any, config: Any, seed: int) -> Any:
        """The network in torch, with its first weights; it has `load`, `weights` and `losses`."""

    def rate(self, config: Any) -> float:
        """The rate at which it learns."""

    def wishes(self, shape: Any) -> tuple[str, ...]:
        """The controls that it can be told to aim at."""


Snapshot = Callable[[Any, Mapping[str, np.ndarray], Mapping[str, Any]], Model]


def fit(kind: NetworkKind, config: Any, pieces: Iterable[Piece], valid: Iterable[Piece], *, seed: int, device: str,
        start: Started | None, budget: float | None, keep: Path | None, copying: Copying | None,
        report: Report | None, snapshot: Snapshot) -> Learnt:
    """Train a network as a Config says, from `start` if there is one; `snapshot` makes a model of weights."""
    for name in kind.settings:
        wish, has = getattr(config, name), getattr(start.shape, name) if start is not None else None
        if has is not None and wish not in (None, has):
            raise ModelError(f"{name} must be that of the model to go on from ({has}); got {wish}: leave it out, or "
                             "train from nothing")
    total = len(pieces) if isinstance(pieces, Sized) else 0
    library = Library.of(pieces, config.grid, config.keys, report, total)
    has_valid = any(len(piece.score) for piece in valid)         # and none of them is held
    checked = Library.of(valid, config.grid, config.keys) if has_valid else None
    events = len(library)
    try:
        shape = start.shape if start is not None else kind.shape_for(config, len(library))
        for some in (library, checked):
            if some is not None:
                some.wishes, some.by_track = kind.wishes(shape), config.order == "tracks"
        net = kind.network(shape, config, seed)
        if start is not None:
            net.load(start.arrays)
        steps = config.steps if config.steps is not None or budget is not None else steps_for(config, len(library))

        task = Streams(net, library, checked, seed=seed, batch=config.batch, window=config.window, kept=config.kept,
                       transpositions=config.transpositions,
                       snapshot=lambda learnt: snapshot(shape, learnt, library.tables))
        every = max(25, int((steps or 2_500) * VALID_EVERY))
        plan = Plan(steps=steps, seconds=budget, lr=kind.rate(config), weight_decay=kind.weight_decay,
                    warmup=min(100, (steps or 1000) // 10),
                    ema=min(kind.ema, 1 - 10 / (steps or 1000)) if steps is None or steps > 20 else 0.0,
                    micro=config.batch, valid_every=every, patience=config.patience, precision=config.precision,
                    seed=seed)
        done = run(task, plan, device=device, keep=keep, copying=copying, report=report,
                   fingerprint=_fingerprint(config, shape, seed, library, net.weights()))
    finally:
        library.close()
        if checked is not None:
            checked.close()
    few = [f"{events:,} notes are few: even a network of {shape.layers} x {shape.width} learns them by heart more than "
           "their style; give it more music, or take the markov family"] if events < FEW else []
    record = {"steps": done.step, "best step": done.best_step, "device": done.device, "precision": done.precision,
              "curve": [[step, round(train, 4), None if held is None else round(held, 4)]
                        for step, train, held in done.curve],
              "copying": [[step, round(share, 4), round(usual, 4)] for step, share, usual in done.copied],
              "notes": [*few, *done.notes], "events": events}
    return Learnt(shape, done.weights, library.tables, record)


def steps_for(config: Any, events: int) -> int:
    """How many steps read so many notes PASSES times."""
    return int(np.clip(math.ceil(PASSES * events / (config.batch * config.window)), FEWEST, MOST))


def _fingerprint(config: Any, shape: Any, seed: int, library: Library, weights: Mapping[str, np.ndarray]) -> str:
    """Names the music, the settings, the seed and the weights at the start."""
    digest = hashlib.sha256(repr((sorted(config_to_json(config).items()), dataclasses.astuple(shape), seed)).encode())
    digest.update(np.ascontiguousarray(library.table).tobytes())
    for name in sorted(weights):
        digest.update(np.ascontiguousarray(weights[name]).tobytes())
    return digest.hexdigest()
