"""What reading a file gave, and the limits that every reader keeps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from partimento.score import Score

DEFAULT_MAX_NOTES = 5_000_000


@dataclasses.dataclass(frozen=True)
class Reading:
    """A Score, what had to be mended to get it, and what is worth telling about it.

    `repairs` counts broken structure by plain names; a sound file has none. `notices` are whole sentences about
    sound but doubtful things (a meter of one beat, notes off every grid), each with what to type.
    """

    score: Score
    repairs: Mapping[str, int] = dataclasses.field(default_factory=dict)
    notices: tuple[str, ...] = ()
