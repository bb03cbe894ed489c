"""The rules of the house, read from its source: who imports whom, how long a module is, what never stands in one."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import partimento

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
MAX_LINES = 500

# A room imports only from rooms before it. `models` stands for every family.
ORDER = (
    "errors", "settings", "workers", "score", "packing", "theory", "forms", "features", "tokens", "notation", "formats",
    "fingerprint", "controls", "request", "sampling", "counting", "models.base", "data", "checkpoint", "habits",
    "events", "network", "attention", "nets", "neural", "models", "judge", "frame", "formed", "performance",
    "generate", "repair", "training", "provenance", "forgetting", "testing", "render", "verbs", "output",
    "evaluating", "explaining", "inspecting", "conversion", "about", "progress", "cli", "service", "studio", "__main__",
)  # fmt: skip
# Always called with the name of their module before them: midi.read, ledger.write, abc_read.parse.
QUALIFIED = {"read", "write", "load", "save", "keep", "stream", "pack", "unpack", "parse", "dumps"}
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def modules() -> dict[str, ast.Module]:
    """Every module of the package by its dotted name without ``partimento.``; the package itself is the empty name."""
    found = {}
    for path in sorted((SRC / "partimento").rglob("*.py")):
        name = ".".join(path.relative_to(SRC / "partimento").with_suffix("").parts).removesuffix("__init__").strip(".")
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def room(module: str) -> str:
    """The room a module is in: its first name, but each family is a room of its own, and so is their contract."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "models" else parts[0]


def rank(name: str) -> int:
    """The place of a room in the order; -1 where it has none."""
    name = name if name == "models.base" else name.split(".")[0]
    return ORDER.index(name) if name in ORDER else -1


