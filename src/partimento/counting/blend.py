"""Many viewpoints multiplied: long-term counts and a short-term model, pooled with learnt powers.

A `Blend` is a `Mixture` that can also multiply its views, together with the views of a `ShortTerm` model of the line
itself, instead of adding them: each is raised to a power that depends on how far it can be trusted here (`loglinear`).
The powers are learnt on rows whose pieces were not counted, each piece in turn. A product sees the whole line, so it
is drawn from forwards; what must be met later is met by the sum, whose backward values lead the draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from partimento.counting.loglinear import Powers, even, fit_powers, pooled
from partimento.counting.memory import MISSING
from partimento.counting.mixture import Bools, Columns, Floats, Ints, Mixture, View
from partimento.counting.shortterm import SIGHTINGS, ShortTerm

LISTENERS = 10_000        # rows that teach the powers are at least so many, where there are
FOLDS = 10                # most times that the rows are counted with a part left out
_ROOM = 1 << 25           # floats of the logarithms learnt from at once
_LEAST = 1e-9             # a chance under this counts as this
_BLOCK = 512


class Blend(Mixture):
    """A `Mixture` over `views` that can multiply them with the short-term views `recent`; see the module.

    >>> song = np.array([0, 1, 2, 0, 1, 2, 0, 1, 3])
    >>> before = np.append([-1], song[:-1])[:, None]
    >>> model = Blend([View(("h1",))], [View(("h1",))], size=4)
    >>> model.fit({}, before, song)
    >>> model.line({}, before, song, np.zeros(9, int))[4].argmax().item()
    1
    """

    ways = (1,)                       # its sum only leads, and is plain

    def __init__(self, views: Sequence[View], recent: Sequence[View], size: int, **settings: Any) -> None:
        super().__init__(views, size, **settings)
        self.recent = Mixture(recent, size, near=0)      # reads the columns of the short-term views
        self.names = sorted({*self.names, *self.recent.names})
        self.order = max(self.order, self.recent.order)
        self.experts = len(self.views) + len(self.recent.views)
        self.trusts = max(self.worth.shape[2], (self.recent.depth + 1) * len(SIGHTINGS))
        self.powers: list[Powers] = self._unlearnt()     # with chords and without

    def _unlearnt(self) -> list[Powers]:
        return [even(self.experts, self.trusts)] * 2

    @property
    def learnt(self) -> bool:
        """Whether the powers were learnt, not all the same."""
        return any(powers.trust.any() for powers in self.powers)

    @property
    def counted(self) -> Bools:
        """bool[views]: all are, since the product hears them all."""
        return np.ones(len(self.views), bool)

    # --- learning --------------------------------------------------------------------------------------------

    def fit_apart(self, outside: Columns, history: npt.NDArray[Any], symbols: npt.NDArray[Any],
                  groups: npt.NDArray[Any], parts: npt.NDArray[Any], folds: npt.NDArray[Any]) -> None:
        """Count, as `fit` does, and learn the weights and the powers; rows are whole lines, one after another.

        `parts` (int[n] ≥ 0) says whose powers differ. `folds` (int[n], 0 to FOLDS − 1) says which rows are left out
        together: the first teach the weights, and as many as it takes to have LISTENERS rows teach the powers.
        """
        self._learn(outside, history, symbols, groups, folds == 0)
        low, high = int(symbols.min()), int(symbols.max()) + 1
        wanted = min(FOLDS, -(-LISTENERS * FOLDS // len(symbols)))
        most = _ROOM // (wanted * self.experts * (high - low))
        logs, trust, where = [], [], []
        for fold in range(wanted):
            stays = np.flatnonzero(folds != fold)
            apart = _whole_lines(history, np.flatnonzero(folds == fold), most)
            if not len(apart) or not len(stays):
                continue
            part: Mixture = self
            if fold:
                part = Mixture(self.views, self.size, discount=self.discount, strength=self.strength,
                               prune=self.prune, near=self.near, most=self.most)
                part.fit({n: np.asarray(outside[n])[stays] for n in part.names}, history[stays], symbols[stays])
            found = self._said(part, {n: np.asarray(outside[n])[apart] for n in self.names}, history[apart],
                               np.asarray(symbols[apart], np.int64), slice(low, high))
            logs.append(found[0])
            trust.append(found[1])
            where.append(apart)
        self._learn_powers(logs, np.concatenate(trust or [np.zeros((0, self.experts), np.int64)]),
                           parts, symbols, np.concatenate(where or [np.zeros(0, np.int64)]), low)
        self._count(outside, history, symbols)

    def _learn_powers(self, parts_of: list[npt.NDArray[np.float32]], trust: Ints, parts: npt.NDArray[Any],
                      symbols: npt.NDArray[Any], rows: Ints, low: int) -> None:
        if not parts_of:
            return
        logs = np.concatenate(parts_of) if len(parts_of) > 1 else parts_of[0]
        parts_of.clear()
        groups, came = np.asarray(parts[rows], np.int64), np.asarray(symbols[rows], np.int64) - low
        self.powers = []
        for bare in (False, True):
            asked = self._asked(bare)
            if bare and asked.all():
                self.powers.append(self.powers[0])
                break
            learnt = fit_powers(logs if asked.all() else logs[:, asked], trust[:, asked], groups, came, self.trusts)
            full = Powers(*(np.zeros_like(a) for a in even(self.experts, self.trusts)))._replace(
                group=np.zeros((len(learnt.group), self.experts)))
            full.alone[asked], full.trust[asked], full.group[:, asked] = learnt
            self.powers.append(full)

    def _asked(self, bare: bool) -> Bools:
        """bool[experts]: which experts have something to say, with chords given or without."""
        return np.append(self.asked[2 * bare], np.ones(len(self.recent.views), bool))

    # --- asking ----------------------------------------------------------------------------------------------

    def _said(self, counted: Mixture, outside: Columns, history: npt.NDArray[Any], symbols: Ints,
              window: slice = slice(None)) -> tuple[npt.NDArray[np.float32], Ints]:
        """Logs [rows, experts, symbols of the window] and trust [rows, experts] along lines one after another."""
        values, own = counted.values(outside, history), self.recent.values(outside, history)
        n, first = len(history), len(self.views)
        width = len(range(*window.indices(self.size)))
        logs = np.empty((n, self.experts, width), np.float32)
        trust = np.zeros((n, self.experts), np.int64)
        for begin in range(0, n, _BLOCK):
            rows = slice(begin, begin + _BLOCK)
            for v in range(first):
                chances, trust[rows, v] = counted.view_rows(v, values[v, rows], history[rows])
                logs[rows, v] = np.log(np.maximum(chances[:, window], _LEAST))
        short = ShortTerm(self.recent.views, self.size)
        for i in range(n):
            last = int(history[i, 0])
            if last < 0:
                short = ShortTerm(self.recent.views, self.size)
            chances, trust[i, first:] = short.ask(own[:, i], last)
            logs[i, first:] = np.log(chances[:, window])
            short.tell(own[:, i], int(symbols[i]), last)
        return logs, trust

    def line(self, outside: Columns, history: npt.NDArray[Any], symbols: npt.NDArray[Any],
             groups: npt.NDArray[Any], bare: bool = True) -> Floats:
        """float64[rows, size]: log-probabilities of every symbol at every place of one line, given those before."""
        out = np.empty((len(history), self.size))
        logs, trust = self._said(self, outside, history, np.asarray(symbols, np.int64))
        powers = self._at(trust, np.asarray(groups), bare)
        for begin in range(0, len(history), _BLOCK):
            rows = slice(begin, begin + _BLOCK)
            out[rows] = pooled(logs[rows], powers[rows])
        return out

    def _at(self, trust: Ints, groups: npt.NDArray[Any], bare: bool) -> Floats:
        return self.powers[bare].at(trust, groups) * self._asked(bare)

    def place(self, values: npt.NDArray[np.int16], own: npt.NDArray[np.int16], shorts: Sequence[ShortTerm],
              histories: Sequence[Sequence[int]], group: int, bare: bool) -> tuple[Floats, Floats]:
        """Log-probabilities of n lines at one place (float64[n, size]), and what each expert adds ([n, experts, size]).

        `values` ([n, views, depth]) and `own` are of the long- and the short-term views, own columns filled in.
        """
        n, first = len(values), len(self.views)
        logs = np.empty((n, self.experts, self.size))
        trust = np.zeros((n, self.experts), np.int64)
        found = self.deepest(values.reshape(n * first, -1), np.ones(first, bool))
        for i, (short, history) in enumerate(zip(shorts, histories, strict=True)):
            last = history[0] if history else MISSING
            start = self.size - 1 - (last if last >= 0 else self.size // 2)
            for v, here in enumerate(found[i * first:(i + 1) * first]):
                assert here is not None
                chances = here.probabilities
                if self.views[v].relative:
                    chances = chances[start:start + self.size]
                    chances = chances / chances.sum()
                logs[i, v] = chances
                trust[i, v] = self.levels[here.depth].trust[here.context]
            logs[i, first:], trust[i, first:] = short.ask(own[i], last)
        logs = np.log(np.maximum(logs, _LEAST))
        powers = self._at(trust, np.full(n, group), bare)
        return pooled(logs, powers), powers[:, :, None] * logs

    # --- saving ----------------------------------------------------------------------------------------------

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """What was counted and learnt, as small arrays: `restore` takes them back."""
        out = super().state()
        for bare, powers in enumerate(self.powers):
            out |= {f"powers{bare}.{name}": getattr(powers, name) for name in Powers._fields}
        return out

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take back what `state` gave."""
        super().restore(arrays)
        self.powers = [Powers(*(np.asarray(arrays[f"powers{bare}.{name}"], np.float64) for name in Powers._fields))
                       for bare in (0, 1)]


def _whole_lines(history: npt.NDArray[Any], rows: Ints, most: int) -> Ints:
    """Of rows that are lines one after another, lines spread evenly over all, so that about `most` rows stay.

    Multiples of the golden ratio choose them: parts come in turns, which every so many-th line would meet or miss.
    """
    lines = np.cumsum(history[rows, 0] < 0)
    return np.asarray(rows[lines * 0.6180339887498949 % 1.0 <= most / max(len(rows), 1)])
