"""How the Transformer is made for a corpus, and learns."""

from __future__ import annotations

from typing import Any

from partimento.attention import AttentionShape
from partimento.controls import CONTROLS
from partimento.nets.attending import Attending

RATE = 1.5e-3               # of the smaller; larger networks learn more slowly
PRESETS = ((5_000, 2, 96, 3), (400_000, 3, 192, 6), (4_000_000, 4, 256, 8), (1 << 62, 6, 384, 12))
# up to so many notes: layers, width, heads


class AttendingKind:
    """See `partimento.nets.fitting.NetworkKind`."""

    settings = ("layers", "width")
    ema, weight_decay = 0.995, 0.1

    def shape_for(self, config: Any, events: int) -> AttentionShape:
        """As `config` says, and where it does not, as large as so many notes can teach."""
        layers, width, heads = next(row[1:] for row in PRESETS if events < row[0])
        if config.width is not None:
            width, heads = config.width, max(1, config.width // 32)
        return AttentionShape(layers=config.layers or layers, width=width, heads=heads, head=min(256, max(width, 32)),
                              track=min(64, width), wishes=tuple(CONTROLS) if config.wishes else ())

    def network(self, shape: AttentionShape, config: Any, seed: int) -> Attending:
        """The network with its first weights."""
        return Attending(shape, grid=config.grid, dropout=config.dropout, deafness=config.deafness,
                         blindness=config.blindness, seed=seed)

    def rate(self, config: Any) -> float:
        """The rate at which it learns well."""
        return float(config.lr or RATE)

    def wishes(self, shape: AttentionShape) -> tuple[str, ...]:
        """Those of its shape."""
        return shape.wishes
