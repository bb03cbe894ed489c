"""What a player would not write though it has been seen: rhythms that no page can show plainly, chords on a flute.

The counts hold what files hold, and files hold snapped ornaments, detached lengths and voices of a staff in one track.
A sharpened draw leaves them out as it leaves out the tails of the mixture; a draw at temperature 1 with top-p 1, and
the likelihood, are of the model as it was counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from partimento import theory
from partimento.counting.memory import MISSING
from partimento.features import key_path
from partimento.models.markov.sheet import QUALITIES, Ints
from partimento.score import Score

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Taste = Callable[[int, Sequence[int]], Bools | Floats]      # of a place and the symbols before it, the last one first

_BEAT, _BINARY, _TERNARY, _FINE = range(4)
AT_HOME = 0.8                                   # of the notes that are kept, so many lie in the key that is heard
AGAIN, FRESH = 0.5, 4                           # so mutopia_midi goes back to a note as often as it was taught
PARALLEL = 0.02                                 # as much as else, of two lines that are not one
_A_PIECE = 12                                   # quarters from which on a piece has an end


def is_sharpened(temperature: float, top_p: float) -> bool:
    """Whether a draw leaves out what is seldom.

    >>> is_sharpened(1.0, 0.95), is_sharpened(1.0, 1.0)
    (True, False)
    """
    return temperature < 1 or top_p < 1


def tones_at_home(kept: Score, key: str | None, chords: Sequence[tuple[int, int]] = (), ends: bool = False,
                  ) -> Bools | None:
    """What belongs to the music that is kept (bool[bars, 12]); None where nothing is, or where it keeps to no key.

    In each bar that is the scale of the key that is heard there (or of `key`), what else sounds in it, and the tones of
    its chord (root and kind, one of `QUALITIES`; a bar without one has root −1). Where `ends`, the last bar has but the
    triad of the tonic.
    """
    drum = np.array([track.is_drum for track in kept.tracks], bool)
    notes = kept.select(~drum[kept.track]) if len(kept) else kept
    path = key_path(notes) if len(notes) else ()
    if not path:
        return None
    starts = kept.bar_starts.astype(np.int64)
    ticks = np.array([tick for tick, _ in path])
    names = [theory.parse_key(key)] * len(path) if key else [name for _, name in path]
    scales = np.array([np.isin(np.arange(12), sorted(theory.scale(name.tonic, name.mode))) for name in names])
    home = scales[np.maximum(np.searchsorted(ticks, starts[:-1], side="right") - 1, 0)]
    first = np.searchsorted(starts, notes.onset, side="right") - 1
    last = np.clip(np.searchsorted(starts, notes.offset, side="left") - 1, first, len(home) - 1)
    if home[np.minimum(first, len(home) - 1), notes.pitch % 12].mean() < AT_HOME:
        return None
    home[np.minimum(first, len(home) - 1), notes.pitch % 12] = True
    home[last, notes.pitch % 12] = True
    for bar, (root, kind) in enumerate(chords[:len(home)]):
        if root >= 0:
            home[bar, [root, *((root + step) % 12 for step in QUALITIES[kind])]] = True
    if ends:
        last_key = names[-1]
        triad = (0, 3, 7) if last_key.mode == "minor" else (0, 4, 7)
        home[-1] = np.isin(np.arange(12), [(last_key.tonic + step) % 12 for step in triad])
    return home


class Places:
    """Where in a beat the steps of a piece lie, told apart as a page tells them: on it, in halves, in thirds, finer.

    `columns` are those of a frame (a place a step), `grid` the steps a quarter: 12, or a multiple of it. `thirds`:
    whether thirds of a quarter are written at all. `ends`: the piece comes to an end with its last bar, so that there
    nothing begins but on the beats of its first half.
    """

    def __init__(self, columns: Mapping[str, npt.NDArray[np.int16]], grid: int, thirds: bool, ends: bool) -> None:
        self.grid = grid
        inside = np.maximum(columns["bar"], 0).astype(np.int64)
        self.within = inside % grid
        self.kind = np.full(len(inside), _FINE)
        if thirds:
            self.kind[self.within * 3 % grid == 0] = _TERNARY
        self.kind[self.within * 4 % grid == 0] = _BINARY
        self.kind[self.within == 0] = _BEAT
        if ends and len(inside) > grid * _A_PIECE:
            last = columns["final"] == 0
            closed = last & ((columns["beat"] > 0) | (2 * inside > inside[-1] + 1))
            self.kind[closed] = _FINE

    @property
    def plain(self) -> Bools:
        """bool[places]: where anything may begin."""
        return np.asarray(self.kind != _FINE)

    def onsets(self, jump: Ints) -> Taste:
        """Which jumps from a place lead to one that reads plainly beside it.

        Nothing begins on finer places; halves and thirds of a beat do not meet within two beats.
        """
        return lambda place, before: self._onsets(jump, place)

    def _onsets(self, jump: Ints, place: int) -> Bools:
        target = place + jump
        known = target < len(self.kind)
        kind = self.kind[np.minimum(target, len(self.kind) - 1)]
        here = self.kind[place]
        near = jump <= 2 * self.grid
        bad = kind == _FINE
        if here == _BINARY:
            bad |= near & (kind == _TERNARY)
        elif here == _TERNARY:
            bad |= near & (kind == _BINARY)
        else:
            bad |= (jump > self.grid) & near & (kind == _TERNARY)
        return np.asarray(~known | ~bad)

    def lengths(self, place: npt.NDArray[np.integer], gap: Ints, size: int, single: bool) -> Taste:
        """Which lengths of each note read plainly: to the next onset, or to a beat or the half of one.

        `place` and `gap` (to the next onset) are of each note, symbol 0 is that gap; `single`: nothing rings on.
        """
        length = np.arange(size)[None, :]
        end = place[:, None] + length
        kind = self.kind[np.minimum(end, len(self.kind) - 1)]
        half = (kind == _BINARY) & (self.within[np.minimum(end, len(self.kind) - 1)] * 2 == self.grid)
        ternary = (self.kind[place] == _TERNARY)[:, None]
        plain = ((kind == _BEAT) | (half & ~ternary)) & (length * 2 >= self.grid)
        gaps = gap[:, None]
        out = plain & np.where(length < gaps, gaps > self.grid, not single)
        out[:, 0] = True
        out[:, -1] = False
        return lambda note, before: np.asarray(out[note])


def anew(size: int) -> Taste:
    """How welcome each pitch is to a line that a product draws: AGAIN as much for each of the last FRESH notes that it
    was, or for two of them where it was more.

    A product hears so much of its own line that, left alone, it strikes a note again, and goes to and fro between two,
    twice as often as the music that taught it.
    """
    def welcome(place: int, before: Sequence[int]) -> Floats:
        out, last = np.ones(size), [symbol for symbol in before[:FRESH] if symbol >= 0]
        for symbol in last:
            out[symbol] = AGAIN ** min(last.count(symbol), 2)
        return out
    return welcome


def apart(size: int, others: Sequence[tuple[Ints, Ints]], start: int) -> Taste:
    """How welcome each pitch is to a line beside others: what goes with one in fifths or octaves PARALLEL as much.

    `others` are the pitches of other lines at each place and at the line's note before it (negative: silent), `start`
    is the place where the line begins. What has gone together for two notes doubles the other line, and may go on.
    """
    symbols = np.arange(size)

    def welcome(place: int, before: Sequence[int]) -> Floats:
        out = np.ones(size)
        at = start + place
        for now, then in others:
            new, old = int(now[at]), int(then[at])
            interval = abs(before[0] - old) % 12 if len(before) else MISSING
            if min(new, old, before[0] if len(before) else MISSING) < 0 or new == old or interval not in (0, 7):
                continue
            older = int(then[at - 1]) if at else MISSING
            if len(before) > 1 and min(before[1], older) >= 0 and abs(before[1] - older) % 12 == interval:
                continue
            together = np.sign(symbols - before[0]) == np.sign(new - old)
            out[together & (abs(symbols - new) % 12 == interval)] = PARALLEL
        return out
    return welcome


def both(one: Taste, other: Taste) -> Taste:
    """Two tastes at once."""
    return lambda place, before: one(place, before) * other(place, before)


def one_at_a_time(count: int, standing: Ints) -> Taste:
    """Which of 1 to `count` notes begin together: one, or as many as stand there (int[n])."""
    return lambda place, before: np.arange(1, count + 1) <= max(int(standing[place]), 1)
