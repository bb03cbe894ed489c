"""What can be wished of a piece: the table CONTROLS of targets, and the facts of key and chords.

A control is measured by one function, which gives the condition in training, the aim, and the check.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from partimento import features
from partimento.controls.facts import Verdict, chords_hold, key_holds
from partimento.controls.mend import mend_chords, mend_facts, mend_key
from partimento.errors import RequestError, nearest
from partimento.score import Score

__all__ = ["CONTROLS", "Control", "Verdict", "chords_hold", "key_holds", "mend_chords", "mend_facts", "mend_key",
           "parse_target"]

Measure = Callable[[Score, "int | None"], "float | None"]


class Control(NamedTuple):
    """One row of the table: what is measured, in which unit, how far real music goes, and what counts as met.

    `low` and `high` hold 90 % of real music; `tolerance` is how far from the wish still meets it. `measure(score,
    track)` is None where there is nothing to measure; track None is the whole piece.
    """

    name: str
    unit: str
    low: float
    high: float
    tolerance: float
    meaning: str
    measure: Measure


# low, high and tolerance were learnt by bench/controls.py from 400 pieces each of pop909, mutopia_midi (public domain
# and CC-BY) and nottingham, and the 101 of freedoom_midi.
_ROWS = (
    Control("density", "notes a bar", 0.8, 43, 1.7, "how many notes begin in a bar, each note of a chord counted",
            features.density),
    Control("polyphony", "notes at once", 1, 5.8, 0.34, "how many notes sound at once while any does",
            features.polyphony),
    Control("register", "MIDI pitch", 43, 77, 1.8, "how high it lies: the mean pitch", features.pitch_mean),
    Control("span", "semitones", 12, 65, 3.4, "how far the lowest note is from the highest", features.pitch_span),
    Control("step", "semitones", 1.2, 9.2, 0.7, "how far the upper line moves from one note to the next",
            features.melodic_step),
    Control("note_length", "quarters", 0.3, 3.4, 0.13, "how long the notes last", features.note_length),
    Control("rests", "share of time", 0, 0.83, 0.05, "how much of the time nothing sounds", features.rests),
    Control("syncopation", "share of onsets", 0, 0.51, 0.04, "how many onsets hold over a stronger place of the bar",
            features.syncopation),
    Control("loudness", "velocity", 71, 116, 2.3, "how loud it is: the mean velocity", features.loudness),
    Control("dynamics", "velocity", 0, 21, 1.6, "how much the velocity varies: its standard deviation",
            features.dynamics),
    Control("repetition", "share", 0.14, 0.92, 0.04, "how much bars repeat bars before them", features.repetition),
    Control("chromaticism", "share of time", 0, 0.19, 0.014, "how much sounds outside the best diatonic scale",
            features.chromaticism),
    Control("pitch_variety", "pitch classes a bar", 1.6, 6.7, 0.57, "how many different pitch classes begin in a bar",
            features.pitch_variety),
    Control("rhythm_variety", "bits", 0.19, 2.9, 0.22, "how varied the times between onsets are: their entropy",
            features.rhythm_variety),
)
CONTROLS: dict[str, Control] = {row.name: row for row in _ROWS}


def parse_target(text: str) -> tuple[str | None, str, float]:
    """Return (track name or None, control, value) of a wish such as ``density=6`` or ``piano.density=6``.

    A value that real music does not come near (further outside low–high than their distance) or that cannot be (a
    share above 1, anything below 0) is refused.

    >>> parse_target("piano.density=6")
    ('piano', 'density', 6.0)
    """
    left, equals, right = text.rpartition("=")
    if not equals or not left.strip():
        raise RequestError(f"a target must be name=value or track.name=value; got {text!r}: write for example "
                           "'density=6'")
    track, _, name = (part.strip() for part in left.rpartition("."))
    if name not in CONTROLS:
        raise RequestError(nearest(name, CONTROLS, "control"))
    control = CONTROLS[name]
    try:
        value = float(right)
    except ValueError:
        value = math.nan
    reach = control.high - control.low
    top = min(control.high + reach, 1.0 if control.unit.startswith("share") else math.inf)
    if not max(0.0, control.low - reach) <= value <= top:
        raise RequestError(f"{name} must be near {control.low:g} to {control.high:g} {control.unit}, where real music "
                           f"lies; got {right.strip()!r}")
    return track or None, name, value
