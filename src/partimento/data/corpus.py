"""A folder of music as a Corpus: what is used, repaired or skipped and why, split by piece, with its ledger."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, overload

from partimento.data import about, files, ledger, optout, pool, rights, shelf, split
from partimento.data.ledger import KINDS, Entry
from partimento.data.near import Pair, check_near, find_pairs, joined_pieces, without_copies, without_near
from partimento.data.reading import File
from partimento.errors import PartimentoError, ReadError, RequestError
from partimento.fingerprint.registry import Registry
from partimento.formats import kind_of
from partimento.formats.files import write_bytes
from partimento.formats.reading import DEFAULT_MAX_NOTES
from partimento.models.base import Piece, Progress, Report
from partimento.score import Score
from partimento.workers import worker_count

SLOW_COMPARING = 500                # files from which on it is told that they are compared

Change = Callable[[Score], Score]


class Pieces(Sequence[Piece]):
    """The pieces of one side of a corpus, in the order of their files; may be gone through again and again.

    Scores come from a `Shelf`, as they were when the corpus was read: memory holds those in use alone.
    """

    def __init__(self, entries: Sequence[Entry], scores: shelf.Shelf) -> None:
        self.entries = tuple(entries)
        self._scores = scores

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> Piece: ...
    @overload
    def __getitem__(self, index: slice) -> Pieces: ...
    def __getitem__(self, index: int | slice) -> Piece | Pieces:
        if isinstance(index, slice):
            return Pieces(self.entries[index], self._scores)
        return self._piece(self.entries[index])

    def __iter__(self) -> Iterator[Piece]:
        return map(self._piece, self.entries)

    def _piece(self, entry: Entry) -> Piece:
        return Piece(self._scores.get(entry.sha256), entry.file, entry.sha256, entry.licence, entry.style)

NO_REGISTRY = Registry()


@dataclasses.dataclass(frozen=True, eq=False)
class Corpus:
    """A folder of music, read: `train` and `valid` pieces, and one ledger `entries` row for every music file.

    `others` counts, by suffix, the files that were left alone because they are no music. `notices` are sentences worth
    telling: what a rights sheet contradicts, what an opt-out list left out. `alike` are the near duplicates found,
    `registry` is that of the opt-out list.
    """

    root: Path
    entries: tuple[Entry, ...]
    train: Pieces
    valid: Pieces
    others: Mapping[str, int]
    seed: int
    valid_share: float
    notices: tuple[str, ...] = ()
    alike: tuple[Pair, ...] = ()
    registry: Registry = NO_REGISTRY

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
    def unlicensed(self) -> int:
        """How many used files state no licence: what is learnt from them is for private use."""
        return self.licences.get(ledger.NOT_STATED, 0)

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
        if self.unlicensed:
            out.append(ledger.private(self.unlicensed))
        out += self.notices
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

    def write_rights(self, path: str | os.PathLike[str]) -> None:
        """Write the rights sheet as CSV (see ``partimento.data.rights``); ``load(rights_sheet=path)`` takes it back."""
        rights.write(self.entries, path)

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
         near: str = "takes", opt_out: str | os.PathLike[str] | None = None,
         rights_sheet: str | os.PathLike[str] | None = None, progress: Report | None = None) -> Corpus:
    """Read a folder of music, an archive of it, or one file, into a Corpus; ReadError when no file can be used.

    Every music file becomes a row: used, or skipped with its reason. `workers` is how many processes read (None: by
    the number of files and processors; 0: this process alone). Files of more than `max_notes` notes are skipped.
    `valid_share` of the pieces, chosen by `seed`, is kept to check on; `group` says which files are one piece (see
    ``split.pieces``), and `given_split` names a JSON file that says the sides instead. `licence` and `source` said
    here rule for all files. `change` is applied to every Score (to re-bar it, say); where it raises, the file is
    skipped. `progress` is called as files get done; when it returns False, what has been read by then is used.

    `near` is what becomes of near duplicates, files that are melodically one piece in any key or engraving. They are
    never on both sides of the split, and of each the one with most notes is used: ``takes`` (but takes and parts that
    are laid out as such stay), ``one`` (not even those), ``keep`` (all are used), ``ignore`` (they are not looked for).
    `opt_out` is a list of what may not be used, or music that may not (see ``optout.read``); what is melodically the
    same goes too. `rights_sheet` is a CSV table that rules licences (see ``rights``) [one beside or in the folder].

    >>> import tempfile
    >>> from partimento import formats
    >>> folder = Path(tempfile.mkdtemp())
    >>> formats.write(Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0]), folder / "a.mid")
    >>> load(folder).counts
    {'used': 1, 'repaired': 0, 'skipped': 0}
    """
    from partimento.formats import SUFFIXES

    split.choose((), valid_share, seed)
    check_near(near)
    for name, value, least in (("workers", workers, 0), ("max_notes", max_notes, 1)):
        if value is not None and value < least:
            raise RequestError(f"{name} must be at least {least}; got {value}")
    sides = split.read_split(given_split) if given_split is not None else None
    opted = optout.read(opt_out, max_notes=max_notes, workers=workers) if opt_out is not None else None
    found = files.find(path, tuple(SUFFIXES), progress)
    place = rights_sheet if rights_sheet is not None else rights.find_sheet(path, found.root)
    sheet = rights.read(place) if place is not None else None
    if workers is None:
        workers = worker_count(len(found.files), found.size)
    prints = opted is not None or (near != "ignore" and len(found.files) > 1)
    read = _read_files(found, workers, max_notes, change, prints, progress)
    entries = _entries(found, read.files, licence, source, sheet)
    notices: list[str] = []
    if sheet is not None:
        entries, said = rights.rule(entries, sheet, licence)
        notices += said
    if opted is not None:
        entries, said = optout.apply(entries, read.files, read.melodies, opted, progress)
        notices += said
    entries = without_copies(entries, read.files)
    pieces = _pieces(entries, group)
    alike: list[Pair] = []
    if near != "ignore":
        if len(pieces) > SLOW_COMPARING and progress is not None:
            progress(Progress("comparing", 0, 0))
        alike = find_pairs(entries, read.melodies)
        entries = without_near(entries, alike, pieces, near)
    entries = _placed(entries, joined_pieces(pieces, alike), sides, valid_share, seed)
    train, valid = (Pieces([entry for entry in entries if entry.used == side], read.scores)
                    for side in ("train", "valid"))
    corpus = Corpus(found.root, tuple(entries), train, valid, found.others, seed, valid_share, tuple(notices),
                    tuple(alike), opted.registry if opted is not None else Registry())
    if not corpus.train:
        raise ReadError(_nothing(path, corpus))
    return corpus


def rebarring(meter: str | None, downbeat: float | str | None = None) -> Change | None:
    """What to give `load` as `change` so that every piece is re-barred (see ``formats.rebar``); None for nothing said.

    `meter` is as ``3/4``, or ``auto``: every bar found; `downbeat` is the place of a first beat in quarter notes, or
    ``auto``: found in each piece.
    """
    if meter is None and downbeat is None:
        return None
    from partimento.formats import parse_downbeat, parse_input_meter, rebar

    said, place = parse_input_meter(meter or None), parse_downbeat(downbeat)
    return lambda score: rebar(score, said, place)


class _Read(NamedTuple):
    """What reading gave: files by name, scores and melody prints by sha256."""

    files: dict[str, File]
    scores: shelf.Shelf
    melodies: dict[str, bytes]


def _read_files(found: files.Found, workers: int, max_notes: int, change: Change | None, prints: bool,
                progress: Report | None) -> _Read:
    read = _Read({}, shelf.Shelf(), {})
    answers = pool.read_all([found.path(file) for file in found.files], workers=workers, max_notes=max_notes,
                            prints=prints)
    with contextlib.closing(answers):
        for index, file, score, melody in answers:
            if score and change is not None:
                try:
                    score = shelf.squeeze(change(shelf.loosen(score)))
                except PartimentoError as error:
                    file, score, melody = File("refused", str(error), file.sha256), b"", b""
            read.files[found.files[index]] = file
            if score:
                read.scores.put(file.sha256, score)
            if melody:
                read.melodies[file.sha256] = melody
            if progress is not None and not progress(Progress("reading", len(read.files), len(found.files))):
                break
    return read


def _entries(found: files.Found, read: Mapping[str, File], licence: str | None, source: str | None,
             sheet: rights.RightsSheet | None) -> list[Entry]:
    said = _facts(found, licence, sheet)
    rows = [Entry(file=file, why=kind, detail=detail, licence=licence or ledger.NOT_STATED,
                  source=source or found.name) for file, kind, detail in found.refused]
    for name in found.files:
        facts, file = said[name], read.get(name, File("not read"))
        rows.append(Entry(file=name, source=source or facts.source, licence=facts.licence, sha256=file.sha256,
                          why=file.kind, detail=file.detail, piece=facts.piece, style=facts.style, notes=file.notes,
                          repairs=dict(file.repairs)))
    return sorted(rows, key=lambda row: row.file)


def _facts(found: files.Found, licence: str | None, sheet: rights.RightsSheet | None) -> dict[str, about.Facts]:
    """What is said beside the music; of an archive in a folder what it says itself, else what the folder says."""
    held: defaultdict[str, list[str]] = defaultdict(list)
    for file in found.files:
        held[found.holder(file)].append(file)
    outside = about.facts_about(found.root, [*held[""], *filter(None, held)], licence, name=found.name,
                                sheet=sheet.path if sheet else None)
    out = {file: outside[file] for file in held.pop("")}
    for holder, inside in held.items():
        facts = about.facts_about(found.places[holder], [file[len(holder) + 1:] for file in inside], licence,
                                  name=holder)
        for file in inside:
            own = facts[file[len(holder) + 1:]]
            stated = own.licence if own.licence != ledger.NOT_STATED else outside[holder].licence
            out[file] = own._replace(licence=stated, piece=f"{holder}/{own.piece}" if own.piece else "")
    return out


def _pieces(entries: Sequence[Entry], group: split.Group) -> dict[str, str]:
    """The piece of every file that is not left out so far."""
    good = [entry.file for entry in entries if not entry.why]
    said = split.trusted({entry.file: entry.piece for entry in entries if not entry.why and entry.piece})
    return split.pieces(good, said, group)


def _placed(entries: list[Entry], pieces: Mapping[str, str], sides: Mapping[str, str] | None, valid_share: float,
            seed: int) -> list[Entry]:
    """The entries with their piece and their side."""
    kept = split.choose({pieces[entry.file] for entry in entries if not entry.why}, valid_share, seed) \
        if sides is None else set()
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
        return f"the music must be such as can be used; in {path} none of {len(corpus.entries)} files can " \
               f"({corpus.reasons()}): partimento inspect names each"
    return f"the folder or archive must hold music (.mid and the like); {path} holds " \
           f"{sum(corpus.others.values()) or 'no'} other files and no music"
