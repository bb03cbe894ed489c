"""The house's own tools: the bench runner keeps what it should, and an archive of music is unpacked whole."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import music_sets

ROOT = Path(__file__).resolve().parents[2]

BENCH = """
from peers import peer, side_by_side

def main(argv):
    rows = [{"name": "steady", "ours": 1.0, "peer": 4.0, "ratio": 4.0, "target": 2.0, "unit": "s", "n": 5, "note": ""}]
    if GONE:
        return [*rows, {"name": "other", "skipped": "no peer"}]
    return [*rows, {"name": "other", "ours": 2}]
"""
TABLE = """
def rows():
    return ["order 1/2", "order 2"]

def row(name):
    if GONE and name == "order 2":
        raise ValueError("planted")
    return {"nats": 0.6125, "counted": True}
"""


def python(script: Path, *words: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    return subprocess.run([sys.executable, str(script), *words], cwd=script.parent.parent, capture_output=True,
                          env={**os.environ, "PYTHONPATH": paths}, encoding="utf-8", check=False)  # fmt: skip


def test_a_bench_keeps_old_rows_and_says_what_was_skipped(tmp_path: Path) -> None:
    bench = tmp_path / "bench"
    (bench / "tables").mkdir(parents=True)
    for name in ("run.py", "peers.py"):
        shutil.copy(ROOT / "bench" / name, bench)
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "music_sets.py", tmp_path / "tests")
    (bench / "needy.py").write_text("from peers import peer\ndef main(argv): peer('nonesuch')\n", encoding="utf-8")
    for gone in (False, True):  # the second run lacks a peer, and what it gave before stays
        (bench / "timing.py").write_text(BENCH.replace("GONE", str(gone)), encoding="utf-8")
        done = python(bench / "run.py")
        assert done.returncode == 0, done.stderr
        assert "needy: skipped: no nonesuch here" in done.stdout
        assert ("other: skipped: no peer" in done.stdout) is gone
        record = json.loads((bench / "results" / "timing.json").read_text(encoding="utf-8"))
        assert [row["name"] for row in record["rows"]] == ["steady", "other"]
        assert record["rows"][1]["ours"] == 2
        assert str(tmp_path) not in json.dumps(record)
    page = (bench / "RESULTS.md").read_text(encoding="utf-8")
    assert "| steady | 1 | 4 | 4 | 2 | s | 5 |" in page
    assert not (bench / "results" / "needy.json").exists()

    (bench / "tables" / "orders.py").write_text(TABLE.replace("GONE", "True"), encoding="utf-8")
    done = python(bench / "run.py", "--tables")
    assert done.returncode == 1
    assert "planted" in done.stderr
    (bench / "tables" / "orders.py").write_text(TABLE.replace("GONE", "False"), encoding="utf-8")
    done = python(bench / "run.py", "--tables")
    assert "order 1/2" not in done.stdout  # it has its result
    assert "order 2: took" in done.stdout
    assert "| order 1/2 | 0.613 | yes |" in (bench / "RESULTS.md").read_text(encoding="utf-8")
    done = python(bench / "run.py", "timings")
    assert done.returncode == 1
    assert done.stderr.strip() == "no bench named 'timings'; known: needy, timing"


def test_an_archive_is_unpacked_whole_and_once(tmp_path: Path) -> None:
    song = tmp_path / "song.mid"
    song.write_bytes(random.Random(0).randbytes(1000))
    archive = tmp_path / "few.tar.xz"
    with tarfile.open(archive, "w:xz") as tar:
        for number in range(20):
            tar.add(song, f"few/{number}.mid")
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: music_sets.unpacked(archive, tmp_path / "cache"), range(8)))
    assert len(set(folders)) == 1
    assert len(list(folders[0].iterdir())) == 20
    assert len(list((tmp_path / "cache").iterdir())) == 1
    song.unlink()
    archive.write_bytes(archive.read_bytes()[:600])  # cut inside its songs: nothing half-unpacked is left
    try:
        music_sets.unpacked(archive, tmp_path / "cache")
    except (EOFError, OSError, tarfile.TarError):
        assert len(list((tmp_path / "cache").iterdir())) == 1
    else:
        raise AssertionError("a truncated archive was taken for a whole one")
