"""Where everything in a piano roll stands: a Score becomes a Scene of boxes and labels, in rows of whole bars."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from partimento.errors import RequestError
from partimento.render.font import shorten, text_width
from partimento.render.roll_grid import Grid, Ints, make_grid, used_width
from partimento.render.roll_notes import note_boxes
from partimento.render.roll_words import drum_name, facts, key_words, pretty, track_name
from partimento.render.scene import Boxes, Label, Scene, System, box, boxes
from partimento.score import BoolArray, Score

MAX_NOTES = 20_000          # notes in one picture
MAX_TIPS = 4_000            # notes that still say what they are when pointed at
NAMED = 24                  # tracks in the legend, and blank tracks with a band of their own
COLOURS = 10                # track colours before they come round again
BLACK_KEYS = (1, 3, 6, 8, 10)

At = Callable[[npt.ArrayLike], npt.NDArray[np.float64]]     # ticks -> x in pixels
Shade = tuple[int, int, int]               # track, first tick, end tick


def layout(score: Score, *, title: str = "", shaded: Sequence[Shade] = (), new: npt.ArrayLike | None = None,
           width: int = 1400, margin: int = 22, tips: bool = False) -> Scene:
    """Return the Scene of `score`: header, legend, then rows of bars at most `width` pixels wide.

    `shaded` are blanks (track, first tick, end tick); `new` is bool[n], the notes to outline. At most 32 rows
    and 20,000 notes are shown, from the start, and the header says so. RequestError where an argument is off.
    """
    fresh = _mask(score, new)
    if not 320 <= width <= 8000:
        raise RequestError(f"the width of a roll must be from 320 to 8000 pixels; got {width}")
    for track, _, _ in shaded:
        if not 0 <= track < max(1, len(score.tracks)):
            raise RequestError(f"shaded tracks must be from 0 to {max(1, len(score.tracks)) - 1}; got {track}")
    is_drum = np.array([t.is_drum for t in score.tracks] or [False])
    starts = score.bar_starts.astype(np.int64)
    if score.end == 0:
        starts = np.array([0, score.full_bar_ticks(0)])
    elif len(score):
        starts[-1] = max(starts[-1], score.onset[-1] + 1)        # a note of no length may stand at the very end
    if len(score) > MAX_NOTES:
        last = int(np.searchsorted(starts, score.onset[MAX_NOTES], side="right")) - 1
        starts = starts[:max(2, last + 1)]
    drum_notes = is_drum[score.track] if len(score) else np.zeros(0, bool)
    first = np.flatnonzero(score.onset < max(int(starts[-1]), 1))[:MAX_NOTES]
    grid = make_grid(score, starts, score.pitch[first], drum_notes[first], width, margin)
    shown = first[score.onset[first] < max(int(grid.starts[-1]), 1)]
    inks = _inks(score, shown, shaded, is_drum)
    picture_width = used_width(grid, width)

    top, items = _header(score, grid, title, inks, bool(shaded), bool(fresh.any()), picture_width, len(shown))
    systems = []
    for row in grid.rows:
        system, drawn, top = _system(score, grid, row, top, shaded, is_drum, inks)
        items += drawn
        systems.append(system)
    items += note_boxes(score, grid, systems, shown, drum_notes, fresh, inks, tips and len(shown) <= MAX_TIPS)
    height = math.ceil(top + margin - 14)
    summary = f"Piano roll{f' of {title}' if title else ''}: {facts(score, grid, len(shown))}"
    return Scene(picture_width, height, (box("bg", 0, 0, picture_width, height), *items), tuple(systems), summary)


def _mask(score: Score, new: npt.ArrayLike | None) -> BoolArray:
    mask = np.zeros(len(score), bool) if new is None else np.asarray(new, bool)
    if mask.shape != (len(score),):
        raise RequestError(f"new must hold one True or False for each of {len(score)} notes; it has shape {mask.shape}")
    return mask


def _inks(score: Score, shown: Ints, shaded: Sequence[Shade], is_drum: BoolArray) -> dict[int, str]:
    """The palette role of every track that is seen, in order of tracks; drums share one."""
    seen = sorted({*np.unique(score.track[shown]).tolist(), *(s[0] for s in shaded)})
    colours = itertools.cycle(f"t{i}" for i in range(COLOURS))
    return {track: "drum" if is_drum[track] else next(colours) for track in seen}


def _header(score: Score, grid: Grid, title: str, inks: dict[int, str], blanks: bool, fresh: bool, width: int,
            shown: int) -> tuple[float, list[Boxes | Label]]:
    margin = grid.margin
    room = width - 2 * margin
    items: list[Boxes | Label] = []
    y = margin - 4.0
    if title:
        y += 19
        items.append(Label(margin, y, shorten(" ".join(title.split()), 21, room, True), 21, "ink", bold=True))
        y += 4
    y += 17
    items.append(Label(margin, y, shorten(facts(score, grid, shown), 13, room), 13, "muted"))
    x: float = margin
    y += 27
    entries = [(ink, track_name(score, track), False) for track, ink in itertools.islice(inks.items(), NAMED)]
    if len(inks) > len(entries):
        entries.append(("", f"and {len(inks) - len(entries)} more", False))
    if blanks:
        entries.append(("blank", "blank", False))
    if fresh:
        entries.append(("pane", "new", True))
    for ink, name, outlined in entries:
        words = shorten(name, 12.5, min(220.0, room - 20))
        wide = 18 + text_width(words, 12.5) * 1.06
        if x > margin and x + wide > width - margin:
            x, y = margin, y + 20
        if ink:
            items.append(box(ink, x, y - 10, 12, 11, radius=3.0, outline="ink" if outlined else ""))
        items.append(Label(x + 18, y, words, 12.5, "ink"))
        x += wide + 20
    return y + (16.0 if entries else -10.0), items


# --- one row ---------------------------------------------------------------------------------------------------


def _system(score: Score, grid: Grid, row: tuple[int, int], top: float, shaded: Sequence[Shade],
            is_drum: BoolArray, inks: dict[int, str]) -> tuple[System, list[Boxes | Label], float]:
    """One row without its notes: strips of words, panes, blanks, grid, keyboard and drum names."""
    starts = grid.starts[row[0]:row[1] + 1]
    begin, end = int(starts[0]), int(starts[-1])
    left, right = grid.left, grid.left + max((end - begin) * grid.per_tick, 1.0)

    def at(ticks: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return left + (np.asarray(ticks, np.float64) - begin) * grid.per_tick

    items = _words(score, grid, row, top + 18, at)
    pane = top + 24
    if score.chords:
        pane += 17
        items += _chords(score, begin, end, pane - 7, at, right)
    tall = (grid.high - grid.low + 1) * grid.semitone
    kit = pane + tall + (7 if tall and grid.drums else 0)
    bottom = kit + len(grid.drums) * grid.drum_row
    spans = [(pane, pane + tall, False)] if tall else []
    spans += [(kit, bottom, True)] if grid.drums else []
    for upper, lower, drum in spans:
        items.append(box("pane", left, upper, right - left, lower - upper))
        if not drum:
            black = [p for p in range(grid.low, grid.high + 1) if p % 12 in BLACK_KEYS]
            items.append(boxes("row", left, [pane + (grid.high - p) * grid.semitone for p in black], right - left,
                               grid.semitone))
        own = [(track, max(a, begin), min(b, end)) for track, a, b in shaded if bool(is_drum[track]) == drum]
        items += _tint([s for s in own if s[1] < s[2]], upper, lower, at)
        if drum:
            lines = kit + np.arange(1, len(grid.drums)) * grid.drum_row
            if len(lines):
                items.append(boxes("beat", left, lines, right - left, 1))
        else:
            tonics = [pane + (grid.high - p + 1) * grid.semitone for p in range(grid.low + 1, grid.high + 1)
                      if p % 12 == 0]
            items.append(boxes("octave", left, np.array(tonics) - 1, right - left, 1))
        beats = _beats(score, starts, grid.per_tick)
        if len(beats):
            items.append(boxes("beat", np.round(at(beats)), upper, 1, lower - upper))
        items.append(boxes("bar", np.round(at(starts)) - (starts == end), upper, 1, lower - upper))
        items += _bands([s for s in own if s[1] < s[2]], upper - 4 if drum else upper, at, inks)
    items += _keyboard(grid, pane) if tall else []
    for i, pitch in enumerate(grid.drums):
        name = shorten(drum_name(pitch, short=True), 9.5, grid.left - grid.margin - 7)
        items.append(Label(left - 7, kit + (i + 0.5) * grid.drum_row + 3.3, name, 9.5, "muted", anchor="end"))
    return System(begin, end, left, right, pane, bottom), items, bottom + 14


def _beats(score: Score, starts: Ints, per_tick: float) -> npt.NDArray[np.float64]:
    """Ticks of the beats inside the bars of a row; none where they would stand too close to be read."""
    ruling = np.searchsorted([m.tick for m in score.meters], starts[:-1], side="right") - 1
    found: list[npt.NDArray[np.float64]] = [np.zeros(0)]
    for index, begin, end in zip(ruling.tolist(), starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        meter = score.meters[max(index, 0)]
        compound = meter.denominator >= 8 and meter.numerator > 3 and meter.numerator % 3 == 0
        step = 4 * score.ticks_per_quarter * (3 if compound else 1) / meter.denominator
        if step * per_tick >= 7:
            found.append(np.arange(begin + step, end, step))
    return np.concatenate(found)


def _tint(blanks: Sequence[Shade], upper: float, lower: float, at: At) -> list[Boxes | Label]:
    """One tint over a pane wherever any track is blank."""
    merged: list[tuple[int, int]] = []
    for _, a, b in sorted(blanks, key=lambda s: s[1]):
        if merged and a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], b))
        else:
            merged.append((a, b))
    if not merged:
        return []
    x = at([m[0] for m in merged])
    return [boxes("blank", x, upper, at([m[1] for m in merged]) - x, lower - upper, opacity=0.5)]


def _bands(blanks: Sequence[Shade], upper: float, at: At, inks: dict[int, str]) -> list[Boxes | Label]:
    """A thin band for each blank track, in its colour, so that one sees whose blank it is."""
    tracks = sorted({s[0] for s in blanks})[:NAMED]
    step = min(4.0, max(1.5, 14 / max(1, len(tracks))))
    items: list[Boxes | Label] = []
    for i, track in enumerate(tracks):
        x = at([s[1] for s in blanks if s[0] == track])
        items.append(boxes(inks[track], x, upper + step * i, at([s[2] for s in blanks if s[0] == track]) - x,
                           step - 1))
    return items


def _words(score: Score, grid: Grid, row: tuple[int, int], baseline: float, at: At) -> list[Boxes | Label]:
    """Bar numbers, and what changes at a place: section names, meters, keys and (where they are few) tempos."""
    starts = grid.starts[row[0]:row[1] + 1]
    begin, end = int(starts[0]), int(starts[-1])
    usual = float(np.median(np.diff(starts))) * grid.per_tick
    step = next((n for n in (1, 2, 4, 8, 16) if n * usual >= 24), 32)
    words: list[tuple[float, int, str, str, bool]] = []            # x, rank, text, role, bold
    offset = 0 if score.has_pickup else 1
    for index in range(row[0], row[1]):
        if index == row[0] or (index + offset - 1) % step == 0:
            words.append((float(at(grid.starts[index])), 0, str(index + offset), "muted", False))
    changes = [(m.tick, 1, m.text, "ink", True) for m in score.marks if m.kind in ("section", "marker") and m.text]
    changes += [(m.tick, 2, f"{m.numerator}/{m.denominator}", "ink", True) for m in score.meters[1:]]
    changes += [(k.tick, 3, key_words(k.fifths, k.mode), "ink", True) for k in score.keys if k.tick > 0]
    if len(score.tempos) <= 24:
        changes += [(t.tick, 4, f"♩ = {60e6 / max(1, t.us_per_quarter):.0f}", "muted", False) for t in score.tempos[1:]]
    words += [(float(at(tick)), rank, text, role, bold) for tick, rank, text, role, bold in changes
              if begin <= tick < end]
    items: list[Boxes | Label] = []
    free = 0.0
    last_x = -1.0
    for x, _, text, role, bold in sorted(words):
        place = max(x, free) if x == last_x else x
        if place < free:
            continue
        text = shorten(" ".join(text.split()), 11, 200, bold)
        items.append(Label(place, baseline, text, 11, role, bold))
        free, last_x = place + text_width(text, 11, bold) * 1.06 + 6, x
    return items


def _chords(score: Score, begin: int, end: int, baseline: float, at: At, right: float) -> list[Boxes | Label]:
    """Chord symbols over a row, the one that still rules at its start too; where they crowd, the later one waits."""
    before = [c for c in score.chords if c.tick <= begin][-1:]
    inside = [c for c in score.chords if begin < c.tick < end]
    items: list[Boxes | Label] = []
    free, last = 0.0, ""
    for tick, symbol in [*((begin, c.symbol) for c in before), *inside]:
        x = float(at(tick))
        text = shorten("N.C." if symbol in ("N", "NC", "N.C.") else pretty(symbol), 12.5, max(40.0, right - x), True)
        if text == last or x < free:
            continue
        items.append(Label(x + 1, baseline, text, 12.5, "ink", bold=True))
        free, last = x + text_width(text, 12.5, True) * 1.04 + 4, text
    return items


def _keyboard(grid: Grid, pane: float) -> list[Boxes | Label]:
    """A small piano at the left of a pitched pane, and the names of its Cs."""
    x, wide = grid.left - 24, 22
    tall = (grid.high - grid.low + 1) * grid.semitone
    pitches = range(grid.low, grid.high + 1)
    items: list[Boxes | Label] = [box("keyline", x - 1, pane - 1, wide + 2, tall + 2), box("key", x, pane, wide, tall)]
    edges = [pane + (grid.high - p + (1.0 if p % 12 in (0, 5) else 0.5)) * grid.semitone for p in pitches
             if p % 12 in (0, 5, *BLACK_KEYS) and not (p == grid.low and p % 12 in (0, 5))]
    items.append(boxes("keyline", x, np.floor(edges), wide, 1))
    black = [pane + (grid.high - p) * grid.semitone for p in pitches if p % 12 in BLACK_KEYS]
    items.append(boxes("keyblack", x, np.array(black) + 0.5, 13, grid.semitone - 1.0, radius=1.0))
    items += [Label(x - 6, pane + (grid.high - p + 0.5) * grid.semitone + 3.6, f"C{p // 12 - 1}", 10, "muted",
                    anchor="end") for p in pitches if p % 12 == 0]
    return items


