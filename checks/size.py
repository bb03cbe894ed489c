"""How large the base install is and how fast it starts, measured on the built wheel in an environment of its own.

    python checks/size.py

Builds the wheel of this checkout, installs it outside the checkout with nothing but what it requires, and prints what
each package takes up, the time of ``import partimento`` and of ``partimento --version``, each in fresh processes. The
exit code is 1 where the install is over 150 MB, the import over 0.3 s, or a package is there that never may be.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from importlib.metadata import distributions
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
MAX_MB = 150
MAX_IMPORT_SECONDS = 0.3
NEVER = {"torch", "scipy", "matplotlib"}
RUNS = 9


def installed(folder: Path) -> Path:
    """Return the folder of the packages, after the wheel was built and installed into a new environment in `folder`."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("partimento-*.whl")
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.2f} MB")
    venv.create(folder / "env", with_pip=False)
    subprocess.run([*pip, "--python", str(environment_python(folder)), "install", str(wheel)], check=True)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    shown = subprocess.run([str(environment_python(folder)), "-c", code], capture_output=True, text=True, check=True)
    return Path(shown.stdout.strip())


def environment_python(folder: Path) -> Path:
    """Return the interpreter of the new environment."""
    return folder / "env" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def sizes(site: Path) -> Counter[str]:
    """Return the bytes on the disk of each package in `site`."""
    found: Counter[str] = Counter()
    for package in distributions(path=[str(site)]):
        for file in package.files or ():
            path = Path(str(file.locate()))
            if path.is_file():
                found[package.name] += path.stat().st_size
    return found


def seconds(words: list[str], folder: Path) -> float:
    """Return the median wall time of a command in fresh processes, after one run that warms the disk up."""
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return median(times[1:])


def main() -> int:
    """Print the measures; return 1 where one is over its limit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = sizes(installed(folder))
        for package, size in found.most_common():
            print(f"{package:22} {size / 1e6:8.2f} MB")
        total = found.total() / 1e6
        print(f"{'base install':22} {total:8.2f} MB (at most {MAX_MB})")
        run = [str(environment_python(folder)), "-c"]
        bare = seconds([*run, "pass"], folder)
        loaded = seconds([*run, "import partimento"], folder)
        shown = seconds([str(environment_python(folder).with_name("partimento")), "--version"], folder)
        print(f"{'import partimento':22} {loaded - bare:8.3f} s (at most {MAX_IMPORT_SECONDS}) after Python's start")
        print(f"{'partimento --version':22} {shown:8.3f} s, Python's start of {bare:.3f} s included")
        wrong = sorted(NEVER & {package.lower() for package in found})
        if wrong:
            print(f"never in the base install: {', '.join(wrong)}")
    return 1 if wrong or total > MAX_MB or loaded - bare > MAX_IMPORT_SECONDS else 0


if __name__ == "__main__":
    sys.exit(main())
