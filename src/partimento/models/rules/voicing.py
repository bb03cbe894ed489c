"""Voices for a chain of harmonies, solved exactly: every row of the table of part-writing counts, the best page wins.

Every chord has its candidate voicings, all that the ranges allow; two in a row cost what the rules of
``tables/voice_leading.json`` say. The cheapest way through is found by dynamic programming. Where candidates are many,
those are dropped that cannot be on the best way: a way found by a narrow search costs U; a candidate whose own cost,
with the least that the outer voices must cost before and after it, is above U is on no way as cheap, for what the inner
voices add is never less than 0. So the optimum is never lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from partimento.errors import ModelError
from partimento.models.rules.leading import (
    FloatArray,
    IndexArray,
    Moment,
    Table,
    VoicePart,
    chord_costs,
    chord_sum,
    moments_of,
    step_costs,
    step_sum,
    voice_leading_table,
)
from partimento.models.rules.plan import RomanChord

__all__ = ["Speaks", "VoicePart", "page_cost", "reasons", "voice", "voice_leading_table"]

Kept = Mapping[int, Sequence[tuple[int, int]]]

MOST_VOICES = 6
BEAM = 100               # voicings a chord that the narrow search keeps
MANY = 400               # candidates a chord from which on a bound is sought
MOST = 40_000            # candidates a chord that are ever looked at


def voice(harmonies: Sequence[RomanChord], parts: Sequence[VoicePart], kept: Kept | None = None,
          table: Table | None = None, rng: np.random.Generator | None = None, variety: float = 0.6) -> IndexArray:
    """Return the cheapest voices for a chain of harmonies: pitches int64[T, voices], the highest voice first.

    `parts` are 2 to 6 voices from the highest to the lowest; `kept` gives, for a voice by its index, the (first, last)
    pitch in each slot of a line that stands, −1 where it is silent and the voice free. With `rng` every candidate's own
    cost gets up to `variety` added by chance, so that other seeds find other good pages. ModelError where there are
    other numbers of parts, or none of the pitches of a chord lies in a part.

    >>> from partimento.models.rules.plan import roman_chord
    >>> four = [VoicePart(str(low), low, low + 19) for low in (60, 55, 48, 41)]
    >>> voice([roman_chord(0, 1, 0, "major", "V7"), roman_chord(1, 2, 0, "major", "I")], four)[:, 3].tolist()
    [55, 48]
    """
    rules = voice_leading_table() if table is None else table
    if not 2 <= len(parts) <= MOST_VOICES:
        raise ModelError(f"a page of voices must have 2 to {MOST_VOICES} parts; got {len(parts)}")
    moments = moments_of(harmonies, len(parts), kept or {})
    if not moments:
        return np.zeros((0, len(parts)), np.int64)
    choices = [_candidates(moment, parts) for moment in moments]
    own = [chord_sum(chord_costs(moment, found, parts, rules), len(found)) for moment, found in
           zip(moments, choices, strict=True)]
    if rng is not None:
        own = [cost + variety * rng.random(len(cost)) for cost in own]
    if max(map(len, choices)) <= MANY:
        return _cheapest(moments, choices, own, rules)[0]
    upper, forward, backward = _bounds(moments, choices, own, rules)
    held = [cost + before + after <= upper for cost, before, after in zip(own, forward, backward, strict=True)]
    choices = [rows[keep] for rows, keep in zip(choices, held, strict=True)]
    own, backward = ([cost[keep] for cost, keep in zip(costs, held, strict=True)] for costs in (own, backward))
    return _cheapest(moments, choices, own, rules, upper, backward)[0]


def page_cost(harmonies: Sequence[RomanChord], pitches: IndexArray, parts: Sequence[VoicePart],
              kept: Kept | None = None, table: Table | None = None) -> float:
    """Return what a whole voiced page costs by the rules; 0 is a page that breaks none and never moves."""
    rules = voice_leading_table() if table is None else table
    moments = moments_of(harmonies, len(parts), kept or {})
    rows = np.asarray(pitches, np.int64)
    total = sum(float(chord_sum(chord_costs(m, rows[t:t + 1], parts, rules), 1)[0]) for t, m in enumerate(moments))
    for t in range(1, len(moments)):
        total += float(step_sum(moments[t - 1], moments[t], rows[t - 1:t], rows[t:t + 1], rules)[0, 0])
    return total


class Speaks(NamedTuple):
    """A rule that a note breaks or bears on: its name, its sentence, and what it costs there."""

    name: str
    rule: str
    cost: float


def reasons(harmonies: Sequence[RomanChord], pitches: IndexArray, slot: int, part: int, parts: Sequence[VoicePart],
            kept: Kept | None = None,
            table: Table | None = None) -> tuple[list[Speaks], list[tuple[int, float, list[Speaks]]]]:
    """Return what the rules say of one note of a voiced page, and of what else could stand there.

    First the rules that cost something as it stands, dearest first; then the other tones of the chord in that part's
    range as (pitch, how much dearer the page would be, the rules that would cost more), the nearest rival first. All
    other notes stay as they are.
    """
    rules = voice_leading_table() if table is None else table
    moments = moments_of(harmonies, len(parts), kept or {})
    rows = np.asarray(pitches, np.int64)
    moment, here = moments[slot], rows[slot]
    tones = [p for p in range(parts[part].low, parts[part].high + 1) if p % 12 in moment.harmony.pitches]
    tried = [int(here[part]), *(p for p in tones if p != here[part])]
    tables = [_sayings(moments, rows, slot, np.where(np.arange(len(here)) == part, p, here), parts, rules)
              for p in tried]
    sentence = {name: row["rule"] for name, row in rules["rules"].items()}
    now = [Speaks(name, sentence[name], cost) for name, cost in sorted(tables[0].items(), key=lambda c: -c[1]) if cost]
    rivals = []
    for pitch, said in zip(tried[1:], tables[1:], strict=True):
        more = {name: cost - tables[0].get(name, 0.0) for name, cost in said.items()}
        worse = [Speaks(name, sentence[name], cost) for name, cost in sorted(more.items(), key=lambda c: -c[1])
                 if cost > 1e-9]
        rivals.append((pitch, sum(said.values()) - sum(tables[0].values()), worse))
    return now, sorted(rivals, key=lambda rival: rival[1])


def _sayings(moments: Sequence[Moment], rows: IndexArray, slot: int, chord: IndexArray, parts: Sequence[VoicePart],
             rules: Table) -> dict[str, float]:
    """What each rule costs around one chord of a page, if it were this."""
    one = chord[None, :]
    found: dict[str, float] = {}
    said = list(chord_costs(moments[slot], one, parts, rules))
    if slot:
        said += list(step_costs(moments[slot - 1], moments[slot], rows[slot - 1:slot], one, rules))
    if slot + 1 < len(rows):
        said += list(step_costs(moments[slot], moments[slot + 1], one, rows[slot + 1:slot + 2], rules))
    for name, cost in said:
        found[name] = found.get(name, 0.0) + float(cost.reshape(-1)[0])
    return found


# --- the way through ----------------------------------------------------------------------------------------------


def _cheapest(moments: Sequence[Moment], choices: Sequence[IndexArray], own: Sequence[FloatArray], rules: Table,
              upper: float = np.inf, after: Sequence[FloatArray] = ()) -> tuple[IndexArray, float]:
    """The cheapest page and its cost (dynamic programming over all candidates).

    With a bound, a candidate is left as soon as the cheapest way to it and the least that comes `after` it are above.
    """
    best = own[0]
    back: list[IndexArray] = []
    held = [np.arange(len(choices[0]))]
    for t in range(1, len(moments)):
        if after:
            keep = best + after[t - 1][held[-1]] <= upper
            best, held[-1] = best[keep], held[-1][keep]
            back = [*back[:-1], back[-1][keep]] if back else back
        came = np.empty(len(choices[t]), np.int64)
        cost = np.empty(len(choices[t]))
        before = choices[t - 1][held[-1]]
        size = max(1, 200_000 // len(before))
        for begin in range(0, len(choices[t]), size):
            part = slice(begin, begin + size)
            sums = step_sum(moments[t - 1], moments[t], before, choices[t][part], rules)
            sums += best[:, None]
            came[part] = sums.argmin(axis=0)
            cost[part] = sums[came[part], np.arange(sums.shape[1])]
        back.append(came)
        held.append(np.arange(len(choices[t])))
        best = cost + own[t]
    at = int(best.argmin())
    total, path = float(best[at]), [at]
    for came in reversed(back):
        path.append(int(came[path[-1]]))
    rows = [found[keep[i]] for found, keep, i in zip(choices, held, path[::-1], strict=True)]
    return np.stack(rows), total


def _bounds(moments: Sequence[Moment], choices: Sequence[IndexArray], own: Sequence[FloatArray],
            rules: Table) -> tuple[float, list[FloatArray], list[FloatArray]]:
    """What a good page costs, and the least that a page must cost before and after each candidate."""
    few = [np.sort(np.argsort(cost, kind="stable")[:BEAM]) for cost in own]
    some = [found[keep] for found, keep in zip(choices, few, strict=True)]
    _, upper = _cheapest(moments, some, [cost[keep] for cost, keep in zip(own, few, strict=True)], rules)
    outer = [_outer_rows(found) for found in choices]
    forward, backward = _outer_least(moments, outer, own, rules)
    return (upper + 1e-6, [low[one.group] for low, one in zip(forward, outer, strict=True)],
            [low[one.group] for low, one in zip(backward, outer, strict=True)])


class _Outer(NamedTuple):
    """The pairs of outer voices of the candidates (int64[g, 2]) and which of them each candidate has."""

    pairs: IndexArray
    group: IndexArray


def _outer_rows(rows: IndexArray) -> _Outer:
    pairs, group = np.unique(rows[:, [0, -1]], axis=0, return_inverse=True)
    return _Outer(pairs, group.reshape(-1))


def _outer_least(moments: Sequence[Moment], outer: Sequence[_Outer], own: Sequence[FloatArray],
                 rules: Table) -> tuple[list[FloatArray], list[FloatArray]]:
    """The least that a page can cost before and after each pair of outer voices: the outer voices' rules alone."""
    least = [np.full(len(one.pairs), np.inf) for one in outer]
    for low, one, cost in zip(least, outer, own, strict=True):
        np.minimum.at(low, one.group, cost)
    two = [moment._replace(first=(moment.first[0], moment.first[-1]), last=(moment.last[0], moment.last[-1]))
           for moment in moments]
    steps = []
    for t in range(1, len(moments)):
        step = np.zeros((len(outer[t - 1].pairs), len(outer[t].pairs)))
        for name, cost in step_costs(two[t - 1], two[t], outer[t - 1].pairs, outer[t].pairs, rules):
            if name != "overlap":                    # a rule of neighbours, which the outer voices are not
                step += cost
        steps.append(step)
    forward, backward = [np.zeros(len(least[0]))], [np.zeros(len(least[-1]))]
    for t, step in enumerate(steps, 1):
        forward.append((forward[-1][:, None] + least[t - 1][:, None] + step).min(axis=0))
    for t in reversed(range(len(steps))):
        backward.append((steps[t] + least[t + 1][None, :] + backward[-1][None, :]).min(axis=1))
    return forward, backward[::-1]


