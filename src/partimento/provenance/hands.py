"""Who made each bar of each track: imported, composed, performed or edited, step after step."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from partimento import formats
from partimento.errors import ReadError, WriteError
from partimento.provenance.kept import MARK, Kept, aligned, differences, kept_of, track_names
from partimento.provenance.record import Hands, Record, Run, is_sidecar, read_record, sidecar_of
from partimento.request import Result, unpack_score
from partimento.score import Score

IMPORTED, COMPOSED, PERFORMED, EDITED = "imported", "composed", "performed", "edited"
SUFFIX_OF = {"midi": ".mid", "musicxml": ".musicxml", "abc": ".abc"}


def found_record(path: str | os.PathLike[str], score: Score | None = None) -> Record | None:
    """The record of a file of music: the sidecar beside it, else the one inside it (`score` is its music); or None.

    ReadError where there is one that is damaged.
    """
    beside = sidecar_of(path)
    if beside.is_file():
        return read_record(beside)
    return record_inside(formats.read(path) if score is None else score)


def record_inside(score: Score) -> Record | None:
    """The record that stands in a Score as a text, or None; ReadError where it is damaged."""
    text = text_inside(score)
    return None if text is None else Record.from_text(text[len(MARK):])


def text_inside(score: Score) -> str | None:
    """The text of the record in a Score, or None."""
    return next((t.text for t in score.texts if t.track == -1 and t.text.startswith(MARK)), None)


def past_of(music: Score | str | os.PathLike[str]) -> dict[str, Any]:
    """Who made each bar of a piece that is to be worked on, JSON-ready; empty where nothing is recorded of it.

    `music` as the verbs take it. The table holds the ``steps`` of its record and for every track its spans of time
    as ``[first tick, end tick, steps]``; bars that are not as they were recorded carry a step ``edited`` more.
    """
    if isinstance(music, Score):
        score, beside, kind = music, None, ""
    elif is_sidecar(music):
        return {}
    else:
        data, suffix = formats.raw(music)
        beside, kind = sidecar_of(music), formats.kind_of(music) or "midi"
        if not beside.is_file() and MARK.encode() not in data and suffix.lower() != ".mxl":
            return {}
        score = formats.parse(data, suffix).score
    try:
        record = read_record(beside) if beside is not None and beside.is_file() else record_inside(score)
        whole = record is None or record.whole
    except ReadError:
        record, whole = None, False
    if not whole:
        numbers = _numbers(score)
        return _past([{"by": IMPORTED, "record": "damaged or edited, so it was not used"}], score,
                     [[Run(numbers.start, numbers.stop - 1, (0,))] for _ in score.tracks])
    if record is not None and isinstance(music, Score):
        kind = next(iter(record.kept))
    return {} if record is None else _worked_on(record, score, kind)


def earlier(record: Record, score: Score) -> dict[str, Any]:
    """The table of `past_of` that a recorded piece was made from, told again from its record; `score` is the piece."""
    last = len(record.steps) - 1
    return _past(record.steps[:-1], score, [
        [run._replace(steps=tuple(step for step in run.steps if step != last)) for run in own.runs]
        for own in record.hands])


def hands_of(result: Result, step: Mapping[str, Any], past: Mapping[str, Any]
             ) -> tuple[tuple[Mapping[str, Any], ...], tuple[Hands, ...]]:
    """The steps of a Result, `step` the last of them, and who made each bar of each of its tracks.

    `past` is what `past_of` gave of the piece worked on; empty, all of that counts as imported. A bar in which a blank
    lies is composed; what stood there before still has a part in it where a note of it stays, where the blank does
    not take the whole bar, and where only the pitches were open.
    """
    score = result.score
    if result.request.input is None:
        past = {"steps": [], "tracks": []}
    elif not past:
        source = unpack_score(result.request.input)
        past = {"steps": [{"by": IMPORTED}], "tracks": [[[0, max(source.end, 1), [0]]] for _ in source.tracks]}
    first, last = _numbers(score).start, len(past["steps"])
    starts, ends = score.bar_starts[:-1][:score.n_bars], score.bar_starts[1:][:score.n_bars]
    hands = []
    for i, name in enumerate(track_names([track.name for track in score.tracks])):
        composed, rest = _blank(result, i, starts, ends)
        spans = past["tracks"][i] if i < len(past["tracks"]) else []
        after = np.searchsorted([span[1] for span in spans], starts, side="right")
        before = np.searchsorted([span[0] for span in spans], ends, side="left")
        same = np.stack([composed, rest, after, before])
        cuts = [0, *(np.flatnonzero((np.diff(same) != 0).any(axis=0)) + 1).tolist(), len(starts)]
        runs = []
        for k, stop in pairwise(cuts if len(starts) else []):       # bars that are alike in all of these
            who = {at for span in spans[after[k]:before[k]] for at in span[2]} if rest[k] else set()
            runs.append(Run(first + k, first + stop - 1, tuple(sorted(who | {last} if composed[k] else who))))
        hands.append(Hands(name, _merged(runs)))
    return (*past["steps"], step), tuple(hands)


# --- the parts ---------------------------------------------------------------------------------------------------


def _numbers(score: Score) -> range:
    first = 0 if score.has_pickup else 1
    return range(first, first + score.n_bars)


def _blank(result: Result, track: int, starts: Any, ends: Any) -> tuple[Any, Any]:
    """bool[bars] twice: whether a blank lies in the bar of a track, and whether anything else may stand there."""
    composed, free = np.zeros(len(starts), bool), (ends - starts).astype(np.int64)
    rest = np.zeros(len(starts), bool)
    for region in result.regions:
        if region.track == track and region.end > region.start:
            a = max(int(np.searchsorted(starts, region.start, side="right")) - 1, 0)
            b = int(np.searchsorted(starts, region.end, side="left"))
            composed[a:b] = True
            free[a:b] -= np.minimum(ends[a:b], region.end) - np.maximum(starts[a:b], region.start)
            rest[a:b] |= region.open != "all"
    kept = result.score.onset[(result.score.track == track) & ~result.new]
    rest[np.searchsorted(starts, kept, side="right") - 1] = True
    return composed, rest | (free > 0)


def _merged(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Runs of bars, in their order, with neighbours of the same hands put together."""
    out: list[Run] = []
    for run in runs:
        if out and out[-1].steps == run.steps and out[-1].last == run.first - 1:
            out[-1] = out[-1]._replace(last=run.last)
        else:
            out.append(run)
    return tuple(out)


