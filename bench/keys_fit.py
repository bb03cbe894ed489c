"""Fits what the package knows of keys on open music that says its key, and writes the weights and their ledger.

    python bench/keys_fit.py --out src/partimento/features/keys.safetensors      # those of the package, and ledger

Teachers are the pieces of SETS that have a key signature, whole and once more as their top line alone, in minor also
made Dorian; of one that changes it the first counts, and files with several movements are left out. A signature with
its mode teaches a key; one without (openscore_lieder, and open_hymnal, whose fields state no more) teaches that it is
one of its two keys. Hymns in church modes, which end on neither tonic, are left out. Of a work in several files each
counts less. A network of one layer and its shortcut is fitted three times from other beginnings and the three put
together: their sums are one network, three times as wide. All of it is seeded; it takes three minutes on one core.
`halves` gives the weights by which a teacher set is tested: each taught without half of the works of TESTED.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

sys.path.append(str(Path(__file__).resolve().parent))
from peers import music, peer
from pieces import CLOSED, half_of, work_of

from partimento import formats, theory
from partimento.data import ledger
from partimento.data.reading import read_one
from partimento.features.keys_view import VIEWS, key_view
from partimento.features.notes import FloatArray, pitched
from partimento.score import Score

SETS = {"openscore_lieder": ("*.mxl", "CC0-1.0"), "openscore_quartets": ("*.mxl", "CC0-1.0"),
        "openscore_orchestra": ("*.mxl", "CC0-1.0"), "mutopia_midi": ("*.mid", "public domain or CC-BY"),
        "polish_piano": ("*.krn", "CC-BY-4.0"), "chopin_first_editions": ("*.krn", "CC-BY-4.0"),
        "open_hymnal": ("*.abc", "public domain")}
SONGS = ("openscore_lieder", "mutopia_midi", "polish_piano", "chopin_first_editions")   # a file is one movement
TESTED = ("openscore_lieder", "open_hymnal", "mutopia_midi")        # teachers that are tested too, so by halves
FEWEST = 16                                                         # notes of a lesson
WIDTH, DROPPED, BATCH, EPOCHS, RATE, DECAY, TIMES = 16, 0.3, 64, 20, 4e-3, 1.0, 3
Values = dict[str, FloatArray]


class Lesson(NamedTuple):
    """What a piece or its top line shows, the two keys that its signature allows, and which file it is."""

    set: str
    file: str
    sha256: str
    notes: int
    view: npt.NDArray[np.float32]
    keys: tuple[int, int]


def top_line(score: Score) -> Score:
    """Return the highest part (its first staff) with only the highest note of each onset."""
    heights = [(float(score.pitch[score.track == track].mean()), track) for track in np.unique(score.track).tolist()
               if not score.tracks[track].is_drum and (score.track == track).sum() >= FEWEST]
    own = score.track == max(heights, default=(0.0, -1))[1]
    if score.staff is not None and (score.staff[own] > 1).any():
        own &= score.staff <= 1
    part = score.select(own)
    order = np.lexsort((-part.pitch, part.onset))
    _, first = np.unique(part.onset[order], return_index=True)
    return part.select(np.sort(order[first]))


def dorian(line: Score, tonic: int) -> Score:
    """Return a line in minor with its sixth raised and its seventh natural: folk tunes in minor are often so."""
    step = (line.pitch - tonic) % 12
    return line.replace(pitch=line.pitch + (step == 8) - (step == 11), spelling=None)


def said_keys(name: str, score: Score) -> tuple[int, int] | None:
    """Return the numbers of the keys (12 major, 12 minor) that the first signature allows, twice the same if one."""
    signatures = {key.fifths for key in score.keys}
    if not signatures or (len(signatures) > 1 and name not in SONGS):
        return None
    fifths, mode = score.keys[0].fifths, "" if name == "open_hymnal" else score.keys[0].mode
    major = theory.from_fifths(fifths, "major").tonic
    minor = 12 + theory.from_fifths(fifths, "minor").tonic
    return {"major": (major, major), "minor": (minor, minor)}.get(mode, (major, minor))


def modal(view: FloatArray, keys: tuple[int, int]) -> bool:
    """Return whether a hymn ends on the tonic of neither key of its signature, as those of old church modes do."""
    return not any(view[VIEWS.index("last bass"), key % 12] for key in keys)


def lessons(limit: int | None = None) -> list[Lesson]:
    """Return the lessons of all sets: each piece, its top line, and that of a piece in minor made Dorian."""
    found = []
    for name, (pattern, _) in SETS.items():
        folder = music(name)
        paths = sorted(path for path in folder.rglob(pattern) if CLOSED not in path.parts)
        for file in [file for path in paths for file in formats.tunes_of(path)][:limit]:
            report, score = read_one(file)
            keys = None if score is None else said_keys(name, score)
            if score is None or keys is None:
                continue
            parts = [score, top_line(score)]
            if keys[0] == keys[1] >= 12:
                parts.append(dorian(parts[1], keys[1]))
            for part in parts:
                view = key_view(part) if pitched(part).sum() >= FEWEST else None
                if view is not None and not (name == "open_hymnal" and modal(view, keys)):
                    place = Path(file.partition("#")[0]).relative_to(folder).as_posix()
                    found.append(Lesson(name, place, report.sha256, len(score), view.astype(np.float32), keys))
    return found


def fit(taught: list[Lesson]) -> Values:
    """Return the weights that say the keys of these lessons best, three networks put together."""
    torch: Any = peer("torch")
    torch.set_num_threads(1)
    seen = torch.tensor(np.stack([np.stack([np.roll(lesson.view, -tonic, axis=1).ravel() for tonic in range(12)])
                                  for lesson in taught]))
    keys = torch.tensor([lesson.keys for lesson in taught])
    works = [(lesson.set, work_of(lesson.set, lesson.file)) for lesson in taught]
    size = Counter(works)
    weight = torch.tensor([size[work] ** -0.5 for work in works])
    weight = weight / weight.mean()
    parts: list[list[npt.NDArray[Any]]] = []
    for seed in range(TIMES):
        torch.manual_seed(seed)
        layer, out = torch.nn.Linear(seen.shape[2], WIDTH), torch.nn.Linear(WIDTH, 2)
        shortcut = torch.nn.Linear(seen.shape[2], 2, bias=False)
        torch.nn.init.zeros_(out.weight)
        torch.nn.init.zeros_(shortcut.weight)
        values = [value for module in (layer, out, shortcut) for value in module.parameters()]
        optimiser = torch.optim.AdamW(values, RATE, weight_decay=DECAY)
        steps = -(-len(seen) // BATCH) * EPOCHS
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2 * RATE, total_steps=steps)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(seen)).split(BATCH):
                x, allowed = seen[rows], keys[rows]
                state = torch.nn.functional.dropout(torch.relu(layer(x)), DROPPED)
                said = torch.log_softmax((out(state) + shortcut(x)).transpose(1, 2).flatten(1), 1)
                right = torch.where(allowed[:, 0] == allowed[:, 1], said.gather(1, allowed[:, :1])[:, 0],
                                    torch.logsumexp(said.gather(1, allowed), 1))
                loss = -(weight[rows] * right).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
        parts.append([value.detach().numpy() for value in (layer.weight.T, layer.bias, out.weight.T, shortcut.weight.T,
                                                           out.bias)])
    layers, biases, outs, shortcuts, ends = zip(*parts, strict=True)
    return {"layer": np.hstack(layers), "layer bias": np.hstack(biases), "out": np.vstack(outs) / TIMES,
            "shortcut": sum(shortcuts) / TIMES, "bias": sum(ends) / TIMES}


def halves() -> tuple[Values, Values]:
    """Return the weights with which to test half 0 of the works of each of TESTED, and those for half 1.

    They are kept in the folder for temporary files, by what they are made of, since several rows of a table ask.
    """
    from safetensors.numpy import load_file, save_file

    code = Path(__file__).read_bytes() + Path(str(sys.modules["partimento.features.keys_view"].__file__)).read_bytes()
    kept = [Path(tempfile.gettempdir(), f"keys_half_{half}_{hashlib.sha256(code).hexdigest()[:16]}.safetensors")
            for half in (0, 1)]
    if not all(path.is_file() for path in kept):
        every = lessons()
        for half, path in enumerate(kept):
            values = fit([one for one in every if one.set not in TESTED or half_of(one.set, one.file) != half])
            save_file({name: np.array(value, np.float16, order="C") for name, value in values.items()}, path)
    zero, one = ({name: value.astype(np.float64) for name, value in load_file(path).items()} for path in kept)
    return zero, one


def main() -> None:
    """Fit on all lessons and write what was learnt, with its ledger beside it."""
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--limit", type=int, help="only so many files of each set")
    parser.add_argument("--out", type=Path, required=True, help="where the weights go, with their ledger beside them")
    given = parser.parse_args()
    taught = lessons(given.limit)
    values = fit(taught)
    save_file({name: np.array(value, np.float16, order="C") for name, value in values.items()}, given.out)
    entries = {(one.set, one.file, one.sha256): one for one in taught}
    ledger.write([ledger.Entry(file=one.file, source=one.set, licence=SETS[one.set][1], sha256=one.sha256,
                               used="train", notes=one.notes) for one in entries.values()],
                 given.out.with_suffix(".jsonl"), seed=0)
    print(f"{len(entries)} pieces taught; {given.out.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
