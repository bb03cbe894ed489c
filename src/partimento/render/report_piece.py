"""The part of a report on one piece: its roll with the findings marked, a player that goes to them, what it borrows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from partimento.judge.finding import Finding
from partimento.judge.originality import Originality
from partimento.judge.rank import Rank
from partimento.judge.rank_orders import ORDERS
from partimento.render.html import data_uri, html_text
from partimento.render.layout import Shade, layout
from partimento.render.page import ROLL_WIDTH, timing
from partimento.render.report_sets import signed
from partimento.render.roll import LIGHT
from partimento.render.roll_words import track_name
from partimento.render.scene import Boxes, Label, Scene, svg
from partimento.score import Score

PASSAGES = 12                  # in the list of what is shared
FIRST = 30                     # findings in the list before the rest are folded away
TIPS = 1_500                   # notes of a piece that still say what they are when pointed at
TINTED = 4                     # a finding longer than the piece over this has its number only
MARK = "#b34700"
_BADGE = 15                    # height of the number of a finding, in pixels
_DEVIATIONS = 3.0              # of real music at the ends of the line of an order
_RENAMED = {"blank": "found", "new": "its notes"}


@dataclasses.dataclass(frozen=True)
class ReportPiece:
    """One piece of a report: its name and music, what was found in it, its rank, and what it shares with others."""

    name: str
    score: Score
    findings: Sequence[Finding] = ()
    rank: Rank | None = None
    originality: Originality | None = None


def piece_part(piece: ReportPiece, number: int, audio: bytes | None, audio_type: str, note: str) -> str:
    """Return the HTML of one piece, the `number`-th of a report; `audio` is its sound, `note` a word on that."""
    home, name = f"p{number}", html_text(piece.name)
    if not len(piece.score):
        return (f'<section class="pm-panel pr-piece" id="{home}">\n<h3>{name}</h3>\n'
                '<p class="pr-clean">No notes.</p></section>')
    scene = _scene(piece)
    roll = svg(scene, {**LIGHT, "mark": MARK}, inline=True).replace("</svg>", _badges(piece, scene, home) + "</svg>")
    player = "" if audio is None else (f'<audio controls preload="metadata" aria-label="Sound of {name}" '
                                       f'src="{data_uri(audio, audio_type)}"></audio>')
    help_text = " Space plays and pauses, the arrow keys go from bar to bar." if player else ""
    parts = [
        f'<section class="pm-panel pr-piece" id="{home}">',
        f"<h3>{name}</h3>",
        f'<div class="pm-bar">{player}</div>' if player else "",
        f'<div class="pm-roll" style="--wide:{scene.width}px" tabindex="0" role="group" '
        f'aria-label="Piano roll of {name}.{help_text}">',
        roll + "</div>",
        f'<script type="application/json">{timing(piece.score, scene)}</script>' if player else "",
        f'<p class="pm-note">{html_text(note)}</p>' if note else "",
        _list(piece, home), "" if piece.rank is None else _rank(piece.rank),
        "" if piece.originality is None else _shared(piece.score, piece.originality), "</section>",
    ]
    return "\n".join(part for part in parts if part)


# --- the roll ------------------------------------------------------------------------------------------------------


def _scene(piece: ReportPiece) -> Scene:
    """The roll of a piece: short findings tinted where they are, and the notes outlined that findings are about."""
    score = piece.score
    shaded: list[Shade] = []
    marked = np.zeros(len(score), bool)
    for found in piece.findings:
        marked[[note for note in found.notes if 0 <= note < len(score)]] = True
        if (found.end - found.start) * TINTED > score.end:
            continue
        tracks = [found.track] if 0 <= found.track < len(score.tracks) else range(len(score.tracks))
        shaded += [(track, found.start, max(found.end, found.start + 1)) for track in tracks]
    scene = layout(score, shaded=shaded, new=marked, width=ROLL_WIDTH, margin=2, tips=len(score) <= TIPS)
    return dataclasses.replace(scene, items=tuple(_reworded(item, scene.systems[0].top) for item in scene.items),
                               height=scene.height + _BADGE + 2)


def _reworded(item: Boxes | Label, top: float) -> Boxes | Label:
    """The legend of blanks and new notes says findings, and their notes have the colour of a mark."""
    if isinstance(item, Boxes):
        return item._replace(outline="mark") if item.outline == "ink" else item
    return item._replace(text=_RENAMED[item.text]) if item.y < top - 24 and item.text in _RENAMED else item


def _badges(piece: ReportPiece, scene: Scene, home: str) -> str:
    """The number of every finding under the row of music where it begins, a link to its sentence."""
    drawn = []
    for system in scene.systems:
        free = 0.0
        per_tick = (system.right - system.left) / max(system.end - system.start, 1)
        for number, found in enumerate(piece.findings, 1):
            if not system.start <= found.start < system.end:
                continue
            wide = 7.0 + 7.0 * len(str(number))
            x = max(system.left + (found.start - system.start) * per_tick, free)
            if x + wide > system.right + 2:
                x = max(free, system.right - wide)
            if x + wide > scene.width:
                break
            free = x + wide + 2
            y = system.bottom + 1
            drawn.append(f'<a href="#{home}-f{number}" id="{home}-m{number}" data-at="{number}" '
                         f'aria-label="finding {number}"><rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" '
                         f'height="{_BADGE}" rx="4"/><text x="{x + wide / 2:.1f}" y="{y + 11.5:.1f}" font-size="11" '
                         f'text-anchor="middle">{number}</text></a>')
    return f'<g class="pr-badges">{"".join(drawn)}</g>' if drawn else ""


# --- what was found ------------------------------------------------------------------------------------------------


def place_words(score: Score, found: Finding) -> str:
    """Return where a finding is, in words: ``bar 9, piano`` or ``bars 3–4``."""
    bars = _span(found.bars)
    return bars if not 0 <= found.track < len(score.tracks) else f"{bars}, {track_name(score, found.track)}"


def _list(piece: ReportPiece, home: str) -> str:
    if not piece.findings:
        return '<p class="pr-clean">No fault found.</p>'
    items = []
    for number, found in enumerate(piece.findings, 1):
        second = float(piece.score.seconds(found.start))
        spread = "" if found.spread is None else f"; the reference {found.spread[0]:.3g}–{found.spread[1]:.3g}"
        measured = f"{found.value:.3g} {found.unit}".strip() + spread
        items.append(f'<li id="{home}-f{number}" value="{number}">'
                     f'<a href="#{home}-m{number}" data-second="{second:.3f}">'
                     f"{html_text(place_words(piece.score, found))}</a> {html_text(found.text)} "
                     f"<small>{html_text(measured)}</small></li>")
    head = f'<ol class="pr-findings">{"".join(items[:FIRST])}</ol>'
    if len(items) > FIRST:
        head += (f'<details><summary>{len(items) - FIRST} more</summary>'
                 f'<ol class="pr-findings">{"".join(items[FIRST:])}</ol></details>')
    return head


def _rank(found: Rank) -> str:
    """The rank in a sentence, and every order that it is made of as a dot beside the mean of real music."""
    meanings = {order.name: order.meaning for order in ORDERS}
    rows = []
    for part in found.parts:
        words = f'<b title="{html_text(meanings.get(part.name, ""))}">{html_text(part.name)}</b>'
        if part.place is None:
            rows.append(f"<li>{words} <small>cannot be heard here</small></li>")
            continue
        x = 60 + 55 * min(max(part.place / _DEVIATIONS, -1.0), 1.0)
        style = "pr-in" if part.place >= -1 else "pr-out"
        rows.append(f'<li>{words} <svg class="pr-share" viewBox="0 0 120 16" width="120" height="16" '
                    'aria-hidden="true"><line x1="0" x2="120" y1="8" y2="8"/>'
                    '<line class="pr-chance" x1="60" x2="60" y1="1" y2="15"/>'
                    f'<circle class="{style}" cx="{x:.1f}" cy="8" r="5"/></svg> '
                    f"<small>{signed(part.place)[:-1]}</small></li>")
    return (f'<p class="pr-rank"><b>Rank {signed(found.value)}</b>, above {100 * found.above:.0f} % of the pieces of '
            f"{html_text(found.reference)}. 0 is the mean real piece; of each order, in standard deviations:</p>"
            f'<ul class="pr-orders">{"".join(rows)}</ul>')


def _shared(score: Score, found: Originality) -> str:
    """The verdict, a cell a bar, the darker the more of it is shared, and the passages in words, to be played."""
    borrowed = [False] * len(found.bars)
    for passage in found.passages:
        for i, row in enumerate(found.bars):
            borrowed[i] |= passage.borrowed and passage.bars[0] <= row.bar <= passage.bars[1]
    cells = [f'<i class="{"pr-taken" if taken else ""}" style="--s:{min(max(row.share, 0.0), 1.0):.2f}" '
             f'title="bar {row.bar}: {100 * row.share:.0f} % shared">{row.bar}</i>'
             for row, taken in zip(found.bars, borrowed, strict=True)]
    usual = "" if found.usual is None else \
        f" Pieces of the index share {100 * found.usual[0]:.0f}–{100 * found.usual[1]:.0f} % with one another."
    lines = []
    for passage in found.passages:
        second = float(score.seconds(passage.start))
        lines.append(f'<li class="{"pr-taken" if passage.borrowed else ""}"><a href="#" data-second="{second:.3f}">'
                     f"{html_text(_span(passage.bars))}</a> {html_text(passage.text.partition(': ')[2])}</li>")
    more = f"<li>and {len(lines) - PASSAGES} more</li>" if len(lines) > PASSAGES else ""
    head = f": {found.verdict}" if not found.text.startswith(found.verdict) else ""
    text = found.text[:1].upper() + found.text[1:].removesuffix(".")
    return (f'<p class="pr-rank"><b>Originality{html_text(head)}.</b> {html_text(text)}.{usual}</p>'
            f'<div class="pr-strip" role="img" aria-label="Share of the notes of every bar that stand in other pieces '
            f'too">{"".join(cells)}</div>'
            + (f'<ul class="pr-sources">{"".join(lines[:PASSAGES])}{more}</ul>' if lines else ""))


def _span(bars: tuple[int, int]) -> str:
    return f"bar {bars[0]}" if bars[0] == bars[1] else f"bars {bars[0]}–{bars[1]}"
