"""Bars of performed pop songs found from their notes, beside one place a song, the bars of the file, and pretty_midi.

    python bench/run.py --tables downbeats
    python bench/tables/downbeats.py --rows "all songs" --limit 40     # by hand, some songs
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
from downbeat_fit import halves
from peers import peer, rows_by_hand

from partimento import formats
from partimento.data.reading import read_one
from partimento.formats import bars as bars_room
from partimento.formats.bars import FoundBar, Rule, find_bars
from partimento.formats.downbeat import downbeat
from partimento.formats.rebar import rebar
from partimento.score import Meter, Score

PROTOCOL = (
    "F1 of downbeats within 70 ms (matched one to one), the mean over songs; the tempo is the file's. beat_midi.txt, "
    "which a program made, marks downbeats twice: of simple meters (2/4, 3/4), `halves` here, and of compound ones "
    "(4/4, 6/8), `bars`. Ours are the bars that `--input-meter auto` finds, and for halves those and their middles; "
    "`one place` is `--input-downbeat auto` in 4/4, `from 0` 4/4 from the first tick, `file` the bars that the file "
    "says, pretty_midi its get_downbeats. `audio` are the downbeats of the set's other annotation, beat_audio.txt, "
    "against these: how far two annotations agree. `both agree`: the songs where they do, F1 above 0.85 of their beats "
    "and of their bars. What ships was learnt on halves of openscore_lieder and mutopia_midi. `pop taught`: weights "
    "that one half of pop909 taught too (downbeats_pop909.json), which may not ship, since the songs are in copyright; "
    "the other half is `songs not learnt from`. Settings were chosen with all songs in sight. `written songs`: bars "
    "taken away from the other half of openscore_lieder, in one meter throughout; `one place` is told the meter.")
POP = Path(__file__).with_name("downbeats_pop909.json")
WINDOW = 0.07
AGREE = 0.85
Floats = npt.NDArray[np.float64]


def rows() -> list[str]:
    """Return the names of the rows."""
    return ["all songs", "songs not learnt from", "both agree", "written songs in 4/4",
            "written songs in 3/4", "written songs in 6/8"]


def row(name: str, limit: int | None = None) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many songs."""
    if name.startswith("written"):
        return written(name, limit)
    pretty_midi = peer("pretty_midi")
    learnt, other = halves()
    folders = other if name == "songs not learnt from" else sorted(learnt + other)
    found: list[dict[str, float]] = []
    seconds = 0.0
    for folder in folders[:limit]:
        path = folder / f"{folder.name}.mid"
        score = formats.read_fast(path)
        marks, audio = (np.loadtxt(folder / f"beat_{kind}.txt", ndmin=2) for kind in ("midi", "audio"))
        halved, whole = marks[marks[:, 1] > 0, 0], marks[marks[:, 2] > 0, 0]
        heard = audio[audio[:, 1] == 1, 0]
        if name == "both agree" and min(f1(marks[:, 0], audio[:, 0]), f1(whole, heard)) <= AGREE:
            continue
        begin = time.perf_counter()
        bars = find_bars(score)
        seconds += time.perf_counter() - begin
        place = downbeat(score, 4, 4)
        ways = {"ours": with_middles(bars, score), "pop taught": with_middles(pop_taught(score), score),
                "one place": (every(score, place % 2, 2), every(score, place, 4)),
                "from 0": (every(score, 0, 2), every(score, 0, 4)),
                "file": (score.bar_starts[:-1], score.bar_starts[:-1])}
        timed = {way: tuple(score.seconds(np.asarray(ticks, np.int64)) for ticks in both)
                 for way, both in ways.items()}
        downs = np.asarray(pretty_midi.PrettyMIDI(str(path)).get_downbeats())
        timed |= {"pretty_midi": (downs, downs), "audio": (heard, heard)}
        found.append({f"{way}, {kind}": f1(right, times) for way, both in timed.items()
                      for kind, right, times in zip(("halves", "bars"), (halved, whole), both, strict=True)})
    cells = {key: round(float(np.mean([one[key] for one in found])), 4) for key in found[0]}
    return {**cells, "songs": len(found), "ms a song": round(1000 * seconds / max(len(folders[:limit]), 1), 1)
            if name != "both agree" else None}


