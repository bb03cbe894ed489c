import pytest

from partimento import theory
from partimento.errors import RequestError
from partimento.score import Track


def test_every_pitch_name_reads_back():
    for pitch in range(128):
        assert theory.parse_pitch(theory.pitch_name(pitch)) == pitch
        assert theory.parse_pitch(theory.pitch_name(pitch, fifths=-3)) == pitch
    assert theory.parse_pitch("Cb4") == 59
    assert theory.parse_pitch("B#3") == 60
    assert theory.parse_pitch("C-1") == 0


@pytest.mark.parametrize("bad", ["H4", "C", "A9", "128", "", "Cb-1", "-1"])
def test_bad_pitches_are_refused_in_one_sentence(bad):
    with pytest.raises(RequestError, match="a pitch must be") as caught:
        theory.parse_pitch(bad)
    assert "\n" not in str(caught.value)


def test_every_key_name_reads_back_and_signatures_agree():
    for tonic in range(12):
        for mode in ("major", "minor"):
            assert theory.parse_key(theory.key_name(tonic, mode)) == (tonic, mode)
            signature = theory.fifths(tonic, mode)
            assert -6 <= signature <= 6
            assert theory.from_fifths(signature, mode) == (tonic, mode)
    assert theory.key_name(3, "minor") == "Eb minor"
    assert theory.from_fifths(-7) == (11, "major")
    assert theory.from_fifths(7, "minor") == (10, "minor")


@pytest.mark.parametrize(("text", "tonic", "mode"), [
    ("Em", 4, "minor"), ("E minor", 4, "minor"), ("Bb", 10, "major"), ("F# major", 6, "major"), ("e MINOR", 4, "minor"),
    ("A flat major", 8, "major"), ("C sharp minor", 1, "minor"), ("G♭", 6, "major"), ("CM", 0, "major"),
    ("bb minor", 10, "minor"), ("D maj", 2, "major"), ("F#min", 6, "minor"), ("B", 11, "major")])
def test_keys_as_people_write_them(text, tonic, mode):
    assert theory.parse_key(text) == (tonic, mode)


@pytest.mark.parametrize("bad", ["H sharp", "", "E dorian", "12", "E minor minor"])
def test_bad_keys_are_refused_with_an_example(bad):
    with pytest.raises(RequestError, match="write for example 'F# minor'"):
        theory.parse_key(bad)


def test_scales():
    assert theory.scale(0) == {0, 2, 4, 5, 7, 9, 11}
    assert theory.scale(4, "minor") == {4, 6, 7, 9, 11, 0, 2, 1, 3}


@pytest.mark.parametrize(("symbol", "tones"), [
    ("C", {0, 4, 7}), ("Cm", {0, 3, 7}), ("Cdim", {0, 3, 6}), ("C+", {0, 4, 8}), ("Csus2", {0, 2, 7}),
    ("Csus4", {0, 5, 7}), ("Csus", {0, 5, 7}), ("C6", {0, 4, 7, 9}), ("Cm6", {0, 3, 7, 9}), ("C7", {0, 4, 7, 10}),
    ("Cmaj7", {0, 4, 7, 11}), ("CM7", {0, 4, 7, 11}), ("CΔ", {0, 4, 7, 11}), ("Cm7", {0, 3, 7, 10}),
    ("C-7", {0, 3, 7, 10}), ("CmMaj7", {0, 3, 7, 11}), ("Cm(maj7)", {0, 3, 7, 11}), ("Cdim7", {0, 3, 6, 9}),
    ("C°7", {0, 3, 6, 9}), ("Cm7b5", {0, 3, 6, 10}), ("Cø", {0, 3, 6, 10}), ("Cø7", {0, 3, 6, 10}),
    ("C9", {0, 4, 7, 10, 2}), ("Cmaj9", {0, 4, 7, 11, 2}), ("Cm9", {0, 3, 7, 10, 2}), ("Cadd9", {0, 4, 7, 2}),
    ("C7sus4", {0, 5, 7, 10}), ("C11", {0, 4, 7, 10, 2, 5}), ("C13", {0, 4, 7, 10, 2, 9}), ("C5", {0, 7}),
    ("C6/9", {0, 4, 7, 9, 2}), ("C7b9", {0, 4, 7, 10, 1}), ("C7#9", {0, 4, 7, 10, 3}), ("C7#11", {0, 4, 7, 10, 6}),
    ("C7#5", {0, 4, 8, 10}), ("Caug7", {0, 4, 8, 10}), ("C7(b9)", {0, 4, 7, 10, 1}), ("C6/9/E", {0, 4, 7, 9, 2}),
    ("N", set()), ("N.C.", set())])
