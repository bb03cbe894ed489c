"""The state of a training: stopped or killed anywhere it goes on as if it had not been; two processes equal one."""

from __future__ import annotations

import dataclasses
import errno
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import toy_training
from toy_training import PAIR, PLAN, SYMBOLS, Toy, Watch, plan, same

from partimento.errors import CheckpointError
from partimento.formats import files
from partimento.nets import keep as state
from partimento.nets import loop
from partimento.nets.loop import Plan, run

# Stopped, and gone on with -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_stopped_at_any_step_and_gone_on_with_is_as_if_never_stopped(ema: float, tmp_path: Path) -> None:
    kept, way = tmp_path / "state", plan(steps=23, valid_every=5, ema=ema, micro=10)
    unbroken = run(Toy(), way)
    for stop in range(24):
        part = run(Toy(), way, keep=kept, report=Watch(lambda at, stop=stop: at.done == stop))
        assert (part.stopped, part.step) == ("report" if stop < 23 else "steps", stop)
        assert kept.exists() == (stop < 23)
        watch = Watch()
        rest = run(Toy(), way, keep=kept, report=watch)
        assert same(rest, unbroken)
        assert watch.seen[0].done == stop % 23
        assert not kept.exists()
        assert rest.notes == ()


@pytest.mark.parametrize("call", range(2, 30, 3))
def test_stopped_inside_a_step_or_a_validation_nothing_is_lost(
    call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)
    kept, way = tmp_path / "state", plan(steps=6, valid_every=2, micro=10)
    calls = iter(range(1000))
    part = run(Toy(), way, keep=kept, report=lambda progress: next(calls) != call)
    assert part.stopped == "report"
    assert same(run(Toy(), way, keep=kept), run(Toy(), way))


def test_a_budget_becomes_a_number_of_steps_that_is_kept(tmp_path: Path) -> None:
    kept, way = tmp_path / "state", plan(steps=None, seconds=1.5, valid_every=60)
    watch = Watch(lambda at: at.done == 55)
    first = run(Toy(wait=0.005), way, keep=kept, report=watch)
    assert first.steps is not None
    assert 50 <= first.steps <= 300
    assert [at.done for at in watch.seen if not at.total] == list(range(50))    # unknown until it is planned
    assert 50 in [step for step, _, _ in first.curve]                           # its time had to be known
    rest = run(Toy(), dataclasses.replace(way, seconds=1e6), keep=kept)
    assert (rest.steps, rest.step, rest.stopped) == (first.steps, first.steps, "steps")
    assert rest.curve[-1][0] == first.steps


@pytest.mark.parametrize("way", [plan(), plan(steps=10_000, lr=1.0, valid_every=2, patience=3)])
def test_killed_after_its_last_step_it_ends_at_once(way: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, toy = tmp_path / "state", Toy()
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok: None)
    whole = run(Toy(), dataclasses.replace(way, save_seconds=0.0), keep=kept)
    monkeypatch.undo()
    again = run(toy, way, keep=kept)
    assert toy.sizes == []
    assert same(again, whole)
    assert (again.stopped, again.step) == (whole.stopped, whole.step)
    assert not kept.exists()


def test_a_full_disk_is_told_once_and_the_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, real = tmp_path / "state", os.replace
    left = iter(range(1000))

    def full(source: Any, target: Any) -> None:
        if next(left) >= 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(files.os, "replace", full)
    found = run(Toy(), plan(save_seconds=0.0), keep=kept, report=Watch(lambda at: at.done == 30))
    assert found.step == 30
    assert len(found.notes) == 1
    assert "could not be kept at step 4" in found.notes[0]
    assert "No space left" in found.notes[0]
    assert [path.name for path in tmp_path.iterdir()] == ["state"]      # the last good one
    monkeypatch.undo()
    watch = Watch()
    rest = run(Toy(), PLAN, keep=kept, report=watch)
    assert watch.seen[0].done == 3
    assert same(rest, run(Toy(), PLAN))


# The state on disk --------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    """The state of the toy after 15 steps."""
    path = tmp_path / "state"
    run(Toy(), PLAN, keep=path, fingerprint="mine", report=Watch(lambda at: at.done == 15))
    yield path
    assert path.exists()                # a state that is refused is left alone


