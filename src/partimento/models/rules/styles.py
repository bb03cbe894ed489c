"""Styles as tables: which one suits a frame, and which role each track has in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from partimento import theory
from partimento.errors import ModelError, nearest
from partimento.models.base import Rng
from partimento.models.rules.sketch import rules_table
from partimento.request import Request
from partimento.sampling import draw
from partimento.score import Score, Track

KEYS = frozenset([*range(9), *range(16, 21)])
PLUCKED = frozenset([*range(24, 32), 45, 46, *range(104, 109), 15])
PADS = frozenset([*range(48, 53), *range(88, 96), 54])
BASSES = frozenset([*range(32, 40), 43, 47, 58, 42, 57, 67, 70])
VOICE_WORDS = {"soprano": "lead", "melody": "lead", "vocal": "lead", "vocals": "lead", "lead": "lead", "alto": "upper",
               "baritone": "lower", "bass": "bass", "pad": "pad", "pads": "pad", "chords": "chords"}
SOME = 8                # notes that say whether a piece swings
HEAT = 0.7              # of the costs, where nothing else is asked
PITCHED = ("lead", "keyboard", "bass", "chords", "pad", "upper", "lower")      # the order in which parts are written


def style_named(name: str) -> dict[str, Any]:
    """Return the table of a style; ModelError with the nearest name where there is none.

    >>> style_named("waltz")["meters"]
    {'3/4': 1}
    """
    styles = rules_table("styles")
    if name not in styles:
        raise ModelError(nearest(name, [*styles, "auto"], "style"))
    return dict(styles[name])


def track_roles(tracks: Sequence[Track]) -> list[str]:
    """Return the role of every track, by name and instrument: ``lead``, ``keyboard`` (lead and chords in one part),
    ``bass``, ``chords``, ``pad``, ``upper`` and ``lower`` (inner voices), ``drums``.

    >>> track_roles(theory.parse_tracks("violin,piano,bass,drums"))
    ['lead', 'chords', 'bass', 'drums']
    >>> track_roles(theory.parse_tracks("piano"))
    ['keyboard']
    """
    roles = ["drums" if track.is_drum else "" for track in tracks]
    pitched = [i for i, track in enumerate(tracks) if not track.is_drum]
    for i in pitched:
        words = tracks[i].name.lower().split()
        named = [VOICE_WORDS[w] for w in words if w in VOICE_WORDS]
        if words[:1] == ["tenor"] and len(words) == 1:
            named = ["lower"]
        if named and not (named[0] == "lead" and "lead" in roles) and not (named[0] == "bass" and "bass" in roles):
            roles[i] = named[0]
    if len(pitched) == 1 and roles[pitched[0]] in ("", "lead", "chords"):
        many = tracks[pitched[0]].program in KEYS | PLUCKED | PADS
        roles[pitched[0]] = "keyboard" if many else roles[pitched[0]] or "lead"
        return roles
    free = [i for i in pitched if not roles[i]]
    if "bass" not in roles:
        low = [i for i in free if tracks[i].program in BASSES]
        if low and (len(pitched) > 1):
            roles[low[-1]] = "bass"
    free = [i for i in free if not roles[i]]
    if "lead" not in roles and free:
        singing = [i for i in free if tracks[i].program not in KEYS | PLUCKED | PADS]
        first = singing[0] if singing else free[0]
        alone = not singing and tracks[first].program in KEYS
        roles[first] = "keyboard" if alone and sum(not roles[i] for i in pitched) <= 2 else "lead"
    for i in pitched:
        if not roles[i]:
            program = tracks[i].program
            roles[i] = ("pad" if program in PADS else "chords" if program in KEYS | PLUCKED or 80 <= program < 88
                        else "upper" if "upper" not in roles else "lower")
    if "lead" not in roles and "keyboard" not in roles:
        others = [i for i in pitched if roles[i] in ("pad", "chords", "upper")]
        if others:
            roles[others[0]] = "lead"
    return roles


def style_for(score: Score, request: Request, rng: Rng) -> str:
    """Return the style that suits the tracks, the meter and the tempo of a frame; drawn where several do as well.

    The notes of the score, where it has a few, say whether it swings.
    """
    place = score.onset % score.ticks_per_quarter / score.ticks_per_quarter
    late, half = int(((place > 0.55) & (place < 0.7)).sum()), int(((place > 0.45) & (place <= 0.55)).sum())
    swings = None if len(score) < SOME else late > half
    meter = score.meter_at(0)
    written = f"{meter.numerator}/{meter.denominator}"
    bpm = score.tempo_at(0).bpm
    drums = any(track.is_drum for track in score.tracks)
    programs = sorted(track.program for track in score.tracks if not track.is_drum)
    styles = rules_table("styles")
    names, weights = [], []
    for name in styles:
        style = styles[name]
        fit = 1.0 * style["weight"]
        fit *= 3.0 if written in style["meters"] else 0.02
        low, high = style["tempo"]
        away = max(low / bpm, bpm / high, 1.0)
        fit *= max(1.0 - 1.6 * (away - 1.0), 0.03)
        fit *= max(_likeness(band, programs, drums) for band in style["bands"])
        if drums and not style["drums"]:
            fit *= 0.05
        if swings is not None and bool(style["swing"]) != swings:
            fit *= 0.02
        names.append(name)
        weights.append(fit)
    best = max(weights)
    weights = [w if w > best / 8 else 0.0 for w in weights]
    return names[draw(weights, rng.random())]


def _likeness(band: Sequence[str], programs: Sequence[int], drums: bool) -> float:
    tracks = theory.parse_tracks(tuple(band))
    own = sorted(track.program for track in tracks if not track.is_drum)
    if own == list(programs):
        return 10.0 if drums == any(track.is_drum for track in tracks) else 4.0
    shared = len(set(own) & set(programs))
    return 0.5 + 1.2 * shared / max(len(set(own) | set(programs)), 1)


def suggested_request(request: Request, style_name: str, rng: Rng) -> Request:
    """Return the request with meter, tempo, key and tracks filled in as a style has them (``auto``: a style is drawn).

    What is asked already says which styles are drawn from.
    """
    styles = rules_table("styles")
    draws = [rng.random() for _ in range(6)]
    if request.verb != "compose":
        return request if request.temperature is not None else request.replace(temperature=HEAT)
    if style_name == "auto":
        names = [n for n in styles if request.meter in (None, *styles[n]["meters"])] or list(styles)
        weights = []
        for name in names:
            style, weight = styles[name], styles[name]["weight"]
            if request.tempo is not None and not style["tempo"][0] <= request.tempo <= style["tempo"][1]:
                weight *= 0.05
            if request.tracks:
                tracks = theory.parse_tracks(request.tracks)
                weight *= max(_likeness(b, sorted(t.program for t in tracks if not t.is_drum),
                                        any(t.is_drum for t in tracks)) for b in style["bands"])
            if request.key is not None:
                weight *= style["modes"].get(theory.parse_key(request.key).mode, 0.02)
            weights.append(weight)
        best = max(weights)
        style = styles[names[draw([w if w > best / 8 else 0.0 for w in weights], draws[0])]]
    else:
        style = style_named(style_name)
    changes: dict[str, Any] = {}
    if request.bars is None:
        changes["bars"] = 16
    if request.meter is None:
        changes["meter"] = _one(style["meters"], draws[1])
    if request.tempo is None:
        low, high = style["tempo"]
        changes["tempo"] = float(round(low + (high - low) * draws[2]))
    if not request.tracks:
        changes["tracks"] = tuple(t.name for t in theory.parse_tracks(tuple(style["bands"][int(
            draws[3] * len(style["bands"]))])))
    if request.key is None and request.chords is None:
        mode = _one(style["modes"], draws[4])
        tonics = {0: 3, 7: 3, 2: 3, 5: 3, 10: 2, 9: 1.5, 4: 1, 3: 1} if mode == "major" else {9: 3, 4: 2, 2: 3, 7: 2,
                                                                                           0: 2, 11: 1, 6: 0.7, 5: 1}
        order = list(tonics)
        changes["key"] = theory.key_name(order[draw([tonics[t] for t in order], draws[5])], mode)
    if request.temperature is None:
        changes["temperature"] = HEAT
    return request.replace(**changes)


def _one(weights: Mapping[str, float], uniform: float) -> str:
    names = list(weights)
    return names[draw([weights[name] for name in names], uniform)]
