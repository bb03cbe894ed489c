"""What a MIDI file keeps of a Score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from partimento.errors import WriteError
from partimento.formats import midi_text
from partimento.formats.midi_events import MAX_TRACKS
from partimento.formats.midi_read import TEXT_KINDS
from partimento.notation.play import played
from partimento.score import MAX_TICK, OPTIONAL_COLUMNS, Controls, Mark, Score, Tempo, Text, Track

_KINDS = frozenset(TEXT_KINDS.values())


def keep(score: Score) -> Score:
    """Return what a MIDI file keeps of a Score; ``parse(dumps(score)).score == keep(score)``.

    A MIDI file is what is played: repeats are unfolded and grace notes given their time (`notation.play.played`).
    Lost are voice, staff, spelling, chord symbols, marks other than markers and sections, and whatever stands after
    the end. Overlapping notes of one pitch in one track end in the order in which they began. WriteError for a
    meter that MIDI cannot hold.
    """
    score = played(score)
    if len(score.tracks) >= MAX_TRACKS:
        raise WriteError(f"a MIDI file must have fewer than {MAX_TRACKS} parts; this piece has {len(score.tracks)}")
    for meter in score.meters:
        if not (1 <= meter.numerator <= 255 and meter.denominator in (1, 2, 4, 8, 16, 32, 64, 128)):
            raise WriteError("a MIDI meter must be a count of 1 to 255 over a power of two up to 128; this piece has "
                             f"{meter.numerator}/{meter.denominator}")
    end, count = score.end, len(score.tracks)
    order = np.lexsort([score.onset, score.pitch, score.track])
    by_end = np.lexsort([score.offset, score.pitch, score.track])
    finish = np.empty(len(score), np.int32)
    finish[order] = score.offset[by_end]
    first = np.full(count, MAX_TICK, np.int64)
    np.minimum.at(first, score.track, score.onset)
    controls, programs = _kept_controls(score, first)
    known = riding(score).get("raw", {})
    return score.replace(
        duration=finish - score.onset, **dict.fromkeys(OPTIONAL_COLUMNS), chords=(), controls=controls,
        meters=tuple(m for m in score.meters if m.tick <= end),
        tempos=tuple(Tempo(t.tick, min(max(t.us_per_quarter, 1), 0xFFFFFF)) for t in score.tempos if t.tick <= end),
        keys=tuple(dict.fromkeys(k._replace(fifths=min(max(k.fifths, -7), 7), mode=k.mode or "major")
                                 for k in score.keys if 0 <= k.tick <= end)),
        marks=tuple(Mark(m.tick, "marker", _kept_text(m.text, known)) for m in score.marks
                    if m.kind in ("marker", "section") and 0 <= m.tick <= end),
        tracks=tuple(Track(_kept_text(t.name, known), program, t.is_drum)
                     for t, program in zip(score.tracks, programs, strict=True)),
        texts=tuple(sorted((Text(t.tick, t.track if 0 <= t.track < count else -1,
                                 t.kind if t.kind in _KINDS else "text", _kept_text(t.text, known))
                            for t in score.texts if 0 <= t.tick <= end), key=lambda t: t[:2])))


def _kept_text(text: str, known: Mapping[str, bytes]) -> str:
    return midi_text.decode(midi_text.encode(text, known))


def _kept_controls(score: Score, first: npt.NDArray[np.int64]) -> tuple[Controls, list[int]]:
    """The channel messages as they are read back, and the program of every track."""
    rows = score.controls.rows()
    kinds = (0xA0, 0xB0, 0xC0, 0xD0, 0xE0)
    rows = rows[np.isin(rows[:, 2], kinds) & (rows[:, 1] >= 0) & (rows[:, 1] < len(first))
                & (rows[:, 0] >= 0) & (rows[:, 0] <= score.end)]
    rows = rows[np.lexsort([rows[:, 1], rows[:, 0]])]
    bends = rows[:, 2] == 0xE0
    rows[:, 4] = np.where(bends, np.clip(rows[:, 4], -8192, 8191), np.clip(rows[:, 4], 0, 127))
    rows[:, 3] = np.where((rows[:, 2] == 0xA0) | (rows[:, 2] == 0xB0), np.clip(rows[:, 3], 0, 127), 0)
    programs = [min(max(track.program, 0), 127) for track in score.tracks]
    early = np.flatnonzero((rows[:, 2] == 0xC0) & (rows[:, 0] <= first[rows[:, 1]]))
    said = np.bincount(rows[early, 1], minlength=len(first))
    for row in early:
        programs[rows[row, 1]] = int(rows[row, 4])
    return Controls.of(np.delete(rows, early[said[rows[early, 1]] == 1], axis=0).tolist()), programs


def riding(score: Score) -> Mapping[str, Any]:
    """Return what a MIDI file gave the Score to carry along, or nothing."""
    found = score.extras.get("midi", {})
    return found if isinstance(found, Mapping) else {}
