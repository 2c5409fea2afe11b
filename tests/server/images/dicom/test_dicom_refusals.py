"""DICOM that cannot or must not be read: a clear refusal, soon, and before anything large is decoded."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import get_frame
from pydicom.uid import JPEG2000, UID, JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from huatuo_server.errors import ImageRefused, InvalidImage, RequestError
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.dicom import codecs as dicom_codecs
from huatuo_server.images.dicom import reader as dicom
from huatuo_server.images.dicom import source as dicom_source
from tests.server.images.dicom.dicom_samples import (
    PIXELS,
    bytes_of,
    changed,
    colours_of,
    compressed,
    dataset_of,
    element,
    explicit,
    frame_of,
    grey_of,
    made,
    parsed,
    real,
)
from tests.server.images.dicom.test_dicom import PATTERN, stripes


def error_of(data: bytes, bounds: Bounds | None = None) -> RequestError:
    with pytest.raises(RequestError) as caught:
        frame_of(data, bounds=bounds)
    assert caught.value.status in (400, 422)
    return caught.value


def cost_of(data: bytes) -> tuple[RequestError, float, int]:
    """What is raised, the processor's seconds, and the most bytes of Python's at once besides the file."""
    tracemalloc.start()
    began = time.process_time()
    try:
        error = error_of(data)
        return error, time.process_time() - began, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("data", [b"", b"DICM", bytes(132), bytes(128) + b"DICN" + bytes(100), b"canary" * 100])
def test_what_has_no_mark_is_no_dicom(data: bytes) -> None:
    """It comes here only by mistake, and is a 400 all the same."""
    assert isinstance(error_of(data), InvalidImage)


@pytest.mark.parametrize(
    "name", ["reportsi.dcm", "test-SR.dcm", "waveform_ecg.dcm", "rtplan.dcm", "priv_SQ.dcm", "no_meta_group_length.dcm"]
)
def test_an_object_without_an_image_is_refused_as_one(name: str) -> None:
    """Reports, curves and plans."""
    error = error_of(real(name))

    assert isinstance(error, ImageRefused)
    assert "holds no image" in error.message
    with pytest.raises(ImageRefused):
        dicom.read_header(io.BytesIO(real(name)), Bounds())


def test_a_dicomdir_is_refused_as_one() -> None:
    """A directory names other files, and none of them is opened."""
    error = error_of(real("DICOMDIR"))

    assert isinstance(error, ImageRefused)
    assert "DICOMDIR" in error.message


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.100", "MPEG2 Main Profile"),
        ("1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264"),
        ("1.2.840.10008.1.2.4.107", "HEVC/H.265"),
        ("1.2.840.10008.1.2.4.52", "JPEG Extended (Process 3 and 5)"),
        ("1.2.840.10008.1.2.4.110", "JPEG XL Lossless"),
        ("1.2.840.10008.1.2.4.94", "JPIP Referenced"),
        ("1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed"),
        ("1.2.840.113619.5.2", "outside the standard"),
        ("1.2.840.10008.1.1", "outside the standard"),
        ("CANARY", "outside the standard"),
        ("*\x1cCANARY\x1f", "outside the standard"),
    ],
)
def test_a_coding_that_is_not_read_is_named(syntax: str, name: str) -> None:
    """By the standard's name, and never by what the file has there."""
    error = error_of(explicit(PIXELS, syntax.encode()))

    assert isinstance(error, ImageRefused)
    assert name in error.message
    assert "CANARY" not in error.message


def test_jpeg_extended_of_12_bits_in_colour_is_refused_by_name() -> None:
    """Grey is read; nobody has seen colour."""
    stream = bytearray(jpeg_colour())
    place = stream.index(b"\xff\xc0") + 4
    stream[place - 3], stream[place] = 0xC1, 12
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL", "PlanarConfiguration": 0}
    data = compressed([bytes(stream)], JPEGBaseline8Bit, BitsAllocated=16, BitsStored=12, HighBit=11, **colour)

    assert "JPEG Extended with 12 bits" in error_of(data).message


