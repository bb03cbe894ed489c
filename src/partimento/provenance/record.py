"""The record of a piece: what made it and who made each bar, as a JSON file beside it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from partimento.errors import PartimentoError, ReadError
from partimento.formats.files import read_bytes, write_bytes
from partimento.provenance.kept import Kept, checked, table_of
from partimento.request import Request

FORMAT = 1
SIDECAR = ".provenance.json"
KINDS = ("midi", "musicxml", "abc")         # of files of music that are written
_ORDER = ("partimento_provenance", "partimento", "platform", "maker", "request", "originality", "steps", "hands",
          "files", "kept", "sha256", "signature")


class Signature(NamedTuple):
    """An Ed25519 signature: the public key and the signature, both as hex digits."""

    key: str
    signature: str


class Run(NamedTuple):
    """Bars `first` to `last` of a track, by number, and the steps (places in `Record.steps`) that made them."""

    first: int
    last: int
    steps: tuple[int, ...]


class Hands(NamedTuple):
    """Who made the bars of one track."""

    track: str
    runs: tuple[Run, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """What is recorded of a piece. Nothing else is: no time, nothing of the user, nothing of the machine.

    `partimento` is the version of the program and `platform` its kind of machine. `maker` says what is known of the
    model (``taught_by``), `request` holds the settings, with the input where there was one. `steps` tell in order
    what was done: each has `by` (``imported``, ``composed``, ``performed``, ``edited``) and what belongs to it; `hands`
    say which of them made each bar of each track. `files` gives the sha256 of every file written by its suffix,
    `kept` by kind of file the hashes of what it keeps. `sha256` is that of all this; `signature` is over the same
    bytes.
    """

    partimento: str
    platform: str
    maker: Mapping[str, Any]
    request: Request
    originality: Mapping[str, Any]
    steps: tuple[Mapping[str, Any], ...]
    hands: tuple[Hands, ...]
    files: Mapping[str, str]
    kept: Mapping[str, Kept]
    sha256: str = ""
    signature: Signature | None = None

    def __post_init__(self) -> None:
        if not self.sha256:
            object.__setattr__(self, "sha256", self._hash())

    def _hash(self) -> str:
        return hashlib.sha256(self.message()).hexdigest()

    @property
    def whole(self) -> bool:
        """Whether the record is as it was written: its sha256 is still that of its content."""
        return self.sha256 == self._hash()

    def replace(self, **changes: Any) -> Record:
        """A copy with some fields changed, unsigned unless a signature is given, with the sha256 of what it holds."""
        return dataclasses.replace(self, **{"sha256": "", "signature": None, **changes})

    def message(self) -> bytes:
        """The bytes that are hashed and signed: all but `sha256` and `signature`, as JSON with sorted keys."""
        body = {name: value for name, value in self.as_json().items() if name not in ("sha256", "signature")}
        return b"partimento provenance\n" + compact(body).encode()

    def as_json(self) -> dict[str, Any]:
        """The same as JSON has it."""
        plain: dict[str, Any] = {
            "partimento_provenance": FORMAT, "partimento": self.partimento, "platform": self.platform,
            "maker": dict(self.maker), "request": json.loads(self.request.to_json()),
            "originality": dict(self.originality), "steps": [dict(step) for step in self.steps],
            "hands": [{"track": own.track, "bars": {f"{r.first}-{r.last}": list(r.steps) for r in own.runs}}
                      for own in self.hands],
            "files": dict(self.files), "kept": {kind: kept.as_json() for kind, kept in self.kept.items()},
            "sha256": self.sha256}
        return plain | ({"signature": self.signature._asdict()} if self.signature else {})

    def to_text(self) -> str:
        """The text of a sidecar: one line a field."""
        plain = self.as_json()
        lines = [f"{json.dumps(name)}: {compact(plain[name])}" for name in _ORDER if name in plain]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    def to_line(self) -> str:
        """All of it in one line, as it stands inside a file of music."""
        return compact(self.as_json())

    @classmethod
    def from_text(cls, text: str) -> Record:
        """What `to_text` or `to_line` wrote; ReadError in one sentence where it is damaged or of a later format.

        Whether somebody changed it is another question: see `whole`.
        """
        try:
            plain = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
            compact(plain)      # numbers too large to be any
        except (ValueError, RecursionError) as error:
            raise ReadError(f"a record of provenance must be whole JSON; this is not ({error})") from None
        number = plain.get("partimento_provenance") if isinstance(plain, dict) else None
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise ReadError("a record of provenance must say its format; this is other JSON")
        if number != FORMAT:
            raise ReadError(f"a record of provenance must be of format {FORMAT}; this is of format {number}: update "
                            "partimento (pip install -U partimento)")
        signature = plain.pop("signature", None)
        fields = checked(plain, _KINDS, "a record of provenance")
        if not fields["kept"] or not set(fields["kept"]) <= set(KINDS):
            raise ReadError(f"a record of provenance must hold the hashes of {' or '.join(KINDS)}; this one holds "
                            f"{', '.join(fields['kept']) or 'none'}")
        try:
            request = Request.from_json(json.dumps(fields["request"]))
        except PartimentoError as error:
            raise ReadError(f"the request in a record must be one; {error}") from None
        steps = tuple(table_of(step, "a step in a record") for step in fields["steps"])
        return cls(partimento=fields["partimento"], platform=fields["platform"], maker=fields["maker"],
                   request=request, originality=fields["originality"], steps=steps,
                   hands=tuple(_hands(own, len(steps)) for own in fields["hands"]), files=_files(fields["files"]),
                   kept={kind: Kept.from_json(kept) for kind, kept in fields["kept"].items()},
                   sha256=fields["sha256"] or "none", signature=_signature(signature))


def sidecar_of(path: str | os.PathLike[str]) -> Path:
    """The name of the record beside a file of music; a record's own name is given back.

    >>> sidecar_of("out/song.mid").name, sidecar_of("book.abc#3").name
    ('song.provenance.json', 'book.provenance.json')
    """
    place = Path(re.sub(r"(?<=\.abc)#\d+$", "", os.fspath(path)))
    return place if is_sidecar(place) else place.with_name(f"{place.stem}{SIDECAR}")


def is_sidecar(path: str | os.PathLike[str]) -> bool:
    """Whether a name is that of a record.

    >>> is_sidecar("song.provenance.json"), is_sidecar("song.mid")
    (True, False)
    """
    return os.fspath(path).endswith(SIDECAR)


def read_record(path: str | os.PathLike[str]) -> Record:
    """The record in a file; ReadError, in one sentence, where there is none or it is damaged."""
    data = read_bytes(path)
    try:
        return Record.from_text(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise ReadError(f"{os.fspath(path)}: a record of provenance must be text in UTF-8; this is not") from None
    except ReadError as error:
        raise ReadError(f"{os.fspath(path)}: {error}") from None


def write_record(record: Record, path: str | os.PathLike[str]) -> Path:
    """Write a record to a file, whole or not at all, and return its path; WriteError where it cannot be."""
    write_bytes(path, record.to_text().encode("utf-8"))
    return Path(path)


def compact(value: Any) -> str:
    """JSON of one spelling: keys sorted, no spaces, ASCII only.

    >>> compact({"b": 1.5, "a": "é"})
    '{"a":"\\\\u00e9","b":1.5}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


