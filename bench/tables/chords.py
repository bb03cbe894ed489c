"""Chords heard in music from which its chord symbols were taken away, beside other programs on the same files.

    python bench/run.py --tables chords
    python bench/tables/chords.py --rows "openewld, melody alone" --limit 20     # by hand, some pieces
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
from peers import Missing, music, peer, rows_by_hand

from partimento import formats, theory
from partimento.errors import PartimentoError
from partimento.features import pitch_classes, rank_keys
from partimento.features.harmony import heard_chords
from partimento.features.harmony_beats import beat_view
from partimento.score import BoolArray, Chord, Score, Track

PROTOCOL = (
    "Weighted chord symbol recall: the share of the time under a chord symbol in which the chord heard agrees, over "
    "all files together. `majmin` compares major and minor triads (time under other symbols is left out), `root` "
    "the root alone, both as mir_eval defines them; sevenths, added tones and basses do not count. Time before the "
    "first symbol is left out. What is heard has notes, clock, meters and which tracks are drums; no symbols, keys, "
    "names, spelling. nottingham: one tune of three of each book, MIDI/*.mid with the symbols of ABC_cleaned, bar "
    "by bar where the melody of a bar of the MIDI is that of one written (a pick-up is a bar's end); tunes with "
    "under half of their bars so found are left out. openewld: melodies as written. pop909: the main files of 60 "
    "songs drawn with seed 0, read as bars of 4/4 from the first tick, against chord_midi.txt (made by an "
    "algorithm) in seconds of the file's own tempo. Peers name the pitches that sound in each beat or in each bar "
    "(two columns), the lowest first, and where they name none the chord before goes on; chorder reads a MIDI file "
    "by itself. `tonic`: the triad of the key heard, throughout. Nothing was fitted on these sets; pieces of the "
    "teaching sets that are like one of the tunes of nottingham or openewld taught nothing."
    " Versions of the model were compared on parts of both sets while it was made, so these are not untouched "
    "sets.")
SONGS, STRIDE = 60, 3                # songs of pop909; of nottingham one tune of so many
_MIREX = {"maj": "", "min": "m", "maj7": "maj7", "min7": "m7", "7": "7", "dim": "dim", "aug": "aug", "hdim7": "m7b5",
          "dim7": "dim7", "maj6": "6", "min6": "m6", "sus2": "sus2", "sus4": "sus4", "9": "9", "maj9": "maj9",
          "min9": "m9"}
Heard = list[tuple[int, int, str]]                          # ticks, root (-1: none), and maj, min, N or other


class Tune(NamedTuple):
    """Music without its symbols, and the symbols: (start, end, symbol or None where it is not known), in ticks."""

    score: Score
    symbols: list[tuple[int, int, str | None]]


def rows() -> list[str]:
    """Return the names of the rows."""
    return list(MUSIC)


def row(name: str, limit: int | None = None) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many files."""
    ways = {**WAYS}
    missing = []
    for way, package in NEEDS.items():
        try:
            peer(package)
        except Missing:
            ways.pop(way)
            missing.append(package)
    sums, seconds = {way: np.zeros(4) for way in ways}, dict.fromkeys(ways, 0.0)
    count = 0
    for tune in MUSIC[name](limit):
        count += 1
        for way, hear in ways.items():
            begin = time.process_time()
            heard = hear(tune.score)
            seconds[way] += time.process_time() - begin
            sums[way] += agreement(tune.symbols, heard) / tune.score.ticks_per_quarter
    cells: dict[str, Any] = {}
    for way, (right, time_of, right_root, time_of_root) in sums.items():
        cells[f"{way}, majmin"], cells[f"{way}, root"] = (round(float(right / time_of), 4),
                                                         round(float(right_root / time_of_root), 4))
    cells |= {"files": count, "quarters": round(float(sums["ours"][3])),
              "ours, ms a file": round(1000 * seconds["ours"] / count, 1)}
    return cells | ({"not here": ", ".join(sorted(set(missing)))} if missing else {})


def agreement(symbols: list[tuple[int, int, str | None]], heard: Heard) -> Any:
    """Return float64[4]: ticks of agreement on majmin, ticks compared, and the same of the root."""
    out = np.zeros(4)
    ticks = [item[0] for item in heard]
    for start, stop, symbol in symbols:
        if symbol is None:
            continue
        root, kind = reduced(symbol)
        for begin, end in pairwise([start, *(tick for tick in ticks if start < tick < stop), stop]):
            at = int(np.searchsorted(ticks, begin, side="right")) - 1
            _, their_root, their_kind = heard[at] if at >= 0 else (0, -1, "N")
            out[2:] += (end - begin) * np.array([their_root == root, 1])
            if kind != "other":
                out[:2] += (end - begin) * np.array([(their_root, their_kind) == (root, kind), 1])
    return out


