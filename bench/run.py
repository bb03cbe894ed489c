"""Runs the benches one after another, each on one core, and writes RESULTS.md from the numbers that are kept as JSON.

    python bench/run.py                     # every bench/NAME.py
    python bench/run.py encode markov       # some
    python bench/run.py --tables            # every row of every bench/tables/NAME.py that has no result yet
    python bench/run.py --tables --again    # every row anew
    python bench/run.py --write             # only RESULTS.md, from the JSON

A bench is a module with ``main(argv) -> list[dict]``; each row has ``name, ours, peer, ratio, target, unit, n, note``.
A target is ``>= 60x`` (of the ratio) or ``<= 0.3 s`` (of ours). A bench whose peer or music is missing raises
`peers.Missing`, and a row gives ``{"name", "skipped": reason}``: then the row kept from an earlier run stays.
A table is a module with ``rows() -> list[str]`` and ``row(name) -> dict``, which gives the cells of one row; a row is
run once and kept, so a long table goes on where it stopped. It may have ``PROTOCOL``, what the numbers are of, and
``PUBLISHED``, rows of others with their ``source``. The first line of a module's docstring stands over its numbers.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results"
SEED = 0
Row = dict[str, Any]


def machine() -> dict[str, Any]:
    """Return what the numbers depend on: processor, cores, system, Python and the packages; no name, no path."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    packages = {}
    for name in ("numpy", "symusic", "torch", "miditok", "markovify", "mido", "pretty_midi", "keras", "onnxruntime",
                 "verovio", "pypdfium2", "partitura", "music21", "hmmlearn"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            packages[name] = importlib.metadata.version(name)
    return {"processor": model, "cores": os.cpu_count(), "system": platform.system(),
            "python": platform.python_version(), "packages": packages}  # fmt: skip


def commit() -> str:
    """Return the commit that the numbers are of, with ``+`` where the code differs from it; `unknown` without git."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "src", "bench/*.py")
        return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def keep(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record beside its place, then rename it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(beside, path)


def kept(path: Path) -> dict[str, Any]:
    """Return the record kept from an earlier run; empty where there is none."""
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return record


def merged(new: Iterable[Row], old: Iterable[Row]) -> list[Row]:
    """Return the rows to keep: the new ones, and for a row that was skipped the one kept from an earlier run, if any.

    >>> merged([{"name": "a", "skipped": "no peer"}, {"name": "b", "ours": 2}], [{"name": "a", "ours": 1}])
    [{'name': 'a', 'ours': 1}, {'name': 'b', 'ours': 2}]
    """
    earlier = {row["name"]: row for row in old}
    rows = [earlier.get(row["name"]) if "skipped" in row else row for row in new]
    return [row for row in rows if row]


def one(module: str, row: str | None, out: Path) -> None:
    """Run one bench, or one row of a table, in this process and write what it gives to `out`."""
    if hasattr(os, "sched_setaffinity"):  # one core: the last, which is the least busy as a rule
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sys.path[:0] = [str(HERE), str(ROOT / "src")]
    from peers import Missing

    try:
        bench = importlib.import_module(module)
        result = bench.main([]) if row is None else [{"name": row, **bench.row(row)}]
    except Missing as reason:
        result = [{"name": row or module, "skipped": str(reason)}]
    out.write_text(json.dumps(result, default=float), encoding="utf-8")


def in_a_process(module: str, row: str | None, limit: float) -> list[Row]:
    """Return the rows of one bench run in a process of its own; a fault or a time-out is a row with `failed`."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "rows.json")
        words = [sys.executable, str(HERE / "run.py"), "--one", module, "--out", str(out)]
        words += ["--row", row] if row else []
        try:
            subprocess.run(words, env={**os.environ, **threads}, timeout=limit, check=True)
        except subprocess.SubprocessError as fault:
            reason = "not done in time" if isinstance(fault, subprocess.TimeoutExpired) else "it failed, see above"
            return [{"name": row or module, "skipped": reason, "failed": True}]
        rows: list[Row] = json.loads(out.read_text(encoding="utf-8"))
        return rows


def names(folder: Path, entry: str, wanted: list[str]) -> list[str]:
    """Return the modules of a folder with a function `entry`, or those wanted; an unknown one ends the run."""
    known = sorted(path.stem for path in folder.glob("*.py") if f"\ndef {entry}" in path.read_text(encoding="utf-8"))
    for name in wanted:
        if name not in known:
            sys.exit(f"no bench named {name!r}; known: {', '.join(known) or 'none'}")
    return wanted or known


def benches(wanted: list[str], limit: float) -> bool:
    """Run benches and keep their rows; return whether all ran that could."""
    sound = True
    for name in names(HERE, "main(argv", wanted):
        start = time.perf_counter()
        path = RESULTS / f"{name}.json"
        new = in_a_process(name, None, limit)
        if any("skipped" not in row for row in new):
            stamp = {"commit": commit(), "seed": SEED}
            rows = merged([{**row, **stamp} for row in new], kept(path).get("rows", []))
            keep(path, {"bench": name, "about": about(HERE / f"{name}.py"), "command": f"python bench/run.py {name}",
                        "machine": machine(), "rows": rows})  # fmt: skip
        for row in new:
            print(f"{name:12} {line(row)}", flush=True)
        print(f"{name:12} took {time.perf_counter() - start:.0f} s", flush=True)
        sound = sound and not any("failed" in row for row in new)
    return sound


def tables(wanted: list[str], again: bool, limit: float) -> bool:
    """Run the rows of the tables that have no result yet; return whether all ran that could."""
    sys.path[:0] = [str(HERE), str(ROOT / "src")]
    sound = True
    for table in names(HERE / "tables", "row(", wanted):
        module = importlib.import_module(f"tables.{table}")
        for place, name in enumerate(module.rows()):
            path = RESULTS / "tables" / table / f"{file_name(name)}.json"
            if path.is_file() and not again:
                continue
            start = time.perf_counter()
            (row,) = in_a_process(f"tables.{table}", name, limit)
            if "skipped" not in row:
                rows = [{**row, "commit": commit(), "seed": SEED}]
                command = f"python bench/run.py --tables {table}"
                keep(path, {"table": table, "about": about(HERE / "tables" / f"{table}.py"), "command": command,
                            "protocol": getattr(module, "PROTOCOL", ""), "published": getattr(module, "PUBLISHED", []),
                            "place": place, "machine": machine(), "rows": rows})  # fmt: skip
                write()
            reason = f" skipped: {row['skipped']}" if "skipped" in row else ""
            print(f"{table:12} {name}:{reason} took {time.perf_counter() - start:.0f} s", flush=True)
            sound = sound and "failed" not in row
    return sound


def about(path: Path) -> str:
    """Return the first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def file_name(row: str) -> str:
    """Return a row's name as a file's name on any system.

    >>> file_name("JSB, order 5/8")
    'JSB-order-5-8'
    """
    return "-".join("".join(letter if letter.isalnum() or letter in ".+_" else " " for letter in row).split())


def number(value: Any) -> str:
    """Return a cell as people read it: three figures, from 1 to 10 three decimals, and a dash where there is nothing.

    >>> [number(x) for x in (12345.6, 1.9531, 0.01234, 3000, "x", None, True)]
    ['12,346', '1.953', '0.0123', '3,000', 'x', '–', 'yes']
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}" if 1 <= abs(value) < 10 else f"{value:.3g}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).replace("|", "\\|")


