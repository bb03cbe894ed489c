"""Pieces in which faults are planted, and the places in them: bars, parts of one note at a time, written keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from pieces import CLOSED, scores_of

from partimento import theory
from partimento.score import Score

Random = np.random.Generator
Ints = npt.NDArray[np.int64]
Planted = tuple[Score, int, int]
Plant = Callable[[Score, Random], Planted | None]
SETS = ("mutopia_midi", "openscore_lieder", "open_hymnal", "openscore_quartets")
USUAL = SETS[:3]               # a work of openscore_quartets has four movements in one file
TRIES = 20                     # places tried in a piece


def set_of(name: str, half: int) -> list[Score]:
    """Return the pieces of a half of a set, drawn in one order; of pop909 one take of each song."""
    found = [score for place, score in scores_of(name, half) if len(score) and "versions" not in place
             and "-let." not in place and not (name == "mutopia_midi" and place.startswith(CLOSED))]
    np.random.default_rng(0).shuffle(found)  # type: ignore[arg-type]
    return found


def pieces(half: int, sets: tuple[str, ...] = SETS) -> Iterator[tuple[str, Score]]:
    """Give the pieces of a half of each set in turn, drawn in one order: the name of the set and the Score."""
    pools = [[(name, score) for score in set_of(name, half)] for name in sets]
    for i in range(max(map(len, pools))):
        yield from (pool[i] for pool in pools if i < len(pool))


def changed(score: Score, rows: Ints, keep: npt.NDArray[np.bool_], like: int | None = None) -> Score:
    """Return the Score with these rows (onset, duration, pitch, velocity, track) instead of the notes not kept.

    A new note is of the voice and staff of the note `like`, or of the nearest of its track in onset, then in pitch.
    """
    columns = np.concatenate([score.notes()[keep], rows]).T
    near = [like if like is not None else _nearest(score, row) for row in rows.tolist()]
    more = {name: np.concatenate([own[keep], own[near]]) for name in ("voice", "staff")
            if (own := getattr(score, name)) is not None}
    return score.replace(onset=columns[0], duration=columns[1], pitch=columns[2], velocity=columns[3],
                         track=columns[4], **{"voice": None, "staff": None, "spelling": None, "grace": None, **more})


def _nearest(score: Score, row: list[int]) -> int:
    same = np.flatnonzero(score.track == row[4])
    return int(same[np.argmin(np.abs(score.onset[same] - row[0]).astype(np.int64) * 128
                              + np.abs(score.pitch[same] - row[2]))])


def tuned(score: Score) -> npt.NDArray[np.bool_]:
    """Return which notes are no drums and no graces (bool[n])."""
    drums = np.array([track.is_drum for track in score.tracks], bool)
    return np.asarray(~drums[score.track] & (score.duration > 0))


def bar_of(score: Score) -> Ints:
    """Return the index of the bar in which each note begins."""
    return np.asarray(np.searchsorted(score.bar_starts[:-1], score.onset, side="right") - 1, np.int64)


def lines(score: Score) -> list[Ints]:
    """Return the parts of one note at a time, each track or written voice: the indices of their notes in order."""
    keep = np.flatnonzero(tuned(score))
    label = score.track[keep].astype(np.int64) << 12
    for column in (score.staff, score.voice):
        label = label if column is None else label * 8 + np.clip(column[keep], 0, 7)
    out = []
    for one in np.unique(label):
        own = keep[label == one]
        if len(own) > 1 and (score.onset[own[1:]] >= score.offset[own[:-1]]).mean() > 0.97:
            out.append(own[np.append(True, np.diff(score.onset[own]) > 0)])
    return out


def signature(score: Score, tick: int) -> theory.KeyName | None:
    """Return the key that is written at a tick, if its mode is."""
    key = score.key_at(tick)
    return theory.from_fifths(key.fifths, key.mode) if key is not None and key.mode in ("major", "minor") else None


def stretch(score: Score, random: Random, bars: int, after: int = 0) -> tuple[int, int] | None:
    """Return the first and last tick of so many bars of one length, drawn, with so many more bars before and after."""
    count = score.n_bars - bars - 2 * after
    if count < 1:
        return None
    first = after + int(random.integers(count))
    lengths = np.diff(score.bar_starts[first:first + bars + 1])
    return (int(score.bar_starts[first]), int(score.bar_starts[first + bars])) if len(set(lengths)) == 1 else None


def drawn(attempt: Plant) -> Plant:
    """Return the plant that tries several places."""

    def plant(score: Score, random: Random) -> Planted | None:
        for _ in range(TRIES):
            found = attempt(score, random)
            if found is not None:
                return found
        return None

    return plant
