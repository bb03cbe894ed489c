"""How the recurrent network is made for a corpus, and learns."""

from __future__ import annotations

from typing import Any

from partimento.nets.recurrent import Recurrent
from partimento.network import Shape

RATES = {"lstm": 4e-3, "gru": 3e-3, "tanh": 1e-3}
PRESETS = ((5_000, 1, 96), (50_000, 1, 192), (400_000, 2, 256), (1 << 62, 2, 384))
# up to so many notes: layers, width


class RecurrentKind:
    """See `partimento.nets.fitting.NetworkKind`."""

    settings = ("cell", "layers", "width")
    ema, weight_decay = 0.999, 0.01

    def shape_for(self, config: Any, events: int) -> Shape:
        """As `config` says, and where it does not, as large as so many notes can teach."""
        layers, width = next((layers, width) for below, layers, width in PRESETS if events < below)
        width = config.width or width
        return Shape(cell=config.cell, layers=config.layers or layers, width=width, head=min(256, width),
                     track=min(64, width))

    def network(self, shape: Shape, config: Any, seed: int) -> Recurrent:
        """The network with its first weights."""
        return Recurrent(shape, dropout=config.dropout, seed=seed)

    def rate(self, config: Any) -> float:
        """The rate at which such a cell learns well."""
        return float(config.lr or RATES[config.cell])

    def wishes(self, shape: Shape) -> tuple[str, ...]:
        """None."""
        return ()
