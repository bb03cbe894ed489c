"""Measures of music: pure functions of a Score, or of one track of it, vectorised.

Every measure takes `score` and `track` (an index, or None for the whole piece) and gives None where there is
nothing to measure. Measures of pitch and of sounding time leave drum tracks out; measures of rhythm and velocity
take them in. Places in time are compared on a grid of 12 steps a quarter, so that small deviations of a performance
do not count; nothing depends on tempo or on `ticks_per_quarter`.
"""

from partimento.features.form import repetition
from partimento.features.keys import KEY_PROFILES, heard_key, key_strengths, rank_keys, shift_of, written_key_fits
from partimento.features.notes import GRID, bar_count, bar_indices, grid_steps, notes_of, pitched
from partimento.features.pitch import chromaticism, melodic_step, pitch_classes, pitch_mean, pitch_span, pitch_variety
from partimento.features.rhythm import beats, density, metric_levels, onset_places, rhythm_variety, syncopation
from partimento.features.texture import note_length, polyphony, rests
from partimento.features.velocity import dynamics, loudness

__all__ = [
    "GRID", "KEY_PROFILES", "bar_count", "bar_indices", "beats", "chromaticism", "density", "dynamics",
    "grid_steps", "heard_key", "key_strengths", "loudness", "melodic_step", "metric_levels", "note_length",
    "notes_of", "onset_places", "pitch_classes", "pitch_mean", "pitch_span", "pitch_variety", "pitched",
    "polyphony", "rank_keys", "repetition", "rests", "rhythm_variety", "shift_of", "syncopation",
    "written_key_fits",
]
