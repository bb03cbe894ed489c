"""Measures of harmony: the chords heard on the beats, how often they change, and how consonant what sounds is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from partimento import theory
from partimento.features.harmony_beats import BeatView, beat_view
from partimento.features.harmony_model import KINDS, TRIADS, heard_triads
from partimento.features.keys import rank_keys
from partimento.features.notes import FloatArray, IndexArray, bar_count, notes_of, pitched
from partimento.features.parts import PartMeasure, Parts, ratio, time_until
from partimento.features.pitch import pitch_classes
from partimento.features.texture import polyphony
from partimento.score import BoolArray, Chord, Score
from partimento.theory import KeyName

LINE = 1.25            # notes at once, the mean: music with fewer is a melody, and gets the chords that would suit it
SEVENTH_SHARE = 0.4    # of the time of a chord: how much of it a seventh must sound to be named
_SEVENTHS: tuple[tuple[tuple[int, str], ...], ...] = (
    ((10, "7"), (11, "maj7")), ((10, "m7"),), ((9, "dim7"), (10, "m7b5")), ())
# How consonant each interval class is, from 1 (minor second, major seventh) to 6 (tritone): D. Huron, "Interval-Class
# Content in Equally Tempered Pitch-Class Sets", Music Perception 11 (1994).
_CONSONANCE = np.array([-1.428, -0.582, 0.594, 0.386, 1.240, -0.453])
_CONSONANT = np.array([0, 0, 1, 1, 1, 0])


def heard_chords(score: Score) -> tuple[Chord, ...]:
    """Return the chords that are heard, each where it begins: on a beat, the first at tick 0.

    Only the notes are heard, never the chords, keys, names or spelling that the Score says. Where notes sound
    together a chord has its seventh and its bass (``G7/B``); a melody alone gets major, minor and diminished triads
    that would suit it. ``N`` stands before the first note, and where nothing sounds for as long as a bar or longer.

    >>> s = Score(onset=[0, 0, 0, 960, 960, 960], duration=[960] * 6, pitch=[48, 64, 67, 43, 62, 71],
    ...           velocity=[80] * 6, track=[0] * 6)
    >>> heard_chords(s)
    (Chord(tick=0, symbol='C'), Chord(tick=960, symbol='G'))
    """
    view = beat_view(score)
    silent = _silent(view)
    rows = np.flatnonzero(~silent)
    symbols = np.full(len(view), "N", object)
    if len(rows):
        key = rank_keys(pitch_classes(score))[0]
        line = (polyphony(score) or 0) < LINE
        heard = view.select(rows)
        triads = heard_triads(heard, key.tonic, key.mode == "minor", line)
        fresh = np.flatnonzero(np.append(True, (np.diff(triads) != 0) | (np.diff(rows) > 1)))
        for begin, stop in zip(fresh, np.append(fresh[1:], len(rows)), strict=True):
            part = slice(int(begin), int(stop))
            symbols[rows[part]] = _symbol(int(triads[begin]), key, None if line else heard.sounding[part],
                                          heard.bass[part])
    first = np.flatnonzero(np.append(True, symbols[1:] != symbols[:-1])[:len(symbols)])
    return tuple(Chord(int(view.edges[beat]), str(symbols[beat])) for beat in first)


def _silent(view: BeatView) -> BoolArray:
    """Which beats lie in a silence that begins the piece or lasts for a bar or longer."""
    silent = view.sounding.sum(axis=1) < 1e-9
    begin = np.flatnonzero(silent & ~np.append(False, silent[:-1])[:len(silent)])
    stop = np.flatnonzero(silent & ~np.append(silent[1:], False)) + 1
    for first, last in zip(begin.tolist(), stop.tolist(), strict=True):
        if first and last - first < view.per_bar[first]:
            silent[first:last] = False
    return np.asarray(silent)


def _symbol(triad: int, key: KeyName, sounding: FloatArray | None, bass: IndexArray) -> str:
    """The symbol of a triad over some beats: with the seventh that sounds there, and the bass where it is no root."""
    kind, root = divmod(triad, 12)
    name = _root_name(root, key, diminished=kind == 2)
    if sounding is None:
        return name + KINDS[kind]
    share = np.roll(sounding.mean(axis=0), -root)
    found = max(((share[step], quality) for step, quality in _SEVENTHS[kind]), default=(0.0, ""))
    suffix = found[1] if found[0] >= SEVENTH_SHARE else KINDS[kind]
    low = {int(pitch) % 12 for pitch in bass if pitch >= 0}
    if len(low) == 1 and (step := (low.pop() - root) % 12) in TRIADS[kind][1:]:
        return f"{name}{suffix}/{_root_name((root + step) % 12, key, diminished=kind == 2 or step == 4)}"
    return name + suffix


def _root_name(root: int, key: KeyName, diminished: bool = False) -> str:
    """The name of a pitch class in a key: from five fifths flatter than its signature to six sharper.

    What leads up, a diminished chord or a major third in the bass, may be three fifths sharper still.
    """
    signature = theory.fifths(key.tonic, key.mode)
    lowest = signature - (2 if diminished else 5)
    place = lowest + (root * 7 - lowest) % 12              # on the line of fifths, C at 0
    place += 12 * (place < -8) - 12 * (place > 12)         # no double sharps or flats
    letter = "FCGDAEB"[(place + 1) % 7]
    sharps = (place + 1) // 7
    return letter + ("#" * sharps if sharps > 0 else "b" * -sharps)


def chord_changes(score: Score, track: int | None = None) -> float | None:
    """Return how many times a bar another chord is heard (harmonic rhythm), of the piece or of one track alone.

    >>> s = Score(onset=[0, 0, 0, 960, 960, 960], duration=[960] * 6, pitch=[48, 64, 67, 43, 62, 71],
    ...           velocity=[80] * 6, track=[0] * 6)
    >>> chord_changes(s)
    1.0
    """
    chosen = notes_of(score, track)
    if not pitched(score, track).any() or not bar_count(score):
        return None
    sounding = [chord for chord in heard_chords(score.select(chosen)) if chord.symbol != "N"]
    harmony = [theory.parse_chord(chord.symbol)._replace(bass=-1) for chord in sounding]
    return sum(one != other for one, other in pairwise(harmony)) / bar_count(score)


def chord_tones(score: Score, track: int | None = None) -> float | None:
    """Return the share of sounding time, 0–1, in tones of the chord that is heard in the whole piece.

    >>> s = Score(onset=[0, 0, 0], duration=[960] * 3, pitch=[48, 64, 67], velocity=[80] * 3, track=[0] * 3)
    >>> chord_tones(s)
    1.0
    """
    notes = pitched(score, track) & (score.duration > 0)
    chords = heard_chords(score)
    if not notes.any() or not chords:
        return None
    edges = np.array([*(chord.tick for chord in chords), score.end], np.int64)
    members = [theory.parse_chord(chord.symbol).tones for chord in chords]
    onset, offset = score.onset[notes].astype(np.int64), score.offset[notes].astype(np.int64)
    own = score.pitch[notes] % 12
    inside = 0
    for c in range(12):
        time = np.diff(time_until(edges, onset[own == c], offset[own == c]))
        inside += int(time[[c in tones for tones in members]].sum())
    return inside / int((offset - onset).sum())


def _interval_classes(parts: Parts) -> FloatArray:
    """How long each interval class from 1 to 6 sounds between two pitch classes, in ticks: float64[count, 6]."""
    score, tones = parts.score, parts.tones & (parts.score.duration > 0)
    onset, offset = score.onset[tones].astype(np.int64), score.offset[tones].astype(np.int64)
    own = score.pitch[tones] % 12
    out = np.zeros((parts.count, 6))
    if not len(own):
        return out
    ticks = np.unique(np.concatenate([parts.edges, onset, offset]))
    ticks = ticks[(ticks >= parts.edges[0]) & (ticks <= parts.edges[-1])]
    time = np.diff(ticks)
    active = np.stack([np.diff(time_until(ticks, onset[own == c], offset[own == c])) > 0 for c in range(12)], axis=1)
    part = np.searchsorted(parts.edges[:-1], ticks[:-1], side="right") - 1
    for step in range(1, 7):
        pairs = (active & np.roll(active, -step, axis=1)).sum(axis=1) / (2 if step == 6 else 1)
        out[:, step - 1] = np.bincount(part, pairs * time, parts.count)
    return out


@PartMeasure
def consonance(parts: Parts) -> FloatArray:
    """Return how much of what sounds together is consonant, 0–1: thirds, sixths, fourths and fifths.

    It is a share of the pairs of different pitch classes that sound at the same time, weighted by how long they do.
    """
    time = _interval_classes(parts)
    return ratio(time @ _CONSONANT, time.sum(axis=1))


@PartMeasure
def dissonance(parts: Parts) -> FloatArray:
    """Return how dissonant pairs of different pitch classes are that sound together, from −1.24 to 1.428.

    It is the mean over time of Huron's (1994) consonance of interval classes with its sign turned.
    """
    time = _interval_classes(parts)
    return ratio(time @ -_CONSONANCE, time.sum(axis=1))
