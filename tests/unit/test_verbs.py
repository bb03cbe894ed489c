"""Every verb as a function: what it gives, how its files are named, and that the command line gives the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import partimento
from partimento import cli, conversion, formats, generate, output, verbs
from partimento.errors import CheckpointError, ModelError, PartimentoError, RequestError, WriteError
from partimento.models.random import Random
from partimento.provenance import sidecar_of
from partimento.score import Meter, Score, Track
from partimento.testing import song


@pytest.fixture
def music(tmp_path) -> Path:
    path = tmp_path / "my song.mid"
    formats.write(song(2, bars=4), path)
    return path


VERBS = [
    ("compose", {"bars": 3, "meter": "3/4", "tempo": 92, "key": "E minor", "tracks": "violin,piano",
                 "chords": "Em Am B7", "ranges": {"violin": "G3-E6"}, "targets": {"density": 8, "violin.density": 3},
                 "tries": 3, "temperature": 1.5, "top_p": 0.9, "loop": True}),
    ("compose", {}),
    ("continue_", {"bars": 2, "meter": "3/4", "tempo": 60, "key": "C", "tracks": "piano", "chords": "C F"}),
    ("infill", {"bars": "2.3-3", "tracks": "melody", "key": "G", "targets": {"melody.density": 4}, "tries": 2}),
    ("infill", {"bars": "2", "open": "pitch", "input_meter": "3/4"}),
    ("harmonize", {"tracks": "bass,cello", "chords": "C G", "ranges": {"bass": "E1-E3"}}),
    ("accompany", {"key": "C"}),
    ("vary", {"strength": 0.25, "tracks": "piano", "open": "pitch", "input_downbeat": 1.0}),
    ("vary", {}),
]


def arguments(wish: dict) -> list[str]:
    """The wish as options of the command line."""
    out = []
    for name, value in wish.items():
        if name in ("ranges", "targets"):
            out += [part for k, v in value.items() for part in (f"--{name[:-1]}", f"{k}={v}")]
        elif value is True:
            out.append(f"--{name}")
        else:
            out += [f"--{name.replace('_', '-')}", str(value)]
    return out


@pytest.mark.parametrize(("verb", "wish"), VERBS)
def test_python_and_the_command_line_give_the_same_bytes(verb, wish, music, tmp_path, capsys):
    given = () if verb == "compose" else (music,)
    results = getattr(verbs, verb)(*given, **wish, model="random", seed=9, count=2)
    ours = output.write(results, tmp_path / "python", name="" if verb == "compose" else music.stem)
    line = [verb.rstrip("_"), *map(str, given), *arguments(wish), "--model", "random", "--seed", "9", "-n", "2",
            "-o", str(tmp_path / "shell"), "--format", "mid", "--quiet"]
    assert cli.main(line) == 0
    theirs = [Path(p) for p in capsys.readouterr().out.splitlines()]
    assert [p.name for p in ours] == [p.name for p in theirs]
    assert [p.read_bytes() for p in ours] == [p.read_bytes() for p in theirs]
    assert ours[0].read_bytes() != ours[1].read_bytes()
    records = [sidecar_of(p).read_bytes() for p in theirs]
    assert [sidecar_of(p).read_bytes() for p in ours] == records
    for path, record in zip(theirs, records, strict=True):
        for source in (path, sidecar_of(path)):
            assert cli.main(["replay", str(source), "-o", str(tmp_path / "again"), "--format", "mid"]) == 0
            lines = capsys.readouterr().out.splitlines()
            assert f"{source}: the same bytes" in lines
            assert sidecar_of(lines[-1]).read_bytes() == record


@pytest.mark.parametrize(("verb", "wish"), VERBS)
def test_a_stream_is_the_same_in_python_and_on_the_command_line(verb, wish, music, tmp_path, capsys):
    wish = {name: value for name, value in wish.items() if name != "tries"}
    given = () if verb == "compose" else (music,)
    bars = partimento.stream(*given, verb=verb, model="random", seed=9, index=1, **wish)
    assert sum(len(bar) for bar in bars) <= len(bars.finish().score)
    name = "" if verb == "compose" else music.stem
    ours = output.write([bars.finish()], tmp_path / "python", name=name)[0]
    line = [verb.rstrip("_"), *map(str, given), *arguments(wish), "--model", "random", "--seed", "9", "-n", "2",
            "-o", str(tmp_path / "shell"), "--format", "mid", "--quiet", "--stream"]
    assert cli.main(line) == 0
    theirs = Path(capsys.readouterr().out.splitlines()[1])
    assert (theirs.name, theirs.read_bytes()) == (ours.name, ours.read_bytes())
    assert "-stream-seed9-2" in theirs.name
    assert output.compare(theirs, verbs.replay(theirs)) == output.SAME_BYTES


def test_every_verb_is_a_name_of_the_package():
    for name in ("compose", "continue_", "infill", "harmonize", "accompany", "vary", "replay", "convert", "stream"):
        assert getattr(partimento, name) is getattr(conversion if name == "convert" else verbs, name)


def test_a_seed_not_given_is_drawn_and_told():
    first, second = (verbs.compose(model="random", bars=1)[0].request for _ in range(2))
    assert first.seed != second.seed
    assert verbs.compose(model="random", bars=1, seed=first.seed)[0].request == first


def test_music_may_be_a_score_a_path_or_text(music):
    found = [verbs.infill(m, bars="2", model="random", seed=3)[0].score.content_hash
             for m in (music, str(music), formats.read(music))]
    assert len(set(found)) == 1


def test_a_model_may_be_an_object_a_family_or_a_class_of_your_own():
    for model in (Random(), "random", "partimento.models.random:Random"):
        assert isinstance(verbs.choose_model(model).model, Random)
    for name, kind in (("randm", ModelError), ("no.such:Thing", ModelError), ("json:JSONDecoder", ModelError),
                       ("gone.partimento", CheckpointError)):
        with pytest.raises(kind):
            verbs.choose_model(name)


def test_file_names_say_the_input_and_the_settings(music, tmp_path):
    result = verbs.compose(model="random", bars=2, key="F# minor", meter="3/4", tempo=92, seed=7, count=2)
    names = [p.name for p in output.write(result, tmp_path)]
    assert names == [f"compose-random-Fsharp-minor-3-4-92bpm-seed7-{k}.mid" for k in (1, 2)]
    again = verbs.infill(music, bars="2.3-3", model="random", seed=7)
    assert output.write(again, tmp_path, name="a/b:c")[0].name == "a-b-c-infill-random-bars2.3-3-seed7-1.mid"
    assert output.write(verbs.vary(music, model="random", strength=0.3, seed=7), tmp_path)[0].name == \
        "vary-random-0.3-seed7-1.mid"
    assert len(output.write(again, tmp_path, name="x" * 300)[0].name) < 120


def test_a_file_name_says_its_format(tmp_path):
    one, three = verbs.compose(model="random", bars=1, seed=1), verbs.compose(model="random", bars=1, seed=1, count=3)
    for name in ("a.mid", "b.MID", "c.midi", "d.roll.svg", "e.wav", "f.musicxml", "g.xml", "h.MXL", "i.abc"):
        paths = output.write(one, tmp_path / name)
        assert paths == [tmp_path / name]
        assert paths[0].stat().st_size > 20
    assert [p.name for p in output.write(three, tmp_path / "a.roll.png")] == [f"a-{k}.roll.png" for k in (1, 2, 3)]
    assert [p.name for p in output.write(three, tmp_path / "f.mid")] == ["f-1.mid", "f-2.mid", "f-3.mid"]
    assert [p.name for p in output.write(one, tmp_path / "g.mid", makes=["roll.svg", "mid"])] == ["g.mid", "g.roll.svg"]
    assert output.write(one, tmp_path / "deep" / "er" / "h.mid")[0].is_file()
    with pytest.raises(RequestError, match=r"must end in \.mid, .*for a folder of that name write a / behind it"):
        output.write(one, tmp_path / "i.doc")
    assert output.write(one, f"{tmp_path}/take.2/")[0].parent == tmp_path / "take.2"
    assert output.write(one, tmp_path / "take.2")[0].parent == tmp_path / "take.2"  # it is there now
    with pytest.raises(RequestError, match="a format must be one of mid, musicxml"):
        output.write(one, tmp_path, makes=["doc"])


FREE = [make for make in output.MAKES if make not in output.PAGES]         # what needs no extra
MAGIC = {"mid": b"MThd", "wav": b"RIFF", "flac": b"fLaC", "ogg": b"OggS", "png": b"\x89PNG", "svg": b"<svg",
         "html": b"<!doctype html>"}


def test_every_format_is_written(tmp_path):
    results = verbs.compose(model="random", bars=1, meter="2/4", tempo=200, seed=3, count=2)
    paths = output.write(results, tmp_path, makes=list(reversed(FREE)))
    endings = [Path(f"a.{make}").suffix for make in FREE if make != "html"]
    assert [p.suffix for p in paths] == [ending for ending in endings for _ in range(2)] + [".html"]
    assert paths[-1].name == "index.html"
    for path in paths:
        data = path.read_bytes()
        start = MAGIC.get(path.suffix[1:])
        assert len(data) > 100
        assert start is None or data[:60].lstrip().lower().startswith(start.lower()) or start in data[:200], path
    assert not [p for p in tmp_path.iterdir() if p.suffix == ".part"]
    page = paths[-1].read_text(encoding="utf-8")
    assert page.count("<audio") == 2


@pytest.mark.parametrize("suffix", ["wav", "roll.png", "roll.svg", "html"])
def test_render_by_suffix(suffix, tmp_path):
    path = tmp_path / "new" / f"a.{suffix}"
    assert output.render(song(1, bars=1), path) == [path]
    assert path.stat().st_size > 500


def test_render_and_convert_give_the_bytes_of_the_command_line(music, tmp_path, capsys):
    ours = output.render(music, tmp_path / "python", makes="roll.svg,.FLAC", loop=True, input_meter="3/4")
    assert cli.main(["render", str(music), "-o", str(tmp_path / "shell"), "--format", "roll.svg,.FLAC", "--loop",
                     "--input-meter", "3/4"]) == 0
    done = conversion.convert(tmp_path, tmp_path / "python", tempo=77, input_downbeat=1.0)
    assert done == ([tmp_path / "python" / "my song.mid"], [])
    assert cli.main(["convert", str(music), "-o", str(tmp_path / "shell"), "--tempo", "77",
                     "--input-downbeat", "1"]) == 0
    theirs = [Path(p) for p in capsys.readouterr().out.splitlines()]
    assert [p.name for p in theirs] == ["my song.roll.svg", "my song.flac", "my song.mid"]
    assert [p.read_bytes() for p in theirs] == [p.read_bytes() for p in [*ours, *done.written]]


def test_convert_skips_what_is_no_music_unless_all_of_it_is(music, tmp_path):
    source = music.parent / "in"
    source.mkdir()
    music = music.rename(source / music.name)
    for name in ("a", "b"):
        (source / f"{name}.mid").write_text("<html>")
    seen = []
    done = conversion.convert(source, tmp_path / "out", report=lambda p: seen.append((p.done, p.total)) is None)
    assert done.written == [tmp_path / "out" / "my song.mid"]
    assert [sentence.split(":")[0] for sentence in done.skipped] == [str(source / f"{n}.mid") for n in "ab"]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert conversion.convert(source, tmp_path / "two", report=lambda p: False).written == []
    music.unlink()
    with pytest.raises(WriteError, match=r"none of 2 is, the first because: .*a\.mid"):
        conversion.convert(source, tmp_path / "three")


def test_a_score_is_rendered_into_a_folder(tmp_path):
    assert output.render(song(1, bars=1), tmp_path / "new", makes=["roll.svg"]) == [tmp_path / "new" / "piece.roll.svg"]


def test_render_refuses_what_is_no_sound_or_picture(tmp_path):
    with pytest.raises(RequestError, match="render writes wav, flac"):
        output.render(song(1), tmp_path / "a.mid")
    with pytest.raises(RequestError, match="render writes wav, flac"):
        output.render(song(1), tmp_path / "new", makes="roll.svg,mid")
    with pytest.raises(RequestError, match="a format must be one of mid, musicxml"):
        output.render(song(1), tmp_path / "new", makes="doc")
    assert not list(tmp_path.iterdir())


def test_a_loop_has_the_exact_sample_count(tmp_path):
    import soundfile

    result = verbs.compose(model="random", bars=2, meter="3/4", tempo=90, loop=True, seed=1)
    path = output.write(result, tmp_path / "loop.wav")[0]
    assert soundfile.info(path).frames == round(2 * 3 * 60 / 90 * 44100)


def test_the_input_is_read_in_another_meter_and_no_note_moves(music):
    plain, other = verbs.load(music), verbs.load(music, "3/4", 1.0)
    assert other.notes().tolist() == plain.notes().tolist()
    assert other.meters[0] == Meter(0, 3, 4)
    assert other.has_pickup
    assert verbs.load(music, "3/4").bar_starts.tolist()[:3] == [0, 1440, 2880]
    for meter, beat in (("4/5", None), (None, float("nan")), (None, -1.0), (None, 1e9), ("x", 0.0)):
        with pytest.raises(RequestError):
            verbs.load(music, meter, beat)


def test_replay_from_python(music, tmp_path):
    result = verbs.vary(music, strength=0.4, model="random", seed=5)[0]
    path = output.write([result], tmp_path / "v.mid")[0]
    again = verbs.replay(path)
    assert formats.to_bytes(generate.stamped(again)) == path.read_bytes()
    with pytest.raises(RequestError, match="has none, so it cannot be replayed"):
        verbs.replay(music)


def test_replay_wants_the_model_that_made_it(tmp_path):
    made = verbs.compose(model=Random(densities=(1.0,)), bars=1, seed=1)[0]
    assert made.request.model == "random"
    gone = made.request.replace(model="mine.partimento", model_hash="ab" * 32)
    path = tmp_path / "g.mid"
    formats.write(generate.stamped(type(made)(**{**made.__dict__, "request": gone})), path)
    with pytest.raises(RequestError, match=r"made by the checkpoint mine\.partimento, which is not here"):
        verbs.replay(path)
    with pytest.raises(RequestError, match="with sha256 abababababab"):
        verbs.replay(path, model="random")
    formats.write(generate.stamped(type(made)(**{**made.__dict__, "request": made.request.replace(model=None)})), path)
    with pytest.raises(RequestError, match="does not say which model made it"):
        verbs.replay(path)


def test_forty_tracks_in_and_out(tmp_path):
    rows = [(i * 120, 240, 40 + i, 80, i) for i in range(40)]
    source = Score.from_rows(rows, end=1920 * 4, tracks=tuple(Track(f"part {i}", i) for i in range(40)))
    path = tmp_path / "forty.mid"
    formats.write(source, path)
    result = verbs.infill(path, bars="2-3", tracks="part 7", model="random", seed=1)[0]
    back = formats.read(output.write([result], tmp_path / "out.mid")[0])
    assert [t.name for t in back.tracks] == [t.name for t in source.tracks]
    assert set(np.unique(back.track[back.onset >= 1920]).tolist()) <= set(range(40))


def test_a_target_under_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file" / "a.mid", tmp_path / "file" / "folder"):
        with pytest.raises(WriteError, match="the target must be a folder that can be written"):
            output.write(verbs.compose(model="random", bars=1, seed=1), out)
    assert json.dumps([p.name for p in tmp_path.iterdir()]) == '["file"]'


def test_all_errors_are_of_one_family():
    assert issubclass(RequestError, PartimentoError)
    assert issubclass(RequestError, ValueError)
