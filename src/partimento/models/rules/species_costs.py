"""The costs of species counterpoint: over every three notes in a row, and over what must be remembered for longer.

All is laid over a list of pitches (columns). A rule that is not kept costs its price, or everything where rules are
strict; taste costs what the table says.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from partimento.controls.modal import PERFECT, Mode, kind_of_interval
from partimento.controls.species import FARTHEST, LEAPS, SpeciesPart, may_tie
from partimento.models.rules.lines import Bools, Floats, Ints
from partimento.models.rules.sketch import rules_table

NO_PRICE = np.inf
BIG = 8                         # semitones of a leap from which on the line must turn


@dataclasses.dataclass
class SpeciesPage:
    """What a counterpoint is drawn from: the parts to fill, the given line, the pitches to choose from, the mode.

    `given` and `given_steps` (int64[n]) are the given line under every part, its octave the one that is nearest;
    `pitches` and `steps` (int64[width]) the columns; `above` says on which side they lie.
    """

    species: int
    parts: Sequence[SpeciesPart]
    given: Ints
    given_steps: Ints
    pitches: Ints
    mode: Mode
    above: bool
    temperature: float

    def __post_init__(self) -> None:
        self.steps = np.array([self.mode.step_of(int(p)) for p in self.pitches], np.int64)
        sign = 1 if self.above else -1
        self.apart = sign * (self.pitches[None, :] - self.given[:, None])
        self.width = sign * (self.steps[None, :] - self.given_steps[:, None])
        kinds = [[kind_of_interval(int(w), int(a)) if a >= 0 else "crossing" for w, a in zip(ws, aps, strict=True)]
                 for ws, aps in zip(self.width, self.apart, strict=True)]
        table = np.array(kinds)
        self.perfect: Bools = table == PERFECT
        self.dissonant: Bools = (table == "dissonant") & (self.apart >= 0)
        self.crossing: Bools = self.apart < 0
        self.consonant: Bools = ~self.dissonant & ~self.crossing
        self.simple = self.width % 7
        table_ = rules_table("species")
        self.taste: Mapping[str, Any] = table_["taste"]
        self.rules: Mapping[str, Any] = table_["rules"]
        self.last = len(self.parts) - 1
        self._melody()

    @property
    def bars(self) -> int:
        """The number of the last note of the given line."""
        return self.parts[-1].note

    def _melody(self) -> None:
        """Masks over two and three columns that are the same at every place."""
        pitch, step = self.pitches, self.steps
        self.gap = pitch[None, :] - pitch[:, None]                  # from row to column
        self.stride = step[None, :] - step[:, None]
        size, far = np.abs(self.gap), np.abs(self.stride)
        self.same = self.gap == 0
        self.by_step = (far == 1) & (size > 0) & (size <= 2)
        sung = self.by_step.copy()
        for steps, semitones in LEAPS:
            sung |= (far == steps) & (size == semitones)
        self.sung = sung | ((self.stride == 5) & (self.gap == 8))
        self.leap = (far >= 2) & ~self.same
        up = np.sign(self.gap)
        one, two = self.gap[:, :, None], self.gap[None, :, :]
        wide, whole = np.abs(self.stride[:, :, None] + self.stride[None, :, :]), np.abs(one + two)
        self.on = (up[:, :, None] * up[None, :, :]) > 0             # both moves the same way
        leaps = self.leap[:, :, None] & self.leap[None, :, :]
        fits = np.zeros_like(self.on)
        for steps, semitones in LEAPS | {(5, 8), (5, 9)}:
            fits |= (wide == steps) & (whole == semitones)
        both_wide = (far >= 3)[:, :, None] & (far >= 3)[None, :, :]
        self.unrecovered = (np.abs(one) >= BIG) & self.on
        self.strung = leaps & self.on & (both_wide | ~fits)
        self.steps_on = self.by_step[:, :, None] & self.by_step[None, :, :] & self.on
        self.turns = self.by_step[:, :, None] & self.by_step[None, :, :] & ~self.on & (one + two == 0)
        down = (self.stride == -1) & self.by_step
        self.falls = self.same[:, :, None] & down[None, :, :]       # held, then a step down
        self.cambiata = down[:, :, None] & ((self.stride == -2) & self.sung)[None, :, :]
        taste = self.taste
        base = np.array(taste["leap"])[np.minimum(far, 8)] * ~(self.same & (self.species == 4))     # a tie is free
        self.first_cost: Floats = base
        line = np.broadcast_to(base[None, :, :], self.on.shape).copy()
        line += taste["leap_goes_on"] * (leaps & self.on) + taste["leap_after_leap"] * (leaps & ~self.on)
        line += taste["leap_recovered"] * ((far >= 3)[:, :, None] & self.by_step[None, :, :] & ~self.on)
        line += taste["returns"] * (self.same_outer() & ~self.same[:, :, None])
        line += taste["tritone_near"] * ((whole == 6) & (wide == 3) & ~self.same[:, :, None])
        self.line_cost: Floats = line

    def same_outer(self) -> Bools:
        """bool[width, 1, width]: the third note is the first."""
        return np.asarray(self.same[:, None, :])

    # --- costs at a place ----------------------------------------------------------------------------------------

    def single(self, k: int, strict: bool) -> Floats:
        """float64[width]: the cost of each pitch at place `k`, by itself."""
        part, taste = self.parts[k], self.taste
        out = np.zeros(len(self.pitches))
        ends = k in (0, self.last)
        out += self._price("crossing", self.crossing[k], strict)
        out += self._price("apart", self.apart[k] > FARTHEST, strict)
        strong = part.place == 0
        inner = not ends and 0 < part.note < self.bars
        unison = (self.apart[k] == 0) & inner
        if strong and self.species < 4:
            out += self._price("unison", unison, strict)
            out += self._price("dissonance", self.dissonant[k], strict)
        out += taste["unison"] * unison + taste["far"] * np.maximum(np.abs(self.width[k]) - 9, 0)
        if strong or self.species == 1:
            out += (taste["fifth"] * (self.simple[k] == 4) + taste["octave"] * (self.simple[k] == 0)) * (not ends)
        if k == 0:
            opens = self.perfect[0] & ((self.simple[0] == 0) | ((self.simple[0] == 4) & self.above))
            out += self._price("opening", ~opens, strict)
        pcs, mode = self.pitches % 12, self.mode
        if k == self.last:
            out += self._price("ending", ~(self.perfect[k] & (self.simple[k] == 0)), strict)
        out += taste["soft"] * (pcs == (-1 if mode.soft is None else mode.soft))
        if mode.raised_seventh is not None:
            raised = pcs == mode.raised_seventh
            sixth = pcs == (-1 if mode.raised_sixth is None else mode.raised_sixth)
            out += self._price("altered", raised & (k != self.last - 1), strict)
            out += self._price("altered", sixth & ((part.note < self.bars - 1) | (k != self.last - 2)), strict)
            if k != self.last - 1 and part.note == self.bars - 1:    # the seventh is not both raised and not
                out += taste["soft"] * (pcs == (mode.raised_seventh - 1) % 12)
        return out

    def pair(self, k: int, strict: bool) -> Floats:
        """float64[width, width]: the cost of going from each pitch at place `k` − 1 to each at `k`."""
        part, taste = self.parts[k], self.taste
        over_bar = self.given[k] != self.given[k - 1] or self.parts[k - 1].note != part.note
        out = np.zeros(self.gap.shape)
        tie = self.species == 4 and may_tie(self.parts, k)
        if tie:
            out += taste["untied"] * ~self.same
            met = (self.apart[k] == 0)[None, :] & ~self.same
            out += self._price("unison", met, strict)
        else:
            once = self.species == 1
            out += self._price("repeated", self.same & (not once), strict)
        out += self._price("interval", ~self.sung & ~self.same, strict)
        if k == 1:
            out += self.first_cost
        if self.mode.soft is not None:
            out += taste["soft_up"] * ((self.pitches % 12 == self.mode.soft)[:, None] & (self.gap > 0))
        if self.species > 1:
            out += (taste["leap_over_bar"] if over_bar else taste["leap_within"]) * self.leap
        moved = int(np.sign(self.given[k] - self.given[k - 1]))
        if moved:
            ways = np.sign(self.gap) * moved
            held = self.same if tie else np.zeros_like(self.same)
            arrives = self.perfect[k][None, :] & ~held
            same_kind = self.perfect[k - 1][:, None] & (self.simple[k - 1][:, None] == self.simple[k][None, :])
            out += self._price("parallel", arrives & same_kind & ~self.same, strict)
            out += self._price("direct", arrives & ~same_kind & (ways > 0), strict)
            out += np.where(ways > 0, taste["similar"], np.where(ways < 0, taste["contrary"], taste["oblique"]))
            sign = 1 if self.above else -1
            past = sign * (self.pitches[None, :] - int(self.given[k - 1])) < 0
            before = sign * (self.pitches[:, None] - int(self.given[k])) < 0
            out += taste["overlap"] * (past | before)
            closing = arrives & (self.simple[k][None, :] == 0) & (ways < 0) & self.leap
            out += taste["battuta"] * (closing & (self.apart[k][None, :] < self.apart[k - 1][:, None]))
            out += taste["same_again"] * (self.simple[k - 1][:, None] == self.simple[k][None, :])
        if k == self.last:
            moved_step = abs(int(self.given_steps[k] - self.given_steps[k - 1])) == 1
            unled = self.by_step & (self.gap > 0)
            if self.mode.raised_seventh is not None:
                unled &= (self.pitches % 12 != self.mode.raised_seventh)[:, None]
                out += self._price("clausula", unled, strict)
            out += self._price("clausula", ~self.by_step & moved_step, strict)
            out += 1.5 * ~self.by_step
            if self.mode.raised_seventh is not None:
                led = (self.pitches % 12 == self.mode.raised_seventh)[:, None]
                out += self._price("altered", led & ~(self.by_step & (self.gap > 0)), strict)
        elif k == self.last - 1 and self.mode.raised_sixth is not None:
            sixth = (self.pitches % 12 == self.mode.raised_sixth)[:, None]
            out += self._price("altered", sixth & (self.pitches % 12 != self.mode.raised_seventh)[None, :], strict)
        return out

    def triple(self, k: int, strict: bool) -> Floats:
        """float64[width, width, width]: the cost of the pitches at `k` − 2, `k` − 1 and `k` together."""
        out = self.line_cost.copy()
        out += self._price("recovery", self.unrecovered, strict) + self._price("leaps", self.strung, strict)
        if self.species == 1:
            out += self._price("repeated", self.same[:, :, None] & self.same[None, :, :], strict)
            out += self._price("leaps", self.leap[:, :, None] & self.same[None, :, :], strict)
        here = self.parts[k]
        apart_again = (self.species == 3 and here.place == 0 and here.note != self.parts[k - 2].note) or (
            self.species == 4 and self.parts[k - 2].place == here.place)
        if apart_again and self.given[k] != self.given[k - 2]:
            both = self.perfect[k - 2][:, None] & self.perfect[k][None, :]
            alike = both & (self.simple[k - 2][:, None] == self.simple[k][None, :])
            out += self._price("beats", np.broadcast_to(alike[:, None, :], out.shape), strict)
        return out + self._middle(k, strict)

    def _middle(self, k: int, strict: bool) -> Floats:
        """What becomes of the middle one of three notes: a dissonance that stands rightly, or one that does not."""
        part, taste = self.parts[k - 1], self.taste
        dissonant = self.dissonant[k - 1][None, :, None]
        clear = self.consonant[k - 2][:, None, None] & self.consonant[k][None, None, :]
        out = np.zeros(self.on.shape)
        if self.species == 1 or (part.place == 0 and self.species < 4):
            return out
        if part.place == 0:
            width = self.width[k - 1]
            good = ((np.isin(width % 7, (1, 3, 6)) & (width != 1)) if self.above else np.isin(width % 7, (1, 3, 4)))
            right = self.falls & clear & good[None, :, None]
            out += taste["suspension"] * (right & dissonant)
            out += taste["ninth"] * (right & dissonant & (width % 7 == 1)[None, :, None] & self.above)
            if part.note == self.bars - 1 and part.of > 1:
                out += taste["cadence_suspension"] * ~(right & dissonant)
            return out + self._price("dissonance", dissonant & ~right, strict)
        right = self.steps_on & clear
        out += taste["passing"] * (right & dissonant)
        if self.species == 3 or part.of == 3:
            turn = self.turns & clear
            out += taste["neighbour"] * (turn & dissonant)
            right = right | turn
        if self.species == 3 and part.place == 1 and k - 1 < self.last - 2:
            figure = self.cambiata & clear & dissonant
            out += taste["cambiata"] * figure
            right = right | figure
        return out + self._price("dissonance", dissonant & ~right, strict)

    def _price(self, rule: str, broken: Any, strict: bool) -> Floats:
        price = NO_PRICE if strict else float(self.rules[rule]["price"]) * self.temperature
        return np.where(broken, price, 0.0)
