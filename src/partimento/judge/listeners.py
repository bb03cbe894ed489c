"""What listeners said on a blind listening page: which set they prefer, and which measures agree with them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import PartimentoError, ReadError, RequestError
from partimento.formats.files import read_bytes
from partimento.judge.distances import RESAMPLES, Interval
from partimento.judge.wins import bradley_terry, share_of
from partimento.sampling import generator

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]
KEY, ANSWERS = "partimento key of a listening page", "partimento answers to a listening page"
VERSION = 1
KINDS = ("pair", "repeat", "anchor")
SPOILED = "(spoiled)"          # the set of a clip that was made worse on purpose
CHANCE = 0.5
FEWEST_PAIRS = 6               # heard, from which strengths can be told
TRAINING = ("", "none", "some", "much")


class Clip(NamedTuple):
    """One sound of a page: set, piece, first and last bar, the dB that were added, and its measures by name."""

    set: str
    piece: str
    bars: tuple[int, int]
    gain: float
    values: Mapping[str, float]


class Trial(NamedTuple):
    """Two clips put side by side: a `pair`, the same once more (`repeat`), or an `anchor`: a piece and it spoiled."""

    clips: tuple[str, str]
    kind: str


class ListeningKey(NamedTuple):
    """What a page hides: its number, its clips and trials by their random names, and what real music measures."""

    page: str
    clips: Mapping[str, Clip]
    trials: Mapping[str, Trial]
    typical: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return {"kind": KEY, "version": VERSION, "page": self.page, "typical": dict(self.typical),
                "trials": {name: {"kind": t.kind, "clips": list(t.clips)} for name, t in self.trials.items()},
                "clips": {name: {"set": c.set, "piece": c.piece, "bars": list(c.bars), "gain": c.gain,
                                 "values": dict(c.values)} for name, c in self.clips.items()}}


class Duel(NamedTuple):
    """Two sets: answers for either and for neither, and the share for `first` with its interval, ties half each."""

    first: str
    second: str
    wins: int
    ties: int
    losses: int
    share: Interval


class Agreement(NamedTuple):
    """One measure: of so many answers, the share for the clip that has more of it, and for that nearer to real music.

    Chance is 0.5. `nearer` is None where nothing says what real music has, or both clips of all pairs are as near.
    """

    measure: str
    answers: int
    higher: Interval | None
    nearer: Interval | None


class Listener(NamedTuple):
    """One listener: answers, repeats heard and answered alike, anchors heard and known, training; and whether to trust.

    `consistent`: at least half of the repeats alike, and in at least half of the anchors the unspoiled piece preferred.
    """

    name: str
    answers: int
    repeats: int
    alike: int
    anchors: int
    known: int
    training: str
    consistent: bool


class Preferences(NamedTuple):
    """What all listeners said together.

    `duels` of every two sets; `strengths` (Bradley and Terry's logarithms, of mean 0, by set; intervals by bootstrap
    over listeners and pairs) where more than two sets and at least 6 pairs were heard, else empty; `agreements` of
    every measure; `first_heard`: the share for the left of two, 0.5 without a habit; `told` what else must be known.
    """

    duels: tuple[Duel, ...]
    strengths: Mapping[str, Interval]
    agreements: tuple[Agreement, ...]
    listeners: tuple[Listener, ...]
    first_heard: Interval | None
    told: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        def plain(found: Interval | None) -> dict[str, float] | None:
            return found._asdict() if found else None

        return {"duels": [{**row._asdict(), "share": plain(row.share)} for row in self.duels],
                "strengths": {name: plain(found) for name, found in self.strengths.items()},
                "agreements": [{**row._asdict(), "higher": plain(row.higher), "nearer": plain(row.nearer)}
                               for row in self.agreements],
                "listeners": [row._asdict() for row in self.listeners], "first_heard": plain(self.first_heard),
                "told": list(self.told)}


class _Answer(NamedTuple):
    trial: str
    choice: str | None
    left: str


class _Sheet(NamedTuple):
    source: str
    listener: str
    training: str
    answers: tuple[_Answer, ...]


def preferences(answers: Sequence[str | os.PathLike[str] | Mapping[str, Any]],
                key: str | os.PathLike[str] | Mapping[str, Any] | ListeningKey, *, seed: int = 0) -> Preferences:
    """Return what the listeners prefer, and which measures agree with them, from their answers and the key of the page.

    Either may be files or what they hold. No difference counts half for either set; repeats and anchors are counted
    only to judge the listener, who is told, never left out. Of two files of one listener the fuller counts. ReadError
    where a file is damaged, RequestError where it is of another page or nobody answered.
    """
    hidden = key if isinstance(key, ListeningKey) else read_key(key)
    if not answers:
        raise RequestError("to count preferences there must be answers of at least one listener; got none")
    sheets, told = _one_a_listener([_sheet(given, hidden) for given in answers])
    pairs = [(i, answer) for i, sheet in enumerate(sheets) for answer in sheet.answers
             if hidden.trials[answer.trial].kind == "pair"]
    if not pairs:
        raise RequestError("to count preferences there must be an answer to at least one pair; got none in "
                           f"{', '.join(sheet.source for sheet in sheets)}")
    names = {name: number for number, name in enumerate(hidden.trials)}
    who = np.array([i for i, _ in pairs], np.int64)
    what = np.array([names[answer.trial] for _, answer in pairs], np.int64)
    first = np.array([_for_first(answer.choice, hidden.trials[answer.trial]) for _, answer in pairs])
    duels, strengths = _sets(hidden, who, what, first, seed)
    left = [float(answer.choice == answer.left) for _, answer in pairs if answer.choice is not None]
    chosen = first != 0.5
    found = tuple(_listener(sheet, hidden) for sheet in sheets)
    told += [_doubt(row) for row in found if not row.consistent]
    return Preferences(duels, strengths, _agreements(hidden, who[chosen], what[chosen], first[chosen]), found,
                       share_of(left, who[chosen], what[chosen]) if left else None, tuple(told))


def _for_first(choice: str | None, trial: Trial) -> float:
    return 0.5 if choice is None else float(choice == trial.clips[0])


def _sets(key: ListeningKey, who: IndexArray, what: IndexArray, first: FloatArray,
          seed: int) -> tuple[tuple[Duel, ...], dict[str, Interval]]:
    """The duels of every two sets that were heard side by side, and with more than two sets the strengths of all.

    Intervals by bootstrap over listeners and pairs at once (A. B. Owen, Annals of Applied Statistics 1, 2007).
    """
    trials = list(key.trials.values())
    sets = list(dict.fromkeys(key.clips[clip].set for t in trials if t.kind == "pair" for clip in t.clips))
    place = {name: number for number, name in enumerate(sets)}
    one, other = (np.array([place.get(key.clips[t.clips[side]].set, -1) for t in trials])[what] for side in (0, 1))
    duels = []
    for i, j in combinations(range(len(sets)), 2):
        here = ((one == i) & (other == j)) | ((one == j) & (other == i))
        if here.any():
            said = np.where(one == i, first, 1 - first)[here]
            won, even, lost = (int((said == value).sum()) for value in (1.0, 0.5, 0.0))
            duels.append(Duel(sets[i], sets[j], won, even, lost, share_of(said, who[here], what[here])))
    if len(sets) < 3 or len(np.unique(what)) < FEWEST_PAIRS:
        return tuple(duels), {}
    k = len(sets)
    wins = np.zeros((len(first), k, k))
    each = np.arange(len(first))
    wins[each, one, other], wins[each, other, one] = first, 1 - first
    rng = generator(seed)
    times = _drawn(what, rng) * (_drawn(who, rng) if len(np.unique(who)) > 1 else 1.0)
    low, high = np.quantile(bradley_terry(np.einsum("rn,nij->rij", times, wins)), (0.025, 0.975), axis=0)
    found = bradley_terry(wins.sum(axis=0))
    return tuple(duels), {name: Interval(float(found[i]), float(low[i]), float(high[i])) for i, name in
                          enumerate(sets)}


def _drawn(groups: IndexArray, rng: np.random.Generator) -> FloatArray:
    """How often the group of each answer is drawn, float64[resamples, n]: all groups, as many times, put back."""
    place = np.unique(groups, return_inverse=True)[1]
    count = int(place.max()) + 1
    times = np.zeros((RESAMPLES, count))
    np.add.at(times, (np.arange(RESAMPLES)[:, None], (rng.random((RESAMPLES, count)) * count).astype(np.int64)), 1.0)
    return np.asarray(times[:, place])


def _agreements(key: ListeningKey, who: IndexArray, what: IndexArray, first: FloatArray) -> tuple[Agreement, ...]:
    """Every measure that any clip has: how often its order is the listeners' order, ties of either left out."""
    trials = list(key.trials.values())
    rows = []
    for name in dict.fromkeys(name for clip in key.clips.values() for name in clip.values):
        values = np.array([[key.clips[clip].values.get(name, math.nan) for clip in t.clips] for t in trials])
        difference = (values[:, 0] - values[:, 1])[what]
        typical = key.typical.get(name, math.nan)
        nearness = (np.abs(values[:, 1] - typical) - np.abs(values[:, 0] - typical))[what]
        found = []
        for order in (difference, nearness):
            told = np.isfinite(order) & (np.abs(order) > 1e-12)
            same = (order[told] > 0) == (first[told] > 0.5)
            found.append(share_of(same, who[told], what[told]) if told.any() else None)
        if any(found):
            rows.append(Agreement(name, int((np.isfinite(difference) & (np.abs(difference) > 1e-12)).sum()), *found))
    return tuple(rows)


