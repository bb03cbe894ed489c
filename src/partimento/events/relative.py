"""What is said of pitches relative to a frame, so that music a semitone higher is told in the same numbers.

Every event has a frame: its own pitch, or that of the note before it; a note that is being chosen has the pitch that
its track played last. All pitches around are told as intervals from the frame. A drum kit has no such frame: its sounds
are told relative to DRUM_FRAME, which never moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from partimento.events.fields import BITS, DRUMS, INDEX, NO_PITCH, PITCHES

REACH = 24                              # semitones: intervals further off are told as this far
INTERVALS = 2 * REACH + 2               # classes of an interval; the last: none
NO_INTERVAL = INTERVALS - 1
SPREAD = 2 * REACH + 1                  # places around a frame where a set of pitches is seen
DEGREES = 26                            # the tonic from the frame, + 12 where minor; 24: no frame, 25: no key
REGISTERS, NO_REGISTER = 23, 22         # half octaves
DRUM_FRAME = PITCHES + 60
MIDDLE_C = 60                           # where a frame is taken to lie that is not there
SETS = ("others", "own", "known", "soon", "echo")
REFERENCES = ("last", "before", "below", "prev", "next")    # what a pitch is told relative to; prev: the note before
_SIZE = {field.name: field.size for field in (*INDEX, *BITS)}
_WHO = ("move", "place", "bar", "left", "track", "program")


class Sight(NamedTuple):
    """What one table shows: plain fields of `INDEX`, references, whether key and register, fields of BITS, sets."""

    plain: tuple[str, ...]
    references: tuple[str, ...] = ()
    frame: bool = False
    bits: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many rows each column of numbers has, in their order."""
        return (*(_SIZE[name] for name in self.plain), *(INTERVALS for _ in self.references),
                *((DEGREES, REGISTERS) if self.frame else ()))

    @property
    def members(self) -> int:
        """How many rows the sets have, after those."""
        return sum(_SIZE[name] for name in self.bits) + SPREAD * len(self.sets)

    @property
    def starts(self) -> list[int]:
        """The first row of every column, then of every field of bits and every set."""
        sizes = [*self.sizes, *(_SIZE[name] for name in self.bits), *(SPREAD for _ in self.sets)]
        return [sum(sizes[:i]) for i in range(len(sizes))]


SIGHTS = {
    "input": Sight(("kind", "move", "track", "program", "duration", "loudness", "place", "bar", "pulse", "left",
                    "hyper", "tempo", "lasted", "louder", "around", "wait"), ("pitch", *REFERENCES), True,
                   ("ends", "onsets"), SETS),
    "ask": Sight((*_WHO, "wait", "lasted", "pulse", "hyper"), REFERENCES, True, (), SETS),
    "move": Sight(("from_place", "from_bar", "from_wait"), bits=("from_ends", "from_known", "from_echo")),
    "track": Sight(("move", "place", "bar", "left")),
    "duration": Sight((*_WHO, "lasted", "wait"), REFERENCES, bits=("ends", "onsets")),
    "loudness": Sight((*_WHO, "duration", "louder", "around")),
}
AHEAD_SEES = ("track", "program", "pitch", "duration", "loudness", "place", "bar", "pulse", "left", "hyper", "key",
              "tempo")                  # all that is said of a known note before it is reached


def interval(pitch: int, frame: int) -> int:
    """The class of an interval from a frame; both are pitches, or both drums, or it is NO_INTERVAL.

    >>> interval(67, 60) - REACH, interval(20, 60) - REACH, interval(NO_PITCH, 60) == NO_INTERVAL
    (7, -24, True)
    """
    if pitch >= NO_PITCH or frame >= NO_PITCH or (pitch < PITCHES) != (frame < PITCHES):
        return NO_INTERVAL
    return min(max(pitch - frame, -REACH), REACH) + REACH


def degree(key: int, frame: int) -> int:
    """The class of the tonic of a key (0 to 24, as the field `key`) seen from a frame."""
    if key == 24:
        return 25
    return (key % 12 - frame) % 12 + 12 * (key // 12) if frame < PITCHES else 24


def around(members: Iterable[int], frame: int) -> list[int]:
    """Where the members of a set of pitches lie around a frame, 0 to SPREAD − 1; none where there is no frame."""
    if frame >= NO_PITCH:
        return []
    low = (frame - PITCHES if frame >= PITCHES else frame) - REACH
    return [pitch - low for pitch in members if 0 <= pitch - low < SPREAD]


def seen_sets(sets: Sequence[str], drums: bool) -> list[str]:
    """The sets that mean something: a drum kit hears but its own echo."""
    return [name for name in sets if name == "echo" or not drums]


def frame_of_ask(program: int, last: int, prev: int) -> int:
    """The frame of a note that is being chosen: what its track played last, or the pitched note before, or none."""
    if program == DRUMS:
        return DRUM_FRAME
    return last if last < PITCHES else prev


def register(frame: int) -> int:
    """The half octave of a frame; NO_REGISTER where there is none.

    >>> register(60), register(DRUM_FRAME)
    (10, 22)
    """
    return frame // 6 if frame < PITCHES else NO_REGISTER
