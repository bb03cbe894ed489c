"""The rnn family: a recurrent network that reads a page event by event and writes what is open.

One step of the network is one event (a note, a bar line), not one token: a note is chosen in stages (how far on, which
track, which pitch, how long, how loud), each given the stages before and what a player sees on the page at that place
(`partimento.events`). What is kept ahead of the blank is on the page too: when it comes, in which track, how high. The
likelihood is exact: every stage is renormalised over what is legal there. Training needs torch, playing does not
(`partimento.network`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from partimento import habits, network
from partimento.errors import ModelError, nearest
from partimento.events.blank import BlankPage
from partimento.events.pens import DrawingPen, WeighingPen
from partimento.events.walk import New, Walk
from partimento.models.base import (
    Arrays,
    Copying,
    Information,
    LogProb,
    Model,
    Piece,
    Reason,
    Report,
    Rng,
    need_torch,
)
from partimento.models.rnn.explain import Explaining
from partimento.models.rnn.information import rnn_information
from partimento.network import Player, Shape
from partimento.request import Blanks, Request
from partimento.score import Score

PRECISIONS = ("float32", "bfloat16")
CALM, LIKELY = 0.9, 0.92            # temperature and top-p where none is asked: a little training leaves long tails


@dataclasses.dataclass(frozen=True, kw_only=True)
class RnnConfig:
    """The network, and how it learns.

    `cell`: tanh, lstm or gru; `layers` of `width` units (None: as large as the corpus can teach). `grid`: steps a
    quarter. `window`: events that are read at once, and history that is heard when playing. `transpositions`: in how
    many keys each piece is heard; `keys`: whether it is told the key. `kept`: in what share of the windows something
    is known ahead, as when infilling. `steps`: of training (None: by the corpus, or the budget), each of `batch`
    windows, at the rate `lr` (None: what suits the cell) with `dropout`; `patience`: validations without gain before
    it ends (0: never). `precision` of training; `weights`: how they are saved.
    """

    cell: Literal["tanh", "lstm", "gru"] = "gru"
    layers: int | None = None
    width: int | None = None
    grid: int = 12
    window: int = 128
    transpositions: int = 12
    keys: bool = True
    kept: float = 0.5
    steps: int | None = None
    batch: int = 16
    lr: float | None = None
    dropout: float = 0.1
    patience: int = 5
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    weights: Literal["float32", "bfloat16", "int8"] = "int8"

    def __post_init__(self) -> None:
        Shape(cell=self.cell)       # refuses another cell
        for name, low, high in (("layers", 1, 8), ("width", 4, 4096), ("grid", 1, 24), ("window", 8, 4096),
                                ("transpositions", 1, 12), ("kept", 0, 1), ("steps", 1, 10_000_000),
                                ("batch", 1, 4096), ("lr", 1e-6, 1), ("dropout", 0, 0.9), ("patience", 0, 1000)):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ModelError(f"{name} must lie in {low}..{high}; got {value:g}")
        for name, known in (("precision", {"auto", *PRECISIONS}), ("weights", {"int8", *PRECISIONS})):
            if getattr(self, name) not in known:
                raise ModelError(nearest(str(getattr(self, name)), known, f"kind of {name}"))


class Rnn(Model):
    """A recurrent network over events, exact in likelihood; training needs torch, playing does not.

    >>> Rnn(cell="lstm").fitted
    False
    """

    Config: ClassVar[type] = RnnConfig
    family: ClassVar[str] = "rnn"
    learns: ClassVar[bool] = True
    has_likelihood: ClassVar[bool] = True
    resumes: ClassVar[bool] = True
    needs_torch: ClassVar[bool] = True
    config: RnnConfig

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        self._player: Player | None = None
        self._packed: Arrays = {}
        self._tables: dict[str, Any] = {}
        self._record: dict[str, Any] = {}

    @property
    def fitted(self) -> bool:
        """Whether it has learnt anything."""
        return self._player is not None

    def fit(self, pieces: Iterable[Piece], *, valid: Iterable[Piece] = (), seed: int = 0, device: str = "auto",
            start: Model | None = None, budget: float | None = None, keep: Path | None = None,
            copying: Copying | None = None, report: Report | None = None) -> Self:
        """Learn from the pieces; see the contract. Without `steps` and `budget` it reads the corpus 40 times."""
        need_torch(self.family)
        from partimento.nets import rnn

        if start is not None and not isinstance(start, Rnn):
            raise ModelError(f"the rnn family goes on from an rnn model; got one of the {start.family} family")
        found = rnn.fit(self.config, pieces, valid, seed=seed, device=device, budget=budget, keep=keep,
                        copying=copying, report=report, start=None if start is None else start.player,
                        snapshot=self._with)
        self._take(found.shape, found.weights, found.tables, found.record)
        return self

    def _take(self, shape: Shape, weights: Mapping[str, Any], tables: Mapping[str, Any], record: Mapping[str, Any],
              ) -> None:
        self._hold(shape, network.pack(weights, self.config.weights), tables, record)

    def _hold(self, shape: Shape, packed: Arrays, tables: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        self._packed, self._tables, self._record = packed, dict(tables), dict(record)
        self._player = Player(shape, network.unpack(packed))

    def _with(self, shape: Shape, weights: Mapping[str, Any], tables: Mapping[str, Any]) -> Rnn:
        """A model of the same settings that plays these weights."""
        other = Rnn(self.config)
        other._take(shape, weights, tables, {})
        return other

    @property
    def player(self) -> Player:
        """The network; ModelError before the fit."""
        if self._player is None:
            raise ModelError("the rnn family must be fitted before it composes: train it on some music")
        return self._player

    # --- composing -------------------------------------------------------------------------------------------

    def can(self, around: Score, blanks: Blanks, request: Request) -> str | None:
        """None, or that the model has not been fitted."""
        return None if self.fitted else "the rnn family must be fitted before it composes: train it on some music"

    def remarks(self, around: Score, blanks: Blanks, request: Request) -> tuple[str, ...]:
        """Says where the page holds more notes before the blank than are heard."""
        if len(around) <= self.config.window:
            return ()
        page = self._page(around, blanks, request)
        if not page.first_bar:
            return ()
        return (f"of what stands before, the last {page.ahead:,} notes were heard, from bar "
                f"{around.bar_number(int(page.ticks[page.bars.starts[page.first_bar]]))} on",)

    def fill(self, around: Score, blanks: Blanks, request: Request, rngs: Sequence[Rng]) -> list[Score]:
        """One candidate a generator; see the contract. Each is played by itself, so none depends on those beside it."""
        page = self._page(around, blanks, request)
        out = []
        for rng in rngs:
            walk = Walk(page, self._drawing(request, rng))
            for _ in walk.run():
                pass
            out.append(_written(page, walk.new))
        return out

    def stream(self, around: Score, blanks: Blanks, request: Request, rng: Rng) -> Iterator[Score]:
        """The new notes bar by bar, as they are made."""
        page = self._page(around, blanks, request)
        walk = Walk(page, self._drawing(request, rng))
        made, told = walk.run(), 0
        for end in around.bar_starts[1:].tolist():
            while page.ticks[walk.step] < end and next(made, None) is not None:
                pass
            upto = told
            while upto < len(walk.new) and page.ticks[walk.new[upto].step] < end:
                upto += 1
            yield _written(page, walk.new[told:upto])
            told = upto

    def _page(self, around: Score, blanks: Blanks, request: Request | None) -> BlankPage:
        ends = request is None or not request.loop
        return BlankPage(self.config.grid, around, blanks, request, self.config.window, ends=ends)

    def _drawing(self, request: Request, rng: Rng) -> DrawingPen:
        return DrawingPen(self.player, rng, request.temperature or CALM, request.top_p or LIKELY)

    def log_prob(self, score: Score, blanks: Blanks | None = None, request: Request | None = None) -> LogProb:
        """Exact log-probability of what stands in the blanks; see the contract."""
        page = self._page(score, blanks if blanks is not None else Blanks.everything(score), request)
        pen = WeighingPen(self.player, page)
        for _ in Walk(page, pen).run():
            pass
        parts = {"rhythm": pen.nats["move"] + pen.nats["track"], "pitch": pen.nats["pitch"],
                 "duration": pen.nats["duration"]}
        return LogProb(sum(parts.values()), page.count, parts, pen.nats["loudness"])

    def explain(self, score: Score, note: int) -> Reason | None:
        """How likely this pitch was at its place, given all that came before, and what else was likely."""
        if not self.fitted or not 0 <= note < len(score):
            return None
        page = self._page(score, Blanks.everything(score), None)
        pen = Explaining(self.player, page, note)
        for _ in Walk(page, pen).run():
            if pen.reason is not None:
                break
        return pen.reason

    def information(self, score: Score, request: Request | None = None) -> Information:
        """What every note tells: when and in which track, which pitch, how long; see the contract."""
        return rnn_information(self.player, self._page(score, Blanks.everything(score), request))

    def untabled(self) -> str:
        """That there are no tables."""
        return "the rnn family has no tables to show: what it learnt are the weights of a network"

    def suggest(self, request: Request, rng: Rng) -> Request:
        """The request with bars, meter, tempo, key and tracks filled in as the pieces learnt from have them."""
        if not self.fitted:
            return request
        request = habits.suggested(self._tables, request, rng, CALM, LIKELY)
        if request.verb == "compose" and request.tracks:
            request = request.replace(ranges=habits.usual_ranges(self._tables, request))
        return request

    # --- saving ----------------------------------------------------------------------------------------------

    def record(self) -> dict[str, Any]:
        """How it was trained: steps, the curve, device and precision."""
        return dict(self._record)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """The weights as `config.weights` says, the shape of the network, and the tables of facts."""
        return {"shape": dataclasses.asdict(self.player.shape), "tables": self._tables, "record": self._record}, \
            dict(self._packed)

    def restore(self, values: Mapping[str, Any], arrays: Arrays) -> Self:
        """Take back what `state` gave, and return self."""
        said = dict(values["shape"])
        shape = Shape(**{**said, "stages": tuple(said["stages"])})
        self._hold(shape, dict(arrays), values["tables"], values.get("record", {}))
        return self


def _written(page: BlankPage, new: Sequence[New]) -> Score:
    """The frame with new notes alone, from steps to ticks; those of which only the pitch is new keep their times."""
    around, rows = page.around, []
    for note in new:
        if note.source >= 0:
            onset, duration = int(around.onset[note.source]), int(around.duration[note.source])
            velocity = int(around.velocity[note.source])
        else:
            onset = int(page.ticks[note.step])
            duration = max(1, int(page.ticks[min(note.step + note.length, page.end)]) - onset)
            velocity = note.velocity
        rows.append((onset, duration, note.pitch, velocity, note.track))
    return around.with_rows(rows)
