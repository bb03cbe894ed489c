"""Short notes just before another that were clearly played as grace notes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from partimento.notation.quantise_beats import Beats
from partimento.score import Score

IndexArray = npt.NDArray[np.int64]

_SHORT, _SOON, _SHARE = .12, .09, .2     # seconds that one sounds, seconds and share of the beat until its main note
_CALM = 2.0                              # how many times as long its neighbours are
_STEP = 2                                # semitones to its main note at most


def find_graces(score: Score, beats: Beats) -> IndexArray:
    """Return for every note the index of the note that it is a grace note of, −1 for ordinary notes (int64[n]).

    A grace note is struck alone, is short, soon followed by a note a step or less than a step away that lasts, and
    has silence or a longer note before it: notes of a quick run are none.
    """
    main = np.full(len(score), -1)
    seconds = score.seconds(score.onset)
    ends = score.seconds(score.offset)
    beat = beats.place(score.onset).astype(np.int64).clip(0, len(beats.seconds) - 1)
    soon = np.minimum(_SOON, _SHARE * beats.seconds[beat])
    for number, track in enumerate(score.tracks):
        notes = np.flatnonzero(score.track == number)
        if track.is_drum or len(notes) < 2:
            continue
        first = np.flatnonzero(np.diff(score.onset[notes], prepend=-1))
        time = seconds[notes[first]]
        single = np.diff(first, append=len(notes)) == 1
        gap = np.diff(time, append=np.inf)
        before = np.append(np.inf, gap[:-1])
        after = np.append(gap[1:], np.inf)
        length = ends[notes[first]] - time
        likely = (single & (length < _SHORT) & (gap <= soon[notes[first]]) & (before >= _CALM * gap)
                  & (after >= _CALM * gap))
        for i in np.flatnonzero(likely).tolist():
            own = int(notes[first[i]])
            others = notes[first[i + 1]: first[i + 2] if i + 2 < len(first) else None]
            away = np.abs(score.pitch[others] - score.pitch[own])
            lasts = ends[others] - seconds[others] >= _CALM * gap[i]
            fits = others[(away <= _STEP) & (away > 0) & lasts]
            if len(fits) and ends[own] <= time[i + 1] + .05:
                main[own] = fits[np.argmin(np.abs(score.pitch[fits] - score.pitch[own]))]
    return main
