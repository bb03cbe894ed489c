"""Humdrum **kern in: columns, lengths, pitches, ties, repeats, words, and what is mended."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from bench_modules import bench
from hypothesis import given
from hypothesis import strategies as st
from readings import marks, rows

from partimento.errors import ReadError
from partimento.formats import kern_read
from partimento.formats.kern_parts import staves_of
from partimento.formats.kern_token import Tokens
from partimento.notation.play import order_of_bars
from partimento.score import Key, Mark, Meter, Score, Text, Track

fuzz = bench("fuzz_kern")


def kern(*lines: str) -> bytes:
    """A file from lines whose columns are parted by two spaces or more."""
    return "\n".join("\t".join(part for part in line.split("  ") if part) for line in (*lines, "")).encode()


def read(*lines: str) -> Score:
    reading = kern_read.parse(kern(*lines))
    assert not reading.repairs, reading.repairs
    return reading.score


def test_pitches_and_spellings():
    score = read("**kern", "4CC", "4C", "4c", "4cc#", "4ee-", "4f##", "4B--", "4gnX", "*-")
    assert score.pitch.tolist() == [36, 48, 60, 73, 75, 67, 57, 67]
    assert score.spelling.tolist() == [15, 15, 15, 22, 12, 28, 6, 16]


@pytest.mark.parametrize(("word", "quarters"), [
    ("4", 1), ("8.", 0.75), ("2..", 3.5), ("1", 4), ("0", 8), ("00", 16), ("3%2", 8 / 3), ("12", 1 / 3), ("40%3", 0.3)])
def test_lengths(word, quarters):
    assert rows(kern_read.parse(kern("**kern", f"{word}c", "*-")).score)[0][1] == pytest.approx(quarters, abs=1e-4)


def test_lengths_are_exact():
    score = read("**kern", "*M2/4", "*", "=1", "12c", "12d", "12e", "20c", "20d", "20e", "20f", "20g", "=", "*-")
    assert score.ticks_per_quarter % 15 == 0
    assert score.end == 2 * score.ticks_per_quarter


def test_one_part_of_two_staves_and_voices():
    score = read("**kern  **kern", "*part1  *part1", "*staff2  *staff1", "*clefF4  *clefG2", "*M4/4  *M4/4", "=1  =1",
                 "*  *^", "1C  4e  2c", ".  4f  .", ".  2g  4d", ".  .  4B", "*  *v  *v", "=2  =2", "1D  1a", "==  ==",
                 "*-  *-")
    assert len(score.tracks) == 1
    by_voice = {(int(staff), int(voice)) for staff, voice in zip(score.staff, score.voice, strict=True)}
    assert by_voice == {(1, 1), (1, 2), (2, 3)}
    assert rows(score) == [(0, 4, 48), (0, 2, 60), (0, 1, 64), (1, 1, 65), (2, 1, 62), (2, 2, 67), (3, 1, 59),
                           (4, 4, 50), (4, 4, 69)]
    assert score.extras["notation"]["clefs"] == [[0, 0, 1, "G2"], [0, 0, 2, "F4"]]


def test_parts_from_the_top_with_names_and_programs():
    score = read("**kern  **kern  **kern", "*Ipiano  *Ipiano  *Ivioln", '*I"Piano  *I"Piano  *I"[Violine]',
                 "*I'Pf.  *I'Pf.  *I'Vl.", "1C  1c  1g", "*-  *-  *-")
    assert score.tracks == (Track("Violine", 40), Track("Piano", 0))
    assert score.track.tolist() == [0, 1, 1]
    assert score.extras["notation"]["abbreviations"] == {"0": "Vl.", "1": "Pf."}


def test_four_hands_are_two_parts():
    facts = {number: {"code": "piano"} for number in range(4)}
    assert [part.spines for part in staves_of(range(4), facts, "")] == [(3, 2), (1, 0)]


def test_columns_change_places_come_and_go():
    score = read("**kern  **kern", "4c  4g", "*x  *x", "4g  4c", "*  *+", "*  *  **kern", "4a  4d  4f", "*-  *-  *-")
    assert {(row[0], row[2]) for row in rows(score)} == {(0, 60), (0, 67), (1, 60), (1, 67), (2, 69), (2, 62), (2, 65)}
    assert {int(p) for p, track in zip(score.pitch, score.track, strict=True) if track == 2} == {60, 62}
    assert len(score.tracks) == 3


def test_ties_join_within_and_between_voices():
    score = read("**kern", "*M2/4", "=1", "2[c 2e", "=2", "4c_ 4f", "4c]", "=3", "*-")
    assert rows(score) == [(0, 4, 60), (0, 2, 64), (2, 1, 65)]
    crossed = read("**kern  **kern", "*part1  *part1", "4[c  4r", "4r  4c]", "*-  *-")
    assert rows(crossed) == [(0, 2, 60)]


def test_a_tie_over_other_notes_holds_the_first():
    assert rows(read("**kern", "8[c", "8[e", "4g 4c] 4e]", "*-")) == [(0, 2, 60), (0.5, 1.5, 64), (1, 1, 67)]


def test_grace_notes():
    score = read("**kern  **kern", "*part1  *part1", ".  8qg", "2C  4c", ".  8qqd", ".  8qqe", ".  4f", "*-  *-")
    graces = [(int(o), int(p), int(g)) for o, p, g in zip(score.onset, score.pitch, score.grace, strict=True) if g]
    assert graces == [(0, 67, 101), (480, 62, 1), (480, 64, 2)]
    assert rows(score)[-1] == (1, 1, 65)
    tied = read("**kern", "[8qc", "4c]", "*-")
    assert tied.grace.tolist() == [1 + 100, 0]


def test_notes_of_another_staff():
    score = read("**kern  **kern", "*part1  *part1", "4c>  4c<yy", "4d/>  4d", "*-  *-", "!!!RDF**kern: > = above",
                 "!!!RDF**kern: < = below")
    staves = {(int(p), int(v)): int(s) for p, v, s in zip(score.pitch, score.voice, score.staff, strict=True)}
    assert sorted(staves.values()) == [1, 1, 2, 2]
    assert score.staff[0] != score.voice[0]
    silent = read("**kern  **kern", "*part1  *part1", "4c>  4c", "*-  *-")
    assert sorted(silent.staff.tolist()) == [1, 2]


def test_meters_keys_and_pickup():
    score = read("**kern", "*k[f#c#]", "*D:", "*M3/4", "*met(c)", "4A", "=1", "2.d", "=2", "*k[]", "*a:", "*M4/4",
                 "*met(c)", "1e", "=3", "*M2/2", "*met(c|)", "1e", "==", "*-")
    assert score.has_pickup
    assert score.meters == (Meter(0, 3, 4), Meter(480, 3, 4), Meter(1920, 4, 4), Meter(3840, 2, 2))
    assert score.keys == (Key(0, 2, "major"), Key(1920, 0, "minor"))
    assert marks(score, "meter") == [(4, "common"), (8, "cut")]
    assert marks(score, "barline") == [(12, "final")]


def test_a_key_that_disagrees_has_no_mode():
    assert read("**kern", "*k[]", "*d:", "4d", "*-").keys == (Key(0, 0, ""),)


def test_notes_that_go_over_a_bar_line():
    score = read("**kern  **kern", "*M2/4  *M2/4", "=1  =1", "4C  4r", "4C  2c", "=2  =2", "4C  .", "4C  4d", "=3  =3",
                 "*-  *-")
    assert (1, 2, 60) in rows(score)
    assert score.bar_starts.tolist() == [0, 960, 1920]


def test_repeats_and_endings():
    score = read("**kern", "*>[A,A1,A,A1,A,A2,B]", "*M2/4", "*>A", "=1!|:", "2c", "=2", "*>A1", "2d", "=3:|!", "*>A2",
                 "2e", "=4||", "*>B", "2f", "==", "*-")
    assert marks(score) == [(0, "start"), (2, "ending 1,2"), (4, "end"), (4, "ending 3"), (4, "ending stop"),
                            (6, "ending stop")]
    assert [bar for bar, _ in order_of_bars(score)] == [0, 1, 0, 1, 0, 2, 3]


def test_an_order_of_playing_makes_signs():
    verses = read("**kern", "*>[A,A,A,B]", "*M2/4", "*>A", "=1", "2c", "=2", "*>B", "2d", "==", "*-")
    assert [bar for bar, _ in order_of_bars(verses)] == [0, 0, 0, 1]
    fine = read("**kern", "*>[A,B,A]", "*M2/4", "*>A", "=1", "2c", "=2", "*>B", "2d", "==", "*-")
    assert marks(fine) == [(2, "fine"), (4, "da capo al fine")]
    assert [bar for bar, _ in order_of_bars(fine)] == [0, 1, 0]
    segno = read("**kern", "*>[A,B,C,B,D]", "*M2/4", "*>A", "=1", "2c", "=2", "*>B", "2d", "=3", "*>C", "2e", "=4",
                 "*>D", "2f", "==", "*-")
    assert [bar for bar, _ in order_of_bars(segno)] == [0, 1, 2, 1, 3]


def test_an_order_that_no_signs_say_is_told():
    reading = kern_read.parse(kern("**kern", "*>[A,B,A,B,A]", "*>A", "4c", "=2", "*>B", "4d", "=3", "*-"))
    assert "more than one jump back" in reading.notices[0]


def test_words_of_jumps_win():
    score = read("**kern", "*M2/4", "=1", "!LO:TX:a:t=[segno]", "2c", "=2", "2d", "!LO:TX:b:t=Fine", "=3", "2e",
                 "!LO:TX:b:t=D.S. al Fine", "==", "*-")
    assert marks(score) == [(0, "segno"), (4, "fine"), (6, "dal segno al fine")]


def test_tempos_by_number_and_word():
    score = read("!!!OMD: Allegro", "**kern", "*M2/4", "=1", "2c", "=2", "!!!OMD: Lento. [half]=40", "2d", "=3",
                 "*MM90", "2e", "=4", "!LO:TX:a:t=a tempo", "2e", "*-")
    assert [(t.tick, round(t.bpm)) for t in score.tempos] == [(0, 132), (960, 80), (1920, 90), (2880, 90)]
    assert [text.text for text in score.texts if text.kind == "tempo"] == ["Allegro", "Lento. 𝅗𝅥=40", "a tempo"]


def test_dynamics_lyrics_and_directions():
    score = read("**kern  **dynam  **text  **text", "4c  p  Al-  Da-", "4d  .  -le-  _", "4e  sf  -lu  -_",
                 "!LO:TX:a:i:t=dolce  !  !  !", "4f  ff <  ja_  .", "*-  *-  *-  *-")
    assert score.velocity.tolist() == [49, 49, 112, 112]
    assert [(t.tick, t.kind, t.text) for t in score.texts] == [
        (0, "dynamic", "p"), (0, "lyric", "Al-"), (0, "lyric 2", "Da-"), (480, "lyric", "le-"), (960, "dynamic", "sf"),
        (960, "lyric", "lu"), (1440, "dynamic", "ff"), (1440, "lyric", "ja_"), (1440, "words", "dolce")]


def test_records_are_texts():
    score = read("!!!COM: Last, First", "!!!OTL: Song", "!!!LYR: Poet", "!!!YEC: (c) 2022", "!!!YEM: CC BY 4.0",
                 "**kern", "4c", "*-", "!!!ENC: Someone")
    found = {(text.kind, text.text) for text in score.texts}
    assert found == {("composer", "First Last"), ("title", "Song"), ("lyricist", "Poet"), ("copyright", "(c) 2022"),
                     ("copyright", "CC BY 4.0"), ("text", "ENC: Someone")}
    assert all(isinstance(text, Text) and text.track == -1 for text in score.texts)


def test_chord_symbols():
    score = read("**kern  **mxhm", "4c  C major", "4d  A- dominant/E-", "4e  F# half-diminished", "*-  *-")
    assert [chord.symbol for chord in score.chords] == ["C", "Ab7/Eb", "F#m7b5"]


def test_transposing_parts_sound():
    clarinet = read("**kern", "*ITrd1c2", "*k[]", "4c", "*-")
    assert clarinet.pitch.tolist() == [60]
    assert clarinet.extras["notation"]["transpose"] == {"0": [-1, -2, 0]}
    written = read("**kern", "*Trd1c2", "*k[f#c#]", "4d", "*-")
    assert (written.pitch.tolist(), written.spelling.tolist(), written.keys) == ([60], [15], (Key(0, 0, ""),))


def test_fermatas_of_all_and_of_some():
    score = read("**kern  **kern", "4c;  4e;", "4d  4f;", "4r;  4g", "*-  *-")
    assert marks(score, "fermata") == [(0, ""), (1, "0"), (2, "1")]
    assert all(isinstance(mark, Mark) for mark in score.marks)


def test_rests_hidden_or_placed_are_time_only():
    assert rows(read("**kern", "4rgg", "4ryy", "4ccyy", "*-")) == [(2, 1, 72)]


@pytest.mark.parametrize(("word", "pitches", "fault"), [
    ("4cdc", [84], "notes of two letters read as one"), ("4B/4e", [59, 64], "notes without a space"),
    ("4#G", [56], ""), ("20", [], "tokens without a pitch"), ("c", [60], "notes without a length")])
def test_mistyped_tokens(word, pitches, fault):
    token = Tokens().parse(word)
    assert [head.pitch for head in token.heads] == pitches
    assert token.fault.startswith(fault)
    assert bool(token.fault) == bool(fault)


def test_broken_lines_are_counted_or_named():
    reading = kern_read.parse(kern("**kern  **kern", "4c  4e", "4d", "4e  4g", "*-  *-"))
    assert reading.repairs == {"lines with a wrong number of columns": 1}
    assert kern_read.parse(b"**kern\t\t**kern\n*-\t*-\n".replace(b"\t\t", b"\t")).score.tracks
    with pytest.raises(ReadError, match="line 3 has 1"):
        kern_read.parse(kern("**kern  **kern", "4c  4e", "*^", "*-  *-"))
    with pytest.raises(ReadError, match=r"\*\*kern column"):
        kern_read.parse(b"**text\nla\n*-\n")
    with pytest.raises(ReadError, match="line 1 has notes"):
        kern_read.parse(b"4c\n")
    with pytest.raises(ReadError, match="at most 2 notes"):
        kern_read.parse(kern("**kern", "4c", "4c", "4c", "*-"), max_notes=2)


def test_columns_of_two_staves_joined_by_mistake():
    reading = kern_read.parse(kern("**kern  **kern", "*part1  *part1", "*  *^", "4C  4c  4e", "*v  *v  *", "*v  *v",
                                   "4D", "*-"))
    assert reading.repairs["columns of different staves joined"] == 2


def test_a_voice_too_long_for_its_bar():
    reading = kern_read.parse(kern("**kern  **kern", "*M2/4  *M2/4", "=1  =1", "2C  4c", ".  8d", "=2  =2", "2D  2e",
                                   "==  ==", "*-  *-"))
    assert reading.repairs == {"bars whose voices end apart": 1}
    assert reading.score.bar_starts.tolist() == [0, 960, 1920]


def test_lengths_too_fine_for_any_clock():
    reading = kern_read.parse(kern("**kern", *(f"{number}c" for number in (7, 11, 13, 17, 19, 23, 29, 31)), "*-"))
    assert len(reading.score) == 8
    assert "times finer than the clock rounded" in reading.repairs


@given(st.binary(max_size=200))
def test_any_bytes(data):
    fuzz.check(kern_read.parse, data)
    fuzz.check(kern_read.parse, b"**kern\t**kern\n" + data)


WORDS = ["4c", "8qd", ".", "*^", "*v", "*-", "*", "=1", "[2e", "2e]", "4r", "*+", "*x"]


@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), max_size=20))
def test_any_columns(lines):
    fuzz.check(kern_read.parse, ("**kern\t**kern\n" + "\n".join("\t".join(line) for line in lines)).encode())


@given(st.integers(0, 2**32))
def test_a_whole_file_damaged(seed):
    _, corpus, splices = fuzz.READERS["kern"]
    for data in islice(fuzz.mutations(random.Random(seed), corpus, splices), 20):
        fuzz.check(kern_read.parse, data)


@pytest.mark.parametrize("name", ["chopin_first_editions", "polish_piano"])
def test_real_music(music, name):
    files = sorted(music(name).rglob("*.krn"))
    for place in random.Random(0).sample(files, 12):
        score = kern_read.parse(place.read_bytes()).score
        assert len(score) > 50
        assert score.spelling is not None
        assert (score.spelling >= 0).all()
        assert {text.kind for text in score.texts} >= {"title", "composer"}