def _past(steps: Iterable[Mapping[str, Any]], score: Score, tracks: Iterable[Iterable[Run]]) -> dict[str, Any]:
    """The table of `past_of`: the runs of bars of every track as spans in ticks of `score`."""
    edges, first = score.bar_starts.tolist(), _numbers(score).start
    spans = [[[edges[run.first - first], edges[run.last - first + 1], list(run.steps)]
              for run in _merged(own) if 0 <= run.first - first <= run.last - first < score.n_bars] for own in tracks]
    return {"steps": [dict(step) for step in steps], "tracks": spans}


def _worked_on(record: Record, score: Score, kind: str) -> dict[str, Any]:
    """The table of `past_of` for a recorded piece as it is now."""
    now, recorded, same_kind = compared(record, score, kind)
    found, differ = aligned(recorded, now), differences(recorded, now, begins_only=not same_kind)
    steps = [*record.steps]
    if differ:
        steps.append({"by": EDITED, **({"parts": list(differ.parts)} if differ.parts else {})})
    numbers = _numbers(score)
    if now.numbers != numbers or len(now.tracks) != len(score.tracks):      # told as another kind, with other bars
        everyone = Run(numbers.start, numbers.stop - 1, tuple(range(len(steps))))
        return _past(steps, score, [[everyone] for _ in score.tracks])
    tracks = []
    for i, name in enumerate(track_names(now.tracks)):
        who, changed = _told(record, recorded, found.tracks[i]), set(differ.bars.get(name, ()))
        runs = []
        for number in numbers:
            at = found.bars[number]
            cell = set() if at is None else who.get(at, who.get(-1, set()))
            runs.append(Run(number, number, tuple(sorted(cell | ({len(steps) - 1} if number in changed else set())))))
        tracks.append(runs)
    return _past(steps, score, tracks)


def compared(record: Record, score: Score, kind: str) -> tuple[Kept, Kept, bool]:
    """The hashes of a file as it is and as recorded, in this order, and whether a file of that kind was recorded.

    Where none was, it is compared as the kind of those recorded that it is nearest to, and of its notes only where
    they begin and their pitches: what a page says of durations is not what a MIDI file says.
    """
    written = {formats.kind_of(f"piece{suffix}") for suffix in record.files} or set(record.kept)
    if kind in record.kept and kind in written:
        return kept_of(score), record.kept[kind], True
    found = []
    for name, kept in record.kept.items():
        with contextlib.suppress(WriteError):       # a meter that no MIDI file can say: then it is not one of those
            found.append((kept_of(formats.keep(score, SUFFIX_OF[name])), kept))
    found = found or [(kept_of(score), kept) for kept in record.kept.values()]
    now, recorded = max(found, key=lambda pair: differences(pair[1], pair[0], begins_only=True).same)
    return now, recorded, False


def _told(record: Record, recorded: Kept, track: int | None) -> dict[int, set[int]]:
    """The steps of every bar of a recorded track; under −1 those of all where bars or tracks do not match.

    A file of what is played has other bars than the page where repeats are taken, and a page has other tracks where
    two hands were put on one.
    """
    hands, wide = record.hands, {step for own in record.hands for run in own.runs for step in run.steps}
    if track is None:
        return {-1: set()}
    if len(hands) != len(recorded.tracks):
        return {-1: wide}
    told = {number: set(run.steps) for run in hands[track].runs for number in range(run.first, run.last + 1)}
    return told if set(told) == set(recorded.numbers) else {-1: {step for own in told.values() for step in own}}
