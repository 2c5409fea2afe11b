"""Pillow's bicubic resize of a picture in a padded square, bit for bit, in vector instructions: `_bicubic.c`.

At 40 % of Pillow's cost, whose own loops are scalar, and less where a picture is higher than wide. Where this package
was installed without a C compiler there is no `_bicubic`, and `prepare.py` goes by Pillow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from huatuo_server.families import PicturePolicy
from huatuo_server.images.bands import bands
from huatuo_server.images.tall import SHIFT, pillow_weights

try:
    from huatuo_server.images import _bicubic
except ImportError:
    IS_COMPILED = False
else:
    IS_COMPILED = True

LEAST_SIZE: Final = 22
"""Pixels along the square: `_bicubic` works on 64 bytes of a row at once."""

KEPT_FILTERS: Final = 8
"""Pictures often come in the same few sizes; weights of one take 0.1 ms to work out, and up to 320 kB."""


@dataclass(frozen=True, slots=True)
class _Filter:
    """Where each result's pixels begin, their weights, and what its sum begins with: int32.

    starts: (results,), below 0 where the padding is. weights: (results, taps). initial: (results, 4), of each channel
    and of one that is ignored: the padding's share, and a half to round with.
    """

    starts: NDArray[np.int32]
    weights: NDArray[np.int32]
    initial: NDArray[np.int32]


def resized(image: Image.Image, policy: PicturePolicy) -> NDArray[np.uint8]:
    """Padded to a square with the image centred, and resized: uint8 of shape (size, size, 3).

    image: mode RGB, or L where all channels would be alike. policy.size_pixels: at least LEAST_SIZE.
    """
    size, side = policy.size_pixels, max(image.size)
    top = (side - image.height) // 2
    column = np.empty((side, size, 3), np.uint8)
    # A row at a time: numpy would lay the colour down pixel by pixel.
    column[:top] = column[top + image.height :] = np.tile(np.array(policy.pad_rgb, np.uint8), (size, 1))
    across = _filter(side, image.width, policy)
    raw_mode, pixel_bytes = ("L", 1) if image.mode == "L" else ("RGBX", 4)
    for rows in bands((image.height, image.width)):
        band = image.crop((0, rows.start, image.width, rows.stop)).tobytes("raw", raw_mode)
        _bicubic.across(
            band, pixel_bytes, image.width, across.starts, across.weights, across.initial, column, top + rows.start
        )
    down = _filter(side, side, policy)
    square = np.empty((size, size, 3), np.uint8)
    _bicubic.down(column, size * 3, down.starts, down.weights, square)
    return square


@lru_cache(KEPT_FILTERS)
def _filter(side: int, width: int, policy: PicturePolicy) -> _Filter:
    """For `width` pixels in the middle of `side`."""
    starts, weights = pillow_weights(side, policy.size_pixels)
    starts = starts - (side - width) // 2
    places = starts[:, None] + np.arange(weights.shape[1])
    beside = np.where((places < 0) | (places >= width), weights, 0).sum(axis=1)
    initial = np.outer(beside, (*policy.pad_rgb, 0)) + 2 ** (SHIFT - 1)
    return _Filter(_int32(starts), _int32(weights), _int32(initial))


def _int32(values: NDArray[Any]) -> NDArray[np.int32]:
    return np.ascontiguousarray(values, np.int32)
