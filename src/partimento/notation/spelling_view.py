"""What the network of pitch spelling is shown: one row of facts a moment of the music, seen from the key there."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from partimento.score import BoolArray, Score

KEYS = np.arange(-8, 9)                 # the keys that may be heard, as signatures
FLATTEST = -5                           # of the twelve places that are the first guess: from a minor second above …
_WRITTEN = 6                            # how far a written key may lie from the key heard, in fifths either way
PLANES = 16                             # facts of each of the twelve pitch classes
FACTS = 12 * PLANES + len(KEYS) + 2 * _WRITTEN + 2 + 1

# How often each pitch class sounds over the tonic of the signature's major key: the tonic, its fifth, the fifth of
# that … in openscore_lieder, openscore_quartets and openscore_orchestra. Only for hearing keys.
_PROFILE = np.log([0.151, 0.148, 0.113, 0.119, 0.138, 0.088, 0.034, 0.025, 0.036, 0.030, 0.031, 0.087])
_SHARPNESS = 0.3                        # of a quarter note's evidence
_CHANGE, _FIFTH = 80.0, 4.0             # what a change of key costs, and each fifth of it, in nats of the profile
_EXTREME, _FIRST, _PULL = 0.02, 0.1, 0.3     # of signs in a key: each quarter, at first; of distance from the written

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class SpellingView:
    """The pitched notes of a Score as moments: what begins at one tick (each place in a group of grace notes apart).

    `facts` is float32[moments, FACTS]; `moment` says the moment of each note, `place` its first guess on the line of
    fifths (C at 0), the one of twelve nearest to the key heard, and `rank` that place from 0 (flattest) to 11.
    """

    facts: Floats
    moment: Ints
    place: Ints
    rank: Ints


def view(score: Score, notes: BoolArray, *, keys: bool = True) -> SpellingView:
    """Return what the network is shown of the notes where `notes` (bool[n]) says so; `keys`: the written ones too.

    >>> s = Score(onset=[0, 0, 480], duration=[480] * 3, pitch=[60, 64, 61], velocity=[80] * 3, track=[0] * 3)
    >>> v = view(s, np.ones(3, bool))
    >>> v.facts.shape == (2, FACTS), v.moment.tolist()
    (True, [0, 0, 1])
    """
    own = np.flatnonzero(notes)
    onset, length = score.onset[own].astype(np.int64), score.duration[own].astype(np.int64)
    pitch, track = score.pitch[own].astype(np.int64), score.track[own].astype(np.int64)
    grace = np.zeros(len(own), np.int64) if score.grace is None else score.grace[own].astype(np.int64)
    quarter = score.ticks_per_quarter
    place = np.where(grace > 0, np.clip(grace % 100, 1, 99) - 1, 99)        # of a grace note in its group
    moments, moment = np.unique(onset * 100 + place, return_inverse=True)
    tick = moments // 100
    fifth = pitch * 7 % 12                                  # on the circle of fifths, C at 0

    planes = np.zeros((len(moments), PLANES, 12), np.uint8)
    planes[moment, 0, fifth] = 1
    planes[:, 1], lowest = _sounding(moments, moment, onset + length, pitch)
    planes[np.arange(len(moments)), 2, lowest * 7 % 12] = 1
    highest = np.zeros(len(moments), np.int64)
    np.maximum.at(highest, moment, pitch)
    planes[np.arange(len(moments)), 3, highest * 7 % 12] = 1
    marks = [*_steps(onset, onset + length, pitch, track, quarter // 2),
             length >= 2 * quarter, 2 * length >= quarter, grace > 0]
    for plane, mark in enumerate(marks, 4):
        planes[moment[mark], plane, fifth[mark]] = 1

    written = _written(score, tick) if keys and score.keys else None
    key = _heard(tick // quarter, moment, fifth, written)
    turned = (np.arange(12) + FLATTEST + key[:, None]) % 12
    facts = np.zeros((len(moments), FACTS), np.float32)
    facts[:, :12 * PLANES] = np.take_along_axis(planes, turned[:, None, :], 2).reshape(len(moments), -1)
    rows = np.arange(len(moments))
    facts[rows, 12 * PLANES + key - KEYS[0]] = 1
    apart = -_WRITTEN - 1 if written is None else np.clip(written - key, -_WRITTEN, _WRITTEN)
    facts[rows, 12 * PLANES + len(KEYS) + 1 + _WRITTEN + apart] = 1
    facts[:, -1] = np.log2(1 + 4 * np.diff(tick, prepend=tick[:1]) / quarter)
    rank = (fifth - key[moment] - FLATTEST) % 12
    return SpellingView(facts, moment, rank + FLATTEST + key[moment], rank)


def _written(score: Score, tick: Ints) -> Ints:
    """The key signature that rules at each tick; the first also before it."""
    starts = np.array([key.tick for key in score.keys])
    fifths = np.array([key.fifths for key in score.keys], np.int64)
    return fifths[np.maximum(np.searchsorted(starts, tick, side="right") - 1, 0)]


def _sounding(moments: Ints, moment: Ints, end: Ints, pitch: Ints) -> tuple[npt.NDArray[np.uint8], Ints]:
    """What sounds at each moment: its places on the circle of fifths (uint8[moments, 12]), and its lowest pitch."""
    change = np.zeros((len(moments) + 1, 132), np.int16)
    np.add.at(change, (moment, pitch), 1)
    np.add.at(change, (np.maximum(np.searchsorted(moments, end * 100), moment + 1), pitch), -1)
    sounds = change.cumsum(0)[:-1].astype(bool)
    classes = sounds.reshape(-1, 11, 12).max(1)
    return classes[:, np.arange(12) * 7 % 12].astype(np.uint8), sounds.argmax(1)


def _steps(onset: Ints, end: Ints, pitch: Ints, track: Ints, gap: int) -> list[BoolArray]:
    """Whether a note of the same track joins on, a semitone up, down, a tone up, down: of each, after it and before."""
    key = track * 132 + pitch
    span = int(end.max(initial=0)) + 1
    order = np.argsort(key * span + onset, kind="stable")
    sorted_key, place = key[order], (key * span + onset)[order]
    found = []
    for step in (1, -1, 2, -2):
        wanted = (key + step) * span + onset
        index = np.searchsorted(place, wanted, side="right")
        other = order[np.minimum(index, len(order) - 1)]
        rest = onset[other] - end
        near = (rest <= gap) & (2 * rest >= onset - end)
        found.append(near & (sorted_key[np.minimum(index, len(order) - 1)] == key + step) & (index < len(order)))
        index = np.searchsorted(place, wanted, side="left") - 1
        other = order[np.maximum(index, 0)]
        rest = onset - end[other]
        near = (rest <= gap) & (2 * rest >= onset[other] - end[other])
        found.append(near & (sorted_key[np.maximum(index, 0)] == key + step) & (index >= 0))
    return found


def _heard(beat: Ints, moment: Ints, fifth: Ints, written: Ints | None) -> Ints:
    """The key of each moment, as a signature: the likeliest path of keys (Viterbi 1967) over the quarter notes."""
    beats, index = np.unique(beat, return_inverse=True)
    count = np.zeros((len(beats), 12))
    np.add.at(count, (index[moment], fifth), 1)
    told = _SHARPNESS * np.sqrt(count) @ np.stack([np.roll(_PROFILE, key) for key in KEYS.tolist()], 1)
    if written is None:
        told -= _EXTREME * np.abs(KEYS) ** 1.5
        told[:1] -= _FIRST * KEYS ** 2
    else:
        signature = np.zeros(len(beats), np.int64)
        signature[index] = written
        told -= _PULL * np.abs(KEYS - signature[:, None])
    apart = np.abs(KEYS[:, None] - KEYS)
    change = _SHARPNESS * (_FIFTH * apart + _CHANGE * (apart > 0))
    best = told[:1].sum(0)
    came = np.zeros(told.shape, np.int64)
    rows = np.arange(len(KEYS))
    for i in range(1, len(told)):
        ways = best - change
        came[i] = ways.argmax(1)
        best = ways[rows, came[i]] + told[i]
    path = np.zeros(len(told), np.int64)
    state = int(best.argmax())
    for i in range(len(told) - 1, -1, -1):
        path[i] = state
        state = came[i, state]
    return KEYS[path][index]
