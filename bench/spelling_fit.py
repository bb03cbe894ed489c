"""Fits the network of pitch spelling on scores of three CC0 sets, on one half of the works or on all.

    python bench/spelling_fit.py 0                # weights that were shown the works of side 0, into build/spelling/
    python bench/spelling_fit.py 1 --out src/partimento/notation/spelling.safetensors    # those of the package

With ``--out`` the ledger of the pieces that were shown is written beside the weights, as .jsonl.

The sides: every file of openscore_quartets and openscore_lieder is on one of two, drawn by work with seed 0. Movements
of a quartet are one work, and so are songs of one title by one composer and any two files that share a fifth of the
melodic 8-grams of their top part (the same song in another key). openscore_orchestra is shown to both sides. The
weights of a side take an hour on one core; all of them are seeded.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

sys.path.append(str(Path(__file__).resolve().parent))
from peers import music, peer

from partimento.data import ledger
from partimento.features import pitched
from partimento.formats import musicxml_read
from partimento.notation import spelling_view
from partimento.notation.names import OFFSET
from partimento.notation.spelling_net import Weights
from partimento.score import Score

FITTED = Path(__file__).resolve().parents[1] / "build" / "spelling"
TESTED, TAUGHT_ONLY = ("openscore_quartets", "openscore_lieder"), "openscore_orchestra"
STEPS, WINDOWS, WINDOW = 6000, 8, 512   # steps, windows a step, moments a window
WIDTH, BLOCKS = 128, (1, 2, 0, 1, 4, 0, 1)       # of the state; a filter's reach, or 0 for a memory
RATE, DECAY, DROPPED, AVERAGED = 1e-3, 0.02, 0.1, 0.998
_PLANES = 12 * spelling_view.PLANES
_KEYS = slice(_PLANES, _PLANES + len(spelling_view.KEYS))
_WRITTEN = slice(_KEYS.stop, spelling_view.FACTS - 1)
Array = npt.NDArray[Any]


class Piece(NamedTuple):
    """A score as it was written, and the side that it is on: 0 or 1, or 2 for what both sides are shown."""

    set: str
    path: Path
    score: Score
    side: int


class Lesson(NamedTuple):
    """What the network is shown of a piece (all facts but the last as bits), and what is to be said of each note."""

    bits: Array
    gap: Array
    moment: Array
    rank: Array
    turn: Array


# --- pieces and their sides ------------------------------------------------------------------------------------


def pieces() -> list[Piece]:
    """Return every piece of the three sets, in the order of their paths."""
    read = [(name, path, musicxml_read.parse(path.read_bytes()).score)
            for name in (*TESTED, TAUGHT_ONLY) for path in sorted(music(name).rglob("*.mxl"))]
    read = [(name, path, score) for name, path, score in read if len(score)]
    rng = np.random.default_rng(0)
    side = np.zeros(len(read), int)
    for group in works(read):
        taught_only = all(read[i][0] == TAUGHT_ONLY for i in group)
        side[group] = 2 if taught_only else rng.integers(2)
    return [Piece(name, path, score, int(where)) for (name, path, score), where in zip(read, side, strict=True)]


def works(read: Sequence[tuple[str, Path, Score]]) -> list[list[int]]:
    """Return the files that are of one work, as lists of places in `read`."""
    parent = list(range(len(read)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    places = defaultdict(list)
    titles: dict[tuple[str, ...], int] = {}
    grams = [melody_grams(score) for _, _, score in read]
    for i, (name, path, _) in enumerate(read):
        folders = path.relative_to(music(name)).parts[:-1]
        song = re.sub(r"[^a-z]", "", folders[-1].lower())
        title = (name, folders[1], song) if name == "openscore_lieder" else (name, *folders)
        parent[root(i)] = root(titles.setdefault(title, i))
        for gram in grams[i]:
            places[gram].append(i)
    shared: defaultdict[tuple[int, int], int] = defaultdict(int)
    for those in places.values():
        if len(those) <= 20:                            # more have only a figure in common
            for pair in combinations(those, 2):
                shared[pair] += 1
    for (i, j), count in shared.items():
        if count >= 0.2 * min(len(grams[i]), len(grams[j])):
            parent[root(i)] = root(j)
    groups = defaultdict(list)
    for i in range(len(read)):
        groups[root(i)].append(i)
    return list(groups.values())


def melody_grams(score: Score) -> set[bytes]:
    """Return the runs of eight intervals, at least four of them moving, of the highest notes of the first track."""
    own = score.track == 0
    moments, place = np.unique(score.onset[own], return_inverse=True)
    top = np.zeros(len(moments), np.int64)
    np.maximum.at(top, place, score.pitch[own])
    steps = np.diff(top)
    if len(steps) < 8:
        return set()
    runs = np.lib.stride_tricks.sliding_window_view(steps, 8)
    return {run.tobytes() for run in runs[(runs != 0).sum(1) >= 4].astype(np.int8)}


def lesson(score: Score, keys: bool) -> Lesson:
    """Return what is to be learnt from a piece, with its written keys or without."""
    notes = pitched(score)
    seen = spelling_view.view(score, notes, keys=keys)
    written = score.spelling[notes] if score.spelling is not None else np.full(notes.sum(), -1)
    said = np.flatnonzero(written >= 0)
    turn = (written[said] - OFFSET - seen.place[said]) // 12
    said, turn = said[abs(turn) <= 1], turn[abs(turn) <= 1]
    return Lesson(np.packbits(seen.facts[:, :-1].astype(np.uint8), axis=1), seen.facts[:, -1], seen.moment[said],
                  seen.rank[said], turn)


# --- windows, seen in other ways than they are -------------------------------------------------------------------


def windows(lessons: Sequence[Sequence[Lesson]], rng: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    """Yield facts [windows, moments, FACTS] and how often each name is written [windows, moments, 12, 3], for ever."""
    sizes = np.array([len(both[0].bits) for both in lessons], float)
    while True:
        facts = np.zeros((WINDOWS, WINDOW, spelling_view.FACTS), np.float32)
        counts = np.zeros((WINDOWS, WINDOW, 12, 3), np.float32)
        for row, piece in enumerate(rng.choice(len(lessons), WINDOWS, p=sizes / sizes.sum())):
            one = lessons[piece][rng.integers(2)]
            start = rng.integers(max(1, len(one.bits) - WINDOW // 2))
            there = (one.moment >= start) & (one.moment < start + WINDOW)
            shown = np.unpackbits(one.bits[start:start + WINDOW], axis=1)[:, :_WRITTEN.stop].astype(np.float32)
            rank, turn = one.rank[there], one.turn[there]
            if rng.random() < 0.5:
                rank, turn = seen_from(shown, rank, turn, int(rng.choice([-3, -2, -2, -1, -1, -1, 1, 1, 1, 2, 2, 3])))
            blurred(shown, rng)
            facts[row, :len(shown), :-1], facts[row, :len(shown), -1] = shown, one.gap[start:start + WINDOW]
            legal = abs(turn) <= 1
            np.add.at(counts[row], (one.moment[there][legal] - start, rank[legal], turn[legal] + 1), 1)
        yield facts, np.minimum(counts, 3)


def seen_from(shown: Array, rank: Array, turn: Array, fifths: int) -> tuple[Array, Array]:
    """Put facts as if the key heard lay so many fifths higher; return rank and turn of each note from there."""
    shown[:, :_PLANES] = np.roll(shown[:, :_PLANES].reshape(len(shown), -1, 12), -fifths, 2).reshape(len(shown), -1)
    moved(shown[:, _KEYS], fifths)
    written = shown[:, _WRITTEN]
    moved(written[:, 1:], -fifths)                      # the first says that none is written
    return (rank - fifths) % 12, turn + (rank - fifths) // 12


def moved(one_hot: Array, by: int) -> None:
    """Move the one in each row that has one, as far as there is room."""
    rows, places = np.nonzero(one_hot)
    one_hot[:] = 0
    one_hot[rows, np.clip(places + by, 0, one_hot.shape[1] - 1)] = 1


def blurred(shown: Array, rng: np.random.Generator) -> None:
    """Take away at times which key it is that was heard, or move that alone: names hardly depend on it."""
    chance = rng.random()
    if chance < 0.2:
        shown[:, _KEYS] = 0
    elif chance < 0.5:
        moved(shown[:, _KEYS], int(rng.integers(-2, 3)))


# --- the network in torch, as `spelling_net` has it in numpy ----------------------------------------------------


def fitted(side: int | None) -> Weights:
    """Return weights that were shown one side, or everything where it is None; made once and kept in build/spelling."""
    path = FITTED / f"{'all' if side is None else side}.npz"
    if not path.is_file():
        shown = [piece for piece in pieces() if side is None or piece.side in (side, 2)]
        FITTED.mkdir(parents=True, exist_ok=True)
        save(fit([[lesson(piece.score, keys) for keys in (True, False)] for piece in shown]), path)
    with np.load(path, allow_pickle=False) as kept:
        return {name: kept[name].astype(np.float32) for name in kept.files}


def save(weights: Weights, path: Path) -> None:
    """Write weights in half precision."""
    np.savez_compressed(path, **{name: value.astype(np.float16) for name, value in weights.items()})


def shipped(weights: Weights, side: int | None, path: Path) -> None:
    """Write weights in half precision as the package keeps them, and the ledger of what they were shown beside them."""
    from safetensors.numpy import save_file

    save_file({name: np.array(value, np.float16, order="C") for name, value in weights.items()}, path)
    rows = [ledger.Entry(file=piece.path.relative_to(music(piece.set)).as_posix(), source=piece.set, licence="CC0-1.0",
                         sha256=hashlib.sha256(piece.path.read_bytes()).hexdigest(), used="train",
                         notes=len(piece.score)) for piece in pieces() if side is None or piece.side in (side, 2)]
    ledger.write(rows, path.with_suffix(".jsonl"), seed=0)


def fit(lessons: Sequence[Sequence[Lesson]], steps: int = STEPS) -> Weights:
    """Return weights fitted on lessons: for each piece one with its written keys and one without."""
    torch = peer("torch")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    values = started(torch)
    learnt = {name: value for name, value in values.items() if value.requires_grad}
    mean = {name: value.detach().clone() for name, value in learnt.items()}
    groups = [{"params": [v for v in learnt.values() if v.ndim > 1], "weight_decay": DECAY},
              {"params": [v for v in learnt.values() if v.ndim == 1], "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.98))
    began, losses = time.monotonic(), []
    for step, (facts, counts) in zip(range(steps), windows(lessons, np.random.default_rng(0)), strict=False):
        for group in adam.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 100) * (1 - step / steps)
        with torch.autocast("cpu", torch.bfloat16):
            said = chances(torch, torch.from_numpy(facts), values, DROPPED).float().log_softmax(3)
        written = torch.from_numpy(counts)
        loss = -(said * written).sum() / written.sum()
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(learnt.values()), 1.0)
        adam.step()
        with torch.no_grad():
            for name, value in learnt.items():
                mean[name].lerp_(value, max(1 - AVERAGED, 5 / (step + 6)))
        losses.append(loss.item())
        if (step + 1) % 500 == 0:
            print(f"step {step + 1}: {np.mean(losses[-500:]):.4f} nats, {time.monotonic() - began:.0f} s", flush=True)
    return {name: mean.get(name, value).detach().numpy() for name, value in values.items()}


def started(torch: Any) -> dict[str, Any]:
    """Return the weights before the first step."""
    facts, width = spelling_view.FACTS, WIDTH

    def matrix(rows: int, columns: int, scale: float = 1.0) -> Any:
        return (torch.rand(rows, columns) * 2 - 1) * scale / rows ** 0.5

    values = {"in": matrix(facts, width), "in bias": torch.zeros(width), "out": matrix(width + facts, 36),
              "out bias": torch.zeros(36)}
    for i, reach in enumerate(BLOCKS):
        inner = 2 * width
        if reach:
            values |= {f"{i} taps": torch.randn(5, width) * 0.3, f"{i} between": matrix(width, inner),
                       f"{i} between bias": torch.zeros(inner), f"{i} reach": torch.tensor(float(reach))}
        else:
            halves = torch.linspace(np.log(3), np.log(500), width)     # how long each memory lasts, in moments
            gates = torch.cat([matrix(width, inner, 0.3), matrix(width, inner)], 1)
            values |= {f"{i} gates": gates, f"{i} gates bias": torch.cat([halves, halves, torch.zeros(inner)])}
        values |= {f"{i} after": torch.zeros(inner, width), f"{i} after bias": torch.zeros(width)}
    for name, value in values.items():
        value.requires_grad_(not name.endswith("reach"))
    return values


def chances(torch: Any, facts: Any, weights: dict[str, Any], dropped: float) -> Any:
    """Return what `spelling_net.chances` does, of [windows, moments, FACTS] and with dropout."""
    state = facts @ weights["in"] + weights["in bias"]
    for i in range(len(BLOCKS)):
        between = (memory if f"{i} gates" in weights else filtered)(torch, state, weights, i)
        between = torch.nn.functional.dropout(between, dropped)
        state = state + between @ weights[f"{i} after"] + weights[f"{i} after bias"]
    seen = torch.cat([state.relu(), facts], 2)
    return (seen @ weights["out"] + weights["out bias"]).unflatten(2, (12, 3))


def filtered(torch: Any, state: Any, weights: dict[str, Any], block: int) -> Any:
    """Return what `spelling_net._filter` does."""
    reach, length = int(weights[f"{block} reach"]), state.shape[1]
    padded = torch.nn.functional.pad(state, (0, 0, 2 * reach, 2 * reach))
    near = sum(padded[:, i * reach:i * reach + length] * tap for i, tap in enumerate(weights[f"{block} taps"]))
    return (near @ weights[f"{block} between"] + weights[f"{block} between bias"]).relu()


def memory(torch: Any, state: Any, weights: dict[str, Any], block: int) -> Any:
    """Return what `spelling_net._memory` does."""
    both = (state @ weights[f"{block} gates"] + weights[f"{block} gates bias"]).float().transpose(0, 1)
    half = both.shape[2] // 2
    kept = both[..., :half].sigmoid()
    told = (1 - kept) * both[..., half:].tanh()

    def turned(x: Any) -> Any:
        return torch.cat([x[..., :half // 2], x[..., half // 2:].flip(0)], 2)

    return turned(summed(torch, turned(kept), turned(told))).transpose(0, 1)


def summed(torch: Any, kept: Any, told: Any) -> Any:
    """Return the running sum s[t] = told[t] + kept[t] × s[t − 1] along the first axis, with its gradient."""

    class Sum(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, kept: Any, told: Any) -> Any:
            out = told.clone()
            for i in range(1, len(out)):
                out[i].addcmul_(kept[i], out[i - 1])
            ctx.save_for_backward(kept, out)
            return out

        @staticmethod
        def backward(ctx: Any, slope: Any) -> tuple[Any, Any]:
            kept, out = ctx.saved_tensors
            told = slope.clone()
            for i in range(len(told) - 2, -1, -1):
                told[i].addcmul_(kept[i + 1], told[i + 1])
            back = torch.zeros_like(kept)
            back[1:] = told[1:] * out[:-1]
            return back, told

    return Sum.apply(kept, told)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("side", choices=("0", "1", "all"))
    parser.add_argument("--out", type=Path, help="where the weights go too, with their ledger")
    given = parser.parse_args()
    one = None if given.side == "all" else int(given.side)
    found = fitted(one)
    if given.out:
        shipped(found, one, given.out)
