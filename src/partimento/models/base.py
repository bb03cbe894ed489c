"""The contract of a family of models, and the table of families."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from partimento.errors import ModelError, nearest
from partimento.request import Blanks, Request
from partimento.score import Score

FAMILIES: dict[str, str] = {
    "random": "partimento.models.random:Random",
    "rules": "partimento.models.rules:Rules",
    "markov": "partimento.models.markov:Markov",
    "rnn": "partimento.models.rnn:Rnn",
    "transformer": "partimento.models.transformer:Transformer",
    "hmm": "partimento.models.hmm:Hmm",
}

Rng = np.random.Generator
Arrays = dict[str, npt.NDArray[Any]]


class Piece(NamedTuple):
    """One piece of a corpus: the music, a name, the sha256 of its file, its licence, and a style where known."""

    score: Score
    id: str
    sha256: str = ""
    licence: str = ""
    style: str = ""


class Progress(NamedTuple):
    """Where a fit stands: the stage in words, steps done of total (0: not known), and measures so far (nats, ...).

    Of the measures ``seconds`` is the time taken and ``left`` the time still to come. `model`, where it is given, makes
    a usable model of what has been learnt so far: samples to hear.
    """

    stage: str
    done: int
    total: int
    measures: Mapping[str, float] = {}
    model: Callable[[], Model] | None = None


Report = Callable[[Progress], bool]


class Copied(NamedTuple):
    """What a model copies as it stands: the share of its notes (0–1) in passages that the music that teaches it has
    too, and the most that is usual for that music itself. `source` names the piece that it shares most with."""

    share: float
    usual: float
    source: str = ""

    @property
    def excess(self) -> float:
        """By how much the share is above what is usual, 0 where it is not."""
        return max(0.0, self.share - self.usual)


Copying = Callable[["Model"], Copied | None]


@dataclasses.dataclass(frozen=True)
class LogProb:
    """Log-probability in nats of what stands in the blanks: onset, pitch, duration and track of every note there.

    `nats` is the sum, ends of blanks charged; `notes` how many notes it covers; `parts` splits it by name
    (``rhythm``, ``pitch``, ``duration``); `expression` (nats) is of velocity and micro-timing, apart. `bound` is
    True where several tokenisations exist and this is the canonical one's.
    """

    nats: float
    notes: int
    parts: Mapping[str, float] = dataclasses.field(default_factory=dict)
    expression: float | None = None
    bound: bool = False

    @property
    def bits_per_note(self) -> float:
        """−nats / (notes · ln 2); NaN where there are no notes."""
        return -self.nats / (self.notes * float(np.log(2))) if self.notes else float("nan")


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why a note is there: a sentence, its probability, what taught it, and what else was likely."""

    text: str
    probability: float
    seen: str = ""
    alternatives: tuple[tuple[str, float], ...] = ()


Floats = npt.NDArray[np.float64]


