"""What plays the rnn family quickest: ours, in plain numpy, beside ONNX Runtime and PyTorch eager on the same calls.

    python bench/run.py engine
    python bench/engine.py model.partimento [...]       # by hand: networks that were trained longer

Networks of the rnn family of about 1 and 5 million parameters, trained for half a minute on songs of pop909, so that
the loss through int8 means something. What is timed is the network alone: every call that weighing the beginnings of
held-out songs makes of it, in the same order with the same rows, one event at a time. Four at once: four candidates,
in one call of the others and one after another in ours. Cold: a whole process that loads the weights and hears its
first event, beyond an empty Python. Nats: of the choices in those songs, against the same weights in float32.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from onnx_player import Ort, export, folded, quantised
from peers import Missing, Row, attempt, median_seconds, music, peer, show, side_by_side, version

from partimento import checkpoint, network
from partimento.events.blank import BlankPage
from partimento.events.pens import WeighingPen
from partimento.events.walk import Walk
from partimento.formats import read_fast
from partimento.models.base import Model, Piece
from partimento.models.rnn import Rnn, RnnEar
from partimento.network import Player, Shape
from partimento.request import Blanks
from partimento.score import Meter
from partimento.training import beginning

SRC = Path(__file__).resolve().parents[1] / "src"
SIZES = {"1 M": {"layers": 1, "width": 96}, "5 M": {"layers": 2, "width": 384}}
SECONDS = 30.0
SONGS, BARS = 4, 8          # held out: whose beginnings are weighed
TIMED = 400                 # events in one turn of timing
AT_ONCE = 4
ROUNDS = 5
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


class Call(NamedTuple):
    """One call of a network: ``step`` or a stage, its rows, those of the tracks, what was legal, and what was taken."""

    kind: str
    rows: Ints
    keys: Ints
    options: Ints
    taken: int


class Engine(Protocol):
    """A network that plays candidates at once: states and hidden units have a first axis for them."""

    def start(self) -> Any:
        """The state before the first event."""

    def step(self, state: Any, rows: Ints) -> tuple[Any, Any]:
        """What it knows once it has read an event, and its state."""

    def stage(self, stage: str, h: Any, rows: Ints, keys: Ints) -> Floats:
        """The logits of a stage (of `track`: the scores)."""


# --- what is played ------------------------------------------------------------------------------------------------


class Recorder(WeighingPen):
    """Weighs a page and keeps every call that it makes of the network."""

    def __init__(self, player: Player, page: BlankPage) -> None:
        super().__init__(RnnEar(player), page)
        self.calls: list[Call] = []

    def push(self, walk: Walk) -> None:
        """Keep the call, and hear the event."""
        none = np.zeros(0, np.int64)
        self.calls.append(Call("step", np.array(walk.rows("input")), none, none, 0))
        super().push(walk)

    def choose(self, walk: Walk, stage: str, options: Ints) -> int:
        """Keep the call, and weigh what is given."""
        keys = walk.track_rows(options) if stage == "track" else np.zeros((0, 0), np.int64)
        taken = super().choose(walk, stage, options)
        self.calls.append(Call(stage, np.array(walk.rows(stage)), keys, options, int(np.searchsorted(options, taken))))
        return taken


def songs() -> tuple[list[Piece], list[Piece]]:
    """Return songs of pop909 to learn from, and the beginnings of others."""
    files = sorted(music("pop909").glob("[0-9]*/[0-9]*.mid"))
    pieces = [Piece(read_fast(path).replace(meters=(Meter(0, 4, 4),)), path.stem) for path in files[::6]]
    held = [Piece(beginning(piece.score, BARS), piece.id) for piece in pieces[:SONGS]]
    return pieces[SONGS:], held


def calls_of(model: Rnn, pieces: Sequence[Piece]) -> list[list[Call]]:
    """Return the calls that weighing each piece makes."""
    out = []
    for piece in pieces:
        page = BlankPage(model.config.grid, piece.score, Blanks.everything(piece.score), None, model.config.window)
        pen = Recorder(model.player, page)
        for _ in Walk(page, pen).run():
            pass
        out.append(pen.calls)
    return out


def nats(engine: Engine, streams: Sequence[Sequence[Call]]) -> float:
    """Return what the choices of all streams cost, in nats."""
    total = 0.0
    for stream in streams:
        h: Any = None
        state = engine.start()
        for call in stream:
            if call.kind == "step":
                h, state = engine.step(state, call.rows[None])
            else:
                found = engine.stage(call.kind, h, call.rows[None], call.keys[None])[0].astype(np.float64)
                found = found if call.kind == "track" else found[call.options]
                total -= float(found[call.taken] - found.max() - np.log(np.exp(found - found.max()).sum()))
    return total


def player_of(engine: Engine, stream: Sequence[Call], at_once: int) -> Callable[[], None]:
    """Return what plays a stream through an engine, for so many candidates at once."""
    calls = [(call.kind, np.repeat(call.rows[None], at_once, axis=0),
              np.repeat(call.keys[None], at_once, axis=0)) for call in stream]  # fmt: skip

    def play() -> None:
        h: Any = None
        state = engine.start()
        for kind, rows, keys in calls:
            if kind == "step":
                h, state = engine.step(state, rows)
            else:
                engine.stage(kind, h, rows, keys)

    return play


# --- the engines ---------------------------------------------------------------------------------------------------


class Numpy:
    """The house's player, one candidate after another, as it composes."""

    def __init__(self, player: Player, at_once: int = 1) -> None:
        self.player, self.at_once = player, at_once

    def start(self) -> list[Floats]:
        """A state a candidate."""
        return [self.player.start()] * self.at_once

    def step(self, state: list[Floats], rows: Ints) -> tuple[list[Floats], list[Floats]]:
        """Each by itself."""
        h, state = zip(*map(self.player.step, state, rows), strict=True)  # type: ignore[assignment]
        return list(h), list(state)

    def stage(self, stage: str, h: list[Floats], rows: Ints, keys: Ints) -> Floats:
        """Each by itself."""
        if stage == "track":
            return np.stack([self.player.track_scores(*each) for each in zip(h, rows, keys, strict=True)])
        return np.stack([self.player.logits(stage, *each) for each in zip(h, rows, strict=True)])