def test_a_state_of_another_training_is_refused(kept: Path) -> None:
    with pytest.raises(CheckpointError, match="left by another training: delete it to begin again, or choose another"):
        run(Toy(), PLAN, keep=kept, fingerprint="theirs")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_a_truncated_state_is_refused(kept: Path, share: float) -> None:
    data = kept.read_bytes()
    kept.write_bytes(data[: int(share * len(data))])
    with pytest.raises(CheckpointError, match="damaged or another kind of file"):
        run(Toy(), PLAN, keep=kept, fingerprint="mine")


@pytest.mark.parametrize(("old", "new"), [
    (b'\\"format\\": 1', b'\\"format\\": 2'), (b'\\"micro\\": 32', b'\\"micro\\": -2'),
    (b'\\"micro\\": 32', b'\\"macro\\": 32'), (b'\\"step\\": 15', b'\\"step\\": []'),
    (b'\\"standing\\"', b'\\"sitting!\\"'), (b"partimento-training", b"partimento-trainers"),
])  # fmt: skip
def test_a_state_with_another_head_is_refused(kept: Path, old: bytes, new: bytes) -> None:
    data = kept.read_bytes()
    assert data.count(old) == 1
    kept.write_bytes(data.replace(old, new))
    with pytest.raises(CheckpointError, match="damaged or another kind of file"):
        run(Toy(), PLAN, keep=kept, fingerprint="mine")


def test_a_state_of_another_network_is_refused(kept: Path) -> None:
    toy = Toy()
    toy.network[5] = torch.nn.Linear(24, SYMBOLS + 1)
    with pytest.raises(CheckpointError, match="another network"):
        run(toy, PLAN, keep=kept, fingerprint="mine")


def test_a_state_lacking_an_array_is_refused(kept: Path) -> None:
    shapes = {name: tuple(param.shape) for name, param in Toy().network.named_parameters()}
    found = state.read(kept, "mine", shapes)
    assert found is not None
    standing, arrays = found
    assert (standing.step, standing.steps, standing.best_step) == (15, 40, 10)
    state.write(kept, "mine", standing, {name: arrays[name] for name in arrays if name != "best/2.bias"})
    with pytest.raises(CheckpointError, match="must fit its network"):
        run(Toy(), PLAN, keep=kept, fingerprint="mine")


def test_other_files_are_refused_and_absent_ones_are_none(tmp_path: Path) -> None:
    assert state.read(tmp_path / "none", "", {}) is None
    with pytest.raises(CheckpointError, match="another kind of file"):
        state.read(tmp_path, "", {})


# Other processes ----------------------------------------------------------------------------------------------------


def child(kind: str, out: Path, **environment: str) -> subprocess.Popen[str]:
    """The toy, trained in a process of its own; it prints a line when it does."""
    return subprocess.Popen([sys.executable, toy_training.__file__, kind, str(out)], text=True, stdout=subprocess.PIPE,
                            env={**os.environ, "OMP_NUM_THREADS": "1", **environment})  # fmt: skip


def finish(process: subprocess.Popen[str]) -> int:
    """The exit status of a process that has come to its end, its output read and closed."""
    process.communicate(timeout=120)
    return process.returncode


def test_two_processes_equal_one(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    pair = [child("pair", tmp_path / f"rank{rank}.npz", RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1",
                  MASTER_PORT=port, LOCAL_RANK=str(rank)) for rank in (0, 1)]  # fmt: skip
    assert [finish(process) for process in pair] == [0, 0]
    alone = run(Toy(dropout=0), dataclasses.replace(PLAN, **PAIR))
    for rank in (0, 1):
        with np.load(tmp_path / f"rank{rank}.npz") as arrays:
            assert set(arrays) == set(alone.weights)
            assert max(np.abs(arrays[name] - alone.weights[name]).max() for name in arrays) < 1e-5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rank0.npz", "rank1.npz"]


@pytest.mark.slow
def test_killed_at_ten_random_moments_it_ends_in_the_same_weights(tmp_path: Path) -> None:
    moments = random.Random(8)
    kills = 0
    while kills < 10:
        process = child("killed", tmp_path / "broken.npz")
        assert process.stdout is not None
        process.stdout.readline()                       # it trains
        time.sleep(moments.uniform(0.0, 0.25))
        process.kill()
        kills += finish(process) != 0
    for name in ("broken", "whole"):
        assert finish(child("killed", tmp_path / f"{name}.npz")) == 0
    with np.load(tmp_path / "broken.npz") as broken, np.load(tmp_path / "whole.npz") as unbroken:
        assert set(broken) == set(unbroken)
        assert all(np.array_equal(broken[name], unbroken[name]) for name in broken)
    assert not list(tmp_path.glob("*.state"))
