"""Training that takes its time: going on, stopping, time budgets, warm starts, samples to hear, and what is shown."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pytest

from partimento import checkpoint, cli, formats, progress
from partimento.data import ledger
from partimento.errors import ModelError, RequestError
from partimento.models.base import Arrays, Copying, Model, Piece, Progress, Report, need_torch
from partimento.models.random import Random, RandomConfig
from partimento.sampling import generator
from partimento.testing import check_model, small_corpus, song
from partimento.training import state_file, train

SOURCE = Path(cli.__file__).parents[2]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepsConfig(RandomConfig):
    """`steps` to learn; at step `hold`, while there is a file named ``hold``, it waits to be stopped."""

    steps: int = 10
    hold: int = 0


class Steps(Random):
    """Learns four numbers in steps, each a function of the seed, the step and the music; composes at random."""

    Config: ClassVar[type] = StepsConfig
    family: ClassVar[str] = "steps"
    learns: ClassVar[bool] = True
    resumes: ClassVar[bool] = True
    config: StepsConfig
    weights: np.ndarray | None = None
    told: Mapping[str, Any] = {}

    @property
    def fitted(self) -> bool:
        return self.weights is not None

    def fit(self, pieces: Iterable[Piece], *, valid: Iterable[Piece] = (), seed: int = 0, device: str = "auto",
            start: Model | None = None, budget: float | None = None, keep: Path | None = None,
            copying: Copying | None = None, report: Report | None = None) -> Self:
        self.weights, step = np.zeros(4) if start is None else start.state()[1]["weights"].copy(), 0
        self.told = {"steps": self.config.steps, "device": device, "budget": budget, "valid": len(list(valid))}
        if keep is not None and keep.exists():
            step, *self.weights[:] = json.loads(keep.read_text(encoding="utf-8"))
        lift = float(np.mean([piece.score.pitch.mean() for piece in pieces]))

        def going() -> bool:
            measures = {"nats": 9.0 / (step + 1), "seconds": 1.0, "left": float(self.config.steps - step)}
            return report is None or report(Progress("training", step, self.config.steps, measures,
                                                     lambda: copy.copy(self)))
        while step < self.config.steps:
            going_on = going()
            while step == self.config.hold and going_on and Path("hold").exists():
                time.sleep(0.01)
                going_on = going()
            while not going_on and Path("deaf").exists():
                print("deaf", file=sys.stderr, flush=True)
                time.sleep(0.05)
            if not going_on:
                if keep is not None:
                    keep.write_text(json.dumps([step, *self.weights.tolist()]), encoding="utf-8")
                return self
            self.weights += generator(seed, step).random(4) * lift
            step += 1
        going()
        if keep is not None:
            keep.unlink(missing_ok=True)
        return self

    def record(self) -> dict[str, Any]:
        return dict(self.told)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        assert self.weights is not None
        return {}, {"weights": self.weights}

    def restore(self, values: Mapping[str, Any], arrays: Arrays) -> Self:
        self.weights = arrays["weights"]
        return self


class Forgetful(Steps):
    """Does not find its file again: it begins anew each time."""

    def fit(self, pieces: Iterable[Piece], *, keep: Path | None = None, **rest: Any) -> Self:  # type: ignore[override]
        if keep is not None and keep.exists():
            keep.write_text(json.dumps([5, 0, 0, 0, 0]), encoding="utf-8")
        return super().fit(pieces, keep=keep, **rest)


class Untidy(Steps):
    """Leaves its file behind."""

    def fit(self, pieces: Iterable[Piece], *, keep: Path | None = None, **rest: Any) -> Self:  # type: ignore[override]
        super().fit(pieces, keep=keep, **rest)
        if keep is not None:
            keep.touch()
        return self


class Torchy(Steps):
    """Says that it needs torch."""

    family: ClassVar[str] = "torchy"
    needs_torch: ClassVar[bool] = True


STEPS = f"{__name__}:Steps"


@pytest.fixture
def songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with some music; the folder above it is the working directory."""
    monkeypatch.chdir(tmp_path)
    return make_songs(Path("songs"), range(6))


