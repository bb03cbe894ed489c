"""The hidden chain of harmony: one chord a beat for the whole page, counted where chords are written or heard.

A state is a root (semitones over the tonic) and a quality. Which table leads into a beat depends on its place in the
bar, on where in the piece the bar lies (beginning, phrase, cadence, end) and on the mode. What stands on the page
speaks for the chords through its pitch classes, each as long as it sounds; a written chord is the state.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from partimento import theory
from partimento.counting.hidden import Chain
from partimento.features import heard_chords
from partimento.features.harmony_beats import beat_view
from partimento.models.hmm.page import Floats, Ints, PageGrid, tonic_of
from partimento.score import Chord, Score

QUALITIES = (("", (0, 4, 7)), ("m", (0, 3, 7)), ("7", (0, 4, 7, 10)), ("m7", (0, 3, 7, 10)), ("dim", (0, 3, 6)))
STATES = 12 * len(QUALITIES)
PLACES, SECTIONS, MODES = 3, 7, 2
TABLES = PLACES * SECTIONS * MODES
NONE = -1
LEAST = 1e-4               # the chance of any move at least, over all states
TRUST = 4.0                # how many sightings weigh as much as the wider table


class Counts(NamedTuple):
    """What is counted: `moves` [table, state before, state], `starts` [mode, state], `classes` [quality, 12]."""

    moves: Floats
    starts: Floats
    classes: Floats

    @classmethod
    def none(cls) -> Counts:
        """Nothing counted yet."""
        return cls(np.zeros((TABLES, STATES, STATES)), np.zeros((MODES, STATES)), np.zeros((len(QUALITIES), 12)))


def chord_states(page: PageGrid, chords: tuple[Chord, ...], tonic: Ints) -> Ints:
    """The state of each beat that chord symbols say (int64[beats]), −1 where they say none."""
    out = np.full(page.beats, NONE, np.int64)
    if not chords:
        return out
    ticks = np.array([chord.tick for chord in chords])
    index = np.searchsorted(ticks, page.edges[:-1], side="right") - 1
    codes = [_code(chord.symbol) for chord in chords]
    for beat in np.flatnonzero(index >= 0).tolist():
        root, quality = codes[index[beat]]
        if root >= 0:
            out[beat] = (root - tonic[beat]) % 12 * len(QUALITIES) + quality
    return out


def _code(symbol: str) -> tuple[int, int]:
    chord = theory.parse_chord(symbol)
    tones = {(tone - chord.root) % 12 for tone in chord.tones}
    if chord.root < 0:
        return NONE, 0
    fit = [len(tones & set(own)) - len(set(own) - tones) - 0.5 * len(tones - set(own)) for _, own in QUALITIES]
    return chord.root, int(np.argmax(fit))


def count_harmony(counts: Counts, page: PageGrid, score: Score, shift: Ints, mode: Ints) -> Ints:
    """Add the chords of a piece, written or else heard, and give the state of each beat."""
    tonic = tonic_of(shift, mode)
    written = chord_states(page, score.chords, tonic)
    states = written if (written >= 0).mean() > 0.5 else chord_states(page, heard_chords(score), tonic)
    table = tables_of(page, mode)
    both = np.flatnonzero((states[1:] >= 0) & (states[:-1] >= 0)) + 1
    np.add.at(counts.moves, (table[both], states[both - 1], states[both]), 1)
    known = np.flatnonzero(states >= 0)
    if len(known):
        counts.starts[mode[known[0]], states[known[0]]] += 1
        sounding = beat_view(score).sounding
        if len(sounding) == page.beats:
            root = (states[known] // len(QUALITIES) + tonic[known]) % 12
            turned = sounding[known[:, None], (root[:, None] + np.arange(12)) % 12]
            np.add.at(counts.classes, states[known] % len(QUALITIES), turned)
    return states


def tables_of(page: PageGrid, mode: Ints) -> Ints:
    """Which table leads into each beat."""
    return (mode * SECTIONS + page.section) * PLACES + page.place


def smoothed(counts: Counts) -> Chain:
    """The chain of the counts: each table leans on that of its place and mode, that one on the place, on all moves."""
    moves = counts.moves.reshape(MODES, SECTIONS, PLACES, STATES, STATES)
    out = np.full(moves.shape, 1.0 / STATES)
    out = _mixed(moves.sum(axis=(0, 1, 2, 3), keepdims=True), out)
    for axes in ((0, 1, 2), (0, 1), (1,)):
        out = _mixed(moves.sum(axis=axes, keepdims=True), out)
    out = _mixed(moves, out)
    out = (1 - LEAST) * out + LEAST / STATES
    starts = _mixed(counts.starts, _mixed(counts.starts.sum(axis=0, keepdims=True), np.full((1, STATES), 1 / STATES)))
    return Chain(starts, out.reshape(TABLES, STATES, STATES))


def _mixed(counts: Floats, wider: Floats) -> Floats:
    """Counts as chances that lean on a wider table where they are few."""
    return np.asarray((counts + TRUST * wider) / (counts.sum(axis=-1, keepdims=True) + TRUST))


def class_chances(counts: Counts) -> Floats:
    """float64[STATES, 12]: the logarithm of how much more than evenly each class over the tonic sounds in a state."""
    tones = np.array([np.isin(np.arange(12), own) for _, own in QUALITIES])
    rows = counts.classes + 0.2 + 4.0 * tones
    rows = np.log(rows / rows.sum(axis=1, keepdims=True) * 12)
    return np.stack([np.roll(rows[q], root) for root in range(12) for q in range(len(QUALITIES))])


def spoken_for(page: PageGrid, kept: Score, classes: Floats, tonic: Ints, weight: float) -> Floats:
    """float64[beats, STATES]: what the notes that stand say of the chord of each beat, as logarithms."""
    sounding = beat_view(kept).sounding
    if len(sounding) != page.beats:
        return np.zeros((page.beats, STATES))
    turned = sounding[np.arange(page.beats)[:, None], (tonic[:, None] + np.arange(12)) % 12]
    return np.asarray(weight * turned @ classes.T)


def held(evidence: Floats, states: Ints) -> Floats:
    """The evidence (logarithms) with every beat whose state is known (≥ 0) held to it."""
    known = np.flatnonzero(states >= 0)
    out = evidence.copy()
    out[known] = -np.inf
    out[known, states[known]] = 0.0
    return out


def tones_of(state: int, tonic: int) -> tuple[int, ...]:
    """The pitch classes of a state over a tonic, the root first.

    >>> tones_of(7 * 5 + 2, 0)
    (7, 11, 2, 5)
    """
    degree, quality = divmod(state, len(QUALITIES))
    return tuple((tonic + degree + tone) % 12 for tone in QUALITIES[quality][1])


def chord_name(state: int, tonic: int = 0, mode: str = "major") -> str:
    """The symbol of a state in a key.

    >>> chord_name(7 * 5 + 2), chord_name(0 * 5 + 1, 9, "minor"), chord_name(10 * 5, 0)
    ('G7', 'Am', 'Bb')
    """
    degree, quality = divmod(state, len(QUALITIES))
    signature = theory.fifths(tonic, mode)
    name = theory.pitch_name(60 + (tonic + degree) % 12, signature if signature or degree not in (3, 8, 10) else -3)
    return name.rstrip("0123456789-").replace("♯", "#").replace("♭", "b") + QUALITIES[quality][0]
