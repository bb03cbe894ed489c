"""The recurrent network that the field's best-known tutorial trains in Keras, beside ours on the same music and time.

    python bench/run.py keras_peer            # half a minute of training each
    python bench/keras_peer.py 30             # by hand: minutes of training each

The tutorial: the pitches of all pieces in one long row, windows of 100 of them as numbers between 0 and 1, two LSTM
layers of 256 units with dropout 0.5 after each, a softmax over 128 pitches, batches of 64, Adam, and then the likeliest
pitch again and again, one `predict` a note. Music: the melodies of pop909, every tenth song held out. `steps` is the
same network, batch and data in our loop. `bits a pitch` is what the pitch of a held-out note takes, from each melody's
101st note on: the tutorial's given 100 pitches, the rnn family's given all notes before and when this one comes (part
`pitch` of its likelihood). Each then goes on from held-out beginnings of 100 notes: the tutorial by argmax, ours by
`continue_`, all of it timed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from peers import Missing, Row, music, peer, show, side_by_side, version

import partimento
from partimento.formats import read_fast
from partimento.models.base import Model, Piece
from partimento.request import Blanks, Region
from partimento.score import Meter, Track
from partimento.training import beginning, train

PITCHES, WINDOW, UNITS, DROPOUT, BATCH = 128, 100, 256, 0.5, 64
SECONDS = 30.0
TIMED = 4               # steps in one turn of timing
ROUNDS = 3
SCORED = 2000           # held-out notes of which the likelihood is taken
SEEDS, GOES_ON = 3, 150     # beginnings to go on from, and by how many notes
BARS = 32
RUN = 8                 # pitches in a run that may come again
Pitches = npt.NDArray[np.int64]


class Music(NamedTuple):
    """The melodies to learn from, to choose the weights by, and to measure on; and the first as one row of pitches."""

    train: list[Piece]
    valid: list[Piece]
    test: list[Piece]
    row: Pitches


class Made(NamedTuple):
    """How one side did: bits a pitch, what it wrote, notes a second, steps a second in training."""

    bits: float
    lines: list[Pitches]
    notes: float
    steps: float


@cache
def melodies() -> Music:
    """Return the melodies of pop909, each as a piece of one track in 4/4."""
    learn: list[Piece] = []
    valid: list[Piece] = []
    test: list[Piece] = []
    for number, path in enumerate(sorted(music("pop909").glob("[0-9]*/[0-9]*.mid"))):
        score = read_fast(path)
        own = score.select(np.isin(score.track, [i for i, t in enumerate(score.tracks) if t.name == "MELODY"]))
        if len(own) > WINDOW:
            piece = own.replace(track=np.zeros(len(own), np.int64), tracks=(Track("melody", 0),),
                                meters=(Meter(0, 4, 4),))
            {0: test, 5: valid}.get(number % 10, learn).append(Piece(piece, path.stem))
    return Music(learn, valid, test, np.concatenate([pitches(piece) for piece in learn]))


def pitches(piece: Piece) -> Pitches:
    """Return the pitches of a melody, onset after onset."""
    return np.asarray(piece.score.pitch, np.int64)


def windows(row: Pitches, ends: Pitches) -> tuple[npt.NDArray[np.float32], Pitches]:
    """Return the 100 pitches before each place, [windows, 100, 1] between 0 and 1, and the pitch at it."""
    before = row[ends[:, None] - WINDOW + np.arange(WINDOW)]
    return (before[:, :, None] / PITCHES).astype(np.float32), row[ends]


# --- the tutorial, in Keras ----------------------------------------------------------------------------------------


def keras() -> Any:
    """Return Keras on its torch backend; `Missing` where one of them is."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    peer("torch")
    found = peer("keras")
    if found.backend.backend() != "torch":
        raise Missing(f"Keras runs on {found.backend.backend()} here, not on torch")
    found.utils.set_random_seed(0)
    return found


def tutorial() -> Any:
    """Return the tutorial's network, ready to be trained."""
    k = keras()
    model = k.Sequential([
        k.Input((WINDOW, 1)), k.layers.LSTM(UNITS, return_sequences=True), k.layers.Dropout(DROPOUT),
        k.layers.LSTM(UNITS), k.layers.Dropout(DROPOUT), k.layers.Dense(PITCHES, activation="softmax")])
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam")
    return model