@cache
def reduced(symbol: str) -> tuple[int, str]:
    """Return the root of a chord symbol, and whether it is a major or a minor triad with whatever else."""
    chord = theory.parse_chord(re.sub(r"/[A-G][#b]?$", "", symbol))
    steps = {(tone - chord.root) % 12 for tone in chord.tones}
    if chord.root < 0:
        return -1, "N"
    return chord.root, "maj" if {4, 7} <= steps and 3 not in steps else "min" if {3, 7} <= steps and 4 not in steps \
        else "other"


# --- what is compared ------------------------------------------------------------------------------------------


def ours(score: Score) -> Heard:
    """Return what the package hears."""
    return [(chord.tick, *reduced(chord.symbol)) for chord in heard_chords(score)]


def tonic(score: Score) -> Heard:
    """Return the tonic triad of the key heard."""
    key = rank_keys(pitch_classes(score))[0]
    return [(0, key.tonic, key.mode[:3])]


def windows(score: Score, bars: bool) -> Iterator[tuple[int, list[int]]]:
    """Give each beat or bar, and the pitches that sound in a tenth of it, each pitch class once, the lowest first."""
    edges = score.bar_starts.astype(np.int64) if bars else beat_view(score).edges
    for begin, end in pairwise(edges.tolist()):
        share = np.minimum(score.offset, end) - np.maximum(score.onset, begin)
        pitches = np.unique(score.pitch[share * 10 > end - begin])
        if len(pitches):
            _, first = np.unique(pitches % 12, return_index=True)
            yield begin, np.sort(pitches[first]).tolist()


def by_windows(name: Callable[[tuple[int, ...]], tuple[int, str] | None], score: Score, bars: bool) -> Heard:
    """Return what a program names the pitches of each window, where it names them anything."""
    named = [(tick, name(tuple(pitches))) for tick, pitches in windows(score, bars)]
    return [(tick, *found) for tick, found in named if found is not None]


@cache
def by_music21(pitches: tuple[int, ...]) -> tuple[int, str] | None:
    """Return the root and the quality that music21 gives some pitches."""
    found = peer("music21.chord").Chord(pitches)
    root = found.root()
    return root and (int(root.pitchClass), {"major": "maj", "minor": "min"}.get(found.quality, "other"))


@cache
def by_pychord(pitches: tuple[int, ...]) -> tuple[int, str] | None:
    """Return the first chord whose tones are exactly these pitch classes."""
    names = [theory.FLAT_NAMES[pitch % 12] for pitch in pitches]
    found = peer("pychord").find_chords_from_notes(names) if len(pitches) > 1 else []
    if not found:
        return None
    root = theory.parse_chord(str(found[0].root)).root
    tones = {(int(note) - root) % 12 for note in found[0].components(visible=False)}
    return root, "maj" if {4, 7} <= tones else "min" if {3, 7} <= tones else "other"


def by_chorder(score: Score) -> Heard:
    """Return the chord of each beat that chorder finds in the same notes as a MIDI file."""
    dechorder, midi = peer("chorder").Dechorder, peer("miditoolkit").MidiFile
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "one.mid")
        formats.write(score, path)
        file = midi(str(path))
    kinds = {"M": "maj", "7": "maj", "M7": "maj", "m": "min", "m7": "min"}
    scale = score.ticks_per_quarter
    return [(beat * scale, int(found.root_pc), kinds.get(found.quality, "other"))
            for beat, found in enumerate(dechorder.dechord(file)) if found is not None and found.root_pc is not None]


WAYS: dict[str, Callable[[Score], Heard]] = {
    "ours": ours, "music21, beats": lambda score: by_windows(by_music21, score, False),
    "music21, bars": lambda score: by_windows(by_music21, score, True), "chorder": by_chorder,
    "pychord, beats": lambda score: by_windows(by_pychord, score, False),
    "pychord, bars": lambda score: by_windows(by_pychord, score, True),
    "tonic": tonic}
NEEDS = {"music21, beats": "music21", "music21, bars": "music21", "chorder": "chorder", "pychord, beats": "pychord",
         "pychord, bars": "pychord"}


# --- the music -------------------------------------------------------------------------------------------------


def bare(score: Score, notes: BoolArray | None = None) -> Score:
    """Return notes that last (where `notes` says so), the clock and the meters, and nothing else."""
    kept = score.select((score.duration > 0) & (True if notes is None else notes))
    return Score(kept.onset, kept.duration, kept.pitch, kept.velocity, kept.track, end=score.end, meters=score.meters,
                 ticks_per_quarter=score.ticks_per_quarter, tracks=tuple(Track("", 0, t.is_drum) for t in score.tracks))


