"""Two pens for a walk: one draws what comes next, one weighs what is given."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from partimento.events.blank import BlankPage
from partimento.events.fields import LOUDNESSES, MAX_MOVE, STAGES
from partimento.events.page import STRAY, Ints, duration_class
from partimento.events.walk import Walk
from partimento.sampling import draw, shape

Floats = npt.NDArray[np.float32]
PER_CLASS = 128 // LOUDNESSES       # velocities in a class of loudness


class Ear(Protocol):
    """What hears a walk through a network, and says how likely it holds what may come."""

    def push(self, walk: Walk) -> None:
        """Hear an event, which is complete."""

    def logits(self, walk: Walk, stage: str, options: Ints) -> Floats:
        """float32[options]: a number for each option of a stage of the event in the making, the higher the likelier."""


class Listening:
    """Hears a walk: the half that both pens share."""

    def __init__(self, ear: Ear) -> None:
        self.ear = ear

    def push(self, walk: Walk) -> None:
        """Hear an event."""
        self.ear.push(walk)

    def weights(self, walk: Walk, stage: str, options: Ints) -> npt.NDArray[np.float64]:
        """float64[options]: how likely each is, the likeliest 1."""
        found = self.ear.logits(walk, stage, options)
        return np.exp(found.astype(np.float64) - float(found.max()))


class DrawingPen(Listening):
    """Draws with one generator, at a temperature, from the likeliest `top_p`."""

    def __init__(self, ear: Ear, rng: np.random.Generator, temperature: float, top_p: float) -> None:
        super().__init__(ear)
        self.rng, self.temperature, self.top_p = rng, temperature, top_p

    def choose(self, walk: Walk, stage: str, options: Ints) -> int:
        """Draw one of the options."""
        return int(options[self._draw(self.weights(walk, stage, options))])

    def length(self, walk: Walk, kind: int, lengths: range, round_one: int) -> int:
        """A length of the class, most often the round one."""
        return lengths[self._draw(np.where(np.array(lengths) == round_one, 1.0, STRAY))]

    def velocity(self, walk: Walk, kind: int) -> int:
        """Any velocity of the class."""
        return max(1, kind * PER_CLASS + int(self.rng.random() * PER_CLASS))

    def _draw(self, weights: npt.NDArray[np.float64]) -> int:
        return draw(shape(weights, self.temperature, self.top_p), self.rng.random())


class WeighingPen(Listening):
    """Takes what stands in the blanks of a page and adds up `nats`, by stage; −inf where it cannot stand there."""

    def __init__(self, ear: Ear, page: BlankPage) -> None:
        super().__init__(ear)
        self.nats = dict.fromkeys(STAGES, 0.0)
        self._given = list(zip(*(column.tolist() for column in page.content), strict=True))
        self._at = 0

    def choose(self, walk: Walk, stage: str, options: Ints) -> int:
        """Take what is given; where that is not among the options, the piece is impossible."""
        wanted = self._wanted(walk, stage)
        where = int(np.searchsorted(options, wanted))
        if where >= len(options) or options[where] != wanted:
            self.nats[stage] = -np.inf
            return int(options[min(where, len(options) - 1)])
        weights = self.weights(walk, stage, options)
        self.nats[stage] += float(np.log(weights[where] / weights.sum()))
        return wanted

    def length(self, walk: Walk, kind: int, lengths: range, round_one: int) -> int:
        """The given length; the round one of a class is likeliest."""
        step, end = self._given[self._at][:2]
        length = min(max(end - step, lengths[0]), lengths[-1])
        total = 1 + STRAY * (len(lengths) - 1)
        self.nats["duration"] += float(np.log((1.0 if length == round_one else STRAY) / total))
        return int(length)

    def velocity(self, walk: Walk, kind: int) -> int:
        """The given velocity, any of its class as likely as another."""
        self.nats["loudness"] -= float(np.log(PER_CLASS))
        velocity = self._given[self._at][4]
        self._at += 1
        return int(velocity)

    def _wanted(self, walk: Walk, stage: str) -> int:
        point = walk.coming_point()
        given = self._given[self._at] if self._at < len(self._given) else None
        ahead = [(point.step, point.track, point.pitch)] if point is not None else []
        if given is not None:
            ahead.append((given[0], given[2], given[3]))
        if stage == "move":
            nearest = min([walk.line(), *(step for step, _, _ in ahead)])
            return int(min(max(nearest - walk.step, 0), MAX_MOVE))
        if stage in ("track", "pitch"):
            return int(min(ahead)[1 if stage == "track" else 2])
        assert given is not None
        if stage == "loudness":
            return int(given[4] // PER_CLASS)
        gap = walk.page.gap(given[2], given[0], given[3])
        return int(duration_class(min(max(given[1] - given[0], 1), gap)))
