"""Melodies of Bach chorales, by the markov family from Scores: bits per pitch, lower is better.

    python bench/run.py --tables chorales_markov
    python bench/tables/chorales_markov.py --rows pitch --foldings 1     # by hand
"""

from __future__ import annotations

import re
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))
from peers import music, rows_by_hand

from partimento.models.base import Piece
from partimento.models.markov import Markov
from partimento.request import Blanks, Region, Request
from partimento.score import Key, Mark, Meter, Score, Track
from partimento.theory import fifths, pitch_name

PROTOCOL = (
    "chorale_melodies: 184 of the 185 melodies that Pearce used, 9,180 notes for his 9,227; 10-fold cross-validation, "
    "the mean of three seeded foldings. Pitch given the whole rhythm, the meters with the pick-up, and the fermatas; "
    "the alphabet is every semitone from the lowest to the highest pitch of the set; the first note is charged. "
    "`pitch` sees pitches alone, as they stand; `pitch+key` lays each training melody on one key, heard from its "
    "pitches, and sums over the 24 keys of an unseen one; `all` adds meter, rhythm and form. `product` multiplies the "
    "viewpoints instead of adding them, with threads, phrases that end at fermatas and a short-term model; its powers "
    "are learnt inside the training part of each folding. `keyed` is given the key of the file, as Pearce's systems "
    "are; `strict` sees no rhythm, fermata or end after the note itself (like `keyed strict`, his systems know the "
    "key, the note's own onset and length, the meter and the phrase). `clean`: bits per pitch of the pieces that share "
    "under half of their interval 8-grams with any one training piece; the set holds tunes in several settings. The "
    "views were chosen on nine tenths of folding 0, whose pieces are in other folds too.")
BITS, CLEAN = "bits per pitch", "clean"
PUBLISHED = [
    {"name": "PPM*, long- and short-term, pitch alone", BITS: 2.347, "source": "Pearce 2005"},
    {"name": "four viewpoints", BITS: 2.045, "source": "Pearce 2005"},
    {"name": "system C", BITS: 1.953, "source": "Pearce 2005"},
    {"name": "system D", BITS: 1.911, "source": "Pearce 2005"},
]
TICKS = 48
FOLDINGS = 3
SETTINGS = {"grid": 24, "given": ("before",), "order": 6, "product": False}
PRODUCT = {"product": True, "discount": 0.6}
ROWS: dict[str, dict[str, Any]] = {
    "pitch": {"senses": ("memory",), "normalise": False},
    "pitch+key": {"senses": ("memory", "key")},
    "all": {},
    "product": PRODUCT,
    "product strict": PRODUCT | {"ahead": False},
    "product keyed": PRODUCT,
    "product keyed strict": PRODUCT | {"ahead": False},
}
STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


def rows() -> list[str]:
    """Return the names of the rows."""
    return list(ROWS)


def row(name: str, foldings: int = FOLDINGS, **settings: Any) -> dict[str, Any]:
    """Return the cells of a row; `settings` change the Config."""
    scores = [read_kern(path, "keyed" in name) for path in sorted(music("chorale_melodies").glob("*.krn"))]
    low, high = min(int(s.pitch.min()) for s in scores), max(int(s.pitch.max()) for s in scores)
    request = Request(ranges={"melody": f"{pitch_name(low)}-{pitch_name(high)}"})
    begin, figures, clean_figures = time.perf_counter(), [], []
    grams = [interval_grams(score) for score in scores]
    for seed in range(foldings):
        order = np.random.default_rng(seed).permutation(len(scores))
        sums = np.zeros((2, 3))                 # of shared and clean pieces: nats, notes, pieces
        for fold in range(10):
            held = set(order[fold::10].tolist())
            train = [Piece(score, str(i)) for i, score in enumerate(scores) if i not in held]
            model = Markov(**{**SETTINGS, **ROWS[name], **settings}).fit(train)
            for i in sorted(held):
                found = model.log_prob(scores[i], Blanks((Region(0, 0, scores[i].end, "pitch"),)), request)
                alone = max(len(grams[i] & grams[int(other.id)]) for other in train) < 0.5 * len(grams[i])
                sums[int(alone)] += -found.nats, found.notes, 1
        figures.append(sums[:, 0].sum() / sums[:, 1].sum() / np.log(2))
        clean_figures.append(sums[1, 0] / sums[1, 1] / np.log(2))
    return {BITS: round(float(np.mean(figures)), 4), "foldings": ", ".join(f"{figure:.3f}" for figure in figures),
            CLEAN: round(float(np.mean(clean_figures)), 4), "clean pieces": int(sums[1, 2]),
            "pitches": int(sums[:, 1].sum()), "alphabet": high - low + 1,
            "all, s": round(time.perf_counter() - begin, 1)}


