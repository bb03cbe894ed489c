"""What is here: families, bundled checkpoints, controls; and what is missing, with the command that mends it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from partimento import __version__, checkpoint
from partimento.controls import CONTROLS
from partimento.data import cache
from partimento.errors import PartimentoError
from partimento.models.base import FAMILIES, family
from partimento.performance.rules import RULES
from partimento.render import soundfont

REQUIRED = ("numpy", "symusic", "click", "soundfile", "pretty_midi", "safetensors")


def models() -> list[dict[str, Any]]:
    """One row a family: its name, flags, first line of help, and its bundled checkpoint's record."""
    rows = []
    for name in FAMILIES:
        kind = family(name)
        row: dict[str, Any] = {"name": name, "is": (kind.__doc__ or "").strip().splitlines()[0],
                               "learns": kind.learns, "likelihood": kind.has_likelihood}
        if kind.styles():
            row["styles"] = {style: told["forms"] for style, told in kind.styles().items()}
        if kind.needs_torch and name not in checkpoint.bundled_names():
            row["bundled"] = f"none: train one with partimento train FOLDER --model {name}"
        elif kind.learns:
            try:
                loaded = checkpoint.load(checkpoint.bundled(name))
                row |= {"bundled": checkpoint.bundled(name).name, "sha256": loaded.hash[:12],
                        "pieces": loaded.record.get("pieces"), "licences": loaded.record.get("licences")}
            except PartimentoError as error:
                row["bundled"] = f"none ({error})"
        rows.append(row)
    return rows


def controls() -> list[dict[str, Any]]:
    """One row a control: name, unit, the usual span, and what it means."""
    return [{"name": c.name, "unit": c.unit, "low": c.low, "high": c.high, "tolerance": c.tolerance, "is": c.meaning}
            for c in CONTROLS.values()]


def rules() -> list[dict[str, Any]]:
    """One row a rule of performance: name, quantity, what it acts on, what it does, and where it is from."""
    return [{"name": rule.name, "quantity": rule.quantity, "acts on": rule.acts_on, "is": rule.sentence,
             "parameters": dict(rule.parameters), "source": rule.source} for rule in RULES.values()]


def doctor() -> list[dict[str, Any]]:
    """One row a thing looked at: what it is, whether it is well, what was found, and the command that mends it."""
    rows: list[dict[str, Any]] = [
        _row("partimento", True, f"{__version__} in {Path(__file__).parent}"),
        _row("python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}",
             "install Python 3.11 or newer"),
    ]
    for name in REQUIRED:
        try:
            rows.append(_row(name, True, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            rows.append(_row(name, False, "missing", f"python -m pip install {name}"))
    rows += [_sound_row(), _formats_row()]
    for row in models():
        if row["learns"]:
            well = not str(row.get("bundled", "")).startswith("none (")
            rows.append(_row(f"model {row['name']}", well, str(row.get("bundled")),
                             "python -m pip install --force-reinstall partimento"))
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    rows.append(_row("disk", free > 0.2, f"{free:.1f} GB free here", "free some space, or write elsewhere with -o"))
    torch = importlib.util.find_spec("torch") is not None
    rows.append(_row("torch", True, "installed: neural families can be trained" if torch else
                     'not installed; only training a neural family needs it: pip install "partimento[train]"'))
    verovio = importlib.util.find_spec("verovio") is not None
    rows.append(_row("verovio", True, "installed: pages are engraved" if verovio else
                     'not installed; only pdf, svg and png need it: pip install "partimento[scores]"'))
    signs = importlib.util.find_spec("cryptography") is not None
    rows.append(_row("cryptography", True, "installed: records can be signed" if signs else
                     'not installed; only signatures need it: pip install "partimento[sign]"'))
    rows.append(_row("cache", True, f"{cache.root()} keeps scores read and archives unpacked; delete it if you like"))
    return rows


def line(row: dict[str, Any]) -> str:
    """A row as one line for a terminal."""
    if "well" in row:
        mend = "" if row["well"] else f"; to mend it: {row['mend']}"
        return f"{'ok  ' if row['well'] else 'MISS'} {row['what']}: {row['found']}{mend}"
    if "unit" in row:
        span = f"{row['low']:g} to {row['high']:g} {row['unit']} (± {row['tolerance']:g})"
        return f"{row['name']:<15} {span}: {row['is']}"
    if "quantity" in row:
        return f"{row['name']:<26} {row['quantity']:g}, {row['acts on']}: {row['is']} ({row['source']})"
    text = f"{row['name']:<8} {row['is']}"
    if row.get("pieces"):
        text += f"\n         bundled: {row['bundled']} ({row['sha256']}), learnt from {row['pieces']} pieces, " \
                f"{', '.join(row['licences'] or [])}"
    elif row.get("bundled"):
        text += f"\n         bundled: {row['bundled']}"
    for name, forms in row.get("styles", {}).items():
        text += f"\n         --style {name if ' ' not in name else repr(name)}: in the form {', or '.join(forms)}"
    return text


def _row(what: str, well: bool, found: str, mend: str = "") -> dict[str, Any]:
    return {"what": what, "well": well, "found": found, "mend": mend}


def _sound_row() -> dict[str, Any]:
    found = soundfont.find_soundfont()
    if found is None:
        return _row("soundfont", False, "none: plain synthesised patches play",
                    "python -m pip install pretty_midi, or set PARTIMENTO_SOUNDFONT to an .sf2 file")
    return _row("soundfont", True, f"{found.name}, licence {found.licence} ({found.path})")


def _formats_row() -> dict[str, Any]:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        return _row("audio files", False, str(error), "python -m pip install --force-reinstall soundfile")
    known = soundfile.available_formats()
    have = [name for name, key in (("wav", "WAV"), ("flac", "FLAC"), ("ogg", "OGG"), ("mp3", "MP3")) if key in known]
    return _row("audio files", len(have) == 4, ", ".join(have), "python -m pip install --upgrade soundfile")
