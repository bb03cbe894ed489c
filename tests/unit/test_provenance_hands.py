"""Who made each bar of a piece over several steps, and pieces made again from their records."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from test_provenance import MUSIC, duet, edit

from partimento import formats, generate, output, provenance, verbs
from partimento.errors import RequestError
from partimento.request import Region, Result
from partimento.score import Mark, Score, Track
from partimento.testing import song


def worked(verb: str, music: Path, **wish: object) -> Result:
    """A verb on a file, with what the file's record says of it."""
    found = getattr(verbs, verb)(music, model="random", seed=3, **wish)
    return provenance.attributed(found, {}, music)[0]


def hands(path: Path) -> dict[str, dict[str, list[str]]]:
    """For each track who made which bars, the steps named by what was done."""
    plain = json.loads(provenance.sidecar_of(path).read_text(encoding="utf-8"))
    names = [step["by"] if step["by"] != "composed" else step["verb"] for step in plain["steps"]]
    return {own["track"]: {bars: [names[at] for at in who] for bars, who in own["bars"].items()}
            for own in plain["hands"]}


# --- who made each bar ---------------------------------------------------------------------------------------------


def test_who_made_each_bar_over_five_steps(tmp_path):
    formats.write(song(2, bars=6), tmp_path / "song.mid")
    first = worked("infill", tmp_path / "song.mid", bars="2.3-3", tracks="melody")
    one = output.write([first], tmp_path / "one.mid")[0]
    assert hands(one) == {"melody": {"1-1": ["imported"], "2-2": ["imported", "infill"], "3-3": ["infill"],
                                     "4-6": ["imported"]}, "piano": {"1-6": ["imported"]}}
    edit(one, 1, 5, pitch=1)
    two = output.write([worked("continue_", one, bars=2)], tmp_path / "two.mid")[0]
    assert hands(two) == {"melody": {"1-1": ["imported"], "2-2": ["imported", "infill"], "3-3": ["infill"],
                                     "4-6": ["imported"], "7-8": ["continue"]},
                          "piano": {"1-4": ["imported"], "5-5": ["imported", "edited"], "6-6": ["imported"],
                                    "7-8": ["continue"]}}
    three = output.write([worked("harmonize", two, tracks="bass")], tmp_path / "three.musicxml")[0]
    assert hands(three)["bass"] == {"1-8": ["harmonize"]}
    assert {name: own for name, own in hands(three).items() if name != "bass"} == hands(two)
    four = output.write([worked("infill", three, bars="3", open="pitch")], tmp_path / "four.mid")[0]
    assert hands(four)["bass"] == {"1-2": ["harmonize"], "3-3": ["harmonize", "infill"], "4-8": ["harmonize"]}
    assert hands(four)["melody"]["3-3"] == ["infill", "infill"]
    steps = provenance.found_record(four).steps
    assert [step["by"] for step in steps] == ["imported", "composed", "edited", "composed", "composed", "composed"]
    text = provenance.record_text(provenance.found_record(four))
    assert "piano: bars 1-2 imported (1); bar 3 imported (1) and composed (6);" in text


def test_a_bar_keeps_a_hand_where_a_note_or_a_beat_of_it_stays():
    """A blank over all of bar 1, half of bar 2, all of bar 3 but for a note that stays, nothing of bar 4."""
    source = Score.from_rows([(0, 480, 60, 80, 0), (1920, 480, 62, 80, 0), (3840, 480, 64, 80, 0),
                              (5760, 480, 65, 80, 0)], end=4 * 1920, tracks=(Track("flute"),))
    made = verbs.infill(source, bars="1", model="random", seed=1)[0]
    regions = (Region(0, 0, 1920), Region(0, 1920, 2880), Region(0, 3840, 5760))
    by_hand = dataclasses.replace(made, score=source, new=np.array([True, True, False, False]), regions=regions)
    runs = provenance.record_of(by_hand).hands[0].runs
    assert [(run.first, run.last, run.steps) for run in runs] == [(1, 1, (1,)), (2, 3, (0, 1)), (4, 4, (0,))]


def test_a_record_inside_tells_the_bars_too_and_a_score_in_memory_carries_it(tmp_path):
    path = output.write([duet()], tmp_path / "a.mid", inside=True, provenance=False)[0]
    score = formats.read(path)
    assert provenance.past_of(path) == provenance.past_of(score)
    assert [step["by"] for step in provenance.past_of(score)["steps"]] == ["composed"]
    louder = score.replace(velocity=np.minimum(score.velocity + 1, 127))
    assert [step["by"] for step in provenance.past_of(louder)["steps"]] == ["composed", "edited"]
    out = output.write([worked("infill", path, bars="2")], tmp_path / "b.mid")[0]
    assert hands(out)["piano"] == {"1-1": ["compose"], "2-2": ["infill"], "3-8": ["compose"]}