def jpeg_colour() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("rows", "columns", "says"),
    [(65535, 65535, "at most 40000000 are"), (20001, 1, "at most 20000 a side"), (1, 65535, "at most 20000 a side")],
)
def test_a_size_over_a_limit_is_refused_from_the_header(rows: int, columns: int, says: str) -> None:
    """Whether the pixels are there or not."""
    size = {"Rows": struct.pack("<H", rows), "Columns": struct.pack("<H", columns)}
    error, seconds, most = cost_of(explicit(PIXELS | size))

    assert isinstance(error, ImageRefused)
    assert says in error.message
    assert "--max-image-" in error.message
    assert seconds < 0.5
    assert most < 1_000_000


@pytest.mark.parametrize("frames", [b"1001", b"2147483647", b"1e300", b"9" * 300])
def test_more_frames_than_allowed_are_refused_from_the_header(frames: bytes) -> None:
    """They are counted by what the header says."""
    error = error_of(explicit(PIXELS | {"NumberOfFrames": frames}))

    assert isinstance(error, ImageRefused)
    assert "--max-frames" in error.message


def test_the_limits_are_the_callers() -> None:
    """The picture at the limit is let in."""
    data = made(np.zeros((10, 4), np.uint8), NumberOfFrames=1)
    frame_of(data, bounds=Bounds(max_pixels=40, max_side=10, max_frames=1))

    for bounds in (Bounds(max_pixels=39), Bounds(max_side=9), Bounds(max_frames=0)):
        assert isinstance(error_of(data, bounds), ImageRefused)


@pytest.mark.parametrize("elements", [{"Rows": b"\0\0"}, {"Columns": b"\0\0"}, {"Rows": b"\0\0", "Columns": b"\0\0"}])
def test_an_image_of_no_pixels_is_refused(elements: dict[str, bytes]) -> None:
    """0 x 16, 16 x 0 and 0 x 0."""
    assert "no pixels" in error_of(explicit(PIXELS | elements)).message


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated", "PhotometricInterpretation"])
def test_a_header_that_does_not_describe_its_pixels_is_refused(keyword: str) -> None:
    """Missing or empty."""
    missing = {name: PIXELS[name] for name in PIXELS if name != keyword}

    assert isinstance(error_of(explicit(missing)), InvalidImage)
    assert isinstance(error_of(explicit(missing | {keyword: b""})), InvalidImage)


@pytest.mark.parametrize(
    "elements",
    [
        {"BitsStored": b"\x00\x00"},
        {"BitsStored": b"\x09\x00"},
        {"BitsAllocated": b"\x0c\x00"},
        {"BitsAllocated": b"\x18\x00"},
        {"BitsAllocated": b"\x40\x00"},
        {"BitsAllocated": b"\xff\xff"},
        {"NumberOfFrames": b"CANARY"},
        {"NumberOfFrames": b"-1"},
        {"NumberOfFrames": b"1.5"},
        {"NumberOfFrames": b"nan"},
        {"NumberOfFrames": b"2"},
        {"SamplesPerPixel": b"\x02\x00"},
    ],
)
def test_a_header_that_makes_no_sense_is_refused(elements: dict[str, bytes]) -> None:
    """Bits, frames and samples that cannot be."""
    assert "CANARY" not in error_of(explicit(PIXELS | elements)).message


def test_the_header_before_those_is_read() -> None:
    """So that the tests above fail for the reason that they name."""
    assert grey_of(explicit(PIXELS)).values.ravel().tolist() == list(range(256))


@pytest.mark.parametrize(
    ("stream", "syntax"),
    [
        (b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 11, 8, 30000, 30000, 1) + b"\1\x11\0\xff\xda", JPEGBaseline8Bit),
        (b"\xff\xd8\xff\xc2" + struct.pack(">HBHHB", 11, 8, 30000, 30000, 1) + b"\1\x11\0\xff\xda", JPEGBaseline8Bit),
        (b"\xff\xd8\xff\xc3" + struct.pack(">HBHHB", 11, 8, 30000, 30000, 1) + b"\1\x11\0\xff\xda", JPEGLosslessSV1),
        (b"\xff\xd8\xff\xf7" + struct.pack(">HBHHB", 11, 8, 30000, 30000, 1) + b"\1\x11\0\xff\xda", JPEGLSLossless),
        (b"\xff\x4f\xff\x51" + struct.pack(">HH4L", 41, 0, 30000, 30000, 0, 0) + bytes(16) + b"\0\1\7\1\1", JPEG2000),
    ],
)
def test_a_codestream_larger_than_its_header_is_not_decoded(stream: bytes, syntax: UID) -> None:
    """16 x 16 over 30,000 x 30,000, in each of the codings that have a size of their own."""
    error, seconds, most = cost_of(compressed([stream + bytes(1000)], syntax))

    assert "of another size" in error.message
    assert seconds < 0.5
    assert most < 1_000_000


