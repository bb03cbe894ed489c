"""The examples do what they say, from a shell, in an empty folder."""

from __future__ import annotations

import doctest
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from partimento.formats import read

ROOT = Path(__file__).resolve().parents[2]
ARTICLE = ROOT / "examples" / "article.py"


def run(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    return subprocess.run([sys.executable, str(ARTICLE), *words], cwd=place, capture_output=True, encoding="utf-8",
                          env={**os.environ, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"}, check=False)


def test_what_the_article_measures() -> None:
    names = runpy.run_path(str(ARTICLE))
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
    for name in ("repeats", "echoes"):
        (test,) = finder.find(names[name], name, globs=names)
        assert runner.run(test) == doctest.TestResults(failed=0, attempted=1)


def test_the_article_refuses_a_folder_without_music_in_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path, str(tmp_path))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_the_article_goes_through_its_five_steps(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    done = run(tmp_path, "--seconds", "30")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "article.mid"
    found = re.search(r"bits a note on unseen pieces: ([\d.]+) \(random notes: ([\d.]+)\)", done.stdout)
    assert found
    assert float(found[1]) < float(found[2]) / 2
    assert re.search(r"immediate repeats( +\d+%){3}", done.stdout)
    piece = read(tmp_path / "article.mid")
    assert piece.n_bars == 16
    assert len(piece) > 16
    assert sorted(path.name for path in tmp_path.iterdir()) == ["article.mid", "article.provenance.json"]
