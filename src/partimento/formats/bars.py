"""Where every bar of a piece begins, found from its notes: meter, place, and bars that are shorter or longer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.formats.downbeat import beat_phase, downbeat, first_meter
from partimento.notation.quantise import is_performed
from partimento.score import MAX_BARS, Meter, Score

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]

REACH = 4                     # beats before and after one that tell whether a bar begins there
LATEST = 10                   # the first bar begins on one of so many beats
_FEWEST_NOTES, _MOST_BEATS = 8, 8_192
_LONGEST = 8.0                # beats: a longer note counts as one that lasts this long
_NEAR = 0.2                   # of a beat: how far from it a note may begin and be on it
_MOST = 4.0                   # times the mean: what is more counts as this
_DOUBT, _NEVER = 30.0, 1e9     # by how much other bars must be better than the file's own
_KNOWN = (1.5, 2, 3, 4, 5)     # quarters in a bar: what can be found, or two of them make


class Rule(NamedTuple):
    """How long bars are, in quarters: `usual`, or another at its cost; `cost` is that of such music as a whole."""

    usual: int
    others: dict[int, float]
    cost: float


# How much each column of `meter_view` says, in thousandths, at 4 beats before … 4 after, for a bar to begin on a beat
# (STARTS) or for the middle of a bar of 4 to be there (MIDDLES), and what bars of other lengths cost. Learnt on
# halves of openscore_lieder and mutopia_midi (PD and CC-BY) by bench/downbeat_fit.py.
STARTS = np.array([
    [-27, 51, -3, -129, 130, -2, -25, 52, 38],
    [-40, 24, 7, -72, 43, 24, 4, 51, 26],
    [-24, 23, 15, -111, 101, 8, 24, 39, 76],
    [-20, 49, -31, -62, 61, -23, -18, 61, -61],
    [1, 37, -48, -56, 87, -2, 10, 58, -14],
    [-9, 20, -13, -73, 51, 29, 44, 28, 62],
    [-14, 9, -11, -8, 49, 35, 44, 46, 57],
    [-7, 15, -26, 21, 105, 20, 24, 48, 9],
    [-69, -14, 18, 11, 15, 37, 42, 37, 75],
    [12, 30, -75, -33, 68, -25, 37, 60, -55],
    [-86, 46, -32, -83, 70, 26, -33, 62, 75],
    [-49, 8, -10, 12, -12, 37, 23, 43, 64],
], np.float64)
MIDDLES = np.array([
    [6, -21, 13, -6, 23, -15, 7, 4, 29],
    [-3, 3, 3, -3, 14, 9, -4, 8, 20],
    [7, -16, 15, -10, 23, -9, 7, -1, 30],
    [-3, 1, 2, 2, 15, 7, -7, 15, 22],
    [-6, -2, 9, 1, 7, 4, 5, 8, 11],
    [-3, -8, 7, 5, 9, -2, 5, 13, 14],
    [-4, 0, 8, 2, 5, 7, 7, 7, 9],
    [-8, 18, 27, 7, 17, 31, 2, 10, 20],
    [0, 6, 5, -3, 11, 14, 2, 0, 14],
    [-2, -1, 4, -1, 6, 4, 9, 7, 8],
    [-9, -3, 3, 9, -1, 2, 7, 15, 3],
    [-7, 2, 1, 6, -2, 7, 5, 6, 3],
], np.float64)
RULES = (Rule(4, {2: 4.74, 3: 5.52, 5: 5.54}, 0.0), Rule(3, {2: 5.25, 4: 5.5, 5: 5.4}, 1.89))


class FoundBar(NamedTuple):
    """One bar that was found: its first tick and its length in quarter notes."""

    tick: int
    quarters: int


def find_bars(score: Score) -> tuple[FoundBar, ...]:
    """Return the bars that are heard in the notes, in order: of 4 quarters as a rule, or of 3 in triple music.

    The beat is the quarter of the file, wherever in it the music has it. Of all ways to cut the beats into bars the
    best is taken, by dynamic programming: each first beat and each middle of a bar of 4 is worth what long, low and
    loud notes, new harmony and a new bass around it say (`meter_view`), each bar of another length has its cost, and
    all of it is done for music in fours and in threes; where notes gather on dotted quarters, as in 6/8, also half a
    beat later. Played music, whose notes lie beside every grid, gets bars of one length from the place that
    ``formats.downbeat`` finds: there its longer evidence is right more often. Empty where there are too few notes.
    Drums are not heard.

    >>> bar = np.repeat(np.arange(16), 4)
    >>> song = Score(onset=[120, 600, 1080, 1560] * 16 + bar * 1920, duration=[1700, 400, 400, 400] * 16,
    ...              pitch=[40, 60, 64, 67] * 16 + bar % 3 * 5, velocity=[80] * 64, track=[0] * 64)
    >>> find_bars(song)[:2]
    (FoundBar(tick=120, quarters=4), FoundBar(tick=2040, quarters=4))
    """
    quarter = score.ticks_per_quarter
    best: tuple[float, int, list[int]] = -np.inf, 4, []
    for first, start, middle, rules in _ways(score):
        for rule in rules:
            value, begins = _cut(start, middle, rule)
            if value > best[0]:
                best = value, rule.usual, [first + begin * quarter for begin in begins]
    _, usual, ticks = best
    if ticks and _is_played(score):
        begin = round(downbeat(score, usual, 4) * quarter)
        ticks = list(range(begin, score.end + usual * quarter, usual * quarter))
    return tuple(FoundBar(tick, (later - tick) // quarter) for tick, later in pairwise(ticks) if 0 <= tick < score.end)


def found_meters(score: Score) -> tuple[Meter, ...]:
    """Return the meters of the bars that `find_bars` gives; the file's own where nothing better is heard.

    Bars of 4 are 4/4, or 2/4 where the file is in that; bars of 3 are 3/4, or 6/8 where notes gather on dotted
    quarters. The file's own bars stay where others are better by less than a small
    margin, where its meter changes on the way, and where they are of a kind that cannot be found (as 7/8). What comes
    before the first bar is a partial bar.

    >>> bar = np.repeat(np.arange(16), 4)
    >>> song = Score(onset=[120, 600, 1080, 1560] * 16 + bar * 1920, duration=[1700, 400, 400, 400] * 16,
    ...              pitch=[40, 60, 64, 67] * 16 + bar % 3 * 5, velocity=[80] * 64, track=[0] * 64)
    >>> found_meters(song)
    (Meter(tick=0, numerator=4, denominator=4), Meter(tick=120, numerator=4, denominator=4))
    """
    bars = () if _is_believed(score) else find_bars(score)
    if not bars:
        return score.meters
    triple = sum(bar.quarters == 3 for bar in bars) * 2 > len(bars)
    halves = not triple and first_meter(score)[1:] == (2, 4)
    compound = triple and _is_compound(score)
    out: list[Meter] = []
    for bar in bars:
        quarters = 2 if bar.quarters == 4 and halves else bar.quarters
        meter = Meter(bar.tick, *((6, 8) if quarters == 3 and compound else (quarters, 4)))
        if not out or out[-1][1:] != meter[1:]:
            out.append(meter)
    return (Meter(0, *out[0][1:]), *out) if out[0].tick else tuple(out)


def meter_view(score: Score, late: float = 0.0) -> tuple[FloatArray, int]:
    """Return float64[beats, 12], what is heard on every beat in means of the piece, and the tick of the first beat.

    The columns: the longest note; the longest of the lowest, and of the highest; the lowest where it is low; how low
    it is; how many notes begin; the loudest; whether the half beat before is empty; whether the bass is new; how new
    the harmony is against 1, 2 and 4 beats before. No beats where there are too few notes. The first tick may lie
    before the start of the piece. `late`: all of it so many beats later.

    >>> meter_view(Score())[0].shape
    (0, 12)
    """
    tick, beat = first_meter(score).tick, score.ticks_per_quarter
    notes = np.flatnonzero(_is_heard(score) & (score.onset < tick + _MOST_BEATS * beat))
    if len(notes) < _FEWEST_NOTES:
        return np.zeros((0, 12)), 0
    onset, length = (score.onset[notes] - tick) / beat, np.minimum(score.duration[notes] / beat, _LONGEST)
    place = beat_phase(onset, length) + late
    begin = min(0, int(np.floor(onset[0] - place + 0.5)))
    view = _view(onset - place - begin, length, score.pitch[notes].astype(np.int64),
                 score.velocity[notes].astype(np.float64))
    return view, tick + round((place + begin) * beat)


def worth(view: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return what it is worth (float64[beats] each) that a bar begins on a beat, and that its middle is there."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(view, ((REACH, REACH), (0, 0))), 2 * REACH + 1, axis=0)
    return np.einsum("bcw,cw->b", around, STARTS / 1000), np.einsum("bcw,cw->b", around, MIDDLES / 1000)


def _view(onset: FloatArray, length: FloatArray, pitch: IndexArray, loud: FloatArray) -> FloatArray:
    """`meter_view` of notes whose onsets and lengths are in beats, the first beat at 0."""
    beats = int(np.ceil(onset.max())) + 2
    nearest = np.floor(onset + 0.5).astype(np.int64)
    near = (np.abs(onset - nearest) < _NEAR) & (nearest >= 0)
    beat, lasts, high = nearest[near], length[near], pitch[near]

    def most(where: IndexArray, what: FloatArray) -> FloatArray:
        out = np.zeros(beats)
        np.maximum.at(out, where, what)
        return out

    lowest, highest = np.full(beats, 128), np.full(beats, -1)
    np.minimum.at(lowest, beat, high)
    np.maximum.at(highest, beat, high)
    low, top = high == lowest[beat], high == highest[beat]
    bass, depth = most(beat[low], lasts[low]), np.clip((72 - lowest) / 36, 0, 1)
    count = np.bincount(beat, minlength=beats)
    halves = np.bincount(np.floor((onset + _NEAR) * 2).astype(np.int64).clip(0), minlength=2 * beats)
    rested = (np.append(0, halves[1:2 * beats - 1:2]) == 0) & (count > 0)
    last = np.maximum.accumulate(np.where(count > 0, np.arange(beats), -1))
    before = np.append(-1, last[:-1])
    fresh = (count > 0) & (np.where(before >= 0, lowest[before], -1) != lowest)

    first = np.floor(onset + _NEAR).astype(np.int64).clip(0, beats - 1)        # beats in which each note sounds
    after = np.ceil(onset + length - _NEAR).astype(np.int64).clip(first + 1, beats)
    edges = np.bincount(first * 12 + pitch % 12, minlength=12 * (beats + 1)).astype(np.float64)
    edges -= np.bincount(after * 12 + pitch % 12, minlength=12 * (beats + 1))
    sounding = np.sqrt(np.cumsum(edges.reshape(-1, 12), axis=0)[:-1].clip(0))

    columns = [most(beat, lasts), bass, most(beat[top], lasts[top]), bass * depth, depth, count,
               most(beat, loud[near]), rested, fresh, *(_novelty(sounding, width) for width in (1, 2, 4))]
    view = np.stack([np.asarray(column, np.float64) for column in columns], axis=1)
    return np.asarray(np.minimum(view / np.maximum(view.mean(axis=0), 1e-9), _MOST))


def _novelty(sounding: FloatArray, width: int) -> FloatArray:
    """How little (1 − cosine) the `width` beats from each one on sound like as many before it; 0 beside silence."""
    total = np.cumsum(np.pad(sounding, ((1, 0), (0, 0))), axis=0)
    here = np.arange(len(sounding))
    before = total[here] - total[(here - width).clip(0)]
    after = total[(here + width).clip(None, len(sounding))] - total[here]
    size = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return np.asarray(1 - np.divide((before * after).sum(axis=1), size, out=np.ones(len(size)), where=size > 0))


def _cut(start: FloatArray, middle: FloatArray, rule: Rule) -> tuple[float, list[int]]:
    """The best way to cut beats into bars by a rule: what it is worth, and where its bars begin and the last ends."""
    usual = rule.usual
    lengths = [(usual, 0.0), *rule.others.items()]
    starts, middles = start.tolist(), middle.tolist()
    best: list[float] = []
    taken: list[int] = []
    for beat, here in enumerate(starts):
        most, length = (0.0, 0) if beat < LATEST else (-np.inf, 0)
        for quarters, cost in lengths:
            if quarters <= beat:
                gain = best[beat - quarters] - cost + (middles[beat - 2] if quarters == 4 else 0.0)
                if gain > most:
                    most, length = gain, quarters
        best.append(most + here)
        taken.append(length)
    beat = max(range(max(0, len(starts) - usual), len(starts)), key=lambda b: best[b])
    value, begins = best[beat] - rule.cost, [beat + usual, beat]
    while taken[beat]:
        beat -= taken[beat]
        begins.append(beat)
    while begins[-1] >= usual:
        begins.append(begins[-1] - usual)
    return value, begins[::-1]


def _is_believed(score: Score) -> bool:
    """Whether the file's own bars stay: they change on the way, cannot be found, or no others are much better."""
    meters = {meter[1:] for meter in score.meters if meter.tick >= first_meter(score).tick}
    if min(numerator for numerator, _ in meters) == 1:      # which no musician hears as bars
        return False
    if len(meters) > 1:
        return True
    lengths = np.diff(score.bar_starts) / score.ticks_per_quarter
    usual = float(np.median(lengths)) if len(lengths) else 0.0
    if usual not in _KNOWN:
        return True
    free = bound = -np.inf
    for first, start, middle, rules in _ways(score):
        own = (score.bar_starts - first) / score.ticks_per_quarter
        own = own[(own == np.floor(own)) & (own >= 0) & (own < len(start))].astype(np.int64)
        fine = np.full(len(start), _NEVER)
        fine[own] = 0
        for rule in rules:
            free = max(free, _cut(start, middle, rule)[0])
            bound = max(bound, _cut(start - fine, middle, rule)[0])
    return free == -np.inf or free - bound < _DOUBT


