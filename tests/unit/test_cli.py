"""The command line: what is printed where, which files are written, and the exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from partimento import __version__, cli, formats, output, verbs
from partimento.models.base import FAMILIES
from partimento.score import Meter, Tempo, Track
from partimento.testing import song

SOURCE = Path(cli.__file__).parents[2]
LEARNT = ["compose", "continue", "infill", "harmonize", "accompany", "vary"]


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    """Run a command line in an empty folder; its exit code and what it printed, by lines."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, list[str], list[str]]:
        code = cli.main([str(w) for w in words])
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err.splitlines()
    return run


@pytest.fixture
def music(tmp_path) -> Path:
    path = tmp_path / "song.mid"
    formats.write(song(2, bars=4), path)
    return path


def test_no_words_and_help_show_every_command(shell):
    for words in ((), ("--help",), ("-h",)):
        code, out, err = shell(*words)
        assert (code, err) == (0, [])
        for verb in (*LEARNT, "replay", "demo", "train", "inspect", "convert", "render", "models", "doctor",
                     "data", "evaluate", "registry", "provenance"):
            assert any(line.strip().startswith(f"{verb} ") for line in out)
    assert shell("--version")[1] == [f"partimento, version {__version__}"]


def test_the_written_path_is_the_last_line(shell, tmp_path):
    code, out, err = shell("compose", "--model", "random", "--bars", 2, "--seed", 7, "-o", "out")
    assert (code, err) == (0, [])
    assert out[0].startswith("candidate 1 of seed 7: ")
    assert "  + bars: asked 2, got 2" in out
    assert out[-2:] == [str(Path("out/compose-random-4-4-120bpm-seed7-1.mid")), str(Path("out/index.html"))]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        Path(out[-2]).name, Path(out[-2]).with_suffix(".provenance.json").name, "index.html"]


@pytest.mark.parametrize(("out", "count", "names"), [
    ("a.mid", 1, ["a.mid"]), ("a.mid", 3, ["a-1.mid", "a-2.mid", "a-3.mid"]),
    (".", 1, ["compose-random-4-4-120bpm-seed7-1.mid", "index.html"]),
    ("new/deep", 2, ["compose-random-4-4-120bpm-seed7-1.mid", "compose-random-4-4-120bpm-seed7-2.mid",
                     "index.html"])])
def test_where_it_is_written(shell, out, count, names):
    code, said, _ = shell("compose", "--model", "random", "--bars", 1, "--seed", 7, "-o", out, "-n", count, "--quiet")
    assert code == 0
    assert [Path(p).name for p in said] == names
    assert all(Path(p).is_file() for p in said)


def test_formats_beside_a_named_file(shell):
    code, said, _ = shell("compose", "--model", "random", "--bars", 1, "-o", "a.mid", "--format",
                          "mid,roll.svg,.roll.PNG,html", "--quiet")
    assert code == 0
    assert said == ["a.mid", "a.roll.png", "a.roll.svg", "a.html"]


def test_quiet_prints_only_paths_and_json_an_object_a_line(shell, music):
    wish = ("--model", "random", "--seed", 3, "--format", "mid", "-o", "o")
    for verb, more in (("compose", ["--bars", 1]), ("continue", [music, "--bars", 1]), ("infill", [music, "--bars", 2]),
                       ("harmonize", [music, "--tracks", "bass"]), ("accompany", [music]),
                       ("vary", [music, "--target", "density=8"])):
        code, quiet, _ = shell(verb, *more, *wish, "--quiet")
        assert code == 0
        assert len(quiet) == 1
        assert Path(quiet[0]).is_file()
        code, lines, err = shell(verb, *more, *wish, "--json")
        found = [json.loads(line) for line in lines]
        assert (code, err) == (0, [])
        assert found[-1] == {"written": quiet[0]}
        assert found[0]["seed"] == 3
        assert {"candidate", "notes", "new", "bars", "rows", "told", "retries", "moved"} <= set(found[0])
        assert shell(verb, *more, *wish, "--json", "--quiet")[1] == lines[-1:]


