"""Names of pitches, keys, chords, meters and instruments: from a person's words to numbers and back."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from partimento.errors import RequestError, nearest
from partimento.score import Chord, Track

SHARP_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLAT_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"#": 1, "b": -1, "x": 2}
_SIGNS = str.maketrans({"♯": "#", "♭": "b", "–": "-", "−": "-", "—": "-"})

MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
MINOR_SCALE = (0, 2, 3, 5, 7, 8, 9, 10, 11)   # natural, with the raised sixth and seventh of melodic and harmonic minor

MIN_TEMPO, MAX_TEMPO = 4.0, 960.0              # quarter notes a minute


# --- pitches ---------------------------------------------------------------------------------------------------


def pitch_name(pitch: int, fifths: int = 0) -> str:
    """Return the name of a MIDI pitch 0–127, middle C (60) being C4; flats where the key signature has flats.

    >>> pitch_name(60), pitch_name(54), pitch_name(54, fifths=-5)
    ('C4', 'F#3', 'Gb3')
    """
    if not 0 <= pitch <= 127:
        raise RequestError(f"a pitch must be a whole number from 0 to 127; got {pitch}")
    return f"{(FLAT_NAMES if fifths < 0 else SHARP_NAMES)[pitch % 12]}{pitch // 12 - 1}"


def note_name(pitch: int, fifths: int = 0, mode: str = "major") -> str:
    """Return the name of a MIDI pitch 0–127 as it is spelt in a key: five fifths flatter to six sharper than its tonic.

    `fifths` is the key signature. So the leading tone is the raised seventh, of minor keys too; no name has two flats.

    >>> note_name(61, -1, "minor"), note_name(61, -5), note_name(65, 3, "minor"), note_name(71, -6)
    ('C#4', 'Db4', 'E#4', 'Cb5')
    """
    if not 0 <= pitch <= 127:
        raise RequestError(f"a pitch must be a whole number from 0 to 127; got {pitch}")
    tonic = fifths + (3 if mode == "minor" else 0)
    place = tonic - 5 + (pitch * 7 - tonic + 5) % 12        # on the line of fifths, C at 0
    place += 12 * (place < -8)
    alter = (place + 1) // 7
    return f"{'FCGDAEB'[(place + 1) % 7]}{'#' * alter}{'b' * -alter}{(pitch - alter) // 12 - 1}"


def parse_pitch(text: str) -> int:
    """Return the MIDI pitch 0–127 of a name such as ``F#3`` or ``Bb4``; a bare number is taken as it is.

    >>> parse_pitch("C4"), parse_pitch("F#3"), parse_pitch("60")
    (60, 54, 60)
    """
    word = text.strip().translate(_SIGNS)
    found = re.fullmatch(r"([A-Ga-g])([#bx]{0,2})(-?\d)", word)
    if found:
        pitch = _pitch_class(found[1].upper(), found[2], wrap=False) + 12 * (int(found[3]) + 1)
    else:
        pitch = int(word) if re.fullmatch(r"\d{1,3}", word, re.ASCII) else -1
    if not 0 <= pitch <= 127:
        raise RequestError(f"a pitch must be a letter A to G, then # or b if wanted, then an octave, from C-1 to G9; "
                           f"got {text!r}: write for example 'F#3' (middle C is C4)")
    return pitch


def _pitch_class(letter: str, accidentals: str, wrap: bool = True) -> int:
    value = LETTERS[letter] + sum(_ACCIDENTALS[sign] for sign in accidentals)
    return value % 12 if wrap else value


# --- keys ------------------------------------------------------------------------------------------------------


class KeyName(NamedTuple):
    """A key by name: the pitch class of its tonic (0 = C … 11 = B) and ``major`` or ``minor``."""

    tonic: int
    mode: str = "major"


_MODES = {"": "major", "major": "major", "maj": "major", "dur": "major",
          "minor": "minor", "min": "minor", "m": "minor", "moll": "minor"}


def parse_key(text: str) -> KeyName:
    """Return the key that a person named: ``E minor``, ``Em``, ``Bb``, ``F# major``, ``A flat major``.

    >>> parse_key("E minor"), parse_key("Bb")
    (KeyName(tonic=4, mode='minor'), KeyName(tonic=10, mode='major'))
    """
    word = text.strip().translate(_SIGNS)
    found = re.fullmatch(r"([A-Ga-g])\s*-?(#|b|sharp|flat)?\s*-?([A-Za-z]*)", word)
    mode = None
    if found:
        mode = "major" if found[3] == "M" else _MODES.get(found[3].lower())
    if not found or mode is None:
        raise RequestError(f"a key must be a letter A to G, then # or b if wanted, then major or minor; "
                           f"got {text!r}: write for example 'F# minor'")
    sign = {"sharp": "#", "flat": "b"}.get(found[2] or "", found[2] or "")
    return KeyName(_pitch_class(found[1].upper(), sign), mode)


def fifths(tonic: int, mode: str = "major") -> int:
    """Return the key signature, flats −, sharps +: the fewest signs, and of two with six F# major and Eb minor.

    >>> fifths(4, "minor"), fifths(10), fifths(6)
    (1, -2, 6)
    """
    return ((tonic + 3) * 7 + 6) % 12 - 6 if mode == "minor" else (tonic * 7 + 5) % 12 - 5


def from_fifths(fifths: int, mode: str = "major") -> KeyName:
    """Return the key whose signature has that many sharps (+) or flats (−), from −7 to 7.

    >>> from_fifths(1, "minor"), from_fifths(-3)
    (KeyName(tonic=4, mode='minor'), KeyName(tonic=3, mode='major'))
    """
    if not -7 <= fifths <= 7:
        raise RequestError(f"a key signature must have from -7 (flats) to 7 (sharps); got {fifths}")
    minor = mode == "minor"
    return KeyName((fifths * 7 + (9 if minor else 0)) % 12, "minor" if minor else "major")


def key_name(tonic: int, mode: str = "major") -> str:
    """Return the name of a key as musicians write it, so that ``parse_key(key_name(*key)) == key``.

    >>> key_name(4, "minor"), key_name(*parse_key("A# major"))
    ('E minor', 'Bb major')
    """
    return f"{(FLAT_NAMES if fifths(tonic, mode) < 0 else SHARP_NAMES)[tonic % 12]} {mode}"


def scale(tonic: int, mode: str = "major") -> frozenset[int]:
    """Return the pitch classes of a key; minor holds the natural degrees and the raised sixth and seventh.

    >>> sorted(scale(9, "minor"))
    [0, 2, 4, 5, 6, 7, 8, 9, 11]
    """
    return frozenset((tonic + step) % 12 for step in (MINOR_SCALE if mode == "minor" else MAJOR_SCALE))


# --- chords ----------------------------------------------------------------------------------------------------


class ChordName(NamedTuple):
    """A chord by its pitch classes: root and bass (−1 where there is no chord) and the set of its tones."""

    root: int
    tones: frozenset[int]
    bass: int


NO_CHORD = ChordName(-1, frozenset(), -1)

_TRIADS = {"": (4, 7), "maj": (4, 7), "Maj": (4, 7), "M": (4, 7), "Δ": (4, 7), "min": (3, 7), "mi": (3, 7), "m": (3, 7),
           "-": (3, 7), "dim": (3, 6), "°": (3, 6), "o": (3, 6), "ø": (3, 6), "aug": (4, 8), "+": (4, 8)}
_CHANGES = {"b9": (13,), "#9": (15,), "#11": (18,), "b13": (20,), "add9": (14,), "add2": (14,), "add11": (17,),
            "add4": (17,), "add13": (21,)}
_CHANGE = r"\(?(?:sus2|sus4|sus|add(?:9|2|11|4|13)|[b#-]5|b9|#9|#11|b13|no3|no5)\)?"
_CHORD = re.compile(r"([A-G])(#|b)?(maj|Maj|M(?!aj)|min|mi|m(?!aj)|-(?!5)|dim|aug|Δ|°|ø|o|\+|)"
                    rf"(\(?(?:maj|Maj|M)7\)?|69|6/9|5|6|7|9|11|13|)((?:{_CHANGE},?)*)(?:/([A-G])(#|b)?)?")


def parse_chord(text: str) -> ChordName:
    """Return root, tones and bass of a chord symbol: ``Am7/C``, ``F#dim``, ``Bbmaj9``, ``G7sus4``; ``N`` is no chord.

    >>> chord = parse_chord("Am7/C")
    >>> chord.root, sorted(chord.tones), chord.bass
    (9, [0, 4, 7, 9], 0)
    >>> sorted(parse_chord("N.C.").tones)
    []
    """
    word = text.strip().translate(_SIGNS)
    if word in ("N", "NC", "N.C.", "N.C"):
        return NO_CHORD
    found = _CHORD.fullmatch(word)
    if not found:
        raise RequestError(f"a chord must be a root A to G, then # or b, a quality and /bass if wanted; "
                           f"got {text!r}: write for example 'Am7', 'F#dim' or 'C/E' ('N' for none)")
    letter, sign, quality, number, changes, bass_letter, bass_sign = found.groups("")
    root = _pitch_class(letter, sign)
    tones = {0, *_TRIADS[quality], *_upper(quality, number)}
    if number == "5":
        tones = {0, 7}
    for change in re.findall(r"sus2|sus4|sus|add\d+|[b#-]\d+|no\d", changes):
        if change.startswith("sus"):
            tones = tones - {3, 4} | {2 if change == "sus2" else 5}
        elif change in ("b5", "-5", "#5"):
            tones = tones - {6, 7, 8} | {8 if change == "#5" else 6}
        elif change.startswith("no"):
            tones -= {3, 4} if change == "no3" else {6, 7, 8}
        else:
            tones |= set(_CHANGES[change])
            if change in ("b9", "#9"):
                tones -= {14}
    bass = _pitch_class(bass_letter, bass_sign) if bass_letter else root
    return ChordName(root, frozenset((root + tone) % 12 for tone in tones) | {bass}, bass)


def _upper(quality: str, number: str) -> tuple[int, ...]:
    """The sixth, seventh and higher tones that a number after a triad's quality adds, in semitones over the root."""
    if quality == "ø":
        return (10, 14) if number == "9" else (10,)
    if number.strip("()") in ("maj7", "Maj7", "M7"):
        return (11,)
    seventh = 11 if quality in ("maj", "Maj", "M", "Δ") else 9 if quality in ("dim", "°", "o") else 10
    if quality == "Δ" and not number:
        return (11,)
    return {"6": (9,), "69": (9, 14), "6/9": (9, 14), "7": (seventh,), "9": (seventh, 14),
            "11": (seventh, 14, 17), "13": (seventh, 14, 21)}.get(number, ())


