"""The part of a report on sets: every measure of both as a row and a plot, distances, bits a note, listeners."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from partimento.judge.distances import Interval, kernel_density
from partimento.judge.evaluate import Evaluation, MeasureRow
from partimento.judge.frechet import Frechet
from partimento.judge.likelihood import NoteBits
from partimento.judge.listeners import Preferences, verdict_of
from partimento.judge.measures import MEASURES
from partimento.render.html import html_text

FloatArray = npt.NDArray[np.float64]
_WIDE, _TALL = 320, 118                    # of a plot of two distributions, in pixels
_TOP, _GROUND = 6, 84
_POINTS = 160
_SHARE_WIDE = 150                          # of a share drawn in a row of a table


def sets_part(found: Evaluation) -> str:
    """Return the HTML of an evaluation of sets: a table of all measures, and a card with a plot of each."""
    inside = sum(row.inside for row in found.rows)
    rows = "\n".join(_row(row) for row in found.rows)
    cards = [_frechet_card(found.frechet)] if found.frechet is not None else []
    cards += [_card(row, found.values.get(row.name)) for row in found.rows]
    remarks = "".join(f"<li>{html_text(remark[:1].upper() + remark[1:])}</li>" for remark in found.remarks)
    head = "".join(f'<th scope="col"{style}>{name}</th>' for name, style in (
        ("measure", ""), ("music", ' class="pr-wide"'), ("reference", ' class="pr-wide"'),
        ("overlap, and that of real music with real music", ' data-by="n"'), ("verdict", "")))
    return f"""<section class="pr-part" id="sets">
