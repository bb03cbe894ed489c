"""Pitch spelling: from sounding pitches to the names that a composer would write."""

from __future__ import annotations

import numpy as np

from partimento.features import pitched
from partimento.notation import spelling_net, spelling_view
from partimento.notation.names import HIGHEST, LOWEST, OFFSET
from partimento.notation.spelling_net import Weights
from partimento.notation.spelling_view import Floats, SpellingView
from partimento.score import BoolArray, IntArray, Score

_SHIFTS = np.array([-12, 0, 12])         # enharmonic: to the diminished second below, as first guessed, above
_NEARBY = 8                             # how many spelled notes on each side tell how a note without spelling is read
_TRUST = 6.0                            # what they weigh, in nats, where many agree


def spell(score: Score, *, keys: bool = True, weights: Weights | None = None) -> IntArray:
    """Return a spelling for every note in Score order (int32[n], as `notation.names`: C is 15); −1 for drums.

    What the Score says of spelling is not looked at; `respelled` keeps it. With `keys` the written key signatures are
    facts of the page; without them, or where there are none, the key is heard. `weights`: others than the package's.

    The method: all that begins at one tick is one moment. At each moment the key is heard (`spelling_view`: the
    likeliest path of key signatures), and each of the twelve pitch classes has a first name from a minor second over
    its tonic to an augmented fourth. A small network (`spelling_net`) reads all moments in both directions and says
    whether that name stands or the one 12 fifths flatter or sharper; it is shown what begins, what sounds, bass and
    top, long notes, and which notes go on by semitone or tone in their part, since that is what spelling follows
    (leading notes rise, chromatic lines keep their direction). Notes of one pitch class at one moment are spelled
    alike. That names come from the notes before and after is the idea of Meredith (2006), "The ps13 pitch spelling
    algorithm"; a recurrent network for it is of Foscarin, Audebert and Fournier-S'niehotta (2021), "PKSpell". The
    weights are fitted on half of the works of openscore_lieder and openscore_quartets and on openscore_orchestra, all
    CC0 (`bench/spelling_fit.py`; the ledger lies beside them).

    >>> s = Score(onset=[0, 480, 960], duration=[480] * 3, pitch=[67, 66, 67], velocity=[80] * 3, track=[0] * 3)
    >>> (spell(s) - OFFSET).tolist()
    [1, 6, 1]
    """
    notes = pitched(score)
    out = np.full(len(score), -1, np.int32)
    if notes.any():
        seen = spelling_view.view(score, notes, keys=keys)
        out[notes] = _named(seen, _chances(seen, weights))
    return out


def respelled(score: Score, *, keys: bool = True) -> Score:
    """Return the Score with a spelling for every note: as it was said, found by `spell` where nothing was (None, −1).

    A spelling that is not one of the note's pitch counts as not said. Where the spelled notes around differ from what
    would be found for them by 12 fifths (G flat, not F sharp), the notes between follow them.

    >>> s = Score(onset=[0, 0, 480], duration=[480] * 3, pitch=[66, 70, 73], velocity=[80] * 3, track=[0] * 3,
    ...           spelling=[OFFSET - 6, OFFSET - 2, -1])
    >>> (respelled(s).spelling - OFFSET).tolist()
    [-6, -2, -5]
    """
    notes = pitched(score)
    said = np.full(len(score), -1, np.int32) if score.spelling is None else score.spelling.copy()
    said[~notes | ((said - OFFSET) * 7 % 12 != score.pitch % 12)] = -1
    given = said[notes] >= 0
    if not given.all():
        seen = spelling_view.view(score, notes, keys=keys)
        chances = _chances(seen)
        if given.any():
            chances = chances + _TRUST * _as_around(given, said[notes] - _named(seen, chances), chances)
        said[notes] = np.where(given, said[notes], _named(seen, chances))
    return score.replace(spelling=said)


def _chances(seen: SpellingView, weights: Weights | None = None) -> Floats:
    """Logarithms of the chances of the three spellings of each note (float32[n, 3]); 0 chance beyond double signs."""
    told = spelling_net.chances(seen.facts, weights or spelling_net.learnt())[seen.moment, seen.rank]
    told -= np.log(np.exp(told - told.max(1, keepdims=True)).sum(1, keepdims=True)) + told.max(1, keepdims=True)
    spelled = seen.place[:, None] + _SHIFTS + OFFSET
    return np.asarray(np.where((spelled < LOWEST) | (spelled > HIGHEST), -np.inf, told))


def _named(seen: SpellingView, chances: Floats) -> IntArray:
    """The likeliest spelling of each note."""
    return np.asarray(seen.place + _SHIFTS[chances.argmax(1)] + OFFSET, np.int32)


def _as_around(given: BoolArray, off: IntArray, chances: Floats) -> Floats:
    """How far the spelled notes nearest to each note speak for each of its spellings: float32[n, 3], a row below 1.

    `off` is how far the likeliest spelling of a note lies from the one said; surprising ones speak louder.
    """
    best = chances.argmax(1)
    turned = np.clip(off[given] // 12, -1, 1)
    told = np.clip(best[given] + turned, 0, 2)
    weight = 1.001 - np.exp(chances[given, told])
    votes = np.zeros((len(turned) + 1, 3))
    votes[np.arange(1, len(votes)), turned + 1] = weight
    votes = votes.cumsum(0)
    before = np.cumsum(given)                           # how many spelled notes there are up to each note
    near = votes[np.minimum(before + _NEARBY, len(turned))] - votes[np.maximum(before - _NEARBY, 0)]
    near /= near.sum(1, keepdims=True) + 1              # one alone decides little
    ways = np.arange(3) - best[:, None] + 1             # by which turn each spelling follows from the likeliest
    there = np.take_along_axis(near, np.clip(ways, 0, 2), 1)
    return np.where((ways < 0) | (ways > 2), 0, there).astype(np.float32)