def make_songs(folder: Path, seeds: Iterable[int]) -> Path:
    folder.mkdir(exist_ok=True)
    for seed in seeds:
        formats.write(song(seed, bars=4), folder / f"{seed}.mid")
    return folder


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[str], list[str]]]:
    def run(*words: object) -> tuple[int, list[str], list[str]]:
        code = cli.main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err.splitlines()
    return run


def weights_of(path: str | Path) -> list[float]:
    model = checkpoint.load(path).model
    assert isinstance(model, Steps)
    assert model.weights is not None
    return model.weights.tolist()


# --- the contract -------------------------------------------------------------------------------------------------


def test_a_family_that_resumes_is_put_to_a_law_of_its_own() -> None:
    law = "resumed_is_uninterrupted"
    assert check_model(Steps, {"steps": 9}, only=law) == [law]
    assert law not in check_model(Random, {"grid": 4}, only="seeds_differ")
    for faulty in (Forgetful, Untidy):
        with pytest.raises(AssertionError, match=law):
            check_model(faulty, {"steps": 9}, only=law)


def test_the_file_to_go_on_from_is_for_families_that_resume(songs: Path) -> None:
    assert "keep" not in train(songs, model="markov", out="m.partimento", workers=0).model.record()
    train(songs, model=STEPS, out="s.partimento", workers=0)
    assert sorted(path.name for path in Path().iterdir()) == ["m.partimento", "s.partimento", "songs"]


def test_torch_is_asked_for_before_anything_is_read(songs: Path, monkeypatch: pytest.MonkeyPatch,
                                                    shell: Callable[..., Any]) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelError, match='training the rnn family needs PyTorch; install it with pip install "partim'):
        need_torch("rnn")
    code, out, err = shell("train", songs, "--model", f"{__name__}:Torchy")
    assert (code, out) == (1, [])
    assert err == ['partimento: training the torchy family needs PyTorch; install it with pip install '
                   '"partimento[train]"']


# --- stopping and going on ----------------------------------------------------------------------------------------


def test_stopped_and_started_again_is_the_same_file(songs: Path) -> None:
    whole = train(songs, model=STEPS, out="whole.partimento", workers=0)
    stopped = train(songs, model=STEPS, out="parts.partimento", workers=0,
                    report=lambda progress: progress.stage != "training" or progress.done < 4)
    assert stopped.stopped
    assert state_file("parts.partimento").is_file()
    assert weights_of("parts.partimento") != weights_of("whole.partimento")
    told: list[str] = []
    resumed = train(songs, model=STEPS, out="parts.partimento", workers=0,
                    report=lambda progress: told.append(progress.stage) is None)
    assert "going on from parts.partimento.training" in told
    assert "went on from parts.partimento.training" in resumed.notes
    assert resumed.hash == whole.hash
    assert not state_file("parts.partimento").exists()
    assert not any("went on" in note for note in whole.notes)


def test_the_record_holds_what_the_family_says_of_its_fit(songs: Path) -> None:
    train(songs, model=STEPS, out="s.partimento", budget=90.0, device="cuda:1", valid_share=0.2, workers=0)
    record = checkpoint.load("s.partimento").record
    assert record["training"] == {"steps": 10, "device": "cuda:1", "budget": 90.0, "valid": 1}
    train(songs, model="random", out="r.partimento", workers=0)
    assert "training" not in checkpoint.load("r.partimento").record


needs_signals = pytest.mark.skipif(os.name == "nt", reason="a process cannot send Ctrl-C to another one on Windows")


