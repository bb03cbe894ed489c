"""What is played of a written page: repeats taken, grace notes given their time."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from partimento.score import OPTIONAL_COLUMNS, Controls, Score, Text

LONGEST_CLOCK = 32767          # ticks a quarter note that a MIDI file can say
GRACE_QUARTERS = 8             # a grace note takes 1/8 of a quarter note, a 32nd, or what there is
MAX_PASSES = 10                # more bars played than this many times the bars written: the signs make no sense


class _Ending(NamedTuple):
    first: int                 # bars, the last one excluded
    stop: int
    times: frozenset[int]


def played(score: Score, repeats: bool = True) -> Score:
    """The Score as it sounds: repeats, endings, da capo and dal segno unfolded, grace notes played before their note.

    Without `repeats` each bar sounds once, in the order of the page.
    A grace note takes 1/32 (less where there is no room) from what its voice plays before it. After a da capo or dal
    segno no repeat is taken and the last ending is played. In the second time through, the second verse of the lyrics
    is sung where there is one. Signs that never come to an end are left unplayed. The voices stay; `repeat` marks go.

    >>> from partimento.score import Mark
    >>> tune = Score(onset=[0, 1920], duration=[1920, 1920], pitch=[60, 62], velocity=[80, 80], track=[0, 0],
    ...              marks=(Mark(1920, "repeat", "end"),))
    >>> played(tune).pitch.tolist()
    [60, 60, 62]
    """
    score = _coarser(score)
    if repeats and any(mark.kind == "repeat" for mark in score.marks):
        score = in_order(score, order_of_bars(score))
    return _with_graces(score)


def order_of_bars(score: Score) -> list[tuple[int, int]]:
    """The bars (from 0) in the order in which they are played, each with which time it is, from 1.

    >>> from partimento.score import Mark
    >>> tune = Score(end=3 * 1920, marks=(Mark(1920, "repeat", "ending 1"), Mark(3840, "repeat", "end"),
    ...                                   Mark(3840, "repeat", "ending stop"), Mark(3840, "repeat", "ending 2")))
    >>> order_of_bars(tune)
    [(0, 1), (1, 1), (0, 2), (2, 2)]
    """
    signs = _Signs(score)
    out: list[tuple[int, int]] = []
    bar, back_to, time, jump = 0, 0, 1, ""
    while bar < signs.count:
        if len(out) > MAX_PASSES * signs.count:
            return [(bar, 1) for bar in range(signs.count)]
        if bar in signs.starts and bar != back_to:
            back_to, time = bar, 1
        ending = signs.endings.get(bar)
        if ending is not None and ending.stop > bar:
            last = ending.stop not in signs.endings
            if not (last if jump else time in ending.times or (last and time > max(ending.times))):
                bar = ending.stop
                continue
        out.append((bar, time))
        bar += 1
        at = signs.at_end[bar]
        inside = signs.ending_before(bar)
        if "end" in at and not jump:
            if time < (signs.times_of(inside) if inside else at["end"]):
                bar, time = back_to, time + 1
                continue
            back_to, time = bar, 1
        elif inside is not None and inside.stop == bar:
            back_to, time = bar, 1
        if jump and "to coda" in at and jump.endswith("coda") and signs.coda is not None:
            bar, jump = signs.coda, "done"
        elif jump and "fine" in at and not jump.endswith("coda"):
            break
        elif not jump:
            said = next((text for text in at if text.startswith(("da capo", "dal segno"))), "")
            if said:
                jump, bar = said, 0 if said.startswith("da capo") else signs.segno
                back_to, time = bar, 1
    return out


class _Signs:
    """The signs of a page by the bar that they stand at."""

    def __init__(self, score: Score) -> None:
        edges = score.bar_starts
        self.count = score.n_bars
        self.starts: set[int] = set()
        self.at_end: defaultdict[int, dict[str, int]] = defaultdict(dict)
        self.endings: dict[int, _Ending] = {}
        self.segno, self.coda = 0, None
        open_ending: tuple[int, frozenset[int]] | None = None
        marks = sorted((m for m in score.marks if m.kind == "repeat"),
                       key=lambda m: (m.tick, not m.text.startswith("ending s"), not m.text.startswith("ending o")))
        for mark in marks:
            bar = int(np.searchsorted(edges, mark.tick))
            word, _, rest = mark.text.partition(" ")
            if word == "start":
                self.starts.add(bar)
            elif word == "end":
                self.at_end[bar]["end"] = int(rest) if rest.isdecimal() else 2
                if open_ending is not None and any(m.tick == mark.tick and m.text.startswith("ending ") and
                                                   m.text[7:8].isdecimal() for m in marks):
                    self._close(open_ending, bar)
                    open_ending = None
            elif word == "ending" and rest in ("stop", "open"):
                if open_ending is not None:
                    self._close(open_ending, bar)
                open_ending = None
            elif word == "ending":
                if open_ending is not None:
                    self._close(open_ending, bar)
                open_ending = bar, frozenset(int(n) for n in re.findall(r"\d+", rest)) or frozenset((1,))
            elif word == "segno":
                self.segno = bar
            elif word == "coda":
                self.coda = bar
            else:
                self.at_end[bar][mark.text] = 1
        if open_ending is not None:
            self._close(open_ending, min(open_ending[0] + 1, self.count))

    def _close(self, opened: tuple[int, frozenset[int]], stop: int) -> None:
        for bar in range(opened[0], stop):
            self.endings[bar] = _Ending(opened[0], stop, opened[1])

    def ending_before(self, bar: int) -> _Ending | None:
        """The ending that the bar before this one is in."""
        return self.endings.get(bar - 1)

    def times_of(self, ending: _Ending) -> int:
        """How many times in all the endings that stand one after another say."""
        most = max(ending.times)
        while (after := self.endings.get(ending.stop)) is not None and after.stop > ending.stop:
            ending = after
            most = max(most, *ending.times)
        return most


def in_order(score: Score, order: Sequence[tuple[int, int]]) -> Score:
    """The bars of a Score (numbered from 0, each with which time it sounds) one after another, without repeat signs.

    What rules at the beginning of a bar is said again where the order jumps; a note does not ring over a jump.

    >>> tune = Score(onset=[0, 1920], duration=[1920, 1920], pitch=[60, 62], velocity=[80, 80], track=[0, 0])
    >>> in_order(tune, [(1, 1), (1, 1)]).pitch.tolist()
    [62, 62]
    """
    edges = score.bar_starts
    pieces: list[tuple[int, int, int]] = []            # from, to, which time: bars that follow on each other joined
    for bar, time in order:
        start, stop = int(edges[bar]), int(edges[bar + 1])
        if pieces and pieces[-1][1] == start and pieces[-1][2] == time:
            pieces[-1] = (pieces[-1][0], stop, time)
        else:
            pieces.append((start, stop, time))
    names = ["onset", "duration", "pitch", "velocity", "track",
             *(name for name in OPTIONAL_COLUMNS if getattr(score, name) is not None)]
    columns: dict[str, list[Any]] = {name: [] for name in names}
    frame: dict[str, list[Any]] = {name: [] for name in ("meters", "tempos", "keys", "chords", "marks", "texts")}
    controls = []
    marks = [mark for mark in score.marks if mark.kind != "repeat"]
    heads = [text for text in score.texts if _is_head(text)]
    words = [text for text in score.texts if not _is_head(text)]
    verses = {text.kind for text in score.texts if text.kind.startswith("lyric")}
    at = 0
    for number, (start, stop, time) in enumerate(pieces):
        inside = (score.onset >= start) & ((score.onset < stop) | ((score.onset == score.end) & (stop == score.end)))
        on = pieces[number + 1][0] if number + 1 < len(pieces) else stop
        for name in names:
            column = getattr(score, name)[inside].astype(np.int64)
            if name == "onset":
                column = column - start + at
            elif name == "duration" and on != stop:     # what would ring on ends where the page is left
                column = np.minimum(column, stop - score.onset[inside])
            columns[name].append(column)
        for name, entries in (("meters", score.meters), ("tempos", score.tempos), ("keys", score.keys),
                              ("chords", score.chords)):
            frame[name] += _state(entries, start, stop, at, restate=name != "chords" or number > 0)
        frame["marks"] += _moved(marks, start, stop, at)
        sung = f"lyric {time}" if time > 1 and f"lyric {time}" in verses else "lyric"
        frame["texts"] += [text._replace(kind="lyric") if text.kind == sung else text
                           for text in _moved(heads + words if number == 0 else words, start, stop, at)
                           if text.kind == sung or not text.kind.startswith("lyric")]
        rows = score.controls.select((score.controls.tick >= start) & (score.controls.tick < stop)).rows()
        rows[:, 0] += at - start
        controls.append(rows)
        at += stop - start
    joined: dict[str, Any] = {name: np.concatenate(parts) for name, parts in columns.items()}
    said = {name: tuple(entries) for name, entries in frame.items()}
    extras = {name: value for name, value in score.extras.items() if name != "notation"}
    return score.replace(**joined, **said, end=at, controls=Controls.of(np.concatenate(controls).tolist()),
                         extras=extras | _unmoved(score.extras.get("notation", {})))


def _is_head(text: Text) -> bool:
    return text.track == -1 and text.tick == 0 and text.kind not in ("tempo", "words")


def _state(entries: Iterable[Any], start: int, stop: int, at: int, restate: bool) -> list[Any]:
    """What is said from `start` to `stop`, and before it what ruled there already."""
    before = [entry for entry in entries if entry.tick < start] if restate else []
    said = _moved(entries, start, stop, at)
    if before and (not said or said[0].tick > at):
        said.insert(0, before[-1]._replace(tick=at))
    return said


def _moved(entries: Iterable[Any], start: int, stop: int, at: int) -> list[Any]:
    return [entry._replace(tick=entry.tick - start + at) for entry in entries if start <= entry.tick < stop]


def _unmoved(notation: Mapping[str, Any]) -> dict[str, Any]:
    """What rides along and hangs on no tick."""
    kept = {name: value for name, value in notation.items() if name != "clefs"}
    return {"notation": kept} if kept else {}


def _with_graces(score: Score) -> Score:
    """The same with grace notes as short notes before what they belong to; nothing of the `grace` column is left."""
    if score.grace is None:
        return score
    onset, duration = score.onset.astype(np.int64), score.duration.astype(np.int64)
    voice = score.voice if score.voice is not None else np.zeros(len(score), np.int64)
    groups: defaultdict[tuple[int, int, int], list[int]] = defaultdict(list)
    for i in np.flatnonzero(score.grace > 0):
        groups[int(score.track[i]), int(voice[i]), int(score.onset[i])].append(int(i))
    lines: dict[tuple[int, int], Any] = {}
    for (track, line, at), notes in groups.items():
        if (track, line) not in lines:
            lines[track, line] = np.flatnonzero((score.track == track) & (voice == line) & (score.grace <= 0))
        own = lines[track, line]
        places = np.array([int(score.grace[i]) % 100 for i in notes])
        count = int(places.max())
        before = own[(onset[own] < at) & (onset[own] + duration[own] > at - count * score.ticks_per_quarter)]
        begun = int(onset[before].max()) if len(before) else 0
        each = min(score.ticks_per_quarter // GRACE_QUARTERS, (at - begun) // (2 * count))
        if each < 1:                                    # nothing before it: it takes from its own note
            main = own[onset[own] == at]
            each = max(1, min(score.ticks_per_quarter // GRACE_QUARTERS,
                              (int(duration[main].min()) if len(main) else score.ticks_per_quarter) // (2 * count)))
            duration[main] = np.maximum(duration[main] - each * count, 1)
            onset[main] = at + each * count
            first = at
        else:
            first = at - each * count
            ringing = before[onset[before] + duration[before] > first]
            duration[ringing] = np.maximum(first - onset[ringing], 1)
        onset[notes] = first + (places - 1) * each
        duration[notes] = each
    return score.replace(onset=onset, duration=duration, grace=None)


def _coarser(score: Score) -> Score:
    """The same on a clock that a MIDI file can say."""
    clock = score.ticks_per_quarter
    if clock <= LONGEST_CLOCK:
        return score
    new = LONGEST_CLOCK // 480 * 480

    def to(ticks: Any) -> Any:
        return np.rint(np.asarray(ticks, np.float64) * new / clock).astype(np.int64)

    onset = to(score.onset)
    frame = {name: tuple(entry._replace(tick=int(to(entry.tick))) for entry in getattr(score, name))
             for name in ("meters", "tempos", "keys", "chords", "marks", "texts")}
    controls = dataclasses.replace(score.controls, tick=to(score.controls.tick))
    return score.replace(**frame, onset=onset, duration=to(score.offset) - onset, controls=controls,
                         ticks_per_quarter=new, end=int(to(score.end)),
                         extras={name: value for name, value in score.extras.items() if name != "notation"})
