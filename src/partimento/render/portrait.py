"""The portrait of a piece: what its bars hold, drawn over its whole length, its form as a map, and its habits as bars.

Everything shown is a measure of `partimento.features`; this module only draws it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento import features, theory
from partimento.errors import WriteError
from partimento.features.form import MOST_BARS
from partimento.formats.files import write_bytes
from partimento.render.font import shorten, text_width
from partimento.render.png import png_bytes
from partimento.render.roll import DARK, LIGHT
from partimento.render.roll_words import pretty
from partimento.render.scene import Boxes, Label, Scene, box, boxes, pixels, svg
from partimento.score import Score

FloatArray = npt.NDArray[np.float64]
WIDTH, MARGIN, NAMES = 1120, 22, 118       # of the picture, its edge, and the column of names, in pixels
MAP = 330                                  # side of the map of form
_HEIGHT = 46                               # of a strip
_CLASSES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
Items = list[Boxes | Label]


class _Bars(NamedTuple):
    """Where the bars lie: their edges in pixels (float64[n + 1]) and the number of the first of them."""

    edges: FloatArray
    starts: npt.NDArray[np.int64]
    score: Score

    def at(self, tick: int) -> float:
        """The x of a tick."""
        index = int(np.searchsorted(self.starts[:-1], tick, side="right")) - 1
        index = min(max(index, 0), len(self.edges) - 2)
        length = max(int(self.starts[index + 1] - self.starts[index]), 1)
        share = min(max((tick - int(self.starts[index])) / length, 0.0), 1.0)
        return float(self.edges[index] + share * (self.edges[index + 1] - self.edges[index]))


def portrait(score: Score, *, title: str = "") -> Scene:
    """Return the Scene of a piece: key, chords, phrases, notes and register over its bars, its map and habits.

    >>> portrait(Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0])).width
    1120
    """
    starts = score.bar_starts.astype(np.int64)
    left, right = MARGIN + NAMES, WIDTH - MARGIN
    bars = _Bars(np.linspace(left, right, len(starts)), starts, score)
    y = float(MARGIN)
    items: Items = []
    if title:
        y += 17
        items.append(Label(MARGIN, y, shorten(" ".join(title.split()), 21, WIDTH - 2 * MARGIN, True), 21, "ink", True))
        y += 14
    items += _numbers(bars, y + 10)
    y += 16
    table = features.by_bar(score) if score.n_bars else {}
    for drawn, tall in ((_keys, 30), (_chords, 30), (_plan, 30), (_phrases, 22)):
        found = drawn(bars, y)
        items += found
        y += tall if found else 0
    for name, unit, column in (("notes", "a bar", "density"), ("register", "", "register"),
                               ("loudness", "", "loudness"), ("syncopation", "", "syncopation")):
        if column in table and np.nan_to_num(table[column]).any():
            items += _strip(bars, y, name, unit, table[column], column == "register")
            y += _HEIGHT + 12
    y += 10
    items += _map(score, y)
    items += _habits(score, y)
    height = math.ceil(y + MAP + 34 + MARGIN)
    return Scene(WIDTH, height, (box("bg", 0, 0, WIDTH, height), *items), (),
                 f"Portrait{f' of {title}' if title else ''}: key, chords, phrases, notes, register, loudness, form")


def write_portrait(score: Score, path: str | os.PathLike[str], *, title: str = "", dark: bool = False) -> Path:
    """Write the portrait to `path` (``.svg`` or ``.png``) and return the path; WriteError for another suffix."""
    target, palette = Path(path), DARK if dark else LIGHT
    suffix = target.suffix.lower()
    if suffix not in (".svg", ".png"):
        raise WriteError(f"a portrait must be written as .svg or .png; got {target.name!r}")
    scene = portrait(score, title=title)
    write_bytes(target, svg(scene, palette).encode() if suffix == ".svg" else png_bytes(pixels(scene, palette, 2.0)))
    return target


# --- over the bars ---------------------------------------------------------------------------------------------------


def _name(y: float, name: str, more: str = "") -> Items:
    out: Items = [Label(MARGIN, y, name, 12.5, "ink")]
    return [*out, Label(MARGIN, y + 14, more, 10.5, "muted")] if more else out


def _numbers(bars: _Bars, y: float) -> Items:
    """Every so many bars their number."""
    count = len(bars.edges) - 1
    wide = float(bars.edges[-1] - bars.edges[0]) / max(count, 1)
    step = next(s for s in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1 << 40) if s * wide >= 34)
    first = 0 if bars.score.has_pickup else 1
    return [Label(float(bars.edges[i]) + 1, y, str(i + first), 10.5, "muted")
            for i in range(count) if (i + first) % step == (1 if step > 1 else 0) % step]


def _regions(bars: _Bars, y: float, regions: Sequence[tuple[int, int, str, str]], size: float) -> Items:
    """(first tick, end tick, words, role) as boxes with their words, where there is room for them."""
    items: Items = []
    for begin, end, words, role in regions:
        x0, x1 = bars.at(begin), bars.at(end)
        items.append(box(role, x0, y, max(x1 - x0 - 1.5, 1.0), 20, radius=3.0, opacity=0.28))
        if text_width(words, size) + 6 <= x1 - x0:
            items.append(Label(x0 + 4, y + 14, words, size, "ink"))
    return items


def _keys(bars: _Bars, y: float) -> Items:
    path = features.key_path(bars.score)
    if not path:
        return []
    ends = [*(tick for tick, _ in path[1:]), bars.score.end]
    regions = [(tick, end, pretty(theory.key_name(*key)), f"t{theory.fifths(*key) % 10}")
               for (tick, key), end in zip(path, ends, strict=True)]
    return [*_name(y + 14, "key"), *_regions(bars, y, regions, 12.0)]


def _chords(bars: _Bars, y: float) -> Items:
    found = [(c.tick, c.symbol) for c in features.heard_chords(bars.score)]
    if not found:
        return []
    joined = [entry for entry, before in zip(found, [(0, ""), *found], strict=False) if entry[1] != before[1]]
    ends = [*(tick for tick, _ in joined[1:]), bars.score.end]
    regions = [(tick, end, "" if symbol == "N" else pretty(symbol),
                "row" if symbol == "N" else f"t{theory.parse_chord(symbol).root * 7 % 12 % 10}")
               for (tick, symbol), end in zip(joined, ends, strict=True)]
    return [*_name(y + 14, "chords heard"), *_regions(bars, y, regions, 10.5)]


def _plan(bars: _Bars, y: float) -> Items:
    found = features.sections(bars.score)
    regions = [(int(bars.starts[s.first]), int(bars.starts[s.last]), s.name, f"t{(ord(s.name[0]) - ord('A')) % 10}")
               for s in found]
    return [*_name(y + 14, "plan"), *_regions(bars, y, regions, 12.0)] if found else []


def _phrases(bars: _Bars, y: float) -> Items:
    items: Items = _name(y + 10, "phrases")
    for i, (begin, end) in enumerate(features.phrases(bars.score)):
        x0, x1 = bars.at(begin), bars.at(end)
        items.append(box("ink" if i % 2 else "muted", x0 + 1, y + 4, max(x1 - x0 - 3, 1.0), 4, radius=2.0))
    return items


def _strip(bars: _Bars, y: float, name: str, unit: str, values: FloatArray, pitch: bool) -> Items:
    """One measure of every bar: boxes from the ground up, or a step line for pitch."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    low = low - 1 if pitch else 0.0
    span = max(high - low, 1e-9)
    said = f"{theory.pitch_name(round(low + 1))}–{theory.pitch_name(round(high))}" if pitch else \
        f"up to {high:.3g}{f' {unit}' if unit else ''}"
    items: Items = [*_name(y + 18, name, said),
                    box("pane", float(bars.edges[0]), y, float(bars.edges[-1] - bars.edges[0]), _HEIGHT)]
    known = np.flatnonzero(np.isfinite(values))
    tall = (values[known] - low) / span * (_HEIGHT - 4)
    wide = np.diff(bars.edges)[known]
    top = y + _HEIGHT - np.maximum(tall, 1.0)
    shape = np.full(len(known), 3.0) if pitch else np.maximum(tall, 1.0)
    items.append(boxes("t0" if pitch else "drum", bars.edges[:-1][known], top, np.maximum(wide - (1 if len(values) < 200
                       else 0), 0.8), shape, opacity=0.85))
    return items