def trained_tutorial(limit: float) -> tuple[Any, float]:
    """Return the tutorial's network after `limit` seconds of training, and steps a second."""
    model, row = tutorial(), melodies().row
    x, y = windows(row, np.random.default_rng(0).permutation(np.arange(WINDOW, len(row))))
    model.train_on_batch(x[:BATCH], y[:BATCH])          # what is made at the first step is not timed
    begin, steps = time.perf_counter(), 0
    while time.perf_counter() - begin < limit:
        at = steps * BATCH % (len(x) - BATCH)
        model.train_on_batch(x[at:at + BATCH], y[at:at + BATCH])
        steps += 1
    return model, steps / (time.perf_counter() - begin)


def argmax_line(predict: Callable[[Any], Any], seed: Pitches, notes: int) -> Pitches:
    """Return the pitches that the tutorial writes after 100: the likeliest, one `predict` a note."""
    line = seed.tolist()
    for _ in range(notes):
        x, _ = windows(np.array([*line, 0]), np.array([len(line)]))
        line.append(int(np.argmax(predict(x)[0])))
    return np.array(line[len(seed):])


# --- the same network in our loop ----------------------------------------------------------------------------------


class WindowTask:
    """The tutorial's network and windows, for the loop."""

    def __init__(self, row: Pitches, seed: int = 0) -> None:
        torch = peer("torch")
        self.row, self.seed = row, seed

        class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.lower = torch.nn.LSTM(1, UNITS, batch_first=True)
                self.upper = torch.nn.LSTM(UNITS, UNITS, batch_first=True)
                self.drop, self.out = torch.nn.Dropout(DROPOUT), torch.nn.Linear(UNITS, PITCHES)

            def forward(self, x: Any) -> Any:
                return self.out(self.drop(self.upper(self.drop(self.lower(x)[0]))[0][:, -1]))

        torch.manual_seed(seed)
        self.network = Net()

    def rows(self, step: int) -> Sequence[int]:
        """Return the places of a step."""
        drawn: list[int] = np.random.default_rng((self.seed, step)).integers(WINDOW, len(self.row), BATCH).tolist()
        return drawn

    def loss(self, rows: Sequence[int], device: Any) -> tuple[Any, float]:
        """Return the nats of the pitches at these places, and how many they are."""
        torch = peer("torch")
        x, y = (torch.from_numpy(array).to(device) for array in windows(self.row, np.array(rows)))
        return torch.nn.functional.cross_entropy(self.network(x).float(), y, reduction="sum"), float(len(rows))

    def valid(self) -> Sequence[Sequence[int]]:
        """Return nothing: the tutorial has no split."""
        return []

    def snapshot(self, weights: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Return nothing: there is nothing to hear."""


def steps_row(name: str, precision: Any) -> Row:
    """Return the row of training steps a second of the same network, theirs and ours in turns."""
    peer("torch")
    from partimento.nets import loop

    row = melodies().row
    model, task = tutorial(), WindowTask(row)
    x, y = windows(row, np.arange(WINDOW, WINDOW + TIMED * BATCH))
    plan = loop.Plan(steps=TIMED, lr=1e-3, micro=BATCH, precision=precision, valid_every=10_000)
    said = loop.run(task, plan, device="cpu")
    own, other = side_by_side(lambda: loop.run(task, plan, device="cpu"),
                              lambda: model.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=0), ROUNDS)
    return {"name": name, "ours": TIMED / own, "peer": TIMED / other, "ratio": other / own, "target": ">= 3x",
            "unit": "steps/s", "n": ROUNDS, "note": f"{version(keras())} on {version(peer('torch'))}, float32; ours "
            f"{said.precision}; 2 x LSTM({UNITS}), {WINDOW} steps, batch {BATCH}"}


# --- how good ------------------------------------------------------------------------------------------------------


def bits_of_tutorial(predict: Callable[[Any], Any], pieces: Sequence[Piece]) -> float:
    """Return bits a pitch from the 101st note of each piece on, until enough notes are charged."""
    nats, notes = 0.0, 0
    for piece in pieces:
        row = pitches(piece)
        x, y = windows(row, np.arange(WINDOW, len(row)))
        nats -= float(np.log(np.maximum(predict(x)[np.arange(len(y)), y], 1e-12)).sum())
        notes += len(y)
        if notes >= SCORED:
            break
    return nats / notes / float(np.log(2))


def bits_of_model(model: Model, pieces: Sequence[Piece]) -> float:
    """Return bits a pitch of a family, of the same notes."""
    nats, notes = 0.0, 0
    for piece in pieces:
        score = piece.score
        found = model.log_prob(score, Blanks((Region(0, int(score.onset[WINDOW]), score.end, "all"),)))
        if found is None:
            raise Missing(f"the {model.family} family has no likelihood")
        nats, notes = nats - found.parts["pitch"], notes + found.notes
        if notes >= SCORED:
            break
    return nats / notes / float(np.log(2))


def their_side(limit: float) -> Made:
    """Return what the tutorial does after `limit` seconds of training."""
    model, steps = trained_tutorial(limit)
    return by_argmax(lambda x: model.predict(x, batch_size=256, verbose=0), steps)


def our_tutorial(limit: float) -> Made:
    """Return what the tutorial's network does after `limit` seconds in our loop."""
    torch = peer("torch")
    from partimento.nets import loop

    task = WindowTask(melodies().row)
    done = loop.run(task, loop.Plan(seconds=limit, lr=1e-3, weight_decay=0.0, micro=BATCH, valid_every=1_000_000))

    def predict(x: Any) -> Any:
        with torch.inference_mode():
            return torch.cat([task.network(torch.from_numpy(part)).softmax(1)
                              for part in np.array_split(x, -(-len(x) // 256))]).numpy()

    return by_argmax(predict, done.step / limit)


def by_argmax(predict: Callable[[Any], Any], steps: float) -> Made:
    """Return the likelihood of the tutorial's network, and what it writes by argmax."""
    test = melodies().test
    begin = time.perf_counter()
    lines = [argmax_line(predict, pitches(piece)[:WINDOW], GOES_ON) for piece in test[:SEEDS]]
    notes = SEEDS * GOES_ON / (time.perf_counter() - begin)
    return Made(bits_of_tutorial(predict, test), lines, notes, steps)


def our_side(limit: float) -> Made:
    """Return what the rnn family does after `limit` seconds of training."""
    parts = melodies()
    learnt = train(parts.train, model="rnn", valid=parts.valid, budget=limit, scored_notes=0)
    lines, written, taken = [], 0, 0.0
    for number, piece in enumerate(parts.test[:SEEDS]):
        score = piece.score
        start = beginning(score, score.bar_number(int(score.onset[WINDOW])))
        begin = time.perf_counter()
        result = partimento.continue_(start, model=learnt.model, bars=BARS, seed=number)[0]
        taken += time.perf_counter() - begin
        written += int(result.new.sum())
        lines.append(np.asarray(result.score.pitch[result.new], np.int64)[:GOES_ON])
    steps = learnt.model.record().get("steps", 0) / limit
    return Made(bits_of_model(learnt.model, parts.test), lines, written / taken, steps)


def repeats(lines: Sequence[Pitches]) -> float:
    """Return the share of notes that only repeat the pitch before.

    >>> repeats([np.array([60, 60, 62, 62, 62])])
    0.75
    """
    return float(np.concatenate([np.diff(line) == 0 for line in lines]).mean())


def distinct(lines: Sequence[Pitches]) -> float:
    """Return how many different runs of 8 pitches there are, as a share of all of them.

    >>> distinct([np.array([60, 62] * 8)]) == 2 / 9
    True
    """
    found = [[tuple(line[i:i + RUN].tolist()) for i in range(len(line) - RUN + 1)] for line in lines]
    return sum(len(set(runs)) for runs in found) / max(sum(map(len, found)), 1)


def main(argv: list[str]) -> list[Row]:
    """Return the rows: steps a second, then likelihood, what is written, and notes a second after the same time."""
    limit = 60 * float(argv[0]) if argv else SECONDS
    keras()
    rows = [steps_row("training, float32", "float32"), steps_row("training, as the loop runs here", "auto")]
    theirs, ours = their_side(limit), our_side(limit)
    test = [pitches(piece) for piece in melodies().test]
    long = f"after {limit:.0f} s of training, {theirs.steps:.2f} and {ours.steps:.2f} steps/s"

    def row(name: str, own: float, other: float, ratio: float | None, unit: str, note: str, **more: Any) -> Row:
        return {"name": name, "ours": own, "peer": other, "ratio": ratio, "target": None, "unit": unit,
                "n": SEEDS, "note": note, **more}

    return [*rows,
            row("bits a pitch", ours.bits, theirs.bits, theirs.bits / ours.bits, "bits", f"held-out notes; {long} "
                "(theirs of 64 pitches, ours of 16 windows of 256 events)", n=SCORED),
            row("immediate repeats", repeats(ours.lines), repeats(theirs.lines), None, "share of notes",
                f"held-out melodies themselves: {repeats(test):.3f}"),
            row("different runs of 8 pitches", distinct(ours.lines), distinct(theirs.lines), None, "share of runs",
                f"held-out melodies themselves, in as many notes: {distinct([t[:GOES_ON] for t in test]):.3f}"),
            row("notes a second", ours.notes, theirs.notes, ours.notes / theirs.notes, "notes/s",
                "ours with when, how long and how loud, through the whole road of `continue_`; theirs pitches alone")]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    show(main)
