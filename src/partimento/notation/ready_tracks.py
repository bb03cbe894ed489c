"""Tracks made into parts of a page: empty ones left off, two hands joined, words given to the notes they belong to."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from partimento import theory
from partimento.score import Mark, Score, Text

_UPPER = re.compile(r"(?:\W|^)(up|right|rh|r\.h|treble|md|one|hand 1|rechts|droite|destra|oben)", re.IGNORECASE)
_LOWER = re.compile(r"(?:\W|^)(down|dn|low|left|lh|l\.h|bass|mg|two|hand 2|links|gauche|sinistra|unten)", re.IGNORECASE)
_KEYBOARDS = {*range(8), *range(16, 21)}
_APART = 7                             # semitones between the middles of two hands


def filled(score: Score) -> Score:
    """Return the Score without the tracks that have no notes; of an empty one the first track stays.

    >>> from partimento.score import Track
    >>> s = Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[1], tracks=(Track("a"), Track("b")))
    >>> [track.name for track in filled(s).tracks]
    ['b']
    """
    used = np.unique(score.track).tolist() or [0]
    if len(used) == len(score.tracks):
        return score
    for index in sorted({t.track for t in score.texts if t.kind.startswith("lyric")} - set(used) - {-1}):
        score = sung_by_another(score, index)
    return _renumbered(score, [[index] for index in used])


def joined_hands(score: Score) -> Score:
    """Return the Score with every two neighbouring tracks that are the hands of one keyboard made one, with staves.

    They are where both have one keyboard program, their names say so or say nothing, and one lies well above the
    other.
    """
    pairs: list[int] = []
    for left in range(len(score.tracks) - 1):
        if pairs and pairs[-1] == left - 1:
            continue
        if _are_hands(score, left):
            pairs.append(left)
    if not pairs:
        return score
    staff = np.full(len(score), -1, np.int32) if score.staff is None else score.staff.copy()
    for left in pairs:
        upper, lower = sorted((left, left + 1), key=lambda t: -float(np.median(score.pitch[score.track == t])))
        staff[score.track == upper], staff[score.track == lower] = 1, 2
    groups = [[i, i + 1] if i in pairs else [i] for i in range(len(score.tracks)) if i - 1 not in pairs]
    first = {left: score.tracks[left]._replace(name="Piano" if score.tracks[left].program < 4 else "")
             for left in pairs}
    score = score.replace(staff=staff, tracks=tuple(first.get(i, t) for i, t in enumerate(score.tracks)))
    return _renumbered(score, groups)


def _are_hands(score: Score, left: int) -> bool:
    one, two = score.tracks[left], score.tracks[left + 1]
    if one.is_drum or two.is_drum or one.program != two.program or one.program not in _KEYBOARDS:
        return False
    first, second = score.pitch[score.track == left], score.pitch[score.track == left + 1]
    if not len(first) or not len(second):
        return False
    said = any(_UPPER.search(a.name) and _LOWER.search(b.name) for a, b in ((one, two), (two, one)))
    named = bool(re.sub(r"\W|\d|track|piano|staff", "", (one.name + two.name).lower()))
    alone = sum(t.program == one.program and not t.is_drum for t in score.tracks) == 2
    apart = abs(float(np.median(first)) - float(np.median(second)))
    return (said and apart >= 1) or (not named and alone and apart >= _APART)


def _renumbered(score: Score, groups: Sequence[Sequence[int]]) -> Score:
    """The Score with only the tracks of `groups`, those of one group made one, which is its first."""
    new = {old: i for i, group in enumerate(groups) for old in group}
    to = np.array([new.get(old, -1) for old in range(len(score.tracks))])
    texts = tuple(text._replace(track=new[text.track]) if text.track >= 0 else text
                  for text in score.texts if text.track < 0 or text.track in new)
    marks = []
    for mark in score.marks:
        if mark.kind == "fermata" and mark.text:
            kept = sorted({new[int(word)] for word in mark.text.split() if word.isdecimal() and int(word) in new})
            mark = Mark(mark.tick, "fermata", " ".join(map(str, kept)))
        marks.append(mark)
    controls = score.controls.select(np.isin(score.controls.track, list(new)))
    score = score.replace(controls=controls)
    moved = type(controls)(controls.tick, to[controls.track], controls.kind, controls.number, controls.value)
    return score.replace(track=to[score.track], tracks=tuple(score.tracks[group[0]] for group in groups), texts=texts,
                         marks=tuple(marks), controls=moved)


def printed_names(score: Score) -> Score:
    """Return the Score with names fit to be printed: no colons around them, and the instrument where there is none.

    The only track of a piece needs no name.

    >>> from partimento.score import Track
    >>> [track.name for track in printed_names(Score(tracks=(Track("", 40), Track("Bass:", 33)))).tracks]
    ['Violin', 'Bass']
    """
    tracks = []
    for track in score.tracks:
        name = track.name.strip(" :\\\t\r\n")
        if not name and len(score.tracks) > 1:
            name = "Drums" if track.is_drum else theory.INSTRUMENT_NAMES[track.program]
        tracks.append(track._replace(name=name))
    return score.replace(tracks=tuple(tracks))


def sung_by_another(score: Score, silent: int) -> Score:
    """Return the Score with the syllables of one track on that whose notes begin where they stand most often.

    Of tracks that fit as well as each other those without words come first; a verse that is sung there already, as it
    stands, is not sung twice, another becomes the next verse.
    """
    words = [t for t in score.texts if t.kind.startswith("lyric") and t.track == silent]
    ticks = np.array([t.tick for t in words], np.int64)
    near = max(1, score.ticks_per_quarter // 8)
    taken = {t.track for t in score.texts if t.kind.startswith("lyric")}
    best: tuple[float, bool, int] = (0.0, False, 0)
    for index, track in enumerate(score.tracks):
        own = np.unique(score.onset[score.track == index]).astype(np.int64)
        if track.is_drum or not len(own) or not len(ticks):
            continue
        hits = float((_distance(own, ticks) <= near).sum())
        best = max(best, (round(hits * hits / (len(own) * len(ticks)), 1), index not in taken, -index))
    if not best[0]:
        return score
    index = -best[2]
    there = [t for t in score.texts if t.kind.startswith("lyric") and t.track == index]
    verse = 1 + max((int(t.kind[6:] or 1) for t in there if t.kind[6:].strip().isdecimal() or t.kind == "lyric"),
                    default=0)
    sung_there = {(t.tick, t.text) for t in there}
    known = sum((t.tick, t.text) in sung_there for t in words) * 2 > len(words)
    moved = [t._replace(track=index, kind=f"lyric {verse}" if there and t.kind == "lyric" else t.kind)
             for t in words] if not known else []
    return score.replace(texts=(*(t for t in score.texts if t not in set(words)), *moved))


def _once(score: Score) -> Score:
    """Syllables on no track said once at each moment, and others of the same moment as further verses."""
    out: list[Text] = []
    verses: dict[int, list[str]] = {}
    for text in score.texts:
        if text.kind == "lyric" and text.track < 0:
            said = verses.setdefault(text.tick, [])
            if text.text in said:
                continue
            said.append(text.text)
            text = text._replace(kind="lyric" if len(said) == 1 else f"lyric {len(said)}")
        out.append(text)
    return score.replace(texts=tuple(out))


def _distance(places: npt.NDArray[np.int64], ticks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """From each tick to the nearest of the places."""
    at = np.clip(np.searchsorted(places, ticks), 1, len(places) - 1) if len(places) > 1 else np.zeros(len(ticks), int)
    return np.asarray(np.minimum(np.abs(places[at] - ticks), np.abs(places[np.maximum(at - 1, 0)] - ticks)))


def sung(score: Score) -> Score:
    """Return the Score with each syllable at the nearest note of its track, within a quarter, that has none yet.

    What finds no note there goes to another track of which a note begins where it stands, and is left out if none does.
    """
    if any(t.kind == "lyric" and t.track < 0 for t in score.texts):
        score = sung_by_another(_once(score), -1)
    if not any(t.kind.startswith("lyric") for t in score.texts):
        return score
    onsets = {i: np.unique(score.onset[score.track == i]) for i, track in enumerate(score.tracks) if not track.is_drum}
    struck = {i: set(own.tolist()) for i, own in onsets.items()}
    taken: set[tuple[int, str, int]] = set()
    out: list[Text] = []
    for text in score.texts:
        if not text.kind.startswith("lyric"):
            out.append(text)
            continue
        own = onsets.get(text.track, np.zeros(0, np.int32))
        tick = int(own[np.abs(own - text.tick).argmin()]) if len(own) else -1
        ways = [(text.track, tick)] if tick >= 0 and abs(tick - text.tick) <= score.ticks_per_quarter else []
        ways += [(i, text.tick) for i in onsets if i != text.track and text.tick in struck[i]]
        found = next((way for way in ways if (way[0], text.kind, way[1]) not in taken), None)
        if found is not None:
            taken.add((found[0], text.kind, found[1]))
            out.append(text._replace(track=found[0], tick=found[1]))
    return score.replace(texts=tuple(out))
