"""A gallery to read: what every family makes with every verb, by seeds 1 to 20 and unpicked, and pages of real music.

    python checks/gallery.py FOLDER                                               # everything
    python checks/gallery.py FOLDER --verb infill --family markov --seeds 3,7-9   # one cell, or some of it
    python checks/gallery.py FOLDER --verb read                                   # music of the sets as it was read

Each piece stands there as engraved page, roll, MIDI and MusicXML, with the faults that are found, those of the new
notes beside those of the source, and one sentence of a reader (``gallery_words.json``), which is shown for as long as
the notes are those that were read. The five worst of each verb stand first. What is there is not made again: remove
its folder to make it anew; the index shows what was asked for. Sets that are not here are left out or, where a verb
needs music, small music is made. A family that must learn and has no bundled
checkpoint is left out.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gallery_page import write_pages
from gallery_pieces import VERBS, make_piece, make_read, measure_cell, summary
from gallery_sources import read_places

from partimento import checkpoint
from partimento.models.base import family as family_of

WORDS = Path(__file__).with_name("gallery_words.json")
FAMILIES = ("rules", "markov", "hmm", "rnn", "transformer", "random")
SEEDS = "1-20"


def main() -> int:
    """Make the gallery; return 1 where a piece of it could not be made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--verb", choices=[*VERBS, "read"], action="append")
    parser.add_argument("--family", choices=FAMILIES, action="append")
    parser.add_argument("--seeds", default=SEEDS, help="such as 1-20 or 3,7-9 [%(default)s]")
    parser.add_argument("--jobs", type=int, default=2, help="processes [%(default)s]")
    wish = parser.parse_args()
    folder = wish.folder
    folder.mkdir(parents=True, exist_ok=True)
    seeds = [number for part in wish.seeds.split(",") for number in numbers(part)]
    asked = wish.verb or [*VERBS, "read"]
    families = list(ready(wish.family or list(FAMILIES))) if set(asked) - {"read"} else []
    tasks = [(folder, verb, family, seed) for verb in VERBS if verb in asked for family in families for seed in seeds]
    cells = []
    with ProcessPoolExecutor(wish.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        made = list(pool.map(make_piece, *zip(*tasks, strict=True))) if tasks else []
        for (verb, family), group in groupby(made, key=lambda one: (one["verb"], one["family"])):
            pieces = list(group)
            good = [one for one in pieces if "error" not in one]
            cells.append((pieces, good, pool.submit(measure_cell, folder, verb, family, good)))
        shown: list[dict[str, Any]] = [{"pieces": pieces, **(summary(good) if good else {}),
                                        "real": found.result()} for pieces, good, found in cells]
    if "read" in asked:
        pieces = [make_read(folder, family, seed, music) for family, seed, music in read_places() if seed in seeds]
        shown += [{"pieces": list(group)} for _, group in groupby(pieces, key=lambda one: one["family"])]
    words = json.loads(WORDS.read_text(encoding="utf-8")) if WORDS.exists() else {}
    failed = [one for cell in shown for one in cell["pieces"] if "error" in one]
    for one in failed:
        print(f"{one['verb']}/{one['family']}/{one['seed']}: {one['error']}", file=sys.stderr)
    print(write_pages(folder, shown, words))
    return 1 if failed else 0


def numbers(text: str) -> range:
    """Return the numbers of ``7`` or ``7-9``."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def ready(families: list[str]) -> Iterator[str]:
    """Yield each family that can play without having been taught first."""
    for family in families:
        if not family_of(family).learns or family in checkpoint.bundled_names():
            yield family
        else:
            print(f"{family} left out: no checkpoint of it is bundled", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
