"""Modes as counterpoint needs them: the seven notes of a line with their names, its final, and what may be altered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from partimento.theory import MAJOR_SCALE

NAMES = {0: "Ionian", 2: "Dorian", 4: "Phrygian", 5: "Lydian", 7: "Mixolydian", 9: "Aeolian", 11: "Locrian"}
PERFECT, IMPERFECT, DISSONANT = "perfect", "imperfect", "dissonant"
_CONSONANCES = {(0, 0): PERFECT, (4, 7): PERFECT, (2, 3): IMPERFECT, (2, 4): IMPERFECT, (5, 8): IMPERFECT,
                (5, 9): IMPERFECT}
_NUMBERS = ("unison", "second", "third", "fourth", "fifth", "sixth", "seventh")


class Mode(NamedTuple):
    """The pitch class of the final, and of the tonic of the major scale whose seven notes the line uses.

    >>> Mode(final=2, home=0).name
    'D Dorian'
    """

    final: int
    home: int

    @property
    def name(self) -> str:
        """Its name, such as ``D Dorian``."""
        names = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
        return f"{names[self.final]} {self.kind}"

    @property
    def kind(self) -> str:
        """Which of the modes it is; empty where the final is none of the seven notes."""
        return NAMES.get((self.final - self.home) % 12, "")

    @property
    def raised_seventh(self) -> int | None:
        """The pitch class under the final that a close raises to a leading tone; None where it is there already, and
        in Phrygian, where the second degree leads."""
        if self.kind == "Phrygian" or (self.final - 1 - self.home) % 12 in MAJOR_SCALE:
            return None
        return (self.final - 1) % 12

    @property
    def raised_sixth(self) -> int | None:
        """The pitch class that leads up to a raised seventh without an augmented second, where the mode has it not."""
        if self.raised_seventh is None or (self.final - 3 - self.home) % 12 in MAJOR_SCALE:
            return None
        return (self.final - 3) % 12

    @property
    def soft(self) -> int | None:
        """The pitch class of the B flat (of no signature) that Dorian and Lydian take against the tritone."""
        return (self.home + 10) % 12 if self.kind in ("Dorian", "Lydian") else None

    def step_of(self, pitch: int, rising: bool = True) -> int:
        """The number of a pitch among the notes of the staff; `rising` says how one outside the mode goes on.

        >>> d = Mode(2, 0)
        >>> d.step_of(62) - d.step_of(60), d.step_of(73) - d.step_of(72), d.step_of(70) == d.step_of(71)
        (1, 0, True)
        """
        octave, over = divmod(pitch - self.home, 12)
        if over in MAJOR_SCALE:
            return 7 * octave + MAJOR_SCALE.index(over)
        if pitch % 12 in (self.raised_seventh, self.raised_sixth):
            return self.step_of(pitch - 1)
        if pitch % 12 == self.soft or not rising:
            return self.step_of(pitch + 1)
        return self.step_of(pitch - 1)

    def spelled(self, pitches: Sequence[int]) -> list[int]:
        """The staff places of a line: a note outside the mode is raised where the line goes up from it."""
        ahead = [*pitches[1:], pitches[-1]] if len(pitches) else []
        return [self.step_of(p, rising=n >= p) for p, n in zip(pitches, ahead, strict=True)]


def kind_of_interval(steps: int, semitones: int) -> str:
    """``perfect``, ``imperfect`` or ``dissonant``: two voices, the fourth a dissonance.

    >>> kind_of_interval(4, 7), kind_of_interval(9, 16), kind_of_interval(3, 5), kind_of_interval(4, 6)
    ('perfect', 'imperfect', 'dissonant', 'dissonant')
    """
    if steps < 0 or (steps, semitones) < (0, 0):
        steps, semitones = -steps, -semitones
    return _CONSONANCES.get((steps % 7, semitones % 12), DISSONANT) if semitones >= 0 else DISSONANT


def interval_words(steps: int) -> str:
    """The name of an interval by its steps on the staff, up to two octaves.

    >>> interval_words(2), interval_words(-7), interval_words(9)
    ('third', 'octave', 'tenth')
    """
    size = abs(steps)
    if size >= 7 and size % 7 == 0:
        return "octave" if size == 7 else "double octave"
    if 7 < size < 14:
        return ("ninth", "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth")[size - 8]
    return _NUMBERS[size % 7]


def line_mode(pitches: Sequence[int], lengths: Sequence[float], signature: int | None = None) -> Mode:
    """The mode of a line: its last note, and the signature (fifths) where the line keeps to it, else what fits best.

    Of signatures that fit alike, none goes first, then major and minor of the last note, then the fewest signs.

    >>> line_mode([62, 65, 64, 62, 67, 65, 69, 67, 65, 64, 62], [4] * 11).name
    'D Dorian'
    >>> line_mode([62, 66, 69, 67, 64, 62], [4] * 6).name
    'D Ionian'
    """
    final = pitches[-1] % 12
    total = math.fsum(lengths)

    def inside(fifths: int) -> float:
        home = fifths * 7 % 12
        return math.fsum(d for p, d in zip(pitches, lengths, strict=True) if (p - home) % 12 in MAJOR_SCALE) / total

    def at_home(fifths: int) -> bool:
        return (final - fifths * 7) % 12 in MAJOR_SCALE

    if signature is not None and at_home(signature) and inside(signature) >= 0.75:
        return Mode(final, signature * 7 % 12)
    order = sorted(range(-5, 7), key=lambda f: (-round(inside(f), 6), not at_home(f), f != 0, f * 7 % 12 != final,
                                                (f * 7 + 9) % 12 != final, abs(f), f))
    return Mode(final, order[0] * 7 % 12)