def line(row: Row) -> str:
    """Return one row of a bench as plain text."""
    if "skipped" in row:
        return f"{row['name']}: skipped: {row['skipped']}"
    said = [f"{word} {number(row[word])}" for word in ("peer", "ratio", "target") if row.get(word) is not None]
    return f"{row['name']}: " + ", ".join([f"{number(row.get('ours'))} {row.get('unit') or ''}".strip(), *said])


def met(row: Row) -> bool | None:
    """Return whether a row meets its target; None where it has none that can be compared.

    >>> met({"ours": 2.0, "ratio": 61.0, "target": ">= 60x"}), met({"ours": 0.4, "target": "<= 0.3 s"})
    (True, False)
    """
    found = re.fullmatch(r"([<>])= ([\d,.]+)(x?).*", str(row.get("target")))
    value = row.get("ratio" if found and found[3] else "ours")
    if not found or value is None:
        return None
    limit = float(found[2].replace(",", ""))
    return bool(value >= limit if found[1] == ">" else value <= limit)


def markdown(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    """Return the lines of one table in Markdown, without the columns in which no row says anything."""
    columns = [column for column in columns if any(row.get(column) is not None for row in rows)]
    return [
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(number(row.get(column)) for column in columns) + " |" for row in rows),
        "",
    ]


