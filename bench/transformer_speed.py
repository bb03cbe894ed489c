"""How fast the transformer family plays and learns: beside `generate` of Hugging Face, beside a plain GPT's loop.

    python bench/run.py transformer_speed

Networks of about 5 and 25 million parameters, one thread, one piece at a time. What is timed in ours is all of it: the
walk over the page, what each event is told, and the network, on what weighing beginnings of songs of pop909 asks of it.
The peer is a GPT-2 of as many parameters (`transformers`, its key-value cache on, greedy), from one token, over as many
tokens as the same notes have in our REMI tokens. Notes a second are what a person waits for; steps a second (events of
ours, tokens of the peer) stand beside. Share of the limit: what reading every weight once an event allows, at the speed
at which this machine reads memory.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from peers import Row, attempt, median_seconds, music, peer, show, side_by_side

from partimento import generate, network
from partimento.attention import AttentionShape, first_weights
from partimento.events.blank import BlankPage
from partimento.events.library import Library
from partimento.events.pens import DrawingPen
from partimento.events.walk import Walk
from partimento.formats import read_fast
from partimento.models.base import Piece
from partimento.models.transformer import Transformer
from partimento.request import Blanks, Request
from partimento.sampling import generator
from partimento.score import Meter, Score
from partimento.tokens.remi import Remi
from partimento.training import beginning

SHAPES = {"5 M": AttentionShape(layers=4, width=256, heads=8, head=256, track=64),
          "25 M": AttentionShape(layers=8, width=512, heads=16, head=256, track=64)}
TARGETS = {("5 M", "float32"): ">= 4x", ("25 M", "float32"): ">= 3.5x", ("5 M", "int8"): ">= 6x",
           ("25 M", "int8"): ">= 6x"}
BARS, SONGS, ROUNDS, TRAINED = 8, 4, 5, 40.0


def songs(count: int) -> list[Piece]:
    """Return beginnings of songs."""
    files = sorted(music("pop909").glob("[0-9]*/[0-9]*.mid"))[::17][:count]
    return [Piece(beginning(read_fast(path).replace(meters=(Meter(0, 4, 4),)), BARS), path.stem) for path in files]


def model_of(shape: AttentionShape, how: network.Precision = "float32") -> Transformer:
    """Return an untrained model: how long it takes does not depend on its weights."""
    packed = network.pack(first_weights(shape, 0), how)
    return Transformer().restore({"shape": dataclasses.asdict(shape), "tables": {}}, packed)


def main(argv: list[str]) -> list[Row]:
    """Return the rows."""
    pieces = songs(SONGS)
    rows = [attempt(f"{size}, {how}", lambda size=size, how=how: playing(size, how, pieces))  # type: ignore[misc]
            for size, how in TARGETS]
    rows += [attempt(f"{size}: share of the limit", lambda size=size: limit(size, pieces))  # type: ignore[misc]
             for size in SHAPES]
    learnt = Transformer(layers=4, width=256).fit(songs(120), budget=TRAINED)
    return [*rows, attempt("first note of a stream", lambda: first_note(learnt)),
            attempt("16 bars of two tracks", lambda: composing(learnt, 1, "<= 2 s")),
            attempt("16 bars of two tracks, 4 candidates", lambda: composing(learnt, 4, "<= 4 s")),
            attempt("training", training)]


def playing(size: str, how: Any, pieces: list[Piece]) -> Row:
    """Return the row of notes a second, ours and the peer's in turns."""
    model = model_of(SHAPES[size], how)
    scores = [piece.score for piece in pieces]
    notes = sum(len(score) for score in scores)
    events = notes + sum(score.n_bars + 1 for score in scores)
    remi = Remi()
    tokens = sum(len(remi.encode(score)) for score in scores)
    weights = sum(array.size for array in model.player.arrays.values())
    run, parameters = gpt(weights, tokens // SONGS)
    ours, theirs = side_by_side(lambda: [model.log_prob(score) for score in scores], run, ROUNDS)
    theirs *= SONGS
    return {"name": f"{size}, {how}", "ours": notes / ours, "peer": notes / theirs, "ratio": theirs / ours,
            "target": TARGETS[size, how], "unit": "notes/s", "n": ROUNDS,
            "note": f"{weights / 1e6:.1f} M parameters beside {parameters / 1e6:.1f} M; steps a second "
                    f"{events / ours:.0f} beside {tokens / theirs:.0f}, {events / ours / (tokens / theirs):.1f}x; "
                    f"{tokens / notes:.1f} tokens a note"}


def gpt(weights: int, tokens: int) -> tuple[Callable[[], Any], int]:
    """Return what generates so many tokens with a GPT-2 of about so many parameters, and how many it has."""
    torch, transformers = peer("torch"), peer("transformers")
    torch.set_num_threads(1)
    layers = 4 if weights < 10_000_000 else 8
    width = round((weights / (12 * layers)) ** 0.5 / 64) * 64
    net = transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=512, n_positions=max(1024, tokens + 8), n_embd=width, n_layer=layers, n_head=width // 32,
        bos_token_id=1, eos_token_id=0, pad_token_id=0)).eval()
    start = torch.ones((1, 1), dtype=torch.long)

    def run() -> None:
        with torch.inference_mode():
            net.generate(start, min_new_tokens=tokens, max_new_tokens=tokens, do_sample=False, use_cache=True)

    return run, sum(parameter.numel() for parameter in net.parameters())


