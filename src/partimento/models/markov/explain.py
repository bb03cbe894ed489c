"""Why a note is there: the context that spoke for it, in a musician's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from partimento import theory
from partimento.counting.memory import MISSING, Memory
from partimento.counting.mixture import NO_INTERVAL, Floats, Mixture, column
from partimento.models.base import Reason
from partimento.models.markov.joint import Joint
from partimento.models.markov.learn import heard
from partimento.models.markov.line import Line
from partimento.models.markov.part import Part
from partimento.models.markov.pens import Weighing
from partimento.models.markov.sheet import ROLE_NAMES, Notes
from partimento.models.markov.write import Page, Writer

Values = npt.NDArray[np.int16]
_LINES = {"top": "highest note", "low": "lowest note", "mid": "middle note"}
_THREADS = {"ofpiece": "at the beginning of the piece", "ofphrase": "at the beginning of the phrase",
            "ofbar": "at the beginning of the bar", "strong1": "on the last beat", "strong2": "on the beat before that",
            "downbeat": "on the last downbeat", "ending": "at the end of the last phrase",
            "entry": "at the last beginning of a phrase"}
_WHEN = {"": "sounding with it", "p": "just before", "q": "at the last note", "r": "at the next note",
         "x": "coming next"}


class _Listening(Weighing):
    """Keeps the pitch lines that a writer asks about instead of weighing them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[Line, list[int]]] = []

    def line(self, stage: str, line: Any, given: Any) -> Any:
        """The symbols given, their line kept where it is one of pitches."""
        if stage == "pitch":
            self.lines.append((line(), list(given)))
        return given

    def even(self, stage: str, count: int, given: int | None) -> int:
        """The choice given."""
        return given or 0


def reason(page: Page, stages: Mapping[str, Mixture], codes: Mapping[tuple[int, int], int],
           key: tuple[int, int] | None, note: int) -> Reason | None:
    """The Reason of one note of a page all of whose notes are to be weighed."""
    found = np.flatnonzero(page.index == note)
    if not len(found):
        return None
    wanted = page.content.where(found)
    track, step, pitch = int(wanted.track[0]), int(wanted.onset[0]), int(wanted.pitch[0])
    stand = page.kept
    for part, known in page.parts(codes, key):
        own = page.content.where(page.content.track == part.track)
        if part.track == track:
            part = part._replace(known=heard(stand, known, page.roles))
            listening = _Listening()
            Writer(page, part, stages, listening, own).write()
            return _told(part, own, listening.lines, step, pitch)
        stand = Notes.joined([stand, own])
    return None


def _told(part: Part, own: Notes, lines: list[tuple[Line, list[int]]], step: int, pitch: int) -> Reason | None:
    degree = int(part.degrees(np.array([pitch]), np.array([step]))[0])
    for number, (line, symbols) in enumerate(lines):
        sizes = np.array([np.sum(own.onset == o) for o in np.unique(own.onset)])
        steps = np.unique(own.onset)[sizes > number]
        at = np.flatnonzero(steps == step)
        if len(at) and symbols[int(at[0])] == degree:
            return _words(part, line, symbols, int(at[0]), step, degree)
    return None


