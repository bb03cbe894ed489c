"""The rnn family: a recurrent network that reads a page event by event and writes what is open.

One step of the network is one event (a note, a bar line), not one token: a note is chosen in stages (how far on, which
track, which pitch, how long, how loud), each given the stages before and what a player sees on the page at that place
(`partimento.events`). What is kept ahead of the blank is on the page too: when it comes, in which track, how high. The
likelihood is exact: every stage is renormalised over what is legal there. Training needs torch, playing does not
(`partimento.network`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from partimento.events.blank import BlankPage
from partimento.events.page import Ints
from partimento.events.walk import Walk
from partimento.models.base import Arrays
from partimento.network import Floats, Player, Shape
from partimento.neural import NeuralConfig, NeuralFamily


@dataclasses.dataclass(frozen=True, kw_only=True)
class RnnConfig(NeuralConfig):
    """The network, and how it learns: its `cell` (tanh, lstm or gru), and what every network over events has."""

    cell: Literal["tanh", "lstm", "gru"] = "gru"

    def __post_init__(self) -> None:
        Shape(cell=self.cell)       # refuses another cell
        super().__post_init__()


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


class Rnn(NeuralFamily):
    """A recurrent network over events, exact in likelihood; training needs torch, playing does not.

    >>> Rnn(cell="lstm").fitted
    False
    """

    Config: ClassVar[type] = RnnConfig
    family: ClassVar[str] = "rnn"
    config: RnnConfig

    def _kind(self) -> Any:
        from partimento.nets import rnn

        return rnn.RecurrentKind()

    def _shape(self, said: Mapping[str, Any]) -> Shape:
        return Shape(**{**said, "stages": tuple(said["stages"])})

    def _play(self, shape: Shape, arrays: Arrays) -> Player:
        return Player(shape, arrays)

    def ear(self, page: BlankPage) -> RnnEar:
        """An ear that hears with the network."""
        return RnnEar(self.player)
