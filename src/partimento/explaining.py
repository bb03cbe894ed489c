"""Explaining as one verb: why notes of a piece are there, by the model that made them or another."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from partimento import provenance, theory
from partimento.errors import PartimentoError, RequestError
from partimento.features import heard_key, shift_of
from partimento.formats import DEFAULT_MAX_NOTES
from partimento.frame import span_meant, tracks_meant
from partimento.models.base import FAMILIES, Model, Progress, Reason, Report, family
from partimento.notation.names import name_of
from partimento.score import Score
from partimento.verbs import Music, choose_model, load

UNLIKELY = 0.005        # what has a smaller chance is not named in words


class Explained(NamedTuple):
    """Why one note is there: its place as a page has it, its pitch and length, and what a model says of it."""

    note: int               # its index in the Score
    bar: int                # 1 the first full bar, 0 a pick-up
    beat: float             # from 1, in beats of the meter
    track: str
    pitch: str              # C4; of drums the name of the sound
    quarters: float         # its length
    reason: Reason | None   # None where the model has none for this note

    def as_dict(self) -> dict[str, Any]:
        """The same, JSON-ready."""
        why = self.reason
        told = {"probability": why.probability, "seen": why.seen, "alternatives": dict(why.alternatives)} if why else {}
        return {**self._asdict(), "reason": why.text if why else None, **told}

    @property
    def text(self) -> str:
        """The same in words."""
        place, why = f"bar {self.bar}, beat {self.beat:.3g}, {self.track}", self.reason
        if why is None:
            return f"{place}: {self.pitch}: no reason is known for this note"
        told = [*([why.seen] if why.seen else []), f"chance {_percent(why.probability)}"]
        for word, likelier in (("likelier", True), ("else", False)):
            others = [f"{name} {_percent(chance)}" for name, chance in why.alternatives
                      if (chance > why.probability) == likelier and chance >= UNLIKELY]
            told += [f"{word}: {', '.join(others)}"] if others else []
        return f"{place}: {why.text}\n    " + "; ".join(told)


def explain(music: Music, *, bars: str, tracks: str | tuple[str, ...] = (), model: Model | str = "",
            input_meter: str | None = None, input_downbeat: float | str | None = None,
            max_notes: int = DEFAULT_MAX_NOTES, report: Report | None = None) -> list[Explained]:
    """Return why the notes that begin in some bars of a piece are there, in the order of the page.

    `bars` is a place such as ``3``, ``3-4`` or ``3.2`` (beat 2 of bar 3). `model` is a family or a checkpoint; without
    one it is that which the piece says made it, else the bundled markov model: of any music it says how it would have
    come to these notes. RequestError where the family gives no reasons, or no note begins there.

    >>> tune = Score.from_rows([(480 * i, 480, 60 + i % 5, 80, 0) for i in range(8)])
    >>> explain(tune, bars="2.1")[0].pitch
    'E4'
    """
    score = load(music, input_meter, input_downbeat, max_notes)
    if not (len(score) and score.end):
        raise RequestError("there must be a note to explain; this piece has none that last")
    start, end = span_meant(bars, score)
    names = [name for name in (tracks.split(",") if isinstance(tracks, str) else tracks) if name.strip()]
    wanted = np.isin(score.track, tracks_meant(score, names)) & (score.onset >= start) & (score.onset < end)
    notes = np.flatnonzero(wanted).tolist()
    if not notes:
        raise RequestError(f"there must be a note to explain; none begins in bars {bars} of the tracks asked for")
    used = choose_model(model or _made_by(music)).model
    found: list[Explained] = []
    for done, note in enumerate(notes):
        if report is not None and not report(Progress("explaining", done, len(notes))):
            break
        found.append(_placed(score, note, _reason(used, score, note)))
    if not any(one.reason for one in found):
        raise RequestError(f"a family must give reasons to explain a note, as markov and rules do; the {used.family} "
                           "family gives none here: name another with --model")
    return found


def _placed(score: Score, note: int, reason: Reason | None) -> Explained:
    """The note where a page has it, with its reason."""
    tick, pitch = int(score.onset[note]), int(score.pitch[note])
    track = score.tracks[int(score.track[note])]
    bar = score.bar_number(tick)
    beat = 4 * score.ticks_per_quarter / score.meter_at(tick).denominator
    name = theory.DRUM_NAMES.get(pitch, f"key {pitch}") if track.is_drum else _spelt(score, note, tick, pitch)
    return Explained(note, bar, 1 + (tick - score.bar_span(bar)[0]) / beat,
                     track.name or f"track {int(score.track[note]) + 1}", name,
                     int(score.duration[note]) / score.ticks_per_quarter, reason)


def _spelt(score: Score, note: int, tick: int, pitch: int) -> str:
    """The name of a pitch as the page spells it, else as the key of its place does."""
    if score.spelling is not None and score.spelling[note] >= 0:
        step, alter, octave = name_of(pitch, int(score.spelling[note]))
        return f"{step}{'#' * alter}{'b' * -alter}{octave}"
    written = [(key.fifths, key.mode) for key in score.keys if key.tick <= tick][-1:]
    shift, minor = heard_key(score) or (0, 0)
    fifths, mode = written[0] if written else (shift_of(shift), ("major", "minor")[minor])
    return theory.note_name(pitch, fifths, mode)


def _percent(chance: float) -> str:
    return f"{100 * chance:.0f} %" if chance >= UNLIKELY else "under 1 %"


def _reason(model: Model, score: Score, note: int) -> Reason | None:
    """Why a note is there; two voices in unison are one note to most families, so one of them speaks for the other."""
    same = (score.onset == score.onset[note]) & (score.pitch == score.pitch[note]) & (score.track == score.track[note])
    reasons = (model.explain(score, one) for one in (note, *np.flatnonzero(same).tolist()))
    return next((reason for reason in reasons if reason is not None), None)


def _made_by(music: Music) -> str:
    """The family that a piece says made it, where it gives reasons; else markov."""
    try:
        named = provenance.request_of(music).model
    except PartimentoError:
        return "markov"
    return named if named in FAMILIES and family(named).explain is not Model.explain else "markov"
