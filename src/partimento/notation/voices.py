"""Which notes of a staff make a voice: few voices for a page, or one for each part of an ensemble.

At each onset every way to give the new notes to the free voices is weighed against every way that is still open
(a beam search): a voice should move little, rest little, keep its rhythm and not cross another. A page opens a second
voice only in a bar where notes of different lengths sound together; notes that begin and end together are its chords.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from itertools import combinations, pairwise, permutations, product

import numpy as np
import numpy.typing as npt

from partimento.errors import RequestError
from partimento.score import IntArray

MAX_VOICES = 4
_BEAM = 8                       # ways that are kept open at a time
_PLACES = 8                     # a chord of more notes is split only at eighths
_NEVER = -1000.0                # a pitch that no voice has: it has sung nothing yet
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Costs:
    """What each thing costs that a voice may do; fitted to written music."""

    leap: float                 # times (semitones up to `far`) ** `bend`, less after a rest
    bend: float
    far: float
    forget: float               # by how much a rest of one usual length makes the last pitch matter less
    rest: float                 # for each usual length of silence before a note, up to `longest`
    longest: float
    enter: float                # the first note of a voice
    cross: float                # a voice above a higher one
    cross_by: float             # and for each semitone of it
    lower: float                # for each voice that stands above the one chosen
    rhythm: float               # for each doubling or halving of the length of the last note
    split: float                # for each part into which notes of one length are split
    chord: float                # for each semitone that a chord spans
    range: float                # for each semitone from where the voice usually is
    drift: float                # how fast that follows the voice


_PAGE = _Costs(leap=1.0, bend=0.425, far=10.2, forget=0.26, rest=6.75, longest=2.9, enter=3.6, cross=5.8,
               cross_by=0.4, lower=3.6, rhythm=1.3, split=1.05, chord=0.0, range=0.0, drift=0.0)
_PARTS = _Costs(leap=0.125, bend=1.22, far=35.0, forget=0.8, rest=4.9, longest=1.03, enter=7.5, cross=0.06,
                cross_by=0.2, lower=0.0, rhythm=0.8, split=0.0, chord=5.0, range=0.224, drift=0.6)


@dataclasses.dataclass(frozen=True)
class _Cells:
    """Notes that begin and end together, in the order of onset and end, and the moments at which anything changes."""

    first: Ints                 # place of the highest note among the notes in order
    size: Ints
    onset: Ints
    end: Ints
    moments: Ints
    begin: Ints                 # at which moments a cell begins and ends
    stop: Ints

    @classmethod
    def of(cls, onset: Ints, end: Ints) -> _Cells:
        """The cells of notes that are in order."""
        first = np.flatnonzero(_changes(onset) | _changes(end))
        own, ends = onset[first], end[first]
        moments = np.unique(np.concatenate([own, ends]))
        return cls(first, np.diff(first, append=len(onset)), own, ends, moments, np.searchsorted(moments, own),
                   np.searchsorted(moments, ends))

    def sounding(self, weight: Ints | int = 1) -> Ints:
        """How many cells, each with its weight, sound from each moment to the next."""
        change = np.zeros(len(self.moments), np.int64)
        np.add.at(change, self.begin, weight)
        np.subtract.at(change, self.stop, weight)
        return np.cumsum(change)


def voices(onset: npt.ArrayLike, duration: npt.ArrayLike, pitch: npt.ArrayLike, *,
           bar_starts: npt.ArrayLike | None = None, chords: bool = True, most: int = MAX_VOICES) -> IntArray:
    """Return the voice, from 1 (uppermost) to `most`, of each note of one staff, for a page.

    All are whole numbers, one a note and in any order; `bar_starts` are the ticks at which bars begin. A voice holds
    one note at a time or chords (notes with one onset and one duration); a bar has as many voices as notes of different
    lengths sound together in it, so a bar with one rhythm is all voice 1. Without `bar_starts` the stretches between
    moments over which nothing is held count as bars. `chords=False` is for parts of an ensemble on one staff: each
    voice is one line through the whole piece, and a chord stands only where more than `most` notes sound.

    Where more than `most` different notes or chords sound at once, some overlap within a voice; `cut_lengths` says how
    long they can stay. Notes of no length (grace notes) go with what begins where they stand. RequestError where the
    columns differ in length, or `most` is not within 1–4.

    >>> voices([0, 0, 480, 960], [1920, 480, 480, 960], [72, 60, 64, 67]).tolist()
    [1, 2, 2, 2]
    >>> voices([0, 0, 480, 480], [480, 480, 480, 480], [72, 60, 74, 59]).tolist()
    [1, 1, 1, 1]
    """
    onsets, lasts, pitches = (np.asarray(column, np.int64) for column in (onset, duration, pitch))
    if not onsets.shape == lasts.shape == pitches.shape == (onsets.size,):
        raise RequestError("onset, duration and pitch must be flat and of one length; got shapes "
                           f"{onsets.shape}, {lasts.shape} and {pitches.shape}")
    if not 1 <= most <= MAX_VOICES:
        raise RequestError(f"the most voices of a staff must be a whole number from 1 to {MAX_VOICES}; got {most}")
    found = np.zeros(len(onsets), np.int32)
    ends = _shortened(onsets, onsets + np.maximum(lasts, 0), most)
    order = np.lexsort((-pitches, ends, onsets))
    order = order[ends[order] > onsets[order]]
    if len(order):
        starts = None if bar_starts is None else np.asarray(bar_starts, np.int64)
        cells = _Cells.of(onsets[order], ends[order])
        limits = _page_limits(cells, starts) if chords else _part_limits(cells, most)
        found[order] = 1
        _Search(cells, pitches[order].astype(np.float64), limits, _PAGE if chords else _PARTS, chords).run(found, order)
    return as_neighbours(found, onsets, pitches)


def cut_lengths(onset: npt.ArrayLike, duration: npt.ArrayLike, voice: npt.ArrayLike) -> IntArray:
    """Return the durations, cut where they must be so that no note overlaps another of its voice but in a chord.

    Notes that begin together in a voice take the length of the shortest, and each ends at the next onset of its voice.

    >>> cut_lengths([0, 0, 480], [960, 720, 480], [1, 1, 1]).tolist()
    [480, 480, 480]
    """
    onsets, lasts, own = (np.asarray(column, np.int64) for column in (onset, duration, voice))
    out = lasts.copy()
    sounds = np.flatnonzero(lasts > 0)
    order = sounds[np.lexsort((onsets[sounds], own[sounds]))]
    if len(order):
        first = np.flatnonzero(_changes(own[order]) | _changes(onsets[order]))
        shortest = np.minimum.reduceat(lasts[order], first)
        start, line = onsets[order][first], own[order][first]
        same = line[1:] == line[:-1]
        shortest[:-1][same] = np.minimum(shortest[:-1], np.diff(start))[same]
        out[order] = np.repeat(shortest, np.diff(first, append=len(order)))
    return out.astype(np.int32)


def _changes(column: Ints) -> npt.NDArray[np.bool_]:
    """Where a value differs from the one before it; the first always does."""
    return np.concatenate([[True], column[1:] != column[:-1]])


def _shortened(onset: Ints, end: Ints, most: int) -> Ints:
    """The ends of notes, cut by as little as can be so that at most so many pairs of onset and end sound at a time."""
    pairs, which = np.unique(np.stack([onset, end], 1), axis=0, return_inverse=True)
    stops = pairs[:, 1].copy()
    if not len(pairs) or _Cells.of(pairs[:, 0], stops).sounding().max() <= most:
        return end
    held: list[tuple[int, list[int]]] = []                  # of each cell that sounds: its end and its pairs
    bounds = np.flatnonzero(_changes(pairs[:, 0])).tolist()
    for first, last in pairwise([*bounds, len(pairs)]):
        now = int(pairs[first, 0])
        held = sorted(cell for cell in held if cell[0] > now)
        new = [(int(stops[i]), [i]) for i in range(first, last) if stops[i] > now]
        while len(held) + len(new) > most:
            apart, i = min(((new[i + 1][0] - new[i][0], i) for i in range(len(new) - 1)), default=(np.inf, 0))
            if held and held[0][0] - now <= apart:          # the least is lost where what ends next ends now
                stops[held.pop(0)[1]] = now
            else:                                           # or where two of nearly one length become a chord
                new[i:i + 2] = [(new[i][0], new[i][1] + new[i + 1][1])]
                stops[new[i][1]] = new[i][0]
        held += new
    return np.asarray(stops[which.ravel()])


def _page_limits(cells: _Cells, bar_starts: Ints | None) -> Ints:
    """How many voices there may be at each moment: as many as sound together anywhere in that bar."""
    sounding = cells.sounding()
    if bar_starts is None:
        begun = np.bincount(cells.begin, minlength=len(cells.moments))
        bar_starts = cells.moments[sounding == begun]       # nothing is held over
    bar = np.searchsorted(bar_starts, cells.moments, side="right")
    most = np.zeros(len(bar_starts) + 1, np.int64)
    np.maximum.at(most, bar, sounding)
    return most[bar]


def _part_limits(cells: _Cells, most: int) -> Ints:
    """How many voices there may be at each moment: as many as notes sound together anywhere, but so many at most."""
    return np.full(len(cells.moments), min(most, int(cells.sounding(cells.size).max())))


def _shares(cells: _Cells, limits: Ints) -> Ints:
    """Into how many voices each cell may be split, so that there is a voice for every other that sounds with it."""
    room = limits - cells.sounding()
    shares = np.ones(len(cells.first), np.int64)
    for cell in np.flatnonzero(cells.size > 1).tolist():
        spare = room[cells.begin[cell]:cells.stop[cell]]
        more = min(int(cells.size[cell]) - 1, int(spare.min()))
        shares[cell] += more
        spare -= more
    return shares


@lru_cache(maxsize=1024)
def _ways(sizes: tuple[int, ...], shares: tuple[int, ...], limit: int, page: bool) -> tuple[Ints, Ints, Ints, Floats]:
    """Every way to give cells that begin together to voices.

    The highest and the lowest note of each unit (a cell or a part of one, and last a unit of no notes); int[ways,
    voices], the unit that each voice gets; and how many units more than cells that makes. On a page a cell that is
    split goes to voices from high to low; otherwise each is split as far as it may be, and its parts may cross.
    """
    start = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    splits: list[list[list[tuple[int, int, int]]]] = []     # of each cell, every list of (cell, first, last)
    for cell, (size, share) in enumerate(zip(sizes, shares, strict=True)):
        splits.append([])
        places = sorted({start[cell] + size * k // _PLACES for k in range(1, _PLACES)} if size > _PLACES
                        else range(start[cell] + 1, start[cell] + size))
        for parts in range(1 if page else share, share + 1):
            for cuts in combinations(places, parts - 1):
                edges = pairwise([start[cell], *cuts, start[cell] + size])
                splits[-1].append([(cell, a, b - 1) for a, b in edges])
    units = sorted({unit for cell in splits for parts in cell for unit in parts})
    place = {unit: i for i, unit in enumerate(units)}
    rows, more = [], []
    for chosen in product(*splits):
        given = [unit for parts in chosen for unit in parts]
        for into in permutations(range(limit), len(given)):
            pairs = zip(pairwise(given), pairwise(into), strict=True)
            if page and any(a[0] == b[0] and high > low for (a, b), (high, low) in pairs):
                continue
            row = [len(units)] * MAX_VOICES
            for voice, unit in zip(into, given, strict=True):
                row[voice] = place[unit]
            rows.append(row)
            more.append(len(given) - len(sizes))
    edges_of = np.array([*((first, last) for _, first, last in units), (-1, -1)])
    return edges_of[:, 0], edges_of[:, 1], np.array(rows), np.array(more, np.float64)


class _Search:
    """The beam: the best ways so far to give the notes to voices, a row each."""

    def __init__(self, cells: _Cells, pitch: Floats, limits: Ints, costs: _Costs, page: bool) -> None:
        self.cells, self.pitch, self.costs, self.page = cells, pitch, costs, page
        self.shares = _shares(cells, limits)
        self.limits = limits[cells.begin]
        self.usual = float(np.median(cells.end - cells.onset))
        self.steps: list[tuple[int, Ints, Ints, Ints]] = []    # first note; way before; highest, lowest of each voice
        self.total = np.zeros(1)
        # of each voice: when its last note ends, how long that lasts, its highest and lowest pitch, where it usually is
        self.end, self.last, self.high, self.low, self.home = (
            np.full((1, MAX_VOICES), value) for value in (-np.inf, 1.0, _NEVER, _NEVER, _NEVER))
        if not page:
            self.home[:] = self._homes()

    def run(self, found: IntArray, order: npt.NDArray[np.intp]) -> None:
        """Put the voice of every note, which stands at `order`, into `found`; it is 1 where it is not put."""
        alone = None
        for first, last in pairwise([*np.flatnonzero(_changes(self.cells.onset)).tolist(), len(self.cells.onset)]):
            if self.page and self.limits[first] == 1:
                self._close(found, order)
                alone = first
                continue
            if alone is not None:                           # what stands before in a bar of one voice
                self._recall(alone)
                alone = None
            self._step(first, last)
        self._close(found, order)

    def _homes(self) -> Floats:
        """The mean pitch of the highest, the next, ... where just as many notes sound as there are voices."""
        cells, most = self.cells, int(self.limits[0])
        full = cells.sounding(cells.size) == most
        counts = np.concatenate([[0], np.cumsum(full)])
        spans = np.repeat(counts[cells.stop], cells.size), np.repeat(counts[cells.begin], cells.size)
        times = spans[0] - spans[1]                         # at how many full moments each note sounds
        at = np.repeat(spans[1] - np.cumsum(times) + times, times) + np.arange(times.sum())
        high = np.repeat(self.pitch, times)
        ranked = high[np.lexsort((-high, at))].reshape(-1, most)
        homes = np.full(MAX_VOICES, _NEVER)
        if len(ranked):
            homes[:most] = ranked.mean(0)
        return homes

    def _recall(self, cell: int) -> None:
        """Let voice 1 have sung this cell."""
        first = self.cells.first[cell]
        low = self.pitch[first + self.cells.size[cell] - 1]
        self.end[:, 0], self.last[:, 0] = self.cells.end[cell], self.cells.end[cell] - self.cells.onset[cell]
        self.high[:, 0], self.low[:, 0], self.home[:, 0] = self.pitch[first], low, (self.pitch[first] + low) / 2

    def _step(self, first: int, last: int) -> None:
        """Go on with every way by every way to give the cells from `first` to `last` to voices, and keep the best."""
        cells, costs = self.cells, self.costs
        top, bottom, table, more = _ways(tuple(cells.size[first:last].tolist()),
                                         tuple(self.shares[first:last].tolist()), int(self.limits[first]), self.page)
        note = int(cells.first[first])
        pitch = np.append(self.pitch[note:cells.first[last - 1] + cells.size[last - 1]], _NEVER)
        ends = np.append(np.repeat(cells.end[first:last], cells.size[first:last]), -1).astype(np.float64)
        now = float(cells.onset[first])
        high, low, end = pitch[top], pitch[bottom], ends[top]
        lasts = np.maximum(end - now, 1.0)
        middle = (high + low) / 2
        given = table < len(top) - 1

        rest = (now - self.end) / self.usual
        held = rest < 0
        each = self._each(middle[:, None], lasts[:, None], np.clip(rest, 0, costs.longest)[:, None])
        each += np.where(held, np.inf, costs.lower * np.arange(MAX_VOICES))[:, None]
        each += costs.chord * (high - low)[:, None]
        each[:, -1] = 0
        ceiling = np.where(given, high[table], np.where(held, self.high, _NEVER)[:, None])[:, :, 1:]
        floor = np.where(given, low[table], np.where(held, self.low, -_NEVER)[:, None])[:, :, :-1]
        over = ceiling - np.minimum.accumulate(floor, axis=2)
        crossing = np.where(over > 0, costs.cross + costs.cross_by * over, 0)
        total = each[:, table, np.arange(MAX_VOICES)].sum(2) + crossing.sum(2)
        total += self.total[:, None] + costs.split * more

        best = np.argsort(total, axis=None, kind="stable")[:2 * _BEAM]
        best = best[np.isfinite(total.flat[best])]
        back, way = np.divmod(best, len(table))
        units = table[way]
        state = [np.where(given[way], new[units], old[back]) for new, old in (
            (end, self.end), (high, self.high), (low, self.low), (lasts, self.last))]
        keep = _distinct(np.concatenate(state[:3], axis=1))[:_BEAM]
        self.end, self.high, self.low, self.last = (column[keep] for column in state)
        back, way, units = back[keep], way[keep], middle[units[keep]]
        self.total = total.flat[best[keep]] - total.flat[best[0]]
        self.steps.append((note, back, top[table[way]], bottom[table[way]]))
        home = self.home[back]
        moved = np.where(home > _NEVER, home + costs.drift * (units - home), units)
        self.home = np.where(given[way], moved, home)

    def _each(self, middle: Floats, lasts: Floats, rest: Floats) -> Floats:
        """What it costs each voice of each way to sing each unit: float[ways, units, voices]."""
        costs, before, home = self.costs, ((self.high + self.low) / 2)[:, None], self.home[:, None]
        each = np.minimum(np.abs(middle - before), costs.far) ** costs.bend * (
            costs.leap / (1 + costs.forget * rest)) + costs.rest * rest
        each += costs.rhythm * np.abs(np.log2(lasts / self.last[:, None]))
        each = np.where(before > _NEVER, each, costs.enter)
        if costs.range:
            each += np.where(home > _NEVER, costs.range * np.minimum(np.abs(middle - home), 24), 0)
        return each

    def _close(self, found: IntArray, order: npt.NDArray[np.intp]) -> None:
        """Choose the best way, put its voices into `found`, and go on from it alone."""
        place = 0                                           # the best comes first
        for note, back, top, bottom in reversed(self.steps):
            for voice, (high, low) in enumerate(zip(top[place].tolist(), bottom[place].tolist(), strict=True), 1):
                if high >= 0:
                    found[order[note + high:note + low + 1]] = voice
            place = back[place]
        self.steps.clear()
        self.total = np.zeros(1)
        self.end, self.last, self.high, self.low, self.home = (
            column[:1].copy() for column in (self.end, self.last, self.high, self.low, self.home))


def _distinct(rows: Floats) -> list[int]:
    """The places of rows that are like none before them."""
    seen: dict[bytes, int] = {}
    for i, row in enumerate(rows):
        seen.setdefault(row.tobytes(), i)
    return list(seen.values())


def as_neighbours(found: IntArray, onset: Ints, pitch: Ints) -> IntArray:
    """Return the numbers with one in place of each 0: that of the nearest in pitch of what begins there or last before.

    Where all are 0 they become 1.

    >>> as_neighbours(np.array([2, 0, 1]), np.array([0, 5, 0]), np.array([60, 62, 72])).tolist()
    [2, 2, 1]
    """
    known, missing = np.flatnonzero(found), np.flatnonzero(found == 0)
    filled = np.where(found, found, 1).astype(np.int32)
    known = known[np.lexsort((found[known], onset[known]))]
    begins = onset[known]
    for note in missing.tolist() if len(known) else ():
        last = max(int(np.searchsorted(begins, onset[note], side="right")), 1)
        near = known[np.searchsorted(begins, begins[last - 1]):last]
        filled[note] = found[near[np.argmin(np.abs(pitch[near] - pitch[note]))]]
    return filled
