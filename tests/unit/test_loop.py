"""The training loop, on a toy network: what is learnt, what is told, what can go wrong."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from toy_training import PLAN, SYMBOLS, Toy, Watch, farthest, plan, same

from partimento.errors import ModelError
from partimento.models.random import Random
from partimento.nets import loop, machine
from partimento.nets.loop import Outcome, run


@pytest.fixture(scope="module")
def whole() -> Outcome:
    """The toy trained without a break."""
    return run(Toy(), PLAN)


# What is learnt ---------------------------------------------------------------------------------------------------


def test_it_learns_and_gives_the_best_averaged_weights(whole: Outcome) -> None:
    toy = Toy()
    assert (whole.stopped, whole.step, whole.steps, whole.notes) == ("steps", 40, 40, ())
    assert [step for step, _, _ in whole.curve] == [10, 20, 30, 40]
    valid = {step: found for step, _, found in whole.curve}
    assert whole.best_step == min(valid, key=lambda step: valid[step] or 9e9)
    toy.network.load_state_dict({name: torch.from_numpy(array) for name, array in whole.weights.items()})
    toy.network.eval()
    with torch.no_grad():
        parts = [toy.loss(batch, torch.device("cpu")) for batch in toy.batches]
    nats = sum(float(part) for part, _ in parts) / sum(units for _, units in parts)
    assert nats == pytest.approx(valid[whole.best_step], abs=1e-6)
    assert nats < np.log(SYMBOLS) - 0.1
    assert all(array.dtype == np.float32 for array in whole.weights.values())


def test_the_same_run_twice_is_equal_and_the_network_holds_the_outcome(whole: Outcome) -> None:
    toy = Toy()
    again = run(toy, PLAN)
    assert same(whole, again)
    assert not toy.network.training
    for name, param in toy.network.named_parameters():
        assert np.array_equal(param.detach().numpy(), again.weights[name])
        assert param.grad is None


def test_dropout_follows_the_seed(whole: Outcome) -> None:
    assert farthest(run(Toy(), plan(seed=4)), whole) > 1e-4


@pytest.mark.parametrize("micro", [1, 5, 16])
def test_rows_at_once_do_not_change_what_is_learnt(micro: int) -> None:
    toys = Toy(dropout=0), Toy(dropout=0)
    all_at_once, parts = (run(toy, plan(micro=rows)) for toy, rows in zip(toys, (32, micro), strict=True))
    assert max(toys[1].sizes) == micro
    assert farthest(all_at_once, parts) < 1e-6


def test_a_step_is_that_of_adamw_written_out() -> None:
    toy, by_hand = Toy(dropout=0, valid=0), Toy(dropout=0)
    clip, lr, decay, (beta1, beta2) = 0.5, 0.01, 0.1, (0.9, 0.95)
    weights = {name: param.detach().clone() for name, param in by_hand.network.named_parameters()}
    loss, units = by_hand.loss(by_hand.rows(0), torch.device("cpu"))
    (loss / units).backward()
    found = {name: param.grad for name, param in by_hand.network.named_parameters() if param.grad is not None}
    norm = float(torch.stack([grad.square().sum() for grad in found.values()]).sum().sqrt())
    one = run(toy, plan(steps=1, lr=lr, warmup=0, ema=0, clip=clip, weight_decay=decay, betas=(beta1, beta2)))
    assert norm > clip
    for name, grad in found.items():
        grad *= clip / norm
        first, second = grad * (1 - beta1) / (1 - beta1), grad.square() * (1 - beta2) / (1 - beta2)
        start = weights[name] * (1 - lr * decay) if grad.dim() > 1 else weights[name]
        expected = start - lr * first / (second.sqrt() + 1e-8)
        np.testing.assert_allclose(one.weights[name], expected.numpy(), atol=1e-6)


def test_the_moving_average_is_of_the_weights_after_each_step() -> None:
    plain = [run(Toy(valid=0), plan(steps=10, ema=0), report=Watch(lambda at, n=n: at.done == n)) for n in (1, 2)]
    averaged = run(Toy(valid=0), plan(steps=10, ema=0.9), report=Watch(lambda at: at.done == 2))
    start = {name: param.detach().numpy() for name, param in Toy().network.named_parameters()}
    for name, array in averaged.weights.items():
        one = start[name] * 0.1 + plain[0].weights[name] * 0.9          # decays 1/10, then 2/11
        np.testing.assert_allclose(array, one * 2 / 11 + plain[1].weights[name] * 9 / 11, atol=1e-6)


def test_the_rate_warms_up_falls_as_a_cosine_and_is_flat_without_an_end() -> None:
    wave = plan(lr=2.0, warmup=4)
    assert [loop.rate(wave, step, 24) for step in (0, 3, 4, 14)] == pytest.approx([0.5, 2.0, 2.0, 1.0])
    assert 0 < loop.rate(wave, 23, 24) < 0.05
    assert loop.rate(wave, 24, 24) == pytest.approx(0)
    assert loop.rate(wave, 1000, None) == 2.0


def test_without_validation_the_last_average_is_kept() -> None:
    none = run(Toy(valid=0), plan(patience=1))
    assert (none.stopped, none.best_step) == ("steps", 40)
    assert [valid for _, _, valid in none.curve] == [None] * 4
    assert all(isinstance(train, float) for _, train, _ in none.curve)


def test_patience_ends_a_run_that_no_longer_gains(tmp_path: Path) -> None:
    hasty = plan(steps=10_000, lr=1.0, valid_every=2, patience=3, warmup=0)
    kept = tmp_path / "state"
    found = run(Toy(), hasty, keep=kept)
    assert found.stopped == "patience"
    assert found.step == found.curve[-1][0] == found.best_step + 6
    assert not kept.exists()


def test_bfloat16_where_it_is_asked_for() -> None:
    half = run(Toy(), plan(precision="bfloat16"))
    assert half.precision == "bfloat16"
    assert 0 < farthest(half, run(Toy(), PLAN)) < 0.2
    auto = run(Toy(), plan(precision="auto", steps=1)).precision
    assert (auto == "bfloat16") is machine.has_bfloat16(torch.device("cpu"))


def test_bfloat16_is_never_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "avx512_f": True})
    assert not machine.has_bfloat16(torch.device("cpu"))
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not machine.has_bfloat16(torch.device("cpu"))


def test_the_random_state_and_the_threads_of_the_caller_are_untouched() -> None:
    toy = Toy()
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 (the global state is what is looked at)
    random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1], random.getstate(), torch.get_num_threads()  # noqa: NPY002
    run(toy, plan(steps=5))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert (random.getstate(), torch.get_num_threads()) == before[2:]


# Told, and how long -----------------------------------------------------------------------------------------------


def test_a_run_is_reported_and_can_be_heard() -> None:
    watch = Watch()
    run(Toy(), PLAN, report=watch)
    assert {at.stage for at in watch.seen} == {"training"}
    assert [at.done for at in watch.seen] == list(range(41))
    assert {at.total for at in watch.seen} == {40}
    last = watch.seen[-1].measures
    assert last.keys() == {"nats", "valid", "seconds", "left"}
    assert all(type(value) is float for at in watch.seen for value in at.measures.values())
    assert last["left"] == 0
    assert "valid" not in watch.seen[9].measures
    make = watch.seen[3].model
    assert make is not None
    assert isinstance(make(), Random)


def test_between_micro_batches_it_reports_and_stops_too() -> None:
    slow = Toy(wait=0.06, batch=100)
    part = run(slow, plan(micro=1), report=Watch(lambda at: len(slow.sizes) > 2))
    assert (part.stopped, part.step) == ("report", 0)
    assert len(slow.sizes) < 20
    for name, param in Toy().network.named_parameters():
        assert np.array_equal(part.weights[name], param.detach().numpy())


def test_a_budget_too_short_for_fifty_steps_is_planned_at_half() -> None:
    slow = run(Toy(wait=0.05, valid=0), plan(steps=None, seconds=0.5))
    assert slow.steps is not None
    assert 1 <= slow.steps < 20
    assert slow.stopped == "steps"


def test_of_a_budget_and_steps_the_shorter_ends_the_run() -> None:
    assert run(Toy(), plan(steps=20, seconds=1e6)).steps == 20
    assert run(Toy(), plan(steps=70, seconds=1e6)).steps == 70


# What can go wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_no_number_for_a_loss_ends_the_run_and_keeps_the_best(bad: float, tmp_path: Path) -> None:
    class Broken(Toy):
        def loss(self, rows: Sequence[Any], device: torch.device) -> tuple[torch.Tensor, float]:
            nats, units = super().loss(rows, device)
            return nats * (bad if len(self.sizes) > 26 and self.network.training else 1), units

    kept = tmp_path / "state"
    found = run(Broken(), PLAN, keep=kept)
    assert found.stopped == "nan"
    assert f"the loss of step {found.step + 1} is no number" in found.notes[0]
    assert found.best_step == 20
    unbroken = run(Toy(), PLAN, report=Watch(lambda at: at.done == 20))
    assert farthest(found, unbroken) == 0
    assert not kept.exists()


def test_no_number_in_validation_ends_the_run() -> None:
    class Broken(Toy):
        def loss(self, rows: Sequence[Any], device: torch.device) -> tuple[torch.Tensor, float]:
            nats, units = super().loss(rows, device)
            return nats * (1 if self.network.training or len(self.sizes) < 20 else np.nan), units

    found = run(Broken(), PLAN)
    assert (found.stopped, found.step, found.best_step) == ("nan", 20, 10)
    assert "the validation loss of step 20" in found.notes[0]


@pytest.mark.parametrize("error", [
    MemoryError(),
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:81] data. DefaultCPUAllocator: not enough memory: you tried ..."),
])  # fmt: skip
def test_out_of_memory_halves_the_rows_at_once_and_keeps_the_batch(error: Exception) -> None:
    class Big(Toy):
        def loss(self, rows: Sequence[Any], device: torch.device) -> tuple[torch.Tensor, float]:
            if len(rows) > 10:
                raise error
            return super().loss(rows, device)

    found = run(Big(dropout=0), plan(micro=1000))
    assert found.notes == tuple(
        f"memory ran out at step 1: from there {half} rows at once instead of {2 * half}, with the same batch"
        for half in (16, 8)
    )
    assert farthest(found, run(Toy(dropout=0), PLAN)) < 1e-6


def test_a_row_too_big_for_memory_is_said_in_one_sentence() -> None:
    class Huge(Toy):
        def loss(self, rows: Sequence[Any], device: torch.device) -> NoReturn:
            raise MemoryError

    with pytest.raises(ModelError, match="one row of the batch must fit in memory"):
        run(Huge(), PLAN)


def test_another_error_is_not_hidden() -> None:
    class Wrong(Toy):
        def loss(self, rows: Sequence[Any], device: torch.device) -> NoReturn:
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        run(Wrong(), PLAN)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:99", "cpu:1", "", "cuda:", "mps:0"])
def test_an_absent_device_is_said_in_one_sentence(device: str) -> None:
    with pytest.raises(ModelError, match="device"):
        run(Toy(), PLAN, device=device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_where_there_is_none() -> None:
    with pytest.raises(ModelError, match="finds no cuda here: take --device auto, or cpu"):
        run(Toy(), PLAN, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_on_a_gpu_it_learns_as_on_the_cpu() -> None:
    found = run(Toy(dropout=0), plan(steps=10), device="cuda")
    assert farthest(found, run(Toy(dropout=0), plan(steps=10), device="cpu")) < 1e-3


@pytest.mark.parametrize("change", [{"steps": None}, {"micro": 0}, {"valid_every": 0}])
def test_a_plan_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="a plan must"):
        run(Toy(), plan(**change))
