"""Accompaniment: figures of chords by style, as tables of data, over voicings that move as little as they can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any, NamedTuple

from partimento.models.rules.form import BeatBar
from partimento.models.rules.melody import bar_tick, in_thirds
from partimento.models.rules.plan import RomanChord
from partimento.models.rules.sketch import Sketch, Written, rules_table, velocity_at

FAR = 60.0              # what a voicing costs that lies outside the range
RESTING = ("PAC", "IAC", "HC", "PC")        # cadences at which an accompaniment rests
UNDER = 2.0             # that it goes below all other parts
HANGING = 2.0           # that its top leaves a leading tone hanging
IN_PARALLEL = 3.0       # that its top or lowest note goes in fifths or octaves with an outer line of the other parts


class FigureEvent(NamedTuple):
    """One event of a figure: first tick and end, and its tones in the letters of the table."""

    start: int
    end: int
    tones: str


class Register(NamedTuple):
    """Where a part plays its chords: lowest and highest pitch, the middle, how many voices, and where its bass lies."""

    low: int
    high: int
    middle: int
    voices: int
    bass_low: int
    bass_high: int


def _hangs(before: int, here: int, dominant: RomanChord, tonic: RomanChord) -> bool:
    """Whether a leading tone on top does not rise where its dominant goes home."""
    led = dominant.function == "D" and tonic.function == "T" and before % 12 == (dominant.tonic + 11) % 12
    return led and here != before + 1


def bar_events(bar: BeatBar, figure: Mapping[str, Any]) -> list[FigureEvent]:
    """Return the events of a figure in one bar, put together of what the table has for 4, 3, 2 or 1 beats.

    >>> [e.tones for e in bar_events(BeatBar(0, 1440, ((0, 480), (480, 480), (960, 480))), {"1": [[0, 1, "B"]]})]
    ['B', 'B', 'B']
    """
    out: list[FigureEvent] = []
    at, beats = 0, len(bar.beats)
    while at < beats:
        stop = next((k for k in range(at, beats) if bar.in_threes(k)), beats) if "c" in figure else beats
        left = stop - at
        if not left:
            size, rows = 1, figure["c"]
        else:
            size = left if str(left) in figure and left <= 4 else next(
                n for n in (3, 2, 4, 1) if n <= left and str(n) in figure)
            rows = figure[str(size)]
        for place, length, tones in rows:
            start, end = (in_thirds(bar, at, one) for one in (place, min(place + length, size)))
            start_tick, end_tick = bar_tick(bar, at + start), bar_tick(bar, at + end)
            if end_tick > start_tick:
                out.append(FigureEvent(start_tick, end_tick, tones))
        at += size
    return sorted(out)


def resting(events: Sequence[FigureEvent], bar: BeatBar) -> list[FigureEvent]:
    """Return the events of a bar in which a phrase closes: from the middle beat on the figure holds what it struck.

    >>> four = BeatBar(0, 1920, ((0, 480), (480, 480), (960, 480), (1440, 480)))
    >>> [e[:2] for e in resting([FigureEvent(480 * k, 480 * k + 480, "*") for k in range(4)], four)]
    [(0, 480), (480, 960), (960, 1920)]
    """
    middle = bar.beats[len(bar.beats) // 2][0]
    reached = [event.start for event in events if event.start <= middle]
    if not reached or len(bar.beats) < 2:
        return list(events)
    last = max(reached)
    return [e._replace(end=bar.end) if e.start == last else e for e in events if e.start <= last]


def voicings(sketch: Sketch, harmonies: Sequence[RomanChord], register: Register, track: int,
             rootless: bool) -> list[tuple[int, ...]]:
    """Return a close voicing of each harmony, lowest pitch first: the way through them that moves least.

    They stay under what leads, near the middle of the register. `rootless`: another part has the bass.
    """
    if not harmonies:
        return []
    options = [_options(h, register, rootless) for h in harmonies]
    others = [sketch.pitches_of_others(track, h.start, h.end) for h in harmonies]
    lines = [sketch.struck_by_others(track, h.start) for h in harmonies]
    costs: list[list[float]] = []
    back: list[list[int]] = []
    for k, found in enumerate(options):
        own = [_own_cost(v, register, others[k]) for v in found]
        if k == 0:
            costs.append(own)
            back.append([0] * len(found))
            continue
        row, came = [], []
        for voicing, cost in zip(found, own, strict=True):
            moves = [costs[-1][i] + _move(before, voicing) + _in_parallel(before, voicing, lines[k - 1], lines[k])
                     + HANGING * _hangs(before[-1], voicing[-1], harmonies[k - 1], harmonies[k])
                     for i, before in enumerate(options[k - 1])]
            best = min(range(len(moves)), key=moves.__getitem__)
            row.append(moves[best] + cost)
            came.append(best)
        costs.append(row)
        back.append(came)
    choice = min(range(len(costs[-1])), key=costs[-1].__getitem__)
    out: list[tuple[int, ...]] = []
    for k in range(len(options) - 1, -1, -1):
        out.append(options[k][choice])
        choice = back[k][choice]
    return out[::-1]


def _options(harmony: RomanChord, register: Register, rootless: bool) -> list[tuple[int, ...]]:
    """Every close position of the chord's tones (of four tones and three voices the fifth or the root stays away, of a
    chord with a ninth both)."""
    tones = list(dict.fromkeys(harmony.pitches))
    if len(tones) > max(register.voices, 4):
        tones.pop(2)
        rootless = True
    while len(tones) > register.voices:
        tones.remove(tones[0] if rootless and len(tones) > 3 else tones[2] if len(tones) > 2 else tones[-1])
    sets = [tones] if len(tones) >= 2 else [[*tones, (tones[0] + 7) % 12]]
    found: list[tuple[int, ...]] = []
    for own in sets:
        for lowest in range(max(register.low - 7, 0), register.high - 2):
            if lowest % 12 not in own:
                continue
            pitches = sorted(lowest + (tone - lowest) % 12 for tone in own)
            found.append(tuple(pitches))
    return found or [tuple(sorted(register.middle + (tone - register.middle) % 12 for tone in tones))]


def _own_cost(voicing: Sequence[int], register: Register, others: frozenset[int]) -> float:
    cost = 0.12 * abs(sum(voicing) / len(voicing) - register.middle)
    cost += FAR * (voicing[0] < register.low) + FAR * (voicing[-1] > register.high)
    cost += 2.5 * sum(b - a == 1 for a, b in pairwise(voicing))
    cost += 1.5 * sum(b - a <= 2 and a < 48 for a, b in pairwise(voicing))
    if others and max(others) > register.middle:
        cost += 0.8 * max(voicing[-1] - max(others) + 1, 0)
    cost += UNDER * bool(others and voicing[0] < min(others))
    return cost + 6.0 * sum(p - 1 in others or p + 1 in others for p in voicing)


def _move(before: Sequence[int], here: Sequence[int]) -> float:
    if len(before) == len(here):
        steps = [b - a for a, b in zip(before, here, strict=True)]
        cost = sum(0.25 * abs(s) + 0.6 * max(abs(s) - 4, 0) for s in steps)
        pairs = combinations(range(len(here)), 2)
        return cost + 1.5 * sum((before[j] - before[i]) % 12 in (0, 7) and (here[j] - here[i]) % 12
                                == (before[j] - before[i]) % 12 and steps[i] == steps[j] != 0 for i, j in pairs)
    return 0.4 * (abs(before[0] - here[0]) + abs(before[-1] - here[-1]))


def _in_parallel(before: Sequence[int], here: Sequence[int], last: Mapping[tuple[int, int], int],
                 now: Mapping[tuple[int, int], int]) -> float:
    """What it costs that an outer note of a voicing goes with a line of the other parts from one perfect interval to
    the same one. `last` and `now`: the pitch of each line where the harmonies begin."""
    cost = 0.0
    for name, pitch in now.items():
        if name in last and last[name] != pitch:
            for place in (0, -1):
                apart = (here[place] - pitch) % 12
                same = apart in (0, 7) and (before[place] - last[name]) % 12 in (apart, (-apart) % 12)
                cost += IN_PARALLEL * (same and (here[place] - before[place]) * (pitch - last[name]) > 0)
    return cost


def write_figure(sketch: Sketch, track: int, figures: Mapping[str, str], register: Register,
                 where: Sequence[tuple[int, int]], *, rootless: bool, role: float = 0.86) -> list[Written]:
    """Return the notes of an accompanying part in the stretches `where` (ticks), a figure for every section's label.

    The last bar of a closed piece holds its chord. `role` is how loud it is beside the lead.
    """
    table = rules_table("figures")["chords"]
    harmonies = sketch.harmonies
    found = voicings(sketch, harmonies, register, track, rootless)
    chords = dict(zip([h.start for h in harmonies], found, strict=True))
    basses = _basses(harmonies, register)
    rows: list[Written] = []
    for number, bar in enumerate(sketch.bars):
        if not any(a < bar.end and b > bar.start for a, b in where) or not bar.beats:
            continue
        phrase = sketch.phrases[sketch.phrase_at(number)]
        label = phrase.label.rstrip("'")[:1]
        name = figures.get(label + ("2" if phrase.repeats >= 0 else ""), figures.get(label, figures[""]))
        has_bass = any("B" in row[2] for rows_of_it in table[name].values() for row in rows_of_it)
        broken = any(row[2] in "123" for rows_of_it in table[name].values() for row in rows_of_it)
        final = sketch.closed and number == len(sketch.bars) - 1
        events = [FigureEvent(bar.start, bar.end, "*" if rootless else "B*")] if final else bar_events(bar, table[name])
        if not final and phrase.bars > 2 and phrase.cadence in RESTING and number == phrase.first_bar + phrase.bars - 1:
            events = resting(events, bar)
        grounded = -1
        for event in events:
            for start, end in _pieces(sketch, event):
                harmony = sketch.harmony_at(start)
                wanted = event.tones if start == event.start else event.tones.replace("o", "")
                if has_bass and not rootless and "B" not in wanted and harmony.start != grounded:
                    wanted = "B" if end - start <= bar.beats[0][1] else "B*"
                if "B" in wanted:
                    grounded = harmony.start
                if rootless:        # another part has the bass: a broken figure goes on with the chord, others rest
                    wanted = "2" if broken and wanted == "B" else "".join(s for s in wanted if s not in "Bfo")
                for pitch in _tones(wanted, chords[harmony.start], basses[harmony.start], register):
                    if any(a <= start < b for a, b in where):
                        loud = velocity_at(sketch, start, sketch.style["loud"], role)
                        rows.append((start, end - start, pitch, loud, track))
    return _apart(sketch, track, _joined(rows), chords)


def _apart(sketch: Sketch, track: int, rows: Sequence[Written],
           chords: Mapping[int, tuple[int, ...]]) -> list[Written]:
    """The notes of a broken figure with another chord tone for each that goes in parallel with a line of the others."""
    groups: dict[int, list[Written]] = {}
    for row in rows:
        groups.setdefault(row[0], []).append(row)
    last, was = -1, -1
    for onset in sorted(groups):
        own = groups[onset]
        pitch = own[0][2] if len(own) == 1 else -1
        if pitch >= 0 and was >= 0:
            before, now = sketch.struck_by_others(track, last), sketch.struck_by_others(track, onset)
            if _in_parallel((was,), (pitch,), before, now):
                found = [p for p in chords[sketch.harmony_at(onset).start] if p != pitch
                         and not _in_parallel((was,), (p,), before, now)]
                pitch = min(found, key=lambda p: (abs(p - pitch), p), default=pitch)
                groups[onset] = [(*own[0][:2], pitch, *own[0][3:])]
        last, was = onset, pitch
    return _joined([row for onset in sorted(groups) for row in groups[onset]])


def _pieces(sketch: Sketch, event: FigureEvent) -> list[tuple[int, int]]:
    """An event cut where the harmony changes; what is left of it is struck again only where it lasts."""
    out: list[tuple[int, int]] = []
    start = event.start
    while start < event.end:
        end = min(event.end, max(sketch.harmony_at(start).end, start + 1))
        if out and end - start < sketch.around.ticks_per_quarter // 2:
            break
        out.append((start, end))
        start = end
    return out


def _basses(harmonies: Sequence[RomanChord], register: Register) -> dict[int, int]:
    """The bass pitch of every harmony, the octave nearest to the one before."""
    out: dict[int, int] = {}
    last = (register.bass_low + register.bass_high) // 2
    for harmony in harmonies:
        near = [p for p in range(register.bass_low, register.bass_high + 1) if p % 12 == harmony.bass]
        near = near or [register.bass_low + (harmony.bass - register.bass_low) % 12]
        last = min(near, key=lambda p: (abs(p - last) + 0.3 * abs(p - (register.bass_low + register.bass_high) / 2), p))
        out[harmony.start] = last
    return out


def _tones(tones: str, chord: Sequence[int], bass: int, register: Register) -> list[int]:
    """The pitches that the letters of a figure mean over a voicing and a bass."""
    found: set[int] = set()
    for sign in tones:
        if sign == "*":
            found.update(chord)
        elif sign in "123456789":
            found.add(chord[min(int(sign), len(chord)) - 1])
        elif sign == "B":
            found.add(bass)
        elif sign == "o":
            found.add(bass - 12 if bass - 12 >= max(register.bass_low - 8, 21) else bass)
        elif sign == "f":
            fifth = min((p for p in (bass - 5, bass + 7) if p >= register.bass_low - 3), default=bass,
                        key=lambda p: p)
            found.add(fifth if any(p % 12 == fifth % 12 for p in chord) else bass)
    return sorted(found)


def _joined(rows: Sequence[Written]) -> list[Written]:
    """The notes with none that is struck twice at once, and each ending where its pitch comes again."""
    ahead: dict[int, int] = {}
    out: list[Written] = []
    for onset, duration, pitch, velocity, track in sorted(set(rows), key=lambda r: (-r[0], r[2], -r[1])):
        if ahead.get(pitch) == onset:
            continue
        stop = ahead.get(pitch, onset + duration)
        out.append((onset, max(min(duration, stop - onset), 1), pitch, velocity, track))
        ahead[pitch] = onset
    return sorted(out)
