"""One frame of a DICOM file -> its stored values, and nothing of the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, BinaryIO, Final, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from huatuo_server.errors import ImageRefused, InvalidImage
from huatuo_server.images.dicom.codecs import Samples, decode
from huatuo_server.images.dicom.elements import raw
from huatuo_server.images.dicom.file import UNDEFINED_LENGTH, Contents, PixelElement
from huatuo_server.images.dicom.image_pixel_module import ImagePixels
from huatuo_server.images.dicom.transfer_syntax import Coding

ITEM: Final = b"\xfe\xff\x00\xe0"


def stored_frame(
    contents: Contents, element: PixelElement, pixels: ImagePixels, syntax: UID, coding: Coding, index: int
) -> Samples | Image.Image:
    """The stored values of the frame at `index`, counted from 0; a lossy JPEG in colour is a picture of mode RGB.

    Raises InvalidImage (damaged, or fewer pixels than announced), ImageRefused, MemoryError, or what a decoder raises.
    """
    if coding == "native":
        samples: Samples | Image.Image = _native(contents, element, pixels, syntax, index)
    else:
        samples = decode(_encapsulated(contents, element, pixels, index), pixels, coding)
    if isinstance(samples, Image.Image):
        return samples
    return replace(samples, values=_stored_values(samples, is_signed=pixels.is_signed))


def _native(contents: Contents, element: PixelElement, pixels: ImagePixels, syntax: UID, index: int) -> Samples:
    """Uncompressed pixels: only the frame's own bytes are read."""
    photometric = _subsampling(pixels, element)
    num_bits = pixels.num_samples * pixels.bits_allocated
    num_bits = num_bits * 2 // 3 if photometric == "YBR_FULL_422" else num_bits
    there = min(element.length, contents.source.left_from(element.offset))
    if element.length == UNDEFINED_LENGTH or there * 8 < num_bits * pixels.frames:
        raise InvalidImage("The DICOM file is cut short: it holds fewer pixels than its header announces.")
    contents.source.seek(element.offset)
    options: dict[str, Any] = {
        "rows": pixels.rows,
        "columns": pixels.columns,
        "number_of_frames": pixels.frames,
        "samples_per_pixel": pixels.samples,
        "photometric_interpretation": photometric,
        "planar_configuration": pixels.planar,
        "bits_allocated": pixels.bits_allocated,
        "bits_stored": pixels.bits_stored,
        "pixel_representation": int(pixels.is_signed),
        "pixel_keyword": pixels.keyword,
        "pixel_vr": element.vr,
        "correct_unused_bits": False,
        "view_only": True,
    }
    values, facts = get_decoder(syntax).as_array(cast(BinaryIO, contents.source), index=index, raw=True, **options)
    return Samples(values, str(facts["photometric_interpretation"]), pixels.bits_stored, pixels.high_bit)


def _subsampling(pixels: ImagePixels, element: PixelElement) -> str:
    """Some writers say YBR_FULL_422 of samples that they did not leave out."""
    if pixels.photometric == "YBR_FULL_422" and element.length >= pixels.num_samples * pixels.frames:
        return "YBR_FULL"
    return pixels.photometric


def _encapsulated(contents: Contents, element: PixelElement, pixels: ImagePixels, index: int) -> bytes:
    """The bytes of one compressed frame (PS3.5 A.4)."""
    if pixels.bits_allocated == 1 or pixels.is_float:
        raise ImageRefused("A compressed DICOM image of one bit a pixel, or of floats, is not read.")
    source = contents.source
    source.seek(element.offset)
    item, length = source.read(4), int.from_bytes(source.read(4), "little")
    offsets, lengths = (raw(contents.dataset, f"ExtendedOffsetTable{name}") for name in ("", "Lengths"))
    if item != ITEM or length > 4 * pixels.frames or len(offsets) > 8 * pixels.frames:
        raise InvalidImage("The DICOM file is damaged: its compressed pixels are not laid out as announced.")
    source.seek(element.offset)
    frame = get_frame(
        cast(Any, source),
        index,
        number_of_frames=pixels.frames,
        extended_offsets=(offsets, lengths) if offsets and len(offsets) == len(lengths) else None,
    )
    if source.cut_short:
        raise InvalidImage("The DICOM file is cut short: it ends amid its compressed pixels.")
    return frame


def _stored_values(samples: Samples, *, is_signed: bool) -> NDArray[Any]:
    """Only the bits that count (PS3.5 8.1.1), with their sign, in this machine's byte order."""
    values = samples.values.astype(samples.values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind == "f":
        return values
    size = 8 * values.itemsize
    values = values.view(f"{'i' if is_signed else 'u'}{values.itemsize}")
    if samples.bits in (size, 1):
        return values
    values = values if values.flags.writeable else values.copy()
    np.left_shift(values, size - 1 - samples.high_bit, out=values)
    np.right_shift(values, size - samples.bits, out=values)
    return values
