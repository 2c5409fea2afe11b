"""The first bytes tell who reads a file, or what it is instead and what to do about it."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from huatuo_server.errors import InvalidImage, UnsupportedImageFormat
from huatuo_server.images.formats import FORMATS, HEAD_BYTES, format_of, sniff
from tests.server.images.plain.pictures import encoded, noise

NIBABEL = Path(nibabel.__file__).parent / "tests" / "data"


def refusal(head: bytes) -> UnsupportedImageFormat:
    with pytest.raises(UnsupportedImageFormat) as caught:
        sniff(head)
    return caught.value


@pytest.mark.parametrize("kind", FORMATS)
def test_the_formats_that_are_read_are_known_by_their_bytes(kind: str) -> None:
    """Each of the six is told from its first bytes, whatever it is called."""
    head = encoded(noise(8, 8), kind)[:HEAD_BYTES]
    assert sniff(head) == "PLAIN"
    assert format_of(head) == kind


@pytest.mark.parametrize("start", [b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"])
def test_tiff_in_either_byte_order_and_with_large_offsets_is_tiff(start: bytes) -> None:
    """Little- and big-endian, TIFF and BigTIFF."""
    assert format_of(start.ljust(16, b"\0")) == "TIFF"


@pytest.mark.parametrize("start", [b"\0" * 128, b"II*\x00".ljust(128, b"\0"), b"\x89PNG\r\n\x1a\n".ljust(128, b"\0")])
def test_dicom_goes_before_everything(start: bytes) -> None:
    """A DICOM file whose preamble is that of a TIFF or PNG is DICOM."""
    assert sniff(start + b"DICM" + bytes(64)) == "DICOM"


def test_a_real_dicom_file_is_dicom() -> None:
    """pydicom's CT slice is."""
    path = get_testdata_file("CT_small.dcm")
    assert sniff(Path(str(path)).read_bytes()[:HEAD_BYTES]) == "DICOM"


@pytest.mark.parametrize(
    ("head", "name", "advice"),
    [
        (b"%PDF-1.7\n...", "a PDF", "as PNG"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC", "Settings, Camera, Formats, Most Compatible"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00", "HEIF", "JPEG"),
        (b"\x00\x00\x00\x20ftypavif\x00\x00\x00\x00", "AVIF", "JPEG"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x00\x00", "a video", "Send one picture of it"),
        (b"\x1aE\xdf\xa3\x01\x00\x00\x00", "a video", "Send one picture of it"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "a video", "Send one picture of it"),
        (b'<?xml version="1.0"?>\n<SVG xmlns="http://www.w3.org/2000/svg"/>', "SVG", "as PNG"),
        (b"<!DOCTYPE html><title>Sign in</title>", "a web page", "Send the image itself"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000", "PNG or JPEG"),
        (b"\xff\x4f\xff\x51\x00\x00", "JPEG 2000", "PNG or JPEG"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL", "PNG or JPEG"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL", "PNG or JPEG"),
        (b"\xff\xd8\xff\xf7\x00\x0b\x08", "a JPEG-LS picture", "PNG or JPEG"),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00", "a camera's raw picture", "PNG or JPEG"),
        (b"8BPS\x00\x01", "a Photoshop document", "as PNG"),
        (b"PK\x03\x04....", "a ZIP archive", "Unpack it"),
        (b"\x1f\x8b\x08\x00....", "a gzip archive", "Unpack it"),
        (b"\x00" * 344 + b"n+1\x00", "a NIfTI volume", "Export the slice"),
        (b"NRRD0004\n", "an NRRD volume", "Export the slice"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "Export the slice"),
        (b"\x08\x00\x05\x00CS\n\x00ISO_IR", "DICOM without its preamble", "DICM at byte 128"),
    ],
)
def test_a_format_that_is_not_read_is_named(head: bytes, name: str, advice: str) -> None:
    """The error is a 415, says what the file looks like and what to do."""
    error = refusal(head)
    assert error.status == 415
    assert f"looks like {name}" in error.message
    assert advice in error.message


def test_real_volumes_of_nifti_are_named() -> None:
    """nibabel's own, as they are and compressed."""
    volume = (NIBABEL / "anatomical.nii").read_bytes()
    assert "NIfTI volume" in refusal(volume[:HEAD_BYTES]).message
    assert "NIfTI volumes often are" in refusal((NIBABEL / "standard.nii.gz").read_bytes()[:HEAD_BYTES]).message
    second = gzip.decompress((NIBABEL / "example_nifti2.nii.gz").read_bytes())
    assert "NIfTI volume" in refusal(second[:HEAD_BYTES]).message
    assert "NIfTI header" in refusal((NIBABEL / "nifti1.hdr").read_bytes()[:HEAD_BYTES]).message


@pytest.mark.parametrize("name", ["ExplVR_LitEndNoMeta.dcm", "ExplVR_BigEndNoMeta.dcm", "rtstruct.dcm"])
def test_real_dicom_data_without_a_preamble_is_named(name: str) -> None:
    """Bare data sets of pydicom's, in either byte order."""
    path = get_testdata_file(name)
    assert "DICOM without its preamble" in refusal(Path(str(path)).read_bytes()[:HEAD_BYTES]).message


@pytest.mark.parametrize("name", ["AVIF", "JPEG2000"])
def test_files_that_pillow_could_read_are_refused_by_name(name: str) -> None:
    """What Pillow writes in these formats is recognised."""
    assert name[:4] in refusal(encoded(noise(16, 16), name)[:HEAD_BYTES]).message


def test_a_mark_inside_a_format_that_is_read_is_no_other_format() -> None:
    """A PNG with `<svg` in its text, a JPEG with NIfTI's mark at byte 344, are what they begin as."""
    assert sniff(encoded(noise(8, 8))[:33] + b"\0\0\0\x10tEXtComment\0<svg ") == "PLAIN"
    assert sniff(b"\xff\xd8\xff\xe0".ljust(344, b"\0") + b"n+1\x00") == "PLAIN"


@pytest.mark.parametrize("head", [b"", b"\x00", b"canary-7391 is no image", b"\x89PN", bytes(range(256)) * 4])
def test_bytes_like_nothing_are_refused_without_an_echo(head: bytes) -> None:
    """The error is a 400 that lists what is read and holds nothing of what was sent."""
    with pytest.raises(InvalidImage) as caught:
        sniff(head)
    assert caught.value.status == 400
    assert "PNG, JPEG, WEBP, BMP, TIFF, GIF or DICOM" in caught.value.message
    assert "canary" not in caught.value.message


@pytest.mark.parametrize("kind", ["PPM", "TGA", "PCX", "SGI", "ICNS", "DDS", "EPS"])
def test_what_pillow_could_read_besides_is_not_tried(kind: str) -> None:
    """Only the listed formats reach a decoder."""
    with pytest.raises((InvalidImage, UnsupportedImageFormat)):
        sniff(encoded(Image.new("RGB", (32, 32)), kind)[:HEAD_BYTES])
