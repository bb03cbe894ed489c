"""A recurrent network over events in numpy: its shape, its weights, and the player that computes it event by event.

With x_e the sum of the rows of one table that event e's fields pick, and h_e what the cell makes of x_1 … x_e::

    z = relu(h_{e-1} · hidden + the sum of the stage's own rows + bias)         for each stage of a choice
    logits = z · out + out_bias                                                 for every stage but `track`
    score_k = out · relu(q + the sum of track k's rows), q = h_{e-1} · hidden + the sum of the rows + bias

The cells are those of `torch.nn` (tanh: h_t = tanh(W_h h_{t-1} + b_h + W_x x_t + b_x); LSTM: Hochreiter and Schmidhuber
1997 with the forget gate of Gers et al. 2000; GRU: Cho et al. 2014, with the reset gate after the product), and so are
the names of their weights. `partimento.nets.recurrent` is the same network in torch, for training.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import CheckpointError, ModelError, nearest
from partimento.events.fields import BITS, INDEX, SEES, STAGES, TRACK_INDEX
from partimento.sampling import generator

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Arrays = dict[str, Floats]
Precision = Literal["float32", "bfloat16", "int8"]

GATES = {"tanh": 1, "gru": 3, "lstm": 4}                # blocks of rows in a cell's weights
KEY_STARTS = np.cumsum([0, *(field.size for field in TRACK_INDEX[:-1])])    # row of value 0 of each field of a track
_KEY_ROWS = sum(field.size for field in TRACK_INDEX)
_BITS_ON = 4                                            # bits of a field that are usually set, for the first scale


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How large a network is: its cell, layers of `width` units, `head` units a stage and `track` units a track.

    `stages` are those it chooses in, in their order.
    """

    cell: Literal["tanh", "gru", "lstm"] = "lstm"
    layers: int = 2
    width: int = 256
    head: int = 128
    track: int = 64
    stages: tuple[str, ...] = tuple(STAGES)

    def __post_init__(self) -> None:
        if self.cell not in GATES:
            raise ModelError(nearest(self.cell, GATES, "cell"))
        for name in ("layers", "width", "head", "track"):
            if getattr(self, name) < 1:
                raise ModelError(f"a network's {name} must be at least 1; got {getattr(self, name)}")
        if not self.stages or self.stages != tuple(stage for stage in STAGES if stage in self.stages):
            raise ModelError(f"a network's stages must be some of {', '.join(STAGES)}, in this order; got "
                             f"{', '.join(self.stages) or 'none'}")


class StageTable(NamedTuple):
    """Where the fields that are summed up in one table stand: value v of field f is row `offset[f]` + v.

    `columns` are its fields' places in INDEX, and `starts` their rows. Its bits stand last, from row `first_bit` on:
    those of `bits` among all BITS. `size` is how many rows there are.
    """

    offset: dict[str, int]
    size: int
    columns: Ints
    starts: Ints
    bits: slice
    first_bit: int

    def rows(self, index: npt.ArrayLike, bits: npt.ArrayLike) -> Ints:
        """The rows that one event picks: `index` int[INDEX] and `bits` bool[BITS] are all of its fields."""
        on = np.flatnonzero(np.asarray(bits)[self.bits]) + self.first_bit
        return np.concatenate([np.asarray(index)[self.columns] + self.starts, on])


@functools.cache
def table(name: str) -> StageTable:
    """The table of ``"input"`` or of a stage, as `partimento.events.fields.SEES` has it.

    >>> table("track").offset, table("track").size
    ({'move': 0, 'place': 97, 'bar': 289, 'left': 482}, 500)
    """
    sizes = {field.name: field.size for field in (*INDEX, *BITS)}
    starts = np.cumsum([0, *(sizes[field] for field in SEES[name])]).tolist()
    offset = dict(zip(SEES[name], starts, strict=False))
    column = {field.name: i for i, field in enumerate(INDEX)}
    places = np.cumsum([0, *(field.size for field in BITS)]).tolist()
    own = [(place, field) for place, field in zip(places, BITS, strict=False) if field.name in offset]
    bits = slice(own[0][0], own[-1][0] + own[-1][1].size) if own else slice(0, 0)
    fields = [field for field in SEES[name] if field in column]
    return StageTable(offset, starts[-1], np.array([column[field] for field in fields], np.int64),
                 np.array([offset[field] for field in fields], np.int64), bits, starts[len(fields)])


