"""DICOM files become frames: every transfer syntax on a real file, one frame of many, and what is told of them.

Stored values without another source are those that pydicom's own reference tests write down for the same file; the
lossless compressed files are compared with the uncompressed file that they were made from.
"""

from __future__ import annotations

import base64
import io
from typing import Any

import gdcm  # type: ignore[import-untyped]
import numpy as np
import pytest
from highdicom import imread
from numpy.typing import NDArray
from PIL import Image
from pydicom.pixels.utils import pixel_array
from pydicom.uid import HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL, JPEGExtended12Bit, RLELossless

from huatuo_server.errors import InvalidRequest
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.dicom import reader as dicom
from huatuo_server.images.dicom.modality import TERMS
from huatuo_server.images.frame import Header
from tests.server.images.dicom.dicom_samples import (
    bytes_of,
    changed,
    colours_of,
    compressed,
    dataset_of,
    frame_of,
    grey_of,
    made,
    parsed,
    real,
    shades_of,
)

MR_SMALL = {(0, 31): 422, (0, 32): 319, (0, 33): 361, (31, 0): 366, (31, 1): 363, (31, 2): 322, (63, 63): 862}
"""By row and column."""

EMRI_FIFTH_FRAME = {(0, 31): 67, (0, 32): 82, (0, 33): 44, (31, 0): 37, (31, 1): 41, (31, 2): 17, (63, 63): 355}

RTDOSE_EIGHTH_FRAME = {(0, 0): 1253000, (0, 2): 1249000, (4, 3): 1026000, (4, 5): 1022000, (9, 9): 803000}

PATTERN = [
    *((255, 0, 0), (255, 128, 128), (0, 255, 0), (128, 255, 128), (0, 0, 255), (128, 128, 255)),
    *((0, 0, 0), (64, 64, 64), (192, 192, 192), (255, 255, 255)),
]
"""Ten stripes, of ten rows each."""

PATTERN_NEAR_LOSSLESS = [
    *((255, 0, 0), (255, 130, 130), (0, 255, 0), (130, 255, 130), (0, 0, 255), (130, 130, 255)),
    *((0, 0, 0), (65, 65, 65), (190, 190, 190), (255, 255, 255)),
]
"""The same, in steps of 5: JPEG-LS with NEAR = 2."""


def values_at(values: NDArray[Any], places: dict[tuple[int, int], int]) -> dict[tuple[int, int], int]:
    return {place: int(values[place]) for place in places}


def stripes(picture: NDArray[np.uint8]) -> list[tuple[int, ...]]:
    return [tuple(picture[row, 50].tolist()) for row in range(5, 100, 10)]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "MR_small.dcm",
            "MR_small_implicit.dcm",
            "MR_small_expb.dcm",
            "MR_small_bigendian.dcm",
            "MR_small_padded.dcm",
        ),
        *("MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_jp2klossless.dcm"),
    ],
)
def test_grey_of_16_bits_is_read_however_it_is_coded(name: str) -> None:
    """The same signed picture in eight codings has the same stored values, and the shades worked out from them.

    Window 600 / 1600: shade = ((value - 599.5) / 1599 + 0.5) * 255, so 422 -> 99.2, 319 -> 82.8, 361 -> 89.5.
    """
    values = grey_of(real(name)).values

    assert values_at(values, MR_SMALL) == MR_SMALL
    assert np.array_equal(values, parsed("MR_small.dcm").pixel_array)
    assert shades_of(real(name))[0, 31:34].tolist() == [99, 83, 89]


@pytest.mark.parametrize(
    "name", ["emri_small.dcm", "emri_small_big_endian.dcm", "emri_small_RLE.dcm", "emri_small_jpeg_ls_lossless.dcm"]
)
def test_grey_of_12_bits_in_many_frames_is_read_however_it_is_coded(name: str) -> None:
    """The fifth of ten frames has its own values, which no other has."""
    values = grey_of(real(name), 5).values

    assert values_at(values, EMRI_FIFTH_FRAME) == EMRI_FIFTH_FRAME
    assert not np.array_equal(values, grey_of(real(name), 4).values)


