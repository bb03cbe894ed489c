"""Where everything in a piano roll stands: a Score becomes a Scene of boxes and labels, in rows of whole bars."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import RequestError
from partimento.render.font import shorten, text_width
from partimento.render.scene import Boxes, Label, Scene, System, box, boxes
from partimento.score import BoolArray, Score
from partimento.theory import DRUM_NAMES, INSTRUMENT_NAMES, pitch_name

MAX_SYSTEMS = 32            # rows of music in one picture
MAX_NOTES = 20_000          # notes in one picture
MAX_TIPS = 4_000            # notes that still say what they are when pointed at
COLOURS = 10                # track colours before they come round again
MARGIN = 22
BARS_IN_A_ROW = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32)
LEVELS = 8                  # shades of velocity
BLACK_KEYS = (1, 3, 6, 8, 10)

Ints = npt.NDArray[np.int64]
Floats4 = npt.NDArray[np.float64]
At = Callable[[npt.ArrayLike], npt.NDArray[np.float64]]     # ticks -> x in pixels
Shade = tuple[int, int, int]               # track, first tick, end tick

_KIT = {35: "Kick 2", 36: "Kick", 37: "Rim", 38: "Snare", 39: "Clap", 40: "Snare 2", 41: "Floor tom", 42: "Hi-hat",
        43: "Floor tom 2", 44: "Pedal hat", 45: "Low tom", 46: "Open hat", 47: "Mid tom", 48: "Mid tom 2", 49: "Crash",
        50: "High tom", 51: "Ride", 52: "China", 53: "Ride bell", 54: "Tambourine", 55: "Splash", 57: "Crash 2",
        59: "Ride 2", 69: "Cabasa"}
_TONICS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")


class _Grid(NamedTuple):
    """Rows of bars and the scales of time and pitch that all of them share."""

    rows: list[tuple[int, int]]            # first bar and the bar after the last, of each row
    starts: Ints                           # first tick of each shown bar, then the end
    left: float                            # x of each row's first tick
    per_tick: float                        # pixels
    low: int                               # lowest pitch; above `high` where no pitched pane is drawn
    high: int
    semitone: int                          # pixels
    drums: tuple[int, ...]                 # pitches of the drum lane, top first
    drum_row: int                          # pixels


def layout(score: Score, *, title: str = "", shaded: Sequence[Shade] = (), new: npt.ArrayLike | None = None,
           width: int = 1400, tips: bool = False) -> Scene:
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
    if len(score) > MAX_NOTES:
        last = int(np.searchsorted(starts, score.onset[MAX_NOTES], side="right")) - 1
        starts = starts[:max(2, last + 1)]
    drum_notes = is_drum[score.track] if len(score) else np.zeros(0, bool)
    first = np.flatnonzero(score.onset < max(int(starts[-1]), 1))[:MAX_NOTES]
    grid = _grid(score, starts, score.pitch[first], drum_notes[first], width)
    shown = first[score.onset[first] < max(int(grid.starts[-1]), 1)]
    inks = _inks(score, shown, shaded, is_drum)
    picture_width = _used_width(grid, width)

    top, items = _header(score, grid, title, inks, bool(shaded), bool(fresh.any()), picture_width, len(shown))
    systems = []
    for row in grid.rows:
        system, drawn, top = _system(score, grid, row, top, shaded, is_drum, inks)
        items += drawn
        systems.append(system)
    items += _notes(score, grid, systems, shown, drum_notes, fresh, inks, tips and len(shown) <= MAX_TIPS)
    height = math.ceil(top + MARGIN - 14)
    summary = f"Piano roll{f' of {title}' if title else ''}: {_facts(score, grid, len(shown))}"
    return Scene(picture_width, height, (box("bg", 0, 0, picture_width, height), *items), tuple(systems), summary)


def _mask(score: Score, new: npt.ArrayLike | None) -> BoolArray:
    mask = np.zeros(len(score), bool) if new is None else np.asarray(new, bool)
    if mask.shape != (len(score),):
        raise RequestError(f"new must hold one True or False for each of {len(score)} notes; it has shape {mask.shape}")
    return mask


# --- scales ----------------------------------------------------------------------------------------------------


def _grid(score: Score, starts: Ints, pitch: npt.NDArray[np.int32], drum: BoolArray, width: int) -> _Grid:
    drums = tuple(sorted(set(pitch[drum].tolist()), reverse=True))
    left = MARGIN + (78 if drums else 50)
    rows, per_tick = _rows(score, starts, width - MARGIN - left)
    starts = starts[:rows[-1][1] + 1]
    low, high = 1, 0
    pitched = pitch[~drum]
    if len(pitched) or not drums:
        low, high = (int(pitched.min()) - 2, int(pitched.max()) + 2) if len(pitched) else (57, 76)
        spare = max(0, 19 - (high - low))
        low, high = low - spare // 2, high + spare - spare // 2
        low, high = (0, high - low) if low < 0 else (low - max(0, high - 127), min(high, 127))
    room = 340 if len(rows) == 1 else 280 if len(rows) <= 4 else 230
    semitone = min(10, max(4, room // (high - low + 1))) if high >= low else 0
    drum_row = 12 if len(drums) <= 8 else 10 if len(drums) <= 16 else 8
    return _Grid(rows, starts, left, per_tick, low, high, semitone, drums, drum_row)


def _rows(score: Score, starts: Ints, room: float) -> tuple[list[tuple[int, int]], float]:
    """Bars of each row, as even as they go, and the pixels a tick takes."""
    count = len(starts) - 1
    quarter = score.ticks_per_quarter
    usual = max(1, int(np.median(np.diff(starts))))
    quarters = int(starts[-1]) / quarter
    aim = 40 if quarters <= 64 else 32 if quarters <= 160 else 24
    if score.chords:
        aim = max(aim, 32)
    fits = room * quarter / (aim * usual)
    most = max(n for n in BARS_IN_A_ROW if n <= max(1.0, fits))
    full = count - (1 if score.has_pickup else 0)
    if full <= fits:
        most = max(full, 1)
    elif full % 4 and full <= 3 * most:
        most = math.ceil(full / math.ceil(full / most))
    rows = []
    first = 0
    while first < count and len(rows) < MAX_SYSTEMS:
        last = min(count, first + most + (1 if first == 0 and score.has_pickup else 0))
        reach = int(np.searchsorted(starts, starts[first] + 1.3 * (most + 0.1) * usual, side="right")) - 1
        last = max(first + 1, min(last, reach))
        rows.append((first, last))
        first = last
    longest = max(int(starts[b] - starts[a]) for a, b in rows)
    return rows, min(room / max(longest, 1), 110 / quarter)


def _used_width(grid: _Grid, width: int) -> int:
    longest = max(int(grid.starts[b] - grid.starts[a]) for a, b in grid.rows)
    return min(width, max(math.ceil(grid.left + longest * grid.per_tick) + MARGIN, min(width, 620)))


def _inks(score: Score, shown: Ints, shaded: Sequence[Shade], is_drum: BoolArray) -> dict[int, str]:
    """The palette role of every track that is seen, in order of tracks; drums share one."""
    seen = sorted({*np.unique(score.track[shown]).tolist(), *(s[0] for s in shaded)})
    inks: dict[int, str] = {}
    for track in seen:
        inks[track] = "drum" if is_drum[track] else f"t{sum(v != 'drum' for v in inks.values()) % COLOURS}"
    return inks


# --- words -----------------------------------------------------------------------------------------------------


def _pretty(symbol: str) -> str:
    """A chord or key as it is printed, with real sharps and flats: ``Bbm7b5`` gives B♭m7♭5."""
    return re.sub(r"(?<=[A-G/(+\d])b(?![a-z])|(?<=[A-G])b|b(?=\d)", "♭", symbol).replace("#", "♯")


def _key(fifths: int, mode: str) -> str:
    place = fifths + 7 + (3 if mode == "minor" else 0)
    return f"{_pretty(_TONICS[place])} {mode}".strip() if 0 <= place < len(_TONICS) else ""


def _some(words: Sequence[str]) -> str:
    different = list(dict.fromkeys(w for w in words if w))
    return ", ".join(different[:3]) + (" …" if len(different) > 3 else "")


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _facts(score: Score, grid: _Grid, shown: int) -> str:
    """One line about the piece, and about what of it is shown."""
    bpm = [round(t.bpm) for t in score.tempos if t.tick < max(score.end, 1)]
    tempo = f"{min(bpm)}" if min(bpm) == max(bpm) else f"{min(bpm)}–{max(bpm)}"
    seconds = round(float(score.seconds(score.end)))
    words = [_some([f"{m.numerator}/{m.denominator}" for m in score.meters]), f"{tempo} bpm",
             _some([_key(k.fifths, k.mode) for k in score.keys]), _plural(score.n_bars, "bar"),
             f"{seconds // 60}:{seconds % 60:02d}", _plural(len(score), "note") if len(score) else "no notes"]
    bars = len(grid.starts) - 1
    if bars < score.n_bars:
        words.append(f"showing bars {score.bar_number(0)} to {score.bar_number(int(grid.starts[-2]))}")
    elif shown < len(score):
        words.append(f"showing the first {_plural(shown, 'note')}")
    return " · ".join(w for w in words if w)


def _header(score: Score, grid: _Grid, title: str, inks: dict[int, str], blanks: bool, fresh: bool, width: int,
            shown: int) -> tuple[float, list[Boxes | Label]]:
    room = width - 2 * MARGIN
    items: list[Boxes | Label] = []
    y = MARGIN - 4.0
    if title:
        y += 19
        items.append(Label(MARGIN, y, shorten(" ".join(title.split()), 21, room, True), 21, "ink", bold=True))
        y += 4
    y += 17
    items.append(Label(MARGIN, y, shorten(_facts(score, grid, shown), 13, room), 13, "muted"))
    x: float = MARGIN
    y += 27
    entries = [(ink, _track_name(score, track), False) for track, ink in inks.items()][:24]
    if len(inks) > len(entries):
        entries.append(("", f"and {len(inks) - len(entries)} more", False))
    if blanks:
        entries.append(("blank", "blank", False))
    if fresh:
        entries.append(("pane", "new", True))
    for ink, name, outlined in entries:
        words = shorten(name, 12.5, min(220.0, room - 20))
        wide = 18 + text_width(words, 12.5) * 1.06
        if x > MARGIN and x + wide > width - MARGIN:
            x, y = MARGIN, y + 20
        if ink:
            items.append(box(ink, x, y - 10, 12, 11, radius=3.0, outline="ink" if outlined else ""))
        items.append(Label(x + 18, y, words, 12.5, "ink"))
        x += wide + 20
    return y + (16.0 if entries else -10.0), items


def _track_name(score: Score, track: int) -> str:
    name = " ".join(score.tracks[track].name.split()) if track < len(score.tracks) else ""
    if name or track >= len(score.tracks):
        return name or f"track {track + 1}"
    return "Drums" if score.tracks[track].is_drum else INSTRUMENT_NAMES[score.tracks[track].program % 128]


# --- one row ---------------------------------------------------------------------------------------------------


def _system(score: Score, grid: _Grid, row: tuple[int, int], top: float, shaded: Sequence[Shade],
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
        items += _blanks(shaded, is_drum, drum, begin, end, upper, lower, at, inks)
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
    items += _keyboard(grid, pane) if tall else []
    for i, pitch in enumerate(grid.drums):
        name = shorten(_KIT.get(pitch, DRUM_NAMES.get(pitch, f"drum {pitch}")), 9.5, grid.left - MARGIN + 6)
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


def _blanks(shaded: Sequence[Shade], is_drum: BoolArray, drum: bool, begin: int, end: int, upper: float, lower: float,
            at: At, inks: dict[int, str]) -> list[Boxes | Label]:
    """Blanks of a pane: one tint where any track is blank, and a thin band in each blank track's colour on top."""
    own = [(track, max(a, begin), min(b, end)) for track, a, b in shaded if bool(is_drum[track]) == drum]
    own = [s for s in own if s[1] < s[2]]
    merged: list[tuple[int, int]] = []
    for _, a, b in sorted(own, key=lambda s: s[1]):
        if merged and a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], b))
        else:
            merged.append((a, b))
    items: list[Boxes | Label] = []
    if merged:
        x = at([m[0] for m in merged])
        items.append(boxes("blank", x, upper, at([m[1] for m in merged]) - x, lower - upper, opacity=0.5))
    for i, track in enumerate(sorted({s[0] for s in own})):
        x = at([s[1] for s in own if s[0] == track])
        items.append(boxes(inks[track], x, upper + 4 * i, at([s[2] for s in own if s[0] == track]) - x, 3,
                           opacity=0.8))
    return items


