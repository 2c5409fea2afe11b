"""A plain image's file becomes one upright frame, or an error that names what is wrong and echoes nothing."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib
from collections import Counter
from typing import Any

import numpy as np
import pytest
from PIL import Image, WebPImagePlugin

from huatuo_server.errors import ImageRefused, InvalidImage, InvalidRequest, RequestError
from huatuo_server.images.frame import Header
from huatuo_server.images.plain.gif import MAX_BLOCKS, count_frames
from huatuo_server.images.plain.jpeg import MAX_SCANS
from tests import golden
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
)
from tests.server.images.plain.tiff_files import tiff_of

KINDS = ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"]

ICC = ["An ICC colour profile was ignored, as the reference does."]
UPPER_8 = ["The image has more than 8 bits a channel in colour: the upper 8 are used."]


# Three pixels of each, at row and column. They were read with OpenCV 5.0, which has its own code for PNG and GIF and
# its own copies of libjpeg-turbo and libtiff; where a file has 16 bits, OpenCV's value over 256, rounded down.
REAL = {
    "retina.jpg": ((1411, 1411), 8, [], {(0, 0): (0, 0, 0), (705, 705): (187, 46, 26), (470, 1056): (202, 70, 47)}),
    "rocket.jpg": ((640, 427), 8, ICC, {(0, 0): (17, 33, 58), (213, 320): (132, 123, 114), (142, 480): (31, 48, 78)}),
    "ihc.png": ((512, 512), 8, [], {(0, 0): (156, 118, 81), (256, 256): (227, 226, 222), (170, 384): (145, 102, 59)}),
    "astronaut.png": ((512, 512), 8, ICC, {(0, 0): (154, 147, 151), (256, 256): (19, 14, 7)}),
    "microaneurysms.png": (
        (102, 102),
        8,
        [],
        {(0, 0): (96, 96, 96), (51, 51): (74, 74, 74), (34, 75): (100, 100, 100)},
    ),
    "horse.png": ((400, 328), 8, [], {(0, 0): (255, 255, 255), (164, 200): (0, 0, 0)}),
    "logo.png": ((500, 500), 8, [], {(250, 250): (255, 159, 83), (166, 375): (146, 195, 73)}),
    "chessboard_RGB.png": ((200, 200), 16, UPPER_8, {(100, 100): (175, 175, 175), (66, 150): (205, 205, 205)}),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files(name: str) -> None:
    """scikit-image's pictures have the size, the depth, the warnings and the pixels that are written down above."""
    size, bit_depth, warnings, expected = REAL[name]
    data = scikit_image(name)
    facts = frame_of(data).facts
    assert (facts["width"], facts["height"]) == size == (header_of(data).width, header_of(data).height)
    assert (facts["bit_depth"], facts["warnings"], facts["frames"]) == (bit_depth, warnings, 1)
    shown = seen(data)
    assert {place: tuple(shown[place]) for place in expected} == expected


def test_a_real_gif() -> None:
    """scikit-image's animation of 24 frames: its first one, and a pixel of it as OpenCV reads it."""
    data = scikit_image("no_time_for_that_tiny.gif")
    assert header_of(data).frames == 24
    assert seen(data)[8, 9].tolist() == [104, 84, 72]
    assert frame_of(data).facts["warnings"] == ["The file has 24 frames: number 1 is shown."]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_come_back_as_they_went_in(kind: str) -> None:
    """Every pixel is the one that was saved."""
    image = noise(13, 7)
    assert np.array_equal(seen(encoded(image, kind)), np.asarray(image))


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {}), ("WEBP", {}), ("WEBP", {"lossless": True}), ("GIF", {})])
def test_other_formats_are_read(kind: str, options: dict[str, Any]) -> None:
    """JPEG, WebP and GIF give the pixels that Pillow gives, and their format is told."""
    data = encoded(noise(13, 7), kind, **options)
    assert np.array_equal(seen(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    assert frame_of(data).facts["format"] == header_of(data).format == kind


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (3, 1)])
def test_tiny_images_are_images(size: tuple[int, int]) -> None:
    """What the reference reads as channels-first, or fails on, is read as what it is."""
    assert np.array_equal(seen(encoded(noise(*size))), np.asarray(noise(*size)))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_dropped_without_compositing(kind: str) -> None:
    """The hidden colour under a transparent pixel is kept, as in the reference."""
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    image = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert seen(encoded(image, kind, **options))[0, 0].tolist() == [10, 20, 30]


