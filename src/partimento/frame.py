"""From a Request and its input to a grid with blanks: the whole frame, all that is kept, and what is to be written."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento import theory
from partimento.errors import RequestError, nearest
from partimento.request import MAX_BARS_ASKED, Blanks, Region, Request
from partimento.sampling import generator
from partimento.score import BoolArray, Controls, Key, Meter, Score, Tempo

NEW_TICKS_PER_QUARTER = 480
MAX_QUARTERS = 4 * MAX_BARS_ASKED       # the longest blank that is written at once
_TAKEN_BY = {"bars": ("compose", "continue"), "place": ("infill", "humanize"), "strength": ("vary", "humanize"),
             "open": ("infill", "vary"), "swing": ("humanize",), "rules": ("humanize",), "species": ("harmonize",),
             "form": ("compose",), "style": ("compose",)}
BAND = ("piano", "bass", "drums")         # what accompanies, where nothing is said
_KEYBOARDS = 0                            # programs by eights: pianos
_ONE_LINE = 0.95                          # of the onsets of a line, those of one note
_OF_NOTES = ("key", "chords", "ranges", "targets", "loop", "stream", "temperature", "top_p", "tries")
_CONTROLLER, _BEND = 0xB0, 0xE0
_PEDALS = range(64, 70)
_WORDS = ("lyric", "text", "cue")                   # what goes with notes; who made the piece stays
_PARAMETER = (6, 38, 96, 97, 98, 99, 100, 101)      # data entry and (non-)registered parameter: a message in parts


class Canvas(NamedTuple):
    """What a model is given: `around` holds the frame and every kept note; `finished` says that the piece ends here."""

    around: Score
    blanks: Blanks
    finished: bool


def frame(request: Request, source: Score | None) -> Canvas:
    """The frame of a request whose open facts are filled in; `source` is the input of every verb but compose.

    RequestError where the verb does not take what is asked, or the piece has no such place.

    >>> canvas = frame(Request(bars=2, meter="3/4", tracks=("flute",)), None)
    >>> canvas.around.n_bars, canvas.blanks.regions[0].end
    (2, 2880)
    """
    _refuse_what_is_not_taken(request)
    if request.verb == "compose":
        if source is not None:
            raise RequestError("compose starts from nothing; to go on from a piece use continue, infill or vary")
        return _compose(request)
    if source is None:
        raise RequestError(f"{request.verb} needs a piece to work on; give one, or use compose")
    if not (len(source) and source.end):
        raise RequestError(f"{request.verb} needs a piece with notes; this one has none that last: use compose")
    made = {"continue": _continue, "infill": _infill, "harmonize": _harmonize, "accompany": _accompany,
            "vary": _vary, "humanize": _humanize}[request.verb]
    return made(request, source)


def _compose(request: Request) -> Canvas:
    numerator, denominator = theory.parse_meter(request.meter or "4/4")
    bars = request.bars or 16
    bar_ticks = numerator * 4 * NEW_TICKS_PER_QUARTER // denominator
    tracks = theory.parse_tracks(",".join(request.tracks or ("piano",)))
    score = Score(ticks_per_quarter=NEW_TICKS_PER_QUARTER, end=bars * bar_ticks,
                  meters=(Meter(0, numerator, denominator),), tempos=(_tempo(0, request.tempo or 120.0),),
                  keys=_key(0, request.key), tracks=tuple(tracks))
    return _cut(_with_chords(score, request, 0), Blanks.everything(score).regions, (), not request.loop)


def _continue(request: Request, source: Score) -> Canvas:
    bars = request.bars or 8
    last_onset = int(source.onset.max())
    bar_begin, bar_end = source.bar_span(source.bar_number(last_onset))
    whole = bar_begin + source.full_bar_ticks(last_onset)
    next_meter = [m.tick for m in source.meters if m.tick > last_onset]
    if not next_meter or next_meter[0] > whole:
        bar_end = whole
    content_end = int(source.offset.max())
    start = max(min(content_end, bar_end), last_onset + 1)
    meters = tuple(m for m in source.meters if m.tick <= bar_end)
    if request.meter:
        meters += (Meter(bar_end, *theory.parse_meter(request.meter)),)
    ruling = meters[-1]
    end = bar_end + bars * (ruling.numerator * 4 * source.ticks_per_quarter // ruling.denominator)
    tempos = tuple(t for t in source.tempos if t.tick <= start)
    keys = tuple(k for k in source.keys if k.tick <= start)
    if request.tempo:
        tempos += (_tempo(bar_end, request.tempo),)
    long = source.replace(end=max(end, content_end), meters=meters, tempos=tempos,
                          keys=keys + _key(bar_end, request.key))
    regions = tuple(Region(i, start, long.end) for i in tracks_meant(source, request.tracks))
    return _cut(_with_chords(long, request, bar_end), regions, (), not request.loop)


def _infill(request: Request, source: Score) -> Canvas:
    first, last = span_meant(request.place, source)
    source = _respelled_key(source, request.key, first, last)
    regions = tuple(Region(i, first, last, request.open) for i in tracks_meant(source, request.tracks))
    return _cut(_with_chords(source, request, first, last), regions, (), last >= source.end and not request.loop)


def _harmonize(request: Request, source: Score) -> Canvas:
    wanted = theory.parse_tracks(",".join(request.tracks or ("piano",)))
    names = [t.name.lower() for t in source.tracks]
    tracks, blank = list(source.tracks), []
    for track in wanted:
        if track.name.lower() in names:
            blank.append(names.index(track.name.lower()))
        else:
            blank.append(len(tracks))
            tracks.append(track)
    if set(blank) >= set(np.unique(source.track).tolist()):
        raise RequestError("harmonize keeps at least one track with notes; the tracks named are all there are: "
                           "name others, or use compose")
    source = _respelled_key(source.replace(tracks=tuple(tracks)), request.key, 0, source.end)
    end = int(source.bar_starts[-1])
    regions = tuple(Region(i, 0, end) for i in sorted(blank))
    return _cut(_with_chords(source, request, 0), regions, (), False)


def _accompany(request: Request, source: Score) -> Canvas:
    sounding = {source.tracks[i].name.lower(): source.tracks[i] for i in np.unique(source.track).tolist()}
    wanted = request.tracks or accompaniment(source)
    for track in theory.parse_tracks(",".join(wanted)):
        if track.name.lower() in sounding:
            raise RequestError(f"accompany keeps every note, and {track.name!r} plays already: name other parts, or "
                               "write it anew with harmonize")
    return _harmonize(request.replace(tracks=wanted), source)


def accompaniment(source: Score) -> tuple[str, ...]:
    """The names of the parts that accompany a piece where none are named: of `BAND` those that do not play in it.

    A line of one note at a time is a melody, whatever its sound: a piano plays where its chords do.

    >>> from partimento.score import Track
    >>> accompaniment(Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0], tracks=(Track("flute"),)))
    ('piano', 'bass', 'drums')
    """
    playing = set()
    for i in np.unique(source.track).tolist():
        track, onsets = source.tracks[i], source.onset[source.track == i]
        kind = "drums" if track.is_drum else track.program // 8
        if kind != _KEYBOARDS or len(np.unique(onsets)) < _ONE_LINE * len(onsets):
            playing.add(kind)
    wanted = [(name, "drums" if track.is_drum else track.program // 8)
              for name, track in zip(BAND, theory.parse_tracks(",".join(BAND)), strict=True)]
    return tuple(unused(name, source) for name, kind in wanted if kind not in playing) or (unused(BAND[0], source),)


def new_ranges(request: Request, source: Score) -> dict[str, str]:
    """The ranges asked, and for every pitched track that is added to the piece where its own part lies.

    >>> new_ranges(Request(verb="accompany", tracks=("bass", "drums")), Score())
    {'bass': 'E1-G3'}
    """
    there = {track.name.lower() for track in source.tracks}
    out = dict(request.ranges)
    for track in theory.parse_tracks(",".join(request.tracks)):
        if not track.is_drum and track.name not in out and track.name.lower() not in there:
            out[track.name] = "-".join(map(theory.pitch_name, theory.track_range(track)))
    return out


def unused(name: str, source: Score) -> str:
    """The name, with a number where a track of the piece is called so."""
    taken = {track.name.lower() for track in source.tracks}
    return next(said for said in (name, *(f"{name} {k}" for k in range(2, len(taken) + 3)))
                if said.lower() not in taken)


def _vary(request: Request, source: Score) -> Canvas:
    strength = 0.5 if request.strength is None else request.strength
    source = _respelled_key(source, request.key, 0, source.end)
    tracks = tracks_meant(source, request.tracks)
    uniform = generator(request.seed, request.index, 3).random(len(source))
    stay = ~np.isin(source.track, tracks) | (uniform >= strength)
    source = _with_chords(source, request, 0)
    regions = tuple(Region(i, start, end, request.open) for i in tracks for start, end in let_go_gaps(source, i, stay))
    if not regions:
        return Canvas(source, Blanks(), False)
    return _cut(source, regions, np.flatnonzero(stay).tolist(), False)


def _humanize(request: Request, source: Score) -> Canvas:
    """All notes stay; in the place asked for it is open how they are played."""
    first, last = (0, source.end) if request.place is None else span_meant(request.place, source)
    tracks = tracks_meant(source, request.tracks)
    return Canvas(source, Blanks(tuple(Region(i, first, last, "expression") for i in tracks)), False)


def let_go_gaps(score: Score, track: int, stay: BoolArray) -> list[tuple[int, int]]:
    """Return where the notes of a track that are let go stood: from each onset to the next note that stays, or the end.

    `stay` (bool[n]) says which notes do; ticks.
    """
    kept = np.unique(score.onset[stay & (score.track == track)])
    gaps: list[tuple[int, int]] = []
    for start in np.unique(score.onset[~stay & (score.track == track)]).tolist():
        later = kept[kept > start]
        end = int(later[0]) if len(later) else score.end
        if start < end and (not gaps or gaps[-1][1] <= start):    # a note of no length at the very end stays
            gaps.append((start, end))
    return gaps


# --- the parts ---------------------------------------------------------------------------------------------------


def _cut(score: Score, regions: tuple[Region, ...], pinned: Sequence[int], finished: bool) -> Canvas:
    """Take out what goes (notes, and with them controllers and words), and say which notes left inside are pinned."""
    regions = tuple(r for r in regions if r.end > r.start)
    if not regions:
        raise RequestError("there is nothing to write: the place asked for holds no time")
    longest = max(r.end - r.start for r in regions) / score.ticks_per_quarter
    if longest > MAX_QUARTERS:
        raise RequestError(f"what is written at once must last at most {MAX_QUARTERS:,} quarter notes; "
                           f"this lasts {math.ceil(longest):,}: ask for less")
    pins = np.zeros(len(score), bool)
    pins[np.asarray(pinned, np.intp)] = True
    gone = Blanks(regions).inside(score, "all") & ~pins
    around = score.select(~gone)
    emptied = [r for r in regions if r.open == "all" and not (Blanks((r,)).inside(score) & pins).any()]
    texts = tuple(t for t in score.texts if t.kind not in _WORDS
                  or not any(t.track == r.track and r.start <= t.tick < r.end for r in emptied))
    around = around.replace(controls=_without_controls(score, emptied), texts=texts)
    inside = Blanks(regions).inside(around)
    return Canvas(around, Blanks(regions, tuple(np.flatnonzero(inside & pins[~gone]).tolist())), finished)


def _without_controls(score: Score, regions: Sequence[Region]) -> Controls:
    """Controllers inside the regions go; the state that they left is said again at each right edge."""
    rows = score.controls.rows()
    tick, track = rows[:, 0], rows[:, 1]
    gone = np.zeros(len(rows), bool)
    again: list[tuple[int, ...]] = []
    for r in regions:
        inside = (track == r.track) & (tick >= r.start) & (tick < r.end)
        if not inside.any():
            continue
        before = (track == r.track) & (tick < r.start)
        gone |= inside
        gone[_coming_to_rest(rows, np.flatnonzero(before), np.flatnonzero(inside))] = False
        if r.end < score.end:
            again += [(r.end, r.track, *said) for said in _left(rows[inside])]
    if not gone.any():
        return score.controls
    rows = np.array([*again, *rows[~gone].tolist()], np.int32).reshape(-1, 5)
    return Controls(*rows.T)  # stable in tick: what is said again stands before what was there


def _coming_to_rest(rows: npt.NDArray[np.int32], before: npt.NDArray[np.intp], inside: npt.NDArray[np.intp],
                    ) -> list[int]:
    """The rows inside a blank that end what a kept note is held by: a pedal pressed before it, a bend begun before it.

    As a kept note rings into a blank unchanged, so does its pedal come up, and its bend go back, where it did.
    """
    last = {(int(rows[i, 2]), int(rows[i, 3])): int(rows[i, 4]) for i in before}
    held = {(kind, number) for (kind, number), value in last.items()
            if (kind == _BEND and value) or (kind == _CONTROLLER and number in _PEDALS and value >= 64)}
    found = []
    for i in inside.tolist():
        kind, number, value = rows[i, 2:].tolist()
        if (kind, number) in held and (value == 0 if kind == _BEND else value < 64):
            held.discard((kind, number))
            found.append(i)
    return found


def _left(rows: npt.NDArray[np.int32]) -> list[tuple[int, int, int]]:
    """The state (kind, number, value) that messages leave: the last of each, but a parameter's parts all in order."""
    state: dict[tuple[int, ...], tuple[int, int, int]] = {}
    for i, (kind, number, value) in enumerate(rows[:, 2:].tolist()):
        name = (kind, number, i) if kind == _CONTROLLER and number in _PARAMETER else (kind, number)
        state.pop(name, None)
        state[name] = (kind, number, value)
    return list(state.values())


