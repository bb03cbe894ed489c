"""What the benches of damaged files share: the run, what one input gave, the row, and the words for a person."""

from __future__ import annotations

import collections
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from partimento.errors import ReadError

SECONDS = 30.0                          # that a bench runs
Read = TypeVar("Read")


def read_or_told(read: Callable[[], Read]) -> tuple[Read | None, str]:
    """Return what was read and no words, or None and the ReadError; one of more than a line is a fault."""
    try:
        return read(), ""
    except ReadError as error:
        if "\n" in str(error) or len(str(error)) > 500:
            raise AssertionError(f"an error of more than one line: {error}") from error
        return None, str(error)


def run(inputs: Iterable[bytes], check: Callable[[bytes], str], seconds: float, slow: float,
        fault: str) -> collections.Counter[str]:
    """Run damaged inputs through `check` for so long; what each gave, counted.

    An input for which it raises, or takes more than `slow` seconds, is written to the file `fault`, and ends the run.
    """
    found: collections.Counter[str] = collections.Counter()
    stop = time.monotonic() + seconds
    for data in inputs:
        begun = time.monotonic()
        try:
            found[check(data)] += 1
            took = time.monotonic() - begun
            assert took < slow, f"it took {took:.1f} s"
        except Exception:
            Path(fault).write_bytes(data)
            print(f"the input is in {fault}", file=sys.stderr)
            raise
        if time.monotonic() > stop:
            break
    return found


def fuzz_row(name: str, found: collections.Counter[str], sound: int, faults: int = 0, how: str = "") -> dict[str, Any]:
    """Return the row of a bench: how many inputs ran, how many of them were music, and the faults."""
    return {"name": name, "ours": faults, "peer": None, "ratio": None, "target": "<= 0 faults", "unit": "faults",
            "n": found.total(),
            "note": f"inputs in {SECONDS:.0f} s; {sound:,} were music{how}, the rest one clear error"}


def tell(found: collections.Counter[str], seconds: float, what: str = "") -> None:
    """Print how many inputs ran in so long, and what they gave, the most frequent first."""
    print(f"{what}{found.total():,} inputs in {seconds:.0f} s")
    for name, count in found.most_common(20):
        print(f"  {count:>9,}  {name}")
