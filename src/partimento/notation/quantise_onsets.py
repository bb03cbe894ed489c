"""Where onsets will be written: a division for every beat, found by Viterbi's method over the whole piece."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from partimento.notation.quantise_beats import Beats
from partimento.notation.quantise_prior import DIVISIONS, prior
from partimento.score import Score

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]

_ROLL = .040                    # seconds that the notes of one chord may lie apart
_LOOSE_MS, _LOOSE_SHARE = .015, .01    # usual spread of onsets: in seconds, and as share of the beat
_FIRST_SPREAD, _SPREADS = 2.0, (.3, 2.2)    # times the usual: for the first pass, which is careful, and then at all
_SPREAD_OF_MEAN = 1.25          # a Gaussian's spread by its mean distance, 1.253
_SHARES = (1.0, .4)             # of the spread found in the first pass that are tried in the second
_FARTHEST = 14.0                # nats that one chord may cost at most: an ornament does not rule the beat
_HALF_OVER, _ALMOST = .5, .02   # a note is over for the next of its line after this share of it and seconds
_MERGED, _SAME_NOTE = 6.0, 30.0    # nats for two chords at one place; for two hits of one pitch at one place
_SHIFTS = np.linspace(-.13, .13, 9)    # of a beat: how far the playing may be beside the beat
_FARTHEST_SHIFT = .15
_BESIDE = .05                   # what a shift costs each beat: its square divided by this
_DRIFT, _JUMP = .008, 10.0      # of a beat: usual change of that from beat to beat; nats for a change of any size
_FIRST = (0., 0., 0., 2., 0., 1.)    # nats for the divisions of the first pass, in which finer ones would hide a shift
_COMMON = np.array([.25, .42, .28, .01, .018, .01, .003, .0005, .0002])     # how common the divisions are
_PART = 4096                    # beats done at once


@dataclasses.dataclass(frozen=True)
class Chords:
    """Notes struck together: `place` in beats (float64[m], ascending), `weight`, `track` (−1 for several), and `group`,
    the chord of each note.

    `apart[i]` is what it costs, in nats, to write chord i + 1 at the place of chord i: much where it strikes a pitch
    again, something where a track has played half of a note of chord i, nothing where they only were not together.
    """

    place: FloatArray
    weight: FloatArray
    track: IndexArray
    group: IndexArray
    apart: FloatArray


def find_chords(score: Score, beats: Beats, notes: IndexArray) -> Chords:
    """Group the `notes` (indices, in order of onset): within 40 ms, sounding together, no pitch twice in one track."""
    onset = score.onset[notes]
    first = np.flatnonzero(np.diff(onset, prepend=-1))
    place = beats.place(onset[first])
    time = score.seconds(onset[first])
    width = np.minimum(_ROLL, .1 * beats.seconds[place.astype(np.int64).clip(0, len(beats.seconds) - 1)])
    lane = (score.track[notes].astype(np.int64) * 128 + score.pitch[notes]).tolist()
    drum = np.array([t.is_drum for t in score.tracks])[score.track[notes]]
    struck_at = score.seconds(onset)
    over = struck_at + _HALF_OVER * (score.seconds(score.offset[notes]) - struck_at) + _ALMOST
    end = np.where(drum, np.inf, over).tolist()          # from then on another note of the track comes after it
    tracks = score.track[notes].tolist()
    chord: list[int] = []
    apart: list[float] = []
    begin, struck, ends = -np.inf, set[int](), dict[int, float]()
    for at, wide, a, b in zip(time.tolist(), width.tolist(), first.tolist(), [*first[1:].tolist(), len(notes)],
                              strict=True):
        lanes = set(lane[a:b])
        again = not struck.isdisjoint(lanes)
        later = any(ends.get(track, np.inf) <= at for track in tracks[a:b])
        if at - begin > wide or again or later:
            apart.append(_SAME_NOTE if again else _MERGED if later else 0.0)
            begin, struck, ends = at, set(), {}
        chord.append(len(apart) - 1)
        struck |= lanes
        for track, stop in zip(tracks[a:b], end[a:b], strict=True):
            ends[track] = min(ends.get(track, np.inf), stop)
    group = np.repeat(chord, np.diff(first, append=len(notes)))
    count = np.bincount(group)
    middle = np.maximum.accumulate(np.bincount(group, beats.place(onset)) / count)
    one = score.track[notes[np.flatnonzero(np.diff(group, prepend=-1))]].astype(np.int64)
    several = np.bincount(group, score.track[notes] != one[group]) > 0
    return Chords(middle, np.minimum(1 + .3 * (count - 1), 2.0), np.where(several, -1, one), group,
                  np.array([*apart[1:], 0.0]))


@dataclasses.dataclass(frozen=True)
class _Fit:
    """What each beat costs at each division, the playing `shift` beside the beat.

    `alone` and `after` (float64[beats, divisions]) are without and with an onset at its start that came from the beat
    before; `early` (bool) says that the beat gives the next one such an onset; `place` (float64[divisions, chords])
    is where each chord is written, in beats; `away` how far from there it was played.
    """

    alone: FloatArray
    after: FloatArray
    early: npt.NDArray[np.bool_]
    place: FloatArray
    away: FloatArray


def _fit(chords: Chords, beats: Beats, shift: FloatArray, spread: FloatArray, swing: tuple[float, float],
         kinds: int = len(DIVISIONS)) -> _Fit:
    """Lay every chord on the nearest place of each of the first `kinds` divisions.

    `shift` (in beats) and `spread` (times the usual) are of each chord.
    """
    n = len(beats.seconds)
    moved = np.maximum.accumulate(chords.place - shift)
    beat = np.floor(moved).astype(np.int64).clip(0, n - 1)
    within = moved - beat
    sigma = spread * np.hypot(_LOOSE_MS / beats.seconds[beat], _LOOSE_SHARE)
    alone, after = np.empty((2, n, kinds))
    early = np.empty((n, kinds), bool)
    place, away = np.empty((2, kinds, len(moved)))
    first = np.append(-1, beat[:-1]) < beat
    parted = np.append(0.0, chords.apart[:-1])           # from the chord before
    for i, division in enumerate(DIVISIONS[:kinds]):
        straight = division in (2, 4, 8)
        even = _unswung(within, swing) if straight else within
        step = np.clip(np.rint(even * division), 0, division).astype(np.int64)
        at = step / division
        place[i], away[i] = beat + at, within - (_swung(at, swing) if straight else at)
        cost = np.minimum((away[i] / sigma) ** 2 / 2, _FARTHEST) * chords.weight
        cell = beat * (division + 1) + step
        same = np.append(cell[1:] == cell[:-1], False)
        cost += same * chords.apart
        whole = np.bincount(beat, cost, n)
        new = np.append(True, ~same[:-1])[: len(cell)] & (step < division)
        struck = np.bincount(beat[new], np.left_shift(1, step[new]), n).astype(np.int64)
        early[:, i] = np.bincount(beat[step == division], minlength=n) > 0
        meets = np.bincount(beat, parted * (first & (step == 0)), n)
        for kind in (4, 8):
            own = beats.eighths == (kind == 8)
            costs = prior(kind).struck[i]
            alone[own, i] = whole[own] + costs[struck[own]]
            after[own, i] = whole[own] + meets[own] + costs[struck[own] | 1]
        lasts = np.diff(beats.new)
        fine = beats.ticks_per_quarter // 480
        bad = (lasts % division != 0) | ((lasts // division % (5 * fine) != 0) & (lasts // division % (48 * fine) != 0))
        if division > 1:
            alone[bad, i] = after[bad, i] = np.inf
    return _Fit(alone, after, early, place, away)


def _unswung(within: FloatArray, swing: tuple[float, float]) -> FloatArray:
    """Places of a beat played with swing (of eighths, of sixteenths; .5 is none) as they would be played straight."""
    eighth, sixteenth = swing
    even = np.interp(within, (0, eighth, 1), (0, .5, 1)) if eighth != .5 else within
    if sixteenth != .5:
        even = np.interp(even, (0, sixteenth / 2, .5, .5 + sixteenth / 2, 1), (0, .25, .5, .75, 1))
    return even


def _swung(even: FloatArray, swing: tuple[float, float]) -> FloatArray:
    """The other way round."""
    eighth, sixteenth = swing
    if sixteenth != .5:
        even = np.interp(even, (0, .25, .5, .75, 1), (0, sixteenth / 2, .5, .5 + sixteenth / 2, 1))
    return np.interp(even, (0, .5, 1), (0, eighth, 1)) if eighth != .5 else even


def _viterbi(fits: list[_Fit], beats: Beats, shifts: FloatArray,
             usual: FloatArray) -> tuple[IndexArray, IndexArray, float]:
    """The cheapest shift (an index) and division of every beat, as int64 each, and what all cost.

    Long pieces are done in parts. `usual` (float64[divisions]) is added to the cost of each division.
    """
    n = len(beats.seconds)
    shift, division = np.full(n, len(shifts) // 2), np.zeros(n, np.int64)
    busy = np.zeros(n, bool)
    for fit in fits:
        busy |= (fit.alone[:, 0] != prior(4).struck[0][0]) | fit.early.any(1)
        busy[1:] |= fit.early[:-1].any(1)
    active = np.flatnonzero(busy)
    cost = 0.0
    for begin in range(0, len(active), _PART):
        part = active[begin: begin + _PART]
        shift[part], division[part], own = _viterbi_part(
            np.stack([f.alone[part] for f in fits], 1), np.stack([f.after[part] for f in fits], 1),
            np.stack([f.early[part] for f in fits], 1), np.diff(part, prepend=-1) == 1, beats.eighths[part],
            shifts, usual)
        cost += own
    return shift, division, cost


def _viterbi_part(alone: FloatArray, after: FloatArray, early: npt.NDArray[np.bool_], follows: npt.NDArray[np.bool_],
                  eighths: npt.NDArray[np.bool_], shifts: FloatArray,
                  usual: FloatArray) -> tuple[IndexArray, IndexArray, float]:
    """`_viterbi` of one part: costs are [beats, shifts, divisions]; `follows`: the beat before is next to this one."""
    n, count, kinds = alone.shape
    drift = np.minimum(np.abs(shifts[:, None] - shifts) / _DRIFT, _JUMP)[:, :, None]
    staying = {kind: prior(kind).staying[:kinds, :kinds] + usual for kind in (4, 8)}
    extra = np.subtract(after, alone, out=np.zeros_like(alone), where=np.isfinite(alone))
    crossing = early[:-1] & follows[1:, None, None]
    crosses = np.asarray(crossing.any((1, 2)))
    own = alone + (shifts ** 2 / _BESIDE)[:, None]
    came_shift = np.zeros((n, count, kinds), np.int64)
    came_kind = np.zeros((n, count, kinds), np.int64)
    columns = np.arange(kinds)
    value = (9 * shifts ** 2 / _BESIDE)[:, None] + staying[4][0] + own[0]
    for i in range(1, n):
        ways = value[:, :, None] + staying[8 if eighths[i] else 4]
        if crosses[i - 1]:
            ways += crossing[i - 1][:, :, None] * extra[i][:, None, :]
        came_kind[i] = ways.argmin(1)
        value = ways.min(1)
        if count > 1:
            ways = value[:, None, :] + drift
            came_shift[i] = ways.argmin(0)
            came_kind[i] = came_kind[i][came_shift[i], columns]
            value = ways.min(0)
        value = value + own[i]
    shift, division = np.empty((2, n), np.int64)
    shift[-1], division[-1] = np.unravel_index(value.argmin(), value.shape)
    for i in range(n - 1, 0, -1):
        shift[i - 1] = came_shift[i, shift[i], division[i]]
        division[i - 1] = came_kind[i, shift[i], division[i]]
    return shift, division, float(value.min())


@dataclasses.dataclass(frozen=True)
class Onsets:
    """Where chords are written: `place` in beats (float64).

    `division` of every beat (int64), `shift` of the playing beside every beat (float64, in beats), `swing` of eighths
    and of sixteenths as they were played (.5: even).
    """

    place: FloatArray
    division: IndexArray
    shift: FloatArray
    swing: tuple[float, float]


def find_onsets(chords: Chords, beats: Beats) -> Onsets:
    """Choose a division for every beat and put every chord on a place of it.

    Every beat costs, at each division, the squared distances of its chords (Gaussian, the spread partly in seconds and
    partly in beats, so that a fast piece is not read in smaller values than a slow one), and what the division and the
    places struck cost by the prior; every change of division costs by the prior too. This is the maximum a posteriori
    reading of A. T. Cemgil, P. Desain and B. Kappen, "Rhythm Quantization for Transcription", Computer Music Journal
    24:2 (2000), over whole pieces by Viterbi's method as in H. Takeda, T. Nishimoto and S. Sagayama, "Rhythm and Tempo
    Recognition of Music Performance from a Probabilistic Approach" (ISMIR 2004). A first pass also finds how far the
    playing is beside the beat, which may change; then the spread, the divisions usual in the piece and its swing are
    taken from it for a second.
    """
    last = len(beats.seconds) - 1
    own = chords.place.astype(np.int64).clip(0, last)
    near = np.unique((own[:, None] + (-1, 0, 1)).clip(0, last))      # in a silence of any length nothing is to be found
    beat = np.searchsorted(near, own)
    close = dataclasses.replace(chords, place=chords.place - own + beat)
    lasts = np.append(0, np.diff(beats.new)[near])
    found = _find(close, dataclasses.replace(beats, new=np.cumsum(lasts), seconds=beats.seconds[near],
                                             eighths=beats.eighths[near]))
    division, shift = np.ones(len(beats.seconds), np.int64), np.zeros(len(beats.seconds))
    division[near], shift[near] = found.division, found.shift
    beat = np.floor(found.place + 1e-9).astype(np.int64)
    return Onsets(found.place - beat + np.append(near, near[-1] + 1)[beat], division, shift, found.swing)


def _find(chords: Chords, beats: Beats) -> Onsets:
    """`find_onsets` with silences cut out."""
    each = np.arange(len(chords.place))
    same = np.ones(len(each))
    fits = [_fit(chords, beats, shift * same, _FIRST_SPREAD * same, (.5, .5), len(_FIRST)) for shift in _SHIFTS]
    which, division, _ = _viterbi(fits, beats, _SHIFTS, np.array(_FIRST))
    shift: FloatArray = _SHIFTS[which]
    beat = np.floor(chords.place - shift[chords.place.astype(np.int64).clip(0, len(shift) - 1)])
    beat = beat.astype(np.int64).clip(0, len(shift) - 1)
    away = np.stack([f.away for f in fits])[which[beat], division[beat], each]
    shift = (shift + _smooth(away, beat, chords.weight, len(shift))).clip(-_FARTHEST_SHIFT, _FARTHEST_SHIFT)
    rest = (away - (shift - _SHIFTS[which])[beat]) / np.hypot(_LOOSE_MS / beats.seconds[beat], _LOOSE_SHARE)
    spread = _spread(rest, beat, chords.track, len(shift))
    counts = np.bincount(division[np.unique(beat)], minlength=len(DIVISIONS))
    usual = -.5 * np.log((counts + 20 * _COMMON) / (counts.sum() + 20) / _COMMON).clip(-3, 3)
    swing, late = _swing(chords.place - shift[beat])
    shift = shift + late
    best = np.inf
    for share in _SHARES:
        narrow = np.maximum(spread * share, _SPREADS[0])
        fit = _fit(chords, beats, shift[beat], narrow, swing)
        _, divided, cost = _viterbi([fit], beats, np.zeros(1), usual)
        cost += float(np.log(narrow).sum())
        if cost < best:
            best, division, place = cost, divided, fit.place
    moved = np.floor(np.maximum.accumulate(chords.place - shift[beat])).astype(np.int64).clip(0, len(shift) - 1)
    return Onsets(place[division[moved], each], np.array(DIVISIONS)[division], np.asarray(shift), swing)


def _smooth(away: FloatArray, beat: IndexArray, weight: FloatArray, n: int) -> FloatArray:
    """The mean distance around each beat, four beats to either side and the nearer the more (float64[n])."""
    near = np.where(np.abs(away) < .1, weight, 0)
    return _around(beat, near * away, n, 5) / (_around(beat, near, n, 5) + 2)


def _spread(rest: FloatArray, beat: IndexArray, track: IndexArray, n: int) -> FloatArray:
    """How loose the playing of each chord's track is around its beat, as a multiple of what is usual (float64[m]).

    A singer may be free while the band keeps time; what several tracks strike together is as loose as all are.
    """
    size = np.minimum(np.abs(rest), 3)
    found = np.empty(len(size))
    for number in np.unique(track):
        own = track == number
        heard = own if number >= 0 and own.sum() >= 16 else np.ones(len(size), bool)
        total, count = _around(beat[heard], size[heard], n, 16), _around(beat[heard], np.ones(heard.sum()), n, 16)
        found[own] = ((total + 4 * size[heard].mean()) / (count + 4))[beat[own]]
    return np.clip(_SPREAD_OF_MEAN * found, *_SPREADS)


def _around(beat: IndexArray, weight: FloatArray, n: int, reach: int) -> FloatArray:
    """Sums of weights around each beat, less and less up to `reach` beats away (float64[n])."""
    window = np.bartlett(2 * reach + 1)
    return np.convolve(np.bincount(beat, weight, n), window)[reach: reach + n]


def _swing(place: FloatArray) -> tuple[tuple[float, float], float]:
    """How the piece swings its eighths or its sixteenths: where the second of two is played, .5 where it does not.

    What has triplets of three notes in a quarter of its uneven beats is written in triplets. The last number is how
    far the beats are from where they would be had it not swung.
    """
    found = []
    on_beat = place - np.floor(place + .5)
    late = float(np.median(on_beat[np.abs(on_beat) < .15])) if (np.abs(on_beat) < .15).any() else 0.0
    for parts in (1, 2):
        within = ((place - late) * parts) % 1
        middle = int(((within > .27) & (within < .4)).sum())
        uneven = within[(within > .55) & (within < .70)]
        even = int((np.abs(within - .5) < .05).sum())
        swings = len(uneven) >= 12 and len(uneven) > 4 * even and middle < .25 * len(uneven)
        found.append(float(np.median(uneven)) if swings else .5)
    if found[0] != .5:
        found[1] = .5
    return (found[0], found[1]), late if found != [.5, .5] else 0.0
