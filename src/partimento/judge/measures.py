"""The measures that papers on generated music report, each by its published definition, of one Score.

Time is counted in steps of 24 a quarter, as in MuseGAN and MusPy, to which onsets and ends are rounded; a note lasts
one step at least. Bars are the Score's own. Drum tracks are left out but where drums are what is measured. A measure is
None where there is nothing to measure.

The structure indicators are in seconds, from the Score's tempos; all else is blind to tempo.

Sources: [D18] H.-W. Dong and others, "MuseGAN", AAAI 2018. [D20] H.-W. Dong and others, "MusPy: A Toolkit for Symbolic
Music Generation", ISMIR 2020. [M16] O. Mogren, "C-RNN-GAN", 2016. [W20] S.-L. Wu and Y.-H. Yang, "The Jazz Transformer
on the Front Line", ISMIR 2020. [H06] C. Harte, M. Sandler and M. Gasser, "Detecting Harmonic Change in Musical Audio",
2006. [Y18] L.-C. Yang and A. Lerch, "On the Evaluation of Generative Models in Music", 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento import features
from partimento.judge.structure import structure_long, structure_mid, structure_short
from partimento.score import Score
from partimento.theory import MAJOR_SCALE
from partimento.tokens.grid import to_steps

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]

STEPS = 24             # a quarter
SHORTEST = 3           # steps: a note of at least so many is qualified
NATURAL_MINOR = (0, 2, 3, 5, 7, 8, 10)


class Measure(NamedTuple):
    """One row of the table: its name and unit, what it says, the paper that defines it, and the function.

    `slow` ones take some tenths of a second a piece.
    """

    name: str
    unit: str
    meaning: str
    source: str
    measure: Callable[[Score], float | None]
    slow: bool = False


class StepNotes(NamedTuple):
    """The notes of a Score in steps: onset, end (after the onset), pitch, track, bar (int64[n] each), sorted by onset.

    `bars` holds the first step of every bar and the end of the last.
    """

    onset: IndexArray
    end: IndexArray
    pitch: IndexArray
    track: IndexArray
    bar: IndexArray
    bars: IndexArray


def steps_of(score: Score, drums: bool = False) -> StepNotes:
    """Return the pitched notes in steps, or those of the drum tracks.

    >>> steps_of(Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0])).end.tolist()
    [24]
    """
    mask = ~features.pitched(score) if drums else features.pitched(score)
    onset, end, bars = (to_steps(ticks, score.ticks_per_quarter, STEPS)
                        for ticks in (score.onset[mask], score.offset[mask], score.bar_starts))
    end = np.maximum(end, onset + 1)
    bar = np.clip(np.searchsorted(bars[:-1], onset, side="right") - 1, 0, None)
    return StepNotes(onset, end, score.pitch[mask].astype(np.int64), score.track[mask].astype(np.int64), bar, bars)


def entropy(counts: npt.ArrayLike) -> float:
    """Return the entropy in bits of counts that are not all nought.

    >>> entropy([1, 1, 2])
    1.5
    """
    share = np.asarray(counts, np.float64)
    share = share[share > 0] / share.sum()
    return float(-(share * np.log2(share)).sum()) + 0.0


# --- pitch -------------------------------------------------------------------------------------------------------


def pitch_class_entropy(score: Score) -> float | None:
    """Return the entropy in bits of the pitch classes of the notes [W20]: 0 for one of them, log2(12) for all alike."""
    pitch = steps_of(score).pitch
    return entropy(np.bincount(pitch % 12)) if len(pitch) else None


def bar_pitch_class_entropy(score: Score, bars: int = 1) -> float | None:
    """Return the mean over stretches of so many bars of the entropy of their pitch classes: H1 and H4 of [W20]."""
    found = steps_of(score)
    if not len(found.pitch):
        return None
    stretch = found.bar // bars
    table = np.zeros((int(stretch.max()) + 1, 12))
    np.add.at(table, (stretch, found.pitch % 12), 1)
    return float(np.mean([entropy(row) for row in table if row.any()]))


def pitch_entropy(score: Score) -> float | None:
    """Return the entropy in bits of the pitches of the notes [D20]."""
    pitch = steps_of(score).pitch
    return entropy(np.bincount(pitch)) if len(pitch) else None


def used_pitch_classes(score: Score) -> float | None:
    """Return how many pitch classes sound in a bar of a track, the mean over the bars in which any does [D18]."""
    found = steps_of(score)
    if not len(found.pitch):
        return None
    last = np.searchsorted(found.bars[:-1], found.end - 1, side="right") - 1
    reach = last - found.bar + 1
    row = np.repeat(np.arange(len(reach)), reach)
    bar = np.arange(len(row)) - np.repeat(np.cumsum(reach) - reach, reach) + found.bar[row]
    cells = np.unique((found.track[row] * (int(bar.max()) + 1) + bar) * 12 + found.pitch[row] % 12)
    return len(cells) / len(np.unique(cells // 12))


def scale_consistency(score: Score) -> float | None:
    """Return the largest share of notes that lie in one major or natural minor scale, 0–1 [M16]."""
    pitch = steps_of(score).pitch
    if not len(pitch):
        return None
    count = np.bincount(pitch % 12, minlength=12)
    inside = [count[[(root + step) % 12 for step in steps]].sum() for root in range(12)
              for steps in (MAJOR_SCALE, NATURAL_MINOR)]
    return float(max(inside) / len(pitch))


def _roll(found: StepNotes) -> FloatArray:
    """float64[steps]: how many pitches sound at each step, each once."""
    if not len(found.pitch):
        return np.zeros(0)
    lane = found.pitch
    order = np.lexsort((found.onset, lane))
    lane, onset, end = lane[order], found.onset[order], found.end[order]
    width = int(end.max()) + 1
    reached = np.maximum.accumulate(end + lane * width) - lane * width
    begin = np.maximum(onset, np.append(0, np.where(lane[1:] == lane[:-1], reached[:-1], 0)))
    new = end > begin
    change = np.bincount(begin[new], minlength=width) - np.bincount(end[new], minlength=width)
    return np.cumsum(change)[:-1].astype(np.float64)


def mean_polyphony(score: Score) -> float | None:
    """Return how many pitches sound at once, the mean over the steps in which any does [D20]."""
    roll = _roll(steps_of(score))
    return float(roll.sum() / (roll > 0).sum()) if roll.any() else None


def polyphony_rate(score: Score) -> float | None:
    """Return the share of steps, up to the last note's end, in which more than two pitches sound, 0–1 [D20]."""
    roll = _roll(steps_of(score))
    return float((roll > 2).mean()) if len(roll) else None


