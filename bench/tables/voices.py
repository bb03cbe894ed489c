"""Hands and voices found in written music from which they were taken away, beside partitura and plain splits.

    python bench/run.py --tables voices
    python bench/tables/voices.py --rows hands:quartets --limit 20     # by hand, some pieces
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
import jsb_markov
from peers import music, peer, rows_by_hand

from partimento import formats
from partimento.errors import PartimentoError
from partimento.notation.hands import hands
from partimento.notation.voices import voices
from partimento.score import Score

PROTOCOL = (
    "The half of the files that no cost was fitted on (sorted, shuffled with seed 0, the second half; of "
    "jsb_chorales the test pieces). Grace notes are left out. `hands`: the share of notes of two-staff parts of "
    "openscore_lieder that stand on their own staff; partitura's is the rule with which it fills in missing staves (a "
    "split at pitch 55), `by its voices` puts each of its voices on the staff on whose side of the mean pitch it lies; "
    "a moving split is halfway between the highest and the lowest note within a second. `piano staves`: voices "
    "within each staff of those parts, as the edition has them. `quartets`: the four parts of openscore_quartets put "
    "together, the first 64 bars; `chorales`: those of jsb_chorales. Voices are judged by links: pairs of a note and "
    "one of the next onset in the same voice, precision, recall and F1 over all files. partitura (VoSA) sees the same "
    "notes, with chords and as single notes.")
QUARTET_BARS = 64
Ints = npt.NDArray[np.int32]
Judged = tuple[Score, Ints, Ints | None]            # notes, their voices or staves as written, where bars begin


def rows() -> list[str]:
    """Return the names of the rows."""
    return ["hands", "piano staves", "quartets", "chorales"]


def row(name: str, limit: int | None = None) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many files."""
    partitura = peer("partitura")

    def vosa(score: Score, single: bool) -> Ints:
        table = np.zeros(len(score), [("onset_beat", "f4"), ("duration_beat", "f4"), ("pitch", "i4"), ("id", "U9")])
        table["onset_beat"] = score.onset / score.ticks_per_quarter
        table["duration_beat"] = score.duration / score.ticks_per_quarter
        table["pitch"], table["id"] = score.pitch, np.arange(len(score)).astype(str)
        return np.asarray(partitura.musicanalysis.estimate_voices(table, monophonic_voices=single), np.int32)

    if name == "hands":
        ways: dict[str, Callable[[Score, Ints | None], Ints]] = {
            "ours": lambda score, _: hands(score, 0),
            "partitura": lambda score, _: np.where(score.pitch > 55, 1, 2),
            "by its voices": lambda score, _: by_voices(score, vosa(score, True)),
            "middle C": lambda score, _: np.where(score.pitch >= 60, 1, 2),
            "moving split": lambda score, _: moving(score)}
    else:
        chords = name == "piano staves"
        ways = {"ours": lambda score, bars: voices(score.onset, score.duration, score.pitch, bar_starts=bars,
                                                   chords=chords),
                "partitura, chords": lambda score, _: vosa(score, False),
                "partitura, single notes": lambda score, _: vosa(score, True)}
    counts = {way: np.zeros(3, np.int64) for way in ways}   # found and right, found, written
    seconds = dict.fromkeys(ways, 0.0)
    pieces = notes = 0
    for score, written, bars in MUSIC[name](limit):
        pieces, notes = pieces + 1, notes + len(score)
        for way, find in ways.items():
            begin = time.process_time()
            found = find(score, bars)
            seconds[way] += time.process_time() - begin
            counts[way] += judged(name, score, found, written)
    cells: dict[str, Any] = {}
    for way, (right, found, written) in counts.items():
        cells[way] = round(float(2 * right / (found + written)), 4)
    if name != "hands":
        right, found, written = counts["ours"]
        cells["ours, precision"], cells["recall"] = round(right / found, 4), round(right / written, 4)
    theirs = "by its voices" if name == "hands" else "partitura, single notes"
    return {**cells, "parts": pieces, "notes": notes, "ours, notes/s": round(notes / seconds["ours"]),
            "partitura, notes/s": round(notes / seconds[theirs])}


