"""What every test shares: one thread a process, the example settings of hypothesis, and the music folders."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import music_sets
import pytest
from hypothesis import HealthCheck, settings

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # read once, when numpy is loaded
    os.environ.setdefault(_name, "1")

_slow_is_fine = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
_default = settings(max_examples=25, deadline=None, suppress_health_check=_slow_is_fine)
settings.register_profile("default", _default)
settings.register_profile("ci", _default, derandomize=True, database=None)
settings.register_profile("deep", _default, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))

_no_torch = importlib.util.find_spec("torch") is None
collect_ignore = ["unit/test_keep.py", "unit/test_loop.py"] if _no_torch else []


def pytest_report_header() -> str | None:
    """Say what is left out."""
    return "without torch the tests of training are left out: pip install partimento[train]" if _no_torch else None


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Read Scores are kept in a folder of this run, never in the user's."""
    os.environ["PARTIMENTO_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def music() -> Callable[[str], Path]:
    """``music("pop909")`` is the folder of that set; the test is skipped, with the reason, where the set is absent."""

    def find(name: str) -> Path:
        try:
            return music_sets.find(name)
        except LookupError as absent:
            pytest.skip(str(absent))

    return find
