"""Other pitches for notes whose rhythm stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from partimento.models.rules.lines import LineRules, draw_line
from partimento.models.rules.sketch import NoteSpan, Sketch, Written, rules_table
from partimento.request import Blanks
from partimento.sampling import draw


def write_pitches(sketch: Sketch, blanks: Blanks, track: int, role: str, kept: Sequence[tuple[int, int, int]],
                  span: tuple[int, int] | None) -> list[Written]:
    """Return the notes of a track in regions open for pitch with other pitches: its top as a line, the rest beneath it.

    `kept` is the line that stands in the track, `span` where the lead lies (None: near where the notes were).
    """
    around = sketch.around
    mask = blanks.rewritten(around) & blanks.inside(around, "pitch") & (around.track == track)
    notes = around.select(mask).notes().tolist()
    if not notes:
        return []
    groups: dict[int, list[list[int]]] = {}
    for row in notes:
        groups.setdefault(row[0], []).append(row)
    if around.tracks[track].is_drum:
        return _other_drums(sketch, track, groups)
    if span is None:
        old = [row[2] for row in notes]
        low, high = sketch.legal.ranges[track]
        span = (max(low, min(old) - 3), max(min(high, max(old) + 3), max(low, min(old) - 3) + 5))
    plan = [NoteSpan(t, t + max(max(r[1] for r in g), 1)) for t, g in sorted(groups.items())]
    near = [n for n in kept if plan[0].start - 4000 < n[0] < plan[-1].start + 4000 and n[0] not in groups]
    plan = sorted([*plan, *(NoteSpan(n[0], max(n[1], n[0] + 1)) for n in near)])
    settled = {n[0]: n[2] for n in near}
    fixed = {k: settled[s.start] for k, s in enumerate(plan) if s.start in settled}
    table = rules_table("melody")
    low, high = min([span[0], *fixed.values()]), max([span[1], *fixed.values()])
    page = sketch.page(track, plan, low, high, table["place"])
    page.unary += ((page.pitches < span[0]) | (page.pitches > span[1])) * 80.0
    page.unary += 0.02 * (page.pitches - (span[0] + span[1]) / 2) ** 2
    for k, pitch in fixed.items():
        page.fix(k, pitch)
    kind = "bass" if role == "bass" else "line" if role in ("lead", "keyboard") else "inner"
    pitches = draw_line(page, LineRules(table[kind]), sketch.rng, sketch.temperature, sketch.top_p)
    rows: list[Written] = []
    for one, pitch in zip(plan, pitches, strict=True):
        taken = {p for a, b, p, t in sketch.sounding if t == track and a <= one.start < b}
        group = groups.get(one.start, [])
        for row in reversed(group):
            wanted = _below(sketch, track, one.start, pitch, taken)
            taken.add(wanted)
            rows.append((row[0], row[1], wanted, row[3], track))
    return rows


def _below(sketch: Sketch, track: int, tick: int, top: int, taken: set[int]) -> int:
    """The highest free chord tone at or below a pitch that is legal, else any free legal pitch near it."""
    low, high = sketch.legal.ranges[track]
    legal = sketch.legal.pitches(track, tick)
    tones = sketch.harmony_at(tick).pitches
    for wanted in ([p for p in range(top, low - 1, -1) if p == top or p % 12 in tones],
                   sorted(range(low, high + 1), key=lambda p: abs(p - top))):
        for pitch in wanted:
            if pitch not in taken and legal[pitch]:
                return pitch
    free = [p for p in range(low, high + 1) if p not in taken]
    return min(free, key=lambda p: abs(p - top)) if free else top


def _other_drums(sketch: Sketch, track: int, groups: Mapping[int, list[list[int]]]) -> list[Written]:
    kit = [k for k in (36, 38, 42, 46, 51, 37, 45, 47, 50, 49) if
           sketch.legal.ranges[track][0] <= k <= sketch.legal.ranges[track][1]]
    rows: list[Written] = []
    for tick, group in sorted(groups.items()):
        level = sketch.level(tick)
        weights = np.array([(6, 1, 3, .3, .5, .3, .1, .1, .1, .4), (1, 6, 4, .3, .5, .5, .2, .2, .2, .1),
                            (.8, .6, 6, 1, .5, .3, .2, .2, .2, .05), (.4, .6, 4, .6, .4, .3, .3, .3, .3, .05),
                            ][level])[:len(kit)]
        for row in group[:max(len(kit), 1)]:
            k = draw(weights, sketch.rng.random()) if kit else 0
            rows.append((row[0], row[1], kit[k] if kit else row[2], row[3], track))
            weights[k] = 1e-9
    return rows
