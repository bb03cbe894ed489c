"""Faults of harmony: a part that leaves the chords, and an ending that is none."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from partimento import theory
from partimento.features.meter import BEAT, note_levels
from partimento.features.parts import time_until
from partimento.judge.faults.heard import FloatColumn, Heard, IntColumn
from partimento.judge.finding import Finding
from partimento.score import BoolArray

BARS = 4               # in which a part is out of the harmony
AROUND = 32            # bars before and after, whose pitch classes belong
ENOUGH = 1 / 4         # of what sounds around: a pitch class with so much belongs wholly
FAINT = 0.03           # what is left of one that does not sound at all
RUB = 2.0              # bits: what it counts to be a semitone from another part all the time
BELIEF = 2.0           # bars' worth of the usual, to which a window of little sound is drawn
USUAL = 0.7            # of what is usual in the piece, that is forgiven
AUDIBLE = 0.3          # of a bar: how long the others must sound there, and
PRESENT = 0.2          # the part itself
FEW = 0.5              # bits that are no candidate for a fault


class _Sound(NamedTuple):
    """Of each layer and bar: how long each pitch class sounds, float[layers, bars, 12] in bars, and grates on another.

    `grating` (float[layers, bars]) is the time a semitone from a pitch class of another layer.
    """

    layers: list[tuple[int, BoolArray]]
    own: FloatColumn
    other: FloatColumn
    grating: FloatColumn


def _sound(heard: Heard) -> _Sound:
    layers, starts = heard.layers, heard.starts
    keep = heard.tones
    ticks = np.unique(np.concatenate([starts, heard.onset[keep], heard.offset[keep]]))
    time = np.diff(ticks)
    cuts = np.searchsorted(ticks, starts[:-1])
    lengths = np.maximum(np.diff(starts), 1)
    sounds = np.zeros((len(layers), len(time), 12), bool)
    own = np.zeros((len(layers), len(lengths), 12))
    for row, (_, mask) in enumerate(layers):
        for c in np.unique(heard.pitch[mask] % 12).tolist():
            notes = mask & (heard.pitch % 12 == c)
            sounding = np.diff(time_until(ticks, heard.onset[notes], heard.offset[notes]))
            sounds[row, :, c] = sounding > 0
            own[row, :, c] = np.add.reduceat(sounding, cuts) / lengths
    count = sounds.sum(0)
    grating = np.zeros(own.shape[:2])
    for row, mine in enumerate(sounds):
        others = (count - mine) > 0
        rubs = (mine & (np.roll(others, 1, 1) | np.roll(others, -1, 1))).sum(1)
        grating[row] = np.add.reduceat(rubs * time, cuts) / lengths
    other = own.sum(0)[None] - own + _given(heard)
    return _Sound(layers, own, np.maximum(other, 0), grating)


def _given(heard: Heard) -> FloatColumn:
    """float[bars, 12]: the share of each bar in which each tone is of the chords that the piece gives."""
    out = np.zeros((heard.n_bars, 12))
    for begin, end, tones in heard.chords:
        inside = np.minimum(heard.starts[1:], end) - np.maximum(heard.starts[:-1], begin)
        out[:, tones] += (np.maximum(inside, 0) / np.maximum(np.diff(heard.starts), 1))[:, None]
    return out


def off_harmony(heard: Heard) -> list[Finding]:
    """Four bars in which a part sounds what neither the others sound nor the music around.

    The measure is in bits a note: how surprising its pitch classes are, given those of the other parts in the bar and
    of all parts in the 32 bars before and after, above what is usual in the piece; with two bits for the time that
    it is a semitone from another part. Of parts that disagree the worst is told. Chords that the piece gives count as a
    part.
    """
    if heard.n_bars <= BARS or not heard.tones.any():
        return []
    found, values = [], _windows(_sound(heard), heard.n_bars)
    taken = np.zeros(values.shape[1], bool)
    rows, firsts = np.nonzero(values > FEW)
    for place in np.argsort(-values[rows, firsts], kind="stable").tolist():
        first = int(firsts[place])
        if taken[first]:
            continue
        taken[max(0, first - BARS + 1):first + BARS] = True
        track, mask = heard.layers[int(rows[place])]
        notes = np.flatnonzero(mask & (heard.bar >= first) & (heard.bar < first + BARS))
        found.append(heard.finding("off_harmony", track, int(heard.starts[first]), int(heard.starts[first + BARS]),
                                   "it leaves the chords of the others", float(values[rows[place], first]), "bits",
                                   notes))
    return found


def _windows(sound: _Sound, n_bars: int) -> FloatColumn:
    """How far each layer is out of the harmony in the four bars from each bar on: float[layers, bars − 3]."""
    first = np.arange(n_bars - BARS + 1)
    total = np.concatenate([np.zeros((1, 12)), np.cumsum(sound.own.sum(0), 0)])
    low, high = np.maximum(first - AROUND, 0), np.minimum(first + BARS + AROUND, n_bars)
    around = np.maximum(total[high] - total[low] - (total[first + BARS] - total[first]), 0)
    around /= np.maximum(around.sum(1, keepdims=True), 1e-9)
    loud = sound.other.sum(-1)
    share = sound.other / np.maximum(loud[..., None], 1e-9)
    audible = loud > AUDIBLE
    shape = (len(sound.own), len(first))
    bits, time, present, grating, all_time = (np.zeros(shape) for _ in range(5))
    for bar in (first + j for j in range(BARS)):
        own, hears = sound.own[:, bar], audible[:, bar]
        fit = np.minimum((share[:, bar] + around[None]) / 2 / ENOUGH, 1)
        bits -= (own * np.log2(fit * (1 - FAINT) + FAINT)).sum(-1) * hears
        time += own.sum(-1) * hears
        all_time += own.sum(-1)
        present += hears & (own.sum(-1) > PRESENT)
        grating += sound.grating[:, bar]
    good = present >= BARS * 0.75
    if not good.any():
        return np.zeros(shape)
    usual = float(np.median((bits / np.maximum(time, 0.1))[good]))
    rub = grating / (all_time + 1)
    value = (bits + BELIEF * usual) / (time + BELIEF) - USUAL * usual + RUB * (rub - float(np.median(rub[good])))
    return np.where(good, value, 0.0)


# --- endings -----------------------------------------------------------------------------------------------------


def wrong_ending(heard: Heard) -> list[Finding]:
    """A last sound that is not of the tonic; the measure is the share of it outside the triad, and 1 for the bass.

    The tonic is that of the key at the end; a major third ends a piece in minor as well.
    """
    keep = np.flatnonzero(heard.tones)
    if not heard.keys or not len(keep):
        return []
    notes, time = _last_sound(heard, keep)
    key = heard.keys[-1][1]
    triad = [(key.tonic + step) % 12 for step in ((0, 3, 4, 7) if key.mode == "minor" else (0, 4, 7))]
    outside = ~np.isin(heard.pitch[notes] % 12, triad)
    value = float(time[outside].sum() / time.sum()) + float(outside[np.argmin(heard.pitch[notes])])
    if not value:
        return []
    return [heard.finding("ending", -1, int(heard.onset[notes].min()), heard.score.end,
                          f"it ends off the tonic of {theory.key_name(*key)}", value, "share", notes)]


def _last_sound(heard: Heard, keep: IntColumn) -> tuple[IntColumn, FloatColumn]:
    """The notes that sound in the last quarter of the piece, and how long they do there."""
    end = int(heard.offset[keep].max())
    begin = max(int(heard.onset[keep[heard.offset[keep] > end - heard.score.ticks_per_quarter]].min()),
                end - heard.score.ticks_per_quarter)
    inside = keep[heard.offset[keep] > begin]
    time = heard.offset[inside] - np.maximum(heard.onset[inside], begin)
    return inside, time.astype(np.float64)


def empty_end(heard: Heard) -> list[Finding]:
    """Silent bars at the end; the measure is how many."""
    if not len(heard.onset):
        return []
    end = int(heard.offset.max())
    first = int(np.searchsorted(heard.starts[:-1], max(end, int(heard.onset.max()) + 1)))
    silent = heard.n_bars - first
    if silent < 1:
        return []
    return [heard.finding("empty_end", -1, int(heard.starts[first]), heard.score.end,
                          f"nothing sounds in the last {silent if silent > 1 else ''} bars".replace("  ", " "),
                          silent, "bars")]


def broken_off(heard: Heard) -> list[Finding]:
    """A last note that breaks off: off the beat, shorter than a quarter, and not over the tonic.

    The measure is how many times shorter than a quarter it is.
    """
    keep = np.flatnonzero(heard.tones)
    if not len(keep):
        return []
    last = keep[heard.onset[keep] == heard.onset[keep].max()]
    end = int(heard.offset[keep].max())
    level = int(note_levels(heard.score, last[:1])[0])
    length = (end - int(heard.onset[last[0]])) / heard.score.ticks_per_quarter
    bass = int(heard.pitch[keep[heard.offset[keep] > heard.onset[last[0]]]].min())
    if level >= BEAT or length >= 1 or (heard.home is not None and bass % 12 == heard.home.tonic):
        return []
    return [heard.finding("broken_off", -1, int(heard.onset[last[0]]), end, "it breaks off", 1 / max(length, 1 / 64),
                          "times", last)]
