"""Cold starts: what a person waits for the first piece, whole processes on one core, median of several.

    python bench/startup.py
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import Any

COMMANDS: tuple[tuple[str, list[str], float], ...] = (
    ("import partimento", ["-c", "import partimento"], 0.3),
    ("compose --bars 16", ["-m", "partimento", "compose", "--bars", "16", "--seed", "1", "--quiet"], 2.0),
    ("compose --bars 16 -n 4, with page and sound",
     ["-m", "partimento", "compose", "--bars", "16", "-n", "4", "--seed", "1", "--quiet"], 8.0),
    ("compose --bars 16 --format mid",
     ["-m", "partimento", "compose", "--bars", "16", "--seed", "1", "--quiet", "--format", "mid"], 2.0),
)


def seconds(arguments: list[str], repeats: int) -> float:
    """Median wall seconds of a Python process, the first run not counted."""
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(repeats + 1):
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True)
            if turn:
                taken.append(time.perf_counter() - start)
    return median(taken)


def main(argv: list[str]) -> list[dict[str, Any]]:
    repeats = int(argv[0]) if argv else 5
    empty = seconds(["-c", "pass"], repeats)
    rows = []
    for name, arguments, target in COMMANDS:
        ours = seconds(arguments, repeats)
        ours -= empty if name.startswith("import") else 0.0
        rows.append({"name": name, "ours": round(ours, 3), "peer": round(empty, 3), "ratio": None,
                     "target": f"<= {target:g} s", "unit": "s", "n": repeats,
                     "note": "wall, whole process; beside it an empty Python" if not name.startswith("import")
                     else "beyond an empty Python"})
    return rows


if __name__ == "__main__":
    for row in main(sys.argv[1:]):
        print(json.dumps(row))
