"""DICOM in colour: every colour model, palettes and planes become RGB of 8 bits."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import ExplicitVRBigEndian, JPEGBaseline8Bit

from huatuo_server.errors import ImageRefused, InvalidImage
from huatuo_server.images.dicom.palette import expanded
from tests.server.images.dicom.dicom_samples import (
    changed,
    colour_made,
    colours_of,
    compressed,
    frame_of,
    made,
    parsed,
    real,
)
from tests.server.images.dicom.test_dicom import PATTERN, stripes

YBR_PATTERN = [
    *((254, 0, 0), (255, 127, 127), (0, 255, 5), (129, 255, 129), (0, 0, 254), (128, 127, 255)),
    *((0, 0, 0), (64, 64, 64), (192, 192, 192), (255, 255, 255)),
]
"""The test pattern on its way through YBR, as pydicom's reference has it: 76 + 1.402 * 127 = 254, and so on."""

NOISE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "name",
    [
        *("SC_rgb.dcm", "SC_rgb_expb.dcm", "SC_rgb_2frame.dcm", "SC_rgb_rle.dcm", "SC_rgb_rle_2frame.dcm"),
        *("SC_rgb_16bit.dcm", "SC_rgb_expb_16bit.dcm", "SC_rgb_rle_16bit.dcm", "SC_rgb_rle_16bit_2frame.dcm"),
        *("SC_rgb_32bit.dcm", "SC_rgb_expb_32bit.dcm", "SC_rgb_rle_32bit.dcm"),
    ],
)
def test_rgb_of_8_16_and_32_bits_is_the_same_picture(name: str) -> None:
    """16-bit samples of the pattern are 257 times, and 32-bit ones 16843009 times the 8-bit ones."""
    assert stripes(colours_of(real(name), 1)) == PATTERN


def test_the_second_frame_is_the_first_turned_round() -> None:
    """So a frame in colour is found in its place."""
    for name in ("SC_rgb_2frame.dcm", "SC_rgb_rle_16bit_2frame.dcm"):
        assert np.array_equal(colours_of(real(name), 2), 255 - colours_of(real(name), 1))


@pytest.mark.parametrize("name", ["SC_ybr_full_uncompressed.dcm", "SC_ybr_full_422_uncompressed.dcm"])
def test_ybr_is_converted(name: str) -> None:
    """YBR_FULL, and YBR_FULL_422 whose chroma stands once for two pixels."""
    assert stripes(colours_of(real(name))) == YBR_PATTERN


@pytest.mark.parametrize(
    ("name", "at_most"),
    [
        ("SC_rgb_dcmtk_+eb+cy+n2.dcm", 0),
        ("SC_rgb_dcmtk_+eb+cy+s2.dcm", 0),
        ("SC_rgb_dcmtk_+eb+cy+s4.dcm", 0),
        ("SC_rgb_dcmtk_+eb+cy+np.dcm", 5),
        ("SC_rgb_dcmtk_+eb+cy+n1.dcm", 5),
        ("SC_rgb_jpeg_lossy_gdcm.dcm", 5),
        ("SC_rgb_jpeg_dcmtk.dcm", 0),
    ],
)
def test_jpeg_baseline_in_ybr_is_converted(name: str, at_most: int) -> None:
    """The pattern at every subsampling; the coarser ones smear the colour by as much as the parameter says."""
    found = np.array(stripes(colours_of(real(name))))

    assert np.abs(found - YBR_PATTERN).max() <= at_most


def test_jpeg_baseline_in_rgb_is_left_alone() -> None:
    """Coded without a colour transform."""
    assert stripes(colours_of(real("SC_rgb_dcmtk_+eb+cr.dcm"))) == PATTERN


@pytest.mark.parametrize(
    ("name", "colour"),
    [
        ("SC_jpeg_no_color_transform.dcm", [244, 244, 244]),
        ("SC_jpeg_no_color_transform_2.dcm", [244, 244, 246]),
        ("SC_rgb_jpeg_app14_dcmd.dcm", [244, 244, 246]),
        ("SC_rgb_jpeg_dcmd.dcm", [244, 244, 244]),
    ],
)
def test_a_jpeg_in_rgb_may_say_so_or_not(name: str, colour: list[int]) -> None:
    """With Adobe's marker, and without any, where the header says it; the tile's ground is all but grey."""
    picture = colours_of(real(name))

    assert picture[128, 128].tolist() == colour
    assert np.array_equal(picture, parsed(name).pixel_array)


def jpeg(picture: NDArray[np.uint8], **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=95, subsampling=0, **options)
    return file.getvalue()


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422", "RGB"])
def test_what_a_jpegs_marker_says_is_believed(photometric: str) -> None:
    """A JFIF is YCbCr, whatever the header has: as pydicom does it, too."""
    flat = np.full((16, 16, 3), (200, 40, 90), np.uint8)
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": photometric, "PlanarConfiguration": 0}
    picture = colours_of(compressed([jpeg(flat)], JPEGBaseline8Bit, **colour))

    assert np.abs(picture.astype(int) - flat).max() <= 3