def openewld(limit: int | None) -> Iterator[Tune]:
    """Give the melodies."""
    paths = sorted(music("openewld").rglob("*.mxl"))
    random.Random(0).shuffle(paths)
    for path in paths[:limit]:
        score = formats.read(path)
        if score.chords and len(score):
            ends = [chord.tick for chord in score.chords[1:]] + [score.end]
            yield Tune(bare(score), [(chord.tick, end, known(chord)) for chord, end in
                                     zip(score.chords, ends, strict=True) if end > chord.tick])


def known(chord: Chord) -> str | None:
    """Return the symbol, or None where it cannot be read."""
    try:
        reduced(chord.symbol)
    except PartimentoError:
        return None
    return chord.symbol


def nottingham(limit: int | None, melody: bool = False) -> Iterator[Tune]:
    """Give the MIDI files, or their melodies alone, of tunes whose book has chord symbols."""
    folder = music("nottingham")
    for book in sorted((folder / "ABC_cleaned").glob("*.abc")):
        for number, place in list(enumerate(formats.tunes_of(book), start=1))[::STRIDE][:limit]:
            path = folder / "MIDI" / f"{book.stem}{number}.mid"
            if not path.is_file():
                continue
            page, score = formats.read(place), formats.read(path)
            if len(score.tracks) < 2 or not page.chords:
                continue
            symbols, found = placed(page.select(page.duration > 0), score)
            if found >= 0.5:
                yield Tune(bare(score, score.track == score.track.min() if melody else None), symbols)


def bar_of_notes(score: Score, notes: BoolArray) -> list[tuple[tuple[int, int], ...]]:
    """Return of each bar where its notes begin, in 24ths of a quarter before its end, and their pitches."""
    bar = np.searchsorted(score.bar_starts[:-1], score.onset, side="right") - 1
    before = np.rint((score.bar_starts[1:][bar] - score.onset) * 24 / score.ticks_per_quarter).astype(int)
    out: list[list[tuple[int, int]]] = [[] for _ in range(score.n_bars)]
    for note in np.flatnonzero(notes).tolist():
        out[bar[note]].append((int(before[note]), int(score.pitch[note])))
    return [tuple(sorted(each)) for each in out]


def placed(page: Score, score: Score) -> tuple[list[tuple[int, int, str | None]], float]:
    """Return a page's symbols where its bars are played in a MIDI file, and the share of bars found on the page."""
    written = bar_of_notes(page, np.ones(len(page), bool))
    played = bar_of_notes(score, score.track == score.track.min())
    symbols: list[list[tuple[float, str]]] = [[] for _ in written]
    for chord in page.chords:
        at = min(int(np.searchsorted(page.bar_starts[:-1], chord.tick, side="right")) - 1, len(written) - 1)
        symbols[at].append(((page.bar_starts[at + 1] - chord.tick) / page.ticks_per_quarter, chord.symbol))
    where: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for at, notes in enumerate(written):
        where.setdefault(notes, []).append(at)
    out: list[tuple[int, int, str | None]] = []
    before, ruling, found = -1, None, 0
    for notes, begin, end in zip(played, score.bar_starts[:-1].tolist(), score.bar_starts[1:].tolist(), strict=True):
        if not notes or notes not in where:
            out.append((begin, end, None))
            before, ruling = before + bool(begin), None
            continue
        found += 1
        before = before + 1 if before + 1 in where[notes] else where[notes][0]
        for left, symbol in symbols[before]:
            tick = max(begin, round(end - left * score.ticks_per_quarter))
            if tick > begin:
                out.append((begin, tick, ruling))
            begin, ruling = tick, symbol
        if end > begin:
            out.append((begin, end, ruling))
    return out, found / max(1, sum(map(bool, played)))


def pop909(limit: int | None) -> Iterator[Tune]:
    """Give some songs."""
    folders = sorted(path for path in music("pop909").iterdir() if path.is_dir())
    random.Random(0).shuffle(folders)
    for folder in folders[:limit or SONGS]:
        score = formats.read(folder / f"{folder.name}.mid").replace(meters=())
        clock = np.asarray(score.seconds(np.arange(0, score.end + 1, 60)))
        symbols: list[tuple[int, int, str | None]] = []
        for line in (folder / "chord_midi.txt").read_text(encoding="utf-8").splitlines():
            begin, end, label = line.split()
            first, last = (int(np.interp(float(place), clock, 60 * np.arange(len(clock)))) for place in (begin, end))
            root, _, quality = label.partition("/")[0].partition(":")
            symbol = "N" if label == "N" else root + _MIREX[quality] if quality in _MIREX else None
            symbols.append((first, last, symbol))
        yield Tune(bare(score), symbols)


MUSIC: dict[str, Callable[[int | None], Iterator[Tune]]] = {
    "nottingham, melody and chords": nottingham,
    "nottingham, melody alone": lambda limit: nottingham(limit, melody=True),
    "openewld, melody alone": openewld, "pop909, sample": pop909}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    rows_by_hand(__doc__, rows(), row, between=";", limit=None)
