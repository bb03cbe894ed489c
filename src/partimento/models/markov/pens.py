"""What writes a part: a pen that draws every line and choice, or one that weighs those that are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from partimento.models.markov.joint import Joint
from partimento.models.markov.line import Line
from partimento.models.markov.taste import is_sharpened
from partimento.sampling import draw


class Pen(Protocol):
    """Takes each line and each even choice: draws it, or weighs what is given; `sharpened`: leaves out what is seldom.
    """

    @property
    def sharpened(self) -> bool:
        """Whether what is seldom is left out."""

    def line(self, stage: str, line: Callable[[], Line], given: Sequence[int] | None) -> Sequence[int]:
        """The symbols of a line."""

    def even(self, stage: str, count: int, given: int | None) -> int:
        """One of `count` equal choices."""


class Drawing:
    """Draws lines and choices with one generator; uniform draws only."""

    def __init__(self, rng: np.random.Generator, temperature: float = 1.0, top_p: float = 1.0) -> None:
        self.rng, self.temperature, self.top_p = rng, temperature, top_p
        self.sharpened = is_sharpened(temperature, top_p)
        self.effective: list[float] = []        # sample sizes of the lines of products that were bound

    def line(self, stage: str, line: Callable[[], Line], given: Sequence[int] | None) -> Sequence[int]:
        """The symbols of a line, drawn given its conditions."""
        drawn = line()
        symbols = drawn.draw(self.rng, self.temperature, self.top_p)
        if isinstance(drawn, Joint) and np.isfinite(drawn.effective):
            self.effective.append(drawn.effective)
        return symbols

    def even(self, stage: str, count: int, given: int | None) -> int:
        """One of `count` equal choices."""
        return draw(np.ones(count), self.rng.random())


class Weighing:
    """Adds up the log-probability of what is given, by stage; `only` one stage where the others are known already."""

    def __init__(self, only: str | None = None) -> None:
        self.only = only
        self.sharpened = False
        self.parts = dict.fromkeys(("rhythm", "size", "pitch", "duration", "velocity"), 0.0)

    def line(self, stage: str, line: Callable[[], Line], given: Sequence[int] | None) -> Sequence[int]:
        """The symbols given, once weighed."""
        assert given is not None
        if self.only in (None, stage):
            self.parts[stage] += line().log_prob(given)
        return given

    def even(self, stage: str, count: int, given: int | None) -> int:
        """The choice given, once weighed."""
        assert given is not None
        if self.only in (None, stage):
            self.parts[stage] -= float(np.log(count))
        return given
