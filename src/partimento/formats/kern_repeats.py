"""Repeats, endings and jumps of a Humdrum file: from its bar lines, its section labels and the order of playing."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

_LABEL = re.compile(r"(.*?)(\d+)")
Sign = tuple[int, str, str]             # tick, kind and text of a Mark


class Section(NamedTuple):
    """A stretch between two labels, in ticks; `family` and `number` are those of an ending (B and 2 of ``B2``)."""

    label: str
    start: int
    stop: int
    family: str
    number: int


def barline_signs(time: int, word: str) -> list[Sign]:
    """The marks of a bar line.

    >>> barline_signs(960, "=5:|!|:"), barline_signs(960, "==")
    ([(960, 'repeat', 'end'), (960, 'repeat', 'start')], [(960, 'barline', 'final')])
    """
    style = "".join(char for char in word if char in ":|!")
    out: list[Sign] = []
    if len(style) > 1 and style[0] == ":":
        out.append((time, "repeat", "end"))
    if len(style) > 1 and style[-1] == ":":
        out.append((time, "repeat", "start"))
    if out:
        return out if time else out[-1:] if out[-1][2] == "start" else []
    if not time:
        return []
    if word.startswith("==") or style in ("|!", "||!", "!!"):
        return [(time, "barline", "final")]
    if style in ("||", "!||", "!|"):
        return [(time, "barline", "double")]
    return [(time, "barline", "none")] if "-" in word else []


def sections_of(labels: Sequence[tuple[int, str]], end: int) -> list[Section]:
    """The sections that labels such as ``*>A`` begin, in order; a label said again does not count again.

    >>> [tuple(section)[1:] for section in sections_of([(0, "A"), (960, "A1"), (1920, "A2")], 2880)]
    [(0, 960, '', 0), (960, 1920, 'A', 1), (1920, 2880, 'A', 2)]
    """
    first: dict[str, int] = {}
    for time, label in labels:
        first.setdefault(label, time)
    ordered = sorted(first.items(), key=lambda item: item[1])
    out: list[Section] = []
    for (label, start), (_, stop) in itertools.pairwise([*ordered, ("", end)]):
        found = _LABEL.fullmatch(label)
        before = out[-1] if out else None
        base = found[1] if found and before and found[1] in (before.label, before.family) else ""
        out.append(Section(label, start, stop, base, int(found[2][:3]) if found and base else 0))
    return out


def section_signs(sections: Sequence[Section], order: Sequence[str], signs: Sequence[Sign]) -> tuple[list[Sign], str]:
    """The marks that sections and the order of playing add to the `signs` of the page, and a notice or nothing.

    `order` is the expansion list, empty where the file has none: it says the times of a repeat, the numbers of endings,
    and jumps back, unless the page has words for them.
    """
    by_label = {section.label: section for section in sections}
    families = {section.family for section in sections if section.family}
    order = [label for label in order if label in by_label]
    out = _endings(sections, order, signs)
    have = {(time, text.split()[0]) for time, kind, text in signs if kind == "repeat"}
    jumps: list[tuple[int, int, int]] = []           # end of what was played, where to go on, the place in the list
    at = 0
    while at < len(order):
        section = by_label[order[at]]
        times = 1
        while at + 1 < len(order) and order[at + 1] == order[at]:
            times, at = times + 1, at + 1
        repeated = at + 1 < len(order) and _repeated(by_label[order[at + 1]], section)
        if (times > 1 or repeated) and section.start and not {(section.start, "start"), (section.start, "end")} & have:
            out.append((section.start, "repeat", "start"))
        if times > 1:
            if (section.stop, "end") not in have and section.label not in families:
                out.append((section.stop, "repeat", "end"))
            if times > 2 and section.label not in families:
                out.append((section.stop, "repeat", f"end {times}"))
        following = by_label[order[at + 1]] if at + 1 < len(order) else None
        if following is not None and following.start < section.start and not _repeated(section, following):
            jumps.append((section.stop, following.start, at + 1))
        at += 1
    worded = any(kind == "repeat" and text.startswith("d") for _, kind, text in signs)
    out = list(dict.fromkeys(out))
    if not jumps or worded:
        return out, ""
    if len(jumps) > 1:
        return out, ("the order of playing that the file gives has more than one jump back, which no signs of a page "
                     "say: it is left out")
    return out + _jump(*jumps[0], [by_label[label] for label in order]), ""


def _repeated(ending: Section, following: Section) -> bool:
    """Whether playing goes from a first ending back to what it is the ending of."""
    return bool(ending.family) and ending.family == following.label


def _endings(sections: Sequence[Section], order: Sequence[str], signs: Sequence[Sign]) -> list[Sign]:
    """Brackets over the sections that are endings."""
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    family, times, done = "", 0, set[str]()
    by_label = {section.label: section for section in sections}
    for label in order:
        section = by_label[label]
        base = section.family or label
        if base != family:
            done.add(family)
            family, times = base, 0
        if base in done:
            continue
        times += not section.family
        if section.family:
            numbers[label].add(max(times, 1))
    out: list[Sign] = []
    closed = {time for time, kind, text in signs if text.split()[0] in ("end", "final", "double")}
    repeats = {time for time, kind, text in signs if kind == "repeat" and text == "end"}
    for index, section in enumerate(sections):
        if not section.family or section.stop <= section.start:
            continue
        which = sorted(numbers[section.label] or {section.number})
        out.append((section.start, "repeat", "ending " + ",".join(map(str, which))))
        out.append((section.stop, "repeat", "ending stop" if section.stop in closed else "ending open"))
        another = index + 1 < len(sections) and sections[index + 1].family == section.family
        if another and section.stop not in repeats:
            out.append((section.stop, "repeat", "end"))
    return out


def _jump(stop: int, back_to: int, at: int, played: Sequence[Section]) -> list[Sign]:
    """Da capo or dal segno, with the fine or the coda that the rest of the list makes of it."""
    out: list[Sign] = []
    kind = "dal segno" if back_to else "da capo"
    if back_to:
        out.append((back_to, "repeat", "segno"))
    rest = played[at:]
    for before, after in itertools.pairwise(rest):
        if after.start >= stop > before.stop:
            return [*out, (stop, "repeat", kind + " al coda"), (before.stop, "repeat", "to coda"),
                    (after.start, "repeat", "coda")]
    if rest[-1].stop < stop:
        return [*out, (stop, "repeat", kind + " al fine"), (rest[-1].stop, "repeat", "fine")]
    return [*out, (stop, "repeat", kind)]
