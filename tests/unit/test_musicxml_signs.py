"""What stands over the staves of MusicXML: tempo, dynamics, repeats, jumps, words, chord symbols, lyrics, titles."""

from __future__ import annotations

import pytest
from musicxml_pages import FOUR, WHOLE, direction, marks, n, page, read, rows, said, texts

from partimento.formats.musicxml_read import parse
from partimento.score import Chord, Text


@pytest.mark.parametrize(("inside", "bpm"), [
    ('<sound tempo="90"/>', 90), (direction("<words>Adagio</words>", '<sound tempo="50.5"/>'), 50.5),
    (direction("<metronome><beat-unit>quarter</beat-unit><beat-unit-dot/><per-minute>60</per-minute></metronome>"), 90),
    (direction("<metronome><beat-unit>half</beat-unit><per-minute>c. 60-64</per-minute></metronome>"), 124),
    (said("Allegro con brio"), 132), (said("Sehr langsam"), 56), (said("dolce"), 120), (said("♩ = 72"), 72),
    (direction("<metronome><beat-unit>quarter</beat-unit><beat-unit>half</beat-unit></metronome>"), 120),
])
def test_tempo_by_number_by_metronome_and_by_words(inside, bpm):
    assert read(FOUR + inside + WHOLE).tempos[0].bpm == pytest.approx(bpm, rel=1e-5)


def test_tempo_words_stand_over_the_whole_piece_and_come_back():
    score = read(FOUR + said("Allegro") + said("con fuoco") + WHOLE, said("Adagio") + WHOLE, said("Tempo I") + WHOLE,
                 said("meno", '<sound tempo="70"/>') + WHOLE, said("a tempo") + WHOLE)
    assert [round(tempo.bpm) for tempo in score.tempos] == [132, 66, 132, 70, 70]
    assert texts(score, "tempo") == [(0, -1, "Allegro"), (4, -1, "Adagio"), (8, -1, "Tempo I"), (12, -1, "meno"),
                                     (16, -1, "a tempo")]
    assert texts(score, "words") == [(0, 0, "con fuoco")]


def test_dynamics_say_how_loud_and_so_does_the_note():
    def dynamic(name, sound=""):
        return direction(f"<dynamics><{name}/></dynamics>", sound)

    second = "<backup><duration>16</duration></backup>" + n("C3", 16, "<voice>2</voice>")
    score = read(FOUR + n("C4", 4) + dynamic("p") + n("D4", 4) + dynamic("sfz") + n("E4", 4) + n("F4", 4) + second,
                 dynamic("fp") + n("C4", 8) + n("D4", 8, attributes='dynamics="50"'),
                 dynamic("f", '<sound dynamics="100"/>') + n("C4", 8)
                 + dynamic("other-dynamics>più f</other-dynamics><p") + n("D4", 8))
    loud = {(round(o), p): v for (o, _, p), v in zip(rows(score), score.velocity.tolist(), strict=True)}
    assert loud == {(0, 48): 80, (0, 60): 80, (1, 62): 49, (2, 64): 112, (3, 65): 49, (4, 60): 112, (6, 62): 45,
                    (8, 60): 90, (10, 62): 49}
    assert [text for *_, text in texts(score, "dynamic")] == ["p", "sfz", "fp", "f", "più f p"]


def test_dynamics_hold_for_their_part_alone():
    loud = direction("<dynamics><ff/></dynamics>")
    score = parse(page([FOUR + loud + WHOLE], [FOUR + WHOLE])).score
    assert score.velocity.tolist() == [112, 80]


def test_repeats_endings_and_bar_lines():
    def line(inner, location="right"):
        return f'<barline location="{location}">{inner}</barline>'

    score = read(
        FOUR + line('<repeat direction="forward"/>', "left") + WHOLE,
        line('<ending number="1, 2" type="start"/>', "left") + WHOLE
        + line('<ending number="1, 2" type="stop"/><repeat direction="backward" times="3"/>'),
        line('<ending number="3" type="start"/>', "left") + WHOLE + line('<ending number="3" type="discontinue"/>'),
        WHOLE + line("<bar-style>light-light</bar-style>"), WHOLE + line("<bar-style>dashed</bar-style>"),
        WHOLE + line("<bar-style>light-heavy</bar-style>"))
    assert set(marks(score, "repeat")) == {(0, "start"), (4, "ending 1,2"), (8, "ending stop"), (8, "end 3"),
                                           (8, "ending 3"), (12, "ending open")}
    assert marks(score, "barline") == [(16, "double"), (20, "dashed"), (24, "final")]


def test_an_ending_without_a_number_follows_the_one_before():
    ending = '<barline location="left"><ending number="" type="start"/></barline>'
    assert marks(read(FOUR + ending + WHOLE, ending + WHOLE), "repeat") == [(0, "ending 1"), (4, "ending 2")]


