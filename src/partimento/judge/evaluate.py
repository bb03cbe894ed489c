"""A set of pieces beside a reference set: every measure of both, how far they lie apart, and how far real sets do.

A number says little by itself: beside each stands how alike real music is to real music, as many pieces of the
reference, at most half of it, to the others of it.
Pieces are compared over stretches of as many bars as the shorter ones have, so that length alone makes no difference.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento import features
from partimento.data.corpus import load
from partimento.errors import RequestError, WriteError
from partimento.formats.files import write_bytes
from partimento.formats.reading import DEFAULT_MAX_NOTES
from partimento.judge.distances import Interval, bootstrap, compare_sets, parted
from partimento.judge.measures import MEASURES
from partimento.models.base import Report
from partimento.sampling import generator
from partimento.score import Score

FloatArray = npt.NDArray[np.float64]
BANDS = 10                 # times that pieces of the reference are drawn
SLACK = 0.005              # of an overlap, that says nothing
FEWEST = 4                 # pieces in a set, of which halves can be made
LONGEST = 32               # bars of a stretch, where the pieces have more
TABLES = (".json", ".csv", ".tex")


class MeasureRow(NamedTuple):
    """One measure of two sets: means with their intervals, KL and overlap, and the overlaps of real music (low, high).

    `inside`: the overlap is at least the lowest that pieces of the reference had with its others.
    """

    name: str
    unit: str
    pieces: int
    mean: Interval
    reference: Interval
    divergence: float
    overlap: float
    band: tuple[float, float]
    inside: bool


class Evaluation(NamedTuple):
    """The rows, the length in bars of the stretches compared, and how many pieces each set has."""

    rows: tuple[MeasureRow, ...]
    bars: int
    pieces: int
    reference_pieces: int

    def as_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return {"bars": self.bars, "pieces": self.pieces, "reference_pieces": self.reference_pieces,
                "measures": [{**row._asdict(), "mean": row.mean._asdict(), "reference": row.reference._asdict()}
                             for row in self.rows]}


def evaluate_sets(music: Sequence[Score], reference: Sequence[Score], *, bars: int | None = None,
                  seed: int = 0) -> Evaluation:
    """Return every measure of the pieces beside those of the reference, over stretches of `bars` bars.

    `bars` is by default the middle length of the pieces, 32 at most; of a longer piece a stretch is drawn by `seed`.
    Measures that fewer than 4 pieces of either set have are left out. RequestError where a set has fewer than 4 pieces
    with notes.

    >>> tune = [(480 * i, 480, 60 + i % 5, 80, 0) for i in range(16)]
    >>> pieces = [Score.from_rows([(o, d, p + k, v, t) for o, d, p, v, t in tune]) for k in range(4)]
    >>> evaluate_sets(pieces, pieces).rows[0].name
    'pitch_class_entropy'
    """
    for name, pieces in (("music", music), ("reference", reference)):
        count = sum(len(piece) > 0 for piece in pieces)
        if count < FEWEST:
            raise RequestError(f"a set to compare must have at least {FEWEST} pieces with notes; the {name} has "
                               f"{count}")
    if bars is None:
        bars = min(LONGEST, max(1, int(np.median([piece.n_bars for piece in music if len(piece)]))))
    if bars < 1:
        raise RequestError(f"stretches must be of at least 1 bar; got {bars}")
    ours, theirs = (_values(pieces, bars, seed) for pieces in (music, reference))
    rows = []
    for name in MEASURES:
        one, other = ours[name], theirs[name]
        if min(len(one), len(other)) < FEWEST:
            continue
        found = compare_sets(one, other)
        size = min(len(one), len(other) // 2)
        band = [compare_sets(other[some], other[rest]).overlap
                for some, rest in (parted(len(other), size, seed + k) for k in range(BANDS))]
        inside = found.overlap > min(band) - SLACK
        rows.append(MeasureRow(name, MEASURES[name].unit, len(one), bootstrap(one, seed=seed),
                               bootstrap(other, seed=seed), found.divergence, found.overlap, (min(band), max(band)),
                               inside))
    return Evaluation(tuple(rows), bars, sum(len(p) > 0 for p in music), sum(len(p) > 0 for p in reference))


def _values(pieces: Sequence[Score], bars: int, seed: int) -> dict[str, FloatArray]:
    """float64[pieces that have it] of every measure, of a stretch of each piece."""
    found: dict[str, list[float]] = {name: [] for name in MEASURES}
    for number, piece in enumerate(pieces):
        if not len(piece):
            continue
        if piece.n_bars > bars:
            first = int(generator(seed, number).random() * (piece.n_bars - bars + 1))
            part = features.excerpt(piece, first, first + bars, held=True)
            piece = part if len(part) else piece
        for name, row in MEASURES.items():
            value = row.measure(piece)
            if value is not None:
                found[name].append(value)
    return {name: np.array(values, np.float64) for name, values in found.items()}


def evaluate(music: str | os.PathLike[str], reference: str | os.PathLike[str], *, bars: int | None = None,
             seed: int = 0, workers: int | None = None, max_notes: int = DEFAULT_MAX_NOTES,
             report: Report | None = None) -> Evaluation:
    """Return `evaluate_sets` of the files in two folders, archives or single books of tunes.

    ReadError where either holds no music.
    """
    sets = [[piece.score for piece in load(place, valid_share=0, near="ignore", workers=workers, max_notes=max_notes,
                                           progress=report).train] for place in (music, reference)]
    return evaluate_sets(*sets, bars=bars, seed=seed)


# --- in words and tables -------------------------------------------------------------------------------------------


def evaluation_text(found: Evaluation) -> str:
    """The evaluation as a table for a terminal."""
    head = ("measure", "music", "reference", "overlap", "real beside real", "")
    rows = [head, *((row.name, _interval(row.mean), _interval(row.reference), f"{row.overlap:.2f}",
                     f"{row.band[0]:.2f}–{row.band[1]:.2f}", "" if row.inside else "apart") for row in found.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    apart = sum(not row.inside for row in found.rows)
    first = f"{found.pieces:,} pieces beside {found.reference_pieces:,}, stretches of {found.bars} bars"
    last = (f"{len(found.rows) - apart} of {len(found.rows)} measures lie as real music does (overlap: of the "
            "distances within the set and to the reference, 1 where they are alike)")
    return "\n".join([first, *lines, last])


def write_evaluation(found: Evaluation, path: str | os.PathLike[str]) -> Path:
    """Write the evaluation as ``.json``, ``.csv`` or ``.tex`` and return the path; WriteError for another suffix."""
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in TABLES:
        raise WriteError(f"an evaluation must be written as {', '.join(TABLES)}; got {target.name!r}")
    text = {".json": lambda: json.dumps(found.as_dict(), indent=1) + "\n", ".csv": lambda: _csv(found),
            ".tex": lambda: _latex(found)}[suffix]()
    write_bytes(target, text.encode())
    return target


def _csv(found: Evaluation) -> str:
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["measure", "unit", "pieces", "mean", "low", "high", "reference", "reference_low", "reference_high",
                    "divergence", "overlap", "real_low", "real_high"])
    for row in found.rows:
        numbers = [*row.mean, *row.reference, row.divergence, row.overlap, *row.band]
        table.writerow([row.name, row.unit, row.pieces, *(f"{number:.6g}" for number in numbers)])
    return out.getvalue()


def _latex(found: Evaluation) -> str:
    lines = [r"\begin{tabular}{lrrrr}", r"measure & music & reference & overlap & real beside real \\ \hline"]
    lines += [f"{row.name.replace('_', ' ')} & {row.mean.value:.3g} & {row.reference.value:.3g} & {row.overlap:.2f} & "
              f"{row.band[0]:.2f}--{row.band[1]:.2f} \\\\" for row in found.rows]
    return "\n".join([*lines, r"\end{tabular}", ""])


def _interval(found: Interval) -> str:
    return f"{found.value:.3g} ({found.low:.3g}–{found.high:.3g})"
