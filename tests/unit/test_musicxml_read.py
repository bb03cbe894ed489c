"""MusicXML read: the notes on the page stand in the Score, and what is broken is mended and counted."""

from __future__ import annotations

import io
import random
import zipfile
from itertools import islice

import numpy as np
import pytest
from bench_modules import bench
from musicxml_pages import ATTRIBUTES, FOUR, WHOLE, direction, listed, marks, midi, n, page, read, rows

from partimento.errors import ReadError
from partimento.formats.musicxml_read import parse
from partimento.notation.names import name_of, spelling_of
from partimento.score import Key, Track

# --- notes in time ----------------------------------------------------------------------------------------------

def test_notes_chords_rests_and_voices_stand_where_they_should():
    score = read(FOUR + n("C4", 4, "<voice>1</voice>") + n("E4", 4, "<voice>1</voice>", "<chord/>")
                 + n("rest", 4, "<voice>1</voice>") + n("G4", 8, "<voice>1</voice>")
                 + "<backup><duration>16</duration></backup><forward><duration>8</duration></forward>"
                 + n("C3", 8, "<voice>2</voice>"))
    assert rows(score) == [(0, 1, 60), (0, 1, 64), (2, 2, 48), (2, 2, 67)]
    assert score.voice is not None
    assert score.voice.tolist() == [1, 1, 2, 1]
    assert (score.n_bars, score.end, score.ticks_per_quarter) == (1, 1920, 480)


def test_divisions_may_change_in_the_middle_of_a_bar():
    score = read(FOUR + n("C4", 4) + "<attributes><divisions>6</divisions></attributes>" + n("D4", 2) + n("E4", 2)
                 + n("F4", 2) + n("G4", 12) + "<backup><duration>24</duration></backup>" + n("C3", 24))
    assert rows(score)[:2] == [(0, 4, 48), (0, 1, 60)]
    assert [round(3 * onset) for onset, _, _ in rows(score)[2:]] == [3, 4, 5, 6]


def test_ties_over_bars_make_one_note_by_tie_or_by_tied():
    tie, tied = '<tie type="{}"/>', '<notations><tied type="{}"/></notations>'
    for sign in (tie, tied):
        score = read(FOUR + n("C4", 16, sign.format("start")), n("C4", 4, sign.format("stop") + sign.format("start"))
                     + n("C4", 4, sign.format("stop")) + n("C4", 8))
        assert rows(score) == [(0, 6, 60), (6, 2, 60)]
    score = read(FOUR + n("C4", 16, tied.format("let-ring")), n("C4", 16))
    assert len(score) == 2


def test_an_arpeggio_gathered_by_ties_rings_on_to_its_chord():
    start, stop = '<tie type="start"/>', '<tie type="stop"/>'
    low = "<backup><duration>16</duration></backup>" + n("C2", 16, "<voice>5</voice><staff>2</staff>")
    chord = n("C4", 8, stop) + n("E4", 8, stop, "<chord/>")
    score = read(FOUR + n("C4", 4, start) + n("E4", 4, start) + chord + low)
    assert rows(score) == [(0, 4, 36), (0, 4, 60), (1, 3, 64)]
    reading = parse(page([FOUR + n("C4", 4, start) + n("E4", 4, start) + chord]))     # one line cannot do so
    assert rows(reading.score) == [(0, 1, 60), (1, 3, 64), (2, 2, 60)]
    assert reading.repairs == {"ties from nowhere": 1}


def test_tuplets_are_exact_even_where_the_file_had_to_round_them():
    tuplet = "<type>16th</type><time-modification><actual-notes>7</actual-notes><normal-notes>4</normal-notes>" \
             "</time-modification>"
    bar = ATTRIBUTES.format(0, 2, 4).replace("<divisions>4<", "<divisions>480<") \
        + "".join(n("C4", 69, tuplet) for _ in range(7)) + n("D4", 480, "<type>quarter</type>") \
        + "<backup><duration>963</duration></backup>" + n("C3", 960, "<voice>2</voice>")
    for back in ("963", "960"):                       # a program may count what it wrote, or what it meant
        reading = parse(page([bar.replace("963", back)]))
        score = reading.score
        assert score.ticks_per_quarter == 3360
        assert score.duration.tolist() == [6720] + 7 * [480] + [3360]
        assert score.end == 6720
        assert not reading.repairs


