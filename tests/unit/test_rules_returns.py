"""The rules family on music that is kept: where a melody closes, what comes back, and what a part goes on with."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from partimento import theory, verbs
from partimento.judge.faults.table import findings
from partimento.models.rules import Rules
from partimento.models.rules.chorale import melody_key, melody_line, sung_phrases
from partimento.models.rules.figures import FigureEvent, Register, resting, voicings
from partimento.models.rules.form import beat_bars
from partimento.models.rules.grammar import Evidence
from partimento.models.rules.plan import Phrase, Slot, roman_chord
from partimento.models.rules.returns import kept_figure, kept_form, kept_phrases, returning
from partimento.score import Meter, Score, Track
from partimento.theory import KeyName

# Two tunes of sixteen quarters each, one bar of four at a time; the second is in A minor and rests on A.
MAJOR = [67, 64, 65, 67, 69, 67, 65, 64, 62, 64, 65, 62, 64, 62, 60, 60]
MINOR = [69, 72, 71, 69, 76, 74, 72, 71, 72, 74, 72, 71, 69, 68, 69, 69]
CONTRAST = [72, 74, 76, 77, 79, 77, 76, 74, 76, 77, 76, 74, 72, 74, 71, 67]


def tune(*pitches, tracks=("flute",)):
    rows = [(480 * k, 480, p, 80, 0) for k, p in enumerate(itertools.chain(*pitches))]
    return Score.from_rows(rows, end=480 * len(rows), meters=(Meter(0, 4, 4),), tracks=theory.parse_tracks(tracks))


@pytest.mark.parametrize("pitches", [MAJOR, MINOR], ids=["major", "minor"])
@pytest.mark.parametrize("tracks", ["piano", "piano,bass", "strings,bass", "guitar", "alto,tenor,bass voice"])
def test_a_harmonised_melody_ends_over_the_tonic_of_its_key(pitches, tracks):
    score = tune(pitches, pitches)
    home = melody_key(score, melody_line(score, 0))
    assert home.mode == ("minor" if pitches is MINOR else "major")
    for seed in range(4):
        made = verbs.harmonize(score, tracks=tracks, model=Rules(), seed=seed)[0].score
        last = made.select(made.offset == made.end)
        assert int(last.pitch.min()) % 12 == home.tonic
        triad = {(home.tonic + step) % 12 for step in ((0, 3, 4, 7) if home.mode == "minor" else (0, 4, 7))}
        assert set((last.pitch % 12).tolist()) <= triad


def test_a_minor_cadence_has_its_leading_tone_raised():
    score = tune(MINOR, MINOR)
    for seed in range(4):
        made = verbs.harmonize(score, tracks="piano,bass", model=Rules(), seed=seed)[0].score
        before = made.select((made.onset < made.end - 960) & (made.offset > made.end - 1440) & (made.track > 0))
        assert not (before.pitch % 12 == 7).any()


def test_slots_are_told_off_to_the_phrases_that_are_sung():
    score = tune(MAJOR)
    slots = [Slot(960 * k, 960 * k + 960) for k in range(8)]
    found, spans = sung_phrases(score, melody_line(score, 0), slots, KeyName(0, "major"), True)
    assert found[-1].arrival
    assert spans[found[-1].phrase].cadence == "?"
    assert [slot.phrase for slot in found] == sorted(slot.phrase for slot in found)
    assert len(spans) == found[-1].phrase + 1 == sum(slot.arrival for slot in found)
    assert sung_phrases(score, melody_line(score, 0), slots, KeyName(0, "major"), False)[1][-1].cadence == ""


def test_the_form_of_what_is_kept_is_heard():
    theme, other = [*MAJOR, *CONTRAST], [*CONTRAST, *reversed(MAJOR)]
    bars = beat_bars(Score(end=1920 * 32, meters=(Meter(0, 4, 4),)))
    line = melody_line(tune(theme, theme, other), 0)
    assert kept_form(bars, line, [(24 * 1920, 32 * 1920)]) == "A8 A8 B8 A8"
    assert kept_form(bars[:24], line[:64], [(16 * 1920, 24 * 1920)]) == "A8 A8 A8"
    assert kept_form(bars[:16], line[:32], [(8 * 1920, 16 * 1920)]) == "A8 A8"
    assert kept_form(bars, line[:32], [(8 * 1920, 32 * 1920)]) == "A8 A8 B8 A8"
    hole = [note for note in line if not 8 * 1920 <= note[0] < 12 * 1920]
    assert kept_form(bars[:24], hole, [(8 * 1920, 12 * 1920)]) == "A8 A8 B8"      # what is left of it says what it is
    assert kept_form(bars, line[:8], [(2 * 1920, 32 * 1920)]) == ""
    late = [(8 * 1920 - 480, 32 * 1920)]                                          # a last bar that is begun is kept
    assert kept_form(bars[:16], line[:31], late) == "A8 A8"


def test_kept_phrases_close_as_they_do():
    bars = beat_bars(Score(end=1920 * 8, meters=(Meter(0, 4, 4),)))
    plan = [Phrase("A", 0, 4, "PAC", 7, "major"), Phrase("A", 4, 4, "PAC", 7, "major", 0)]
    found = kept_phrases(plan, bars, [(4 * 1920, 8 * 1920)], (0, "major"))
    assert found[0] == Phrase("A", 0, 4, "", 0, "major")
    assert found[1] == plan[1]._replace(repeats=-1)               # its key is another: it cannot be the same


def test_what_returns_asks_for_the_chords_it_had():
    bars = beat_bars(Score(end=1920 * 8, meters=(Meter(0, 4, 4),)))
    phrases = [Phrase("A", 0, 4), Phrase("A", 4, 4, "PAC", repeats=0)]
    slots = [Slot(1920 * k, 1920 * k + 1920, 1.0, k // 4, k == 7) for k in range(8)]
    against = np.zeros((8, 12))
    against[:4] = np.arange(1, 49).reshape(4, 12)
    none = np.full(8, -1, np.int64)
    found = returning(Evidence(against, none, none), slots, phrases, bars)
    assert (found.against[4:6] == against[:2]).all()
    assert not found.against[6:].any()


def test_a_continued_theme_comes_back_and_closes():
    theme = [*MAJOR, *CONTRAST]
    for seed in range(3):
        made = verbs.continue_(tune(theme, [*CONTRAST, *reversed(MAJOR)]), bars=8, model=Rules(), seed=seed)[0].score
        new = melody_line(made, 0)
        heard = {(a - 16 * 1920, p) for a, _, p in new if 16 * 1920 <= a < 23 * 1920}
        meant = {(480 * k, p) for k, p in enumerate(theme[:28])}
        assert len(heard & meant) > 0.8 * len(meant)
        assert new[-1][2] % 12 == 0


def test_a_line_alone_goes_on_alone_and_a_left_hand_as_it_was():
    alone = tune(MAJOR, CONTRAST, tracks=("piano",))
    made = verbs.continue_(alone, bars=4, model=Rules(), seed=1)[0].score
    new = made.select(made.onset >= alone.end)
    assert len(set(new.onset.tolist())) == len(new) > 0
    left = [(1920 * b + 240 * k, 240, (48, 55, 52, 55)[k % 4], 70, 0) for b in range(8) for k in range(8)]
    both = alone.with_rows([*alone.notes().tolist(), *left])
    made = verbs.continue_(both, bars=8, model=Rules(), seed=1)[0].score
    new = made.select((made.onset >= alone.end) & (made.onset < made.end - 1920))     # the melody has quarters alone
    assert len({int(tick) // 240 for tick in new.onset.tolist()}) > 0.75 * 7 * 8


def test_the_figure_of_kept_bars_is_found():
    bars = beat_bars(Score(end=1920 * 4, meters=(Meter(0, 4, 4),)))
    table = {"half": {"2": [[0, 2, "*"]]}, "beat": {"1": [[0, 1, "*"]]}}
    assert kept_figure(bars, list(range(0, 7680, 960)), table) == "half"
    assert kept_figure(bars, list(range(0, 7680, 480)), table) == "beat"
    assert kept_figure(bars, [100, 2500], table) == ""
    assert kept_figure(bars, [], table) == ""


def test_a_figure_rests_where_a_phrase_closes():
    bars = beat_bars(Score(end=1440, meters=(Meter(0, 3, 4),)))
    waltz = [FigureEvent(0, 480, "B"), FigureEvent(480, 960, "*"), FigureEvent(960, 1440, "*")]
    assert resting(waltz, bars[0]) == [FigureEvent(0, 480, "B"), FigureEvent(480, 1440, "*")]


class Others:
    """Other parts of which one line is struck where each harmony begins."""

    def __init__(self, line):
        self.line = line

    def pitches_of_others(self, track, start, end):
        return frozenset({self.line[start]})

    def struck_by_others(self, track, tick):
        return {(0, 0): self.line[tick], (0, 1): self.line[tick]}


@pytest.mark.parametrize("line", [(48, 50, 52, 48), (43, 45, 47, 48), (72, 74, 76, 72)])
def test_chords_go_in_no_parallel_with_the_lines_that_stand(line):
    harmonies = [roman_chord(960 * k, 960 * k + 960, 0, "major", d) for k, d in enumerate(("I", "ii", "iii", "I"))]
    found = voicings(Others({960 * k: p for k, p in enumerate(line)}), harmonies, Register(48, 79, 62, 3, 36, 48), 1,
                     True)
    for k in range(1, 4):
        for place in (0, -1):
            was, now = found[k - 1][place] - line[k - 1], found[k][place] - line[k]
            same_way = (found[k][place] - found[k - 1][place]) * (line[k] - line[k - 1]) > 0
            assert not (same_way and was % 12 == now % 12 and now % 12 in (0, 7))


def test_new_parts_to_two_kept_ones_make_no_parallels():
    bass = [48, 52, 50, 48, 53, 52, 50, 48, 55, 48, 53, 55, 48, 55, 48, 48]
    score = tune(MAJOR)
    rows = [*score.notes().tolist(), *([480 * k, 480, p, 80, 1] for k, p in enumerate(bass))]
    kept = score.replace(tracks=(Track("flute", 73), Track("bass", 32))).with_rows(rows)
    before = {found.kind for found in findings(kept)}
    for seed in range(6):
        made = verbs.harmonize(kept, tracks="viola" if seed % 2 else "piano", model=Rules(), seed=seed)[0].score
        told = {found.kind for found in findings(made)} - before
        assert not {"parallel_fifths", "parallel_octaves", "ending"} & told


def test_a_piece_has_a_high_point_past_its_middle():
    places = []
    for seed in range(8):
        model = Rules(style="waltz", form="A8 B8")
        made = verbs.compose(model=model, bars=16, tracks="flute,piano", seed=seed)[0].score
        line = melody_line(made, 0)
        top = max(p for _, _, p in line)
        places.append(next(a for a, _, p in line if p == top) / made.end)
    assert np.median(places) > 0.5


def test_leaps_are_mostly_filled():
    leaps = filled = 0
    for seed in range(8):
        made = verbs.compose(model=Rules(style="classical"), bars=16, tracks="violin,piano", seed=seed)[0].score
        pitches = [p for _, _, p in melody_line(made, 0)]
        for one, two, three in zip(pitches, pitches[1:], pitches[2:], strict=False):
            if abs(two - one) >= 5:
                leaps += 1
                filled += (three - two) * (two - one) < 0
    assert leaps > 10
    assert filled > 0.66 * leaps