def start(*words: str) -> subprocess.Popen[str]:
    code = ("import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "from partimento import cli; sys.exit(cli.main(sys.argv[1:]))")
    paths = os.pathsep.join([str(SOURCE), str(Path(__file__).parent)])
    return subprocess.Popen([sys.executable, "-c", code, *words], env={**os.environ, "PYTHONPATH": paths}, text=True,
                            encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for(stream: Any, what: str) -> None:
    for line in stream:
        if what in line:
            return
    raise AssertionError(f"{what!r} was never said")


@needs_signals
def test_ctrl_c_saves_and_the_command_it_prints_goes_on(songs: Path) -> None:
    words = ["train", "songs", "--model", STEPS, "-o", "a b.partimento", "--set", "hold=5", "--workers", "0", "--json"]
    Path("hold").touch()
    with start(*words) as first:
        wait_for(first.stdout, '"training", "done": 5')
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=60)
    assert (first.returncode, err) == (130, "")
    last = [json.loads(line) for line in out.splitlines()][-2:]
    assert last[0]["stopped"] is True
    assert last[1] == {"written": "a b.partimento"}
    assert last[0]["command"] == shlex.join(["partimento", *words])
    assert state_file("a b.partimento").is_file()
    stopped = weights_of("a b.partimento")
    Path("hold").unlink()
    with start(*shlex.split(last[0]["command"])[1:]) as second:
        out, err = second.communicate(timeout=60)
    assert (second.returncode, err) == (0, "")
    assert '"stage": "going on from a b.partimento.training"' in out
    assert not state_file("a b.partimento").exists()
    train(songs, model=STEPS, out="whole.partimento", settings={"hold": 5}, workers=0)
    assert weights_of("a b.partimento") == weights_of("whole.partimento") != stopped


@needs_signals
def test_a_second_ctrl_c_ends_at_once(songs: Path) -> None:
    Path("hold").touch()
    Path("deaf").touch()
    with start("train", "songs", "--model", STEPS, "-o", "s.partimento", "--set", "hold=5", "--workers", "0",
               "--json") as run:
        wait_for(run.stdout, '"training", "done": 5')
        run.send_signal(signal.SIGINT)
        wait_for(run.stderr, "deaf")
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert err.splitlines()[-1] == "partimento: stopped"
    assert "Traceback" not in err
    assert sorted(path.name for path in Path().iterdir()) == ["deaf", "hold", "songs"]


def test_ctrl_c_is_a_wish_only_while_something_is_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    with progress.Stopping(progress.Shown(False, quiet=True)) as stopping:
        assert stopping.report(Progress("reading", 1, 2))
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert stopping.report(Progress("training", 1, 2))
        signal.raise_signal(signal.SIGINT)
        assert stopping.asked
        assert not stopping.report(Progress("training", 2, 2))
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        monkeypatch.setenv("RANK", "0")     # torchrun hands the same Ctrl-C on a second time
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    old = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with progress.Stopping(progress.Shown(False, quiet=True)):
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, old)


# --- a warm start -------------------------------------------------------------------------------------------------


def test_a_warm_start_names_its_base_and_carries_its_ledger_on(songs: Path) -> None:
    base = train(songs, model=STEPS, settings={"steps": 3}, out="base.partimento", licence="CC0-1.0", workers=0)
    more = make_songs(Path("more"), range(20, 24))
    result = train(more, start="base.partimento", settings={"grid": 6}, out="tuned.partimento", licence="MIT",
                   valid_share=0, workers=0)
    tuned = checkpoint.load("tuned.partimento")
    assert isinstance(tuned.model, Steps)
    assert (tuned.model.config.steps, tuned.model.config.grid) == (3, 6)
    assert (np.array(weights_of("tuned.partimento")) > 1.5 * np.array(weights_of("base.partimento"))).all()
    assert base.corpus is not None
    assert result.corpus is not None
    assert tuned.record["base"] == {"name": "base.partimento", "sha256": base.hash, "pieces": len(base.corpus.train),
                                    "fingerprint": base.corpus.fingerprint}
    assert tuned.record["licences"] == {"CC0-1.0": 6, "MIT": 4}
    assert tuned.record["fingerprint"] == result.corpus.fingerprint
    rows = tuned.ledger()
    assert [(row.file, row.base) for row in rows if not row.base] == [(f"{k}.mid", "") for k in range(20, 24)]
    inherited = [dataclasses.replace(row, base="") for row in rows if row.base == base.hash]
    assert inherited == checkpoint.load("base.partimento").ledger()
    assert ledger.counts(rows)["used"] == 10
    again = train(make_songs(Path("third"), (30, 31)), start="tuned.partimento", out="third.partimento", workers=0)
    assert {row.base for row in checkpoint.load("third.partimento").ledger()} == {"", base.hash, result.hash}
    assert checkpoint.load("third.partimento").record["base"]["base"]["sha256"] == base.hash
    assert again.model.fitted