<h2>The set beside real music</h2>
<p>{found.pieces:,} pieces beside {found.reference_pieces:,} of the reference, in stretches of {found.bars} bars.
<b>{inside} of {len(found.rows)}</b> measures lie as real music does. The overlap says how alike the distances within
the set and those to the reference are, 1 where nothing tells them apart (Yang and Lerch 2020); the grey band is where
it lies when pieces of the reference stand in for the music. Numbers in brackets are 95 % intervals.</p>
{f"<ul>{remarks}</ul>" if remarks else ""}
<div class="pm-scroll" tabindex="0" role="region" aria-label="All measures"><table class="pr-table" data-sort>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody></table></div>
<p class="pr-legend"><span class="pr-swatch pr-ours"></span> the music
<span class="pr-swatch pr-theirs"></span> the reference · below each plot the means with their intervals</p>
<div class="pr-cards">
{"".join(cards)}
</div></section>"""


def tiles_part(evaluation: Evaluation | None, bits: Sequence[NoteBits], pieces: int, faults: int) -> str:
    """Return the HTML of the few numbers that stand at the head of a report."""
    tiles = []
    if evaluation is not None:
        inside = sum(row.inside for row in evaluation.rows)
        tiles.append(_tile(f"{inside}<small> of {len(evaluation.rows)}</small>", "measures lie as real music does"))
        if evaluation.frechet is not None:
            far = evaluation.frechet
            tiles.append(_tile(_short(far.corrected), "Fréchet Music Distance; real beside real "
                               f"{_short(far.corrected_band[0])} to {_short(far.corrected_band[1])}"))
    tiles += [_tile(f"{row.bits.value:.2f}", f"bits a note under {row.model} {_between(row.bits)}, {row.notes:,} notes"
                    + ("; at most" if row.bound else "")) for row in bits]
    if pieces:
        tiles.append(_tile(f"{faults:,}", f"findings in {pieces:,} {'piece' if pieces == 1 else 'pieces'}"))
    return f'<div class="pr-tiles">{"".join(tiles)}</div>' if tiles else ""


def listeners_part(found: Preferences) -> str:
    """Return the HTML of what listeners said: who was preferred to whom, and which measures agree with them."""
    count = len(found.listeners)
    duels = "\n".join(
        f'<tr><th scope="row">{html_text(row.first)} to {html_text(row.second)}</th>'
        f"<td>{_share(row.share, chance=0.5)} {_percent(row.share)}</td>"
        f"<td>{row.wins}</td><td>{row.ties}</td><td>{row.losses}</td></tr>" for row in found.duels)
    strengths = "".join(f"<li>{html_text(name)}: {signed(s.value)} ({signed(s.low)} to {signed(s.high)})</li>"
                        for name, s in sorted(found.strengths.items(), key=lambda item: -item[1].value))
    agreements = "\n".join(
        f'<tr><th scope="row">{html_text(row.measure.replace("_", " "))}</th><td>{row.answers}</td>'
        + "".join(f'<td data-v="{share.value if share else -1:.6g}">' + (f"{_share(share, chance=0.5)} "
                  f"{_percent(share)} <small>{verdict_of(share)}</small>" if share else "–") + "</td>"
                  for share in (row.higher, row.nearer)) + "</tr>" for row in found.agreements)
    told = "".join(f"<li>{html_text(sentence[:1].upper() + sentence[1:])}</li>" for sentence in found.told)
    habit = f"The left of the two was preferred in {_percent(found.first_heard)}." if found.first_heard else ""
    parts = [
        '<section class="pr-part" id="listeners"><h2>What listeners say</h2>',
        f"<p>{count} {'listener' if count == 1 else 'listeners'}, "
        f"{sum(row.answers for row in found.listeners)} answers, blind. No difference counts half for either; the line "
        "in the middle is chance.</p>",
        '<div class="pm-scroll" tabindex="0" role="region" aria-label="Preferences"><table class="pr-table"><thead><tr>'
        '<th scope="col">preferred</th><th scope="col">share</th><th scope="col">won</th>'
        f'<th scope="col">no difference</th><th scope="col">lost</th></tr></thead><tbody>{duels}</tbody></table></div>',
        f"<p>Strengths (Bradley and Terry, logarithms of mean 0):</p><ul>{strengths}</ul>" if strengths else "",
        "<h3>Which measures agree with them</h3>",
        "<p>Yes: the interval leaves chance out, as it does for one in twenty measures that say nothing.</p>",
        '<div class="pm-scroll" tabindex="0" role="region" aria-label="Measures and listeners">'
        '<table class="pr-table" data-sort><thead><tr><th scope="col">measure</th>'
        '<th scope="col" data-by="n">answers</th><th scope="col" data-by="n">more of it was preferred</th>'
        '<th scope="col" data-by="n">nearer to real music was preferred</th></tr></thead>'
        f"<tbody>{agreements}</tbody></table></div>" if agreements else "",
        f"<p>{habit}</p>" if habit else "",
        f"<ul>{told}</ul>" if told else "",
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


# --- measures ------------------------------------------------------------------------------------------------------


def measure_sentence(row: MeasureRow) -> str:
    """Return what one measure says of two sets, in one sentence of plain words."""
    said = MEASURES[row.name].meaning if row.name in MEASURES else row.name.replace("_", " ")
    apart = row.mean.low > row.reference.high or row.mean.high < row.reference.low
    than = "means that cannot be told apart" if not apart else \
        "more" if row.mean.value > row.reference.value else "less"
    verdict = "no further from it than real music is" if row.inside else "further from it than real music is"
    return (f"{said[:1].upper()}{said[1:]}: {_in_unit(row.mean.value, row.unit)} where the reference has "
            f"{_in_unit(row.reference.value, row.unit).split(' ')[0]}, {than}; {verdict}.")


def _in_unit(value: float, unit: str) -> str:
    if unit.startswith("share"):
        return f"{100 * value:.3g} %{unit.removeprefix('share')}"
    return f"{value:.3g} {unit}".strip()


def _row(row: MeasureRow) -> str:
    said = MEASURES[row.name].meaning if row.name in MEASURES else ""
    verdict = '<td class="pm-yes">as real</td>' if row.inside else '<td class="pm-no">apart</td>'
    means = "".join(f'<td class="pr-wide" data-v="{mean.value:.6g}">{mean.value:.3g} <small>{_between(mean)}</small>'
                    "</td>" for mean in (row.mean, row.reference))
    return (f'<tr><th scope="row"><a href="#m-{html_text(row.name)}">{html_text(row.name.replace("_", " "))}</a>'
            f'<small>{html_text(said)}{f", {html_text(row.unit)}" if row.unit else ""}</small></th>'
            f'{means}<td data-v="{row.overlap:.6g}">{_overlap(row)} {row.overlap:.2f} '
            f"<small>({row.band[0]:.2f}–{row.band[1]:.2f})</small></td>{verdict}</tr>")


def _card(row: MeasureRow, values: tuple[FloatArray, FloatArray] | None) -> str:
    plot = _distributions(row, *values) if values is not None and min(map(len, values)) > 1 else ""
    style = "pm-yes" if row.inside else "pm-no"
    return (f'<article class="pr-card" id="m-{html_text(row.name)}"><h3>{html_text(row.name.replace("_", " "))}'
            f'<span class="{style}">{"as real" if row.inside else "apart"}</span></h3>{plot}'
            f"<p>{html_text(measure_sentence(row))}</p></article>")


def _frechet_card(far: Frechet) -> str:
    """The Fréchet Music Distance, as it stands and freed of the sets' size, beside that of real music."""
    forms = (("size taken out", far.corrected, far.corrected_low, far.corrected_high, far.corrected_band),
             ("as it stands", far.value, far.low, far.high, far.band))
    most = max(1e-9, *(max(value, high, band[1]) for _, value, _, high, band in forms)) * 1.05
    drawn = []
    for number, (name, value, low, high, band) in enumerate(forms):
        x, left, right, near, far_end = (min(max(v / most, 0.0), 1.0) * (_WIDE - 12) + 6
                                         for v in (value, low, high, *band))
        y, style = 30 + 44 * number, "pr-in" if value <= band[1] else "pr-out"
        drawn.append(f'<text x="6" y="{y - 14}">{name}: {_short(value)} ({_short(low)} to {_short(high)}), real '
                     f'{_short(band[0])} to {_short(band[1])}</text><line x1="6" x2="{_WIDE - 6}" y1="{y}" y2="{y}"/>'
                     f'<rect x="{near:.1f}" y="{y - 6}" width="{max(far_end - near, 1.5):.1f}" height="12" rx="2"/>'
                     f'<line class="pr-reach {style}" x1="{left:.1f}" x2="{right:.1f}" y1="{y}" y2="{y}"/>'
                     f'<circle class="{style}" cx="{x:.1f}" cy="{y}" r="5"/>')
    inside = far.corrected <= far.corrected_band[1]
    said = (f"How far the two sets lie apart in all that the embedding {far.embedding} hears, 0 where they are alike. "
            "It grows with small sets: the upper line is what endlessly many pieces would have.")
    return (f'<article class="pr-card" id="m-frechet"><h3>Fréchet Music Distance<span class="'
            f'{"pm-yes" if inside else "pm-no"}">{"as real" if inside else "apart"}</span></h3>'
            f'<svg class="pr-plot pr-share pr-distance" viewBox="0 0 {_WIDE} 90" role="img" aria-label="Fréchet Music '
            f'Distance {far.corrected:.3g}, real beside real up to {far.corrected_band[1]:.3g}">{"".join(drawn)}</svg>'
            f"<p>{html_text(said)}</p></article>")


