"""Damaged MIDI, thrown at the readers for a while: how many inputs ran, and how many did harm.

    python bench/fuzz_midi.py --seconds 120                 # the careful reader, by atheris where it is installed
    python bench/fuzz_midi.py --seconds 120 --engine plain  # the same by plain mutation
    python bench/fuzz_midi.py --seconds 120 --native        # symusic, in child processes that may die

Every input must give a Score that survives writing and reading, or one ReadError, within a few seconds. Without
words, as the runner of the benches calls it, both run for a while and the faults are counted.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import multiprocessing.connection
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fuzzing

from partimento.errors import ReadError
from partimento.formats import midi
from partimento.formats.midi_fast import parse_fast
from partimento.score import Controls, Key, Mark, Meter, Score, Tempo, Text, Track

SLOW = 5.0
SPLICES = (b"MTrk", b"MThd", b"\xff\x2f\0", b"\xff\x51\3", b"\xff\x58\4", b"\xff\x21\1", b"\xff\xff\xff\x7f", b"\xf0",
           b"\xf7", b"\x90\x40\0", b"\x80\x40\x40", b"\xc9", b"\0\0\0\0", b"\xff\x20\1\3", b"\xff\3\0", b"\xff\xff")


def seeds() -> list[bytes]:
    """A few small whole files that between them have every kind of event."""
    rich = Score(
        onset=[0, 0, 240, 240, 480, 960], duration=[480, 960, 0, 240, 480, 480], pitch=[60, 60, 64, 64, 67, 36],
        velocity=[80, 90, 1, 127, 64, 100], track=[0, 0, 0, 0, 1, 2], end=2000,
        meters=(Meter(0, 4, 4), Meter(480, 3, 8)), tempos=(Tempo(0, 500_000), Tempo(960, 300_000)), keys=(Key(0, -3),),
        marks=(Mark(10, "marker", "A"),), tracks=(Track("Flöte", 73), Track("bass", 33), Track("kit", 0, True)),
        texts=(Text(0, -1, "text", "settings"), Text(240, 0, "lyric", "la")),
        controls=Controls.of([(0, 0, 0xB0, 64, 127), (100, 0, 0xE0, 0, -8192), (200, 1, 0xC0, 0, 5),
                              (300, 1, 0xD0, 0, 9), (400, 0, 0xA0, 60, 8)]),
        extras={"midi": {"events": ((0, -1, b"\xf0\x7e\x7f\x09\x01\xf7"), (0, 0, b"\x7fabc")), "title": "t"}})
    whole = midi.dumps(rich)
    smpte = whole[:12] + b"\xe7\x28" + whole[14:]
    return [whole, smpte, whole[:8] + b"\0\2" + whole[10:], midi.riff(whole), midi.dumps(Score()), b"MThd", b""]


def mutations(random_numbers: random.Random, corpus: list[bytes]) -> Iterator[bytes]:
    """Damaged files without end."""
    while True:
        data = bytearray(random_numbers.choice(corpus))
        for _ in range(random_numbers.choice((1, 1, 2, 4, 16))):
            at = random_numbers.randrange(len(data) + 1)
            choice = random_numbers.randrange(6)
            if choice == 0 and at < len(data):
                data[at] = random_numbers.randrange(256)
            elif choice == 1 and at < len(data):
                data[at] ^= 1 << random_numbers.randrange(8)
            elif choice == 2:
                del data[at:at + random_numbers.randrange(1, 9)]
            elif choice == 3:
                data[at:at] = random_numbers.choice(SPLICES)
            elif choice == 4:
                data[at:at] = random_numbers.randbytes(random_numbers.randrange(1, 9))
            else:
                other = random_numbers.choice(corpus)
                cut = random_numbers.randrange(len(other) + 1)
                data[at:] = other[cut:]
        yield bytes(data)


def check(data: bytes) -> str:
    """What one input gave: ``score``, or the start of the ReadError; anything else that is raised is a fault."""
    reading, told = fuzzing.read_or_told(lambda: midi.parse(data, max_notes=100_000))
    if reading is not None:
        kept = midi.keep(reading.score)
        assert kept == reading.score, "what was read is not what a MIDI file keeps"
        again = midi.parse(midi.dumps(reading.score))
        assert again.score == reading.score, "written and read back, it is another piece"
        assert not again.repairs, f"our own file had to be repaired: {again.repairs}"
    return told[:24] or "score"


def plain(seconds: float, seed: int, corpus: list[bytes]) -> collections.Counter[str]:
    """Run damaged inputs through `check` for so long; what each gave, counted."""
    return fuzzing.run(mutations(random.Random(seed), corpus), check, seconds, SLOW, "fuzz_midi_fault.mid")


def guided(seconds: float, seed: int, corpus: list[bytes]) -> None:
    """The same under atheris, which looks for inputs that reach new lines; it prints how many ran."""
    import tempfile

    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    atheris.instrument_all()
    folder = Path(tempfile.mkdtemp(prefix="fuzz-midi-"))
    for i, data in enumerate(corpus):
        (folder / f"{i}.mid").write_bytes(data)
    atheris.Setup([sys.argv[0], f"-max_total_time={int(seconds)}", f"-seed={seed}", "-timeout=20", "-max_len=4096",
                   "-print_final_stats=1", str(folder)], lambda data: check(data) and None)
    atheris.Fuzz()


def _native_child(read: str, todo: multiprocessing.connection.Connection) -> None:
    readers: dict[str, Callable[[bytes], object]] = {"guarded": parse_fast}
    if read == "bare":
        import symusic

        readers["bare"] = symusic.Score.from_midi
    while True:
        data = todo.recv_bytes()
        try:
            readers[read](data)
            todo.send("read")
        except (ReadError, RuntimeError, ValueError) as error:
            todo.send(type(error).__name__)
        except MemoryError:
            todo.send("MemoryError")


def native(read: str, seconds: float, seed: int, corpus: list[bytes]) -> collections.Counter[str]:
    """Run symusic, ``bare`` or ``guarded`` as `parse_fast` calls it, in a child; its deaths and hangs are counted."""
    found: collections.Counter[str] = collections.Counter()
    context = multiprocessing.get_context("spawn")
    child, ours = None, None
    stop = time.monotonic() + seconds
    for data in mutations(random.Random(seed), corpus):
        if child is None or not child.is_alive():
            ours, theirs = context.Pipe()
            child = context.Process(target=_native_child, args=(read, theirs), daemon=True)
            child.start()
            theirs.close()
        assert ours is not None
        try:
            ours.send_bytes(data)
            if ours.poll(20):
                found[ours.recv()] += 1
            else:
                found["hung"] += 1
                child.kill()
                child.join()
                Path(f"fuzz_midi_{read}_hang.mid").write_bytes(data)
        except (EOFError, OSError):
            child.join()
            found[f"died with code {child.exitcode}"] += 1
            Path(f"fuzz_midi_{read}_death.mid").write_bytes(data)
        if time.monotonic() > stop:
            break
    if child is not None:
        child.kill()
    return found


def main(argv: list[str]) -> list[dict[str, Any]]:
    """Return a row for each reader: the faults among the damaged inputs that it was given."""
    careful, quick = plain(fuzzing.SECONDS, 0, seeds()), native("guarded", fuzzing.SECONDS, 0, seeds())
    faults = quick.total() - quick["read"] - quick["ReadError"]
    return [fuzzing.fuzz_row("damaged MIDI, careful reader", careful, careful["score"]),
            fuzzing.fuzz_row("damaged MIDI, quick reader", quick, quick["read"], faults)]


def by_hand() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=("auto", "atheris", "plain"), default="auto")
    parser.add_argument("--native", choices=("bare", "guarded"), help="fuzz symusic in child processes")
    parser.add_argument("--music", type=Path, help="a folder whose smallest MIDI files are damaged too")
    given = parser.parse_args()
    corpus = seeds()
    if given.music:
        files = sorted((p for p in given.music.rglob("*.mid")), key=lambda p: (p.stat().st_size, os.fspath(p)))
        corpus += [p.read_bytes() for p in files[:50]]
    if given.native:
        found = native(given.native, given.seconds, given.seed, corpus)
    else:
        if given.engine != "plain":
            try:
                guided(given.seconds, given.seed, corpus)
                return
            except ImportError:
                if given.engine == "atheris":
                    raise
        found = plain(given.seconds, given.seed, corpus)
    fuzzing.tell(found, given.seconds)


if __name__ == "__main__":
    by_hand()
