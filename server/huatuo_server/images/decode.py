"""Image bytes -> upright RGB. The header is read and judged before anything is decoded."""

from __future__ import annotations

import io

from PIL import ExifTags, Image, TiffImagePlugin

from huatuo_server.errors import ImageRefused, InvalidImage, UnsupportedImageFormat
from huatuo_server.images.formats import FORMATS, name_of_unread_format
from huatuo_server.images.window import WIDE_MODES, window

MAX_IMAGE_PIXELS = 40_000_000
MAX_IMAGE_SIDE = 20_000

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes the picture upright (EXIF 2.3, tag 0x0112)."""


def decode(
    data: bytes, *, param: str, max_pixels: int = MAX_IMAGE_PIXELS, max_side: int = MAX_IMAGE_SIDE
) -> Image.Image:
    """Decode the first frame or page, turn it upright, and drop alpha without compositing, as the reference does.

    Greyscale of more than 8 bits is windowed between its 0.5th and 99.5th percentile; the reference clips it to white.
    The result's `format` is the file's, as Pillow names it.

    Raises InvalidImage (not readable), UnsupportedImageFormat (another format, named), ImageRefused (over a limit, or
    a colour mode that cannot be shown as RGB); each carries `param`.
    """
    image = _open(data, param)
    _check_size(image.size, max_pixels, max_side, param)
    _check_size(_tile_size(image), max_pixels, max_side, param)
    try:
        image.load()
    except Exception as error:
        raise InvalidImage(
            "The image is damaged or truncated: its header is readable, its pixels are not.", param=param
        ) from error
    shown = window(image) if image.mode in WIDE_MODES else image
    rgb = _rgb(_upright(shown, _orientation(image)), param)
    rgb.format = image.format
    return rgb


def _open(data: bytes, param: str) -> Image.Image:
    """Read the header. Pillow's parsers raise whatever they stumble over, so every exception means unreadable."""
    unread = name_of_unread_format(data)
    if unread is not None:
        raise UnsupportedImageFormat(
            f"The image looks like {unread}, which is not read here. Send it as {', '.join(FORMATS)}.", param=param
        )
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRefused("The image has too many pixels.", param=param) from error
    except Exception as error:
        raise InvalidImage(
            f"The image cannot be read. It must be a complete file of one of the formats {', '.join(FORMATS)}.",
            param=param,
        ) from error


def _check_size(size: tuple[int, int], max_pixels: int, max_side: int, param: str) -> None:
    width, height = size
    if min(size) < 1:
        raise InvalidImage("The image has no pixels.", param=param)
    if width * height > max_pixels:
        raise ImageRefused(
            f"The image has {width} x {height} pixels; at most {max_pixels} are accepted. Scale it down.", param=param
        )
    if max(size) > max_side:
        raise ImageRefused(
            f"The image is {width} x {height} pixels; at most {max_side} a side are accepted. Scale it down.",
            param=param,
        )


def _tile_size(image: Image.Image) -> tuple[int, int]:
    """What is decoded at once. A TIFF's tile may be far larger than its picture: 1.8 GB for a 16 x 16 one of 1.8 MB."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return image.size
    width, height = (image.tag_v2.get(tag) for tag in (TiffImagePlugin.TILEWIDTH, TiffImagePlugin.TILELENGTH))
    return (width, height) if isinstance(width, int) and isinstance(height, int) else image.size


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1, upright, where there is none."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - EXIF is often broken, in as many ways; no reason to refuse what decodes
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def _rgb(image: Image.Image, param: str) -> Image.Image:
    try:
        return image.convert("RGB")
    except ValueError as error:
        raise ImageRefused(
            f"The image's colour mode, {image.mode}, cannot be shown as RGB. Convert it before sending.", param=param
        ) from error