def test_a_jpeg_of_adobes_ycbcr_is_converted_once() -> None:
    """The marker names the transform that the decoder undoes; the header's YBR is then no reason to convert again."""
    flat = np.full((16, 16, 3), (200, 40, 90), np.uint8)
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x01"
    stream = jpeg(flat)
    length = int.from_bytes(stream[4:6], "big")
    marked = stream[:2] + adobe + stream[4 + length :]
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422", "PlanarConfiguration": 0}
    picture = colours_of(compressed([marked], JPEGBaseline8Bit, **colour))

    assert np.abs(picture.astype(int) - flat).max() <= 3


def test_ybr_422_that_leaves_nothing_out_is_read() -> None:
    """Some writers say 4:2:2 of an uncompressed picture in which every pixel has its chroma."""
    full = colour_made(NOISE, PhotometricInterpretation="YBR_FULL")
    claimed = colour_made(NOISE, PhotometricInterpretation="YBR_FULL_422")

    assert np.array_equal(colours_of(claimed), colours_of(full))


def test_planes_and_pixels_are_the_same_picture() -> None:
    """Planar configuration 1 and 0, on real files, whose pixels are not square, and on noise."""
    planes = colours_of(real("color-pl.dcm"))
    assert planes[60, [10, 128, 250]].tolist() == [[40, 40, 40], [184, 16, 16], [40, 40, 40]]
    assert np.array_equal(planes, colours_of(real("color-px.dcm")))

    planar = changed(
        colour_made(NOISE, PlanarConfiguration=1), PixelData=np.ascontiguousarray(NOISE.transpose(2, 0, 1)).tobytes()
    )
    assert np.array_equal(colours_of(planar), NOISE)


def test_big_endian_bytes_in_words_are_read() -> None:
    """Of an odd number, which pads the last word; and in planes."""
    expected = [[166, 141, 52], [63, 87, 176], [158, 158, 158]]
    for name in ("SC_rgb_small_odd.dcm", "SC_rgb_small_odd_big_endian.dcm"):
        assert colours_of(real(name))[:, 0].tolist() == expected
    ultrasound = colours_of(real("ExplVR_BigEnd.dcm"))
    assert np.array_equal(ultrasound, parsed("ExplVR_BigEnd.dcm").pixel_array)


def test_samples_of_10_bits_use_all_shades() -> None:
    """By the bits that are stored: 1023 is white, 512 is 512 * 255 / 1023 = 127.6."""
    data = colour_made(np.array([[[0, 512, 1023]]], np.uint16), BitsStored=10, HighBit=9)

    assert colours_of(data).tolist() == [[[0, 128, 255]]]


