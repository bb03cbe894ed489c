"""The recurrent network: in numpy as the formulas say, and as torch computes it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from partimento import network
from partimento.errors import CheckpointError, ModelError
from partimento.events.fields import BITS, INDEX, SEES, STAGES, TRACK_INDEX
from partimento.network import KEY_STARTS, Player, Shape, table

CELLS = ("tanh", "gru", "lstm")
SMALL = {"width": 24, "layers": 2, "head": 16, "track": 8}


def stream(seed: int, events: int = 40, tracks: int = 3) -> tuple[Any, Any, Any]:
    """The fields of a stream, drawn by chance."""
    rng = np.random.default_rng(seed)
    index = np.stack([rng.integers(field.size, size=events) for field in INDEX], 1)
    bits = np.concatenate([rng.random((events, field.size)) < 3 / field.size for field in BITS], 1)
    keys = np.stack([rng.integers(field.size, size=(events, tracks)) for field in TRACK_INDEX], 2)
    return index, bits, keys


def rough(shape: Shape, seed: int = 0) -> dict[str, Any]:
    """Weights such that every part of the network matters: none 0, choices far from equally likely."""
    rng = np.random.default_rng(seed)
    return {name: (array + rng.normal(0, 0.1, array.shape)).astype(np.float32) * (1 + 4 * name.endswith(".out"))
            for name, array in network.init(shape, seed).items()}


def log_softmax(logits: Any) -> Any:
    logits = np.asarray(logits, np.float64)
    top = logits.max(-1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))


def by_steps(player: Player, index: Any, bits: Any, tracks: Any) -> dict[str, Any]:
    """What each stage of each event was chosen from."""
    out: dict[str, list[Any]] = {stage: [] for stage in player.shape.stages}
    state = player.start()
    h = state[-1, 0]
    for e in range(len(index)):
        for stage in player.shape.stages:
            rows = table(stage).rows(index[e], bits[e])
            out[stage].append(player.track_scores(h, rows, tracks[e] + KEY_STARTS) if stage == "track"
                              else player.logits(stage, h, rows))
        h, state = player.step(state, table("input").rows(index[e], bits[e]))
    return {stage: np.array(rows) for stage, rows in out.items()}


@pytest.mark.parametrize("layers", [1, 3])
def test_the_tanh_cell_is_the_formula_written_out(layers: int) -> None:
    shape = Shape(cell="tanh", width=24, layers=layers)
    weights = rough(shape)
    index, bits, _ = stream(1)
    player = Player(shape, weights)
    state = player.start()
    h = [np.zeros(24) for _ in range(layers)]
    for e in range(len(index)):
        rows = table("input").rows(index[e], bits[e])
        x = weights["input.table"][rows].sum(0, dtype=np.float64) + weights["input.bias"]
        for layer in range(layers):
            w_x, w_h, b_x, b_h = (weights[f"core.{part}_l{layer}"].astype(np.float64)
                                  for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            h[layer] = np.tanh(w_h @ h[layer] + b_h + w_x @ x + b_x)
            x = h[layer]
        known, state = player.step(state, rows)
        np.testing.assert_allclose(known, x, atol=1e-5)
        np.testing.assert_allclose(state[:, 0], h, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_numpy_and_torch_agree(cell: str) -> None:
    torch = pytest.importorskip("torch")
    from partimento.nets.recurrent import Recurrent

    shape = Shape(cell=cell, width=96, layers=2, head=64, track=32)  # type: ignore[arg-type]
    weights = rough(shape, seed=3)
    net = Recurrent(shape, dropout=0.5)
    net.load(weights)
    net.eval()
    taken = net.weights()
    assert taken.keys() == weights.keys() == network.sizes(shape).keys()
    assert all(np.array_equal(taken[name], weights[name]) for name in weights)
    player = Player(shape, taken)
    streams = [stream(seed, events=60) for seed in (4, 5)]
    rng = np.random.default_rng(6)
    batch = {name: np.stack([one[i] for one in streams]) for i, name in enumerate(("index", "bits", "tracks"))}
    ok = rng.random((2, 60, 3)) < 0.7
    ok[..., 1] = True
    limits = {"move": rng.integers(20, 97, (2, 60)), "pitch": rng.integers(60, 128, (2, 60))}
    legal = {"track": ok, **{stage: np.arange(STAGES[stage]) <= limit[..., None] for stage, limit in limits.items()}}
    target = {stage: np.where(rng.random((2, 60)) < 0.8, 1, -1) for stage in STAGES}
    batch |= {**target, "track_ok": ok, "move_limit": limits["move"], "pitch_limit": limits["pitch"]}
    tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
    together = {stage: cost.item() for stage, cost in net.losses(tensors).items()}
    logits = [by_steps(player, *one) for one in streams]
    for stage in STAGES:
        raw = np.stack([one[stage] for one in logits])
        log_probs = log_softmax(np.where(legal[stage], raw, -1e9) if stage in legal else raw)
        charged = -log_probs[..., 1] * (target[stage] >= 0)
        assert together[stage] == pytest.approx(charged.sum(), abs=1e-4 * (target[stage] >= 0).sum())
    for e in range(0, 60, 7):                       # and each choice alone
        alone = {name: torch.full_like(tensor, -1) if name in STAGES else tensor for name, tensor in tensors.items()}
        for stage in STAGES:
            alone[stage][0, e] = 1
        costs = net.losses(alone)
        for stage in STAGES:
            raw = logits[0][stage][e]
            wanted = -log_softmax(np.where(legal[stage][0, e], raw, -1e9) if stage in legal else raw)[1]
            assert costs[stage].item() == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_what_pads_a_stream_changes_nothing(cell: str) -> None:
    torch = pytest.importorskip("torch")
    from partimento.nets.recurrent import Recurrent

    net = Recurrent(Shape(cell=cell, **SMALL))  # type: ignore[arg-type]
    index, bits, tracks = stream(7, events=12)
    batch = {"index": index, "bits": bits, "tracks": tracks, "track_ok": np.ones((12, 3), bool),
             "move_limit": np.full(12, 96), "pitch_limit": np.full(12, 127), **dict.fromkeys(STAGES, np.zeros(12, int))}
    row = {name: torch.from_numpy(array)[None] for name, array in batch.items()}
    padded = {}
    for name, tensor in row.items():
        wide = torch.full((1, 20, *tensor.shape[2:]), -1 if name in STAGES else 0, dtype=tensor.dtype)
        wide[:, :12] = tensor
        padded[name] = wide
    plain, longer = net.losses(row), net.losses(padded)
    for stage in STAGES:
        assert longer[stage].item() == pytest.approx(plain[stage].item(), rel=1e-5)
    sum(longer.values()).backward()
    missed = [name for name, parameter in net.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert not missed
    nothing = {name: torch.full_like(tensor, -1) if name in STAGES else tensor for name, tensor in row.items()}
    assert sum(cost.item() for cost in net.losses(nothing).values()) == 0


def test_dropout_is_for_training_only() -> None:
    torch = pytest.importorskip("torch")
    from partimento.nets.recurrent import Recurrent

    net = Recurrent(Shape(**SMALL), dropout=0.5, seed=1)  # type: ignore[arg-type]
    index, bits, tracks = stream(8)
    batch = {"index": index, "bits": bits, "tracks": tracks, "track_ok": np.ones((40, 3), bool),
             **dict.fromkeys(STAGES, np.zeros(40, int))}
    row = {name: torch.from_numpy(array)[None] for name, array in batch.items()}

    def cost(seed: int) -> float:
        torch.manual_seed(seed)
        return sum(cost.item() for cost in net.losses(row).values())

    assert cost(1) == cost(1) != cost(2)
    net.eval()
    assert cost(1) == cost(2)


@pytest.mark.parametrize("cell", CELLS)
def test_a_few_steps_of_training_bring_the_loss_down(cell: str) -> None:
    torch = pytest.importorskip("torch")
    from partimento.nets.recurrent import Recurrent

    net = Recurrent(Shape(cell=cell, **SMALL))  # type: ignore[arg-type]
    index, bits, tracks = stream(9)
    rng = np.random.default_rng(0)
    batch = {"index": index, "bits": bits, "tracks": tracks, "track_ok": np.ones((40, 3), bool),
             **{stage: rng.integers(size or 3, size=40) for stage, size in STAGES.items()}}
    row = {name: torch.from_numpy(array)[None] for name, array in batch.items()}
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    curve = []
    for _ in range(30):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = sum(net.losses(row).values())
        loss.backward()
        optimizer.step()
        curve.append(loss.item() / 40)
    uniform = sum(np.log(size or 3) for size in STAGES.values())
    assert curve[0] == pytest.approx(uniform, rel=0.1)
    assert curve[-1] < curve[0] / 2


@pytest.mark.parametrize("name", SEES)
def test_a_table_has_a_row_for_every_value_of_what_may_be_seen(name: str) -> None:
    index, bits, _ = stream(10, events=1)
    where, at, expected = table(name), 0, []
    starts = dict(zip((field.name for field in BITS), np.cumsum([0, *(field.size for field in BITS)]), strict=False))
    for field in SEES[name]:
        assert where.offset[field] == at
        column = next((i for i, one in enumerate(INDEX) if one.name == field), None)
        size = next(one.size for one in (*INDEX, *BITS) if one.name == field)
        if column is not None:
            expected.append(at + index[0, column])
        else:
            expected += [at + bit for bit in range(size) if bits[0, starts[field] + bit]]
        at += size
    assert where.size == at
    assert sorted(where.rows(index[0], bits[0])) == sorted(expected)


def test_a_state_is_never_changed_and_pieces_may_share_one() -> None:
    shape = Shape(**SMALL)  # type: ignore[arg-type]
    player = Player(shape, rough(shape))
    start = player.start()
    once, state = player.step(start, np.array([1, 2, 3]))
    kept = state.copy()
    player.step(state, np.array([4, 5]))
    assert not start.any()
    assert np.array_equal(state, kept)
    assert np.array_equal(player.step(start, np.array([1, 2, 3]))[0], once)


def test_a_network_may_leave_stages_out() -> None:
    shape = Shape(stages=("move", "track", "pitch"), **SMALL)  # type: ignore[arg-type]
    arrays = network.init(shape, 0)
    assert not any(name.startswith(("duration", "loudness")) for name in arrays)
    assert set(by_steps(Player(shape, arrays), *stream(11))) == {"move", "track", "pitch"}


def test_the_first_weights_come_from_the_seed() -> None:
    shape = Shape(**SMALL)  # type: ignore[arg-type]
    one, same, other = (network.init(shape, seed) for seed in (1, 1, 2))
    assert {name: array.shape for name, array in one.items()} == network.sizes(shape)
    assert all(array.dtype == np.float32 and np.array_equal(array, same[name]) for name, array in one.items())
    assert not any(np.array_equal(one[name], other[name]) for name in one if "bias" not in name)
    assert one["core.bias_ih_l1"].tolist() == [0.0] * 24 + [1.0] * 24 + [0.0] * 48


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"cell": "gruu"}, "no cell named 'gruu'; did you mean 'gru'"), ({"layers": 0}, "at least 1; got 0"),
     ({"width": -1}, "width must be at least 1"), ({"stages": ("pitch", "move")}, "in this order; got pitch, move"),
     ({"stages": ()}, "got none"), ({"stages": ("move", "volume")}, "got move, volume")])
def test_a_shape_that_cannot_be_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        Shape(**settings)


def test_foreign_weights_are_refused() -> None:
    shape = Shape(**SMALL)  # type: ignore[arg-type]
    arrays = network.init(shape, 0)
    for change, said in (({"pitch.out": arrays["pitch.out"][1:]}, r"'pitch.out' .* must be \(16, 128\) and are \(15"),
                         ({"attic": arrays["pitch.out"]}, r"'attic' .* must be absent and are \(16, 128\)"),
                         ({"move.bias": None}, r"'move.bias' .* must be \(16,\) and are absent")):
        wrong = {name: array for name, array in {**arrays, **change}.items() if array is not None}
        with pytest.raises(CheckpointError, match=said):
            Player(shape, wrong)


def test_float32_weights_are_packed_as_they_are() -> None:
    arrays = network.init(Shape(**SMALL), 0)  # type: ignore[arg-type]
    back = network.unpack(network.pack(arrays))
    assert back.keys() == arrays.keys()
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays)


@pytest.mark.parametrize("how", ["bfloat16", "int8"])
def test_packed_weights_come_back_within_their_bounds(how: str) -> None:
    arrays = rough(Shape(**SMALL))  # type: ignore[arg-type]
    packed = network.pack(arrays, how)  # type: ignore[arg-type]
    back = network.unpack(packed)
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == np.float32
        assert back[name].shape == array.shape
        if array.ndim == 1:
            assert np.array_equal(back[name], array)
        elif how == "bfloat16":
            assert packed[f"{name}.bfloat16"].dtype == np.uint16
            assert (np.abs(back[name] - array) <= np.abs(array) / 256).all()
        else:
            assert packed[f"{name}.int8"].dtype == np.int8
            scale = packed[f"{name}.scale"]
            assert scale.size == scale.shape[0] * scale.shape[1] == max(scale.shape) in array.shape
            assert (np.abs(back[name] - array) <= scale * 0.5001).all()
    again = network.pack(back, how)  # type: ignore[arg-type]
    assert all(np.array_equal(again[name], packed[name]) for name in packed if how == "bfloat16")


def test_bfloat16_rounds_to_nearest_even() -> None:
    values = np.array([[1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -1 - 2**-8, 0.0]], np.float32)
    back = network.unpack(network.pack({"x": values}, "bfloat16"))["x"]
    assert back.tolist() == [[1.0, 1 + 2**-6, 1 + 2**-7, -1.0, 0.0]]


def test_int8_scales_the_axis_that_loses_less_and_bears_zeros() -> None:
    values = np.ones((4, 6), np.float32) * np.array([[1], [100], [0], [0.01]], np.float32)
    for array, scales in ((values, (4, 1)), (values.T, (1, 4))):
        packed = network.pack({"x": array}, "int8")
        assert packed["x.scale"].shape == scales
        np.testing.assert_allclose(network.unpack(packed)["x"], array, rtol=1e-6)


def test_weights_that_are_no_numbers_are_not_packed() -> None:
    with pytest.raises(ModelError, match="'x' holds others"):
        network.pack({"x": np.array([np.nan], np.float32)}, "int8")


def test_a_scale_that_is_gone_is_named() -> None:
    packed = network.pack({"x": np.ones((2, 2), np.float32)}, "int8")
    del packed["x.scale"]
    with pytest.raises(CheckpointError, match=r"x\.scale, which is absent"):
        network.unpack(packed)


def test_playing_needs_no_torch() -> None:
    code = ("import sys, numpy; from partimento import network as n; s = n.Shape(width=8, layers=1)\n"
            "n.Player(s, n.init(s, 0)).step(n.Player(s, n.init(s, 0)).start(), numpy.array([0]))\n"
            "print('torch' in sys.modules, 'scipy' in sys.modules)")
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8")
    assert shown.stdout.split() == ["False", "False"]
