"""Music in and out of files: the reader and the writer are chosen by the suffix of the name."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from partimento.errors import PartimentoError, ReadError, WriteError, nearest
from partimento.formats import files, midi
from partimento.formats.reading import DEFAULT_MAX_NOTES, Reading
from partimento.formats.rebar import frame_notices, parse_downbeat, parse_input_meter, rebar
from partimento.score import Score

# The suffixes of every kind of file, and the modules of this room that read and write it.
KINDS: dict[str, tuple[str, ...]] = {
    "midi": midi.SUFFIXES,
    "musicxml": (".musicxml", ".mxl", ".xml"),
    "abc": (".abc",),
    "kern": (".krn", ".kern"),
    "musescore": (".mscz", ".mscx"),
}
_READERS = {"midi": "midi", "musicxml": "musicxml_read", "abc": "abc_read", "kern": "kern_read",
            "musescore": "mscx_read"}
_WRITERS = {"midi": "midi", "musicxml": "musicxml_write", "abc": "abc_write"}
SUFFIXES = tuple(suffix for kind in KINDS.values() for suffix in kind)
WRITTEN_SUFFIXES = tuple(suffix for kind in _WRITERS for suffix in KINDS[kind])
_KIND_OF = {suffix: kind for kind, suffixes in KINDS.items() for suffix in suffixes}

__all__ = ["DEFAULT_MAX_NOTES", "KINDS", "SUFFIXES", "WRITTEN_SUFFIXES", "Reading", "frame_notices", "keep", "kind_of",
           "parse", "parse_downbeat", "parse_input_meter", "raw", "read", "read_fast", "read_raw", "read_report",
           "rebar", "to_bytes", "tunes_of", "write"]


def read(path: str | os.PathLike[str], *, max_notes: int = DEFAULT_MAX_NOTES) -> Score:
    """Return the music of a file with everything in it; ReadError, in one sentence, where there is none.

    A tune of a book of ABC tunes is named by its number: ``book.abc#12``.

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
    return read_raw(path, max_notes=max_notes)[2]


def read_raw(path: str | os.PathLike[str], *, max_notes: int = DEFAULT_MAX_NOTES) -> tuple[bytes, str, Reading]:
    """Return what `raw` gives, and the music in it; ReadError as `read`."""
    try:
        data, suffix = raw(path)
        return data, suffix, parse(data, suffix, max_notes=max_notes)
    except PartimentoError as error:
        raise ReadError(_named(path, error)) from None


def parse(data: bytes, suffix: str = ".mid", *, max_notes: int = DEFAULT_MAX_NOTES) -> Reading:
    """Return the music in the bytes of a file with that suffix; ReadError, in one sentence, where there is none."""
    kind = "midi" if data[:4] in (b"MThd", b"RIFF") else _KIND_OF.get(suffix.lower())
    if kind is None:
        raise ReadError(f"the file must be music that can be read here; {nearest(suffix, SUFFIXES, 'suffix')}")
    reading: Reading = _module(_READERS[kind]).parse(data, max_notes=max_notes)
    return reading


def read_fast(path: str | os.PathLike[str]) -> Score:
    """Return the notes and the frame of a MIDI file, for corpora: what `midi_fast.parse_fast` says it keeps."""
    from partimento.formats.midi_fast import parse_fast

    try:
        return parse_fast(raw(path)[0])
    except PartimentoError as error:
        raise ReadError(_named(path, error)) from None


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
    writer = _writer(suffix)
    made: bytes = writer.dumps_mxl(score) if suffix.lower() == ".mxl" else writer.dumps(score)
    return midi.riff(made) if suffix.lower() == ".rmi" else made


def keep(score: Score, suffix: str = ".mid") -> Score:
    """Return what a file with that suffix keeps of a Score: what reading it back after `write` gives.

    >>> s = Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0], voice=[1])
    >>> keep(s).voice is None
    True
    """
    kept: Score = _writer(suffix).keep(score)
    return kept


def kind_of(path: str | os.PathLike[str]) -> str:
    """Return the kind of music file a name says, one of `KINDS`, or nothing.

    >>> kind_of("a/b.MXL"), kind_of("book.abc#3"), kind_of("notes.txt")
    ('musicxml', 'abc', '')
    """
    return _KIND_OF.get(_place(path)[0].suffix.lower(), "")


def tunes_of(path: str | os.PathLike[str]) -> list[str]:
    """Return the names under which `read` knows the tunes of a file: its own, or ``#1`` … behind it in a book.

    >>> tunes_of("song.mid")
    ['song.mid']
    """
    name = os.fspath(path)
    if not name.lower().endswith(KINDS["abc"]):
        return [name]
    from partimento.formats.abc_read import tunes

    count = len(tunes(files.read_bytes(path)))
    return [name] if count < 2 else [f"{name}#{number + 1}" for number in range(count)]


def raw(path: str | os.PathLike[str]) -> tuple[bytes, str]:
    """Return the bytes of a file, or of one tune of a book, and the suffix that says what they are; ReadError."""
    place, number = _place(path)
    data = files.read_bytes(place)
    if number:
        from partimento.formats.abc_read import tunes

        book = tunes(data)
        if number > len(book):
            raise ReadError(f"a book of {len(book)} tunes must be asked for one of them; got number {number}")
        data = book[number - 1]
    return data, place.suffix


def _module(name: str) -> Any:
    return importlib.import_module(f"partimento.formats.{name}")


def _writer(suffix: str) -> Any:
    kind = _KIND_OF.get(suffix.lower())
    if kind not in _WRITERS:
        raise WriteError("the name must say how to write the music; "
                         f"{nearest(suffix, WRITTEN_SUFFIXES, 'suffix to write')}")
    return _module(_WRITERS[kind])


def _place(path: str | os.PathLike[str]) -> tuple[Path, int]:
    """The file that is meant, and the number of its tune; 0 for the file as a whole."""
    name, mark, number = os.fspath(path).rpartition("#")
    if mark and number.isdecimal() and name.lower().endswith(KINDS["abc"]):
        return Path(name), int(number)
    return Path(path), 0


def _named(path: str | os.PathLike[str], error: PartimentoError) -> str:
    """The sentence with the name of the file before it, once."""
    return str(error) if str(error).startswith(f"{_place(path)[0]}: ") else f"{os.fspath(path)}: {error}"
