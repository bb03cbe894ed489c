"""A folder of music as a Corpus: what is used, repaired or skipped and why, split by piece, with its ledger."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import overload

from partimento.data import about, files, ledger, pool, split
from partimento.data.ledger import KINDS, Entry
from partimento.data.reading import File, read_one
from partimento.errors import PartimentoError, ReadError, RequestError
from partimento.formats import kind_of
from partimento.formats.files import write_bytes
from partimento.formats.reading import DEFAULT_MAX_NOTES
from partimento.models.base import Piece, Progress, Report
from partimento.score import Score
from partimento.theory import parse_meter
from partimento.workers import worker_count

NOTES_IN_MEMORY = 20_000_000        # about 20 bytes each, and as much again for controllers

Change = Callable[[Score], Score]


class Pieces(Sequence[Piece]):
    """The pieces of one side of a corpus, in the order of their files; may be gone through again and again.

    Scores are held in memory up to NOTES_IN_MEMORY notes for the whole corpus; a piece beyond that is read anew from
    its file each time it is asked for.
    """

    def __init__(self, root: Path, entries: Sequence[Entry], scores: Mapping[str, Score], max_notes: int,
                 change: Change | None) -> None:
        self.entries = tuple(entries)
        self._root, self._scores, self._max_notes, self._change = root, scores, max_notes, change

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> Piece: ...
    @overload
    def __getitem__(self, index: slice) -> Pieces: ...
    def __getitem__(self, index: int | slice) -> Piece | Pieces:
        if isinstance(index, slice):
            return Pieces(self._root, self.entries[index], self._scores, self._max_notes, self._change)
        return self._piece(self.entries[index])

    def __iter__(self) -> Iterator[Piece]:
        return map(self._piece, self.entries)

    def _piece(self, entry: Entry) -> Piece:
        score = self._scores.get(entry.file)
        if score is None:
            file, score = read_one(self._root / entry.file, self._max_notes)
            if score is None or file.sha256 != entry.sha256:
                raise ReadError(f"the files of a corpus must stay as they were while it is in use; {entry.file} in "
                                f"{self._root} has changed: load the folder again")
            score = self._change(score) if self._change else score
        return Piece(score, entry.file, entry.sha256, entry.licence, entry.style)


@dataclasses.dataclass(frozen=True, eq=False)
class Corpus:
    """A folder of music, read: `train` and `valid` pieces, and one ledger `entries` row for every music file.

    `others` counts, by suffix, the files that were left alone because they are no music.
    """

    root: Path
    entries: tuple[Entry, ...]
    train: Pieces
    valid: Pieces
    others: Mapping[str, int]
    seed: int
    valid_share: float

    @property
    def fingerprint(self) -> str:
        """The sha256 over the hashes of the used files, sorted: which music this is, whatever its names."""
        return ledger.fingerprint(self.entries)

    @property
    def counts(self) -> dict[str, int]:
        """How many files were used, repaired (among the used) and skipped."""
        return ledger.counts(self.entries)

    @property
    def licences(self) -> dict[str, int]:
        """How many used files stand under each licence, most first."""
        return dict(Counter(entry.licence for entry in self.entries if entry.used != "no").most_common())

    @property
    def notes(self) -> int:
        """How many notes the used files hold together."""
        return sum(entry.notes for entry in self.entries if entry.used != "no")

    def summary(self) -> str:
        """What came of the folder, in a few lines to print.

        The first reads like ``201 used, 7 repaired, 4 skipped (1 is an HTML page, 2 empty, 1 not MIDI)``; where there
        is more than one kind of file, a line for each kind follows it.
        """
        counts = self.counts
        first = f"{counts['used']:,} used, {counts['repaired']:,} repaired, {counts['skipped']:,} skipped"
        out = [first + (f" ({reasons})" if (reasons := self.reasons()) else "")]
        kinds: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            kinds[kind_of(entry.file) or "other"].append(entry)
        for kind, rows in sorted(kinds.items()) if len(kinds) > 1 else ():
            found = ledger.counts(rows)
            out.append(f"  {kind}: {found['used']:,} used, {found['repaired']:,} repaired, {found['skipped']:,} "
                       f"skipped; {sum(entry.notes for entry in rows if entry.used != 'no'):,} notes")
        mended: Counter[str] = Counter()
        for entry in self.entries:
            mended.update(entry.repairs if entry.used != "no" else {})
        if mended:
            out.append("repaired: " + ", ".join(f"{name} ({count:,})" for name, count in mended.most_common()))
        if self.valid:
            out.append(f"{len(self.train):,} to train on, {len(self.valid):,} kept to check on, split by piece "
                       f"(seed {self.seed}); {self.notes:,} notes")
        elif self.train:
            why = "none was asked for" if not self.valid_share else "too few pieces to keep one back"
            out.append(f"{len(self.train):,} to train on, none kept to check on ({why}); {self.notes:,} notes")
        out.append("licences: " + (", ".join(f"{name} ({count:,})" for name, count in self.licences.items()) or "none"))
        if self.others:
            total = sum(self.others.values())
            names = ", ".join(f"{count:,} {name}" for name, count in
                              sorted(self.others.items(), key=lambda item: (-item[1], item[0]))[:6])
            out.append(f"{total:,} other file{'s' if total > 1 else ''} left alone "
                       f"({names}{', …' if len(self.others) > 6 else ''})")
        return ledger.shown("\n".join(out))

    def reasons(self) -> str:
        """Why files were skipped, counted: ``1 is an HTML page, 2 empty``; empty where none was."""
        kinds = Counter(entry.why for entry in self.entries if entry.used == "no")
        return ", ".join(f"{kinds[kind]:,} {KINDS[kind][kinds[kind] > 1]}" for kind in KINDS if kinds[kind])

    def skipped(self) -> list[str]:
        """One line for every file that was not used: its path, and why."""
        return [ledger.shown(f"{entry.file}: {KINDS[entry.why][0]}{' — ' + entry.detail if entry.detail else ''}")
                for entry in self.entries if entry.used == "no"]

    def ledger_lines(self) -> Iterator[str]:
        """The lines of this corpus's ledger (see ``partimento.data.ledger``)."""
        return ledger.lines(self.entries, **self._head())

    def write_ledger(self, path: str | os.PathLike[str]) -> None:
        """Write the ledger as JSON lines."""
        ledger.write(self.entries, path, **self._head())

    def write_split(self, path: str | os.PathLike[str]) -> None:
        """Write the split as JSON; ``load(given_split=path)`` takes it back."""
        text = split.split_json([e.file for e in self.train.entries], [e.file for e in self.valid.entries],
                                fingerprint=self.fingerprint, **self._head())
        write_bytes(path, text.encode(), parents=True)

    def _head(self) -> dict[str, float]:
        return {"seed": self.seed, "valid_share": self.valid_share}


