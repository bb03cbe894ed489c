"""Bad input: one clear line on stderr, an exit code that is not 0, no traceback, and nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from partimento import cli, formats
from partimento.formats import files
from partimento.score import Score, Track
from partimento.testing import song

SOURCE = Path(cli.__file__).parents[2]
HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Run a command line that must be refused; the one line that it says. Nothing new may be left in the folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object, code: int = 1) -> str:
        before = _files(tmp_path)
        found = cli.main([str(w) for w in words])
        said = capsys.readouterr()
        assert found == code, said
        lines = said.err.splitlines()
        assert len(lines) == 1, said.err
        assert lines[0].startswith("partimento: ")
        assert "Traceback" not in said.out + said.err
        assert len(lines[0]) < 700
        assert _files(tmp_path) == before
        return lines[0]
    return run


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


@pytest.fixture
def music(tmp_path) -> Path:
    path = tmp_path / "song.mid"
    formats.write(song(2, bars=4), path)
    return path


BAD_FILES = {
    "page.mid": HTML, "empty.mid": b"", "short.mid": b"MThd\0\0\0\6\0\1",
    "no-tracks.mid": b"MThd\0\0\0\6\0\1\0\0\1\xe0",
    "noise.mid": np.random.Generator(np.random.PCG64(5)).bytes(1_000_000), "words.txt": b"la la la",
    "sound.mid": b"RIFF\x24\0\0\0WAVEfmt ",
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("words", [["continue"], ["infill", "--bars", "1"], ["harmonize"], ["accompany"], ["vary"],
                                   ["replay"], ["render"]], ids=lambda words: words[0])
def test_a_file_that_is_no_music(refused, tmp_path, name, words):
    (tmp_path / name).write_bytes(BAD_FILES[name])
    model = ["--model", "random"] if words[0] not in ("replay", "render") else []
    line = refused(words[0], name, *words[1:], *model, "-o", "out")
    assert name in line


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_music_to_convert_train_or_inspect(refused, tmp_path, name):
    (tmp_path / name).write_bytes(BAD_FILES[name])
    assert name in refused("convert", name, "-o", "out.mid")
    refused("train", name, "-o", "m.partimento", "--quiet", "--workers", 1)
    refused("inspect", name)


def test_a_file_cut_short_is_read_as_far_as_it_goes_or_refused(music, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = music.read_bytes()
    for length in range(0, len(data), 7):
        Path("cut.mid").write_bytes(data[:length])
        code = cli.main(["vary", "cut.mid", "--model", "random", "--seed", "1", "-o", "o.mid", "--quiet"])
        said = capsys.readouterr()
        assert code in (0, 1)
        assert (code == 0) == Path("o.mid").exists(), said
        assert len(said.err.splitlines()) == (code != 0)
        assert "Traceback" not in said.err
        Path("o.mid").unlink(missing_ok=True)


def test_what_is_not_there(refused):
    assert "there is no such file" in refused("continue", "gone.mid", "--model", "random")
    assert "gone" in refused("convert", "gone", "-o", "x.mid")
    assert "gone" in refused("train", "gone", "-o", "m.partimento", "--quiet")
    assert "gone" in refused("inspect", "gone")
    assert "gone.partimento" in refused("compose", "--model", "gone.partimento")
    assert "no family of models named 'markow'; did you mean 'markov'?" in refused("compose", "--model", "markow")
    refused("compose", "--model", "no.such.module:Class")
    refused("compose", "--model", "random", "--bars", 1, "--format", "wav", "--soundfont", "gone.sf2", "-o", "a.wav")


@pytest.mark.skipif(not Path("/dev/zero").is_char_device(), reason="a device that never ends is POSIX")
def test_a_device_is_no_file_of_music(refused):
    assert "device" in refused("vary", "/dev/zero", "--model", "random")
    for words in (["inspect", "/dev/zero"], ["train", "/dev/zero", "-o", "m.partimento", "--quiet"]):
        assert "/dev/zero" in refused(*words)


def test_a_folder_with_no_music(refused, tmp_path):
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "a.txt").write_text("no music")
    assert "must hold music" in refused("convert", "papers", "-o", "out")
    assert "papers" in refused("train", "papers", "-o", "m.partimento", "--quiet", "--workers", 1)
    assert "a folder" in refused("continue", "papers", "--model", "random")
    (tmp_path / "nothing").mkdir()
    refused("train", "nothing", "-o", "m.partimento", "--quiet")
    refused("inspect", "nothing")


WISHES = [
    (["--bars", "0"], "bars must lie in 1..10000"), (["--bars", "-3"], "bars must lie in 1..10000"),
    (["--meter", "4/5"], "a meter must be"), (["--key", "H sharp"], "a key must be"),
    (["--tempo", "nan"], "tempo must lie in 4..960"), (["--tempo", "0"], "tempo must lie in 4..960"),
    (["--chords", "Xyz"], "a chord must be"), (["--chords", "|"], "chord"),
    (["--range", "violin=9"], "the range of violin must be two pitches such as G3-E6"),
    (["--range", "violin"], "--range must be NAME=VALUE; got 'violin'"),
    (["--range", "piana=C3-C4"], "no track named 'piana'; did you mean 'piano'?"),
    (["--target", "densty=6"], "no control named 'densty'; did you mean 'density'?"),
    (["--target", "density=lots"], "the target density must be a number; got 'lots'"),
    (["--target", "density=nan"], "density must be near"), (["--target", "density"], "--target must be NAME=VALUE"),
    (["--target", "density=6", "--target", "density=9"], "--target must say a name once; 'density' is said twice"),
    (["--target", "bass.density=6"], "no track named 'bass'"),
    (["--tracks", "pianoo"], "piano"), (["--tracks", "piano=300"], "piano"),
    (["-n", "0"], "count must lie in 1..1000"), (["-n", "1001"], "count must lie in 1..1000"),
    (["--seed", "-1"], "seed must lie in"), (["--temperature", "0"], "temperature must lie in"),
    (["--temperature", "nan"], "temperature must lie in"), (["--top-p", "2"], "top_p must lie in"),
    (["--tries", "0"], "tries must lie in"), (["--format", "doc"], "a format must be one of mid, musicxml"),
    (["-o", "a.doc"], "must end in .mid"), (["--bars", "10000", "--meter", "64/1"], "40,000 quarter notes"),
]


@pytest.mark.parametrize(("wish", "says"), WISHES, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_a_wish_that_cannot_be(refused, wish, says):
    assert says in refused("compose", "--model", "random", "--bars", 1, *wish)


@pytest.mark.parametrize(("words", "says"), [
    (["compose", "--bars", "x"], "'x' is not a valid integer"), (["compose", "--tempo", "fast"], "not a valid float"),
    (["compose", "--bar"], "No such option"), (["compoze"], "No such command 'compoze'"),
    (["infill", "song.mid"], "Missing option '--bars'"), (["continue"], "Missing argument 'SONG'"),
    (["compose", "more"], "unexpected extra argument"), (["convert", "a.mid"], "Missing option")])
def test_wrong_usage_is_one_line_and_2(refused, words, says):
    line = refused(*words, code=2)
    assert says.lower() in line.lower()
    assert line.endswith("--help)")


@pytest.mark.parametrize(("words", "says"), [
    (["infill", "song.mid", "--bars", "9"], "bars 1 to 4; there is no bar 9"),
    (["infill", "song.mid", "--bars", "x"], "--bars says where, such as 5-8"),
    (["infill", "song.mid", "--bars", "9" * 5000], "--bars says where, such as 5-8"),
    (["infill", "song.mid", "--bars", "2.9"], "beats 1 to 4; got beat 9"),
    (["infill", "song.mid", "--bars", "1", "--tracks", "melodie"], "did you mean 'melody'?"),
    (["infill", "song.mid", "--bars", "1", "--open", "pich"], "did you mean 'pitch'?"),
    (["infill", "song.mid", "--bars", "1", "--input-meter", "4/5"], "a meter must be"),
    (["infill", "song.mid", "--bars", "1", "--input-downbeat", "nan"], "downbeat must lie inside the piece"),
    (["continue", "song.mid", "--bars", "0"], "bars must lie in"),
    (["harmonize", "song.mid", "--tracks", "melody,piano"], "at least one track"),
    (["vary", "song.mid", "--strength", "1.5"], "strength must lie in 0..1"),
    (["vary", "song.mid", "--strength", "nan"], "strength must lie in 0..1")])
def test_a_wish_that_the_song_cannot_meet(refused, music, words, says):
    assert says in refused(*words, "--model", "random", "-o", "out")


def test_other_words_that_cannot_be(refused, music):
    assert "a tempo must be" in refused("convert", music, "-o", "x.mid", "--tempo", "nan")
    assert "suffix" in refused("convert", music, "-o", "x.wav")
    assert "render writes wav" in refused("render", music, "-o", "x.mid")
    assert "at least one format" in refused("render", music, "-o", "x", "--format", ",")
    assert "lacks fill" in refused("compose", "--model", "partimento.models.base:Model")
    assert "workers must be at least 0" in refused("train", music, "--workers", "-1", "-o", "m.partimento", "--quiet")
    assert "max_notes must be at least 1" in refused("train", music, "--max-notes", "0", "-o", "m.partimento")
    assert "cannot be replayed" in refused("replay", music)
    refused("train", music, "--model", "markov", "--set", "ordr=3", "-o", "m.partimento", "--quiet")
    refused("train", music, "--model", "markov", "--set", "order=x", "-o", "m.partimento", "--quiet")
    refused("train", music, "--model", "markov", "--set", "order", "-o", "m.partimento", "--quiet")
    refused("train", music, "--valid-share", "7", "-o", "m.partimento", "--quiet")
    refused("train", music, "--max-notes", "3", "-o", "m.partimento", "--quiet", "--workers", 1)
    refused("inspect", music, "--max-notes", "3")


def test_a_piece_without_notes(refused, tmp_path):
    formats.write(Score(end=1920 * 4, tracks=(Track("piano"),)), tmp_path / "rests.mid")
    for words in (["continue"], ["infill", "--bars", "1"], ["harmonize"], ["vary"]):
        line = refused(words[0], "rests.mid", *words[1:], "--model", "random", "-o", "out")
        assert "needs a piece with notes" in line or "no notes" in line
    refused("train", "rests.mid", "-o", "m.partimento", "--quiet", "--workers", 1)


def test_a_checkpoint_of_another_kind(refused, music, tmp_path):
    with zipfile.ZipFile(tmp_path / "zip.partimento", "w") as archive:
        archive.writestr("readme.txt", "no model")
    (tmp_path / "json.partimento").write_text(json.dumps({"format": 1}))
    (tmp_path / "page.partimento").write_bytes(HTML)
    (tmp_path / "empty.partimento").write_bytes(b"")
    (tmp_path / "noise.partimento").write_bytes(BAD_FILES["noise.mid"])
    (tmp_path / "dir.partimento").mkdir()
    assert cli.main(["train", str(music), "-o", str(tmp_path / "good.partimento"), "--quiet"]) == 0
    good = (tmp_path / "good.partimento").read_bytes()
    for name, data in (("half", good[: len(good) // 2]), ("head", good[:3]), ("tail", good[:-40]),
                       ("bit", bytes([*good[:200], good[200] ^ 255, *good[201:]]))):
        (tmp_path / f"{name}.partimento").write_bytes(data)
    for name in ("zip", "json", "page", "empty", "noise", "dir", "half", "head", "tail", "bit"):
        line = refused("compose", "--model", f"{name}.partimento", "--bars", 1, "-o", "out")
        assert "checkpoint" in line
    assert "a MIDI file" in refused("compose", "--model", music, "--bars", 1, "-o", "out")


def test_a_target_that_cannot_be_written(refused, music, tmp_path):
    (tmp_path / "file").write_text("a file where a folder should be")
    wish = ("--model", "random", "--bars", 1)
    for out in ("file/a.mid", "file/folder", "file/folder/deep", "file"):
        assert "file" in refused("compose", *wish, "-o", out)
    for words in (["convert", music, "-o", "file/b.mid"], ["render", music, "-o", "file/b.roll.svg"],
                  ["render", music, "-o", "file/b.wav"], ["convert", ".", "-o", "file"],
                  ["train", music, "-o", "file/m.partimento", "--quiet"]):
        assert "file" in refused(*words).replace(str(music), "")
    (tmp_path / "closed.mid").write_bytes(b"mine")
    (tmp_path / "closed.mid").chmod(0o444)
    assert "closed.mid" in refused("compose", *wish, "-o", "closed.mid")
    assert "closed.mid" in refused("convert", music, "-o", "closed.mid")
    assert "null" in refused("compose", *wish, "-o", "a\0b.mid")


@pytest.mark.parametrize("suffix", ["mid", "musicxml", "roll.svg", "roll.png", "html", "wav"])
def test_a_full_disk_leaves_what_was_there(refused, tmp_path, monkeypatch, suffix):
    old = tmp_path / f"a.{suffix}"
    old.write_bytes(b"what was there")

    class Full:
        """A file on a disk that fills up in the middle of a write."""

        def __init__(self, file) -> None:
            self.file = file

        def write(self, data) -> int:
            self.file.write(bytes(data)[: len(data) // 2])
            raise OSError(28, "No space left on device")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

    opened = open
    monkeypatch.setattr(files, "open", lambda path, mode: Full(opened(path, mode)), raising=False)
    line = refused("compose", "--model", "random", "--bars", 1, "--tracks", "flute", "-o", old)
    assert "No space left on device" in line
    assert old.read_bytes() == b"what was there"


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on the size of files is POSIX")
def test_a_disk_that_is_really_full_for_a_process(tmp_path):
    code = ("import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\n"
            "from partimento.cli import main; sys.exit(main(sys.argv[1:]))")
    there = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"}
    for out in ("a.mid", "a.wav", "a.html", "folder"):
        done = subprocess.run([sys.executable, "-c", code, "compose", "--model", "random", "--bars", "2", "-o", out],
                              env=there, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 1, done
        assert len(done.stderr.splitlines()) == 1
        assert "too large" in done.stderr
        assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_stop_is_one_line_and_130(tmp_path, monkeypatch, capsys):
    from partimento import verbs

    def stop(*_, **__):
        raise KeyboardInterrupt
    monkeypatch.setattr(verbs, "compose", stop)
    assert cli.main(["compose", "-o", str(tmp_path)]) == 130
    assert capsys.readouterr().err.strip() == "partimento: stopped"


def test_no_memory_is_one_line(tmp_path, monkeypatch, capsys):
    from partimento import verbs

    def swell(*_, **__):
        raise MemoryError
    monkeypatch.setattr(verbs, "compose", swell)
    assert cli.main(["compose", "-o", str(tmp_path)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_reader_that_went_away_is_no_traceback(tmp_path):
    there = {**os.environ, "PYTHONPATH": str(SOURCE)}
    with subprocess.Popen([sys.executable, "-m", "partimento", "models", "--controls"], env=there, cwd=tmp_path,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        process.wait(60)
    assert b"Traceback" not in err
