"""The kinds of faults, and those that are told of a piece: what lies beyond what real music does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from partimento.errors import RequestError
from partimento.judge.faults import form, harmony, playing, sounds, voices
from partimento.judge.faults.heard import Heard
from partimento.judge.finding import Finding
from partimento.score import Score

Spread = tuple[float, float]


class Fault(NamedTuple):
    """One kind of fault: its name and unit, what it is, the source, and the function that finds its candidates.

    `least` is the measure up to which no musician minds it; `usual` the spread where no reference is given.
    """

    name: str
    unit: str
    meaning: str
    source: str
    find: Callable[[Heard], list[Finding]]
    least: float
    usual: Spread


# Sources: [F25] J. J. Fux, Gradus ad Parnassum (1725). [A79] E. Aldwell and C. Schachter, Harmony and Voice Leading
# (1979): cadences and the leading tone. [GM] the ranges of General MIDI programs in `theory`. The others are plain
# counts. `usual` is `spreads` of 979 open pieces: one half, drawn by work, of mutopia_midi (PD and CC BY),
# openscore_lieder and open_hymnal; `python bench/faults_planted.py` measures it. Of some kinds fewer than one piece in
# twenty has any. `least` is a tenth for a hand, a fast trill for speed, and else what those pieces have now and then.
_ROWS = (
    Fault("off_harmony", "bits", "a part leaves the chords of the others for four bars", "",
          harmony.off_harmony, 1.0, (0.0, 1.52)),
    Fault("leading_tone", "in a hundred bars", "a leading tone on top does not go to the tonic at a cadence", "A79",
          voices.leading_tones, 0.0, (0.0, 0.0)),
    Fault("parallel_fifths", "in a hundred bars", "two voices move in parallel fifths", "F25",
          voices.parallel_fifths, 0.0, (0.0, 0.0)),
    Fault("parallel_octaves", "in a hundred bars", "two voices move in parallel octaves", "F25",
          voices.parallel_octaves, 0.0, (0.0, 0.0)),
    Fault("span", "semitones", "a chord too wide for two hands at a keyboard", "",
          playing.wide_chords, 16.0, (0.0, 17.0)),
    Fault("frets", "frets", "a chord that no hand can stop on a guitar", "", playing.fingerings, 5.0, (0.0, 0.0)),
    Fault("range", "semitones", "notes that the instrument does not have", "GM",
          playing.out_of_range, 2.0, (0.0, 0.0)),
    Fault("speed", "notes a second", "more notes a second than can be played", "",
          playing.too_fast, 20.0, (0.0, 10.31)),
    Fault("leaps", "semitones", "a line that leaps to and fro", "", playing.wild_leaps, 16.0, (0.0, 0.0)),
    Fault("frozen_rhythm", "bars", "the same rhythm in every part, bar after bar", "",
          form.frozen_rhythm, 8.0, (0.0, 8.0)),
    Fault("repeated", "bars", "the same bars round and round", "", form.repeated, 4.0, (0.0, 0.0)),
    Fault("unrelated", "bars", "nothing returns", "", form.unrelated, 8.0, (0.0, 11.0)),
    Fault("density", "times", "a sudden crowd of notes", "", form.crowded, 2.0, (0.0, 1.9)),
    Fault("silence", "bars", "a hole in which nothing sounds", "", form.silences, 1.0, (0.0, 0.0)),
    Fault("ending", "share", "an end off the tonic", "A79", harmony.wrong_ending, 0.6, (0.0, 0.59)),
    Fault("empty_end", "bars", "silent bars at the end", "", harmony.empty_end, 0.0, (0.0, 0.0)),
    Fault("broken_off", "times", "an end that breaks off", "", harmony.broken_off, 1.0, (0.0, 0.0)),
    Fault("stuck", "bars", "a note that hangs while its part goes on", "", sounds.stuck_notes, 4.0, (0.0, 2.84)),
    Fault("overlap", "quarters", "a note struck while it still sounds", "", sounds.overlaps, 0.25, (0.0, 0.0)),
    Fault("clash", "quarters", "two parts that strike neighbouring semitones", "", sounds.clashes, 1.0, (0.0, 1.0)),
)
FAULTS: dict[str, Fault] = {row.name: row for row in _ROWS}


def findings(score: Score, spreads: Mapping[str, Spread] | None = None) -> list[Finding]:
    """Return the faults of a piece, in the order of their places.

    A fault is told where its measure lies beyond what nine tenths of the reference's pieces do (`spreads`, by kind; by
    default of open human music, as the table says) and beyond what a musician would mind at all.

    >>> song = Score(onset=[0, 480, 960], duration=[480] * 3, pitch=[60, 15, 60], velocity=[80] * 3, track=[0] * 3)
    >>> [(found.kind, found.bars, found.value) for found in findings(song)]
    [('range', (1, 1), 6.0)]
    """
    if not len(score) or not score.n_bars:
        return []
    heard = Heard(score)
    told = []
    for fault in FAULTS.values():
        given = None if spreads is None else spreads.get(fault.name)
        limit = max(fault.least, (given or fault.usual)[1])
        told += [found._replace(spread=given) for found in fault.find(heard) if found.value > limit]
    return sorted(told, key=lambda found: (found.start, found.end, found.track, found.kind))


def spreads(pieces: Iterable[Score]) -> dict[str, Spread]:
    """Return, by kind of fault, the place from which and up to which nine tenths of the pieces lie (5 and 95 %).

    The measure of a piece is that of its worst place, 0 where it has none. RequestError where no piece has notes.

    >>> spreads([Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0])])["stuck"]
    (0.0, 0.0)
    """
    rows = []
    for score in pieces:
        if len(score) and score.n_bars:
            heard = Heard(score)
            rows.append([max((found.value for found in fault.find(heard)), default=0.0) for fault in FAULTS.values()])
    if not rows:
        raise RequestError("a reference must have a piece with notes; this one has none: give a folder of real music")
    low, high = np.quantile(np.array(rows), [0.05, 0.95], axis=0)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(FAULTS)}


def findings_text(score: Score, found: Sequence[Finding]) -> str:
    """The findings for a terminal, a line each: ``bar 9, piano: a note sounds for 7 bars``.

    >>> song = Score(onset=[0, 480, 960], duration=[480] * 3, pitch=[60, 15, 60], velocity=[80] * 3, track=[0] * 3)
    >>> findings_text(song, findings(song))
    'bar 1, Acoustic Grand Piano: D#0 is 6 semitones below what it can play'
    """
    if not found:
        return "no fault found"
    heard = Heard(score)
    return "\n".join(_line(heard, one) for one in found)


def _line(heard: Heard, found: Finding) -> str:
    first, last = found.bars
    place = f"bar {first}" if first == last else f"bars {first}-{last}"
    where = place if found.track < 0 else f"{place}, {heard.names[found.track]}"
    measure = "" if found.spread is None else (f" ({found.value:.3g} {found.unit}; the reference "
                                               f"{found.spread[0]:.3g}–{found.spread[1]:.3g})")
    return f"{where}: {found.text}{measure}"