def _overlap(row: MeasureRow) -> str:
    """The overlap as a dot on a line from 0 to 1, over the band of real music."""
    x, low, high = (_SHARE_WIDE * min(max(value, 0.0), 1.0) for value in (row.overlap, *row.band))
    style = "pr-in" if row.inside else "pr-out"
    return (f'<svg class="pr-share" viewBox="0 0 {_SHARE_WIDE} 16" width="{_SHARE_WIDE}" height="16" '
            f'aria-hidden="true"><line x1="0" x2="{_SHARE_WIDE}" y1="8" y2="8"/><rect x="{low:.1f}" y="2" '
            f'width="{max(high - low, 1.5):.1f}" height="12" rx="2"/>'
            f'<circle class="{style}" cx="{min(max(x, 5), _SHARE_WIDE - 5):.1f}" cy="8" r="5"/></svg>')


def _share(found: Interval, chance: float) -> str:
    """A share with its interval on a line from 0 to 1, chance marked."""
    x, low, high, middle = (_SHARE_WIDE * value for value in (*found, chance))
    style = "pr-in" if found.low > chance else "pr-out" if found.high < chance else "pr-open"
    return (f'<svg class="pr-share {style}" viewBox="0 0 {_SHARE_WIDE} 16" width="{_SHARE_WIDE}" height="16" '
            f'aria-hidden="true"><line x1="0" x2="{_SHARE_WIDE}" y1="8" y2="8"/>'
            f'<line class="pr-chance" x1="{middle:.1f}" x2="{middle:.1f}" y1="0" y2="16"/>'
            f'<line class="pr-reach" x1="{low:.1f}" x2="{high:.1f}" y1="8" y2="8"/>'
            f'<circle class="{style}" cx="{min(max(x, 5), _SHARE_WIDE - 5):.1f}" cy="8" r="5"/></svg>')