def interval_grams(score: Score) -> set[tuple[int, ...]]:
    """Return the interval 8-grams of a melody."""
    steps = np.diff(score.pitch).tolist()
    return {tuple(steps[i:i + 8]) for i in range(len(steps) - 7)}


def read_kern(path: Path, keyed: bool = False) -> Score:
    """Return the last **kern spine of a file: its notes with ties merged, meters, pick-up, fermatas, key if `keyed`."""
    time_now, notes, tied, meters, key = Fraction(0), [], None, [], None
    marks, first_bar = [], None
    for line in path.read_text(encoding="latin-1").splitlines():
        if not line or line.startswith("!"):
            continue
        token = line.split("\t")[-1]
        found = re.fullmatch(r"\*M(\d+)/(\d+)", token)
        if found:
            meters.append(Meter(int(time_now * TICKS), int(found[1]), int(found[2])))
        found = re.fullmatch(r"\*([a-gA-G])([#-]?):.*", token)
        if found and key is None:
            mode = "minor" if found[1].islower() else "major"
            tonic = STEPS[found[1].lower()] + {"#": 1, "-": -1, "": 0}[found[2]]
            key = Key(0, fifths(tonic % 12, mode), mode)
        if token.startswith("=") and first_bar is None:
            first_bar = int(time_now * TICKS)
        if token.startswith(("*", "=")):
            continue
        if token != "." and length(token):
            last = length(token)
            note = re.search(r"([a-gA-G])\1*", token)
            if note and "r" not in token and "q" not in token:
                letters = note[0]
                octave = 3 + len(letters) if letters[0].islower() else 4 - len(letters)
                pitch = 12 * (octave + 1) + STEPS[letters[0].lower()] + token.count("#") - token.count("-")
                if tied is not None and ("_" in token or "]" in token):
                    notes[-1][1] += last
                else:
                    notes.append([time_now, last, pitch])
                if ";" in token:
                    marks.append(Mark(int(notes[-1][0] * TICKS), "fermata"))
                tied = True if "[" in token or "_" in token else None
            time_now += last
    if meters and first_bar and first_bar < meters[0].numerator * 4 * TICKS // meters[0].denominator:
        meters.insert(1, meters[0]._replace(tick=first_bar))        # a pick-up
    return Score.from_rows([(int(onset * TICKS), int(lasts * TICKS), pitch, 80, 0) for onset, lasts, pitch in notes],
                           ticks_per_quarter=TICKS, meters=tuple(meters), tracks=(Track("melody", 73),),
                           marks=tuple(marks), keys=(key,) if keyed and key else ())


def length(token: str) -> Fraction | None:
    """Return the quarters that a kern token lasts; None where it says none."""
    found = re.search(r"(\d+)(\.*)", token)
    if not found or token.startswith(("*", "=", "!")) or "q" in token:
        return None
    whole = Fraction(8) if found[1] == "0" else Fraction(4, int(found[1]))
    return whole * (2 - Fraction(1, 2 ** len(found[2])))


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, foldings=FOLDINGS)
