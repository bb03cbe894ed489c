"""What of the music comes back out of a registry, out of dense unsalted grams, and out of the index of a checkpoint.

    python bench/registry_attack.py nottingham/ABC_cleaned --minutes 10       # real guesses beside the estimate

The attacker has the file, knows how it is made, and owns a library: the other half of the same set and four other
sets. First every run of the library is tried, then runs in the order of their likelihood under an n-gram model of the
library. How many guesses come before a given run is estimated as Dell'Amico and Filippone do for passwords (CCS 2015):
runs are drawn from the model, and each stands for 1/p of its kind. Runs that no registry would hold are not tried. The
attacker gets the order for nothing: only hashes cost time.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

sys.path.append(str(Path(__file__).resolve().parent))
from pieces import CLOSED, scores_of

from partimento.fingerprint import melody_print
from partimento.fingerprint.grams import STEPS, grams_of
from partimento.fingerprint.index import STOP, build_index, read_index
from partimento.fingerprint.lines import RATIOS, WIDEST, placed_lines
from partimento.fingerprint.passages import DRUM, UNITS
from partimento.fingerprint.registry import Registry, digest
from partimento.fingerprint.registry_runs import RUN_STEPS, SAYS, chosen_runs, runs_of, says
from partimento.sampling import generator
from partimento.score import Score

HOUR = 3600.0
ORDER = 5                   # steps before a step that the model looks at
DRAWN = 400_000             # runs from which guesses are counted
SYMBOLS = 2 * WIDEST * RATIOS + RATIOS
OTHERS = ("open_hymnal", "openscore_lieder", "mutopia_midi", "openscore_quartets")
LENT = 300                  # pieces of each other set in the library
Runs = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Keys = npt.NDArray[np.uint64]


class _Table(NamedTuple):
    """Counts of steps after contexts of one length: `code` is context and step, `context` the distinct contexts."""

    code: Keys
    count: npt.NDArray[np.int64]
    context: Keys
    first: npt.NDArray[np.int64]
    total: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.int64]
    below: npt.NDArray[np.int64]


class Guesser:
    """A model of runs: n-grams of steps, each length backed off to the shorter (Witten and Bell 1991)."""

    def __init__(self, lines: Iterable[Runs], order: int = ORDER) -> None:
        known = [line.astype(np.uint64) for line in lines]
        self._tables = [self._table(known, length) for length in range(order + 1)]

    @staticmethod
    def _table(lines: Sequence[Keys], length: int) -> _Table:
        codes = [np.zeros(0, np.uint64)]
        for line in lines:
            if len(line) > length:
                code = np.zeros(len(line) - length, np.uint64)
                for i in range(length + 1):
                    code = (code << np.uint64(8)) | line[i:len(line) - length + i]
                codes.append(code)
        code, count = np.unique(np.concatenate(codes), return_counts=True)
        context, first = np.unique(code >> np.uint64(8), return_index=True)
        total = np.add.reduceat(count, first) if len(first) else count
        return _Table(code, count, context, first, total, np.diff(np.append(first, len(code))),
                      np.append(0, np.cumsum(count)))

    def step(self, context: Keys, step: Keys, known: int) -> Floats:
        """The probability of each step after its context, of which the last `known` steps are there."""
        chance = np.full(len(step), 1 / SYMBOLS)
        for length, table in enumerate(self._tables[:known + 1]):
            before = context & np.uint64((1 << 8 * length) - 1)
            at = np.minimum(np.searchsorted(table.context, before), len(table.context) - 1)
            code = before << np.uint64(8) | step
            there = np.minimum(np.searchsorted(table.code, code), len(table.code) - 1)
            count = np.where(table.code[there] == code, table.count[there], 0)
            kinds, total = table.kinds[at], table.total[at]
            chance = np.where(table.context[at] == before, (count + kinds * chance) / (total + kinds), chance)
        return chance

    def bits(self, runs: Runs) -> Floats:
        """How unlikely each run is (float[n], -log2), over the three ratios that its first step may have."""
        chance = np.zeros(len(runs))
        for ratio in range(RATIOS):
            context = runs[:, 0].astype(np.uint64) + np.uint64(ratio)
            one = self.step(context, context, 0)
            for i in range(1, runs.shape[1]):
                step = runs[:, i].astype(np.uint64)
                one *= self.step(context, step, i)
                context = context << np.uint64(8) | step
            chance += one
        return np.asarray(-np.log2(chance))

    def draw(self, count: int, steps: int, rng: np.random.Generator) -> Runs:
        """Runs drawn from the model (uint8[count, steps]), their first step without its ratio."""
        out = np.zeros((count, steps), np.uint8)
        context = np.zeros(count, np.uint64)
        for i in range(steps):
            step = (rng.random(count) * SYMBOLS).astype(np.uint64)
            open_ = np.ones(count, bool)
            for length in range(min(len(self._tables) - 1, i), -1, -1):
                table = self._tables[length]
                before = context & np.uint64((1 << 8 * length) - 1)
                at = np.minimum(np.searchsorted(table.context, before), len(table.context) - 1)
                total = table.total[at]
                here = open_ & (table.context[at] == before) & (rng.random(count) * (total + table.kinds[at]) < total)
                pick = (table.below[table.first[at]] + rng.random(count) * total).astype(np.int64)
                code = np.minimum(np.searchsorted(table.below, pick, side="right") - 1, len(table.code) - 1)
                step = np.where(here, table.code[code] & np.uint64(255), step)
                open_ &= ~here
            out[:, i] = step
            context = context << np.uint64(8) | step
        out[:, 0] -= out[:, 0] % RATIOS
        return out

    def likeliest(self, least: float, steps: int = RUN_STEPS) -> Runs:
        """All runs of a probability of at least `least` whose steps follow one another in the library, likeliest first.

        The ratio of a first step counts here, so that a run may stand there for less than it has in all.
        """
        table, pairs = self._tables[0], self._tables[1]
        start = table.count / (table.total[0] + table.kinds[0])
        prefix = table.code[start >= least].astype(np.uint8)[:, None]
        chance = start[start >= least]
        for i in range(1, steps):
            found, chances = [], []
            for at in range(0, len(prefix), 1 << 14):
                part, own = prefix[at:at + (1 << 14)], chance[at:at + (1 << 14)]
                which = np.searchsorted(pairs.context, part[:, -1].astype(np.uint64))
                which = np.minimum(which, len(pairs.context) - 1)
                size = np.where(pairs.context[which] == part[:, -1], pairs.kinds[which], 0)
                row = np.repeat(np.arange(len(part)), size)
                code = np.arange(len(row)) + np.repeat(pairs.first[which] - np.cumsum(size) + size, size)
                step = pairs.code[code] & np.uint64(255)
                context = np.zeros(len(row), np.uint64)
                for k in range(max(0, i - ORDER), i):
                    context = context << np.uint64(8) | part[row, k]
                both = own[row] * self.step(context, step, min(i, ORDER))
                keep = both >= least
                found.append(np.column_stack([part[row[keep]], step[keep].astype(np.uint8)]))
                chances.append(both[keep])
            prefix, chance = np.concatenate(found), np.concatenate(chances)
        prefix[:, 0] -= prefix[:, 0] % RATIOS
        prefix = prefix[np.argsort(-chance, kind="stable")]
        _, first = np.unique(prefix, axis=0, return_index=True)
        prefix = prefix[np.sort(first)]
        return prefix[says(prefix) >= SAYS] if steps == RUN_STEPS else prefix


class Order:
    """How many runs that a registry may hold a guesser tries before one of so many bits."""

    def __init__(self, guesser: Guesser, drawn: int = DRAWN) -> None:
        self.guesser = guesser
        runs = guesser.draw(drawn, RUN_STEPS, generator(0))
        bits = guesser.bits(runs)
        self._bits = np.sort(bits[says(runs) >= SAYS])
        self._guesses = np.cumsum(2.0 ** self._bits) / drawn

    def guesses(self, runs: Runs) -> Floats:
        """The estimated number of guesses (float[n]) up to each run, itself with them."""
        at = np.searchsorted(self._bits, self.guesser.bits(runs), side="right") - 1
        return np.where(at < 0, 1.0, self._guesses[np.maximum(at, 0)])


def hash_rate(seconds: float = 2.0) -> float:
    """Return how many runs one core hashes in a second of its own time."""
    begun, count = time.process_time(), 0
    while time.process_time() - begun < seconds:
        digest(count.to_bytes(RUN_STEPS, "big"), b"sixteen bytes...")
        count += 1
    return count / (time.process_time() - begun)


# --- the registry ------------------------------------------------------------------------------------------------


class Target(NamedTuple):
    """Pieces with the runs that their registry holds (10 bytes each)."""

    scores: list[Score]
    runs: list[bytes]


def target_of(scores: Sequence[Score]) -> Target:
    """Return the pieces and the runs of their registry."""
    taken: set[bytes] = set()
    runs = {run for score in scores for run in chosen_runs(placed_lines(score), taken)}
    return Target(list(scores), sorted(runs))


def library_lines(scores: Iterable[Score]) -> list[Runs]:
    """Return the lines of the pieces of a library."""
    return [line.symbols for score in scores for line in placed_lines(score)]


def notes_recovered(scores: Sequence[Score], runs: set[bytes]) -> tuple[int, int]:
    """Return how many notes of all lines stand in the runs, wherever they come, and how many notes there are."""
    found = count = 0
    for score in scores:
        every: set[tuple[int, int]] = set()
        known: set[tuple[int, int]] = set()
        for line in placed_lines(score):
            notes = list(zip(line.begin.tolist(), line.pitch.tolist(), strict=True))
            every.update(notes)
            for run, place in zip(*runs_of(line.symbols), strict=True):
                if run.tobytes() in runs:
                    known.update(notes[place:place + RUN_STEPS + 1])
        found += len(known)
        count += len(every)
    return found, count


def recovered(target: Target, orders: Sequence[Order], library: set[bytes], hashes: float) -> dict[str, set[bytes]]:
    """Return the runs found with so many hashes: those of the `library`, then in the orders of guessers who share what
    is left, then those chained to them."""
    known = {run for run in target.runs if run in library}
    rest = [run for run in target.runs if run not in library]
    table = np.frombuffer(b"".join(rest), np.uint8).reshape(-1, RUN_STEPS)
    each = max(0.0, hashes - len(library)) / len(orders)
    found = {rest[i] for order in orders for i in np.flatnonzero(order.guesses(table) <= each)}
    return {"library": known, "guessed": found,
            "chained": chained(known | found, [run for run in rest if run not in found], orders[0].guesser,
                               hashes)}


def chained(have: set[bytes], others: Sequence[bytes], guesser: Guesser, hashes: float) -> set[bytes]:
    """Return the other runs that begin or end as one of those found does, where as many hashes again would give the
    rest of them: each overlap of three steps or more is tried from every run found."""
    found: set[bytes] = set()
    fresh = set(have)
    while fresh:
        ends: set[bytes] = set()
        for run in fresh:
            for size in range(3, RUN_STEPS):
                ends.add(_even(run[-size:]))
                ends.add(run[:size])
        fresh = set()
        for run in others:
            if run in found:
                continue
            for size in range(RUN_STEPS - 1, 2, -1):
                parts = [part for part in (run[:size], _even(run[-size:])) if part in ends]
                if parts:
                    new = _bits(guesser, run) - _bits(guesser, parts[0])
                    if 2.0 ** new * 2 * (RUN_STEPS - 3) * len(have | found) <= hashes:
                        fresh.add(run)
                    break
        found |= fresh
    return found


def _even(run: bytes) -> bytes:
    return bytes([run[0] - run[0] % RATIOS]) + run[1:]


def _bits(guesser: Guesser, run: bytes) -> float:
    return float(guesser.bits(np.frombuffer(run, np.uint8)[None])[0])


# --- dense grams, and the index of a checkpoint ------------------------------------------------------------------


def gram_keys(windows: Runs) -> Keys:
    """Return the public, unsalted hashes of runs of six steps (uint8[n, 6]), as ``fingerprint.grams`` makes them."""
    out = np.concatenate([np.zeros(0, np.uint64), *(
        _one_gram(windows[at:at + (1 << 16)]) for at in range(0, len(windows), 1 << 16))])
    return np.asarray(out)


def _one_gram(windows: Runs) -> Keys:
    count = len(windows)
    grams = grams_of(windows.reshape(-1), np.arange(STEPS, STEPS * count + 1, STEPS, dtype=np.int32), count)
    key = np.empty(count, np.uint64)
    key[grams.place // STEPS] = grams.key
    return key


def dense_recovered(scores: Sequence[Score], guesser: Guesser, seeds: int = 1 << 20) -> dict[str, float]:
    """Return the share of notes that come back from all hashed grams of some pieces, and the seconds that it took.

    Likely grams are tried as seeds; from each that is there all 243 next and all 243 earlier steps are tried, and so
    on: the grams overlap in five steps of six.
    """
    prints = [melody_print(score) for score in scores]
    grams = [one.grams() for one in prints]
    keys = np.unique(np.concatenate([one.key for one in grams]))
    begun = time.process_time()
    there: dict[bytes, None] = {}
    fresh = _held(np.unique(guesser.draw(seeds, STEPS, generator(1)), axis=0), keys)
    step = np.arange(SYMBOLS, dtype=np.uint8)
    while len(fresh):
        new = [run for run in map(bytes, fresh) if run not in there]
        there.update(dict.fromkeys(new))
        if not new:
            break
        table = np.frombuffer(b"".join(new), np.uint8).reshape(-1, STEPS)
        many = np.repeat(table, SYMBOLS, axis=0)
        after = np.column_stack([many[:, 1:], np.tile(step, len(table))])
        after[:, 0] -= after[:, 0] % RATIOS
        # what came before: the ratio of what is now the second step is open
        many = np.repeat(np.repeat(table, RATIOS, axis=0), SYMBOLS // RATIOS, axis=0)
        many[:, 0] += np.tile(np.repeat(np.arange(RATIOS, dtype=np.uint8), SYMBOLS // RATIOS), len(table))
        before = np.column_stack([np.tile(step[::RATIOS], RATIOS * len(table)), many[:, :-1]])
        fresh = np.unique(np.concatenate([_held(after, keys), _held(before, keys)]), axis=0)
    seconds = time.process_time() - begun
    found = count = 0
    held = gram_keys(np.frombuffer(b"".join(there), np.uint8).reshape(-1, STEPS))
    for one, gram in zip(prints, grams, strict=True):
        end = len(one.symbols)
        known = np.zeros(end, bool)
        for place in gram.place[np.isin(gram.key, held)]:
            known[place:place + STEPS] = True
        found += int(known.sum())
        count += end
    return {"notes": found / max(count, 1), "grams": len(held) / max(len(keys), 1), "seconds": seconds}


def _held(windows: Runs, keys: Keys) -> Runs:
    key = gram_keys(windows)
    at = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
    return windows[keys[at] == key]


def index_recovered(scores: Sequence[Score]) -> dict[str, float]:
    """Return the share of notes that can be read off the index of some pieces as a checkpoint holds it: all pitched
    notes, and those of the lines, by when they begin and their pitch; and the seconds that it took."""
    index = read_index(build_index((str(i), score) for i, score in enumerate(scores)))
    begun = time.process_time()
    known: list[set[tuple[int, int]]] = [set() for _ in scores]
    place = np.flatnonzero((index.pitch != STOP) & (index.pitch < DRUM))
    strand = index.strand_of(place)
    when = index.time_of(place, strand)
    for piece, tick, pitch in zip(index.piece[strand].tolist(), when.tolist(), index.pitch[place].tolist(),
                                  strict=True):
        known[piece].add((tick, pitch))
    seconds = time.process_time() - begun
    found = count = on_lines = line_notes = 0
    for score, own in zip(scores, known, strict=True):
        scale = UNITS / score.ticks_per_quarter
        kit = np.array([track.is_drum for track in score.tracks], bool)
        notes = {(round(tick * scale), pitch) for tick, pitch, track in
                 zip(score.onset.tolist(), score.pitch.tolist(), score.track.tolist(), strict=True) if not kit[track]}
        tops = {(round(tick * scale), pitch) for line in placed_lines(score)
                for tick, pitch in zip(line.begin.tolist(), line.pitch.tolist(), strict=True)}
        found, count = found + len(notes & own), count + len(notes)
        on_lines, line_notes = on_lines + len(tops & own), line_notes + len(tops)
    return {"notes": found / max(count, 1), "lines": on_lines / max(line_notes, 1), "seconds": seconds}


# --- whole sets --------------------------------------------------------------------------------------------------


def attack(name: str, limit: int | None = None) -> dict[str, Any]:
    """Return what comes back of one half of a set, the other half and other sets being the attacker's library."""
    own = [score for _, score in scores_of(name, 0)]
    target = target_of([score for _, score in scores_of(name, 1)][:limit])
    near, every, library = _library(name, own)
    orders = [Order(near), Order(every)]
    rate = hash_rate()
    cells: dict[str, Any] = {"pieces": len(target.scores), "runs": len(target.runs)}
    _, count = notes_recovered(target.scores, set())
    cells |= {"notes": count, "in runs": _share(target.scores, set(target.runs)), "hashes a second": round(rate)}
    for hours, words in ((1, "1 h"), (1000, "1,000 h")):
        found = recovered(target, orders, library, rate * HOUR * hours)
        new = found["guessed"] | found["chained"]
        cells |= {words: _share(target.scores, found["library"] | new), f"{words}, unknown": _share(target.scores, new),
                  f"{words}, chained": len(found["chained"])}
    dense = dense_recovered(target.scores, near)
    index = index_recovered(target.scores)
    return cells | {"dense grams": round(dense["notes"], 4), "dense s": round(dense["seconds"], 1),
                    "index, lines": round(index["lines"], 4), "index, all": round(index["notes"], 4)}


