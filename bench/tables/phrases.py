"""Phrases found from the notes alone, beside rests, long notes and the local boundary detection model.

    python bench/run.py --tables phrases
    python bench/tables/phrases.py --rows "lieder, voice" --limit 20      # by hand, some pieces
    python bench/tables/phrases.py --fit                                  # the constants, fitted anew on the other half
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

sys.path += [str(Path(__file__).resolve().parents[1])]
from peers import music, rows_by_hand

from partimento import features
from partimento.data.reading import read_one
from partimento.score import Score

PROTOCOL = (
    "Precision, recall and F1 of the notes at which phrases begin, over all tested pieces together; the first note of "
    "a piece does not count. `chorales`: chorale_melodies, where a phrase of the soprano ends with a fermata; from all "
    "four parts, or from the soprano alone. `lieder, voice`: the sung part of 400 files of openscore_lieder (drawn "
    "with seed 0), where a new phrase is taken to begin with the syllable after a punctuation mark: not every comma is "
    "breathed at, so nobody can reach 1. Tested on one half, the constants were fitted on the other: chorales by tune "
    "(the first six moves of the melody), lieder by composer. `rests`: a phrase after each rest. `rests, long notes`: "
    "also after each note that lasts to the next for twice the median length or more. LBDM: E. Cambouropoulos, ICMC "
    "2001, weights 0.25 (pitch), 0.5 (onsets), 0.25 (rests), its peaks above the mean and half a deviation.")
LIEDER = 400
START = {"STILL": 2, "SHRINK": 0.5, "REST": 5, "MOVE": 2, "SHORT": 1, "START": 2, "PLACE": 0.5, "LENGTH": 3, "BAR": 1,
         "HALF": 2}                # where the fit begins
ROUNDS = 4
Found = set[int]


class Piece(NamedTuple):
    """A melody: its Score, its track, onsets, ends and pitches, the onsets at which phrases begin, and its half."""

    score: Score
    track: int
    onset: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    pitch: npt.NDArray[np.int64]
    truth: Found
    tested: bool


def rows() -> list[str]:
    """Return the names of the rows."""
    return ["chorales, all parts", "chorales, soprano", "lieder, voice"]


def row(name: str, limit: int | None = None) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many files."""
    tested = [piece for piece in pieces(name, limit) if piece.tested]
    whole = name == "chorales, all parts"
    precision, recall, own = judged(tested, lambda piece: ours(piece, whole))
    others = {"rests": rests, "rests, long notes": lambda piece: rests(piece, 2.0), "LBDM": lbdm}
    return {"ours F1": own, "precision": precision, "recall": recall,
            **{f"{key} F1": judged(tested, way)[2] for key, way in others.items()},
            "pieces": len(tested), "phrases": sum(len(piece.truth) for piece in tested)}


def pieces(name: str, limit: int | None = None) -> Iterator[Piece]:
    """The melodies of both halves."""
    if name.startswith("chorales"):
        for path in sorted(music("chorale_melodies").glob("*.krn"))[:limit]:
            score = read_one(path)[1]
            if score is not None:
                ticks = [m.tick for m in score.marks if m.kind == "fermata" and (not m.text or "0" in m.text.split())]
                yield melody(score, 0, ticks, None)
        return
    files = sorted(music("openscore_lieder").rglob("*.mxl"))
    for i in np.random.default_rng(0).permutation(len(files))[:LIEDER][:limit]:
        score = read_one(files[int(i)])[1]
        words = [t for t in score.texts if t.kind == "lyric"] if score else []
        if score is None or len(words) < 20:
            continue
        track = int(np.bincount([t.track for t in words]).argmax())
        sung = sorted((t.tick, t.text.strip().rstrip("_\"'”»)")) for t in words if t.track == track)
        begins = [after[0] for (_, text), after in pairwise(sung) if re.search(r"[,.;:!?]$", text)]
        composer = files[int(i)].relative_to(music("openscore_lieder")).parts[-4]
        piece = melody(score, track, None, begins, half(composer))
        if len(piece.truth) >= 4:
            yield piece


