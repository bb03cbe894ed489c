"""One piece judged: its faults by track and bar, how much it is like real music, and what it borrows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from partimento.errors import RequestError
from partimento.judge.faults import findings, findings_text
from partimento.judge.finding import Finding
from partimento.judge.originality import Originality, originality, originality_text
from partimento.judge.rank import Rank, rank, rank_text
from partimento.judge.reference import Reference
from partimento.score import Score


class Appraisal(NamedTuple):
    """What is found in one piece: `findings` in the order of their places, `rank` (None, and in `unranked` why), and
    `originality` beside the reference (None without one), whose `spreads` the faults were held against."""

    name: str
    score: Score
    findings: Sequence[Finding]
    rank: Rank | None
    unranked: str
    originality: Originality | None
    reference: str
    spreads: Mapping[str, tuple[float, float]] | None = None

    def as_dict(self) -> dict[str, Any]:
        """All but the Score, JSON-ready."""
        return {"piece": self.name, "notes": len(self.score), "bars": self.score.n_bars, "reference": self.reference,
                "findings": [one._asdict() for one in self.findings],
                "rank": self.rank.as_dict() if self.rank else None, "unranked": self.unranked or None,
                "originality": self.originality.as_dict() if self.originality else None}


def appraise(score: Score, reference: Reference | None = None, name: str = "piece") -> Appraisal:
    """Return what is found in a piece beside real music: that of `reference`, or what comes with the package.

    RequestError for a piece without notes.

    >>> song = Score(onset=[0, 480, 960], duration=[480] * 3, pitch=[60, 15, 60], velocity=[80] * 3, track=[0] * 3)
    >>> found = appraise(song)
    >>> [fault.kind for fault in found.findings], found.rank, found.unranked.partition(";")[0]
    (['range'], None, 'a piece to rank must have at least 16 pitched notes, which begin in at least 4 bars')
    """
    if not len(score):
        raise RequestError(f"a piece to judge must have notes; {name} has none")
    found = findings(score, reference.spreads if reference else None)
    ranked, unranked = None, ""
    try:
        ranked = rank(score, reference.ranked if reference else None)
    except RequestError as error:
        unranked = str(error)
    own = None
    if reference is not None:
        own = originality(score, reference.index, new=np.ones(len(score), bool))
    return Appraisal(name, score, tuple(found), ranked, unranked, own, reference.name if reference else "",
                     reference.spreads if reference else None)


def appraisal_text(found: Appraisal) -> str:
    """The findings, the rank and the originality of a piece in words for a terminal."""
    beside = found.reference or "open human music"
    notes, bars = len(found.score), found.score.n_bars
    lines = [f"{found.name}: {notes:,} note{'s' * (notes != 1)}, {bars} bar{'s' * (bars != 1)}, beside {beside}",
             findings_text(found.score, found.findings), rank_text(found.rank) if found.rank else found.unranked]
    if found.originality is not None:
        lines.append(originality_text(found.originality))
    return "\n".join(lines)
