"""What a page needs and a Score may not say: note values, a key, hands, voices and spelling, filled in."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from partimento import features, theory
from partimento.notation import quantise, ready_drums, ready_tracks, spelling
from partimento.score import IntArray, Key, Mark, Meter, Score, Track

IndexArray = npt.NDArray[np.int64]

_KEYBOARDS = {*range(8), *range(16, 21), 46}            # pianos, organs, harp: two staves where the music is wide
_MIDDLE, _OCTAVE = 60, 12
_MOST, _MOST_PLAYED = 4, 2                              # voices on a staff; what was played is seldom meant as more
_SHORTEST_BAR = 32                                      # parts of a quarter of which every bar is made


def ready(score: Score) -> Score:
    """Return the Score with everything a page needs; a Score that was read from notation stays as it is.

    Otherwise performed time is quantised, the piece ends with a whole bar and a final bar line, tracks without notes
    are left off (all but one of an empty piece), two tracks that are the hands of one keyboard become one, and the key
    is heard where none is written that fits. Syllables go to the nearest note of their track (of the track that they
    fit best, where theirs has none; what fits nowhere is left out), and a keyboard gets two staves if its music is
    wide. Staves, voices and spelling are given to all notes that have none; for that, notes that overlap within a
    voice are cut. A meter whose bars no note values fill is replaced by 4/4.

    >>> s = ready(Score(onset=[0, 0], duration=[480, 480], pitch=[76, 40], velocity=[80, 80], track=[0, 0]))
    >>> s.staff.tolist(), s.voice.tolist(), s.end
    ([2, 1], [2, 1], 1920)
    """
    written, played = is_written(score), quantise.is_performed(score)
    score = _whole(score if written else quantise.quantise(score))
    if not written:
        score = _prepared(score)
    return _spelled(_voiced(_lasting(score), played))


def is_written(score: Score) -> bool:
    """Return whether a Score was read from notation: voices or staves are said, or notation rides along.

    >>> is_written(Score()), is_written(Score(voice=[]))
    (False, True)
    """
    return score.voice is not None or score.staff is not None or "notation" in score.extras


# --- what was never on a page ----------------------------------------------------------------------------------


def _whole(score: Score) -> Score:
    """At least one track and one bar; bars that note values fill."""
    if not score.tracks:
        score = score.replace(tracks=(Track(),))
    quarter = score.ticks_per_quarter
    meters = tuple(_plain(meter) for meter in score.meters)
    if not score.end:
        score = score.replace(meters=meters[:1], end=max(1, meters[0].numerator * 4 * quarter // meters[0].denominator))
    elif meters != score.meters:
        score = score.replace(meters=meters)
    edges = score.bar_starts[:-1].astype(np.int64)
    if (edges * _SHORTEST_BAR % quarter).any():
        kept = [score.meters[0]]
        for meter in score.meters[1:]:                  # to the nearest bar line of the meter before
            first, bar = kept[-1].tick, max(1, kept[-1].numerator * 4 * quarter // kept[-1].denominator)
            tick = first + round((meter.tick - first) / bar) * bar
            kept = kept[:-1] if tick == first and len(kept) > 1 else kept
            kept.append(meter._replace(tick=tick))
        score = score.replace(meters=tuple(kept))
    return score


def _plain(meter: Meter) -> Meter:
    """The meter with a power of two below, of the same length where note values have it, else 4/4."""
    length = Fraction(4 * meter.numerator, meter.denominator)
    if (length * _SHORTEST_BAR).denominator > 1:
        return Meter(meter.tick, 4, 4)
    if meter.denominator & (meter.denominator - 1) == 0:
        return meter
    return Meter(meter.tick, length.numerator, 4 * length.denominator)


def _prepared(score: Score) -> Score:
    score = _full_lengths(score)
    score = ready_tracks.sung(ready_tracks.printed_names(ready_tracks.joined_hands(ready_tracks.filled(score))))
    last = int(score.bar_starts[-2]) if score.n_bars else 0
    score = score.replace(end=max(score.end, last + score.full_bar_ticks(last)))
    score = _keyed(ready_drums.drums_written(score))
    if not any(mark.kind == "barline" and mark.tick == score.end for mark in score.marks):
        score = score.replace(marks=(*score.marks, Mark(score.end, "barline", "final")))
    return score


def _full_lengths(score: Score) -> Score:
    """Notes that end a sliver before a plain value, as players of files let them, last for it where nothing begins.

    A plain value is a power of two of a quarter, or that with a dot; a sliver is an eighth of it at the most, but half
    of an eighth note, or of a shorter one, that stands detached before the next. Thirds of a value between beats are
    notes of a triplet, and where more notes stand so than on half beats, all thirds are.
    """
    quarter = score.ticks_per_quarter
    values = np.sort([quarter * part * 2.0 ** power for part in (1, 1.5) for power in range(-4, 4)])
    duration = score.duration.astype(np.int64)
    value = np.append(values, 0)[np.searchsorted(values, duration)]
    place = score.track.astype(np.int64) << 32
    begins = np.unique(place + score.onset)
    following = np.append(begins, 1 << 62)[np.searchsorted(begins, place + score.offset)] - place
    longer = (value > duration) & (value - duration <= value / 8) & (score.onset + value <= following)
    bars = score.bar_starts.astype(np.int64)
    within = score.onset - bars[np.searchsorted(bars, score.onset, "right") - 1]
    threes = (within * 2 % quarter != 0) & (within * 3 % quarter == 0)
    swings = threes.sum() > ((within * 2 % quarter == 0) & (within % quarter != 0)).sum()
    longer &= ~((threes | swings) & (duration * 3 % quarter == 0))
    detached = (duration * 4 <= quarter) & (score.onset + 2 * duration == following)
    value = np.where(detached, 2 * duration, value)
    longer = (longer | detached) & (score.onset + value <= score.end)
    return score.replace(duration=np.where(longer, value, duration)) if longer.any() else score


def _keyed(score: Score) -> Score:
    """The key heard, where none is written, or only the C major that programs write unasked and that does not fit."""
    default = len(score.keys) == 1 and score.keys[0].fifths == 0 and not features.written_key_fits(score)
    if (score.keys and not default) or features.heard_key(score) is None:
        return score
    found = features.rank_keys(features.pitch_classes(score))[0]
    return score.replace(keys=(Key(0, theory.fifths(*found), found.mode),))


# --- staves, voices, spelling ----------------------------------------------------------------------------------


def _voiced(score: Score, played: bool) -> Score:
    """Staff and voice for every note of the tracks where any has none; overlaps within a voice are cut."""
    from partimento.notation import hands, voices

    count = len(score)
    staff = np.full(count, -1, np.int32) if score.staff is None else score.staff.copy()
    voice = np.full(count, -1, np.int32) if score.voice is None else score.voice.copy()
    duration = score.duration.astype(np.int64)
    for index, track in enumerate(score.tracks):
        own = np.flatnonzero(score.track == index)
        if not len(own) or (staff[own].min() >= 1 and voice[own].min() >= 1):
            continue
        missing = own[staff[own] < 1]
        if len(missing):
            wide = not track.is_drum and (staff[own].max() > 1 or _needs_two_staves(score, index))
            staff[missing] = hands.hands(score, index)[staff[own] < 1] if wide else 1
        if voice[own].min() >= 1:
            continue
        below = 0
        for number in np.unique(staff[own]).tolist():
            there = own[staff[own] == number]
            if track.is_drum:
                given = 1 + ready_drums.feet(score.pitch[there]).astype(np.int32)
            else:
                if played:
                    duration[there] = _one_after_another(score.onset[there], duration[there], score.ticks_per_quarter)
                given = voices.voices(score.onset[there], duration[there], score.pitch[there],
                                      bar_starts=score.bar_starts, most=_MOST_PLAYED if played else _MOST)
            duration[there] = voices.cut_lengths(score.onset[there], duration[there], given)
            voice[there] = given + below
            below += int(given.max())
    if score.staff is None or score.voice is None or not np.array_equal(staff, score.staff) \
            or not np.array_equal(voice, score.voice):
        return score.replace(staff=staff, voice=voice, duration=duration)
    return score


def _one_after_another(onset: IntArray, duration: IndexArray, quarter: int) -> IndexArray:
    """Durations with what is played shorter than a quarter cut where the next note of the staff begins."""
    begins = np.unique(onset)
    following = np.append(begins, 1 << 40)[np.searchsorted(begins, onset, side="right")]
    return np.where(duration < quarter, np.minimum(duration, following - onset), duration)


def _needs_two_staves(score: Score, track: int) -> bool:
    """Whether a keyboard's music lies on both sides of middle C, with more than an octave at a time now and then."""
    if score.tracks[track].program not in _KEYBOARDS:
        return False
    own = np.flatnonzero(score.track == track)
    pitch = score.pitch[own]
    if min((pitch < _MIDDLE - 5).mean(), (pitch > _MIDDLE).mean()) <= 0.04:
        return False
    sounding: list[tuple[int, int]] = []
    wide, last = 0, 0
    moments = np.append(np.flatnonzero(np.diff(score.onset[own])) + 1, len(own))
    for stop in moments.tolist():
        now = int(score.onset[own[last]])
        sounding = [note for note in sounding if note[0] > now]
        sounding += zip(score.offset[own[last:stop]].tolist(), pitch[last:stop].tolist(), strict=True)
        heights = [height for _, height in sounding] or [0]
        wide += max(heights) - min(heights) > _OCTAVE
        last = stop
    return wide > 0.05 * len(moments)


def _spelled(score: Score) -> Score:
    """A spelling for every pitched note that has none, or one that is not of its pitch."""
    pitched = features.pitched(score)
    said = np.full(len(score), -1, np.int32) if score.spelling is None else score.spelling
    wrong = pitched & ((said < 0) | ((said * 7 - 105 - score.pitch) % 12 != 0))
    return score if score.spelling is not None and not wrong.any() else spelling.respelled(score)


def _lasting(score: Score) -> Score:
    """No note without length but grace notes: others last a 32nd, or to the end of the piece where that is nearer."""
    graces = score.grace > 0 if score.grace is not None else np.zeros(len(score), bool)
    short = (score.duration == 0) & ~graces
    if not short.any():
        return score
    length = np.full(len(score), max(1, score.ticks_per_quarter // 8))
    left = score.end - score.onset
    length = np.where(left > 0, np.minimum(length, left), length)
    return score.replace(duration=np.where(short, length, score.duration))
