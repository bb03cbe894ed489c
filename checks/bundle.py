"""Makes the checkpoint that ships: learns from the verdict-A sets of MIDI, with the ledger of what taught it inside.

    python checks/bundle.py

Needs the sets mutopia_midi (of which only PD and CC-BY are taken) and groove (the beats, not the fills); the same files
give the same bytes. freedoom_midi was tried too and left out: its metal basses pulled every bass below the stave.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))
import music_sets  # noqa: E402

from partimento.training import train  # noqa: E402

TARGET = ROOT / "src" / "partimento" / "models" / "bundled" / "markov.partimento"
PARTS = {"mutopia_midi": ("PD", "CC-BY", "index.csv"), "groove": ("",)}
LEFT_OUT = ("*_fill_*",)
SETTINGS = {"prune": 12}


def main() -> None:
    """Lay the sets out, learn, and write the checkpoint into the package."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "mutopia_midi and groove")  # the ledger names it as the source
        for name, parts in PARTS.items():
            for part in parts:
                source, target = music_sets.find(name) / part, folder / name / part
                if source.is_dir():
                    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*LEFT_OUT))
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source, target)
        TARGET.parent.mkdir(exist_ok=True)
        done = train(folder, model="markov", out=TARGET, settings=SETTINGS, valid_share=0.05, seed=0)
    print(done.summary())
    print(f"{TARGET.stat().st_size / 1e6:.1f} MB, sha256 {done.hash}")


if __name__ == "__main__":
    main()
