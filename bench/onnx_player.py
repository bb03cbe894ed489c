"""A network of the rnn family as ONNX graphs, and what plays them in ONNX Runtime: the other side of `engine`.

One graph for the step, one for each stage; the first layer is folded into its table, as in `partimento.network.Player`.
The LSTM alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from peers import Missing, peer

from partimento.network import Shape

OPSET = 17
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


class Ort:
    """ONNX Runtime on one thread: a session for the step and one for each stage."""

    def __init__(self, folder: Path, shape: Shape, at_once: int = 1) -> None:
        runtime = peer("onnxruntime")
        self.shape, self.at_once = shape, at_once
        self.sessions = {path.stem: session(runtime, path) for path in sorted(folder.glob("*.onnx"))}
        self.names = [f"{kind}_{layer}" for layer in range(shape.layers) for kind in ("h", "c")]

    def start(self) -> list[Floats]:
        """The hidden and the cell units of each layer."""
        return [np.zeros((self.at_once, self.shape.width), np.float32) for _ in self.names]

    def step(self, state: list[Floats], rows: Ints) -> tuple[Floats, list[Floats]]:
        """All at once."""
        state = self.sessions["step"].run(None, {"rows": rows, **dict(zip(self.names, state, strict=True))})
        return state[-2], state

    def stage(self, stage: str, h: Floats, rows: Ints, keys: Ints) -> Floats:
        """All at once."""
        given = {"rows": rows, "h": h, **({"keys": keys} if stage == "track" else {})}
        return np.asarray(self.sessions[stage].run(None, given)[0])


def session(runtime: Any, path: Path) -> Any:
    """Return a session of ONNX Runtime on one thread."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def folded(shape: Shape, arrays: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the weights of an LSTM as a row vector meets them, the first layer's inside the table of inputs."""
    if shape.cell != "lstm":
        raise Missing(f"the export is of the LSTM; this network is of the {shape.cell} cell")
    out = {name: array for name, array in arrays.items() if not name.startswith(("input.", "core."))}
    for layer in range(shape.layers):
        inner, hidden = (arrays[f"core.weight_{part}_l{layer}"].T for part in ("ih", "hh"))
        bias = arrays[f"core.bias_ih_l{layer}"] + arrays[f"core.bias_hh_l{layer}"]
        out[f"step.hidden_{layer}"] = hidden
        if layer:
            out[f"step.inner_{layer}"], out[f"step.bias_{layer}"] = inner, bias
        else:
            out["step.table"], out["step.bias_0"] = arrays["input.table"] @ inner, arrays["input.bias"] @ inner + bias
    if "track" in shape.stages:
        out["track.out"] = arrays["track.out"][:, None]
    return {name: np.ascontiguousarray(array, np.float32) for name, array in out.items()}


class Graph:
    """An ONNX graph in the making: operations in order, weights as they are named."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        self.helper, self.numpy = peer("onnx").helper, peer("onnx").numpy_helper
        self.weights = weights
        self.nodes: list[Any] = []
        self.held: dict[str, npt.NDArray[Any]] = {}

    def __call__(self, kind: str, *given: str, out: str = "", **settings: Any) -> str:
        """Add an operation and return the name of what comes out."""
        name = out or f"{kind}_{len(self.nodes)}"
        for each in given:
            if each in self.weights:
                self.held[each] = self.weights[each]
        self.nodes.append(self.helper.make_node(kind, list(given), [name], name=name, **settings))
        return name

    def constant(self, name: str, value: Any) -> str:
        """Hold an array of whole numbers."""
        self.held[name] = np.array(value, np.int64)
        return name

    def picked(self, table: str, rows: str, axis: int) -> str:
        """Add the sum of the rows of a table that are picked along an axis."""
        return self("ReduceSum", self("Gather", table, rows), self.constant(f"axis_{axis}", [axis]), keepdims=0)

    def save(self, path: Path, given: Mapping[str, Sequence[Any]], made: Mapping[str, Sequence[Any]]) -> None:
        """Write it; `given` are the shapes of what goes in (``rows`` and ``keys`` are whole numbers)."""
        onnx = peer("onnx")
        whole, real = onnx.TensorProto.INT64, onnx.TensorProto.FLOAT
        inputs = [self.helper.make_tensor_value_info(name, whole if name in ("rows", "keys") else real, list(size))
                  for name, size in given.items()]
        outputs = [self.helper.make_tensor_value_info(name, real, list(size)) for name, size in made.items()]
        held = [self.numpy.from_array(array, name) for name, array in self.held.items()]
        graph = self.helper.make_graph(self.nodes, path.stem, inputs, outputs, held)
        model = self.helper.make_model(graph, opset_imports=[self.helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, str(path))


def export(shape: Shape, arrays: Mapping[str, Floats], folder: Path) -> None:
    """Write the network as ONNX graphs: step.onnx, and one a stage."""
    weights, width = folded(shape, arrays), shape.width
    g = Graph(weights)
    given: dict[str, Sequence[Any]] = {"rows": ("at_once", "n")}
    made: dict[str, Sequence[Any]] = {}
    below = ""
    for layer in range(shape.layers):
        h, c = f"h_{layer}", f"c_{layer}"
        given |= {h: ("at_once", width), c: ("at_once", width)}
        into = g("MatMul", below, f"step.inner_{layer}") if layer else g.picked("step.table", "rows", 1)
        gates = g("Add", g("Add", into, f"step.bias_{layer}"), g("MatMul", h, f"step.hidden_{layer}"))
        names = [f"gate_{layer}_{i}" for i in range(4)]
        g.nodes.append(g.helper.make_node("Split", [gates, g.constant("four", [width] * 4)], names, axis=1))
        kept = g("Mul", g("Sigmoid", names[1]), c)
        cell = g("Add", kept, g("Mul", g("Sigmoid", names[0]), g("Tanh", names[2])), out=f"{c}_out")
        below = g("Mul", g("Sigmoid", names[3]), g("Tanh", cell), out=f"{h}_out")
        made |= {below: ("at_once", width), cell: ("at_once", width)}
    g.save(folder / "step.onnx", given, made)
    for stage in shape.stages:
        g = Graph(weights)
        units = g("Add", g.picked(f"{stage}.table", "rows", 1), g("MatMul", "h", f"{stage}.hidden"))
        units = g("Add", units, f"{stage}.bias")
        given = {"rows": ("at_once", "n"), "h": ("at_once", width)}
        if stage == "track":
            given["keys"] = ("at_once", "tracks", "fields")
            units = g("Add", g.picked("track.keys", "keys", 2), g("Unsqueeze", units, g.constant("one", [1])))
            found = g("MatMul", g("Relu", units), "track.out")
            g("Squeeze", found, g.constant("last", [2]), out="logits")
        else:
            g("Add", g("MatMul", g("Relu", units), f"{stage}.out"), f"{stage}.out_bias", out="logits")
        g.save(folder / f"{stage}.onnx", given, {"logits": ("at_once", "choices")})


def quantised(folder: Path, out: Path) -> None:
    """Write the graphs with int8 weights, quantised as they run (dynamic)."""
    peer("onnxruntime")
    from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped, unused-ignore]

    logging.getLogger().setLevel(logging.ERROR)     # it asks for a step that changes nothing here
    for path in sorted(folder.glob("*.onnx")):
        quantize_dynamic(str(path), str(out / path.name), weight_type=QuantType.QInt8, per_channel=True)