# --- form and habits -------------------------------------------------------------------------------------------------


def _map(score: Score, y: float) -> Items:
    """How alike every two bars are: darker is more alike."""
    items: Items = [Label(MARGIN, y + 12, "form: which bars are alike", 12.5, "ink")]
    if not 0 < score.n_bars <= MOST_BARS:
        return items
    alike = _coarse(np.nan_to_num(features.self_similarity(score)))
    side = MAP / len(alike)
    row, column = np.nonzero(alike > 0.04)
    level = np.ceil(alike[row, column] * 5).astype(np.int64).clip(1, 5)
    items.append(box("pane", MARGIN, y + 22, MAP, MAP))
    for shade in range(1, 6):
        here = level == shade
        if here.any():
            items.append(boxes("t0", MARGIN + column[here] * side, y + 22 + row[here] * side, side + 0.05, side + 0.05,
                               opacity=shade / 5))
    return items


def _coarse(table: FloatArray, most: int = 110) -> FloatArray:
    """The table with neighbouring rows and columns joined until there are no more than `most`."""
    step = -(-len(table) // most)
    if step == 1:
        return table
    edges = np.arange(0, len(table), step)
    return np.asarray(np.maximum.reduceat(np.maximum.reduceat(table, edges, axis=0), edges, axis=1))


def _habits(score: Score, y: float) -> Items:
    """Pitch classes, intervals, lengths and places in the bar, as shares."""
    left, wide = MARGIN + MAP + 44, (WIDTH - 2 * MARGIN - MAP - 44 - 36) / 2
    classes = features.pitch_classes(score)
    steps = features.interval_histogram(score)
    half = len(steps) // 2
    lengths = features.duration_histogram(score)
    places = features.onset_places(score)
    charts = (
        ("pitch classes, by time", [pretty(name) for name in _CLASSES], classes),
        ("steps of the upper line, in semitones", [str(i - half) if i % 4 == half % 4 else "" for i in
                                                   range(len(steps))], steps),
        ("lengths, in quarters", [label for label, _ in lengths], np.array([share for _, share in lengths])),
        ("where in the bar notes begin", [str(i // 4 + 1) if i % 4 == 0 else "" for i in range(len(places))], places),
    )
    items: Items = []
    for i, (name, labels, values) in enumerate(charts):
        items += _chart(left + (i % 2) * (wide + 36), y + (i // 2) * (MAP / 2 + 16), wide, MAP / 2 - 30, name, labels,
                        np.asarray(values, np.float64))
    return items


def _chart(x: float, y: float, wide: float, tall: float, name: str, labels: Sequence[str], values: FloatArray) -> Items:
    items: Items = [Label(x, y + 12, name, 12.5, "ink"), box("pane", x, y + 22, wide, tall)]
    if not len(values) or not values.sum() > 0:
        return items
    column = wide / len(values)
    height = values / values.max() * (tall - 4)
    edges = x + np.arange(len(values) + 1) * column
    items.append(boxes("t0", edges[:-1] + 1, y + 22 + tall - height, max(column - 2, 0.8), np.maximum(height, 0.1)))
    items += [Label((a + b) / 2, y + tall + 34, label, 9.5, "muted", anchor="middle")
              for (a, b), label in zip(pairwise(edges.tolist()), labels, strict=True) if label]
    return items
