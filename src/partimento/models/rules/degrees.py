"""The states of the grammar of harmony: every degree in every inversion in every key in play, and what a step weighs.

All numbers come from the table (``tables/harmony.json``); the rules of basses and figures are its rows too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.models.rules.plan import numeral

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.int64]
Table = Mapping[str, Any]

NEVER = -60.0            # the log-weight of what must not be: large enough to lose, finite so that something remains


class _Mode(NamedTuple):
    """The degrees of a mode: their names and bases, pitch-class sets, basses, leading tones, and log-weights of steps
    into a strong and a weak slot (float[2, n, n])."""

    names: tuple[str, ...]
    bases: tuple[str, ...]
    sets: BoolArray
    bass: IndexArray
    leading: IndexArray
    dominant: BoolArray
    steps: FloatArray


class DegreeChain(NamedTuple):
    """A mode's degrees in every key in play: one state a key and degree."""

    keys: tuple[tuple[int, str], ...]
    key: IndexArray
    names: tuple[str, ...]
    sets: BoolArray
    bass: IndexArray
    leading: IndexArray
    seventh: IndexArray
    steps: FloatArray          # [2, S, S]: into a weak slot, into a strong one
    start: FloatArray          # [S]: as the first chord of a phrase in its key
    restart: FloatArray        # [S, S]: over the border of two phrases


@cache
def _mode(text: str, mode: str) -> _Mode:
    """The degrees of one mode and the log-weights of every step between two of them."""
    table = json.loads(text)
    names, bases, figures, weight = [], [], [], []
    for base, row in table[mode].items():
        own, stroke, target = base.partition("/")
        for figure, value in row["figures"].items():
            names.append(f"{own}{figure}{stroke}{target}")
            bases.append(base)
            figures.append(figure)
            weight.append(value)
    said = [numeral(name, mode) for name in names]
    n = len(names)
    following = np.full((n, n), float(table["otherwise"]))
    for i, base in enumerate(bases):
        row = table[mode][base]["next"]
        total = sum(row.values())
        for j, other in enumerate(bases):
            following[i, j] = max(row.get(other, 0.0) / total, float(table["otherwise"]))
    following *= np.array(weight)[None, :]
    sets = np.zeros((n, 12), bool)
    for i, one in enumerate(said):
        sets[i, list(one.pitches)] = True
    bass = np.array([one.bass for one in said])
    leading = np.array([one.leading for one in said])
    steps = np.stack([following * _factors(table["steps"], said, bases, figures, strong) for strong in (False, True)])
    dominant = np.array([(one.function in "DS" and one.leading >= 0) or one.function == "S" for one in said])
    return _Mode(tuple(names), tuple(bases), sets, bass, leading, dominant, np.log(np.maximum(steps, 1e-12)))


def _factors(rows: Table, said: Sequence[Any], bases: Sequence[str], figures: Sequence[str],
             strong: bool) -> FloatArray:
    """float[n, n]: what the rules of basses and figures make of a step into a strong or a weak slot."""
    def weight(name: str) -> float:
        return float(rows[name]["weight"])

    n = len(said)
    out = np.ones((n, n))
    for i, one in enumerate(said):
        for j, two in enumerate(said):
            factor, by = 1.0, (two.bass - one.bass) % 12
            if i == j:
                factor = weight("hold_strong" if strong else "hold_weak")
            elif bases[i] == bases[j]:
                factor = weight("turn_strong" if strong else "turn_weak")
                if by == 0 and len(one.pitches) > len(two.pitches):
                    factor *= weight("unresolved")
            elif by == 0:
                factor = weight("bass_static") if figures[j] != "64" and figures[i] != "64" else 1.0
            elif by in (1, 2, 10, 11):
                factor = weight("bass_step")
            elif by == 6:
                factor = weight("bass_tritone")
            if i != j:
                factor *= _resolves(rows, one, two, bases[i] == bases[j], figures[i], figures[j], by)
            if figures[j] == "64":
                factor *= weight("six_four_weak") if not strong else 1.0
            if figures[i] == "64" and strong:
                factor *= weight("six_four_weak")
            if figures[j] == "7" and one.leading < 0 and two.leading < 0:
                factor *= weight("seventh_root")
            out[i, j] = factor
    return out


