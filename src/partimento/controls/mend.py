"""Mend a piece until its key and its chords hold: few notes moved, by little, and nothing else touched.

What holds afterwards is what `key_holds` and `chords_hold` say. Chords come first: where the two contradict each
other, the key gives way. Everything is deterministic.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from partimento import features, theory
from partimento.controls.facts import (
    CHORD_SHARE,
    ON_BEAT,
    SCALE_SHARE,
    last_group,
    spans,
    tone_table,
    tonic_margin,
    under,
)
from partimento.score import BoolArray, Chord, Score
from partimento.theory import KeyName

Ranges = Sequence[tuple[int, int]]
MAX_STEPS = 4000


def mend_key(score: Score, key: KeyName, movable: BoolArray, ranges: Ranges,
             finished: bool = True) -> tuple[Score, int]:
    """Return the Score with movable notes moved until the key holds on them, and how many were moved."""
    return mend_facts(score, key, (), movable, ranges, finished)


def mend_chords(score: Score, chords: Sequence[Chord], movable: BoolArray, ranges: Ranges, *,
                shorten: bool = True) -> tuple[Score, int]:
    """Return the Score with movable notes moved until the chords hold on them, and how many were moved."""
    return mend_facts(score, None, chords, movable, ranges, shorten=shorten)


def mend_facts(score: Score, key: KeyName | None, chords: Sequence[Chord], movable: BoolArray, ranges: Ranges,
               finished: bool = True, *, notes: BoolArray | None = None, shorten: bool = True) -> tuple[Score, int]:
    """Return the Score mended until its chords and its key hold, and how many notes were moved, shortened or dropped.

    `movable` (bool[n]) says which notes may be moved, `ranges` the lowest and highest pitch of each track, `notes`
    (bool[n]) on which notes the facts are to hold: the movable ones, unless said. Only pitches change, with two
    exceptions. A note for which no free pitch is left in its range (a chord of more notes than there is room for) is
    dropped. A note that rings into a chord where no pitch fits both is ended where that chord begins (and one that
    rings below the final bass, where that begins), unless `shorten` is False; then the verdict may stay false. No
    note is moved onto a pitch that sounds in its track during the note. Drum tracks are left alone. The order of the
    notes may change, so masks of the old Score do not fit the new one.

    >>> s = Score(onset=[0, 480], duration=[480, 480], pitch=[61, 66], velocity=[80, 80], track=[0, 0])
    >>> mended, moved = mend_facts(s, theory.parse_key("C major"), (), np.array([True, True]), [(48, 72)])
    >>> mended.pitch.tolist(), moved
    ([60, 60], 2)
    """
    desk = _Desk(score, movable, ranges, movable if notes is None else notes, key)
    if chords:
        _chords(desk, chords, shorten)
    if key is not None:
        if finished:
            _ending(desk, key, shorten)
            if chords:
                _chords(desk, chords, shorten)      # the ending may have cost a chord its share
        _scale(desk, key)
        _profile(desk, key)
    return desk.result()


class _Desk:
    """The notes on the table: their pitches as they now stand, and what each may become."""

    def __init__(self, score: Score, movable: BoolArray, ranges: Ranges, asked: BoolArray, key: KeyName | None) -> None:
        pitched = features.pitched(score)
        self.score = score
        self.movable = movable & pitched
        self.asked = asked & pitched
        self.liked = theory.scale(*key) if key else frozenset(range(12))
        self.onset = score.onset.astype(np.int64)
        self.duration = score.duration.astype(np.int64)
        self.pitch = score.pitch.astype(np.int64)
        self.alive = np.ones(len(score), bool)
        self.allowed = np.ones((len(score), 12), bool)     # the pitch classes that the chords leave to a note
        self.own = self.allowed.copy()                     # those that the chord under which it begins leaves to it,
        self.until = self.onset + self.duration            # and where that chord ends
        bounds = np.array([*ranges, (0, 127)], np.int64)
        row = np.minimum(score.track, len(bounds) - 1)
        self.low, self.high = bounds[row, 0], bounds[row, 1]
        self.longest = int(self.duration.max(initial=1))

    def taken(self, i: int) -> set[int]:
        """The pitches that sound in the track of note `i` while it sounds."""
        end = self.onset[i] + max(1, self.duration[i])
        window = slice(int(np.searchsorted(self.onset, self.onset[i] - self.longest)),
                       int(np.searchsorted(self.onset, end)))
        others = self.alive[window] & (self.score.track[window] == self.score.track[i])
        others &= self.onset[window] + np.maximum(1, self.duration[window]) > self.onset[i]
        others[i - window.start] = False
        return set(self.pitch[window][others].tolist())

    def places(self, i: int, classes: Iterable[int]) -> list[int]:
        """Free pitches of these classes that note `i` may take, the nearest first; those outside the key come later."""
        wanted = {c for c in classes if self.allowed[i, c]}
        taken = self.taken(i)
        here = int(self.pitch[i])
        free = [p for p in range(int(self.low[i]), int(self.high[i]) + 1) if p % 12 in wanted and p not in taken]
        return sorted(free, key=lambda p: (abs(p - here) + 3 * (p % 12 not in self.liked), p))

    def result(self) -> tuple[Score, int]:
        """The Score as it now stands, and how many notes are not what they were."""
        changed = (self.pitch != self.score.pitch) | (self.duration != self.score.duration) | ~self.alive
        columns = {"pitch": self.pitch, "duration": self.duration}
        if self.score.spelling is not None:
            columns["spelling"] = np.where(self.pitch != self.score.pitch, -1, self.score.spelling)
        count = int(changed.sum())
        if not count:
            return self.score, 0
        whole = self.score.select(self.alive)     # the order of columns below must be that of the notes still there
        return whole.replace(**{name: column[self.alive] for name, column in columns.items()}), count


# --- chords ----------------------------------------------------------------------------------------------------


def _chords(desk: _Desk, chords: Sequence[Chord], shorten: bool) -> None:
    """Chord by chord in time: first what begins with it, then the longest wrong notes until the share is reached."""
    ruled = spans(desk.score, chords)
    tones = tone_table(ruled)
    asked = np.asarray(tones.any(axis=1))
    early = desk.score.ticks_per_quarter // ON_BEAT
    pairs = under(desk.onset, desk.duration, ruled, (desk.asked | desk.movable) & desk.alive, early)
    desk.allowed[:] = True
    cuts = np.searchsorted(pairs.chord, np.arange(len(ruled) + 1))
    rows_of: dict[int, list[int]] = {}
    for row, i in enumerate(pairs.note.tolist()):
        rows_of.setdefault(i, []).append(row)
    overlap = pairs.overlap.copy()
    # A note that comes a little before a chord is meant for it. The second round mends what that left too short before.
    for before, c in itertools.product((early, 0), np.flatnonzero(asked).tolist()):
        start = ruled[c][0]
        own = np.arange(cuts[c], cuts[c + 1])
        for row in own[pairs.on_beat[own]]:
            i = int(pairs.note[row])
            if desk.movable[i]:
                desk.allowed[i] = tones[c]
                if not tones[c, desk.pitch[i] % 12]:
                    _fit(desk, i, tones, [(int(pairs.chord[r]), int(overlap[r])) for r in rows_of[i]], drop=True)
        counted = own[desk.asked[pairs.note[own]] & desk.alive[pairs.note[own]]]
        time = int(overlap[counted].sum())
        inside = int(overlap[counted][tones[c, desk.pitch[pairs.note[counted]] % 12]].sum())
        for row in sorted(own[desk.movable[pairs.note[own]]].tolist(), key=lambda r: (-int(overlap[r]), r)):
            if inside * CHORD_SHARE[1] >= time * CHORD_SHARE[0]:
                break
            i = int(pairs.note[row])
            if tones[c, desk.pitch[i] % 12] or not desk.alive[i] or not overlap[row]:
                continue
            rings = [(int(pairs.chord[r]), int(overlap[r])) for r in rows_of[i]]
            counts = int(overlap[row]) * int(desk.asked[i])
            begins_here = desk.onset[i] >= start - before
            earlier = [k for k, t in rings if k < c and asked[k] and t > before and tones[k, desk.pitch[i] % 12]]
            both = np.logical_and.reduce(tones[[c, *earlier]])
            if both.any() and _fit(desk, i, tones, rings, classes=np.flatnonzero(both), drop=begins_here):
                inside += counts
            elif not desk.alive[i]:
                time -= counts
            elif not begins_here and shorten:
                desk.duration[i] = start - desk.onset[i]
                overlap[[r for r in rows_of[i] if pairs.chord[r] >= c]] = 0
                time -= counts
    # From here on a note that is a tone of a chord it sounds under may only become another tone of that chord.
    kept = (overlap > 0) & tones[pairs.chord, desk.pitch[pairs.note] % 12]
    for i, c in zip(pairs.note[kept].tolist(), pairs.chord[kept].tolist(), strict=True):
        desk.allowed[i] &= tones[c]
    for i, rows in rows_of.items():
        c = int(pairs.chord[rows[0]])
        desk.own[i] = tones[c] | ~asked[c]
        desk.until[i] = ruled[c][1]


def _fit(desk: _Desk, i: int, tones: BoolArray, rings: list[tuple[int, int]], *, drop: bool,
         classes: npt.NDArray[np.intp] | None = None) -> bool:
    """Move note `i` onto the free pitch that is wrong for the shortest time in the chords it rings through."""
    places = desk.places(i, range(12) if classes is None else classes.tolist())
    if places:
        def wrong(pitch: int) -> int:
            return sum(ticks for k, ticks in rings if tones[k].any() and not tones[k, pitch % 12])
        desk.pitch[i] = min(places, key=wrong)      # the first of equals, so the nearest
    elif drop:
        desk.alive[i] = False
    return bool(places)


# --- key -------------------------------------------------------------------------------------------------------


def _ending(desk: _Desk, key: KeyName, shorten: bool) -> None:
    """Make the tonic the lowest of the last sounding notes, and keep it so."""
    mask = features.pitched(desk.score) & desk.alive
    group = last_group(desk.onset, desk.onset + desk.duration, mask).tolist()
    if not group:
        return
    last = int(desk.onset[mask].max())
    if desk.pitch[group].min() % 12 != key.tonic:
        options = _basses(desk, key, group, last, shorten)
        if not options and shorten:
            for i in group:     # what begins there may end with its chord, and then needs to fit no other
                if desk.movable[i] and desk.onset[i] == last and desk.own[i, key.tonic]:
                    desk.allowed[i] = desk.own[i]
                    desk.duration[i] = min(desk.duration[i], desk.until[i] - last)
            options = _basses(desk, key, group, last, shorten)
        if not options:
            return
        _, bass, pitch, lifted = min(options, key=lambda option: option[:3])
        desk.pitch[bass] = pitch
        for i, to in lifted:
            if to is None:
                desk.duration[i] = last - desk.onset[i]
            else:
                desk.pitch[i] = to
        group = [i for i in group if (i, None) not in lifted]
    bottom = int(desk.pitch[group].min())
    for i in group:
        if desk.pitch[i] == bottom:
            desk.movable[i] = False
        desk.low[i] = max(desk.low[i], bottom)


Lifted = list[tuple[int, int | None]]


def _basses(desk: _Desk, key: KeyName, group: list[int], last: int,
            shorten: bool) -> list[tuple[int, int, int, Lifted]]:
    """The ways to a tonic in the bass: the cost, the note, its new pitch, and the notes lifted out of its way."""
    return [(cost, i, pitch, lifted) for i in group if desk.movable[i] for pitch in desk.places(i, [key.tonic])[:6]
            for cost, lifted in [_bass_cost(desk, group, i, pitch, last if shorten else 0)] if cost is not None]


def _bass_cost(desk: _Desk, group: list[int], bass: int, pitch: int, last: int) -> tuple[int | None, Lifted]:
    """Semitones moved when `bass` becomes the lowest note on `pitch`, and where each note now below it goes.

    None for the semitones: it cannot. None for a place: the note finds none, and ends at tick `last` instead.
    """
    cost, used = abs(pitch - int(desk.pitch[bass])), {pitch}
    lifted: Lifted = []
    for i in group:
        if i == bass or desk.pitch[i] >= pitch:
            continue
        above = [p for p in desk.places(i, desk.liked) if p > pitch and p not in used] if desk.movable[i] else []
        if not above and (not desk.movable[i] or desk.onset[i] >= last):
            return None, []
        lifted.append((i, above[0] if above else None))
        used.update(above[:1])
        cost += 1 + (abs(above[0] - int(desk.pitch[i])) if above else 24)
    return cost, lifted


def _scale(desk: _Desk, key: KeyName) -> None:
    """Move the longest notes outside the scale to the nearest free pitch inside, until enough time is inside."""
    inside = np.zeros(12, bool)
    inside[sorted(theory.scale(*key))] = True
    weight = desk.duration * (desk.asked & desk.alive)
    total, good = int(weight.sum()), int(weight[inside[desk.pitch % 12]].sum())
    wrong = np.flatnonzero(desk.movable & (weight > 0) & ~inside[desk.pitch % 12])
    for i in wrong[np.argsort(-weight[wrong], kind="stable")].tolist():
        if good * SCALE_SHARE[1] >= total * SCALE_SHARE[0]:
            return
        places = desk.places(i, np.flatnonzero(inside).tolist())
        if places:
            desk.pitch[i] = places[0]
            good += int(weight[i])


def _profile(desk: _Desk, key: KeyName) -> None:
    """Move notes inside the scale, each time what turns the key profile most to the tonic for the way it moves."""
    weight = desk.duration * (desk.asked & desk.alive)
    scale = np.array(sorted(theory.scale(*key)))
    batch = max(1, int(desk.movable.sum()) // 256)
    for _ in range(MAX_STEPS):
        time = np.bincount(desk.pitch % 12, weight, 12)
        margin = float(tonic_margin(time, key))
        if margin >= 0:
            return
        free = np.flatnonzero(desk.movable & (weight > 0))
        kinds = np.unique(np.stack([desk.pitch[free] % 12, weight[free]], 1), axis=0)
        source, ticks = np.repeat(kinds, len(scale), axis=0).T
        target = np.tile(scale, len(kinds))
        trial = np.tile(time, (len(source), 1))
        rows = np.arange(len(source))
        trial[rows, source] -= ticks
        trial[rows, target] += ticks
        gain = tonic_margin(trial, key) - margin
        way = np.minimum((target - source) % 12, (source - target) % 12)
        worth = gain / (1 + way / 6)
        if not any(_shift(desk, free, weight, int(source[k]), int(ticks[k]), int(target[k]), batch)
                   for k in np.argsort(-worth, kind="stable") if gain[k] > 1e-9):
            return


def _shift(desk: _Desk, free: npt.NDArray[np.intp], weight: npt.NDArray[np.int64], source: int, ticks: int, target: int,
           most: int) -> int:
    """Move up to `most` notes of that pitch class and length to the target class; how many found a place."""
    moved = 0
    for i in free[(desk.pitch[free] % 12 == source) & (weight[free] == ticks) & desk.allowed[free, target]].tolist():
        places = desk.places(i, [target])
        if places:
            desk.pitch[i] = places[0]
            moved += 1
            if moved == most:
                break
    return moved
