"""Records of provenance: what they hold, that they are told the same every time, and what they find changed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from partimento import checkpoint, formats, generate, output, provenance, verbs
from partimento.cli.provenance import provenance_group
from partimento.errors import ReadError, RequestError
from partimento.provenance.kept import differences, kept_of
from partimento.request import Result
from partimento.score import Controls, Mark, Meter, Score, Tempo, Text, Track
from partimento.testing import inputs, song

MUSIC = ["mid", "musicxml", "mxl", "abc"]


def duet(seed: int = 7, bars: int = 8) -> Result:
    return verbs.compose(model="random", bars=bars, tracks="flute,piano", key="C", seed=seed)[0]


def edit(path: Path, track: int, bar: int, **changed: int) -> None:
    """Change the first note of a bar of a track by so much, in the file."""
    score = formats.read(path)
    start, end = score.bar_span(bar)
    here = np.flatnonzero((score.track == track) & (score.onset >= start) & (score.onset < end))[0]
    columns = {}
    for name, by in changed.items():
        column = getattr(score, name).copy()
        column[here] += by
        columns[name] = column
    formats.write(score.replace(**columns), path)


# --- what is written -----------------------------------------------------------------------------------------------


def test_music_without_a_record_has_the_bytes_that_it_has_with_one(tmp_path):
    result = duet()
    plain = output.write([result], tmp_path / "plain", makes=MUSIC, provenance=False)
    told = output.write([result], tmp_path / "told", makes=MUSIC)
    assert [p.read_bytes() for p in plain] == [p.read_bytes() for p in told]
    assert [p.read_bytes() for p in plain] == [formats.to_bytes(generate.stamped(result), p.suffix) for p in plain]
    assert not list((tmp_path / "plain").glob("*.json"))
    assert [p.name for p in (tmp_path / "told").glob("*.json")] == [f"{told[0].stem}.provenance.json"]


@pytest.mark.parametrize("inside", [False, True])
def test_the_same_piece_has_the_same_record_wherever_and_whenever_it_is_written(inside, tmp_path, monkeypatch):
    first = output.write([duet()], tmp_path / "a" / "x.mid", makes=MUSIC, inside=inside)
    monkeypatch.setenv("USER", "somebody")
    monkeypatch.setattr("time.time", lambda: 1e9)
    second = output.write([duet()], tmp_path / "b" / "x.mid", makes=MUSIC, inside=inside)
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    texts = [provenance.sidecar_of(p).read_bytes() for p in (first[0], second[0])]
    assert texts[0] == texts[1]
    assert str(tmp_path).encode() not in texts[0]
    assert b"x.mid" not in texts[0]


def test_each_candidate_has_one_record_for_all_its_formats(tmp_path):
    results = verbs.compose(model="random", bars=2, seed=1, count=2)
    paths = output.write(results, tmp_path / "a.mid", makes=["mid", "abc", "roll.svg"])
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [p.name for p in paths] + ["a-1.provenance.json", "a-2.provenance.json"])
    for number in (1, 2):
        record = provenance.read_record(tmp_path / f"a-{number}.provenance.json")
        assert record.request.index == number - 1
        for suffix in (".mid", ".abc"):
            data = (tmp_path / f"a-{number}{suffix}").read_bytes()
            assert record.files[suffix] == hashlib.sha256(data).hexdigest()
        assert set(record.kept) == {"midi", "abc"}
    assert output.write(results[:1], tmp_path / "s" / "b.roll.svg")
    assert (tmp_path / "s" / "b.provenance.json").is_file()


def test_what_was_written_of_the_same_piece_before_stays_recorded(tmp_path):
    output.write([duet()], tmp_path / "a.mid")
    output.write([duet()], tmp_path / "a.musicxml")
    both = provenance.read_record(tmp_path / "a.provenance.json")
    assert (set(both.files), set(both.kept)) == ({".mid", ".musicxml"}, {"midi", "musicxml"})
    assert both == provenance.read_record(provenance.sidecar_of(
        output.write([duet()], tmp_path / "once" / "a.mid", makes=["mid", "musicxml"])[0]))
    output.write([duet(8)], tmp_path / "a.mid")         # another piece under that name
    assert set(provenance.read_record(tmp_path / "a.provenance.json").files) == {".mid"}
    (tmp_path / "a.provenance.json").write_text("{", encoding="utf-8")
    output.write([duet()], tmp_path / "a.mid")
    assert provenance.verify(tmp_path / "a.mid").ok


def test_what_is_known_of_the_model_is_told(tmp_path):
    loaded = checkpoint.load(checkpoint.bundled("markov"))
    known = provenance.taught_by(loaded)
    assert known["learnt"]["ledger"] == loaded.ledger_hash()
    assert known["learnt"]["corpus"] == loaded.record["fingerprint"]
    assert known["learnt"]["licences"] == loaded.record["licences"]
    made = verbs.compose(bars=2, tracks="piano", seed=1)
    path = output.write(provenance.attributed(made, known), tmp_path / "a.mid")[0]
    record = provenance.found_record(path)
    assert (record.maker["family"], record.maker["checkpoint"]) == ("markov", loaded.hash)
    assert record.steps[0]["checkpoint"] == loaded.hash
    assert record.request == made[0].request
    odd = dataclasses.replace(made[0], originality={"share": float("nan")})
    with pytest.raises(RequestError, match="originality must be JSON-ready"):
        provenance.record_of(odd)
    new = dataclasses.replace(made[0], originality={"verdict": "original", "bars": [1, 2]})
    assert provenance.record_of(new).originality == {"verdict": "original", "bars": [1, 2]}


def test_a_page_says_what_is_recorded_and_how_to_turn_it_off(tmp_path):
    results = [duet(bars=1)]
    page = output.write(results, tmp_path / "on", makes=["html"])[0]
    text = page.read_text(encoding="utf-8")
    assert "who made each bar" in text
    assert "--no-provenance leaves it out" in text
    assert text.count('.provenance.json</a>') == 1
    assert text.index("</main>") < text.index("who made each bar") < text.index("<script>\n")
    assert [p.name for p in page.parent.iterdir()] == ["index.html"]
    text = output.write(results, tmp_path / "off", makes=["html"], provenance=False)[0].read_text(encoding="utf-8")
    assert "No records of provenance were written" in text
    assert ".provenance.json" not in text


# --- the hashes ----------------------------------------------------------------------------------------------------


def test_a_bar_of_a_track_hashes_as_worked_out_by_hand():
    score = song(4, bars=3).replace(texts=(Text(0, -1, "text", "partimento 9 {}"),))
    kept = kept_of(score)
    assert kept.numbers == range(1, 4)
    for track in range(2):
        for bar in range(1, 4):
            start, end = score.bar_span(bar)
            mine = sorted((Fraction(o - start, 480), p, Fraction(d, 480), v) for o, d, p, v, t in score.notes().tolist()
                          if t == track and start <= o < end)
            begins = b"".join(struct.pack("<3i", *o.as_integer_ratio(), p) for o, p, _, _ in mine)
            lengths = b"".join(struct.pack("<2i", *d.as_integer_ratio()) for _, _, d, _ in mine)
            loud = bytes(v for *_, v in mine)
            hashes = [hashlib.sha256(data).hexdigest() for data in (begins, lengths, loud)]
            assert kept.cells[track][bar] == hashes[0][:16] + hashes[1][:8] + hashes[2][:8]
    assert kept.content == score.replace(texts=()).content_hash
    twice = score.replace(ticks_per_quarter=960, **{c: getattr(score, c) * 2 for c in ("onset", "duration")}, end=11520,
                          meters=score.meters)
    assert kept_of(twice).cells == kept.cells


@pytest.mark.parametrize(("suffix", "inside"), [("mid", False), ("mid", True), ("midi", False), ("rmi", True),
                                                ("musicxml", False), ("musicxml", True), ("mxl", True), ("abc", False)])
def test_every_format_comes_back_unchanged(suffix, inside, tmp_path):
    for number, source in enumerate(inputs()):
        result = verbs.vary(source, strength=0.5, model="random", seed=number)[0]
        path = output.write([result], tmp_path / f"{number}.{suffix}", inside=inside, provenance=not inside)[0]
        found = provenance.verify(path)
        assert (found.state, found.ok, bool(found.changes)) == ("unsigned", True, False), (number, found.said)
        record = found.record
        # by its content too, not by the bytes of the file alone
        other = tmp_path / f"other.{suffix}"
        formats.write(formats.read(path), other)
        again = provenance.verify(other, sidecar=None if inside else provenance.sidecar_of(path))
        assert again.ok, (number, again.said)
        assert record.request.seed == number


def test_a_record_inside_is_compact_and_is_not_taken_on(tmp_path):
    path = output.write([duet()], tmp_path / "a.mid", inside=True)[0]
    inside = provenance.record_inside(formats.read(path))
    assert inside.request.input is None
    assert (set(inside.kept), inside.files) == ({"midi"}, {})
    with pytest.raises(RequestError, match="ABC has no place for one"):
        output.write([duet()], tmp_path / "a.abc", inside=True, provenance=False)
    xml = output.write([duet()], tmp_path / "a.musicxml", inside=True)[0].read_text(encoding="utf-8")
    assert xml.count('<miscellaneous-field name="text">partimento-provenance {') == 1
    second = output.write([verbs.infill(path, bars="2", model="random", seed=3)[0]], tmp_path / "b.mid")[0]
    assert b"partimento-provenance" not in second.read_bytes()


@pytest.mark.parametrize("bar", [1, 3, 8])
@pytest.mark.parametrize("track", [0, 1])
@pytest.mark.parametrize(("suffix", "column", "by"), [
    ("mid", "pitch", 1), ("mid", "velocity", 1), ("mid", "duration", -1), ("musicxml", "pitch", 2),
    ("abc", "pitch", 12)])
def test_a_bar_that_was_edited_is_named_and_no_other(track, bar, suffix, column, by, tmp_path):
    source = song(3, bars=8)
    source = source.replace(velocity=np.clip(source.velocity, 1, 100))
    path = output.write(verbs.vary(source, strength=0, model="random", seed=1), tmp_path / f"a.{suffix}")[0]
    edit(path, track, bar, **{column: by})
    found = provenance.verify(path)
    assert (found.state, found.ok) == ("changed", False)
    assert found.changes.bars == {["melody", "piano"][track]: (bar,)}
    assert f"bar {bar} of" in found.said


def test_what_changed_in_the_frame_is_named(tmp_path):
    path = output.write([duet()], tmp_path / "a.mid")[0]
    score = formats.read(path)
    for name, other in (("tempo", score.replace(tempos=(Tempo(0, 400_000),))),
                        ("key", score.replace(keys=())),
                        ("tracks", score.replace(tracks=(Track("flute", 74), score.tracks[1]))),
                        ("words", score.replace(texts=(*score.texts, Text(0, 0, "lyric", "la")))),
                        ("signs", score.replace(marks=(Mark(0, "marker", "A"),))),
                        ("controllers", score.replace(controls=Controls.of([(480, 1, 0xB0, 64, 127)])))):
        formats.write(other, path)
        found = provenance.verify(path)
        assert (found.said, found.changes.parts) == (f"changed: {name}", (name,))
    stamp = score.texts[0]
    formats.write(score.replace(texts=(stamp._replace(text=stamp.text.replace('"seed":7', '"seed":8')),)), path)
    assert provenance.verify(path).said == "changed: settings"


def test_bars_put_in_and_taken_out_are_named_and_not_those_behind_them(tmp_path):
    path = output.write(verbs.vary(song(3), strength=0, model="random", seed=1), tmp_path / "a.mid")[0]
    score, bar = formats.read(path), 1920
    rows = score.notes()
    later = rows[:, 0] >= 3 * bar
    more = rows.copy()
    more[later, 0] += bar
    formats.write(score.with_rows([*more.tolist(), (3 * bar, 480, 61, 80, 0)]).replace(end=9 * bar), path)
    found = provenance.verify(path)
    assert found.changes.bars == {"melody": (4,)}
    assert found.changes.parts == ("length",)
    less = rows[(rows[:, 0] < 3 * bar) | (rows[:, 0] >= 4 * bar)].copy()
    less[less[:, 0] >= 4 * bar, 0] -= bar
    cut = score.with_rows(less).replace(end=7 * bar)
    formats.write(cut, path)
    found = provenance.verify(path)
    assert (found.state, found.changes.gone) == ("changed", (4,))
    assert found.changes.bars == {}
    assert found.said == "changed: bar 4 of what was recorded gone; also length"
    alone = score.select(score.track == 1)
    formats.write(alone.replace(track=alone.track * 0, tracks=(score.tracks[1],)), path)
    found = provenance.verify(path)
    assert (found.changes.parts, found.changes.bars, found.changes.gone) == (("tracks",), {}, ())


def test_a_piece_converted_later_is_checked_by_its_notes(tmp_path):
    result = verbs.vary(song(3), strength=0, model="random", seed=1)
    path = output.write(result, tmp_path / "a.mid")[0]
    for suffix in ("musicxml", "abc"):
        other = path.with_suffix(f".{suffix}")
        formats.write(formats.read(path), other)
        found = provenance.verify(other)
        assert found.said == "unsigned: unchanged, but nobody signed it; only where notes begin and their pitches " \
                             f"were compared, since no {suffix} file was recorded"
        edit(other, 0, 5, pitch=2)
        found = provenance.verify(other)
        assert found.changes.bars == {"melody": (5,)}
        assert found.said.endswith("and to convert a piece can change its notes too")


def test_changes_are_counted_bar_by_bar_as_a_plain_loop_counts_them():
    rng = np.random.default_rng(5)
    old = song(1, bars=12)
    for _ in range(30):
        pitch = old.pitch.copy()
        where = rng.random(len(old)) < 0.05
        pitch[where] += 1
        new = old.replace(pitch=pitch)
        found = differences(kept_of(old), kept_of(new))
        for track, name in enumerate(("melody", "piano")):
            loop = [bar for bar in range(1, 13) if _notes(old, track, bar) != _notes(new, track, bar)]
            assert list(found.bars.get(name, ())) == loop


def _notes(score: Score, track: int, bar: int) -> list[list[int]]:
    start, end = score.bar_span(bar)
    return sorted(row for row in score.notes().tolist() if row[4] == track and start <= row[0] < end)


# --- bad input -----------------------------------------------------------------------------------------------------


def test_a_record_goes_to_json_and_back():
    record = provenance.record_of(duet(), {".abc": formats.to_bytes(generate.stamped(duet()), ".abc")})
    for text in (record.to_text(), record.to_line(), json.dumps(json.loads(record.to_text()), indent=4)):
        assert provenance.Record.from_text(text) == record
        assert provenance.Record.from_text(text).whole


@pytest.mark.parametrize(("change", "said"), [
    (lambda plain: plain.update(partimento_provenance=2), r"of format 1; this is of format 2: update partimento"),
    (lambda plain: plain.update(partimento_provenance=True), "must say its format"),
    (lambda plain: plain.update(colour="red"), r"got 'colour' too"),
    (lambda plain: plain.pop("steps"), "must hold steps, a list; got nothing"),
    (lambda plain: plain.update(files={".mid": 3}), "must have a sha256 each"),
    (lambda plain: plain["request"].update(verb="dance"), "the request in a record must be one; no verb named 'dance'"),
    (lambda plain: plain["hands"][0].update(bars={"1-9": [4]}), "bars .1-4. and the steps that made them"),
    (lambda plain: plain["hands"][0].update(bars={"1-9": [0], "3-4": [0]}), "each bar once"),
    (lambda plain: plain["hands"][0].update(bars={"1-99999999": [0]}), "bars .1-4. and the steps"),
    (lambda plain: plain.update(kept={}), "hashes of midi or musicxml or abc; this one holds none"),
    (lambda plain: plain["kept"].update(kern=plain["kept"]["midi"]), "this one holds midi, kern"),
    (lambda plain: plain["kept"]["midi"].update(bars=10**9), "1000000 at most"),
    (lambda plain: plain["kept"]["midi"]["cells"][0].update({"x": "00"}), "named by number; got 'x'"),
    (lambda plain: plain["kept"]["midi"]["cells"].pop(), "a table for every track"),
    (lambda plain: plain.update(signature={"key": "ab"}), "a signature must hold signature, a text"),
])
def test_a_record_of_another_shape_is_refused_in_a_sentence(change, said):
    plain = json.loads(provenance.record_of(duet()).to_text())
    change(plain)
    with pytest.raises(ReadError, match=said):
        provenance.Record.from_text(json.dumps(plain))


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"partimento_provenance": 1, "partimento_provenance": 1}',
                                  '{"partimento_provenance": 1, "maker": NaN}', '{"partimento_provenance": 1e999}',
                                  "[" * 100_000])
def test_what_is_no_record_is_refused_in_a_sentence(text):
    with pytest.raises(ReadError, match="a record of provenance must"):
        provenance.Record.from_text(text)


def test_a_name_said_twice_is_refused():
    text = provenance.record_of(duet()).to_text()
    line = next(line for line in text.splitlines() if line.startswith('"platform"'))
    with pytest.raises(ReadError, match="a name stands twice in one table"):
        provenance.Record.from_text(text.replace(line, f'"platform": "another",\n{line}'))


def test_a_truncated_record_is_one_clear_error(tmp_path):
    path = output.write([duet()], tmp_path / "a.mid")[0]
    beside = provenance.sidecar_of(path)
    data = beside.read_bytes()
    for size in range(0, len(data) - 2, len(data) // 40):
        beside.write_bytes(data[:size])
        with pytest.raises(ReadError, match=r"a\.provenance\.json: a record of provenance must be whole JSON"):
            provenance.verify(path)
    beside.write_bytes(b"\xff\xfe" + data)
    with pytest.raises(ReadError, match="must be text in UTF-8"):
        provenance.verify(path)


def test_the_record_of_another_piece_is_told(tmp_path):
    one, two = (output.write([duet(seed)], tmp_path / f"{seed}.mid")[0] for seed in (1, 2))
    found = provenance.verify(one, sidecar=provenance.sidecar_of(two))
    assert (found.state, found.ok) == ("another piece", False)
    empty = Score(end=1920, tracks=(Track("piano"),))
    formats.write(empty, one)
    assert provenance.verify(one).state == "another piece"


def test_no_record_no_music_and_a_record_in_place_of_music(tmp_path):
    path = output.write([duet()], tmp_path / "a.mid", provenance=False)[0]
    found = provenance.verify(path)
    assert (found.state, found.ok, found.record) == ("no record", False, None)
    path = output.write([duet()], tmp_path / "b.mid")[0]
    with pytest.raises(RequestError, match="verify must be given the music"):
        provenance.verify(provenance.sidecar_of(path))
    with pytest.raises(ReadError, match="there is no such file"):
        provenance.verify(tmp_path / "gone.mid")
    (tmp_path / "page.mid").write_text("<html>no music</html>", encoding="utf-8")
    with pytest.raises(ReadError, match=r"page\.mid: .*MThd"):
        provenance.verify(tmp_path / "page.mid")


def test_an_empty_piece_and_one_in_a_meter_that_midi_cannot_say(tmp_path):
    silent = dataclasses.replace(duet(), score=Score(end=1920, tracks=(Track("piano"),)), new=np.zeros(0, bool))
    path = output.write([silent], tmp_path / "a.mid")[0]
    assert provenance.verify(path).ok
    odd = song(1, bars=2).replace(meters=(Meter(0, 4, 3),))
    result = dataclasses.replace(duet(), score=odd, new=np.ones(len(odd), bool))
    assert set(provenance.record_of(result).kept) == {"musicxml"}


# --- the command line ----------------------------------------------------------------------------------------------


def test_show_and_verify_from_a_shell(tmp_path):
    path = output.write([duet()], tmp_path / "a.mid")[0]
    shown = CliRunner().invoke(provenance_group, ["show", str(path)])
    assert shown.exit_code == 0
    assert "flute: bars 1-8 composed (1)" in shown.output
    told = CliRunner().invoke(provenance_group, ["show", "--json", str(provenance.sidecar_of(path))])
    assert json.loads(told.output)["request"]["seed"] == 7
    good = CliRunner().invoke(provenance_group, ["verify", str(path)])
    assert (good.exit_code, good.output) == (0, f"{path}: unsigned: unchanged, but nobody signed it\n")
    edit(path, 1, 4, pitch=1)
    bad = CliRunner().invoke(provenance_group, ["verify", str(path)])
    assert (bad.exit_code, bad.output) == (1, f"{path}: changed: bar 4 of piano\n")
    row = json.loads(CliRunner().invoke(provenance_group, ["verify", "--json", str(path)]).output)
    assert (row["state"], row["ok"], row["bars"]) == ("changed", False, {"piano": [4]})
    none = CliRunner().invoke(provenance_group, ["show", str(output.write([duet()], tmp_path / "b.mid",
                                                                          provenance=False)[0])])
    assert isinstance(none.exception, RequestError)