@pytest.mark.parametrize("name", ["rtdose.dcm", "rtdose_expb.dcm", "rtdose_rle.dcm"])
def test_grey_of_32_bits_is_read(name: str) -> None:
    """A dose of 32 bits keeps every value."""
    assert values_at(grey_of(real(name), 8).values, RTDOSE_EIGHTH_FRAME) == RTDOSE_EIGHTH_FRAME


def test_a_deflated_file_is_read() -> None:
    """8-bit grey without a window is shown as it is stored."""
    assert grey_of(real("image_dfl.dcm")).as_is
    assert shades_of(real("image_dfl.dcm"))[300, 255:263].tolist() == [138, 65, 65, 65, 65, 35, 35, 35]


@pytest.mark.parametrize("name", ["liver_1frame.dcm", "liver_expb_1frame.dcm"])
def test_one_bit_a_pixel_is_black_or_white(name: str) -> None:
    """A segmentation's bits become 0 and 255."""
    shades = shades_of(real(name))

    assert shades[155, 180:183].tolist() == [0, 255, 255]
    assert shades[155, 310:314].tolist() == [255, 0, 255, 0]
    assert set(np.unique(shades)) == {0, 255}


def test_bits_of_a_later_frame_begin_where_they_do() -> None:
    """Frames of one bit a pixel need not begin with a byte: of 3 x 3 pixels the second begins in the middle of one."""
    bits = np.array([[0, 1, 1, 0, 0, 0, 1, 0, 1], [1, 1, 0, 1, 0, 1, 0, 0, 1]], np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    header = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "NumberOfFrames": 2}
    data = changed(made(np.zeros((3, 3), np.uint8)), **header, PixelData=packed + bytes(1))

    assert np.array_equal(shades_of(data, 2), bits[1].reshape(3, 3) * 255)


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("MR2_J2KR.dcm", "MR2_UNCR.dcm"),
        ("MR2_J2KI.dcm", "MR2_UNCI.dcm"),
        ("RG1_J2KR.dcm", "RG1_UNCR.dcm"),
        ("RG1_J2KI.dcm", "RG1_UNCI.dcm"),
        ("RG3_J2KR.dcm", "RG3_UNCR.dcm"),
        ("JPEG2000.dcm", "JPEG2000_UNC.dcm"),
        ("emri_small_jpeg_2k_lossless.dcm", "emri_small.dcm"),
    ],
)
def test_jpeg_2000_grey_is_its_uncompressed_twin(name: str, twin: str) -> None:
    """Reversible and irreversible JPEG 2000 of 10, 12, 15 and 16 bits."""
    assert np.array_equal(grey_of(real(name)).values, grey_of(real(twin)).values)


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("US1_J2KR.dcm", "US1_UNCR.dcm"),
        ("US1_J2KI.dcm", "US1_UNCI.dcm"),
        ("SC_rgb_gdcm_KY.dcm", "SC_rgb_gdcm2k_uncompressed.dcm"),
    ],
)
def test_jpeg_2000_in_colour_is_its_uncompressed_twin(name: str, twin: str) -> None:
    """YBR_RCT, YBR_ICT and RGB."""
    assert np.array_equal(colours_of(real(name)), colours_of(real(twin)))


def test_jpeg_2000_whose_sign_the_header_denies_is_put_right() -> None:
    """Samples that the codestream calls unsigned and the header signed, 13 bits of 16, are signed."""
    values = grey_of(real("J2K_pixelrep_mismatch.dcm")).values

    assert values[47:57, 279].tolist() == [621, 412, 138, -193, -520, -767, -907, -966, -988, -995]


def test_jpeg_2000_in_a_jp2_file_is_read() -> None:
    """A codestream with a file's header, against the standard, whose components stand in another order."""
    picture = colours_of(real("GDCMJ2K_TextGBR.dcm"))

    assert [picture[place].tolist() for place in ((45, 140), (46, 140), (350, 195))] == [
        [223, 32, 32],
        [255, 0, 0],
        [128, 128, 128],
    ]


