"""Four parts under a melody, beat by beat: first the name of the chord, then bass, tenor and alto, each given the rest.

Every one of the four is a log-linear `Choice` over what is known there: the melody, before and after; the chords and
parts so far; the chord and parts of this beat that are chosen already; and the *echo*, an earlier beat of the piece
around which the melody goes as it goes here, and what stood under it. A beat's probability is the product of the four,
so that of all ways to set a melody is normalised without a sum over chords, however many of them there are. The melody
is not modelled: P(parts | melody). Pitches are over the tonic: all pieces are laid on a tonic of pitch class 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import ModelError
from partimento.models.hmm.page import Floats, Ints
from partimento.models.hmm.relations import CLASS, UNKNOWN, Choice, Facts, Relation, Symbols
from partimento.sampling import draw

LOWEST, HIGHEST = 20, 95            # pitches of the parts, over the tonic
_PITCHES = HIGHEST - LOWEST + 1
REST, HELD_REST = 2 * _PITCHES, 2 * _PITCHES + 1
PARTS = ("bass", "tenor", "alto")
CHOICES = ("label", *PARTS)
LEAN = 3.0                # chosen on a fifth of the training chorales in major
_NEAR = 4                 # beats before and after that an echo is compared over
_AGREEING = 1.5           # beats of melody that one of agreeing harmony before weighs
_JUMP = 30                # intervals beyond count as this one; two more: of a rest, and none


class Setting(NamedTuple):
    """A melody and what stands under it, a number a beat: `melody` the pitch over the tonic (UNKNOWN: a rest), `tied`
    1 where it is held over from the beat before, `label` the chord's number, and the symbols (see `symbol`) of
    `bass`, `tenor` and `alto`."""

    melody: Ints
    tied: Ints
    label: Ints
    bass: Ints
    tenor: Ints
    alto: Ints


def symbol(pitch: int, held: bool = False) -> int:
    """The symbol of a part: a pitch over the tonic (UNKNOWN: a rest), struck or held over from the beat before.

    >>> symbol(60), symbol(60, held=True), symbol(UNKNOWN)
    (40, 116, 152)
    """
    if pitch == UNKNOWN:
        return HELD_REST if held else REST
    if not LOWEST <= pitch <= HIGHEST:
        raise ModelError(f"a pitch of a part must lie in {LOWEST}..{HIGHEST}; got {pitch}")
    return pitch - LOWEST + _PITCHES * held


def part_symbols() -> Symbols:
    """All symbols of a part: every pitch struck, every pitch held, a rest, a rest held.

    >>> part_symbols().pitch[symbol(60, held=True)].item()
    60
    """
    pitch = np.append(np.tile(np.arange(LOWEST, HIGHEST + 1), 2), [UNKNOWN, UNKNOWN])
    return Symbols(pitch, np.append(np.repeat([0, 1], _PITCHES), [0, 1]))


SYMBOLS = part_symbols()


def _relations(frame: str, *columns: str) -> list[Relation]:
    return [Relation(tuple(names.split()), frame) for names in columns]


RELATIONS = {
    "label": _relations(
        "", "", "tone tied", "melody tied", "tone label-1 tied", "label-1", "label-1 label-2",
        "label-1 label-2 tone tied", "bass-1:tone tone tied", "label-1 bass-1:held", "tone tone+1 tied",
        "tone tone-1 tied", "tone tone+1 tone+2 tied", "label-1 tone tone+1 tied", "label-1 tone-1 tone tied",
        "bass-1:tone label-1 tone", "left tone", "begun tone", "tied tied+1", "echo", "echo likeness", "left label-1",
        "label-1 label-2 label-3", "melody melody-1 melody+1", "bass-1 melody",
        "alto-1:held tied tenor-1:held bass-1:held"),
    "bass": [
        *_relations("", "", "label", "label tied", "melody"),
        *_relations(CLASS, "label", "label tone tied", "label label-1", "label label-1 tone", "tone tone+1",
                    "label tone tone+1", "bass-1:tone tone"),
        *_relations("bass-1", "", "tied bass-1:held", "label label-1", "label label-1 tied", "step tied",
                    "step melody-1>bass-1"),
        *_relations("melody", "label", "label tone tied", "tone tied"),
        *_relations("alto-1", ""), *_relations("tenor-1", ""), *_relations("bass-2", ""),
        *_relations("bass|melody", "bass^melody"),
        *_relations("echo:bass", "likeness", "echo:bass:held likeness")],
    "tenor": [
        *_relations("", "", "label"),
        *_relations(CLASS, "label", "label bass:tone", "label bass:tone tone", "label tone", "label label-1 bass:tone"),
        *_relations("tenor-1", "", "tied bass:step", "tied bass:step tenor-1:held", "label label-1", "bass:step",
                    "bass:step step", "bass:step tenor-1>bass-1", "step melody-1>tenor-1", "label alto-1>tenor-1",
                    "label tone"),
        *_relations("bass", "", "melody>bass", "label", "label melody>bass", "label tone bass:tone",
                    "tone melody>bass"),
        *_relations("melody", "", "label"), *_relations("alto-1", ""), *_relations("tenor-2", ""),
        *_relations("tenor|melody", "tenor^melody"), *_relations("tenor|bass", "tenor^bass"),
        *_relations("echo:tenor", "likeness", "echo:tenor:held likeness")],
    "alto": [
        *_relations("", "", "label"),
        *_relations(CLASS, "label", "label bass:tone", "label tone", "label tone tenor:tone",
                    "label bass:tone tenor:tone", "tone bass:tone tenor:tone", "label tone bass:tone tenor:tone"),
        *_relations("alto-1", "", "tied bass:step tenor:step", "alto-1:held", "label label-1", "bass:step",
                    "tenor:step", "step", "bass:step alto-1>bass-1", "tenor:step alto-1>tenor-1",
                    "step melody-1>alto-1", "label tone"),
        *_relations("tenor", "", "melody>tenor", "tenor>bass melody>tenor", "label melody>tenor",
                    "label tone tenor:tone"),
        *_relations("melody", "", "label"), *_relations("alto-2", ""),
        *_relations("alto|melody", "alto^melody"), *_relations("alto|bass", "alto^bass"),
        *_relations("alto|tenor", "alto^tenor"),
        *_relations("echo:alto", "likeness", "echo:alto:held likeness")],
}


def facts_of(piece: Setting) -> dict[str, Ints]:
    """What is known at each beat (int64[beats] each), from which the relations take theirs.

    ``tenor-1`` is a beat before and ``melody+1`` a beat after; ``:tone`` a pitch class, ``:held`` how it began, and
    ``:step`` the interval from the beat before; ``melody>bass`` an interval; ``tenor|bass``
    the pitch that keeps the interval to a part that moves, and ``tenor^bass`` the class of that interval.

    >>> lines = [np.array([symbol(pitch), symbol(pitch, held=True)]) for pitch in (48, 55, 64)]
    >>> facts = facts_of(Setting(np.array([72, 74]), np.array([0, 0]), np.array([1, 1]), *lines))
    >>> facts["melody>bass"].tolist(), facts["tenor-1"].tolist()
    ([24, 26], [-2, 55])
    """
    beats = len(piece.melody)
    out: dict[str, Ints] = {"tied": piece.tied, "tied+1": _moved(piece.tied, 1, 2), "label": piece.label,
                            "begun": np.minimum(np.arange(beats), 3),
                            "left": np.minimum(beats - 1 - np.arange(beats), 4)}
    pitches = {"melody": piece.melody} | {name: SYMBOLS.pitch[getattr(piece, name)] for name in PARTS}
    for name, pitch in pitches.items():
        out[name] = pitch
        for lag in (-2, -1, 1, 2) if name == "melody" else (-2, -1):
            out[f"{name}{lag:+d}"] = _moved(pitch, lag, UNKNOWN - 1)
        out[f"{name}:step"] = _interval(pitch, out[f"{name}-1"])
    for where in ("", "-1", "+1", "+2"):
        out[f"tone{where}"] = _tone(out[f"melody{where}"])
    out["step"] = out["melody:step"]
    for lag in (1, 2, 3):
        out[f"label-{lag}"] = _moved(piece.label, -lag, UNKNOWN)
    for name in PARTS:
        out[f"{name}:tone"], out[f"{name}-1:tone"] = _tone(out[name]), _tone(out[f"{name}-1"])
        out[f"{name}-1:held"] = _moved(SYMBOLS.kind[getattr(piece, name)], -1, UNKNOWN)
    for high, low in (("melody", "bass"), ("melody", "tenor"), ("tenor", "bass"), ("melody-1", "bass-1"),
                      ("melody-1", "tenor-1"), ("melody-1", "alto-1"), ("alto-1", "tenor-1"), ("alto-1", "bass-1"),
                      ("tenor-1", "bass-1")):
        out[f"{high}>{low}"] = _interval(out[high], out[low])
    for own, other in (("bass", "melody"), ("tenor", "melody"), ("tenor", "bass"), ("alto", "melody"),
                       ("alto", "bass"), ("alto", "tenor")):
        now, before, last = out[other], out[f"{other}-1"], out[f"{own}-1"]
        moves = (np.minimum(np.minimum(now, before), last) >= 0) & (now != before)
        out[f"{own}|{other}"] = np.where(moves, last + now - before, UNKNOWN)
        out[f"{own}^{other}"] = (last - before) % 12
    echo, out["likeness"] = echo_of(piece)
    heard = echo >= 0
    out["echo"] = np.where(heard, piece.label[echo], UNKNOWN)
    for name in PARTS:
        there = getattr(piece, name)[echo]
        out[f"echo:{name}"] = np.where(heard, SYMBOLS.pitch[there], UNKNOWN)
        out[f"echo:{name}:held"] = np.where(heard, SYMBOLS.kind[there], UNKNOWN)
    return out


def echo_of(piece: Setting) -> tuple[Ints, Ints]:
    """An earlier beat like each one (int64[beats], −1: none), and how like it is (int64[beats], 0: none).

    Both have the same melody here, and near here before or after; of several, the beat is taken around which the
    melody, and before which the harmony, agree longest, and of those the last.

    >>> tune, still = np.array([60, 62, 64, 60, 62, 67]), np.zeros(6, int)
    >>> echo_of(Setting(tune, still, still, still, still, still))[0].tolist()
    [-1, -1, -1, 0, 1, -1]
    """
    beats = len(piece.melody)
    same = (piece.melody[:, None] == piece.melody) & (piece.tied[:, None] == piece.tied)
    agree = (piece.label[:, None] == piece.label) & (piece.bass[:, None] == piece.bass)
    before, after, harmony = (np.zeros((beats + 2, beats + 2), np.int64) for _ in range(3))
    for t in range(beats):
        last = np.arange(beats) - 1
        inside = (last >= 0) & (t > 0)
        before[t, :beats] = np.where(inside & same[t - 1, last], np.minimum(before[t - 1, last] + 1, _NEAR), 0)
        harmony[t, :beats] = np.where(inside & agree[t - 1, last], np.minimum(harmony[t - 1, last] + 1, _NEAR), 0)
    for t in range(beats - 2, -1, -1):
        after[t, :beats - 1] = np.where(same[t + 1, 1:], np.minimum(after[t + 1, 1:beats] + 1, _NEAR), 0)
    around, behind = (before + after)[:beats, :beats], harmony[:beats, :beats]
    fit = np.where(np.tri(beats, k=-1, dtype=bool) & same & (around > 0), around + _AGREEING * behind, -1.0)
    place = beats - 1 - fit[:, ::-1].argmax(axis=1) if beats else np.zeros(0, np.int64)
    rows = np.arange(beats)
    found = fit[rows, place] >= 0
    like = 1 + np.minimum(around[rows, place], 6) // 2 * (_NEAR + 1) + behind[rows, place]
    return np.where(found, place, -1), np.where(found, like, 0)


def _moved(values: Ints, lag: int, missing: int) -> Ints:
    """What stands `lag` beats on, `missing` beyond the ends."""
    out = np.full(len(values), missing, np.int64)
    if abs(lag) < len(values):
        if lag < 0:
            out[-lag:] = values[:lag]
        else:
            out[:len(values) - lag] = values[lag:]
    return out


def _tone(pitch: Ints) -> Ints:
    return np.where(pitch >= 0, pitch % 12, pitch)


def _interval(high: Ints, low: Ints) -> Ints:
    missing = np.where((high <= UNKNOWN - 1) | (low <= UNKNOWN - 1), _JUMP + 2, _JUMP + 1)
    return np.where((high >= 0) & (low >= 0), np.clip(high - low, -_JUMP, _JUMP), missing)


class FourParts:
    """Chords named by one of `labels` numbers, and three parts, under a melody.

    >>> scale = np.array([60, 62, 64, 65, 64, 62, 60, 60])
    >>> lines = [np.array([symbol(int(pitch) - below) for pitch in scale]) for below in (12, 8, 5)]
    >>> piece = Setting(scale, np.zeros(8, int), np.zeros(8, int), *lines)
    >>> model = FourParts(labels=1)
    >>> model.fit([piece, piece])
    >>> bool((model.log_prob(piece) < 0).all())
    True
    """

    def __init__(self, labels: int, lean: float = LEAN, without: str = "") -> None:
        """`without` drops every relation that looks at a column whose name begins so."""
        self.choices = {}
        for name in CHOICES:
            kept = [relation for relation in RELATIONS[name]
                    if not without or not any(n.startswith(without) for n in (*relation.columns, relation.frame))]
            self.choices[name] = Choice(kept, SYMBOLS if name in PARTS else Symbols.labels(labels), lean)

    def fit(self, pieces: Sequence[Setting], rounds: int = 80) -> None:
        """Learn from settings; ModelError where there is none."""
        if not sum(len(piece.melody) for piece in pieces):
            raise ModelError("four parts must be learnt from at least one setting with a beat; got none")
        facts = [facts_of(piece) for piece in pieces]
        columns = {name: np.concatenate([own[name] for own in facts]) for name in facts[0]}
        for name, choice in self.choices.items():
            choice.fit(columns, np.concatenate([getattr(piece, name) for piece in pieces]), rounds)

    def log_prob(self, piece: Setting) -> Floats:
        """float64[beats]: the log-probability of what stands at each beat, given the melody and all before."""
        facts, rows = facts_of(piece), np.arange(len(piece.melody))
        return np.asarray(sum(choice.log_chances(facts)[rows, getattr(piece, name)]
                              for name, choice in self.choices.items()))

    def draw(self, melody: npt.ArrayLike, tied: npt.ArrayLike, rng: np.random.Generator,
             temperature: float = 1.0) -> Setting:
        """A setting of a melody (int[beats], with int[beats] that say where it is held over), drawn beat by beat;
        `temperature` > 0, below 1 sharpens each of the four draws of a beat."""
        own, over = np.asarray(melody, np.int64), np.asarray(tied, np.int64)
        piece = Setting(own, over, *(np.zeros(len(own), np.int64) for _ in CHOICES))       # what is to come is not seen
        for beat in range(len(own)):
            for name, choice in self.choices.items():
                known: Facts = {key: values[beat:beat + 1] for key, values in facts_of(piece).items()}
                weights = np.exp(choice.log_chances(known)[0] / temperature)
                getattr(piece, name)[beat] = draw(weights, rng.random())
        return piece
