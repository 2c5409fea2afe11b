"""TIFF in its many ways of storing: read as it is meant, or refused; never noise."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from huatuo_server.errors import ImageRefused, InvalidImage, InvalidRequest
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.plain.reader import read_header
from huatuo_server.images.plain.tiff import count_pages
from tests.server.images.plain.pictures import (
    ct_slice,
    encoded,
    error_of,
    frame_of,
    grey_of,
    header_of,
    noise,
    scikit_image,
    seen,
    wide_noise,
)
from tests.server.images.plain.tiff_files import tiff_of, tiff_of_pages


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.float32])
def test_grey_values_come_as_they_are_stored(dtype: Any, order: str, compressed: bool) -> None:
    """16 bits, 32 bits and floats, of both signs, in either byte order, with and without compression."""
    values = wide_noise(23, 11, dtype)
    data = tiff_of(values, order, compressed=compressed)
    found = grey_of(data).values
    assert found.dtype == values.dtype
    assert np.array_equal(found, values)
    assert frame_of(data).facts["bit_depth"] == values.dtype.itemsize * 8


@pytest.mark.parametrize("compressed", [False, True])
def test_unsigned_32_bits_do_not_wrap(compressed: bool) -> None:
    """Values of 2**31 and above stay positive."""
    values = np.array([[0, 1, 2**31 - 1], [2**31, 2**31 + 1, 2**32 - 1]], np.uint32)
    assert np.array_equal(grey_of(tiff_of(values, compressed=compressed)).values, values)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_wide_grey_says_whether_zero_is_white(dtype: Any) -> None:
    """The values come as they are stored, with the word that they are inverted."""
    values = wide_noise(9, 7, dtype)
    negative = grey_of(tiff_of(values, photometric=0))
    assert negative.inverted
    assert not grey_of(tiff_of(values)).inverted
    assert np.array_equal(negative.values, values)


def test_a_negative_16_bit_film_is_turned_round() -> None:
    """In a TIFF that says that zero is white, the largest value is black."""
    ramp = np.tile(np.linspace(0, 4095, 64).astype(np.uint16), (8, 1))
    assert np.array_equal(seen(tiff_of(ramp, photometric=0)), 255 - seen(tiff_of(ramp)))


def test_8_bit_zero_is_white_is_turned_round() -> None:
    """Stored 0 is shown as 255: Pillow does it, as the reference sees it."""
    values = np.array([[0, 1, 200, 255]], np.uint8)
    assert seen(tiff_of(values, photometric=0))[0, :, 0].tolist() == [255, 254, 55, 0]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", [1, 2])
def test_rgb_of_8_bits_is_read_in_either_arrangement(order: str, compressed: bool, planar: int) -> None:
    """Channels together or each on its own."""
    values = np.asarray(noise(12, 9))
    assert np.array_equal(seen(tiff_of(values, order, compressed=compressed, planar=planar)), values)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("compressed", "planar"), [(False, 1), (True, 1), (True, 2)])
def test_rgb_of_16_bits_shows_its_upper_8(order: str, compressed: bool, planar: int) -> None:
    """Each sample over 256, rounded down, and a warning that says so."""
    values = np.random.default_rng(0).integers(0, 65536, (9, 12, 3), dtype=np.uint16)
    data = tiff_of(values, order, compressed=compressed, planar=planar)
    assert np.array_equal(seen(data), values // 256)
    facts = frame_of(data).facts
    assert facts["bit_depth"] == 16
    assert facts["warnings"] == ["The image has more than 8 bits a channel in colour: the upper 8 are used."]


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (np.zeros((4, 4, 3), np.uint16), {"planar": 2}),
        (np.zeros((4, 4), np.float64), {}),
        (np.zeros((4, 4), np.float16), {}),
        (np.zeros((4, 4), np.uint64), {}),
        (np.zeros((4, 4, 2), np.uint16), {"photometric": 1, "extra": 2}),
        (np.zeros((4, 4, 3), np.float32), {}),
        (np.zeros((4, 4), np.int16), {"photometric": 0}),
        (np.zeros((4, 4), np.uint16), {"bits": 14}),
    ],
    ids=["planar16", "f8", "f2", "u8", "grey16+alpha", "rgb-f4", "negative-i2", "14-bit"],
)
def test_what_is_not_read_is_refused_with_advice(values: np.ndarray[Any, Any], options: dict[str, Any]) -> None:
    """A 422, never noise."""
    error = error_of(tiff_of(values, **options))
    assert isinstance(error, ImageRefused)
    assert "Save it with" in error.message


def test_a_real_tiff_of_64_bit_floats_is_refused() -> None:
    """scikit-image's multipage_rgb.tif: RGB of 64-bit floats, each channel on its own."""
    error = error_of(scikit_image("multipage_rgb.tif"))
    assert isinstance(error, ImageRefused)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "raw"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "P", "1"])
