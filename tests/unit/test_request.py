"""Requests to JSON and back, their bounds, and Scores packed inside them."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento import packing
from partimento.errors import PartimentoError, RequestError
from partimento.request import Blanks, Region, Request, pack_score, parse_range, platform_string, unpack_score
from partimento.score import Chord, Controls, Key, Mark, Meter, Score, Tempo, Text, Track

TEXT = st.text(max_size=12)
REQUESTS = st.builds(
    Request, verb=st.sampled_from(["compose", "continue", "infill", "harmonize", "accompany", "vary"]),
    bars=st.none() | st.integers(1, 10_000), place=st.none() | st.just("5.3-8"),
    tracks=st.lists(TEXT, max_size=3), meter=st.none() | st.sampled_from(["3/4", "7/8"]),
    tempo=st.none() | st.floats(4, 960) | st.integers(4, 960), key=st.none() | st.sampled_from(["E minor", "Bb"]),
    chords=st.none() | st.just("Am F | C G"), ranges=st.dictionaries(TEXT, st.just("G3-E6"), max_size=2),
    targets=st.dictionaries(TEXT, st.floats(-1e9, 1e9) | st.integers(-9, 9), max_size=2),
    open=st.sampled_from(["all", "pitch"]), strength=st.none() | st.floats(0, 1), loop=st.booleans(),
    temperature=st.floats(0.01, 100), top_p=st.floats(0.001, 1), seed=st.integers(0, 2**63 - 1),
    index=st.integers(0, 999), tries=st.none() | st.integers(1, 10_000), model=st.none() | TEXT,
    model_hash=st.none() | TEXT, input=st.none() | TEXT)

TICKS = st.integers(0, 50_000)
SCORES = st.builds(
    lambda rows, optional, **frame: Score.from_rows(rows, **frame).replace(
        **{name: np.arange(len(rows)) - 1 for name in optional}),
    st.lists(st.tuples(TICKS, st.integers(0, 5000), st.integers(0, 127), st.integers(1, 127), st.integers(0, 4)),
             max_size=20),
    st.sets(st.sampled_from(["voice", "staff", "spelling"])),
    ticks_per_quarter=st.integers(1, 32767), end=TICKS,
    meters=st.lists(st.builds(Meter, TICKS, st.integers(1, 64), st.sampled_from([1, 2, 4, 8, 16])), max_size=3),
    tempos=st.lists(st.builds(Tempo, TICKS, st.integers(1, 2**24)), max_size=3),
    keys=st.lists(st.builds(Key, TICKS, st.integers(-7, 7), st.sampled_from(["major", "minor", ""])), max_size=2),
    chords=st.lists(st.builds(Chord, TICKS, TEXT), max_size=2),
    marks=st.lists(st.builds(Mark, TICKS, st.just("marker"), TEXT), max_size=2),
    tracks=st.lists(st.builds(Track, TEXT, st.integers(0, 127), st.booleans()), max_size=5),
    texts=st.lists(st.builds(Text, TICKS, st.integers(-1, 4), st.just("lyric"), TEXT), max_size=3),
    controls=st.lists(st.tuples(TICKS, st.integers(0, 4), st.sampled_from([0xA0, 0xB0, 0xC0, 0xD0, 0xE0]),
                                st.integers(0, 127), st.integers(-8192, 8191)), max_size=6).map(Controls.of),
    extras=st.recursive(st.none() | st.integers() | st.binary(max_size=9) | TEXT | st.booleans(),
                        lambda v: st.lists(v, max_size=2) | st.tuples(v, v)
                        | st.dictionaries(TEXT | st.integers() | st.tuples(st.integers()), v, max_size=2),
                        max_leaves=6).map(lambda v: {"midi": v}))


@given(REQUESTS)
def test_a_request_goes_to_json_and_back(request_):
    text = request_.to_json()
    assert Request.from_json(text) == request_
    assert Request.from_json(text).to_json() == text
    assert text.isascii()
    said = json.loads(text)
    assert set(said) - {"verb"} == {f.name for f in dataclasses.fields(Request)
                                    if f.name != "verb" and getattr(request_, f.name) != getattr(Request(), f.name)}


def test_one_wish_has_one_spelling():
    plain = Request(tempo=92, targets={"density": 6}, tracks=["piano"], seed=np.int64(3), temperature=2)
    exact = Request(tempo=92.0, targets={"density": 6.0}, tracks=("piano",), seed=3, temperature=2.0)
    assert plain.to_json() == exact.to_json()
    assert Request().to_json() == '{"verb":"compose"}'


@pytest.mark.parametrize(("text", "says"), [
    ('{"temprature": 2}', "no field of a request named 'temprature'; did you mean 'temperature'?"),
    ('{"verb": "compos"}', "no verb named 'compos'; did you mean 'compose'?"),
    ('{"open": "pich"}', "no kind of opening named 'pich'; did you mean 'pitch'?"),
    ("[1]", "a request must be a JSON object; got list"),
    ("{", "a request must be JSON"),
    ("[" * 100_000, "a request must be JSON"),
    ('{"bars": "4"}', "bars must be a whole number or nothing; got '4'"),
    ('{"bars": 4.5}', "bars must be a whole number or nothing; got 4.5"),
    ('{"bars": true}', "bars must be a whole number or nothing; got True"),
    ('{"tempo": [92]}', "tempo must be a number or nothing"),
    ('{"loop": 1}', "loop must be true or false; got 1"),
    ('{"tracks": "piano"}', "tracks must be a list of names; got 'piano'"),
    ('{"tracks": [1]}', "tracks must hold text; got 1"),
    ('{"ranges": ["G3"]}', "ranges must be a table"),
    ('{"ranges": {"violin": 9}}', "ranges must hold text; got 9"),
    ('{"targets": {"density": "6"}}', "targets must hold a number; got '6'"),
    ('{"targets": {"density": null}}', "targets must hold a number; got None"),
    ('{"seed": null}', "seed must be a whole number; got None"),
])
def test_json_that_is_no_request_is_refused_in_one_sentence(text, says):
    with pytest.raises(RequestError) as caught:
        Request.from_json(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("wish", "says"), [
    ({"bars": 0}, "bars must lie in 1..10000 (how many bars to make); got 0"),
    ({"bars": 10_001}, "got 10001"),
    ({"tempo": 3.9}, "tempo must lie in 4..960 (quarter notes a minute); got 3.9"),
    ({"tempo": float("nan")}, "got nan"), ({"tempo": float("inf")}, "got inf"), ({"tempo": 10**400}, "tempo must be"),
    ({"strength": 1.01}, "strength must lie in 0..1"), ({"strength": -0.1}, "strength must lie in 0..1"),
    ({"temperature": 0}, "temperature must lie in 0.01..100"), ({"temperature": float("nan")}, "temperature"),
    ({"top_p": 0}, "top_p must lie in 0.001..1"), ({"top_p": 1.1}, "top_p must lie in 0.001..1"),
    ({"seed": -1}, "seed must lie in 0.."), ({"seed": 2**63}, "seed must lie in 0.."),
    ({"index": -1}, "index must lie in 0..999"), ({"index": 1000}, "index must lie in 0..999"),
    ({"tries": 0}, "tries must lie in 1..10000"), ({"tries": 10_001}, "tries must lie in 1..10000"),
    ({"meter": "4/5"}, "a meter must be"), ({"meter": "0/4"}, "a meter must be"), ({"meter": "x"}, "a meter must be"),
    ({"key": "H sharp"}, "a key must be"), ({"chords": "Xyz"}, "a chord must be"), ({"chords": ""}, "chords must hold"),
    ({"ranges": {"violin": "9"}}, "the range of violin must be two pitches such as G3-E6; got '9'"),
    ({"ranges": {"violin": "E6-G3"}}, "must begin with its lower pitch"),
    ({"ranges": {"violin": "G3-E99"}}, "a pitch must be"),
])
def test_every_bound_is_kept_with_a_sentence(wish, says):
    with pytest.raises(RequestError) as caught:
        Request(**wish)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, PartimentoError)


@pytest.mark.parametrize("wish", [
    {"bars": 1}, {"bars": 10_000}, {"tempo": 4}, {"tempo": 960}, {"strength": 0}, {"strength": 1}, {"top_p": 0.001},
    {"seed": 2**63 - 1}, {"index": 999}, {"tries": 10_000}, {"temperature": 100}])
def test_the_edges_themselves_are_taken(wish):
    (name, value), = wish.items()
    assert getattr(Request(**wish), name) == value


@pytest.mark.parametrize(("text", "pitches"), [
    ("G3-E6", (55, 88)), (" c4 - c4 ", (60, 60)), ("C-1-G9", (0, 127)), ("Bb2-F#5", (46, 78)), ("A0-C8", (21, 108))])
def test_ranges(text, pitches):
    assert parse_range(text) == pitches


@given(SCORES)
def test_a_packed_score_comes_back_with_everything_in_it(score):
    text = pack_score(score)
    again = unpack_score(text)
    assert again == score
    assert again.controls.rows().tolist() == score.controls.rows().tolist()
    assert again.extras == score.extras
    assert [type(t) for t in again.tempos] == [Tempo] * len(score.tempos)
    assert pack_score(again) == text
    assert Request.from_json(Request(input=text).to_json()).input == text
    bare = packing.unpack(packing.pack(score, extras=False))
    assert (bare, bare.extras) == (score, {})


@given(st.data())
def test_damaged_text_is_refused_and_never_crashes(data):
    text = pack_score(Score.from_rows([(0, 480, 60, 80, 0), (480, 480, 64, 80, 1)], extras={"midi": {"raw": b"x"}}))
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = data.draw(st.sampled_from([text[:at], text[at + 1:], text[:at] + "~" + text[at + 1:],
                                         text[:at] + "\n" + text[at + 1:], text[at:] + text[:at]]))
    try:
        score = unpack_score(damaged)
    except RequestError as error:
        assert "it is damaged" in str(error)  # noqa: PT017 (either outcome is allowed; a crash is not)
    else:
        assert isinstance(score, Score)


@pytest.mark.parametrize("text", ["", "abc", "ü", "0" * 500])
def test_what_was_never_packed_is_refused(text):
    with pytest.raises(RequestError, match="damaged"):
        unpack_score(text)


def test_blanks_say_what_is_inside_and_what_is_rewritten():
    score = Score.from_rows([(0, 960, 60, 80, 0), (480, 1, 62, 80, 0), (960, 480, 64, 80, 0), (480, 1, 70, 80, 1)])
    blanks = Blanks((Region(0, 480, 960), Region(1, 0, 480, "pitch")), pinned=())
    assert blanks.inside(score).tolist() == [False, True, False, False]  # a note belongs where its onset is
    assert blanks.inside(score, "pitch").tolist() == [False] * 4
    assert Blanks((Region(0, 0, 1440),), (1,)).rewritten(score).tolist() == [True, False, False, True]
    assert Blanks.everything(score).tracks() == [0, 1]
    assert Blanks().tracks() == []


def test_the_platform_string_names_what_a_replay_rests_on():
    text = platform_string("9.9")
    assert text.startswith("partimento 9.9, Python 3.")
    assert np.__version__ in text
