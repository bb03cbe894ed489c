"""The one training loop of every neural family: AdamW, cosine, moving average, early stop, resume, several processes.

A family gives a Task (its network, its rows of data, its loss) and a Plan; `run` gives back the weights that did best.
The gradient of a step is that of (sum of nats) / (sum of units) over the whole global batch, so it does not depend on
how many rows fit in memory at once, or on how many processes share them, beyond rounding. All randomness is a
function of seed, step, process and micro-batch: a run that was killed ends, started again, with the same weights.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import torch

from partimento.errors import ModelError, WriteError
from partimento.models.base import Copying, Model, Progress, Report
from partimento.nets import keep as state
from partimento.nets.learner import Learner, arrays
from partimento.nets.machine import (
    Ranks,
    find_device,
    give_back_memory,
    has_bfloat16,
    out_of_memory,
    own_randomness,
    seed_torch,
)

TIMED_STEPS = 50                    # after so many, or half the time, a budget becomes a number of steps
SAVING = 50                         # no more than this part of the time is spent on keeping the state
REPORT_SECONDS = 0.2                # at least so long between two reports inside a step
Stopped = Literal["", "steps", "patience", "report", "nan"]
T = TypeVar("T")


class Task(Protocol):
    """What a family gives to be trained: its network (every parameter float32 and learnt), data and loss."""

    @property
    def network(self) -> torch.nn.Module:
        """The network, whose parameters the run changes."""

    def rows(self, step: int) -> Sequence[Any]:
        """What the global batch of a step is made of: a pure function of the task's seed and `step`."""

    def loss(self, rows: Sequence[Any], device: torch.device) -> tuple[torch.Tensor, float]:
        """The sum of nats over the rows (float32 scalar, differentiable), and how many units (notes) it is over."""

    def valid(self) -> Sequence[Sequence[Any]]:
        """The batches of rows to validate on, always the same; may be empty."""

    def snapshot(self, weights: Mapping[str, np.ndarray]) -> Model | None:
        """A model that plays these weights, or None where there is none to hear yet."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """How to train. `steps`, or `seconds` (turned into steps after the first 50), or both: whichever ends first.

    `lr` rises over `warmup` steps and falls as a cosine to 0 at the last; `weight_decay` is of matrices alone; `clip`
    bounds the norm of the gradient (0: no bound); `ema` is the decay of the moving average of the weights (0: none),
    which is what is validated and kept; `micro` rows at once are in memory; validation comes every `valid_every` steps
    and at the end, and `patience` of them without gain end the run (0: never); `precision` auto is bfloat16 where the
    device has it in hardware; the state is kept every
    `save_seconds`, or less often where keeping it would take more than one part in SAVING of the time.
    """

    steps: int | None = None
    seconds: float | None = None
    lr: float = 1e-3
    warmup: int = 0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    clip: float = 1.0
    ema: float = 0.0
    micro: int = 64
    valid_every: int = 200
    patience: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = 0
    save_seconds: float = 1.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run gave: the averaged weights that validated best (without a validation, the last), float32 by name.

    `steps` were planned (None: stopped before they were), `step` done, the weights are of `best_step`; `seconds` of all
    runs together; `curve` has (step, nats a unit in training, in validation or None), `copied` (step, share of notes
    that are shared, the most that is usual); `stopped` says why it ended: ``steps``, ``patience``, ``report`` (it said
    False) or ``nan``; `notes` are sentences worth telling.
    """

    weights: dict[str, np.ndarray]
    best_step: int
    step: int
    steps: int | None
    seconds: float
    curve: list[tuple[int, float, float | None]]
    copied: list[tuple[int, float, float]]
    stopped: Stopped
    notes: tuple[str, ...]
    device: str
    precision: str


def run(task: Task, plan: Plan, *, device: str = "auto", keep: Path | None = None, fingerprint: str = "",
        copying: Copying | None = None, report: Report | None = None) -> Outcome:
    """Train the network of a task and return the best weights, which then stand in the network too.

    The best are those that validate best among those that copy no more than is usual, by `copying`; where all copy
    more, those that do so least.

    `keep` is the file of the training's state: where it stands there already the run goes on from it; it stays where
    `report` stopped the run, and is deleted where the run came to its end. `fingerprint` names the music, settings
    and seed; a state of another is refused (CheckpointError). ModelError where the device is absent, the plan has no
    end, or one row alone does not fit in memory. torch's random state is afterwards what it was before.
    """
    if plan.steps is None and plan.seconds is None:
        raise ModelError("a plan must say when training ends; it has neither steps nor seconds: give one")
    if plan.micro < 1 or plan.valid_every < 1:
        raise ModelError(f"a plan must have micro and valid_every of 1 or more; got {plan.micro} and "
                         f"{plan.valid_every}")
    place = find_device(device)
    with own_randomness(place), Ranks(place) as ranks:
        training = _Run(task, plan, place, ranks, keep, fingerprint, copying, report if ranks.first else None)
        try:
            return training.go()
        finally:
            training.learner.release()