def test_bars_keep_their_hands_where_the_meter_is_read_anew(tmp_path):
    formats.write(song(2, bars=6), tmp_path / "song.mid")
    one = output.write([worked("infill", tmp_path / "song.mid", bars="3", tracks="melody")], tmp_path / "one.mid")[0]
    two = output.write([worked("infill", one, bars="1", input_meter="2/4")], tmp_path / "two.mid")[0]
    assert hands(two)["melody"] == {"1-1": ["infill"], "2-4": ["imported"], "5-6": ["infill"], "7-12": ["imported"]}


def test_where_a_file_has_other_bars_than_the_page_all_hands_are_named(tmp_path):
    """What is played of a page has its repeats written out: eight bars of six."""
    page = song(2, bars=6)
    page = page.replace(marks=(Mark(1920, "repeat", "start"), Mark(3 * 1920, "repeat", "end")))
    formats.write(page, tmp_path / "song.musicxml")
    made = worked("infill", tmp_path / "song.musicxml", bars="2", tracks="melody")
    path = output.write([made], tmp_path / "a.musicxml", makes=["mid"])[0]
    assert formats.read(path).n_bars == 8
    on_page = output.write([worked("infill", path.with_suffix(".musicxml"), bars="6")], tmp_path / "b.mid")[0]
    assert hands(on_page)["melody"] == {"1-1": ["imported"], "2-2": ["infill"], "3-5": ["imported"], "6-6": ["infill"]}
    played = output.write([worked("infill", path, bars="8")], tmp_path / "c.mid")[0]
    assert hands(played) == {"melody": {"1-7": ["imported", "infill"], "8-8": ["infill"]},
                             "piano": {"1-7": ["imported"], "8-8": ["infill"]}}
    output.write([made], tmp_path / "d.musicxml", provenance=False)
    output.write([made], tmp_path / "d.mid")             # the page was not recorded
    other = output.write([worked("infill", tmp_path / "d.musicxml", bars="6")], tmp_path / "e.mid")[0]
    assert hands(other)["piano"] == {"1-5": ["imported", "infill"], "6-6": ["infill"]}


def test_a_record_that_was_edited_or_damaged_says_nothing_of_an_input(tmp_path):
    path = output.write([duet()], tmp_path / "a.mid")[0]
    beside = provenance.sidecar_of(path)
    text = beside.read_text(encoding="utf-8")
    for bad in (text.replace('"composed"', '"imported"'), text[:300]):
        beside.write_text(bad, encoding="utf-8")
        record = provenance.record_of(worked("infill", path, bars="2"))
        assert record.steps[0] == {"by": "imported", "record": "damaged or edited, so it was not used"}
        assert [run.steps for run in record.hands[0].runs] == [(0,), (1,), (0,)]


# --- played again --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [False, True])
def test_a_piece_is_made_again_from_its_record(inside, tmp_path):
    formats.write(song(2, bars=4), tmp_path / "song.mid")
    first = output.write([worked("infill", tmp_path / "song.mid", bars="2")], tmp_path / "one.mid")[0]
    path = output.write([worked("vary", first, strength=0.4)], tmp_path / "two.mid", makes=MUSIC, inside=inside)[0]
    for name in (path, provenance.sidecar_of(path), path.with_suffix(".musicxml")):
        request = provenance.request_of(name)
        again = generate.remake(request, verbs.choose_model("random").model)
        assert output.compare(name, again) == output.SAME_BYTES
        again = provenance.replayed(again, name)
        out = output.write([again], tmp_path / "again" / "two.mid", makes=MUSIC, inside=inside)[0]
        assert out.read_bytes() == path.read_bytes()
        assert provenance.sidecar_of(out).read_bytes() == provenance.sidecar_of(path).read_bytes()
    stripped = formats.read(path).replace(texts=())
    formats.write(stripped, path)
    assert provenance.request_of(path) == request
    assert output.compare(path, again) == output.SAME_NOTES
    assert provenance.verify(path).ok
    other = verbs.vary(first, strength=0.4, model="random", seed=99)[0]
    assert output.compare(path, other) == output.OTHER_NOTES
    assert output.compare(provenance.sidecar_of(path), other) == output.OTHER_NOTES
    provenance.sidecar_of(path).unlink()
    with pytest.raises(RequestError, match="it has none, so it cannot be replayed"):
        provenance.request_of(path)


def test_an_edited_record_is_not_replayed(tmp_path):
    path = provenance.sidecar_of(output.write([duet()], tmp_path / "a.mid")[0])
    path.write_text(path.read_text(encoding="utf-8").replace('"seed":7', '"seed":8'), encoding="utf-8")
    with pytest.raises(RequestError, match="must be as it was written to be replayed"):
        provenance.request_of(path)