def _words(score: Score, grid: _Grid, row: tuple[int, int], baseline: float, at: At) -> list[Boxes | Label]:
    """Bar numbers, and what changes at a place: section names, meters, keys and (where they are few) tempos."""
    starts = grid.starts[row[0]:row[1] + 1]
    begin, end = int(starts[0]), int(starts[-1])
    usual = float(np.median(np.diff(starts))) * grid.per_tick
    step = next((n for n in (1, 2, 4, 8, 16) if n * usual >= 24), 32)
    words: list[tuple[float, int, str, str, bool]] = []            # x, rank, text, role, bold
    offset = 0 if score.has_pickup else 1
    for index in range(row[0], row[1]):
        if index == row[0] or (index + offset - 1) % step == 0:
            words.append((float(at(grid.starts[index])), 1, str(index + offset), "muted", False))
    changes = [(m.tick, 0, m.text, "ink", True) for m in score.marks if m.kind in ("section", "marker") and m.text]
    changes += [(m.tick, 2, f"{m.numerator}/{m.denominator}", "ink", True) for m in score.meters[1:]]
    changes += [(k.tick, 3, _key(k.fifths, k.mode), "ink", True) for k in score.keys if k.tick > 0]
    if len(score.tempos) <= 24:
        changes += [(t.tick, 4, f"♩ = {t.bpm:.0f}", "muted", False) for t in score.tempos[1:]]
    words += [(float(at(tick)), rank, text, role, bold) for tick, rank, text, role, bold in changes
              if begin <= tick < end]
    items: list[Boxes | Label] = []
    free = 0.0
    last_x = -1.0
    for x, _, text, role, bold in sorted(words):
        place = max(x, free) if x == last_x else x
        if place < free:
            continue
        text = shorten(_pretty(text) if role == "ink" else text, 11, 200, bold)
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
        text = shorten("N.C." if symbol in ("N", "NC", "N.C.") else _pretty(symbol), 12.5, max(40.0, right - x), True)
        if text == last or x < free:
            continue
        items.append(Label(x + 1, baseline, text, 12.5, "ink", bold=True))
        free, last = x + text_width(text, 12.5, True) * 1.04 + 4, text
    return items