def test_chord_tones(symbol, tones):
    assert theory.parse_chord(symbol).tones == tones


def test_chords_move_with_their_root_and_carry_their_bass():
    assert theory.parse_chord("Am7/C") == (9, {9, 0, 4, 7}, 0)
    assert theory.parse_chord("F#dim") == (6, {6, 9, 0}, 6)
    assert theory.parse_chord("Bb") == (10, {10, 2, 5}, 10)
    assert theory.parse_chord("C/D") == (0, {0, 4, 7, 2}, 2)


@pytest.mark.parametrize("bad", ["H7", "Cfoo", "", "C/", "C/H", "am", "C77", "7"])
def test_bad_chords_are_refused_in_one_sentence(bad):
    with pytest.raises(RequestError, match="a chord must be a root"):
        theory.parse_chord(bad)


def test_chords_of_bars():
    assert theory.parse_chords("Am F C G", 6) == [("Am",), ("F",), ("C",), ("G",), ("Am",), ("F",)]
    assert theory.parse_chords("Am F | C G", 3) == [("Am", "F"), ("C", "G"), ("Am", "F")]
    assert theory.parse_chords("| Am | F |", 2) == [("Am",), ("F",)]
    with pytest.raises(RequestError, match="at least one symbol"):
        theory.parse_chords(" | ", 4)
    with pytest.raises(RequestError, match="a chord must be"):
        theory.parse_chords("Am X", 4)


def test_meters_and_tempos():
    assert theory.parse_meter("12/8") == (12, 8)
    for bad in ("4/5", "0/4", "65/4", "4", "4/128", "-3/4", "x"):
        with pytest.raises(RequestError, match="a meter must be"):
            theory.parse_meter(bad)
    assert theory.parse_tempo(120) == 120.0
    for bad in ("3", "nan", "inf", "fast", "-5", ""):
        with pytest.raises(RequestError, match="a tempo must be"):
            theory.parse_tempo(bad)


def test_instruments_have_names_and_sensible_ranges():
    assert len(theory.INSTRUMENT_NAMES) == len(set(theory.INSTRUMENT_NAMES)) == 128
    for program, name in enumerate(theory.INSTRUMENT_NAMES):
        assert theory.parse_instrument(name) == Track(name, program)
        low, high = theory.instrument_range(program)
        low_comfort, high_comfort = theory.comfortable_range(program)
        assert 0 <= low <= low_comfort
        assert high_comfort <= high <= 127
        assert high_comfort - low_comfort >= 12, name
    assert theory.INSTRUMENT_NAMES[40] == "Violin"
    assert theory.INSTRUMENT_NAMES[73] == "Flute"
    assert theory.INSTRUMENT_NAMES[127] == "Gunshot"
    assert theory.DRUM_NAMES[38] == "Acoustic Snare"
    assert theory.DRUM_NAMES[81] == "Open Triangle"


@pytest.mark.parametrize(("word", "program"), [
    ("piano", 0), ("Bass", 33), ("strings", 48), ("flute", 73), ("guitar", 24), ("voice", 53), ("soprano", 52),
    ("organ", 19), ("program:40", 40), ("violin 2", 40), ("cello", 42), ("trumpet", 56)])
def test_everyday_words(word, program):
    assert theory.parse_instrument(word).program == program
    assert not theory.parse_instrument(word).is_drum


def test_track_lists():
    tracks = theory.parse_tracks("piano, bass, drums")
    assert [(t.name, t.program, t.is_drum) for t in tracks] == [
        ("piano", 0, False), ("bass", 33, False), ("drums", 0, True)]
    assert [t.name for t in theory.parse_tracks("violin 1, violin, violin")] == ["violin 1", "violin 2", "violin 3"]
    assert [t.name for t in theory.parse_tracks(["violin 2", "violin 2"])] == ["violin 2 1", "violin 2 2"]
    with pytest.raises(RequestError, match="did you mean 'violin'"):
        theory.parse_tracks("voilin")
    with pytest.raises(RequestError, match="General MIDI name"):
        theory.parse_instrument("zzzzzz")
    for bad in ("", "piano,,bass", "program:200"):
        with pytest.raises(RequestError):
            theory.parse_tracks(bad)
