"""The bytes of a DICOM file -> the elements that describe its pixels, and where the pixels are.

Only the elements of an allow-list are kept, so a patient's name is not even parsed. Nothing here prints or logs.
"""

from __future__ import annotations

import io
import logging
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

import gdcm  # type: ignore[import-untyped]
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian
from pydicom.values import converters

from huatuo_server.errors import ImageRefused, InvalidImage
from huatuo_server.images.dicom import elements
from huatuo_server.images.dicom.source import Source

PREAMBLE_BYTES: Final = 128
MARK: Final = b"DICM"

MAX_INFLATED_BYTES: Final = 128 * 2**20
"""Of a deflated data set: 40 megapixels of colour fit. zlib on its own would make 512 MB of half a megabyte."""

PIXEL_KEYWORDS: Final = {
    0x7FE00008: "FloatPixelData",
    0x7FE00009: "DoubleFloatPixelData",
    0x7FE00010: "PixelData",
}

DIRECTORY: Final = 0x00041220
"""Directory Record Sequence: the file is a DICOMDIR (PS3.3 F.3)."""

_META: Final = ("TransferSyntaxUID",)

KEPT: Final = (
    *("ImageType", "Modality", "PixelPresentation", "BurnedInAnnotation", "PresentationLUTShape"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio"),
    *("RescaleIntercept", "RescaleSlope", "RescaleType", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence", "ICCProfile"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("RedPaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData"),
    *("GreenPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableData"),
    *("BluePaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableData"),
    *("SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData"),
    *("SegmentedBluePaletteColorLookupTableData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
)
"""All that is ever read of a header (in sequences: all that `elements` is asked for)."""


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where the pixels stand. length: bytes, UNDEFINED_LENGTH where fragments follow. offset: of the value."""

    keyword: str
    vr: str | None
    length: int
    offset: int


UNDEFINED_LENGTH: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds. syntax: the transfer syntax's UID; None where the file names none. pixels: None for no image.

    source: from which the pixels are to be read, inflated where the file is deflated.
    """

    dataset: Dataset
    syntax: str | None
    is_explicit: bool
    pixels: PixelElement | None
    source: Source


@contextmanager
def silence() -> Iterator[None]:
    """pydicom and GDCM quote a header's values in their warnings, their log and their lines on stderr."""
    for channel in (gdcm.Trace.DebugOff, gdcm.Trace.WarningOff, gdcm.Trace.ErrorOff):
        channel()
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def open_file(file: BinaryIO) -> Contents:
    """Read a file up to its pixels, which are not touched.

    Raises InvalidImage (no DICOM, damaged), ImageRefused (a DICOMDIR, a bomb), or whatever pydicom stumbles over.
    """
    source = Source(file)
    if source.read(PREAMBLE_BYTES + len(MARK))[PREAMBLE_BYTES:] != MARK:
        raise InvalidImage("The file is no DICOM file: its mark is missing.")
    meta = _read(source, is_explicit=True, is_little_endian=True, kept=_META, stop_when=_is_past_the_meta)
    syntax = elements.text(meta, "TransferSyntaxUID") or None
    if syntax == DeflatedExplicitVRLittleEndian:
        source = Source(_inflated(source))
    found: list[PixelElement] = []

    def is_at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag == DIRECTORY:
            raise ImageRefused("The DICOM file is a directory of other files (a DICOMDIR) and holds no image.")
        if tag in PIXEL_KEYWORDS:
            found.append(PixelElement(PIXEL_KEYWORDS[tag], vr, length, source.tell()))
        return tag in PIXEL_KEYWORDS

    is_explicit = _looks_explicit(source) if syntax is None else syntax != ImplicitVRLittleEndian
    dataset = _read(
        source,
        is_explicit=is_explicit,
        is_little_endian=syntax != ExplicitVRBigEndian,
        kept=KEPT,
        stop_when=is_at_pixels,
    )
    return Contents(dataset, syntax, is_explicit, found[-1] if found else None, source)


def _read(
    source: Source,
    *,
    is_explicit: bool,
    is_little_endian: bool,
    kept: tuple[str, ...],
    stop_when: Callable[[BaseTag, str | None, int], bool],
) -> Dataset:
    tags: list[BaseTag | int] = [Tag(keyword) for keyword in kept]
    file = cast(BinaryIO, source)
    return read_dataset(file, not is_explicit, is_little_endian, stop_when=stop_when, specific_tags=tags)


def _is_past_the_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag >> 16 != 2


def _looks_explicit(source: Source) -> bool:
    """Whether the next element, of a file that names no transfer syntax, begins as one with its VR written out."""
    start = source.tell()
    vr = source.read(6)[4:]
    source.seek(start)
    return vr.decode("latin-1") in converters


def _inflated(source: Source) -> BinaryIO:
    """The rest of the file, inflated (PS3.5 A.5: no zlib header). Raises ImageRefused over MAX_INFLATED_BYTES."""
    inflater, inflated = zlib.decompressobj(-zlib.MAX_WBITS), io.BytesIO()
    while not inflater.eof and (piece := inflater.unconsumed_tail or source.read(2**20)):
        inflated.write(inflater.decompress(piece, 2**22))
        if inflated.tell() > MAX_INFLATED_BYTES:
            raise ImageRefused(
                f"The deflated DICOM file is more than {MAX_INFLATED_BYTES} bytes once inflated. "
                "Send it with another transfer syntax."
            )
    if not inflater.eof:
        raise InvalidImage("The DICOM file is cut short: its deflated data ends too early.")
    return inflated
