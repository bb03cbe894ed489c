"""Damaged files at the readers: every input must give a Score or one clear sentence, and neither a crash nor a hang.

    python checks/fuzz.py                      # 20,000 damaged MIDI files
    python checks/fuzz.py --count 1000000 --seed 7
    python checks/fuzz.py --seeds FOLDER       # damage these files too
    python checks/fuzz.py --atheris 600        # let atheris look for new paths for ten minutes, where it is installed

The reading is done in a process of its own, which notes each input before it reads it; an input that ends that process,
takes longer than ten seconds, or raises anything but a `PartimentoError` of one line is kept under fuzz/, and named.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

LIMIT_SECONDS = 10.0
MOST_FAULTS = 20  # then it stops: more of the same tell nothing new
LARGEST_SEED = 20_000  # bytes; the structure is in the small files, and the small ones are quick
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
PIECES = (b"MThd", b"MTrk", b"RIFF", b"\xff\x51\x03", b"\xff\x58\x04", b"\xff\x59\x02", b"\xff\x2f\x00",
          b"\xff\x21\x01", b"\xf0", b"\xf7", b"\xff\xff\xff\x7f", b"\x90\x3c\x40", b"\x80\x3c\x00", b"\xb0\x40\x7f",
          b"\xe0", b"\x00")  # fmt: skip
SUFFIXES = (".mid", ".midi", ".kar", ".rmi")


def made() -> list[bytes]:
    """Return small sound files to start from, written by hand: each type, odd divisions, running status, RIFF."""
    notes = bytes.fromhex("00ff03017800ff510307a12000ff58040302180800903c4078400083603c4000ff2f00")
    track = b"MTrk" + len(notes).to_bytes(4, "big") + notes
    files = []
    for kind, count, division in ((0, 1, 480), (1, 2, 96), (2, 2, 960), (1, 1, 0xE728), (1, 1, 1)):
        head = b"MThd" + (6).to_bytes(4, "big") + b"".join(n.to_bytes(2, "big") for n in (kind, count, division))
        files.append(head + track * count)
    body = b"RMIDdata" + len(files[0]).to_bytes(4, "little") + files[0]
    return [*files, b"RIFF" + len(body).to_bytes(4, "little") + body]


def damaged(seeds: list[bytes], rng: random.Random) -> bytes:
    """Return one of the seeds after a few kinds of damage; now and then, only random bytes."""
    if rng.random() < 0.02:
        return rng.randbytes(rng.choice((0, 1, 14, 100, 5000)))
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 2, 4, 16, 256)))
        match rng.randrange(8):
            case 0:
                data[at:end] = rng.randbytes(end - at)
            case 1 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 2:
                del data[at:end]
            case 3:
                del data[at:]
            case 4:
                data[at:at] = data[at:end] * rng.choice((1, 2, 50))
            case 5:
                data[at : at + 4] = rng.choice(NUMBERS).to_bytes(4, rng.choice(("big", "little")))
            case 6:
                data[at:at] = rng.choice(PIECES)
            case _:
                other = rng.choice(seeds)
                data[at:] = other[rng.randrange(len(other) + 1) :]
    return bytes(data)


def read_one(path: Path) -> str:
    """Return what reading the file came to: `score` or `error`; what else is raised is a fault."""
    from partimento import formats
    from partimento.errors import PartimentoError

    try:
        formats.read(path)
    except PartimentoError as error:
        if len(str(error).splitlines()) != 1:
            raise AssertionError(f"the error is not one line: {error}") from error
        return "error"
    return "score"


def child(folder: Path, seeds: list[bytes], seed: int, first: int, last: int) -> None:
    """Read the inputs of these numbers; the number and the outcome of each are printed as it goes."""
    faulthandler.enable()
    for number in range(first, last):
        path = folder / "input.mid"
        path.write_bytes(damaged(seeds, random.Random(f"{seed}/{number}")))
        print(number, end=" ", flush=True)
        faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)
        print(read_one(path), flush=True)
        faulthandler.cancel_dump_traceback_later()


def rounds(args: argparse.Namespace) -> Iterator[tuple[int, str, str]]:
    """Yield (number, outcome, what was said) of each input, going on after one that ended the process."""
    first = args.first
    with tempfile.TemporaryDirectory() as folder:
        while first < args.first + args.count:
            words = [sys.executable, __file__, "--child", folder, "--seed", str(args.seed), "--first", str(first),
                     "--count", str(args.first + args.count - first)]  # fmt: skip
            words += ["--seeds", str(args.seeds)] if args.seeds else []
            with tempfile.TemporaryFile() as said:
                with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=said, encoding="utf-8") as process:
                    for line in process.stdout or ():
                        number, _, outcome = line.strip().partition(" ")
                        if outcome:
                            first = int(number) + 1
                            yield int(number), outcome, ""
                if process.returncode == 0:
                    return
                said.seek(0)
                yield first, "fault", said.read().decode("utf-8", "replace")
                first += 1


def guided(seconds: int, folder: Path, seeds: list[bytes]) -> int:
    """Let atheris search for `seconds`; return its exit code."""
    import atheris

    with atheris.instrument_imports(include=["partimento"]):
        from partimento import formats  # noqa: F401
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(data)
    path = folder / "input.mid"

    def test(data: bytes) -> None:
        path.write_bytes(data)
        read_one(path)

    atheris.Setup([sys.argv[0], str(corpus), f"-max_total_time={seconds}", f"-artifact_prefix={folder}/",
                   f"-timeout={LIMIT_SECONDS:.0f}", "-rss_limit_mb=4096", "-print_final_stats=1"], test)  # fmt: skip
    atheris.Fuzz()
    return 0


def main() -> int:
    """Read damaged files; print how many ran and what they came to; return 1 where one is a fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000, help="how many inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first input, to see one again")
    parser.add_argument("--seeds", type=Path, help="a folder of files to damage, beside those made here")
    parser.add_argument("--keep", type=Path, default=Path("fuzz"), help="the folder for what is a fault")
    parser.add_argument("--atheris", type=int, metavar="SECONDS")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    seeds = made()
    if args.seeds:
        files = sorted(path for path in args.seeds.rglob("*") if path.suffix.lower() in SUFFIXES)
        seeds += [path.read_bytes() for path in files if 0 < path.stat().st_size <= LARGEST_SEED]
    if args.child:
        child(args.child, seeds, args.seed, args.first, args.first + args.count)
        return 0
    if args.atheris:
        return guided(args.atheris, args.keep, seeds)
    start = time.perf_counter()
    outcomes: Counter[str] = Counter()
    for number, outcome, said in rounds(args):
        outcomes[outcome] += 1
        if outcome == "fault":
            args.keep.mkdir(parents=True, exist_ok=True)
            path = args.keep / f"{args.seed}-{number}.mid"
            path.write_bytes(damaged(seeds, random.Random(f"{args.seed}/{number}")))
            print(f"{path}\n{said}", flush=True)
            if outcomes["fault"] == MOST_FAULTS:
                break
    print(f"{outcomes.total()} inputs in {time.perf_counter() - start:.0f} s from {len(seeds)} files: "
          f"{outcomes['score']} scores, {outcomes['error']} clear errors, {outcomes['fault']} faults")
    return 1 if outcomes["fault"] else 0


if __name__ == "__main__":
    sys.exit(main())
