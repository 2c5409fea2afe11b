"""Samples in colour -> a picture of mode RGB, 8 bits a channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.pixels.processing import convert_color_space

from huatuo_server.errors import InvalidImage
from huatuo_server.images.bands import bands
from huatuo_server.images.dicom.codecs import Samples
from huatuo_server.images.dicom.image_pixel_module import YBR

Colours = Callable[[NDArray[Any]], NDArray[np.uint8]]
"""Samples of some rows -> their colours, shape (rows, columns, 3)."""


def picture(samples: Samples) -> Image.Image:
    """RGB or YBR samples; more or less than 8 bits are scaled to 8, to the nearest. Raises InvalidImage."""
    if samples.photometric not in ("RGB", *YBR):
        raise InvalidImage("The DICOM header names a colour model that its pixels cannot be in.")
    top = (1 << samples.bits) - 1

    def colours(values: NDArray[Any]) -> NDArray[np.uint8]:
        eight_bit = np.ascontiguousarray(values if top == 255 else np.rint(values * (255 / top)), np.uint8)
        return convert_color_space(eight_bit, "YBR_FULL", "RGB") if samples.photometric in YBR else eight_bit

    return painted(samples.values, colours)


def painted(values: NDArray[Any], colours: Colours) -> Image.Image:
    """Band by band: the whole in floats, or as places in a palette, would be many times the picture."""
    image = Image.new("RGB", (values.shape[1], values.shape[0]))
    for rows in bands(values.shape):
        image.paste(Image.fromarray(colours(values[rows])), (0, rows.start))
    return image
