"""A report as one offline page: sets beside real music, pieces with what was found in them, what listeners say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from partimento.errors import PartimentoError, RequestError, WriteError
from partimento.formats.files import check_target, write_bytes
from partimento.judge.evaluate import Evaluation
from partimento.judge.likelihood import NoteBits
from partimento.judge.listeners import Preferences
from partimento.judge.rank import RankReference
from partimento.models.base import Progress
from partimento.models.base import Report as Reporting
from partimento.render.audio import render_audio
from partimento.render.html import asset, document, html_text, page_style
from partimento.render.report_piece import ReportPiece, piece_part
from partimento.render.report_sets import listeners_part, sets_part, signed, tiles_part
from partimento.render.sounding import compact_sound, sounding_bars
from partimento.score import Score

RATE = 48000
SHOWN = 24                     # pieces shown with their rolls; the others stand in the table only
PAGE_BYTES = 40_000_000        # from here on pieces are no longer shown
LONGEST = 300.0                # seconds of a piece that are made sound
SOUND_SECONDS = 2400.0         # of all pieces together


def report_page(title: str, *, evaluation: Evaluation | None = None, bits: Sequence[NoteBits] = (),
                pieces: Sequence[ReportPiece] = (), rank_reference: RankReference | None = None,
                preferences: Preferences | None = None, intro: str = "", sound: bool = True,
                report: Reporting | None = None) -> str:
    """Return a report as one HTML page that needs no network and no script to be read; parts not given are left out.

    `evaluation` is of sets, `bits` of as many judge models as there are, `pieces` are shown with their findings and
    what they share, `rank_reference` are the real pieces beside whose ranks theirs stand, `preferences` what
    listeners said. Pieces play where `sound` is on and can be made: Opus, some half a megabyte a minute, 5 minutes of
    a piece and 40 of all. After 24 pieces or 40 MB the others stand in the table only, and the page says so.

    >>> page = report_page("A tune", pieces=[ReportPiece("a <b>", Score())], sound=False)
    >>> "a &lt;b&gt;" in page, "https:" in page
    (True, False)
    """
    parts: list[str] = []
    size, seconds, silent, shown = 0, 0.0, "", 0
    for number, piece in enumerate(pieces[:SHOWN], 1):
        if size > PAGE_BYTES:
            break
        if report is not None and not report(Progress("making the report", number - 1, min(len(pieces), SHOWN))):
            raise RequestError("the report was cancelled; nothing was written")
        audio, note = None, ""
        if sound and not silent and len(piece.score):
            try:
                audio, note, lasted = _sound(piece.score, SOUND_SECONDS - seconds)
                seconds += lasted
            except (PartimentoError, OSError, ImportError) as error:      # no report is lost for want of sound
                silent = f"Nothing can be played here: {error}."
        parts.append(piece_part(piece, number, audio, "audio/ogg", note))
        size += len(parts[-1])
        shown = number
    faults = sum(len(piece.findings) for piece in pieces)
    body = [
        f"<header><h1>{html_text(title)}</h1>{f'<p>{html_text(intro)}</p>' if intro else ''}",
        tiles_part(evaluation, bits, len(pieces), faults),
        _contents(evaluation, preferences, len(pieces)), "</header>\n<main>",
        sets_part(evaluation) if evaluation is not None else "",
        listeners_part(preferences) if preferences is not None else "",
        _pieces(pieces, rank_reference, shown, silent) if pieces else "",
        *parts,
        "</section>" if pieces else "",
        "</main>",
    ]
    style = (f"body {{ margin: 0; }}\n.pm-page {{ min-height: 100vh; padding: clamp(.7rem, 3vw, 2rem); }}\n"
             f".pm-page > * {{ max-width: 74rem; margin-inline: auto; }}\n{page_style('report.css')}")
    return document(title, style, "\n".join(part for part in body if part), asset("page.js") + asset("report.js"),
                    "pm pm-page pr")


def write_report(path: str | os.PathLike[str], title: str, *, evaluation: Evaluation | None = None,
                 bits: Sequence[NoteBits] = (), pieces: Sequence[ReportPiece] = (),
                 rank_reference: RankReference | None = None, preferences: Preferences | None = None, intro: str = "",
                 sound: bool = True, report: Reporting | None = None) -> Path:
    """Write the report to `path` and return the path; arguments are those of `report_page`.

    WriteError where the path does not end in .html or cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise WriteError(f"a report must be written as .html; got {target.name!r}")
    check_target(target)
    text = report_page(title, evaluation=evaluation, bits=bits, pieces=pieces, rank_reference=rank_reference,
                       preferences=preferences, intro=intro, sound=sound, report=report)
    write_bytes(target, text.encode())
    return target


