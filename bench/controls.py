"""What low, high and tolerance of every control real music gives, beside what the table of controls says.

    python bench/run.py controls
    python bench/controls.py 100        # fewer pieces of each set

Sets: pop909, mutopia_midi (public domain and CC-BY), freedoom_midi, nottingham; as many pieces of each, drawn by a
fixed seed. Bars of one beat, which most of pop909 claims, are read as 4/4; pop909, whose notes lie beside its beats,
does not count for syncopation. low and high: the 5 % and 95 % quantiles over pieces and over their tracks (of 8 notes
and more), whichever is further out. tolerance: half the median, over the pieces in which the measure moves at all, of
its standard deviation from bar to bar (repetition: from 8 bars to 8 bars).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from peers import Row, music, show

from partimento.controls import CONTROLS
from partimento.formats import read_fast
from partimento.score import Meter, Score

PIECES = 400
SETS = {"pop909": "[0-9]*/[0-9]*.mid", "mutopia_midi": "[PC]*/**/*.mid", "freedoom_midi": "*.mid",
        "nottingham": "MIDI/*.mid"}


def pieces(count: int) -> Iterator[tuple[str, Score]]:
    """(set, Score) of each piece drawn."""
    rng = np.random.default_rng(0)
    for name, pattern in SETS.items():
        files = [p for p in sorted(music(name).glob(pattern)) if "CC-BY-SA" not in p.parts]
        for i in rng.permutation(len(files))[:count]:
            score = read_fast(files[int(i)])
            if any(m.numerator == 1 for m in score.meters):
                score = score.replace(meters=(Meter(0, 4, 4),))
            if len(score) >= 8:
                yield name, score


def windows(score: Score, bars: int) -> Iterator[Score]:
    """Stretches of that many whole bars, each as a Score of its own."""
    starts = score.bar_starts
    for first in range(0, min(score.n_bars, 64) - bars + 1, bars):
        start, stop = int(starts[first]), int(starts[first + bars])
        inside = score.select((score.onset >= start) & (score.onset < stop))
        meter = score.meter_at(start)._replace(tick=0)
        yield Score(inside.onset - start, np.minimum(inside.duration, stop - inside.onset), inside.pitch,
                    inside.velocity, inside.track, ticks_per_quarter=score.ticks_per_quarter, end=stop - start,
                    meters=(meter,), tracks=score.tracks)


def main(argv: list[str]) -> list[Row]:
    """Return a row a control: its tolerance, and in the note its low and high."""
    whole: dict[str, list[float]] = {name: [] for name in CONTROLS}
    tracks: dict[str, list[float]] = {name: [] for name in CONTROLS}
    spread: dict[str, list[float]] = {name: [] for name in CONTROLS}
    read = 0
    for source, score in pieces(int(argv[0]) if argv else PIECES):
        read += 1
        cut = {bars: list(windows(score, bars)) for bars in (1, 8)}
        for name, control in CONTROLS.items():
            if name == "syncopation" and source == "pop909":
                continue
            whole[name] += [v for v in [control.measure(score, None)] if v is not None]
            sizes = np.bincount(score.track, minlength=len(score.tracks))
            tracks[name] += [v for t in np.flatnonzero(sizes >= 8).tolist()
                             for v in [control.measure(score, t)] if v is not None]
            parts = [v for w in cut[8 if name == "repetition" else 1]
                     for v in [control.measure(w, None)] if v is not None]
            if len(parts) >= 4 and np.std(parts) > 0:
                spread[name].append(float(np.std(parts)))
    return [learnt(name, whole[name], tracks[name], spread[name], read) for name in CONTROLS]


def learnt(name: str, whole: list[float], tracks: list[float], spread: list[float], read: int) -> Row:
    """Return the row of one control."""
    low = min(np.quantile(whole, 0.05), np.quantile(tracks, 0.05))
    high = max(np.quantile(whole, 0.95), np.quantile(tracks, 0.95))
    told: Any = CONTROLS[name]
    return {"name": name, "ours": float(np.median(spread)) / 2, "peer": None, "ratio": None, "target": None,
            "unit": told.unit, "n": read, "note": f"tolerance, low {low:.3g}, high {high:.3g}; the table says "
            f"{told.tolerance:g}, {told.low:g}, {told.high:g}"}  # fmt: skip


if __name__ == "__main__":
    show(main)
