"""The Score: music as columns of whole ticks, with the frame (meters, tempos, keys, tracks) that holds it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import RequestError

IntArray = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]

MAX_TICK = 2**31 - 1
MAX_BARS = 1_000_000
MAX_TRACKS = 1 << 20
NOTE_COLUMNS = ("onset", "duration", "pitch", "velocity", "track")
OPTIONAL_COLUMNS = ("voice", "staff", "spelling", "grace")
_BOUNDS = {"onset": (0, MAX_TICK), "duration": (0, MAX_TICK), "pitch": (0, 127), "velocity": (1, 127),
           "track": (0, MAX_TRACKS - 1), "voice": (-1, MAX_TICK), "staff": (-1, MAX_TICK), "spelling": (-1, 34),
           "grace": (-1, MAX_TICK)}

# Set by the package's ``__init__``: how a notebook shows a Score. The Score itself knows nothing of pictures.
display_hook: Callable[[Score], str] | None = None


class Meter(NamedTuple):
    """A time signature from `tick` on; a new bar begins there, so a meter in mid-bar leaves a partial bar before it."""

    tick: int
    numerator: int
    denominator: int


class Tempo(NamedTuple):
    """A tempo from `tick` on, in whole microseconds a quarter note, as MIDI files keep it."""

    tick: int
    us_per_quarter: int

    @property
    def bpm(self) -> float:
        """Quarter notes a minute."""
        return 60e6 / self.us_per_quarter


class Key(NamedTuple):
    """A key signature from `tick` on: sharps (+) or flats (−) from −7 to 7, and `major`, `minor` or empty."""

    tick: int
    fifths: int
    mode: str = "major"


class Chord(NamedTuple):
    """A chord symbol from `tick` on, as it is written over a staff: ``Am7``, ``F#dim``, ``C/E``, ``N`` for none."""

    tick: int
    symbol: str


class Mark(NamedTuple):
    """A sign that hangs on a moment. Its kind, and what `text` then says:

    `marker` and `section` (a name), `phrase`; `fermata` (the numbers of its tracks, ``0 2``; empty: all);
    `repeat` at the first tick of a bar (``start``, ``ending 1,2``, ``segno``, ``coda``) or at the end of one (``end``,
    ``end 3`` for three times in all, ``ending stop``, ``ending open``, ``to coda``, ``fine``, ``da capo`` and ``dal
    segno``, both also with ``al fine`` and ``al coda``); `barline` at the end of a bar (``double``, ``final``,
    ``dashed``, ``none``); `meter` (how the signature there is drawn: ``common``, ``cut``, ``hidden``).
    """

    tick: int
    kind: str
    text: str = ""


class Text(NamedTuple):
    """Words on a track (−1: on the whole piece).

    Kind is `title`, `subtitle`, `composer`, `lyricist`, `arranger`, `copyright`; `tempo`, `words` (any direction),
    `dynamic`; `lyric` (``lyric 2`` for the second verse; a syllable ends in ``-`` where its word goes on, in ``_``
    where it is held); `text`, `cue` or `instrument`.
    """

    tick: int
    track: int
    kind: str
    text: str


