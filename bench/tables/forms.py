"""Forms of a note for a Transformer, each taught for the same time by the same songs: bits a note, and notes a second.

    python bench/run.py --tables forms
    python bench/tables/forms.py --rows "flat tokens" --seconds 60     # by hand, a short time
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))
from peers import music, peer, rows_by_hand, show_training

from partimento.errors import PartimentoError
from partimento.features import excerpt
from partimento.formats import read
from partimento.models.base import Piece
from partimento.models.transformer import Transformer
from partimento.request import Blanks, Request
from partimento.sampling import generator
from partimento.score import Score, Track
from partimento.tokens.remi import Remi

PROTOCOL = (
    "openscore_lieder: 900 songs teach, 40 choose the step, 40 others are weighed (drawn with seed 0), the first eight "
    "bars of each, at its first tempo; songs that change their meter are left out. Every form has the same time on one "
    "thread, 3 layers of 192 units and windows of as many notes. `bits`: of all that is said of a note, its loudness "
    "too. `a note in stages`: one step a note, chosen stage by stage (the transformer family, "
    "exact). `flat tokens`: REMI (12 steps a quarter), a step a token, by GPT-2 in transformers, each window in a key "
    "drawn by chance; `merged`: the same after 1,000 merges of the most frequent pairs (BPE). What is charged of these "
    "is one way of writing the music, an upper bound; meter, tempo and instruments, which the family is given, are "
    "given to them too. `notes/s`: of eight bars composed by the family, of 400 tokens composed by the others.")
SECONDS = 600
BARS, TAUGHT, WEIGHED = 8, 900, 40
ROWS = ("a note in stages, all tracks in time", "a note in stages, track after track", "flat tokens",
        "flat tokens, merged")
LAYERS, WIDTH, WINDOW, BATCH, RATE, MERGES = 3, 192, 256, 8, 1e-3, 1000
REMI = Remi()
NAMES = REMI.names


def rows() -> list[str]:
    """Return the names of the rows."""
    return list(ROWS)


def row(name: str, seconds: int | None = SECONDS) -> dict[str, Any]:
    """Return the cells of a row, taught for so many seconds."""
    peer("torch").set_num_threads(1)
    songs = list(islice(beginnings(), TAUGHT + 2 * WEIGHED))
    parts = songs[2 * WEIGHED:], songs[:WEIGHED], songs[WEIGHED:2 * WEIGHED]
    if name.startswith("a note"):
        return staged("tracks" if name.endswith("track after track") else "time", *parts, seconds or SECONDS)
    return flat(*parts, seconds or SECONDS, merged=name.endswith("merged"))


def beginnings() -> Iterator[Score]:
    """Yield the first bars of songs."""
    files = sorted((music("openscore_lieder") / "scores").rglob("*.mxl"))
    for i in np.random.default_rng(0).permutation(len(files)).tolist():
        try:
            whole = read(files[i])
        except PartimentoError:
            continue
        score = excerpt(whole, 0, min(BARS, whole.n_bars))
        if len(score) >= 4 * BARS and len(score.meters) == 1 and score.n_bars == BARS:
            tracks = tuple(Track(f"{number}", track.program) for number, track in enumerate(score.tracks))
            yield REMI.snap(score.replace(tracks=tracks, tempos=score.tempos[:1]))


def staged(order: str, taught: Sequence[Score], checked: Sequence[Score], held: Sequence[Score], seconds: float,
           ) -> dict[str, Any]:
    """Return the cells of the transformer family."""
    model = Transformer(order=order, layers=LAYERS, width=WIDTH, window=WINDOW, batch=BATCH, dropout=0.1, deafness=0.4,
                        blindness=0.1, wishes=False, kept=0.0, keys=False, patience=0, weights="float32")
    pieces, others = ([Piece(score, str(i)) for i, score in enumerate(scores)] for scores in (taught, checked))
    model.fit(pieces, valid=others, budget=seconds, report=show_training)
    found = [model.log_prob(score) for score in held]
    nats = sum(one.nats + (one.expression or 0.0) for one in found)
    begin, notes = time.perf_counter(), 0
    for seed, score in enumerate(held[:8]):
        (made,) = model.fill(score.without_notes(), Blanks.everything(score), Request(seed=seed), [generator(seed)])
        notes += len(made)
    return {"bits": round(-nats / np.log(2) / sum(len(score) for score in held), 3),
            "notes/s": round(notes / (time.perf_counter() - begin)), "steps a note": 1.0,
            "steps": model.record()["best step"],
            "parameters": sum(array.size for array in model.player.arrays.values())}


def flat(taught: Sequence[Score], checked: Sequence[Score], held: Sequence[Score], seconds: float, merged: bool,
         ) -> dict[str, Any]:
    """Return the cells of flat tokens."""
    torch, transformers = peer("torch"), peer("transformers")
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    streams = [REMI.encode(score) for score in taught]
    tell = merging(streams) if merged else list
    per_note = sum(len(tell(ids)) for ids in streams[:50]) / sum(len(score) for score in taught[:50])
    length = round(WINDOW * per_note / 32) * 32
    net = transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=REMI.size + MERGES * merged, n_positions=4096, n_embd=WIDTH, n_layer=LAYERS, n_head=WIDTH // 32,
        attn_pdrop=0.0, bos_token_id=1, eos_token_id=2, pad_token_id=0))

    def cost(scores: Sequence[Score]) -> float:
        """Return the nats of all that is charged."""
        net.eval()
        nats = 0.0
        with torch.inference_mode():
            for score in scores:
                ids = torch.tensor([int(token) for token in tell(REMI.encode(score))])[None]
                each = torch.nn.functional.cross_entropy(net(input_ids=ids).logits[0, :-1], ids[0, 1:],
                                                         reduction="none")
                nats += float(each[len(tell(head(REMI.encode(score)))) - 1:].sum())
        net.train()
        return nats

    steps, begin, spent, checks = 0, time.perf_counter(), 0.0, 0
    best, least, best_step = dict(net.state_dict()), np.inf, 0
    ours = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.1, betas=(0.9, 0.99))
    net.train()
    while spent < seconds:
        for group in ours.param_groups:
            group["lr"] = RATE * min(1.0, (steps + 1) / 100) * max(0.02, 1 - spent / seconds)
        rows = [tell(transposed(streams[int(rng.integers(len(streams)))], int(rng.integers(-5, 7))))[:length]
                for _ in range(BATCH)]
        tokens = np.full((BATCH, max(map(len, rows))), -100)
        for number, ids in enumerate(rows):
            tokens[number, :len(ids)] = ids
        given = torch.from_numpy(tokens)
        with torch.autocast("cpu", torch.bfloat16):
            loss = net(input_ids=given.clamp_min(0), labels=given).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        ours.step()
        ours.zero_grad()
        steps, spent = steps + 1, time.perf_counter() - begin
        if spent > seconds * (checks + 1) / 12:
            checks += 1
            if (found := cost(checked)) < least:
                best, least, best_step = {key: value.clone() for key, value in net.state_dict().items()}, found, steps
    net.load_state_dict(best)
    nats = cost(held)
    net.eval()
    with torch.inference_mode():
        begin = time.perf_counter()
        start = torch.tensor([int(token) for token in tell(head(REMI.encode(held[0])))])[None]
        net.generate(start, min_new_tokens=400, max_new_tokens=400, do_sample=True, top_p=0.92, use_cache=True)
    return {"bits": round(nats / np.log(2) / sum(len(score) for score in held), 3),
            "notes/s": round(400 / per_note / (time.perf_counter() - begin)), "steps a note": round(per_note, 2),
            "steps": best_step, "parameters": sum(parameter.numel() for parameter in net.parameters())}


def head(ids: Any) -> Any:
    """Return the tokens that say instruments, meter and tempo: those before the first place where a note begins."""
    return ids[:next(i for i, token in enumerate(ids) if NAMES[token].startswith("Tempo")) + 1]


def transposed(ids: Any, shift: int) -> Any:
    """Return the tokens of the same music so many semitones higher, or as it is where it would leave the range."""
    first, last = NAMES.index("Pitch 0"), NAMES.index("Pitch 127")
    pitched = (ids >= first) & (ids <= last)
    moved = ids + shift * pitched
    inside = (moved[pitched] >= first).all() and (moved[pitched] <= last).all()
    return moved if inside else ids


def merging(streams: Sequence[Any]) -> Any:
    """Return what writes tokens with the most frequent pairs of `streams` (heard in twelve keys) merged."""
    tokenizers = peer("tokenizers")

    def spelt(ids: Any) -> str:
        return "".join(chr(0x4E00 + int(token)) for token in ids)

    pairs = tokenizers.Tokenizer(tokenizers.models.BPE())
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=REMI.size + MERGES, show_progress=False,
                                             initial_alphabet=[chr(0x4E00 + i) for i in range(REMI.size)],
                                             max_token_length=12)
    pairs.train_from_iterator((spelt(transposed(ids, shift)) for ids in streams for shift in range(-5, 7)), trainer)
    return lambda ids: pairs.encode(spelt(ids)).ids


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=";", seconds=SECONDS)