MODES = [("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")]
MODES += [("JPEG", mode) for mode in ("L", "RGB", "CMYK")]
MODES += [("TIFF", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB")]
MODES += [("BMP", mode) for mode in ("1", "L", "P", "RGB")] + [("GIF", "L"), ("GIF", "P"), ("WEBP", "RGBA")]


@pytest.mark.parametrize(("kind", "mode"), MODES)
@pytest.mark.parametrize("orientation", [1, 6])
def test_8_bit_modes_are_bit_identical_to_pillows_rgb(kind: str, mode: str, orientation: int) -> None:
    """Palettes, grey, alpha, CMYK, upright or on their side: what `convert("RGB")` gives, turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"exif": exif} if kind in ("PNG", "JPEG", "TIFF", "WEBP") else {}
    data = encoded(noise(9, 5).convert(mode), kind, **options)
    plain = np.asarray(Image.open(io.BytesIO(encoded(noise(9, 5).convert(mode), kind))).convert("RGB"))
    assert np.array_equal(seen(data), np.rot90(plain, -1) if options and orientation == 6 else plain)


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_of_every_depth_show_their_colours(bits: int) -> None:
    """A PNG of 1 to 8 bits a pixel shows the palette's colours, whatever is said of their transparency."""
    image = Image.new("P", (2**bits, 1))
    image.putdata(list(range(2**bits)))
    colours = [(index * 7 % 256, index * 5 % 256, 200) for index in range(2**bits)]
    image.putpalette([part for colour in colours for part in colour])
    data = encoded(image, "PNG", bits=bits, transparency=b"\x00" * 2)
    assert seen(data)[0].tolist() == [list(colour) for colour in colours]
    assert frame_of(data).facts["bit_depth"] == bits


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_pictures_are_turned_upright(kind: str, orientation: int) -> None:
    """Each of the eight EXIF orientations puts the white corner where a viewer shows it."""
    stored = Image.new("RGB", (32, 16))
    stored.paste((255, 255, 255), (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(stored, kind, exif=exif)
    shown = seen(data)
    corner = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}[orientation]
    height, width = shown.shape[:2]
    y, x = (2 if corner[0] == "t" else height - 3), (2 if corner[1] == "l" else width - 3)
    assert (width, height) == ((32, 16) if orientation < 5 else (16, 32))
    assert (header_of(data).width, header_of(data).height) == (width, height)
    assert shown[y, x].min() > 200
    assert shown[height - 1 - y, width - 1 - x].max() < 50


@pytest.mark.parametrize(
    ("orientation", "words"),
    [
        (1, None),
        (2, "mirrored left to right"),
        (3, "rotated 180 degrees"),
        (6, "rotated 90 degrees clockwise"),
        (8, "rotated 90 degrees counter-clockwise"),
        (9, None),
    ],
)
def test_the_turn_is_told_in_words(orientation: int, words: str | None) -> None:
    """What was done to make it upright; nothing for an orientation that EXIF does not have."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert frame_of(encoded(noise(8, 4), "JPEG", exif=exif)).facts["orientation"] == words


@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bit_films_are_turned_as_pictures_are(orientation: int) -> None:
    """A 16-bit PNG and an 8-bit one of the same values and orientation agree."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    values = np.asarray(noise(6, 4, "L"))
    wide = grey_of(encoded(Image.fromarray(values.astype(np.uint16)), "PNG", exif=exif)).values
    assert np.array_equal(wide, seen(encoded(Image.fromarray(values), "PNG", exif=exif))[..., 0])


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG's."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int, height: int, bit_depth: int, colour_type: int, rows: bytes, *more: bytes, interlaced: int = 0
) -> bytes:
    """From its header and its raw rows, each with the byte of its filter before it. more: chunks behind the pixels."""
    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, interlaced)
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), *more, chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_exif_behind_the_pixels_counts() -> None:
    """An eXIf chunk may follow the pixels: the header already tells the upright size."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = png(2, 1, 8, 0, b"\x00\x01\x02", chunk(b"eXIf", exif.tobytes()[6:]))
    assert (header_of(data).width, header_of(data).height) == (1, 2)
    assert seen(data)[:, 0, 0].tolist() == [1, 2]


@pytest.mark.parametrize(("mode", "clear"), [("RGB", (0, 0, 0)), ("P", 0)])
def test_nothing_of_the_file_but_pixels_is_carried_along(mode: str, clear: Any) -> None:
    """A profile, a comment or a transparent colour would be in every picture made of this one."""
    exif = Image.Exif()
    exif[0x010E] = "canary-7391"
    data = encoded(noise(8, 8, mode), "PNG", exif=exif, icc_profile=b"canary-7391", transparency=clear, dpi=(72, 72))
    pixels = frame_of(data).pixels
    assert isinstance(pixels, Image.Image)
    again = Image.open(io.BytesIO(encoded(pixels, "PNG")))
    again.load()
    assert again.info == {}
    assert not again.getexif()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_does_not_stop_a_picture() -> None:
    """EXIF that cannot be parsed counts as upright."""
    data = encoded(noise(8, 8), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert seen(data).shape == (8, 8, 3)
    assert frame_of(data).facts["orientation"] is None


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_16_bit_film_comes_as_it_is_stored(kind: str) -> None:
    """A real CT slice in a 16-bit PNG or TIFF: every value, and 16 bits told."""
    data = encoded(Image.fromarray(ct_slice()), kind)
    grey = grey_of(data)
    assert np.array_equal(grey.values, ct_slice())
    assert grey.values.dtype == np.uint16
    assert not grey.inverted
    assert frame_of(data).facts["bit_depth"] == 16


def test_16_bit_greyscale_is_windowed_and_not_clipped() -> None:
    """The CT slice's percentiles are 163 and 1809: (487 - 163) / 1646 of 255 is 50, (175 - 163) / 1646 of 255 is 2."""
    shown = seen(encoded(Image.fromarray(ct_slice())))[..., 0]
    assert (ct_slice()[32, 32], ct_slice()[0, 0], ct_slice()[64, 64]) == (487, 175, 1928)
    assert (shown[32, 32], shown[0, 0], shown[64, 64]) == (50, 2, 255)