class NumpyBatch:
    """The same in numpy for several candidates in one call, LSTM alone; a matrix for each vector of the player."""

    def __init__(self, shape: Shape, arrays: Mapping[str, Floats], at_once: int = 1) -> None:
        self.shape, self.at_once, self.w = shape, at_once, folded(shape, arrays)

    def start(self) -> list[Floats]:
        """The hidden and the cell units of each layer."""
        return [np.zeros((self.at_once, self.shape.width), np.float32) for _ in range(2 * self.shape.layers)]

    def step(self, state: list[Floats], rows: Ints) -> tuple[Floats, list[Floats]]:
        """All at once."""
        w, width, out = self.w, self.shape.width, list[Floats]()
        gates = w["step.table"].take(rows, axis=0).sum(axis=1) + w["step.bias_0"]
        for layer in range(self.shape.layers):
            if layer:
                gates = out[-2] @ w[f"step.inner_{layer}"] + w[f"step.bias_{layer}"]
            gates += state[2 * layer] @ w[f"step.hidden_{layer}"]
            into, forget, new, shown = (gates[:, i * width:(i + 1) * width] for i in range(4))
            cell = sigmoid(forget) * state[2 * layer + 1] + sigmoid(into) * np.tanh(new)
            out += [sigmoid(shown) * np.tanh(cell), cell]
        return out[-2], out

    def stage(self, stage: str, h: Floats, rows: Ints, keys: Ints) -> Floats:
        """All at once."""
        w = self.w
        units = w[f"{stage}.table"].take(rows, axis=0).sum(axis=1) + h @ w[f"{stage}.hidden"] + w[f"{stage}.bias"]
        if stage == "track":
            found = w["track.keys"].take(keys, axis=0).sum(axis=2) + units[:, None]
            return np.asarray((np.maximum(found, 0) @ w["track.out"])[:, :, 0])
        return np.asarray(np.maximum(units, 0) @ w[f"{stage}.out"] + w[f"{stage}.out_bias"])


def sigmoid(x: Floats) -> Floats:
    return np.asarray(np.tanh(x * np.float32(0.5)) * np.float32(0.5) + np.float32(0.5))