# --- the parts ---------------------------------------------------------------------------------------------------

_KINDS = {"partimento_provenance": int, "partimento": str, "platform": str, "maker": dict, "request": dict,
          "originality": dict, "steps": list, "hands": list, "files": dict, "kept": dict, "sha256": str}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one table")
    return found


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _files(plain: dict[str, Any]) -> dict[str, str]:
    if not all(isinstance(value, str) for value in plain.values()):
        raise ReadError("the files in a record must have a sha256 each; these have not")
    return plain


def _signature(plain: Any) -> Signature | None:
    if plain is None:
        return None
    return Signature(**checked(plain, {"key": str, "signature": str}, "a signature"))


def _hands(plain: Any, steps: int) -> Hands:
    own = checked(plain, {"track": str, "bars": dict}, "the hands in a record")
    runs = sorted(_run(words, who, steps) for words, who in own["bars"].items())
    if any(run.last < run.first for run in runs) or any(a.last >= b.first for a, b in pairwise(runs)):
        raise ReadError("the hands in a record must be bars from one to a later one, each bar once; these are not")
    return Hands(own["track"], tuple(runs))


def _run(words: str, who: Any, steps: int) -> Run:
    match = re.fullmatch(r"(0|[1-9]\d{0,6})-(0|[1-9]\d{0,6})", words, re.ASCII)
    fits = isinstance(who, list) and all(type(step) is int and 0 <= step < steps for step in who)
    if match is None or not fits:
        raise ReadError(f"the hands in a record must be bars (1-4) and the steps that made them; got {words[:20]!r}")
    return Run(int(match[1]), int(match[2]), tuple(who))
