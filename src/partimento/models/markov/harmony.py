"""The harmony that a composed piece stands on: a Markov chain of chords, one a bar, learnt bar by bar from the corpus.

Each bar of a piece is heard as the chord that covers most of its sounding time, counted as a degree of the key. The
chain looks at the last two chords and at the place in the phrase of four bars; a finished piece is drawn with the
exact probability given that it begins and ends on the tonic (backward values), so that what leads home is drawn too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from partimento import theory
from partimento.features import rank_keys
from partimento.sampling import draw
from partimento.score import Score

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
PHRASE = 4
RARE = 0.02                    # a chord with a smaller share than this of all bars is not used
QUALITIES = (("", (0, 4, 7)), ("m", (0, 3, 7)), ("7", (0, 4, 7, 10)), ("dim", (0, 3, 6)))
EVIDENCE = 12.0                # nats that speak for a chord that covers all that sounds in its bar
BEFORE = -1                    # stands for the chord before the first

Counts = Counter[tuple[int, int, int, int, int]]


def bar_chords(score: Score) -> tuple[int, int, list[int]]:
    """Key (tonic, 0 major or 1 minor) and the chord of each bar: 4 × degree in semitones + quality; −1 for silence.

    >>> rows = [(0, 960, p, 80, 0) for p in (60, 64, 67)] + [(960, 960, p, 80, 0) for p in (59, 62, 67)]
    >>> bar_chords(Score.from_rows(rows, ticks_per_quarter=240))[2]
    [20, 0]
    """
    key, fit, sounds = _fits(score)
    best = (fit.argmax(axis=1) - 4 * key.tonic) % 48
    return key.tonic, int(key.mode == "minor"), np.where(sounds, best, BEFORE).tolist()


def _fits(score: Score) -> tuple[theory.KeyName, FloatArray, BoolArray]:
    """The key heard, how well each chord (4 × root + quality) covers each bar (float64[bars, 48]), what bars sound."""
    drum = np.array([track.is_drum for track in score.tracks], bool)
    notes = score.select(~drum[score.track]) if len(drum) else score
    starts = score.bar_starts.astype(np.int64)
    weights = np.zeros((len(starts) - 1, 12))
    onset, offset = notes.onset.astype(np.int64), notes.offset.astype(np.int64)
    first = np.minimum(np.searchsorted(starts, onset, side="right") - 1, len(starts) - 2)
    last = np.clip(np.searchsorted(starts, offset, side="left") - 1, first, len(starts) - 2)
    for reach in range(int((last - first).max(initial=0)) + 1):
        bar = np.minimum(first + reach, last)
        sounding = np.minimum(offset, starts[bar + 1]) - np.maximum(onset, starts[bar])
        inside = (first + reach <= last) & (sounding > 0)
        np.add.at(weights, (bar[inside], notes.pitch[inside] % 12), sounding[inside])
    key = rank_keys(weights.sum(axis=0))[0]
    tables = np.array([np.isin((np.arange(12) - root) % 12, tones) for root in range(12) for _, tones in QUALITIES])
    share = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    fit = share @ (tables - 0.55 * ~tables).T.astype(float) - 0.04 * (tables.sum(axis=1) - 3)
    return key, fit, weights.sum(axis=1) > 0


def count_chords(counts: Counts, score: Score) -> None:
    """Add the chords of one piece to `counts`: (mode, place in the phrase, chord before last, last chord, chord)."""
    _, mode, chords = bar_chords(score)
    line = [BEFORE, BEFORE, *chords]
    for place, (before, last, chord) in enumerate(zip(line, line[1:], line[2:], strict=False)):
        if chord != BEFORE:
            counts[mode, place % PHRASE, before, last, chord] += 1


class Harmony:
    """The chain: drawn from rows (mode, place, before, last, chord, count) as `count_chords` gathers them."""

    def __init__(self, rows: Iterable[Sequence[int]]) -> None:
        self._rows = [tuple(int(value) for value in row) for row in rows]

    def draw(self, tonic: int, minor: bool, bars: int, rng: np.random.Generator, closed: bool = True) -> str | None:
        """Chord symbols for `bars` bars, joined as a Request takes them; None where too little was heard.

        The first chord is the tonic, and where `closed` the last one too.
        """
        home = int(minor)          # the tonic triad: degree 0, major or minor
        rows, known = self._known(home)
        if home not in known or len(known) < 3:
            return None
        evidence = np.ones((bars, len(known)))
        if closed:
            evidence[-1] = np.arange(len(known)) == known.index(home)
        if bars > 1:
            evidence[0] = np.arange(len(known)) == known.index(home)
        line = _line(_chances(rows, known), evidence, rng)
        fifths = theory.fifths(tonic, "minor" if minor else "major")
        return " ".join(chord_in_key(known[chord], tonic, fifths) for chord in line)

    def heard(self, kept: Score, rng: np.random.Generator, closed: bool = False) -> tuple[int, list[int]] | None:
        """The tonic that is heard and a chord for each bar, as in `bar_chords`, drawn given what sounds there.

        A bar without a sound takes what leads from its neighbours to each other, the last one, where `closed`, the
        tonic. None where too little was heard.
        """
        key, fit, sounds = _fits(kept)
        rows, known = self._known(int(key.mode == "minor"))
        if not sounds.any() or len(known) < 3:
            return None
        places = [(chord + 4 * key.tonic) % 48 for chord in known]
        evidence = np.where(sounds[:, None], np.exp(EVIDENCE * fit[:, places]), 1.0)
        home = int(key.mode == "minor")
        if closed and home in known and not sounds[-1]:
            evidence[-1] = np.arange(len(known)) == known.index(home)
        return key.tonic, [known[chord] for chord in _line(_chances(rows, known), evidence, rng)]

    def _known(self, mode: int) -> tuple[list[tuple[int, ...]], list[int]]:
        """The rows of a mode, and its chords that are not rare."""
        rows = [row for row in self._rows if row[0] == mode]
        total = Counter[int]()
        for *_, chord, number in rows:
            total[chord] += number
        return rows, [chord for chord, number in sorted(total.items()) if number >= RARE * total.total()]


def _chances(rows: Iterable[Sequence[int]], known: Sequence[int]) -> FloatArray:
    """float[PHRASE, K + 1, K + 1, K]: the chance of each chord after each two (K: none), interpolated (Witten–Bell)."""
    index = {chord: i for i, chord in enumerate(known)} | {BEFORE: len(known)}
    k = len(known)
    pairs = np.zeros((PHRASE, k + 1, k + 1, k))
    for _, place, before, last, chord, number in rows:
        if chord in index and last in index and before in index:
            pairs[place, index[before], index[last], index[chord]] += number
    out = np.full(k, 1.0 / k)
    placed = pairs.sum(axis=(1, 2))[:, None, None, :]
    for counts in (pairs.sum(axis=(0, 1, 2)), pairs.sum(axis=(0, 1))[None, None], placed,
                   pairs.sum(axis=1)[:, None], pairs.sum(axis=0)[None], pairs):
        seen = (counts > 0).sum(axis=-1, keepdims=True)
        out = (counts + seen * out) / np.maximum(counts.sum(axis=-1, keepdims=True) + seen, 1e-9) \
            + np.where(seen == 0, out, 0.0)
    return np.asarray(np.broadcast_to(out, pairs.shape))


def _line(chances: FloatArray, evidence: FloatArray, rng: np.random.Generator) -> list[int]:
    """Chords drawn one after another given `evidence` (float64[bars, K]) of all bars, by backward values."""
    k = chances.shape[-1]
    ahead = [np.broadcast_to(evidence[-1], (k + 1, k))]     # of the last two chords: what sounds there and later
    for bar in range(len(evidence) - 1, 0, -1):
        step = (chances[bar % PHRASE][:, :k] * ahead[-1][None, :k]).sum(axis=-1) * evidence[bar - 1]
        ahead.append(step / step.max())
    ahead.reverse()
    line, before, last = [], k, k
    for bar, values in enumerate(ahead):
        chord = draw(chances[bar % PHRASE][before, last] * values[last], rng.random())
        line.append(chord)
        before, last = last, chord
    return line


def chord_in_key(chord: int, tonic: int, fifths: int) -> str:
    """The symbol of a chord (4 × degree + quality) in the key of a tonic (0–11), spelled in a key signature.

    >>> chord_in_key(29, 0, 0), chord_in_key(28, 9, 0)
    ('Gm', 'E')
    """
    degree, quality = divmod(chord, len(QUALITIES))
    name = theory.pitch_name(60 + (tonic + degree) % 12, fifths).rstrip("0123456789")
    return name.replace("♯", "#").replace("♭", "b") + QUALITIES[quality][0]
