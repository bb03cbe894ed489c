"""Registries: sparse, salted, slow hashes of an author's melodies, by which music of theirs is known again unseen."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import ReadError, RequestError
from partimento.fingerprint.lines import PlacedLine, placed_lines
from partimento.fingerprint.melodyprint import MelodyPrint
from partimento.fingerprint.registry_runs import RUN_STEPS, chosen_runs, runs_of
from partimento.score import BoolArray, Score

SUFFIX = ".registry"
FORMAT, VERSION = "partimento registry", 1
MAX_FILE = 64 << 20             # bytes
MAX_NOTE = 500                  # characters
SALT_BYTES = 16
COST, BLOCK = 256, 8            # of scrypt (RFC 7914): 256 KiB of memory, about half a millisecond
CHANCE = 22                     # a run that is in no registry meets one by chance once in 2^22 times
AT_ONCE = 16                    # runs that a thread hashes before it reports

_Runs = npt.NDArray[np.uint8]
_Digests = npt.NDArray[np.uint64]


class Deposit(NamedTuple):
    """What one author gave: a `note` (who, how to reach them; free text), how many `pieces`, the `salt`, and the first
    `bits` bits of the digest of each run (uint64, sorted, each once)."""

    note: str
    pieces: int
    salt: bytes
    bits: int
    digests: _Digests


class Match(NamedTuple):
    """A run of a piece that a registry has: which one of the deposit with that `label`, counted from 0, and where.

    It sounds from the tick `begin` to the tick `end`, most of it in `track`.
    """

    label: str
    number: int
    begin: int
    end: int
    track: int


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Registry:
    """The deposits of one author or of many. Equal where all is equal.

    Of a melody it holds runs of eleven notes that do not overlap, each as a truncated salted scrypt hash of its
    intervals and time ratios: enough to know a run again in any key, at any tempo, wherever it stands.
    """

    deposits: tuple[Deposit, ...] = ()

    @classmethod
    def make(cls, pieces: Iterable[Score], *, salt: bytes | None = None, note: str = "",
             beside: Registry | None = None) -> Registry:
        """The registry of some pieces, under a new random salt; ReadError where none has a run that says enough.

        `beside` is a registry that this one will stand with: runs that it has are not given again, nor runs that
        overlap them, and its salt is taken, so that a piece is checked under both in the time of one.

        >>> pitch = [60, 64, 62, 67, 65, 59, 60, 57, 62, 55, 59, 60, 67, 64, 69, 62, 60]
        >>> tune = Score.from_rows([(480 * i, 480, p, 80, 0) for i, p in enumerate(pitch)])
        >>> mine = Registry.make([tune], note="A. N. Author")
        >>> other_key = tune.replace(pitch=tune.pitch + 3, ticks_per_quarter=96)
        >>> [(match.label, match.track) for match in mine.matches(other_key)]
        [('A. N. Author', 0)]
        """
        if len(note) > MAX_NOTE or not note.isprintable():
            raise RequestError(f"the note of a registry must be one line of at most {MAX_NOTE} characters; got "
                               f"{len(note)}" + ("" if note.isprintable() else " with line breaks or the like"))
        held = beside.deposits if beside is not None else ()
        if salt is None:
            salt = held[0].salt if held else secrets.token_bytes(SALT_BYTES)
        if len(salt) < SALT_BYTES:
            raise RequestError(f"the salt of a registry must be at least {SALT_BYTES} bytes; got {len(salt)}")
        taken: set[bytes] = set()
        kept: set[bytes] = set()
        before: set[bytes] = set()
        count = 0
        for piece in pieces:
            count += 1
            lines = placed_lines(piece)
            known: set[bytes] = set()
            if held:
                runs = _distinct(run for line in lines for run in runs_of(line.symbols)[0])
                known = {runs[i].tobytes() for i in Registry(held)._found(runs)}
                before |= known
            kept.update(chosen_runs(lines, taken, known))
        if not kept and before:
            raise ReadError("a registry must get something new; all runs of these pieces are in the other one already: "
                            "there is nothing to add")
        if not kept:
            raise ReadError(f"a registry must be of music with {RUN_STEPS + 1} notes of melody in a row that are no "
                            f"scale or common turn; none of {count} piece{'s' * (count != 1)} has: give whole pieces")
        bits = CHANCE + max(len(kept) - 1, 0).bit_length()
        digests = np.unique(_digests(_distinct(kept), salt) >> np.uint64(64 - bits))
        return cls((Deposit(note, count, salt, bits, digests),))

    @property
    def runs(self) -> int:
        """How many runs it has."""
        return sum(len(deposit.digests) for deposit in self.deposits)

    def merge(self, *others: Registry) -> Registry:
        """The registry of all the deposits, those that are equal once."""
        found: dict[bytes, Deposit] = {}
        for registry in (self, *others):
            for deposit in registry.deposits:
                found.setdefault(_line(deposit), deposit)
        return Registry(tuple(found.values()))

    def matches(self, score: Score, new: BoolArray | None = None) -> list[Match]:
        """Every run of a Score that is in the registry, in the order of the piece; none for a piece that is free of it.

        With `new` (bool[n], a value a note) only runs in which a new note stands are looked at. It takes half a
        millisecond a run and salt on one core, and all cores are used: a piece of 16 bars has some hundred runs.
        """
        if new is not None and len(new) != len(score):
            raise RequestError(f"new must have a value for each of the {len(score)} notes; got {len(new)}")
        if not self.deposits:
            return []
        places: list[tuple[PlacedLine, int]] = []
        runs: list[_Runs] = []
        for line in placed_lines(score):
            found, place = runs_of(line.symbols)
            if new is not None:
                touched = np.append(0, np.cumsum(_struck(line, score, new) >= 0))
                fresh = touched[place + RUN_STEPS + 1] > touched[place]
                found, place = found[fresh], place[fresh]
            runs += list(found)
            places += [(line, int(k)) for k in place]
        distinct = _distinct(runs)
        met = {distinct[i].tobytes(): hits for i, hits in self._found(distinct).items()}
        out: dict[tuple[str, int, int], Match] = {}
        for run, (line, k) in zip(runs, places, strict=True):
            for at, number in met.get(run.tobytes(), ()):
                begin, end, track = _place(line, k, score)
                match = Match(self.deposits[at].note or f"deposit {at + 1}", number, begin, end, track)
                out.setdefault((match.label, number, begin), match)
        return sorted(out.values(), key=lambda match: (match.begin, match.end, match.track, match.label, match.number))

    def meets(self, prints: Sequence[MelodyPrint],
              report: Callable[[int, int], bool] | None = None) -> list[tuple[str, int] | None]:
        """For each print, label and number of the first run in it that the registry has, or None.

        `report` is called with how many distinct runs are hashed and how many there are; when it returns False the
        rest is not looked at, and RequestError says so.
        """
        own = [_distinct(run for line in np.split(each.symbols, each.ends[:-1]) for run in runs_of(line)[0])
               if not each.drums else _distinct(()) for each in prints]
        distinct = _distinct(np.concatenate([_distinct(()), *own]))
        met = {distinct[i].tobytes(): hits[0] for i, hits in self._found(distinct, report).items()}
        out: list[tuple[str, int] | None] = []
        for runs in own:
            hit = next((met[run.tobytes()] for run in runs if run.tobytes() in met), None) if met else None
            out.append(hit and (self.deposits[hit[0]].note or f"deposit {hit[0] + 1}", hit[1]))
        return out

    def _found(self, runs: _Runs, report: Callable[[int, int], bool] | None = None) -> dict[int, list[tuple[int, int]]]:
        """For those of the runs (uint8[n, 10]) that are in deposits, by index: which deposits, and which run there."""
        out: dict[int, list[tuple[int, int]]] = {}
        salts = list(dict.fromkeys(deposit.salt for deposit in self.deposits))
        for turn, salt in enumerate(salts):
            full = _digests(runs, salt, report and (
                lambda done, total, turn=turn: report(turn * total + done, len(salts) * total)))    # type: ignore[misc]
            for at, deposit in enumerate(self.deposits):
                if deposit.salt == salt and len(deposit.digests):
                    cut = full >> np.uint64(64 - deposit.bits)
                    number = np.minimum(np.searchsorted(deposit.digests, cut), len(deposit.digests) - 1)
                    for i in np.flatnonzero(deposit.digests[number] == cut):
                        out.setdefault(int(i), []).append((at, int(number[i])))
        return out

    def to_bytes(self) -> bytes:
        """The registry as a text: a JSON object a line, the last one the sha256 of all before it."""
        head = json.dumps({"format": FORMAT, "version": VERSION, "deposits": len(self.deposits)}) + "\n"
        body = head.encode() + b"".join(_line(deposit) for deposit in self.deposits)
        return body + json.dumps({"sha256": hashlib.sha256(body).hexdigest()}).encode() + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Registry:
        """The registry that `to_bytes` wrote; ReadError where the bytes are no registry, cut short or changed.

        >>> Registry.from_bytes(Registry().to_bytes()) == Registry()
        True
        """
        lines = data.split(b"\n")
        head = _json(lines[0])
        if head.get("format") != FORMAT:
            raise ReadError("a registry must begin with a line that says so; this file does not: make one with "
                            "partimento registry add")
        if head.get("version") != VERSION:
            raise ReadError(f"a registry must be of version {VERSION}; this one is of version "
                            f"{str(head.get('version'))[:20]}: a newer partimento reads it")
        end = _json(lines[-2]).get("sha256") if len(lines) >= 3 and not lines[-1] else None
        if end is None or len(lines) != 3 + _whole(head.get("deposits")):
            raise ReadError("a registry must end with its checksum, after as many deposits as its head says; this one "
                            "is cut short: fetch it again")
        if end != hashlib.sha256(data[:-len(lines[-2]) - 1]).hexdigest():
            raise ReadError("a registry must be as it was written; this one was changed, for its checksum is another: "
                            "fetch it again from its author")
        return cls(tuple(_deposit(_json(line), number + 1) for number, line in enumerate(lines[1:-2])))

    def __repr__(self) -> str:
        return f"<Registry of {len(self.deposits)} deposits, {self.runs:,} runs>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Registry) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())


def load(*paths: str | os.PathLike[str]) -> Registry:
    """The registry of all the registry files given, and of all in the folders given; ReadError where one is none."""
    found: list[Path] = []
    for path in map(Path, paths):
        try:
            inside = sorted(each for each in path.rglob(f"*{SUFFIX}") if each.is_file()) if path.is_dir() else [path]
        except OSError as error:
            raise ReadError(f"{path}: a folder of registries must be one that can be opened; this one cannot be "
                            f"({error.strerror or error})") from None
        if not inside:
            raise ReadError(f"{path}: a folder of registries must hold files that end in {SUFFIX}; this one holds none")
        found += inside
    registries = []
    for file in found:
        try:
            if file.exists() and not file.is_file():
                raise ReadError("a registry must be a plain file; this is a device or a pipe")
            if file.stat().st_size > MAX_FILE:
                raise ReadError("a registry must be under 64 MiB; this file is larger")
            registries.append(Registry.from_bytes(file.read_bytes()))
        except ReadError as error:
            raise ReadError(f"{file}: {error}") from None
        except (OSError, ValueError) as error:
            raise ReadError(f"{file}: a registry must be a file that can be opened; this one cannot be "
                            f"({getattr(error, 'strerror', None) or error})") from None
    return Registry().merge(*registries)


# --- runs and their digests --------------------------------------------------------------------------------------


def digest(run: bytes, salt: bytes) -> int:
    """The 64 bits of which a registry keeps the first for a run (10 bytes, see ``registry_runs``): scrypt, salted."""
    return int.from_bytes(hashlib.scrypt(run, salt=salt, n=COST, r=BLOCK, p=1, dklen=8), "big")


def _digests(runs: _Runs, salt: bytes, report: Callable[[int, int], bool] | None = None) -> _Digests:
    """The digest of each run (uint64[n]), by all cores: while scrypt runs, Python is free."""
    parts = [runs[i:i + AT_ONCE] for i in range(0, len(runs), AT_ONCE)]

    def hashed(part: _Runs) -> list[int]:
        return [digest(run.tobytes(), salt) for run in part]

    out: list[int] = []
    with ThreadPoolExecutor(min(os.cpu_count() or 1, len(parts) + 1)) as pool:
        for done in pool.map(hashed, parts):
            out += done
            if report is not None and not report(len(out), len(runs)):
                pool.shutdown(cancel_futures=True)
                raise RequestError("music must be compared with a registry to its end; this was stopped before: run "
                                   "it again, or without the registry")
    return np.array(out, np.uint64)


def _distinct(runs: Iterable[_Runs | bytes]) -> _Runs:
    """The runs, each once, sorted: uint8[n, 10]."""
    once = sorted({run if isinstance(run, bytes) else run.tobytes() for run in runs})
    return np.frombuffer(b"".join(once), np.uint8).reshape(-1, RUN_STEPS)


def _struck(line: PlacedLine, score: Score, which: BoolArray | None = None) -> npt.NDArray[np.int64]:
    """For each note of a line the index of the first of the Score's notes (of those of `which`) that is it, or -1."""
    notes = np.arange(len(score)) if which is None else np.flatnonzero(which)
    key = (score.pitch[notes].astype(np.int64) << 32) + score.onset[notes]
    order = np.argsort(key, kind="stable")
    low = np.searchsorted(key[order], (line.pitch << 32) + line.begin)
    until = np.append(line.begin[1:], line.begin[-1] + 1)
    high = np.searchsorted(key[order], (line.pitch << 32) + until)
    out = np.full(len(line.pitch), -1)
    out[high > low] = notes[order[low[high > low]]]
    return out