class Track(NamedTuple):
    """One part: its name, its General MIDI program 0–127, and whether it is a drum kit."""

    name: str = ""
    program: int = 0
    is_drum: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Controls:
    """Channel messages other than notes, as int32 columns sorted by (tick, order of arrival).

    `kind` is the MIDI status: 0xB0 controller, 0xE0 pitch bend (value −8192…8191), 0xD0 channel pressure,
    0xA0 key pressure (number = pitch), 0xC0 program change after the first. `number` is 0 where it has no meaning.
    """

    tick: IntArray
    track: IntArray
    kind: IntArray
    number: IntArray
    value: IntArray

    @classmethod
    @cache
    def empty(cls) -> Controls:
        """No messages at all."""
        return cls(*(np.zeros(0, np.int32) for _ in range(5)))

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, int, int, int]]) -> Controls:
        """Build from (tick, track, kind, number, value) rows."""
        table = np.array(list(rows), np.int32).reshape(-1, 5)
        return cls(*(np.ascontiguousarray(table[:, i]) for i in range(5)))

    def __post_init__(self) -> None:
        columns = [np.asarray(getattr(self, f.name), np.int32) for f in dataclasses.fields(self)]
        order = np.argsort(columns[0], kind="stable")
        for field, column in zip(dataclasses.fields(self), columns, strict=True):
            object.__setattr__(self, field.name, _frozen(column[order]))

    def __len__(self) -> int:
        return len(self.tick)

    def select(self, mask: npt.NDArray[Any]) -> Controls:
        """The messages where `mask` (bool[n] or indices) says so."""
        return Controls(self.tick[mask], self.track[mask], self.kind[mask], self.number[mask], self.value[mask])

    def rows(self) -> npt.NDArray[np.int32]:
        """int32[n, 5]: tick, track, kind, number, value."""
        return np.stack([self.tick, self.track, self.kind, self.number, self.value], axis=1)


def _check_column(name: str, column: npt.NDArray[Any]) -> None:
    """RequestError where a column holds anything but whole numbers within its bounds."""
    if not column.size:
        return
    if column.dtype.kind not in "iuf" or (column.dtype.kind == "f" and not bool((column == np.rint(column)).all())):
        raise RequestError(f"every {name} must be a whole number; got {column.dtype} values")
    low, high = _BOUNDS.get(name, (-MAX_TICK - 1, MAX_TICK))
    if column.min() < low or column.max() > high:
        bad = column[(column < low) | (column > high)][0]
        raise RequestError(f"every {name} must lie in {low}..{high}; got {bad}")


