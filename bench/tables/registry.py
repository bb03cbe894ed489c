"""Registries: what they know again, what they take for it, what time it takes, and what an attacker gets out of them.

    python bench/run.py --tables registry
    python bench/tables/registry.py --rows "found: open_hymnal;attack: open_hymnal" --limit 50    # by hand, some pieces
"""

from __future__ import annotations

import hashlib
import random
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
from peers import music, rows_by_hand
from pieces import CLOSED, scores_of, work_of
from planted import WAYS, changed, grace_notes, rebarred, transposed
from registry_attack import attack, real_guesses

from partimento.fingerprint import melody_print, near_duplicates
from partimento.fingerprint.lines import placed_lines
from partimento.fingerprint.registry import Registry
from partimento.fingerprint.registry_runs import RUN_STEPS, chosen_runs, runs_of
from partimento.score import Score, Track

PROTOCOL = (
    "The second half (drawn by work) of each set; the length of a run, the bits that it must say and the spacing were "
    "chosen on the first halves of open_hymnal, nottingham, chorale_melodies, openscore_lieder, pop909 and "
    "mutopia_midi, the table of steps "
    "was counted on the first halves of mutopia_midi, lieder, quartets and open_hymnal. `found`: the share of pieces "
    "known again, up to 200 a set: whole, or 4, 8, 16 bars drawn from each (11 notes at least), transposed, between "
    "two halves of another piece of the set; `top part` is the part of highest mean pitch of 8 such bars alone. A "
    "match is one run. Runs are compared themselves, not their hashes: the same but for one chance in 4 million a run. "
    "`length`: how many notes of the longest line of a piece a quote must have, from any place on, to hold a run: at "
    "half of the places, at 95 %, at 99 %. `held out`: a registry of 1,000 pieces of eight sets (one half of the "
    "second half, drawn by work) against the pieces of the other half; near duplicates of what is registered are left "
    "out first, counted in `duplicates`; `known` is the share in which a run is found, `names` which. `time`: with the "
    "hashes, on all cores of a machine that others use too; `cores s` are seconds of all cores together. `attack`: see "
    "bench/registry_attack.py: shares of the notes of all lines (the top of everything, of each track and staff) that "
    "come back, `in runs` those that stand in the registry at all, `unknown` those of runs that the attacker's library "
    "has not; `dense grams` are the unsalted overlapping grams of melody prints, `dense s` the seconds that they took; "
    "`index` is what can be read off the index of a checkpoint. `ten minutes` are real guesses on one core, in the "
    "order of one guesser and without the library's runs, beside what the estimate says of as many.")
SETS = ("chorale_melodies", "nottingham/ABC_cleaned", "open_hymnal", "openscore_lieder", "mutopia_midi", "pop909")
HELD_OUT = ("nottingham/ABC_cleaned", "nottingham/MIDI", "open_hymnal", "openscore_lieder", "mutopia_midi",
            "openscore_quartets", "pop909", "chorale_melodies")
ATTACKED = ("chorale_melodies", "nottingham/ABC_cleaned", "open_hymnal")
AT_MOST = 200
REGISTERED = 1000
Way = Callable[[Score, np.random.Generator], Score]


@cache
def second_half(name: str) -> list[tuple[str, Score]]:
    """Return the pieces of the second half of a set, of pop909 the songs alone, in a drawn order."""
    music(name.partition("/")[0])
    found = [(place, score) for place, score in scores_of(name, 1)
             if not (name == "pop909" and "/versions/" in place)]
    random.Random(0).shuffle(found)
    return found


def drawn(name: str, limit: int | None = None) -> list[tuple[str, Score]]:
    """Return so many pieces of the second half of a set."""
    return second_half(name)[:limit]


def bars_of(score: Score, bars: int, rng: np.random.Generator) -> Score | None:
    """Return some bars of a piece, or None where it has too few or they have fewer than eleven notes."""
    starts = score.bar_starts
    if len(starts) - 1 < bars:
        return None
    at = int(rng.integers(0, len(starts) - bars))
    low, high = int(starts[at]), int(starts[at + bars])
    rows = score.notes()[(score.onset >= low) & (score.onset < high)]
    rows[:, 0] -= low
    return Score.from_rows(rows[:, :5].tolist(), ticks_per_quarter=score.ticks_per_quarter, end=high - low,
                           tracks=score.tracks) if len(rows) > RUN_STEPS else None