def tracks_meant(score: Score, wanted: Sequence[str]) -> list[int]:
    """The tracks that the names (or 1-based numbers) mean; all of them when no name is given."""
    if not wanted:
        return list(range(len(score.tracks)))
    names = [t.name.strip().lower() for t in score.tracks]
    found: list[int] = []
    for name in wanted:
        same = [i for i, own in enumerate(names) if own == name.strip().lower()]
        if not same and name.strip().isdecimal() and 1 <= int(name) <= len(names):
            same = [int(name) - 1]
        if not same:
            known = [t.name or str(i + 1) for i, t in enumerate(score.tracks)]
            raise RequestError(nearest(name, known, "track"))
        found += same
    return sorted(set(found))


def span_meant(place: str | None, score: Score) -> tuple[int, int]:
    """Start and end tick of ``5-8``, ``5``, ``5.3-8`` or ``5.3-8.2`` (bars from 1, a pick-up 0; beats from 1)."""
    match = re.fullmatch(r"\s*(\d{1,99})(?:\.(\d{1,99}))?\s*(?:[-–]\s*(\d{1,99})(?:\.(\d{1,99}))?)?\s*", place or "")
    if match is None:
        raise RequestError(f"--bars says where, such as 5-8, or 5.3-8 from beat 3 of bar 5; got {place!r:.60}")
    bar, beat, last_bar, last_beat = (None if g is None else int(g) for g in match.groups())
    assert bar is not None
    start, stop = score.bar_span(bar)
    first = _beat_tick(score, bar, beat) if beat is not None else start
    if last_bar is not None:
        stop = score.bar_span(last_bar)[1]
        if last_beat is not None:
            stop = min(stop, _beat_tick(score, last_bar, last_beat) + _beat_ticks(score, last_bar))
    elif beat is not None:
        stop = min(stop, first + _beat_ticks(score, bar))
    if stop <= first:
        raise RequestError(f"the place must end after it begins; got {place}")
    return first, stop


