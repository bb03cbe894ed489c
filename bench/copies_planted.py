"""Passages of one piece planted in another, as a borrower would have changed them, for the table of originality."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from planted import Random, changed, is_drum, made, rows_of

from partimento.score import Score, Track

FEWEST = 3              # notes of a melody a bar that a passage has, in the mean, repeated ones counted once
TEMPI = ((2, 1), (1, 2), (3, 2))


def passage(score: Score, bars: int, random: Random, fewest: float = FEWEST) -> tuple[Score, tuple[int, int]] | None:
    """Return so many bars of a piece from a bar drawn at random, from tick 0 on, and the ticks that they had.

    The passage has a melody of three notes a bar in the mean; None where eight draws find none.
    """
    starts = score.bar_starts
    if score.n_bars < bars:
        return None
    onset, duration, pitch, track = rows_of(score)
    for _ in range(8):
        first = int(random.integers(0, score.n_bars - bars + 1))
        start, end = int(starts[first]), int(starts[first + bars])
        inside = (onset >= start) & (onset < end)
        rows = [column[inside] for column in (onset - start, np.minimum(duration, end - onset), pitch, track)]
        part = made(score, *rows, end=end - start)
        if (np.diff(part.pitch[melody(part)]) != 0).sum() + 1 >= fewest * bars:
            return part, (start, end)
    return None


def planted_in(host: Score, part: Score, random: Random) -> tuple[Score, np.ndarray, tuple[int, int]]:
    """Return the host with a passage put between two of its bars, which notes are of it (bool[n]), and its ticks.

    The passage plays on the host's tracks, each of its tracks on the one of that number where it is of the same kind,
    else on one of its own.
    """
    at = int(host.bar_starts[int(random.integers(0, host.n_bars + 1))])
    onset, duration, pitch, track = rows_of(host)
    longer = host.ticks_per_quarter / part.ticks_per_quarter
    own, ticks, high, tracks = rows_of(part)
    length = round(part.end * longer)
    places, all_tracks = [], list(host.tracks)
    for number, one in enumerate(part.tracks):
        if number < len(host.tracks) and host.tracks[number].is_drum == one.is_drum:
            places.append(number)
        else:
            places.append(len(all_tracks))
            all_tracks.append(Track("", 0, one.is_drum))
    columns = [
        np.append(np.where(onset >= at, onset + length, onset), at + np.rint(own * longer).astype(np.int64)),
        np.append(np.where(onset < at, np.minimum(duration, at - onset), duration),
                  np.maximum(np.rint(ticks * longer).astype(np.int64), 1)),
        np.append(pitch, high), np.append(track, np.array(places, np.int64)[tracks] if len(tracks) else tracks)]
    score = made(host, *columns, tracks=tuple(all_tracks), meters=host.meters, end=host.end + length)
    return score, (score.onset >= at) & (score.onset < at + length), (at, at + length)


# --- ways to change a passage ---------------------------------------------------------------------------------------


def exact(part: Score, random: Random) -> Score:
    """As it was."""
    return part


def in_another_key(part: Score, random: Random) -> Score:
    """Every pitch but those of drums moved by one to eleven semitones, up or down."""
    onset, duration, pitch, track = rows_of(part)
    tuned = ~is_drum(part, track)
    by = int(random.integers(1, 12)) * int(random.choice([-1, 1]))
    if tuned.any():
        low, high = int(pitch[tuned].min()) + by, int(pitch[tuned].max()) + by
        by += 12 * (low < 0) - 12 * (high > 127)
        pitch = np.where(tuned, np.clip(pitch + by, 0, 127), pitch)
    return made(part, onset, duration, pitch, track, end=part.end)


def in_other_values(part: Score, random: Random) -> Score:
    """Every note twice, half, or one and a half times as long."""
    times, over = TEMPI[int(random.integers(len(TEMPI)))]
    onset, duration, pitch, track = rows_of(part)
    return made(part, onset * times, duration * times, pitch, track, end=part.end * times,
                ticks_per_quarter=part.ticks_per_quarter * over)


def melody(part: Score) -> np.ndarray:
    """Return which notes (bool[n]) are the melody: the highest that begin at their tick, under no higher that sounds.

    Drums are none of it, nor are tracks but the highest of those that have a third of the notes of the fullest.
    """
    onset, duration, pitch, track = rows_of(part)
    tuned = ~is_drum(part, track)
    count = np.bincount(track[tuned], minlength=len(part.tracks))
    mean = np.bincount(track[tuned], pitch[tuned], len(part.tracks)) / np.maximum(count, 1)
    one = int(np.where(count * 3 >= count.max(), mean, -1).argmax())
    out = np.zeros(len(onset), bool)
    if not len(onset):
        return out
    sounding: list[tuple[int, int]] = []
    own = np.flatnonzero(tuned & (track == one))
    for i in own[np.lexsort([-pitch[own], onset[own]])].tolist():
        sounding = [(end, high) for end, high in sounding if end > onset[i]]
        out[i] = not any(high > pitch[i] for _, high in sounding)
        sounding.append((int(onset[i] + duration[i]), int(pitch[i])))
    return out


def ornamented(part: Score, random: Random, share: float = 0.2) -> Score:
    """One in five notes of the melody, if an eighth or longer, with a grace note, a mordent or a note after it."""
    onset, duration, pitch, track = rows_of(part)
    quarter = part.ticks_per_quarter
    short = quarter // 8
    some = (random.random(len(onset)) < share) & (duration >= quarter // 2) & melody(part)
    rows: list[tuple[int, int, int, int]] = []
    for begin, length, high, one, hit in zip(onset, duration, pitch, track, some, strict=True):
        near = int(np.clip(high + int(random.choice([-2, -1, 1, 2])), 0, 127))
        kind = int(random.integers(3)) if hit else -1
        if kind == 0:
            rows += [(begin, short, near, one), (begin + short, length - short, high, one)]
        elif kind == 1:
            rows += [(begin, short, high, one), (begin + short, short, near, one),
                     (begin + 2 * short, length - 2 * short, high, one)]
        elif kind == 2:
            rows += [(begin, length // 2, high, one), (begin + length // 2, length - length // 2, near, one)]
        else:
            rows.append((begin, length, high, one))
    return made(part, *np.array(rows, np.int64).reshape(-1, 4).T, end=part.end)


def with_changes(part: Score, random: Random, share: float = 0.1) -> Score:
    """A share of the notes left out, moved in pitch by up to four semitones, or moved in time by a sixteenth."""
    return changed(part, random, share, part.end)


def much_changed(part: Score, random: Random) -> Score:
    """One note in five changed."""
    return with_changes(part, random, 0.2)


def other_octaves(part: Score, random: Random) -> Score:
    """Every track an octave higher or lower, or where it was."""
    onset, duration, pitch, track = rows_of(part)
    by = 12 * random.choice([-1, 0, 1], len(part.tracks))
    by[int(random.integers(len(by)))] = 12
    moved = np.where(is_drum(part, track), pitch, pitch + by[track])
    moved = np.where(moved > 127, moved - 12, np.where(moved < 0, moved + 12, moved))
    return made(part, onset, duration, moved, track, end=part.end)


def other_inversions(part: Score, random: Random) -> Score:
    """All but the melody an octave lower or where it was, each note by chance."""
    onset, duration, pitch, track = rows_of(part)
    low = ~melody(part) & ~is_drum(part, track)
    lower = low & (random.random(len(onset)) < 0.5) & (pitch >= 36)
    return made(part, onset, duration, pitch - 12 * lower, track, end=part.end)


def other_accompaniment(part: Score, random: Random) -> Score:
    """The melody alone, over broken chords in eighths of the pitch classes that sounded in each half bar."""
    onset, duration, pitch, track = rows_of(part)
    tuned = ~is_drum(part, track)
    top = melody(part)
    eighth = max(part.ticks_per_quarter // 2, 1)
    rows = list(zip(onset[top], duration[top], pitch[top], np.zeros(int(top.sum()), np.int64), strict=True))
    for start in range(0, part.end, 4 * eighth):
        here = tuned & (onset < start + 4 * eighth) & (onset + duration > start)
        classes = np.unique(pitch[here] % 12)
        for step in range(4 * bool(len(classes))):
            if start + step * eighth < part.end:
                rows.append((start + step * eighth, eighth, 36 + int(random.choice(classes)), 1))
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    return made(part, *columns, tracks=(Track("melody"), Track("chords")), end=part.end)


def revoiced(part: Score, random: Random) -> Score:
    """In other octaves, in other inversions, or over another accompaniment."""
    ways = (other_octaves, other_inversions, other_accompaniment)
    return ways[int(random.integers(len(ways)))](part, random)


def everything(part: Score, random: Random, share: float = 0.1) -> Score:
    """All of it at once, with a share of the notes changed."""
    for way in (in_another_key, in_other_values, ornamented, revoiced):
        part = way(part, random)
    return with_changes(part, random, share)


WAYS: dict[str, Callable[[Score, Random], Score]] = {
    "exact": exact, "other key": in_another_key, "other note values": in_other_values, "ornaments": ornamented,
    "10 % of notes changed": with_changes, "20 % of notes changed": much_changed, "re-voiced": revoiced}
SHARES = (0.0, 0.1, 0.2, 0.3)      # of notes changed, in the curve of everything at once
LENGTHS = (4, 8, 16)                                # bars
