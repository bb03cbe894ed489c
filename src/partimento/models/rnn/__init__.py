"""The rnn family: a recurrent network that reads a page event by event and writes what is open.

One step of the network is one event (a note, a bar line), not one token: a note is chosen in stages (how far on, which
track, which pitch, how long, how loud), each given the stages before and what a player sees on the page at that place
(`partimento.events`). What is kept ahead of the blank is on the page too: when it comes, in which track, how high. The
likelihood is exact: every stage is renormalised over what is legal there. Training needs torch, playing does not
(`partimento.network`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np

from partimento import network
from partimento.errors import ModelError, nearest
from partimento.events.blank import BlankPage
from partimento.events.family import EventFamily
from partimento.events.page import Ints
from partimento.events.walk import Walk
from partimento.models.base import Arrays, Copying, Model, Piece, Report, need_torch
from partimento.network import Floats, Player, Shape

PRECISIONS = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RnnConfig:
    """The network, and how it learns.

    `cell`: tanh, lstm or gru; `layers` of `width` units (None: as large as the corpus can teach). `grid`: steps a
    quarter. `window`: events that are read at once, and history that is heard when playing. `transpositions`: in how
    many keys each piece is heard; `keys`: whether it is told the key. `kept`: in what share of the windows something
    is known ahead, as when infilling. `steps`: of training (None: by the corpus, or the budget), each of `batch`
    windows, at the rate `lr` (None: what suits the cell) with `dropout`; `patience`: validations without gain before
    it ends (0: never). `precision` of training; `weights`: how they are saved.
    """

    cell: Literal["tanh", "lstm", "gru"] = "gru"
    layers: int | None = None
    width: int | None = None
    grid: int = 12
    window: int = 128
    transpositions: int = 12
    keys: bool = True
    kept: float = 0.5
    steps: int | None = None
    batch: int = 16
    lr: float | None = None
    dropout: float = 0.1
    patience: int = 5
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    weights: Literal["float32", "bfloat16", "int8"] = "int8"

    def __post_init__(self) -> None:
        Shape(cell=self.cell)       # refuses another cell
        for name, low, high in (("layers", 1, 8), ("width", 4, 4096), ("grid", 1, 24), ("window", 8, 4096),
                                ("transpositions", 1, 12), ("kept", 0, 1), ("steps", 1, 10_000_000),
                                ("batch", 1, 4096), ("lr", 1e-6, 1), ("dropout", 0, 0.9), ("patience", 0, 1000)):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ModelError(f"{name} must lie in {low}..{high}; got {value:g}")
        for name, known in (("precision", {"auto", *PRECISIONS}), ("weights", {"int8", *PRECISIONS})):
            if getattr(self, name) not in known:
                raise ModelError(nearest(str(getattr(self, name)), known, f"kind of {name}"))


class RnnEar:
    """Hears events through a recurrent network: what it remembers of all before is one state."""

    def __init__(self, player: Player) -> None:
        self.player, self.state = player, player.start()
        self.hidden = np.zeros(0, np.float32)

    def push(self, walk: Walk) -> None:
        """Hear an event."""
        self.hidden, self.state = self.player.step(self.state, np.array(walk.rows("input")))

    def logits(self, walk: Walk, stage: str, options: Ints) -> Floats:
        """float32[options]: how well each fits."""
        rows = np.array(walk.rows(stage))
        if stage == "track":
            return self.player.track_scores(self.hidden, rows, walk.track_rows(options))
        return np.asarray(self.player.logits(stage, self.hidden, rows)[options])


class Rnn(EventFamily):
    """A recurrent network over events, exact in likelihood; training needs torch, playing does not.

    >>> Rnn(cell="lstm").fitted
    False
    """

    Config: ClassVar[type] = RnnConfig
    family: ClassVar[str] = "rnn"
    learns: ClassVar[bool] = True
    has_likelihood: ClassVar[bool] = True
    resumes: ClassVar[bool] = True
    needs_torch: ClassVar[bool] = True
    config: RnnConfig

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        self._player: Player | None = None
        self._packed: Arrays = {}
        self._tables: dict[str, Any] = {}
        self._record: dict[str, Any] = {}

    @property
    def fitted(self) -> bool:
        """Whether it has learnt anything."""
        return self._player is not None

    def fit(self, pieces: Iterable[Piece], *, valid: Iterable[Piece] = (), seed: int = 0, device: str = "auto",
            start: Model | None = None, budget: float | None = None, keep: Path | None = None,
            copying: Copying | None = None, report: Report | None = None) -> Self:
        """Learn from the pieces; see the contract. Without `steps` and `budget` it reads the corpus 40 times."""
        need_torch(self.family)
        from partimento.nets import rnn

        if start is not None and not isinstance(start, Rnn):
            raise ModelError(f"the rnn family goes on from an rnn model; got one of the {start.family} family")
        found = rnn.fit(self.config, pieces, valid, seed=seed, device=device, budget=budget, keep=keep,
                        copying=copying, report=report, start=None if start is None else start.player,
                        snapshot=self._with)
        self._take(found.shape, found.weights, found.tables, found.record)
        return self

    def _take(self, shape: Shape, weights: Mapping[str, Any], tables: Mapping[str, Any], record: Mapping[str, Any],
              ) -> None:
        self._hold(shape, network.pack(weights, self.config.weights), tables, record)

    def _hold(self, shape: Shape, packed: Arrays, tables: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        self._packed, self._tables, self._record = packed, dict(tables), dict(record)
        self._player = Player(shape, network.unpack(packed))

    def _with(self, shape: Shape, weights: Mapping[str, Any], tables: Mapping[str, Any]) -> Rnn:
        """A model of the same settings that plays these weights."""
        other = Rnn(self.config)
        other._take(shape, weights, tables, {})
        return other

    @property
    def player(self) -> Player:
        """The network; ModelError before the fit."""
        self.need_fitted()
        assert self._player is not None
        return self._player

    def ear(self, page: BlankPage) -> RnnEar:
        """An ear that hears with the network."""
        return RnnEar(self.player)

    # --- saving ----------------------------------------------------------------------------------------------

    def record(self) -> dict[str, Any]:
        """How it was trained: steps, the curve, device and precision."""
        return dict(self._record)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """The weights as `config.weights` says, the shape of the network, and the tables of facts."""
        return {"shape": dataclasses.asdict(self.player.shape), "tables": self._tables, "record": self._record}, \
            dict(self._packed)

    def restore(self, values: Mapping[str, Any], arrays: Arrays) -> Self:
        """Take back what `state` gave, and return self."""
        said = dict(values["shape"])
        shape = Shape(**{**said, "stages": tuple(said["stages"])})
        self._hold(shape, dict(arrays), values["tables"], values.get("record", {}))
        return self
