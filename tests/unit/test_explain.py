"""Explaining: every note of a place with its reason, by the family that made it or another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from partimento import compose, explain, output
from partimento.cli.explain import explain_notes
from partimento.errors import RequestError
from partimento.models.base import Progress
from partimento.score import Key, Meter, Score, Track

TUNE = Score.from_rows([(0, 240, 69, 80, 0), (240, 480, 62, 80, 0), (240, 480, 50, 80, 1), (960, 240, 70, 80, 0),
                        (2160, 240, 38, 80, 2)], tracks=(Track("flute"), Track("bass"), Track("drums", is_drum=True)),
                       meters=(Meter(0, 1, 8), Meter(240, 6, 8)), keys=(Key(0, -1, "minor"),))


def test_every_note_of_the_place_stands_where_the_page_has_it() -> None:
    found = explain(TUNE, bars="0-2")
    assert [(one.note, one.bar, one.beat, one.track, one.pitch, one.quarters) for one in found] == [
        (0, 0, 1.0, "flute", "A4", 0.5), (1, 1, 1.0, "flute", "D4", 1.0), (2, 1, 1.0, "bass", "D3", 1.0),
        (3, 1, 4.0, "flute", "Bb4", 0.5), (4, 2, 3.0, "drums", "Acoustic Snare", 0.5)]
    assert [one.note for one in explain(TUNE, bars="1.4")] == [3]
    assert [one.note for one in explain(TUNE, bars="1-2", tracks="bass,3")] == [2, 4]


def test_a_reason_says_the_note_its_chance_and_others_less_or_more_likely() -> None:
    for one in explain(TUNE, bars="1"):
        assert one.reason is not None
        assert 0 <= one.reason.probability <= 1
        assert sum(chance for _, chance in one.reason.alternatives) + one.reason.probability <= 1 + 1e-9
        assert one.pitch not in dict(one.reason.alternatives)
        assert one.text.startswith(f"bar 1, beat {one.beat:g}, {one.track}: {one.reason.text}")
        assert one.as_dict()["probability"] == one.reason.probability


def test_all_notes_of_a_composed_piece_have_reasons() -> None:
    piece = compose(bars=4, tracks=["violin", "piano", "drums"], seed=3)[0].score
    found = explain(piece, bars="1-4")
    assert len(found) == len(piece)
    assert all(one.reason is not None for one in found)


def test_two_voices_in_unison_have_one_reason() -> None:
    unison = Score(onset=[0, 0, 480], duration=[480] * 3, pitch=[60, 60, 62], velocity=[80] * 3, track=[0] * 3,
                   voice=[1, 2, 1], end=1920)
    one, other, _ = explain(unison, bars="1")
    assert one.reason == other.reason
    assert one.reason is not None


def test_bad_wishes_are_one_clear_sentence() -> None:
    with pytest.raises(RequestError, match="the random family gives none here: name another with --model"):
        explain(TUNE, bars="1", model="random")
    with pytest.raises(RequestError, match="none begins in bars 2"):
        explain(TUNE, bars="2", tracks="flute")
    with pytest.raises(RequestError, match="there is no bar 9"):
        explain(TUNE, bars="9")
    with pytest.raises(RequestError, match="did you mean 'flute'"):
        explain(TUNE, bars="1", tracks="flut")


def test_it_can_be_stopped() -> None:
    seen: list[Progress] = []

    def report(progress: Progress) -> bool:
        seen.append(progress)
        return len(seen) < 3

    assert len(explain(TUNE, bars="1-2", report=report)) == 2
    assert seen[0][1:3] == (0, 4)


def test_the_command_says_it_in_words_and_as_json(tmp_path: Path) -> None:
    path = output.write(compose(bars=2, tracks=["flute"], seed=1), tmp_path / "tune.mid")[0]
    told = CliRunner().invoke(explain_notes, [str(path), "--bars", "1", "--quiet"])
    rows = [json.loads(row) for row in
            CliRunner().invoke(explain_notes, [str(path), "--bars", "1", "--quiet", "--json"]).output.splitlines()]
    assert rows
    assert all(f"beat {row['beat']:.3g}, flute: {row['reason']}" in told.output for row in rows)
    made = output.write(compose(bars=2, seed=1, model="random"), tmp_path / "noise.mid")[0]
    assert "bar 1, " in CliRunner().invoke(explain_notes, [str(made), "--bars", "1-2", "--quiet"]).output
