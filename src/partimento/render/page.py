"""One offline page of pieces: rolls, players with the sound inside, what was asked and what came, downloads."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from partimento.formats.files import write_bytes
from partimento.render.html import asset, data_uri, document, html_text, page_style
from partimento.render.layout import Shade, layout
from partimento.render.roll import LIGHT
from partimento.render.scene import Scene, svg
from partimento.score import Score

AskedGot = tuple[str, object, object, bool | None]     # name, asked, got, met (None: nothing to check)

ROLL_WIDTH = 1120
CHEAP_SECONDS, CHEAP_NOTES = 120.0, 4_000              # up to here a notebook makes the sound at once
_MOST_TIMES = 2_000                                    # entries of the tick-to-second table in a page
_KINDS = {".mid": "audio/midi", ".midi": "audio/midi", ".kar": "audio/midi", ".wav": "audio/wav", ".ogg": "audio/ogg",
          ".mp3": "audio/mpeg", ".flac": "audio/flac", ".opus": "audio/ogg", ".png": "image/png",
          ".svg": "image/svg+xml", ".json": "application/json", ".txt": "text/plain", ".pdf": "application/pdf"}


@dataclasses.dataclass(frozen=True)
class Panel:
    """One piece on a page.

    `asked_got` holds rows (name, asked, got, met), met None where nothing is to be checked. `downloads` maps a file
    name to its bytes, carried inside the page, or to a path relative to the page. `audio` is a whole sound file of
    media type `audio_type`. `shaded` and `new` are as in `roll_svg`; `loop` puts a loop button beside the player.
    """

    title: str
    score: Score
    asked_got: Sequence[AskedGot] = ()
    downloads: Mapping[str, bytes | str] = dataclasses.field(default_factory=dict)
    audio: bytes | None = None
    audio_type: str = "audio/ogg"
    note: str = ""
    shaded: Sequence[Shade] = ()
    new: npt.ArrayLike | None = None
    loop: bool = False


def page(panels: Sequence[Panel], *, title: str, intro: str = "", settings: Mapping[str, object] | None = None,
         foot: str = "") -> str:
    """Return one HTML page that shows and plays all `panels`, needs no network, and loads nothing from outside.

    `settings` are shown under the title as name and value, `foot` below all panels. All words are escaped.

    >>> "<script>alert" in page([Panel("<script>alert(1)</script>", Score())], title="Two pieces")
    False
    """
    rows = "".join(f"<div><dt>{html_text(k)}</dt><dd>{html_text(v)}</dd></div>" for k, v in (settings or {}).items())
    style = (f"body {{ margin: 0; }}\n.pm-page {{ min-height: 100vh; padding: clamp(.7rem, 3vw, 2rem); }}\n"
             f".pm-page > * {{ max-width: 74rem; margin-inline: auto; }}\n{page_style()}")
    body = [f"<header><h1>{html_text(title)}</h1>{f'<p>{html_text(intro)}</p>' if intro else ''}"
            f"{f'<dl class=pm-settings>{rows}</dl>' if rows else ''}</header>\n<main>",
            *(_panel(panel, heading="h2") for panel in panels),
            "</main>" + (f'\n<footer class="pm-note">{html_text(foot)}</footer>' if foot else "")]
    return document(title, style, "\n".join(body), asset("page.js"), "pm pm-page")


def write_page(panels: Sequence[Panel], path: str | os.PathLike[str], *, title: str, intro: str = "",
               settings: Mapping[str, object] | None = None, foot: str = "") -> Path:
    """Write the page of `panels` to `path` and return the path; written beside, then renamed. WriteError on failure."""
    target = Path(path)
    write_bytes(target, page(panels, title=title, intro=intro, settings=settings, foot=foot).encode())
    return target


def score_html(score: Score) -> str:
    """Return a fragment of HTML that shows `score` in a notebook: its roll and, where that is quick, its sound.

    A piece of more than 2 minutes or 4,000 notes stays silent, and says so; where no sound can be made it says why.
    """
    audio, note = _sound(score)
    panel = Panel("", score, audio=audio, note=note)
    return (f'<div class="pm"><style>\n{page_style()}</style>\n{_panel(panel, heading="")}\n'
            f"<script>\n{asset('page.js')}</script></div>")


def _sound(score: Score) -> tuple[bytes | None, str]:
    """The sound of a Score as OGG where it is cheap, or None and why not."""
    seconds = float(score.seconds(score.end))
    if not len(score):
        return None, ""
    if seconds > CHEAP_SECONDS or len(score) > CHEAP_NOTES:
        return None, "No sound here: the piece is long. Render it to a file to hear it."
    try:
        from partimento.render.audio import audio_bytes
        return audio_bytes(score, format="ogg"), ""
    except Exception as error:      # a picture must never be lost for want of sound
        return None, f"No sound here: {error}"


# --- parts -----------------------------------------------------------------------------------------------------


def _panel(panel: Panel, heading: str) -> str:
    scene = layout(panel.score, shaded=panel.shaded, new=panel.new, width=ROLL_WIDTH, margin=2, tips=True)
    name = panel.title or "the piece"
    bar = []
    if panel.audio is not None:
        bar.append(f'<audio controls preload="metadata" aria-label="Sound of {html_text(name)}" '
                   f'src="{data_uri(panel.audio, panel.audio_type)}"></audio>')
        if panel.loop:
            bar.append('<button type="button" data-loop hidden aria-pressed="false">Loop</button>')
    bar += [_download(file, content) for file, content in panel.downloads.items()]
    help_text = "Space plays and pauses, the arrow keys go from bar to bar." if panel.audio is not None else ""
    parts = [
        '<section class="pm-panel">',
        f"<{heading}>{html_text(panel.title)}</{heading}>" if heading and panel.title else "",
        f'<div class="pm-bar">{"".join(bar)}</div>' if bar else "",
        f'<div class="pm-roll" tabindex="0" role="group" aria-label="Piano roll of {html_text(name)}. {help_text}">',
        svg(scene, LIGHT, inline=True) + "</div>",
        f'<script type="application/json">{timing(panel.score, scene)}</script>' if panel.audio is not None else "",
        _table(panel.asked_got),
        f'<p class="pm-note">{html_text(panel.note)}</p>' if panel.note else "",
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _table(rows: Sequence[AskedGot]) -> str:
    if not rows:
        return ""
    signs = {True: ("yes", "✓", "met"), False: ("no", "✗", "not met"), None: ("open", "·", "not checked")}
    lines = []
    for name, asked, got, met in rows:
        style, sign, words = signs[None if met is None else bool(met)]
        lines.append(f'<tr><th scope="row">{html_text(name)}</th><td>{html_text(asked)}</td><td>{html_text(got)}</td>'
                     f'<td class="pm-{style}"><span aria-hidden="true">{sign}</span>'
                     f'<span class="pm-hidden">{words}</span></td></tr>')
    body = "\n".join(lines)
    return ('<div class="pm-scroll"><table><thead><tr><th scope="col">wish</th><th scope="col">asked</th>'
            f'<th scope="col">got</th><th scope="col">met</th></tr></thead><tbody>\n{body}\n</tbody></table></div>')


def _download(name: str, content: bytes | str) -> str:
    if isinstance(content, bytes):
        target = data_uri(content, _KINDS.get(Path(name).suffix.lower(), "application/octet-stream"))
    else:
        target = "./" + quote(content.replace(os.sep, "/"), safe="/")     # a scheme's colon is quoted: stays relative
    return f'<a href="{target}" download="{html_text(name)}">{html_text(name)}</a>'


def timing(score: Score, scene: Scene) -> str:
    """Return JSON for the cursor over a roll: [tick, second] where the tempo changes, the systems' places, the bars.

    >>> timing(Score(end=1920), layout(Score(end=1920)))[:30]
    '{"times":[[0,0.0],[1920,2.0]],'
    """
    end = scene.systems[-1].end
    ticks = np.array(sorted({0, end, *(t.tick for t in score.tempos if t.tick < end)}), np.int64)
    if len(ticks) > _MOST_TIMES:
        ticks = ticks[np.unique(np.linspace(0, len(ticks) - 1, _MOST_TIMES).astype(int))]
    bars = score.bar_starts[score.bar_starts < end].tolist()
    table = {"times": [[t, round(s, 4)] for t, s in zip(ticks.tolist(), score.seconds(ticks).tolist(), strict=True)],
             "systems": [[s.start, s.end, *(round(v, 1) for v in s[2:])] for s in scene.systems],
             "bars": bars or [0]}
    return json.dumps(table, separators=(",", ":"))