# --- rhythm ------------------------------------------------------------------------------------------------------


def qualified_notes(score: Score) -> float | None:
    """Return the share of notes that last at least 3 of the 96 steps of a 4/4 bar, 0–1 [D18]."""
    found = steps_of(score)
    return float((found.end - found.onset >= SHORTEST).mean()) if len(found.pitch) else None


def empty_bars(score: Score) -> float | None:
    """Return the share of bars of a track in which nothing sounds, the mean over the tracks with notes, 0–1 [D18]."""
    if not len(score) or not score.n_bars:
        return None
    shares = []
    for track in np.unique(score.track).tolist():
        own = score.track == track
        first = np.searchsorted(score.bar_starts[:-1], score.onset[own], side="right") - 1
        last = np.searchsorted(score.bar_starts[:-1], np.maximum(score.offset[own], score.onset[own] + 1),
                               side="left") - 1
        change = np.bincount(first, minlength=score.n_bars + 1) - np.bincount(last + 1, minlength=score.n_bars + 1)
        shares.append(float((np.cumsum(change)[:score.n_bars] == 0).mean()))
    return float(np.mean(shares))


def onset_entropy(score: Score) -> float | None:
    """Return the entropy in bits of the times from each onset to the next within a track, in steps of 1/24 quarter."""
    found = steps_of(score)
    if not len(found.onset):
        return None
    width = int(found.onset.max()) + 1
    both = np.unique(found.track * width + found.onset)
    gaps = np.diff(both)[np.diff(both // width) == 0]
    return entropy(np.unique(gaps, return_counts=True)[1]) if len(gaps) else None


def _grooves(score: Score) -> npt.NDArray[np.bool_] | None:
    """bool[bars, steps of the longest bar]: where anything begins, drums too; None of fewer than two bars."""
    if score.n_bars < 2 or not len(score):
        return None
    found = [steps_of(score, drums) for drums in (False, True)]
    bars = found[0].bars
    onset = np.concatenate([one.onset for one in found])
    bar = np.concatenate([one.bar for one in found])
    out = np.zeros((len(bars) - 1, int(np.diff(bars).max()) + 1), bool)
    out[bar, np.minimum(onset - bars[bar], out.shape[1] - 1)] = True
    return out[:, :max(int(np.diff(bars).max()), 1)]


def neighbouring_grooves(score: Score) -> float | None:
    """Return how alike neighbouring bars are in where notes begin: 1 − the mean Hamming distance [W20, D20]."""
    grooves = _grooves(score)
    return None if grooves is None else float(1 - (grooves[1:] != grooves[:-1]).mean())


def grooving_similarity(score: Score) -> float | None:
    """Return how alike any two bars are in where notes begin: 1 − mean Hamming distance of all pairs, GS of [W20]."""
    grooves = _grooves(score)
    if grooves is None:
        return None
    on = grooves.sum(axis=0).astype(np.float64)
    count = len(grooves)
    return float(1 - (2 * on * (count - on)).sum() / (count * (count - 1) * grooves.shape[1]))


def drum_pattern(score: Score) -> float | None:
    """Return the share of drum notes on 16ths or on 8th triplets, whichever holds more, 0–1 [D20, after D18]."""
    onset = steps_of(score, drums=True).onset
    if not len(onset):
        return None
    return float(max((onset % (STEPS // 4) == 0).mean(), (onset % (STEPS // 3) == 0).mean()))


# --- between tracks ------------------------------------------------------------------------------------------------


def tonal_centroids(chroma: FloatArray) -> FloatArray:
    """Return float64[..., 6]: the place of pitch-class weights (..., 12) in the tonal space of [H06].

    On circles of fifths, minor thirds and major thirds, of radius 1, 1 and ½; the weights are taken as shares.

    >>> tonal_centroids(np.eye(12)[0]).round(2).tolist()
    [0.0, 1.0, 0.0, 1.0, 0.0, 0.5]
    """
    angle = np.arange(12)[:, None] * np.pi * np.array([7 / 6, 3 / 2, 2 / 3])
    table = np.stack([np.sin(angle), np.cos(angle)], axis=-1) * np.array([1, 1, .5])[None, :, None]
    total = chroma.sum(-1, keepdims=True)
    share = np.divide(chroma, total, out=np.zeros_like(chroma, dtype=np.float64), where=total > 0)
    return np.asarray(share @ table.reshape(12, 6))


def tonal_distance(score: Score) -> float | None:
    """Return how far two tracks lie apart in tonal space, a beat at a time, the mean over all pairs of tracks [D18].

    Beats are quarters; only those in which both tracks sound count.
    """
    found = steps_of(score)
    tracks = np.unique(found.track)
    if len(tracks) < 2:
        return None
    beats = int(found.end.max() - 1) // STEPS + 1
    chroma = np.zeros((len(tracks), beats, 12))
    first, last = found.onset // STEPS, (found.end - 1) // STEPS
    which = np.searchsorted(tracks, found.track)
    for ahead in range(int((last - first).max()) + 1):
        beat = first + ahead
        here = np.flatnonzero(beat <= last)
        time = np.minimum(found.end, (beat + 1) * STEPS) - np.maximum(found.onset, beat * STEPS)
        np.add.at(chroma, (which[here], beat[here], found.pitch[here] % 12), time[here])
    place, sounds = tonal_centroids(chroma), np.asarray(chroma.sum(-1) > 0)
    total, count = 0.0, 0
    for i in range(len(tracks)):
        for k in range(i + 1, len(tracks)):
            both = np.flatnonzero(sounds[i] & sounds[k])
            total += float(np.linalg.norm(place[i, both] - place[k, both], axis=-1).sum())
            count += len(both)
    return total / count if count else None


_ROWS = (
    Measure("pitch_class_entropy", "bits", "how evenly the pitch classes are used", "W20", pitch_class_entropy),
    Measure("bar_pitch_class_entropy", "bits", "how evenly the pitch classes are used within a bar (H1)", "W20",
            bar_pitch_class_entropy),
    Measure("pitch_entropy", "bits", "how evenly the pitches are used", "D20", pitch_entropy),
    Measure("used_pitch_classes", "pitch classes a bar", "how many pitch classes sound in a bar of a track", "D18",
            used_pitch_classes),
    Measure("scale_consistency", "share of notes", "how many notes lie in the best scale", "M16", scale_consistency),
    Measure("polyphony", "pitches at once", "how many sound at once while any does", "D20", mean_polyphony),
    Measure("polyphony_rate", "share of time", "how long more than two sound", "D20", polyphony_rate),
    Measure("qualified_notes", "share of notes", "how many notes last a 32nd or longer", "D18", qualified_notes),
    Measure("empty_bars", "share of bars", "how many bars of a track are silent", "D18", empty_bars),
    Measure("onset_entropy", "bits", "how varied the times between onsets are", "Y18", onset_entropy),
    Measure("groove_consistency", "share", "how alike neighbouring bars are in rhythm", "W20", neighbouring_grooves),
    Measure("grooving_similarity", "share", "how alike any two bars are in rhythm (GS)", "W20", grooving_similarity),
    Measure("drum_pattern", "share of drum notes", "how many drum notes lie on 16ths or on triplets", "D20",
            drum_pattern),
    Measure("structure_short", "fitness", "how well some 3 to 8 seconds return in the piece (SI)", "W20",
            structure_short, slow=True),
    Measure("structure_mid", "fitness", "how well some 8 to 15 seconds return (SI)", "W20", structure_mid, slow=True),
    Measure("structure_long", "fitness", "how well some 15 seconds or more return (SI)", "W20", structure_long,
            slow=True),
    Measure("tonal_distance", "", "how far the tracks are from one another in harmony", "D18", tonal_distance),
)
MEASURES: dict[str, Measure] = {row.name: row for row in _ROWS}
