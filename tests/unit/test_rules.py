"""The rules family: forms, lines, figures, drums, styles, and whole pieces by every verb."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from partimento import generate, theory
from partimento.errors import ModelError, RequestError
from partimento.forms import parse_form
from partimento.judge.faults.table import findings
from partimento.models.rules import Rules
from partimento.models.rules.basis import lay_slots
from partimento.models.rules.drums import drum_bar, fill_of
from partimento.models.rules.explain import note_kind, strand
from partimento.models.rules.figures import bar_events
from partimento.models.rules.form import BeatBar, beat_bars, contrast_key, fit_form, phrase_lengths, plan_phrases
from partimento.models.rules.lines import LinePage, LineRules, choices, draw_line, line_cost
from partimento.models.rules.melody import Motif, bar_tick, developed, draw_motif, motif_of
from partimento.models.rules.plan import CADENCES, Phrase, numeral
from partimento.models.rules.sketch import rules_table
from partimento.models.rules.styles import PITCHED, style_for, style_named, suggested_request, track_roles
from partimento.models.rules.writing import PieceWriter
from partimento.request import Blanks, Request
from partimento.sampling import generator
from partimento.score import Key, Meter, Score, Tempo, Track
from partimento.testing.music import song

STYLES = list(rules_table("styles"))


def frame(bars=16, meter=(4, 4), tracks="piano", key=None):
    bar = meter[0] * 1920 // meter[1]
    keys = () if key is None else (Key(0, theory.fifths(*theory.parse_key(key)), theory.parse_key(key).mode),)
    return Score(end=bars * bar, meters=(Meter(0, *meter),), tracks=theory.parse_tracks(tracks), keys=keys)


def compose(style="auto", seed=0, form="", **wish):
    return generate.generate(Request(seed=seed, **wish), Rules(style=style, form=form))[0]


# --- forms -----------------------------------------------------------------------------------------------------


def test_a_form_is_read_in_every_spelling():
    wanted = [("A", 8), ("A", 8), ("B", 8), ("A", 8)]
    assert [tuple(s) for s in parse_form("A8 A8 B8 A8")] == wanted
    assert [tuple(s) for s in parse_form("A8,A8, B8 A8")] == wanted
    assert [tuple(s) for s in parse_form("A8A8B8A8")] == wanted
    assert [tuple(s) for s in parse_form("AABA'")] == [("A", 0), ("A", 0), ("B", 0), ("A'", 0)]
    assert [tuple(s) for s in parse_form("verse8 chorus8")] == [("verse", 8), ("chorus", 8)]


@pytest.mark.parametrize("text", ["", "8A", "A0", "A8 ?", "A8 4"])
def test_what_is_no_form_is_refused_with_an_example(text):
    with pytest.raises(RequestError, match="A8 A8 B8 A8"):
        parse_form(text)
    if text:
        with pytest.raises(ModelError, match="form"):
            Rules(form=text)


@pytest.mark.parametrize("bars", range(1, 70))
def test_a_form_fits_any_length_exactly(bars):
    for text in ("A8 A8 B8 A8", "AABA", "A16 B16", "A4 B"):
        sections = fit_form(parse_form(text), bars)
        assert sum(s.bars for s in sections) == bars
        assert all(s.bars > 0 for s in sections)
        assert all(sum(phrase_lengths(s.bars)) == s.bars for s in sections)


@pytest.mark.parametrize("style", STYLES)
def test_phrases_cover_all_bars_and_close(style):
    for seed, bars in itertools.product(range(3), (1, 3, 8, 16, 32, 45)):
        phrases = plan_phrases(style_named(style), 0, bars, (2, "minor"), generator(seed))
        ends = np.cumsum([p.bars for p in phrases])
        assert ends[-1] == bars
        assert [p.first_bar for p in phrases] == [0, *ends[:-1]]
        assert phrases[-1].cadence == "PAC"
        assert (phrases[-1].tonic, phrases[-1].mode) == (2, "minor")
        for number, phrase in enumerate(phrases):
            assert phrase.cadence in (*CADENCES, "")
            assert phrase.repeats < number
            if phrase.repeats >= 0:
                source = phrases[phrase.repeats]
                assert (source.label, source.bars, source.tonic) == (phrase.label, phrase.bars, phrase.tonic)


def test_a_form_asked_is_the_form_planned():
    phrases = plan_phrases(style_named("classical"), 0, 32, (0, "major"), generator(1), form="A8 A8 B8 A8")
    assert [p.label for p in phrases] == ["A", "A", "A", "A", "B", "B", "A", "A"]
    assert [p.repeats for p in phrases] == [-1, -1, 0, 1, -1, -1, 0, 1]


def test_near_keys():
    assert contrast_key("relative", (9, "minor")) == (0, "major")
    assert contrast_key("subdominant", (0, "major")) == (5, "major")
    assert contrast_key("parallel", (0, "major")) == (0, "minor")
    assert contrast_key("home", (3, "minor")) == (3, "minor")


@pytest.mark.parametrize(("meter", "lengths"), [
    ((4, 4), [480] * 4), ((3, 4), [480] * 3), ((6, 8), [720, 720]), ((7, 8), [480, 480, 720]), ((5, 8), [480, 720]),
    ((2, 2), [480] * 4), ((9, 8), [720] * 3), ((3, 8), [720]), ((5, 4), [480] * 5)])
def test_the_beats_of_a_bar(meter, lengths):
    bars = beat_bars(frame(2, meter))
    for bar in bars:
        assert [length for _, length in bar.beats] == lengths
        assert [start - bar.start for start, _ in bar.beats] == [0, *np.cumsum(lengths)[:-1]]
        assert sum(lengths) == bar.end - bar.start


def test_the_beats_of_a_pickup_count_back_from_the_bar_line():
    score = Score(end=480 + 2 * 1920, meters=(Meter(0, 4, 4), Meter(480, 4, 4)))
    assert beat_bars(score)[0].beats == ((0, 480),)


def test_slots_lie_on_beats_and_the_cadence_arrives_with_its_bar():
    bars = beat_bars(frame(4))
    slots = lay_slots(bars, [Phrase("A", 0, 4, "HC")], "half", [2 * 1920 + 480])
    assert [s.start for s in slots] == [0, 960, 1920, 2880, 3840, 4320, 4800, 5760]
    assert [s.start for s in slots if s.arrival] == [5760]
    assert slots[-1].end == bars[-1].end


# --- lines -----------------------------------------------------------------------------------------------------


def small_page(rng, count=4):
    page = LinePage.blank(60, 64, count)
    page.unary[:] = rng.random(page.unary.shape) * 2
    page.tones[:] = rng.random(page.tones.shape) < 0.6
    page.wish[2] = 1.0
    page.others = np.array([[55, 57, 53, 55][:count]])
    return page


def test_a_line_is_drawn_with_the_chance_that_its_cost_says():
    rules = LineRules({**rules_table("melody")["line"], "leap": 3})
    page = small_page(generator(3), 3)
    lines = list(itertools.product(range(60, 65), repeat=3))
    costs = np.array([line_cost(page, rules, line) for line in lines])
    chances = np.exp(-costs / 1.5)
    chances /= chances.sum()
    rng, counts, draws = generator(9), dict.fromkeys(lines, 0), 4000
    for _ in range(draws):
        counts[tuple(draw_line(page, rules, rng, 1.5))] += 1
    seen = np.array([counts[line] for line in lines]) / draws
    assert np.abs(seen - chances).max() < 5 * np.sqrt(chances.max() / draws)
    assert np.abs(seen - chances).sum() < 0.12


def test_a_cold_line_is_the_cheapest_of_all():
    rules = LineRules(rules_table("melody")["line"])
    for seed in range(5):
        page = small_page(generator(seed))
        best = min(itertools.product(range(60, 65), repeat=4), key=lambda line: line_cost(page, rules, line))
        assert tuple(draw_line(page, rules, generator(1), 0.005)) == best


def test_fixed_notes_are_met_and_choices_are_the_conditional_chances():
    rules = LineRules(rules_table("melody")["line"])
    page = small_page(generator(5))
    costs = np.array([line_cost(page, rules, [61, pitch, 64, 60]) for pitch in range(60, 65)])
    wanted = np.exp(-costs) / np.exp(-costs).sum()
    assert choices(page, rules, [61, 62, 64, 60], 1) == pytest.approx(wanted)
    page.fix(0, 61)
    page.fix(2, 64)
    for seed in range(8):
        line = draw_line(page, rules, generator(seed), 3.0)
        assert (line[0], line[2]) == (61, 64)


def test_parallels_with_another_line_cost():
    rules = LineRules(rules_table("melody")["line"])
    page = LinePage.blank(60, 72, 2)
    page.others = np.array([[53, 55]])
    assert line_cost(page, rules, [60, 62]) - line_cost(page, rules, [60, 61]) > 3      # fifths to the bass, and not
    page.others = np.array([[53, 53]])
    assert line_cost(page, rules, [60, 62]) <= line_cost(page, rules, [60, 61])


# --- motifs ----------------------------------------------------------------------------------------------------


def test_motifs_are_developed():
    motif = Motif(((0.0, 1.0), (1.0, 1.5), (1.5, 2.0), (2.0, 4.0)), (2, -1, -1))
    assert developed(motif, "~", 4) == Motif(motif.rhythm, (-2, 1, 1))
    assert developed(motif, "f", 4).rhythm == ((0, 1), (1, 1.5), (1.5, 2), (2, 3), (3, 3.5), (3.5, 4))
    assert developed(motif, "+", 4) == Motif(((0, 2), (2, 3), (3, 4)), (2, -1))
    assert developed(motif, "", 4) == motif


def test_drawn_motifs_fill_their_bar_and_have_a_step_between_all_notes():
    cells = style_named("classical")["cells"]
    for seed, meter in itertools.product(range(20), ((4, 4), (3, 4), (6, 8), (7, 8))):
        bar = beat_bars(frame(1, meter))[0]
        motif = draw_motif(bar, cells, generator(seed))
        assert len(motif.steps) == len(motif.rhythm) - 1
        ticks = [(bar_tick(bar, a), bar_tick(bar, b)) for a, b in motif.rhythm]
        assert all(a < b <= bar.end for a, b in ticks)
        assert all(b <= c for (_, b), (c, _) in itertools.pairwise(ticks))


def test_a_continuation_takes_up_the_motif_of_what_is_there():
    theme = [(0, 720, 60), (720, 240, 62), (960, 480, 64), (1440, 480, 62)]
    rows = [(1920 * b + on, d, p + 2 * (b % 2), 80, 0) for b in range(8) for on, d, p in theme]
    source = Score.from_rows(rows, tracks=(Track("flute", 73),), keys=(Key(0, 0, "major"),), end=8 * 1920)
    result = generate.generate(Request(verb="continue", bars=8, seed=4), Rules(style="classical"), source=source)[0]
    shape = (0, 720, 960, 1440)
    new = result.score.onset[result.new]
    bars = [tuple((new[new // 1920 == b] % 1920).tolist()) for b in range(8, 16)]
    assert sum(bar == shape for bar in bars) >= 2
    writer = PieceWriter(source, Blanks.everything(source), Request(), style_named("classical"), "", generator(1))
    found = motif_of(writer.sketch, [(on, on + d, p) for on, d, p, *_ in source.notes().tolist()])
    assert found["a"].rhythm == ((0, 1.5), (1.5, 2), (2, 3), (3, 4))


# --- tables ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STYLES)
def test_what_a_style_names_is_there(name):
    style, figures, drums = style_named(name), rules_table("figures"), rules_table("drums")
    cells = rules_table("melody")
    assert all(theory.parse_tracks(tuple(band)) for band in style["bands"])
    assert all(parse_form(form) for form in style["forms"])
    assert set(style["drums"]) <= set(drums)
    assert {*style["left"], *style["chords"], style["pad"]} <= set(figures["chords"])
    assert set(style["bass"]) <= set(figures["bass"])
    assert {*style["cells"], *style["cells_b"]} <= set(cells["cells"])
    assert style["tempo"][0] < style["tempo"][1]
    harmony = style["harmony"]
    if harmony["kind"] == "loops":
        for key in ("major", "minor", "major_b", "minor_b"):
            for sign in " ".join(harmony[key]).replace(",", " ").split():
                assert len(numeral(sign, key[:5]).pitches) >= 3
        for mode in ("major", "minor"):
            assert numeral(harmony["close"][mode].split()[-1], mode).pitches[0] == 0


@pytest.mark.parametrize("meter", [(4, 4), (3, 4), (2, 4), (6, 8), (7, 8), (5, 4), (12, 8), (1, 4)])
def test_every_pattern_fits_every_bar(meter):
    bar = beat_bars(frame(1, meter))[0]
    tables = rules_table("figures")
    for figure in (*tables["chords"].values(), *tables["bass"].values()):
        events = bar_events(bar, figure)
        assert events
        assert all(bar.start <= e.start < e.end <= bar.end for e in events)
    for name, pattern in rules_table("drums").items():
        if name != "about":
            hits = drum_bar(bar, pattern)
            assert hits
            assert all(0 <= tick < bar.end and key in theory.DRUM_NAMES and 1 <= velocity <= 127
                       for tick, key, velocity in hits)
            for sizes in ({"1": 1.0}, {"2": 1.0}, {"4": 1.0}, {"c": 1.0}):
                fill = fill_of(bar, pattern["fills"], sizes, generator(len(bar.beats)))
                assert all(0 <= tick < bar.end and key in theory.DRUM_NAMES and 1 <= velocity <= 127
                           for tick, key, velocity in fill)


def test_a_fill_takes_the_last_beats_of_a_bar_and_never_crosses_what_falls_into_threes():
    four = BeatBar(0, 1920, tuple((480 * k, 480) for k in range(4)))
    uneven = BeatBar(0, 1680, ((0, 480), (480, 480), (960, 720)))
    rock, march = rules_table("drums")["rock"]["fills"], rules_table("drums")["march"]["fills"]
    for size in ("1", "2", "4"):
        for seed in range(6):
            fill = fill_of(four, rock, {size: 1.0}, generator(seed))
            assert (4 - int(size)) * 480 <= fill[0][0] < (5 - int(size)) * 480
    closing = fill_of(uneven, rock, {"1": 1.0, "2": 1.0, "c": 1.0}, generator(1))
    assert {tick for tick, _, _ in closing} == {960, 1200, 1440}
    assert fill_of(uneven, march, {"1": 1.0, "2": 1.0, "c": 1.0}, generator(1)) == []


@pytest.mark.parametrize("style", ["rock", "swing", "bossa", "lo-fi", "battle"])
def test_drummers_vary_their_bars_fill_before_a_section_and_end_softly_where_they_play_so(style):
    found = []
    for seed in range(1, 7):
        score = compose(style, seed, bars=16, meter="4/4", tracks=("piano", "bass", "drums")).score
        own = score.select(score.track == 2)
        bars = [frozenset(zip((own.onset[m] - 1920 * b).tolist(), own.pitch[m].tolist(), strict=True))
                for b in range(16) for m in [(own.onset >= 1920 * b) & (own.onset < 1920 * b + 1920)]]
        assert len(set(bars[:3])) >= 2
        assert bars[14] not in bars[:3]
        assert len(bars[15]) == 2
        last = own.velocity[own.onset >= 15 * 1920]
        assert int(last.max()) <= int(own.velocity.max()) + 6
        found.append(bars[14])
    assert len(set(found)) > 1


@pytest.mark.parametrize("style", ["swing", "bossa", "lo-fi"])
def test_modern_styles_play_ninths_with_their_third_and_seventh(style):
    heard = total = 0
    for seed in range(4):
        score = compose(style, seed, bars=16, key="C major", tracks=("flute", "electric piano", "bass")).score
        last = score.select((score.track == 1) & (score.onset >= 15 * score.full_bar_ticks(0)))
        classes = set((last.pitch % 12).tolist())
        heard += {2, 4, 11} <= classes
        total += 1
    assert heard == total


def test_the_tables_are_plain_json_that_says_what_it_is():
    for name in ("melody", "figures", "drums"):
        assert len(rules_table(name)["about"]) > 40
        assert json.loads(json.dumps(rules_table(name))) == rules_table(name)


# --- styles and roles ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tracks", "roles"), [
    ("piano", ["keyboard"]), ("violin,piano", ["lead", "chords"]), ("flute", ["lead"]),
    ("violin,violin,viola,cello", ["lead", "upper", "lower", "bass"]),
    ("soprano,alto,tenor,bass voice", ["lead", "upper", "lower", "bass"]),
    ("piano,bass,drums", ["keyboard", "bass", "drums"]), ("voice,piano,strings,bass,drums",
                                                         ["lead", "chords", "pad", "bass", "drums"]),
    ("drums", ["drums"]), ("tenor sax,piano,acoustic bass,drums", ["lead", "chords", "bass", "drums"])])
def test_roles(tracks, roles):
    assert track_roles(theory.parse_tracks(tracks)) == roles
    assert set(roles) <= {*PITCHED, "drums"}


@pytest.mark.parametrize("name", STYLES)
def test_what_a_style_suggests_is_heard_as_it(name):
    found = 0
    for seed in range(12):
        request = suggested_request(Request(), name, generator(seed))
        assert request.bars
        assert request.meter in style_named(name)["meters"]
        score = frame(4, theory.parse_meter(request.meter), ",".join(request.tracks))
        score = score.replace(tempos=(Tempo(0, round(60e6 / request.tempo)),))
        found += style_for(score, request, generator(seed, 1)) == name
    assert found >= 5


def test_what_is_asked_stays_and_decides_the_style():
    request = Request(meter="3/4", tracks=("violin", "piano"), tempo=170.0, key="D minor")
    for seed in range(6):
        found = suggested_request(request, "auto", generator(seed))
        assert (found.meter, found.tracks, found.tempo, found.key) == ("3/4", ("violin", "piano"), 170.0, "D minor")


def test_settings_that_cannot_be():
    with pytest.raises(ModelError, match="did you mean 'waltz'"):
        Rules(style="walz")
    with pytest.raises(ModelError, match="text"):
        Rules(style=3)


# --- whole pieces ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
def test_every_style_writes_a_whole_piece(style):
    told = moved = 0
    for seed in (21, 22):
        result = compose(style, seed, bars=16)
        score = result.score
        assert result.retries == 0
        assert score.n_bars == 16
        assert set(range(len(score.tracks))) == set(np.unique(score.track).tolist())
        assert int(score.offset.max()) == score.end
        assert all(row.met in (True, None) for row in result.rows)
        told += len(findings(score))
        moved += result.moved
    assert told <= 6
    assert moved <= 0.05 * len(score) + 12


def test_the_theme_comes_back_note_for_note_but_for_its_close():
    score = compose("classical", 3, bars=32, form="A8 A8 B8 A8", tracks=("flute", "piano"), meter="4/4").score
    lead = [(int(on), int(p)) for on, p, t in zip(score.onset, score.pitch, score.track, strict=True) if t == 0]
    def part(first, last):
        return [(on - first * 1920, p) for on, p in lead if first * 1920 <= on < last * 1920]
    first, again, middle, last = part(0, 7), part(8, 15), part(16, 23), part(24, 31)
    alike = [len(set(first) & set(other)) / len(first) for other in (again, last, middle)]
    assert min(alike[:2]) > 0.7
    assert alike[2] < 0.4


def test_a_perfect_close_ends_on_the_tonic_above_and_below():
    for seed in range(6):
        score = compose("classical", seed, bars=8, tracks=("violin", "piano"), key="E minor").score
        last = score.select(score.offset == score.end)
        assert int(last.pitch.min()) % 12 == 4
        assert int(score.pitch[score.track == 0][-1]) % 12 == 4


def test_strong_beats_of_the_lead_are_mostly_chord_tones_and_leaps_are_few():
    around = frame(16, key="C major", tracks="flute,piano")
    request = Request(key="C major")
    writer = PieceWriter(around, Blanks.everything(around), request, style_named("classical"), "", generator(7))
    rows = [row for row in writer.write() if row[4] == 0]
    strong = [row for row in rows if writer.sketch.level(row[0]) == 0]
    assert np.mean([row[2] % 12 in writer.sketch.harmony_at(row[0]).pitches for row in strong]) > 0.85
    steps = np.abs(np.diff([row[2] for row in sorted(rows)]))
    assert np.mean(steps <= 4) > 0.75
    assert steps.max() <= 12


def test_a_fill_meets_what_is_kept_before_and_after():
    source, gaps = song(3, bars=12, tracks=1), []
    for seed in range(8):
        result = generate.generate(Request(verb="infill", place="5-8", seed=seed), Rules(), source=source)[0]
        onsets, pitches = result.score.onset, result.score.pitch.astype(int)
        for edge in (4 * 1920, 8 * 1920):
            k = int(np.searchsorted(onsets, edge))
            gaps.append(abs(pitches[k] - pitches[k - 1]))
    assert np.mean(gaps) < 4.5
    assert max(gaps) <= 12


def test_a_melody_is_harmonised_with_its_own_tones():
    tune = [67, 65, 64, 62, 64, 65, 67, 60, 67, 69, 71, 72, 69, 67, 71, 72]
    source = Score.from_rows([(480 * k, 480, p, 80, 0) for k, p in enumerate(tune)], tracks=(Track("soprano", 52),),
                             end=4 * 1920, keys=(Key(0, 0, "major"),))
    result = generate.generate(Request(verb="harmonize", tracks=("alto", "tenor", "bass voice"), seed=1),
                               Rules(style="chorale"), source=source)[0]
    score = result.score
    for on, pitch in zip(source.onset.tolist(), source.pitch.tolist(), strict=True):
        under = score.select((score.onset <= on) & (score.offset > on) & (score.track > 0))
        assert len(under) == 3
        assert under.pitch.max() <= pitch
    assert not [f for f in findings(score) if f.kind in ("parallel_fifths", "parallel_octaves", "leading_tone")]


def test_swing_is_late_and_straight_styles_are_not():
    swung = compose("swing", 2, bars=8).score
    assert (swung.onset % 480 == 320).sum() > 8
    assert not (swung.onset % 480 == 240).any()
    assert not (compose("bossa", 2, bars=8).score.onset % 120).any()


# --- reasons ---------------------------------------------------------------------------------------------------


def cadence():
    chords = [(60, 64, 67), (59, 62, 65, 67), (60, 64, 67), (57, 60, 65), (59, 62, 67), (60, 64, 67)]
    basses, top = [48, 43, 48, 53, 43, 48], [76, 74, 72, 77, 74, 72]
    rows = [(960 * k, 960, p, 70, 1) for k, chord in enumerate(chords) for p in chord]
    rows += [(960 * k, 960, p, 70, 2) for k, p in enumerate(basses)]
    rows += [(960 * k, 480, p, 80, 0) for k, p in enumerate(top)]
    rows += [(480, 480, 74, 80, 0)]
    return Score.from_rows(rows, end=3 * 1920, keys=(Key(0, 0, "major"),),
                           tracks=(Track("flute", 73), Track("piano", 0), Track("bass", 33)))


def test_reasons_name_the_chord_and_the_rule():
    score, model = cadence(), Rules(style="classical")
    first = next(i for i in range(len(score)) if score.track[i] == 0 and score.onset[i] == 0)
    found = model.explain(score, first)
    assert "third of I (C) in C major" in found.text
    passing = next(i for i in range(len(score)) if score.track[i] == 0 and score.onset[i] == 480)
    assert score.pitch[passing] == 74
    assert "outside of I (C)" in model.explain(score, passing).text
    here = (score.track == 1) & (score.pitch == 59) & (score.onset == 3840)
    leading = int(np.flatnonzero(here)[0])
    assert "leading tone" in model.explain(score, leading).text


def test_reasons_have_chances():
    for style in ("classical", "swing"):
        score = compose(style, 4, bars=8).score
        for note in range(0, len(score), 7):
            found = Rules(style=style).explain(score, note)
            assert 0 <= found.probability <= 1
            assert found.probability + sum(share for _, share in found.alternatives) <= 1 + 1e-9
            assert found.text


def test_kinds_of_notes_outside_the_chord():
    around = frame(2, key="C major", tracks="flute")
    request = Request(key="C major")
    writer = PieceWriter(around, Blanks.everything(around), request, style_named("classical"), "", generator(1))
    sketch = writer.sketch
    sketch.harmonies = [sketch.harmonies[0]._replace(start=0, end=3840, pitches=(0, 4, 7), bass=0, degree="I", tonic=0,
                                                     mode="major", function="T")]
    sketch._harmony_starts = [0]
    def kind(*pitches):
        return note_kind(sketch, [(480 * k, 480 * k + 480, p) for k, p in enumerate(pitches)], 1)
    assert kind(60, 62, 64) == "passing"
    assert kind(64, 65, 64) == "neighbour"
    assert kind(65, 65, 64) == "suspension"
    assert kind(60, 65, 64) == "appoggiatura"
    assert kind(64, 65, 60) == "escape"
    assert kind(60, 66, 72) == "free"
    assert kind(60, 64, 67) == "tone"


def test_a_strand_is_the_line_a_note_stands_in():
    rows = [(480 * k, 480, p, 80, 0) for k, chord in enumerate([(48, 64), (50, 65), (48, 67)]) for p in chord]
    score = Score.from_rows(rows, tracks=(Track("piano"),))
    assert [p for _, _, p in strand(score, 0, 480, 65)] == [64, 65, 67]
    assert [p for _, _, p in strand(score, 0, 480, 50)] == [48, 50, 48]