def judged(name: str, score: Score, found: Ints, written: Ints) -> tuple[int, int, int]:
    """Return how much was found and right, found, and written: notes on a staff, or links within a voice."""
    if name == "hands":
        return int((found == written).sum()), len(found), len(written)
    mine, own = links(score.onset, found), links(score.onset, written)
    return len(mine & own), len(mine), len(own)


def links(onset: Ints, voice: Ints) -> set[int]:
    """Return every pair of a note and one of the next onset in its voice, as one number each."""
    pairs = set()
    for one in np.unique(voice).tolist():
        own = np.flatnonzero(voice == one)
        groups = np.split(own, np.flatnonzero(np.diff(onset[own])) + 1)     # a Score is in order of onset
        for before, after in pairwise(groups):
            pairs.update((before[:, None] * len(onset) + after).ravel().tolist())
    return pairs


def by_voices(score: Score, voice: Ints) -> Ints:
    """Return each note's staff by its voice: on the right where its mean pitch is at least that of all."""
    sums, sizes = np.bincount(voice, score.pitch), np.maximum(np.bincount(voice), 1)
    return np.where((sums / sizes)[voice] >= score.pitch.mean(), 1, 2)


def moving(score: Score) -> Ints:
    """Return each note's staff: above or below halfway between the highest and the lowest onset within a second."""
    begin = score.seconds(score.onset)
    first, last = np.searchsorted(begin, begin - 1, "left"), np.searchsorted(begin, begin + 1, "right")
    middle = [(score.pitch[a:b].max() + score.pitch[a:b].min()) / 2 for a, b in zip(first, last, strict=True)]
    return np.where(score.pitch >= np.array(middle), 1, 2)


def held_out(name: str, limit: int | None) -> Iterator[Score]:
    """Give the Scores of the half of a set that no cost was fitted on, without grace notes."""
    folder = music(name)
    paths = sorted((path for path in folder.rglob("*.mxl")), key=lambda path: path.relative_to(folder).as_posix())
    random.Random(0).shuffle(paths)
    for path in paths[len(paths) // 2:][:limit]:
        try:
            score = formats.read(path)
        except PartimentoError as fault:
            print(f"left out: {fault}", file=sys.stderr)
            continue
        yield score.select(score.duration > 0)


def pianos(limit: int | None) -> Iterator[Score]:
    """Give every part of the songs that is written on two staves, each as a Score of one track."""
    for score in held_out("openscore_lieder", limit):
        for track in range(len(score.tracks)):
            part = score.select(score.track == track)
            if part.staff is not None and set(part.staff.tolist()) == {1, 2}:
                yield part.replace(track=np.zeros(len(part), np.int32), tracks=score.tracks[track:track + 1], texts=())


def piano_parts(limit: int | None) -> Iterator[Judged]:
    """Give each piano part, and the staves of its notes."""
    for part in pianos(limit):
        assert part.staff is not None
        yield part, part.staff, None


def piano_staves(limit: int | None) -> Iterator[Judged]:
    """Give each staff of each piano part, and the voices of its notes."""
    for part in pianos(limit):
        for number in (1, 2):
            staff = part.select(part.staff == number)
            if staff.voice is not None and len(staff) > 1:
                yield staff, staff.voice, staff.bar_starts


def quartets(limit: int | None) -> Iterator[Judged]:
    """Give the beginning of each movement in four parts, and the parts of its notes."""
    for score in held_out("openscore_quartets", limit):
        if len(score.tracks) == 4:
            score = score.select(score.onset < score.bar_starts[min(QUARTET_BARS, score.n_bars)])
            yield score, score.track, None


def chorales(limit: int | None) -> Iterator[Judged]:
    """Give each chorale of the test pieces, and the voices of its notes."""
    for frames in jsb_markov.read()["test"][:limit]:
        score = jsb_markov.to_score(frames)
        yield score, score.track, None


MUSIC: dict[str, Callable[[int | None], Iterator[Judged]]] = {
    "hands": piano_parts, "piano staves": piano_staves, "quartets": quartets, "chorales": chorales}


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=":", limit=None)