def test_what_taught_the_base_is_not_unseen(songs: Path) -> None:
    train(songs, model=STEPS, out="base.partimento", valid_share=0, workers=0)
    result = train(songs, start="base.partimento", out="tuned.partimento", valid_share=0.3, workers=0)
    assert "2 of 2 pieces kept back had taught the base: left out" in result.notes
    assert result.likelihood is None
    record = checkpoint.load("tuned.partimento").record
    assert record["training"]["valid"] == 0
    assert record["licences"] == {"not stated": 6}


def test_a_warm_start_from_a_model(songs: Path) -> None:
    pieces = small_corpus(count=2)
    base = train(pieces, model=Steps()).model
    assert train(pieces, start=base, out="t.partimento").model.fitted
    assert checkpoint.load("t.partimento").record["base"] == {"name": "steps", "sha256": None}
    with pytest.raises(ModelError, match="must have learnt something"):
        train(pieces, start=Steps())
    with pytest.raises(ModelError, match=r"family must be that of the model to go on from \(steps\); got random"):
        train(pieces, start=base, model="random")


# --- samples to hear ----------------------------------------------------------------------------------------------


def test_samples_to_hear_lie_beside_the_checkpoint(songs: Path) -> None:
    result = train(songs, model=STEPS, out="out/s.partimento", hear=4, seed=3, workers=0)
    names = sorted(path.name for path in Path("out/s-samples").iterdir())
    assert names == ["step-000004.mid", "step-000008.mid"]
    assert formats.read(Path("out/s-samples", names[0])).n_bars == 8
    assert f"2 samples to hear in {Path('out/s-samples')}" in result.notes
    assert result.hash == train(songs, model=STEPS, out="quiet.partimento", seed=3, workers=0).hash
    silent = train(songs, model="markov", out="m.partimento", hear=4, workers=0)
    assert "the family gives nothing to hear while it learns" in silent.notes


def test_a_sample_that_cannot_be_made_stops_nothing(songs: Path) -> None:
    Path("s-samples").write_text("in the way", encoding="utf-8")
    result = train(songs, model=STEPS, out="s.partimento", hear=9, workers=0)
    assert result.model.fitted
    assert any(note.startswith("no sample to hear at step 9: ") for note in result.notes)


# --- the command line ---------------------------------------------------------------------------------------------


def test_the_options_reach_the_training(songs: Path, shell: Callable[..., Any]) -> None:
    code, out, _ = shell("train", songs, "--model", STEPS, "-o", "s.partimento", "--for", "1h30m", "--device", "cpu",
                         "--hear", 5, "--set", "steps=7", "--workers", 0)
    assert (code, out[-1]) == (0, "s.partimento")
    assert f"1 sample to hear in {Path('s-samples')}" in out
    record = checkpoint.load("s.partimento").record
    assert (record["training"]["budget"], record["training"]["device"]) == (5400.0, "cpu")
    code, out, _ = shell("train", songs, "--from", "s.partimento", "-o", "t.partimento", "--workers", 0, "--quiet")
    assert (code, out) == (0, ["t.partimento"])
    assert checkpoint.load("t.partimento").record["base"]["name"] == "s.partimento"


