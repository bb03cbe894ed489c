"""The transformer family: events that attend to all events before them and to what is known ahead of them.

Like the rnn family it reads a page event by event and chooses each note in stages, exactly weighed
(`partimento.events`). Its network (`partimento.attention`) hears intervals, not pitches: a piece and the same piece a
third higher are one and the same to it, so that a small corpus teaches it all that it has in every key. Training needs
torch, playing does not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from partimento.attention import AttentionPlayer, AttentionShape
from partimento.events.blank import BlankPage
from partimento.events.pens import Ear
from partimento.events.wishes import BINS, wished
from partimento.models.base import Arrays
from partimento.models.transformer.ear import AttentionEar, GuidedEar
from partimento.neural import NeuralConfig, NeuralFamily

GUIDANCE = 3.0              # how much more than its wish alone makes likely is made likely


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerConfig(NeuralConfig):
    """The network, and how it learns: what every network over events has, and two kinds of forgetting in training.

    `deafness`: the most that is left out of the events a window attends to; `blindness`: how often each field of
    events is not told to a window at all. `wishes`: whether it learns to aim at the controls.
    """

    window: int = 256
    transpositions: int = 1
    dropout: float = 0.2
    deafness: float = 0.8
    blindness: float = 0.3
    wishes: bool = True

    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {
        **NeuralConfig.ranges, "layers": (1, 24), "deafness": (0, 1), "blindness": (0, 0.9)}


class Transformer(NeuralFamily):
    """A Transformer over events, exact in likelihood; training needs torch, playing does not.

    >>> Transformer(layers=2, width=64).fitted
    False
    """

    Config: ClassVar[type] = TransformerConfig
    family: ClassVar[str] = "transformer"
    config: TransformerConfig

    def _kind(self) -> Any:
        from partimento.nets import transformer

        return transformer.AttendingKind()

    def _shape(self, said: Mapping[str, Any]) -> AttentionShape:
        return AttentionShape(**{**said, "wishes": tuple(said["wishes"])})

    def _play(self, shape: AttentionShape, arrays: Arrays) -> AttentionPlayer:
        return AttentionPlayer(shape, arrays, self.config.window)

    def ear(self, page: BlankPage) -> Ear:
        """An ear that hears with the network, guided by what the page's targets wish of the whole piece."""
        player: AttentionPlayer = self.player
        classes = wished(player.shape.wishes, page.targets, page.around.tracks)
        if min(classes, default=BINS) == BINS:
            return AttentionEar(player, page)
        return GuidedEar(AttentionEar(player, page, player.wished(classes)), AttentionEar(player, page), GUIDANCE)