HTJ2K_OF_MR_SMALL = """
/0//UQApQAAAAAAQAAAAEAAAAAAAAAAAAAAAEAAAABAAAAAAAAAAAAABjwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQkJCQkJCQkJCQ
iIiI/2QAFwABT3BlbkpQSCBWZXIgMC4zMS4wLv+QAAoAAAAAAVcAAf+TwAAmZP4CB3QAAMAAEsAAEsAAEoDoAAd0AKMBB3QA6wCHdADAABPAABUQAATg
+l2eACKUAEmHDPAAQZQAJ3VUACKUAMAAFqQAAWlAABagwIMD51Csanf0AM1+/jZ8QAAilwA0asotcELag2IeL1kCVrkhlgB66LZZ6nlWlGvWQg5gAg6A
AAKXAMAAL0CAAF3cAALugB0xWpaMA4Io8xVznlggskYRlUAwyDQOakESwgEJqiUkTBhYKQ4jAIhOXmCKuCzM+wABpRUklKgfC4EGkBEikAGkW7TVhffi
S63fMEgbw+71loC1lINcYEkKkWG6JgipD/DQkznO7TsehOcAaSq8TB6+6c66EJIiUgMxAV1DCRjgAiJIi0tZnypVyDCUgBLOZmoRCDDKwfXCKxlA8kUG
1PAgzCICAhY1aZDIauM1IkibACc5cQH/2Q==
"""
"""Rows 0 to 15 and columns 24 to 39 of MR_small.dcm, encoded losslessly with OpenJPH 0.2 (codec-openjph of npm)."""


@pytest.mark.parametrize("syntax", [HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K])
def test_high_throughput_jpeg_2000_is_read(syntax: Any) -> None:
    """A reversible codestream gives the values that it was made from."""
    frame = base64.b64decode(HTJ2K_OF_MR_SMALL)
    data = compressed([frame], syntax, BitsAllocated=16, BitsStored=16, HighBit=15, PixelRepresentation=1)

    assert np.array_equal(grey_of(data).values, parsed("MR_small.dcm").pixel_array[:16, 24:40])


def test_jpeg_lossless_of_16_bits_is_read() -> None:
    """Process 14, selection value 1."""
    values = grey_of(real("JPEG-LL.dcm")).values

    assert values[400, 124:132].tolist() == [60, 58, 61, 68, 59, 65, 64, 67]
    assert values[600, 124:132].tolist() == [3, 1, 2, 0, 2, 1, 2, 0]


def test_jpeg_lossless_of_8_bits_is_read() -> None:
    """An ultrasound picture."""
    values = grey_of(real("JPGLosslessP14SV1_1s_1f_8b.dcm")).values

    assert values[300, 512:520].tolist() == [26, 26, 25, 22, 19, 16, 14, 15]


def test_jpeg_lossless_in_colour_is_read() -> None:
    """The test pattern."""
    assert stripes(colours_of(real("SC_rgb_jpeg_gdcm.dcm"))) == PATTERN


def test_jpeg_lossless_with_any_predictor_is_read(tmp_path: Any) -> None:
    """Process 14 with another selection value: a chest film that GDCM has compressed is what it was."""
    source, target = tmp_path / "source.dcm", tmp_path / "target.dcm"
    source.write_bytes(real("RG3_UNCR.dcm"))
    transcode(str(source), str(target), gdcm.TransferSyntax.JPEGLosslessProcess14)
    data = target.read_bytes()

    assert frame_of(data).facts["transfer_syntax"] == "JPEG Lossless"
    assert np.array_equal(grey_of(data).values, grey_of(real("RG3_UNCR.dcm")).values)


def transcode(source: str, target: str, syntax: int) -> None:
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(source)
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFile(reader.GetFile())
    writer.SetFileName(target)
    writer.SetImage(change.GetOutput())
    assert writer.Write()


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG-lossy.dcm"])
def test_jpeg_extended_of_12_bits_is_read(name: str) -> None:
    """pydicom's reference has these values from a decoder of another maker; the lossless twin is 227 and 105 there."""
    values = grey_of(real(name)).values

    assert (values[420, 140], values[230, 120]) == (244, 95)
    lossless = grey_of(real("JPEG-LL.dcm")).values.astype(int)
    assert np.abs(values.astype(int) - lossless).mean() < 2.5


def test_jpeg_extended_of_8_bits_is_read() -> None:
    """A baseline stream is an extended one, too."""
    dataset = dataset_of(real("SC_rgb_small_odd_jpeg.dcm"))
    dataset.file_meta.TransferSyntaxUID = JPEGExtended12Bit
    data = bytes_of(dataset)

    assert frame_of(data).facts["transfer_syntax"] == "JPEG Extended"
    assert np.array_equal(colours_of(data), colours_of(real("SC_rgb_small_odd_jpeg.dcm")))


