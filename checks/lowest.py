"""Whether the tests pass with the oldest release of every requirement that pyproject.toml admits.

    python checks/lowest.py [pytest options]

Makes an environment of its own outside the checkout, installs each requirement of the base install at its lower bound,
with the newest test tools, and runs the tests there. PyTorch, which only training takes, is left out, so this is also
the base install put to every test that needs none. The exit code is that of the tests.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

from size import environment_python
from wheels import lowest

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Install, run the tests, and return their exit code."""
    base = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    with tempfile.TemporaryDirectory() as folder:
        venv.create(Path(folder, "env"), with_pip=True)
        python = str(environment_python(Path(folder)))
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        pinned = [lowest(requirement) for requirement in base]
        print("with " + ", ".join(pinned), flush=True)
        subprocess.run([*pip, "--editable", f"{ROOT}[dev]", *pinned], check=True)
        return subprocess.run([python, "-m", "pytest", "-n", "auto", *sys.argv[1:]], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