def test_lossless_compressions_change_nothing(compression: str, mode: str) -> None:
    """LZW, deflate, PackBits and none give the same picture."""
    image = noise(33, 17, mode)
    assert np.array_equal(seen(encoded(image, "TIFF", compression=compression)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("compression", ["group3", "group4"])
def test_a_fax_is_black_on_white(compression: str) -> None:
    """CCITT's codes of one bit a pixel."""
    image = noise(64, 16, "1")
    assert np.array_equal(seen(encoded(image, "TIFF", compression=compression)), np.asarray(image.convert("RGB")))


def test_jpeg_in_tiff_is_read() -> None:
    """One colour survives its coding to within a shade or two."""
    shown = seen(encoded(Image.new("RGB", (32, 32), (200, 100, 50)), "TIFF", compression="jpeg", quality=100))
    assert np.abs(shown.astype(int) - [200, 100, 50]).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_every_kind_is_turned_upright_once(dtype: Any, orientation: int) -> None:
    """numpy turns the stored values as TIFF 6.0 (Orientation) words it, and so do we, grey values as pictures."""
    stored = wide_noise(7, 4, np.uint16) // 256
    upright = {1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1]}
    upright |= {5: stored.T, 6: np.rot90(stored, -1), 7: np.rot90(stored, 2).T, 8: np.rot90(stored)}
    data = tiff_of(stored.astype(dtype), orientation=orientation)
    expected = upright[orientation]
    found = seen(data)[..., 0] if dtype is np.uint8 else grey_of(data).values
    assert np.array_equal(found, expected)
    header = header_of(data)
    assert (header.height, header.width) == expected.shape
    assert (frame_of(data).facts["orientation"] is None) == (orientation == 1)


def test_pages_are_counted_and_shown_as_asked() -> None:
    """scikit-image's multipage.tif has two; their middle pixels are 128 and 182 in any reader."""
    data = scikit_image("multipage.tif")
    assert header_of(data).frames == 2
    assert seen(data)[7, 5].tolist() == [128, 128, 128]
    assert seen(data, 2)[7, 5].tolist() == [182, 182, 182]
    assert frame_of(data).facts["warnings"] == ["The file has 2 pages: number 1 is shown."]
    facts = frame_of(data, 2).facts
    assert (facts["frame"], facts["frames"], facts["warnings"]) == (2, 2, [])


def test_pages_may_differ_in_kind_and_size() -> None:
    """An 8-bit page before a 16-bit one twice its size: each is what it is."""
    data = tiff_of_pages([wide_noise(4, 3, np.uint16).astype(np.uint8), ct_slice()])
    assert seen(data).shape == (3, 4, 3)
    assert np.array_equal(grey_of(data, 2).values, ct_slice())
    assert frame_of(data, 2).facts["bit_depth"] == 16


def test_a_header_is_of_the_page_that_is_asked_for() -> None:
    """What is admitted by the header is what will be decoded, and not a small page before it."""
    data = tiff_of_pages([np.zeros((2, 2), np.uint8), np.zeros((8, 9), np.uint8)])
    header = read_header(io.BytesIO(data), 2, Bounds())
    assert (header.width, header.height, header.frames) == (9, 8, 2)


def test_a_page_over_a_limit_is_refused_though_the_first_is_not() -> None:
    """The limits are of the page that is asked for."""
    data = tiff_of_pages([np.zeros((2, 2), np.uint8), np.zeros((8, 8), np.uint8)])
    assert seen(data).shape == (2, 2, 3)
    assert isinstance(error_of(data, 2, max_pixels=63), ImageRefused)
    assert frame_of(data, 2, max_pixels=64).facts["width"] == 8


@pytest.mark.parametrize("number", [0, 3, -1, 2**70])
def test_a_page_that_is_not_there_is_refused(number: int) -> None:
    """A 400 that says how many there are."""
    error = error_of(scikit_image("multipage.tif"), number)
    assert isinstance(error, InvalidRequest)
    assert error.param == "view.frame"
    assert "2 pages, counted from 1" in error.message


def test_a_chain_of_pages_that_loops_ends() -> None:
    """Three pages whose last leads back to the first are three."""
    data = tiff_of_pages([np.zeros((2, 2), np.uint8)] * 3, loop=True)
    assert count_pages(io.BytesIO(data), 1000) == 3
    assert seen(data, 3).shape == (2, 2, 3)


def test_counting_stops_above_the_limit() -> None:
    """Of 5,000 pages no more are looked at than decide, and the file is refused by the limit's name."""
    data = tiff_of_pages([np.zeros((1, 1), np.uint8)] * 5000)
    assert count_pages(io.BytesIO(data), 1000) == 1001
    error = error_of(data)
    assert isinstance(error, ImageRefused)
    assert "more than 1000 pages" in error.message
    assert "--max-frames" in error.message


@pytest.mark.parametrize("order", ["<", ">"])
def test_big_tiff_is_counted(order: str) -> None:
    """Offsets of 8 bytes, entries of 20."""
    start = (b"II+\0\x08\0\0\0" if order == "<" else b"MM\0+\0\x08\0\0") + struct.pack(f"{order}Q", 16)
    first = struct.pack(f"{order}Q", 1) + bytes(20) + struct.pack(f"{order}Q", 52)
    second = struct.pack(f"{order}Q", 2) + bytes(40) + struct.pack(f"{order}Q", 0)
    assert count_pages(io.BytesIO(start + first + second), 1000) == 2


def tiled_tiff(tile: tuple[int, int]) -> bytes:
    """A 16 x 16 greyscale TIFF in one deflated tile of the given size, of zeros that are not there."""
    fields = {256: 16, 257: 16, 258: 8, 259: 8, 262: 1, 277: 1, 322: tile[0], 323: tile[1], 324: 200, 325: 10}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(fields.items()))
    header = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(fields)) + entries + bytes(4)
    return header.ljust(200, b"\0") + zlib.compress(bytes(64))


def test_a_tile_over_a_limit_is_refused_from_its_header() -> None:
    """A TIFF's tile is decoded whole, however small the picture that it belongs to."""
    assert isinstance(error_of(tiled_tiff((32000, 20000))), ImageRefused)
    assert isinstance(error_of(tiled_tiff((256, 256))), InvalidImage)
