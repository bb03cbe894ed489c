"""Where the bars are: a Score re-barred without moving a note, and sentences about bars that look wrong."""

from __future__ import annotations

import math

import numpy as np

from partimento.errors import RequestError
from partimento.formats.bars import found_meters
from partimento.formats.downbeat import downbeat as find_downbeat
from partimento.formats.downbeat import first_meter
from partimento.score import MAX_BARS, Meter, Score
from partimento.theory import parse_meter

_FEWEST_ONSETS, _MOST_ONSETS = 32, 100_000
_LOOSE = 0.35          # how far onsets gather on a grid (0 not at all, 1 exactly): below this they keep to none
_TIGHT = 0.9


def rebar(score: Score, meter: tuple[int, int] | str | None, downbeat: float | str | None = None) -> Score:
    """Return the Score with other bars and the same notes: one `meter` from the start, bars counted from `downbeat`.

    `downbeat` is the time of a first beat of a bar in quarter notes from the start of the file, fractions allowed;
    what comes before the first whole bar is a partial bar, numbered 0. `meter` None keeps the meter of the start and
    the later changes of it. RequestError when the meter is none or the downbeat lies outside the piece.

    The downbeat ``auto`` is found from the notes (see ``formats.downbeat``). With `meter` None it is looked for in
    the file's own meter, or in 4/4 where that has a single beat, which no musician hears as one; a file whose meter
    changes on the way knows where its bars are and comes back as it is.

    The meter ``auto`` is found from the notes too, and every bar with it: 4/4, 2/4, 3/4 or 6/8, which may change, with
    bars that are shorter or longer between (see ``formats.bars``). It goes with no downbeat, or with ``auto``.

    >>> s = Score(onset=[0, 480], duration=[480, 1920], pitch=[60, 64], velocity=[80, 80], track=[0, 0])
    >>> t = rebar(s, (2, 4), 1)
    >>> t.bar_starts.tolist(), t.has_pickup
    ([0, 480, 1440, 2400], True)
    """
    downbeat = parse_downbeat(downbeat)
    if isinstance(meter, str):
        if meter != "auto":
            raise RequestError(f"a meter must be a count over a power of two, like 3/4 or 6/8, or auto; got {meter!r}")
        if isinstance(downbeat, float):
            raise RequestError("where the meter is auto the first downbeat is found too: leave it out or say auto; got "
                               f"{downbeat:g}")
        meters_found = found_meters(score)
        return score if meters_found == score.meters else score.replace(meters=meters_found)
    numerator, denominator = meter if meter is not None else score.meters[0][1:]
    if not (1 <= numerator <= 255 and denominator in (1, 2, 4, 8, 16, 32, 64, 128)):
        raise RequestError(f"a meter must be a count of 1 to 255 over a power of two, like 3/4 or 6/8; got "
                           f"{numerator}/{denominator}")
    if isinstance(downbeat, str):
        return _rebar_found(score, meter)
    meters = [Meter(0, numerator, denominator)]
    later = [] if meter is not None else list(score.meters[1:])
    if downbeat is not None:
        if not (math.isfinite(downbeat) and 0 <= downbeat * score.ticks_per_quarter <= score.end):
            raise RequestError("the first downbeat must lie inside the piece, from 0 to "
                               f"{score.end / score.ticks_per_quarter:g} quarter notes; got {downbeat}")
        bar = max(1, numerator * 4 * score.ticks_per_quarter // denominator)
        first = round(downbeat * score.ticks_per_quarter) % bar
        if first and (not later or first < later[0].tick):
            meters.append(Meter(first, numerator, denominator))
    return score.replace(meters=(*meters, *later))


def _rebar_found(score: Score, meter: tuple[int, int] | None) -> Score:
    """`rebar` from the downbeat that is found; the Score itself where its bars are right already."""
    own = first_meter(score)
    steady = own == score.meters[-1]
    if meter is None and not steady:
        return score
    numerator, denominator = meter or (own[1:] if own.numerator > 1 else (4, 4))
    found = min(find_downbeat(score, numerator, denominator), score.end / score.ticks_per_quarter)
    if steady and own == (round(found * score.ticks_per_quarter), numerator, denominator):
        return score
    return rebar(score, (numerator, denominator), found)


def parse_input_meter(meter: str | None) -> tuple[int, int] | str | None:
    """Return numerator and denominator, or ``auto``, or None where nothing is said; RequestError for other words.

    >>> parse_input_meter("3/4"), parse_input_meter("auto")
    ((3, 4), 'auto')
    """
    return meter if meter is None or meter == "auto" else parse_meter(meter)


def parse_downbeat(downbeat: float | str | None) -> float | str | None:
    """Return the quarter notes that are said, or ``auto``, or None where nothing is; RequestError for other words.

    >>> parse_downbeat("1.5"), parse_downbeat("auto")
    (1.5, 'auto')
    """
    if downbeat is None or downbeat == "auto":
        return downbeat
    try:
        return float(downbeat)
    except ValueError:
        raise RequestError("the first downbeat must be a number of quarter notes from the start, or auto; "
                           f"got {downbeat!r}") from None


def frame_notices(score: Score) -> list[str]:
    """Return one sentence for each thing about bars and beats that looks wrong, with what to type.

    >>> s = Score(onset=[0], duration=[1920], pitch=[60], velocity=[80], track=[0], meters=(Meter(0, 1, 4),))
    >>> frame_notices(s)
    ['every bar is one beat long (1/4), which is seldom meant: say --input-meter 4/4 --input-downbeat auto']
    """
    notices = []
    beats = score.end / score.ticks_per_quarter
    bars = sum((stop - m.tick) * m.denominator / (4 * score.ticks_per_quarter * m.numerator)
               for m, stop in zip(score.meters, [m.tick for m in score.meters[1:]] + [score.end], strict=True)
               if stop > m.tick)
    if bars > MAX_BARS:
        notices.append(f"its meters make more than {MAX_BARS:,} bars, too many to work on: give another with "
                       "--input-meter 4/4" if beats / 4 <= MAX_BARS else
                       f"it lasts {beats / 4:,.0f} bars of 4/4, too many to work on: its times are probably damaged")
    spans = zip(score.meters, [m.tick for m in score.meters[1:]] + [score.end], strict=True)
    one_beat = sum(stop - m.tick for m, stop in spans if m.numerator == 1 and m.denominator > 1 and stop > m.tick)
    if score.end and one_beat > score.end / 2:
        m = next(m for m in score.meters if m.numerator == 1 and m.denominator > 1)
        notices.append(f"every bar is one beat long ({m.numerator}/{m.denominator}), which is seldom meant: say "
                       "--input-meter 4/4 --input-downbeat auto")
    notices += _grid_notices(score)
    return notices


def _grid_notices(score: Score) -> list[str]:
    """Onsets that gather on no grid of the quarter note, or on one that stands beside the beats."""
    onsets = score.onset[np.diff(score.onset, prepend=-1) > 0][:_MOST_ONSETS]
    if len(onsets) < _FEWEST_ONSETS or score.ticks_per_quarter < 12:
        return []
    turns = onsets / score.ticks_per_quarter
    pulls = {grid: complex(np.exp(2j * np.pi * grid * turns).mean()) for grid in (2, 3, 4, 6, 8, 12)}
    grid = max(pulls, key=lambda g: abs(pulls[g]))
    if abs(pulls[grid]) < _LOOSE:
        return ["its notes keep to no grid of beats, as in free playing, so its bars and beats say little: if you know "
                "where a bar begins, say so in quarter notes from the start, as --input-downbeat 0.5"]
    shift = float(np.angle(pulls[grid])) / (2 * np.pi * grid)
    if abs(pulls[grid]) > _TIGHT and abs(shift) * grid > 0.2:
        shift = round(shift % (1 / grid), 3)
        return [f"its notes stand {shift:g} of a quarter note beside the beats: shift the bars with "
                f"--input-downbeat {shift:g}"]
    return []
