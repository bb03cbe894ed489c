"""How much every note tells: the distributions that a part was written from, line after line, and what was taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from partimento.counting.mixture import Floats, Ints, Mixture
from partimento.models.base import Information, entropy_of
from partimento.models.markov.learn import heard
from partimento.models.markov.line import Line
from partimento.models.markov.part import SIZES, Part, chords, jumps, line_rank
from partimento.models.markov.sheet import Notes
from partimento.models.markov.write import Page, Writer

LEAST = 1e-18               # what weighs less is lost in the sum
STAGES_TOLD = ("rhythm", "size", "pitch", "duration")
Key = tuple[int, int] | None


class _Measuring:
    """A pen that takes what is given and keeps the lines of some stages, and how many equal choices there were."""

    def __init__(self, stages: Sequence[str]) -> None:
        self.stages, self.sharpened = stages, False
        self.lines: dict[str, list[tuple[Line, list[int]]]] = {stage: [] for stage in STAGES_TOLD}
        self.even_among: list[int] = []

    def line(self, stage: str, line: Callable[[], Line], given: Sequence[int] | None) -> Sequence[int]:
        """The symbols given, their line kept."""
        assert given is not None
        if stage in self.stages:
            self.lines[stage].append((line(), list(given)))
        return given

    def even(self, stage: str, count: int, given: int | None) -> int:
        """The choice given; of a whole piece only the longest durations have one."""
        if stage == "duration":
            self.even_among.append(count)
        return given or 0


class _Written:
    """One part as it stands: its notes in the page's content, onset by onset from the top down, and its lines."""

    def __init__(self, page: Page, part: Part, own: Notes, place: Ints, pen: _Measuring) -> None:
        self.part, self.own, self.place, self.pen = part, own, place, pen
        self.onsets, sizes, members = chords(own)
        self.members = [member[:SIZES] for member in members]
        self.sizes = np.minimum(sizes, SIZES)
        self.first = np.array([member[rank] for member, rank in zip(
            self.members, line_rank(0, self.sizes, part.bottom_first).tolist(), strict=True)], np.int64)

    def pitch_lines(self) -> Iterator[tuple[Line, list[int], Ints]]:
        """Each line of pitches, its symbols, and which of the part's notes they are."""
        for number, (line, symbols) in enumerate(self.pen.lines["pitch"]):
            rows = np.flatnonzero(self.sizes > number)
            ranks = line_rank(number, self.sizes[rows], self.part.bottom_first)
            yield line, symbols, np.array([self.members[i][r] for i, r in zip(rows, ranks, strict=True)], np.int64)

    def by_pitch(self, line: Line, symbols: list[int], notes: Ints) -> Floats:
        """float64[n, 128]: the chance of every pitch at each note of a line."""
        step = self.own.onset[notes]
        degree = self.part.degrees(np.broadcast_to(np.arange(128), (len(notes), 128)), step[:, None])
        return np.asarray(line.chances(symbols)[np.arange(len(notes))[:, None], degree])


def markov_information(page: Page, stages: Mapping[str, Mixture], codes: Mapping[tuple[int, int], int],
                     keys: Sequence[tuple[Key, float]]) -> Information:
    """What every note of a page tells, all of it to be weighed, in keys of which each is so likely before any note."""
    n = len(page.around)
    content = {stage: np.full(n, np.nan) for stage in STAGES_TOLD}
    entropy = {stage: np.full(n, np.nan) for stage in STAGES_TOLD}
    for table in (content, entropy):
        for own in table.values():
            own[page.index] = 0.0
    ends = dict.fromkeys(STAGES_TOLD, (0.0, 0.0))

    def add(stage: str, notes: Ints, taken: Floats, expected: Floats) -> None:
        np.add.at(content[stage], page.index[notes], taken)
        np.add.at(entropy[stage], page.index[notes], expected)

    for written in _parts(page, stages, codes, keys[0][0], STAGES_TOLD if len(keys) == 1 else STAGES_TOLD[:2] +
                          STAGES_TOLD[3:]):
        more = _rhythm(written, page.frame.grid, add)
        ends["rhythm"] = (ends["rhythm"][0] + more[0], ends["rhythm"][1] + more[1])
        _sizes_and_lengths(written, add)
        if len(keys) == 1:
            for line, symbols, notes in written.pitch_lines():
                chances = line.chances(symbols)
                add("pitch", written.place[notes], _taken(chances, symbols), entropy_of(chances))
    if len(keys) > 1:
        add("pitch", *_pitches_in_any_key(page, stages, codes, keys))
    return Information.from_nats(content, entropy, ends)


