"""What a header says of its pixels (PS3.3 C.7.6.3, the Image Pixel module), checked before any is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

from huatuo_server.errors import ImageRefused, InvalidImage
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.dicom.elements import numbers, short, text

GREY: Final = ("MONOCHROME1", "MONOCHROME2")
PALETTE: Final = "PALETTE COLOR"
YBR: Final = ("YBR_FULL", "YBR_FULL_422")
COLOUR: Final = ("RGB", *YBR, "YBR_ICT", "YBR_RCT")
RETIRED: Final = ("HSV", "ARGB", "CMYK", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "XYB")
"""Known to the standard, and not read."""

FLOAT_BITS: Final = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}


@dataclass(frozen=True, slots=True)
class ImagePixels:
    """The module's elements, in the standard's words. keyword: of the element that holds the pixels."""

    keyword: str
    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    planar: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool

    @property
    def num_samples(self) -> int:
        """Of one frame."""
        return self.rows * self.columns * self.samples

    @property
    def is_float(self) -> bool:
        """Whether the samples are floats."""
        return self.keyword in FLOAT_BITS


def image_pixels(dataset: Dataset, keyword: str, bounds: Bounds) -> ImagePixels:
    """What the header says.

    Raises InvalidImage (it makes no sense), ImageRefused (over a limit, or a colour model that is not read).
    """
    rows, columns, frames = short(dataset, "Rows"), short(dataset, "Columns"), _frames(dataset)
    _check_limits(rows, columns, frames, bounds)
    allocated = FLOAT_BITS.get(keyword) or short(dataset, "BitsAllocated")
    stored = allocated if keyword in FLOAT_BITS else short(dataset, "BitsStored", allocated)
    pixels = ImagePixels(
        keyword=keyword,
        rows=rows,
        columns=columns,
        frames=frames,
        samples=short(dataset, "SamplesPerPixel", 1),
        photometric=text(dataset, "PhotometricInterpretation").upper(),
        planar=short(dataset, "PlanarConfiguration", 0),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=_high_bit(dataset, stored, allocated),
        is_signed=short(dataset, "PixelRepresentation", 0) == 1,
    )
    _check_sense(pixels)
    return pixels


def _frames(dataset: Dataset) -> int:
    """Number of Frames, counted without looking at the pixels; 1 where it is missing or zero."""
    announced = [*numbers(dataset, "NumberOfFrames"), 1.0][0]
    if not announced.is_integer() or announced < 0:
        raise InvalidImage("The DICOM header's number of frames is no number.")
    return int(announced) or 1


def _high_bit(dataset: Dataset, stored: int, allocated: int) -> int:
    """The last bit that counts (PS3.5 8.1.1); files older than that rule may have unused bits below the samples."""
    announced = short(dataset, "HighBit", stored - 1)
    return announced if stored <= announced + 1 <= allocated else stored - 1


def _check_limits(rows: int, columns: int, frames: int, bounds: Bounds) -> None:
    bounds.check_size(columns, rows)
    if frames > bounds.max_frames:
        raise ImageRefused(
            f"The file has more than {bounds.max_frames} frames, which is as many as are accepted (--max-frames)."
            " Send the one that you mean."
        )


def _check_sense(pixels: ImagePixels) -> None:
    if pixels.photometric in RETIRED:
        raise ImageRefused(f"The DICOM image's colour model, {pixels.photometric}, is not read. Send it as RGB.")
    if not pixels.is_float and pixels.bits_allocated not in (1, 8, 16, 32):
        raise ImageRefused("The DICOM image's samples take a number of bits that is not read; 1, 8, 16 and 32 are.")
    if not (_is_grey_or_palette(pixels) or _is_colour(pixels)):
        raise InvalidImage("The DICOM header contradicts itself on the colour model and the samples of a pixel.")
    if not 1 <= pixels.bits_stored <= pixels.bits_allocated:
        raise InvalidImage("The DICOM header contradicts itself on the bits of a sample.")


def _is_grey_or_palette(pixels: ImagePixels) -> bool:
    return pixels.samples == 1 and pixels.photometric in (GREY if pixels.is_float else (*GREY, PALETTE))


def _is_colour(pixels: ImagePixels) -> bool:
    """Colour is whole numbers, unsigned (C.7.6.3.1.2), one after another or plane by plane (C.7.6.3.1.3)."""
    return (
        pixels.samples == 3
        and pixels.photometric in COLOUR
        and pixels.planar in (0, 1)
        and not pixels.is_signed
        and not pixels.is_float
        and pixels.bits_allocated > 1
    )
