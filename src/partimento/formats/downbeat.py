"""Where the first downbeat of a piece is, found from its notes alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from partimento.score import Score

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]

_MOST_NOTES, _MOST_BEATS = 20_000, 8_192
_LONGEST = 4.0         # beats: a note that lasts longer counts as one that lasts this long
_LOOSE = 0.35          # how far onsets gather on a grid (0 not at all, 1 exactly): below this they keep to none
_NEAR = 0.2            # of a beat: how far from it a note may begin and be on it
_SAME = 1 / 24         # of a beat: a grid this near the beats of the file is theirs
_SURE = 4.0            # standard errors by which another beat must beat the one the file says


def downbeat(score: Score, numerator: int, denominator: int) -> float:
    """Return the time of the first downbeat in quarter notes from the start: 0 or more, and within the first bar.

    First the phase of the beat (the note value of the denominator): of the places that fit the grid on which the
    onsets gather, a half, a third or a quarter of a beat apart, the one nearest to where the long notes begin, which
    is a sum of unit vectors, as in circular statistics. Then the beat of the bar on which, over the whole piece, notes
    are longest, bass notes longest and lowest, and the harmony changes most: the length and harmony rules of
    D. Temperley and D. Sleator, "Modeling Meter and Harmony", Computer Music Journal 23 (1999).

    What a file says holds in doubt: beats within 1/24 of those found, and in a file that gives this very meter the
    first beat of its bars, unless another is better by four standard errors. Music that keeps to no grid, and music of
    drums alone, has the downbeats of its file.

    >>> song = Score(onset=[120, 600, 1080, 1560] * 8 + np.repeat(np.arange(8), 4) * 1920, duration=[900, 400] * 16,
    ...              pitch=[40, 60, 64, 60] * 8, velocity=[80] * 32, track=[0] * 32)
    >>> downbeat(song, 4, 4)
    0.25
    """
    own = score.meters[1].tick if score.has_pickup else 0
    said = (numerator, denominator) in [meter[1:] for meter in score.meters[:1 + score.has_pickup]]
    beat = 4 * score.ticks_per_quarter / denominator
    onset = (score.onset[:_MOST_NOTES] - own) / beat
    few = onset < _MOST_BEATS
    onset, length = onset[few], score.duration[:_MOST_NOTES][few] / beat
    drum = np.array([track.is_drum for track in score.tracks] or [False])[score.track[:_MOST_NOTES][few]]
    phase = _phase(onset, np.where(drum, 0, np.minimum(length, _LONGEST)))
    first = 0
    if len(onset) and not drum.all():
        accent = _accents(onset[~drum] - phase, length[~drum], score.pitch[:_MOST_NOTES][few][~drum].astype(np.int64),
                          numerator)
        first = _first(accent, doubt=said and not phase)
    quarter = (first + phase) * 4 / denominator + own / score.ticks_per_quarter
    return quarter % (numerator * 4 / denominator)


def _phase(onset: FloatArray, length: FloatArray) -> float:
    """Where in a beat (0 to 1) the beats of the music are, 0 where that is the file's own or nothing can be told."""
    weight = 1 + 3 * length
    pull = {grid: complex((weight * np.exp(2j * np.pi * grid * onset)).sum()) for grid in (1, 4, 3)}
    grid = max((4, 3), key=lambda g: abs(pull[g]))
    if abs(pull[grid]) <= _LOOSE * weight.sum():
        return 0.0
    places = np.angle(pull[grid]) / (2 * np.pi * grid) + np.arange(grid) / grid
    phase = float(places[np.argmax((pull[1] * np.exp(-2j * np.pi * places)).real)]) % 1
    return 0.0 if min(phase, 1 - phase) < _SAME else phase
