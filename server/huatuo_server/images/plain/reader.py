"""A plain image's file -> one upright frame. The header is read and judged before anything is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, Image, WebPImagePlugin
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from huatuo_server.errors import ImageRefused, InvalidImage, InvalidRequest, RequestError
from huatuo_server.images.bands import bands
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.formats import HEAD_BYTES, Format, format_of
from huatuo_server.images.frame import Frame, Grey, Header
from huatuo_server.images.plain import gif, jpeg, png, tiff, webp
from huatuo_server.images.plain.orientation import Turn, turn_of, turned
from huatuo_server.protocol.provenance import FrameFacts

_WIDE: Final = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
"""Pillow's modes whose `convert("RGB")` clips everything over 255 to white."""

WEBP_OPENED_PIXELS: Final = 1_000_000
"""A larger WebP's header is read without opening it: that takes the memory of a picture twice, and whoever decodes
waits for a turn before."""

DAMAGED: Final = "The image is damaged or truncated: its header is readable, its pixels are not."
ICC_IGNORED: Final = "An ICC colour profile was ignored, as the reference does."
COLOUR_REDUCED: Final = "The image has more than 8 bits a channel in colour: the upper 8 are used."


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file whose header was read. frames: a TIFF's pages, or what moves in a GIF, PNG or WebP; at least 1."""

    file: BinaryIO
    format: Format
    image: ImageFile
    frames: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frame that is selected, before it is turned upright."""
        return tiff.stored_size(self.image) if isinstance(self.image, TiffImageFile) else self.image.size

    @property
    def bit_depth(self) -> int:
        """Bits a sample, as they are stored."""
        if isinstance(self.image, TiffImageFile):
            return tiff.bit_depth(self.image)
        return png.bit_depth(self.file) if self.format == "PNG" else 8

    @property
    def library_bytes(self) -> int:
        """Memory that a library takes beside the picture, and whose lack it reports as damage."""
        match self.image:
            case TiffImageFile():
                return tiff.buffer_bytes(self.image)
            case JpegImageFile():
                return jpeg.coefficient_bytes(self.image)
            case _:
                return webp.canvas_bytes(self.size) if self.format == "WEBP" else 0


def read_header(file: BinaryIO, frame: int | None, bounds: Bounds) -> Header:
    """What the file says of itself, and of the page that is meant: the first unless asked. No page is decoded.

    Raises as `read_frame`.
    """
    canvas = _canvas(file, bounds)
    if canvas is not None and canvas[0] * canvas[1] > WEBP_OPENED_PIXELS:
        # Neither its frames nor its orientation are known then, and both are told again with the pixels.
        return Header("WEBP", *canvas, frames=1)
    opened = _open(file, bounds)
    if opened.format == "TIFF" and frame is not None:
        with _damage(DAMAGED):
            _select(opened, frame, bounds)
    turn = turn_of(opened.image)
    width, height = opened.size
    if turn and turn.swaps:
        width, height = height, width
    return Header(opened.format, width, height, opened.frames)


def read_frame(file: BinaryIO, frame: int | None, bounds: Bounds) -> Frame:
    """Decode one frame or page, the first unless asked, and turn it upright.

    Greyscale of more than 8 bits comes as it is stored. Everything else becomes 8-bit RGB as the reference makes it:
    alpha is dropped without compositing, a colour profile is ignored.

    Raises InvalidImage (not readable), ImageRefused (over a limit, or stored in a way that is not read), InvalidRequest
    (param `view.frame`: there is no such frame). MemoryError is the caller's.
    """
    opened = _open(file, bounds)
    if opened.format == "JPEG":
        jpeg.check_scans(file, opened.size)
    with _damage(DAMAGED):
        _select(opened, 1 if frame is None else frame, bounds)
        turn = turn_of(opened.image)
        library_bytes = opened.library_bytes
    with _damage(DAMAGED, library_bytes):
        pixels = _pixels(opened, turn)
        facts = _facts(opened, frame, pixels, turn)
    if isinstance(pixels, Image.Image):
        # Else whatever is made of it would carry the file's profile, comments and EXIF along.
        pixels.info = {}
    return Frame(pixels, facts)


def _canvas(file: BinaryIO, bounds: Bounds) -> tuple[int, int] | None:
    """A WebP's size, from its first bytes alone; None for every other format. Raises ImageRefused."""
    head = _head(file)
    size = webp.canvas(head) if format_of(head) == "WEBP" else None
    if size is not None:
        bounds.check_size(*size)
    return size


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(HEAD_BYTES)


def _open(file: BinaryIO, bounds: Bounds) -> _Opened:
    kind = format_of(_head(file))
    size = _canvas(file, bounds)
    unreadable = f"The {kind} image cannot be read: it is damaged, or of a kind that is not read here."
    with _damage(unreadable, webp.canvas_bytes(size) if size else 0):
        image = _image(file, kind)
        opened = _Opened(file, kind, image, max(1, _frames(file, image, kind, bounds.max_frames)))
        bounds.check_size(*opened.size)
    if opened.frames > bounds.max_frames:
        raise ImageRefused(
            f"The file has more than {_counted(bounds.max_frames, kind)}, which is as many as are accepted"
            " (--max-frames). Send the one that you mean."
        )
    return opened