def test_jpeg_baseline_in_grey_is_read() -> None:
    """Grey is what Pillow makes of the same JPEG."""
    file = io.BytesIO()
    picture = np.tile(np.arange(0, 256, 16, dtype=np.uint8), (16, 1))
    Image.fromarray(picture).save(file, "JPEG")
    shades = shades_of(compressed([file.getvalue()], JPEGExtended12Bit))

    assert np.array_equal(shades, np.asarray(Image.open(file)))
    assert np.abs(shades.astype(int) - picture).max() < 8


def test_jpeg_ls_near_lossless_of_8_bits_is_read() -> None:
    """Every fifth row of a picture of powers of two; with NEAR = 2 all are multiples of 5."""
    assert grey_of(real("JPEGLSNearLossless_08.dcm")).values[::5, 4].tolist() == [255, 125, 65, 30, 15, 5, 5, 0, 0]


def test_jpeg_ls_near_lossless_of_16_bits_is_read() -> None:
    """The same of 16 bits."""
    values = grey_of(real("JPEGLSNearLossless_16.dcm")).values[::5, 4]

    assert values.tolist() == [65535, 32765, 16385, 4095, 1025, 255, 65, 15, 5, 0]


@pytest.mark.parametrize("name", ["SC_rgb_jls_lossy_line.dcm", "SC_rgb_jls_lossy_sample.dcm"])
def test_jpeg_ls_in_colour_is_read(name: str) -> None:
    """Interleaved by line and by sample."""
    assert stripes(colours_of(real(name))) == PATTERN_NEAR_LOSSLESS


def test_rle_planes_may_run_over_the_ends_of_rows() -> None:
    """A run of PackBits that goes on into the next row is read; encoders write them, against the standard."""
    header = np.array([1, 64, *([0] * 14)], "<u4").tobytes()
    data = compressed([header + bytes([257 - 128, 7, 257 - 128, 9])], RLELossless, Rows=16, Columns=16)

    assert grey_of(data).values.ravel().tolist() == [7] * 128 + [9] * 128


def test_elements_of_unknown_vr_are_read_all_the_same() -> None:
    """A file whose header gives UN as every element's VR is a CT in Hounsfield units."""
    grey = grey_of(real("explicit_VR-UN.dcm"))

    assert grey.hounsfield
    assert grey.values[256, [150, 256, 350]].tolist() == [102, -27, 14]


def test_a_sequence_coded_against_its_vr_does_not_stop_a_picture() -> None:
    """Implicit items inside an explicit file, before the pixels."""
    assert grey_of(real("bad_sequence.dcm")).values[256, [150, 256, 350]].tolist() == [353, 202, 38]


def test_unused_high_bits_are_not_part_of_a_value() -> None:
    """Overlays may stand in the upper four bits of a 12-bit sample, and a sign may not be carried into them."""
    stored = np.array([[0x7123, 0xF800]], np.uint16)
    unsigned = made(stored, BitsStored=12, HighBit=11)
    signed = made(stored, BitsStored=12, HighBit=11, PixelRepresentation=1)

    assert grey_of(unsigned).values.tolist() == [[0x123, 0x800]]
    assert grey_of(signed).values.tolist() == [[0x123, -0x800]]


def test_samples_in_the_upper_bits_are_moved_down() -> None:
    """As files from before 2014 may have them: 12 bits of which the highest is the sixteenth."""
    data = made(np.array([[0x1230, 0xFFF5]], np.uint16), BitsStored=12, HighBit=15)

    assert grey_of(data).values.tolist() == [[0x123, 0xFFF]]