def test_a_codestream_of_other_samples_than_its_header_is_not_decoded() -> None:
    """Three components under a header for one; 16 bits under one for 8."""
    assert "of another size" in error_of(compressed([jpeg_colour()], JPEGBaseline8Bit)).message
    wide = get_frame(parsed("MR_small_jp2klossless.dcm").PixelData, 0, number_of_frames=1)
    assert "other samples" in error_of(compressed([wide], JPEG2000, Rows=64, Columns=64)).message


JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"


@pytest.mark.parametrize(
    ("frame", "syntax"),
    [
        (JP2 + bytes(2_000_000), JPEG2000),
        (JP2 + b"\0\0\0\x08free" * 200_000, JPEG2000),
        (b"\xff\xd8" + bytes(2_000_000), JPEGBaseline8Bit),
        (b"\xff\xd8" + b"\xff" * 2_000_000, JPEGBaseline8Bit),
        (b"\xff\xd8" + b"\xff\xe1\x00\x02" * 500_000, JPEGLSLossless),
        (b"\xff\xd8" + b"\xff\xe1\x00\x00" * 500_000, JPEGLosslessSV1),
        (b"\0\0", JPEG2000),
        (b"\xff\xd8", JPEGBaseline8Bit),
    ],
)
def test_a_codestream_without_an_end_is_not_walked_through(frame: bytes, syntax: UID) -> None:
    """Boxes and segments of no length, and millions of them; pydicom's own reader would go on for ever in the first."""
    error, seconds, _ = cost_of(compressed([frame], syntax))

    assert isinstance(error, InvalidImage)
    assert seconds < 0.5


def test_a_jpeg_2000_that_lacks_a_tile_is_refused() -> None:
    """OpenJPEG would leave a quarter of the film black."""
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)
    Image.fromarray(noise).save(file, "JPEG2000", no_jp2=True, tile_size=(8, 8))
    stream = file.getvalue()
    last = stream.rindex(b"\xff\x90\x00\x0a")

    assert np.array_equal(grey_of(compressed([stream], JPEG2000)).values, noise)
    for cut in (stream[:last] + b"\xff\xd9", stream[: last + 20], stream[: last + 4]):
        assert isinstance(error_of(compressed([cut], JPEG2000)), InvalidImage)


def test_a_jpeg_ls_without_an_end_is_refused_soon() -> None:
    """Found by fuzzing: with one byte broken and no end CharLS takes four seconds over 100 x 100 pixels."""
    dataset = dataset_of(real("SC_rgb_jls_lossy_line.dcm"))
    frame = bytearray(get_frame(dataset.PixelData, 0, number_of_frames=1))
    frame[395], frame[509] = 0xFD, 0x5E
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    error, seconds, _ = cost_of(compressed([bytes(frame)], JPEGLSLossless, Rows=100, Columns=100, **colour))

    assert "no end" in error.message
    assert seconds < 0.5


def test_a_jpeg_of_thousands_of_scans_is_refused() -> None:
    """Each goes over the whole picture."""
    file = io.BytesIO()
    Image.new("L", (16, 16)).save(file, "JPEG", progressive=True)
    stream = file.getvalue()
    scan = stream[stream.rindex(b"\xff\xda") : -2]

    assert "scans" in error_of(compressed([stream[:-2] + scan * 1000 + stream[-2:]], JPEGBaseline8Bit)).message


