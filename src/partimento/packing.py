"""A whole Score as bytes and back: what a replayable Request carries, and what travels between processes."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from partimento.score import (
    NOTE_COLUMNS,
    OPTIONAL_COLUMNS,
    Chord,
    Controls,
    Key,
    Mark,
    Meter,
    Score,
    Tempo,
    Text,
    Track,
)

_LISTS: dict[str, Any] = {"meters": Meter, "tempos": Tempo, "keys": Key, "chords": Chord, "marks": Mark,
                          "tracks": Track, "texts": Text}


def pack(score: Score, *, extras: bool = True) -> bytes:
    """The bytes of a Score: a JSON head, then its columns (as differences) and its controls, all int32.

    Without `extras` those do not travel.

    >>> unpack(pack(Score(onset=[0], duration=[1], pitch=[60], velocity=[64], track=[0]))).pitch.tolist()
    [60]
    """
    columns = [name for name in NOTE_COLUMNS + OPTIONAL_COLUMNS if getattr(score, name) is not None]
    head = {"ticks_per_quarter": score.ticks_per_quarter, "end": score.end, "columns": columns, "notes": len(score),
            "controls": len(score.controls), "extras": _plain(score.extras if extras else {}),
            **{name: getattr(score, name) for name in _LISTS}}
    header = json.dumps(head, separators=(",", ":"), sort_keys=True, default=int).encode()
    body = [np.diff(getattr(score, name), prepend=0).astype("<i4").tobytes() for name in columns]
    return b"".join([struct.pack("<I", len(header)), header, *body, score.controls.rows().astype("<i4").tobytes()])


def unpack(data: bytes) -> Score:
    """The Score that `pack` wrote; of damaged bytes one of the plain errors of Python (ValueError, KeyError, ...)."""
    (size,) = struct.unpack_from("<I", data)
    head = json.loads(data[4:4 + size])
    n, at = head["notes"], 4 + size
    fields: dict[str, Any] = {name: tuple(kind(*row) for row in head[name]) for name, kind in _LISTS.items()}
    for name in head["columns"]:
        fields[name] = np.cumsum(np.frombuffer(data, "<i4", n, at)).astype(np.int32)
        at += 4 * n
    rows = np.frombuffer(data, "<i4", 5 * head["controls"], at).reshape(-1, 5)
    return Score(**fields, ticks_per_quarter=head["ticks_per_quarter"], end=head["end"],
                 controls=Controls(*(rows[:, i] for i in range(5))), extras=_unplain(head["extras"]))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"__bytes__": base64.b85encode(value).decode("ascii")}
    if isinstance(value, Mapping):
        return {"__map__": [[_plain(k), _plain(v)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value] if isinstance(value, list) else {"__tuple__": [_plain(v) for v in value]}
    return value.item() if isinstance(value, np.generic) else value


def _unplain(value: Any) -> Any:
    if isinstance(value, list):
        return [_unplain(v) for v in value]
    if isinstance(value, dict):
        if "__bytes__" in value:
            return base64.b85decode(value["__bytes__"])
        if "__tuple__" in value:
            return tuple(_unplain(v) for v in value["__tuple__"])
        return {_unplain(k): _unplain(v) for k, v in value["__map__"]}
    return value
