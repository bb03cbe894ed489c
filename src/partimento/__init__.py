"""partimento: give it part of a piece, it composes the rest.

>>> import partimento
>>> piece = partimento.compose(model="random", bars=2, seed=1)[0]
>>> piece.score.n_bars
2
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

from partimento import score as _score
from partimento.errors import PartimentoError
from partimento.score import Score

if TYPE_CHECKING:
    from partimento.conversion import convert
    from partimento.evaluating import evaluate
    from partimento.explaining import explain
    from partimento.forgetting import forget
    from partimento.formats import read, write
    from partimento.request import Blanks, Region, Request, Result
    from partimento.training import train
    from partimento.verbs import accompany, compose, continue_, harmonize, humanize, infill, replay, stream, vary

__all__ = ["Blanks", "PartimentoError", "Region", "Request", "Result", "Score", "__version__", "accompany", "compose",
           "continue_", "convert", "evaluate", "explain", "forget", "harmonize", "humanize", "infill", "read", "replay",
           "stream", "train", "vary", "write"]

_HOME = {"Blanks": "request", "Region": "request", "Request": "request", "Result": "request", "read": "formats",
         "write": "formats", "train": "training", "accompany": "verbs", "compose": "verbs",
         "continue_": "verbs", "convert": "conversion", "evaluate": "evaluating", "explain": "explaining",
         "forget": "forgetting", "harmonize": "verbs", "humanize": "verbs", "infill": "verbs", "replay": "verbs",
         "stream": "verbs", "vary": "verbs"}


def __getattr__(name: str) -> Any:
    """Names that need more than numpy are loaded when they are first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'partimento' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"partimento.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def _show(score: Score) -> str:
    from partimento.render.page import score_html

    return score_html(score)


_score.display_hook = _show