def _image(file: BinaryIO, kind: Format) -> ImageFile:
    """Opened by the one class that is meant: `Image.open` takes a phone's JPEG with two pictures for another format."""
    file.seek(0)
    match kind:
        case "PNG":
            return png.opened(file)
        case "JPEG":
            return jpeg.opened(file)
        case "TIFF":
            return tiff.opened(file)
        case "WEBP":
            return WebPImagePlugin.WebPImageFile(file)
        case "GIF":
            return gif.opened(file)
        case "BMP":
            return BmpImagePlugin.BmpImageFile(file)


def _frames(file: BinaryIO, image: ImageFile, kind: Format, at_most: int) -> int:
    """How many there are, or `at_most` + 1. Pillow's own count would parse a GIF or TIFF to its end."""
    match kind:
        case "GIF":
            return gif.count_frames(file, at_most)
        case "TIFF":
            return tiff.count_pages(file, at_most)
        case _:
            return int(getattr(image, "n_frames", 1))


def _select(opened: _Opened, frame: int, bounds: Bounds) -> None:
    """Go to a frame, and judge it: it may be of another size than the first, and a TIFF's tile larger than either."""
    if not 1 <= frame <= opened.frames:
        raise InvalidRequest(
            f"The file has {_counted(opened.frames, opened.format)}, counted from 1.", param="view.frame"
        )
    opened.image.seek(frame - 1)
    bounds.check_size(*opened.size)
    if isinstance(opened.image, TiffImageFile):
        bounds.check_size(*tiff.tile_size(opened.image))
        tiff.straighten(opened.image)


def _pixels(opened: _Opened, turn: Turn | None) -> Image.Image | Grey:
    image = opened.image
    if isinstance(image, PngImageFile) and opened.frames == 1:
        png.load(opened.file, image)
    else:
        image.load()
    if isinstance(image, TiffImageFile):
        # Pillow has turned it upright.
        if image.mode in _WIDE:
            return Grey(_values(image, tiff.value_type(image)), inverted=tiff.zero_is_white(image))
        return _rgb(image)
    if image.mode in _WIDE:
        return Grey(turned(_values(image, np.dtype(np.uint16)), turn))
    if opened.format == "PNG" and png.has_wide_grey_and_alpha(opened.file):
        return Grey(turned(_values_of_bytes(image), turn))
    return _rgb(image if turn is None else image.transpose(turn.method))


def _values(image: Image.Image, dtype: np.dtype[Any]) -> NDArray[Any]:
    """As an array; numpy's own way takes the memory of two."""
    values = np.empty((image.height, image.width), dtype)
    for rows in bands(values.shape):
        values[rows] = np.asarray(image.crop((0, rows.start, image.width, rows.stop)))
    return values


def _values_of_bytes(image: Image.Image) -> NDArray[np.uint16]:
    """Of a picture whose first two channels are the upper and the lower byte of grey."""
    values = np.empty((image.height, image.width), np.uint16)
    for rows in bands(values.shape):
        channels = np.asarray(image.crop((0, rows.start, image.width, rows.stop)))
        values[rows] = channels[..., 0].astype(np.uint16) << 8 | channels[..., 1]
    return values


def _rgb(image: Image.Image) -> Image.Image:
    """Grey stays one channel: three alike would cost three times as much to resize."""
    return image if image.mode in ("RGB", "L") else image.convert("RGB")


def _facts(opened: _Opened, frame: int | None, pixels: Image.Image | Grey, turn: Turn | None) -> FrameFacts:
    height, width = pixels.values.shape if isinstance(pixels, Grey) else pixels.size[::-1]
    warnings = []
    if opened.frames > 1 and frame is None:
        warnings.append(f"The file has {_counted(opened.frames, opened.format)}: number 1 is shown.")
    if opened.image.info.get("icc_profile"):
        warnings.append(ICC_IGNORED)
    if opened.bit_depth > 8 and not isinstance(pixels, Grey):
        warnings.append(COLOUR_REDUCED)
    return FrameFacts(
        format=opened.format,
        width=width,
        height=height,
        bit_depth=opened.bit_depth,
        transfer_syntax=None,
        modality=None,
        frame=1 if frame is None else frame,
        frames=opened.frames,
        window=None,
        orientation=turn.words if turn else None,
        warnings=warnings,
    )


def _counted(number: int, kind: Format) -> str:
    noun = "page" if kind == "TIFF" else "frame"
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@contextmanager
def _damage(message: str, library_bytes: int = 0) -> Iterator[None]:
    """Pillow's parsers raise whatever they stumble over, so every exception means damage; but for ours, and memory."""
    try:
        yield
    except (MemoryError, RequestError):
        raise
    except Exception as error:
        np.empty(library_bytes, np.uint8)  # a MemoryError, if that was the reason
        raise InvalidImage(message) from error
