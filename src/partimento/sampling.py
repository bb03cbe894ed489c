"""From chances to a choice: uniform draws through an inverse CDF, with temperature, top-p and a legal mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from partimento import theory
from partimento.errors import RequestError
from partimento.request import Request, parse_range
from partimento.score import BoolArray, Score

FloatArray = npt.NDArray[np.float64]


def generator(seed: int, *path: int) -> np.random.Generator:
    """The PCG64 generator of a seed and a path of whole numbers (candidate, retry, ...); only uniforms are drawn."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *path])))


def draw(weights: npt.ArrayLike, uniform: float) -> int:
    """The index that the inverse CDF of `weights` (float[n] ≥ 0, not all zero) gives for `uniform` in [0, 1).

    >>> draw([1, 0, 3], 0.2), draw([1, 0, 3], 0.3)
    (0, 2)
    """
    cumulative = np.cumsum(np.asarray(weights, np.float64))
    index = int(np.searchsorted(cumulative, uniform * cumulative[-1], side="right"))
    return min(index, int(np.searchsorted(cumulative, cumulative[-1])))


def shape(weights: FloatArray, temperature: float = 1.0, top_p: float = 1.0) -> FloatArray:
    """Weights (float[n] ≥ 0) flattened (temperature > 1) or sharpened (< 1), then cut to the likeliest `top_p` of mass.

    >>> shape(np.array([0.6, 0.3, 0.1]), top_p=0.6).round(2).tolist()
    [0.6, 0.0, 0.0]
    """
    out = weights
    if temperature != 1.0:
        out = (out / out.max()) ** (1.0 / temperature)
    if top_p < 1.0:
        order = np.argsort(-out, kind="stable")
        running = np.cumsum(out[order])
        keep = int(np.searchsorted(running, top_p * running[-1] * (1 - 1e-12))) + 1
        likely = np.zeros(len(out))
        likely[order[:keep]] = out[order[:keep]]
        out = likely
    return out


class Legal:
    """Which pitches a new note may take, by track and onset: the range, the key's scale, and the chord of the moment.

    Drums are free of key and chords. On a beat under a chord only chord tones are legal; between beats the notes of
    the scale too (or, where no key is asked, any). The mask is never empty: where the facts leave nothing inside the
    range, they yield to it. Without a request (None) every pitch is legal: that is how likelihood is measured. Chords
    that stand on the page bind where they are asked for, or `written` says so.
    """

    def __init__(self, around: Score, request: Request | None, written: bool = False) -> None:
        self.ranges = [(0, 127)] * len(around.tracks) if request is None else track_ranges(around, request)
        request = request or Request()
        self._score = around
        key = theory.parse_key(request.key) if request.key else None
        self._scale = _class_mask(theory.scale(key.tonic, key.mode)) if key else np.ones(128, bool)
        chords = around.chords if request.chords or written else ()
        self._chords = [(chord.tick, theory.parse_chord(chord.symbol)) for chord in chords]
        self._chord_ticks = np.array([tick for tick, _ in self._chords], np.int64)
        self._cache: dict[tuple[int, int, bool], BoolArray] = {}

    @property
    def changes(self) -> bool:
        """Whether what is legal changes with the place, as under chords."""
        return bool(self._chords)

    def pitches(self, track: int, tick: int) -> BoolArray:
        """bool[128]: the legal pitches of a note of `track` with its onset at `tick`."""
        chord = int(np.searchsorted(self._chord_ticks, tick, side="right")) - 1
        on_beat = chord >= 0 and self._on_beat(tick)
        found = self._cache.get((track, chord, on_beat))
        if found is None:
            found = self._cache[track, chord, on_beat] = self._mask(track, chord, on_beat)
        return found

    def _on_beat(self, tick: int) -> bool:
        meter = self._score.meter_at(tick)
        beat = 4 * self._score.ticks_per_quarter // meter.denominator
        return (tick - meter.tick) % max(beat, 1) == 0

    def _mask(self, track: int, chord: int, on_beat: bool) -> BoolArray:
        low, high = self.ranges[track]
        span = np.zeros(128, bool)
        span[low:high + 1] = True
        if self._score.tracks[track].is_drum:
            return span
        allowed = self._scale
        if chord >= 0 and self._chords[chord][1].tones:
            tones = _class_mask(self._chords[chord][1].tones)
            allowed = tones if on_beat else allowed | tones
        return span & allowed if (span & allowed).any() else span


def _class_mask(classes: frozenset[int]) -> BoolArray:
    return np.isin(np.arange(128) % 12, sorted(classes))


def track_ranges(around: Score, request: Request) -> list[tuple[int, int]]:
    """Lowest and highest pitch a new note may take, one pair a track: as asked, or as its instrument can play."""
    out = []
    for track in around.tracks:
        if track.name in request.ranges:
            out.append(parse_range(request.ranges[track.name], track.name))
        else:
            out.append(theory.instrument_range(track.program, track.is_drum))
    return out


def lacking(request: Request, span: str) -> str:
    """The key, or a chord, of a request of which a range (``G3-E6``) holds no note; empty where it holds one of each.

    >>> lacking(Request(key="F# major", chords="F# B"), "C4-C4"), lacking(Request(key="C"), "C4-C4")
    ('F# major', '')
    """
    low, high = parse_range(span)
    inside = {pitch % 12 for pitch in range(low, high + 1)}
    if request.key:
        key = theory.parse_key(request.key)
        if not inside & theory.scale(key.tonic, key.mode):
            return request.key
    for symbol in (request.chords or "").replace("|", " ").replace(",", " ").split():
        tones = theory.parse_chord(symbol).tones
        if tones and not inside & tones:
            return symbol
    return ""


def check_ranges(around: Score, tracks: Sequence[int], request: Request) -> None:
    """RequestError where the range asked of a pitched track that is written holds no note of the key, or of a chord."""
    for track in (around.tracks[i] for i in tracks):
        span = request.ranges.get(track.name)
        if span is None or track.is_drum:
            continue
        what = lacking(request, span)
        if what:
            raise RequestError(f"the range of {track.name} must hold a note of {what}; got {span}: widen it, or let go "
                               "of the key or the chords")