def _frozen(column: npt.NDArray[Any]) -> IntArray:
    out = np.ascontiguousarray(column, dtype=np.int32)
    if out is column or out.base is not None:
        out = out.copy()
    out.flags.writeable = False
    return out


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Score:
    """A piece of music: notes as int32 columns in canonical order, and the frame around them. Frozen.

    All times are whole ticks at `ticks_per_quarter`. Notes are sorted by (onset, track, pitch, duration,
    velocity, and the columns below as far as they are there). `pitch` and `velocity` lie in 0–127 (velocity from 1),
    `track` indexes `tracks`, `duration` ≥ 0. Where a score was written, `voice` and `staff` count from 1 within the
    track, `spelling` is the place on the line of fifths with C at 15 (0–34), `grace` the place from 1 of a grace note
    in its group (100 more with a slash; its duration is 0) and 0 of any other; −1 is not said.
    `end` is the length of the piece in ticks, at least the end of its last note. Meters and tempos always hold
    an entry at tick 0 (4/4 and 120 where nothing was said). `extras` rides along, one entry a format. RequestError
    where columns differ in length or hold what is no whole number in range.

    >>> s = Score(onset=[0, 480], duration=[480, 480], pitch=[60, 64], velocity=[80, 80], track=[0, 0])
    >>> len(s), s.n_bars, s.end
    (2, 1, 960)
    """

    onset: IntArray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int32))
    duration: IntArray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int32))
    pitch: IntArray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int32))
    velocity: IntArray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int32))
    track: IntArray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int32))
    voice: IntArray | None = None
    staff: IntArray | None = None
    spelling: IntArray | None = None
    grace: IntArray | None = None
    ticks_per_quarter: int = 480
    end: int = 0
    meters: tuple[Meter, ...] = ()
    tempos: tuple[Tempo, ...] = ()
    keys: tuple[Key, ...] = ()
    chords: tuple[Chord, ...] = ()
    marks: tuple[Mark, ...] = ()
    tracks: tuple[Track, ...] = ()
    controls: Controls = dataclasses.field(default_factory=Controls.empty)
    texts: tuple[Text, ...] = ()
    extras: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        put = object.__setattr__
        columns = {name: np.asarray(getattr(self, name)) for name in NOTE_COLUMNS}
        for name in OPTIONAL_COLUMNS:
            if getattr(self, name) is not None:
                columns[name] = np.asarray(getattr(self, name))
        n = columns["onset"].size
        for name, column in columns.items():
            if column.shape != (n,):
                raise RequestError(f"every note column must hold {n} values; {name} has shape {column.shape}")
            _check_column(name, column)
            columns[name] = column.astype(np.int32, copy=False)
        if self.ticks_per_quarter < 1:
            raise RequestError(f"ticks_per_quarter must be at least 1; got {self.ticks_per_quarter}")
        order = _canonical(*columns.values())
        for name, column in columns.items():
            put(self, name, _frozen(column[order]))
        last = int((self.onset.astype(np.int64) + self.duration).max()) if n else 0
        if max(last, self.end) > MAX_TICK:
            raise RequestError(f"a piece must end by tick {MAX_TICK}; this one ends at {max(last, self.end)}")
        put(self, "end", max(int(self.end), last))
        put(self, "meters", _from_zero(self.meters, Meter(0, 4, 4)))
        put(self, "tempos", _from_zero(self.tempos, Tempo(0, 500_000)))
        self._check_frame()
        for name in ("keys", "chords", "marks", "texts"):
            put(self, name, tuple(sorted(getattr(self, name), key=lambda item: int(item.tick))))
        count = int(self.track.max()) + 1 if n else 0
        tracks = tuple(self.tracks) + (Track(),) * (count - len(self.tracks))
        put(self, "tracks", tracks)

    def _check_frame(self) -> None:
        for meter in self.meters:
            if meter.numerator < 1 or meter.denominator < 1:
                raise RequestError(f"a meter must be of numbers from 1; got {meter.numerator}/{meter.denominator}")
        for tempo in self.tempos:
            if tempo.us_per_quarter < 1:
                raise RequestError("a tempo must be at least 1 microsecond a quarter note; "
                                   f"got {tempo.us_per_quarter}")

    # --- size and time -------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.onset)

    @property
    def offset(self) -> IntArray:
        """Where each note ends, in ticks (int32[n])."""
        return self.onset + self.duration

    @cached_property
    def bar_starts(self) -> IntArray:
        """First tick of every bar, then `end` (int32[n_bars + 1]); the last bar may be partial."""
        pieces: list[npt.NDArray[np.int64]] = []
        total = 0
        for i, (tick, numerator, denominator) in enumerate(self.meters):
            stop = self.meters[i + 1].tick if i + 1 < len(self.meters) else max(self.end, tick + 1)
            stop = min(stop, max(self.end, 1))
            if stop <= tick:
                continue
            whole = numerator * 4 * self.ticks_per_quarter
            count = -((tick - stop) * denominator // whole)
            total += count
            if total > MAX_BARS:
                raise RequestError(f"a piece must have at most {MAX_BARS} bars; {numerator}/{denominator} up to "
                                   f"tick {self.end} makes more: give another meter with --input-meter")
            pieces.append(tick + np.arange(count, dtype=np.int64) * whole // denominator)
        starts = np.unique(np.concatenate(pieces)) if pieces else np.zeros(1, np.int64)
        return _frozen(np.append(starts, max(self.end, int(starts[-1]))).astype(np.int32))

    @property
    def n_bars(self) -> int:
        """How many bars there are, a pick-up and a partial last bar counted; an empty piece of no length has 0."""
        return len(self.bar_starts) - 1 if self.end else 0

    @cached_property
    def has_pickup(self) -> bool:
        """Whether the first bar is shorter than the one after it, and so is numbered 0."""
        if len(self.meters) < 2 or self.n_bars < 2 or self.meters[1].tick != int(self.bar_starts[1]):
            return False
        first = self.bar_starts[1] - self.bar_starts[0]
        return bool(first < self.full_bar_ticks(int(self.bar_starts[1])))

    def full_bar_ticks(self, tick: int) -> int:
        """Length in ticks of a whole bar in the meter that rules at `tick`."""
        meter = self.meter_at(tick)
        return max(1, meter.numerator * 4 * self.ticks_per_quarter // meter.denominator)

    def bar_number(self, tick: int) -> int:
        """The number a musician gives to the bar at `tick`: 1 is the first full bar, a pick-up is 0."""
        index = int(np.searchsorted(self.bar_starts[:-1], tick, side="right")) - 1
        return index + (0 if self.has_pickup else 1)

    def bar_span(self, number: int) -> tuple[int, int]:
        """First tick and end tick of bar `number` (1-based; a pick-up is 0); RequestError when there is none."""
        first = 0 if self.has_pickup else 1
        index = number - first
        if not 0 <= index < self.n_bars:
            raise RequestError(f"this piece has bars {first} to {first + self.n_bars - 1}; there is no bar {number}")
        return int(self.bar_starts[index]), int(self.bar_starts[index + 1])

    def meter_at(self, tick: int) -> Meter:
        """The meter that rules at `tick`."""
        return [m for m in self.meters if m.tick <= max(tick, 0)][-1]

    def tempo_at(self, tick: int) -> Tempo:
        """The tempo that rules at `tick`."""
        return [t for t in self.tempos if t.tick <= max(tick, 0)][-1]

    def key_at(self, tick: int) -> Key | None:
        """The key signature that rules at `tick`, or None where none was written."""
        found = [k for k in self.keys if k.tick <= tick]
        return found[-1] if found else None

    def seconds(self, ticks: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Playing time of each tick in seconds from the start, by the tempo map (float64, the shape of `ticks`)."""
        at = np.array([t.tick for t in self.tempos], np.float64)
        rate = np.array([t.us_per_quarter for t in self.tempos], np.float64) / (1e6 * self.ticks_per_quarter)
        base = np.concatenate([[0.0], np.cumsum(np.diff(at) * rate[:-1])])
        wanted = np.asarray(ticks, np.float64)
        index = np.clip(np.searchsorted(at, wanted, side="right") - 1, 0, None)
        return np.asarray(base[index] + (wanted - at[index]) * rate[index])

    # --- new Scores out of this one -------------------------------------------------------------------------

    @classmethod
    def from_rows(cls, rows: npt.ArrayLike, **frame: Any) -> Score:
        """A Score of (onset, duration, pitch, velocity, track) rows, shape [n, 5], in the frame given by name.

        >>> Score.from_rows([(0, 480, 60, 80, 0)], tracks=(Track("piano"),)).end
        480
        """
        return cls(**frame).with_rows(rows)

    def with_rows(self, rows: npt.ArrayLike) -> Score:
        """The same frame with the notes of (onset, duration, pitch, velocity, track) rows in place of its own."""
        table = np.asarray(rows, np.int32).reshape(-1, len(NOTE_COLUMNS))
        columns: dict[str, Any] = {name: table[:, i] for i, name in enumerate(NOTE_COLUMNS)}
        return self.replace(**columns, **dict.fromkeys(OPTIONAL_COLUMNS))

    def replace(self, **changes: Any) -> Score:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def select(self, mask: npt.NDArray[Any]) -> Score:
        """A copy that keeps only the notes where `mask` (bool[n] or indices) says so; the frame stays."""
        names = [c for c in NOTE_COLUMNS + OPTIONAL_COLUMNS if getattr(self, c) is not None]
        return self.replace(**{name: getattr(self, name)[mask] for name in names})

    def without_notes(self) -> Score:
        """The frame alone: no notes, and the same everything else."""
        return self.select(np.zeros(len(self), bool))

    def with_notes_of(self, *others: Score) -> Score:
        """A copy with the notes of `others`, which must stand in the same frame, added."""
        parts = (self, *others)
        columns: dict[str, Any] = {c: np.concatenate([getattr(p, c) for p in parts]) for c in NOTE_COLUMNS}
        for c in OPTIONAL_COLUMNS:
            if any(getattr(p, c) is not None for p in parts):
                columns[c] = np.concatenate([
                    np.full(len(p), -1, np.int32) if getattr(p, c) is None else getattr(p, c) for p in parts])
        return self.replace(**columns)

    # --- identity ------------------------------------------------------------------------------------------

    def notes(self) -> npt.NDArray[np.int32]:
        """int32[n, 5]: onset, duration, pitch, velocity, track, in canonical order."""
        return np.stack([getattr(self, c) for c in NOTE_COLUMNS], axis=1)

    @cached_property
    def content_hash(self) -> str:
        """sha256 (hex) of notes, frame, tracks, controls and words: equal for equal music, on every platform."""
        digest = hashlib.sha256()
        frame = [self.ticks_per_quarter, self.end, self.meters, self.tempos, self.keys, self.chords, self.marks,
                 self.tracks, self.texts]
        digest.update(json.dumps(frame, ensure_ascii=True, default=int).encode())
        for name in NOTE_COLUMNS + OPTIONAL_COLUMNS:
            column = getattr(self, name)
            if column is None and name == "grace":          # a column younger than the first hashes
                continue
            digest.update(name.encode() + (b"-" if column is None else column.astype("<i4").tobytes()))
        digest.update(self.controls.rows().astype("<i4").tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Score) and self.content_hash == other.content_hash

    def __hash__(self) -> int:
        return hash(self.content_hash)

    # --- how it shows --------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        meter = self.meters[0]
        seconds = float(self.seconds(self.end))
        try:
            bars = f"{self.n_bars}"
        except RequestError:        # a meter that makes more bars than anyone can count still has to show
            bars = f"over {MAX_BARS}"
        head = (f"Score: {len(self)} notes, {bars} bars of {meter.numerator}/{meter.denominator}"
                f"{' and other meters' if len(self.meters) > 1 else ''}, {self.tempos[0].bpm:g} bpm, "
                f"{int(seconds // 60)}:{seconds % 60:04.1f}")
        lines = [head]
        for i, track in enumerate(self.tracks[:24]):
            own = self.pitch[self.track == i]
            span = f"pitch {own.min()}–{own.max()}" if len(own) else "empty"
            kind = "drums" if track.is_drum else f"program {track.program}"
            lines.append(f"  {i}  {track.name or '(no name)'}: {kind}, {len(own)} notes, {span}")
        if len(self.tracks) > 24:
            lines.append(f"  … and {len(self.tracks) - 24} more tracks")
        return "\n".join(lines)

    def _repr_html_(self) -> str | None:
        try:
            return display_hook(self) if display_hook else None
        except RequestError:        # no picture of what has no bars to count: the words of `repr` are shown
            return None


def _canonical(onset: IntArray, duration: IntArray, pitch: IntArray, velocity: IntArray, track: IntArray,
               *written: IntArray) -> npt.NDArray[np.intp]:
    """The order by onset, track, pitch (one number of 31 + 20 + 7 bits), then by the other columns as they stand."""
    place = (onset.astype(np.int64) << 27) + (track << 7) + pitch
    order = place.argsort(kind="stable")
    placed = place[order]
    same = placed[1:] == placed[:-1]
    if same.any():
        tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
        notes = order[tied]
        order[tied] = notes[np.lexsort([c[notes] for c in reversed((duration, velocity, *written))] + [placed[tied]])]
    return order


def _from_zero(entries: Iterable[Any], default: Any) -> tuple[Any, ...]:
    """Sorted by tick, the last one said at each tick, nothing said twice in a row at one tick, one from tick 0 on."""
    latest = {int(entry.tick): entry for entry in sorted(entries, key=lambda item: int(item.tick))}
    if 0 not in latest:
        latest[0] = default
    return tuple(latest[tick] for tick in sorted(latest))
