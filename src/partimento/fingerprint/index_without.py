"""An index with some of its pieces left out."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np

from partimento.fingerprint.index import _TYPES, STRIDE, _write, keys_at, read_index


def without_pieces(data: bytes, notes: Mapping[str, int]) -> bytes:
    """The index without the pieces of these names, each given with how many notes it has; as `build_index` gives it.

    How much the pieces borrow from one another (`with_borrowing`) stays as it was measured.

    >>> from partimento.fingerprint.index import build_index
    >>> from partimento.score import Score
    >>> without_pieces(build_index([("a", Score()), ("b", Score())]), {"b": 0}) == build_index([("a", Score())])
    True
    """
    index = read_index(data)
    names = [index.name(i) for i in range(index.pieces)]
    stay = np.array([name not in notes for name in names], bool)
    if stay.all():
        return data
    left, gone = np.flatnonzero(stay).tolist(), [names[i] for i in np.flatnonzero(~stay)]
    strands = stay[index.piece] if len(index.piece) else np.zeros(0, bool)
    lengths = np.diff(np.append(index.first, len(index.pitch)))
    kept = np.repeat(strands, lengths)
    moved = np.cumsum(kept) - 1
    pitch, places = index.pitch[kept], np.asarray(index.places)
    places = moved[places[kept[places]]] if len(kept) else places
    said = [np.frombuffer(names[i].encode(), np.uint8) for i in left]
    ends = np.append(0, index._bar_end).astype(np.int64)
    bars = [index._bars[ends[i]:ends[i + 1]].ravel() for i in left]
    small = {
        "pitch": pitch, "time": index.time[kept], "places": places, "sample": keys_at(pitch, places[::STRIDE])
        if len(places) else np.zeros(0), "first": np.cumsum(lengths[strands]) - lengths[strands],
        "begin": index.begin[strands], "piece": (np.cumsum(stay) - 1)[index.piece[strands]],
        "names": np.concatenate([np.zeros(0, np.uint8), *said]),
        "name_end": np.cumsum([len(name) for name in said]),
        "bars": np.concatenate([np.zeros(0), *bars]), "bar_end": np.cumsum([len(rows) // 3 for rows in bars]),
        "borrowing": index.borrowing if len(index.borrowing) else np.full(101, np.nan),
    }
    out = io.BytesIO()
    _write(out, {}, {name: array.astype(_TYPES[name]) for name, array in small.items()},
           {"pieces": len(left), "notes": index.notes - sum(notes[name] for name in gone)})
    return out.getvalue()
