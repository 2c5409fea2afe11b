"""Pillow's horizontal pass over a picture much higher than wide, bit for bit, without its padding.

Padded to a square, 10 x 20,000 pixels are 400 million, nearly all of one colour. Only the columns of the result that
see the picture are worked out here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from huatuo_server.families import PicturePolicy
from huatuo_server.images.bands import bands

SHIFT: Final = 22
"""Pillow's weights are whole numbers of 22 bits after the point (Resample.c, PRECISION_BITS for 8-bit channels)."""

BLOCK: Final = 4
"""Columns worked out at once. Neighbours use nearly the same pixels; more of them would multiply by more zeros, and be
enough for OpenBLAS to start threads, where it has not been told otherwise, that wait longer than they work."""


@dataclass(frozen=True, slots=True)
class _Block:
    """Neighbouring columns of the result, and all that they need. weights: pixels by columns; padding: by channel."""

    columns: slice
    pixels: slice
    weights: NDArray[np.float64]
    padding: NDArray[np.float64]


def narrowed(image: Image.Image, policy: PicturePolicy) -> tuple[int, Image.Image]:
    """The columns that see the picture, as high as it is, and the first one's place among `policy.size_pixels`.

    image: mode RGB, higher than wide; it stands in the middle of a square of `policy.pad_rgb`.
    Every product and sum is a whole number below 2**53, so that matrix products in floats are exact in any order.
    """
    first, blocks = _blocks(image.size, policy)
    narrow = np.empty((image.height, blocks[-1].columns.stop, 3), np.uint8)
    for rows in bands((image.height, image.width)):
        band = image.crop((0, rows.start, image.width, rows.stop))
        for channel in range(3):
            values = np.asarray(band.getchannel(channel)).astype(np.float64)
            for block in blocks:
                sums = values[:, block.pixels] @ block.weights + block.padding[channel]
                narrow[rows, block.columns, channel] = np.clip(np.floor(sums / 2**SHIFT), 0, 255)
    return first, Image.fromarray(narrow)


def _blocks(size: tuple[int, int], policy: PicturePolicy) -> tuple[int, list[_Block]]:
    """The first column that sees the picture, and all of them in blocks."""
    width, side = size
    left = (side - width) // 2
    starts, weights = pillow_weights(side, policy.size_pixels)
    sees = np.flatnonzero((starts + weights.shape[1] > left) & (starts < left + width))
    first = int(sees[0])
    groups = [sees[start : start + BLOCK] for start in range(0, len(sees), BLOCK)]
    return first, [_block(group - first, starts[group] - left, weights[group], width, policy) for group in groups]


def _block(
    columns: NDArray[np.intp],
    starts: NDArray[np.intp],
    weights: NDArray[np.float64],
    width: int,
    policy: PicturePolicy,
) -> _Block:
    """starts: where each column's weights begin, counted from the picture's left edge."""
    from_, to = max(0, int(starts[0])), min(width, int(starts[-1]) + weights.shape[1])
    own = np.zeros((to - from_, len(columns)))
    for column, (start, of_column) in enumerate(zip(starts, weights, strict=True)):
        seen = slice(max(start, from_), min(start + len(of_column), to))
        own[seen.start - from_ : seen.stop - from_, column] = of_column[seen.start - start : seen.stop - start]
    beside = weights.sum(axis=1) - own.sum(axis=0)
    padding = np.outer(policy.pad_rgb, beside) + 2 ** (SHIFT - 1)
    return _Block(slice(int(columns[0]), int(columns[-1]) + 1), slice(from_, to), own, padding)


def pillow_weights(length: int, size: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Where the pixels of each of `size` results begin, and their weights times 2**22, zeros behind the last.

    `length` pixels are resized bicubically (a = -0.5), with the filter as wide as the step where they become fewer.
    The same operations in the same order as in Pillow's `precompute_coeffs` and `normalize_coeffs_8bpc`.
    """
    step = length / size
    stretch = max(step, 1.0)
    centers = (np.arange(size) + 0.5) * step
    starts = np.maximum((centers - 2 * stretch + 0.5).astype(np.intp), 0)
    stops = np.minimum((centers + 2 * stretch + 0.5).astype(np.intp), length)
    places = np.arange((stops - starts).max())
    weights = _bicubic((places + starts[:, None] - centers[:, None] + 0.5) * (1.0 / stretch))
    weights[places >= (stops - starts)[:, None]] = 0
    # Added up one by one: pairwise sums would round otherwise.
    weights /= np.cumsum(weights, axis=1)[:, -1:]
    return starts, np.trunc(weights * 2**SHIFT + np.where(weights < 0, -0.5, 0.5))


def _bicubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    a = -0.5
    x = np.abs(x)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))
