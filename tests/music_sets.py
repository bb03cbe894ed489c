"""The sets of music that tests and benches run on: where they are, and how an archive of one is unpacked once."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from pathlib import Path

ARCHIVES = Path(__file__).resolve().parents[2] / "shared" / "data"


def find(name: str) -> Path:
    """Return the folder of the set `name`; LookupError, with the reason, where it is absent.

    A set is looked for in the folder that PARTIMENTO_DATA names, then as an archive in ``shared/data`` beside the
    checkout, which is unpacked once into the folder for temporary files.
    """
    given = os.environ.get("PARTIMENTO_DATA")
    if given and Path(given, name).is_dir():
        return Path(given, name)
    archive = ARCHIVES / name / f"{name}.tar.xz"
    if not archive.is_file():
        raise LookupError(f"no music set {name!r}: PARTIMENTO_DATA names no folder with it, and there is no {archive}")
    return unpacked(archive, Path(tempfile.gettempdir(), "partimento-data"))


def unpacked(archive: Path, cache: Path) -> Path:
    """Return the folder with the content of NAME.tar.xz, unpacked in `cache` at most once, whole or not at all.

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
