"""Pitches given the hidden chord: a log-linear model of one note at a time, locally normalised.

The chance of a pitch is proportional to exp of a sum of learnt weights, each of which looks at one relation: to the
chord's root, to the key, to the line's last notes, to the note beside it in its own chord, to the outermost notes that
sound in other parts, to what stood one bar ago, and to the next note that is kept. Only the first knows the chord, and
only by pitch class, so that the sum over all chords costs little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.models.hmm.harmony import QUALITIES, STATES
from partimento.models.hmm.page import Bools, Floats, Ints
from partimento.sampling import generator

N_ROLES = 7
# Relations to a pitch, each with its rows: how many kinds of it there are.
RELATIONS = {
    "register": N_ROLES, "instrument": N_ROLES * 16, "centre": N_ROLES, "run": N_ROLES * 4, "step": N_ROLES * 4 * 3,
    "turn": N_ROLES * 16, "chord neighbour": N_ROLES * 4, "lowest": N_ROLES * 3, "highest": N_ROLES * 3,
    "parallel low": N_ROLES * 12, "parallel high": N_ROLES * 12, "bar ago": N_ROLES * 2, "bar ago moved": N_ROLES,
    "ahead": 4, "drum": 64, "drum ago": 4,
}
NAMES = tuple(RELATIONS)
FIRST_ROW = dict(zip(NAMES, np.cumsum([0, *RELATIONS.values()])[:-1].tolist(), strict=True))
ROWS = sum(RELATIONS.values())
WIDE = 256                 # a weight for every interval −128…127
SCALE_ROWS = N_ROLES * 2 * 3
CHORD_ROWS = N_ROLES * 4
BATCH = 256
RATE, DECAY = 0.25, 1e-5
PARALLEL = 0.005           # what a sharpened draw leaves of the chance of a parallel
AGAIN = (1.0, 0.5, 0.2, 0.05)       # and of one more repeat, by how many there were


class Seen(NamedTuple):
    """What is seen of one note: `rows` and `refs` of every relation that holds, the key, the place, what is legal.

    `scale` is the row of the scale table and `tonic` its pitch class (−1: no key, as of drums); `strong` the row of the
    chord table; `low` and `high` bound the pitch (exclusive).
    """

    rows: list[int]
    refs: list[int]
    scale: int
    tonic: int
    strong: int
    low: int
    high: int


class Weights(NamedTuple):
    """Learnt weights: `relation` [ROWS + 1, 256], `scale` [rows + 1, 12], `chord` [rows, quality, 12]."""

    relation: Floats
    scale: Floats
    chord: Floats

    @classmethod
    def none(cls) -> Weights:
        """Weights that say nothing."""
        return cls(np.zeros((ROWS + 1, WIDE)), np.zeros((SCALE_ROWS + 1, 12)),
                   np.zeros((CHORD_ROWS, len(QUALITIES), 12)))

    def base(self, seen: Seen) -> Floats:
        """float64[128]: the sum of the weights of one note that know nothing of the chord, over every pitch."""
        out = np.zeros(128)
        for row, ref in zip(seen.rows, seen.refs, strict=True):
            out += self.relation[row, 128 - ref:256 - ref]
        if seen.tonic >= 0:
            out += self.scale[seen.scale][(CLASSES - seen.tonic) % 12]
        return out

    def by_state(self, seen: Seen) -> Floats:
        """float64[STATES, 12]: the weights of every pitch class in every chord."""
        steps = (np.arange(12)[None, :] - ROOTS[:, None] - seen.tonic) % 12
        return np.asarray(self.chord[seen.strong][QUALITY[:, None], steps])


CLASSES = np.arange(128) % 12
ROOTS = np.repeat(np.arange(12), len(QUALITIES))
QUALITY = np.tile(np.arange(len(QUALITIES)), 12)


def pitch_chances(weights: Weights, seen: Seen, legal: Bools, state: int) -> Floats:
    """float64[128]: the chance of every legal pitch, given the state of the chord (−1: none)."""
    out = weights.base(seen)
    if state >= 0 and seen.tonic >= 0:
        root, quality = divmod(state, len(QUALITIES))
        out += weights.chord[seen.strong, quality][(CLASSES - root - seen.tonic) % 12]
    out = np.where(legal, out, -np.inf)
    out = np.exp(out - out.max())
    return np.asarray(out / out.sum())


def tasteful(found: Floats, seen: Seen, parallels: Sequence[int]) -> Floats:
    """Chances (float64[128]) as a sharpened draw takes them: hardly ever one of `parallels`, and the less of a note the
    more often it was struck in a row; as they were where nothing else is left."""
    out = found.copy()
    out[list(parallels)] *= PARALLEL
    for row, ref in zip(seen.rows, seen.refs, strict=True):
        kind = row - FIRST_ROW["run"]
        if 0 <= kind < RELATIONS["run"]:
            out[ref] *= AGAIN[kind % 4]
    return out if out.sum() > 0 else found


def log_chances(weights: Weights, seen: Seen, legal: Bools, pitch: int) -> Floats:
    """float64[STATES]: the log-probability of one pitch under every chord; one number for all where there is no key."""
    out = np.where(legal, weights.base(seen), -np.inf)
    top = out.max()
    mass = np.exp(out - top)
    if seen.tonic < 0:
        return np.full(STATES, out[pitch] - top - np.log(mass.sum()))
    by_class = np.bincount(CLASSES, mass, 12)
    chord = weights.by_state(seen)
    return np.asarray(out[pitch] - top + chord[:, pitch % 12] - np.log(np.exp(chord) @ by_class))


class Lesson(NamedTuple):
    """Notes to learn from, as columns: `rows` and `refs` int[n, relations] (padded by ROWS), and the rest a number a
    note; `chord` is the state of the chord, −1 where none is heard."""

    rows: npt.NDArray[Any]
    refs: npt.NDArray[Any]
    scale: Ints
    tonic: Ints
    strong: Ints
    low: Ints
    high: Ints
    pitch: Ints
    chord: Ints


def lesson_of(seen: list[Seen], pitches: list[int], chords: list[int], wide: int) -> Lesson:
    """The columns of a list of notes seen, of at most `wide` relations each."""
    rows = np.full((len(seen), wide), ROWS, np.int32)
    refs = np.zeros((len(seen), wide), np.int32)
    for i, one in enumerate(seen):
        rows[i, :len(one.rows)], refs[i, :len(one.refs)] = one.rows, one.refs
    rest = np.array([(one.scale, one.tonic, one.strong, one.low, one.high) for one in seen], np.int64).reshape(-1, 5)
    scale, tonic, strong, low, high = rest.T
    return Lesson(rows, refs, scale, tonic, strong, low, high, np.array(pitches, np.int64), np.array(chords, np.int64))


def fit_weights(lesson: Lesson, rounds: int, seed: int, go_on: Callable[[], bool] = lambda: True) -> Weights:
    """Weights by gradient ascent of the likelihood (J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2011), `rounds` batches."""
    weights, n = Weights.none(), len(lesson.pitch)
    if not n:
        return weights
    gains = [np.full(w.shape, 1e-4) for w in weights]
    rng = generator(seed, 3)
    order = np.zeros(0, np.int64)
    for step in range(rounds):
        if len(order) < min(BATCH, n):
            order = np.argsort(rng.random(n), kind="stable")
        chosen, order = order[:BATCH], order[BATCH:]
        for w, total, slope in zip(weights, gains, _slopes(weights, lesson, chosen), strict=True):
            slope -= DECAY * len(chosen) * w
            total += slope ** 2
            w += RATE * slope / np.sqrt(total)
        weights.relation[ROWS] = 0
        weights.scale[SCALE_ROWS] = 0
        if step % 50 == 49 and not go_on():
            break
    return weights


def _slopes(weights: Weights, lesson: Lesson, chosen: Ints) -> tuple[Floats, Floats, Floats]:
    """The gradient of the log-likelihood of some notes, by table."""
    own = Lesson(*(column[chosen] for column in lesson))
    n, pitch = len(chosen), np.arange(128)
    places = own.rows[:, :, None].astype(np.int64) * WIDE + (128 + pitch - own.refs[:, :, None])
    tonic = np.maximum(own.tonic, 0)
    scale = np.where(own.tonic >= 0, own.scale, SCALE_ROWS)[:, None] * 12 + (pitch - tonic[:, None]) % 12
    root, quality = np.divmod(np.maximum(own.chord, 0), len(QUALITIES))
    known = ((own.chord >= 0) & (own.tonic >= 0))[:, None]
    chord = (own.strong * len(QUALITIES) + quality)[:, None] * 12 + (pitch - root[:, None] - tonic[:, None]) % 12
    out = weights.relation.ravel()[places].sum(axis=1) + weights.scale.ravel()[scale]
    out += np.where(known, weights.chord.ravel()[chord], 0.0)
    out[(pitch <= own.low[:, None]) | (pitch >= own.high[:, None])] = -np.inf
    out = np.exp(out - out.max(axis=1, keepdims=True))
    miss = -out / out.sum(axis=1, keepdims=True)
    miss[np.arange(n), own.pitch] += 1
    spread = np.broadcast_to(miss[:, None, :], places.shape)
    return (_added(places, spread, weights.relation), _added(scale, miss, weights.scale),
            _added(chord, miss * known, weights.chord))


def _added(places: Ints, values: Floats, like: Floats) -> Floats:
    """Values added up at flat places of a table."""
    return np.bincount(places.ravel(), values.ravel(), like.size).astype(np.float64).reshape(like.shape)
