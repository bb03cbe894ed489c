"""One piece as a row of numbers: what it uses of pitch, harmony, rhythm, texture and return, for distances of sets.

The facts are shares and means of the notes alone: no tempo, velocity, instrument, name of a track or clock, so that
the same music lies at the same place whether it comes from MIDI or from a page. How high it lies counts, its key does
not.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento import features
from partimento.features.weights import shipped_weights
from partimento.score import Score

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]

EMBEDDING = "partimento-piece 1"       # its name and version: distances of other versions are not comparable
WEIGHTS = "embedding.safetensors"
GRID = features.GRID
LAGS = (1, 2, 3, 4, 8)                  # bars after which music may return
LEAP = 13                               # semitones and more of a step are one kind
FAR = 4.0                               # deviations beyond which a fact says no more
MOST_BARS = 1_000                       # of a piece that are looked at
_VALUES = np.log2([value for _, value in features.NOTE_VALUES])
_MIDDLES = (_VALUES[1:] + _VALUES[:-1]) / 2
_KITS = np.full(128, 6)
for _kind, _keys in enumerate(((35, 36), (37, 38, 39, 40), (42, 44), (46,), (41, 43, 45, 47, 48, 50),
                               (49, 51, 52, 53, 55, 57, 59))):
    _KITS[list(_keys)] = _kind
# What each fact is of, in their order; what is said of bar lines counts as form.
FACTS = np.repeat(["harmony", "melody", "form", "melody", "melody", "form", "melody", "rhythm", "texture", "form",
                   "drums"], [53, 2 * LEAP + 1, 3, 1, 2 * LEAP + 1, 3, 1, 49, 18, 45, 2 + 7 + GRID])
_DRUMS = int((FACTS == "drums").sum())
_CHORDS = ((0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8), (0, 4, 7, 10), (0, 4, 7, 11), (0, 3, 7, 10), (0, 3, 6, 10),
           (0, 3, 6, 9))


class Slices(NamedTuple):
    """What sounds from one onset or end to the next, on the grid: places (the last is the end), then a row each."""

    place: IndexArray          # int64[rows + 1], in steps
    bass: IndexArray           # int64[rows], lowest pitch, −1 where nothing sounds
    top: IndexArray
    chroma: npt.NDArray[np.bool_]       # bool[rows, 12]
    voices: IndexArray         # how many pitches


def embed(score: Score) -> FloatArray | None:
    """Return the place of a piece in the space `EMBEDDING` (float64[d]); None where it has no notes.

    In this space real pieces have mean 0 and deviation 1 along every axis, so that a distance of 1 is small.

    >>> tune = Score.from_rows([(480 * i, 480, 60 + i % 5, 80, 0) for i in range(16)])
    >>> bool(np.allclose(embed(tune), embed(tune.replace(velocity=[20] * 16, ticks_per_quarter=480))))
    True
    """
    facts = piece_facts(score)
    if facts is None:
        return None
    weights = _weights()
    row = np.nan_to_num(np.clip((facts - weights["mean"]) / weights["scale"], -FAR, FAR))
    return np.asarray((row - weights["centre"]) @ weights["axes"])


@functools.cache
def _weights() -> dict[str, FloatArray]:
    return shipped_weights("partimento.judge", WEIGHTS)


# --- facts -----------------------------------------------------------------------------------------------------------


def piece_facts(score: Score) -> FloatArray | None:
    """Return the facts of a piece (float64[n]), NaN where it has none of a kind; None where it has no notes.

    Shares are square roots of themselves, so that rare kinds count.
    """
    if not len(score):
        return None
    if score.n_bars > MOST_BARS:
        part = features.excerpt(score, 0, MOST_BARS)
        score = part if len(part) else score
    tones = features.pitched(score)
    found = [*_pitched_facts(score, tones), *_drum_facts(score, ~tones)]
    return np.concatenate([np.atleast_1d(np.asarray(part, np.float64)).reshape(-1) for part in found])


def _pitched_facts(score: Score, tones: npt.NDArray[np.bool_]) -> list[npt.ArrayLike]:
    if not tones.any():
        return [np.full(len(FACTS) - _DRUMS, np.nan)]
    onset = _steps(score, score.onset[tones])
    end = np.maximum(_steps(score, score.offset[tones]), onset + 1)
    bars = _steps(score, score.bar_starts)
    pitch = score.pitch[tones].astype(np.int64)
    order = np.lexsort((-end, pitch, onset))
    order = order[np.append(True, np.diff(onset[order] * 128 + pitch[order]) > 0)]      # a doubled note is one
    onset, end, pitch = onset[order], end[order], pitch[order]
    bar = np.clip(np.searchsorted(bars[:-1], onset, side="right") - 1, 0, None)
    lines = sounding_slices(onset, end, pitch)
    return [*_harmony(lines), *_melody(onset, end, pitch, bars), *_rhythm(onset, end, bar, bars),
            *_texture(onset, pitch, lines, bars), *_returns(onset, pitch, bar, bars, lines)]


def _steps(score: Score, ticks: npt.ArrayLike) -> IndexArray:
    return features.grid_steps(score, ticks)


def _shares(kind: IndexArray, count: int, weight: FloatArray | None = None) -> FloatArray:
    """Square roots of the shares of kinds; NaN of nothing."""
    total = np.bincount(kind, weight, count)[:count]
    return np.asarray(np.sqrt(total / total.sum())) if total.sum() > 0 else np.full(count, np.nan)


def sounding_slices(onset: IndexArray, end: IndexArray, pitch: IndexArray) -> Slices:
    """Return what sounds between every two places at which a note begins or ends.

    >>> sounding_slices(np.array([0, 6]), np.array([12, 12]), np.array([60, 64])).voices.tolist()
    [1, 2]
    """
    place = np.unique(np.concatenate([onset, end]))
    change = np.zeros((len(place), 128), np.int32)
    np.add.at(change, (np.searchsorted(place, onset), pitch), 1)
    np.add.at(change, (np.searchsorted(place, end), pitch), -1)
    sounds = np.cumsum(change, axis=0)[:-1] > 0
    chroma = np.zeros((len(sounds), 12), bool)
    for tone in range(12):
        chroma[:, tone] = sounds[:, tone::12].any(axis=1)
    any_ = sounds.any(axis=1)
    return Slices(place, np.where(any_, sounds.argmax(axis=1), -1),
                 np.where(any_, 127 - sounds[:, ::-1].argmax(axis=1), -1), chroma, sounds.sum(axis=1).astype(np.int64))


@functools.cache
def _chord_kinds() -> IndexArray:
    """int64[4096]: of each set of pitch classes (a bit each): 0 none, 1 one, 2–5 a fifth, a third or so, a semitone or
    so, a tritone; 6 in a major or minor triad, 7 in another triad, 8 in a seventh chord, 9 neither."""
    found = np.full(4096, 9)
    for kind, chords in ((8, _CHORDS[4:]), (7, _CHORDS[2:4]), (6, _CHORDS[:2])):
        for chord in chords:
            for root in range(12):
                found[sum(1 << (root + tone) % 12 for tone in chord)] = kind
    for low in range(12):
        for apart, kind in ((1, 4), (2, 4), (3, 3), (4, 3), (5, 2), (6, 5)):
            found[1 << low | 1 << (low + apart) % 12] = kind
        found[1 << low] = 1
    found[0] = 0
    return found


def _harmony(lines: Slices) -> list[npt.ArrayLike]:
    """Degrees of the scale, of the bass, intervals above it, kinds of chords, and how far two tones lie apart."""
    weight = np.diff(lines.place).astype(np.float64)
    chroma = weight @ lines.chroma
    tonic, minor = _scale(chroma)
    sounds = lines.bass >= 0
    bass = lines.bass[sounds]
    own = weight[sounds]
    rolled = np.take_along_axis(lines.chroma[sounds], (np.arange(12) + bass[:, None]) % 12, axis=1)
    above = own @ rolled
    apart = np.array([own @ (lines.chroma[sounds] & np.roll(lines.chroma[sounds], -k, axis=1)).sum(axis=1)
                      for k in range(1, 7)])
    code = lines.chroma @ (1 << np.arange(12))
    return [np.sqrt(np.roll(chroma, -tonic) / chroma.sum()), float(minor),
            _shares((bass - tonic) % 12, 12, own), np.sqrt(above / above.sum()),
            np.sqrt(apart / max(apart.sum(), 1e-9)) if apart.any() else np.full(6, np.nan),
            _shares(_chord_kinds()[code], 10, weight)]


def _scale(chroma: FloatArray) -> tuple[int, bool]:
    """The tonic of the major key with the signature of the key that fits best, and whether that is in minor."""
    best = int(features.key_strengths(chroma).argmax())
    return ((best % 12 + 3) % 12, True) if best >= 12 else (best % 12, False)


def _melody(onset: IndexArray, end: IndexArray, pitch: IndexArray, bars: IndexArray) -> list[npt.ArrayLike]:
    """Steps of the upper and the lower line, within bars and over bar lines."""
    out: list[npt.ArrayLike] = []
    first = np.flatnonzero(np.append(True, np.diff(onset) > 0))
    last = np.append(first[1:], len(onset)) - 1
    place = onset[first]
    crosses = np.diff(np.searchsorted(bars[:-1], place, side="right")) > 0
    for which in (last, first):
        line = pitch[which]
        step = np.diff(line)
        wide = np.minimum(np.abs(step), 2 * LEAP).astype(np.float64)
        out.append(_shares(np.clip(step, -LEAP, LEAP) + LEAP, 2 * LEAP + 1))
        inside, over = (float(wide[mask].mean()) if mask.any() else np.nan for mask in (~crosses, crosses))
        turns = np.diff(np.sign(step[step != 0]))
        out += [np.log1p(inside), np.log1p(over), np.log1p(over) - np.log1p(inside),
                float((turns != 0).mean()) if len(turns) else np.nan]
    return out


def _rhythm(onset: IndexArray, end: IndexArray, bar: IndexArray, bars: IndexArray) -> list[npt.ArrayLike]:
    """Times between onsets, lengths, places in the quarter and in the bar."""
    place = np.unique(onset)
    where = np.unique(bar * (1 << 32) + onset, return_index=True)[1]
    inside = onset[where] - bars[bar[where]]
    length = np.maximum(np.diff(bars), 1)[bar[where]]
    gaps = np.searchsorted(_MIDDLES, np.log2(np.maximum(np.diff(place), 1) / GRID))
    again = float((np.diff(gaps) == 0).mean()) if len(gaps) > 1 else np.nan
    lengths = np.searchsorted(_MIDDLES, np.log2((end - onset) / GRID))
    return [_shares(gaps, len(_VALUES)), _shares(lengths, len(_VALUES)), again, _shares(inside % GRID, GRID),
            _shares(np.minimum(inside * 8 // length, 7), 8)]


def _texture(onset: IndexArray, pitch: IndexArray, lines: Slices, bars: IndexArray) -> list[npt.ArrayLike]:
    """How many at once, how dense, how high, how wide."""
    weight = np.diff(lines.place).astype(np.float64)
    sounds = lines.bass >= 0
    own = weight[sounds] / max(weight[sounds].sum(), 1e-9)
    quarters = max(float(bars[-1] - bars[0]), 1.0) / GRID
    bass, top = lines.bass[sounds], lines.top[sounds]
    middle = [float(own @ bass), float(own @ top)]
    return [_shares(np.minimum(lines.voices, 8), 9, weight), np.log(len(onset) / quarters),
            np.log(len(np.unique(onset)) / quarters), float(pitch.mean()), float(pitch.std()), *middle,
            float(np.sqrt(own @ (bass - middle[0]) ** 2)), float(np.sqrt(own @ (top - middle[1]) ** 2)),
            float(len(np.unique(pitch))) ** .5]


def _returns(onset: IndexArray, pitch: IndexArray, bar: IndexArray, bars: IndexArray, lines: Slices
             ) -> list[npt.ArrayLike]:
    """How like bars are to those some bars before, beside any two; how bars follow one another."""
    count = len(bars) - 1
    inside = onset - bars[bar]
    both = _likeness(bar, inside * 128 + pitch, count)
    rhythm = _likeness(bar, inside, count)
    weight = np.diff(lines.place).astype(np.float64)
    held = np.clip(np.searchsorted(bars[:-1], lines.place[:-1], side="right") - 1, 0, count - 1)
    chroma = np.zeros((count, 12))
    np.add.at(chroma, held, lines.chroma * weight[:, None])
    size = np.linalg.norm(chroma, axis=1)
    size[size == 0] = np.nan
    harmony = chroma @ chroma.T / np.outer(size, size)
    out: list[npt.ArrayLike] = []
    for table in (both, rhythm, harmony):
        known = table[np.triu_indices(count, 1)]
        mean = float(np.nanmean(known)) if np.isfinite(known).any() else np.nan
        out.append(mean)
        for lag in LAGS:
            row = np.diagonal(table, lag)
            out.append(float(np.nanmean(row)) - mean if np.isfinite(row).any() else np.nan)
        out.append(_runs(table))
    density = np.log1p(np.bincount(bar, minlength=count))
    filled = np.bincount(bar, minlength=count) > 0
    height = np.bincount(bar, pitch, count)[filled] / np.bincount(bar, minlength=count)[filled]
    kinds = (chroma > 0).sum(axis=1)[filled]
    for row in (density, height, kinds.astype(np.float64)):
        spread = float(row.std())
        out += [spread, float(np.abs(np.diff(row)).mean()) / spread if spread > 1e-6 and len(row) > 2 else np.nan]
    first, last = np.searchsorted(lines.place, bars[:-1]), np.searchsorted(lines.place, bars[1:]) - 1
    both_ends = (first < len(lines.bass)) & (last < len(lines.bass)) & (last >= first)
    first, last = first[both_ends], last[both_ends]
    first, last = (place[(lines.bass[first] >= 0) & (lines.bass[last] >= 0)] for place in (first, last))
    tones = lines.chroma.astype(np.float64) / np.sqrt(np.maximum(lines.chroma.sum(axis=1), 1))[:, None]
    bass = lines.bass[first]
    out += [_joins(np.abs(lines.top[last][:, None] - lines.top[first]).astype(np.float64)),
            _joins(np.abs(lines.bass[last][:, None] - bass).astype(np.float64)), _joins(tones[last] @ tones[first].T),
            _joins(((bass - bass[:, None]) % 12 == 5).astype(np.float64)),
            float(kinds.mean()), float((~filled).mean()), _shares(np.diff(bass) % 12, 12)]
    return out


def _runs(table: FloatArray) -> float:
    """How far likeness goes on: the correlation of the likeness of two bars with that of the two after them."""
    rows, columns = np.triu_indices(len(table) - 1, 2)
    here, then = table[rows, columns], table[rows + 1, columns + 1]
    known = np.isfinite(here) & np.isfinite(then)
    here, then = here[known], then[known]
    if len(here) < 3 or min(here.std(), then.std()) < 1e-6:
        return np.nan
    return float(((here - here.mean()) * (then - then.mean())).mean() / (here.std() * then.std()))


def _joins(table: FloatArray) -> float:
    """How a bar's end (row) joins the next bar's beginning (column), beside any other bar's, in deviations."""
    if len(table) < 3:
        return np.nan
    spread = float(table.std())
    return float(np.diagonal(table, 1).mean() - table.mean()) / spread if spread > 1e-6 else np.nan


def _likeness(bar: IndexArray, what: IndexArray, count: int) -> FloatArray:
    """float64[bars, bars]: the intersection over the union of what begins in two bars; NaN where nothing does."""
    kinds = np.unique(what, return_inverse=True)[1].reshape(-1)
    table = np.zeros((count, int(kinds.max()) + 1), np.float32)
    table[bar, kinds] = 1
    common = (table @ table.T).astype(np.float64)
    size = np.diagonal(common).copy()
    size[size == 0] = np.nan
    return np.asarray(common / (size[:, None] + size[None] - common))


def _drum_facts(score: Score, drums: npt.NDArray[np.bool_]) -> list[npt.ArrayLike]:
    """How many drum notes, which, and where in the quarter."""
    share = float(drums.mean())
    if not drums.any():
        return [share, np.full(_DRUMS - 1, np.nan)]
    bars = max(features.bar_count(score), 1e-6)
    inside = _steps(score, score.onset[drums]) % GRID
    return [share, np.log(drums.sum() / bars), _shares(_KITS[score.pitch[drums]], 7), _shares(inside, GRID)]


