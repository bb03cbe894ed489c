"""Learn low, high and tolerance of every control from real music; prints one JSON row a control.

    PARTIMENTO_DATA=/data python bench/controls.py [pieces a set]

Sets: pop909, mutopia_midi (public domain and CC-BY), freedoom_midi, nottingham; as many pieces of each, drawn by a
fixed seed. Bars of one beat, which most of pop909 claims, are read as 4/4; pop909, whose notes lie beside its beats,
does not count for syncopation. low and high: the 5 % and 95 % quantiles over pieces and over their tracks (of 8 notes
and more), whichever is further out. tolerance: half the median, over the pieces in which the measure moves at all, of
its standard deviation from bar to bar (repetition: from 8 bars to 8 bars).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from partimento.controls import CONTROLS
from partimento.formats import read_fast
from partimento.score import Meter, Score

SETS = {"pop909": ("pop909", "[0-9]*/[0-9]*.mid"), "mutopia_midi": ("mutopia_midi", "[PC]*/**/*.mid"),
        "freedoom_midi": ("freedoom_midi", "*.mid"), "nottingham": ("nottingham/MIDI", "*.mid")}


def pieces(data: Path, count: int) -> Iterator[tuple[str, Score]]:
    """(set, Score) of each piece drawn."""
    rng = np.random.default_rng(0)
    for name, (folder, pattern) in SETS.items():
        files = [p for p in sorted((data / folder).glob(pattern)) if "CC-BY-SA" not in p.parts]
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


def main() -> None:
    """Print a row a control."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    whole: dict[str, list[float]] = {name: [] for name in CONTROLS}
    tracks: dict[str, list[float]] = {name: [] for name in CONTROLS}
    spread: dict[str, list[float]] = {name: [] for name in CONTROLS}
    used: dict[str, int] = {}
    for source, score in pieces(Path(os.environ.get("PARTIMENTO_DATA", "/data")), count):
        used[source] = used.get(source, 0) + 1
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
    for name in CONTROLS:
        low, high = (pick(np.quantile(whole[name], q), np.quantile(tracks[name], q)) for pick, q in
                     ((min, 0.05), (max, 0.95)))
        print(json.dumps({"control": name, "low": round(float(low), 3), "high": round(float(high), 3),
                          "tolerance": round(float(np.median(spread[name])) / 2, 3),
                          "median": round(float(np.median(whole[name])), 3),
                          "piece": [round(float(np.quantile(whole[name], q)), 3) for q in (.05, .95)],
                          "pieces": used}))


if __name__ == "__main__":
    main()
