"""Which passages of a Score stand in an index too, in any key, at any tempo, with ornaments and small changes.

Turns of a few notes that are not too common are looked up in all strands; those that agree in piece, transposition,
tempo and place vote together, each turn once; where most is voted for, the strands are laid side by side in time, and
the runs that agree best are kept. What they say is counted in bits: how rare the turns are among those of the index.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.fingerprint.index import Index
from partimento.fingerprint.passages import DRUM, FEWEST, Thread
from partimento.fingerprint.turns import AGAIN, ALIKE, TURN, Hits, Query, Turns, turns_found

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SEGMENT = 1536          # 24ths of a quarter note of the piece that vote together
WIDE = 12               # 24ths of a quarter note of the source: places so near vote together
SLOTS = 1 << 18         # in which votes are counted at first
FIRST = 600             # places that are counted exactly
PLACES = 40             # that are looked at closely, and one more for every
PER_PLACE = 12          # notes of strands
VOTES = 24              # turns of one place from which its tempo is found
PAIRS = 8               # of strands that are laid side by side at one place
LONGEST = 128           # notes of a strand that are laid side by side at once
REACH = 32              # notes before and after the turns found that are laid side by side too
SCALES = np.array([1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 3, 4])
COSTS = np.array([8, 8, 4, 5, 8, 0, 8, 5, 4, 8, 8])       # bits to say so; of a scale near none of them 10
SNAP = 0.05             # as a share: tempos so near to one of these are it
NEAR = 0.3              # of the usual distance between onsets: how late or early a note may be
LEAST_NEAR = 2.0        # 24ths of a quarter note: the same, at least
MISSED = 3.3            # bits that a note costs which does not agree
SKIPPED = 1.5           # the same of a note of the source that nothing agrees with
OTHER_OCTAVE = 2.0      # the same of a note that agrees but in another octave than most of its strand
WEAK = 5.0              # bits: a run of less is none
TOLD = 10.0             # bits: a place whose runs have less together is none
OTHERS = 0.5            # of what a passage's other strands say: they go with the one that says most
TOUCHES = 192           # 24ths of a quarter note between passages that are one


class Shared(NamedTuple):
    """A passage of the piece that stands in piece `source` of the index too.

    `notes` (int64[k], sorted) are the indices in the Score of its notes that agree, `weights` (bits) what each says,
    `missed` those between them that do not agree, `bits` what the passage says, less what disagrees. The source is
    `scale` times slower and `shift` semitones higher, modulo the octave; `source_start` and `source_end` (24ths of a
    quarter note) are where its first and last note begin there, `offset` where the piece's tick 0 would.
    """

    source: int
    notes: Ints
    weights: Floats
    missed: Ints
    bits: float
    scale: float
    shift: int
    offset: float
    source_start: int
    source_end: int

    def goes_on(self, other: Shared) -> bool:
        """Whether another passage is of the same source in the same key, at the same tempo, and overlaps or touches."""
        return ((self.source, self.shift) == (other.source, other.shift) and abs(self.scale / other.scale - 1) < SNAP
                and abs(self.offset - other.offset) <= WIDE
                and self.source_start <= other.source_end + TOUCHES and other.source_start <= self.source_end + TOUCHES)

    def joined(self, other: Shared) -> Shared:
        """This passage with the notes of one that goes on with it; its bits stay."""
        notes, first = np.unique(np.append(self.notes, other.notes), return_index=True)
        missed = np.setdiff1d(np.append(self.missed, other.missed), notes)
        return self._replace(notes=notes, weights=np.append(self.weights, other.weights)[first], missed=missed,
                             source_start=min(self.source_start, other.source_start),
                             source_end=max(self.source_end, other.source_end))


class _Place(NamedTuple):
    """A place that was voted for: the piece in the index, shift, scale, offset, and its hits."""

    source: int
    shift: int
    scale: float
    offset: float
    hits: Ints


class _Row(NamedTuple):
    """Two strands side by side at a place: notes of the piece from `begin` up to `end`, of the index likewise."""

    place: int
    begin: int
    end: int
    source_begin: int
    source_end: int


def shared_passages(found: Sequence[Thread], index: Index, *, without: Collection[int] = ()) -> list[Shared]:
    """The passages of a piece, given as its strands, that stand in the index too; those that say most first.

    `without` are pieces of the index that do not count.

    >>> from partimento.fingerprint.index import build_index, read_index
    >>> from partimento.fingerprint.passages import strands
    >>> from partimento.score import Score
    >>> pitch = [60, 64, 62, 67, 65, 59, 60, 57, 62, 55, 59, 60, 67, 64, 69, 62, 60]
    >>> tune = Score.from_rows([(480 * i, 480, high, 80, 0) for i, high in enumerate(pitch)])
    >>> index = read_index(build_index([("tune", tune)]))
    >>> best = shared_passages(strands(tune), index)[0]
    >>> best.source, best.shift, len(best.notes)
    (0, 0, 17)
    """
    if not found or not len(index.places):
        return []
    query, turns, hits = turns_found(found, index)
    places = _voted(query, turns, index, hits, without)
    return _side_by_side(query, index, places, hits)


def _voted(query: Query, turns: Turns, index: Index, hits: Hits, without: Collection[int]) -> list[_Place]:
    """The places in the index that most turns vote for."""
    place, source = hits.place, hits.source
    strand = index.strand_of(source)
    piece = index.piece[strand]
    time = index.time_of(source, strand)
    here, there = query.pitch[place].astype(np.int64), index.pitch[source].astype(np.int64)
    shift = np.where(here >= DRUM, 0, (there - here) % 12)
    begins = query.time[place]
    over = turns.over[hits.turn]
    span = query.time[np.minimum(place + over, len(query.time) - 1)] - begins
    ahead = (index.time[source + FEWEST - 1] - index.time[source]).astype(np.uint16).astype(np.int64)
    ratio = np.log2(np.maximum(ahead, 1) / np.clip(span, 1, 1 << 20))
    near = np.log2(SCALES)
    kind = np.searchsorted((near[1:] + near[:-1]) / 2, ratio)
    scale = SCALES[kind]
    offset = time - scale * begins
    ok = (np.abs(ratio - near[kind]) < 0.3) & ((here < DRUM) | (there == here))
    if without:
        ok &= ~np.isin(piece, list(without))
    some = np.flatnonzero(ok)
    wide = np.floor(offset[some] / WIDE).astype(np.int64) + (1 << 18)
    key = (((begins[some] // SEGMENT * len(index) + piece[some]) * 12 + shift[some]) * len(SCALES) + kind[some])
    key = (key << 20) + wide
    slot = ((key.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(46)).astype(np.int64)
    votes = np.bincount(slot, hits.vote[some], minlength=SLOTS)
    rounded = votes.astype(np.int64)
    above = np.cumsum(np.bincount(rounded)[:0:-1])[::-1]                        # slots of so many votes or more, from 1
    least = 1 + int((above > FIRST + len(query.pitch)).sum())
    kept = rounded[slot] >= least
    some, key = some[kept], key[kept]
    if not len(some):
        return []
    order = np.argsort(key, kind="stable")
    some, key = some[order], key[order]
    new = np.append(True, key[1:] != key[:-1])
    which, begin = np.cumsum(new) - 1, np.append(np.flatnonzero(new), len(key))
    # a turn has one vote for a place
    _, same = np.unique(turns.key >> TURN, return_inverse=True)
    pair = which * len(turns.key) + same[hits.turn[some]]
    _, once = np.unique(pair, return_index=True)
    total = np.bincount(which[once], hits.vote[some[once]])
    bins = key[begin[:-1]]
    beside = np.append(bins[1:] == bins[:-1] + 1, False)
    both = total + np.where(beside, np.append(total[1:], 0), 0)
    best = np.argsort(-both, kind="stable")[:PLACES + len(query.pitch) // PER_PLACE]
    places: list[_Place] = []
    seen = set()
    for b in best.tolist():
        rows = some[begin[b]:begin[b + 1 + int(beside[b])]]
        few = rows[(np.arange(VOTES) * max(len(rows) / VOTES, 1)).astype(np.int64).clip(0, len(rows) - 1)] \
            if len(rows) > VOTES else rows
        own = np.maximum(ahead[few], 1) / np.maximum(span[few], 1)
        snapped = SCALES[kind[few]]
        own = np.where(np.abs(own / snapped - 1) < SNAP, snapped, own)
        guess = time[few][:, None] + own[:, None] * (begins[few][None] - begins[few][:, None])
        agree = np.abs(guess - time[few][None]) <= 4
        pick = int(agree.sum(1).argmax())
        at = few[pick]
        value = float(own[pick])
        where = float(time[at] - value * begins[at])
        name = (int(piece[at]), int(shift[at]), round(value, 2), round(where / 4), int(begins[at]) // SEGMENT)
        if name not in seen:
            seen.add(name)
            places.append(_Place(name[0], name[1], value, where, rows))
    return places


def _side_by_side(query: Query, index: Index, places: Sequence[_Place], hits: Hits) -> list[Shared]:
    """The runs of the strands that have turns at each place, put together where they agree best."""
    rows = [row for number, place in enumerate(places) for row in _pairs(query, index, number, place, hits)]
    if not rows:
        return []
    table = np.array(rows, np.int64)
    number, begin, end, source_begin, source_end = table.T
    scale = np.array([place.scale for place in places])[number][:, None]
    offset = np.array([place.offset for place in places])[number][:, None]
    shift = np.array([place.shift for place in places])[number][:, None]
    mine = begin[:, None] + np.arange(LONGEST)
    inside = mine < end[:, None]
    mine = np.minimum(mine, end[:, None] - 1)
    theirs = source_begin[:, None] + np.arange(2 * LONGEST)
    there = theirs < source_end[:, None]
    theirs = np.minimum(theirs, source_end[:, None] - 1)
    strand = index.strand_of(source_begin)
    time = index.time_of(theirs, strand[:, None]).astype(np.float64)
    pitch = index.pitch[theirs].astype(np.int64)
    # each note of the piece beside the notes of the source about its time
    expected = scale * query.time[mine] + offset
    late = np.maximum(LEAST_NEAR, NEAR * query.usual[mine] * scale)
    lane = np.arange(len(rows))[:, None] * 1e9
    flat = (np.where(there, time, 4e8) + lane).ravel()
    found = np.searchsorted(flat, (np.clip(expected, -4e8, 4e8) + lane).ravel()).reshape(mine.shape)
    found -= np.arange(len(rows))[:, None] * (2 * LONGEST)
    wanted = query.pitch[mine].astype(np.int64)
    octave = np.where(wanted >= DRUM, 256, 12)
    match, apart = np.full(mine.shape, -1), np.full(mine.shape, np.inf)
    for k in (-2, -1, 0, 1):
        j = np.clip(found + k, 0, 2 * LONGEST - 1)
        off = np.abs(np.take_along_axis(time, j, 1) - expected)
        fits = np.take_along_axis(there, j, 1) & (off <= late) & (off < apart)
        fits &= (np.take_along_axis(pitch, j, 1) - wanted - shift) % octave == 0
        match, apart = np.where(fits, j, match), np.where(fits, off, apart)
    hit = (match >= 0) & inside
    octaves = (np.take_along_axis(pitch, np.maximum(match, 0), 1) - wanted - shift) // 12
    weight = query.weight[mine]
    start, stop, net = _best_runs(hit, inside, match, weight)
    groups: dict[int, list[int]] = {}
    for i in np.flatnonzero(net >= WEAK).tolist():
        groups.setdefault(int(number[i]), []).append(i)
    shared = [_together(query, places[k], [(mine[i, start[i]:stop[i]], hit[i, start[i]:stop[i]],
                                            time[i, match[i, start[i]:stop[i]]], weight[i, start[i]:stop[i]],
                                            octaves[i, start[i]:stop[i]])
                                           for i in group])
              for k, group in groups.items() if net[group].sum() >= TOLD]
    return sorted(shared, key=lambda one: (-one.bits, one.source, one.source_start, int(one.notes[0])))


def _pairs(query: Query, index: Index, number: int, place: _Place, hits: Hits) -> list[_Row]:
    """The pairs of strands that have turns at a place, those with most first, and the notes to lay side by side."""
    mine, theirs = hits.place[place.hits], hits.source[place.hits]
    strand = index.strand_of(theirs)
    pair = query.strand[mine] * (len(index.first) + 1) + strand
    _, which, count = np.unique(pair, return_inverse=True, return_counts=True)
    out = []
    for k in np.argsort(-count, kind="stable")[:PAIRS].tolist():
        some = which == k
        q, s = mine[some], theirs[some]
        own, other = int(query.strand[q[0]]), int(strand[some][0])
        begin = max(int(query.first[own]), int(q.min()) - REACH)
        end = min(int(query.first[own + 1]) - 1, int(q.max()) + FEWEST + REACH, begin + LONGEST)
        last = int(index.first[other + 1]) if other + 1 < len(index.first) else len(index.pitch)
        source_begin = max(int(index.first[other]), int(s.min()) - (int(q.min()) - begin) - REACH)
        out.append(_Row(number, begin, end, source_begin, min(last - 1, source_begin + 2 * LONGEST)))
    return out


def _best_runs(hit: Bools, inside: Bools, match: Ints, weight: Floats) -> tuple[Ints, Ints, Floats]:
    """Of each row the stretch whose notes that agree say most over those that do not: first, after the last, bits."""
    rows = np.arange(len(hit))
    before = np.maximum.accumulate(np.where(hit, match, -1), axis=1)
    before = np.concatenate([np.full((len(hit), 1), -1), before[:, :-1]], axis=1)
    misses = np.cumsum(inside & ~hit, axis=1)
    since: Ints = misses - np.maximum.accumulate(np.where(hit, misses, 0), axis=1)
    since = np.concatenate([np.zeros((len(hit), 1), np.int64), since[:, :-1]], axis=1)
    skipped = np.where(hit & (before >= 0), np.clip(match - before - 1 - since, 0, 8), 0)
    value = np.where(hit, weight, np.where(inside, -MISSED, 0)) - SKIPPED * skipped
    total = np.cumsum(value, axis=1)
    base = np.concatenate([np.zeros((len(hit), 1)), total[:, :-1]], axis=1)
    least = np.minimum.accumulate(base, axis=1)
    stop = (total - least).argmax(1)
    net = (total - least)[rows, stop]
    start = (base == least[rows, stop][:, None]).argmax(1)
    return start, stop + 1, net


def _together(query: Query, place: _Place,
              runs: Sequence[tuple[Ints, Bools, Floats, Floats, Ints]]) -> Shared:
    """Runs of one place as one passage: each note of the piece counts once, as it agrees best."""
    spots = np.concatenate([run[0] for run in runs])
    hit = np.concatenate([run[1] for run in runs])
    time = np.concatenate([run[2] for run in runs])
    weight = np.concatenate([run[3] for run in runs])
    note = query.note[spots]
    best = int(np.argmax([run[3][run[1]].sum() for run in runs]))
    part = np.repeat([1.0 if k == best else OTHERS for k in range(len(runs))], [len(run[0]) for run in runs])
    value = np.where(hit, weight, -MISSED) * part
    order = np.lexsort([-value, note])
    order = order[np.append(True, np.diff(note[order]) != 0)]
    agree = hit[order]
    spots, value = spots[order], value[order]
    apart = np.abs(SCALES / place.scale - 1)
    cost = float(COSTS[apart.argmin()]) if apart.min() < SNAP else 10.0
    sound = query.time[spots] * 128 + np.where(query.pitch[spots] < DRUM, query.pitch[spots] % 12, query.pitch[spots])
    spots = spots[agree]
    value[agree] *= np.where(_first(query.ending[spots]) & _first(sound[agree]), 1, AGAIN)
    value[agree] *= np.where(_first(query.shape[spots]), 1, ALIKE)
    cost += OTHER_OCTAVE * _in_other_octaves(runs[best][4][runs[best][1]])
    return Shared(place.source, note[order][agree], weight[order][agree], note[order][~agree],
                  float(value.sum()) - cost, place.scale, place.shift, place.offset,
                  int(time[hit].min()), int(time[hit].max()))


def _in_other_octaves(octaves: Ints) -> int:
    """How many notes are not in the octave that most are in."""
    return len(octaves) - int(np.unique(octaves, return_counts=True)[1].max())


def _first(values: Ints) -> Bools:
    """Which values (bool[n]) did not come before."""
    out = np.zeros(len(values), bool)
    out[np.unique(values, return_index=True)[1]] = True
    return out
