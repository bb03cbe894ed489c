"""A melody harmonised in four parts: a chord a beat, a cadence at every fermata, voices, then light figuration."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento import theory
from partimento.errors import ModelError
from partimento.features import key_strengths, phrases
from partimento.models.rules.degrees import Table
from partimento.models.rules.figuration import Line, figured
from partimento.models.rules.grammar import Evidence, progression
from partimento.models.rules.plan import Phrase, RomanChord, Slot
from partimento.models.rules.voicing import VoicePart, voice
from partimento.score import Chord, Score, Track
from partimento.theory import KeyName

VOICES = (VoicePart("soprano", 57, 81), VoicePart("alto", 55, 74), VoicePart("tenor", 48, 69),
          VoicePart("bass", 40, 62))
CHANCES: Mapping[str, float] = {"passing": 0.7, "neighbour": 0.06, "suspension": 0.6, "bass_passing": 0.8,
                                "bass_neighbour": 0.08, "bass_suspension": 0.0}
TEMPERATURE = 0.5
LEAST_ROOM = 5           # semitones that must lie free between the melody and the lowest pitch of each lower part

# Nats against a chord that lacks a sung pitch, by how the note stands: where a phrase rests, on the beat, after it; and
# of those, passing, come to or left by step, or by leaps alone.
AT_REST, ON_BEAT, ACCENTED_PASSING = 25.0, 9.0, 3.5
OFF_PASSING, OFF_STEP, OFF_LEAP = 0.2, 1.5, 4.0


class Chorale(NamedTuple):
    """A harmonised melody: the page, and what it was made by: slots, a harmony and a row of pitches each (int64[T, 4]),
    and the figures as (slot, voice, kind)."""

    score: Score
    slots: tuple[Slot, ...]
    harmonies: tuple[RomanChord, ...]
    pitches: npt.NDArray[np.int64]
    figures: tuple[tuple[int, int, str], ...]


def harmonise(score: Score, track: int = 0, *, parts: Sequence[VoicePart] = VOICES, key: KeyName | None = None,
              given: Sequence[Chord] = (), table: Table | None = None, rng: np.random.Generator | None = None,
              temperature: float = TEMPERATURE, chances: Mapping[str, float] = CHANCES) -> Chorale:
    """Return the melody of a track in four parts (or as many as `parts` names, the melody's own first).

    The melody comes back note for note, in its own metre; fermatas end its phrases, or where there are none what
    `features.phrases` hears. Its key is the one written or heard, or `key`. The lower parts move by octaves with a
    melody that lies elsewhere than a soprano. Without `rng` the best page is found, with it another good one a seed.
    ModelError where the track has no melody, more than one note at a time for most of it, or no room below it.

    >>> tune = Score.from_rows([(480 * k, 480, p, 80, 0) for k, p in enumerate([67, 69, 71, 72])])
    >>> made = harmonise(tune)
    >>> [harmony.degree for harmony in made.harmonies][-1], len(made.score.tracks)
    ('I', 4)
    """
    line = melody_line(score, track)
    home = key or melody_key(score, line)
    slots, spans = melody_slots(score, line, home, track)
    own = _fit_parts(parts, line)
    evidence = melody_evidence(line, slots)
    harmonies = progression(spans, slots, evidence=evidence, given=given, table=table, rng=rng,
                            temperature=temperature)
    kept = {0: list(zip(evidence.first.tolist(), evidence.last.tolist(), strict=True))}
    pitches = voice(harmonies, own, kept, rng=rng)
    page = figured(slots, harmonies, pitches, {0: line}, chances, rng, [(part.low, part.high) for part in own])
    attacks = {note[0] for note in line}
    rows = score.select(score.track == track).notes()
    rows = rows[np.isin(rows[:, 0], sorted(attacks))] if len(rows) > len(line) else rows
    rows[:, 4] = 0
    lower = [(start, end - start, pitch, 76, v) for v, voice_line in enumerate(page.lines) if v
             for start, end, pitch in _tied(voice_line, attacks)]
    program = score.tracks[track].program
    tracks = (score.tracks[track]._replace(name=score.tracks[track].name or own[0].name),
              *(Track(part.name, program) for part in own[1:]))
    texts = tuple(text._replace(track=0) if text.track == track else text for text in score.texts
                  if text.track in (-1, track))
    made = score.without_notes().replace(
        tracks=tracks, texts=texts, controls=type(score.controls).empty(), extras={}, voice=None, staff=None,
        spelling=None, grace=None).with_rows([*rows.tolist(), *lower])
    return Chorale(made, tuple(slots), tuple(harmonies), pitches, page.figures)


def melody_line(score: Score, track: int) -> Line:
    """Return the melody of a track as (onset, end, pitch), the highest note of each onset, each up to the next.

    ModelError where the track has no notes, is a drum kit, or is not one line: more than a quarter of it in chords.
    """
    if not 0 <= track < len(score.tracks):
        raise ModelError(f"a melody must stand in one of the tracks 0 to {len(score.tracks) - 1}; got {track}")
    name = score.tracks[track].name or f"track {track}"
    own = np.flatnonzero((score.track == track) & (score.duration > 0))
    if score.tracks[track].is_drum or not len(own):
        raise ModelError(f"{name!r} must hold a melody to be harmonised; "
                         f"it {'is a drum kit' if score.tracks[track].is_drum else 'has no notes'}")
    out: Line = []
    for i in own.tolist():
        note = (int(score.onset[i]), int(score.offset[i]), int(score.pitch[i]))
        if out and out[-1][0] == note[0]:
            out[-1] = note
        else:
            if out and out[-1][1] > note[0]:
                out[-1] = (out[-1][0], note[0], out[-1][2])
            out.append(note)
    if len(out) < 0.75 * len(own):
        raise ModelError(f"a melody to be harmonised must be one line; {name!r} has {len(own)} notes at {len(out)} "
                         "onsets: give its highest line alone")
    return out


def melody_key(score: Score, line: Line) -> KeyName:
    """Return the key of a melody: how its notes fit, the signature written, and its last note, most often home.

    >>> melody_key(Score(), [(0, 4, 62), (4, 8, 64), (8, 12, 66), (12, 20, 62)])
    KeyName(tonic=2, mode='major')
    """
    heard = np.zeros(12)
    for start, end, pitch in line:
        heard[pitch % 12] += end - start
    strengths = key_strengths(heard)
    last = line[-1][2] % 12
    written = score.key_at(line[0][0])
    best, found = -np.inf, KeyName(last, "major")
    for k, strength in enumerate(strengths.tolist()):
        tonic, mode = k % 12, "major" if k < 12 else "minor"
        third = (tonic + (4 if mode == "major" else 3)) % 12
        worth = strength + (0.35 if last == tonic else 0.15 if last in (third, (tonic + 7) % 12) else 0.0)
        if written is not None and theory.fifths(tonic, mode) % 12 == written.fifths % 12:
            worth += 0.25 + (0.35 if written.mode == mode else 0.0)
        if worth > best:
            best, found = worth, KeyName(tonic, mode)
    return found


def melody_slots(score: Score, line: Line, home: KeyName, track: int = 0) -> tuple[list[Slot], list[Phrase]]:
    """Return a slot a beat under a melody, a note under a fermata as one slot, and the phrases that they make up.

    Where the melody is silent for a whole beat there is no slot. Every phrase has the cadence ``?``.
    """
    cuts, held = _beats(score, line), _ends(score, line, track)
    whole = {start: end for start, end, _ in line}
    ends = sorted(start for start in held if start in whole)
    for start in ends:
        cuts = {cut for cut in cuts if not start < cut < whole[start]} | {start, whole[start]}
    edges = sorted(cut for cut in cuts if line[0][0] <= cut <= line[-1][1])
    slots: list[Slot] = []
    phrase, n = 0, 0
    for start, end in pairwise(edges):
        while n < len(line) and line[n][1] <= start:
            n += 1
        if n == len(line) or line[n][0] >= end:
            continue
        arrival = start in held
        slots.append(Slot(start, end, _accent(score, start), phrase, arrival))
        phrase += arrival
    if slots[-1].phrase == phrase and not slots[-1].arrival:
        slots[-1] = slots[-1]._replace(arrival=True)
    last = slots[-1].phrase
    spans = [Phrase("", 0, 0, "?", home.tonic, home.mode) for _ in range(last + 1)]
    return slots, spans


def sung_phrases(score: Score, line: Line, slots: Sequence[Slot], home: KeyName, closed: bool, track: int = 0,
                 beside: Sequence[tuple[int, int, int]] = ()) -> tuple[list[Slot], list[Phrase]]:
    """Return slots that are there already, such as half bars, told off to the phrases of a melody over them.

    A phrase arrives in the slot in which its last note begins and has the cadence ``?``; the last one is asked for a
    close where the piece is `closed`, and arrives where its last bar comes home for good, the other notes that are
    kept there (`beside`) with it.
    """
    ends = phrase_ends(score, line, track)
    starts = [slot.start for slot in slots]
    arrivals = {max(bisect_right(starts, onset) - 1, 0) for onset in ends}
    last = max(arrivals)
    if closed:
        first = max(bisect_right(starts, _comes_home(score, line, home, beside)) - 1, 0)
        arrivals = {row for row in arrivals if row < first} | {min(first, last)}
        last = max(arrivals)
    out: list[Slot] = []
    phrase = 0
    for row, slot in enumerate(slots):
        out.append(slot._replace(phrase=phrase, arrival=row in arrivals))
        phrase += row in arrivals and row < last
    spans = [Phrase("", 0, 0, "?", home.tonic, home.mode) for _ in range(phrase + 1)]
    if not closed:
        spans[-1] = spans[-1]._replace(cadence="")
    return out, spans


def _comes_home(score: Score, line: Line, home: KeyName, beside: Sequence[tuple[int, int, int]]) -> int:
    """The onset from which on the last bar of a melody that ends on the tonic has notes of the tonic chord alone, those
    `beside` it too; that of its last note where it ends on another."""
    chord = {home.tonic, (home.tonic + 7) % 12, (home.tonic + (3 if home.mode == "minor" else 4)) % 12}
    found = line[-1][0]
    if line[-1][2] % 12 == home.tonic:
        bar = int(score.bar_starts[int(np.searchsorted(score.bar_starts, found, "right")) - 1])
        left = max((end for _, end, pitch in [*line, *beside] if end > bar and pitch % 12 not in chord), default=bar)
        found = min((start for start, _, _ in line if start >= max(left, bar)), default=found)
    return found


def phrase_ends(score: Score, line: Line, track: int = 0) -> list[int]:
    """Return the onsets of the notes with which a melody's phrases end: under a fermata, or heard to close."""
    return sorted(_ends(score, line, track))


def melody_evidence(line: Line, slots: Sequence[Slot]) -> Evidence:
    """Return what a melody says of the chord in each slot: which pitch classes a chord should have, and how much so.

    A note on the beat should belong to the chord, unless it falls by step into one that does; of the others a note
    that is come to and left by step counts little, one that leaps counts much.
    """
    against = np.zeros((len(slots), 12))
    first, last = np.full(len(slots), -1, np.int64), np.full(len(slots), -1, np.int64)
    onsets, ends = [start for start, _, _ in line], [end for _, end, _ in line]
    for t, slot in enumerate(slots):
        for n in range(bisect_right(ends, slot.start), bisect_left(onsets, slot.end)):
            start, end, pitch = line[n]
            first[t] = pitch if first[t] < 0 else first[t]
            last[t] = pitch
            share = (min(end, slot.end) - max(start, slot.start)) / (slot.end - slot.start)
            before = pitch - line[n - 1][2] if n else 0
            after = line[n + 1][2] - pitch if n + 1 < len(line) else 0
            stepped, steps = 0 < abs(before) <= 2, 0 < abs(after) <= 2
            if start <= slot.start or (first[t] == pitch and share > 0.5):
                passing = share <= 0.5 and steps and (after < 0 or stepped) and abs(before) <= 4 and n > 0
                cost = ACCENTED_PASSING if passing else AT_REST if slot.arrival else ON_BEAT
            elif stepped and steps:
                cost = OFF_PASSING
            elif stepped or steps or before == 0:
                cost = OFF_STEP
            else:
                cost = OFF_LEAP
            against[t, pitch % 12] = max(against[t, pitch % 12], cost)
    return Evidence(against, first, last)


def _beats(score: Score, line: Line) -> set[int]:
    """The ticks of all beats, to the end of the melody: halves of them where most of its notes are shorter."""
    starts = score.bar_starts
    out: set[int] = set()
    lengths = np.array([end - start for start, end, _ in line])
    for number, (start, stop) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        beat = _beat(score, start)
        if beat % 2 == 0 and score.meter_at(start).denominator <= 2 and np.median(lengths) < 0.75 * beat:
            beat //= 2
        missing = score.full_bar_ticks(start) - (stop - start) if number == 0 else 0
        first = stop - (stop - start) // beat * beat if missing else start
        out |= {start, *range(first, stop, max(beat, 1))}
    return out | {line[0][0], line[-1][1]}


def _beat(score: Score, tick: int) -> int:
    """The ticks of a beat: three of its unit in 6/8 and the like."""
    meter = score.meter_at(tick)
    unit = max(1, 4 * score.ticks_per_quarter // meter.denominator)
    return unit * 3 if meter.numerator % 3 == 0 and meter.numerator > 3 and meter.denominator >= 8 else unit


def _accent(score: Score, tick: int) -> float:
    """How strong a tick is in its bar: 1 on the first beat, 0.7 in the middle of one of four, 0.3 on other beats."""
    bar = int(np.searchsorted(score.bar_starts[:-1], tick, side="right")) - 1
    place = tick - int(score.bar_starts[bar])
    full = score.full_bar_ticks(tick)
    if bar == 0 and score.has_pickup:
        place += full - int(score.bar_starts[1] - score.bar_starts[0])
    beat = _beat(score, tick)
    if place == 0:
        return 1.0
    if place % beat:
        return 0.1
    return 0.7 if (full // beat) % 2 == 0 and 2 * place == full else 0.3


def _ends(score: Score, line: Line, track: int) -> set[int]:
    """The onsets of the notes that end phrases: under a fermata, or where the melody is heard to close."""
    onsets = np.array([start for start, _, _ in line])
    marked = [mark.tick for mark in score.marks if mark.kind == "fermata"
              and (not mark.text or str(track) in mark.text.split())]
    if marked:
        at = np.searchsorted(onsets, marked, side="right") - 1
    else:
        tune = Score.from_rows([(a, b - a, p, 80, 0) for a, b, p in line], ticks_per_quarter=score.ticks_per_quarter,
                               meters=score.meters)
        at = np.searchsorted(onsets, [end - 1 for _, end in phrases(tune)], side="right") - 1
    return {int(onsets[i]) for i in at.tolist() if i >= 0} | {int(onsets[-1])}


def _fit_parts(parts: Sequence[VoicePart], line: Line) -> list[VoicePart]:
    """The parts, moved by octaves to where the melody lies; ModelError where there is no room below it."""
    low, high = min(p for _, _, p in line), max(p for _, _, p in line)
    first = parts[0]
    shift = 0
    while low + shift < first.low - 2 and high + shift + 12 <= first.high:
        shift += 12
    while high + shift > first.high + 2 and low + shift - 12 >= first.low - 12:
        shift -= 12
    moved = [VoicePart(part.name, part.low - shift, part.high - shift) for part in parts]
    if moved[-1].low < 12 or low - moved[-1].low < LEAST_ROOM + 7 or moved[0].high > 127:
        raise ModelError(f"a melody to be harmonised must have room below it for {len(parts) - 1} parts; this one goes "
                         f"from {theory.pitch_name(low)} to {theory.pitch_name(high)}: move it by octaves, or ask for "
                         "fewer parts")
    return moved


def _tied(line: Line, attacks: set[int]) -> Line:
    """A line in which a pitch that goes on where the melody strikes nothing anew is one note."""
    out: Line = []
    for start, end, pitch in line:
        if out and out[-1][2] == pitch and out[-1][1] == start and start not in attacks:
            out[-1] = (out[-1][0], end, pitch)
        else:
            out.append((start, end, pitch))
    return out
