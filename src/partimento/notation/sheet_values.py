"""From ticks to note values: tuplets found, notes cut where the beat must be seen, rests more strictly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from partimento.notation.sheet_meter import WEAKEST, Pulse
from partimento.notation.sheet_page import NOTE_TYPES

FINEST = 64                            # the shortest value is 1/64 of a quarter, a 256th
MAX_TUPLET = 31
MAX_DOTS = 2
MAX_DIVISION = 32                      # the finest division of a beat to which what no values write is moved

# Length in 256ths of every value: name and dots.
_VALUES: dict[int, tuple[str, int]] = {}
for _place, _name in enumerate(NOTE_TYPES):
    for _dots in range(MAX_DOTS + 1):
        _length, _left = divmod((1 << (len(NOTE_TYPES) - 1 - _place)) * ((2 << _dots) - 1), 1 << _dots)
        if not _left:
            _VALUES[_length] = (_name, _dots)


class UnwritableError(Exception):
    """No note values give these ticks."""


class Span(NamedTuple):
    """What sounds, or is silent (`rest`), from `start` to `stop`, ticks from the beginning of the full bar."""

    start: int
    stop: int
    rest: bool


class ValuedPiece(NamedTuple):
    """A written chord or rest: a part of span number `span`, with its value and the tuplets it stands in.

    A tuplet is (its start, its stop, notes, in the time of), outermost first.
    """

    span: int
    start: int
    stop: int
    kind: str
    dots: int
    tuplets: tuple[tuple[int, int, int, int], ...] = ()


class _Region(NamedTuple):
    """A stretch of plain values (`actual` 1), or a tuplet with what is in it."""

    start: int
    stop: int
    actual: int
    normal: int
    inside: tuple[_Region, ...]
    cost: float


def value_of(ticks: int, ticks_per_quarter: int, actual: int = 1, normal: int = 1) -> tuple[str, int] | None:
    """Return the name and dots of the value that lasts so long in a tuplet of `actual` in the time of `normal`.

    >>> value_of(720, 480), value_of(160, 480, 3, 2), value_of(700, 480)
    (('quarter', 1), ('eighth', 0), None)
    """
    length, rest = divmod(ticks * actual * FINEST, normal * ticks_per_quarter)
    return None if rest else _VALUES.get(length)


@lru_cache(maxsize=1 << 14)
def note_values(spans: tuple[Span, ...], pulse: Pulse, start: int, stop: int) -> tuple[ValuedPiece, ...]:
    """Return the pieces that write `spans`, which fill a bar from `start` to `stop` (ticks of the full bar).

    UnwritableError where no note values do.

    >>> from partimento.notation.sheet_meter import pulse_of
    >>> spans = (Span(0, 720, False), Span(720, 1920, False))
    >>> [(piece.kind, piece.dots) for piece in note_values(spans, pulse_of(4, 4, 480), 0, 1920)]
    [('quarter', 1), ('eighth', 0), ('half', 0)]
    """
    return tuple(_Writer(spans, pulse, start, stop).pieces())


def on_values(spans: tuple[Span, ...], pulse: Pulse) -> tuple[Span, ...]:
    """Return the spans with every end that no values write on the nearest place that they do, beat by beat.

    A beat is divided as coarsely as its notes allow, by 2, 3, 4, ... up to 32; rests too short for that are gone.

    >>> from partimento.notation.sheet_meter import pulse_of
    >>> on_values((Span(0, 233, False), Span(233, 470, False), Span(470, 480, True)), pulse_of(1, 4, 480))
    (Span(start=0, stop=240, rest=False), Span(start=240, stop=480, rest=False), Span(start=480, stop=480, rest=True))
    """
    first, last = spans[0].start, spans[-1].stop
    moved: dict[int, int] = {first: first, last: last}
    for beat in range(first // pulse.beat * pulse.beat, last, pulse.beat):
        low, high = max(first, beat), min(last, beat + pulse.beat)
        inside = sorted({edge for span in spans for edge in span[:2] if low < edge < high})
        kept = [(max(span.start, low), min(span.stop, high)) for span in spans
                if not span.rest and span.start < high and span.stop > low]
        moved |= {low: low, high: high} | (_divided(inside, kept, beat, pulse.beat, low, high) if inside else {})
    out = tuple(Span(moved[span.start], moved[span.stop], span.rest) for span in spans)
    return out if all(span.start < span.stop or span.rest for span in out) else forced_apart(spans, pulse)


def _divided(inside: list[int], kept: list[tuple[int, int]], beat: int, length: int, low: int,
             high: int) -> dict[int, int]:
    """The edges inside a beat, moved to the coarsest division that has them all, or has them nearly and apart."""
    ways = [parts for parts in range(1, MAX_DIVISION + 1) if length % parts == 0]
    exact = next((parts for parts in ways if all((edge - beat) * parts % length == 0 for edge in inside)), None)
    if exact is not None:
        return {edge: edge for edge in inside}
    for parts in ways:
        step = length // parts
        to = {edge: min(max(beat + (2 * (edge - beat) + step) // (2 * step) * step, low), high) for edge in inside}
        near = max(abs(to[edge] - edge) for edge in inside) * 12 <= length
        if near and all(to.get(start, start) < to.get(stop, stop) for start, stop in kept):
            return to
    return {edge: edge for edge in inside}


def forced_apart(spans: tuple[Span, ...], pulse: Pulse) -> tuple[Span, ...]:
    """Return the spans on the coarsest binary grid, 32nds or finer, that has room for them all."""
    edges = [spans[0].start, *(span.stop for span in spans)]
    for parts in (8, 16, 32, FINEST):
        step = max(1, pulse.quarter // parts)
        base = edges[0]
        moved = [base, *(base + (2 * (edge - base) + step) // (2 * step) * step for edge in edges[1:-1]), edges[-1]]
        for i in range(1, len(moved) - 1):
            moved[i] = max(moved[i], moved[i - 1] + step)
        for i in range(len(moved) - 2, 0, -1):
            moved[i] = min(moved[i], moved[i + 1] - step)
        if all(a < b for a, b in pairwise(moved)):
            break
    return tuple(Span(a, max(a, b), span.rest) for (a, b), span in zip(pairwise(moved), spans, strict=True))


class _Writer:
    def __init__(self, spans: Sequence[Span], pulse: Pulse, start: int, stop: int) -> None:
        self.spans, self.pulse, self.start, self.stop = spans, pulse, start, stop
        self.edges = sorted({start, stop, *(s.start for s in spans), *(s.stop for s in spans)})

    def pieces(self) -> list[ValuedPiece]:
        out: list[ValuedPiece] = []
        for region in self._merged(self._regions()):
            if region.actual == 1:
                out += self._plain(region)
            else:
                out += self._tuplet(region, ())
        return out

    # --- where tuplets stand -------------------------------------------------------------------------------

    def _regions(self) -> list[_Region]:
        bar, found = self.pulse.bar, []
        for first in range(self.start // bar * bar, self.stop, bar):
            found += self._best(first, first + bar)[1]
        return found

    def _inner(self, start: int, stop: int) -> list[int]:
        return [edge for edge in self.edges if start < edge < stop]

    def _is_plain(self, start: int, stop: int) -> bool:
        return all((edge * FINEST) % self.pulse.quarter == 0 for edge in self._inner(start, stop))

    def _crossings(self, start: int, stop: int) -> int:
        return sum(span.start < stop and span.stop > start for span in self.spans)

    def _best(self, start: int, stop: int) -> tuple[float, list[_Region]]:
        """The cheapest way to write the span from `start` to `stop`, and what it costs: note heads and brackets."""
        low, high = max(start, self.start), min(stop, self.stop)
        if low >= high:
            return 0.0, []
        if self._is_plain(low, high):
            cost = float(self._crossings(low, high))
            return cost, [_Region(low, high, 1, 1, (), cost)]
        options: list[tuple[float, list[_Region]]] = []
        whole = self._as_tuplet(start, stop, plain=False) if (low, high) == (start, stop) else None
        if whole is not None:
            options.append((whole.cost, [whole]))
        edges = self.pulse.children(start, stop)
        if len(edges) > 2 and (stop - start) * 32 > self.pulse.quarter:
            options.append(self._divided(edges))
        if all(math.isinf(cost) for cost, _ in options):
            raise UnwritableError
        return min(options, key=lambda option: option[0])

    def _divided(self, edges: list[int]) -> tuple[float, list[_Region]]:
        """The cheapest row of spans between neighbouring `edges`, single ones or tuplets over two."""
        best: list[tuple[float, list[_Region]]] = [(0.0, [])]
        for i in range(1, len(edges)):
            ways: list[tuple[float, list[_Region]]] = []
            for back in (1, 2):
                if back > i or (back == 2 and (len(edges) < 4 or self.pulse.compound or self.pulse.irregular)):
                    continue
                before = best[i - back]
                if math.isinf(before[0]):
                    continue
                try:
                    if back == 1:
                        cost, regions = self._best(edges[i - 1], edges[i])
                    else:
                        pair = self._as_tuplet(edges[i - 2], edges[i], plain=False)
                        if pair is None or edges[i - 1] in self.edges:
                            continue
                        cost, regions = pair.cost, [pair]
                except UnwritableError:
                    continue
                ways.append((before[0] + cost, before[1] + regions))
            best.append(min(ways, key=lambda way: way[0]) if ways else (math.inf, []))
        return best[-1]

    def _as_tuplet(self, start: int, stop: int, plain: bool, scale: tuple[int, int] = (1, 1)) -> _Region | None:
        """The span as one tuplet, nested ones in its units, or None; `scale` is that of the tuplets around it."""
        length = stop - start
        if start < self.start or stop > self.stop:
            return None
        common = 1
        for edge in self._inner(start, stop):
            common = math.lcm(common, length // math.gcd(edge - start, length))
        odd = common // (common & -common)
        three = self._naturals(length, scale)
        if three is None:
            return None
        options = []
        for actual in range(3, min(odd, MAX_TUPLET) + 1, 2):
            if odd % actual or length % actual or (three == 3 and actual == 3):
                continue
            normal = three
            while normal * 2 < actual:
                normal *= 2
            region = self._tuplet_region(start, stop, actual, normal, scale)
            if region is not None:
                options.append(region)
        return min(options, key=lambda region: region.cost, default=None)

    def _naturals(self, length: int, scale: tuple[int, int]) -> int | None:
        """1 where the length is a plain value in its surroundings, 3 where it is a dotted one, else None."""
        found = value_of(length, self.pulse.quarter, *scale)
        if found is None or found[1] > 1:
            return None
        return 3 if found[1] else 1

    def _tuplet_region(self, start: int, stop: int, actual: int, normal: int,
                       scale: tuple[int, int]) -> _Region | None:
        unit = (stop - start) // actual
        inner = (scale[0] * actual, scale[1] * normal)
        nested: list[_Region] = []
        for first in range(start, stop, unit):
            if all(self._fits(edge - first, inner) for edge in self._inner(first, first + unit)):
                continue
            found = self._as_tuplet(first, first + unit, False, inner) if inner[0] == actual else None
            if found is None:
                return None
            nested.append(found)
        try:
            pieces = self._tuplet_pieces(_Region(start, stop, actual, normal, tuple(nested), 0.0), (), scale)
        except UnwritableError:
            return None
        even = len({piece.stop - piece.start for piece in pieces}) == 1 and len(pieces) % actual == 0
        if even and len(pieces) == 2 * actual:                          # a sextuplet, not a triplet of pairs
            actual, normal = 2 * actual, 2 * normal
        cost = len(pieces) + (0.5 if even else 1.0) + {3: 0.0, 5: 0.5, 6: 0.0, 7: 0.7}.get(actual, 2.0 + actual / 16)
        if stop - start > self.pulse.beat:
            loose = any((edge - start) % unit for edge in self._inner(start, stop)
                        if not any(one.start < edge < one.stop for one in nested))
            cost += 0.6 + 1.0 * ((start + stop) // 2 in self.edges) + 2.0 * loose
            cost += any(self.spans[piece.span].rest and piece.stop - piece.start > unit for piece in pieces)
        cost -= 0.1 * (stop - start == self.pulse.beat)
        return _Region(start, stop, actual, normal, tuple(nested), cost + len(nested))

    def _fits(self, ticks: int, scale: tuple[int, int]) -> bool:
        return (ticks * scale[0] * FINEST) % (scale[1] * self.pulse.quarter) == 0

    def _merged(self, regions: list[_Region]) -> list[_Region]:
        """Plain stretches that touch made one; two like tuplets that fill a beat made one (a sextuplet)."""
        out: list[_Region] = []
        for region in regions:
            if out and region.actual == out[-1].actual == 1:
                out[-1] = out[-1]._replace(stop=region.stop)
            else:
                out.append(region)
        return out

    # --- notes in plain values -----------------------------------------------------------------------------

    def _plain(self, region: _Region) -> list[ValuedPiece]:
        out: list[ValuedPiece] = []
        for index, span in enumerate(self.spans):
            low, high = max(span.start, region.start), min(span.stop, region.stop)
            if low < high:
                self._cut(index, low, high, span.rest, out)
        return out

    def _cut(self, index: int, start: int, stop: int, rest: bool, out: list[ValuedPiece]) -> None:
        """Write one note, or cut it at the strongest place inside and write both parts."""
        left = [(start, stop)]                          # what is still to be written, the next last
        while left:
            start, stop = left.pop()
            found = value_of(stop - start, self.pulse.quarter)
            at, level = self.pulse.strongest_inside(start, stop)
            fits = self._rest_fits if rest else self._note_fits
            if found and (level >= WEAKEST or not start < at < stop or fits(start, stop, level, found[1])):
                out.append(ValuedPiece(index, start, stop, *found))
            elif level >= WEAKEST or not start < at < stop:
                raise UnwritableError
            else:
                left += [(at, stop), (start, at)]

    def _note_fits(self, start: int, stop: int, level: int, dots: int) -> bool:
        """Whether a note may pass the places of strength `level` inside it: the beat must stay to be seen."""
        pulse = self.pulse
        if level >= WEAKEST:
            return True
        if level == 0:
            return False
        first, last = pulse.strength(start), pulse.strength(stop)
        if first <= level and last <= level:
            return dots < 2 or not pulse.irregular
        if pulse.is_strict(level):
            return False
        if first < level:
            return True
        half, length = max(1, pulse.unit(level) // 2), stop - start
        return dots < 2 and start % half == 0 and stop % half == 0 and 2 * length <= 3 * pulse.unit(level)

    def _rest_fits(self, start: int, stop: int, level: int, dots: int) -> bool:
        """Whether a rest stands for exactly one place of the meter: a group, a beat, a half of one."""
        pulse = self.pulse
        if level >= WEAKEST:
            return True
        if pulse.strength(start) >= level:
            return False
        length = stop - start
        if pulse.compound and length > pulse.part:
            return (length % pulse.beat == 0 and pulse.strength(stop) <= 2) or \
                (length == 2 * pulse.part and start % pulse.beat == 0)
        if level == 2 and not pulse.compound:
            return dots == 0 and length == pulse.unit(1) and not pulse.irregular
        return dots == 0

    # --- notes in tuplets ----------------------------------------------------------------------------------

    def _tuplet(self, region: _Region, outer: tuple[tuple[int, int, int, int], ...]) -> list[ValuedPiece]:
        return self._tuplet_pieces(region, outer, (1, 1))

    def _tuplet_pieces(self, region: _Region, outer: tuple[tuple[int, int, int, int], ...],
                       scale: tuple[int, int]) -> list[ValuedPiece]:
        unit = (region.stop - region.start) // region.actual
        inner = (scale[0] * region.actual, scale[1] * region.normal)
        tuplets = (*outer, (region.start, region.stop, region.actual, region.normal))
        out: list[ValuedPiece] = []
        at = region.start
        for nested in (*region.inside, None):
            stop = nested.start if nested else region.stop
            for index, span in enumerate(self.spans):
                low, high = max(span.start, at), min(span.stop, stop)
                if low < high:
                    out += self._in_units(index, low, high, span.rest, region.start, unit, inner, tuplets)
            if nested:
                out += self._tuplet_pieces(nested, tuplets, inner)
                at = nested.stop
        return out

    def _in_units(self, index: int, start: int, stop: int, rest: bool, first: int, unit: int,
                  scale: tuple[int, int], tuplets: tuple[tuple[int, int, int, int], ...]) -> list[ValuedPiece]:
        """One note in a tuplet, in as few values as do, long ones first, cut at the units."""
        out: list[ValuedPiece] = []
        while start < stop:
            ends = [stop, *(first + k * unit for k in range((stop - first) // unit, 0, -1)
                            if start < first + k * unit < stop)]
            if start > first + (start - first) // unit * unit and len(ends) > 1 and rest:
                ends = ends[1:] + ends[:1]
            for end in ends:
                found = value_of(end - start, self.pulse.quarter, *scale)
                if found and not (rest and found[1] and end - start != unit):
                    break
            else:
                raise UnwritableError
            out.append(ValuedPiece(index, start, end, *found, tuplets))
            start = end
        return out