def test_a_duration_other_than_it_looks_is_trusted_and_counted():
    reading = parse(page([FOUR + n("C4", 6, "<type>quarter</type>") + n("D4", 10)]))
    assert rows(reading.score) == [(0, 1.5, 60), (1.5, 2.5, 62)]
    assert reading.repairs == {"durations other than they look": 1}
    reading = parse(page([FOUR + n("C4", 6, "<type>quarter</type><dot/>")]))
    assert not reading.repairs


def test_grace_notes_have_a_place_a_slash_and_no_length():
    grace = '<grace slash="yes"/>'
    score = read(FOUR + n("D4", 0, first="<grace/>") + n("E4", 0, first="<grace/>")
                 + n("G4", 0, first="<grace/><chord/>") + n("C4", 8) + n("B3", 0, first=grace) + n("C4", 8)
                 + n("A3", 0, first="<grace/>"))
    assert score.grace is not None
    assert [(int(o), int(d), int(p), int(g)) for o, d, p, g in
            zip(score.onset, score.duration, score.pitch, score.grace, strict=True)] == [
        (0, 960, 60, 0), (0, 0, 62, 1), (0, 0, 64, 2), (0, 0, 67, 2), (960, 0, 59, 101), (960, 960, 60, 0),
        (1920, 0, 57, 1)]


def test_cue_notes_and_ossia_staves_are_left_out_and_counted():
    reading = parse(page([FOUR + n("C4", 8, first="<cue/>") + n("D4", 8)
                          + '<attributes><staff-details number="2"><staff-type>ossia</staff-type></staff-details>'
                          '</attributes><backup><duration>8</duration></backup>' + n("E4", 8, "<staff>2</staff>")]))
    assert rows(reading.score) == [(2, 2, 62)]
    assert reading.repairs == {"cue notes left out": 1, "notes of an ossia staff left out": 1}


def test_staves_of_a_part_are_one_track_and_a_voice_may_cross_them():
    score = read(FOUR + n("C4", 8, "<voice>1</voice><staff>1</staff>") + n("C3", 8, "<voice>1</voice><staff>2</staff>")
                 + "<backup><duration>16</duration></backup>" + n("C2", 16, "<voice>5</voice><staff>2</staff>"))
    assert len(score.tracks) == 1
    assert score.voice is not None
    assert score.staff is not None
    assert dict(zip(score.pitch.tolist(), zip(score.voice.tolist(), score.staff.tolist(), strict=True),
                    strict=True)) == {60: (1, 1), 48: (1, 2), 36: (2, 2)}


def test_one_name_for_a_voice_on_each_staff_at_once_is_two_voices():
    score = read(FOUR + n("C4", 16, "<voice>1</voice><staff>1</staff>") + "<backup><duration>16</duration></backup>"
                 + n("C3", 16, "<voice>1</voice><staff>2</staff>"))
    assert score.voice is not None
    assert score.voice.tolist() == [2, 1]


# --- bars -------------------------------------------------------------------------------------------------------

def test_a_pick_up_and_a_short_last_bar_keep_their_length():
    score = read(ATTRIBUTES.format(0, 3, 4) + n("C4", 4), n("C4", 12), n("C4", 8))
    assert score.bar_starts.tolist() == [0, 480, 1920, 2880]
    assert score.has_pickup
    assert {meter[1:] for meter in score.meters} == {(3, 4)}


def test_a_long_bar_has_a_meter_of_its_own_that_no_page_shows():
    score = read(FOUR + WHOLE, n("C4", 20), WHOLE)
    assert score.bar_starts.tolist() == [0, 1920, 4320, 6240]
    assert marks(score, "meter") == [(4, "hidden"), (9, "hidden")]


