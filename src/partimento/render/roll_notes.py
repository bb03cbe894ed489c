"""The notes of a piano roll: boxes in the colour of their track and the shade of their velocity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from partimento.render.roll_grid import Grid, Ints
from partimento.render.roll_words import drum_name, pretty, track_name
from partimento.render.scene import Boxes, Label, System
from partimento.score import BoolArray, Score
from partimento.theory import pitch_name

LEVELS = 8                  # shades of velocity

Places = npt.NDArray[np.float64]      # float64[n, 4]: x, y, width, height


def note_boxes(score: Score, grid: Grid, systems: Sequence[System], shown: Ints, drum: BoolArray, fresh: BoolArray,
           inks: dict[int, str], tips: bool) -> list[Boxes | Label]:
    """All notes, grouped by look; a note that runs over the end of a row goes on in the next as a ``tail``."""
    covered = _covered(score, shown[~drum[shown]])
    onset, end = score.onset.astype(np.int64), score.offset.astype(np.int64)
    level = score.velocity.astype(np.int64) * LEVELS // 128
    drum_place = np.zeros(128, np.int64)
    drum_place[list(grid.drums)] = np.arange(len(grid.drums))
    groups: dict[tuple[bool, int, bool, int, bool], list[tuple[Ints, Places]]] = {}
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
    for (_, track, is_new, shade, is_head), parts in sorted(groups.items(), key=lambda g: g[0]):
        index = np.concatenate([p[0] for p in parts])
        place = np.concatenate([p[1] for p in parts])
        x, y, w, h = place.T
        radius = round(min(3.0, float(h[0]) * 0.35), 2)
        items.append(Boxes(inks[track], x, y, w, h, round(0.3 + 0.7 * (shade + 1) / LEVELS, 3), radius,
                           "ink" if is_new else "", "note" if is_head else "tail",
                           _tips(score, index) if tips and is_head else ()))
    return items


def _places(score: Score, grid: Grid, system: System, index: Ints, drum: BoolArray, small: BoolArray,
            drum_place: Ints) -> Places:
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
        hit = score.ticks_per_quarter / 4 * grid.per_tick - 1.0          # a drum has no length: it gets a sixteenth
        w = np.where(drum, min(max(hit, 3.5), grid.drum_row - 2.0), w)
    x = np.maximum(np.minimum(x, system.right - w), system.left)
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
        name = drum_name(pitch) if score.tracks[track].is_drum else pretty(pitch_name(pitch, fifths))
        out.append(f"{name} · {track_name(score, track)} · bar {bar} · velocity {velocity}")
    return out
