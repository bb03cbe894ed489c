"""The measures of every bar at once."""

from __future__ import annotations

from partimento.features.form import likeness_before
from partimento.features.harmony import consonance
from partimento.features.notes import FloatArray
from partimento.features.parts import PartMeasure, Parts
from partimento.features.pitch import chromaticism, melodic_step, pitch_mean, pitch_span, pitch_variety
from partimento.features.rhythm import articulation, density, rhythm_variety, swing, syncopation
from partimento.features.texture import note_length, polyphony, rests
from partimento.features.velocity import accents, dynamics, loudness
from partimento.score import Score

# The measures that say something of a single bar, by the names that the controls have.
BAR_MEASURES: dict[str, PartMeasure] = {
    "density": density, "polyphony": polyphony, "register": pitch_mean, "span": pitch_span, "step": melodic_step,
    "note_length": note_length, "articulation": articulation, "rests": rests, "syncopation": syncopation,
    "swing": swing, "loudness": loudness, "dynamics": dynamics, "accents": accents, "chromaticism": chromaticism,
    "pitch_variety": pitch_variety, "rhythm_variety": rhythm_variety, "consonance": consonance,
}
# Of these a bar has also what rings into it from before; the others measure what begins in it.
SOUNDING = ("polyphony", "rests", "chromaticism", "consonance")


def by_bar(score: Score, track: int | None = None) -> dict[str, FloatArray]:
    """Return float64[n_bars] of each measure by name, NaN where nothing can be measured.

    Each value is the measure of that bar cut out by itself (`excerpt`): notes end with the bar, and those that ring in
    from before count in polyphony, rests, chromaticism and consonance only. `repetition` and `groove` are the likeness
    to the bar, of the 16 before, that it is most like.

    >>> s = Score(onset=[0, 960, 1920], duration=[480] * 3, pitch=[60, 64, 67], velocity=[80] * 3, track=[0] * 3)
    >>> by_bar(s)["register"].tolist()
    [62.0, 67.0]
    """
    parts = Parts.bars(score, track)
    found = {name: measure.each(parts) if parts.count else parts.lengths for name, measure in BAR_MEASURES.items()}
    return {**found, "repetition": likeness_before(score, track), "groove": likeness_before(score, track, rhythm=True)}
