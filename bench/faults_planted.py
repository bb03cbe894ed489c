"""Faults planted in pieces at a known place, each as a musician would call it, and the usual spreads of human pieces.

    PARTIMENTO_DATA=/data python bench/faults_planted.py          # prints the spreads that judge/faults/table.py has

A plant is a function of a Score and a generator: the Score with one fault, and the first and last tick of it; None
where the piece has no place for it. It looks at notes, signatures and meters only, never at what the finders hear.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from faults_places import (
    TRIES,
    USUAL,
    Ints,
    Plant,
    Planted,
    Random,
    bar_of,
    changed,
    drawn,
    lines,
    pieces,
    signature,
    stretch,
    tuned,
)

from partimento import theory
from partimento.score import Score

KEYBOARDS = {*range(8), *range(16, 24)}
GUITARS = set(range(24, 32))


# --- the plants --------------------------------------------------------------------------------------------------


@drawn
def off_harmony(score: Score, random: Random) -> Planted | None:
    """Four bars of a part moved by a semitone or a tritone, whichever has fewest pitch classes of the others there.

    All parts sound for half of each of those bars at least; four notes in ten of the part then sound with the others at
    most.
    """
    place = stretch(score, random, 4, 1)
    own_track = int(random.integers(len(score.tracks)))
    if place is None or score.tracks[own_track].is_drum:
        return None
    begin, end = place
    inside = tuned(score) & (score.onset >= begin) & (score.onset < end)
    mine, others = inside & (score.track == own_track), inside & (score.track != own_track)
    edges = np.linspace(begin, end, 5).astype(np.int64)
    for a, b in pairwise(edges.tolist()):
        for notes in (mine, others):
            own = notes & (score.onset >= a) & (score.onset < b)
            if score.duration[own].sum() < (b - a) / 2:
                return None
    if mine.sum() < 8:
        return None
    bar = bar_of(score)
    there = {(int(b), int(p) % 12) for b, p in zip(bar[others], score.pitch[others], strict=True)}

    def fitting(by: int) -> float:
        fit = [(int(b), (int(p) + by) % 12) in there for b, p in zip(bar[mine], score.pitch[mine], strict=True)]
        return float(np.average(fit, weights=score.duration[mine]))

    by = min((1, -1, 6), key=fitting)
    if fitting(by) > 0.4:
        return None
    return score.replace(pitch=np.where(mine, score.pitch + by, score.pitch).clip(0, 127)), begin, end


@drawn
def leading_tone(score: Score, random: Random) -> Planted | None:
    """At a cadence of the written key, bass from the fifth degree to the first, the top goes from the seventh up a
    fourth or more to the third in place of the tonic."""
    keep = np.flatnonzero(tuned(score))
    ticks = np.unique(score.onset[keep])
    quarter = score.ticks_per_quarter
    for tick in random.permutation(ticks[1:])[:60].tolist():
        key = signature(score, tick - 1)
        before = keep[(score.onset[keep] < tick) & (score.offset[keep] >= tick)]
        now = keep[(score.onset[keep] <= tick) & (score.offset[keep] > tick)]
        if key is None or not len(before) or not len(now):
            continue
        top, high = before[np.argmax(score.pitch[before])], now[np.argmax(score.pitch[now])]
        low, bass = before[np.argmin(score.pitch[before])], now[np.argmin(score.pitch[now])]
        third = 3 if key.mode == "minor" else 4
        degrees = (score.pitch[[top, low, bass]] - key.tonic) % 12
        triad = {(key.tonic + step) % 12 for step in (0, third, 7)}
        resolves = bass != high and score.pitch[high] == score.pitch[top] + 1 and score.onset[high] == tick
        if (not resolves or degrees.tolist() != [11, 7, 0] or score.offset[top] > tick
                or not {int(p) % 12 for p in score.pitch[now]} <= triad):
            continue
        soon = keep[(score.onset[keep] >= tick) & (score.onset[keep] <= tick + quarter)]
        if (score.pitch[soon] == score.pitch[high]).sum() > 1:
            continue
        pitch = score.pitch.copy()
        pitch[high] += third
        return score.replace(pitch=pitch), int(score.onset[top]), int(tick) + 1
    return None


def _parallel(interval: int) -> Plant:
    @drawn
    def plant(score: Score, random: Random) -> Planted | None:
        found = lines(score)
        if len(found) < 2:
            return None
        one, two = (found[i] for i in random.choice(len(found), 2, replace=False))
        _, at, to = np.intersect1d(score.onset[one], score.onset[two], return_indices=True)
        if len(at) < 4:
            return None
        i = int(random.integers(len(at) - 1))
        if at[i + 1] != at[i] + 1 or to[i + 1] != to[i] + 1:
            return None
        high, low = one[at[i:i + 2]], two[to[i:i + 2]]
        around = slice(max(0, i - 1), i + 3)
        apart = (score.pitch[one[at[around]]].astype(np.int64) - score.pitch[two[to[around]]]) % 12
        move = int(score.pitch[low[1]]) - int(score.pitch[low[0]])
        touching = score.offset[high[0]] == score.onset[high[1]] and score.offset[low[0]] == score.onset[low[1]]
        if (not touching or not 1 <= abs(move) <= 7 or score.pitch[high[0]] <= score.pitch[low[0]]
                or (apart == interval).any()):
            return None
        up = interval + 12 * max(0 if interval else 1,
                                 round((int(score.pitch[high].mean()) - int(score.pitch[low].mean()) - interval) / 12))
        pitch = score.pitch.copy()
        if (pitch[high] == pitch[low] + up).all():
            return None
        pitch[high] = pitch[low] + up
        if pitch.max() > 127:
            return None
        return score.replace(pitch=pitch), int(score.onset[high[0]]), int(score.onset[high[1]]) + 1

    return plant


@drawn
def span(score: Score, random: Random) -> Planted | None:
    """A chord at a keyboard of three notes, each two octaves above the next."""
    return _chord(score, random, KEYBOARDS, lambda pitch: [24 + pitch % 12 + 24 * k for k in range(3)])


@drawn
def frets(score: Score, random: Random) -> Planted | None:
    """A chord at a guitar of three notes that all lie on its lowest string alone."""
    return _chord(score, random, GUITARS, lambda pitch: [40, 41, 43])


def _chord(score: Score, random: Random, programs: set[int], chord: Callable[[int], list[int]]) -> Planted | None:
    """A note of an instrument, drawn, and all that begins with it there replaced by a chord."""
    own = np.flatnonzero(tuned(score) & np.isin([score.tracks[t].program in programs for t in score.track], [True]))
    if not len(own):
        return None
    row = score.notes()[int(random.choice(own))].astype(np.int64)
    rows = np.array([[row[0], row[1], pitch, row[3], row[4]] for pitch in chord(int(row[2]))])
    keep = (score.onset != row[0]) | (score.track != row[4])
    return changed(score, rows, keep), int(row[0]), int(row[0]) + 1


@drawn
def out_of_range(score: Score, random: Random) -> Planted | None:
    """A bar of a part moved by octaves until all of it lies at least four semitones outside of the instrument."""
    place, track = stretch(score, random, 1), int(random.integers(len(score.tracks)))
    if place is None or score.tracks[track].is_drum:
        return None
    mine = tuned(score) & (score.track == track) & (score.onset >= place[0]) & (score.onset < place[1])
    if not mine.any():
        return None
    low, high = theory.instrument_range(score.tracks[track].program)
    own = score.pitch[mine].astype(np.int64)
    up = own + 12 * -(-(max(high, 88) + 4 - int(own.min())) // 12)
    down = own - 12 * -(-(int(own.max()) - min(low, 36) + 4) // 12)
    moved = up if up.max() <= 127 else down if down.min() >= 0 else None
    if moved is None:
        return None
    pitch = score.pitch.copy()
    pitch[mine] = moved
    return score.replace(pitch=pitch), int(score.onset[mine].min()), place[1]


@drawn
def speed(score: Score, random: Random) -> Planted | None:
    """A bar of a part, a second long or more, in place of which a scale runs at 32 notes a second."""
    place, track = stretch(score, random, 1), int(random.integers(len(score.tracks)))
    if place is None or score.tracks[track].is_drum:
        return None
    mine = tuned(score) & (score.track == track) & (score.onset >= place[0]) & (score.onset < place[1])
    seconds = float(np.diff(score.seconds(np.array(place)))[0])
    count = int(seconds * 32)
    if not mine.any() or not 32 <= count <= (place[1] - place[0]) // 2:
        return None
    onset = place[0] + (np.arange(count) * (place[1] - place[0]) // count)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2])
    pitch = (int(np.median(score.pitch[mine])) - 6 + scale[np.arange(count) % 14]).clip(0, 127)
    length = np.diff(np.append(onset, place[1]))
    rows = np.stack([onset, length, pitch, np.full(count, 80), np.full(count, track)], axis=1)
    return changed(score, rows, ~mine), *place


@drawn
def leaps(score: Score, random: Random) -> Planted | None:
    """Nine notes after one another of a part of one note at a time, of which each second one goes up two octaves."""
    found = [line for line in lines(score)
             if len(line) > 16 and score.tracks[score.track[line[0]]].program not in KEYBOARDS]
    if not found:
        return None
    line = found[int(random.integers(len(found)))]
    first = int(random.integers(len(line) - 9))
    notes = line[first:first + 9]
    gaps = score.seconds(score.onset[notes[1:]]) - score.seconds(score.offset[notes[:-1]])
    if gaps.max() > 0.25 or score.pitch[notes].max() > 103:
        return None
    pitch = score.pitch.copy()
    pitch[notes[1::2]] += 24
    return score.replace(pitch=pitch), int(score.onset[notes[0]]), int(score.offset[notes[-1]])


def frozen_rhythm(score: Score, random: Random) -> Planted | None:
    """Sixteen bars with the rhythm of the first of them in every part; the pitches of each bar stay, in their order."""
    return _rewritten(score, random, 16, _in_first_rhythm)


def repeated(score: Score, random: Random) -> Planted | None:
    """Twelve bars of which each is the first of them again."""
    return _rewritten(score, random, 12, lambda score, notes, first, random: first)


def unrelated(score: Score, random: Random) -> Planted | None:
    """Twenty-four bars of which every note goes to another place of its bar and another pitch, a sixth away at most."""
    return _rewritten(score, random, 24, _drawn_anew)


def _rewritten(score: Score, random: Random, bars: int,
               write: Callable[[Score, Ints, Ints, Random], Ints]) -> Planted | None:
    """Some bars each written anew, with notes as rows whose onsets count from the bar line."""
    for _ in range(TRIES):
        place = stretch(score, random, bars, 2)
        if place is None:
            continue
        table, bar = score.notes().astype(np.int64), bar_of(score)
        begin, end = place
        lines_ = score.bar_starts[(score.bar_starts >= begin) & (score.bar_starts < end)].astype(np.int64)
        first = table[(bar == np.searchsorted(score.bar_starts[:-1], begin)) & tuned(score)]
        if len(first) < 4:
            continue
        first = first - np.array([begin, 0, 0, 0, 0])
        rows = []
        for line in lines_:
            own = table[(bar == np.searchsorted(score.bar_starts[:-1], line)) & tuned(score)]
            new = write(score, own - np.array([line, 0, 0, 0, 0]), first, random)
            rows.append(new + np.array([line, 0, 0, 0, 0]))
        keep = (score.onset < begin) | (score.onset >= end)
        new_rows = np.concatenate(rows)
        new_rows[:, 1] = np.minimum(new_rows[:, 1], score.end - new_rows[:, 0])
        return changed(score, new_rows, keep), begin, end
    return None


def _in_first_rhythm(score: Score, notes: Ints, first: Ints, random: Random) -> Ints:
    """The notes of `first` with the pitches of the bar, part by part; a part that is silent there takes its own."""
    out = first.copy()
    for track in np.unique(first[:, 4]):
        own, mine = notes[notes[:, 4] == track], np.flatnonzero(first[:, 4] == track)
        if len(own):
            out[mine, 2] = own[np.arange(len(mine)) % len(own), 2]
    return out


def _drawn_anew(score: Score, notes: Ints, first: Ints, random: Random) -> Ints:
    out = notes.copy()
    if len(out):
        sixteenth = max(1, score.ticks_per_quarter // 4)
        last = max(1, int(np.diff(score.bar_starts).max()) // sixteenth)
        out[:, 0] = random.integers(last, size=len(out)) * sixteenth
        out[:, 2] = (out[:, 2] + random.integers(1, 10, len(out)) * random.choice([-1, 1], len(out))).clip(0, 127)
    return out


@drawn
def density(score: Score, random: Random) -> Planted | None:
    """A bar with five times the notes of the fullest of the eight bars before and after."""
    place = stretch(score, random, 1, 2)
    if place is None:
        return None
    bar = bar_of(score)
    here = int(np.searchsorted(score.bar_starts[:-1], place[0]))
    count = np.bincount(bar, minlength=score.n_bars)
    most = int(count[max(0, here - 8):here + 9].max())
    mine = tuned(score) & (bar == here)
    if mine.sum() < 2 or most * 5 > (place[1] - place[0]):
        return None
    table = score.notes()[mine].astype(np.int64)
    number = -(-5 * most // len(table))
    step = max(1, (place[1] - place[0]) // number)
    rows = np.concatenate([np.stack([np.full(len(table), place[0] + k * step), np.full(len(table), step), table[:, 2],
                                     table[:, 3], table[:, 4]], axis=1) for k in range(number)])
    rows = rows[rows[:, 0] < place[1]]
    return changed(score, np.unique(rows, axis=0), ~mine), *place


@drawn
def silence(score: Score, random: Random) -> Planted | None:
    """Three bars in which every part falls silent."""
    place = stretch(score, random, 3, 1)
    if place is None:
        return None
    begin, end = place
    stay = (score.onset < begin) | (score.onset >= end)
    if stay.all() or not (stay & (score.onset < begin)).any() or not (stay & (score.onset >= end)).any():
        return None
    kept = score.select(stay)
    early = kept.onset < begin
    return kept.replace(duration=np.where(early, np.minimum(kept.duration, begin - kept.onset), kept.duration)), *place


def ending(score: Score, random: Random) -> Planted | None:
    """The last bar of a piece that ends on the tonic of its signature in the bass, moved by a tone or a fourth."""
    keep = tuned(score)
    if not keep.any():
        return None
    key = score.key_at(score.end)
    end = int(score.offset[keep].max())
    last = keep & (score.offset > end - score.ticks_per_quarter)
    if key is None:
        return None
    homes = {theory.from_fifths(key.fifths, mode).tonic for mode in ("major", "minor")}
    bass = int(score.pitch[last].min()) % 12
    if bass not in homes or (key.mode in ("major", "minor")
                             and bass != theory.from_fifths(key.fifths, key.mode).tonic):
        return None
    first = int(score.bar_starts[np.searchsorted(score.bar_starts, end) - 1])
    moved = keep & ((score.onset >= first) | last)
    by = int(random.choice([-2, 2, 5]))
    return score.replace(pitch=np.where(moved, score.pitch + by, score.pitch).clip(0, 127)), first, score.end


def empty_end(score: Score, random: Random) -> Planted | None:
    """Two silent bars after the last, in which something sounds."""
    if int(score.offset.max()) <= int(score.bar_starts[-2]):
        return None
    end = int(score.bar_starts[-2]) + score.full_bar_ticks(int(score.bar_starts[-2]))
    last = max(end, score.end)
    more = last + 2 * score.full_bar_ticks(last)
    return score.replace(end=more), last, more


@drawn
def broken_off(score: Score, random: Random) -> Planted | None:
    """A piece cut after a note off the beat, an eighth long at most, with no tonic of the signature in the bass."""
    keep = np.flatnonzero(tuned(score))
    quarter = score.ticks_per_quarter
    later = keep[score.onset[keep] > score.end // 2]
    if not len(later):
        return None
    note = int(random.choice(later))
    bar = int(score.bar_starts[np.searchsorted(score.bar_starts, score.onset[note], side="right") - 1])
    place, unit = int(score.onset[note]) - bar, 4 * quarter // score.meter_at(bar).denominator
    end = int(score.offset[note])
    key = signature(score, bar)
    if key is None or place % unit == 0 or score.duration[note] * 2 > quarter or unit * 8 < quarter:
        return None
    if score.meter_at(bar).denominator >= 8 and place % (unit * 3) != unit:
        return None
    stay = score.onset <= score.onset[note]
    sounding = keep[(score.onset[keep] <= score.onset[note]) & (score.offset[keep] > score.onset[note])]
    if int(score.pitch[sounding].min()) % 12 == key.tonic:
        return None
    cut = score.select(stay)
    marks = tuple(mark for mark in score.marks if mark.tick <= end)
    return cut.replace(duration=np.minimum(cut.duration, end - cut.onset), end=end, marks=marks), int(
        score.onset[note]), end


@drawn
def stuck(score: Score, random: Random) -> Planted | None:
    """A note that sounds on for eight bars while its part goes on."""
    place = stretch(score, random, 8)
    if place is None:
        return None
    keep = np.flatnonzero(tuned(score) & (score.onset >= place[0]) & (
        score.onset < place[0] + score.full_bar_ticks(place[0])))
    if not len(keep):
        return None
    note = int(random.choice(keep))
    goes_on = (score.track == score.track[note]) & (score.onset > place[0]) & (score.onset < place[1])
    end = min(int(score.onset[note]) + place[1] - place[0], score.end)
    if goes_on.sum() < 8:
        return None
    duration = score.duration.copy()
    duration[note] = end - score.onset[note]
    return score.replace(duration=duration), int(score.onset[note]), end


@drawn
def overlap(score: Score, random: Random) -> Planted | None:
    """A note of a quarter or longer struck again halfway, both sounding on together for half a quarter or more."""
    keep = np.flatnonzero(tuned(score) & (score.duration >= score.ticks_per_quarter))
    if not len(keep):
        return None
    note = int(random.choice(keep))
    row = score.notes()[note].astype(np.int64)
    half = int(row[1]) // 2
    rows = np.array([row, [row[0] + half, row[1] - half, *row[2:]]])
    return changed(score, rows, np.arange(len(score)) != note, note), int(row[0]), int(row[0] + row[1])


@drawn
def clash(score: Score, random: Random) -> Planted | None:
    """Two parts that begin a note together, for a quarter and a half or longer: one goes a semitone above the other."""
    keep = np.flatnonzero(tuned(score) & (2 * score.duration >= 3 * score.ticks_per_quarter))
    if not len(keep):
        return None
    note = int(random.choice(keep))
    others = keep[(score.onset[keep] == score.onset[note]) & (score.track[keep] != score.track[note])]
    if not len(others):
        return None
    other = int(random.choice(others))
    pitch = score.pitch.copy()
    if pitch[other] >= 127:
        return None
    pitch[note] = pitch[other] + 1
    end = min(int(score.offset[note]), int(score.offset[other]))
    return score.replace(pitch=pitch), int(score.onset[note]), end


PLANTS: dict[str, Plant] = {
    "off_harmony": off_harmony, "leading_tone": leading_tone, "parallel_fifths": _parallel(7),
    "parallel_octaves": _parallel(0), "span": span, "frets": frets, "range": out_of_range, "speed": speed,
    "leaps": leaps, "frozen_rhythm": frozen_rhythm, "repeated": repeated, "unrelated": unrelated,
    "density": density, "silence": silence, "ending": ending, "empty_end": empty_end, "broken_off": broken_off,
    "stuck": stuck, "overlap": overlap, "clash": clash}


if __name__ == "__main__":
    from partimento.judge.faults import spreads

    ours = [score for _, score in pieces(0, USUAL)]
    print(f"{len(ours)} pieces")
    for kind, (least, most) in spreads(ours).items():
        print(f"{kind:18} {least:.2f} {most:.2f}")
