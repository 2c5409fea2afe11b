"""Image bytes become upright RGB, or an error that names what is wrong and echoes nothing."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from huatuo_server.errors import ImageRefused, InvalidImage, RequestError, UnsupportedImageFormat
from huatuo_server.images.decode import decode
from tests import golden

PARAM = "messages.0.content.1.image_url"


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels(data: bytes) -> NDArray[np.uint8]:
    image = decode(data, param=PARAM)
    assert image.mode == "RGB"
    return np.asarray(image)


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def error_of(data: bytes, **limits: int) -> RequestError:
    with pytest.raises(RequestError) as caught:
        decode(data, param=PARAM, **limits)
    assert caught.value.param == PARAM
    return caught.value


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_come_back_as_they_went_in(kind: str) -> None:
    """Every pixel is the one that was saved."""
    image = noise(13, 7)
    assert np.array_equal(pixels(encoded(image, kind)), np.asarray(image))


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {}), ("WEBP", {}), ("WEBP", {"lossless": True}), ("GIF", {})])
def test_other_formats_are_read(kind: str, options: dict[str, Any]) -> None:
    """JPEG, WebP and GIF give the pixels that Pillow gives, and their format is told."""
    data = encoded(noise(13, 7), kind, **options)
    assert np.array_equal(pixels(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    assert decode(data, param=PARAM).format == kind


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP"])
def test_the_first_of_several_frames_is_read(kind: str) -> None:
    """A red frame before a blue one is a red picture."""
    red, blue = Image.new("RGB", (8, 8), (255, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 255))
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(red, kind, save_all=True, append_images=[blue], **options)
    assert pixels(data)[4, 4].tolist() == [255, 0, 0]


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (3, 1)])
def test_tiny_images_are_images(size: tuple[int, int]) -> None:
    """What the reference reads as channels-first, or fails on, is read as what it is."""
    assert np.array_equal(pixels(encoded(noise(*size))), np.asarray(noise(*size)))


def test_alpha_is_dropped_without_compositing() -> None:
    """The hidden colour under a transparent pixel is kept, as in the reference."""
    image = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert pixels(encoded(image))[0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "P"), ("PNG", "L"), ("PNG", "1"), ("PNG", "LA"), ("JPEG", "CMYK")])
def test_other_colour_modes_become_rgb(kind: str, mode: str) -> None:
    """Palettes, grey and CMYK are shown as Pillow shows them."""
    data = encoded(noise(9, 9, mode), kind)
    assert np.array_equal(pixels(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_pictures_are_turned_upright(kind: str, orientation: int) -> None:
    """Each of the eight EXIF orientations puts the white corner where a viewer shows it."""
    stored = Image.new("RGB", (32, 16))
    stored.paste((255, 255, 255), (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    shown = pixels(encoded(stored, kind, exif=exif))
    corner = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}[orientation]
    height, width = shown.shape[:2]
    y, x = (2 if corner[0] == "t" else height - 3), (2 if corner[1] == "l" else width - 3)
    assert (width, height) == ((32, 16) if orientation < 5 else (16, 32))
    assert shown[y, x].min() > 200
    assert shown[height - 1 - y, width - 1 - x].max() < 50


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_does_not_stop_a_picture() -> None:
    """EXIF that cannot be parsed counts as upright."""
    data = encoded(noise(8, 8), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert pixels(data).shape == (8, 8, 3)


def test_16_bit_greyscale_is_windowed_and_not_clipped() -> None:
    """A 12-bit ramp in a 16-bit PNG uses all shades, where a plain conversion shows it white."""
    ramp = np.tile(np.linspace(0, 4095, 256).astype(np.uint16), (16, 1))
    grey = pixels(encoded(Image.fromarray(ramp)))[0, :, 0].astype(int)
    assert grey[0] == 0
    assert grey[-1] == 255
    assert abs(int(grey[128]) - 128) < 3
    assert (np.diff(grey) >= 0).all()


def test_outliers_do_not_set_the_window() -> None:
    """Half a percent of pixels at either end, a marker say, is cut off."""
    film = np.random.default_rng(0).integers(1000, 1200, (100, 100)).astype(np.uint16)
    film[0, :10] = 65535
    assert 110 < pixels(encoded(Image.fromarray(film)))[1:].mean() < 145


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_a_constant_wide_picture_is_mid_grey(dtype: type) -> None:
    """Without contrast there is nothing to window."""
    image = Image.fromarray(np.full((5, 5), 3000, dtype))
    assert (pixels(encoded(image, "TIFF")) == 128).all()


def test_float_pictures_with_gaps_are_windowed() -> None:
    """NaN is dark, infinity bright, the rest between."""
    values = np.linspace(-1.0, 1.0, 400, dtype=np.float32).reshape(20, 20)
    values[0, 0], values[0, 1] = np.nan, np.inf
    grey = pixels(encoded(Image.fromarray(values), "TIFF"))[..., 0]
    assert (grey[0, 0], grey[0, 1]) == (0, 255)
    assert abs(int(grey[10, 0]) - 128) < 3


def test_a_negative_16_bit_film_is_turned_round() -> None:
    """In a TIFF that says that zero is white, the largest value is black."""
    ramp = np.tile(np.linspace(0, 4095, 64).astype(np.uint16), (8, 1))
    data = encoded(Image.fromarray(ramp), "TIFF")
    tag = struct.pack("<HHIHH", 262, 3, 1, 1, 0)
    assert tag in data
    negative = data.replace(tag, struct.pack("<HHIHH", 262, 3, 1, 0, 0))
    assert np.array_equal(pixels(negative), 255 - pixels(data))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x00" * 128 + b"DICM" + b"\x00" * 64, "DICOM"),
        (b"II*\x00" + b"\x00" * 124 + b"DICM" + b"\x00" * 64, "DICOM"),
        (b"%PDF-1.7\n...", "PDF"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC"),
        (b"\x00\x00\x00\x20ftypavif\x00\x00\x00\x00", "AVIF"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x00\x00", "video"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51\x00\x00", "JPEG 2000"),
        (b"8BPS\x00\x01", "Photoshop"),
        (b"PK\x03\x04....", "ZIP"),
        (b"\x1f\x8b\x08\x00....", "NIfTI"),
        (b"\x00" * 344 + b"n+1\x00", "NIfTI"),
    ],
)
def test_a_format_that_is_not_read_is_named(data: bytes, name: str) -> None:
    """The error says what the file looks like and what to send instead."""
    error = error_of(data)
    assert isinstance(error, UnsupportedImageFormat)
    assert error.status == 415
    assert name in error.message
    assert "PNG, JPEG" in error.message


@pytest.mark.parametrize("kind", ["PPM", "TGA", "PCX", "SGI", "ICNS", "DDS", "EPS"])
def test_what_pillow_could_read_besides_is_not_tried(kind: str) -> None:
    """Only the listed formats reach a decoder."""
    assert error_of(encoded(noise(32, 32), kind)).status in (400, 415)


@pytest.mark.parametrize("data", [b"", b"\x00", b"canary-7391 is no image", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_bytes_that_are_no_image_are_refused_without_an_echo(data: bytes) -> None:
    """The error is a 400 and holds nothing of what was sent."""
    error = error_of(data)
    assert isinstance(error, InvalidImage)
    assert error.status == 400
    assert "canary" not in error.message
    assert "0x" not in error.message


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_a_truncated_file_is_refused(kind: str) -> None:
    """Half a picture is no picture."""
    data = encoded(noise(64, 64), kind)
    assert isinstance(error_of(data[: len(data) // 2]), InvalidImage)


def bomb(width: int, height: int) -> bytes:
    """A PNG header that promises much, and a few bytes of data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\x00" * 1000))