def _ways(score: Score) -> Iterator[tuple[int, FloatArray, FloatArray, tuple[Rule, ...]]]:
    """The tick of the first beat, the worth of each, and the rules by which they may be cut, for each set of beats."""
    for late, rules in ((0.0, RULES), (0.5, RULES[1:] if _is_compound(score) else ())):
        view, first = meter_view(score, late)
        if len(view) and rules:
            yield first, *worth(view), rules


def _is_compound(score: Score) -> bool:
    """Whether the notes gather on dotted quarters more than on quarters."""
    heard = _is_heard(score)
    turns = score.onset[heard] / score.ticks_per_quarter
    weight = np.minimum(score.duration[heard] / score.ticks_per_quarter, _LONGEST)
    dotted, plain = (abs((weight * np.exp(2j * np.pi * turns / beat)).sum()) for beat in (1.5, 1.0))
    return bool(dotted > plain)


def _is_played(score: Score) -> bool:
    """Whether the notes stand beside every grid of the quarter, whatever bars the file says."""
    few = score.end <= MAX_BARS * 4 * score.ticks_per_quarter
    return few and is_performed(score.replace(meters=(Meter(0, 4, 4),)))


def _is_heard(score: Score) -> npt.NDArray[np.bool_]:
    """bool[notes]: which are no drums."""
    drum = np.array([track.is_drum for track in score.tracks] or [False])
    return np.asarray(~drum[score.track])
