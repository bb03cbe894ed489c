"""How fast music becomes tokens: one JSON row a measurement, one core.

    PARTIMENTO_DATA=/data python bench/tokens.py [songs]

`encode`: already parsed songs of pop909 to ids, against the REMI of MidiTok on the same songs with the same grid (12
steps a quarter), programs, tempos, time signatures and 32 velocities, in turns: medians of 7 rounds.
`file to tokens`: the same files from disk to ids.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"

from partimento.formats import read_fast  # noqa: E402  (after the threads are set)
from partimento.tokens.remi import Remi  # noqa: E402

ROUNDS = 7


def seconds(work: Callable[[], object]) -> float:
    """Processor time of one run."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print the rows."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    data = Path(os.environ.get("PARTIMENTO_DATA", "/data")) / "pop909"
    files = sorted(data.glob("[0-9]*/[0-9]*.mid"))[:count]
    remi, songs = Remi(), [read_fast(path) for path in files]
    tokens = sum(len(remi.encode(song)) for song in songs)
    peer = peer_encoder(files)
    rounds = []
    for _ in range(ROUNDS):
        own = seconds(lambda: [remi.encode(song) for song in songs])
        rounds.append((own, seconds(peer) if peer else 0.0))
    own, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
    row = {"measure": "encode", "songs": len(songs), "tokens": tokens, "tokens a second": round(tokens / own),
           "ms a song": round(1e3 * own / len(songs), 3)}
    if peer:
        ratios = sorted(b / a for a, b in rounds)
        row |= {"miditok ms a song": round(1e3 * theirs / len(songs), 3), "miditok tokens": peer.tokens,
                "ratio": round(statistics.median(ratios), 1), "ratios": [round(r, 1) for r in ratios]}
    print(json.dumps(row))
    whole = statistics.median(seconds(lambda: [remi.encode(read_fast(path)) for path in files]) for _ in range(ROUNDS))
    print(json.dumps({"measure": "file to tokens", "files": len(files), "files a second": round(len(files) / whole)}))


class _Peer:
    """MidiTok's REMI over the same files, parsed beforehand."""

    def __init__(self, files: list[Path]) -> None:
        import symusic
        from miditok import REMI, TokenizerConfig

        self.tokenizer = REMI(TokenizerConfig(
            beat_res={(0, 4): 12, (4, 12): 2}, num_velocities=32, use_programs=True, use_tempos=True,
            use_time_signatures=True, remove_duplicated_notes=False))
        self.songs = [symusic.Score(str(path)) for path in files]
        self.tokens = 0

    def __call__(self) -> None:
        self.tokens = sum(len(self.tokenizer.encode(song)) for song in self.songs)


def peer_encoder(files: list[Path]) -> _Peer | None:
    """The peer, or None where it is not installed."""
    try:
        return _Peer(files)
    except ImportError:
        return None


if __name__ == "__main__":
    main()
