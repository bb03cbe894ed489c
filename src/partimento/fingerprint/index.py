"""The index of a corpus: the strands of its pieces, and where every turn of a few notes stands in them, sorted.

A note of a strand takes two bytes, its place in the sorted list four. The file is one head of JSON and plain arrays, so
that it is mapped into memory and need not be read; it may lie inside another file.
"""

from __future__ import annotations

import io
import json
import os
import struct
import tempfile
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import ReadError
from partimento.fingerprint.passages import DRUM, FEWEST, UNITS, Thread, strands
from partimento.score import Score

MAGIC = b"PMX1"
ALIGNED = 64            # bytes: every array begins at a multiple of it, from the beginning of the index
STOP = 255              # the pitch after the last note of a strand
SYMBOLS = 15            # steps that sort a place: four bits each
ROUND = 1 << 16         # 24ths of a quarter note from which on the times of a strand would come again
STRIDE = 16             # places from one whose steps are kept as a number to the next
BLOCK = 64              # notes from one whose strand is kept in memory to the next
PART = 1 << 20          # notes whose steps are looked at at once
LEADING = 16            # bits of a key, the highest, by which places are told apart before they are sorted
SORTED = 1 << 21        # places that are sorted at once, more only where so many begin with the same steps

_START = struct.Struct("<4sI")
_TYPES = {"pitch": "<u1", "time": "<u2", "places": "<u4", "sample": "<u8", "first": "<u4", "begin": "<i4",
          "piece": "<u4", "names": "<u1", "name_end": "<u4", "bars": "<i4", "bar_end": "<u4", "borrowing": "<f4"}
_GROWING = ("first", "begin", "piece", "names", "name_end", "bars", "bar_end")
Keys = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


