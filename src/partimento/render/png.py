"""PNG pictures from arrays, with zlib alone (PNG specification, third edition, W3C 2025)."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

from partimento.errors import RequestError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ROWS_AT_ONCE = 256


def png_bytes(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return a PNG file of `pixels`, uint8[height, width, 3] (RGB) or [height, width, 4] (RGB and alpha).

    Every row is stored as it is, or as its difference from the pixel to the left or above, whichever looks
    smallest; the same pixels always give the same bytes. RequestError for an array of another kind.

    >>> png_bytes(np.zeros((2, 3, 3), np.uint8))[:4]
    b'\\x89PNG'
    """
    if pixels.ndim != 3 or pixels.dtype != np.uint8 or pixels.shape[2] not in (3, 4) or 0 in pixels.shape:
        raise RequestError("pixels must be uint8[height, width, 3 or 4] with at least one pixel; "
                           f"got {pixels.dtype}{list(pixels.shape)}")
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 6, 0, 0, 0)
    pack = zlib.compressobj(6)
    body = []
    above = np.zeros((1, width * channels), np.uint8)
    for start in range(0, height, _ROWS_AT_ONCE):
        rows = np.ascontiguousarray(pixels[start:start + _ROWS_AT_ONCE]).reshape(-1, width * channels)
        body.append(pack.compress(_filtered(rows, above, channels).tobytes()))
        above = rows[-1:]
    body.append(pack.flush())
    return b"".join([_SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", b"".join(body)), _chunk(b"IEND", b"")])


def _filtered(rows: npt.NDArray[np.uint8], above: npt.NDArray[np.uint8], step: int) -> npt.NDArray[np.uint8]:
    """uint8[n, 1 + bytes]: each row after its filter type: 0 none, 1 less the left pixel, 2 less the row above."""
    left = rows.copy()
    left[:, step:] -= rows[:, :-step]
    up = rows - np.concatenate([above, rows[:-1]])
    choices = (rows, left, up)
    # Bytes that differ from 0 are what zlib must spell out: the fewer, the smaller (flat drawings are mostly 0).
    cost = np.stack([np.count_nonzero(c, axis=1) for c in choices])
    best = cost.argmin(axis=0)
    out = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
    out[:, 0] = best
    for kind, choice in enumerate(choices):
        out[best == kind, 1:] = choice[best == kind]
    return out


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