def _keyboard(grid: _Grid, pane: float) -> list[Boxes | Label]:
    """A small piano at the left of a pitched pane, and the names of its Cs."""
    x, wide = grid.left - 22, 20
    tall = (grid.high - grid.low + 1) * grid.semitone
    pitches = range(grid.low, grid.high + 1)
    items: list[Boxes | Label] = [box("key", x, pane, wide, tall)]
    edges = [pane + (grid.high - p + (1.0 if p % 12 in (0, 5) else 0.5)) * grid.semitone for p in pitches
             if p % 12 in (0, 5, *BLACK_KEYS) and not (p == grid.low and p % 12 in (0, 5))]
    items.append(boxes("keyline", x, np.floor(edges), wide, 1))
    black = [pane + (grid.high - p) * grid.semitone for p in pitches if p % 12 in BLACK_KEYS]
    items.append(boxes("keyblack", x, black, 12, grid.semitone))
    items += [Label(x - 5, pane + (grid.high - p + 0.5) * grid.semitone + 3.6, f"C{p // 12 - 1}", 10, "muted",
                    anchor="end") for p in pitches if p % 12 == 0]
    return items


# --- notes -----------------------------------------------------------------------------------------------------


def _notes(score: Score, grid: _Grid, systems: Sequence[System], shown: Ints, drum: BoolArray, fresh: BoolArray,
           inks: dict[int, str], tips: bool) -> list[Boxes | Label]:
    """All notes, grouped by look; a note that runs over the end of a row goes on in the next as a ``tail``."""
    covered = _covered(score, shown[~drum[shown]])
    onset, end = score.onset.astype(np.int64), score.offset.astype(np.int64)
    level = score.velocity.astype(np.int64) * LEVELS // 128
    drum_place = np.zeros(128, np.int64)
    drum_place[list(grid.drums)] = np.arange(len(grid.drums))
    groups: dict[tuple[bool, int, bool, int, bool], list[tuple[Ints, Floats4]]] = {}
    for system in systems:
        head = (onset[shown] >= system.start) & (onset[shown] < system.end)
        tail = (onset[shown] < system.start) & (end[shown] > system.start) & ~drum[shown]
        for mask, is_head in ((tail, False), (head, True)):
            index = shown[mask]
            if not len(index):
                continue
            place = _places(score, grid, system, index, drum[index], covered[index], drum_place)
            look = np.stack([covered[index], score.track[index], fresh[index], level[index]], axis=1).astype(np.int64)
            kinds, which = np.unique(look, axis=0, return_inverse=True)
            which = which.reshape(-1)
            for k, (small, track, is_new, shade) in enumerate(kinds.tolist()):
                own = which == k
                key = (bool(small), track, bool(is_new), shade, is_head)
                groups.setdefault(key, []).append((index[own], place[own]))
    items: list[Boxes | Label] = []
    for (small, track, is_new, shade, is_head), parts in sorted(groups.items(), key=lambda g: g[0]):
        index = np.concatenate([p[0] for p in parts])
        place = np.concatenate([p[1] for p in parts])
        x, y, w, h = place.T
        radius = round(min(3.0, float(h[0]) * 0.35), 2)
        items.append(Boxes(inks[track], x, y, w, h, round(0.3 + 0.7 * (shade + 1) / LEVELS, 3), radius,
                           "ink" if is_new else "", "note" if is_head else "tail",
                           _tips(score, index) if tips and is_head else ()))
    return items


