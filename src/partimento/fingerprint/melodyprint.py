"""What of a piece is compared: its candidate melodies, as compact bytes."""

from __future__ import annotations

import dataclasses
import struct

import numpy as np
import numpy.typing as npt

from partimento.errors import ReadError
from partimento.fingerprint.grams import Grams, grams_of
from partimento.fingerprint.lines import Symbols, drum_lines, melody_lines
from partimento.score import Score

MAGIC = b"PMP1"
_HEAD = struct.Struct("<4sBIII")


@dataclasses.dataclass(frozen=True, eq=False)
class MelodyPrint:
    """The candidate melodies of a piece: uint8[n] steps, line after line, and int32[lines] where each line ends.

    The first `melodies` of them may be the melody, the others accompany. `drums` says that the piece has nothing but
    drums, and the line is of what is struck. Equal where all is equal.
    """

    symbols: Symbols
    ends: npt.NDArray[np.int32]
    melodies: int
    drums: bool = False

    def to_bytes(self) -> bytes:
        """The print as bytes: about one for each note of its lines.

        >>> MelodyPrint.from_bytes(melody_print(Score()).to_bytes()) == melody_print(Score())
        True
        """
        return (_HEAD.pack(MAGIC, self.drums, self.melodies, len(self.ends), len(self.symbols))
                + self.ends.astype("<i4").tobytes() + self.symbols.tobytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> MelodyPrint:
        """The print that `to_bytes` wrote; ReadError where the bytes are no print or a damaged one."""
        if len(data) < _HEAD.size or data[:4] != MAGIC:
            raise ReadError(f"a melody print must begin with {MAGIC.decode()}; got {len(data)} bytes of another kind: "
                            "make the print again with melody_print")
        _, drums, melodies, lines, steps = _HEAD.unpack_from(data)
        if len(data) != _HEAD.size + 4 * lines + steps:
            raise ReadError(f"a melody print of {lines} lines and {steps} steps must have "
                            f"{_HEAD.size + 4 * lines + steps} bytes; got {len(data)}: make the print again")
        ends = np.frombuffer(data, "<i4", lines, _HEAD.size).astype(np.int32)
        if (np.diff(ends, prepend=0) < 1).any() or (ends[-1] if lines else 0) != steps or drums > 1 or (
                melodies > lines or (lines and not melodies)):
            raise ReadError("the lines of a melody print must end one after another, the last at its last step, and "
                            "the first be a melody; these do not: make the print again")
        return cls(np.frombuffer(data, np.uint8, steps, _HEAD.size + 4 * lines), ends, melodies, bool(drums))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MelodyPrint) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def grams(self) -> Grams:
        """Every run of a few steps of every line, hashed."""
        return grams_of(self.symbols, self.ends, self.melodies, self.drums)


def melody_print(score: Score) -> MelodyPrint:
    """The melody print of a Score, equal for equal music in any key, tempo, clock, meter and instrument.

    It holds `melody_lines`, or `drum_lines` of a piece that is nothing but drums; empty where there are no two notes.

    >>> tune = Score(onset=[0, 480, 960], duration=[480] * 3, pitch=[60, 62, 64], velocity=[80] * 3, track=[0] * 3)
    >>> melody_print(tune) == melody_print(tune.replace(pitch=tune.pitch + 5, ticks_per_quarter=96))
    True
    """
    lines, melodies = melody_lines(score)
    drums = False
    if not lines:
        lines = drum_lines(score)
        melodies, drums = len(lines), bool(lines)
    symbols = np.concatenate(lines) if lines else np.zeros(0, np.uint8)
    return MelodyPrint(symbols, np.cumsum([len(line) for line in lines], dtype=np.int32), melodies, drums)
