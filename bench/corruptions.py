"""Real pieces made wrong in known ways, frame and number of notes kept: what a judge must put below the real ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from partimento.features import bar_indices, pitched
from partimento.models.random import Random
from partimento.request import Blanks, Request
from partimento.score import Score

Rng = np.random.Generator
CHANGED = 0.1              # of the pitched notes
NEAR = 6                   # semitones that a changed pitch moves at most
REDRAWS = 20               # orders of bars that are tried until the music is another


def shuffled(score: Score, rng: Rng) -> Score:
    """The pitches of each track dealt anew to its notes: onsets, durations, velocities and drums stay."""
    pitch = score.pitch.copy()
    tones = pitched(score)
    for track in range(len(score.tracks)):
        own = np.flatnonzero(tones & (score.track == track))
        pitch[own] = pitch[own[np.argsort(rng.random(len(own)), kind="stable")]]
    return score.replace(pitch=pitch, spelling=None)


def changed(score: Score, rng: Rng) -> Score:
    """A tenth of the pitched notes, one at least, on another pitch up to six semitones off, in the track's own range.

    Of such pitches one that no other note of the track begins on at that time; a note that has none stays.
    """
    pitch = score.pitch.copy()
    tones = np.flatnonzero(pitched(score))
    chosen = tones[np.argsort(rng.random(len(tones)), kind="stable")[:max(1, round(CHANGED * len(tones)))]]
    for note in chosen.tolist():
        own = score.track == score.track[note]
        low, high = int(score.pitch[own].min()), int(score.pitch[own].max())
        taken = set(pitch[own & (score.onset == score.onset[note])].tolist())
        here = int(pitch[note])
        free = [p for p in range(max(low, here - NEAR), min(high, here + NEAR) + 1) if p not in taken]
        if free:
            pitch[note] = free[int(rng.random() * len(free))]
    return score.replace(pitch=pitch, spelling=None)


def permuted(score: Score, rng: Rng) -> Score | None:
    """The bars in another order; a note moves with the bar it begins in and keeps its length, as far as the piece goes.

    Bars change places with bars of their length alone, so that a pick-up stays; None where no order sounds different.
    """
    length = np.diff(score.bar_starts)
    for _ in range(REDRAWS):
        place = np.arange(score.n_bars)
        for size in np.unique(length).tolist():
            own = np.flatnonzero(length == size)
            place[own] = own[np.argsort(rng.random(len(own)), kind="stable")]
        bar = bar_indices(score, np.ones(len(score), bool))
        onset = score.onset - score.bar_starts[bar] + score.bar_starts[place[bar]]
        found = score.replace(onset=onset, duration=np.minimum(score.duration, score.end - onset), marks=(), texts=(),
                              chords=(), keys=score.keys[:1])
        if not np.array_equal(found.notes()[:, :3], score.notes()[:, :3]):
            return found
    return None


def at_random(score: Score, rng: Rng) -> Score:
    """Notes of the random family in the frame of the piece: its length, meters and tracks."""
    frame = score.without_notes().replace(spelling=None, voice=None, staff=None, grace=None)
    return Random().fill(frame, Blanks.everything(frame), Request(), [rng])[0]


CORRUPTIONS: dict[str, Callable[[Score, Rng], Score | None]] = {
    "shuffled": shuffled, "changed": changed, "permuted": permuted, "random": at_random}