@pytest.mark.parametrize(("time", "expected"), [
    ("<time><beats>3+2</beats><beat-type>8</beat-type></time>", (5, 8)),
    ("<time><beats>2</beats><beat-type>4</beat-type><beats>3</beats><beat-type>8</beat-type></time>", (7, 8)),
    ('<time symbol="cut"><beats>2</beats><beat-type>2</beat-type></time>', (2, 2)),
    ('<time symbol="common"><beats>4</beats><beat-type>4</beat-type></time>', (4, 4)),
])
def test_meters_of_every_kind(time, expected):
    length = 4 * 4 * expected[0] // expected[1]
    score = read(f"<attributes><divisions>4</divisions>{time}</attributes>" + n("rest", length))
    assert score.meters[0][1:] == expected
    symbol = "cut" if "cut" in time else "common" if "common" in time else ""
    assert marks(score, "meter") == ([(0, symbol)] if symbol else [])


def test_several_meters_and_one_that_is_hidden():
    time = '<attributes><time print-object="no"><beats>3</beats><beat-type>4</beat-type></time></attributes>'
    score = read(FOUR + WHOLE, time + n("C4", 12), n("C4", 12))
    assert [(meter.tick, *meter[1:]) for meter in score.meters] == [(0, 4, 4), (1920, 3, 4)]
    assert marks(score, "meter") == [(4, "hidden")]


def test_a_bar_without_measure_is_as_long_as_what_it_holds():
    free = "<attributes><time><senza-misura/></time></attributes>"
    score = read(FOUR + WHOLE, free + n("C4", 44), WHOLE)
    assert score.bar_starts.tolist() == [0, 1920, 1920 + 11 * 480, 4 * 480 + 15 * 480]


def test_a_file_without_meters_has_that_of_its_bars():
    bare = "<attributes><divisions>4</divisions></attributes>"
    reading = parse(page([bare + n("C4", 4), n("C4", 12), n("C4", 12), n("C4", 8)]))
    assert reading.score.meters[0][1:] == (3, 4)
    assert reading.score.n_bars == 4
    assert reading.repairs == {"meters taken from the length of the bars": 1}


def test_the_longest_part_says_how_long_a_bar_is():
    reading = parse(page([FOUR + n("C4", 12), WHOLE], [FOUR + WHOLE]))
    assert reading.score.bar_starts.tolist() == [0, 1920, 3840]
    assert reading.repairs == {"bars that end earlier in one part than in another": 1}


def test_a_rest_for_a_whole_bar_never_makes_it_longer():
    three = ATTRIBUTES.format(0, 3, 4)
    for rest in (n("rest", 16, "<type>whole</type>"), n("rest", 16).replace("<rest/>", '<rest measure="yes"/>')):
        reading = parse(page([three + n("C4", 12)], [three + rest]))
        assert reading.score.end == 3 * 480
        assert not reading.repairs
    assert read(FOUR + WHOLE, "").n_bars == 2                           # an empty bar is a whole one
    assert read(three + n("rest", 12), n("rest", 12)).bar_starts.tolist() == [0, 1440, 2880]


def test_a_part_in_another_meter_is_fitted_to_the_others():
    six = "<attributes><time><beats>6</beats><beat-type>8</beat-type></time></attributes>"
    two = ATTRIBUTES.format(0, 2, 4)
    reading = parse(page([two + n("C4", 8), six + n("D4", 6) + n("rest", 4, "<type>eighth</type><dot/>")
                          + n("E4", 2)],
                         [two + n("C3", 8), n("C3", 4) + n("D3", 4)]))
    assert rows(reading.score)[2:5] == [(2, 1, 62), (2, 1, 48), (3, 1, 50)]
    assert rows(reading.score)[5] == pytest.approx((11 / 3, 1 / 3, 64))
    assert reading.repairs == {"bars of another meter fitted to the other parts": 1}


def test_a_repeat_within_a_bar_cuts_it_in_two():
    line = '<barline location="middle"><repeat direction="backward"/></barline>'
    score = read(FOUR + n("C4", 12) + line + n("D4", 4), WHOLE)
    assert score.bar_starts.tolist() == [0, 1440, 1920, 3840]
    assert marks(score, "repeat") == [(3, "end")]


def test_repeated_measures_are_written_out():
    style = "<attributes><measure-style><measure-repeat type='{}'>{}</measure-repeat></measure-style></attributes>"
    reading = parse(page([FOUR + WHOLE, n("D4", 16), style.format("start", 2) + n("rest", 16), "",
                          style.format("stop", "") + n("rest", 16)]))
    assert rows(reading.score) == [(0, 4, 60), (4, 4, 62), (8, 4, 60), (12, 4, 62)]
    assert reading.repairs == {"repeated measures written out": 2}


