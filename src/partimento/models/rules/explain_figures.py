"""Why a note of a figured accompaniment or of a patterned bass is there: the pattern that strikes it, and its tone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from partimento.models.rules.figures import FigureEvent, bar_events
from partimento.models.rules.form import BeatBar
from partimento.models.rules.plan import RomanChord
from partimento.models.rules.sketch import rules_table

LIKE = 0.5              # of the moments of a pattern and of a part, from which on the part is said to play it
SLACK = 6               # parts of a beat by which a moment may be beside its place, as swing puts it


class Struck(NamedTuple):
    """A pattern that strikes a note: its `name`, its share of the style's patterns for such a part (0: another
    style's), and the letters of its tones there."""

    name: str
    share: float
    tones: str


def struck_by(bars: Sequence[BeatBar], onsets: Sequence[int], tick: int, style: Mapping[str, Any], kind: str,
              ) -> Struck | None:
    """Return the pattern of the style, else of any, that the moments of a part follow and that strikes at a tick.

    `kind` is ``left`` (a hand with its own bass), ``chords``, ``pad`` or ``bass``; None where nothing is like it.

    >>> four = [BeatBar(1920 * k, 1920 * k + 1920, tuple((1920 * k + b, 480) for b in range(0, 1920, 480)))
    ...         for k in range(2)]
    >>> struck_by(four, [480 * k for k in range(8)], 480, {"bass": {"walking": 1}}, "bass")
    Struck(name='walking', share=1.0, tones='w')
    """
    table = rules_table("figures")["bass" if kind == "bass" else "chords"]
    own = style[kind] if isinstance(style[kind], Mapping) else {style[kind]: 1}
    for names in (list(own), [name for name in table if name not in own]):
        worth = {name: _alike(bars, onsets, table[name]) for name in names}
        for name in sorted(names, key=lambda n: (-worth[n], n)):
            if worth[name] < LIKE:
                break
            tones = _tones_at(bars, table[name], tick)
            if tones:
                return Struck(name, own.get(name, 0) / sum(own.values()), tones)
    return None


def _near(bar: BeatBar, one: int, two: int) -> bool:
    return abs(one - two) * SLACK <= min((length for _, length in bar.beats), default=bar.end - bar.start)


def _alike(bars: Sequence[BeatBar], onsets: Sequence[int], figure: Mapping[str, Any]) -> float:
    """The share of moments that a part and a figure have in common, over the bars in which the part plays."""
    shares = []
    for bar in bars:
        own = {tick for tick in onsets if bar.start <= tick < bar.end}
        if own and bar.beats:
            ours = {event.start for event in bar_events(bar, figure)}
            both = sum(any(_near(bar, a, b) for b in ours) for a in own)
            shares.append(both / max(len(own) + len(ours) - both, 1))
    return sum(shares) / len(shares) if shares else 0.0


def _tones_at(bars: Sequence[BeatBar], figure: Mapping[str, Any], tick: int) -> str:
    """The letters that a figure strikes at a tick, none where it does not."""
    bar = next((b for b in bars if b.start <= tick < b.end and b.beats), None)
    if bar is None:
        return ""
    found: list[FigureEvent] = [e for e in bar_events(bar, figure) if _near(bar, e.start, tick)]
    return "".join(dict.fromkeys("".join(event.tones for event in found)))


def tone_chances(tones: str, harmony: RomanChord) -> dict[int, float]:
    """Return how likely each pitch class is for one note where a figure strikes these tones.

    Every letter is as likely as another, ``*`` and a number any tone of the chord; ``f`` and ``5`` are the fifth over
    the bass, ``B``, ``o``, ``R`` and ``8`` the bass. Empty for a walk (``w``, ``a``), which is a line.

    >>> chord = RomanChord(0, 480, 0, "major", "I", (0, 4, 7), 0, "T")
    >>> {tone: round(p, 2) for tone, p in tone_chances("B", chord).items()}
    {0: 1.0}
    """
    out: dict[int, float] = {}
    chord = tuple(dict.fromkeys(harmony.pitches))
    for sign in tones:
        if sign in "BoR8":
            meant: tuple[int, ...] = (harmony.bass,)
        elif sign in "f5":
            fifths = tuple(p for p in chord if (p - harmony.bass) % 12 in (6, 7, 8))
            meant = fifths[:1] or (harmony.bass,)
        elif sign in "wa":
            return {}                    # a walk is a line, not a tone
        else:
            meant = chord
        weight = len(chord) if sign == "*" else 1
        for tone in meant:
            out[tone] = out.get(tone, 0.0) + weight / len(meant)
    total = sum(out.values())
    return {tone: weight / total for tone, weight in out.items()}
