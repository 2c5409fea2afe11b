"""A DICOM file -> one frame: as grey values in the image's units, or as a picture in colour.

Patient data goes no further than this: what is told of a file are the fields below, and sentences written here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

from PIL import Image
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from huatuo_server.errors import ImageRefused, InvalidImage, InvalidRequest, RequestError
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.dicom.colour import painted, picture
from huatuo_server.images.dicom.elements import has, numbers, text
from huatuo_server.images.dicom.file import UNDEFINED_LENGTH, Contents, PixelElement, open_file, silence
from huatuo_server.images.dicom.functional_groups import FunctionalGroups, functional_groups
from huatuo_server.images.dicom.image_pixel_module import GREY, PALETTE, ImagePixels, image_pixels
from huatuo_server.images.dicom.modality import modality
from huatuo_server.images.dicom.palette import palette
from huatuo_server.images.dicom.stored_frame import stored_frame
from huatuo_server.images.dicom.transfer_syntax import TransferSyntax, transfer_syntax
from huatuo_server.images.dicom.values import grey
from huatuo_server.images.frame import Frame, Grey, Header
from huatuo_server.protocol.provenance import FrameFacts

SQUARE_TOLERANCE: Final = 0.01
"""How far the sides of a pixel may differ before a person would see it."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file whose header has been read and judged."""

    contents: Contents
    element: PixelElement
    pixels: ImagePixels
    uid: UID
    syntax: TransferSyntax


def read_header(file: BinaryIO, bounds: Bounds) -> Header:
    """What the file says of itself; no pixel is read.

    Raises InvalidImage (not readable), ImageRefused (over a limit, no image, or coded in a way that is not read).
    """
    with _understood(), silence():
        pixels = _opened(file, bounds).pixels
    return Header("DICOM", pixels.columns, pixels.rows, pixels.frames)


def read_frame(file: BinaryIO, frame: int | None, bounds: Bounds) -> Frame:
    """Decode one frame, counted from 1, and only that; the middle one of a multi-frame file unless asked.

    Raises InvalidImage and ImageRefused as `read_header`, and InvalidRequest (param `view.frame`: there is no such
    frame). MemoryError is the caller's.
    """
    with _understood(), silence():
        opened = _opened(file, bounds)
        frames = opened.pixels.frames
        if frame is not None and not 1 <= frame <= frames:
            raise InvalidRequest(
                f"The file has {frames} {'frame' if frames == 1 else 'frames'}, counted from 1.", param="view.frame"
            )
        shown = frame or (frames + 1) // 2
        groups = functional_groups(opened.contents.dataset, shown - 1)
        warnings = (
            [] if frame or frames == 1 else [f"The file has {frames} frames: number {shown}, the middle one, is shown."]
        )
        return Frame(_pixels(opened, groups, shown - 1), _facts(opened, shown, [*warnings, *_warnings(opened, groups)]))


@contextmanager
def _understood() -> Iterator[None]:
    """Parsers and decoders raise whatever they stumble over, so every exception means unreadable; but not ours."""
    try:
        yield
    except (MemoryError, RequestError):
        raise
    except Exception as error:
        damaged = InvalidImage("The DICOM file is damaged: its header or its pixels cannot be read.")
        raise (_ours(error) or damaged) from error


def _ours(error: BaseException) -> BaseException | None:
    """What pydicom has caught of ours and turned into an error of its own."""
    behind = error.__context__
    while behind is not None and not isinstance(behind, MemoryError | RequestError):
        behind = behind.__context__
    return behind


def _opened(file: BinaryIO, bounds: Bounds) -> _Opened:
    contents = open_file(file)
    element = contents.pixels
    if element is None:
        raise _without_pixels(contents)
    uid, syntax = transfer_syntax(contents.syntax or _guessed(contents, element))
    pixels = image_pixels(contents.dataset, element.keyword, bounds)
    return _Opened(contents, element, pixels, uid, syntax)


def _without_pixels(contents: Contents) -> RequestError:
    if contents.syntax is not None:
        transfer_syntax(contents.syntax)  # which may be one whose pixels stand elsewhere
    if contents.source.cut_short or any(has(contents.dataset, keyword) for keyword in ("SamplesPerPixel", "Rows")):
        return InvalidImage("The DICOM file is cut short: it ends before its pixels.")
    return ImageRefused("The DICOM file holds no image: it is a report, a document, a plan or the like.")


def _guessed(contents: Contents, element: PixelElement) -> str:
    """The syntax of a file that names none; compressed pixels could be anything."""
    if element.length == UNDEFINED_LENGTH:
        raise InvalidImage("The DICOM file does not name its transfer syntax, so its pixels cannot be decoded.")
    return ExplicitVRLittleEndian if contents.is_explicit else ImplicitVRLittleEndian


def _pixels(opened: _Opened, groups: FunctionalGroups, index: int) -> Image.Image | Grey:
    dataset = opened.contents.dataset
    samples = stored_frame(opened.contents, opened.element, opened.pixels, opened.uid, opened.syntax.coding, index)
    if isinstance(samples, Image.Image):
        return samples
    if samples.photometric == PALETTE:
        return painted(samples.values, palette(dataset, is_signed=opened.pixels.is_signed))
    return picture(samples) if opened.pixels.samples == 3 else grey(samples, dataset, groups)


def _facts(opened: _Opened, frame: int, warnings: list[str]) -> FrameFacts:
    pixels = opened.pixels
    return FrameFacts(
        format="DICOM",
        width=pixels.columns,
        height=pixels.rows,
        bit_depth=pixels.bits_stored,
        transfer_syntax=opened.syntax.name,
        modality=modality(text(opened.contents.dataset, "Modality")),
        frame=frame,
        frames=pixels.frames,
        window=None,
        orientation=None,
        warnings=warnings,
    )


def _warnings(opened: _Opened, groups: FunctionalGroups) -> Iterator[str]:
    dataset = opened.contents.dataset
    if opened.contents.syntax is None:
        yield f"The file does not name its transfer syntax; it was read as {opened.syntax.name}."
    if text(dataset, "BurnedInAnnotation") == "YES":
        yield "The header says that text is burned into the pixels."
    if opened.pixels.photometric not in GREY and has(dataset, "ICCProfile"):
        yield "An ICC colour profile was ignored."
    if text(dataset, "PixelPresentation") in ("COLOR", "MIXED"):
        yield "The header's supplemental palette is not applied: the image is shown in grey."
    if not _is_square(groups):
        yield "The header says that pixels are not square; the image is shown pixel for pixel, and so looks stretched."


def _is_square(groups: FunctionalGroups) -> bool:
    """By the first of the elements that tell (PS3.3 10.7, C.7.6.3.1.7). What cannot be read says nothing."""
    measures = groups.macro("PixelMeasuresSequence")
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio"):
        try:
            vertical, horizontal = numbers(measures, keyword)
        except ValueError:
            continue
        return horizontal <= 0 or vertical <= 0 or abs(vertical / horizontal - 1) <= SQUARE_TOLERANCE
    return True
