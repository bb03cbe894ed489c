"""Spelling thrown away and found again, beside ps13: the share of notes as the composer spelled them.

    python bench/run.py --tables spelling
    python bench/tables/spelling.py --rows openscore_quartets --limit 10     # by hand, some pieces
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path += [str(Path(__file__).resolve().parents[1])]
import spelling_fit
from peers import rows_by_hand

from partimento.features import pitched
from partimento.notation import spelling
from partimento.notation.names import OFFSET
from partimento.score import Score

PROTOCOL = (
    "Percent of the pitched notes of every file, grace notes too; tied notes are one. No piece is spelled by weights "
    "that were shown its work: the works are on two sides (`bench/spelling_fit.py`), each spelled by weights fitted on "
    "the other (and on openscore_orchestra). `keys`: the written key signatures are given; `no keys`: only the notes. "
    "`shifted`: after one shift of the whole piece by 12 fifths where that helps (six flats for six sharps). `median "
    "piece`: of the pieces' own percentages, with keys. ps13 is ps13s1 of Meredith (2006) with his 10 notes before and "
    "40 from each note on, the steps of partitura's estimate_spelling in arrays; it uses no keys. notes/s: `spell` on "
    "one core, reading not counted.")
Ints = npt.NDArray[np.int64]


def rows() -> list[str]:
    """Return the names of the rows."""
    return list(spelling_fit.TESTED)


def row(name: str, limit: int | None = None) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many files."""
    weights = [spelling_fit.fitted(side) for side in (0, 1)]
    tested = [piece for piece in spelling_fit.pieces() if piece.set == name][:limit]
    ways = ("keys", "no keys", "ps13")
    right = {way: np.zeros((len(tested), 2), np.int64) for way in ways}     # as it is, shifted
    sizes = np.zeros(len(tested), np.int64)
    seconds = 0.0
    for i, piece in enumerate(tested):
        score = piece.score
        assert score.spelling is not None
        notes = pitched(score) & (score.spelling >= 0)
        sizes[i] = notes.sum()
        for way in ways:
            begin = time.perf_counter()
            found = ps13(score) if way == "ps13" else spelling.spell(score, keys=way == "keys",
                                                                     weights=weights[1 - piece.side])
            seconds += time.perf_counter() - begin if way == "keys" else 0
            apart = found[notes] - score.spelling[notes]
            right[way][i] = (apart == 0).sum(), max((apart == shift).sum() for shift in (-12, 0, 12))
    cells: dict[str, Any] = {"files": len(tested), "notes": int(sizes.sum())}
    for way in ways:
        share = 100 * right[way].sum(0) / sizes.sum()
        cells |= {way: round(float(share[0]), 2), f"{way}, shifted": round(float(share[1]), 2)}
    cells["median piece"] = round(float(np.median(100 * right["keys"][:, 0] / sizes)), 2)
    cells["notes/s"] = round(float(sizes.sum()) / seconds)
    return cells


def ps13(score: Score, before: int = 10, after: int = 40) -> Ints:
    """Return the spelling that ps13s1 gives to every pitched note, as `spelling.spell` does."""
    own = np.flatnonzero(pitched(score))
    order = own[np.lexsort((score.pitch[own], score.onset[own]))]
    chroma = (score.pitch[order] - 21) % 12                             # A is 0
    counted = np.zeros((len(order) + 1, 12), np.int64)
    counted[np.arange(1, len(order) + 1), chroma] = 1
    counted = counted.cumsum(0)
    place = np.arange(len(order))
    near = counted[np.minimum(place + after, len(order))] - counted[np.maximum(place - before, 0)]
    steps = np.array([0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6])              # from each tonic up to each chroma
    first = np.array([0, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6, 6])[chroma[:1]]
    tonics = np.arange(12)
    votes = (steps[(chroma[:, None] - tonics) % 12] + first - steps[(chroma[:1] - tonics) % 12]) % 7
    strength = np.zeros((len(order), 7), np.int64)
    np.add.at(strength, (np.repeat(place, 12), votes.ravel()), near.ravel())
    letter = strength.argmax(1)
    natural = np.array([0, 2, 3, 5, 7, 8, 10])[letter]                  # A B C D E F G
    fifth = np.array([3, 5, 0, 2, 4, -1, 1])[letter]
    out = np.full(len(score), -1, np.int64)
    out[order] = fifth + 7 * ((chroma - natural + 6) % 12 - 6) + OFFSET
    return out


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, limit=None)
