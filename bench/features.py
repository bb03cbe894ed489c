"""The measures of songs beside music21's on the same songs.

    python bench/run.py features
    python bench/features.py 20         # so many songs for music21

Every song of pop909 is read before the clock runs, and so are those that music21 gets, by music21. Both measure whole
songs: pitch classes, mean pitch, range, steps and their histogram, notes a bar or second, lengths and their histogram,
times between onsets, variety of pitches, notes at once, strength of the places at which notes begin, mean and spread
of velocities. music21's are its extractors of `features.jSymbolic`, all on one `DataInstance` a song, so that what they
share is made once (PitchClassDistribution, PrimaryRegister, Range, AverageMelodicInterval, MelodicIntervalHistogram,
NoteDensity, AverageNoteDuration, AverageTimeBetweenAttacks, VariabilityOfTimeBetweenAttacks, PitchVariety,
AverageNumberOfIndependentVoices), and loops over its notes where it has none: lengths, `beatStrength`, velocities.
The second row is what the least use of music21 costs: plain loops over its notes, without its extractors, which copy
the song first. Ours that it has nothing like (rests, syncopation, swing, accents, repetition, groove, chromaticism,
self-similarity, articulation) are in the last row, with all measures of every bar, of which it has none at all.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from itertools import pairwise
from math import log2
from pathlib import Path
from statistics import fmean, pstdev
from types import ModuleType
from typing import Any

from peers import Row, music, peer, seconds, show, side_by_side, version

from partimento import features
from partimento.controls import CONTROLS
from partimento.formats import read_fast
from partimento.score import Meter, Score

SAMPLE = 3
ROUNDS = 1
EXTRACTORS = ("PitchClassDistributionFeature", "PrimaryRegisterFeature", "RangeFeature",
              "AverageMelodicIntervalFeature", "MelodicIntervalHistogramFeature", "NoteDensityFeature",
              "AverageNoteDurationFeature", "AverageTimeBetweenAttacksFeature",
              "VariabilityOfTimeBetweenAttacksFeature", "PitchVarietyFeature",
              "AverageNumberOfIndependentVoicesFeature")  # fmt: skip


def songs() -> list[Path]:
    """Return the songs of pop909."""
    return sorted(music("pop909").glob("[0-9]*/[0-9]*.mid"))


def read(path: Path) -> Score:
    """Return a song, its bars of one beat read as 4/4."""
    score = read_fast(path)
    return score.replace(meters=(Meter(0, 4, 4),)) if any(m.numerator == 1 for m in score.meters) else score


def ours(score: Score) -> list[Any]:
    """Return the measures that music21 has too, of a song."""
    return [features.polyphony(score), features.accent_profile(score), *simple(score)]


def simple(score: Score) -> list[Any]:
    """Return those of them that a loop over music21's notes gives."""
    return [features.pitch_classes(score), features.pitch_mean(score), features.pitch_span(score),
            features.melodic_step(score), features.interval_histogram(score), features.density(score),
            features.note_length(score), features.duration_histogram(score), features.inter_onset_histogram(score),
            features.rhythm_variety(score), features.pitch_variety(score), features.loudness(score),
            features.dynamics(score)]


def all_of_ours(score: Score) -> list[Any]:
    """Return every control of a song, every measure of every bar, and which bars are alike."""
    return [[control.measure(score, None) for control in CONTROLS.values()], features.by_bar(score),
            features.self_similarity(score)]


def theirs(package: ModuleType, stream: Any) -> list[Any]:
    """Return music21's measures of a song."""
    data = package.DataInstance(stream)
    found = [getattr(package.jSymbolic, name)(data).extract().vector for name in EXTRACTORS]
    notes = list(stream.flatten().notes)
    velocity = [note.volume.velocity or 0 for note in notes]
    return [*found, Counter(float(note.quarterLength) for note in notes), Counter(note.beatStrength for note in notes),
            fmean(velocity), pstdev(velocity)]


def by_loops(stream: Any) -> list[Any]:
    """Return what can be had of a song by plain loops over music21's notes, without its extractors."""
    classes, lengths, gaps, steps = Counter[int](), Counter[float](), Counter[float](), Counter[int]()
    pitches, velocities, in_bars = list[int](), list[int](), defaultdict[int, set[int]](set)
    for part in stream.parts:
        top: dict[float, int] = {}
        for note in part.flatten().notes:
            begin, length = float(note.offset), float(note.quarterLength)
            for pitch in note.pitches:
                classes[pitch.midi % 12] += length
                lengths[length] += 1
                pitches.append(pitch.midi)
                velocities.append(note.volume.velocity or 0)
                in_bars[int(begin // 4)].add(pitch.midi % 12)
                top[begin] = max(top.get(begin, 0), pitch.midi)
        line = sorted(top.items())
        for (before, low), (after, high) in pairwise(line):
            gaps[after - before] += 1
            steps[high - low] += 1
    mean_length = sum(length * count for length, count in lengths.items()) / len(pitches)
    mean_step = sum(abs(step) * count for step, count in steps.items()) / max(1, steps.total())
    bits = -sum(n / gaps.total() * log2(n / gaps.total()) for n in gaps.values())
    return [classes, fmean(pitches), max(pitches) - min(pitches), mean_step, steps, len(pitches) / len(in_bars),
            mean_length, lengths, gaps, bits, fmean(map(len, in_bars.values())), fmean(velocities), pstdev(velocities)]


def main(argv: list[str]) -> list[Row]:
    """Return the rows: what both measure, of a sample and of all songs, and all that we measure."""
    music21, package = peer("music21"), peer("music21.features")
    paths = songs()
    scores = [read(path) for path in paths]
    few = int(argv[0]) if argv else SAMPLE
    chosen = range(0, len(paths), max(1, len(paths) // few))[:few]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        streams = [music21.converter.parse(paths[i]) for i in chosen]
        own, other = side_by_side(lambda: [ours(scores[i]) for i in chosen],
                                  lambda: [theirs(package, stream) for stream in streams], ROUNDS)
        own_simple, loops = side_by_side(lambda: [simple(scores[i]) for i in chosen],
                                         lambda: [by_loops(stream) for stream in streams], ROUNDS)
    whole = seconds(lambda: [ours(score) for score in scores])
    everything = seconds(lambda: [all_of_ours(score) for score in scores])
    beside = f"beside {version(music21)}"
    return [{"name": "measures of a sample of songs", "ours": own, "peer": other, "ratio": other / own,
             "target": ">= 50x", "unit": "s", "n": len(chosen), "note": beside},
            {"name": "those that plain loops over music21's notes give", "ours": own_simple, "peer": loops,
             "ratio": loops / own_simple, "target": None, "unit": "s", "n": len(chosen),
             "note": "without its extractors, notes at once and the strength of places, at which it is slow"},
            {"name": "the same of every song of pop909", "ours": whole, "peer": other / len(chosen) * len(scores),
             "ratio": other / len(chosen) * len(scores) / whole, "target": ">= 50x", "unit": "s", "n": len(scores),
             "note": f"the peer's time is {len(chosen)} songs' taken for all"},
            {"name": "every control, every bar, which bars are alike", "ours": everything, "peer": None, "ratio": None,
             "target": None, "unit": "s", "n": len(scores),
             "note": f"{sum(score.n_bars for score in scores):,} bars, {sum(map(len, scores)):,} notes"}]


if __name__ == "__main__":
    show(main)
