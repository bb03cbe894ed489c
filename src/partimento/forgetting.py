"""A checkpoint without some of the music that taught it: its counts, its ledger, its record and its indexes."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from partimento import __version__, checkpoint
from partimento.checkpoint import SUFFIX, Loaded
from partimento.data import files, ledger, pool
from partimento.data.corpus import rebarring
from partimento.data.ledger import Entry
from partimento.data.reading import file_sha256
from partimento.data.shelf import loosen, squeeze
from partimento.errors import ModelError, PartimentoError, ReadError, RequestError
from partimento.fingerprint import MelodyPrint, same_as
from partimento.fingerprint.index import without_pieces
from partimento.formats import SUFFIXES, kind_of
from partimento.formats.files import check_target
from partimento.formats.reading import DEFAULT_MAX_NOTES
from partimento.judge.originality import corpus_index
from partimento.models.base import Model, Piece, Progress, Report, need_torch
from partimento.request import platform_string
from partimento.score import Score
from partimento.training import CopyCheck, Likelihood, likelihood
from partimento.workers import worker_count

SUBTRACTED, LEARNT_AGAIN = "subtracted", "learnt again"
HIDDEN = "a file that was forgotten"
StrPath = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class ForgetResult:
    """What became of a checkpoint: its new file and sha256, the names of what was forgotten, and how.

    `how` is ``subtracted`` or ``learnt again``. `not_forgotten` says what was chosen on the music and stays; `unsure`
    what may differ from a fit without the music at these choices: where it is empty, the two are equal. `alike` names
    other pieces of the same melody, which are still learnt from; None where that could not be looked up.
    """

    path: Path
    hash: str
    forgotten: tuple[str, ...]
    how: str
    not_forgotten: tuple[str, ...]
    unsure: tuple[str, ...]
    alike: tuple[str, ...] | None
    likelihood: Likelihood | None
    seconds: float

    @property
    def exact(self) -> bool:
        """Whether the model is, at what was chosen on the data, that of a fit without the music."""
        return not self.unsure

    def as_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return {"written": str(self.path), "sha256": self.hash, "exact": self.exact,
                **{name: getattr(self, name) for name in ("forgotten", "how", "not_forgotten", "unsure", "alike")}}

    def summary(self) -> str:
        """What came of it, in a few lines to print; the path written comes last."""
        out = [f"forgot {', '.join(self.forgotten)}"]
        if self.how == LEARNT_AGAIN:
            out.append("learnt again from all the rest, with the same settings and seed")
        else:
            out.append("counts subtracted: " + ("equal to a fit without it at the same settings" if self.exact else
                                                "a fit without it may differ (--refit makes one)"))
        out += [f"may differ: {what}" for what in self.unsure]
        out += [f"not forgotten: {what}" for what in self.not_forgotten]
        if self.alike is None:
            out.append("whether other pieces have the same melody was not looked up: that takes the music (--music)")
        elif self.alike:
            out.append(f"the same melody, still learnt from (--also-alike forgets these too): {', '.join(self.alike)}")
        if self.likelihood:
            out.append(f"on the beginnings of {self.likelihood.pieces:,} unseen pieces: "
                       f"{self.likelihood.bits_per_note:.2f} bits a note")
        return ledger.shown("\n".join([*out, f"{self.seconds:.1f} s", str(self.path)]))


def forget(path: StrPath, pieces: Sequence[StrPath], *, out: StrPath | None = None, music: StrPath | None = None,
           also_alike: bool = False, refit: bool = False, workers: int | None = None,
           max_notes: int = DEFAULT_MAX_NOTES, device: str = "auto", report: Report | None = None) -> ForgetResult:
    """Write the checkpoint at `path` without `pieces`, to `out` [beside it, as NAME-forgot.partimento].

    A piece is the file that was learnt, its sha256, or its name in the ledger; the last two, `also_alike` and `refit`
    take `music`, the folder or archive that was learnt from. Families that count subtract the counts; others, and all
    with `refit`, learn again from the same pieces without these, with the settings and the seed of the record.
    `also_alike` forgets what has the same melody too. The ledger, the record (counts, licences) and the indexes lose
    the piece (without a ledger the indexes go altogether); in the record stays the sha256 of its file alone.

    RequestError where a piece was not learnt, ReadError where the music is not at hand, ModelError where nothing else
    was learnt or the family learns nothing, CheckpointError, WriteError as in ``checkpoint``.
    """
    began = time.perf_counter()
    loaded = checkpoint.load(path)
    model = loaded.model
    target = Path(out) if out is not None else loaded.path.with_name(f"{loaded.path.stem}-forgot{SUFFIX}")
    check_target(target, parents=True)
    if not pieces:
        raise RequestError("at least one piece must be named; got none")
    if not model.learns:
        raise ModelError(f"a model must have learnt something to forget it; the {model.family} family does not learn")
    room = _Music(music, loaded.record, workers, max_notes, report)
    entries = loaded.ledger()
    gone = _named(pieces, entries, loaded, room)
    taught = [entry for entry in entries if entry.used == "train"]
    alike = _alike(gone, taught, room) if room.found is not None and entries else None
    if also_alike:
        if alike is None:
            raise RequestError("what has the same melody can be told from the music alone: say its folder (--music)")
        gone, alike = [*gone, *alike], []
    names = {entry.file for entry in gone}
    left = [entry for entry in taught if entry.file not in names]
    if entries and not left:
        raise ModelError(f"a model must have learnt something else to forget this music; {loaded.path} has not: "
                         "delete it")
    done = None if refit else model.forget([_piece(entry, room) for entry in gone])
    found: Likelihood | None = None
    chosen: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    if done is None:
        model, found = _learnt_again(loaded, left, entries, room, device)
        how = LEARNT_AGAIN
        indexes = [corpus_index(room.pieces(left), seed=loaded.record.get("seed", 0), report=report)] \
            if loaded.indexes() else []
    else:
        model, how, chosen, unsure = done.model, SUBTRACTED, done.chosen, done.unsure
        indexes = loaded.indexes() if entries else []       # that of this music first, then those of its base
        if indexes:
            indexes[0] = without_pieces(indexes[0], {entry.file: entry.notes for entry in gone})
            chosen = (*chosen, "how much the pieces of the index borrow from one another")
        found = _likelihood_now(model, entries, loaded, room)
        before = [name for name, then in (("likelihood", found is None), ("copied", True))
                  if then and loaded.record.get(name)]
        if before:
            chosen = (*chosen, f"{' and '.join(before)} in the record, measured before")
    rows = _rows(entries, gone)
    record = _record(loaded, rows, gone, {"how": how, "exact": not unsure, "not_forgotten": [*chosen, *unsure]})
    if found is not None or how == LEARNT_AGAIN:
        record["likelihood"] = dataclasses.asdict(found) if found else None
    if how == LEARNT_AGAIN:
        record |= {"copied": None, "versions": platform_string(__version__)}
        record |= {"training": learnt} if (learnt := model.record()) else {}
    digest = checkpoint.save(model, target, record=record, ledger_lines=_lines(rows, loaded.record) if rows else (),
                             indexes=indexes, registry=loaded.registry())
    return ForgetResult(target, digest, tuple(entry.file for entry in gone), how, chosen, unsure,
                        None if alike is None else tuple(entry.file for entry in alike), found,
                        time.perf_counter() - began)


# --- which pieces -----------------------------------------------------------------------------------------------


def _named(pieces: Sequence[StrPath], entries: Sequence[Entry], loaded: Loaded, room: _Music) -> list[Entry]:
    """The ledger rows of the pieces, each once; without a ledger, rows made from the files."""
    out: dict[str, Entry] = {}
    before = {sha256 for row in loaded.record.get("forgotten", ()) for sha256 in row["sha256"]}
    for piece in pieces:
        said = file_sha256(piece) if Path(piece).is_file() else os.fspath(piece).lower()
        if said in before:
            raise RequestError(f"{os.fspath(piece)} was forgotten before: {loaded.path.name} has nothing of it")
        entry = _one(piece, entries, loaded, room)
        if entry.base:
            raise RequestError(f"{entry.file} taught the model that {loaded.path.name} went on from: forget it there, "
                               "and go on from that again")
        if entry.used == "valid":
            raise RequestError(f"{entry.file} was kept to check on: nothing was learnt from it")
        if entry.used != "train":
            raise RequestError(f"{entry.file} was not used ({ledger.KINDS[entry.why][0]}"
                               f"{f': {entry.detail}' if entry.detail else ''}): nothing was learnt from it")
        out[entry.file] = entry
    return list(out.values())


def _one(piece: StrPath, entries: Sequence[Entry], loaded: Loaded, room: _Music) -> Entry:
    place, said = Path(piece), os.fspath(piece)
    if place.is_file() and kind_of(place):
        entry, score = room.take(place)
        if not entries:
            room.scores[entry.sha256] = score
            return entry
        same = [row for row in entries if row.sha256 == entry.sha256]
        if not same:                # saved anew: the same name and as many notes, and the model knows its music
            same = [row for row in entries if row.used == "train" and row.notes == entry.notes
                    and row.file.rpartition("/")[2] == place.name]
            if len(same) != 1 or not _knows(loaded, Piece(score, said)):
                raise RequestError(f"{said}: a piece to forget must be in the ledger; no file of these bytes is. Give "
                                   "the file that was learnt, or its name in the ledger and the folder (--music)")
        chosen = next((row for row in same if row.used == "train"), same[0])
        room.scores[chosen.sha256] = score
        return chosen
    if not entries:
        raise RequestError(f"{loaded.path} has no ledger to look {said!r} up in: give the file that was learnt")
    if re.fullmatch(r"[0-9a-fA-F]{64}", said):
        same = [row for row in entries if row.sha256 == said.lower()]
    else:
        name = said.replace("\\", "/").removeprefix("./")
        same = [row for row in entries if row.file == name] or \
            [row for row in entries if f"/{row.file}".endswith(f"/{name}")] or \
            [row for row in entries if os.path.splitext(row.file)[0].rpartition("/")[2] == name]
    same = [row for row in same if row.used == "train"] or same
    if not same:
        raise RequestError(f"a piece to forget must be in the ledger of {loaded.path.name}; {said!r} is no file there, "
                           "no name and no sha256 in it")
    if len(same) > 1:
        raise RequestError(f"a piece must be named so that one file is meant; {said!r} is {len(same)}: "
                           f"{', '.join(row.file for row in same[:4])}{' …' if len(same) > 4 else ''}")
    return same[0]


def _knows(loaded: Loaded, piece: Piece) -> bool:
    try:
        return loaded.model.forget([piece]) is not None
    except ModelError:
        return False


def _piece(entry: Entry, room: _Music) -> Piece:
    return Piece(room.score(entry), entry.file, entry.sha256, entry.licence, entry.style)


def _alike(gone: Sequence[Entry], taught: Sequence[Entry], room: _Music) -> list[Entry]:
    """Other pieces that were learnt and have the melody of one of those, as far as the music is at hand."""
    names = {entry.file for entry in gone}
    rest = [entry for entry in taught if entry.file not in names]
    prints = room.prints([*gone, *rest])
    rest = [entry for entry in rest if prints.get(entry.sha256)]
    listed = [MelodyPrint.from_bytes(prints[entry.sha256]) for entry in gone if prints.get(entry.sha256)]
    if not rest or not listed:
        return []
    found = same_as([MelodyPrint.from_bytes(prints[entry.sha256]) for entry in rest], listed)
    return [entry for entry, index in zip(rest, found, strict=True) if index is not None]


# --- the music at hand ------------------------------------------------------------------------------------------


class _Music:
    """The music that is at hand: files given, and a folder or archive; each is as the training read it."""

    def __init__(self, place: StrPath | None, record: Mapping[str, Any], workers: int | None, max_notes: int,
                 report: Report | None) -> None:
        self.place, self.workers, self.max_notes, self.report = place, workers, max_notes, report
        self.found = files.find(place, tuple(SUFFIXES), report) if place is not None else None
        command = record.get("command") or {}
        self.change = rebarring(command.get("input_meter"), command.get("input_downbeat"))
        self.scores: dict[str, Score] = {}
        self._melodies: dict[str, bytes] = {}
        self._hashes: dict[str, Path] | None = None

    def take(self, path: Path) -> tuple[Entry, Score]:
        """A file as a row of a ledger, and its Score; ReadError where it cannot be used."""
        answer = next(iter(pool.read_all([path], workers=0, max_notes=self.max_notes)))
        if not answer.score:
            raise ReadError(f"{path}: a piece to forget must be music; it {ledger.KINDS[answer.file.kind][0]}"
                            f"{f' ({answer.file.detail})' if answer.file.detail else ''}")
        file = answer.file
        return Entry(file=path.name, sha256=file.sha256, used="train", notes=file.notes), self._read(answer.score)

    def score(self, entry: Entry) -> Score:
        """The Score of a row; RequestError or ReadError where its music is not at hand."""
        if entry.sha256 not in self.scores:
            place = self.path(entry)
            if place is None:
                raise RequestError(f"the counts of {entry.file} can be told from its music alone: give its file as the "
                                   "piece, or the folder it was learnt from (--music)")
            self.scores[entry.sha256] = self.take(place)[1]
        return self.scores[entry.sha256]

    def path(self, entry: Entry) -> Path | None:
        """Where in the folder the file of a row lies: under its name, or anywhere with its bytes."""
        if self.found is None:
            return None
        try:
            if entry.file in self.found.files and file_sha256(self.found.path(entry.file)) == entry.sha256:
                return self.found.path(entry.file)
            if self._hashes is None:
                self._hashes = {file_sha256(self.found.path(file)): self.found.path(file) for file in self.found.files}
        except (OSError, PartimentoError) as error:
            raise ReadError(f"the music must be readable; {self.place} is not ({error})") from None
        return self._hashes.get(entry.sha256)

    def prints(self, entries: Iterable[Entry]) -> dict[str, bytes]:
        """The melody prints of the rows whose music is at hand, by sha256."""
        self._load([entry for entry in entries if entry.sha256 not in self._melodies], "looking for the same melody")
        return self._melodies

    def pieces(self, entries: Sequence[Entry]) -> list[Piece]:
        """The pieces of the rows; RequestError where the music of some is not at hand."""
        self._load([entry for entry in entries if entry.sha256 not in self.scores], "reading")
        missing = [entry.file for entry in entries if entry.sha256 not in self.scores]
        if missing:
            where = f"{self.place} lacks" if self.place is not None else "without its folder (--music) there is none of"
            raise RequestError(f"to learn again takes all the music that was learnt; {where} {len(missing):,} of "
                               f"{len(entries):,} files (the first: {missing[0]})")
        return [_piece(entry, self) for entry in entries]

    def _load(self, entries: Sequence[Entry], stage: str) -> None:
        places = [place for entry in entries if (place := self.path(entry)) is not None]
        count = worker_count(len(places), sum(place.stat().st_size for place in places if place.is_file())) \
            if self.workers is None else self.workers
        answers = pool.read_all(places, workers=count, max_notes=self.max_notes, prints=True)
        for done, answer in enumerate(answers):
            if answer.score:
                self.scores.setdefault(answer.file.sha256, self._read(answer.score))
            self._melodies[answer.file.sha256] = answer.melody
            if self.report is not None:
                self.report(Progress(stage, done, len(places)))

    def _read(self, data: bytes) -> Score:
        score = loosen(data)
        return loosen(squeeze(self.change(score))) if self.change is not None else score


# --- learning again ---------------------------------------------------------------------------------------------


def _likelihood_now(model: Model, entries: Sequence[Entry], loaded: Loaded, room: _Music) -> Likelihood | None:
    """The likelihood on what was kept to check on, where there was one and that music is at hand."""
    if room.found is None or not loaded.record.get("likelihood"):
        return None
    try:
        valid = room.pieces(_valid(entries))
    except PartimentoError:
        return None
    return likelihood(model, valid, report=room.report)


def _valid(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.used == "valid" and not entry.base]


def _learnt_again(loaded: Loaded, left: Sequence[Entry], entries: Sequence[Entry], room: _Music,
                  device: str) -> tuple[Model, Likelihood | None]:
    """A model of the same settings fitted on the rows left, and its likelihood on those kept to check on."""
    kind, record = type(loaded.model), loaded.record
    if record.get("base"):
        raise RequestError(f"{loaded.path.name} went on from another model, {record['base'].get('name', '')}: to learn "
                           "again, train from that without the piece")
    if not entries:
        raise RequestError(f"{loaded.path} has no ledger of what taught it: train it again without the piece")
    if kind.needs_torch:
        need_torch(kind.family)
    pieces = room.pieces(left)
    valid = room.pieces(_valid(entries))
    budget = (record.get("command") or {}).get("budget")
    seed = record.get("seed", 0)
    more: dict[str, Any] = {"copying": CopyCheck(pieces, seed).copied} if kind.resumes and loaded.index_places() else {}
    model = kind(loaded.model.config).fit(pieces, valid=valid, seed=seed, device=device, budget=budget,
                                          report=room.report, **more)
    return model, likelihood(model, valid, report=room.report)


# --- what is kept of it -----------------------------------------------------------------------------------------


def _rows(entries: Sequence[Entry], gone: Sequence[Entry]) -> list[Entry]:
    """The ledger without the rows forgotten, and without their names in the rows of others."""
    names, hashes = {entry.file for entry in gone}, {entry.sha256 for entry in gone}
    rows = [entry for entry in entries if entry.file not in names and entry.sha256 not in hashes]
    out = []
    for entry in rows:
        named = next((name for name in sorted(names, key=len, reverse=True) if entry.detail.find(f" as {name}") >= 0),
                     None)
        if named is not None:
            entry = dataclasses.replace(entry, detail=entry.detail.replace(f" as {named}", f" as {HIDDEN}"))
        if entry.piece in {os.path.splitext(name)[0] for name in names}:
            same = min(other.file for other in rows if other.piece == entry.piece)
            entry = dataclasses.replace(entry, piece=os.path.splitext(same)[0])
        out.append(entry)
    return out


def _lines(rows: Sequence[Entry], record: Mapping[str, Any]) -> list[str]:
    command = record.get("command") or {}
    head = {name: value for name, value in (("seed", record.get("seed")), ("valid_share", command.get("valid_share")))
            if value is not None}
    return list(ledger.lines(rows, **head))


def _record(loaded: Loaded, rows: Sequence[Entry], gone: Sequence[Entry], said: Mapping[str, Any]) -> dict[str, Any]:
    """The record with everything that is counted counted anew, and a row in `forgotten`: of the pieces the sha256 of
    their files alone, by which who has the file can tell that it was forgotten."""
    record = dict(loaded.record)
    own = [entry for entry in rows if not entry.base]
    used = [entry for entry in own if entry.used != "no"]
    record["pieces"] = max(0, record.get("pieces", len(gone)) - len(gone))
    if rows:
        licences = Counter({entry.sha256: entry.licence for entry in rows if entry.used != "no"}.values())
        record |= {"fingerprint": ledger.fingerprint(own), "licences": dict(licences.most_common()),
                   "notes": sum(entry.notes for entry in used), **ledger.counts(own),
                   **{side: sum(entry.used == side for entry in own) for side in ("train", "valid")}}
        skipped = Counter(entry.why for entry in own)
        for name in ("near", "opted out", "rights"):
            record.pop(name, None)
            record |= {name: skipped[name]} if skipped[name] else {}
        if licences[ledger.NOT_STATED]:
            record["rights"] = ledger.private(licences[ledger.NOT_STATED])
    names = {entry.file for entry in gone}
    if isinstance(record.get("copied"), dict) and record["copied"].get("source") in names:
        record["copied"] = {**record["copied"], "source": ""}
    row = {"pieces": len(gone), "sha256": sorted(entry.sha256 for entry in gone), "from": loaded.hash, **said}
    return {**record, "forgotten": [*record.get("forgotten", ()), row]}
