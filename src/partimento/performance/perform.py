"""A piece as a player plays it: the rules and the drum feel put together, in velocities, ticks and tempos."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from partimento import __version__
from partimento.errors import RequestError, nearest
from partimento.features.notes import FloatArray, IndexArray
from partimento.frame import frame
from partimento.notation.play import played
from partimento.notation.ready import is_written
from partimento.performance import rules
from partimento.performance.drums import drum_feel, kit_parts
from partimento.performance.rules import RULES, TOGETHER_MS, Hearing
from partimento.performance.tempo import tempo_curve
from partimento.request import MAX_COUNT, Request, Result, pack_score, platform_string, unpack_score
from partimento.sampling import generator
from partimento.score import MAX_TICK, OPTIONAL_COLUMNS, BoolArray, Controls, Score

DEFAULT_STRENGTH = 0.7
FINE = 480                      # ticks a quarter that small deviations need at least
MOST_CUT = 0.2                  # of its length that a note loses at most
LEVEL = 75                      # percentile of the hits that keep their loudness: accents stay, the rest steps back
MOST_QUANTITY = 5.0             # of a rule
GROOVE = 0.5                    # drums in more of the bars than this share keep time for all
DB = 40.0                       # dB of a velocity ten times as high
TEMPO_RULES = ("phrase_tempo", "final_ritard")
_VARIED = 2                     # half of the notes of a track this far in velocity from the one before: it was played
_OFF = 0.4                      # or this share of its onsets off eighths and twelfths of a quarter


class _Moves(NamedTuple):
    """What is done to every note: dB, and milliseconds by which its onset and its end are moved."""

    db: FloatArray
    onset_ms: FloatArray
    end_ms: FloatArray


def humanize_score(request: Request, source: Score | None = None, count: int = 1) -> list[Result]:
    """`count` Results of a Request to humanize a piece: the same notes with other velocities, times and tempos.

    `source` may stand inside the request instead. Everything left open is filled in: `strength` 0.7, and `rules`, the
    quantity of each rule of `RULES` (tempo rules are off where drums play in most bars, where swing is asked, where
    only some tracks are performed, and where the tempo moves already). RequestError where there is no such rule or
    place.

    >>> scale = Score.from_rows([(480 * i, 480, 60 + i, 80, 0) for i in range(8)])
    >>> humanize_score(Request(verb="humanize", strength=1.0), scale)[0].score.velocity.tolist()[0] < 80
    True
    """
    if not 1 <= count <= MAX_COUNT:
        raise RequestError(f"count must lie in 1..{MAX_COUNT} (pieces to write); got {count}")
    if request.verb != "humanize":
        raise RequestError(f"a request to perform must be of the verb humanize; got {request.verb}")
    if source is None:
        if request.input is None:
            raise RequestError("humanize needs a piece to work on; give one")
        source = unpack_score(request.input)
    score = _fine(played(source) if is_written(source) else source)
    made = frame(request, score)
    heard = Hearing(score)
    quantities, told = _quantities(request, heard)
    strength = DEFAULT_STRENGTH if request.strength is None else request.strength
    resolved = request.replace(strength=strength, rules=quantities, input=pack_score(source))
    if not strength and request.swing is None:
        empty = np.zeros(len(source), bool)
        return [Result(source, resolved.replace(index=request.index + k), (), empty, (), (), 0, 0,
                       platform_string(__version__)) for k in range(count)]
    told = (*told, *_told_before(source, score))
    open_notes, regions = made.blanks.inside(score, "expression"), made.blanks.regions
    start, end = min(region.start for region in regions), max(region.end for region in regions)
    scaled = {name: strength * quantity for name, quantity in quantities.items()}
    tempos = tempo_curve(heard, start, end, scaled["phrase_tempo"], scaled["final_ritard"])
    steady = _steady(heard, scaled, request.swing)
    found = []
    for index in range(request.index, request.index + count):
        moves = _with_chance(steady, heard, scaled, request.seed, index)
        done, new = _moved(score, open_notes, moves, tempos)
        found.append(Result(done, resolved.replace(index=index), (), new, regions, (*told, _told(score, done)), 0, 0,
                            platform_string(__version__)))
    return found


def swing_of(asked: float | str | None, score: Score) -> float | None:
    """The ratio of swing that is meant; ``auto`` is what jazz drummers play on the ride cymbal at the tempo.

    A. Friberg and A. Sundström, "Swing Ratios and Ensemble Timing in Jazz Performance", Music Perception 19(3), 2002:
    less the faster; as a line in their program Director Musices, 4.1019 − 0.01 a beat a minute, from 1 to 3.1019.

    >>> swing_of("2", Score()), round(swing_of("auto", Score()), 4)
    (2.0, 2.9019)
    """
    if asked is None:
        return None
    if asked == "auto":
        return min(max(4.1019 - 0.01 * score.tempos[0].bpm, 1.0), 3.1019)
    try:
        return float(asked)
    except ValueError:
        raise RequestError(f"swing must be a ratio from 1 to 4, or auto; got {asked!r}") from None


# --- what is asked, and what is there ----------------------------------------------------------------------------


def _quantities(request: Request, heard: Hearing) -> tuple[dict[str, float], tuple[str, ...]]:
    """The quantity of every rule, and what is worth telling of the choice."""
    for name, quantity in request.rules.items():
        if name not in RULES:
            raise RequestError(nearest(name, RULES, "rule"))
        if not abs(quantity) <= MOST_QUANTITY:
            raise RequestError(f"the quantity of {name} must lie in -{MOST_QUANTITY:g}..{MOST_QUANTITY:g} (1 is as "
                               f"published, 0 off); got {quantity:g}")
    score = heard.score
    struck = score.bar_starts[:-1].searchsorted(score.onset[~heard.pitched], side="right")
    off = [why for why, holds in (
        ("drums keep time", len(np.unique(struck)) > GROOVE * score.n_bars),
        ("swing needs a steady beat", request.swing is not None),
        ("the tempo belongs to all tracks", bool(request.tracks)),
        ("the tempo moves already", len(score.tempos) > max(score.n_bars, 4))) if holds]
    defaults = {name: 0.0 if off and name in TEMPO_RULES else rule.quantity for name, rule in RULES.items()}
    told: tuple[str, ...] = ()
    if off and not any(name in request.rules for name in TEMPO_RULES):
        told = (f"the tempo stays as it is, since {' and '.join(off)}; --rule phrase_tempo=1 bends it",)
    return {**defaults, **request.rules}, told


def _told_before(source: Score, score: Score) -> tuple[str, ...]:
    """Sentences on a piece that somebody played already, and on a page."""
    out = []
    own = [score.velocity[score.track == i].astype(np.int64) for i in np.unique(score.track).tolist()]
    varied = any(len(one) > 1 and np.median(np.abs(np.diff(one))) >= _VARIED for one in own)
    at = np.unique(score.onset) / score.ticks_per_quarter
    off = np.minimum(*(np.abs(at - np.rint(at * parts) / parts) for parts in (8, 12)))
    timed = bool((off > 1 / 96).mean() > _OFF)
    if not is_written(source) and (timed or varied):
        what = " and ".join(["its notes stand off the grid"] * timed + ["its velocities vary"] * varied)
        out.append(f"this piece is performed already ({what}): what is done now comes on top of that")
    if is_written(source):
        repeats = any(mark.kind == "repeat" for mark in source.marks)
        out.append(f"the page is performed as it is played{', with its repeats taken' * repeats}: bars are counted so, "
                   "and a page of the performance is set anew")
    return tuple(out)


def _told(before: Score, after: Score) -> str:
    """What was done, in numbers."""
    def span(values: Any) -> str:
        low, high = round(float(np.min(values))), round(float(np.max(values)))
        return f"{low}" if low == high else f"{low} to {high}"

    bpm = [[tempo.bpm for tempo in score.tempos] for score in (before, after)]
    said = f"velocities {span(after.velocity)} (before {span(before.velocity)})" if len(after) else "no notes"
    return said + (f", tempo {span(bpm[1])} (before {span(bpm[0])})" if after.tempos != before.tempos else "")


def _fine(score: Score) -> Score:
    """The same on a clock with at least `FINE` ticks a quarter, where the longest tick allows it."""
    by = -(-FINE // score.ticks_per_quarter)
    if by == 1 or score.end * by > MAX_TICK or not len(score):
        return score
    frame_of: dict[str, Any] = {name: tuple(entry._replace(tick=entry.tick * by) for entry in getattr(score, name))
                                for name in ("meters", "tempos", "keys", "chords", "marks", "texts")}
    controls = dataclasses.replace(score.controls, tick=score.controls.tick * by) if len(score.controls) \
        else Controls.empty()
    extras = {name: value for name, value in score.extras.items() if name != "notation"}
    return score.replace(**frame_of, onset=score.onset * by, duration=score.duration * by, controls=controls,
                         ticks_per_quarter=score.ticks_per_quarter * by, end=score.end * by, extras=extras)


# --- what is done ------------------------------------------------------------------------------------------------


def _steady(heard: Hearing, quantities: Mapping[str, float], swing: float | None) -> _Moves:
    """What the rules do, without what is left to chance."""
    score = heard.score
    db = np.zeros(len(score)) + rules.summed(rules.LOUDNESS, heard, quantities)
    for track in np.unique(score.track[heard.pitched]).tolist():        # a track stays as loud as it was
        own = heard.pitched & (score.track == track)
        db[own] -= db[own].mean()
    ticks = np.stack([score.onset, score.offset]).astype(np.int64)
    moved = np.where(heard.pitched, _displaced(heard, quantities, ticks), 0.0)
    if swing is not None:
        moved = moved + _swung(score, ticks, swing)
    pause = np.zeros(len(score)) + rules.summed(rules.LENGTH, heard, quantities)
    moved[1] -= np.minimum(pause, MOST_CUT * heard.lengths)
    for index, track in enumerate(score.tracks):
        if track.is_drum and (score.track == index).any() and quantities["drum_feel"]:
            feel = drum_feel(score, index)
            hits, share = score.pitch[feel.notes], quantities["drum_feel"]
            own = min(abs(share), 1.0) * _levelled(DB * np.log10(score.velocity[feel.notes]), hits)
            db[feel.notes] = share * _levelled(DB * np.log10(feel.velocity), hits) - own    # accents are not made twice
            moved[:, feel.notes] += quantities["drum_feel"] * (feel.delay_ms - feel.delay_ms.mean())
    return _Moves(db, moved[0], moved[1])


def _levelled(db: FloatArray, pitch: Any) -> FloatArray:
    """Loudness of hits beside that of the accents: half beside those of all hits, half beside those of its own part.

    So a kit stays mixed as it was written, and yet a part that is only brushed stays below one that is struck.
    """
    part = kit_parts(pitch)
    accent = np.full(len(db), np.percentile(db, LEVEL) / 2)
    for one in np.unique(part).tolist():
        accent[part == one] += np.percentile(db[part == one], LEVEL) / 2
    return db - accent


def _displaced(heard: Hearing, quantities: Mapping[str, float], ticks: IndexArray) -> FloatArray:
    """Milliseconds by which the timing rules move what stands at ticks; from one bar line to the next nothing is lost.

    The intervals between moments are made longer and shorter, and those from one moment on a bar line to the next all
    together as long as before, so that the bars keep their places.
    """
    time, moments = heard.intervals, heard.moments
    if len(moments) < 2 or not any(quantities[name] for name in rules.TIMING):
        return np.zeros(ticks.shape)
    wanted = np.maximum(time + rules.summed(rules.TIMING, heard, quantities), rules.SHORTEST * time)
    now = heard.ms(moments)
    lines = heard.ms(heard.score.bar_starts)
    nearest_line = lines[np.searchsorted((lines[:-1] + lines[1:]) / 2, now)]
    span = np.cumsum(np.abs(now - nearest_line) < TOGETHER_MS)
    whole, new = (np.bincount(span, values) for values in (time, wanted))
    fitted = wanted * (whole / np.maximum(new, 1e-9))[span]
    moved = np.append(0.0, np.cumsum(fitted - time))
    return np.asarray(np.interp(heard.ms(ticks), np.append(now, now[-1] + time[-1]), moved))


def _swung(score: Score, ticks: IndexArray, ratio: float) -> FloatArray:
    """Milliseconds by which swing moves what stands at ticks: the halves of a beat become as long as `ratio` to 1.

    Beats with triplets stay, and so does what is in meters that have no halves of a quarter.
    """
    quarter = score.ticks_per_quarter
    bar = np.searchsorted(score.bar_starts[:-1], ticks, side="right") - 1
    first = score.bar_starts.astype(np.int64)[bar]
    if score.has_pickup:
        first = np.where(bar == 0, int(score.bar_starts[1]), first)
    beat, inside = np.divmod(ticks - first, quarter)
    place = np.rint(12 * inside / quarter)
    home = bar * 1024 + beat                                            # no bar has so many beats to tell apart
    triplets = np.isin(home, np.unique(home[0][np.isin(place[0], (2, 4, 8, 10))]))
    denominators = np.array([meter.denominator for meter in score.meters])
    ruling = denominators[np.searchsorted([meter.tick for meter in score.meters], ticks, side="right") - 1]
    share, at = ratio / (1 + ratio), inside / quarter
    new = np.where(at <= 0.5, 2 * share * at, share + (at - 0.5) * 2 * (1 - share))
    us = np.array([tempo.us_per_quarter for tempo in score.tempos])
    rate = us[np.searchsorted([tempo.tick for tempo in score.tempos], ticks, side="right") - 1] / 1000
    return np.where(triplets | (ruling > 4), 0.0, (new - at) * rate)


def _with_chance(steady: _Moves, heard: Hearing, quantities: Mapping[str, float], seed: int, index: int) -> _Moves:
    """The moves with what no player does twice alike: sums of three uniform draws, of standard deviation 1, a note."""
    score, own = heard.score, RULES["noise"].parameters
    uniform = generator(seed, index, 6).random((len(score), 2, 3))
    chance = 2 * (uniform.sum(axis=2) - 1.5)
    db, late = (quantities["noise"] * own[unit] * chance[:, k] for k, unit in enumerate(("db", "ms")))
    for track, about in enumerate(score.tracks):
        if about.is_drum and (score.track == track).any():
            notes = np.flatnonzero(score.track == track)
            db[notes] = late[notes] = 0
            if quantities["drum_feel"]:
                feel = drum_feel(score, track)
                share = quantities["drum_feel"] * RULES["drum_feel"].parameters["spread"]
                spread = np.abs(feel.spread) * share * chance[feel.notes]
                db[feel.notes] = DB * np.log10(np.maximum(feel.velocity + spread[:, 0], 4) / feel.velocity)
                late[feel.notes] = spread[:, 1]
    return _Moves(steady.db + db, steady.onset_ms + late, steady.end_ms + late)


def _moved(score: Score, open_notes: BoolArray, moves: _Moves, tempos: Any) -> tuple[Score, BoolArray]:
    """The Score with its notes moved, and which of its notes may have been; what began earlier still does."""
    us = np.array([tempo.us_per_quarter for tempo in score.tempos])
    ruling = np.searchsorted([tempo.tick for tempo in score.tempos], score.onset, side="right") - 1
    rate = 1000 * score.ticks_per_quarter / us[ruling]
    old, old_end = score.onset.astype(np.int64), score.offset.astype(np.int64)
    onset = np.where(open_notes, np.rint(old + moves.onset_ms * rate), old).astype(np.int64)
    end = np.where(open_notes, np.rint(old_end + moves.end_ms * rate), old_end).astype(np.int64)
    onset = np.where(open_notes, _in_order(score, onset).clip(0, max(score.end - 1, 0)), onset)
    end = np.where(open_notes, np.maximum(end, onset + np.minimum(score.duration, 1)), end)
    onset, end = _apart(score, open_notes, onset, end)
    end = np.where(open_notes, np.maximum(np.minimum(end, score.end), onset), end)
    loud = score.velocity * 10 ** (moves.db / DB)
    velocity = np.where(open_notes, np.rint(loud).clip(1, 127), score.velocity).astype(np.int64)
    tagged = score.replace(onset=onset, duration=end - onset, velocity=velocity, tempos=tempos,
                           **dict.fromkeys(OPTIONAL_COLUMNS) | {"voice": np.arange(len(score))})
    return tagged.replace(voice=None), open_notes[tagged.voice]


def _in_order(score: Score, onset: IndexArray) -> IndexArray:
    """New onsets with those of each track in their old order, a tick apart where they were apart."""
    out = onset.copy()
    for track in np.unique(score.track).tolist():
        own = np.flatnonzero(score.track == track)                      # by their old onsets
        group = np.cumsum(np.diff(score.onset[own], prepend=score.onset[own[0]]) > 0)
        above = out[own] - group                                        # a tick a group is theirs
        most = np.maximum.accumulate(above)
        first = np.flatnonzero(np.diff(group, prepend=-1))
        before = np.append(np.iinfo(np.int64).min // 2, most)[first][group]
        out[own] = np.maximum(above, before) + group
    return out


def _apart(score: Score, open_notes: BoolArray, onset: IndexArray, end: IndexArray) -> tuple[IndexArray, IndexArray]:
    """Onsets and ends with notes of one pitch in one track that did not overlap still not overlapping."""
    lane = score.track.astype(np.int64) * 128 + score.pitch
    order = np.lexsort((score.onset, lane))
    a, b = order[:-1], order[1:]
    follow = (lane[a] == lane[b]) & (score.offset[a] <= score.onset[b]) & (score.onset[a] < score.onset[b])
    a, b = a[follow], b[follow]
    kept = ~open_notes[a] & open_notes[b]
    onset[b[kept]] = np.maximum(onset[b[kept]], end[a[kept]])
    end = np.maximum(end, onset + np.where(open_notes, np.minimum(score.duration, 1), 0))
    cut = open_notes[a]
    end[a[cut]] = np.minimum(end[a[cut]], np.maximum(onset[b[cut]], onset[a[cut]]))
    return onset, end
