"""A set of pieces beside a reference set: every measure of both, how far they lie apart, and how far real sets do.

A number says little by itself: beside each stands how alike real music is to real music, as many pieces of the
reference, at most half of it, to the others of it.
Pieces are compared over stretches of as many bars as the shorter ones have, so that length alone makes no difference.
Beside the measures, one by one, stands the Fréchet Music Distance of all that an embedding hears.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento import features
from partimento.data.reading import music_hash
from partimento.errors import RequestError, WriteError
from partimento.formats.files import write_bytes
from partimento.judge.distances import Interval, bootstrap, compare_sets, parted
from partimento.judge.embedding import EMBEDDING
from partimento.judge.frechet import FEWEST, Frechet, frechet_of, frechet_text, places_of
from partimento.judge.measures import MEASURES
from partimento.sampling import generator
from partimento.score import Score

FloatArray = npt.NDArray[np.float64]
BANDS = 10                 # times that pieces of the reference are drawn
SLACK = 0.005              # of an overlap, that says nothing
MOST_SLOW = 200            # pieces of a set of which slow measures are taken, evenly among them
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


@dataclass(frozen=True)
class Evaluation:
    """Two sets side by side.

    The rows, the length in bars of the stretches compared, how many pieces with notes each set has, their Fréchet
    Music Distance, and `remarks`, sentences worth telling: what stands in both sets, copies, what was left out.
    `values` holds what each measure found in the pieces of the music and of the reference that have it, `stretches`
    what of the pieces was measured.
    """

    rows: tuple[MeasureRow, ...]
    bars: int
    pieces: int
    reference_pieces: int
    frechet: Frechet | None = None
    remarks: tuple[str, ...] = ()
    values: Mapping[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict, compare=False, repr=False)
    stretches: tuple[tuple[Score, ...], tuple[Score, ...]] = field(default=((), ()), compare=False, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """All but `values` and `stretches`, JSON-ready."""
        return {"bars": self.bars, "pieces": self.pieces, "reference_pieces": self.reference_pieces,
                "measures": [{**row._asdict(), "mean": row.mean._asdict(), "reference": row.reference._asdict()}
                             for row in self.rows],
                "frechet": self.frechet.as_dict() if self.frechet else None, "remarks": list(self.remarks)}


def evaluate_sets(music: Sequence[Score], reference: Sequence[Score], *, bars: int | None = None,
                  seed: int = 0) -> Evaluation:
    """Return every measure of the pieces beside those of the reference, over stretches of `bars` bars.

    `bars` is by default the middle length of the pieces, 32 at most; of a longer piece a stretch is drawn by `seed`
    and by what it holds, the same wherever it stands. Measures that fewer than 4 pieces of either set have are left
    out, which is said; slow ones are taken of 200 pieces of a set at most. RequestError where a set has fewer than 4
    pieces with notes.

    >>> tune = [(480 * i, 480, 60 + i % 5, 80, 0) for i in range(16)]
    >>> pieces = [Score.from_rows([(o, d, p + k, v, t) for o, d, p, v, t in tune]) for k in range(4)]
    >>> evaluate_sets(pieces, pieces).rows[0].name
    'pitch_class_entropy'
    """
    sets = {"music": [p for p in music if len(p)], "reference": [p for p in reference if len(p)]}
    for name, pieces in sets.items():
        if len(pieces) < FEWEST:
            raise RequestError(f"a set to compare must have at least {FEWEST} pieces with notes, copies counted "
                               f"once; the {name} has {len(pieces)}")
    if bars is None:
        bars = min(LONGEST, max(1, int(np.median([piece.n_bars for piece in sets["music"]]))))
    if bars < 1:
        raise RequestError(f"stretches must be of at least 1 bar; got {bars}")
    ours, theirs = (tuple(_stretch(piece, bars, seed) for piece in pieces) for pieces in sets.values())
    found_ours, found_theirs = _values(ours), _values(theirs)
    values = {name: (found_ours[name], found_theirs[name]) for name in MEASURES}
    rows, missing = [], []
    for name, (one, other) in values.items():
        if min(len(one), len(other)) < FEWEST:
            missing.append(name)
            continue
        found = compare_sets(one, other)
        size = min(len(one), len(other) // 2)
        band = [compare_sets(other[some], other[rest]).overlap
                for some, rest in (parted(len(other), size, seed + k) for k in range(BANDS))]
        inside = found.overlap > min(band) - SLACK
        rows.append(MeasureRow(name, MEASURES[name].unit, len(one), bootstrap(one, seed=seed),
                               bootstrap(other, seed=seed), found.divergence, found.overlap, (min(band), max(band)),
                               inside))
    apart = frechet_of(places_of(ours), places_of(theirs), seed=seed)
    remarks = [*_remarks(sets), *([f"left out, since fewer than {FEWEST} pieces of a set have them: "
                                   + ", ".join(missing)] if missing else []), *filter(None, [apart.warning])]
    return Evaluation(tuple(rows), bars, len(ours), len(theirs), apart, tuple(remarks), values, (ours, theirs))


def _stretch(piece: Score, bars: int, seed: int) -> Score:
    """So many bars of a piece, in its tempo; all of it where it has no more, or where they hold nothing."""
    if piece.n_bars <= bars:
        return piece
    first = int(generator(seed, int(music_hash(piece)[:8], 16)).random() * (piece.n_bars - bars + 1))
    begin, end = int(piece.bar_starts[first]), int(piece.bar_starts[first + bars])
    part = features.excerpt(piece, first, first + bars, held=True)
    tempos = (piece.tempo_at(begin)._replace(tick=0),
              *(tempo._replace(tick=tempo.tick - begin) for tempo in piece.tempos if begin < tempo.tick < end))
    return part.replace(tempos=tempos) if len(part) else piece


def _values(pieces: Sequence[Score]) -> dict[str, FloatArray]:
    """float64[pieces that have it] of every measure; the slow ones of some of many pieces."""
    found: dict[str, list[float]] = {name: [] for name in MEASURES}
    slow = set(np.linspace(0, len(pieces) - 1, min(len(pieces), MOST_SLOW)).round().astype(int).tolist())
    for number, piece in enumerate(pieces):
        for name, row in MEASURES.items():
            value = row.measure(piece) if number in slow or not row.slow else None
            if value is not None:
                found[name].append(value)
    return {name: np.array(values, np.float64) for name, values in found.items()}


def _remarks(sets: Mapping[str, Sequence[Score]]) -> list[str]:
    """What is worth telling of two sets before any number: the same music in both, copies, drums alone."""
    kinds = {name: [music_hash(piece) for piece in pieces] for name, pieces in sets.items()}
    ours, theirs = kinds.values()
    out = []
    if sorted(ours) == sorted(theirs):
        out.append(f"the two sets are identical: the same {len(ours)} pieces")
    elif shared := sum(kind in set(theirs) for kind in ours):
        out.append(f"{shared} of the {len(ours)} pieces of the music stand in the reference too, note for note")
    for name, found in kinds.items():
        if len(set(found)) < len(found):
            out.append(f"the {name} holds copies: {len(set(found))} of its {len(found)} pieces differ")
    for name, pieces in sets.items():
        if not any(features.pitched(piece).any() for piece in pieces):
            out.append(f"the {name} is of drums alone")
    return out


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
    distance = [frechet_text(found.frechet)] if found.frechet else []
    return "\n".join([first, *lines, last, *distance, *found.remarks])


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
    for name, number, band in _distances(found.frechet):
        table.writerow([name, EMBEDDING, found.pieces, *(f"{cell:.6g}" for cell in number), *[""] * 5,
                        *(f"{cell:.6g}" for cell in band)])
    return out.getvalue()


def _distances(found: Frechet | None) -> list[tuple[str, Interval, tuple[float, float]]]:
    """The name, the number and the band of real music of both forms of the Fréchet Music Distance."""
    if found is None:
        return []
    return [("frechet_music_distance", Interval(found.value, found.low, found.high), found.band),
            ("frechet_music_distance_infinite",
             Interval(found.corrected, found.corrected_low, found.corrected_high), found.corrected_band)]


def _latex(found: Evaluation) -> str:
    lines = [r"\begin{tabular}{lrrrr}", r"measure & music & reference & overlap & real beside real \\ \hline"]
    lines += [f"{row.name.replace('_', ' ')} & {row.mean.value:.3g} & {row.reference.value:.3g} & {row.overlap:.2f} & "
              f"{row.band[0]:.2f}--{row.band[1]:.2f} \\\\" for row in found.rows]
    lines += [f"{name.replace('_', ' ')} ({EMBEDDING}) & {number.value:.3g} & & & {band[0]:.3g}--{band[1]:.3g} \\\\"
              for name, number, band in _distances(found.frechet)]
    return "\n".join([*lines, r"\end{tabular}", ""])


def _interval(found: Interval) -> str:
    return f"{found.value:.3g} ({found.low:.3g}–{found.high:.3g})"