@pytest.mark.parametrize(("words", "said"), [
    (["--for", "soon"], "--for must be a time above nothing, such as 90s, 30m, 2h or 1h30m; got 'soon'"),
    (["--for", "0m"], "--for must be a time above nothing"), (["--for", "30"], "--for must be a time above nothing"),
    (["--device", "gpu"], "device must be auto, cpu, cuda, cuda:1 (which of several) or mps; got 'gpu'"),
    (["--hear", "0"], "hear must be at least 1"), (["--from", "gone.partimento"], "gone.partimento"),
    (["--model", "random", "--from", "base.partimento"], "family must be that of the model to go on from"),
])
def test_wrong_wishes_are_refused_before_anything_is_read(songs: Path, shell: Callable[..., Any], words: list[str],
                                                          said: str) -> None:
    checkpoint.save(Steps().fit(small_corpus(count=1)), "base.partimento")
    code, out, err = shell("train", songs, *words)
    assert (code, out, len(err)) == (1, [], 1)
    assert said in err[0]


def test_one_process_of_several_writes_and_prints(songs: Path, shell: Callable[..., Any],
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("train", songs, "--model", STEPS, "-o", "s.partimento", "--workers", 0, "--hear", 3)
    monkeypatch.setenv("RANK", "1")
    assert shell(*words) == (0, [], [])
    assert not Path("s.partimento").exists()
    assert not Path("s-samples").exists()
    monkeypatch.setenv("RANK", "0")
    assert shell(*words)[1][-1] == "s.partimento"
    assert Path("s.partimento").is_file()


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400),
                                               ("1H 5s", 3605), ("0.5h", 1800)])
def test_times_are_read(text: str, seconds: float) -> None:
    assert progress.parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "30m1h", "-5s", "1e9s", "nan", "0s", "9" * 400 + "h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="must be a time above nothing"):
        progress.parse_time(text)


# --- what is shown ------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def steps(shown: progress.Shown, clock: list[float], count: int = 100, pace: float = 0.1) -> None:
    """So many reports of 200 steps, at a pace in seconds."""
    for done in range(count):
        shown.report(Progress("training", done, 200, {"nats": 2.0 - done / 100, "seconds": 1.0, "left": 200.0 - done}))
        clock[0] += pace


def test_json_lines_come_twice_a_second_and_the_last_word_always(clock: list[float],
                                                                 capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Shown(True, quiet=False) as shown:
        shown.report(Progress("reading", 1, 5))
        shown.report(Progress("reading", 5, 5))
        shown.report(Progress("reading", 0, 4))     # another one
        steps(shown, clock)
        shown.report(Progress("training", 100, 200, {"nats": float("nan")}))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["done"], line["total"]) for line in lines[:3]] == [(1, 5), (5, 5), (0, 4)]
    assert lines[3] == {"stage": "training", "done": 0, "total": 200, "nats": 2.0, "seconds": 1.0, "left": 200.0}
    assert lines[-1] == {"stage": "training", "done": 100, "total": 200, "nats": None}
    assert 18 <= len(lines) - 3 <= 23       # of 10 seconds


def test_a_terminal_shows_a_bar_the_measures_and_the_time_left(clock: list[float],
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "100")
    with progress.Shown(False, quiet=False) as shown:
        for done in range(11):      # half of it in 10 seconds
            shown.report(Progress("reading", done, 20))
            clock[0] += 1
        steps(shown, clock, 101)
        shown.report(Progress("scoring", 7, 0))
    stages = screen.getvalue().split("\n")
    assert [stage.split("\r")[-1].split() for stage in stages if stage] == [
        ["reading", "[############------------]", "10/20", "10s", "left"],
        ["training", "[############------------]", "100/200", "nats", "1", "1m40s", "left"],
        ["scoring", "7"]]
    assert all(len(line) < 100 for stage in stages for line in stage.split("\r"))


def test_a_log_gets_a_line_now_and_then(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    with progress.Shown(False, quiet=False) as shown:
        shown.report(Progress("going on from x.training", 0, 0))
        steps(shown, clock, 41, pace=5.0)
    lines = log.getvalue().splitlines()
    assert lines[0] == "going on from x.training"
    assert lines[1] == "training: 0/200, nats 2, 3m20s left"
    assert lines[-1] == "training: 40/200, nats 1.6, 2m40s left"
    assert [line.split("/")[0].split()[-1] for line in lines[1:]] == ["0", "12", "20", "32", "40"]  # minutes, tenths
