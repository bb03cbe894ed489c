"""How much a piece is like real music: one number, made of five kinds of order that are heard in its notes.

Each order (see `rank_orders`) compares the piece with its own notes in another order, so that nothing has to be learnt
from bad music. What a piece has of each is told in standard deviations of a reference of real pieces, within ±5. The
orders are of three sides of music: notes (syntax), voices (counterpoint) and form (joins, plan, close). The mean within
each side, then that of the sides that can be heard, is the rank: 0 is the mean real piece, and more is better. The only
numbers fitted are the means and deviations of the reference, and the model that weighs the notes: of real music alone.

The rank says nothing of expression, drums, sound, or of whether the piece is new. Real pieces that do without one of
the orders (a fade-out, organum in fifths) stand low in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from partimento import checkpoint
from partimento.errors import ModelError, RequestError
from partimento.judge.rank_orders import ORDERS, heard_piece
from partimento.models.base import Model, Progress, Report
from partimento.sampling import generator
from partimento.score import Score

FEWEST_BARS, FEWEST_NOTES = 4, 16      # in which an order can be heard
FEWEST_PIECES = 10                     # of a reference that have an order, for its spread to be told
MOST_PIECES = 200                      # of a reference that are heard
FAR = 5.0                              # standard deviations from which on more say nothing
REFERENCE = "rank.json"                # beside this module, made by bench/rank_reference.py


class RankReference(NamedTuple):
    """What a piece is held against: a name, how many real pieces, and the mean and deviation of each of their orders.

    `ranks` are those of its own pieces, rising; `model` weighs the notes, and `model_name` says which that is;
    `left_out` counts pieces that were too short to rank.
    """

    name: str
    pieces: int
    orders: dict[str, tuple[float, float]]
    ranks: tuple[float, ...]
    model_name: str
    model: Model
    left_out: int = 0

    def as_dict(self) -> dict[str, Any]:
        """All but the model, JSON-ready."""
        return {"name": self.name, "pieces": self.pieces, "left_out": self.left_out, "model": self.model_name,
                "orders": {name: list(pair) for name, pair in self.orders.items()}, "ranks": list(self.ranks)}


class RankPart(NamedTuple):
    """One order of a piece: its name, its value, how many deviations it lies above real music's mean, and that spread.

    `value` and `place` are None where the order cannot be heard in the piece.
    """

    name: str
    value: float | None
    place: float | None
    mean: float
    deviation: float


class Rank(NamedTuple):
    """The rank of a piece: `value` is the mean of its sides, 0 as real music has it on average, more is better.

    `above` is the share of the reference's pieces, 0–1, that rank below; `reference` names it, `model` what weighed.
    """

    value: float
    above: float
    parts: tuple[RankPart, ...]
    reference: str
    model: str

    def as_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return {**self._asdict(), "parts": [part._asdict() for part in self.parts]}


def rank(score: Score, reference: RankReference | None = None) -> Rank:
    """Return how much a piece is like real music, beside a reference (default: the one that comes with the package).

    Higher is more like it. Only the notes, their tracks and the bars are heard: no velocity, tempo, written key or
    name, nor drums. RequestError for a piece with fewer than 16 pitched notes or bars in which they begin under 4.

    >>> scale = [60, 62, 64, 65, 67, 65, 64, 62]
    >>> tune = [(480 * i, 480, scale[i % 8] + 2 * (i // 16 % 2), 80, 0) for i in range(63)] + [(30240, 480, 60, 80, 0)]
    >>> better = rank(Score.from_rows(tune))
    >>> worse = rank(Score.from_rows([(o, d, 48 + p * 37 % 24, v, t) for o, d, p, v, t in tune]))
    >>> better.value > worse.value
    True
    """
    told = reference or bundled_reference()
    heard = orders_heard(score, told.model)
    places = _places(heard, told.orders)
    value = _over_sides(places)
    parts = tuple(RankPart(name, heard[name], places[name], *spread) for name, spread in told.orders.items())
    above = float(np.searchsorted(told.ranks, value)) / len(told.ranks)
    return Rank(value, above, parts, told.name, told.model_name)


def _places(heard: Mapping[str, float | None], orders: Mapping[str, tuple[float, float]]) -> dict[str, float | None]:
    """How many deviations each order lies above the mean, within ±5."""
    return {name: None if (value := heard[name]) is None else float(np.clip((value - mean) / deviation, -FAR, FAR))
            for name, (mean, deviation) in orders.items()}


def _over_sides(places: Mapping[str, float | None]) -> float:
    """The mean over the sides of music of the mean place of their orders; −5 where nothing can be heard."""
    sides: dict[str, list[float]] = {}
    for order in ORDERS:
        if (place := places.get(order.name)) is not None:
            sides.setdefault(order.side, []).append(place)
    return float(np.mean([np.mean(side) for side in sides.values()])) if sides else -FAR


def orders_heard(score: Score, model: Model) -> dict[str, float | None]:
    """Return what a piece has of every order by name, None where one cannot be heard; RequestError as for `rank`."""
    heard = heard_piece(score)
    if len(heard.onset) < FEWEST_NOTES or heard.bars < FEWEST_BARS:
        raise RequestError(f"a piece to rank must have at least {FEWEST_NOTES} pitched notes, which begin in at least "
                           f"{FEWEST_BARS} bars; this one has {len(heard.onset)} in {heard.bars}")
    return {order.name: order.hear(heard, model) for order in ORDERS}


def rank_reference(pieces: Sequence[Score], name: str = "reference", model: Model | None = None,
                   model_name: str = "", most: int = MOST_PIECES, seed: int = 0,
                   report: Report | None = None) -> RankReference:
    """Return what real pieces have of every order, to rank others beside them; of more than `most` some, by `seed`.

    `model` weighs the notes: any family with a likelihood [the markov model that comes with the package]. It should
    not have learnt from these pieces, nor from those to be ranked. Pieces too short to rank, and orders that fewer than
    10 pieces have, are left out. ModelError where the model has no likelihood; RequestError where fewer than 10 pieces
    can be ranked or they do not differ in anything.
    """
    if model is None:
        model, model_name = bundled_judge()
    if not (model.has_likelihood and model.fitted):
        raise ModelError(f"a model to rank with must have learnt, and have a likelihood; this {model.family} model "
                         f"{'has learnt nothing' if model.has_likelihood else 'has none'}")
    found, left_out = [], 0
    chosen = np.sort(np.argsort(generator(seed).random(len(pieces)), kind="stable")[:most]).tolist()
    for number, index in enumerate(chosen):
        try:
            found.append(orders_heard(pieces[index], model))
        except RequestError:
            left_out += 1
        if report is not None and not report(Progress("hearing the reference", number + 1, len(chosen))):
            break
    if len(found) < FEWEST_PIECES:
        raise RequestError(f"a reference to rank beside must have at least {FEWEST_PIECES} pieces of "
                           f"{FEWEST_BARS} bars and {FEWEST_NOTES} pitched notes or more; got {len(found)}")
    orders: dict[str, tuple[float, float]] = {}
    for order in ORDERS:
        values = [value for one in found if (value := one[order.name]) is not None]
        if len(values) >= FEWEST_PIECES and np.std(values) > 1e-6:
            orders[order.name] = (float(np.mean(values)), float(np.std(values, ddof=1)))
    if not orders:
        raise RequestError("the pieces of a reference must differ from one another; these are all alike")
    ranks = sorted(_over_sides(_places(one, orders)) for one in found)
    return RankReference(name, len(found), orders, tuple(ranks), model_name or model.family, model, left_out)


@cache
def bundled_judge() -> tuple[Model, str]:
    """Return the markov model that comes with the package, and its name with the begin of its sha256; read once."""
    place = checkpoint.bundled()
    loaded = checkpoint.load(place)
    return loaded.model, f"{place.stem} {loaded.hash[:12]}"


@cache
def bundled_reference() -> RankReference:
    """Return the reference that comes with the package: open music, no piece of which taught the model; read once.

    >>> sorted(bundled_reference().orders)
    ['close', 'counterpoint', 'joins', 'plan', 'syntax']
    """
    told = json.loads(files("partimento.judge").joinpath(REFERENCE).read_text(encoding="utf-8"))
    orders = {name: (float(mean), float(deviation)) for name, (mean, deviation) in told["orders"].items()}
    return RankReference(told["name"], int(told["pieces"]), orders, tuple(told["ranks"]), told["model"],
                         bundled_judge()[0])


def rank_text(found: Rank) -> str:
    """The rank in words for a terminal."""
    meanings = {order.name: order.meaning for order in ORDERS}
    head = (f"rank {found.value:+.2f}: above {found.above:.0%} of the real pieces of {found.reference} (0 is their "
            f"mean, the unit a standard deviation; weighed by {found.model})")
    rows = [(part.name, "–" if part.place is None else f"{part.place:+.2f}",
             "cannot be heard here" if part.value is None else
             f"{part.value:.2f} (real {part.mean:.2f} ± {part.deviation:.2f})", meanings[part.name])
            for part in found.parts]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join([head, *(f"  {a:{widths[0]}}  {b:>{widths[1]}}  {c:{widths[2]}}  {d}" for a, b, c, d in rows)])