def rate(plan: Plan, step: int, steps: int | None) -> float:
    """The learning rate of step `step` (from 0) of `steps`: linear warm-up, then a cosine to 0; flat while None.

    >>> [round(rate(Plan(steps=6, lr=1.0, warmup=2), step, 6), 3) for step in range(6)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    """
    if step < plan.warmup:
        return plan.lr * (step + 1) / plan.warmup
    done = (step - plan.warmup) / max(steps - plan.warmup, 1) if steps is not None else 0.0
    return plan.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


class _Run:
    """One run of the loop, with what stands in memory while it goes."""

    def __init__(self, task: Task, plan: Plan, device: torch.device, ranks: Ranks, path: Path | None,
                 fingerprint: str, copying: Copying | None, report: Report | None) -> None:
        self.task, self.plan, self.device, self.ranks = task, plan, device, ranks
        self.path, self.fingerprint, self.copying, self.report = path, fingerprint, copying, report
        self.bfloat16 = plan.precision == "bfloat16" or (plan.precision == "auto" and has_bfloat16(device))
        self.learner = Learner(task.network, device, plan.betas, plan.weight_decay)
        self.best: state.Floats = {}
        self.valid = task.valid()
        self.at = state.Standing(plan.micro, steps=plan.steps if plan.seconds is None else None)
        self.validated = 0                              # the step of the last validation
        self.stopped: Stopped = ""
        self.asked = False                              # to stop, by the report
        self.notes: list[str] = []
        self.loss: float | None = None                  # of the last step, nats a unit
        self.began = self.told = self.saved = time.perf_counter()
        self.saving = 0.0                               # seconds that the last keeping of the state took
        self.before = 0.0                               # seconds of earlier runs
        self.validation = 0.0                           # seconds of the last validation
        self.validating = 0.0                           # seconds of all validations of this run
        self.clock: deque[float] = deque([0.0], TIMED_STEPS)    # ends of steps, validation left out

    def go(self) -> Outcome:
        """The whole run."""
        self._resume()
        self._going(True)
        self._validate_where_due()                      # where the last run was stopped in the midst of it
        while not self._over():
            self._step()
            if not self.stopped:
                self._after_step()
        if self.stopped == "report":
            self._save()
        elif self.path is not None and self.ranks.first:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
        return self._outcome()

    # One step ---------------------------------------------------------------------------------------------------

    def _step(self) -> None:
        """One step of the optimiser over the global batch, or `stopped` where it cannot or shall not be taken."""
        gradient = self.learner.gradient
        rows = [*self.task.rows(self.at.step)][self.ranks.rank::self.ranks.size]
        nats, units = self._in_memory(len(rows), lambda: self._backward(rows))
        nats, units, asked = self.ranks.total(nats, units, self.asked)
        self.ranks.sum(gradient)
        if asked:
            self.stopped = "report"
            return
        norm = float(gradient.div_(units or 1.0).norm())
        if not (math.isfinite(nats) and math.isfinite(norm)):
            self._not_a_number(f"the loss of step {self.at.step + 1}")
            return
        if 0 < self.plan.clip < norm:
            gradient.mul_(self.plan.clip / norm)
        done = self.at.step + 1
        decay = min(self.plan.ema, done / (done + 9))   # a young average forgets the start sooner
        self.learner.descend(rate(self.plan, self.at.step, self.at.steps), decay)
        self.at.step = done
        self.at.nats, self.at.units = self.at.nats + nats, self.at.units + units
        self.loss = nats / (units or 1.0)

    def _backward(self, rows: Sequence[Any]) -> tuple[float, float]:
        """Put the gradient of the sum of nats over `rows` in place; return that sum and its units."""
        self.learner.gradient.zero_()
        nats = units = 0.0
        for part, micro in enumerate(self._micro(rows)):
            if not self._going():
                break
            seed_torch(self.device, self.plan.seed, self.at.step, self.ranks.rank, part)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
                loss, count = self.task.loss(micro, self.device)
            if loss.requires_grad:
                loss.backward()  # type: ignore[no-untyped-call]
            nats, units = nats + float(loss.detach()), units + float(count)
        return nats, units

    def _micro(self, rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
        for first in range(0, len(rows), self.at.micro):
            yield rows[first:first + self.at.micro]

    def _in_memory(self, rows: int, work: Callable[[], T]) -> T:
        """What `work` gives; where memory runs out it is done again with half as many rows at once."""
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                at_once = min(self.at.micro, rows)
            if at_once <= 1:
                raise ModelError("one row of the batch must fit in memory; it does not: take a smaller network or "
                                 "shorter rows")
            give_back_memory(self.device)
            self.at.micro = at_once // 2
            self.notes.append(f"memory ran out at step {self.at.step + 1}: from there {self.at.micro} rows at once "
                              f"instead of {at_once}, with the same batch")

    def _not_a_number(self, what: str) -> None:
        self.stopped = "nan"
        self.notes.append(f"{what} is no number: training ended there with the best weights so far; a lower learning "
                          "rate may go further")

    # After a step -------------------------------------------------------------------------------------------------

    def _after_step(self) -> None:
        """Validate, plan, keep the state and report, each where it is due."""
        self._tick()
        self._validate_where_due()
        if self.at.steps is None and not self.stopped:
            self._plan_steps()
        due = max(self.plan.save_seconds, SAVING * self.saving)
        if self.path is not None and time.perf_counter() - self.saved >= due:
            self._save()
        self._going(True)

    def _plan_steps(self) -> None:
        """After enough steps, turn the time there is into their number."""
        assert self.plan.seconds is not None
        timed = self.at.step >= min(TIMED_STEPS, self.plan.steps or TIMED_STEPS)
        if not self.ranks.agree(timed or self.at.seconds >= self.plan.seconds / 2)[0]:
            return
        self._validate()                                # so that its time is known
        fit = self.at.step + int(max(self.plan.seconds - self.at.seconds, 0.0) / self._step_seconds())
        self.at.steps = int(self.ranks.agree(min(fit, self.plan.steps or fit))[0])
        self._save()

    def _step_seconds(self) -> float:
        """Seconds of one step, by the last ones (not the first, which are slow), with its share of validation."""
        first = len(self.clock) // 10
        steps = (self.clock[-1] - self.clock[first]) / (len(self.clock) - 1 - first)
        return max(steps + self.validation / self.plan.valid_every, 1e-9)

    def _tick(self) -> None:
        now = time.perf_counter()
        self.at.seconds = self.before + now - self.began
        self.clock.append(now - self.began - self.validating)

    def _validate_where_due(self) -> None:
        if self.at.step in (self.at.steps, self.plan.steps) or self.at.step % self.plan.valid_every == 0:
            self._validate()

    def _validate(self) -> None:
        """A row of the curve, and the best weights where these are; once a step at most."""
        if self.validated == self.at.step:
            return
        began = time.perf_counter()
        found = self._valid_nats() if self.valid and self.ranks.first else None
        if self.asked:
            self.stopped = "report"
        elif found is not None and not math.isfinite(found):
            self._not_a_number(f"the validation loss of step {self.at.step}")
        elif found is not None:
            excess = self._copied()
            if self.at.best is None or (excess, found) < (self.at.excess, self.at.best):
                self.at.best, self.at.excess, self.at.best_step, self.at.since = found, excess, self.at.step, 0
                self.best = arrays(self.learner.ema)
            else:
                self.at.since += 1
        reasons: tuple[Stopped, ...] = ("", "report", "nan")
        since, reason = self.ranks.agree(self.at.since, reasons.index(self.stopped))
        self.at.since, self.stopped = int(since), reasons[int(reason)]
        if not self.stopped:
            self.validated = self.at.step
            self.at.curve.append((self.at.step, self.at.nats / (self.at.units or 1.0), found))
            self.at.nats = self.at.units = 0.0
        self.validation = time.perf_counter() - began
        self.validating += self.validation

    def _copied(self) -> float:
        """By how much the averaged weights copy more than is usual; a row of the curve of copying."""
        model = self.task.snapshot(arrays(self.learner.ema)) if self.copying is not None else None
        if self.copying is None or model is None:
            return 0.0
        found = self.copying(model)
        if found is None:
            return 0.0
        self.at.copied.append((self.at.step, found.share, found.usual))
        if found.excess and not any(said.startswith("it began to copy") for said in self.notes):
            where = f", most of {found.source}" if found.source else ""
            self.notes.append(f"it began to copy at step {self.at.step}{where}: {found.share:.0%} of its notes stand "
                              f"in passages of the music, where {found.usual:.0%} is the most that is usual; of "
                              "weights that copy less the best are kept")
        return round(found.excess, 6)

    def _valid_nats(self) -> float:
        """Nats a unit of the averaged weights, in float32, on the validation batches (NaN where it was stopped)."""
        nats = units = 0.0
        with self.learner.averaged():
            for batch in self.valid:
                part = self._in_memory(len(batch), lambda rows=batch: self._forward(rows))  # type: ignore[misc]
                nats, units = nats + part[0], units + part[1]
        return nats / units if units and not self.asked else math.nan

    def _forward(self, rows: Sequence[Any]) -> tuple[float, float]:
        nats = units = 0.0
        for micro in self._micro(rows):
            if not self._going():
                break
            loss, count = self.task.loss(micro, self.device)
            nats, units = nats + float(loss), units + float(count)
        return nats, units

    def _over(self) -> bool:
        """Whether the run has come to an end, and in `stopped` why."""
        if not self.stopped and self.at.steps is not None and self.at.step >= self.at.steps:
            self.stopped = "steps"
        if not self.stopped and 0 < self.plan.patience <= self.at.since:
            self.stopped = "patience"
        return bool(self.stopped)

    # Told and kept ------------------------------------------------------------------------------------------------

    def _going(self, now: bool = False) -> bool:
        """Report (at once, or where the last report is a while ago); False where it was ever told to stop."""
        moment = time.perf_counter()
        if self.report is not None and not self.asked and (now or moment - self.told >= REPORT_SECONDS):
            self.at.seconds = self.before + moment - self.began
            self.asked = not self.report(Progress("training", self.at.step, self.at.steps or 0, self._measures(),
                                                  self._model))
            self.told = time.perf_counter()
        return not self.asked

    def _measures(self) -> dict[str, float]:
        measures = {"seconds": self.at.seconds}
        if self.loss is not None:
            measures["nats"] = self.loss
        if self.at.curve and self.at.curve[-1][2] is not None:
            measures["valid"] = self.at.curve[-1][2]
        if self.at.copied:
            measures["copied"] = self.at.copied[-1][1]
        if self.at.steps is not None and len(self.clock) > 1:
            measures["left"] = (self.at.steps - self.at.step) * self._step_seconds()
        elif self.plan.seconds is not None:
            measures["left"] = max(self.plan.seconds - self.at.seconds, 0.0)
        return measures

    def _model(self) -> Model:
        made = self.task.snapshot(arrays(self.learner.ema))
        if made is None:
            raise ModelError("a model must be one that can be heard while it learns; this one cannot")
        return made

    def _outcome(self) -> Outcome:
        if not self.best:
            self.best, self.at.best_step = arrays(self.learner.ema), self.at.step
        weights = {name: torch.tensor(array, device=self.device) for name, array in self.best.items()}
        self.ranks.share(weights.values())              # only the first has validated
        self.learner.put(weights)
        best_step = int(self.ranks.agree(self.at.best_step)[0])
        return Outcome(arrays(weights), best_step, self.at.step, self.at.steps, self.at.seconds, self.at.curve,
                       self.at.copied, self.stopped, tuple(self.notes), str(self.device),
                       "bfloat16" if self.bfloat16 else "float32")

    def _save(self) -> None:
        """Keep the state; where it cannot be written, training goes on and one note says so."""
        self.saved = began = time.perf_counter()
        if self.path is None or not self.ranks.first:
            return
        self.at.seconds = self.before + self.saved - self.began
        kept = arrays(self.learner.tensors()) | {f"{state.BEST}/{name}": array for name, array in self.best.items()}
        try:
            state.write(self.path, self.fingerprint, self.at, kept)
        except WriteError as error:
            note = f"the state of the training could not be kept at step {self.at.step}, and it went on: {error}"
            if not any(said.startswith("the state of the training") for said in self.notes):
                self.notes.append(note)
        self.saving = time.perf_counter() - began if self.plan.save_seconds else 0.0

    def _resume(self) -> None:
        """Go on from the state that was kept, if there is one; give every process what the first one has."""
        tensors = self.learner.tensors()
        if self.path is not None and self.ranks.first:
            shapes = {name: tuple(param.shape) for name, param in self.learner.params.items()}
            found = state.read(self.path, self.fingerprint, shapes)
            if found is not None:
                self.at, kept = found
                self.at.steps = self.at.steps if self.plan.seconds is not None or self.at.steps else self.plan.steps
                self.before = self.at.seconds
                self.best = {name: kept[f"{state.BEST}/{name}"] for name in shapes if self.at.best is not None}
                for name, tensor in tensors.items():
                    tensor.copy_(torch.from_numpy(kept[name]))
        self.ranks.share(tensors.values())
        validated = self.at.curve[-1][0] if self.at.curve else 0
        steps = -1 if self.at.steps is None else self.at.steps
        numbers = map(int, self.ranks.agree(self.at.step, steps, self.at.since, validated))
        self.at.step, steps, self.at.since, self.validated = numbers
        self.at.steps = steps if steps >= 0 else None
        self.learner.go_on(self.at.step)
