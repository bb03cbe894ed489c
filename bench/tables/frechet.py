"""What the Fréchet Music Distance tells apart.

    python bench/run.py --tables frechet
    python bench/tables/frechet.py --rows "halves;to pop909" --limit 40      # by hand, some pieces
"""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
import corruptions
from peers import music, remembered, rows_by_hand
from pieces import scores_of, work_of

from partimento import features
from partimento.features.notes import FloatArray
from partimento.judge import embedding
from partimento.judge.embedding import EMBEDDING, embed
from partimento.judge.frechet import corrected_distance, frechet_distance
from partimento.notation.play import played
from partimento.sampling import generator
from partimento.score import Score

BARS = 16
SETS = ("pop909", "nottingham/MIDI", "openewld", "js_fakes")
EACH, SPLITS = 100, 8          # pieces of a half; times that a set is halved
FEWEST = 8                     # notes of a stretch
PROTOCOL = (
    f"A half of a set, made wrong, to its other half untouched, by the Fréchet Music Distance freed of the sets' size, "
    f"in the space `{EMBEDDING}` (mean ± deviation of {SPLITS} halvings by work, at most {EACH} "
    f"pieces a half, stretches of {BARS} bars drawn by their names); `changed`: that share of the pitches 1 to 6 "
    "semitones "
    "off; `permuted`: the same bars in another order; `shuffled`: the pitches of a track dealt anew. `to SET`: a half "
    "of the one set to a half of the other. `same set nearest`: the share of pieces whose nearest of all other works' "
    "pieces is of their own set, where a blind guess has 0.25. `MIDI to ABC`: the melodies of nottingham in its two "
    "encodings. The axes were taught by one half of the works of the verdict-A sets; how many of which kind was chosen "
    "on corruptions of the other half. None of these four sets taught or chose, though pop909, nottingham and openewld "
    "were among those in a count of nearest sets that was looked at on the way.")


def rows() -> list[str]:
    """Return the names of the rows."""
    return [*PROOFS, *(f"to {name}" for name in SETS),
            "same set nearest", "MIDI to ABC"]


def row(name: str, limit: int | None = None) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many pieces of each set."""
    if name in PROOFS:
        return {one: proof(one, name, limit) for one in SETS}
    if name.startswith("to "):
        return {one: between(one, name[3:], limit) for one in SETS if one != name[3:]}
    if name == "same set nearest":
        return nearest(limit)
    if name == "MIDI to ABC":
        return {"nottingham/MIDI": encodings(limit)}
    raise ValueError(f"no such row: {name}")


# --- the distance ----------------------------------------------------------------------------------------------------

Change = Callable[[Score, np.random.Generator], Score | None]


@functools.cache
def stretches(name: str, limit: int | None) -> tuple[tuple[str, ...], tuple[Score, ...]]:
    """Return the works of the pieces of a set, and a stretch of each, as it sounds."""
    works, pieces = [], []
    music(name.partition("/")[0])
    for place, score in scores_of(name):
        if (name == "pop909" and "/versions/" in place) or len(works) == limit:
            continue
        whole = played(score)
        rng = generator(int(hashlib.sha256(place.encode()).hexdigest()[:8], 16))
        first = int(rng.random() * (max(whole.n_bars - BARS, 0) + 1))
        part = features.excerpt(whole, first, min(first + BARS, whole.n_bars), held=True)
        if len(part) >= FEWEST and features.pitched(part).any():
            works.append(work_of(name, place))
            pieces.append(part)
    return tuple(works), tuple(pieces)


def wrong(share: float) -> Change:
    """Return what puts a share of the pitched notes 1 to 6 semitones off."""

    def change(score: Score, rng: np.random.Generator) -> Score:
        put = (rng.random(len(score)) < share) & features.pitched(score)
        by = (1 + (rng.random(len(score)) * 6).astype(np.int64)) * np.where(rng.random(len(score)) < .5, -1, 1)
        return score.replace(pitch=np.clip(np.where(put, score.pitch + by, score.pitch), 0, 127), spelling=None)

    return change


PROOFS: dict[str, Change | None] = {
    "halves": None, "2 % changed": wrong(.02), "5 % changed": wrong(.05), "10 % changed": wrong(.1),
    "20 % changed": wrong(.2), "40 % changed": wrong(.4), "permuted": corruptions.permuted,
    "shuffled": corruptions.shuffled, "random family": corruptions.at_random}


def places(name: str, kind: str, limit: int | None) -> tuple[list[str], FloatArray]:
    """Return the works of the pieces of a set and their places, made wrong in a way; NaN where one cannot be."""
    change = PROOFS[kind]

    def make() -> dict[str, Any]:
        works, pieces = stretches(name, limit)
        out = []
        for number, piece in enumerate(pieces):
            made = piece if change is None else change(piece, generator(number))
            found = None if made is None else embed(made)
            out.append(None if found is None else found.tolist())
        return {"works": works, "places": out}

    found = remembered(f"{name} {kind} {limit}", make, embedding, Path(__file__))
    axes = next(len(place) for place in found["places"] if place is not None)
    return found["works"], np.array([[np.nan] * axes if place is None else place for place in found["places"]])


def halved(works: Sequence[str], split: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the indices of two halves of pieces, by work, at most EACH in either."""
    kinds = sorted(set(works))
    order = np.argsort(generator(split).random(len(kinds)), kind="stable")
    side = {kinds[k]: i % 2 for i, k in enumerate(order.tolist())}
    mixed = np.argsort(generator(split, 1).random(len(works)), kind="stable").tolist()
    one, other = ([i for i in mixed if side[works[i]] == which][:EACH] for which in (0, 1))
    return np.array(one), np.array(other)


