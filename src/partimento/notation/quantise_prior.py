"""How beats of written music are divided: the prior of `quantise`, as costs in nats."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# A beat of division d has its onsets on k/d of the beat, and on no coarser division: 12 is for three against four and
# triplets beside sixteenths, 16 for what is too fast for anything else.
DIVISIONS = (1, 2, 4, 8, 3, 6, 12, 5, 16)

# P(division of a beat | division of the beat before), in per mille, rows and columns as in DIVISIONS. Counted in
# 350 files each of mutopia_midi and of pop909 (of even crc32 of the name, and only those whose onsets stand on a
# grid), the mean of both sets; what never came was given a little. The second table is of eighth
# notes as beats, in 6/8 and the like.
_STAYING = {
    4: [[700, 225, 65, 3, 4, 1, .5, .2, .1],
        [120, 750, 115, 4, 1, 3, .7, .2, .1],
        [45, 180, 755, 10, .5, 2, 1.5, .2, .2],
        [50, 170, 340, 410, 4, 3, 2, .2, 2],
        [55, 15, 5, .5, 850, 65, 7, .5, .1],
        [50, 90, 40, 2, 180, 550, 50, .5, .1],
        [100, 150, 200, 20, 100, 100, 300, .5, 1],
        [100, 100, 100, 5, 10, 5, 1, 600, 1],
        [50, 100, 250, 200, 2, 2, 1, .5, 300]],
    8: [[927, 62, 3, .2, 2, .1, .1, .05, .05],
        [180, 807, 12, .3, .4, .1, .1, .05, .05],
        [230, 250, 505, 5, .5, .1, .1, .05, 1],
        [100, 150, 350, 350, 1, .1, .1, .05, 10],
        [570, 10, 30, .2, 390, 5, .1, .05, .05],
        [300, 100, 30, .2, 150, 300, 5, .05, .05],
        [300, 100, 100, 5, 100, 50, 200, .05, 1],
        [300, 100, 100, 5, 10, 5, 1, 400, 1],
        [100, 100, 250, 200, 1, 1, 1, .5, 300]]}

# P(which places of the beat are struck | its division), from the same count; what is not named shares the rest.
_STRUCK: dict[int, dict[tuple[int, ...], float]] = {
    1: {(0,): .686, (): .314},
    2: {(0, 1): .95, (1,): .05},
    4: {(0, 1, 2, 3): .60, (0, 2, 3): .21, (0, 1, 2): .065, (0, 3): .058, (0, 1): .012, (1, 2): .009, (1, 2, 3): .009,
        (0, 1, 3): .008, (2, 3): .007, (1,): .005, (3,): .004, (1, 3): .003},
    8: {(0, 1, 2, 3, 4, 5, 6, 7): .25, (0, 1, 2, 3, 4): .08, (0, 2, 3, 4, 6): .09, (0, 4, 5, 6, 7): .06,
        (0, 4, 6, 7): .06, (0, 2, 4, 6, 7): .04, (0, 4, 7): .03, (0, 6, 7): .02, (0, 1, 2): .02},
    3: {(0, 1, 2): .93, (0, 2): .035, (1,): .014, (0, 1): .01, (1, 2): .005, (2,): .003},
    6: {(0, 1, 2, 3, 4, 5): .40, (0, 2, 3, 4): .20, (1, 3, 5): .08, (0, 2, 3): .07, (0, 3, 4): .07, (0, 1, 3, 5): .04,
        (0, 3, 4, 5): .04, (0, 1, 2, 3): .01},
    12: {(0, 3, 4, 6, 8, 9): .20, (0, 4, 8, 9): .10, (0, 2, 3, 4, 6, 8, 9, 10): .10, (0, 4, 6, 8, 9): .06,
         (0, 3, 6, 8, 10): .04, (0, 3, 4, 8, 9): .04, (0, 3, 4, 6, 8): .03},
    5: {(0, 1, 2, 3, 4): .95},
    16: {tuple(range(16)): .3},
}
_REST = {5: 200.0, 12: 400.0, 16: 4000.0}     # among how many other patterns the rest is shared, where not among all


class Prior(NamedTuple):
    """Costs in nats: of the division after each other one, of the places struck (a bit each), by division."""

    staying: FloatArray
    struck: tuple[FloatArray, ...]


@cache
def prior(kind: int) -> Prior:
    """The costs for beats that are quarter notes (`kind` 4) or eighth notes (8)."""
    table = np.array(_STAYING[kind])
    return Prior(-np.log(table / table.sum(1, keepdims=True)), _struck_costs())


@cache
def _struck_costs() -> tuple[FloatArray, ...]:
    """For each division, float64[2 ** division]: the cost of a pattern of places, infinite where one coarser does."""
    costs = []
    for division in DIVISIONS:
        patterns = np.arange(1 << division)
        coarser = np.zeros(1 << division, bool)
        for other in DIVISIONS:
            if other < division and division % other == 0:
                places = sum(1 << k for k in range(0, division, division // other))
                coarser |= patterns & ~places == 0
        named = {sum(1 << k for k in places): share for places, share in _STRUCK[division].items()}
        others = _REST.get(division, max(1.0, float((~coarser).sum() - len(named))))
        cost = np.full(1 << division, -np.log(max(1 - sum(named.values()), .002) / others))
        cost[list(named)] = -np.log(list(named.values()))
        cost[coarser] = np.inf
        costs.append(cost)
    return tuple(costs)
