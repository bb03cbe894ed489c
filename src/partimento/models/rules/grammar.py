"""A functional grammar of harmony, solved exactly: which chord stands where, so that phrases close and melodies fit.

The grammar is a table (``tables/harmony.json``): what each degree may be followed by, in which inversions, how phrases
close, where a key may go. A chain is built of it whose states are degree, inversion and local key; the slots of a
piece are its steps. Viterbi finds the best chords, forward filtering and backward sampling draws others in proportion.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import ModelError
from partimento.models.rules.degrees import (
    NEVER,
    BoolArray,
    DegreeChain,
    FloatArray,
    IndexArray,
    Table,
    degree_chain,
    nearness,
)
from partimento.models.rules.plan import Phrase, RomanChord, Slot, chord_of_symbol, roman_chord
from partimento.sampling import draw
from partimento.score import Chord

STRONG = 0.5             # an accent from which on a slot is strong
CLASH = 4.0              # nats against a natural seventh degree sung over a chord that has it raised
PARALLEL = -14         # outer fifths or octaves between the given melody and the bass
ENDS_OPEN = -4.0         # a last phrase that closes on no tonic, where its melody allows none
ENDS_AWAY = 4.0          # how much more a key away from home counts against the last cadence
LEFT = -4              # a given melody's leading tone left hanging over its resolution
DOUBLED = -7.0           # a given melody on the bass's own leading tone or seventh


class Evidence(NamedTuple):
    """What a given melody says of each slot: `against` (float[T, 12], nats) a chord without that pitch class, and the
    `first` and `last` pitch of the melody there (int[T], −1 in silence)."""

    against: FloatArray
    first: IndexArray
    last: IndexArray


@cache
def harmony_table() -> Table:
    """Return the table of the family: degrees, successions, cadences and keys, each row with its rule in words.

    >>> harmony_table()["cadences"]["HC"]["rule"]
    'a half cadence rests on the dominant in root position'
    """
    text = (Path(__file__).with_name("tables") / "harmony.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def merged(table: Table, changes: Table) -> Table:
    """Return a table with some of its rows replaced, level by level; a row whose value is None goes.

    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
    {'a': {'b': 1, 'c': 3}}
    """
    out = dict(table)
    for name, value in changes.items():
        if value is None:
            out.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(out.get(name), Mapping):
            out[name] = merged(out[name], value)
        else:
            out[name] = value
    return out


def progression(phrases: Sequence[Phrase], slots: Sequence[Slot], *, evidence: Evidence | None = None,
                given: Sequence[Chord] = (), table: Table | None = None, rng: np.random.Generator | None = None,
                temperature: float = 1.0) -> list[RomanChord]:
    """Return one RomanChord a slot: the likeliest by the grammar (no `rng`), or one drawn from it at a temperature.

    `evidence` is what a given melody asks for, `given` the chords that must hold (from their tick to the next one's).
    Every phrase closes with its cadence in its key; one with the cadence ``?`` closes in any way in a near key. A
    phrase that `repeats` another takes its chords, up to its own cadence, where the slots are alike and no melody is
    given. ModelError where there are no slots.

    >>> phrase = [Phrase("A", 0, 4, "PAC")]
    >>> slots = [Slot(480 * k, 480 * k + 480, 1.0 - k % 2) for k in range(8)]
    >>> [harmony.degree for harmony in progression(phrase, slots)][-1]
    'I'
    """
    if not slots or not phrases:
        raise ModelError("a progression needs at least one phrase and one slot; got "
                         f"{len(phrases)} phrases and {len(slots)} slots")
    said = harmony_table() if table is None else table
    text = json.dumps(said)
    home = (phrases[0].tonic % 12, phrases[0].mode)
    keys = [home, *((phrase.tonic % 12, phrase.mode) for phrase in phrases)]
    if any(phrase.cadence == "?" for phrase in phrases):
        keys += [((home[0] + row["by"]) % 12, row["mode"]) for row in said["keys"][home[1]]]
    chain = degree_chain(text, tuple(dict.fromkeys(keys)))
    ruled = _ruled(slots, given, home)
    scores = _scores(chain, said, phrases, slots, evidence, ruled)
    moves = _Moves(chain, said, phrases, slots, evidence)
    path = _solve(scores, moves, chain, rng, temperature)
    copied = _copies(phrases, slots) if evidence is None else {}
    if copied:
        for here, there in copied.items():
            same = chain.bass == chain.bass[path[there]]
            same &= (chain.sets == chain.sets[path[there]]).all(axis=1)
            scores[here] += np.where(same, 0.0, NEVER)
        for there in sorted({*range(len(slots))} - set(copied)):
            if _repeated(phrases, slots[there].phrase):
                scores[there] += np.where(np.arange(len(chain.key)) == path[there], 0.0, NEVER)
        path = _solve(scores, moves, chain, rng, temperature)
    out = []
    for slot, state, held in zip(slots, path, ruled, strict=True):
        tonic, mode = chain.keys[chain.key[state]]
        out.append(held if held is not None else roman_chord(slot.start, slot.end, tonic, mode, chain.names[state]))
    return out


def near_keys(tonic: int, mode: str, table: Table | None = None) -> list[tuple[int, str, float]]:
    """Return the keys that the table calls near, as (tonic, mode, weight), the nearest first.

    >>> near_keys(0, "major")[0]
    (7, 'major', 0.5)
    """
    rows = (harmony_table() if table is None else table)["keys"][mode]
    found = [((tonic + row["by"]) % 12, row["mode"], float(row["weight"])) for row in rows]
    return sorted(found, key=lambda key: -key[2])


# --- what a piece asks of it --------------------------------------------------------------------------------------


def _ruled(slots: Sequence[Slot], given: Sequence[Chord], home: tuple[int, str]) -> list[RomanChord | None]:
    """The RomanChord that a given chord makes of each slot, None where none is given or it says no chord."""
    out: list[RomanChord | None] = []
    for slot in slots:
        begun = [chord for chord in given if chord.tick <= slot.start]
        inside = [chord for chord in given if slot.start < chord.tick < slot.end]
        symbol = begun[-1].symbol if begun else inside[0].symbol if inside else "N"
        out.append(chord_of_symbol(slot.start, slot.end, *home, symbol))
    return out


def _arrivals(slots: Sequence[Slot]) -> dict[int, int]:
    """The slot in which each phrase arrives: the first that is marked, else its last."""
    out: dict[int, int] = {}
    marked: set[int] = set()
    for t, slot in enumerate(slots):
        if slot.arrival and slot.phrase not in marked:
            out[slot.phrase] = t
            marked.add(slot.phrase)
        elif slot.phrase not in marked:
            out[slot.phrase] = t
    return out


def _scores(chain: DegreeChain, table: Table, phrases: Sequence[Phrase], slots: Sequence[Slot],
            evidence: Evidence | None, ruled: Sequence[RomanChord | None]) -> FloatArray:
    """float[T, S]: what speaks for each state in each slot by itself."""
    out = np.zeros((len(slots), len(chain.key)))
    away = np.log(table["keys"]["stay"]["weight"])
    for t, slot in enumerate(slots):
        phrase = phrases[slot.phrase]
        if phrase.cadence != "?":
            around = {(p.tonic % 12, p.mode) for p in phrases[max(slot.phrase - 1, 0):slot.phrase + 1]}
            allowed = np.array([key in around for key in chain.keys])[chain.key]
            own = chain.keys.index((phrase.tonic % 12, phrase.mode))
            out[t] += np.where(allowed, np.where(chain.key == own, 0.0, away), NEVER)
        else:
            out[t] += np.where(chain.key == 0, 0.0, away)
        held = ruled[t]
        if held is not None:
            out[t] += _like(chain, held)
    if evidence is not None:
        out -= evidence.against @ (~chain.sets).T.astype(float)
        sung = evidence.against > 0
        natural = np.where(chain.leading >= 0, (chain.leading + 11) % 12, 0)
        out -= CLASH * (sung[:, natural] & (chain.leading >= 0) & ~chain.sets[np.arange(len(natural)), natural])
        for t, pitch in enumerate(evidence.first.tolist()):
            if pitch >= 0:
                bass = chain.bass == pitch % 12
                out[t] += np.where(bass & ((chain.leading == chain.bass) | (chain.seventh == chain.bass)), DOUBLED, 0)
    return out


def _like(chain: DegreeChain, held: RomanChord) -> FloatArray:
    """float[S]: near 0 for the states most like a chord that is given."""
    tones = np.zeros(12, bool)
    tones[list(held.pitches)] = True
    differ = (chain.sets != tones).sum(axis=1)
    return np.asarray(np.where(differ == 0, 0.0, -4.0 * differ - 6.0) - 3.0 * (chain.bass != held.bass))


class _Moves:
    """What speaks for each step into every slot but the first, float[S, S] a slot, worked out when it is asked for."""

    def __init__(self, chain: DegreeChain, table: Table, phrases: Sequence[Phrase], slots: Sequence[Slot],
                 evidence: Evidence | None) -> None:
        self._chain, self._table, self._phrases, self._slots = chain, table, phrases, slots
        self._evidence, self._arrivals = evidence, _arrivals(slots)
        self._hold = np.where(np.eye(len(chain.key), dtype=bool), 0.0, NEVER)
        self._closing: dict[tuple[Any, ...], FloatArray] = {}
        self._outer: dict[tuple[int, int, bool], npt.NDArray[np.int8]] = {}

    def __len__(self) -> int:
        return len(self._slots) - 1

    def __getitem__(self, index: int) -> FloatArray:
        t = index + 1
        if t >= len(self._slots):
            raise IndexError(index)
        chain, slot = self._chain, self._slots[t]
        phrase, arrival = self._phrases[slot.phrase], self._arrivals[slot.phrase]
        new = slot.phrase != self._slots[t - 1].phrase
        if new:
            move = chain.restart
        elif t > arrival and phrase.cadence:
            move = self._hold
        else:
            move = chain.steps[int(slot.accent >= STRONG)]
        if t == arrival and phrase.cadence:
            last = slot.phrase == len(self._phrases) - 1
            asked = (phrase.cadence, phrase.tonic % 12, phrase.mode, last, new)
            if asked not in self._closing:
                own = np.array([key == asked[1:3] for key in chain.keys])
                self._closing[asked] = _closes(chain, self._table, phrase, last, new, own)
            move = move + self._closing[asked]
        if self._evidence is not None:
            before, now = int(self._evidence.last[t - 1]), int(self._evidence.first[t])
            if before >= 0 and now >= 0 and before != now:
                asked_of = before % 12, now % 12, now == before + 1
                if asked_of not in self._outer:
                    self._outer[asked_of] = _outer(chain, *asked_of)
                move = move + self._outer[asked_of]
        return move


def _closes(chain: DegreeChain, table: Table, phrase: Phrase, last: bool, lone: bool, own: BoolArray) -> FloatArray:
    """float[S, S]: the weight of each step as the close of a phrase."""
    kinds = {name: row for name, row in table["cadences"].items()
             if phrase.cadence in ("?", name, row.get("as")) and (last or name != "picardy")}
    names = np.array(chain.names)
    best = np.full((len(names), len(names)), NEVER)
    for name, row in kinds.items():
        ends = ENDS_OPEN if phrase.cadence == "?" and last and name in ("HC", "DC") else 0.0
        before = np.isin(names, row["from"]) | lone
        onto = np.isin(names, row["to"])
        same = (chain.key[:, None] == chain.key[None, :]) | lone
        fits = before[:, None] & onto[None, :] & same
        best = np.maximum(best, np.where(fits, ends + (np.log(row["weight"]) if phrase.cadence == "?" else 0.0),
                                         NEVER))
    if phrase.cadence == "?":
        near = np.log(nearness(table, chain.keys)) * (ENDS_AWAY if last else 1.0)
    else:
        near = np.where(own, 0.0, NEVER)
    return np.asarray(best + near[chain.key][None, :])


def _outer(chain: DegreeChain, before: int, now: int, rises: bool) -> npt.NDArray[np.int8]:
    """int8[S, S], nats: against fifths and octaves in parallel between the melody (its pitch classes `before` and
    `now`) and the bass, and against a dominant under a leading tone that the melody does not resolve (`rises`: it goes
    up a semitone)."""
    apart, later = (before - chain.bass) % 12, (now - chain.bass) % 12
    moved = chain.bass[:, None] != chain.bass[None, :]
    perfect = ((apart == 0)[:, None] & (later == 0)[None, :]) | ((apart == 7)[:, None] & (later == 7)[None, :])
    out = np.where(perfect & moved, PARALLEL, 0)
    if not rises:
        hangs = (chain.leading == before)[:, None] & chain.sets[None, :, (before + 1) % 12]
        out = out + np.where(hangs, LEFT, 0)
    return out.astype(np.int8)


def _repeated(phrases: Sequence[Phrase], index: int) -> bool:
    return any(phrase.repeats == index for phrase in phrases)


def _copies(phrases: Sequence[Phrase], slots: Sequence[Slot]) -> dict[int, int]:
    """Slot by slot, which earlier one it copies: phrases that repeat in the same key, but for a cadence of another."""
    own = [[t for t, slot in enumerate(slots) if slot.phrase == p] for p in range(len(phrases))]
    arrivals = _arrivals(slots)
    out: dict[int, int] = {}
    for index, phrase in enumerate(phrases):
        source = phrase.repeats
        if not 0 <= source < index or len(own[source]) != len(own[index]):
            continue
        first = phrases[source]
        if (first.tonic % 12, first.mode) != (phrase.tonic % 12, phrase.mode):
            continue
        whole = first.cadence == phrase.cadence
        stop = len(own[index]) if whole else max(own[index].index(arrivals[index]) - 2, len(own[index]) // 2)
        out |= dict(zip(own[index][:stop], own[source][:stop], strict=True))
    for here, there in out.items():
        out[here] = out.get(there, there)
    return out


# --- solving it ---------------------------------------------------------------------------------------------------


def _solve(scores: FloatArray, moves: _Moves, chain: DegreeChain, rng: np.random.Generator | None,
           temperature: float) -> list[int]:
    """The best path of states (Viterbi), or one drawn with weights sharpened by the temperature (exact sampling)."""
    first = scores[0] + chain.start + np.where(chain.key == 0, 0.0, NEVER / 4)
    if rng is None or temperature <= 0:
        best, back = first, []
        for t in range(len(moves)):
            sums = best[:, None] + moves[t]
            back.append(sums.argmax(axis=0))
            best = sums[back[-1], np.arange(len(best))] + scores[t + 1]
        path = [int(best.argmax())]
        for came in reversed(back):
            path.append(int(came[path[-1]]))
        return path[::-1]
    filtered = [first / temperature]
    for t in range(len(moves)):
        filtered.append(_logsum(filtered[-1][:, None] + moves[t] / temperature) + scores[t + 1] / temperature)
    path = [_drawn(filtered[-1], rng)]
    for t in reversed(range(len(moves))):
        path.append(_drawn(filtered[t] + moves[t][:, path[-1]] / temperature, rng))
    return path[::-1]


def _logsum(terms: FloatArray) -> FloatArray:
    top = terms.max(axis=0)
    return np.asarray(top + np.log(np.exp(terms - top).sum(axis=0)))


def _drawn(logs: FloatArray, rng: np.random.Generator) -> int:
    return draw(np.exp(logs - logs.max()), float(rng.random()))
