"""What a player reads off the page: the places of a piece in steps, what sounds around a part, and which part it is.

Every column is an int16 array over places. Place p holds what is true at grid step p − 1, so place 0 lies just before
the piece. Pitches are *degrees*: semitones from the piece's own key laid on C major (or A minor), plus 6, so that 66
is the tonic of a major key near middle C.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento import theory
from partimento.counting.memory import MISSING
from partimento.features import shift_of
from partimento.score import Score, Track
from partimento.tokens.grid import last_step, snapped_steps, to_steps, to_ticks

Ints = npt.NDArray[np.int64]
Places = dict[str, npt.NDArray[np.int16]]

DEGREES = 140             # pitches 0–127, up to 6 semitones either way
LEAD, BASS, LOWER, UPPER, CHORDS, ACCOMPANIMENT, KEYBOARD, DRUMS, PASSING = range(9)
ROLE_NAMES = ("lead", "bass", "lower inner part", "upper inner part", "chords on top", "accompaniment", "keyboard",
              "drums", "passing part")
WRITTEN_IN_ORDER = (LEAD, CHORDS, KEYBOARD, BASS, ACCOMPANIMENT, LOWER, UPPER, PASSING, DRUMS)
# What an unseen kind of part is written like, the nearest first.
STAND_INS = {
    LEAD: (UPPER, CHORDS, KEYBOARD), BASS: (ACCOMPANIMENT, LOWER, KEYBOARD), LOWER: (UPPER, BASS), UPPER: (LOWER, LEAD),
    CHORDS: (KEYBOARD, LEAD, ACCOMPANIMENT), ACCOMPANIMENT: (KEYBOARD, BASS, CHORDS),
    KEYBOARD: (CHORDS, ACCOMPANIMENT, LEAD), PASSING: (UPPER, LOWER, LEAD), DRUMS: (),
}


FEWEST = 8                # notes that tell the role of a track
CHORDAL = 1.3             # with more notes an onset a track plays chords
_OF_CHORDS = (CHORDS, ACCOMPANIMENT, KEYBOARD)


class Notes(NamedTuple):
    """Notes on the grid: onset and end in steps, pitch, velocity, track (int64[n] each), sorted by onset."""

    onset: Ints
    end: Ints
    pitch: Ints
    velocity: Ints
    track: Ints

    def where(self, mask: npt.NDArray[Any]) -> Notes:
        """The notes that `mask` (bool[n] or indices) says."""
        return Notes(*(column[mask] for column in self))

    @classmethod
    def joined(cls, parts: Sequence[Notes]) -> Notes:
        """The notes of several, in order of onset."""
        columns = [np.concatenate(c) for c in zip(*parts, strict=True)] if parts else [np.zeros(0, np.int64)] * 5
        return cls(*columns).where(np.argsort(columns[0], kind="stable"))


def snapped(score: Score, grid: int) -> tuple[Notes, Ints]:
    """The notes of a Score on the grid, in order of onset, and which note of the Score each is."""
    keep, onset, end = snapped_steps(score, grid)
    index = np.arange(len(score))[keep]
    order = np.argsort(onset, kind="stable")
    notes = Notes(onset, end, *(getattr(score, c)[index].astype(np.int64) for c in ("pitch", "velocity", "track")))
    return notes.where(order), index[order]


class Frame:
    """The places of a piece: where each lies in beat, bar and phrase, and how far the end is."""

    def __init__(self, score: Score, grid: int) -> None:
        self.grid, self.score = grid, score
        self.steps = max(last_step(score.end, score.ticks_per_quarter, grid), 1)
        tpq = score.ticks_per_quarter
        step = np.arange(-1, self.steps)
        self.ticks = to_ticks(np.maximum(step, 0), tpq, grid)
        starts = to_steps(score.bar_starts, tpq, grid)
        bar = np.clip(np.searchsorted(starts[:-1], step, side="right") - 1, 0, max(len(starts) - 2, 0))
        meters = np.array([(to_steps(m.tick, tpq, grid), m.numerator, m.denominator) for m in score.meters], np.int64)
        self.bar = bar
        ruling = np.maximum(np.searchsorted(meters[:, 0], starts[bar], side="right") - 1, 0)
        numerator, denominator = meters[ruling, 1], meters[ruling, 2]
        full = np.maximum(numerator * 4 * grid // denominator, 1)
        inside = step - starts[bar]
        if score.has_pickup:
            inside = np.where(bar == 0, inside + full - (starts[1] - starts[0]), inside)
        compound = (numerator % 3 == 0) & (numerator > 3) & (denominator >= 8)
        beat = np.maximum(4 * grid // denominator * np.where(compound, 3, 1), 1)
        number = bar - (1 if score.has_pickup else 0)
        first = np.zeros(len(step), bool)
        first[0] = True
        self.columns: Places = {
            "beat": _small(np.where(first, -1, inside % beat)), "bar": _small(np.where(first, -1, inside)),
            "meter": _small(numerator * 8 + np.log2(denominator).astype(np.int64)), "phrase": _small(number % 4),
            "final": _small(np.minimum(bar[-1] - bar, 3)), "left": _small(np.minimum(self.steps - step, 8 * grid)),
        }


def _small(values: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
    return np.asarray(np.clip(values, -32000, 32000), np.int16)


# --- keys --------------------------------------------------------------------------------------------------------


def keys_over(frame: Frame, default: tuple[int, int] | None = None) -> tuple[Ints, Ints]:
    """Shift and mode (0 major, 1 minor) at every place, from the key signatures or, without any, from `default`."""
    score = frame.score
    if default is not None or not score.keys:
        shift, mode = default or (0, 0)
        return np.full(frame.steps + 1, shift, np.int64), np.full(frame.steps + 1, mode, np.int64)
    ticks = np.array([key.tick for key in score.keys])
    index = np.maximum(np.searchsorted(ticks, frame.ticks, side="right") - 1, 0)
    shifts = np.array([shift_of(key.fifths) for key in score.keys], np.int64)
    modes = np.array([int(key.mode == "minor") for key in score.keys], np.int64)
    return shifts[index], modes[index]


QUALITIES = ((4, 7), (3, 7), (4, 7, 10), (3, 6))   # of chords: major, minor, dominant seventh, diminished


def chords_given(frame: Frame, shift: Ints) -> Ints:
    """The chord symbol at every place as 4 × degree + the nearest of `QUALITIES`; missing where there is none."""
    out = np.full(frame.steps + 1, MISSING, np.int64)
    if not frame.score.chords:
        return out
    codes = []
    for symbol in frame.score.chords:
        chord = theory.parse_chord(symbol.symbol)
        tones = {(tone - chord.root) % 12 for tone in chord.tones} - {0}
        quality = max(range(4), key=lambda q: 2 * len(tones & set(QUALITIES[q])) - len(QUALITIES[q])) if tones else 0
        codes.append((chord.root, quality) if chord.root >= 0 else (MISSING, 0))
    table = np.array(codes, np.int64)
    ticks = np.array([chord.tick for chord in frame.score.chords])
    index = np.searchsorted(ticks, frame.ticks, side="right") - 1
    root, quality = table[index, 0], table[index, 1]
    given = (index >= 0) & (root >= 0)
    out[given] = ((root - shift) % 12 * 4 + quality)[given]
    return out


def chords_heard(frame: Frame, chords: Sequence[int], tonic: int, shift: Ints) -> Ints:
    """The same from one chord a bar, each 4 × semitones over `tonic` + quality, as `harmony` hears them."""
    bar = np.array(chords, np.int64)[np.minimum(frame.bar, len(chords) - 1)]
    return np.where(bar < 0, MISSING, (bar // 4 + tonic - shift) % 12 * 4 + bar % 4)


# --- roles -------------------------------------------------------------------------------------------------------

_KEYS_AND_STRINGS = frozenset([*range(32), 45, 46, *range(48, 56), *range(88, 96), 104, 105, 106, 107, 108])
_BASS_PROGRAMS = frozenset([*range(32, 40), 42, 43, 57, 58, 67, 70])
_VOICES = {"soprano": LEAD, "melody": LEAD, "vocal": LEAD, "lead": LEAD, "alto": UPPER, "tenor": LOWER, "bass": BASS}


def roles_heard(tracks: Sequence[Track], notes: Notes, steps: int) -> list[int] | None:
    """The role of every track from its notes; None where a pitched track has fewer than 8."""
    chord, height, silent = {}, {}, set()
    pitched = [i for i, track in enumerate(tracks) if not track.is_drum]
    for i in pitched:
        own = notes.where(notes.track == i)
        if len(own.onset) < FEWEST:
            return None
        chord[i] = len(own.onset) / len(np.unique(own.onset))
        height[i] = float(own.pitch.mean())
        if float((own.end - own.onset).sum()) / chord[i] < steps / 2:
            silent.add(i)
    out = [DRUMS if track.is_drum else PASSING for track in tracks]
    steady = {i: h for i, h in height.items() if i not in silent} or height
    for i in steady:
        out[i] = _role_heard(i, chord, steady)
    _share_inner(out, height)
    return out


def roles_known(tracks: Sequence[Track], notes: Notes, steps: int, usual: Mapping[str, int]) -> list[int]:
    """The role of every track from its notes; where some have too few, as tracks of such `role_signs` `usual`ly have.

    Even then a track that is heard to play chords is no single line: it accompanies a lead, or leads with chords.
    """
    found = roles_heard(tracks, notes, steps)
    if found is not None:
        return found
    named = roles_named(tracks)
    out = [usual.get(sign, role) for sign, role in zip(role_signs(tracks), named, strict=True)]
    onsets = [notes.onset[notes.track == i] for i in range(len(tracks))]
    chordal = [i for i, own in enumerate(onsets) if len(own) >= FEWEST and not tracks[i].is_drum
               and len(own) > CHORDAL * len(np.unique(own)) and out[i] not in _OF_CHORDS]
    if chordal:
        out = [LEAD if role == LEAD and len(own) < FEWEST else as_usual
               for role, own, as_usual in zip(named, onsets, out, strict=True)]
    for i in chordal:
        out[i] = ACCOMPANIMENT if LEAD in out[:i] + out[i + 1:] else CHORDS
    return out


def roles_named(tracks: Sequence[Track]) -> list[int]:
    """The role of every track as its name and instrument tell."""
    out = [DRUMS if track.is_drum else PASSING for track in tracks]
    pitched = [i for i, track in enumerate(tracks) if not track.is_drum]
    for i in pitched:
        out[i] = _role_named(i, tracks, pitched, out)
    return out


def role_signs(tracks: Sequence[Track]) -> list[str]:
    """What names and instruments say of every track, for a table of what such tracks turned out to be."""
    pitched = [i for i, track in enumerate(tracks) if not track.is_drum]
    place = {i: "only" if len(pitched) == 1 else "first" if i == pitched[0] else "last" if i == pitched[-1] else "inner"
             for i in pitched}
    return [f"{role} {place.get(i, 'drums')} of {min(len(pitched), 6)}" for i, role in enumerate(roles_named(tracks))]


def with_passing_voices(tracks: Sequence[Track], roles: Sequence[int], notes: Notes) -> Notes:
    """Notes with each track that is mostly silent put into the steady one of its program that lies nearest.

    Engravers give a staff's second voice a track of its own; a player hears one part.
    """
    height = {i: float(notes.pitch[notes.track == i].mean()) for i in range(len(tracks))}
    track = notes.track.copy()
    for i, role in enumerate(roles):
        hosts = [k for k in height if roles[k] not in (PASSING, DRUMS) and tracks[k].program == tracks[i].program]
        if role == PASSING and hosts:
            track[notes.track == i] = min(hosts, key=lambda k: abs(height[k] - height[i]))
    if np.array_equal(track, notes.track):
        return notes
    order = np.lexsort((-notes.end, notes.pitch, track, notes.onset))
    notes = notes._replace(track=track).where(order)
    same = np.zeros(len(order), bool)
    same[1:] = [a == b for a, b in zip(zip(notes.onset[1:], notes.track[1:], notes.pitch[1:], strict=True),
                                       zip(notes.onset, notes.track, notes.pitch, strict=False), strict=False)]
    return notes.where(~same)


def _role_heard(i: int, chord: Mapping[int, float], height: Mapping[int, float]) -> int:
    highest, lowest = max(height, key=lambda k: height[k]), min(height, key=lambda k: height[k])
    if chord[i] > CHORDAL:
        return KEYBOARD if len(height) == 1 else CHORDS if i == highest else ACCOMPANIMENT
    if i == highest:
        return LEAD
    return BASS if i == lowest else UPPER


def _share_inner(roles: list[int], height: Mapping[int, float]) -> None:
    """Of the inner voices the lower half is written as such."""
    inner = sorted((i for i, role in enumerate(roles) if role == UPPER), key=lambda i: height[i])
    for i in inner[:len(inner) // 2]:
        roles[i] = LOWER


def _role_named(i: int, tracks: Sequence[Track], pitched: Sequence[int], taken: Sequence[int]) -> int:
    name = tracks[i].name.lower()
    for word, role in _VOICES.items():
        if word in name.split():
            return role
    program = tracks[i].program
    many = program in _KEYS_AND_STRINGS
    if len(pitched) == 1:
        return KEYBOARD if many else LEAD
    if program in _BASS_PROGRAMS and BASS not in taken:
        return BASS
    leading = [k for k in pitched if tracks[k].program not in _KEYS_AND_STRINGS | _BASS_PROGRAMS]
    if many:
        return CHORDS if i == pitched[0] and not leading else ACCOMPANIMENT
    return LEAD if LEAD not in taken else UPPER if UPPER not in taken else LOWER


# --- what sounds around a part ---------------------------------------------------------------------------------------

LINES = ("top", "low", "mid")


class Around:
    """What other parts play, at every place: the highest, lowest and middle pitch, who moves, and what comes next."""

    def __init__(self, frame: Frame, notes: Notes) -> None:
        n, places = frame.steps, np.arange(-1, frame.steps)
        far = 4 * frame.grid + 1
        onset = np.minimum(notes.onset, n - 1)
        times = np.unique(np.concatenate([onset, notes.end, [0]]))
        low = int(notes.pitch.min()) if len(onset) else 0
        span = int(notes.pitch.max()) - low + 1 if len(onset) else 1
        change = np.zeros((len(times) + 1, span), np.int32)
        begin, pitch = np.searchsorted(times, onset), notes.pitch - low
        np.add.at(change, (begin, pitch), 1)
        np.add.at(change, (np.searchsorted(times, notes.end), pitch), -1)
        sounding = np.cumsum(change, axis=0)[:-1] > 0
        struck = np.zeros((len(times), span), bool)
        struck[begin, pitch] = True
        lines, moved = self._lines(sounding, struck)
        segment = np.searchsorted(times, places, side="right") - 1
        at_time = (segment >= 0) & (times[segment] == places)
        self.pitch = {name: np.where((segment >= 0) & (line[segment] >= 0), line[segment] + low, MISSING)
                      for name, line in zip(LINES, lines, strict=True)}
        who = sum((m.astype(np.int64) << i for i, m in enumerate(moved)), np.zeros(len(times), np.int64))
        begins = np.flatnonzero(struck.any(axis=1))
        self.columns: Places = {"moves": _small(np.where(at_time, who[segment], 0))}
        upcoming = np.searchsorted(times[begins], places, side="right")
        for k in (1, 2, 3):
            self._next(k, times[begins], who[begins], upcoming + k - 1, places, far)
        for name, line, move in zip(LINES, lines, moved, strict=True):
            self._motion(name, line, move, times, segment, at_time, places, low)
        both = (self.pitch["top"] >= 0) & (self.pitch["low"] >= 0)
        self.columns["span"] = _small(np.where(both, self.pitch["top"] - self.pitch["low"], MISSING))

    @staticmethod
    def _lines(sounding: npt.NDArray[np.bool_], struck: npt.NDArray[np.bool_]) -> tuple[list[Ints], list[Any]]:
        span, rows = sounding.shape[1], np.arange(len(sounding))
        some = sounding.any(axis=1)
        top = np.where(some, span - 1 - np.argmax(sounding[:, ::-1], axis=1), MISSING)
        low = np.where(some, np.argmax(sounding, axis=1), MISSING)
        inner, inner_struck = sounding.copy(), struck.copy()
        for line in (top, low):
            inner[rows, np.maximum(line, 0)] = False
            inner_struck[rows, np.maximum(line, 0)] = False
        mid = np.where(inner.any(axis=1), span - 1 - np.argmax(inner[:, ::-1], axis=1), MISSING)
        moved = [struck[rows, np.maximum(line, 0)] & some for line in (top, low)]
        return [top, low, mid], [*moved, inner_struck.any(axis=1)]

    def _next(self, k: int, times: Ints, who: Ints, index: Ints, places: Ints, far: int) -> None:
        padded, movers = np.append(times, 1 << 30), np.append(who, 0)
        index = np.minimum(index, len(times))
        away = np.minimum(padded[index] - places, far)
        self.columns[f"n{k}"] = _small(away)
        self.columns[f"m{k}"] = _small(np.where(away < far, movers[index], 0))

    def _motion(self, name: str, line: Ints, moved: npt.NDArray[np.bool_], times: Ints, segment: Ints,
                at_time: npt.NDArray[np.bool_], places: Ints, low: int) -> None:
        before = np.append(MISSING, line[:-1])
        known = (line >= 0) & (before >= 0)
        step = np.where(moved & known, np.clip(line - before, -6, 6), np.where(moved, 7, 0))
        self.columns[f"d{name}"] = _small(np.where(at_time, step[segment], 0))
        begins = np.flatnonzero(moved)
        index = np.searchsorted(times[begins], places, side="right")
        self.columns[f"n{name}"] = _small(np.append(step[begins], 8)[index])
        self.pitch[f"x{name}"] = np.append(line[begins] + low, MISSING)[index]