class Index:
    """An index that is open. `pieces` is how many pieces it has, `notes` how many notes those hold.

    Of the arrays `pitch` and `time` (in 24ths of a quarter note, modulo 65,536) hold the notes of all strands, each
    strand closed by a note of pitch 255; `places` the notes sorted by the steps that follow them;
    `first`, `begin` and `piece` say of each strand where its notes stand, when it begins and whose it is.
    `borrowing` says how much its pieces borrow from one another: 101 quantiles of the shares of their notes, float64,
    or none where that was not measured.
    """

    def __init__(self, head: Mapping[str, Any], data: npt.NDArray[np.uint8]) -> None:
        self.pieces: int = head["pieces"]
        self.notes: int = head["notes"]
        self.nbytes = len(data)
        arrays = {}
        for name, (count, place) in head["arrays"].items():
            kind = np.dtype(_TYPES[name])
            arrays[name] = np.ndarray((count,), kind, data[place:place + count * kind.itemsize])
        if _checksum(arrays) != head["checksum"] or len(arrays["time"]) != len(arrays["pitch"]) \
                or len(arrays["sample"]) != -(-len(arrays["places"]) // STRIDE):
            raise ValueError("its arrays do not fit together")
        self.pitch, self.time = arrays["pitch"], arrays["time"]
        self.places, self.sample = arrays["places"], arrays["sample"]
        self.first, self.begin, self.piece = (np.array(arrays[name], np.int64) for name in ("first", "begin", "piece"))
        begun = np.bincount(-(-self.first // BLOCK), minlength=len(self.pitch) // BLOCK + 1)
        self._strand = (np.cumsum(begun) - 1).astype(np.int32)
        self._end = np.append(self.first[1:], len(self.pitch))
        shares = np.array(arrays["borrowing"], np.float64)
        self.borrowing = shares if np.isfinite(shares).all() else shares[:0]
        self._names, self._name_end = arrays["names"], arrays["name_end"]
        self._bars, self._bar_end = arrays["bars"].reshape(-1, 3), arrays["bar_end"]

    def __len__(self) -> int:
        return self.pieces

    def __repr__(self) -> str:
        return f"<Index of {self.pieces:,} pieces, {self.notes:,} notes, {self.nbytes:,} bytes>"

    def name(self, piece: int) -> str:
        """The name of a piece by its number."""
        start = int(self._name_end[piece - 1]) if piece else 0
        return self._names[start:int(self._name_end[piece])].tobytes().decode()

    def strand_of(self, place: Ints) -> Ints:
        """The number of the strand in which each note (by its place among all) stands."""
        strand = self._strand[place // BLOCK].astype(np.int64)
        left = np.flatnonzero(self._end[strand] <= place)
        while len(left):                        # at most a tenth of a block: strands have five notes and their end
            strand[left] += 1
            left = left[self._end[strand[left]] <= place[left]]
        return strand

    def time_of(self, place: Ints, strand: Ints) -> Ints:
        """When each note begins in its piece, in 24ths of a quarter note; `strand` is that in which it stands."""
        begin = self.begin[strand]
        return np.asarray(begin + (self.time[place] - begin) % ROUND)

    def bar(self, piece: int, time: int) -> int:
        """The number of the bar of a piece at a time in 24ths of a quarter note, as a page numbers it."""
        start = int(self._bar_end[piece - 1]) if piece else 0
        rows = self._bars[start:int(self._bar_end[piece])]
        begin, length, number = rows[max(0, int(np.searchsorted(rows[:, 0], time, side="right")) - 1)]
        return int(number + max(0, time - begin) // max(length, 1))


def open_index(path: str | os.PathLike[str], offset: int = 0, length: int | None = None) -> Index:
    """The index in a file, mapped into memory: `length` bytes from `offset` on (to the end of the file).

    ReadError where the file cannot be opened, is no index, or is damaged.
    """
    place = Path(path)
    try:
        data = np.memmap(place, np.uint8, "r", offset, None if length is None else (length,))
    except (OSError, ValueError) as error:
        raise ReadError(f"an index must be a file that can be opened; {place} cannot "
                        f"({getattr(error, 'strerror', None) or error})") from None
    return read_index(data, str(place))


def read_index(data: bytes | npt.NDArray[np.uint8], name: str = "the index") -> Index:
    """The index that `build_index` wrote; ReadError where the bytes are no index, or a damaged one.

    >>> read_index(build_index([("a", Score())])).name(0)
    'a'
    """
    held = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else np.asarray(data)
    if len(held) < _START.size or held[:4].tobytes() != MAGIC:
        raise ReadError(f"an index of a corpus must begin with {MAGIC.decode()}; {name} does not: make it again")
    _, size = _START.unpack(held[:_START.size].tobytes())
    try:
        head = json.loads(held[_START.size:_START.size + size].tobytes().decode())
        wanted = head["bytes"]
        if wanted == len(held):
            return Index(head, held)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise ReadError(f"an index of a corpus must be whole; {name} is damaged ({error}): make it again") from None
    raise ReadError(f"an index of a corpus must be whole; {name} should have {wanted} bytes and has {len(held)}: copy "
                    "or make it again")


# --- building -------------------------------------------------------------------------------------------------------


class Strung(NamedTuple):
    """A piece as an index takes it: its name, how many notes it has, its strands, and its bars (`bar_rows`)."""

    name: str
    notes: int
    strands: list[Thread]
    bars: Ints


class _Parts(NamedTuple):
    """The arrays of an index while it is made: those that grow with the notes lie in files."""

    pitch: IO[bytes]
    time: IO[bytes]
    small: dict[str, array[int]]


def build_index(pieces: Iterable[tuple[str, Score]]) -> bytes:
    """The index of the pieces, given as names and Scores, as bytes; the same for the same pieces in the same order.

    >>> read_index(build_index([("a", Score())])).pieces
    1
    """
    out = io.BytesIO()
    write_index(pieces, out)
    return out.getvalue()


def without_pieces(data: bytes, notes: Mapping[str, int]) -> bytes:
    """The index without the pieces of these names, each given with how many notes it has; as `build_index` gives it.

    How much the pieces borrow from one another (`with_borrowing`) stays as it was measured.

    >>> without_pieces(build_index([("a", Score()), ("b", Score())]), {"b": 0}) == build_index([("a", Score())])
    True
    """
    index = read_index(data)
    names = [index.name(i) for i in range(index.pieces)]
    stay = np.array([name not in notes for name in names], bool)
    if stay.all():
        return data
    left, gone = np.flatnonzero(stay).tolist(), [names[i] for i in np.flatnonzero(~stay)]
    strands = stay[index.piece] if len(index.piece) else np.zeros(0, bool)
    lengths = np.diff(np.append(index.first, len(index.pitch)))
    kept = np.repeat(strands, lengths)
    moved = np.cumsum(kept) - 1
    pitch, places = index.pitch[kept], np.asarray(index.places)
    places = moved[places[kept[places]]] if len(kept) else places
    said = [np.frombuffer(names[i].encode(), np.uint8) for i in left]
    ends = np.append(0, index._bar_end).astype(np.int64)
    bars = [index._bars[ends[i]:ends[i + 1]].ravel() for i in left]
    small = {
        "pitch": pitch, "time": index.time[kept], "places": places, "sample": keys_at(pitch, places[::STRIDE])
        if len(places) else np.zeros(0), "first": np.cumsum(lengths[strands]) - lengths[strands],
        "begin": index.begin[strands], "piece": (np.cumsum(stay) - 1)[index.piece[strands]],
        "names": np.concatenate([np.zeros(0, np.uint8), *said]),
        "name_end": np.cumsum([len(name) for name in said]),
        "bars": np.concatenate([np.zeros(0), *bars]), "bar_end": np.cumsum([len(rows) // 3 for rows in bars]),
        "borrowing": index.borrowing if len(index.borrowing) else np.full(101, np.nan),
    }
    out = io.BytesIO()
    _write(out, {}, {name: array.astype(_TYPES[name]) for name, array in small.items()},
           {"pieces": len(left), "notes": index.notes - sum(notes[name] for name in gone)})
    return out.getvalue()


def with_borrowing(data: bytes, shares: Iterable[float]) -> bytes:
    """The index with the quantiles of these shares as its `borrowing`."""
    values = np.array(list(shares), np.float64)
    if not len(values):
        return data
    _, size = _START.unpack_from(data)
    count, place = json.loads(data[_START.size:_START.size + size])["arrays"]["borrowing"]
    quantiles = np.quantile(values, np.linspace(0, 1, count)).astype(_TYPES["borrowing"]).tobytes()
    return data[:place] + quantiles + data[place + len(quantiles):]


def write_index(pieces: Iterable[tuple[str, Score]], out: IO[bytes]) -> None:
    """Write the index of the pieces into an open file.

    Memory holds one piece at a time, and of the whole its names, its bars, twelve bytes a strand and half a byte a
    note; all else lies in temporary files (seven bytes a note).
    """
    write_strung((Strung(name, len(score), strands(score, whole=False), bar_rows(score)) for name, score in pieces),
                 out)


def write_strung(pieces: Iterable[Strung], out: IO[bytes]) -> None:
    """Write the index of pieces whose strands are known into an open file; see `write_index`."""
    with tempfile.TemporaryFile() as pitch, tempfile.TemporaryFile() as time, tempfile.TemporaryFile() as places:
        parts = _Parts(pitch, time, {name: array(np.dtype(_TYPES[name]).char) for name in _GROWING})
        count, notes, size = _gather(pieces, parts)
        sample = _sort(_mapped(pitch, size), places)
        small: dict[str, npt.NDArray[Any]] = {
            name: np.array(column).astype(_TYPES[name]) for name, column in parts.small.items()}
        small["sample"] = sample
        small["borrowing"] = np.full(101, np.nan, _TYPES["borrowing"])
        long = {"pitch": (pitch, size), "time": (time, size), "places": (places, places.seek(0, io.SEEK_END) // 4)}
        _write(out, long, small, {"pieces": count, "notes": notes})


def _gather(pieces: Iterable[Strung], parts: _Parts) -> tuple[int, int, int]:
    """Put the strands of every piece away; how many pieces, notes, and notes of strands with their ends there are."""
    small = parts.small
    count = notes = size = 0
    for count, piece in enumerate(pieces, 1):
        notes += piece.notes
        for strand in piece.strands:
            small["first"].append(size)
            small["begin"].append(int(strand.time[0]))
            small["piece"].append(count - 1)
            parts.pitch.write(strand.pitch.astype("<u1").tobytes() + bytes([STOP]))
            parts.time.write((strand.time % ROUND).astype("<u2").tobytes() + bytes(2))
            size += len(strand.pitch) + 1
        small["names"].extend(piece.name.encode())
        small["name_end"].append(len(small["names"]))
        small["bars"].extend(piece.bars.ravel().tolist())
        small["bar_end"].append(len(small["bars"]) // 3)
    return count, notes, size


def bar_rows(score: Score) -> Ints:
    """int64[k, 3]: from what time on (in 24ths) bars have what length, and the number of the first of them."""
    starts = np.rint(score.bar_starts * (UNITS / score.ticks_per_quarter)).astype(np.int64)
    length = np.diff(starts)
    if len(length) > 1:
        length[-1] = length[-2]                 # the last may be cut short
    change = np.flatnonzero(np.diff(length, prepend=-1))
    number = change + (0 if score.has_pickup else 1)
    return np.stack([starts[change], length[change], number], axis=1) if len(change) else np.array([[0, 96, 1]])


def _mapped(file: IO[bytes], size: int) -> npt.NDArray[np.uint8]:
    file.flush()
    return np.memmap(file, np.uint8, "r", 0, (size,)) if size else np.zeros(0, np.uint8)


def keys_at(pitch: npt.NDArray[np.uint8], place: Ints, steps: int = SYMBOLS) -> Keys:
    """The next `steps` steps of the notes at each place as one number, four bits a step, the first highest.

    A step is the interval to the next note modulo the octave, of drums which set is struck next modulo 16; 15 after the
    end of a strand. Drums have the 61st bit.
    """
    last = len(pitch) - 1
    now = pitch[place]
    key = (now >= DRUM).astype(np.uint64)
    alive = now != STOP
    for k in range(1, steps + 1):
        after = pitch[np.minimum(place + k, last)]
        alive &= after != STOP
        step = np.where(now < DRUM, (after.astype(np.int16) - now) % 12, after & 15)
        key = (key << np.uint64(4)) | np.where(alive, step, 15).astype(np.uint64)
        now = after
    return key << np.uint64(4 * (SYMBOLS - steps))


def _sort(pitch: npt.NDArray[np.uint8], places: IO[bytes]) -> Keys:
    """Write the places of all notes with steps enough, sorted by those, and return the keys of every 16th.

    Twice over all notes, to count and to put them where others lie whose keys begin alike; then these are sorted.
    """
    counts = np.zeros(1 << LEADING, np.int64)
    for _, leading in _leading(pitch):
        counts += np.bincount(leading, minlength=len(counts))
    end = np.cumsum(counts)
    total = int(end[-1])
    if not total:
        return np.zeros(0, np.uint64)
    places.truncate(4 * total)
    held = np.memmap(places, "<u4", "r+", 0, (total,))
    begin = end - counts
    for part, leading in _leading(pitch):
        order = np.argsort(leading, kind="stable")
        here = np.bincount(leading, minlength=len(counts))
        held[np.repeat(begin - (np.cumsum(here) - here), here) + np.arange(len(part))] = part[order]
        begin += here
    sample = np.zeros(-(-total // STRIDE), np.uint64)
    done = 0
    while done < total:
        fit, next_ = np.searchsorted(end, [done + SORTED, done], side="right")
        until = int(end[max(fit - 1, next_)])
        found = held[done:until].astype(np.int64)
        key = keys_at(pitch, found)
        order = np.argsort(key, kind="stable")
        held[done:until] = found[order]
        sample[-(-done // STRIDE):-(-until // STRIDE)] = key[order[-done % STRIDE::STRIDE]]
        done = until
    held.flush()
    return sample


def _leading(pitch: npt.NDArray[np.uint8]) -> Iterator[tuple[Ints, npt.NDArray[np.uint16]]]:
    """The places of the notes with steps enough, some at a time, and the highest bits of their keys."""
    for at in range(0, len(pitch), PART):
        part = np.arange(at, min(at + PART, len(pitch)))
        here = pitch[part] != STOP
        for k in range(1, FEWEST):
            here &= pitch[np.minimum(part + k, len(pitch) - 1)] != STOP
        found = part[here]
        key = keys_at(pitch, found, FEWEST - 1) >> np.uint64(4 * SYMBOLS + 1 - LEADING)
        yield found, key.astype(np.uint16)


def _write(out: IO[bytes], long: Mapping[str, tuple[IO[bytes], int]], small: Mapping[str, npt.NDArray[Any]],
           head: dict[str, Any]) -> None:
    head["checksum"] = _checksum(small)
    counts = {name: long[name][1] if name in long else len(small[name]) for name in _TYPES}
    places: dict[str, list[int]] = {name: [count, 1 << 40] for name, count in counts.items()}
    room = len(json.dumps({**head, "arrays": places, "bytes": 1 << 40}, separators=(",", ":"))) + _START.size
    at = -(-room // ALIGNED) * ALIGNED
    for name, count in counts.items():
        places[name] = [count, at]
        at += -(-count * np.dtype(_TYPES[name]).itemsize // ALIGNED) * ALIGNED
    text = json.dumps({**head, "arrays": places, "bytes": at}, separators=(",", ":")).encode()
    first = -(-room // ALIGNED) * ALIGNED
    text = text.ljust(first - _START.size)
    out.write(_START.pack(MAGIC, len(text)) + text)
    for name, count in counts.items():
        size = count * np.dtype(_TYPES[name]).itemsize
        if name in long:
            for part in _chunks(long[name][0], size):
                out.write(part)
        else:
            out.write(small[name].tobytes())
        out.write(bytes(-size % ALIGNED))


def _checksum(arrays: Mapping[str, npt.NDArray[Any]]) -> int:
    """What the arrays that grow with the pieces sum up to; those that grow with the notes are not read for it."""
    found = 0
    for name in _GROWING:
        found = zlib.crc32(arrays[name].tobytes(), found)
    return found


def _chunks(file: IO[bytes], size: int) -> Iterator[bytes]:
    file.seek(0)
    while size > 0:
        part = file.read(min(size, 1 << 24))
        size -= len(part)
        yield part
