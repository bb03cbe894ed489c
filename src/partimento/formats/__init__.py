"""Music in and out of files: the reader and the writer are chosen by the suffix of the name."""

from __future__ import annotations

import os
from pathlib import Path

from partimento.errors import PartimentoError, ReadError, WriteError, nearest
from partimento.formats import files, midi
from partimento.formats.midi import parse
from partimento.formats.reading import DEFAULT_MAX_NOTES, Reading
from partimento.formats.rebar import frame_notices, parse_downbeat, rebar
from partimento.score import Score

SUFFIXES = midi.SUFFIXES

__all__ = ["DEFAULT_MAX_NOTES", "SUFFIXES", "Reading", "frame_notices", "keep", "parse", "parse_downbeat", "read",
           "read_fast", "read_report", "rebar", "to_bytes", "write"]


def read(path: str | os.PathLike[str], *, max_notes: int = DEFAULT_MAX_NOTES) -> Score:
    """Return the music of a file with everything in it; ReadError, in one sentence, where there is none.

    >>> import tempfile
    >>> from pathlib import Path
    >>> place = Path(tempfile.mkdtemp(), "one.mid")
    >>> write(Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0]), place)
    >>> read(place).pitch.tolist()
    [60]
    """
    return read_report(path, max_notes=max_notes).score


def read_report(path: str | os.PathLike[str], *, max_notes: int = DEFAULT_MAX_NOTES) -> Reading:
    """Return the music of a file, what was mended in it, and what is worth telling about it; ReadError as `read`."""
    data = _readable(path)
    try:
        return parse(data, max_notes=max_notes)
    except PartimentoError as error:
        raise ReadError(f"{os.fspath(path)}: {error}") from None


def read_fast(path: str | os.PathLike[str]) -> Score:
    """Return the notes and the frame of a file, for corpora: what `midi_fast.parse_fast` says it keeps."""
    from partimento.formats.midi_fast import parse_fast

    data = _readable(path)
    try:
        return parse_fast(data)
    except PartimentoError as error:
        raise ReadError(f"{os.fspath(path)}: {error}") from None


def write(score: Score, path: str | os.PathLike[str]) -> None:
    """Write a Score as the format that the suffix names, whole or not at all; WriteError in one sentence if not."""
    try:
        data = to_bytes(score, Path(path).suffix)
    except WriteError as error:
        raise WriteError(f"{os.fspath(path)}: {error}") from None
    files.write_bytes(path, data)


def to_bytes(score: Score, suffix: str = ".mid") -> bytes:
    """Return the bytes that `write` would put into a file with that suffix; WriteError when no writer has it.

    >>> to_bytes(Score(), ".rmi")[:4]
    b'RIFF'
    """
    _known(suffix)
    data = midi.dumps(score)
    return midi.riff(data) if suffix.lower() == ".rmi" else data


def keep(score: Score, suffix: str = ".mid") -> Score:
    """Return what a file with that suffix keeps of a Score: what reading it back after `write` gives.

    >>> s = Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0], voice=[1])
    >>> keep(s).voice is None
    True
    """
    _known(suffix)
    return midi.keep(score)


def _known(suffix: str) -> None:
    if suffix.lower() not in SUFFIXES:
        raise WriteError(f"the name must say how to write the music; {nearest(suffix, SUFFIXES, 'suffix')}")


def _readable(path: str | os.PathLike[str]) -> bytes:
    data = files.read_bytes(path)
    suffix = Path(path).suffix
    if suffix.lower() not in SUFFIXES and data[:4] not in (b"MThd", b"RIFF"):
        raise ReadError(f"{os.fspath(path)}: the file must be music that can be read here; "
                        f"{nearest(suffix, SUFFIXES, 'suffix')}")
    return data