@pytest.mark.parametrize(("inside", "expected"), [
    (direction("<segno/>"), [(4, "segno")]), (direction("<segno/>", '<sound segno="1"/>'), [(4, "segno")]),
    (said("D.C. al Fine", '<sound dacapo="yes"/>'), [(8, "da capo al fine")]), (said("Da Capo"), [(8, "da capo")]),
    (said("D.S. al Coda"), [(8, "dal segno al coda")]), (said("Dal segno"), [(8, "dal segno")]),
    ('<sound dalsegno="1"/>', [(8, "dal segno")]), (said("Fine", '<sound fine="yes"/>'), [(8, "fine")]),
    (said("To Coda"), [(8, "to coda")]), (direction("<coda/>", '<sound tocoda="1"/>'), [(8, "to coda")]),
    (direction("<coda/>", '<sound coda="1"/>'), [(4, "coda")]), (direction("<coda/>"), [(4, "coda")]),
    (said("finely"), []),
])
def test_segno_coda_and_the_jumps(inside, expected):
    score = read(FOUR + WHOLE, inside + WHOLE, WHOLE)
    assert marks(score, "repeat") == expected
    assert not expected or not texts(score, "words")


def test_words_beside_a_jump_stay():
    score = read(FOUR + said("once more", '<sound dacapo="yes"/>') + WHOLE)
    assert (marks(score, "repeat"), texts(score, "words")) == ([(4, "da capo")], [(0, 0, "once more")])


def test_of_two_coda_signs_the_first_sends_to_the_second():
    sign = direction("<coda/>")
    score = read(FOUR + WHOLE, WHOLE + sign, said("D.C. al Coda") + WHOLE, sign + WHOLE)
    assert marks(score, "repeat") == [(8, "to coda"), (12, "coda"), (12, "da capo al coda")]


def test_rehearsal_marks_words_and_fermatas():
    hold = "<notations><fermata/></notations>"
    score = parse(page([FOUR + direction("<rehearsal>B</rehearsal>") + said("dolce") + n("C4", 8) + n("D4", 8, hold)],
                       [FOUR + n("C4", 8) + n("D4", 8, hold)], [FOUR + n("C4", 8, hold) + n("rest", 8)])).score
    assert marks(score, "section") == [(0, "B")]
    assert texts(score, "words") == [(0, 0, "dolce")]
    assert marks(score, "fermata") == [(0, "2"), (2, "")]


def test_chord_symbols():
    def harmony(step, kind, more="", text=""):
        return f'<harmony><root><root-step>{step}</root-step></root><kind text="{text}">{kind}</kind>{more}</harmony>'

    flat_nine = "<degree><degree-value>9</degree-value><degree-alter>-1</degree-alter>" \
                "<degree-type>add</degree-type></degree>"
    bass = "<bass><bass-step>E</bass-step><bass-alter>-1</bass-alter></bass>"
    score = read(FOUR + harmony("C", "major") + harmony("G", "dominant", flat_nine + bass + "<offset>8</offset>")
                 + WHOLE, "<harmony><kind>none</kind></harmony>" + WHOLE)
    assert score.chords == (Chord(0, "C"), Chord(960, "G7b9/Eb"), Chord(1920, "N"))
    reading = parse(page([FOUR + "<harmony><kind>major</kind></harmony>" + WHOLE]))
    assert reading.repairs == {"chord symbols without a root left out": 1}


def test_lyrics_of_several_verses():
    def lyric(text, syllabic="single", number="1", more=""):
        return f'<lyric number="{number}"><syllabic>{syllabic}</syllabic><text>{text}</text>{more}</lyric>'

    elided = "<elision/><syllabic>single</syllabic><text>e</text>"
    score = read(FOUR + n("C4", 4, lyric("A", "begin") + lyric("O", number="2")) + n("D4", 4, lyric("men", "end"))
                 + n("E4", 4, lyric("la", more="<extend/>")) + n("F4", 4, lyric("si", more=elided)))
    assert texts(score, "lyric") == [(0, 0, "A-"), (1, 0, "men"), (2, 0, "la_"), (3, 0, "si‿e")]
    assert texts(score, "lyric 2") == [(0, 0, "O")]


def test_titles_and_names():
    head = "<work><work-title>Six Songs</work-title></work><movement-title>Dawn\n song</movement-title>" \
           '<identification><creator type="composer">A. B.</creator><creator type="poet">C. D.</creator>' \
           "<rights>CC0</rights></identification>" \
           "<credit><credit-type>arranger</credit-type><credit-words>E. F.</credit-words></credit>"
    score = read(FOUR + WHOLE, head=head)
    assert set(score.texts) == {Text(0, -1, "title", "Dawn song"), Text(0, -1, "subtitle", "Six Songs"),
                                Text(0, -1, "composer", "A. B."), Text(0, -1, "lyricist", "C. D."),
                                Text(0, -1, "arranger", "E. F."), Text(0, -1, "copyright", "CC0")}
    assert read(FOUR + WHOLE, head="<work><work-title>One</work-title></work>").texts == (Text(0, -1, "title", "One"),)


def test_chord_symbols_apart_only_on_the_paper_share_the_time() -> None:
    harmony = "<harmony relative-x='9'><root><root-step>{}</root-step></root><kind>major</kind></harmony>"
    note = "<note><pitch><step>C</step><octave>4</octave></pitch><duration>4</duration></note>"
    bars = (f'<measure number="1"><attributes><divisions>1</divisions></attributes>{harmony.format("C")}'
            f'{harmony.format("F")}{note}</measure><measure number="2">{harmony.format("G")}{note}</measure>')
    data = ('<score-partwise><part-list><score-part id="P1"><part-name/></score-part></part-list>'
            f'<part id="P1">{bars}</part></score-partwise>').encode()
    score = parse(data).score
    assert [(chord.tick / 480, chord.symbol) for chord in score.chords] == [(0, "C"), (2, "F"), (4, "G")]
