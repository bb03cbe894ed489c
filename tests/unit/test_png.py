"""PNG files, read back by a decoder of the test's own."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento.errors import RequestError
from partimento.render.png import png_bytes


def decode(data: bytes) -> npt.NDArray[np.uint8]:
    """Pixels of an 8-bit RGB or RGBA file with filters 0 to 2; every checksum is checked."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = [], 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at:at + 4])
        body = data[at + 4:at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(body)
        chunks.append((body[:4], body[4:]))
        at += 12 + size
    assert [kind for kind, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (depth, rest) == (8, [0, 0, 0])
    channels = {2: 3, 6: 4}[colour]
    raw = np.frombuffer(zlib.decompress(chunks[1][1]), np.uint8).reshape(height, 1 + width * channels)
    out = np.zeros((height, width * channels), np.uint8)
    for y, row in enumerate(raw):
        kind, line = row[0], row[1:].copy()
        if kind == 1:
            line = np.cumsum(line.reshape(width, channels), axis=0, dtype=np.uint8).reshape(-1)
        elif kind == 2:
            line = line + (out[y - 1] if y else np.uint8(0))
        else:
            assert kind == 0
        out[y] = line
    return out.reshape(height, width, channels)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([3, 4]), st.integers(0, 2**32 - 1), st.integers(1, 255))
def test_pixels_come_back(height: int, width: int, channels: int, seed: int, top: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, top, (height, width, channels), np.uint8, endpoint=True)
    assert np.array_equal(decode(png_bytes(pixels)), pixels)


def test_more_rows_than_are_packed_at_once() -> None:
    row = np.random.default_rng(0).integers(0, 256, (1, 50, 3), np.uint8)
    pixels = np.repeat(row, 700, axis=0)                             # every row is best said as the one above
    pixels[300:, 7] += 1
    assert np.array_equal(decode(png_bytes(pixels)), pixels)


def test_a_flat_picture_is_small() -> None:
    assert len(png_bytes(np.full((1000, 1000, 3), 200, np.uint8))) < 8_000


@pytest.mark.parametrize("pixels", [
    np.zeros((2, 2), np.uint8), np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2, 3), np.float32),
    np.zeros((0, 2, 3), np.uint8),
])
def test_other_arrays_are_refused(pixels: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(RequestError, match=r"pixels must be uint8\[height, width, 3 or 4\]"):
        png_bytes(pixels)
