"""What the families whose network reads events have in common: their settings, their fit, and how they are saved."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from partimento import network
from partimento.errors import ModelError, nearest
from partimento.events.family import EventFamily
from partimento.models.base import Arrays, Copying, Model, Piece, Report, need_torch

PRECISIONS = ("float32", "bfloat16")
_RANGES: dict[str, tuple[float, float]] = {
    "layers": (1, 8), "width": (4, 4096), "grid": (1, 24), "window": (8, 4096), "transpositions": (1, 12),
    "kept": (0, 1), "steps": (1, 10_000_000), "batch": (1, 4096), "lr": (1e-6, 1), "dropout": (0, 0.9),
    "patience": (0, 1000)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class NeuralConfig:
    """The network, and how it learns.

    `layers` of `width` units (None: as large as the corpus can teach). `grid`: steps a quarter. `window`: events that
    are read at once, and history that is heard when playing. `transpositions`: in how many keys each piece is heard;
    `keys`: whether it is told the key. `kept`: in what share of the windows something is known ahead, as when
    infilling. `order`: all tracks side by side in time, or tracks one after the other, each given those before it
    (nothing is heard until all are written). `steps`: of training (None: by the corpus, or the budget), each of `batch`
    windows, at the rate `lr` (None: what suits the network) with `dropout`; `patience`: validations without gain before
    it ends (0: never). `precision` of training; `weights`: how they are saved.
    """

    layers: int | None = None
    width: int | None = None
    grid: int = 12
    window: int = 128
    transpositions: int = 12
    keys: bool = True
    kept: float = 0.5
    order: Literal["time", "tracks"] = "time"
    steps: int | None = None
    batch: int = 16
    lr: float | None = None
    dropout: float = 0.1
    patience: int = 5
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    weights: Literal["float32", "bfloat16", "int8"] = "int8"

    ranges: ClassVar[Mapping[str, tuple[float, float]]] = _RANGES

    def __post_init__(self) -> None:
        for name, (low, high) in self.ranges.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ModelError(f"{name} must lie in {low}..{high}; got {value:g}")
        for name, known in (("precision", {"auto", *PRECISIONS}), ("weights", {"int8", *PRECISIONS}),
                            ("order", {"time", "tracks"})):
            if getattr(self, name) not in known:
                raise ModelError(nearest(str(getattr(self, name)), known, f"kind of {name}"))


class NeuralFamily(EventFamily):
    """A family of networks over events, exact in likelihood; training needs torch, playing does not."""

    learns: ClassVar[bool] = True
    has_likelihood: ClassVar[bool] = True
    resumes: ClassVar[bool] = True
    needs_torch: ClassVar[bool] = True

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        self._player: Any = None
        self._packed: Arrays = {}
        self._tables: dict[str, Any] = {}
        self._record: dict[str, Any] = {}

    @abstractmethod
    def _kind(self) -> Any:
        """How its network learns: a `partimento.nets.fitting.NetworkKind`."""

    @abstractmethod
    def _shape(self, said: Mapping[str, Any]) -> Any:
        """The shape of its network out of its fields; ModelError where there is none such."""

    @abstractmethod
    def _play(self, shape: Any, arrays: Arrays) -> Any:
        """A player of these weights, with the attributes `shape` and `arrays`."""

    @property
    def fitted(self) -> bool:
        """Whether it has learnt anything."""
        return self._player is not None

    @property
    def player(self) -> Any:
        """The player of the network; ModelError before the fit."""
        self.need_fitted()
        return self._player

    def fit(self, pieces: Iterable[Piece], *, valid: Iterable[Piece] = (), seed: int = 0, device: str = "auto",
            start: Model | None = None, budget: float | None = None, keep: Path | None = None,
            copying: Copying | None = None, report: Report | None = None) -> Self:
        """Learn from the pieces; see the contract. Without `steps` and `budget` it reads the corpus 40 times."""
        need_torch(self.family)
        from partimento.nets import fitting

        if start is not None and not isinstance(start, type(self)):
            raise ModelError(f"the {self.family} family goes on from a model of its own; got one of the "
                             f"{start.family} family")
        found = fitting.fit(self._kind(), self.config, pieces, valid, seed=seed, device=device, budget=budget,
                            keep=keep, copying=copying, report=report, start=None if start is None else start.player,
                            snapshot=self._with)
        self._hold(found.shape, network.pack(found.weights, self.config.weights), found.tables, found.record)
        return self

    def _hold(self, shape: Any, packed: Arrays, tables: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        self._packed, self._tables, self._record = packed, dict(tables), dict(record)
        self._player = self._play(shape, network.unpack(packed))

    def _with(self, shape: Any, weights: Mapping[str, Any], tables: Mapping[str, Any]) -> Self:
        """A model of the same settings that plays these weights."""
        other = type(self)(self.config)
        other._hold(shape, network.pack(weights, self.config.weights), tables, {})
        return other

    def record(self) -> dict[str, Any]:
        """How it was trained: steps, the curve, device and precision."""
        return dict(self._record)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """The weights as `config.weights` says, the shape of the network, and the tables of facts."""
        return {"shape": dataclasses.asdict(self.player.shape), "tables": self._tables, "record": self._record}, \
            dict(self._packed)

    def restore(self, values: Mapping[str, Any], arrays: Arrays) -> Self:
        """Take back what `state` gave, and return self."""
        self._hold(self._shape(values["shape"]), dict(arrays), values["tables"], values.get("record", {}))
        return self
