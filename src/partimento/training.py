"""Training: a folder of music in, a checkpoint out, with its ledger, its record and its likelihood on unseen pieces."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from partimento import __version__, checkpoint, formats
from partimento.data import ledger
from partimento.data.corpus import Corpus, load, rebarring
from partimento.data.ledger import NOT_STATED, Entry
from partimento.data.split import Group
from partimento.errors import ModelError, PartimentoError
from partimento.fingerprint.index import read_index
from partimento.fingerprint.registry import Registry
from partimento.formats.files import check_target, make_folder
from partimento.formats.reading import DEFAULT_MAX_NOTES
from partimento.generate import generate
from partimento.judge.originality import corpus_index, originality
from partimento.models.base import Copied, LogProb, Model, Piece, Progress, Report, family, need_torch
from partimento.request import Request, platform_string
from partimento.sampling import generator
from partimento.score import Score
from partimento.settings import config_from_json, config_to_json

SCORED_BARS, SCORED_NOTES = 8, 1_000        # what the likelihood on unseen pieces is taken on
SAMPLE_BARS = 8
COPIED_PIECES = 4           # composed to see what a model copies
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


def train(music: Music, *, model: str | Model | None = None, out: str | os.PathLike[str] | None = None,
          settings: Mapping[str, Any] | None = None, valid: Sequence[Piece] = (), valid_share: float = 0.1,
          seed: int = 0, licence: str | None = None, source: str | None = None, group: Group = "auto",
          given_split: str | os.PathLike[str] | None = None, near: str = "takes",
          opt_out: str | os.PathLike[str] | None = None, rights_sheet: str | os.PathLike[str] | None = None,
          input_meter: str | None = None, input_downbeat: float | str | None = None, workers: int | None = None,
          max_notes: int = DEFAULT_MAX_NOTES, device: str = "auto",
          start: str | os.PathLike[str] | Model | None = None, budget: float | None = None,
          hear: int | None = None, index: bool = True, scored_notes: int = SCORED_NOTES,
          report: Report | None = None) -> TrainResult:
    """Fit a model on a folder, an archive, a file, a Corpus or pieces, and save it to `out` where that is given.

    `model` is a family's name, ``package.module:Class``, or a model to fit [the family of `start`, else markov];
    `settings` are fields of its Config. `valid_share`, `seed`, `licence`, `source`, `group`, `given_split`, `near`,
    `opt_out`, `rights_sheet`, `workers` and `max_notes` are as in ``partimento.data.load``; where pieces are given,
    `valid` are those to check on.
    `input_meter` and `input_downbeat` (``auto``: found in each) re-bar every piece of a folder. `device` (auto, cpu,
    cuda, cuda:1, mps) and `budget` (seconds) go to `fit`.

    `start` is a checkpoint, or a fitted model, to go on from: its settings hold where `settings` say nothing, and its
    ledger, licences, indexes and registries are carried on. `hear` writes a piece of 8 bars every so many steps into a
    folder beside `out`. A family that resumes keeps its state in ``state_file(out)`` until it is done; where that file
    stands already, the training goes on from it. The checkpoint carries an index of the music by which copies are
    found, unless `index` is False; with it a family that resumes keeps the weights that copy no more than people do.
    `scored_notes` is how many notes of unseen pieces the likelihood is taken on (0: none). `report` is called through
    all stages; when it returns False, what has been read, or learnt, by then is used.

    Of several processes (torchrun) the first alone writes and measures. ReadError where there is no music, ModelError
    where the family, a setting or the device is none, CheckpointError where `start` cannot be read, WriteError where
    `out` cannot be written: these three before anything is read.

    >>> song = Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0])
    >>> train([Piece(song, "a song")], model="random").model.family
    'random'
    """
    began = time.perf_counter()
    first = is_first_process()
    _check(device, budget, hear, out)
    if out is not None and first:
        check_target(out, parents=True)
    base = _base(start, model) if start is not None else None
    made = _model(model, settings or {}, base)
    watch = _Watch(report)
    if isinstance(music, (str, os.PathLike)):
        corpus: Corpus | None = load(
            music, valid_share=valid_share, seed=seed, workers=workers, max_notes=max_notes, licence=licence,
            source=source, group=group, given_split=given_split, near=near, opt_out=opt_out, rights_sheet=rights_sheet,
            change=rebarring(input_meter, input_downbeat),
            progress=watch)
    else:
        corpus = music if isinstance(music, Corpus) else None
    pieces: Sequence[Piece] = corpus.train if corpus else list(music)  # type: ignore[arg-type]
    valid = corpus.valid if corpus else valid
    if not pieces:
        raise ModelError("there must be at least one piece to learn from; got none")
    notes = ["stopped while reading: the model learnt from what had been read"] if watch.stopped else []
    stopped_reading, watch.stopped = watch.stopped, False
    more: dict[str, Any] = {}
    if base is not None:
        more["start"] = base.model
        learnt = {entry.sha256 for entry in base.entries if entry.used == "train"}
        unseen = [piece for piece in valid if piece.sha256 not in learnt] if learnt else valid
        if len(unseen) < len(valid):
            notes.append(f"{len(valid) - len(unseen)} of {len(valid)} pieces kept back had taught the base: left out")
            valid = unseen
    if made.resumes and out is not None:
        more["keep"] = keep = state_file(out)
        if keep.exists():
            notes.append(f"went on from {keep}")
            watch(Progress(f"going on from {keep}", 0, 0))
    samples = _Samples(Path(out), hear, seed, watch) if hear and out is not None and first else None
    built = CopyCheck(pieces, seed, base.indexes if base else (), watch) \
        if index and out is not None and made.learns and first else None
    if built is not None and made.resumes:
        more["copying"] = built.copied
    made = made.fit(pieces, valid=valid, seed=seed, device=device, budget=budget, report=samples or watch, **more)
    stopped = stopped_reading or watch.stopped
    notes += [*_notes(made, corpus, watch.stopped), *made.record().get("notes", ()),
              *(samples.notes() if samples else ())]
    copied = built.copied(made) if built is not None and not stopped else None
    if copied is not None:
        notes.append(f"of {COPIED_PIECES} pieces composed {copied.share:.0%} of the notes stand in passages that this "
                     f"music has too (of its own pieces, in those of the others: up to {copied.usual:.0%})")

    def save(found: Likelihood | None) -> str | None:
        if out is None or not first:
            return None
        record = _record(corpus, pieces, found, made, base, {"seed": seed, "stopped": stopped}, {
            "valid_share": valid_share, "near": near if near != "takes" else None, "input_meter": input_meter,
            "input_downbeat": input_downbeat, "budget": budget}, copied)
        return checkpoint.save(made, out, record=record, ledger_lines=_ledger_lines(corpus, base),
                               indexes=built.indexes if built else (),
                               registry=_registry(corpus, base))

    digest = save(None) if made.resumes else None       # what took long to learn is safe before it is measured
    found = None if stopped or not first else likelihood(made, valid, notes=scored_notes, report=watch)
    if digest is None or found is not None:
        digest = save(found)
    place = Path(out) if out is not None and first else None
    return TrainResult(made, place, digest, corpus, found, time.perf_counter() - began, stopped, tuple(notes))


def state_file(out: str | os.PathLike[str]) -> Path:
    """Where the state of a training that writes to `out` is kept until it is done.

    >>> state_file("mine.partimento").name
    'mine.partimento.training'
    """
    return Path(f"{os.fspath(out)}.training")


def is_first_process() -> bool:
    """Whether this process is the one that writes and prints: it is alone, or the first of those torchrun started."""
    return os.environ.get("RANK", "0") == "0"


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


class _Samples:
    """A report that writes a sample every so many steps, made by the model as it then stands, and is another one too.

    Samples are something to hear on the way: one that cannot be made stops nothing.
    """

    def __init__(self, out: Path, every: int, seed: int, report: Report) -> None:
        self.folder = out.with_name(f"{out.stem}-samples")
        self.every, self.seed, self.report = every, seed, report
        self.reached: int | None = None
        self.written = 0
        self.failed = ""

    def __call__(self, progress: Progress) -> bool:
        if progress.model is not None:
            count = progress.done // self.every
            if self.reached is not None and count > self.reached:
                try:
                    result = generate(Request(bars=SAMPLE_BARS, seed=self.seed), progress.model())[0]
                    formats.write(result.score, make_folder(self.folder) / f"step-{progress.done:06}.mid")
                    self.written += 1
                except PartimentoError as error:
                    self.failed = f"no sample to hear at step {progress.done}: {error}"
            self.reached = count
        return self.report(progress)

    def notes(self) -> list[str]:
        """What came of it, in sentences."""
        said = [f"{self.written} sample{'s' * (self.written != 1)} to hear in {self.folder}"] if self.written else []
        if self.reached is None:
            said.append("the family gives nothing to hear while it learns")
        return said + ([self.failed] if self.failed else [])


class CopyCheck:
    """The indexes of what teaches a model, that of this music first, and what a model is found to copy from it."""

    def __init__(self, pieces: Sequence[Piece], seed: int, older: Sequence[bytes] = (),
                 report: Report | None = None) -> None:
        self.seed = seed
        self.indexes = (corpus_index(pieces, seed=seed, report=report), *older)
        self.index = read_index(self.indexes[0])

    def copied(self, model: Model) -> Copied | None:
        """What a few short pieces by a model borrow; None where it composes none."""
        try:
            made = generate(Request(bars=SAMPLE_BARS, seed=self.seed, originality="off"), model, count=COPIED_PIECES)
        except PartimentoError:
            return None
        found = [originality(result.score, self.index, new=result.new) for result in made]
        share = float(np.mean([one.share for one in found]))
        first = max((one.passages[0] for one in found if one.passages), key=lambda one: one.bits, default=None)
        usual = found[0].usual
        return Copied(share, usual[1] if usual is not None else 1.0, first.source if first is not None else "")


class _Base(NamedTuple):
    """What a training goes on from: model, name and sha256, record, ledger, and the indexes and registries it has."""

    model: Model
    name: str
    hash: str | None
    record: Mapping[str, Any]
    entries: Sequence[Entry]
    indexes: Sequence[bytes] = ()
    registry: bytes = b""


def _base(start: str | os.PathLike[str] | Model, model: str | Model | None) -> _Base:
    if isinstance(start, Model):
        if not start.fitted:
            raise ModelError(f"a model to go on from must have learnt something; this {start.family} model has not")
        return _Base(start, start.family, None, {}, ())
    loaded = checkpoint.load(start, family=model if isinstance(model, str) else None)
    return _Base(loaded.model, loaded.path.name, loaded.hash, loaded.record, loaded.ledger(), loaded.indexes(),
                 loaded.registry())


def _check(device: str, budget: float | None, hear: int | None, out: str | os.PathLike[str] | None) -> None:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise ModelError(f"device must be auto, cpu, cuda, cuda:1 (which of several) or mps; got {device!r}")
    if budget is not None and not budget > 0:
        raise ModelError(f"budget must be above 0 seconds; got {budget}")
    if hear is not None and hear < 1:
        raise ModelError(f"hear must be at least 1 (steps from one sample to the next); got {hear}")
    if hear is not None and out is None:
        raise ModelError("samples to hear are written beside the checkpoint: say its file with `out`")


def _model(model: str | Model | None, settings: Mapping[str, Any], base: _Base | None) -> Model:
    if isinstance(model, Model):
        if settings:
            raise ModelError("settings must come inside a model that is given made; give its family's name instead")
        kind = type(model)
    elif model is None and base is not None:
        kind = type(base.model)
    else:
        kind = family(model or "markov")
    if base is not None and kind is not type(base.model):
        raise ModelError(f"the family must be that of the model to go on from ({base.model.family}); got {kind.family}")
    if kind.needs_torch:
        need_torch(kind.family)
    if isinstance(model, Model):
        return model
    return kind(config_from_json(kind.Config, {**(config_to_json(base.model.config) if base else {}), **settings}))


def _notes(model: Model, corpus: Corpus | None, stopped: bool) -> list[str]:
    out = []
    if stopped:
        out.append("stopped while learning: the model is what it had learnt by then")
    if corpus is not None and len(corpus.train) == 1 and not corpus.valid:
        out.append("one piece alone: the model will sound like that piece, and nothing tells how well it learnt")
    if not model.learns:
        out.append(f"the {model.family} family does not learn: the folder was read, and changes nothing")
    return out


def _record(corpus: Corpus | None, pieces: Sequence[Piece], found: Likelihood | None, model: Model,
            base: _Base | None, run: Mapping[str, Any], command: Mapping[str, Any],
            copied: Copied | None = None) -> dict[str, Any]:
    """What the checkpoint remembers of its training. No clock and no folder's name: equal runs, equal bytes.

    `licences` are those of all music that taught it, that of the base too, each file counted once.
    """
    record: dict[str, Any] = {
        **run, "versions": platform_string(__version__),
        "likelihood": dataclasses.asdict(found) if found else None, "copied": copied._asdict() if copied else None,
        "command": {name: value for name, value in command.items() if value is not None},
        "pieces": len(pieces),
    }
    if corpus is not None:
        record |= {"fingerprint": corpus.fingerprint, "licences": corpus.licences, "notes": corpus.notes,
                   "train": len(corpus.train), "valid": len(corpus.valid), **corpus.counts}
        skipped = Counter(entry.why for entry in corpus.entries)
        record |= {name: skipped[name] for name in ("near", "opted out", "rights") if skipped[name]}
    if base is not None:
        own = {entry.sha256 for entry in corpus.entries if entry.used != "no"} if corpus else set()
        licences = Counter(record.get("licences", {}))
        licences.update(str(entry.licence) for entry in base.entries if entry.used != "no" and entry.sha256 not in own)
        said = {name: base.record.get(name) for name in ("pieces", "fingerprint", "base")}
        record["licences"] = dict(licences.most_common())
        record["base"] = {"name": base.name, "sha256": base.hash,
                          **{name: value for name, value in said.items() if value is not None}}
    unlicensed = record["licences"].get(NOT_STATED, 0) if corpus is not None or base is not None else \
        sum(piece.licence in ("", NOT_STATED) for piece in pieces)
    if unlicensed:
        record["rights"] = ledger.private(unlicensed)
    learnt = model.record()
    return {**record, "training": learnt} if learnt else record


def _registry(corpus: Corpus | None, base: _Base | None) -> bytes:
    """The registry of what had opted out of this music, and of what taught the base; empty where nothing had."""
    found = corpus.registry if corpus else Registry()
    if base is not None and base.registry:
        found = found.merge(Registry.from_bytes(base.registry))
    return found.to_bytes() if found.deposits else b""


def _ledger_lines(corpus: Corpus | None, base: _Base | None) -> Sequence[str]:
    """The ledger of everything that taught the model: this corpus, then what taught the base."""
    own = list(corpus.entries) if corpus else []
    inherited = [dataclasses.replace(entry, base=entry.base or base.hash or "") for entry in base.entries] \
        if base else []
    if not own and not inherited:
        return ()
    head = {"seed": corpus.seed, "valid_share": corpus.valid_share} if corpus else {}
    return list(ledger.lines([*own, *inherited], **head))
