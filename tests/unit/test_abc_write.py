"""ABC written: what is read back is what is kept, on small pieces, drawn ones, damaged ones and real music."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from bench_modules import bench
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento import formats
from partimento.formats import abc_read, abc_write
from partimento.score import Chord, Key, Mark, Meter, Score, Tempo, Text, Track

fuzz = bench("fuzz_abc")


def written(body: str, head: str = "M:4/4\nL:1/4\nK:C\n") -> str:
    """What the writer makes of a tune."""
    return abc_write.dumps(abc_read.parse(f"X:1\n{head}{body}\n".encode()).score).decode()


def music(body: str, head: str = "M:4/4\nL:1/4\nK:C\n") -> list[str]:
    """Its lines after the key."""
    text = written(body, head)
    return text[text.index("\nK:"):].splitlines()[2:]


def check(score: Score) -> Score:
    """The law: what is read back is what is kept, nothing had to be mended, and keeping twice is keeping once."""
    kept = abc_write.keep(score)
    again = abc_read.parse(abc_write.dumps(score))
    assert again.score == kept
    assert not again.repairs
    return kept


@pytest.mark.parametrize("body", [
    "C D E F|G8-|G4|]", "|:C4|[1D4:|[2E4||F4|]", "C4::D4:|", "^F F f =f|_B4-|B4|", "(3CDE (3:2:2F2G [CEG]2-|[CEG]4|",
    "{de}c2 {/g}[ce]2|{a}", '"Am7"A2 "D/F#"d2|"^dolce"c4|', "!p!C2 !f!D2|!fermata!E4|", "C4 & E2 F2|G4|",
    "!segno!C4|D4!fine!|E4!D.S.alfine!|]", "C D E F|\nw:one two- three_\nw:* 2 _ |", "[M:3/4]C3|[K:Eb]E3|[Q:1/4=60]E3|",
    "C|C4|C3:|C|C4|C3|]", "C5|C4|C2|", "C4|C5|C4|", "C/D/4E/4F C//D//E/ G|", "z2 C2|Z2|C4|", "C4||\nP:B\nD4.|E4[|]F4|]",
    'C2 z "G7"z|"C"z4|', "C4|\nW:a\nW:b\nW:\nW:c"])
def test_a_tune_read_and_written_is_the_same(body: str) -> None:
    score = abc_read.parse(f"X:1\nT:Title\nC:Words: W\nS:there\nM:4/4\nL:1/4\nQ:1/4=90\nK:C\n{body}\n".encode()).score
    assert check(score) == score
    assert abc_read.parse(abc_write.dumps(score)).score.extras["abc"] == score.extras["abc"]


def test_voices_staves_and_parts_come_back() -> None:
    tune = ('X:1\nT:Voices\n%%score (S A) {R | L} [X Y]\nM:3/4\nL:1/4\nV:S name="Choir" snm="Ch."\nV:A\n'
            "V:R name=Piano\nV:L clef=bass\nV:X\nV:Y clef=perc\nK:Ab\n[V:S]c2d|e3|\nw:la- la la\n[V:A]A3|z3|\n"
            "[V:R]\n%%MIDI program 6\n[Ace]3|z3|\n[V:L]A,,3|A,,3|\n[V:X]z3|=B3|\n[V:Y]\n%%MIDI channel 10\nC,,2 =D,,|"
            "z3|\n")
    score = abc_read.parse(tune.encode()).score
    assert check(score) == score
    text = abc_write.dumps(score).decode()
    assert "%%score (1 2) {3 | 4} [5 6]\n" in text
    assert ('V:1 clef=treble name="Choir" snm="Ch."\nV:2 clef=treble\nV:3 clef=treble name="Piano"\n'
            "V:4 clef=bass\n") in text
    assert "V:3\n%%MIDI program 6\n" in text
    assert "V:6\n%%MIDI channel 10\nC,,4 =D,,2|z6|\n" in text


def test_the_page_is_one_that_other_programs_read() -> None:
    text = written("C/D/E/F/ G2|", "T:A tune\nC:me\nM:C|\nL:1/4\nQ:\"Allegro\" 1/4=100\nK:F#m\n")
    assert text == ('%abc-2.1\nX:1\nT:A tune\nC:me\nM:C|\nL:1/8\nQ:"Allegro" 1/4=100\nK:F#m\nCDEF G4|\n')
    assert music("C4|\nM:3/4\nK:D\nF3|") == ["C8|", "M:3/4", "K:D", "F6|"]


def test_accidentals_are_shown_so_that_no_program_reads_them_another_way() -> None:
    assert music("^F F f F|") == ["^F2 F2 =f2 ^F2|"]
    assert music("^F4-|F2 F2|") == ["^F8-|^F4 =F4|"]
    assert music("=B B B2|B4|", "M:4/4\nL:1/4\nK:F\n") == ["=B2 B2 B4|B8|"]


def test_words_that_have_signs_of_abc_in_them_survive() -> None:
    title = 'A "50%" \\ tune & \\\'e &eacute; [x]'
    score = Score(onset=[0, 480, 960], duration=[480, 480, 960], pitch=[60, 62, 64], velocity=[80] * 3, track=[0] * 3,
                  texts=(Text(0, -1, "title", title), Text(0, -1, "text", "one\n\ntwo % three"),
                         Text(0, -1, "tempo", "A \\ %"), Text(0, 0, "lyric", "a*b|c~d_e%"),
                         Text(480, 0, "lyric", "two words-"), Text(960, 0, "lyric", "-"),
                         Text(0, 0, "words", 'Fine "x" [y]'), Text(0, 0, "words", "D.C.")),
                  tracks=(Track('Name "of" %1'),), chords=(Chord(0, "C"), Chord(480, "weird thing")),
                  marks=(Mark(960, "section", "B [2]"),), voice=[1, 1, 1])
    kept = check(score)
    found = {(t.kind, t.text) for t in kept.texts}
    assert {("title", title), ("lyric", "a*b|c~d_e%"), ("lyric", "two words-"), ("lyric", "-"), ("words", "D.C."),
            ("text", "one\ntwo % three"), ("words", "weird thing"), ("words", "Fine 'x' (y)")} <= found
    assert kept.tracks[0].name == "Name 'of' %1"
    assert Mark(960, "section", "B (2)") in kept.marks


def test_chord_symbols_cut_a_note_and_other_signs_do_not() -> None:
    score = Score(onset=[0], duration=[1920], pitch=[60], velocity=[80], track=[0], voice=[1],
                  chords=(Chord(0, "C"), Chord(960, "G7")), texts=(Text(480, 0, "dynamic", "p"),), keys=(Key(0, 0),))
    assert abc_write.dumps(score).decode().splitlines()[-1] == '"C"!p!C4- "G7"C4|'
    kept = check(score)
    assert kept.duration.tolist() == [1920]
    assert kept.chords == score.chords


def test_notes_that_double_a_pitch_go_to_voices_of_their_own() -> None:
    score = Score(onset=[0, 0, 480], duration=[960, 960, 960], pitch=[60, 60, 60], velocity=[80] * 3, track=[0] * 3,
                  voice=[1, 1, 1], staff=[1, 1, 1])
    kept = check(score)
    assert kept.voice is not None
    assert sorted(kept.voice.tolist()) == [1, 2, 3]


def test_what_abc_has_not_is_left_out_and_said_so() -> None:
    score = Score(onset=[0], duration=[1920], pitch=[60], velocity=[33], track=[0], voice=[1], keys=(Key(0, 1, ""),),
                  marks=(Mark(0, "phrase", "x"),), texts=(Text(0, -1, "text", 'settings {"a": 1}'),))
    kept = check(score)
    assert kept.velocity.tolist() == [80]
    assert kept.keys == (Key(0, 1, "major"),)
    assert not kept.texts
    assert not [mark for mark in kept.marks if mark.kind == "phrase"]


def test_a_score_of_nothing_is_written() -> None:
    assert check(Score()).n_bars == 1
    assert check(Score(tracks=(Track("A"), Track("B", 40)), end=1920)).n_bars == 1


@st.composite
def _scores(draw: st.DrawFn) -> Score:
    """Written music of one or two tracks: notes on a grid, two voices, changes of meter and key."""
    notes = draw(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8), st.integers(30, 90), st.integers(0, 1),
                                    st.integers(1, 2), st.integers(0, 2)), min_size=1, max_size=25))
    table = [(onset * 120, length * 120 if not grace else 0, pitch, 80, track, voice, 1, grace)
             for onset, length, pitch, track, voice, grace in notes if length or grace]
    columns = ("onset", "duration", "pitch", "velocity", "track", "voice", "staff", "grace")
    made: dict[str, Any] = {name: [row[i] for row in table] for i, name in enumerate(columns)}
    at = st.integers(0, 30).map(lambda step: step * 240)
    return Score(**made, end=8 * 960, tracks=(Track(), Track("B", 40)),
                 meters=(Meter(0, draw(st.sampled_from([2, 3, 4])), 4), Meter(draw(st.integers(1, 6)) * 960, 6, 8)),
                 keys=tuple(Key(draw(at), fifths) for fifths in draw(st.lists(st.integers(-7, 7), max_size=2))),
                 tempos=tuple(Tempo(draw(at), us) for us in draw(st.lists(st.integers(200_000, 900_000), max_size=2))),
                 texts=tuple(Text(draw(at), draw(st.integers(-1, 1)), kind, words) for kind, words in draw(st.lists(
                     st.tuples(st.sampled_from(["lyric", "lyric 3", "words", "dynamic", "tempo"]),
                               st.sampled_from(["p", "la-", "go_", "x y", "%\\", "ff"])), max_size=8))),
                 marks=tuple(Mark(draw(st.integers(0, 8)) * 960, kind, text) for kind, text in draw(st.lists(
                     st.sampled_from([("repeat", "start"), ("repeat", "end"), ("repeat", "ending 1"),
                                      ("repeat", "fine"), ("repeat", "ending stop"), ("barline", "double"),
                                      ("fermata", ""), ("section", "A"), ("repeat", "da capo"), ("repeat", "coda"),
                                      ("repeat", "end 3")]), max_size=6))))


@given(_scores())
@settings(max_examples=40)
def test_drawn_music_comes_back_as_it_is_kept(score: Score) -> None:
    check(score)


@given(st.integers(0, 2**32))
@settings(max_examples=10)
def test_a_tune_damaged_gives_music_or_one_error(seed: int) -> None:
    for data in islice(fuzz.mutations(random.Random(seed), [text.encode() for text in fuzz.SEEDS]), 8):
        fuzz.check(data)


@given(st.binary(max_size=200))
def test_any_bytes_give_music_or_one_error(data: bytes) -> None:
    fuzz.check(b"X:1\nK:C\n" + data)


@pytest.mark.parametrize(("name", "count"), [("open_hymnal", 5), ("nottingham", 15)])
def test_real_tunes_keep_every_note_and_bar(name: str, count: int, music: Callable[[str], Path]) -> None:
    paths = sorted(music(name).rglob("*.abc"))
    tunes = [tune for path in random.Random(1).sample(paths, min(len(paths), 5)) for tune in
             abc_read.tunes(path.read_bytes())]
    for tune in random.Random(2).sample(tunes, count):
        score = abc_read.parse(tune).score
        kept = check(score)
        assert kept.notes().tolist() == score.notes().tolist()
        assert kept.bar_starts.tolist() == score.bar_starts.tolist()


@pytest.mark.parametrize("name", ["mutopia_midi", "openewld"])
def test_music_of_other_kinds_comes_back_as_it_is_kept(name: str, music: Callable[[str], Path]) -> None:
    paths = sorted(path for path in music(name).rglob("*") if path.suffix in (".mid", ".mxl"))
    for path in random.Random(3).sample(paths, 3):
        check(formats.read(path))
