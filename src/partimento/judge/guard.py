"""What stands between a model and a copy: the index of what taught it, and the registries of what may not be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from partimento.fingerprint.index import Index
from partimento.fingerprint.registry import Match, Registry
from partimento.judge.originality import Originality, originality_among
from partimento.request import Blanks, Region
from partimento.score import BoolArray, Score


class Borrowed(NamedTuple):
    """What new notes were found to borrow, and the cells (a track, whole bars) to write anew; none where they do not.

    `originality` is None where there is no index, or nobody asked; of several indexes it is that of the one borrowed
    from most. `matches` are with the registry.
    """

    originality: Originality | None
    matches: Sequence[Match]
    cells: tuple[Region, ...]

    def as_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready; empty where nothing was looked for."""
        out = self.originality.as_dict() if self.originality is not None else {}
        return out | ({"registry_matches": len(self.matches)} if self.matches else {})


@dataclasses.dataclass(frozen=True)
class Guard:
    """The indexes of what taught a model (none: it carries none) and the registry that its music must not match.

    >>> Guard().look(Score(), np.zeros(0, bool)).cells
    ()
    """

    indexes: tuple[Index, ...] = ()
    registry: Registry = dataclasses.field(default_factory=Registry)

    def look(self, score: Score, new: BoolArray, strength: str = "normal") -> Borrowed:
        """Return what the new notes (bool[n]) of a piece borrow; `strength` is ``strict``, ``normal`` or ``off``.

        The registry holds whatever the strength.
        """
        indexes = self.indexes if strength != "off" else ()
        found = originality_among(score, indexes, new=new, strength=strength) if indexes else None
        matches = self.registry.matches(score, new)
        spans = [*(found.cells if found else ()), *((m.track, m.begin, m.end) for m in matches)]
        return Borrowed(found, matches, whole_bars(score, spans))


def whole_bars(score: Score, spans: Sequence[tuple[int, int, int]]) -> tuple[Region, ...]:
    """Return the bars of each track that spans (track, start, end in ticks) touch, as regions, in order, none twice.

    >>> whole_bars(Score(end=7680), [(0, 100, 200), (0, 1900, 2000), (0, 5760, 5761)])
    (Region(track=0, start=0, end=3840, open='all'), Region(track=0, start=5760, end=7680, open='all'))
    """
    lines = score.bar_starts
    touched = np.zeros((max((track for track, _, _ in spans), default=-1) + 1, len(lines) - 1), bool)
    for track, start, end in spans:
        touched[track, max(np.searchsorted(lines, start, "right") - 1, 0):np.searchsorted(lines, end, "left")] = True
    out = []
    for track, bars in enumerate(touched):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], bars.view(np.int8), [0]])))
        out += [Region(track, int(lines[a]), int(lines[b])) for a, b in edges.reshape(-1, 2)]
    return tuple(out)


def parts_in(cells: Sequence[Region], blanks: Blanks) -> tuple[Region, ...]:
    """Return the parts of cells that lie in blanks, each open as its blank is.

    >>> parts_in([Region(0, 0, 960)], Blanks((Region(0, 480, 1920, "pitch"),)))
    (Region(track=0, start=480, end=960, open='pitch'),)
    """
    return tuple(Region(one.track, max(one.start, blank.start), min(one.end, blank.end), blank.open)
                 for one in cells for blank in blanks.regions
                 if one.track == blank.track and max(one.start, blank.start) < min(one.end, blank.end))
