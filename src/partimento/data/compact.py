"""A Score as plain bytes and back, without `extras`: what travels between a reading process and the one that asked."""

from __future__ import annotations

import json
import struct
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


def pack(score: Score) -> bytes:
    """The bytes of a Score: a JSON head, then its columns and controls as int32.

    >>> unpack(pack(Score(onset=[0], duration=[1], pitch=[60], velocity=[64], track=[0]))).pitch.tolist()
    [60]
    """
    columns = [name for name in NOTE_COLUMNS + OPTIONAL_COLUMNS if getattr(score, name) is not None]
    head = json.dumps({"tpq": score.ticks_per_quarter, "end": score.end, "columns": columns, "notes": len(score),
                       "controls": len(score.controls), **{name: getattr(score, name) for name in _LISTS}}).encode()
    body = [getattr(score, name).astype("<i4").tobytes() for name in columns]
    return b"".join([struct.pack("<I", len(head)), head, *body, score.controls.rows().astype("<i4").tobytes()])


def unpack(data: bytes) -> Score:
    """The Score that `pack` wrote."""
    (size,) = struct.unpack_from("<I", data)
    head = json.loads(data[4:4 + size])
    n, k, at = head["notes"], len(head["columns"]), 4 + size
    table = np.frombuffer(data, "<i4", k * n, at).reshape(k, n)
    rows = np.frombuffer(data, "<i4", 5 * head["controls"], at + 4 * k * n).reshape(-1, 5)
    fields: dict[str, Any] = dict(zip(head["columns"], table, strict=True))
    fields |= {name: tuple(kind(*entry) for entry in head[name]) for name, kind in _LISTS.items()}
    return Score(**fields, ticks_per_quarter=head["tpq"], end=head["end"],
                 controls=Controls(*(rows[:, i] for i in range(5))))
