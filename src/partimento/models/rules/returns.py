"""What comes back: the form of a piece of which most is kept, and what a phrase that returns says of its harmonies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from partimento.models.rules.figures import bar_events
from partimento.models.rules.form import BeatBar
from partimento.models.rules.grammar import Evidence
from partimento.models.rules.plan import Phrase, Slot
from partimento.score import Score

SECTION = 8             # bars of a section, where nothing else is heard
SHORT = 3               # bars that are too few for a section of their own
ALIKE = 0.5             # of the attacks of two bars that both have, on average, where a section is heard again
LIKE_FIGURE = 0.55      # of the attacks of a figure and of the kept bars, from which on the figure is theirs
HEARD = 4               # kept bars from which on a form is heard in them
ENOUGH = 8              # kept notes that say whether a part plays chords alone
FEW_A_BAR, MOST = 2.2, 0.9      # moments of such a part in a bar, and the share of them that are chords
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Notes = Sequence[tuple[int, int, int]]
Stretches = Sequence[tuple[int, int]]


def kept_form(bars: Sequence[BeatBar], line: Notes, blank: Stretches) -> str:
    """Return the form of bars of which `line`, (onset, end, pitch) of a melody, is kept, such as ``A8 B8 A8``.

    Sections of eight bars are counted from the first bar; those whose kept bars are alike have one letter, wherever
    they stand. Where all from some bar on is blank (`blank`, ticks), the sections to come are counted from there: the
    last returns to the first, those before it are new ones, and a first section that stands alone is heard again
    before it is left. Empty where too little is kept.

    >>> four = [BeatBar(480 * k, 480 * k + 480, ((480 * k, 480),)) for k in range(24)]
    >>> tune = [(480 * k, 480 * k + 480, 60 + 7 * k % 12) for k in range(16)]
    >>> kept_form(four, tune, [(16 * 480, 24 * 480)])
    'A8 B8 A8'
    """
    open_bars = [any(2 * (min(b, bar.end) - max(a, bar.start)) > bar.end - bar.start for a, b in blank) for bar in bars]
    count = len(bars)
    known = [_attacks(bar, line) if not is_open else frozenset()
             for bar, is_open in zip(bars, open_bars, strict=True)]
    if sum(bool(one) for one in known) < HEARD:
        return ""
    ahead = count
    while ahead and open_bars[ahead - 1]:
        ahead -= 1
    if count - ahead < SHORT or ahead < HEARD:
        ahead = count
    sections = _cut(0, ahead)
    labels: list[int] = []
    for k, (first, length) in enumerate(sections):
        found = next((labels[j] for j, other in enumerate(sections[:k])
                      if _alike(known[first:first + length], known[other[0]:other[0] + other[1]])), -1)
        labels.append(found if found >= 0 else max(labels, default=-1) + 1)
    coming = _cut(ahead, count)
    again = len(sections) == 1
    for k in range(len(coming)):
        back = k == len(coming) - 1 or (again and k == 0 and len(coming) != 2)
        labels.append(0 if back else max(labels) + 1)
    return " ".join(f"{_LETTERS[min(label, 25)]}{length}"
                    for label, (_, length) in zip(labels, [*sections, *coming], strict=True))


def _cut(first: int, stop: int) -> list[tuple[int, int]]:
    """(first bar, bars) of the sections of a stretch; what is left over is one too, unless it is short."""
    out: list[tuple[int, int]] = []
    for at in range(first, stop, SECTION):
        length = min(SECTION, stop - at)
        if length < SHORT and out:
            out[-1] = out[-1][0], out[-1][1] + length
        else:
            out.append((at, length))
    return out


def _attacks(bar: BeatBar, line: Notes) -> frozenset[tuple[int, int]]:
    """Where in a bar which pitch classes are struck."""
    return frozenset((onset - bar.start, pitch % 12) for onset, _, pitch in line if bar.start <= onset < bar.end)


def _alike(one: Sequence[frozenset[tuple[int, int]]], two: Sequence[frozenset[tuple[int, int]]]) -> bool:
    """Whether two sections are one, as far as both are kept: at least two bars of each are."""
    shares = [len(a & b) / len(a | b) for a, b in zip(one, two, strict=False) if a and b]
    return len(shares) >= 2 and sum(shares) / len(shares) >= ALIKE


def kept_phrases(phrases: Sequence[Phrase], bars: Sequence[BeatBar], blank: Stretches, key: tuple[int, str],
                 ) -> list[Phrase]:
    """Return the phrases with no cadence asked of those that are kept wholly: how they close stands in their notes."""
    out = []
    for phrase in phrases:
        start, end = bars[phrase.first_bar].start, bars[phrase.first_bar + phrase.bars - 1].end
        whole = not any(a < end and b > start for a, b in blank)
        out.append(phrase._replace(cadence="", tonic=key[0], mode=key[1]) if whole else phrase)
    return [p._replace(repeats=-1) if p.repeats >= 0 and out[p.repeats][4:6] != p[4:6] else p for p in out]


def returning(evidence: Evidence, slots: Sequence[Slot], phrases: Sequence[Phrase],
              bars: Sequence[BeatBar]) -> Evidence:
    """Return the evidence with what a kept phrase says of its chords said again where it returns and nothing is kept.

    What leads into the cadence of the phrase that returns is left to it.
    """
    against = evidence.against.copy()
    places = {slot.start: row for row, slot in enumerate(slots)}
    for index, phrase in enumerate(phrases):
        own = [row for row, slot in enumerate(slots) if slot.phrase == index]
        if phrase.repeats < 0 or not own or evidence.against[own].any():
            continue
        source = phrases[phrase.repeats]
        by = bars[phrase.first_bar + phrase.bars - 1].start - bars[source.first_bar + source.bars - 1].start
        arrival = next((k for k, row in enumerate(own) if slots[row].arrival), len(own))
        for row in own[:max(arrival - 1, 0) if phrase.cadence else len(own)]:
            there = places.get(slots[row].start - by)
            if there is not None and slots[there].phrase == phrase.repeats:
                against[row] = evidence.against[there]
    return Evidence(against, evidence.first, np.asarray(evidence.last))


def kept_figure(bars: Sequence[BeatBar], onsets: Sequence[int], figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Return which of the figures strikes as the kept notes do (`onsets`, ticks), empty where none does nearly.

    >>> four = [BeatBar(1920 * k, 1920 * k + 1920, tuple((1920 * k + b, 480) for b in range(0, 1920, 480)))
    ...         for k in range(4)]
    >>> table = {"block": {"4": [[0, 4, "*"]]}, "pump": {"1": [[0, 0.5, "*"], [0.5, 0.5, "*"]]}}
    >>> kept_figure(four, [240 * k for k in range(32)], table)
    'pump'
    """
    struck = [(bar, {tick for tick in onsets if bar.start <= tick < bar.end}) for bar in bars if bar.beats]
    struck = [(bar, own) for bar, own in struck if own]
    if len(struck) < 2:
        return ""
    worth = {}
    for name in sorted(figures):
        shares = []
        for bar, own in struck:
            ours = {event.start for event in bar_events(bar, figures[name])}
            shares.append(len(own & ours) / len(own | ours))
        worth[name] = sum(shares) / len(shares)
    best = max(sorted(worth), key=lambda name: worth[name], default="")
    return best if best and worth[best] >= LIKE_FIGURE else ""


def plays_blocks(kept: Score, bars: Sequence[BeatBar]) -> bool:
    """Return whether the kept notes of a part are chords of three notes or more alone, about two in a bar or fewer.

    Such a part goes on with chords, and sings nothing.

    >>> two = [BeatBar(960 * k, 960 * k + 960, ((960 * k, 480), (960 * k + 480, 480))) for k in range(2)]
    >>> plays_blocks(Score.from_rows([(480 * k, 480, p, 80, 0) for k in range(4) for p in (60, 64, 67)]), two)
    True
    """
    struck, sizes = np.unique(kept.onset, return_counts=True)
    played = len(np.unique(np.searchsorted([bar.start for bar in bars], struck, "right")))
    return len(kept) >= ENOUGH and len(struck) <= FEW_A_BAR * played and float((sizes >= 3).mean()) >= MOST
