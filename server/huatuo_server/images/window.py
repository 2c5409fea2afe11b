"""Greyscale of more than 8 bits -> 8 bits, by percentiles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDE_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
"""Pillow's modes whose `convert("RGB")` would clip everything over 255 to white."""

PERCENTILES = (0.5, 99.5)
"""Where a film that names no window is cut: the outer half percents are markers, collimators and noise."""

MID_GREY = 128

_PHOTOMETRIC_INTERPRETATION = 262
_WHITE_IS_ZERO = 0


def window(image: Image.Image) -> Image.Image:
    """Map the range between the percentiles to 0..255, mode L. A constant picture becomes mid-grey.

    image: one of WIDE_MODES, loaded. NaN counts as the darkest.
    """
    values: NDArray[Any] = np.asarray(image)
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    low, high = np.percentile(finite, PERCENTILES) if finite.size else (0.0, 0.0)
    if high <= low:
        return Image.new("L", image.size, MID_GREY)
    # 16-bit values are exact in float32, which is half the memory on a large film.
    scaled = values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    scaled = np.nan_to_num(scaled, copy=False, nan=low, posinf=high, neginf=low)
    scaled -= low
    scaled *= 255.0 / (high - low)
    shades = np.rint(np.clip(scaled, 0.0, 255.0, out=scaled), out=scaled).astype(np.uint8)
    return Image.fromarray(255 - shades if _is_negative(image) else shades)


def _is_negative(image: Image.Image) -> bool:
    """Whether a TIFF says that zero is white. Pillow turns 8-bit ones round itself, and no others."""
    tags = getattr(image, "tag_v2", {})
    return bool(tags.get(_PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO)