def write() -> Path:
    """Write RESULTS.md from the records, and return its path."""
    timings = [kept(path) for path in sorted(RESULTS.glob("*.json"))]
    folders = sorted(path for path in (RESULTS / "tables").glob("*") if any(path.glob("*.json")))
    tables = [sorted((kept(path) for path in folder.glob("*.json")), key=lambda record: record.get("place", 0))
              for folder in folders]  # fmt: skip
    text = ["# Results", "", "Written by `bench/run.py` from `bench/results/`; no number of ours is typed by hand.", ""]
    shown = ""
    if timings:
        text += ["## Measures", "", "Ours and the peer's in turns in the same run, one core each; `ratio` is how many "
                 "times better ours is. `make bench` runs them all.", ""]  # fmt: skip
    for record in timings:
        rows = [{**row, "met": met(row)} for row in record["rows"]]
        text += [f"### {record['bench']}", "", record.get("about", ""), ""]
        text += markdown(rows, ["name", "ours", "peer", "ratio", "target", "unit", "n", "met", "note"])
        text += [f"`{record['command']}`{commits(rows)}{on(record, shown)}", ""]
        shown = on(record)
    if tables:
        text += ["## Tables", "", "`make tables` runs them all, a row at a time.", ""]
    for records in tables:
        rows = [row for record in records for row in record["rows"]]
        heads = [key for key in dict.fromkeys(key for row in rows for key in row) if key not in ("commit", "seed")]
        published = records[-1].get("published", [])
        last = records[-1]
        text += [f"### {last['table']}", "", last.get("about", ""), "", last.get("protocol", ""), ""]
        text += markdown([*rows, *published], [*heads, *(["source"] if published else [])])
        text += [f"`{last['command']}`{commits(rows)}{on(last, shown)}", ""]
        shown = on(last)
    path = HERE / "RESULTS.md"
    beside = path.with_suffix(".part")
    beside.write_text(re.sub("\n{3,}", "\n\n", "\n".join(text)).rstrip() + "\n", encoding="utf-8")
    os.replace(beside, path)
    return path


def commits(rows: Iterable[Row]) -> str:
    """Return the commits that rows are of, as the end of a sentence."""
    return " at " + ", ".join(sorted({row.get("commit", "unknown") for row in rows}))


def on(record: Mapping[str, Any], shown: str = "") -> str:
    """Return the machine and the packages that the numbers of a record depend on, but nothing where just `shown`."""
    here = record["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in here["packages"].items())
    said = (f", on {here['processor']}, {here['cores']} cores, {here['system']}, Python {here['python']}; {packages}.")
    return "." if said == shown else said


def main() -> int:
    """Run what is asked for; the exit code is 1 where a bench failed, but not where a peer or music is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="which benches or tables (all where none is named)")
    parser.add_argument("--tables", action="store_true", help="the published tables, a row at a time")
    parser.add_argument("--again", action="store_true", help="rows that have a result, too")
    parser.add_argument("--write", action="store_true", help="only write RESULTS.md from the records")
    parser.add_argument("--limit", type=float, help="seconds a bench (600) or a row (14,400) may take")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--row", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one, args.row, args.out)
        return 0
    sound = True
    if args.tables:
        sound = tables(args.names, args.again, args.limit or 14_400)
    elif not args.write:
        sound = benches(args.names, args.limit or 600)
    print(write().relative_to(ROOT))
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
