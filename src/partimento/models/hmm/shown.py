"""What was learnt, in words: tables with the names of states, and why a note is there."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from partimento import theory
from partimento.counting.hidden import posterior
from partimento.features import heard_key
from partimento.models.base import Reason, Table
from partimento.models.hmm.harmony import QUALITIES, SECTIONS, STATES, chord_name
from partimento.models.hmm.page import DRUMS, ROLE_NAMES, Floats
from partimento.models.hmm.pitch import FIRST_ROW, NAMES, RELATIONS, Seen, pitch_chances
from partimento.models.hmm.rhythm import Patterns, pattern_name
from partimento.models.hmm.sheet import HarmonySheet, HmmTables
from partimento.models.hmm.write import Pitched

COMMON = 0.004             # a chord with a smaller share of all moves is not shown by itself
MOST_STATES = 16           # chords of a mode that are shown at most
_CLASSES = ("1", "b2", "2", "b3", "3", "4", "b5", "5", "#5", "6", "b7", "7")
_WORDS = {"centre": "near the line's centre", "run": "after the same note,", "step": "after", "turn": "after",
          "chord neighbour": "beside", "lowest": "against the lowest sounding",
          "highest": "against the highest sounding", "parallel low": "in parallel with the lowest line at",
          "parallel high": "in parallel with the highest line at", "bar ago": "one bar ago there was",
          "bar ago moved": "as it moved one bar ago:", "ahead": "on the way to", "drum ago": "one bar ago there was"}
_PLAIN = {"register": "where this part plays", "instrument": "where this instrument plays",
          "drum": "at this place in the bar"}


def tables_shown(learnt: HmmTables) -> list[Table]:
    """The chains, P(state | state before), and what the states say, P(seen | state), with names.

    Of harmony: the chords of each mode in C major and A minor (what is rare is one column), what sounds in a chord of
    each quality; of each role: its rhythm patterns, and the weights of chord tones.
    """
    found = [table for mode in (0, 1) for table in _harmony(learnt, mode)]
    found.append(_table("classes", "the share of the time that each degree over the root sounds in a chord of each "
                        "quality", [name or "major" for name, _ in QUALITIES], _CLASSES, _class_shares(learnt), "chord",
                        "degree"))
    for role, own in sorted(learnt.patterns.items()):
        found += _rhythm(own, ROLE_NAMES[role], learnt.grid)
        if role != DRUMS:
            found.append(_table(f"chord tones of the {ROLE_NAMES[role]}",
                                "what being each degree of the chord adds to the log-weight of a pitch on the first of "
                                "a bar", [name or "major" for name, _ in QUALITIES], _CLASSES,
                                learnt.weights.chord[role * 4], "chord", "degree", "number"))
    return found


def _class_shares(learnt: HmmTables) -> Floats:
    classes = np.exp(learnt.classes[:len(QUALITIES)])
    return np.asarray(classes / classes.sum(axis=1, keepdims=True))


def _harmony(learnt: HmmTables, mode: int) -> list[Table]:
    """The chords of a mode: where they go at the first of a bar inside a phrase, elsewhere in it, and at the end."""
    counts = learnt.harmony.moves.reshape(2, SECTIONS, 3, STATES, STATES)[mode]
    share = counts.sum(axis=(0, 1, 2)) / max(counts.sum(), 1)
    known = sorted([s for s in np.argsort(-share, kind="stable").tolist() if share[s] >= COMMON][:MOST_STATES])
    if not known:
        return []
    tonic, name = (9, "minor") if mode else (0, "major")
    moves = learnt.chain.moves.reshape(2, SECTIONS, 3, STATES, STATES)[mode]
    names = [chord_name(s, tonic, name) for s in known]
    out = []
    for kind, where, section, place in (
            ("on the first of a bar", " in the second bar of four", 2, 0),
            ("inside a bar", " in the second bar of four", 2, 2), ("into the last bar", "", 6, 0)):
        table = moves[section, place][known]
        table = np.concatenate([table[:, known], 1 - table[:, known].sum(axis=1, keepdims=True)], axis=1)
        seen = counts[section, place][known].sum(axis=1)
        out.append(_table(f"chords in {name}, {kind}",
                          f"the chance of each chord at a beat{where} after each at the beat before, written in "
                          f"{('C major', 'A minor')[mode]}; what was seldom met leans on wider tables", names,
                          [*names, "others"], table, "after", "comes", seen=seen))
    return out


def _rhythm(own: Patterns, role: str, grid: int) -> list[Table]:
    named = [f"{s}: {pattern_name(own, s, grid)}" for s in range(len(own.full))]
    numbers = [str(s) for s in range(len(named))]
    places = [str(Fraction(i, grid)) for i in range(grid)]
    says = np.concatenate([own.strikes[:, :grid, 0], own.full[:, :1]], axis=1)
    return [_table(f"patterns of the {role}",
                   "the chance that a note begins at each place in a beat (in quarters) in each state, where nothing "
                   "is known of the beats before; and that a note lasts to the next one", named, [*places, "held"],
                   says, "state", "place", "chance"),
            *(_table(f"patterns of the {role}, {kind}", "the chance of each pattern in a beat after each in the beat "
                     "before", named, numbers, own.chain.moves[entry], "after", "comes")
              for entry, kind in enumerate(("on the first of a bar", "inside a bar")))]


def _table(name: str, about: str, rows: Sequence[str], columns: Sequence[str], values: Floats, down: str, across: str,
           kind: Literal["distribution", "chance", "number"] = "distribution", seen: Floats | None = None) -> Table:
    return Table(name, about, tuple(rows), tuple(columns), tuple(tuple(row) for row in values.tolist()), kind, down,
                 across, () if seen is None else tuple(round(n) for n in seen.tolist()))


# --- why a note is there ---------------------------------------------------------------------------------------------


def note_reason(sheet: HarmonySheet, note: int) -> Reason | None:
    """The Reason of one note of a sheet all of which is weighed."""
    found = np.flatnonzero(sheet.index == note)
    if not len(found):
        return None
    track, pitch = int(sheet.content.track[found[0]]), int(sheet.content.pitch[found[0]])
    step = min(int(sheet.content.onset[found[0]]), sheet.page.steps - 1)
    key = sheet.key if sheet.key_known else heard_key(sheet.score) or (0, 0)
    chain, kept, inputs, keys = sheet.harmony(key)
    pitched, wanted, own_role = list[Pitched](), None, 0
    for part, role in sheet.parts(sheet.kept):
        given = sheet.given(part)
        struck = part.standing.copy()
        struck[given.onset] = True
        _, own = part.weigh_pitches(sheet.learnt.habits(role), struck, given, keys)
        if part.track == track:
            wanted = next((one for one in own if one.pitch == pitch and one.step == step), None)
            own_role = part.role
        pitched += own
        sheet.stand = type(sheet.stand).joined([sheet.stand, sheet.content.where(sheet.content.track == part.track)])
    if wanted is None:
        return None
    evidence = kept + sheet.pitch_evidence([one for one in pitched if one is not wanted], None)
    likely = posterior(chain, evidence, [len(evidence)], inputs, logs=True).states[wanted.beat]
    weights = sheet.learnt.weights
    each = {s: pitch_chances(weights, wanted.seen, wanted.legal, s) for s in np.flatnonzero(likely > 1e-4).tolist()}
    total = sum(likely[s] for s in each)
    mixed = np.asarray(sum(likely[s] / total * row for s, row in each.items()))
    state = int(likely.argmax())
    tonic = theory.parse_key(theory.key_name(wanted.seen.tonic, ("major", "minor")[int(keys[1][wanted.beat])])) \
        if wanted.seen.tonic >= 0 else None
    over = f" over {chord_name(state, tonic.tonic, tonic.mode)} (probability {likely[state]:.2f})" if tonic else ""
    words = _spoken(sheet.learnt, wanted.seen, pitch, mixed, state if tonic else -1, tonic)
    others = [int(p) for p in np.argsort(-mixed, kind="stable")[:5] if p != pitch and mixed[p] > 0][:4]
    name = _name(own_role == DRUMS, tonic)
    text = f"{name(pitch)} in the {ROLE_NAMES[own_role]}{over}{': ' if words else ''}{'; '.join(words)}"
    seen = f"of {len(each)} chords that could stand here" if tonic and len(each) > 1 else ""
    return Reason(text, float(mixed[pitch]), seen,
                  tuple((name(p), float(mixed[p])) for p in others))


def _name(drums: bool, key: theory.KeyName | None = None) -> Any:
    """What names a pitch: a drum, or as it is spelt in a key."""
    if drums:
        return lambda p: theory.DRUM_NAMES.get(p, f"key {p}")
    return lambda p: theory.note_name(p, theory.fifths(*key), key.mode) if key else theory.pitch_name(p)


def _spoken(learnt: HmmTables, seen: Seen, pitch: int, mixed: Floats, state: int,
            key: theory.KeyName | None) -> list[str]:
    """The relations that spoke most for the pitch, against what they say of all pitches, in words."""
    weights, name = learnt.weights, _name(seen.tonic < 0, key)
    said: list[tuple[float, str]] = []
    for row, ref in zip(seen.rows, seen.refs, strict=True):
        own = weights.relation[row, 128 - ref:256 - ref]
        kind = next(n for n in reversed(NAMES) if row >= FIRST_ROW[n])
        gain = float(own[pitch] - own @ mixed)
        said.append((gain, _PLAIN.get(kind) or f"{_WORDS[kind]} {name(ref)}"))
    if seen.tonic >= 0:
        classes = np.arange(128) % 12
        own = weights.scale[seen.scale][(classes - seen.tonic) % 12]
        degree = _CLASSES[(pitch - seen.tonic) % 12]
        said.append((float(own[pitch] - own @ mixed), f"degree {degree} of the key"))
        if state >= 0:
            root, quality = divmod(state, len(QUALITIES))
            own = weights.chord[seen.strong, quality][(classes - root - seen.tonic) % 12]
            step = (pitch - root - seen.tonic) % 12
            said.append((float(own[pitch] - own @ mixed), f"{_CLASSES[step]} of the chord"))
    said.sort(key=lambda one: -one[0])
    return [words for gain, words in said if gain > 0.1][:3]


assert set(_WORDS) | set(_PLAIN) == set(RELATIONS)