def test_timewise_scores_are_the_same_music():
    one, two = [FOUR + WHOLE, n("D4", 16), n("E4", 16)], [FOUR + n("C3", 16), "-", n("E3", 16)]
    score = parse(page(one, two, timewise=True)).score
    assert rows(score) == [(0, 4, 60), (0, 4, 48), (4, 4, 62), (8, 4, 64), (8, 4, 52)]
    assert score.track.tolist() == [0, 1, 0, 0, 1]


# --- pitch, key, clef -------------------------------------------------------------------------------------------

def test_spelling_is_as_written():
    score = read(ATTRIBUTES.format(-3, 4, 4) + n("F#4", 4) + n("Gb4", 4) + n("Cb5", 4) + n("B#3", 4))
    assert score.spelling is not None
    names = [name_of(p, s) for p, s in zip(score.pitch.tolist(), score.spelling.tolist(), strict=True)]
    assert names == [("F", 1, 4), ("G", -1, 4), ("C", -1, 5), ("B", 1, 3)]


def test_alterations_that_a_file_forgot_are_read_as_a_player_reads_them():
    def shown(name, sign="", more=""):
        return n(name, 4, (f"<accidental>{sign}</accidental>" if sign else "") + more)

    tie = '<tie type="{}"/>'
    data = page([ATTRIBUTES.format(1, 4, 4) + shown("F4") + shown("C4", "sharp") + shown("C4") + shown("F4"),
                 shown("C4") + shown("F4", "natural") + shown("F4") + shown("B4", "flat", tie.format("start")),
                 shown("B4", "", tie.format("stop")) + shown("B4") + shown("F#4") + shown("F4")])
    reading = parse(data)
    assert reading.score.pitch.tolist() == [65, 61, 61, 66, 60, 65, 65, 70, 71, 66, 65]
    assert reading.repairs == {"alterations taken from accidentals and keys": 5}


def test_transposing_parts_are_read_at_sounding_pitch_and_spelling():
    def transposed(diatonic, chromatic, octaves=0, fifths=0):
        return (f"<attributes><divisions>4</divisions><key><fifths>{fifths}</fifths></key><transpose>{diatonic}"
                f"<chromatic>{chromatic}</chromatic><octave-change>{octaves}</octave-change></transpose></attributes>")

    clarinet = [transposed("<diatonic>-1</diatonic>", -2, 0, 2) + n("F#4", 16),
                transposed("<diatonic>-2</diatonic>", -3, 0, 3) + n("C5", 16)]
    bass = [transposed("<diatonic>0</diatonic>", 0, -1) + n("C4", 16), n("C4", 16)]
    horn = [transposed("", -7, 0, 1) + n("B4", 16), n("rest", 16)]
    score = parse(page(clarinet, bass, horn)).score
    assert score.spelling is not None
    names = [name_of(p, s) for p, s in zip(score.pitch.tolist(), score.spelling.tolist(), strict=True)]
    assert names == [("E", 0, 4), ("C", 0, 3), ("E", 0, 4), ("A", 0, 4), ("C", 0, 3)]
    assert score.keys == (Key(0, 0, ""),)
    assert score.extras["notation"]["transpose"] == {"0": [-1, -2, 0], "1": [0, 0, -1], "2": [-4, -7, 0]}


def test_the_key_is_that_of_most_parts():
    flats = ATTRIBUTES.format(-2, 4, 4).replace("</fifths>", "</fifths><mode>minor</mode>")
    change = "<attributes><key><fifths>3</fifths><mode>dorian</mode></key></attributes>"
    score = parse(page([flats + WHOLE, change + WHOLE], [FOUR + WHOLE, WHOLE], [flats + WHOLE, change + WHOLE])).score
    assert score.keys == (Key(0, -2, "minor"), Key(1920, 3, ""))


