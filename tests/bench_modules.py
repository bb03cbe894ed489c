"""The modules of bench/ for tests: what the benches throw at the readers is thrown in small numbers here too."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parents[1] / "bench"


def bench(name: str) -> ModuleType:
    """Return a module of bench/ by its name."""
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    return importlib.import_module(name)
