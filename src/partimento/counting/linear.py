"""Sums of experts: weights for several distributions, learnt by expectation–maximisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def learn_weights(chances: Floats, trust: Ints, groups: npt.NDArray[Any], n_groups: int, n_trust: int,
                  rounds: int = 30) -> tuple[Floats, Floats]:
    """Mixture weights (groups, views) and what trust is worth (views, n_trust), by expectation–maximisation.

    The share of a view is weight × worth over the sum of all; each round multiplies by responsible over expected
    shares. Both lean on what is even by some rows' worth, a group on the whole by 50; weights under 1 % are dropped.
    """
    views = len(chances)
    at = trust + np.arange(views)[:, None] * n_trust
    weight, worth = np.full(views, 1 / views), np.ones(views * n_trust)

    def learn(weight: Floats, worth: Floats, rows: Any, lean: float, trusting: bool) -> tuple[Floats, Floats]:
        prior, part, here = weight, chances[:, rows], at[:, rows]
        for _ in range(rounds):
            expected = weight[:, None] * worth[here]
            expected /= expected.sum(axis=0)
            responsible = expected * part
            responsible /= responsible.sum(axis=0)
            weight = weight * np.sqrt((responsible.sum(axis=1) + lean * prior) / (expected.sum(axis=1) + lean * weight))
            weight = weight / weight.sum()
            if trusting:
                up, down = (np.bincount(here.ravel(), s.ravel(), len(worth)) + 5.0 for s in (responsible, expected))
                worth = np.clip(worth * np.sqrt(up / down), 0.01, 100.0)
        return weight, worth

    weight, worth = learn(weight, worth, slice(None), 1.0, True)
    out = np.stack([learn(weight, worth, groups == g, 50.0, False)[0] for g in range(n_groups)])
    out[out < 0.01] = 0.0
    return out / out.sum(axis=1, keepdims=True), worth.reshape(views, n_trust)
