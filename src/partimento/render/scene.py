"""A picture as a list of boxes and labels, and the two ways to draw it: as SVG text and as pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.render.font import text_masks, text_width

Floats = npt.NDArray[np.float64]
Palette = Mapping[str, str]                # role -> "#rrggbb"

STROKE = 1.2                               # width in pixels of the line round an outlined box
SVG_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"


class Boxes(NamedTuple):
    """Boxes of one look: corners and sizes in pixels (float64[n]), and the role in the palette that fills them."""

    role: str
    x: Floats
    y: Floats
    width: Floats
    height: Floats
    opacity: float = 1.0
    radius: float = 0.0
    outline: str = ""                      # role of a line just inside the edge
    kind: str = ""                         # class in SVG: "note" for what a listener hears
    tips: Sequence[str] = ()               # words for each box, shown in SVG when the pointer rests on it


class Label(NamedTuple):
    """A line of text: `x` is its start, middle or end by `anchor`, `y` its baseline, `size` the em; all in pixels."""

    x: float
    y: float
    text: str
    size: float
    role: str
    bold: bool = False
    anchor: str = "start"


class System(NamedTuple):
    """One row of music: the ticks it shows and where it lies in the picture, in pixels."""

    start: int
    end: int
    left: float
    right: float
    top: float
    bottom: float


@dataclasses.dataclass(frozen=True)
class Scene:
    """A whole picture: its size in pixels, what is drawn in order, the rows of music, and its content in words."""

    width: int
    height: int
    items: tuple[Boxes | Label, ...]
    systems: tuple[System, ...]
    summary: str


def box(role: str, x: float, y: float, width: float, height: float, **look: float | str) -> Boxes:
    """One box as a group of one."""
    return Boxes(role, *(np.array([v], np.float64) for v in (x, y, width, height)), **look)  # type: ignore[arg-type]


def boxes(role: str, x: npt.ArrayLike, y: npt.ArrayLike, width: npt.ArrayLike, height: npt.ArrayLike,
          **look: float | str | Sequence[str]) -> Boxes:
    """Boxes from arrays and numbers, spread to one length."""
    spread = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, np.float64)) for v in (x, y, width, height)))
    return Boxes(role, *spread, **look)  # type: ignore[arg-type]


# --- SVG -------------------------------------------------------------------------------------------------------


def svg(scene: Scene, palette: Palette, *, inline: bool = False) -> str:
    """Return the picture as SVG; `inline` leaves out what a page around it does not need.

    Every group carries its colour and, for style sheets, the classes ``f-ROLE`` (fill) and ``s-ROLE`` (outline).
    """
    space = "" if inline else ' xmlns="http://www.w3.org/2000/svg"'
    out = [f'<svg{space} viewBox="0 0 {scene.width} {scene.height}" width="{scene.width}" height="{scene.height}" '
           f'role="img" aria-label="{_safe(scene.summary)}" font-family="{SVG_FONT}">']
    for item in scene.items:
        if isinstance(item, Boxes):
            out += _svg_boxes(item, palette)
        else:
            anchor = "" if item.anchor == "start" else f' text-anchor="{item.anchor}"'
            weight = ' font-weight="600"' if item.bold else ""
            out.append(f'<text x="{item.x:.6g}" y="{item.y:.6g}" font-size="{item.size:g}"{anchor}{weight} '
                       f'class="f-{item.role}" fill="{palette[item.role]}">{_safe(item.text)}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


def _svg_boxes(group: Boxes, palette: Palette) -> list[str]:
    classes = f"f-{group.role}" + (f" s-{group.outline}" if group.outline else "")
    classes += f" {group.kind}" if group.kind else ""
    look = f'class="{classes}" fill="{palette[group.role]}"'
    if group.opacity < 1:
        look += f' fill-opacity="{group.opacity:g}"'
    x, y, w, h = group.x, group.y, group.width, group.height
    if group.outline:
        look += f' stroke="{palette[group.outline]}" stroke-width="{STROKE}"'
        x, y, w, h = x + STROKE / 2, y + STROKE / 2, np.maximum(w - STROKE, 0.1), np.maximum(h - STROKE, 0.1)
    corner = f' rx="{group.radius:g}"' if group.radius else ""
    rows = np.round(np.stack([x, y, w, h], axis=1), 2).tolist()
    tips = [f"><title>{_safe(tip)}</title></rect>" for tip in group.tips] or ["/>"] * len(rows)
    body = [f'<rect x="{a:.7g}" y="{b:.7g}" width="{c:.7g}" height="{d:.7g}"{corner}{tip}'
            for (a, b, c, d), tip in zip(rows, tips, strict=True)]
    return [f"<g {look}>", *body, "</g>"]


def _safe(text: str) -> str:
    """Text that XML may hold: no control characters, no lone surrogates, markup escaped."""
    clean = "".join(c for c in text if c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
    return escape(clean, quote=True)


# --- pixels ----------------------------------------------------------------------------------------------------


def pixels(scene: Scene, palette: Palette, scale: float = 1.0) -> npt.NDArray[np.uint8]:
    """Return the picture as uint8[height, width, 3] (RGB), `scale` pixels for each pixel of the layout."""
    canvas = np.zeros((round(scene.height * scale), round(scene.width * scale), 3), np.uint8)
    rgb = {role: np.array([int(value[i:i + 2], 16) for i in (1, 3, 5)], np.float32) for role, value in palette.items()}
    for item in scene.items:
        if isinstance(item, Label):
            _draw_label(canvas, item, rgb[item.role], scale)
        else:
            _draw_boxes(canvas, item, rgb, scale)
    return canvas


def _draw_label(canvas: npt.NDArray[np.uint8], label: Label, colour: npt.NDArray[np.float32], scale: float) -> None:
    size = label.size * scale
    x = label.x * scale
    if label.anchor != "start":
        x -= text_width(label.text, size, label.bold) * (0.5 if label.anchor == "middle" else 1.0)
    for left, top, cover in text_masks(label.text, x, label.y * scale, size, label.bold):
        _blend(canvas, left, top, cover, colour)


def _draw_boxes(canvas: npt.NDArray[np.uint8], group: Boxes, rgb: Mapping[str, npt.NDArray[np.float32]],
                scale: float) -> None:
    fill = rgb[group.role]
    line = rgb[group.outline] if group.outline else None
    places = (np.stack([group.x, group.y, group.x + group.width, group.y + group.height], axis=1) * scale).tolist()
    for x0, y0, x1, y1 in places:
        left, top = int(np.floor(x0)), int(np.floor(y0))
        if group.radius == 0 and group.opacity == 1 and all(v >= 0 and v == int(v) for v in (x0, y0, x1, y1)):
            canvas[top:int(y1), left:int(x1)] = fill
            continue
        xs = np.arange(left, int(np.ceil(x1)), dtype=np.float32)
        ys = np.arange(top, int(np.ceil(y1)), dtype=np.float32)
        if group.radius == 0 and line is None:
            across = np.minimum(xs + 1, x1) - np.maximum(xs, x0)
            down = np.minimum(ys + 1, y1) - np.maximum(ys, y0)
            _blend(canvas, left, top, (down[:, None] * across[None, :]) * np.float32(group.opacity), fill)
            continue
        inside = _depth(xs, ys, (x0, y0, x1, y1), group.radius * scale)
        cover = np.clip(inside + 0.5, 0, 1)
        _blend(canvas, left, top, cover * np.float32(group.opacity), fill)
        if line is not None:
            _blend(canvas, left, top, cover - np.clip(inside + 0.5 - STROKE * scale, 0, 1), line)


def _depth(xs: npt.NDArray[np.float32], ys: npt.NDArray[np.float32], place: tuple[float, float, float, float],
           radius: float) -> npt.NDArray[np.float32]:
    """float32[h, w]: how deep each pixel's centre lies inside a box with round corners, in pixels (outside < 0)."""
    x0, y0, x1, y1 = place
    radius = min(radius, (x1 - x0) / 2, (y1 - y0) / 2)
    dx = np.abs(xs + np.float32(0.5 - (x0 + x1) / 2)) - np.float32((x1 - x0) / 2 - radius)
    dy = np.abs(ys + np.float32(0.5 - (y0 + y1) / 2)) - np.float32((y1 - y0) / 2 - radius)
    away = np.hypot(np.maximum(dy, 0)[:, None], np.maximum(dx, 0)[None, :])
    flat = np.minimum(np.maximum(dy[:, None], dx[None, :]), 0)
    out: npt.NDArray[np.float32] = np.float32(radius) - away - flat
    return out


def _blend(canvas: npt.NDArray[np.uint8], left: int, top: int, cover: npt.NDArray[np.float32],
           colour: npt.NDArray[np.float32]) -> None:
    """Lay `colour` on the canvas where `cover` (0..1, float32[h, w]) says so; what lies outside is cut off."""
    height, width = canvas.shape[:2]
    a, b = max(0, -top), min(cover.shape[0], height - top)
    c, d = max(0, -left), min(cover.shape[1], width - left)
    if a >= b or c >= d:
        return
    under = canvas[top + a:top + b, left + c:left + d]
    share = cover[a:b, c:d, None]
    under[:] = under + (colour - under) * share + np.float32(0.5)