def limit(size: str, pieces: list[Piece]) -> Row:
    """Return the row of events a second as a share of what memory allows."""
    model = model_of(SHAPES[size])
    score = pieces[0].score
    events = len(score) + score.n_bars + 1
    ours = median_seconds(lambda: model.log_prob(score), ROUNDS)
    tables = {"input.table", "ask.table"}
    read = 4 * sum(array.size for name, array in model.player.arrays.items() if name not in tables)
    block = np.ones(64 << 20, np.float32)
    speed = block.nbytes / median_seconds(lambda: float(block.sum()), ROUNDS)
    return {"name": f"{size}: share of the limit", "ours": 100 * events / ours * read / speed, "peer": None,
            "ratio": None, "target": None, "unit": "%", "n": ROUNDS,
            "note": f"{read / 1e6:.0f} MB of weights an event, memory read at {speed / 1e9:.1f} GB/s by one thread"}


def first_note(model: Transformer) -> Row:
    """Return the row of the time to the first new note, going on from a page that fills the window."""
    def once(request: Request, around: Score, blanks: Blanks) -> float:
        begin = time.perf_counter()
        page = BlankPage(model.config.grid, around, blanks, request, model.config.window)
        walk = Walk(page, DrawingPen(model.ear(page), generator(1), 0.9, 0.92))
        for _ in walk.run():
            if walk.new:
                break
        return time.perf_counter() - begin

    made = generate.generate(Request(bars=8, seed=1), model)[0].score
    empty = made.without_notes()
    took = float(np.median([once(Request(bars=8, seed=1), empty, Blanks.everything(empty)) for _ in range(9)]))
    return {"name": "first note of a stream", "ours": 1000 * took, "peer": None, "ratio": None, "target": "<= 20 ms",
            "unit": "ms", "n": 9, "note": "with the bar it stands in; nothing stands before"}


def composing(model: Transformer, count: int, target: str) -> Row:
    """Return the row of composing 16 bars of two tracks, checks and all."""
    wish = Request(bars=16, tracks=("violin", "piano"), key="D major", seed=3)
    found = generate.generate(wish, model, count=count)
    took = median_seconds(lambda: generate.generate(wish, model, count=count), 3)
    return {"name": "16 bars of two tracks" + (f", {count} candidates" if count > 1 else ""), "ours": took,
            "peer": None, "ratio": None, "target": target, "unit": "s", "n": 3,
            "note": f"{sum(len(result.score) for result in found)} notes, one process"}


def training() -> Row:
    """Return the row of training: events a second, beside the tokens a second of a plain GPT of the same shape."""
    torch = peer("torch")
    from partimento.nets.attending import Attending
    from partimento.nets.learner import Learner

    torch.set_num_threads(1)
    shape, batch, window = SHAPES["5 M"], 8, 256
    library = Library.of(songs(40), 12)
    net = Attending(shape, grid=12, dropout=0.1)
    ours = Learner(net, torch.device("cpu"), (0.9, 0.99), 0.1)
    plain = _plain_gpt(shape, window)
    theirs = Learner(plain, torch.device("cpu"), (0.9, 0.99), 0.1)
    counted = [0, 0]

    def step_of_ours() -> None:
        arrays, units = library.batch(library.rows(0, counted[0], batch, window, 1), 0.5)
        with torch.autocast("cpu", torch.bfloat16):
            costs = net.losses({name: torch.from_numpy(array) for name, array in arrays.items()})
        (torch.stack(list(costs.values())).sum() / units).backward()
        ours.descend(1e-4, 0.99)
        ours.gradient.zero_()
        counted[0] += 1
        counted[1] = int((arrays["index"][..., 0] >= 0).sum())

    def step_of_theirs() -> None:
        tokens = torch.randint(512, (batch, window + 1))
        with torch.autocast("cpu", torch.bfloat16):
            logits = plain(tokens[:, :-1])
        torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten()).backward()
        theirs.descend(1e-4, 0.99)
        theirs.gradient.zero_()

    own, other = side_by_side(step_of_ours, step_of_theirs, ROUNDS)
    library.close()
    remi = Remi()
    score = songs(1)[0].score
    per_event = len(remi.encode(score)) / (len(score) + score.n_bars)
    events, tokens = counted[1] / own, batch * window / other
    return {"name": "training", "ours": events, "peer": tokens, "ratio": events * per_event / tokens,
            "target": ">= 1.0x", "unit": "steps/s", "n": ROUNDS,
            "note": f"events of ours, tokens of the peer, one thread, bfloat16; the ratio is of music: an event is "
                    f"{per_event:.1f} tokens; step for step {events / tokens:.2f}x"}


def _plain_gpt(shape: AttentionShape, window: int) -> Any:
    """Return a GPT of the same shape over 512 tokens."""
    torch = peer("torch")
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            d = shape.width
            self.first, self.second = nn.LayerNorm(d, bias=False), nn.LayerNorm(d, bias=False)
            self.qkv, self.out = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
            self.up, self.down = nn.Linear(d, 4 * d, bias=False), nn.Linear(4 * d, d, bias=False)

        def forward(self, x: Any) -> Any:
            b, t, d = x.shape
            q, k, v = self.qkv(self.first(x)).view(b, t, 3, shape.heads, -1).permute(2, 0, 3, 1, 4)
            heard = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(heard.transpose(1, 2).reshape(b, t, d))
            return x + self.down(functional.gelu(self.up(self.second(x))))

    class Gpt(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places = nn.Embedding(512, shape.width), nn.Embedding(window, shape.width)
            self.blocks = nn.ModuleList(Block() for _ in range(shape.layers))
            self.norm, self.head = nn.LayerNorm(shape.width, bias=False), nn.Linear(shape.width, 512, bias=False)

        def forward(self, tokens: Any) -> Any:
            x = self.tokens(tokens) + self.places.weight[:tokens.shape[1]]
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))

    return Gpt()


if __name__ == "__main__":
    show(main)
