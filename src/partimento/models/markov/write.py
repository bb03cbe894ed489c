"""Writing a part into its blanks, or weighing what stands there: the same stages, with a pen that draws or reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from partimento import theory
from partimento.counting.memory import MISSING
from partimento.counting.mixture import Mixture
from partimento.models.markov import taste
from partimento.models.markov.joint import pitch_line
from partimento.models.markov.learn import heard, writing_order
from partimento.models.markov.line import Line
from partimento.models.markov.part import (
    SIZES,
    Columns,
    Part,
    duration_legal,
    duration_symbols,
    gaps,
    jumps,
    line_rank,
    long_choices,
    longest,
    note_columns,
    onset_columns,
    pitch_columns,
    rhythm_columns,
    rhythm_symbols,
    within,
)
from partimento.models.markov.pens import Drawing, Pen, Weighing
from partimento.models.markov.sheet import (
    DEGREES,
    DRUMS,
    Around,
    Frame,
    Ints,
    Notes,
    chords_given,
    chords_heard,
    keys_over,
    roles_known,
    snapped,
)
from partimento.models.markov.threads import with_threads
from partimento.request import Blanks, Request
from partimento.sampling import Legal
from partimento.score import Score
from partimento.tokens.grid import to_ticks

Bools = npt.NDArray[np.bool_]


class Page:
    """A frame with blanks, read once: what is kept, what is weighed, and which parts are written in which order.

    `written` says that chords on the page bind though nobody asked for them, as they do for a sharpened draw.
    """

    def __init__(self, grid: int, around: Score, blanks: Blanks, request: Request | None, usual: Mapping[str, int],
                 weigh: bool = False, written: bool = False) -> None:
        self.around, self.blanks = around, blanks
        self.frame = Frame(around, grid)
        self.rewritten = blanks.rewritten(around)
        self.kept_score = around.select(~self.rewritten)
        self.kept, _ = snapped(self.kept_score, grid)
        pitch_only = self.rewritten & blanks.inside(around, "pitch") & ~blanks.inside(around, "all")
        inside = np.flatnonzero(self.rewritten if weigh else pitch_only)
        notes, index = snapped(around.select(inside), grid)
        self.index = inside[index]
        self.fixed = pitch_only[self.index]             # rhythm and length stand, only the pitch is open
        self.content = notes
        self.legal = Legal(around, request, written)
        self.ends = not (request and request.loop)
        self.tones: Bools | None = None         # where a taste for the key is wanted: the classes a bar
        self.roles = roles_known(around.tracks, self.kept, self.frame.steps, usual)
        self.count = len(notes.onset)

    def parts(self, codes: Mapping[tuple[int, int], int], key: tuple[int, int] | None,
              harmony: tuple[int, Sequence[int]] | None = None) -> list[tuple[Part, list[int]]]:
        """The parts with blanks in the order of writing, and the tracks known when each is written.

        `harmony`, a tonic and a chord a bar, stands where no chords are given.
        """
        order = writing_order(self.roles, range(len(self.roles)))
        blank = [t for t in order if t in self.blanks.tracks()]
        shift, mode = keys_over(self.frame, key)
        chord = (chords_heard(self.frame, harmony[1], harmony[0], shift)
                 if harmony and harmony[1] and not self.around.chords
                 else chords_given(self.frame, shift))
        none = self.kept.where(np.zeros(len(self.kept.onset), bool))
        out = []
        for i, track in enumerate(blank):
            known = [t for t in order if t not in blank[i:]]
            rank = order.index(track)
            later = any(order.index(t) > rank for t in known if (self.kept.track == t).any())
            code = codes[self.roles[track], int(later)]
            out.append((Part(track, self.roles[track], code, self.frame, shift, mode, chord, none), known))
        return out

    def fill(self, stages: Mapping[str, Mixture], codes: Mapping[tuple[int, int], int], key: tuple[int, int] | None,
             pen: Drawing, harmony: tuple[int, Sequence[int]] | None = None) -> Score:
        """The frame of `around` with one set of new notes."""
        rows = [np.zeros((0, 5), np.int64)]
        stand = self.kept
        tpq, grid = self.around.ticks_per_quarter, self.frame.grid
        for part, known in self.parts(codes, key, harmony):
            writer = Writer(self, part._replace(known=heard(stand, known, self.roles)), stages, pen, None)
            new, fixed, pitches = writer.write()
            begin, end = to_ticks(new.onset, tpq, grid), to_ticks(new.end, tpq, grid)
            rows.append(np.stack([begin, end - begin, new.pitch, new.velocity, new.track], axis=1))
            old = self.around.notes()[fixed].astype(np.int64)
            old[:, 2] = pitches
            rows.append(old)
            repitched = self.content.where(np.isin(self.index, fixed))
            stand = Notes.joined([stand, new, repitched._replace(pitch=pitches)])
        table = np.concatenate(rows)
        empty = self.around.without_notes()
        return empty.with_rows(table)

    def weigh(self, stages: Mapping[str, Mixture], codes: Mapping[tuple[int, int], int], key: tuple[int, int] | None,
              pen: Weighing) -> None:
        """Weigh what stands in the blanks."""
        stand = self.kept
        for part, known in self.parts(codes, key):
            own = self.content.where(self.content.track == part.track)
            Writer(self, part._replace(known=heard(stand, known, self.roles)), stages, pen, own).write()
            stand = Notes.joined([stand, own])


class Writer:
    """Writes one part: rhythm, sizes, pitches line after line, durations, velocities. `given` is what to weigh."""

    def __init__(self, page: Page, part: Part, stages: Mapping[str, Mixture], pen: Pen, given: Notes | None) -> None:
        self.page, self.part, self.stages, self.pen = page, part, stages, pen
        self.frame = part.frame
        track = part.track
        self.kept = page.kept.where(page.kept.track == track)
        mine = page.fixed & (page.content.track == track)
        self.fixed, self.fixed_index = page.content.where(mine), page.index[mine]
        self.open = self._open_steps()
        self.around = Around(self.frame, part.known)
        self.places = None if self.frame.grid % 12 else taste.Places(
            self.frame.columns, self.frame.grid, thirds=not part.is_drum, ends=page.ends)
        self.single = theory.plays_single_notes(page.around.tracks[track])
        self.given = None
        if given is not None:
            fixed = np.isin(given.onset * 128 + given.pitch, self.fixed.onset * 128 + self.fixed.pitch)
            taken = np.isin(given.onset * 128 + given.pitch, self.kept.onset * 128 + self.kept.pitch)
            self.given = given.where(fixed | (~taken & self.open[np.minimum(given.onset, self.frame.steps - 1)]))

    def _open_steps(self) -> Bools:
        """bool[steps]: where new notes may begin."""
        ticks = self.frame.ticks[1:]
        out = np.zeros(self.frame.steps, bool)
        for region in self.page.blanks.regions:
            if region.track == self.part.track and region.open == "all":
                out |= (ticks >= region.start) & (ticks < region.end)
        self.masks = {int(step): self._mask(int(step)) for step in np.flatnonzero(out)}
        for step, mask in self.masks.items():
            out[step] = mask.any()
        return out

    def _mask(self, step: int) -> Bools:
        """bool[128]: what a new note at a step may be: legal, and not sounding already in this track."""
        mask = self.page.legal.pitches(self.part.track, int(self.frame.ticks[step + 1])).copy()
        mask[self.kept.pitch[(self.kept.onset <= step) & (step < self.kept.end)]] = False
        if self.page.tones is not None and self.part.role != DRUMS:
            home = mask & self.page.tones[self.frame.bar[step + 1]][np.arange(128) % 12]
            return home if home.any() else mask
        return mask

    def write(self) -> tuple[Notes, Ints, Ints]:
        """The new notes; and which notes of the input get which other pitches."""
        kept_onsets = np.unique(np.concatenate([self.kept.onset, self.fixed.onset]))
        onsets = self._rhythm(kept_onsets)
        sizes = self._sizes(onsets, kept_onsets)
        slots, fresh = self._pitches(onsets, sizes)
        return self._finish(onsets, slots, fresh)

    # --- when ------------------------------------------------------------------------------------------------

    def _rhythm(self, kept: Ints) -> Ints:
        if not self.open.any():
            return kept
        mixture, grid, steps = self.stages["rhythm"], self.frame.grid, self.frame.steps
        first, last = np.flatnonzero(self.open)[[0, -1]]
        start_onsets, after = kept[kept < first] + 1, kept[kept > last] + 1
        start = int(start_onsets[-1]) if len(start_onsets) else 0
        before = rhythm_symbols(start_onsets, 0, start, grid)[::-1]
        kept_stop = len(after) > mixture.near
        stop = int(after[mixture.near]) if kept_stop else steps + 1
        jump = jumps(grid)
        pinned = np.zeros(stop + 1, bool)
        pinned[kept[kept < stop] + 1] = True
        pinned[stop] = kept_stop
        must = np.append(np.flatnonzero(pinned), 1 << 41)
        place = np.arange(stop)
        following = must[np.searchsorted(must, place, side="right")][:, None]
        free = np.append(False, self.open)[:stop]
        if self.places is not None and self.pen.sharpened and (pinned[start + 1:].any() or not free[start + 1:].all()):
            free &= self.places.plain[:stop]        # what taste would leave out needs no way to the pins
        target = place[:, None] + jump
        lands = np.append(free | pinned[:stop], True)[np.minimum(target, stop)]
        silence = np.arange(len(jump)) == 0
        allowed = np.where(silence, target < following, (target <= following) & lands)
        columns = rhythm_columns(self.part, self.around)
        given = None
        if self.given is not None:
            all_onsets = np.unique(np.concatenate([kept, self.given.onset])) + 1
            given = rhythm_symbols(all_onsets[(all_onsets > start) & (all_onsets <= stop)], start, stop, grid)
        symbols = self.pen.line("rhythm", lambda: Line(
            mixture, {n: c[:stop] for n, c in columns.items()}, columns["group"][:stop], tuple(before), start, jump,
            allowed=None if allowed[start:].all() else allowed,
            taste=None if self.places is None else self.places.onsets(jump)), given)
        moved = start + np.cumsum(jump[np.asarray(symbols, np.intp)])
        new = moved[(np.asarray(symbols) != 0) & (moved < stop)] - 1
        return np.unique(np.concatenate([kept, new]))

    # --- how many --------------------------------------------------------------------------------------------

    def _sizes(self, onsets: Ints, kept_onsets: Ints) -> Ints:
        mixture = self.stages["size"]
        standing = np.array([np.sum(self.kept.onset == o) + np.sum(self.fixed.onset == o) for o in onsets], np.int64)
        free = self.open[np.minimum(onsets, self.frame.steps - 1)] if len(onsets) else np.zeros(0, bool)
        if not free.any():
            return standing
        first, last = np.flatnonzero(free)[[0, -1]]
        last = min(int(last) + mixture.near, len(onsets) - 1)
        rows = np.arange(first, last + 1)
        room = np.array([self.masks[int(o)].sum() if f else 0 for o, f in zip(onsets[rows], free[rows], strict=True)])
        size = np.arange(1, SIZES + 1)
        legal = ~free[rows, None] | (size <= (standing[rows] + room)[:, None])
        allowed = np.where(free[rows, None], size >= standing[rows, None],
                           size == np.minimum(standing[rows], SIZES)[:, None])
        columns = onset_columns(self.part, self.around, onsets)
        given = None
        if self.given is not None:
            added = np.array([np.sum(self.given.onset == o) for o in onsets]) - np.array(
                [np.sum(self.fixed.onset == o) for o in onsets])
            given = (np.minimum((standing + added)[rows], SIZES) - 1).tolist()
        symbols = self.pen.line("size", lambda: Line(
            mixture, {n: c[rows] for n, c in columns.items()}, columns["group"][rows],
            tuple((np.minimum(standing[:first], SIZES) - 1)[::-1].tolist()), legal=legal,
            allowed=None if allowed.all() else allowed,
            taste=taste.one_at_a_time(SIZES, standing[rows]) if self.single else None), given)
        out = standing.copy()
        out[rows] = np.where(free[rows], np.asarray(symbols, np.int64) + 1, standing[rows])
        return out

    # --- which -----------------------------------------------------------------------------------------------

    def _pitches(self, onsets: Ints, sizes: Ints) -> tuple[list[Ints], list[Bools]]:
        """The chords from the top down, and which of their notes are new."""
        slots = [np.full(size, MISSING, np.int64) for size in sizes]
        fresh = [np.zeros(size, bool) for size in sizes]
        goal = [self._goal(int(o)) if self.given is not None else None for o in onsets]
        masks: dict[int, Bools] = {}
        for i, step in enumerate(onsets.tolist()):
            pins = np.unique(self.kept.pitch[self.kept.onset == step])[::-1]
            if len(pins) < sizes[i]:
                masks[i] = self.masks[step] if step in self.masks else self._mask(step)
                ranks = self._ranks(pins, int(sizes[i]), masks[i], goal[i])
                slots[i][ranks] = pins
            else:
                slots[i][:] = pins[:sizes[i]]
            fresh[i] = slots[i] < 0
        around, at_onset = self.around, onset_columns(self.part, self.around, onsets)
        placed: list[tuple[Ints, Ints]] = []
        for line in range(int(sizes.max()) if len(sizes) else 0):
            rows = np.flatnonzero(sizes > line)
            rank = line_rank(line, sizes[rows], self.part.bottom_first)
            if any(fresh[i][r] for i, r in zip(rows, rank, strict=True)):
                if 0 < line < 3:
                    around = Around(self.frame, within(self.part, self.part.known, onsets, placed))
                self._line(line, rows, rank, slots, fresh, goal, masks, around, at_onset, onsets, sizes)
            if line < 2:
                placed.append((rows, np.array([slots[i][r] for i, r in zip(rows, rank, strict=True)], np.int64)))
                if line == 1 and sizes.max() > 2:
                    around = Around(self.frame, within(self.part, self.part.known, onsets, placed))
        return slots, fresh

    def _goal(self, step: int) -> Ints:
        """The chord at a step as it is to be weighed, from the top down."""
        assert self.given is not None
        return np.unique(np.concatenate([self.kept.pitch[self.kept.onset == step],
                                         self.given.pitch[self.given.onset == step]]))[::-1]

    def _ranks(self, pins: Ints, size: int, mask: Bools, goal: Ints | None) -> list[int]:
        """The ranks that pinned pitches take in their chord: each evenly drawn among those that leave room."""
        free = np.flatnonzero(mask)
        free = free[~np.isin(free, pins)]
        ranks: list[int] = []
        above = 128
        for k, pin in enumerate(pins.tolist()):
            previous = ranks[-1] if ranks else -1
            between = int(((free > pin) & (free < above)).sum())
            under = int((free < pin).sum()) + len(pins) - k - 1
            low = max(previous + 1, size - 1 - under)
            high = min(previous + 1 + between, size - len(pins) + k)
            wanted = None if goal is None else int(np.flatnonzero(goal == pin)[0]) - low
            ranks.append(low + self.pen.even("pitch", max(high - low + 1, 1), wanted))
            above = pin
        return ranks

    def _line(self, line: int, rows: Ints, rank: Ints, slots: list[Ints], fresh: list[Bools],
              goal: Sequence[Ints | None], masks: Mapping[int, Bools], around: Around, at_onset: Columns, onsets: Ints,
              sizes: Ints) -> None:
        """Write one line of the chords into their slots."""
        mixture, part = self.stages["pitch"], self.part
        new = np.array([fresh[i][r] for i, r in zip(rows, rank, strict=True)], bool)
        first, last = np.flatnonzero(new)[[0, -1]]
        span = slice(int(first), min(int(last) + mixture.near, len(rows) - 1) + 1)
        step = onsets[rows]
        standing = np.array([slots[i][r] for i, r in zip(rows, rank, strict=True)], np.int64)
        above, below = self._neighbours(line, rows, rank, slots)
        columns = with_threads(pitch_columns(part, around, at_onset, onsets, sizes, line, rows, above, below),
                               mixture.names, self.frame, step)
        legal = np.ones((len(rows), DEGREES), bool)
        allowed = np.ones((len(rows), DEGREES), bool)
        degree = part.degrees(standing, step)
        for k in range(span.start, span.stop):
            i, r = int(rows[k]), int(rank[k])
            if new[k]:
                legal[k] = False
                pitches = np.flatnonzero(_room(masks[i], slots[i], r))
                legal[k, part.degrees(pitches, np.full(len(pitches), step[k]))] = True
            else:
                allowed[k] = False
                allowed[k, degree[k]] = True
        given = None
        if self.given is not None:
            wanted = [int(part.degrees(np.array([self._wanted(goal[i], int(r))]), np.array([onsets[i]]))[0])
                      for i, r in zip(rows, rank, strict=True)]
            given = wanted[span]
        pins = None if new[span].all() else allowed[span]
        symbols = self.pen.line("pitch", lambda: pitch_line(
            mixture, columns, span, degree[:span.start], legal[span], pins,
            None if part.is_drum else taste.apart(DEGREES, self._others(step), span.start)), given)
        pitches = part.pitches(np.asarray(symbols, np.int64), step[span])
        for k, pitch in zip(range(span.start, span.stop), pitches.tolist(), strict=True):
            slots[int(rows[k])][int(rank[k])] = pitch

    def _others(self, step: Ints) -> list[tuple[Ints, Ints]]:
        """The outer lines of every other part at a line's onsets, and at the one before each."""
        before = np.append(0, step[:-1] + 1)[:len(step)]
        return [(self.part.degrees(line[step + 1], step), self.part.degrees(line[before], step))
                for line in self._outer]

    @cached_property
    def _outer(self) -> list[Ints]:
        """The highest pitch of every other part at every place, and where it plays several at once the lowest too."""
        out: list[Ints] = []
        for track in np.unique(self.part.known.track).tolist():
            if not self.page.around.tracks[track].is_drum:
                own = Around(self.frame, self.part.known.where(self.part.known.track == track)).pitch
                out += [own["top"]] if np.array_equal(own["top"], own["low"]) else [own["top"], own["low"]]
        return out

    @staticmethod
    def _wanted(goal: Ints | None, rank: int) -> int:
        assert goal is not None
        return int(goal[min(rank, len(goal) - 1)])

    def _neighbours(self, line: int, rows: Ints, rank: Ints, slots: list[Ints]) -> tuple[Ints, Ints]:
        """The nearest notes above and below in the chord that lines written before have placed."""
        above, below = np.full(len(rows), MISSING, np.int64), np.full(len(rows), MISSING, np.int64)
        for k, (i, r) in enumerate(zip(rows.tolist(), rank.tolist(), strict=True)):
            chord = slots[i]
            if line == 1 and self.part.bottom_first:
                below[k] = chord[-1]
            elif line == 1:
                above[k] = chord[0]
            elif line > 1:
                above[k], below[k] = chord[r - 1], chord[-1]
        return above, below

    # --- how long, how loud ------------------------------------------------------------------------------------

    def _finish(self, onsets: Ints, slots: list[Ints], fresh: list[Bools]) -> tuple[Notes, Ints, Ints]:
        onset = np.repeat(onsets, [len(s) for s in slots]) if slots else np.zeros(0, np.int64)
        pitch = np.concatenate(slots) if slots else np.zeros(0, np.int64)
        new = np.concatenate(fresh) if fresh else np.zeros(0, bool)
        end, velocity = np.full(len(onset), -1), np.full(len(onset), -1)
        lookup = {(int(o), int(p)): k for k, (o, p) in enumerate(zip(onset, pitch, strict=True))}
        for o, e, p, v in zip(*(c.tolist() for c in self.kept[:4]), strict=True):
            k = lookup[o, p]
            end[k], velocity[k] = max(int(end[k]), e), v
        source = np.full(len(onset), -1)
        self._lay_fixed(onset, new, source)
        old = source >= 0
        end[old] = self.fixed.end[source[old]]
        velocity[old] = self.fixed.velocity[source[old]]
        new &= ~old
        sizes = np.array([len(s) for s in slots], np.int64)
        notes = Notes(onset, end, pitch, velocity, np.full(len(onset), self.part.track))
        if new.any():
            notes = self._lengths(notes, new, onsets, sizes)
            notes = self._loudness(notes, new, onsets, sizes)
        return notes.where(new), self.fixed_index[source[old]], pitch[old]

    def _lay_fixed(self, onset: Ints, new: Bools, source: Ints) -> None:
        """Give the notes whose pitch alone was open their places in the new chords, the highest the highest."""
        for step in np.unique(self.fixed.onset):
            theirs = np.flatnonzero(self.fixed.onset == step)
            theirs = theirs[np.argsort(-self.fixed.pitch[theirs], kind="stable")]
            places = np.flatnonzero((onset == step) & new)[:len(theirs)]
            source[places] = theirs[:len(places)]

    def _lengths(self, notes: Notes, new: Bools, onsets: Ints, sizes: Ints) -> Notes:
        mixture, grid = self.stages["duration"], self.frame.grid
        first, last = np.flatnonzero(new)[[0, -1]]
        rows = np.arange(first, min(int(last) + mixture.near, len(new) - 1) + 1)
        all_gaps = gaps(onsets, self.frame.steps)[0]
        gap = all_gaps[np.searchsorted(onsets, notes.onset)]
        most = longest(notes, self.frame.steps)
        symbols = duration_symbols(np.maximum(notes.end - notes.onset, 1), gap, grid)
        legal = duration_legal(gap[rows], most[rows], grid) | ~new[rows, None]
        allowed = new[rows, None] | (np.arange(mixture.size) == symbols[rows, None])
        columns = note_columns(onset_columns(self.part, self.around, onsets), onsets, sizes, notes.onset)
        given = None
        wanted: Mapping[tuple[int, int], int] = {}
        if self.given is not None:
            wanted = {(int(o), int(p)): int(e - o) for o, e, p in zip(*self.given[:3], strict=True)}
            length = np.array([wanted.get((int(o), int(p)), max(int(e - o), 1)) for o, e, p in
                               zip(*notes[:3], strict=True)])
            length = np.where(new, np.minimum(length, most), length)
            given = duration_symbols(length, gap, grid)[rows].tolist()
        found: Ints = np.asarray(self.pen.line("duration", lambda: Line(
            mixture, {n: c[rows] for n, c in columns.items()}, columns["group"][rows],
            tuple(symbols[:first][::-1].tolist()), legal=legal,
            allowed=None if allowed.all() else allowed, taste=None if self.places is None or self.part.is_drum else
            self.places.lengths(notes.onset[rows] + 1, gap[rows], mixture.size, self.single)), given), np.int64)
        end = notes.end.copy()
        for k, symbol in zip(rows.tolist(), found.tolist(), strict=True):
            if not new[k]:
                continue
            if symbol == 0:
                end[k] = notes.onset[k] + gap[k]
            elif symbol < mixture.size - 1:
                end[k] = notes.onset[k] + symbol
            else:
                count = int(long_choices(gap[k:k + 1], most[k:k + 1], grid)[0])
                base = mixture.size - 1
                choice = None if self.given is None else int(length[k]) - base - int(base <= gap[k] < length[k])
                length_now = base + self.pen.even("duration", count, choice)
                end[k] = notes.onset[k] + length_now + int(base <= gap[k] <= length_now)
        return notes._replace(end=end)

    def _loudness(self, notes: Notes, new: Bools, onsets: Ints, sizes: Ints) -> Notes:
        mixture = self.stages["velocity"]
        columns = note_columns(onset_columns(self.part, self.around, onsets), onsets, sizes, notes.onset)
        velocity = notes.velocity.copy()
        if self.given is not None:
            for o, p, v in zip(self.given.onset, self.given.pitch, self.given.velocity, strict=True):
                velocity[(notes.onset == o) & (notes.pitch == p)] = v
        legal = np.ones((1, mixture.size), bool)
        legal[0, 0] = False
        rows = np.flatnonzero(new)
        for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
            given = None if self.given is None else velocity[run].tolist()
            symbols = self.pen.line("velocity", lambda run=run: Line(  # type: ignore[misc]
                mixture, {n: c[run] for n, c in columns.items()}, columns["group"][run],
                tuple(velocity[:run[0]][::-1].tolist()), legal=np.repeat(legal, len(run), axis=0)), given)
            velocity[run] = symbols
        return notes._replace(velocity=velocity)


def _room(mask: Bools, chord: Ints, rank: int) -> Bools:
    """bool[128]: the pitches that a rank of a chord may take so that the ranks still open have room."""
    size = len(chord)
    stands = np.flatnonzero(chord >= 0)
    upper, lower = stands[stands < rank], stands[stands > rank]
    high, high_rank = (int(chord[upper[-1]]), int(upper[-1])) if len(upper) else (128, -1)
    low, low_rank = (int(chord[lower[0]]), int(lower[0])) if len(lower) else (-1, size)
    inside = mask.copy()
    inside[high:] = False
    inside[:low + 1] = False
    under: Ints = np.cumsum(inside) - inside
    over = inside.sum() - under - inside
    return np.asarray(inside & (over >= rank - high_rank - 1) & (under >= low_rank - rank - 1))
