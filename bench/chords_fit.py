"""Fits what the package knows of harmony on open music, whose chords are first heard in its full texture.

    python bench/chords_fit.py --out src/partimento/features/harmony.safetensors     # those of the package, and ledger
    python bench/chords_fit.py --held-out 8 --limit 300                              # every eighth work is left out

Teachers are open_hymnal, openscore_lieder and mutopia_midi without its CC-BY-SA pieces, none of which has chord
symbols. Tables of theory (chord tones, diatonic triads) hear the triads of 300 pieces; what they hear gives tables of
its own, twice; those name the triads of every piece. A linear-chain conditional random field on a network of two
layers then learns to say these triads from the melody alone: the voice of a song, the upper line of other pieces.
Pieces that share a fifth of their melodic 8-grams with one tune of openewld or nottingham, on which the chords are
tested, are left out. All of it is seeded; it takes ten minutes on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

sys.path.append(str(Path(__file__).resolve().parent))
from peers import music, peer

from partimento import formats
from partimento.data import ledger
from partimento.data.reading import read_one
from partimento.errors import PartimentoError
from partimento.features import pitch_classes, pitched, rank_keys
from partimento.features.harmony_beats import BeatView, beat_view
from partimento.features.harmony_model import N_TRIADS, TRIADS, Values, heard_triads, line_facts
from partimento.score import BoolArray, Score

SETS = {"open_hymnal": ("*.abc", "public domain"), "openscore_lieder": ("*.mxl", "CC0-1.0"),
        "mutopia_midi": ("*.mid", "")}         # it says the licence of a piece by its folder
LICENCES = {"PD": "public domain", "CC-BY": "CC-BY"}
TESTED = {"openewld": "*.mxl", "nottingham": "ABC_cleaned/*.abc"}
FIRST, ROUNDS = 300, 2                     # pieces in which the tables are learnt, and how often
STEPS, BATCH, LENGTH = 2500, 32, 48        # of the network: steps, stretches a step, beats a stretch
WIDTH, RATE, DROPPED = 96, 4e-3, 0.2
GRAM, SHARED = 8, 0.2
Array = npt.NDArray[Any]


class Lesson(NamedTuple):
    """A piece: all of it on beats, its melody on beats, and the key of each."""

    set: str
    file: str
    sha256: str
    notes: int
    view: BeatView
    line: BeatView
    key: tuple[int, bool]
    line_key: tuple[int, bool]


def files(name: str, pattern: str) -> Iterator[str]:
    """Give the files of a set, and the tunes of its books, in an order drawn with seed 0."""
    paths = sorted(path for path in music(name).rglob(pattern) if "CC-BY-SA" not in path.parts)
    random.Random(0).shuffle(paths)
    for path in paths:
        yield from (formats.tunes_of(path) if path.suffix == ".abc" else [str(path)])


def upper_line(score: Score) -> BoolArray:
    """Return bool[n]: the highest note of each onset, where none above it still sounds."""
    chosen = np.zeros(len(score), bool)
    last = end = top = -1
    for note in np.lexsort((-score.pitch, score.onset)).tolist():
        begin, pitch = int(score.onset[note]), int(score.pitch[note])
        if begin != last and (begin >= end or pitch >= top):
            chosen[note], top, end = True, pitch, int(score.offset[note])
        last = begin
    return chosen


def grams(score: Score, notes: BoolArray) -> set[bytes]:
    """Return every eight melodic steps in a row, repeated notes left out."""
    steps = np.diff(score.pitch[notes])
    steps = steps[steps != 0].astype(np.int8)
    return {steps[i:i + GRAM].tobytes() for i in range(len(steps) - GRAM + 1)}


def tested() -> dict[bytes, list[int]]:
    """Return the melodic 8-grams of the tunes on which chords are tested, and which tunes have each."""
    found: dict[bytes, list[int]] = defaultdict(list)
    tunes = [read(file) for name, pattern in TESTED.items() for file in files(name, pattern)]
    for number, score in enumerate(tunes):
        for gram in grams(score, upper_line(score)) if score is not None else ():
            found[gram].append(number)
    return found


def shared(own: set[bytes], known: dict[bytes, list[int]]) -> float:
    """Return the largest share of these 8-grams that one of the tunes tested has too."""
    counts = Counter(number for gram in own for number in known.get(gram, ()))
    return max(counts.values(), default=0) / max(1, len(own))


def read(file: str) -> Score | None:
    """Return the notes of a file that last, or None where there is no music in it."""
    try:
        score = read_one(file)[1]
    except PartimentoError:
        return None
    return None if score is None else score.select(score.duration > 0)


def key_of(score: Score, notes: BoolArray | None = None) -> tuple[int, bool]:
    """Return the tonic of the key heard, and whether it is minor."""
    key = rank_keys(pitch_classes(score, notes=notes))[0]
    return key.tonic, key.mode == "minor"


def lessons(limit: int | None) -> tuple[list[Lesson], int]:
    """Return the pieces, and how many were left out because they are like a tune on which chords are tested."""
    known, found, alike = tested(), [], 0
    for name, (pattern, _) in SETS.items():
        for file in list(files(name, pattern))[:limit]:
            score = read(file)
            if score is None or pitched(score).sum() < 32 or not 6 <= score.n_bars <= 600:
                continue
            melody = pitched(score) & (score.track == 0 if name == "openscore_lieder" else upper_line(score))
            own = grams(score, melody)
            if melody.sum() < 16 or (len(score.tracks) < 2 and name == "openscore_lieder"):
                continue
            if shared(own, known) >= SHARED:
                alike += 1
                continue
            path = Path(file.partition("#")[0])
            found.append(Lesson(name, path.relative_to(music(name)).as_posix() + file[len(str(path)):],
                                hashlib.sha256(path.read_bytes()).hexdigest(), len(score), beat_view(score),
                                beat_view(score, melody), key_of(score), key_of(score, melody)))
    return found, alike


def theory_alone() -> Values:
    """Return tables that say no more than which tones a triad has and which triads are of a key."""
    tones, bass = np.full((4, 12), 0.015), np.full((4, 12), 0.03)
    for kind, triad in enumerate(TRIADS):
        tones[kind, list(triad)], bass[kind, list(triad)] = (0.33, 0.26, 0.26), (0.62, 0.2, 0.12)
        tones[kind, 9 if kind == 2 else 10] += 0.05
    changes = np.zeros((2, N_TRIADS, N_TRIADS))
    usual = np.repeat([0.5, 0.35, 0.12, 0.03], 12)
    for mode, scale in enumerate(({0, 2, 4, 5, 7, 9, 11}, {0, 2, 3, 5, 7, 8, 10, 11})):
        inside = [all((t % 12 + step) % 12 in scale for step in TRIADS[t // 12]) for t in range(N_TRIADS)]
        changes[mode] = usual * np.where(inside, 1.0, 0.15)
    return normal({"tones": tones, "bass": bass, "changes": changes, "moves": np.array([0.6, 0.45, 0.3])})


def normal(values: Values) -> Values:
    """Return the tables with rows that sum to 1, and no change from a triad to itself."""
    changes = values["changes"] * (1 - np.eye(N_TRIADS))
    return {**values, "changes": changes / changes.sum(-1, keepdims=True),
            **{name: values[name] / values[name].sum(-1, keepdims=True) for name in ("tones", "bass")}}


def relearnt(pieces: list[Lesson], values: Values) -> Values:
    """Return the tables counted in what other tables hear; theory stands for some counts of each."""
    prior = theory_alone()
    tones, bass, changes = prior["tones"] * 500, prior["bass"] * 200, prior["changes"] * 60
    moves = np.full((3, 2), 20.0)
    for piece in pieces:
        view, (tonic, minor) = piece.view, piece.key
        triads = heard_triads(view, tonic, minor, False, values)
        kind, root = triads // 12, triads % 12
        np.add.at(tones, kind, view.sounding[np.arange(len(view))[:, None], (np.arange(12) + root[:, None]) % 12])
        low = view.bass >= 0
        np.add.at(bass, (kind[low], (view.bass[low] - root[low]) % 12), 1)
        own = kind * 12 + (root - tonic) % 12
        moved = own[1:] != own[:-1]
        np.add.at(changes[int(minor)], (own[:-1][moved], own[1:][moved]), 1)
        np.add.at(moves, (view.place[1:], moved.astype(int)), 1)
    return normal({"tones": tones, "bass": bass, "changes": changes, "moves": moves[:, 1] / moves.sum(axis=1)})


def stretches(pieces: list[Lesson], values: Values) -> list[Array]:
    """Return facts, triads, places, modes and masks of stretches of beats in which a melody sounds."""
    out: list[tuple[Any, ...]] = []
    for piece in pieces:
        tonic, minor = piece.line_key
        triads = heard_triads(piece.view, *piece.key, False, values)
        triads = triads // 12 * 12 + (triads - tonic) % 12
        facts = line_facts(piece.line, tonic, minor).astype(np.float32)
        for start in range(0, len(triads), LENGTH):
            part = slice(start, start + LENGTH)
            count = len(triads[part])
            if count < 8 or (piece.line.sounding[part].sum(axis=1) > 0.05).mean() < 0.6:
                continue
            gap = LENGTH - count
            out.append((np.pad(facts[part], ((0, gap), (0, 0))), np.pad(triads[part], (0, gap)),
                        np.pad(piece.line.place[part], (0, gap)), int(minor), np.arange(LENGTH) < count))
    return [np.stack(column) for column in zip(*out, strict=True)]


def fit_line(pieces: list[Lesson], kept_out: list[Lesson], values: Values, steps: int) -> Values:
    """Return the network of a melody's chords and its tables, fitted by the likelihood of whole stretches."""
    torch = peer("torch")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    shown = [torch.tensor(column) for column in stretches(pieces, values)]
    held = [torch.tensor(column) for column in stretches(kept_out, values)] if kept_out else []
    layers = [torch.nn.Linear(shown[0].shape[2], WIDTH), torch.nn.Linear(WIDTH, WIDTH),
              torch.nn.Linear(WIDTH, N_TRIADS)]
    changes = torch.zeros(2, N_TRIADS, N_TRIADS, requires_grad=True)
    moves = torch.zeros(3, requires_grad=True)
    itself = torch.eye(N_TRIADS, dtype=torch.bool)

    def loss(facts: Any, triads: Any, place: Any, mode: Any, mask: Any, dropped: float) -> Any:
        state = torch.nn.functional.dropout(torch.relu(layers[0](facts)), dropped)
        chances = layers[2](torch.relu(layers[1](state)))
        to = torch.log_softmax(changes.masked_fill(itself, -1e4), -1)[mode]
        rows = torch.arange(len(facts))
        total, own = chances[:, 0], chances[rows, 0, triads[:, 0]]
        for beat in range(1, facts.shape[1]):
            move = moves[place[:, beat]][:, None, None]
            step = torch.where(itself, torch.nn.functional.logsigmoid(-move),
                               to + torch.nn.functional.logsigmoid(move))
            there = torch.logsumexp(total[:, :, None] + step, 1) + chances[:, beat]
            total = torch.where(mask[:, beat, None], there, total)
            taken = step[rows, triads[:, beat - 1], triads[:, beat]] + chances[rows, beat, triads[:, beat]]
            own = own + torch.where(mask[:, beat], taken, torch.zeros(()))
        return (torch.logsumexp(total, 1) - own).sum() / mask.sum()

    learnt = [changes, moves, *(value for layer in layers for value in layer.parameters())]
    optimiser = torch.optim.AdamW(learnt, RATE / 2, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for step in range(steps):
        drawn = torch.randint(0, len(shown[0]), (BATCH,))
        value = loss(*(column[drawn] for column in shown), DROPPED)
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        optimiser.step()
        schedule.step()
        if step % 250 == 249:
            with torch.no_grad():
                told = [float(loss(*(column[i:i + 128] for column in held), 0.0))
                        for i in range(0, len(held[0]) if held else 0, 128)]
            print(f"step {step + 1}: {float(value.detach()):.3f} nats a beat"
                  + (f", held out {np.mean(told):.3f}" if told else ""), flush=True)
    with torch.no_grad():
        found = {"line changes": torch.softmax(changes.masked_fill(itself, -1e4), -1), "line moves": moves.sigmoid()}
        for name, layer in zip(("first", "second", "out"), layers, strict=True):
            found |= {f"line {name}": layer.weight.T, f"line {name} bias": layer.bias}
        return {name: value.numpy().astype(np.float64) for name, value in found.items()}


def main() -> None:
    """Fit, say how well, and write what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--held-out", type=int, default=0, help="leave out one work of so many")
    parser.add_argument("--limit", type=int, help="only so many files of each set")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, help="where the values go, with their ledger beside them")
    given = parser.parse_args()
    pieces, alike = lessons(given.limit)
    beats = sum(len(piece.view) for piece in pieces)
    print(f"{len(pieces)} pieces, {beats} beats; {alike} left out, each like a tune tested", flush=True)

    def out(piece: Lesson) -> bool:
        return bool(given.held_out) and zlib.crc32(Path(piece.file).parent.as_posix().encode()) % given.held_out == 0

    taught, kept_out = [p for p in pieces if not out(p)], [p for p in pieces if out(p)]
    values = theory_alone()
    for _ in range(ROUNDS):
        values = relearnt(random.Random(1).sample(taught, min(FIRST, len(taught))), values)
    values |= fit_line(taught, kept_out, values, given.steps)
    if given.out:
        from safetensors.numpy import save_file

        save_file({name: np.array(value, np.float16, order="C") for name, value in values.items()}, given.out)
        ledger.write([ledger.Entry(file=piece.file, source=piece.set, sha256=piece.sha256, used="train",
                                   licence=SETS[piece.set][1] or LICENCES[piece.file.partition("/")[0]],
                                   notes=piece.notes) for piece in taught], given.out.with_suffix(".jsonl"), seed=0)


if __name__ == "__main__":
    main()