@pytest.mark.parametrize("name", ["OBXXXX1A.dcm", "OBXXXX1A_expb.dcm", "OBXXXX1A_rle.dcm"])
def test_a_palette_is_looked_up(name: str) -> None:
    """Stored 244, 1, 246 and 0: entries 25 3E 5E, 01 01 01, 0C 16 20 and 00 00 00, in the upper bytes of 16 bits."""
    picture = colours_of(real(name))

    assert picture[0, 0].tolist() == [0x25, 0x3E, 0x5E]
    assert picture[300, 491:494].tolist() == [[1, 1, 1], [0x0C, 0x16, 0x20], [1, 1, 1]]
    assert picture[-1, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", ["gdcm-US-ALOKA-16.dcm", "gdcm-US-ALOKA-16_big.dcm"])
def test_a_segmented_palette_is_expanded(name: str) -> None:
    """Ultrasound with 65,536 colours; a whole frame is what pydicom makes of it, in the upper bytes."""
    dataset = parsed(name)
    theirs = apply_color_lut(dataset.pixel_array, dataset) >> 8

    assert colours_of(real(name))[200, [100, 300, 320, 500]].tolist() == [[1] * 3, [14] * 3, [6] * 3, [4] * 3]
    assert np.array_equal(colours_of(real(name)), theirs)


def test_whole_palette_pictures_are_pydicoms() -> None:
    """An ultrasound picture of 8 bits."""
    dataset = parsed("examples_palette.dcm")

    assert np.array_equal(colours_of(real("examples_palette.dcm")), apply_color_lut(dataset.pixel_array, dataset) >> 8)


def palette_made(
    values: NDArray[Any], descriptor: list[int], entries: list[int], width: str = "<u2", **more: Any
) -> bytes:
    """Red as given, green twice and blue three times it."""
    table: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for factor, channel in enumerate(("Red", "Green", "Blue"), start=1):
        table[f"{channel}PaletteColorLookupTableDescriptor"] = descriptor
        data = (np.array(entries) * factor).astype(width)
        table[f"{channel}PaletteColorLookupTableData"] = data.tobytes()
    return made(values, **(table | more))


def test_values_beyond_a_palette_take_its_ends() -> None:
    """Three entries from 10 on, of 8 bits each."""
    data = palette_made(np.array([[0, 10, 11, 12, 255, 9]], np.uint8), [3, 10, 8], [10, 20, 30, 0], "u1")

    assert colours_of(data)[0, :, 0].tolist() == [10, 10, 20, 30, 30, 10]
    assert colours_of(data)[0, 1].tolist() == [10, 20, 30]


def test_a_palette_may_begin_below_zero() -> None:
    """Signed values."""
    data = palette_made(np.array([[-2, -1, 0]], np.int16), [3, -2, 16], [0x1000, 0x2000, 0x3000])

    assert colours_of(data)[0].tolist() == [[0x10, 0x20, 0x30], [0x20, 0x40, 0x60], [0x30, 0x60, 0x90]]


@pytest.mark.parametrize(("bits", "width"), [(8, "u1"), (8, "<u2"), (16, "<u2"), (16, "u1")])
def test_a_palette_of_small_numbers_is_not_black(bits: int, width: str) -> None:
    """8-bit colours, packed or in words, whatever the descriptor calls them."""
    data = palette_made(np.array([[0, 1]], np.uint8), [2, 0, bits], [40, 80], width)

    assert colours_of(data)[0].tolist() == [[40, 80, 120], [80, 160, 240]]


@pytest.mark.parametrize("entries", [[], [1, 2, 3]])
def test_a_palette_that_is_missing_or_short_is_refused(entries: list[int]) -> None:
    """There is no telling the colours."""
    with pytest.raises(InvalidImage):
        colours_of(palette_made(np.zeros((2, 2), np.uint8), [256, 0, 16], entries))


def test_segments_are_expanded_as_the_standard_says() -> None:
    """PS3.3 C.7.9.2: two entries, a line of four up from them, and the first two segments once more."""
    segments = [0, 2, 100, 200, 1, 4, 400, 2, 2, 0, 0]

    assert expanded(segments, 100, 2) == [100, 200, 250, 300, 350, 400, 100, 200, 250, 300, 350, 400]


def test_an_indirect_segment_points_by_bytes() -> None:
    """To the second segment: of 16 bits, at byte 6; of 8 bits, at byte 3, in four bytes."""
    assert expanded([0, 1, 7, 0, 2, 8, 9, 2, 1, 6, 0], 100, 2) == [7, 8, 9, 8, 9]
    assert expanded([0, 1, 7, 0, 2, 8, 9, 2, 1, 3, 0, 0, 0], 100, 1) == [7, 8, 9, 8, 9]


def test_segments_never_make_more_than_is_asked_for() -> None:
    """65,535 copies of 65,535 entries are 4 billion."""
    bomb = [0, 1, 7, 1, 65535, 9, *([2, 65535, 3, 0] * 1000)]

    assert len(expanded(bomb, 1000, 2)) < 140_000


@pytest.mark.parametrize(
    "segments",
    [
        [0, 1, 7, 2, 1, 6, 0, 2, 1, 6, 0],
        [2, 1, 0, 0],
        [0, 0],
        [1, 0, 5],
        [1, 4, 5],
        [3, 1, 1],
        [0],
        [0, 1, 7, 2, 1, 9999, 0],
    ],
)
def test_broken_segments_are_refused(segments: list[int]) -> None:
    """Segments that point to each other, that bring nothing, that have no beginning, or are cut short."""
    with pytest.raises((InvalidImage, ValueError, IndexError)):
        expanded(segments, 100, 2)


@pytest.mark.parametrize("model", ["HSV", "ARGB", "CMYK", "YBR_PARTIAL_420"])
def test_a_retired_colour_model_is_refused_by_name(model: str) -> None:
    """The standard's own word, and what to do."""
    with pytest.raises(ImageRefused, match=model):
        colours_of(colour_made(NOISE, PhotometricInterpretation=model))


@pytest.mark.parametrize(
    "elements",
    [
        {"PhotometricInterpretation": "CANARY"},
        {"PhotometricInterpretation": "MONOCHROME2"},
        {"PhotometricInterpretation": "YBR_ICT"},
        {"SamplesPerPixel": 1},
        {"SamplesPerPixel": 4},
        {"PlanarConfiguration": 2},
        {"PixelRepresentation": 1},
        {"PhotometricInterpretation": None},
    ],
)
def test_contradictions_on_colour_are_refused(elements: dict[str, Any]) -> None:
    """A colour model, a number of samples or planes that cannot be."""
    with pytest.raises(InvalidImage) as caught:
        colours_of(colour_made(NOISE, **elements))
    assert "CANARY" not in caught.value.message


def test_colour_of_big_endian_words_is_read() -> None:
    """16 bits a sample, the most significant byte first."""
    data = colour_made(np.array([[[0, 0x8080, 0xFFFF]]], ">u2"), ExplicitVRBigEndian)

    assert colours_of(data).tolist() == [[[0, 128, 255]]]


def test_a_colour_profile_is_ignored_and_said_so() -> None:
    """As in plain images."""
    assert frame_of(colour_made(NOISE, ICCProfile=bytes(8))).facts["warnings"] == ["An ICC colour profile was ignored."]
    assert frame_of(colour_made(NOISE)).facts["warnings"] == []
