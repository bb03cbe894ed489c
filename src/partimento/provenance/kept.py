"""What a file of music keeps, as hashes: of the whole, of its frame part by part, and of every bar of every track."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from partimento.errors import ReadError
from partimento.generate import STAMP
from partimento.score import MAX_BARS, OPTIONAL_COLUMNS, Score

MARK = "partimento-provenance "     # how the text of a record inside a file begins
BEGINS_DIGITS, LENGTHS_DIGITS, LOUD_DIGITS, PART_DIGITS = 16, 8, 8, 16
LONGEST_MATCH = 500                 # bars between what two pieces share at their ends that are matched one by one


@dataclasses.dataclass(frozen=True)
class Kept:
    """The hashes of one piece as one kind of file keeps it.

    `content` is the `Score.content_hash` without the texts that partimento adds. `parts` hashes the frame by part
    (``meter``, ``tempo``, ...). `cells` holds, for each of `tracks`, the bars that have notes by their number (a
    pick-up is 0): 16 hex digits of where the notes there begin (quarter notes from the bar line) and of their pitches,
    8 of their durations and 8 of their velocities. There are `bars` bars from number `first` on.
    """

    content: str
    parts: Mapping[str, str]
    tracks: tuple[str, ...]
    first: int
    bars: int
    cells: tuple[Mapping[int, str], ...]

    @property
    def numbers(self) -> range:
        """The numbers of the bars."""
        return range(self.first, self.first + self.bars)

    def as_json(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return {"content": self.content, "parts": dict(self.parts), "tracks": list(self.tracks), "first": self.first,
                "bars": self.bars, "cells": [{str(bar): text for bar, text in own.items()} for own in self.cells]}

    @classmethod
    def from_json(cls, plain: Any) -> Kept:
        """What `as_json` gave; ReadError where it is anything else."""
        kinds = {"content": str, "parts": dict, "tracks": list, "first": int, "bars": int, "cells": list}
        fields = checked(plain, kinds, "the hashes in a record")
        cells = tuple(table_of(own, "the bars in a record") for own in fields["cells"])
        words = (*fields["tracks"], *fields["parts"].values(), *(text for own in cells for text in own.values()))
        if not all(isinstance(word, str) for word in words) or len(cells) != len(fields["tracks"]):
            raise ReadError("the hashes in a record must be text, a table for every track; these are not")
        first, bars = fields["first"], fields["bars"]
        if first not in (0, 1) or not 0 <= bars <= MAX_BARS:
            raise ReadError(f"a record must have bars from 0 or 1 on, {MAX_BARS} at most; got {bars} from {first} on")
        return cls(fields["content"], fields["parts"], tuple(fields["tracks"]), first, bars,
                   tuple({_number(bar): text for bar, text in own.items()} for own in cells))


def kept_of(score: Score) -> Kept:
    """The hashes of a Score, as it was read from a file.

    >>> tune = Score(onset=[0, 1920], duration=[480, 480], pitch=[60, 62], velocity=[80, 80], track=[0, 0])
    >>> louder = tune.replace(velocity=[80, 81])
    >>> differences(kept_of(tune), kept_of(louder)).text()
    'bar 2 of track 1'
    """
    plain = score.replace(texts=tuple(text for text in score.texts if not is_own(text.track, text.text)))
    columns = [getattr(plain, name) for name in OPTIONAL_COLUMNS]
    frame = {"length": [plain.end, plain.ticks_per_quarter], "meter": plain.meters, "tempo": plain.tempos,
             "key": plain.keys, "chords": plain.chords, "signs": plain.marks, "words": plain.texts,
             "tracks": plain.tracks}
    parts = {name: json.dumps(part, default=int).encode() for name, part in frame.items()}
    parts["controllers"] = plain.controls.rows().astype("<i4").tobytes()
    parts["engraving"] = b"".join(b"-" if column is None else column.astype("<i4").tobytes() for column in columns)
    hashes = {name: _hash(part, PART_DIGITS) for name, part in parts.items()}
    first = 0 if plain.has_pickup else 1
    return Kept(plain.content_hash, hashes, tuple(track.name for track in plain.tracks), first, plain.n_bars,
                _cells(plain, first))


def is_own(track: int, text: str) -> bool:
    """Whether a text is one that partimento writes into a piece: the settings, or the record."""
    return track == -1 and text.startswith((STAMP, MARK))


class Changes(NamedTuple):
    """How a file differs from what was recorded.

    `bars` names the bars that differ by track, numbered as the file has them; `gone` the bars of the record that are
    no more; `parts` what differs of the frame; `same` is the share of the recorded bars and tracks that stand.
    """

    parts: tuple[str, ...]
    bars: Mapping[str, tuple[int, ...]]
    gone: tuple[int, ...]
    same: float

    def __bool__(self) -> bool:
        return bool(self.parts or self.bars or self.gone)

    def text(self) -> str:
        """What differs, in words; empty where nothing does."""
        said = [f"{bars_said(numbers)} of {track}" for track, numbers in self.bars.items()]
        said += [f"{bars_said(self.gone)} of what was recorded gone"] if self.gone else []
        said += [f"also {', '.join(self.parts)}" if said else ", ".join(self.parts)] if self.parts else []
        return "; ".join(said)


class Aligned(NamedTuple):
    """Which track and bar of a record each track (an index) and bar (a number) of a file is; None for a new one."""

    tracks: tuple[int | None, ...]
    bars: Mapping[int, int | None]


def differences(recorded: Kept, now: Kept, *, begins_only: bool = False) -> Changes:
    """What differs in a file from what was recorded; with `begins_only` of the notes only where they begin and pitch.

    Bars that were put in or taken out are found, so that those behind them are not named.
    """
    digits = BEGINS_DIGITS if begins_only else None
    found = aligned(recorded, now)
    names = track_names(now.tracks)
    bars: dict[str, tuple[int, ...]] = {}
    for number, (own, at) in enumerate(zip(now.cells, found.tracks, strict=True)):
        old = {} if at is None else recorded.cells[at]
        there = {new: old[bar] for new, bar in found.bars.items() if bar is not None and bar in old}
        differ = [bar for bar in sorted({*own, *there}) if own.get(bar, "")[:digits] != there.get(bar, "")[:digits]]
        if differ:
            bars[names[number]] = tuple(differ)
    left = {bar for bar in found.bars.values() if bar is not None}
    filled = {bar for own in recorded.cells for bar in own}
    gone = tuple(sorted(filled - left))
    parts = [name for name in now.parts if now.parts[name] != recorded.parts.get(name)] if not begins_only else []
    lost = set(range(len(recorded.tracks))) - set(found.tracks)
    if lost and "tracks" not in parts and any(recorded.cells[at] for at in lost):
        parts.append("tracks")
    total = sum(len(own) for own in recorded.cells)
    stand = sum(recorded.cells[at].get(found.bars[bar] or 0, "")[:digits] == text[:digits]
                for own, at in zip(now.cells, found.tracks, strict=True) if at is not None
                for bar, text in own.items() if found.bars[bar] is not None)
    return Changes(tuple(parts), bars, gone, stand / total if total else 1.0)


def aligned(recorded: Kept, now: Kept) -> Aligned:
    """Which tracks and bars of a record those of a file are."""
    tracks = _same_tracks(recorded, now)
    pairs = [(at, i) for i, at in enumerate(tracks) if at is not None]
    old = [tuple(recorded.cells[at].get(bar, "") for at, _ in pairs) for bar in recorded.numbers]
    new = [tuple(now.cells[i].get(bar, "") for _, i in pairs) for bar in now.numbers]
    bars = {now.first + i: None if at is None else recorded.first + at for i, at in enumerate(_matched(old, new))}
    return Aligned(tracks, bars)


def track_names(names: Sequence[str]) -> list[str]:
    """A name for every track that no other has: ``piano``, ``piano (3)``, ``track 2``.

    >>> track_names(["piano", "", "piano"])
    ['piano (1)', 'track 2', 'piano (3)']
    """
    times = Counter(names)
    return [f"track {i + 1}" if not name else f"{name} ({i + 1})" if times[name] > 1 else name
            for i, name in enumerate(names)]


def bars_said(numbers: Iterable[int]) -> str:
    """Bar numbers in words.

    >>> bars_said([5]), bars_said([1, 2, 3, 7])
    ('bar 5', 'bars 1-3, 7')
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    said = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)
    return f"bar{'s' if len(runs) > 1 or (runs and runs[0][0] != runs[0][1]) else ''} {said}"