def _beat_ticks(score: Score, bar: int) -> int:
    return max(1, 4 * score.ticks_per_quarter // score.meter_at(score.bar_span(bar)[0]).denominator)


def _beat_tick(score: Score, bar: int, beat: int) -> int:
    start, end = score.bar_span(bar)
    tick = start + (beat - 1) * _beat_ticks(score, bar)
    if beat < 1 or tick >= end:
        raise RequestError(f"bar {bar} has beats 1 to {-((start - end) // _beat_ticks(score, bar))}; got beat {beat}")
    return tick


def _refuse_what_is_not_taken(request: Request) -> None:
    """RequestError where a field is said that the verb does not take: nothing is dropped in silence."""
    if request.verb in ("infill", "harmonize", "accompany", "vary", "humanize"):
        if request.meter:
            raise RequestError(f"{request.verb} keeps the meter of the piece; to read the input in another give "
                               f"--input-meter {request.meter}")
        if request.tempo:
            raise RequestError(f"{request.verb} keeps the tempo of the piece; change it with "
                               f"convert --tempo {request.tempo:g}")
    default = Request()
    for name in _OF_NOTES if request.verb == "humanize" else ():
        if getattr(request, name) != getattr(default, name):
            raise RequestError(f"humanize takes no {name}, for it keeps every note; got {getattr(request, name)!r}")
    for name, verbs in _TAKEN_BY.items():
        if request.verb not in verbs and getattr(request, name) != getattr(default, name):
            raise RequestError(f"{request.verb} takes no {name}, only {' and '.join(verbs)} "
                               f"do{'es' * (len(verbs) == 1)}; got {getattr(request, name)!r}")


def _tempo(tick: int, bpm: float) -> Tempo:
    return Tempo(tick, round(60e6 / bpm))


def _key(tick: int, name: str | None) -> tuple[Key, ...]:
    if name is None:
        return ()
    key = theory.parse_key(name)
    return (Key(tick, theory.fifths(key.tonic, key.mode), key.mode),)


def _respelled_key(score: Score, name: str | None, start: int, end: int) -> Score:
    """The asked signature from `start` on, and the old one again at `end` where kept music follows."""
    if name is None:
        return score
    old = score.key_at(end)
    keys = [k for k in score.keys if not start <= k.tick < end]
    keys += _key(start, name)
    if end < score.end and old is not None and not any(k.tick == end for k in keys):
        keys.append(old._replace(tick=end))
    return score.replace(keys=tuple(keys))


def _with_chords(score: Score, request: Request, start: int, end: int | None = None) -> Score:
    """The asked chords over the bars from `start` to `end`, in place of what stood there."""
    if request.chords is None:
        return score
    stop = score.end if end is None else end
    edges = [int(t) for t in score.bar_starts if start < t < stop]
    edges = [start, *edges, stop]
    chords = [c for c in score.chords if not start <= c.tick < stop]
    chords += theory.place_chords(theory.parse_chords(request.chords, len(edges) - 1), edges)
    return score.replace(chords=tuple(chords))

