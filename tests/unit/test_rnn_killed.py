"""The command itself: killed again and again, or shared by two processes, it ends in the same weights."""

import os
import random
import subprocess
import sys
import time

import numpy as np
import pytest

from partimento import checkpoint, formats
from partimento.testing import small_corpus

pytest.importorskip("torch", reason="learning needs torch: pip install partimento[train]")
SETTINGS = ["--set", "width=32", "--set", "layers=1", "--set", "batch=8", "--set", "window=64",
            "--set", "lr=0.001", "--set", "weights=float32", "--set", "precision=float32"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("music")
    for piece in small_corpus(count=10):
        formats.write(piece.score, place / f"{piece.id}.mid")
    return place


def command(folder, out, steps, *more, launcher=()):
    words = [sys.executable, *launcher, "-m", "partimento", "train", str(folder), "--model", "rnn", "-o", str(out),
             "--device", "cpu", "--json", "--set", f"steps={steps}", *SETTINGS, *more]
    there = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.Popen(words, env=there, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err


@pytest.mark.slow
def test_killed_ten_times_the_same_command_ends_in_the_same_bytes(folder, tmp_path):
    moments, broken, whole = random.Random(4), tmp_path / "broken.partimento", tmp_path / "whole.partimento"
    ended(command(folder, whole, 700))
    kept = 0
    for _ in range(10):
        process = command(folder, broken, 700)
        while '"training"' not in process.stdout.readline():
            pass
        time.sleep(moments.uniform(0.0, 3.0))
        process.kill()
        process.communicate()
        kept += broken.with_name(broken.name + ".training").exists()
    assert kept >= 3
    ended(command(folder, broken, 700))
    assert broken.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob("*.training*"))


@pytest.mark.slow
def test_two_processes_under_torchrun_learn_what_one_learns(folder, tmp_path):
    one, two = tmp_path / "one.partimento", tmp_path / "two.partimento"
    ended(command(folder, one, 30, "--set", "dropout=0"))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    ended(command(folder, two, 30, "--set", "dropout=0", launcher=launcher))
    first, second = (checkpoint.load(path).model.player.arrays for path in (one, two))
    assert max(float(np.abs(first[name] - second[name]).max()) for name in first) < 1e-5
