"""Which columns of a Humdrum file are the staves of one part."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from partimento.formats import kern_words


class Staves(NamedTuple):
    """Where a column stands: the number of its track, its staff from 1 at the top, and how many staves there are."""

    part: int
    staff: int
    of: int


class KernPart(NamedTuple):
    """A part: its columns from the top staff down, its name and short name, the codes of its instrument, the most
    exact first, and the steps, diatonic and chromatic, from sounding to written."""

    spines: tuple[int, ...]
    name: str
    short: str
    codes: list[str]
    written: tuple[int, int]


def staves_of(spines: Sequence[int], facts: Mapping[int, Mapping[str, str]], decoration: str) -> list[KernPart]:
    """The parts from the top of the page down; `spines` come from the lowest, `decoration` is how staves are braced.

    Columns of one *part are one part; so are two neighbours of a keyboard, and the only two columns of a file that
    names no instrument and has a bass clef under a treble clef.

    >>> facts = {0: {"code": "piano"}, 1: {"code": "piano"}, 2: {"code": "vox", "name": "Canto"}}
    >>> [part.spines for part in staves_of([0, 1, 2], facts, "")]
    [(2,), (1, 0)]
    """
    groups: list[list[int]] = []
    for spine in spines:
        part = facts[spine].get("part")
        if part and groups and any(facts[other].get("part") == part for other in groups[-1]):
            groups[-1].append(spine)
        else:
            groups.append([spine])
    groups = _paired(groups, facts, decoration)
    return [_part(group[::-1], facts) for group in reversed(groups)]


def _paired(groups: list[list[int]], facts: Mapping[int, Mapping[str, str]], decoration: str) -> list[list[int]]:
    """Two neighbouring staves of a keyboard, from the lowest up, as one group."""
    if len(groups) == 2 and all(len(group) == 1 and not _codes(facts[group[0]]) and not facts[group[0]].get("name")
                                for group in groups):
        low, high = (facts[group[0]].get("clef", "") for group in groups)
        if (low[:1], high[:1]) == ("F", "G") or re.search(r"\{", decoration):
            return [groups[0] + groups[1]]
    out: list[list[int]] = []
    at = 0
    while at < len(groups):
        pair = groups[at:at + 2]
        if len(pair) == 2 and all(len(group) == 1 for group in pair) and _one_keyboard(*(facts[g[0]] for g in pair)):
            out.append(pair[0] + pair[1])
            at += 2
        else:
            out.append(groups[at])
            at += 1
    return out


def _one_keyboard(low: Mapping[str, str], high: Mapping[str, str]) -> bool:
    """Whether one of two staves is said to be a keyboard's and the other is too, or says nothing."""
    said = [kern_words.is_keyboard(_codes(facts), facts.get("name", "")) for facts in (low, high)]
    silent = [not _codes(facts) and not facts.get("name") for facts in (low, high)]
    return all(said) or (any(said) and any(silent))


def _codes(facts: Mapping[str, str]) -> list[str]:
    return [facts[name] for name in ("code", "class") if facts.get(name)]


def _part(spines: list[int], facts: Mapping[int, Mapping[str, str]]) -> KernPart:
    def first(name: str) -> str:
        return next((facts[spine][name] for spine in spines if facts[spine].get(name, "").strip()), "")

    name, short = (re.sub(r"^\[([^\[\]]*)\]$", r"\1", kern_words.plain_words(first(key))) for key in ("name", "short"))
    return KernPart(tuple(spines), name, short, [code for code in (first("code"), first("class")) if code],
                interval_of(first("ITr")))


def interval_of(text: str) -> tuple[int, int]:
    """Diatonic and chromatic steps of a transposition such as ``d1c2``; nothing moved where it is none.

    >>> interval_of("d-1c-2"), interval_of("")
    ((-1, -2), (0, 0))
    """
    found = re.match(r"d(-?\d{1,2})c(-?\d{1,2})", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)