@pytest.mark.parametrize(("width", "height"), [(8000, 5001), (20001, 1), (1, 20001), (14000, 14000), (60000, 60000)])
def test_a_picture_over_a_limit_is_refused_from_its_header(width: int, height: int) -> None:
    """More than 40 megapixels, or than 20,000 a side, is a 422 before anything is decoded."""
    tracemalloc.start()
    try:
        error = error_of(bomb(width, height))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(error, ImageRefused)
    assert error.status == 422
    assert most < 1_000_000


def tiled_tiff(tile: tuple[int, int]) -> bytes:
    """A 16 x 16 greyscale TIFF in one deflated tile of the given size, of zeros that are not there."""
    fields = {256: 16, 257: 16, 258: 8, 259: 8, 262: 1, 277: 1, 322: tile[0], 323: tile[1], 324: 200, 325: 10}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(fields.items()))
    header = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(fields)) + entries + bytes(4)
    return header.ljust(200, b"\0") + zlib.compress(bytes(64))


def test_a_tile_over_a_limit_is_refused_from_its_header() -> None:
    """A TIFF's tile is decoded whole, however small the picture that it belongs to."""
    error = error_of(tiled_tiff((32000, 20000)))

    assert isinstance(error, ImageRefused)
    assert not isinstance(error_of(tiled_tiff((256, 256))), ImageRefused)


def test_the_limits_are_the_callers() -> None:
    """Settings decide; the picture at the limit is let in."""
    data = encoded(noise(10, 4))
    assert decode(data, param=PARAM, max_pixels=40, max_side=10).size == (10, 4)
    assert "at most 39 are" in error_of(data, max_pixels=39).message
    assert "at most 9 a side" in error_of(data, max_side=9).message


def test_golden_images_are_read_as_the_reference_reads_them() -> None:
    """On the golden pictures decoding is Pillow's `convert("RGB")`."""
    for path in sorted(golden.IMAGES.iterdir()):
        assert np.array_equal(pixels(path.read_bytes()), np.asarray(Image.open(path).convert("RGB")))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
def test_damaged_files_never_raise_anything_else() -> None:
    """A thousand files with broken bytes give pictures or request errors."""
    rng = np.random.default_rng(0)
    sources = [encoded(noise(24, 24), kind) for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")]
    outcomes: Counter[str] = Counter()
    for round_number in range(1000):
        data = bytearray(sources[round_number % len(sources)])
        for _ in range(int(rng.integers(1, 12))):
            data[int(rng.integers(0, min(len(data), 300)))] = int(rng.integers(0, 256))
        outcomes[outcome_of(bytes(data))] += 1
    assert outcomes["decoded"] > 50
    assert outcomes["refused"] > 50
    assert outcomes["decoded"] + outcomes["refused"] == 1000


def outcome_of(data: bytes) -> str:
    try:
        return "decoded" if decode(data, param=PARAM).mode == "RGB" else "not RGB"
    except RequestError as error:
        return "refused" if error.status in (400, 415, 422) else f"status {error.status}"