def _listener(sheet: _Sheet, key: ListeningKey) -> Listener:
    said = {answer.trial: answer.choice for answer in sheet.answers}
    before = {frozenset(key.trials[name].clips): choice for name, choice in said.items()
              if key.trials[name].kind == "pair"}
    repeats = [choice == before[frozenset(key.trials[name].clips)] for name, choice in said.items()
               if key.trials[name].kind == "repeat" and frozenset(key.trials[name].clips) in before]
    anchors = [choice == key.trials[name].clips[0] for name, choice in said.items()
               if key.trials[name].kind == "anchor"]
    consistent = 2 * sum(repeats) >= len(repeats) and 2 * sum(anchors) >= len(anchors)
    return Listener(sheet.listener, len(said), len(repeats), sum(repeats), len(anchors), sum(anchors), sheet.training,
                    consistent)


def _doubt(row: Listener) -> str:
    return (f"listener {row.name} was not consistent: {row.alike} of {row.repeats} repeated pairs answered alike, a "
            f"piece preferred to the same piece spoiled in {row.known} of {row.anchors}")


def _one_a_listener(sheets: Sequence[_Sheet]) -> tuple[list[_Sheet], list[str]]:
    """The fullest answers of each listener, and a sentence on each file that was left out for it."""
    best: dict[str, _Sheet] = {}
    told = []
    for sheet in sheets:
        other = best.setdefault(sheet.listener, sheet)
        if other is not sheet:
            kept, left = (sheet, other) if len(sheet.answers) > len(other.answers) else (other, sheet)
            best[sheet.listener] = kept
            told.append(f"{left.source} was left out: {kept.source} is of the same listener and has no fewer answers")
    return list(best.values()), told


