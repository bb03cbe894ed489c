"""Song to WAV, the whole command, beside fluidsynth without reverb and chorus on the same soundfont.

    python bench/run.py audio

Both read the MIDI file, play it and write 16-bit WAV at 44,100, one process and one core each, start-up included.
The songs last three to four minutes.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from peers import Missing, Row, attempt, music, show, side_by_side

SRC = Path(__file__).resolve().parents[1] / "src"
REPEATS = 3
SONGS = {
    "pop, piano and pedal, 3:16": ("pop909", "001/001.mid"),
    "pop, dense piano, 3:48": ("pop909", "003/003.mid"),
    "game, 11 parts, 3:12": ("freedoom_midi", "d_dm05.mid"),
    "game, 9 parts, 3:04": ("freedoom_midi", "d_e2m2.mid"),
}
OURS = """
import sys
from partimento.formats import read
from partimento.render.audio import write_audio
write_audio(read(sys.argv[1]), sys.argv[2], soundfont=sys.argv[3], reverb=sys.argv[4] == "reverb")
"""


def main(argv: list[str]) -> list[Row]:
    """Return two rows a song, without and with our reverb: seconds of both and how many times quicker ours is."""
    command, version = fluidsynth()
    font = soundfont()
    return [attempt(f"{song}, {how}", lambda: measured(song, how, command, version, font))  # noqa: B023
            for song in SONGS for how in ("dry", "reverb")]


def measured(song: str, how: str, command: str, version: str, font: Path) -> Row:
    """Return one row."""
    folder, file = SONGS[song]
    path = music(folder) / file
    with tempfile.TemporaryDirectory() as out:
        ours = [sys.executable, "-c", OURS, str(path), f"{out}/ours.wav", str(font), how]
        theirs = [command, "-R0", "-C0", "-ni", "-r", "44100", "-F", f"{out}/peer.wav", str(font), str(path)]
        own, other = side_by_side(lambda: finish(ours), lambda: finish(theirs), REPEATS)
    return {"name": f"{song}, {how}", "ours": own, "peer": other, "ratio": other / own, "target": ">= 1x", "unit": "s",
            "n": REPEATS, "note": f"{version} -R0 -C0, {font.stem}"}


def finish(words: list[str]) -> None:
    """Run a command to its end, our own source on its path."""
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   env={**os.environ, "PYTHONPATH": str(SRC)})


def soundfont() -> Path:
    """Return the soundfont that both play, the one in the pretty_midi package, or `Missing`."""
    spec = importlib.util.find_spec("pretty_midi")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob("*.sf2")):
            return path
    raise Missing("no soundfont: the pretty_midi package is not installed")


def fluidsynth() -> tuple[str, str]:
    """Return the command of fluidsynth and its version, or `Missing`."""
    command = shutil.which("fluidsynth")
    if command is None:
        raise Missing("no fluidsynth here; try apt-get install fluidsynth")
    said = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
    return command, "fluidsynth " + said.split("version ")[1].split()[0]


if __name__ == "__main__":
    show(main)
