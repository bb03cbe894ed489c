"""Which accidentals are shown: by the key, and by what stood before in the bar on the same line."""

from __future__ import annotations

from partimento.notation.names import STEPS

ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}


def key_alters(fifths: int) -> dict[str, int]:
    """Return the alteration of each step under a key signature, those that have one.

    >>> key_alters(-2)
    {'B': -1, 'E': -1}
    """
    order, sign = (STEPS, 1) if fifths > 0 else (STEPS[::-1], -1)
    out: dict[str, int] = {}
    for i in range(abs(fifths)):
        out[order[i % 7]] = out.get(order[i % 7], 0) + sign
    return out


class Accidentals:
    """What rules on one staff: told each note in the order of time, it says which accidental that note shows.

    >>> staff = Accidentals(1)
    >>> staff.shown("F", 1, 4), staff.shown("F", 0, 4), staff.shown("F", 0, 4)
    (('', False), ('natural', False), ('', False))
    """

    def __init__(self, fifths: int) -> None:
        self.key = key_alters(fifths)
        self._bar: dict[tuple[str, int], int] = {}
        self._before: dict[tuple[str, int], int] = {}

    def new_key(self, fifths: int) -> None:
        """Let another signature rule from here on."""
        self.key = key_alters(fifths)
        self._bar, self._before = {}, {}

    def new_bar(self) -> None:
        """Forget what stood in the bar, but for a reminder."""
        self._before, self._bar = self._bar, {}

    def shown(self, step: str, alter: int, octave: int, tied: bool = False) -> tuple[str, bool]:
        """The accidental of a note, empty for none, and whether it is only a reminder; a tied note shows none."""
        place = (step, octave)
        usual = self.key.get(step, 0)
        if tied:
            return "", False
        now = self._bar.get(place)
        if now is None:
            others = {a for (s, o), a in self._bar.items() if s == step and o != octave}
            reminded = alter == usual and (self._before.get(place, usual) != usual or bool(others - {alter}))
            needed = alter != usual
        else:
            reminded, needed = False, now != alter
        if now is not None or needed or reminded:
            self._bar[place] = alter
        return (ACCIDENTALS[alter], not needed) if needed or reminded else ("", False)
