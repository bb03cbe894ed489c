"""The README does what it says: its marked blocks run, and every command in it exists with every option shown.

A fenced block is run when the line above it is ``<!-- run -->``; the blocks of a page run in order, in one empty folder
that is also the home folder. ``<!-- run`` alone on a line opens commands that a reader does not see, up to ``-->``.

* ``python``: the blocks share their names; ``pycon``: a doctest, in which ``...`` stands for anything.
* ``sh``, ``bash`` or no language: each line is a ``partimento`` command; those of pip and make are left out.
* ``console``: each line after ``$`` is one, and the lines under it are what it prints; ``...`` is anything there too.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTIMENTO = [sys.executable, "-m", "partimento"]
GROUPS = {"data", "registry", "provenance"}
SHELLS = ("", "sh", "bash", "console")
LEFT_OUT = ("pip", "make", "cd", "git")
MARK = "<!-- run"


class Block(NamedTuple):
    """One fenced block: its language, its text, the line it stands on, and whether it is to be run."""

    language: str
    text: str
    line: int
    run: bool


class Command(NamedTuple):
    """One command line and what it should print (None: not said)."""

    words: list[str]
    printed: str | None


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page and its hidden commands, in order."""
    found = []
    lines = iter(enumerate(page.splitlines(), 1))
    before = ""
    for number, line in lines:
        fence = re.match(r"(```+|~~~+)\s*(\w*)", line)
        if fence:
            inside = []
            for _, text in lines:
                if text.strip() == fence[1]:
                    break
                inside.append(text)
            found.append(Block(fence[2], "\n".join(inside), number, before == f"{MARK} -->"))
        elif line.strip() == MARK:
            inside = []
            for _, text in lines:
                if text.strip() == "-->":
                    break
                inside.append(text)
            found.append(Block("sh", "\n".join(inside), number, True))
        before = line.strip() or before  # an empty line between the mark and its block is allowed
    return found


def commands(block: Block) -> list[Command]:
    """The command lines of a shell block; a backslash joins two lines, and a comment is left out."""
    found: list[Command] = []
    for line in block.text.replace("\\\n", " ").splitlines():
        is_command = line.startswith("$ ") if block.language == "console" else bool(line.strip())
        if is_command:
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words and words[0] not in LEFT_OUT:
                found.append(Command(words, None))
        elif found and block.language == "console":
            last = found.pop()
            found.append(Command(last.words, f"{last.printed or ''}{line}\n"))
    return found


def same(wanted: str, got: str) -> bool:
    """Whether `got` is `wanted`, where ``...`` stands for anything and spaces and line ends do not count."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(wanted.strip() + "\n", got.strip() + "\n", flags)


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in `folder`, which is its home too, and give back what it printed."""
    home = {"HOME": str(folder), "USERPROFILE": str(folder), "PYTHONIOENCODING": "utf-8", "COLUMNS": "200"}
    paths = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    return subprocess.run(words, cwd=folder, env={**os.environ, **home, "PYTHONPATH": paths}, text=True, timeout=300,
                          stdin=subprocess.DEVNULL, capture_output=True, check=False, encoding="utf-8")  # fmt: skip


def run_page(page: str, name: str, folder: Path) -> int:
    """Run the marked blocks of a page in `folder`; return how many there were. A block that fails is an assertion."""
    count = 0
    code = ""  # the Python blocks so far: each new one runs after them, in a process of its own
    for block in blocks(page):
        if not block.run:
            continue
        count += 1
        where = f"{name}:{block.line}"
        if block.language in SHELLS:
            for command in commands(block):
                assert command.words[0] == "partimento", f"{where}: not a partimento command: {command.words}"
                words = [word.replace("~", str(folder), 1) if word.startswith("~/") else word for word in command.words]
                done = run([*PARTIMENTO, *words[1:]], folder)
                shown = shlex.join(command.words)
                assert done.returncode == 0, f"{where}: {shown}\n{done.stdout}{done.stderr}"
                if command.printed is not None:
                    assert same(command.printed, done.stdout), f"{where}: {shown}\nprinted:\n{done.stdout}"
        elif block.language == "python":
            code += block.text + "\n"
            done = run([sys.executable, "-c", code], folder)
            assert done.returncode == 0, f"{where}:\n{done.stderr}"
        elif block.language == "pycon":
            file = folder / f"block-{block.line}.txt"
            file.write_text(block.text + "\n", encoding="utf-8")
            done = run([sys.executable, "-m", "doctest", "-o", "ELLIPSIS", file.name], folder)
            file.unlink()
            assert done.returncode == 0, f"{where}:\n{done.stdout}{done.stderr}"
        else:
            pytest.fail(f"{where}: a block marked to run is of no language that runs: {block.language!r}")
    return count


PAGES = [ROOT / "README.md", *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name != "design.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_marked_blocks_run(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    count = run_page(text, page.name, tmp_path)
    assert count == len(re.findall(rf"^\s*{MARK}( -->)?\s*$", text, re.MULTILINE)), "a mark stands above no block"
    assert count or page.name != "README.md", "the README has no block marked to run"


@cache
def options(*verb: str) -> set[str] | None:
    """The options that a verb's own help shows, or that of a verb of a group; None where there is no such verb."""
    done = run([*PARTIMENTO, *verb, "--help"], ROOT)
    return set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", done.stdout)) if done.returncode == 0 else None


def said(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield where each ``partimento`` command of a page stands, and its words."""
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language in SHELLS:
            for command in commands(block):
                if command.words[0] == "partimento" and len(command.words) > 1:
                    yield f"{page.name}:{block.line}", command.words[1:]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_shown_exists(page: Path) -> None:
    faults = []
    for where, (verb, *words) in said(page):
        if verb.startswith("-"):
            continue
        known = options(verb, *(words[:1] if verb in GROUPS else ()))
        if known is None:
            faults.append(f"{where}: there is no command {verb!r}")
            continue
        shown = [word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)]
        faults += [f"{where}: {verb} has no option {word}" for word in shown if word not in known]
    assert not faults, "\n".join(faults)


EXAMPLE = """
<!-- run
partimento --version
-->
```sh
pip install partimento  # not run
partimento nonsense
```
<!-- run -->

```console
$ partimento compose \\
    --bars 4  # four
out/a.mid
...
$ partimento models
```
<!-- run -->
```python
x = 1
```
"""


def test_the_page_is_read_as_it_is_written(tmp_path: Path) -> None:
    found = blocks(EXAMPLE)
    assert [(block.language, block.run) for block in found] == [
        ("sh", True), ("sh", False), ("console", True), ("python", True),
    ]  # fmt: skip
    assert commands(found[1]) == [Command(["partimento", "nonsense"], None)]
    assert commands(found[2]) == [
        Command(["partimento", "compose", "--bars", "4"], "out/a.mid\n...\n"),
        Command(["partimento", "models"], None),
    ]
    assert same("wrote ... pieces\n", "wrote  4 pieces")
    assert not same("wrote 4 pieces", "wrote 5 pieces")
    good = "<!-- run -->\n```python\nx = 1\n```\n<!-- run -->\n```python\nassert x == 1\n```\n"
    assert run_page(good, "page", tmp_path) == 2
    with pytest.raises(AssertionError, match="page:6"):
        run_page(good.replace("assert x == 1", "assert x == 2"), "page", tmp_path)
    assert run_page("<!-- run -->\n```pycon\n>>> 1 + 1\n2\n```", "page", tmp_path) == 1
    with pytest.raises(AssertionError, match="page:2"):
        run_page("<!-- run -->\n```pycon\n>>> 1 + 1\n3\n```", "page", tmp_path)