@pytest.mark.parametrize(
    "name",
    [
        *("MR_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "MR_small_RLE.dcm"),
        *("MR_small_jpeg_ls_lossless.dcm", "MR_small_jp2klossless.dcm", "JPEG2000.dcm", "SC_rgb_jpeg_gdcm.dcm"),
        *("SC_rgb_dcmtk_+eb+cr.dcm", "JPGExtended.dcm", "JPEGLSNearLossless_16.dcm", "emri_small_RLE.dcm"),
        *("OBXXXX1A_rle.dcm", "rtdose.dcm", "liver.dcm"),
    ],
)
def test_half_a_file_is_no_image(name: str) -> None:
    """In every coding: what was cut off is not made up."""
    data = real(name)
    start = data.rindex(b"\xe0\x7f\x10\x00") if b"\xe0\x7f\x10\x00" in data else len(data) // 2
    for end in (start + (len(data) - start) // 2, start - 50, 200, 140):
        assert isinstance(error_of(data[:end]), InvalidImage)


def test_fewer_pixels_than_announced_are_refused() -> None:
    """Though the frame asked for be there."""
    data = changed(real("emri_small.dcm"), NumberOfFrames=11)

    with pytest.raises(InvalidImage, match="fewer pixels"):
        frame_of(data, 1)


def test_fewer_fragments_than_frames_are_refused() -> None:
    """Compressed pixels are found by counting fragments where there is no table of offsets."""
    with pytest.raises(InvalidImage):
        frame_of(changed(real("emri_small_jpeg_2k_lossless.dcm"), NumberOfFrames=12), 12)


def test_a_table_of_offsets_that_lies_is_no_harm() -> None:
    """Millions of offsets for one frame, or offsets beyond the file."""
    for table in (bytes(4_000_000), struct.pack("<L", 0xFFFFFF00)):
        dataset = dataset_of(real("MR_small_RLE.dcm"))
        items = b"\xfe\xff\x00\xe0" + struct.pack("<L", len(table)) + table
        pixels = items + dataset.PixelData[8:]
        dataset.PixelData = pixels
        dataset["PixelData"].is_undefined_length = True
        error, seconds, most = cost_of(bytes_of(dataset))
        assert isinstance(error, InvalidImage)
        assert seconds < 0.5
        assert most < 2_000_000


def test_extended_offsets_that_lie_are_no_harm() -> None:
    """64-bit offsets and lengths."""
    for offset, length in ((2**63, 10), (0, 2**62), (2**40, 2**40)):
        data = changed(
            real("MR_small_RLE.dcm"),
            ExtendedOffsetTable=struct.pack("<Q", offset),
            ExtendedOffsetTableLengths=struct.pack("<Q", length),
        )
        assert isinstance(error_of(data), InvalidImage)


@pytest.mark.parametrize(
    "frame",
    [
        bytes(10),
        struct.pack("<16L", 2, 64, 70, *[0] * 13) + bytes(20),
        struct.pack("<16L", 1, 0xFFFFFFFF, *[0] * 14) + bytes(20),
        struct.pack("<16L", 1, 64, *[0] * 14) + b"\x81\x00",
        struct.pack("<16L", 15, *range(64, 79)) + bytes(20),
    ],
)
def test_rle_that_lies_is_refused(frame: bytes) -> None:
    """Other segments than the samples have, segments beyond the frame, and too few bytes in them."""
    assert isinstance(error_of(compressed([frame], RLELossless)), InvalidImage)


def test_rle_makes_no_more_than_the_picture() -> None:
    """A run for every two bytes of 4 MB would be 256 MB."""
    frame = struct.pack("<16L", 1, 64, *[0] * 14) + b"\x81\x07" * 2_000_000
    data = compressed([frame], RLELossless)
    tracemalloc.start()
    try:
        assert (grey_of(data).values == 7).all()
        assert tracemalloc.get_traced_memory()[1] < 4 * len(frame)
    finally:
        tracemalloc.stop()


def test_a_deflate_bomb_is_refused_soon() -> None:
    """522 KB that would be 512 MB, twice: as a header and as pixels."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = bytes(2**22)
    bomb = b"".join(deflater.compress(zeros) for _ in range(128)) + deflater.flush()
    meta = element(0x00020010, "UI", b"1.2.840.10008.1.2.1.99")
    data = bytes(128) + b"DICM" + meta + bomb
    assert len(data) < 540_000

    began = time.process_time()
    error = error_of(data)

    assert isinstance(error, ImageRefused)
    assert "once inflated" in error.message
    assert time.process_time() - began < 1


def test_a_damaged_deflate_is_refused() -> None:
    """Neither inflated nor cut short."""
    data = real("image_dfl.dcm")
    place = data.index(b"1.2.840.10008.1.2.1.99") + 200
    assert isinstance(error_of(data[:place] + bytes(100) + data[place + 100 :]), InvalidImage)


UNDEFINED = 0xFFFFFFFF
ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED)


@pytest.mark.parametrize("depth", [100, 10_000, 200_000])
def test_sequences_nested_without_end_are_refused_soon(depth: int) -> None:
    """Python's stack ends before the file does."""
    body = (element(0x00081140, "SQ", b"", UNDEFINED) + ITEM) * depth
    meta = element(0x00020010, "UI", b"1.2.840.10008.1.2.1\0")
    error, seconds, most = cost_of(bytes(128) + b"DICM" + meta + body)

    assert isinstance(error, InvalidImage | ImageRefused)
    assert seconds < 1
    assert most < 20_000_000


@pytest.mark.parametrize(
    "body",
    [
        element(0x00080090, "LO", b"") * 1_000_000,
        element(0x00081140, "SQ", b"", UNDEFINED) + ITEM + element(0x00080090, "LO", b"") * 1_000_000,
        element(0x00081140, "SQ", b"", UNDEFINED) + struct.pack("<HHL", 0xFFFE, 0xE000, 0) * 1_000_000,
    ],
)
def test_a_header_of_a_million_elements_is_refused_soon(body: bytes) -> None:
    """Elements, elements in a sequence, and items."""
    began = time.process_time()
    error = error_of(bytes(128) + b"DICM" + element(0x00020010, "UI", b"1.2.840.10008.1.2.1\0") + body)

    assert "too many elements" in error.message
    assert time.process_time() - began < 3


def test_a_sequence_of_a_million_items_in_one_value_is_refused_soon() -> None:
    """Of known length, and so not looked into until it is asked for."""
    items = struct.pack("<HHL", 0xFFFE, 0xE000, 0) * 1_000_000
    data = explicit(PIXELS | {"PerFrameFunctionalGroupsSequence": items})
    began = time.process_time()

    assert "too many elements" in error_of(data).message
    assert time.process_time() - began < 3


@pytest.mark.parametrize("reads", [1, 10, 12, 14, 40, 42, 44, 60])
def test_the_last_element_that_is_allowed_may_be_anywhere(reads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """pydicom turns what it catches into errors of its own; the refusal is found behind them."""
    monkeypatch.setattr(dicom_source, "MAX_READS", reads)
    items = struct.pack("<HHL", 0xFFFE, 0xE000, 0) * 100

    assert "too many elements" in error_of(explicit(PIXELS | {"PerFrameFunctionalGroupsSequence": items})).message


@pytest.mark.parametrize("keyword", ["RedPaletteColorLookupTableData", "VOILUTSequence", "PatientName", "WindowCenter"])
def test_a_length_beyond_the_file_takes_no_memory(keyword: str) -> None:
    """4 GB that are not there are not set aside."""
    data = explicit({keyword: b"abcd"})
    place = data.index(b"abcd")
    lying = data[: place - 4] + struct.pack("<L", 0xFFFFFFF0) + data[place:]
    error, seconds, most = cost_of(lying)

    assert isinstance(error, InvalidImage | ImageRefused)
    assert seconds < 0.5
    assert most < 1_000_000


def test_group_lengths_that_lie_are_not_believed() -> None:
    """The file's meta information and the groups end where they end."""
    lie = struct.pack("<L", 0xFFFFFFF0)
    data = explicit(PIXELS)
    meta = element(0x00020000, "UL", lie)
    group = element(0x00280000, "UL", lie)
    place = data.index(struct.pack("<HH", 0x0028, 0x0002))
    lying = data[:132] + meta + data[132:place] + group + data[place:]

    assert np.array_equal(grey_of(lying).values, grey_of(data).values)


def test_a_tiff_in_the_preamble_changes_nothing() -> None:
    """Files that are both are read as DICOM."""
    data = real("MR_small.dcm")
    tiff = b"II*\x00\x08\x00\x00\x00" + bytes(120)

    assert np.array_equal(grey_of(tiff + data[128:]).values, grey_of(data).values)


def test_pixels_of_no_known_coding_are_refused() -> None:
    """Compressed, in a file that names no transfer syntax."""
    data = real("MR_small_RLE.dcm").replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x20\x01UI")

    assert "does not name its transfer syntax" in error_of(data).message


def test_compressed_pixels_that_are_not_are_refused() -> None:
    """Raw pixels under a transfer syntax of JPEG, and fragments under one of none."""
    assert isinstance(error_of(explicit(PIXELS, JPEGBaseline8Bit.encode())), InvalidImage)

    fragments = real("MR_small_RLE.dcm").replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.1\0")
    assert isinstance(error_of(fragments), InvalidImage)


@pytest.mark.parametrize("elements", [{"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}])
def test_compressed_bits_are_refused(elements: dict[str, Any]) -> None:
    """One bit a pixel is read uncompressed only."""
    assert isinstance(error_of(compressed([bytes(100)], RLELossless, **elements)), ImageRefused)


def test_a_marker_that_ended_the_process_is_passed_over() -> None:
    """GDCM aborts over an Adobe segment of a transform that it does not know, and over others: it is given none."""
    dataset = dataset_of(real("SC_rgb_jpeg_gdcm.dcm"))
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\xc5"
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    data = compressed([frame[:2] + adobe + frame[2:]], JPEGLosslessSV1, Rows=100, Columns=100, **colour)

    assert stripes(colours_of(data)) == PATTERN


@pytest.mark.parametrize(
    ("name", "setting"), [("JPEG-LL.dcm", "GDCM_COPIES"), ("MR_small_jp2klossless.dcm", "OPENJPEG_SAMPLE_BYTES")]
)
def test_too_little_memory_is_found_before_the_decoder_is_called(
    name: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A MemoryError is the caller's to tell; a decoder in C++ would end the process."""
    monkeypatch.setattr(dicom_codecs, setting, 2**40)

    with pytest.raises(MemoryError):
        frame_of(real(name))


@pytest.mark.parametrize("part", ["header", "pixels"])
def test_damaged_files_never_raise_anything_else(part: str) -> None:
    """Of a thousand files with broken bytes, in twelve codings, each gives pixels or a request's error."""
    rng = np.random.default_rng(0)
    names = ["MR_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "MR_small_RLE.dcm", "OBXXXX1A_rle.dcm"]
    names += ["MR_small_jpeg_ls_lossless.dcm", "MR_small_jp2klossless.dcm", "SC_rgb_jpeg_gdcm.dcm", "emri_small.dcm"]
    names += ["SC_rgb_small_odd_jpeg.dcm", "JPEGLSNearLossless_08.dcm", "liver_1frame.dcm"]
    sources = [real(name) for name in names]
    damage: Callable[[bytearray, np.random.Generator], list[int]] = in_header if part == "header" else in_pixels
    outcomes: Counter[str] = Counter()
    for number in range(1000):
        data = bytearray(sources[number % len(sources)])
        for place in damage(data, rng):
            data[place] = int(rng.integers(0, 256))
        outcomes[outcome_of(bytes(data))] += 1
    assert outcomes["read"] > 100
    assert outcomes["refused"] > 100
    assert outcomes["read"] + outcomes["refused"] == 1000


def in_header(data: bytearray, rng: np.random.Generator) -> list[int]:
    return places(rng, 132, min(len(data), 1500))


def in_pixels(data: bytearray, rng: np.random.Generator) -> list[int]:
    start = max(data.rfind(b"\xe0\x7f\x10\x00"), data.rfind(b"\x7f\xe0\x00\x10"))
    return places(rng, start, min(len(data), start + 600))


def places(rng: np.random.Generator, start: int, end: int) -> list[int]:
    return [int(place) for place in rng.integers(start, end, int(rng.integers(1, 8)))]


def outcome_of(data: bytes) -> str:
    try:
        frame_of(data)
    except RequestError as error:
        return "refused" if error.status in (400, 422) else f"status {error.status}"
    return "read"
