"""One line of notes over given harmonies, drawn as a whole: a chain over the pitches of its onsets.

Every onset has a cost for each pitch, and every step from one note to the next has a cost too (how far, out of and
into dissonance, after a leap, in parallel with other lines, away from the steps of a motif). A line x has the chance
exp(−cost(x) / temperature) / Z; it is drawn by forward filtering and backward sampling, so notes that are fixed before,
within and after it are met exactly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from partimento.models.base import Rng
from partimento.sampling import draw, shape

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

STEPS = np.array([0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 5, 6])      # scale steps over the tonic, of each semitone over it
NEVER = 1e4                 # a cost that a line bears only where nothing else is left
NOTHING = -1


@dataclasses.dataclass
class LinePage:
    """What a line is drawn from: its places, and the costs of the pitches `low`, `low` + 1, … at each.

    `unary` (float64[n, width]) is the cost of each pitch, `tones` (bool[n, width]) which are at rest there (chord
    tones), `tonic` (int64[n]) the pitch class that scale steps count from, `wish` (float64[n]) the scale steps from the
    note before that a motif asks for (NaN: none), `others` (int64[m, n]) the pitches that other lines strike there (−1:
    none), `apart` (bool[n]) whether a rest or a new phrase begins there, so that leaps are free, `leads`
    (bool[n, width]) which are leading tones that should rise into the next note.
    """

    low: int
    unary: Floats
    tones: Bools
    tonic: Ints
    wish: Floats
    others: Ints
    apart: Bools
    leads: Bools

    @classmethod
    def blank(cls, low: int, high: int, count: int) -> LinePage:
        """A page of `count` places for the pitches `low` to `high`, on which every pitch costs nothing."""
        width = high - low + 1
        return cls(low, np.zeros((count, width)), np.ones((count, width), bool), np.zeros(count, np.int64),
                   np.full(count, np.nan), np.full((0, count), NOTHING, np.int64), np.zeros(count, bool),
                   np.zeros((count, width), bool))

    @property
    def pitches(self) -> Ints:
        """The pitches that the columns stand for."""
        return self.low + np.arange(self.unary.shape[1])

    def fix(self, place: int, pitch: int) -> None:
        """Let the note at a place be this one."""
        self.unary[place] = np.inf
        self.unary[place, pitch - self.low] = 0.0


class LineRules:
    """The costs of going from one note to the next, as a table of the rules gives them."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self.table = table
        self.intervals = np.array(table["intervals"], np.float64)

    def step(self, page: LinePage, place: int) -> Floats:
        """float64[3, width, width]: the cost from each pitch at `place` − 1 to each at `place`.

        First after a step or a repetition, then after a leap up, then after a leap down.
        """
        table, pitch = self.table, page.pitches
        gap = pitch[None, :] - pitch[:, None]
        size = np.abs(gap)
        base = self.intervals[np.minimum(size, len(self.intervals) - 1)].copy()
        before, here = page.tones[place - 1][:, None], page.tones[place][None, :]
        far, step = size > 2, (size > 0) & (size <= 2)
        base += table["leave_dissonance_by_leap"] * (~before & far) + table["reach_dissonance_by_leap"] * (~here & far)
        base += table["repeat_dissonance"] * (~here & (size == 0)) + table["two_dissonances"] * (~here & ~before)
        base -= table["resolve"] * (~before & here & step)
        base += table["leading"] * (page.leads[place - 1][:, None] & (gap != 1))
        if not np.isnan(page.wish[place]):
            base += table["motif"] * np.minimum(np.abs(self._degrees(page, place, gap) - page.wish[place]), 3)
        for other in page.others:
            if other[place] >= 0 and other[place - 1] >= 0 and other[place] != other[place - 1]:
                base += table["parallel"] * self._parallel(pitch, other[place - 1], other[place])
        if page.apart[place]:
            base *= table["apart"]
            return np.broadcast_to(base, (3, *base.shape))
        leap = size >= table["leap"]
        same_up = np.where(gap > 0, np.where(far, table["leap_goes_on"], table["leap_steps_on"]), 0.0)
        same_down = np.where(gap < 0, np.where(far, table["leap_goes_on"], table["leap_steps_on"]), 0.0)
        back = table["leap_after_leap"] * leap
        return np.stack([base, base + same_up + back * (gap < 0), base + same_down + back * (gap > 0)])

    def _degrees(self, page: LinePage, place: int, gap: Ints) -> Ints:
        """int64[width, width]: the scale steps from each pitch to each."""
        over = page.pitches - page.tonic[place]
        step = over // 12 * 7 + STEPS[over % 12]
        return np.asarray(step[None, :] - step[:, None], np.int64)

    @staticmethod
    def _parallel(pitch: Ints, before: int, here: int) -> Bools:
        """Which moves run in parallel octaves or fifths with another line, or into one of them by leap the same way."""
        was, now = np.abs(pitch - before) % 12, np.abs(pitch - here) % 12
        moves = np.sign(pitch[None, :] - pitch[:, None]) == np.sign(here - before)
        return np.asarray(moves & (was[:, None] == now[None, :]) & np.isin(now, (0, 7))[None, :])

    def kinds(self, page: LinePage) -> Ints:
        """int64[width, width]: 0 where a move is no leap, 1 for a leap up, 2 for a leap down."""
        gap = page.pitches[None, :] - page.pitches[:, None]
        return np.where(gap >= self.table["leap"], 1, np.where(gap <= -self.table["leap"], 2, 0))


