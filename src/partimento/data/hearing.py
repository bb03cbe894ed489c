"""What a musician would say of a piece: its key and where it goes, its chords, plan, phrases, rhythm and loudness."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from partimento import features, theory
from partimento.score import Score

CLEAR, WEAK = 0.5, 0.2      # strengths of a key from which on it is clear, below which it is a guess
SHOWN_BARS, SHOWN_KEYS = 16, 8
DYNAMICS = ((20, "ppp"), (36, "pp"), (52, "p"), (68, "mp"), (84, "mf"), (100, "f"), (116, "ff"), (128, "fff"))


def hearing(score: Score) -> dict[str, Any]:
    """What is heard in a Score, JSON-ready: key, chords (a list a bar), plan, phrases, rhythm and so on.

    What cannot be heard, as the key of drums alone, is left out.

    >>> hearing(Score())
    {}
    """
    if not len(score):
        return {}
    out: dict[str, Any] = {}
    key = features.find_key(score)
    if key is not None:
        out["key"] = {"name": theory.key_name(*key.key), "strength": round(key.strength, 3),
                      "second": theory.key_name(*key.second)}
        out["keys"] = [{"bar": score.bar_number(tick), "key": theory.key_name(*name)}
                       for tick, name in features.key_path(score)]
        out["chords"] = _chords(score)
    plan = features.sections(score)
    if plan:
        starts = score.bar_starts.tolist()
        out["plan"] = [{"section": s.name, "bars": [score.bar_number(starts[bar]) for bar in (s.first, s.last - 1)]}
                       for s in plan]
    phrases = features.phrases(score)
    if phrases:
        out["phrases"] = [{"bars": [score.bar_number(begin), score.bar_number(max(begin, end - 1))]}
                          for begin, end in phrases]
    out["rhythm"] = _rhythm(score)
    low, high = np.quantile(score.velocity, (0.05, 0.95))
    accents = features.accents(score)
    out["dynamics"] = {"mean": round(float(score.velocity.mean()), 1), "low": float(low), "high": float(high),
                       **({} if accents is None else {"accents": round(accents, 3)})}
    return out


def _chords(score: Score) -> list[list[str]]:
    """The chords of every bar; a bar that begins under the chord before it says it again."""
    bars: list[list[str]] = [[] for _ in range(score.n_bars)]
    heard = features.heard_chords(score)
    starts = score.bar_starts[:-1]
    for chord, following in pairwise([*heard, None]):
        assert chord is not None
        first = int(np.searchsorted(starts, chord.tick, side="right")) - 1
        end = following.tick if following else score.end
        for bar in range(first, min(int(np.searchsorted(starts, max(end, chord.tick + 1))), score.n_bars)):
            if not bars[bar] or bars[bar][-1] != chord.symbol:
                bars[bar].append(chord.symbol)
    return bars


def _rhythm(score: Score) -> dict[str, Any]:
    measured = {"syncopation": features.syncopation(score), "swing": features.swing(score),
                "notes_a_bar": features.density(score), "repetition": features.repetition(score)}
    places = features.onset_places(score, steps_per_quarter=4)
    ranked = [i for i in np.argsort(-places, kind="stable").tolist() if places[i] > 0][:3]
    return {**{name: round(float(value), 3) for name, value in measured.items() if value is not None},
            "busiest": [round(i / 4 + 1, 2) for i in sorted(ranked)]}


# --- in words ----------------------------------------------------------------------------------------------------


def hearing_text(found: Mapping[str, Any]) -> list[str]:
    """What `hearing` found, a line each.

    >>> hearing_text({"plan": [{"section": "A", "bars": [1, 8]}, {"section": "B", "bars": [9, 16]}]})
    ['plan: A 1–8, B 9–16']
    """
    lines = [_key_words(found), _chord_words(found), _plan_words(found), _phrase_words(found), _rhythm_words(found),
             _dynamic_words(found)]
    return [line for line in lines if line]


def _key_words(found: Mapping[str, Any]) -> str:
    key = found.get("key")
    if not key:
        return ""
    strength = key["strength"]
    sure = "clear" if strength >= CLEAR else f"or {key['second']}" if strength < WEAK else f"{key['second']} is near"
    moves = [f"{entry['key']} from bar {entry['bar']}" for entry in found["keys"][1:]]
    more = [f"and {len(moves) - SHOWN_KEYS} more changes"] if len(moves) > SHOWN_KEYS else []
    first = found["keys"][0]["key"]
    begins = f"; begins in {first}" if first != key["name"] and moves else ""
    return f"key heard: {key['name']} ({sure}){begins}{''.join(f'; {move}' for move in [*moves[:SHOWN_KEYS], *more])}"


def _chord_words(found: Mapping[str, Any]) -> str:
    bars = found.get("chords")
    if not bars:
        return ""
    shown = [" ".join(bar) or "–" for bar in bars[:SHOWN_BARS]]
    return f"chords heard: | {' | '.join(shown)} |{' …' if len(bars) > SHOWN_BARS else ''}"


def _plan_words(found: Mapping[str, Any]) -> str:
    plan = found.get("plan")
    return "plan: " + ", ".join(f"{s['section']} {_span(s['bars'])}" for s in plan) if plan else ""


def _span(bars: list[int]) -> str:
    return str(bars[0]) if bars[0] == bars[1] else f"{bars[0]}–{bars[1]}"


def _phrase_words(found: Mapping[str, Any]) -> str:
    phrases = found.get("phrases")
    if not phrases or len(phrases) < 2:
        return ""
    bars = phrases[-1]["bars"][1] - phrases[0]["bars"][0] + 1
    return f"phrases: {len(phrases)}, of {bars / len(phrases):.2g} bars on average"


def _rhythm_words(found: Mapping[str, Any]) -> str:
    rhythm = found.get("rhythm")
    if not rhythm:
        return ""
    words = [f"{rhythm['notes_a_bar']:.3g} notes a bar"] if "notes_a_bar" in rhythm else []
    if "swing" in rhythm:
        ratio = rhythm["swing"]
        words.append("straight" if ratio < 1.15 else f"{'light ' if ratio < 1.4 else ''}swing ({ratio:.2f} : 1)")
    if "syncopation" in rhythm:
        share = rhythm["syncopation"]
        words.append(f"{'hardly ' if share < .05 else 'much ' if share > .25 else ''}syncopated ({100 * share:.0f} %)")
    if rhythm["busiest"]:
        words.append("most notes on " + ", ".join(f"{place:g}" for place in rhythm["busiest"]))
    if "repetition" in rhythm:
        words.append(f"bars repeat earlier ones by {100 * rhythm['repetition']:.0f} %")
    return "rhythm: " + ", ".join(words)


def _dynamic_words(found: Mapping[str, Any]) -> str:
    dynamics = found.get("dynamics")
    if not dynamics:
        return ""
    low, mean, high = (_sign(dynamics[name]) for name in ("low", "mean", "high"))
    span = f"{low} to {high}, {mean} on average" if low != high else f"{mean} throughout"
    return f"loudness: {span} (velocity {dynamics['low']:g} to {dynamics['high']:g})"


def _sign(velocity: float) -> str:
    return next(name for top, name in DYNAMICS if velocity < top)
