"""A small stroke font of our own for labels in pictures: glyphs as pen paths, drawn at any size with soft edges."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

EM = 19.5            # font units in one em; capitals are 14 high, small letters 10, the baseline is 0
_BEARING = 1.85      # empty units on either side of a glyph
_PEN = {False: 1.7, True: 2.6}
_STEPS = 6           # straight pieces in one curve

# One glyph: its width, then strokes parted by ";". A stroke is a chain of points "x,y"; a point in brackets bends the
# way to the next one (it is the control point of a quadratic curve); a lone point is a dot.
_DATA = """
A 10 0,0 5,14 10,0; 1.8,4.8 8.2,4.8
B 9.2 0,0 0,14 5,14 (8.6,14) 8.6,10.7 (8.6,7.4) 5,7.4 0,7.4; 5,7.4 (9.2,7.4) 9.2,3.7 (9.2,0) 5,0 0,0
C 9.6 9.6,11 (8.6,14) 5.2,14 (0,14) 0,9 0,5 (0,0) 5.2,0 (8.6,0) 9.6,3
D 9.6 0,0 0,14 4.4,14 (9.6,14) 9.6,9 9.6,5 (9.6,0) 4.4,0 0,0
E 7.8 7.8,0 0,0 0,14 7.8,14; 0,7.3 6.8,7.3
F 7.6 0,0 0,14 7.6,14; 0,7 6.6,7
G 9.8 9.5,11.2 (8.5,14) 5.2,14 (0,14) 0,9 0,5 (0,0) 5.2,0 (9.8,0) 9.8,4.4 9.8,6.6 5.8,6.6
H 9.4 0,0 0,14; 9.4,0 9.4,14; 0,7.2 9.4,7.2
I 0 0,0 0,14
J 6.2 6.2,14 6.2,4 (6.2,0) 2.9,0 (0,0) 0,3.4
K 9 0,0 0,14; 8.6,14 0,5.4; 3.4,8.8 9,0
L 7.2 0,14 0,0 7.2,0
M 11.6 0,0 0,14 5.8,4 11.6,14 11.6,0
N 9.4 0,0 0,14 9.4,0 9.4,14
O 10.2 0,5 0,9 (0,14) 5.1,14 (10.2,14) 10.2,9 10.2,5 (10.2,0) 5.1,0 (0,0) 0,5
P 8.6 0,0 0,14 4.8,14 (8.6,14) 8.6,10.2 (8.6,6.4) 4.8,6.4 0,6.4
Q 10.2 0,5 0,9 (0,14) 5.1,14 (10.2,14) 10.2,9 10.2,5 (10.2,0) 5.1,0 (0,0) 0,5; 6.4,3.4 10.4,-1
R 8.9 0,0 0,14 4.8,14 (8.6,14) 8.6,10.3 (8.6,6.6) 4.8,6.6 0,6.6; 4.8,6.6 8.9,0
S 8.8 8.3,11.2 (7.6,14) 4.4,14 (0.4,14) 0.4,10.6 (0.4,7.8) 4.4,7.1 (8.8,6.4) 8.8,3.4 (8.8,0) 4.4,0 (0.8,0) 0,3
T 9.4 0,14 9.4,14; 4.7,14 4.7,0
U 9.4 0,14 0,4.6 (0,0) 4.7,0 (9.4,0) 9.4,4.6 9.4,14
V 9.8 0,14 4.9,0 9.8,14
W 13.6 0,14 3.4,0 6.8,12 10.2,0 13.6,14
X 9 0,14 9,0; 9,14 0,0
Y 9.2 0,14 4.6,6.8 9.2,14; 4.6,6.8 4.6,0
Z 8.6 0,14 8.6,14 0,0 8.6,0
a 7.3 0.6,8.2 (1.5,10) 3.9,10 (7.3,10) 7.3,6.6 7.3,0; 7.3,5.7 3.4,5.7 (0,5.7) 0,2.8 (0,0) 3.2,0 (7.3,0) 7.3,3.6
b 7.9 0,0 0,14.6; 0,6.4 (0,10) 4,10 (7.9,10) 7.9,5 (7.9,0) 4,0 (0,0) 0,3.6
c 7.3 7.3,7.8 (6.5,10) 4,10 (0,10) 0,5 (0,0) 4,0 (6.5,0) 7.3,2.2
d 7.9 7.9,0 7.9,14.6; 7.9,6.4 (7.9,10) 3.9,10 (0,10) 0,5 (0,0) 3.9,0 (7.9,0) 7.9,3.6
e 7.8 0.2,5.2 7.8,5.2 (7.8,10) 4,10 (0,10) 0,5 (0,0) 4.1,0 (6.6,0) 7.5,1.9
f 5 1.8,0 1.8,11.4 (1.8,14.6) 4.3,14.6 5.2,14.5; 0,9.8 4.8,9.8
g 7.9 7.9,10 7.9,-0.6 (7.9,-4.2) 4,-4.2 (1.4,-4.2) 0.6,-2.7; 7.9,6.4 (7.9,10) 3.9,10 (0,10) 0,5 (0,0) 3.9,0 (7.9,0) 7.9,3.6
h 7.4 0,0 0,14.6; 0,6 (0,10) 3.9,10 (7.4,10) 7.4,6 7.4,0
i 0 0,0 0,10; 0,13.6
j 1.6 1.6,10 1.6,-1.4 (1.6,-4.2) -0.8,-4.2; 1.6,13.6
k 7 0,0 0,14.6; 6.6,10 0,3.8; 2.6,6.2 7,0
l 1.5 0,14.6 0,2.2 (0,0) 1.7,0
m 12.2 0,0 0,10; 0,6.4 (0,10) 3.4,10 (6.1,10) 6.1,6.6 6.1,0; 6.1,6.4 (6.1,10) 9.5,10 (12.2,10) 12.2,6.6 12.2,0
n 7.4 0,0 0,10; 0,6 (0,10) 3.9,10 (7.4,10) 7.4,6 7.4,0
o 8.1 0,5 (0,10) 4.05,10 (8.1,10) 8.1,5 (8.1,0) 4.05,0 (0,0) 0,5
p 7.9 0,-4.2 0,10; 0,6.4 (0,10) 4,10 (7.9,10) 7.9,5 (7.9,0) 4,0 (0,0) 0,3.6
q 7.9 7.9,-4.2 7.9,10; 7.9,6.4 (7.9,10) 3.9,10 (0,10) 0,5 (0,0) 3.9,0 (7.9,0) 7.9,3.6
r 4.2 0,0 0,10; 0,5.8 (0,10) 3.3,10 4.3,10
s 6.7 6.3,8.2 (5.7,10) 3.4,10 (0.3,10) 0.3,7.6 (0.3,5.6) 3.4,5.1 (6.7,4.6) 6.7,2.5 (6.7,0) 3.4,0 (0.7,0) 0,1.9
t 4.8 1.8,13 1.8,3 (1.8,0) 4.1,0 5,0.2; 0,9.8 4.8,9.8
u 7.4 0,10 0,4 (0,0) 3.5,0 (7.4,0) 7.4,4; 7.4,10 7.4,0
v 7.4 0,10 3.7,0 7.4,10
w 11.2 0,10 2.8,0 5.6,9 8.4,0 11.2,10
x 7 0,10 7,0; 7,10 0,0
y 7.6 0,10 3.9,0.4; 7.6,10 3.5,-1.8 (2.6,-4.2) 0.4,-4.2
z 6.6 0,10 6.6,10 0,0 6.6,0
0 8 0,5 0,9 (0,14) 4,14 (8,14) 8,9 8,5 (8,0) 4,0 (0,0) 0,5
1 8 1,11 4.6,14 4.6,0
2 8 0.3,10.4 (0.3,14) 4,14 (7.7,14) 7.7,10.4 (7.7,8) 5.4,5.6 0,0 8,0
3 8 0.4,11.6 (1.2,14) 3.9,14 (7.5,14) 7.5,10.8 (7.5,7.6) 3.6,7.6 2.6,7.6; 3.6,7.6 (8,7.6) 8,3.8 (8,0) 3.9,0 (0.8,0) 0,2.7
4 8 6,0 6,14 -0.2,4 8.2,4
5 8 7.2,14 1.2,14 0.6,7.5 (1.8,9) 4,9 (8,9) 8,4.5 (8,0) 3.8,0 (0.8,0) 0,2.6
6 8 7.2,12.2 (6.2,14) 4.4,14 (0,14) 0,7 0,4.5 (0,0) 4,0 (8,0) 8,4.4 (8,8.6) 4.2,8.6 (0,8.6) 0,4.5
7 8 0.2,14 8,14 3,0
8 8 4,7.6 (0.5,7.6) 0.5,10.8 (0.5,14) 4,14 (7.5,14) 7.5,10.8 (7.5,7.6) 4,7.6 (0,7.6) 0,3.8 (0,0) 4,0 (8,0) 8,3.8 (8,7.6) 4,7.6
9 8 0.8,1.8 (1.8,0) 3.6,0 (8,0) 8,7 8,9.5 (8,14) 4,14 (0,14) 0,9.6 (0,5.4) 3.8,5.4 (8,5.4) 8,9.5
. 0.4 0.2,0.3
, 0.8 0.6,0.4 0,-2.6
: 0.4 0.2,0.3; 0.2,8.6
; 0.8 0.6,0.4 0,-2.6; 0.6,8.6
! 0.4 0.2,14 0.2,4.6; 0.2,0.3
? 6.8 0,11.4 (0.6,14) 3.4,14 (6.8,14) 6.8,10.8 (6.8,8.8) 5,7.6 (3.4,6.4) 3.4,4.4; 3.4,0.3
' 0 0,14.4 0,10.6
" 3 0,14.4 0,10.6; 3,14.4 3,10.6
- 4.4 0,5.4 4.4,5.4
– 8 0,5.4 8,5.4
— 14 0,5.4 14,5.4
− 7.6 0,6.4 7.6,6.4
_ 8 0,-2 8,-2
+ 7.6 0,6.4 7.6,6.4; 3.8,10.2 3.8,2.6
= 7.6 0,8.4 7.6,8.4; 0,4.4 7.6,4.4
× 6 0,9.4 6,3.4; 6,9.4 0,3.4
/ 6 0,-1.4 6,15
\\ 6 0,15 6,-1.4
| 0 0,-3 0,15.5
( 3 3,15.4 (0,12) 0,6 (0,0) 3,-3.2
) 3 0,15.4 (3,12) 3,6 (3,0) 0,-3.2
[ 3 3,15.2 0,15.2 0,-3 3,-3
] 3 0,15.2 3,15.2 3,-3 0,-3
{ 4 4,15.2 (1.8,15.2) 1.8,12.5 1.8,9 (1.8,6) 0,6 (1.8,6) 1.8,3 1.8,-0.5 (1.8,-3) 4,-3
} 4 0,15.2 (2.2,15.2) 2.2,12.5 2.2,9 (2.2,6) 4,6 (2.2,6) 2.2,3 2.2,-0.5 (2.2,-3) 0,-3
< 7 7,11 0,6.4 7,1.8
> 7 0,11 7,6.4 0,1.8
# 9 2.2,0 3.8,14; 6,0 7.6,14; 0.6,9.6 9,9.6; 0,4.4 8.4,4.4
& 10 10,7 (9.4,2.6) 6.4,0.9 (5,0) 3.6,0 (0,0) 0,3.5 (0,6) 3.4,7.6 (6.6,9.2) 6.6,11.4 (6.6,14) 4.2,14 (1.6,14) 1.6,11.4 (1.6,10) 3,8.2 9.8,0
@ 12 8.6,8 (8.6,9.4) 6.4,9.4 (3.6,9.4) 3.6,6 (3.6,2.8) 6,2.8 (8.6,2.8) 8.6,6 (8.6,2.8) 10.2,2.8 (12,2.8) 12,7 (12,14) 6,14 (0,14) 0,6 (0,-2) 6,-2 (8.2,-2) 9.8,-1
% 11 2.4,14 (0,14) 0,11.2 (0,8.4) 2.4,8.4 (4.8,8.4) 4.8,11.2 (4.8,14) 2.4,14; 8.6,5.6 (6.2,5.6) 6.2,2.8 (6.2,0) 8.6,0 (11,0) 11,2.8 (11,5.6) 8.6,5.6; 9.4,14 1.6,0
* 6 3,14.4 3,7.8; 0.1,12.8 5.9,9.4; 5.9,12.8 0.1,9.4
^ 6 0,10 3,14 6,10
~ 8 0,5.4 (1.6,8) 4,6.4 (6.4,4.8) 8,7.4
` 2 0,14.6 2,12
$ 8.4 8,11 (7.4,13) 4.2,13 (0.4,13) 0.4,10.2 (0.4,7.8) 4.2,7 (8.4,6.2) 8.4,3.6 (8.4,1) 4.2,1 (0.8,1) 0,3.2; 4.2,15 4.2,-1
· 0.6 0.3,6
• 1.8 0.5,6 1.3,6; 0.9,5.6 0.9,6.4; 0.9,6
… 8.4 0.2,0.3; 4.2,0.3; 8.2,0.3
° 3.6 1.8,14.4 (0,14.4) 0,12.6 (0,10.8) 1.8,10.8 (3.6,10.8) 3.6,12.6 (3.6,14.4) 1.8,14.4
→ 9 0,6 9,6; 5.6,9.4 9,6 5.6,2.6
♯ 5.6 1.2,-1.6 1.2,13.4; 4.4,-0.4 4.4,14.6; 0,8.4 5.6,10.2; 0,2.8 5.6,4.6
♭ 5 0,15 0,0.2 (5,3) 5,6 (5,8.4) 3,8.4 (1.2,8.4) 0,6.4
♮ 4.4 0,14.6 0,3 4.4,4.4; 4.4,-1.6 4.4,10 0,8.6
♩ 5 5,14.4 5,2.4; 4.2,2.6 1.2,1.2; 3.8,1.6 1.8,2.4; 4,2 1.4,1.6
△ 8.4 0,1 4.2,9.6 8.4,1 0,1
ø 8.1 0,5 (0,10) 4.05,10 (8.1,10) 8.1,5 (8.1,0) 4.05,0 (0,0) 0,5; 0.2,-0.8 7.9,10.8
□ 8 0,0 0,13 8,13 8,0 0,0
"""  # noqa: E501
# Marks that stand over (or under) a letter, centred on 0; a capital lifts them by 4.
_ACCENTS = {
    "\u0300": "-1.8,14.2 0.6,12", "\u0301": "1.8,14.2 -0.6,12", "\u0302": "-2.2,12 0,14.4 2.2,12",
    "\u0303": "-2.6,12.4 (-1.4,14.6) 0,13.2 (1.4,11.8) 2.6,13.8", "\u0304": "-2.2,13 2.2,13",
    "\u0306": "-2.2,14.2 (0,11) 2.2,14.2", "\u0307": "0,13.4", "\u0308": "-1.9,13.2; 1.9,13.2",
    "\u030a": "0,15.2 (-1.7,15.2) -1.7,13.5 (-1.7,11.8) 0,11.8 (1.7,11.8) 1.7,13.5 (1.7,15.2) 0,15.2",
    "\u030b": "-0.4,14.2 -1.8,12; 2.4,14.2 1,12", "\u030c": "-2.2,14.4 0,12 2.2,14.4",
    "\u0327": "0.4,-0.8 (1.8,-1.2) 1.6,-2.6 (1.2,-4.2) -1,-3.8", "\u0328": "0.8,-0.6 (-1.4,-3.6) 1.6,-3.8",
}
_UNDER = "\u0327\u0328"
_STAND_IN = {"Δ": "△", "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "Ø": "O", "ł": "l", "Ł": "L",
             "đ": "d", "Đ": "D", "ı": "i", "’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "‐": "-", "‑": "-",
             "\u00a0": " ", "\t": " ", "\n": " "}
_TOKEN = re.compile(r"\(([-\d.]+),([-\d.]+)\)|([-\d.]+),([-\d.]+)|(;)")


def _strokes(path: str, dx: float = 0.0, dy: float = 0.0) -> FloatArray:
    """float32[n, 4]: the straight segments (x0, y0, x1, y1) of a path in font units."""
    segments: list[tuple[float, float, float, float]] = []
    here: tuple[float, float] | None = None
    bend: tuple[float, float] | None = None
    alone = False
    for match in [*_TOKEN.finditer(path), None]:
        if match is None or match[5]:
            if alone and here is not None:
                segments.append((*here, *here))
            here, bend, alone = None, None, False
        elif match[1]:
            bend = (float(match[1]) + dx, float(match[2]) + dy)
        else:
            point = (float(match[3]) + dx, float(match[4]) + dy)
            alone = here is None
            if here is not None and bend is not None:
                t = np.linspace(0.0, 1.0, _STEPS + 1)[:, None]
                p0, p1, p2 = (np.array(p) for p in (here, bend, point))
                curve = (1 - t) ** 2 * p0 + 2 * t * (1 - t) * p1 + t**2 * p2
                segments += [(*a, *b) for a, b in zip(curve[:-1].tolist(), curve[1:].tolist(), strict=True)]
            elif here is not None:
                segments.append((*here, *point))
            here, bend = point, None
    return np.array(segments, np.float32).reshape(-1, 4)


def _load() -> dict[str, tuple[float, str]]:
    table = {" ": (2.2, "")}
    for line in _DATA.strip().splitlines():
        char, width, path = line.split(" ", 2)
        table[char] = (float(width), path)
    return table


_GLYPHS = _load()


@lru_cache(maxsize=4096)
def _glyph(cluster: str) -> tuple[float, FloatArray]:
    """Advance in font units and segments of one letter with the accents that follow it."""
    base, accents = cluster[0], cluster[1:]
    width, path = _GLYPHS.get(base, _GLYPHS["□"])
    parts = [_strokes("0,0 0,10" if base == "i" and accents else path)]
    tall = base.isupper() or base in "bdfhklt"
    for mark in accents:
        lift = 0.0 if mark in _UNDER or not tall else 4.0
        parts.append(_strokes(_ACCENTS[mark], width / 2, lift))
    return width + 2 * _BEARING, np.concatenate(parts)


def _clusters(text: str) -> list[str]:
    out: list[str] = []
    plain = "".join(_STAND_IN.get(c, c) for c in text)
    for char in plain:
        for piece in char if char in _GLYPHS else unicodedata.normalize("NFKD", char):
            if piece in _ACCENTS:
                if out and out[-1] != " ":
                    out[-1] += piece
            elif not unicodedata.category(piece).startswith(("C", "M")):
                out.append(piece)
    return out


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width in pixels of `text` drawn at `size` pixels an em.

    >>> text_width("Am7", 20) == 2 * text_width("Am7", 10) > 0
    True
    """
    extra = _PEN[True] - _PEN[False] if bold else 0.0
    return sum(_glyph(c)[0] + extra for c in _clusters(text)) * size / EM


def shorten(text: str, size: float, room: float, bold: bool = False) -> str:
    """`text`, cut with an ellipsis where it would be wider than `room` pixels."""
    text = text[:400]
    if text_width(text, size, bold) <= room:
        return text
    while text and text_width(text + "…", size, bold) > room:
        text = text[:-1]
    return text.rstrip() + "…"


@lru_cache(maxsize=8192)
def _mask(cluster: str, size: float, bold: bool, shift: float) -> tuple[int, int, FloatArray]:
    """Left and top of a glyph's mask from the pen (whole pixels, y down), and its cover float32[h, w] in 0..1."""
    unit = size / EM
    segments = _glyph(cluster)[1] * np.float32(unit) * np.array([1, -1, 1, -1], np.float32)
    if not len(segments):
        return 0, 0, np.zeros((0, 0), np.float32)
    segments = segments + np.array([shift, 0, shift, 0], np.float32)
    half = max(_PEN[bold] * unit, 1.0) / 2
    low = np.floor(segments.reshape(-1, 2).min(axis=0) - half - 1).astype(int)
    high = np.ceil(segments.reshape(-1, 2).max(axis=0) + half + 1).astype(int)
    x = (np.arange(low[0], high[0], dtype=np.float32) + 0.5)[None, :, None]
    y = (np.arange(low[1], high[1], dtype=np.float32) + 0.5)[:, None, None]
    x0, y0, x1, y1 = segments.T
    dx, dy = x1 - x0, y1 - y0
    length = np.maximum(dx * dx + dy * dy, 1e-9)
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / length, 0, 1)
    reach = np.where((dx == 0) & (dy == 0), np.float32(1.25 * half), np.float32(half))      # dots are a little fatter
    depth = reach - np.sqrt((x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2)
    return int(low[0]), int(low[1]), np.clip(depth.max(axis=2) + 0.5, 0, 1)


def text_masks(text: str, x: float, baseline: float, size: float,
               bold: bool = False) -> list[tuple[int, int, FloatArray]]:
    """The glyphs of `text` from pen position `x`: (left, top, cover float32[h, w] in 0..1) in whole pixels."""
    unit = size / EM
    extra = _PEN[True] - _PEN[False] if bold else 0.0
    out = []
    for cluster in _clusters(text):
        pen = x + (_BEARING + extra / 2) * unit
        whole = int(np.floor(pen))
        left, top, cover = _mask(cluster, size, bold, round((pen - whole) * 4) / 4)
        if cover.size:
            out.append((whole + left, round(baseline) + top, cover))
        x += (_glyph(cluster)[0] + extra) * unit
    return out
