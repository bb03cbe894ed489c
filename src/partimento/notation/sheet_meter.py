"""How a meter is built: groups, beats and what they divide into, and how strong each place of a bar is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property, lru_cache

from partimento.features import beats

WEAKEST = 12


class Pulse:
    """The build of one meter in ticks: `bar`, `beat`, and the places of `groups` (strongest inside the bar).

    In compound meters (`compound`) a beat has three parts. `strict` places (between unequal groups, and the beats of
    a compound meter) may be crossed only from beat to beat.

    >>> pulse = Pulse(6, 8, 480)
    >>> pulse.beat, [pulse.strength(tick) for tick in (0, 240, 480, 720, 1440)]
    (720, [0, 3, 3, 2, 0])
    """

    def __init__(self, numerator: int, denominator: int, ticks_per_quarter: int,
                 groups: tuple[int, ...] | None = None) -> None:
        self.bar = numerator * 4 * ticks_per_quarter // denominator
        self.quarter = ticks_per_quarter
        unit = max(1, 4 * ticks_per_quarter // denominator)
        self.compound = numerator % 3 == 0 and numerator > 3 and denominator >= 4
        self.irregular = False
        self.groups: tuple[int, ...] = ()
        if self.compound:
            count = numerator // 3 if denominator == 4 else beats(numerator, denominator)
            self.beat, self.part = unit * 3, unit
            self.groups = (self.bar // 2,) if count % 2 == 0 and count > 2 else ()
        elif groups or numerator in (5, 7) or numerator > 8:
            self.irregular = True
            sizes = groups or groupings(numerator)[0]
            self.beat = self.part = unit
            edges, at = [], 0
            for size in sizes[:-1]:
                at += size * unit
                edges.append(at)
            self.groups = tuple(edges)
        else:
            self.beat, self.part = unit, unit // 2
            self.groups = (self.bar // 2,) if numerator in (4, 8) else ()

    @cached_property
    def edges(self) -> tuple[int, ...]:
        """Where groups begin, then the end of the bar."""
        return (0, *self.groups, self.bar)

    def strength(self, tick: int) -> int:
        """0 for the bar line, 1 for a group, 2 for a beat, more for what is weaker."""
        if tick % self.bar == 0:
            return 0
        if tick in self.groups:
            return 1
        if tick % self.beat == 0:
            return 2
        rest, level, unit = tick % self.beat, 3, self.part
        if unit == self.beat:
            unit //= 2
        while level < WEAKEST and unit:
            if rest % unit == 0:
                return level
            level, unit = level + 1, unit // 2
        return WEAKEST

    def unit(self, strength: int) -> int:
        """Ticks between places of that strength or more."""
        if strength <= 1:
            return self.bar // 2 if self.groups and not self.irregular else self.bar
        if strength == 2:
            return self.beat
        first = self.beat // 2 if self.part == self.beat else self.part
        return max(1, first >> (strength - 3))

    def is_strict(self, strength: int) -> bool:
        """Whether places of that strength may be crossed only by notes that begin and end on such places."""
        return (self.irregular and strength <= 1) or (self.compound and strength == 2)

    def strongest_inside(self, start: int, stop: int) -> tuple[int, int]:
        """The first of the strongest places strictly inside, and its strength; WEAKEST where nothing is inside."""
        for edge in (self.bar, *self.groups):
            if start < edge < stop:
                return edge, 0 if edge == self.bar else 1
        level, unit = 2, self.beat
        while level < WEAKEST and unit:
            at = (start // unit + 1) * unit
            if at < stop:
                return at, level
            level += 1
            unit = self.unit(level)
        return stop, WEAKEST

    def children(self, start: int, stop: int) -> list[int]:
        """Where the span of a bar, group, beat or part of one divides, ends included."""
        if (start, stop) == (0, self.bar) and self.groups:
            return list(self.edges)
        length = stop - start
        if length > self.beat and length % self.beat == 0:
            return list(range(start, stop + 1, self.beat))
        if length == self.beat and self.part * 3 == self.beat:
            return [start, start + self.part, start + 2 * self.part, stop]
        return [start, start + length // 2, stop] if length % 2 == 0 else [start, stop]


@lru_cache(maxsize=256)
def pulse_of(numerator: int, denominator: int, ticks_per_quarter: int,
             groups: tuple[int, ...] | None = None) -> Pulse:
    """Return the build of a meter, made once."""
    return Pulse(numerator, denominator, ticks_per_quarter, groups)


def groupings(numerator: int) -> list[tuple[int, ...]]:
    """Return the ways to group the units of an irregular bar in twos and threes (fours and threes from 10 on).

    >>> groupings(5), groupings(7)
    ([(3, 2), (2, 3)], [(2, 2, 3), (3, 2, 2), (2, 3, 2)])
    """
    if numerator == 5:
        return [(3, 2), (2, 3)]
    if numerator == 7:
        return [(2, 2, 3), (3, 2, 2), (2, 3, 2)]
    threes, twos = numerator // 3, {0: 0, 1: 2, 2: 1}[numerator % 3]
    threes -= numerator % 3 == 1
    return [(3,) * threes + (2,) * twos, (2,) * twos + (3,) * threes]


def grouping_heard(numerator: int, denominator: int, ticks_per_quarter: int,
                   places: Iterable[int]) -> tuple[int, ...] | None:
    """Return the grouping at whose edges most notes begin (`places` in the bar), or None for a regular meter."""
    if numerator not in (5, 7) and (numerator <= 8 or numerator % 3 == 0):
        return None
    unit = max(1, 4 * ticks_per_quarter // denominator)
    struck = Counter(places)

    def heard(sizes: tuple[int, ...]) -> float:
        edges = [sum(sizes[:i]) * unit for i in range(1, len(sizes))]
        return sum(struck[edge] for edge in edges) / len(edges)

    return max(groupings(numerator), key=heard)
