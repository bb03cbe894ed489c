"""Bach's chords given the melody, by hidden Markov chains and by four parts in turn: nats per beat, lower is better.

    python bench/run.py --tables allan_williams
    python bench/tables/allan_williams.py --rows "four parts, major"     # by hand
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))
from peers import music, rows_by_hand

from partimento.counting.hidden import Chain, drawn_paths, log_likelihood
from partimento.models.hmm.fourparts import PARTS, SYMBOLS, FourParts, Setting, symbol
from partimento.models.hmm.relations import UNKNOWN
from partimento.sampling import generator

PROTOCOL = (
    "allan_williams: −ln P(chords | melody) of the test chorales over their beats; the lists of the authors (121 "
    "training and 81 test chorales in major, 108 and 72 in minor). A chord is what sounds on a beat: the intervals of"
    " the four parts over the lowest, which of them are held over, and the function. `hmm` counts moves and melody "
    "notes in the training chorales of its mode and adds 0.1 to each (0.01 to the starts), over the 5,031 chords of "
    "both modes, without the end symbol: that gives the published numbers of all three of the authors' models to "
    "0.01, so it is taken to be their protocol (a note in their program speaks of 5,046 chords). `as released` "
    "follows their released files and program: the chords of one mode, 0.01 added throughout, the certain end of each"
    " chorale counted as a beat; it is easier, and not to be compared. `four parts` (partimento.models.hmm.fourparts)"
    " learns from the same training chorales, sees the same symbols of the melody and the chords before, no bar lines"
    " and no phrases, and takes function, bass, tenor and alto in turn. It is not told which chords there are: its "
    "probabilities sum to one over the functions of both modes times all parts between two fixed pitches, far more "
    "than the 5,031, and a chord that can be read in two ways is charged for one. Its relations and its one constant "
    "were chosen on a fifth of the major training chorales, but for the six relations about parallels, which were "
    "added (and checked there) after an earlier run of this table had drawn 6.4 in major and 7.3 in minor, and had "
    "given 3.39 and 3.42 nats. `no echo` does not look back to where the melody went alike. `clean`: test chorales "
    "that share under half of their melodic 8-grams with any one training chorale of their mode. `encoded`: the share"
    " of the beats in the authors' files (they have some in major alone) that the reading of the music used here "
    "gives, symbol by symbol. `parallels`: beats in a hundred that two parts reach in parallel fifths or octaves, in "
    "one setting of each test melody drawn at temperature 1, and in Bach's; notes between the beats are not heard.")
NATS, TRAIN, CLEAN = "nats per beat", "training", "clean"
DRAWN, BACH = "parallels drawn", "parallels of Bach"
PUBLISHED = [
    {"name": f"{model}, {mode}", NATS: nats, "source": "Allan and Williams 2004"}
    for mode, told in (("major", (4.90, 7.08, 7.61)), ("minor", (5.02, 7.21, 7.84)))
    for model, nats in zip(("hidden Markov", "Markov, without the melody", "independent, without the melody"), told,
                           strict=True)
]
SETS = {"major": "dur", "minor": "moll"}
RELEASED = {"together": False, "ends": True, "add": 0.01}
ROWS: dict[str, dict[str, Any]] = {
    f"{name}, {mode}": {"mode": mode, **settings} for name, settings in (
        ("hmm", {}), ("hmm as released", RELEASED), ("four parts", {}), ("four parts, no echo", {"without": "echo"}))
    for mode in SETS}
END = ("P:P:P:P/0", "END")
CLASSES = {"C": 0, "C#": 1, "Db": 1, "D": 2, "D#": 3, "Eb": 3, "E": 4, "E#": 5, "F": 5, "F#": 6, "Gb": 6, "G": 7,
           "G#": 8, "Ab": 8, "A": 9, "A#": 10, "B": 10, "Hb": 10, "H": 11, "B#": 11, "H#": 12}
NAMES = ("C_", "C#", "D_", "D#", "E_", "F_", "F#", "G_", "G#", "A_", "B_", "H_")
SILENT = 48                # where the lowest part is laid under a rest of the melody
Beats = list[tuple[str, str]]


def rows() -> list[str]:
    """Return the names of the rows."""
    return list(ROWS)


def row(name: str) -> dict[str, Any]:
    """Return the cells of a row."""
    begin, settings = time.perf_counter(), dict(ROWS[name])
    mode = settings.pop("mode")
    folder = music("allan_williams")
    lists = {f"{part} {own}": [read_beats(folder, number) for number in numbers(folder, f"{part}_{short}")]
             for own, short in SETS.items() for part in ("train", "test")}
    train, test = lists[f"train {mode}"], lists[f"test {mode}"]
    cells = four_parts(lists, train, test, **settings) if name.startswith("four") else \
        chains(lists, train, test, **settings)
    nats = cells.pop("nats")
    alone = [not shared(piece, train) for piece in test]
    beats = np.array([len(piece) for piece in test]) + settings.get("ends", False)
    cells = {NATS: round(nats.sum() / beats.sum(), 4), CLEAN: round(nats[alone].sum() / beats[alone].sum(), 4),
             "clean pieces": sum(alone), **cells, BACH: round(parallels(sounding(piece)[0] for piece in test), 2),
             "beats": int(beats.sum())}
    if name.startswith("hmm") and mode == "major":
        cells["encoded"] = encoded(folder)
    return {**cells, "all, s": round(time.perf_counter() - begin, 1)}


def chains(lists: dict[str, list[Beats]], train: list[Beats], test: list[Beats], together: bool = True,
           ends: bool = False, add: float = 0.1, add_start: float = 0.01) -> dict[str, Any]:
    """Return what a hidden Markov chain gives, one without the melody, and chords alone."""
    tail = [END] if ends else []
    train, test = [piece + tail for piece in train], [piece + tail for piece in test]
    every = [piece + tail for own in lists.values() for piece in own] if together else train + test
    unknown = [] if together else ["(unknown)"]         # a symbol of their alphabets that never comes
    hidden = {name: i for i, name in enumerate(unknown + sorted({chord for piece in every for chord, _ in piece}))}
    seen = {name: i for i, name in enumerate(unknown + sorted({note for piece in every for _, note in piece}))}
    start, alone = np.full(len(hidden), add_start), np.full(len(hidden), add_start)
    moves, notes = np.full((len(hidden),) * 2, add), np.full((len(hidden), len(seen)), add)
    for piece in train:
        path = [hidden[chord] for chord, _ in piece]
        start[path[0]] += 1
        np.add.at(alone, path, 1)
        np.add.at(moves, (path[:-1], path[1:]), 1)
        np.add.at(notes, (path, [seen[note] for _, note in piece]), 1)
    start, alone = start / start.sum(), alone / alone.sum()
    moves, notes = moves / moves.sum(axis=1, keepdims=True), notes / notes.sum(axis=1, keepdims=True)
    found = {}
    for part, pieces in (("test", test), ("train", train)):
        own = np.array([np.log(start[hidden[piece[0][0]]]) + sum(np.log(moves[hidden[a], hidden[b]])
                        for (a, _), (b, _) in pairwise(piece)) for piece in pieces])
        told = np.array([sum(np.log(notes[hidden[chord], seen[note]]) for chord, note in piece) for piece in pieces])
        evidence = notes.T[[seen[note] for piece in pieces for _, note in piece]]
        melody = log_likelihood(Chain(start, moves[None]), evidence, [len(piece) for piece in pieces])
        beats = sum(map(len, pieces))
        zero = sum(np.log(alone[hidden[chord]]) for piece in pieces for chord, _ in piece)
        found[part] = melody - own - told, -own.sum() / beats, -zero / beats
    drawn = iter(drawn_paths(Chain(start, moves[None]), notes.T[[seen[note] for piece in test for _, note in piece]],
                             [len(piece) for piece in test], generator(0).random(sum(map(len, test)))).tolist())
    names = list(hidden)
    chosen = [[(names[next(drawn)], note) for _, note in piece] for piece in test]
    train_nats = found["train"][0].sum() / sum(map(len, train))
    return {"nats": found["test"][0], TRAIN: round(train_nats, 4), "Markov": round(found["test"][1], 4),
            "independent": round(found["test"][2], 4), "chords": len(hidden),
            DRAWN: round(parallels(sounding(piece[:len(piece) - ends])[0] for piece in chosen), 2)}


def four_parts(lists: dict[str, list[Beats]], train: list[Beats], test: list[Beats],
               without: str = "") -> dict[str, Any]:
    """Return what four parts in turn give."""
    labels = {name: i for i, name in enumerate(sorted({chord.partition("/")[2] for own in lists.values()
                                                       for piece in own for chord, _ in piece}))}
    model = FourParts(len(labels), without=without)
    model.fit([setting(piece, labels) for piece in train])
    nats = [np.array([-model.log_prob(setting(piece, labels)).sum() for piece in own]) for own in (test, train)]
    drawn = []
    for number, piece in enumerate(setting(piece, labels) for piece in test):
        own = model.draw(piece.melody, piece.tied, generator(number))
        drawn.append(np.stack([own.melody, *(SYMBOLS.pitch[getattr(own, name)] for name in reversed(PARTS))]))
    return {"nats": nats[0], TRAIN: round(nats[1].sum() / sum(map(len, train)), 4),
            DRAWN: round(parallels(drawn), 2)}


def shared(piece: Beats, train: Iterable[Beats]) -> bool:
    """Return whether half of the melodic 8-grams of a piece, or more, stand in one training piece."""
    own = melodic_grams(piece)
    return max(len(own & melodic_grams(other)) for other in train) >= 0.5 * len(own)


def melodic_grams(piece: Beats) -> set[tuple[str, ...]]:
    """Return the 8-grams of the symbols of a melody."""
    notes = [note for _, note in piece]
    return {tuple(notes[i:i + 8]) for i in range(len(notes) - 7)}


# --- the music as the authors' symbols -------------------------------------------------------------------------------


def numbers(folder: Path, name: str) -> list[int]:
    """Return the numbers of the chorales in a list of the authors."""
    return [int(word) for word in (folder / "datasets" / name).read_text(encoding="ascii").split()]


def read_beats(folder: Path, number: int) -> Beats:
    """Return the chord and the melody note of each beat of a chorale over its tonic, as the authors write them.

    A row of the music is a 16th; a part that writes nothing there holds what it last wrote, which is marked by ``-``.
    A chord is written as intervals over the lowest part that sounds, and its function.
    """
    text = (folder / "music" / f"bch{number:03d}.txt").read_text(encoding="latin-1").splitlines()
    key = re.search(r"Tonart = ([^-\s]+)", "\n".join(text))
    assert key is not None
    begin = next(i for i, line in enumerate(text) if line.startswith("PHRASE")) + 2
    now = ["P", "P", "P", "P", "0"]
    out = []
    for place, line in enumerate(text[begin:]):
        words = (line.split("\t") + [""] * 7)[2:7]
        row = []
        for i, word in enumerate(words):
            if word and i < 4 and not word.lstrip("-").startswith("P"):
                high = pitch_of(word) - CLASSES[key[1]]
                word = "-" * word.startswith("-") + NAMES[high % 12] + str(high // 12 - 4)
            now[i] = word.replace(" ", "_") or now[i]
            row.append(now[i] if word else "-" + now[i])
        if place % 4 == 0:
            lowest = next((pitch_of(word) for word in reversed(row[:4]) if not word.endswith("P")), 0)
            parts = [word if word.endswith("P") else "-" * word.startswith("-") + str(pitch_of(word) - lowest)
                     for word in row[:4]]
            out.append((":".join(parts) + "/" + row[4], row[0]))
    return out


def pitch_of(word: str) -> int:
    """Return the pitch of a note as the authors write it: ``C 0`` is 48, with ``-`` before it where it is held.

    >>> pitch_of("C 0"), pitch_of("-F#_1"), pitch_of("B -1")
    (48, 66, 46)
    """
    found = re.fullmatch(r"-*([A-H][#b]?)[ _]*(-?\d+)", word.strip())
    assert found is not None, word
    return CLASSES[found[1]] + 12 * (int(found[2]) + 4)


def encoded(folder: Path) -> float:
    """Return the share of the beats of the authors' files, with the end of each, that `read_beats` gives alike."""
    model = folder / "model-chords-dur"
    chords, notes = ((model / f"SYMBOLS-{kind}").read_text(encoding="latin-1").splitlines()
                     for kind in ("HIDDEN", "VISIBLE"))
    alike = beats = 0
    for path in sorted((model / "input").glob("bch*.txt")):
        theirs = [(chords[int(line.split()[0])], notes[int(line.split()[1])])
                  for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
        ours = [*read_beats(folder, int(path.stem[3:])), END]
        alike += sum(a == b for a, b in zip(theirs, ours, strict=False))
        beats += max(len(theirs), len(ours))
    return alike / beats


def sounding(piece: Beats) -> tuple[np.ndarray, np.ndarray]:
    """Return the pitches over the tonic of soprano, alto, tenor and bass (int[4, beats], UNKNOWN: a rest), and whether
    each is held over; of the two readings of a few chords, one.

    >>> pitches, held = sounding([("12:-7:4:0/T", "C_1"), ("-12:7:4:0/T", "-C_1")])
    >>> pitches.T.tolist(), held.T.tolist()
    ([[60, 55, 52, 48], [60, 55, 52, 48]], [[False, True, False, False], [True, False, False, False]])
    """
    pitches, held = np.zeros((4, len(piece)), np.int64), np.zeros((4, len(piece)), bool)
    for beat, (chord, note) in enumerate(piece):
        words = chord.partition("/")[0].split(":")
        silent = note.endswith("P") or words[0].endswith("P")
        base = SILENT if silent else pitch_of(note) - int(words[0].removeprefix("-"))
        for part, word in enumerate(words):
            pitches[part, beat] = UNKNOWN if word.endswith("P") else base + int(word.removeprefix("-"))
            held[part, beat] = word.startswith("-")
        pitches[0, beat] = UNKNOWN if note.endswith("P") else pitch_of(note)
        held[0, beat] = note.startswith("-")
    return pitches, held


def setting(piece: Beats, labels: dict[str, int]) -> Setting:
    """Return the beats of a piece as a Setting, another for each other piece."""
    pitches, held = sounding(piece)
    parts = [np.array([symbol(int(pitch), bool(over)) for pitch, over in zip(pitches[part], held[part], strict=True)])
             for part in (3, 2, 1)]
    label = np.array([labels[chord.partition("/")[2]] for chord, _ in piece])
    return Setting(pitches[0], held[0].astype(np.int64), label, *parts)


def parallels(pieces: Iterable[np.ndarray]) -> float:
    """Return how many in a hundred beats (int[4, beats] each piece) two parts reach in parallel fifths or octaves.

    >>> parallels([np.array([[67, 69], [64, 65], [55, 57], [48, 50]])])
    50.0
    """
    found = beats = 0
    for pitches in pieces:
        bad = np.zeros(pitches.shape[1], bool)
        for high, low in combinations(range(4), 2):
            gap, moved = pitches[high] - pitches[low], np.diff(pitches[high])
            there = (pitches[[high, low]] >= 0).all(axis=0)
            perfect = np.isin(np.abs(gap[1:]) % 12, (0, 7))
            bad[1:] |= perfect & there[1:] & there[:-1] & (moved != 0) & (gap[1:] == gap[:-1])
        found, beats = found + int(bad.sum()), beats + len(bad)
    return 100 * found / beats


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=";")