def _sound(score: Score, room: float) -> tuple[bytes | None, str, float]:
    """The sound of a piece as far as it may go, what to say of that, and its seconds."""
    starts = score.seconds(score.bar_starts)
    most = min(LONGEST, room)
    stop = int(np.searchsorted(starts, most + 1e-6, side="right")) - 1
    if stop < 1:
        return None, "No sound: the sound of the pieces before has filled the page.", 0.0
    if stop < score.n_bars:
        score = sounding_bars(score, 0, stop)
    note = "" if stop == len(starts) - 1 else f"The sound is of the first {stop} bars."
    return compact_sound(render_audio(score, rate=RATE), RATE), note, float(starts[stop])


def _contents(evaluation: Evaluation | None, preferences: Preferences | None, pieces: int) -> str:
    names = [("sets", "The set beside real music", evaluation is not None),
             ("listeners", "What listeners say", preferences is not None), ("pieces", "The pieces", pieces > 0)]
    links = [f'<a href="#{place}">{words}</a>' for place, words, there in names if there]
    return f'<nav aria-label="Contents">{" ".join(links)}</nav>' if len(links) > 1 else ""


def _pieces(pieces: Sequence[ReportPiece], reference: RankReference | None, shown: int, silent: str) -> str:
    """The head of the part on pieces: their table, how they rank, and what is left out."""
    left = (f"The first {shown} of {len(pieces)} pieces are shown with their rolls; the others stand in the table only."
            if shown < len(pieces) else "")
    ranked = any(piece.rank is not None for piece in pieces)
    head = [("piece", ""), ("bars", "n"), ("length", "n"), ("notes", "n"), ("findings", "n")]
    head += [("rank", "n")] if ranked else []
    head += [("originality", "")] if any(piece.originality for piece in pieces) else []
    rows = "\n".join(_line(piece, number, number <= shown, [name for name, _ in head])
                     for number, piece in enumerate(pieces, 1))
    cells = "".join(f'<th scope="col"{f" data-by={by}" if by else ""}>{name}</th>' for name, by in head)
    return "\n".join(part for part in (
        '<section class="pr-part" id="pieces"><h2>The pieces</h2>',
        f"<p>{html_text(silent)}</p>" if silent else "", f"<p>{left}</p>" if left else "",
        '<div class="pm-scroll" tabindex="0" role="region" aria-label="All pieces"><table class="pr-table" data-sort>'
        f"<thead><tr>{cells}</tr></thead><tbody>\n{rows}\n</tbody></table></div>" if len(pieces) > 1 else "",
        _ranking(pieces, reference) if ranked else "") if part)


def _line(piece: ReportPiece, number: int, shown: bool, names: Sequence[str]) -> str:
    score = piece.score
    seconds = float(score.seconds(score.end))
    name = f'<a href="#p{number}">{html_text(piece.name)}</a>' if shown else html_text(piece.name)
    cells = {"bars": (score.n_bars, f"{score.n_bars:,}"),
             "length": (seconds, f"{int(seconds) // 60}:{int(seconds) % 60:02d}"),
             "notes": (len(score), f"{len(score):,}"), "findings": (len(piece.findings), f"{len(piece.findings):,}"),
             "rank": ("", "–") if piece.rank is None else (piece.rank.value, signed(piece.rank.value)),
             "originality": ("", "–") if piece.originality is None else (
                 html_text(piece.originality.verdict), html_text(piece.originality.verdict))}
    return (f'<tr><th scope="row">{name}</th>'
            + "".join(f'<td data-v="{cells[name][0]}">{cells[name][1]}</td>' for name in names[1:]) + "</tr>")


def _ranking(pieces: Sequence[ReportPiece], reference: RankReference | None) -> str:
    """Where the pieces stand among real ones, by their rank: a tick each, ours above the line, real ones below."""
    ours = [(piece.name, piece.rank) for piece in pieces if piece.rank is not None]
    if reference is None or not reference.ranks or not ours:
        return ""
    ends = [*reference.ranks, *(rank.value for _, rank in ours)]
    low, span = min(ends), (max(ends) - min(ends)) or 1.0

    def tick(value: float, style: str, y: int, tip: str = "") -> str:
        x = 8 + (value - low) / span * 984
        said = f"<title>{html_text(tip)}: {signed(value)}</title>" if tip else ""
        return f'<line class="{style}" x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + 18}">{said}</line>'

    ticks = [tick(value, "pr-theirs", 34) for value in reference.ranks]
    ticks += [tick(rank.value, "pr-ours", 8, name) for name, rank in ours]
    above = float(np.mean([rank.above for _, rank in ours]))
    return (f'<figure class="pr-ranking"><svg viewBox="0 0 1000 60" preserveAspectRatio="none" role="img" '
            'aria-label="Ranks of the pieces and of real ones"><line class="pr-axis" x1="0" x2="1000" y1="30" y2="30"/>'
            f'{"".join(ticks)}</svg><figcaption>Rank, how much a piece is like real music: the pieces above the line, '
            f"{len(reference.ranks):,} real ones of {html_text(reference.name)} below, from {signed(low)} to "
            f"{signed(low + span)}. The mean piece here ranks above {100 * above:.0f} % of the real ones.</figcaption>"
            "</figure>")
