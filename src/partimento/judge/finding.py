"""One fault that was heard in a piece: what kind, in which track, where, and what was measured."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One fault of a piece.

    `kind` is a name of the table of faults; `track` the index of the track, −1 for the whole piece; `start` and `end`
    (ticks, the end not in it) say where, `bars` the same as numbers of bars, first and last, as a page numbers them.
    `text` is one sentence for a musician. `value` is what was measured, in `unit`; `spread` the place from which and
    up to which nine tenths of the reference's pieces lie (low, high), None without a reference. `notes` are the
    indices of the notes concerned.
    """

    kind: str
    track: int
    start: int
    end: int
    bars: tuple[int, int]
    text: str
    value: float
    unit: str
    spread: tuple[float, float] | None = None
    notes: tuple[int, ...] = ()
