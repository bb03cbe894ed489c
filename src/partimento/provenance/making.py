"""The record of a Result and of the files written of it, and the settings found again from either."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from partimento import __version__, formats, generate
from partimento.checkpoint import Loaded, family_name
from partimento.errors import RequestError, WriteError
from partimento.provenance.hands import (
    COMPOSED,
    PERFORMED,
    SUFFIX_OF,
    earlier,
    found_record,
    hands_of,
    past_of,
    record_inside,
)
from partimento.provenance.kept import MARK, Kept, differences, kept_of
from partimento.provenance.record import Record, compact, is_sidecar, read_record, sidecar_of
from partimento.request import Request, Result
from partimento.score import Score, Text

PAST = "past"       # the entry of Result.maker that says who made the piece worked on
_TAUGHT = {"fingerprint": "corpus", "licences": "licences", "pieces": "pieces", "notes": "notes", "base": "base",
           "rights": "rights", "versions": "by"}


def taught_by(loaded: Loaded) -> dict[str, Any]:
    """What is known of a checkpoint, JSON-ready, for `Result.maker`: its family, its hash, and what taught it.

    ``learnt`` holds the fingerprint of the music (``corpus``), the sha256 of the list of its files (``ledger``), how
    many of them stand under which of the ``licences``, and what else the checkpoint says of them.
    """
    found = {name: loaded.record.get(key) for key, name in _TAUGHT.items()} | {"ledger": loaded.ledger_hash()}
    return {"family": family_name(type(loaded.model)), "checkpoint": loaded.hash,
            "learnt": {name: value for name, value in found.items() if value}}


def attributed(results: Sequence[Result], maker: Mapping[str, Any], music: Score | str | os.PathLike[str] | None = None
               ) -> list[Result]:
    """The Results with what is known of their model, and of the piece that they were made from, if any."""
    told = maker_of(maker, music)
    return [dataclasses.replace(result, maker=told) for result in results]


def maker_of(maker: Mapping[str, Any], music: Score | str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """`Result.maker`: what is known of a model, and who made the bars of the piece that it works on, if any."""
    past = past_of(music) if music is not None else {}
    return {**maker, **({PAST: past} if past else {})}


def replayed(result: Result, piece: Score | str | os.PathLike[str]) -> Result:
    """A Result that was made again from `piece`, with what the record of that, if any, says of the bars before it."""
    if isinstance(piece, Score):
        record = record_inside(piece)
    else:
        record = read_record(piece) if is_sidecar(piece) else found_record(piece)
    if record is None or not record.whole or result.request.input is None:
        return result
    return dataclasses.replace(result, maker={**result.maker, PAST: earlier(record, result.score)})


def request_of(music: Score | str | os.PathLike[str]) -> Request:
    """The settings from which a piece is made again: inside the file, or in the record beside it, or in that record.

    RequestError where there are none, or the record was edited.
    """
    if isinstance(music, Score):
        return generate.stamp_of(music)
    record = None
    if not is_sidecar(music):
        score = formats.read(music)
        if any(text.text.startswith(generate.STAMP) and text.track == -1 for text in score.texts) or \
                not sidecar_of(music).is_file():
            return generate.stamp_of(score)
    record = read_record(sidecar_of(music))
    if not record.whole:
        raise RequestError(f"{sidecar_of(music)}: a record must be as it was written to be replayed; this one was "
                           "edited: its sha256 is not that of its content")
    return record.request


def record_of(result: Result, files: Mapping[str, bytes] | None = None) -> Record:
    """The record of a Result and of the `files` of music written of it: their bytes by suffix.

    The hashes of a MIDI file are there even where none was written, so that a piece that is converted can be checked.
    The same Result and files give the same record.

    >>> from partimento.generate import generate as make
    >>> from partimento.models.random import Random
    >>> record = record_of(make(Request(bars=4), Random())[0])
    >>> record.steps[0]["by"], record.hands[0].runs[0][:2], record.whole
    ('composed', (1, 4), True)
    """
    request, maker = result.request, dict(result.maker)
    past = maker.pop(PAST, {})
    known = {"model": request.model, "checkpoint": request.model_hash}
    maker = {**{name: value for name, value in known.items() if value is not None}, **maker}
    by = PERFORMED if request.verb == "humanize" else COMPOSED
    step = {"by": by, "verb": request.verb, "place": request.place, "model": request.model,
            "checkpoint": request.model_hash, "seed": request.seed, "index": request.index, "partimento": __version__}
    steps, hands = hands_of(result, {name: value for name, value in step.items() if value is not None}, past)
    kept: dict[str, Kept] = {}
    for suffix, data in (files or {}).items():
        kind = formats.kind_of(f"piece{suffix}")
        kept[kind] = kept.get(kind) or kept_of(formats.parse(data, suffix).score)
    if "midi" not in kept:
        try:
            kept["midi"] = kept_of(formats.keep(generate.stamped(result), ".mid"))
        except WriteError:      # a meter that no MIDI file can say
            kept = kept or {"musicxml": kept_of(formats.keep(result.score, ".musicxml"))}
    return Record(partimento=__version__, platform=result.platform, maker=_plain(maker, "what is known of a model"),
                  request=request, originality=_plain(result.originality, "what is known of originality"), steps=steps,
                  hands=hands, kept=dict(sorted(kept.items())),
                  files={suffix: hashlib.sha256(data).hexdigest() for suffix, data in sorted((files or {}).items())})


def joined(record: Record, older: Record) -> Record:
    """The record of a piece with the files that an older record of the very same piece names besides.

    Of another piece, or edited since, the older one adds nothing; where nothing is new it stays, signature and all.
    """
    bare = [one.replace(files={}, kept={}).message() for one in (record, older)]
    if not older.whole or bare[0] != bare[1]:
        return record
    both = record.replace(files=dict(sorted({**older.files, **record.files}.items())),
                          kept=dict(sorted({**older.kept, **record.kept}.items())))
    return older if both.message() == older.message() else both


def music_of(result: Result, text: str | None = None) -> Score:
    """The Score that is written of a Result: with its settings, and the `text` of a record where one is given.

    The record of the piece that it was made from does not go with it.
    """
    score = generate.stamped(result)
    texts = tuple(t for t in score.texts if not (t.track == -1 and t.text.startswith(MARK)))
    return score.replace(texts=(*texts, Text(0, -1, "text", text)) if text is not None else texts)


def recorded_so(record: Record, result: Result) -> tuple[bool, bool]:
    """Whether a Result gives a file of the same bytes as one that is recorded, and whether it has the same notes."""
    score, same_bytes = music_of(result), False
    for suffix, sha in record.files.items():
        own = text_of(inside_of(record, suffix))
        same_bytes |= sha in [hashlib.sha256(formats.to_bytes(music, suffix)).hexdigest()
                              for music in (score, music_of(result, own))]
    kind = "midi" if "midi" in record.kept else next(iter(record.kept))
    differ = differences(record.kept[kind], kept_of(formats.keep(score, SUFFIX_OF[kind])))
    return same_bytes, same_bytes or not (differ.bars or differ.gone)


def inside_of(record: Record, suffix: str) -> Record:
    """What of a record goes into a file with that suffix: without the input, which stands in the settings there."""
    kind = formats.kind_of(f"piece{suffix}")
    return record.replace(request=record.request.replace(input=None), files={},
                          kept={name: kept for name, kept in record.kept.items() if name == kind})


def text_of(record: Record) -> str:
    """The text of a record inside a file."""
    return MARK + record.to_line()


def _plain(value: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The mapping as JSON gives it back; RequestError where it holds what JSON cannot."""
    try:
        found: dict[str, Any] = json.loads(compact(dict(value)))
    except (TypeError, ValueError) as error:
        raise RequestError(f"{what} must be JSON-ready; {error}") from None
    return found
