"""The rules family: a composer with knowledge and no data.

A piece is planned before a note of it is written: a form of sections and phrases with their cadences, harmonies by a
functional grammar or by the loops of a style, and motifs that come back, inverted, broken up or in longer values. Then
the parts are written one after another, the lead first, each as one line drawn exactly from the costs of the rules, or
as a figure laid over the harmonies. All of it stands in tables (``tables/*.json``) that a musician can read.

What is kept speaks for the harmonies and the motifs, and is met by every line at the borders and within.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from partimento.errors import ModelError, RequestError
from partimento.forms import form_spans, parse_form
from partimento.models.base import Model, Reason, Rng, Table
from partimento.models.rules.explain import reason_for
from partimento.models.rules.shown import rules_shown
from partimento.models.rules.sketch import rules_table
from partimento.models.rules.species import exercise_of, what_gives_way, write_species
from partimento.models.rules.species_explain import species_reason
from partimento.models.rules.styles import style_for, style_named, suggested_request
from partimento.models.rules.writing import PieceWriter
from partimento.request import Blanks, Request
from partimento.score import Score


@dataclasses.dataclass(frozen=True, kw_only=True)
class RulesConfig:
    """`style` is one of the table of styles, or ``auto``: what suits the tracks, the meter and the tempo, else drawn.

    `form` is what the piece is to be built like, such as ``A8 A8 B8 A8``, fitted to its length; empty: a form of the
    style. A style or a form that a request names goes before.
    """

    style: str = "auto"
    form: str = ""

    def __post_init__(self) -> None:
        for name in ("style", "form"):
            if not isinstance(getattr(self, name), str):
                raise ModelError(f"{name} must be text; got {getattr(self, name)!r}")
        if self.style != "auto":
            style_named(self.style)
        if self.form:
            try:
                parse_form(self.form)
            except RequestError as error:
                raise ModelError(str(error)) from None


class Rules(Model):
    """Music by rules that can be read.

    >>> from partimento.sampling import generator
    >>> from partimento.score import Track
    >>> frame = Score(end=8 * 1920, tracks=(Track("piano"),))
    >>> new = Rules(style="classical").fill(frame, Blanks.everything(frame), Request(key="C"), [generator(1)])[0]
    >>> int(new.pitch[new.onset == new.onset.max()].min()) % 12
    0
    """

    Config: ClassVar[type] = RulesConfig
    family: ClassVar[str] = "rules"
    knows_species: ClassVar[bool] = True
    builds_forms: ClassVar[bool] = True
    config: RulesConfig

    @classmethod
    def styles(cls) -> Mapping[str, Mapping[str, Any]]:
        """The styles of the table: the meters, tempos (quarter notes a minute), forms and bands of each.

        >>> sorted(Rules.styles())[:3]
        ['ambient', 'battle', 'bossa']
        """
        return {name: {"meters": list(style["meters"]), "tempo": style["tempo"], "forms": list(style["forms"]),
                       "tracks": style["bands"]} for name, style in rules_table("styles").items()}

    def suggest(self, request: Request, rng: Rng) -> Request:
        """The request with what was left open filled in as the style has it; see the contract."""
        if request.species is not None:
            return request.replace(tracks=request.tracks or ("violin",))
        return suggested_request(request, request.style or self.config.style, rng)

    def can(self, around: Score, blanks: Blanks, request: Request) -> str | None:
        """None, or why no species counterpoint can be written to the line given; see the contract."""
        found = exercise_of(around, blanks, request) if request.species is not None else None
        return found if isinstance(found, str) else None

    def fill(self, around: Score, blanks: Blanks, request: Request, rngs: Sequence[Rng]) -> list[Score]:
        """One candidate a generator; see the contract."""
        if request.species is not None:
            exercise = exercise_of(around, blanks, request)
            if isinstance(exercise, str):
                raise ModelError(exercise)
            return write_species(around, request, exercise, rngs)
        out = []
        form = self.config.form
        if request.form:
            form = " ".join(f"{span.label}{span.bars}" for span in form_spans(request.form, around.n_bars))
        for rng in rngs:
            name = request.style or self.config.style
            if name == "auto":
                name = style_for(around, request, rng)
            style: dict[str, Any] = style_named(name)
            rows = PieceWriter(around, blanks, request, style, form, rng).write()
            out.append(around.with_rows(rows))
        return out

    def tables(self) -> Sequence[Table]:
        """The tables that hold numbers: harmony, styles, part-writing."""
        return rules_shown()

    def remarks(self, around: Score, blanks: Blanks, request: Request) -> tuple[str, ...]:
        """What is told where no species counterpoint keeps every rule; see the contract."""
        exercise = exercise_of(around, blanks, request) if request.species is not None else ""
        said = "" if isinstance(exercise, str) else what_gives_way(request, exercise)
        return (said,) if said else ()

    def explain(self, score: Score, note: int) -> Reason | None:
        """Why a note is there, by the analysis of the same tables; see the contract."""
        return species_reason(score, note) or reason_for(score, note, self.config.style)
