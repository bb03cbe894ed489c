"""Dynamics as velocities: what holds on in a part, and what is loud for one moment."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction

DEFAULT_VELOCITY = 80
ACCENT = 112
LEVELS = {"pppppp": 5, "ppppp": 7, "pppp": 10, "ppp": 16, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112,
          "fff": 126, "ffff": 127, "fffff": 127, "ffffff": 127}
# Loud for what begins there alone; the letters after it say how it goes on.
ACCENTS = {"sf": "", "sfz": "", "sffz": "", "fz": "", "rf": "", "rfz": "", "sfp": "p", "sfpp": "pp", "fp": "p",
           "ffp": "p", "fpp": "pp", "sfzp": "p", "pf": "f"}
_Time = int | Fraction


class Loudness:
    """The velocities of one part by time.

    >>> part = Loudness()
    >>> part.say(0, "p"), part.say(4, "fp"), part.say(8, "ff")
    (None, None, None)
    >>> [part.at(time) for time in (0, 3, 4, 5, 9)]
    [49, 49, 112, 49, 112]
    """

    def __init__(self) -> None:
        self._levels: dict[_Time, int] = {}
        self._accents: set[_Time] = set()
        self._times: list[_Time] | None = None

    def say(self, time: _Time, dynamic: str, velocity: int = 0) -> None:
        """A dynamic from `time` on; `velocity` is the number that a file gives for it, 0 for none."""
        self._times = None
        if dynamic in ACCENTS:
            self._accents.add(time)
            dynamic, velocity = ACCENTS[dynamic], 0
        level = velocity if 0 < velocity <= 127 else LEVELS.get(dynamic, 0)
        if level:
            self._levels[time] = level

    def at(self, time: _Time) -> int:
        """The velocity of a note that begins at `time`."""
        if time in self._accents:
            return ACCENT
        if self._times is None:
            self._times = sorted(self._levels)
        index = bisect_right(self._times, time)
        return self._levels[self._times[index - 1]] if index else DEFAULT_VELOCITY
