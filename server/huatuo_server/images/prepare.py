"""Upright RGB -> the square that CLIP sees, bit for bit as the reference makes it, without building the big square."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from huatuo_server.families import PicturePolicy

BAND_PIXELS = 1_000_000
"""Rows are padded in bands of about this many pixels (3 MB), however long and narrow the image is."""


def prepare(image: Image.Image, policy: PicturePolicy) -> NDArray[np.uint8]:
    """Pad to a square with the image centred (integer division), then resize bicubically.

    image: mode RGB. Returns uint8 of shape (size, size, 3).

    Pillow resizes along the rows first and rounds to 8 bits before it resizes along the columns. So the real rows can
    be brought to the final width on their own, laid in a column of the square's height, and that be resized.
    """
    size, side = policy.size_pixels, max(image.size)
    column = Image.new("RGB", (size, side), policy.pad_rgb)
    top = (side - image.height) // 2
    if image.width == side:
        column.paste(_to_width(image, size), (0, top))
    else:
        _paste_padded(column, image, policy)
    return np.asarray(column.resize((size, size), Image.Resampling.BICUBIC))


def _to_width(rows: Image.Image, width: int) -> Image.Image:
    return rows.resize((width, rows.height), Image.Resampling.BICUBIC)


def _paste_padded(column: Image.Image, image: Image.Image, policy: PicturePolicy) -> None:
    """Fill `column` with the rows of an image that is higher than wide, padded left and right, a band at a time."""
    side = image.height
    band_height = max(1, BAND_PIXELS // side)
    for top in range(0, side, band_height):
        rows = image.crop((0, top, image.width, min(top + band_height, side)))
        padded = Image.new("RGB", (side, rows.height), policy.pad_rgb)
        padded.paste(rows, ((side - image.width) // 2, 0))
        column.paste(_to_width(padded, policy.size_pixels), (0, top))
