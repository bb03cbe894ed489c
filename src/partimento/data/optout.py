"""Music that may not be learnt from: named in a list, melodically the same as music given, or met in a registry."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from partimento.data import files, pool
from partimento.data.archive import archive_kind
from partimento.data.ledger import Entry
from partimento.data.reading import File
from partimento.errors import ReadError
from partimento.fingerprint import registry
from partimento.formats import SUFFIXES, kind_of
from partimento.models.base import Progress, Report
from partimento.workers import worker_count

MAX_LIST_BYTES = 64 << 20
MAX_LINE = 1_000                    # characters


class OptOut(NamedTuple):
    """What is opted out: names and sha256 as listed, and of music given the hashes of its notes and its melodies.

    Each comes with the words that say what it is. `unread` says, of music given that could not be read, what and why.
    `registry` holds the registries given.
    """

    sha256: str
    names: Mapping[str, str]
    hashes: Mapping[str, str]
    notes: Mapping[str, str]
    melodies: tuple[tuple[str, bytes], ...]
    unread: tuple[str, ...] = ()
    registry: registry.Registry = registry.Registry()


def read(path: str | os.PathLike[str], *, max_notes: int, workers: int | None = None) -> OptOut:
    """Read an opt-out list: a text file, a registry, or the music itself (a file, a folder, an archive).

    A line of a text file is the name of a file (its path below the corpus, its last part, or that without a suffix;
    case does not matter), a sha256, or the path of music or of a registry: a file, folder or archive, relative to the
    list or not. Empty lines, and what follows ``# `` at the head of a line, say nothing. A folder may hold music,
    registries or both. ReadError for what is none of these.
    """
    place = Path(path)
    if place.is_dir() or kind_of(place) or archive_kind(place) or _is_registry(place):
        return _of_music([place], {}, {}, place, max_notes, workers)
    names: dict[str, str] = {}
    hashes: dict[str, str] = {}
    music: list[Path] = []
    lines = _lines(place)
    for line in lines:
        word = line.strip('"').strip()
        if re.fullmatch(r"[0-9a-fA-F]{64}", word):
            hashes[word.lower()] = f"the sha256 {word[:12].lower()}…"
            continue
        names[_name(word)] = word
        there = _there(place.parent, word)
        if there is not None:
            music.append(there)
    known = [word for word in names.values() if kind_of(word)]
    if not (hashes or music or known):
        raise ReadError(f"an opt-out list must name music, a file name, a path or a sha256 a line; {place} does so in "
                        f"none of its {len(lines):,} line{'s' * (len(lines) != 1)}")
    return _of_music(music, names, hashes, place, max_notes, workers)


def apply(entries: Sequence[Entry], read_files: Mapping[str, File], melodies: Mapping[str, bytes], given: OptOut,
          report: Report | None = None) -> tuple[list[Entry], list[str]]:
    """The entries with what is opted out left out, and a sentence about it.

    `melodies` are the melody prints of the corpus by sha256. What is melodically the same as a file left out by its
    name, its hash or a registry goes with it. `report` is called while a registry is compared, which takes time.
    """
    from partimento.fingerprint import MelodyPrint, same_as

    why: dict[str, str] = {}
    met: set[str] = set()
    listed = list(given.melodies)
    notes: dict[str, str] = dict(given.notes)
    good = [entry for entry in entries if not entry.why]
    for entry in good:
        named = next((name for name in _names(entry.file) if name in given.names), None)
        if named is not None:
            met.add(named)
            why[entry.file] = f"named in the opt-out list ({given.names[named]})"
        elif entry.sha256 in given.hashes:
            why[entry.file] = f"the same bytes as {given.hashes[entry.sha256]}"
        else:
            continue
        notes.setdefault(read_files[entry.file].music, entry.file)
        if entry.sha256 in melodies:
            listed.append((entry.file, melodies[entry.sha256]))
    by_registry = _met(good, melodies, given.registry, report)
    for entry in good:
        if entry.file in by_registry and entry.file not in why:
            why[entry.file] = by_registry[entry.file]
            notes.setdefault(read_files[entry.file].music, entry.file)
            listed.append((entry.file, melodies[entry.sha256]))
    for entry in good:
        if entry.file not in why and (label := notes.get(read_files[entry.file].music)):
            why[entry.file] = f"the same notes as {label}"
    rest = [entry for entry in good if entry.file not in why and melodies.get(entry.sha256)]
    if rest and listed:
        found = same_as([MelodyPrint.from_bytes(melodies[entry.sha256]) for entry in rest],
                        [MelodyPrint.from_bytes(data) for _, data in listed])
        why |= {entry.file: f"the same melody as {listed[index][0]}"
                for entry, index in zip(rest, found, strict=True) if index is not None}
    out = [dataclasses.replace(entry, why="opted out", detail=why[entry.file]) if entry.file in why else entry
           for entry in entries]
    said = f"opt-out: {len(why):,} file{'s' * (len(why) != 1)} left out"
    if given.registry.deposits:
        said += f", {len(by_registry):,} for a run of melody that the registry has"
    unmet = len(given.names) - len(met)
    if unmet:
        said += f"; {unmet:,} of the {len(given.names):,} names listed are of no file here"
    if given.unread:
        said += f"; of {len(given.unread):,} listed nothing but exact copies is known, for they cannot be read " \
                f"({given.unread[0]})"
    return out, [said]


def _met(entries: Sequence[Entry], melodies: Mapping[str, bytes], given: registry.Registry,
         report: Report | None) -> dict[str, str]:
    """For each file that has a run of the registry the words that say so."""
    if not given.deposits:
        return {}
    from partimento.fingerprint import MelodyPrint

    some = [entry for entry in entries if melodies.get(entry.sha256)]

    def told(done: int, total: int) -> bool:
        return report is None or report(Progress("comparing with the registry", done, total))

    found = given.meets([MelodyPrint.from_bytes(melodies[entry.sha256]) for entry in some], told)
    return {entry.file: f"it has run {hit[1] + 1} of the registry of {hit[0]}"
            for entry, hit in zip(some, found, strict=True) if hit is not None}


def _lines(place: Path) -> list[str]:
    try:
        if place.exists() and not place.is_file():
            raise ReadError(f"an opt-out list must be a plain file, or a folder of music; {place} is neither")
        if place.stat().st_size > MAX_LIST_BYTES:
            raise ReadError(f"an opt-out list must be under 64 MiB; {place} is larger")
        text = place.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ReadError(f"an opt-out list must be a file that can be opened; {place} cannot be "
                        f"({error.strerror or error})") from None
    except UnicodeError:
        text = "\0"
    lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("# ")]
    if "\0" in text or any(len(line) > MAX_LINE or line.startswith(("<", "{", "[")) for line in lines):
        raise ReadError(f"an opt-out list must be a text (UTF-8) with a file name, a path or a sha256 a line, or music "
                        f"itself; {place} is neither")
    if not lines:
        raise ReadError(f"an opt-out list must name at least one file; {place} is empty")
    return lines


def _of_music(places: Sequence[Path], names: Mapping[str, str], hashes: Mapping[str, str], given: Path,
              max_notes: int, workers: int | None) -> OptOut:
    """The list with what is known of the music and registries at `places`; ReadError where none can be read."""
    every: list[tuple[str, Path]] = []
    size = 0
    registries = [place for place in places if _is_registry(place) or (place.is_dir() and _holds_registries(place))]
    held = registry.load(*registries) if registries else registry.Registry()
    for place in places:
        if _is_registry(place):
            continue
        found = files.find(place, SUFFIXES)
        size += found.size
        every += [(file, found.path(file)) for file in found.files]
    count = worker_count(len(every), size) if workers is None else workers
    hashes = dict(hashes)
    failed: list[str] = []
    notes: dict[str, str] = {}
    melodies: list[tuple[str, bytes]] = []
    answers = pool.read_all([path for _, path in every], workers=count, max_notes=max_notes, prints=True)
    for index, file, melody in sorted(((each.number, each.file, each.melody) for each in answers), key=itemgetter(0)):
        label = every[index][0]
        if file.sha256:
            hashes.setdefault(file.sha256, label)
        if file.music:
            notes.setdefault(file.music, label)
        else:
            failed.append(f"{label}: {file.detail}")
        if melody:
            melodies.append((label, melody))
    if places and not notes and not registries:
        why = f"the first, {failed[0]}" if failed else "there is none"
        raise ReadError(f"an opt-out list must give music that can be read; of that in {given} none can ({why})")
    digest = hashlib.sha256("\n".join([*sorted(names), *sorted(hashes)]).encode("utf-8", "surrogateescape"))
    if registries:
        digest.update(held.to_bytes())
    return OptOut(digest.hexdigest(), names, hashes, notes, tuple(melodies), tuple(failed), held)


def _there(folder: Path, word: str) -> Path | None:
    """The music or the registry that a line gives by its path, if it does."""
    try:
        place = folder / word
        known = kind_of(place) or archive_kind(place) or _is_registry(place)
        return place if place.is_dir() or (place.is_file() and known) else None
    except (OSError, ValueError):
        return None


def _is_registry(place: Path) -> bool:
    return place.suffix.lower() == registry.SUFFIX


def _holds_registries(folder: Path) -> bool:
    return next(folder.rglob(f"*{registry.SUFFIX}"), None) is not None


def _name(word: str) -> str:
    return word.replace("\\", "/").removeprefix("./").casefold()


def _names(file: str) -> list[str]:
    """The names under which a file of the corpus may be listed."""
    name = file.casefold()
    last = name.rpartition("/")[2]
    stem = os.path.splitext(last)[0]
    parts = name.split("/")
    return [*("/".join(parts[i:]) for i in range(len(parts))), os.path.splitext(name)[0], stem]