# --- files ---------------------------------------------------------------------------------------------------------


def read_key(source: str | os.PathLike[str] | Mapping[str, Any]) -> ListeningKey:
    """Return the key of a listening page from its file or what that holds; ReadError where it is none or damaged."""
    name, plain = _plain(source, KEY)
    try:
        clips = {str(k): Clip(str(c["set"]), str(c["piece"]), (int(c["bars"][0]), int(c["bars"][1])), float(c["gain"]),
                              {str(m): float(v) for m, v in c["values"].items()}) for k, c in plain["clips"].items()}
        trials = {str(k): Trial((str(t["clips"][0]), str(t["clips"][1])), str(t["kind"]))
                  for k, t in plain["trials"].items()}
        found = ListeningKey(str(plain["page"]), clips, trials,
                             {str(m): float(v) for m, v in plain["typical"].items()})
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ReadError(f"{name}: the key of a listening page must name its page, clips and trials; this one is "
                        f"damaged ({type(error).__name__}: {error}): write the page again") from None
    if not all(t.kind in KINDS and all(clip in clips for clip in t.clips) for t in trials.values()):
        raise ReadError(f"{name}: the key of a listening page must know every clip of its trials; this one is damaged: "
                        "write the page again")
    return found


def _sheet(source: str | os.PathLike[str] | Mapping[str, Any], key: ListeningKey) -> _Sheet:
    """The answers of one listener, checked against the key."""
    name, plain = _plain(source, ANSWERS)
    if plain.get("page") != key.page:
        raise RequestError(f"{name}: answers must be to the page of the key, {key.page}; these are to "
                           f"{str(plain.get('page'))[:40]!r}: give the key that was written beside their page")
    listener, rows = plain.get("listener"), plain.get("answers")
    if not isinstance(listener, str) or not listener or not isinstance(rows, list):
        raise ReadError(f"{name}: a file of answers must say who listened and hold a list of answers; this one is "
                        "damaged: save it again from the page")
    found: dict[str, _Answer] = {}
    for row in rows:
        trial = key.trials.get(str(row.get("trial"))) if isinstance(row, dict) else None
        if trial is None or row.get("left") not in trial.clips or row.get("choice", "") not in (*trial.clips, None):
            raise ReadError(f"{name}: every answer must be to a pair of its page and for one of its two sides or none; "
                            f"got {json.dumps(row)[:80]}: save it again from the page")
        found[str(row["trial"])] = _Answer(str(row["trial"]), row["choice"], row["left"])
    if not found:
        raise RequestError(f"{name}: a file of answers must hold at least one answer; this one is empty: listen first")
    training = plain.get("training", "")
    return _Sheet(name, listener, training if training in TRAINING else "", tuple(found.values()))


