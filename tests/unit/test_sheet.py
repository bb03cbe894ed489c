"""The written page: note values, tuplets, beams, accidentals, clefs, drums, and what is filled in for a page."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento.notation import sheet_clefs
from partimento.notation.names import spelling_of
from partimento.notation.quantise import quantise
from partimento.notation.ready import is_written, ready
from partimento.notation.sheet import SheetBar, sheet
from partimento.notation.sheet_accidentals import Accidentals
from partimento.notation.sheet_beams import beamed
from partimento.notation.sheet_meter import grouping_heard, pulse_of
from partimento.notation.sheet_values import Span, UnwritableError, forced_apart, note_values, on_values, value_of
from partimento.score import Chord, Key, Mark, Meter, Score, Tempo, Text, Track

Q = 64 * 315                   # ticks a quarter: whole for 256ths, triplets, quintuplets, septuplets, nested ones
SHORT = {"whole": "1", "half": "2", "quarter": "4", "eighth": "8", "16th": "16", "32nd": "32", "64th": "64"}


def spelled_out(meter: tuple[int, int], text: str, rests: tuple[int, ...] = ()) -> str:
    """The values that write the notes between the edges in `text` (quarters); ~ ties, r rests, [3:2] tuplets."""
    edges = [int(Fraction(word) * Q) for word in text.split()]
    spans = tuple(Span(a, b, i in rests) for i, (a, b) in enumerate(pairwise(edges)))
    out, before = [], -1
    for piece in note_values(spans, pulse_of(*meter, Q), edges[0], edges[-1]):
        tuplets = "".join(f"[{actual}:{normal}]" for _, _, actual, normal in piece.tuplets)
        sign = "r" if piece.span in rests else "~" if piece.span == before else ""
        out.append(f"{sign}{SHORT.get(piece.kind, piece.kind)}{'.' * piece.dots}{tuplets}")
        before = piece.span
    return " ".join(out)


@pytest.mark.parametrize(
    ("meter", "edges", "rests", "expected"),
    [
        ((4, 4), "0 4", (), "1"),
        ((4, 4), "0 1 3 4", (), "4 2 4"),
        ((4, 4), "0 1 4", (), "4 2."),
        ((4, 4), "0 7/2 4", (), "2.. 8"),
        ((4, 4), "0 1/2 3/2 2 4", (), "8 4 8 2"),
        ((4, 4), "0 3/2 5/2 4", (), "4. 8 ~8 4."),          # the middle of the bar must be seen
        ((4, 4), "0 1/2 5/2 4", (), "8 4. ~8 4."),
        ((4, 4), "0 3/4 5/4 4", (), "8. 16 ~16 8. ~2"),     # and each beat, by what is shorter than eighths
        ((4, 4), "0 1/4 3/4 1 4", (), "16 8 16 2."),
        ((4, 4), "0 5/2 4", (0, 1), "r2 r8 r8 r4"),         # rests show the beats
        ((4, 4), "0 1 3 4", (1,), "4 r4 r4 4"),
        ((4, 4), "0 3/4 1 4", (0,), "r8 r16 16 2."),
        ((3, 4), "0 2 3", (), "2 4"),
        ((3, 4), "0 3/2 3", (), "4. 4."),
        ((3, 4), "0 1/2 5/2 3", (), "8 8 ~4. 8"),
        ((3, 4), "0 2 3", (0,), "r4 r4 4"),
        ((2, 2), "0 1/2 3/2 2 4", (), "8 4 8 2"),
        ((6, 8), "0 1 3/2 3", (), "4 8 4."),
        ((6, 8), "0 1 2 3", (), "4 8 ~8 4"),
        ((6, 8), "0 2 3", (), "4. ~8 4"),
        ((6, 8), "0 3/2 3", (1,), "4. r4."),
        ((6, 8), "0 1/2 3/2 3", (1,), "8 r8 r8 4."),
        ((9, 8), "0 3/2 9/2", (), "4. 2."),
        ((12, 8), "0 3/2 9/2 6", (), "4. 2. 4."),
        ((5, 8), "0 5/2", (), "4. ~4"),
        ((5, 4), "0 2 4 5", (), "2 4 ~4 4"),
        ((7, 8), "0 1 2 7/2", (), "4 4 4."),
        ((3, 8), "0 1 3/2", (), "4 8"),
        ((4, 4), "3 7/2 4", (), "8 8"),                     # a pick-up
        ((4, 2), "0 8", (), "breve"),
    ],
)
def test_a_length_is_written_so_that_the_beat_is_seen(
        meter: tuple[int, int], edges: str, rests: tuple[int, ...], expected: str) -> None:
    assert spelled_out(meter, edges, rests) == expected


@pytest.mark.parametrize(
    ("meter", "edges", "rests", "expected"),
    [
        ((4, 4), "0 1/3 2/3 1 4", (), "8[3:2] 8[3:2] 8[3:2] 2."),
        ((4, 4), "0 2/3 1 5/3 2 4", (), "4[3:2] 8[3:2] 4[3:2] 8[3:2] 2"),
        ((4, 4), "0 2/3 4/3 2 4", (), "4[3:2] 4[3:2] 4[3:2] 2"),
        ((4, 4), "0 4/3 8/3 4", (), "2[3:2] 2[3:2] 2[3:2]"),
        ((3, 4), "0 1 5/3 7/3 3", (), "4 4[3:2] 4[3:2] 4[3:2]"),
        ((4, 4), "0 1/6 1/3 1/2 2/3 5/6 1 4", (), "16[6:4] 16[6:4] 16[6:4] 16[6:4] 16[6:4] 16[6:4] 2."),
        ((4, 4), "0 1/2 2/3 5/6 1 4", (), "8 16[3:2] 16[3:2] 16[3:2] 2."),
        ((4, 4), "0 1/2 2/3 1 4", (), "8.[3:2] 16[3:2] 8[3:2] 2."),
        ((4, 4), "0 1/3 2/3 1 5/2 4", (), "8[3:2] 8[3:2] 8[3:2] 4 ~8 4."),
        ((2, 4), "0 1/5 2/5 3/5 4/5 1 2", (), "16[5:4] 16[5:4] 16[5:4] 16[5:4] 16[5:4] 4"),
        ((2, 4), "0 1/7 3/7 1 2", (), "16[7:4] 8[7:4] 4[7:4] 4"),
        ((6, 8), "0 3/10 6/10 9/10 12/10 3/2 3", (), "8[5:3] 8[5:3] 8[5:3] 8[5:3] 8[5:3] 4."),
        ((4, 4), "0 2/3 8/9 10/9 4/3 2 4", (), "4[3:2] 8[3:2][3:2] 8[3:2][3:2] 8[3:2][3:2] 4[3:2] 2"),
        ((4, 4), "0 1/3 1 4", (0,), "r8[3:2] 4[3:2] 2."),
        ((4, 4), "0 1/3 2/3 4", (1,), "8[3:2] r8[3:2] 8[3:2] ~2."),
    ],
)
def test_tuplets_are_found_from_exact_times(
        meter: tuple[int, int], edges: str, rests: tuple[int, ...], expected: str) -> None:
    assert spelled_out(meter, edges, rests) == expected


def test_what_no_values_write_goes_to_the_nearest_place_that_they_do() -> None:
    pulse = pulse_of(4, 4, 64 * 1009)                        # 1009 is prime: its 1009th part has no value
    odd = (Span(0, 64 * 500, False), Span(64 * 500, pulse.bar, False))
    with pytest.raises(UnwritableError):
        note_values(odd, pulse, 0, pulse.bar)
    moved = on_values(odd, pulse)
    assert abs(moved[0].stop - odd[0].stop) < pulse.quarter / 12
    assert [piece.kind for piece in note_values(moved, pulse, 0, pulse.bar)][:1] == ["eighth"]


def test_very_many_odd_notes_in_a_beat_are_kept_apart() -> None:
    pulse = pulse_of(1, 4, 64 * 1009)
    edges = [0, *range(7, 7 + 25 * 11, 11), pulse.bar]
    spans = tuple(Span(a, b, False) for a, b in pairwise(edges))
    moved = forced_apart(spans, pulse)
    assert all(span.start < span.stop for span in moved)
    assert len(note_values(moved, pulse, 0, pulse.bar)) >= len(spans)


@given(st.lists(st.integers(1, 4 * 48 - 1), max_size=12, unique=True),
       st.sampled_from([(4, 4), (3, 4), (6, 8), (12, 8), (5, 8), (7, 8), (5, 4), (2, 2), (3, 8), (4, 8), (11, 8)]),
       st.integers(0, 2**12 - 1))
def test_the_pieces_of_a_bar_fill_it_and_have_the_values_they_say(
        places: list[int], meter: tuple[int, int], silent: int) -> None:
    pulse = pulse_of(*meter, Q)
    edges = [0, *sorted(place * Q // 48 for place in places if place * Q // 48 < pulse.bar), pulse.bar]
    spans = tuple(Span(a, b, bool(silent >> i & 1)) for i, (a, b) in enumerate(pairwise(edges)))
    try:
        pieces = note_values(spans, pulse, 0, pulse.bar)
    except UnwritableError:
        spans = on_values(spans, pulse)
        pieces = note_values(tuple(span for span in spans if span.start < span.stop), pulse, 0, pulse.bar)
    assert [piece.start for piece in pieces] == [0, *(piece.stop for piece in pieces[:-1])]
    assert pieces[-1].stop == pulse.bar
    for piece in pieces:
        actual = normal = 1
        for _, _, one, other in piece.tuplets:
            actual, normal = actual * one, normal * other
        assert value_of(piece.stop - piece.start, Q, actual, normal) == (piece.kind, piece.dots)


def test_irregular_bars_are_grouped_where_notes_begin() -> None:
    eighth = Q // 2
    assert grouping_heard(7, 8, Q, [3 * eighth, 5 * eighth]) == (3, 2, 2)
    assert grouping_heard(5, 8, Q, [2 * eighth]) == (2, 3)
    assert grouping_heard(4, 4, Q, [eighth]) is None


# --- beams -----------------------------------------------------------------------------------------------------


def beams(meter: tuple[int, int], edges: str, rests: tuple[int, ...] = ()) -> str:
    """The first level of the beams of the notes between edges: ( begins, - goes on, ) ends, . has none."""
    ticks = [int(Fraction(word) * Q) for word in edges.split()]
    spans = tuple(Span(a, b, i in rests) for i, (a, b) in enumerate(pairwise(ticks)))
    pieces = note_values(spans, pulse_of(*meter, Q), ticks[0], ticks[-1])
    sign = {"begin": "(", "continue": "-", "end": ")"}
    return "".join(sign[b[0]] if b else "." for b in
                   beamed(pieces, [p.span in rests for p in pieces], pulse_of(*meter, Q)))


@pytest.mark.parametrize(
    ("meter", "edges", "rests", "expected"),
    [
        ((4, 4), "0 1/2 1 3/2 2 5/2 3 7/2 4", (), "(--)(--)"),
        ((4, 4), "0 1/4 1/2 3/4 1 3/2 2 4", (), "(--)()."),       # with 16ths by the beat
        ((3, 4), "0 1/2 1 3/2 2 5/2 3", (), "(----)"),
        ((2, 4), "0 1/2 1 3/2 2", (), "(--)"),
        ((6, 8), "0 1/2 1 3/2 2 5/2 3", (), "(-)(-)"),
        ((3, 8), "0 1/2 1 3/2", (), "(-)"),
        ((7, 8), "0 1/2 1 3/2 2 5/2 3 7/2", (), "()()(-)"),
        ((4, 4), "0 1/2 1 3/2 2 4", (1,), "..()."),               # a rest breaks the beam
        ((4, 4), "0 1/3 2/3 1 4/3 5/3 2 4", (), "(-)(-)."),
        ((2, 2), "0 1/2 1 3/2 2 5/2 3 7/2 4", (), "(--)(--)"),
    ],
)
def test_beams_follow_the_meter(meter: tuple[int, int], edges: str, rests: tuple[int, ...], expected: str) -> None:
    assert beams(meter, edges, rests) == expected


def test_a_dotted_pair_has_a_hook_on_its_side() -> None:
    pulse = pulse_of(4, 4, Q)
    spans = (Span(0, 3 * Q // 4, False), Span(3 * Q // 4, Q, False), Span(Q, Q + Q // 4, False),
             Span(Q + Q // 4, 2 * Q, False), Span(2 * Q, 4 * Q, False))
    pieces = note_values(spans, pulse, 0, 4 * Q)
    assert beamed(pieces, [False] * 5, pulse) == [("begin",), ("end", "backward hook"), ("begin", "forward hook"),
                                                  ("end",), ()]


# --- accidentals and clefs ------------------------------------------------------------------------------------


def test_an_accidental_holds_for_its_bar_line_and_octave() -> None:
    staff = Accidentals(2)                                   # D major: F and C sharp
    assert staff.shown("F", 1, 4) == ("", False)
    assert staff.shown("G", 1, 4) == ("sharp", False)
    assert staff.shown("G", 1, 4) == ("", False)
    assert staff.shown("G", 0, 4) == ("natural", False)
    assert staff.shown("G", 1, 5) == ("sharp", False)
    assert staff.shown("B", -2, 3) == ("flat-flat", False)
    assert staff.shown("C", 2, 3) == ("double-sharp", False)
    staff.new_bar()
    assert staff.shown("C", 1, 3) == ("sharp", True)         # a reminder after a bar that said otherwise
    assert staff.shown("C", 1, 3) == ("", False)
    assert staff.shown("B", 0, 3) == ("natural", True)
    staff.new_bar()
    assert staff.shown("C", 1, 3) == ("", False)


def test_a_tie_over_the_bar_line_needs_no_accidental() -> None:
    score = Score(onset=[0, 960], duration=[960, 1920], pitch=[60, 61], velocity=[80] * 2, track=[0] * 2,
                  voice=[1, 1], staff=[1, 1], spelling=[15, spelling_of("C", 1)], meters=(Meter(0, 2, 4),))
    bars = sheet(score).parts[0].bars
    tied = [event.heads[0] for bar in bars[1:] for event in bar.voices[0].events]
    assert [(head.accidental, head.tie_start, head.tie_stop) for head in tied] == [("sharp", True, False),
                                                                                 ("", False, True)][:len(tied)]


@pytest.mark.parametrize(
    ("track", "pitches", "clef"),
    [
        (Track("Violin", 40), [60, 76], "G2"), (Track("Viola", 41), [55, 64], "C3"), (Track("Cello", 42), [40], "F4"),
        (Track("Tenor", 52), [50, 60], "G2_8"), (Track("Guitar", 24), [45, 60], "G2_8"),
        (Track("Bass", 33), [30], "F4_8"), (Track("Bass", 33), [48], "F4"),
        (Track("Kit", 0, True), [36], "percussion"), (Track("Cello", 42), [], "F4"), (Track("Flute", 73), [], "G2"),
    ],
)
def test_a_clef_suits_the_instrument(track: Track, pitches: list[int], clef: str) -> None:
    assert sheet_clefs.clef_for(track, np.array(pitches, np.int32)) == clef


def test_the_clef_changes_only_where_many_ledger_lines_last() -> None:
    low, high = np.array([45]), np.array([84])
    assert sheet_clefs.clef_changes("F4", [low, high, low, low]) == [(0, "F4")]
    assert sheet_clefs.clef_changes("F4", [low] * 8 + [high] * 8 + [low] * 8) == [(0, "F4"), (8, "G2"), (16, "F4")]
    assert sheet_clefs.clef_changes("percussion", [low, high]) == [(0, "percussion")]


# --- the page ---------------------------------------------------------------------------------------------------


def page_bars(score: Score, part: int = 0) -> tuple[SheetBar, ...]:
    return sheet(score).parts[part].bars


def test_a_second_voice_that_is_silent_takes_no_room() -> None:
    score = Score(onset=[0, 480, 1920], duration=[1920, 480, 1920], pitch=[72, 60, 72], velocity=[80] * 3,
                  track=[0] * 3, voice=[1, 2, 1], staff=[1] * 3, spelling=[15] * 3)
    first, second = page_bars(score)
    assert [[event.hidden for event in voice.events] for voice in first.voices] == [[False], [True, False, True]]
    assert [len(voice.events) for voice in second.voices] == [1]
    assert [voice.events[0].stem for voice in first.voices] == ["up", "down"]
    assert second.voices[0].events[0].stem == ""


def test_an_empty_bar_has_one_rest_on_each_staff() -> None:
    score = Score(onset=[1920, 1920], duration=[1920, 1920], pitch=[72, 48], velocity=[80] * 2, track=[0] * 2,
                  voice=[1, 2], staff=[1, 2], spelling=[15] * 2)
    first = page_bars(score)[0]
    assert [(voice.staff, voice.events[0].whole_bar) for voice in first.voices] == [(1, True), (2, True)]


def test_notes_of_one_voice_that_overlap_are_tied_exactly() -> None:
    score = Score(onset=[0, 0, 480], duration=[960, 480, 480], pitch=[60, 64, 65], velocity=[80] * 3, track=[0] * 3,
                  voice=[1] * 3, staff=[1] * 3, spelling=[15, 19, 14], end=1920)
    events = page_bars(score)[0].voices[0].events
    assert [[(head.pitch, head.tie_start, head.tie_stop) for head in event.heads] for event in events[:2]] == [
        [(60, True, False), (64, False, False)], [(60, False, True), (65, False, False)]]


def test_grace_notes_stand_before_their_note_in_order() -> None:
    score = Score(onset=[480, 480, 480, 0], duration=[0, 0, 480, 480], pitch=[62, 64, 65, 60], velocity=[80] * 4,
                  track=[0] * 4, grace=[101, 102, 0, 0], voice=[1] * 4, staff=[1] * 4, spelling=[17, 19, 14, 15],
                  end=1920)
    events = page_bars(score)[0].voices[0].events
    assert [(event.heads[0].pitch, event.grace) for event in events if event.heads] == [
        (60, 0), (62, 101), (64, 102), (65, 0)]
    assert [event.beams for event in events if event.grace] == [("begin", "begin"), ("end", "end")]


def test_bars_have_the_numbers_a_musician_gives_them() -> None:
    score = Score(onset=[0], duration=[6 * 480], pitch=[60], velocity=[80], track=[0], voice=[1], staff=[1],
                  spelling=[15], meters=(Meter(0, 4, 4), Meter(480, 4, 4), Meter(480 + 960, 4, 4)), end=480 + 2 * 1920,
                  marks=(Mark(480 + 960, "repeat", "end"),))
    bars = page_bars(score)
    assert [(bar.number, bar.implicit) for bar in bars][:3] == [(0, True), (1, False), (2, False)]
    assert bars[1].repeat_end == 2
    assert bars[0].meter_shown
    assert not bars[1].meter_shown


def test_repeats_endings_and_signs_stand_in_their_bars() -> None:
    marks = (Mark(1920, "repeat", "start"), Mark(3840, "repeat", "ending 1"), Mark(5760, "repeat", "end 3"),
             Mark(5760, "repeat", "ending stop"), Mark(5760, "repeat", "ending 2"), Mark(7680, "repeat", "ending open"),
             Mark(7680, "barline", "final"), Mark(0, "repeat", "segno"), Mark(7680, "repeat", "dal segno al fine"),
             Mark(1920, "section", "B"))
    score = Score(end=7680, tracks=(Track("Flute", 73),), marks=marks, voice=[], staff=[])
    bars = page_bars(score)
    assert [bar.repeat_start for bar in bars] == [False, True, False, False]
    assert [bar.repeat_end for bar in bars] == [0, 0, 3, 0]
    assert [(bar.ending_start, bar.ending_stop, bar.ending) for bar in bars[2:]] == [
        ("1", "stop", "1"), ("2", "open", "2")]
    assert bars[3].barline == "final"
    assert [(sign.kind, sign.text) for bar in bars for sign in bar.signs if sign.kind != "tempo"] == [
        ("segno", ""), ("section", "B"), ("jump", "dal segno al fine")]


def test_transposing_parts_are_written_where_they_are_read() -> None:
    score = Score(onset=[0], duration=[1920], pitch=[58], velocity=[80], track=[0], voice=[1], staff=[1],
                  spelling=[spelling_of("B", -1)], keys=(Key(0, -2, "major"),), tracks=(Track("Clarinet", 71),),
                  extras={"notation": {"transpose": {"0": [-1, -2, 0]}}})
    part = sheet(score).parts[0]
    head = part.bars[0].voices[0].events[0].heads[0]
    assert (head.step, head.alter, head.octave, head.pitch) == ("C", 0, 4, 58)
    assert part.bars[0].keys[0].fifths == 0


def test_drums_have_places_heads_and_two_voices() -> None:
    score = Score(onset=[0, 0, 480, 720], duration=[60] * 4, pitch=[36, 42, 38, 42], velocity=[80] * 4, track=[0] * 4,
                  tracks=(Track("Drums", 0, True),))
    bar = page_bars(score)[0]
    hands, feet = bar.voices
    assert [(h.step, h.octave, h.notehead, h.unpitched) for event in hands.events for h in event.heads] == [
        ("G", 5, "x", True), ("C", 5, "normal", True), ("G", 5, "x", True)]
    assert [h.pitch for event in feet.events for h in event.heads] == [36]
    assert [event.kind for event in hands.events if event.heads] == ["quarter", "eighth", "eighth"]
    assert bar.clefs[0].clef == "percussion"


def test_a_flam_is_a_grace_note() -> None:
    score = Score(onset=[0, 460, 480, 960, 1440], duration=[60] * 5, pitch=[38] * 5, velocity=[80] * 5, track=[0] * 5,
                  tracks=(Track("Drums", 0, True),))
    events = [event for event in page_bars(score)[0].voices[0].events if event.heads]
    assert [(event.onset * 480 // sheet(score).ticks_per_quarter, event.grace) for event in events][:3] == [
        (0, 0), (480, 101), (480, 0)]


def test_syllables_know_their_place_in_the_word() -> None:
    texts = [Text(0, 0, "lyric", "Hal-"), Text(480, 0, "lyric", "le-"), Text(960, 0, "lyric", "lu_"),
             Text(1440, 0, "lyric", "Oh"), Text(0, 0, "lyric 2", "A-"), Text(480, 0, "lyric 2", "men")]
    score = Score(onset=[0, 480, 960, 1440], duration=[480] * 4, pitch=[60] * 4, velocity=[80] * 4, track=[0] * 4,
                  texts=tuple(texts))
    events = page_bars(score)[0].voices[0].events
    assert [[(s.verse, s.text, s.syllabic, s.held) for s in event.syllables] for event in events] == [
        [(1, "Hal", "begin", False), (2, "A", "begin", False)], [(1, "le", "middle", False), (2, "men", "end", False)],
        [(1, "lu", "end", True)], [(1, "Oh", "single", False)]]


def test_tempos_of_a_slowing_down_are_not_printed_one_by_one() -> None:
    tempos = [Tempo(0, 600_000), Tempo(1920, 650_000), Tempo(2160, 700_000), Tempo(2400, 750_000), Tempo(3840, 600_000)]
    score = Score(onset=[0], duration=[7680], pitch=[60], velocity=[80], track=[0], tempos=tuple(tempos))
    shown = [sign.shown for bar in page_bars(score) for sign in bar.signs if sign.kind == "tempo"]
    assert shown == [True, False, False, False, False]


def test_a_fermata_over_a_rest_makes_it_begin_there() -> None:
    score = Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0], voice=[1], staff=[1], spelling=[15],
                  marks=(Mark(1440, "fermata", "0"),), end=1920)
    events = page_bars(score)[0].voices[0].events
    quarter = sheet(score).ticks_per_quarter
    assert [(event.onset // quarter, event.is_rest) for event in events if event.fermata] == [(3, True)]


# --- ready ------------------------------------------------------------------------------------------------------


def test_a_written_score_stays_as_it_is() -> None:
    score = Score(onset=[0, 0], duration=[480, 960], pitch=[60, 64], velocity=[80] * 2, track=[0] * 2, voice=[1, 1],
                  staff=[1, 1], spelling=[15, 19], tracks=(Track("A"), Track("silent")), end=1000)
    assert is_written(score)
    assert ready(score) == score


def test_two_hands_on_two_tracks_become_one_part() -> None:
    score = Score(onset=[0, 0, 0], duration=[480] * 3, pitch=[72, 48, 60], velocity=[80] * 3, track=[0, 1, 2],
                  tracks=(Track("right:"), Track("left:"), Track("Violin", 40)),
                  texts=(Text(0, 2, "words", "dolce"),), marks=(Mark(0, "fermata", "2"),))
    made = ready(score)
    assert [track.name for track in made.tracks] == ["Piano", "Violin"]
    assert made.staff is not None
    assert {(int(p), int(s)) for p, s in zip(made.pitch, made.staff, strict=True)} == {(72, 1), (48, 2), (60, 1)}
    assert made.texts[-1].track == 1
    assert [mark.text for mark in made.marks if mark.kind == "fermata"] == ["1"]


def test_two_pianos_that_are_not_two_hands_stay_two() -> None:
    score = Score(onset=[0, 0], duration=[480] * 2, pitch=[72, 48], velocity=[80] * 2, track=[0, 1],
                  tracks=(Track("MELODY"), Track("PIANO")))
    assert len(ready(score).tracks) == 2


def test_tracks_without_notes_are_left_off_and_their_words_go_to_the_melody() -> None:
    score = Score(onset=[0, 480, 960, 0], duration=[480, 480, 960, 1920], pitch=[72, 74, 76, 48], velocity=[80] * 4,
                  track=[1, 1, 1, 2], tracks=(Track("Words"), Track("Flute", 73), Track("Bass", 33)),
                  texts=(Text(2, 0, "lyric", "one"), Text(482, 0, "lyric", "two"), Text(955, 0, "lyric", "three")))
    made = ready(score)
    assert [track.name for track in made.tracks] == ["Flute", "Bass"]
    assert [(text.tick, text.track, text.text) for text in made.texts] == [(0, 0, "one"), (480, 0, "two"),
                                                                         (960, 0, "three")]


def test_a_key_is_heard_where_none_is_written() -> None:
    tune = [64, 66, 68, 69, 71, 73, 75, 76] * 2
    score = Score(onset=np.arange(16) * 480, duration=[480] * 16, pitch=tune, velocity=[80] * 16, track=[0] * 16)
    assert ready(score).keys == (Key(0, 4, "major"),)
    assert ready(score.replace(keys=(Key(0, 0, "major"),))).keys == (Key(0, 4, "major"),)
    assert ready(score.replace(keys=(Key(0, 3, "major"),))).keys == (Key(0, 3, "major"),)


def test_a_wide_keyboard_gets_two_staves_and_a_melody_one() -> None:
    notes = {"onset": [0, 0, 480, 480], "duration": [480] * 4, "velocity": [80] * 4, "track": [0] * 4}
    wide, line = ready(Score(pitch=[40, 76, 43, 79], **notes)), ready(Score(pitch=[72, 76, 74, 77], **notes))
    assert wide.staff is not None
    assert set(wide.staff.tolist()) == {1, 2}
    assert line.staff is not None
    assert set(line.staff.tolist()) == {1}


def test_a_page_ends_with_a_whole_bar_and_a_final_line() -> None:
    made = ready(Score(onset=[0], duration=[700], pitch=[60], velocity=[80], track=[0], chords=(Chord(0, "C"),)))
    assert made.end == 1920
    assert made.marks[-1] == Mark(1920, "barline", "final")


def test_new_notes_among_written_ones_get_what_they_lack() -> None:
    old = Score(onset=[0, 0], duration=[1920] * 2, pitch=[72, 48], velocity=[80] * 2, track=[0] * 2, voice=[1, 2],
                staff=[1, 2], spelling=[15, 15], end=3840)
    new = old.with_notes_of(Score(onset=[1920, 1920], duration=[960] * 2, pitch=[74, 50], velocity=[80] * 2,
                                  track=[0] * 2, end=3840))
    made = ready(new)
    assert made.voice is not None
    assert made.staff is not None
    assert made.spelling is not None
    assert (made.voice > 0).all()
    assert (made.spelling >= 0).all()
    assert made.staff[made.pitch >= 72].tolist() == [1, 1]


@pytest.mark.parametrize("score", [
    Score(), Score(end=100), Score(meters=(Meter(0, 7, 3),), end=4000), Score(meters=(Meter(0, 3, 6),), end=4000),
    Score(meters=(Meter(0, 100, 64),), end=9000), Score(meters=(Meter(0, 1, 128), Meter(900, 17, 1)), end=90000),
    Score(meters=(Meter(0, 4, 4), Meter(701, 3, 4)), onset=[0, 700], duration=[5, 900], pitch=[1, 127],
          velocity=[1, 127], track=[0, 1]),
    Score(onset=[5, 5, 5], duration=[0, 0, 3], pitch=[60] * 3, velocity=[80] * 3, track=[0] * 3, ticks_per_quarter=7),
    Score(onset=[0], duration=[10_000], pitch=[60], velocity=[80], track=[0], ticks_per_quarter=1, voice=[-1]),
    Score(onset=[0], duration=[480], pitch=[61], velocity=[80], track=[0], voice=[1], staff=[1], spelling=[15]),
])
def test_strange_scores_make_a_page_all_the_same(score: Score) -> None:
    page = sheet(score)
    for part in page.parts:
        for bar in part.bars:
            for voice in bar.voices:
                assert sum(event.duration for event in voice.events) == bar.length
    found = sum(not head.tie_stop for part in page.parts for bar in part.bars for voice in bar.voices
                for event in voice.events for head in event.heads)
    assert found == len(score)


def test_lengths_a_sliver_short_and_detached_quavers_are_written_whole() -> None:
    score = Score(onset=[0, 960, 1200, 1440], duration=[840, 120, 240, 420], pitch=[60, 62, 64, 65], velocity=[80] * 4,
                  track=[0] * 4, end=1920)
    assert ready(score).duration.tolist() == [960, 240, 240, 480]
    held = Score(onset=[0, 840], duration=[840, 120], pitch=[60, 62], velocity=[80] * 2, track=[0] * 2, end=1920)
    assert ready(held).duration.tolist() == [840, 120]


def test_what_a_player_lets_ring_on_for_less_than_a_quarter_needs_no_voice_of_its_own() -> None:
    onset = np.arange(16) * 120 + np.tile([3, -4, 5, 0], 4)
    played = Score(onset=np.maximum(onset, 0), duration=[211, 205, 229, 215] * 4, pitch=[60, 64, 67, 72] * 4,
                   velocity=[80] * 16, track=[0] * 16, end=1920)
    made = ready(played)
    assert made.voice is not None
    short = quantise(played).duration < 480
    assert (made.duration[short][:-1] == 120).all()
    assert (made.voice[short] == 1).all()