def parse_chords(text: str, n_bars: int) -> list[tuple[str, ...]]:
    """Return the chord symbols of each of `n_bars` bars, cycled: one a bar, or bar by bar where ``|`` ends a bar.

    >>> parse_chords("Am F C", 4)
    [('Am',), ('F',), ('C',), ('Am',)]
    >>> parse_chords("Am F | C | G Em", 3)
    [('Am', 'F'), ('C',), ('G', 'Em')]
    """
    words = text.replace(",", " ")
    groups = [tuple(part.split()) for part in words.split("|")] if "|" in words else [(w,) for w in words.split()]
    bars = [group for group in groups if group]
    if not bars:
        raise RequestError(f"chords must hold at least one symbol; got {text!r}: write for example 'Am F C G'")
    for group in bars:
        for symbol in group:
            parse_chord(symbol)
    return [bars[i % len(bars)] for i in range(n_bars)]


def place_chords(bars: Sequence[Sequence[str]], bar_starts: Sequence[int]) -> tuple[Chord, ...]:
    """Return the chords of each bar at their ticks, equally spaced; `bar_starts` has the end of the last bar too.

    >>> place_chords([("Am", "F"), ("C",)], [0, 1920, 3840])
    (Chord(tick=0, symbol='Am'), Chord(tick=960, symbol='F'), Chord(tick=1920, symbol='C'))
    """
    placed = []
    for symbols, start, stop in zip(bars, bar_starts[:-1], bar_starts[1:], strict=True):
        placed += [Chord(int(start + (stop - start) * i // len(symbols)), symbol) for i, symbol in enumerate(symbols)]
    return tuple(placed)


# --- meter, tempo, bars ----------------------------------------------------------------------------------------


def parse_meter(text: str) -> tuple[int, int]:
    """Return (numerator, denominator) of a time signature; the denominator is a power of two.

    >>> parse_meter("3/4")
    (3, 4)
    """
    found = re.fullmatch(r"\s*(\d{1,3})\s*/\s*(\d{1,3})\s*", text, re.ASCII)
    top, bottom = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= top <= 64 or bottom not in (1, 2, 4, 8, 16, 32, 64):
        raise RequestError(f"a meter must be 1 to 64 over 1, 2, 4, 8, 16, 32 or 64; got {text!r}: "
                           "write for example '3/4'")
    return top, bottom


def parse_tempo(text: str | float) -> float:
    """Return a tempo in quarter notes a minute, from 4 to 960.

    >>> parse_tempo("92"), parse_tempo("92.5 bpm")
    (92.0, 92.5)
    """
    try:
        tempo = float(re.sub(r"\s*bpm\s*$", "", str(text), flags=re.IGNORECASE))
    except ValueError:
        tempo = math.nan
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise RequestError(f"a tempo must be {MIN_TEMPO:g} to {MAX_TEMPO:g} quarter notes a minute; got {text!r}: "
                           "write for example 92")
    return tempo


# --- instruments -----------------------------------------------------------------------------------------------

# General MIDI Level 1 programs: name, lowest and highest sounding pitch that the instrument plays, and the part of
# that range where most of its music lies. Synthetic sounds have the range of a keyboard part.
_INSTRUMENTS: tuple[tuple[str, int, int, int, int], ...] = (
    ("Acoustic Grand Piano", 21, 108, 36, 84), ("Bright Acoustic Piano", 21, 108, 36, 84),
    ("Electric Grand Piano", 21, 108, 36, 84), ("Honky-tonk Piano", 21, 108, 36, 84),
    ("Electric Piano 1", 28, 103, 36, 84), ("Electric Piano 2", 28, 103, 36, 84),
    ("Harpsichord", 29, 89, 36, 84), ("Clavinet", 29, 88, 36, 76),
    ("Celesta", 60, 108, 60, 96), ("Glockenspiel", 79, 108, 79, 103),
    ("Music Box", 60, 96, 60, 91), ("Vibraphone", 53, 89, 55, 84),
    ("Marimba", 45, 96, 48, 84), ("Xylophone", 65, 108, 67, 98),
    ("Tubular Bells", 60, 77, 60, 77), ("Dulcimer", 50, 86, 55, 81),
    ("Drawbar Organ", 36, 96, 40, 81), ("Percussive Organ", 36, 96, 40, 81),
    ("Rock Organ", 36, 96, 40, 81), ("Church Organ", 24, 108, 36, 84),
    ("Reed Organ", 36, 96, 40, 81), ("Accordion", 41, 93, 53, 84),
    ("Harmonica", 60, 96, 60, 84), ("Tango Accordion", 41, 93, 53, 84),
    ("Acoustic Guitar (nylon)", 40, 83, 40, 76), ("Acoustic Guitar (steel)", 40, 84, 40, 76),
    ("Electric Guitar (jazz)", 40, 86, 40, 79), ("Electric Guitar (clean)", 40, 86, 40, 79),
    ("Electric Guitar (muted)", 40, 86, 40, 76), ("Overdriven Guitar", 40, 88, 40, 81),
    ("Distortion Guitar", 40, 88, 40, 81), ("Guitar Harmonics", 52, 98, 52, 88),
    ("Acoustic Bass", 28, 67, 28, 55), ("Electric Bass (finger)", 28, 67, 28, 55),
    ("Electric Bass (pick)", 28, 67, 28, 55), ("Fretless Bass", 28, 67, 28, 55),
    ("Slap Bass 1", 28, 67, 28, 55), ("Slap Bass 2", 28, 67, 28, 55),
    ("Synth Bass 1", 24, 72, 28, 55), ("Synth Bass 2", 24, 72, 28, 55),
    ("Violin", 55, 105, 55, 88), ("Viola", 48, 91, 48, 79),
    ("Cello", 36, 83, 36, 69), ("Contrabass", 28, 67, 28, 55),
    ("Tremolo Strings", 28, 100, 40, 84), ("Pizzicato Strings", 28, 96, 40, 84),
    ("Orchestral Harp", 24, 103, 36, 91), ("Timpani", 36, 60, 40, 57),
    ("String Ensemble 1", 28, 103, 40, 84), ("String Ensemble 2", 28, 103, 40, 84),
    ("Synth Strings 1", 28, 103, 40, 84), ("Synth Strings 2", 28, 103, 40, 84),
    ("Choir Aahs", 40, 84, 43, 79), ("Voice Oohs", 40, 84, 43, 79),
    ("Synth Voice", 40, 84, 43, 79), ("Orchestra Hit", 36, 84, 48, 72),
    ("Trumpet", 54, 86, 55, 82), ("Trombone", 40, 77, 41, 70),
    ("Tuba", 26, 65, 29, 58), ("Muted Trumpet", 54, 86, 55, 82),
    ("French Horn", 34, 77, 41, 72), ("Brass Section", 36, 86, 41, 79),
    ("Synth Brass 1", 36, 88, 41, 81), ("Synth Brass 2", 36, 88, 41, 81),
    ("Soprano Sax", 56, 91, 58, 85), ("Alto Sax", 49, 82, 51, 78),
    ("Tenor Sax", 44, 76, 46, 72), ("Baritone Sax", 36, 69, 38, 65),
    ("Oboe", 58, 93, 60, 86), ("English Horn", 52, 81, 54, 77),
    ("Bassoon", 34, 77, 36, 67), ("Clarinet", 50, 94, 52, 84),
    ("Piccolo", 74, 108, 76, 103), ("Flute", 59, 98, 60, 93),
    ("Recorder", 60, 98, 65, 91), ("Pan Flute", 60, 96, 60, 88),
    ("Blown Bottle", 55, 91, 60, 84), ("Shakuhachi", 50, 91, 55, 84),
    ("Whistle", 60, 98, 62, 91), ("Ocarina", 57, 90, 60, 84),
    ("Lead 1 (square)", 36, 96, 48, 84), ("Lead 2 (sawtooth)", 36, 96, 48, 84),
    ("Lead 3 (calliope)", 36, 96, 48, 84), ("Lead 4 (chiff)", 36, 96, 48, 84),
    ("Lead 5 (charang)", 36, 96, 48, 84), ("Lead 6 (voice)", 36, 96, 48, 84),
    ("Lead 7 (fifths)", 36, 96, 48, 84), ("Lead 8 (bass + lead)", 24, 96, 36, 84),
    ("Pad 1 (new age)", 36, 96, 43, 81), ("Pad 2 (warm)", 36, 96, 43, 81),
    ("Pad 3 (polysynth)", 36, 96, 43, 81), ("Pad 4 (choir)", 36, 96, 43, 81),
    ("Pad 5 (bowed)", 36, 96, 43, 81), ("Pad 6 (metallic)", 36, 96, 43, 81),
    ("Pad 7 (halo)", 36, 96, 43, 81), ("Pad 8 (sweep)", 36, 96, 43, 81),
    ("FX 1 (rain)", 36, 96, 43, 84), ("FX 2 (soundtrack)", 36, 96, 43, 84),
    ("FX 3 (crystal)", 36, 96, 48, 91), ("FX 4 (atmosphere)", 36, 96, 43, 84),
    ("FX 5 (brightness)", 36, 96, 43, 84), ("FX 6 (goblins)", 36, 96, 43, 84),
    ("FX 7 (echoes)", 36, 96, 43, 84), ("FX 8 (sci-fi)", 36, 96, 43, 84),
    ("Sitar", 48, 77, 48, 72), ("Banjo", 48, 84, 50, 79),
    ("Shamisen", 50, 79, 50, 74), ("Koto", 43, 84, 50, 79),
    ("Kalimba", 48, 84, 55, 79), ("Bagpipe", 36, 81, 55, 79),
    ("Fiddle", 55, 105, 55, 88), ("Shanai", 48, 84, 55, 79),
    ("Tinkle Bell", 60, 96, 72, 91), ("Agogo", 48, 84, 60, 79),
    ("Steel Drums", 52, 88, 55, 81), ("Woodblock", 48, 84, 60, 79),
    ("Taiko Drum", 36, 72, 40, 60), ("Melodic Tom", 36, 72, 40, 64),
    ("Synth Drum", 36, 72, 40, 64), ("Reverse Cymbal", 48, 72, 55, 67),
    ("Guitar Fret Noise", 36, 84, 48, 72), ("Breath Noise", 36, 84, 48, 72),
    ("Seashore", 36, 84, 48, 72), ("Bird Tweet", 48, 96, 60, 84),
    ("Telephone Ring", 48, 96, 60, 84), ("Helicopter", 36, 84, 48, 72),
    ("Applause", 36, 84, 48, 72), ("Gunshot", 36, 84, 48, 72),
)

INSTRUMENT_NAMES: tuple[str, ...] = tuple(row[0] for row in _INSTRUMENTS)

# General MIDI Level 1 percussion map: what each key of a drum kit sounds.
DRUM_NAMES: dict[int, str] = dict(enumerate((
    "Acoustic Bass Drum", "Bass Drum 1", "Side Stick", "Acoustic Snare", "Hand Clap", "Electric Snare", "Low Floor Tom",
    "Closed Hi-Hat", "High Floor Tom", "Pedal Hi-Hat", "Low Tom", "Open Hi-Hat", "Low-Mid Tom", "Hi-Mid Tom",
    "Crash Cymbal 1", "High Tom", "Ride Cymbal 1", "Chinese Cymbal", "Ride Bell", "Tambourine", "Splash Cymbal",
    "Cowbell", "Crash Cymbal 2", "Vibraslap", "Ride Cymbal 2", "Hi Bongo", "Low Bongo", "Mute Hi Conga",
    "Open Hi Conga", "Low Conga", "High Timbale", "Low Timbale", "High Agogo", "Low Agogo", "Cabasa", "Maracas",
    "Short Whistle", "Long Whistle", "Short Guiro", "Long Guiro", "Claves", "Hi Wood Block", "Low Wood Block",
    "Mute Cuica", "Open Cuica", "Mute Triangle", "Open Triangle"), start=35))

# Words that people use for a program, beside the General MIDI names themselves.
_ALIASES: dict[str, int] = {
    "piano": 0, "grand piano": 0, "keyboard": 0, "keys": 0, "melody": 0, "right hand": 0, "left hand": 0,
    "electric piano": 4, "rhodes": 4, "organ": 19, "pipe organ": 19, "hammond": 16, "guitar": 24, "acoustic guitar": 24,
    "nylon guitar": 24, "steel guitar": 25, "electric guitar": 27, "jazz guitar": 26, "bass": 33, "bass guitar": 33,
    "electric bass": 33, "upright bass": 32, "double bass": 43, "fretless": 35, "slap bass": 36, "synth bass": 38,
    "strings": 48, "string ensemble": 48, "synth strings": 50, "pizzicato": 45, "harp": 46, "violoncello": 42,
    "voice": 53, "vocals": 53, "choir": 52, "soprano": 52, "alto": 52, "tenor": 52, "baritone": 52, "horn": 60,
    "brass": 61, "sax": 65, "saxophone": 65, "cor anglais": 69, "lead": 80, "synth": 81, "synth lead": 80, "pad": 89,
    "vibes": 11, "bells": 14, "chimes": 14, "mandolin": 25, "lute": 24, "bandoneon": 23, "pan pipes": 75,
}
# Where a voice's own part lies; other words take the range of their program.
VOICE_RANGES: dict[str, tuple[int, int]] = {
    "soprano": (60, 81), "alto": (55, 74), "tenor": (48, 69), "baritone": (43, 64), "bass voice": (40, 62),
    "bass": (40, 62)}
_SUNG = frozenset(VOICE_RANGES) - {"bass"}
_BOWED, _BASSES, _BLOWN = range(40, 44), range(32, 40), range(56, 80)
_VOICES = frozenset(("soprano", "alto", "tenor", "bass", "voice", "vocal", "melody"))
_DRUM_WORDS = ("drums", "drum", "drum kit", "drumkit", "percussion", "kit")
_PROGRAMS: dict[str, int] = ({name.lower(): i for i, name in enumerate(INSTRUMENT_NAMES)}
                             | {**_ALIASES, "bass voice": 52})


def plays_single_notes(track: Track) -> bool:
    """Whether a track plays one note at a time: winds, bowed strings, basses and named voices.

    >>> plays_single_notes(Track("flute", 73)), plays_single_notes(Track("piano", 0))
    (True, False)
    """
    named = bool(_VOICES & set(track.name.lower().split()))
    return not track.is_drum and (named or any(track.program in kind for kind in (_BOWED, _BASSES, _BLOWN)))


def parse_instrument(text: str) -> Track:
    """Return the track for an instrument: a General MIDI name, an everyday word, ``drums`` or ``program:40``.

    A number after the name stays in the track's name: ``violin 2`` is a violin.

    >>> parse_instrument("violin"), parse_instrument("drums").is_drum, parse_instrument("program:40").name
    (Track(name='violin', program=40, is_drum=False), True, 'Violin')
    """
    name = " ".join(text.split())
    word = name.lower()
    found = re.fullmatch(r"program\s*[:=]?\s*(\d{1,3})", word, re.ASCII)
    if found:
        if int(found[1]) > 127:
            raise RequestError(f"a program must be a whole number from 0 to 127; got {text!r}: write for example "
                               "'program:40' (a violin)")
        return Track(INSTRUMENT_NAMES[int(found[1])], int(found[1]))
    for candidate in (word, re.sub(r"\s*\d+$", "", word)):
        if candidate in _DRUM_WORDS:
            return Track(name, 0, True)
        if candidate in _PROGRAMS:
            return Track(name, _PROGRAMS[candidate])
    if not word:
        raise RequestError("an instrument must have a name; got nothing: write for example 'piano'")
    raise RequestError(_nearest_instrument(word))


def _nearest_instrument(word: str) -> str:
    message = nearest(word, [*_PROGRAMS, "drums"], "instrument")
    if "did you mean" in message:
        return message
    return (f"no instrument named {word!r}; write a General MIDI name such as 'violin', 'drums', "
            "or a program number such as 'program:40'")


def parse_tracks(text: str | Sequence[str]) -> tuple[Track, ...]:
    """Return one track for each name in a comma-separated list; a name said twice is numbered.

    Beside other voices a bass is one that sings.

    >>> [t.name for t in parse_tracks("violin,violin,piano")]
    ['violin 1', 'violin 2', 'piano']
    >>> [t.program for t in parse_tracks("piano,bass")], [t.program for t in parse_tracks("tenor,bass")]
    ([0, 33], [52, 52])
    """
    words = text.split(",") if isinstance(text, str) else list(text)
    tracks = [parse_instrument(word) for word in words]
    if any(track.name.lower() in _SUNG for track in tracks):
        tracks = [track._replace(program=_PROGRAMS["bass voice"]) if track.name.lower() == "bass" else track
                  for track in tracks]
    if not tracks:
        raise RequestError("tracks must name at least one instrument; got none: write for example 'piano,bass,drums'")
    count = Counter(track.name.lower() for track in tracks)
    taken = {name for name, times in count.items() if times == 1}
    named: list[Track] = []
    for track in tracks:
        if count[track.name.lower()] > 1:
            number = next(i for i in range(1, len(tracks) + len(taken) + 2) if f"{track.name} {i}".lower() not in taken)
            track = track._replace(name=f"{track.name} {number}")
            taken.add(track.name.lower())
        named.append(track)
    return tuple(named)


def instrument_range(program: int, is_drum: bool = False) -> tuple[int, int]:
    """Return the lowest and highest sounding pitch that an instrument can play; a drum kit has keys 35 to 81.

    >>> instrument_range(40), instrument_range(0)
    ((55, 105), (21, 108))
    """
    return (35, 81) if is_drum else _INSTRUMENTS[_program(program)][1:3]


def comfortable_range(program: int, is_drum: bool = False) -> tuple[int, int]:
    """Return the pitches between which most music for an instrument lies, inside `instrument_range`.

    >>> comfortable_range(40)
    (55, 88)
    """
    return (35, 59) if is_drum else _INSTRUMENTS[_program(program)][3:5]


def _program(program: int) -> int:
    if not 0 <= program <= 127:
        raise RequestError(f"a program must be a whole number from 0 to 127; got {program}")
    return program


def track_range(track: Track) -> tuple[int, int]:
    """Return the pitches that a new part for `track` uses: a voice's own, else the comfortable ones.

    >>> track_range(Track("tenor", 52)), track_range(Track("violin", 40))
    ((48, 69), (55, 88))
    """
    word = re.sub(r"\s*\d+$", "", track.name.lower())
    if word in VOICE_RANGES and track.program in (52, 53, 54):
        return VOICE_RANGES[word]
    return comfortable_range(track.program, track.is_drum)
