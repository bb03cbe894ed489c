"""What the rules hear in what is kept, and what they say of their figures."""

import itertools

import numpy as np
import pytest

from partimento import verbs
from partimento.features import find_key
from partimento.models.rules import Rules
from partimento.models.rules.basis import kept_evidence, struck_changes
from partimento.models.rules.chorale import sung_phrases
from partimento.models.rules.explain_figures import struck_by, tone_chances
from partimento.models.rules.figures import bar_events
from partimento.models.rules.form import beat_bars
from partimento.models.rules.loudness import levelled, middle_loudness
from partimento.models.rules.melody import bar_tick, draw_rhythm, in_thirds
from partimento.models.rules.plan import RomanChord, Slot
from partimento.models.rules.returns import plays_blocks
from partimento.models.rules.sketch import Sketch, rules_table
from partimento.models.rules.styles import style_named
from partimento.notation.ready import ready
from partimento.sampling import Legal, generator
from partimento.score import Meter, Score, Track
from partimento.theory import KeyName

DEGREES = {"I": (0, 4, 7), "IV": (5, 9, 0), "V": (7, 11, 2), "vi": (9, 0, 4)}


def frame(bars: int, meter: tuple[int, int] = (4, 4), tracks: tuple[Track, ...] = (Track("piano"),)) -> Score:
    ticks = bars * 1920 * meter[0] // meter[1]
    return Score(end=ticks, meters=(Meter(0, *meter),), tracks=tracks)


def chord_rows(degrees: str, length: int = 1920, track: int = 0) -> list[tuple[int, int, int, int, int]]:
    return [(k * length, length, 48 + tone, 80, track) for k, name in enumerate(degrees.split())
            for tone in DEGREES[name]]


def song(repeats: int = 1, last: int = 60) -> Score:
    """Four bars of melody in C, closing on a repeated note."""
    bar = [(0, 480, 64), (480, 480, 67), (960, 960, 65)]
    rows = [(1920 * (4 * r + b) + on, d, p + (b % 2), 96, 0) for r in range(repeats) for b in range(3)
            for on, d, p in bar]
    rows += [(1920 * (4 * r + 3) + half, 960, last, 96, 0) for r in range(repeats) for half in (0, 960)]
    return frame(4 * repeats, tracks=(Track("violin", 40),)).with_rows(rows)