def with_middles(bars: Sequence[FoundBar], score: Score) -> tuple[Sequence[int], Sequence[int]]:
    """Return the ticks of bars and of the middles of bars of four, and those of bars alone."""
    starts = [bar.tick for bar in bars]
    middles = [bar.tick + bar.quarters // 2 * score.ticks_per_quarter for bar in bars if bar.quarters == 4]
    before = [starts[0] - 2 * score.ticks_per_quarter] if bars and bars[0].quarters == 4 else []
    return sorted([*(tick for tick in before if tick >= 0), *starts, *middles]), starts


@cache
def _pop_rules() -> tuple[Any, Any, tuple[Rule, ...]]:
    kept = json.loads(POP.read_text(encoding="utf-8"))
    rules = tuple(Rule(usual, {int(k): v for k, v in others.items()}, cost) for usual, others, cost in kept["rules"])
    return np.array(kept["starts"], np.float64), np.array(kept["middles"], np.float64), rules


def pop_taught(score: Score) -> list[FoundBar]:
    """Return the bars that the weights find which half of pop909 taught too, with no rule for played music."""
    own = bars_room.STARTS, bars_room.MIDDLES, bars_room.RULES
    bars_room.STARTS, bars_room.MIDDLES, bars_room.RULES = _pop_rules()
    try:
        ways = [(*bars_room._cut(start, middle, rule), first) for first, start, middle, rules in bars_room._ways(score)
                for rule in rules]
    finally:
        bars_room.STARTS, bars_room.MIDDLES, bars_room.RULES = own
    _, begins, first = max(ways, key=lambda way: way[0], default=(0.0, [], 0))
    ticks = [first + begin * score.ticks_per_quarter for begin in begins]
    return [FoundBar(tick, (later - tick) // score.ticks_per_quarter) for tick, later in pairwise(ticks)
            if 0 <= tick < score.end]


def written(name: str, limit: int | None) -> dict[str, Any]:
    """Return the cells of the songs of one meter whose bars are taken away."""
    numerator, denominator = (int(number) for number in name.rpartition(" ")[2].split("/"))
    found: list[dict[str, float]] = []
    for path in halves("openscore_lieder")[1][:limit]:
        score = read_one(path)[1]
        if score is None or {meter[1:] for meter in score.meters} != {(numerator, denominator)}:
            continue
        bare = score.replace(meters=(Meter(0, 1, 4),), marks=())
        ways = {"ours": rebar(bare, "auto"), "one place": rebar(bare, (numerator, denominator), "auto"),
                "from 0": rebar(bare, (4, 4))}
        right = score.seconds(score.bar_starts[:-1])
        found.append({f"{way}, bars": f1(right, other.seconds(other.bar_starts[:-1])) for way, other in ways.items()})
    return {**{key: round(float(np.mean([one[key] for one in found])), 4) for key in found[0]}, "songs": len(found)}


def every(score: Score, first: float, quarters: int) -> Floats:
    """Return every so many quarters, in ticks, from `first` (in quarters) to the end of the piece."""
    return np.round(np.arange(first, score.end / score.ticks_per_quarter, quarters) * score.ticks_per_quarter)


def f1(right: Sequence[float] | Floats, found: Sequence[float] | Floats) -> float:
    """Return the F-measure of ordered times, each within 70 ms of one of the others at most once.

    >>> f1([0.0, 1.0, 2.0], [0.05, 1.5])
    0.4
    """
    hits = i = j = 0
    while i < len(right) and j < len(found):
        away = found[j] - right[i]
        hits += bool(abs(away) <= WINDOW)
        i, j = i + int(away >= -WINDOW), j + int(away <= WINDOW)
    return 2 * hits / max(len(right) + len(found), 1)


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, limit=None)
