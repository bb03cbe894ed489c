"""Where the first downbeat of a piece is, found from its notes alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from partimento.score import Meter, Score

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]

_MOST_NOTES, _MOST_BEATS = 20_000, 8_192
_LONGEST = 4.0         # beats: for the phase, a note that lasts longer counts as one that lasts this long
_LOOSE = 0.35          # how far onsets gather on a grid (0 not at all, 1 exactly): below this they keep to none
_NEAR = 0.2            # of a beat: how far from it a note may begin and be on it
_SAME = 1 / 24         # of a beat: a grid this near the beats of the file is theirs
_SURE = 4.0            # standard errors by which another place must be better than the file's own


def downbeat(score: Score, numerator: int, denominator: int) -> float:
    """Return where the first downbeat is, in quarter notes from the start: on a tick, from 0 to less than one bar.

    First the phase of the beat (the note value of the denominator): onsets as unit vectors, as in circular statistics,
    summed by the length of the notes, show the grid they gather on and which of its places in the beat is the beat.
    Then the beat of the bar on which, over the whole piece, the longest notes begin, the bass notes are longest and
    lowest, and the harmony changes most: the length and harmony rules of D. Temperley and D. Sleator, "Modeling Meter
    and Harmony", Computer Music Journal 23 (1999).

    In doubt the file is right: its beats, where they lie within 1/24 of a place of the grid and no other place is
    better by four standard errors; then also its bars, where it gives this very meter and no other beat is better by
    as much, which takes 17 bars at least. Drums are not heard; music of drums alone, or that keeps to no grid, has the
    downbeats of its file.

    >>> song = Score(onset=[120, 600, 1080, 1560] * 8 + np.repeat(np.arange(8), 4) * 1920, duration=[900, 400] * 16,
    ...              pitch=[40, 60, 64, 60] * 8, velocity=[80] * 32, track=[0] * 32)
    >>> downbeat(song, 4, 4)
    0.25
    """
    own = first_meter(score)
    beat = 4 * score.ticks_per_quarter / denominator
    drum = np.array([track.is_drum for track in score.tracks] or [False])
    notes = np.flatnonzero(~drum[score.track] & (score.onset < own.tick + _MOST_BEATS * beat))[:_MOST_NOTES]
    place = 0.0
    if len(notes):
        onset, length = (score.onset[notes] - own.tick) / beat, score.duration[notes] / beat
        place = beat_phase(onset, np.minimum(length, _LONGEST))
        accents = _accents(onset - place, length, score.pitch[notes].astype(np.int64), numerator)
        place += _first(accents, doubt=own[1:] == (numerator, denominator) and not place)
    return float((round(place * beat) + own.tick) % (numerator * beat) / score.ticks_per_quarter)


def first_meter(score: Score) -> Meter:
    """Return the meter of the first whole bar, and its tick: where the file gives a partial bar first, the next one.

    >>> first_meter(Score(meters=(Meter(0, 1, 4), Meter(480, 4, 4))))
    Meter(tick=480, numerator=4, denominator=4)
    """
    partial = len(score.meters) > 1 and score.meters[1].tick < score.full_bar_ticks(score.meters[1].tick)
    return score.meters[int(partial)]


def beat_phase(onset: FloatArray, weight: FloatArray) -> float:
    """Return where in a beat (0 to 1) the beats of the music are; 0 where the file's own are right or nothing tells.

    `onset` float64[n] in beats, `weight` float64[n] how much each says.

    >>> round(beat_phase(np.arange(32) + 0.25, np.ones(32)), 3)
    0.25
    """
    pull = {grid: complex((weight * np.exp(2j * np.pi * grid * onset)).sum()) for grid in (1, 4, 3)}
    enough = _LOOSE * weight.sum()
    grid = max((4, 3), key=lambda g: abs(pull[g]))
    if abs(pull[grid]) <= enough:
        grid = 1
    if abs(pull[grid]) <= enough:
        return 0.0
    places = np.angle(pull[grid]) / (2 * np.pi * grid) + np.arange(grid) / grid
    best = float(places[np.argmax((pull[1] * np.exp(-2j * np.pi * places)).real)])
    away = (places + 0.5) % 1 - 0.5
    own = float(away[np.abs(away).argmin()])
    if abs(own) < _SAME:
        gain = weight * (np.cos(2 * np.pi * (onset - best)) - np.cos(2 * np.pi * (onset - own)))
        if not _is_sure(gain):
            return 0.0
    return best % 1


def _accents(onset: FloatArray, length: FloatArray, pitch: IndexArray, numerator: int) -> FloatArray:
    """float64[bars, numerator]: how much each beat sounds like the first of a bar; the mean is 3 at most."""
    nearest = np.floor(onset + 0.5).astype(np.int64)
    begin = int(nearest.min()) // numerator * numerator
    bars = (int(nearest.max()) - begin) // numerator + 1
    beats = bars * numerator
    near = np.abs(onset - nearest) < _NEAR
    beat, pitches, lasts = nearest[near] - begin, pitch[near], np.minimum(length[near], 2 * numerator)

    longest, lowest, bass = np.zeros(beats), np.full(beats, 128), np.zeros(beats)
    np.maximum.at(longest, beat, lasts)
    np.minimum.at(lowest, beat, pitches)
    low = pitches == lowest[beat]
    np.maximum.at(bass, beat[low], lasts[low])
    bass *= np.clip((72 - lowest) / 36, 0, 1)

    first = np.floor(onset - begin + _NEAR).astype(np.int64).clip(0, beats - 1)     # beats in which each note sounds
    last = np.ceil(onset - begin + length - _NEAR).astype(np.int64).clip(first + 1, beats)
    edges = np.bincount(first * 12 + pitch % 12, minlength=12 * (beats + 1)).astype(np.float64)
    edges -= np.bincount(last * 12 + pitch % 12, minlength=12 * (beats + 1))
    sounding = np.sqrt(np.cumsum(edges.reshape(-1, 12), axis=0)[:-1])
    size = np.linalg.norm(sounding, axis=1)
    both = size[1:] * size[:-1]
    alike = np.divide((sounding[1:] * sounding[:-1]).sum(1), both, out=np.ones(beats - 1), where=both > 0)
    change = np.append(0, 1 - alike)

    total = sum(part / max(part.mean(), 1e-9) for part in (longest, bass, change))
    return np.asarray(total).reshape(bars, numerator)


def _first(accents: FloatArray, doubt: bool) -> int:
    """Which beat of the bar is its first; with `doubt`, 0 where no other is better by far."""
    best = int(accents.mean(0).argmax())
    return best if not doubt or _is_sure(accents[:, best] - accents[:, 0]) else 0


def _is_sure(gain: FloatArray) -> bool:
    """Whether the sum of the gains is far above nought, measured by what it would spread were their signs by chance."""
    return bool(gain.sum() > _SURE * np.sqrt((gain ** 2).sum()))
