"""Light figuration of voiced chords: passing and neighbour notes and suspensions, none of which makes a parallel.

Every voice is a line of one pitch a slot; a figure changes what it does within one slot. Each that is tried is looked
at beside all other voices as they stand by then: where two attack together, they may not go from fifth to fifth or
from octave to octave, and no figure rubs a semitone against a neighbour or crosses one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.models.rules.plan import RomanChord, Slot, numeral

Line = list[tuple[int, int, int]]        # onset, end and pitch of its notes, in order of time
DISSONANT = (1, 2, 5, 10, 11)            # over the bass: what a suspension is (second, fourth, seventh, ninth)


class Figured(NamedTuple):
    """The lines of a voiced page, the highest first, and the figures in them as (slot, voice, kind)."""

    lines: list[Line]
    figures: tuple[tuple[int, int, str], ...]


def figured(slots: Sequence[Slot], harmonies: Sequence[RomanChord], pitches: npt.NDArray[np.int64],
            kept: Mapping[int, Line], chances: Mapping[str, float], rng: np.random.Generator | None,
            ranges: Sequence[tuple[int, int]]) -> Figured:
    """Return the lines of a page of one pitch a slot (int64[T, voices]) with figures added to all but the kept ones.

    `kept` are lines that stand as they are. `chances` says how likely each kind of figure is where it fits
    (``passing``, ``neighbour``, ``suspension``, each also with ``bass_`` before it); without `rng` every figure that
    fits with a chance of a half or more is made.
    """
    voices = pitches.shape[1]
    lines: list[Line] = []
    for v in range(voices):
        lines.append(list(kept[v]) if v in kept else
                     [(s.start, s.end, int(p)) for s, p in zip(slots, pitches[:, v], strict=True)])
    made: list[tuple[int, int, str]] = []
    free = [v for v in reversed(range(voices)) if v not in kept]
    for t in range(len(slots)):
        for v in free:
            figure = _figure(t, v, slots, harmonies, pitches, ranges[v], voices)
            for kind, changed in figure:
                name = ("bass_" if v == voices - 1 else "") + kind
                chance = chances.get(name, 0.0)
                wanted = float(rng.random()) < chance if rng is not None else chance >= 0.5
                if wanted and _try(lines, v, slots, t, kind, changed):
                    made.append((t, v, kind))
                    break
    return Figured(lines, tuple(made))


def _figure(t: int, v: int, slots: Sequence[Slot], harmonies: Sequence[RomanChord], pitches: npt.NDArray[np.int64],
            span: tuple[int, int], voices: int) -> list[tuple[str, int]]:
    """The figures that one voice could make in one slot: their kind and the new pitch."""
    slot, here = slots[t], int(pitches[t, v])
    out: list[tuple[str, int]] = []
    length = slot.end - slot.start
    open_before = t > 0 and not slot.arrival and not _parted(slots, t)
    if open_before and slot.accent >= 0.5 and slots[t - 1].end - slots[t - 1].start <= length:
        before = int(pitches[t - 1, v])
        others = [int(p) for u, p in enumerate(pitches[t]) if u != v]
        falls = before - here in (1, 2) and before % 12 not in harmonies[t].pitches
        if falls and here % 12 not in {p % 12 for p in others[:-1] or others} and v < voices - 1 \
                and (before - int(pitches[t, -1])) % 12 in DISSONANT:
            out.append(("suspension", before))
    if slot.arrival or t + 1 >= len(slots) or _parted(slots, t + 1):
        return out
    then = int(pitches[t + 1, v])
    step = then - here
    scale = _scale(harmonies[t], harmonies[t + 1], step > 0)
    if abs(step) in (3, 4):
        out += [("passing", p) for p in range(min(here, then) + 1, max(here, then))
                if p % 12 in scale and abs(p - here) <= 2 and abs(p - then) <= 2][:1]
    elif step == 0 and not slots[t + 1].arrival:
        near = [here - d for d in (1, 2) if (here - d) % 12 in scale][:1]
        near += [here + d for d in (1, 2) if (here + d) % 12 in scale][:1]
        out += [("neighbour", p) for p in near if span[0] <= p <= span[1]]
    said = numeral(harmonies[t].degree, harmonies[t].mode)
    leads = (said.leading + harmonies[t].tonic) % 12 if said.leading >= 0 else -1
    return [(kind, p) for kind, p in out if p % 12 != leads]           # a figure does not double the leading tone


def _parted(slots: Sequence[Slot], t: int) -> bool:
    """Whether a slot begins a phrase, or comes after a rest."""
    return slots[t - 1].phrase != slots[t].phrase or slots[t - 1].end != slots[t].start


def _scale(one: RomanChord, two: RomanChord, up: bool) -> set[int]:
    """The pitch classes through which a line passes from one harmony to the next."""
    if one.mode == "minor":
        steps = (0, 2, 3, 5, 7, 9, 11) if up else (0, 2, 3, 5, 7, 8, 10)
        if not up and (one.tonic + 11) % 12 in one.pitches:
            steps = (0, 2, 3, 5, 7, 8, 11)
    else:
        steps = (0, 2, 4, 5, 7, 9, 11)
    found = {(one.tonic + step) % 12 for step in steps}
    for altered in (set(one.pitches) | set(two.pitches)) - found:      # what a chord alters is altered in passing too
        found -= {(altered + 1) % 12, (altered - 1) % 12} - set(one.pitches)
        found.add(altered)
    return found


def _try(lines: list[Line], v: int, slots: Sequence[Slot], t: int, kind: str, pitch: int) -> bool:
    """Put a figure into a line if nothing speaks against it; whether it was put."""
    slot, line = slots[t], lines[v]
    i = bisect_left(line, (slot.start,))
    middle = (slot.start + slot.end) // 2
    if i == len(line) or line[i][:2] != (slot.start, slot.end) or slot.end - slot.start < 2:
        return False
    own = line[i]
    if kind == "suspension":                               # the note before is tied over, and falls in mid-slot
        before = line[i - 1]
        if before[2] != pitch or before[1] != slot.start:
            return False
        new = [*line[:i - 1], (before[0], middle, pitch), (middle, slot.end, own[2]), *line[i + 1:]]
    else:
        new = [*line[:i], (slot.start, middle, own[2]), (middle, slot.end, pitch), *line[i + 1:]]
    moving = sum(_at(other, middle, begins=True) is not None for u, other in enumerate(lines) if u != v)
    if moving > 1:
        return False
    begins = slot.start if kind == "suspension" else middle
    sounding = [(_at(other, begins), u) for u, other in enumerate(lines) if u != v]
    for there, u in sounding:
        if there is not None and (abs(there - pitch) in (0, 1, 13) or (u < v) != (there > pitch)):
            return False
    for u, other in enumerate(lines):
        if u != v and not _clean(new, other, slots, t):
            return False
    lines[v] = new
    return True


def _at(line: Line, tick: int, begins: bool = False) -> int | None:
    """The pitch that sounds in a line at a tick, or only one that `begins` there."""
    i = bisect_left(line, (tick + 1,)) - 1
    return line[i][2] if i >= 0 and tick < line[i][1] and not (begins and line[i][0] != tick) else None


def _clean(one: Line, two: Line, slots: Sequence[Slot], t: int) -> bool:
    """Whether two lines make no parallel around a slot: where both attack, and from beat to beat beside a figure."""
    low = slots[max(t - 1, 0)].start
    high = slots[min(t + 1, len(slots) - 1)].end
    a, b = ({note[0] for note in line[bisect_left(line, (low,)):bisect_left(line, (high,))]} for line in (one, two))
    for tick in sorted(a & b):
        now = _at(one, tick), _at(two, tick)
        before = _at(one, tick - 1), _at(two, tick - 1)
        if None in now or None in before:
            continue
        if _parallel(before, now):
            return False
    return True


def _parallel(before: Any, now: Any) -> bool:
    apart, then = abs(before[0] - before[1]) % 12, abs(now[0] - now[1]) % 12
    return bool(apart == then and apart in (0, 7) and before[0] != now[0] and before[1] != now[1])