def test_clefs_stand_with_their_octaves_and_in_mid_bar():
    clef = "<clef number='{}'><sign>{}</sign><line>{}</line>{}</clef>"
    down = "<clef-octave-change>-1</clef-octave-change>"
    score = read(FOUR + "<attributes>" + clef.format(1, "G", 2, down) + clef.format(2, "F", 4, "") + "</attributes>"
                 + n("C4", 8) + "<attributes>" + clef.format(2, "C", 3, "") + "</attributes>" + n("C4", 8))
    assert score.extras["notation"]["clefs"] == [[0, 0, 1, "G2_8"], [0, 0, 2, "F4"], [960, 0, 2, "C3"]]
    assert score.pitch.tolist() == [60, 60]             # the file's pitch sounds already, whatever the clef
    shifted = read(FOUR + direction('<octave-shift type="down" size="8"/>') + n("C6", 16))
    assert shifted.pitch.tolist() == [84]


# --- parts ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("part", "track"), [
    (listed("Violon", midi(41)), Track("Violon", 40)), (listed("2 Oboi"), Track("2 Oboi", 68)),
    (listed("Viola"), Track("Viola", 41)), (listed("Kit", midi(1, 10)), Track("Kit", 0, True)),
    (listed("X", '<score-instrument id="I"><instrument-name/><instrument-sound>wind.flutes.piccolo</instrument-sound>'
                 '</score-instrument>'), Track("X", 72)),
    (listed("Sopran"), Track("Sopran", 52)), (listed("Nobody"), Track("Nobody", 0)),
    (listed("Bad", midi(0)), Track("Bad", 0)),
])
def test_the_instrument_of_a_part(part, track):
    assert read(FOUR + WHOLE, listed=part).tracks == (track,)


def test_groups_and_abbreviations():
    group = '<part-group number="{}" type="{}"><group-symbol>{}</group-symbol><group-name>{}</group-name></part-group>'
    score = parse(page([FOUR + WHOLE], [FOUR + WHOLE], [FOUR + WHOLE], listed=
                       group.format(1, "start", "bracket", "Strings") + listed("Violin", abbreviation="Vln.")
                       + group.format(2, "start", "brace", "") + listed("Viola", number=1) + listed("Cello", number=2)
                       + group.format(2, "stop", "", "") + group.format(1, "stop", "", ""))).score
    assert score.extras["notation"] == {"abbreviations": {"0": "Vln."},
                                        "groups": [[0, 2, "bracket", "Strings"], [1, 2, "brace", ""]]}


def unpitched(step: str, octave: int, inner: str = "") -> str:
    return f"<note><unpitched><display-step>{step}</display-step><display-octave>{octave}</display-octave>" \
           f"</unpitched><duration>4</duration>{inner}</note>"


def test_percussion_by_its_instruments_by_its_place_and_by_its_name():
    kit = '<score-instrument id="I1"/><score-instrument id="I2"/>' \
          '<midi-instrument id="I1"><midi-unpitched>37</midi-unpitched></midi-instrument>'
    bar = FOUR + unpitched("F", 4, '<instrument id="I1"/>') + unpitched("C", 5) \
        + unpitched("G", 5, "<notehead>x</notehead>") + unpitched("A", 3)
    score = read(bar, listed=listed("Drums", kit))
    assert score.tracks == (Track("Drums", 0, True),)
    assert score.pitch.tolist() == [36, 38, 42, 38]
    assert score.spelling is None
    assert read(bar, listed=listed("Triangel")).pitch.tolist() == [81, 81, 81, 81]
    clef = "<attributes><clef><sign>percussion</sign></clef></attributes>"
    assert read(FOUR + clef + n("rest", 16)).extras["notation"]["clefs"] == [[0, 0, 1, "percussion"]]


# --- what is broken ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("data", "sentence"), [
    (b"<html/>", "must hold a score; this one holds <html>"), (b"MThd", "must be whole and well formed"),
    (b"<score-partwise/>", "must have a part"), (b"PK\x03\x04", "a zip of music must"),
    (b"<opus/>", "this one holds <opus>"),
])
def test_what_is_no_score_gets_one_sentence(data, sentence):
    with pytest.raises(ReadError, match=sentence):
        parse(data)


def test_a_score_without_notes_is_a_score():
    assert len(read("", FOUR + n("rest", 16))) == 0
    assert parse(page([])).score.end == 0


