"""MuseScore files in, of versions 2, 3 and 4: parts, voices, tuplets, ties, grace notes, repeats and words."""

from __future__ import annotations

import io
import random
import zipfile
from itertools import islice

import pytest
from bench_modules import bench
from hypothesis import given
from hypothesis import strategies as st
from readings import marks, rows

from partimento.errors import ReadError
from partimento.formats import mscx_read
from partimento.notation.play import order_of_bars
from partimento.score import Key, Meter, Score, Track

fuzz = bench("fuzz_kern")

FOUR = "<TimeSig><sigN>4</sigN><sigD>4</sigD></TimeSig>"


def part(*staves: str, name: str = "Piano", program: int = 0, more: str = "") -> str:
    ids = "".join(f'<Staff id="{number}"/>' for number in staves)
    return (f"<Part>{ids}<trackName>{name}</trackName><Instrument><longName>{name}</longName>{more}"
            f'<Channel><program value="{program}"/></Channel></Instrument></Part>')


def staff(number: str, *bars: str) -> str:
    return f'<Staff id="{number}">{"".join(bars)}</Staff>'


def bar(*voices: str, before: str = "", length: str = "") -> str:
    return (f"<Measure{f' len={length!r}' if length else ''}>{before}"
            f"{''.join(f'<voice>{voice}</voice>' for voice in voices)}</Measure>")


def note(pitch: int, inside: str = "") -> str:
    return f"<Note>{inside}<pitch>{pitch}</pitch></Note>"


def chord(length: str, *notes: str, inside: str = "") -> str:
    return f"<Chord>{inside}<durationType>{length}</durationType>{''.join(notes)}</Chord>"


def quarter(pitch: int, inside: str = "") -> str:
    return chord("quarter", note(pitch), inside=inside)


def rest(length: str) -> str:
    return f"<Rest><durationType>{length}</durationType></Rest>"


def tie(way: str) -> str:
    return f'<Spanner type="Tie"><{way}><location><fractions>1/4</fractions></location></{way}></Spanner>'


def line(kind: str, inside: str, location: str) -> str:
    return f'<Spanner type="{kind}"><{kind}>{inside}</{kind}><next><location>{location}</location></next></Spanner>'


def page(*inside: str, version: str = "3.01") -> bytes:
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<museScore version="{version}"><Score><Division>480</Division>'
            f'{"".join(inside)}</Score></museScore>').encode()


def read(*inside: str, version: str = "3.01") -> Score:
    reading = mscx_read.parse(page(*inside, version=version))
    assert not reading.repairs, reading.repairs
    return reading.score


def melody(*bars: str) -> Score:
    return read(part("1", name="Flute", program=73), staff("1", *bars))


@pytest.mark.parametrize("version", ["3.01", "4.20"])
def test_piano_with_voices_and_staves(version):
    score = read(part("1", "2"), staff("1", bar(FOUR + chord("half", note(72), note(76)) + rest("half"),
                                                rest("half") + quarter(67) + quarter(65))),
                 staff("2", bar(chord("whole", note(48)))), version=version)
    assert score.tracks == (Track("Piano", 0),)
    assert rows(score) == [(0, 4, 48), (0, 2, 72), (0, 2, 76), (2, 1, 67), (3, 1, 65)]
    assert score.staff.tolist() == [2, 1, 1, 1, 1]
    assert score.voice.tolist() == [3, 1, 1, 2, 2]
    assert score.keys == (Key(0, 0, ""),)
    assert score.end == 4 * score.ticks_per_quarter


def test_spelling_is_one_more_than_tpc():
    score = melody(bar(FOUR + "".join(chord("quarter", f"<Note><pitch>{p}</pitch><tpc>{t}</tpc></Note>")
                                      for p, t in ((60, 14), (61, 21), (61, 9), (70, 12)))))
    assert score.spelling.tolist() == [15, 22, 10, 13]


def test_tuplets_nested():
    inner = "<Tuplet><normalNotes>2</normalNotes><actualNotes>3</actualNotes></Tuplet>"
    score = melody(bar(FOUR + inner + chord("half", note(60)) + inner + chord("quarter", note(62))
                       + chord("quarter", note(64)) + chord("quarter", note(65)) + "<endTuplet/>"
                       + chord("half", note(67)) + "<endTuplet/>"))
    assert rows(score)[:2] == [(0, 4 / 3, 60), (4 / 3, 4 / 9, 62)]
    assert rows(score)[-1][0] == pytest.approx(8 / 3)


