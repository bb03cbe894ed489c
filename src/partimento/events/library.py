"""Many pieces as streams of events, packed once into a memory-mapped table, and batches of windows out of them."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from partimento import habits
from partimento.errors import ModelError
from partimento.events.fields import (
    AHEAD,
    INDEX,
    LEFT,
    NONE,
    STAGES,
    TRACK_INDEX,
)
from partimento.events.page import NO_KEY, Band, Bars, Bools, GridNotes, Ints, band_of, bars_of, on_grid
from partimento.events.passes import pass_order
from partimento.events.relative import AHEAD_SEES
from partimento.events.wishes import told
from partimento.events.written import BITS_SIZE, COLUMN, TRACK_COLUMN, Stream, written
from partimento.models.base import Piece, Progress, Report
from partimento.sampling import generator

KEYLESS, ENDLESS = 0.2, 0.1         # how often a window is heard without its key, and without how far its end is
INFILL, HARMONIZE, VARY = "infill", "harmonize", "vary"
_SHARES = ((INFILL, 0.5), (HARMONIZE, 0.8), (VARY, 1.0))    # of the windows in which something is kept ahead
CLOSING = 0.2                       # how often a window is the last of its piece
ROUND = 32                          # batches are as long as a multiple of so many events
Batch = dict[str, npt.NDArray[Any]]


class Window(NamedTuple):
    """One window of one piece: bars `first` to `stop` − 1, `shift` semitones up; `seed` settles all else."""

    piece: int
    first: int
    stop: int
    shift: int
    seed: int


class _Held(NamedTuple):
    """A piece: where its notes stand in the table, its bars and its band."""

    start: int
    stop: int
    bars: Bars
    band: Band


class Drill(NamedTuple):
    """What is learnt from a window: its stream, up to the event `stop` − 1 that is the last to be written.

    What lies further on is there only as what is known. `known` bool[events]: those known ahead; `open` bool[tracks]:
    those written; `wish`: the classes of what it is told to aim at.
    """

    stream: Stream
    known: Bools
    open: Bools
    stop: int
    wish: list[int]


@dataclasses.dataclass(eq=False)
class Library:
    """Pieces on the grid: one int32 table of notes on the disk, and the frame of each piece in memory."""

    table: npt.NDArray[Any]
    pieces: list[_Held]
    tables: dict[str, list[list[Any]]]          # see `partimento.habits`
    folder: tempfile.TemporaryDirectory[str] | None = None
    grid: int = 12
    wishes: tuple[str, ...] = ()                # the controls that windows are told of
    by_track: bool = False                      # whether one track is written at a time

    @classmethod
    def of(cls, pieces: Iterable[Piece], grid: int, keys: bool = True, report: Report | None = None,
           total: int = 0) -> Self:
        """Read the pieces once; ModelError where none has a note. `keys` False leaves every key out."""
        folder = tempfile.TemporaryDirectory(prefix="partimento-", ignore_cleanup_errors=True)
        path = Path(folder.name) / "notes.bin"
        held: list[_Held] = []
        tables, at = habits.empty(), 0
        with path.open("wb") as file:
            for number, piece in enumerate(pieces):
                if report is not None and not report(Progress("preparing", number, total)) and held:
                    break
                notes, _ = on_grid(piece.score, grid)
                if not len(notes.step):
                    continue
                score = piece.score.replace(keys=habits.keys_of(piece.score))
                bars = bars_of(score if keys else score.replace(keys=()), grid)
                file.write(np.stack(notes, axis=1).astype("<i4").tobytes())
                held.append(_Held(at, at + len(notes.step), bars, band_of(score.tracks)))
                at += len(notes.step)
                habits.add(tables, score)
        if not held:
            folder.cleanup()
            raise ModelError("there must be at least one piece with notes to learn from; got none")
        table = np.memmap(path, dtype="<i4", mode="r", shape=(at, 5))
        return cls(table, held, habits.plain(tables, habits.KEPT), folder, grid)

    def close(self) -> None:
        """Forget the table on the disk."""
        self.table = np.zeros((0, 5), np.int32)
        if self.folder is not None:
            self.folder.cleanup()

    def __len__(self) -> int:
        return len(self.table)

    def notes(self, piece: int) -> GridNotes:
        """The notes of a piece."""
        held = self.pieces[piece]
        return GridNotes(*np.asarray(self.table[held.start:held.stop], np.int64).T)

    def rows(self, seed: int, step: int, count: int, window: int, keys: int) -> list[Window]:
        """`count` windows of at most `window` events for a step, of like length side by side; `keys` transpositions.

        Every note is as likely as every other to be where a window is drawn from; beginnings come more often, and one
        window in five closes a piece, whatever its length: endings are few notes, and all listeners wait for them.
        """
        rng = generator(seed, 11, step)
        starts = np.array([held.start for held in self.pieces])
        out = []
        for _ in range(count):
            if rng.random() < CLOSING:
                piece = int(rng.random() * len(self.pieces))
                first = self.pieces[piece].stop - 1 - int(rng.random() * window * 3 / 4)    # bar lines are events too
            else:
                anchor = int(rng.random() * len(self.table))
                piece = int(np.searchsorted(starts, anchor, side="right")) - 1
                first = anchor - int(rng.random() * window)
            out.append(self._window(piece, first, window, keys, rng))
        return sorted(out, key=lambda row: self._events(row))

    def all_rows(self, window: int, limit: int) -> list[Window]:
        """Windows side by side over whole pieces, as they are written; the first `limit` of a fixed shuffle."""
        rows: list[Window] = []
        rng = generator(0, 12)
        for piece, held in enumerate(self.pieces):
            at = held.start
            while at < held.stop:
                row = self._window(piece, at, window, 1, rng)
                rows.append(row._replace(seed=len(rows)))
                past = held.bars.starts[row.stop]
                at = held.start + int(np.searchsorted(self.table[held.start:held.stop, 0], past))
        order = np.argsort(rng.random(len(rows)), kind="stable")
        return sorted((rows[i] for i in order[:limit]), key=lambda row: self._events(row))

    def _window(self, piece: int, note: int, window: int, keys: int, rng: np.random.Generator) -> Window:
        held = self.pieces[piece]
        first = int(held.bars.of(self.table[max(note, held.start), 0]))
        steps = self.table[held.start:held.stop, 0]
        begin = np.searchsorted(steps, held.bars.starts[first])
        ends = np.searchsorted(steps, held.bars.starts[first + 1:]) - begin + np.arange(1, len(held.bars) - first + 1)
        stop = first + max(1, int(np.searchsorted(ends, window, side="right")))
        low = -((keys - 1) // 2)
        shift = low + int(rng.random() * keys)
        return Window(piece, first, min(stop, len(held.bars)), shift, int(rng.random() * (1 << 62)))

    def _events(self, row: Window) -> int:
        held = self.pieces[row.piece]
        edges = np.searchsorted(self.table[held.start:held.stop, 0], held.bars.starts[[row.first, row.stop]])
        return int(edges[1] - edges[0]) + row.stop - row.first

    def drill(self, row: Window, kept: float) -> Drill:
        """What is learnt from a row.

        With the chance `kept` something is known ahead: what follows some bar, some tracks, or notes here and there.
        Where one track is written at a time, those before it in order are known and those after it are not there.
        """
        held, notes = self.pieces[row.piece], self.notes(row.piece)
        rng = generator(row.seed)
        bars = held.bars.part(row.first, row.stop)
        inside = (notes.step >= bars.starts[0]) & (notes.step < bars.starts[-1])
        notes, shift = _transposed(notes.where(inside), held.band, row.shift)
        bars = bars.transposed(shift)
        if rng.random() < KEYLESS:
            bars = dataclasses.replace(bars, key=np.full(len(bars), NO_KEY))
        if rng.random() < ENDLESS:
            bars = dataclasses.replace(bars, left=np.full(len(bars), LEFT - 1))
        if self.by_track:
            notes, known, open_, end = _one_track(bars, held.band, notes, kept, rng)
        else:
            known, open_, end = _kept(bars, held.band, notes, kept, rng)
        stream = written(bars, held.band, notes, known, begins=row.first == 0)
        is_known = np.zeros(len(stream.note), bool)
        is_known[stream.note >= 0] = known[stream.note[stream.note >= 0]]
        stop = int(np.searchsorted(stream.step, end)) + 1 if end < bars.starts[-1] else len(stream.step)
        return Drill(stream, is_known, open_, stop,
                     told(self.wishes, notes, bars, held.band, self.grid, row.seed))

    def batch(self, rows: Sequence[Window], kept: float) -> tuple[Batch, float]:
        """The rows as one batch of padded arrays (see `partimento.nets.recurrent`), and how many notes it charges."""
        drills = [self.drill(row, kept) for row in rows]
        aheads = [ahead_of(drill.stream, drill.known) for drill in drills]
        length = -(-max(drill.stop for drill in drills) // ROUND) * ROUND
        most = -(-max(len(at) for _, _, at in aheads) // ROUND) * ROUND
        tracks = max(len(drill.open) for drill in drills)
        size = (len(drills), length)
        out: Batch = {
            "index": np.zeros((*size, len(INDEX)), np.int64),
            "bits": np.zeros((*size, BITS_SIZE), bool),
            "tracks": np.zeros((*size, tracks, len(TRACK_INDEX)), np.int64),
            "track_ok": np.zeros((*size, tracks), bool),
            "move_limit": np.zeros(size, np.int64), "pitch_limit": np.zeros(size, np.int64)}
        out |= {stage: np.full(size, -1, np.int64) for stage in STAGES}
        out |= {"ahead": np.zeros((len(drills), most, len(INDEX)), np.int64),
                "ahead_step": np.zeros((len(drills), most), np.int64),
                "ahead_at": np.full((len(drills), most), -1, np.int64),
                "wish": np.array([drill.wish for drill in drills], np.int64).reshape(len(drills), len(self.wishes))}
        units = 0
        for b, (drill, ahead) in enumerate(zip(drills, aheads, strict=True)):
            stream = drill.stream.cut(drill.stop)
            for name, column in zip(("ahead", "ahead_step", "ahead_at"), ahead, strict=True):
                out[name][b, :len(column)] = column
            n, k = len(stream.step), stream.tracks.shape[1]
            out["index"][b, :n], out["bits"][b, :n], out["tracks"][b, :n, :k] = stream.index, stream.bits, stream.tracks
            choice, ok = _charged(stream, drill.known[:drill.stop], drill.open)
            out["track_ok"][b, :n, :k] = ok
            out["move_limit"][b, :n], out["pitch_limit"][b, :n] = stream.limit[:, 0], stream.limit[:, 2]
            for number, stage in enumerate(STAGES):
                out[stage][b, :n] = choice[:, number]
            units += int((choice[:, 3] >= 0).sum())
        return out, float(units)


def ahead_of(stream: Stream, known: Bools) -> tuple[Ints, Ints, Ints]:
    """The known notes of a stream, the last first: what is said of each before it comes (int64[M, INDEX]), its step
    from the first event, and the number of its event.
    """
    at = np.flatnonzero(known)[::-1].copy()
    index = np.zeros((len(at), len(INDEX)), np.int64)
    for name, none in {**NONE, "kind": AHEAD}.items():
        index[:, COLUMN[name]] = none
    for name in AHEAD_SEES:
        index[:, COLUMN[name]] = stream.index[at, COLUMN[name]]
    return index, stream.step[at] - stream.step[0], at


def _transposed(notes: GridNotes, band: Band, shift: int) -> tuple[GridNotes, int]:
    """The notes moved by as much of `shift` as leaves every pitch in 0..127; drums stay."""
    pitched = ~band.drums[notes.track]
    if not pitched.any():
        return notes, shift
    own = notes.pitch[pitched]
    shift = int(np.clip(shift, -int(own.min()), 127 - int(own.max())))
    moved = notes._replace(pitch=notes.pitch + shift * pitched)
    return moved, shift


def _kept(bars: Bars, band: Band, notes: GridNotes, share: float, rng: np.random.Generator) -> tuple[Bools, Bools, int]:
    """Which notes are known ahead, which tracks are written, and the step where the writing stops."""
    count, end = len(band.number), int(bars.starts[-1])
    known, open_ = np.zeros(len(notes.step), bool), np.ones(count, bool)
    if rng.random() >= share:
        return known, open_, end
    drawn, some = rng.random(), rng.random(count) < 0.5
    way = next(name for name, below in _SHARES if drawn < below)
    filled = np.unique(notes.track)
    if not some[filled].any() or some[filled].all():
        some = np.arange(count) == filled[int(rng.random() * len(filled))] if len(filled) else some
    if way == HARMONIZE and len(filled) > 1:
        return some[notes.track], ~some, end
    if way == VARY:
        return rng.random(len(notes.step)) < 0.2 + 0.6 * rng.random(), open_, end
    if len(bars) > 1:
        end = int(bars.starts[1 + int(rng.random() * (len(bars) - 1))])
    known |= notes.step >= end
    if len(filled) > 1 and rng.random() < 0.3:
        known |= some[notes.track]
        open_ = ~some
    return known, open_, end


def _one_track(bars: Bars, band: Band, notes: GridNotes, share: float, rng: np.random.Generator,
               ) -> tuple[GridNotes, Bools, Bools, int]:
    """The notes that are there when one track is written, which of them are known ahead, which track, and the end."""
    filled = np.unique(notes.track).tolist() or [0]
    order = pass_order(filled, band.drums.tolist())
    number = int(rng.random() * len(order))
    track, there = order[number], np.array(order[:number])
    end = int(bars.starts[-1])
    later = np.zeros(len(notes.step), bool)
    if rng.random() < share:                        # other exercises: any tracks are known, and some of its own
        there = np.array([other for other in order if other != track and rng.random() < 0.5])
        if len(bars) > 1 and rng.random() < 0.7:
            end = int(bars.starts[1 + int(rng.random() * (len(bars) - 1))])
            later = notes.step >= end
        else:
            later = rng.random(len(notes.step)) < 0.2 + 0.6 * rng.random()
    own = notes.track == track
    notes, known = notes.where(own | np.isin(notes.track, there)), (~own | later)[own | np.isin(notes.track, there)]
    return notes, known, np.arange(len(band.number)) == track, end


def _charged(stream: Stream, known: Bools, open_: Bools) -> tuple[Ints, Bools]:
    """The choices that are charged (−1: not), and bool[events, tracks] of what each might have chosen.

    What might have come instead of a new note is the next known one too, where it begins at the same step. A known note
    is charged for what does not come before it; nothing else of it, and no pitch in a track that is kept.
    """
    choice = stream.choice.copy()
    reached = stream.limit[:, 1, None]
    comes = stream.tracks[:, :, TRACK_COLUMN["t_known"]] > 0        # among them the next known note, where it is here
    ok = np.arange(len(open_)) <= reached
    ok &= open_ | (comes & (np.arange(len(open_)) == reached))
    choice[known, 3:] = -1
    closed = known & ~open_[np.maximum(choice[:, 1], 0)]
    choice[closed, 2] = -1
    return choice, ok
