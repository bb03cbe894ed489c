"""How large the base install is, from the wheel of this checkout in an environment of its own.

    python bench/run.py size
"""

from __future__ import annotations

import runpy
import subprocess
import tempfile
from pathlib import Path

from peers import Missing, Row, show

CHECK = Path(__file__).resolve().parents[1] / "checks" / "size.py"


def main(argv: list[str]) -> list[Row]:
    """Return the row of the installed size; `Missing` where the wheel cannot be built or installed here."""
    check = runpy.run_path(str(CHECK))
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = check["sizes"](check["installed"](Path(folder)))
        except subprocess.CalledProcessError as fault:
            raise Missing(f"the wheel cannot be installed here ({fault})") from fault
    largest = ", ".join(f"{name} {size / 1e6:.0f}" for name, size in found.most_common(4))
    return [{"name": "base install", "ours": found.total() / 1e6, "peer": None, "ratio": None,
             "target": f"<= {check['MAX_MB']} MB", "unit": "MB", "n": len(found),
             "note": f"largest of its {len(found)} packages: {largest}"}]


if __name__ == "__main__":
    show(main)