def sizes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """The name and the shape of every array of weights of a network.

    >>> sizes(Shape(cell="gru", width=8))["core.weight_hh_l1"]
    (24, 8)
    """
    width, gates = shape.width, GATES[shape.cell] * shape.width
    out: dict[str, tuple[int, ...]] = {"input.table": (table("input").size, width), "input.bias": (width,)}
    for layer in range(shape.layers):
        out |= {f"core.weight_ih_l{layer}": (gates, width), f"core.weight_hh_l{layer}": (gates, width),
                f"core.bias_ih_l{layer}": (gates,), f"core.bias_hh_l{layer}": (gates,)}
    for stage in shape.stages:
        units = shape.track if stage == "track" else shape.head
        out |= {f"{stage}.table": (table(stage).size, units), f"{stage}.hidden": (width, units),
                f"{stage}.bias": (units,)}
        if stage == "track":
            out |= {"track.keys": (_KEY_ROWS, units), "track.out": (units,)}
        else:
            out |= {f"{stage}.out": (units, STAGES[stage]), f"{stage}.out_bias": (STAGES[stage],)}
    return out


def check_arrays(wanted: Mapping[str, tuple[int, ...]], arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """Raise CheckpointError unless `arrays` have the names and the shapes of `wanted`."""
    for name in sorted(wanted.keys() | arrays.keys()):
        got = arrays[name].shape if name in arrays else "absent"
        if got != wanted.get(name, "absent"):
            raise CheckpointError(f"weights {name!r} of this network must be {wanted.get(name, 'absent')} and are "
                                  f"{got}; take the checkpoint whole, as it was written")


def init(shape: Shape, seed: int) -> Arrays:
    """Weights to begin to learn from, float32: uniform, so scaled that what reaches a unit varies by about 1.

    Biases are 0, but an LSTM's forget gates begin open (bias 1; Jozefowicz et al. 2015). What gives the logits begins
    ten times smaller, so that all choices begin about equally likely.

    >>> init(Shape(width=4, layers=1), seed=0)["core.bias_ih_l0"].tolist()[4:8]
    [1.0, 1.0, 1.0, 1.0]
    """
    rng = generator(seed)
    arrays: Arrays = {}
    for name, size in sizes(shape).items():
        room, _, part = name.partition(".")
        if "bias" in part:
            arrays[name] = np.zeros(size, np.float32)
            if shape.cell == "lstm" and part.startswith("bias_ih"):
                arrays[name][shape.width:2 * shape.width] = 1
            continue
        if part == "table":
            summed = len(table(room).columns) + _BITS_ON * sum(field.name in table(room).offset for field in BITS)
        elif part == "keys":
            summed = len(TRACK_INDEX)
        else:
            summed = size[1] if room == "core" else size[0]
        bound = (3 / summed) ** 0.5
        if part == "out":
            bound /= 10
        elif room == "core" and shape.cell != "tanh":
            bound /= 3 ** 0.5                           # gates begin about half open
        arrays[name] = np.float32(bound) * (2 * rng.random(size, np.float32) - 1)
    return arrays


def _lstm(gates: Floats, state: Floats, weights: Floats, _: Floats) -> None:
    """One step, in place: gates in, forget, out, cell; the first three come halved (see `_layer`)."""
    hidden, cell = state
    width = len(hidden)
    gates = np.dot(hidden, weights) + gates
    np.tanh(gates, out=gates)
    sigmoid = gates[:3 * width]
    sigmoid *= np.float32(0.5)
    sigmoid += np.float32(0.5)
    cell *= gates[width:2 * width]
    gates[:width] *= gates[3 * width:]
    cell += gates[:width]
    np.tanh(cell, out=hidden)
    hidden *= gates[2 * width:3 * width]


def _gru(gates: Floats, state: Floats, weights: Floats, bias: Floats) -> None:
    """One step, in place: gates reset, update, new; the first two come halved. `bias` is the new gate's hidden one."""
    hidden = state[0]
    width = len(hidden)
    inner = np.dot(hidden, weights)
    sigmoid = inner[:2 * width]
    sigmoid += gates[:2 * width]
    np.tanh(sigmoid, out=sigmoid)
    sigmoid *= np.float32(0.5)
    sigmoid += np.float32(0.5)
    new = inner[2 * width:]
    new += bias
    new *= sigmoid[:width]
    new += gates[2 * width:]
    np.tanh(new, out=new)
    hidden -= new
    hidden *= sigmoid[width:]
    hidden += new


def _tanh(gates: Floats, state: Floats, weights: Floats, _: Floats) -> None:
    """One step, in place: h_t = tanh(W_h h_{t-1} + b_h + W_x x_t + b_x); `gates` is all of it but W_h h_{t-1}."""
    np.tanh(np.dot(state[0], weights) + gates, out=state[0])


_CELLS: dict[str, Callable[[Floats, Floats, Floats, Floats], None]] = {"lstm": _lstm, "gru": _gru, "tanh": _tanh}


class _Layer(NamedTuple):
    """A layer's weights as they are used: a row vector times `inner` or `hidden` gives the gates."""

    inner: Floats
    hidden: Floats
    bias: Floats
    new_bias: Floats


def _layer(shape: Shape, arrays: Mapping[str, Floats], layer: int) -> _Layer:
    """Turned over, with both biases in one, and with the gates that are sigmoids first and halved:
    sigmoid(a) = tanh(a / 2) / 2 + 1 / 2, so that one tanh serves all of them.
    """
    width = shape.width
    order = {"lstm": (0, 1, 3, 2), "gru": (0, 1, 2), "tanh": (0,)}[shape.cell]
    half = np.repeat(np.array([0.5] * (len(order) - 1) + [1.0], np.float32), width)

    def turned(name: str) -> Floats:
        array = arrays[f"core.{name}_l{layer}"]
        blocks = array.reshape(len(order), width, *array.shape[1:])[list(order)].reshape(array.shape)
        return np.ascontiguousarray(blocks.T * half)

    bias, hidden_bias = turned("bias_ih"), turned("bias_hh")
    new_bias = hidden_bias[-width:].copy()
    if shape.cell == "gru":
        hidden_bias[-width:] = 0                        # stands inside the product with the reset gate
    return _Layer(turned("weight_ih"), turned("weight_hh"), bias + hidden_bias, new_bias)


class _Stage(NamedTuple):
    """A stage's weights; `last` are the keys of `track` and the bias of the logits of any other."""

    table: Floats
    hidden: Floats
    bias: Floats
    out: Floats
    last: Floats
    zeros: Floats


def _stage(arrays: Mapping[str, Floats], stage: str) -> _Stage:
    parts = ("table", "hidden", "bias", "out", "keys" if stage == "track" else "out_bias")
    return _Stage._make([*(arrays[f"{stage}.{part}"] for part in parts), np.zeros_like(arrays[f"{stage}.bias"])])


class Player:
    """A network that plays, one event at a time from a state; float32 throughout.

    A state is float32[layers, 2 (LSTM) or 1, width]; it is never changed, so several pieces may go on from one.
    `arrays` are the weights by name.

    >>> player = Player(Shape(cell="tanh", layers=1, width=8), init(Shape(cell="tanh", layers=1, width=8), seed=1))
    >>> h, state = player.step(player.start(), np.array([0, 7, 200]))
    >>> player.logits("loudness", h, np.array([3, 140])).shape
    (32,)
    """

    def __init__(self, shape: Shape, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        check_arrays(sizes(shape), arrays)
        self.shape, self._cell = shape, _CELLS[shape.cell]
        self.arrays: Arrays = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
        self._layers = [_layer(shape, self.arrays, layer) for layer in range(shape.layers)]
        first = self._layers[0]                         # all is linear up to the first cell: one table does it
        self._first = self.arrays["input.table"] @ first.inner
        self._first_bias = self.arrays["input.bias"] @ first.inner + first.bias
        self._stages = {stage: _stage(self.arrays, stage) for stage in shape.stages}

    def start(self) -> Floats:
        """The state before the first event: all 0."""
        return np.zeros((self.shape.layers, 2 if self.shape.cell == "lstm" else 1, self.shape.width), np.float32)

    def step(self, state: Floats, rows: Ints) -> tuple[Floats, Floats]:
        """What the network knows once it has read an event (float32[width]), and the state that holds it.

        `rows` are what the event picks of ``table("input")``, in any order.
        """
        gates = np.add.reduce(self._first.take(rows, axis=0), axis=0)
        gates += self._first_bias
        state = state.copy()
        self._cell(gates, state[0], self._layers[0].hidden, self._layers[0].new_bias)
        for below, own, layer in zip(state, state[1:], self._layers[1:], strict=False):
            gates = np.dot(below[0], layer.inner)
            gates += layer.bias
            self._cell(gates, own, layer.hidden, layer.new_bias)
        return state[-1, 0], state

    def logits(self, stage: str, h: Floats, rows: Ints) -> Floats:
        """The logits of a stage other than `track`, float32[its size]; `rows` are those of ``table(stage)``."""
        table, hidden, bias, out, out_bias, zeros = self._stages[stage]
        units = np.add.reduce(table.take(rows, axis=0), axis=0)
        units += np.dot(h, hidden)
        units += bias
        found: Floats = np.dot(np.maximum(units, zeros, out=units), out)
        found += out_bias
        return found

    def track_scores(self, h: Floats, rows: Ints, keys: Ints) -> Floats:
        """How well each track fits, float32[K]: logits of the stage `track`.

        `rows` are those of ``table("track")``; `keys` int[K, TRACK_INDEX] those of the tracks: values + KEY_STARTS.
        """
        table, hidden, bias, out, key_table, zeros = self._stages["track"]
        query = np.add.reduce(table.take(rows, axis=0), axis=0)
        query += np.dot(h, hidden)
        query += bias
        units = np.add.reduce(key_table.take(keys, axis=0), axis=1)
        units += query
        found: Floats = np.dot(np.maximum(units, zeros, out=units), out)
        return found


def pack(arrays: Mapping[str, Floats], how: Precision = "float32") -> dict[str, npt.NDArray[Any]]:
    """Weights as a file keeps them: ``"bfloat16"`` as uint16 (rounded to nearest even), ``"int8"`` with a scale.

    A matrix NAME becomes NAME.bfloat16, or NAME.int8 and NAME.scale (float32, one a row or one a column, whichever
    loses less); what has one axis stays float32 under its own name. `unpack` knows them by these endings. An
    entry is off by at most 1/256 of itself, or half of its scale. Numbers that are not finite: ModelError.

    >>> sorted(pack({"a.table": np.ones((2, 3), np.float32), "a.bias": np.ones(3, np.float32)}, "int8"))
    ['a.bias', 'a.table.int8', 'a.table.scale']
    """
    packed: dict[str, npt.NDArray[Any]] = {}
    for name, array in arrays.items():
        array = np.asarray(array, np.float32)
        if not np.isfinite(array).all():
            raise ModelError(f"weights must be finite numbers; {name!r} holds others: train again with a lower rate")
        if array.ndim < 2 or how == "float32":
            packed[name] = array
        elif how == "bfloat16":
            whole = np.ascontiguousarray(array).view(np.uint32)
            packed[f"{name}.bfloat16"] = ((whole + 0x7FFF + ((whole >> 16) & 1)) >> 16).astype(np.uint16)
        else:
            packed[f"{name}.int8"], packed[f"{name}.scale"] = min(
                (_scaled(array, axis) for axis in range(2)), key=lambda pair: _loss(array, *pair))
    return packed


def unpack(packed: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    """The float32 weights that `pack` packed, whichever way.

    >>> unpack(pack({"a.table": np.array([[0.5, -2.0]], np.float32)}, "bfloat16"))
    {'a.table': array([[ 0.5, -2. ]], dtype=float32)}
    """
    arrays: Arrays = {}
    for name, array in packed.items():
        base, _, kind = name.rpartition(".")
        if kind == "bfloat16":
            arrays[base] = (array.astype(np.uint32) << 16).view(np.float32)
        elif kind == "int8":
            if f"{base}.scale" not in packed:
                raise CheckpointError(f"weights {name!r} must come with {base}.scale, which is absent: take the "
                                      "checkpoint whole, as it was written")
            arrays[base] = array * packed[f"{base}.scale"]
        elif kind != "scale":
            arrays[name] = np.asarray(array, np.float32)
    return arrays


def _scaled(array: Floats, axis: int) -> tuple[npt.NDArray[np.int8], Floats]:
    scale = np.abs(array).max(axis=axis, keepdims=True) / np.float32(127)
    scale[scale == 0] = 1
    return np.rint(array / scale).astype(np.int8), scale


def _loss(array: Floats, whole: npt.NDArray[np.int8], scale: Floats) -> float:
    return float(np.square(whole * scale - array).sum())
