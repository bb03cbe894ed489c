"""The form of a piece as a person writes it: sections by letter and bars, and which of them return."""

from __future__ import annotations

import re
from typing import NamedTuple

from partimento import theory
from partimento.errors import RequestError

OPEN_BARS = 8           # of a section that says none, where the length of the piece is left open too
MAX_SECTIONS = 100
_SECTION = re.compile(r"([A-Za-z]+'*)(\d{0,6})")
_EXAMPLE = "write for example 'A8 A8 B8 A8'"


class FormPart(NamedTuple):
    """One section of a form: its label and how many bars it lasts, 0 where that is left open."""

    label: str
    bars: int

    @property
    def letter(self) -> str:
        """The label without its primes: sections of one letter are the same, or varied."""
        return self.label.rstrip("'")


class FormSpan(NamedTuple):
    """One section at its place: its first bar (from 0), how many it lasts, and the section that it is like.

    `like` is the index of the first section of its label or, of a label that is new, of its letter; −1 where neither
    has been heard. `varied` says that it is like one of another label: ``A'`` after ``A``.
    """

    label: str
    first: int
    bars: int
    like: int = -1
    varied: bool = False


def parse_form(text: str) -> list[FormPart]:
    """Return the sections that a person wrote: ``A8 A8 B8 A'8``, ``AABA`` or ``verse8 chorus8``.

    RequestError where it cannot be read.

    >>> parse_form("A8 A8 B8 A8")[2]
    FormPart(label='B', bars=8)
    >>> [section.label for section in parse_form("AABA'")]
    ['A', 'A', 'B', "A'"]
    """
    words = text.replace("’", "'").replace(",", " ").replace("-", " ").split()
    if len(words) == 1 and re.fullmatch(r"(?:[A-Z]'*)+", words[0]):
        words = re.findall(r"[A-Z]'*", words[0])
    elif len(words) == 1 and re.fullmatch(r"(?:[A-Z]'*\d+)+", words[0]):
        words = re.findall(r"[A-Z]'*\d+", words[0])
    if not 1 <= len(words) <= MAX_SECTIONS:
        raise RequestError(f"a form must have 1 to {MAX_SECTIONS} sections; got {len(words)}: {_EXAMPLE}")
    out = []
    for word in words:
        found = _SECTION.fullmatch(word)
        if found is None or int(found[2] or 1) < 1:
            raise RequestError(f"a form must be sections with their bars; got {text!r:.80}: {_EXAMPLE}")
        out.append(FormPart(found[1], int(found[2] or 0)))
    return out


def form_spans(text: str, bars: int | None = None) -> tuple[FormSpan, ...]:
    """Return the sections of a form at their places in a piece of `bars` bars; None: as long as the form makes it.

    Sections that say no length share what the others leave, 8 bars each where `bars` is left open. RequestError where
    form and bars contradict each other.

    >>> [(span.label, span.first, span.bars, span.like) for span in form_spans("A8 B4 A'8")]
    [('A', 0, 8, -1), ('B', 8, 4, -1), ("A'", 12, 8, 0)]
    >>> sum(span.bars for span in form_spans("AABA", 16))
    16
    """
    parts = parse_form(text)
    said, left_open = sum(part.bars for part in parts), sum(part.bars == 0 for part in parts)
    share = OPEN_BARS
    if bars is not None and not left_open and said != bars:
        raise RequestError(f"the form {text!r} lasts {said} bar{'s' * (said != 1)}, so bars must be {said} or be left "
                           f"out; got {bars}")
    if bars is not None and left_open:
        share, rest = divmod(bars - said, left_open)
        if share < 1 or rest:
            beyond = f" beyond the {said} that it says" if said else ""
            raise RequestError(f"bars must share out evenly among the {left_open} sections of {text!r} that say no "
                               f"length{beyond}; got {bars}: give each its bars, or another number")
    spans: list[FormSpan] = []
    labels: dict[str, int] = {}
    letters: dict[str, int] = {}
    at = 0
    for index, part in enumerate(parts):
        like = labels.get(part.label, letters.get(part.letter, -1))
        spans.append(FormSpan(part.label, at, part.bars or share, like, like >= 0 and part.label not in labels))
        labels.setdefault(part.label, index)
        letters.setdefault(part.letter, index)
        at += part.bars or share
    return tuple(spans)


def chords_of_form(spans: tuple[FormSpan, ...], sections: dict[int, str]) -> str:
    """Return the chords of a whole piece, bar by bar, of those of its new sections (by index): what returns has them
    again, from the beginning.

    >>> chords_of_form(form_spans("A2 B1 A2"), {0: "C | G C", 1: "F"})
    'C | G C | F | C | G C'
    """
    bars: list[str] = []
    for index, span in enumerate(spans):
        source = index
        while source not in sections:
            source = spans[source].like
        bars += [" ".join(group) for group in theory.parse_chords(sections[source], span.bars)]
    return " | ".join(bars)


def check_chords(text: str, bars: int, chords: str) -> None:
    """Raise the RequestError of chords that are other ones where a section returns unvaried.

    >>> check_chords("A2 A2", 4, "C F C F")
    """
    spans, given = form_spans(text, bars), theory.parse_chords(chords, bars)
    for span in spans:
        if span.like < 0 or span.varied:
            continue
        source = spans[span.like]
        for k in range(min(span.bars, source.bars)):
            here, there = given[span.first + k], given[source.first + k]
            if here != there:
                raise RequestError(f"chords must be the same wherever a section of the form {text!r} returns; in bar "
                                   f"{span.first + k + 1} came {' '.join(here)}, in bar {source.first + k + 1} "
                                   f"{' '.join(there)}: change one, or write {span.label}' for what is varied")
