"""The piano roll of a Score as a picture: SVG and PNG from one layout."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy.typing as npt

from partimento.errors import WriteError
from partimento.formats.files import write_bytes
from partimento.render.layout import Shade, layout
from partimento.render.png import png_bytes
from partimento.render.scene import pixels, svg
from partimento.score import Score

# Six colours of Okabe and Ito (2008), told apart with every common kind of colour blindness, then four of Paul
# Tol's muted set; lifted for a dark ground.
LIGHT = {
    "bg": "#ffffff", "pane": "#fafaf8", "row": "#f2f2ef", "octave": "#dededa", "beat": "#ebebe7", "bar": "#cfcfca",
    "ink": "#1f2328", "muted": "#6a6f76", "blank": "#fbe9b0", "key": "#ffffff", "keyline": "#d3d3ce",
    "keyblack": "#4a4e55", "drum": "#5b6470",
    "t0": "#0072b2", "t1": "#d55e00", "t2": "#009e73", "t3": "#c05f96", "t4": "#e69f00", "t5": "#56b4e9",
    "t6": "#332288", "t7": "#882255", "t8": "#8a8a2b", "t9": "#7a6a58",
}
DARK = {
    "bg": "#15171b", "pane": "#1c1f24", "row": "#181b1f", "octave": "#363b43", "beat": "#262a30", "bar": "#424851",
    "ink": "#e9ebee", "muted": "#9aa1ab", "blank": "#4a4022", "key": "#c9ccd1", "keyline": "#9a9ea5",
    "keyblack": "#23262b", "drum": "#aab4c0",
    "t0": "#4aa3df", "t1": "#f07f3c", "t2": "#2bc494", "t3": "#e093c0", "t4": "#f2b83a", "t5": "#9ad6f7",
    "t6": "#9186f0", "t7": "#d2608f", "t8": "#c8c65e", "t9": "#bba68d",
}
_SHARP_PIXELS = 24_000_000        # a picture is drawn at twice its size while it has no more pixels than this


def roll_svg(score: Score, *, title: str = "", shaded: Sequence[Shade] = (), new: npt.ArrayLike | None = None,
             width: int = 1400, dark: bool = False) -> str:
    """Return the piano roll of `score` as an SVG document.

    Tracks have colours, velocity is shade, drums have a lane of their own, and long pieces wrap into rows of bars
    at most `width` pixels wide. `shaded` are blanks (track, first tick, end tick), `new` is bool[n]: the notes to
    outline. At most 32 rows and 20,000 notes are shown, and the header then says which. RequestError where an
    argument is off.

    >>> roll_svg(Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0])).count("<rect") > 1
    True
    """
    return svg(layout(score, title=title, shaded=shaded, new=new, width=width, tips=True), DARK if dark else LIGHT)


def roll_png(score: Score, *, title: str = "", shaded: Sequence[Shade] = (), new: npt.ArrayLike | None = None,
             width: int = 1400, dark: bool = False, scale: float | None = None) -> bytes:
    """Return the piano roll of `score` as a PNG file; arguments as in `roll_svg`.

    `scale` is how many pixels stand for one of the layout: by default 2, and less for very long pictures.

    >>> roll_png(Score(), title="Nothing yet").startswith(b"\\x89PNG")
    True
    """
    scene = layout(score, title=title, shaded=shaded, new=new, width=width)
    if scale is None:
        scale = 2.0 if scene.width * scene.height * 4 <= _SHARP_PIXELS else 1.0
    return png_bytes(pixels(scene, DARK if dark else LIGHT, scale))


def write_roll(score: Score, path: str | os.PathLike[str], *, title: str = "", shaded: Sequence[Shade] = (),
               new: npt.ArrayLike | None = None, width: int = 1400, dark: bool = False) -> Path:
    """Write the piano roll of `score` to `path` (``.svg`` or ``.png``) and return the path.

    Written beside and then renamed, so nothing half-written is left. WriteError for another suffix or a place that
    cannot be written.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix == ".svg":
        data = roll_svg(score, title=title, shaded=shaded, new=new, width=width, dark=dark).encode()
    elif suffix == ".png":
        data = roll_png(score, title=title, shaded=shaded, new=new, width=width, dark=dark)
    else:
        raise WriteError(f"a roll must be written as .svg or .png; got {target.name!r}")
    write_bytes(target, data)
    return target