def test_16_bit_grey_with_alpha_keeps_all_its_bits() -> None:
    """Pillow keeps the upper 8, which makes a 12-bit film black; here alpha is dropped and grey is whole."""
    values = np.array([[0, 1, 255], [256, 4095, 65535]], ">u2")
    rows = b"".join(b"\0" + np.stack([row, 65535 - row], -1).astype(">u2").tobytes() for row in values)
    data = png(3, 2, 16, 4, rows)
    assert np.array_equal(grey_of(data).values, values)
    assert frame_of(data).facts["bit_depth"] == 16


def test_16_bit_grey_with_alpha_may_be_filtered() -> None:
    """Filter 1 (Sub) adds the byte four places before: 0x0102 and 0x0203 stand as 0x0102 and 0x0101."""
    data = png(2, 1, 16, 4, b"\x01" + bytes((1, 2, 9, 9, 1, 1, 0, 0)))
    assert grey_of(data).values.tolist() == [[0x0102, 0x0203]]


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (6, 4)])
def test_16_bit_colour_shows_its_upper_8_bits(colour_type: int, channels: int) -> None:
    """0x1234 is shown as 0x12, and the answer says so."""
    data = png(1, 1, 16, colour_type, b"\0" + b"\x12\x34\x56\x78\x9a\xbc\xde\xf0"[: 2 * channels])
    assert seen(data)[0, 0].tolist() == [0x12, 0x56, 0x9A]
    assert frame_of(data).facts["warnings"] == UPPER_8


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_a_constant_wide_picture_is_mid_grey(dtype: type) -> None:
    """Without contrast there is nothing to window."""
    assert (seen(tiff_of(np.full((5, 5), 3000, dtype))) == 128).all()