def load(path: str | os.PathLike[str], *, valid_share: float = 0.1, seed: int = 0, workers: int | None = None,
         max_notes: int = DEFAULT_MAX_NOTES, licence: str | None = None, source: str | None = None,
         group: split.Group = "auto", given_split: str | os.PathLike[str] | None = None, change: Change | None = None,
         progress: Report | None = None) -> Corpus:
    """Read a folder of music, or one file, into a Corpus; ReadError when no file of it can be used.

    Every music file becomes a row: used, or skipped with its reason. `workers` is how many processes read (None: by
    the number of files and processors; 0: this process alone). Files of more than `max_notes` notes are skipped.
    `valid_share` of the pieces, chosen by `seed`, is kept to check on; `group` says which files are one piece (see
    ``split.pieces``), and `given_split` names a JSON file that says the sides instead. `licence` and `source` said
    here rule for all files. `change` is applied to every Score (to re-bar it, say); where it raises, the file is
    skipped. `progress` is called as files get done; when it returns False, what has been read by then is used.

    >>> import tempfile
    >>> from partimento import formats
    >>> folder = Path(tempfile.mkdtemp())
    >>> formats.write(Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0]), folder / "a.mid")
    >>> load(folder).counts
    {'used': 1, 'repaired': 0, 'skipped': 0}
    """
    from partimento.formats import SUFFIXES

    split.choose((), valid_share, seed)
    for name, value, least in (("workers", workers, 0), ("max_notes", max_notes, 1)):
        if value is not None and value < least:
            raise RequestError(f"{name} must be at least {least}; got {value}")
    sides = split.read_split(given_split) if given_split is not None else None
    found = files.find(path, tuple(SUFFIXES))
    if workers is None:
        workers = worker_count(len(found.files), found.size)
    read, scores = _read_files(found, workers, max_notes, change, progress)
    entries = _entries(found, read, licence, source)
    entries = _without_duplicates(entries, read)
    entries = _placed(entries, sides, valid_share, seed, group)
    used = {entry.file for entry in entries if entry.used != "no"}
    scores = {file: score for file, score in scores.items() if file in used}
    train, valid = (Pieces(found.root, [entry for entry in entries if entry.used == side], scores, max_notes, change)
                    for side in ("train", "valid"))
    corpus = Corpus(found.root, tuple(entries), train, valid, found.others, seed, valid_share)
    if not corpus.train:
        raise ReadError(_nothing(path, corpus))
    return corpus


