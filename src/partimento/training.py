"""Training: a folder of music in, a checkpoint out, with its ledger, its record and its likelihood on unseen pieces."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from partimento import __version__, checkpoint
from partimento.data.corpus import Corpus, load, rebarring
from partimento.data.split import Group
from partimento.errors import ModelError, PartimentoError
from partimento.formats.files import check_target
from partimento.formats.reading import DEFAULT_MAX_NOTES
from partimento.models.base import LogProb, Model, Piece, Progress, Report, family
from partimento.request import platform_string
from partimento.sampling import generator
from partimento.score import Score
from partimento.settings import config_from_json

SCORED_BARS, SCORED_NOTES = 8, 1_000        # what the likelihood on unseen pieces is taken on
Music = str | os.PathLike[str] | Corpus | Sequence[Piece]


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """Bits per note on the beginnings of pieces not learnt from: of the model, and of random notes.

    `pieces` and `notes` were scored; `left_out` counts pieces that a family cannot score, or that begin in silence.
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
            out.append(f"on the beginnings of {found.pieces:,} unseen pieces: {found.bits_per_note:.2f} bits a note "
                       f"(random notes: {found.random_bits_per_note:.2f})")
        out += [*self.notes, f"{self.model.family} model, {self.seconds:.1f} s"]
        return "\n".join(out + ([str(self.path)] if self.path else []))


def train(music: Music, *, model: str | Model = "markov", out: str | os.PathLike[str] | None = None,
          settings: Mapping[str, Any] | None = None, valid: Sequence[Piece] = (), valid_share: float = 0.1,
          seed: int = 0, licence: str | None = None, source: str | None = None, group: Group = "auto",
          given_split: str | os.PathLike[str] | None = None, input_meter: str | None = None,
          input_downbeat: float | None = None, workers: int | None = None, max_notes: int = DEFAULT_MAX_NOTES,
          device: str = "auto", budget: float | None = None, scored_notes: int = SCORED_NOTES,
          report: Report | None = None) -> TrainResult:
    """Fit a model on a folder, a file, a Corpus or pieces, and save it to `out` where that is given.

    `model` is a family's name, ``package.module:Class``, or a model to fit; `settings` are fields of its Config.
    `valid_share`, `seed`, `licence`, `source`, `group`, `given_split`, `workers` and `max_notes` are as in
    ``partimento.data.load``; where pieces are given, `valid` are those to check on. `input_meter` and `input_downbeat`
    re-bar every piece of a folder. `device` and `budget` (seconds) go to `fit`. `scored_notes` is how many notes of
    unseen pieces the likelihood is taken on (0: none). `report` is called through all stages; when it returns False,
    what has been read, or learnt, by then is used. ReadError where there is no music, ModelError where the family or
    a setting is none, WriteError, before anything is read, where `out` cannot be written.

    >>> song = Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0])
    >>> train([Piece(song, "a song")], model="random").model.family
    'random'
    """
    began = time.perf_counter()
    if out is not None:
        check_target(out, parents=True)
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
    valid = corpus.valid if corpus else valid
    if not pieces:
        raise ModelError("there must be at least one piece to learn from; got none")
    stopped_reading = watch.stopped
    watch.stopped = False
    made = made.fit(pieces, valid=valid, seed=seed, device=device, budget=budget, report=watch)
    stopped = stopped_reading or watch.stopped
    notes = _notes(made, corpus, stopped_reading, watch.stopped)
    found = None if stopped else likelihood(made, valid, notes=scored_notes, report=watch)
    seconds = time.perf_counter() - began
    digest = None
    if out is not None:
        record = _record(corpus, pieces, found, seed, stopped, {
            "valid_share": valid_share, "input_meter": input_meter, "input_downbeat": input_downbeat, "budget": budget})
        digest = checkpoint.save(made, out, record=record, ledger_lines=corpus.ledger_lines() if corpus else ())
    return TrainResult(made, Path(out) if out is not None else None, digest, corpus, found, seconds, stopped, notes)


def likelihood(model: Model, valid: Sequence[Piece], *, notes: int = SCORED_NOTES,
               report: Report | None = None) -> Likelihood | None:
    """Bits per note of `model`, and of random notes, on the beginnings of pieces it has not learnt from.

    The first SCORED_BARS bars of one piece of `valid` after another, in a fixed shuffled order, until `notes` notes
    are reached; pieces that either family cannot score, and silent ones, are left out. None where the family has no
    likelihood, `valid` is empty, or nothing could be scored.
    """
    if not model.has_likelihood or notes < 1:
        return None
    random = family("random")()
    found: list[tuple[LogProb, LogProb]] = []
    seen = left_out = 0
    for index in np.argsort(generator(0).random(len(valid))).tolist():
        if seen >= notes or (report is not None and not report(Progress("scoring", seen, notes))):
            break
        try:
            score = beginning(valid[index].score, SCORED_BARS)
            own, base = model.log_prob(score), random.log_prob(score)
        except PartimentoError:
            own = base = None
        if own is None or base is None or not (own.notes and base.notes):
            left_out += 1
        else:
            found.append((own, base))
            seen += own.notes
    if not found:
        return None
    bits, plain = (LogProb(sum(one.nats for one in side), sum(one.notes for one in side)).bits_per_note
                   for side in zip(*found, strict=True))
    return Likelihood(bits, plain, len(found), seen, left_out)


def beginning(score: Score, bars: int) -> Score:
    """The first `bars` bars as a piece of its own: notes cut at the last bar line, the frame cut with them.

    >>> beginning(Score(onset=[0, 1920], duration=[9000, 480], pitch=[60, 62], velocity=[80, 80], track=[0, 0]), 1).end
    1920
    """
    if score.n_bars <= bars:
        return score
    stop = int(score.bar_starts[bars])
    inside = score.select(score.onset < stop)
    frame = {name: tuple(entry for entry in getattr(score, name) if entry.tick < stop)
             for name in ("meters", "tempos", "keys", "chords", "marks", "texts")}
    return inside.replace(duration=np.minimum(inside.duration, stop - inside.onset), end=stop, **frame,
                          controls=score.controls.select(score.controls.tick < stop))


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
