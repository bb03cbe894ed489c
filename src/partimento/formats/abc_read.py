"""ABC read: tunes and books of tunes, in the order in which they are written."""

from __future__ import annotations

from partimento.formats.abc_text import decoded, split_tunes
from partimento.formats.abc_tune import AbcTune
from partimento.formats.draft import Draft
from partimento.formats.reading import DEFAULT_MAX_NOTES, Reading


def parse(data: bytes, *, max_notes: int = DEFAULT_MAX_NOTES) -> Reading:
    """Return the first tune of an ABC file; ReadError, in one sentence, where there is none.

    Repeats stand as marks. A notice says how many other tunes there are.

    >>> parse(b"X:1\\nL:1/4\\nK:D\\nDEFG|A4|]\\n").score.pitch.tolist()
    [62, 64, 66, 67, 69]
    """
    books = split_tunes(decoded(data))
    reading = _read(books[0], max_notes)
    if len(books) == 1:
        return reading
    more = (f"this book has {len(books)} tunes and the first was read; the others are named by their number: "
            f"book.abc#2 to book.abc#{len(books)}")
    return Reading(reading.score, reading.repairs, (more, *reading.notices))


def parse_all(data: bytes, *, max_notes: int = DEFAULT_MAX_NOTES) -> list[Reading]:
    """Return every tune of an ABC file; ReadError where there is none or one of them cannot be read.

    >>> [len(reading.score) for reading in parse_all(b"X:1\\nK:C\\nCDE|\\n\\nX:2\\nK:C\\nC|\\n")]
    [3, 1]
    """
    return [_read(lines, max_notes) for lines in split_tunes(decoded(data))]


def tunes(data: bytes) -> list[bytes]:
    """Return each tune of an ABC file as a file of its own, what the file says for all of them in each; ReadError.

    >>> tunes(b"M:3/4\\n\\nX:1\\nK:C\\nCDE|\\n\\nX:2\\nK:D\\nDEF|\\n")[1]
    b'M:3/4\\nX:2\\nK:D\\nDEF|\\n'
    """
    return ["\n".join([*lines, ""]).encode() for lines in split_tunes(decoded(data))]


def _read(lines: list[str], max_notes: int) -> Reading:
    return AbcTune(Draft(max_notes)).read(lines)
