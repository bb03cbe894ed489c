"""The tempo curve of a performance as tempo events, so that bar lines and note values stay where they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from partimento import features
from partimento.features.notes import FloatArray, IndexArray
from partimento.performance.rules import RULES, Hearing
from partimento.score import Score, Tempo

RITARD_STEPS = 12       # tempo events of a final ritardando
_MOST_US = 60_000_000   # a quarter a minute: no rule makes it slower


def tempo_curve(heard: Hearing, start: int, end: int, phrase: float, ritard: float) -> tuple[Tempo, ...]:
    """Return the tempos of the piece with phrase arches from tick `start` to `end` and a final ritardando.

    `phrase` and `ritard` are the quantities of the rules, strength included. The written tempo stays where it is
    written, and the curve follows a tick later, a step a beat; without the ritardando the stretch lasts as long as
    before. A ritardando needs the last onset of the piece to lie in the stretch.

    >>> rows = [(480 * i, 480, 60 + i % 5, 80, 0) for i in range(32)]
    >>> heard = Hearing(Score.from_rows(rows))
    >>> tempos = tempo_curve(heard, 0, heard.score.end, 1.0, 0.0)
    >>> performed = heard.score.replace(tempos=tempos)
    >>> bool(abs(performed.seconds(performed.end) - heard.score.seconds(performed.end)) < 0.01)
    True
    """
    score = heard.score
    edges, longer = _arches(heard, start, end, phrase)
    if ritard > 0 and len(heard.moments) > 1 and start < int(heard.moments[-1]) < end:
        edges, longer = _with_ritard(heard, edges, longer, ritard)
    if not np.any(longer != 1):
        return score.tempos
    kept = [tempo for tempo in score.tempos if not start < tempo.tick < end]
    inside = [tempo.tick for tempo in score.tempos if start < tempo.tick < end]
    ticks = np.unique(np.concatenate([edges[:-1], inside])).astype(np.int64)
    shares = longer[np.searchsorted(edges, ticks, side="right") - 1]
    written = {tempo.tick for tempo in score.tempos}
    out = {tempo.tick: tempo.us_per_quarter for tempo in kept}
    for tick, share in zip(ticks.tolist(), shares.tolist(), strict=True):
        us = score.tempo_at(tick).us_per_quarter
        if tick in written:
            out[tick] = us
        out[tick + (tick in written)] = max(1, min(round(us * share), _MOST_US))
    if end < score.end:
        out[end] = score.tempo_at(end).us_per_quarter
    said = sorted(out.items())
    return tuple(Tempo(tick, us) for k, (tick, us) in enumerate(said)
                 if tick in written or not k or us != said[k - 1][1])


def _beat_ticks(score: Score, start: int, end: int) -> IndexArray:
    """The beats from `start` to `end`, both of them among them; of a bar of one beat its halves."""
    found = [np.array([start, end], np.float64)]
    for first, after in zip(score.bar_starts[:-1].tolist(), score.bar_starts[1:].tolist(), strict=True):
        if first < end and after > start:
            meter = score.meter_at(first)
            count = max(features.beats(meter.numerator, meter.denominator), 2)
            beat = score.full_bar_ticks(first) / count
            found.append(after - beat * np.arange(1, count + 1) if first == 0 and score.has_pickup else
                         first + beat * np.arange(count))
            found[-1] = found[-1][(found[-1] >= first) & (found[-1] < after)]
    ticks = np.unique(np.rint(np.concatenate(found)).astype(np.int64))
    return ticks[(ticks >= start) & (ticks <= end)]


def _arches(heard: Hearing, start: int, end: int, phrase: float) -> tuple[IndexArray, FloatArray]:
    """The edges of steps and by how much each is longer: the mean of the arches at both of its edges."""
    edges = _beat_ticks(heard.score, start, end)
    longer = np.ones(len(edges) - 1)
    if not phrase:
        return edges, longer
    own: dict[str, Any] = dict(RULES["phrase_tempo"].parameters)
    sections = own.pop("sections")
    arch = heard.arch(heard.phrases, edges, **own) + sections * heard.arch(heard.sections, edges, **own)
    longer = np.maximum(1 + phrase * (arch[:-1] + arch[1:]) / 2, 0.2)
    time = np.diff(heard.ms(edges))
    return edges, longer * time.sum() / max(float((longer * time).sum()), 1e-9)


def _with_ritard(heard: Hearing, edges: IndexArray, longer: FloatArray, quantity: float
                 ) -> tuple[IndexArray, FloatArray]:
    """The steps with those of a ritardando in front of the last onset, and the last note as long as it must be."""
    own = RULES["final_ritard"].parameters
    last, now = int(heard.moments[-1]), heard.ms(heard.moments)
    stop = float(now[-1])
    begin = max(stop - own["ms"] * quantity, float(heard.ms(edges[0])))
    ticks = np.arange(int(edges[0]), last + 1) if last - edges[0] < 100_000 else np.arange(last - 100_000, last + 1)
    first = int(ticks[np.searchsorted(heard.ms(ticks), begin)])
    steps = np.unique(np.rint(np.linspace(first, last, RITARD_STEPS + 1)).astype(np.int64))
    if len(steps) < 2:
        return edges, longer
    x = (heard.ms(steps) - heard.ms(steps[0])) / (stop - float(heard.ms(steps[0])))
    slow = np.diff(_stopping_time(x, 1 / (1 + own["slower"] * quantity), own["curve"])) / np.diff(x)
    every = np.unique(np.concatenate([edges, steps]))
    share = longer[np.clip(np.searchsorted(edges, every[:-1], side="right") - 1, 0, len(longer) - 1)]
    here = np.searchsorted(steps, every[:-1], side="right") - 1
    inside = (every[:-1] >= steps[0]) & (every[:-1] < last)
    share = np.where(inside, np.maximum(slow[np.clip(here, 0, len(slow) - 1)], share), share)
    before = heard.intervals[-2] * float(share[np.searchsorted(every, last) - 1])
    rest = float(heard.ms(every[-1])) - stop
    least = min(own["last"] * before / max(rest, 1e-9), 1 + own["slower"] * quantity)
    return every, np.where(every[:-1] >= last, max(1.0, least), share)


def _stopping_time(x: FloatArray, v_end: float, q: float) -> FloatArray:
    """The time at which a runner who stops is at x (0–1): the integral of 1/v, v = (1 + (v_end^q − 1) x)^(1/q).

    >>> _stopping_time(np.array([0.5, 1.0]), 0.25, 3.0).round(3).tolist()
    [0.554, 1.429]
    """
    k = v_end ** q - 1
    return np.asarray(((1 + k * x) ** ((q - 1) / q) - 1) * q / ((q - 1) * k))
