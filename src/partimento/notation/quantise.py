"""From performed note times to note values that can be written."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from partimento.notation.quantise_beats import Beats, find_beats, in_bar, new_ticks_per_quarter, on_fine
from partimento.notation.quantise_exact import find_exact
from partimento.notation.quantise_graces import find_graces
from partimento.notation.quantise_lengths import find_ends, struck_again
from partimento.notation.quantise_onsets import Onsets, find_chords, find_onsets
from partimento.score import Controls, IntArray, Score, Text

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]

_PLAIN = (96, 10)      # parts of a quarter on which most written notes begin
_SIMPLE = (32, 24, 10, 14, 18)     # and on which they end: on a clock of 96 ticks nothing is off 96 parts
_WRITTEN = .6          # share of onsets, and of ends, that stand there in written music; by chance it is .2
_CRUSHED = 101         # the first grace note of its group, with a slash
_LONGEST_UNWRITTEN = 96_000    # ticks a quarter beyond which a meter has no beats that could be written


def is_performed(score: Score) -> bool:
    """Return whether the notes stand off every simple grid, as a player plays, rather than as they are written.

    A written score has most of its onsets and ends on 64ths, triplets of 32nds or quintuplets of the beat; a score
    that has voices, staves or spelling was written.

    >>> from partimento.score import Score
    >>> s = Score(onset=[0, 480, 960], duration=[480, 480, 480], pitch=[60, 62, 64], velocity=[80] * 3, track=[0] * 3)
    >>> is_performed(s), is_performed(s.replace(onset=[3, 487, 951], duration=[411, 402, 399]))
    (False, True)
    """
    if not len(score) or _notated(score):
        return False
    return not _is_written(score) and not (_mostly_on(score, score.onset, _PLAIN)
                                           and _mostly_on(score, score.offset, _SIMPLE))


def _mostly_on(score: Score, ticks: IntArray, parts: tuple[int, ...]) -> bool:
    """Whether most of the moments stand on these parts of a quarter."""
    found = on_fine(in_bar(score, np.unique(ticks)), score.ticks_per_quarter, parts)
    return float(found.mean()) >= _WRITTEN


def _notated(score: Score) -> bool:
    columns = (score.voice, score.staff, score.spelling, score.grace)
    return any(column is not None for column in columns) or "notation" in score.extras


def quantise(score: Score) -> Score:
    """Return the Score with written note values: every onset and every end on a place of its beat.

    Bars and beats are those of the Score. What is written already comes back as it is (with 480 ticks a quarter or a
    multiple), so ``quantise(quantise(s)) == quantise(s)``. No note is lost and none merged: hits of one pitch that
    would fall on one place are kept a small step apart, and a note ends at the latest where its pitch is struck again.
    A short note just before another becomes a grace note where it is clearly one (`grace` 101). A pick-up of odd length
    becomes one of whole beats, and the piece ends with a whole bar. Tempos stay, so playback stays roughly what it
    was; pedals and other controllers keep their place in the beat, and do not lengthen notes.

    >>> s = Score(onset=[3, 487, 713], duration=[411, 202, 199], pitch=[60, 62, 64], velocity=[80] * 3, track=[0] * 3)
    >>> quantise(s).notes()[:, :2].tolist()
    [[0, 480], [480, 240], [720, 240]]
    """
    if not len(score) or _notated(score) or new_ticks_per_quarter(score) > _LONGEST_UNWRITTEN:
        return score
    written = _is_written(score)
    if written and score.ticks_per_quarter % 480 == 0:
        return score
    beats = find_beats(score, written)
    main = np.full(len(score), -1) if written else find_graces(score, beats)
    notes = np.flatnonzero(main < 0)
    exact, exact_end, need = find_exact(score, beats, written)
    if need > 1:
        beats = find_beats(score, written, need)
    chords = find_chords(score, beats, notes)
    found = find_onsets(chords, beats)
    place = np.zeros(len(score))
    place[notes] = np.where(np.isnan(exact[notes]), found.place[chords.group], exact[notes])
    onset = np.rint(beats.new_ticks(place)).astype(np.int64)
    fine = beats.ticks_per_quarter // 480
    onset[notes] = _apart(score.select(notes), onset[notes], 5 * fine)
    ordinary = score.select(notes)
    begin, end = (beats.new_ticks(_played(ticks, beats, found)) for ticks in (ordinary.onset, ordinary.offset))
    stop = find_ends(ordinary, onset[notes], begin, end, beats, found.division)
    graces = np.flatnonzero(main >= 0)
    onset[graces] = onset[main[graces]]
    kept = np.rint(beats.new_ticks(exact_end[notes]))
    stop = np.where(np.isnan(kept) | (kept <= onset[notes]), stop, kept).astype(np.int64)
    stop = np.minimum(stop, struck_again(onset, score)[notes])          # a grace note strikes its pitch too
    stop = np.where(stop > onset[notes], stop, onset[notes] + 10 * fine)
    duration = np.zeros(len(score), np.int64)
    duration[notes] = stop - onset[notes]
    grace = np.where(main < 0, 0, _CRUSHED) if len(graces) else None
    return _framed(score, beats, found, onset, duration, grace, bool(np.isfinite(exact_end).any()))


def _is_written(score: Score) -> bool:
    """Whether every onset, every end and every bar line stands where one can be written."""
    starts = score.bar_starts.astype(np.int64)
    lines = np.diff(starts[:-1])
    plain = score.ticks_per_quarter % 480 == 0 or _mostly_on(score, score.offset, _SIMPLE)
    return plain and bool((score.duration > 0).all()) and all(
        bool(on_fine(ticks, score.ticks_per_quarter).all())
        for ticks in (lines, in_bar(score, score.onset), in_bar(score, score.offset)))


def _played(ticks: npt.NDArray[np.integer], beats: Beats, found: Onsets) -> FloatArray:
    """Where ticks are in beats, had the playing not been beside the beat."""
    place = beats.place(ticks)
    return np.asarray(place - found.shift[place.astype(np.int64).clip(0, len(found.shift) - 1)])


def _apart(score: Score, onset: IndexArray, step: int) -> IndexArray:
    """Onsets moved on by a step or more where a pitch of a track that was struck twice would be struck once."""
    lane = score.track.astype(np.int64) * 128 + score.pitch
    order = np.lexsort((score.onset, lane))
    lane, played, at = lane[order], score.onset[order], onset[order]
    close = (lane[1:] == lane[:-1]) & (played[1:] > played[:-1]) & (at[1:] <= at[:-1])
    for i in np.flatnonzero(close).tolist():
        last = at[i]
        while i + 1 < len(at) and lane[i + 1] == lane[i] and (at[i + 1] <= at[i] or played[i + 1] == played[i]):
            i += 1
            at[i] = last if played[i] == played[i - 1] else (at[i - 1] // step + 2) * step
            last = at[i]
    out = onset.copy()
    out[order] = at
    return out


def _framed(score: Score, beats: Beats, found: Onsets, onset: IndexArray, duration: IndexArray,
            grace: npt.NDArray[np.int64] | None, whole: bool) -> Score:
    """The Score with these notes, and everything else of it moved to where it belongs beside them.

    It ends with a whole bar, if not where its written end (`whole`) says.
    """
    tpq = beats.ticks_per_quarter
    cut = int(beats.new[1]) if beats.loose and onset.min() >= beats.new[1] else 0
    bars = score.bar_starts.astype(np.int64)
    struck, first = np.unique(score.onset, return_index=True)

    def along(ticks: npt.ArrayLike) -> IndexArray:
        """Where controllers and tempos go."""
        at = np.asarray(ticks, np.int64)
        beyond = np.maximum(at - beats.start[-1], 0) * tpq / score.ticks_per_quarter
        return np.asarray(np.maximum(np.rint(beats.new_ticks(beats.place(at)) + beyond).astype(np.int64) - cut, 0))

    def hung(tick: int) -> int:
        """Where words and signs go: with the bar line or the note that they stand at, or to the nearest half beat."""
        i = int(np.searchsorted(struck, tick))
        if tick in bars_new:
            return int(bars_new[tick])
        if i < len(struck) and struck[i] == tick:
            return int(onset[first[i]]) - cut
        return max(round(int(along(tick) + cut) / (tpq // 2)) * (tpq // 2) - cut, 0)

    bars_new = dict(zip(bars[:-1].tolist(), (beats.bar_new[:-2] - cut).clip(0).tolist(), strict=True))
    end = int(beats.bar_new[-2]) - cut
    last = in_bar(score, np.array([score.end]))
    if whole and score.end < beats.start[-2] and on_fine(last, score.ticks_per_quarter)[0]:
        end = int(along(score.end))
    end = max(end, int((onset + duration).max()) - cut)
    swing = "Swing" if found.swing[0] != .5 else "Swing sixteenths" if found.swing[1] != .5 else ""
    said = any(text.kind == "tempo" and "swing" in text.text.lower() for text in score.texts)
    texts = [text._replace(tick=hung(text.tick)) for text in score.texts]
    controls = score.controls
    changes: dict[str, Any] = {
        "onset": onset - cut, "duration": duration, "grace": grace, "ticks_per_quarter": tpq, "end": end,
        "meters": tuple(m._replace(tick=bars_new.get(m.tick, end + m.tick)) for m in score.meters),
        "tempos": tuple(t._replace(tick=int(along(t.tick))) for t in score.tempos),
        "keys": tuple(k._replace(tick=hung(k.tick)) for k in score.keys),
        "chords": tuple(c._replace(tick=hung(c.tick)) for c in score.chords),
        "marks": tuple(m._replace(tick=hung(m.tick)) for m in score.marks),
        "texts": (*texts, *([Text(0, -1, "tempo", swing)] if swing and not said else [])),
        "controls": Controls(along(controls.tick).astype(np.int32), controls.track, controls.kind, controls.number,
                             controls.value)}
    return score.replace(**changes)
