"""Writing a part into its blanks, or weighing what stands there: rhythm, sizes, pitches, lengths, loudness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from partimento import theory
from partimento.counting.hidden import Chain, drawn_paths, log_likelihood
from partimento.models.hmm.details import SIZES, Habits
from partimento.models.hmm.harmony import tones_of
from partimento.models.hmm.line import AHEAD, ChordLine, Surroundings
from partimento.models.hmm.page import BASS, DRUMS, FINE, SUPPORT, Bools, Floats, Ints, PageGrid, SteppedNotes
from partimento.models.hmm.pitch import Seen, Weights, pitch_chances, tasteful
from partimento.models.hmm.rhythm import Patterns, ago_of, cells_of, entries_of, memory_of
from partimento.request import Blanks
from partimento.sampling import Legal, draw, shape
from partimento.score import Score, Track

LONGEST = 2                # bars that a sharpened draw leaves a part without an onset


class Taste(NamedTuple):
    """How draws are shaped: temperature and top-p; `sharp` where they leave out what is seldom."""

    temperature: float
    top_p: float

    @property
    def sharp(self) -> bool:
        """Whether what is seldom is left out."""
        return self.temperature < 1 or self.top_p < 1

    def pick(self, weights: Floats, uniform: float) -> int:
        """One of some chances."""
        return draw(shape(weights, self.temperature, self.top_p), uniform)

    def says_yes(self, chance: float, uniform: float) -> bool:
        """Whether what has this chance comes, shaped as `pick` shapes it."""
        yes, no = float(chance ** (1 / self.temperature)), float((1 - chance) ** (1 / self.temperature))
        if self.top_p < 1 and max(yes, no) >= self.top_p * (yes + no) * (1 - 1e-12):
            return yes > no
        return uniform * (yes + no) >= no

    def sharpened(self, chain: Chain) -> Chain:
        """The chain with where it goes on to shaped; how long it stays in a state is left as it was learnt."""
        if self.temperature == 1 and self.top_p >= 1:
            return chain
        itself = np.eye(chain.moves.shape[1], dtype=bool)
        leaves = np.where(itself, 0.0, chain.moves)
        away = leaves.sum(axis=2, keepdims=True)
        moves = np.where(itself, 0.0, np.maximum(leaves, 1e-300) ** (1 / self.temperature))
        moves /= np.maximum(moves.sum(axis=2, keepdims=True), 1e-300)
        if self.top_p < 1:      # what is left out stays barely possible: what is kept may ask for it
            order = np.sort(moves, axis=2)[..., ::-1]
            running = np.cumsum(order, axis=2)
            kept = np.minimum((running < self.top_p * (1 - 1e-12)).sum(axis=2, keepdims=True), order.shape[2] - 1)
            moves = np.where(moves >= np.take_along_axis(order, kept, 2), moves, moves * 1e-6)
            moves /= np.maximum(moves.sum(axis=2, keepdims=True), 1e-300)
        return chain._replace(moves=np.where(itself, chain.moves, away * moves))


class Pitched(NamedTuple):
    """One new note's pitch as it is weighed: what was seen, what was legal, the pitch, its beat, the note's place."""

    seen: Seen
    legal: Bools
    pitch: int
    beat: int
    step: int


class BlankPart:
    """One part to be written: what stands in it (`kept`), what keeps its rhythm (`fixed`, indices of the input), where
    new notes may begin (`open`), and what sounds in the parts that stand."""

    def __init__(self, page: PageGrid, blanks: Blanks, legal: Legal, track: int, role: int, kept: SteppedNotes,
                 fixed: SteppedNotes, fixed_index: Ints, others: SteppedNotes, kind: Track) -> None:
        self.page, self.track, self.role, self.kept, self.legal = page, track, role, kept, legal
        self.fixed, self.fixed_index, self.kind = fixed, fixed_index, kind
        self.around = Surroundings(page, others)
        self.single = theory.plays_single_notes(kind)
        self.above = [line for own, line in self.around.single.items() if own < track]
        self.below = [line for own, line in self.around.single.items() if own > track]
        self.closing: int | None = None         # the step of the last onset, where this part ends the piece
        self.open = np.zeros(page.steps, bool)
        for region in blanks.regions:
            if region.track == track and region.open == "all":
                self.open |= (page.tick >= region.start) & (page.tick < region.end)
        self.masks = {step: self._mask(step) for step in np.flatnonzero(self.open).tolist()}
        for step, mask in self.masks.items():
            self.open[step] = mask.any()
        self.standing = np.zeros(page.steps, bool)
        for notes in (kept, fixed):
            self.standing[np.minimum(notes.onset, page.steps - 1)] = True

    def _mask(self, step: int) -> Bools:
        """bool[128]: what a new note at a step may be: legal, and not sounding already in this track."""
        legal = self.legal.pitches(self.track, int(self.page.tick[step]))
        sounding = (self.kept.onset <= step) & (step < self.kept.end)
        if not sounding.any():
            return legal
        mask = legal.copy()
        mask[self.kept.pitch[sounding]] = False
        return mask

    def close(self, struck: int) -> None:
        """Let the part end with an onset at the step `struck`, where it is free to."""
        if self.role != DRUMS and self.open[struck] and not self.standing[struck:].any():
            self.closing = struck

    # --- when ------------------------------------------------------------------------------------------------

    def rhythm_kept(self, patterns: Patterns) -> Floats:
        """float64[beats, K]: what stands says of the states, as logarithms."""
        known = ~self.open | self.standing
        steps = np.flatnonzero(known)
        ago = ago_of(self.page, self.standing, known)
        none = np.zeros(0, np.int64)
        return patterns.evidence(cells_of(self.page, steps, self.standing[steps], ago[steps],
                                          self.around.strikes[steps], none, none.astype(bool), none))

    def rhythm_new(self, patterns: Patterns, struck: Bools, lasts: tuple[Ints, Bools, Ints]) -> Floats:
        """The same of what is new: onsets at open steps (`struck` of all steps), and which notes last to the next onset
        (their steps, whether they do, what is remembered)."""
        steps = np.flatnonzero(self.open & ~self.standing)
        ago = ago_of(self.page, struck, np.ones(self.page.steps, bool))
        return patterns.evidence(cells_of(self.page, steps, struck[steps], ago[steps], self.around.strikes[steps],
                                          *lasts))

    def draw_rhythm(self, patterns: Patterns, taste: Taste, rng: np.random.Generator) -> tuple[Bools, Ints]:
        """Onsets (bool[steps]) and the path of states (int64[beats])."""
        page = self.page
        path = drawn_paths(taste.sharpened(patterns.chain), self.rhythm_kept(patterns), [page.beats],
                           rng.random(page.beats), entries_of(page), logs=True)
        struck = self.standing.copy()
        table = patterns.strikes
        state, slot = path[page.beat].tolist(), page.slot.tolist()
        ago, near = page.ago.tolist(), page.beat_ago.tolist()
        strikes = self.around.strikes.tolist()
        places = self.page.divisions().tolist() if taste.sharp else None
        within, bar, latest = page.within.tolist(), page.bar.tolist(), page.bar[np.argmax(self.open)]
        inside: dict[int, int] = {}             # of each beat: whether its onsets lie on halves and quarters, or thirds
        for step in np.flatnonzero(self.open & ~self.standing).tolist():
            memory = 3 * (0 if ago[step] < 0 else 2 if struck[ago[step]] else 1) + (
                0 if near[step] < 0 else 2 if struck[near[step]] else 1)
            chance = float(table[state[step], slot[step], memory * 2 + strikes[step]])
            if places is not None:
                kind, beat = places[step], int(page.beat[step])
                if kind and (kind == FINE or inside.get(beat, kind) != kind):
                    chance = 0.0
            if self.closing is not None and step >= self.closing:
                chance = float(step == self.closing)
            if taste.sharp and not within[step] and bar[step] - latest > LONGEST and self.role != DRUMS:
                chance = 1.0
            struck[step] = taste.says_yes(chance, rng.random())
            latest = bar[step] if struck[step] else latest
            if places is not None and struck[step] and places[step]:
                inside[int(page.beat[step])] = places[step]
        return struck, path

    # --- how many, and which ---------------------------------------------------------------------------------

    def onsets(self, struck: Bools) -> list[tuple[int, list[int], Ints, bool]]:
        """Every onset: its step, the kept pitches there, which fixed notes are (by index), whether more may come."""
        out = []
        for step in np.flatnonzero(struck).tolist():
            kept = sorted(set(self.kept.pitch[self.kept.onset == step].tolist()))
            fixed = np.flatnonzero(self.fixed.onset == step)
            out.append((step, kept, fixed, bool(self.open[step]) and not len(fixed)))
        return out

    def size_chances(self, habits: Habits, line: ChordLine, step: int, before: int, kept: int) -> Floats:
        """float64[SIZES]: how likely each size of the chord at an open step is."""
        room, ago = int(self.masks[step].sum()), int(self.page.ago[step])
        there = len(line.chords.get(ago, ())) if ago >= 0 else 0
        return habits.size(before, there, int(self.page.strength[step]), kept + (not kept), kept + room)

    def fixed_mask(self, step: int, end: int, written: Sequence[tuple[int, int, int]], count: int) -> Bools:
        """bool[128]: what notes of a given length may be: legal, and clear of what sounds meanwhile."""
        legal = self.legal.pitches(self.track, int(self.page.tick[step]))
        mask = legal.copy()
        mask[self.kept.pitch[(self.kept.onset < end) & (step < self.kept.end)]] = False
        for onset, stop, pitch in written:
            if onset < end and step < stop:
                mask[pitch] = False
        if mask.sum() >= count:
            return mask
        low, high = self.legal.ranges[self.track]
        out = np.zeros(128, bool)
        out[low:high + 1] = True
        return out if out.sum() >= count else np.ones(128, bool)

    def ahead(self, struck: Bools) -> dict[int, tuple[int, int]]:
        """For each onset the next kept note of the part: how many onsets away, and its outermost pitch."""
        out: dict[int, tuple[int, int]] = {}
        if self.role == DRUMS:
            return out
        coming: tuple[int, int] | None = None
        outer = max if self.role in (0, 1, 2, 5) else min
        for step in np.flatnonzero(struck)[::-1].tolist():
            if coming is not None and coming[0] + 1 <= AHEAD[-1]:
                coming = coming[0] + 1, coming[1]
                out[step] = coming
            else:
                coming = None
            own = self.kept.pitch[self.kept.onset == step]
            if len(own):
                coming = 0, int(outer(own.tolist()))
        return out

    def bounded(self, mask: Bools, seen: Seen, left: int, line: ChordLine) -> Bools:
        """The legal pitches between the bounds that leave room for `left` more notes of the chord."""
        inside = mask.copy()
        inside[:seen.low + 1] = False
        inside[seen.high:] = False
        free = np.flatnonzero(inside)
        if left and len(free) > left:
            inside[free[:left] if line.top_down else free[len(free) - left:]] = False
        return inside

    def draw_pitches(self, weights: Weights, habits: Habits, struck: Bools, states: Ints, keys: tuple[Ints, Ints],
                     taste: Taste, usual: Bools | None, rng: np.random.Generator,
                     ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """New notes as (step, pitch), and (index into `fixed`, pitch) for notes that get another pitch.

        Where any pitch is left among the `usual` ones (bool[128]), one of them is taken.
        """
        onsets = self.onsets(struck)
        line = ChordLine(self.page, self.role, self.kind.program, self.around, [o[0] for o in onsets], keys)
        ahead, before = self.ahead(struck), 0
        new: list[tuple[int, int]] = []
        changed: list[tuple[int, int]] = []
        spans: list[tuple[int, int, int]] = []
        for step, kept, fixed, free in onsets:
            count, mask = len(fixed), self.masks.get(step)
            if free:
                size = 1 + taste.pick(self.size_chances(habits, line, step, before, len(kept)), rng.random())
                count = (1 if taste.sharp and self.single else size) - len(kept)
            if len(fixed):
                mask = self.fixed_mask(step, int(self.fixed.end[fixed].max()), spans, count)
            written: list[int] = []
            for k in range(count):
                assert mask is not None
                seen = line.seen(step, written, kept, ahead.get(step))
                legal = self.bounded(mask, seen, count - k - 1, line)
                if not legal.any():
                    break
                if usual is not None and (legal & usual).any():
                    legal &= usual
                state = -1 if self.kind.is_drum else int(states[self.page.beat[step]])
                if taste.sharp and self.single:
                    legal = self.uncrossed(legal, step)
                if step == self.closing:
                    legal = self.at_rest(legal, state, line.tonic[self.page.beat[step]], not written)
                found = pitch_chances(weights, seen, legal, state)
                if taste.sharp:
                    found = tasteful(found, seen, [] if self.kind.is_drum else line.parallels(step, k))
                written.append(taste.pick(found, rng.random()))
            if len(fixed):
                order = fixed[np.argsort(-self.fixed.pitch[fixed] if line.top_down else self.fixed.pitch[fixed],
                                         kind="stable")]
                for note, pitch in zip(order.tolist(), written, strict=False):
                    changed.append((note, pitch))
                    spans.append((step, int(self.fixed.end[note]), pitch))
            else:
                new += [(step, pitch) for pitch in written]
            line.stand(step, line.ordered([*kept, *written]))
            before = len(line.chords[step])
        return new, changed

    def uncrossed(self, legal: Bools, step: int) -> Bools:
        """Of the legal pitches those that cross no line that stands above or below in the score; all where none is."""
        found = legal.copy()
        found[:max((line[step] for line in self.below if line[step] >= 0), default=0)] = False
        found[min((line[step] for line in self.above if line[step] >= 0), default=127) + 1:] = False
        return found if found.any() else legal

    def at_rest(self, legal: Bools, state: int, tonic: int, first: bool) -> Bools:
        """Of the legal pitches those that end a piece over a chord: its tones, its root below; all where none is."""
        tones = tones_of(state, tonic)
        for wanted in (tones[:1] if first and self.role in (BASS, SUPPORT) else tones, tones):
            found = legal & np.isin(np.arange(128) % 12, wanted)
            if found.any():
                return np.asarray(found)
        return legal

    def weigh_pitches(self, habits: Habits, struck: Bools, given: SteppedNotes, keys: tuple[Ints, Ints],
                      ) -> tuple[float, list[Pitched]]:
        """The log-probability of the sizes of what is given, and its pitches as they are to be weighed."""
        onsets = self.onsets(struck)
        line = ChordLine(self.page, self.role, self.kind.program, self.around, [o[0] for o in onsets], keys)
        ahead, before, nats = self.ahead(struck), 0, 0.0
        out: list[Pitched] = []
        spans: list[tuple[int, int, int]] = []
        for step, kept, fixed, free in onsets:
            mask = self.masks.get(step)
            wanted = line.ordered(given.pitch[given.onset == step].tolist()) if free else \
                line.ordered(self.fixed.pitch[fixed].tolist())
            if free:
                found = self.size_chances(habits, line, step, before, len(kept))
                with np.errstate(divide="ignore"):
                    nats += float(np.log(found[min(len(kept) + len(wanted), SIZES) - 1]))
            if len(fixed):
                mask = self.fixed_mask(step, int(self.fixed.end[fixed].max()), spans, len(fixed))
                spans += [(step, int(self.fixed.end[note]), int(self.fixed.pitch[note])) for note in fixed.tolist()]
            for k, pitch in enumerate(wanted):
                assert mask is not None
                seen = line.seen(step, wanted[:k], kept, ahead.get(step))
                legal = self.bounded(mask, seen, len(wanted) - k - 1, line)
                out.append(Pitched(seen, legal, pitch, int(self.page.beat[step]), step))
            line.stand(step, line.ordered([*kept, *wanted]))
            before = len(line.chords[step])
        return nats, out

    # --- how long, how loud ----------------------------------------------------------------------------------

    def gaps(self, struck: Bools, new: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """For each new note (step, pitch): steps to the part's next onset, and the longest it may last."""
        onsets = np.append(np.flatnonzero(struck), self.page.steps)
        by_pitch: dict[int, list[int]] = {}
        for step, pitch in [*new, *zip(self.kept.onset.tolist(), self.kept.pitch.tolist(), strict=True)]:
            by_pitch.setdefault(pitch, []).append(step)
        out = []
        for step, pitch in new:
            following = int(onsets[np.searchsorted(onsets, step, side="right")]) if step < self.page.steps - 1 \
                else self.page.steps
            stop = min([s for s in by_pitch[pitch] if s > step], default=self.page.steps)
            out.append((max(following - step, 1), max(stop - step, 1)))
        return out

    def draw_lengths(self, patterns: Patterns, habits: Habits, struck: Bools, path: Ints,
                     new: Sequence[tuple[int, int]], taste: Taste, rng: np.random.Generator) -> list[int]:
        """The length of each new note in steps."""
        out: list[int] = []
        last: tuple[int, bool] | None = None
        before: int | None = None
        for (step, _), (gap, most) in zip(new, self.gaps(struck, new), strict=True):
            length = gap
            if most > 1 and step != self.closing:
                full = float(patterns.full[path[self.page.beat[step]], memory_of(step, last)])
                held = taste.says_yes(full, rng.random())
                weights = habits.detached(gap, most, before)
                if taste.sharp:         # only lengths that end on quarters of a beat, none a fragment of its gap
                    weights *= (step + np.arange(len(weights))) * 4 % self.page.grid == 0
                    weights[:min(-(-gap // 2), self.page.grid)] = 0
                    held = held or not weights.any()
                if not held:
                    length = taste.pick(weights, rng.random())
                    if taste.sharp and self.single:
                        length = min(length, gap)
                last, before = (step, held), None if held else length
            out.append(length)
        return out

    def weigh_lengths(self, habits: Habits, struck: Bools, given: SteppedNotes,
                      ) -> tuple[float, tuple[Ints, Bools, Ints]]:
        """The log-probability of detached lengths, and which notes are full or not, as `rhythm_new` takes them."""
        new = list(zip(given.onset.tolist(), given.pitch.tolist(), strict=True))
        nats, rows = 0.0, []
        last: tuple[int, bool] | None = None
        before: int | None = None
        for (step, _), (gap, most), end in zip(new, self.gaps(struck, new), given.end.tolist(), strict=True):
            length = min(max(end - step, 1), most)
            if most == 1:
                continue
            rows.append((step, length == gap, memory_of(step, last)))
            if length != gap:
                nats += float(np.log(habits.detached(gap, most, before)[length]))
            last, before = (step, length == gap), None if length == gap else length
        table = np.array(rows, np.int64).reshape(-1, 3)
        return nats, (table[:, 0], table[:, 1] == 1, table[:, 2])

    def loudness(self, habits: Habits, new: Sequence[tuple[int, int]], given: Sequence[int] | None, taste: Taste,
                 rng: np.random.Generator | None) -> tuple[list[int], float]:
        """The velocity of each new note, drawn or given, and its log-probability."""
        out: list[int] = []
        kept = sorted(zip(self.kept.onset.tolist(), self.kept.velocity.tolist(), strict=True))
        nats, before, at = 0.0, None, 0
        for k, (step, _) in enumerate(new):
            while at < len(kept) and kept[at][0] <= step:
                before = kept[at][1]
                at += 1
            found = habits.velocity(before, int(self.page.strength[step]))
            if given is None:
                assert rng is not None
                out.append(taste.pick(found, rng.random()))
            else:
                out.append(int(given[k]))
                nats += float(np.log(found[out[-1]]))
            before = out[-1]
        return out, nats


def gained(chain: Chain, kept: Floats, new: Floats, inputs: Ints) -> float:
    """The log-probability of new evidence given what is kept: forward of both less forward of what is kept."""
    with_new = float(log_likelihood(chain, kept + new, [len(kept)], inputs, logs=True)[0])
    return with_new - float(log_likelihood(chain, kept, [len(kept)], inputs, logs=True)[0])


def apart_of(score: Score, blanks: Blanks) -> Bools:
    """bool[n]: the notes of a Score that keep their rhythm and get another pitch."""
    return np.asarray(blanks.rewritten(score) & blanks.inside(score, "pitch") & ~blanks.inside(score, "all"))
