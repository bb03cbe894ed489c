"""Which note values are written: an end for every note whose onset has its place."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from partimento.notation.quantise_beats import Beats
from partimento.score import IntArray, Score

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_REACH = 9             # semitones from a note in which the next note of its line is looked for
_REGISTER = 5          # semitones, for a note that is held while others of its hand move
_AHEAD, _BEFORE = 48, 24    # how many chords on it is looked for, and how many back what is held
_HAND = 16             # semitones from the outer note of a broken chord to an inner one
_NEVER = 1 << 40
_OVERLAP, _SLACK = 1.15, .12    # what is held longer than this share of the way to a note, and this part of a
                                # quarter, goes on beside it
_PLAYED = .9           # share of its written length that a note usually sounds
_LONGER, _SHORTER = .18, .5          # spread of the logarithm of that share, above and below
_ENDS = np.array([0, .1, .3, .7, 1.4, 2.4])      # nats by how weak the place is where a note ends
_TIE, _REST, _SMALL_REST, _VOICE, _STRANGE = .5, .6, 1.0, 2.0, 2.0


@dataclasses.dataclass(frozen=True)
class Lines:
    """Notes of one chord that end together. All in new ticks: `onset`, and as they were played `begin` and `end`.

    `track`, `low` and `high` (pitch) of each; `group` is the line of every note.
    """

    track: IndexArray
    onset: IndexArray
    begin: FloatArray
    end: FloatArray
    low: IndexArray
    high: IndexArray
    group: IndexArray


def find_ends(score: Score, onset: IndexArray, begin: FloatArray, end: FloatArray, beats: Beats,
              division: IndexArray) -> IndexArray:
    """Return where every note ends, in new ticks (int64[n]), after its onset and before its pitch is struck again.

    `onset` is where notes are written, `begin` and `end` where they were played (new ticks, float64);
    `division` is how each beat is divided. Legato runs to the next note of the line, and so does
    what is played somewhat shorter; where a rest has to stand, the note gets the value that reads most simply for how
    long it sounded. For each chord, ends are weighed by the share of the value that sounded and by what has to be
    written: weak ends, ties, small rests, another voice.
    """
    lines = _lines(onset, begin, end, score.pitch, score.track)
    next_ = _following(lines, beats.ticks_per_quarter)
    following = np.where(next_ >= 0, lines.onset[next_], _NEVER)
    held = np.where(next_ >= 0, np.minimum(lines.end, lines.begin[next_]), lines.end)
    lines = dataclasses.replace(lines, end=np.where(next_ >= 0, np.maximum(held, np.minimum(
        lines.end, lines.begin + _PLAYED * (lines.begin[next_] - lines.begin))), lines.end))
    alone = _alone(lines)
    candidates = _candidates(lines, following, beats, division)
    best = _weigh(lines, following, candidates, beats, division)
    chosen = candidates[np.arange(len(best)), best]
    drum = np.array([track.is_drum for track in score.tracks])[lines.track]
    chosen[drum] = np.minimum(alone, _beat_end(lines.onset, beats))[drum]
    last = np.where(onset < beats.bar_new[-2], beats.bar_new[-2], _NEVER)
    return np.minimum(np.minimum(chosen[lines.group], struck_again(onset, score)), last)


def struck_again(onset: IndexArray, score: Score) -> IndexArray:
    """Return the next onset of the same pitch in the same track, for every note; beyond all where there is none."""
    lane = score.track.astype(np.int64) * 128 + score.pitch
    order = np.lexsort((onset, lane))
    lane, at = lane[order], onset[order]
    found = np.full(len(at), _NEVER)
    if len(at):
        last = np.append((lane[1:] != lane[:-1]) | (at[1:] != at[:-1]), True)
        run_end = np.flatnonzero(last)[np.cumsum(np.append(False, last[:-1]))]     # last note of the same place
        after = np.minimum(run_end + 1, len(at) - 1)
        found = np.where((run_end + 1 < len(at)) & (lane[after] == lane), at[after], _NEVER)
    out = np.empty(len(at), np.int64)
    out[order] = found
    return out


def _lines(onset: IndexArray, begin: FloatArray, end: FloatArray, pitch: IntArray, track: IntArray) -> Lines:
    """Take apart the chords of each track: where over an octave lies between notes, and who is held much longer."""
    order = np.lexsort((pitch, onset, track))
    at, tracks, high = onset[order], track[order].astype(np.int64), pitch[order].astype(np.int64)
    length = np.log(np.maximum(end - begin, 1)[order])
    new = np.append(True, (at[1:] != at[:-1]) | (tracks[1:] != tracks[:-1]) | (high[1:] - high[:-1] > 12))
    chord = np.cumsum(new) - 1
    mean = np.bincount(chord, length) / np.bincount(chord)
    held = np.sign(np.trunc((length - mean[chord]) / np.log(1.5))).astype(np.int64)
    _, first, group = np.unique(chord * 3 + held + 1, return_index=True, return_inverse=True)
    count = np.bincount(group)
    low, top = np.full(len(count), 128), np.zeros(len(count), np.int64)
    np.minimum.at(low, group, high)
    np.maximum.at(top, group, high)
    of_note = np.empty(len(order), np.int64)
    of_note[order] = group
    return Lines(tracks[first], at[first], np.bincount(group, begin[order]) / count,
                 np.bincount(group, end[order]) / count, low, top, of_note)


def _following(lines: Lines, quarter: int) -> IndexArray:
    """The index of what follows each chord in its line, −1 where nothing does: near in pitch, and not sounding beside
    it for long. An inner note of a broken chord that is held is followed by the very next note, however long it is
    held: only one that is below or above all that is held and all that follows has a line of its own."""
    n = len(lines.onset)
    slack = _SLACK * quarter
    found = np.full(n, -1)
    near = np.full(n, -1)
    reach = np.where(_polyphonic(lines)[lines.track], _REACH, 128)
    length = lines.end - lines.begin
    open_ = np.arange(n)
    for ahead in range(1, _AHEAD):
        open_ = open_[open_ + ahead < n]
        open_ = open_[lines.track[open_ + ahead] == lines.track[open_]]
        if not len(open_):
            break
        other = open_ + ahead
        past = near[open_]                   # what is held past the next note is followed by one as low, or as high
        bass = lines.low[past] >= lines.high[open_]
        above = np.where(past < 0, reach[open_], np.where(bass, _REGISTER, 128))
        below = np.where(past < 0, reach[open_], np.where(bass, 128, _REGISTER))
        fits = ((lines.onset[other] > lines.onset[open_]) & (lines.low[other] <= lines.high[open_] + above)
                & (lines.high[other] >= lines.low[open_] - below))
        first = open_[fits & (past < 0)]
        near[first] = first + ahead
        fits &= length[open_] <= _OVERLAP * (lines.begin[other] - lines.begin[open_]) + slack
        found[open_[fits]] = other[fits]
        open_ = open_[~fits]
    holders = np.zeros(n, np.int64)
    upward = lines.low[near] >= lines.high
    beyond = lines.begin[near] + (lines.begin[near] - lines.begin) / 2
    for back in range(1, _BEFORE):
        own, other = np.arange(back, n), np.arange(n - back)
        holds = (lines.track[own] == lines.track[other]) & (lines.end[other] > beyond[own])
        below, above = lines.low[own] - lines.high[other], lines.low[other] - lines.high[own]
        side, other_side = np.where(upward[own], below, above), np.where(upward[own], above, below)
        holders[own] += holds * (2 * ((side > 0) & (side <= _HAND)) + ((other_side > 0) & (other_side <= _HAND)))
    return np.where((holders >= 2) & (near >= 0), near, found)


def _polyphonic(lines: Lines) -> BoolArray:
    """Which tracks have more than one line: over a tenth of the chords begin while another goes on."""
    tracks = int(lines.track.max()) + 1
    same = lines.track[1:] == lines.track[:-1]
    over = same & ((lines.end[:-1] - lines.begin[1:] > .5 * (lines.end[:-1] - lines.begin[:-1]))
                   | (lines.onset[1:] == lines.onset[:-1]))
    many = np.bincount(lines.track[1:][over], minlength=tracks)
    return np.asarray(many > .1 * np.bincount(lines.track, minlength=tracks))


def _alone(lines: Lines) -> IndexArray:
    """The onset of the next chord of the track, whatever it is."""
    place = (lines.track << 40) + lines.onset
    after = np.searchsorted(place, place, side="right")
    same = np.append(lines.track, -1)[after] == lines.track
    return np.where(same, np.append(lines.onset, 0)[after], _NEVER)


def _beat_end(ticks: IndexArray, beats: Beats) -> IndexArray:
    """The end of the beat in which each tick is."""
    return beats.new[np.searchsorted(beats.new[1:-1], ticks, side="right") + 1]


def _candidates(lines: Lines, following: IndexArray, beats: Beats, division: IndexArray) -> IndexArray:
    """int64[lines, choices]: where each chord could end; what is no end after its onset is the next place there is."""
    beat = np.searchsorted(beats.new[1:-1], lines.onset, side="right")
    step = np.diff(beats.new)[beat] // np.where(division == 1, 2, division)[beat]
    first = lines.onset + np.maximum(step, 1)
    first = np.minimum(first, beats.new[beat + 1])
    first = np.where(first > lines.onset, first, beats.new[np.minimum(beat + 2, len(beats.new) - 1)])
    end = np.clip(lines.end, 0, beats.new[-1] - 1)
    at = np.searchsorted(beats.new[1:-1], end, side="right")
    begin, length = beats.new[at], np.diff(beats.new)[at]
    choices = [first, np.where(following < _NEVER, following, first)]
    for parts in (1, 2, np.where(division == 1, 2, division)[at]):
        place = np.floor((end - begin) * parts / length)
        choices += [begin + (place * length / parts).astype(np.int64),
                    begin + ((place + 1) * length / parts).astype(np.int64)]
    choices += [beats.new[np.minimum(at + 2, len(beats.new) - 1)], beats.bar_new[beats.bar[at] + 1]]
    found = np.stack(choices, 1)
    return np.where(found > lines.onset[:, None], found, first[:, None])


def _weigh(lines: Lines, following: IndexArray, candidates: IndexArray, beats: Beats,
           division: IndexArray) -> IndexArray:
    """Which candidate of each chord costs least (int64[lines])."""
    quarter = beats.ticks_per_quarter
    value = np.maximum(candidates - lines.onset[:, None], 1)
    share = np.log(np.maximum(lines.end - lines.begin, quarter / 32)[:, None] / value / _PLAYED)
    cost = (share / np.where(share > 0, _LONGER, _SHORTER)) ** 2 / 2
    next_ = following[:, None]
    asked = np.where(candidates == next_, .4, 1.0)
    weak, begins = _weakness(candidates, beats), _weakness(lines.onset, beats)[:, None]
    cost += asked * _ENDS[weak]
    bar = np.searchsorted(beats.bar_new, candidates - 1, side="right")
    bars = bar - np.searchsorted(beats.bar_new, lines.onset, side="right")[:, None]
    cost += _TIE * np.minimum(bars, 3)
    beat = np.searchsorted(beats.new, candidates - 1, side="right")
    crosses = beat > np.searchsorted(beats.new, lines.onset, side="right")[:, None]
    cost += asked * _TIE * (crosses & (begins >= 3)) * (begins - 1) + asked * _TIE * (crosses & (weak >= 4))
    beat = np.searchsorted(beats.new[1:-1], candidates, side="right")
    within, length = candidates - beats.new[beat], np.diff(beats.new)[beat]
    thirds = (within > 0) & (within * 2 % length != 0) & (within * 3 % length == 0)
    own = np.searchsorted(beats.new[1:-1], lines.onset, side="right")
    offbeat = (lines.onset - beats.new[own])[:, None] > 0
    cost += _STRANGE * thirds * (candidates != next_) * ~((beat == own[:, None]) & offbeat)
    cost += _STRANGE / 2 * (within * 2 == length) * np.isin(division, (3, 5))[beat]
    gap = next_ - candidates
    cost += np.where(gap > 0, _REST + _SMALL_REST * ((gap < quarter / 2) + (gap < quarter / 4.)), 0)
    cost += _VOICE * (gap < 0)
    return np.asarray(cost.argmin(1))


def _weakness(ticks: IndexArray, beats: Beats) -> IndexArray:
    """How weak a place is: 0 a bar line, 1 the middle of the bar or a beat of three eighths, 2 a beat, 3 half a beat,
    4 a quarter or a third of one, 5 any other."""
    beat = np.searchsorted(beats.new[1:-1], ticks, side="right")
    within = ticks - beats.new[beat]
    length = np.diff(beats.new)[beat]
    weak = np.full(ticks.shape, 5)
    weak[(within * 4 % length == 0) | (within * 3 % length == 0)] = 4
    weak[within * 2 % length == 0] = 3
    weak[within == 0] = 2
    first = np.searchsorted(beats.bar, beats.bar)
    count = np.bincount(beats.bar)[beats.bar]
    place = np.arange(len(first)) - first
    strong = np.where(beats.eighths, (count % 3 == 0) & (place % 3 == 0), (count == 4) & (place == 2))
    weak[(within == 0) & strong[beat]] = 1
    weak[(within == 0) & (place[beat] == 0) | (ticks >= beats.new[-1])] = 0
    return weak
