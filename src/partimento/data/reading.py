"""One file read for a corpus: its hash, its music or why it has none, and what was repaired."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from partimento.data import cache
from partimento.errors import PartimentoError
from partimento.formats import KINDS, kind_of, raw
from partimento.formats.reading import DEFAULT_MAX_NOTES
from partimento.score import Score

MIDI_HEADS = (b"MThd", b"RIFF")
ZIPPED = (".mxl", ".mscz", ".xml", ".musicxml")


class File(NamedTuple):
    """What reading one file gave: `kind` is empty where it is music, else one of ``ledger.KINDS``.

    `music` is the sha256 of the notes alone (`music_hash`). `repairs` counts what was mended by name.
    """

    kind: str
    detail: str = ""
    sha256: str = ""
    music: str = ""
    notes: int = 0
    repairs: Mapping[str, int] = MappingProxyType({})
    notices: tuple[str, ...] = ()


def music_hash(score: Score) -> str:
    """The sha256 (hex) of onsets, durations, pitches, velocities, tracks, clock and meters: the music, not its names.

    Two files of one hash are exact duplicates, whatever their titles, words, controllers and programs.
    """
    digest = hashlib.sha256(repr((score.ticks_per_quarter, [tuple(meter) for meter in score.meters])).encode())
    digest.update(score.notes().astype("<i4").tobytes())
    return digest.hexdigest()


def read_one(path: str | os.PathLike[str], max_notes: int = DEFAULT_MAX_NOTES) -> tuple[File, Score | None]:
    """Read one file for a corpus; never raises. There is a Score only where there is music.

    Scores come from `cache` where the same bytes were read before. Grace notes, which take no time of
    their own, are left aside, and a notice says how many.
    """
    place, kind = Path(path), kind_of(path)
    try:
        if place.exists() and not place.is_file():
            return File("closed", "it is no plain file"), None
        head, sha256 = _hash(place) if place.exists() or kind != "abc" else _hash_tune(path)
    except OSError as error:
        return File("closed", error.strerror or str(error)), None
    except PartimentoError as error:
        return File("closed", str(error)), None
    suffix = place.suffix.lower().partition("#")[0]
    if found := _sniff(head, suffix):
        return File(found, _SNIFFED[found], sha256), None
    known = cache.load(sha256)
    try:
        if known is not None:
            score, repairs, notices = known[1], known[0]["repairs"], tuple(known[0]["notices"])
        else:
            score, repairs, notices = _read(path, max_notes)
            cache.save(sha256, {"repairs": repairs, "notices": notices}, score)
    except PartimentoError as error:
        said = str(error).removeprefix(f"{path}: ")        # a ledger names no folder of this machine
        return File(_kind_of(said, head, suffix), said, sha256), None
    except MemoryError:
        return File("too long", "it does not fit in memory", sha256), None
    except Exception as error:  # whatever is wrong with one file, the others are still read
        return File("damaged", f"the reader failed ({type(error).__name__}: {error})", sha256), None
    if len(score) > max_notes:
        return File("too long", f"it has {len(score)} notes, more than {max_notes}", sha256), None
    if score.grace is not None:
        graces = int((score.grace > 0).sum())
        score = score.select(score.grace <= 0).replace(grace=None)
        notices = (*notices, f"{graces} grace notes are left aside: they take no time of their own")
    if not len(score):
        return File("no notes", "it is a good file without a single note", sha256, repairs=repairs), None
    return File("", "", sha256, music_hash(score), len(score), repairs, notices), score


def file_sha256(path: str | os.PathLike[str]) -> str:
    """The sha256 (hex) of the bytes of a file, or of one tune of a book (``book.abc#3``); ReadError, OSError."""
    place = Path(path)
    return (_hash(place) if place.exists() or kind_of(path) != "abc" else _hash_tune(path))[1]


def print_of(sha256: str, score: Score) -> bytes:
    """The melody print of a Score as bytes, from `cache` where it was made before; empty where none can be made."""
    from partimento import fingerprint

    made = cache.load_bytes(sha256, f"print{cache.PRINTS}")
    try:
        if made is not None and fingerprint.MelodyPrint.from_bytes(made):
            return made
    except PartimentoError:             # a damaged entry is made anew
        pass
    try:
        made = fingerprint.melody_print(score).to_bytes()
    except Exception:  # a piece without a print is like no other, and is still a piece
        return b""
    cache.save_bytes(sha256, f"print{cache.PRINTS}", made)
    return made


def _read(path: str | os.PathLike[str], max_notes: int) -> tuple[Score, dict[str, int], tuple[str, ...]]:
    from partimento.formats import read_report

    reading: Any = read_report(path, max_notes=max_notes)
    return reading.score, {str(name): int(count) for name, count in reading.repairs.items() if count}, reading.notices


def _hash(place: Path) -> tuple[bytes, str]:
    digest, head = hashlib.sha256(), b""
    with open(place, "rb") as file:
        while block := file.read(1 << 20):
            head = head or block[:1024]
            digest.update(block)
    return head, digest.hexdigest()


def _hash_tune(path: str | os.PathLike[str]) -> tuple[bytes, str]:
    data, _ = raw(path)
    return data[:1024], hashlib.sha256(data).hexdigest()


_SNIFFED = {
    "empty": "the file has 0 bytes",
    "html": "it is a web page saved under this name: download the music itself",
    "zip": "it is an archive: unpack it, then run this again",
}


def _sniff(head: bytes, suffix: str) -> str:
    """The kind of a file that its first bytes give away as no music, or nothing."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "empty"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")) or \
            (start.startswith((b"<?xml", b"<!--")) and b"<html" in start):
        return "html"
    if head.startswith((b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b")) and suffix not in ZIPPED:
        return "zip"
    return ""


def _kind_of(message: str, head: bytes, suffix: str) -> str:
    """Under which heading a reader's refusal goes."""
    said = message.lower()
    if "max-notes" in said or "max_notes" in said:
        return "too long"
    if suffix in KINDS["midi"]:
        return "damaged" if any(magic in head for magic in MIDI_HEADS) else "not midi"
    return "not music" if b"\0" in head and suffix not in ZIPPED else "damaged"
