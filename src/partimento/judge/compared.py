"""The indexes that a piece is compared with: a file, those inside a checkpoint, or one made of a corpus."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from partimento import checkpoint
from partimento.data import cache
from partimento.data.corpus import Corpus, load
from partimento.errors import ReadError, WriteError
from partimento.fingerprint.index import MAGIC, Index, open_index, read_index
from partimento.formats import kind_of, read
from partimento.formats.files import write_bytes
from partimento.judge.originality import corpus_index
from partimento.models.base import Report
from partimento.score import Score

MADE = 1                # counted up when an index is made otherwise than before


def indexes_of(reference: str | os.PathLike[str] | None = None, *, workers: int | None = None,
               report: Report | None = None) -> tuple[Index, ...]:
    """The indexes of a reference: an index file, a checkpoint that has some, or a corpus (a folder, archive or book).

    Without a reference those of the bundled checkpoint. One made of a corpus is kept beside the other caches, by what
    the corpus holds. ReadError where there is none to be had.
    """
    place = checkpoint.bundled() if reference is None else Path(reference)
    if _start(place) == MAGIC:
        return (open_index(place),)
    if reference is None or place.suffix == checkpoint.SUFFIX:
        found = checkpoint.load(place).index_places()
        if not found:
            which = "the bundled checkpoint" if reference is None else f"the checkpoint {place}"
            raise ReadError(f"to compare with, a checkpoint must have an index; {which} has none: give a corpus, or a "
                            "checkpoint trained with one, as --reference")
        return tuple(open_index(place, *one) for one in found)
    return (index_of_corpus(load(place, valid_share=0, workers=workers, progress=report), report),)


def index_of_corpus(corpus: Corpus, report: Report | None = None) -> Index:
    """The index of the pieces of a corpus that may teach, made once and then kept beside the other caches."""
    kept = cache.root() / "indexes" / f"{MADE}-{corpus.fingerprint}.index"
    if kept.is_file():
        with contextlib.suppress(ReadError):
            return open_index(kept)
    data = corpus_index(corpus.train, report=report)
    with contextlib.suppress(WriteError):
        write_bytes(kept, data, parents=True)
    return read_index(data)


def pieces_of(places: Sequence[str | os.PathLike[str]], *, workers: int | None = None,
              report: Report | None = None) -> Iterator[tuple[str, Score]]:
    """The pieces to judge by their names: files, and all that folders and archives hold; ReadError where one cannot."""
    for given in places:
        place = Path(given)
        if place.is_dir() or kind_of(place.name) is None:
            corpus = load(place, valid_share=0, near="ignore", workers=workers, progress=report)
            yield from ((f"{place.name}/{piece.id}", piece.score) for piece in corpus.train)
        else:
            yield place.name, read(place)


def _start(place: Path) -> bytes:
    try:
        with open(place, "rb") as file:
            return file.read(len(MAGIC))
    except OSError:                                     # a folder, or nothing: the reader of corpora says which
        return b""