def _places(score: Score, grid: _Grid, system: System, index: Ints, drum: BoolArray, small: BoolArray,
            drum_place: Ints) -> Floats4:
    """float64[n, 4]: x, y, width, height of the part of each note that lies in one row."""
    begin = np.maximum(score.onset[index], system.start)
    until = np.minimum(score.offset[index], system.end)
    x = system.left + (begin - system.start) * grid.per_tick
    w = np.maximum((until - begin) * grid.per_tick - 0.8, 2.4)
    y = system.top + (grid.high - score.pitch[index]) * float(grid.semitone) + 0.4
    h = np.full(len(index), grid.semitone - 0.8)
    y = np.where(small, y + h * 0.27, y)
    h = np.where(small, np.maximum(h * 0.46, 1.8), h)
    if grid.drums:
        kit = system.bottom - len(grid.drums) * grid.drum_row
        y = np.where(drum, kit + drum_place[score.pitch[index]] * grid.drum_row + 1.5, y)
        h = np.where(drum, grid.drum_row - 2.0, h)
        w = np.where(drum, np.clip(w, 3.5, grid.drum_row - 3.0), w)
    return np.stack([x, y, w, h], axis=1)


def _covered(score: Score, index: Ints) -> BoolArray:
    """bool[len(score)]: notes that begin while an earlier one of the same pitch sounds; drawn small, both stay seen."""
    out = np.zeros(len(score), bool)
    if len(index):
        onset, end = score.onset.astype(np.int64)[index], score.offset.astype(np.int64)[index]
        pitch = score.pitch.astype(np.int64)[index]
        order = np.lexsort([-end, onset, pitch])
        reach = np.maximum.accumulate(pitch[order] * 2**32 + end[order])
        out[index[order[1:]]] = reach[:-1] > pitch[order[1:]] * 2**32 + onset[order[1:]]
    return out


def _tips(score: Score, index: Ints) -> list[str]:
    """What each note says when it is pointed at."""
    offset = 0 if score.has_pickup else 1
    bars = np.searchsorted(score.bar_starts[:-1], score.onset[index], side="right") - 1 + offset
    fifths = score.keys[0].fifths if score.keys else 0
    rows = zip(score.track[index].tolist(), score.pitch[index].tolist(), bars.tolist(),
               score.velocity[index].tolist(), strict=True)
    out = []
    for track, pitch, bar, velocity in rows:
        name = DRUM_NAMES.get(pitch, f"drum {pitch}") if score.tracks[track].is_drum else _pretty(pitch_name(pitch, fifths))
        out.append(f"{name} · {_track_name(score, track)} · bar {bar} · velocity {velocity}")
    return out