def _place(line: PlacedLine, step: int, score: Score) -> tuple[int, int, int]:
    """From which tick to which the run at a step of a line sounds, and in which track most of it stands."""
    notes = _struck(line, score)[step:step + RUN_STEPS + 1]
    notes = notes[notes >= 0]
    track = Counter(score.track[notes].tolist()).most_common(1)[0][0] if len(notes) else 0
    last = int(line.begin[step + RUN_STEPS])
    end = int(score.offset[notes[-1]]) if len(notes) else last
    return int(line.begin[step]), max(end, last), int(track)


# --- the file ----------------------------------------------------------------------------------------------------


def _line(deposit: Deposit) -> bytes:
    """A deposit as its line of the file."""
    width = -(-deposit.bits // 4)
    row = {"note": deposit.note, "pieces": deposit.pieces, "salt": deposit.salt.hex(), "bits": deposit.bits,
           "digests": " ".join(f"{each:0{width}x}" for each in deposit.digests.tolist())}
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _deposit(row: dict[str, Any], number: int) -> Deposit:
    """The deposit of a line of the file; ReadError where it is none."""
    texts = [row.get(name) for name in ("note", "salt", "digests")]
    note, salt, digests = (text if isinstance(text, str) else "\n" for text in texts)
    bits, pieces = _whole(row.get("bits")), _whole(row.get("pieces"))
    hexes = digests.split(" ") if digests else []
    good = (re.fullmatch(r"([0-9a-f]{2}){16,64}", salt) and 16 <= bits <= 64 and len(note) <= MAX_NOTE
            and note.isprintable() and all(re.fullmatch(r"[0-9a-f]{1,16}", each) for each in hexes))
    values = np.array([int(each, 16) for each in hexes], np.uint64) if good else np.zeros(0, np.uint64)
    if not good or (values >> np.uint64(bits - 1) > 1).any() or (values[1:] <= values[:-1]).any():
        raise ReadError(f"each deposit of a registry must have a salt of 16 to 64 bytes and sorted digests of its "
                        f"number of bits; deposit {number} has not: it is forged or was edited: fetch it again")
    return Deposit(note, pieces, bytes.fromhex(salt), bits, values)


def _json(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