def imported(module: str, tree: ast.Module, known: set[str], package: bool = False) -> Iterator[tuple[int, str]]:
    """Yield (line, module) for each import of a module of the house, wherever in `tree` it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = f"partimento.{module}".split(".")
                base = ".".join([*here[: len(here) - node.level + package], *filter(None, [base])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            top, _, inner = name.partition(".")
            if top != "partimento":
                continue
            while inner and inner not in known and inner != "__version__":  # from a module, a name in it
                inner = inner.rpartition(".")[0]
            yield node.lineno, inner


def import_faults(module: str, tree: ast.Module, known: set[str], package: bool = False) -> list[str]:
    """What is wrong with the imports of one module, a sentence each."""
    here = room(module)
    if rank(here) < 0:
        return [f"{module}: the room {here!r} has no place in the order of the house; give it one in ORDER"]
    faults = []
    for line, other in imported(module, tree, known, package):
        where = f"{module}:{line} imports {'partimento.' + other if other else 'partimento itself'}"
        if other == "__version__" or room(other) == here:
            continue
        if not other:
            faults.append(f"{where}, which comes after every room; import from the room that has the name")
        elif here.startswith("models.") and room(other).startswith("models.") and room(other) != "models.base":
            faults.append(f"{where}: a family never imports another family")
        elif rank(room(other)) >= rank(here):
            faults.append(f"{where}, which comes after {here} in the house")
    return faults


def test_a_room_imports_only_from_rooms_before_it() -> None:
    trees = modules()
    packages = {path.parent.name for path in (SRC / "partimento").rglob("__init__.py")}
    faults = [
        fault
        for name, tree in trees.items()
        if name
        for fault in import_faults(name, tree, set(trees), package=name.split(".")[-1] in packages)
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("module", "line", "caught"),
    [
        ("score", "from partimento.errors import ReadError", False),
        ("score", "from partimento import errors", False),
        ("score", "from partimento import __version__", False),
        ("score", "from partimento import Score", True),
        ("score", "import partimento", True),
        ("score", "def f():\n    import partimento.cli", True),
        ("score", "from partimento.cli import main", True),
        ("generate", "from partimento.render import audio", True),
        ("render.audio", "from partimento.render.png import write_png", False),
        ("render.audio", "from . import png", False),
        ("models.markov", "from partimento.models.base import Model", False),
        ("models.markov", "from .base import Model", False),
        ("models.markov", "from partimento.models.random import Random", True),
        ("models.markov", "from partimento.models import random", True),
        ("models.markov", "from . import random", True),
        ("models.base", "from partimento.models.markov import Markov", True),
        ("attic", "import sys", True),
    ],
)
def test_the_import_rule_catches_what_it_should(module: str, line: str, caught: bool) -> None:
    known = {"errors", "score", "generate", "cli", "render", "render.audio", "render.png", "models", "models.base",
             "models.markov", "models.random"}  # fmt: skip
    assert bool(import_faults(module, ast.parse(line), known)) is caught


def test_no_module_is_over_500_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in ("src", "tests", "bench", "checks")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert not long


def public_names(tree: ast.Module) -> set[str]:
    """The functions and classes that a module defines for others to use."""
    defined = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not any(".command" in ast.unparse(decorator) for decorator in node.decorator_list)  # the shell's own name
    }
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return defined & set(ast.literal_eval(node.value))
    return defined


def test_no_public_name_is_defined_in_two_modules() -> None:
    homes = defaultdict(list)
    for module, tree in modules().items():
        for name in public_names(tree) - QUALIFIED:
            homes[name].append(module)
    twice = {name: places for name, places in homes.items() if len(places) > 1}
    assert not twice


def forbidden(module: str, tree: ast.Module) -> list[str]:
    """What stands in a module that never may: pickle in any form, torch outside `nets`, text of no stated encoding."""
    faults = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            tops = {name.split(".")[0] for name in names}
            if tops & PICKLES:
                faults.append(f"{module}:{node.lineno} imports pickle: data is kept as arrays and JSON only")
            if "torch" in tops and room(module) != "nets":
                faults.append(f"{module}:{node.lineno} imports torch outside nets/")
        if not isinstance(node, ast.Call):
            continue
        said = {word.arg: word.value for word in node.keywords}
        called = ast.unparse(node.func)
        if "allow_pickle" in said and ast.unparse(said["allow_pickle"]) != "False":
            faults.append(f"{module}:{node.lineno} allows pickle")
        if called == "torch.load":
            faults.append(f"{module}:{node.lineno} calls torch.load, which is pickle")
        verb = called.rpartition(".")[2]
        mode = ast.unparse(said["mode"]) if "mode" in said else ast.unparse(node.args[1]) if node.args[1:] else ""
        text = (verb == "read_text" and not node.args) or (verb == "write_text" and len(node.args) < 2)
        if "encoding" not in said and (text or (called == "open" and "b" not in mode)):
            faults.append(f"{module}:{node.lineno} opens text without encoding=, which differs between systems")
    return faults


def test_nothing_forbidden_stands_in_any_module() -> None:
    faults = [fault for module, tree in modules().items() for fault in forbidden(module, tree)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("module", "code", "caught"),
    [
        ("checkpoint", "import pickle", True),
        ("checkpoint", "from pickle import loads", True),
        ("checkpoint", "np.load(path, allow_pickle=True)", True),
        ("checkpoint", "np.load(path, allow_pickle=False)", False),
        ("checkpoint", "torch.load(path)", True),
        ("models.rnn", "def fit(self):\n    import torch.nn", True),
        ("nets.rnn", "from torch import nn", False),
        ("cli", "path.read_text()", True),
        ("cli", "path.read_text(encoding='utf-8')", False),
        ("cli", "open(path, 'w')", True),
        ("cli", "open(path, 'wb')", False),
    ],
)
def test_the_forbidden_list_catches_what_it_should(module: str, code: str, caught: bool) -> None:
    assert bool(forbidden(module, ast.parse(code))) is caught


def test_all_of_the_package_is_what_it_offers() -> None:
    listed: list[str] = vars(partimento)["__all__"]
    tree = modules()[""]
    taken = {
        alias.asname or alias.name
        for node in [*tree.body, *(inner for node in tree.body if isinstance(node, ast.If) for inner in node.body)]
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "partimento"
        for alias in node.names
    }
    offered = {name for name in taken | public_names(tree) if not name.startswith("_")}
    assert offered == {name for name in listed if not name.startswith("_")}
    assert len(listed) == len(set(listed))


def test_what_the_package_offers_is_there_whatever_was_imported_before() -> None:
    """A function with the name of a module is hidden by it as soon as anything imports that module."""
    code = (
        "import importlib, sys, types, partimento\n"
        "for name in sys.argv[1:]: importlib.import_module('partimento.' + name)\n"
        "print([n for n in partimento.__all__ if isinstance(getattr(partimento, n), types.ModuleType)])"
    )
    names = [name for name in modules() if name and room(name) not in ("nets", "__main__")]
    shown = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, encoding="utf-8")
    assert shown.stdout.strip() == "[]", shown.stdout + shown.stderr


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, json, partimento; print(json.dumps(sorted(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8")
    loaded = {name.split(".")[0] for name in json.loads(shown.stdout)}
    assert "partimento" in loaded
    heavy = {"torch", "scipy", "matplotlib", "symusic", "soundfile", "pretty_midi", "mido", "safetensors", "click"}
    assert not loaded & heavy
