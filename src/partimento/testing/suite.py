"""The suite itself: what a law is given, how it is put in, and how all of them are run on a class."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from partimento import generate
from partimento.models.base import Model
from partimento.request import Request, Result
from partimento.score import Score
from partimento.testing.music import small_corpus

SEEDS = range(6)


@dataclasses.dataclass(frozen=True)
class Subject:
    """A class under test with settings that are not its defaults, and one fitted instance of it."""

    kind: type[Model]
    settings: Mapping[str, Any]
    model: Model

    def fresh(self) -> Model:
        """An instance that has learnt nothing."""
        return self.kind(**self.settings)

    def results(self, count: int = 1, source: Score | None = None, **wish: Any) -> list[Result]:
        """What the road gives for a wish."""
        return generate.generate(Request(**wish), self.model, source=source, count=count)

    def one(self, source: Score | None = None, **wish: Any) -> Result:
        """The first of `results`."""
        return self.results(1, source, **wish)[0]


Check = Callable[[Subject], None]
CHECKS: dict[str, tuple[Check, Callable[[type[Model]], bool]]] = {}


def check_model(kind: type[Model], settings: Mapping[str, Any] | None = None, only: str | None = None) -> list[str]:
    """The names of the laws run on a family class; AssertionError, naming the law, at the first that is broken.

    `settings` are fields of its Config, best not the defaults; `only` runs a single law by name.
    """
    settings = settings or {}
    model = kind(**settings)
    if kind.learns:
        model.fit(small_corpus())
    subject = Subject(kind, settings, model)
    names = [name for name, (_, applies) in CHECKS.items() if applies(kind) and only in (None, name)]
    for name in names:
        try:
            CHECKS[name][0](subject)
        except AssertionError as error:
            raise AssertionError(f"{kind.__name__} breaks the law {name!r}: {error}") from error
    return names


def law(applies: Callable[[type[Model]], bool] = lambda kind: True) -> Callable[[Check], Check]:
    """Put a check into the suite, for the classes whose flags say so."""
    def put(check: Check) -> Check:
        CHECKS[check.__name__] = (check, applies)
        return check
    return put


def expect(held: bool, message: str) -> None:
    """Raise the message as a broken law where it does not hold."""
    if not held:
        raise AssertionError(message)


def learns(kind: type[Model]) -> bool:
    """Laws for families that learn."""
    return kind.learns


def has_likelihood(kind: type[Model]) -> bool:
    """Laws for families with a likelihood."""
    return kind.has_likelihood


def tells(kind: type[Model]) -> bool:
    """Laws for families that say what each note tells."""
    return kind.information is not Model.information
