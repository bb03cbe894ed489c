"""Forms: how they are read, how likeness is measured, and how every family's pieces are built in them."""

from __future__ import annotations

import numpy as np
import pytest

from partimento import controls, generate, verbs
from partimento.controls.form import section_likeness
from partimento.errors import ModelError, RequestError
from partimento.formed import in_form
from partimento.forms import MAX_SECTIONS, chords_of_form, form_spans, parse_form
from partimento.models.base import FAMILIES, Model, family
from partimento.models.random import Random
from partimento.models.rules import Rules
from partimento.request import Blanks, Request
from partimento.sampling import generator
from partimento.score import Score, Track

BAR = 1920


def bars_of(*bars, track=0, length=480):
    """A Score of one note a beat, each bar a list of pitches."""
    return Score.from_rows([(BAR * b + 480 * k, length, pitch, 80, track) for b, bar in enumerate(bars)
                            for k, pitch in enumerate(bar)], end=BAR * len(bars))


# --- reading ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "bars", "wanted"), [
    ("A8 A8 B8 A8", None, [("A", 0, 8, -1, False), ("A", 8, 8, 0, False), ("B", 16, 8, -1, False),
                           ("A", 24, 8, 0, False)]),
    ("A8 B8 A'8", None, [("A", 0, 8, -1, False), ("B", 8, 8, -1, False), ("A'", 16, 8, 0, True)]),
    ("A'4 A4 A'4", None, [("A'", 0, 4, -1, False), ("A", 4, 4, 0, True), ("A'", 8, 4, 0, False)]),
    ("AB", None, [("A", 0, 8, -1, False), ("B", 8, 8, -1, False)]),
    ("A4 B", 10, [("A", 0, 4, -1, False), ("B", 4, 6, -1, False)]),
    ("verse4 chorus4 verse4", 12, [("verse", 0, 4, -1, False), ("chorus", 4, 4, -1, False), ("verse", 8, 4, 0, False)]),
])
def test_sections_stand_at_their_places_and_know_what_they_are_like(text, bars, wanted):
    assert [tuple(span) for span in form_spans(text, bars)] == wanted


@pytest.mark.parametrize(("text", "bars", "said"), [
    ("A8 A8 B8 A8", 16, "lasts 32 bars, so bars must be 32 or be left out; got 16"),
    ("AABA", 30, "share out evenly among the 4 sections"), ("A8 B", 8, "beyond the 8 that it says"),
    ("AABA", 3, "share out evenly"),
])
def test_a_form_and_bars_that_contradict_each_other_are_one_sentence(text, bars, said):
    with pytest.raises(RequestError, match=said):
        form_spans(text, bars)
    with pytest.raises(RequestError, match=said):
        Request(form=text, bars=bars)


@pytest.mark.parametrize("text", ["", " ", "8A", "A0", "A8 ?", "A8 4", "A" * (MAX_SECTIONS + 1), "A9999999", "A8|B8"])
def test_what_is_no_form_is_refused_with_an_example(text):
    with pytest.raises(RequestError, match="A8 A8 B8 A8"):
        parse_form(text)


def test_bars_follow_from_the_form_and_both_come_back_from_json():
    request = Request(form="A8 B4")
    assert request.bars == 12
    assert Request.from_json(request.to_json()) == request
    with pytest.raises(RequestError, match="bars must lie in"):
        Request(form="A99999")
    with pytest.raises(RequestError, match="continue takes no form, only compose does"):
        generate.generate(Request(verb="continue", form="A4"), Random(), source=bars_of([60, 62], [64, 65]))


def test_chords_must_return_with_their_section():
    assert Request(form="A2 B2 A2", chords="C F | G | Am | F | C F | G").bars == 6
    assert Request(form="A2 B2 A'2", chords="C F Am F G C").bars == 6
    with pytest.raises(RequestError, match="in bar 5 came Am, in bar 1 C"):
        Request(form="A2 B2 A2", chords="C F G C Am F")
    spans = form_spans("A2 B2 A'3")
    assert chords_of_form(spans, {0: "C | F G", 1: "Am | F"}) == "C | F G | Am | F | C | F G | C"


# --- likeness --------------------------------------------------------------------------------------------------


