"""Single lines under and between: bass lines by pattern, and inner voices that keep to the harmonies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from partimento.models.rules.figures import FigureEvent, bar_events
from partimento.models.rules.lines import LineRules, draw_line
from partimento.models.rules.sketch import NoteSpan, Sketch, rules_table

Stretch = tuple[int, int]
CROSSES = 4.0           # nats against a bass over another part
PARALLEL = 10.0         # nats against fifths and octaves in parallel with a part that stands: more than a tone is worth


def bass_events(sketch: Sketch, names: Mapping[str, str], where: Sequence[Stretch]) -> list[FigureEvent]:
    """Return the events of a bass line in the stretches `where`: its patterns by section, cut where harmony changes."""
    table = rules_table("figures")["bass"]
    out: list[FigureEvent] = []
    for number, bar in enumerate(sketch.bars):
        if not bar.beats or not any(a < bar.end and b > bar.start for a, b in where):
            continue
        phrase = sketch.phrases[sketch.phrase_at(number)]
        final = sketch.closed and number == len(sketch.bars) - 1
        name = names.get(phrase.label.rstrip("'")[:1], names[""])
        events = [FigureEvent(bar.start, bar.end, "R")] if final else bar_events(bar, table[name])
        for event in events:
            start, tones = event.start, event.tones
            while start < event.end:
                stop = min(event.end, max(sketch.harmony_at(start).end, start + 1))
                changed = start == sketch.harmony_at(start).start
                out.append(FigureEvent(start, stop, "R" if changed else tones))
                start = stop
    return [e for e in out if any(a <= e.start < b for a, b in where)]


def bass_pitches(sketch: Sketch, track: int, events: Sequence[FigureEvent], span: Stretch, fixed: Mapping[int, int],
                 ) -> list[int]:
    """Return the pitches of a bass line for its events, `fixed` ones (by place) met, drawn as one line."""
    if not events:
        return []
    table = rules_table("melody")
    spans = [NoteSpan(e.start, e.end) for e in events]
    low, high = min([span[0], *fixed.values()]), max([span[1], *fixed.values()])
    weights = {**table["place"], "dissonance": [1.0, 0.5, 0.2, 0.2], "long_dissonance": 0.6, "unison": 0.0}
    page = sketch.page(track, spans, low, high, weights)
    pitch = page.pitches
    page.unary += 0.012 * (pitch - (span[0] + span[1]) / 2) ** 2 + ((pitch < span[0]) | (pitch > span[1])) * 40.0
    for row, event in enumerate(events):
        harmony = sketch.harmony_at(event.start)
        over = (pitch - harmony.bass) % 12
        around = sketch.heights(track, event.start, event.end)
        if around is not None:
            page.unary[row] += CROSSES * (pitch > around[0])
        if event.tones in ("R", "8"):
            page.unary[row] += 12.0 * (over != 0)
            if event.tones == "8":
                page.wish[row] = 7.0
            elif row and events[row - 1].tones == "8" and sketch.harmony_at(events[row - 1].start) is harmony:
                page.wish[row] = -7.0
        elif event.tones == "5":
            fifth = next((t for t in harmony.pitches if (t - harmony.bass) % 12 in (6, 7, 8)), harmony.pitches[-1])
            page.unary[row] += 8.0 * (pitch % 12 != fifth)
        elif event.tones == "a":
            coming = sketch.harmony_at(event.end).bass
            near = np.minimum((pitch - coming) % 12, (coming - pitch) % 12)
            page.unary[row] += np.where(near == 0, 4.0, np.where(near <= 2, 0.0, np.where(near == 5, 0.8, 5.0)))
            page.tones[row] = True
        else:
            page.unary[row] += 1.2 * (over == 0)
    for place, wanted in fixed.items():
        page.fix(place, wanted)
    rules = {**table["bass"], "motif": 1.2, "parallel": PARALLEL}
    return draw_line(page, LineRules(rules), sketch.rng, sketch.temperature, sketch.top_p)


def inner_spans(sketch: Sketch, how: str, where: Sequence[Stretch]) -> list[NoteSpan]:
    """Return the notes of an inner voice without their pitches: a note a harmony, or a note a beat (``beats``).

    In the last bar of a closed piece it holds.
    """
    out: list[NoteSpan] = []
    for number, bar in enumerate(sketch.bars):
        if not bar.beats or not any(a < bar.end and b > bar.start for a, b in where):
            continue
        cuts = {bar.start, *(h.start for h in sketch.harmonies if bar.start < h.start < bar.end)}
        final = sketch.closed and number == len(sketch.bars) - 1
        phrase = sketch.phrases[sketch.phrase_at(number)]
        closes = number == phrase.first_bar + phrase.bars - 1
        if how == "beats" and not final and not closes:
            cuts |= {start for start, _ in bar.beats}
        edges = [*sorted(cuts), bar.end]
        out += [NoteSpan(a, b) for a, b in pairwise(edges)]
    return [s for s in out if any(a <= s.start < b for a, b in where)]


def inner_pitches(sketch: Sketch, track: int, spans: Sequence[NoteSpan], span: Stretch, fixed: Mapping[int, int],
                  place: float) -> list[int]:
    """Return the pitches of an inner voice: chord tones, few leaps, no parallels with what stands, under the lead.

    `place` (0–1) says where between the lowest and the highest of the other parts it lies.
    """
    if not spans:
        return []
    table = rules_table("melody")
    low, high = min([span[0], *fixed.values()]), max([span[1], *fixed.values()])
    weights = {**table["place"], "dissonance": [6.0, 3.5, 1.6, 0.8]}
    page = sketch.page(track, spans, low, high, weights)
    pitch = page.pitches
    page.unary += ((pitch < span[0]) | (pitch > span[1])) * 40.0
    for row, one in enumerate(spans):
        around = sketch.heights(track, one.start, one.end)
        harmony = sketch.harmony_at(one.start)
        if around is not None:
            wide = around[1] - around[0] >= 12
            aim = around[0] + place * (around[1] - around[0]) if wide else (span[0] + span[1]) / 2
            page.unary[row] += 0.02 * (pitch - aim) ** 2
            page.unary[row] += weights["cross"] * (pitch > around[1]) + weights["cross"] * (pitch < around[0])
        else:
            page.unary[row] += 0.02 * (pitch - (span[0] + span[1]) / 2) ** 2
        leading = (harmony.tonic + 11) % 12
        if harmony.function == "D" and any(p % 12 == leading for a, b, p, t in _near(sketch, one) if t != track):
            page.unary[row] += weights["leading_doubled"] * (pitch % 12 == leading)
        third = next((t for t in harmony.pitches if (t - harmony.pitches[0]) % 12 in (3, 4)), None)
        if third is not None and not any(p % 12 == third for a, b, p, t in _near(sketch, one) if t != track):
            page.unary[row] -= weights["empty_fifth"] * (pitch % 12 == third)
    for number, wanted in fixed.items():
        page.fix(number, wanted)
    rules = LineRules({**table["inner"], "parallel": PARALLEL})
    return draw_line(page, rules, sketch.rng, sketch.temperature, sketch.top_p)


def _near(sketch: Sketch, span: NoteSpan) -> list[tuple[int, int, int, int]]:
    return sketch.heard(span.start, span.start + 1)
