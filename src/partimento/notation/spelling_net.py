"""The network of pitch spelling in plain numpy: moments in, the chances of three spellings of each pitch class out."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from partimento.features.weights import shipped_weights
from partimento.notation.spelling_view import Floats

WEIGHTS = "spelling.safetensors"        # beside this module, with its ledger: float16 arrays, named in `chances`
_WINDOW, _MARGIN = 8192, 1024           # moments read at once, and how far it is read on before and after them

Weights = dict[str, Floats]


@cache
def learnt() -> Weights:
    """Return the weights that come with the package, as float32 arrays by name."""
    return shipped_weights("partimento.notation", WEIGHTS, np.float32)


def chances(facts: Floats, weights: Weights) -> Floats:
    """Return how likely each of the twelve places is written 12 fifths flatter, there, or sharper: [moments, 12, 3].

    Float32, as logarithms up to a constant for each place. A residual network of width H: `in` [FACTS, H]; then
    blocks in order, each either a filter over five moments that lie `reach` apart and a layer between, or a memory: a
    gated sum (Lei et al. 2018, "Simple Recurrent Units") that runs over the moments forward and one that runs
    backward; then `out` [H + FACTS, 36]. It reads a long piece in windows.

    >>> chances(np.zeros((3, len(learnt()["in"])), np.float32), learnt()).shape
    (3, 12, 3)
    """
    count = len(facts)
    if count <= _WINDOW + 2 * _MARGIN:
        return _read(facts, weights)
    parts = []
    for start in range(0, count, _WINDOW):
        first, last = max(0, start - _MARGIN), start + _WINDOW + _MARGIN
        parts.append(_read(facts[first:last], weights)[start - first:][:_WINDOW])
    return np.concatenate(parts)


def _read(facts: Floats, weights: Weights) -> Floats:
    state = facts @ weights["in"] + weights["in bias"]
    for name in sorted(key for key in weights if key.endswith(" after")):
        block = name.removesuffix(" after")
        between = _memory(state, weights, block) if f"{block} gates" in weights else _filter(state, weights, block)
        state = state + between @ weights[name] + weights[f"{block} after bias"]
    seen = np.concatenate([np.maximum(state, 0), facts], axis=1)
    return np.asarray(seen @ weights["out"] + weights["out bias"], np.float32).reshape(-1, 12, 3)


def _filter(state: Floats, weights: Weights, block: str) -> Floats:
    taps, reach = weights[f"{block} taps"], int(weights[f"{block} reach"])
    padded = np.pad(state, ((2 * reach, 2 * reach), (0, 0)))
    near = np.zeros_like(state)
    for i, tap in enumerate(taps):
        near += padded[i * reach:i * reach + len(state)] * tap
    return np.asarray(np.maximum(near @ weights[f"{block} between"] + weights[f"{block} between bias"], 0))


def _memory(state: Floats, weights: Weights, block: str) -> Floats:
    both = state @ weights[f"{block} gates"] + weights[f"{block} gates bias"]
    half = both.shape[1] // 2
    kept = _sigmoid(both[:, :half])
    told = (1 - kept) * np.tanh(both[:, half:])
    back = half // 2                                    # the second half of the columns runs from the end
    kept[:, back:], told[:, back:] = kept[::-1, back:].copy(), told[::-1, back:].copy()
    for i in range(1, len(told)):
        told[i] += kept[i] * told[i - 1]
    told[:, back:] = told[::-1, back:].copy()
    return np.asarray(told)


def _sigmoid(x: npt.NDArray[np.float32]) -> Floats:
    return np.asarray(0.5 * np.tanh(0.5 * x) + 0.5, np.float32)
