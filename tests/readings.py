"""What tests of readers say of a Score: its notes and its marks in quarter notes."""

from __future__ import annotations

from partimento.score import Score


def rows(score: Score) -> list[tuple[float, float, int]]:
    """Onset, duration in quarter notes and pitch of every note."""
    clock = score.ticks_per_quarter
    return [(int(o) / clock, int(d) / clock, int(p))
            for o, d, p in zip(score.onset, score.duration, score.pitch, strict=True)]


def marks(score: Score, kind: str = "repeat") -> list[tuple[float, str]]:
    """Place in quarter notes and text of every mark of a kind."""
    return [(mark.tick / score.ticks_per_quarter, mark.text) for mark in score.marks if mark.kind == kind]
