"""Where the sounds of a drum kit stand on the staff, with what head, and in which voice."""

from __future__ import annotations

# Sound of the General MIDI percussion map: step and octave in a percussion staff (as in the treble clef), head, feet.
# The places are those most drum music is written in: N. Weinberg, Guide to Standardized Drumset Notation (1998).
_PLACES: dict[int, tuple[str, int, str, bool]] = {
    35: ("E", 4, "normal", True), 36: ("F", 4, "normal", True), 37: ("C", 5, "x", False), 38: ("C", 5, "normal", False),
    39: ("D", 5, "x", False), 40: ("C", 5, "normal", False), 41: ("G", 4, "normal", False), 42: ("G", 5, "x", False),
    43: ("A", 4, "normal", False), 44: ("D", 4, "x", True), 45: ("B", 4, "normal", False), 46: ("G", 5, "x", False),
    47: ("D", 5, "normal", False), 48: ("E", 5, "normal", False), 49: ("A", 5, "x", False),
    50: ("F", 5, "normal", False),
    51: ("F", 5, "x", False), 52: ("B", 5, "x", False), 53: ("F", 5, "x", False), 54: ("E", 5, "x", False),
    55: ("B", 5, "x", False), 56: ("E", 5, "x", False), 57: ("A", 5, "x", False), 58: ("D", 5, "x", False),
    59: ("F", 5, "x", False), 60: ("D", 5, "normal", False), 61: ("B", 4, "normal", False), 69: ("B", 4, "x", False),
    70: ("B", 4, "x", False), 75: ("D", 5, "x", False), 76: ("E", 5, "x", False), 77: ("D", 5, "x", False),
    80: ("C", 6, "x", False), 81: ("C", 6, "x", False)}
_ELSEWHERE = ("B", 4, "normal", False)


def drum_place(key: int) -> tuple[str, int, str]:
    """Return step, octave and head of a drum sound; what has no usual place stands on the middle line.

    >>> drum_place(38), drum_place(42)
    (('C', 5, 'normal'), ('G', 5, 'x'))
    """
    return _PLACES.get(key, _ELSEWHERE)[:3]


def is_foot(key: int) -> bool:
    """Return whether the feet play a drum sound, in the lower voice: bass drum and pedal hi-hat.

    >>> is_foot(36), is_foot(38)
    (True, False)
    """
    return _PLACES.get(key, _ELSEWHERE)[3]
