"""Whether the base install resolves to wheels on every system and Python that partimento supports.

For each system and Python version, asks pip for the newest wheel of every requirement, reads that wheel's own
requirements as that system would, and goes on until nothing new is asked for. Nothing is built and nothing installed.
The extras are not looked at: PyTorch has wheels for fewer systems.

    python checks/wheels.py                    # all sixteen
    python checks/wheels.py --python 3.14      # one Python
    python checks/wheels.py --lowest           # does the oldest release that pyproject.toml admits have a wheel?

Prints one row a package; the exit code is 1 where a wheel is missing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    # name: (wheel tags it takes, what requirement markers see there)
    "Windows": (
        ("win_amd64",),
        {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
    ),
    "macOS arm64": (
        ("macosx_12_0_arm64", "macosx_12_0_universal2"),
        {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
    ),
    **{
        f"Linux {arch}": (
            (*(f"manylinux_2_{minor}_{arch}" for minor in range(28, 16, -1)), f"manylinux2014_{arch}"),
            {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": arch},
        )
        for arch in ("aarch64", "x86_64")
    },
}


class Wheel(NamedTuple):
    """What pip would take: the release, the file's name, and what that release asks for in turn."""

    version: str
    file: str
    requires: list[str]

    @property
    def pure(self) -> bool:
        """Whether the wheel is for any system, so that it carries no compiled code."""
        return self.file.endswith("-none-any.whl")


def pip_report(wanted: list[str], system: str, python: str) -> dict[str, Wheel] | None:
    """Return the wheel of each of `wanted`, by name, or None where pip finds none for one of them."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps",
                   "--only-binary=:all:", "--implementation", "cp", "--python-version", python,
                   "--target", folder, "--report", str(report)]  # fmt: skip
        command += [word for tag in SYSTEMS[system][0] for word in ("--platform", tag)]
        if subprocess.run([*command, *wanted], capture_output=True, check=False).returncode:
            return None
        found: dict[str, Wheel] = {}
        for item in json.loads(report.read_text(encoding="utf-8"))["install"]:
            meta = item["metadata"]
            file = item["download_info"]["url"].rsplit("/", 1)[-1]
            wheel = Wheel(meta["version"], file, meta.get("requires_dist", []))
            found[canonicalize_name(meta["name"])] = wheel
        return found


def closure(base: list[str], system: str, python: str) -> dict[str, Wheel | None]:
    """Return the wheel of every package that `base` leads to there; None stands where there is no wheel."""
    seen = {"python_version": python, "python_full_version": f"{python}.0", "implementation_name": "cpython",
            "platform_python_implementation": "CPython", "extra": "", **SYSTEMS[system][1]}  # fmt: skip
    wheels: dict[str, Wheel | None] = {}
    frontier = base
    while frontier:
        asked = [Requirement(text) for text in frontier]
        new = {f"{canonicalize_name(r.name)}{r.specifier}": r for r in asked if not r.marker or r.marker.evaluate(seen)}
        words = sorted(word for word, r in new.items() if canonicalize_name(r.name) not in wheels)
        if not words:
            break
        found = pip_report(words, system, python)
        if found is None:  # ask one at a time, to name the one that is missing
            found = {}
            for word in words:
                found |= pip_report([word], system, python) or {}
        for word in words:
            name = canonicalize_name(new[word].name)
            wheels[name] = found.get(name)
        frontier = [text for wheel in found.values() for text in wheel.requires]
    return wheels


def lowest(requirement: str) -> str:
    """Return the requirement pinned to its lower bound.

    >>> lowest("numpy>=1.26")
    'numpy==1.26'
    """
    return requirement.replace(">=", "==")


def main() -> int:
    """Print the table; return 1 where a wheel is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--python", choices=PYTHONS, action="append", help="only this Python (may be repeated)")
    parser.add_argument("--system", choices=tuple(SYSTEMS), action="append", help="only this system (may be repeated)")
    parser.add_argument("--lowest", action="store_true", help="ask for each lower bound itself, on the oldest Python")
    args = parser.parse_args()
    base = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    pythons = args.python or (PYTHONS[:1] if args.lowest else PYTHONS)
    if args.lowest:
        base = [lowest(requirement) for requirement in base]
    targets = [(system, python) for system in args.system or SYSTEMS for python in pythons]
    with ThreadPoolExecutor(4) as pool:
        tables = dict(zip(targets, pool.map(lambda target: closure(base, *target), targets), strict=True))
    missing = 0
    for name in sorted({name for table in tables.values() for name in table}):
        here = {target: table[name] for target, table in tables.items() if name in table}
        versions = sorted({wheel.version for wheel in here.values() if wheel})
        # A wheel for any system, where other systems have one of their own, comes without the library it stands on.
        native = any(wheel and not wheel.pure for wheel in here.values())
        lacking = [" ".join(target) for target, wheel in here.items() if wheel is None or (native and wheel.pure)]
        missing += len(lacking)
        where = "everywhere" if len(here) == len(targets) else f"asked for on {len(here)} of {len(targets)}"
        print(f"{name:22} {', '.join(versions) or '-':24} {'NO WHEEL: ' + '; '.join(lacking) if lacking else where}")
    print(f"{len(targets)} targets, {missing} wheels missing")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
