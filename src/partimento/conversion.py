"""Music from one kind of file to another: a file, a book of tunes, or a whole folder by several processes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from partimento import formats, theory
from partimento.errors import PartimentoError, RequestError, WriteError
from partimento.formats.files import make_folder
from partimento.models.base import Progress, Report
from partimento.score import Tempo
from partimento.verbs import load
from partimento.workers import Failed, Message, map_tasks, worker_count

SECONDS_A_FILE = 300.0


class Converted(NamedTuple):
    """What `convert` did: the files written, and a sentence for each one that was skipped."""

    written: list[Path]
    skipped: list[str]


def convert(source: str | os.PathLike[str], out: str | os.PathLike[str], *, format: str = "mid",
            tempo: float | None = None, input_meter: str | None = None, input_downbeat: float | str | None = None,
            max_notes: int = formats.DEFAULT_MAX_NOTES, workers: int | None = None,
            report: Report | None = None) -> Converted:
    """What was written and what skipped: music as another kind of file, re-barred or at another tempo if asked.

    `source` is a file of any kind that can be read, or a folder of them. `out` is a file whose suffix says the kind,
    or a folder, which keeps the folders inside `source` and gets files of `format` (``mid``, ``musicxml``, ``mxl``,
    ``abc``). Every tune of a book becomes a file. `tempo` is in quarter notes a minute and rules the whole piece. In
    a folder a file that cannot be converted is skipped; an error is raised where none can. `workers` is how many
    processes work (None: as many as the files are worth). `report` is called after each file; when it returns False,
    the rest is left.
    """
    suffix = f".{format.lower().lstrip('.')}"
    if suffix not in formats.WRITTEN_SUFFIXES:
        raise RequestError("a format to convert to must be one of "
                           f"{', '.join(s[1:] for s in formats.WRITTEN_SUFFIXES)}; got {format!r}")
    bpm = None if tempo is None else theory.parse_tempo(tempo)
    pairs = _file_pairs(Path(source), Path(out), suffix)
    if len(pairs) == 1:
        convert_one(*pairs[0], bpm, input_meter, input_downbeat, max_notes)
        done = Converted([Path(pairs[0][1])], [])
        if report is not None:
            report(Progress("converting", 1, 1))
        return done
    if workers is None:
        workers = worker_count(len(pairs), sum(_size(old) for old, _ in pairs))
    messages = [Message([old, new, bpm, input_meter, input_downbeat, max_notes]) for old, new in pairs]
    said: dict[int, str] = {}
    for index, answer in map_tasks(f"{__name__}:convert_message", messages, workers=workers, seconds=SECONDS_A_FILE):
        said[index] = f"{pairs[index][0]}: {answer.detail}" if isinstance(answer, Failed) else str(answer.head)
        if report is not None and not report(Progress("converting", len(said), len(pairs))):
            break
    order = sorted(said)
    done = Converted([Path(pairs[i][1]) for i in order if not said[i]], [said[i] for i in order if said[i]])
    if len(done.skipped) == len(pairs):
        raise WriteError(f"{source}: a file of it at least must be one that can be converted; none of {len(pairs)} is, "
                         f"the first because: {done.skipped[0]}")
    return done


def convert_one(old: str, new: str, bpm: float | None, input_meter: str | None, input_downbeat: float | str | None,
                max_notes: int) -> None:
    """Write the music of one file as another; an error of the house in one sentence where that cannot be."""
    score = load(old, input_meter, input_downbeat, max_notes)
    if bpm is not None:
        score = score.replace(tempos=(Tempo(0, round(60e6 / bpm)),))
    make_folder(Path(new).parent)
    formats.write(score, new)


def convert_message(message: Message) -> Message:
    """What one process answers to the arguments of `convert_one`: why the file is skipped, or nothing."""
    try:
        convert_one(*message.head)
    except PartimentoError as error:
        return Message(str(error))
    except MemoryError:
        return Message(f"{message.head[0]}: it does not fit in memory")
    except Exception as error:  # whatever is wrong with one file, the others are still converted
        return Message(f"{message.head[0]}: it cannot be converted ({type(error).__name__}: {error})")
    return Message("")


def _file_pairs(source: Path, out: Path, suffix: str) -> list[tuple[str, str]]:
    """Each file or tune to convert, and the file to write."""
    if not source.is_dir():
        tunes = formats.tunes_of(source)
        if out.suffix and not out.is_dir():
            if len(tunes) > 1:
                raise RequestError(f"{source}: a book of {len(tunes)} tunes must be converted into a folder, or one "
                                   f"tune of it: {tunes[0]}; got the file {out}")
            return [(tunes[0], os.fspath(out))]
        return _named(tunes, source.parent, out, suffix)
    files = sorted(p for p in source.rglob("*") if p.suffix.lower() in formats.SUFFIXES and p.is_file())
    if not files:
        raise RequestError(f"{source}: a folder to convert must hold music ({', '.join(formats.SUFFIXES)}); this one "
                           "has none")
    return _named([tune for file in files for tune in _tunes(file)], source, out, suffix)


def _tunes(file: Path) -> list[str]:
    try:
        return formats.tunes_of(file)
    except PartimentoError:             # converting it will say why
        return [os.fspath(file)]


def _named(tunes: Sequence[str], root: Path, out: Path, suffix: str) -> list[tuple[str, str]]:
    pairs: dict[Path, str] = {}
    for tune in tunes:
        path = Path(tune).relative_to(root)
        stem = path.name.replace("#", "-") if "#" in path.suffix else path.stem
        new = out / path.parent / f"{stem.replace('.abc-', '-')}{suffix}"
        pairs[new.with_name(f"{path.name}{suffix}") if new in pairs else new] = tune    # a.kar beside a.mid: both stay
    return [(old, os.fspath(new)) for new, old in pairs.items()]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
