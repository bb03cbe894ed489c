"""A Transformer over events in numpy: its shape, its weights, and the player that computes it event by event.

Events attend to the events before them (Vaswani et al. 2017), with the norms, gates and rotations of today's models
(Zhang & Sennrich 2019; Shazeer 2020; Su et al. 2021), and to the known notes that lie ahead, which are read backwards,
from the last to the next. What is new: nothing that it computes changes when all music is transposed. Pitches are told
as intervals from a frame of each event (`partimento.events.relative`), queries and keys are turned by where their
frames lie in pitch (and in time), and values are turned from the frame of who is heard into that of who hears. One
block more, the ask, is asked when it is known which track plays next: it hears the same events from the frame of that
track. A pitch weighs what each interval to each reference weighs, and each place around the pitches that sound:

    logit(p) = Σ_r a_r[p − r] + Σ_S Σ_{s ∈ S} b_S[p − s]       for references r and sets S; a, b from the ask

`partimento.nets.attending` is the same network in torch, for training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from partimento.errors import ModelError
from partimento.events.fields import NO_PITCH, PITCHES, STAGES, TRACK_INDEX
from partimento.events.relative import INTERVALS, REACH, REFERENCES, SETS, SIGHTS, SPREAD
from partimento.events.wishes import BINS
from partimento.network import Arrays, Floats, Ints, check_arrays
from partimento.sampling import generator

TURNS = np.array([*(2 * np.pi * k / 12 for k in range(1, 7)), 2 * np.pi * 0.9 / 24, 2 * np.pi / 90])
# angles a semitone: the harmonics of the octave tell pitch classes, the slow ones how far
WAVES = 2 * np.pi / np.geomspace(0.5, 64, 5)            # angles a quarter
COUNTS = 10_000.0 ** -(np.arange(3) / 3)                # angles an event
SMALLEST = 2 * (len(TURNS) + len(WAVES) + len(COUNTS))  # units of a head that are turned
EPSILON = 1e-6
Numbers = npt.NDArray[np.float64]
_TRACK_ROWS = sum(field.size for field in TRACK_INDEX)
_EVERY = np.arange(PITCHES)
_USUAL = 4                                              # rows of sets that are usually picked, for the first scale


@dataclass(frozen=True, kw_only=True)
class AttentionShape:
    """How large it is: `layers` of `heads` heads of `size` units, `width` units throughout, `head` units a stage.

    `ask` blocks hear from the frame of the track that plays next; `wishes` are the controls that it can be told.
    """

    layers: int = 3
    width: int = 192
    heads: int = 6
    size: int = 32
    ask: int = 1
    head: int = 192
    track: int = 64
    wishes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, least in (("layers", 1), ("width", 1), ("heads", 1), ("size", SMALLEST), ("ask", 1), ("head", 1),
                            ("track", 1)):
            if getattr(self, name) < least:
                raise ModelError(f"a network's {name} must be at least {least}; got {getattr(self, name)}")
        if self.size % 2:
            raise ModelError(f"a network's size must be even; got {self.size}")


def rows_in(sight: str) -> int:
    """How many rows the table of a sight has."""
    return sum(SIGHTS[sight].sizes) + SIGHTS[sight].members


def weight_sizes(shape: AttentionShape) -> dict[str, tuple[int, ...]]:
    """The name and the shape of every array of weights; a row vector times a matrix gives what it makes.

    >>> weight_sizes(AttentionShape(width=8, heads=2))["layer0.kv"]
    (8, 128)
    """
    d, units = shape.width, shape.heads * shape.size
    out: dict[str, tuple[int, ...]] = {"input.table": (rows_in("input"), d), "input.bias": (d,)}
    for name in blocks_of(shape):
        out |= {f"{name}.norm": (d,), f"{name}.q": (d, units), f"{name}.kv": (d, 2 * units), f"{name}.o": (units, d),
                f"{name}.mid": (d,), f"{name}.up": (d, 4 * d), f"{name}.down": (2 * d, d)}
        if name.startswith("ask"):
            out[f"{name}.heard"] = (d,)
    out |= {"known.norm": (d,), "ask.table": (rows_in("ask"), d), "ask.bias": (d,), "ask.hidden": (d, d),
            "asked.norm": (d,)}
    if shape.wishes:
        out["wish.table"] = (len(shape.wishes) * BINS, d)
    for stage in ("move", "track", "duration", "loudness"):
        units = shape.track if stage == "track" else shape.head
        out |= {f"{stage}.table": (rows_in(stage), units), f"{stage}.bias": (units,), f"{stage}.hidden": (d, units)}
        out |= {"track.keys": (_TRACK_ROWS, units), "track.out": (units,)} if stage == "track" else {
            f"{stage}.out": (units, STAGES[stage]), f"{stage}.out_bias": (STAGES[stage],)}
    out |= {"pitch.hidden": (d, shape.head), "pitch.bias": (shape.head,)}
    for part, size in (("references", len(REFERENCES) * INTERVALS), ("sets", len(SETS) * SPREAD), ("plain", PITCHES)):
        out |= {f"pitch.{part}": (shape.head, size), f"pitch.{part}_bias": (size,)}
    return out


def blocks_of(shape: AttentionShape) -> list[str]:
    """The names of the blocks, in their order."""
    return [*(f"layer{i}" for i in range(shape.layers)), *(f"ask{i}" for i in range(shape.ask))]


def first_weights(shape: AttentionShape, seed: int) -> Arrays:
    """Weights to begin to learn from, float32: every block begins as nothing, all choices about equally likely."""
    rng = generator(seed)
    arrays: Arrays = {}
    for name, size in weight_sizes(shape).items():
        room, _, part = name.partition(".")
        if "bias" in part or part in ("o", "down") or room == "wish":
            arrays[name] = np.zeros(size, np.float32)
        elif part in ("norm", "mid", "heard"):
            arrays[name] = np.ones(size, np.float32)
        elif part == "table" or name == "track.keys":
            sight = SIGHTS.get(room)
            summed = len(TRACK_INDEX)
            if sight is not None:
                summed = len(sight.sizes) + _USUAL * bool(sight.members)
            arrays[name] = (rng.standard_normal(size) * summed ** -0.5).astype(np.float32)
        elif part in ("out", "references", "sets", "plain"):
            arrays[name] = (rng.standard_normal(size) * 0.004).astype(np.float32)
        else:
            arrays[name] = np.float32(size[0] ** -0.5) * (2 * rng.random(size, np.float32) - 1)
    return arrays


def angles(shape: AttentionShape, pitch: Numbers, time: Numbers, count: Numbers) -> tuple[Floats, Floats]:
    """cos and sin float32[..., size / 2] of the turns of queries and keys: frames, quarters and numbers of events.

    A number of −1 says that it has none (a known note ahead): there its units are left out of every product.
    """
    turned = np.concatenate([pitch[..., None] * TURNS, time[..., None] * WAVES, count[..., None] * COUNTS], -1)
    cos, sin = _padded(shape, np.cos(turned), 1.0), _padded(shape, np.sin(turned), 0.0)
    counts = slice(len(TURNS) + len(WAVES), SMALLEST // 2)
    none = count < 0
    cos[none, counts] = sin[none, counts] = 0
    return cos, sin


def value_angles(shape: AttentionShape, pitch: Numbers) -> tuple[Floats, Floats]:
    """cos and sin float32[..., size / 2] of the turns of values."""
    turned = pitch[..., None] * TURNS
    return _padded(shape, np.cos(turned), 1.0), _padded(shape, np.sin(turned), 0.0)


def _padded(shape: AttentionShape, array: Numbers, rest: float) -> Floats:
    out = np.full((*array.shape[:-1], shape.size // 2), rest, np.float32)
    out[..., :array.shape[-1]] = array
    return out


def _turned(x: Floats, turn: tuple[Floats, Floats], back: bool = False) -> Floats:
    """x[n, heads, size] turned by cos and sin [n, size / 2]."""
    cos, sin = turn[0][:, None], -turn[1][:, None] if back else turn[1][:, None]
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, a * sin + b * cos], -1)


def _normed(x: Floats, gain: Floats) -> Floats:
    """Root-mean-square norm over the last axis."""
    scale = 1 / np.sqrt(np.einsum("...i,...i->...", x, x)[..., None] / x.shape[-1] + EPSILON)
    return np.asarray(x * scale * gain, np.float32)


class _Line:
    """Keys and values of a row of events, in every block; more are put at its end."""

    def __init__(self, blocks: Sequence[str], heads: int, size: int, room: int = 256) -> None:
        self.keys = {name: np.empty((heads, size, room), np.float32) for name in blocks}
        self.values = {name: np.empty((heads, room, size), np.float32) for name in blocks}
        self.length = 0

    def reserve(self, count: int) -> None:
        """Make room for so many more."""
        name = next(iter(self.keys))
        room = self.keys[name].shape[2]
        if self.length + count <= room:
            return
        room = max(2 * room, self.length + count)
        for name, array in self.keys.items():
            grown = np.empty((*array.shape[:2], room), np.float32)
            grown[:, :, :self.length] = array[:, :, :self.length]
            self.keys[name] = grown
            old = self.values[name]
            values = np.empty((old.shape[0], room, old.shape[2]), np.float32)
            values[:, :self.length] = old[:, :self.length]
            self.values[name] = values

    def put(self, name: str, keys: Floats, values: Floats) -> None:
        """keys and values float32[n, heads, size] of events that come next; `length` is moved on by their owner."""
        there = slice(self.length, self.length + len(keys))
        self.keys[name][:, :, there] = keys.transpose(1, 2, 0)
        self.values[name][:, there] = values.transpose(1, 0, 2)


class HeardSoFar:
    """What one pass over a page has heard: the events so far, and the known notes ahead, from the last on backwards."""

    def __init__(self, player: AttentionPlayer) -> None:
        blocks = blocks_of(player.shape)
        self.events = _Line(blocks, player.shape.heads, player.shape.size)
        self.ahead = _Line(blocks, player.shape.heads, player.shape.size, 16)


@dataclass(frozen=True)
class Events:
    """Events to be heard, in their order: rows of the input's table, frames for the turns, and quarters.

    `ahead` is how many of the known notes ahead each of them has still before it.
    """

    rows: list[list[int]]
    frame: list[float]
    time: list[float]
    ahead: list[int]


class AttentionPlayer:
    """A network that plays; float32 throughout. `window`: how many events, and known notes ahead, it attends to.

    >>> shape = AttentionShape(layers=1, width=8, heads=1)
    >>> player = AttentionPlayer(shape, first_weights(shape, seed=1), window=64)
    >>> memory = HeardSoFar(player)
    >>> h = player.hear(memory, Events([[0, 7, 200]], [60.0], [0.0], [0]))
    >>> player.stage("loudness", h, [3, 140]).shape
    (32,)
    """

    def __init__(self, shape: AttentionShape, arrays: Mapping[str, npt.NDArray[np.generic]], window: int) -> None:
        check_arrays(weight_sizes(shape), arrays)
        self.shape, self.window = shape, window
        self.arrays: Arrays = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
        self._layers = [name for name in blocks_of(shape) if name.startswith("layer")]
        self._asks = [name for name in blocks_of(shape) if name.startswith("ask")]

    def wished(self, classes: Sequence[int]) -> Floats:
        """What wishes add to every event: `classes` 0..BINS, one a control; float32[width].

        A class adds its own row and all below it, so that neighbours are alike; BINS, nothing wished, adds none.
        """
        told = np.array(classes)[:, None]
        rows = (np.arange(BINS) <= told) & (told < BINS)
        return np.asarray(self.arrays["wish.table"][rows.ravel()].sum(0), np.float32)

    def know(self, memory: HeardSoFar, ahead: Events, wish: Floats | None = None) -> None:
        """Hear the known notes that lie ahead, the last first."""
        if ahead.rows:
            self._listen(memory.ahead, memory, ahead, True, wish)

    def hear(self, memory: HeardSoFar, events: Events, wish: Floats | None = None) -> Floats:
        """Hear events, and return what is known after the last of them: float32[width]."""
        top = self._listen(memory.events, memory, events, False, wish)
        return _normed(top[-1], self.arrays["known.norm"])

    def _listen(self, line: _Line, memory: HeardSoFar, events: Events, is_ahead: bool, wish: Floats | None) -> Floats:
        shape, n = self.shape, len(events.rows)
        x = self._sums("input", events.rows)
        if wish is not None:
            x += wish
        pitch, time = np.array(events.frame), np.array(events.time)
        count = np.full(n, -1.0) if is_ahead else np.arange(line.length, line.length + n, dtype=np.float64)
        turn, turn_value = angles(shape, pitch, time, count), value_angles(shape, pitch)
        line.reserve(n)
        for name in self._layers:
            y = _normed(x, self.arrays[f"{name}.norm"])
            self._put(line, name, y, turn, turn_value)
            q = _turned((y @ self.arrays[f"{name}.q"]).reshape(n, shape.heads, shape.size), turn)
            seen = self._attend(name, q, line, memory, events.ahead, is_ahead, line.length + 1 + np.arange(n))
            x = self._through(name, x, _turned(seen, turn_value, back=True))
        for name in self._asks:
            self._put(line, name, _normed(x, self.arrays[f"{name}.heard"]), turn, turn_value)
        line.length += n
        return x

    def _put(self, line: _Line, name: str, y: Floats, turn: tuple[Floats, Floats], turn_value: tuple[Floats, Floats],
             ) -> None:
        kv = (y @ self.arrays[f"{name}.kv"]).reshape(len(y), 2, self.shape.heads, self.shape.size)
        line.put(name, _turned(kv[:, 0], turn), _turned(kv[:, 1], turn_value))

    def _attend(self, name: str, q: Floats, line: _Line, memory: HeardSoFar, ahead: Sequence[int], is_ahead: bool,
                upto: Ints) -> Floats:
        """What queries [n, heads, size] take from the events before number `upto` and what lies ahead of each."""
        n = len(q)
        stop = int(upto[-1])
        start = max(0, int(upto[0]) - self.window)
        keys, values = line.keys[name][:, :, start:stop], line.values[name][:, start:stop]
        q = q.transpose(1, 0, 2) * np.float32(self.shape.size ** -0.5)
        scores = np.matmul(q, keys)
        if n > 1:
            place = np.arange(start, stop)
            scores[:, (place >= upto[:, None]) | (place < upto[:, None] - self.window)] = -np.inf
        most = 0 if is_ahead else max(ahead)
        if most:
            least = max(0, min(ahead) - self.window)
            further = np.matmul(q, memory.ahead.keys[name][:, :, least:most])
            if n > 1:
                place, left = np.arange(least, most), np.array(ahead)[:, None]
                further[:, (place >= left) | (place < left - self.window)] = -np.inf
            scores = np.concatenate([scores, further], -1)
            values = np.concatenate([values, memory.ahead.values[name][:, least:most]], 1)
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        return np.asarray(np.matmul(scores, values).transpose(1, 0, 2))

    def _through(self, name: str, x: Floats, seen: Floats) -> Floats:
        """The rest of a block, once it has attended."""
        x = x + seen.reshape(len(x), -1) @ self.arrays[f"{name}.o"]
        wide = _normed(x, self.arrays[f"{name}.mid"]) @ self.arrays[f"{name}.up"]
        gate, rest = np.split(wide, 2, -1)
        gate = gate / (1 + np.exp(-gate)) * rest
        return np.asarray(x + gate @ self.arrays[f"{name}.down"])

    def ask(self, memory: HeardSoFar, h: Floats, rows: Sequence[int], frame: float, time: float, ahead: int,
            wish: Floats | None = None) -> Floats:
        """What is known once it is known which track plays, where: float32[width], for pitch, duration and loudness."""
        shape = self.shape
        x = self._sums("ask", [rows]) + h @ self.arrays["ask.hidden"]
        if wish is not None:
            x += wish
        pitch = np.array([frame])
        count = np.array([float(memory.events.length)])
        turn = angles(shape, pitch, np.array([time]), count)
        back = value_angles(shape, pitch)
        for name in self._asks:
            q = _turned((_normed(x, self.arrays[f"{name}.norm"]) @ self.arrays[f"{name}.q"])
                        .reshape(1, shape.heads, shape.size), turn)
            seen = self._attend(name, q, memory.events, memory, [ahead], False, np.array([memory.events.length]))
            x = self._through(name, x, _turned(seen, back, back=True))
        return _normed(x[0], self.arrays["asked.norm"])

    def _sums(self, sight: str, rows: Sequence[Sequence[int]]) -> Floats:
        """The sums of rows that each event picks of a table, and its bias."""
        table, bias = self.arrays[f"{sight}.table"], self.arrays[f"{sight}.bias"]
        return np.stack([np.add.reduce(table.take(some, axis=0), axis=0) for some in rows]) + bias

    def stage(self, name: str, h: Floats, rows: Sequence[int]) -> Floats:
        """The logits of `move`, `duration` or `loudness`."""
        units = self._sums(name, [rows])[0] + h @ self.arrays[f"{name}.hidden"]
        return np.asarray(np.maximum(units, 0) @ self.arrays[f"{name}.out"] + self.arrays[f"{name}.out_bias"])

    def track_scores(self, h: Floats, rows: Sequence[int], keys: Ints) -> Floats:
        """How well each track fits, float32[K]; `keys` as in `partimento.network.Player.track_scores`."""
        query = self._sums("track", [rows])[0] + h @ self.arrays["track.hidden"]
        units = np.add.reduce(self.arrays["track.keys"].take(keys, axis=0), axis=1) + query
        return np.asarray(np.maximum(units, 0) @ self.arrays["track.out"])

    def pitch(self, asked: Floats, references: Sequence[int], sets: Mapping[str, Sequence[int]], drums: bool,
              plain: bool) -> Floats:
        """The logits of every pitch, float32[128].

        `references` are pitch fields in the order of REFERENCES, `sets` pitches by name of SETS; `plain` adds how
        likely each pitch is by itself, for drums and for the first note of a track.
        """
        arrays = self.arrays
        units = np.maximum(asked @ arrays["pitch.hidden"] + arrays["pitch.bias"], 0)
        weighed = (units @ arrays["pitch.references"] + arrays["pitch.references_bias"]).reshape(-1, INTERVALS)
        known = np.array(references)[:, None]
        steps = np.clip(_EVERY + PITCHES * drums - known, -REACH, REACH) + REACH
        usable = (known < NO_PITCH) & ((known >= PITCHES) == drums)
        found = np.take_along_axis(weighed, np.where(usable, steps, INTERVALS - 1), 1).sum(0)
        wide = np.zeros(PITCHES + 2 * REACH, np.float32)
        kernels = (units @ arrays["pitch.sets"] + arrays["pitch.sets_bias"]).reshape(-1, SPREAD)
        for number, name in enumerate(SETS):
            for pitch in sets.get(name, ()):
                wide[pitch:pitch + SPREAD] += kernels[number]
        found += wide[REACH:-REACH]
        if plain:
            found += units @ arrays["pitch.plain"] + arrays["pitch.plain_bias"]
        return np.asarray(found, np.float32)