def test_stream_prints_a_line_a_bar_and_writes_what_replays(shell, music):
    wish = ("--model", "random", "--seed", 3, "--stream")
    for verb, more, bars in (("compose", ["--bars", 3], [1, 2, 3]), ("continue", [music, "--bars", 2], [5, 6]),
                             ("infill", [music, "--bars", "2-3"], [2, 3]),
                             ("harmonize", [music, "--tracks", "bass"], [1, 2, 3, 4]), ("vary", [music], [1, 2, 3, 4])):
        code, out, err = shell(verb, *more, *wish, "--format", "mid", "-o", "o.mid")
        assert (code, err) == (0, [])
        said = [line for line in out if line.startswith("bar ")]
        assert [int(line.split()[1].rstrip(":")) for line in said][-len(bars):] == bars
        assert "  streamed: the first attempt as it came, without ranking or retries" in out
        assert out[-1] == "o.mid"
        assert shell("replay", "o.mid", "-o", "again.mid")[1][0] == "o.mid: the same bytes"
    code, out, _ = shell("compose", "--bars", 2, *wish, "-n", 2, "--json", "--format", "mid")
    lines = [json.loads(line) for line in out]
    assert [(line["candidate"], line["bar"]) for line in lines[:4]] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert all(line["notes"] == sum(map(len, line["pitches"].values())) for line in lines[:4])
    assert [line["seed"] for line in lines[4:6]] == [3, 3]
    assert len({line["written"] for line in lines[6:]}) == 2
    code, _, err = shell("compose", *wish, "--tries", 3)
    assert (code, err) == (1, ["partimento: --tries must be left out with --stream: the first attempt stands as it "
                               "comes"])


def test_json_of_the_others(shell, music):
    shell("compose", "--model", "random", "--bars", 1, "-o", "a.mid")
    for words in (["models"], ["models", "--controls"], ["doctor"], ["replay", "a.mid", "-o", "again"],
                  ["render", music, "-o", "r.roll.svg"], ["convert", music, "-o", "c.mid"],
                  ["convert", ".", "-o", "c"]):
        code, lines, _ = shell(*words, "--json")
        assert code == 0
        assert lines
        assert all(isinstance(json.loads(line), dict) for line in lines), words


def test_replay_says_the_same_bytes(shell, music):
    code, out, _ = shell("vary", music, "--model", "random", "--seed", 5, "-o", "v.mid", "--quiet")
    assert (code, out) == (0, ["v.mid"])
    code, out, _ = shell("replay", "v.mid", "-o", "w.mid")
    assert (code, out) == (0, ["v.mid: the same bytes", "w.mid"])
    assert Path("v.mid").read_bytes() == Path("w.mid").read_bytes()


def test_replay_says_when_the_notes_are_others(shell):
    shell("compose", "--model", "random", "--bars", 2, "--seed", 5, "-o", "v.mid")
    score = formats.read("v.mid")
    formats.write(score.replace(pitch=score.pitch + 1), "edited.mid")
    code, out, err = shell("replay", "edited.mid", "-o", "w.mid")
    assert code == 1
    assert out == ["edited.mid: OTHER NOTES", "w.mid"]
    assert "a replay must give the same notes" in err[0]
    formats.write(score.replace(tempos=(Tempo(0, 400_000),)), "slower.mid")
    assert shell("replay", "slower.mid", "-o", "w.mid")[:2] == (
        0, ["slower.mid: the same notes, other bytes", "w.mid"])


def test_input_meter_and_downbeat(shell, music):
    code, _, _ = shell("infill", music, "--bars", "0", "--input-meter", "3/4", "--input-downbeat", 1,
                       "--model", "random", "--seed", 1, "-o", "a.mid", "--quiet")
    assert code == 0
    score, old = formats.read("a.mid"), formats.read(music)
    assert score.meters == (Meter(0, 3, 4), Meter(480, 3, 4))
    assert score.select(score.onset >= 480).notes().tolist() == old.select(old.onset >= 480).notes().tolist()


def test_convert_a_file_and_a_folder(shell, music, tmp_path):
    assert shell("convert", music, "-o", "b.kar", "--tempo", 60, "--input-meter", "2/4")[:2] == (0, ["b.kar"])
    made = formats.read("b.kar")
    assert made.tempos == (Tempo(0, 1_000_000),)
    assert made.meters == (Meter(0, 2, 4),)
    assert made.notes().tolist() == formats.read(music).notes().tolist()
    folder = tmp_path / "in" / "sub"
    folder.mkdir(parents=True)
    for name in ("x.mid", "x.kar", "y.MID"):
        formats.write(song(1), folder / name)
    (folder / "bad.mid").write_text("<html>")
    (folder / "notes.txt").write_text("no music")
    code, out, err = shell("convert", "in", "-o", "out")
    assert code == 0
    assert out[0] == "3 converted, 1 skipped"
    assert sorted(out[1:]) == sorted(str(Path("out/sub") / n) for n in ("x.mid", "x.mid.mid", "y.mid"))
    assert len(err) == 1
    assert err[0].startswith("skipped ")
    assert "bad.mid" in err[0]
    assert sorted(p.name for p in Path("out/sub").iterdir()) == ["x.mid", "x.mid.mid", "y.mid"]