def test_float_pictures_with_gaps_are_windowed() -> None:
    """NaN is dark, infinity bright, the rest between."""
    values = np.linspace(-1.0, 1.0, 400, dtype=np.float32).reshape(20, 20)
    values[0, 0], values[0, 1] = np.nan, np.inf
    grey = seen(tiff_of(values))[..., 0]
    assert (grey[0, 0], grey[0, 1]) == (0, 255)
    assert abs(int(grey[10, 0]) - 128) < 3


def animated(kind: str, count: int = 3) -> bytes:
    """Red, green and blue pictures, one after the other."""
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    frames = [Image.new("RGB", (8, 8), colours[number % 3]) for number in range(count)]
    options = {"lossless": True} if kind == "WEBP" else {}
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_the_first_of_several_frames_is_shown_unless_another_is_asked_for(kind: str) -> None:
    """Frames are counted from 1, and the answer says which was shown."""
    data = animated(kind)
    assert header_of(data).frames == 3
    shown = [seen(data, number)[4, 4].tolist() for number in (None, 1, 2, 3)]
    assert shown == [[255, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert [frame_of(data, number).facts["frame"] for number in (None, 1, 2, 3)] == [1, 1, 2, 3]
    assert len(frame_of(data).facts["warnings"]) == 1
    assert not frame_of(data, 2).facts["warnings"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [0, 2])
def test_a_frame_that_is_not_there_is_refused(kind: str, number: int) -> None:
    """A 400 that says how many there are."""
    error = error_of(encoded(noise(8, 8), kind), number)
    assert isinstance(error, InvalidRequest)
    assert error.param == "view.frame"
    assert "counted from 1" in error.message


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_more_frames_than_allowed_are_refused(kind: str) -> None:
    """The error names the limit and its setting; as many as the limit are let in."""
    error = error_of(animated(kind), max_frames=2)
    assert isinstance(error, ImageRefused)
    assert "more than 2 frames" in error.message
    assert "--max-frames" in error.message
    assert frame_of(animated(kind), max_frames=3).facts["frames"] == 3


GIF_START = b"GIF89a\x08\x00\x08\x00\x00\x00\x00"
GIF_FRAME = b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00"
"""One pixel: descriptor, code size, one block of codes."""


def test_the_frames_of_a_large_gif_are_not_all_looked_at() -> None:
    """64 MB of tiny frames, 4 million of them, are refused in a tenth of a second."""
    file = io.BytesIO(GIF_START + GIF_FRAME * (64 * 2**20 // len(GIF_FRAME)))
    began = time.process_time()
    assert count_frames(file, 1000) == 1001
    assert time.process_time() - began < 0.1


def test_a_gif_in_single_bytes_is_refused() -> None:
    """A comment in more than a million blocks would only cost time."""
    comment = b"!\xfe" + b"\x01." * (MAX_BLOCKS + 1) + b"\x00"
    assert "blocks" in error_of(GIF_START + comment + GIF_FRAME + b";").message


def test_a_gif_with_much_between_its_blocks_is_refused() -> None:
    """8 MB of zeros would be looked at one by one; a few are let pass, as everywhere."""
    assert seen(GIF_START + bytes(1000) + GIF_FRAME + b";").shape == (8, 8, 3)
    began = time.process_time()
    assert isinstance(error_of(GIF_START + bytes(8_000_000) + GIF_FRAME + b";"), InvalidImage)
    assert time.process_time() - began < 0.2


def test_a_phones_jpeg_with_a_second_picture_in_it_is_a_jpeg() -> None:
    """A multi-picture file (MPO) shows its first picture, and counts as one frame."""
    red, blue = Image.new("RGB", (16, 16), (250, 0, 0)), Image.new("RGB", (16, 16), (0, 0, 250))
    data = encoded(red, "MPO", save_all=True, append_images=[blue], quality=100)
    assert Image.open(io.BytesIO(data)).format == "MPO"
    facts = frame_of(data).facts
    assert (facts["format"], facts["frames"], facts["warnings"]) == ("JPEG", 1, [])
    assert np.abs(seen(data)[8, 8].astype(int) - [250, 0, 0]).max() <= 3


def jpeg_with_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again, as often as to make `count` scans of it."""
    data = encoded(noise(16, 16), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * (count - data.count(b"\xff\xda")) + data[-2:]


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    """Each goes over the whole picture; a hundred are let in."""
    error = error_of(jpeg_with_scans(MAX_SCANS + 1))
    assert isinstance(error, ImageRefused)
    assert "more than 100 scans" in error.message
    assert seen(jpeg_with_scans(MAX_SCANS)).shape == (16, 16, 3)


def test_what_follows_a_jpegs_end_is_not_counted() -> None:
    """A phone appends a film to its picture: marks in it mean nothing."""
    assert seen(encoded(noise(16, 16), "JPEG") + b"\xff\xda\x00\x02" * 500).shape == (16, 16, 3)


def test_a_jpeg_with_much_between_its_segments_is_refused() -> None:
    """8 MB of zeros before the first segment would be looked at one by one; a few are let pass, as everywhere."""
    start, data = b"\xff\xd8\xff\xe0\0\2", encoded(noise(16, 16), "JPEG")
    assert seen(start + bytes(1000) + data[2:]).shape == (16, 16, 3)
    for rest in (data[2:], b""):
        began = time.process_time()
        assert isinstance(error_of(start + bytes(8_000_000) + rest), InvalidImage)
        assert time.process_time() - began < 0.2


def test_a_12_bit_jpeg_is_refused_by_name() -> None:
    """Its frame header says 12 bits a sample."""
    data = encoded(noise(16, 16, "L"), "JPEG")
    at = data.index(b"\xff\xc0") + 4
    error = error_of(data[:at] + b"\x0c" + data[at + 1 :])
    assert isinstance(error, ImageRefused)
    assert "more than 8 bits" in error.message


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"canary-7391 is no image", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM"]
)
def test_bytes_that_are_no_image_are_refused_without_an_echo(data: bytes) -> None:
    """The error is a 400 and holds nothing of what was sent."""
    error = error_of(data)
    assert isinstance(error, InvalidImage)
    assert error.status == 400
    assert "canary" not in error.message
    assert "0x" not in error.message


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_file_is_refused(kind: str) -> None:
    """Half a picture is no picture."""
    data = encoded(noise(64, 64), kind)
    assert isinstance(error_of(data[: len(data) // 2]), InvalidImage)


@pytest.mark.parametrize(("bit_depth", "colour_type", "row_bytes"), [(1, 0, 2), (8, 0, 9), (16, 0, 18), (8, 6, 36)])
def test_a_png_with_fewer_rows_than_it_says_is_refused(bit_depth: int, colour_type: int, row_bytes: int) -> None:
    """Pillow would leave the rest black without a word. Whatever a whole picture ends with, it is let in."""
    row = b"\0" + b"\x55" * row_bytes
    assert isinstance(error_of(png(9, 4, bit_depth, colour_type, row * 3)), InvalidImage)
    for last in (b"\0" + b"\x55" * row_bytes, b"\0" * (row_bytes + 1), b"\0" + b"\xff" * row_bytes):
        assert frame_of(png(9, 4, bit_depth, colour_type, row * 3 + last)).facts["height"] == 4


@pytest.mark.parametrize("size", [(1, 1), (9, 7), (2, 3), (5, 1), (1, 5), (16, 16)])
@pytest.mark.parametrize(("bit_depth", "colour_type", "bits"), [(1, 0, 1), (8, 2, 24), (16, 0, 16)])
def test_an_interlaced_png_with_a_pass_too_few_is_refused(
    size: tuple[int, int], bit_depth: int, colour_type: int, bits: int
) -> None:
    """Adam7 by PNG's own table: pass by pass, the pixels that belong to it; without its last byte it is refused."""
    width, height = size
    starts = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b""
    for left, top, across, down in starts:
        columns = len(range(left, width, across))
        rows += (b"\0" + b"\x55" * ((columns * bits + 7) // 8)) * (len(range(top, height, down)) if columns else 0)
    assert frame_of(png(width, height, bit_depth, colour_type, rows, interlaced=1)).facts["width"] == width
    assert isinstance(error_of(png(width, height, bit_depth, colour_type, rows[:-1], interlaced=1)), InvalidImage)


def test_a_png_in_very_many_chunks_is_refused() -> None:
    """A hundred thousand empty ones would only cost time."""
    data = encoded(noise(4, 4))
    assert "chunks" in error_of(data[:33] + chunk(b"teSt", b"") * 100_000 + data[33:]).message


@pytest.mark.parametrize(("width", "height"), [(8000, 5001), (20001, 1), (1, 20001), (14000, 14000), (60000, 60000)])
def test_a_picture_over_a_limit_is_refused_from_its_header(width: int, height: int) -> None:
    """More than 40 megapixels, or than 20,000 a side, is a 422 before anything is decoded."""
    bomb = png(width, height, 8, 2, b"\x00" * 1000)
    tracemalloc.start()
    try:
        error = error_of(bomb)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(error, ImageRefused)
    assert error.status == 422
    assert most < 1_000_000


def test_a_webp_over_a_limit_is_refused_before_its_canvas_is_made() -> None:
    """An extended header of 16,384 x 16,384 would take 2 GB to open."""
    side = (16_383).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + side + side
    data = b"RIFF" + struct.pack("<I", 4 + len(extended)) + b"WEBP" + extended
    error = error_of(data)
    assert isinstance(error, ImageRefused)
    assert "16384 x 16384" in error.message


def test_a_large_webps_header_takes_no_memory_for_its_canvas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening one takes its memory twice, and a header is read while others decode: its first bytes are enough."""
    data = encoded(noise(1200, 1000), "WEBP")
    monkeypatch.setattr(WebPImagePlugin, "WebPImageFile", None)

    assert header_of(data) == Header("WEBP", 1200, 1000, 1)


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"icc_profile": b"any"}])
def test_a_webps_size_is_read_from_each_kind_of_header(options: dict[str, Any]) -> None:
    """Lossy, lossless and extended: a limit one below the width refuses, the width lets in."""
    data = encoded(noise(70, 40), "WEBP", **options)
    assert "70 x 40" in error_of(data, max_side=69).message
    assert frame_of(data, max_side=70).facts["width"] == 70


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF"])
def test_a_picture_without_pixels_is_refused(kind: str) -> None:
    """0 x 0 is a 400."""
    at = {"PNG": slice(16, 24), "BMP": slice(18, 26), "GIF": slice(6, 10)}
    data = bytearray(tiff_of(np.zeros((0, 0), np.uint8)) if kind == "TIFF" else encoded(noise(4, 4, "P"), kind))
    if kind != "TIFF":
        data[at[kind]] = bytes(at[kind].stop - at[kind].start)
    if kind == "GIF":
        frame = data.index(b",")
        data[frame + 5 : frame + 9] = bytes(4)
    assert isinstance(error_of(bytes(data)), InvalidImage)


def test_the_limits_are_the_callers() -> None:
    """Settings decide, and the error names them; the picture at the limit is let in."""
    data = encoded(noise(10, 4))
    assert frame_of(data, max_pixels=40, max_side=10).facts["width"] == 10
    assert "10 x 4 pixels; at most 39 are accepted (--max-image-pixels)" in error_of(data, max_pixels=39).message
    assert "at most 9 a side are accepted (--max-image-side)" in error_of(data, max_side=9).message


def test_golden_images_are_read_as_the_reference_reads_them() -> None:
    """On the golden pictures decoding is Pillow's `convert("RGB")`."""
    for path in sorted(golden.IMAGES.iterdir()):
        assert np.array_equal(seen(path.read_bytes()), np.asarray(Image.open(path).convert("RGB")))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
def test_damaged_files_never_raise_anything_else() -> None:
    """A thousand files with broken bytes give pictures or request errors."""
    rng = np.random.default_rng(0)
    sources = [encoded(noise(24, 24), kind) for kind in KINDS] + [tiff_of(ct_slice()[:24, :24], compressed=True)]
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
        return "decoded" if seen(data).dtype == np.uint8 else "not 8 bits"
    except RequestError as error:
        return "refused" if error.status in (400, 415, 422) else f"status {error.status}"
