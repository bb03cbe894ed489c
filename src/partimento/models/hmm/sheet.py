"""A whole page with blanks: the harmony under it, and its parts in the order of writing, filled or weighed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from partimento import theory
from partimento.counting.hidden import Chain, drawn_paths
from partimento.features import heard_key
from partimento.models.hmm.details import Details, Habits
from partimento.models.hmm.drums import plain_beat, steadied
from partimento.models.hmm.harmony import (
    NONE,
    QUALITIES,
    STATES,
    Counts,
    chord_name,
    chord_states,
    class_chances,
    held,
    smoothed,
    spoken_for,
    tables_of,
    tones_of,
)
from partimento.models.hmm.learn import stand_in
from partimento.models.hmm.line import rekeyed
from partimento.models.hmm.page import (
    BASS,
    DRUMS,
    FEWEST,
    LEAD,
    SUPPORT,
    Bools,
    Floats,
    Ints,
    PageGrid,
    SteppedNotes,
    notes_on,
    roles_of,
    signs_of,
    tonic_of,
)
from partimento.models.hmm.pitch import N_ROLES, Weights, log_chances
from partimento.models.hmm.rhythm import Patterns, entries_of
from partimento.models.hmm.write import BlankPart, Pitched, Taste, apart_of, gained
from partimento.request import Blanks, Request
from partimento.sampling import Legal, draw
from partimento.score import Meter, Score
from partimento.tokens.grid import to_ticks

OUTSIDE = 0.03             # of the notes of a role lie below where it usually plays, and above it
STEADY = 0.8               # of the temperature is that of the chords, in a sharpened draw


@dataclasses.dataclass
class HmmTables:
    """All that the family has learnt."""

    grid: int
    harmony: Counts
    patterns: dict[int, Patterns]
    weights: Weights
    details: Details
    tables: dict[str, Any]
    evidence: float

    @cached_property
    def chain(self) -> Chain:
        """The chain of harmony; its `start` is float64[mode, STATES]."""
        return smoothed(self.harmony)

    @cached_property
    def classes(self) -> Floats:
        """What each chord says of pitch classes (logarithms)."""
        return class_chances(self.harmony)

    @cached_property
    def _habits(self) -> dict[int, Habits]:
        return {}

    def habits(self, role: int) -> Habits:
        """Sizes, lengths and velocities of a role."""
        if role not in self._habits:
            self._habits[role] = Habits(self.details, role, self.grid)
        return self._habits[role]

    @cached_property
    def roles(self) -> Mapping[str, int]:
        """What tracks of such names, instruments and places most often turned out to be."""
        return {sign: int(role) for sign, role, _ in reversed(self.tables.get("roles", []))}

    @cached_property
    def _reaches(self) -> dict[int, Bools]:
        return {role: self._reach(role) for role in range(N_ROLES)}

    def reach(self, role: int) -> Bools:
        """bool[128]: where nearly all notes of a role lie; everywhere where none was learnt."""
        return self._reaches[role]

    def _reach(self, role: int) -> Bools:
        counts = np.zeros(128)
        for own, pitch, count in self.tables.get("reach", []):
            counts[pitch] += count * (own == role)
        if not counts.any():
            return np.ones(128, bool)
        below = np.cumsum(counts) / counts.sum()
        return np.asarray((below > OUTSIDE) & (below - counts / counts.sum() < 1 - OUTSIDE))

    @cached_property
    def keys(self) -> list[tuple[tuple[int, int], float]]:
        """All 24 keys (shift, mode) and how likely each is: as often as seen, and half a time more."""
        seen = {(int(shift), int(mode)): count for shift, mode, count in self.tables.get("key", [])}
        every = [(shift, mode) for mode in (0, 1) for shift in range(-5, 7)]
        total = sum(seen.get(key, 0) + 0.5 for key in every)
        return [(key, (seen.get(key, 0) + 0.5) / total) for key in every]


class HarmonySheet:
    """A frame with blanks, read once for any number of fills, or to be weighed."""

    def __init__(self, learnt: HmmTables, score: Score, blanks: Blanks, request: Request | None,
                 weigh: bool = False, hands: Sequence[tuple[int, int]] = ()) -> None:
        self.learnt, self.score, self.blanks = learnt, score, blanks
        self.ends = not (request and request.loop)
        self.page = PageGrid(score, learnt.grid, self.ends)
        rewritten = blanks.rewritten(score)
        self.kept_score = score.select(~rewritten)
        self.kept, _ = notes_on(self.kept_score, learnt.grid)
        apart = apart_of(score, blanks)
        inside = np.flatnonzero(rewritten if weigh else apart)
        self.content, index = notes_on(score.select(inside), learnt.grid)
        self.index = inside[index]
        self.is_fixed = apart[self.index]
        self.legal = Legal(score, request)
        self.count = len(self.index)
        roles = roles_of(score.tracks, self.kept)
        sizes = np.bincount(self.kept.track, minlength=len(score.tracks))
        heard = all(sizes[i] >= FEWEST or track.is_drum for i, track in enumerate(score.tracks))
        self.roles = roles if heard else [learnt.roles.get(sign, role) for sign, role in
                                          zip(signs_of(score.tracks), roles, strict=True)]
        for right, left in hands:
            led = any(role == LEAD for t, role in enumerate(self.roles) if t not in (right, left))
            self.roles[right], self.roles[left] = (SUPPORT, BASS) if led else (LEAD, SUPPORT)
        self.key: tuple[int, int] | None = None if score.keys else heard_key(self.kept_score)
        self.key_known = bool(score.keys) or self.key is not None

    def parts(self, stand: SteppedNotes) -> Iterator[tuple[BlankPart, int]]:
        """The parts with blanks in the order of writing, and the learnt role of each; `standing` is what they see."""
        self.stand = stand
        order = sorted(range(len(self.roles)), key=lambda t: (self.roles[t], t))
        blank = set(self.blanks.tracks())
        for track in order:
            if track not in blank:
                continue
            blank.discard(track)
            role = stand_in(self.roles[track], set(self.learnt.patterns))
            pitched = [t for t in order if t != track and t not in blank and self.roles[t] != DRUMS]
            others = self.stand.where(np.isin(self.stand.track, pitched))
            own = self.is_fixed & (self.content.track == track)
            yield BlankPart(self.page, self.blanks, self.legal, track, role, self.kept.where(self.kept.track == track),
                       self.content.where(own), self.index[own], others, self.score.tracks[track]), role

    # --- harmony ---------------------------------------------------------------------------------------------

    def harmony(self, key: tuple[int, int] | None) -> tuple[Chain, Floats, Ints, tuple[Ints, Ints]]:
        """The chain, what stands says of its states (logarithms), its tables, and the keys."""
        keys = self.page.keys(key)
        tonic = tonic_of(*keys)
        chain = self.learnt.chain
        chain = chain._replace(start=chain.start[keys[1][0]])
        kept = spoken_for(self.page, self.kept_score, self.learnt.classes, tonic, self.learnt.evidence)
        kept = held(kept, chord_states(self.page, self.score.chords, tonic))
        return chain, kept, tables_of(self.page, keys[1]), keys

    def closing(self) -> int | None:
        """The step at which what is new comes to rest: in the last bar, with the last kept onset; None in a loop, in a
        page of one bar, and where what is kept goes on in the very last beat."""
        page = self.page
        if not self.ends or page.bar[-1] < 1:
            return None
        first = int(np.searchsorted(page.bar, page.bar[-1]))
        drums = [i for i, track in enumerate(self.score.tracks) if track.is_drum]
        late = self.kept.onset[(self.kept.onset >= first) & ~np.isin(self.kept.track, drums)]
        found = int(late.max(initial=first))
        return found if found < page.steps and page.slot[found] in (0, page.grid) else None

    def home(self, kept: Floats, closing: int, keys: tuple[Ints, Ints]) -> Floats:
        """The evidence (logarithms) with the tonic from the closing step on, where no chord is written there and all
        that is kept there belongs to it."""
        page = self.page
        beats = np.arange(page.beats) >= page.beat[closing]
        tonic = int(tonic_of(*keys)[page.beat[closing]])
        state = int(keys[1][page.beat[closing]])
        sounding = self.kept.pitch[(self.kept.end > closing)] % 12
        if self.score.chords or not np.isin(sounding, tones_of(state, tonic)).all():
            return kept
        return held(kept, np.where(beats, state, NONE))

    # --- filling ---------------------------------------------------------------------------------------------

    def fill(self, taste: Taste, rng: np.random.Generator) -> Score:
        """The frame with one set of new notes."""
        learnt, page = self.learnt, self.page
        key = self.key
        if not self.key_known:
            key = learnt.keys[draw([weight for _, weight in learnt.keys], rng.random())][0]
        chain, kept, inputs, keys = self.harmony(key)
        closing = self.closing() if taste.sharp else None
        if closing is not None:
            kept = self.home(kept, closing, keys)
        calm = taste._replace(temperature=taste.temperature * (STEADY if taste.sharp else 1.0))
        states = drawn_paths(calm.sharpened(chain), kept, [page.beats], rng.random(page.beats), inputs, logs=True)
        rows: list[tuple[int, ...]] = []
        tpq = self.score.ticks_per_quarter
        for part, role in self.parts(self.kept):
            patterns, habits = learnt.patterns[role], learnt.habits(role)
            if closing is not None:
                part.close(closing)
            struck, path = part.draw_rhythm(patterns, taste, rng)
            usual = learnt.reach(role) if taste.sharp else None
            new, changed = part.draw_pitches(learnt.weights, habits, struck, states, keys, taste, usual, rng)
            new.sort()
            lengths = part.draw_lengths(patterns, habits, struck, path, new, taste, rng)
            loud, _ = part.loudness(habits, new, None, taste, rng)
            table = np.array([(*note, length, velocity) for note, length, velocity in
                              zip(new, lengths, loud, strict=True)], np.int64).reshape(-1, 4)
            if taste.sharp and part.kind.is_drum and part.open.all() and not part.standing.any():
                beat = plain_beat(page, part.masks) if DRUMS not in learnt.patterns else steadied(page, table)
                table = beat if len(beat) else table
            onset, pitch, velocity = table[:, 0], table[:, 1], table[:, 3]
            end = np.minimum(onset + table[:, 2], page.steps)
            begin, stop = to_ticks(onset, tpq, page.grid), to_ticks(end, tpq, page.grid)
            track = np.full(len(table), part.track)
            rows += zip(*(column.tolist() for column in (begin, np.maximum(stop - begin, 1), pitch, velocity, track)),
                        strict=True)
            repitched = part.fixed.where(np.array([i for i, _ in changed], np.int64))
            repitched = repitched._replace(pitch=np.array([p for _, p in changed], np.int64))
            for i, p in changed:
                old = self.score.notes()[part.fixed_index[i]].tolist()
                rows.append((old[0], old[1], p, old[3], old[4]))
            fresh = SteppedNotes(onset, end, pitch, velocity, track)
            self.stand = SteppedNotes.joined([self.stand, fresh, repitched])
        return self.score.without_notes().with_rows(np.array(rows, np.int64).reshape(-1, 5))

    # --- weighing --------------------------------------------------------------------------------------------

    def weigh(self) -> tuple[dict[str, float], float]:
        """The log-probability of what stands in the blanks by part of the work, and that of its velocities."""
        parts = dict.fromkeys(("rhythm", "size", "pitch", "duration"), 0.0)
        expression, pitched = 0.0, list[Pitched]()
        _, _, _, keys = self.harmony(self.key)
        for part, role in self.parts(self.kept):
            patterns, habits = self.learnt.patterns[role], self.learnt.habits(role)
            given = self.given(part)
            struck = part.standing.copy()
            struck[given.onset] = True
            size, own = part.weigh_pitches(habits, struck, given, keys)
            length, lasts = part.weigh_lengths(habits, struck, given)
            kept, new = part.rhythm_kept(patterns), part.rhythm_new(patterns, struck, lasts)
            parts["rhythm"] += gained(patterns.chain, kept, new, entries_of(self.page))
            parts["size"] += size
            parts["duration"] += length
            pitched += own
            pairs = list(zip(given.onset.tolist(), given.pitch.tolist(), strict=True))
            expression += part.loudness(habits, pairs, given.velocity.tolist(), Taste(1.0, 1.0), None)[1]
            self.stand = SteppedNotes.joined([self.stand, self.content.where(self.content.track == part.track)])
        parts["pitch"] = self._pitch_nats(pitched)
        return parts, expression

    def given(self, part: BlankPart) -> SteppedNotes:
        """The new notes of a part that its blanks can hold."""
        own = self.content.where((self.content.track == part.track) & ~self.is_fixed)
        can = part.open[np.minimum(own.onset, self.page.steps - 1)]
        return own.where(can & ~np.isin(own.onset, part.fixed.onset))

    def _pitch_nats(self, pitched: list[Pitched]) -> float:
        if self.key_known:
            return self._in_key(pitched, self.key, False)
        by_key = [np.log(weight) + self._in_key(pitched, key, True) for key, weight in self.learnt.keys]
        return float(np.logaddexp.reduce(by_key))

    def _in_key(self, pitched: list[Pitched], key: tuple[int, int] | None, other: bool) -> float:
        chain, kept, inputs, keys = self.harmony(key)
        return gained(chain, kept, self.pitch_evidence(pitched, keys if other else None), inputs)

    def pitch_evidence(self, pitched: list[Pitched], keys: tuple[Ints, Ints] | None) -> Floats:
        """float64[beats, STATES]: what new pitches say of the chords; in other keys than they were seen, if given."""
        out = np.zeros((self.page.beats, STATES))
        for one in pitched:
            seen = one.seen
            if keys is not None:
                seen = rekeyed(seen, int(keys[0][one.beat]), int(keys[1][one.beat]))
            out[one.beat] += log_chances(self.learnt.weights, seen, one.legal, one.pitch)
        return out


def suggested_chords(learnt: HmmTables, request: Request, rng: np.random.Generator) -> str | None:
    """Chord symbols for a piece, a path of the chain of harmony that comes home, as a Request takes them."""
    assert request.key is not None
    assert request.bars is not None
    key = theory.parse_key(request.key)
    minor = int(key.mode == "minor")
    numerator, denominator = theory.parse_meter(request.meter or "4/4")
    frame = Score(end=request.bars * numerator * 4 * 480 // denominator, ticks_per_quarter=480,
                  meters=(Meter(0, numerator, denominator),))
    page = PageGrid(frame, learnt.grid, not request.loop)
    if not learnt.harmony.moves.any():
        return None
    states = np.full(page.beats, NONE, np.int64)
    home = minor               # the tonic triad: degree 0, major or minor
    states[0] = home
    bar = np.searchsorted(frame.bar_starts, page.edges[:-1], side="right") - 1
    if not request.loop:
        states[bar == bar[-1]] = home
    mode = np.full(page.beats, minor)
    chain = learnt.chain._replace(start=learnt.chain.start[minor])
    taste = Taste(STEADY * (request.temperature or 1.0), request.top_p or 1.0)
    path = drawn_paths(taste.sharpened(chain), held(np.zeros((page.beats, STATES)), states), [page.beats],
                       rng.random(page.beats), tables_of(page, mode), logs=True)
    names = [chord_name(int(state), key.tonic, key.mode) for state in path]
    out = []
    for number in range(request.bars):
        own = [name for name, at in zip(names, bar.tolist(), strict=True) if at == number]
        out.append(" ".join(own[:1] if len(set(own)) == 1 else _halved(own)))
    return " | ".join(out)


def _halved(names: list[str]) -> list[str]:
    half = len(names) // 2
    even = len(names) % 2 == 0 and len(set(names[:half])) == 1 and len(set(names[half:])) == 1
    return [names[0], names[half]] if even else names


assert len(QUALITIES) * 12 == STATES
