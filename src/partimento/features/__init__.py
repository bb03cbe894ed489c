"""Measures of music: pure functions of a Score, or of one track of it, vectorised.

Every measure takes `score` and `track` (an index, or None for the whole piece) and gives None where there is
nothing to measure. Measures of pitch and of sounding time leave drum tracks out; measures of rhythm and velocity
take them in. Places in time are compared on a grid of 12 steps a quarter, so that small deviations of a performance
do not count; nothing depends on tempo or on `ticks_per_quarter`.
"""

from partimento.features.form import groove, likeness_before, repetition, self_similarity
from partimento.features.harmony import chord_changes, chord_tones, consonance, dissonance, heard_chords
from partimento.features.keys import (
    KEY_PROFILES,
    HeardKey,
    find_key,
    heard_key,
    key_strengths,
    rank_keys,
    shift_of,
    written_key_fits,
)
from partimento.features.keys_path import key_path
from partimento.features.meter import beats, metric_levels
from partimento.features.notes import GRID, bar_count, bar_indices, grid_steps, notes_of, pitched
from partimento.features.parts import excerpt
from partimento.features.phrases import phrases
from partimento.features.pitch import (
    chromaticism,
    interval_histogram,
    melodic_step,
    pitch_classes,
    pitch_mean,
    pitch_range,
    pitch_span,
    pitch_variety,
)
from partimento.features.rhythm import (
    NOTE_VALUES,
    articulation,
    bar_onsets,
    density,
    duration_histogram,
    inter_onset_histogram,
    onset_places,
    rhythm_variety,
    swing,
    syncopation,
)
from partimento.features.sections import sections
from partimento.features.table import BAR_MEASURES, by_bar
from partimento.features.texture import note_length, polyphony, rests
from partimento.features.velocity import accent_profile, accents, dynamics, loudness, velocity_range

__all__ = [
    "BAR_MEASURES", "GRID", "KEY_PROFILES", "NOTE_VALUES", "HeardKey", "accent_profile", "accents", "articulation",
    "bar_count", "bar_indices", "bar_onsets", "beats", "by_bar", "chord_changes", "chord_tones", "chromaticism",
    "consonance", "density", "dissonance", "duration_histogram", "dynamics", "excerpt", "find_key", "grid_steps",
    "groove", "heard_chords", "heard_key", "inter_onset_histogram", "interval_histogram", "key_path", "key_strengths",
    "likeness_before", "loudness", "melodic_step", "metric_levels", "note_length", "notes_of", "onset_places",
    "phrases", "pitch_classes", "pitch_mean", "pitch_range", "pitch_span", "pitch_variety", "pitched", "polyphony",
    "rank_keys", "repetition", "rests", "rhythm_variety", "sections", "self_similarity", "shift_of", "swing",
    "syncopation", "velocity_range", "written_key_fits",
]
