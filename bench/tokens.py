"""How fast music becomes tokens, on one core: songs to ids beside MidiTok's REMI, and files to ids.

    python bench/run.py tokens

Both encode the same parsed songs of pop909 on the same grid (12 steps a quarter), with programs, tempos, time
signatures and 32 velocities, in turns. `files to tokens` reads the same files from the disk's cache and encodes them.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[threads] = "1"

from peers import attempt, median_seconds, music, peer, show, side_by_side, version  # noqa: E402  (after the threads are set)

from partimento.formats import read_fast  # noqa: E402
from partimento.tokens.remi import Remi  # noqa: E402

SONGS = 100
ROUNDS = 9


def main(argv: list[str]) -> list[dict[str, Any]]:
    """Return the rows: encoding beside MidiTok, and files a second."""
    files = sorted(music("pop909").glob("[0-9]*/[0-9]*.mid"))[:int(argv[0]) if argv else SONGS]
    return [attempt("song to tokens", lambda: encoding(files)), files_to_tokens(files)]


def files_to_tokens(files: list[Path]) -> dict[str, Any]:
    """Return how many files a second become ids."""
    remi = Remi()
    taken = median_seconds(lambda: sum(len(remi.encode(read_fast(path))) for path in files), ROUNDS, time.process_time)
    rate = len(files) / taken
    return {"name": "files to tokens", "ours": rate, "peer": None, "ratio": None, "target": ">= 1,500 files/s",
            "unit": "files/s", "n": len(files), "note": "pop909, from disk cache to ids"}


def encoding(files: list[Path]) -> dict[str, Any]:
    """Return milliseconds a song of both encoders."""
    miditok, symusic = peer("miditok"), peer("symusic")
    theirs = miditok.REMI(miditok.TokenizerConfig(
        beat_res={(0, 4): 12, (4, 12): 2}, num_velocities=32, use_programs=True, use_tempos=True,
        use_time_signatures=True, remove_duplicated_notes=False))
    remi, songs = Remi(), [read_fast(path) for path in files]
    parsed = [symusic.Score(str(path)) for path in files]

    def count(encode: Any, pieces: list[Any]) -> int:  # each result is let go at once: to keep them all costs MidiTok
        return sum(len(encode(piece)) for piece in pieces)  # as much again in garbage collection, which is not encoding

    tokens = count(remi.encode, songs), count(theirs.encode, parsed)
    own, other = side_by_side(lambda: count(remi.encode, songs), lambda: count(theirs.encode, parsed), ROUNDS,
                              time.process_time)
    return {"name": "song to tokens", "ours": 1e3 * own / len(files), "peer": 1e3 * other / len(files),
            "ratio": other / own, "target": ">= 60x", "unit": "ms a song", "n": len(files),
            "note": f"{version(miditok)} REMI; ours {tokens[0] / own / 1e6:.0f} M tokens/s of {tokens[0]:,}, "
                    f"theirs {tokens[1]:,} tokens"}


if __name__ == "__main__":
    show(main)
