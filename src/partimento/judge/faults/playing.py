"""Faults that a player would find: too wide a grasp, notes that the instrument lacks, too many a second, wild leaps."""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations

import numpy as np

from partimento import theory
from partimento.judge.faults.heard import KEYBOARDS, Heard, IntColumn, runs
from partimento.judge.finding import Finding
from partimento.score import Track

GUITARS = frozenset(range(24, 32))
STRINGS = (40, 45, 50, 55, 59, 64)             # open, of a guitar
FRETS = 19
WIDTH, REACH, BUSY, LEAP = 12, 4, 10.0, 7.0    # semitones, frets, onsets a second, semitones: up to these no candidate
MISPLACED = 1 / 4      # of the notes of a part: so many lie outside where it is given to the wrong instrument
TOGETHER = 0.02        # seconds within which notes are struck at once
BURST = 12             # onsets over which the speed of a line is taken
SINGERS = frozenset((52, 53, 54))
SUNG = ("voice", "sing", "chant", "canto", "gesang", "stimme", "choir", "voc")       # in the name of a part
SUNG_RANGE = (36, 86)


def _is_sung(track: Track) -> bool:
    return track.program in SINGERS or any(word in track.name.lower() for word in SUNG)


def _moments(heard: Heard, track: int) -> list[IntColumn]:
    """The notes (indices) of a track that are struck at once, three or more, in order of pitch."""
    own = np.flatnonzero(heard.tones & (heard.track == track))
    own = own[np.lexsort((heard.pitch[own], heard.onset[own]))]
    if not len(own):
        return []
    first = np.flatnonzero(np.append(True, np.diff(heard.begin[own]) > TOGETHER))
    return [part[np.argsort(heard.pitch[part], kind="stable")] for part in np.split(own, first[1:]) if len(part) >= 3]


def wide_chords(heard: Heard) -> list[Finding]:
    """Chords that no two hands can take at a keyboard.

    The measure is the width of the wider hand in semitones, shared between the hands as well as can be.
    """
    found = []
    keyboards = [i for i, track in enumerate(heard.score.tracks) if not track.is_drum and track.program in KEYBOARDS]
    for track in keyboards:
        for notes in _moments(heard, track):
            pitch = heard.pitch[notes]
            width = int(np.maximum(np.append(0, pitch - pitch[0]), np.append(pitch[-1] - pitch, 0)).min())
            if width > WIDTH:
                found.append(heard.finding("span", track, int(heard.onset[notes].min()), int(heard.onset[notes].max()),
                                           f"a hand would have to span {width} semitones", width, "semitones", notes))
    return found


def fingerings(heard: Heard) -> list[Finding]:
    """Chords that no hand can take at a guitar.

    The measure is the fewest frets from the lowest to the highest stopped; 19 where no six strings have the notes.
    """
    found = []
    for track, one in enumerate(heard.score.tracks):
        if one.is_drum or one.program not in GUITARS:
            continue
        for notes in _moments(heard, track):
            width = frets(tuple(heard.pitch[notes].tolist()))
            if width > REACH:
                text = f"a hand would have to span {width} frets" if width < FRETS else "no guitar has these strings"
                found.append(heard.finding("frets", track, int(heard.onset[notes].min()),
                                           int(heard.onset[notes].max()), text, width, "frets", notes))
    return found


@lru_cache(maxsize=4096)
def frets(pitches: tuple[int, ...]) -> int:
    """Return the fewest frets that a hand must reach over on a guitar for these pitches at once; 19 where none can.

    >>> frets((40, 47, 52, 56, 59, 64)), frets((40, 41, 42))
    (1, 19)
    """
    if len(pitches) > len(STRINGS):
        return FRETS
    best = FRETS
    for strings in permutations(STRINGS, len(pitches)):
        places = [pitch - string for pitch, string in zip(pitches, strings, strict=True)]
        if min(places) >= 0 and max(places) <= FRETS:
            stopped = [place for place in places if place]
            best = min(best, max(stopped) - min(stopped) if stopped else 0)
    return best


def out_of_range(heard: Heard) -> list[Finding]:
    """Stretches of a part that its instrument cannot play; the measure is how far outside in semitones.

    A part of which a quarter of the notes or more lie outside is told once.
    """
    found = []
    for track, one in enumerate(heard.score.tracks):
        own = np.flatnonzero(heard.tones & (heard.track == track))
        if one.is_drum or not len(own):
            continue
        low, high = SUNG_RANGE if _is_sung(one) else theory.instrument_range(one.program)
        excess = np.maximum(low - heard.pitch[own], heard.pitch[own] - high)
        outside = np.zeros(heard.n_bars, bool)
        outside[heard.bar[own[excess > 0]]] = True
        stretches, share = runs(outside), float((excess > 0).mean())
        throughout = len(stretches) > 1 and share >= MISPLACED
        for first, stop in [(0, heard.n_bars)] if throughout else stretches:
            inside = (excess > 0) & (heard.bar[own] >= first) & (heard.bar[own] < stop)
            notes, far = own[inside], int(excess[inside].max())
            worst = int(heard.pitch[notes[np.argmax(excess[inside])]])
            place = f"{far} semitone{'s' * (far > 1)} {'below' if worst < low else 'above'}"
            text = f"{theory.pitch_name(worst)} is {place} what it can play"
            text = f"{share:.0%} of its notes lie outside what it can play" if throughout else text
            found.append(heard.finding("range", track, int(heard.onset[notes[0]]), int(heard.offset[notes].max()), text,
                                       far, "semitones", notes))
    return found


def too_fast(heard: Heard) -> list[Finding]:
    """Bars in which a part has more onsets a second than can be played; the measure is that number over 12 onsets."""
    found = []
    for track, one in enumerate(heard.score.tracks):
        own = np.flatnonzero(heard.tones & (heard.track == track))
        if one.is_drum or len(own) <= BURST:
            continue
        own = own[np.flatnonzero(np.append(True, np.diff(heard.onset[own]) > 0))]
        begin = heard.begin[own]
        if len(own) <= BURST:
            continue
        speed = BURST / np.maximum(begin[BURST:] - begin[:-BURST], 1e-3)
        for first, stop in runs(speed > BUSY):
            top = first + int(np.argmax(speed[first:stop]))
            notes = own[first:stop + BURST]
            found.append(heard.finding("speed", track, int(heard.onset[notes[0]]), int(heard.onset[notes[-1]]) + 1,
                                       f"{speed[top]:.0f} notes a second", float(speed[top]), "notes a second", notes))
    return found


def wild_leaps(heard: Heard) -> list[Finding]:
    """Places where a part of one note at a time leaps to and fro; the measure is semitones a note over six of them."""
    found = []
    for line in heard.lines:
        track = heard.score.tracks[line.track]
        if not line.whole or track.program in KEYBOARDS or len(line.notes) < 7:
            continue
        step = np.abs(np.diff(heard.pitch[line.notes])).astype(np.float64)
        step[heard.begin[line.notes[1:]] - heard.stop[line.notes[:-1]] > 0.5] = 0
        mean = np.convolve(step, np.full(6, 1 / 6), "valid")
        for first, stop in runs(mean > LEAP):
            top = first + int(np.argmax(mean[first:stop]))
            notes = line.notes[top:top + 7]
            found.append(heard.finding("leaps", line.track, int(heard.onset[notes[0]]), int(heard.offset[notes[-1]]),
                                       f"it leaps by {mean[top]:.0f} semitones from note to note", float(mean[top]),
                                       "semitones", notes))
    return found