def _distributions(row: MeasureRow, ours: FloatArray, theirs: FloatArray) -> str:
    """Both sets as curves over one axis, and under it the means with their intervals."""
    both = np.concatenate([ours, theirs]).astype(np.float64)
    low, high = (float(v) for v in np.quantile(both, (0.005, 0.995)))
    low, high = min(low, row.mean.low, row.reference.low), max(high, row.mean.high, row.reference.high)
    margin = max((high - low) * 0.14, abs(high) * 1e-3, 1e-6)
    low, high = low - margin, high + margin
    at = np.linspace(low, high, _POINTS)
    curves = [_curve(np.asarray(values, np.float64), at) for values in (ours, theirs)]
    most = min(max(float(curve.max()) for curve in curves), 4 * min(float(curve.max()) for curve in curves)) or 1.0

    def x(value: float) -> float:
        return (value - low) / (high - low) * (_WIDE - 2) + 1

    shapes = []
    for style, curve in (("pr-theirs", curves[1]), ("pr-ours", curves[0])):
        height = np.minimum(curve / most, 1.0) * (_GROUND - _TOP)
        points = " ".join(f"{x(a):.1f},{_GROUND - b:.1f}" for a, b in zip(at.tolist(), height.tolist(), strict=True))
        shapes.append(f'<polygon class="{style}" points="{x(low):.1f},{_GROUND} {points} {x(high):.1f},{_GROUND}"/>')
    for style, found, y in (("pr-ours", row.mean, _GROUND + 8), ("pr-theirs", row.reference, _GROUND + 15)):
        shapes.append(f'<line class="{style}" x1="{x(found.low):.1f}" x2="{x(found.high):.1f}" y1="{y}" y2="{y}"/>'
                      f'<circle class="{style}" cx="{x(found.value):.1f}" cy="{y}" r="3.2"/>')
    marks = "".join(f'<text x="{x(value):.1f}" y="{_TALL - 3}" text-anchor="middle">{value:.4g}</text>'
                    for value in nice_ticks(low, high) if 12 < x(value) < _WIDE - 12)
    said = (f"{row.name.replace('_', ' ')}: mean {row.mean.value:.3g} beside {row.reference.value:.3g} of the "
            f"reference, overlap {row.overlap:.2f}")
    return (f'<svg class="pr-plot" viewBox="0 0 {_WIDE} {_TALL}" role="img" aria-label="{html_text(said)}">'
            f'<line class="pr-axis" x1="0" x2="{_WIDE}" y1="{_GROUND}" y2="{_GROUND}"/>{"".join(shapes)}{marks}</svg>')


def _curve(values: FloatArray, at: FloatArray) -> FloatArray:
    """The density of a sample at the points of an axis; one almost without spread is a narrow bell that can be seen."""
    least = 0.015 * float(at[-1] - at[0])
    if float(values.std()) > least:
        return kernel_density(values, at)
    return np.asarray(np.exp(-0.5 * ((at - values.mean()) / least) ** 2) / (least * math.sqrt(2 * math.pi)))


def nice_ticks(low: float, high: float) -> list[float]:
    """Return some five round numbers from `low` to `high`, for the axis of a plot.

    >>> nice_ticks(0.13, 0.92)
    [0.2, 0.4, 0.6, 0.8]
    """
    rough = max(high - low, 1e-12) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * k for k in (1, 2, 2.5, 5, 10) if power * k >= rough * 0.999)
    return [float(f"{step * k:.6g}") for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


# --- numbers -------------------------------------------------------------------------------------------------------


def _tile(number: str, words: str) -> str:
    return f'<div class="pr-tile"><b>{number}</b><span>{html_text(words)}</span></div>'


def _between(found: Interval) -> str:
    return f"({found.low:.3g}–{found.high:.3g})"


def signed(value: float) -> str:
    """Return a number with its sign and two places, as print has it.

    >>> signed(-0.5), signed(1.234)
    ('−0.50', '+1.23')
    """
    return f"{value:+.2f}".replace("-", "−")


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _percent(found: Interval) -> str:
    return f"{100 * found.value:.0f} % <small>({100 * found.low:.0f}–{100 * found.high:.0f})</small>"