class Table(NamedTuple):
    """Something that a model learnt, for a person to read: a number for every row and column, both named.

    `about` says in a sentence what the numbers are. `kind` is ``distribution`` (the chances of the columns, each row
    sums to 1), ``chance`` (each number is a probability by itself) or ``number`` (a weight). `down` and `across` say
    what rows and columns are, `seen` how often each row was met (empty where that is not known).

    >>> Table("coin", "the chance of each side", ("fair",), ("head", "tail"), ((0.5, 0.5),)).as_dict()["values"]
    [[0.5, 0.5]]
    """

    name: str
    about: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    kind: Literal["distribution", "chance", "number"] = "distribution"
    down: str = ""
    across: str = ""
    seen: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The same, JSON-ready."""
        return {**self._asdict(), "rows": list(self.rows), "columns": list(self.columns), "seen": list(self.seen),
                "values": [list(row) for row in self.values]}


@dataclasses.dataclass(frozen=True)
class Information:
    """How much every note of a Score tells under a model, in bits, by stage of the work (``pitch`` is always one).

    `content` (float64[n] a stage) is −log2 of the probability of what was chosen for the note, given all that the model
    chooses before it; `entropy` (float64[n]) is of the distributions it was chosen from: what the content was expected
    to be. A stage that chooses several times for a note adds up. Of notes of a track that begin together the one chosen
    first carries what is chosen for all of them: when, and how many. NaN stands for a note that the model's grid lays
    onto another one. `ends` is the content and the entropy of what comes after the last note: that nothing does.
    """

    content: Mapping[str, Floats]
    entropy: Mapping[str, Floats]
    ends: Mapping[str, tuple[float, float]]

    @classmethod
    def from_nats(cls, content: Mapping[str, Floats], entropy: Mapping[str, Floats],
                  ends: Mapping[str, tuple[float, float]]) -> Information:
        """From the same in nats."""
        bit = float(np.log(2))
        return cls({name: own / bit for name, own in content.items()},
                   {name: own / bit for name, own in entropy.items()},
                   {name: (one / bit, other / bit) for name, (one, other) in ends.items()})

    @property
    def total(self) -> tuple[Floats, Floats]:
        """Content and entropy of every note, all stages together."""
        return (np.asarray(sum(self.content.values()), np.float64), np.asarray(sum(self.entropy.values()), np.float64))

    @property
    def bits(self) -> float:
        """All content together, ends too: −log2 of the probability of the Score."""
        return float(np.nansum(self.total[0])) + sum(content for content, _ in self.ends.values())


def entropy_of(chances: Floats) -> Floats:
    """The entropy in nats of distributions (float64[…, n] ≥ 0, each summing to 1).

    >>> entropy_of(np.array([[0.5, 0.5], [1.0, 0.0]])).round(3).tolist()
    [0.693, 0.0]
    """
    return np.asarray(0.0 - (chances * np.log(np.where(chances > 0, chances, 1.0))).sum(axis=-1))


class Forgotten(NamedTuple):
    """A model without some of the pieces it was fitted on, and how far it is what a fit without them would give.

    `chosen` says what was chosen on the data and stays as it was; `unsure` what, that being so, may still differ from a
    fit without the pieces: nothing where it is empty.
    """

    model: Model
    chosen: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()


class Model(ABC):
    """A family of models. The constructor stores its config and does no work; `fit` learns and returns self.

    A subclass gives `Config` (a frozen dataclass, keyword only, every field with a default), the flags, `fill`,
    and, where it learns, `fit`, `state` and `restore`. Everything else (the frame, borders, keeping what is kept,
    facts, targets, retries, saving) happens once, outside. `resumes` says that a fit that was stopped goes on from its
    `keep` file; `needs_torch` that learning (never playing) takes PyTorch; `knows_species` that it answers a request
    for species counterpoint; `builds_forms` that `fill` reads the form of a request and plans by it (the road writes in
    a form for all others).
    """

    Config: ClassVar[type]
    family: ClassVar[str]
    builds_forms: ClassVar[bool] = False
    learns: ClassVar[bool] = False
    has_likelihood: ClassVar[bool] = False
    resumes: ClassVar[bool] = False
    needs_torch: ClassVar[bool] = False
    knows_species: ClassVar[bool] = False

    def __init__(self, config: Any = None, **settings: Any) -> None:
        if config is not None and settings:
            raise ModelError("give a Config or its fields by name, not both")
        names = {f.name for f in dataclasses.fields(self.Config)}
        for name in settings:
            if name not in names:
                raise ModelError(nearest(name, names, f"setting of the {self.family} family"))
        self.config = config if config is not None else self.Config(**settings)

    def fit(self, pieces: Iterable[Piece], *, valid: Iterable[Piece] = (), seed: int = 0, device: str = "auto",
            start: Model | None = None, budget: float | None = None, keep: Path | None = None,
            copying: Copying | None = None, report: Report | None = None) -> Self:
        """Learn from `pieces` (re-iterable) and return self; a family that does not learn returns self at once.

        A second fit without `start` (a fitted model to go on from) forgets the first. `budget` is in seconds. `keep`
        is the file in which a family that `resumes` keeps the state of its training: where it stands there already,
        the fit goes on from it, and a fit that was not stopped deletes it at its end; other families leave it alone.
        `copying` says how much a model copies: such a family asks it at every validation, and keeps the weights that
        validate best among those that copy no more than is usual. Both are given to families that resume alone.
        `report(progress)` is called now and then; when it returns False the fit stops and the model is usable.
        """
        return self

    @property
    def fitted(self) -> bool:
        """Whether the model is ready to compose."""
        return True

    @classmethod
    def styles(cls) -> Mapping[str, Mapping[str, Any]]:
        """The styles that a request may name, with what is worth telling of each; most families know none."""
        return {}

    def suggest(self, request: Request, rng: Rng) -> Request:
        """The request with facts that were left open filled in, in the style learnt (bars, meter, tempo, tracks)."""
        return request

    def can(self, around: Score, blanks: Blanks, request: Request) -> str | None:
        """None where the model can fill these blanks, or one sentence that says why not."""
        return None

    @abstractmethod
    def fill(self, around: Score, blanks: Blanks, request: Request, rngs: Sequence[Rng]) -> list[Score]:
        """One candidate a generator: the frame of `around` with the new notes alone.

        `around` is the whole frame with all that is kept, pinned notes included. In a region open for `pitch`
        the notes of `around` that are not pinned come back with other pitches.
        """

    def remarks(self, around: Score, blanks: Blanks, request: Request) -> tuple[str, ...]:
        """Sentences worth telling of how these blanks are filled, such as what of the page was not read."""
        return ()

    def stream(self, around: Score, blanks: Blanks, request: Request, rng: Rng) -> Iterator[Score]:
        """The new notes bar by bar, as they are made: one Score for every bar of `around`, in order, empty ones too.

        By default the finished fill, cut at the bar lines.
        """
        whole = self.fill(around, blanks, request, [rng])[0]
        for start, end in zip(around.bar_starts[:-1], around.bar_starts[1:], strict=True):
            yield whole.select((whole.onset >= start) & (whole.onset < end))

    def log_prob(self, score: Score, blanks: Blanks | None = None, request: Request | None = None) -> LogProb | None:
        """Log-probability of the notes of `score` in `blanks` (default: all), given the rest and the frame."""
        return None

    def explain(self, score: Score, note: int) -> Reason | None:
        """Why note `note` of `score` is there, or None where the family cannot say."""
        return None

    def information(self, score: Score, request: Request | None = None) -> Information | None:
        """Information content and entropy of every note of a Score, all of it weighed as `log_prob` weighs it.

        None where the family has no likelihood, or cannot tell its notes apart.
        """
        return None

    def tables(self) -> Sequence[Table]:
        """What was learnt, as tables to read; none where the family has nothing that a person could read."""
        return ()

    def untabled(self) -> str:
        """A sentence on what `tables` does not show, and why; empty where nothing is missing."""
        why = "" if self.learns else ": it learns nothing"
        return "" if self.tables() else f"the {self.family} family has no tables to show{why}"

    def forget(self, pieces: Sequence[Piece]) -> Forgotten | None:
        """Another model, without these of the pieces it was fitted on, however often it learnt each; the settings stay.

        None where the family can only be fitted again. ModelError where it never learnt one of them, or no other.
        """
        return None

    def record(self) -> dict[str, Any]:
        """What is to be known of the fit, JSON-ready (steps, curve, device, ...): it goes into the checkpoint.

        Sentences in a list under ``notes`` are told at the end of the training too.
        """
        return {}

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """What was learnt: JSON-ready values and named arrays (saved by ``partimento.checkpoint``)."""
        return {}, {}

    def restore(self, values: Mapping[str, Any], arrays: Arrays) -> Self:
        """Take back what `state` gave, and return self."""
        return self


def family(name: str) -> type[Model]:
    """The class of a family: a name of FAMILIES, or ``package.module:Class`` of anyone's own.

    >>> family("random").family
    'random'
    """
    target = FAMILIES.get(name, name)
    module_name, colon, class_name = target.partition(":")
    if not colon:
        raise ModelError(nearest(name, FAMILIES, "family of models") + "; or give your own as package.module:Class")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ModelError(f"a model named package.module:Class must be importable; {name!r} is not ({error})") from None
    if not (isinstance(found, type) and issubclass(found, Model)):
        raise ModelError(f"a model must be a subclass of partimento.models.base.Model; {name!r} is not")
    if inspect.isabstract(found):
        raise ModelError(f"a model must have every method of its contract; {name!r} lacks "
                         f"{', '.join(sorted(found.__abstractmethods__))}")
    return found


def need_torch(family: str) -> None:
    """Raise the ModelError that says how to get PyTorch where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise ModelError(f'training the {family} family needs PyTorch; install it with pip install "partimento[train]"')