def _words(part: Part, line: Line, symbols: list[int], place: int, step: int, degree: int) -> Reason:
    mixture = line.mixture
    chances, values, gains = (_multiplied(line, symbols, place, degree) if isinstance(line, Joint) else
                              _added(line, symbols, place, degree))
    best = int(np.argmax(gains))
    seen = mixture.deepest(values, np.arange(len(gains)) == best)[best]
    assert seen is not None
    last = symbols[place - 1] if place else next(iter(line.past[::-1]), mixture.size // 2)
    index = degree - last + mixture.size - 1 if mixture.views[best].relative else degree
    level = mixture.levels[seen.depth]
    entries = slice(level.first[seen.context], level.first[seen.context + 1])
    times = int(level.times[entries][level.symbol[entries] == index].sum())
    total = int(level.times[entries].sum())
    context = [_said(part, text, int(value), step) for text, value in
               zip(mixture.views[best].columns[:seen.depth], values[best], strict=False)]
    context = [words for words in context if words]
    name = _name(part, degree, step)
    others = [int(d) for d in np.argsort(-chances, kind="stable")[:5] if d != degree][:4]
    text = (f"{name} in the {ROLE_NAMES[part.role]}{', ' if context else ''}{'; '.join(context)}: "
            f"probability {chances[degree]:.2f}")
    return Reason(text, float(chances[degree]), f"seen {times} of {total} times in this context",
                  tuple((_name(part, d, step), float(chances[d])) for d in others))


def _added(line: Line, symbols: list[int], place: int, degree: int) -> tuple[Floats, Values, Floats]:
    """Of a sum of views: the chances, the values of the context columns, and what each view adds to the chance."""
    mixture = line.mixture
    history = (tuple(symbols[:place][::-1]) + (MISSING,) * mixture.order)[:mixture.order]
    values = line.at(place, history, {} if line.plain else Memory([*line.past, *symbols[:place]]).recall())
    group = min(int(line.groups[place]), mixture.weights.shape[1] - 1)
    chances = mixture.one(values, history, group, line.kind)
    if line.legal is not None:
        chances = chances * line.legal[place]
    last = history[0] if history and history[0] >= 0 else mixture.size // 2
    weights = mixture.weights[line.kind, group]
    gains = np.full(len(weights), -1.0)
    for v, found in enumerate(mixture.deepest(values, weights > 0)):
        at = degree - last + mixture.size - 1 if mixture.views[v].relative else degree
        if found is not None:
            gains[v] = weights[v] * found.probabilities[at]
    return chances / chances.sum(), values, gains


def _multiplied(line: Joint, symbols: list[int], place: int, degree: int) -> tuple[Floats, Values, Floats]:
    """Of a product: the same, where a view's gain is how much it raises this logarithm above what it gives in the mean.
    """
    said = line.said(symbols[:place])
    chances, experts = said.at(place)
    long_term = experts[:len(line.mixture.views)]
    return chances, said.values(place), long_term[:, degree] - long_term @ chances


def _name(part: Part, degree: int, step: int) -> str:
    pitch = int(np.clip(part.pitches(np.array([degree]), np.array([step]))[0], 0, 127))
    return theory.DRUM_NAMES.get(pitch, str(pitch)) if part.is_drum else theory.pitch_name(pitch)


def _said(part: Part, text: str, value: int, step: int) -> str:
    """One context column in words; empty where it says nothing."""
    name, lag, minus = column(text)
    grid = part.frame.grid
    if minus and not name:
        return f"after an interval of {value} semitones" if value != NO_INTERVAL and minus == 2 else ""
    if lag:
        return f"{lag} before it {_name(part, value, step)}" if value >= 0 else f"no note {lag} before it"
    if minus and name in _THREADS:
        return "" if value == NO_INTERVAL else f"its last note {-value:+d} semitones from that {_THREADS[name]}"
    if minus and name == "echo":
        return "" if value == NO_INTERVAL else f"as it went {value:+d} semitones before"
    if minus:
        return "" if value == NO_INTERVAL else f"the {_line(name)} {value:+d} semitones from its last note"
    if name == "beat":
        return f"{value / grid:g} quarters after the beat" if value else "on the beat"
    if name == "bar":
        return f"{value / grid:g} quarters into the bar"
    if name in ("gap", "before"):
        return f"{value / grid:g} quarters {'to the next' if name == 'gap' else 'from the last'} onset"
    if name == "last":
        return f"{value} more notes to come" if value < 4 else ""
    if name == "mode":
        return "in minor" if value else "in major"
    if name == "size":
        return f"one of {value} at once" if value > 1 else ""
    if name in ("above", "below"):
        return f"{_name(part, value, step)} {name} it" if value >= 0 else ""
    if name in _THREADS:
        return f"{_name(part, value, step)} {_THREADS[name]}" if value >= 0 else ""
    if name == "edge":
        return ("", "at the end of a phrase", "at the beginning of a phrase", "a phrase by itself")[value]
    if name == "until":
        return f"{value} more notes in the phrase" if 0 < value < 9 else ""
    if name.rstrip("c")[-3:] in _LINES:
        if value < 0:
            return ""
        said = theory.pitch_name(int(part.pitches(np.array([value + 60]), np.array([step]))[0])).rstrip("0123456789-") \
            if name.endswith("c") else _name(part, value, step)
        return f"{said} the {_line(name)}"
    return ""


def _line(name: str) -> str:
    name = name.removesuffix("c")
    return f"{_LINES[name[-3:]]} {_WHEN[name[:-3]]}"
