"""ABC read: every construct in small tunes, and what is mended."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from partimento.errors import ReadError
from partimento.formats import abc_read
from partimento.formats.abc_fields import key_said, meter_said, tempo_said
from partimento.formats.reading import Reading
from partimento.notation.names import name_of
from partimento.notation.play import played
from partimento.score import Key, Mark, Meter, Score, Track


def read(body: str, head: str = "M:4/4\nL:1/4\nK:C\n") -> Reading:
    return abc_read.parse(f"X:1\n{head}{body}\n".encode())


def score_of(body: str, head: str = "M:4/4\nL:1/4\nK:C\n") -> Score:
    reading = read(body, head)
    assert not reading.repairs
    return reading.score


def pitches(body: str, head: str = "M:4/4\nL:1/4\nK:C\n") -> list[int]:
    return score_of(body, head).pitch.tolist()


def rows(score: Score) -> list[tuple[Any, ...]]:
    """Onset and duration in quarter notes, pitch."""
    clock = score.ticks_per_quarter
    return [(Fraction(o, clock), Fraction(d, clock), p) for o, d, p in
            zip(score.onset.tolist(), score.duration.tolist(), score.pitch.tolist(), strict=True)]


def texts(score: Score, kind: str) -> list[tuple[int, int, str]]:
    return [(t.tick * 4 // score.ticks_per_quarter, t.track, t.text) for t in score.texts if t.kind == kind]


def signs(score: Score, kind: str = "repeat") -> list[tuple[int, str]]:
    """Bar (from 0) and text of the marks."""
    return [(score.bar_starts.tolist().index(m.tick), m.text) for m in score.marks if m.kind == kind]


# --- notes -------------------------------------------------------------------------------------------------------


def test_octaves_lengths_and_accidentals() -> None:
    score = score_of("C,, c' ^F/ _B3/4 =c/4 d/|E//^^G3/2 __A|^F f F|F4|")
    assert score.pitch.tolist() == [36, 84, 66, 70, 72, 74, 64, 69, 67, 66, 77, 66, 65]
    assert [d for _, d, _ in rows(score)][:8] == [1, 1, Fraction(1, 2), Fraction(3, 4), Fraction(1, 4), Fraction(1, 2),
                                                 Fraction(1, 4), Fraction(3, 2)]
    assert score.spelling is not None
    assert [name_of(int(p), int(s))[:2] for p, s in zip(score.pitch, score.spelling, strict=True)][7:9] \
        == [("G", 2), ("A", -2)]


def test_accidentals_hold_for_the_bar_in_their_octave_or_as_the_file_says() -> None:
    assert pitches("^F F f F|") == [66, 66, 77, 66]
    assert pitches("^F F f F|", "%%propagate-accidentals pitch\nL:1/4\nK:C\n") == [66, 66, 78, 66]
    assert pitches("^F F f F|", "%%propagate-accidentals not\nL:1/4\nK:C\n") == [66, 65, 77, 65]


@pytest.mark.parametrize(("key", "sharps", "mode"), [
    ("G", 1, "major"), ("Gm", -2, "minor"), ("G minor", -2, "minor"), ("ADor", 1, ""), ("D mixolydian", 1, ""),
    ("F lyd", 0, ""), ("E phr", 0, ""), ("B loc", 0, ""), ("Bb", -2, "major"), ("F#m", 3, "minor"), ("HP", 2, ""),
    ("D exp _b", -1, ""), ("D clef=bass", 2, "major"), ("Eb bass", -3, "major"), ("C", 0, "major"),
])
def test_keys_and_modes(key: str, sharps: int, mode: str) -> None:
    said = key_said(key)
    assert said is not None
    assert (said.fifths, said.mode) == (sharps, mode)


def test_a_key_signature_alters_notes_and_a_key_that_is_none_is_not_said() -> None:
    score = score_of("F4|[K:F]B4|\nK:none\nB4|", "M:4/4\nL:1/4\nK:D\n")
    assert score.pitch.tolist() == [66, 70, 71]
    assert score.keys == (Key(0, 2), Key(1920, -1))
    assert score_of("C4|", "M:4/4\nL:1/4\nK:none\n").keys == ()
    assert pitches("F B c|", "L:1/4\nK:D =c _B\n") == [66, 70, 72]


@pytest.mark.parametrize(("field", "meter"), [("6/8", (6, 8)), ("C", (4, 4)), ("C|", (2, 2)), ("2+3/8", (5, 8)),
                                              ("(2+2+3)/8", (7, 8)), ("none", (0, 0)), ("3", (3, 4))])
def test_meters(field: str, meter: tuple[int, int]) -> None:
    said = meter_said(field)
    assert said is not None
    assert said[:2] == meter


def test_the_unit_follows_from_the_meter() -> None:
    assert rows(score_of("C|", "M:2/4\nK:C\n"))[0][1] == Fraction(1, 4)
    assert rows(score_of("C|", "M:3/4\nK:C\n"))[0][1] == Fraction(1, 2)
    assert rows(score_of("C[L:1/2]C|", "M:C\nL:1/16\nK:C\n")) == [(0, Fraction(1, 4), 60), (Fraction(1, 4), 2, 60)]


@pytest.mark.parametrize(("field", "bpm", "words"), [
    ("1/4=120", 120, ""), ('"Allegro" 1/4=90', 90, "Allegro"), ("3/8=80", 120, ""), ("120", 120, ""), ("C=60", 30, ""),
    ("C2=60", 60, ""), ("1/8 1/4=40", 60, ""), ('"Adagio"', 66, "Adagio"), ('"dolce"', None, "dolce"),
    ("1/4=92.5", 92.5, "")])
def test_tempos(field: str, bpm: float | None, words: str) -> None:
    assert tempo_said(field, Fraction(1, 2)) == (bpm, words)


def test_broken_rhythm() -> None:
    lengths = [d for _, d, _ in rows(score_of("A>B A<B A>>B [AC]>B|"))]
    assert lengths == [Fraction(3, 2), Fraction(1, 2), Fraction(1, 2), Fraction(3, 2), Fraction(7, 4), Fraction(1, 4),
                       Fraction(3, 2), Fraction(3, 2), Fraction(1, 2)]


def test_chords_with_lengths_inside_and_outside() -> None:
    assert rows(score_of("[CE]2 [C2E]G|")) == [(0, 2, 60), (0, 2, 64), (2, 2, 60), (2, 1, 64), (4, 1, 67)]


def test_ties_join_over_bar_lines_and_carry_their_accidental() -> None:
    assert rows(score_of("C4-|C2 ^D2-|D2 D2|")) == [(0, 6, 60), (6, 4, 63), (10, 2, 62)]
    assert rows(score_of("[C-E]2 [CE]2-|[CE]4|")) == [(0, 8, 60), (0, 2, 64), (2, 6, 64)]
    reading = read("C-D|")
    assert reading.repairs == {"ties to nowhere": 1}


def test_tuplets() -> None:
    third = Fraction(2, 3)
    assert [o for o, _, _ in rows(score_of("(3CDE F2|(3:2:4C2D2 E F z|"))] == [0, third, 2 * third, 2, 4, 4 + 2 * third,
                                                                              4 + 4 * third, 4 + 5 * third]
    assert rows(score_of("(2CD|", "M:6/8\nL:1/8\nK:C\n"))[1][:2] == (Fraction(3, 4), Fraction(3, 4))
    assert rows(score_of("(5CDEFG A|", "M:6/8\nL:1/8\nK:C\n"))[-1][0] == Fraction(3, 2)
    assert rows(score_of("(3zCz D|"))[-1][0] == 2


def test_grace_notes_stand_before_what_follows() -> None:
    score = score_of("{de}c2 {/g}c2|{[ce]d}E4|F4{g}|]")
    assert score.grace is not None
    assert list(zip(score.onset.tolist(), score.pitch.tolist(), score.grace.tolist(), strict=True)) == [
        (0, 72, 0), (0, 74, 1), (0, 76, 2), (960, 72, 0), (960, 79, 101), (1920, 64, 0), (1920, 72, 1), (1920, 74, 2),
        (1920, 76, 1), (3840, 65, 0), (5760, 79, 1)]


def test_rests_of_bars_and_unseen_ones() -> None:
    score = score_of("C4|Z2|x2 C2|yX|D4|")
    assert rows(score) == [(0, 4, 60), (14, 2, 60), (20, 4, 62)]
    assert score.n_bars == 6


# --- bars --------------------------------------------------------------------------------------------------------


def test_bars_are_as_they_are_written() -> None:
    score = score_of("C|C4|C3:|C|C5|C4|")
    assert (score.bar_starts / 480).tolist() == [0, 1, 5, 8, 9, 14, 18]
    assert score.has_pickup
    assert [m for m in score.marks if m.kind == "meter"] == [Mark(9 * 480, "meter", "hidden"),
                                                             Mark(14 * 480, "meter", "hidden")]


def test_free_meter_has_bars_of_any_length_and_no_signature() -> None:
    score = score_of("CDE|CDEFG|[M:3/4]C3|", "M:none\nL:1/4\nK:C\n")
    assert score.meters == (Meter(0, 3, 4), Meter(1440, 5, 4), Meter(3840, 3, 4))
    assert [m.tick for m in score.marks] == [0, 1440]


def test_meters_change_at_the_bar() -> None:
    score = score_of("C4|[M:3/4]C3|C3|\nM:C|\nC4|")
    assert score.meters == (Meter(0, 4, 4), Meter(1920, 3, 4), Meter(4800, 2, 2))
    assert signs(score, "meter") == [(3, "cut")]


@pytest.mark.parametrize(("body", "marks", "order"), [
    ("|:C4|D4:|E4|", [(0, "start"), (2, "end")], "CDCDE"),
    ("C4:|:D4:|", [(1, "end"), (1, "start"), (2, "end")], "CCDD"),
    ("C4::D4:|", [(1, "end"), (1, "start"), (2, "end")], "CCDD"),
    ("|::C4::|D4|", [(0, "start"), (1, "end 3")], "CCCD"),
    ("|:C4|1D4:|2E4|]F4|", [(0, "start"), (1, "ending 1"), (2, "end"), (2, "ending 2"), (2, "ending stop"),
                            (3, "ending stop")], "CDCEF"),
    ("C4|[1,3D4:|[2E4||", [(1, "ending 1,3"), (2, "end"), (2, "ending 2"), (2, "ending stop"), (3, "ending stop")],
     None),
    ("C4 :| [2-3 D4 |", [(1, "end"), (1, "ending 2,3"), (2, "ending open")], None),
    ('C4|["1"D4:|["2"E4||', [(1, "ending 1"), (2, "end"), (2, "ending 2"), (2, "ending stop"), (3, "ending stop")],
     "CDCE"),
    ("!segno!C4|D4!fine!|E4!D.S.!|", [(0, "segno"), (2, "fine"), (3, "dal segno")], "CDECD"),
    ('C4|"^Fine"D4|E4"^D.C. al Fine"|', [(2, "fine"), (3, "da capo al fine")], "CDECD"),
    ("C4!coda!|D4!D.C.alcoda!|!coda!E4|", [(1, "to coda"), (2, "coda"), (2, "da capo al coda")], "CDCE"),
    ("SC4|OD4|", [(0, "segno"), (1, "coda")], None),
])
def test_repeats_stand_as_marks(body: str, marks: list[tuple[int, str]], order: str | None) -> None:
    score = score_of(body)
    assert signs(score) == marks
    if order is not None:
        assert "".join("CDEF"[[60, 62, 64, 65].index(p)] for p in played(score).pitch.tolist()) == order


def test_bar_lines_and_sections() -> None:
    score = score_of("C4||\nP:B\nD4.|E4[|]F4|]")
    assert signs(score, "barline") == [(1, "double"), (2, "dashed"), (3, "none"), (4, "final")]
    assert signs(score, "section") == [(1, "B")]


def test_an_ending_that_nothing_closes_is_as_long_as_the_first() -> None:
    assert signs(score_of("C4|[1D4|E4:|[2F4|C4|D4|E4|")) == [
        (1, "ending 1"), (3, "end"), (3, "ending 2"), (3, "ending stop"), (5, "ending open")]


# --- voices ------------------------------------------------------------------------------------------------------


def test_voices_of_one_staff_are_one_track_and_staves_in_braces_too() -> None:
    score = score_of("[V:S]c4|\n[V:A]G4|\n[V:R]e4|\n[V:L]C,4|\n[V:X]D4|",
                     '%%score (S A) {R | L} X\nM:4/4\nL:1/4\nV:S name="Choir" snm="Ch."\nV:A\nV:R name=Piano\n'
                     "V:L clef=bass\nV:X\nK:C\n")
    assert [track.name for track in score.tracks] == ["Choir", "Piano", ""]
    assert score.voice is not None
    assert score.staff is not None
    assert list(zip(score.pitch.tolist(), score.track.tolist(), score.voice.tolist(), score.staff.tolist(),
                    strict=True)) == [(67, 0, 2, 1), (72, 0, 1, 1), (48, 1, 2, 2), (76, 1, 1, 1), (62, 2, 1, 1)]
    assert score.extras["notation"] == {"abbreviations": {"0": "Ch."}, "clefs": [[0, 1, 2, "F4"]]}


def test_brackets_keep_their_tracks_apart() -> None:
    score = score_of("V:1\nC4|\nV:2\nD4|", "%%staves [1 2]\nL:1/4\nK:C\n")
    assert len(score.tracks) == 2
    assert score.extras["notation"]["groups"] == [[0, 1, "bracket", ""]]


def test_overlays_are_voices_of_their_bar() -> None:
    score = score_of("C4 & E2 F2|G4|[V:1]c2 & x A|")
    assert rows(score) == [(0, 4, 60), (0, 2, 64), (2, 2, 65), (4, 4, 67), (8, 2, 72), (9, 1, 69)]
    assert score.voice is not None
    assert score.voice.tolist() == [1, 2, 2, 1, 1, 2]


def test_a_tie_leads_from_an_overlay_to_the_main_voice() -> None:
    assert rows(score_of("C4 & z2 G2-|[CG]4|")) == [(0, 4, 60), (2, 6, 67), (4, 4, 60)]


def test_voices_with_unlike_bar_lines_are_laid_by_time_and_short_bars_filled() -> None:
    score = score_of("V:1\nC4|D4|E4|\nV:2\nC2|C2|D4 E4|")
    assert rows(score) == [(0, 4, 60), (0, 2, 60), (2, 2, 60), (4, 4, 62), (4, 4, 62), (8, 4, 64), (8, 4, 64)]
    reading = read("V:1\nC4|D4|E4|\nV:2\nC3|D4|E4|")
    assert reading.repairs == {"bars of unlike length in the voices filled up": 1}
    assert rows(reading.score)[-1] == (8, 4, 64)


def test_voices_that_waited_meet_the_others_at_a_new_score() -> None:
    score = score_of("[V:1]C4|D4|\n%%score 1 2\n[V:1]E4|\n[V:2]G4|", "%%score 1\nL:1/4\nV:1\nV:2\nK:C\n")
    assert rows(score)[-2:] == [(8, 4, 64), (8, 4, 67)]


def test_transposed_voices_sound_where_they_should() -> None:
    score = score_of("V:1\nC4|\nV:2\n[K:D]D4|", "L:1/4\nV:1\nV:2 transpose=-2\nK:C\n")
    assert score.pitch.tolist() == [60, 60]
    assert score.keys == (Key(0, 0),)
    assert score.spelling is not None
    assert score.spelling.tolist() == [15, 15]
    assert score.extras["notation"]["transpose"] == {"1": [-1, -2, 0]}
    assert pitches("C|", "L:1/4\nK:C octave=-1\n") == [48]
    assert pitches("C|", "L:1/4\nK:C clef=treble-8\n") == [48]
    assert pitches("C|", "L:1/4\n%%MIDI transpose 12\nK:C\n") == [72]


def test_instruments() -> None:
    score = score_of("V:1\n%%MIDI program 40\nC2|\nV:2\n%%MIDI channel 10\n%%MIDI drummap D 38\nC,, D|\nV:3\nC2|",
                     "%%MIDI program 3 73\nL:1/4\nK:G\n")
    assert score.tracks == (Track("", 40), Track("", 0, True), Track("", 73))
    assert score.pitch[score.track == 1].tolist() == [36, 38]


# --- words and signs ---------------------------------------------------------------------------------------------


def test_chord_symbols_and_other_words() -> None:
    score = score_of('"Am7"A2 "D/f+"d2|"^dolce"c2 "Refrain"c2|"N.C."z4|')
    assert [(c.tick, c.symbol) for c in score.chords] == [(0, "Am7"), (960, "D/F#"), (3840, "N")]
    assert texts(score, "words") == [(16, 0, "dolce"), (24, 0, "Refrain")]


def test_dynamics_rule_the_part_until_the_next() -> None:
    score = score_of("C!p!C !f![CE]2|!sfz!C4|")
    assert score.velocity.tolist() == [80, 49, 96, 96, 96]
    assert [t[2] for t in texts(score, "dynamic")] == ["p", "f", "sfz"]


def test_fermatas_name_their_tracks() -> None:
    assert signs(score_of("!fermata!C4|HD4|"), "fermata") == [(0, ""), (1, "")]
    score = score_of("V:1\n!fermata!C4|\nV:2\nC4|")
    assert signs(score, "fermata") == [(0, "0")]


def test_symbols_of_the_users() -> None:
    score = score_of("TC4|nD4|", 'U:T=!fermata!\nU: n = "^text"\nL:1/4\nK:C\n')
    assert signs(score, "fermata") == [(0, "")]
    assert texts(score, "words") == [(16, 0, "text")]


def test_lyrics() -> None:
    score = score_of("C D E F|G A B c|\nw:syl-la-ble|two~words_ * x\\-y\nw: 2nd verse - now *\nc4|\nw:end")
    assert texts(score, "lyric") == [(0, 0, "syl-"), (4, 0, "la-"), (8, 0, "ble"), (16, 0, "two words_"),
                                     (28, 0, "x-y"), (32, 0, "end")]
    assert texts(score, "lyric 2") == [(0, 0, "2nd"), (4, 0, "verse-"), (12, 0, "now")]


def test_lyrics_skip_rests_and_graces_but_not_tied_notes() -> None:
    score = score_of("{g}C z D-D|\nw:one two _")
    assert texts(score, "lyric") == [(0, 0, "one"), (8, 0, "two_")]
    assert read("C z D2|\nw:a b c").repairs == {"syllables without a note left out": 1}


def test_lyrics_belong_to_the_line_before_unless_far_too_many() -> None:
    assert texts(score_of("C D E F|\nG A B c|\nw:only these four now"), "lyric")[0] == (16, 0, "only")
    assert len(texts(score_of("C D E F|\nG A B c|\nw:a b c d e f g h"), "lyric")) == 8


def test_what_stands_around_the_tune() -> None:
    score = score_of("C4|\nW:One line\nW:and more\nW:\nW:last",
                     "T:Caf\\'e &amp; bar\nT:Second\nC:Words: A. B.\nC:trad.\nC:copyright: none\nS:a book\nN:50\\%\n"
                     "K:C\n")
    assert [(t.kind, t.text) for t in score.texts] == [
        ("title", "Café & bar"), ("subtitle", "Second"), ("lyricist", "A. B."), ("composer", "trad."),
        ("copyright", "none"), ("text", "One line\nand more"), ("text", "last")]
    assert score.extras["abc"] == {"fields": [["S", "a book"], ["N", "50%"]]}


def test_tempo_words_and_numbers() -> None:
    score = score_of('C4|[Q:"Slower" 1/4=60]C4|', 'Q:1/2=60\nL:1/4\nK:C\n')
    assert [round(t.bpm) for t in score.tempos] == [120, 60]
    assert texts(score, "tempo") == [(16, -1, "Slower")]


# --- files -------------------------------------------------------------------------------------------------------


def test_books_of_tunes() -> None:
    book = b"M:3/4\nC:all\n\nX:1\nT:A\nK:C\nC3|\n\nfree text here\n\nX:2\nT:B\nK:D\nD3|\n"
    first = abc_read.parse(book)
    assert first.score.meters[0][1:] == (3, 4)
    assert "2 tunes" in first.notices[0]
    assert "book.abc#2" in first.notices[0]
    assert [abc_read.parse(tune).score.pitch.tolist() for tune in abc_read.tunes(book)] == [[60], [62]]
    assert [len(reading.score) for reading in abc_read.parse_all(book)] == [1, 1]
    assert not first.repairs


def test_text_may_be_in_old_encodings_and_with_any_line_ends() -> None:
    for data in ("X:1\r\nT:Möwe\r\nK:C\r\nC|\r\n".encode(), b"X:1\rT:M\xf6we\rK:C\rC|",
                 "\ufeffX:1\nT:Möwe\nK:C\nC|".encode(), "X:1\nT:Möwe\nK:C\nC|".encode("utf-16")):
        assert abc_read.parse(data).score.texts[0].text == "Möwe"


def test_comments_continued_lines_and_fields_are_read_over() -> None:
    assert pitches("C D \\\n% no music\nE F| % nor this\n[r: remark] [I:linebreak $] $G A|") == [60, 62, 64, 65, 67, 69]
    assert texts(score_of("C D|\nw:one\n+:two"), "lyric") == [(0, 0, "one")]


def test_blocks_of_text_are_words_and_pictures_are_nothing() -> None:
    score = score_of("C|\n%%begintext\n%% one\ntwo: C D E|\n%%endtext\n%%beginps\nC D E\n%%endps\nD|")
    assert texts(score, "text") == [(0, -1, "one\ntwo: C D E|")]
    assert score.pitch.tolist() == [60, 62]


def test_parts_that_are_to_be_played_in_another_order_are_told() -> None:
    reading = read("P:A\nC4|\nP:B\nD4|", "P:A2B\nK:C\n")
    assert "AAB" in reading.notices[0]


@pytest.mark.parametrize(("body", "repairs"), [
    ("C # D|", {"characters that are no music left out": 1}),
    ("C D|\ns: !f!", {"lines of symbols not read": 1}),
    ("J:what\nC D|", {"fields that ABC does not know left out": 1}),
    ("[M:x/y]C D|", {"meters that cannot be understood left out": 1}),
    ("[L:long]C D|", {"unit lengths that cannot be understood left out": 1}),
    ("m:~n=n\nC D|", {"macros not read": 1}),
    ("-C >D|", {"ties without a note left out": 1}),
    (">C|", {"broken rhythms without a note left out": 1}),
    ("C/0|", {"notes of no length given their unit": 1}),
    ("^/C|", {"quarter tones rounded": 1}),
    ("C''''''' |", {"notes outside the range of MIDI left out": 1}),
    ("[]C|", {}),
    ("%%begintext\nC|", {"blocks of text without an end": 1}),
])
def test_what_is_no_music_is_counted(body: str, repairs: dict[str, int]) -> None:
    assert read(body).repairs == repairs


@pytest.mark.parametrize("data", [b"", b"hello", b"\x00\x01\x02", b"MThd\x00", b"<html>", b"T:no tune\n"])
def test_what_is_no_tune_is_one_clear_error(data: bytes) -> None:
    with pytest.raises(ReadError, match=r"^an ABC file must have a tune[^\n]*$"):
        abc_read.parse(data)


def test_a_tune_without_a_key_or_a_note_is_read() -> None:
    assert abc_read.parse(b"X:1\nCDE|\n").repairs == {"keys that are missing": 1}
    assert len(abc_read.parse(b"X:1\nT:nothing\nK:C\n").score) == 0


def test_limits_hold() -> None:
    with pytest.raises(ReadError, match="at most 10 notes"):
        abc_read.parse(b"X:1\nK:C\n" + b"CDEF|" * 4, max_notes=10)
    with pytest.raises(ReadError, match="quarter notes long"):
        abc_read.parse(b"X:1\nM:4/4\nK:C\n" + b"Z10000|" * 9)
