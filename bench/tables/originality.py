"""Borrowed passages found in other pieces, whatever was changed of them, and human pieces that are taken for borrowers.

    python bench/run.py --tables originality
    python bench/tables/originality.py --rows "10 % of notes changed;held-out pieces" --limit 40    # some
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
from copies_planted import LENGTHS, SHARES, WAYS, everything, passage, planted_in
from peers import music, rows_by_hand
from pieces import CLOSED, scores_of, work_of

from partimento.fingerprint import melody_print, same_as
from partimento.fingerprint.index import Index, build_index, read_index
from partimento.judge.originality import originality
from partimento.score import Score

SETS = ("mutopia_midi", "openscore_lieder", "nottingham/ABC_cleaned", "pop909")
LOOKED_AT = Path(__file__).with_name("originality_duplicates.json")
INDEXED = 1000          # works in the index
COPIES = 120            # passages of each kind and length
LONGEST = 60            # bars of a piece that a passage is planted in
PROTOCOL = (
    "Pieces of mutopia_midi (verdict A), openscore_lieder, nottingham (ABC) and pop909, split in halves by work. All "
    "settings were found on half 0; the numbers are of half 1. 1,000 works of it, drawn, are the index, the others "
    "are held out. Passages of 4, 8 and 16 bars are drawn from the index whose melody has three notes a bar in the "
    "mean, repeated ones counted once (the rows `two notes a bar` and `one note a bar`: so many up to the next more), "
    "changed as `bench/copies_planted.py` says, and put between two bars of a held-out piece of 4 to 60 bars. The "
    "cells are the shares of 120 that are found: the verdict on the whole piece is `borrows`, and a borrowed passage "
    "lies for the most part in what was planted, or the other way round; `right source`: and it is said to come from "
    "the piece that it was drawn from (of 8 bars). `all at once`: another key, other note values, ornaments, "
    "re-voiced, and a share of the notes changed. `held-out pieces` are whole human pieces of works that are not in "
    "the index: the share that is said to borrow. Pieces left out there as true duplicates are in "
    "`bench/tables/originality_duplicates.json`: those that `fingerprint.same_as` finds in the index, and three "
    "that were looked at because they were said to borrow, and hold the same music (with them it is 0.0077).")
Piece = tuple[str, Score]


def rows() -> list[str]:
    """Return the names of the rows."""
    return ["held-out pieces", *WAYS, *(f"all at once, {share:.0%} changed" for share in SHARES), *SPARSE,
            "held-out pieces, strict"]


def row(name: str, limit: int | None = None) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many pieces."""
    if name.startswith("held-out"):
        return held_out("strict" if name.endswith("strict") else "normal", limit)
    if name in SPARSE:
        return found(WAYS["exact"], limit, SPARSE[name])
    if name in WAYS:
        return found(WAYS[name], limit)
    share = float(name.split(", ")[1].split("%")[0]) / 100
    return found(lambda part, random_: everything(part, random_, share), limit)


SPARSE = {"exact, two notes a bar": (2.0, 3.0), "exact, one note a bar": (1.0, 2.0)}


@lru_cache(1)
def pieces(half: int = 1) -> tuple[list[Piece], list[Piece]]:
    """Return the pieces in the index and those held out, by name."""
    works: dict[tuple[str, str], list[Piece]] = {}
    for name in SETS:
        music(name.partition("/")[0])
        for place, score in scores_of(name, half):
            if len(score) and not (name == "mutopia_midi" and place.startswith(CLOSED)) and "versions" not in place:
                works.setdefault((name, work_of(name, place)), []).append((f"{name}/{place}", score))
    order = sorted(works)
    np.random.default_rng(0).shuffle(order)
    sides: tuple[list[Piece], list[Piece]] = ([], [])
    for number, work in enumerate(order):
        sides[number >= INDEXED].extend(works[work[0], work[1]])
    return sides


@lru_cache(1)
def index(half: int = 1) -> Index:
    """Return the index of the pieces in it."""
    return read_index(build_index(pieces(half)[0]))


def held_out(strength: str, limit: int | None) -> dict[str, Any]:
    """Return how many held-out pieces are said to borrow."""
    known, others = pieces()
    like = same_as([melody_print(score) for _, score in others], [melody_print(score) for _, score in known])
    listed = json.loads(LOOKED_AT.read_text(encoding="utf-8"))
    seen = listed["looked at"]
    left = [piece for piece, one in zip(others, like, strict=True) if one is None and piece[0] not in seen]
    if not limit:
        listed["found"] = {name: known[one][0] for (name, _), one in zip(others, like, strict=True) if one is not None}
        LOOKED_AT.write_text(json.dumps(listed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    left = left[:limit]
    judged = [(name, originality(score, index(), strength=strength)) for name, score in left]
    verdicts = [one.verdict for _, one in judged]
    for name, one in judged:
        if one.verdict == "borrows":
            print(f"{name}: {one.text}", flush=True)
    return {"pieces": len(left), "duplicates left out": len(others) - len(left) if not limit else None,
            "said to borrow": round(verdicts.count("borrows") / len(left), 4),
            "common material": round(verdicts.count("common material") / len(left), 4),
            "bytes a note": round(index().nbytes / index().notes, 2)}


def found(way: Callable[[Score, np.random.Generator], Score], limit: int | None,
          density: tuple[float, float] | None = None) -> dict[str, Any]:
    """Return the shares of planted passages of each length that are found."""
    known, others = pieces()
    hosts = [piece for piece in others if 4 <= piece[1].n_bars <= LONGEST]
    cells: dict[str, Any] = {}
    for bars in LENGTHS:
        draw, hits, right = random.Random(bars), [], []
        while len(hits) < (limit or COPIES):
            (name, source), (_, host) = draw.choice(known), draw.choice(hosts)
            random_ = np.random.default_rng(draw.randrange(1 << 30))
            part = passage(source, bars, random_, density[0]) if density else passage(source, bars, random_)
            if part is None or (density and passage(part[0], bars, random_, density[1])):
                continue
            score, _, (start, end) = planted_in(host, way(part[0], random_), random_)
            taken = [one for one in originality(score, index()).passages if one.borrowed
                     and 2 * (min(one.end, end) - max(one.start, start)) > min(one.end - one.start, end - start)]
            hits.append(bool(taken))
            right.append(any(one.source == name for one in taken))
        cells[f"{bars} bars"] = round(float(np.mean(hits)), 4)
        if bars == 8:
            cells["right source"] = round(float(np.mean(right)), 4)
    return {**cells, "passages": len(hits)}


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=";", limit=None)
