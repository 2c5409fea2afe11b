"""Grey values -> a 16-bit picture from which a page can window for itself, and the same made smaller."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from huatuo_server.errors import ImageRefused
from huatuo_server.images.bands import bands
from huatuo_server.images.frame import Grey
from huatuo_server.protocol.provenance import StoredValues

TOP = 65_535

BAND_PIXELS = 1_000_000
"""Converted at once, in 64-bit floats: 8 MB."""


def grey16(pixels: Image.Image | Grey, region: tuple[int, int, int, int] | None) -> tuple[Image.Image, StoredValues]:
    """Mode I;16, and how its numbers are read. Whole numbers that fit 16 bits are kept as they are, or shifted.

    Raises ImageRefused for a colour picture.
    """
    grey = pixels if isinstance(pixels, Grey) else Grey(_one_channel(pixels))
    left, top, right, bottom = region or (0, 0, grey.values.shape[1], grey.values.shape[0])
    numbers, slope, intercept = _as_16_bits(grey.values[top:bottom, left:right])
    facts = StoredValues(
        slope=slope,
        intercept=intercept,
        units="HU" if grey.hounsfield else None,
        inverted=grey.inverted,
        function=grey.function,
        padding=_padding(grey),
    )
    return Image.fromarray(numbers), facts


def smaller(grey: Grey, region: tuple[int, int, int, int] | None, max_side: int) -> Grey | None:
    """Cut to the region and scaled down as `grey16`'s picture is, so that who windows that sees the same.

    None where it is small enough, or its values are not kept exactly in 16 bits. Raises ImageRefused.
    """
    left, top, right, bottom = region or (0, 0, grey.values.shape[1], grey.values.shape[0])
    if max(right - left, bottom - top) <= max_side:
        return None
    image, told = grey16(grey, region)
    if told["slope"] != 1:
        return None
    intercept = int(told["intercept"])
    dtype = np.promote_types(np.min_scalar_type(intercept), np.int32)
    values = np.add(np.asarray(at_most(image, max_side)), intercept, dtype=dtype)
    is_padding = None
    if told["padding"] is not None:
        is_padding = (values >= told["padding"][0]) & (values <= told["padding"][1])
    return Grey(values, inverted=grey.inverted, padding=is_padding)


def at_most(image: Image.Image, max_side: int) -> Image.Image:
    """Scaled down, never up."""
    factor = max_side / max(image.size)
    if factor >= 1:
        return image
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BICUBIC)


def _padding(grey: Grey) -> list[float] | None:
    """The ends of the values that are padding; None where others lie between them."""
    if grey.padding is None:
        return None
    low = grey.values.min(where=grey.padding, initial=grey.values.max())
    high = grey.values.max(where=grey.padding, initial=grey.values.min())
    for rows in bands(grey.values.shape):
        part = grey.values[rows]
        if not np.array_equal((part >= low) & (part <= high), grey.padding[rows]):
            return None
    return [float(low), float(high)]


def _one_channel(image: Image.Image) -> NDArray[np.uint8]:
    channels = np.asarray(image)
    if image.mode == "L":
        return channels
    if not (np.array_equal(channels[..., 0], channels[..., 1]) and np.array_equal(channels[..., 0], channels[..., 2])):
        raise ImageRefused("A colour picture has no grey values: ask for the format png.")
    return channels[..., 0]


def _as_16_bits(values: NDArray[Any]) -> tuple[NDArray[np.uint16], float, float]:
    """numbers * slope + intercept = values; exact for whole numbers that span less than 65,536. NaN is the lowest.

    Raises ImageRefused.
    """
    low, high = _range(values)
    if not np.isfinite(high - low):
        raise ImageRefused("The image's values span more than a number can hold.")
    if values.dtype.kind in "iub" and high - low <= TOP:
        slope, intercept = 1.0, 0.0 if low >= 0 and high <= TOP else low
    else:
        slope, intercept = (high - low) / TOP or 1.0, low
    numbers = np.empty(values.shape, np.uint16)
    band = max(1, BAND_PIXELS // values.shape[1])
    for top in range(0, values.shape[0], band):
        exact = np.nan_to_num(values[top : top + band].astype(np.float64), nan=low, posinf=high, neginf=low)
        numbers[top : top + band] = np.rint((exact - intercept) / slope)
    return numbers, slope, intercept


def _range(values: NDArray[Any]) -> tuple[float, float]:
    """The least and the greatest finite value."""
    if values.dtype.kind != "f":
        return float(values.min()), float(values.max())
    finite = np.isfinite(values)
    if not finite.any():
        return 0.0, 0.0
    low = values.min(where=finite, initial=np.inf)
    return float(low), float(values.max(where=finite, initial=-np.inf))
