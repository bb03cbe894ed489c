"""The road: counts, receipts, targets, retries, replay, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from partimento import controls, formats, generate, theory
from partimento.errors import ModelError, RequestError
from partimento.models.base import Model
from partimento.models.random import Random, RandomConfig
from partimento.request import Request, unpack_score
from partimento.score import Score, Text, Track
from partimento.testing import song


def results(count: int = 1, source: Score | None = None, model: Model | None = None, **wish):
    return generate.generate(Request(**wish), model or Random(), source=source, count=count)


def one(source: Score | None = None, model: Model | None = None, **wish):
    return results(1, source, model, **wish)[0]


def row(result, name: str):
    return next(r for r in result.rows if r.name == name)


class Stuck(Random):
    """Repeats one note for its first `bad` fills, then is random."""

    bad = 3

    def fill(self, around, blanks, request, rngs):
        if self.bad:
            self.bad -= 1
            rows = [(240 * i, 240, 60, 80, 0) for i in range(8)]
            return [around.with_rows(rows) for _ in rngs]
        return super().fill(around, blanks, request, rngs)


class Silent(Random):
    """Writes nothing at all."""

    def fill(self, around, blanks, request, rngs):
        return [around.without_notes() for _ in rngs]


class Unwilling(Random):
    """Says that it cannot."""

    def can(self, around, blanks, request):
        return "a choir must have voices; this has none"


class Unfitted(Random):
    """Has learnt nothing."""

    fitted = False


@pytest.mark.parametrize("count", [0, -1, 1001])
def test_the_count_has_bounds(count):
    with pytest.raises(RequestError, match=r"count must lie in 1\.\.1000 \(pieces to write\); got"):
        results(count, bars=1)


def test_candidates_do_not_depend_on_how_many_are_asked():
    alone, many = results(1, bars=2, seed=5), results(4, bars=2, seed=5)
    assert [r.request.index for r in many] == [0, 1, 2, 3]
    assert alone[0].score == many[0].score
    assert len({r.score.content_hash for r in many}) == 4
    assert one(bars=2, seed=5, index=3).score == many[3].score
    with pytest.raises(RequestError, match="index must lie in"):
        results(2, bars=2, index=999)


def test_what_is_left_open_is_resolved_into_the_request():
    result = one(seed=3)
    request = result.request
    assert (request.bars, request.meter, request.tempo, request.tracks) == (16, "4/4", 120.0, ("piano",))
    assert request.input is None
    assert one(song(1), verb="continue", seed=3).request.bars == 8
    assert one(song(1), verb="vary", seed=3).request.strength == 0.5
    assert one(song(1, tracks=1), verb="harmonize", seed=3).request.tracks == ("piano",)


def test_the_input_rides_in_the_request():
    source = song(4)
    result = one(source, verb="infill", place="2")
    assert unpack_score(result.request.input) == source
    assert generate.generate(result.request, Random())[0].score == result.score


def test_a_receipt_has_a_row_for_every_fact_and_target():
    result = one(bars=4, meter="3/4", tempo=92, tracks=("violin", "piano"), key="E minor", chords="Em Am B7 Em",
                 ranges={"violin": "G4-E6"}, targets={"density": 6, "piano.register": 60}, seed=1)
    assert [r.name for r in result.rows] == ["bars", "meter", "tempo", "tracks", "key", "chords", "violin range",
                                             "density", "piano.register"]
    facts = result.rows[:7]
    assert all(r.met for r in facts), facts
    assert row(result, "bars")[1:3] == ("4", "4")
    assert row(result, "tempo").got == "92"
    violin = result.score.pitch[result.score.track == 0]
    assert row(result, "violin range").got == "-".join(theory.pitch_name(int(p)) for p in (violin.min(), violin.max()))
    measured = controls.CONTROLS["register"].measure(result.score, 1)
    assert row(result, "piano.register").got == f"{measured:.3g}"
    assert row(result, "piano.register").met == (abs(measured - 60) <= controls.CONTROLS["register"].tolerance)


def test_a_row_says_when_a_wish_is_not_met():
    result = one(bars=2, targets={"density": 40}, tries=1, seed=1, model=Random(densities=(0.5,)))
    assert row(result, "density").met is False
    silent = one(bars=1, meter="1/4", model=Silent(), ranges={"piano": "C4-C5"}, targets={"register": 60}, tries=1)
    assert row(silent, "register")[2:] == ("not measurable", False)
    assert row(silent, "piano range")[2:] == ("no notes", True)


def test_key_of_an_infill_is_measured_on_the_new_notes():
    source = song(2)  # in C major
    result = one(source, verb="infill", place="3-6", tracks=("melody",), key="F# major", seed=3)
    assert row(result, "key").met
    scale = sorted(theory.scale(6, "major"))
    assert np.isin(result.score.pitch[result.new] % 12, scale).mean() >= 0.9
    assert not controls.key_holds(result.score, theory.parse_key("F# major")).ok


@pytest.mark.parametrize("wish", [
    {"key": "Bb minor"}, {"chords": "Am F | C G7"}, {"key": "G", "chords": "G C D7 G"}, {"key": "C", "loop": True}])
def test_facts_of_pitch_hold_at_every_seed(wish):
    for seed in range(6):
        result = one(bars=4, tracks=("flute", "cello", "drums"), seed=seed, **wish)
        assert all(r.met for r in result.rows), (seed, result.rows)
        if result.moved:
            assert f"{result.moved} new note" in " ".join(result.notes)


def test_targets_choose_the_nearest_of_several():
    wish = {"bars": 4, "seed": 8, "targets": {"density": 5}}
    chosen, first = one(**wish), one(**wish, tries=1)
    assert "the best of 24 attempts was taken" in chosen.notes
    assert not first.notes
    off = [abs(controls.CONTROLS["density"].measure(r.score, None) - 5) for r in (chosen, first)]
    assert off[0] <= off[1]
    assert off[0] < 2
    few = one(**wish, tries=3)
    assert "the best of 3 attempts was taken" in few.notes


def test_a_track_can_have_its_own_target():
    result = one(bars=4, tracks=("flute", "piano"), targets={"flute.density": 2, "piano.density": 12}, seed=2)
    flute, piano = (controls.CONTROLS["density"].measure(result.score, i) for i in (0, 1))
    assert flute < piano


def test_one_note_for_ever_is_made_again_and_told():
    result = one(bars=1, model=Stuck(), seed=1)
    assert result.retries == 3
    assert result.notes[0].startswith("3 attempts")
    assert "new sub-seed" in result.notes[0]
    assert len(np.unique(result.score.pitch)) > 1
    hopeless = one(bars=2, model=Silent(), seed=1)
    assert hopeless.retries == generate.RETRIES
    assert "since what came before fell to one note" in result.notes[0]
    assert "every attempt fell silent" in " ".join(hopeless.notes)


class Written(Random):
    """Writes these rows for its first fill, then is random."""

    rows: list[tuple[int, int, int, int, int]] | None = None

    def fill(self, around, blanks, request, rngs):
        if self.rows is None:
            return super().fill(around, blanks, request, rngs)
        made, self.rows = [around.with_rows(self.rows) for _ in rngs], None
        return made


def why_again(rows, **wish) -> str:
    """Why a piece of these rows was made again; empty where it was not."""
    model = Written()
    model.rows = rows
    result = one(model=model, seed=1, **wish)
    same = {tuple(row[:3]) for row in rows} == {tuple(row[:3]) for row in result.score.notes().tolist()}
    assert same == (not result.retries)
    return result.notes[0].partition("since what came before ")[2] if result.retries else ""


def scale(bars: int, of: int = 4) -> list[tuple[int, int, int, int, int]]:
    """Bars of as many notes, each bar another one."""
    return [(1920 * bar + 1920 // of * k, 1920 // of, 48 + (7 * bar + k) % 40, 80, 0)
            for bar in range(bars) for k in range(of)]


def repeated(pitches: list[int], count: int, at: int = 0, track: int = 0) -> list[tuple[int, int, int, int, int]]:
    """The same quarters, one after another."""
    return [(at + 480 * k, 480, pitches[k % len(pitches)], 80, track) for k in range(count)]


def test_sixteen_single_notes_of_one_pitch_in_a_row_are_one_note():
    rest = [row for row in scale(8) if row[0] >= 5 * 1920]
    assert why_again(repeated([60], 16) + rest, bars=8) == "fell to one note"
    assert why_again(repeated([60], 15) + rest, bars=8) == ""
    assert why_again([row for k in range(16) for row in ((480 * k, 480, 60, 80, 0), (480 * k, 480, 64, 80, 0))] + rest,
                     bars=8) == ""
    assert why_again([(480 * k, 240, 38, 80, 0) for k in range(32)], bars=8, tracks=("drums",)) == ""
    assert why_again(repeated([60], 8), bars=4) == "fell to one note"


def test_the_same_bar_eight_times_in_a_row_is_one_bar():
    def ostinato(count: int, bars: int = 12):
        return [*repeated([60, 62, 64, 65], 4 * count), *(row for row in scale(bars) if row[0] >= 1920 * count)]
    assert why_again(ostinato(8), bars=12) == "repeated one bar"
    assert why_again([(t, d, p, 40 + i, k) for i, (t, d, p, _, k) in enumerate(ostinato(8))], bars=12) \
        == "repeated one bar"
    assert why_again(ostinato(7), bars=12) == ""
    assert why_again(ostinato(8, 11), bars=11) == ""
    assert why_again(ostinato(8), bars=12, loop=True) == ""
    beat = [(480 * k, 240, (36, 38)[k % 2], 80, 1) for k in range(48)]
    assert why_again(scale(12) + beat, bars=12, tracks=("piano", "drums")) == ""
    assert why_again([(t, d, p, v, 0) for t, d, p, v, _ in beat], bars=12, tracks=("drums",)) == ""
    assert why_again(ostinato(8) + [(t, d, p, v, 1) for t, d, p, v, _ in scale(12)], bars=12, tracks=("piano",) * 2) \
        == ""


def test_four_silent_bars_in_a_long_blank_are_silence():
    def gap(bars: int, silent: int):
        return [row for row in scale(bars) if not 1920 * 2 <= row[0] < 1920 * (2 + silent)]
    assert why_again(gap(8, 4), bars=8) == "fell silent"
    assert why_again(gap(8, 3), bars=8) == ""
    assert why_again(gap(7, 4), bars=7) == ""
    held = [(t, 5 * 1920 if t == 3 * 480 + 1920 else d, p, v, k) for t, d, p, v, k in gap(8, 4)]
    assert why_again(held, bars=8) == ""
    other = [(t, d, p, v, 1) for t, d, p, v, _ in scale(8)]
    assert why_again(gap(8, 4) + other, bars=8, tracks=("piano",) * 2) == ""
    assert why_again([], bars=1) == "fell silent"


def test_kept_music_may_repeat_and_rest():
    rows = [*repeated([60], 40), (1920 * 15, 480, 72, 80, 0)]
    source = Score.from_rows(rows, end=16 * 1920, tracks=(Track("a"),))
    assert not one(source, verb="infill", place="16", seed=1).retries
    assert not one(source, verb="vary", strength=0.0, seed=1).retries


def test_streamed_bars_are_the_first_attempt():
    wish = {"bars": 4, "tracks": ("piano", "bass"), "seed": 9}
    bars = generate.stream(Request(**wish), Random())
    assert bars.numbers == (1, 2, 3, 4)
    out = list(bars)
    assert all({bar.bar_number(t) for t in bar.onset.tolist()} <= {n} for n, bar in zip(bars.numbers, out, strict=True))
    assert bars.result is not None
    assert bars.result.score == one(**wish).score
    assert list(bars) == []
    assert bars.finish() is bars.result
    assert bars.result.notes == ("streamed: the first attempt as it came, without ranking or retries",)


def test_a_stream_takes_bars_as_they_come_and_replays():
    source = song(5, bars=6)
    made: list[int] = []

    class Live(Random):
        def stream(self, around, blanks, request, rng):
            for number, part in enumerate(super().stream(around, blanks, request, rng), 1):
                made.append(number)
                yield part

    bars = generate.stream(Request(verb="infill", place="2-3", key="C major", seed=2), Live(), source=source)
    assert (bars.numbers, made) == ((2, 3), [])
    next(bars)
    assert made == [1, 2]
    result = bars.finish()
    assert made == [1, 2, 3, 4, 5, 6]
    kept = (result.score.onset < 1920) | (result.score.onset >= 3 * 1920)
    before = (source.onset < 1920) | (source.onset >= 3 * 1920)
    assert result.score.select(kept).notes().tolist() == source.select(before).notes().tolist()
    again = generate.remake(generate.stamp_of(formats.parse(formats.to_bytes(generate.stamped(result))).score), Live())
    assert again.score == result.score


def test_a_stream_drops_what_would_sound_under_what_is_out():
    class Overlapping(Random):
        def fill(self, around, blanks, request, rngs):
            return [around.with_rows([(0, 3000, 60, 80, 0), (1920, 480, 60, 80, 0), (1920, 480, 64, 80, 0),
                                      (3000, 480, 60, 80, 0)]) for _ in rngs]
    bars = generate.stream(Request(bars=2), Overlapping())
    assert [bar.notes()[:, :3].tolist() for bar in bars] == [[[0, 3000, 60]], [[1920, 480, 64], [3000, 480, 60]]]


def test_a_stream_says_what_it_could_not_mend_and_refuses_at_once():
    result = generate.stream(Request(bars=2, targets={"density": 6}), Silent()).finish()
    assert "it fell silent" in result.notes[1]
    assert row(result, "density").met is False
    with pytest.raises(RequestError, match="needs a piece to work on"):
        generate.stream(Request(verb="infill", place="1"), Random())
    with pytest.raises(ModelError, match="has learnt nothing yet"):
        generate.stream(Request(bars=1), Unfitted())
    assert generate.stream(Request(verb="vary", strength=0.0), Random(), source=song(1)).finish().score == song(1)


def test_retries_are_counted_so_a_replay_is_the_same():
    first, again = one(bars=1, model=Stuck(), seed=1), one(bars=1, model=Stuck(), seed=1)
    assert first.score == again.score


@pytest.mark.parametrize(("source", "wish"), [
    (None, {"bars": 3, "key": "D minor", "tempo": 77.7, "targets": {"density": 6}, "tries": 4}),
    (song(5), {"verb": "infill", "place": "2-3", "index": 2}),
    (song(5), {"verb": "harmonize", "tracks": ("bass",), "chords": "C F G"}),
    (song(5), {"verb": "vary", "strength": 0.2, "open": "pitch"}),
    (song(5), {"verb": "continue", "meter": "3/4", "bars": 1})])
def test_remake_from_the_stamp_in_the_written_bytes(source, wish):
    result = one(source, seed=12, **wish)
    data = formats.to_bytes(generate.stamped(result))
    request = generate.stamp_of(formats.parse(data).score)
    assert request == result.request
    again = generate.remake(request, Random())
    assert formats.to_bytes(generate.stamped(again)) == data
    assert again.rows == result.rows
    assert again.new.tolist() == result.new.tolist()


def test_one_stamp_however_often_a_piece_is_worked_on():
    first = generate.stamped(one(bars=2, seed=1))
    second = generate.stamped(one(first, verb="continue", bars=1, seed=2))
    stamps = [t for t in second.texts if t.text.startswith("partimento ")]
    assert len(stamps) == 1
    assert generate.stamp_of(second).verb == "continue"


def test_a_piece_without_a_good_stamp_cannot_be_replayed():
    with pytest.raises(RequestError, match="has none, so it cannot be replayed"):
        generate.stamp_of(song(1))
    for text in ("partimento 9 {", 'partimento 9 {"bars": 0}', 'partimento 9 {"sead": 1}', "partimento 9 " + "{" * 9999,
                 "partimento 9 " + '{"verb":' + "[" * 99_999):
        with pytest.raises(RequestError):
            generate.stamp_of(song(1).replace(texts=(Text(0, -1, "text", text),)))


def test_the_model_may_decline_and_must_be_fitted():
    with pytest.raises(ModelError, match="a choir must have voices"):
        one(bars=1, model=Unwilling())
    with pytest.raises(ModelError, match="has learnt nothing yet"):
        one(bars=1, model=Unfitted())


@pytest.mark.parametrize(("wish", "says"), [
    ({"targets": {"densty": 6}}, "no control named 'densty'; did you mean 'density'?"),
    ({"targets": {"pianno.density": 6}}, "no track named 'pianno'; did you mean 'piano'?"),
    ({"targets": {"density": -4}}, "density must be near"),
    ({"ranges": {"violine": "G3-E6"}}, "no track named 'violine'"),
    ({"tracks": ("pianoo",)}, "piano")])
def test_a_wish_for_what_is_not_there_is_refused_with_the_nearest(wish, says):
    with pytest.raises(RequestError) as caught:
        one(bars=1, **wish)
    assert says in str(caught.value)


def test_ranges_hold_and_are_wider_than_nothing():
    for seed in range(4):
        result = one(bars=4, ranges={"piano": "C4-C4"}, model=Random(densities=(1.0,)), seed=seed)
        assert set(result.score.pitch.tolist()) <= {60}


def test_a_loop_is_exactly_as_long_as_asked():
    result = one(bars=4, meter="7/8", loop=True, seed=1)
    assert result.score.end == 4 * 1680
    assert result.score.offset.max() <= result.score.end


def test_forty_tracks_and_five_hundred_bars_and_a_long_song():
    many = one(bars=2, tracks=("piano",) * 40, seed=1)
    assert len(many.score.tracks) == 40
    assert len({t.name for t in many.score.tracks}) == 40
    long = one(bars=500, seed=1)
    assert long.score.n_bars == 500
    rng = np.random.default_rng(0)
    notes = np.stack([np.sort(rng.integers(0, 100 * 1920, 2000)), rng.integers(1, 480, 2000),
                      rng.integers(40, 90, 2000), np.full(2000, 80), np.zeros(2000, int)], 1)
    varied = one(Score.from_rows(notes, tracks=(Track("piano"),)), verb="vary", strength=0.5, seed=1)
    assert varied.new.any()


def test_settings_of_the_model_are_used():
    sparse, dense = (one(bars=8, seed=1, model=Random(RandomConfig(densities=(d,)))).score for d in (0.5, 4.0))
    assert 4 * len(sparse) < len(dense)


def test_a_track_that_is_asked_for_is_not_left_without_a_note():
    class Forgetful(Random):
        def fill(self, around, blanks, request, rngs):
            return [made.select(made.track == 0) for made in super().fill(around, blanks, request, rngs)]

    found = generate.generate(Request(bars=8, tracks=("piano", "violin"), seed=1), Forgetful())[0]
    assert found.retries == generate.RETRIES
    assert any("left a track silent" in note for note in found.notes)
    short = generate.generate(Request(bars=4, tracks=("piano", "violin"), seed=1), Forgetful())[0]
    assert not short.retries


class Droning(Random):
    """One note at the start of each blank, held to the end of the piece."""

    def fill(self, around, blanks, request, rngs):
        rows = [(region.start, around.end - region.start, 64, 80, region.track)
                for k, region in enumerate(blanks.regions)]
        return [around.with_rows(rows) for _ in rngs]


def test_a_new_note_rings_no_further_than_to_where_the_kept_music_of_its_part_goes_on():
    rows = [(480 * i, 240, 72, 80, 0) for i in range(32) if i not in (13, 14, 15, 16, 17)]
    source = Score.from_rows([*rows, (0, 480, 60, 80, 1)], tracks=(Track("flute", 73), Track("cello", 42)),
                             end=8 * 1920)
    filled = one(source, Droning(), verb="infill", place="3-4", tracks=("flute",), seed=1).score
    (new,) = [r for r in filled.notes().tolist() if r[2] == 64]
    assert new[:2] == [2 * 1920, 2 * 1920 + 960]                # bar 5 begins with silence up to its third beat
    filled = one(source, Droning(), verb="infill", place="3-4", tracks=("cello",), seed=1).score
    (new,) = [r for r in filled.notes().tolist() if r[2] == 64]
    assert new[0] + new[1] == 5 * 1920                          # nothing of the cello comes after: one bar later
    short = one(source, Droning(), verb="infill", place="3.1-3.2", tracks=("flute",), seed=1).score
    (new,) = [r for r in short.notes().tolist() if r[2] == 64]
    assert new[1] == 960 + 1920                                 # under a bar open: one bar later
