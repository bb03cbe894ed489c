"""MusicXML out: everything a page says is written, adds up, and reads back as `keep` says."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento import formats
from partimento.formats import musicxml_read, musicxml_write
from partimento.formats.musicxml_harmony import harmony_of, symbol_of
from partimento.notation.names import spelling_of, spellings_of
from partimento.notation.ready import ready
from partimento.score import Chord, Key, Mark, Meter, Score, Tempo, Text, Track

# The order of what stands in a note, an attribute list and a bar line, as the schema of MusicXML 4.0 has it.
NOTE = ("grace", "chord", "pitch", "unpitched", "rest", "duration", "tie", "instrument", "voice", "type", "dot",
        "accidental", "time-modification", "stem", "notehead", "staff", "beam", "notations", "lyric")
ATTRIBUTES = ("divisions", "key", "time", "staves", "clef", "transpose")
ORDER = {"note": NOTE, "attributes": ATTRIBUTES, "barline": ("bar-style", "ending", "repeat"),
         "harmony": ("root", "kind", "bass", "degree"), "direction": ("direction-type", "staff", "sound"),
         "forward": ("duration", "voice", "staff"), "lyric": ("syllabic", "text", "extend")}


def written(score: Score) -> Element:
    """The root of what is written of a Score, its order and its bars checked."""
    root = ElementTree.fromstring(musicxml_write.dumps(score))
    for element in root.iter():
        if element.tag in ORDER:
            places = [ORDER[element.tag].index(child.tag) for child in element]
            assert places == sorted(places), [child.tag for child in element]
    lengths: list[set[int]] = []
    for part in root.iterfind("part"):
        for i, measure in enumerate(part.iterfind("measure")):
            lengths += [set()] * (i + 1 - len(lengths))
            lengths[i] = lengths[i] | set(filled(measure))
    assert all(len(found) == 1 for found in lengths), lengths
    return root


def filled(measure: Element) -> list[int]:
    """How far each voice of a measure goes: from each return to its beginning to the next."""
    at, out = 0, []
    for child in measure:
        duration = int(child.findtext("duration") or 0)
        if child.tag == "backup":
            out.append(at)
            at -= duration
            assert at >= 0
        elif child.tag == "forward" or (child.tag == "note" and child.find("chord") is None):
            at += duration
    return [*(end for end in out if end == max(out)), at] if out else [at]


def read_back(score: Score) -> Score:
    """What reading the written Score gives, with nothing to mend, and as `keep` says."""
    reading = musicxml_read.parse(musicxml_write.dumps(score))
    assert not reading.repairs
    kept = musicxml_write.keep(score)
    for name in ("ticks_per_quarter", "end", "meters", "tempos", "keys", "chords", "marks", "tracks", "texts"):
        assert getattr(reading.score, name) == getattr(kept, name), name
    assert reading.score == kept
    return reading.score


def song() -> Score:
    """A small written song with piano: most of what a page can say."""
    rows = [  # onset, duration, pitch, track, voice, staff, spelling, grace
        (480, 480, 61, 0, 1, 1, spelling_of("C", 1), 0), (960, 480, 64, 0, 1, 1, spelling_of("E"), 0),
        (1440, 960, 66, 0, 1, 1, spelling_of("F", 1), 0), (0, 480, 69, 0, 1, 1, spelling_of("A"), 0),
        (480, 0, 74, 1, 1, 1, spelling_of("D"), 101), (480, 1920, 62, 1, 1, 1, spelling_of("D"), 0),
        (480, 1920, 66, 1, 1, 1, spelling_of("F", 1), 0), (480, 160, 57, 1, 2, 1, spelling_of("A"), 0),
        (640, 160, 59, 1, 2, 1, spelling_of("B"), 0), (800, 160, 60, 1, 2, 1, spelling_of("B", 1), 0),
        (480, 3840, 38, 1, 3, 2, spelling_of("D"), 0), (2400, 960, 67, 1, 3, 1, spelling_of("G"), 0)]
    columns = np.array(rows).T
    names = ("onset", "duration", "pitch", "track", "voice", "staff", "spelling", "grace")
    texts = (Text(0, -1, "title", "A & <B>"), Text(0, -1, "subtitle", "for voice"), Text(0, -1, "composer", "N. N."),
             Text(0, -1, "lyricist", "M. M."), Text(0, -1, "arranger", "O."), Text(0, -1, "copyright", "CC0"),
             Text(0, -1, "tempo", "Allegro"), Text(480, 1, "dynamic", "p"), Text(2400, 1, "dynamic", "sfz"),
             Text(480, 0, "words", "dolce"), Text(0, 0, "lyric", "O"), Text(480, 0, "lyric", "Mor-"),
             Text(960, 0, "lyric", "gen_"), Text(480, 0, "lyric 2", "A-"), Text(960, 0, "lyric 2", "bend"))
    marks = (Mark(480, "repeat", "start"), Mark(2400, "repeat", "ending 1"), Mark(4320, "repeat", "end"),
             Mark(4320, "repeat", "ending stop"), Mark(4320, "repeat", "ending 2"), Mark(6240, "repeat", "ending open"),
             Mark(6240, "barline", "final"), Mark(480, "fermata", "0"), Mark(480, "section", "A"),
             Mark(480, "repeat", "segno"), Mark(4320, "repeat", "to coda"), Mark(6240, "repeat", "dal segno al coda"),
             Mark(0, "meter", "common"))
    return Score(**dict(zip(names, columns, strict=True)), velocity=[80, 80, 80, 60, *[49] * 7, 112], end=6240,
                 meters=(Meter(0, 4, 4), Meter(480, 4, 4)), tempos=(Tempo(0, 454_545), Tempo(2400, 600_000)),
                 keys=(Key(0, 2, "major"), Key(4320, -1, "minor")), chords=(Chord(480, "D"), Chord(1440, "A7/C#")),
                 marks=marks, texts=texts, tracks=(Track("Voice", 52), Track("Piano", 0)),
                 extras={"notation": {"groups": [[0, 1, "bracket", "all"]], "abbreviations": {"0": "V."},
                                      "clefs": [[0, 0, 1, "G2"], [2400, 1, 2, "C4"]]}})


def test_everything_of_a_song_survives() -> None:
    score, back = song(), read_back(song())
    assert back.ticks_per_quarter == score.ticks_per_quarter
    for name in ("onset", "duration", "pitch", "velocity", "track", "voice", "staff", "spelling", "grace"):
        assert np.array_equal(getattr(back, name), getattr(score, name)), name
    for name in ("meters", "tempos", "keys", "chords", "tracks", "end"):
        assert getattr(back, name) == getattr(score, name), name
    assert sorted(back.marks) == sorted(score.marks)
    assert sorted(back.texts) == sorted(score.texts)
    assert back.extras["notation"]["groups"] == [[0, 1, "bracket", "all"]]
    assert back.extras["notation"]["abbreviations"] == {"0": "V."}


def test_a_song_is_written_as_the_schema_has_it() -> None:
    root = written(song())
    assert root.findtext("movement-title") == "A & <B>"
    assert [credit.findtext("credit-words") for credit in root.iterfind("credit")] == [
        "A & <B>", "for voice", "N. N.", "O.", "M. M.", "CC0"]
    assert root.findtext("part-list/score-part/part-abbreviation") == "V."
    first = root.find("part/measure")
    assert first is not None
    assert (first.get("number"), first.get("implicit")) == ("0", "yes")
    assert first.find("attributes/time[@symbol='common']") is not None
    piano = root.findall("part")[1]
    assert piano.findtext("measure/attributes/staves") == "2"
    assert [note.findtext("type") for note in piano.iter("note") if note.find("grace") is not None] == ["eighth"]
    assert piano.find(".//grace[@slash='yes']") is not None
    assert len(piano.findall(".//tuplet")) == 2
    assert piano.findtext(".//time-modification/actual-notes") == "3"
    assert {tie.get("type") for tie in piano.iter("tied")} == {"start", "stop"}
    assert [note.findtext("accidental") for note in piano.iter("note") if note.findtext("pitch/step") == "B"] == [
        None, "sharp"]
    assert [repeat.get("direction") for repeat in root.findall("part")[0].iter("repeat")] == ["forward", "backward"]
    assert root.find(".//lyric[@number='2']/text") is not None
    assert root.find(".//fermata") is not None
    assert root.find(".//harmony/bass/bass-step") is not None


def test_the_zipped_file_is_the_same_bytes_each_time() -> None:
    data = musicxml_write.dumps_mxl(song())
    assert data == musicxml_write.dumps_mxl(song())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["META-INF/container.xml", "score.musicxml"]
        assert archive.read("score.musicxml") == musicxml_write.dumps(song())
    assert musicxml_read.parse(data).score == musicxml_write.keep(song())


def test_transposing_parts_sound_as_before() -> None:
    score = Score(onset=[0, 960], duration=[960, 960], pitch=[58, 63], velocity=[80] * 2, track=[0] * 2, voice=[1, 1],
                  staff=[1, 1], spelling=[spelling_of("B", -1), spelling_of("E", -1)], keys=(Key(0, -3, "major"),),
                  chords=(Chord(0, "Eb"),), tracks=(Track("Clarinet in Bb", 71),),
                  extras={"notation": {"transpose": {"0": [-1, -2, 0]}}})
    root = written(score)
    assert [note.findtext("pitch/step") for note in root.iter("note") if note.find("pitch") is not None] == ["C", "F"]
    assert root.findtext(".//key/fifths") == "-1"
    back = read_back(score)
    assert back.pitch.tolist() == [58, 63]
    assert back.keys == score.keys
    assert back.extras["notation"]["transpose"] == {"0": [-1, -2, 0]}


def test_notes_below_the_lowest_octave_are_written_an_octave_up() -> None:
    score = Score(onset=[0], duration=[1920], pitch=[3], velocity=[80], track=[0])
    root = written(score)
    assert root.findtext(".//note/pitch/octave") == "0"
    assert root.findtext(".//transpose/octave-change") == "-1"
    assert read_back(score).pitch.tolist() == [3]


def test_drums_come_back_as_the_same_sounds() -> None:
    score = Score(onset=[0, 0, 240, 480, 960], duration=[60] * 5, pitch=[36, 42, 42, 38, 79], velocity=[99] * 5,
                  track=[0] * 5, tracks=(Track("Kit", 0, True),))
    root = written(score)
    assert root.findtext(".//midi-channel") == "10"
    assert {head.text for head in root.iter("notehead")} == {"x"}
    assert read_back(score).pitch.tolist() == [36, 42, 42, 38, 79]
    assert read_back(score).velocity.tolist() == [99] * 5


def test_velocities_are_written_where_the_dynamics_do_not_say_them() -> None:
    score = Score(onset=[0, 480, 960, 1440], duration=[480] * 4, pitch=[60] * 4, velocity=[80, 49, 50, 127],
                  track=[0] * 4, texts=(Text(480, 0, "dynamic", "p"),))
    loud = [note.get("dynamics") for note in written(score).iter("note")]
    assert [value is None for value in loud] == [True, True, False, False]
    assert read_back(score).velocity.tolist() == [80, 49, 50, 127]


def test_a_lead_sheet_has_chords_above_and_words_below() -> None:
    score = Score(onset=[0, 960], duration=[960, 960], pitch=[64, 67], velocity=[80] * 2, track=[0] * 2,
                  chords=(Chord(0, "C"), Chord(480, "G7b9"), Chord(960, "N"), Chord(1200, "Am7/G"), Chord(1440, "huh")),
                  texts=(Text(0, 0, "lyric", "La"),), tracks=(Track("Melody"),))
    root = written(score)
    assert [harmony.get("placement") for harmony in root.iter("harmony")] == ["above"] * 5
    assert len(root.findall("part")) == 1
    assert root.find(".//staves") is None
    assert read_back(score).chords == score.chords


def test_a_meter_that_is_hidden_is_not_printed() -> None:
    score = Score(onset=[0], duration=[960], pitch=[60], velocity=[80], track=[0], voice=[1], staff=[1], spelling=[15],
                  meters=(Meter(0, 4, 4), Meter(1920, 5, 4), Meter(4320, 4, 4)), end=6240,
                  marks=(Mark(0, "meter", "cut"), Mark(1920, "meter", "hidden"), Mark(4320, "meter", "hidden")))
    times = list(written(score).iter("time"))
    assert [time.get("print-object") for time in times] == [None, "no", "no"]
    assert times[0].get("symbol") == "cut"
    back = read_back(score)
    assert back.meters == score.meters
    assert back.marks == score.marks


def test_words_that_xml_cannot_hold_are_made_so_that_it_can() -> None:
    score = Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0], tracks=(Track("a\x00b\n<c>\ud800"),),
                  texts=(Text(0, -1, "title", "x\x0b & \"y\""), Text(0, 0, "lyric", "]]>"), Text(0, 0, "words", " ")))
    back = read_back(score)
    assert back.tracks[0].name == "ab <c>"
    assert [text.text for text in back.texts] == ["x & \"y\"", "]]>"]


def test_words_that_are_no_words_are_no_words() -> None:
    marks = (Mark(0, "phrase", "1"), Mark(1920, "marker", "Chorus"), Mark(3841, "repeat", "start"))
    texts = (Text(0, 0, "cue", "x"), Text(0, 0, "text", "y"), Text(9, 0, "instrument", "z"), Text(0, 0, "lyric 0", "q"))
    score = Score(onset=[0], duration=[3840], pitch=[60], velocity=[80], track=[0], marks=marks, texts=texts)
    back = read_back(score)
    assert [mark for mark in back.marks if mark.kind != "barline"] == [Mark(1920, "section", "Chorus")]


@pytest.mark.parametrize("symbol", [
    "C", "F#m", "Bbm7", "Ebmaj7", "Am(maj7)", "Bdim", "C#dim7", "F#m7b5", "Gaug", "C6", "Dm6", "E9", "Fmaj9", "Am9",
    "G11", "A13", "Dsus4", "Esus2", "A7sus4", "Cadd9", "E5", "G7b9", "C7#11", "C/E", "Bb/D", "F#7/A#", "C69", "C9sus4",
    "C7#5b9", "N", "foo", "Cfoo", "CΔ", "C-7", "Cmi7", "Cmaj7#5", "C13b9", "C9#11", "Cm11b5"])
def test_a_chord_symbol_comes_back_as_it_was(symbol: str) -> None:
    assert symbol_of(*harmony_of(symbol)) == symbol


@pytest.mark.parametrize(("said", "symbol"), [
    ((("C", 0), "dominant", "7", [(9, -1, "add")], None), "C7b9"),
    ((("C", 0), "dominant", "7b9", [(9, -1, "add")], None), "C7b9"),
    ((("C", 0), "suspended-fourth", "7sus", [(7, 0, "add")], None), "C7sus"),
    ((("C", 0), "suspended-fourth", "", [(7, 0, "add")], None), "C7sus4"),
    ((("C", 0), "augmented-seventh", "7+", [], None), "Caug7"),
    ((("C", 0), "dominant", "", [(5, -1, "alter"), (9, -1, "add")], None), "C7b5b9"),
    ((("B", -2), "minor", "", [], None), "Am"),
    ((("F", 2), "minor-seventh", "", [], ("C", 0)), "Gm7/C"),
    ((("C", 0), "major", "", [(9, 0, "add")], ("E", 0)), "Cadd9/E"),
    ((("C", 0), "major", "", [], ("C", 0)), "C"),
    ((("C", 0), "maj69", "69", [(9, 0, "add")], None), "C69"),
    ((("C", 0), "Italian", "", [], None), "C"),
    ((("C", 0), "power", "", [(3, 0, "subtract")], None), "C5no3"),
    ((None, "none", "N.C.", [], None), "N"),
])
def test_a_harmony_of_any_program_gives_a_symbol(said: tuple[object, ...], symbol: str) -> None:
    assert symbol_of(*said) == symbol                            # type: ignore[arg-type]


# --- any Score --------------------------------------------------------------------------------------------------

METERS = [(4, 4), (3, 4), (6, 8), (5, 8), (2, 2), (12, 8), (7, 8), (3, 8), (5, 4), (3, 6), (15, 16), (4, 1)]


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Scores of every kind, performed and written, with everything a page can say in likely and unlikely places."""
    clock = draw(st.sampled_from([480, 96, 384, 1920, 24]))
    end = draw(st.integers(1, 5)) * 4 * clock
    count = draw(st.integers(0, 14))
    step = draw(st.sampled_from([clock // 4, clock // 3, clock // 8, 1]))
    written_out = draw(st.booleans())
    whole = st.integers(0, end // step - 1)
    tracks = draw(st.integers(1, 3))
    columns: dict[str, list[int]] = {"onset": [], "duration": [], "pitch": [], "velocity": [], "track": []}
    more: dict[str, list[int]] = {"voice": [], "staff": [], "spelling": [], "grace": []} if written_out else {}
    for _ in range(count):
        onset = draw(whole) * step
        pitch = draw(st.integers(0, 127))
        grace = draw(st.sampled_from([0] * 6 + [1, 101, 2])) if written_out else 0
        values = {"onset": onset, "duration": 0 if grace else min(draw(st.integers(0, 12)) * step, end - onset),
                  "pitch": pitch, "velocity": draw(st.integers(1, 127)), "track": draw(st.integers(0, tracks - 1)),
                  "voice": draw(st.sampled_from([1, 2, 3, -1])), "staff": draw(st.sampled_from([1, 2, -1])),
                  "spelling": draw(st.sampled_from([*spellings_of(pitch), -1])), "grace": grace}
        for name in (*columns, *more):
            (columns if name in columns else more)[name].append(values[name])
    anywhere = st.integers(0, end)
    bar = st.integers(0, end // clock).map(lambda quarter: quarter * clock)
    meters = [Meter(draw(st.one_of(st.just(0), bar, anywhere)), *draw(st.sampled_from(METERS)))
              for _ in range(draw(st.integers(0, 2)))]
    word = st.text(max_size=8) | st.sampled_from(["Allegro", "a tempo", "dolce", "D.C. al Fine", "p", "Fine", "♩ = 60"])
    kinds = ("title", "composer", "tempo", "words", "dynamic", "lyric", "lyric 2", "text", "copyright")
    texts = [Text(draw(anywhere), draw(st.integers(-1, tracks - 1)), draw(st.sampled_from(kinds)), draw(word))
             for _ in range(draw(st.integers(0, 5)))]
    texts += [Text(onset, draw(st.integers(0, tracks - 1)), draw(st.sampled_from(["lyric", "dynamic"])),
                   draw(st.sampled_from(["la", "la-", "la_", "f", "sfz"]))) for onset in columns["onset"][:3]]
    repeats = ("start", "end", "end 3", "ending 1", "ending stop", "ending open", "segno", "coda", "to coda", "fine",
               "da capo", "dal segno al fine")
    marks = [Mark(draw(bar), "repeat", draw(st.sampled_from(repeats))) for _ in range(draw(st.integers(0, 4)))]
    marks += [Mark(draw(st.one_of(bar, anywhere)), draw(st.sampled_from(["fermata", "section", "barline", "marker"])),
                   draw(st.sampled_from(["", "0", "double", "0 1", "final"]))) for _ in range(draw(st.integers(0, 3)))]
    chords = [Chord(draw(anywhere), draw(st.sampled_from(["C", "Am7", "G7b9/B", "N", "x y"]))) for _ in range(2)]
    modes = st.sampled_from(["major", "minor", ""])
    keys = [Key(draw(st.one_of(st.just(0), bar)), draw(st.integers(-7, 7)), draw(modes))
            for _ in range(draw(st.integers(0, 2)))]
    return Score(**columns, **more, ticks_per_quarter=clock, end=end, meters=tuple(meters), keys=tuple(keys),
                 tempos=tuple(Tempo(draw(anywhere), draw(st.integers(100_000, 2_000_000))) for _ in range(2)),
                 texts=tuple(texts), marks=tuple(marks), chords=tuple(chords),
                 tracks=tuple(Track(draw(st.sampled_from(["", "Piano", "Viola"])), draw(st.sampled_from([0, 41, 53])),
                                    draw(st.integers(0, 4)) == 0) for _ in range(tracks)))


@given(scores())
def test_any_score_adds_up_and_reads_back_as_keep_says(score: Score) -> None:
    written(score)
    back = read_back(score)
    assert read_back(back) == back
    made = ready(score)
    assert len(back) == len(made)
    assert Counter(zip(back.pitch.tolist(), back.track.tolist(), strict=True)) == \
        Counter(zip(made.pitch.tolist(), made.track.tolist(), strict=True))


# --- real music -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["openscore_lieder", "openscore_quartets", "openewld"])
def test_real_scores_keep_every_note_and_bar(music: Callable[[str], Path], name: str) -> None:
    files = sorted(music(name).rglob("*.mxl"), key=lambda path: path.stat().st_size)
    for path in files[50:500:90]:
        score = musicxml_read.parse(path.read_bytes()).score
        back = read_back(score)
        for column in ("onset", "duration", "pitch", "velocity", "track", "voice", "staff", "spelling"):
            assert np.array_equal(getattr(back, column), getattr(score, column)), (path.name, column)
        assert np.array_equal(back.bar_starts, score.bar_starts), path.name
        assert back.chords == score.chords


@pytest.mark.parametrize("name", ["mutopia_midi", "pop909", "groove"])
def test_real_midi_becomes_a_page_with_every_note(music: Callable[[str], Path], name: str) -> None:
    files = sorted(music(name).rglob("*.mid"), key=lambda path: path.stat().st_size)
    for path in files[20:600:200]:
        score = formats.read(path)
        written(score)
        assert len(read_back(score)) == len(score), path.name


def test_a_note_without_length_just_before_the_end_makes_no_bar_of_its_own() -> None:
    score = Score(onset=[0, 7633], duration=[480, 0], pitch=[60, 60], velocity=[80, 80], track=[0, 0],
                  voice=[1, 1], staff=[1, 1], ticks_per_quarter=384, end=7680)
    assert read_back(score).n_bars == 5
