"""A piece as the finders of faults hear it: what sounds, in which bar, in which line, over which chord and key."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from functools import cached_property
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento import features, theory
from partimento.errors import RequestError
from partimento.judge.finding import Finding
from partimento.notation.hands import hands
from partimento.score import BoolArray, Score
from partimento.theory import KeyName

IntColumn = npt.NDArray[np.int64]
FloatColumn = npt.NDArray[np.float64]
KEYBOARDS = frozenset((*range(0, 9), *range(16, 24)))          # programs
SINGLE = 0.05          # of the moments of a line: how many may have a second note, so that it still is one


class PartLine(NamedTuple):
    """One melodic line: the notes (indices, in order, one a moment), its track, and whether it is all of its part."""

    notes: IntColumn
    track: int
    whole: bool


class Heard:
    """A Score with what several finders need of it, each made once; all times are ticks where nothing else is said."""

    def __init__(self, score: Score) -> None:
        self.score = score
        self.onset = score.onset.astype(np.int64)
        self.offset = self.onset + score.duration
        self.pitch = score.pitch.astype(np.int64)
        self.track = score.track.astype(np.int64)
        self.starts = score.bar_starts.astype(np.int64)
        self.n_bars = score.n_bars

    @cached_property
    def tones(self) -> BoolArray:
        """Which notes have a pitch that means one and last (bool[n]): no drums, no grace notes."""
        return np.asarray(features.pitched(self.score) & (self.score.duration > 0))

    @cached_property
    def bar(self) -> IntColumn:
        """The index of the bar in which each note begins."""
        return np.asarray(np.searchsorted(self.starts[:-1], self.onset, side="right") - 1, np.int64)

    @cached_property
    def begin(self) -> FloatColumn:
        """When each note begins, in seconds."""
        return self.score.seconds(self.onset)

    @cached_property
    def stop(self) -> FloatColumn:
        """When each note ends, in seconds."""
        return self.score.seconds(self.offset)

    @cached_property
    def keys(self) -> tuple[tuple[int, KeyName], ...]:
        """The keys that it goes through, as in `features.key_path`."""
        return features.key_path(self.score)

    @cached_property
    def chords(self) -> list[tuple[int, int, list[int]]]:
        """The chords that the piece gives: first tick, end, pitch classes; symbols that name no chord are left out."""
        out = []
        given = self.score.chords
        for chord, following in zip_longest(given, given[1:]):
            with suppress(RequestError):
                tones = theory.parse_chord(chord.symbol).tones
                out.append((chord.tick, following.tick if following else int(self.starts[-1]), sorted(tones)))
        return out

    @cached_property
    def lines(self) -> list[PartLine]:
        """The lines of the piece: of each voice as written, else of each track.

        A part of one note at a time is one line, and is `whole`; of another the top and the bottom are lines.
        """
        keep = np.flatnonzero(self.tones)
        label = self.track[keep] << 20
        for column in (self.score.staff, self.score.voice):
            if column is not None:
                label = label * 8 + np.clip(column[keep], 0, 7)
        lines = []
        for one in np.unique(label).tolist():
            own = keep[label == one]
            own = own[np.lexsort((self.pitch[own], self.onset[own]))]
            first = np.flatnonzero(np.append(True, np.diff(self.onset[own]) > 0))
            last = np.append(first[1:], len(own)) - 1
            whole = float((last > first).mean()) <= SINGLE
            lines.append(PartLine(own[last], int(self.track[own[0]]), whole))
            if not whole:
                lines.append(PartLine(own[first], int(self.track[own[0]]), False))
        return lines

    @cached_property
    def home(self) -> KeyName | None:
        """The key of the piece, None where there are too few notes to tell."""
        found = features.find_key(self.score)
        return found.key if found else None

    @cached_property
    def layers(self) -> list[tuple[int, BoolArray]]:
        """The parts of the texture: the tracks, or the staves or hands of the only one, with their notes (bool[n])."""
        tracks = np.unique(self.track[self.tones]).tolist()
        if len(tracks) != 1:
            return [(track, self.tones & (self.track == track)) for track in tracks]
        staff = self._staves(tracks[0])
        return [(tracks[0], self.tones & (staff == one)) for one in np.unique(staff[self.tones]).tolist()]

    def _staves(self, track: int) -> IntColumn:
        """The staff or hand of each note of a track, as written or, at a keyboard, as heard; else 0."""
        if self.score.staff is not None:
            return self.score.staff.astype(np.int64)
        out = np.zeros(len(self.onset), np.int64)
        if self.score.tracks[track].program in KEYBOARDS:
            out[self.track == track] = hands(self.score, track)
        return out

    @cached_property
    def names(self) -> list[str]:
        """A name for each track that no other has, for sentences."""
        said = [track.name.strip().strip(":") or ("drums" if track.is_drum else theory.INSTRUMENT_NAMES[track.program])
                for track in self.score.tracks]
        count = Counter(said)
        return [name if count[name] == 1 else f"{name} (track {i + 1})" for i, name in enumerate(said)]

    def finding(self, kind: str, track: int, start: int, end: int, text: str, value: float, unit: str,
                notes: npt.ArrayLike = ()) -> Finding:
        """The finding of this kind from `start` to `end`."""
        end = max(int(end), int(start) + 1)
        last = max(int(start), min(end, max(self.score.end, 1)) - 1)
        concerned = tuple(int(i) for i in np.unique(np.asarray(notes, np.int64)))
        bars = self.score.bar_number(int(start)), self.score.bar_number(last)
        return Finding(kind, track, int(start), end, bars, text, float(value), unit, None, concerned)


def runs(mask: BoolArray) -> list[tuple[int, int]]:
    """Return where runs of True begin and end (the end not in it).

    >>> runs(np.array([False, True, True, False, True]))
    [(1, 3), (4, 5)]
    """
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edges > 0).tolist(), np.flatnonzero(edges < 0).tolist(), strict=True))