def said(found: Sequence[float]) -> str:
    """Return mean and deviation."""
    return f"{np.mean(found):.2f} ± {np.std(found):.2f}"


def proof(name: str, kind: str, limit: int | None) -> str:
    """Return how far halves of a set that are made wrong lie from the other halves."""
    works, real = places(name, "halves", limit)
    made = places(name, kind, limit)[1]
    found = []
    for split in range(SPLITS):
        one, other = halved(works, split)
        own = made[one]
        found.append(corrected_distance(own[np.isfinite(own).all(axis=1)], real[other], seed=1000 + split))
    return said(found)


def between(name: str, other: str, limit: int | None) -> str:
    """Return how far halves of a set lie from halves of another."""
    tables = [places(each, "halves", limit) for each in (name, other)]
    found = []
    for split in range(SPLITS):
        one, another = (table[halved(works, split)[0]] for works, table in tables)
        found.append(corrected_distance(one, another, seed=1000 + split))
    return said(found)


def nearest(limit: int | None) -> dict[str, Any]:
    """Return the share of pieces of each set whose nearest piece of another work is of the same set."""
    works: list[str] = []
    tables: list[FloatArray] = []
    for name in SETS:
        of, table = places(name, "halves", limit)
        chosen = np.concatenate(halved(of, 0))
        works += [f"{name} {of[i]}" for i in chosen.tolist()]
        tables.append(table[chosen])
    table, work = np.vstack(tables), np.array(works)
    kind = np.repeat(np.arange(len(SETS)), [len(one) for one in tables])
    far = (table ** 2).sum(axis=1)[:, None] + (table ** 2).sum(axis=1) - 2 * table @ table.T
    far[work[:, None] == work] = np.inf
    right = kind[far.argmin(axis=1)] == kind
    return {name: float(right[kind == k].mean()) for k, name in enumerate(SETS)}


def melody(score: Score) -> Score:
    """Return the track that lies highest, as it sounds."""
    whole = played(score)
    heights = [(float(whole.pitch[whole.track == track].mean()), track) for track in np.unique(whole.track).tolist()]
    return whole.select(whole.track == max(heights)[1])


def encodings(limit: int | None) -> str:
    """Return how far the tunes of nottingham in MIDI lie from the same in ABC, and how many find themselves there."""
    midi, page = (dict(scores_of(name)) for name in ("nottingham/MIDI", "nottingham/ABC_cleaned"))
    tunes = {place.removesuffix(".mid"): place for place in midi}
    same = [(tunes[name], place) for place in sorted(page) if (name := place.replace(".abc#", "")) in tunes][:limit]
    one = np.array([embed(melody(midi[place])) for place, _ in same])
    other = np.array([embed(melody(page[place])) for _, place in same])
    far = (one ** 2).sum(axis=1)[:, None] + (other ** 2).sum(axis=1) - 2 * one @ other.T
    own = float(np.mean(far.argmin(axis=1) == np.arange(len(far))))
    return (f"{corrected_distance(one, other):.2f} (plain {frechet_distance(one, other):.2f}); {own:.3f} of "
            f"{len(same)} tunes are nearest to themselves")


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=";", limit=None)
