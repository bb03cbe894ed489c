"""Why a note is there: the context that spoke for it, in a musician's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from partimento import theory
from partimento.counting.memory import MATCHES, MISSING, Memory
from partimento.counting.mixture import NO_INTERVAL, Floats, Mixture, column, find_context
from partimento.models.base import Reason
from partimento.models.markov.joint import Joint
from partimento.models.markov.learn import heard
from partimento.models.markov.line import Line
from partimento.models.markov.part import Part
from partimento.models.markov.pens import Weighing
from partimento.models.markov.sheet import ROLE_NAMES, Notes
from partimento.models.markov.write import Page, Writer

Values = npt.NDArray[np.int16]
_RIVALS = 4
_LOUD = 0.5             # nats by which the piece itself must raise a note to be named
_THREADS = {"ofpiece": "at the beginning of the piece", "ofphrase": "at the beginning of the phrase",
            "ofbar": "at the beginning of the bar", "strong1": "on the last beat", "strong2": "on the beat before that",
            "downbeat": "on the last downbeat", "ending": "at the end of the last phrase",
            "entry": "at the last beginning of a phrase"}
_LINES = {"top": "highest", "low": "lowest", "mid": "between"}
_WHEN = {"": "sounding with it", "p": "sounding just before", "q": "sounding at the last note",
         "r": "sounding at the next note", "x": "coming next"}
_EDGES = ("", "the last note of a phrase", "the first note of a phrase", "a phrase by itself")
_QUALITIES = ("", "m", "7", "dim")
_INTERVALS = ("a repeated note", "a half step", "a whole step", "a minor third", "a third", "a fourth", "a tritone",
              "a fifth", "a minor sixth", "a sixth", "a minor seventh", "a seventh", "an octave")
_LENGTHS = {(1, 12): "a thirty-second triplet", (1, 8): "a thirty-second", (1, 6): "a sixteenth triplet",
            (1, 4): "a sixteenth", (1, 3): "an eighth triplet", (1, 2): "an eighth", (2, 3): "a quarter triplet",
            (3, 4): "a dotted eighth", (1, 1): "a quarter", (3, 2): "a dotted quarter", (2, 1): "a half note",
            (3, 1): "a dotted half note", (4, 1): "a whole note", (6, 1): "six quarters", (8, 1): "two whole notes"}


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


class Reasons:
    """The Reasons of the notes of a page all of which are to be weighed; each part is read once."""

    def __init__(self, page: Page, stages: Mapping[str, Mixture], codes: Mapping[tuple[int, int], int],
                 key: tuple[int, int] | None) -> None:
        self.page, self.stages = page, stages
        self._place = {int(note): i for i, note in enumerate(page.index)}
        self._parts: dict[int, Part] = {}
        self._lines: dict[int, list[tuple[Line, list[int]]]] = {}
        stand = page.kept
        for part, known in page.parts(codes, key):
            self._parts[part.track] = part._replace(known=heard(stand, known, page.roles))
            stand = Notes.joined([stand, self._own(part.track)])

    def of(self, note: int) -> Reason | None:
        """The Reason of a note of the Score, or None where no line of the page holds it."""
        if note not in self._place:
            return None
        track, step, pitch = (int(column[self._place[note]]) for column in (
            self.page.content.track, self.page.content.onset, self.page.content.pitch))
        part, own = self._parts[track], self._own(track)
        if track not in self._lines:
            listening = _Listening()
            Writer(self.page, part, self.stages, listening, own).write()
            self._lines[track] = listening.lines
        degree = int(part.degrees(np.array([pitch]), np.array([step]))[0])
        onsets, sizes = np.unique(own.onset, return_counts=True)
        for number, (line, symbols) in enumerate(self._lines[track]):
            at = np.flatnonzero(onsets[sizes > number] == step)
            if len(at) and symbols[int(at[0])] == degree:
                return _told(part, line, symbols, int(at[0]), step)
        return None

    def _own(self, track: int) -> Notes:
        return self.page.content.where(self.page.content.track == track)


def _told(part: Part, line: Line, symbols: list[int], place: int, step: int) -> Reason:
    """The Reason of the symbol at a place of a line."""
    degree, mixture = symbols[place], line.mixture
    chances, values, gains, recent = \
        _multiplied(line, symbols, place) if isinstance(line, Joint) else _added(line, symbols, place)
    view = int(np.argmax(gains))
    last = symbols[place - 1] if place else next(iter(line.past[::-1]), MISSING)
    depth, times, total = _seen(mixture, view, values[view], degree, last)
    said = _Words(part, step, last)
    context = said.of(list(zip(mixture.views[view].columns[:depth], values[view].tolist(), strict=False)))
    if recent > _LOUD:
        context.append("as this piece itself went before")
    name = said.name(degree)
    others = [int(d) for d in np.argsort(-chances, kind="stable")[:_RIVALS + 1] if d != degree][:_RIVALS]
    seen = "never seen in such a place"
    if times:
        whole = depth == len(mixture.columns[view])     # shallower counts are of kinds of places
        seen = f"seen {times:,} of {total:,} times in such a place" if whole else \
            f"seen in {times:,} of {total:,} such places"
    return Reason(f"{name} in the {ROLE_NAMES[part.role]}{': ' if context else ''}{', '.join(context)}",
                  float(chances[degree]), seen, tuple((said.name(d), float(chances[d])) for d in others))


def _seen(mixture: Mixture, view: int, values: Values, degree: int, last: int) -> tuple[int, int, int]:
    """How many columns of a view the longest context has after which the degree came, how often, and of how many."""
    symbol = degree - (last if last >= 0 else mixture.size // 2) + mixture.size - 1 \
        if mixture.views[view].relative else degree
    context, found = np.array([view]), (0, 0, 0)
    for depth in range(len(mixture.columns[view]) + 1):
        level = mixture.levels[depth]
        if depth:
            context = find_context(level.key, context, values[depth - 1:depth])
        if context[0] < 0:
            break
        entries = slice(level.first[context[0]], level.first[context[0] + 1])
        times = int(level.times[entries][level.symbol[entries] == symbol].sum())
        if times or not depth:
            found = depth, times, int(level.times[entries].sum())
    return found


def _added(line: Line, symbols: list[int], place: int) -> tuple[Floats, Values, Floats, float]:
    """Of a sum of views: the chances, the values of the context columns, what each view adds to the chance, and 0."""
    mixture, degree = line.mixture, symbols[place]
    history = (tuple(symbols[:place][::-1]) + line.past[::-1] + (MISSING,) * mixture.order)[:mixture.order]
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
    return chances / chances.sum(), values, gains, 0.0


def _multiplied(line: Joint, symbols: list[int], place: int) -> tuple[Floats, Values, Floats, float]:
    """Of a product: the same, where a view's gain is how much it raises this logarithm above what it gives in the mean.

    The last is by how much the short-term views do, together.
    """
    said = line.said(symbols[:place])
    chances, experts = said.at(place)
    gains = experts[:, symbols[place]] - experts @ chances
    count = len(line.mixture.views)
    return chances, said.values(place), gains[:count], float(gains[count:].sum())


class _Words:
    """Contexts of one note in words: `last` is the line's last symbol (missing at its beginning)."""

    def __init__(self, part: Part, step: int, last: int) -> None:
        self.part, self.step, self.last = part, step, last
        tick = int(part.frame.ticks[step + 1])
        self.mode = "minor" if part.mode[step + 1] else "major"
        tonic = (int(part.shift[step + 1]) + 9 * int(part.mode[step + 1])) % 12
        written = [key.fifths for key in part.frame.score.keys if key.tick <= tick][-1:]
        self.fifths = theory.fifths(tonic, self.mode)
        if written and theory.from_fifths(written[0], self.mode).tonic == tonic:
            self.fifths = written[0]

    def name(self, degree: int) -> str:
        """The name of a degree: a pitch as it is spelt in the key of the place, or a drum."""
        pitch = int(np.clip(self.part.pitches(np.array([degree]), np.array([self.step]))[0], 0, 127))
        if self.part.is_drum:
            return theory.DRUM_NAMES.get(pitch, f"key {pitch}")
        return theory.note_name(pitch, self.fifths, self.mode)

    def of(self, context: list[tuple[str, int]]) -> list[str]:
        """What a context says, the line itself first."""
        columns = [(column(text), value) for text, value in context]
        own = self._line({one: value for one, value in columns if one.lag})
        other: dict[str, dict[str, int]] = {}
        words, matched = [], 0
        for one, value in columns:
            name, absolute = one.outside, self._absolute(value, one.minus)
            stem = name.removesuffix("c")
            if name == "match":
                matched = MATCHES[value - 1] if value > 0 else 0
            elif name == "echo":
                words += [self._echo(matched, absolute)] if absolute >= 0 else []
            elif name in _THREADS:
                words += [f"with {self.name(absolute)} {_THREADS[name]}"] if absolute >= 0 else []
            elif stem[-3:] in _LINES and stem[:-3] in _WHEN:
                if absolute >= 0:
                    same = other.setdefault(stem[:-3], {})
                    same.setdefault(stem[-3:], absolute if stem == name else -1 - absolute)
            elif name:
                words += filter(None, [self._plain(name, value)])
        return [*own, *words, *(f"{self._together(lines)} {_WHEN[when]}" for when, lines in other.items())]

    def _absolute(self, value: int, minus: int) -> int:
        """The degree that a column means: itself, or counted from the line's last note; −1 where there is none."""
        if not minus:
            return value
        return MISSING if value == NO_INTERVAL or self.last < 0 else self.last + value

    def _line(self, own: dict[Any, int]) -> list[str]:
        """The line's own last symbols: notes, or the intervals between them, in the order in which they came."""
        notes = [value for one, value in own.items() if not one.minus]
        steps = [value for one, value in own.items() if one.minus and value != NO_INTERVAL]
        if notes and notes[0] < 0:
            return ["the first note of its line"]
        if notes:
            return [f"after {', '.join(self.name(value) for value in notes[::-1] if value >= 0)}"]
        if steps and self.part.is_drum:
            return [f"after {self.name(self.last - steps[0])}, {self.name(self.last)}"]
        if steps and not any(steps):
            return [f"after the same note {len(steps) + 1} times"]
        return [f"after {', then '.join(_interval(value) for value in steps[::-1])}"] if steps else []

    def _echo(self, matched: int, degree: int) -> str:
        what = f"the last {matched} notes came before and" if matched > 1 else "the last note came before and"
        return f"{what} went on to {self.name(degree)}"

    def _together(self, lines: dict[str, int]) -> str:
        """The notes of other lines: by name alone where they are one, else with their place."""
        classes = {self._class(value) for value in lines.values()}
        if len(classes) == 1:
            return next((self.name(value) for value in lines.values() if value >= 0), classes.pop())
        return " and ".join(f"{self.name(value) if value >= 0 else self._class(value)} {_LINES[line]}"
                            for line, value in lines.items())

    def _class(self, value: int) -> str:
        """The name without its octave of a degree, or of −1 less a pitch class."""
        return self.name(value if value >= 0 else 59 - value).rstrip("0123456789-")

    def _plain(self, name: str, value: int) -> str:
        """A column that is no note, in words; empty where it says nothing that the place does not."""
        grid = self.part.frame.grid
        if name == "beat":
            return f"{_length(value, grid)} after the beat" if value > 0 else "on the beat"
        if name == "bar":
            return "at this place in the bar"
        if name in ("gap", "before"):
            return f"{_length(value, grid)} {'before the next' if name == 'gap' else 'after the last'} note" \
                if value > 0 else ""
        if name == "last":
            return "the last note of its line" if value == 0 else \
                f"{value} more note{'s' * (value > 1)} to come" if value < 4 else ""
        if name == "until":
            return f"{value} more note{'s' * (value > 1)} in the phrase" if 0 < value < 9 else ""
        if name == "mode":
            return f"in {self.mode}"
        if name == "size":
            return f"one of {value}{' or more' if value > 5 else ''} at once" if value > 1 else ""
        if name in ("above", "below"):
            return f"{self.name(value)} {name} it" if value >= 0 else ""
        if name in ("chord", "then"):
            chord = f"{self._class(-1 - (value // 4 + 6) % 12)}{_QUALITIES[value % 4]}" if value >= 0 else ""
            return chord and (f"over {chord}" if name == "chord" else f"with {chord} to follow")
        return _EDGES[value] if name == "edge" and 0 <= value < 4 else ""


def _interval(semitones: int) -> str:
    size = abs(semitones)
    name = _INTERVALS[size] if size < len(_INTERVALS) else f"a leap of {size} semitones"
    return name if not semitones else f"{name} {'up' if semitones > 0 else 'down'}"


def _length(steps: int, grid: int) -> str:
    """A length of so many steps, of which a quarter has `grid`, in note values."""
    divisor = int(np.gcd(steps, grid))
    return _LENGTHS.get((steps // divisor, grid // divisor), f"{steps / grid:.3g} quarters")
