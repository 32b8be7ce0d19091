"""Pictures on the wire: one PNG for every three channels, one after the other. Axes: H rows, W columns, C channels."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float32, UInt8

from amble.unity.faults import BadMessage

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS_MAX = 2**24


def compress(image: UInt8[np.ndarray, "H W C"]) -> bytes:
    """The channels by threes, each three a PNG; a single channel is a grey PNG."""
    from PIL import Image

    height, width, channels = image.shape
    if channels == 1:
        groups = [image[:, :, 0]]
    else:
        whole = np.zeros((height, width, -(-channels // 3) * 3), np.uint8)
        whole[:, :, :channels] = image
        groups = [whole[:, :, at : at + 3] for at in range(0, whole.shape[2], 3)]
    out = io.BytesIO()
    for group in groups:
        Image.fromarray(np.ascontiguousarray(group)).save(out, "png", compress_level=1)
    return out.getvalue()


def channel_mapping(channels: int) -> list[int]:
    """Which channel of the observation each channel of `compress`'s PNGs is; −1 for none."""
    if channels == 1:
        return [0, 0, 0]
    return [*range(channels), *[-1] * (-channels % 3)]


def decompress(
    row: bytes, height: int, width: int, channels: int, mapping: Sequence[int]
) -> Float32[np.ndarray, "H W C"]:
    """The picture in 0..1.

    Args:
        row: PNGs one after the other.
        height: in pixels, as are the width and the number of channels, from the observation's shape.
        width: see there.
        channels: see there.
        mapping: which channel of the observation each channel of the PNGs is (−1: none); those of the same number
            are averaged. Empty: as they come, and for a single channel the mean of the first PNG.
    """
    if height * width > _PIXELS_MAX:
        raise BadMessage(f"A picture of {height}×{width} pixels; expected at most {_PIXELS_MAX}.")
    parts = [_decoded(part, height, width) for part in _pictures(row)]
    planes = np.concatenate(parts, axis=2) if parts else np.zeros((height, width, 0), np.uint8)
    out = np.empty((height, width, channels), np.float32)
    scale = np.float32(1 / 255)
    if not mapping:
        if channels == 1 and parts:
            out[:, :, 0] = parts[0].mean(axis=2, dtype=np.float32) * scale
            return out
        if planes.shape[2] < channels:
            raise BadMessage(f"A picture has {planes.shape[2]} channels in its PNGs; expected {channels}.")
        return np.multiply(planes[:, :, :channels], scale, out=out)
    numbers = np.asarray(mapping)
    if planes.shape[2] != len(numbers):
        raise BadMessage(
            f"A picture has {planes.shape[2]} channels in its PNGs, and its mapping names {len(numbers)}."
        )
    for channel in range(channels):
        sources = np.flatnonzero(numbers == channel)
        if not sources.size:
            raise BadMessage(f"A picture's mapping {numbers.tolist()} does not fill its channel {channel}.")
        out[:, :, channel] = planes[:, :, sources].mean(axis=2, dtype=np.float32) * scale
    return out


def _pictures(row: bytes) -> Iterator[bytes]:
    """Cut the row after each PNG's last chunk; a chunk is [length][name][…][checksum]."""
    start = 0
    while start < len(row):
        if row[start : start + 8] != _SIGNATURE:
            raise BadMessage(f"A picture's byte {start} of {len(row)} begins no PNG.")
        at, name = start + 8, b""
        while name != b"IEND":
            if at + 12 > len(row):
                raise BadMessage(f"A picture's PNG breaks off at byte {len(row)}.")
            (length,), name = struct.unpack_from(">I", row, at), row[at + 4 : at + 8]
            at += 12 + length
        if at > len(row):
            raise BadMessage(f"A picture's PNG breaks off at byte {len(row)}.")
        yield row[start:at]
        start = at


def _decoded(png: bytes, height: int, width: int) -> UInt8[np.ndarray, "H W 3"]:
    from PIL import Image

    # Before it is decoded: a small file can say that it is large.
    size = struct.unpack_from(">II", png, 16) if len(png) >= 24 else (0, 0)
    if size != (width, height):
        raise BadMessage(f"A picture is {size[1]}×{size[0]} pixels, and its shape says {height}×{width}.")
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, struct.error) as broken:
        raise BadMessage(f"A picture's PNG cannot be read: {broken}.") from broken
