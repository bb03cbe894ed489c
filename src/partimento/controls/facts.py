"""Whether a piece holds its key and its chords: one predicate each, and the sentence that says why or why not."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento import features, theory
from partimento.score import BoolArray, Chord, Score
from partimento.theory import KeyName

SCALE_SHARE = (9, 10)      # of sounding time in the scale
CHORD_SHARE = (4, 5)       # of sounding time under a chord on its tones
ON_BEAT = 8                # an onset within a quarter / 8 after the chord's tick is on its first beat


class Verdict(NamedTuple):
    """Whether a fact holds, and one sentence that says why or why not."""

    ok: bool
    reason: str


def tonic_margin(histogram: npt.NDArray[Any], key: KeyName) -> npt.NDArray[np.float64]:
    """Return by how much the best key on this tonic correlates better than the best on any other (float64[...]).

    >>> float(tonic_margin(np.eye(12)[0], KeyName(0))) > 0
    True
    """
    best = features.key_strengths(histogram).reshape(*histogram.shape[:-1], 2, 12).max(-2)
    others = np.delete(best, key.tonic, axis=-1).max(-1)
    return np.asarray(best[..., key.tonic] - others)


def last_group(onset: npt.NDArray[Any], end: npt.NDArray[Any], mask: BoolArray) -> npt.NDArray[np.intp]:
    """Return the indices of the notes in `mask` that sound at its last onset, those that begin there included.

    >>> last_group(np.array([0, 0, 480]), np.array([480, 960, 480]), np.array([True] * 3)).tolist()
    [1, 2]
    """
    last = int(onset[mask].max()) if mask.any() else 0
    return np.flatnonzero(mask & ((onset == last) | (end > last)))


def key_holds(score: Score, key: KeyName, *, notes: BoolArray | None = None, finished: bool = True,
              chords: Sequence[Chord] = ()) -> Verdict:
    """Return whether a piece is in a key.

    It is when at least 90 % of the sounding time of its pitched notes lies in the scale (minor: with the melodic and
    harmonic degrees), the key profile puts this tonic first, and a finished piece ends with the tonic in the bass:
    the lowest of the pitched notes that sound at its last onset. `notes` (bool[n]) says on which notes the first two
    are asked; the ending is always the whole piece's. `chords`: what was asked for as well, so that the reason can
    say when they are what contradicts the key. Without pitched notes every key holds.

    >>> s = Score(onset=[0, 480, 960], duration=[480] * 3, pitch=[60, 67, 60], velocity=[80] * 3, track=[0] * 3)
    >>> key_holds(s, theory.parse_key("C major"))
    Verdict(ok=True, reason='100 % in the scale, ends on C')
    >>> key_holds(s, theory.parse_key("G major"), finished=False).ok
    False
    """
    time = features.pitch_classes(score, notes=notes)
    name, tonic_name = theory.key_name(*key), theory.key_name(*key).split()[0]
    total, inside = time.sum(), time[sorted(theory.scale(*key))].sum()
    said = [f"{100 * inside / total:.0f} % in the scale"] if total else ["no pitched notes"]
    if total and inside * SCALE_SHARE[1] < total * SCALE_SHARE[0] - 1e-9:
        return Verdict(False, f"{_percent(inside, total)} of the sounding time is in the scale of {name}, "
                              f"90 % must be{_chords_outside(key, chords)}")
    if total and float(tonic_margin(time, key)) < -1e-9:
        best = features.rank_keys(time)[0]
        return Verdict(False, f"the notes point to {theory.key_name(*best)} more than to {name}"
                              f"{_chords_outside(key, chords)}")
    group = last_group(score.onset, score.offset, features.pitched(score))
    if finished and len(group):
        low = int(score.pitch[group].min())
        if low % 12 != key.tonic:
            return Verdict(False, f"it ends on {theory.pitch_name(low, theory.fifths(*key))} in the bass, it must end "
                                  f"on {tonic_name}{_last_chord(int(score.onset[group].max()), key, chords)}")
        said.append(f"ends on {tonic_name}")
    return Verdict(True, ", ".join(said))


def _percent(part: float, whole: float) -> str:
    """A share in words that never rounds up to what it has not reached."""
    return f"{np.floor(1000 * part / whole) / 10:g} %"


def _chords_outside(key: KeyName, chords: Sequence[Chord]) -> str:
    inside = theory.scale(*key)
    outside = sorted({c.symbol for c in chords if not theory.parse_chord(c.symbol).tones <= inside})
    return f"; the chords win, and {', '.join(outside)} lie{'s' * (len(outside) == 1)} outside it" if outside else ""


def _last_chord(tick: int, key: KeyName, chords: Sequence[Chord]) -> str:
    ruling = [c.symbol for c in chords if c.tick <= tick]
    tones = theory.parse_chord(ruling[-1]).tones if ruling else frozenset()
    return f"; the chords win, and the last, {ruling[-1]}, has no such tone" if tones and key.tonic not in tones else ""


class Under(NamedTuple):
    """Which notes sound under which chords: one row a pair, int64 columns, by chord and then note."""

    note: npt.NDArray[np.int64]
    chord: npt.NDArray[np.int64]
    overlap: npt.NDArray[np.int64]       # ticks
    on_beat: BoolArray                   # the note begins on the chord's first beat


def spans(score: Score, chords: Sequence[Chord]) -> list[tuple[int, int, Chord]]:
    """Return (tick, end tick, chord) of each chord; the last rules to the end, and of two at one tick the later said.

    >>> spans(Score(end=960), [Chord(0, "C"), Chord(480, "F")])
    [(0, 480, Chord(tick=0, symbol='C')), (480, 960, Chord(tick=480, symbol='F'))]
    """
    latest = {int(c.tick): c for c in sorted(chords, key=lambda c: int(c.tick))}
    ticks = [*latest, max([score.end, *latest])]
    return [(start, stop, latest[start]) for start, stop in itertools.pairwise(ticks)]


def under(onset: npt.NDArray[Any], duration: npt.NDArray[Any], ruled: Sequence[tuple[int, int, Chord]],
          notes: BoolArray, late_ticks: int) -> Under:
    """Return the pairs of the notes in `notes` (bool[n]) and the chords of `spans` that they sound under."""
    index = np.flatnonzero(notes)
    starts = np.array([start for start, _, _ in ruled], np.int64)
    stops = np.array([stop for _, stop, _ in ruled], np.int64)
    onset = onset[index].astype(np.int64)
    end = onset + np.maximum(duration[index], 1)
    first = np.maximum(np.searchsorted(starts, onset, side="right") - 1, 0)
    count = np.maximum(np.searchsorted(starts, end, side="left") - first, 0)
    row = np.repeat(np.arange(len(index)), count)
    chord = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + first[row]
    overlap = np.minimum(end[row], stops[chord]) - np.maximum(onset[row], starts[chord])
    late = onset[row] - starts[chord]
    on_beat = (late >= 0) & (late <= late_ticks)
    order = np.lexsort((row, chord))
    order = order[(overlap[order] > 0)]
    return Under(index[row][order], chord[order], overlap[order], on_beat[order])


def chords_hold(score: Score, chords: Sequence[Chord], *, notes: BoolArray | None = None) -> Verdict:
    """Return whether a piece follows its chords.

    It does when every pitched note that begins on a chord's first beat is a chord tone, and at least 80 % of the
    sounding time of pitched notes under each chord is. On the first beat is: at the chord's tick, or up to a quarter
    / 8 after it, as played music has it. `notes` (bool[n]) says which notes are asked. ``N`` asks for nothing.

    >>> s = Score(onset=[0, 480], duration=[480, 480], pitch=[60, 64], velocity=[80, 80], track=[0, 0])
    >>> chords_hold(s, [Chord(0, "C")]).ok, chords_hold(s, [Chord(0, "F")]).ok
    (True, False)
    """
    mask = features.pitched(score) if notes is None else features.pitched(score) & notes
    ruled = spans(score, chords)
    if not ruled:
        return Verdict(True, "no chords asked")
    pairs = under(score.onset, score.duration, ruled, mask, score.ticks_per_quarter // ON_BEAT)
    tones = tone_table(ruled)
    fits: BoolArray = tones[pairs.chord, score.pitch[pairs.note] % 12]
    asked = np.asarray(tones.any(axis=1))
    wrong = np.flatnonzero(~fits & pairs.on_beat & asked[pairs.chord])
    if len(wrong):
        start, _, chord = ruled[int(pairs.chord[wrong[0]])]
        pitch = theory.pitch_name(int(score.pitch[pairs.note[wrong[0]]]))
        return Verdict(False, f"{pitch} begins with {chord.symbol} in bar {score.bar_number(start)} "
                              "and is no tone of it")
    time = np.bincount(pairs.chord, pairs.overlap, len(ruled))
    inside = np.bincount(pairs.chord, pairs.overlap * fits, len(ruled))
    below = np.flatnonzero((inside * CHORD_SHARE[1] < time * CHORD_SHARE[0]) & asked)
    if len(below):
        start, _, chord = ruled[int(below[0])]
        return Verdict(False, f"{_percent(inside[below[0]], time[below[0]])} of the sounding time under {chord.symbol} "
                              f"in bar {score.bar_number(start)} is on its tones, 80 % must be")
    total = time[asked].sum()
    return Verdict(True, f"{100 * inside[asked].sum() / total:.0f} % on chord tones" if total else "no pitched notes")


def tone_table(ruled: Sequence[tuple[int, int, Chord]]) -> BoolArray:
    """Return bool[chords, 12]: which pitch classes are tones of each chord; none for ``N``."""
    table = np.zeros((len(ruled), 12), bool)
    for row, (_, _, chord) in zip(table, ruled, strict=True):
        row[sorted(theory.parse_chord(chord.symbol).tones)] = True
    return table