def rebarring(meter: str | None, downbeat: float | str | None = None) -> Change | None:
    """What to give `load` as `change` so that every piece is re-barred (see ``formats.rebar``); None for nothing said.

    `meter` is as ``3/4``; `downbeat` is the place of a first beat in quarter notes, or ``auto``: found in each piece.
    """
    if meter is None and downbeat is None:
        return None
    from partimento.formats import parse_downbeat, rebar

    said, place = parse_meter(meter) if meter else None, parse_downbeat(downbeat)
    return lambda score: rebar(score, said, place)


def _read_files(found: files.Found, workers: int, max_notes: int, change: Change | None,
                progress: Report | None) -> tuple[dict[str, File], dict[str, Score]]:
    """What reading gave, by file; and the scores, as long as they fit in memory."""
    read: dict[str, File] = {}
    scores: dict[str, Score] = {}
    room = NOTES_IN_MEMORY
    answers = pool.read_all([found.root / file for file in found.files], workers=workers, max_notes=max_notes)
    with contextlib.closing(answers):
        for index, file, score in answers:
            name = found.files[index]
            if score is not None and change is not None:
                try:
                    score = change(score)
                except PartimentoError as error:
                    file, score = File("refused", str(error), file.sha256), None
            read[name] = file
            if score is not None and room >= len(score):
                room -= len(score)
                scores[name] = score
            if progress is not None and not progress(Progress("reading", len(read), len(found.files))):
                break
    return read, scores


def _entries(found: files.Found, read: Mapping[str, File], licence: str | None, source: str | None) -> list[Entry]:
    said = about.facts_about(found.root, found.files, licence)
    rows = [Entry(file=file, why=kind, detail=detail, licence=licence or ledger.NOT_STATED,
                  source=source or found.root.resolve().name) for file, kind, detail in found.refused]
    for name in found.files:
        facts, file = said[name], read.get(name, File("not read"))
        rows.append(Entry(file=name, source=source or facts.source, licence=facts.licence, sha256=file.sha256,
                          why=file.kind, detail=file.detail, piece=facts.piece, style=facts.style, notes=file.notes,
                          repairs=dict(file.repairs)))
    return sorted(rows, key=lambda row: row.file)


def _without_duplicates(entries: list[Entry], read: Mapping[str, File]) -> list[Entry]:
    first: dict[str, str] = {}
    out = []
    for entry in entries:
        if not entry.why:
            bytes_like = first.setdefault(entry.sha256, entry.file)
            notes_like = first.setdefault(read[entry.file].music, entry.file)
            if bytes_like != entry.file:
                entry = dataclasses.replace(entry, why="duplicate", detail=f"the same bytes as {bytes_like}")
            elif notes_like != entry.file:
                entry = dataclasses.replace(entry, why="duplicate", detail=f"the same notes as {notes_like}")
        out.append(entry)
    return out


def _placed(entries: list[Entry], sides: Mapping[str, str] | None, valid_share: float, seed: int,
            group: split.Group) -> list[Entry]:
    """The entries with their piece and their side."""
    good = [entry.file for entry in entries if not entry.why]
    said = split.trusted({entry.file: entry.piece for entry in entries if not entry.why and entry.piece})
    pieces = split.pieces(good, said, group)
    kept = split.choose(pieces.values(), valid_share, seed) if sides is None else set()
    out = []
    for entry in entries:
        if not entry.why:
            piece = pieces[entry.file]
            side = split.side_of(entry.file, sides) if sides is not None else "valid" if piece in kept else "train"
            if side in ("train", "valid"):
                entry = dataclasses.replace(entry, piece=piece, used=side)
            else:
                told = "the split names it under test" if side else "the split has no such name"
                entry = dataclasses.replace(entry, piece=piece, why="held out", detail=told)
        out.append(entry)
    return out


def _nothing(path: str | os.PathLike[str], corpus: Corpus) -> str:
    if len(corpus.entries) == 1:
        return f"the music must be readable; {corpus.skipped()[0]}"
    if corpus.entries:
        return f"the folder must hold music that can be used; in {path} none of {len(corpus.entries)} files can " \
               f"({corpus.reasons()}): partimento inspect names each"
    return f"the folder must hold music (.mid and the like); {path} holds " \
           f"{sum(corpus.others.values()) or 'no'} other files and no music"