def _candidates(moment: Moment, parts: Sequence[VoicePart]) -> IndexArray:
    """int64[n, voices]: every voicing that the ranges allow, without crossings where that leaves any."""
    tones = np.isin(np.arange(128) % 12, moment.harmony.pitches)
    bass = np.arange(128) % 12 == moment.harmony.bass
    options = []
    for v, part in enumerate(parts):
        if moment.first[v] >= 0:
            options.append(np.array([moment.first[v]]))
            continue
        span = np.zeros(128, bool)
        span[max(part.low, 0):part.high + 1] = True
        lowest = v == len(parts) - 1
        found = np.flatnonzero(span & (bass if lowest else tones))
        if not len(found):
            found = np.flatnonzero(span & (bass | tones))
        if not len(found):
            raise ModelError(f"part {part.name!r} must have room for a tone of every chord; its range {part.low} to "
                             f"{part.high} has none of {moment.harmony.degree}: widen it")
        options.append(found)
    rows = options[0][:, None]
    for option in options[1:]:
        left = np.repeat(rows, len(option), axis=0)
        right = np.tile(option, len(rows))
        gap = left[:, -1] - right
        upper = left.shape[1] < len(parts) - 1
        fit = (gap >= 0) & ((gap <= 12) | (not upper))
        if not fit.any():
            fit = gap >= 0
        if not fit.any():
            fit = np.ones(len(gap), bool)
        rows = np.concatenate([left, right[:, None]], axis=1)[fit]
        if len(rows) > MOST:
            rows = rows[::len(rows) // MOST + 1]
    return rows.astype(np.int64)
