"""The hmm family: hidden chains of harmony and rhythm that a person can read.

A page stands on one hidden chain of chords, a beat each (`harmony`), and every part on a hidden chain of rhythm
patterns, a beat each (`rhythm`). Parts are written one after another (lead, bass, inner parts, drums), each given all
that stands: when notes begin, by its patterns; which they are, given the chord, the line so far and what sounds around
it (`line`, `pitch`); how long and how loud they are. Every choice is normalised on its own, so that the sum over all
hidden paths is a forward pass, and P(new | kept) = forward(kept and new) / forward(kept), exactly. To compose, a path
is drawn given what is kept (forward filtering, backward sampling), then notes, given the path. Where neither a key is
written nor notes enough are kept to hear one, the likelihood sums over all 24.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from partimento import habits
from partimento.counting.hidden import Chain
from partimento.errors import ModelError
from partimento.models.base import (
    Arrays,
    Copying,
    Information,
    LogProb,
    Model,
    Piece,
    Progress,
    Reason,
    Report,
    Rng,
    Table,
)
from partimento.models.hmm.details import Details
from partimento.models.hmm.harmony import Counts
from partimento.models.hmm.information import hmm_information
from partimento.models.hmm.learn import Gathered
from partimento.models.hmm.page import DRUMS, ROLE_NAMES
from partimento.models.hmm.pianos import hands_joined, two_hands
from partimento.models.hmm.pitch import Weights
from partimento.models.hmm.rhythm import Patterns
from partimento.models.hmm.sheet import HarmonySheet, HmmTables, suggested_chords
from partimento.models.hmm.shown import note_reason, tables_shown
from partimento.models.hmm.write import Taste
from partimento.request import Blanks, Request
from partimento.score import Score

CALM, LIKELY = 1.0, 0.92   # temperature and top-p where none is asked: fewest faults of four settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class HmmConfig:
    """How much is hidden, and how long is learnt.

    `states`: rhythm patterns a role. `grid`: steps a quarter. `rounds`: iterations of Baum and Welch. `batches`: of
    256 notes each, from which the weights of the pitches are learnt (fewer where they would pass over the notes more
    than eight times). `evidence`: how much a pitch class that sounds
    through a whole beat says of its chord.
    """

    states: int = 24
    grid: int = 12
    rounds: int = 12
    batches: int = 4000
    evidence: float = 1.0

    def __post_init__(self) -> None:
        for name, low, high in (("states", 1, 200), ("grid", 1, 24), ("rounds", 0, 200), ("batches", 1, 100_000),
                                ("evidence", 0, 20)):
            if not low <= getattr(self, name) <= high:
                raise ModelError(f"{name} must lie in {low}..{high}; got {getattr(self, name):g}")


class Hmm(Model):
    """Hidden Markov chains of chords and of rhythm patterns, exact in likelihood.

    >>> tune = Score(onset=np.arange(32) * 240, duration=[240] * 32, pitch=[60, 62, 64, 65, 67, 65, 64, 62] * 4,
    ...              velocity=[80] * 32, track=[0] * 32)
    >>> model = Hmm(batches=40).fit([Piece(tune, "tune")])
    >>> from partimento.sampling import generator
    >>> from partimento.score import Track
    >>> frame = Score(end=7680, tracks=(Track("flute", 73),))
    >>> new, = model.fill(frame, Blanks.everything(frame), Request(top_p=0.9), [generator(1)])
    >>> len(new) > 8 and len(set(new.pitch.tolist())) > 2
    True
    """

    Config: ClassVar[type] = HmmConfig
    family: ClassVar[str] = "hmm"
    learns: ClassVar[bool] = True
    has_likelihood: ClassVar[bool] = True
    config: HmmConfig

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        self._learnt: HmmTables | None = None

    @property
    def fitted(self) -> bool:
        """Whether anything has been learnt."""
        return self._learnt is not None

    # --- learning --------------------------------------------------------------------------------------------

    def fit(self, pieces: Iterable[Piece], *, valid: Iterable[Piece] = (), seed: int = 0, device: str = "auto",
            start: Model | None = None, budget: float | None = None, keep: Path | None = None,
            copying: Copying | None = None, report: Report | None = None) -> Self:
        """Learn from the pieces; see the contract. It takes no `start`; of a `budget` half goes to reading."""
        if start is not None:
            raise ModelError("the hmm family learns from all its pieces at once; fit it on the old and the new "
                             "together")
        begin, config = time.monotonic(), self.config
        gathered, stopped = Gathered(config.grid, seed), False
        total = len(pieces) if isinstance(pieces, Sized) else 0

        def late(share: float) -> bool:
            return budget is not None and time.monotonic() - begin > share * budget

        for number, piece in enumerate(pieces):
            if gathered.pieces and late(0.5):
                break
            if report is not None and not report(Progress("learning", number, total)):
                stopped = True
                if gathered.pieces:
                    break
            if len(piece.score):
                gathered.add(piece.score)
        if not gathered.pieces:
            raise ModelError("the hmm family needs at least one piece with notes to learn from")
        roles = sorted(gathered.beats)
        patterns = {}
        for i, role in enumerate(roles):
            if report is not None and not stopped:
                stopped = not report(Progress(f"patterns of the {ROLE_NAMES[role]}", i, len(roles)))
            share = 0.5 + 0.25 * (i + 1) / len(roles)
            patterns[role] = gathered.patterns(role, config.states, 1 if stopped else config.rounds,
                                               lambda share=share: not late(share))       # type: ignore[misc]
        if report is not None and not stopped:
            stopped = not report(Progress("pitches", 0, 1))
        weights = gathered.weights(20 if stopped else config.batches, lambda: not late(1.0))
        self._learnt = HmmTables(config.grid, gathered.harmony, patterns, weights, gathered.details, gathered.plain(),
                              config.evidence)
        return self

    # --- composing -------------------------------------------------------------------------------------------

    def can(self, around: Score, blanks: Blanks, request: Request) -> str | None:
        """None, or that the model has not been fitted."""
        return None if self.fitted else "the hmm family must be fitted before it composes: train it on some music"

    def remarks(self, around: Score, blanks: Blanks, request: Request) -> tuple[str, ...]:
        """That the model never learnt drums, where it is to write some."""
        if self._learnt is None or DRUMS in self._learnt.patterns:
            return ()
        if not any(around.tracks[track].is_drum for track in blanks.tracks()):
            return ()
        return ("this model was trained on music without drums: a new drum part is a plain beat; for grooves, train on "
                "music that has drums",)

    def _ready(self) -> HmmTables:
        if self._learnt is None:
            raise ModelError("the hmm family must be fitted before it composes: train it on some music")
        return self._learnt

    def fill(self, around: Score, blanks: Blanks, request: Request, rngs: Sequence[Rng]) -> list[Score]:
        """One candidate a generator; see the contract."""
        learnt = self._ready()
        taste = Taste(request.temperature or 1.0, request.top_p or 1.0)
        hands = two_hands(around, blanks) if taste.sharp else None
        frame, holes, pairs = (hands[0], hands[1], hands[3]) if hands else (around, blanks, [])
        sheet = HarmonySheet(learnt, frame, holes, request, hands=pairs)
        out = []
        for rng in rngs:
            new = sheet.fill(taste, rng)
            out.append(hands_joined(new, hands[2], around) if hands else new)
        return out

    def log_prob(self, score: Score, blanks: Blanks | None = None, request: Request | None = None) -> LogProb:
        """Exact log-probability of what stands in the blanks; see the contract."""
        sheet = HarmonySheet(self._ready(), score, blanks or Blanks.everything(score), request, weigh=True)
        parts, expression = sheet.weigh()
        return LogProb(sum(parts.values()), sheet.count, parts, expression)

    def explain(self, score: Score, note: int) -> Reason | None:
        """Over which chord the note stands, which relations spoke for it, and what else was likely."""
        if self._learnt is None or not 0 <= note < len(score):
            return None
        return note_reason(HarmonySheet(self._learnt, score, Blanks.everything(score), None, weigh=True), note)

    def suggest(self, request: Request, rng: Rng) -> Request:
        """The request with bars, meter, tempo, key, tracks and chords filled in as the pieces learnt from have them."""
        if self._learnt is None:
            return request
        tables = self._learnt.tables
        request = habits.suggested(tables, request, rng, CALM, LIKELY)
        if request.verb == "compose" and request.tracks:
            request = request.replace(ranges=habits.usual_ranges(tables, request))
        if request.verb == "compose" and request.chords is None and request.key and request.bars:
            request = request.replace(chords=suggested_chords(self._learnt, request, rng))
        return request

    # --- reading ---------------------------------------------------------------------------------------------

    def tables(self) -> Sequence[Table]:
        """The chains of chords and of rhythm patterns, and what their states say; none before the fit."""
        return tables_shown(self._learnt) if self._learnt is not None else ()

    def information(self, score: Score, request: Request | None = None) -> Information:
        """What every note tells: when, how many at once, which pitch, how long; see the contract."""
        return hmm_information(HarmonySheet(self._ready(), score, Blanks.everything(score), request, weigh=True))

    # --- saving ----------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """The counts, chains and weights as arrays, and the tables of facts."""
        learnt = self._ready()
        arrays: Arrays = {f"harmony.{name}": array for name, array in learnt.harmony._asdict().items()}
        arrays |= {f"details.{name}": array for name, array in learnt.details._asdict().items()}
        arrays |= {f"pitch.{name}": array.astype(np.float32) for name, array in learnt.weights._asdict().items()}
        for role, own in learnt.patterns.items():
            arrays |= {f"rhythm{role}.start": own.chain.start, f"rhythm{role}.moves": own.chain.moves,
                       f"rhythm{role}.strikes": own.strikes, f"rhythm{role}.full": own.full}
        return {"tables": learnt.tables, "roles": sorted(learnt.patterns)}, arrays

    def restore(self, values: Mapping[str, Any], arrays: Arrays) -> Self:
        """Take back what `state` gave, and return self."""
        def taken(prefix: str) -> dict[str, Any]:
            return {name.partition(".")[2]: np.asarray(array, np.float64) for name, array in arrays.items()
                    if name.startswith(prefix + ".")}

        patterns = {}
        for role in values["roles"]:
            own = taken(f"rhythm{role}")
            patterns[int(role)] = Patterns(Chain(own["start"], own["moves"]), own["strikes"], own["full"])
        self._learnt = HmmTables(self.config.grid, Counts(**taken("harmony")), patterns, Weights(**taken("pitch")),
                              Details(**taken("details")), dict(values["tables"]), self.config.evidence)
        return self
