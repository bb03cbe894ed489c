"""Faults of part-writing: fifths and octaves in parallel, leading tones that go nowhere."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from partimento import theory
from partimento.judge.faults.heard import Heard, IntColumn, PartLine
from partimento.judge.finding import Finding
from partimento.score import BoolArray

MOST_LINES = 12
NEAR = 8               # moves before and after, in which is sought whether one part doubles the other: it does
DOUBLES = 0.4          # with so much of them at this interval,
ALSO = 1               # with more other moves at it than so many,
IN_A_ROW = {7: 2, 0: 1}            # or with more in a row than so many
GAP = 4                # a rest longer than a quarter over this parts a line
SLURRED = 16           # a note that ends within a quarter over this of a moment ends there
HEARD = 16             # what begins within a quarter over this begins at once
FEWEST_BARS = 32       # over which a rate is taken, in shorter pieces
_WORDS = {7: ("parallel_fifths", "fifths"), 0: ("parallel_octaves", "octaves")}


def parallel_fifths(heard: Heard) -> list[Finding]:
    """Pairs of voices that move from one perfect fifth to another in the same direction.

    Voices are parts of one note at a time. Where the interval is frequent around, one doubles the other: no fault.
    The measure is the number in a hundred bars of the piece.
    """
    return _parallels(heard, 7)


def parallel_octaves(heard: Heard) -> list[Finding]:
    """Pairs of voices that move in parallel octaves; as `parallel_fifths`. Voices that meet on one pitch are one."""
    return _parallels(heard, 0)


def _parallels(heard: Heard, interval: int) -> list[Finding]:
    lines = sorted((line for line in heard.lines if line.whole), key=lambda line: -len(line.notes))[:MOST_LINES]
    found = [hit for one, two in combinations(lines, 2) for hit in _between(heard, one, two, interval)]
    kind, word = _WORDS[interval]
    return [heard.finding(kind, one.track, int(heard.onset[notes[0]]), int(heard.onset[notes[2]]) + 1,
                          f"{word} in parallel with {_other(heard, one, two)}", in_a_hundred(heard, len(found)),
                          "in a hundred bars", notes) for one, two, notes in found]


def in_a_hundred(heard: Heard, count: int) -> float:
    """How many in a hundred bars; a piece of fewer than 32 bars counts as one of 32."""
    return 100 * count / max(heard.n_bars, FEWEST_BARS)


def _other(heard: Heard, one: PartLine, two: PartLine) -> str:
    return "another voice" if one.track == two.track else heard.names[two.track]


def _between(heard: Heard, one: PartLine, two: PartLine, interval: int) -> list[tuple[PartLine, PartLine, list[int]]]:
    """The parallels between two lines: the lines and the four notes."""
    _, at, to = np.intersect1d(heard.onset[one.notes], heard.onset[two.notes], assume_unique=True, return_indices=True)
    if len(at) < 2:
        return []
    a, b = one.notes[at], two.notes[to]
    step, other = np.diff(heard.pitch[a]), np.diff(heard.pitch[b])
    apart = heard.pitch[a] - heard.pitch[b]
    wanted = np.abs(apart) % 12 == interval
    gap = heard.score.ticks_per_quarter // GAP
    joined = (np.diff(at) == 1) & (np.diff(to) == 1)
    joined &= np.maximum(heard.onset[a[1:]] - heard.offset[a[:-1]], heard.onset[b[1:]] - heard.offset[b[:-1]]) <= gap
    keeps = wanted[1:] & wanted[:-1] & (step != 0)
    hit = joined & keeps & (np.sign(step) == np.sign(other)) & (np.maximum(np.abs(step), np.abs(other)) <= 12)
    hit &= np.sign(apart[1:]) * np.sign(apart[:-1]) > 0
    i = np.flatnonzero(hit)
    low, high = np.maximum(i - NEAR, 0), np.minimum(i + 2 + NEAR, len(wanted))
    sums, moves = np.append(0, np.cumsum(wanted)), np.append(0, np.cumsum(keeps))
    share = (sums[high] - sums[low] - 2) / np.maximum(high - low - 2, 1)
    begin, end = _run(keeps, i)
    others = moves[np.minimum(high - 1, len(keeps))] - moves[low] - (end - begin)
    return [(one, two, [int(a[k]), int(b[k]), int(a[k + 1]), int(b[k + 1])])
            for k in i[(share < DOUBLES) & (others <= ALSO) & (end - begin <= IN_A_ROW[interval])].tolist()]


def _run(mask: BoolArray, at: IntColumn) -> tuple[IntColumn, IntColumn]:
    """Where the runs of True begin and end in which these places lie."""
    off = np.flatnonzero(~mask)
    after = np.searchsorted(off, at)
    edges = np.concatenate([[-1], off, [len(mask)]])
    return np.asarray(edges[after] + 1), np.asarray(edges[after + 1])


def leading_tones(heard: Heard) -> list[Finding]:
    """Cadences in which the leading tone in the highest voice does not go up to the tonic.

    A cadence is where the bass goes from the fifth degree to the first of the key heard there and all that sounds then
    is of the tonic triad. The tonic may come within a quarter, in any voice at that height. The measure is the number
    in a hundred bars of the piece.
    """
    keep = np.flatnonzero(heard.tones)
    if not heard.keys or not len(keep):
        return []
    onset, offset, pitch = heard.onset[keep], heard.offset[keep], heard.pitch[keep]
    first = np.flatnonzero(np.append(True, np.diff(onset) > 0))
    moments, low = onset[first], np.minimum.reduceat(pitch, first)
    begins = np.array([tick for tick, _ in heard.keys], np.int64)
    tonics = np.array([key.tonic for _, key in heard.keys], np.int64)
    tonic = tonics[np.maximum(np.searchsorted(begins, moments - 1, side="right") - 1, 0)]
    quarter = heard.score.ticks_per_quarter
    hits = []
    for here in np.flatnonzero(low % 12 == tonic).tolist():
        tick = int(moments[here])
        reach = 4 * heard.score.full_bar_ticks(tick)
        part = slice(int(np.searchsorted(onset, tick - reach)), int(np.searchsorted(onset, tick + quarter, "right")))
        top = _unresolved(onset[part] - tick, offset[part] - tick, pitch[part], int(tonic[here]), quarter)
        if top is not None:
            hits.append((tick, int(keep[part][top]), int(tonic[here])))
    return [heard.finding("leading_tone", int(heard.track[note]), int(heard.onset[note]), tick + 1,
                          f"the leading tone {theory.pitch_name(int(heard.pitch[note]))} does not go to the tonic",
                          in_a_hundred(heard, len(hits)), "in a hundred bars", [note]) for tick, note, _ in hits]


def _unresolved(onset: IntColumn, offset: IntColumn, pitch: IntColumn, tonic: int, quarter: int) -> int | None:
    """The leading tone that is left hanging at moment 0 (its index), if this is a cadence and it is left so."""
    before = np.flatnonzero((onset < 0) & (offset >= -quarter // SLURRED))
    if not len(before):
        return None
    top = int(before[np.argmax(pitch[before])])
    bass = int(pitch[before].min())
    held = (onset < 0) & (offset > quarter // SLURRED)
    if pitch[top] % 12 != (tonic + 11) % 12 or bass % 12 != (tonic + 7) % 12 or held[top]:
        return None
    now = pitch[held | ((onset >= 0) & (onset <= quarter // HEARD))]
    triad = [(tonic + step) % 12 for step in (0, 3, 4, 7)]
    resolved = bool((pitch[onset >= 0] == pitch[top] + 1).any())
    return None if resolved or now.min() % 12 != tonic or not np.isin(now % 12, triad).all() else top
