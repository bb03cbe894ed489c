"""Makes the checkpoints that ship: they learn from verdict-A sets, with the ledger of what taught them.

    python checks/bundle.py markov           # learns anew; or: hmm, transformer
    python checks/bundle.py markov --index   # leaves the model as it is, and makes the index of what taught it anew

Needs the sets mutopia_midi (of which only PD and CC-BY are taken) and groove (the beats, not the fills), and for the
transformer openscore_lieder, openscore_quartets and open_hymnal too, without the pieces of ``kept_out.txt``: those that
the gallery and the tables of unseen music begin with. The same files give the same bytes. freedoom_midi was tried too
and left out: its metal basses pulled every bass below the stave.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))
import music_sets  # noqa: E402

from partimento import checkpoint  # noqa: E402
from partimento.formats import read  # noqa: E402
from partimento.judge.originality import corpus_index  # noqa: E402
from partimento.models.base import Piece  # noqa: E402
from partimento.training import train  # noqa: E402

FOLDER = ROOT / "src" / "partimento" / "models" / "bundled"
MIDI = {"mutopia_midi": ("PD", "CC-BY", "index.csv"), "groove": ("",)}
WRITTEN = {"openscore_lieder": ("scores",), "openscore_quartets": ("scores",), "open_hymnal": ("Complete",)}
LEFT_OUT = ("*_fill_*", *(line.rpartition("/")[2] for line in
                          (ROOT / "checks" / "kept_out.txt").read_text(encoding="utf-8").splitlines()))
SETTINGS: dict[str, dict[str, Any]] = {
    "markov": {"prune": 12}, "hmm": {},
    "transformer": {"layers": 4, "width": 192, "deafness": 0.4, "blindness": 0.1, "dropout": 0.1, "patience": 0,
                    "weights": "bfloat16", "steps": 2343}}


@contextlib.contextmanager
def laid_out(family: str) -> Iterator[Path]:
    """The music that teaches a family, in one folder, for as long as it is needed."""
    sets = {**MIDI, **WRITTEN} if family == "transformer" else MIDI
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, " and ".join(sets))        # the ledger names it as the source
        for name, parts in sets.items():
            for part in parts:
                source, target = music_sets.find(name) / part, folder / name / part
                if source.is_dir():
                    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*LEFT_OUT))
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source, target)
        yield folder


def learn(family: str) -> None:
    """Learn, and write the checkpoint into the package."""
    FOLDER.mkdir(exist_ok=True)
    with laid_out(family) as folder:
        done = train(folder, model=family, out=target(family), settings=SETTINGS[family], valid_share=0.05, seed=0,
                     near="keep")
    print(done.summary())


def index(family: str) -> None:
    """Put the index of the pieces that taught the model into its checkpoint; all else stays as it is."""
    loaded = checkpoint.load(target(family))
    with zipfile.ZipFile(target(family)) as archive:
        lines = archive.read(checkpoint.LEDGER).decode().splitlines()
    with laid_out(family) as folder:
        pieces = [Piece(read(folder / entry.file), entry.file) for entry in loaded.ledger() if entry.used == "train"]
    checkpoint.save(loaded.model, target(family), record=loaded.record, ledger_lines=lines,
                    indexes=[corpus_index(pieces)])
    print(f"{len(pieces):,} pieces in the index")


def target(family: str) -> Path:
    """Return where the checkpoint of a family ships."""
    return FOLDER / f"{family}.partimento"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=SETTINGS)
    parser.add_argument("--index", action="store_true")
    wish = parser.parse_args()
    (index if wish.index else learn)(wish.family)
    made = target(wish.family)
    print(f"{made.stat().st_size / 1e6:.1f} MB, sha256 {checkpoint.checkpoint_hash(made)}")
