"""The key that the notes speak of."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento import theory
from partimento.features.keys_view import key_view
from partimento.features.notes import FloatArray, pitched
from partimento.features.pitch import pitch_classes
from partimento.features.weights import shipped_weights
from partimento.score import Score
from partimento.theory import KeyName

# How much each pitch class sounds in music in C major and in C minor: J. Albrecht and D. Shanahan, "The Use of Large
# Corpora to Train a New Type of Key-Finding Algorithm", Music Perception 31 (2013). Of six published profiles, used by
# correlation, it names the tonic most often: nottingham 94 % of 969 tunes against their K: fields, pop909 91 % of 681
# songs, mutopia_midi 85 % of 960 pieces (Krumhansl and Kessler's: 87, 87 and 73 %).
KEY_PROFILES = np.array([
    [.238, .006, .111, .006, .137, .094, .016, .214, .009, .080, .008, .081],
    [.220, .006, .104, .123, .019, .103, .012, .214, .062, .022, .061, .052]])
FEWEST = 8               # notes below which no key is told
LEAN = 3.0               # nats of a correlation of 1 with a profile: lieder are heard as well with it, pop909 better
WEIGHTS = "keys.safetensors"           # beside this module, with its ledger: float16 arrays
_ROTATED = np.stack([np.roll(KEY_PROFILES, tonic, axis=1) for tonic in range(12)], axis=1).reshape(24, 12)
_STANDARD = (_ROTATED - _ROTATED.mean(1, keepdims=True)) / _ROTATED.std(1, keepdims=True) / 12


def key_strengths(histogram: npt.NDArray[Any]) -> FloatArray:
    """Return float64[..., 24]: correlation of pitch-class histograms (..., 12) with 12 major, then 12 minor keys.

    A flat histogram correlates with nothing: 0 everywhere.
    """
    centred = histogram - histogram.mean(-1, keepdims=True)
    spread = histogram.std(-1, keepdims=True)
    product = np.einsum("...i,ki->...k", centred, _STANDARD)
    return np.asarray(np.divide(product, spread, out=np.zeros_like(product), where=spread > 0))


def rank_keys(histogram: FloatArray) -> list[KeyName]:
    """Return the 24 keys, the one that fits the pitch-class histogram (float64[12]) best first.

    >>> rank_keys(np.array([4, 0, 2, 0, 3, 1, 0, 3, 0, 1, 0, 1.0]))[0]
    KeyName(tonic=0, mode='major')
    """
    order = np.argsort(-key_strengths(histogram), kind="stable")
    return [KeyName(int(k) % 12, "major" if k < 12 else "minor") for k in order]


def shift_of(fifths: int) -> int:
    """Semitones (−5 to 6) from C major to the major key with that signature, the short way."""
    return (fifths * 7 + 5) % 12 - 5


class HeardKey(NamedTuple):
    """The key of a piece, how far ahead of the second likeliest it is (0: as likely, 1: beyond doubt), and that one."""

    key: KeyName
    strength: float
    second: KeyName


def find_key(score: Score) -> HeardKey | None:
    """Return the key that the notes speak of, or None where there are too few to tell (under 8).

    Only the notes are heard, never the keys, chords, names or spelling that the Score says. A transposed piece is
    heard in the key transposed as far.

    >>> s = Score(onset=range(0, 3840, 480), duration=[480] * 8, pitch=[60, 62, 64, 65, 67, 69, 71, 72],
    ...           velocity=[80] * 8, track=[0] * 8)
    >>> find_key(s).key
    KeyName(tonic=0, mode='major')
    """
    view = key_view(score) if int(pitched(score).sum()) >= FEWEST else None
    if view is None:
        return None
    chances = key_chances(view, learnt_keys())
    best, second = np.argsort(-chances, kind="stable")[:2].tolist()
    names = [KeyName(k % 12, "major" if k < 12 else "minor") for k in (best, second)]
    return HeardKey(names[0], float(chances[best] - chances[second]), names[1])


def key_chances(view: FloatArray, values: dict[str, FloatArray]) -> FloatArray:
    """Return float64[24]: how likely each of 12 major, then 12 minor keys is, of a `key_view`; they sum to 1.

    A network of one layer and its shortcut sees the view from each of the 12 tonics with the same weights; the
    correlation with a textbook profile counts beside it, for music unlike that which taught the network.

    >>> round(float(key_chances(np.zeros((28, 12)), learnt_keys()).sum()), 6)
    1.0
    """
    seen = np.stack([np.roll(view, -tonic, axis=1).ravel() for tonic in range(12)])
    hidden = np.maximum(seen @ values["layer"] + values["layer bias"], 0)
    said = (hidden @ values["out"] + seen @ values["shortcut"] + values["bias"]).T.ravel()
    said = said + LEAN * key_strengths(view[0])
    likely = np.exp(said - said.max())
    return np.asarray(likely / likely.sum())


@cache
def learnt_keys() -> dict[str, FloatArray]:
    """Return the weights of `key_chances` by name, as `bench/keys_fit.py` fitted them on open music (see the ledger).

    `layer` [336, n] and `layer bias` [n], `out` [n, 2], `shortcut` [336, 2] and `bias` [2], the last of major, minor.
    """
    return shipped_weights("partimento.features", WEIGHTS)


def heard_key(score: Score) -> tuple[int, int] | None:
    """Shift and mode of the key that the notes speak of, or None where there are too few to tell (under 8)."""
    found = find_key(score)
    if found is None:
        return None
    return shift_of(theory.fifths(*found.key)), int(found.key.mode == "minor")


def written_key_fits(score: Score) -> bool:
    """Whether three quarters of the sounding time lie in the scales of the signatures, as where someone set them."""
    if not score.keys:
        return False
    time, inside = 0.0, 0.0
    for key, following in zip(score.keys, (*score.keys[1:], None), strict=True):
        part = (score.onset >= key.tick) & (score.onset < (following.tick if following else score.end + 1))
        histogram = pitch_classes(score, notes=part)
        scale = sorted(theory.scale(*theory.from_fifths(key.fifths, key.mode or "major")))
        time, inside = time + float(histogram.sum()), inside + float(histogram[scale].sum())
    return time > 0 and inside / time >= 0.75
