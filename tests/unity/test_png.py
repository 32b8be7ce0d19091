"""Pictures: what is compressed comes back, in every number of channels, and nothing else is believed."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from amble.unity.faults import BadMessage
from amble.unity.png import channel_mapping, compress, decompress

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6, 9])
def test_there_and_back(channels: int) -> None:
    image = RNG.integers(0, 256, (5, 7, channels), np.uint8)
    back = decompress(compress(image), 5, 7, channels, channel_mapping(channels))
    np.testing.assert_allclose(back, image / np.float32(255), rtol=1e-6)


def test_without_a_mapping_channels_come_as_they_are_and_one_is_the_mean() -> None:
    image = RNG.integers(0, 256, (4, 4, 6), np.uint8)
    np.testing.assert_allclose(decompress(compress(image), 4, 4, 5, []), image[:, :, :5] / 255, rtol=1e-6)
    grey = decompress(compress(image[:, :, :3]), 4, 4, 1, [])
    np.testing.assert_allclose(grey[:, :, 0], image[:, :, :3].mean(axis=2) / 255, rtol=1e-6)


def test_channels_of_one_number_are_averaged() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    image[:, :, 0], image[:, :, 1], image[:, :, 2] = 30, 60, 90
    back = decompress(compress(image), 2, 2, 2, [1, 0, 1])
    np.testing.assert_allclose(back[0, 0] * 255, [60, 60], rtol=1e-6)  # (30 + 90) / 2 = 60


def test_a_picture_cut_anywhere_is_refused() -> None:
    whole = compress(RNG.integers(0, 256, (4, 5, 3), np.uint8))
    for cut in range(1, len(whole)):
        with pytest.raises(BadMessage, match=r"breaks off|begins no PNG|cannot be read"):
            decompress(whole[:cut], 4, 5, 3, [])


def test_a_small_file_that_says_it_is_large() -> None:
    whole = bytearray(compress(np.zeros((4, 5, 3), np.uint8)))
    whole[16:24] = struct.pack(">II", 60000, 60000)
    with pytest.raises(BadMessage, match="is 60000×60000 pixels, and its shape says 4×5"):
        decompress(bytes(whole), 4, 5, 3, [])


@pytest.mark.parametrize(
    ("row", "size", "mapping", "words"),
    [
        (b"GIF89a" + bytes(60), (4, 5, 3), [], "byte 0 of 66 begins no PNG"),
        (compress(np.zeros((4, 5, 3), np.uint8)), (4, 5, 6), [], "has 3 channels in its PNGs; expected 6"),
        (compress(np.zeros((4, 5, 3), np.uint8)), (4, 5, 3), [0, 1], "has 3 channels.*its mapping names 2"),
        (compress(np.zeros((4, 5, 3), np.uint8)), (4, 5, 3), [0, 1, 1], "does not fill its channel 2"),
        (compress(np.zeros((5, 4, 3), np.uint8)), (4, 5, 3), [], "is 5×4 pixels, and its shape says 4×5"),
        (b"", (4, 5, 3), [], "has 0 channels in its PNGs; expected 3"),
        (b"", (10**5, 10**5, 3), [], "expected at most"),
    ],
)
def test_what_is_no_such_picture(row: bytes, size, mapping: list[int], words: str) -> None:
    with pytest.raises(BadMessage, match=words):
        decompress(row, *size, mapping)


def test_a_broken_stream_inside_a_whole_png() -> None:
    out = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (8, 8, 3), np.uint8)).save(out, "png")
    data = bytearray(out.getvalue())
    at = data.index(b"IDAT") + 20
    data[at : at + 20] = bytes(20)
    with pytest.raises(BadMessage, match="cannot be read"):
        decompress(bytes(data), 8, 8, 3, [])
