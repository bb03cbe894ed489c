"""Which triads a piece is heard to move through: chances of each on each beat, and the likeliest way through them.

Triads are numbered ``kind * 12 + root``, kinds in the order of `KINDS`; inside the model roots count from the tonic,
so that a transposed piece is heard alike.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from partimento.features.harmony_beats import BeatView
from partimento.features.keys_walk import traced
from partimento.features.notes import FloatArray, IndexArray
from partimento.features.weights import shipped_weights
from partimento.score import BoolArray

KINDS = ("", "m", "dim", "aug")                        # as a symbol writes them after the root
TRIADS = ((0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8))
N_TRIADS = 12 * len(KINDS)
AUGMENTED = slice(36, 48)
WEIGHTS = "harmony.safetensors"                        # beside this module, with its ledger: float16 arrays
REACH = 16                                             # beats on each side that are the neighbourhood of a beat
Values = dict[str, FloatArray]


@cache
def harmony_values() -> Values:
    """Return what the package has learnt of harmony, as float64 arrays by name.

    `tones` and `bass` [4, 12]: how often each step above the root sounds, and is the bass, in each kind of triad;
    `changes` [2, 48, 48]: where each triad goes in major and in minor, and `moves` [3] how often one changes at each
    place in the bar. `line ...`: the same of a melody alone, with a network of two layers that sees what
    `line_facts` says. The triads of the music learnt from (open_hymnal, openscore_lieder, mutopia_midi without its
    CC-BY-SA pieces) were heard in its full texture by a first model of theory alone (`bench/chords_fit.py`).
    """
    return shipped_weights("partimento.features", WEIGHTS)


def heard_triads(view: BeatView, tonic: int, minor: bool, line: bool, values: Values | None = None) -> IndexArray:
    """Return the triad of every beat (int64[beats]) in a key, by Viterbi's algorithm; `line`: it is a melody alone."""
    if not len(view):
        return np.zeros(0, np.int64)
    told = values or harmony_values()
    if line:
        chances = line_chances(line_facts(view, tonic, minor), told)
        chances[:, AUGMENTED] = -np.inf                 # too rare to be known by a melody
    else:
        chances = texture_chances(np.roll(view.sounding, -tonic, axis=1),
                                  np.where(view.bass < 0, -1, (view.bass - tonic) % 12), told)
    kind = "line " if line else ""
    path = best_path(chances, told[f"{kind}changes"][int(minor)], told[f"{kind}moves"][view.place])
    return path // 12 * 12 + (path + tonic) % 12


def texture_chances(sounding: FloatArray, bass: IndexArray, values: Values) -> FloatArray:
    """Return float64[beats, 48]: logarithms of how likely what sounds is in each triad, and its bass."""
    chances = np.asarray(sounding @ _all_roots(values["tones"]).T)
    low = np.flatnonzero(bass >= 0)
    chances[low] += _all_roots(values["bass"])[:, bass[low]].T
    return chances


def _all_roots(table: FloatArray) -> FloatArray:
    """Logarithms of [4, 12] tables of steps above a root as [48, 12] tables of pitch classes."""
    return np.asarray(np.log(np.stack([np.roll(row, root) for row in table for root in range(12)])), np.float64)


def line_facts(view: BeatView, tonic: int, minor: bool) -> FloatArray:
    """Return float64[beats, 164]: what a melody does near each beat, pitch classes counted from the tonic.

    Six beats from two before to three after; the bar, the one before and the one after; what begins on the beat and
    on the first of the bar; the neighbourhood; the whole piece; the place in the bar and in the piece.
    """
    count, bar = len(view), view.bar - view.bar[0]
    sounding = np.roll(view.sounding, -tonic, axis=1)
    padded = np.vstack([np.zeros((2, 12)), sounding, np.zeros((3, 12))])
    facts = [padded[i:i + count] for i in range(6)]
    n_bars = int(bar[-1]) + 1
    sizes = np.maximum(np.bincount(bar, minlength=n_bars), 1)[:, None]
    bars = np.zeros((n_bars + 2, 12))
    bars[1:-1] = np.stack([np.bincount(bar, sounding[:, c], n_bars) for c in range(12)], axis=1) / sizes
    facts += [bars[bar], bars[bar + 1], bars[bar + 2]]
    struck = np.zeros((count, 12))
    begun = np.flatnonzero(view.struck >= 0)
    struck[begun, (view.struck[begun] - tonic) % 12] = 1
    first = np.searchsorted(bar, bar)
    facts += [struck, struck[first]]
    before = np.vstack([np.zeros((1, 12)), np.cumsum(sounding, axis=0)])
    at = np.arange(count)
    near = before[np.minimum(at + REACH + 1, count)] - before[np.maximum(at - REACH, 0)]
    facts.append(near / np.maximum(near.sum(axis=1, keepdims=True), 0.5))
    facts.append(np.tile(before[-1] / max(before[-1].sum(), 0.5), (count, 1)))
    left = n_bars - 1 - bar
    facts.append(np.stack([view.place == 0, view.place == 1, view.place == 2, np.full(count, minor), left == 0,
                           left == 1, bar == 0, (at - first) / view.per_bar], axis=1).astype(np.float64))
    return np.hstack(facts)


def line_chances(facts: FloatArray, values: Values) -> FloatArray:
    """Return float64[beats, 48]: how likely each triad is under each beat of a melody, as logarithms up to a constant.

    >>> line_chances(np.zeros((3, 164)), harmony_values()).shape
    (3, 48)
    """
    state = facts
    for layer in ("first", "second"):
        state = np.maximum(state @ values[f"line {layer}"] + values[f"line {layer} bias"], 0)
    return np.asarray(state @ values["line out"] + values["line out bias"])


def best_path(chances: FloatArray, changes: FloatArray, moves: FloatArray) -> IndexArray:
    """Return the likeliest state of every beat (int64[beats]): A. Viterbi, IEEE Trans. Information Theory 13 (1967).

    `chances` [beats, k] are logarithms; `changes` [k, k] how likely a change leads from each state to each other,
    `moves` [beats] how likely there is one.

    >>> best_path(np.log([[.9, .1], [.4, .6], [.9, .1]]), np.array([[0., 1.], [1., 0.]]), np.full(3, .1)).tolist()
    [0, 0, 0]
    """
    count, k = chances.shape
    states = np.arange(k)
    change = np.log(np.maximum(changes, 1e-9))
    move, stay = np.log(moves), np.log1p(-moves)
    came_from = np.zeros((count, k), np.int64)
    best = chances[0].copy()
    for beat in range(1, count):
        reached = best[:, None] + change
        source = reached.argmax(axis=0)
        moved, stayed = reached[source, states] + move[beat], best + stay[beat]
        here: BoolArray = stayed >= moved
        came_from[beat] = np.where(here, states, source)
        best = np.where(here, stayed, moved) + chances[beat]
    return traced(came_from, best)
