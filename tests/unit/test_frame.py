"""From a wish to a grid with blanks: every row of the table of the design, and what happens at the borders."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento import generate
from partimento.errors import RequestError
from partimento.frame import frame
from partimento.models.base import FAMILIES, Model, family
from partimento.network import Shape, init
from partimento.request import Blanks, Region, Request
from partimento.score import Chord, Controls, Key, Meter, Score, Tempo, Text, Track
from partimento.testing import small_corpus, song
from partimento.tokens.grid import to_steps

BAR, BEAT = 1920, 480
CC, BEND, PROGRAM = 0xB0, 0xE0, 0xC0


def made(source: Score | None = None, **wish):
    return frame(Request(**wish), source)


@cache
def model(name: str = "random") -> Model:
    kind = family(name)
    if name == "rnn":       # what it plays may be noise here: what is kept is what matters
        shape = Shape(layers=1, width=16, head=16, track=8)
        return kind().restore({"shape": dataclasses.asdict(shape), "tables": {}}, init(shape, 1))
    return kind().fit(small_corpus()) if kind.learns else kind()


def done(source: Score | None = None, name: str = "random", **wish):
    return generate.generate(Request(**wish), model(name), source=source)[0]


def rows(score: Score) -> list[list[int]]:
    return score.notes().tolist()


def tune(bars: int = 4, **changes) -> Score:
    """Quarter notes in two tracks, `bars` bars of 4/4."""
    table = [(i * BEAT, BEAT, 60 + 12 * t + i % 5, 80, t) for i in range(4 * bars) for t in (0, 1)]
    score = Score.from_rows(table, end=bars * BAR, tracks=(Track("lead", 73), Track("piano")))
    return score.replace(**changes)


# --- the table of what is blank ----------------------------------------------------------------------------------


def test_compose_blanks_everything():
    found = made(verb="compose", bars=3, meter="3/4", tempo=92, key="E minor", tracks=("violin", "drums"),
                 chords="Em | C D | B7")
    assert found.around.end == 3 * 1440
    assert found.around.meters == (Meter(0, 3, 4),)
    assert found.around.tempos == (Tempo(0, round(60e6 / 92)),)
    assert found.around.keys == (Key(0, 1, "minor"),)
    assert [t.name for t in found.around.tracks] == ["violin", "drums"]
    assert found.around.tracks[1].is_drum
    assert [c.symbol for c in found.around.chords] == ["Em", "C", "D", "B7"]
    assert [c.tick for c in found.around.chords] == [0, 1440, 2160, 2880]
    assert found.blanks == Blanks((Region(0, 0, 4320), Region(1, 0, 4320)))
    assert found.finished
    assert not made(verb="compose", bars=1, loop=True).finished


def test_continue_blanks_all_after_the_end():
    found = made(tune(2), verb="continue", bars=3)
    assert found.around.end == 5 * BAR
    assert found.blanks.regions == (Region(0, 2 * BAR, 5 * BAR), Region(1, 2 * BAR, 5 * BAR))
    assert rows(found.around) == rows(tune(2))
    only = made(tune(2), verb="continue", bars=1, tracks=("Lead",))
    assert only.blanks.regions == (Region(0, 2 * BAR, 3 * BAR),)


def test_continue_completes_a_part_filled_bar_first():
    source = Score.from_rows([(0, BAR, 60, 80, 0), (BAR, 700, 62, 80, 0)])
    found = made(source, verb="continue", bars=2)
    assert found.blanks.regions == (Region(0, BAR + 700, 4 * BAR),)
    assert found.around.n_bars == 4
    silence = made(source.replace(end=9 * BAR), verb="continue", bars=2)  # bars of silence behind it are no music
    assert silence.blanks == found.blanks
    assert silence.around.end == found.around.end


def test_continue_from_a_pick_up_alone_keeps_the_pick_up():
    source = Score.from_rows([(0, BEAT, 60, 80, 0)], meters=(Meter(0, 4, 4), Meter(BEAT, 4, 4)))
    found = made(source, verb="continue", bars=2)
    assert found.around.bar_starts.tolist() == [0, BEAT, BEAT + BAR, BEAT + 2 * BAR]
    assert found.around.has_pickup


def test_continue_keeps_a_note_of_no_length_at_the_very_end():
    source = Score.from_rows([(0, BAR, 60, 80, 0), (BAR, 0, 62, 80, 0)])
    result = done(source, verb="continue", bars=1, seed=2)
    assert rows(result.score.select(~result.new)) == rows(source)
    assert result.score.end == 2 * BAR


def test_a_kept_note_rings_into_the_continuation():
    source = Score.from_rows([(0, BEAT, 60, 80, 0), (BEAT, 3 * BAR, 64, 80, 0)])
    found = made(source, verb="continue", bars=1)
    assert found.blanks.regions[0].start == BAR  # the bar that it begins in is full
    assert found.around.end == BEAT + 3 * BAR  # it is not cut


def test_continue_changes_only_what_is_new():
    source = tune(2, keys=(Key(0, 0, "major"),))
    found = made(source, verb="continue", bars=2, meter="3/4", tempo=60, key="A minor", chords="Am E")
    assert found.around.meters == (Meter(0, 4, 4), Meter(2 * BAR, 3, 4))
    assert found.around.tempos == (Tempo(0, 500_000), Tempo(2 * BAR, 1_000_000))
    assert found.around.keys == (Key(0, 0, "major"), Key(2 * BAR, 0, "minor"))
    assert found.around.end == 2 * BAR + 2 * 1440
    assert [c.tick for c in found.around.chords] == [2 * BAR, 2 * BAR + 1440]
    kept = made(source, verb="continue", bars=2).around
    assert (kept.meters, kept.tempos, kept.keys) == (source.meters, source.tempos, source.keys)


@pytest.mark.parametrize(("place", "start", "end"), [
    ("2", BAR, 2 * BAR), ("2-3", BAR, 3 * BAR), ("2–3", BAR, 3 * BAR), (" 1 - 4 ", 0, 4 * BAR),
    ("2.3-3", BAR + 2 * BEAT, 3 * BAR),
    ("2.3-3.1", BAR + 2 * BEAT, 2 * BAR + BEAT), ("2.4", BAR + 3 * BEAT, 2 * BAR), ("1.1-1.1", 0, BEAT)])
def test_infill_by_bars_and_beats(place, start, end):
    found = made(tune(), verb="infill", place=place, tracks=("lead",))
    assert found.blanks == Blanks((Region(0, start, end),))
    gone = [r for r in rows(tune()) if r not in rows(found.around)]
    assert gone == [r for r in rows(tune()) if r[4] == 0 and start <= r[0] < end]
    assert found.finished == (end == 4 * BAR)


def test_a_note_of_no_length_at_the_end_is_no_place_to_vary():
    source = Score.from_rows([(0, 0, 55, 80, 0), (480, 0, 55, 80, 0)])
    for seed in range(8):
        found = made(source, verb="vary", strength=0.5, seed=seed)
        assert all(region.end > region.start for region in found.blanks.regions)
        assert [480, 0, 55, 80, 0] in rows(found.around)


def test_infill_counts_eighths_in_6_8_and_a_pick_up_as_0():
    source = Score.from_rows([(0, 240, 60, 80, 0), (240, 1440, 62, 80, 0), (1680, 1440, 62, 80, 0)],
                             meters=(Meter(0, 6, 8), Meter(240, 6, 8)))
    assert made(source, verb="infill", place="0").blanks.regions[0][1:3] == (0, 240)
    assert made(source, verb="infill", place="1.4-2.6").blanks.regions[0][1:3] == (240 + 3 * 240, 240 + 2 * 1440)


@pytest.mark.parametrize(("place", "says"), [
    ("5", "bars 1 to 4; there is no bar 5"), ("0", "there is no bar 0"), ("3-2", "must end after it begins"),
    ("x", "--bars says where, such as 5-8"), ("", "--bars says where"), (None, "--bars says where"),
    ("1.5", "bar 1 has beats 1 to 4; got beat 5"), ("1.0-2", "got beat 0"), ("2-9", "there is no bar 9"),
    ("1.3-1.2", "must end after it begins"), ("9" * 30, "there is no bar 99999")])
def test_a_place_outside_the_piece_is_refused(place, says):
    with pytest.raises(RequestError) as caught:
        made(tune(), verb="infill", place=place)
    assert says in str(caught.value)


def test_tracks_are_named_in_any_case_or_by_number():
    for name in ("Piano", "PIANO ", "2"):
        assert made(tune(), verb="infill", place="1", tracks=(name,)).blanks.tracks() == [1]
    both = tune(tracks=(Track("a"), Track("a")))
    assert made(both, verb="infill", place="1", tracks=("a",)).blanks.tracks() == [0, 1]
    with pytest.raises(RequestError, match="no track named 'pianno'; did you mean 'piano'"):
        made(tune(), verb="infill", place="1", tracks=("pianno",))
    with pytest.raises(RequestError, match="no track named '3'"):
        made(tune(), verb="infill", place="1", tracks=("3",))


def test_harmonize_blanks_the_other_tracks():
    found = made(tune(), verb="harmonize", tracks=("piano", "bass"), key="C", chords="C F")
    assert [t.name for t in found.around.tracks] == ["lead", "piano", "bass"]
    assert found.blanks == Blanks((Region(1, 0, 4 * BAR), Region(2, 0, 4 * BAR)))
    assert rows(found.around) == [r for r in rows(tune()) if r[4] == 0]
    assert found.around.keys == (Key(0, 0, "major"),)
    assert [c.symbol for c in found.around.chords] == ["C", "F", "C", "F"]
    with pytest.raises(RequestError, match="keeps at least one track with notes"):
        made(tune(), verb="harmonize", tracks=("lead", "piano"))


def test_accompany_keeps_every_note_and_adds_the_band_that_is_missing():
    song = tune().with_notes_of(tune().with_rows([(0, BAR, p, 60, 1) for p in (48, 52)] + [(BAR, BAR, 50, 60, 1)]))
    found = made(song, verb="accompany")
    assert [t.name for t in found.around.tracks] == ["lead", "piano", "bass", "drums"]
    assert rows(found.around) == rows(song)
    assert found.blanks.tracks() == [2, 3]
    assert made(tune(), verb="accompany", tracks=("guitar",)).blanks.tracks() == [2]
    with pytest.raises(RequestError, match="'piano' plays already: name other parts"):
        made(tune(), verb="accompany", tracks=("piano",))
    full = song.replace(tracks=(Track("kit", 0, True), Track("keys")))
    assert made(full, verb="accompany").around.tracks[2:] == (Track("bass", 33),)


def test_a_line_with_the_sound_of_a_piano_is_a_melody_that_gets_chords():
    line = tune().select(tune().track == 1)
    assert [t.name for t in made(line, verb="accompany").around.tracks[2:]] == ["piano 2", "bass", "drums"]
    lone = line.replace(tracks=(Track("lead", 73), Track("tune")))
    assert [t.name for t in made(lone, verb="accompany").around.tracks[2:]] == ["piano", "bass", "drums"]


def test_vary_lets_a_share_of_the_notes_go():
    source = song(3)
    assert made(source, verb="vary", strength=0).around == source
    assert made(source, verb="vary", strength=0).blanks == Blanks()
    whole = made(source, verb="vary", strength=1.0)
    assert not len(whole.around)
    half = made(source, verb="vary", strength=0.5, seed=1)
    assert 0.25 * len(source) < len(half.around) < 0.75 * len(source)
    kept = {tuple(r) for r in rows(half.around)}
    gone = np.array([tuple(r) not in kept for r in rows(source)])
    assert Blanks(half.blanks.regions).inside(source)[gone].all()
    assert all(i in half.blanks.pinned for i in np.flatnonzero(half.blanks.inside(half.around)))
    one = made(source, verb="vary", strength=1.0, tracks=("piano",))
    assert rows(one.around) == [r for r in rows(source) if r[4] == 0]


def test_open_for_pitch_leaves_every_note_and_controller_in_place():
    source = tune(controls=Controls.of([(BAR, 0, CC, 64, 127)]))
    found = made(source, verb="infill", place="2", open="pitch")
    assert found.around == source
    assert {r.open for r in found.blanks.regions} == {"pitch"}


# --- at the borders ----------------------------------------------------------------------------------------------


def test_controllers_in_a_blank_go_and_the_state_at_its_right_edge_is_said_again():
    before, after = (BAR - 10, 0, CC, 7, 90), (3 * BAR, 0, CC, 10, 1)
    inside = [(BAR, 0, CC, 7, 40), (BAR + 5, 0, CC, 7, 50), (2 * BAR, 0, BEND, 0, 300), (BAR, 0, PROGRAM, 0, 5),
              (BAR, 0, 0xD0, 0, 9), (3 * BAR - 1, 0, CC, 10, 99)]
    other = (BAR, 1, CC, 7, 11)
    source = tune(controls=Controls.of([before, *inside, after, other]))
    found = made(source, verb="infill", place="2-3", tracks=("lead",)).around.controls.rows().tolist()
    said = [[3 * BAR, 0, CC, 7, 50], [3 * BAR, 0, BEND, 0, 300], [3 * BAR, 0, PROGRAM, 0, 5], [3 * BAR, 0, 0xD0, 0, 9],
            [3 * BAR, 0, CC, 10, 99]]
    assert sorted(found) == sorted([list(before), list(other), *said, list(after)])
    assert found.index([3 * BAR, 0, CC, 10, 99]) < found.index(list(after))  # what was there has the last word


def test_nothing_is_said_again_at_the_end_of_the_piece():
    source = tune(controls=Controls.of([(3 * BAR + 5, 0, CC, 7, 40)]))
    assert len(made(source, verb="infill", place="4").around.controls) == 0


def test_a_parameter_in_parts_is_said_again_in_its_order():
    parts = [(101, 0), (100, 0), (6, 12), (38, 0), (101, 127), (100, 127)]
    source = tune(controls=Controls.of([(BAR, 0, CC, n, v) for n, v in parts]))
    found = made(source, verb="infill", place="2", tracks=("lead",)).around.controls.rows().tolist()
    assert found == [[2 * BAR, 0, CC, n, v] for n, v in parts]


def test_a_pedal_or_bend_that_holds_a_kept_note_comes_to_rest_where_it_did():
    held = [(BAR - 100, 0, CC, 64, 127), (BAR - 100, 0, BEND, 0, 500)]
    back = [(BAR + 50, 0, CC, 64, 0), (BAR + 60, 0, BEND, 0, 0)]
    fresh = [(BAR + 300, 0, CC, 64, 127), (BAR + 20, 0, BEND, 0, 250)]
    source = tune(controls=Controls.of(held + back + fresh))
    found = made(source, verb="infill", place="2", tracks=("lead",)).around.controls.rows().tolist()
    wanted = [*held, *back, (2 * BAR, 0, BEND, 0, 0), (2 * BAR, 0, CC, 64, 127)]
    assert sorted(found) == sorted(map(list, wanted))
    gone_on = made(tune(controls=Controls.of([(4 * BAR - 9, 0, CC, 64, 127), (4 * BAR + 9, 0, CC, 64, 0)]),
                        end=5 * BAR), verb="continue", bars=2)
    assert gone_on.around.controls.value.tolist() == [127, 0]


def test_words_sung_in_a_blank_go_and_those_about_the_piece_stay():
    texts = (Text(0, 0, "copyright", "me"), Text(0, 0, "lyric", "la"), Text(0, -1, "text", "title"),
             Text(0, 1, "lyric", "other"), Text(BAR, 0, "lyric", "le"))
    found = made(tune(texts=texts), verb="infill", place="1", tracks=("lead",)).around
    assert [t.text for t in found.texts] == ["me", "title", "other", "le"]


def test_tempo_and_meter_inside_a_blank_are_the_frame_and_stay():
    source = tune(tempos=(Tempo(0, 500_000), Tempo(BAR + 7, 400_000)), meters=(Meter(0, 4, 4), Meter(2 * BAR, 2, 4)))
    result = done(source, verb="infill", place="1-3", seed=1)
    assert (result.score.tempos, result.score.meters) == (source.tempos, source.meters)


@pytest.mark.parametrize("verb", ["infill", "harmonize", "accompany", "vary"])
def test_a_wish_that_would_change_kept_bars_is_refused(verb):
    with pytest.raises(RequestError, match=r"keeps the meter of the piece.*--input-meter 3/4"):
        made(tune(), verb=verb, meter="3/4")
    with pytest.raises(RequestError, match=r"keeps the tempo of the piece.*convert --tempo 92"):
        made(tune(), verb=verb, tempo=92)


@pytest.mark.parametrize(("wish", "says"), [
    ({"verb": "compose", "place": "5-8"}, "compose takes no place, only infill and humanize do; got '5-8'"),
    ({"verb": "infill", "place": "1", "bars": 4}, "infill takes no bars, only compose and continue do; got 4"),
    ({"verb": "continue", "strength": 0.3}, "continue takes no strength, only vary and humanize do"),
    ({"verb": "harmonize", "open": "pitch"}, "harmonize takes no open, only infill and vary do")])
def test_what_a_verb_does_not_take_is_not_dropped_in_silence(wish, says):
    with pytest.raises(RequestError) as caught:
        made(None if wish["verb"] == "compose" else tune(), **wish)
    assert says in str(caught.value)


@pytest.mark.parametrize("verb", ["continue", "infill", "harmonize", "accompany", "vary"])
@pytest.mark.parametrize("source", [None, Score(), Score(end=BAR, tracks=(Track("piano"),)),
                                    Score.from_rows([(0, 0, 60, 80, 0)])])
def test_every_verb_but_compose_needs_a_piece(verb, source):
    with pytest.raises(RequestError, match=r"needs a piece .*use compose"):
        made(source, verb=verb, place="1" if verb == "infill" else None)


def test_compose_takes_no_piece():
    with pytest.raises(RequestError, match="compose starts from nothing"):
        made(tune(), verb="compose")


def test_a_blank_too_long_to_write_is_refused():
    with pytest.raises(RequestError, match="at most 40,000 quarter notes; this lasts 400,000"):
        made(verb="compose", bars=10_000, meter="40/4")
    long = Score.from_rows([(0, 1, 60, 80, 0)], ticks_per_quarter=1, end=800_000)
    with pytest.raises(RequestError, match="at most 40,000 quarter notes"):
        made(long, verb="harmonize", tracks=("bass",))


def test_a_new_key_rules_in_the_blank_and_the_old_one_after_it():
    source = tune(keys=(Key(0, 0, "major"), Key(BAR + 5, 2, "major")))
    found = made(source, verb="infill", place="2", key="E minor").around.keys
    assert found == (Key(0, 0, "major"), Key(BAR, 1, "minor"), Key(2 * BAR, 2, "major"))


def test_new_chords_stand_in_the_blank_alone():
    source = tune(chords=(Chord(0, "C"), Chord(BAR, "F"), Chord(2 * BAR, "G")))
    found = made(source, verb="infill", place="2", chords="Am D7").around.chords
    assert [(c.tick, c.symbol) for c in found] == [(0, "C"), (BAR, "Am"), (2 * BAR, "G")]


# --- whatever the music and the blank ----------------------------------------------------------------------------

NAMES = st.sampled_from(["random"] * 5 + [name for name in FAMILIES if name != "random"])
NOTES = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 3000), st.integers(55, 66), st.integers(1, 127),
                           st.integers(0, 2)), min_size=1, max_size=25)
CONTROLS = st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 2), st.sampled_from([CC, BEND]),
                              st.sampled_from([7, 64]), st.sampled_from([0, 50, 127])), max_size=12).map(Controls.of)
METERS = st.sampled_from([(), (Meter(0, 3, 4),), (Meter(0, 7, 8), Meter(1680, 2, 4)),
                          (Meter(0, 4, 4), Meter(480, 4, 4)), (Meter(0, 4, 4), Meter(2500, 5, 8))])


@st.composite
def pieces(draw) -> Score:
    texts = draw(st.lists(st.builds(Text, st.integers(0, 6000), st.integers(-1, 2), st.just("lyric"), st.text("la")),
                          max_size=4))
    return Score.from_rows(draw(NOTES), end=draw(st.integers(480, 6500)), meters=draw(METERS), texts=texts,
                           controls=draw(CONTROLS), tempos=draw(st.sampled_from([(), (Tempo(0, 9), Tempo(700, 8))])),
                           ticks_per_quarter=draw(st.sampled_from([480, 480, 480, 96, 37])),
                           tracks=(Track("a"), Track("b", 32), Track("c", 0, True)))


def outside(score: Score, regions) -> list[list[int]]:
    return rows(score.select(~Blanks(tuple(regions)).inside(score)))


def check(source: Score, result) -> None:
    """What is not blank comes back identical, and new notes keep to the borders."""
    score, new, regions = result.score, result.new, result.regions
    assert outside(score, regions) == outside(source, regions)
    assert Blanks(regions).inside(score)[new].all()
    kept = score.select(~new)
    assert len(kept) + new.sum() == len(score)
    for i in np.flatnonzero(new):
        lane = (score.track == score.track[i]) & (score.pitch == score.pitch[i])
        later = score.onset[lane & (score.onset > score.onset[i])]
        assert not len(later) or score.offset[i] <= later.min()
        assert not (lane & ~new & (score.onset <= score.onset[i]) & (score.offset > score.onset[i])).any()
        assert score.offset[i] <= score.end

    def free(tick: int, track: int) -> bool:
        return not any(r.track == track and r.start <= tick < r.end for r in regions)
    texts = [t for t in source.texts if free(t.tick, t.track)]
    assert [t for t in score.texts if free(t.tick, t.track)] == texts
    edges = {(r.end, r.track) for r in regions}
    theirs = [c for c in source.controls.rows().tolist() if free(c[0], c[1])]
    ours = [c for c in score.controls.rows().tolist() if free(c[0], c[1])]
    assert [c for c in ours if (c[0], c[1]) not in edges] == [c for c in theirs if (c[0], c[1]) not in edges]
    for tick, track in edges:
        at = [c for c in theirs if c[:2] == [tick, track]]
        assert not at or [c for c in ours if c[:2] == [tick, track]][-len(at):] == at
        if tick < source.end:  # what holds from the right edge on is what held there
            assert _state(score, tick, track) == _state(source, tick, track)


def _state(score: Score, tick: int, track: int) -> dict[tuple[int, int], int]:
    return {(kind, number): value for at, own, kind, number, value in score.controls.rows().tolist()
            if at <= tick and own == track}


@given(NAMES, pieces(), st.data())
def test_what_is_not_blank_comes_back_identical_from_infill(name, source, data):
    first = 0 if source.has_pickup else 1
    bars = sorted(data.draw(st.lists(st.integers(first, first + source.n_bars - 1), min_size=2, max_size=2)))
    tracks = data.draw(st.sets(st.sampled_from(["a", "b", "c"]), min_size=1))
    result = done(source, name, verb="infill", place=f"{bars[0]}-{bars[1]}", tracks=sorted(tracks),
                  seed=data.draw(st.integers(0, 99)))
    check(source, result)
    assert (result.score.end, result.score.meters, result.score.tempos) == (source.end, source.meters, source.tempos)
    assert result.score.tracks == source.tracks


@given(NAMES, pieces(), st.floats(0, 1), st.integers(0, 99))
def test_what_is_not_blank_comes_back_identical_from_vary(name, source, strength, seed):
    result = done(source, name, verb="vary", strength=strength, seed=seed)
    check(source, result)
    before, after = rows(source), rows(result.score.select(~result.new))
    assert all(before.count(row) >= after.count(row) for row in after)
    if not result.regions:
        assert result.score == source


@given(NAMES, pieces(), st.integers(1, 3), st.integers(0, 99))
def test_what_is_there_comes_back_identical_from_continue(name, source, bars, seed):
    result = done(source, name, verb="continue", bars=bars, seed=seed)
    assert rows(result.score.select(~result.new)) == rows(source)
    check(source.replace(end=result.score.end), result)
    n = source.bar_number(int(source.onset.max()))
    starts = [t for t in source.bar_starts[:-1].tolist() if t <= int(source.onset.max())]
    assert result.score.bar_starts.tolist()[:len(starts)] == starts
    assert result.score.bar_number(result.score.end - 1) >= n + bars


@given(NAMES, pieces(), st.integers(0, 99))
def test_the_melody_comes_back_identical_from_harmonize(name, source, seed):
    source = source.select(source.track == source.track[0])
    result = done(source, name, verb="harmonize", tracks=("flute", "bass"), seed=seed)
    assert rows(result.score.select(result.score.track < 3)) == rows(source)
    assert result.score.controls.rows().tolist() == source.controls.rows().tolist()
    assert result.score.texts == source.texts


@given(pieces(), st.booleans(), st.integers(0, 99))
def test_open_for_pitch_changes_pitches_and_nothing_else(source, all_of_it, seed):
    first = 0 if source.has_pickup else 1
    place = f"{first}-{first + source.n_bars - 1}" if all_of_it else str(first)
    steps = to_steps(source.onset, source.ticks_per_quarter)
    single = {(step, r[4]): r for step, r in zip(steps.tolist(), rows(source), strict=True)}.values()  # no chords
    plain = source.with_rows(list(single))
    result = done(plain, verb="infill", place=place, open="pitch", seed=seed)
    rhythm = [sorted([o, d, v, t] for o, d, _, v, t in rows(s)) for s in (plain, result.score)]
    assert rhythm[0] == rhythm[1]
    assert result.score.controls.rows().tolist() == plain.controls.rows().tolist()