@pytest.mark.parametrize(("keyword", "dtype"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
def test_float_pixels_are_read(keyword: str, dtype: str) -> None:
    """Parametric maps have floats; what is no number is black, and the rest between the percentiles."""
    values = np.linspace(-1, 1, 64).reshape(8, 8).astype(dtype)
    values[0, 0] = np.nan
    bits = 8 * values.itemsize
    data = changed(
        made(np.zeros((8, 8), np.int16)),
        **{"PixelData": None, "BitsStored": None, "HighBit": None, "BitsAllocated": bits, keyword: values.tobytes()},
    )

    assert np.array_equal(grey_of(data).values, values, equal_nan=True)
    assert grey_of(data).function == "LINEAR_EXACT"
    assert shades_of(data)[[0, 7], [0, 7]].tolist() == [0, 255]
    assert frame_of(data).facts["bit_depth"] == bits


@pytest.mark.parametrize(
    "name",
    [
        *("MR_small.dcm", "CT_small.dcm", "RG1_UNCR.dcm", "RG3_J2KI.dcm", "emri_small.dcm", "emri_small_RLE.dcm"),
        *("liver.dcm", "rtdose.dcm", "color3d_jpeg_baseline.dcm", "US1_J2KR.dcm", "SC_rgb_rle_2frame.dcm"),
    ],
)
def test_stored_values_are_pydicoms_and_highdicoms(name: str, tmp_path: Any) -> None:
    """Before any window a whole frame is what two other readers make of it; lossy colour within 1."""
    data = real(name)
    path = tmp_path / "file.dcm"
    path.write_bytes(data)
    frame = frame_of(data)
    number = frame.facts["frame"]
    mine = np.asarray(frame.pixels) if isinstance(frame.pixels, Image.Image) else frame.pixels.values
    mine = mine // 255 if frame.facts["bit_depth"] == 1 else mine
    rescaled = name == "CT_small.dcm"

    theirs = pixel_array(path, index=number - 1).astype(np.float64) - (1024 if rescaled else 0)
    assert np.abs(theirs - mine).max() <= (name == "color3d_jpeg_baseline.dcm")
    highdicoms = imread(path).get_frame(number, apply_icc_profile=False, apply_presentation_lut=False)
    assert np.abs(highdicoms.astype(np.float64) - mine).max() <= (name == "color3d_jpeg_baseline.dcm")


def test_the_middle_frame_is_shown_and_said_so() -> None:
    """Of 120 frames number 60, which is what asking for it gives, without the warning."""
    data = real("color3d_jpeg_baseline.dcm")
    unasked, asked = frame_of(data), frame_of(data, 60)

    assert (unasked.facts["frame"], unasked.facts["frames"]) == (60, 120)
    assert unasked.facts["warnings"] == ["The file has 120 frames: number 60, the middle one, is shown."]
    assert asked.facts["warnings"] == []
    assert np.array_equal(np.asarray(unasked.pixels), np.asarray(asked.pixels))


def test_one_of_120_frames_is_the_one_asked_for() -> None:
    """Grey ultrasound in YBR: the luma that pydicom's reference has at row 278, columns 300 to 309, in all channels."""
    data = real("color3d_jpeg_baseline.dcm")

    assert colours_of(data, 1)[278, 300:310, 1].tolist() == [64, 76, 86, 95, 95, 97, 98, 98, 106, 108]
    assert colours_of(data, 60)[278, 300:310, 1].tolist() == [22, 22, 27, 32, 32, 29, 23, 21, 24, 33]
    assert colours_of(data, 120)[278, 300:310, 1].tolist() == [46, 55, 64, 74, 80, 86, 97, 104, 110, 117]


@pytest.mark.parametrize(
    ("name", "frame", "says"), [("MR_small.dcm", 2, "1 frame,"), ("emri_small.dcm", 11, "10 frames")]
)
def test_a_frame_that_there_is_not_names_how_many_there_are(name: str, frame: int, says: str) -> None:
    """A 400 for the field of the view."""
    for number in (frame, 0, -1):
        with pytest.raises(InvalidRequest) as caught:
            frame_of(real(name), number)
        assert caught.value.param == "view.frame"
        assert says in caught.value.message


def test_only_the_frame_asked_for_is_read() -> None:
    """Of an uncompressed file of 40 MB in 10 frames, 8 MB are read at most; of a compressed one, the fragment alone."""
    frames = np.zeros((10 * 1000, 2000), np.uint16)
    native = changed(made(frames), Rows=1000, NumberOfFrames=10)
    assert bytes_read_of(native) < 8_000_000
    assert (
        bytes_read_of(compressed([real("MR_small.dcm")] * 2 + [j2k()] + [bytes(500_000)] * 3, NumberOfFrames=6)) < 9_000
    )


class Counting(io.BytesIO):
    """Counts what is read of it."""

    num_bytes = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.num_bytes += len(data)
        return data


def bytes_read_of(data: bytes) -> int:
    file = Counting(data)
    dicom.read_frame(file, 3, Bounds())
    return file.num_bytes


def j2k() -> bytes:
    file = io.BytesIO()
    Image.new("L", (16, 16), 7).save(file, "JPEG2000", no_jp2=True)
    return file.getvalue()


def test_the_header_tells_size_and_frames_without_a_pixel() -> None:
    """A file whose pixels have been cut off has a header all the same."""
    data = real("color3d_jpeg_baseline.dcm")
    start = data.index(b"\xe0\x7f\x10\x00")

    assert dicom.read_header(io.BytesIO(data[: start + 20]), Bounds()) == Header("DICOM", 640, 480, 120)


def test_facts_are_told_of_a_frame() -> None:
    """All of them; the window is found later, from the values."""
    assert frame_of(real("RG1_J2KR.dcm")).facts == {
        "format": "DICOM",
        "width": 1841,
        "height": 1955,
        "bit_depth": 15,
        "transfer_syntax": "JPEG 2000 Lossless",
        "modality": "CR",
        "frame": 1,
        "frames": 1,
        "window": None,
        "orientation": None,
        "warnings": [],
    }


@pytest.mark.parametrize(("written", "told"), [("MG", "MG"), ("", "other"), ("CANARY", "other"), (None, "other")])
def test_a_modality_is_one_of_the_standards_or_other(written: str | None, told: str) -> None:
    """What somebody typed into the field goes nowhere."""
    assert frame_of(made(np.zeros((2, 2), np.uint8), Modality=written)).facts["modality"] == told
    assert len(TERMS) > 80


def test_a_file_without_a_transfer_syntax_is_read_and_said_so() -> None:
    """Explicit and implicit VR are told apart by the first element."""
    for name in ("MR_small.dcm", "MR_small_implicit.dcm"):
        data = without_transfer_syntax(real(name))

        assert np.array_equal(grey_of(data).values, grey_of(real(name)).values)
        assert frame_of(data).facts["warnings"][0].startswith("The file does not name its transfer syntax")


def without_transfer_syntax(data: bytes) -> bytes:
    """With an element in its place that nobody knows."""
    tag = b"\x02\x00\x10\x00UI"
    assert data.count(tag) == 1
    return data.replace(tag, b"\x02\x00\x20\x01UI")


def test_what_the_header_says_of_burned_in_text_is_passed_on() -> None:
    """A warning where it says YES; nothing is ever said where it says NO, which proves nothing."""
    picture = np.zeros((4, 4), np.uint8)

    burned = frame_of(made(picture, BurnedInAnnotation="YES")).facts["warnings"]
    assert burned == ["The header says that text is burned into the pixels."]
    assert frame_of(made(picture, BurnedInAnnotation="NO")).facts["warnings"] == []


@pytest.mark.parametrize(
    ("elements", "is_square"),
    [
        ({"PixelSpacing": [0.5, 0.5]}, True),
        ({"PixelSpacing": [0.5, 0.503]}, True),
        ({"PixelSpacing": [0.5, 0.25]}, False),
        ({"ImagerPixelSpacing": [0.2, 0.1]}, False),
        ({"PixelAspectRatio": [4, 3]}, False),
        ({"PixelSpacing": [1, 1], "PixelAspectRatio": [4, 3]}, True),
        ({}, True),
    ],
)
def test_pixels_that_are_not_square_are_warned_of(elements: dict[str, Any], is_square: bool) -> None:
    """The picture is shown pixel for pixel, so that regions and values are the file's."""
    frame = frame_of(made(np.zeros((4, 4), np.uint8), **elements))

    assert any("not square" in warning for warning in frame.facts["warnings"]) is not is_square
    assert (frame.facts["width"], frame.facts["height"]) == (4, 4)


def test_pixels_are_the_same_from_a_file_read_in_another_place() -> None:
    """The reader begins at the file's beginning, wherever it stands."""
    file = io.BytesIO(real("MR_small.dcm"))
    file.seek(1000)

    assert dicom.read_frame(file, None, Bounds()).facts["width"] == 64
