"""Names of written notes: step, alteration and octave, and their place on the line of fifths."""

from __future__ import annotations

STEPS = "FCGDAEB"                       # the line of fifths, naturals
OFFSET = 15                             # of C: the spelling of F triple flat is −1 + 15 − 21 < 0, of F double flat 0
LOWEST, HIGHEST = 0, 34                 # F double flat … B double sharp
_PITCH = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def spelling_of(step: str, alter: int = 0) -> int:
    """The spelling of a step `A`–`G` altered by `alter` semitones: its place on the line of fifths, C at 15.

    Alterations beyond two semitones give the nearest spelling of the same pitch class within 0–34.

    >>> spelling_of("C"), spelling_of("F", 1), spelling_of("B", -1)
    (15, 21, 13)
    """
    place = STEPS.index(step) - 1 + 7 * alter + OFFSET
    while place < LOWEST:
        place += 12
    while place > HIGHEST:
        place -= 12
    return place


def name_of(pitch: int, spelling: int) -> tuple[str, int, int]:
    """Step, alteration in semitones and octave (C4 is pitch 60) of a pitch in a spelling.

    ValueError where the spelling is not one of that pitch.

    >>> name_of(61, 21 + 1)[:2], name_of(60, 27), name_of(71, 8)
    (('C', 1), ('B', 1, 3), ('C', -1, 5))
    """
    fifths = spelling - OFFSET + 1
    step, alter = STEPS[fifths % 7], fifths // 7
    natural = pitch - alter
    if natural % 12 != _PITCH[step]:
        raise ValueError(f"pitch {pitch} cannot be written with spelling {spelling}")
    return step, alter, natural // 12 - 1


def spellings_of(pitch: int) -> tuple[int, ...]:
    """Every spelling of a pitch, from flat to sharp: places on the line of fifths 12 apart.

    >>> [name_of(60, place)[:2] for place in spellings_of(60)]
    [('D', -2), ('C', 0), ('B', 1)]
    """
    return tuple(range((pitch % 12 * 7 + OFFSET) % 12, HIGHEST + 1, 12))