def melody(score: Score, track: int, last: list[int] | None, first: list[int] | None,
           tested: bool | None = None) -> Piece:
    """The melody of a track; its phrases end with the notes that sound at `last`, or begin at `first`."""
    own = score.select((score.track == track) & (score.duration > 0))
    onset, place = np.unique(own.onset.astype(np.int64), return_index=True)
    place = np.append(place[1:], len(own)) - 1                 # the top note of each onset
    end = np.minimum(own.offset[place], np.append(onset[1:], score.end)).astype(np.int64)
    pitch = own.pitch[place].astype(np.int64)
    if last is not None:
        after = [int(np.searchsorted(onset, tick, side="right")) for tick in last]
        first = [int(onset[i]) for i in after if i < len(onset)]
    moves = np.diff(pitch)
    tune = " ".join(map(str, moves[moves != 0][:6].tolist()))
    return Piece(score, track, onset, end, pitch, set(first or ()), half(tune) if tested is None else tested)


def half(work: str) -> bool:
    """Whether a work is of the half that is tested."""
    return hashlib.sha256(work.encode()).digest()[-1] % 2 == 1


def judged(tested: list[Piece], way: Callable[[Piece], Found]) -> tuple[float, float, float]:
    """Precision, recall and F1 of the beginnings that `way` finds."""
    counts = np.zeros(3)
    for piece in tested:
        found = way(piece) - {int(piece.onset[0])}
        counts += len(found & piece.truth), len(found), len(piece.truth - {int(piece.onset[0])})
    both, found_all, true_all = counts.tolist()
    precision, recall = both / max(1, found_all), both / max(1, true_all)
    return precision, recall, 2 * both / max(1, found_all + true_all)


def ours(piece: Piece, whole: bool = False) -> Found:
    """Where `features.phrases` begins phrases: by all parts, or by the melody alone."""
    return {begin for begin, _ in features.phrases(piece.score, None if whole else piece.track)}


def rests(piece: Piece, times: float = np.inf) -> Found:
    """After each rest, and after each note that lasts to the next for `times` the median length or more."""
    gap = np.diff(piece.onset)
    long = gap >= times * np.median(piece.end - piece.onset)
    return set(piece.onset[1:][(gap > (piece.end - piece.onset)[:-1]) | long].tolist())


def lbdm(piece: Piece, above: float = 0.5) -> Found:
    """The peaks of the local boundary detection model."""
    gap = np.diff(piece.onset).astype(np.float64)
    total = np.zeros(len(gap))
    silent = np.maximum(0, gap - (piece.end - piece.onset)[:-1])
    for share, size in ((0.25, np.abs(np.diff(piece.pitch)).astype(np.float64)), (0.5, gap), (0.25, silent)):
        both = size[1:] + size[:-1]
        change = np.divide(np.abs(np.diff(size)), both, out=np.zeros_like(both), where=both > 0)
        strength = size * (np.append(0, change) + np.append(change, 0))
        total += share * strength / max(strength.max(initial=0), 1e-9)
    if len(total) < 3:
        return set()
    peak = (total[1:-1] >= total[:-2]) & (total[1:-1] > total[2:]) & (total[1:-1] > total.mean() + above * total.std())
    return set(piece.onset[2:-1][peak].tolist())


def fit() -> None:
    """Climb from START, one constant at a time, on the half that is not tested, and print the constants."""
    module: Any = importlib.import_module("partimento.features.phrases")
    learnt = {name: [piece for piece in pieces(name) if not piece.tested] for name in rows()}

    def goal() -> float:
        return sum(judged(known, partial(ours, whole=name == "chorales, all parts"))[2]
                   for name, known in learnt.items())

    for name, value in START.items():
        setattr(module, name, float(value))
    best = goal()
    for name, factor in [(name, factor) for _ in range(ROUNDS) for name in START for factor in (0.7, 1.4, 1.4)]:
        before = getattr(module, name)
        setattr(module, name, before * factor)
        if (reached := goal()) > best + 0.001:
            best = reached
        else:
            setattr(module, name, before)
    print({name: round(getattr(module, name), 2) for name in START}, "sum of the three F1:", round(best, 3))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--fit", action="store_true")
    if parser.parse_known_args()[0].fit:
        fit()
    else:
        rows_by_hand(__doc__, rows(), row, between=";", limit=None)