def test_ties_and_grace_notes():
    graces = "".join(chord("16th", note(pitch), inside=f"<{kind}/>")
                     for pitch, kind in ((70, "acciaccatura"), (74, "grace16after"), (72, "grace16after")))
    score = melody(bar(FOUR + rest("half") + quarter(60) + chord("quarter", note(62, tie("next")))),
                   bar(chord("quarter", note(62, tie("prev"))) + graces + chord("half", note(64)) + quarter(65)))
    assert (3, 2, 62) in rows(score)
    columns = zip(score.onset, score.pitch, score.grace, strict=True)
    assert [(int(o) // 480, int(p), int(g)) for o, p, g in columns if g] == [(5, 70, 101), (7, 72, 1), (7, 74, 2)]


def test_gaps_between_notes_of_a_voice():
    gap = "<location><fractions>1/2</fractions></location>"
    score = melody(bar(FOUR + chord("whole", note(60)), gap + quarter(67)))
    assert rows(score) == [(0, 4, 60), (2, 1, 67)]


def test_pickup_meter_key_and_clefs():
    score = melody(bar("<Clef><concertClefType>G8vb</concertClefType></Clef><KeySig><accidental>-3</accidental>"
                       "<mode>minor</mode></KeySig><TimeSig><subtype>2</subtype><sigN>2</sigN><sigD>2</sigD></TimeSig>"
                       + quarter(60), length="1/4"),
                   bar(chord("whole", note(62))),
                   bar("<TimeSig><sigN>3</sigN><sigD>4</sigD></TimeSig>" + rest("measure")))
    assert score.has_pickup
    assert score.meters == (Meter(0, 2, 2), Meter(480, 2, 2), Meter(2400, 3, 4))
    assert score.keys == (Key(0, -3, "minor"),)
    assert marks(score, "meter") == [(0, "cut")]
    assert score.extras["notation"]["clefs"] == [[0, 0, 1, "G2_8"]]


def test_transposing_instruments():
    clarinet = "<transposeDiatonic>-1</transposeDiatonic><transposeChromatic>-2</transposeChromatic>"
    bass = "<transposeDiatonic>-7</transposeDiatonic><transposeChromatic>-12</transposeChromatic>"
    score = read(part("1", name="Clarinet", program=71, more=clarinet), part("2", name="Bass", program=43, more=bass),
                 staff("1", bar("<KeySig><accidental>4</accidental></KeySig>" + FOUR + chord("whole", note(60)))),
                 staff("2", bar("<KeySig><accidental>2</accidental></KeySig>" + chord("whole", note(36)))))
    assert sorted(score.pitch.tolist()) == [36, 60]
    assert score.keys == (Key(0, 2, ""),)
    assert score.extras["notation"]["transpose"] == {"0": [-1, -2, 0], "1": [0, 0, -1]}
    alone = read(part("1", name="Clarinet", program=71, more=clarinet),
                 staff("1", bar("<KeySig><accidental>2</accidental></KeySig>" + FOUR + rest("measure"))))
    assert alone.keys == (Key(0, 0, ""),)


def test_octave_lines_sound():
    eight = line("Ottava", "<subtype>8va</subtype>", "<measures>1</measures><fractions>-1/4</fractions>")
    score = melody(bar(FOUR + quarter(60) + eight + quarter(62) + chord("half", note(64))),
                   bar(chord("whole", note(65))))
    assert score.pitch.tolist() == [60, 74, 76, 65]


def test_repeats_voltas_jumps_and_bar_lines():
    def volta(number: str, hook: str) -> str:
        return line("Volta", f"<endHookType>{hook}</endHookType><endings>{number}</endings>", "<measures>1</measures>")

    whole = rest("measure")
    score = melody(bar(FOUR + whole, before="<startRepeat/>"),
                   bar(volta("1, 2", "1") + whole, before="<endRepeat>3</endRepeat>"),
                   bar(volta("3", "0") + whole + "<BarLine><subtype>double</subtype></BarLine>"),
                   bar(quarter(60) + "<BarLine><subtype>end</subtype></BarLine>"))
    assert marks(score) == [(0, "start"), (4, "ending 1,2"), (8, "end 3"), (8, "ending 3"), (8, "ending stop"),
                            (12, "ending open")]
    assert marks(score, "barline") == [(12, "double"), (16, "final")]
    assert [index for index, _ in order_of_bars(score)] == [0, 1, 0, 1, 0, 2, 3]
    jump = "<Jump><jumpTo>{}</jumpTo><playUntil>{}</playUntil><continueAt>{}</continueAt></Jump>"
    signs = melody(bar(FOUR + whole, before="<Marker><label>segno</label></Marker>"),
                   bar(whole, before="<Marker><label>coda</label></Marker>"),
                   bar(whole, before=jump.format("segno", "coda", "codab")),
                   bar(quarter(60), before="<Marker><label>codab</label></Marker>"))
    assert marks(signs) == [(0, "segno"), (8, "to coda"), (12, "coda"), (12, "dal segno al coda")]
    fine = melody(bar(FOUR + whole, before="<Marker><label>fine</label></Marker>"),
                  bar(quarter(60), before=jump.format("start", "fine", "")))
    assert marks(fine) == [(4, "fine"), (8, "da capo al fine")]


def test_bar_repeats_are_written_out():
    score = melody(bar(FOUR + quarter(60) + quarter(62) + rest("half")), bar("<RepeatMeasure/>"))
    assert rows(score) == [(0, 1, 60), (1, 1, 62), (4, 1, 60), (5, 1, 62)]


def test_words_tempo_dynamics_lyrics_chords_fermatas():
    lyric = "<Lyrics><no>{}</no><syllabic>{}</syllabic><ticks>{}</ticks><text>{}</text></Lyrics>"
    score = melody(bar(
        FOUR + "<Tempo><tempo>1.5</tempo><text><b>Largo</b> (<sym>metNoteQuarterUp</sym> = 90)</text></Tempo>"
        "<Dynamic><subtype>p</subtype><velocity>49</velocity></Dynamic>"
        "<Harmony><root>12</root><name>maj7</name><base>14</base></Harmony>"
        + quarter(60, lyric.format(0, "begin", 0, "la") + lyric.format(1, "single", 960, "so"))
        + "<StaffText><text><i>dolce</i></text></StaffText>" + quarter(62)
        + "<Dynamic><subtype>sfz</subtype><velocity>112</velocity></Dynamic><Fermata/>" + quarter(64)
        + "<RehearsalMark><text>B</text></RehearsalMark><SystemText><text>a tempo</text></SystemText>" + quarter(65)))
    assert score.velocity.tolist() == [49, 49, 112, 49]
    assert [round(tempo.bpm) for tempo in score.tempos] == [90, 90]
    assert [chord.symbol for chord in score.chords] == ["Bbmaj7/C"]
    assert marks(score, "fermata") == [(2, "")]
    assert marks(score, "section") == [(3, "B")]
    assert {(text.kind, text.text) for text in score.texts} == {
        ("tempo", "Largo"), ("dynamic", "p"), ("lyric", "la-"), ("lyric 2", "so_"), ("words", "dolce"),
        ("dynamic", "sfz"), ("tempo", "a tempo")}


def test_titles_from_the_frame_then_from_the_tags():
    frame = ("<VBox><Text><style>Title</style><text>Song</text></Text>"
             "<Text><style>composer</style><text>Me</text></Text></VBox>")
    score = read('<metaTag name="workTitle">Other</metaTag><metaTag name="copyright">CC0</metaTag>', part("1"),
                 staff("1", frame, bar(FOUR + quarter(60))))
    assert {(text.kind, text.text) for text in score.texts} == {("title", "Song"), ("composer", "Me"),
                                                                ("copyright", "CC0")}


def test_notes_of_their_own_loudness_and_of_another_staff():
    loud = "<veloType>user</veloType><velocity>101</velocity>"
    below = chord("half", note(50), inside="<staffMove>1</staffMove>")
    score = read(part("1", "2"), staff("1", bar(FOUR + chord("half", note(60, loud)) + below)),
                 staff("2", bar(rest("measure"))))
    assert score.velocity.tolist() == [101, 80]
    assert score.staff.tolist() == [1, 2]


def test_parts_kept_beside_the_score_and_rests_shown_as_one_are_left():
    inner = f"<Score>{part('1')}{staff('1', bar(quarter(72)))}</Score>"
    many = "<Measure len='8/4'><multiMeasureRest>2</multiMeasureRest></Measure>"
    silent = rest("measure")
    score = read(part("1"), staff("1", many, bar(FOUR + silent), bar(silent), bar(quarter(60))), inner)
    assert rows(score) == [(8, 1, 60)]
    assert len(score.tracks) == 1


def test_version_2():
    triplet = '<Tuplet id="1"><normalNotes>2</normalNotes><actualNotes>3</actualNotes></Tuplet>'
    inside = "<Tuplet>1</Tuplet>"
    second = "<track>1</track>"
    score = read(
        part("1"), staff(
            "1", "<Measure number='1'>" + FOUR
            + '<Volta id="7"><endHookType>1</endHookType><endings>1</endings></Volta>'
            + triplet + "".join(quarter(pitch, inside) for pitch in (60, 62, 64))
            + chord("half", note(65, '<Tie id="3"/>')) + "<tick>0</tick>"
            + chord("whole", note(48), inside=second) + "</Measure>",
            "<Measure number='2'>" + chord("half", note(65, '<endSpanner id="3"/>')) + '<endSpanner id="7"/>'
            + '<Ottava id="4"><subtype>8vb</subtype></Ottava>' + quarter(67) + '<endSpanner id="4"/>' + quarter(69)
            + "<tick>1920</tick><Rest><track>1</track><durationType>measure</durationType>"
            + "<duration z='4' n='4'/></Rest></Measure>"), version="2.06")
    assert rows(score) == [(0, 4, 48), (0, 2 / 3, 60), (2 / 3, 2 / 3, 62), (4 / 3, 2 / 3, 64), (2, 4, 65), (6, 1, 55),
                           (7, 1, 69)]
    assert marks(score) == [(0, "ending 1"), (6, "ending stop")]
    assert sorted(set(score.voice.tolist())) == [1, 2]


def test_version_1():
    data = (b'<museScore version="1.14"><Division>480</Division><Part><Staff id="1"/></Part><Staff id="1"><Measure>'
            b'<TimeSig><nom1>2</nom1><den>4</den></TimeSig><Chord><durationType>half</durationType><Note><Tie/>'
            b'<pitch>60</pitch></Note></Chord></Measure><Measure><Chord><durationType>half</durationType><Note>'
            b'<pitch>60</pitch></Note></Chord></Measure></Staff></museScore>')
    score = mscx_read.parse(data).score
    assert rows(score) == [(0, 4, 60)]
    assert score.bar_starts.tolist() == [0, 960, 1920]


def test_zipped_with_its_parts():
    full, alone = page(part("1"), staff("1", bar(FOUR + quarter(60)))), page(part("1"), staff("1", bar(quarter(72))))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("META-INF/container.xml",
                         '<container><rootfiles><rootfile full-path="song.mscx"/></rootfiles></container>')
        archive.writestr("Excerpts/1/1.mscx", alone)
        archive.writestr("song.mscx", full)
    assert mscx_read.parse(out.getvalue()).score.pitch.tolist() == [60]


def test_what_is_mended_is_counted():
    odd = chord("odd", note(60)) + chord("whole", note(62), "<Note/>")
    reading = mscx_read.parse(page(
        part("1"), staff("1", bar(FOUR + odd), bar("<RepeatMeasure><subtype>4</subtype></RepeatMeasure>")),
        staff("9", bar(quarter(60)))))
    assert reading.repairs == {"notes and rests without a length given a quarter note": 1,
                               "notes without a pitch left out": 1, "voices longer than their bar": 1,
                               "bar repeats with nothing to repeat": 1,
                               "bars of a staff without a part left out": 1}
    more = mscx_read.parse(page(part("1", "2"), staff("1", bar(FOUR + quarter(60))),
                                staff("2", bar(quarter(60)), bar(quarter(62)))))
    assert more.repairs == {"bars that the first staff lacks": 1}
    assert rows(more.score)[-1] == (4, 1, 62)


@pytest.mark.parametrize(("data", "words"), [
    (b"<score-partwise/>", "must begin with <museScore>"), (b"<museScore/>", "must have a part"),
    (b"no", "well formed"),
    (b"PK\3\4", "must be whole"), (page(part("1"), staff("1", bar(quarter(60) * 3))), "at most 2 notes")])
def test_what_is_no_music(data, words):
    with pytest.raises(ReadError, match=words):
        mscx_read.parse(data, max_notes=2)


@given(st.integers(0, 2**32))
def test_a_whole_file_damaged(seed):
    _, corpus, splices = fuzz.READERS["musescore"]
    for data in islice(fuzz.mutations(random.Random(seed), corpus, splices), 20):
        fuzz.check(mscx_read.parse, data)