def _plain(source: str | os.PathLike[str] | Mapping[str, Any], kind: str) -> tuple[str, Mapping[str, Any]]:
    """A name to speak of it by, and what a JSON file of this kind holds."""
    wanted = f"file of {kind.removeprefix('partimento ')}"
    if isinstance(source, Mapping):
        name, plain = f"the {kind.split()[1]}", source
    else:
        name = os.fspath(source)
        try:
            plain = json.loads(read_bytes(source).decode("utf-8"))
        except PartimentoError:
            raise
        except (ValueError, RecursionError):
            raise ReadError(f"{name}: a {wanted} must be JSON; this file is damaged or of another kind") from None
    if not isinstance(plain, Mapping) or plain.get("kind") != kind:
        raise ReadError(f"{name}: a {wanted} must be given; this is something else")
    if plain.get("version") != VERSION:
        raise ReadError(f"{name}: a {wanted} must be of version {VERSION}; this one is of {plain.get('version')!r}: "
                        "use the program that wrote it")
    return name, plain


# --- in words ------------------------------------------------------------------------------------------------------


def verdict_of(found: Interval | None) -> str:
    """Return what a share says beside chance: ``yes`` or ``the reverse`` where its interval leaves chance out.

    >>> verdict_of(Interval(0.8, 0.6, 0.9)), verdict_of(Interval(0.55, 0.4, 0.7))
    ('yes', 'cannot be told')
    """
    if found is None:
        return "–"
    return "yes" if found.low > CHANCE else "the reverse" if found.high < CHANCE else "cannot be told"


def preferences_text(found: Preferences) -> str:
    """The preferences as tables for a terminal."""
    said = sum(row.answers for row in found.listeners)
    lines = [f"{len(found.listeners)} {'listener' if len(found.listeners) == 1 else 'listeners'}, {said} answers; "
             "no difference counts half for either; 95 % intervals, chance is 50 %", ""]
    lines += _columns([("preferred", "to", "share", "", "won", "no difference", "lost"),
                       *((d.first, d.second, *_percent(d.share), str(d.wins), str(d.ties), str(d.losses))
                         for d in found.duels)])
    if found.strengths:
        lines += ["", *_columns([("set", "strength (log)", ""),
                                 *((name, f"{s.value:+.2f}", f"({s.low:+.2f} to {s.high:+.2f})") for name, s in
                                   sorted(found.strengths.items(), key=lambda item: -item[1].value))])]
    if found.agreements:
        rows = sorted(found.agreements, key=lambda row: -max(abs(x.value - CHANCE) for x in (row.higher, row.nearer)
                                                             if x))
        lines += ["", *_columns([("measure", "answers", "more of it preferred", "", "", "nearer to real preferred", "",
                                  ""),
                                 *((r.measure, str(r.answers), *_percent(r.higher), verdict_of(r.higher),
                                    *_percent(r.nearer), verdict_of(r.nearer)) for r in rows)])]
    if found.first_heard:
        lines += ["", f"the left one was preferred in {' '.join(_percent(found.first_heard))}"]
    return "\n".join([*lines, *found.told])


def _percent(found: Interval | None) -> tuple[str, str]:
    return (f"{100 * found.value:.0f} %", f"({100 * found.low:.0f}–{100 * found.high:.0f})") if found else ("–", "")


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
