"""Counting and walking n-grams against markovify: the same token sequences, the same order, one core, one run.

    python bench/counting.py [--data /data/pop909] [--songs 300] [--order 4] [--walks 4000]

Prints one JSON row a measure, with the ratio to markovify. Ours counts every order from 0 to `order` (it backs off),
markovify the longest alone.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import markovify
import numpy as np
import symusic

from partimento.counting.mixture import Mixture, View
from partimento.counting.walk import walk


def melodies(folder: Path, songs: int) -> list[list[int]]:
    out = []
    for path in sorted(folder.glob("[0-9]*/[0-9]*.mid"))[:songs]:
        score = symusic.Score(str(path))
        for track in score.tracks:
            notes = sorted((note.time, note.pitch) for note in track.notes)
            out.append([pitch for _, pitch in notes])
    return [line for line in out if len(line) > 16]


def best(action, times: int = 3):
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        result = action()
        found.append(time.perf_counter() - begin)
    return min(found), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("/data/pop909"))
    parser.add_argument("--songs", type=int, default=300)
    parser.add_argument("--order", type=int, default=4)
    parser.add_argument("--walks", type=int, default=4000)
    args = parser.parse_args()
    lines = melodies(args.data, args.songs)
    tokens, order = sum(map(len, lines)), args.order

    def ours() -> Mixture:
        columns = []
        for line in lines:
            padded = np.concatenate([np.full(order, -1), line])
            columns.append(np.stack([padded[order - j - 1:len(padded) - j - 1] for j in range(order)], axis=1))
        model = Mixture([View(tuple(f"h{j + 1}" for j in range(order)))], 128)
        model.fit({}, np.concatenate(columns), np.concatenate([np.asarray(line) for line in lines]))
        return model

    def theirs() -> markovify.Chain:
        return markovify.Chain(lines, order)

    our_s, model = best(ours)
    their_s, chain = best(theirs)
    row = {"bench": "markov fit", "order": order, "tokens": tokens}
    print(json.dumps(row | {"ours_s": round(our_s, 3), "markovify_s": round(their_s, 3),
                            "ratio": round(their_s / our_s, 2)}))
    length = 64
    rng = np.random.Generator(np.random.PCG64(0))
    our_s, _ = best(lambda: walk(model, args.walks, length, rng))

    def their_walks() -> int:
        made = 0
        while made < args.walks * length // 8:
            made += len(chain.walk())
        return made

    their_s, made = best(their_walks)
    ours_rate, their_rate = args.walks * length / our_s, made / their_s
    print(json.dumps({"bench": "markov batched sampling", "order": order, "walks": args.walks, "steps": length,
                      "ours_tokens_s": round(ours_rate), "markovify_tokens_s": round(their_rate),
                      "ratio": round(ours_rate / their_rate, 2)}))


if __name__ == "__main__":
    main()
