"""Many lines walked at once, from one view of a line's own past."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from partimento.counting.memory import MISSING
from partimento.counting.mixture import SHIFT, Ints, Mixture, find_context
from partimento.errors import ModelError


def walk(mixture: Mixture, walks: int, steps: int, rng: np.random.Generator) -> Ints:
    """int64[walks, steps]: many lines at once from a mixture of one view that looks at the line's own past alone.

    Each step draws from the longest stored context or, with the share left to it, from a shorter one: no distribution
    is ever laid out.
    """
    if len(mixture.views) != 1 or mixture.names or mixture.relative.any():
        raise ModelError("many lines at once can be walked only by one view of the line's own symbols")
    sums = [np.concatenate([[0.0], np.cumsum(level.gain)]) for level in mixture.levels]
    children = [None, *(_children(len(shorter.key), level.key, mixture.size)
                        for shorter, level in itertools.pairwise(mixture.levels))]
    out = np.full((walks, mixture.order + steps), MISSING, np.int64)
    for step in range(mixture.order, mixture.order + steps):
        context: list[Ints] = [np.zeros(walks, np.int64)]
        for depth, (_, lag, _) in enumerate(mixture.columns[0], 1):
            table, value = children[depth], out[:, step - lag]
            context.append(find_context(mixture.levels[depth].key, context[-1], value) if table is None
                           else table[context[-1], value].astype(np.int64))
        open_rows, chance = np.arange(walks), rng.random(walks)
        for depth in range(mixture.depth, -1, -1):
            level, here = mixture.levels[depth], context[depth][open_rows]
            seen = here >= 0
            rows, here, point = open_rows[seen], here[seen], chance[open_rows[seen]]
            share = 1.0 - level.rest[here]
            hit = point < share
            begin = level.first[here[hit]]
            entry = np.searchsorted(sums[depth], sums[depth][begin] + point[hit], side="right") - 1
            entry = np.clip(entry, begin, level.first[here[hit] + 1] - 1)
            out[rows[hit], step] = level.symbol[entry]
            chance[rows[~hit]] = (point[~hit] - share[~hit]) / level.rest[here[~hit]]
            open_rows = np.concatenate([open_rows[~seen], rows[~hit]])
        out[open_rows, step] = np.minimum((chance[open_rows] * mixture.size).astype(np.int64), mixture.size - 1)
    return out[:, mixture.order:]


def _children(parents: int, key: Ints, size: int) -> npt.NDArray[np.int32] | None:
    """int32[parents + 1, size + 1]: the context under each parent by value (−1: none); None where too large."""
    if (parents + 1) * (size + 1) > 1 << 24:
        return None
    out = np.full((parents + 1, size + 1), -1, np.int32)   # the last row and column stand for −1
    out[key >> 16, (key & 0xFFFF) - SHIFT] = np.arange(len(key))
    return out