def _library(name: str, own: Sequence[Score]) -> tuple[Guesser, Guesser, set[bytes]]:
    """The guessers of the attacker's half of the set and of the whole library, and all runs of that."""
    lines = library_lines(own)
    other = [line for lent in OTHERS if lent != name for line in library_lines(_lent(lent))]
    library = {run.tobytes() for line in (*lines, *other) for run in runs_of(line)[0]}
    return Guesser(lines), Guesser([*lines, *other]), library


def _lent(name: str) -> list[Score]:
    found = [score for place, score in scores_of(name, 0) if not place.startswith(CLOSED)]
    return found[::max(1, len(found) // LENT)]


def _share(scores: Sequence[Score], runs: set[bytes]) -> float:
    found, count = notes_recovered(scores, runs)
    return round(found / max(count, 1), 4)


def real_guesses(name: str, minutes: float) -> dict[str, Any]:
    """Return what so many minutes of hashing in one process find of a registry file, beside what the estimate says."""
    own = [score for _, score in scores_of(name, 0)]
    scores = [score for _, score in scores_of(name, 1)]
    target = target_of(scores)
    registry = Registry.from_bytes(Registry.make(scores, salt=hashlib.sha256(name.encode()).digest()).to_bytes())
    guesser = Guesser(library_lines(own))
    (deposit,) = registry.deposits
    shift = 64 - deposit.bits
    least = 2.0 ** -20
    runs = guesser.likeliest(least)
    while len(runs) < minutes * 60 * hash_rate(0.5):
        least /= 2
        runs = guesser.likeliest(least)
    held = {int(each): i for i, each in enumerate(deposit.digests)}
    hit: dict[int, bytes] = {}
    begun, cpu, count = time.monotonic(), time.process_time(), 0
    for run in map(bytes, runs):
        number = held.get(digest(run, deposit.salt) >> shift)
        if number is not None:
            hit.setdefault(number, run)
        count += 1
        if not count % 256 and time.monotonic() - begun > 60 * minutes:
            break
    seconds = time.process_time() - cpu
    table = np.frombuffer(b"".join(target.runs), np.uint8).reshape(-1, RUN_STEPS)
    estimate = int((Order(guesser).guesses(table) <= count).sum())
    true = set(hit.values()) & set(target.runs)
    return {"pieces": len(scores), "runs": len(target.runs), "hashes": count, "cpu s": round(seconds),
            "found": len(true), "estimated": estimate, "false": len(hit) - len(true),
            "share of notes": _share(scores, true)}


def main(argv: Sequence[str] | None = None) -> int:
    """Print what the attack on a set gives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--minutes", type=float, help="hash for so long, and compare with the estimate")
    parser.add_argument("--limit", type=int)
    given = parser.parse_args(argv)
    found = attack(given.name, given.limit) if given.minutes is None else real_guesses(given.name, given.minutes)
    for name, value in found.items():
        print(f"{name}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
