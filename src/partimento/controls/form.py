"""Whether a piece holds its form: what returns comes back, what is varied differs, what is new is new."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from partimento import features
from partimento.controls.facts import Verdict
from partimento.forms import FormSpan
from partimento.score import BoolArray, Score

SAME = 0.6              # likeness from which on two sections are one and the same
VARIED = 0.3            # likeness from which on a section is a variant of another
ENOUGH = 4              # notes from which on a section may come back transposed: fewer fit too easily
_Cells = set[tuple[int, int, int]]


def section_likeness(score: Score, one: FormSpan, two: FormSpan) -> float:
    """Return how alike two sections are, 0–1: the share of their notes that both have, over the bars they both last.

    Notes are the same where track, place from the start of the section and pitch are, after one transposition of the
    whole section (less than an octave; none where either has fewer than four notes); the share is Dice's, twice what
    both have over all they have. Drums do not count, but where there is nothing else.

    >>> tune = [(480 * i, 480, 60 + p, 80, 0) for i, p in enumerate([0, 4, 7, 4, 2, 6, 9, 4])]
    >>> section_likeness(Score.from_rows(tune), FormSpan("A", 0, 1), FormSpan("B", 1, 1))
    0.75
    """
    bars = min(one.bars, two.bars)
    here, there = (_cells(score, span.first, span.first + bars) for span in (one, two))
    if not here or not there:
        return float(here == there)
    moves = range(-11, 12) if min(len(here), len(there)) >= ENOUGH else (0,)
    most = max(len({(track, place, pitch + by) for track, place, pitch in here} & there) for by in moves)
    return 2 * most / (len(here) + len(there))


def _counted(score: Score) -> BoolArray:
    mask = features.pitched(score)
    return mask if any(not track.is_drum for track in score.tracks) else np.ones(len(score), bool)


def _cells(score: Score, first: int, last: int) -> _Cells:
    """The notes of bars `first` to `last` (not in it) as (track, ticks from the first, pitch)."""
    start, end = int(score.bar_starts[first]), int(score.bar_starts[last])
    mask = _counted(score) & (score.onset >= start) & (score.onset < end)
    drums = np.array([track.is_drum for track in score.tracks] or [False])
    pitch = score.pitch[mask] + 1000 * drums[score.track[mask]]     # a key of the kit is none of a scale
    return set(zip(score.track[mask].tolist(), (score.onset[mask] - start).tolist(), pitch.tolist(), strict=True))


def form_holds(score: Score, spans: Sequence[FormSpan]) -> Verdict:
    """Return whether a piece is built as its form says.

    It is when every section of a label that was heard before has at least 60 % of its notes in common with the first
    of that label (`section_likeness`); a varied one (``A'``) at least 30 % with the one that it varies, and not all;
    sections of different letters less than 60 %; and no pitched note of a section sounds on into the next. Where there
    are drums alone, different letters need not differ: a drummer keeps the groove.

    >>> notes = [(480 * i, 480, 60 + i % 4, 80, 0) for i in range(8)]
    >>> form_holds(Score.from_rows(notes), [FormSpan("A", 0, 1), FormSpan("A", 1, 1, 0)])
    Verdict(ok=True, reason='A returns with 100 %')
    """
    said: list[str] = []
    for span in spans:
        if span.like < 0:
            continue
        share = section_likeness(score, spans[span.like], span)
        place = f"bars {span.first + 1}-{span.first + span.bars}"
        if span.varied and not VARIED <= share < 1:
            return Verdict(False, f"{span.label} in {place} has {_percent(share)} of its notes in common with "
                                  f"{spans[span.like].label}, 30 % must be and not all")
        if not span.varied and share < SAME:
            return Verdict(False, f"{span.label} in {place} has {_percent(share)} of its notes in common with the "
                                  "first, 60 % must be")
        said.append(f"{span.label} {'keeps' if span.varied else 'returns with'} {_percent(share)}")
    if any(not track.is_drum for track in score.tracks):
        heads = [span for span in spans if span.like < 0]
        for k, span in enumerate(heads):
            for other in heads[:k]:
                share = section_likeness(score, other, span)
                if share >= SAME:
                    return Verdict(False, f"{span.label} has {_percent(share)} of its notes in common with "
                                          f"{other.label}, it must have less than 60 %")
    late = _rings_over(score, spans)
    if late is not None:
        return Verdict(False, f"a note of {late.label} (bar {late.first + 1} on) sounds on after its end")
    return Verdict(True, ", ".join(dict.fromkeys(said)) or "no section returns")


def _rings_over(score: Score, spans: Sequence[FormSpan]) -> FormSpan | None:
    """The first section a pitched note of which sounds after its end."""
    ends = score.bar_starts[[span.first + span.bars for span in spans]]
    mine = np.searchsorted(ends, score.onset, side="right")
    late = features.pitched(score) & (score.offset > ends[np.minimum(mine, len(ends) - 1)])
    return spans[int(mine[late].min())] if late.any() else None


def _percent(share: float) -> str:
    """A share in words that never rounds up to what it has not reached."""
    return f"{int(100 * share + 1e-9)} %"
