"""What every test shares: one thread a process, the example settings of hypothesis, and the music folders."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # read once, when numpy is loaded
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parent.parent

_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]}
settings.register_profile("default", max_examples=25, **_common)
settings.register_profile("ci", max_examples=25, derandomize=True, database=None, **_common)
settings.register_profile("deep", max_examples=2000, **_common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


def unpacked(archive: Path, cache: Path) -> Path:
    """Return the folder `cache`/NAME with the content of NAME.tar.xz, unpacked at most once, whole or not at all.

    Several processes may ask at a time: each unpacks beside, and the first to finish renames its copy into place.
    """
    name = archive.name.removesuffix(".tar.xz")
    done = cache / f"{name}-{archive.stat().st_size}"  # another archive of that name is another folder
    if not done.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=cache))
        try:
            with tarfile.open(archive) as tar:
                if hasattr(tarfile, "data_filter"):  # early releases of 3.11 have none
                    tar.extraction_filter = tarfile.data_filter
                tar.extractall(beside)
            try:
                beside.rename(done)
            except OSError:
                if not done.is_dir():
                    raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return done / name if (done / name).is_dir() else done


@pytest.fixture(scope="session")
def music() -> Callable[[str], Path]:
    """``music("pop909")`` is the folder of that set; the test is skipped, with the reason, where the set is absent.

    A set is looked for under the folder that PARTIMENTO_DATA names, then as an archive in ``shared/data`` beside
    the checkout, which is unpacked once into the folder for temporary files.
    """

    def find(name: str) -> Path:
        given = os.environ.get("PARTIMENTO_DATA")
        if given and Path(given, name).is_dir():
            return Path(given, name)
        archive = ROOT.parent / "shared" / "data" / name / f"{name}.tar.xz"
        if not archive.is_file():
            pytest.skip(f"no music set {name!r}: PARTIMENTO_DATA names no folder with it, and there is no {archive}")
        return unpacked(archive, Path(tempfile.gettempdir(), "partimento-data"))

    return find
