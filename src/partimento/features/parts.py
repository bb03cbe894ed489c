"""A piece in parts (all of it, or bar by bar), and the measures that say one number of each part."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from partimento.features.meter import note_steps
from partimento.features.notes import FloatArray, IndexArray, bars_before, notes_of, pitched
from partimento.score import BoolArray, Score


class Parts:
    """A Score, or one track of it, cut at `edges`, ticks at which bars begin; a note is of the part it begins in."""

    def __init__(self, score: Score, track: int | None, edges: IndexArray) -> None:
        self.score = score
        self.track = track
        self.edges = edges
        self.count = len(edges) - 1

    @classmethod
    def whole(cls, score: Score, track: int | None = None) -> Parts:
        """The piece as one part."""
        return cls(score, track, np.array([0, score.end], np.int64))

    @classmethod
    def bars(cls, score: Score, track: int | None = None) -> Parts:
        """Every bar of the piece as a part; none where it has no length."""
        return cls(score, track, score.bar_starts[:score.n_bars + 1].astype(np.int64))

    @cached_property
    def lengths(self) -> FloatArray:
        """The length of each part in bars (float64[count])."""
        return np.asarray(np.diff(bars_before(self.score, self.edges)))

    @cached_property
    def chosen(self) -> BoolArray:
        """Which notes count (bool[n])."""
        return notes_of(self.score, self.track)

    @cached_property
    def tones(self) -> BoolArray:
        """Which notes count where pitch or sounding time is measured: those not on drum tracks (bool[n])."""
        return pitched(self.score, self.track)

    @cached_property
    def part(self) -> IndexArray:
        """The part in which each note begins (int64[n])."""
        return np.asarray(np.searchsorted(self.edges[:-1], self.score.onset, side="right") - 1, np.int64)

    @cached_property
    def step(self) -> IndexArray:
        """The grid step of each onset (int64[n]); bars are of whole steps."""
        return note_steps(self.score, self.chosen | True)

    @cached_property
    def lines(self) -> IndexArray:
        """Numbers that rise from each place of a track to the next, and from track to track (int64[n])."""
        place = self.step + self.part           # what is early for a bar line does not stand on it
        return np.asarray(self.score.track * (place.max(initial=0) + 1) + place, np.int64)

    def sums(self, mask: BoolArray, values: npt.ArrayLike | None = None) -> FloatArray:
        """Return float64[count]: how many notes of `mask` begin in each part, or the sum of their `values`."""
        weights = None if values is None else np.asarray(values, np.float64)
        return np.asarray(np.bincount(self.part[mask], weights, self.count), np.float64)

    def means(self, mask: BoolArray, values: npt.ArrayLike) -> FloatArray:
        """Return float64[count]: the mean of the `values` of the notes of `mask` in each part, NaN where none is."""
        return ratio(self.sums(mask, values), self.sums(mask))


def ratio(above: npt.ArrayLike, below: npt.ArrayLike) -> FloatArray:
    """Return the quotients, and NaN where there is nothing to divide by."""
    top, bottom = np.asarray(above, np.float64), np.asarray(below, np.float64)
    return np.asarray(np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0))


def time_until(ticks: IndexArray, onset: IndexArray, offset: IndexArray) -> IndexArray:
    """Return how long notes have sounded up to each tick, the sum over the notes, in ticks (int64)."""

    def past(places: IndexArray) -> IndexArray:
        ordered = np.sort(places)
        count = np.searchsorted(ordered, ticks, side="right")
        return np.asarray(ticks * count - np.append(0, np.cumsum(ordered))[count], np.int64)

    return past(onset) - past(offset)


class PartMeasure:
    """A measure: of a Score or one track of it (a number, or None where nothing can be measured), and of its parts."""

    __name__: str

    def __init__(self, each: Callable[[Parts], FloatArray]) -> None:
        functools.update_wrapper(self, each)
        self.each = each        # float64[count] of the parts, NaN where nothing can be measured
        self.__signature__ = inspect.signature(type(self).__call__).replace(parameters=_PARAMETERS)

    def __call__(self, score: Score, track: int | None = None) -> float | None:
        """Return the measure of the piece, or of one track; None where there is nothing to measure."""
        value = float(self.each(Parts.whole(score, track))[0])
        return None if np.isnan(value) else value


_PARAMETERS = tuple(inspect.signature(PartMeasure.__call__).parameters.values())[1:]


def excerpt(score: Score, first: int, stop: int, held: bool = False) -> Score:
    """Return the bars with the indices from `first` up to `stop` as a Score of their own, its clock and tracks kept.

    A note that rings on ends with the last bar. What rings in from before is left out, or begins with the first bar
    where `held`.

    >>> s = Score(onset=[0, 1440], duration=[480, 960], pitch=[60, 64], velocity=[80, 80], track=[0, 0])
    >>> excerpt(s, 1, 2, held=True).notes()[:, :3].tolist()
    [[0, 480, 64]]
    """
    begin, end = int(score.bar_starts[first]), int(score.bar_starts[stop])
    inside = (score.onset >= begin) & (score.onset < end)
    if stop == score.n_bars:
        inside |= score.onset == end            # a note without length at the very end
    if held:
        inside |= (score.onset < begin) & (score.offset > begin)
    onset = np.maximum(score.onset[inside], begin)
    later = end + 1 if first == 0 and score.has_pickup else end       # what says that the first bar is a pick-up
    meters = (score.meter_at(begin)._replace(tick=begin), *(m for m in score.meters if begin < m.tick < later))
    return Score(onset - begin, np.minimum(score.offset[inside], end) - onset, score.pitch[inside],
                 score.velocity[inside], score.track[inside], ticks_per_quarter=score.ticks_per_quarter,
                 end=end - begin, meters=tuple(m._replace(tick=m.tick - begin) for m in meters), tracks=score.tracks)
