"""Judging as one verb: a set of pieces or one piece beside real music, in words, numbers, and as a page."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from partimento import output, provenance
from partimento.checkpoint import SUFFIX
from partimento.data.archive import archive_kind
from partimento.data.corpus import load as load_corpus
from partimento.errors import RequestError, WriteError
from partimento.formats import DEFAULT_MAX_NOTES, kind_of
from partimento.formats.files import write_bytes
from partimento.judge.evaluate import Evaluation, evaluate_sets, evaluation_text, write_evaluation
from partimento.judge.likelihood import NoteBits, bits_per_note, note_bits_text
from partimento.judge.listeners import Preferences, preferences, preferences_text
from partimento.judge.piece import Appraisal, appraisal_text, appraise
from partimento.judge.rank import RankReference, bundled_reference
from partimento.judge.reference import Reference, reference_of
from partimento.models.base import Piece, Report
from partimento.render.listening import write_listening
from partimento.render.report import write_report
from partimento.render.report_piece import ReportPiece
from partimento.repair import Repair, repair
from partimento.request import Request
from partimento.score import Score
from partimento.verbs import choose_model, load

SHOWN = 12                      # pieces of a set that a report shows with their faults
TABLES, PAGES = (".csv", ".tex"), (".html", ".htm")
Place = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """What `evaluate` found: a set beside real music, bits per note, single pieces, what listeners said; or some of it.
    """

    title: str
    evaluation: Evaluation | None = None
    bits: NoteBits | None = None
    pieces: Sequence[Appraisal] = ()
    preferences: Preferences | None = None
    ranked: RankReference | None = None

    def as_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready; what was not looked for is left out."""
        parts: dict[str, Any] = {
            **(self.evaluation.as_dict() if self.evaluation else {}),
            "bits": self.bits.as_dict() if self.bits else None,
            "pieces_found": [one.as_dict() for one in self.pieces],
            "listeners": self.preferences.as_dict() if self.preferences else None}
        return {name: value for name, value in parts.items() if value not in (None, [])}

    @property
    def text(self) -> str:
        """All of it in words for a terminal."""
        parts = [evaluation_text(self.evaluation)] if self.evaluation else []
        parts += [note_bits_text(self.bits)] if self.bits else []
        parts += [appraisal_text(one) for one in self.pieces] if not self.evaluation else []
        parts += [preferences_text(self.preferences)] if self.preferences else []
        return "\n".join(parts)

    def write(self, path: Place, *, report: Report | None = None) -> Path:
        """Write it as ``.html`` (a page), ``.json``, or, of sets, ``.csv`` or ``.tex``; WriteError for what cannot be.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        if suffix in PAGES:
            return write_report(target, self.title, evaluation=self.evaluation, bits=[self.bits] if self.bits else [],
                                pieces=[ReportPiece(one.name, one.score, one.findings, one.rank, one.originality)
                                        for one in self.pieces], rank_reference=self.ranked,
                                preferences=self.preferences, report=report)
        if suffix == ".json":
            write_bytes(target, (json.dumps(self.as_dict(), indent=1) + "\n").encode())
            return target
        if suffix in TABLES and self.evaluation is not None:
            return write_evaluation(self.evaluation, target)
        raise WriteError(f"an evaluation must be written as .html, .json or, where sets are compared, "
                         f"{' or '.join(TABLES)}; got {target.name!r}")


def evaluate(music: Place | Score | Sequence[Score], reference: Place | None = None, *,
             model: str | None = None, bars: int | None = None, pieces: int = 0, seed: int = 0,
             workers: int | None = None, max_notes: int = DEFAULT_MAX_NOTES,
             report: Report | None = None) -> Evaluated:
    """Return how a piece or a set of pieces lies beside real music.

    `music` is one piece (a Score or a file: its faults, its rank, and what it borrows from the reference) or many (a
    folder, an archive, Scores: the measures of `judge.evaluate.evaluate_sets`, and of the first `pieces` of them what
    is found in one). `reference` is real music; one piece can do without. `model` (a family or a checkpoint) gives bits
    per note, of a set without a reference too. RequestError where a set has neither.

    >>> tune = [(480 * i, 480, 60 + i % 5, 80, 0) for i in range(16)]
    >>> evaluate(Score.from_rows(tune)).pieces[0].name
    'piece'
    """
    reading: dict[str, Any] = {"workers": workers, "max_notes": max_notes}
    if isinstance(music, Score) or (not isinstance(music, Sequence | str) and _is_piece(music)) or (
            isinstance(music, str) and _is_piece(music)):
        name = "piece" if isinstance(music, Score) else Path(music).name
        score = load(music, max_notes=max_notes)
        beside = reference_of(reference, report=report, **reading) if reference is not None else None
        bits = bits_per_note([Piece(score, name)], choose_model(model).model, seed=seed) if model else None
        return Evaluated(name, bits=bits, pieces=(appraise(score, beside, name),), ranked=_ranked(beside))
    if reference is None and model is None:
        raise RequestError("a set of pieces must be judged beside real music or by a model; give --reference with a "
                           "folder of real music, or --model with a checkpoint")
    found, title = _pieces(music, report, reading), _title(music)
    evaluation = None
    beside = None
    if reference is not None:
        real = _pieces(reference, report, reading)
        evaluation = evaluate_sets([one.score for one in found], [one.score for one in real], bars=bars, seed=seed)
        title = f"{title} beside {_title(reference)}"
        beside = reference_of(reference, report=report, **reading) if pieces else None
    bits = bits_per_note(found, choose_model(model).model, seed=seed, report=report) if model else None
    some = [appraise(one.score, beside, one.id) for one in found[:pieces] if len(one.score)]
    return Evaluated(title, evaluation, bits, tuple(some), ranked=_ranked(beside))


def heard_by(answers: Sequence[Place | Mapping[str, Any]], key: Place | Mapping[str, Any], *,
             seed: int = 0) -> Evaluated:
    """Return what listeners said on a blind listening page, by their answers and the key that was written beside it."""
    return Evaluated("What listeners prefer", preferences=preferences(answers, key, seed=seed))


def listening_test(music: Place, reference: Place, path: Place, *, pairs: int = 16, seed: int = 0,
                   workers: int | None = None, max_notes: int = DEFAULT_MAX_NOTES,
                   report: Report | None = None) -> list[Path]:
    """Write a blind listening test of two sets of pieces as one page, and its key beside it; return both paths."""
    sets = {}
    for place in (music, reference):
        own = [one for one in _pieces(place, report, {"workers": workers, "max_notes": max_notes}) if len(one.score)]
        name = _title(place) if _title(place) not in sets else f"{_title(place)} (reference)"
        sets[name] = {one.id: one.score for one in own}

    return write_listening(sets, path, pairs=pairs, reference=list(sets[list(sets)[1]].values()), seed=seed,
                           report=report)


def repaired(music: Place, found: Appraisal, out: Place, *, model: str = "markov",
             seed: int = 0) -> tuple[Repair, list[Path]]:
    """Write the piece in the file `music` with the cells of its faults written anew by a model, and its record.

    Returns what became of the faults (see ``partimento.repair``) and the files written; none where nothing could be
    mended. RequestError where there is no fault.
    """
    if not found.findings:
        raise RequestError(f"a piece to repair must have a fault; none was found in {found.name}")
    chosen = choose_model(model)
    wish = Request(verb="infill", model=chosen.name, model_hash=chosen.hash)
    done = repair(found.score, found.findings, chosen.model, spreads=found.spreads, seed=seed, wish=wish,
                  guard=chosen.guard)
    if done.result is None:
        return done, []
    return done, output.write(provenance.attributed([done.result], chosen.maker, music), out)


# --- the parts -----------------------------------------------------------------------------------------------------


def _is_piece(music: Any) -> bool:
    place = Path(music)
    if place.suffix == SUFFIX:
        raise RequestError(f"{music} is a checkpoint: give it with --model, and the music to judge first")
    return not place.is_dir() and kind_of(place) is not None and not archive_kind(place)


def _pieces(music: Any, report: Report | None, reading: Mapping[str, Any]) -> list[Piece]:
    if not isinstance(music, str | os.PathLike):
        return [Piece(score, f"piece {number}") for number, score in enumerate(music, 1)]
    return list(load_corpus(music, valid_share=0, near="ignore", progress=report, **reading).train)


def _title(music: Any) -> str:
    return Path(music).resolve().name if isinstance(music, str | os.PathLike) else "pieces"


def _ranked(beside: Reference | None) -> RankReference:
    return beside.ranked if beside is not None and beside.ranked is not None else bundled_reference()
