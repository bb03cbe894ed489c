"""Real music that one piece is held against: how its pieces spread, and how much they borrow from one another."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from partimento.data import cache
from partimento.data.corpus import load
from partimento.errors import RequestError
from partimento.fingerprint.index import Index
from partimento.formats.reading import DEFAULT_MAX_NOTES
from partimento.judge.compared import index_of_corpus
from partimento.judge.faults import spreads
from partimento.judge.rank import RankReference, bundled_judge, rank_reference
from partimento.models.base import Progress, Report
from partimento.sampling import generator
from partimento.score import Score

HEARD_PIECES = 200          # of a larger reference, drawn, whose spreads are measured
FEWEST_HEARD = 10           # pieces that a spread can be told of
MADE = 1                    # counted up when what is kept of a reference is made otherwise than before


@dataclasses.dataclass(frozen=True)
class Reference:
    """What is known of a corpus: its name, how many pieces, the spread of every kind of fault, how its pieces rank
    (None: too few can be ranked), and its index."""

    name: str
    pieces: int
    spreads: Mapping[str, tuple[float, float]]
    ranked: RankReference | None
    index: Index


def reference_of(place: str | os.PathLike[str], *, workers: int | None = None, max_notes: int = DEFAULT_MAX_NOTES,
                 report: Report | None = None) -> Reference:
    """Return what is known of the music in a folder, an archive or a file; worked out once, then kept in the cache.

    Spreads and ranks are of at most 200 pieces, drawn. RequestError for fewer than 10 pieces with notes, ReadError
    where there is no music.
    """
    corpus = load(place, valid_share=0, near="ignore", workers=workers, max_notes=max_notes, progress=report)
    pieces = [piece for piece in corpus.train if len(piece.score)]
    name = Path(place).resolve().name
    if len(pieces) < FEWEST_HEARD:
        raise RequestError(f"a reference for one piece must have at least {FEWEST_HEARD} pieces with notes; {place} "
                           f"has {len(pieces)}: give more real music")
    model, model_name = bundled_judge()
    kind = f"heard{MADE}-{model_name.split()[-1]}"
    said = cache.load_bytes(corpus.fingerprint, kind)
    if said is None:
        order = np.argsort(generator(0).random(len(pieces)), kind="stable")[:HEARD_PIECES]
        heard = [pieces[i].score for i in order.tolist()]
        if report is not None:
            report(Progress("hearing the reference", 0, len(heard)))
        said = json.dumps({"spreads": spreads(heard), "ranked": _ranked(heard, name, report)}).encode()
        cache.save_bytes(corpus.fingerprint, kind, said)
    told = json.loads(said)
    ranked = told["ranked"] and RankReference(
        name, told["ranked"]["pieces"], {key: (low, high) for key, (low, high) in told["ranked"]["orders"].items()},
        tuple(told["ranked"]["ranks"]), model_name, model)
    return Reference(name, len(pieces), {key: (low, high) for key, (low, high) in told["spreads"].items()}, ranked,
                     index_of_corpus(corpus, report))


def _ranked(heard: list[Score], name: str, report: Report | None) -> dict[str, object] | None:
    try:
        return rank_reference(heard, name, report=report).as_dict()
    except RequestError:
        return None
