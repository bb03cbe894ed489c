"""Learns what makes a beat the first of a bar, from halves of open sets, and prints it as source.

    python bench/downbeat_fit.py            # the costs of `formats.bars`, some minutes on one core; needs torch
    python bench/downbeat_fit.py pop909     # those that a half of pop909 teaches too, which may not ship

The likelihood is that of the bars of a song among all ways to bar it (a semi-Markov conditional random field: S.
Sarawagi and W. W. Cohen, NIPS 2004), linear in what `meter_view` gives around each first beat and each middle of a bar.
The loss is Z. Zhang and M. Sabuncu's generalised cross entropy (NeurIPS 2018), by which songs that contradict all
others, as those whose annotation is a beat off do, count little. `beat_midi.txt` was made by a program; the bars of
the songs of openscore_lieder are those of the edition (of the songs in one meter: 4/4, 3/4 or 6/8).
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent))
from peers import music, peer

from partimento import formats
from partimento.data.reading import read_one
from partimento.formats import bars
from partimento.formats.reading import DEFAULT_MAX_NOTES

LENGTHS, USUAL = ((4, 2, 3, 5), (3, 2, 4, 5)), (4, 3)
SONGS_OF_LIEDER = 300
STEPS, PLAIN, RATE, DECAY, TRUST = 50, 8, 0.01, 0.01, 0.1


class Song(NamedTuple):
    """What is heard on the beats of a song, its rule (0: in twos, 1: in threes), and where its bars begin."""

    view: Any
    rule: int
    begins: list[int]


def halves(name: str = "pop909") -> tuple[list[Path], list[Path]]:
    """Return the files of a set that teach and those that test: sorted, shuffled with seed 0, cut in the middle."""
    kind = {"pop909": "*/beat_midi.txt", "mutopia_midi": "*.mid"}.get(name, "*.mxl")
    paths = sorted((path.parent if name == "pop909" else path for path in music(name).rglob(kind)
                    if "CC-BY-SA" not in path.parts), key=str)
    random.Random(0).shuffle(paths)
    return paths[:len(paths) // 2], paths[len(paths) // 2:]


def performed(folder: Path) -> Song | None:
    """Return a song of pop909 and the bars of its annotation; None where that begins too late."""
    score = formats.read_fast(folder / f"{folder.name}.mid")
    view, first = bars.meter_view(score)
    marks = np.loadtxt(folder / "beat_midi.txt", ndmin=2)
    ticks = np.arange(score.end + 1)
    beat = np.round((np.interp(marks[:, 0], score.seconds(ticks), ticks) - first) / score.ticks_per_quarter)
    rule = int(Counter(np.diff(np.flatnonzero(marks[:, 1])).tolist()).most_common(1)[0][0] == 3)
    return song(view, rule, beat[marks[:, 1 if rule else 2] > 0].astype(int))


def written(path: Path) -> Song | None:
    """Return a piece and its bars; None where it is not in 4/4, 3/4 or 6/8 throughout."""
    score = read_one(path, DEFAULT_MAX_NOTES)[1]
    if score is None or len({meter[1:] for meter in score.meters}) > 1:
        return None
    rule = {(4, 4): 0, (3, 4): 1, (6, 8): 1}.get(score.meters[0][1:])
    view, first = bars.meter_view(score)
    beat = (score.bar_starts[int(score.has_pickup):] - first) / score.ticks_per_quarter
    if rule is None or not len(view) or (beat != np.round(beat)).any():
        return None
    return song(view, rule, beat.astype(int))


def song(view: Any, rule: int, beat: Any) -> Song | None:
    """Return a song whose bars begin on the beats said, with what is between in bars of the usual length."""
    known, usual = np.unique(beat), USUAL[rule]
    known = known[(known >= 0) & (known < len(view))]
    if not len(known) or known[0] >= bars.LATEST:
        return None
    begins = [int(known[0])]
    for begin in known[1:].tolist():
        while begin - begins[-1] > max(LENGTHS[rule]):
            begins.append(begins[-1] + usual)
        if begin - begins[-1] in LENGTHS[rule]:
            begins.append(begin)
    while len(view) - begins[-1] > usual:
        begins.append(begins[-1] + usual)
    width = np.pad(view, ((bars.REACH, bars.REACH), (0, 0)))
    around = np.lib.stride_tricks.sliding_window_view(width, 2 * bars.REACH + 1, axis=0)
    return Song(around.reshape(len(view), -1).astype(np.float32), rule, [b for b in begins if b < len(view)])


def fit(songs: list[Song]) -> tuple[Any, Any, Any]:
    """Return the weights (columns · places, start and middle), the worth of lengths (2, 4), and that of threes."""
    torch = peer("torch")
    torch.set_num_threads(1)
    songs = sorted(songs, key=lambda one: len(one.view))
    weights = torch.zeros(songs[0].view.shape[1], 2, requires_grad=True)
    lengths = torch.tensor([[0.0, -4, -5, -5], [0.0, -5, -5, -5]], requires_grad=True)
    threes = torch.tensor(-2.0, requires_grad=True)
    batches = [songs[i:i + 103] for i in range(0, len(songs), 103)]
    views = [torch.nn.utils.rnn.pad_sequence([torch.from_numpy(one.view) for one in batch], batch_first=True)
             for batch in batches]

    def every_way(worth: Any, sizes: Any, rule: int) -> Any:
        usual, sums = USUAL[rule], []
        for beat in range(worth.shape[1]):
            ways = [sums[beat - length] + lengths[rule, k] + (worth[:, beat - 2, 1] if length == 4 else 0)
                    for k, length in enumerate(LENGTHS[rule]) if length <= beat]
            ways += [torch.zeros(len(worth))] if beat < bars.LATEST else []
            sums.append(torch.logsumexp(torch.stack(ways), 0) + worth[:, beat, 0])
        at = torch.arange(worth.shape[1])
        last = (at < sizes[:, None]) & (at >= sizes[:, None] - usual)
        return torch.logsumexp(torch.stack(sums, 1).masked_fill(~last, -1e9), 1)

    def right_way(worth: Any, one: Song) -> Any:
        begins, steps = np.array(one.begins), np.diff(one.begins)
        value = worth[begins, 0].sum() + worth[begins[:-1][steps == 4] + 2, 1].sum() + threes * one.rule
        return value + lengths[one.rule][[LENGTHS[one.rule].index(step) for step in steps.tolist()]].sum()

    adam = torch.optim.Adam([weights, lengths, threes], lr=RATE)
    for step in range(STEPS):
        adam.param_groups[0]["lr"] = RATE * (1 - step / STEPS) + RATE / 100
        for batch, view in zip(batches, views, strict=True):
            worth, sizes = view @ weights, torch.tensor([len(one.view) for one in batch])
            ways = torch.logaddexp(every_way(worth, sizes, 0), every_way(worth, sizes, 1) + threes)
            nats = (ways - torch.stack([right_way(w, one) for w, one in zip(worth, batch, strict=True)])).clamp_min(0)
            loss = nats.mean() if step < PLAIN else ((1 - torch.exp(-TRUST * nats)) / TRUST).mean()
            adam.zero_grad()
            (loss + DECAY * (weights ** 2).sum()).backward()
            adam.step()
        print(f"step {step + 1} of {STEPS}: {float(loss.detach()):.3f}", file=sys.stderr)
    return weights.detach().numpy(), lengths.detach().numpy(), float(threes.detach())


def source(weights: Any, lengths: Any, threes: float) -> str:
    """Return the numbers as lines of Python."""
    tables = np.round(weights.T.reshape(2, -1, 2 * bars.REACH + 1) * 1000).astype(int).tolist()
    lines = []
    for name, table in zip(("STARTS", "MIDDLES"), tables, strict=True):
        lines += [f"{name} = np.array([", *(f"    {row}," for row in table), "], np.float64)"]
    costs = [{length: round(float(row[0] - worth), 2) for length, worth in zip(known[1:], row[1:], strict=True)}
             for known, row in zip(LENGTHS, lengths, strict=True)]
    return "\n".join([*lines, f"RULES = (Rule(4, {costs[0]}, 0.0), Rule(3, {costs[1]}, {-threes:.2f}))"])


if __name__ == "__main__":
    if sys.argv[1:] == ["pop909"]:
        songs = [*map(performed, halves()[0]), *map(written, halves("openscore_lieder")[0][:SONGS_OF_LIEDER])]
    else:
        songs = [*map(written, halves("openscore_lieder")[0]), *map(written, halves("mutopia_midi")[0])]
    print(source(*fit([one for one in songs if one])))