def checked(plain: Any, kinds: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The table `plain` whose entries are just those of `kinds`, each of its kind; ReadError where it is not."""
    found = table_of(plain, what)
    for name in found:
        if name not in kinds:
            raise ReadError(f"{what} must hold {', '.join(kinds)}; got {str(name)[:40]!r} too")
    for name, kind in kinds.items():
        value = found.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ReadError(f"{what} must hold {name}, {_WORDS.get(kind, 'as it was written')}; "
                            f"got {'nothing' if value is None else type(value).__name__}")
    return found


def table_of(plain: Any, what: str) -> dict[str, Any]:
    """A JSON object as it is; ReadError where it is anything else."""
    if not isinstance(plain, dict):
        raise ReadError(f"{what} must be a JSON object; got {type(plain).__name__}")
    return plain


# --- the parts ---------------------------------------------------------------------------------------------------

_WORDS = {str: "a text", dict: "a table", list: "a list", int: "a whole number"}


def _number(word: str) -> int:
    if not (word.isdecimal() and word.isascii() and len(word) < 10) or str(int(word)) != word:
        raise ReadError(f"the bars in a record must be named by number; got {word[:20]!r}")
    return int(word)


def _hash(data: bytes, digits: int) -> str:
    return hashlib.sha256(data).hexdigest()[:digits]


def _cells(score: Score, first: int) -> tuple[dict[int, str], ...]:
    """For every track its bars with notes, by number, each as its hash."""
    out: list[dict[int, str]] = [{} for _ in score.tracks]
    if not len(score):
        return tuple(out)
    bar = np.searchsorted(score.bar_starts[:-1], score.onset, side="right") - 1
    order = np.argsort(score.track, kind="stable")          # within a track: by onset, pitch, duration, velocity
    begins = np.stack([*_quarters(score.onset - score.bar_starts[bar], score.ticks_per_quarter), score.pitch], axis=1)
    lengths = np.stack(_quarters(score.duration, score.ticks_per_quarter), axis=1)
    columns = [(np.ascontiguousarray(begins[order], "<i4"), BEGINS_DIGITS),
               (np.ascontiguousarray(lengths[order], "<i4"), LENGTHS_DIGITS),
               (score.velocity[order].astype("u1"), LOUD_DIGITS)]
    track, bar = score.track[order], bar[order]
    cuts = np.flatnonzero((np.diff(track) != 0) | (np.diff(bar) != 0)) + 1
    for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), len(order)], strict=True):
        text = "".join(_hash(column[start:stop].tobytes(), digits) for column, digits in columns)
        out[int(track[start])][int(bar[start]) + first] = text
    return tuple(out)


def _quarters(ticks: np.ndarray[Any, np.dtype[np.int32]], quarter: int) -> list[np.ndarray[Any, np.dtype[np.int32]]]:
    """Ticks as fractions of a quarter note in lowest terms, so that the clock of the file does not matter."""
    common = np.gcd(ticks, quarter)
    return [ticks // common, quarter // common]


def _same_tracks(recorded: Kept, now: Kept) -> tuple[int | None, ...]:
    """For every track of the file that of the record: by place, or where their number differs by what they hold."""
    if len(recorded.tracks) == len(now.tracks):
        return tuple(range(len(now.tracks)))
    free = dict.fromkeys(range(len(recorded.tracks)))
    out: list[int | None] = [None] * len(now.tracks)
    for named, held in ((True, True), (True, False), (False, True)):
        for i, name in enumerate(now.tracks):
            fits = (at for at in free if (not named or recorded.tracks[at] == name)
                    and (not held or (now.cells[i] and recorded.cells[at] == now.cells[i])))
            at = next(fits, None) if out[i] is None else None
            if at is not None:
                out[i] = at
                del free[at]
    return tuple(out)


def _matched(old: Sequence[tuple[str, ...]], new: Sequence[tuple[str, ...]]) -> list[int | None]:
    """For every bar of the file the bar of the record that it is, both from 0: by place where there are as many."""
    if len(old) == len(new):
        return list(range(len(new)))
    head = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    room = min(len(old), len(new)) - head
    tail = next((i for i in range(room) if old[-1 - i] != new[-1 - i]), room)
    out: list[int | None] = [*range(head), *[None] * (len(new) - head - tail), *range(len(old) - tail, len(old))]
    inner = (old[head:len(old) - tail], new[head:len(new) - tail])
    if max(map(len, inner)) <= LONGEST_MATCH:
        for same in difflib.SequenceMatcher(None, *inner, autojunk=False).get_matching_blocks():
            out[head + same.b:head + same.b + same.size] = range(head + same.a, head + same.a + same.size)
    return out
