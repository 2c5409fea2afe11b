"""One decoded frame, upright, before any window: what every reader of a format returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from huatuo_server.protocol.provenance import FrameFacts
from huatuo_server.protocol.view import Window

WindowFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
"""DICOM PS3.3 C.11.2.1: how values inside a window become shades."""


@dataclass(frozen=True, slots=True)
class VoiLut:
    """A VOI lookup table (PS3.3 C.11.2.1.1). shades: uint8, one for each value from first_value on."""

    first_value: int
    shades: NDArray[np.uint8]


@dataclass(slots=True)
class Grey:
    """Greyscale values that need a window to be seen.

    values: shape (rows, columns), integers or floats, in the image's units (after DICOM's modality LUT).
    inverted: the smallest value is white (MONOCHROME1, TIFF's WhiteIsZero).
    window, window_source, voi_lut: what the file itself asks for, or its modality's default; a lut wins over a window.
    function: how the file's window, or the request's, is to be applied.
    padding: where the values mean nothing (PixelPaddingValue); percentiles leave them out, and they are shown black.
    hounsfield: presets are in these units. as_is: 8-bit values that need no window unless the request gives one.
    """

    values: NDArray[Any]
    inverted: bool = False
    window: Window | None = None
    window_source: Literal["header", "default"] = "header"
    voi_lut: VoiLut | None = None
    function: WindowFunction = "LINEAR_EXACT"
    padding: NDArray[np.bool_] | None = None
    hounsfield: bool = False
    as_is: bool = False


@dataclass(slots=True)
class Frame:
    """pixels: an 8-bit picture, mode RGB or, where it is grey, L; or grey values.

    facts: as far as reading tells them; window is None yet.
    """

    pixels: Image.Image | Grey
    facts: FrameFacts


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself before a pixel is decoded. frames: pages of a TIFF, frames of a DICOM; else 1."""

    format: str
    width: int
    height: int
    frames: int
