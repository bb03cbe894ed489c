"""The form of a piece: sections and phrases by bars, and the beats of every bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from partimento.forms import FormPart, parse_form
from partimento.models.base import Rng
from partimento.models.rules.plan import Phrase
from partimento.sampling import draw
from partimento.score import Score

UNIT = 4                # bars of a phrase, where nothing else is asked
AWAY = 0.3              # of a piece, that may stand in another key than its own


def fit_form(sections: Sequence[FormPart], bars: int, whole: bool = False) -> list[FormPart]:
    """Return the sections made to last `bars` bars together: open ones share what is left, others keep their length.

    A form that is too short goes round again (`whole`: it does not, its last section lasts longer); one too long is
    cut, so that its last section still ends the piece.

    >>> fit_form(parse_form("AABA"), 32)[0], fit_form(parse_form("A8 B8"), 20)[-1]
    (FormPart(label='A', bars=8), FormPart(label='A', bars=4))
    """
    fixed = sum(section.bars for section in sections)
    open_ones = sum(section.bars == 0 for section in sections)
    if open_ones:
        left = max(bars - fixed, open_ones)
        share = max(left // open_ones, 1)
        if share > UNIT:
            share -= share % UNIT
        sections = [s if s.bars else FormPart(s.label, share) for s in sections]
    out: list[FormPart] = []
    left = bars
    while left > 0:
        for section in sections:
            if left <= 0:
                break
            length = min(section.bars, left)
            if 0 < left - length < 2:
                length = left
            out.append(FormPart(section.label, length))
            left -= length
        if whole and left > 0:
            out[-1] = out[-1]._replace(bars=out[-1].bars + left)
            left = 0
    return out


def phrase_lengths(bars: int) -> list[int]:
    """Return how a section of so many bars falls into phrases of about four.

    >>> phrase_lengths(8), phrase_lengths(10), phrase_lengths(3)
    ([4, 4], [4, 6], [3])
    """
    if bars < 2 * UNIT:
        return [bars]
    out = [UNIT] * (bars // UNIT)
    out[-1] += bars % UNIT
    return out


def plan_phrases(style: Mapping[str, Any], first_bar: int, bars: int, key: tuple[int, str], rng: Rng, *,
                 form: str = "", closed: bool = True) -> list[Phrase]:
    """Return the phrases of `bars` bars from `first_bar` on, in the form asked or one of the style's.

    `closed`: the piece ends there, so the last cadence is perfect. A phrase that comes back under its label names the
    one that it repeats; a section of another letter may stand in a near key, as the style's `contrast` weighs.
    """
    sections = fit_form(parse_form(form), bars) if form else _chosen(style, bars, rng)
    contrast = style["contrast"][key[1]]
    names = sorted(contrast)
    away = contrast_key(names[draw([contrast[n] for n in names], rng.random())], key)
    first_label = sections[0].label
    second_label = next((s.label.rstrip("'") for s in sections if s.label.rstrip("'") != first_label.rstrip("'")), "")
    if sum(s.bars for s in sections if s.label.rstrip("'") == second_label) > AWAY * bars:
        away = key
    phrases: list[Phrase] = []
    seen: dict[tuple[str, int, int], int] = {}
    at = first_bar
    for number, section in enumerate(sections):
        lengths = phrase_lengths(section.bars)
        last_section = number == len(sections) - 1
        returns = not last_section and sections[number + 1].label.rstrip("'") == first_label.rstrip("'")
        home = section.label.rstrip("'") != second_label or last_section
        for k, length in enumerate(lengths):
            ends_section = k == len(lengths) - 1
            ends = ends_section and last_section
            tonic, mode = key if home else away
            if ends and closed:
                cadence = "PAC"
            elif ends_section and not home and returns:
                cadence, (tonic, mode) = "HC", key if len(lengths) > 1 else (tonic, mode)
            elif ends_section:
                cadence = "PAC" if style["cadences"] == "strict" else _of(style["section_cadences"], rng)
            else:
                cadence = _of(style["inner_cadences"], rng)
            place = (section.label.rstrip("'"), k, length)
            repeats = seen.get(place, -1)
            if repeats >= 0 and not ends_section:
                cadence = phrases[repeats].cadence
            if repeats >= 0 and (phrases[repeats].tonic, phrases[repeats].mode) != (tonic, mode):
                repeats = -1
            phrases.append(Phrase(section.label, at, length, cadence, tonic, mode, repeats))
            seen.setdefault(place, len(phrases) - 1)
            at += length
    return phrases


def contrast_key(name: str, key: tuple[int, str]) -> tuple[int, str]:
    """Return the near key that a name means: ``home``, ``dominant``, ``subdominant``, ``relative`` or ``parallel``.

    >>> contrast_key("relative", (0, "major")), contrast_key("dominant", (0, "major"))
    ((9, 'minor'), (7, 'major'))
    """
    tonic, mode = key
    if name == "dominant":
        return (tonic + 7) % 12, mode
    if name == "subdominant":
        return (tonic + 5) % 12, mode
    if name == "relative":
        return ((tonic + 9) % 12, "minor") if mode == "major" else ((tonic + 3) % 12, "major")
    if name == "parallel":
        return tonic, "minor" if mode == "major" else "major"
    return key


def _of(weights: Mapping[str, float], rng: Rng) -> str:
    names = sorted(weights)
    return names[draw([weights[name] for name in names], rng.random())]


def _chosen(style: Mapping[str, Any], bars: int, rng: Rng) -> list[FormPart]:
    """One of the style's forms, drawn among those that suit the length best."""
    forms = [(parse_form(text), weight) for text, weight in sorted(style["forms"].items())]
    def misfit(sections: list[FormPart]) -> float:
        length = sum(s.bars for s in sections)
        again = 0.1 * max(bars // length - 1, 0)        # a form that fits once goes before one that goes round
        return min(bars % length, abs(bars - length)) + (bars < length) * (length - bars) + again
    best = min(misfit(sections) for sections, _ in forms)
    near = [(sections, weight) for sections, weight in forms if misfit(sections) == best]
    sections = near[draw([weight for _, weight in near], rng.random())][0]
    return fit_form(sections, bars)


# --- beats -------------------------------------------------------------------------------------------------------


class BeatBar(NamedTuple):
    """One bar: first tick and end, and its beats as (tick, ticks) pairs, each a quarter or a dotted quarter or so."""

    start: int
    end: int
    beats: tuple[tuple[int, int], ...]
    compound: bool = False

    def in_threes(self, beat: int) -> bool:
        """Whether a beat falls into three: in compound time, and the long beat of an uneven bar."""
        return self.compound or 2 * self.beats[beat][1] == 3 * min(length for _, length in self.beats)


def beat_bars(score: Score) -> list[BeatBar]:
    """Return every bar of a score with its beats: quarters, dotted quarters in compound time, 2+2+3 in seven eighths.

    >>> from partimento.score import Meter
    >>> [bar.beats for bar in beat_bars(Score(end=1680, meters=(Meter(0, 7, 8),)))]
    [((0, 480), (480, 480), (960, 720))]
    """
    starts = score.bar_starts.tolist()
    out = []
    for number, (start, end) in enumerate(pairwise(starts)):
        groups = _groups(score, start)
        if number == 0 and score.has_pickup:
            excess = sum(groups) - (end - start)
            while groups and excess > 0:
                taken = min(groups[0], excess)
                groups[0] -= taken
                excess -= taken
                if not groups[0]:
                    groups.pop(0)
        beats, at = [], start
        for length in groups:
            if at < end:
                beats.append((at, min(length, end - at)))
            at += length
        meter = score.meter_at(start)
        compound = meter.denominator == 8 and meter.numerator % 3 == 0
        out.append(BeatBar(start, end, tuple(beats), compound))
    return out


def _groups(score: Score, tick: int) -> list[int]:
    """The beats of a whole bar at `tick`, in ticks."""
    meter, quarter = score.meter_at(tick), score.ticks_per_quarter
    whole = score.full_bar_ticks(tick)
    if meter.denominator <= 4 or whole < quarter:
        size = quarter
    elif meter.denominator == 8 and meter.numerator % 3 == 0:
        size = 3 * quarter // 2
    else:
        size = quarter
    count = max(whole // max(size, 1), 1)
    groups = [size] * count
    groups[-1] += whole - size * count
    if groups[-1] > 3 * quarter // 2:
        groups = [*groups[:-1], quarter, groups[-1] - quarter]
    return groups
