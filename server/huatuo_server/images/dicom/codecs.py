"""One compressed frame -> its samples, by the decoder that its coding needs.

The decoders are called here and not through pydicom: it would keep a second copy of the frame, take a lack of memory
for damage, and walk through a hostile codestream without an end.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import gdcm  # type: ignore[import-untyped]
import jpeg_ls  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from openjpeg.utils import decode_pixel_data
from PIL import Image, JpegImagePlugin
from pydicom.uid import JPEGExtended12Bit, JPEGLossless

from huatuo_server.errors import ImageRefused, InvalidImage
from huatuo_server.images.dicom import codestream
from huatuo_server.images.dicom.codestream import Codestream, Process
from huatuo_server.images.dicom.image_pixel_module import ImagePixels
from huatuo_server.images.dicom.transfer_syntax import Coding

RLE_HEADER_BYTES: Final = 64

START_OF_SCAN: Final = b"\xff\xda"
END_OF_IMAGE: Final = b"\xff\xd9"
PADDED_END_BYTES: Final = 10
"""Where the end stands, with some zeros after it that make the length even."""

MAX_SCANS: Final = 100
"""Encoders write about 10. Each goes over the whole picture: thousands of empty ones would cost minutes."""

GDCM_COPIES: Final = 5
"""Of the decoded frame, at once, on its way through GDCM's streams and Python's text; and four of the coded one."""

OPENJPEG_SAMPLE_BYTES: Final = 6
"""Of each sample, 32 bits inside and up to 16 of the result; and half as much again as the coded frame has."""


@dataclass(frozen=True, slots=True)
class Samples:
    """values: shape (rows, columns) or (rows, columns, 3), whole numbers or floats. photometric: the model they are in.

    bits: how many of a sample's bits count. The highest of them is `high_bit`; what is above and below means nothing.
    """

    values: NDArray[Any]
    photometric: str
    bits: int
    high_bit: int


def decode(frame: bytes, pixels: ImagePixels, coding: Coding) -> Samples | Image.Image:
    """The samples as coded, unsigned; a lossy JPEG in colour is at once a picture of mode RGB.

    Raises InvalidImage, ImageRefused (12-bit colour), MemoryError, or whatever the decoder raises for damage.
    """
    if coding == "RLE":
        values = _by_packbits(frame, pixels)
        return Samples(values, pixels.photometric, pixels.bits_stored, pixels.high_bit)
    stream = _codestream_of(frame, pixels, coding)
    if stream.process == "sequential" and pixels.samples == 3:
        return _in_colour(frame, pixels, stream)
    values, photometric = _DECODERS[stream.process](frame, pixels, stream), _model(pixels, stream)
    bits = stream.precision
    if stream.process in ("sequential", "lossless"):
        bits = min(pixels.bits_stored, 8 * values.itemsize)
    return Samples(values, photometric, bits, bits - 1)


def _codestream_of(frame: bytes, pixels: ImagePixels, coding: Coding) -> Codestream:
    """What the frame says of itself. Raises InvalidImage where that is not what the header says."""
    stream = codestream.jpeg2000(frame) if coding == "JPEG 2000" else codestream.jpeg(frame)
    if stream.size != (pixels.columns, pixels.rows) or stream.components != pixels.samples:
        raise InvalidImage("The DICOM image's compressed picture is of another size than the header says.")
    is_known = stream.precision in (8, 12) if stream.process == "sequential" else stream.precision >= 2
    if not is_known or stream.precision > pixels.bits_allocated:
        raise InvalidImage("The DICOM image's compressed picture has other samples than the header says.")
    return stream


def _model(pixels: ImagePixels, stream: Codestream) -> str:
    """The colour model of what comes out. JPEG 2000 undoes its own transforms (PS3.5 8.2.4)."""
    if pixels.samples == 1:
        return pixels.photometric
    if stream.process == "JPEG 2000":
        return "RGB" if pixels.photometric in ("YBR_ICT", "YBR_RCT") else pixels.photometric
    return {"RGB": "RGB", "YCbCr": "YBR_FULL", None: pixels.photometric}[stream.transform]


def _by_packbits(frame: bytes, pixels: ImagePixels) -> NDArray[Any]:
    """PS3.5 Annex G: a segment for each byte of each sample, the most significant first, each in PackBits.

    Pillow's PackBits stops at the end of a row, and here a segment is one row: none can grow beyond its size.
    """
    num_bytes, num_pixels = pixels.bits_allocated // 8, pixels.rows * pixels.columns
    num_segments, *starts = np.frombuffer(frame[:RLE_HEADER_BYTES], "<u4").tolist()
    if num_segments != num_bytes * pixels.samples or len(starts) < num_segments:
        raise InvalidImage("The DICOM image's RLE header does not fit its pixels.")
    planes = np.empty((pixels.samples, num_pixels, num_bytes), np.uint8)
    for segment, (start, end) in enumerate(pairwise([*starts[:num_segments], len(frame)])):
        sample, byte = divmod(segment, num_bytes)
        row = Image.frombytes("L", (num_pixels, 1), frame[start:end], "packbits", "L")
        planes[sample, :, num_bytes - 1 - byte] = np.asarray(row)[0]
    return _shaped(planes, pixels, pixels.bits_allocated, is_planar=True)


def _in_colour(frame: bytes, pixels: ImagePixels, stream: Codestream) -> Image.Image:
    if stream.precision != 8:
        raise ImageRefused("JPEG Extended with 12 bits a sample is read in grey only. Send the image uncompressed.")
    image = _lossy_jpeg(frame)
    if pixels.photometric == "RGB" and stream.transform is None:
        # libjpeg takes three components without any marker for YCbCr. The header knows better.
        image.draft("YCbCr", image.size)
        return Image.merge("RGB", image.split())
    image.load()
    return image


def _by_libjpeg_or_gdcm(frame: bytes, pixels: ImagePixels, stream: Codestream) -> NDArray[Any]:
    return np.asarray(_lossy_jpeg(frame)) if stream.precision == 8 else _by_gdcm(frame, pixels, stream)


def _lossy_jpeg(frame: bytes) -> Image.Image:
    if frame.count(START_OF_SCAN) > MAX_SCANS:
        raise ImageRefused(f"The DICOM image's JPEG has more than {MAX_SCANS} scans.")
    return JpegImagePlugin.JpegImageFile(io.BytesIO(frame))


def _by_charls(frame: bytes, pixels: ImagePixels, stream: Codestream) -> NDArray[Any]:
    if END_OF_IMAGE not in frame[-PADDED_END_BYTES:]:
        # CharLS refuses it too, but may look for the end for seconds.
        raise InvalidImage("The DICOM image's compressed pixels are damaged: they have no end.")
    samples, facts = jpeg_ls.decode_pixel_data(frame)
    return _shaped(samples, pixels, stream.precision, is_planar=facts["interleave_mode"] == 0)


def _by_openjpeg(frame: bytes, pixels: ImagePixels, stream: Codestream) -> NDArray[Any]:
    codestream.check_tiles(frame)
    _ask_for_memory(pixels.num_samples * OPENJPEG_SAMPLE_BYTES + len(frame) * 3 // 2)
    return _shaped(decode_pixel_data(frame, version=2), pixels, stream.precision)


def _by_gdcm(frame: bytes, pixels: ImagePixels, stream: Codestream) -> NDArray[Any]:
    """JPEG of 12 bits, and lossless JPEG. GDCM ends the process over headers that it does not like, so it gets none."""
    bits = 8 if stream.precision <= 8 else 16
    _ask_for_memory(GDCM_COPIES * pixels.num_samples * bits // 8 + 4 * len(frame))
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(codestream.only_what_decodes(frame))
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((pixels.columns, pixels.rows, 1))
    image.SetDataElement(element)
    # Neither of the two is converted; GDCM would do that to some others.
    model = gdcm.PhotometricInterpretation.RGB if pixels.samples == 3 else gdcm.PhotometricInterpretation.MONOCHROME2
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(model))
    # The one stands for all lossless ones, the other for 12 bits; the codestream says the rest.
    syntax = JPEGLossless if stream.process == "lossless" else JPEGExtended12Bit
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str.__str__(syntax))))
    # GDCM chooses among its decoders for 8, 12 and 16 bits by what is allocated; those for 12 and 16 give 16.
    allocated = bits if stream.process == "lossless" else stream.precision
    stored = min(pixels.bits_stored, allocated)
    image.SetPixelFormat(gdcm.PixelFormat(pixels.samples, allocated, stored, stored - 1, int(pixels.is_signed)))
    text = image.GetBuffer()
    if text is None:
        raise InvalidImage("The DICOM image's compressed pixels cannot be decoded: they are damaged.")
    # GDCM's bytes come as text.
    return _shaped(text.encode("utf-8", "surrogateescape"), pixels, bits)


def _shaped(samples: Any, pixels: ImagePixels, bits: int, *, is_planar: bool = False) -> NDArray[Any]:
    """Bytes, least significant first -> shape (rows, columns) or (rows, columns, 3). Raises InvalidImage."""
    num_bytes = 1 if bits <= 8 else 2 if bits <= 16 else 4
    values = np.frombuffer(samples, f"<u{num_bytes}")
    if values.size != pixels.num_samples:
        raise InvalidImage("The DICOM image's compressed pixels are fewer, or more, than the header says.")
    if pixels.samples == 1:
        return values.reshape(pixels.rows, pixels.columns)
    if is_planar:
        return values.reshape(pixels.samples, pixels.rows, pixels.columns).transpose(1, 2, 0)
    return values.reshape(pixels.rows, pixels.columns, pixels.samples)


def _ask_for_memory(num_bytes: int) -> None:
    """Raises MemoryError where there is not that much: the decoders in C and C++ would end the process instead."""
    np.empty(num_bytes, np.uint8)


_DECODERS: Final[Mapping[Process, Callable[[bytes, ImagePixels, Codestream], NDArray[Any]]]] = {
    "sequential": _by_libjpeg_or_gdcm,
    "lossless": _by_gdcm,
    "JPEG-LS": _by_charls,
    "JPEG 2000": _by_openjpeg,
}
