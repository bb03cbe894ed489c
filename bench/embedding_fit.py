"""Fits the space in which sets of pieces are compared on open music, and writes its axes and their ledger.

    python bench/embedding_fit.py --out src/partimento/judge/embedding.safetensors      # of the package, and ledger

Teachers are files of half 0 of the works of the sets of verdict A, at most EACH a set, drawn by their names, each as a
stretch of 8, of 16 and of 32 bars. Each set weighs the same. A fact is made a deviation from its mean; of each kind of
facts the principal axes are taken, AXES of them, and those of all kinds turned and scaled together until, in these
pieces, they are uncorrelated and of deviation 1. Nothing is learnt of wrong or of composed music. The other half of
the works, and corruptions of it, said how many axes of which kinds.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent))
from peers import music
from pieces import CLOSED, SUFFIXES, VERDICT_A, half_of

from partimento import features, formats
from partimento.data import ledger
from partimento.data.reading import file_sha256, read_one
from partimento.features.notes import FloatArray
from partimento.judge.embedding import FACTS, FAR, piece_facts
from partimento.sampling import generator

LICENCES = {"openscore_lieder": "CC0-1.0", "openscore_quartets": "CC0-1.0", "openscore_orchestra": "CC0-1.0",
            "mutopia_midi": "public domain or CC-BY", "freedoom_midi": "BSD-3-Clause", "groove": "CC-BY-4.0",
            "open_hymnal": "public domain", "chopin_first_editions": "CC-BY-4.0", "polish_piano": "CC-BY-4.0"}
EACH, TUNES, FEWEST, LARGEST = 100, 3, 16, 600_000      # files a set; tunes a file; notes; bytes
LENGTHS = (8, 16, 32)
AXES = {"harmony": 3, "melody": 3, "rhythm": 3, "texture": 2, "form": 8, "drums": 1}


class Lesson(NamedTuple):
    """What a file taught: the facts of its stretches."""

    set: str
    file: str
    sha256: str
    notes: int
    facts: list[FloatArray]


def number(text: str) -> int:
    """Return a number of 32 bits that a text gives everywhere."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def lessons(limit: int = EACH) -> list[Lesson]:
    """Return the lessons of all sets."""
    found = []
    for name in VERDICT_A:
        folder = music(name)
        paths = [path for path in folder.rglob("*") if path.suffix in SUFFIXES and CLOSED not in path.parts
                 and path.stat().st_size <= LARGEST]
        places = {path.relative_to(folder).as_posix(): path for path in paths}
        own = sorted((place for place in places if half_of(name, place) == 0), key=lambda place: (number(place), place))
        for place in own[:limit]:
            facts, notes = [], 0
            for tune in list(formats.tunes_of(places[place]))[:TUNES]:
                score = read_one(tune)[1]
                if score is None or len(score) < FEWEST:
                    continue
                notes += len(score)
                rng = generator(number(place))
                for bars in LENGTHS:
                    first = int(rng.random() * (max(score.n_bars - bars, 0) + 1))
                    part = features.excerpt(score, first, min(first + bars, score.n_bars), held=True)
                    found_facts = piece_facts(part) if len(part) >= FEWEST // 2 else None
                    facts += [] if found_facts is None else [found_facts]
            if facts:
                found.append(Lesson(name, place, file_sha256(places[place]), notes, facts))
    return found


def fit(taught: list[Lesson]) -> dict[str, FloatArray]:
    """Return the mean and scale of every fact, and the centre and axes of the space."""
    rows = np.array([row for lesson in taught for row in lesson.facts])
    sets = np.array([lesson.set for lesson in taught for _ in lesson.facts])
    weight = np.zeros(len(rows))
    for name in np.unique(sets):
        weight[sets == name] = 1 / (sets == name).sum()
    weight /= weight.sum()
    known = np.isfinite(rows)
    share = weight[:, None] * known
    mean = (share * np.where(known, rows, 0)).sum(axis=0) / share.sum(axis=0)
    scale = np.sqrt((share * np.where(known, rows - mean, 0) ** 2).sum(axis=0) / share.sum(axis=0))
    scale[scale < 1e-6] = 1.0
    table = np.nan_to_num(np.clip((rows - mean) / scale, -FAR, FAR))
    centre = weight @ table
    spread = ((table - centre) * weight[:, None]).T @ (table - centre)
    axes = np.zeros((len(mean), sum(AXES.values())))
    done = 0
    for kind, count in AXES.items():
        own = np.flatnonzero(kind == FACTS)
        values, vectors = np.linalg.eigh(spread[np.ix_(own, own)])
        axes[own, done:done + count] = vectors[:, ::-1][:, :count] / np.sqrt(values[::-1][:count])
        done += count
    values, vectors = np.linalg.eigh(axes.T @ spread @ axes)
    return {"mean": mean, "scale": scale, "centre": centre, "axes": axes @ (vectors / np.sqrt(values)) @ vectors.T}


def main() -> None:
    """Fit and write the axes, with their ledger beside them."""
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="where the axes go, with their ledger beside them")
    given: Any = parser.parse_args()
    taught = lessons()
    save_file({name: np.array(value, np.float32, order="C") for name, value in fit(taught).items()}, given.out)
    ledger.write([ledger.Entry(file=one.file, source=one.set, licence=LICENCES[one.set], sha256=one.sha256,
                               used="train", notes=one.notes) for one in taught],
                 given.out.with_suffix(".jsonl"), seed=0)
    print(f"{len(taught)} files taught; {given.out.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