# --- time ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("meter", [(6, 8), (9, 8), (12, 8), (7, 8)])
def test_beats_of_three_are_divided_into_thirds_by_every_cell_and_figure(meter: tuple[int, int]) -> None:
    bar = beat_bars(frame(1, meter))[0]
    long = [(start, length) for k, (start, length) in enumerate(bar.beats) if bar.in_threes(k)]
    assert long
    ticks: list[int] = []
    for seed, style in itertools.product(range(4), rules_table("styles")):
        ticks += [bar_tick(bar, a) for a, _ in draw_rhythm(bar, style_named(style)["cells"], generator(seed))]
    for kind in ("chords", "bass"):
        for figure in rules_table("figures")[kind].values():
            ticks += [event.start for event in bar_events(bar, figure)]
    for start, length in long:
        inside = [tick - start for tick in ticks if start <= tick < start + length]
        assert set(inside) <= {0, length // 3, length // 2, 2 * length // 3}
        assert sum(place == length // 2 for place in inside) < 0.1 * len(inside)       # a sixteenth of a run


def test_a_place_in_plain_time_stays() -> None:
    bar = beat_bars(frame(1))[0]
    assert [in_thirds(bar, 0, place) for place in (0, 0.25, 1.5, 3.75)] == [0, 0.25, 1.5, 3.75]


def test_swung_chords_are_written_as_notes_of_a_triplet() -> None:
    rows = [(480 * k + at, 160 if at else 320, 60 + k % 5, 80, 0) for k in range(0, 16, 2) for at in (0, 320)]
    made = ready(frame(4).with_rows(rows))
    assert set(np.asarray(made.duration).tolist()) == {160, 320}


# --- what is heard ------------------------------------------------------------------------------------------------


def test_repeated_short_notes_speak_for_their_chord_as_a_long_one_does() -> None:
    slots = [Slot(0, 1920)]
    held = frame(1).with_rows([(0, 1920, 60, 80, 0)])
    pumped = frame(1).with_rows([(240 * k, 240, 60, 80, 0) for k in range(8)])
    one, two = kept_evidence(held, [], slots), kept_evidence(pumped, [], slots)
    assert one is not None
    assert two is not None
    assert (one.against == two.against).all()
    assert one.against[0, 0] > 0


def test_kept_chords_that_change_cut_the_harmony_there() -> None:
    kept = frame(4).with_rows(chord_rows("I I V V", 960))
    assert struck_changes(kept, beat_bars(kept)) == [1920]
    part = frame(4).with_rows([(0, 960, p, 80, 0) for p in (60, 64, 67)] + [(960, 960, p, 80, 0) for p in (60, 64)])
    assert struck_changes(part, beat_bars(part)) == []


def test_what_sounds_is_found_bar_by_bar_as_by_a_look_at_every_note() -> None:
    around = frame(8, tracks=(Track("violin", 40), Track("piano")))
    rng = np.random.default_rng(0)
    rows = [(int(a), int(d), int(p), 80, int(t)) for a, d, p, t in zip(
        rng.integers(0, 8 * 1920 - 1, 80), rng.integers(1, 5000, 80), rng.integers(40, 80, 80),
        rng.integers(0, 2, 80), strict=True)]
    chord = RomanChord(0, around.end, 0, "major", "I", (0, 4, 7), 0, "T")
    sketch = Sketch(around, beat_bars(around), [], [chord], style_named("rock"), Legal(around, None), generator(0),
                    1.0, 1.0, False)
    for part in (rows[:40], rows[40:]):
        sketch.add(part)
        for start, stop in [(0, 1), (100, 4000), (1919, 1921), (5000, 15360)]:
            plain = sorted(n for n in sketch.sounding if n[0] < stop and n[1] > start)
            assert sorted(sketch.heard(start, stop)) == plain
    sketch.sounding = sketch.sounding[:10]
    assert sorted(sketch.heard(0, around.end)) == sorted(sketch.sounding)


def test_parts_beside_a_soft_tune_are_soft_and_one_that_goes_on_keeps_its_loudness() -> None:
    rows = [(480 * k, 480, 60, 60, 0) for k in range(16)]
    kept = frame(4).with_rows(rows)
    assert middle_loudness(kept, ["lead"], 90) == 54
    assert middle_loudness(kept, ["bass"], 90) == 90
    new = [(7680 + 480 * k, 480, 60, 85 + k, 0) for k in range(5)]
    assert [row[3] for row in levelled(new, kept)] == [58, 59, 60, 61, 62]
    assert levelled(new, kept.select(kept.onset < 1000)) == new


def test_chords_go_on_as_chords() -> None:
    kept = frame(8).with_rows(chord_rows("I IV V I I IV V I"))
    assert plays_blocks(kept, beat_bars(kept))
    assert not plays_blocks(song(2), beat_bars(song(2)))
    made = verbs.continue_(kept, bars=4, model="rules", seed=1)[0].score
    onsets, counts = np.unique(made.onset[made.onset >= kept.end], return_counts=True)
    assert len(onsets)
    assert (counts >= 3).all()


def test_a_lower_part_that_was_one_line_goes_on_as_one() -> None:
    two = frame(8, tracks=(Track("piano"), Track("piano")))
    line = [(240 * k, 240, 72 + (0, 2, 4, 5, 7, 5, 4, 2)[k % 8], 80, 0) for k in range(64)]
    under = [(480 * k, 480, 48 + (0, 4, 7, 4)[k % 4], 80, 1) for k in range(32)]
    made = verbs.infill(two.with_rows(line + under), bars="4-6", model="rules", seed=1)[0].score
    new = made.select((made.track == 1) & (made.onset >= 3 * 1920) & (made.onset < 6 * 1920))
    assert len(new)
    assert len(np.unique(new.onset)) == len(new)


# --- how it ends --------------------------------------------------------------------------------------------------


def test_the_last_bar_comes_home_where_the_tune_does() -> None:
    tune = song()
    line = [(int(a), int(b), int(p)) for a, b, p in zip(tune.onset, tune.offset, tune.pitch, strict=True)]
    slots = [Slot(960 * k, 960 * k + 960) for k in range(8)]
    arrivals = [s.start for s in sung_phrases(tune, line, slots, KeyName(0, "major"), True)[0] if s.arrival]
    assert arrivals[-1] == 3 * 1920
    beside = [(3 * 1920, 3 * 1920 + 960, 59)]
    later = [s.start for s in sung_phrases(tune, line, slots, KeyName(0, "major"), True, beside=beside)[0] if s.arrival]
    assert later[-1] == 3 * 1920 + 960


@pytest.mark.parametrize("seed", range(4))
def test_the_bass_of_an_accompaniment_rests_on_the_root_under_the_tunes_end(seed: int) -> None:
    tune = song(2)
    made = verbs.accompany(tune, tracks="cello", key="C", model="rules", seed=seed)[0].score
    bass = made.select((made.track == 1) & (made.onset >= 7 * 1920))
    assert {int(p) % 12 for p in bass.pitch} == {0}


@pytest.mark.parametrize("style", ["pop ballad", "rock", "lo-fi", "ambient", "chiptune", "battle"])
def test_minor_pieces_of_loops_are_heard_in_minor_and_close_by_a_dominant(style: str) -> None:
    how = style_named(style)["harmony"]
    assert how["close"]["minor"].split()[-2].startswith("V")
    heard = [find_key(verbs.compose(model="rules", style=style, key="A minor", bars=16, seed=seed)[0].score).key
             for seed in range(40, 44)]
    assert sum(key == KeyName(9, "minor") for key in heard) >= 3


# --- why ----------------------------------------------------------------------------------------------------------


def test_tones_of_a_figure_by_its_letters() -> None:
    chord = RomanChord(0, 480, 0, "major", "V7", (7, 11, 2, 5), 11, "D")
    assert tone_chances("B", chord) == {11: 1.0}
    assert tone_chances("w", chord) == {}
    assert tone_chances("*", chord) == {7: 0.25, 11: 0.25, 2: 0.25, 5: 0.25}
    both = tone_chances("B*", chord)
    assert both[11] == pytest.approx(0.4)
    assert sum(both.values()) == pytest.approx(1)


def test_a_waltz_is_told_by_its_moments_also_in_a_style_that_has_none() -> None:
    bars = beat_bars(frame(4, (3, 4)))
    onsets = [bar.start + 480 * k for bar in bars for k in range(3)]
    found = struck_by(bars, onsets, 480, style_named("waltz"), "left")
    assert found is not None
    assert (found.name, found.share, found.tones) == ("waltz", 1.0, "*")
    assert struck_by(bars, [100, 1600], 100, style_named("waltz"), "left") is None


@pytest.mark.parametrize("style", ["waltz", "ragtime", "rock", "bossa"])
def test_most_notes_of_figures_are_explained_by_their_figure(style: str) -> None:
    score = verbs.compose(model="rules", style=style, bars=8, seed=3)[0].score
    model = Rules(style=style)
    notes = [k for k in range(len(score)) if not score.tracks[int(score.track[k])].is_drum][::7]
    reasons = [model.explain(score, k) for k in notes]
    for reason in reasons:
        assert 0 <= reason.probability <= 1
        assert reason.probability + sum(p for _, p in reason.alternatives) <= 1 + 1e-9
    assert sum("the figure" in reason.text for reason in reasons) > 0.25 * len(reasons)
    assert sum(reason.probability < 0.01 for reason in reasons) < 0.15 * len(reasons)