class Eager:
    """PyTorch as it comes: the module that was trained, one event at a time."""

    def __init__(self, shape: Shape, arrays: Mapping[str, Floats], at_once: int = 1) -> None:
        self.torch = peer("torch")
        self.torch.set_num_threads(1)
        from partimento.nets.recurrent import Recurrent

        self.shape, self.at_once = shape, at_once
        self.net = Recurrent(shape)
        self.net.load(dict(arrays))
        self.net.eval()
        self.w = dict(self.net.named_parameters())
        self.bag = self.torch.nn.functional.embedding_bag

    def start(self) -> Any:
        """The hidden and the cell units."""
        return tuple(self.torch.zeros(self.shape.layers, self.at_once, self.shape.width) for _ in range(2))

    def step(self, state: Any, rows: Ints) -> tuple[Any, Any]:
        """All at once."""
        with self.torch.inference_mode():
            x = self.bag(self.torch.from_numpy(rows), self.w["input.table"], mode="sum") + self.w["input.bias"]
            h, state = self.net.core(x[:, None], state)
            return h[:, 0], state

    def stage(self, stage: str, h: Any, rows: Ints, keys: Ints) -> Floats:
        """All at once."""
        w, torch = self.w, self.torch
        with torch.inference_mode():
            units = self.bag(torch.from_numpy(rows), w[f"{stage}.table"], mode="sum")
            units = units + h @ w[f"{stage}.hidden"] + w[f"{stage}.bias"]
            if stage == "track":
                found = self.bag(torch.from_numpy(keys).flatten(0, 1), w["track.keys"], mode="sum")
                found = torch.relu(found.reshape(*keys.shape[:2], -1) + units[:, None]) @ w["track.out"]
            else:
                found = torch.relu(units) @ w[f"{stage}.out"] + w[f"{stage}.out_bias"]
            return np.asarray(found.numpy())


# --- the measures --------------------------------------------------------------------------------------------------


def main(argv: list[str]) -> list[Row]:
    """Return the rows of each network: events a second, cold starts, int8; and what each engine takes on the disk."""
    peer("torch")
    rows: list[Row] = []
    learn, held = songs()
    if argv:
        named = [(Path(path).name, checkpoint.load(Path(path)).model) for path in argv]
    else:
        named = [(name, Rnn(weights="float32", **sizes).fit(learn, budget=SECONDS)) for name, sizes in SIZES.items()]
    for name, model in named:
        rows += of_one(name, model, held)
    return [*rows, attempt("installed", installed)]


def of_one(name: str, model: Model, held: Sequence[Piece]) -> list[Row]:
    """Return the rows of one network."""
    if not isinstance(model, Rnn):
        raise Missing(f"{name} is of the {model.family} family, not rnn")
    player, shape = model.player, model.player.shape
    arrays = player.arrays
    streams = calls_of(model, held)
    stream = first_events([call for calls in streams for call in calls], TIMED)
    million = sum(array.size for array in arrays.values()) / 1e6
    about = f"{million:.1f} M parameters, {shape.layers} x {shape.width}"
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder, "plain"), Path(folder, "int8")
        plain.mkdir()
        small.mkdir()
        export(shape, arrays, plain)
        quantised(plain, small)
        exact = nats(Numpy(player), streams)
        notes = sum(len(piece.score) for piece in held)
        rows = []
        for at_once in (1, AT_ONCE):
            others: dict[str, Engine] = {
                "PyTorch eager": Eager(shape, arrays, at_once), "ONNX Runtime": Ort(plain, shape, at_once),
                "ONNX Runtime, int8": Ort(small, shape, at_once), "numpy, batched": NumpyBatch(shape, arrays, at_once)}
            rows += [faster(f"{name}: {what}, {at_once} at once", Numpy(player, at_once), other, stream, at_once, about)
                     for what, other in others.items()]
        packed = Player(shape, network.unpack(network.pack(arrays, "int8")))
        return [
            *rows, cold(f"{name}: cold", shape, arrays, plain),
            differs(f"{name}: nats through ONNX Runtime", exact, nats(Ort(plain, shape), streams), notes),
            differs(f"{name}: nats through ONNX Runtime, int8", exact, nats(Ort(small, shape), streams), notes),
            differs(f"{name}: nats through our int8 weights", exact, nats(Numpy(packed), streams), notes),
        ]


def first_events(calls: Sequence[Call], events: int) -> list[Call]:
    """Return the calls of the first so many events."""
    steps = [i for i, call in enumerate(calls) if call.kind == "step"]
    return list(calls[:steps[min(events, len(steps) - 1)]])