def _parts(page: Page, stages: Mapping[str, Mixture], codes: Mapping[tuple[int, int], int], key: Key,
           wanted: Sequence[str]) -> Iterator[_Written]:
    """Every part in the order of writing, its lines kept."""
    stand = page.kept
    for part, known in page.parts(codes, key):
        place = np.flatnonzero(page.content.track == part.track)
        own = page.content.where(place)
        part = part._replace(known=heard(stand, known, page.roles))
        pen = _Measuring(wanted)
        Writer(page, part, stages, pen, own).write()
        yield _Written(page, part, own, place, pen)
        stand = Notes.joined([stand, own])


def _taken(chances: Floats, symbols: Sequence[int]) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log(chances[np.arange(len(symbols)), np.asarray(symbols, np.intp)]))


def _rhythm(written: _Written, grid: int, add: Callable[..., None]) -> tuple[float, float]:
    """Each onset's share goes to its first note; what comes after the last one comes back."""
    after = (0.0, 0.0)
    for line, symbols in written.pen.lines["rhythm"]:
        jump, chances = jumps(grid), line.chances(symbols)
        moved = line.start + np.cumsum(jump[np.asarray(symbols, np.intp)])
        places = np.append(line.start, moved[:-1])
        past = places[:, None] + jump >= line.places                # all that is past the last place is one: the end
        merged = np.concatenate([np.where(past, 0.0, chances), (chances * past).sum(axis=1)[:, None]], axis=1)
        over = past[np.arange(len(symbols)), symbols]
        taken = _taken(merged, np.where(over, merged.shape[1] - 1, symbols).tolist())
        expected = entropy_of(merged)
        to = np.searchsorted(written.onsets + 1, moved)             # silences count towards the onset after them
        mine = ~over & (to < len(written.onsets))
        add("rhythm", written.place[written.first[to[mine]]], taken[mine], expected[mine])
        after = after[0] + float(taken[~mine].sum()), after[1] + float(expected[~mine].sum())
    return after


def _sizes_and_lengths(written: _Written, add: Callable[..., None]) -> None:
    for line, symbols in written.pen.lines["size"]:
        chances = line.chances(symbols)
        add("size", written.place[written.first], _taken(chances, symbols), entropy_of(chances))
    for line, symbols in written.pen.lines["duration"]:
        chances = line.chances(symbols)
        notes = np.concatenate(written.members)
        longest = np.flatnonzero(np.array(symbols) == chances.shape[1] - 1)
        even = np.zeros(len(symbols))
        even[longest] = np.log(np.array(written.pen.even_among, float))
        add("duration", written.place[notes], _taken(chances, symbols) + even, entropy_of(chances) + even)


def _pitches_in_any_key(page: Page, stages: Mapping[str, Mixture], codes: Mapping[tuple[int, int], int],
                        keys: Sequence[tuple[Key, float]]) -> tuple[Ints, Floats, Floats]:
    """Where no key is known: each pitch from the mixture of all keys, as likely as the pitches before have made them.

    The notes (places in the page's content), what they tell and what was expected. The first walk weighs the notes in
    every key, the second mixes the distributions.
    """
    rows: list[list[Floats]] = [[np.zeros(0)] for _ in keys]
    found: list[Ints] = [np.zeros(0, np.int64)]
    for k, (key, _) in enumerate(keys):
        for written in _parts(page, stages, codes, key, ("pitch",)):
            for line, symbols, notes in written.pitch_lines():
                rows[k].append(-_taken(line.chances(symbols), symbols))
                found += [written.place[notes]] if k == 0 else []
    logs, places = np.array([np.concatenate(own) for own in rows]), np.concatenate(found)
    before = np.cumsum(logs, axis=1) - logs + np.log([weight for _, weight in keys])[:, None]
    weights = np.exp(before - np.logaddexp.reduce(before, axis=0))
    mixed = np.zeros((logs.shape[1], 128))
    for (key, _), weight in zip(keys, weights, strict=True):
        at = 0
        for written in _parts(page, stages, codes, key, ("pitch",)):
            for line, symbols, notes in written.pitch_lines():
                own = slice(at, at + len(notes))
                at += len(notes)
                if weight[own].max(initial=0.0) > LEAST:
                    mixed[own] += weight[own, None] * written.by_pitch(line, symbols, notes)
            if weight[at:].max(initial=0.0) <= LEAST:
                break
    return places, _taken(mixed, page.content.pitch[places].tolist()), entropy_of(mixed)
