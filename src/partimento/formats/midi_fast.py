"""MIDI files for corpora, through symusic: notes and frame only, many times quicker than the careful reader."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from partimento.errors import PartimentoError
from partimento.formats.midi_read import parse
from partimento.score import Key, Meter, Score, Tempo, Track


def parse_fast(data: bytes) -> Score:
    """Return the notes, tracks, meters, tempos and keys of a MIDI file; ReadError as `parse`.

    The notes of every track are those of `parse`, but for notes that never end, which are left out; tracks without
    notes, controllers, words and `extras` are left out too, and the piece ends with its last note. Whatever is not a
    plain, whole file of type 0 or 1 goes through `parse`.
    """
    if _is_plain(data):
        import symusic

        try:
            score = _converted(symusic.Score.from_midi(data))
        except (RuntimeError, ValueError, MemoryError, PartimentoError):
            score = None
        if score is not None:
            return score
    return _notes_alone(parse(data).score)


def _is_plain(data: bytes) -> bool:
    """Whether the chunks fit exactly and each ends with its end-of-track event, on one clock of ticks a quarter."""
    if len(data) < 22 or data[:8] != b"MThd\0\0\0\6" or data[8] or data[9] > 1 or data[12] > 127 \
            or data[12:14] == b"\0\0":
        return False
    at = 14
    count = 0
    while at < len(data):
        size = int.from_bytes(data[at + 4:at + 8], "big")
        stop = at + 8 + size
        if data[at:at + 4] != b"MTrk" or size < 4 or stop > len(data) or data[stop - 3:stop] != b"\xff\x2f\0":
            return False
        at, count = stop, count + 1
    return count == int.from_bytes(data[10:12], "big") and data.count(b"\xff\x21\1") <= count


def _converted(found: Any) -> Score | None:
    """A symusic Score as ours; None where its tracks may be one part cut in two by a change of program, or where a
    name was not UTF-8 and lost letters."""
    tracks = [track for track in found.tracks if len(track.notes)]
    if any("\ufffd" in track.name for track in tracks):
        return None
    for one, other in itertools.pairwise(tracks):
        if one.name == other.name and one.program < other.program and one.is_drum == other.is_drum:
            return None
    columns: dict[str, Any] = {}
    if tracks:
        notes = [track.notes.numpy() for track in tracks]
        for ours, theirs in (("onset", "time"), ("duration", "duration"), ("pitch", "pitch"), ("velocity", "velocity")):
            columns[ours] = np.concatenate([each[theirs] for each in notes])
        columns["track"] = np.repeat(np.arange(len(notes)), [len(each["time"]) for each in notes])
    return Score(
        **columns, ticks_per_quarter=found.ticks_per_quarter,
        meters=tuple(Meter(m.time, m.numerator, m.denominator) for m in found.time_signatures),
        tempos=tuple(Tempo(t.time, t.mspq) for t in found.tempos if t.mspq > 0),
        keys=tuple(dict.fromkeys(Key(k.time, k.key, "minor" if k.tonality else "major")
                                 for k in found.key_signatures if abs(k.key) <= 7)),
        tracks=tuple(Track(track.name, track.program, track.is_drum) for track in tracks))


def _notes_alone(score: Score) -> Score:
    """What `parse_fast` gives of a Score that was read with care."""
    used = np.unique(score.track)
    return Score(onset=score.onset, duration=score.duration, pitch=score.pitch, velocity=score.velocity,
                 track=np.searchsorted(used, score.track).astype(np.int32), ticks_per_quarter=score.ticks_per_quarter,
                 meters=score.meters, tempos=score.tempos, keys=score.keys,
                 tracks=tuple(score.tracks[i] for i in used.tolist()))