def faster(name: str, own: Engine, other: Engine, stream: Sequence[Call], at_once: int, about: str) -> Row:
    """Return the row of events a second, ours and another engine in turns."""
    own_time, other_time = side_by_side(player_of(own, stream, at_once), player_of(other, stream, at_once), ROUNDS)
    events = at_once * sum(call.kind == "step" for call in stream)
    stages = sum(call.kind != "step" for call in stream) * at_once / events
    target = ">= 4x" if isinstance(other, Eager) and at_once == 1 else None
    return {"name": name, "ours": events / own_time, "peer": events / other_time, "ratio": other_time / own_time,
            "target": target, "unit": "events/s", "n": ROUNDS, "note": f"{about}, {stages:.1f} choices an event"}


def differs(name: str, exact: float, found: float, notes: int) -> Row:
    """Return the row of what is lost, as a share of the bits a note."""
    return {"name": name, "ours": 100 * (found - exact) / exact, "peer": None, "ratio": None,
            "target": "<= 0.5 %" if "int8" in name else None, "unit": "%", "n": notes,
            "note": f"{(found - exact) / notes:+.5f} nats a note on {exact / notes:.3f}"}


FIRST = """
import sys, numpy as np
"""
COLD = {
    "numpy": FIRST + """
from safetensors.numpy import load_file
from partimento.network import Player, Shape
arrays = load_file(sys.argv[1] + "/weights.safetensors")
layers, width, head, track = map(int, sys.argv[2:6])
player = Player(Shape(layers=layers, width=width, head=head, track=track), arrays)
h, state = player.step(player.start(), np.arange(9))
for stage in ("move", "pitch", "duration", "loudness"):
    player.logits(stage, h, np.arange(9))
""",
    "onnxruntime": FIRST + """
import onnxruntime
def session(name):
    return onnxruntime.InferenceSession(f"{sys.argv[1]}/{name}.onnx", options, providers=["CPUExecutionProvider"])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
state = {f"{kind}_{layer}": np.zeros((1, int(sys.argv[3])), np.float32)
         for layer in range(int(sys.argv[2])) for kind in "hc"}
rows = np.arange(9)[None]
h = session("step").run(None, {"rows": rows, **state})[-2]
for stage in ("move", "pitch", "duration", "loudness"):
    session(stage).run(None, {"rows": rows, "h": h})
session("track")
""",
}  # fmt: skip


def cold(name: str, shape: Shape, arrays: Mapping[str, Floats], folder: Path) -> Row:
    """Return the row of cold starts: seconds of a process that hears one event, beyond an empty Python."""
    from safetensors.numpy import save_file

    peer("onnxruntime")
    save_file(dict(arrays), str(folder / "weights.safetensors"))
    words = [str(folder), *map(str, (shape.layers, shape.width, shape.head, shape.track))]

    def taken(code: str) -> float:
        return median_seconds(lambda: subprocess.run(
            [sys.executable, "-c", code, *words], env={**os.environ, "PYTHONPATH": str(SRC)}, check=True), ROUNDS)

    empty = taken("pass")
    own, other = (taken(COLD[which]) - empty for which in ("numpy", "onnxruntime"))
    return {"name": name, "ours": own, "peer": other, "ratio": other / own, "target": None, "unit": "s", "n": ROUNDS,
            "note": "peer: ONNX Runtime, float32"}


def installed() -> Row:
    """Return the row of what ONNX Runtime adds to the base install, with what it needs."""
    runtime = peer("onnxruntime")
    base, added = needs("partimento"), needs("onnxruntime")
    sizes = {name: size(name) for name in sorted(added - base)}
    return {"name": "installed", "ours": 0.0, "peer": sum(sizes.values()) / 1e6, "ratio": None, "target": None,
            "unit": "MB more", "n": len(sizes), "note": f"{version(runtime)}: " + ", ".join(
                f"{name} {found / 1e6:.0f}" for name, found in sizes.items())}


def needs(name: str, seen: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return a distribution with all that it needs here, extras left out."""
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name in seen:
        return seen
    seen |= {name}
    try:
        wanted = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return seen - {name} if name != "partimento" else needs("numpy", seen)
    for line in wanted:
        if "extra ==" not in line:
            seen = needs(re.split(r"[^\w.-]", line, maxsplit=1)[0], seen)
    return seen


def size(name: str) -> int:
    """Return the bytes of a distribution's files."""
    files = importlib.metadata.files(name) or []
    return sum(Path(str(file.locate())).stat().st_size for file in files if Path(str(file.locate())).is_file())


if __name__ == "__main__":
    show(main)
