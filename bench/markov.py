"""Counting n-grams and walking many lines at once, beside markovify on the same lines at the same order.

    python bench/run.py markov

The lines are the pitches of the melodies of pop909, with an end sign between them, as lists of numbers; to turn them
into arrays is part of our time. Ours counts every order up to the one named and backs off; markovify counts that one
alone. Walks are in tokens a second, end signs not counted: ours many at once, each going on with a new line where one
ends; markovify's one after another, as it comes and compiled, which is its quickest.
"""

from __future__ import annotations

import random
from itertools import chain
from statistics import median
from typing import Any

import numpy as np
from peers import Row, music, peer, seconds, show, side_by_side, version

from partimento.counting.mixture import Mixture, View
from partimento.counting.walk import walk
from partimento.formats import read_fast

ORDERS = (2, 4)
END = 128
WALKS = 4000
STEPS = 512
ROUNDS = 5


def melodies() -> list[list[int]]:
    """Return the pitches of each melody, onset after onset."""
    out = []
    for path in sorted(music("pop909").glob("[0-9]*/[0-9]*.mid")):
        score = read_fast(path)
        named = [i for i, track in enumerate(score.tracks) if track.name == "MELODY"]
        out.append(score.pitch[np.isin(score.track, named)].tolist())
    return [line for line in out if line]


def counted(lines: list[list[int]], order: int) -> Mixture:
    """Return what followed each context of up to `order` pitches."""
    ends = [END] * order
    row = np.array(list(chain.from_iterable(ends + line for line in lines)) + ends)
    places = np.flatnonzero((row[order:] != END) | (row[order - 1:-1] != END)) + order   # an end sign is foretold once
    model = Mixture([View(tuple(f"h{lag + 1}" for lag in range(order)))], END + 1)
    model.fit({}, np.stack([row[places - 1 - lag] for lag in range(order)], axis=1), row[places])
    return model


def main(argv: list[str]) -> list[Row]:
    """Return two rows an order: to count, and to walk."""
    markovify = peer("markovify")
    lines = melodies()
    tokens = sum(map(len, lines))
    rows: list[Row] = []
    for order in ORDERS:
        own, other = side_by_side(lambda: counted(lines, order), lambda: markovify.Chain(lines, order),  # noqa: B023
                                  ROUNDS)
        rows.append({"name": f"count, order {order}", "ours": own, "peer": other, "ratio": other / own,
                     "target": ">= 2x", "unit": "s", "n": ROUNDS,
                     "note": f"{version(markovify)}, {len(lines)} lines, {tokens:,} tokens"})
        model, theirs = counted(lines, order), markovify.Chain(lines, order)
        rows.append(walked(f"walk, order {order}", model, theirs))
        rows.append(walked(f"walk, order {order}, theirs compiled", model, theirs.compile()))
    return rows


def walked(name: str, model: Mixture, theirs: Any) -> Row:
    """Return the row of the walks of one order."""
    made = [0, 0]
    rng = np.random.Generator(np.random.PCG64(0))
    random.seed(0)

    def walk_ours() -> None:
        made[0] = int((walk(model, WALKS, STEPS, rng) != END).sum())

    def walk_theirs() -> None:
        made[1] = sum(len(theirs.walk()) for _ in range(WALKS // 10))

    turns = [(seconds(walk_ours), seconds(walk_theirs), *made) for _ in range(ROUNDS + 1)][1:]
    own, other = median(turn[2] / turn[0] for turn in turns), median(turn[3] / turn[1] for turn in turns)
    return {"name": name, "ours": own, "peer": other, "ratio": own / other, "target": ">= 5x", "unit": "tokens/s",
            "n": ROUNDS, "note": f"{WALKS:,} lines of {STEPS} tokens at once"}


if __name__ == "__main__":
    show(main)
