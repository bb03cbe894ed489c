"""Threads through a line: its place in the phrase, and which of its earlier notes its turns lead back to.

Phrases end at fermatas; where a piece has none it is one phrase. A thread leads from a note to an earlier one of the
same line: the first of the piece, of the phrase or of the bar, the last two on a beat, the last on a first beat, the
last end and the last beginning of a phrase (after the linked and threaded viewpoints of D. Conklin and I. H. Witten,
"Multiple viewpoint systems for music prediction", Journal of New Music Research 1995).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from partimento.counting.memory import MISSING, THREADS
from partimento.models.markov.part import Columns
from partimento.models.markov.sheet import Frame, Ints
from partimento.tokens.grid import to_steps

PHRASES = ("edge", "since", "until", "phrases")
_MOST_SINCE, _MOST_UNTIL, _MOST_PHRASES = 12, 9, 7


def thread_columns(frame: Frame, steps: Ints) -> Columns:
    """The columns of THREADS (which earlier note of the line, −1 for none) and of PHRASES, for onsets of one line.

    `edge` is 1 at the last note of a phrase, 2 at the first, 3 at both; `since` the notes since its first, `until` the
    notes up to its end (9: more, or none), `phrases` how many went before.
    """
    n = len(steps)
    place = np.arange(n)
    score = frame.score
    ticks = np.array([mark.tick for mark in score.marks if mark.kind == "fermata"], np.int64)
    held = np.unique(np.searchsorted(steps, to_steps(ticks, score.ticks_per_quarter, frame.grid), side="right") - 1)
    ends = np.zeros(n, bool)
    ends[held[held >= 0]] = True
    begins = np.append(True, ends[:-1])[:n]
    bar, beat = frame.bar[steps + 1], frame.columns["beat"][steps + 1]
    first = np.append(True, bar[1:] != bar[:-1])[:n]
    strong = np.where(beat == 0, place, MISSING)
    strong1 = _last(strong)
    before = np.append(_last(strong), np.maximum.accumulate(strong)[-1:])    # the last strong place before each place
    phrase = np.maximum.accumulate(np.where(begins, place, 0))
    inside = np.maximum.accumulate(np.where(first, place, 0))
    next_end = np.append(np.flatnonzero(ends), n + _MOST_UNTIL)
    until = next_end[np.searchsorted(next_end, place)] - place
    return {
        "ofpiece": np.where(place > 0, 0, MISSING), "ofphrase": np.where(place > phrase, phrase, MISSING),
        "ofbar": np.where(place > inside, inside, MISSING), "strong1": strong1,
        "strong2": np.where(strong1 >= 0, before[strong1], MISSING),
        "downbeat": _last(np.where(frame.columns["bar"][steps + 1] == 0, place, MISSING)),
        "ending": _last(np.where(ends, place, MISSING)), "entry": _last(np.where(begins, place, MISSING)),
        "edge": ends + 2 * begins, "since": np.minimum(place - phrase, _MOST_SINCE),
        "until": np.minimum(until, _MOST_UNTIL), "phrases": np.minimum(np.cumsum(begins) - 1, _MOST_PHRASES),
    }


def with_threads(columns: Columns, names: list[str], frame: Frame, steps: Ints) -> Columns:
    """The columns of a line of pitches with those of its threads, where any of the names is one."""
    if not {*THREADS, *PHRASES} & set(names):
        return columns
    return {**columns, **thread_columns(frame, steps)}


def _last(places: npt.NDArray[np.int64]) -> Ints:
    """The last of the places (−1: none) before each."""
    return np.append(MISSING, np.maximum.accumulate(places))[:len(places)] if len(places) else places