def draw_line(page: LinePage, rules: LineRules, rng: Rng, temperature: float = 1.0, top_p: float = 1.0) -> list[int]:
    """Return one pitch for every place, drawn with chance exp(−cost / temperature) of the whole line.

    With `top_p` under 1 each note is taken from the likeliest share, given those after it.
    """
    count, width = page.unary.shape
    if not count:
        return []
    heat = 1.0 / max(temperature, 1e-3)
    kinds = rules.kinds(page)
    filtered = np.full((count, 3, width), -np.inf)
    filtered[0, 0] = -heat * page.unary[0]
    costs: list[Floats] = [np.zeros((0, 0, 0))]
    for place in range(1, count):
        cost = rules.step(page, place)
        costs.append(cost)
        flat = _sum(filtered[place - 1][:, :, None] - heat * cost, 0)
        for kind in range(3):
            filtered[place, kind] = _sum(np.where(kinds == kind, flat, -np.inf), 0) - heat * page.unary[place]
    out = [0] * count
    state = _take(filtered[-1].ravel(), rng, top_p)
    kind, column = divmod(state, width)
    out[-1] = column
    for place in range(count - 1, 0, -1):
        scores = filtered[place - 1] - heat * costs[place][:, :, column]
        scores = np.where((kinds[:, column] == kind)[None, :], scores, -np.inf)
        kind, column = divmod(_take(scores.ravel(), rng, top_p), width)
        out[place - 1] = column
    return [page.low + column for column in out]


def line_cost(page: LinePage, rules: LineRules, pitches: Sequence[int]) -> float:
    """Return the cost of a whole line, of which `draw_line` takes exp(−cost / temperature)."""
    total, kind = float(page.unary[0, pitches[0] - page.low]), 0
    kinds = rules.kinds(page)
    for place in range(1, len(pitches)):
        a, b = pitches[place - 1] - page.low, pitches[place] - page.low
        total += float(rules.step(page, place)[kind, a, b] + page.unary[place, b])
        kind = int(kinds[a, b])
    return total


def choices(page: LinePage, rules: LineRules, pitches: Sequence[int], place: int, temperature: float = 1.0) -> Floats:
    """Return the chance of each pitch at one place with all other notes as they are (float64[width])."""
    first, stop = max(place - 2, 0), min(place + 3, len(pitches))
    part = LinePage(page.low, page.unary[first:stop], page.tones[first:stop], page.tonic[first:stop],
                    page.wish[first:stop], page.others[:, first:stop], page.apart[first:stop],
                    page.leads[first:stop])
    line = list(pitches[first:stop])
    costs = np.empty(page.unary.shape[1])
    for column in range(len(costs)):
        line[place - first] = page.low + column
        costs[column] = line_cost(part, rules, line)
    weights = np.exp(-(costs - costs.min()) / max(temperature, 1e-3))
    return np.asarray(weights / weights.sum())


def _sum(scores: Floats, axis: int) -> Floats:
    """log of the sum of exp, −inf where all are."""
    top = scores.max(axis=axis, keepdims=True)
    safe = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(scores - safe).sum(axis=axis)) + safe.squeeze(axis))


def _take(scores: Floats, rng: Rng, top_p: float) -> int:
    weights = np.exp(scores - scores.max())
    return draw(shape(weights, 1.0, top_p) if top_p < 1 else weights, rng.random())
