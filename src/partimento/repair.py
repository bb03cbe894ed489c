"""Mending the faults of a piece: just their cells are blanked and written again by the one road, the rest stays."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from partimento.errors import RequestError
from partimento.generate import UNGUARDED, generate
from partimento.judge.faults import findings, findings_text
from partimento.judge.finding import Finding
from partimento.judge.guard import Guard
from partimento.models.base import Model
from partimento.request import Request, Result, unpack_score
from partimento.score import Score

TRIES = 8              # candidates for each cell, at most
ANY = Request(verb="infill")

Told = Callable[[str], object]


class Mended(NamedTuple):
    """A fault, and whether it is gone (`gone`) from the piece that came out."""

    finding: Finding
    gone: bool


class Repair(NamedTuple):
    """A piece after repair: what became of each fault, the faults that are new, and the steps that led there.

    `steps` are the Results of the cells that were taken, in order; each works on the piece of the one before. `notes`
    are sentences worth telling: cells left as they were, and why.
    """

    score: Score
    faults: tuple[Mended, ...]
    new: tuple[Finding, ...]
    steps: tuple[Result, ...]
    notes: tuple[str, ...]

    @property
    def result(self) -> Result | None:
        """All that was written anew as one Result, made again from its last step; None where nothing was."""
        if not self.steps:
            return None
        last = self.steps[-1]
        old = {tuple(row) for row in unpack_score(self.steps[0].request.input or "").notes().tolist()}
        new = np.array([tuple(row) not in old for row in self.score.notes().tolist()], bool)
        regions = tuple(region for step in self.steps for region in step.regions)
        return dataclasses.replace(last, score=self.score, new=new, regions=regions, notes=self.notes)


class _Cell(NamedTuple):
    """Ticks of some tracks, the end not in it, that are written anew together, for these faults."""

    start: int
    end: int
    tracks: tuple[int, ...]
    faults: tuple[Finding, ...]


def repair(score: Score, found: Sequence[Finding], model: Model, *,
           spreads: Mapping[str, tuple[float, float]] | None = None, seed: int = 0, tries: int = TRIES,
           wish: Request = ANY, guard: Guard = UNGUARDED, report: Told | None = None) -> Repair:
    """Return the piece with the cells of these faults written anew by `model`, each where that leaves fewer faults.

    `found` are `findings` of the piece, all or some; `spreads` as there. A cell is the beats of its track in which the
    notes of a fault begin (all tracks, where it is of the whole piece); cells that meet are one. Of `tries` candidates
    of each cell the one with the fewest faults in the whole piece is taken, if it has fewer than before, so that the
    piece never has more; all else stays as it is. `wish` says whatever else is asked of an infill, `guard` is as in
    ``partimento.generate``; `report` is called with a sentence a cell. RequestError where `tries` is below 1;
    ModelError where the model has learnt nothing.

    >>> from partimento.models.random import Random
    >>> song = Score.from_rows([(480 * i, 480, 60 if i != 5 else 10, 80, 0) for i in range(16)])
    >>> mended = repair(song, findings(song), Random(), seed=1)
    >>> [(one.finding.kind, one.gone) for one in mended.faults], len(mended.score.select(mended.score.pitch < 21))
    ([('range', True)], 0)
    """
    if tries < 1:
        raise RequestError(f"tries must be at least 1 (candidates for each cell); got {tries}")
    before = findings(score, spreads)
    piece, left = score, before
    steps: list[Result] = []
    notes: list[str] = []
    for cell in _cells(score, found):
        there = sum(_among(one, left) for one in cell.faults)
        if not there:
            continue                    # mended with another cell
        here = _words(piece, cell)
        try:
            best, faults = _best(piece, cell, model, spreads, wish.replace(seed=seed), guard, tries, len(left) - there)
        except RequestError as error:
            notes.append(f"{here}: left as it was, {error}")
            continue
        if len(faults) < len(left):
            piece, left = best.score, faults
            steps.append(best)
            said = f"{here}: written anew"
        else:
            said = f"{here}: left as it was, none of {tries} candidate{'s' * (tries > 1)} has fewer faults"
            notes.append(said)
        if report is not None:
            report(said)
    return Repair(piece, tuple(Mended(one, not _among(one, left)) for one in found),
                  tuple(one for one in left if not _among(one, before)), tuple(steps), tuple(notes))


def repair_text(found: Repair) -> str:
    """What became of the faults, for a terminal: a line each, then the new ones and what is worth telling."""
    lines = [f"{findings_text(found.score, [one.finding])}: {'mended' if one.gone else 'still there'}"
             for one in found.faults]
    lines += [f"{findings_text(found.score, [one])}: new" for one in found.new]
    gone = sum(one.gone for one in found.faults)
    return "\n".join([*lines, *found.notes, f"{gone} of {len(found.faults)} faults mended, {len(found.new)} new"])


def _best(piece: Score, cell: _Cell, model: Model, spreads: Mapping[str, tuple[float, float]] | None, wish: Request,
          guard: Guard, tries: int, enough: int) -> tuple[Result, list[Finding]]:
    """The candidate with the fewest faults, and these; the first that has no more than `enough`."""
    named = _named_apart(piece)
    names = tuple(named.tracks[track].name for track in cell.tracks)
    request = wish.replace(verb="infill", place=_place(piece, cell), tracks=names)
    options: list[tuple[Result, list[Finding]]] = []
    for index in range(tries):
        result = generate(request.replace(index=index), model, source=named, guard=guard)[0]
        mended = result.score.replace(tracks=piece.tracks)
        options.append((dataclasses.replace(result, score=mended), findings(mended, spreads)))
        if len(options[-1][1]) <= enough:
            break
    return min(options, key=lambda option: len(option[1]))


def _named_apart(score: Score) -> Score:
    """The Score with a name of its own for every track, as a Request needs."""
    count = Counter(track.name.strip().lower() for track in score.tracks)
    return score.replace(tracks=tuple(
        track if track.name.strip() and count[track.name.strip().lower()] == 1
        else track._replace(name=f"{track.name.strip() or 'part'} #{i + 1}") for i, track in enumerate(score.tracks)))


def _cells(score: Score, found: Sequence[Finding]) -> list[_Cell]:
    """The cells of these faults in the order of the piece, those of the same tracks that meet joined."""
    cells: list[_Cell] = []
    for one in sorted(found, key=lambda one: (one.start, one.end)):
        tracks = tuple(range(len(score.tracks))) if one.track < 0 else (one.track,)
        own = [int(score.onset[i]) for i in one.notes if score.track[i] in tracks]
        start, end = (min(own), max(own) + 1) if own and one.kind != "ending" else (one.start, one.end)
        start, end = _to_beats(score, start, end)
        same = [cell for cell in cells if cell.tracks == tracks and cell.end > start and cell.start < end]
        cells = [cell for cell in cells if cell not in same]
        for cell in same:
            start, end = min(start, cell.start), max(end, cell.end)
        cells.append(_Cell(start, end, tracks, (*(fault for cell in same for fault in cell.faults), one)))
    return sorted(cells, key=lambda cell: cell[:3])


def _to_beats(score: Score, start: int, end: int) -> tuple[int, int]:
    """The ticks widened to whole beats of their bars."""
    first, last = (int(score.bar_starts[:-1].searchsorted(tick, side="right")) - 1 for tick in (start, end - 1))
    low, high = int(score.bar_starts[max(first, 0)]), int(score.bar_starts[max(last, 0)])
    ahead = int(score.bar_starts[max(last, 0) + 1])
    unit, later = _beat(score, low), _beat(score, high)
    return low + (start - low) // unit * unit, min(high + -(-(end - high) // later) * later, ahead)


def _beat(score: Score, tick: int) -> int:
    return max(1, 4 * score.ticks_per_quarter // score.meter_at(tick).denominator)


def _place(score: Score, cell: _Cell) -> str:
    """The cell as a Request says it: bars and beats."""
    first, last = score.bar_number(cell.start), score.bar_number(cell.end - 1)
    begin, end = score.bar_span(first)[0], score.bar_span(last)
    beat = (cell.start - begin) // _beat(score, begin) + 1
    last_beat = (cell.end - 1 - end[0]) // _beat(score, end[0]) + 1
    return f"{first}.{beat}-{last}" if cell.end >= end[1] else f"{first}.{beat}-{last}.{last_beat}"


def _words(score: Score, cell: _Cell) -> str:
    first, last = score.bar_number(cell.start), score.bar_number(cell.end - 1)
    bars = f"bar {first}" if first == last else f"bars {first}-{last}"
    if len(cell.tracks) == len(score.tracks):
        return bars
    return f"{bars}, {', '.join(score.tracks[track].name or f'track {track + 1}' for track in cell.tracks)}"


def _among(one: Finding, others: Sequence[Finding]) -> bool:
    """Whether a fault of the kind is among the others in that track, at a place that overlaps."""
    return any(one.kind == other.kind and one.track == other.track and one.start < other.end and other.start < one.end
               for other in others)
