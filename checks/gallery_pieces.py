"""The pieces of the gallery: each made once, with its files and a JSON beside them, in any process.

A piece's JSON holds what the page shows of it; where it stands already the piece is not made again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gallery_sources import Place, arguments, real, source

from partimento import formats, output, verbs
from partimento.errors import PartimentoError
from partimento.judge.evaluate import evaluate_sets
from partimento.judge.faults import findings, findings_text
from partimento.judge.finding import Finding
from partimento.render.roll import write_roll
from partimento.request import Result
from partimento.score import Score

VERBS = ("compose", "continue", "infill", "harmonize", "accompany", "vary")
FUNCTIONS = {"continue": "continue_"}


@functools.cache
def chosen(model: str) -> verbs.Chosen:
    """Return a family or a checkpoint, opened once a process."""
    return verbs.choose_model(model)


def notes_hash(score: Score) -> str:
    """Return eight digits that stand for the notes of a piece, so that a sentence on other notes is not shown."""
    return hashlib.sha256(score.notes().astype("<i4").tobytes()).hexdigest()[:8]


def piece_file(folder: Path, verb: str, family: str, seed: int) -> Path:
    """Return where the JSON of a piece stands."""
    return folder / verb / family / f"{seed:02}.json"


def make_piece(folder: Path, verb: str, family: str, seed: int) -> dict[str, Any]:
    """Make the piece of a verb, a family and a seed with its files, or take what is there."""
    place = piece_file(folder, verb, family, seed)
    if place.exists():
        return dict(json.loads(place.read_text(encoding="utf-8")))
    given = arguments(verb, seed)
    file, about = (None, "") if verb == "compose" else source(verb, seed, folder / "sources")
    words = ["partimento", verb, *([str(file)] if file else []), *(f"--{k}={v}" for k, v in given.items()),
             f"--model={family}", f"--seed={seed}"]
    said = {"verb": verb, "family": family, "seed": seed, "about": about, "command": shlex.join(words)}
    try:
        before = formats.read(file) if file else None
        loaded = chosen(family).model
        begin = time.process_time()
        call = getattr(verbs, FUNCTIONS.get(verb, verb))
        music = [file] if file else []
        result: Result = call(*music, model=loaded, seed=seed, **given)[0]
        seconds = time.process_time() - begin
        return keep(place, result.score, said | {"seconds": seconds, "told": list(result.notes)}, before, result)
    except Exception as error:                          # a crash is a fault of the piece, told beside the others
        told = str(error) if isinstance(error, PartimentoError) else f"{type(error).__name__}: {error}"
        return said | {"error": told, "faults": []}


def make_read(folder: Path, family: str, seed: int, music: Place) -> dict[str, Any]:
    """Make the files of music as it was read, or take what is there."""
    place = piece_file(folder, "read", family, seed)
    if place.exists():
        return dict(json.loads(place.read_text(encoding="utf-8")))
    said = {"verb": "read", "family": family, "seed": seed, "about": music.about, "command": "", "told": []}
    try:
        return keep(place, music.score, said)
    except PartimentoError as error:
        return said | {"error": str(error), "faults": []}


def keep(place: Path, score: Score, said: dict[str, Any], before: Score | None = None,
         result: Result | None = None) -> dict[str, Any]:
    """Write a piece as MIDI, MusicXML, engraved page and roll, then its JSON, and return that."""
    place.parent.mkdir(parents=True, exist_ok=True)
    stem = place.with_suffix("")
    files = [stem.with_suffix(f".{make}") for make in ("mid", "musicxml")]
    for file in files:
        formats.write(score, file)
    shaded = [(region.track, region.start, region.end) for region in result.regions] if result else []
    files.append(write_roll(score, stem.with_suffix(".roll.png"), shaded=shaded if before else [],
                            new=result.new if result and before else None))
    files += output.render(score, stem.with_suffix(".png"))
    found = findings(score)
    old = findings(before) if before else []
    added = [is_added(one, old) if result else False for one in found]
    bars = {score.bar_number(int(tick)) for tick in score.onset[result.new]} if result else set()
    said |= {"hash": notes_hash(score), "files": [file.relative_to(place.parents[2]).as_posix() for file in files],
             "faults": [{"kind": one.kind, "text": line, "added": new} for one, line, new in
                        zip(found, findings_text(score, found).split("\n"), added, strict=False)],
             "bars": score.n_bars, "new_bars": len(bars), "source_bars": before.n_bars if before else 0,
             "source_faults": len(old)}
    place.write_text(json.dumps(said, indent=1, ensure_ascii=False), encoding="utf-8")
    return said


def is_added(found: Finding, old: Sequence[Finding]) -> bool:
    """Whether a fault was not in the source already: the same kind in the same part at the same time."""
    return not any(one.kind == found.kind and one.track == found.track and one.start < found.end
                   and found.start < one.end for one in old)


@functools.cache
def real_music(verb: str) -> tuple[Score, ...]:
    """Return the real music beside which the pieces of a verb stand, read once a process."""
    return tuple(real(verb))


def measure_cell(folder: Path, verb: str, family: str, pieces: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how the pieces of a cell lie beside real music by `evaluate`, or what is there already."""
    hashes = [one["hash"] for one in pieces]
    place = folder / verb / family / "measures.json"
    if place.exists():
        known = json.loads(place.read_text(encoding="utf-8"))
        if known["pieces"] == hashes:
            return dict(known)
    scores = [formats.read(folder / one["files"][0]) for one in pieces]
    try:
        done = evaluate_sets(scores, real_music(verb))
    except (PartimentoError, LookupError) as error:
        return {"pieces": hashes, "error": str(error)}
    apart = sorted((row for row in done.rows if not row.inside), key=lambda row: row.overlap - row.band[0])
    far = done.frechet
    found = {"pieces": hashes, "measures": len(done.rows), "inside": sum(row.inside for row in done.rows),
             "apart": [f"{row.name} {row.mean.value:.3g} ({row.reference.value:.3g})" for row in apart[:3]],
             "frechet": [float(far.value), *map(float, far.band)] if far else []}
    place.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return found


def summary(pieces: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the faults in a hundred bars, of the new notes and of the sources, the share without and the seconds."""
    new = np.array([sum(fault["added"] for fault in one["faults"]) for one in pieces])
    before = sum(one["source_bars"] for one in pieces)
    return {"added": 100 * float(new.sum()) / max(1, sum(one["new_bars"] for one in pieces)),
            "source": 100 * sum(one["source_faults"] for one in pieces) / before if before else float("nan"),
            "none": float((new == 0).mean()), "seconds": float(np.median([one["seconds"] for one in pieces]))}
