"""How drummers strike: how loud each hit is and how far off its place, learnt from `groove`."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.features.meter import missing_before
from partimento.features.weights import shipped_weights
from partimento.score import Score

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]

KIT = ("kick", "snare", "side stick", "closed hat", "pedal hat", "open hat", "low tom", "mid tom", "high tom", "crash",
       "ride")
# General MIDI percussion, and the rims and hats of the kit that groove was played on; what it had not goes with what
# is played alike: hand drums with toms, shakers with the closed hat, bells with the ride.
_PARTS = ((35, 36), (38, 39, 40), (31, 32, 33, 37, 75, 76, 77), (22, 42, 54, 69, 70, 73, 74, 78, 82), (44,),
          (26, 46, 79), (41, 43, 58, 61, 64, 66, 68, 87), (45, 47, 63, 86), (48, 50, 60, 62, 65, 67), (49, 52, 55, 57),
          (51, 53, 56, 59, 71, 72, 80, 81, 83, 84, 85))
STEPS = 12             # parts of a quarter in which places are told
NEAR = 6               # sixteenths on both sides of a hit in which its neighbours are seen
_MOST_NEAR = 40        # and how many hits on each side
SCALE_MS = 40.0          # milliseconds


class Feel(NamedTuple):
    """What a drummer would do with hits: the indices of the notes, velocities 1–127, and milliseconds behind.

    `spread` (float[n, 2]) is by how much drummers differ from these at such a hit: the standard deviations.
    """

    notes: IndexArray
    velocity: FloatArray
    delay_ms: FloatArray
    spread: FloatArray


def kit_parts(pitch: npt.ArrayLike) -> IndexArray:
    """Return which part of the kit (an index into `KIT`) plays each pitch of a drum track.

    >>> [KIT[part] for part in kit_parts([36, 38, 42, 51, 99])]
    ['kick', 'snare', 'closed hat', 'ride', 'closed hat']
    """
    return _part_of_pitch()[np.asarray(pitch, np.int64)]


def drum_places(score: Score, track: int) -> tuple[IndexArray, IndexArray]:
    """Return the notes of a drum track in the order of their onsets, and where each was meant to be.

    Places are in twelfths of a quarter from the start of the piece (int64): the nearest sixteenth, or the nearest
    triplet of eighths in the quarters in which the hits are nearer to these, by half of the mean distance.
    """
    notes = np.flatnonzero(score.track == track).astype(np.int64)
    at = score.onset[notes] / score.ticks_per_quarter
    beat = np.floor(at + 1 / 8).astype(np.int64)
    ways = [np.rint(at * parts) / parts for parts in (4, 3)]
    kinds, index = np.unique(beat, return_inverse=True)
    away = [np.bincount(index, np.abs(at - way), len(kinds)) for way in ways]
    triplets = (away[1] < away[0] / 2)[index]
    return notes, np.rint(np.where(triplets, ways[1], ways[0]) * STEPS).astype(np.int64)


def drum_view(score: Score, track: int) -> tuple[IndexArray, npt.NDArray[np.float32]]:
    """Return the notes of a drum track and what is seen of each (float32[n, features]).

    Seen are the part of the kit, the place in the beat and in the bar, what else sounds within six sixteenths, how
    long since that part was struck and until it is struck again, how often each part is struck, and the tempo.
    """
    notes, place = drum_places(score, track)
    count, parts = len(notes), len(KIT)
    part = kit_parts(score.pitch[notes])
    order = np.lexsort((part, place))
    inverse = np.argsort(order)
    place, part = place[order], part[order]
    tpq = score.ticks_per_quarter
    starts = np.rint(score.bar_starts[:-1] / tpq * STEPS).astype(np.int64)
    bar = np.searchsorted(starts, place, side="right") - 1
    inside = place - starts[bar] + np.where(bar == 0, np.rint(missing_before(score) / tpq * STEPS).astype(np.int64), 0)
    lengths = np.rint(np.array([score.full_bar_ticks(int(t)) for t in score.bar_starts[:-1]]) / tpq * STEPS)
    beats = np.maximum(np.rint(lengths / STEPS), 1)[bar]
    beat = inside // STEPS
    in_bar = np.where(beat == 0, 0, np.where(beat == beats - 1, 3, np.where(2 * beat == beats, 2, 1)))
    near = np.zeros((count, 2 * NEAR + 1, parts), np.float32)
    rows = np.arange(count)
    near[rows, NEAR, part] = 1
    for step in range(1, min(_MOST_NEAR, count - 1) + 1):
        away = np.rint((place[step:] - place[:-step]) / 3).astype(np.int64)
        seen = np.flatnonzero(away <= NEAR)
        if not len(seen):
            break
        near[seen, NEAR + away[seen], part[seen + step]] = 1
        near[seen + step, NEAR - away[seen], part[seen]] = 1
    often = np.bincount(part, minlength=parts) / max((place[-1] - place[0]) / STEPS, 1) if count else np.zeros(parts)
    again = np.full((count, 2), 4.0)
    for kind in range(parts):
        own = np.flatnonzero(part == kind)
        gap = np.diff(place[own]) / STEPS
        again[own[1:], 0] = gap
        again[own[:-1], 1] = gap
    bpm = 60e6 / np.array([t.us_per_quarter for t in score.tempos])
    ruling = np.searchsorted([t.tick for t in score.tempos], place * tpq / STEPS, side="right") - 1
    view = np.concatenate([
        np.eye(parts)[part], np.eye(STEPS)[inside % STEPS], np.eye(4)[in_bar], near.reshape(count, -1),
        np.broadcast_to(often / 2, (count, parts)), np.log2(np.clip(again, 1 / 24, 8)) / 3,
        np.log2(bpm[ruling] / 120)[:, None]], axis=1).astype(np.float32)
    return notes, view[inverse]


def drum_feel(score: Score, track: int) -> Feel:
    """Return what drummers do, on average, with the hits of a track: a network over `drum_view`.

    >>> rows = [(240 * i, 60, 42, 80, 0) for i in range(16)]
    >>> from partimento.score import Track
    >>> hats = drum_feel(Score.from_rows(rows, tracks=(Track("drums", 0, True),)), 0)
    >>> bool(hats.velocity[2] > hats.velocity[3])               # louder on the beat than off it
    True
    """
    notes, view = drum_view(score, track)
    weights = _weights()
    x = view.astype(np.float64)
    for layer in ("first", "second"):
        x = np.maximum(x @ weights[layer] + weights[f"{layer} bias"], 0)
    out = x @ weights["out"] + weights["out bias"]
    spread = weights["spread"][kit_parts(score.pitch[notes])]
    return Feel(notes, np.clip(out[:, 0] * 127, 1, 127), out[:, 1] * SCALE_MS, spread)


# --- the parts ---------------------------------------------------------------------------------------------------


@cache
def _part_of_pitch() -> IndexArray:
    found = np.full(128, KIT.index("closed hat"), np.int64)
    for part, pitches in enumerate(_PARTS):
        found[list(pitches)] = part
    return found


@cache
def _weights() -> dict[str, npt.NDArray[Any]]:
    return shipped_weights("partimento.performance", "drums.safetensors")
