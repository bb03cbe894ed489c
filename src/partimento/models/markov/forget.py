"""What each piece told the markov family, so that a piece can be forgotten as if it had never been learnt."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.counting.mixture import SHIFT, Mixture
from partimento.models.base import Arrays
from partimento.score import Score

ORDERED = ("meter", "tempo", "key", "tracks", "roles", "harmony")  # their order says which of equals came first
Counts = dict[str, Counter[Any]]
Ints = npt.NDArray[np.int32]


class Told(NamedTuple):
    """What pieces told, in their order: a mark of the music of each (uint64), and their rows of the tables in ORDERED.

    Of each table `values` holds the different rows, in the order in which they first came, `rows` (int32) one after
    another what each piece told, as places among those, and `sizes` (int32) how many of these are of each piece.
    """

    marks: npt.NDArray[np.uint64]
    values: Mapping[str, Sequence[Any]]
    rows: Mapping[str, Ints]
    sizes: Mapping[str, Ints]

    def times(self, score: Score) -> int:
        """How often this music is among the pieces."""
        return int((self.marks == mark_of(score)).sum())

    def without(self, score: Score) -> Told:
        """What the others told."""
        stay = self.marks != mark_of(score)
        values, rows = {}, {}
        for name in ORDERED:
            left = self.rows[name][np.repeat(stay, self.sizes[name])]
            found, first, place = np.unique(left, return_index=True, return_inverse=True)
            order = np.argsort(first)
            values[name] = [self.values[name][i] for i in found[order].tolist()]
            rows[name] = np.argsort(order)[place].astype(np.int32) if len(left) else left
        return Told(self.marks[stay], values, rows, {name: sizes[stay] for name, sizes in self.sizes.items()})

    def tables(self) -> Counts:
        """The tables of all pieces together, equals in the order in which they first came."""
        return {name: Counter(dict(zip(self.values[name], np.bincount(self.rows[name]).tolist(), strict=True)))
                for name in ORDERED}

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """The values as JSON and the rest as arrays."""
        arrays: Arrays = {"told.marks": self.marks}
        for name in ORDERED:
            arrays |= {f"told.{name}": self.rows[name], f"told.{name}.sizes": self.sizes[name]}
        return {name: list(self.values[name]) for name in ORDERED}, arrays

    @classmethod
    def restored(cls, values: Mapping[str, Sequence[Any]], arrays: Mapping[str, npt.NDArray[Any]]) -> Told:
        """Take back what `state` gave."""
        return cls(arrays["told.marks"], {name: [_hashable(value) for value in values[name]] for name in ORDERED},
                   {name: arrays[f"told.{name}"] for name in ORDERED},
                   {name: arrays[f"told.{name}.sizes"] for name in ORDERED})


class Notebook:
    """What pieces tell, written down one after another."""

    def __init__(self) -> None:
        self._marks: list[np.uint64] = []
        self._places: dict[str, dict[Any, int]] = {name: {} for name in ORDERED}
        self._rows = {name: array("i") for name in ORDERED}
        self._sizes = {name: array("i") for name in ORDERED}

    def add(self, score: Score, facts: Counts) -> None:
        """Write down a piece and the counts of its facts."""
        self._marks.append(mark_of(score))
        for name in ORDERED:
            places = self._places[name]
            told = [places.setdefault(value, len(places)) for value in facts[name].elements()]
            self._rows[name].extend(told)
            self._sizes[name].append(len(told))

    def told(self) -> Told:
        """All of it."""
        return Told(np.array(self._marks, np.uint64), {name: list(places) for name, places in self._places.items()},
                    *({name: np.array(own[name], np.int32) for name in ORDERED} for own in (self._rows, self._sizes)))


def mark_of(score: Score) -> np.uint64:
    """A number that tells the music of pieces apart: notes, clock, meters, tempos, keys and tracks, not titles.

    >>> bool(mark_of(Score()) == mark_of(Score(end=480)))
    False
    """
    frame = [score.ticks_per_quarter, score.end, score.meters, score.tempos, score.keys, score.tracks]
    digest = hashlib.blake2b(json.dumps(frame, default=int).encode(), digest_size=8)
    digest.update(score.notes().astype("<i4").tobytes())
    return np.uint64(int.from_bytes(digest.digest(), "little"))


def sorted_rows(counts: Counter[Any], kept: int) -> Counter[Any]:
    """The `kept` most frequent rows, of equals those that came first, sorted by count and then by value."""
    return Counter(dict(sorted(counts.most_common(kept), key=lambda row: (-row[1], row[0]))))


def counters(tables: Mapping[str, Sequence[Sequence[Any]]], names: Iterable[str]) -> Counts:
    """Tables of rows as counters, their order kept."""
    out: Counts = {}
    for name in names:
        rows = [(row[:-1], row[-1]) for row in tables[name]]
        single = name in ("meter", "tempo")
        out[name] = Counter({values[0] if single else tuple(values): count for values, count in rows})
    return out


def without(counts: Counter[Any], own: Counter[Any]) -> Counter[Any]:
    """The counts less those of a piece, the most frequent first; rows that were not kept are not missed."""
    left = Counter({value: count - own[value] for value, count in counts.items() if count > own[value]})
    return Counter(dict(left.most_common()))


def codes_of(mixture: Mixture) -> list[int]:
    """The values of the first column, `part`, that a mixture still has rows of, sorted."""
    return [int(value) for value in np.unique((mixture.levels[1].key & 0xFFFF) - SHIFT)]


def trimmed(mixture: Mixture, ends_apart: bool) -> None:
    """Cut the weights of groups above those that are left, of whose rows none is.

    The groups of a part are two, of which the second is always there where ends stand apart, else never.
    """
    parts = codes_of(mixture)
    groups = 2 * parts[-1] + 1 + ends_apart if parts else 1
    mixture.weights = np.ascontiguousarray(mixture.weights[:, :groups])


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
