"""What no state hides: how many notes begin at once, how long a detached note lasts, how loud notes are. Counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from partimento.models.hmm.page import Floats, Ints, PageGrid, SteppedNotes
from partimento.models.hmm.pitch import N_ROLES

SIZES = 32                 # most notes that begin at once
BEFORE = 7                 # sizes of the chord before, told apart: 0 is none
GAPS = 6                   # how far the part's next onset is, told apart
LONG = 8                   # quarters: the longest length that is counted as it is
LEAN = 3.0                 # sightings that a wider table weighs
REACH = 30                 # how far a velocity may lie from the one before, and be told apart


class Details(NamedTuple):
    """Counts: `sizes` [role, size before, strength, size], `echoes` [role, size before, size one bar ago, size],
    `lengths` [role, gap, steps], `same` [role, 2]: detached notes as long as the one before or not, `levels` [role,
    strength, velocity], `drifts` [role, change of velocity]."""

    sizes: Floats
    echoes: Floats
    lengths: Floats
    same: Floats
    levels: Floats
    drifts: Floats

    @classmethod
    def none(cls, grid: int) -> Details:
        """Nothing counted yet."""
        return cls(np.zeros((N_ROLES, BEFORE, 4, SIZES)), np.zeros((N_ROLES, BEFORE, BEFORE, SIZES)),
                   np.zeros((N_ROLES, GAPS, LONG * grid + 1)), np.zeros((N_ROLES, 2)), np.zeros((N_ROLES, 4, 128)),
                   np.zeros((N_ROLES, 2 * REACH + 1)))


def count_details(counts: Details, page: PageGrid, role: int, own: SteppedNotes) -> None:
    """Add the notes of one part."""
    onsets, index, sizes = np.unique(own.onset, return_inverse=True, return_counts=True)
    if not len(onsets):
        return
    strength = page.strength[np.minimum(onsets, page.steps - 1)]
    before = np.minimum(np.append(0, sizes[:-1]), BEFORE - 1)
    np.add.at(counts.sizes[role], (before, strength, np.minimum(sizes, SIZES) - 1), 1)
    at = np.zeros(page.steps, np.int64)
    at[np.minimum(onsets, page.steps - 1)] = np.minimum(sizes, BEFORE - 1)
    ago = page.ago[np.minimum(onsets, page.steps - 1)]
    np.add.at(counts.echoes[role], (before, np.where(ago >= 0, at[ago], 0), np.minimum(sizes, SIZES) - 1), 1)
    gap = np.diff(np.append(onsets, max(page.steps, int(onsets[-1]) + 1)))[index]
    length = own.end - own.onset
    apart = length != gap
    np.add.at(counts.lengths[role], (gap_class(gap, page.grid)[apart],
                                     np.minimum(length[apart], LONG * page.grid)), 1)
    again = length[1:] == length[:-1]
    both = apart[1:] & apart[:-1]
    counts.same[role] += (both & again).sum(), (both & ~again).sum()
    np.add.at(counts.levels[role], (strength[index], own.velocity), 1)
    drift = np.clip(np.diff(own.velocity), -REACH, REACH) + REACH
    np.add.at(counts.drifts[role], drift, 1)


def gap_class(gap: Ints, grid: int) -> Ints:
    """How far the next onset is, as a class: up to a quarter of a beat, a half, one, two, four, more."""
    return np.searchsorted(np.array([1, 2, 4, 8, 16]) * grid, 4 * gap, side="left").astype(np.int64)


class Habits:
    """The counts of one role as chances."""

    def __init__(self, counts: Details, role: int, grid: int) -> None:
        self.grid = grid
        wide = _mixed(counts.sizes[role].sum(axis=(0, 1)), 0.5 ** np.arange(1, SIZES + 1, dtype=np.float64))
        by_strength = _mixed(counts.sizes[role].sum(axis=0)[None], wide)
        by_before = _mixed(counts.sizes[role].sum(axis=1)[:, None], by_strength)
        self.sizes = _mixed(counts.sizes[role], by_before)
        self.echoes = _mixed(counts.echoes[role][:, None], self.sizes[:, :, None])   # [before, strength, ago, size]
        self.same = float((counts.same[role, 0] + 1) / (counts.same[role].sum() + 4))
        steps = np.arange(LONG * grid + 1)
        plain = np.where(steps > 0, np.exp(-steps / grid), 0.0)
        wider = _mixed(counts.lengths[role].sum(axis=0), plain / plain.sum())
        self.lengths = _mixed(counts.lengths[role], wider)
        self.lengths[:, 1:] += 1e-9
        level = counts.levels[role].sum(axis=0)
        kernel = np.exp(-0.5 * (np.arange(-20, 21) / 6) ** 2)
        even = np.convolve(level + 1e-3, kernel / kernel.sum(), mode="same")
        even[0] = 0
        even[1:] += 1e-4 * even.sum() + 1e-6
        own = _mixed(counts.levels[role], even / even.sum())
        own[:, 0] = 0
        own[:, 1:] += 1e-6
        self.levels = own
        drift = np.exp(-np.abs(np.arange(-REACH, REACH + 1, dtype=np.float64)) / 4.0)
        self.drifts = _mixed(counts.drifts[role], drift / drift.sum())

    def size(self, before: int, ago: int, strength: int, least: int, most: int) -> Floats:
        """float64[SIZES]: how likely each size is of those from `least` to `most`, after a chord of `before` notes and
        with `ago` notes one bar ago."""
        weights = self.echoes[min(before, BEFORE - 1), strength, min(ago, BEFORE - 1)].copy()
        least = min(least, SIZES)
        weights[:max(least, 1) - 1] = 0
        weights[max(most, least, 1):] = 0
        return np.asarray(weights / weights.sum())

    def detached(self, gap: int, most: int, before: int | None = None) -> Floats:
        """float64[most + 1]: how likely each length is of a note that does not last to the next onset; `before` is
        that of the note before, where it did not either."""
        known = self.lengths[int(gap_class(np.array(gap), self.grid))]
        weights = np.zeros(most + 1)
        plain = min(most + 1, len(known))
        weights[:plain] = known[:plain]
        if most >= len(known) - 1:      # what is longer falls off slowly
            tail = np.exp(-np.arange(most + 2 - len(known)) / (2.0 * self.grid))
            weights[len(known) - 1:] = known[-1] * tail / tail.sum() + 1e-12
        weights[0] = 0
        weights[min(gap, most)] = 0
        total = weights.sum()
        if total <= 0:
            return weights
        weights /= total
        if before is not None and before <= most and before != gap:
            weights *= 1 - self.same
            weights[before] += self.same
        return weights

    def velocity(self, before: int | None, strength: int) -> Floats:
        """float64[128]: how likely each velocity is after another."""
        weights = self.levels[strength]
        if before is not None:
            weights = weights * self.drifts[np.clip(np.arange(128) - before, -REACH, REACH) + REACH]
        return np.asarray(weights / weights.sum())


def _mixed(counts: Floats, wider: Floats) -> Floats:
    return np.asarray((counts + LEAN * wider) / (counts.sum(axis=-1, keepdims=True) + LEAN))
