"""Bits per note of any pieces under any family that has a likelihood: the same content for all, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from partimento.errors import ModelError, PartimentoError, RequestError
from partimento.judge.distances import Interval, bootstrap
from partimento.models.base import LogProb, Model, Piece, Progress, Report
from partimento.score import Score
from partimento.tokens.grid import STEPS_PER_QUARTER, snap


class PieceBits(NamedTuple):
    """One piece: its name, the bits of all its notes together, how many notes these are, and the bits of expression.

    `expression` is of velocity and micro-timing, None where the family has none.
    """

    name: str
    bits: float
    notes: int
    expression: float | None = None


class NoteBits(NamedTuple):
    """Bits per note of a set of pieces: the mean over all notes with its 95 % interval over pieces, and every piece.

    `bits` is of onset, pitch, duration and track on a grid of 12 steps a quarter, given the frame (meters, tempos,
    keys, tracks, length), ends charged; `expression` of velocity and micro-timing, a column of its own. `model` names
    the family; `bound` says that the true number may be lower: pieces have several tokenisations, of which the
    canonical one was weighed, or the family hears a finer grid. `left_out` are the names of pieces that were not
    weighed, each with the reason.
    """

    model: str
    bits: Interval
    expression: Interval | None
    bound: bool
    pieces: tuple[PieceBits, ...]
    left_out: tuple[tuple[str, str], ...]

    @property
    def notes(self) -> int:
        """How many notes were weighed."""
        return sum(piece.notes for piece in self.pieces)

    def as_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return {"model": self.model, "bits_per_note": self.bits._asdict(),
                "expression": self.expression._asdict() if self.expression else None, "bound": self.bound,
                "notes": self.notes, "pieces": [piece._asdict() for piece in self.pieces],
                "left_out": [{"name": name, "why": why} for name, why in self.left_out]}


def bits_per_note(pieces: Sequence[Piece | Score], model: Model, *, seed: int = 0,
                  report: Report | None = None) -> NoteBits:
    """Return the bits per note of pieces under a model, the mean over all notes and its interval by bootstrap.

    Every piece is put on the grid of 12 steps a quarter before it is weighed, so that all families weigh the same
    content. A Score without a name is called by its number, from 1. A piece without notes, and one that the family
    cannot weigh, is left out and said; where `report` returns False the pieces weighed by then count. ModelError where
    the family has no likelihood, has learnt nothing, or weighs on a grid to which 12 steps a quarter do not belong;
    RequestError where nothing could be weighed.

    >>> from partimento.models.random import Random
    >>> tune = Score(onset=[0, 480], duration=[480, 480], pitch=[60, 64], velocity=[80, 80], track=[0, 0])
    >>> found = bits_per_note([tune], Random())
    >>> found.notes, found.bits.value == Random().log_prob(tune).bits_per_note
    (2, True)
    """
    rows: list[PieceBits] = []
    left_out: list[tuple[str, str]] = []
    bound = getattr(model.config, "grid", STEPS_PER_QUARTER) != STEPS_PER_QUARTER
    for number, (piece, found) in enumerate(weighings(pieces, model)):
        if isinstance(found, str):
            left_out.append((piece.id, found))
        else:
            bound = bound or found.bound
            rows.append(PieceBits(piece.id, _bits(found.nats), found.notes,
                                  None if found.expression is None else _bits(found.expression)))
        if report is not None and not report(Progress("weighing", number + 1, len(pieces))):
            break
    if not rows:
        why = f"; the first of {len(left_out)} left out: {left_out[0][0]}: {left_out[0][1]}" if left_out else ""
        raise RequestError(f"bits per note need at least one piece with notes that the {model.family} family can "
                           f"weigh; got none{why}")
    silent = any(piece.expression is None for piece in rows)
    table = np.array([(piece.bits, piece.notes, piece.expression or 0.0) for piece in rows])
    return NoteBits(model.family, _mean(table[:, :2], seed), None if silent else _mean(table[:, [2, 1]], seed), bound,
                    tuple(rows), tuple(left_out))


def weighings(pieces: Sequence[Piece | Score], model: Model) -> Iterator[tuple[Piece, LogProb | str]]:
    """Yield each piece, on the grid of 12 steps a quarter, with its likelihood, or the reason why it has none.

    ModelError as for `bits_per_note`, before anything is weighed.
    """
    if not model.has_likelihood:
        raise ModelError(f"bits per note need a family with a likelihood; the {model.family} family has none")
    if not model.fitted:
        raise ModelError(f"bits per note need a model that has learnt; this {model.family} model has learnt nothing")
    grid = getattr(model.config, "grid", STEPS_PER_QUARTER)
    if grid % STEPS_PER_QUARTER:
        raise ModelError(f"bits per note are of music on {STEPS_PER_QUARTER} steps a quarter; this {model.family} "
                         f"model hears {grid}, on which other notes fall together: train one with grid "
                         f"{STEPS_PER_QUARTER}")
    return _weighings(pieces, model)


def _weighings(pieces: Sequence[Piece | Score], model: Model) -> Iterator[tuple[Piece, LogProb | str]]:
    for number, given in enumerate(pieces):
        piece = given if isinstance(given, Piece) else Piece(given, f"piece {number + 1}")
        piece = piece._replace(score=snap(piece.score))
        yield piece, weighed(piece.score, model)


def weighed(score: Score, model: Model) -> LogProb | str:
    """Return the likelihood of a Score under a model, or the reason why it has none that can be compared.

    >>> from partimento.models.random import Random
    >>> weighed(Score(), Random())
    'it has no notes'
    """
    if not len(score):
        return "it has no notes"
    try:
        found = model.log_prob(score)
    except PartimentoError as error:
        return str(error)
    if found is None:
        return f"the {model.family} family gives no likelihood of it"
    if found.notes != len(score):
        return f"the {model.family} family weighs {found.notes} of its {len(score)} notes, which is other content"
    if not np.isfinite(found.nats):
        return f"the {model.family} family holds it for impossible"
    return found


def _bits(nats: float) -> float:
    return float(-nats / np.log(2))


def _mean(table: np.ndarray[Any, np.dtype[np.float64]], seed: int) -> Interval:
    """The bits over the notes of rows (bits, notes), with its interval over rows."""
    return bootstrap(table, lambda some: float(some[:, 0].sum() / some[:, 1].sum()), seed=seed)


def note_bits_text(found: NoteBits) -> str:
    """The bits per note in words for a terminal."""
    out = [f"{found.bits.value:.3f} bits a note ({found.bits.low:.3f}–{found.bits.high:.3f}) under the {found.model} "
           f"family{', at most' if found.bound else ''}: {found.notes:,} notes of {len(found.pieces):,} pieces"]
    if found.expression is not None:
        out.append(f"velocity and timing apart: {found.expression.value:.3f} bits a note "
                   f"({found.expression.low:.3f}–{found.expression.high:.3f})")
    out += [f"left out: {name}: {why}" for name, why in found.left_out]
    return "\n".join(out)
