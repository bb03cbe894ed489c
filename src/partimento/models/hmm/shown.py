"""What was learnt, in words: tables with the names of states, and why a note is there."""

from __future__ import annotations

from typing import Any

import numpy as np

from partimento import theory
from partimento.counting.hidden import posterior
from partimento.features import heard_key
from partimento.models.base import Reason
from partimento.models.hmm.harmony import QUALITIES, SECTIONS, STATES, chord_name
from partimento.models.hmm.page import DRUMS, ROLE_NAMES, Floats
from partimento.models.hmm.pitch import FIRST_ROW, NAMES, RELATIONS, Seen, pitch_chances
from partimento.models.hmm.rhythm import pattern_name
from partimento.models.hmm.sheet import HarmonySheet, HmmTables
from partimento.models.hmm.write import Pitched

SHOWN = 6                  # of where a state goes, so many at most, the likeliest first
COMMON = 0.002             # a chord with a smaller share of all moves is not shown
_CLASSES = ("1", "b2", "2", "b3", "3", "4", "b5", "5", "#5", "6", "b7", "7")
_WORDS = {"centre": "near the line's centre", "run": "after the same note,", "step": "after", "turn": "after",
          "chord neighbour": "beside", "lowest": "against the lowest sounding",
          "highest": "against the highest sounding", "parallel low": "in parallel with the lowest line at",
          "parallel high": "in parallel with the highest line at", "bar ago": "one bar ago there was",
          "bar ago moved": "as it moved one bar ago:", "ahead": "on the way to", "drum ago": "one bar ago there was"}
_PLAIN = {"register": "where this part plays", "instrument": "where this instrument plays",
          "drum": "at this place in the bar"}


def tables_shown(learnt: HmmTables) -> dict[str, Any]:
    """The chains and emissions with names, JSON-ready."""
    return {"harmony": {mode: _harmony(learnt, i) for i, mode in enumerate(("major", "minor"))},
            "classes": {name or "major": dict(zip(_CLASSES, _rounded(_class_shares(learnt)[q]), strict=True))
                        for q, (name, _) in enumerate(QUALITIES)},
            "rhythm": {ROLE_NAMES[role]: _rhythm(learnt, role) for role in sorted(learnt.patterns)},
            "pitch": {ROLE_NAMES[role]: {name or "major": dict(zip(_CLASSES, _rounded(
                learnt.weights.chord[role * 4, q]), strict=True)) for q, (name, _) in enumerate(QUALITIES)}
                for role in sorted(learnt.patterns) if role != DRUMS}}


def _class_shares(learnt: HmmTables) -> Floats:
    classes = np.exp(learnt.classes[:len(QUALITIES)])
    return np.asarray(classes / classes.sum(axis=1, keepdims=True))


def _harmony(learnt: HmmTables, mode: int) -> dict[str, Any]:
    """The chords of a mode: where they go at the first of a bar inside a phrase, elsewhere in it, and at the end."""
    counts = learnt.harmony.moves.reshape(2, SECTIONS, 3, STATES, STATES)[mode]
    share = counts.sum(axis=(0, 1, 2)) / max(counts.sum(), 1)
    known = [s for s in np.argsort(-share, kind="stable").tolist() if share[s] >= COMMON] or [mode]
    tonic, name = (9, "minor") if mode else (0, "major")
    moves = learnt.chain.moves.reshape(2, SECTIONS, 3, STATES, STATES)[mode]
    kinds = {"on the first of a bar": moves[2, 0], "inside a bar": moves[2, 2], "into the last bar": moves[6, 0]}
    named = {s: chord_name(s, tonic, name) for s in range(STATES)}
    return {"states": [named[s] for s in known], "share": _rounded(share[known]),
            "start": _likeliest(learnt.chain.start[mode], named),
            "moves": {kind: {named[s]: _likeliest(table[s], named) for s in known} for kind, table in kinds.items()}}


def _rhythm(learnt: HmmTables, role: int) -> dict[str, Any]:
    own = learnt.patterns[role]
    named = {s: f"{s}: {pattern_name(own, s, learnt.grid)}" for s in range(len(own.full))}
    return {"states": list(named.values()), "held": _rounded(own.full[:, 0]),
            "onsets": [_rounded(row[:learnt.grid, 0]) for row in own.strikes],
            "start": _likeliest(own.chain.start, named),
            "moves": {"on the first of a bar": {named[s]: _likeliest(own.chain.moves[0, s], named) for s in named},
                      "inside a bar": {named[s]: _likeliest(own.chain.moves[1, s], named) for s in named}}}


def _likeliest(row: Floats, named: dict[int, str]) -> dict[str, float]:
    order = np.argsort(-row, kind="stable")[:SHOWN].tolist()
    return {named[s]: round(float(row[s]), 4) for s in order}


def _rounded(values: Floats) -> list[float]:
    return [round(float(value), 4) for value in values]


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
    words = _spoken(sheet.learnt, wanted.seen, pitch, mixed, state if tonic else -1)
    others = [int(p) for p in np.argsort(-mixed, kind="stable")[:5] if p != pitch and mixed[p] > 0][:4]
    name = _name(own_role == DRUMS)
    text = f"{name(pitch)} in the {ROLE_NAMES[own_role]}{over}{': ' if words else ''}{'; '.join(words)}; " \
           f"probability {mixed[pitch]:.2f}"
    return Reason(text, float(mixed[pitch]), f"of {len(each)} chords that could stand here" if tonic else "",
                  tuple((name(p), float(mixed[p])) for p in others))


def _name(drums: bool) -> Any:
    return (lambda p: theory.DRUM_NAMES.get(p, str(p))) if drums else theory.pitch_name


def _spoken(learnt: HmmTables, seen: Seen, pitch: int, mixed: Floats, state: int) -> list[str]:
    """The relations that spoke most for the pitch, against what they say of all pitches, in words."""
    weights, name = learnt.weights, _name(seen.tonic < 0)
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
