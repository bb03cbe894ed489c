"""Whether a file of music is still what its record says, whether that is as it was written, and whose it is."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

from partimento import formats, generate
from partimento.errors import PartimentoError, RequestError
from partimento.formats.reading import DEFAULT_MAX_NOTES
from partimento.provenance.hands import compared, record_inside
from partimento.provenance.kept import Changes, differences
from partimento.provenance.record import Record, is_sidecar, read_record, sidecar_of, write_record
from partimento.provenance.signing import key_of, sign_record, signature_holds
from partimento.score import Score

STATES = ("valid", "unsigned", "changed", "another key", "edited record", "another piece", "no record")
OTHER_PIECE = 0.1       # where less of what is recorded stands than this share, the record is of another piece


class Checked(NamedTuple):
    """What `verify` found: one of STATES, in words, with the record, what differs, and the key that signed (hex)."""

    state: str
    said: str
    record: Record | None = None
    changes: Changes | None = None
    key: str = ""
    ok: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON has it."""
        found = self.changes or Changes((), {}, (), 1.0)
        return {"state": self.state, "ok": self.ok, "said": self.said, "key": self.key or None,
                "bars": {track: list(bars) for track, bars in found.bars.items()}, "gone": list(found.gone),
                "parts": list(found.parts)}


def verify(path: str | os.PathLike[str], *, sidecar: str | os.PathLike[str] | None = None,
           key: str | os.PathLike[str] | None = None, max_notes: int = DEFAULT_MAX_NOTES) -> Checked:
    """Whether the music in a file is as recorded: `sidecar`, else the record beside it, else the one inside it.

    ``valid``: unchanged, under a signature that holds; by `key` (a file with a public or private key), where one is
    given. Without `key` anyone could have signed: whose key it is, is yours to compare. ``unsigned``: unchanged, and
    nothing says by whose word; `ok` unless a key was asked for. All other STATES are not `ok`. What a file adds for
    itself (the settings, the record inside) counts as no change, but settings that are not those of the record do.
    A kind of file that was not recorded (one converted later) is compared by where notes begin and their pitches: of
    music on a grid that tells it; of performed music, which a page snaps, verify the MIDI file.
    ReadError for a damaged record or no music, RequestError without the extra ``sign`` where something is signed.

    >>> import tempfile
    >>> from partimento import compose, output
    >>> place = output.write(compose(model="random", bars=2, seed=1), tempfile.mkdtemp() + "/tune.mid")[0]
    >>> verify(place).said
    'unsigned: unchanged, but nobody signed it'
    """
    if is_sidecar(path):
        raise RequestError(f"{os.fspath(path)}: verify must be given the music; this is the record: name the file "
                           "beside it")
    data, suffix, reading = formats.read_raw(path, max_notes=max_notes)
    score = reading.score
    place = sidecar_of(path) if sidecar is None else sidecar
    record = read_record(place) if sidecar is not None or sidecar_of(path).is_file() else record_inside(score)
    if record is None:
        return Checked("no record", f"no record: neither beside this file ({sidecar_of(path).name}) nor inside it")
    signer = record.signature.key if record.signature else ""
    if not record.whole:
        return Checked("edited record", "edited record: its sha256 is not that of its content, so nothing it says can "
                       "be trusted", record)
    if record.signature and not signature_holds(record):
        return Checked("edited record", "edited record: the signature under it is not over what it says", record)
    wanted = key_of(key) if key is not None else ""
    if wanted and signer and wanted != signer:
        return Checked("another key", f"another key: it is signed by {signer[:16]}…, not by {wanted[:16]}…", record,
                       key=signer)
    untouched = record.files.get(suffix.lower()) == hashlib.sha256(data).hexdigest()
    now, recorded, same_kind = compared(record, score, formats.kind_of(path) or "midi")
    differ = Changes((), {}, (), 1.0) if untouched or (same_kind and now.content == recorded.content) else \
        differences(recorded, now, begins_only=not same_kind)
    if not _same_settings(score, record):
        differ = differ._replace(parts=(*differ.parts, "settings"))
    kind = formats.kind_of(path)
    if same_kind and differ.same < OTHER_PIECE:
        return Checked("another piece", "another piece: next to no bar of this file is in the record; it is the record "
                       "of another piece, or all was written anew", record, differ, signer)
    if differ:
        far = "" if same_kind else f"; no {kind} file was recorded, and to convert a piece can change its notes too"
        return Checked("changed", f"changed: {differ.text()}{far}", record, differ, signer)
    far = "" if same_kind else ("; only where notes begin and their pitches were compared, since no "
                                f"{kind} file was recorded")
    if not signer:
        return Checked("unsigned", f"unsigned: unchanged, but nobody signed it{far}", record, differ, ok=not wanted)
    whose = "by that key" if wanted else f"by the key {signer[:16]}…; give --key to know whose"
    return Checked("valid", f"valid: unchanged, and signed {whose}{far}", record, differ, signer, ok=True)


def sign(path: str | os.PathLike[str], key: str | os.PathLike[str], *, password: str | None = None) -> Path:
    """Sign the record of a file of music with a private key, write it beside the file, and return its path.

    RequestError where there is no record, or the music or the record is not as it was written.
    """
    found = verify(path)
    if found.record is None or found.state not in ("valid", "unsigned"):
        raise RequestError(f"{os.fspath(path)}: a piece must be as it was recorded to be signed; {found.said}")
    return write_record(sign_record(found.record, key, password=password), sidecar_of(path))


def _same_settings(score: Score, record: Record) -> bool:
    """Whether the settings inside a file, where it has any, are those of the record."""
    if not any(text.track == -1 and text.text.startswith(generate.STAMP) for text in score.texts):
        return True
    try:
        inside = generate.stamp_of(score)
    except PartimentoError:
        return False
    return record.request in (inside, inside.replace(input=None))
