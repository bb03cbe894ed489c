"""Copies of pieces as another copyist, editor or player would have made them, for the tables of near duplicates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from partimento.score import Meter, Score, Tempo, Track

Random = np.random.Generator
Ints = npt.NDArray[np.int64]


def rows_of(score: Score) -> tuple[Ints, Ints, Ints, Ints]:
    """Return onsets, durations, pitches and tracks of a Score, int64[n] each, without grace notes."""
    keep = np.ones(len(score), bool) if score.grace is None else score.grace <= 0
    columns = (score.onset, score.duration, score.pitch, score.track)
    return tuple(column[keep].astype(np.int64) for column in columns)  # type: ignore[return-value]


def made(score: Score, onset: Ints, duration: Ints, pitch: Ints, track: Ints, **frame: object) -> Score:
    """Return a Score of the same tracks with these notes, one meter, no voices, staves, keys or words."""
    given = {"ticks_per_quarter": score.ticks_per_quarter, "tracks": score.tracks, **frame}
    return Score(onset=onset, duration=np.maximum(duration, 1), pitch=pitch, velocity=np.full(len(onset), 80),
                 track=track, **given)  # type: ignore[arg-type]


def is_drum(score: Score, track: Ints) -> npt.NDArray[np.bool_]:
    """Return which notes are of drum kits (bool[n])."""
    return np.array([one.is_drum for one in score.tracks], bool)[track]


def transposed(score: Score, random: Random) -> Score:
    """Every pitch but those of drums moved by one to six semitones up or down; other instruments, another tempo."""
    onset, duration, pitch, track = rows_of(score)
    tuned = ~is_drum(score, track)
    by = int(random.integers(1, 7)) * int(random.choice([-1, 1]))
    if tuned.any():
        by = -by if pitch[tuned].min() + by < 0 or pitch[tuned].max() + by > 127 else by
        pitch = np.where(tuned, pitch + by, pitch)
    tracks = tuple(Track("", int(random.integers(0, 96)), one.is_drum) for one in score.tracks)
    return made(score, onset, duration, pitch, track, tracks=tracks, tempos=(Tempo(0, 731_000),))


def rebarred(score: Score, random: Random) -> Score:
    """Another meter, and everything begins up to three beats later."""
    onset, *rest = rows_of(score)
    meter = Meter(0, int(random.choice([2, 3, 5, 6])), int(random.choice([4, 8])))
    return made(score, onset + int(random.integers(1, 4)) * score.ticks_per_quarter, *rest, meters=(meter,))


def other_clock(score: Score, random: Random) -> Score:
    """Another number of ticks a quarter note, each time rounded to it."""
    clock = int(random.choice([96, 120, 192, 220, 384, 1024]))
    onset, duration, pitch, track = rows_of(score)
    onset, duration = (np.rint(ticks * clock / score.ticks_per_quarter).astype(np.int64) for ticks in (onset, duration))
    return made(score, onset, duration, pitch, track, ticks_per_quarter=clock)


def other_values(score: Score, random: Random) -> Score:
    """Every note written in half the value, or twice, with a tempo that makes up for it."""
    onset, duration, pitch, track = rows_of(score)
    if random.random() < 0.5:
        return made(score, onset * 2, duration * 2, pitch, track, tempos=(Tempo(0, 250_000),))
    return made(score, onset, duration, pitch, track, ticks_per_quarter=score.ticks_per_quarter * 2,
                tempos=(Tempo(0, 1_000_000),))


def engraved(score: Score, random: Random) -> Score:
    """Voices put together, ties broken at quarter notes, other lengths of articulation, tracks in another order."""
    onset, duration, pitch, track = rows_of(score)
    quarter = score.ticks_per_quarter
    broken = (duration > quarter) & ~is_drum(score, track) & (random.random(len(onset)) < 0.3)
    first = np.where(broken, quarter - onset % quarter, duration)
    rest = broken & (first < duration)
    first = np.where(rest, first, duration)
    onset, pitch, track = (np.concatenate([column, column[rest]]) for column in (onset, pitch, track))
    onset[len(duration):] += first[rest]
    duration = np.concatenate([first, (duration - first)[rest]])
    duration = (duration * random.uniform(0.4, 1, len(duration))).astype(np.int64)
    order = random.permutation(len(score.tracks))
    tracks = [Track()] * len(order)
    for old, new in enumerate(order.tolist()):
        tracks[new] = score.tracks[old]
    return made(score, onset, duration, pitch, order[track], tracks=tuple(tracks))


def one_track(score: Score, random: Random) -> Score:
    """All that is pitched in one track, and notes of one pitch and moment once; drums in another."""
    onset, duration, pitch, track = rows_of(score)
    drums = is_drum(score, track).astype(np.int64)
    _, once = np.unique(np.stack([onset, pitch, drums]), axis=1, return_index=True)
    return made(score, onset[once], duration[once], pitch[once], drums[once], tracks=(Track(), Track("", 0, True)))


def split_tracks(score: Score, random: Random) -> Score:
    """Every track cut in two at its middle pitch; drums stay."""
    onset, duration, pitch, track = rows_of(score)
    count = len(score.tracks)
    middle = np.array([np.median(pitch[track == i]) if (track == i).any() else 0 for i in range(count)])
    low = (pitch < middle[track]) & ~is_drum(score, track)
    return made(score, onset, duration, pitch, track + count * low, tracks=score.tracks * 2)


def grace_notes(score: Score, random: Random) -> Score:
    """One note in twelve begins with a note next to it, a 32nd long, as MIDI has grace notes."""
    onset, duration, pitch, track = rows_of(score)
    short = score.ticks_per_quarter // 8
    graced = (random.random(len(onset)) < 1 / 12) & (duration > 2 * short) & ~is_drum(score, track)
    extra = np.minimum(pitch[graced] + random.choice([-1, 1, 2], int(graced.sum())), 127)
    onset, duration = onset + graced * short, duration - graced * short
    return made(score, np.append(onset, onset[graced] - short), np.append(duration, np.full(len(extra), short)),
                np.append(pitch, np.maximum(extra, 0)), np.append(track, track[graced]))


def repeated(score: Score, random: Random) -> Score:
    """The first half played twice, as a written-out repeat."""
    onset, duration, pitch, track = rows_of(score)
    middle = int(score.bar_starts[max(1, score.n_bars // 2)]) if score.n_bars > 1 else score.end
    again = onset < middle
    return made(score, np.append(onset + (onset >= middle) * middle, onset[again] + middle),
                np.append(duration, np.minimum(duration, middle - onset)[again]),
                np.append(pitch, pitch[again]), np.append(track, track[again]))


def changed(score: Score, random: Random, share: float = 0.05, end: int | None = None) -> Score:
    """One note in twenty another one: a third of them left out, a third at another pitch, a third at another time.

    With `end`, the piece keeps that length, and no note begins later.
    """
    onset, duration, pitch, track = rows_of(score)
    hit, how = random.random(len(onset)) < share, random.integers(0, 3, len(onset))
    tuned = ~is_drum(score, track)
    moved = np.clip(pitch + random.choice([-4, -3, -2, -1, 1, 2, 3, 4], len(pitch)), 0, 127)
    pitch = np.where(hit & (how == 1) & tuned, moved, pitch)
    late = random.choice([-1, 1], len(onset)) * (score.ticks_per_quarter // 4)
    last = None if end is None else max(end - 1, 0)
    onset = np.where(hit & (how == 2), np.clip(onset + late, 0, last), onset)
    keep = ~(hit & (how == 0))
    return made(score, onset[keep], duration[keep], pitch[keep], track[keep], end=end or 0)


def half(score: Score, random: Random) -> Score:
    """The first half of the time."""
    onset, duration, pitch, track = rows_of(score)
    keep = onset < score.end / 2
    return made(score, onset[keep], duration[keep], pitch[keep], track[keep])


def extended(score: Score, random: Random) -> Score:
    """Half as much again of other music after the end: the second half backwards, in pitch and time."""
    onset, duration, pitch, track = rows_of(score)
    later = onset >= score.end / 2
    tuned = later & ~is_drum(score, track)
    mirror = np.where(tuned, np.clip(120 - pitch, 0, 127), pitch)
    back = (2 * score.end - onset - duration)[later]
    return made(score, np.append(onset, back), np.append(duration, duration[later]), np.append(pitch, mirror[later]),
                np.append(track, track[later]))


def played_by_hand(score: Score, random: Random) -> Score:
    """Every onset early or late by 12 milliseconds (one standard deviation), as a player would."""
    onset, duration, pitch, track = rows_of(score)
    ticks = 0.012 * score.ticks_per_quarter * 1e6 / np.median([tempo.us_per_quarter for tempo in score.tempos])
    late = np.rint(random.normal(0, ticks, len(onset))).astype(np.int64)
    return made(score, np.maximum(onset + late, 0), duration, pitch, track)


def everything(score: Score, random: Random) -> Score:
    """Transposed, engraved anew, in one track, another clock and other values, with one note in twenty changed."""
    for way in (changed, engraved, one_track, transposed, other_values, other_clock, rebarred):
        score = way(score, random)
    return score


WAYS: dict[str, Callable[[Score, Random], Score]] = {
    "transposed": transposed, "re-barred": rebarred, "other clock": other_clock, "other note values": other_values,
    "re-engraved": engraved, "hands in one track": one_track, "tracks split": split_tracks,
    "grace notes": grace_notes, "repeat written out": repeated, "5 % of notes changed": changed,
    "half the piece": half, "extended": extended, "played by hand": played_by_hand, "all at once": everything}
