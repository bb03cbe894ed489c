"""Where a piece goes from key to key."""

from __future__ import annotations

import numpy as np

from partimento.features.keys import find_key
from partimento.features.keys_walk import KEYS, bar_times, likeliest
from partimento.score import Score
from partimento.theory import KeyName

# In how many of a hundred short passages in C major and in C minor each pitch class occurs: D. Temperley, Music and
# Probability, MIT Press (2007), chapter 6, counted in the examples of a textbook of harmony.
PASSAGE_PROFILES = np.array([
    [74.8, 6.0, 48.8, 8.2, 67.0, 46.0, 9.6, 71.5, 10.4, 36.6, 5.7, 40.0],
    [71.2, 8.4, 47.4, 61.8, 4.9, 46.0, 10.5, 74.7, 40.4, 6.7, 13.3, 33.0]])
# Chosen on one half of the songs of openscore_lieder (bench/tables/keys.py measures on the other): what a quarter's
# worth of sound counts; the costs in nats of a change of key, and of each fifth of it beyond the first; and how much
# less it costs to come into the key of the whole piece.
SHARPNESS, CHANGE, FIFTH, HOME = 0.5, 22.0, 2.0, 4.0
_EVIDENCE = np.stack([np.roll(np.log(profile / profile.sum()), tonic)
                      for profile in PASSAGE_PROFILES for tonic in range(12)]).T


def key_path(score: Score) -> tuple[tuple[int, KeyName], ...]:
    """Return the keys that a piece goes through, each with the tick (of a bar line) where it begins, the first at 0.

    Heard in the notes alone, as the likeliest path through 24 keys over the bars, in which a change must be worth
    its cost, so that a passing chord makes none. A piece that stays has one entry, the key of `find_key`; empty where
    no key is heard.

    >>> s = Score(onset=range(0, 3840, 480), duration=[480] * 8, pitch=[60, 62, 64, 65, 67, 69, 71, 72],
    ...           velocity=[80] * 8, track=[0] * 8)
    >>> key_path(s)
    ((0, KeyName(tonic=0, mode='major')),)
    """
    home = find_key(score)
    if home is None:
        return ()
    bars, times = bar_times(score)
    enter = np.where(np.arange(24) == KEYS.index(home.key), -HOME, 0.0)
    path = likeliest(SHARPNESS * times @ _EVIDENCE, CHANGE, FIFTH, enter)
    first = np.flatnonzero(np.append(True, path[1:] != path[:-1]))
    if len(first) == 1:
        return ((0, home.key),)
    return tuple((int(score.bar_starts[bars[i]]) if i else 0, KEYS[path[i]]) for i in first.tolist())
