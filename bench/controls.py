"""What low, high and tolerance of every control real music gives, beside what the table of controls says.

    python bench/run.py controls
    python bench/controls.py 100        # fewer pieces of each set

Sets: played or made for the ear: pop909, mutopia_midi (public domain and CC-BY), freedoom_midi, nottingham, 400
pieces of each; written: openscore_lieder, openscore_quartets, openewld, open_hymnal, 150 of each; drawn by a fixed
seed. Bars of one beat, which most of pop909 claims, are read as 4/4; pop909, whose notes lie beside its beats, does
not count for what depends on places in the bar, and written music does not for what depends on velocities. Swing is
learnt from the 400 beats of groove alone: elsewhere eighths are as good as always straight. low and high: the 5 % and
95 % quantiles over pieces and over their tracks (of 8 notes and more; chords are of all tracks together), whichever
is further out. tolerance: half the median, over the pieces in which the measure moves at all, of its standard
deviation from bar to bar (of what one bar cannot show: from 8 bars to 8 bars).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from peers import Row, music, show

from partimento import features
from partimento.controls import CONTROLS
from partimento.data.reading import read_one
from partimento.formats import read_fast
from partimento.score import Meter, Score

PIECES, WRITTEN_PIECES = 400, 150
MOST_BARS = 64                      # of a piece, for the spread from bar to bar
PLAYED = {"pop909": "[0-9]*/[0-9]*.mid", "mutopia_midi": "[PC]*/**/*.mid", "freedoom_midi": "*.mid",
          "nottingham": "MIDI/*.mid"}
WRITTEN = {"openscore_lieder": "**/*.mxl", "openscore_quartets": "**/*.mxl", "openewld": "**/*.mxl",
           "open_hymnal": "**/*.abc"}
SWUNG = {"groove": "**/*_beat_4-4.mid"}
OF_PLACES = ("syncopation", "swing", "accents")
OF_VELOCITY = ("loudness", "dynamics", "accents")
OF_ALL_TRACKS = ("chord_changes",)


def pieces(count: int) -> Iterator[tuple[str, Score]]:
    """(set, Score) of each piece drawn."""
    rng = np.random.default_rng(0)
    for name, pattern in (PLAYED | SWUNG).items():
        files = [p for p in sorted(music(name).glob(pattern)) if "CC-BY-SA" not in p.parts]
        for i in rng.permutation(len(files))[:count]:
            score = read_fast(files[int(i)])
            if any(m.numerator == 1 for m in score.meters):
                score = score.replace(meters=(Meter(0, 4, 4),))
            if len(score) >= 8:
                yield name, score
    for name, pattern in WRITTEN.items():
        files = sorted(music(name).glob(pattern))
        for i in rng.permutation(len(files))[:min(count, WRITTEN_PIECES)]:
            found = read_one(files[int(i)])[1]
            if found is not None and len(found) >= 8:
                yield name, found


def moving(score: Score) -> dict[str, list[float]]:
    """The values of each control from bar to bar, or from 8 bars to 8 bars where one bar cannot show it."""
    bars = min(score.n_bars, MOST_BARS)
    table = features.by_bar(score)
    stretches = [features.excerpt(score, first, first + 8) for first in range(0, bars - 7, 8)]
    found = {}
    for name, control in CONTROLS.items():
        if name in features.BAR_MEASURES:
            values = table[name][:bars]
            found[name] = values[~np.isnan(values)].tolist()
        else:
            found[name] = [v for s in stretches for v in [control.measure(s, None)] if v is not None]
    return found


def main(argv: list[str]) -> list[Row]:
    """Return a row a control: its tolerance, and in the note its low and high."""
    whole: dict[str, list[float]] = {name: [] for name in CONTROLS}
    tracks: dict[str, list[float]] = {name: [] for name in CONTROLS}
    spread: dict[str, list[float]] = {name: [] for name in CONTROLS}
    read = 0
    for source, score in pieces(int(argv[0]) if argv else PIECES):
        read += 1
        sizes = np.bincount(score.track, minlength=len(score.tracks))
        moves = moving(score)
        for name, control in CONTROLS.items():
            if (source == "pop909" and name in OF_PLACES) or (source in WRITTEN and name in OF_VELOCITY) or \
                    (source in SWUNG) != (name == "swing"):
                continue
            whole[name] += [v for v in [control.measure(score, None)] if v is not None]
            single = [] if name in OF_ALL_TRACKS else np.flatnonzero(sizes >= 8).tolist()
            tracks[name] += [v for t in single for v in [control.measure(score, t)] if v is not None]
            if len(moves[name]) >= 4 and np.std(moves[name]) > 0:
                spread[name].append(float(np.std(moves[name])))
    return [learnt(name, whole[name], tracks[name], spread[name], read) for name in CONTROLS]


def learnt(name: str, whole: list[float], tracks: list[float], spread: list[float], read: int) -> Row:
    """Return the row of one control."""
    low, high = (choose(float(np.quantile(values, share)) for values in (whole, tracks) if values)
                 for choose, share in ((min, 0.05), (max, 0.95)))
    told: Any = CONTROLS[name]
    return {"name": name, "ours": float(np.median(spread)) / 2, "peer": None, "ratio": None, "target": None,
            "unit": told.unit, "n": read, "note": f"tolerance, low {low:.3g}, high {high:.3g}; the table says "
            f"{told.tolerance:g}, {told.low:g}, {told.high:g}"}  # fmt: skip


if __name__ == "__main__":
    show(main)
