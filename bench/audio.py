"""Song file to WAV file, beside fluidsynth without reverb and chorus on the same soundfont: the whole command each.

    python bench/audio.py [--data FOLDER]       # one JSON row a song; FOLDER is else named by PARTIMENTO_DATA

Both read the MIDI file, play it and write 16-bit WAV at 44,100, one process and one core each, start-up included.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from peers import Missing, music, side_by_side

SRC = Path(__file__).resolve().parents[1] / "src"
SONGS = {"pop song, piano with pedal": "pop909/001/001.mid", "pop song, dense piano": "pop909/003/003.mid",
         "game music, 11 parts": "freedoom_midi/d_dm05.mid", "game music, 18 parts": "freedoom_midi/d_e2m2.mid"}
OURS = """
import sys
from partimento.formats import read
from partimento.render.audio import write_audio
write_audio(read(sys.argv[1]), sys.argv[2], soundfont=sys.argv[3], reverb=sys.argv[4] == "reverb")
"""


def soundfont() -> str:
    """Return the path of the soundfont that both play, the one in the pretty_midi package, or `Missing`."""
    import importlib.util

    spec = importlib.util.find_spec("pretty_midi")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob("*.sf2")):
            return str(path)
    raise Missing("no soundfont: the pretty_midi package is not installed")


def fluidsynth() -> tuple[str, str]:
    """Return the command of fluidsynth and its version, or `Missing`."""
    command = shutil.which("fluidsynth")
    if command is None:
        raise Missing("no fluidsynth here; try apt-get install fluidsynth")
    said = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
    return command, "fluidsynth " + said.split("version ")[1].split()[0]


def main(argv: list[str]) -> list[dict[str, Any]]:
    """Return a row a song: seconds of both and how many times quicker ours is; then the same with our reverb on."""
    command, version = fluidsynth()
    font = soundfont()
    rows = []
    for name, song in SONGS.items():
        folder, _, file = song.partition("/")
        path = str(music(folder) / file)
        with tempfile.TemporaryDirectory() as out:
            def run(words: list[str]) -> None:
                subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, "PYTHONPATH": str(SRC)})

            theirs = [command, "-R0", "-C0", "-ni", "-r", "44100", "-F", f"{out}/peer.wav", font, path]
            for how in ("dry", "reverb"):
                ours = [sys.executable, "-c", OURS, path, f"{out}/ours.wav", font, how]
                mine, peer = side_by_side(lambda: run(ours), lambda: run(theirs), repeats=3)  # noqa: B023
                rows.append({"name": name if how == "dry" else f"{name}, with our reverb", "ours": round(mine, 3),
                             "peer": round(peer, 3), "ratio": round(peer / mine, 2), "target": 1.0, "unit": "s",
                             "n": 3, "note": f"{version} -R0 -C0, TimGM6mb"})
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", help="the folder of the sets of music")
    given = parser.parse_args()
    if given.data:
        os.environ["PARTIMENTO_DATA"] = given.data
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    try:
        for row in main([]):
            print(json.dumps(row))
    except Missing as reason:
        print(json.dumps({"name": "audio", "skipped": str(reason)}))
