"""What pieces usually are: their meters, tempos, keys and bands, counted, and drawn where a wish leaves them open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from partimento import features, theory
from partimento.request import Request
from partimento.sampling import draw
from partimento.score import Key, Score, Track

KEPT = {"meter": 200, "tempo": 200, "key": 24, "tracks": 200, "span": 129 * 128}    # rows kept of each table
USUAL_TEMPO = 50, 180               # quarter notes a minute that a piece may suggest
USUAL_BARS = 16
ALL_BUT = 0.05                      # share of the notes that lie below a usual span, and above it
Tables = dict[str, Counter[Any]]
Table = Mapping[str, Sequence[Sequence[Any]]]


def count(tables: Tables, score: Score, key: tuple[int, int], tracks: Sequence[Track]) -> None:
    """Count the facts of a piece; `key` is (semitones from C major's signature, 0 or 1 in minor)."""
    meter = score.meters[0]
    tables["meter"][f"{meter.numerator}/{meter.denominator}"] += 1
    tempo = round(score.tempos[0].bpm)
    if USUAL_TEMPO[0] <= tempo <= USUAL_TEMPO[1]:  # a file may begin with the tempo of its first fermata
        tables["tempo"][tempo] += 1
    tables["key"][key] += 1
    tables["tracks"][tuple(_instrument(track) for track in tracks)] += 1


def keys_of(score: Score) -> tuple[Key, ...]:
    """The keys of a piece: those written, where the music keeps to them, else the one that is heard (or C major)."""
    if features.written_key_fits(score):
        return score.keys
    shift, minor = features.heard_key(score) or (0, 0)
    return (Key(0, features.shift_of(shift), "minor" if minor else "major"),)     # 7 · 7 is 1 mod 12: its own inverse


def empty() -> Tables:
    """Counters of nothing yet, one a table of `KEPT`."""
    return {name: Counter() for name in KEPT}


def add(tables: Tables, score: Score) -> None:
    """Count a piece: its facts, its first key as written, and in `span` the (program, pitch) of its pitched notes."""
    filled = np.unique(score.track).tolist()
    if all(score.tracks[i].is_drum for i in filled):
        return                      # a drummer alone says nothing of what else a piece is made of
    key = features.shift_of(score.keys[0].fifths), int(score.keys[0].mode == "minor")
    count(tables, score, key, [score.tracks[i] for i in filled])
    for i in filled:
        if not score.tracks[i].is_drum:
            own = score.pitch[score.track == i].tolist()
            tables["span"].update((score.tracks[i].program, pitch) for pitch in own)


def plain(tables: Mapping[str, Counter[Any]], kept: Mapping[str, int]) -> dict[str, list[list[Any]]]:
    """Counters as JSON-ready rows, the most frequent first, no more than `kept` of each.

    >>> plain({"meter": Counter(["3/4", "4/4", "4/4"])}, {"meter": 5})
    {'meter': [['4/4', 2], ['3/4', 1]]}
    """
    return {name: [[*(value if isinstance(value, tuple) else (value,)), seen]
                   for value, seen in tables[name].most_common(kept[name])] for name in kept}


def suggested(tables: Table, request: Request, rng: np.random.Generator, temperature: float, top_p: float) -> Request:
    """The request with what was left open: meter, tempo, tracks and key drawn from the tables, the rest as usual.

    `temperature` and `top_p` are those that suit the family.
    """
    usual = {"bars": USUAL_BARS, "temperature": temperature, "top_p": top_p}
    changes: dict[str, Any] = {name: value for name, value in usual.items() if getattr(request, name) is None}
    for name in ("meter", "tempo", "tracks", "key"):
        table = tables.get(name) if name != "tracks" or request.verb == "compose" else None
        if not table:
            continue
        drawn = table[draw([row[-1] for row in table], rng.random())][:-1]
        if getattr(request, name) in (None, ()):
            changes[name] = _fact(name, drawn)
    return request.replace(**{name: value for name, value in changes.items() if value is not None})


def usual_ranges(tables: Table, request: Request) -> dict[str, str]:
    """The ranges asked, and for every other pitched track where nearly all notes of its instrument lie."""
    out = dict(request.ranges)
    for track in theory.parse_tracks(request.tracks):
        rows = [(pitch, seen) for program, pitch, seen in tables.get("span", ()) if program == track.program]
        found = None if track.is_drum or track.name in out else usual_range(rows, track)
        if found is not None:
            out[track.name] = found
    return out


def usual_range(rows: Iterable[tuple[int, int]], track: Track) -> str | None:
    """Where nearly all notes lie, of (pitch, count) rows, as a range of a Request; None under an octave.

    A named voice has its own, whatever was learnt.

    >>> usual_range([(60, 5), (62, 80), (76, 80), (79, 5)], Track("piano"))
    'D4-E5'
    >>> usual_range([], Track("tenor", 52))
    'C3-A4'
    """
    rows = sorted(rows)
    if theory.track_range(track) != theory.comfortable_range(track.program, track.is_drum):
        return "-".join(theory.pitch_name(pitch) for pitch in theory.track_range(track))
    if not rows:
        return None
    below = np.cumsum([seen for _, seen in rows])
    edges = [rows[int(np.searchsorted(below, share * below[-1]))][0] for share in (ALL_BUT, 1 - ALL_BUT)]
    low, high = theory.instrument_range(track.program)
    low, high = max(low, edges[0]), min(high, edges[1])
    return f"{theory.pitch_name(low)}-{theory.pitch_name(high)}" if high - low >= 12 else None


def _instrument(track: Track) -> str:
    if track.is_drum:
        return "drums"
    return theory.INSTRUMENT_NAMES[track.program].lower() if track.program else "piano"


def _fact(name: str, drawn: Sequence[Any]) -> Any:
    if name == "key":
        shift, mode = drawn
        return theory.key_name((shift + (9 if mode else 0)) % 12, "minor" if mode else "major")
    if name == "tracks":
        return tuple(track.name for track in theory.parse_tracks(tuple(drawn)))
    return float(drawn[0]) if name == "tempo" else drawn[0]
