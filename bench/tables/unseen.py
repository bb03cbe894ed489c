"""Music that no model has seen: bits a note of every family, and a bar taken out and filled in again.

    python bench/run.py --tables unseen
    python bench/tables/unseen.py --rows "markov; transformer" --limit 5     # by hand, some pieces

A family is the checkpoint that ships, or the file that PARTIMENTO_MODELS has of it (a folder with FAMILY.partimento).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))
from peers import Missing, music, rows_by_hand

from partimento import checkpoint, generate
from partimento.errors import PartimentoError
from partimento.features import excerpt
from partimento.formats import read
from partimento.models.base import Model, family
from partimento.request import Blanks, Region, Request
from partimento.score import Score

PROTOCOL = (
    "Sixteen bars from the middle of pieces that none of the models learnt from: 20 of mutopia_midi (PD and CC-BY) "
    "that the checkpoints kept for validation, and 20 of openscore_lieder, whose set none of them saw (drawn with seed "
    "0). `bits`: of all notes of the excerpt, from nothing. `blank`: bits a note of two bars of one track "
    "(the one with most notes there, in the middle of the excerpt), given all that stands around them; `impossible`: "
    "how many of these a model holds impossible, which its mean leaves out; `past only`: "
    "of the same notes in the order of time, given what stands before them, in all tracks. `F1`: of onset and pitch, "
    "of what the model writes there in one attempt (seed 1) against what stood there; `copy` puts there the two bars "
    "of the same track, out of the excerpt, that lie among the music most like that around the blank.")
ROWS = ("transformer", "markov", "hmm", "random", "copy")
BARS, BLANK, PIECES = 16, 2, 20
SETS = ("mutopia", "lieder")


def rows() -> list[str]:
    """Return the names of the rows."""
    return list(ROWS)


def row(name: str, limit: int | None = None) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many excerpts of each set."""
    begin = time.perf_counter()
    model = None if name == "copy" else model_of(name)
    out: dict[str, Any] = {}
    for kind in SETS:
        found = measured(model, list(islice(excerpts(kind), min(limit or PIECES, PIECES))))
        out |= {f"{kind}, {key}": value for key, value in found.items()}
    return {**out, "all, s": round(time.perf_counter() - begin, 1)}


def model_of(name: str) -> Model:
    """Return the model of a family that has learnt, or needs not to."""
    own = Path(os.environ.get("PARTIMENTO_MODELS", ""), f"{name}.partimento")
    if own.is_file():
        return checkpoint.load(own).model
    kind = family(name)
    if not kind.learns:
        return kind()
    if name not in checkpoint.bundled_names():
        raise Missing(f"no checkpoint of {name}: put one into the folder PARTIMENTO_MODELS")
    return checkpoint.load(checkpoint.bundled(name)).model


def excerpts(kind: str) -> Iterator[Score]:
    """Yield the excerpts of a set."""
    if kind == "mutopia":
        entries = checkpoint.load(checkpoint.bundled("markov")).ledger()
        paths = [music("mutopia_midi").parent / entry.file for entry in entries
                 if entry.used == "valid" and entry.file.startswith("mutopia_midi/")]
    else:
        files = sorted((music("openscore_lieder") / "scores").rglob("*.mxl"))
        paths = [files[i] for i in np.random.default_rng(0).permutation(len(files))[:4 * PIECES]]
    for path in paths:
        try:
            score = read(path)
        except PartimentoError:
            continue
        if score.n_bars < BARS + 2:
            continue
        first = (score.n_bars - BARS) // 2
        part = excerpt(score, first, first + BARS)
        part = part.replace(tracks=tuple(track._replace(name=f"{track.name} {number + 1}".strip())
                                         for number, track in enumerate(part.tracks)))
        if len(part) >= 2 * BARS and place(part) is not None:
            yield part


def place(score: Score) -> Region | None:
    """Return the two bars in the middle of the track with most notes there."""
    start, end = (int(score.bar_starts[BARS // 2 + i]) for i in (-1, BLANK - 1))
    there = (score.onset >= start) & (score.onset < end)
    if not there.any():
        return None
    return Region(int(np.bincount(score.track[there]).argmax()), start, end)


def measured(model: Model | None, scores: Sequence[Score]) -> dict[str, Any]:
    """Return the numbers of one model on the excerpts of a set."""
    found: dict[str, list[tuple[float, int]]] = {"bits": [], "blank": [], "past only": []}     # and of how many notes
    f1 = []
    for score in scores:
        region = place(score)
        assert region is not None
        blanks = Blanks((region,))
        own = blanks.inside(score)
        if model is None:
            f1.append(agreement(copied(score, region), score.select(own)))
            continue
        if model.has_likelihood:
            told = model.information(score)
            found["bits"].append((-model.log_prob(score).nats / np.log(2), len(score)))
            found["blank"].append((-model.log_prob(score, blanks).nats / np.log(2), int(own.sum())))
            found["past only"].append((float(np.nansum(told.total[0][own])), int(own.sum())))
        try:
            wish = Request(verb="infill", place=f"{BARS // 2}-{BARS // 2 + BLANK - 1}",
                           tracks=(score.tracks[region.track].name,), seed=1)
            made = generate.generate(wish, model, source=score)[0]
            f1.append(agreement(made.score.select(Blanks((region,)).inside(made.score)), score.select(own)))
        except PartimentoError:
            f1.append(0.0)
    never = sum(not np.isfinite(nats) for nats, _ in found["blank"]) if found["blank"] else None
    return {**{name: mean(pairs) for name, pairs in found.items()}, "impossible": never,
            "F1": round(float(np.mean(f1)), 3), "n": len(scores)}


def mean(pairs: Sequence[tuple[float, int]]) -> float | None:
    """Return the bits a note, of the excerpts that are possible at all."""
    good = [pair for pair in pairs if np.isfinite(pair[0])]
    return round(sum(bits for bits, _ in good) / sum(count for _, count in good), 3) if good else None


def agreement(made: Score, true: Score) -> float:
    """Return the F1 of onsets and pitches."""
    one, other = (set(zip(score.onset.tolist(), score.pitch.tolist(), strict=True)) for score in (made, true))
    return 2 * len(one & other) / (len(one) + len(other)) if one or other else 1.0


def copied(score: Score, region: Region) -> Score:
    """Return, put into the blank, the two bars of its track whose surroundings are most like those of the blank."""
    starts, at, own = score.bar_starts, BARS // 2 - 1, score.track == region.track

    def around(bar: int) -> set[tuple[int, int, bool]]:
        """What stands in the bars beside, and in the other tracks of the two bars themselves."""
        low, high = int(starts[bar - 1]), int(starts[min(bar + BLANK + 1, BARS)])
        here = (score.onset >= low) & (score.onset < high)
        within = (score.onset >= starts[bar]) & (score.onset < starts[bar + BLANK])
        keep = here & ~(within & own)
        return set(zip((score.onset[keep] - int(starts[bar])).tolist(), score.pitch[keep].tolist(),
                       own[keep].tolist(), strict=True))

    mine = around(at)
    others = [bar for bar in range(1, BARS - BLANK) if abs(bar - at) >= BLANK]
    best = max(others, key=lambda bar: len(mine & around(bar)) / max(1, len(mine | around(bar))))
    there = own & (score.onset >= starts[best]) & (score.onset < starts[best + BLANK])
    part = score.select(there)
    return part.replace(onset=part.onset - int(starts[best]) + region.start)


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=";", limit=None)
