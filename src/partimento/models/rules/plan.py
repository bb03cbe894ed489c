"""What the parts of the rules family hand to one another: phrases of a form, and harmonies named by Roman numerals.

A Roman numeral says a chord in a key. The case of its letters is the quality of the triad (``IV`` major, ``ii`` minor,
``vii°`` diminished, ``viiø7`` half-diminished, ``III+`` augmented), figures are those of thorough bass (``6``, ``64``,
``7``, ``65``, ``43``, ``42``; ``9`` adds a major ninth to the seventh; ``maj7`` and ``maj9`` have a major seventh
wherever they stand), ``b`` and ``#`` shift the root, and what follows a stroke is the key it is heard in: ``V65/V``.
Degrees of minor are those of its natural scale, but ``vii°`` stands on the leading tone. ``N6`` is the Neapolitan,
``It6``, ``Ger6``, ``Fr6`` the augmented sixths.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from partimento.errors import ModelError
from partimento.theory import MAJOR_SCALE, fifths, parse_chord

CADENCES = ("PAC", "IAC", "HC", "DC", "PC")    # perfect and imperfect authentic, half, deceptive, plagal
NATURAL_MINOR = (0, 2, 3, 5, 7, 8, 10)
_NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII")
_ROMAN = re.compile(r"([b#]?)(VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)([°ø+]?)(maj7|maj9|64|65|43|42|6|7|9|)")
_PLACE = {"": 0, "6": 1, "64": 2, "7": 0, "maj7": 0, "9": 0, "maj9": 0,         # which chord tone the bass has
          "65": 1, "43": 2, "42": 3}
_FUNCTIONS = {1: "T", 2: "S", 3: "T", 4: "S", 5: "D", 6: "T", 7: "D"}
_SIXTHS = {"N6": ((1, 5, 8), 5), "It6": ((8, 0, 6), 8), "Ger6": ((8, 0, 3, 6), 8), "Fr6": ((8, 0, 2, 6), 8)}
_QUALITIES = {(0, 4, 7): "", (0, 3, 7): "m", (0, 3, 6): "dim", (0, 4, 8): "aug", (0, 4, 7, 10): "7",
              (0, 4, 7, 11): "maj7", (0, 3, 7, 10): "m7", (0, 3, 6, 9): "dim7", (0, 3, 6, 10): "m7b5",
              (0, 3, 7, 11): "m(maj7)", (0, 4, 8, 10): "7#5", (0, 4, 6, 10): "7b5", (0, 4, 10): "7no5",
              (0, 4, 8, 11): "maj7#5", (0, 7): "5", (0, 5, 7): "sus4", (0, 2, 7): "sus2", (0, 5, 7, 10): "7sus4",
              (0, 4, 7, 9): "6", (0, 3, 7, 9): "m6", (0, 2, 4, 7): "add9", (0, 2, 4, 7, 10): "9",
              (0, 2, 4, 7, 11): "maj9", (0, 2, 3, 7, 10): "m9", (0,): "no3no5"}
_LINE = ("Fb", "Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#",
         "E#", "B#")


class Phrase(NamedTuple):
    """A phrase of a form: its label, first bar (from 0) and length in bars, how it closes, its key, what it repeats.

    `cadence` is one of CADENCES, empty where none is wanted, or ``?`` where any will do, in the key of the phrase or
    one near to it (as over a given melody); `tonic` a pitch class and `mode` ``major`` or ``minor``; `repeats` the
    index of the phrase that it repeats or varies, −1 where it is new.
    """

    label: str
    first_bar: int
    bars: int
    cadence: str = ""
    tonic: int = 0
    mode: str = "major"
    repeats: int = -1


class Slot(NamedTuple):
    """A stretch of time that takes one chord: its ticks, how strong its beat is (0–1, 1 a downbeat), its phrase.

    `arrival` marks where the cadence of the phrase arrives; what follows it in the phrase holds that chord. A phrase
    in which no slot is marked arrives in its last.
    """

    start: int
    end: int
    accent: float = 1.0
    phrase: int = 0
    arrival: bool = False


class RomanChord(NamedTuple):
    """A chord from `start` to `end` (ticks) in the local key `tonic` (pitch class) and `mode`.

    `degree` is its Roman numeral there, `pitches` its pitch classes from the root up, `bass` the pitch class of the
    lowest voice, and `function` ``T`` (tonic), ``S`` (predominant) or ``D`` (dominant).
    """

    start: int
    end: int
    tonic: int
    mode: str
    degree: str
    pitches: tuple[int, ...]
    bass: int
    function: str

    @property
    def root(self) -> int:
        """The pitch class of the root."""
        return self.pitches[0]

    @property
    def place(self) -> int:
        """The inversion: which of `pitches` is in the bass, 0 where it is the root or none of them."""
        return self.pitches.index(self.bass) if self.bass in self.pitches else 0


def bar_slots(phrases: Sequence[Phrase], bar_starts: Sequence[int], per_bar: int = 1) -> list[Slot]:
    """Return `per_bar` equal slots for every bar of the phrases; `bar_starts` (ticks) has the end of the last bar too.

    A cadence arrives with the first slot of the last bar of its phrase, in a phrase of one bar with the last.

    >>> [slot.start for slot in bar_slots([Phrase("A", 0, 2)], [0, 1920, 3840], 2)]
    [0, 960, 1920, 2880]
    """
    out: list[Slot] = []
    for index, phrase in enumerate(phrases):
        for bar in range(phrase.first_bar, phrase.first_bar + phrase.bars):
            start, stop = int(bar_starts[bar]), int(bar_starts[bar + 1])
            last = bar == phrase.first_bar + phrase.bars - 1
            for k in range(per_bar):
                accent = 1.0 if k == 0 else 0.6 if per_bar % 2 == 0 and 2 * k == per_bar else 0.3
                arrival = last and k == (per_bar - 1 if phrase.bars == 1 else 0)
                out.append(Slot(start + (stop - start) * k // per_bar, start + (stop - start) * (k + 1) // per_bar,
                                accent, index, arrival))
    return out


class Numeral(NamedTuple):
    """What a Roman numeral says over a tonic of 0: pitch classes from the root up, bass, function, the key it is of.

    `leading` is the pitch class that leads (the third of a dominant, the root of a ``vii°``), −1 where none does;
    `home` the pitch class it leads to; both count from the tonic of the whole.
    """

    pitches: tuple[int, ...]
    bass: int
    function: str
    leading: int
    home: int


@cache
def numeral(degree: str, mode: str = "major") -> Numeral:
    """Return what a Roman numeral says in a key of that mode, counted from the tonic; ModelError where it says none.

    >>> numeral("V65/V").pitches, numeral("V65/V").bass
    ((2, 6, 9, 0), 6)
    >>> numeral("vii°7", "minor").pitches
    (11, 2, 5, 8)
    >>> numeral("ii9").pitches, numeral("Imaj9").pitches
    ((2, 5, 9, 0, 4), (0, 4, 7, 11, 2))
    """
    if degree in _SIXTHS:
        pitches, bass = _SIXTHS[degree]
        return Numeral(pitches, bass, "S", 6 if degree != "N6" else -1, 7)
    own, stroke, target = degree.partition("/")
    if stroke:
        over = numeral(target, mode)
        third = (over.pitches[1] - over.pitches[0]) % 12 if len(over.pitches) > 1 else 4
        inner = numeral(own, "minor" if third == 3 else "major")
        by = over.pitches[0]
        return Numeral(tuple((p + by) % 12 for p in inner.pitches), (inner.bass + by) % 12, inner.function,
                       (inner.leading + by) % 12 if inner.leading >= 0 else -1, (inner.home + by) % 12)
    found = _ROMAN.fullmatch(own)
    if not found:
        raise ModelError(f"a degree must be a Roman numeral with figures, as V7, ii65 or V65/V; got {degree!r}")
    sign, letters, quality, figure = found.groups()
    step = _NUMERALS.index(letters.upper()) + 1
    root = (MAJOR_SCALE if mode == "major" else NATURAL_MINOR)[step - 1]
    if mode == "minor" and step == 7 and quality in ("°", "ø"):
        root = 11
    root = (root + {"": 0, "b": -1, "#": 1}[sign]) % 12
    upper = letters.isupper()
    tones: tuple[int, ...] = (0, 4, 7) if upper else (0, 3, 7)
    if quality:
        tones = (0, 4, 8) if quality == "+" else (0, 3, 6)
    if figure in ("7", "65", "43", "42", "9", "maj7", "maj9"):
        wide = not sign and step in ((1, 4) if mode == "major" else (1, 3, 6)) and upper
        tones = (*tones, 11 if figure.startswith("maj") or wide else 9 if quality == "°" else 10)
    if figure.endswith("9"):
        tones = (*tones, 2)
    pitches = tuple((root + tone) % 12 for tone in tones)
    leads = 11 if 11 in pitches and step in (5, 7, 3) and (step != 3 or quality == "+") and upper | (step == 7) else -1
    function = _FUNCTIONS[step] if not (step == 5 and not upper) else "T"
    if (mode == "minor" and step == 7 and root == 10) or sign:
        function = "S"
    if step == 1 and figure == "64":
        function = "D"
    return Numeral(pitches, pitches[_PLACE[figure]], function, leads, 0)


def roman_chord(start: int, end: int, tonic: int, mode: str, degree: str) -> RomanChord:
    """Return the RomanChord of a Roman numeral in a key, from tick `start` to `end`.

    >>> roman_chord(0, 480, 7, "major", "V7").pitches
    (2, 6, 9, 0)
    """
    said = numeral(degree, mode)
    return RomanChord(start, end, tonic % 12, mode, degree, tuple((p + tonic) % 12 for p in said.pitches),
                   (said.bass + tonic) % 12, said.function)


def chord_of_symbol(start: int, end: int, tonic: int, mode: str, symbol: str) -> RomanChord | None:
    """Return the RomanChord of a chord symbol heard in a key; None for ``N``, no chord.

    >>> chord_of_symbol(0, 480, 0, "major", "D7/F#").degree
    'V65/V'
    """
    name = parse_chord(symbol)
    if not name.tones:
        return None
    upper = tuple(sorted((tone - name.root) % 12 for tone in name.tones if tone != name.bass or _stacked(name, tone)))
    upper = (0, *(tone for tone in upper if tone))
    order = sorted(upper, key=lambda tone: {0: 0, 3: 1, 4: 1, 2: 1.5, 5: 1.5, 6: 2, 7: 2, 8: 2}.get(tone, 3))
    pitches = tuple((name.root + tone) % 12 for tone in order)
    degree = _degree_of((name.root - tonic) % 12, upper, (name.bass - name.root) % 12, mode)
    return RomanChord(start, end, tonic % 12, mode, degree, pitches, name.bass, numeral(degree, mode).function)


def _stacked(name: object, tone: int) -> bool:
    """Whether a bass tone belongs to the chord itself: all do but those that a stroke alone brought in."""
    root = getattr(name, "root", 0)
    return (tone - root) % 12 in (0, 3, 4, 6, 7, 8, 9, 10, 11)


@cache
def _degree_of(root: int, upper: tuple[int, ...], bass: int, mode: str) -> str:
    """The Roman numeral of a chord by its root over the tonic, its tones over the root and its bass over the root."""
    minor, dim, aug = 3 in upper and 4 not in upper, 3 in upper and 6 in upper and 7 not in upper, 8 in upper
    seventh = 10 if 10 in upper else 11 if 11 in upper else 9 if dim and 9 in upper else 0
    thirds = [4 if 4 in upper else 3, 6 if dim else 8 if aug and 7 not in upper else 7]
    inversion = 0 if not bass else thirds.index(bass) + 1 if bass in thirds else 3 if bass == seventh else 0
    figure = (("7", "65", "43", "42") if seventh else ("", "6", "64", ""))[inversion]
    applied = {2: "/V", 9: "/ii", 4: "/vi", 11: "/iii", 0: "/IV"} if mode == "major" else {2: "/V", 0: "/iv"}
    if root in applied and seventh == 10 and not minor:
        return f"V{figure}{applied[root]}"
    steps = MAJOR_SCALE if mode == "major" else NATURAL_MINOR
    if mode == "minor" and root == 11 and dim:
        step, sign = 7, ""
    elif root in steps:
        step, sign = steps.index(root) + 1, ""
    else:
        step, sign = (steps.index(root + 1) + 1, "b") if root + 1 in steps else (steps.index(root - 1) + 1, "#")
    letters = _NUMERALS[step - 1]
    letters = letters.lower() if minor or dim else letters
    quality = "ø" if dim and seventh == 10 else "°" if dim else "+" if aug and 7 not in upper and not minor else ""
    return f"{sign}{letters}{quality}{figure}"


def symbol_for(harmony: RomanChord, *, with_bass: bool = True) -> str:
    """Return the chord symbol of a RomanChord as it is written over a staff; a bass that is no root after a stroke.

    >>> symbol_for(roman_chord(0, 480, 9, "minor", "V65")), symbol_for(roman_chord(0, 480, 0, "major", "vii°7/ii"))
    ('E7/G#', 'C#dim7')
    """
    tones = tuple(sorted((p - harmony.root) % 12 for p in harmony.pitches))
    quality = _QUALITIES.get(tones)
    if quality is None:                        # keep what is known of it: the triad and the seventh
        triad = "m" if 3 in tones and 4 not in tones else "sus4" if 5 in tones and not {3, 4} & set(tones) else ""
        quality = triad + ("7" if 10 in tones else "") if triad != "sus4" else "7sus4" if 10 in tones else "sus4"
    flat = quality.startswith(("dim", "m7b5"))
    name = pitch_class_name(harmony.root, harmony.tonic, harmony.mode, sharper=3 if flat else 0)
    if not with_bass or harmony.bass == harmony.root:
        return name + quality
    return f"{name}{quality}/{pitch_class_name(harmony.bass, harmony.tonic, harmony.mode, sharper=2)}"


def pitch_class_name(pitch: int, tonic: int, mode: str, sharper: int = 0) -> str:
    """Return the name of a pitch class in a key: from five fifths flatter than its tonic to six sharper.

    `sharper` moves that stretch: a leading tone is named as one.

    >>> pitch_class_name(8, 0, "minor"), pitch_class_name(8, 9, "minor")
    ('Ab', 'G#')
    """
    home = 8 + fifths(tonic, mode) + (3 if mode == "minor" else 0)      # the tonic's place in _LINE
    for place in range(home - 5 + sharper, home + 7 + sharper):
        if 1 <= place < len(_LINE) - 2 and (7 * (place - 8)) % 12 == pitch % 12:
            return _LINE[place]
    return next(name for place, name in enumerate(_LINE[2:], 2) if (7 * (place - 8)) % 12 == pitch % 12)


def scale_degrees(tonic: int, mode: str) -> tuple[int, ...]:
    """Return the seven pitch classes of a key from its tonic up, minor as its natural scale.

    >>> scale_degrees(9, "minor")
    (9, 11, 0, 2, 4, 5, 7)
    """
    return tuple((tonic + step) % 12 for step in (MAJOR_SCALE if mode == "major" else NATURAL_MINOR))
