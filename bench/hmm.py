"""Hidden Markov models of melodies beside hmmlearn: an iteration of Baum and Welch, and drawing.

    python bench/run.py hmm

16 states over the intervals of 1,000 melodies of nottingham (each the highest notes of the busiest track, −24 to 24
semitones). hmmlearn's `CategoricalHMM` runs with ``implementation="scaling"``, its fastest setting, on the same
lengths from the same tables; both give the log-likelihood of those tables. What is laid out once for all iterations is
laid out before the clock. Draws are in symbols a second; memory is the peak of what Python and numpy allocate in one
iteration (`tracemalloc`; what hmmlearn's C++ allocates of its own is not seen).
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from peers import Row, median_seconds, music, peer, show, side_by_side, version

from partimento.counting.hidden import Chain
from partimento.counting.symbols import Observations, Pile, SymbolModel, drawn_model, improved, walks
from partimento.formats import read_fast

STATES, MELODIES, WIDEST = 16, 1000, 24
SIZE = 2 * WIDEST + 1
ROUNDS = 9
WALKS, STEPS, THEIRS = 2000, 200, 20_000


def melodies() -> list[np.ndarray]:
    """Return the intervals of each melody."""
    out = []
    for path in sorted((music("nottingham") / "MIDI").glob("*.mid")):
        score = read_fast(path)
        busiest = int(np.bincount(score.track).argmax()) if len(score) else 0
        own = score.select(score.track == busiest)
        onsets = np.unique(own.onset)
        line = np.array([own.pitch[own.onset == onset].max() for onset in onsets], np.int64)
        if len(line) > 2:
            out.append(np.clip(np.diff(line), -WIDEST, WIDEST) + WIDEST)
    return out[:MELODIES]


def main(argv: list[str]) -> list[Row]:
    """Return rows of learning in both precisions, of drawing, and of memory."""
    theirs = peer("hmmlearn.hmm")
    lines = melodies()
    lengths, symbols = np.array([len(line) for line in lines]), np.concatenate(lines)
    pile = Pile(Observations(symbols, lengths))
    begun = drawn_model(STATES, SIZE)
    note = f"{version(theirs)}, {len(lines)} melodies, {len(symbols):,} intervals, {STATES} states"

    def learn_theirs() -> Any:
        other = theirs.CategoricalHMM(STATES, implementation="scaling", n_iter=1, init_params="", params="ste")
        other.n_features = SIZE
        other.startprob_, other.transmat_, other.emissionprob_ = begun.chain.start, begun.chain.moves[0], begun.says[0]
        return other.fit(symbols[:, None], lengths)

    nats = float(learn_theirs().monitor_.history[0])
    rows: list[Row] = []
    for dtype, target in ((np.float32, ">= 3x"), (np.float64, "")):
        model = SymbolModel(Chain(*(table.astype(dtype) for table in begun.chain)), begun.says.astype(dtype))
        own, other = side_by_side(lambda: improved(model, pile), learn_theirs, ROUNDS)  # noqa: B023
        off = abs(improved(model, pile)[1] / nats - 1)
        rows.append({"name": f"Baum-Welch, an iteration, {np.dtype(dtype).name}", "ours": own, "peer": other,
                     "ratio": other / own, "target": target, "unit": "s", "n": ROUNDS,
                     "note": f"{note}; log-likelihood {off:.1e} relative off"})
        mine, its = peak(lambda: improved(model, pile)), peak(learn_theirs)  # noqa: B023
        rows.append({"name": f"peak memory of an iteration, {np.dtype(dtype).name}", "ours": mine / 1e6,
                     "peer": its / 1e6, "ratio": its / mine, "target": "", "unit": "MB", "n": 1, "note": note})
    rng = np.random.Generator(np.random.PCG64(0))
    own = median_seconds(lambda: walks(begun, np.full(WALKS, STEPS), rng)) / (WALKS * STEPS)
    fitted = learn_theirs()
    other = median_seconds(lambda: fitted.sample(THEIRS, random_state=0)) / THEIRS
    rows.append({"name": "batched drawing", "ours": 1 / own, "peer": 1 / other, "ratio": other / own,
                 "target": ">= 20x", "unit": "symbols/s", "n": 5,
                 "note": f"{version(theirs)}; {WALKS} walks of {STEPS} against one"})
    return rows


def peak(call: Callable[[], Any]) -> int:
    """Return the most bytes that a call has allocated at once."""
    tracemalloc.start()
    call()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


if __name__ == "__main__":
    show(main)