def test_likeness_is_the_share_of_notes_in_common_after_one_transposition():
    score = bars_of([60, 62, 64, 65], [67, 69, 71, 72], [60, 62, 64, 67], [60, 62, 66, 61])
    spans = [form_spans("ABCD", 4)[k] for k in range(4)]
    assert [section_likeness(score, spans[0], span) for span in spans] == [1, 1, 0.75, 0.5]


def test_few_notes_are_not_transposed_and_nothing_is_like_nothing():
    score = bars_of([60, 62, 64], [62, 64, 66], [], [])
    spans = form_spans("ABCD", 4)
    assert section_likeness(score, spans[0], spans[1]) == 0
    assert section_likeness(score, spans[2], spans[3]) == 1
    assert section_likeness(score, spans[0], spans[3]) == 0


def test_sections_of_other_lengths_are_compared_over_the_bars_they_both_last():
    score = bars_of([60, 62, 64, 65], [67, 65, 64, 62], [60, 62, 64, 65])
    a, b = form_spans("A2 A1")
    assert section_likeness(score, a, b) == 1


def test_drums_do_not_count_beside_pitches_and_alone_they_do():
    drum = [(BAR * b + 480 * k, 240, 36, 80, 1) for b in range(2) for k in range(4)]
    other = [(BAR * b + 480 * k, 480, 60 + (7 * b + 3 * k) % 12, 80, 0) for b in range(2) for k in range(3)]
    tracks = (Track("flute", 73), Track("drums", 0, True))
    both = Score.from_rows(other + drum, end=2 * BAR, tracks=tracks)
    a, b = form_spans("A1 B1")
    assert section_likeness(both, a, b) < 0.6
    alone = Score.from_rows([(*row[:4], 0) for row in drum], end=2 * BAR, tracks=tracks[1:])
    assert section_likeness(alone, a, b) == 1
    assert controls.form_holds(alone, (a, b)).ok


@pytest.mark.parametrize(("text", "bars", "ok", "said"), [
    ("A1 A1", ([60, 62, 64, 65], [60, 62, 64, 65]), True, "A returns with 100 %"),
    ("A1 A1", ([60, 62, 64, 65], [60, 71, 50, 49]), False, "60 % must be"),
    ("A1 B1", ([60, 62, 64, 65], [65, 67, 69, 70]), False, "it must have less than 60 %"),
    ("A1 B1", ([60, 62, 64, 65], [60, 71, 50, 49]), True, "no section returns"),
    ("A1 A'1", ([60, 62, 64, 65], [60, 62, 64, 65]), False, "not all"),
    ("A1 A'1", ([60, 62, 64, 65], [60, 62, 69, 67]), True, "A' keeps 50 %"),
    ("A1 A'1", ([60, 62, 64, 65], [60, 71, 50, 49]), False, "30 % must be"),
])
def test_a_form_holds_or_the_verdict_says_why_not(text, bars, ok, said):
    verdict = controls.form_holds(bars_of(*bars), form_spans(text))
    assert verdict.ok is ok
    assert said in verdict.reason


def test_a_note_that_sounds_on_after_its_section_breaks_the_form():
    score = bars_of([60, 62, 64, 65], [71, 50, 49, 62]).with_rows(
        [(0, 3 * 480 + 960, 60, 80, 0), (BAR, 480, 71, 80, 0), (BAR + 480, 480, 50, 80, 0)])
    assert "sounds on after its end" in controls.form_holds(score.replace(end=2 * BAR), form_spans("A1 B1")).reason


# --- composing -------------------------------------------------------------------------------------------------


