"""Five kinds of order in a piece, each beside the same notes without it: 0 is what chance gives, more is more order.

Nothing here is fitted, and nothing depends on the clock or the tempo. Places in time are steps of 12 a quarter; drums
and grace notes are not heard. An order is None where there is nothing to hear it in.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento import theory
from partimento.features import find_key, pitched
from partimento.judge.measures import entropy
from partimento.models.base import Model
from partimento.score import Key, Score, Track
from partimento.theory import KeyName
from partimento.tokens.grid import snap, to_steps

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]

MOST_NOTES = 1_000         # that the model weighs, from the beginning, in whole bars
MOST_BARS = 256            # that are compared with one another
LEAP = 12                  # semitones from which on a wider step says no more
LINES = 6                  # tracks that are heard for parallels, from the highest to the lowest
REST = 3                   # steps: a longer rest parts what is before it from what is after it
CHORDS = 0.1               # of the onsets of a track: with more chords it is no single line
DOUBLING = 3               # parallels in a row from which on one line doubles another
PERFECT = (0, 7)           # octaves and unisons, fifths
_PERFECT = np.isin((np.arange(256) - 128) % 12, PERFECT)


class HeardPiece(NamedTuple):
    """A piece as it is heard: on the grid, without drums, graces, names, words and chords, the key heard in front.

    All columns are int64: onset, end, pitch, track and bar of every note (bars in which nothing begins are not
    counted), the first step of every such bar, and its end. `tonic` is that of the key heard, −1 where none is.
    """

    score: Score
    onset: IndexArray
    end: IndexArray
    pitch: IndexArray
    track: IndexArray
    bar: IndexArray
    first: IndexArray
    last: IndexArray
    tonic: int

    @property
    def bars(self) -> int:
        """How many bars something begins in."""
        return len(self.first)


def heard_piece(score: Score) -> HeardPiece:
    """Return what is heard of a piece; it may be empty.

    >>> s = Score(onset=[0, 1920], duration=[480, 480], pitch=[60, 64], velocity=[80, 80], track=[0, 0])
    >>> heard_piece(s).onset.tolist(), heard_piece(s).bar.tolist()
    ([0, 48], [0, 1])
    """
    tones = pitched(score) if score.grace is None else pitched(score) & (score.grace <= 0)
    own = score.select(tones)
    filled, track = np.unique(own.track, return_inverse=True)
    own = snap(own.replace(track=track.reshape(-1), tracks=(Track(),) * len(filled)))
    if len(own):                                # silence after the last bar is none of it
        own = own.replace(end=int(own.bar_starts[np.searchsorted(own.bar_starts, own.offset.max())]))
    found = find_key(own)
    name = found.key if found else KeyName(0, "major")
    own = own.replace(keys=(Key(0, theory.fifths(*name), name.mode),), chords=(), marks=(), texts=(), voice=None,
                      staff=None, spelling=None, grace=None)
    onset, end, bars = (to_steps(ticks, own.ticks_per_quarter) for ticks in (own.onset, own.offset, own.bar_starts))
    bar = np.clip(np.searchsorted(bars[:-1], onset, side="right") - 1, 0, None)
    used, bar = np.unique(bar, return_inverse=True)
    return HeardPiece(own, onset, end, own.pitch.astype(np.int64), own.track.astype(np.int64), bar.reshape(-1),
                      bars[used], bars[used + 1], found.key.tonic if found else -1)


# --- from note to note --------------------------------------------------------------------------------------------


def syntax(heard: HeardPiece, model: Model) -> float | None:
    """Return how many bits a note a model saves beside what the piece's own stock of notes would cost.

    The stock: in each track the times from note to note, the pitches and the lengths, each drawn from those that the
    track has, in any order (their entropies). Who knows only the stock saves 0; a model that knows where notes lead to
    saves more. Of long pieces the beginning is weighed, 1,000 notes at most. None where the model cannot weigh it.
    """
    part = heard_beginning(heard)
    found = model.log_prob(part.score) if len(part.onset) else None
    if found is None or not found.notes or not np.isfinite(found.nats):
        return None
    return stock_bits(part) - found.bits_per_note


def stock_bits(heard: HeardPiece) -> float:
    """Return what a note of a piece costs in bits, drawn from the stock of its track; the piece must have notes.

    >>> tune = Score(onset=[0, 480], duration=[480, 480], pitch=[60, 62], velocity=[80, 80], track=[0, 0])
    >>> stock_bits(heard_piece(tune))              # two times, two pitches, one length
    2.0
    """
    total = 0.0
    for track in np.unique(heard.track).tolist():
        own = heard.track == track
        for column in (np.diff(heard.onset[own], prepend=0), heard.pitch[own], (heard.end - heard.onset)[own]):
            total += int(own.sum()) * entropy(np.unique(column, return_counts=True)[1])
    return total / len(heard.onset)


def heard_beginning(heard: HeardPiece) -> HeardPiece:
    """Return as many whole bars from the start as hold 1,000 notes, one bar at least."""
    if len(heard.onset) <= MOST_NOTES:
        return heard
    sizes = np.cumsum(np.bincount(heard.bar))
    bars = max(1, int(np.searchsorted(sizes, MOST_NOTES, side="right")))
    stop = int(heard.first[bars]) if bars < heard.bars else int(heard.last[-1])
    own = heard.bar < bars
    tick = stop * heard.score.ticks_per_quarter // 12
    cut = heard.score.select(own)
    cut = cut.replace(duration=np.minimum(cut.duration, np.maximum(tick - cut.onset, 1)), end=tick,
                      meters=tuple(meter for meter in cut.meters if meter.tick < tick))
    return heard._replace(score=cut, onset=heard.onset[own], end=np.minimum(heard.end[own], stop),
                          pitch=heard.pitch[own], track=heard.track[own], bar=heard.bar[own])


def counterpoint(heard: HeardPiece) -> float | None:
    """Return how far single lines avoid parallel octaves and fifths, beside lines that move without a care, −1 to 1.

    Over all pairs of tracks that are single lines, and all moments in which both move: (expected − found) / (expected +
    found + 1). Found is how often an octave or a fifth follows itself; expected is how often it would if one interval
    followed another by chance; the 1 keeps few moments near 0. Three in a row or more are a doubling, and are left out.
    None where both are 0, as with fewer than two such tracks.
    """
    found = expected = 0.0
    for one, other in itertools.combinations(_lines(heard), 2):
        _, at, to = np.intersect1d(one.onset[1:], other.onset[1:], return_indices=True)
        both = one.moved[at] & other.moved[to]
        before, after = ((one.pitch[at + k] - other.pitch[to + k])[both] for k in (0, 1))
        same = (before == after) & _PERFECT[after + 128]
        edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int64), [0]])))
        doubled = np.zeros(len(same), bool)
        for start, stop in edges.reshape(-1, 2).tolist():
            doubled[start:stop] = stop - start >= DOUBLING
        before, after = before[~doubled], after[~doubled]
        if len(after):
            found += int(same[~doubled].sum())
            chances = (np.bincount(part + 128, minlength=256) for part in (before, after))
            expected += float(np.prod(list(chances), axis=0)[_PERFECT].sum() / len(after))
    return (expected - found) / (expected + found + 1) if expected + found > 0 else None


class _Line(NamedTuple):
    """A single line: onset and pitch of its notes, and of each but the first whether it moved there without a rest."""

    onset: IndexArray
    pitch: IndexArray
    moved: npt.NDArray[np.bool_]


def _lines(heard: HeardPiece) -> list[_Line]:
    """The tracks that are single lines, six of them from high to low; of a chord the highest note counts."""
    out: list[_Line] = []
    for track in np.unique(heard.track).tolist():
        own = np.flatnonzero(heard.track == track)
        onset, first = np.unique(heard.onset[own], return_index=True)      # by pitch within an onset
        last = np.append(first[1:], len(own)) - 1
        if (last > first).mean() <= CHORDS:
            pitch, end = heard.pitch[own[last]], heard.end[own[last]]
            out.append(_Line(onset, pitch, (onset[1:] - end[:-1] <= REST) & (pitch[1:] != pitch[:-1])))
    out.sort(key=lambda line: -float(line.pitch.mean()))
    chosen = np.linspace(0, len(out) - 1, min(LINES, len(out))).round().astype(np.int64)
    return [out[i] for i in chosen.tolist()]


# --- from bar to bar ----------------------------------------------------------------------------------------------


def joins(heard: HeardPiece) -> float | None:
    """Return how much closer the lines pass from each bar to the next than they would to any other bar of the piece.

    The step from the last note of a bar to the first of the next, of the upper and the lower line of every track,
    wide ones counted as an octave; the mean over all other pairs of bars less that over neighbours, in standard
    deviations of all. None with fewer than three bars, or where all steps are alike.
    """
    bars = min(heard.bars, MOST_BARS)
    if bars < 3:
        return None
    total, count = np.zeros((bars, bars)), np.zeros((bars, bars))
    for track in np.unique(heard.track).tolist():
        own = np.flatnonzero((heard.track == track) & (heard.bar < bars))
        if not len(own):
            continue
        first = np.unique(heard.onset[own], return_index=True)[1]
        for notes in (own[first], own[np.append(first[1:], len(own)) - 1]):
            begins, ends = np.full(bars, np.nan), np.full(bars, np.nan)
            begins[heard.bar[notes][::-1]] = heard.pitch[notes][::-1]
            ends[heard.bar[notes]] = heard.pitch[notes]
            step = np.minimum(np.abs(ends[:, None] - begins[None]), LEAP)
            known = ~np.isnan(step)
            total[known] += step[known]
            count[known] += 1
    step = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    next_to = np.diagonal(step, 1)
    others = step[~np.eye(bars, dtype=bool) & ~np.isnan(step)]
    if len(others) < 2 or np.isnan(next_to).all() or others.std() < 1e-9:
        return None
    return float((others.mean() - np.nanmean(next_to)) / others.std())


def plan(heard: HeardPiece) -> float | None:
    """Return how far what returns returns in order: where one bar is like another, so is the bar after it.

    The correlation between the likeness of bars i and j and that of bars i + 1 and j + 1, over all pairs with i < j;
    the mean over three kinds of likeness, as far as bars differ in it: of what begins where, of rhythm alone, of pitch
    classes. 0 where bars stand in any order, or are all alike. None with fewer than four bars.
    """
    bars = min(heard.bars, MOST_BARS)
    if bars < 4:
        return None
    own = heard.bar < bars
    bar, pitch = heard.bar[own], heard.pitch[own]
    place = heard.onset[own] - heard.first[bar]
    rhythm = heard.track[own] * (int(place.max()) + 1) + place
    classes = np.zeros((bars, 12))
    np.add.at(classes, (bar, pitch % 12), 1)
    classes /= np.linalg.norm(classes, axis=1, keepdims=True)
    alike = (_shared(bar, rhythm * 128 + pitch, bars), _shared(bar, rhythm, bars), classes @ classes.T)
    found = [value for table in alike if (value := _followed(table)) is not None]
    return float(np.mean(found)) if found else 0.0


def _shared(bar: IndexArray, what: IndexArray, bars: int) -> FloatArray:
    """float64[bars, bars]: of what two bars hold together, the share that both hold."""
    names, place = np.unique(what, return_inverse=True)
    table = np.zeros((bars, len(names)), np.float32)
    table[bar, place.reshape(-1)] = 1
    common = (table @ table.T).astype(np.float64)
    size = table.sum(axis=1, dtype=np.float64)
    return np.asarray(common / (size[:, None] + size[None] - common))


def _followed(alike: FloatArray) -> float | None:
    """The correlation of a table of likenesses with itself one bar on; None where all are the same."""
    first, second = np.triu_indices(len(alike) - 1, 1)
    here, there = alike[first, second], alike[first + 1, second + 1]
    if here.std() < 1e-9 or there.std() < 1e-9:
        return None
    return float(((here - here.mean()) * (there - there.mean())).mean() / (here.std() * there.std()))


def close(heard: HeardPiece) -> float | None:
    """Return how much more the last bar sounds like an end than the other bars do, from −1 to 1.

    The share of the other bars below it less the share above: by the length of the longest of its last notes, how few
    notes begin in it, how much of it the tonic sounds, and whether the tonic is the bass of its last notes; the mean of
    the four. None with fewer than three bars, or where no key is heard.
    """
    if heard.bars < 3 or heard.tonic < 0:
        return None
    bars, bar = heard.bars, heard.bar
    length = heard.end - heard.onset
    latest = np.zeros(bars, np.int64)
    np.maximum.at(latest, bar, heard.onset)
    final = heard.onset == latest[bar]
    held, lowest = np.zeros(bars), np.full(bars, 128)
    np.maximum.at(held, bar[final], length[final].astype(np.float64))
    np.minimum.at(lowest, bar[final], heard.pitch[final])
    time = np.minimum(length, heard.last[bar] - heard.onset).clip(1).astype(np.float64)
    tonic = np.bincount(bar, time * (heard.pitch % 12 == heard.tonic), bars) / np.bincount(bar, time, bars)
    signs = (held, -np.bincount(bar, minlength=bars), tonic, lowest % 12 == heard.tonic)
    return float(np.mean([np.sign(float(sign[-1]) - np.asarray(sign[:-1], np.float64)).mean() for sign in signs]))


class Order(NamedTuple):
    """One row of the table: the name of an order, the side of music it is of, what it says, and what hears it."""

    name: str
    side: str
    meaning: str
    hear: Callable[[HeardPiece, Model], float | None]


ORDERS: tuple[Order, ...] = (
    Order("syntax", "notes", "where notes lead, beside the same stock of notes in any order (bits a note)", syntax),
    Order("counterpoint", "voices", "how single lines keep out of parallel fifths and octaves, beside chance",
          lambda heard, model: counterpoint(heard)),
    Order("joins", "form", "how closely bars follow one another, beside any two bars of the piece",
          lambda heard, model: joins(heard)),
    Order("plan", "form", "what returns, returns in order", lambda heard, model: plan(heard)),
    Order("close", "form", "the last bar ends the piece, beside its other bars", lambda heard, model: close(heard)),
)