def _resolves(rows: Table, one: Any, two: Any, same: bool, figure: str, later: str, by: int) -> float:
    """What the rules say of a chord whose bass must go somewhere."""
    factor = 1.0
    if figure == "64" and not (two.bass == one.bass and two.leading == 11 and two.pitches[0] == two.bass):
        factor *= rows["six_four"]["weight"]
    if figure == "42" and by not in (10, 11):
        factor *= rows["four_two"]["weight"]
    if figure in ("65", "6") and one.bass == one.leading and by != 1 and not same:
        factor *= rows["six_five"]["weight"]
    if one.leading == 11 and one.pitches[0] == one.bass == 7 and two.pitches[0] == two.bass == 0:
        factor *= rows["early_close"]["weight"]
    if len(one.pitches) > 3 and figure in ("7", "65") and not same and two.bass not in one.pitches \
            and (one.pitches[3] - two.bass) % 12 in (1, 2):
        factor *= rows["seventh_bass"]["weight"]
    if figure == "43" and by not in (1, 2, 10, 11) and not same:
        factor *= rows["four_three"]["weight"]
    if one.leading == one.pitches[0] == one.bass and by != 1:
        factor *= rows["diminished_root"]["weight"]
    if later == "42" and not (same or two.bass == one.bass or by in (10, 11) or two.bass in one.pitches):
        factor *= rows["four_two"]["weight"]
    return float(factor)


@cache
def degree_chain(text: str, keys: tuple[tuple[int, str], ...]) -> DegreeChain:
    """Return the states of all keys in play; `text` is the table as JSON, the first key is the home."""
    table = json.loads(text)
    modes = {mode: _mode(text, mode) for _, mode in keys}
    parts = [modes[mode] for _, mode in keys]
    names = tuple(name for part in parts for name in part.names)
    key = np.repeat(np.arange(len(keys)), [len(part.names) for part in parts])
    sets = np.concatenate([np.roll(part.sets, tonic, axis=1) for part, (tonic, _) in zip(parts, keys, strict=True)])
    bass = np.concatenate([(part.bass + tonic) % 12 for part, (tonic, _) in zip(parts, keys, strict=True)])
    leading = np.concatenate([np.where(part.leading >= 0, (part.leading + tonic) % 12, -1)
                              for part, (tonic, _) in zip(parts, keys, strict=True)])
    said = [numeral(name, keys[k][1]) for name, k in zip(names, key.tolist(), strict=True)]
    seventh = np.array([(one.pitches[3] + keys[k][0]) % 12 if len(one.pitches) > 3 else -1
                        for one, k in zip(said, key.tolist(), strict=True)])
    steps = np.full((2, len(names), len(names)), NEVER)
    change = float(np.log(table["keys"]["change"]["weight"]))
    home = np.log(nearness(table, keys))
    plain = np.array([not ("/" in name or len(one.pitches) > 3 or name.endswith("64"))
                      for name, one in zip(names, said, strict=True)])
    for i, part in enumerate(parts):
        rows = np.flatnonzero(key == i)
        steps[:, rows[:, None], rows[None, :]] = part.steps
        for j, other in enumerate(parts):
            if i == j:
                continue
            columns = np.flatnonzero(key == j)
            for row in rows[plain[rows]].tolist():
                pivot = np.flatnonzero((sets[columns] == sets[row]).all(axis=1) & (bass[columns] == bass[row]))
                if len(pivot):
                    steps[:, row, columns] = np.where(other.dominant, other.steps[:, pivot[0]] + change + home[j] / 2,
                                                      NEVER)
    opening = [table["opening"][mode] for _, mode in keys]
    start = np.log(np.array([max(opening[k].get(name, 0.0) / sum(opening[k].values()), 1e-4)
                             for name, k in zip(names, key.tolist(), strict=True)]))
    restart = np.full((len(names), len(names)), 0.0) + start[None, :]
    other_key = key[:, None] != key[None, :]
    to_home = other_key & (key == 0)[None, :]
    back = float(np.log(table["keys"]["return"]["weight"]))
    restart += np.where(to_home, back, np.where(other_key, change + home[key], 0.0))
    by = (bass[None, :] - bass[:, None]) % 12
    restart += np.where(by == 6, np.log(table["steps"]["bass_tritone"]["weight"]), 0.0)
    return DegreeChain(keys, key, names, sets, bass, leading, seventh, steps, start, restart)


def nearness(table: Table, keys: Sequence[tuple[int, str]]) -> FloatArray:
    """Return float[keys]: how near each key is to the first, 1 for that itself."""
    tonic, mode = keys[0]
    rows = {((tonic + row["by"]) % 12, row["mode"]): float(row["weight"]) for row in table["keys"][mode]}
    return np.array([1.0] + [rows.get(key, 0.02) for key in keys[1:]])
