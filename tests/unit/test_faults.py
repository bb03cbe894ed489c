"""The faults of one piece: each kind by hand, found where it is and not where it is none."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest

from partimento.errors import RequestError
from partimento.judge.faults import FAULTS, findings, findings_text, spreads
from partimento.judge.finding import Finding
from partimento.score import Chord, Meter, Score, Tempo, Track

Q = 480
BAR = 4 * Q
PIANO, VIOLIN, CELLO, GUITAR = Track("piano", 0), Track("violin", 40), Track("cello", 42), Track("guitar", 24)
Row = tuple[int, int, int, int, int]


def row(quarter: float, length: float, pitch: int, track: int = 0) -> Row:
    return round(quarter * Q), round(length * Q), pitch, 80, track


def line(pitches: Sequence[int], track: int = 0, start: float = 0, length: float = 1) -> list[Row]:
    return [row(start + i * length, length, pitch, track) for i, pitch in enumerate(pitches)]


def told(score: Score, kind: str) -> list[Finding]:
    return [one for one in findings(score) if one.kind == kind]


def places(score: Score, kind: str) -> list[tuple[int, tuple[int, int], float]]:
    return [(one.track, one.bars, round(one.value, 3)) for one in told(score, kind)]


def song(bars: int = 16) -> list[Row]:
    """Two parts in C: a tune over chords in quarters that change each bar, and end on the tonic."""
    roots = [(48, 52, 55), (53, 57, 60), (43, 47, 50), (48, 52, 55)]
    rows: list[Row] = []
    for bar in range(bars):
        chord = roots[bar % 4]
        tune = [chord[(bar + i) % 3] + 24 for i in range(4)] if bar % 2 else [chord[0] + 24, chord[1] + 24,
                                                                              chord[2] + 24]
        tune = tune if bar < bars - 1 else [72]
        rows += line(tune, 0, 4 * bar, 4 / len(tune))
        rows += [row(4 * bar + i * (1 + bar % 2), 1 + bar % 2, pitch, 1) for pitch in chord
                 for i in range(4 // (1 + bar % 2))]
    return rows


def made(rows: Sequence[Row], *tracks: Track, bars: int | None = None, **frame: object) -> Score:
    return Score.from_rows(rows, tracks=tracks or (PIANO,), end=(bars or 0) * BAR, **frame)


SONG = made(song(), VIOLIN, PIANO)


def test_a_plain_song_has_no_fault() -> None:
    assert findings(SONG) == []
    assert findings_text(SONG, []) == "no fault found"


def test_every_kind_says_what_it_is() -> None:
    assert all(fault.unit and fault.meaning and fault.name == name for name, fault in FAULTS.items())
    assert all(fault.usual[0] <= fault.usual[1] for fault in FAULTS.values())


# --- harmony -----------------------------------------------------------------------------------------------------


def test_a_part_that_is_a_semitone_off_leaves_the_chords() -> None:
    rows = [(o, d, p + (t == 0 and 4 * BAR <= o < 8 * BAR), v, t) for o, d, p, v, t in song()]
    (found,) = told(made(rows, VIOLIN, PIANO), "off_harmony")
    assert found.track in (0, 1)
    assert found.bars == (5, 8)
    assert told(made([(o, d, p + 1, v, t) for o, d, p, v, t in song()], VIOLIN, PIANO), "off_harmony") == []


def test_given_chords_count_as_a_part() -> None:
    tune = [72, 76, 79, 76] * 3 + [73, 77, 80, 77] * 4 + [72, 76, 79, 76] * 5
    chords = tuple(Chord(bar * BAR, "C") for bar in range(12))
    (found,) = told(made(line(tune), VIOLIN, chords=chords), "off_harmony")
    assert found.bars == (4, 7)
    assert told(made(line(tune), VIOLIN), "off_harmony") == []         # of a tune alone nobody can say
    odd = (Chord(0, "no chord at all"),)
    assert told(made(line(tune), VIOLIN, chords=odd), "off_harmony") == []


def test_an_end_off_the_tonic() -> None:
    def ends_on(*chord: int) -> list[tuple[int, tuple[int, int], float]]:
        rows = [one for one in song() if one[0] < 15 * BAR] + [row(60, 4, pitch, 1) for pitch in chord]
        return places(made(rows, VIOLIN, PIANO), "ending")

    assert ends_on(43, 59, 62) == [(-1, (16, 16), 0.667)]       # G: of its tones one is of C's triad, and its bass
    assert ends_on(50, 53, 57) == [(-1, (16, 16), 2.0)]         # D minor: all are outside, and the bass
    assert ends_on(48, 52, 55) == ends_on(52, 60, 67) == []


def test_an_end_that_breaks_off_and_one_that_does_not() -> None:
    cut = [one for one in song() if one[0] < 13 * BAR] + line([65, 67], 0, 52, 0.5)
    assert [one.bars for one in told(made(cut, VIOLIN, PIANO), "broken_off")] == [(14, 14)]
    on_the_beat = [one for one in song() if one[0] < 13 * BAR] + line([65, 67, 69], 0, 52, 0.5)
    assert told(made(on_the_beat, VIOLIN, PIANO), "broken_off") == []


def test_silent_bars_at_the_end_and_in_the_middle() -> None:
    assert places(made(song(), VIOLIN, PIANO, bars=18), "empty_end") == [(-1, (17, 18), 2.0)]
    hole = [one for one in song() if not 5 * BAR <= one[0] < 8 * BAR]
    assert places(made(hole, VIOLIN, PIANO), "silence") == [(-1, (6, 8), 3.0)]
    ringing = [*hole, row(20, 12, 48, 1)]
    assert told(made(ringing, VIOLIN, PIANO), "silence") == []


# --- part-writing ------------------------------------------------------------------------------------------------

UPPER = [72, 71, 72, 74, 76, 74, 72, 71, 72, 74, 76, 77]
LOWER = [57, 55, 52, 53, 48, 55, 57, 55, 52, 55, 48, 50]      # thirds, sixths, tenths and now and then a fifth


def two_voices(**change: int) -> Score:
    upper, lower = list(UPPER), list(LOWER)
    for place, pitch in change.items():
        (upper if place[0] == "u" else lower)[int(place[1:])] = pitch
    return made([*line(upper, 0), *line(lower, 1)], VIOLIN, CELLO)


def test_parallel_fifths_and_octaves() -> None:
    assert told(two_voices(), "parallel_fifths") + told(two_voices(), "parallel_octaves") == []
    fifths = two_voices(l4=57, l5=55, u4=76, u5=74)               # A3–E5 to G3–D5
    assert [(one.bars, one.notes) for one in told(fifths, "parallel_fifths")] == [((2, 2), (8, 9, 10, 11))]
    octaves = two_voices(l4=52, l5=50)                            # E3–E5 to D3–D5
    assert [one.bars for one in told(octaves, "parallel_octaves")] == [(2, 2)]
    assert told(octaves, "parallel_octaves")[0].value == pytest.approx(100 / 32)
    contrary = two_voices(l4=52, l5=62, u5=74)                    # E3–E5 to D4–D5: the voices part
    assert told(contrary, "parallel_octaves") == []


def test_a_doubled_line_is_no_fault() -> None:
    doubled = made([*line(UPPER, 0), *line([pitch - 12 for pitch in UPPER], 1)], VIOLIN, CELLO)
    assert told(doubled, "parallel_octaves") == []
    organum = made([*line(UPPER, 0), *line([pitch - 7 for pitch in UPPER], 1)], VIOLIN, CELLO)
    assert told(organum, "parallel_fifths") == []


CADENCE = [(48, 64, 67, 72), (53, 65, 69, 72), (43, 62, 67, 71), (48, 64, 67, 72)] * 4


def cadences(last: int) -> Score:
    rows = [row(2 * i, 2, pitch, voice) for i, chord in enumerate(CADENCE) for voice, pitch in enumerate(chord)]
    rows = [one for one in rows if not (one[0] == 30 * Q and one[4] == 3)]
    return made([*rows, row(30, 2, last, 3)], CELLO, VIOLIN, VIOLIN, VIOLIN)


def test_a_leading_tone_on_top_goes_up() -> None:
    assert told(cadences(72), "leading_tone") == []
    (found,) = told(cadences(76), "leading_tone")
    assert (found.track, found.bars) == (3, (8, 8))
    assert "B4" in found.text


# --- playing -----------------------------------------------------------------------------------------------------


def test_what_two_hands_can_take() -> None:
    assert told(made([row(0, 1, p) for p in (36, 48, 52, 72, 76, 84)]), "span") == []
    (found,) = told(made([row(0, 1, p) for p in (36, 60, 84)]), "span")
    assert (found.value, found.notes) == (24.0, (0, 1, 2))
    strings = made([row(0, 1, p) for p in (36, 60, 84)], Track("strings", 48))
    assert told(strings, "span") == []


def test_what_a_hand_can_stop_on_a_guitar() -> None:
    barre = made([row(0, 1, p) for p in (41, 48, 53, 57, 60, 65)], GUITAR)                     # F major
    assert told(barre, "frets") == []
    assert told(made([row(0, 1, p) for p in (40, 41, 43)], GUITAR), "frets")[0].value == 19    # one string for all
    assert told(made([row(0, 1, p) for p in (41, 64, 76)], GUITAR), "frets")[0].value == 11    # first fret and twelfth


def test_range_and_speed_and_leaps() -> None:
    low = made([*line([60, 62, 64, 65], 0), row(4, 1, 50), row(5, 1, 60)], VIOLIN)
    assert places(low, "range") == [(0, (2, 2), 5.0)]
    assert told(low.replace(tracks=(CELLO,)), "range") == []
    few_low = made([one for bar in range(4) for one in line([60, 50, 62, 64] if bar % 2 else [60, 62, 64, 65], 0,
                                                              4 * bar)], VIOLIN)
    assert places(few_low, "range") == [(0, (2, 2), 5.0), (0, (4, 4), 5.0)]                  # an eighth of its notes
    low_part = made([one for bar in range(4) for one in line([50, 52, 45, 60] if bar % 2 else [60, 62, 64, 65], 0,
                                                             4 * bar)], VIOLIN)
    assert places(low_part, "range") == [(0, (2, 4), 10.0)]                                    # three eighths
    assert told(low_part, "range")[0].text == "38% of its notes lie outside what it can play"
    fast = made(line([60 + i % 12 for i in range(48)], length=1 / 16), VIOLIN)                 # 32 a second
    assert places(fast, "speed") == [(0, (1, 1), 32.0)]
    assert told(fast.replace(tempos=(Tempo(0, 1_000_000),)), "speed") == []                    # 16 a second
    assert places(made(line([60, 84] * 4), VIOLIN), "leaps") == [(0, (1, 2), 24.0)]
    assert told(made(line([60, 72] * 4), VIOLIN), "leaps") == []
    assert told(made(line([60, 84] * 4), PIANO), "leaps") == []                                # there are two hands


# --- form --------------------------------------------------------------------------------------------------------


def test_rhythm_and_bars_that_do_not_move_on() -> None:
    scale = [60 + (5 * i) % 17 for i in range(48)]
    frozen = made(line(scale), VIOLIN)
    assert places(frozen, "frozen_rhythm") == [(-1, (1, 12), 12.0)]
    varied = [one for i, one in enumerate(line(scale)) if i % 7]
    assert told(made(varied, VIOLIN), "frozen_rhythm") == []
    loop = made(line([60, 64, 67, 64] * 6), VIOLIN)
    assert places(loop, "repeated") == [(-1, (1, 6), 6.0)]
    assert told(made(line([60, 64, 67, 64] * 4), VIOLIN), "repeated") == []
    twice = line([60, 64, 67, 64, 62, 65, 69, 65, 59, 62, 67, 62, 60, 64, 67, 72] * 2)         # a phrase and its repeat
    assert told(made(twice, VIOLIN), "repeated") == []


def test_music_in_which_nothing_returns() -> None:
    random = np.random.default_rng(0)
    wild = [row(4 * bar + place / 4, 0.25, int(random.integers(50, 90))) for bar in range(16)
            for place in random.choice(16, 5, replace=False)]
    (found,) = told(made(wild, VIOLIN), "unrelated")
    assert found.value >= 12
    assert told(made([(o + BAR * k, *rest) for k in range(16) for o, *rest in wild[:5]], VIOLIN), "unrelated") == []


def test_a_bar_with_a_crowd_of_notes() -> None:
    crowd = [*song(), *(row(28 + i / 8, 0.125, 60 + i % 12, 1) for i in range(32))]
    (found,) = told(made(crowd, VIOLIN, PIANO), "density")
    assert found.bars == (8, 8)


# --- single sounds -----------------------------------------------------------------------------------------------


def test_a_note_that_hangs_and_one_that_the_part_waits_for() -> None:
    rows = [*song(), row(8, 32, 59, 1)]
    assert places(made(rows, VIOLIN, PIANO), "stuck") == [(1, (3, 10), 8.0)]
    assert told(made([*song(), row(64, 32, 48, 1)], VIOLIN, PIANO), "stuck") == []


def test_a_note_struck_while_it_sounds() -> None:
    assert places(made([*song(), row(17.5, 1, 65, 1), row(18, 1, 65, 1)], VIOLIN, PIANO), "overlap") == [
        (1, (5, 5), 0.5)]
    assert told(made([row(0, 1, 60), row(1, 1, 60), row(0, 4, 60, 1)], VIOLIN, PIANO), "overlap") == []
    shared = made([row(0, 4, 60), row(1, 1, 60)], PIANO).replace(voice=np.array([1, 2]))
    assert told(shared, "overlap") == []


def test_parts_a_semitone_apart() -> None:
    assert places(made([*song(), row(8, 2, 73, 1), row(8, 2, 72, 0)], VIOLIN, PIANO), "clash") == [(0, (3, 3), 2.0)]
    assert told(made([*song(), row(8, 0.5, 73, 1), row(8, 0.5, 72, 0)], VIOLIN, PIANO), "clash") == []


# --- all of them -------------------------------------------------------------------------------------------------


def test_a_reference_says_what_is_usual() -> None:
    loop = made(line([60, 64, 67, 64] * 6), VIOLIN)
    usual = spreads([made(line([60, 64, 67, 64] * n), VIOLIN) for n in range(6, 10)])
    assert usual["repeated"] == pytest.approx((6.15, 8.85))
    assert [one for one in findings(loop, usual) if one.kind == "repeated"] == []
    (found,) = (one for one in findings(made(line([60, 64, 67, 64] * 12), VIOLIN), usual) if one.kind == "repeated")
    assert found.spread == usual["repeated"]
    assert found.value == 12
    with pytest.raises(RequestError, match="must have a piece with notes"):
        spreads([Score()])


def test_a_line_for_each_finding() -> None:
    low = made([*line([60, 62, 64, 65], 0), row(4, 1, 50), row(5, 1, 60)], VIOLIN)
    assert findings_text(low, findings(low)) == "bar 2, violin: D3 is 5 semitones below what it can play"
    usual = spreads([SONG])
    assert findings_text(low, findings(low, usual)) == (
        "bar 2, violin: D3 is 5 semitones below what it can play (5 semitones; the reference 0–0)")
    twins = low.replace(tracks=(VIOLIN, VIOLIN))
    assert "violin (track 1)" in findings_text(twins, findings(twins))


def test_a_pickup_is_bar_0() -> None:
    rows = [row(0, 1, 40), *line([60, 62, 64, 65], start=1)]
    score = made(rows, VIOLIN, meters=(Meter(0, 1, 4), Meter(Q, 4, 4)))
    assert [one.bars for one in told(score, "range")] == [(0, 0)]


@pytest.mark.parametrize("by", [-3, 5])
def test_a_transposed_piece_has_the_same_faults(by: int) -> None:
    rows = [(o, d, p + (t == 0 and 4 * BAR <= o < 8 * BAR), v, t) for o, d, p, v, t in song()]
    rows += [row(8, 32, 59, 1), row(17.5, 1, 65, 1), row(18, 1, 65, 1)]
    rows += [row(28 + i / 8, 0.125, 60 + i % 12, 1) for i in range(32)]
    there = [(one.kind, one.track, one.start, one.end) for one in findings(made(rows, VIOLIN, PIANO))]
    moved = made([(o, d, p + by, v, t) for o, d, p, v, t in rows], VIOLIN, PIANO)
    assert len(there) >= 4
    assert [(one.kind, one.track, one.start, one.end) for one in findings(moved)] == there


def test_scores_of_every_shape_have_an_answer() -> None:
    random = np.random.default_rng(1)
    drums = made([row(i, 1, 36) for i in range(40)], Track("kit", 0, True))
    for score in (Score(), Score(end=BAR), made([row(0, 1, 60)]), made([row(0, 0, 60)]), drums):
        assert isinstance(findings_text(score, findings(score)), str)
    for _ in range(150):
        n, tpq = int(random.integers(1, 40)), int(random.choice([1, 7, 480]))
        score = Score(
            onset=random.integers(0, tpq * 40 + 1, n), duration=random.integers(0, tpq * 12 + 1, n),
            pitch=random.integers(0, 128, n), velocity=random.integers(1, 128, n), track=random.integers(0, 3, n),
            voice=random.integers(-1, 4, n) if random.random() < 0.3 else None,
            staff=random.integers(-1, 3, n) if random.random() < 0.3 else None, ticks_per_quarter=tpq,
            tracks=tuple(Track("", int(random.integers(128)), bool(random.random() < 0.2)) for _ in range(3)),
            meters=(Meter(int(random.integers(0, tpq * 20 + 1)), int(random.integers(1, 13)), 8),))
        for one in findings(score):
            assert 0 <= one.start < one.end
            assert one.bars[0] <= one.bars[1]
            assert one.value > FAULTS[one.kind].usual[1]


def test_three_minutes_of_piano_take_well_under_a_second() -> None:
    random = np.random.default_rng(0)
    onset = np.sort(random.integers(0, 360 * Q // 120, 2500)) * 120
    score = Score(onset=onset, duration=np.full(2500, 240), pitch=random.integers(36, 90, 2500),
                  velocity=np.full(2500, 80), track=np.zeros(2500, int), tracks=(PIANO,))
    findings(SONG)
    start = time.perf_counter()
    findings(score)
    assert time.perf_counter() - start < 1.5            # 0.3 s on an idle core
