"""One offline page of pieces: rolls, players with the sound inside, what was asked and what came, downloads."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from partimento.formats.files import write_bytes
from partimento.render.layout import Shade, layout
from partimento.render.roll import DARK, LIGHT
from partimento.render.scene import Scene, svg
from partimento.score import Score

AskedGot = tuple[str, object, object, bool | None]     # name, asked, got, met (None: nothing to check)

ROLL_WIDTH = 1120
CHEAP_SECONDS, CHEAP_NOTES = 120.0, 4_000              # up to here a notebook makes the sound at once
_MOST_TIMES = 2_000                                    # entries of the tick-to-second table in a page
_KINDS = {".mid": "audio/midi", ".midi": "audio/midi", ".kar": "audio/midi", ".wav": "audio/wav", ".ogg": "audio/ogg",
          ".mp3": "audio/mpeg", ".flac": "audio/flac", ".opus": "audio/ogg", ".png": "image/png",
          ".svg": "image/svg+xml", ".json": "application/json", ".txt": "text/plain", ".pdf": "application/pdf"}
_NOTHING_FROM_OUTSIDE = ("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                         "media-src data: blob:; img-src data:")


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


def page(panels: Sequence[Panel], *, title: str, intro: str = "", settings: Mapping[str, object] | None = None) -> str:
    """Return one HTML page that shows and plays all `panels`, needs no network, and loads nothing from outside.

    `settings` are shown under the title as name and value. All words are escaped.

    >>> "<script>alert" in page([Panel("<script>alert(1)</script>", Score())], title="Two pieces")
    False
    """
    rows = "".join(f"<div><dt>{_text(k)}</dt><dd>{_text(v)}</dd></div>" for k, v in (settings or {}).items())
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_NOTHING_FROM_OUTSIDE}">',
        f'<link rel="icon" href="data:,">\n<title>{_text(title)}</title>',
        f"<style>\nbody {{ margin: 0; }}\n.pm-page {{ min-height: 100vh; padding: clamp(.7rem, 3vw, 2rem); }}\n"
        f".pm-page > * {{ max-width: 74rem; margin-inline: auto; }}\n{_style()}</style>",
        '</head>\n<body class="pm pm-page">',
        f"<header><h1>{_text(title)}</h1>{f'<p>{_text(intro)}</p>' if intro else ''}"
        f"{f'<dl class=pm-settings>{rows}</dl>' if rows else ''}</header>\n<main>",
        *(_panel(panel, heading="h2") for panel in panels),
        f"</main>\n<script>\n{_resource('page.js')}</script>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def write_page(panels: Sequence[Panel], path: str | os.PathLike[str], *, title: str, intro: str = "",
               settings: Mapping[str, object] | None = None) -> Path:
    """Write the page of `panels` to `path` and return the path; written beside, then renamed. WriteError on failure."""
    target = Path(path)
    write_bytes(target, page(panels, title=title, intro=intro, settings=settings).encode())
    return target


def score_html(score: Score) -> str:
    """Return a fragment of HTML that shows `score` in a notebook: its roll and, where that is quick, its sound.

    A piece of more than 2 minutes or 4,000 notes stays silent, and says so; where no sound can be made it says why.
    """
    audio, note = _sound(score)
    panel = Panel("", score, audio=audio, note=note)
    return (f'<div class="pm"><style>\n{_style()}</style>\n{_panel(panel, heading="")}\n'
            f"<script>\n{_resource('page.js')}</script></div>")


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
        bar.append(f'<audio controls preload="metadata" aria-label="Sound of {_text(name)}" '
                   f'src="{_data(panel.audio, panel.audio_type)}"></audio>')
        if panel.loop:
            bar.append('<button type="button" data-loop hidden aria-pressed="false">Loop</button>')
    bar += [_download(file, content) for file, content in panel.downloads.items()]
    help_text = "Space plays and pauses, the arrow keys go from bar to bar." if panel.audio is not None else ""
    parts = [
        '<section class="pm-panel">',
        f"<{heading}>{_text(panel.title)}</{heading}>" if heading and panel.title else "",
        f'<div class="pm-bar">{"".join(bar)}</div>' if bar else "",
        f'<div class="pm-roll" tabindex="0" role="group" aria-label="Piano roll of {_text(name)}. {help_text}">',
        svg(scene, LIGHT, inline=True) + "</div>",
        f'<script type="application/json">{_timing(panel.score, scene)}</script>' if panel.audio is not None else "",
        _table(panel.asked_got),
        f'<p class="pm-note">{_text(panel.note)}</p>' if panel.note else "",
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
        lines.append(f'<tr><th scope="row">{_text(name)}</th><td>{_text(asked)}</td><td>{_text(got)}</td>'
                     f'<td class="pm-{style}"><span aria-hidden="true">{sign}</span>'
                     f'<span class="pm-hidden">{words}</span></td></tr>')
    body = "\n".join(lines)
    return ('<div class="pm-scroll"><table><thead><tr><th scope="col">wish</th><th scope="col">asked</th>'
            f'<th scope="col">got</th><th scope="col">met</th></tr></thead><tbody>\n{body}\n</tbody></table></div>')


def _download(name: str, content: bytes | str) -> str:
    if isinstance(content, bytes):
        target = _data(content, _KINDS.get(Path(name).suffix.lower(), "application/octet-stream"))
    else:
        target = "./" + quote(content.replace(os.sep, "/"), safe="/")     # a scheme's colon is quoted: stays relative
    return f'<a href="{target}" download="{_text(name)}">{_text(name)}</a>'


def _timing(score: Score, scene: Scene) -> str:
    """JSON for the cursor: [tick, second] where the tempo changes, the systems' places, and the first tick of bars."""
    end = scene.systems[-1].end
    ticks = np.array(sorted({0, end, *(t.tick for t in score.tempos if t.tick < end)}), np.int64)
    if len(ticks) > _MOST_TIMES:
        ticks = ticks[np.unique(np.linspace(0, len(ticks) - 1, _MOST_TIMES).astype(int))]
    bars = score.bar_starts[score.bar_starts < end].tolist()
    table = {"times": [[t, round(s, 4)] for t, s in zip(ticks.tolist(), score.seconds(ticks).tolist(), strict=True)],
             "systems": [[s.start, s.end, *(round(v, 1) for v in s[2:])] for s in scene.systems],
             "bars": bars or [0]}
    return json.dumps(table, separators=(",", ":"))


def _style() -> str:
    """The style sheet, with the colours of rolls on a dark screen and in print."""
    dark = "\n".join(f"  .pm .f-{role} {{ fill: {colour}; }}\n  .pm .s-{role} {{ stroke: {colour}; }}"
                     for role, colour in DARK.items())
    return f"{_resource('page.css')}@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def _resource(name: str) -> str:
    return resources.files("partimento.render").joinpath(name).read_text(encoding="utf-8")


def _data(content: bytes, kind: str) -> str:
    return f"data:{_text(kind)};base64,{base64.b64encode(content).decode('ascii')}"


def _text(words: object) -> str:
    return escape(str(words), quote=True)
