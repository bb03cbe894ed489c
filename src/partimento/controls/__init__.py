"""What can be wished of a piece: the table CONTROLS of targets, and the facts of key and chords.

A control is measured by one function, which gives the condition in training, the aim, and the check.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from partimento import features
from partimento.controls.facts import Verdict, chords_hold, key_holds
from partimento.controls.form import form_holds
from partimento.controls.mend import mend_chords, mend_facts, mend_key
from partimento.controls.species import species_holds
from partimento.errors import RequestError, nearest
from partimento.score import Score

__all__ = ["CONTROLS", "Control", "Verdict", "chords_hold", "form_holds", "key_holds", "mend_chords", "mend_facts",
           "mend_key", "parse_target", "species_holds"]

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
# and CC-BY), nottingham and groove, the 101 of freedoom_midi, and 150 each of openscore_lieder, openscore_quartets,
# openewld and open_hymnal.
_ROWS = (
    Control("density", "notes a bar", 1.2, 34, 1.7, "how many notes begin in a bar, each note of a chord counted",
            features.density),
    Control("polyphony", "notes at once", 1, 5.6, 0.34, "how many notes sound at once while any does",
            features.polyphony),
    Control("register", "MIDI pitch", 44, 76, 1.7, "how high it lies: the mean pitch", features.pitch_mean),
    Control("span", "semitones", 12, 65, 3.3, "how far the lowest note is from the highest", features.pitch_span),
    Control("step", "semitones", 1.4, 8.9, 0.7, "how far the upper line moves from one note to the next",
            features.melodic_step),
    Control("note_length", "quarters", 0.33, 3, 0.15, "how long the notes last", features.note_length),
    Control("rests", "share of time", 0, 0.76, 0.05, "how much of the time nothing sounds", features.rests),
    Control("syncopation", "share of onsets", 0, 0.38, 0.044, "how many onsets hold over a stronger place of the bar",
            features.syncopation),
    Control("loudness", "velocity", 71, 116, 2.3, "how loud it is: the mean velocity", features.loudness),
    Control("dynamics", "velocity", 0, 21, 1.6, "how much the velocity varies: its standard deviation",
            features.dynamics),
    Control("repetition", "share", 0.15, 0.91, 0.037, "how much bars repeat bars before them", features.repetition),
    Control("chromaticism", "share of time", 0, 0.23, 0.017, "how much sounds outside the best diatonic scale",
            features.chromaticism),
    Control("pitch_variety", "pitch classes a bar", 1.7, 6.6, 0.59, "how many different pitch classes begin in a bar",
            features.pitch_variety),
    Control("rhythm_variety", "bits", 0.26, 2.9, 0.23, "how varied the times between onsets are: their entropy",
            features.rhythm_variety),
    Control("articulation", "share of the time to the next", 0.67, 1, 0.031,
            "how long notes last of the time to the next: 1 legato, 0.5 staccato", features.articulation),
    Control("swing", "long to short", 0.93, 2.1, 0.036,
            "how long the first of two eighths is to the second: 1 straight, 2 triplets", features.swing),
    Control("accents", "velocity", -2.8, 7.9, 1.8, "how much louder the notes on the beats are than those between",
            features.accents),
    Control("groove", "share", 0.63, 0.99, 0.031, "how much bars repeat the rhythm of bars before them",
            features.groove),
    Control("consonance", "share", 0.22, 1, 0.053, "how much of what sounds together is thirds, sixths, fourths and "
            "fifths", features.consonance),
    Control("chord_changes", "chords a bar", 0.52, 2.1, 0.1, "how often the harmony changes", features.chord_changes),
)
CONTROLS: dict[str, Control] = {row.name: row for row in _ROWS}


def parse_target(text: str) -> tuple[str | None, str, float]:
    """Return (track name or None, control, value) of a wish such as ``density=6`` or ``piano.density=6``.

    A value that real music does not come near (further outside low–high than their distance) or that cannot be (a
    share above 1, anything below 0 of what is never negative) is refused.

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
    bottom = max(0.0, control.low - reach) if control.low >= 0 else control.low - reach
    if not bottom <= value <= top:
        raise RequestError(f"{name} must be near {control.low:g} to {control.high:g} {control.unit}, where real music "
                           f"lies; got {right.strip()!r}")
    return track or None, name, value