@pytest.mark.parametrize(("inside", "repair"), [
    ("<backup><duration>99</duration></backup>", "steps back beyond the beginning of the bar"),
    (n("D4", -4), "negative durations"),
    ("<forward><duration>much</duration></forward>", "durations that are no number"),
    ("<attributes><divisions>0</divisions></attributes>", "divisions that are no number"),
    ("<note><duration>4</duration></note>", "notes without pitch left out"),
    (n("D4", 4).replace("<step>D", "<step>H"), "notes without pitch left out"),
    (n("D4", 4).replace("<duration>4</duration>", "<type>quarter</type>"), "notes without duration"),
    (n("D9", 4).replace(">9<", ">12<"), "notes outside the range of MIDI left out"),
    ("<attributes><time><beats>x</beats><beat-type>4</beat-type></time></attributes>", "meters that are no meter"),
    ("<attributes><transpose><chromatic>900</chromatic></transpose></attributes>",
     "transpositions that are no interval"),
    ("<attributes><key><key-step>C</key-step><key-alter>1</key-alter></key></attributes>",
     "keys of their own kind left out"),
    ("<barline><fermata/></barline>", "fermatas over bar lines left out"),
    (n("D4", 4, '<tie type="stop"/>'), "ties from nowhere"), ('<sound tempo="99999"/>', "impossible tempos left out"),
])
def test_what_is_broken_is_mended_and_counted(inside, repair):
    reading = parse(page([FOUR + WHOLE, inside + n("C4", 4)]))
    assert reading.repairs == {repair: 1}
    assert reading.score.pitch.tolist().count(60) == 2


def test_parts_that_nobody_listed_are_read_and_listed_ones_without_music_stay():
    data = page([FOUR + WHOLE], [FOUR + WHOLE], listed=listed("Flute") + listed("Oboe", number=7))
    reading = parse(data)
    assert [track.name for track in reading.score.tracks] == ["Flute", "Oboe", ""]
    assert reading.repairs == {"parts that the part list does not name": 1}
    twice = data.replace(b'<part id="P1">', b'<part id="P0">')
    assert "parts with the name of another" in parse(twice).repairs
    assert len(parse(twice).score) == 2


def test_any_damage_gives_a_score_or_one_sentence():
    fuzz = bench("fuzz_musicxml")
    found = {fuzz.check(data)[:5] for data in islice(fuzz.mutations(random.Random(0), fuzz.seeds()), 400)}
    assert {"score", "a zip", "a fil"} <= found


def test_unknown_elements_are_nothing():
    plain = page([FOUR + n("C4", 8) + n("D4", 8)])
    strange = plain.replace(b"<measure>", b"<measure><mystery><note/></mystery><print/><listening/>")
    assert parse(strange).score == parse(plain).score


def test_more_notes_than_may_be_read_are_refused():
    data = page([FOUR + n("C4", 8) + n("D4", 8)])
    assert len(parse(data, max_notes=2).score) == 2
    with pytest.raises(ReadError, match="at most 1 notes; this one has more: raise --max-notes"):
        parse(data, max_notes=1)


def test_zipped_or_not_whatever_its_name():
    data = page([FOUR + WHOLE])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("song.musicxml", data)
    assert parse(buffer.getvalue()).score == parse(data).score


def test_a_long_piece_of_many_parts():
    measures = [FOUR + n("C4", 8) + n("E4", 8)] + 399 * [n("C4", 8) + n("E4", 8)]
    score = parse(page(*(40 * [measures]))).score
    assert (len(score), score.n_bars, len(score.tracks)) == (40 * 800, 400, 40)


# --- real music -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["openscore_lieder", "openscore_quartets", "openscore_orchestra", "openewld"])
def test_real_scores(music, name):
    files = sorted(music(name).rglob("*.mxl"), key=lambda path: (path.stat().st_size, str(path)))[::40][:6]
    for path in files:
        score = parse(path.read_bytes()).score
        assert len(score)
        assert score.spelling is not None
        assert (np.diff(score.bar_starts) > 0).all()
        assert {spelling_of("C"), spelling_of("G")} & set(score.spelling.tolist())
        assert not [mark for mark in score.marks if mark.kind == "repeat" and mark.tick not in score.bar_starts]
