"""Is a piece new: what it shares with the pieces of an index, how rare that is, and whether it borrows too much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import RequestError, nearest
from partimento.fingerprint.index import Index, build_index, read_index, with_borrowing
from partimento.fingerprint.passages import UNITS, strands
from partimento.fingerprint.shared import Shared, shared_passages
from partimento.models.base import Piece, Progress, Report
from partimento.sampling import generator
from partimento.score import BoolArray, Score

# Bits of a passage from which on it is borrowed, of a piece and an index of these sizes; found on one half of four sets
# (bench/tables/originality.py tests them on the other): 1 and 3 of 100 held-out human pieces have so much.
STRENGTHS = {"normal": 46.0, "strict": 38.0}
NOTES, INDEX_NOTES = 256, 870_000
DOUBLE = 4.0            # bits more where the piece or the index is twice as long: there is more chance
FEWEST_NOTES = 64       # of a piece: a shorter one has no fewer bits
FEWEST_BITS = 34.0      # however small piece and index are
QUARTERS = 15           # that a passage lasts of which so many are asked
A_QUARTER = 0.6         # bits fewer of one that is a quarter note longer, as many more of one that is shorter
MOST_QUARTERS = 20      # a passage that lasts longer is asked for no fewer
LISTED = 20.0           # bits of a passage that is told of
COMMON = 0.25           # of its notes in shared passages, and more than is usual: the piece is common material
MANY = 5                # pieces of the index that have a passage: from then on it is common
AS_MUCH = 0.5           # of the notes and of the bits of a passage: another source that has so much has it too
SAMPLE = 120            # pieces of a corpus that are looked up among the others
STRETCH = 16            # bars of each
SAME = 0.5              # of its notes: a piece that shares so much with another is a near duplicate of it

Bars = tuple[int, int]


class Passage(NamedTuple):
    """A passage that stands in a piece of the index too.

    `bars` and `source_bars` are numbers of bars, first and last, as a page numbers them; `start` and `end` ticks. Of
    `among` new notes there `notes` agree, in `tracks`. `bits` is what it says: how rare its turns are; `sources` how
    many pieces of the index have about as much of it. `semitones` is how much higher the source is, modulo the octave,
    and `slower` how many times longer its notes are. `borrowed`: it says too much for chance, and few have it.
    """

    source: str
    bars: Bars
    source_bars: Bars
    notes: int
    among: int
    bits: float
    sources: int
    semitones: int
    slower: float
    start: int
    end: int
    tracks: tuple[int, ...]
    borrowed: bool

    @property
    def text(self) -> str:
        """The passage in a sentence."""
        higher = -self.semitones % 12                           # than the source
        by = min(higher, 12 - higher)
        key = f"{by} semitone{'s' if by > 1 else ''} {'higher' if higher <= 6 else 'lower'}"
        changed = [key if by else "", f"{self.slower:.3g} times as fast" if abs(self.slower - 1) > 0.02 else ""]
        said = "".join(f", {one}" for one in changed if one)
        common = f"; {self.sources - 1} more have it" if self.sources > 1 else ""
        return (f"{_bars(self.bars)}: {self.notes} of {self.among} notes as in {_bars(self.source_bars)} of "
                f"{self.source}{said} ({self.bits:.0f} bits{common})")


class BarRow(NamedTuple):
    """One bar: its number, the share of its new notes that stand in shared passages, and the passage of most bits there
    by its number in `Originality.passages` (−1: none)."""

    bar: int
    share: float
    passage: int


class Cell(NamedTuple):
    """A place that borrows too much: a track, and ticks from and up to which."""

    track: int
    start: int
    end: int


class Originality(NamedTuple):
    """What a piece shares with an index.

    `verdict` is ``original``, ``common material`` or ``borrows``; `text` says it in a sentence. `share` (0–1) of its
    new notes stand in passages that the index has too; of the pieces of the index, among one another, 95 % lie between
    `usual` (low, high), and `rank` (0–1) of them share less; both None where that is not known. `passages` are those
    that say most first; `bars` every bar; `cells` what borrows too much. `notes` is how many notes were judged.
    """

    verdict: str
    text: str
    share: float
    usual: tuple[float, float] | None
    rank: float | None
    passages: tuple[Passage, ...]
    bars: tuple[BarRow, ...]
    cells: tuple[Cell, ...]
    notes: int
    strength: str

    @property
    def borrowed_bars(self) -> float:
        """The share (0–1) of its bars in which a passage is that is borrowed."""
        hit = sum(any(p.borrowed and p.bars[0] <= row.bar <= p.bars[1] for p in self.passages) for row in self.bars)
        return hit / len(self.bars) if self.bars else 0.0

    def as_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return {"verdict": self.verdict, "text": self.text, "share": round(self.share, 4), "strength": self.strength,
                "usual": None if self.usual is None else [round(x, 4) for x in self.usual], "rank": self.rank,
                "notes": self.notes, "passages": [{**one._asdict(), "text": one.text} for one in self.passages],
                "bars": [{"bar": bar.bar, "share": round(bar.share, 4),
                          "passage": None if bar.passage < 0 else bar.passage} for bar in self.bars],
                "cells": [cell._asdict() for cell in self.cells]}


def check_strength(strength: str) -> None:
    """RequestError where `strength` is neither ``normal`` nor ``strict``."""
    if strength not in STRENGTHS:
        raise RequestError(nearest(str(strength), STRENGTHS, "strength of originality"))


def borrowed_from(notes: int, index: Index, strength: str = "normal") -> float:
    """The bits from which on a passage is borrowed, in a piece of so many notes beside this index.

    So it is of a passage of 15 quarter notes in its source; each quarter more, up to 20, takes 0.6 bits from it, each
    quarter less adds as much.

    >>> borrowed_from(256, read_index(build_index([])))
    34.0
    """
    check_strength(strength)
    sizes = max(notes, FEWEST_NOTES) / NOTES * max(index.notes, 1) / INDEX_NOTES
    return max(FEWEST_BITS, STRENGTHS[strength] + DOUBLE * float(np.log2(sizes)))


def originality(score: Score, index: Index, *, new: BoolArray | None = None, strength: str = "normal",
                without: Iterable[int] = ()) -> Originality:
    """What the new notes (bool[n]; all where not given) of a piece share with an index, bar by bar, and the verdict.

    A passage is borrowed that says as much as `borrowed_from` states, if fewer than five pieces of the index have it;
    with the strength ``strict`` less is enough. `without` are pieces of the index that do not count, such as the piece
    itself.

    >>> pitch = [60, 64, 62, 67, 65, 59, 60, 57, 62, 55, 59, 60, 67, 64, 69, 62, 60, 65, 71, 68, 61, 63, 60, 55]
    >>> tune = Score.from_rows([(480 * i, 480, high, 80, 0) for i, high in enumerate(pitch)])
    >>> index = read_index(build_index([("tune", tune), ("scale", tune.replace(pitch=range(48, 72)))]))
    >>> originality(tune.replace(pitch=tune.pitch + 2), index).text
    'borrows from tune: bars 1–6: 24 of 24 notes as in bars 1–6 of tune, 2 semitones higher (76 bits)'
    """
    bits = borrowed_from(len(score) if new is None else int(np.sum(new)), index, strength)
    chosen = np.arange(len(score)) if new is None else np.flatnonzero(np.asarray(new, bool))
    part = score if new is None else score.select(np.asarray(new, bool))
    found = shared_passages(strands(part), index, without=tuple(without))
    best = _best(found)
    passages = tuple(_passage(score, index, one, found, chosen, bits) for one in best)
    inside = np.zeros(len(score), np.int64) - 1
    for number, one in reversed(list(enumerate(best))):
        inside[chosen[one.notes]] = number
    share = float((inside[chosen] >= 0).mean()) if len(chosen) else 0.0
    usual = rank = None
    if len(index.borrowing):
        usual = float(np.interp(0.025, np.linspace(0, 1, 101), index.borrowing)), \
            float(np.interp(0.975, np.linspace(0, 1, 101), index.borrowing))
        rank = round(float((index.borrowing < share).mean()), 2)
    cells = tuple(cell for one, row in zip(best, passages, strict=True) if row.borrowed
                  for cell in _cells(score, chosen[one.notes]))
    verdict, text = _verdict(passages, share, usual, len(chosen))
    return Originality(verdict, text, share, usual, rank, passages, _bar_table(score, chosen, inside), cells,
                       len(chosen), strength)


def originality_among(score: Score, indexes: Sequence[Index], *, new: BoolArray | None = None,
                      strength: str = "normal") -> Originality:
    """The originality beside the one of several indexes that the piece borrows most from; RequestError without any."""
    if not indexes:
        raise RequestError("to say whether a piece is original there must be an index to compare it with; got none")
    found = [originality(score, index, new=new, strength=strength) for index in indexes]
    return max(found, key=lambda one: (one.verdict == "borrows", one.share))


def _best(found: Sequence[Shared]) -> list[Shared]:
    """The passages of most bits, with what goes on with them, of which no other holds most of the notes."""
    out: list[Shared] = []
    for one in found:
        if one.bits < LISTED:
            break
        with_it = next((i for i, other in enumerate(out) if one.goes_on(other)), None)
        if with_it is not None:
            out[with_it] = out[with_it].joined(one)
        elif not any(len(np.intersect1d(one.notes, other.notes)) > AS_MUCH * len(one.notes) for other in out):
            out.append(one)
    return out


def _passage(score: Score, index: Index, one: Shared, found: Sequence[Shared], chosen: npt.NDArray[np.intp],
             bits: float) -> Passage:
    notes = chosen[one.notes]
    sources = {other.source for other in found if other.bits >= AS_MUCH * one.bits
               and len(np.intersect1d(one.notes, other.notes)) >= AS_MUCH * min(len(one.notes), len(other.notes))}
    start, end = int(score.onset[notes].min()), int(score.offset[notes].max())
    last = int(score.onset[notes].max())
    quarters = min((one.source_end - one.source_start) / UNITS, MOST_QUARTERS)
    needed = max(FEWEST_BITS, bits + A_QUARTER * (QUARTERS - quarters))
    return Passage(index.name(one.source), (score.bar_number(start), score.bar_number(last)),
                   (index.bar(one.source, one.source_start), index.bar(one.source, one.source_end)), len(notes),
                   len(notes) + len(one.missed), round(one.bits, 1), len(sources), one.shift, one.scale, start, end,
                   tuple(np.unique(score.track[notes]).tolist()),
                   one.bits >= needed and len(sources) < MANY)


def _cells(score: Score, notes: npt.NDArray[np.intp]) -> list[Cell]:
    """The stretch that these notes take in each track."""
    out = []
    for track in np.unique(score.track[notes]).tolist():
        own = notes[score.track[notes] == track]
        out.append(Cell(track, int(score.onset[own].min()), int(score.offset[own].max())))
    return out


def _bar_table(score: Score, chosen: npt.NDArray[np.intp], inside: npt.NDArray[np.int64]) -> tuple[BarRow, ...]:
    starts = score.bar_starts
    bar = np.searchsorted(starts[:-1], score.onset[chosen], side="right") - 1
    rows = []
    for i in np.unique(bar).tolist():
        own = inside[chosen[bar == i]]
        some = own[own >= 0]
        rows.append(BarRow(score.bar_number(int(starts[i])), float((own >= 0).mean()), int(some.min()) if len(some)
                           else -1))
    return tuple(rows)


def _verdict(passages: Sequence[Passage], share: float, usual: tuple[float, float] | None,
             notes: int) -> tuple[str, str]:
    taken = [one for one in passages if one.borrowed]
    if taken:
        names = list(dict.fromkeys(one.source for one in taken))
        more = f", and from {len(names) - 1} more" if len(names) > 1 else ""
        return "borrows", f"borrows from {names[0]}{more}: {taken[0].text}"
    if not notes:
        return "original", "there are no new notes to judge"
    if not passages:
        return "original", "no passage of it stands in the corpus"
    if usual is not None and share > max(usual[1], COMMON):
        return "common material", (f"{share:.0%} of its notes stand in short turns that pieces of the corpus have too, "
                                   f"more than the {usual[1]:.0%} that is usual among them; no passage is borrowed")
    if any(one.sources >= MANY for one in passages):
        return "common material", f"what it shares many have: {passages[0].text}"
    return "original", f"no passage is borrowed; the longest turn shared is in {passages[0].text}"


def _bars(bars: Bars) -> str:
    return f"bar {bars[0]}" if bars[0] == bars[1] else f"bars {bars[0]}–{bars[1]}"


def originality_text(found: Originality) -> str:
    """The originality as a few lines for a terminal."""
    lines = [f"{found.verdict}: {found.text}" if found.verdict != "borrows" else found.text]
    if found.notes:
        said = f"{found.share:.0%} of {found.notes:,} notes stand in passages of {LISTED:.0f} bits or more that the " \
               "corpus has too"
        if found.usual is not None:
            said += f"; of its own pieces 95 % share {found.usual[0]:.0%} to {found.usual[1]:.0%} with the others"
        lines.append(said)
    lines += [f"  {one.text}" for one in found.passages[:8]]
    return "\n".join(lines)


def originality_table(found: Sequence[tuple[str, Originality]]) -> str:
    """The originality of several pieces, given with their names, a line each, and how many there are of a verdict."""
    rows = [(name, one.verdict, f"{one.share:.0%}", one.passages[0].text if one.passages else "")
            for name, one in found]
    widths = [max([len(row[i]) for row in rows], default=0) for i in range(3)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
             for row in rows]
    verdicts = [one.verdict for _, one in found]
    said = ", ".join(f"{verdicts.count(kind)} {kind}" for kind in dict.fromkeys(verdicts))
    return "\n".join([*lines, f"{len(found)} pieces: {said}"])


# --- a corpus -------------------------------------------------------------------------------------------------------


def corpus_index(pieces: Sequence[Piece | tuple[str, Score]], *, seed: int = 0, report: Report | None = None) -> bytes:
    """The index of a corpus with how much its pieces borrow from one another, as bytes (see ``fingerprint.index``).

    For the latter 16 bars each of at most 120 pieces, drawn by `seed`, are looked up among the others; a piece with
    which a stretch shares half of its notes is a near duplicate of it and left out.
    """
    def named(piece: Piece | tuple[str, Score]) -> tuple[str, Score]:
        return (piece.id, piece.score) if isinstance(piece, Piece) else piece

    def told() -> Iterable[tuple[str, Score]]:
        for done, piece in enumerate(pieces):
            if report is not None and done % 50 == 0:
                report(Progress("indexing", done, len(pieces)))
            yield named(piece)

    data = build_index(told())
    index = read_index(data)
    if index.pieces < 2:
        return data
    order = np.argsort(generator(seed).random(index.pieces), kind="stable")[:SAMPLE]
    shares = []
    for done, number in enumerate(order.tolist()):
        if report is not None:
            report(Progress("comparing", done, len(order)))
        score = named(pieces[number])[1]
        first = int(generator(seed, number).random() * max(1, score.n_bars - STRETCH + 1))
        starts = score.bar_starts
        last = int(starts[min(first + STRETCH, score.n_bars)])
        stretch = score.select((score.onset >= int(starts[first])) & (score.onset < last))
        if len(stretch):
            shares.append(_shared_with_others(stretch, index, number))
    return with_borrowing(data, shares)


def _shared_with_others(score: Score, index: Index, number: int) -> float:
    """The share of the notes of a stretch that other pieces have too, its near duplicates left out."""
    found = shared_passages(strands(score), index, without=(number,))
    by_source: dict[int, set[int]] = {}
    for one in found:
        by_source.setdefault(one.source, set()).update(one.notes.tolist())
    shared: set[int] = set()
    for one in found:
        if one.bits >= LISTED and len(by_source[one.source]) < SAME * len(score):
            shared.update(one.notes.tolist())
    return len(shared) / len(score)
