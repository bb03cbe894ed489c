"""Training: a folder of music in, a checkpoint out, with its ledger, its record and its likelihood on unseen pieces."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from partimento import __version__, checkpoint
from partimento.data.corpus import Corpus, load, rebarring
from partimento.data.split import Group
from partimento.errors import ModelError, PartimentoError
from partimento.formats.reading import DEFAULT_MAX_NOTES
from partimento.models.base import Model, Piece, Progress, Report, family
from partimento.request import platform_string
from partimento.settings import config_from_json

MAX_SCORED = 200        # pieces of the validation side that the likelihood is taken on
Music = str | os.PathLike[str] | Corpus | Sequence[Piece]


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """Bits per note on pieces not learnt from: of the model, and of random notes; `pieces` and `notes` scored.

    `left_out` counts pieces that the family cannot score.
    """

    bits_per_note: float
    random_bits_per_note: float
    pieces: int
    notes: int
    left_out: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class TrainResult:
    """What training gave: the model, its file (None: not saved) and sha256, the corpus, likelihood, time.

    `corpus` is None where pieces were given; `likelihood` is None without unseen pieces or in a family that has none.
    `stopped` is True where `report` ended the fit early; `notes` are sentences worth telling.
    """

    model: Model
    path: Path | None
    hash: str | None
    corpus: Corpus | None
    likelihood: Likelihood | None
    seconds: float
    stopped: bool
    notes: tuple[str, ...]

    def summary(self) -> str:
        """What came of it, in a few lines to print; the path written comes last."""
        out = self.corpus.summary().split("\n") if self.corpus else []
        if self.likelihood:
            found = self.likelihood
            out.append(f"on {found.pieces:,} unseen pieces: {found.bits_per_note:.2f} bits a note "
                       f"(random notes: {found.random_bits_per_note:.2f})")
        out += [*self.notes, f"{self.model.family} model, {self.seconds:.1f} s"]
        return "\n".join(out + ([str(self.path)] if self.path else []))


def train(music: Music, *, model: str | Model = "markov", out: str | os.PathLike[str] | None = None,
          settings: Mapping[str, Any] | None = None, valid_share: float = 0.1, seed: int = 0,
          licence: str | None = None, source: str | None = None, group: Group = "auto",
          given_split: str | os.PathLike[str] | None = None, input_meter: str | None = None,
          input_downbeat: float | None = None, workers: int | None = None, max_notes: int = DEFAULT_MAX_NOTES,
          device: str = "auto", budget: float | None = None, score: bool = True,
          report: Report | None = None) -> TrainResult:
    """Fit a model on a folder, a file, a Corpus or pieces, and save it to `out` where that is given.

    `model` is a family's name, ``package.module:Class``, or a model to fit; `settings` are fields of its Config.
    `valid_share`, `seed`, `licence`, `source`, `group`, `given_split`, `workers` and `max_notes` are as in
    ``partimento.data.load``. `input_meter` and `input_downbeat` re-bar every piece. `score` False skips the
    likelihood on unseen pieces. `report` is called through all stages; when it returns False, what has been read, or
    learnt, by then is used.
    """
    began = time.perf_counter()
    made = _model(model, settings or {})
    watch = _Watch(report)
    if isinstance(music, (str, os.PathLike)):
        corpus: Corpus | None = load(
            music, valid_share=valid_share, seed=seed, workers=workers, max_notes=max_notes, licence=licence,
            source=source, group=group, given_split=given_split, change=rebarring(input_meter, input_downbeat),
            progress=watch)
    else:
        corpus = music if isinstance(music, Corpus) else None
    pieces: Sequence[Piece] = corpus.train if corpus else list(music)  # type: ignore[arg-type]
    valid: Sequence[Piece] = corpus.valid if corpus else ()
    if not pieces:
        raise ModelError("there must be at least one piece to learn from; got none")
    stopped_reading = watch.stopped
    watch.stopped = False
    made = made.fit(pieces, valid=valid, seed=seed, device=device, budget=budget, report=watch)
    stopped = stopped_reading or watch.stopped
    found = likelihood(made, valid, pieces, report=watch) if score and not stopped else None
    notes = _notes(made, corpus, stopped_reading, watch.stopped)
    seconds = time.perf_counter() - began
    digest = None
    if out is not None:
        record = _record(corpus, pieces, found, seed, stopped, {
            "valid_share": valid_share, "input_meter": input_meter, "input_downbeat": input_downbeat, "budget": budget})
        digest = checkpoint.save(made, out, record=record, ledger_lines=corpus.ledger_lines() if corpus else ())
    return TrainResult(made, Path(out) if out is not None else None, digest, corpus, found, seconds, stopped, notes)


def likelihood(model: Model, valid: Sequence[Piece], train: Sequence[Piece] = (), *,
               report: Report | None = None) -> Likelihood | None:
    """Bits per note of `model` on `valid` (at most MAX_SCORED of them, evenly spread), and of the random family.

    Both are over the same pieces: those that both can score. None where the family has no likelihood, `valid` is
    empty, or nothing could be scored.
    """
    if not model.has_likelihood or not len(valid):
        return None
    random = family("random")().fit(train)
    chosen = [len(valid) * i // min(len(valid), MAX_SCORED) for i in range(min(len(valid), MAX_SCORED))]
    nats, plain, notes, scored = 0.0, 0.0, 0, 0
    for done, index in enumerate(chosen):
        if report is not None and not report(Progress("scoring", done, len(chosen))):
            break
        try:
            own, base = (each.log_prob(valid[index].score) for each in (model, random))
        except PartimentoError:
            continue
        if own is not None and base is not None and own.notes:
            nats, plain, notes, scored = nats + own.nats, plain + base.nats, notes + own.notes, scored + 1
    if not notes:
        return None
    bit = -0.6931471805599453 * notes
    return Likelihood(nats / bit, plain / bit, scored, notes, len(chosen) - scored)


class _Watch:
    """A report that remembers whether it was told to stop, and works where there is none."""

    def __init__(self, report: Report | None) -> None:
        self.report, self.stopped = report, False

    def __call__(self, progress: Progress) -> bool:
        if self.report is not None and not self.report(progress):
            self.stopped = True
        return not self.stopped


def _model(model: str | Model, settings: Mapping[str, Any]) -> Model:
    if isinstance(model, Model):
        if settings:
            raise ModelError("settings must come inside a model that is given made; give its family's name instead")
        return model
    kind = family(model)
    return kind(config_from_json(kind.Config, settings))


def _notes(model: Model, corpus: Corpus | None, stopped_reading: bool, stopped: bool) -> tuple[str, ...]:
    out = []
    if stopped_reading:
        out.append("stopped while reading: the model learnt from what had been read")
    if stopped:
        out.append("stopped while learning: the model is what it had learnt by then")
    if corpus is not None and len(corpus.train) == 1 and not corpus.valid:
        out.append("one piece alone: the model will sound like that piece, and nothing tells how well it learnt")
    if not model.learns:
        out.append(f"the {model.family} family does not learn: the folder was read, and changes nothing")
    return tuple(out)


def _record(corpus: Corpus | None, pieces: Sequence[Piece], found: Likelihood | None, seed: int,
            stopped: bool, command: Mapping[str, Any]) -> dict[str, Any]:
    """What the checkpoint remembers of its training. No clock and no folder's name: equal runs, equal bytes."""
    record: dict[str, Any] = {
        "seed": seed, "stopped": stopped, "versions": platform_string(__version__),
        "likelihood": dataclasses.asdict(found) if found else None,
        "command": {name: value for name, value in command.items() if value is not None},
        "pieces": len(pieces),
    }
    if corpus is not None:
        record |= {"fingerprint": corpus.fingerprint, "licences": corpus.licences, "notes": corpus.notes,
                   "train": len(corpus.train), "valid": len(corpus.valid), **corpus.counts}
    return record