def planted(quote: Score, other: Score) -> Score:
    """Return a quote between the two halves of another piece, in the tracks of that as far as it has them."""
    clock = quote.ticks_per_quarter
    middle = int(other.bar_starts[(len(other.bar_starts) - 1) // 2])
    rows = other.notes()[:, :5].astype(np.int64)
    scale = clock / other.ticks_per_quarter
    rows[:, :2] = np.rint(rows[:, :2] * scale).astype(np.int64)
    middle = round(middle * scale)
    rows[rows[:, 0] >= middle, 0] += quote.end
    own = quote.notes()[:, :5].astype(np.int64)
    own[:, 0] += middle
    count = max(len(other.tracks), len(quote.tracks))
    tracks = tuple(Track("", 0, (*other.tracks, *quote.tracks[len(other.tracks):])[i].is_drum) for i in range(count))
    both = np.concatenate([rows, own])
    return Score.from_rows(both.tolist(), ticks_per_quarter=clock, tracks=tracks)


def top_part(score: Score) -> Score:
    """Return the part of highest mean pitch alone."""
    best = max(set(score.track.tolist()), key=lambda track: float(score.pitch[score.track == track].mean()))
    return score.select(score.track == best)


def of_bars(bars: int, *ways: Way) -> Callable[[Score, Score, np.random.Generator], Score | None]:
    """Return what plants so many bars of a piece, changed in these ways, in another piece."""
    def make(score: Score, other: Score, rng: np.random.Generator) -> Score | None:
        quote = bars_of(score, bars, rng)
        if quote is None:
            return None
        for way in (transposed, *ways):
            quote = way(quote, rng)
        return planted(quote, other)
    return make


def whole(*ways: Way) -> Callable[[Score, Score, np.random.Generator], Score | None]:
    """Return what changes a whole piece in these ways."""
    def make(score: Score, other: Score, rng: np.random.Generator) -> Score | None:
        for way in ways:
            score = way(score, rng)
        return score
    return make


def part_of_bars(score: Score, other: Score, rng: np.random.Generator) -> Score | None:
    """Return the top part of eight bars."""
    quote = bars_of(score, 8, rng)
    return None if quote is None else top_part(quote)


def tenth(score: Score, rng: np.random.Generator) -> Score:
    """One note in ten another one."""
    return changed(score, rng, 0.1)


def fifth(score: Score, rng: np.random.Generator) -> Score:
    """One note in five another one."""
    return changed(score, rng, 0.2)


FOUND: dict[str, Callable[[Score, Score, np.random.Generator], Score | None]] = {
    "as it is": whole(), "transposed": whole(transposed), "re-barred": whole(rebarred),
    "other note values": whole(WAYS["other note values"]), "re-engraved": whole(WAYS["re-engraved"]),
    "played by hand": whole(WAYS["played by hand"]), "grace notes": whole(grace_notes),
    "10 % changed": whole(tenth), "20 % changed": whole(fifth),
    "4 bars": of_bars(4), "8 bars": of_bars(8), "16 bars": of_bars(16),
    "8 bars, grace notes": of_bars(8, grace_notes), "8 bars, 10 % changed": of_bars(8, tenth),
    "8 bars, 20 % changed": of_bars(8, fifth), "16 bars, 10 % changed": of_bars(16, tenth),
    "8 bars, top part": part_of_bars}


def rows() -> list[str]:
    """Return the names of the rows."""
    return [*(f"found: {name}" for name in SETS), *(f"held out: {name}" for name in HELD_OUT), "time",
            *(f"attack: {name}" for name in ATTACKED), "ten minutes"]


def row(name: str, limit: int | None = None) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many pieces of each set."""
    kind, _, what = name.partition(": ")
    if kind == "found":
        return found_again(what, limit or AT_MOST)
    if kind == "held out":
        return held_out(what, limit)
    if kind == "attack":
        return attack(what, limit)
    if kind == "ten minutes":
        return real_guesses("nottingham/ABC_cleaned", 10)
    return times(limit)


def found_again(name: str, limit: int) -> dict[str, Any]:
    """Return the share of the pieces of a set that are known again, kind of copy by kind of copy."""
    scores = [score for _, score in drawn(name, limit)]
    taken: set[bytes] = set()
    own = [set(chosen_runs(placed_lines(score), taken)) for score in scores]
    cells: dict[str, Any] = {"pieces": len(scores), "runs a piece": round(float(np.mean(list(map(len, own)))), 1),
                             "without a run": sum(not runs for runs in own)}
    for way, make in FOUND.items():
        rng = np.random.default_rng(0)
        copies = [(runs, make(scores[i], scores[i - 1], rng)) for i, runs in enumerate(own) if runs]
        hits = [not runs.isdisjoint(every_run(copy)) for runs, copy in copies if copy is not None]
        cells[way] = round(float(np.mean(hits)), 4) if hits else None
    return {**cells, "length": always_found(scores, own)}


def every_run(score: Score) -> set[bytes]:
    """Return all runs of a piece that a registry may hold."""
    return {run.tobytes() for line in placed_lines(score) for run in runs_of(line.symbols)[0]}


def always_found(scores: Sequence[Score], own: Sequence[set[bytes]]) -> str:
    """Return how many notes of the longest line a quote must have to hold a run: at half of the places, 95, 99 %."""
    lengths: list[int] = []
    for score, kept in zip(scores, own, strict=True):
        lines = placed_lines(score)
        if lines and kept:
            best = max(lines, key=lambda line: len(line.symbols))
            places = np.array([k for run, k in zip(*runs_of(best.symbols), strict=True) if run.tobytes() in kept], int)
            at = np.searchsorted(places, np.arange(len(best.symbols)))
            lengths += [int(places[k]) + RUN_STEPS + 1 - start for start, k in enumerate(at.tolist())
                        if k < len(places)]
    return "/".join(str(int(np.quantile(lengths, share))) for share in (0.5, 0.95, 0.99))


def registered() -> list[tuple[str, str, Score]]:
    """Return 1,000 pieces of eight sets (set, path, Score)."""
    every = [(name, place, score) for name in HELD_OUT for place, score in drawn(name) if side(name, place) == 0]
    random.Random(0).shuffle(every)
    return every[:REGISTERED]


def side(name: str, place: str) -> int:
    """Return the quarter of a set that a piece of the second half is in, drawn by its work."""
    work = work_of(name, place).removesuffix(".mid").removesuffix(".abc")
    return hashlib.sha256(f"{name.partition('/')[0]}/{work}/registry".encode()).digest()[0] & 1


def held_out(name: str, limit: int | None) -> dict[str, Any]:
    """Return in how many held-out pieces of a set a registry of 1,000 pieces finds a run."""
    pieces = registered()
    taken: set[bytes] = set()
    kept = {run for _, _, score in pieces for run in chosen_runs(placed_lines(score), taken)}
    tested = [(place, score) for place, score in drawn(name, limit) if side(name, place) == 1
              and not (name == "mutopia_midi" and place.startswith(CLOSED))]
    prints = [melody_print(score) for *_, score in (*pieces, *tested)]
    copies = {second - len(pieces) for first, second, _ in near_duplicates(prints) if first < len(pieces) <= second}
    rest = [(place, score) for i, (place, score) in enumerate(tested) if i not in copies]
    names = [place for place, score in rest if not kept.isdisjoint(every_run(score))]
    return {"known": round(len(names) / max(len(rest), 1), 4), "pieces": len(rest), "duplicates": len(copies),
            "runs registered": len(kept), "names": ", ".join(names[:12])}


def times(limit: int | None) -> dict[str, Any]:
    """Return what it takes to make a registry of 1,000 pieces and to compare pieces with it."""
    pieces = registered()
    registry, make, make_cores = timed(lambda: Registry.make([score for *_, score in pieces[:limit]]))
    rng = np.random.default_rng(0)
    songs = [bars_of(score, 16, rng) for _, score in drawn("pop909", 40)]
    lieder = [bars_of(score, 16, rng) for _, score in drawn("openscore_lieder", 40)]
    queries = [song for song in (*songs, *lieder) if song is not None]
    seconds = sorted(timed(lambda song=song: registry.matches(song))[1] for song in queries)  # type: ignore[misc]
    corpus = [melody_print(score) for _, score in drawn("mutopia_midi", 200)]
    _, met, met_cores = timed(lambda: registry.meets(corpus))
    return {"make, s": make, "make, cores s": make_cores, "runs": registry.runs, "bytes": len(registry.to_bytes()),
            "16 bars, median ms": round(1000 * seconds[len(seconds) // 2]), "16 bars, worst ms":
            round(1000 * seconds[-1]), "200 files of mutopia_midi, s": met, "200 files, cores s": met_cores}


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what a call gives, and the seconds of the clock and of the cores that it took."""
    begun, cores = time.perf_counter(), time.process_time()
    found = work()
    return found, round(time.perf_counter() - begun, 4), round(time.process_time() - cores, 2)


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=";", limit=None)