def test_render_into_a_file_and_a_folder(shell, music):
    assert shell("render", music, "-o", "a.roll.png") == (0, ["a.roll.png"], [])
    assert shell("render", music, "-o", "r", "--format", "svg,html")[1] == [str(Path("r/song.svg")),
                                                                           str(Path("r/song.html"))]
    code, out, _ = shell("render", music, "-o", "short.wav", "--loop")
    assert (code, out) == (0, ["short.wav"])


def test_models_and_controls_and_doctor(shell):
    code, out, _ = shell("models")
    assert code == 0
    assert all(any(line.startswith(name) for line in out) for name in FAMILIES)
    assert any(line.startswith("density") and "notes a bar" in line for line in shell("models", "--controls")[1])
    code, out, _ = shell("doctor")
    assert code == 0
    assert all(line.startswith(("ok  ", "MISS")) for line in out)
    assert any(line.startswith("ok   soundfont") for line in out) or any("pretty_midi" in line for line in out)


def test_a_learnt_model_composes_by_its_file(shell, tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for seed in range(4):
        formats.write(song(seed), folder / f"{seed}.mid")
    code, out, err = shell("train", "corpus", "--model", "markov", "-o", "m.partimento", "--valid-share", 0.25,
                           "--workers", 1, "--licence", "CC0-1.0")
    assert code == 0, err
    assert out[-1] == "m.partimento"
    wish = ["--model", "m.partimento", "--seed", 4, "--format", "mid", "--quiet", "-o"]
    first = shell("compose", "--bars", 2, *wish, "a")[1][0]
    assert Path(first).name.startswith("compose-m-")
    assert shell("replay", first, "--model", "m.partimento", "-o", "r.mid")[1][0] == f"{first}: the same bytes"
    for verb, more in (("continue", ["--bars", "2"]), ("infill", ["--bars", "2-3"]), ("vary", []),
                       ("infill", ["--bars", "3", "--open", "pitch"]), ("harmonize", ["--tracks", "bass"])):
        code, out, err = shell(verb, "corpus/0.mid", *more, *wish, "b")
        assert code == 0, (verb, err)
        made, old = formats.read(out[-1]), song(0)
        kept = {tuple(r) for r in made.notes().tolist()} & {tuple(r) for r in old.notes().tolist()}
        assert kept, verb
    shell("train", "corpus/1.mid", "--model", "markov", "-o", "other.partimento", "--quiet")
    code, _, err = shell("replay", first, "--model", "other.partimento", "-o", "r.mid")
    assert code == 1
    assert "give the right one with --model" in err[0]


def _process(*words: str, **more) -> subprocess.CompletedProcess[bytes]:
    there = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run([sys.executable, "-m", "partimento", *words], env=there, capture_output=True, check=False,
                          timeout=120, **more)


def test_a_process_of_its_own_writes_the_same_bytes(tmp_path):
    results = verbs.compose(model="random", bars=2, key="Bb", tempo=77, tracks="flute", seed=7)
    ours = output.write(results, tmp_path / "ours.mid")[0]
    done = _process("compose", "--model", "random", "--bars", "2", "--key", "Bb", "--tempo", "77", "--tracks", "flute",
                    "--seed", "7", "-o", "theirs.mid", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines()[-1] == "theirs.mid"
    assert (tmp_path / "theirs.mid").read_bytes() == ours.read_bytes()


def test_names_outside_ascii_are_printed_on_any_terminal(tmp_path):
    formats.write(song(1, bars=2).replace(tracks=(Track("Flöte ♭", 73), Track("ピアノ"))), tmp_path / "süß.mid")
    there = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-m", "partimento", "infill", "süß.mid", "--bars", "1", "--tracks", "ピアノ",
                           "--model", "random", "-o", "ü.mid"], env=there, capture_output=True, check=False,
                          cwd=tmp_path, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "ü.mid").is_file()