class Counting(Model):
    """A family that writes a run upwards, one note a beat, and tells what it was asked."""

    Config = Random.Config
    family = "counting"

    def fill(self, around, blanks, request, rngs):
        self.asked.append((min(r.start for r in blanks.regions) // BAR, around.end // BAR, len(around), request.form))
        rows = [(tick, 2000, 40 + int(rng.random() * 40), 80, region.track) for rng in rngs for region in blanks.regions
                for tick in range(region.start, region.end, 480)]
        return [around.with_rows(rows)]


def test_a_new_section_is_asked_once_after_all_before_it_and_returns_as_a_copy():
    model = Counting()
    model.asked = []
    around = Score(end=10 * BAR, tracks=(Track("flute", 73),))
    fresh = in_form(model, request := Request(form="A2 A2 B4 A2")).fill(
        around, Blanks.everything(around), request, [generator(1)])[0]
    assert model.asked == [(0, 2, 0, None), (4, 8, 16, None)]
    parts = [[(on - first * BAR, d, p) for on, d, p, _, _ in fresh.notes().tolist()
              if first * BAR <= on < (first + bars) * BAR] for first, bars in ((0, 2), (2, 2), (4, 4), (8, 2))]
    assert parts[0] == parts[1] == parts[3]
    assert len(parts[2]) == 16
    for first, bars in ((0, 2), (2, 2), (4, 4), (8, 2)):
        own = fresh.select((fresh.onset >= first * BAR) & (fresh.onset < (first + bars) * BAR))
        assert int(own.offset.max()) == (first + bars) * BAR


def test_a_varied_section_keeps_its_last_bar_and_most_of_its_notes():
    model = Counting()
    model.asked = []
    around = Score(end=8 * BAR, tracks=(Track("flute", 73),))
    request = Request(form="A4 A'4")
    fresh = in_form(model, request).fill(around, Blanks.everything(around), request, [generator(2)])[0]
    one, two = ({(on - at, p) for on, p in zip(fresh.onset.tolist(), fresh.pitch.tolist(), strict=True)
                 if at <= on < at + 4 * BAR} for at in (0, 4 * BAR))
    assert {n for n in one if n[0] >= 3 * BAR} == {n for n in two if n[0] >= 3 * BAR}
    assert 0.3 < len(one & two) / len(one) < 1


def test_a_longer_return_begins_again():
    request = Request(form="A1 B1 A3", tracks=("flute",), seed=3)
    score = generate.generate(request, Random(), count=1)[0].score
    bars = [[(on % BAR, p) for on, p in zip(score.onset.tolist(), score.pitch.tolist(), strict=True) if on // BAR == b]
            for b in range(5)]
    assert bars[0] == bars[2] == bars[3] == bars[4]


@pytest.mark.parametrize("text", ["A4 A4 B4 A4", "A4 B4 A'4", "A8 A'8", "ABAC"])
@pytest.mark.parametrize("name", ["random", "rules", "markov"])
def test_pieces_hold_their_form_with_a_key_and_streamed(name, text):
    result = verbs.compose(model=name, form=text, key="D minor", seed=5)[0]
    assert {row.name: row.met for row in result.rows}["form"]
    streamed = verbs.stream(model=name, form=text, key="D minor", seed=5)
    rows = sum(len(bar) for bar in streamed)
    assert rows == len(streamed.finish().score)
    assert generate.remake(result.request, verbs.choose_model(name).model).score == result.score


def test_chords_that_are_suggested_return_with_their_section():
    result = verbs.compose(model="markov", form="A4 B4 A4", key="G major", meter="4/4", seed=2)[0]
    symbols = [[c.symbol for c in result.score.chords if b * 4 * BAR <= c.tick < (b + 1) * 4 * BAR] for b in range(3)]
    assert symbols[0] == symbols[2]


def test_candidates_do_not_depend_on_how_many_are_asked():
    two, three = (verbs.compose(model="rules", form="A4 B4 A'4", seed=4, count=count) for count in (2, 3))
    assert [r.score for r in two] == [r.score for r in three[:2]]


# --- styles ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", sorted(Rules.styles()))
def test_every_style_is_composed_by_name_and_holds_its_forms(style):
    told = Rules.styles()[style]
    result = verbs.compose(model="rules", style=style, form=told["forms"][0], seed=1)[0]
    assert result.request.meter in told["meters"]
    low, high = told["tempo"]
    assert low <= result.request.tempo <= high
    assert {row.name: row.met for row in result.rows}["form"]
    again = verbs.compose(model=Rules(style=style), form=told["forms"][0], seed=1)[0]
    assert np.array_equal(again.score.notes(), result.score.notes())
    assert generate.remake(result.request, Rules()).score == result.score


def test_a_style_that_is_not_known_is_answered_with_the_nearest():
    with pytest.raises(ModelError, match="did you mean 'bossa'"):
        verbs.compose(model="rules", style="bosa", bars=4)
    with pytest.raises(ModelError, match="the random family knows no styles, only rules does"):
        verbs.compose(model="random", style="bossa", bars=4)
    with pytest.raises(RequestError, match="vary takes no style"):
        generate.generate(Request(verb="vary", style="bossa"), Rules(), source=bars_of([60, 62]))
    assert [name for name in FAMILIES if family(name).styles()] == ["rules"]
